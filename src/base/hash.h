// SPDX-License-Identifier: Apache-2.0
/* hash.h: hashes of bytes and words. Layer: base. Threads: any; pure functions. Memory: none.
 *
 * All give the same value on every machine, whatever its byte order and whatever the alignment of
 * the bytes: type numbers and run prints are compared between machines. None resists an attacker
 * who chooses the input. */
#ifndef ALDIS_BASE_HASH_H
#define ALDIS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ALDIS__FNV32_START 0x811c9dc5u
#define ALDIS__FNV64_START 0xcbf29ce484222325u

/** FNV-1a, 32 bits (Fowler, Noll, Vo), going on from `hash`. */
static inline uint32_t aldis__fnv32(uint32_t hash, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x01000193u;
    return hash;
}

/** FNV-1a, 64 bits, going on from `hash`. */
static inline uint64_t aldis__fnv64(uint64_t hash, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x00000100000001b3u;
    return hash;
}

/** The number of a message type that was given none: FNV-1a of its name, 1 in place of 0. */
static inline uint32_t aldis__name_number(const char *name)
{
    uint32_t number = aldis__fnv32(ALDIS__FNV32_START, name, strlen(name));
    return number ? number : 1;
}

/** Spread every bit of x over all 64: the finaliser of SplitMix64 (Steele, Lea, Flood,
 *  OOPSLA'14). A bijection; 0 stays 0. */
static inline uint64_t aldis__mix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#define ALDIS__DIGEST_KEY 0xa4093822299f31d0u /* of pi */

/* The two halves of a product, xored. */
static inline uint64_t aldis__digest_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide; /* gcc and clang have it on 64-bit machines */
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/** Take two words into a digest that is finished later by aldis__digest_bytes(): one
 *  multiplication. */
static inline uint64_t aldis__digest_pair(uint64_t digest, uint64_t a, uint64_t b)
{
    return (digest << 23 | digest >> 41) ^ aldis__digest_fold(a ^ ALDIS__DIGEST_KEY, b ^ digest);
}

/** The digest of size bytes at p, going on from `seed`: chain calls by handing the last digest in
 *  as the next seed. The size counts: "ab" then "c" differs from "a" then "bc". p may be NULL
 *  with 0. */
uint64_t aldis__digest_bytes(uint64_t seed, const void *p, size_t size);

#endif
