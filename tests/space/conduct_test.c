// SPDX-License-Identifier: Apache-2.0
/* conduct_test.c: a ship's conduct where two of its rules meet: a follower that is paused or runs
 * dry, an order to dock from afar, the very edge of its range. */
#include "stage.h"

#include <math.h>

/* Near stands still; ships rest there for days unless they are told something. */
static const char open_space[] =
    "name: conduct\n"
    "duration: 10 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 4, service: 10 s}\n"
    "  - {name: Far, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0001}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 8, route: [Near, Far], departure: 30 d,\n"
    "     rest: 30 d, formation: convoy, formation_size: 4}\n";

static aldis_ns now_ns(void)
{
    return aldis_system_now(stage.system);
}

static void wait_s(double seconds)
{
    stage_run(now_ns() + (aldis_ns)(seconds * 1e9));
}

#define ORDER(number, message, ...)                                                                \
    do {                                                                                           \
        CHECK_OK(aldis_send(stage.system, stage.ships[number], message, __VA_ARGS__));             \
        wait_s(0.02);                                                                              \
    } while (0)

static double distance_between(struct vec a, struct vec b)
{
    return vec_length(vec_sub(a, b));
}

static struct ship *open_with_one(void)
{
    stage_open(stage_parse(open_space), 1);
    stage_station(0);
    stage_station(1);
    struct ship *page = stage_ship(0, 0);
    wait_s(1);
    return page;
}

/* ---- Arriving ---- */

/* Within its range is nearer than that: at rest on the very edge it has not arrived. */
TEST(at_the_edge_of_its_range_a_ship_has_not_arrived)
{
    static const double distances[] = {10, 9.999};
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        struct ship *page = open_with_one();
        page->motion.position = (struct vec){distances[i], 0, 0};
        ORDER(0, set_destination, .station = 1);
        page->motion = (struct motion){.position = {distances[i], 0, 0}};
        page->moved_ns = now_ns();
        page->station = 0;
        CHECK_OK(aldis_send(stage.system, stage.ships[0], update_position, .dt = 0));
        stage_run(now_ns() + 1);
        CHECK_STR(stage_state(0), i == 0 ? "flying" : "docking");
        stage_close();
    }
}

/* It has been left adrift: the station is where it went to last, and far away. */
TEST(an_order_to_dock_from_afar_is_a_flight_first)
{
    struct ship *page = open_with_one();
    page->motion.position = (struct vec){500, 0, 0};
    ORDER(0, initiate_docking, .station = 0);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(stage_type("request_docking").sent, 0);
    wait_s(60);
    CHECK_UINT(stage_type("request_docking").handled, 1);
    CHECK(distance_between(page->motion.position, (struct vec){0, 0, 0}) < 10);
    stage_close();
}

/* ---- Following ---- */

/* Ship 1 asks ship 0 for a place, and follows when that departs. */
static struct ship *open_convoy(void)
{
    struct ship *leader = open_with_one();
    struct ship *page = stage_ship(1, 0);
    ship_rare(page)->formation.leader = leader->self;
    page->place_in_line = 1;
    wait_s(1);
    CHECK_OK(aldis_send(stage.system, stage.ships[1], ship_due, .change = page->change));
    wait_s(1);
    CHECK(page->flags & SHIP_JOINING);
    ORDER(0, set_destination, .station = 1);
    wait_s(30);
    CHECK_INT(page->mission, MISSION_FOLLOW);
    return page;
}

TEST(a_follower_that_is_paused_stops_and_closes_up_when_it_may)
{
    struct ship *page = open_convoy(), *leader = &stage.books.ships[0];
    ORDER(1, pause, 0);
    wait_s(10);
    struct vec stopped = page->motion.position;
    CHECK(vec_length(page->motion.velocity) == 0);
    wait_s(10);
    CHECK(distance_between(page->motion.position, stopped) == 0);
    double behind = distance_between(page->motion.position, leader->motion.position);
    CHECK(behind > 200);
    ORDER(0, pause, 0);
    wait_s(20);
    ORDER(1, resume, 0);
    wait_s(100);
    CHECK(distance_between(page->motion.position, leader->motion.position) < 50);
    stage_close();
}

/* Without fuel it does not stop at once, and calls for help. */
TEST(a_follower_that_runs_dry_calls_for_help)
{
    struct ship *page = open_convoy();
    double speed = vec_length(page->motion.velocity);
    CHECK(speed > 10);
    account_burn(&page->account, page->account.fuel);
    wait_s(3);
    CHECK_STR(stage_state(1), "emergency");
    CHECK_INT(page->extra->rare->emergency.kind, EMERGENCY_OUT_OF_FUEL);
    CHECK(fabs(vec_length(page->motion.velocity) - speed) < 1e-6);
    CHECK(stage_type("distress_signal").sent > 0);
    stage_close();
}

/* ---- Being found ---- */

/* A ship under way is told to no later than every fourth tick where it is, however often it is
 * given a new course meanwhile: one in distress on its way is heard by it. */
TEST(a_ship_that_is_given_orders_on_its_way_is_found_where_it_is)
{
    for (int orders = 0; orders < 4; orders++) {
        struct ship *page = open_with_one(), *other = stage_ship(1, 0);
        wait_s(1);
        other->motion.position = (struct vec){1500, 0, 0};
        for (int i = 0; i <= orders; i++)
            ORDER(0, set_destination, .station = 1);
        while (page->motion.position.x < 1450) {
            wait_s(1.5); /* half a tick after its look it is told again where to go */
            ORDER(0, set_destination, .station = 1);
        }
        uint64_t before = stage_type("distress_signal").sent;
        ORDER(1, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
        CHECK_UINT(stage_type("distress_signal").sent, before + 1);
        stage_close();
    }
}
