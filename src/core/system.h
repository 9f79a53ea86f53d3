// SPDX-License-Identifier: Apache-2.0
/* system.h: what the workers of one runtime share. Layer: core.
 *
 * Read-only after the start, but for the parts that say otherwise. */
#ifndef ALDIS_CORE_SYSTEM_H
#define ALDIS_CORE_SYSTEM_H

#include "core/directory.h"
#include "core/worker.h"
#include <aldis/system.h>

struct aldis__budget;
struct aldis__cycles;
struct aldis__letters;
struct aldis__memory;
struct aldis__offload;
struct aldis__virtual;

/* Bits of aldis_system.halt. */
enum { ALDIS__HALT_IDLE = 1, ALDIS__HALT_ASKED = 2, ALDIS__HALT_INPUT = 4 };

/* A part above the core (the router) that must hear of what happens to actors. */
struct aldis__extension {
    void (*on_actor_ended)(struct aldis__extension *self, aldis_id actor);
    void (*on_window_op)(struct aldis__extension *self, const struct aldis__window_op *op);
    /* Virtual time: after the last op of a window; nothing runs. Out of memory: sets fatal. */
    void (*on_window_end)(struct aldis__extension *self);
    /* There is room at an actor for which `cell` was waiting, without a message for it. On the
     * worker that owns the cell. */
    void (*on_room)(struct aldis__extension *self, struct aldis__worker *worker,
                    struct aldis__cell *cell, aldis_id at);
    void (*on_destroy)(struct aldis__extension *self);
};

struct aldis_system {
    struct aldis_system_opts opts; /* defaults filled in */
    uint32_t shard_count, worker_count;
    uint64_t node_base;        /* node << 36: see aldis__id_index() */
    uint64_t index_limit;      /* places in the tables: (shards + 1) << 24 */
    aldis__word *directory;    /* reserved, never moves */
    struct aldis__cell *cells; /* actors_max for each birth shard: see aldis__system_cell() */
    uint64_t slot_gap;         /* places of a shard in the directory that have no cell */
    size_t directory_bytes, cells_bytes;

    struct aldis__shard *shards; /* shard_count, and one more for actors spawned from outside */
    struct aldis__worker *workers;
    struct aldis__pool **pools;  /* one for each worker, and one for outside threads */
    bool complete;               /* all of these were made: there may be messages and actors */
    struct aldis__limits limits; /* defaults of mailboxes, as the next */
    struct aldis__shed_opts shed;
    uint32_t pool_prefix;
    bool virtual_time;

    _Atomic(struct aldis__kind *) kinds[ALDIS__KINDS_MAX]; /* by index; written under table_lock */
    uint32_t kind_count;                                   /* under table_lock */
    pthread_mutex_t table_lock; /* kinds, and the slots of actors spawned from outside */

    /* outside threads */
    _Alignas(64)
        pthread_mutex_t lock; /* outside pool and counts, holding; taken before table_lock */
    struct aldis_type_stats outside_counts[ALDIS__TYPES_MAX]; /* under lock */
    _Atomic(uint32_t) waiting_outside; /* threads that want the lock while a virtual run has it */
    uint64_t outside_sequence;         /* under lock */
    uint32_t outside_spawned;          /* under lock */
    uint32_t fork_generation;          /* of the process that made it */

    /* life */
    _Atomic(bool) stopping;    /* no new work */
    _Atomic(bool) quit;        /* workers return */
    _Atomic(uint32_t) running; /* a thread is in aldis_system_run */
    _Atomic(uint32_t) halt;    /* futex: aldis_system_run is to return */
    _Atomic(uint32_t) hold;    /* futex: workers stand still while it is odd */
    _Atomic(uint32_t) held;    /* how many do */
    /* Workers that are parked and not notified (see parking.h), less the jobs that are offloaded
     * and have not come back: one number, so that one look tells whether all is idle. */
    _Atomic(int32_t) idle_workers;
    aldis_ns epoch_ns; /* monotonic time of now == 0 */

    struct aldis__cycles *cycles;   /* of actors that wait for each other: see cycle.h */
    _Atomic(uint32_t) cycle_round;  /* live: the round of looks that all workers are to answer */
    struct aldis__memory *memory;   /* option memory_max; NULL: none: see memory.h */
    struct aldis__letters *letters; /* dead ones: see deadletter.h */
    char *stop_report;              /* under lock; NULL: not stopped */
    struct aldis__budget *budget;   /* NULL: no kind has one; under table_lock until the end */
    _Atomic(uint64_t) over_budget;  /* handlers that took too long */
    struct aldis__virtual *virtual_engine; /* virtual time only */
    struct aldis__offload *offload;
    _Atomic(struct aldis__extension *) router;
    _Atomic(uint32_t) high_water; /* 0: off */
    aldis_high_water_fn high_water_fn;
    void *high_water_arg;
};

/** Ask whoever is in aldis_system_run to look: bits of ALDIS__HALT_. The caller wakes the futex. */
static inline void aldis__halt_ask(aldis_system *system, uint32_t bits)
{
    /* A1 acq_rel: pairs with A2 in aldis__halt_look() and A3 in aldis__halt_clear(). */
    (void)aldis__fetch_or_acq_rel(&system->halt, bits);
}

static inline uint32_t aldis__halt_look(aldis_system *system)
{
    /* A2 acquire: pairs with A1 in aldis__halt_ask(): sees what was done before it asked. */
    return aldis__load_acquire(&system->halt);
}

static inline void aldis__halt_clear(aldis_system *system, uint32_t bits)
{
    /* A3 acq_rel: pairs with A1 in aldis__halt_ask(): a request that comes now is kept. */
    (void)aldis__fetch_and_acq_rel(&system->halt, ~bits);
}

/** The system's lock. A virtual run lets who waits for it in between two windows. */
void aldis__system_lock(aldis_system *system);
void aldis__system_unlock(aldis_system *system);

/** Hold all workers at a quiet point, and let them go on. Takes and gives back the system's lock,
 *  so outside threads wait too. Not from a worker; not while aldis_system_run runs a virtual
 *  system. */
void aldis__system_hold(aldis_system *system);
void aldis__system_release(aldis_system *system);

/** Call visit on every message that waits anywhere, while the workers are held. */
void aldis__system_walk(aldis_system *system, void (*visit)(void *arg, struct aldis__msg *msg),
                        void *arg);

/** Actors that live now, while the workers are held. */
uint64_t aldis__system_actors(const aldis_system *system);

/** Plug in the router, once. */
void aldis__system_set_router(aldis_system *system, struct aldis__extension *router);

/** aldis_system_run() for a system that may be stopping. */
aldis_err aldis__system_run(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end);

/** The refusal of a call from a wrong thread or after the end; ALDIS_OK: it may go on. */
aldis_err aldis__system_check_outside(aldis_system *system, const char *call);

/** Start a thread that blocks all signals, named prefix + number. ALDIS_EAGAIN. */
aldis_err aldis__thread_start(pthread_t *thread, void *(*body)(void *), void *arg,
                              const char *prefix, uint32_t number);

/** Has this process forked since the system was made? Then no call may touch it. */
bool aldis__system_is_foreign(const aldis_system *system);

static inline struct aldis__cell *aldis__system_cell(aldis_system *system, uint64_t index)
{
    /* The directory has a place for every slot that an id can name; cells only for actors_max. No
     * id beyond is ever alive, so whoever has looked at the directory first need not check. */
    return &system->cells[index - (index >> ALDIS__SLOT_BITS) * system->slot_gap];
}

/** The shard where a living actor is at home. */
static inline struct aldis__shard *aldis__system_home(aldis_system *system, aldis_id actor)
{
    uint64_t index = aldis__id_index(actor, system->node_base);
    return &system->shards[aldis__word_home(aldis__directory_read(&system->directory[index]))];
}

static inline struct aldis__kind *aldis__system_kind(aldis_system *system, uint32_t index)
{
    /* K1 acquire: pairs with K2 in aldis__system_kind_of(): the kind is complete. */
    return aldis__load_acquire(&system->kinds[index]);
}

#endif
