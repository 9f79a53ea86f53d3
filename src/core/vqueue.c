// SPDX-License-Identifier: Apache-2.0
/* vqueue.c: see vqueue.h. Layer: core. */
#include "core/vqueue.h"

#include "base/check.h"
#include "core/directory.h"
#include <stdlib.h>
#include <string.h>

#define SLOT_MASK ((uint64_t)ALDIS__VQUEUE_SLOTS - 1)

bool aldis__vqueue_init(struct aldis__vqueue *queue, aldis_ns quantum_ns, uint64_t node_base)
{
    memset(queue, 0, sizeof *queue);
    queue->bucket = calloc(ALDIS__VQUEUE_LEVELS, sizeof *queue->bucket);
    queue->next = ALDIS__NO_WINDOW;
    queue->quantum_ns = quantum_ns;
    queue->reciprocal = UINT64_MAX / (uint64_t)quantum_ns;
    queue->node_base = node_base;
    return queue->bucket != NULL;
}

static void free_chunks(struct aldis__vchunk *chunk)
{
    while (chunk) {
        struct aldis__vchunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void aldis__vqueue_fini(struct aldis__vqueue *queue)
{
    free_chunks(queue->free);
    queue->free = NULL;
    for (unsigned level = 0; queue->bucket && level < ALDIS__VQUEUE_LEVELS; level++)
        for (unsigned slot = 0; slot < ALDIS__VQUEUE_SLOTS; slot++)
            free_chunks(queue->bucket[level][slot].chunks);
    free(queue->bucket);
    queue->bucket = NULL;
}

/* ------------------------------------------------------------------ adding */

struct aldis__vchunk *aldis__vqueue_new_chunk(struct aldis__vqueue *queue,
                                              struct aldis__vbucket *bucket)
{
    struct aldis__vchunk *chunk = queue->free;
    if (chunk)
        queue->free = chunk->next;
    else
        chunk = malloc(sizeof *chunk);
    if (!chunk)
        return NULL;
    chunk->next = bucket->chunks;
    bucket->chunks = chunk;
    bucket->fill = 0;
    return chunk;
}

bool aldis__vout_add(struct aldis__vout *out, struct aldis__sort_entry entry, uint64_t window)
{
    if (aldis__unlikely(out->count == out->capacity)) {
        size_t capacity = out->capacity ? 2 * out->capacity : 64;
        struct aldis__vout_entry *entries = realloc(out->entries, capacity * sizeof *entries);
        if (!entries)
            return false;
        out->entries = entries;
        out->capacity = capacity;
    }
    out->entries[out->count++] = (struct aldis__vout_entry){window, entry};
    return true;
}

void aldis__vqueue_merge(struct aldis__vqueue *queue, struct aldis__vout *out)
{
    for (size_t i = 0; i < out->count; i++)
        aldis__vqueue_add_to(queue, out->entries[i].entry, out->entries[i].window);
    out->count = 0;
}

void aldis__vout_fini(struct aldis__vout *out)
{
    free(out->entries);
    *out = (struct aldis__vout){0};
}

/* ------------------------------------------------------------------ taking */

static inline uint32_t fill_of(const struct aldis__vbucket *bucket,
                               const struct aldis__vchunk *chunk)
{
    return chunk == bucket->chunks ? bucket->fill : ALDIS__VCHUNK_ENTRIES;
}

static void drop_first(struct aldis__vqueue *queue, struct aldis__vbucket *bucket)
{
    struct aldis__vchunk *chunk = bucket->chunks;
    bucket->chunks = chunk->next;
    bucket->fill = ALDIS__VCHUNK_ENTRIES;
    chunk->next = queue->free;
    queue->free = chunk;
}

/* Empty a bucket of a higher level into the levels below. */
static void cascade(struct aldis__vqueue *queue, unsigned level, uint64_t window)
{
    unsigned slot = (unsigned)((window >> (level * ALDIS__VQUEUE_BITS)) & SLOT_MASK);
    struct aldis__vbucket bucket = queue->bucket[level][slot];
    queue->bucket[level][slot] = (struct aldis__vbucket){0};
    queue->used[level] &= ~(UINT64_C(1) << slot);
    while (bucket.loose) {
        struct aldis__msg *msg = bucket.loose;
        bucket.loose = msg->next;
        aldis__vqueue_put(queue, aldis__vqueue_entry(queue, msg), aldis__vqueue_window(queue, msg));
    }
    while (bucket.chunks) {
        struct aldis__vchunk *chunk = bucket.chunks;
        uint32_t count = fill_of(&bucket, chunk);
        for (uint32_t i = 0; i < count; i++)
            aldis__vqueue_put(queue, chunk->entries[i],
                              aldis__vqueue_window(queue, chunk->entries[i].msg));
        drop_first(queue, &bucket);
    }
}

static uint64_t first_window(const struct aldis__vqueue *queue, const struct aldis__vbucket *bucket)
{
    uint64_t first = ALDIS__NO_WINDOW;
    for (struct aldis__msg *msg = bucket->loose; msg; msg = msg->next) {
        uint64_t window = aldis__vqueue_window(queue, msg);
        first = window < first ? window : first;
    }
    for (const struct aldis__vchunk *chunk = bucket->chunks; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < fill_of(bucket, chunk); i++) {
            uint64_t window = aldis__vqueue_window(queue, chunk->entries[i].msg);
            first = window < first ? window : first;
        }
    return first;
}

/* The first window that holds a message. All buckets at and after base's own digit are ahead. */
static uint64_t find_next(const struct aldis__vqueue *queue)
{
    for (unsigned level = 0; level < ALDIS__VQUEUE_LEVELS; level++) {
        if (!queue->used[level])
            continue;
        unsigned slot = (unsigned)__builtin_ctzll(queue->used[level]);
        if (level == 0)
            return (queue->base & ~SLOT_MASK) | slot;
        /* Its windows are mixed: look. A bucket is looked at once for each time that everything
         * nearer has run out. */
        return first_window(queue, &queue->bucket[level][slot]);
    }
    return ALDIS__NO_WINDOW;
}

uint32_t aldis__vqueue_open(struct aldis__vqueue *queue, uint64_t window)
{
    ALDIS_CHECK(queue->next == window);
    unsigned top = aldis__vqueue_level(window, queue->base);
    queue->base = window;
    for (unsigned level = top; level > 0; level--)
        cascade(queue, level, window);
    return queue->bucket[0][window & SLOT_MASK].count;
}

void aldis__vqueue_take(struct aldis__vqueue *queue, struct aldis__sort_entry *out)
{
    unsigned slot = (unsigned)(queue->base & SLOT_MASK);
    struct aldis__vbucket bucket = queue->bucket[0][slot];
    queue->bucket[0][slot] = (struct aldis__vbucket){0};
    queue->used[0] &= ~(UINT64_C(1) << slot);
    queue->count -= bucket.count;
    /* From the last to the first: as they came is nearly as they are to run, mostly. */
    struct aldis__sort_entry *end = out + bucket.count;
    while (bucket.chunks) {
        end -= bucket.fill;
        memcpy(end, bucket.chunks->entries, bucket.fill * sizeof *end);
        drop_first(queue, &bucket);
    }
    for (struct aldis__msg *msg = bucket.loose; msg; msg = msg->next)
        *--end = aldis__vqueue_entry(queue, msg);
    queue->next = find_next(queue);
}

/* Empty a bucket and put back what stays, in chunks that have just become free. */
static void filter(struct aldis__vqueue *queue, struct aldis__vbucket bucket,
                   bool (*takes)(void *arg, struct aldis__msg *msg), void *arg)
{
    while (bucket.loose) {
        struct aldis__msg *msg = bucket.loose;
        bucket.loose = msg->next;
        if (takes(arg, msg))
            queue->count--;
        else
            aldis__vqueue_put(queue, aldis__vqueue_entry(queue, msg),
                              aldis__vqueue_window(queue, msg));
    }
    while (bucket.chunks) {
        struct aldis__vchunk chunk = *bucket.chunks;
        uint32_t count = fill_of(&bucket, bucket.chunks);
        drop_first(queue, &bucket);
        for (uint32_t i = 0; i < count; i++) {
            if (takes(arg, chunk.entries[i].msg))
                queue->count--;
            else
                aldis__vqueue_put(queue, chunk.entries[i],
                                  aldis__vqueue_window(queue, chunk.entries[i].msg));
        }
    }
}

void aldis__vqueue_remove_if(struct aldis__vqueue *queue,
                             bool (*takes)(void *arg, struct aldis__msg *msg), void *arg)
{
    for (unsigned level = 0; level < ALDIS__VQUEUE_LEVELS; level++)
        for (uint64_t used = queue->used[level]; used; used &= used - 1) {
            unsigned slot = (unsigned)__builtin_ctzll(used);
            struct aldis__vbucket bucket = queue->bucket[level][slot];
            queue->bucket[level][slot] = (struct aldis__vbucket){0};
            queue->used[level] &= ~(UINT64_C(1) << slot);
            filter(queue, bucket, takes, arg);
        }
    queue->next = find_next(queue);
}

void aldis__vqueue_walk(const struct aldis__vqueue *queue,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg)
{
    for (unsigned level = 0; queue->bucket && level < ALDIS__VQUEUE_LEVELS; level++)
        for (unsigned slot = 0; slot < ALDIS__VQUEUE_SLOTS; slot++) {
            const struct aldis__vbucket *bucket = &queue->bucket[level][slot];
            for (struct aldis__msg *msg = bucket->loose; msg; msg = msg->next)
                visit(arg, msg);
            for (const struct aldis__vchunk *chunk = bucket->chunks; chunk; chunk = chunk->next)
                for (uint32_t i = 0; i < fill_of(bucket, chunk); i++)
                    visit(arg, chunk->entries[i].msg);
        }
}
