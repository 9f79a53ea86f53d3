// SPDX-License-Identifier: Apache-2.0
/* bucket_test.c: a token bucket gives exactly rate x time + burst, and refuses nothing else. */
#include "harness.h"

#include <aldis/aldis.h>
#include <pthread.h>
#include <stdatomic.h>

__extension__ typedef unsigned __int128 wide;

static uint64_t random_below(uint64_t *state, uint64_t bound)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % bound;
}

TEST(bucket_starts_full_and_waits_as_long_as_it_says)
{
    aldis_bucket bucket;
    aldis_ns wait_ns = -1;
    CHECK_OK(aldis_bucket_init(&bucket, &(aldis_rate){.tokens = 3, .burst = 5}, 1000));
    CHECK_UINT(aldis_bucket_available(&bucket, 1000), 5);
    for (int i = 0; i < 5; i++)
        CHECK_OK(aldis_bucket_try_consume(&bucket, 1, 1000, &wait_ns));
    CHECK_INT(wait_ns, -1);
    CHECK_ERR(aldis_bucket_try_consume(&bucket, 1, 1000, &wait_ns), ALDIS_ERATE);
    CHECK_INT(wait_ns, 333333334); /* a third of a second, upwards */
    CHECK_ERR(aldis_bucket_try_consume(&bucket, 1, 1000 + wait_ns - 1, NULL), ALDIS_ERATE);
    CHECK_OK(aldis_bucket_try_consume(&bucket, 1, 1000 + wait_ns, NULL));
    CHECK_ERR(aldis_bucket_try_consume(&bucket, 2, 1000 + wait_ns, &wait_ns), ALDIS_ERATE);
    aldis_bucket_give_back(&bucket, 2);
    CHECK_OK(aldis_bucket_try_consume(&bucket, 2, 1000, NULL));
    aldis_bucket_give_back(&bucket, 1000);
    CHECK_UINT(aldis_bucket_available(&bucket, 1000), 5);
}

TEST(bucket_refuses_what_makes_no_sense)
{
    aldis_bucket bucket;
    static const aldis_rate wrong[] = {{0, 0, 1},
                                       {1, 0, 0},
                                       {1, -1, 1},
                                       {1000000001, 0, 1},
                                       {1, 0, 1000000001 * UINT64_C(5)},
                                       {1, 25 * ALDIS_HOUR, 1},
                                       {1, 24 * ALDIS_HOUR, 1000000000}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(aldis_bucket_init(&bucket, &wrong[i], 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_bucket_init(&bucket, NULL, 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_bucket_init(NULL, &(aldis_rate){1, 0, 1}, 0), ALDIS_EINVAL);
    CHECK_OK(aldis_bucket_init(&bucket, &(aldis_rate){1, 0, 4}, 0));
    CHECK_ERR(aldis_bucket_try_consume(&bucket, 0, 0, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_bucket_try_consume(&bucket, 5, 0, NULL), ALDIS_EINVAL);
    CHECK_UINT(aldis_bucket_available(&bucket, 0), 4);
}

/* Against the same in wide integers, kept as one sum from the beginning. */
TEST(bucket_is_exact_at_any_rate)
{
    static const aldis_rate rates[] = {{1, ALDIS_SECOND, 1},        {7, ALDIS_SECOND, 3},
                                       {1000000000, 1, 1000000000}, {999999937, ALDIS_SECOND, 1000},
                                       {3, 24 * ALDIS_HOUR, 50},    {1000003, 7919, 12345}};
    for (uint64_t seed = 0; seed < 60; seed++) {
        uint64_t state = seed, taken = 0;
        const aldis_rate *rate = &rates[seed % (sizeof rates / sizeof rates[0])];
        wide period = (wide)rate->period_ns, full = period * rate->burst, level = full;
        aldis_bucket bucket;
        aldis_ns now_ns = 0;
        CHECK_OK(aldis_bucket_init(&bucket, rate, 0));
        for (int i = 0; i < 2000; i++) {
            uint64_t step = random_below(&state, 4) == 0 ? random_below(&state, 1u << 30) *
                                                               (uint64_t)rate->period_ns % 100000007
                                                         : random_below(&state, 1000);
            now_ns += (aldis_ns)step;
            level += (wide)step * rate->tokens;
            level = level > full ? full : level;
            uint64_t count = 1 + random_below(&state, rate->burst);
            bool enough = level >= period * count;
            aldis_ns wait_ns = 0;
            CHECK_ERR(aldis_bucket_try_consume(&bucket, count, now_ns, &wait_ns),
                      enough ? ALDIS_OK : ALDIS_ERATE);
            if (enough) {
                level -= period * count;
                taken += count;
            } else {
                CHECK(level + (wide)wait_ns * rate->tokens >= period * count);
                CHECK(level + (wide)(wait_ns - 1) * rate->tokens < period * count);
            }
            CHECK_UINT(aldis_bucket_available(&bucket, now_ns), (uint64_t)(level / period));
            CHECK((wide)taken * period <= full + (wide)now_ns * rate->tokens);
        }
    }
}

/* ------------------------------------------------------------------ 16 threads */

enum { THREADS = 16, RATE = 10000, BURST = 100 };
#define END_NS (60 * ALDIS_SECOND)
#define STEP_NS (ALDIS_SECOND / 100)

static aldis_shared_bucket *shared;
static _Atomic(int64_t) clock_ns; /* the fed clock: threads move it on together */
static _Atomic(uint64_t) granted;

static void *consume_all(void *arg)
{
    (void)arg;
    for (;;) {
        int64_t now_ns = atomic_load(&clock_ns);
        uint64_t mine = 0;
        while (aldis_shared_bucket_try_consume(shared, 1, now_ns, NULL) == ALDIS_OK)
            mine++;
        (void)atomic_fetch_add(&granted, mine);
        if (now_ns == END_NS)
            return NULL;
        (void)atomic_compare_exchange_strong(&clock_ns, &now_ns, now_ns + STEP_NS);
    }
}

TEST(shared_bucket_is_within_one_token_over_a_minute_with_16_threads)
{
    pthread_t threads[THREADS];
    atomic_store(&clock_ns, 0);
    atomic_store(&granted, 0);
    CHECK_OK(aldis_shared_bucket_create(&(aldis_rate){.tokens = RATE, .burst = BURST}, 0, &shared));
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, consume_all, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    /* Each step brings as many as the burst: none is lost. */
    CHECK_UINT(atomic_load(&granted), (uint64_t)RATE * 60 + BURST);
    CHECK_UINT(aldis_shared_bucket_available(shared, END_NS), 0);
    aldis_shared_bucket_give_back(shared, 1);
    CHECK_UINT(aldis_shared_bucket_available(shared, END_NS), 1);
    aldis_shared_bucket_destroy(shared);
    aldis_shared_bucket_destroy(NULL);
    CHECK_ERR(aldis_shared_bucket_create(&(aldis_rate){.tokens = 1}, 0, &shared), ALDIS_EINVAL);
}
