// SPDX-License-Identifier: Apache-2.0
/* naive_test.c: the defects that simulations like this one have when they are written without
 * thinking twice, one test each. Ships, stations and services are the real ones. */
#include "stage.h"

#include <math.h>

static const char plain[] =
    "name: naive\n"
    "duration: 2 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 1 h, commodities: [{name: water, price: 10, swing: 5}]}\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 1, service: 10 s}\n"
    "  - {name: Far, body: Sun, radius: 1000 u, period: 100000 d, berths: 1, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0001}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 4, route: [Near, Far], departure: 30 d,\n"
    "     rest: 30 d, trades: no}\n";

static void open_with(uint32_t ships)
{
    stage_open(stage_parse(plain), 1);
    stage_station(0);
    stage_station(1);
    for (uint32_t i = 0; i < ships; i++)
        stage_ship(i, 0);
    stage_run(ALDIS_SECOND);
}

static void wait_s(double seconds)
{
    stage_run(aldis_system_now(stage.system) + (aldis_ns)(seconds * 1e9));
}

static void fly(uint32_t ship, uint32_t station)
{
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], set_destination, .station = station));
}

static struct vec place_of(uint32_t ship)
{
    return stage_page(ship)->motion.position;
}

static double distance_between(struct vec a, struct vec b)
{
    return vec_length(vec_sub(a, b));
}

/* The request is a request: with what the ship is and has on board. A permission is what the
 * station answers, and nothing that a station takes. */
TEST(docking_is_not_asked_for_with_a_permission)
{
    open_with(1);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    wait_s(1);
    CHECK_UINT(stage_type("request_docking").handled, 1);
    CHECK_UINT(stage_type("docking_permission").handled, 1);
    NEW_MESSAGE(DockingPermission, wrong);
    aldis_type_stats before = stage_type("docking_permission");
    (void)aldis_system_send_raw(stage.system, stage.stations[0].id, &docking_permission_type,
                                &wrong, sizeof wrong);
    wait_s(1);
    CHECK_UINT(stage_type("docking_permission").handled, before.handled);
    stage_close();
}

TEST(a_ship_that_is_sent_somewhere_moves)
{
    open_with(1);
    fly(0, 1);
    double last = 0;
    for (int i = 0; i < 20; i++) {
        wait_s(2);
        double now = vec_length(place_of(0));
        CHECK(now > last);
        last = now;
    }
    stage_close();
}

TEST(no_step_jumps_over_the_goal)
{
    static const double steps[] = {0.1, 1, 7, 49.9, 50, 51, 100, 1e3, 1e6, 1e9};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        open_with(1);
        fly(0, 1);
        for (int j = 0; j < 3000 && strcmp(stage_state(0), "docking") != 0; j++) {
            CHECK_OK(aldis_send(stage.system, stage.ships[0], update_position, .dt = steps[i]));
            stage_run(aldis_system_now(stage.system) + ALDIS_MS);
            CHECK(vec_length(place_of(0)) <= 1000.001);
        }
        CHECK_STR(stage_state(0), "docking");
        CHECK(distance_between(place_of(0), (struct vec){1000, 0, 0}) < 10);
        stage_close();
    }
}

TEST(nobody_hears_its_own_broadcast)
{
    open_with(3);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[0], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    wait_s(0.1);
    CHECK_UINT(stage_type("distress_signal").sent, 2); /* the two others */
    CHECK_UINT(stage_type("navigation_hazard").sent, 2);
    CHECK_UINT(stage_type("distress_signal").handled, 2);
    CHECK_UINT(stage_page(0)->extra->hazard_count, 0);
    stage_close();
}

/* One tonne more than its hold takes; and as much as it takes, for more than it can pay. */
TEST(no_offer_is_taken_without_room_or_money)
{
    static const OfferItem offers[] = {{0, 501, 1000}, {0, 500, 2001}};
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        open_with(2);
        account_goods(&stage_page(0)->account)[0] = 501;
        stage_page(0)->account.used = 501;
        struct ship_kin roomy = *ship_kin(stage_page(0));
        roomy.shape.capacity = 1000;
        stage_page(0)->account.shape = &roomy.shape;
        stage.books.start = books_totals(&stage.books);
        NEW_MESSAGE(ProposeTrade, trade);
        trade.to = stage.ships[1].id.bits;
        trade.to_account = ship_account(stage_page(1));
        trade.offering_count = 1;
        trade.offering[0] = offers[i];
        CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], propose_trade, &trade));
        wait_s(1);
        CHECK_UINT(stage_type("trade_offer").handled, 1);
        CHECK_UINT(account_goods(&stage_page(1)->account)[0], 0);
        CHECK_INT(stage_page(1)->account.credits, 1000000);
        CHECK_UINT(account_goods(&stage_page(0)->account)[0], 501);
        stage_close();
    }
}

TEST(a_negative_step_does_not_fill_the_tank)
{
    open_with(1);
    fly(0, 1);
    wait_s(10);
    int64_t fuel = stage_page(0)->account.fuel;
    struct vec place = place_of(0);
    for (int i = 0; i < 10; i++)
        CHECK_OK(aldis_send(stage.system, stage.ships[0], update_position, .dt = -100));
    wait_s(0.01);
    CHECK_UINT(stage_type("update_position").failed, 10);
    CHECK(stage_page(0)->account.fuel <= fuel);
    CHECK(place_of(0).x >= place.x);
    stage_close();
}

TEST(a_hazard_does_not_make_a_ship_forget_its_course)
{
    open_with(1);
    fly(0, 1);
    wait_s(5);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], navigation_hazard, .radius = 100,
                        .location = {500, 10, 0}, .until_ns = ALDIS_MINUTE));
    wait_s(120);
    CHECK(distance_between(place_of(0), (struct vec){1000, 0, 0}) < 10);
    CHECK_UINT(stage_type("request_docking").handled, 1);
    stage_close();
}

/* Whoever has ended is told nothing more, and keeps nobody waiting: neither the caller, nor the
 * queue for the one berth. */
TEST(the_dead_are_subscribers_no_more)
{
    open_with(3);
    CHECK_OK(aldis_send(stage.system, stage.ships[1], initiate_docking, .station = 0));
    wait_s(1);
    CHECK_OK(aldis_send(stage.system, stage.ships[2], initiate_docking, .station = 0));
    wait_s(1);
    CHECK_UINT(stage.books.stations[0].queue, 1);
    CHECK_OK(aldis_kill(stage.system, stage.ships[1].id));
    wait_s(90); /* the permission of the dead has expired */
    CHECK_UINT(stage.books.stations[0].dockings, 1);
    CHECK_UINT(stage.books.stations[0].queue, 0);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[0], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    wait_s(0.1);
    CHECK_UINT(stage_type("distress_signal").sent, 1); /* ship 2 */
    CHECK_UINT(stage_type("distress_signal").handled, 1);
    stage_close();
}
