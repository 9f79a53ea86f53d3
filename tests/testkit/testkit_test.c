// SPDX-License-Identifier: Apache-2.0
/* testkit_test.c: the test kit, by its public face; its failures are caught and read. */
#include "harness.h"
#include <aldis/aldis.h>

ALDIS_MESSAGE(ask_sum, uint64_t);
ALDIS_MESSAGE(sum, uint64_t);
ALDIS_SIGNAL(remind);
ALDIS_SIGNAL(nudge);

#define ADDER_PROTOCOL(X, kind) X(kind, ask_sum) X(kind, nudge) X(kind, remind)
ALDIS_PROTOCOL(adder, ADDER_PROTOCOL);
#define CLIENT_PROTOCOL(X, kind) X(kind, sum) X(kind, nudge)
ALDIS_PROTOCOL(client, CLIENT_PROTOCOL);
ALDIS_PROBE(client, CLIENT_PROTOCOL);

/* Adds what it is asked, and answers; reminds its last client 100 ms later. */
struct adder {
    uint64_t sum;
    client_ref last;
    aldis_timer timer;
};

static aldis_err adder_on_ask_sum(struct adder *self, const uint64_t *value, aldis_ctx *ctx)
{
    self->sum += *value;
    self->last.id = aldis_sender(ctx);
    if (self->timer.bits)
        (void)aldis_timer_cancel(ctx, self->timer);
    aldis_err err = aldis_timer_once(ctx, 100 * ALDIS_MS, remind, &self->timer);
    return err != ALDIS_OK ? err : aldis_send(ctx, self->last, sum, self->sum);
}

static aldis_err adder_on_nudge(struct adder *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->sum = 0;
    return ALDIS_OK;
}

static aldis_err adder_on_remind(struct adder *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_signal(ctx, self->last, nudge);
}
ALDIS_BEHAVIOUR(adder, struct adder, ADDER_PROTOCOL);

static char failure[4096];
static unsigned failures;

static void keep_failure(void *arg, const char *text)
{
    CHECK(arg == failure);
    snprintf(failure, sizeof failure, "%s", text);
    failures++;
}

struct stage {
    aldis_testkit *kit;
    aldis_probe *probe;
    client_ref client;
    adder_ref adder;
};

static void set(struct stage *s, uint32_t workers, uint32_t trace_msgs)
{
    aldis_testkit_opts opts = {.system = {.workers = workers, .shards = 8, .seed = 42},
                               .trace_msgs = trace_msgs,
                               .on_failure = keep_failure,
                               .on_failure_arg = failure};
    failures = 0;
    failure[0] = '\0';
    CHECK_OK(aldis_testkit_create(&opts, &s->kit));
    s->probe = aldis_testkit_probe(s->kit, client, &s->client);
    CHECK(s->probe != NULL);
    CHECK_OK(aldis_spawn(aldis_testkit_system(s->kit), adder, &s->adder, NULL));
}

static void strike(struct stage *s)
{
    CHECK_UINT(failures, 0);
    CHECK_OK(aldis_testkit_destroy(s->kit));
    CHECK_UINT(failures, 0);
}

TEST(a_probe_gets_what_it_expects)
{
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct stage s;
        set(&s, workers, 0);
        CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
        const uint64_t *sum = aldis_expect(s.probe, sum, 10 * ALDIS_MS);
        CHECK(sum != NULL);
        CHECK_UINT(*sum, 5);
        CHECK(aldis_id_equal(aldis_probe_sender(s.probe), s.adder.id));
        /* 100 ms after the question: not before, and then at once. */
        aldis_ns asked_ns = aldis_system_now(aldis_testkit_system(s.kit));
        CHECK(aldis_expect_none(s.probe, 90 * ALDIS_MS));
        CHECK_INT(aldis_system_now(aldis_testkit_system(s.kit)), asked_ns + 90 * ALDIS_MS);
        CHECK(aldis_expect(s.probe, nudge, 10 * ALDIS_MS) != NULL);
        strike(&s);
    }
}

TEST(time_moves_by_windows_or_by_itself)
{
    struct stage s;
    set(&s, 1, 0);
    aldis_system *system = aldis_testkit_system(s.kit);
    while (aldis_testkit_step(s.kit)) /* the starts */
        ;
    uint64_t windows = aldis_system_windows(system);
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
    CHECK(aldis_testkit_step(s.kit)); /* the question */
    CHECK(aldis_testkit_step(s.kit)); /* the answer */
    CHECK(aldis_testkit_step(s.kit)); /* the timer */
    CHECK(aldis_testkit_step(s.kit)); /* the reminder */
    CHECK(!aldis_testkit_step(s.kit));
    CHECK_UINT(aldis_system_windows(system), windows + 4);
    aldis_ns now_ns = aldis_system_now(system);
    CHECK_OK(aldis_testkit_advance(s.kit, ALDIS_HOUR));
    CHECK_INT(aldis_system_now(system), now_ns + ALDIS_HOUR);
    CHECK_ERR(aldis_testkit_advance(s.kit, -1), ALDIS_EINVAL);
    strike(&s);
}

/* ------------------------------------------------------------------ failures */

TEST(a_failed_expectation_shows_the_seed_and_the_last_messages)
{
    struct stage s;
    set(&s, 1, 2);
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
    CHECK(aldis_expect(s.probe, nudge, 10 * ALDIS_MS) == NULL);
    CHECK_UINT(failures, 1);
    CHECK(
        strstr(failure, "probe client: expected nudge within 10.000000 ms, got sum\nseed 42, at "));
    CHECK(strstr(failure, "the last 2 of 2 messages:\n"));
    CHECK(strstr(failure, "(adder)  ask_sum, 8 bytes\n"));
    CHECK(strstr(failure, "(client)  sum, 8 bytes"));
    CHECK(!aldis_expect_none(s.probe, ALDIS_MS)); /* it has the sum still */
    CHECK_UINT(failures, 2);
    CHECK(strstr(failure, "expected nothing within 1.000000 ms, got sum"));
    CHECK(aldis_expect(s.probe, sum, 0) != NULL);
    CHECK(aldis_expect(s.probe, sum, 10 * ALDIS_MS) == NULL);
    CHECK(strstr(failure, "expected sum within 10.000000 ms, got nothing"));
    CHECK(aldis_expect(s.probe, nudge, ALDIS_SECOND) != NULL);
    CHECK(aldis_expect(s.probe, nudge, ALDIS_SECOND) == NULL);
    CHECK(strstr(failure, "the last 2 of 4 messages:\n"));
    aldis_testkit_fail(s.kit, "by %s", "hand");
    CHECK(strstr(failure, "by hand\nseed 42"));
    CHECK_UINT(failures, 5);
    CHECK_OK(aldis_testkit_destroy(s.kit));
}

TEST(bad_use_is_refused)
{
    aldis_testkit *kit;
    CHECK_ERR(aldis_testkit_create(NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_create(&(aldis_testkit_opts){.trace_msgs = 65537}, &kit), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_create(&(aldis_testkit_opts){.system = {.shards = 5000}}, &kit),
              ALDIS_EINVAL);
    CHECK_OK(aldis_testkit_destroy(NULL));
    CHECK(aldis_testkit_system(NULL) == NULL);
    CHECK_ERR(aldis_testkit_advance(NULL, 1), ALDIS_EINVAL);
    struct stage s;
    set(&s, 1, 0);
    aldis_testkit_match match = {.to = s.adder.id};
    CHECK_ERR(aldis_testkit_drop(NULL, &match), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_drop(s.kit, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_delay(s.kit, &match, 0), ALDIS_EINVAL);
    for (int i = 0; i < 64; i++)
        CHECK_OK(aldis_testkit_drop(s.kit, &match));
    CHECK_ERR(aldis_testkit_drop(s.kit, &match), ALDIS_EFULL);
    strike(&s);
}

/* ------------------------------------------------------------------ faults */

TEST(the_next_message_that_matches_is_dropped)
{
    struct stage s;
    set(&s, 2, 0);
    CHECK_OK(aldis_testkit_drop(
        s.kit, &(aldis_testkit_match){.from = s.adder.id, .to = s.client.id, .type = &sum_type}));
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
    CHECK(aldis_expect_none(s.probe, 10 * ALDIS_MS)); /* the answer is lost */
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 6));
    const uint64_t *sum = aldis_expect(s.probe, sum, 10 * ALDIS_MS);
    CHECK(sum != NULL && *sum == 11);
    /* And one of any type, to anybody: the reminder. */
    CHECK_OK(aldis_testkit_drop(s.kit, &(aldis_testkit_match){.to = s.client.id}));
    CHECK(aldis_expect_none(s.probe, ALDIS_SECOND));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(aldis_testkit_system(s.kit), &stats));
    CHECK_UINT(aldis_stats_type(&stats, "sum")->dropped, 1);
    CHECK_UINT(aldis_stats_type(&stats, "nudge")->dropped, 1);
    aldis_stats_fini(&stats);
    strike(&s);
}

TEST(a_dropped_tick_is_lost)
{
    struct stage s;
    set(&s, 1, 0);
    CHECK_OK(aldis_testkit_drop(s.kit, &(aldis_testkit_match){.type = &remind_type}));
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
    CHECK(aldis_expect(s.probe, sum, 10 * ALDIS_MS) != NULL);
    CHECK(aldis_expect_none(s.probe, ALDIS_SECOND));
    strike(&s);
}

TEST(the_next_message_that_matches_is_delayed)
{
    struct stage s;
    set(&s, 2, 0);
    CHECK_OK(
        aldis_testkit_delay(s.kit, &(aldis_testkit_match){.type = &ask_sum_type}, 50 * ALDIS_MS));
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 5));
    CHECK_OK(aldis_testkit_signal_as(s.kit, aldis_nobody(), s.adder, nudge)); /* overtakes it */
    CHECK(aldis_expect_none(s.probe, 50 * ALDIS_MS));
    CHECK(aldis_expect(s.probe, sum, 10 * ALDIS_MS) != NULL);
    /* Within its own window. */
    CHECK_OK(aldis_testkit_delay(s.kit, &(aldis_testkit_match){.type = &ask_sum_type}, 7));
    CHECK_OK(aldis_testkit_send_as(s.kit, s.client.id, s.adder, ask_sum, 1));
    const uint64_t *sum = aldis_expect(s.probe, sum, 10 * ALDIS_MS);
    CHECK(sum != NULL && *sum == 6);
    strike(&s);
}

/* ------------------------------------------------------------------ every order */

ALDIS_MESSAGE(add, uint64_t);
ALDIS_MESSAGE(times, uint64_t);
#define CELL_PROTOCOL(X, kind) X(kind, add) X(kind, times)
ALDIS_PROTOCOL(cell, CELL_PROTOCOL);

struct cell {
    uint64_t value;
};

static uint64_t results[64], result_count, last_value;

static aldis_err cell_on_add(struct cell *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)ctx;
    last_value = self->value += *value;
    return ALDIS_OK;
}

static aldis_err cell_on_times(struct cell *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)ctx;
    last_value = self->value *= *value;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(cell, struct cell, CELL_PROTOCOL);

/* Two senders, three messages each, to one cell: 6! / (3! 3!) = 20 orders. */
static void two_senders(aldis_testkit *kit, void *arg)
{
    const uint64_t *wrong = arg;
    cell_ref cell;
    client_ref a, b;
    last_value = 0;
    CHECK(aldis_testkit_probe(kit, client, &a) && aldis_testkit_probe(kit, client, &b));
    CHECK_OK(aldis_spawn(aldis_testkit_system(kit), cell, &cell, NULL));
    for (uint64_t i = 1; i <= 3; i++) {
        CHECK_OK(aldis_testkit_send_as(kit, a.id, cell, add, i));
        CHECK_OK(aldis_testkit_send_as(kit, b.id, cell, times, 10 * i));
    }
    while (aldis_testkit_step(kit))
        ;
    results[result_count++ % 64] = last_value;
    if (wrong && last_value == *wrong)
        aldis_testkit_fail(kit, "the value is %" PRIu64, last_value);
}

TEST(two_senders_of_three_have_twenty_orders)
{
    aldis_testkit_orders orders;
    result_count = 0;
    CHECK_OK(aldis_testkit_explore(NULL, two_senders, NULL, 1000, &orders));
    CHECK_UINT(orders.orders, 20);
    CHECK(orders.complete && !orders.failed);
    CHECK_UINT(result_count, 20);
    /* Every order that there is, by hand: where each of b's three stands among a's. */
    unsigned found = 0;
    for (int i = 0; i <= 3; i++)
        for (int j = i; j <= 3; j++)
            for (int k = j; k <= 3; k++) {
                uint64_t value = 0, at[3] = {(uint64_t)i, (uint64_t)j, (uint64_t)k};
                for (uint64_t done = 0, n = 0; done + n < 6;) {
                    if (n < 3 && at[n] == done)
                        value *= 10 * ++n;
                    else
                        value += ++done;
                }
                bool is_there = false;
                for (size_t r = 0; r < 20; r++)
                    is_there |= results[r] == value;
                CHECK(is_there);
                found++;
            }
    CHECK_UINT(found, 20);
}

TEST(a_failing_order_is_named)
{
    aldis_testkit_orders orders;
    aldis_testkit_opts opts = {.on_failure = keep_failure, .on_failure_arg = failure};
    uint64_t wrong = 36000; /* 1 + 2 + 3 first, then times 10, 20, 30 */
    failures = 0;
    CHECK_ERR(aldis_testkit_explore(&opts, two_senders, &wrong, 1000, &orders), ALDIS_EHANDLER);
    CHECK(orders.failed && orders.orders >= 1 && orders.orders <= 20);
    CHECK_STR(orders.failing, "client>cell add, client>cell add, client>cell add, "
                              "client>cell times, client>cell times, client>cell times");
    CHECK_UINT(failures, 1);
    CHECK(strstr(failure, "the value is 36000\n"));
    CHECK(strstr(failure, "order: client>cell add, "));
    CHECK(strstr(aldis_error_last()->text, orders.failing) != NULL);
}

TEST(an_exploration_stops_where_it_is_told)
{
    aldis_testkit_orders orders;
    CHECK_OK(aldis_testkit_explore(NULL, two_senders, NULL, 7, &orders));
    CHECK_UINT(orders.orders, 7);
    CHECK(!orders.complete);
    CHECK_ERR(aldis_testkit_explore(NULL, NULL, NULL, 7, &orders), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_explore(NULL, two_senders, NULL, 0, &orders), ALDIS_EINVAL);
    CHECK_ERR(aldis_testkit_explore(NULL, two_senders, NULL, 7, NULL), ALDIS_EINVAL);
}

/* Two actors that answer each other: six messages, of which two can always come first. */
ALDIS_MESSAGE(ball, uint64_t);
#define PLAYER_PROTOCOL(X, kind) X(kind, ball)
ALDIS_PROTOCOL(player, PLAYER_PROTOCOL);
struct player {
    player_ref other;
};
static aldis_err player_on_ball(struct player *self, const uint64_t *left, aldis_ctx *ctx)
{
    last_value++;
    self->other.id = aldis_sender(ctx);
    return *left ? aldis_send(ctx, self->other, ball, *left - 1) : ALDIS_OK;
}
ALDIS_BEHAVIOUR(player, struct player, PLAYER_PROTOCOL);

static void two_players(aldis_testkit *kit, void *arg)
{
    player_ref a, b;
    (void)arg;
    last_value = 0;
    CHECK_OK(aldis_spawn(aldis_testkit_system(kit), player, &a, NULL));
    CHECK_OK(aldis_spawn(aldis_testkit_system(kit), player, &b, NULL));
    CHECK_OK(aldis_testkit_send_as(kit, a.id, b, ball, 2));
    CHECK_OK(aldis_testkit_send_as(kit, b.id, a, ball, 2));
    while (aldis_testkit_step(kit))
        ;
    if (last_value != 6)
        aldis_testkit_fail(kit, "%" PRIu64 " balls", last_value);
}

TEST(two_actors_and_six_messages_run_in_every_order)
{
    aldis_testkit_orders orders;
    CHECK_OK(aldis_testkit_explore(NULL, two_players, NULL, 1000, &orders));
    /* Two balls of three flights each. An answer flies behind the ball that its thrower threw
     * before, so the n-th flights of both end before any of the next: 2 * 2 * 2. */
    CHECK(orders.complete && !orders.failed);
    CHECK_UINT(orders.orders, 8);
}

static void unsteady(aldis_testkit *kit, void *arg)
{
    unsigned *runs = arg;
    cell_ref cell;
    client_ref clients[4];
    CHECK_OK(aldis_spawn(aldis_testkit_system(kit), cell, &cell, NULL));
    for (unsigned i = 0; i < (*runs ? 2 : 4); i++) {
        CHECK(aldis_testkit_probe(kit, client, &clients[i]));
        CHECK_OK(aldis_testkit_send_as(kit, clients[i].id, cell, add, 1));
    }
    ++*runs;
    while (aldis_testkit_step(kit))
        ;
}

TEST(a_model_must_do_the_same_each_time)
{
    aldis_testkit_orders orders;
    unsigned runs = 0;
    CHECK_ERR(aldis_testkit_explore(NULL, unsteady, &runs, 100, &orders), ALDIS_EINVAL);
    CHECK(!orders.complete);
    CHECK_UINT(runs, 2);
}
