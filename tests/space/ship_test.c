// SPDX-License-Identifier: Apache-2.0
/* ship_test.c: a ship as an actor, with stations that the test plays itself. Virtual time. */
#include "motion.h"
#include "stage.h"
#include "tiny.h"

#include <aldis/router.h>
#include <aldis/timer.h>

/* How a played station answers a request. */
enum answer { GRANT, REFUSE, QUEUE_FIRST, EXPIRE_ONCE, SILENT };

struct harbour_seen {
    uint32_t requests, dockings, undocks;
    RequestDocking last;
    aldis_ns first_request_ns, undock_ns;
};

static struct harbour_seen seen[3]; /* one worker writes, the test reads after the run */

struct harbour_arg {
    uint32_t number;
    enum answer answer;
};

struct harbour {
    struct harbour_arg arg;
};

#define HARBOUR_PROTOCOL(X, kind)                                                                  \
    X(kind, request_docking)                                                                       \
    X(kind, docked) X(kind, undock) X(kind, request_prices) X(kind, market_order)
ALDIS_PROTOCOL(harbour, HARBOUR_PROTOCOL);

static aldis_err harbour_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct harbour *)state)->arg = *(const struct harbour_arg *)arg;
    return ALDIS_OK;
}

static aldis_err harbour_on_request_docking(struct harbour *self, const RequestDocking *msg,
                                            aldis_ctx *ctx)
{
    struct harbour_seen *mine = &seen[self->arg.number];
    if (mine->requests++ == 0)
        mine->first_request_ns = aldis_now(ctx);
    mine->last = *msg;
    switch (self->arg.answer) {
    case REFUSE:
        return aldis_reply(ctx, docking_permission, .verdict = DOCKING_REFUSED,
                           .reason = REFUSAL_QUEUE_FULL, .visit = msg->visit);
    case QUEUE_FIRST:
        if (mine->requests == 1)
            return aldis_reply(ctx, docking_permission, .verdict = DOCKING_QUEUED, .place = 1,
                               .visit = msg->visit);
        break;
    case SILENT:
        return ALDIS_OK;
    case GRANT:
    case EXPIRE_ONCE:
        break;
    }
    return aldis_reply(ctx, docking_permission, .verdict = DOCKING_GRANTED, .berth = 3,
                       .visit = msg->visit);
}

static aldis_err harbour_on_docked(struct harbour *self, const Docked *msg, aldis_ctx *ctx)
{
    struct harbour_seen *mine = &seen[self->arg.number];
    mine->dockings++;
    if (msg->berth != 3)
        return aldis_fail(ctx, "not the berth that it was given");
    if (self->arg.answer == EXPIRE_ONCE && mine->dockings == 1)
        return aldis_reply(ctx, docking_permission, .verdict = DOCKING_REFUSED,
                           .reason = REFUSAL_EXPIRED, .visit = msg->visit);
    ship_ref ship = {.id = aldis_sender(ctx)};
    return aldis_send_after(ctx, 5 * ALDIS_SECOND, ship, service_done, .visit = msg->visit);
}

static aldis_err harbour_on_undock(struct harbour *self, const Undock *msg, aldis_ctx *ctx)
{
    (void)msg;
    seen[self->arg.number].undocks++;
    seen[self->arg.number].undock_ns = aldis_now(ctx);
    return ALDIS_OK;
}

/* It sells nothing. */
static aldis_err harbour_on_request_prices(struct harbour *self, const RequestPrices *msg,
                                           aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_reply(ctx, market_prices, .at_ns = aldis_now(ctx));
}

static aldis_err harbour_on_market_order(struct harbour *self, const MarketOrder *msg,
                                         aldis_ctx *ctx)
{
    (void)self;
    return aldis_reply(ctx, trade_answer, .number = msg->number, .reason = REFUSAL_NO_STOCK);
}

ALDIS_BEHAVIOUR(harbour, struct harbour, HARBOUR_PROTOCOL, .on_start = harbour_start);

/* ---- The stage: three played stations, a ledger, one ship at Alpha bound for Beta ---- */

static void open_with(enum answer alpha, enum answer beta, enum answer gamma)
{
    const enum answer answers[] = {alpha, beta, gamma};
    memset(seen, 0, sizeof seen);
    stage_open(tiny_scenario(), 1);
    for (uint32_t i = 0; i < 3; i++) {
        struct harbour_arg arg = {.number = i, .answer = answers[i]};
        harbour_ref harbour;
        CHECK_OK(aldis_spawn(stage.system, harbour, &harbour,
                             &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
        stage.stations[i].id = harbour.id;
    }
    stage_ship(0, 0);
}

static void expect_state(const char *expected)
{
    CHECK_STR(stage_state(0), expected);
}

/* 60 u at 4 u/s2: half the way up and half down, 2 sqrt(60/4) = 7.75 s; 20 u/s is not reached.
 * A request, 10 s to the berth and 5 s of service follow. */
TEST(a_ship_flies_asks_docks_and_leaves)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(1 * ALDIS_SECOND);
    expect_state("flying");
    stage_run(10 * ALDIS_SECOND);
    expect_state("docking");
    CHECK_UINT(seen[1].requests, 1);
    CHECK(seen[1].first_request_ns > 7 * ALDIS_SECOND &&
          seen[1].first_request_ns < 8 * ALDIS_SECOND);
    CHECK(seen[1].last.specs.length == 50);
    CHECK_UINT(seen[1].last.specs.cargo, 500);
    CHECK_UINT(seen[1].last.manifest_count, 0);
    stage_run(20 * ALDIS_SECOND);
    expect_state("docked");
    CHECK(seen[1].dockings >= 1);
    stage_run(23 * ALDIS_SECOND);
    CHECK_UINT(seen[1].undocks, 1);
    stage_run(2 * ALDIS_MINUTE);
    CHECK(seen[0].dockings >= 1); /* and back to Alpha */
    CHECK_UINT(seen[2].requests, 0);
    stage_close();
    CHECK(stage.ledger.waits.count >= 2);
}

TEST(a_refused_ship_goes_on_to_the_next_station)
{
    open_with(GRANT, REFUSE, GRANT);
    stage_run(5 * ALDIS_MINUTE);
    CHECK(seen[1].requests >= 1);
    CHECK_UINT(seen[1].dockings, 0);
    CHECK(seen[0].dockings >= 1);
    stage_close();
    CHECK_UINT(stage.ledger.refusals, seen[1].requests);
}

TEST(a_queued_ship_waits_and_asks_again)
{
    open_with(GRANT, QUEUE_FIRST, GRANT);
    stage_run(5 * ALDIS_MINUTE);
    expect_state("docking");
    CHECK_UINT(seen[1].requests, 1);
    stage_run(5 * ALDIS_MINUTE + 50 * ALDIS_SECOND);
    CHECK(seen[1].requests >= 2);
    CHECK(seen[1].dockings >= 1);
    stage_close();
    CHECK(stage.ledger.waits.max_ns >= 5 * ALDIS_MINUTE);
}

TEST(an_expired_permission_is_asked_for_again)
{
    open_with(GRANT, EXPIRE_ONCE, GRANT);
    stage_run(1 * ALDIS_MINUTE);
    CHECK(seen[1].requests >= 2);
    CHECK(seen[1].dockings >= 2);
    CHECK(seen[1].undocks >= 1);
    stage_close();
}

TEST(a_permission_that_comes_too_late_is_given_back)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(1 * ALDIS_SECOND);
    expect_state("flying");
    /* From outside, as if Gamma had answered an earlier request: the sender is nobody, so the ship
     * cannot tell anyone; it must not take the berth. */
    CHECK_OK(
        aldis_send(stage.system, stage.ships[0], docking_permission, .verdict = DOCKING_GRANTED));
    stage_run(2 * ALDIS_SECOND);
    expect_state("flying");
    stage_close();
}

/* The ship turns from where it is at that moment, half a tick after it last looked. */
TEST(an_order_in_flight_is_obeyed)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(3500 * ALDIS_MS);
    expect_state("flying");
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 2));
    stage_run(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 0);
    CHECK(seen[2].dockings >= 1);
    struct thrust thrust = {.speed = 20, .acceleration = 4};
    struct motion motion = {.position = {60, 0, 0}};
    struct vec gamma = {0, 90, 0};
    double expected = 3.5;
    motion_advance(&motion, (struct vec){0, 0, 0}, &thrust, 3.5);
    for (double left = 0; left == 0; expected += 1 - left)
        left = motion_advance(&motion, gamma, &thrust, 1);
    double found = (double)seen[2].first_request_ns * 1e-9;
    CHECK(found > expected - 0.02 && found < expected + 0.02);
    stage_close();
}

TEST(an_order_while_waiting_gives_up_the_place)
{
    open_with(GRANT, SILENT, GRANT);
    stage_run(20 * ALDIS_SECOND);
    expect_state("docking");
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 2));
    stage_run(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].undocks, 1);
    CHECK(seen[2].dockings >= 1);
    stage_close();
}

TEST(an_order_while_docked_waits_for_the_service)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(20 * ALDIS_SECOND);
    expect_state("docked");
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 2));
    stage_run(21 * ALDIS_SECOND);
    expect_state("docked");
    for (aldis_ns at_ns = 21 * ALDIS_SECOND; seen[1].undocks == 0 && at_ns < 30 * ALDIS_SECOND;)
        stage_run(at_ns += 10 * ALDIS_MS);
    expect_state("flying"); /* at once, without a rest */
    stage_run(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].undocks, 1);
    CHECK(seen[2].dockings >= 1);
    stage_close();
}

TEST(an_order_to_nowhere_is_refused)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(1 * ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 3));
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = UINT32_MAX));
    stage_run(1 * ALDIS_MINUTE);
    CHECK(seen[1].dockings >= 1);
    CHECK_UINT(stage_type("set_destination").failed, 2);
    stage_close();
}

TEST(a_ship_whose_station_is_gone_flies_on)
{
    open_with(GRANT, GRANT, GRANT);
    CHECK_OK(aldis_kill(stage.system, stage.stations[1].id));
    stage_run(3 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 0);
    CHECK(seen[0].dockings >= 1);
    stage_close();
}

/* The ledger may end before a ship, as it may at every shutdown: the ship goes on. */
TEST(a_ship_without_a_ledger_flies_on)
{
    open_with(GRANT, GRANT, GRANT);
    CHECK_OK(aldis_stop(stage.system, stage.chart.ledger.id));
    stage_run(1 * ALDIS_MINUTE);
    CHECK(seen[1].dockings >= 1);
    stage_close();
}

static aldis_ns arrival_with_hazard(double radius)
{
    open_with(GRANT, GRANT, GRANT);
    stage_run(1 * ALDIS_MS);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], navigation_hazard, .location = {0, 10, 0},
                        .radius = radius, .until_ns = ALDIS_HOUR));
    stage_run(1 * ALDIS_MINUTE);
    CHECK(seen[1].dockings >= 1);
    stage_close();
    return seen[1].first_request_ns;
}

/* Beside the goal, so that it pushes against the ship's way: the ship arrives all the same. */
TEST(a_hazard_at_the_goal_does_not_keep_a_ship_away)
{
    aldis_ns aside_ns = arrival_with_hazard(5), within_ns = arrival_with_hazard(30);
    CHECK(within_ns < aside_ns + 20 * ALDIS_SECOND);
}

/* Delayed, it finds the station gone on by more than its arrival: it has to aim again. */
TEST(a_delayed_ship_follows_a_station_that_has_moved_on)
{
    open_with(GRANT, GRANT, GRANT);
    stage.scenario->stations.items[1].circle =
        (struct circle){.radius = 40, .phase_deg = 180, .period_ns = 5 * ALDIS_MINUTE};
    stage.scenario->classes.items[0].arrival = 0.05;
    stage_run(1 * ALDIS_MS);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], navigation_hazard, .location = {-30, 10, 0},
                        .radius = 40, .until_ns = ALDIS_HOUR));
    stage_run(2 * ALDIS_MINUTE);
    CHECK(seen[1].dockings >= 1);
    stage_close();
}
