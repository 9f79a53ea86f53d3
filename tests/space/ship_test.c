// SPDX-License-Identifier: Apache-2.0
/* ship_test.c: a ship as an actor, with stations that the test plays itself. Virtual time. */
#include "motion.h"
#include "protocol.h"
#include "tiny.h"

#include <aldis/router.h>
#include <aldis/timer.h>

/* How a played station answers a request. */
enum answer { GRANT, REFUSE, QUEUE_FIRST, EXPIRE_ONCE, SILENT };

struct harbour_seen {
    uint32_t requests, dockings, undocks;
    struct request_docking last;
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

#define HARBOUR_PROTOCOL(X, kind) X(kind, request_docking) X(kind, docked) X(kind, undock)
ALDIS_PROTOCOL(harbour, HARBOUR_PROTOCOL);

static aldis_err harbour_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct harbour *)state)->arg = *(const struct harbour_arg *)arg;
    return ALDIS_OK;
}

static aldis_err harbour_on_request_docking(struct harbour *self, const struct request_docking *msg,
                                            aldis_ctx *ctx)
{
    struct harbour_seen *mine = &seen[self->arg.number];
    if (mine->requests++ == 0)
        mine->first_request_ns = aldis_now(ctx);
    mine->last = *msg;
    switch (self->arg.answer) {
    case REFUSE:
        return aldis_reply(ctx, docking_permission, .verdict = DOCKING_REFUSED,
                           .refusal = REFUSAL_QUEUE_FULL);
    case QUEUE_FIRST:
        if (mine->requests == 1)
            return aldis_reply(ctx, docking_permission, .verdict = DOCKING_QUEUED, .place = 1);
        break;
    case SILENT:
        return ALDIS_OK;
    case GRANT:
    case EXPIRE_ONCE:
        break;
    }
    return aldis_reply(ctx, docking_permission, .verdict = DOCKING_GRANTED, .berth = 3);
}

static aldis_err harbour_on_docked(struct harbour *self, const struct docked *msg, aldis_ctx *ctx)
{
    struct harbour_seen *mine = &seen[self->arg.number];
    mine->dockings++;
    if (msg->berth != 3)
        return aldis_fail(ctx, "not the berth that it was given");
    if (self->arg.answer == EXPIRE_ONCE && mine->dockings == 1)
        return aldis_reply(ctx, docking_permission, .verdict = DOCKING_REFUSED,
                           .refusal = REFUSAL_EXPIRED);
    ship_ref ship = {.id = aldis_sender(ctx)};
    return aldis_signal_after(ctx, 5 * ALDIS_SECOND, ship, service_done);
}

static aldis_err harbour_on_undock(struct harbour *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    seen[self->arg.number].undocks++;
    seen[self->arg.number].undock_ns = aldis_now(ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(harbour, struct harbour, HARBOUR_PROTOCOL, .on_start = harbour_start);

/* ---- The stage: three played stations, a ledger, one ship at Alpha bound for Beta ---- */

struct stage {
    struct scenario *scenario;
    aldis_system *system;
    station_ref stations[3];
    struct ledger_result result;
    ledger_ref ledger;
    ship_ref ship;
};

static struct stage stage;

static void stage_open(enum answer alpha, enum answer beta, enum answer gamma)
{
    const enum answer answers[] = {alpha, beta, gamma};
    memset(seen, 0, sizeof seen);
    memset(&stage, 0, sizeof stage);
    stage.scenario = tiny_scenario();
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .seed = 5};
    CHECK_OK(aldis_system_create(&opts, &stage.system));
    struct ledger_arg ledger_arg = {.ship_count = 1, .result = &stage.result};
    CHECK_OK(aldis_spawn(stage.system, ledger, &stage.ledger,
                         &(aldis_spawn_opts){.arg = &ledger_arg, .arg_size = sizeof ledger_arg}));
    for (uint32_t i = 0; i < 3; i++) {
        struct harbour_arg arg = {.number = i, .answer = answers[i]};
        harbour_ref harbour;
        CHECK_OK(aldis_spawn(stage.system, harbour, &harbour,
                             &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
        stage.stations[i].id = harbour.id;
    }
    struct ship_arg arg = {
        .chart = {.scenario = stage.scenario, .stations = stage.stations, .ledger = stage.ledger}};
    CHECK_OK(aldis_spawn(stage.system, ship, &stage.ship,
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
}

static void run_until(aldis_ns until_ns)
{
    CHECK_OK(aldis_system_run(stage.system, until_ns, NULL));
}

static void expect_state(const char *expected)
{
    aldis_status status;
    CHECK_OK(aldis_system_status(stage.system, stage.ship.id, &status));
    CHECK_STR(status.state_name, expected);
}

static void stage_close(void)
{
    CHECK_OK(aldis_system_audit(stage.system, NULL));
    CHECK_OK(aldis_system_stop(stage.system, ALDIS_SECOND));
    aldis_system_destroy(stage.system);
    scenario_destroy(stage.scenario);
    uint64_t ships = 0;
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        ships += stage.result.ships[i];
    CHECK_UINT(ships, 1);
}

/* 60 u at 4 u/s2: half the way up and half down, 2 sqrt(60/4) = 7.75 s; 20 u/s is not reached.
 * A request, 10 s to the berth and 5 s of service follow. */
TEST(a_ship_flies_asks_docks_and_leaves)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(1 * ALDIS_SECOND);
    expect_state("flying");
    run_until(10 * ALDIS_SECOND);
    expect_state("docking");
    CHECK_UINT(seen[1].requests, 1);
    CHECK(seen[1].first_request_ns > 7 * ALDIS_SECOND &&
          seen[1].first_request_ns < 8 * ALDIS_SECOND);
    CHECK(seen[1].last.specs.length_m == 50);
    CHECK_UINT(seen[1].last.specs.cargo_t, 500);
    CHECK(seen[1].last.item_count >= 1);
    uint32_t tonnes = 0;
    for (uint32_t i = 0; i < seen[1].last.item_count; i++) {
        tonnes += seen[1].last.items[i].tonnes;
        CHECK_UINT(seen[1].last.items[i].unit_value, 40);
    }
    CHECK_UINT(tonnes, 500);
    run_until(20 * ALDIS_SECOND);
    expect_state("docked");
    CHECK_UINT(seen[1].dockings, 1);
    run_until(23 * ALDIS_SECOND);
    CHECK_UINT(seen[1].undocks, 1);
    run_until(2 * ALDIS_MINUTE);
    CHECK(seen[0].dockings >= 1); /* and back to Alpha */
    CHECK_UINT(seen[2].requests, 0);
    stage_close();
    CHECK(stage.result.dockings >= 2);
}

TEST(a_refused_ship_goes_on_to_the_next_station)
{
    stage_open(GRANT, REFUSE, GRANT);
    run_until(5 * ALDIS_MINUTE);
    CHECK(seen[1].requests >= 1);
    CHECK_UINT(seen[1].dockings, 0);
    CHECK(seen[0].dockings >= 1);
    stage_close();
    CHECK_UINT(stage.result.refusals, seen[1].requests);
}

TEST(a_queued_ship_waits_and_asks_again)
{
    stage_open(GRANT, QUEUE_FIRST, GRANT);
    run_until(5 * ALDIS_MINUTE);
    expect_state("waiting");
    CHECK_UINT(seen[1].requests, 1);
    run_until(6 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 2);
    CHECK_UINT(seen[1].dockings, 1);
    stage_close();
    CHECK(stage.result.waits.max_ns >= 5 * ALDIS_MINUTE);
}

TEST(an_expired_permission_is_asked_for_again)
{
    stage_open(GRANT, EXPIRE_ONCE, GRANT);
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 2);
    CHECK_UINT(seen[1].dockings, 2);
    CHECK_UINT(seen[1].undocks, 1);
    stage_close();
}

TEST(a_permission_that_comes_too_late_is_given_back)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(1 * ALDIS_SECOND);
    expect_state("flying");
    /* From outside, as if Gamma had answered an earlier request: the sender is nobody, so the ship
     * cannot tell anyone; it must not take the berth. */
    CHECK_OK(aldis_send(stage.system, stage.ship, docking_permission, .verdict = DOCKING_GRANTED));
    run_until(2 * ALDIS_SECOND);
    expect_state("flying");
    stage_close();
}

/* The ship turns from where it is at that moment, half a tick after it last looked. */
TEST(an_order_in_flight_is_obeyed)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(3500 * ALDIS_MS);
    expect_state("flying");
    CHECK_OK(aldis_send(stage.system, stage.ship, set_destination, .station = 2));
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 0);
    CHECK_UINT(seen[2].dockings, 1);
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
    stage_open(GRANT, SILENT, GRANT);
    run_until(20 * ALDIS_SECOND);
    expect_state("waiting");
    CHECK_OK(aldis_send(stage.system, stage.ship, set_destination, .station = 2));
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].undocks, 1);
    CHECK_UINT(seen[2].dockings, 1);
    stage_close();
}

TEST(an_order_while_docked_waits_for_the_service)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(20 * ALDIS_SECOND);
    expect_state("docked");
    CHECK_OK(aldis_send(stage.system, stage.ship, set_destination, .station = 2));
    run_until(21 * ALDIS_SECOND);
    expect_state("docked");
    for (aldis_ns at_ns = 21 * ALDIS_SECOND; seen[1].undocks == 0 && at_ns < 30 * ALDIS_SECOND;)
        run_until(at_ns += 10 * ALDIS_MS);
    expect_state("flying"); /* at once, without a rest */
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].undocks, 1);
    CHECK_UINT(seen[2].dockings, 1);
    stage_close();
}

TEST(an_order_to_nowhere_is_refused)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(1 * ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ship, set_destination, .station = 3));
    CHECK_OK(aldis_send(stage.system, stage.ship, set_destination, .station = UINT32_MAX));
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].dockings, 1);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(stage.system, &stats));
    uint64_t failed = aldis_stats_type(&stats, "set_destination")->failed;
    aldis_stats_fini(&stats);
    CHECK_UINT(failed, 2);
    stage_close();
}

TEST(a_ship_whose_station_is_gone_flies_on)
{
    stage_open(GRANT, GRANT, GRANT);
    CHECK_OK(aldis_kill(stage.system, stage.stations[1].id));
    run_until(3 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].requests, 0);
    CHECK(seen[0].dockings >= 1);
    stage_close();
}

/* The ledger may end before a ship, as it may at every shutdown: the ship goes on. */
TEST(a_ship_without_a_ledger_flies_on)
{
    stage_open(GRANT, GRANT, GRANT);
    CHECK_OK(aldis_stop(stage.system, stage.ledger.id));
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].dockings, 1);
    stage_close();
}

static aldis_ns arrival_with_hazard(double radius)
{
    stage_open(GRANT, GRANT, GRANT);
    run_until(1 * ALDIS_MS);
    CHECK_OK(aldis_send(stage.system, stage.ship, navigation_hazard, .place = {0, 10, 0},
                        .radius = radius, .until_ns = ALDIS_HOUR));
    run_until(1 * ALDIS_MINUTE);
    CHECK_UINT(seen[1].dockings, 1);
    stage_close();
    return seen[1].first_request_ns;
}

/* Beside the goal, so that it pushes against the ship's way: the ship arrives all the same. */
TEST(a_hazard_on_the_way_delays_a_ship_but_does_not_stop_it)
{
    aldis_ns aside_ns = arrival_with_hazard(5), within_ns = arrival_with_hazard(30);
    CHECK(within_ns > aside_ns + 100 * ALDIS_MS);
    CHECK(within_ns < aside_ns + 20 * ALDIS_SECOND);
}

/* Delayed, it finds the station gone on by more than its arrival: it has to aim again. */
TEST(a_delayed_ship_follows_a_station_that_has_moved_on)
{
    stage_open(GRANT, GRANT, GRANT);
    stage.scenario->stations.items[1].circle =
        (struct circle){.radius = 40, .phase_deg = 180, .period_ns = 5 * ALDIS_MINUTE};
    stage.scenario->classes.items[0].arrival = 0.05;
    run_until(1 * ALDIS_MS);
    CHECK_OK(aldis_send(stage.system, stage.ship, navigation_hazard, .place = {-30, 10, 0},
                        .radius = 40, .until_ns = ALDIS_HOUR));
    run_until(2 * ALDIS_MINUTE);
    CHECK(seen[1].dockings >= 1);
    stage_close();
}

TEST(prices_that_were_heard_are_declared)
{
    stage_open(GRANT, GRANT, GRANT);
    CHECK_OK(aldis_send(stage.system, stage.ship, market_update, .change_count = 1,
                        .changes = {{.commodity = 0, .price = 47}}));
    run_until(2 * ALDIS_MINUTE);
    CHECK(seen[0].last.item_count >= 1);
    CHECK_UINT(seen[0].last.items[0].unit_value, 47);
    stage_close();
}
