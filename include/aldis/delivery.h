// SPDX-License-Identifier: Apache-2.0
/* delivery.h: messages whose delivery is confirmed. Layer: public.
 *
 * A plain send is fire-and-forget: as sure as its receiver's mailbox. A reliable send is followed
 * until the receiver's handler has succeeded: it is repeated after a time-out, and its sender is
 * told what became of it, exactly once, by an aldis_delivered message:
 *
 *     aldis_message_id id;
 *     aldis_send_reliable(ctx, station, cargo, &id, NULL, .tonnes = 20);
 *
 *     static aldis_err ship_on_aldis_delivered(struct ship *self, const aldis_delivered *msg,
 *                                              aldis_ctx *ctx);   // msg->id, msg->result
 *
 * How sure a delivery is, is its grade. Between one sender and one receiver the messages of a grade
 * other than at-least-once, and all that are sent `ordered`, make one stream: numbered from 1 on,
 * without gaps, for ever. */
#ifndef ALDIS_DELIVERY_H
#define ALDIS_DELIVERY_H

#include <aldis/actor.h>
#include <aldis/message.h>

/** How often a message may take effect. */
typedef enum aldis_grade {
    ALDIS_AT_LEAST_ONCE = 0, /**< repeated until confirmed: never lost, perhaps handled twice */
    ALDIS_AT_MOST_ONCE,      /**< one attempt, handled once or not at all */
    ALDIS_EFFECT_ONCE        /**< repeated until confirmed; repeats are filtered out: what the
                                  handler did to the actor's durable state is done exactly once.
                                  For an actor that is restarted when it fails: one without a
                                  restart mode keeps what a failed handler did, and the repeat does
                                  it again. What a handler had sent before it failed has left */
} aldis_grade;

/** Names a reliable message, for ever. */
typedef struct aldis_message_id {
    aldis_id from, to;
    uint64_t number; /**< 1, 2, ... in its stream; above 2^63 and rising for what is in none */
} aldis_message_id;

/** How one message is to be delivered. Zeroes are the defaults. */
typedef struct aldis_reliable_opts {
    aldis_grade grade;
    /** In all, the first one included: default 4, so 3 retries. At-most-once has 1. */
    uint32_t max_attempts;
    aldis_ns timeout_ns;      /**< of the first attempt; default 1 s; doubled for each repeat */
    aldis_ns timeout_max_ns;  /**< default 30 s */
    uint32_t jitter_permille; /**< time-outs vary by so much either way: 1 .. 1000; default 200 */
    aldis_ns deadline_ns;     /**< from now: then it has failed, and is not handled; 0: none */
    bool ordered;             /**< handled in the order in which they were sent */
    aldis_lane lane;          /**< of the attempts; ordered streams should keep to one */
    uint64_t context;         /**< comes back with the confirmation */
    aldis_ns delay_ns;        /**< of each attempt, as for a send; its time-out is on top */
    /** Not in the figures of its sender and receiver. Who has sent and received at-least-once,
     *  unordered and uncounted only, and has nothing pending, keeps no memory for it: for actors
     *  that are many and mostly quiet. */
    bool uncounted;
} aldis_reliable_opts;

/** What became of a reliable message: told to its sender exactly once. Only the runtime sends it.
 *  A failure does not say that the handler never ran: the acknowledgement may have been lost. */
typedef struct aldis_delivered {
    aldis_message_id id;
    uint64_t context;  /**< of the options */
    uint32_t attempts; /**< made in all: 1 or more */
    uint32_t result;   /**< aldis_err: ALDIS_OK; ALDIS_ETIMEDOUT all attempts unanswered;
                            ALDIS_EEXPIRED its deadline; ALDIS_ESTALE the receiver has ended;
                            or the reason of the last refusal */
} aldis_delivered;
ALDIS_MESSAGE(aldis_delivered, aldis_delivered);

/** One message that waits for its confirmation. */
typedef struct aldis_pending {
    aldis_message_id id;   /**< durable: `to` is nobody */
    const char *type_name; /**< static; "": durable, and nobody who could say it is there */
    aldis_ns sent_ns;      /**< its first attempt */
    uint32_t retries;      /**< so far: attempts after the first */
    uint32_t max_retries;  /**< 0: one attempt only; UINT32_MAX: no limit (durable) */
    aldis_ns timeout_ns;   /**< of the attempt that is under way */
} aldis_pending;

enum { ALDIS_ATTEMPTS_COUNTED = 8 };

/** The reliable messages of one actor, as their sender and as their receiver. */
typedef struct aldis_delivery_stats {
    uint64_t pending;
    aldis_ns oldest_age_ns; /**< of the pending ones; 0: there is none */
    uint64_t sent, confirmed, failed, retries;
    /** confirmed after 1, 2, ... attempts; the last counts all that needed more, too */
    uint64_t by_attempts[ALDIS_ATTEMPTS_COUNTED];
    uint64_t ignored_acks;         /**< stale, duplicate or forged */
    uint64_t received, duplicates; /**< as the receiver */
} aldis_delivery_stats;

/** Answers for a message later than its handler returns; see aldis_ack_later. */
typedef struct aldis_ack_token {
    aldis_id sender;
    uint64_t number, bits;
} aldis_ack_token;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send a copy of payload, and see to it that it arrives.
 *
 * A refusal that no repeat can mend is returned at once, and nothing is pending: there is no such
 * receiver, it has ended or is ending, it does not accept the type. A full mailbox is such a
 * refusal for at-most-once only; else the message is tried again.
 *
 * opts:   may be NULL: the defaults.
 * out_id: may be NULL.
 * Owner:  borrows payload.          Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EUNACCEPTED the caller's own protocol does not list aldis_delivered, or the
 *         receiver's not the type; ALDIS_EAGAIN the pending messages are at their bound (1,048,576
 *         or 256 MiB a sender; 1024 in a stream); ALDIS_EINVAL an option, with its range;
 *         ALDIS_ENOTFOUND, ALDIS_ESTALE, ALDIS_ESHUTDOWN the receiver; ALDIS_ETOOLARGE;
 *         ALDIS_ENOMEM; ALDIS_EFULL (at-most-once).
 */
ALDIS_API aldis_err aldis_send_reliable_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                            const void *payload, size_t size,
                                            const aldis_reliable_opts *opts,
                                            aldis_message_id *out_id);

/**
 * Confirm the message being handled now, whatever its handler goes on to return; or refuse it with
 * a reason, so that it is tried again after the time-out. Without either, the handler's return
 * value decides: ALDIS_OK confirms.
 *
 * Errors: ALDIS_ESTATE the message was not sent reliably, or is confirmed or refused already;
 *         ALDIS_EINVAL a foreign context, or the reason is ALDIS_OK.
 */
ALDIS_API aldis_err aldis_ack(aldis_ctx *ctx);
ALDIS_API aldis_err aldis_nack(aldis_ctx *ctx, aldis_err reason);

/**
 * Take the right to confirm or refuse the message being handled later, by aldis_ack_with. What is
 * never confirmed is repeated, and handled again. Not for effect-once, whose effect and
 * confirmation go together.
 *
 * Errors: as aldis_ack; ALDIS_ESTATE for effect-once.
 */
ALDIS_API aldis_err aldis_ack_later(aldis_ctx *ctx, aldis_ack_token *out_token);
/** Confirm (result ALDIS_OK) or refuse. A token that was used, or whose message has been given up,
 *  is counted by the sender and changes nothing. Errors: ALDIS_EINVAL a foreign context, or what is
 *  no token of this actor; ALDIS_ENOMEM. */
ALDIS_API aldis_err aldis_ack_with(aldis_ctx *ctx, aldis_ack_token token, aldis_err result);

/** How many of this actor's messages are pending. */
ALDIS_API size_t aldis_pending_count(aldis_ctx *ctx);
/** List them, in the order of their sending to each receiver. out: room for max entries, or NULL.
 *  Returns how many there are. */
ALDIS_API size_t aldis_pending_list(aldis_ctx *ctx, aldis_pending *out, size_t max);
/** This actor's figures. Errors: ALDIS_EINVAL a foreign context. */
ALDIS_API aldis_err aldis_delivery_get_stats(aldis_ctx *ctx, aldis_delivery_stats *out_stats);

#ifdef __cplusplus
}
#else
/** Options for a reliable send: aldis_reliable_with(.grade = ALDIS_EFFECT_ONCE). */
#define aldis_reliable_with(...) (&(aldis_reliable_opts){__VA_ARGS__})

/** Send message `name` reliably: aldis_send_reliable(ctx, to, name, &id, opts, .field = ...), where
 *  `to` is a typed reference and opts is aldis_reliable_with(...), another pointer to
 *  aldis_reliable_opts, or NULL. */
#define aldis_send_reliable(ctx, to, name, out_id, opts, ...)                                      \
    aldis_send_reliable_raw((ctx), ALDIS_TO_(to, name), &name##_type,                              \
                            ALDIS_NEW_(name, __VA_ARGS__), name##_type.size, (opts), (out_id))
/** The same for the message without payload `name`. */
#define aldis_signal_reliable(ctx, to, name, out_id, opts)                                         \
    aldis_send_reliable_raw((ctx), ALDIS_TO_(to, name), &name##_type, NULL, 0, (opts), (out_id))
#endif

#endif
