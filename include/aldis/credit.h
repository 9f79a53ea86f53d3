// SPDX-License-Identifier: Apache-2.0
/* credit.h: the receiver says how much may be sent to it. Layer: public.
 *
 * A sender opens a stream to a receiver, and the receiver grants it credit: so many messages may be
 * on their way to it or wait in its mailbox. A credit is used by a send and comes back when the
 * message has been handled, dropped, has expired or is dead. The place of a granted message in the
 * receiver's mailbox is kept for it: so a stream never parks its sender, and a slow receiver holds
 * up nothing but its own streams.
 *
 *     aldis_credit_accept(ctx, &(aldis_credit_terms){.window = 32, .total = 256}); // the receiver
 *
 *     aldis_credit_open(ctx, depot.id, NULL);                                      // the sender
 *     if (aldis_credit_try_send(ctx, depot, cargo, .tonnes = 3) == ALDIS_EAGAIN)
 *         ...; // an aldis_credit_notice comes when there is credit
 *     aldis_credit_send(ctx, depot, cargo, .tonnes = 3);  // or: it waits in the stream's outbox
 *
 * Grants count from the stream's beginning, so that one that is lost or comes twice does no harm
 * (Kung, Blackwell, Chapman: Credit-based flow control for ATM networks, SIGCOMM'94).
 * What streams tell each other is control, and needs no credit. */
#ifndef ALDIS_CREDIT_H
#define ALDIS_CREDIT_H

#include <aldis/actor.h>

/** How a receiver grants. Zeroes are the defaults. */
typedef struct aldis_credit_terms {
    uint32_t window;      /**< credits that one sender may hold: 1 .. 65536; default 64 */
    uint32_t total;       /**< that all senders together may hold: 1 .. 2^24; default 1024, or the
                               window if that is more. Where all want more than there is, each gets
                               an equal share; what others leave unused is taken back for it */
    uint32_t streams_max; /**< senders at a time: 1 .. 2^20; default 65536 */
    bool manual;          /**< credit comes back by aldis_credit_grant, not by the handler's end */
    bool lasting;         /**< with manual: what is owed outlives a restart of the receiver, which
                               then has to know of it. Else the restart grants it */
    aldis_ns refresh_ns;  /**< what may have been lost is told again after this: 1 us or more;
                               default 1 s */
    /** A message that has not come so long after a later one (or after it should have) counts as
     *  lost: its credit comes back, and if it comes yet, it is dropped. 1 us or more; default 1 s.
     *  Only in virtual time, where a fault plan loses messages. */
    aldis_ns lost_after_ns;
} aldis_credit_terms;

/** How a sender uses a stream. Zeroes are the defaults. */
typedef struct aldis_credit_opts {
    uint32_t outbox_msgs;  /**< that wait for credit: 1 .. 2^20; default 1024 */
    uint32_t outbox_bytes; /**< of their payloads: 1 .. 2^31-1; default 1 MiB. An empty outbox takes
                                one message of any size, or that could never be sent */
    aldis_lane lane;       /**< of all its messages; default normal */
    aldis_ns expiry_ns;  /**< a message not handled so long after its send expires; default never */
    aldis_ns refresh_ns; /**< as the receiver's: 1 us or more; default 1 s */
    uint64_t context;    /**< the sender's own; comes back in its notices */
} aldis_credit_opts;

/** Told to a sender: credit has come, after a send was refused for the lack of it (or there is room
 *  in the outbox, if that was full); or its stream has ended, once. A kind that opens streams lists
 *  aldis_credit_notice in its protocol. */
typedef struct aldis_credit_notice {
    aldis_id to; /**< the stream's receiver */
    uint64_t context;
    uint32_t available; /**< credits; others may wait in the outbox for them */
    uint32_t room;      /**< messages that the outbox would take */
    uint32_t result;    /**< an aldis_err. ALDIS_OK: there is credit. Else the stream has ended:
                             ALDIS_ESTALE, ALDIS_ENOTFOUND the receiver has; ALDIS_ESHUTDOWN it is
                             about to; ALDIS_EREFUSED it takes no streams, or not this one any more;
                             ALDIS_EFULL it has streams_max already; ALDIS_ENOMEM */
    uint32_t discarded; /**< that waited in the outbox of a stream that has ended: dead letters */
} aldis_credit_notice;
ALDIS_MESSAGE(aldis_credit_notice, aldis_credit_notice);

/** A stream, to its sender: submitted = sent + refused + expired + discarded + waiting. */
typedef struct aldis_credit_stats {
    uint64_t granted;   /**< credits since it was opened, taken back ones not counted */
    uint64_t available; /**< = granted - sent */
    uint64_t submitted; /**< calls of the two sends */
    uint64_t sent;      /**< messages that have used a credit */
    uint64_t refused;   /**< calls that returned an error: no credit, outbox full, or another; or
                             refused when their turn in the outbox had come */
    uint64_t expired;   /**< in the outbox */
    uint64_t discarded; /**< from the outbox, when the stream ended */
    uint32_t waiting, waiting_peak; /**< messages in the outbox */
    uint64_t waiting_bytes;
    uint64_t notices;   /**< that told of credit */
    uint64_t refreshes; /**< how often it asked again, since no answer had come */
    aldis_err result;   /**< ALDIS_OK: it is open */
} aldis_credit_stats;

/** The receiver's books: granted = returned + lost + taken_back + outstanding. */
typedef struct aldis_credit_books {
    uint32_t streams;     /**< open now; of one sender: 0 or 1 */
    uint32_t closing;     /**< ended, with messages still to be handled */
    uint32_t hungry;      /**< that wait for credit, as far as their senders could tell */
    uint32_t share;       /**< of a sender, now, if all want credit */
    uint64_t outstanding; /**< credits in the senders' hands, on their way or in the mailbox */
    uint64_t owed;        /**< of them, with manual terms: handled, and not granted again */
    uint64_t granted, returned, taken_back;
    uint64_t lost;       /**< whose message was lost on the way */
    uint64_t duplicates; /**< messages that had come before, or so late that they counted as lost */
    uint64_t refreshes;  /**< grants told again */
} aldis_credit_books;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Take streams from now on, on these terms (NULL: the defaults). Called again, also after a
 * restart, it changes the terms: streams that there are keep theirs, but share the new total.
 * Streams outlive a restart of their receiver.
 *
 * Thread: the handler's worker; on_start is a good place.          Blocks: never.
 * Errors: ALDIS_EINVAL a term, naming it, or a foreign context; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_credit_accept(aldis_ctx *ctx, const aldis_credit_terms *terms);

/**
 * With manual terms: so many messages of this sender, which have been handled, are done with, and
 * their credit comes back. For receivers whose work goes on after the handler has ended. What was
 * owed before a restart of the receiver is granted by the restart, unless the terms are lasting.
 *
 * Errors: ALDIS_EINVAL count is 0, or more than is owed: nothing was done; or a foreign context.
 */
ALDIS_API aldis_err aldis_credit_grant(aldis_ctx *ctx, aldis_id sender, uint32_t count);

/** End this sender's stream: it is told ALDIS_EREFUSED. What it has sent is still handled. Errors:
 *  ALDIS_ENOTFOUND it has none open. */
ALDIS_API aldis_err aldis_credit_refuse(aldis_ctx *ctx, aldis_id sender);

/** The receiver's books with one sender, or (nobody) with all since the first accept. Errors:
 *  ALDIS_ENOTFOUND; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_credit_get_books(aldis_ctx *ctx, aldis_id sender,
                                           aldis_credit_books *out_books);

/**
 * Open a stream to a receiver. Its first credit comes with the receiver's answer; until then sends
 * wait in the outbox, or return ALDIS_EAGAIN. It ends with the sender, its restart, or the
 * receiver, or when either ends it. One that has ended may be opened again.
 *
 * opts:   may be NULL.
 * Errors: ALDIS_EEXISTS there is one; ALDIS_EUNACCEPTED the sender's own kind does not list
 *         aldis_credit_notice; ALDIS_EINVAL an option, naming it, or the actor itself;
 *         ALDIS_ENOTFOUND, ALDIS_ESTALE, ALDIS_ESHUTDOWN the receiver; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_credit_open(aldis_ctx *ctx, aldis_id to, const aldis_credit_opts *opts);

/** End a stream and forget it: what waits in its outbox becomes dead letters (ALDIS_ESTATE), what
 *  was sent goes on, unused credit goes back. Errors: ALDIS_ENOTFOUND. */
ALDIS_API aldis_err aldis_credit_close(aldis_ctx *ctx, aldis_id to);

/**
 * Send if there is credit and nothing waits in the outbox; else not at all.
 *
 * Owner:  borrows payload.          Thread: the handler's worker.          Blocks: never; never
 *         parks the sender.
 * Errors: ALDIS_EAGAIN no credit: a notice will come; ALDIS_ENOTFOUND there is no stream; if it has
 *         ended: why; else as aldis_ctx_send_raw. A receiver that has ended or drains ends it.
 */
ALDIS_API aldis_err aldis_credit_try_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                              const void *payload, size_t size);

/** Send, or wait in the outbox: what waits is sent in order as credit comes. What is refused, or
 *  expires, while it waits is told to on_undelivered. Errors: as above, but ALDIS_EFULL the outbox
 *  is: a notice will come when it is half empty; ALDIS_ENOMEM. */
ALDIS_API aldis_err aldis_credit_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                          const void *payload, size_t size);

/** Errors: ALDIS_ENOTFOUND there is no stream; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_credit_get_stats(aldis_ctx *ctx, aldis_id to,
                                           aldis_credit_stats *out_stats);

#ifdef __cplusplus
}
#else
/** Send message `name` over the stream to `to`, a typed reference: only if it can go now. */
#define aldis_credit_try_send(ctx, to, name, ...)                                                  \
    aldis_credit_try_send_raw((ctx), ALDIS_TO_(to, name), &name##_type,                            \
                              ALDIS_NEW_(name, __VA_ARGS__), name##_type.size)
/** The same, or let it wait in the outbox. */
#define aldis_credit_send(ctx, to, name, ...)                                                      \
    aldis_credit_send_raw((ctx), ALDIS_TO_(to, name), &name##_type, ALDIS_NEW_(name, __VA_ARGS__), \
                          name##_type.size)
/** The same two for the message without payload `name`. */
#define aldis_credit_try_signal(ctx, to, name)                                                     \
    aldis_credit_try_send_raw((ctx), ALDIS_TO_(to, name), &name##_type, NULL, 0)
#define aldis_credit_signal(ctx, to, name)                                                         \
    aldis_credit_send_raw((ctx), ALDIS_TO_(to, name), &name##_type, NULL, 0)
#endif

#endif
