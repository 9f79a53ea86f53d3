// SPDX-License-Identifier: Apache-2.0
/* store.h: messages and states that outlive the process. Layer: public.
 *
 * A store is one SQLite file, embedded: no server. An actor opens it in its on_start under a name
 * of its own, which stands for it in the file: its durable state (ALDIS_DURABLE) is filled in, and
 * what it had sent and was not confirmed yet is under way again. Then it sends to other such actors
 * by their names:
 *
 *     aldis_durable_open(ctx, store, "till-3", &restored);         // in on_start
 *     aldis_send_durable(ctx, "ledger", payment, 0, &id, .cents = 250);
 *
 * The sender is told twice: by aldis_accepted, after the message is committed to the file (only
 * then is it sent), and by aldis_delivered, after its effect is: the receiver's state and the
 * number of the message are committed in one transaction, and only then is the message
 * acknowledged. So after a crash at any moment (kill -9, power), and a start with the same file,
 * every accepted message has its effect exactly once. Commits are batched. */
#ifndef ALDIS_STORE_H
#define ALDIS_STORE_H

#include <aldis/delivery.h>
#include <aldis/message.h>

/** One open file. */
typedef struct aldis_store aldis_store;

/** How a store is opened. Zeroes are the defaults. */
typedef struct aldis_store_opts {
    uint32_t queue_max; /**< changes that wait to be committed, 1 .. 2^24; default 16,384 */
    bool unsynced;      /**< a commit does not wait for the disk: safe from kill -9, not from power
                             failure */
} aldis_store_opts;

/** A durable message is committed, or could not be. Only the runtime sends it. An actor that
 *  discards its mail at a restart discards this, too. */
typedef struct aldis_accepted {
    aldis_message_id id; /**< `to` is nobody: the receiver is a name */
    uint64_t context;
    uint32_t result; /**< aldis_err: ALDIS_OK; ALDIS_EIO the file could not be written, and the
                          message is as if it had never been sent */
    uint32_t reserved;
} aldis_accepted;
ALDIS_MESSAGE(aldis_accepted, aldis_accepted);

/** Figures of a store. */
typedef struct aldis_store_stats {
    uint64_t commits, failed_commits;
    uint64_t accepted, refused; /**< messages */
    uint64_t saved;             /**< states with the number of the message that made them */
    uint64_t queued;            /**< changes that wait now */
} aldis_store_stats;

#define ALDIS_DURABLE_NAME_MAX 63 /**< bytes of a name in a store */

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Open a file, or make it. One process at a time: it is locked until aldis_store_close.
 *
 * opts:   may be NULL.
 * Owner:  gives *out_store; it must stay open while actors use it.
 * Thread: any but the workers.          Blocks: while it reads and checks the whole file.
 * Errors: ALDIS_EIO with the reason: it cannot be read or written, is locked by another process, or
 *         is read-only; ALDIS_ECODEC it is no store of ours, of a newer version, or damaged;
 *         ALDIS_EINVAL; ALDIS_ENOMEM; ALDIS_EAGAIN no thread could be made.
 */
ALDIS_API aldis_err aldis_store_open(const char *path, const aldis_store_opts *opts,
                                     aldis_store **out_store);

/** Commit what waits, and close: after the systems whose actors use it are destroyed. Owner: takes
 *  store. NULL is ignored. Errors: ALDIS_EIO what waited could not be committed. */
ALDIS_API aldis_err aldis_store_close(aldis_store *store);

/** Thread: any. */
ALDIS_API void aldis_store_get_stats(aldis_store *store, aldis_store_stats *out_stats);

/**
 * Be `name` in the store, from on_start. The durable part of the state is filled in as it was
 * committed last; what was pending is sent again.
 *
 * out_restored: may be NULL; there was a state.
 * Blocks: while it reads.
 * Errors: ALDIS_EUNACCEPTED the protocol does not list aldis_accepted and aldis_delivered (one that
 *         only receives need not: then sending is refused); ALDIS_EEXISTS another actor has the
 *         name now; ALDIS_ESTATE this actor has a name already; ALDIS_ECODEC the saved state is not
 *         of this size, or damaged; ALDIS_EIO; ALDIS_EINVAL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_durable_open(aldis_ctx *ctx, aldis_store *store, const char *name,
                                       bool *out_restored);

/**
 * Send durably: effect-once, in order, tried until it succeeds. The type needs a codec (wire.h):
 * the file holds its frame, with version and checksum.
 *
 * context: comes back with both answers.          out_id: may be NULL.
 * Owner:   borrows payload.          Thread: the handler's worker.          Blocks: never in live
 *          mode; in virtual time while it commits.
 * Errors:  ALDIS_ESTATE the actor has not opened a store; ALDIS_EUNACCEPTED its protocol does not
 *          list aldis_accepted and aldis_delivered; ALDIS_EAGAIN 1024 messages to this receiver are
 *          not confirmed, or the store's queue is full; ALDIS_EINVAL no codec, a bad name;
 *          ALDIS_ECODEC the payload breaks a rule of its codec; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_send_durable_raw(aldis_ctx *ctx, const char *to, aldis_type *type,
                                           const void *payload, uint64_t context,
                                           aldis_message_id *out_id);

#ifdef __cplusplus
}
#else
/** Send message `name` durably: aldis_send_durable(ctx, "ledger", payment, 0, &id, .cents = 250) */
#define aldis_send_durable(ctx, to, name, context, out_id, ...)                                    \
    aldis_send_durable_raw((ctx), (to), &name##_type, ALDIS_NEW_(name, __VA_ARGS__), (context),    \
                           (out_id))
#endif

#endif
