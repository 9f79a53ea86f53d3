// SPDX-License-Identifier: Apache-2.0
/* causal.h: groups in which nothing is handled before what may have caused it. Layer: public.
 *
 * Two messages from different senders may reach a third actor in either order, also when the second
 * was sent because of the first: A asks, B answers, and C hears the answer before the question. In
 * a causal group that does not happen: no member handles a publication before any publication to
 * the group that its publisher had handled, or had published itself, when it published it.
 *
 * How (Birman, Schiper and Stephenson, "Lightweight causal and atomic group multicast", ACM TOCS
 * 1991): each publication carries its publisher's vector clock, one count for each member; a member
 * that is not as far yet holds it back until it is. What travels outside the group is not followed.
 *
 * Members come and go. One that has ended, or a publication that was refused or dropped on its way,
 * keeps nobody waiting: whoever refuses it says so, and the clocks pass over it.
 *
 * A member holds back at most hold_max publications; one more is dropped when its turn comes (the
 * policy is drop-newest), counted, and its publisher told. What is held back counts as queued.
 *
 * Cost: a publication takes the group's lock, and carries and compares 4 bytes for each place that
 * the group ever had in use at once; each receiver gets a copy of the payload. See
 * docs/design/messaging.md for figures. */
#ifndef ALDIS_CAUSAL_H
#define ALDIS_CAUSAL_H

#include <aldis/router.h>

#define ALDIS_CAUSAL_MEMBERS_MAX 256 /**< members of one group at the same time */
#define ALDIS_CAUSAL_HOLD_MAX 1048576u

/** How to join. Zeroes are the defaults; the pointer to it may be NULL. */
typedef struct aldis_causal_opts {
    uint32_t hold_max; /**< publications held back at most: 1 .. ALDIS_CAUSAL_HOLD_MAX; default
                          1024 */
} aldis_causal_opts;

/** One publication. */
typedef struct aldis_causal_item {
    aldis_type *type;
    const void *payload; /**< borrowed; copied once for each receiver */
    size_t size;         /**< bytes */
    /** How long it takes to each receiver, as aldis_send_opts.delay_ns; NULL: the default delay. */
    aldis_ns (*delay)(void *arg, aldis_id to);
    void *arg;
} aldis_causal_item;

/** What one member has seen. */
typedef struct aldis_causal_status {
    uint32_t members;    /**< of the group, now */
    uint32_t held_msgs;  /**< held back here, now */
    uint64_t held_total; /**< held back here so far */
    uint64_t lost;       /**< publications that did not reach this member: refused, dropped, ... */
} aldis_causal_status;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Join a group, for this actor; leave it. The second join is one; so is the second end. In virtual
 * time both take effect at the end of the window. An actor that ends leaves.
 *
 * group:  a name as of a topic, without wildcards; the group begins with its first member.
 * Owner:  borrows group and opts.
 * Thread: the worker that runs the handler.          Blocks: never for long.
 * Errors: ALDIS_EINVAL; ALDIS_EFULL the group has ALDIS_CAUSAL_MEMBERS_MAX members (in virtual
 *         time, where that is found at the end of the window, only logged); ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_causal_join(aldis_ctx *ctx, const char *group,
                                      const aldis_causal_opts *opts);
ALDIS_API aldis_err aldis_causal_leave(aldis_ctx *ctx, const char *group);

/**
 * Send one message to all other members of a group that this actor is a member of. The handlers may
 * ask aldis_topic_of() for the group. As for aldis_publish_raw, nobody is parked; a full mailbox
 * refuses.
 *
 * out_fanout: may be NULL; matched = delivered + refused, skipped: kinds that do not accept it.
 * Owner:      borrows item and what it points to.          Blocks: never for long.
 * Errors:     ALDIS_ESTATE this actor is not a member (in virtual time: not yet); ALDIS_EINVAL;
 *             ALDIS_ETOOLARGE; ALDIS_ENOMEM: nothing was sent.
 */
ALDIS_API aldis_err aldis_causal_publish_raw(aldis_ctx *ctx, const char *group,
                                             const aldis_causal_item *item,
                                             aldis_fanout *out_fanout);

/** What this actor has seen of a group. Errors: ALDIS_ESTATE it is not a member; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_causal_get_status(aldis_ctx *ctx, const char *group,
                                            aldis_causal_status *out_status);

#ifdef __cplusplus
}
#else
/** Publish message `name`: aldis_causal_publish(ctx, "crew", &fanout, said, .text = 1). */
#define aldis_causal_publish(ctx, group, out_fanout, name, ...)                                    \
    aldis_causal_publish_raw((ctx), (group),                                                       \
                             &(aldis_causal_item){&name##_type, ALDIS_NEW_(name, __VA_ARGS__),     \
                                                  name##_type.size, NULL, NULL},                   \
                             (out_fanout))
/** The same for the message without payload `name`. */
#define aldis_causal_publish_signal(ctx, group, out_fanout, name)                                  \
    aldis_causal_publish_raw(                                                                      \
        (ctx), (group), &(aldis_causal_item){&name##_type, NULL, 0, NULL, NULL}, (out_fanout))
#endif

#endif
