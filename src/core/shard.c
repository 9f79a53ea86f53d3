// SPDX-License-Identifier: Apache-2.0
/* shard.c: memory for the states of a shard's actors. Layer: core. Owner of the shard only.
 *
 * Small states come from slabs by size, so that actors of one kind lie together and a million of
 * them cost no more than their bytes; larger ones from the C library. */
#include "core/shard.h"

#include <stdlib.h>
#include <string.h>

enum { SLAB_BYTES = 4 * 1024, SLAB_HEADER_BYTES = 16 };

/* A state that is a pointer to something else has a class of its own; nothing that needs to be
 * aligned to 16 is as small. */
static unsigned class_of(size_t bytes)
{
    if (bytes <= ALDIS__STATE_SMALLEST)
        return 0;
    return (unsigned)((bytes - 1) / ALDIS__STATE_STEP) + 1;
}

static size_t class_bytes(unsigned class)
{
    return class == 0 ? (size_t)ALDIS__STATE_SMALLEST : (size_t) class * ALDIS__STATE_STEP;
}

/* A slab is used up from both ends: the smallest come from its end, so that what comes from its
 * beginning stays aligned to 16. NULL: there is not so much left. */
static void *take_rest(struct aldis__shard *shard, size_t size)
{
    if ((size_t)(shard->state_bump_end - shard->state_bump) < size)
        return NULL;
    if (size == ALDIS__STATE_SMALLEST)
        return shard->state_bump_end -= size;
    shard->state_bump += size;
    return shard->state_bump - size;
}

void *aldis__shard_state_alloc(struct aldis__shard *shard, size_t bytes)
{
    unsigned class = class_of(bytes);
    if (class >= ALDIS__STATE_CLASSES)
        return calloc(1, bytes);
    size_t size = class_bytes(class);
    struct aldis__free_state *state = shard->free_states[class];
    if (state) {
        shard->free_states[class] = state->next;
        return memset(state, 0, size);
    }
    void *fresh = take_rest(shard, size);
    if (!fresh) {
        struct aldis__state_slab *slab = aligned_alloc(16, SLAB_BYTES);
        if (!slab)
            return NULL;
        slab->next = shard->state_slabs;
        shard->state_slabs = slab;
        shard->state_bump = (char *)slab + SLAB_HEADER_BYTES;
        shard->state_bump_end = (char *)slab + SLAB_BYTES;
        fresh = take_rest(shard, size);
    }
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
