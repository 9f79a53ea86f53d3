// SPDX-License-Identifier: Apache-2.0
/* rate.h: token buckets: how often something may happen. Layer: public.
 *
 *     aldis_bucket bucket;
 *     aldis_bucket_init(&bucket, &(aldis_rate){.tokens = 100, .burst = 20}, aldis_now(ctx));
 *     if (aldis_bucket_try_consume(&bucket, 1, aldis_now(ctx), &wait_ns) == ALDIS_ERATE)
 *         ...                                     // wait_ns from now on there will be one
 *
 * A bucket starts full and is exact: up to any time t it has given burst + tokens x t / period at
 * the most, and it refuses only what would go beyond. It reads no clock: it is told the time, the
 * system's (aldis_now) or any other that does not run backwards. In integers, without rounding.
 *
 * An aldis_bucket belongs to one thread at a time: to an actor's state, say. An aldis_shared_bucket
 * may be used by any threads; what it decides depends on who comes first, so it is not for actors
 * in virtual time. For a sender that is limited see flow.h. */
#ifndef ALDIS_RATE_H
#define ALDIS_RATE_H

#include <aldis/error.h>
#include <aldis/types.h>

/** So many tokens come in each period, evenly. */
typedef struct aldis_rate {
    uint64_t tokens;    /**< 1 .. 10^9 */
    aldis_ns period_ns; /**< 1 ns .. 1 day; default 1 s */
    uint64_t burst;     /**< the most that can be saved up: 1 .. 10^9; no default */
} aldis_rate;

/** A bucket. Made by aldis_bucket_init; read its fields through the calls. */
typedef struct aldis_bucket {
    aldis_rate rate;
    uint64_t level;  /**< private: in tokens x period_ns */
    aldis_ns now_ns; /**< private: the latest time it was told */
} aldis_bucket;

/** The same for several threads. */
typedef struct aldis_shared_bucket aldis_shared_bucket;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Fill a new bucket.
 *
 * Thread: the bucket's.          Blocks: never.
 * Errors: ALDIS_EINVAL rate 0, burst 0, or another field out of its range, naming it.
 */
ALDIS_API aldis_err aldis_bucket_init(aldis_bucket *out_bucket, const aldis_rate *rate,
                                      aldis_ns now_ns);

/**
 * Take count tokens, or none.
 *
 * count:       1 .. the burst.
 * now_ns:      earlier than what it was told before counts as that.
 * out_wait_ns: may be NULL; written on ALDIS_ERATE: so long it takes until there are enough, if
 *              nobody else takes any.
 * Errors:      ALDIS_ERATE not enough are there: none was taken; ALDIS_EINVAL count is 0 or above
 *              the burst.
 */
ALDIS_API aldis_err aldis_bucket_try_consume(aldis_bucket *bucket, uint64_t count, aldis_ns now_ns,
                                             aldis_ns *out_wait_ns);

/** Put back tokens that were taken and not used. Beyond the burst they are lost. */
ALDIS_API void aldis_bucket_give_back(aldis_bucket *bucket, uint64_t count);

/** Whole tokens that could be taken at now_ns. */
ALDIS_API uint64_t aldis_bucket_available(const aldis_bucket *bucket, aldis_ns now_ns);

/** Owner: gives *out_bucket. Thread: any. Errors: as aldis_bucket_init; ALDIS_ENOMEM. */
ALDIS_API aldis_err aldis_shared_bucket_create(const aldis_rate *rate, aldis_ns now_ns,
                                               aldis_shared_bucket **out_bucket);
/** Owner: takes it; NULL is ignored. No other thread uses it any more. */
ALDIS_API void aldis_shared_bucket_destroy(aldis_shared_bucket *bucket);
/** As for a bucket. Thread: any. Blocks: while another thread is in such a call. */
ALDIS_API aldis_err aldis_shared_bucket_try_consume(aldis_shared_bucket *bucket, uint64_t count,
                                                    aldis_ns now_ns, aldis_ns *out_wait_ns);
ALDIS_API void aldis_shared_bucket_give_back(aldis_shared_bucket *bucket, uint64_t count);
ALDIS_API uint64_t aldis_shared_bucket_available(aldis_shared_bucket *bucket, aldis_ns now_ns);

#ifdef __cplusplus
}
#endif
#endif
