// SPDX-License-Identifier: Apache-2.0
/* router.h: reach actors by name, by topic, or all of them. Layer: public.
 *
 * Names and subscriptions end with their actor. In virtual time a change takes effect at the end
 * of the window, and every look at the tables sees them as they were at its start; what can then
 * not be done (a clash inside one window, full tables) is counted and logged.
 *
 * A system holds up to 2^22 names and 2^26 subscriptions; ALDIS_EFULL beyond. Calls with a context
 * are for the worker that runs its handler, those with a system for all other threads: ALDIS_EINVAL
 * a foreign context, ALDIS_ESTATE a handler's thread, a fork's child, or (for what would add
 * something) a system that has stopped. */
#ifndef ALDIS_ROUTER_H
#define ALDIS_ROUTER_H

#include <aldis/actor.h>

/** What a broadcast or a publication did; written on ALDIS_OK. matched = delivered + refused. */
typedef struct aldis_fanout {
    uint64_t matched;   /**< receivers that it was meant for */
    uint64_t delivered; /**< sends accepted */
    uint64_t refused;   /**< sends refused (full, stopping, ...): each is rejected or dropped */
    uint64_t skipped;   /**< actors left out: their kind does not accept the type */
} aldis_fanout;

typedef enum aldis_fanout_flags {
    ALDIS_FANOUT_DEFAULT = 0,
    ALDIS_FANOUT_TO_SELF = 1, /**< the sender gets it too, if it matches */
    ALDIS_FANOUT_SOMEONE = 2  /**< nobody matched: ALDIS_ENOSUBS instead of ALDIS_OK */
} aldis_fanout_flags;

#define ALDIS_NAME_MAX 63   /**< bytes of a registered name */
#define ALDIS_TOPIC_MAX 127 /**< bytes of a topic */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Give an actor a name (1 .. ALDIS_NAME_MAX bytes, UTF-8, no control characters). One actor may
 * have several.
 *
 * Owner:  borrows name for the call.
 * Thread: handler's worker (ctx) or any other thread (system).          Blocks: never for long.
 * Errors: ALDIS_EEXISTS the name is taken, also by the same actor; ALDIS_ESTALE, ALDIS_ENOTFOUND
 *         the actor; ALDIS_EINVAL; ALDIS_EFULL; ALDIS_ENOMEM. In virtual time a clash inside one
 *         window is decided in logical order, and the loser's is only counted and logged.
 */
ALDIS_API aldis_err aldis_ctx_register(aldis_ctx *ctx, aldis_id actor, const char *name);
ALDIS_API aldis_err aldis_system_register(aldis_system *system, aldis_id actor, const char *name);
/** Take a name back, whoever has it. Errors: ALDIS_ENOTFOUND nobody has it; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_ctx_unregister(aldis_ctx *ctx, const char *name);
ALDIS_API aldis_err aldis_system_unregister(aldis_system *system, const char *name);
/** Find the actor of a name. Look it up once and keep the id: that is what makes sending fast.
 *  Errors: ALDIS_ENOTFOUND; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_ctx_lookup(aldis_ctx *ctx, const char *name, aldis_id *out_actor);
ALDIS_API aldis_err aldis_system_lookup(aldis_system *system, const char *name,
                                        aldis_id *out_actor);
/** Look up and send. A name that nobody has counts as a rejected send. Errors: as both. */
ALDIS_API aldis_err aldis_send_name_raw(aldis_ctx *ctx, const char *name, aldis_type *type,
                                        const void *payload, size_t size);

/**
 * Subscribe this actor to a topic, or end that. The second subscribe is one; so is the second end.
 *
 * topic:  1 .. ALDIS_TOPIC_MAX bytes of UTF-8: tokens separated by '.', none empty, without control
 *         characters and spaces. A token may be the wildcard '*', the last one '>': see topic.h,
 *         also for queue groups.
 * Owner:  borrows topic for the call.          Blocks: never for long.
 * Errors: ALDIS_EINVAL a bad topic; ALDIS_EFULL; ALDIS_ENOMEM. aldis_system_subscribe:
 *         ALDIS_ENOTFOUND, ALDIS_ESTALE the actor.
 */
ALDIS_API aldis_err aldis_subscribe(aldis_ctx *ctx, const char *topic);
ALDIS_API aldis_err aldis_unsubscribe(aldis_ctx *ctx, const char *topic);
ALDIS_API aldis_err aldis_system_subscribe(aldis_system *system, aldis_id actor, const char *topic);
ALDIS_API aldis_err aldis_system_unsubscribe(aldis_system *system, aldis_id actor,
                                             const char *topic);

/**
 * Send one message to every subscriber whose pattern matches topic (which has no wildcards), once
 * to each, in order of subscription, and then to one member of each queue group; not to the sender
 * itself, unless ALDIS_FANOUT_TO_SELF. The payload is stored once, however many receive it.
 * ALDIS_WAIT does not apply: a full mailbox refuses, and nobody is parked. A refusal that is found
 * only at the receiver is told to on_undelivered, as for a send.
 *
 * flags:      of aldis_fanout_flags.
 * out_fanout: may be NULL.
 * Owner:      borrows payload for the call.
 * Thread:     the handler's worker.          Blocks: never; takes no lock while who is subscribed
 *             stays the same.
 * Errors:     ALDIS_ENOSUBS nobody matched (on request only); ALDIS_EINVAL; ALDIS_ETOOLARGE;
 *             ALDIS_ENOMEM for the payload or the list: nothing was sent. Memory that runs out on
 *             the way is a refusal of those that it was lacking for.
 */
ALDIS_API aldis_err aldis_publish_raw(aldis_ctx *ctx, const char *topic, aldis_type *type,
                                      const void *payload, size_t size, unsigned flags,
                                      aldis_fanout *out_fanout);

/**
 * Send one message to all actors whose kind accepts its type; kind NULL: every kind, else only
 * that. Never to the sender, unless ALDIS_FANOUT_TO_SELF. In the order of the actors' ids, but for
 * their generations. Otherwise as aldis_publish_raw. Costs a look at every actor that lives, or
 * lived at the time when most did.
 */
ALDIS_API aldis_err aldis_broadcast_raw(aldis_ctx *ctx, const aldis_behaviour *kind,
                                        aldis_type *type, const void *payload, size_t size,
                                        unsigned flags, aldis_fanout *out_fanout);

/**
 * Who gets what is published to topic (given a pattern: who has subscribed to just that), and to
 * what an actor is subscribed; in order of subscription, members of queue groups last.
 *
 * out/out_topics: room for max entries, or NULL; topics are copied, ALDIS_TOPIC_MAX+1 bytes each.
 * Returns how many there are, which may be more than max. Thread: any, handlers too.
 */
ALDIS_API size_t aldis_system_subscribers(aldis_system *system, const char *topic, aldis_id *out,
                                          size_t max);
ALDIS_API size_t aldis_system_subscriptions(aldis_system *system, aldis_id actor,
                                            char (*out_topics)[ALDIS_TOPIC_MAX + 1], size_t max);

#ifdef __cplusplus
}
#else
/** Publish message `name`: aldis_publish(ctx, "market.sol", &fanout, price, .value = 3). */
#define aldis_publish(ctx, topic, out_fanout, name, ...)                                           \
    aldis_publish_raw((ctx), (topic), &name##_type, ALDIS_NEW_(name, __VA_ARGS__),                 \
                      name##_type.size, ALDIS_FANOUT_DEFAULT, (out_fanout))
/** Broadcast message `name` to every kind that accepts it. */
#define aldis_broadcast(ctx, out_fanout, name, ...)                                                \
    aldis_broadcast_raw((ctx), NULL, &name##_type, ALDIS_NEW_(name, __VA_ARGS__),                  \
                        name##_type.size, ALDIS_FANOUT_DEFAULT, (out_fanout))
/** The same for the message without payload `name`. */
#define aldis_publish_signal(ctx, topic, out_fanout, name)                                         \
    aldis_publish_raw((ctx), (topic), &name##_type, NULL, 0, ALDIS_FANOUT_DEFAULT, (out_fanout))
#define aldis_broadcast_signal(ctx, out_fanout, name)                                              \
    aldis_broadcast_raw((ctx), NULL, &name##_type, NULL, 0, ALDIS_FANOUT_DEFAULT, (out_fanout))
/** Send message `name` to the actor of a registered name. */
#define aldis_send_name(ctx, actor_name, name, ...)                                                \
    aldis_send_name_raw((ctx), (actor_name), &name##_type, ALDIS_NEW_(name, __VA_ARGS__),          \
                        name##_type.size)
/** The same for the message without payload `name`. */
#define aldis_signal_name(ctx, actor_name, name)                                                   \
    aldis_send_name_raw((ctx), (actor_name), &name##_type, NULL, 0)
#endif

#endif
