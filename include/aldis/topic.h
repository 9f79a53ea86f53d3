// SPDX-License-Identifier: Apache-2.0
/* topic.h: what a subscription may ask for, beyond aldis_subscribe in router.h. Layer: public.
 *
 * A topic is a row of tokens: "market.sol.ore". A subscription names a topic or a pattern of them,
 * by the rule of NATS: the token `*` stands for exactly one token, and `>`, as the last token, for
 * one or more. "market.*.ore" matches "market.sol.ore"; "market.>" does, too, but not "market".
 * A wildcard is a whole token: "mar*" and "market.>.ore" are refused. One publishes to topics only.
 *
 * An actor gets each publication once, however many of its subscriptions match. What counts then is
 * the oldest of those that are in no queue group; without one, the oldest.
 *
 * A bounded subscription keeps a slow actor from drowning in one topic: what is too much is dropped
 * where it arrives, so a slow one harms only itself, and its mailbox stays free for the rest of its
 * mail. It costs a copy of the payload for this actor; drop-oldest and keep-newest
 * look at the mail that waits before what they drop.
 *
 * A queue group shares out the work: of all its members that match, over all patterns, one gets the
 * publication. Which one is drawn by (seed, publisher, its count), the same in every run; a member
 * that is known to take no mail now (full, or on its way out) is passed over for the next one. */
#ifndef ALDIS_TOPIC_H
#define ALDIS_TOPIC_H

#include <aldis/router.h>

/** What goes when a subscription has waiting_max publications waiting, and one more comes. Whatever
 *  goes is counted as dropped; its publisher is told by the result, or by on_undelivered. */
typedef enum aldis_topic_overflow {
    ALDIS_TOPIC_DROP_NEWEST = 0, /**< the one that comes */
    ALDIS_TOPIC_DROP_OLDEST,     /**< the oldest; needs waiting_max */
    ALDIS_TOPIC_KEEP_NEWEST      /**< of each topic only the newest waits; of more topics than
                                    waiting_max (0: the most there can be) the oldest goes */
} aldis_topic_overflow;

#define ALDIS_TOPIC_WAITING_MAX 16777215u

/** How to subscribe. Zeroes are the defaults; the pointer to it may be NULL. */
typedef struct aldis_subscribe_opts {
    const char *group; /**< queue group: a name as of a topic's token(s), without wildcards; NULL or
                          "": none. Borrowed for the call. */
    uint32_t waiting_max; /**< the most of its publications that wait in this actor: 1 ..
                             ALDIS_TOPIC_WAITING_MAX; 0: no bound but the mailbox's */
    aldis_topic_overflow overflow;
} aldis_subscribe_opts;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Subscribe this actor to a topic or a pattern. The second subscription to the same text is the
 * first one, which keeps its place and takes the options of the second; aldis_unsubscribe with the
 * same text ends it. Costs the topics being published to that match, not the patterns there are.
 *
 * Owner:  borrows pattern and opts for the call.          Blocks: never for long.
 * Errors: ALDIS_EINVAL a bad pattern or option, with the place; ALDIS_EFULL; ALDIS_ENOMEM.
 *         aldis_system_subscribe_with: ALDIS_ENOTFOUND, ALDIS_ESTALE the actor.
 */
ALDIS_API aldis_err aldis_subscribe_with(aldis_ctx *ctx, const char *pattern,
                                         const aldis_subscribe_opts *opts);
ALDIS_API aldis_err aldis_system_subscribe_with(aldis_system *system, aldis_id actor,
                                                const char *pattern,
                                                const aldis_subscribe_opts *opts);

/**
 * Make a topic (without wildcards) keep its last value, or forget it. What is published to it from
 * then on is also kept, and whoever subscribes later, by itself or by a pattern that matches, is
 * given the last value first: one message for each such topic, in the order of the topics' bytes,
 * from its publisher (nobody, if that has ended). Members of queue groups are given none. To
 * publish to such a topic takes the router's lock, live; it fails with ALDIS_ENOMEM where the value
 * cannot be kept, and nothing was sent. In virtual time all this takes effect at the end of the
 * window.
 *
 * A system keeps up to 2^20 last values. Nothing happens when it is as asked for already.
 * Owner:  borrows topic for the call.          Blocks: never for long.
 * Errors: ALDIS_EINVAL; ALDIS_EFULL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_ctx_topic_keep(aldis_ctx *ctx, const char *topic, bool keep);
ALDIS_API aldis_err aldis_system_topic_keep(aldis_system *system, const char *topic, bool keep);

/** The topic that the message being handled was published to; "" when it was not. Owner: borrowed
 *  until the handler returns. */
ALDIS_API const char *aldis_topic_of(const aldis_ctx *ctx);

/** Does pattern (or topic) match topic? False where one of them is not well-formed. Thread: any. */
ALDIS_API bool aldis_topic_matches(const char *pattern, const char *topic);

#ifdef __cplusplus
}
#else
/** Make a topic keep its last value; `from` is a handler's context or the system. */
#define aldis_topic_keep(from, topic, keep) ALDIS_FROM_(from, topic_keep)((from), (topic), (keep))
#endif
#endif
