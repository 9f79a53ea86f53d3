// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/philox.h"

static const struct {
    uint32_t counter[4], key[2], out[4];
} known[] = {
    /* The vectors that the authors publish for philox4x32, 10 rounds. */
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

TEST(philox_gives_the_published_answers)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t out[4];
        aldis__philox(known[i].counter, known[i].key, out);
        for (int w = 0; w < 4; w++)
            CHECK_UINT(out[w], known[i].out[w]);
    }
}

TEST(philox_may_write_over_its_counter)
{
    uint32_t words[4] = {0, 0, 0, 0};
    aldis__philox(words, known[0].key, words);
    for (int w = 0; w < 4; w++)
        CHECK_UINT(words[w], known[0].out[w]);
}
