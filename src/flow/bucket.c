// SPDX-License-Identifier: Apache-2.0
/* bucket.c: token buckets. Layer: flow.
 *
 * The level is kept in units of token / period_ns: in one nanosecond exactly `tokens` of them come,
 * and a whole token is period_ns of them. So nothing is ever rounded. */
#include "base/check.h"
#include "base/error.h"
#include <aldis/rate.h>
#include <pthread.h>
#include <stdlib.h>

#define TOKENS_MAX UINT64_C(1000000000)
#define PERIOD_MAX (24 * ALDIS_HOUR)

/* 10^9 tokens of a day each, in nanoseconds, do not fit: burst x period is bounded, too. */
#define LEVEL_MAX (UINT64_C(1) << 62)

static aldis_err check_rate(const aldis_rate *rate, aldis_ns period_ns)
{
    const char *name = NULL;
    if (!rate)
        name = "rate (NULL)";
    else if (rate->tokens == 0 || rate->tokens > TOKENS_MAX)
        name = "tokens (allowed: 1 to 1000000000)";
    else if (period_ns < 1 || period_ns > PERIOD_MAX)
        name = "period_ns (allowed: 1 ns to 1 day)";
    else if (rate->burst == 0 || rate->burst > TOKENS_MAX ||
             rate->burst > LEVEL_MAX / (uint64_t)period_ns)
        name = "burst (allowed: 1 to 1000000000, and burst x period_ns up to 2^62)";
    if (!name)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "rate: %s", name);
}

static inline uint64_t period_of(const aldis_bucket *bucket)
{
    return (uint64_t)bucket->rate.period_ns;
}

aldis_err aldis_bucket_init(aldis_bucket *out_bucket, const aldis_rate *rate, aldis_ns now_ns)
{
    aldis_ns period_ns = rate && rate->period_ns ? rate->period_ns : ALDIS_SECOND;
    if (!out_bucket)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "rate: out_bucket is NULL");
    aldis_err err = check_rate(rate, period_ns);
    if (err != ALDIS_OK)
        return err;
    out_bucket->rate = *rate;
    out_bucket->rate.period_ns = period_ns;
    out_bucket->level = rate->burst * (uint64_t)period_ns;
    out_bucket->now_ns = now_ns;
    return ALDIS_OK;
}

/* The level at now_ns. */
static inline uint64_t level_at(const aldis_bucket *bucket, aldis_ns now_ns)
{
    uint64_t full = bucket->rate.burst * period_of(bucket);
    if (now_ns <= bucket->now_ns)
        return bucket->level;
    uint64_t elapsed_ns = (uint64_t)now_ns - (uint64_t)bucket->now_ns;
    uint64_t room = full - bucket->level;
    uint64_t come;
    if (__builtin_mul_overflow(elapsed_ns, bucket->rate.tokens, &come) || come >= room)
        return full;
    return bucket->level + come;
}

aldis_err aldis_bucket_try_consume(aldis_bucket *bucket, uint64_t count, aldis_ns now_ns,
                                   aldis_ns *out_wait_ns)
{
    if (!bucket || count == 0 || count > bucket->rate.burst)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "rate: %llu tokens; allowed: 1 to the burst",
                                (unsigned long long)count);
    uint64_t level = level_at(bucket, now_ns), cost = count * period_of(bucket);
    bucket->level = level;
    if (now_ns > bucket->now_ns)
        bucket->now_ns = now_ns;
    if (level >= cost) {
        bucket->level = level - cost;
        return ALDIS_OK;
    }
    /* Upwards: at the moment that is told there are enough. Behind its own clock a caller waits
     * longer by what it is behind. */
    if (out_wait_ns)
        *out_wait_ns = (aldis_ns)((cost - level + bucket->rate.tokens - 1) / bucket->rate.tokens) +
                       (bucket->now_ns - now_ns);
    return aldis__error_set(ALDIS_ERATE, aldis_nobody(), "", NULL);
}

void aldis_bucket_give_back(aldis_bucket *bucket, uint64_t count)
{
    uint64_t full = bucket->rate.burst * period_of(bucket);
    uint64_t back = count > bucket->rate.burst ? full : count * period_of(bucket);
    bucket->level = back > full - bucket->level ? full : bucket->level + back;
}

uint64_t aldis_bucket_available(const aldis_bucket *bucket, aldis_ns now_ns)
{
    return level_at(bucket, now_ns) / period_of(bucket);
}

/* ------------------------------------------------------------------ for several threads */

struct aldis_shared_bucket {
    pthread_mutex_t lock;
    aldis_bucket bucket; /* under lock */
};

aldis_err aldis_shared_bucket_create(const aldis_rate *rate, aldis_ns now_ns,
                                     aldis_shared_bucket **out_bucket)
{
    aldis_bucket bucket;
    aldis_err err = aldis_bucket_init(&bucket, rate, now_ns);
    if (err == ALDIS_OK && !out_bucket)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "rate: out_bucket is NULL");
    if (err != ALDIS_OK)
        return err;
    aldis_shared_bucket *shared = malloc(sizeof *shared);
    if (!shared || pthread_mutex_init(&shared->lock, NULL) != 0) {
        free(shared);
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", NULL);
    }
    shared->bucket = bucket;
    *out_bucket = shared;
    return ALDIS_OK;
}

void aldis_shared_bucket_destroy(aldis_shared_bucket *bucket)
{
    if (!bucket)
        return;
    pthread_mutex_destroy(&bucket->lock);
    free(bucket);
}

aldis_err aldis_shared_bucket_try_consume(aldis_shared_bucket *bucket, uint64_t count,
                                          aldis_ns now_ns, aldis_ns *out_wait_ns)
{
    pthread_mutex_lock(&bucket->lock);
    aldis_err err = aldis_bucket_try_consume(&bucket->bucket, count, now_ns, out_wait_ns);
    pthread_mutex_unlock(&bucket->lock);
    return err;
}

void aldis_shared_bucket_give_back(aldis_shared_bucket *bucket, uint64_t count)
{
    pthread_mutex_lock(&bucket->lock);
    aldis_bucket_give_back(&bucket->bucket, count);
    pthread_mutex_unlock(&bucket->lock);
}

uint64_t aldis_shared_bucket_available(aldis_shared_bucket *bucket, aldis_ns now_ns)
{
    pthread_mutex_lock(&bucket->lock);
    uint64_t available = aldis_bucket_available(&bucket->bucket, now_ns);
    pthread_mutex_unlock(&bucket->lock);
    return available;
}
