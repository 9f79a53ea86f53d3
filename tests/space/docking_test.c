// SPDX-License-Identifier: Apache-2.0
/* docking_test.c: the handshake of docking when its messages are lost, late or doubled: each step
 * is repeated, and undone when it was never confirmed; and what is said of another visit changes
 * nothing. Virtual time. */
#include "stage.h"

#include <aldis/fault.h>

/* A permission lasts five minutes, so that whatever ends sooner was not ended by that. */
static struct scenario *patient(void)
{
    return stage_parse("name: patient\n"
                       "duration: 10 h\n"
                       "lookahead: 1 ms\n"
                       "units_per_AU: 1000\n"
                       "bodies: [{name: Sun}]\n"
                       "stations:\n"
                       "  - {name: Alpha, body: Sun, radius: 0 u, berths: 2, approach: 5 s,\n"
                       "     service: 20 s, permission: 5 min}\n"
                       "  - {name: Beta, body: Sun, radius: 600 u, period: 100000 d, berths: 1,\n"
                       "     service: 5 s}\n"
                       "classes:\n"
                       "  - {name: tug, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}\n"
                       "fleets:\n"
                       "  - {name: tugs, class: tug, count: 2, route: [Alpha, Beta],\n"
                       "     departure: 30 d, rest: 1 d}\n");
}

/* A ship at Alpha is told to dock there, and what the rule says goes wrong. */
static const struct station_page *open_dock(const aldis_fault_rule *rule)
{
    stage_open(patient(), 1);
    if (rule)
        CHECK_OK(
            aldis_system_inject(stage.system, &(aldis_fault_plan){.rules = rule, .rule_count = 1}));
    stage_station(0);
    stage_station(1);
    stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    return &stage.books.stations[0];
}

/* Until when the step is lost: it is tried some times before that. */
static const struct {
    const char *type;
    aldis_ns lost_ns;
} steps[] = {{"request_docking", 15 * ALDIS_SECOND}, {"docking_permission", 15 * ALDIS_SECOND},
             {"docked", 15 * ALDIS_SECOND},          {"service_done", 40 * ALDIS_SECOND},
             {"undock", 40 * ALDIS_SECOND},          {"aldis_delivered", 15 * ALDIS_SECOND}};

/* The visit takes no half minute longer, where without repeats it would take five. */
TEST(a_step_that_is_lost_is_repeated)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        aldis_fault_rule rule = {.kind = ALDIS_FAULT_LOSS, .chance = 1, .end_ns = steps[i].lost_ns};
        snprintf(rule.type, sizeof rule.type, "%s", steps[i].type);
        const struct station_page *page = open_dock(&rule);
        stage_run(100 * ALDIS_SECOND);
        CHECK(stage_type(steps[i].type).dropped > 0);
        CHECK_UINT(page->dockings, 1);
        CHECK_UINT(page->berths_taken, 0);
        CHECK_STR(stage_state(0), "idle");
        stage_close();
    }
}

TEST(a_step_that_is_doubled_is_taken_once)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        aldis_fault_rule rule = {
            .kind = ALDIS_FAULT_DUPLICATE, .chance = 1, .max_ns = 20 * ALDIS_SECOND};
        snprintf(rule.type, sizeof rule.type, "%s", steps[i].type);
        const struct station_page *page = open_dock(&rule);
        stage_run(100 * ALDIS_SECOND);
        CHECK_UINT(page->dockings, 1);
        CHECK_UINT(page->berths_taken, 0);
        CHECK_STR(stage_state(0), "idle");
        stage_close();
    }
}

/* One of two messages is the last that it handles before it begins again. */
TEST(a_visit_goes_on_from_the_pages_of_who_crashes)
{
    static const char *const who[] = {"station", "ship", ""};
    for (size_t i = 0; i < sizeof who / sizeof who[0]; i++) {
        aldis_fault_rule rule = {.kind = ALDIS_FAULT_RESTART, .every = 2};
        snprintf(rule.to, sizeof rule.to, "%s", who[i]);
        const struct station_page *page = open_dock(&rule);
        stage_run(20 * ALDIS_SECOND);
        CHECK_UINT(page->berths_taken, 1);
        stage_run(200 * ALDIS_SECOND);
        CHECK_UINT(page->dockings, 1);
        CHECK_UINT(page->berths_taken, 0);
        CHECK_STR(stage_state(0), "idle");
        CHECK(stage_type(i == 0 ? "berth_due" : "ship_due").dead > 0);
        stage_close();
    }
}

/* Nobody has confirmed the permission: the berth is free long before it expires. */
TEST(a_permission_that_nobody_confirms_is_taken_back)
{
    const aldis_fault_rule rule = {
        .kind = ALDIS_FAULT_LOSS, .chance = 1, .type = "docking_permission"};
    const struct station_page *page = open_dock(&rule);
    stage_run(40 * ALDIS_SECOND);
    CHECK_UINT(page->berths_taken, 1);
    stage_run(120 * ALDIS_SECOND);
    CHECK_UINT(page->berths_taken, 0);
    CHECK_UINT(page->dockings, 0);
    stage_close();
}

/* The ship gives up a station that does not hear it, and rests. */
TEST(a_request_that_nobody_confirms_is_given_up)
{
    const aldis_fault_rule rule = {.kind = ALDIS_FAULT_LOSS, .chance = 1, .from = "ship"};
    const struct station_page *page = open_dock(&rule);
    stage_run(40 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docking");
    stage_run(120 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "idle");
    CHECK_UINT(page->grants, 0);
    stage_close();
}

/* A ship that has ended is found out at once: its berth goes to the next. */
TEST(a_ship_that_has_ended_keeps_no_berth)
{
    const struct station_page *page = open_dock(NULL);
    stage_run(2 * ALDIS_SECOND);
    CHECK_UINT(page->berths_taken, 1);
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id));
    stage_run(4 * ALDIS_MINUTE);
    CHECK_UINT(page->berths_taken, 1); /* it has permission, and nothing is said to it */
    stage_run(6 * ALDIS_MINUTE);
    CHECK_UINT(page->berths_taken, 0);
    stage_close();
}

/* ---- Visits ---- */

struct caller_say {
    aldis_id to;
    aldis_type *type;
    const void *payload; /* the test's, until it has been sent */
    uint64_t surely;     /* as a ship says it: until it is confirmed */
};
ALDIS_MESSAGE(caller_say, struct caller_say);
#define CALLER_PROTOCOL(X, kind)                                                                   \
    X(kind, caller_say)                                                                            \
    X(kind, docking_permission)                                                                    \
    X(kind, service_done)                                                                          \
    X(kind, aldis_delivered)
ALDIS_PROTOCOL(caller, CALLER_PROTOCOL);

static struct {
    uint32_t count;
    uint32_t confirmed;
    DockingPermission last;
} heard;

struct caller {
    uint32_t unused;
};

static aldis_err caller_on_caller_say(struct caller *self, const struct caller_say *msg,
                                      aldis_ctx *ctx)
{
    (void)self;
    const aldis_send_item item = {
        .to = msg->to, .type = msg->type, .payload = msg->payload, .size = msg->type->size};
    if (msg->surely)
        return send_surely(ctx, &item, stage.scenario, 0, 0);
    return aldis_ctx_send_raw(ctx, msg->to, msg->type, msg->payload, msg->type->size);
}

static aldis_err caller_on_docking_permission(struct caller *self, const DockingPermission *msg,
                                              aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    heard.count++;
    heard.last = *msg;
    return ALDIS_OK;
}

static aldis_err caller_on_service_done(struct caller *self, const ServiceDone *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

static aldis_err caller_on_aldis_delivered(struct caller *self, const aldis_delivered *msg,
                                           aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    heard.confirmed += msg->result == ALDIS_OK;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(caller, struct caller, CALLER_PROTOCOL);

static caller_ref caller;

static void say(aldis_type *type, const void *payload)
{
    CHECK_OK(aldis_send(stage.system, caller, caller_say, .to = stage.stations[0].id, .type = type,
                        .payload = payload));
    stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
}

static void ask(aldis_ns visit)
{
    NEW_MESSAGE(RequestDocking, request);
    request.specs.length = 50;
    request.specs.mass = 100;
    request.visit = visit;
    say(&request_docking_type, &request);
}

static void leave(aldis_ns visit)
{
    NEW_MESSAGE(Undock, word);
    word.visit = visit;
    say(&undock_type, &word);
}

static const struct station_page *open_caller(void)
{
    stage_open(patient(), 1);
    stage_station(0);
    CHECK_OK(aldis_spawn(stage.system, caller, &caller, NULL));
    memset(&heard, 0, sizeof heard);
    return &stage.books.stations[0];
}

TEST(what_is_said_of_another_visit_changes_nothing)
{
    const struct station_page *page = open_caller();
    ask(20);
    CHECK_UINT(heard.count, 1);
    CHECK_INT(heard.last.visit, 20);
    leave(10); /* late: of the visit before */
    CHECK_UINT(page->berths_taken, 1);
    ask(10);
    CHECK_UINT(heard.count, 1); /* as late */
    NEW_MESSAGE(Docked, here);
    here.berth = heard.last.berth;
    here.visit = 10;
    say(&docked_type, &here);
    CHECK_UINT(page->dockings, 0);
    CHECK_INT(heard.last.verdict, DOCKING_REFUSED);
    CHECK_INT(heard.last.visit, 10);
    ask(20); /* the same again is told what it has */
    CHECK_INT(heard.last.verdict, DOCKING_GRANTED);
    CHECK_UINT(page->grants, 1);
    ask(30); /* it is here again, and its word of leaving was lost */
    CHECK_INT(heard.last.visit, 30);
    CHECK_UINT(page->grants, 2);
    CHECK_UINT(page->berths_taken, 1);
    here.visit = 30;
    say(&docked_type, &here);
    CHECK_UINT(page->dockings, 1);
    leave(30);
    CHECK_UINT(page->berths_taken, 0);
    stage_close();
}

/* It would be no better the next time: it is confirmed, so that it is not repeated, and refused by
 * name. */
TEST(a_request_that_cannot_be_is_refused_once)
{
    (void)open_caller();
    NEW_MESSAGE(RequestDocking, request);
    request.specs.length = -50;
    request.specs.mass = 100;
    CHECK_OK(aldis_send(stage.system, caller, caller_say, .to = stage.stations[0].id,
                        .type = &request_docking_type, .payload = &request, .surely = true));
    stage_wait(120);
    CHECK_UINT(stage_type("request_docking").handled, 1);
    CHECK_UINT(heard.confirmed, 1);
    CHECK_UINT(heard.count, 1);
    CHECK_INT(heard.last.verdict, DOCKING_REFUSED);
    CHECK_INT(heard.last.reason, REFUSAL_BAD_SPECS);
    stage_close();
}

/* ---- Services ---- */

/* 20 s on average: from 15 to 25 s, and as often in each fifth of that. */
TEST(a_service_takes_from_three_to_five_quarters_of_its_mean)
{
    enum { VISITS = 400, PARTS = 5 };
    uint32_t parts[PARTS] = {0};
    const struct station_page *page = open_caller();
    for (aldis_ns visit = 1; visit <= VISITS; visit++) {
        ask(visit);
        NEW_MESSAGE(Docked, here);
        here.berth = heard.last.berth;
        here.visit = visit;
        aldis_ns before_ns = stage_now();
        CHECK_OK(aldis_send(stage.system, caller, caller_say, .to = stage.stations[0].id,
                            .type = &docked_type, .payload = &here));
        stage_run(before_ns + 10 * ALDIS_MS); /* it is heard in the second millisecond of them */
        aldis_ns service_ns = page->dock.berths[here.berth].served_ns - before_ns - 2 * ALDIS_MS;
        aldis_ns least_ns = 15 * ALDIS_SECOND, most_ns = 25 * ALDIS_SECOND;
        CHECK(service_ns > least_ns - 2 * ALDIS_MS && service_ns <= most_ns);
        aldis_ns part = (service_ns - least_ns) * PARTS / (10 * ALDIS_SECOND);
        parts[part < 0 ? 0 : part < PARTS ? part : PARTS - 1]++;
        leave(visit);
    }
    CHECK_UINT(page->dockings, VISITS);
    for (uint32_t i = 0; i < PARTS; i++) /* 80 each, give or take four standard deviations of 8 */
        CHECK(parts[i] > 48 && parts[i] < 112);
    stage_close();
}

/* Nobody tells of the end of its service: it stays as long as that may take at most, with what it
 * has asked for, and for the time of a permission. The station looks after the berth meanwhile. */
TEST(a_docked_ship_has_patience_for_as_long_as_a_service_may_take)
{
    static const struct {
        bool damaged, ill;
        aldis_ns patience_ns; /* twice 20 s, 304 s, 30 s for a repair, 60 s in quarters */
    } cases[] = {{false, false, 344 * ALDIS_SECOND},
                 {true, false, 374 * ALDIS_SECOND},
                 {false, true, 404 * ALDIS_SECOND},
                 {true, true, 434 * ALDIS_SECOND}};
    static const aldis_fault_rule rule = {
        .kind = ALDIS_FAULT_LOSS, .chance = 1, .type = "service_done"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct station_page *page = open_dock(&rule);
        struct ship *ship = stage_page(0);
        stage.scenario->stations.items[0].permission_ns = 304 * ALDIS_SECOND;
        ship->flags |= cases[i].damaged ? SHIP_DAMAGED : 0;
        ship->ill = cases[i].ill;
        while (strcmp(stage_state(0), "docked") != 0 && stage_now() < ALDIS_MINUTE)
            stage_wait(0.01);
        aldis_ns docked_ns = stage_now();
        stage_run(docked_ns + cases[i].patience_ns - ALDIS_SECOND);
        CHECK_STR(stage_state(0), "docked");
        stage_run(docked_ns + cases[i].patience_ns + ALDIS_SECOND);
        CHECK_STR(stage_state(0), "idle");
        CHECK_UINT(page->dockings, 1);
        CHECK_UINT(page->berths_taken, 0);
        stage_close();
    }
}
