// SPDX-License-Identifier: Apache-2.0
/* reliable_test.c: grades, repeats, confirmations, order. */
#include "../core/fixture.h"

#include "core/system.h"
#include <aldis/delivery.h>
#include <aldis/fault.h>
#include <string.h>

/* ------------------------------------------------------------------ a sender, a receiver */

struct parcel {
    uint64_t number;
};
ALDIS_MESSAGE(parcel, struct parcel);

/* Send `count` parcels with these options, numbered from `first`. */
struct order {
    aldis_id to;
    uint64_t first, count;
    aldis_err expected;
    uint32_t reserved;
    aldis_reliable_opts opts;
};
ALDIS_MESSAGE(order, struct order);
ALDIS_SIGNAL(look);

#define DEPOT_PROTOCOL(X, kind) X(kind, parcel) X(kind, look)
#define COURIER_PROTOCOL(X, kind) X(kind, order) X(kind, aldis_delivered) X(kind, look)
ALDIS_PROTOCOL(depot, DEPOT_PROTOCOL);
ALDIS_PROTOCOL(courier, COURIER_PROTOCOL);
ALDIS_PROTOCOL(small_depot, DEPOT_PROTOCOL);

enum { HANDLED = 1, CONFIRMED, FAILED };
enum { PLAIN = 0, REFUSES, REFUSES_TWICE, ACKS_AND_FAILS, NACKS, ACKS_LATER };

struct depot {
    uint64_t mode, seen;
    aldis_ack_token token;
};

static aldis_err depot_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct depot *self = state;
    (void)ctx;
    self->mode = arg ? *(const uint64_t *)arg : PLAIN;
    return ALDIS_OK;
}

static aldis_err on_parcel(struct depot *self, const struct parcel *msg, aldis_ctx *ctx)
{
    aldis_ack_token token;
    trace_add(HANDLED, msg->number, aldis_now(ctx));
    self->seen++;
    switch (self->mode) {
    case REFUSES:
        return aldis_fail(ctx, "closed");
    case REFUSES_TWICE:
        return self->seen <= 2 ? ALDIS_EREFUSED : ALDIS_OK;
    case ACKS_AND_FAILS:
        EXPECT_OK(aldis_ack(ctx));
        EXPECT_ERR(aldis_ack(ctx), ALDIS_ESTATE);
        EXPECT_ERR(aldis_nack(ctx, ALDIS_EFULL), ALDIS_ESTATE);
        EXPECT_ERR(aldis_ack_later(ctx, &token), ALDIS_ESTATE);
        return ALDIS_EREFUSED;
    case NACKS:
        EXPECT_ERR(aldis_nack(ctx, ALDIS_OK), ALDIS_EINVAL);
        EXPECT_OK(aldis_nack(ctx, ALDIS_ERATE));
        return ALDIS_OK;
    case ACKS_LATER:
        EXPECT_OK(aldis_ack_later(ctx, &self->token));
        return ALDIS_OK;
    default:
        return ALDIS_OK;
    }
}

static aldis_err on_look(struct depot *self, aldis_ctx *ctx)
{
    if (self->mode == ACKS_LATER)
        EXPECT_OK(aldis_ack_with(ctx, self->token, ALDIS_OK));
    else
        EXPECT_ERR(aldis_ack(ctx), ALDIS_ESTATE); /* a plain message */
    return ALDIS_OK;
}

static aldis_err depot_on_parcel(struct depot *self, const struct parcel *msg, aldis_ctx *ctx)
{
    return on_parcel(self, msg, ctx);
}
static aldis_err depot_on_look(struct depot *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return on_look(self, ctx);
}
ALDIS_BEHAVIOUR(depot, struct depot, DEPOT_PROTOCOL, .on_start = depot_start);

static aldis_err small_depot_on_parcel(struct depot *self, const struct parcel *msg, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_busy(ctx, 3 * ALDIS_MS));
    return on_parcel(self, msg, ctx);
}
static aldis_err small_depot_on_look(struct depot *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return on_look(self, ctx);
}
ALDIS_BEHAVIOUR(small_depot, struct depot, DEPOT_PROTOCOL, .on_start = depot_start,
                .mailbox = {.capacity_msgs = 4, .policy = ALDIS_DROP_NEWEST});

struct courier {
    uint64_t sent, told, ok;
    aldis_delivered last;
};

static struct courier seen;             /* by `look`; the test has one courier */
static aldis_delivery_stats seen_stats; /* of it */
static aldis_pending seen_pending[8];
static size_t seen_pending_count;

static aldis_err courier_on_order(struct courier *self, const struct order *msg, aldis_ctx *ctx)
{
    depot_ref to = {.id = msg->to};
    for (uint64_t i = 0; i < msg->count; i++) {
        aldis_message_id id;
        aldis_err err =
            aldis_send_reliable(ctx, to, parcel, &id, &msg->opts, .number = msg->first + i);
        EXPECT_ERR(err, msg->expected);
        self->sent += err == ALDIS_OK;
        if (err == ALDIS_OK) {
            EXPECT(aldis_id_equal(id.from, aldis_self(ctx)) && aldis_id_equal(id.to, msg->to));
            EXPECT(id.number != 0);
        }
    }
    return ALDIS_OK;
}

static aldis_err courier_on_aldis_delivered(struct courier *self, const aldis_delivered *msg,
                                            aldis_ctx *ctx)
{
    self->told++;
    self->ok += msg->result == ALDIS_OK;
    self->last = *msg;
    EXPECT(aldis_id_equal(msg->id.from, aldis_self(ctx)));
    trace_add(msg->result == ALDIS_OK ? CONFIRMED : FAILED, msg->id.number, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err courier_on_look(struct courier *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    seen = *self;
    EXPECT_OK(aldis_delivery_get_stats(ctx, &seen_stats));
    seen_pending_count = aldis_pending_list(ctx, seen_pending, 8);
    EXPECT_UINT(aldis_pending_count(ctx), seen_pending_count);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(courier, struct courier, COURIER_PROTOCOL);

static depot_ref open_depot(struct fixture *f, uint64_t mode)
{
    depot_ref depot;
    CHECK_ERR(aldis_spawn(f->system, depot, &depot,
                          &(aldis_spawn_opts){.arg = &mode, .arg_size = sizeof mode}),
              ALDIS_OK);
    return depot;
}

static courier_ref open_courier(struct fixture *f)
{
    courier_ref courier;
    CHECK_ERR(aldis_spawn(f->system, courier, &courier, NULL), ALDIS_OK);
    return courier;
}

static void give(struct fixture *f, courier_ref courier, aldis_id to, uint64_t count,
                 aldis_reliable_opts opts)
{
    struct order order = {.to = to, .first = 1, .count = count, .opts = opts};
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
}

static void look_at(struct fixture *f, courier_ref courier)
{
    CHECK_ERR(aldis_signal(f->system, courier, look), ALDIS_OK);
    fixture_settle(f);
}

/* Let virtual time go by. */
static void pass(struct fixture *f, aldis_ns ns)
{
    CHECK_ERR(aldis_system_run(f->system, aldis_system_now(f->system) + ns, NULL), ALDIS_OK);
}

/* ------------------------------------------------------------------ the good case */

static const aldis_reliable_opts grades[] = {{.grade = ALDIS_AT_LEAST_ONCE},
                                             {.grade = ALDIS_AT_MOST_ONCE},
                                             {.grade = ALDIS_EFFECT_ONCE},
                                             {.grade = ALDIS_EFFECT_ONCE, .ordered = true}};

TEST_EACH(every_message_is_confirmed_once)
{
    for (size_t g = 0; g < sizeof grades / sizeof grades[0]; g++) {
        trace_clear();
        fixture_open(f, NULL);
        depot_ref depot = open_depot(f, PLAIN);
        courier_ref courier = open_courier(f);
        /* Less than a stream's window, more than a mailbox. */
        give(f, courier, depot.id, 1000, grades[g]);
        fixture_await(f, "aldis_delivered", 1000);
        look_at(f, courier);
        CHECK_UINT(seen.sent, 1000);
        CHECK_UINT(seen.ok, 1000);
        CHECK_UINT(seen.told, 1000);
        CHECK_UINT(seen_stats.pending, 0);
        CHECK_UINT(seen_stats.confirmed, 1000);
        CHECK_UINT(seen_stats.by_attempts[0], 1000);
        CHECK_UINT(trace_count_of(HANDLED), 1000);
        for (uint64_t i = 1; i <= 1000; i++)
            CHECK(trace_find(HANDLED, i) != TRACE_MAX);
        fixture_close(f);
    }
}

TEST_EACH(the_context_comes_back)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.context = 77});
    fixture_await(f, "aldis_delivered", 1);
    look_at(f, courier);
    CHECK_UINT(seen.last.context, 77);
    CHECK_UINT(seen.last.attempts, 1);
    fixture_close(f);
}

/* ------------------------------------------------------------------ nothing left behind */

static bool has_second_block(struct fixture *f, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, f->system->node_base);
    return aldis__system_cell(f->system, place)->ext != NULL;
}

TEST_EACH(what_is_uncounted_leaves_nothing_behind)
{
    uint64_t last = 0;
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    look_at(f, courier);
    for (uint64_t round = 1; round <= 3; round++) {
        give(f, courier, depot.id, 20, (aldis_reliable_opts){.uncounted = true});
        fixture_await(f, "aldis_delivered", 20 * round);
        look_at(f, courier);
        CHECK_UINT(seen.ok, 20 * round);
        CHECK_UINT(seen_stats.sent + seen_stats.confirmed + seen_stats.pending, 0);
        CHECK(!has_second_block(f, courier.id) && !has_second_block(f, depot.id));
        CHECK(seen.last.id.number > last); /* no number comes twice */
        last = seen.last.id.number;
    }
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.uncounted = false});
    fixture_await(f, "aldis_delivered", 61);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.uncounted = true});
    fixture_await(f, "aldis_delivered", 62);
    look_at(f, courier);
    CHECK_UINT(seen_stats.sent, 1); /* figures stay */
    CHECK_UINT(seen_stats.confirmed, 1);
    fixture_close(f);
}

TEST_VIRTUAL(what_is_uncounted_is_repeated_and_told_all_the_same)
{
    static const aldis_fault_rule rules[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 0.3},
                                             {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.3},
                                             {.kind = ALDIS_FAULT_DELAY, .chance = 0.3}};
    fixture_open(f, NULL);
    CHECK_OK(aldis_system_inject(f->system, &(aldis_fault_plan){.rules = rules, .rule_count = 3}));
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    for (uint64_t round = 1; round <= 40; round++) {
        give(f, courier, depot.id, 1 + round % 3,
             (aldis_reliable_opts){
                 .uncounted = true, .max_attempts = 31, .timeout_ns = 20 * ALDIS_MS});
        pass(f, ALDIS_MINUTE);
        look_at(f, courier);
        CHECK_UINT(seen.ok, seen.sent);
        CHECK_UINT(seen.told, seen.sent);
        CHECK(!has_second_block(f, courier.id));
    }
    /* One that has ended: told once, and then nothing is left either. */
    CHECK_OK(aldis_system_inject(f->system, NULL));
    depot_ref closed = open_depot(f, REFUSES);
    give(f, courier, closed.id, 2, (aldis_reliable_opts){.uncounted = true, .max_attempts = 3});
    pass(f, ALDIS_MINUTE);
    look_at(f, courier);
    CHECK_UINT(seen.told, seen.sent);
    CHECK_UINT(seen.ok, seen.sent - 2);
    CHECK(!has_second_block(f, courier.id));
    fixture_close(f);
}

TEST_VIRTUAL(each_attempt_takes_its_delay)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, REFUSES_TWICE);
    courier_ref courier = open_courier(f);
    aldis_ns begin_ns = aldis_system_now(f->system);
    give(f, courier, depot.id, 1,
         (aldis_reliable_opts){.delay_ns = 5 * ALDIS_SECOND, .jitter_permille = 1});
    pass(f, ALDIS_MINUTE);
    look_at(f, courier);
    CHECK_UINT(seen.ok, 1);
    CHECK_UINT(seen.last.attempts, 3);
    CHECK_UINT(seen_stats.retries, 2);
    CHECK_UINT(trace_count_of(HANDLED), 3);
    /* 5 s; repeated 1 s after it could have been there, 5 s; then 2 s after, 5 s. */
    aldis_ns told_ns = trace_at(trace_count() - 1).at_ns - begin_ns;
    CHECK(told_ns > 17 * ALDIS_SECOND && told_ns < 19 * ALDIS_SECOND);
    struct order order = {
        .to = depot.id, .count = 1, .expected = ALDIS_ELOOKAHEAD, .opts = {.delay_ns = 1}};
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
    look_at(f, courier);
    CHECK_UINT(seen_stats.pending, 0);
    fixture_close(f);
}

/* ------------------------------------------------------------------ refusals */

TEST_EACH(what_cannot_arrive_fails_at_once)
{
    fixture_open(f, NULL);
    courier_ref courier = open_courier(f);
    depot_ref gone = open_depot(f, PLAIN);
    CHECK_ERR(aldis_stop(f->system, gone.id), ALDIS_OK);
    fixture_settle(f);
    struct order order = {.to = gone.id, .count = 2, .expected = ALDIS_ESTALE};
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
    order.to = aldis_nobody();
    order.expected = ALDIS_ENOTFOUND;
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
    order.to = courier.id;
    order.expected = ALDIS_EUNACCEPTED;
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
    look_at(f, courier);
    CHECK_UINT(seen.told, 0);
    CHECK_UINT(seen_stats.pending, 0);
    CHECK_UINT(seen_stats.sent, 0);
    fixture_close(f);
}

TEST_EACH(options_are_checked)
{
    static const aldis_reliable_opts bad[] = {
        {.grade = (aldis_grade)3}, {.timeout_ns = -1},        {.timeout_max_ns = -1},
        {.deadline_ns = -1},       {.jitter_permille = 1001}, {.lane = ALDIS_LANE_CONTROL},
        {.lane = (aldis_lane)9},   {.delay_ns = -1}};
    fixture_open(f, NULL);
    courier_ref courier = open_courier(f);
    depot_ref depot = open_depot(f, PLAIN);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct order order = {.to = depot.id, .count = 1, .expected = ALDIS_EINVAL, .opts = bad[i]};
        CHECK_ERR(aldis_send_copy(f->system, courier, order, &order), ALDIS_OK);
    }
    look_at(f, courier);
    CHECK_UINT(seen_stats.pending, 0);
    fixture_close(f);
}

static aldis_err send_unlisted(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    depot_ref depot = {.id = act->id};
    (void)self;
    EXPECT_ERR(aldis_send_reliable(ctx, depot, parcel, NULL, NULL, .number = 1), ALDIS_EUNACCEPTED);
    return ALDIS_OK;
}

TEST_EACH(a_sender_must_be_able_to_hear)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    fixture_tell(f, fixture_spawn(f, NULL, NULL), send_unlisted, (struct act){.id = depot.id});
    fixture_settle(f);
    fixture_close(f);
}

/* From an actor that has never received anything reliably, then from one that has. */
static aldis_err forge(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_delivered told = {.result = ALDIS_OK};
    (void)self;
    EXPECT_ERR(aldis_ctx_send_raw(ctx, act->id, &aldis_delivered_type, &told, sizeof told),
               ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_ack_with(ctx, (aldis_ack_token){act->id, 1, 0}, ALDIS_OK), ALDIS_EINVAL);
    return ALDIS_OK;
}

static aldis_id victim; /* of the forger: an actor with pending messages */

static aldis_err forger_on_parcel(uint64_t *self, const struct parcel *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    for (uint64_t number = 1; number <= 4; number++) {
        EXPECT_OK(aldis_ack_with(ctx, (aldis_ack_token){victim, number, 0}, ALDIS_OK));
        EXPECT_OK(aldis_ack_with(ctx, (aldis_ack_token){victim, number, 0}, ALDIS_EFULL));
    }
    static const aldis_ack_token wrong[] = {
        {{UINT64_C(0x0123456789abcdef)}, 1, 0}, /* an actor that never was */
        {{0}, 1, 0},
        {{1}, 0, 0},
        {{1}, 1, UINT64_C(1) << 45}}; /* nobody, no number, durable */
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        EXPECT_ERR(aldis_ack_with(ctx, wrong[i], ALDIS_OK), ALDIS_EINVAL);
        EXPECT_ERR(aldis_ack_with(ctx, wrong[i], ALDIS_EFULL), ALDIS_EINVAL);
    }
    /* Far beyond the window of a stream. */
    EXPECT_ERR(aldis_ack_with(ctx, (aldis_ack_token){victim, UINT64_C(1) << 40, 0}, ALDIS_OK),
               ALDIS_EINVAL);
    return ALDIS_OK;
}
#define FORGER_PROTOCOL(X, kind) X(kind, parcel)
ALDIS_PROTOCOL(forger, FORGER_PROTOCOL);
ALDIS_BEHAVIOUR(forger, uint64_t, FORGER_PROTOCOL);

TEST_EACH(nobody_else_can_confirm)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    give(f, courier, depot.id, 3,
         (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .timeout_ns = ALDIS_HOUR});
    fixture_await(f, "order", 1);
    fixture_tell(f, fixture_spawn(f, NULL, NULL), forge, (struct act){.id = courier.id});
    fixture_await(f, "act", 1);
    forger_ref forger;
    victim = courier.id;
    CHECK_ERR(aldis_spawn(f->system, forger, &forger, NULL), ALDIS_OK);
    give(f, open_courier(f), forger.id, 1, (aldis_reliable_opts){.timeout_ns = ALDIS_HOUR});
    fixture_await(f, "aldis_delivered", 1);
    CHECK_ERR(aldis_signal(f->system, courier, look), ALDIS_OK);
    fixture_await(f, "look", 1);
    CHECK_UINT(seen.told, 0);
    CHECK(seen_stats.ignored_acks >= 8);
    CHECK_UINT(seen_stats.pending, 3);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_await(f, "parcel", 3);
    fixture_close(f);
}

/* ------------------------------------------------------------------ repeats */

TEST_VIRTUAL(a_refused_message_is_repeated_with_longer_waits)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, REFUSES);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.context = 5});
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.told, 1);
    CHECK_UINT(seen.last.result, ALDIS_EHANDLER);
    CHECK_UINT(seen.last.attempts, 4); /* three repeats */
    CHECK_UINT(seen.last.context, 5);
    CHECK_UINT(trace_count_of(HANDLED), 4);
    aldis_ns wait_ns = ALDIS_SECOND;
    for (size_t i = 0, last = TRACE_MAX; i < trace_count(); i++) {
        struct trace_entry entry = trace_at(i);
        if (entry.what != HANDLED)
            continue;
        if (last != TRACE_MAX) {
            aldis_ns gap_ns = entry.at_ns - trace_at(last).at_ns;
            CHECK(gap_ns >= wait_ns - wait_ns / 5 &&
                  gap_ns <= wait_ns + wait_ns / 5 + 2 * ALDIS_MS);
            wait_ns *= 2;
        }
        last = i;
    }
    CHECK_INT(wait_ns, 8 * ALDIS_SECOND);
    CHECK_UINT(seen_stats.retries, 3);
    CHECK_UINT(seen_stats.failed, 1);
    fixture_close(f);
}

TEST_EACH(no_retries_is_one_attempt)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, NACKS);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.max_attempts = 1});
    fixture_await(f, "aldis_delivered", 1);
    look_at(f, courier);
    CHECK_UINT(seen.last.result, ALDIS_ERATE);
    CHECK_UINT(seen.last.attempts, 1);
    CHECK_UINT(trace_count_of(HANDLED), 1);
    fixture_close(f);
}

TEST_VIRTUAL(it_succeeds_at_the_third_attempt)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, REFUSES_TWICE);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE});
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.last.result, ALDIS_OK);
    CHECK_UINT(seen.last.attempts, 3);
    CHECK_UINT(seen_stats.by_attempts[2], 1);
    fixture_close(f);
}

/* A receiver that is held for 3.5 s gets the attempts at 0, 1 and 3 s at once. */
static uint64_t handled_after_a_pause(struct fixture *f, aldis_reliable_opts opts)
{
    trace_clear();
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    opts.jitter_permille = 1;
    give(f, courier, depot.id, 5, opts);
    pass(f, 3500 * ALDIS_MS);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.told, 5);
    CHECK_UINT(seen.ok, opts.grade == ALDIS_AT_MOST_ONCE ? 0 : 5);
    CHECK_UINT(trace_count_of(CONFIRMED) + trace_count_of(FAILED), 5);
    uint64_t handled = trace_count_of(HANDLED);
    fixture_close(f);
    return handled;
}

TEST_VIRTUAL(repeats_are_filtered_by_grade)
{
    CHECK_UINT(handled_after_a_pause(f, (aldis_reliable_opts){.grade = ALDIS_AT_LEAST_ONCE}), 15);
    CHECK_UINT(handled_after_a_pause(f, (aldis_reliable_opts){.ordered = true}), 5);
    CHECK_UINT(handled_after_a_pause(f, (aldis_reliable_opts){.grade = ALDIS_AT_MOST_ONCE}), 5);
    CHECK_UINT(handled_after_a_pause(f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}), 5);
}

TEST_VIRTUAL(all_attempts_unanswered)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    give(f, courier, depot.id, 2,
         (aldis_reliable_opts){.max_attempts = 2, .timeout_ns = ALDIS_SECOND});
    pass(f, 4 * ALDIS_SECOND);
    look_at(f, courier);
    CHECK_UINT(seen.told, 2);
    CHECK_UINT(seen.last.result, ALDIS_ETIMEDOUT);
    CHECK_UINT(seen.last.attempts, 2);
    /* Its late acknowledgement confirms nothing any more. */
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.told, 2);
    CHECK_UINT(seen_stats.ignored_acks, 4);
    fixture_close(f);
}

TEST_VIRTUAL(after_its_deadline_it_is_not_handled)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    give(f, courier, depot.id, 3, (aldis_reliable_opts){.deadline_ns = 500 * ALDIS_MS});
    pass(f, 2 * ALDIS_SECOND);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.told, 3);
    CHECK_UINT(seen.last.result, ALDIS_EEXPIRED);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    CHECK_UINT(fixture_counts(f, "parcel").expired, 3);
    fixture_close(f);
}

/* ------------------------------------------------------------------ by hand */

TEST_EACH(confirmed_by_hand_it_counts_whatever_the_handler_returns)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, ACKS_AND_FAILS);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 3, (aldis_reliable_opts){.context = 1});
    fixture_await(f, "aldis_delivered", 3);
    look_at(f, courier);
    CHECK_UINT(seen.ok, 3);
    CHECK_UINT(trace_count_of(HANDLED), 3);
    fixture_close(f);
}

TEST_VIRTUAL(confirmed_later)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, ACKS_LATER);
    courier_ref courier = open_courier(f);
    give(f, courier, depot.id, 1, (aldis_reliable_opts){.context = 1});
    pass(f, 500 * ALDIS_MS);
    look_at(f, courier);
    CHECK_UINT(trace_count_of(HANDLED) > 0, 1);
    CHECK_ERR(aldis_signal(f->system, depot, look), ALDIS_OK);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.told, 1);
    fixture_close(f);
}

TEST_EACH(a_plain_message_has_nothing_to_confirm)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    CHECK_ERR(aldis_signal(f->system, depot, look), ALDIS_OK);
    fixture_settle(f);
    fixture_close(f);
}

/* ------------------------------------------------------------------ ends */

TEST_EACH(a_receiver_that_ends_is_told)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    give(f, courier, depot.id, 10, (aldis_reliable_opts){.timeout_ns = ALDIS_HOUR});
    fixture_await(f, "order", 1);
    if (f->clock == ALDIS_CLOCK_VIRTUAL)
        pass(f, 10 * ALDIS_MS);
    CHECK_ERR(aldis_stop(f->system, depot.id), ALDIS_OK);
    fixture_await(f, "aldis_delivered", 10);
    look_at(f, courier);
    CHECK_UINT(seen.told, 10);
    CHECK_UINT(seen.ok, 0);
    CHECK(seen.last.result == ALDIS_ESTALE || seen.last.result == ALDIS_ESHUTDOWN);
    CHECK_UINT(seen_stats.pending, 0);
    fixture_close(f);
}

TEST_EACH(a_sender_that_ends_leaves_nothing_behind)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    give(f, courier, depot.id, 10, (aldis_reliable_opts){.timeout_ns = 100 * ALDIS_MS});
    fixture_await(f, "order", 1);
    CHECK_ERR(aldis_stop(f->system, courier.id), ALDIS_OK);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_await(f, "parcel", 10);
    fixture_close(f);
}

/* ------------------------------------------------------------------ bounds, lists */

TEST_VIRTUAL(a_stream_has_a_window)
{
    fixture_open(f, &(aldis_system_opts){.mailbox = {.capacity_msgs = 4096}});
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    aldis_reliable_opts opts = {.ordered = true, .timeout_ns = ALDIS_HOUR};
    give(f, courier, depot.id, 1024, opts);
    struct order one_more = {
        .to = depot.id, .first = 1025, .count = 1, .expected = ALDIS_EAGAIN, .opts = opts};
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &one_more), ALDIS_OK);
    opts.ordered = false; /* what is in no stream has none */
    struct order loose = {.to = depot.id, .first = 2000, .count = 1, .opts = opts};
    CHECK_ERR(aldis_send_copy(f->system, courier, order, &loose), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.ok, 1025);
    fixture_close(f);
}

TEST_VIRTUAL(what_is_pending_can_be_read)
{
    fixture_open(f, NULL);
    depot_ref depot = open_depot(f, PLAIN);
    courier_ref courier = open_courier(f);
    CHECK_ERR(aldis_pause(f->system, depot.id), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    give(f, courier, depot.id, 3, (aldis_reliable_opts){.max_attempts = 8, .jitter_permille = 1});
    pass(f, 1500 * ALDIS_MS);
    CHECK_ERR(aldis_signal(f->system, courier, look), ALDIS_OK);
    pass(f, 10 * ALDIS_MS);
    CHECK_UINT(seen_pending_count, 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK(aldis_id_equal(seen_pending[i].id.to, depot.id));
        CHECK_STR(seen_pending[i].type_name, "parcel");
        CHECK_UINT(seen_pending[i].retries, 1);
        CHECK_UINT(seen_pending[i].max_retries, 7);
        CHECK_INT(seen_pending[i].timeout_ns, 2 * ALDIS_SECOND);
        CHECK_UINT(seen_pending[i].id.number, (UINT64_C(1) << 63) + 1 + i);
    }
    CHECK(seen_stats.oldest_age_ns >= 1490 * ALDIS_MS &&
          seen_stats.oldest_age_ns <= 1520 * ALDIS_MS);
    CHECK_ERR(aldis_resume(f->system, depot.id), ALDIS_OK);
    fixture_settle(f);
    fixture_close(f);
}

/* ------------------------------------------------------------------ order under loss */

/* A mailbox of four that drops what it has no room for: most first attempts are lost. */
static uint64_t run_through_a_small_mailbox(struct fixture *f, aldis_reliable_opts opts,
                                            uint64_t count)
{
    small_depot_ref depot;
    uint64_t mode = PLAIN;
    trace_clear();
    fixture_open(f, &(aldis_system_opts){.seed = 7});
    CHECK_ERR(aldis_spawn(f->system, small_depot, &depot,
                          &(aldis_spawn_opts){.arg = &mode, .arg_size = sizeof mode}),
              ALDIS_OK);
    courier_ref courier = open_courier(f);
    opts.timeout_ns = 20 * ALDIS_MS;
    opts.timeout_max_ns = 80 * ALDIS_MS;
    opts.max_attempts = 100000;
    give(f, courier, depot.id, count, opts);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.ok, count);
    CHECK_UINT(seen.told, count);
    CHECK(seen_stats.retries > 0);
    uint64_t print = aldis_system_run_print(f->system);
    fixture_close(f);
    return print;
}

TEST_VIRTUAL(order_is_kept_through_losses)
{
    run_through_a_small_mailbox(
        f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true}, 200);
    uint64_t next = 1;
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == HANDLED)
            CHECK_UINT(trace_at(i).tag, next++);
    CHECK_UINT(next, 201);
}

TEST_VIRTUAL(each_takes_effect_once_through_losses)
{
    run_through_a_small_mailbox(f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}, 200);
    CHECK_UINT(trace_count_of(HANDLED), 200);
}

TEST(the_same_run_on_any_number_of_workers)
{
    uint64_t prints[3];
    static const uint32_t workers[3] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = workers[i]};
        prints[i] = run_through_a_small_mailbox(
            &f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true}, 100);
    }
    CHECK_UINT(prints[1], prints[0]);
    CHECK_UINT(prints[2], prints[0]);
}

/* ------------------------------------------------------------------ restarts */

/* Counts parcels, and fails at every seventh after it has counted it. */
struct counter {
    uint64_t seen; /* since the last restart */
    struct {
        uint64_t total, starts;
    } kept;
};
#define COUNTER_PROTOCOL(X, kind) X(kind, parcel)
ALDIS_PROTOCOL(counter, COUNTER_PROTOCOL);

static uint64_t counted, counter_starts; /* of the one counter, when it is stopped */

static aldis_err counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct counter *self = state;
    (void)arg;
    (void)ctx;
    self->kept.starts++; /* saved with the next parcel only */
    counter_starts++;
    return ALDIS_OK;
}

static void counter_stop(void *state, aldis_ctx *ctx)
{
    const struct counter *self = state;
    (void)ctx;
    counted = self->kept.total;
}

static aldis_err counter_on_parcel(struct counter *self, const struct parcel *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->kept.total++;
    return ++self->seen % 7 == 0 ? aldis_fail(ctx, "a seventh") : ALDIS_OK;
}
ALDIS_BEHAVIOUR(counter, struct counter, COUNTER_PROTOCOL, .on_start = counter_start,
                .on_stop = counter_stop, .durable = ALDIS_DURABLE(struct counter, kept),
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

static counter_ref the_counter;

static aldis_err boss_on_look(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_spawn(ctx, counter, &the_counter, NULL);
}
#define BOSS_PROTOCOL(X, kind) X(kind, look)
ALDIS_PROTOCOL(boss, BOSS_PROTOCOL);
ALDIS_BEHAVIOUR(boss, uint64_t, BOSS_PROTOCOL,
                .supervisor = {.intensity = 1000, .backoff_ns = ALDIS_NO_DELAY});

static void count_through_restarts(struct fixture *f, aldis_reliable_opts opts, uint64_t count)
{
    boss_ref boss;
    counted = counter_starts = 0;
    fixture_open(f, NULL);
    CHECK_ERR(aldis_spawn(f->system, boss, &boss, NULL), ALDIS_OK);
    CHECK_ERR(aldis_signal(f->system, boss, look), ALDIS_OK);
    courier_ref courier = open_courier(f);
    fixture_settle(f);
    opts.timeout_ns = 20 * ALDIS_MS;
    opts.timeout_max_ns = 40 * ALDIS_MS;
    opts.max_attempts = 1000000;
    give(f, courier, the_counter.id, count, opts);
    fixture_settle(f);
    look_at(f, courier);
    CHECK_UINT(seen.ok, count);
    CHECK(counter_starts >= count / 7);
    CHECK_ERR(aldis_stop(f->system, the_counter.id), ALDIS_OK);
    fixture_settle(f);
}

TEST_VIRTUAL(what_is_durable_is_counted_once_through_restarts)
{
    count_through_restarts(f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true},
                           400);
    CHECK_UINT(counted, 400);
    fixture_close(f);
    count_through_restarts(f, (aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}, 400);
    CHECK_UINT(counted, 400);
    fixture_close(f);
}
