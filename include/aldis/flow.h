// SPDX-License-Identifier: Apache-2.0
/* flow.h: flow controllers: how many messages may be on their way, and how fast. Layer: public.
 *
 * A controller has permits. Each message that is sent through it holds one until it has been
 * handled, or dropped, expired, refused, or its receiver is dead: the runtime gives the permit back
 * on every path. So `in_flight` is what the receivers still have to do, wherever it waits. A
 * controller may have a rate, too (rate.h): then it is a rate-limited sender.
 *
 *     aldis_flow_create(ctx, &(aldis_flow_opts){.concurrent_max = 8, .queue_max = 100,
 *                                               .rate = {.tokens = 50}}, &self->flow);
 *     aldis_flow_send(ctx, self->flow, ALDIS_SECOND, station, cargo, .tonnes = 3);
 *
 * A controller belongs to the actor that made it: only its handlers send through it, so what it
 * decides is the same in every run of virtual time. Actors that share a limit send to one that has
 * the controller. An aldis_shared_flow is for threads that are not actors.
 *
 * Of what was submitted, everything is counted once:
 * submitted = sent + refused + rate_limited + expired + discarded + queued. */
#ifndef ALDIS_FLOW_H
#define ALDIS_FLOW_H

#include <aldis/actor.h>
#include <aldis/rate.h>

/** How a controller is made. */
typedef struct aldis_flow_opts {
    uint32_t concurrent_max; /**< permits: 1 .. 2^30; no default */
    uint32_t queue_max;      /**< sends that wait: 0 .. 2^20; default 0: none may */
    aldis_rate rate;         /**< zeroes: no limit; its burst defaults to 10 s of the rate */
    uint32_t costs[ALDIS_LANE_LOW + 1]; /**< tokens of a message, by lane: up to the burst;
                                             default 1 */
} aldis_flow_opts;

/** What a controller has done. */
typedef struct aldis_flow_stats {
    uint32_t concurrent_max;
    uint32_t in_flight;      /**< permits held now */
    uint32_t in_flight_peak; /**< most that ever were */
    uint32_t available;      /**< permits */
    uint32_t queue_max, queued;
    uint64_t submitted;
    uint64_t sent;         /**< the send was accepted */
    uint64_t refused;      /**< no permit, queue full, or the send itself was refused */
    uint64_t rate_limited; /**< no token */
    uint64_t expired;      /**< waited until its deadline */
    uint64_t discarded;    /**< waited when the controller ended */
    uint64_t tokens;       /**< available now; 0 without a rate */
    aldis_rate rate;
} aldis_flow_stats;

typedef struct aldis_flow aldis_flow;
typedef struct aldis_shared_flow aldis_shared_flow;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a controller that belongs to this actor and ends with it (or with its restart).
 *
 * Owner:  gives *out_flow, until the actor ends.
 * Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL an option, naming it; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_flow_create(aldis_ctx *ctx, const aldis_flow_opts *opts,
                                      aldis_flow **out_flow);

/** End it before its actor does: what waits in it becomes dead letters (ALDIS_ESTATE). Messages on
 *  their way go on. Owner: takes flow. */
ALDIS_API aldis_err aldis_flow_destroy(aldis_ctx *ctx, aldis_flow *flow);

/**
 * Send if there is a permit (and a token), and nobody waits; else not at all.
 *
 * opts:   lane and delay; may be NULL.
 * Owner:  borrows payload.          Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EAGAIN no permit, or others wait; ALDIS_ERATE no token: aldis_flow_wait says when;
 *         else as aldis_ctx_send_opts_raw: permit and tokens are then given back.
 */
ALDIS_API aldis_err aldis_flow_try_send_raw(aldis_ctx *ctx, aldis_flow *flow, aldis_id to,
                                            aldis_type *type, const void *payload, size_t size,
                                            const aldis_send_opts *opts);

/**
 * Send, or wait for permit and tokens in the controller's queue, first come, first served, at most
 * timeout_ns of the system's time. What is refused while it waits (ALDIS_EEXPIRED, or the send's
 * own reason) is told to on_undelivered.
 *
 * timeout_ns: 1 or more; ALDIS_FOREVER.
 * Errors: ALDIS_EFULL queue_max wait already; ALDIS_EINVAL; ALDIS_ENOMEM; else, where it need not
 *         wait, as aldis_ctx_send_opts_raw.
 */
ALDIS_API aldis_err aldis_flow_send_raw(aldis_ctx *ctx, aldis_flow *flow, aldis_ns timeout_ns,
                                        aldis_id to, aldis_type *type, const void *payload,
                                        size_t size, const aldis_send_opts *opts);

/** From now on so long until there are tokens for a message of this lane; 0: there are. */
ALDIS_API aldis_ns aldis_flow_wait(const aldis_ctx *ctx, const aldis_flow *flow, aldis_lane lane);

/** Thread: the handler's worker. */
ALDIS_API void aldis_flow_get_stats(const aldis_ctx *ctx, const aldis_flow *flow,
                                    aldis_flow_stats *out_stats);

/**
 * The same for any threads that are not the system's workers. A blocking send waits for a permit
 * and for tokens (wall clock).
 *
 * Owner:  gives *out_flow: end it with aldis_shared_flow_destroy, when no thread uses it any more;
 *         before the system or after it.
 * Blocks: never / up to timeout_ns.
 * Errors: as above, and as aldis_system_send_until_raw; try: ALDIS_EAGAIN no permit, or the
 *         receiver is full; until: ALDIS_ETIMEDOUT, ALDIS_EFULL queue_max threads wait already.
 */
ALDIS_API aldis_err aldis_shared_flow_create(aldis_system *system, const aldis_flow_opts *opts,
                                             aldis_shared_flow **out_flow);
ALDIS_API void aldis_shared_flow_destroy(aldis_shared_flow *flow);
ALDIS_API aldis_err aldis_shared_flow_try_send_raw(aldis_shared_flow *flow, aldis_id to,
                                                   aldis_type *type, const void *payload,
                                                   size_t size);
ALDIS_API aldis_err aldis_shared_flow_send_until_raw(aldis_shared_flow *flow, aldis_id to,
                                                     aldis_type *type, const void *payload,
                                                     size_t size, aldis_ns timeout_ns);
ALDIS_API void aldis_shared_flow_get_stats(aldis_shared_flow *flow, aldis_flow_stats *out_stats);

#ifdef __cplusplus
}
#else
/** Send message `name` through the controller: only if it can go now. */
#define aldis_flow_try_send(ctx, flow, to, name, ...)                                              \
    aldis_flow_try_send_raw((ctx), (flow), ALDIS_TO_(to, name), &name##_type,                      \
                            ALDIS_NEW_(name, __VA_ARGS__), name##_type.size, NULL)
/** The same, or wait at most timeout_ns. */
#define aldis_flow_send(ctx, flow, timeout_ns, to, name, ...)                                      \
    aldis_flow_send_raw((ctx), (flow), (timeout_ns), ALDIS_TO_(to, name), &name##_type,            \
                        ALDIS_NEW_(name, __VA_ARGS__), name##_type.size, NULL)
/** The same two for the message without payload `name`. */
#define aldis_flow_try_signal(ctx, flow, to, name)                                                 \
    aldis_flow_try_send_raw((ctx), (flow), ALDIS_TO_(to, name), &name##_type, NULL, 0, NULL)
#define aldis_flow_signal(ctx, flow, timeout_ns, to, name)                                         \
    aldis_flow_send_raw((ctx), (flow), (timeout_ns), ALDIS_TO_(to, name), &name##_type, NULL, 0,   \
                        NULL)
#endif

#endif
