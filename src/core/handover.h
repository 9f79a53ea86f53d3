// SPDX-License-Identifier: Apache-2.0
/* handover.h: a whole shard goes from a busy worker to an idle one. Layer: core.
 *
 * Why no message is lost and none overtakes another of the same sender and receiver:
 *   - before it gives a shard away, the owner publishes all its outgoing chains;
 *   - the owner word is written before the shard is handed over;
 *   - before it runs a received shard, the new owner publishes its own chain for it and takes the
 *     inboxes of all shards that it owns, the new one included, by exchange;
 *   - a pusher reads the owner word after its push (I1), and wakes that worker if it is parked.
 * A push before the new owner's take is found by it; a push after it has acquired the take, and so
 * sees the new owner word. Between the giving and the accepting the word carries a mark: the new
 * owner must not take the shard for its own before it has done all that. */
#ifndef ALDIS_CORE_HANDOVER_H
#define ALDIS_CORE_HANDOVER_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The part of a shard that other workers read. */
struct aldis__handover {
    _Atomic(uint32_t) owner;      /* index of the worker that runs the shard */
    struct aldis__handover *next; /* link on the receiver's stack */
};

/* Shards that others have given to this worker and that it has not accepted yet. */
struct aldis__gifts {
    _Atomic(struct aldis__handover *) head;
};

/* In the owner word: given to that worker, but not yet accepted. So it is nobody's index. */
#define ALDIS__HANDOVER_GIVEN (UINT32_C(1) << 31)

/** Who runs the shard? A worker that reads its own index may trust it: it has accepted the shard,
 *  and only it can give it away. To anybody else it is a hint, or no index at all. */
static inline uint32_t aldis__handover_owner(struct aldis__handover *shard)
{
    /* Relaxed: to the owner it is its own write. */
    return aldis__load_relaxed(&shard->owner);
}

/** Whom to wake after a push: who runs the shard, or will when it has accepted it. */
static inline uint32_t aldis__handover_whom_to_wake(struct aldis__handover *shard)
{
    /* Relaxed: the acquire of the push (I1) has ordered it. */
    return aldis__load_relaxed(&shard->owner) & ~ALDIS__HANDOVER_GIVEN;
}

/** Give the shard to worker `to`, whose gifts these are. The caller has published its chains and
 *  must not touch the shard again; it wakes the receiver. */
static inline void aldis__handover_give(struct aldis__handover *shard, uint32_t to,
                                        struct aldis__gifts *gifts)
{
    /* H1 release: pairs with H3 in aldis__handover_accept(), and before H2, so that whoever
     * acquires the new owner's take (I2) sees this owner. */
    aldis__store_release(&shard->owner, to | ALDIS__HANDOVER_GIVEN);
    /* Relaxed: only compared again. */
    struct aldis__handover *old = aldis__load_relaxed(&gifts->head);
    do {
        shard->next = old;
        /* H2 acq_rel: pairs with H3 in aldis__handover_accept(). Gives the receiver the shard. */
    } while (!aldis__cas_weak_acq_rel(&gifts->head, &old, shard));
}

/** Are there gifts? A hint for a worker that has other work, too. */
static inline bool aldis__handover_is_waiting(struct aldis__gifts *gifts)
{
    /* Relaxed: the exchange (H3) decides. */
    return aldis__load_relaxed(&gifts->head) != NULL;
}

/** Take all gifts, for worker `self`: a list, newest first. Always an exchange: before parking it
 *  must be one. */
static inline struct aldis__handover *aldis__handover_accept(struct aldis__gifts *gifts,
                                                             uint32_t self)
{
    /* H3 acq_rel: pairs with H1 and H2 in aldis__handover_give(). */
    struct aldis__handover *first = aldis__exchange_acq_rel(&gifts->head, NULL);
    for (struct aldis__handover *shard = first; shard; shard = shard->next)
        /* Relaxed: to others it is the same worker as before. */
        aldis__store_relaxed(&shard->owner, self);
    return first;
}

#endif
