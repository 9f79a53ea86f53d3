// SPDX-License-Identifier: Apache-2.0
/* supervise_test.c: actors that fail: restarts in place, strategies, waits, and giving up. */
#include "fixture.h"

enum { STARTED = 1, STOPPED, HANDLED, ENDED, TICKED };

static aldis_err trace_start(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_UINT(self->count, 0);
    trace_add(STARTED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_stop(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(STOPPED, self->script.tag, aldis_now(ctx));
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err trace_tick(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(TICKED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)self;
    trace_add(ENDED, (uint64_t)notice->reason << 32 | (uint64_t)notice->err, aldis_now(ctx));
}

static uint64_t ending(aldis_end_reason reason, aldis_err err)
{
    return (uint64_t)reason << 32 | (uint64_t)err;
}

static const struct script tracer = {.start = trace_start,
                                     .stop = trace_stop,
                                     .num = trace_num,
                                     .tick = trace_tick,
                                     .child_ended = trace_child};

static aldis_err fail_once(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, 1000 + act->a, aldis_now(ctx));
    return aldis_fail(ctx, "as told");
}

static const aldis_restart_opts on_failure = {.mode = ALDIS_RESTART_ON_FAILURE};

static puppet_ref spawn_root(struct fixture *f, aldis_restart_opts restart)
{
    return fixture_spawn(f, &tracer, &(aldis_spawn_opts){.restart = restart});
}

/* ------------------------------------------------------------------ in place */

static aldis_err begin(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_timer timer;
    EXPECT_OK(aldis_timer_once(ctx, 5 * ALDIS_MS, tick, &timer));
    EXPECT_OK(aldis_timer_every(ctx, 5 * ALDIS_MS, tick, &timer));
    return fail_once(self, act, ctx);
}

TEST_EACH(a_restart_is_in_place_and_keeps_the_mail_in_order)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.tag = 7;
    puppet_ref p = fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_tell(f, p, begin, (struct act){.a = 0});
    for (uint64_t i = 2; i < 5; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    static const struct trace_entry expected[] = {
        {STARTED, 7, 0}, {HANDLED, 1, 0}, {HANDLED, 1000, 0}, {STOPPED, 7, 0},
        {STARTED, 7, 0}, {HANDLED, 2, 0}, {HANDLED, 3, 0},    {HANDLED, 4, 0}};
    CHECK_UINT(trace_count(), 8);
    for (size_t i = 0; i < 8; i++) {
        CHECK_UINT(trace_at(i).what, expected[i].what);
        CHECK_UINT(trace_at(i).tag, expected[i].tag);
    }
    CHECK(!aldis_is_closed(f->system, p.id));
    aldis_status status = fixture_status(f, p.id);
    CHECK_UINT(status.restarts, 1);
    CHECK_STR(status.state_name, "idle");
    CHECK_UINT(status.handled_msgs, 4);
    CHECK_UINT(fixture_counts(f, "act").dead, 1);
    CHECK_UINT(fixture_counts(f, "act").handled, 0);
    CHECK_UINT(fixture_counts(f, "tick").sent, 0);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STOPPED), 2);
    CHECK(aldis_is_closed(f->system, p.id));
}

TEST_EACH(the_mail_that_waits_can_be_discarded)
{
    fixture_open(f, NULL);
    puppet_ref p =
        spawn_root(f, (aldis_restart_opts){.mode = ALDIS_RESTART_ON_FAILURE, .discard_mail = true});
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    fixture_tell(f, p, fail_once, (struct act){.a = 0});
    for (uint64_t i = 0; i < 5; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 1);
    CHECK_UINT(fixture_counts(f, "num").dropped, 5);
    CHECK_OK(aldis_send(f->system, p, num, 9));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
}

TEST_EACH(a_poison_message_is_handled_again_first_and_then_a_dead_letter)
{
    fixture_open(f, NULL);
    puppet_ref p =
        spawn_root(f, (aldis_restart_opts){.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 3});
    fixture_tell(f, p, fail_once, (struct act){.a = 5});
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STARTED), 4);
    CHECK_UINT(trace_count_of(HANDLED), 4);
    CHECK(trace_find(HANDLED, 1) == trace_count() - 1);
    CHECK_UINT(fixture_status(f, p.id).restarts, 3);
    CHECK_UINT(fixture_counts(f, "act").dead, 1);
    CHECK_UINT(fixture_counts(f, "act").sent, 1);
}

static aldis_err fail_twice(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    bool again = trace_count_of(HANDLED) >= 2;
    trace_add(HANDLED, act->a, aldis_now(ctx));
    return again ? ALDIS_OK : ALDIS_EIO;
}

TEST_EACH(a_message_that_succeeds_at_last_counts_as_handled)
{
    fixture_open(f, NULL);
    puppet_ref p =
        spawn_root(f, (aldis_restart_opts){.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 3});
    fixture_tell(f, p, fail_twice, (struct act){.a = 5});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 3);
    CHECK_UINT(fixture_counts(f, "act").handled, 1);
    CHECK_UINT(fixture_counts(f, "act").failed, 0);
    CHECK_UINT(fixture_counts(f, "act").dead, 0);
}

static aldis_err forget_to_return(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_fail(ctx, "said, not returned"), ALDIS_EHANDLER);
    return ALDIS_OK;
}

static aldis_err break_contract(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    ALDIS_REQUIRE(ctx, act->a == 1);
    ALDIS_REQUIRE(ctx, act->a == 2);
    return ALDIS_OK;
}

TEST_EACH(failures_of_every_kind_restart)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_root(f, on_failure);
    fixture_tell(f, p, forget_to_return, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, p.id).restarts, 1);
    CHECK_UINT(fixture_counts(f, "act").handled, 1); /* it was handled, as far as it says */
    fixture_tell(f, p, break_contract, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, p.id).restarts, 2);
    CHECK_UINT(fixture_counts(f, "act").dead, 1);
}

static void fail_at_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    trace_child(self, notice, ctx);
    (void)aldis_fail(ctx, "my child!");
}

static aldis_err spawn_one(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct script script = tracer;
    script.tag = act->a;
    aldis_spawn_opts opts = {.restart = {.mode = (aldis_restart_mode)act->b},
                             .placement = ALDIS_PLACE_ANYWHERE};
    self->memory[act->a % 4] = puppet_spawn(ctx, &script, &opts).id.bits;
    return ALDIS_OK;
}

static aldis_err stop_child(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    return aldis_stop(ctx, (aldis_id){self->memory[act->a % 4]});
}

TEST_EACH(a_hook_can_fail_its_actor)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.child_ended = fail_at_child;
    puppet_ref p = fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    fixture_tell(f, p, spawn_one, (struct act){.a = 1});
    fixture_tell(f, p, stop_child, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, p.id).restarts, 1);
    CHECK_UINT(trace_count_of(ENDED), 1);
}

/* ------------------------------------------------------------------ modes */

static aldis_err stop_self(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    return aldis_stop(ctx, aldis_self(ctx));
}

TEST_EACH(always_means_also_when_it_stops_itself)
{
    fixture_open(f, NULL);
    puppet_ref always = spawn_root(f, (aldis_restart_opts){.mode = ALDIS_RESTART_ALWAYS});
    puppet_ref other = spawn_root(f, on_failure);
    fixture_tell(f, always, stop_self, (struct act){.a = 0});
    fixture_tell(f, other, stop_self, (struct act){.a = 0});
    fixture_settle(f);
    CHECK(!aldis_is_closed(f->system, always.id));
    CHECK_UINT(fixture_status(f, always.id).restarts, 1);
    CHECK(aldis_is_closed(f->system, other.id));
    CHECK_OK(aldis_stop(f->system, always.id)); /* somebody else's stop is final */
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, always.id));
}

static aldis_err tell_child(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref child = {.id = {self->memory[act->a % 4]}};
    return aldis_send(ctx, child, act, .run = fail_once, .a = act->b);
}

TEST_EACH(never_means_that_a_failure_ends_it)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, spawn_one, (struct act){.a = 1, .b = ALDIS_RESTART_NEVER});
    fixture_tell(f, p, tell_child, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ENDED), 1);
    CHECK(trace_find(ENDED, ending(ALDIS_ENDED_FAILED, ALDIS_EHANDLER)) != TRACE_MAX);
    CHECK_UINT(trace_count_of(STOPPED), 1);
}

TEST_EACH(without_a_mode_an_actor_goes_on)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, fail_once, (struct act){.a = 0});
    fixture_tell(f, p, forget_to_return, (struct act){.a = 0});
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, p.id).restarts, 0);
    CHECK_UINT(fixture_counts(f, "act").handled, 2);
    CHECK_UINT(fixture_counts(f, "act").failed, 1);
    CHECK_UINT(trace_count_of(STARTED), 1);
}

struct frail {
    uint64_t count;
};
#define FRAIL_PROTOCOL(X, kind) X(kind, num)
ALDIS_PROTOCOL(frail, FRAIL_PROTOCOL);
static aldis_err frail_on_num(struct frail *self, const num_payload *value, aldis_ctx *ctx)
{
    trace_add(HANDLED, *value * 10 + ++self->count, aldis_now(ctx));
    return aldis_fail(ctx, "as always");
}
ALDIS_BEHAVIOUR(frail, struct frail, FRAIL_PROTOCOL, .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

TEST_EACH(a_spawn_can_switch_off_the_mode_of_the_behaviour)
{
    fixture_open(f, NULL);
    frail_ref usual, hardened;
    CHECK_OK(aldis_spawn(f->system, frail, &usual, NULL));
    CHECK_OK(aldis_spawn(f->system, frail, &hardened,
                         &(aldis_spawn_opts){.restart = {.mode = ALDIS_RESTART_NONE}}));
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_OK(aldis_send(f->system, usual, num, i));
        CHECK_OK(aldis_send(f->system, hardened, num, 100 + i));
    }
    fixture_settle(f);
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_UINT(trace_count_of(HANDLED), 6);
        CHECK(trace_find(HANDLED, i * 10 + 1) < TRACE_MAX);         /* with a new state each time */
        CHECK(trace_find(HANDLED, (100 + i) * 10 + i) < TRACE_MAX); /* it went on with its own */
    }
    CHECK_UINT(fixture_status(f, usual.id).restarts, 3);
    CHECK_UINT(fixture_status(f, hardened.id).restarts, 0);
}

TEST_EACH(a_failure_while_it_drains_is_final)
{
    fixture_open(f, NULL);
    puppet_ref p =
        spawn_root(f, (aldis_restart_opts){.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 100});
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    fixture_tell(f, p, fail_once, (struct act){.a = 0});
    CHECK_OK(aldis_send(f->system, p, num, 1));
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_FOREVER));
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count_of(STARTED), 1);
    CHECK_UINT(fixture_counts(f, "act").dead, 1);
    CHECK_UINT(fixture_counts(f, "num").dead, 1);
}

/* ------------------------------------------------------------------ waiting and giving up */

static aldis_err start_to_fail(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    EXPECT_OK(trace_start(self, ctx));
    return aldis_send(ctx, me, act, .run = fail_once);
}

static aldis_err spawn_looper(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct script script = tracer;
    script.start = start_to_fail;
    script.tag = act->a;
    self->memory[0] =
        puppet_spawn(ctx, &script, &(aldis_spawn_opts){.restart = on_failure}).id.bits;
    return ALDIS_OK;
}

/* A kind of puppet with options of its own. */
static aldis_behaviour boss;

static puppet_ref spawn_boss(struct fixture *f, const aldis_supervisor_opts *opts)
{
    puppet_ref ref = {.id = ALDIS_NOBODY_INIT};
    boss = puppet_behaviour;
    boss.supervisor = *opts;
    aldis_spawn_opts spawn = {.arg = &tracer, .arg_size = sizeof tracer};
    CHECK_OK(aldis_system_spawn_raw(f->system, &boss, &spawn, &ref.id));
    return ref;
}

TEST_EACH(a_crash_loop_is_slowed_and_then_given_up)
{
    fixture_open(f, NULL);
    puppet_ref top = fixture_spawn(f, &tracer, NULL);
    puppet_ref middle = {.id = ALDIS_NOBODY_INIT};
    static aldis_behaviour strict;
    strict = puppet_behaviour;
    strict.supervisor = (aldis_supervisor_opts){.intensity = 3, .backoff_ns = 2 * ALDIS_MS};
    aldis_spawn_opts opts = {.arg = &tracer, .arg_size = sizeof tracer, .parent = top.id};
    CHECK_OK(aldis_system_spawn_raw(f->system, &strict, &opts, &middle.id));
    fixture_tell(f, middle, spawn_looper, (struct act){.a = 9});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, middle.id));
    CHECK(!aldis_is_closed(f->system, top.id));
    CHECK(trace_find(ENDED, ending(ALDIS_ENDED_FAILED, ALDIS_ERESTARTS)) != TRACE_MAX);
    aldis_ns starts[8] = {0};
    size_t count = 0;
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == STARTED && trace_at(i).tag == 9)
            starts[count++ % 8] = trace_at(i).at_ns;
    CHECK_UINT(count, 4); /* the first, and three restarts */
    /* Each wait is at least half of its full length: 2, 4, 8 ms. */
    for (size_t i = 1; i < 4; i++)
        CHECK(starts[i] - starts[i - 1] >= ALDIS_MS << (i - 1));
}

TEST_EACH(a_root_gives_up_on_itself)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.start = start_to_fail;
    puppet_ref p = fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count_of(STARTED), 6); /* the first, and five restarts within ten seconds */
    CHECK_UINT(trace_count_of(STOPPED), 6);
}

static aldis_err fail_second_start(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(trace_start(self, ctx));
    size_t nth = trace_count_of(STARTED);
    return nth == 2 || nth == 3 ? ALDIS_EIO : ALDIS_OK;
}

TEST_EACH(an_on_start_that_fails_at_a_restart_is_another_failure)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.start = fail_second_start;
    puppet_ref p = fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    fixture_tell(f, p, fail_once, (struct act){.a = 0});
    CHECK_OK(aldis_send(f->system, p, num, 4));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STARTED), 4);
    CHECK_UINT(trace_count_of(STOPPED), 1);
    CHECK_UINT(fixture_status(f, p.id).restarts, 3);
    CHECK(trace_find(HANDLED, 4) == trace_count() - 1);
}

static aldis_err fail_first_start(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(trace_start(self, ctx));
    return aldis_fail(ctx, "not today");
}

TEST_EACH(a_first_start_that_fails_is_final)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.start = fail_first_start;
    puppet_ref p = fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count_of(STARTED), 1);
}

TEST_VIRTUAL(a_stop_during_the_wait_ends_it)
{
    fixture_open(f, NULL);
    const aldis_supervisor_opts slow = {.backoff_ns = ALDIS_HOUR, .backoff_max_ns = ALDIS_HOUR};
    puppet_ref p = spawn_boss(f, &slow);
    fixture_tell(f, p, spawn_one, (struct act){.a = 1, .b = ALDIS_RESTART_ON_FAILURE});
    fixture_tell(f, p, tell_child, (struct act){.a = 1});
    CHECK_OK(aldis_system_run(f->system, ALDIS_SECOND, NULL));
    CHECK_UINT(trace_count_of(STOPPED), 1);
    fixture_tell(f, p, tell_child, (struct act){.a = 1}); /* waits, in a mailbox that takes it */
    CHECK_OK(aldis_system_run(f->system, 2 * ALDIS_SECOND, NULL));
    CHECK_UINT(fixture_counts(f, "act").queued, 1);
    fixture_tell(f, p, stop_child, (struct act){.a = 1});
    CHECK_OK(aldis_system_run(f->system, 3 * ALDIS_SECOND, NULL));
    CHECK(trace_find(ENDED, ending(ALDIS_ENDED_FAILED, ALDIS_EHANDLER)) != TRACE_MAX);
    CHECK_UINT(trace_count_of(STOPPED), 1);
    CHECK_UINT(fixture_counts(f, "act").dead, 2);
}

TEST_EACH(the_system_stops_in_the_middle_of_restarts)
{
    fixture_open(f, NULL);
    for (uint64_t i = 0; i < 10; i++) {
        struct script script = tracer;
        script.start = start_to_fail;
        (void)fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure});
    }
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 5 * ALDIS_MS, NULL));
    CHECK_OK(aldis_system_stop(f->system, 60 * ALDIS_SECOND));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t active = stats.active_actors;
    aldis_stats_fini(&stats);
    CHECK_UINT(active, 0);
}

/* ------------------------------------------------------------------ strategies */

static void run_strategy(struct fixture *f, aldis_strategy strategy)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_boss(f, &(aldis_supervisor_opts){.strategy = strategy});
    static const aldis_restart_mode modes[] = {ALDIS_RESTART_ON_FAILURE, ALDIS_RESTART_ON_FAILURE,
                                               ALDIS_RESTART_ALWAYS, ALDIS_RESTART_DEFAULT};
    for (uint64_t i = 0; i < 4; i++)
        fixture_tell(f, p, spawn_one, (struct act){.a = i, .b = modes[i]});
    fixture_tell(f, p, spawn_one, (struct act){.a = 4, .b = ALDIS_RESTART_NEVER});
    fixture_settle(f);
    trace_clear();
    fixture_tell(f, p, tell_child, (struct act){.a = 1});
    fixture_settle(f);
}

TEST_EACH(one_for_one_restarts_the_one)
{
    run_strategy(f, ALDIS_ONE_FOR_ONE);
    CHECK_UINT(trace_count_of(STARTED), 1);
    CHECK(trace_find(STARTED, 1) != TRACE_MAX);
}

TEST_EACH(one_for_all_restarts_all_that_can_be)
{
    run_strategy(f, ALDIS_ONE_FOR_ALL);
    CHECK_UINT(trace_count_of(STARTED), 3);
    for (uint64_t i = 0; i < 3; i++)
        CHECK(trace_find(STARTED, i) != TRACE_MAX);
    CHECK_UINT(trace_count_of(STOPPED), 4); /* and the one that is never restarted is stopped */
    CHECK(trace_find(ENDED, ending(ALDIS_ENDED_STOPPED, ALDIS_OK)) != TRACE_MAX);
}

TEST_EACH(rest_for_one_restarts_those_that_came_later)
{
    run_strategy(f, ALDIS_REST_FOR_ONE);
    CHECK_UINT(trace_count_of(STARTED), 2);
    CHECK(trace_find(STARTED, 1) != TRACE_MAX);
    CHECK(trace_find(STARTED, 2) != TRACE_MAX);
    CHECK_UINT(trace_count_of(STOPPED), 3);
}

static aldis_err spawn_below(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref child = {.id = {self->memory[act->a % 4]}};
    return aldis_send(ctx, child, act, .run = spawn_one, .a = 30, .b = ALDIS_RESTART_ON_FAILURE);
}

TEST_EACH(the_children_of_a_restarted_actor_are_stopped_first)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_boss(f, &(aldis_supervisor_opts){.backoff_ns = ALDIS_NO_DELAY});
    fixture_tell(f, p, spawn_one, (struct act){.a = 1, .b = ALDIS_RESTART_ON_FAILURE});
    fixture_tell(f, p, spawn_below, (struct act){.a = 1});
    fixture_tell(f, p, tell_child, (struct act){.a = 1});
    fixture_settle(f);
    size_t below = trace_find(STOPPED, 30), above = trace_find(STOPPED, 1);
    CHECK(below != TRACE_MAX && above != TRACE_MAX && below < above);
    CHECK_UINT(trace_count_of(STARTED), 4); /* boss, child, grandchild, child */
    CHECK_UINT(trace_at(trace_count() - 1).what, STARTED);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t active = stats.active_actors;
    aldis_stats_fini(&stats);
    CHECK_UINT(active, 2);
}

TEST_EACH(a_paused_actor_that_is_restarted_stays_paused)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_boss(f, &(aldis_supervisor_opts){.strategy = ALDIS_ONE_FOR_ALL});
    for (uint64_t i = 0; i < 2; i++) {
        struct script script = tracer;
        script.tag = i;
        puppet_ref child =
            fixture_spawn(f, &script, &(aldis_spawn_opts){.restart = on_failure, .parent = p.id});
        fixture_settle(f);
        if (i == 0) {
            CHECK_OK(aldis_pause(f->system, child.id));
            CHECK_OK(aldis_send(f->system, child, num, 77));
        } else {
            fixture_tell(f, child, fail_once, (struct act){.a = 1});
        }
        fixture_settle(f);
        if (i == 1)
            CHECK_UINT(trace_count_of(STARTED), 5);
    }
    CHECK(trace_find(HANDLED, 77) == TRACE_MAX);
    CHECK_UINT(fixture_counts(f, "num").queued, 1);
}

/* ------------------------------------------------------------------ options */

TEST(options_out_of_range_are_refused)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, 1, NULL};
    fixture_open(&f, NULL);
    aldis_id id = aldis_nobody();
    aldis_spawn_opts mode = {.restart = {.mode = (aldis_restart_mode)5}};
    CHECK_ERR(aldis_system_spawn_raw(f.system, &puppet_behaviour, &mode, &id), ALDIS_EINVAL);
    aldis_spawn_opts tries = {.restart = {.mode = ALDIS_RESTART_ALWAYS, .poison_tries = 1001}};
    CHECK_ERR(aldis_system_spawn_raw(f.system, &puppet_behaviour, &tries, &id), ALDIS_EINVAL);
    static const aldis_supervisor_opts bad[] = {{.strategy = (aldis_strategy)3},
                                                {.intensity = 1001},
                                                {.period_ns = -1},
                                                {.backoff_ns = -2},
                                                {.backoff_max_ns = -1}};
    static aldis_behaviour kinds[5];
    for (size_t i = 0; i < 5; i++) {
        kinds[i] = puppet_behaviour;
        kinds[i].supervisor = bad[i];
        CHECK_ERR(aldis_system_spawn_raw(f.system, &kinds[i], NULL, &id), ALDIS_EINVAL);
    }
    fixture_close(&f);
}

/* The same crashes on any number of workers: waits are drawn from the supervisors' own streams. */
TEST(restarts_are_the_same_on_any_number_of_workers)
{
    static const uint32_t workers[] = {1, 2, 4};
    uint64_t print = 0;
    for (size_t i = 0; i < 3; i++) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers[i], NULL};
        trace_clear();
        fixture_open(&f, &(aldis_system_opts){.seed = 5});
        for (uint64_t n = 0; n < 50; n++) {
            struct script script = tracer;
            if (n % 3)
                script.start = start_to_fail;
            puppet_ref p = fixture_spawn(&f, &script, &(aldis_spawn_opts){.restart = on_failure});
            fixture_tell(&f, p, n % 2 ? spawn_looper : fail_once, (struct act){.a = n});
        }
        fixture_settle(&f);
        uint64_t again = aldis_system_run_print(f.system) ^ trace_count();
        if (i > 0)
            CHECK_UINT(again, print);
        print = again;
        fixture_close(&f);
    }
}
