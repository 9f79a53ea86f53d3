// SPDX-License-Identifier: Apache-2.0
/* pace.h: virtual time that follows the wall clock. Layer: core.
 *
 * The wall clock decides when a window runs and which time an input from outside gets, and nothing
 * else: a paced run without inputs is the run that it would be without pace.
 *
 * Threads: under the system's lock. Memory: the waiting inputs' times, bounded by inputs_max. */
#ifndef ALDIS_CORE_PACE_H
#define ALDIS_CORE_PACE_H

#include "core/system.h"
#include <aldis/window.h>

enum { ALDIS__LAG_BUCKETS = 58 * 64 + 64 };

struct aldis__pace {
    aldis_pace_opts opts; /* defaults filled in */
    bool on, started;
    aldis_ns wall_ns, virtual_ns; /* the two clocks when the first run began */
    aldis_ns *inputs;             /* times of the inputs that wait: a heap, the earliest first */
    size_t input_count, input_capacity;
    aldis_pace_report report; /* counts and maximum; the percentiles come from below */
    uint64_t lags[ALDIS__LAG_BUCKETS];
};

/** What has become of waiting for a time. */
enum aldis__pace_wait {
    ALDIS__PACE_DUE,   /* it has come */
    ALDIS__PACE_WOKEN, /* something has happened meanwhile: look again */
    ALDIS__PACE_LATE   /* it has come too long ago */
};

/** Wait, once, until the wall clock reaches at_ns; the lock is not held meanwhile. `window`: that
 *  is when a window begins, and its lag counts. */
enum aldis__pace_wait aldis__pace_wait(aldis_system *system, struct aldis__pace *pace,
                                       aldis_ns at_ns, bool window);

/** The virtual time that it is by the wall clock, once started. */
aldis_ns aldis__pace_now(const struct aldis__pace *pace);

/** Make room for an input at at_ns; what lies before from_ns waits no more. ALDIS_EAGAIN: too many
 *  wait; counted. ALDIS_ENOMEM. */
aldis_err aldis__pace_admit(struct aldis__pace *pace, aldis_ns from_ns, aldis_ns at_ns);

/** An input has come: let aldis__pace_wait() look. */
void aldis__pace_wake(aldis_system *system);

void aldis__pace_fini(struct aldis__pace *pace);

#endif
