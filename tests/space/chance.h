// SPDX-License-Identifier: Apache-2.0
/* chance.h: random numbers for the properties that tests try by seed: splitmix64. */
#ifndef ALDIS_TESTS_SPACE_CHANCE_H
#define ALDIS_TESTS_SPACE_CHANCE_H

#include <math.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* bound: 1 or more. The bias of the remainder does not matter to a test. */
static inline uint64_t chance_below(struct chance *chance, uint64_t bound)
{
    return bound > 1 ? chance_next(chance) % bound : 0;
}

static inline double chance_between(struct chance *chance, double low, double high)
{
    return low + (high - low) * ((double)(chance_next(chance) >> 11) * 0x1p-53);
}

/* As likely between 0.01 and 0.1 as between 10 and 100. */
static inline double chance_scale(struct chance *chance, double low, double high)
{
    return exp(chance_between(chance, log(low), log(high)));
}

#endif
