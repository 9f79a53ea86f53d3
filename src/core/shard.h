// SPDX-License-Identifier: Apache-2.0
/* shard.h: a set of actors that one thread at a time runs. Layer: core.
 *
 * Everything but `inbox` and `handover` belongs to the owner alone: plain memory, no atomics. */
#ifndef ALDIS_CORE_SHARD_H
#define ALDIS_CORE_SHARD_H

#include "core/cell.h"
#include "core/handover.h"
#include "core/inbox.h"
#include "core/timer.h"
#include "core/vqueue.h"
#include "core/wheel.h"

/* States of up to 8, and of 16 .. 256 bytes. */
enum { ALDIS__STATE_CLASSES = 17, ALDIS__STATE_STEP = 16, ALDIS__STATE_SMALLEST = 8 };

struct aldis__letter;

/* A state or start argument that is free again. */
struct aldis__free_state {
    struct aldis__free_state *next;
};

struct aldis__state_slab {
    struct aldis__state_slab *next;
};

/* Copies of dead letters on their way to the system's queue: see deadletter.h. */
struct aldis__letter_box {
    struct aldis__letter *head, **tail;
    uint64_t count, bytes;
    uint64_t shed; /* of the count */
    uint64_t lost; /* pushed out, or not copied for want of memory */
};

struct aldis__shard {
    /* What others touch, in one line: who pushes on the inbox reads the owner word next, and who
     * polls its shards reads one line of each. */
    _Alignas(64) struct aldis__inbox inbox;
    struct aldis__handover handover; /* its word is written by a giver */
    uint32_t index;

    /* the owner's */
    _Alignas(64) struct aldis__cell *run_head, *run_tail; /* run_tail: while run_head */
    struct aldis__shard *ready_next; /* link of the worker's list of shards with work */
    bool ready;                      /* on that list */

    struct aldis__cell *free_slots; /* of this birth shard: last freed, first used */
    uint32_t slot_end;              /* slots ever used */
    uint32_t slots_retired;         /* generations used up */
    uint64_t actors;                /* that live here */
    uint64_t spawned, ended, restarts;

    struct aldis__cell *stuck_head, *stuck_tail; /* parked and full, oldest first: see cycle.h */

    struct aldis__free_state *free_states[ALDIS__STATE_CLASSES];
    char *state_bump, *state_bump_end;
    struct aldis__state_slab *state_slabs;

    struct aldis__wheel *wheel; /* live: armed timers and delayed messages */
    struct aldis__timer_table timers;

    struct aldis__vqueue future;      /* virtual: messages under way to this shard */
    struct aldis__letter_box letters; /* virtual: of what died here in this window */
    uint64_t window_digest;           /* virtual: of what this window has handled */
};

/** Memory for a state: zeroed. NULL: out of memory. Owner of the shard only. */
void *aldis__shard_state_alloc(struct aldis__shard *shard, size_t bytes);
void aldis__shard_state_free(struct aldis__shard *shard, void *state, size_t bytes);
/** Frees all states at once. */
void aldis__shard_states_fini(struct aldis__shard *shard);

static inline struct aldis__shard *aldis__shard_of_handover(struct aldis__handover *handover)
{
    return (struct aldis__shard *)(void *)((char *)handover -
                                           offsetof(struct aldis__shard, handover));
}

#endif
