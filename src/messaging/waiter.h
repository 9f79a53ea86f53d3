// SPDX-License-Identifier: Apache-2.0
/* waiter.h: a thread that sleeps until one of several channels has something for it. Layer:
 * messaging.
 *
 * The sleeper:                               The waker:
 *   1. arms its waiter                         1. publishes, by a read-modify-write
 *   2. enlists it in each channel's place      2. what that read says that somebody waits:
 *   3. looks at each a last time, by a            takes the waiter out of the place, wakes it
 *      read-modify-write of the word that
 *      a sender writes; sleeps while armed
 *
 * Both touch the same word by read-modify-write. If the publication comes first, step 3 finds it.
 * If the last look comes first, the publication reads it (or a later one), and sees by its acquire
 * what step 2 has written.
 *
 * A waiter belongs to a thread and is counted: it outlives a waker that comes late. Such a waker
 * wakes the thread for nothing; all sleepers look again. */
#ifndef ALDIS_MESSAGING_WAITER_H
#define ALDIS_MESSAGING_WAITER_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ALDIS__WAITER_CALM = 0, ALDIS__WAITER_ARMED };

struct aldis__waiter {
    _Atomic(uint32_t) state; /* futex */
    _Atomic(uint32_t) refs;  /* its thread, and the places it stands in */
};

/** Where a channel keeps who waits for it; NULL: nobody. */
struct aldis__waiting {
    _Atomic(struct aldis__waiter *) waiter;
};

/* Of waiter.c; the explorer has its own. */
void aldis__waiter_wake_futex(struct aldis__waiter *waiter);
void aldis__waiter_free(struct aldis__waiter *waiter);

static inline void aldis__waiter_unref(struct aldis__waiter *waiter)
{
    /* WA1 acq_rel: pairs with itself: whoever frees it comes after all who have used it. */
    if (aldis__fetch_sub_acq_rel(&waiter->refs, 1) == 1)
        aldis__waiter_free(waiter);
}

/** Step 1. */
static inline void aldis__waiter_arm(struct aldis__waiter *waiter)
{
    /* Relaxed: WA2 hands it on; a late waker's word, lost here, was for an earlier sleep. */
    aldis__store_relaxed(&waiter->state, ALDIS__WAITER_ARMED);
}

static inline bool aldis__waiter_is_armed(struct aldis__waiter *waiter)
{
    /* Relaxed: what was published is found by the next look. */
    return aldis__load_relaxed(&waiter->state) == ALDIS__WAITER_ARMED;
}

/** Step 2. The place is empty: a channel is listened to by one thread. */
static inline void aldis__waiting_enlist(struct aldis__waiting *place, struct aldis__waiter *waiter)
{
    /* Relaxed: the caller has a reference. */
    (void)aldis__fetch_add_relaxed(&waiter->refs, 1);
    /* WA2 acq_rel: pairs with WA3 in aldis__waiting_take(): gives the waker an armed waiter, and
     * shows what was done before a wake that came too early. */
    (void)aldis__exchange_acq_rel(&place->waiter, waiter);
}

/** Take out whoever stands there; NULL: nobody. The reference is the caller's then. */
static inline struct aldis__waiter *aldis__waiting_take(struct aldis__waiting *place)
{
    /* WA3 acq_rel: pairs with WA2 in aldis__waiting_enlist(). */
    return aldis__exchange_acq_rel(&place->waiter, NULL);
}

/** The sleeper goes on. */
static inline void aldis__waiting_delist(struct aldis__waiting *place)
{
    struct aldis__waiter *waiter = aldis__waiting_take(place);
    if (waiter)
        aldis__waiter_unref(waiter);
}

/** Wake a waiter that was taken out. Takes the reference. */
static inline void aldis__waiter_wake(struct aldis__waiter *waiter)
{
    /* Relaxed: what was published is found by the sleeper's next look. */
    aldis__store_relaxed(&waiter->state, ALDIS__WAITER_CALM);
    aldis__waiter_wake_futex(waiter);
    aldis__waiter_unref(waiter);
}

/** The waker's step 2; also after a close. */
static inline void aldis__waiting_wake(struct aldis__waiting *place)
{
    struct aldis__waiter *waiter = aldis__waiting_take(place);
    if (waiter)
        aldis__waiter_wake(waiter);
}

#endif
