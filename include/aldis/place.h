// SPDX-License-Identifier: Apache-2.0
/* place.h: reach actors by where they are. Layer: public.
 *
 * A place is a world of three dimensions in which actors have positions, in any unit of length: a
 * system has up to ALDIS_PLACES_MAX of them, each with a name. An actor sets its own position, in
 * one place or in several; it leaves by itself, or when it ends.
 *
 *     aldis_place_set(ctx, sol, x, y, z);
 *     aldis_place_tell(ctx, sol, ((aldis_point){x, y, z}), 500.0, &fanout, hail, .text = "hello");
 *
 * Who is where is looked up in a grid that stands still while it is read. In virtual time it is
 * that of the window's start: what is set inside a window is seen from the next one on. Live, it is
 * made anew at most every refresh_ns while positions change, so a position is seen refresh_ns
 * later, or a little more if the cores are busy. Between, the newest position is the one that
 * counts.
 *
 * A point belongs to a sphere if dx*dx + dy*dy + dz*dz <= radius*radius in double precision, so its
 * surface belongs to it. Coordinates and radii are finite and at most ALDIS_PLACE_COORDINATE_MAX;
 * what is NaN, infinite, beyond that, or a negative radius gives ALDIS_EINVAL. */
#ifndef ALDIS_PLACE_H
#define ALDIS_PLACE_H

#include <aldis/router.h>

#define ALDIS_PLACES_MAX 256               /**< places of one system */
#define ALDIS_PLACE_COORDINATE_MAX 1e150   /**< largest coordinate and radius */
#define ALDIS_PLACE_MEMBERS_MAX (1u << 24) /**< largest members_max */
#define ALDIS_PLACE_NEAREST_MAX 65536u     /**< largest count for aldis_place_nearest */

/** Names a place of one system; zero: none. Numbers are given in the order of opening. */
typedef struct aldis_place {
    uint32_t number;
} aldis_place;

typedef struct aldis_point {
    double x, y, z;
} aldis_point;

/** How a place is made. Zeroes are the defaults. */
typedef struct aldis_place_opts {
    double cell;          /**< edge of a cell of the grid, rounded to a power of two; 1e-90 ..
                               1e150; default: found from the radii that are asked for */
    uint32_t members_max; /**< actors with a position: 1 .. 2^24; default 2^20 */
    uint32_t watches_max; /**< watches: 1 .. 2^24; default 65,536 */
    uint32_t events_max;  /**< of one watch, not yet sent, before an enter and its leave cancel each
                               other: 1 .. 2^24; default 4096 */
    aldis_ns refresh_ns;  /**< live: least time between two grids; default 10 ms */
    bool lookup;          /**< aldis_place_where() is to be answered */
} aldis_place_opts;

/** What a watcher is told: somebody has entered or left its sphere, or moved within it. */
typedef struct aldis_place_event {
    aldis_id actor;
    aldis_point at; /**< where it was seen; aldis_left: where it was seen last */
    aldis_place place;
    uint32_t tag; /**< the watch's */
} aldis_place_event;
ALDIS_MESSAGE(aldis_entered, aldis_place_event);
ALDIS_MESSAGE(aldis_left, aldis_place_event);
ALDIS_MESSAGE(aldis_moved, aldis_place_event);

typedef enum aldis_watch_flags {
    ALDIS_WATCH_DEFAULT = 0,
    ALDIS_WATCH_AROUND_ME = 1, /**< the centre is the watcher's own position, and moves with it */
    ALDIS_WATCH_MOVES = 2      /**< tell of moves inside the sphere, too */
} aldis_watch_flags;

/** A sphere, and who in it is meant. */
typedef struct aldis_sphere {
    aldis_point centre;
    double radius;               /**< 0 or more */
    const aldis_behaviour *kind; /**< only actors of this kind; NULL: of every kind */
} aldis_sphere;

/** Somebody who was found. */
typedef struct aldis_found {
    aldis_id actor;
    aldis_point at;
    double distance; /**< from the point asked for */
} aldis_found;

/** Counts of one place since it was opened; live, approximate while it runs. */
typedef struct aldis_place_stats {
    uint64_t members, watches; /**< now, as last seen by the grid */
    uint64_t sets;             /**< positions set */
    uint64_t merged;           /**< of them, replaced by a newer one before anybody saw them */
    uint64_t queries;          /**< spheres told or looked at */
    uint64_t builds;           /**< grids made from all positions */
    uint64_t events;           /**< enters, leaves and moves sent */
    uint64_t events_waiting;   /**< not yet sent, since their watchers are full */
    uint64_t
        events_cancelled;     /**< of enters and leaves, beyond events_max: always both of a pair */
    uint64_t members_refused; /**< beyond members_max */
    uint64_t watches_refused; /**< beyond watches_max */
} aldis_place_stats;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a place. It lives as long as its system, with an actor of its own: its keeper, which tells
 * the watchers.
 *
 * name:   1 .. ALDIS_NAME_MAX bytes, as for aldis_system_register; places have names of their own.
 * opts:   borrowed; NULL: all defaults.
 * Thread: any but the system's own. In virtual time between windows: before or between runs.
 * Errors: ALDIS_EEXISTS there is one of that name; ALDIS_EFULL there are ALDIS_PLACES_MAX;
 *         ALDIS_EINVAL naming the option; ALDIS_ESTATE; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_place_open(aldis_system *system, const char *name,
                                     const aldis_place_opts *opts, aldis_place *out_place);

/** Find a place by its name. Thread: any, handlers too. Errors: ALDIS_ENOTFOUND; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_place_find(aldis_system *system, const char *name,
                                     aldis_place *out_place);

/**
 * Set this actor's position in a place, or take it back. In virtual time both take effect at the
 * end of the window; of several in one window the last counts. Leaving where one is not is fine.
 *
 * Thread: the handler's worker.          Blocks: never for long.
 * Errors: ALDIS_EINVAL a bad coordinate, place or context; ALDIS_EFULL the place has members_max
 *         (virtual time: should that be found only at the end of the window, it is counted and
 *         logged); ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_place_set(aldis_ctx *ctx, aldis_place place, double x, double y,
                                    double z);
ALDIS_API aldis_err aldis_place_leave(aldis_ctx *ctx, aldis_place place);

/**
 * Send one message to every actor in a sphere that accepts its type: as aldis_publish_raw, but by
 * position. Not to the sender itself, unless ALDIS_FANOUT_TO_SELF. The payload is stored once,
 * however many receive it. In the order of the grid, cell by cell: the same in each run of virtual
 * time, but nothing else should rely on it.
 *
 * item:   its `to` is not looked at.
 * flags:  of aldis_fanout_flags.
 * Owner:  borrows sphere, item and its payload for the call.
 * Thread: the handler's worker.          Blocks: never.
 * Errors: as aldis_publish_raw; ALDIS_EINVAL a bad sphere or place.
 */
ALDIS_API aldis_err aldis_place_tell_raw(aldis_ctx *ctx, aldis_place place,
                                         const aldis_sphere *sphere, const aldis_send_item *item,
                                         unsigned flags, aldis_fanout *out_fanout);

/**
 * Who is in a sphere, this actor included. Ordered by id.
 *
 * out:       room for max entries; may be NULL with 0. The first max by id are written.
 * out_count: how many there are, which may be more than max.
 * Thread:    the handler's worker.          Blocks: never.
 * Errors:    ALDIS_EINVAL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_place_within(aldis_ctx *ctx, aldis_place place,
                                       const aldis_sphere *sphere, aldis_found *out, size_t max,
                                       size_t *out_count);

/**
 * The actors nearest to a point, without this one: nearest first, of equal distances the lower id.
 *
 * kind:      NULL: of every kind.
 * count:     1 .. ALDIS_PLACE_NEAREST_MAX.
 * out:       room for count entries.
 * out_count: how many were found: fewer than count only if there are no more.
 * Errors:    as aldis_place_within.
 */
ALDIS_API aldis_err aldis_place_nearest(aldis_ctx *ctx, aldis_place place, aldis_point from,
                                        const aldis_behaviour *kind, uint32_t count,
                                        aldis_found *out, uint32_t *out_count);

/**
 * Where an actor is, in a place that was opened with `lookup`. Virtual time: as of the window's
 * start; live: the newest.
 *
 * Thread: the handler's worker.          Blocks: never for long.
 * Errors: ALDIS_ENOTFOUND it is not in this place, or has ended; ALDIS_ESTATE the place was opened
 *         without `lookup`; ALDIS_EINVAL a bad place or context.
 */
ALDIS_API aldis_err aldis_place_where(aldis_ctx *ctx, aldis_place place, aldis_id actor,
                                      aldis_point *out_at);

/**
 * Watch a sphere: this actor gets aldis_entered for each actor that comes into it (and for those
 * that are in it already) and aldis_left for each that is in it no more, having moved, left or
 * ended. With ALDIS_WATCH_MOVES it gets aldis_moved, too, when one of those inside has moved. Never
 * about itself. A watch with the same tag replaces this actor's earlier one, and goes on from what
 * that has told. All watches end with the actor.
 *
 * Enters and leaves are never lost: where the watcher's mailbox is full, they wait in the place, in
 * order, up to events_max; beyond that those of one actor that cancel each other do so, in pairs,
 * counted. Moves wait as the newest position only. In virtual time a change is told one lookahead
 * after the window that follows it has begun.
 *
 * flags:  of aldis_watch_flags; the sphere's centre counts only without ALDIS_WATCH_AROUND_ME.
 * Thread: the handler's worker.          Blocks: never; may park this actor if the keeper is full.
 * Errors: ALDIS_EUNACCEPTED this actor's protocol lacks aldis_entered, aldis_left or (for
 *         ALDIS_WATCH_MOVES) aldis_moved; ALDIS_ESTATE its mailbox has a policy that loses mail:
 *         neither ALDIS_WAIT nor ALDIS_UNBOUNDED; ALDIS_EFULL there are watches_max; ALDIS_EINVAL;
 *         else as a send.
 */
ALDIS_API aldis_err aldis_place_watch(aldis_ctx *ctx, aldis_place place, const aldis_sphere *sphere,
                                      uint32_t tag, unsigned flags);

/** End a watch; no aldis_left is sent for those inside. Ending none is fine. What is under way may
 *  still come. Errors: ALDIS_EINVAL; else as a send. */
ALDIS_API aldis_err aldis_place_unwatch(aldis_ctx *ctx, aldis_place place, uint32_t tag);

/** Counts. Thread: any; virtual time: between windows. Errors: ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_place_get_stats(aldis_system *system, aldis_place place,
                                          aldis_place_stats *out_stats);

#ifdef __cplusplus
}
#else
/** Tell message `name` to all within radius of centre (an aldis_point in brackets, or a variable):
 *  aldis_place_tell(ctx, sol, here, 500.0, &fanout, hail, .text = "hello"). */
#define aldis_place_tell(ctx, place, centre_, radius_, out_fanout, name, ...)                      \
    aldis_place_tell_raw((ctx), (place), &(aldis_sphere){(centre_), (radius_), NULL},              \
                         &(aldis_send_item){.type = &name##_type,                                  \
                                            .payload = ALDIS_NEW_(name, __VA_ARGS__),              \
                                            .size = name##_type.size},                             \
                         ALDIS_FANOUT_DEFAULT, (out_fanout))
/** The same for the message without payload `name`. */
#define aldis_place_tell_signal(ctx, place, centre_, radius_, out_fanout, name)                    \
    aldis_place_tell_raw((ctx), (place), &(aldis_sphere){(centre_), (radius_), NULL},              \
                         &(aldis_send_item){.type = &name##_type}, ALDIS_FANOUT_DEFAULT,           \
                         (out_fanout))
#endif

#endif
