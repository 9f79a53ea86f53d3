// SPDX-License-Identifier: Apache-2.0
#include "harness.h"

#include "base/clock.h"

TEST(clock_monotonic_never_goes_back)
{
    aldis_ns last = aldis__clock_monotonic_ns();
    CHECK(last > 0);
    for (int i = 0; i < 10000; i++) {
        aldis_ns now = aldis__clock_monotonic_ns();
        CHECK(now >= last);
        last = now;
    }
}

TEST(clock_thread_cpu_grows_with_work_and_never_goes_back)
{
    aldis_ns start = aldis__clock_thread_cpu_ns(), now = start;
    CHECK(start >= 0);
    /* A loop that ends when the clock has moved: reading it is work enough. */
    while (now == start) {
        now = aldis__clock_thread_cpu_ns();
        CHECK(now >= start);
    }
}
