// SPDX-License-Identifier: Apache-2.0
/* pool.c: the slow paths of pool.h: slabs, blocks that come home, shared payloads. Layer: core. */
#include "core/pool.h"

#include "core/blob.h"
#include "core/mailbox.h"
#include "core/memory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    FIRST_SLAB_BYTES = 32 * 1024,
    HUGE_SLAB_BYTES = 2 * 1024 * 1024, /* the last step: one large page */
    PIECE_MIN = 4 * 1024,
    PIECE_MAX = 256 * 1024,
    SLAB_PART = 4,      /* a slab is no more than this part of what the pool has */
    PIECE_PART = 8,     /* and a piece, of what its class has */
    LEVEL_MAX = 1 << 16 /* blocks that are counted of one class of one pool */
};

struct aldis__slab {
    struct aldis__slab *next;
    size_t bytes;
};

/* The first line of a slab is its header; blocks begin at the next, aligned to 64. */
enum { SLAB_HEADER_BYTES = 64 };
_Static_assert(sizeof(struct aldis__slab) <= SLAB_HEADER_BYTES, "blocks must stay aligned");

const uint16_t aldis__pool_class_bytes[ALDIS__POOL_CLASSES] = {48,  64,  96,   128,  192,  256,
                                                               384, 512, 1024, 1536, 2048, 4096};

static void fill_classes(struct aldis__pool *pool)
{
    unsigned class = pool->prefix ? ALDIS__POOL_CLASS_BARE : ALDIS__POOL_CLASS_POINTER;
    for (size_t step = 0; step < sizeof pool->class_of; step++) {
        size_t total = step * ALDIS__POOL_STEP + sizeof(struct aldis__msg) + pool->prefix;
        while (class + 1 < ALDIS__POOL_CLASSES && aldis__pool_class_bytes[class] < total)
            class ++;
        pool->class_of[step] = (uint8_t) class;
    }
}

aldis_err aldis__pool_init(struct aldis__pool *pool, uint32_t index, uint32_t pools,
                           struct aldis__pool **all, uint32_t prefix)
{
    memset(pool, 0, sizeof *pool);
    pool->out = calloc(pools, sizeof *pool->out);
    if (!pool->out)
        return ALDIS_ENOMEM;
    pool->index = index;
    pool->tag = (uint64_t)index << 56;
    pool->pools = pools;
    pool->all = all;
    pool->prefix = prefix;
    pool->slab_max = HUGE_SLAB_BYTES;
    fill_classes(pool);
    return ALDIS_OK;
}

void aldis__pool_fini(struct aldis__pool *pool)
{
    struct aldis__slab *slab = pool->slabs;
    while (slab) {
        struct aldis__slab *next = slab->next;
        aldis__unpoison(slab, slab->bytes);
        free(slab);
        slab = next;
    }
    free(pool->out);
    pool->out = NULL;
    pool->slabs = NULL;
}

/* How large the next slab may be: near the end of a budget, smaller than it would be. 0: none. */
static uint32_t take_slab(struct aldis__pool *pool)
{
    uint32_t bytes = FIRST_SLAB_BYTES;
    while (bytes < pool->slab_max && UINT64_C(2) * SLAB_PART * bytes <= pool->bytes)
        bytes *= 2;
    while (pool->memory && !aldis__memory_take(pool->memory, bytes, pool->spends_reserve)) {
        if (bytes <= FIRST_SLAB_BYTES)
            return 0;
        bytes /= 2;
    }
    return bytes;
}

static bool add_slab(struct aldis__pool *pool)
{
    uint32_t bytes = take_slab(pool);
    bool huge = bytes == HUGE_SLAB_BYTES;
    struct aldis__slab *slab = bytes ? aligned_alloc(huge ? HUGE_SLAB_BYTES : 64, bytes) : NULL;
    if (!slab) {
        if (pool->memory)
            aldis__memory_give(pool->memory, bytes);
        return false;
    }
    if (huge)
        (void)madvise(slab, HUGE_SLAB_BYTES, MADV_HUGEPAGE); /* a hint: no harm if refused */
    slab->bytes = bytes;
    slab->next = pool->slabs;
    pool->slabs = slab;
    pool->bytes += bytes;
    pool->rest = (char *)slab + SLAB_HEADER_BYTES;
    pool->rest_end = (char *)slab + bytes;
    if (pool->memory)
        aldis__memory_grew(pool);
    return true;
}

/* How much a class is given now: little at first, since others may have what it needs, then twice
 * as much each time. */
static uint64_t next_piece(struct aldis__pool *pool, unsigned class)
{
    size_t block_bytes = aldis__pool_class_bytes[class];
    uint64_t most = pool->held[class] / PIECE_PART, piece = UINT64_C(2) * pool->piece_bytes[class];
    most = most < PIECE_MIN ? PIECE_MIN : most > PIECE_MAX ? PIECE_MAX : most;
    piece = piece < PIECE_MIN ? PIECE_MIN : piece > most ? most : piece;
    pool->piece_bytes[class] = (uint32_t)piece;
    piece = (piece + block_bytes - 1) / block_bytes * block_bytes;
    return (piece + 63) & ~UINT64_C(63);
}

/* A new piece for a class. What is left of a slab and is too small for one block is lost. */
static bool grow(struct aldis__pool *pool, unsigned class)
{
    size_t block_bytes = aldis__pool_class_bytes[class];
    if ((size_t)(pool->rest_end - pool->rest) < block_bytes && !add_slab(pool))
        return false;
    uint64_t piece = next_piece(pool, class);
    uint64_t left = (uint64_t)(pool->rest_end - pool->rest);
    piece = piece < left ? piece : left;
    pool->bump[class] = pool->rest;
    pool->rest += piece;
    pool->bump_end[class] = pool->rest;
    pool->held[class] += piece;
    pool->ran_dry |= 1u << class;
    return true;
}

void aldis__pool_put(struct aldis__pool *pool, struct aldis__msg *msg)
{
    unsigned class = aldis__msg_class(msg);
    msg->next = pool->free[class];
    pool->free[class] = msg;
    aldis__poison(msg + 1, aldis__pool_class_bytes[class] - sizeof *msg - pool->prefix);
}

void aldis__pool_reclaim(struct aldis__pool *pool)
{
    struct aldis__msg *msg = aldis__inbox_take(&pool->returns);
    while (msg) {
        struct aldis__msg *next = msg->next;
        if (msg->flags & ALDIS__MSG_SHARED)
            aldis__pool_free_shared(pool, msg);
        else
            aldis__pool_put(pool, msg);
        msg = next;
    }
}

static size_t count_free(const struct aldis__pool *pool, unsigned class)
{
    size_t count = 0;
    for (const struct aldis__msg *msg = pool->free[class]; msg && count < LEVEL_MAX;
         msg = msg->next)
        count++;
    return count;
}

/* Free blocks of one pool become another's. */
static void hand_over(struct aldis__pool *from, struct aldis__pool *to, unsigned class,
                      size_t count)
{
    while (count-- > 0) {
        struct aldis__msg *msg = from->free[class];
        from->free[class] = msg->next;
        msg->pool_stamp = to->index << 24;
        msg->next = to->free[class];
        to->free[class] = msg;
    }
}

void aldis__pools_level(struct aldis__pool **pools, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct aldis__pool *dry = pools[i];
        uint32_t classes = dry->ran_dry;
        dry->ran_dry = 0;
        for (unsigned class = 0; classes >> class; class ++) {
            if (!(classes >> class & 1u))
                continue;
            dry->piece_bytes[class] = 0;
            for (uint32_t k = 0; k < count; k++) {
                if (pools[k] == dry)
                    continue;
                aldis__pool_reclaim(pools[k]);
                hand_over(pools[k], dry, class, count_free(pools[k], class) / 2);
            }
        }
    }
}

/* Their classes serve to count them in a mailbox's room (see aldis__class_units), each twice as
 * large as the one before. */
static unsigned large_class(size_t bytes)
{
    unsigned class = ALDIS__POOL_CLASS_LARGE;
    for (size_t most = 8192; class < 15 && bytes > most + sizeof(struct aldis__msg_varying);
         most *= 2)
        class ++;
    return class;
}

unsigned aldis__pool_class_to_count(const struct aldis__pool *pool, size_t bytes)
{
    return bytes > ALDIS__POOL_INLINE_MAX ? large_class(bytes) : aldis__pool_class(pool, bytes);
}

/* The own size of a large one is not known any more when it is freed. */
uint64_t aldis__pool_block_bytes(unsigned class)
{
    return class < ALDIS__POOL_CLASSES ? aldis__pool_class_bytes[class]
                                       : (uint64_t)aldis__class_units[class] * ALDIS__ROOM_UNIT;
}

void aldis__pool_note_varying(struct aldis__pool *pool, const struct aldis__msg *msg)
{
    pool->varying_bytes += aldis__pool_block_bytes(aldis__msg_class(msg));
    pool->varying_count++;
}

void aldis__pool_note_shared(struct aldis__pool *pool, size_t bytes, uint64_t count)
{
    pool->varying_bytes += aldis__pool_block_bytes(aldis__pool_class_to_count(pool, bytes)) +
                           count * aldis__pool_class_bytes[ALDIS__POOL_CLASS_POINTER];
    pool->varying_count += count;
}

static void free_large(struct aldis__pool *pool, struct aldis__msg *msg)
{
    if (pool->memory)
        aldis__memory_give(pool->memory, aldis__pool_block_bytes(aldis__msg_class(msg)));
    free((char *)msg - pool->prefix);
}

static struct aldis__msg *alloc_large(struct aldis__pool *pool, size_t total)
{
    unsigned class = large_class(total - sizeof(struct aldis__msg) - pool->prefix);
    if (pool->memory &&
        !aldis__memory_take(pool->memory, aldis__pool_block_bytes(class), pool->spends_reserve))
        return NULL;
    char *block = malloc(total);
    if (!block) {
        if (pool->memory)
            aldis__memory_give(pool->memory, aldis__pool_block_bytes(class));
        return NULL;
    }
    struct aldis__msg *msg = (struct aldis__msg *)(void *)(block + pool->prefix);
    msg->lane_class = (uint8_t) class;
    msg->flags = 0;
    msg->pool_stamp = pool->index << 24;
    return msg;
}

ALDIS_COLD struct aldis__msg *aldis__pool_alloc_slow(struct aldis__pool *pool, size_t bytes)
{
    size_t total = bytes + sizeof(struct aldis__msg) + pool->prefix;
    if (bytes > ALDIS__POOL_INLINE_MAX)
        return alloc_large(pool, total);
    unsigned class = aldis__pool_class(pool, bytes);
    if (!pool->free[class])
        aldis__pool_reclaim(pool);
    if (pool->free[class])
        return aldis__pool_alloc(pool, bytes);
    size_t block_bytes = aldis__pool_class_bytes[class];
    if ((size_t)(pool->bump_end[class] - pool->bump[class]) < block_bytes && !grow(pool, class))
        return NULL;
    struct aldis__msg *msg = (struct aldis__msg *)(void *)(pool->bump[class] + pool->prefix);
    pool->bump[class] += block_bytes;
    msg->lane_class = (uint8_t) class;
    msg->flags = 0;
    msg->pool_stamp = pool->index << 24;
    return msg;
}

struct aldis__msg *aldis__pool_alloc_reserve(struct aldis__pool *pool, size_t bytes)
{
    bool before = pool->spends_reserve;
    pool->spends_reserve = true;
    struct aldis__msg *msg = aldis__pool_alloc(pool, bytes);
    pool->spends_reserve = before;
    return msg;
}

static void return_home(struct aldis__pool *pool, struct aldis__msg *msg, uint32_t home)
{
    struct aldis__return_chain *chain = &pool->out[home];
    if (chain->count == 0) {
        chain->oldest = msg;
        pool->dirty++;
    }
    msg->next = chain->newest;
    chain->newest = msg;
    if (++chain->count < ALDIS__POOL_RETURN_BATCH)
        return;
    aldis__inbox_push(&pool->all[home]->returns, chain->newest, chain->oldest, chain->count);
    *chain = (struct aldis__return_chain){0};
    pool->dirty--;
}

void aldis__pool_free_shared(struct aldis__pool *pool, struct aldis__msg *msg)
{
    struct aldis__shared *shared = *(struct aldis__shared **)aldis__msg_inline(msg);
    if (aldis__likely(shared->refs > 1))
        shared->refs--;
    else
        aldis__pool_shared_unref(pool, shared);
    msg->lane_class = ALDIS__POOL_CLASS_POINTER;
    aldis__pool_put(pool, msg);
}

ALDIS_COLD void aldis__pool_free_slow(struct aldis__pool *pool, struct aldis__msg *msg)
{
    if (msg->flags & ALDIS__MSG_KEPT) { /* it is not for the turn to free: see stash.c */
        msg->flags &= (uint8_t)~ALDIS__MSG_KEPT;
        return;
    }
    if (msg->flags & ALDIS__MSG_BLOB) {
        aldis_blob_unref(*(aldis_blob **)aldis__msg_body(msg));
        msg->flags &= (uint8_t)~ALDIS__MSG_BLOB;
    }
    if (aldis__pool_is_large(msg)) {
        free_large(pool, msg);
        return;
    }
    uint32_t home = msg->pool_stamp >> 24;
    if (home != pool->index)
        return_home(pool, msg, home);
    else if (msg->flags & ALDIS__MSG_SHARED)
        aldis__pool_free_shared(pool, msg);
    else
        aldis__pool_put(pool, msg);
}

void aldis__pool_flush(struct aldis__pool *pool)
{
    for (uint32_t home = 0; pool->dirty && home < pool->pools; home++) {
        struct aldis__return_chain *chain = &pool->out[home];
        if (chain->count == 0)
            continue;
        aldis__inbox_push(&pool->all[home]->returns, chain->newest, chain->oldest, chain->count);
        *chain = (struct aldis__return_chain){0};
        pool->dirty--;
    }
}

struct aldis__shared *aldis__pool_shared_new(struct aldis__pool *pool, const void *payload,
                                             size_t size)
{
    /* Small blocks that come home may hold large payloads, and their free list need not run dry. */
    if (size > ALDIS__POOL_INLINE_MAX)
        aldis__pool_reclaim(pool);
    struct aldis__msg *block = aldis__pool_alloc(pool, sizeof(struct aldis__shared) + size);
    if (!block)
        return NULL;
    block->flags = 0;
    block->pool_stamp = pool->index << 24;
    struct aldis__shared *shared = aldis__msg_inline(block);
    shared->refs = 0;
    shared->size = (uint32_t)size;
    shared->topic = 0;
    if (payload && size)
        memcpy(aldis__shared_payload(shared), payload, size);
    return shared;
}

void aldis__pool_shared_unref(struct aldis__pool *pool, struct aldis__shared *shared)
{
    if (shared->refs > 1) {
        shared->refs--;
        return;
    }
    struct aldis__msg *block = (struct aldis__msg *)(void *)shared - 1;
    if (aldis__msg_class(block) >= ALDIS__POOL_CLASS_LARGE)
        free_large(pool, block);
    else
        aldis__pool_put(pool, block);
}
