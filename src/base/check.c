// SPDX-License-Identifier: Apache-2.0
/* check.c: the end of a run whose own code is wrong. Layer: base. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void aldis__check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "aldis: internal error at %s:%d: %s does not hold; please report it\n", file,
            line, condition);
    abort();
}
