// SPDX-License-Identifier: Apache-2.0
/* backpressure.h: what ALDIS_WAIT does at a full mailbox. Layer: core.
 *
 * Nothing here blocks a worker. A sender past the bound keeps its message in its own overflow, one
 * queue for each full target, and is parked: its handler goes on, but after the turn it gets no
 * ordinary mail until the target has fallen below its low-water mark and the overflow is empty. The
 * target keeps a list of who waits (aldis.wait) and tells them in order (aldis.room). */
#ifndef ALDIS_CORE_BACKPRESSURE_H
#define ALDIS_CORE_BACKPRESSURE_H

#include "core/mailbox.h"

/** If the mailbox has just become full under ALDIS_WAIT, make the directory say so. */
void aldis__mark_full(struct aldis__worker *worker, struct aldis__cell *cell);

/** Keep a message that has arrived at a full mailbox beside it, in order. False: out of memory. */
bool aldis__hold(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg);

/** The mailbox has fallen to its low-water mark: take in what is held, then tell who waits. */
void aldis__mailbox_low(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell);

/** `sender` waits for room in cell's mailbox. */
void aldis__waiter_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id sender);
/** The actor takes no more mail: nobody waits for it any more. */
void aldis__waiters_release(struct aldis__worker *worker, struct aldis__cell *cell);

/** Does the sender keep messages for `to` already? Then the next must queue behind them. */
bool aldis__overflow_has(const struct aldis__cell *sender, aldis_id to);
/** Append to one of the queues of what an actor keeps. */
static inline void aldis__overflow_append(struct aldis__cell_ext *ext,
                                          struct aldis__overflow_entry *entry,
                                          struct aldis__msg *msg)
{
    uint64_t bytes = (uint64_t)aldis__msg_units(msg) * ALDIS__ROOM_UNIT;
    aldis__queue_push(&entry->queue, msg);
    entry->count++;
    entry->bytes += bytes;
    ext->overflow_msgs++;
    ext->overflow_bytes += bytes;
}

/** Does the sender wait for `to`, first of all, with room for one more small message? */
static inline bool aldis__overflow_takes(const struct aldis__worker *worker,
                                         const struct aldis__cell *sender, aldis_id to)
{
    const struct aldis__cell_ext *ext = sender->ext;
    return (sender->flags & ALDIS__CELL_OVERFLOW) && ext->overflow_count > 0 &&
           aldis_id_equal(ext->overflow[0].to, to) &&
           ext->overflow_msgs < worker->ctx.system->opts.overflow_msgs &&
           ext->overflow_bytes + ALDIS__POOL_BLOCK_MAX <= worker->overflow_bytes;
}

/** Keep a message for a full target. ALDIS_EFULL: the overflow is full; ALDIS_ENOMEM. Takes msg on
 *  ALDIS_OK. */
aldis_err aldis__overflow_add(struct aldis__worker *worker, struct aldis__cell *sender,
                              struct aldis__msg *msg);
/** There may be room in `to`: send on what was kept for it. Nobody: a chain could be published. */
void aldis__overflow_flush(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id to);
/** The sender was killed: what it kept becomes dead letters. */
void aldis__overflow_discard(struct aldis__worker *worker, struct aldis__cell *sender);

/** The sender gives up its wait for `to`: what it kept for it is rejected (ALDIS_EDEADLOCK). */
void aldis__overflow_fail(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id to);

/** Park the sender until this worker could publish its chains. */
void aldis__chain_park(struct aldis__worker *worker, struct aldis__cell *sender);
/** All chains are out: wake who waited for that. */
void aldis__chain_waiters_wake(struct aldis__worker *worker);

#endif
