// SPDX-License-Identifier: Apache-2.0
/* digest.h: digests of actors' states for the run print. Layer: space.
 *
 * Fields are mixed one by one, never whole structs: padding holds anything. */
#ifndef SPACE_DIGEST_H
#define SPACE_DIGEST_H

#include "maths.h"

#include <stdint.h>
#include <string.h>

/** The finaliser of splitmix64 (Steele, Lea, Flood: OOPSLA 2014) over a running value. */
static inline uint64_t digest_mix(uint64_t digest, uint64_t word)
{
    uint64_t z = digest * 0x9e3779b97f4a7c15u + word;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t digest_double(uint64_t digest, double value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    return digest_mix(digest, word);
}

static inline uint64_t digest_vec(uint64_t digest, struct vec v)
{
    return digest_double(digest_double(digest_double(digest, v.x), v.y), v.z);
}

#endif
