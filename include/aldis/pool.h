// SPDX-License-Identifier: Apache-2.0
/* pool.h: pools and routers: one address, many actors behind it. Layer: public.
 *
 * A pool is an actor that hands on each message to one of its routees. It has the protocol of its
 * routees, so it is sent to, and asked, like one of them:
 *
 *     ALDIS_POOL(smithy, SMITH_PROTOCOL);           // gives smithy_ref and smithy_behaviour
 *
 *     aldis_pool_opts opts = {.worker = &smith_behaviour, .size = 8};
 *     err = aldis_pool_spawn(ctx, smithy, &smithy, &opts);
 *     err = aldis_send(ctx, smithy, job, .iron = 3);
 *
 * A routee has at most `credit_msgs` messages that it has not handled yet. When nobody has credit
 * left the pool takes no more mail: its mailbox fills, and its own policy (default ALDIS_WAIT: the
 * senders are parked) does the rest. Nothing is dropped inside.
 *
 * When a routee ends, what it had not handled yet goes to the others. Not the message whose handler
 * has failed: that would fail there, too (see supervise.h for dead letters). When the last one has
 * ended, messages are refused with ALDIS_ENORECEIVER: who asked hears it as the answer.
 *
 * The routee sees the pool as the sender. To get an answer back, ask. Each hop is counted: a
 * message that went through a pool was sent and handled twice, and once more for each move. */
#ifndef ALDIS_POOL_H
#define ALDIS_POOL_H

#include <aldis/actor.h>

/** Who gets the next message. */
typedef enum aldis_route {
    ALDIS_ROUTE_ROUND_ROBIN = 0, /**< each in turn; who has no credit is passed over */
    ALDIS_ROUTE_RANDOM,          /**< drawn from the pool's own stream, among those with credit */
    ALDIS_ROUTE_SMALLEST,        /**< the fewest messages not handled yet; the first of equals */
    /** The routee that the key chooses (rendezvous hashing, Thaler & Ravishankar 1998): equal keys
     *  go to the same one; when one ends only its keys move. Without credit there, the pool
     *  waits. */
    ALDIS_ROUTE_HASH,
    /** All of them, by reference. No credit, and nothing moves: a full mailbox refuses its own, as
     *  with every broadcast. A request cannot be broadcast: ALDIS_EINVAL is its answer. */
    ALDIS_ROUTE_BROADCAST
} aldis_route;

/** The key of a message. Must not depend on addresses. Called on the pool's worker. */
typedef uint64_t (*aldis_route_key)(const char *type_name, const void *payload, size_t size);

/** How a pool is made. Zeroes are the defaults. */
typedef struct aldis_pool_opts {
    const aldis_behaviour *worker; /**< of the routees that the pool spawns: its children */
    uint32_t size;                 /**< how many: 1 .. 1024; default 4 */
    aldis_placement placement;     /**< of them; zero: ALDIS_PLACE_BESIDE */
    const void *arg;               /**< for their on_start; copied */
    size_t arg_size;               /**< bytes, 0 .. 32768 */
    const aldis_id *routees;       /**< instead of worker: `size` actors that are there already */
    aldis_route route;
    uint32_t credit_msgs; /**< 1 or more; default 64 */
    aldis_route_key key;  /**< for ALDIS_ROUTE_HASH; NULL: a hash of the payload's bytes */
} aldis_pool_opts;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Spawn a pool. `spawn` has the options of the pool actor itself (its mailbox, its place); NULL:
 * the defaults; its arg is not used.
 *
 * behaviour: made by ALDIS_POOL.
 * Owner:  borrows opts and what it points to.
 * Thread: as aldis_ctx_spawn_raw and aldis_system_spawn_raw.          Blocks: never.
 * Errors: as those; ALDIS_EINVAL also: an option, or neither worker nor routees.
 */
ALDIS_API aldis_err aldis_ctx_pool_spawn_raw(aldis_ctx *ctx, const aldis_behaviour *behaviour,
                                             const aldis_pool_opts *opts,
                                             const aldis_spawn_opts *spawn, aldis_id *out_id);
ALDIS_API aldis_err aldis_system_pool_spawn_raw(aldis_system *system,
                                                const aldis_behaviour *behaviour,
                                                const aldis_pool_opts *opts,
                                                const aldis_spawn_opts *spawn, aldis_id *out_id);

/* What ALDIS_POOL puts into a behaviour. */
ALDIS_API aldis_err aldis_pool_on_start(void *state, const void *arg, aldis_ctx *ctx);
ALDIS_API void aldis_pool_on_child_ended(void *state, const aldis_child_ended *notice,
                                         aldis_ctx *ctx);
ALDIS_API aldis_err aldis_pool_on_message(void *state, const void *payload, aldis_ctx *ctx);

#ifdef __cplusplus
}
#else

#define ALDIS_POOL_ENTRY_(kind, name) {&name##_type, aldis_pool_on_message},

/** Declare a kind of pool for routees that accept LIST. */
#define ALDIS_POOL(pool, LIST)                                                                     \
    ALDIS_PROTOCOL(pool, LIST);                                                                    \
    static const aldis_handler_entry pool##_handlers_[] = {LIST(ALDIS_POOL_ENTRY_, pool)};         \
    const aldis_behaviour pool##_behaviour = {.name = #pool,                                       \
                                              .state_size = sizeof(void *),                        \
                                              .handlers = pool##_handlers_,                        \
                                              .handler_count = sizeof pool##_handlers_ /           \
                                                               sizeof pool##_handlers_[0],         \
                                              .on_start = aldis_pool_on_start,                     \
                                              .on_child_ended = aldis_pool_on_child_ended}

/** Spawn a pool of this kind, with a default mailbox; `from` is a context or a system:
 *  aldis_pool_spawn(system, smithy, &ref, &(aldis_pool_opts){...}). */
#define aldis_pool_spawn(from, name, out_ref, ...)                                                 \
    ALDIS_FROM_(from, pool_spawn_raw)((from), &name##_behaviour, (__VA_ARGS__), NULL,              \
                                      &_Generic((out_ref), name##_ref *: (out_ref))->id)
#endif

#endif
