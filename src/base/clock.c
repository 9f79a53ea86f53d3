// SPDX-License-Identifier: Apache-2.0
/* clock.c: see clock.h. Layer: base. */
#include "base/clock.h"

#include <time.h>

/* clock_gettime fails only for a clock that does not exist or a bad pointer; Linux has had both
 * clocks since 2.6.12. */
static aldis_ns read_clock(clockid_t clock)
{
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (aldis_ns)now.tv_sec * ALDIS_SECOND + (aldis_ns)now.tv_nsec;
}

aldis_ns aldis__clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

aldis_ns aldis__clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
