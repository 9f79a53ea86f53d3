// SPDX-License-Identifier: Apache-2.0
/* histogram.c: see histogram.h. */
#include "histogram.h"

/* value >> shift is below 128, and from 64 on where shift is above 0: so buckets do not overlap. */
static uint32_t bucket_of(uint64_t value)
{
    uint32_t bits = value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
    uint32_t shift = bits > 7 ? bits - 7 : 0;
    return shift * 64 + (uint32_t)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_top(uint32_t bucket)
{
    uint32_t shift = bucket < 128 ? 0 : bucket / 64 - 1;
    uint64_t start = bucket - shift * 64;
    return ((start + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, aldis_ns time_ns)
{
    if (time_ns < 0)
        time_ns = 0;
    histogram->count++;
    if (time_ns > histogram->max_ns)
        histogram->max_ns = time_ns;
    histogram->buckets[bucket_of((uint64_t)time_ns)]++;
}

aldis_ns histogram_percentile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if ((double)seen >= wanted && seen > 0) {
            uint64_t top = bucket_top(i);
            return top < (uint64_t)histogram->max_ns ? (aldis_ns)top : histogram->max_ns;
        }
    }
    return histogram->max_ns;
}

struct space_times histogram_times(const struct histogram *histogram)
{
    return (struct space_times){.count = histogram->count,
                                .p50_ns = histogram_percentile(histogram, 0.50),
                                .p99_ns = histogram_percentile(histogram, 0.99),
                                .max_ns = histogram->max_ns};
}
