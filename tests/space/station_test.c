// SPDX-License-Identifier: Apache-2.0
/* station_test.c: a station as an actor: what it answers, when, and what becomes of those who do
 * not keep to the rules. Virtual time, so every time below is exact. */
#include "stage.h"
#include "tiny.h"

#include <aldis/timer.h>

#define PROBES_MAX 1000

/* What stands in for a ship. It writes what it saw into its own entry of `seen`; one worker. */
enum manner {
    KEEPS_RULES,  /* docks after the approach, leaves when served */
    NEVER_COMES,  /* gets a permission and does nothing */
    NEVER_LEAVES, /* docks and stays */
    ASKS_DOCKED,  /* asks again when it has docked */
    DIES_WAITING, /* is stopped before its permission comes */
};

struct probe_seen {
    uint32_t queued, granted, refused, served;
    Refusal refusal;
    uint32_t place;
    aldis_ns granted_ns, estimate_ns, served_ns;
};

static struct probe_seen seen[PROBES_MAX];

struct probe_arg {
    station_ref station;
    uint32_t number;
    enum manner manner;
    aldis_ns ask_ns; /* when it asks */
    double length_m;
    uint32_t item_count;
    OfferItem item; /* the first */
};

struct probe {
    struct probe_arg arg;
    uint32_t berth;
};

ALDIS_SIGNAL(probe_ask);
ALDIS_SIGNAL(probe_arrive);
#define PROBE_PROTOCOL(X, kind)                                                                    \
    X(kind, probe_ask) X(kind, probe_arrive) X(kind, docking_permission) X(kind, service_done)
ALDIS_PROTOCOL(probe, PROBE_PROTOCOL);

static aldis_err probe_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct probe *self = state;
    self->arg = *(const struct probe_arg *)arg;
    aldis_timer timer;
    return aldis_timer_once(ctx, self->arg.ask_ns, probe_ask, &timer);
}

static aldis_err probe_on_probe_ask(struct probe *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    NEW_MESSAGE(RequestDocking, request);
    request.specs.length = self->arg.length_m;
    request.specs.mass = 100;
    request.manifest_count = (pb_size_t)self->arg.item_count;
    request.manifest[0] = self->arg.item;
    request.specs.cargo = 10;
    aldis_err err = aldis_send_copy(ctx, self->arg.station, request_docking, &request);
    if (self->arg.manner == DIES_WAITING)
        (void)aldis_stop(ctx, aldis_self(ctx));
    return err;
}

static aldis_err probe_on_docking_permission(struct probe *self, const DockingPermission *msg,
                                             aldis_ctx *ctx)
{
    struct probe_seen *mine = &seen[self->arg.number];
    aldis_timer timer;
    switch (msg->verdict) {
    case DOCKING_GRANTED:
        if (mine->granted++ > 0)
            return ALDIS_OK; /* told again */
        mine->granted_ns = aldis_now(ctx);
        self->berth = msg->berth;
        if (self->arg.manner == NEVER_COMES)
            return ALDIS_OK;
        return aldis_timer_once(ctx, 10 * ALDIS_SECOND, probe_arrive, &timer);
    case DOCKING_QUEUED:
        mine->queued++;
        mine->place = msg->place;
        mine->estimate_ns = msg->estimated_wait_ns;
        return ALDIS_OK;
    case DOCKING_REFUSED:
        mine->refused++;
        mine->refusal = msg->reason;
        return ALDIS_OK;
    }
    return ALDIS_OK;
}

static aldis_err probe_on_probe_arrive(struct probe *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = aldis_send(ctx, self->arg.station, docked, .berth = self->berth);
    NEW_MESSAGE(RequestDocking, again);
    again.specs.length = self->arg.length_m;
    again.specs.mass = 100;
    if (self->arg.manner == ASKS_DOCKED)
        err = aldis_send_copy(ctx, self->arg.station, request_docking, &again);
    return err;
}

static aldis_err probe_on_service_done(struct probe *self, const ServiceDone *msg, aldis_ctx *ctx)
{
    seen[self->arg.number].served++;
    seen[self->arg.number].served_ns = aldis_now(ctx);
    if (self->arg.manner == NEVER_LEAVES)
        return ALDIS_OK;
    return aldis_send(ctx, self->arg.station, undock, .visit = msg->visit);
}

ALDIS_BEHAVIOUR(probe, struct probe, PROBE_PROTOCOL, .on_start = probe_start);

/* ---- The stage: one station, some probes, one worker ---- */

static station_ref the_station;

static void open_with(uint32_t station)
{
    memset(seen, 0, sizeof seen);
    stage_open(tiny_scenario(), 1);
    stage_station(station);
    the_station = stage.stations[station];
}

static probe_ref stage_probe(uint32_t number, enum manner manner, aldis_ns ask_ns, double length_m)
{
    struct probe_arg arg = {.station = the_station,
                            .number = number,
                            .manner = manner,
                            .ask_ns = ask_ns,
                            .length_m = length_m};
    probe_ref probe;
    CHECK_OK(aldis_spawn(stage.system, probe, &probe,
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
    return probe;
}

/* Run to the end, hold the audit, and tidy up. */
static void close_at(aldis_ns until_ns)
{
    stage_run(until_ns);
    stage_close();
}

TEST(four_berths_and_1000_ships_are_all_served_in_order)
{
    open_with(0);
    for (uint32_t i = 0; i < 1000; i++)
        stage_probe(i, KEEPS_RULES, i * ALDIS_MS, 50);
    close_at(24 * ALDIS_HOUR);
    aldis_ns last_ns = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_UINT(seen[i].granted, 1);
        CHECK_UINT(seen[i].served, 1);
        CHECK_UINT(seen[i].refused, 0);
        CHECK_UINT(seen[i].queued, i >= 4);
        CHECK(seen[i].granted_ns >= last_ns);
        last_ns = seen[i].granted_ns;
        aldis_ns stay_ns = seen[i].served_ns - seen[i].granted_ns;
        CHECK(stay_ns >= 10 * ALDIS_SECOND + 45 * ALDIS_SECOND);
        CHECK(stay_ns <= 11 * ALDIS_SECOND + 75 * ALDIS_SECOND);
    }
    /* The last one was told how long it would be, 996 places before it came true. */
    double error =
        (double)(seen[999].granted_ns - seen[999].estimate_ns) / (double)seen[999].granted_ns;
    CHECK(error < 0.1 && error > -0.1);
}

TEST(a_queue_that_is_full_refuses_by_name)
{
    open_with(2); /* one berth, one place to wait */
    for (uint32_t i = 0; i < 3; i++)
        stage_probe(i, KEEPS_RULES, i * ALDIS_MS, 50);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].served, 1);
    CHECK_UINT(seen[1].served, 1);
    CHECK_UINT(seen[1].place, 1);
    CHECK_UINT(seen[2].refused, 1);
    CHECK_INT(seen[2].refusal, REFUSAL_QUEUE_FULL);
}

TEST(what_cannot_be_is_refused_by_name)
{
    open_with(0);
    stage_probe(0, KEEPS_RULES, 0, 201);
    static const double wrong[] = {0, -50, (double)__builtin_nanf(""), __builtin_huge_val()};
    for (uint32_t i = 0; i < 4; i++)
        stage_probe(1 + i, KEEPS_RULES, 0, wrong[i]);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].refused, 1);
    CHECK_INT(seen[0].refusal, REFUSAL_TOO_LONG);
    for (uint32_t i = 1; i < 5; i++) {
        CHECK_UINT(seen[i].refused, 1);
        CHECK_INT(seen[i].refusal, REFUSAL_BAD_SPECS);
    }
}

TEST(one_item_too_many_in_the_manifest_is_refused)
{
    open_with(0);
    struct probe_arg arg = {.station = the_station, .length_m = 50, .item_count = 17};
    probe_ref probe;
    CHECK_OK(aldis_spawn(stage.system, probe, &probe,
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].refused, 1);
    CHECK_INT(seen[0].refusal, REFUSAL_BAD_SPECS);
}

/* Full is fine, more than its hold takes is not, nor is a commodity of another scenario. */
TEST(a_manifest_has_to_be_one_that_can_be)
{
    static const struct {
        OfferItem item;
        Refusal refusal;
    } cases[] = {{{.tonnes = 10}, REFUSAL_NONE},
                 {{.tonnes = 11}, REFUSAL_BAD_SPECS},
                 {{.tonnes = 1, .commodity = 1}, REFUSAL_UNKNOWN_GOODS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(0);
        struct probe_arg arg = {
            .station = the_station, .length_m = 50, .item_count = 1, .item = cases[i].item};
        probe_ref probe;
        CHECK_OK(aldis_spawn(stage.system, probe, &probe,
                             &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
        close_at(ALDIS_HOUR);
        CHECK_UINT(seen[0].refused, cases[i].refusal != REFUSAL_NONE);
        CHECK_INT(seen[0].refusal, cases[i].refusal);
    }
}

TEST(a_permission_that_is_not_used_expires_and_the_next_ship_gets_the_berth)
{
    open_with(2);
    stage_probe(0, NEVER_COMES, 0, 50);
    stage_probe(1, KEEPS_RULES, ALDIS_MS, 50);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].granted, 1);
    CHECK_UINT(seen[0].refused, 1);
    CHECK_INT(seen[0].refusal, REFUSAL_EXPIRED);
    CHECK_UINT(seen[1].served, 1);
    aldis_ns after_ns = seen[1].granted_ns - seen[0].granted_ns;
    CHECK(after_ns >= 60 * ALDIS_SECOND && after_ns < 61 * ALDIS_SECOND);
}

TEST(a_ship_that_never_leaves_loses_its_berth)
{
    open_with(2);
    stage_probe(0, NEVER_LEAVES, 0, 50);
    stage_probe(1, KEEPS_RULES, ALDIS_MS, 50);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].served, 1);
    CHECK_UINT(seen[1].served, 1);
    aldis_ns after_ns = seen[1].granted_ns - seen[0].served_ns;
    CHECK(after_ns >= 59 * ALDIS_SECOND && after_ns < 61 * ALDIS_SECOND);
}

TEST(asking_again_while_docked_changes_nothing)
{
    open_with(2);
    stage.scenario->stations.items[2].service_ns =
        200 * ALDIS_SECOND; /* longer than a permission */
    stage_probe(0, ASKS_DOCKED, 0, 50);
    stage_probe(1, KEEPS_RULES, ALDIS_MS, 50);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].granted, 2);
    CHECK_UINT(seen[0].served, 1);
    CHECK(seen[0].served_ns - seen[0].granted_ns >= 150 * ALDIS_SECOND);
    CHECK_UINT(seen[1].served, 1);
}

TEST(a_ship_that_is_gone_keeps_neither_place_nor_berth)
{
    open_with(2);
    stage_probe(0, DIES_WAITING, 0, 50);
    stage_probe(1, KEEPS_RULES, 10 * ALDIS_MS, 50);
    close_at(ALDIS_HOUR);
    CHECK_UINT(seen[0].granted, 0);
    CHECK_UINT(seen[1].served, 1);
    CHECK(seen[1].granted_ns < ALDIS_SECOND); /* as soon as the runtime has told the station */
}

TEST(docking_without_permission_is_refused)
{
    open_with(0);
    probe_ref probe = stage_probe(0, KEEPS_RULES, 30 * ALDIS_MINUTE, 50);
    CHECK_OK(aldis_signal(stage.system, probe, probe_arrive));
    close_at(ALDIS_MINUTE);
    CHECK_UINT(seen[0].refused, 1);
    CHECK_INT(seen[0].refusal, REFUSAL_EXPIRED);
}
