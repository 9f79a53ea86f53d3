// SPDX-License-Identifier: Apache-2.0
/* ask.h: requests and their replies. Layer: public.
 *
 * A request is a message that is answered by another; which one is said once, beside the two:
 *
 *     ALDIS_MESSAGE(price, struct price);       // { uint32_t item; }
 *     ALDIS_MESSAGE(quote, struct quote);       // { uint32_t item, cents; }
 *     ALDIS_REQUEST(price, quote);              // a price is answered by a quote
 *
 * The actor that is asked lists `price` in its protocol and answers in its handler:
 *
 *     return aldis_reply(ctx, quote, .item = msg->item, .cents = 250);
 *
 * The one that asks has a handler for the answer, whose signature the compiler checks:
 *
 *     static aldis_err buyer_on_quote(struct buyer *self, const aldis_answer *answer,
 *                                     const quote_payload *quote, aldis_ctx *ctx);
 *     ALDIS_ON_REPLY(buyer_on_quote, struct buyer, price);
 *
 *     err = aldis_ask(ctx, shop, price, buyer_on_quote, NULL, .item = 7);
 *
 * Each ask that returned ALDIS_OK is answered exactly once as long as the asker lives and is not
 * restarted: by a reply, or by the reason why there is none. An asker's mailbox always has room for
 * its answers.
 *
 * Deadlines travel. A request carries its deadline; who asks on behalf of a request inherits what
 * is left of it. A request whose deadline has come before its turn is not run: it is counted as
 * expired, and its asker hears ALDIS_ETIMEDOUT, once. A reply that comes too late reaches nobody:
 * it is counted as expired.
 *
 * An actor may wait for at most `asks_max` answers (a system option, default 100,000), and owe as
 * many; the next ask is refused with ALDIS_EAGAIN.
 *
 * In virtual time a time-out comes at the nanosecond of the deadline. */
#ifndef ALDIS_ASK_H
#define ALDIS_ASK_H

#include <aldis/actor.h>

/** The time-out of an ask that gives none. */
#define ALDIS_ASK_TIMEOUT_DEFAULT (5 * ALDIS_SECOND)

/** Which message answers which. Made by ALDIS_REQUEST. */
typedef struct aldis_request {
    aldis_type *type;  /**< of the request */
    aldis_type *reply; /**< of its reply */
} aldis_request;

/** What became of a request. */
typedef struct aldis_answer {
    /** ALDIS_OK: the reply is there. ALDIS_ETIMEDOUT: none came in time; whether the request was
     *  handled is not known. ALDIS_EHANDLER: its handler failed. ALDIS_ENOREPLY: its handler ended
     *  without an answer. ALDIS_ENORECEIVER: the actor that had promised one has ended or failed.
     *  Else why the request did not get there (ALDIS_ESTALE, ALDIS_EFULL, ALDIS_EDROPPED,
     *  ALDIS_ESHUTDOWN), or what aldis_reply_error() was given. */
    aldis_err err;
    uint32_t reserved;
    aldis_id from;    /**< who answered; without a reply, who was asked */
    uint64_t context; /**< as it was given to the ask */
} aldis_answer;

/** Handles an answer; reply is NULL unless answer->err is ALDIS_OK. Made by ALDIS_ON_REPLY. */
typedef struct aldis_on_reply {
    const aldis_request *request;
    aldis_err (*handle)(void *state, const aldis_answer *answer, const void *reply, aldis_ctx *ctx);
    size_t state_size; /**< bytes of the asker's state */
} aldis_on_reply;

/** How to ask. Zeroes are the defaults; the pointer to it may be NULL. */
typedef struct aldis_ask_opts {
    aldis_ns timeout_ns;  /**< 1 or more; 0: 5 s; ALDIS_FOREVER: no time-out of its own */
    aldis_ns deadline_ns; /**< a moment of the system's time, beside the time-out; 0: none */
    aldis_ns delay_ns;    /**< as for a send */
    uint64_t context;     /**< comes back with the answer */
    aldis_lane lane;      /**< of the request and of its reply */
} aldis_ask_opts;

/** The right, and the duty, to answer a request later. */
typedef struct aldis_promise {
    uint64_t bits; /**< 0: none */
} aldis_promise;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Send a request; on_reply->handle is called with its answer, in a later turn of this actor.
 *
 * The deadline is the earliest of: now + timeout_ns, deadline_ns, and what aldis_deadline() says.
 *
 * on_reply: of this actor's own state; static. Its request tells the types.
 * Owner:  borrows payload and opts.
 * Thread: the worker that runs the handler.          Blocks: never.
 * Errors: as aldis_ctx_send_raw, and then there is no answer; ALDIS_EEXPIRED the deadline has
 *         passed already; ALDIS_EAGAIN the actor waits for asks_max answers; ALDIS_ESHUTDOWN also:
 *         this actor is stopping; ALDIS_EINVAL also: a negative time, a handler for another state,
 *         a request that is answered by another type elsewhere.
 */
ALDIS_API aldis_err aldis_ask_raw(aldis_ctx *ctx, aldis_id to, const aldis_on_reply *on_reply,
                                  const void *payload, size_t size, const aldis_ask_opts *opts);

/**
 * Ask from a thread that is not a worker of the system, and wait for the reply. Both types must be
 * of fixed size.
 *
 * Live, timeout_ns is the request's deadline, too. In virtual time it is wall time that only the
 * caller waits: another thread has to run the system meanwhile, and the request has no deadline.
 *
 * out_reply:  room for the reply, whose alignment is that of its type; written on ALDIS_OK only.
 * timeout_ns: 1 or more; 0: 5 s; ALDIS_FOREVER: no limit.
 * Thread: any but the system's workers.          Blocks: up to timeout_ns.
 * Errors: as aldis_system_send_raw; every error of aldis_answer, in particular ALDIS_ETIMEDOUT.
 */
ALDIS_API aldis_err aldis_call_raw(aldis_system *system, aldis_id to, const aldis_request *request,
                                   const void *payload, void *out_reply, aldis_ns timeout_ns);

/** When the request being handled must be answered, or what is asked on its behalf: a moment of the
 *  system's time. ALDIS_FOREVER: there is no limit. */
ALDIS_API aldis_ns aldis_deadline(const aldis_ctx *ctx);

/** Who asked the request being handled, whoever forwarded it; nobody: an outside thread, or it is
 *  no request. */
ALDIS_API aldis_id aldis_asker(const aldis_ctx *ctx);

/*
 * A request is answered in its handler by aldis_reply() (message.h), or by one of the calls here.
 * It is answered once: a second answer is ALDIS_ESTATE. A reply of another type than ALDIS_REQUEST
 * says is ALDIS_EUNACCEPTED. When the asker has ended, the reply is a counted dead letter and the
 * call returns ALDIS_ESTALE. A handler that ends without any of it fails the ask at once:
 * ALDIS_ENOREPLY, or ALDIS_EHANDLER if it returned an error.
 *
 * Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE answered already, or no request is being handled; those above.
 */

/** Answer with a reason instead of a reply: the asker's answer->err. err: not ALDIS_OK. */
ALDIS_API aldis_err aldis_reply_error(aldis_ctx *ctx, aldis_err err);

/** Hand the request on to another actor, which answers in this one's stead; asker and deadline stay
 *  as they are. Errors also: as a send (the request is then still this handler's). */
ALDIS_API aldis_err aldis_forward(aldis_ctx *ctx, aldis_id to);

/** Take the right to answer later, from any handler of this actor. If the actor ends first, the
 *  asker hears ALDIS_ENORECEIVER. Errors also: ALDIS_EAGAIN this actor owes asks_max answers;
 *  ALDIS_ENOMEM. */
ALDIS_API aldis_err aldis_promise_take(aldis_ctx *ctx, aldis_promise *out_promise);

/** Keep a promise of this actor: as aldis_reply(). Errors also: ALDIS_ENOTFOUND it was kept
 *  already, or is not this actor's. */
ALDIS_API aldis_err aldis_promise_reply_raw(aldis_ctx *ctx, aldis_promise promise, aldis_type *type,
                                            const void *payload, size_t size);

/** Break it: as aldis_reply_error(). */
ALDIS_API aldis_err aldis_promise_error(aldis_ctx *ctx, aldis_promise promise, aldis_err err);

/** How many answers this actor waits for. */
ALDIS_API uint32_t aldis_asks_pending(const aldis_ctx *ctx);

#ifdef __cplusplus
}
#else

/** Say that message `name` is answered by message `reply`. Both are declared above it. */
#define ALDIS_REQUEST(name, reply)                                                                 \
    typedef reply##_payload name##_reply_payload;                                                  \
    ALDIS_UNUSED_ static const aldis_request name##_request = {&name##_type, &reply##_type};       \
    typedef struct name##_on_reply {                                                               \
        aldis_on_reply raw;                                                                        \
    } name##_on_reply

/* The type of the handlers of answers to request `name`. */
#define ALDIS_HANDLES_(state, name)                                                                \
    aldis_err (*)(state *, const aldis_answer *, const name##_reply_payload *, aldis_ctx *)

/** Say that function `handler` handles the answers to request `name`, for actors whose state is
 *  `state`. It stands below the function. */
#define ALDIS_ON_REPLY(handler, state, name)                                                       \
    _Static_assert(_Generic(&handler, ALDIS_HANDLES_(state, name): 1, default: 0),                 \
                            #handler ": the signature does not fit the reply to " #name);          \
    static aldis_err handler##_thunk_(void *self, const aldis_answer *answer, const void *reply,   \
                                      aldis_ctx *ctx)                                              \
    {                                                                                              \
        return (&handler)(self, answer, reply, ctx);                                               \
    }                                                                                              \
    static const name##_on_reply handler##_entry_ = {                                              \
        {&name##_request, handler##_thunk_, sizeof(state)}}

/* The entry of a handler, after the compiler has seen that it is for this request. */
#define ALDIS_ANSWERED_BY_(handler, name)                                                          \
    _Generic(&handler##_entry_, const name##_on_reply *: &handler##_entry_.raw)

/** Options for an ask: aldis_ask_with(.timeout_ns = ALDIS_MS, .context = 3). */
#define aldis_ask_with(...) (&(aldis_ask_opts){__VA_ARGS__})

/** Ask with request `name` and these payload fields. opts: aldis_ask_with(...), or NULL. */
#define aldis_ask(ctx, to, name, handler, opts, ...)                                               \
    aldis_ask_raw((ctx), ALDIS_TO_(to, name), ALDIS_ANSWERED_BY_(handler, name),                   \
                  ALDIS_NEW_(name, __VA_ARGS__), name##_type.size, (opts))

/** Ask with the request without payload `name`. */
#define aldis_ask_signal(ctx, to, name, handler, opts)                                             \
    aldis_ask_raw((ctx), ALDIS_TO_(to, name), ALDIS_ANSWERED_BY_(handler, name), NULL, 0, (opts))

/** Ask with a copy of the payload that p points to. */
#define aldis_ask_copy(ctx, to, name, handler, opts, p)                                            \
    aldis_ask_raw((ctx), ALDIS_TO_(to, name), ALDIS_ANSWERED_BY_(handler, name),                   \
                  ALDIS_PAYLOAD_(p, name), name##_type.size, (opts))

/* out, after the compiler has seen that it points to the reply of `name`. */
#define ALDIS_REPLY_TO_(out, name) _Generic((out), name##_reply_payload *: (out))

/** Call from outside with request `name` and these payload fields; *out_reply is its reply. */
#define aldis_call(system, to, name, out_reply, timeout, ...)                                      \
    aldis_call_raw((system), ALDIS_TO_(to, name), &name##_request, ALDIS_NEW_(name, __VA_ARGS__),  \
                   ALDIS_REPLY_TO_(out_reply, name), (timeout))

/** Call from outside with the request without payload `name`. */
#define aldis_call_signal(system, to, name, out_reply, timeout)                                    \
    aldis_call_raw((system), ALDIS_TO_(to, name), &name##_request, NULL,                           \
                   ALDIS_REPLY_TO_(out_reply, name), (timeout))

/** Keep a promise with message `reply`. */
#define aldis_promise_reply(ctx, promise, reply, ...)                                              \
    aldis_promise_reply_raw((ctx), (promise), &reply##_type, ALDIS_NEW_(reply, __VA_ARGS__),       \
                            reply##_type.size)

/** Keep a promise with the message without payload `reply`. */
#define aldis_promise_reply_signal(ctx, promise, reply)                                            \
    aldis_promise_reply_raw((ctx), (promise), &reply##_type, NULL, 0)
#endif

#endif
