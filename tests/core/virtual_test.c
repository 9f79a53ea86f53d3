// SPDX-License-Identifier: Apache-2.0
/* virtual_test.c: the rules of virtual time, each by itself. (tests/virtual compares whole programs
 * with an executor of another kind.) */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HANDLED = 1, TICKED, LOOKED, STARTED, STOPPED };
#define LOOKAHEAD ALDIS_MS

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

static const struct script tracer = {.num = trace_num, .tick = trace_tick};

/* ------------------------------------------------------------------ delays */

/* Send to act->id after act->a (as aldis_send_after), expecting act->b. */
static aldis_err send_after(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    aldis_ns delay_ns = (aldis_ns)act->a;
    EXPECT_ERR(aldis_send_after(ctx, delay_ns, to, num, act->a), (aldis_err)act->b);
    if (act->b == ALDIS_ELOOKAHEAD) {
        char from[20], target[20];
        snprintf(from, sizeof from, "%016" PRIx64, aldis_self(ctx).bits);
        snprintf(target, sizeof target, "%016" PRIx64, to.id.bits);
        EXPECT(strstr(aldis_error_last()->text, from) != NULL);
        EXPECT(strstr(aldis_error_last()->text, target) != NULL);
    }
    return ALDIS_OK;
}

static const aldis_ns delays[] = {0, 1, LOOKAHEAD - 1, LOOKAHEAD, LOOKAHEAD + 1, 5 * LOOKAHEAD + 7};
enum { DELAYS = sizeof delays / sizeof delays[0] };

TEST_VIRTUAL(delays_below_the_lookahead_are_for_oneself)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    for (size_t i = 0; i < DELAYS; i++) {
        trace_clear();
        aldis_ns now_ns = aldis_system_now(f->system);
        bool short_delay = delays[i] < LOOKAHEAD;
        fixture_tell(f, p, send_after,
                     (struct act){.id = q.id,
                                  .a = (uint64_t)delays[i],
                                  .b = short_delay ? ALDIS_ELOOKAHEAD : ALDIS_OK});
        fixture_settle(f);
        CHECK_UINT(trace_count(), short_delay ? 0 : 1);
        if (!short_delay)
            CHECK_INT(trace_at(0).at_ns, now_ns + delays[i]);
        trace_clear();
        now_ns = aldis_system_now(f->system);
        fixture_tell(f, p, send_after, (struct act){.id = p.id, .a = (uint64_t)delays[i]});
        fixture_settle(f);
        CHECK_UINT(trace_count(), 1);
        CHECK_INT(trace_at(0).at_ns, now_ns + delays[i]);
    }
    CHECK_UINT(fixture_counts(f, "num").rejected, 3);
}

TEST_VIRTUAL(short_delays_are_raised_on_request)
{
    fixture_open(f, &(aldis_system_opts){.raise_short_delays = true});
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    for (size_t i = 0; i < DELAYS; i++) {
        trace_clear();
        aldis_ns now_ns = aldis_system_now(f->system);
        fixture_tell(f, p, send_after, (struct act){.id = q.id, .a = (uint64_t)delays[i]});
        fixture_settle(f);
        CHECK_UINT(trace_count(), 1);
        CHECK_INT(trace_at(0).at_ns, now_ns + (delays[i] < LOOKAHEAD ? LOOKAHEAD : delays[i]));
    }
}

static aldis_err send_plainly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, num, act->a));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_send_without_a_delay_takes_the_default)
{
    static const aldis_ns lookaheads[] = {0, 1, ALDIS_US, 10 * ALDIS_SECOND};
    static const aldis_ns defaults[] = {0, 20 * ALDIS_SECOND};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 2; k++) {
            fixture_close(f);
            trace_clear();
            fixture_open(f, &(aldis_system_opts){.lookahead_ns = lookaheads[i],
                                                 .default_delay_ns = defaults[k]});
            puppet_ref p = fixture_spawn(f, &tracer, NULL), q = fixture_spawn(f, &tracer, NULL);
            fixture_settle(f);
            aldis_ns now_ns = aldis_system_now(f->system);
            fixture_tell(f, p, send_plainly, (struct act){.id = q.id});
            fixture_tell(f, p, send_plainly, (struct act){.id = p.id});
            fixture_settle(f);
            aldis_ns lookahead_ns = lookaheads[i] ? lookaheads[i] : ALDIS_MS;
            aldis_ns delay_ns = defaults[k] ? defaults[k] : lookahead_ns;
            CHECK_UINT(trace_count(), 2);
            CHECK_INT(trace_at(0).at_ns, now_ns + delay_ns);
            CHECK_INT(trace_at(1).at_ns, now_ns + delay_ns);
        }
}

/* ------------------------------------------------------------------ order */

enum { SENDERS = 6, EACH = 5 };

/* a: the time of arrival. Each sends EACH of every lane. value: rank << 32 | sender << 16 |
 * number. */
static aldis_err send_all_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_LOW, ALDIS_LANE_CRITICAL, ALDIS_LANE_NORMAL,
                                       ALDIS_LANE_HIGH};
    static const uint64_t ranks[] = {3, 0, 2, 1};
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < EACH; i++)
        for (size_t lane = 0; lane < 4; lane++) {
            num_payload value = ranks[lane] << 32 | self->script.tag << 16 | i;
            aldis_send_opts opts = {.delay_ns = (aldis_ns)act->a - aldis_now(ctx),
                                    .lane = lanes[lane]};
            EXPECT_OK(aldis_send_with(ctx, to, num, &value, &opts));
        }
    return ALDIS_OK;
}

TEST_VIRTUAL(one_instants_messages_come_by_lane_sender_and_sequence)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &tracer, NULL);
    puppet_ref senders[SENDERS];
    for (uint32_t s = 0; s < SENDERS; s++)
        senders[s] = fixture_spawn(
            f, &(struct script){.tag = s},
            &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = (s * 3) % 8});
    fixture_settle(f);
    aldis_ns at_ns = aldis_system_now(f->system) + 7 * LOOKAHEAD + 123;
    for (uint32_t s = SENDERS; s-- > 0;) /* asked in another order than that of their ids */
        fixture_tell(f, senders[s], send_all_lanes, (struct act){.id = q.id, .a = (uint64_t)at_ns});
    fixture_settle(f);
    CHECK_UINT(trace_count(), SENDERS * EACH * 4);
    for (size_t i = 0; i < trace_count(); i++) {
        CHECK_INT(trace_at(i).at_ns, at_ns);
        if (i > 0) /* senders were spawned in the order of their tags, and so are their ids */
            CHECK(trace_at(i).tag > trace_at(i - 1).tag);
    }
}

/* What an actor sends itself joins what others have sent it, by time, lane, sender and sequence. */
static aldis_err send_self_by_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_LOW, ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH,
                                       ALDIS_LANE_CRITICAL};
    (void)self;
    puppet_ref me = {.id = aldis_self(ctx)};
    for (uint64_t i = 0; i < act->a; i++)
        for (uint64_t lane = 0; lane < 4; lane++) {
            num_payload value = (3 - lane) << 32 | i;
            aldis_send_opts opts = {.delay_ns = 100, .lane = lanes[lane]};
            EXPECT_OK(aldis_send_with(ctx, me, num, &value, &opts));
        }
    return ALDIS_OK;
}

TEST_VIRTUAL(mail_to_oneself_in_the_window_comes_by_lane)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    fixture_tell(f, p, send_self_by_lanes, (struct act){.a = 10});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 40);
    for (size_t i = 1; i < 40; i++)
        CHECK(trace_at(i).tag > trace_at(i - 1).tag);
}

static aldis_err send_random_delays(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_ns delay_ns = (aldis_ns)aldis_random_below(ctx, 3 * LOOKAHEAD);
        EXPECT_OK(aldis_send_after(ctx, delay_ns, me, num, (uint64_t)(aldis_now(ctx) + delay_ns)));
    }
    self->memory[0] = 0;
    return ALDIS_OK;
}

static aldis_err check_time(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    EXPECT_UINT(aldis_now(ctx), value);
    EXPECT(self->memory[0] <= value);
    self->memory[0] = value;
    if (self->count < 5000 && self->count % 2) {
        puppet_ref me = {.id = aldis_self(ctx)};
        aldis_ns delay_ns = (aldis_ns)aldis_random_below(ctx, LOOKAHEAD / 2);
        EXPECT_OK(aldis_send_after(ctx, delay_ns, me, num, value + (uint64_t)delay_ns));
    }
    return ALDIS_OK;
}

TEST_VIRTUAL(an_actors_time_never_goes_back)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref p = fixture_spawn(f, &(struct script){.num = check_time}, NULL);
        fixture_tell(f, p, send_random_delays, (struct act){.a = 2000});
    }
    fixture_settle(f);
    CHECK(fixture_counts(f, "num").handled >= 8 * 3000);
}

/* ------------------------------------------------------------------ zero delays */

static aldis_err again_at_once(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    trace_add(HANDLED, value, aldis_now(ctx));
    if (value > 0)
        self->memory[0] = aldis_send_after(ctx, 0, me, num, value - 1);
    return ALDIS_OK;
}

static aldis_err look_at_result(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_ERR((aldis_err)self->memory[0], (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_VIRTUAL(zero_delays_to_oneself_come_at_the_same_instant_within_a_bound)
{
    fixture_open(f, &(aldis_system_opts){.microsteps_max = 100});
    puppet_ref p = fixture_spawn(f, &(struct script){.num = again_at_once}, NULL);
    CHECK_OK(aldis_send(f->system, p, num, 98));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 99);
    CHECK_INT(trace_at(98).at_ns, trace_at(0).at_ns);
    CHECK_OK(aldis_send(f->system, p, num, 1000));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ELOOP);
    CHECK_INT(end, ALDIS_RUN_LOOP);
    CHECK(aldis_id_equal(aldis_error_last()->actor, p.id));
    CHECK(strcmp(aldis_error_last()->type_name, "num") == 0);
    CHECK_UINT(trace_count(), 199);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
    /* The run goes on if asked to. */
    fixture_tell(f, p, look_at_result, (struct act){.a = ALDIS_ELOOP});
    fixture_settle(f);
}

/* value: rounds left. */
static aldis_err bounce(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref peer = {.id = *(aldis_id *)self->script.user};
    trace_add(HANDLED, value, aldis_now(ctx));
    if (value > 0)
        self->memory[0] = aldis_send_after(ctx, 0, peer, num, value - 1);
    return ALDIS_OK;
}

TEST_VIRTUAL(zero_delays_to_others_are_one_instant_and_a_loop_is_named)
{
    static aldis_id ids[2];
    fixture_open(f, &(aldis_system_opts){.zero_delay = true, .microsteps_max = 1000});
    for (uint32_t i = 0; i < 2; i++)
        ids[i] = fixture_spawn(f, &(struct script){.num = bounce, .user = &ids[1 - i]},
                               &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i})
                     .id;
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    puppet_ref first = {.id = ids[0]};
    CHECK_OK(aldis_send(f->system, first, num, 900));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 901);
    CHECK_INT(trace_at(900).at_ns, now_ns);
    trace_clear();
    CHECK_OK(aldis_send(f->system, first, num, 5000));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ELOOP);
    CHECK_INT(end, ALDIS_RUN_LOOP);
    aldis_id named = aldis_error_last()->actor;
    CHECK(aldis_id_equal(named, ids[0]) || aldis_id_equal(named, ids[1]));
    CHECK_UINT(trace_count(), 1000);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
}

TEST_VIRTUAL(without_leave_a_zero_delay_to_another_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, send_after, (struct act){.id = q.id, .a = 0, .b = ALDIS_ELOOKAHEAD});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
}

/* ------------------------------------------------------------------ facts about others */

static aldis_err look_and_send(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    trace_add(LOOKED,
              (uint64_t)aldis_is_closed(ctx, to.id) << 32 |
                  (uint64_t)aldis_send(ctx, to, num, act->a),
              aldis_now(ctx));
    return ALDIS_OK;
}

/* Ends act->id, and looks at it at once. */
static aldis_err end_and_look(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_ctx_command(ctx, act->id, (aldis_command)act->b, ALDIS_FOREVER));
    return look_and_send(self, act, ctx);
}

TEST_VIRTUAL(an_end_takes_effect_at_the_end_of_the_window)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_KILL, ALDIS_CMD_DRAIN};
    static const uint32_t shards[] = {0, 0, 5};
    fixture_open(f, NULL);
    for (size_t c = 0; c < 3; c++)
        for (size_t s = 0; s < 3; s++) {
            aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD};
            puppet_ref victim = fixture_spawn(f, &tracer, &opts);
            opts.shard = shards[s];
            puppet_ref killer = fixture_spawn(f, NULL, &opts);
            opts.shard = 3;
            puppet_ref witness = fixture_spawn(f, NULL, &opts);
            fixture_settle(f);
            trace_clear();
            struct act act = {.id = victim.id, .b = commands[c], .a = 1};
            fixture_tell(f, killer, end_and_look, act);
            fixture_tell(f, witness, look_and_send, act);
            CHECK_OK(aldis_send_after(f->system, LOOKAHEAD - 1, victim, num, 77));
            fixture_settle(f);
            /* In the window everybody found it alive, and it was: it heard what came in it. */
            CHECK_UINT(trace_count_of(LOOKED), 2);
            CHECK_UINT(trace_find(LOOKED, 0) != TRACE_MAX, 1);
            CHECK(trace_find(HANDLED, 77) != TRACE_MAX);
            CHECK_UINT(trace_count_of(HANDLED), 1);
            trace_clear();
            fixture_tell(f, witness, look_and_send, act);
            fixture_settle(f);
            CHECK(trace_find(LOOKED, UINT64_C(1) << 32 | ALDIS_ESTALE) != TRACE_MAX);
        }
}

static aldis_err spawn_one(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref child = puppet_spawn(ctx, &self->script, &(aldis_spawn_opts){.parent = act->id});
    EXPECT_OK(aldis_send(ctx, child, num, 5)); /* it would come exactly with the start */
    return ALDIS_OK;
}

static aldis_err trace_start(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    trace_add(STARTED, 0, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_spawned_actor_starts_at_the_end_of_the_window)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.start = trace_start, .num = trace_num}, NULL);
    fixture_settle(f);
    trace_clear();
    aldis_ns now_ns = aldis_system_now(f->system); /* a window's start */
    fixture_tell(f, p, spawn_one, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(trace_at(0).what, STARTED);
    CHECK_INT(trace_at(0).at_ns, now_ns + LOOKAHEAD);
    CHECK_UINT(trace_at(1).what, HANDLED);
    CHECK_INT(trace_at(1).at_ns, now_ns + LOOKAHEAD);
}

static aldis_err fill_and_count(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < act->a; i++)
        accepted += aldis_send(ctx, to, num, i) == ALDIS_OK;
    trace_add(LOOKED, accepted, aldis_now(ctx));
    return ALDIS_OK;
}

/* Full is a fact about another: as of the window's start, so the whole burst is under way. */
TEST_VIRTUAL(a_full_mailbox_is_known_from_the_next_window_on)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(
        f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 4, .policy = ALDIS_REJECT}});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, p, fill_and_count, (struct act){.id = q.id, .a = 50});
    fixture_settle(f);
    CHECK_UINT(trace_find(LOOKED, 50), 0);
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 4);
    CHECK_UINT(fixture_counts(f, "num").rejected, 46);
}

/* ------------------------------------------------------------------ service time */

static aldis_err serve(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    aldis_ns before_ns = aldis_now(ctx);
    trace_add(HANDLED, value, before_ns);
    aldis_ns service_ns = (aldis_ns)self->script.tag;
    EXPECT_OK(aldis_busy(ctx, service_ns / 2));
    EXPECT_OK(aldis_busy(ctx, service_ns - service_ns / 2)); /* calls add up */
    EXPECT_OK(aldis_busy(ctx, 0));
    EXPECT_UINT(aldis_now(ctx), before_ns + service_ns);
    EXPECT_ERR(aldis_busy(ctx, -1), ALDIS_EINVAL);
    if (self->script.user) { /* what it sends leaves when the service is over */
        puppet_ref next = {.id = *(aldis_id *)self->script.user};
        EXPECT_OK(aldis_send(ctx, next, num, value));
    }
    return ALDIS_OK;
}

static const aldis_ns services[] = {1, 1000, LOOKAHEAD, 10 * LOOKAHEAD + 1};

TEST_VIRTUAL(what_comes_to_a_busy_actor_waits_its_turn)
{
    for (size_t k = 0; k < sizeof services / sizeof services[0]; k++) {
        fixture_close(f);
        fixture_open(f, NULL);
        puppet_ref p =
            fixture_spawn(f, &(struct script){.num = serve, .tag = (uint64_t)services[k]}, NULL);
        fixture_settle(f);
        trace_clear();
        aldis_ns now_ns = aldis_system_now(f->system);
        for (uint64_t i = 0; i < 50; i++)
            CHECK_OK(aldis_send(f->system, p, num, i));
        fixture_settle(f);
        CHECK_UINT(trace_count(), 50);
        for (size_t i = 0; i < 50; i++) {
            CHECK_UINT(trace_at(i).tag, i);
            CHECK_INT(trace_at(i).at_ns, now_ns + (aldis_ns)i * services[k]);
        }
        CHECK(aldis_system_now(f->system) >= now_ns + 50 * services[k]);
    }
}

TEST_VIRTUAL(a_busy_actor_serves_by_lane_and_within_its_bound)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, &(struct script){.num = serve, .tag = 10 * LOOKAHEAD},
                      &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 6, .policy = ALDIS_REJECT}});
    fixture_settle(f);
    static const aldis_lane lanes[] = {ALDIS_LANE_LOW, ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH,
                                       ALDIS_LANE_CRITICAL};
    CHECK_OK(aldis_send(f->system, p, num, 99)); /* served at once */
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + LOOKAHEAD, NULL));
    for (uint64_t i = 0; i < 8; i++) {
        num_payload value = i;
        CHECK_OK(
            aldis_send_with(f->system, p, num, &value, &(aldis_send_opts){.lane = lanes[i % 4]}));
    }
    fixture_settle(f);
    /* All eight come at one instant: by lane, so the two of the lowest find it full. */
    static const uint64_t order[] = {99, 3, 7, 2, 6, 1, 5};
    CHECK_UINT(trace_count(), 7);
    for (size_t i = 0; i < 7; i++)
        CHECK_UINT(trace_at(i).tag, order[i]);
    CHECK_UINT(fixture_counts(f, "num").rejected, 2);
    CHECK_UINT(fixture_status(f, p.id).peak_msgs, 6);
}

TEST_VIRTUAL(what_a_busy_actor_sends_leaves_when_it_is_done)
{
    static aldis_id next;
    fixture_open(f, NULL);
    next = fixture_spawn(f, &tracer, NULL).id;
    puppet_ref p =
        fixture_spawn(f, &(struct script){.num = serve, .tag = 5 * LOOKAHEAD, .user = &next}, NULL);
    fixture_settle(f);
    trace_clear();
    aldis_ns now_ns = aldis_system_now(f->system);
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_INT(trace_at(1).at_ns, now_ns + 6 * LOOKAHEAD);
}

static aldis_err busy_start(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_busy(ctx, (aldis_ns)self->script.tag));
    return ALDIS_OK;
}

TEST_VIRTUAL(an_actor_may_be_busy_with_its_start)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(
        f, &(struct script){.start = busy_start, .tag = 10 * LOOKAHEAD, .num = trace_num}, NULL);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 5);
    for (size_t i = 0; i < 5; i++) {
        CHECK_UINT(trace_at(i).tag, i);
        CHECK_INT(trace_at(i).at_ns, 10 * LOOKAHEAD);
    }
}

/* Ends while busy: nothing of the service time outlives the actor. */
static aldis_err busy_and_end(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_busy(ctx, 100 * LOOKAHEAD));
    EXPECT_OK(aldis_ctx_command(ctx, aldis_self(ctx), (aldis_command)act->a, ALDIS_FOREVER));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_busy_actor_can_be_ended)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_KILL, ALDIS_CMD_DRAIN};
    fixture_open(f, NULL);
    for (size_t c = 0; c < 3; c++) {
        puppet_ref p = fixture_spawn(f, &tracer, NULL);
        fixture_tell(f, p, busy_and_end, (struct act){.a = commands[c]});
        CHECK_OK(aldis_send(f->system, p, num, c));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, p.id));
        puppet_ref next = fixture_spawn(f, &tracer, NULL); /* of the same slot */
        CHECK_OK(aldis_send(f->system, next, num, 100 + c));
        fixture_settle(f);
        CHECK(trace_find(HANDLED, 100 + c) != TRACE_MAX);
    }
    CHECK(trace_find(HANDLED, 2) != TRACE_MAX); /* a drain finishes what was queued */
    CHECK_UINT(trace_count_of(HANDLED), 4);
}

TEST_VIRTUAL(a_status_tells_exact_times)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.num = serve, .tag = 10 * LOOKAHEAD}, NULL);
    CHECK_OK(aldis_system_run(f->system, 2 * LOOKAHEAD, NULL));
    aldis_ns start_ns = aldis_system_now(f->system);
    aldis_status status = fixture_status(f, p.id);
    CHECK_INT(status.running_ns, start_ns); /* it started at 0 */
    CHECK_INT(status.oldest_wait_ns, 0);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    CHECK_OK(aldis_system_run(f->system, start_ns + 3 * LOOKAHEAD, NULL));
    status = fixture_status(f, p.id);
    CHECK_UINT(status.depth_msgs, 4);
    CHECK_UINT(status.handled_msgs, 1);
    CHECK_INT(status.oldest_wait_ns, 3 * LOOKAHEAD);
    CHECK_INT(status.running_ns, start_ns + 3 * LOOKAHEAD);
    fixture_settle(f);
    CHECK_INT(fixture_status(f, p.id).oldest_wait_ns, 0);
}

TEST_LIVE(service_time_has_no_effect_in_live_mode)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(
        f, &(struct script){.start = busy_start, .num = trace_num, .tag = (uint64_t)ALDIS_HOUR},
        NULL);
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK(trace_at(0).at_ns < ALDIS_HOUR);
}

/* ------------------------------------------------------------------ the clock */

TEST_VIRTUAL(empty_time_is_skipped)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    uint64_t before = aldis_system_windows(f->system);
    fixture_tell(f, p, send_after, (struct act){.id = p.id, .a = (uint64_t)ALDIS_HOUR});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK(aldis_system_windows(f->system) <= before + 2);
    CHECK(aldis_system_now(f->system) >= ALDIS_HOUR);
}

TEST_VIRTUAL(a_run_ends_where_it_was_told_to)
{
    fixture_open(f, NULL);
    aldis_run_end end = ALDIS_RUN_HALTED;
    CHECK_INT(aldis_system_now(f->system), 0);
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end)); /* nothing at all */
    CHECK_INT(end, ALDIS_RUN_IDLE);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    CHECK_OK(aldis_system_run(f->system, 0, &end));
    CHECK_INT(end, ALDIS_RUN_UNTIL);
    CHECK_UINT(fixture_counts(f, "aldis.run").handled, 0);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_OK(aldis_send_after(f->system, (aldis_ns)i * LOOKAHEAD / 2, p, num, i));
    /* To the nanosecond: what is due at the end does not run. */
    CHECK_OK(aldis_system_run(f->system, LOOKAHEAD, &end));
    CHECK_INT(end, ALDIS_RUN_UNTIL);
    CHECK_UINT(trace_count(), 2);
    CHECK_INT(aldis_system_now(f->system), LOOKAHEAD);
    CHECK_OK(aldis_system_run(f->system, LOOKAHEAD + 1, &end));
    CHECK_UINT(trace_count(), 3);
    CHECK_INT(aldis_system_now(f->system), LOOKAHEAD + 1);
    CHECK_OK(aldis_system_run(f->system, LOOKAHEAD / 2, &end)); /* it is later already */
    CHECK_INT(end, ALDIS_RUN_UNTIL);
    CHECK_INT(aldis_system_now(f->system), LOOKAHEAD + 1);
    CHECK_OK(aldis_system_run(f->system, 3 * LOOKAHEAD, &end));
    CHECK_UINT(trace_count(), 6);
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
    CHECK_UINT(trace_count(), 10);
    for (size_t i = 0; i < 10; i++)
        CHECK_INT(trace_at(i).at_ns, (aldis_ns)i * LOOKAHEAD / 2);
    CHECK_ERR(aldis_system_run(f->system, -1, &end), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_run(NULL, 0, &end), ALDIS_EINVAL);
}

static aldis_err halt_at(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_add(HANDLED, value, aldis_now(ctx));
    if (value == self->script.tag)
        aldis_halt(ctx);
    return ALDIS_OK;
}

TEST_VIRTUAL(a_halt_ends_the_run_with_its_window)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.num = halt_at, .tag = 4}, NULL);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_OK(aldis_send_after(f->system, (aldis_ns)i * LOOKAHEAD / 2, p, num, i));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_HALTED);
    CHECK_UINT(trace_count(), 6); /* 4 and 5 are of one window */
    CHECK_INT(aldis_system_now(f->system), 3 * LOOKAHEAD);
    fixture_settle(f);
    CHECK_UINT(trace_count(), 10);
    /* From outside, before the run: it ends at once, and the halt is used up. */
    CHECK_OK(aldis_send(f->system, p, num, 10));
    aldis_system_halt(f->system);
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_HALTED);
    CHECK_UINT(trace_count(), 10);
    fixture_settle(f);
    CHECK_UINT(trace_count(), 11);
    aldis_system_halt(NULL);
}

TEST_LIVE(a_halt_ends_a_live_run)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.num = halt_at, .tag = 4}, NULL);
    fixture_tell(f, p, send_after, (struct act){.id = p.id, .a = (uint64_t)ALDIS_HOUR});
    CHECK_OK(aldis_send(f->system, p, num, 4));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_HALTED);
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, &end));
    CHECK_INT(end, ALDIS_RUN_UNTIL); /* a timer is armed: it is not idle */
    CHECK_UINT(aldis_system_run_print(f->system), 0);
}

/* ------------------------------------------------------------------ outside threads during a
 * run */

struct visitor {
    struct fixture *f;
    puppet_ref to;
    _Atomic(bool) running;
    uint64_t sent;
};

static void *visit(void *arg)
{
    struct visitor *v = arg;
    aldis_status status;
    aldis_stats stats;
    for (uint64_t i = 0; atomic_load(&v->running); i++) {
        if (aldis_send(v->f->system, v->to, num, 1) == ALDIS_OK)
            v->sent++;
        if (i % 50 == 0) {
            EXPECT_OK(aldis_system_audit(v->f->system, NULL));
            EXPECT_OK(aldis_system_status(v->f->system, v->to.id, &status));
            EXPECT_OK(aldis_system_stats(v->f->system, &stats));
            aldis_stats_fini(&stats);
            aldis_err err = aldis_system_run(v->f->system, 0, NULL);
            EXPECT(err == ALDIS_ESTATE || err == ALDIS_OK); /* one thread at a time */
        }
    }
    return NULL;
}

static aldis_err count_down(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    if (self->count < 3000)
        EXPECT_OK(aldis_signal(ctx, me, tick));
    return ALDIS_OK;
}

TEST_VIRTUAL(outside_threads_may_call_during_a_run)
{
    fixture_open(f, NULL);
    puppet_ref counter = fixture_spawn(f, NULL, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref p =
            fixture_spawn(f, &(struct script){.tick = count_down},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i});
        CHECK_OK(aldis_signal(f->system, p, tick));
    }
    static struct visitor v;
    v.f = f;
    v.to = counter;
    v.sent = 0;
    atomic_store(&v.running, true);
    /* A tick keeps the run from ending before the visitor has come. */
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, visit, &v) == 0);
    aldis_run_end end = ALDIS_RUN_IDLE;
    aldis_err err = ALDIS_ESTATE;
    while (err == ALDIS_ESTATE) /* the visitor's own try to run may have been first */
        err = aldis_system_run(f->system, 2000 * LOOKAHEAD, &end);
    atomic_store(&v.running, false);
    pthread_join(thread, NULL);
    CHECK_ERR(err, ALDIS_OK);
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, counter.id).handled_msgs, v.sent);
    CHECK_UINT(fixture_counts(f, "tick").handled, 8 * 3000);
}
