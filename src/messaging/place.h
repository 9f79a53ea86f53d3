// SPDX-License-Identifier: Apache-2.0
/* place.h: the places of a system, inside. Layer: messaging. See docs/design/place.md.
 *
 * A place has a part for each shard: the positions of the actors that live there, which only the
 * owner of the shard writes. In virtual time a part has a list of what changes in a window; at the
 * window's end, when nothing runs, the lists of all parts go into the grid, in the order of the
 * shards. So inside a window the grid and the members stand still, and are read without a lock.
 * Live, a part has a lock, and the keeper copies all parts into a new grid, which is shared by
 * counted references: one for each worker that reads it.
 *
 * Locks, live: the place's is never taken while a part's is held, nor the other way round. */
#ifndef ALDIS_MESSAGING_PLACE_H
#define ALDIS_MESSAGING_PLACE_H

#include "core/system.h"
#include "messaging/grid.h"
#include <aldis/place.h>
#include <pthread.h>

enum { ALDIS__EXPONENT_STEPS = 16 };

/* A member that is not in the map is found by its cell, which has the number of the place and the
 * member's index: mostly an actor is in one place. Live, when others may ask where an actor is, all
 * are in the map. */
enum { ALDIS__MEMBER_INDEX_BITS = 24 };
#define ALDIS__MEMBER_NONE UINT32_MAX
/* At the end of a window, in a member's `at`: it leaves. */
#define ALDIS__MEMBER_GONE (UINT32_C(1) << 31)

struct aldis__place;

/* What a member has done last in this window. */
struct aldis__place_change {
    aldis_point to; /* x NaN: it leaves */
    uint32_t index; /* of the member: from `count` on, of those who join */
    uint32_t unused;
};

struct aldis__place_part {
    _Alignas(64) pthread_mutex_t lock; /* live */
    struct aldis__place *place;
    /* The members, dense. Virtual time: written at the end of a window only. */
    uint32_t *at;               /* virtual: of each, its spot in the grid; live: set since the last
                                   grid, 0 or 1 */
    struct aldis__spot *newest; /* live: who and where */
    uint32_t count, capacity;
    uint32_t *map; /* by id: index in members + 1, 0: free; open addressing, at most half full */
    uint32_t map_mask, mapped;
    uint32_t shard;
    /* virtual time: since the window began */
    bool listed; /* on its worker's list */
    struct aldis__place_change *changes;
    uint32_t change_count, change_capacity;
    uint32_t change_usual; /* so many there are in a window: so much memory is kept for them */
    uint32_t leaves;       /* of the changes; counted at the end of the window */
    aldis_id *joiners;
    uint32_t joined, joiner_capacity;
    uint32_t unnoted; /* joiners for which the map is needed */
    _Atomic(uint64_t) sets, merged;
};

/* A grid that live readers share. */
struct aldis__shared_grid {
    struct aldis__grid grid;
    uint32_t refs; /* under the place's lock */
};

/* What a worker has of one place. */
struct aldis__place_seat {
    _Alignas(64) struct aldis__shared_grid *grid; /* live: a reference */
    uint64_t version;                             /* live: of the place, when it was taken */
    /* Written by the worker, read by who builds: relaxed. */
    _Atomic(int64_t) exponents; /* sum over the radii asked for, of 16 log2(radius) */
    _Atomic(uint64_t) radii;    /* how many */
    _Atomic(uint64_t) queries;
};

struct aldis__watches;

struct aldis__place {
    struct aldis__places *places;
    aldis_system *system;
    uint32_t number, size;
    aldis_place_opts opts; /* defaults filled in */
    aldis_id keeper;
    struct aldis__place_part *parts; /* by shard */
    struct aldis__place_seat *seats; /* by worker */

    struct aldis__shared_grid *grid;  /* virtual: the only one; live: the newest, under lock */
    _Atomic(uint64_t) version;        /* live: moves with `grid` */
    pthread_mutex_t lock;             /* live */
    struct aldis__shared_grid *spare; /* live: to be used again; under lock */
    _Atomic(bool) asked;              /* live: the keeper has been told that something changed */
    aldis_ns built_ns;                /* live: the keeper's */

    uint64_t queries_seen;  /* of all seats, when they were counted last */
    uint64_t queries_usual; /* so many there may be in a window */
    uint64_t stray_looks;   /* at strays, by the queries since it was sorted */
    int64_t exponents_seen; /* of all seats, when the cell was chosen last */
    uint64_t radii_seen;
    double cell; /* 0: none chosen yet */
    _Atomic(uint32_t) members;
    _Atomic(uint64_t) builds, refused;

    struct aldis__watches *watches; /* the keeper's; between windows also who applies changes */
    char name[];
};

/* What a worker has of all places. */
struct aldis__places_seat {
    _Alignas(64) struct aldis__place_part **listed; /* parts with something to apply */
    uint32_t listed_count, listed_capacity;
    void *scratch; /* for one query */
    size_t scratch_bytes;
};

struct aldis__places {
    aldis_system *system;
    pthread_mutex_t lock;                                  /* of opening */
    _Atomic(struct aldis__place *) list[ALDIS_PLACES_MAX]; /* by number - 1 */
    struct aldis__place_part **listed;                     /* of all workers, to be sorted */
    size_t listed_capacity;
    struct aldis__places_seat *seats; /* by worker */
};

/* For the router. */
struct aldis__places *aldis__places_create(aldis_system *system);
void aldis__places_destroy(struct aldis__places *places);
/** An actor that may have positions has ended; its word still tells where it lived. */
void aldis__places_forget(struct aldis__places *places, aldis_id actor);

/* For what lies above the parts. */

/** NULL: no such place was opened. */
static inline struct aldis__place *aldis__place_at(struct aldis__places *places, uint32_t number)
{
    if (number - 1 >= ALDIS_PLACES_MAX)
        return NULL;
    /* Y1 acquire: pairs with Y2 in open_locked(): the place is complete. */
    return aldis__load_acquire(&places->list[number - 1]);
}

/** The edge of the cells for a new grid, from the radii that were asked for. */
double aldis__place_choose_cell(struct aldis__place *place, const struct aldis__grid *grid);

/** Check a handler's context and find the place. NULL: see aldis_error_last. */
struct aldis__place *aldis__place_enter(aldis_ctx *ctx, const char *call, aldis_place handle);
aldis_err aldis__place_check_point(const char *call, const aldis_point *point);
aldis_err aldis__place_check_sphere(const char *call, const aldis_sphere *sphere);
/** The grid as the running handler is to see it: it stays until the handler ends. Counts a query of
 *  this radius. */
const struct aldis__grid *aldis__place_look(struct aldis__place *place,
                                            struct aldis__worker *worker, double radius);
/** Room for a query's results: the content is kept. NULL: out of memory. */
void *aldis__place_scratch(struct aldis__place *place, struct aldis__worker *worker, size_t bytes);
/** At the end of the window, the keeper is to look. From a handler of this worker. */
void aldis__place_list(struct aldis__worker *worker, struct aldis__place_part *part);
/** The position of an actor: as of the window's start, or, at its end, the new one; live, the
 *  newest. */
bool aldis__place_position(struct aldis__place *place, aldis_id actor, aldis_point *out_at);
/** Live: make a new grid from all parts. From the keeper. False: out of memory. */
bool aldis__place_build_live(struct aldis__place *place);
/** Send the keeper `refresh`: live at once, virtual at the end of the window. `from` is nobody at
 *  the end of a window, or the keeper that runs. */
void aldis__place_wake(struct aldis__worker *worker, struct aldis__place *place, aldis_id from);

/** Where an actor stands in a part's tables, if that is free. The slots of a shard's actors are
 *  dense: a multiplication spreads them (Knuth, TAOCP 3, 6.4). */
static inline uint32_t aldis__place_home(uint32_t mask, aldis_id actor)
{
    uint64_t spread = (actor.bits >> ALDIS__GEN_BITS) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(spread >> 32) & mask;
}

/* members.c */

/** What the cell of a member says that is not in the map; 0: no cell can. */
static inline uint32_t aldis__member_note(const struct aldis__place_part *part, uint32_t index)
{
    uint32_t number = part->place->number;
    bool fits = number < UINT32_C(1) << (32 - ALDIS__MEMBER_INDEX_BITS) &&
                index < UINT32_C(1) << ALDIS__MEMBER_INDEX_BITS;
    return fits ? number << ALDIS__MEMBER_INDEX_BITS | index : 0;
}

uint32_t aldis__member_find_mapped(const struct aldis__place_part *part, aldis_id actor);

/** The index of an actor in the part of its shard, in virtual time: from `count` on, it joins in
 *  this window. ALDIS__MEMBER_NONE: it is no member, or joins and is not noted in its cell. */
static inline uint32_t aldis__member_find(const struct aldis__place_part *part,
                                          struct aldis__cell *cell, aldis_id actor)
{
    /* Relaxed: who asks from another shard does not care for what changes in this window. */
    uint32_t note = aldis__load_relaxed(&cell->member);
    if (aldis__likely(note >> ALDIS__MEMBER_INDEX_BITS == part->place->number))
        return note & ((UINT32_C(1) << ALDIS__MEMBER_INDEX_BITS) - 1);
    return part->mapped ? aldis__member_find_mapped(part, actor) : ALDIS__MEMBER_NONE;
}

static inline struct aldis__cell *aldis__member_cell(const struct aldis__place_part *part,
                                                     aldis_id actor)
{
    aldis_system *system = part->place->system;
    return aldis__system_cell(system, aldis__id_index(actor, system->node_base));
}

/** Room for so many members more, and for so many of them in the map. False: out of memory. */
bool aldis__members_reserve(struct aldis__place_part *part, uint32_t more, uint32_t mapped);
/** The member at this index is to be found by the map. */
void aldis__member_map(struct aldis__place_part *part, uint32_t index);
/** The last one takes its place. `actor`: who it was. */
void aldis__member_remove(struct aldis__place_part *part, uint32_t index, aldis_id actor);

/* settle.c */

/** A window has ended: apply what has changed in it. False: out of memory. */
bool aldis__places_end_window(struct aldis__places *places);

/* keeper.c */
aldis_err aldis__keeper_spawn(struct aldis__place *place);
static inline uint32_t aldis__keeper_shard(const struct aldis__place *place)
{
    return (place->number - 1) % place->system->shard_count;
}
/** Send it `refresh`. False: out of memory. */
bool aldis__keeper_post(struct aldis__worker *worker, aldis_id keeper, aldis_id from);
struct aldis__watches *aldis__watches_create(struct aldis__place *place);
void aldis__watches_destroy(struct aldis__watches *watches);
/** At the end of a window: does the keeper want to look, if `changed`? Takes the centres of watches
 *  that move. */
bool aldis__watches_prepare(struct aldis__watches *watches, bool changed);
/** Virtual time, at the end of a window: an actor has ended, perhaps a watcher. */
void aldis__watches_forget(struct aldis__watches *watches);
/** There is room at an actor for which a keeper was waiting. */
void aldis__keeper_room(struct aldis__worker *worker, struct aldis__cell *keeper, aldis_id at);
void aldis__watches_stats(struct aldis__watches *watches, aldis_place_stats *out_stats);

static inline void aldis__tally(_Atomic(uint64_t) *counter, uint64_t more)
{
    /* Relaxed: one writer at a time; readers want a figure. */
    aldis__store_relaxed(counter, aldis__load_relaxed(counter) + more);
}

#endif
