// SPDX-License-Identifier: Apache-2.0
/* parking.h: how an idle worker sleeps and is woken, with no wake-up lost. Layer: core.
 *
 * The worker:                                The pusher:
 *   1. RUNNING -> PARKED (fails: NOTIFIED)     1. pushes on the inbox of a shard (I1)
 *   2. takes every inbox it owns (I2)          2. reads the shard's owner word
 *   3. found nothing: sleeps while PARKED      3. reads that worker's state; PARKED: wakes it
 *
 * Both touch the inbox's head by read-modify-write. If the push comes first, step 2 finds the mail.
 * If the take comes first, the push reads the taker's exchange (or a later one), and its acquire
 * makes step 1 visible to step 3. So step 2 must be an exchange even if the inbox looks empty: a
 * plain load would order nothing. */
#ifndef ALDIS_CORE_PARKING_H
#define ALDIS_CORE_PARKING_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    ALDIS__RUNNING = 0,
    ALDIS__PARKED,  /* asleep, or about to look a last time */
    ALDIS__NOTIFIED /* something has come since it last looked */
};

struct aldis__parking {
    _Atomic(uint32_t) state;
};

/** Step 1. False: something came meanwhile; look again. */
static inline bool aldis__park_begin(struct aldis__parking *parking)
{
    uint32_t expected = ALDIS__RUNNING;
    /* P1 acq_rel: pairs with P2 in aldis__park_wake() (whose notice it sees when it fails), and is
     * ordered before I2 in aldis__inbox_take(), by which the pusher comes to see PARKED. */
    if (aldis__cas_strong_acq_rel(&parking->state, &expected, ALDIS__PARKED))
        return true;
    /* P4 acq_rel: pairs with P2: takes the notice. */
    (void)aldis__exchange_acq_rel(&parking->state, ALDIS__RUNNING);
    return false;
}

/** Go on: after a last look that found something, or after sleep. True: a waker had seen us
 *  parked. */
static inline bool aldis__park_end(struct aldis__parking *parking)
{
    /* P4 acq_rel: pairs with P2 in aldis__park_wake(). */
    return aldis__exchange_acq_rel(&parking->state, ALDIS__RUNNING) == ALDIS__NOTIFIED;
}

/** Is it worth waking? Called after a push, which orders it (see above). */
static inline bool aldis__park_is_parked(struct aldis__parking *parking)
{
    /* Relaxed: the acquire of the push (I1) has made a PARKED that counts visible. */
    return aldis__load_relaxed(&parking->state) == ALDIS__PARKED;
}

/** Leave a notice. True: the worker was parked; the caller must wake its futex, once. */
static inline bool aldis__park_wake(struct aldis__parking *parking)
{
    /* P2 acq_rel: pairs with P1 and P4. */
    return aldis__exchange_acq_rel(&parking->state, ALDIS__NOTIFIED) == ALDIS__PARKED;
}

/** Is it still asleep? For the loop round the futex. */
static inline bool aldis__park_should_sleep(struct aldis__parking *parking)
{
    /* Relaxed: P4 in aldis__park_end() follows and takes what the waker published. */
    return aldis__load_relaxed(&parking->state) == ALDIS__PARKED;
}

#endif
