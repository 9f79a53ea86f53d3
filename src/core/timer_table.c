// SPDX-License-Identifier: Apache-2.0
/* timer_table.c: see timer_table.h. Layer: core. Owner of the shard only. */
#include "core/timer_table.h"

#include "core/pool.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SLAB_CHUNKS_MAX = 128 };
#define CHUNK_BYTES (ALDIS__TIMER_CHUNK * sizeof(struct aldis__timer))

/* How many chunks lie in the slab that begins with this one: each is one larger than all before it
 * together, up to one large page. */
static uint32_t slab_chunks(uint32_t first)
{
    return first + 1 < SLAB_CHUNKS_MAX ? first + 1 : SLAB_CHUNKS_MAX;
}

static bool reserve(struct aldis__timer_table *table, uint32_t chunks)
{
    if (table->chunks && chunks <= table->chunk_capacity)
        return true;
    uint32_t capacity = 2 * chunks;
    struct aldis__timer **grown = realloc(table->chunks, capacity * sizeof *grown);
    if (!grown)
        return false;
    table->chunks = grown;
    table->chunk_capacity = capacity;
    return true;
}

ALDIS_COLD bool aldis__timer_table_grow(struct aldis__timer_table *table)
{
    uint32_t first = table->chunk_count, count = slab_chunks(first);
    size_t bytes = count * CHUNK_BYTES;
    bool huge = count == SLAB_CHUNKS_MAX;
    if (!reserve(table, first + count))
        return false;
    struct aldis__timer *slab = aligned_alloc(huge ? bytes : sizeof *slab, bytes);
    if (!slab)
        return false;
    if (huge)
        (void)madvise(slab, bytes, MADV_HUGEPAGE); /* a hint: no harm if refused */
    for (uint32_t i = 0; i < count; i++)
        table->chunks[first + i] = slab + i * ALDIS__TIMER_CHUNK;
    table->chunk_count += count;
    if (first == 0) {
        memset(slab, 0, sizeof *slab);
        table->end = 1;
    }
    return true;
}

/* The model of a periodic timer's ticks, which no walk sees, since it is no message. Pooled blocks
 * go with their slabs; only live timers have one, and so nothing stands before its header. */
static void free_ticks(struct aldis__ticks *ticks)
{
    if (ticks->model && aldis__msg_class(ticks->model) >= ALDIS__POOL_CLASS_LARGE)
        free(ticks->model);
    free(ticks);
}

void aldis__timer_table_fini(struct aldis__timer_table *table)
{
    for (uint32_t place = 1; place < table->end; place++) {
        struct aldis__timer *timer = aldis__timer_at(table, place);
        if (timer->cell && timer->kind == ALDIS__TIMER_TICKS)
            free_ticks(timer->ticks);
    }
    for (uint32_t first = 0; first < table->chunk_count; first += slab_chunks(first))
        free(table->chunks[first]);
    free(table->chunks);
    memset(table, 0, sizeof *table);
}
