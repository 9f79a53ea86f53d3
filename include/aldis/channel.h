// SPDX-License-Identifier: Apache-2.0
/* channel.h: typed queues between threads, and between threads and actors. Layer: public.
 *
 *     struct reading { uint32_t sensor; float value; };
 *     ALDIS_MESSAGE(reading, struct reading);
 *     ALDIS_CHANNEL(reading);                     // gives reading_tx and reading_rx
 *
 *     reading_tx to;
 *     reading_rx from;
 *     aldis_channel_create(reading, &to, &from, &(aldis_channel_opts){.capacity_msgs = 64});
 *     aldis_channel_send(to, reading, .sensor = 1, .value = 20.5f);        // waits for room
 *     aldis_channel_receive(from, reading, &it);                           // waits for a message
 *
 * Sending one message through another's channel does not compile.
 *
 * A channel has any number of senders and one receiver (a broadcast: any number, each of which
 * gets everything). Both ends are counted handles. A sender may be used by several threads at once;
 * a receiver by one thread at a time. When the last sender is dropped the receiver gets what is
 * still queued, then ALDIS_ENOSENDER; when the receiver is dropped, senders get ALDIS_ENORECEIVER
 * and what was queued is discarded, and counted. Messages of one sending thread come in its order.
 *
 * Handlers never block: there, only the try_ forms work, the others are ALDIS_ESTATE.
 *
 * The audit of a channel: sent = received + refused + dropped + discarded + queued. */
#ifndef ALDIS_CHANNEL_H
#define ALDIS_CHANNEL_H

#include <aldis/actor.h>

/** The two ends; see ALDIS_CHANNEL for their typed forms. */
typedef struct aldis_tx aldis_tx;
typedef struct aldis_rx aldis_rx;

typedef enum aldis_channel_kind {
    ALDIS_CHANNEL_BOUNDED = 0, /**< full at its capacity */
    ALDIS_CHANNEL_UNBOUNDED,   /**< never full: asked for by name only */
    ALDIS_CHANNEL_ONESHOT,     /**< one message: its send takes the sender, its receive the
                                    receiver, each on ALDIS_OK */
    ALDIS_CHANNEL_BROADCAST    /**< every receiver gets every message; sends never wait: whoever
                                    lags by more than the capacity misses the oldest */
} aldis_channel_kind;

/** How a channel is made. */
typedef struct aldis_channel_opts {
    aldis_channel_kind kind;
    uint32_t capacity_msgs; /**< bounded, broadcast: 1 .. 2^24, no default; else ignored */
    /** Bounded: 0, or more than capacity_msgs (up to 2^24): the capacity doubles up to this when a
     *  sender finds the channel full, and halves down to capacity_msgs when, while as many messages
     *  as the capacity went through, never a quarter of it was used. Takes memory for what is
     *  queued only. */
    uint32_t capacity_max_msgs;
} aldis_channel_opts;

/** What has gone through a channel. Exact while nobody uses it. */
typedef struct aldis_channel_stats {
    uint64_t sent;          /**< sends that were asked for; a broadcast counts each receiver */
    uint64_t received;      /**< given to a receiver */
    uint64_t refused;       /**< the send returned an error */
    uint64_t dropped;       /**< broadcast: missed by a receiver that lagged */
    uint64_t discarded;     /**< still queued when the receiver was dropped */
    uint64_t queued;        /**< waiting now */
    uint64_t capacity_msgs; /**< now; unbounded: UINT64_MAX */
    uint32_t senders;       /**< handles */
    uint32_t receivers;
} aldis_channel_stats;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a channel for messages of `type` and give its first two ends.
 *
 * type:   a fixed size, 0 .. ALDIS_PAYLOAD_MAX.
 * Owner:  gives *out_tx and *out_rx: end each with its _drop.
 * Thread: any.          Blocks: never.
 * Errors: ALDIS_EINVAL an option, naming it; capacity 0; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_channel_create_raw(const aldis_channel_opts *opts, aldis_type *type,
                                             aldis_tx **out_tx, aldis_rx **out_rx);

/** One more sender of the same channel. Owner: gives it. Thread: any. Errors: ALDIS_EINVAL a
 *  oneshot has one. */
ALDIS_API aldis_err aldis_tx_clone(aldis_tx *sender, aldis_tx **out_tx);
/** Give a sender up. The last one closes the channel. Owner: takes sender; NULL is ignored. */
ALDIS_API void aldis_tx_drop(aldis_tx *sender);
/** No more sends, by any sender (ALDIS_ESHUTDOWN); what is queued still comes. The handles stay. A
 *  handler's close, in virtual time, takes effect at the end of the window, as its sends do.
 *  Thread: any. Not for a oneshot: drop its sender. */
ALDIS_API void aldis_tx_close(aldis_tx *sender);

/** One more receiver of a broadcast, which gets what is sent from now on. Owner: gives it. Errors:
 *  ALDIS_EINVAL another kind has one receiver; ALDIS_ENOMEM. */
ALDIS_API aldis_err aldis_rx_clone(aldis_rx *receiver, aldis_rx **out_rx);
/** Give a receiver up: what it has not received is discarded. Owner: takes receiver; NULL is
 *  ignored. */
ALDIS_API void aldis_rx_drop(aldis_rx *receiver);
/** Let no more in (sends: ALDIS_ENORECEIVER); what is queued can still be received, then comes
 *  ALDIS_ENOSENDER. Of a broadcast: the same for this receiver alone. */
ALDIS_API void aldis_rx_close(aldis_rx *receiver);

/**
 * Send a copy of payload; the try form never waits, the other until there is room, at most
 * timeout_ns (0 or more; ALDIS_FOREVER).
 *
 * From a handler the try form works, too. In virtual time such a send enters the channel at the end
 * of the window, in logical order, whatever the workers; if it is refused only then, on_undelivered
 * is told.
 *
 * size:   of the channel's type.
 * Owner:  borrows payload; a oneshot's send takes sender on ALDIS_OK.
 * Thread: any.          Blocks: never / up to timeout_ns.
 * Errors: ALDIS_EFULL (try), ALDIS_ETIMEDOUT; ALDIS_ENORECEIVER; ALDIS_ESHUTDOWN closed by
 *         aldis_tx_close; ALDIS_ESTATE would wait inside a handler; ALDIS_EINVAL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_channel_try_send_raw(aldis_tx *sender, const void *payload, size_t size);
ALDIS_API aldis_err aldis_channel_send_until_raw(aldis_tx *sender, const void *payload, size_t size,
                                                 aldis_ns timeout_ns);

/**
 * Receive the oldest message; the try form never waits, the other at most timeout_ns.
 *
 * ALDIS_EMISSED, from a broadcast: this receiver has lagged and has missed messages since it last
 * received; aldis_rx_missed says how many. The next receive gives the oldest that is still
 * there.
 *
 * out_payload: `size` bytes, of the channel's type; written on ALDIS_OK.
 * Owner:  a oneshot's receive takes receiver on ALDIS_OK.
 * Thread: one at a time.          Blocks: never / up to timeout_ns.
 * Errors: ALDIS_EAGAIN nothing is there (try), ALDIS_ETIMEDOUT; ALDIS_ENOSENDER nothing is there,
 *         nor will be; ALDIS_EMISSED; ALDIS_ESTATE would wait inside a handler; ALDIS_EINVAL;
 *         ALDIS_ENOMEM a thread's first wait.
 */
ALDIS_API aldis_err aldis_channel_try_receive_raw(aldis_rx *receiver, void *out_payload,
                                                  size_t size);
ALDIS_API aldis_err aldis_channel_receive_until_raw(aldis_rx *receiver, void *out_payload,
                                                    size_t size, aldis_ns timeout_ns);

/** How many messages its last ALDIS_EMISSED was about. */
ALDIS_API uint64_t aldis_rx_missed(const aldis_rx *receiver);

/**
 * Wait until at least one of several receivers has something to say (a message, or that there will
 * be none), at most timeout_ns. Of those that have, it picks the one that was picked longest ago:
 * none can starve another. A try_receive on it then does not give ALDIS_EAGAIN.
 *
 * receivers: borrowed; count 1 or more; of any kinds and channels.
 * Thread: the one that receives from them.          Blocks: up to timeout_ns (0 or more).
 * Errors: ALDIS_EINVAL count 0; ALDIS_ETIMEDOUT; ALDIS_ESTATE in a handler; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_select(aldis_rx *const *receivers, size_t count, aldis_ns timeout_ns,
                                 size_t *out_index);

/**
 * A channel whose receiver is an actor: each send becomes a message of `type` in its mailbox, from
 * nobody (or from the actor whose handler sends). Full is then what the mailbox says (with
 * ALDIS_WAIT; other policies reject or drop on arrival, and count it); the receiver is gone when
 * the actor has ended. Under virtual time the sends of other threads are inputs like
 * any other (see window.h).
 *
 * ended:  a signal that the actor gets when the last sender is dropped, or a sender closes; NULL:
 *         it is not told.
 * Owner:  gives *out_tx. Drop all senders before the system is destroyed.
 * Thread: any.          Blocks: never.
 * Errors: ALDIS_EINVAL; ALDIS_EUNACCEPTED its kind does not accept type or ended; ALDIS_ENOTFOUND,
 *         ALDIS_ESTALE, ALDIS_ESHUTDOWN the actor; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_channel_to_actor_raw(aldis_system *system, aldis_id actor,
                                               aldis_type *type, aldis_type *ended,
                                               aldis_tx **out_tx);

/**
 * For an actor that got ALDIS_EFULL: let it have the signal `type` once, as soon as there is room
 * (at once, if there is some now) or the channel is closed. Then it tries again.
 *
 * Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL; ALDIS_EUNACCEPTED its own kind does not accept the signal; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_channel_tell_room_raw(aldis_ctx *ctx, aldis_tx *sender, aldis_type *type);

/** The channel's figures, from either end. Thread: as the handle's. */
ALDIS_API void aldis_tx_stats(aldis_tx *sender, aldis_channel_stats *out_stats);
ALDIS_API void aldis_rx_stats(aldis_rx *receiver, aldis_channel_stats *out_stats);

#ifdef __cplusplus
}
#else

/** Give channels of message `name` their typed ends: name_tx and name_rx (field `raw`,
 *  for the calls above; copied freely, as a pointer is). */
#define ALDIS_CHANNEL(name)                                                                        \
    typedef struct name##_tx {                                                                     \
        aldis_tx *raw;                                                                             \
    } name##_tx;                                                                                   \
    typedef struct name##_rx {                                                                     \
        aldis_rx *raw;                                                                             \
    } name##_rx

/* The raw handle, after the compiler has seen that it is one for `name`. */
#define ALDIS_TX_(sender, name) _Generic((sender), name##_tx: (sender)).raw
#define ALDIS_RX_(receiver, name) _Generic((receiver), name##_rx: (receiver)).raw
#define ALDIS_INTO_(out, name) _Generic((out), name##_payload *: (out))

/** Make a channel: aldis_channel_create(reading, &to, &from, &(aldis_channel_opts){...}). */
#define aldis_channel_create(name, out_tx, out_rx, ...)                                            \
    aldis_channel_create_raw((__VA_ARGS__), &name##_type,                                          \
                             &_Generic((out_tx), name##_tx *: (out_tx))->raw,                      \
                                        &_Generic((out_rx), name##_rx *: (out_rx))->raw)

/** A channel of messages `name` to the actor that ref names, which must accept it. */
#define aldis_channel_to_actor(system, ref, name, out_tx)                                          \
    aldis_channel_to_actor_raw((system), ALDIS_TO_(ref, name), &name##_type, NULL,                 \
                               &_Generic((out_tx), name##_tx *: (out_tx))->raw)
/** The same, and the actor gets the signal `ended` when all senders are gone. */
#define aldis_channel_to_actor_ended(system, ref, name, ended, out_tx)                             \
    aldis_channel_to_actor_raw((system), ((void)ALDIS_TO_(ref, ended), ALDIS_TO_(ref, name)),      \
                               &name##_type, &ended##_type,                                        \
                               &_Generic((out_tx), name##_tx *: (out_tx))->raw)
/** In a handler: be sent the signal `name` when the channel has room. */
#define aldis_channel_tell_room(ctx, sender, name)                                                 \
    aldis_channel_tell_room_raw((ctx), (sender).raw, &name##_type)

/** Send message `name` with the given fields: wait for room; do not wait; wait for a time. */
#define aldis_channel_send(sender, name, ...)                                                      \
    aldis_channel_send_until(sender, ALDIS_FOREVER, name, __VA_ARGS__)
#define aldis_channel_try_send(sender, name, ...)                                                  \
    aldis_channel_try_send_raw(ALDIS_TX_(sender, name), ALDIS_NEW_(name, __VA_ARGS__),             \
                               name##_type.size)
#define aldis_channel_send_until(sender, timeout_ns, name, ...)                                    \
    aldis_channel_send_until_raw(ALDIS_TX_(sender, name), ALDIS_NEW_(name, __VA_ARGS__),           \
                                 name##_type.size, (timeout_ns))

/** Receive message `name` into *out (name_payload): wait for one; do not wait; wait for a time. */
#define aldis_channel_receive(receiver, name, out)                                                 \
    aldis_channel_receive_until(receiver, ALDIS_FOREVER, name, out)
#define aldis_channel_try_receive(receiver, name, out)                                             \
    aldis_channel_try_receive_raw(ALDIS_RX_(receiver, name), ALDIS_INTO_(out, name),               \
                                  name##_type.size)
#define aldis_channel_receive_until(receiver, timeout_ns, name, out)                               \
    aldis_channel_receive_until_raw(ALDIS_RX_(receiver, name), ALDIS_INTO_(out, name),             \
                                    name##_type.size, (timeout_ns))
#endif

#endif
