// SPDX-License-Identifier: Apache-2.0
/* histogram_test.c: percentiles against those of the sorted times. */
#include "chance.h"
#include "harness.h"
#include "histogram.h"

#include <stdlib.h>

static struct histogram histogram;

static int compare(const void *left, const void *right)
{
    const aldis_ns *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

TEST(an_empty_histogram_is_all_zeroes)
{
    histogram = (struct histogram){0};
    struct space_times times = histogram_times(&histogram);
    CHECK_UINT(times.count, 0);
    CHECK_INT(times.p50_ns, 0);
    CHECK_INT(times.max_ns, 0);
}

TEST(small_times_are_exact)
{
    histogram = (struct histogram){0};
    for (aldis_ns time = 1; time <= 100; time++)
        histogram_add(&histogram, time);
    CHECK_INT(histogram_percentile(&histogram, 0.50), 50);
    CHECK_INT(histogram_percentile(&histogram, 0.99), 99);
    CHECK_INT(histogram_percentile(&histogram, 1), 100);
}

TEST(extremes_have_a_bucket)
{
    histogram = (struct histogram){0};
    histogram_add(&histogram, -5);
    CHECK_INT(histogram_percentile(&histogram, 1), 0);
    histogram_add(&histogram, INT64_MAX);
    CHECK_INT(histogram_percentile(&histogram, 1), INT64_MAX);
    CHECK_INT(histogram_percentile(&histogram, 0.5), 0);
    CHECK_UINT(histogram.count, 2);
}

TEST(percentiles_are_at_most_a_64th_too_high)
{
    enum { COUNT = 5000 };
    static aldis_ns times[COUNT];
    static const double shares[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct chance chance = {seed};
        histogram = (struct histogram){0};
        for (int i = 0; i < COUNT; i++) {
            times[i] = (aldis_ns)chance_scale(&chance, 1, 1e15);
            histogram_add(&histogram, times[i]);
        }
        qsort(times, COUNT, sizeof times[0], compare);
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
            aldis_ns exact = times[(int)ceil(shares[i] * COUNT) - 1];
            aldis_ns found = histogram_percentile(&histogram, shares[i]);
            CHECK(found >= exact);
            CHECK(found <= exact + exact / 64);
        }
    }
}
