// SPDX-License-Identifier: Apache-2.0
/* stash.h: keep a message aside until later. Layer: public.
 *
 * An actor that is not ready for a message keeps it aside, and takes all such messages back when it
 * is:
 *
 *     static aldis_err store_on_get(struct store *self, const struct get *msg, aldis_ctx *ctx)
 *     {
 *         if (!self->loaded)
 *             return aldis_stash(ctx);
 *         ...
 *
 * A stash is bounded (`stash_msgs` and `capacity_bytes` of aldis_mailbox_opts). What is in it
 * counts as queued, and as handled once, when it has been; it keeps its sender, survives a pause,
 * and becomes dead letters with the end of its actor. */
#ifndef ALDIS_STASH_H
#define ALDIS_STASH_H

#include <aldis/error.h>
#include <aldis/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Keep the message that is being handled. To be the last thing that its handler does with it:
 * `return aldis_stash(ctx);`.
 *
 * A full stash rejects the message, as aldis_reject with ALDIS_EFULL; a handler may return that,
 * too: it does not count as a failure. A timer's message is one like any other once it is kept: its
 * timer has fired. Only ticks of a periodic timer still go when that is cancelled.
 *
 * Thread: the worker that runs the handler.          Blocks: never.
 * Errors: ALDIS_EFULL the message was rejected; ALDIS_ESTATE no message is being handled, or it was
 *         kept or rejected already; ALDIS_EINVAL a foreign context; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_stash(aldis_ctx *ctx);

/**
 * Take back all that was kept: it stands before everything else in the mailbox, each message in its
 * own lane, in the order in which it was kept, and is handled after this handler. For as long the
 * mailbox may hold more than its capacity. Nothing kept is fine.
 *
 * Thread: the worker that runs the handler.          Blocks: never.          Cost: O(messages).
 * Errors: ALDIS_EINVAL a foreign context; ALDIS_ELOOP (virtual time) taken back more than
 *         microsteps_max times at one instant: the run ends; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_unstash_all(aldis_ctx *ctx);

/** How many messages this actor keeps aside. 0 for a foreign context. */
ALDIS_API uint32_t aldis_stashed(const aldis_ctx *ctx);

/**
 * Do not handle the message that is being handled: it counts as rejected instead, and its sender is
 * told why (its on_undelivered hook; nobody is told of what came from outside).
 *
 * reason: any error but ALDIS_OK, such as ALDIS_EREFUSED. A handler that returns it has not failed.
 * Thread: the worker that runs the handler.          Blocks: never.
 * Returns reason. Errors: ALDIS_EINVAL a foreign context, or reason is no error; ALDIS_ESTATE as
 *         aldis_stash.
 */
ALDIS_API aldis_err aldis_reject(aldis_ctx *ctx, aldis_err reason);

#ifdef __cplusplus
}
#endif
#endif
