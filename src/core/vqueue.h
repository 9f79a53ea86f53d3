// SPDX-License-Identifier: Apache-2.0
/* vqueue.h: messages under way in virtual time, by window. Layer: core. Owner of the shard only.
 *
 * A calendar of hierarchical buckets (after Varghese and Lauck's timing wheels, 1987): time is cut
 * into windows of one quantum; a message is put in the bucket of its window, unordered, and each
 * window's bucket is taken whole, to be sorted then. Level 0 has a bucket for each of the next 64
 * windows, level k one for each 64^k windows; a message moves down at most once a level. A bitmap
 * a level finds the next window that holds anything without looking at empty time. */
#ifndef ALDIS_CORE_VQUEUE_H
#define ALDIS_CORE_VQUEUE_H

#include "core/message.h"

enum { ALDIS__VQUEUE_BITS = 6, ALDIS__VQUEUE_SLOTS = 64, ALDIS__VQUEUE_LEVELS = 11 };

#define ALDIS__NO_WINDOW UINT64_MAX

struct aldis__vqueue {
    uint64_t base;      /* no message is in a window before it */
    uint64_t next;      /* first window that holds a message; ALDIS__NO_WINDOW: none */
    uint64_t count;     /* messages */
    uint32_t in_slot[ALDIS__VQUEUE_SLOTS]; /* messages in each bucket of level 0 */
    uint64_t used[ALDIS__VQUEUE_LEVELS]; /* bit s: bucket s of the level is not empty */
    struct aldis__msg *bucket[ALDIS__VQUEUE_LEVELS][ALDIS__VQUEUE_SLOTS];
};

void aldis__vqueue_init(struct aldis__vqueue *queue);
/** Add a message that arrives in `window`, which is not before the last window taken. */
void aldis__vqueue_add(struct aldis__vqueue *queue, struct aldis__msg *msg, uint64_t window,
                       aldis_ns quantum_ns);
/** Take the messages of `window` (not before any taken so far): a list in no order, or NULL. The
 *  caller, who walks it anyway, takes their number off `count`. */
struct aldis__msg *aldis__vqueue_take(struct aldis__vqueue *queue, uint64_t window,
                                      aldis_ns quantum_ns);
/** How many messages `window` holds, or a guess below it while they lie on a higher level. */
static inline uint32_t aldis__vqueue_count_at(const struct aldis__vqueue *queue, uint64_t window)
{
    return (window ^ queue->base) < ALDIS__VQUEUE_SLOTS
               ? queue->in_slot[window % ALDIS__VQUEUE_SLOTS]
               : 1;
}

/** Call visit on every message; it must not change the queue. */
void aldis__vqueue_walk(const struct aldis__vqueue *queue,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg);

#endif
