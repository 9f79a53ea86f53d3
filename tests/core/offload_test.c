// SPDX-License-Identifier: Apache-2.0
/* offload_test.c: blocking work away from the workers, and its results as messages. */
#include "fixture.h"

#include <semaphore.h>
#include <stdatomic.h>

enum { HANDLED = 1, REFUSED, TICKED, LETTER };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    EXPECT(aldis_id_equal(aldis_sender(ctx), aldis_self(ctx)));
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err trace_tick(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    EXPECT(aldis_id_equal(notice->to, aldis_self(ctx)));
    EXPECT(strcmp(notice->type_name, "num") == 0);
    EXPECT_UINT(notice->count, 1);
    trace_add(REFUSED, notice->reason, aldis_now(ctx));
}

static const struct script worker = {
    .num = trace_num, .tick = trace_tick, .undelivered = trace_refused};

/* ------------------------------------------------------------------ results and errors */

static aldis_err square(const void *arg, void *out_result)
{
    uint64_t n;
    memcpy(&n, arg, sizeof n);
    EXPECT_UINT(*(uint64_t *)out_result, 0);
    *(uint64_t *)out_result = n * n;
    return n == 13 ? ALDIS_EIO : ALDIS_OK;
}

static aldis_err offload_squares(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        uint64_t n = i;
        EXPECT_OK(aldis_offload(ctx, square, &n, sizeof n, &num_type));
        n = 999; /* the argument was copied */
    }
    return ALDIS_OK;
}

TEST_EACH(results_come_back_as_messages_and_errors_as_notices)
{
    fixture_open(f, NULL);
    for (uint32_t shard = 0; shard < 4; shard++) {
        trace_clear();
        puppet_ref p = fixture_spawn(
            f, &worker, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, offload_squares, (struct act){.a = 50});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(HANDLED), 49);
        for (uint64_t i = 0; i < 50; i++)
            CHECK_UINT(trace_find(HANDLED, i * i) != TRACE_MAX, i != 13);
        CHECK_UINT(trace_count_of(REFUSED), 1);
        CHECK(trace_find(REFUSED, ALDIS_EIO) != TRACE_MAX);
    }
}

TEST_VIRTUAL(a_virtual_result_takes_the_default_delay)
{
    fixture_open(f, &(aldis_system_opts){.default_delay_ns = 5 * ALDIS_MS});
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    fixture_tell(f, p, offload_squares, (struct act){.a = 3});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_UINT(trace_at(i).tag, i * i);
        CHECK_INT(trace_at(i).at_ns, now_ns + 5 * ALDIS_MS);
    }
}

static aldis_err nothing(const void *arg, void *out_result)
{
    (void)out_result;
    EXPECT(arg != NULL || arg == NULL);
    return ALDIS_OK;
}

static aldis_err big_in_big_out(const void *arg, void *out_result)
{
    const unsigned char *in = arg;
    (void)out_result;
    EXPECT(in[0] == 7 && in[ALDIS_PAYLOAD_MAX - 1] == 9);
    EXPECT((uintptr_t)in % 16 == 0);
    return ALDIS_OK;
}

static aldis_err offload_sizes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static unsigned char big[ALDIS_PAYLOAD_MAX + 1];
    (void)self;
    (void)act;
    big[0] = 7;
    big[ALDIS_PAYLOAD_MAX - 1] = 9;
    EXPECT_OK(aldis_offload(ctx, nothing, NULL, 0, &tick_type));
    EXPECT_OK(aldis_offload(ctx, big_in_big_out, big, ALDIS_PAYLOAD_MAX, &tick_type));
    EXPECT_ERR(aldis_offload(ctx, nothing, big, ALDIS_PAYLOAD_MAX + 1, &tick_type), ALDIS_EINVAL);
    EXPECT_ERR(aldis_offload(ctx, nothing, NULL, 1, &tick_type), ALDIS_EINVAL);
    EXPECT_ERR(aldis_offload(ctx, NULL, NULL, 0, &tick_type), ALDIS_EINVAL);
    EXPECT_ERR(aldis_offload(ctx, nothing, NULL, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_offload(ctx, nothing, NULL, 0, &raw_type), ALDIS_EINVAL); /* no size */
    EXPECT_ERR(aldis_offload(ctx, nothing, NULL, 0, &odd_type), ALDIS_EUNACCEPTED);
    return ALDIS_OK;
}

TEST_EACH(jobs_take_arguments_of_every_size_and_refuse_bad_ones)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_tell(f, p, offload_sizes, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 2);
}

/* ------------------------------------------------------------------ the queue (live) */

static sem_t started, go_on;
static _Atomic(uint64_t) ran;

static aldis_err wait_for_leave(const void *arg, void *out_result)
{
    (void)arg;
    (void)out_result;
    sem_post(&started);
    while (sem_wait(&go_on) != 0)
        ;
    atomic_fetch_add(&ran, 1);
    return ALDIS_OK;
}

static void open_gate(unsigned leaves)
{
    sem_init(&started, 0, 0);
    sem_init(&go_on, 0, leaves);
    atomic_store(&ran, 0);
}

static aldis_err offload_waiting(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_ERR(aldis_offload(ctx, wait_for_leave, NULL, 0, &tick_type), (aldis_err)act->b);
    return ALDIS_OK;
}

TEST_LIVE(the_queue_of_jobs_is_bounded)
{
    open_gate(0);
    fixture_open(f, &(aldis_system_opts){.offload_threads = 2, .offload_queue = 5});
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_tell(f, p, offload_waiting, (struct act){.a = 2});
    for (int i = 0; i < 2; i++) /* both threads have one */
        while (sem_wait(&started) != 0)
            ;
    fixture_tell(f, p, offload_waiting, (struct act){.a = 5});
    fixture_tell(f, p, offload_waiting, (struct act){.a = 3, .b = ALDIS_EAGAIN});
    fixture_await(f, "act", 3);
    CHECK_UINT(atomic_load(&ran), 0);
    for (int i = 0; i < 7; i++)
        sem_post(&go_on);
    fixture_settle(f); /* not idle before the last result has come */
    CHECK_UINT(atomic_load(&ran), 7);
    CHECK_UINT(trace_count_of(TICKED), 7);
    fixture_tell(f, p, offload_waiting, (struct act){.a = 1});
    sem_post(&go_on);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 8);
}

/* A job holds no worker: the others run meanwhile. */
TEST_LIVE(a_waiting_job_holds_nobody)
{
    open_gate(0);
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_tell(f, p, offload_waiting, (struct act){.a = 1});
    while (sem_wait(&started) != 0)
        ;
    for (uint64_t i = 0; i < 100; i++)
        CHECK_OK(aldis_signal(f->system, p, tick));
    fixture_await(f, "tick", 100);
    CHECK_OK(aldis_system_audit(f->system, NULL));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, &end));
    CHECK_INT(end, ALDIS_RUN_UNTIL); /* a result is to come: it is not idle */
    sem_post(&go_on);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 101);
}

/* ------------------------------------------------------------------ ends */

static void trace_letter(void *arg, const aldis_dead_letter *letter)
{
    (void)arg;
    EXPECT(strcmp(letter->type_name, "tick") == 0);
    trace_add(LETTER, letter->reason, 0);
}

TEST_LIVE(a_result_for_one_that_has_ended_is_a_dead_letter)
{
    open_gate(0);
    fixture_open(f, &(aldis_system_opts){.on_dead_letter = trace_letter});
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_tell(f, p, offload_waiting, (struct act){.a = 3});
    while (sem_wait(&started) != 0)
        ;
    CHECK_OK(aldis_kill(f->system, p.id));
    fixture_await(f, "aldis.command", 1);
    for (int i = 0; i < 3; i++)
        sem_post(&go_on);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 0);
    CHECK_UINT(fixture_counts(f, "tick").dead, 3);
    CHECK_UINT(trace_count_of(LETTER), 3);
}

TEST_LIVE(a_result_comes_to_a_full_mailbox_too)
{
    open_gate(0);
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &worker, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 2}});
    fixture_tell(f, p, offload_waiting, (struct act){.a = 4});
    while (sem_wait(&started) != 0)
        ;
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_await(f, "aldis.command", 1);
    for (int i = 0; i < 4; i++)
        sem_post(&go_on);
    fixture_settle(f);
    CHECK(fixture_status(f, p.id).peak_msgs <= 2);
    CHECK_UINT(fixture_counts(f, "tick").queued, 4);
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 4);
}

/* The system ends while jobs run and wait: they are finished or forgotten, and nothing leaks. */
TEST_LIVE(a_system_may_end_with_jobs_under_way)
{
    open_gate(100);
    fixture_open(f, &(aldis_system_opts){.offload_threads = 2});
    puppet_ref p = fixture_spawn(f, &worker, NULL);
    fixture_tell(f, p, offload_waiting, (struct act){.a = 60});
    while (sem_wait(&started) != 0)
        ;
    fixture_check(f);
    aldis_system_destroy(f->system);
    f->system = NULL;
    CHECK(atomic_load(&ran) >= 1);
}

static aldis_err offload_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)offload_squares(self, act, ctx);
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_EACH(a_system_stops_with_jobs_under_way)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref p = fixture_spawn(f, &worker, NULL);
        fixture_tell(f, p, i % 2 ? offload_squares : offload_and_stop, (struct act){.a = 100});
    }
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    /* Some may still run, and find nobody then. */
    CHECK_UINT(fixture_counts(f, "num").handled, trace_count_of(HANDLED));
}
