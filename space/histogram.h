// SPDX-License-Identifier: Apache-2.0
/* histogram.h: counts of times in buckets that widen with them: 64 to each power of two (after
 * HdrHistogram), so that a percentile is at most 1.6 % above the true one, in bounded memory.
 * Layer: space. */
#ifndef SPACE_HISTOGRAM_H
#define SPACE_HISTOGRAM_H

#include "space.h"

#define HISTOGRAM_BUCKETS (58 * 64 + 64)

/** Zeroes: empty. */
struct histogram {
    uint64_t count;
    aldis_ns max_ns;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/** Count one time; one below 0 counts as 0. */
void histogram_add(struct histogram *histogram, aldis_ns time_ns);

/** The least time that a share of the times (above 0 .. 1) does not exceed; 0 when empty. */
aldis_ns histogram_percentile(const struct histogram *histogram, double share);

struct space_times histogram_times(const struct histogram *histogram);

#endif
