// SPDX-License-Identifier: Apache-2.0
/* hash.c: the digest of the run print. Layer: base.
 *
 * The idea is the multiply-and-fold of wyhash (Wang Yi, 2019): a 64 x 64 multiplication whose two
 * halves are xored mixes 16 bytes at once. Unlike there, a lane keeps a rotated copy of itself
 * beside the product, so that a factor of zero forgets nothing that went before. Its values are
 * frozen by the tests: a run print must mean the same in every release. */
#include "base/hash.h"

/* Digits of pi, because nobody chose them. */
#define PI0 0x243f6a8885a308d3u
#define PI1 0x13198a2e03707344u
#define PI2 ALDIS__DIGEST_KEY
#define PI3 0x082efa98ec4e6c89u
#define PI4 0x452821e638d01377u
#define PI5 0xbe5466cf34e90c6cu

#define BIG_ENDIAN_HERE (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline uint64_t fold(uint64_t a, uint64_t b)
{
    return aldis__digest_fold(a, b);
}

/* Little-endian loads. (Put together from bytes they are one instruction only where the compiler
 * happens to see it: gcc 12 made fifty of the last two.) */
static inline uint64_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return BIG_ENDIAN_HERE ? __builtin_bswap32(v) : v;
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return BIG_ENDIAN_HERE ? __builtin_bswap64(v) : v;
}

static inline uint64_t absorb(uint64_t lane, const uint8_t *p, uint64_t key)
{
    return (lane << 23 | lane >> 41) ^ fold(load64(p) ^ key, load64(p + 8) ^ lane);
}

static inline uint64_t finish(uint64_t lane, uint64_t a, uint64_t b)
{
    return fold(PI5, lane ^ fold(a ^ PI1, b ^ lane));
}

uint64_t aldis__digest_bytes(uint64_t seed, const void *p, size_t size)
{
    const uint8_t *at = p;
    uint64_t lane = seed ^ fold(seed ^ PI0, (uint64_t)size ^ PI1);
    if (size <= 16) {
        if (size >= 8)
            return finish(lane, load64(at), load64(at + size - 8));
        if (size >= 4)
            return finish(lane, load32(at), load32(at + size - 4));
        if (size > 0)
            return finish(lane, (uint64_t)at[0] | (uint64_t)at[size / 2] << 8, at[size - 1]);
        return finish(lane, 0, 0);
    }
    const uint8_t *end = at + size;
    if (size > 64) {
        uint64_t lane1 = lane ^ PI1, lane2 = lane ^ PI2, lane3 = lane ^ PI3;
        for (; end - at > 64; at += 64) {
            lane = absorb(lane, at, PI1);
            lane1 = absorb(lane1, at + 16, PI2);
            lane2 = absorb(lane2, at + 32, PI3);
            lane3 = absorb(lane3, at + 48, PI4);
        }
        lane = fold(lane ^ PI2, lane1 ^ PI3) ^ fold(lane2 ^ PI4, lane3 ^ PI0);
    }
    for (; end - at > 16; at += 16)
        lane = absorb(lane, at, PI2);
    /* The last 16 bytes may overlap what is already in; the size, taken in first, tells. */
    return finish(lane, load64(end - 16), load64(end - 8));
}
