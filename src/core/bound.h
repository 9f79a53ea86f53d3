// SPDX-License-Identifier: Apache-2.0
/* bound.h: how many publications to one subscription may wait in its actor. Layer: core.
 *
 * A publication to a bounded subscription is a tracked message with a copy of the payload of its
 * own. It is counted where it arrives, by the owner of the actor's shard, so nothing is shared with
 * publishers: a slow subscriber costs them nothing but the refusal. The counts are in the actor's
 * extension, one for each bounded subscription of which something waits.
 *
 * Whoever is dropped is counted as dropped, and its publisher is told if it wants to be. */
#ifndef ALDIS_CORE_BOUND_H
#define ALDIS_CORE_BOUND_H

#include "core/tracked.h"

/* What goes when there is one too many. The same as aldis_topic_overflow in topic.h. */
enum aldis__bound_policy {
    ALDIS__BOUND_DROP_NEWEST,
    ALDIS__BOUND_DROP_OLDEST,
    ALDIS__BOUND_KEEP_NEWEST /* of each topic; beyond the bound as drop-oldest */
};

#define ALDIS__BOUND_MAX 0xffffffu

/** 32 bits that are not 0: the policy, and the most that may wait, 1 .. ALDIS__BOUND_MAX. */
static inline uint32_t aldis__bound_make(enum aldis__bound_policy policy, uint32_t waiting_max)
{
    return (uint32_t)policy << 24 | waiting_max;
}

/** The track of a message to a bounded subscription. subscription: its number, of the actor's own,
 *  << 32 | what aldis__bound_make() gave. topic: where the topic stands, in bytes behind the
 *  track. */
struct aldis__track aldis__bound_track(uint64_t subscription, size_t topic);

/* What is published, to one. */
struct aldis__bound_letter {
    aldis_id from, to;
    uint32_t type, size;
    const void *payload;
    const char *topic;
    uint64_t subscription; /* as above; 0: it has no bound */
};

/** A message of this kind from this pool, its stamp of the send not set. NULL: out of memory. */
struct aldis__msg *aldis__bound_build(struct aldis__pool *pool,
                                      const struct aldis__bound_letter *letter);

/** The topic of a message, by whatever way it was published; "": it was not. */
const char *aldis__bound_topic(struct aldis__msg *msg);

/** Would the actor, of this worker, drop the next message to this subscription as the newest? */
bool aldis__bound_is_full(const struct aldis__cell *cell, uint64_t subscription);

#endif
