// SPDX-License-Identifier: Apache-2.0
/* shard.c: memory for the states of a shard's actors. Layer: core. Owner of the shard only.
 *
 * Small states come from slabs by size, so that actors of one kind lie together and a million of
 * them cost no more than their bytes; larger ones from the C library. */
#include "core/shard.h"

#include <stdlib.h>
#include <string.h>

enum { SLAB_BYTES = 16 * 1024, SLAB_HEADER_BYTES = 16 };

static unsigned class_of(size_t bytes)
{
    return (unsigned)((bytes - 1) / ALDIS__STATE_STEP);
}

void *aldis__shard_state_alloc(struct aldis__shard *shard, size_t bytes)
{
    unsigned class = class_of(bytes);
    if (class >= ALDIS__STATE_CLASSES)
        return calloc(1, bytes);
    size_t size = (size_t)(class + 1) * ALDIS__STATE_STEP;
    struct aldis__free_state *state = shard->free_states[class];
    if (state) {
        shard->free_states[class] = state->next;
        return memset(state, 0, size);
    }
    if ((size_t)(shard->state_bump_end - shard->state_bump) < size) {
        struct aldis__state_slab *slab = aligned_alloc(16, SLAB_BYTES);
        if (!slab)
            return NULL;
        slab->next = shard->state_slabs;
        shard->state_slabs = slab;
        shard->state_bump = (char *)slab + SLAB_HEADER_BYTES;
        shard->state_bump_end = (char *)slab + SLAB_BYTES;
    }
    void *fresh = shard->state_bump;
    shard->state_bump += size;
    return memset(fresh, 0, size);
}

void aldis__shard_state_free(struct aldis__shard *shard, void *state, size_t bytes)
{
    unsigned class = class_of(bytes);
    if (class >= ALDIS__STATE_CLASSES) {
        free(state);
        return;
    }
    struct aldis__free_state *free_state = state;
    free_state->next = shard->free_states[class];
    shard->free_states[class] = free_state;
}

void aldis__shard_states_fini(struct aldis__shard *shard)
{
    struct aldis__state_slab *slab = shard->state_slabs;
    while (slab) {
        struct aldis__state_slab *next = slab->next;
        free(slab);
        slab = next;
    }
    shard->state_slabs = NULL;
}
