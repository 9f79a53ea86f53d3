// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/crc32c.h"

/* RFC 3720, B.4, and the usual check value. */
static void check_published(uint32_t (*crc32c)(uint32_t, const void *, size_t))
{
    uint8_t bytes[32];
    CHECK_UINT(crc32c(0, "", 0), 0);
    CHECK_UINT(crc32c(0, "123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    CHECK_UINT(crc32c(0, bytes, 32), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    CHECK_UINT(crc32c(0, bytes, 32), 0x62a8ab43u);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    CHECK_UINT(crc32c(0, bytes, 32), 0x46dd794eu);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    CHECK_UINT(crc32c(0, bytes, 32), 0x113fdb5cu);
}

TEST(crc32c_gives_the_published_answers)
{
    check_published(aldis__crc32c);
}

TEST(crc32c_portable_gives_the_published_answers)
{
    check_published(aldis__crc32c_portable);
}

TEST(crc32c_goes_on_where_it_stopped_at_any_size_and_alignment)
{
    uint8_t bytes[96];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t start = 0; start < 9; start++) {
        for (size_t size = 0; size <= 80; size++) {
            uint32_t whole = aldis__crc32c_portable(0, bytes + start, size);
            CHECK_UINT(aldis__crc32c(0, bytes + start, size), whole);
            size_t half = size / 3;
            uint32_t part = aldis__crc32c(0, bytes + start, half);
            CHECK_UINT(aldis__crc32c(part, bytes + start + half, size - half), whole);
        }
    }
}
