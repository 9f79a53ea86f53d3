// SPDX-License-Identifier: Apache-2.0
/* vqueue.h: messages under way in virtual time, by window. Layer: core. Owner of the shard only.
 *
 * A calendar of hierarchical buckets (after Varghese and Lauck's timing wheels, 1987): time is cut
 * into windows of one quantum; a message is put in the bucket of its window, unordered, and each
 * window's bucket is taken whole, to be sorted then. Level 0 has a bucket for each of the next 64
 * windows, level k one for each 64^k windows; a message moves down at most once a level. A bitmap
 * a level finds the next window that holds anything without looking at empty time.
 *
 * A bucket is a list of chunks of (receiver, message), and not of the messages themselves: the
 * messages lie anywhere in memory, and walking them in no order would be a cache miss each, before
 * the sort that puts them in an order worth walking. */
#ifndef ALDIS_CORE_VQUEUE_H
#define ALDIS_CORE_VQUEUE_H

#include "base/check.h"
#include "core/directory.h"
#include "core/message.h"

enum { ALDIS__VQUEUE_BITS = 6, ALDIS__VQUEUE_SLOTS = 64, ALDIS__VQUEUE_LEVELS = 11 };

#define ALDIS__NO_WINDOW UINT64_MAX

/* One message to be ordered within its window. */
struct aldis__sort_entry {
    uint64_t receiver; /* index in the tables */
    struct aldis__msg *msg;
};

enum { ALDIS__VCHUNK_ENTRIES = 31 };

struct aldis__vchunk {
    struct aldis__vchunk *next;
    uint64_t reserved; /* keeps an entry within one cache line */
    struct aldis__sort_entry entries[ALDIS__VCHUNK_ENTRIES];
};

struct aldis__vbucket {
    struct aldis__vchunk *chunks; /* the first is being filled, the others are full */
    struct aldis__msg *loose;     /* by next: what came when there was no memory for a chunk */
    uint32_t count;               /* of all */
    uint32_t fill;                /* of the first chunk; here, so that adding touches no more */
};

struct aldis__vqueue {
    uint64_t base;  /* no message is in a window before it */
    uint64_t next;  /* first window that holds a message; ALDIS__NO_WINDOW: none */
    uint64_t count; /* messages */
    aldis_ns quantum_ns;
    uint64_t reciprocal; /* 2^64 / quantum_ns, rounded down */
    uint64_t node_base;  /* see aldis__id_index() */
    struct aldis__vchunk *free;
    uint64_t used[ALDIS__VQUEUE_LEVELS]; /* bit s: bucket s of the level is not empty */
    struct aldis__vbucket (
        *bucket)[ALDIS__VQUEUE_SLOTS]; /* by level; apart, so that the above is dense */
};

/* Messages that wait to be merged into a queue, with their windows. */
struct aldis__vout_entry {
    uint64_t window;
    struct aldis__sort_entry entry;
};

struct aldis__vout {
    struct aldis__vout_entry *entries;
    size_t count, capacity;
};

/** Make an empty queue. False: out of memory. */
bool aldis__vqueue_init(struct aldis__vqueue *queue, aldis_ns quantum_ns, uint64_t node_base);
/** Free the chunks; the messages are the caller's business. */
void aldis__vqueue_fini(struct aldis__vqueue *queue);

/** A new first chunk for a bucket. NULL: out of memory. */
struct aldis__vchunk *aldis__vqueue_new_chunk(struct aldis__vqueue *queue,
                                              struct aldis__vbucket *bucket);

/* The level whose digit is the highest in which the two windows differ. */
static inline unsigned aldis__vqueue_level(uint64_t window, uint64_t base)
{
    uint64_t differ = (window ^ base) | 1;
    if (aldis__likely(differ < ALDIS__VQUEUE_SLOTS))
        return 0;
    return (unsigned)(63 - __builtin_clzll(differ)) / ALDIS__VQUEUE_BITS;
}

/** The window of a moment. */
static inline uint64_t aldis__vqueue_window_at(const struct aldis__vqueue *queue, aldis_ns at_ns)
{
    /* at / quantum by the reciprocal, which is too small by less than one step: a division costs as
     * much as all the rest of adding a message. */
    __extension__ typedef unsigned __int128 wide; /* on all 64-bit machines */
    uint64_t at = (uint64_t)at_ns;
    uint64_t window = (uint64_t)(((wide)at * queue->reciprocal) >> 64);
    return window + (at - window * (uint64_t)queue->quantum_ns >= (uint64_t)queue->quantum_ns);
}

static inline uint64_t aldis__vqueue_window(const struct aldis__vqueue *queue,
                                            struct aldis__msg *msg)
{
    return aldis__vqueue_window_at(queue, aldis__msg_stamp(msg)->at_ns);
}

static inline void aldis__vqueue_put(struct aldis__vqueue *queue, struct aldis__sort_entry entry,
                                     uint64_t window)
{
    unsigned level = aldis__vqueue_level(window, queue->base);
    unsigned slot =
        (unsigned)((window >> (level * ALDIS__VQUEUE_BITS)) & ((uint64_t)ALDIS__VQUEUE_SLOTS - 1));
    struct aldis__vbucket *bucket = &queue->bucket[level][slot];
    struct aldis__vchunk *chunk = bucket->chunks;
    queue->used[level] |= UINT64_C(1) << slot;
    bucket->count++;
    if (aldis__unlikely(!chunk || bucket->fill == ALDIS__VCHUNK_ENTRIES)) {
        chunk = aldis__vqueue_new_chunk(queue, bucket);
        if (!chunk) {
            entry.msg->next = bucket->loose;
            bucket->loose = entry.msg;
            return;
        }
    }
    chunk->entries[bucket->fill++] = entry;
}

static inline struct aldis__sort_entry aldis__vqueue_entry(const struct aldis__vqueue *queue,
                                                           struct aldis__msg *msg)
{
    return (struct aldis__sort_entry){aldis__id_index(msg->to, queue->node_base), msg};
}

static inline void aldis__vqueue_add_to(struct aldis__vqueue *queue, struct aldis__sort_entry entry,
                                        uint64_t window)
{
    ALDIS_CHECK_EXPENSIVE(window >= queue->base);
    aldis__vqueue_put(queue, entry, window);
    queue->count++;
    if (window < queue->next)
        queue->next = window;
}

/** Add a stamped message whose window is not before the last one taken. Never fails. */
static inline void aldis__vqueue_add(struct aldis__vqueue *queue, struct aldis__msg *msg)
{
    aldis__vqueue_add_to(queue, aldis__vqueue_entry(queue, msg), aldis__vqueue_window(queue, msg));
}

/** Note a message for a queue, which may be in use meanwhile. False: out of memory. */
bool aldis__vout_add(struct aldis__vout *out, struct aldis__sort_entry entry, uint64_t window);
/** Add all that was noted, and forget it. */
void aldis__vqueue_merge(struct aldis__vqueue *queue, struct aldis__vout *out);
void aldis__vout_fini(struct aldis__vout *out);

/** Fetch what taking the next window begins with, in two steps that want some time between. */
static inline void aldis__vqueue_prefetch_bucket(const struct aldis__vqueue *queue)
{
    __builtin_prefetch(&queue->bucket[0][queue->next % ALDIS__VQUEUE_SLOTS]);
}

static inline void aldis__vqueue_prefetch_chunk(const struct aldis__vqueue *queue)
{
    const struct aldis__vbucket *bucket = &queue->bucket[0][queue->next % ALDIS__VQUEUE_SLOTS];
    const char *chunk = (const char *)bucket->chunks;
    for (size_t offset = 0; offset < 5 * 64; offset += 64)
        __builtin_prefetch(chunk + offset);
}

/** How many messages `window` holds, or a guess below it while they lie on a higher level. */
static inline uint32_t aldis__vqueue_count_at(const struct aldis__vqueue *queue, uint64_t window)
{
    return (window ^ queue->base) < ALDIS__VQUEUE_SLOTS
               ? queue->bucket[0][window % ALDIS__VQUEUE_SLOTS].count
               : 1;
}

/** Make `window` (the queue's next) the base, so that its bucket holds all its messages. How
 *  many. */
uint32_t aldis__vqueue_open(struct aldis__vqueue *queue, uint64_t window);
/** Take the messages of the window that was opened; out has room for them. */
void aldis__vqueue_take(struct aldis__vqueue *queue, struct aldis__sort_entry *out);

/** Take every message out for which `takes` says true, having done with it. O(messages). */
void aldis__vqueue_remove_if(struct aldis__vqueue *queue,
                             bool (*takes)(void *arg, struct aldis__msg *msg), void *arg);

/** Call visit on every message; it must not change the queue. */
void aldis__vqueue_walk(const struct aldis__vqueue *queue,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg);

#endif
