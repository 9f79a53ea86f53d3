// SPDX-License-Identifier: Apache-2.0
/* offload.h: blocking work, away from the workers. Layer: public. */
#ifndef ALDIS_OFFLOAD_H
#define ALDIS_OFFLOAD_H

#include <aldis/message.h>

/** Blocking work: reads arg, writes the result (zeroed, the result type's size) and says how it
 *  went. */
typedef aldis_err (*aldis_job)(const void *arg, void *out_result);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Run job on a thread of the system's pool; its result comes back to this actor as a message of
 * type `result`. If the job returns an error, on_undelivered is called with that reason instead.
 *
 * In virtual time the job runs at once, on the calling worker, and the result arrives after the
 * default delay: so it is repeatable if the job is.
 *
 * arg:    borrowed and copied, 0 .. ALDIS_PAYLOAD_MAX bytes.
 * Thread: the handler's worker.          Blocks: never in live mode.
 * Errors: ALDIS_EINVAL; ALDIS_EUNACCEPTED this actor does not accept `result`; ALDIS_EAGAIN the
 *         pool's queue is full; ALDIS_ESHUTDOWN the system is being destroyed; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_offload(aldis_ctx *ctx, aldis_job job, const void *arg, size_t arg_size,
                                  aldis_type *result);

#ifdef __cplusplus
}
#endif
#endif
