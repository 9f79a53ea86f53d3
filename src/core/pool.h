// SPDX-License-Identifier: Apache-2.0
/* pool.h: message blocks, from the worker's own free lists. HOT PATH 2/5: no atomics, no locks.
 *
 * Layer: core. Each worker has one pool, and the system one more for outside threads, under its
 * lock. A block always returns to the pool that it came from: freed by another worker, it joins a
 * chain that is pushed on its pool's `returns` in one operation, and is taken when the free list
 * runs dry. So memory follows the traffic, and no block is shared. In virtual time a pool that has
 * run dry gets, between two windows, free blocks that another one has too many of.
 *
 * All classes are cut from the same slabs, in pieces of at most an eighth of what the class has.
 * Size classes are steps of at most 1.5 up to 512 bytes, then of at most 2; blocks beyond the
 * largest come from malloc and are freed by whoever ends them. Live, no block is smaller than a
 * cache line; in virtual time a million timers without a payload are under way, and memory counts
 * for more than a line. */
#ifndef ALDIS_CORE_POOL_H
#define ALDIS_CORE_POOL_H

#include "base/check.h"
#include "core/inbox.h"
#include "core/message.h"

#if defined(__SANITIZE_ADDRESS__)
#define ALDIS__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALDIS__ASAN 1
#endif
#endif
#ifdef ALDIS__ASAN
#include <sanitizer/asan_interface.h>
#define aldis__poison(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define aldis__unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define aldis__poison(p, n) ((void)(p), (void)(n))
#define aldis__unpoison(p, n) ((void)(p), (void)(n))
#endif

enum {
    ALDIS__POOL_CLASSES = 12,
    ALDIS__POOL_CLASS_BARE = 0,    /* virtual time: a stamp and a header, and no payload */
    ALDIS__POOL_CLASS_POINTER = 1, /* holds a header and a pointer to a shared payload */
    ALDIS__POOL_CLASS_LARGE = 12,  /* this one and those above it, to 15: from malloc */
    ALDIS__POOL_CLASS_END = 16,
    ALDIS__POOL_BLOCK_MAX = 4096,
    ALDIS__POOL_STEP = 16, /* bytes between two entries of the class table */
    ALDIS__POOL_INLINE_MAX = ALDIS__POOL_BLOCK_MAX - 48, /* largest payload of a pooled block */
    ALDIS__POOL_RETURN_BATCH = 256
};

extern const uint16_t aldis__pool_class_bytes[ALDIS__POOL_CLASSES];

struct aldis__memory;
struct aldis__slab;

/* Blocks of one other pool, on their way home. */
struct aldis__return_chain {
    struct aldis__msg *newest, *oldest;
    uint32_t count;
};

struct aldis__pool {
    /* owner only, as all but `returns`; from ALDIS__POOL_CLASSES on always NULL */
    struct aldis__msg *free[ALDIS__POOL_CLASS_END];
    char *bump[ALDIS__POOL_CLASSES]; /* the unused rest of its newest piece */
    char *bump_end[ALDIS__POOL_CLASSES];
    uint64_t held[ALDIS__POOL_CLASSES];        /* bytes in pieces of the class */
    uint32_t piece_bytes[ALDIS__POOL_CLASSES]; /* of the last piece, if that was lately */
    uint32_t ran_dry; /* classes that took a piece since aldis__pools_level() */
    struct aldis__slab *slabs;
    char *rest, *rest_end;                 /* of the newest slab: no piece yet */
    uint32_t slab_max;                     /* no slab is larger */
    struct aldis__memory *memory;          /* a budget; NULL: none */
    bool spends_reserve;                   /* of that budget, too; and beyond it */
    uint64_t varying_bytes, varying_count; /* of messages with a length of their own, so far */
    uint64_t bytes;                        /* held in slabs */
    uint8_t class_of[ALDIS__POOL_INLINE_MAX / ALDIS__POOL_STEP + 2]; /* by payload, in steps */
    uint64_t tag;                    /* index << 56, as in the tags of its messages */
    uint32_t index;                  /* of this pool */
    uint32_t prefix;                 /* bytes before each header: the stamp of virtual time, or 0 */
    uint32_t pools;                  /* number of pools in the system */
    uint32_t dirty;                  /* how many of `out` are not empty */
    struct aldis__return_chain *out; /* by pool */
    struct aldis__pool **all;        /* by pool, to find their `returns` */
    _Alignas(64) struct aldis__inbox returns; /* pushed by other workers */
};

/** Prepare pool `index` of `pools`, all of which `all` will list. ALDIS_ENOMEM. */
aldis_err aldis__pool_init(struct aldis__pool *pool, uint32_t index, uint32_t pools,
                           struct aldis__pool **all, uint32_t prefix);
/** Free all slabs. Every block must be dead by now; those in `returns` and in free lists are. */
void aldis__pool_fini(struct aldis__pool *pool);

/** The rest of aldis__pool_alloc: returned blocks, a new slab, or malloc. NULL: out of memory. */
struct aldis__msg *aldis__pool_alloc_slow(struct aldis__pool *pool, size_t bytes);
/** A block for one of the runtime's own messages, also from the part of a budget that is kept for
 *  them. NULL: out of memory. */
struct aldis__msg *aldis__pool_alloc_reserve(struct aldis__pool *pool, size_t bytes);
/** What a block takes of a budget. One of malloc's takes as much as the largest of its class. */
uint64_t aldis__pool_block_bytes(unsigned class);
/** A message with a length of its own was built: for the estimate of what all of them take. */
void aldis__pool_note_varying(struct aldis__pool *pool, const struct aldis__msg *msg);
/** The same for messages that share a payload of so many bytes. */
void aldis__pool_note_shared(struct aldis__pool *pool, size_t bytes, uint64_t count);
/** The rest of aldis__pool_free: blocks of this pool with a shared payload; and those of other
 *  pools, from malloc, or with a blob. */
void aldis__pool_free_shared(struct aldis__pool *pool, struct aldis__msg *msg);
void aldis__pool_free_slow(struct aldis__pool *pool, struct aldis__msg *msg);
/** Send all waiting chains home; called at the end of a round with nothing to do. */
void aldis__pool_flush(struct aldis__pool *pool);
/** Take in the blocks that other workers have sent home, and let go of the payloads they shared. */
void aldis__pool_reclaim(struct aldis__pool *pool);
/** Give each of `count` pools that has run dry since the last call half of what others have free.
 *  Nobody may use any of them meanwhile. O(pools), and O(blocks) when one has run dry. */
void aldis__pools_level(struct aldis__pool **pools, uint32_t count);
/** Put a free block on its list; for blocks of this pool only. */
void aldis__pool_put(struct aldis__pool *pool, struct aldis__msg *msg);

static inline unsigned aldis__msg_class(const struct aldis__msg *msg)
{
    return msg->lane_class & 15u;
}

/** The class of a payload of up to ALDIS__POOL_INLINE_MAX bytes. */
static inline unsigned aldis__pool_class(const struct aldis__pool *pool, size_t bytes)
{
    return pool->class_of[(bytes + ALDIS__POOL_STEP - 1) / ALDIS__POOL_STEP];
}

/** Take msg, the first of its free list. */
static inline void aldis__pool_pop(struct aldis__pool *pool, struct aldis__msg *msg, unsigned class)
{
    aldis__unpoison(msg + 1, aldis__pool_class_bytes[class] - sizeof *msg - pool->prefix);
    pool->free[class] = msg->next;
}

/** Is the block from malloc? (A message with a shared payload is small itself: its class is that of
 *  the payload, so that it counts in a mailbox's room as if it held it.) */
static inline bool aldis__pool_is_large(const struct aldis__msg *msg)
{
    return aldis__msg_class(msg) >= ALDIS__POOL_CLASS_LARGE && !(msg->flags & ALDIS__MSG_SHARED);
}

/** The class of a message with so many bytes inside, as a mailbox's room counts it. */
unsigned aldis__pool_class_to_count(const struct aldis__pool *pool, size_t bytes);

/**
 * A block for a header and `bytes` more. Header fields are not set, but for the class, the pool
 * and flags 0. About 10 instructions and one test when the free list has a block.
 */
static inline struct aldis__msg *aldis__pool_alloc(struct aldis__pool *pool, size_t bytes)
{
    if (aldis__unlikely(bytes > ALDIS__POOL_INLINE_MAX))
        return aldis__pool_alloc_slow(pool, bytes);
    unsigned class = aldis__pool_class(pool, bytes);
    struct aldis__msg *msg = pool->free[class];
    if (aldis__unlikely(!msg))
        return aldis__pool_alloc_slow(pool, bytes);
    aldis__pool_pop(pool, msg, class);
    msg->lane_class = (uint8_t) class;
    return msg;
}

/** End a message: its block goes home, its blob or shared payload is let go. */
static inline void aldis__pool_free(struct aldis__pool *pool, struct aldis__msg *msg)
{
    /* Two tests for all that is rare: another pool's block, an indirect payload or a message that
     * its handler has kept; a large one. */
    const uint64_t rare = UINT64_C(0xff) << 56 |
                          (uint64_t)(ALDIS__MSG_SHARED | ALDIS__MSG_BLOB | ALDIS__MSG_KEPT) << 16;
    uint64_t tag = msg->tag;
    unsigned class = (unsigned)(tag >> 24) & 15u;
    uint64_t odd = (tag ^ pool->tag) & rare;
    if (aldis__unlikely(odd || class >= ALDIS__POOL_CLASS_LARGE)) {
        if (odd == (uint64_t)ALDIS__MSG_SHARED << 16) /* whatever the class */
            aldis__pool_free_shared(pool, msg);
        else
            aldis__pool_free_slow(pool, msg);
        return;
    }
    msg->next = pool->free[class];
    pool->free[class] = msg;
    aldis__poison(msg + 1, aldis__pool_class_bytes[class] - sizeof *msg - pool->prefix);
}

/** A payload to be shared by the messages of this pool; refs is 0. payload NULL: for the caller to
 *  fill in. NULL: out of memory. */
struct aldis__shared *aldis__pool_shared_new(struct aldis__pool *pool, const void *payload,
                                             size_t size);
/** Let go of one reference (or of a payload that nobody took, with refs 0). Owner of the pool
 *  only. */
void aldis__pool_shared_unref(struct aldis__pool *pool, struct aldis__shared *shared);

static inline void *aldis__shared_payload(struct aldis__shared *shared)
{
    return shared + 1;
}

#endif
