// SPDX-License-Identifier: Apache-2.0
/* timer_test.c: timers and delayed sends, in both clocks; virtual time to the nanosecond. */
#include "fixture.h"

enum { TICKED = 1, HANDLED, CANCELLED };

static aldis_err trace_tick(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script ticker = {.tick = trace_tick, .num = trace_num};

/* act: a delay, b period. */
static aldis_err start_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_timer_opts opts = {.delay_ns = (aldis_ns)act->a, .period_ns = (aldis_ns)act->b};
    self->timer.bits = 0;
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    EXPECT(self->timer.bits != 0);
    self->memory[3] = (uint64_t)aldis_now(ctx);
    return ALDIS_OK;
}

static aldis_err cancel_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_ERR(aldis_timer_cancel(ctx, self->timer), (aldis_err)act->a);
    trace_add(CANCELLED, act->a, aldis_now(ctx));
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ once */

static const aldis_ns delays[] = {
    0, 1, 999, ALDIS_US, ALDIS_MS - 1, ALDIS_MS, ALDIS_MS + 1, 7 * ALDIS_MS + 3};

TEST_EACH(a_timer_fires_once_not_before_its_time)
{
    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        puppet_ref p = fixture_spawn(f, &ticker, NULL);
        fixture_settle(f);
        aldis_ns before_ns = aldis_system_now(f->system);
        fixture_tell(f, p, start_timer, (struct act){.a = (uint64_t)delays[i]});
        fixture_settle(f);
        CHECK_UINT(trace_count(), i + 1);
        CHECK_UINT(trace_at(i).what, TICKED);
        CHECK(trace_at(i).at_ns >= before_ns + delays[i]);
        if (f->clock == ALDIS_CLOCK_VIRTUAL)
            CHECK_INT(trace_at(i).at_ns, before_ns + delays[i]);
        /* Too late. */
        fixture_tell(f, p, cancel_timer, (struct act){.a = ALDIS_ENOTFOUND});
        fixture_settle(f);
        trace_clear();
        for (size_t k = 0; k <= i; k++)
            trace_add(0, 0, 0);
    }
    CHECK_UINT(fixture_counts(f, "tick").handled, sizeof delays / sizeof delays[0]);
}

static aldis_err start_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        num_payload value = i;
        aldis_timer timer;
        aldis_timer_opts opts = {.delay_ns = (aldis_ns)((i * 7919) % act->a) * 1000};
        EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &num_type, &value, sizeof value, &timer));
    }
    return ALDIS_OK;
}

TEST_EACH(timers_fire_in_the_order_of_their_times)
{
    enum { TIMERS = 2000 };
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, &ticker, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 4000}});
    fixture_tell(f, p, start_many, (struct act){.a = TIMERS});
    fixture_settle(f);
    CHECK_UINT(trace_count(), TIMERS);
    for (size_t i = 1; i < TIMERS; i++)
        CHECK(trace_at(i).tag * 7919 % TIMERS > trace_at(i - 1).tag * 7919 % TIMERS);
}

/* ------------------------------------------------------------------ cancelled */

static aldis_err start_and_cancel(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)start_timer(self, act, ctx);
    aldis_timer old = self->timer;
    EXPECT_OK(aldis_timer_cancel(ctx, old));
    EXPECT_ERR(aldis_timer_cancel(ctx, old), ALDIS_ENOTFOUND);
    (void)start_timer(self, act, ctx);
    EXPECT(self->timer.bits != old.bits);
    EXPECT_ERR(aldis_timer_cancel(ctx, old), ALDIS_ENOTFOUND); /* never another one's */
    EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

TEST_EACH(a_cancelled_timer_never_fires)
{
    static const struct act acts[] = {
        {.a = 0}, {.a = 5000000}, {.a = 0, .b = 1000000}, {.a = 1000000, .b = 1000000}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    for (size_t i = 0; i < 4; i++) {
        fixture_tell(f, p, start_and_cancel, acts[i]);
        fixture_settle(f);
    }
    CHECK_UINT(trace_count(), 0);
    CHECK_UINT(fixture_counts(f, "tick").handled, 0);
}

/* A high-lane message overtakes the queued tick and cancels it. */
static aldis_err cancel_queued(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    trace_add(CANCELLED, 0, aldis_now(ctx));
    return ALDIS_OK;
}

/* Paused before it can handle the tick, however slow the machine is. */
static aldis_err start_timer_paused(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_pause(ctx, aldis_self(ctx)));
    return start_timer(self, act, ctx);
}

TEST_EACH(a_queued_tick_is_dropped_when_its_timer_is_cancelled)
{
    static const struct act acts[] = {{.a = 50000000}, {.a = 50000000, .b = 3600000000000}};
    struct script script = ticker;
    script.num = cancel_queued;
    fixture_open(f, NULL);
    for (size_t i = 0; i < 2; i++) {
        puppet_ref p = fixture_spawn(f, &script, NULL);
        fixture_tell(f, p, start_timer_paused, acts[i]);
        fixture_await(f, "act", i + 1);
        while (fixture_status(f, p.id).depth_msgs == 0) {
            CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, NULL));
            CHECK_UINT(trace_count_of(TICKED), 0);
        }
        num_payload value = 1;
        CHECK_OK(aldis_send_with(f->system, p, num, &value,
                                 &(aldis_send_opts){.lane = ALDIS_LANE_HIGH}));
        while (fixture_status(f, p.id).depth_msgs < 2)
            CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, NULL));
        CHECK_OK(aldis_resume(f->system, p.id));
        fixture_await(f, "num", i + 1);
        CHECK_OK(aldis_stop(f->system, p.id));
        fixture_settle(f);
        CHECK_UINT(trace_count_of(CANCELLED), i + 1);
        CHECK_UINT(trace_count_of(TICKED), 0);
        aldis_type_stats ticks = fixture_counts(f, "tick");
        CHECK_UINT(ticks.handled, 0);
        fixture_check(f);
    }
}

static aldis_err cancel_of(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_timer_cancel(ctx, (aldis_timer){act->a}), ALDIS_ENOTFOUND);
    return ALDIS_OK;
}

static aldis_err give_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)start_timer(self, act, ctx);
    puppet_ref other = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, other, act, .run = cancel_of, .a = self->timer.bits));
    return ALDIS_OK;
}

static aldis_err cancel_nonsense(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    static const uint64_t bits[] = {0,
                                    1,
                                    2,
                                    3,
                                    UINT32_MAX,
                                    UINT64_MAX,
                                    UINT64_C(1) << 32,
                                    UINT64_C(5) << 32 | 1,
                                    UINT64_C(1) << 32 | 70000};
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++)
        EXPECT_ERR(aldis_timer_cancel(ctx, (aldis_timer){bits[i]}), ALDIS_ENOTFOUND);
    return ALDIS_OK;
}

TEST_EACH(nobody_cancels_the_timer_of_another)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref q = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, give_timer, (struct act){.a = 3000000, .id = q.id});
        fixture_tell(f, q, cancel_nonsense, (struct act){.a = 0});
    }
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 8);
}

/* ------------------------------------------------------------------ periodic */

static aldis_err tick_until(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, self->count, aldis_now(ctx));
    if (self->count == self->script.tag) {
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
        EXPECT_ERR(aldis_timer_cancel(ctx, self->timer), ALDIS_ENOTFOUND);
    }
    return ALDIS_OK;
}

TEST_EACH(a_periodic_timer_ticks_until_it_is_cancelled)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = tick_until, .tag = 20}, NULL);
    fixture_settle(f);
    aldis_ns before_ns = aldis_system_now(f->system);
    fixture_tell(f, p, start_timer, (struct act){.a = 300000, .b = 700000});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 20);
    for (size_t i = 0; i < 20; i++) {
        aldis_ns due_ns = before_ns + 300000 + 700000 * (aldis_ns)i;
        CHECK(trace_at(i).at_ns >= due_ns);
        if (f->clock == ALDIS_CLOCK_VIRTUAL)
            CHECK_INT(trace_at(i).at_ns, due_ns);
    }
    CHECK_UINT(fixture_counts(f, "tick").handled, 20);
}

/* A period far below the lookahead and one that is not its multiple. */
static const aldis_ns periods[] = {1, 10, 999, 333333, 1000001};

TEST_VIRTUAL(virtual_ticks_are_exact)
{
    enum { TICKS = 1000 };
    fixture_open(f, NULL);
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        trace_clear();
        puppet_ref p = fixture_spawn(f, &(struct script){.tick = tick_until, .tag = TICKS}, NULL);
        fixture_settle(f);
        aldis_ns before_ns = aldis_system_now(f->system);
        fixture_tell(f, p, start_timer, (struct act){.a = 17, .b = (uint64_t)periods[i]});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(TICKED), TICKS);
        for (size_t t = 0; t < TICKS; t++)
            CHECK_INT(trace_at(t).at_ns, before_ns + 17 + (aldis_ns)t * periods[i]);
    }
}

/* What a sleeping worker missed. The handler of the first tick stands still for many periods. */
static aldis_err stand_still(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, self->count, aldis_now(ctx));
    aldis_ns until_ns = aldis_system_now(aldis_system_of(ctx)) + (aldis_ns)self->script.tag;
    while (self->count == 1 && aldis_system_now(aldis_system_of(ctx)) < until_ns)
        ;
    if (self->count == self->memory[0])
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

static aldis_err start_missing(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_timer_opts opts = {.delay_ns = 1000,
                             .period_ns = 1000000,
                             .missed = act->a ? ALDIS_MISSED_BURST : ALDIS_MISSED_SKIP,
                             .burst_max = (uint32_t)act->b};
    self->memory[0] = act->id.bits;
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    return ALDIS_OK;
}

TEST_LIVE(missed_ticks_are_skipped_or_come_in_a_burst)
{
    fixture_open(f, NULL);
    struct script script = {.tick = stand_still, .tag = 20000000};
    puppet_ref skipping = fixture_spawn(f, &script, NULL);
    fixture_tell(f, skipping, start_missing, (struct act){.a = 0, .id = {3}});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 3);
    /* The second comes for all that were missed, the third at the next multiple of the period. */
    CHECK(trace_at(2).at_ns - trace_at(0).at_ns >= 20000000);
    trace_clear();
    puppet_ref bursting = fixture_spawn(f, &script, NULL);
    fixture_tell(f, bursting, start_missing, (struct act){.a = 1, .b = 5, .id = {6}});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 6);
    /* Five at once. */
    CHECK(trace_at(5).at_ns - trace_at(1).at_ns < 20000000);
    for (size_t i = 1; i < 6; i++)
        CHECK(trace_at(i).at_ns - trace_at(0).at_ns >= 19000000);
}

static aldis_err busy_then_start(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_busy(ctx, 10 * ALDIS_MS));
    aldis_ns then_ns = aldis_now(ctx);
    (void)start_timer(self, act, ctx);
    puppet_ref me = {.id = aldis_self(ctx)};
    EXPECT_OK(aldis_send_after(ctx, (aldis_ns)act->a, me, num, (uint64_t)then_ns));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_timer_counts_from_the_actors_own_now)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    fixture_tell(f, p, busy_then_start, (struct act){.a = 5000000});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    aldis_ns due_ns = (aldis_ns)trace_at(trace_find(TICKED, 0) == 0).tag + 5 * ALDIS_MS;
    CHECK_INT(trace_at(0).at_ns, due_ns);
    CHECK_INT(trace_at(1).at_ns, due_ns);
}

/* ------------------------------------------------------------------ the end of the actor */

static aldis_err start_several(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    for (uint64_t i = 0; i < act->a; i++)
        (void)start_timer(self, &(struct act){.a = act->b + i, .b = i % 2 ? 1000000 : 0}, ctx);
    return ALDIS_OK;
}

TEST_EACH(a_timer_ends_with_its_actor)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_KILL, ALDIS_CMD_DRAIN};
    fixture_open(f, NULL);
    for (size_t i = 0; i < 3; i++) {
        puppet_ref p = fixture_spawn(f, NULL, NULL);
        fixture_tell(f, p, start_several, (struct act){.a = 600, .b = 50000000000});
        fixture_await(f, "act", i + 1);
        CHECK_OK(aldis_system_command(f->system, p.id, commands[i], ALDIS_FOREVER));
        fixture_await(f, "aldis.command", i + 1);
        fixture_check(f);
    }
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").handled, 0);
    CHECK_UINT(fixture_counts(f, "tick").queued, 0);
}

static aldis_err end_with_timers(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)start_several(self, act, ctx);
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

/* Slots and timer records are used again and again: an old tick must reach nobody. */
TEST_EACH(a_tick_never_reaches_the_next_actor_of_a_slot)
{
    fixture_open(f, NULL);
    for (int round = 0; round < 30; round++) {
        puppet_ref p = fixture_spawn(f, &ticker, NULL);
        fixture_tell(f, p, end_with_timers, (struct act){.a = 20, .b = 0});
        puppet_ref q = fixture_spawn(f, &ticker, NULL);
        fixture_tell(f, q, end_with_timers, (struct act){.a = 20, .b = 3000000});
    }
    fixture_settle(f);
    for (int round = 0; round < 30; round++)
        (void)fixture_spawn(f, &ticker, NULL);
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").queued, 0);
    CHECK_UINT(trace_count_of(TICKED), fixture_counts(f, "tick").handled);
}

/* ------------------------------------------------------------------ bad use */

static aldis_err start_badly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    aldis_timer timer = {7};
    aldis_timer_opts opts = {.delay_ns = -1};
    num_payload value = 1;
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    opts = (aldis_timer_opts){.period_ns = -1};
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    opts = (aldis_timer_opts){.period_ns = 5, .missed = (aldis_missed_ticks)9};
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    opts = (aldis_timer_opts){.delay_ns = 1};
    EXPECT_ERR(aldis_timer_start_raw(ctx, NULL, &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, NULL, NULL, 0, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 4, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &num_type, NULL, 8, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &num_type, &value, 7, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_start_raw(ctx, &opts, &odd_type, &value, 4, &timer), ALDIS_EUNACCEPTED);
    EXPECT_UINT(timer.bits, 7);
    return ALDIS_OK;
}

TEST_EACH(bad_timers_are_refused)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, start_badly, (struct act){.a = 0});
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.total.queued, 0);
    aldis_stats_fini(&stats);
}

/* At the end of time nothing may wrap round. */
static aldis_err start_far(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    static const aldis_timer_opts far[] = {
        {.delay_ns = ALDIS_FOREVER},
        {.delay_ns = ALDIS_FOREVER - 1},
        {.delay_ns = ALDIS_FOREVER, .period_ns = ALDIS_FOREVER},
        {.delay_ns = 1000, .period_ns = ALDIS_FOREVER},
        {.delay_ns = 1000, .period_ns = ALDIS_FOREVER - 5},
    };
    for (size_t i = 0; i < 5; i++)
        EXPECT_OK(aldis_timer_start_raw(ctx, &far[i], &tick_type, NULL, 0, &self->timer));
    puppet_ref me = {.id = aldis_self(ctx)};
    EXPECT_OK(aldis_send_after(ctx, ALDIS_FOREVER, me, num, 1));
    EXPECT_OK(aldis_send_after(ctx, ALDIS_FOREVER - 1, me, num, 2));
    return ALDIS_OK;
}

TEST_EACH(timers_far_away_stay_there)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    fixture_tell(f, p, start_far, (struct act){.a = 0});
    fixture_await(f, "tick", 2);
    for (int i = 0; i < 3; i++)
        CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 2 * ALDIS_MS, NULL));
    CHECK_UINT(trace_count_of(TICKED), 2);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    fixture_check(f);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_await(f, "aldis.command", 1);
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 2 * ALDIS_MS, NULL));
    CHECK(aldis_is_closed(f->system, p.id));
}

/* A timer without delay that arms itself again: virtual time would stand still. */
static aldis_err rearm_at_once(struct puppet *self, aldis_ctx *ctx)
{
    aldis_timer_opts opts = {.delay_ns = 0};
    aldis_err err = aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer);
    if (err != ALDIS_OK)
        trace_add(CANCELLED, err, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_VIRTUAL(timers_without_delay_cannot_stop_time)
{
    fixture_open(f, &(aldis_system_opts){.microsteps_max = 500});
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = rearm_at_once}, NULL);
    CHECK_OK(aldis_send(f->system, p, num, 1));
    CHECK_OK(aldis_signal(f->system, p, tick));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ELOOP);
    CHECK_INT(end, ALDIS_RUN_LOOP);
    CHECK(aldis_id_equal(aldis_error_last()->actor, p.id));
    CHECK_UINT(trace_count_of(CANCELLED), 1);
    CHECK_UINT(trace_find(CANCELLED, ALDIS_ELOOP), 0);
    CHECK(fixture_counts(f, "tick").handled <= 501);
    CHECK(fixture_counts(f, "tick").handled >= 400);
}

/* ------------------------------------------------------------------ many, large, at the bound */

static aldis_err start_to_bound(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_timer timer;
    aldis_timer_opts opts = {.delay_ns = (aldis_ns)act->b};
    aldis_err err = ALDIS_OK;
    uint64_t made = 0;
    while (made < act->a + 10 &&
           (err = aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &timer)) == ALDIS_OK)
        made++;
    EXPECT_ERR(err, ALDIS_EAGAIN);
    EXPECT_UINT(made, act->a);
    EXPECT_OK(aldis_timer_cancel(ctx, timer));
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &timer));
    return ALDIS_OK;
}

TEST(an_actors_timers_are_bounded)
{
    static const aldis_clock clocks[] = {ALDIS_CLOCK_LIVE, ALDIS_CLOCK_VIRTUAL};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f = {clocks[i], 1, NULL};
        fixture_open(&f, &(aldis_system_opts){.underway_per_sender = 1 << 22});
        puppet_ref p = fixture_spawn(&f, NULL, NULL);
        fixture_tell(&f, p, start_to_bound, (struct act){.a = 1 << 20, .b = 3600000000000});
        fixture_await(&f, "act", 1);
        CHECK_UINT(fixture_counts(&f, "tick").queued - (clocks[i] == ALDIS_CLOCK_VIRTUAL), 1 << 20);
        fixture_close(&f);
    }
}

static aldis_err start_large(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const unsigned char bytes[60000] = {[0] = 1, [59999] = 2};
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_timer_opts opts = {.delay_ns = (aldis_ns)act->b, .period_ns = i % 2 ? 1000000 : 0};
        EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &raw_type, bytes, sizeof bytes, &self->timer));
    }
    return ALDIS_OK;
}

static aldis_err check_large(struct puppet *self, const unsigned char *bytes, size_t size,
                             aldis_ctx *ctx)
{
    EXPECT_UINT(size, 60000);
    EXPECT(bytes[0] == 1 && bytes[59999] == 2);
    trace_add(HANDLED, ++self->count, aldis_now(ctx));
    if (self->count == 20)
        EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

/* What is armed when the system ends is freed: the sanitizers look. */
TEST_EACH(timers_carry_large_payloads)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.raw = check_large}, NULL);
    fixture_tell(f, p, start_large, (struct act){.a = 10, .b = 1000});
    fixture_settle(f);
    CHECK(trace_count_of(HANDLED) >= 20);
    puppet_ref q = fixture_spawn(f, &(struct script){.raw = check_large}, NULL);
    fixture_tell(f, q, start_large, (struct act){.a = 10, .b = 3600000000000});
    fixture_await(f, "act", 2);
    fixture_check(f);
}

/* ------------------------------------------------------------------ delayed sends */

static aldis_err send_later(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < 10; i++)
        EXPECT_OK(aldis_send_after(ctx, (aldis_ns)(act->a + i * act->b), to, num, i));
    EXPECT_OK(aldis_signal_after(ctx, (aldis_ns)act->a, to, tick));
    return ALDIS_OK;
}

TEST_EACH(a_delayed_send_comes_in_its_time)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
    for (uint32_t shard = 0; shard < 4; shard++) {
        puppet_ref q = fixture_spawn(
            f, &ticker, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_settle(f);
        trace_clear();
        aldis_ns before_ns = aldis_system_now(f->system);
        fixture_tell(f, p, send_later, (struct act){.id = q.id, .a = 2000000, .b = 100000});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(HANDLED), 10);
        CHECK_UINT(trace_count_of(TICKED), 1);
        uint64_t next = 0;
        for (size_t i = 0; i < trace_count(); i++) {
            struct trace_entry entry = trace_at(i);
            if (entry.what != HANDLED)
                continue;
            CHECK_UINT(entry.tag, next);
            aldis_ns due_ns = before_ns + 2000000 + (aldis_ns)next * 100000;
            CHECK(entry.at_ns >= due_ns);
            if (f->clock == ALDIS_CLOCK_VIRTUAL)
                CHECK_INT(entry.at_ns, due_ns);
            next++;
        }
    }
}

TEST_EACH(a_delayed_send_to_one_that_has_ended_is_dead)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint32_t shard = 0; shard < 4; shard++) {
        puppet_ref q = fixture_spawn(
            f, &ticker, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, send_later, (struct act){.id = q.id, .a = 500000000, .b = 1000});
        fixture_await(f, "act", shard + 1);
        CHECK_OK(aldis_stop(f->system, q.id));
        fixture_await(f, "aldis.command", shard + 1);
        fixture_check(f);
    }
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_UINT(fixture_counts(f, "num").dead, 40);
    CHECK_UINT(fixture_counts(f, "tick").dead, 4);
}

/* A delayed send outlives its sender: it was accepted. */
static aldis_err send_later_and_end(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)send_later(self, act, ctx);
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_EACH(a_delayed_send_outlives_its_sender)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &ticker, NULL);
    fixture_tell(f, p, send_later_and_end, (struct act){.id = q.id, .a = 5000000, .b = 1000});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count_of(HANDLED), 10);
}

/* To a full mailbox of another: the delay is kept, and nothing is lost. */
TEST_EACH(a_delayed_send_to_a_full_mailbox_comes_not_before_its_time)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref q = fixture_spawn(f, &ticker, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 2}});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 2; i++)
        CHECK_OK(aldis_send(f->system, q, num, 100 + i));
    fixture_settle(f);
    aldis_ns before_ns = aldis_system_now(f->system);
    fixture_tell(f, p, send_later, (struct act){.id = q.id, .a = 50000000, .b = 1000000});
    fixture_await(f, "act", 1);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 12);
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == HANDLED && trace_at(i).tag < 100)
            CHECK(trace_at(i).at_ns >= before_ns + 50000000 + (aldis_ns)trace_at(i).tag * 1000000);
}

TEST_LIVE(a_delay_from_outside_needs_virtual_time)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    CHECK_ERR(aldis_send_after(f->system, ALDIS_MS, p, num, 1), ALDIS_EINVAL);
    CHECK_OK(aldis_send_after(f->system, 0, p, num, 2));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
}

TEST_VIRTUAL(a_delay_from_outside_counts_from_the_next_window)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    CHECK_OK(aldis_system_run(f->system, 5 * ALDIS_MS, NULL));
    aldis_ns now_ns = aldis_system_now(f->system);
    CHECK_OK(aldis_send_after(f->system, 7 * ALDIS_MS, p, num, 1));
    CHECK_OK(aldis_send_after(f->system, 0, p, num, 2));
    CHECK_OK(aldis_send_after(f->system, 1, p, num, 3));
    CHECK_OK(aldis_send_after(f->system, ALDIS_FOREVER, p, num, 4));
    CHECK_OK(aldis_system_run(f->system, ALDIS_SECOND, NULL));
    CHECK_UINT(trace_count(), 3);
    static const uint64_t tags[] = {2, 3, 1};
    static const aldis_ns delay_ns[] = {0, 1, 7 * ALDIS_MS};
    for (size_t i = 0; i < 3; i++) {
        CHECK_UINT(trace_at(i).tag, tags[i]);
        CHECK_INT(trace_at(i).at_ns, now_ns + delay_ns[i]);
    }
    CHECK_OK(aldis_stop(f->system, p.id));
    CHECK_OK(aldis_system_run(f->system, 2 * ALDIS_SECOND, NULL));
    CHECK(aldis_is_closed(f->system, p.id));
}

/* Time-outs that are armed and cancelled again and again take no more room than live ones. */

/* Each tick says for how many it stands; tag: how many to handle. */
static aldis_err note_ticks(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, aldis_ticks(ctx), aldis_now(ctx));
    if (self->count == self->script.tag)
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

/* a: the rule, b: burst_max. */
static aldis_err start_rule(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_timer_opts opts = {.delay_ns = ALDIS_MS,
                             .period_ns = ALDIS_MS,
                             .missed = (aldis_missed_ticks)act->a,
                             .burst_max = (uint32_t)act->b};
    EXPECT_UINT(aldis_ticks(ctx), 1); /* of any message */
    EXPECT_OK(aldis_timer_every_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    return aldis_pause(ctx, aldis_self(ctx)); /* before the first tick, on any machine */
}

/* The actor is paused for 20 ms and more: what has become of the ticks? */
static uint64_t miss_ticks(struct fixture *f, aldis_missed_ticks rule, uint64_t burst_max,
                           uint64_t until_count)
{
    trace_clear();
    uint64_t handled = fixture_counts(f, "tick").handled, acts = fixture_counts(f, "act").handled;
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = note_ticks, .tag = until_count}, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    fixture_tell(f, p, start_rule, (struct act){.a = rule, .b = burst_max});
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_await(f, "act", acts + 1);
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 25 * ALDIS_MS, NULL));
    uint64_t waiting = fixture_status(f, p.id).depth_msgs;
    fixture_check(f);
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").handled - handled, until_count);
    for (size_t i = 1; i < trace_count(); i++)
        CHECK(trace_at(i).at_ns >= trace_at(i - 1).at_ns);
    return waiting;
}

TEST_EACH(a_skipped_tick_is_left_out)
{
    fixture_open(f, NULL);
    CHECK_UINT(miss_ticks(f, ALDIS_MISSED_SKIP, 0, 4), 1);
    for (size_t i = 0; i < 4; i++)
        CHECK_UINT(trace_at(i).tag, 1);
}

TEST_EACH(a_merged_tick_tells_for_how_many_it_stands)
{
    fixture_open(f, NULL);
    CHECK_UINT(miss_ticks(f, ALDIS_MISSED_MERGE, 0, 4), 1);
    uint64_t ticks = 0;
    for (size_t i = 0; i < 4; i++)
        ticks += trace_at(i).tag;
    CHECK(trace_at(0).tag >= 20);
    CHECK(ticks >= 23);
    if (f->clock == ALDIS_CLOCK_VIRTUAL)
        CHECK_UINT(ticks, trace_at(0).tag + 3); /* in time again: none is missed or told twice */
}

TEST_EACH(a_burst_is_bounded)
{
    fixture_open(f, NULL);
    CHECK_UINT(miss_ticks(f, ALDIS_MISSED_BURST, 5, 9), 5);
    CHECK_UINT(miss_ticks(f, ALDIS_MISSED_BURST, 0, 9), 8);
    for (size_t i = 0; i < 9; i++)
        CHECK_UINT(trace_at(i).tag, 1);
}

/* A full mailbox refuses a tick; that one waits no more, and the next may come. */
TEST_EACH(a_refused_tick_does_not_hold_up_the_next)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, &(struct script){.tick = note_ticks, .tag = 3},
                      &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 1, .policy = ALDIS_REJECT}});
    fixture_tell(f, p, start_rule, (struct act){.a = ALDIS_MISSED_MERGE});
    fixture_await(f, "act", 1);
    CHECK_OK(aldis_pause(f->system, p.id));
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 25 * ALDIS_MS, NULL));
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").handled, 3);
}

static aldis_err every_badly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    aldis_timer timer = {7};
    static const aldis_timer_opts bad[] = {
        {.delay_ns = 1},
        {.delay_ns = 1, .period_ns = -1},
        {.delay_ns = -1, .period_ns = 1},
        {.period_ns = 1, .missed = (aldis_missed_ticks)3},
        {.period_ns = 1, .missed = ALDIS_MISSED_BURST, .burst_max = (1u << 20) + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        EXPECT_ERR(aldis_timer_every_raw(ctx, &bad[i], &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_every_raw(ctx, NULL, &tick_type, NULL, 0, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_every(ctx, 0, tick, &timer), ALDIS_EINVAL);
    EXPECT(strstr(aldis_error_last()->text, "period_ns is 0") != NULL);
    EXPECT_ERR(aldis_timer_every(ctx, -5 * ALDIS_SECOND, tick, &timer), ALDIS_EINVAL);
    EXPECT(strstr(aldis_error_last()->text, "period_ns is -5000000000") != NULL);
    EXPECT_UINT(timer.bits, 7);
    return ALDIS_OK;
}

TEST_EACH(a_period_is_at_least_a_nanosecond)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, every_badly, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").sent, 0);
}

/* ------------------------------------------------------------------ cancelled in virtual time */

/* Arm `a` timers of `b` nanoseconds and more, and cancel all but the last `id`. */
static aldis_err arm_and_cancel(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_timer timer;
        EXPECT_OK(aldis_timer_once(ctx, (aldis_ns)(act->b + i), tick, &timer));
        if (i + act->id.bits < act->a)
            EXPECT_OK(aldis_timer_cancel(ctx, timer));
    }
    return ALDIS_OK;
}

TEST_VIRTUAL(time_does_not_go_on_to_what_was_cancelled)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &ticker, NULL);
    fixture_tell(f, p, arm_and_cancel, (struct act){.a = 3, .b = 3600000000000});
    fixture_settle(f);
    CHECK(aldis_system_now(f->system) < 10 * ALDIS_MS);
    CHECK_UINT(fixture_counts(f, "tick").sent, 0);
    /* Nor does it stop before what was not. */
    fixture_tell(f, p, arm_and_cancel, (struct act){.a = 1000, .b = 60000000000, .id = {1}});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 1);
    CHECK(aldis_system_now(f->system) >= 60 * ALDIS_SECOND);
}

/* Time-outs that are armed and cancelled again and again take no more room than the live ones. */
TEST_VIRTUAL(cancelled_timers_do_not_gather)
{
    fixture_open(f, &(aldis_system_opts){.underway_msgs = 20000});
    puppet_ref p = fixture_spawn(f, &ticker, NULL), q = fixture_spawn(f, &ticker, NULL);
    for (int i = 0; i < 100; i++) {
        fixture_tell(f, p, arm_and_cancel, (struct act){.a = 1010, .b = 60000000000, .id = {10}});
        CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 2 * ALDIS_MS, NULL));
        CHECK(fixture_counts(f, "tick").queued < 4000);
        CHECK_OK(aldis_send(f->system, q, num, 1)); /* which looks at underway_msgs */
    }
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").handled, 1000);
    CHECK_UINT(fixture_counts(f, "tick").sent, 1000);
}

TEST(cancelled_timers_leave_one_run_print)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        fixture_open(&f, NULL);
        for (uint32_t i = 0; i < 8; i++) {
            aldis_spawn_opts there = {.placement = ALDIS_PLACE_SHARD, .shard = i};
            puppet_ref p = fixture_spawn(&f, &ticker, &there);
            struct act act = {.run = arm_and_cancel, .a = 700, .b = 20000000, .id = {i}};
            for (int k = 0; k < 5; k++)
                CHECK_OK(aldis_send_with(f.system, p, act, &act,
                                         &(aldis_send_opts){.delay_ns = 3 * k * ALDIS_MS + 1}));
        }
        fixture_settle(&f);
        CHECK_UINT(fixture_counts(&f, "tick").handled, 5 * 28);
        if (workers > 1)
            CHECK_UINT(aldis_system_run_print(f.system), print);
        print = aldis_system_run_print(f.system);
        fixture_close(&f);
    }
}
