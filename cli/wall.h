// SPDX-License-Identifier: Apache-2.0
/* wall.h: the wall clock, for progress and pace. Layer: cli. */
#ifndef ALDIS_CLI_WALL_H
#define ALDIS_CLI_WALL_H

#include <aldis/types.h>
#include <time.h>

/** Nanoseconds since some moment before the program began; never backwards. */
static inline aldis_ns wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (aldis_ns)t.tv_sec * ALDIS_SECOND + (aldis_ns)t.tv_nsec;
}

#endif
