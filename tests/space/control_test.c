// SPDX-License-Identifier: Apache-2.0
/* control_test.c: pause, resume, shutdown and status of a station and of the rescue service: who is
 * refused, who keeps its place, who is told, and what is not handled is refused by name. The ships
 * are real. Virtual time. */
#include "stage.h"

#include <aldis/error.h>

static const char port_text[] =
    "name: port\n"
    "duration: 10 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 1 h, commodities: [{name: water, price: 10, swing: 5}]}\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 1, approach: 5 s, service: 40 s,\n"
    "     spares: 7, fuel: 900, credits: 5000, goods: [{commodity: water, stock: 321}]}\n"
    "  - {name: Far, body: Sun, radius: 600 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6, distress_range: 1 u}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 4, route: [Near, Far], departure: 30 d,\n"
    "     rest: 1 d, trades: no}\n"
    "hazards: [{kind: debris, every: 1 h}]\n"
    "rescue: {station: Near, tugs: 2, speed: 10 u/s, patience: 10 s, fuel: 10}\n";

/* ---- Who asks for the status ---- */

struct clerk_ask {
    aldis_id to;
};
ALDIS_MESSAGE(clerk_ask, struct clerk_ask);
#define CLERK_PROTOCOL(X, kind) X(kind, clerk_ask) X(kind, station_status) X(kind, rescue_status)
ALDIS_PROTOCOL(clerk, CLERK_PROTOCOL);

struct clerk {
    uint32_t unused;
};

static StationStatus port;
static RescueStatus service;

static aldis_err clerk_on_clerk_ask(struct clerk *self, const struct clerk_ask *msg, aldis_ctx *ctx)
{
    (void)self;
    NEW_MESSAGE(GetStatus, ask);
    return aldis_ctx_send_raw(ctx, msg->to, &get_status_type, &ask, sizeof ask);
}

static aldis_err clerk_on_station_status(struct clerk *self, const StationStatus *msg,
                                         aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    port = *msg;
    return ALDIS_OK;
}

static aldis_err clerk_on_rescue_status(struct clerk *self, const RescueStatus *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    service = *msg;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(clerk, struct clerk, CLERK_PROTOCOL);

static clerk_ref clerk;

static void ask_status(aldis_id of)
{
    memset(&port, 0, sizeof port);
    memset(&service, 0, sizeof service);
    CHECK_OK(aldis_send(stage.system, clerk, clerk_ask, .to = of));
    stage_wait(0.02);
}

/* ---- The port ---- */

#define TELL_STATION(message)                                                                      \
    do {                                                                                           \
        CHECK_OK(aldis_send(stage.system, stage.stations[0], message, 0));                         \
        stage_wait(0.02);                                                                          \
    } while (0)

static const struct station_page *open_port(uint32_t ships)
{
    stage_open(stage_parse(port_text), 1);
    stage_station(0);
    stage_station(1);
    STAGE_SERVICE(rescue, &stage.chart.rescue);
    CHECK_OK(aldis_spawn(stage.system, clerk, &clerk, NULL));
    for (uint32_t i = 0; i < ships; i++)
        stage_ship(i, 0);
    stage_wait(1);
    return &stage.books.stations[0];
}

static bool lives(aldis_id actor)
{
    aldis_status status;
    return aldis_system_status(stage.system, actor, &status) == ALDIS_OK;
}

TEST(a_paused_station_lets_nobody_in_and_keeps_its_queue)
{
    const struct station_page *page = open_port(3);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    STAGE_ORDER(1, initiate_docking, .station = 0);
    stage_wait(10);
    CHECK_STR(stage_state(0), "docked");
    TELL_STATION(pause);
    STAGE_ORDER(2, initiate_docking, .station = 0);
    stage_wait(1);
    CHECK_STR(stage_state(2), "idle"); /* refused by name */
    CHECK_UINT(stage.ledger.refusals, 1);
    stage_wait(100); /* who is in is served and leaves; nobody follows */
    CHECK_STR(stage_state(0), "idle");
    CHECK_STR(stage_state(1), "docking");
    CHECK_UINT(page->dockings, 1);
    CHECK_UINT(page->queue, 1);
    ask_status(stage.stations[0].id);
    CHECK_STR(port.state, "paused");
    CHECK_UINT(port.queue, 1);
    CHECK_UINT(port.berths_taken, 0);
    TELL_STATION(resume);
    stage_wait(10);
    CHECK_STR(stage_state(1), "docked");
    CHECK_UINT(page->queue, 0);
    CHECK_UINT(stage.ledger.refusals, 1);
    stage_close();
}

/* On the way to its berth, in it, in the queue, or not there yet. */
TEST(a_station_that_is_shut_down_tells_all_and_stops_when_it_is_empty)
{
    const struct station_page *page = open_port(3);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    stage_wait(10);
    STAGE_ORDER(1, initiate_docking, .station = 0);
    CHECK_UINT(page->queue, 1);
    TELL_STATION(shutdown);
    stage_wait(0.1);
    CHECK_UINT(page->queue, 0);
    CHECK_STR(stage_state(1), "idle"); /* told */
    CHECK_STR(stage_state(0), "idle"); /* its service is over, and it has left */
    stage_wait(1);
    CHECK(!lives(stage.stations[0].id));
    CHECK(lives(stage.stations[1].id));
    CHECK_UINT(stage.ledger.refusals, 1);
    STAGE_ORDER(2, initiate_docking, .station = 0); /* nobody is there any more */
    stage_wait(1);
    CHECK_STR(stage_state(2), "idle");
    stage_close();
}

TEST(who_is_on_the_way_to_a_berth_that_closes_is_refused_by_name)
{
    const struct station_page *page = open_port(2);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    CHECK_INT(page->dock.berths[0].state, BERTH_HELD);
    TELL_STATION(shutdown);
    stage_wait(3);
    CHECK_STR(stage_state(0), "idle");
    CHECK_UINT(page->dockings, 0);
    CHECK(!lives(stage.stations[0].id));
    stage_close();
}

/* A ship that stays in its berth is asked for patience, and whoever asks meanwhile is refused. */
TEST(a_station_that_is_shut_down_refuses_until_the_last_has_left)
{
    const struct station_page *page = open_port(2);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    stage_wait(10);
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id)); /* it cannot leave */
    TELL_STATION(shutdown);
    STAGE_ORDER(1, initiate_docking, .station = 0);
    stage_wait(0.1);
    bool empty = page->berths_taken == 0;
    CHECK(empty == !lives(stage.stations[0].id));
    stage_wait(120);
    CHECK(!lives(stage.stations[0].id));
    CHECK_STR(stage_state(1), "idle");
    stage_close();
}

TEST(a_station_tells_its_status)
{
    open_port(2);
    ask_status(stage.stations[0].id);
    CHECK_STR(port.state, "open");
    CHECK_UINT(port.station, 0);
    CHECK_UINT(port.berths, 1);
    CHECK_UINT(port.spares, 7);
    CHECK_UINT(port.fuel, 900 * (uint64_t)FUEL_NANO);
    CHECK_INT(port.credits, 5000 * CENTS);
    CHECK_UINT(port.stock_count, 1);
    CHECK_UINT(port.stock[0], 321);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    STAGE_ORDER(1, initiate_docking, .station = 0);
    ask_status(stage.stations[0].id);
    CHECK_UINT(port.berths_taken, 1);
    CHECK_UINT(port.queue, 1);
    stage.books.stations[0].shut = true; /* its mind's */
    ask_status(stage.stations[0].id);
    CHECK_STR(port.state, "closed");
    CHECK_OK(aldis_send(stage.system, stage.stations[0], get_status, 0)); /* of nobody */
    stage_wait(0.02);
    CHECK_UINT(stage_type("get_status").failed, 1);
    stage_close();
}

TEST(a_paused_rescue_service_sends_no_tugs_until_it_goes_on)
{
    open_port(2);
    CHECK_OK(aldis_send(stage.system, stage.chart.rescue, pause, 0));
    stage_wait(0.02);
    for (uint32_t i = 0; i < 2; i++) {
        stage_page(i)->motion.position = (struct vec){100, 0, 0};
        STAGE_ORDER(i, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
    }
    stage_wait(300);
    CHECK_STR(stage_state(0), "emergency");
    ask_status(stage.chart.rescue.id);
    CHECK(service.paused);
    CHECK_UINT(service.tugs, 2);
    CHECK_UINT(service.busy, 0);
    CHECK_UINT(service.calls, 2);
    CHECK_UINT(service.fuel, 10 * (uint64_t)FUEL_NANO);
    CHECK_OK(aldis_send(stage.system, stage.chart.rescue, resume, 0));
    stage_wait(5);
    ask_status(stage.chart.rescue.id);
    CHECK(!service.paused);
    CHECK_UINT(service.busy, 2);
    CHECK_UINT(service.calls, 0);
    stage_wait(10);
    CHECK_STR(stage_state(0), "flying");
    CHECK_STR(stage_state(1), "flying");
    stage_close();
}

/* What is not handled does not get there: the sender is told by name. */
TEST(services_that_cannot_be_paused_refuse_it_by_name)
{
    open_port(1);
    hazards_ref hazards;
    STAGE_SERVICE(hazards, &hazards);
    stage_wait(0.1);
    aldis_type *const types[] = {&pause_type, &resume_type, &shutdown_type, &get_status_type};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        static const Pause nothing;
        CHECK_INT(
            aldis_system_send_raw(stage.system, hazards.id, types[i], &nothing, sizeof nothing),
            ALDIS_EUNACCEPTED);
        CHECK(strstr(aldis_error_last()->text, types[i]->name) != NULL);
    }
    CHECK_INT(aldis_system_send_raw(stage.system, stage.chart.rescue.id, &shutdown_type,
                                    &(Shutdown){0}, sizeof(Shutdown)),
              ALDIS_EUNACCEPTED);
    stage_wait(1);
    stage_close();
}
