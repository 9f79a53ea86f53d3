// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include <aldis/version.h>

TEST(version_text_and_numbers_agree)
{
    char text[32];
    snprintf(text, sizeof text, "%d.%d.%d", ALDIS_VERSION_MAJOR, ALDIS_VERSION_MINOR,
             ALDIS_VERSION_PATCH);
    CHECK_STR(ALDIS_VERSION_STRING, text);
    CHECK_STR(aldis_version(), text);
}
