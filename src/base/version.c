// SPDX-License-Identifier: Apache-2.0
/* version.c: the version of the library, fixed when it was compiled. Layer: base. */
#include <aldis/version.h>

const char *aldis_version(void)
{
    return ALDIS_VERSION_STRING;
}
