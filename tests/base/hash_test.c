// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/hash.h"

enum { SIZES = 300 };
static uint8_t sample[SIZES];

static void fill_sample(void)
{
    for (size_t i = 0; i < sizeof sample; i++)
        sample[i] = (uint8_t)(aldis__mix64(i + 1) >> 13);
}

TEST(hash_fnv_gives_the_published_answers)
{
    CHECK_UINT(aldis__fnv32(ALDIS__FNV32_START, "", 0), 0x811c9dc5u);
    CHECK_UINT(aldis__fnv32(ALDIS__FNV32_START, "a", 1), 0xe40c292cu);
    CHECK_UINT(aldis__fnv32(ALDIS__FNV32_START, "foobar", 6), 0xbf9cf968u);
    CHECK_UINT(aldis__fnv64(ALDIS__FNV64_START, "", 0), 0xcbf29ce484222325u);
    CHECK_UINT(aldis__fnv64(ALDIS__FNV64_START, "a", 1), 0xaf63dc4c8601ec8cu);
    CHECK_UINT(aldis__fnv64(ALDIS__FNV64_START, "foobar", 6), 0x85944171f73967e8u);
}

TEST(hash_fnv_goes_on_where_it_stopped)
{
    uint32_t half = aldis__fnv32(ALDIS__FNV32_START, "foo", 3);
    CHECK_UINT(aldis__fnv32(half, "bar", 3), 0xbf9cf968u);
}

TEST(hash_name_number_is_fnv32_and_never_zero)
{
    CHECK_UINT(aldis__name_number("foobar"), 0xbf9cf968u);
    /* A published preimage of zero for FNV-1a, 32 bits: the bytes cc 24 31 c4. */
    CHECK_UINT(aldis__fnv32(ALDIS__FNV32_START, "\xcc\x24\x31\xc4", 4), 0);
    CHECK_UINT(aldis__name_number("\xcc\x24\x31\xc4"), 1);
}

TEST(hash_mix64_gives_the_published_answers)
{
    /* SplitMix64 from seed 0: its state moves by the golden ratio, the finaliser does the rest. */
    CHECK_UINT(aldis__mix64(0x9e3779b97f4a7c15u), 0xe220a8397b1dcdafu);
    CHECK_UINT(aldis__mix64(0x9e3779b97f4a7c15u * 2), 0x6e789e6aa1b965f4u);
    CHECK_UINT(aldis__mix64(0), 0);
}

/* Frozen: a run print from an older release must still mean the same. */
static const struct {
    size_t size;
    uint64_t digest;
} frozen[] = {
    {0, 0x360e07935beb586fu},   {1, 0x1fd64ae308759689u},   {3, 0x47378772ebaad069u},
    {4, 0x9372a6d5ae9cd3e6u},   {8, 0x984060b4e536f882u},   {16, 0xe2020e6c70f77b24u},
    {17, 0x591e58b89c01aa3eu},  {64, 0xc1bd6b890a2be060u},  {65, 0xf55e2539c83f519cu},
    {129, 0x8b204a68a134a7a1u}, {300, 0x12313d1a456925e9u},
};

TEST(hash_digest_values_are_frozen)
{
    fill_sample();
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++)
        CHECK_UINT(aldis__digest_bytes(42, sample, frozen[i].size), frozen[i].digest);
    CHECK_UINT(aldis__digest_bytes(42, NULL, 0), frozen[0].digest);
}

TEST(hash_digest_does_not_see_the_alignment)
{
    fill_sample();
    uint8_t moved[SIZES + 16];
    for (size_t shift = 0; shift < 16; shift++) {
        memcpy(moved + shift, sample, SIZES);
        for (size_t size = 0; size <= SIZES; size++)
            CHECK_UINT(aldis__digest_bytes(7, moved + shift, size),
                       aldis__digest_bytes(7, sample, size));
    }
}

TEST(hash_digest_reads_only_its_bytes)
{
    fill_sample();
    uint8_t framed[SIZES + 32];
    for (size_t size = 0; size <= SIZES; size++) {
        memset(framed, 0xa5, sizeof framed);
        memcpy(framed + 16, sample, size);
        CHECK_UINT(aldis__digest_bytes(7, framed + 16, size), aldis__digest_bytes(7, sample, size));
    }
}

/* One bit of the input or the seed changed: each bit of the digest must change about half the
 * time. */
TEST(hash_digest_avalanche)
{
    fill_sample();
    static const size_t sizes[] = {1, 2, 3, 4, 7, 8, 12, 16, 17, 24, 33, 64, 65, 100, 128, 200};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t size = sizes[s];
        uint32_t flips[64] = {0}, trials = 0;
        for (uint64_t seed = 0; trials < 4096; seed++) {
            for (size_t bit = 0; bit < 8 * size + 64; bit++, trials++) {
                uint64_t seed2 = seed, before = aldis__digest_bytes(seed, sample, size);
                if (bit < 8 * size)
                    sample[bit / 8] ^= (uint8_t)(1u << bit % 8);
                else
                    seed2 ^= (uint64_t)1 << (bit - 8 * size);
                uint64_t changed = before ^ aldis__digest_bytes(seed2, sample, size);
                if (bit < 8 * size)
                    sample[bit / 8] ^= (uint8_t)(1u << bit % 8);
                CHECK(changed != 0);
                for (int out = 0; out < 64; out++)
                    flips[out] += changed >> out & 1;
            }
        }
        for (int out = 0; out < 64;
             out++) /* 4096 trials: the deviation is 0.8 %, allow 6 of them */
            CHECK(flips[out] > trials * 45 / 100 && flips[out] < trials * 55 / 100);
    }
}

TEST(hash_digest_short_inputs_do_not_collide)
{
    enum { COUNT = 1 + 256 + 65536 };
    static uint64_t table[1 << 18]; /* open addressing; 0 is free: no digest below is 0 */
    memset(table, 0, sizeof table);
    uint8_t bytes[2];
    for (uint32_t i = 0; i < COUNT; i++) {
        size_t size = i == 0 ? 0 : i <= 256 ? 1 : 2;
        uint32_t value = i == 0 ? 0 : i <= 256 ? i - 1 : i - 257;
        bytes[0] = (uint8_t)value;
        bytes[1] = (uint8_t)(value >> 8);
        uint64_t digest = aldis__digest_bytes(0, bytes, size);
        CHECK(digest != 0);
        size_t slot = digest >> 46;
        while (table[slot] != 0) {
            CHECK(table[slot] != digest);
            slot = (slot + 1) & ((1 << 18) - 1);
        }
        table[slot] = digest;
    }
}

TEST(hash_digest_depends_on_where_the_parts_end)
{
    uint64_t ab_c = aldis__digest_bytes(aldis__digest_bytes(0, "ab", 2), "c", 1);
    uint64_t a_bc = aldis__digest_bytes(aldis__digest_bytes(0, "a", 1), "bc", 2);
    CHECK(ab_c != a_bc);
    uint8_t zeroes[SIZES] = {0};
    for (size_t size = 0; size < SIZES; size++)
        CHECK(aldis__digest_bytes(0, zeroes, size) != aldis__digest_bytes(0, zeroes, size + 1));
}

/* A factor of zero must not make the digest forget what came before it. */
TEST(hash_digest_survives_a_factor_of_zero)
{
    static const uint64_t keys[] = {0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u,
                                    0x452821e638d01377u};
    uint8_t bytes[256];
    for (size_t at = 0; at < sizeof bytes; at += 8)
        for (size_t b = 0; b < 8; b++)
            bytes[at + b] = (uint8_t)(keys[(at / 16) % 4] >> (8 * b));
    uint64_t first = aldis__digest_bytes(1, bytes, sizeof bytes);
    bytes[0] ^= 1;
    uint64_t second = aldis__digest_bytes(1, bytes, sizeof bytes);
    CHECK(first != second);
    CHECK(first != aldis__digest_bytes(2, bytes, sizeof bytes));
}
