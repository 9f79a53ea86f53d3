// SPDX-License-Identifier: Apache-2.0
/* message.h: message types, protocols, and sending. Layer: public.
 *
 * A message type is declared once, in a header or a source file:
 *
 *     struct ping { uint32_t seq; };
 *     ALDIS_MESSAGE(ping, struct ping);
 *     ALDIS_SIGNAL(go);                         // a message without payload
 *
 * A protocol lists what a kind of actor accepts:
 *
 *     #define PONG_PROTOCOL(X, kind) X(kind, ping) X(kind, go)
 *     ALDIS_PROTOCOL(pong, PONG_PROTOCOL);      // gives pong_ref; see actor.h for ALDIS_BEHAVIOUR
 *
 * Sending to a pong_ref a message that PONG_PROTOCOL does not list does not compile:
 *
 *     aldis_send(ctx, pong, ping, .seq = 1);    // pong is a pong_ref
 *
 * Payloads are copied as bytes, and in virtual time their bytes go into the run print. So a payload
 * that is to print the same in every run has no pointers, and no padding that is undefined: give it
 * fields (`uint32_t reserved;`), or zero a struct before you fill it and send a copy. The macros
 * that take a payload's fields zero the padding where the compiler can (gcc since 11).
 *
 * The typed macros are for C; from C++ call the functions with `_raw` in their names. */
#ifndef ALDIS_MESSAGE_H
#define ALDIS_MESSAGE_H

#include <aldis/error.h>
#include <aldis/types.h>

/** The largest inline payload, in bytes; larger ones go as a blob. */
#define ALDIS_PAYLOAD_MAX 65536u

/** As a type's size: each message brings its own length, 0 .. ALDIS_PAYLOAD_MAX. */
#define ALDIS_SIZE_VARIES UINT32_MAX

/** Encodes payloads for the world outside the process; see wire.h. */
typedef struct aldis_codec aldis_codec;

/** A message type. Made by ALDIS_MESSAGE; a copy per translation unit is fine, the number is what
 *  counts. */
typedef struct aldis_type {
    const char *name;         /**< 1 .. 63 characters, equal in every translation unit and node */
    uint32_t number;          /**< 0: hashed from the name (FNV-1a, 32 bits); a clash is an error */
    uint32_t size;            /**< payload bytes, or ALDIS_SIZE_VARIES */
    const aldis_codec *codec; /**< NULL: never leaves the process */
    uint32_t tag;             /**< private: the runtime's own number for it, set at first use */
} aldis_type;

/** The payload of a message that has none. */
typedef struct aldis_none {
    char unused;
} aldis_none;

#define ALDIS_UNUSED_ __attribute__((unused))

#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define ALDIS_CLEARS_PADDING_ 1
#define ALDIS_CLEAR_PADDING_(p) __builtin_clear_padding(p)
#endif
#endif
#ifndef ALDIS_CLEARS_PADDING_ /* clang 14 */
#define ALDIS_CLEAR_PADDING_(p) ((void)(p))
#endif

/* A payload as the typed macros take it, its padding zeroed: C leaves that undefined. Nothing is
 * done for a type without. */
#define ALDIS_NEW_(name, ...) name##_tidy(&(name##_payload){__VA_ARGS__})
#define ALDIS_TIDY_(name)                                                                          \
    ALDIS_UNUSED_ static inline name##_payload *name##_tidy(name##_payload *payload)               \
    {                                                                                              \
        ALDIS_CLEAR_PADDING_(payload);                                                             \
        return payload;                                                                            \
    }

/** Declare message type `name` whose payload is the C type `payload` (a struct without pointers to
 *  own). */
#define ALDIS_MESSAGE(name, payload) ALDIS_MESSAGE_CODEC(name, payload, 0, NULL)

/** The same with an explicit number (0: hashed) and a codec (from ALDIS_CODEC in wire.h). */
#define ALDIS_MESSAGE_CODEC(name, payload, number, codec)                                          \
    typedef payload name##_payload;                                                                \
    ALDIS_TIDY_(name)                                                                              \
    ALDIS_UNUSED_ static aldis_type name##_type = {#name, (number), (uint32_t)sizeof(payload),     \
                                                   (codec), 0}

/** Declare message type `name` without payload. */
#define ALDIS_SIGNAL(name)                                                                         \
    typedef aldis_none name##_payload;                                                             \
    ALDIS_TIDY_(name)                                                                              \
    ALDIS_UNUSED_ static aldis_type name##_type = {#name, 0, 0, NULL, 0}

#define ALDIS_ACCEPTS_FIELD_(kind, name) const name##_payload *name;

/**
 * Declare a kind of actor by the list of messages that it accepts. Gives the typed reference
 * `kind_ref` (field `id`; copied freely) and declares `kind_behaviour`, which ALDIS_BEHAVIOUR in
 * actor.h defines. LIST is an X-macro: LIST(X, kind) applies X(kind, name) to each message name.
 */
#define ALDIS_PROTOCOL(kind, LIST)                                                                 \
    struct kind##_accepts {                                                                        \
        LIST(ALDIS_ACCEPTS_FIELD_, kind)                                                           \
    };                                                                                             \
    typedef struct kind##_ref {                                                                    \
        union {                                                                                    \
            aldis_id id;                                                                           \
            const struct kind##_accepts *accepts_; /* never read: it carries the type */           \
        };                                                                                         \
    } kind##_ref;                                                                                  \
    extern const struct aldis_behaviour kind##_behaviour

/** The typed reference to an actor of which one knows the id and the kind: the sender, a parent.
 *  aldis_send(ctx, aldis_ref(ship, aldis_sender(ctx)), hail, .lamps = 3). That it is of this kind
 *  nobody checks here: if it does not accept the message, the send is ALDIS_EUNACCEPTED. */
#define aldis_ref(kind, actor) ((kind##_ref){.id = (actor)})

/** How one message is to travel. Zeroes are the defaults. */
typedef struct aldis_send_opts {
    /** From now until it arrives; -1 asks for zero where 0 means the system's default delay.
     *  Live: default none. Virtual: default the system's default_delay_ns. Range 0 ..
     *  ALDIS_FOREVER. */
    aldis_ns delay_ns;
    aldis_lane lane; /**< default normal; ALDIS_LANE_CONTROL is refused */
} aldis_send_opts;

/** Ask for a delay of exactly zero (virtual time: to self, or where the system allows it). */
#define ALDIS_NO_DELAY ((aldis_ns)-1)

/** One entry of a batch. */
typedef struct aldis_send_item {
    aldis_id to;
    aldis_type *type;
    const void *payload; /**< borrowed; copied once */
    uint32_t size;       /**< bytes */
} aldis_send_item;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send a copy of payload to the actor `to`, from the handler that ctx belongs to.
 *
 * The message is counted as sent whatever happens, and on an error as rejected (or dropped, by the
 * mailbox's policy): the return value is how the sender is told. A refusal that is found only at
 * the receiver is told to the sender's on_undelivered hook.
 *
 * type:    not NULL; size must equal its size (any up to ALDIS_PAYLOAD_MAX for ALDIS_SIZE_VARIES).
 * Owner:   borrows payload for the call.
 * Thread:  the worker that runs the handler.          Blocks: never.
 * Errors:  ALDIS_EINVAL a bad argument, or a foreign context or id; ALDIS_ENOTFOUND no such actor
 *          ever was; ALDIS_ESTALE it has stopped; ALDIS_ESHUTDOWN it drains; ALDIS_EUNACCEPTED its
 *          kind does not accept the type; ALDIS_EFULL its mailbox or, under ALDIS_WAIT, the
 *          sender's own overflow is full, or holds more than is free of the system's memory_max;
 *          ALDIS_EDROPPED its policy dropped this message; ALDIS_ETOOLARGE; ALDIS_ENOMEM, also:
 *          memory_max is used up; ALDIS_ELOOKAHEAD (virtual time).
 */
ALDIS_API aldis_err aldis_ctx_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                       const void *payload, size_t size);

/** The same, with a delay or a lane. opts may be NULL. */
ALDIS_API aldis_err aldis_ctx_send_opts_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                            const void *payload, size_t size,
                                            const aldis_send_opts *opts);

/**
 * Send from a thread that is not a worker of the system; the sender is nobody.
 *
 * Under ALDIS_WAIT a full mailbox is ALDIS_EAGAIN here, since there is no actor to park.
 * In virtual time the message gets the time of the next window plus its delay.
 *
 * Thread: any but the system's workers.          Blocks: never.
 * Errors: as aldis_ctx_send_raw; ALDIS_EAGAIN; ALDIS_ESTATE the system has stopped, or this process
 *         is a fork of the one that made it.
 */
ALDIS_API aldis_err aldis_system_send_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                          const void *payload, size_t size);

/** The same, with a delay or a lane. opts may be NULL. */
ALDIS_API aldis_err aldis_system_send_opts_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                               const void *payload, size_t size,
                                               const aldis_send_opts *opts);

/**
 * As aldis_system_send_raw, but wait until there is room, at most timeout_ns (wall clock).
 *
 * Thread: any but the system's workers.          Blocks: up to timeout_ns (0 or more).
 * Errors: as aldis_system_send_raw, with ALDIS_ETIMEDOUT in place of ALDIS_EAGAIN.
 */
ALDIS_API aldis_err aldis_system_send_until_raw(aldis_system *system, aldis_id to, aldis_type *type,
                                                const void *payload, size_t size,
                                                aldis_ns timeout_ns);

/**
 * Begin a message in place: the payload of a new message of `type` to `to`, for the caller to fill
 * in. Its content is not initialised. End it with exactly one of aldis_post and aldis_discard,
 * inside the same handler.
 *
 * size:    as for aldis_ctx_send_raw.
 * Owner:   gives the payload on success; NULL on error (see aldis_error_last).
 * Thread:  the worker that runs the handler.          Blocks: never.
 * Errors:  ALDIS_EINVAL, ALDIS_ETOOLARGE, ALDIS_ENOMEM. The receiver is looked at by aldis_post.
 */
ALDIS_API void *aldis_build_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type, size_t size);

/** Send what aldis_build began. Owner: takes payload, whatever is returned. Errors: as a send. */
ALDIS_API aldis_err aldis_post(aldis_ctx *ctx, void *payload);

/** Give up what aldis_build began: nothing was sent. Owner: takes payload. NULL is ignored. */
ALDIS_API void aldis_discard(aldis_ctx *ctx, void *payload);

/**
 * Send many messages in one call, in order. Goes on after a failure, so that the rest arrives.
 *
 * items:        borrowed; count entries, 0 is fine.
 * out_accepted: may be NULL; how many sends returned ALDIS_OK. Written on every return.
 * Errors:       the first error of any entry (as aldis_ctx_send_raw), else ALDIS_OK.
 */
ALDIS_API aldis_err aldis_send_batch(aldis_ctx *ctx, const aldis_send_item *items, size_t count,
                                     size_t *out_accepted);

/** Answer the sender of the message being handled. Errors: as a send; ALDIS_ENORECEIVER it came
 *  from nobody. */
ALDIS_API aldis_err aldis_reply_raw(aldis_ctx *ctx, aldis_type *type, const void *payload,
                                    size_t size);

/**
 * Send blob's bytes as the payload of one message of `type` (whose size must be ALDIS_SIZE_VARIES):
 * the bytes are not copied, the handler gets a pointer to them. For payloads of any size.
 *
 * Owner:  takes a reference of its own; the caller keeps its reference.
 */
ALDIS_API aldis_err aldis_send_blob_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                        aldis_blob *blob);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus

/* The id in `to`, after the compiler has seen that `to` accepts `name`. */
#define ALDIS_TO_(to, name) ((void)sizeof *(to).accepts_->name, (to).id)
/* p, after the compiler has seen that it points to the payload of `name`. */
#define ALDIS_PAYLOAD_(p, name) _Generic((p), const name##_payload *: (p), name##_payload *: (p))
/* The function of its kind for a handler's context or for a system. */
#define ALDIS_FROM_(from, verb)                                                                    \
    _Generic((from), aldis_ctx *: aldis_ctx_##verb, aldis_system *: aldis_system_##verb)

/** Send message `name` with the given payload fields: aldis_send(ctx, pong, ping, .seq = 1).
 *  `from` is a handler's context or, in a thread of your own, the system. */
#define aldis_send(from, to, name, ...)                                                            \
    ALDIS_FROM_(from, send_raw)((from), ALDIS_TO_(to, name), &name##_type,                         \
                                ALDIS_NEW_(name, __VA_ARGS__), sizeof(name##_payload))

/** Send the message without payload `name`. (Other ways to send have such a form, too: in what
 *  sends, signal stands for send; what asks, replies or publishes ends in _signal.) */
#define aldis_signal(from, to, name)                                                               \
    ALDIS_FROM_(from, send_raw)((from), ALDIS_TO_(to, name), &name##_type, NULL, 0)

/** Send a copy of the payload that p points to. */
#define aldis_send_copy(from, to, name, p)                                                         \
    ALDIS_FROM_(from, send_raw)((from), ALDIS_TO_(to, name), &name##_type,                         \
                                ALDIS_PAYLOAD_(p, name), sizeof(name##_payload))

/** Send after delay nanoseconds (0 or more). */
#define aldis_send_after(from, delay, to, name, ...)                                               \
    ALDIS_FROM_(from, send_opts_raw)((from), ALDIS_TO_(to, name), &name##_type,                    \
                                     ALDIS_NEW_(name, __VA_ARGS__), name##_type.size,              \
                                     &(aldis_send_opts){.delay_ns = aldis_delay_(delay)})

/** Send the message without payload `name` after delay nanoseconds (0 or more). */
#define aldis_signal_after(from, delay, to, name)                                                  \
    ALDIS_FROM_(from, send_opts_raw)((from), ALDIS_TO_(to, name), &name##_type, NULL, 0,           \
                                     &(aldis_send_opts){.delay_ns = aldis_delay_(delay)})

/** Send a copy of the payload at p with options: &(aldis_send_opts){...}. */
#define aldis_send_with(from, to, name, p, ...)                                                    \
    ALDIS_FROM_(from, send_opts_raw)((from), ALDIS_TO_(to, name), &name##_type,                    \
                                     ALDIS_PAYLOAD_(p, name), name##_type.size, (__VA_ARGS__))

/** Send the message without payload `name` with options: &(aldis_send_opts){...}. */
#define aldis_signal_with(from, to, name, ...)                                                     \
    ALDIS_FROM_(from, send_opts_raw)((from), ALDIS_TO_(to, name), &name##_type, NULL, 0,           \
                                     (__VA_ARGS__))

/** Begin a message in place; gives name_payload * or NULL. See aldis_build_raw. */
#define aldis_build(ctx, to, name)                                                                 \
    ((name##_payload *)aldis_build_raw((ctx), ALDIS_TO_(to, name), &name##_type, name##_type.size))

/** Answer the sender with message `name`. Its kind is not known here: ALDIS_EUNACCEPTED at run
 *  time. */
#define aldis_reply(ctx, name, ...)                                                                \
    aldis_reply_raw((ctx), &name##_type, ALDIS_NEW_(name, __VA_ARGS__), name##_type.size)

/** Answer the sender with the message without payload `name`. */
#define aldis_reply_signal(ctx, name) aldis_reply_raw((ctx), &name##_type, NULL, 0)

#endif /* !__cplusplus */

/* A written delay of 0 means zero, not the default. */
static inline aldis_ns aldis_delay_(aldis_ns delay_ns)
{
    return delay_ns == 0 ? ALDIS_NO_DELAY : delay_ns;
}

#endif
