// SPDX-License-Identifier: Apache-2.0
/* phold.h: the PHOLD model (R. Fujimoto, "Performance of Time Warp under synthetic workloads",
 * 1990), for the workload and for what it is compared with. Layer: bench.
 *
 * N actors, S events each. An event draws u in [0, 1); with u <= remote its successor goes to any
 * of the N, else to the actor itself; it comes after lookahead + Exp(mean - lookahead), mean 1 s.
 * The draws are made in this order. Start: each actor sends itself S events in the same way. */
#ifndef ALDIS_BENCH_PHOLD_H
#define ALDIS_BENCH_PHOLD_H

#include "bench.h"

#include <math.h>

#define PHOLD_MEAN_NS ((double)ALDIS_SECOND)

/** What all actors read. */
struct phold {
    uint64_t n, start; /**< actors; events of each */
    double remote;
    aldis_ns lookahead_ns;
    double further_ns; /**< mean of what comes to the lookahead */
    aldis_ns begin_ns; /**< when the model begins: the set-up is over */
    aldis_ns end_ns;   /**< length of the run: events at or after it do not run */
    aldis_id *ids;     /**< by number; filled in during the set-up */
};

/** The time from an event to its successor; unit in [0, 1). */
static inline aldis_ns phold_delay(const struct phold *phold, double unit)
{
    return phold->lookahead_ns +
           (aldis_ns)(-log(unit + 0x1p-53) * phold->further_ns); /* of (0, 1] */
}

/** Events per CPU-second of a plain binary heap on one thread, which does nothing else than this
 *  model, over so many events. 0: no memory. */
double phold_heap_rate(const struct phold *phold, uint64_t seed, uint64_t events);

#endif
