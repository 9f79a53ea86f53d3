// SPDX-License-Identifier: Apache-2.0
/* link.h: what an actor's messages to one other actor have in common, in virtual time. Layer:
 * public.
 *
 * A link goes one way, from the actor that opens it to another (or to itself). It belongs to the
 * one that opened it and ends with it. Without a link a message takes the delay of its send, or
 * the system's default, and a later message with a shorter delay overtakes an earlier one. */
#ifndef ALDIS_LINK_H
#define ALDIS_LINK_H

#include <aldis/error.h>
#include <aldis/types.h>

/** How a link behaves. Zeroes are the defaults. */
typedef struct aldis_link_opts {
    aldis_ns latency_ns; /**< delay of a send without one; default: the system's default delay */
    bool fifo;           /**< no message arrives before its predecessor, whatever their delays */
} aldis_link_opts;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Declare the link from this actor to `to`, for what it sends from now on; a second call changes
 * it.
 *
 * With `fifo` a message that would arrive before its predecessor arrives at the same time, and
 * after it if their lanes are the same.
 *
 * to:     not nobody; it need not be alive.
 * opts:   borrowed; NULL: all defaults. latency_ns: 0, or the lookahead or more (to oneself, or
 *         where the system allows short or zero delays: any).
 * Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL; ALDIS_ELOOKAHEAD the latency is below the lookahead; ALDIS_ESTATE a live
 *         system; ALDIS_EAGAIN the actor has 65,536 links already; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_link_open(aldis_ctx *ctx, aldis_id to, const aldis_link_opts *opts);

/** Forget the link to `to`: what is sent from now on may overtake. Errors: ALDIS_EINVAL;
 *  ALDIS_ENOTFOUND there is none; ALDIS_ESTATE a live system. */
ALDIS_API aldis_err aldis_link_close(aldis_ctx *ctx, aldis_id to);

#ifdef __cplusplus
}
#endif

#endif
