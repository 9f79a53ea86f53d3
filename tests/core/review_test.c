// SPDX-License-Identifier: Apache-2.0
/* review_test.c: cases that a review of the core found: the edges where two mechanisms meet. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { HANDLED = 1, HOOKED };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script tracer = {.num = trace_num};

/* ------------------------------------------------------------------ timers */

/* Delays about as long as a worker looks for work before it sleeps: what fires then is for another
 * worker, and must not be slept over. */
static aldis_err send_delayed(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send_after(ctx, (aldis_ns)(45 + i) * ALDIS_US, to, num, i));
    return ALDIS_OK;
}

TEST_LIVE(delayed_mail_for_another_worker_is_not_slept_over)
{
    fixture_open(f, NULL);
    aldis_spawn_opts first = {.placement = ALDIS_PLACE_SHARD, .shard = 0};
    aldis_spawn_opts second = {.placement = ALDIS_PLACE_SHARD, .shard = 1};
    puppet_ref from = fixture_spawn(f, NULL, &first), to = fixture_spawn(f, NULL, &second);
    for (uint64_t round = 1; round <= 100; round++) {
        fixture_tell(f, from, send_delayed, (struct act){.id = to.id, .a = 10});
        fixture_settle(f);
        CHECK_UINT(fixture_counts(f, "num").handled, round * 10);
    }
}

static aldis_err arm_at_start(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_timer_once(ctx, (aldis_ns)self->script.tag * ALDIS_SECOND, tick, &self->timer));
    return ALDIS_OK;
}

static aldis_err trace_tick(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(HANDLED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err spawn_on(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    const struct script script = {.tag = act->a, .start = arm_at_start, .tick = trace_tick};
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = (uint32_t)act->b};
    puppet_ref child = puppet_spawn(ctx, &script, &opts);
    if (aldis_id_is_nobody(act->id))
        self->memory[0] = child.id.bits;
    return ALDIS_OK;
}

static aldis_err stop_child(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    EXPECT_OK(aldis_stop(ctx, (aldis_id){self->memory[0]}));
    return ALDIS_OK;
}

/* The tick of an actor that has ended must not end the timer of the one that has its slot now, on
 * another shard, where the same place of the table is in use. */
TEST_VIRTUAL(a_late_tick_leaves_the_timer_of_the_next_actor_alone)
{
    fixture_open(f, NULL);
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 0};
    puppet_ref parent = fixture_spawn(f, NULL, &opts);
    aldis_run_end end;
    fixture_tell(f, parent, spawn_on, (struct act){.a = 1, .b = 3});
    CHECK_OK(aldis_system_run(f->system, 100 * ALDIS_MS, &end));
    fixture_tell(f, parent, stop_child, (struct act){.a = 0});
    CHECK_OK(aldis_system_run(f->system, 200 * ALDIS_MS, &end));
    fixture_tell(f, parent, spawn_on, (struct act){.a = 2, .b = 5});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK_UINT(trace_at(0).tag, 2);
}

static aldis_err arm_for_ever(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    aldis_timer_opts opts = {.delay_ns = 0, .period_ns = ALDIS_FOREVER};
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    aldis_timer other;
    if (act->a) { /* those that come with the end of time */
        EXPECT_OK(aldis_timer_once(ctx, ALDIS_FOREVER, tick, &other));
        EXPECT_OK(aldis_timer_every(ctx, ALDIS_FOREVER, tick, &other));
        EXPECT_OK(aldis_send_after(ctx, ALDIS_FOREVER, me, num, 1));
        EXPECT_OK(aldis_busy(ctx, 1));
    }
    return ALDIS_OK;
}

static aldis_err cancel_at_tick(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

TEST_EACH(a_period_of_for_ever_gives_one_tick)
{
    fixture_open(f, NULL);
    const struct script script = {.tick = cancel_at_tick};
    puppet_ref p = fixture_spawn(f, &script, NULL);
    fixture_tell(f, p, arm_for_ever, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").handled, 1);
}

/* Whatever comes at the end of time, a run without a limit gets there and comes back. */
TEST_VIRTUAL(a_run_reaches_the_end_of_time)
{
    for (int zero_delay = 0; zero_delay < 2; zero_delay++) {
        fixture_open(f, &(aldis_system_opts){.zero_delay = zero_delay});
        puppet_ref p = fixture_spawn(f, NULL, NULL);
        fixture_tell(f, p, arm_for_ever, (struct act){.a = 1});
        CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, NULL));
        CHECK_UINT(fixture_counts(f, "tick").handled, 3);
        CHECK_UINT(fixture_counts(f, "num").handled, 1);
        CHECK_OK(aldis_send(f->system, p, num, 2)); /* and is no trap for who comes after it */
        CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, NULL));
        fixture_close(f);
    }
}

static aldis_err arm_at_once(struct puppet *self, aldis_ctx *ctx)
{
    return aldis_timer_once(ctx, 0, tick, &self->timer);
}

TEST_VIRTUAL(a_timer_that_goes_round_at_one_instant_ends_the_run)
{
    fixture_open(f, NULL);
    const struct script script = {.start = arm_at_once, .tick = arm_at_once};
    puppet_ref p = fixture_spawn(f, &script, NULL);
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ELOOP);
    CHECK_INT(end, ALDIS_RUN_LOOP);
    CHECK(aldis_id_equal(aldis_error_last()->actor, p.id));
}

static aldis_err tick_on(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    aldis_timer_opts opts = {.delay_ns = ALDIS_MS,
                             .period_ns = ALDIS_MS,
                             .missed = ALDIS_MISSED_BURST,
                             .burst_max = 100};
    EXPECT_OK(aldis_timer_every_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    EXPECT_OK(aldis_pause(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_VIRTUAL(ticks_of_a_paused_actor_stay_within_its_bound)
{
    fixture_open(f, NULL);
    aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = 8}};
    puppet_ref p = fixture_spawn(f, NULL, &opts);
    fixture_tell(f, p, tick_on, (struct act){.a = 0});
    CHECK_OK(aldis_system_run(f->system, ALDIS_SECOND, NULL));
    aldis_type_stats ticks = fixture_counts(f, "tick");
    CHECK_UINT(ticks.queued, 9); /* eight in the mailbox, one under way */
    CHECK_UINT(ticks.rejected + ticks.queued, ticks.sent);
}

/* A periodic timer with a payload too large for a pool: the system ends with it armed. */
static aldis_err arm_large(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    static const unsigned char bytes[20000];
    aldis_timer_opts opts = {.delay_ns = ALDIS_HOUR, .period_ns = ALDIS_HOUR};
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &raw_type, bytes, sizeof bytes, &self->timer));
    aldis_halt(ctx);
    return ALDIS_OK;
}

TEST_EACH(a_system_ends_with_large_timers_armed)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, arm_large, (struct act){.a = 0});
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, NULL));
}

/* ------------------------------------------------------------------ waiting for room */

static aldis_err fill_and_wait(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, to, num, i));
    return ALDIS_OK;
}

static aldis_err send_late(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_ERR(aldis_send_after(ctx, ALDIS_US, to, num, 98), ALDIS_ELOOKAHEAD);
    EXPECT_OK(aldis_send_after(ctx, ALDIS_HOUR, to, num, 99));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_delay_outlasts_the_wait_for_room)
{
    fixture_open(f, NULL);
    aldis_spawn_opts small = {.mailbox = {.capacity_msgs = 2}};
    puppet_ref to = fixture_spawn(f, &tracer, &small), a = fixture_spawn(f, NULL, NULL),
               b = fixture_spawn(f, NULL, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_tell(f, a, fill_and_wait, (struct act){.id = to.id, .a = 8});
    fixture_settle(f);
    fixture_tell(f, b, send_late, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 9);
    CHECK_UINT(trace_at(8).tag, 99);
    CHECK(trace_at(8).at_ns >= ALDIS_HOUR);
}

static aldis_err send_by_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    const aldis_lane lanes[] = {ALDIS_LANE_NORMAL, ALDIS_LANE_NORMAL, ALDIS_LANE_NORMAL,
                                ALDIS_LANE_NORMAL, ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH};
    for (uint64_t i = 0; i < 6; i++) {
        aldis_send_opts opts = {.lane = lanes[i]};
        EXPECT_OK(aldis_send_with(ctx, to, num, &i, &opts));
    }
    return ALDIS_OK;
}

/* Four fill the mailbox, the fifth and the sixth have to wait together. */
TEST_EACH(a_message_that_had_to_wait_keeps_its_lane)
{
    fixture_open(f, NULL);
    aldis_spawn_opts small = {.placement = ALDIS_PLACE_SHARD, .mailbox = {.capacity_msgs = 4}};
    aldis_spawn_opts beside = {.placement = ALDIS_PLACE_SHARD};
    puppet_ref to = fixture_spawn(f, &tracer, &small), from = fixture_spawn(f, NULL, &beside);
    fixture_settle(f);
    fixture_tell(f, from, fill_and_wait, (struct act){.id = to.id, .a = 4});
    fixture_settle(f); /* the mailbox has been so deep before: the short way is open */
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, send_by_lanes, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 10);
    CHECK(trace_at(8).tag == 5 || f->clock == ALDIS_CLOCK_VIRTUAL);
}

/* ------------------------------------------------------------------ hooks */

static void busy_at_the_end(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_busy(ctx, ALDIS_SECOND));
}

TEST_VIRTUAL(the_service_time_of_an_end_is_nobody_elses)
{
    fixture_open(f, NULL);
    const struct script last = {.stop = busy_at_the_end};
    aldis_spawn_opts beside = {.placement = ALDIS_PLACE_SHARD};
    puppet_ref a = fixture_spawn(f, &last, &beside), b = fixture_spawn(f, &tracer, &beside);
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    CHECK_OK(aldis_stop(f->system, a.id));
    CHECK_OK(aldis_send(f->system, b, num, 7));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK_INT(trace_at(0).at_ns, now_ns);
}

static void send_again(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    puppet_ref to = {.id = notice->to};
    if (self->count == 0) /* until the third one says that it had its turn */
        EXPECT_OK(aldis_send(ctx, to, num, 0));
}

static aldis_err answer_tick(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    EXPECT_OK(aldis_reply_signal(ctx, tick));
    return ALDIS_OK;
}

static aldis_err overfill_and_ask(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref third = {.id = {act->b}};
    EXPECT_OK(aldis_send(ctx, third, num, 0));
    return fill_and_wait(self, act, ctx);
}

/* The mailbox is full and stays so: each message that is sent again drops another, whose end is
 * told to the same hook. */
TEST_EACH(a_hook_that_sends_again_leaves_others_their_turn)
{
    fixture_open(f, NULL);
    const struct script again = {.undelivered = send_again}, answers = {.num = answer_tick};
    aldis_spawn_opts small = {.placement = ALDIS_PLACE_SHARD,
                              .mailbox = {.capacity_msgs = 2, .policy = ALDIS_DROP_OLDEST}};
    aldis_spawn_opts beside = {.placement = ALDIS_PLACE_SHARD};
    puppet_ref to = fixture_spawn(f, NULL, &small), from = fixture_spawn(f, &again, &beside),
               third = fixture_spawn(f, &answers, &beside);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, overfill_and_ask, (struct act){.id = to.id, .a = 3, .b = third.id.bits});
    fixture_settle(f);
    CHECK(fixture_counts(f, "tick").handled > 0);
}

/* ------------------------------------------------------------------ virtual time */

static aldis_err pass_on_at_once(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref to = {.id = {self->script.tag}};
    aldis_send_opts opts = {.delay_ns = ALDIS_NO_DELAY};
    EXPECT_OK(aldis_send_with(ctx, to, num, &value, &opts));
    return ALDIS_OK;
}

TEST_VIRTUAL(with_zero_delays_no_actors_time_goes_back)
{
    fixture_open(f, &(aldis_system_opts){.zero_delay = true, .lookahead_ns = ALDIS_MS});
    aldis_spawn_opts beside = {.placement = ALDIS_PLACE_SHARD};
    puppet_ref b = fixture_spawn(f, &tracer, &beside);
    const struct script passes = {.num = pass_on_at_once, .tag = b.id.bits};
    puppet_ref a = fixture_spawn(f, &passes, &beside);
    CHECK_OK(aldis_send_after(f->system, 500 * ALDIS_US, b, num, 5));
    CHECK_OK(aldis_send_after(f->system, 100 * ALDIS_US, a, num, 1));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(trace_at(0).tag, 1);
    CHECK_UINT(trace_at(1).tag, 5);
}

static aldis_err busy_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_num(self, value, ctx);
    return aldis_busy(ctx, ALDIS_MS);
}

static aldis_err spawn_and_send(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    const struct script busy = {.num = busy_num};
    puppet_ref child = puppet_spawn(ctx, &busy, NULL);
    for (uint64_t i = 0; i < 2; i++) {
        aldis_send_opts opts = {.delay_ns = i ? 10 * ALDIS_US : ALDIS_NO_DELAY};
        EXPECT_OK(aldis_send_with(ctx, child, num, &i, &opts));
    }
    return ALDIS_OK;
}

TEST_VIRTUAL(a_start_does_not_cut_service_time_short)
{
    fixture_open(f, &(aldis_system_opts){.zero_delay = true});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_settle(f);
    fixture_tell(f, p, spawn_and_send, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_INT(trace_at(1).at_ns - trace_at(0).at_ns, ALDIS_MS);
}

/* Actors come and go all the time, on slots of one shard and living on another, while mail for
 * those that have ended is still under way and its senders are told: equal for any number of
 * workers. */
enum { CHURN_PARENTS = 16, CHURN_CHILDREN = 60, CHURN_ROUNDS = 12 };

static void churn_undelivered(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    self->last = self->last * 31 + notice->to.bits % 65521 + aldis_random_below(ctx, 100);
}

static aldis_err churn_child_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    self->last += value;
    puppet_ref parent = {.id = aldis_parent(ctx)};
    aldis_ns delay_ns = ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 8 * ALDIS_MS);
    (void)aldis_send_after(ctx, delay_ns, parent, num, value / 2);
    if (aldis_random_below(ctx, 3) == 0)
        EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

static aldis_err churn_tick(struct puppet *self, aldis_ctx *ctx)
{
    const struct script child = {.num = churn_child_num, .undelivered = churn_undelivered};
    aldis_spawn_opts anywhere = {.placement = ALDIS_PLACE_ANYWHERE};
    aldis_timer timer;
    for (uint64_t i = 0; i < CHURN_CHILDREN; i++) {
        puppet_ref ref = puppet_spawn(ctx, &child, &anywhere);
        for (int n = 0; n < 4; n++) {
            aldis_ns delay_ns = 2 * ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 6 * ALDIS_MS);
            EXPECT_OK(aldis_send_after(ctx, delay_ns, ref, num, i + 1));
        }
    }
    if (self->count < CHURN_ROUNDS)
        EXPECT_OK(aldis_timer_once(ctx, 2 * ALDIS_MS, tick, &timer));
    return ALDIS_OK;
}

static uint64_t churn(struct fixture *f, uint32_t workers)
{
    const struct script parent = {.tick = churn_tick, .undelivered = churn_undelivered};
    f->workers = workers;
    fixture_open(f, &(aldis_system_opts){.seed = 7});
    for (uint32_t i = 0; i < CHURN_PARENTS; i++) {
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = i % 8};
        puppet_ref p = fixture_spawn(f, &parent, &opts);
        CHECK_OK(aldis_signal(f->system, p, tick));
    }
    fixture_settle(f);
    uint64_t print = aldis_system_run_print(f->system);
    fixture_close(f);
    return print;
}

TEST_VIRTUAL(mail_for_the_dead_is_the_same_for_any_number_of_workers)
{
    uint32_t workers = f->workers;
    uint64_t alone = churn(f, 1);
    for (int n = 0; n < 3; n++)
        CHECK_UINT(churn(f, workers), alone);
}

/* ------------------------------------------------------------------ the end of a system */

static _Atomic(unsigned) letters;

static void count_letter(void *arg, const aldis_dead_letter *letter)
{
    const uint64_t *value = letter->payload;
    if (arg == &letters && letter->reason == ALDIS_ESHUTDOWN && letter->size == sizeof *value &&
        *value == 5 && strcmp(letter->type_name, "num") == 0)
        atomic_fetch_add(&letters, 1);
}

TEST_EACH(what_still_waits_when_a_system_ends_are_dead_letters)
{
    fixture_open(
        f, &(aldis_system_opts){.on_dead_letter = count_letter, .on_dead_letter_arg = &letters});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (int i = 0; i < 3; i++)
        CHECK_OK(aldis_send(f->system, p, num, 5));
    fixture_settle(f);
    atomic_store(&letters, 0);
    fixture_close(f);
    CHECK_UINT(atomic_load(&letters), 3);
}

static _Atomic(bool) destroying;

static aldis_err count_while_destroyed(const void *arg, void *result)
{
    aldis_system *system = *(aldis_system *const *)arg;
    while (!atomic_load(&destroying))
        ;
    for (int i = 0; i < 50; i++)
        (void)aldis_system_audit(system, NULL);
    *(uint64_t *)result = 1;
    return ALDIS_OK;
}

static aldis_err offload_count(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    aldis_system *system = aldis_system_of(ctx);
    EXPECT_OK(
        aldis_offload(ctx, count_while_destroyed, &system, sizeof(aldis_system *), &num_type));
    aldis_halt(ctx);
    return ALDIS_OK;
}

TEST_LIVE(a_job_may_call_its_system_while_that_ends)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    atomic_store(&destroying, false);
    fixture_tell(f, p, offload_count, (struct act){.a = 0});
    aldis_run_end end;
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_HALTED);
    fixture_check(f);
    atomic_store(&destroying, true);
    aldis_system_destroy(f->system);
    f->system = NULL;
}

static aldis_err give_one(const void *arg, void *result)
{
    *(uint64_t *)result = *(const uint64_t *)arg;
    return ALDIS_OK;
}

static aldis_err offload_one(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_offload(ctx, give_one, &act->a, sizeof act->a, &num_type));
    return ALDIS_OK;
}

TEST_EACH(a_system_is_not_idle_before_its_jobs_are_home)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 1; i <= 300; i++) {
        fixture_tell(f, p, offload_one, (struct act){.a = i});
        fixture_settle(f);
        CHECK_UINT(fixture_counts(f, "num").handled, i);
    }
}

TEST_EACH(a_drained_actor_leaves_no_deadline_behind)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_HOUR));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
}

/* ------------------------------------------------------------------ misuse */

static aldis_err on_slot(void *state, const void *payload, aldis_ctx *ctx)
{
    (void)state;
    (void)payload;
    (void)ctx;
    return ALDIS_OK;
}

TEST_EACH(the_runtimes_own_types_are_no_ones_to_handle)
{
    static aldis_type slot_type = {"aldis.slot", 0, 0, NULL, 0};
    static const aldis_handler_entry handlers[] = {{&slot_type, on_slot}};
    static const aldis_behaviour thief = {
        .name = "thief", .handlers = handlers, .handler_count = 1};
    aldis_id id;
    fixture_open(f, NULL);
    CHECK_ERR(aldis_system_spawn_raw(f->system, &thief, NULL, &id), ALDIS_EINVAL);
}

TEST(null_is_refused_or_nothing_everywhere)
{
    uint64_t value = 1;
    size_t size = 7;
    CHECK(aldis_id_is_nobody(aldis_self(NULL)));
    CHECK(aldis_id_is_nobody(aldis_sender(NULL)));
    CHECK(aldis_id_is_nobody(aldis_parent(NULL)));
    CHECK(aldis_system_of(NULL) == NULL);
    CHECK_UINT(aldis_payload_size(NULL), 0);
    CHECK_INT(aldis_now(NULL), 0);
    CHECK_UINT(aldis_random(NULL), 0);
    CHECK_UINT(aldis_random_below(NULL, 10), 0);
    CHECK(!(aldis_random_unit(NULL) > 0));
    CHECK_ERR(aldis_busy(NULL, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_fail(NULL, NULL), ALDIS_EHANDLER);
    aldis_halt(NULL);
    aldis_discard(NULL, &value);
    CHECK(aldis_build_raw(NULL, aldis_nobody(), &num_type, sizeof value) == NULL);
    CHECK_ERR(aldis_post(NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_send_batch(NULL, NULL, 0, NULL), ALDIS_OK);
    CHECK_ERR(aldis_reply_raw(NULL, NULL, NULL, 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_send_blob_raw(NULL, aldis_nobody(), NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_get_status(NULL, aldis_nobody()), ALDIS_EINVAL);
    CHECK_ERR(aldis_timer_cancel(NULL, (aldis_timer){0}), ALDIS_EINVAL);
    CHECK_ERR(aldis_offload(NULL, NULL, NULL, 0, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_publish_raw(NULL, NULL, NULL, NULL, 0, 0, NULL), ALDIS_EINVAL);
    CHECK(aldis_ctx_is_closed(NULL, aldis_nobody()));
    CHECK(aldis_system_is_closed(NULL, aldis_nobody()));
    aldis_system_destroy(NULL);
    aldis_system_halt(NULL);
    CHECK_ERR(aldis_system_create(NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_run(NULL, 0, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_stop(NULL, 0), ALDIS_EINVAL);
    CHECK_INT(aldis_system_now(NULL), 0);
    CHECK_UINT(aldis_system_workers(NULL), 0);
    CHECK_UINT(aldis_system_shards(NULL), 0);
    CHECK_UINT(aldis_system_run_print(NULL), 0);
    CHECK_UINT(aldis_system_windows(NULL), 0);
    CHECK_UINT(aldis_system_subscribers(NULL, "x", NULL, 0), 0);
    aldis_blob_unref(NULL);
    CHECK(aldis_blob_ref(NULL) == NULL);
    CHECK(aldis_blob_data(NULL, &size) == NULL);
    CHECK_UINT(size, 0);
    CHECK(aldis_stats_type(NULL, "num") == NULL);
    CHECK_ERR(aldis_stats_print(NULL, stdout, ALDIS_STATS_TEXT), ALDIS_EINVAL);
}
