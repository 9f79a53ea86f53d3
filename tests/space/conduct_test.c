// SPDX-License-Identifier: Apache-2.0
/* conduct_test.c: a ship's conduct where two of its rules meet: a follower that is paused or runs
 * dry, an order to dock from afar, the very edge of its range. */
#include "stage.h"
#include "tiny.h"

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

static double distance_between(struct vec a, struct vec b)
{
    return vec_length(vec_sub(a, b));
}

static struct ship *open_alone(struct scenario *scenario)
{
    stage_open(scenario, 1);
    stage_station(0);
    stage_station(1);
    struct ship *page = stage_ship(0, 0);
    stage_wait(1);
    return page;
}

static struct ship *open_with_one(void)
{
    return open_alone(stage_parse(open_space));
}

/* ---- Arriving ---- */

/* Within its range is nearer than that: at rest on the very edge it has not arrived. */
TEST(at_the_edge_of_its_range_a_ship_has_not_arrived)
{
    static const double distances[] = {10, 9.999};
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        struct ship *page = open_with_one();
        page->motion.position = (struct vec){distances[i], 0, 0};
        STAGE_ORDER(0, set_destination, .station = 1);
        page->motion = (struct motion){.position = {distances[i], 0, 0}};
        page->moved_ns = stage_now();
        page->station = 0;
        CHECK_OK(aldis_send(stage.system, stage.ships[0], update_position, .dt = 0));
        stage_run(stage_now() + 1);
        CHECK_STR(stage_state(0), i == 0 ? "flying" : "docking");
        stage_close();
    }
}

/* It has been left adrift: the station is where it went to last, and far away. */
TEST(an_order_to_dock_from_afar_is_a_flight_first)
{
    struct ship *page = open_with_one();
    page->motion.position = (struct vec){500, 0, 0};
    STAGE_ORDER(0, initiate_docking, .station = 0);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(stage_type("request_docking").sent, 0);
    stage_wait(60);
    CHECK_UINT(stage_type("request_docking").handled, 1);
    CHECK(distance_between(page->motion.position, (struct vec){0, 0, 0}) < 10);
    stage_close();
}

/* ---- Following ---- */

/* Its timer is due now. */
static void wake(uint32_t number)
{
    stage_page(number)->due_ns = stage_now();
    CHECK_OK(aldis_signal(stage.system, stage.ships[number], ship_due));
}

/* Ship `number` asks ship 0 for a place. */
static struct ship *ask_for_place(uint32_t number, uint32_t place)
{
    struct ship *page = stage_ship(number, 0);
    ship_rare(page)->formation.leader = stage.ships[0].id;
    page->place_in_line = place & 7u;
    stage_wait(1);
    wake(number);
    stage_wait(1);
    return page;
}

/* Ship 1 has a place, and follows when ship 0 departs. */
static struct ship *open_convoy(void)
{
    open_with_one();
    struct ship *page = ask_for_place(1, 1);
    CHECK(page->flags & SHIP_JOINING);
    STAGE_ORDER(0, set_destination, .station = 1);
    stage_wait(30);
    CHECK_INT(page->mission, MISSION_FOLLOW);
    return page;
}

TEST(a_follower_that_is_paused_stops_and_closes_up_when_it_may)
{
    struct ship *page = open_convoy(), *leader = stage_page(0);
    STAGE_ORDER(1, pause, 0);
    stage_wait(10);
    struct vec stopped = page->motion.position;
    CHECK(vec_length(page->motion.velocity) == 0);
    stage_wait(10);
    CHECK(distance_between(page->motion.position, stopped) == 0);
    double behind = distance_between(page->motion.position, leader->motion.position);
    CHECK(behind > 200);
    STAGE_ORDER(0, pause, 0);
    stage_wait(20);
    STAGE_ORDER(1, resume, 0);
    stage_wait(100);
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
    stage_wait(3);
    CHECK_STR(stage_state(1), "emergency");
    CHECK_INT(page->extra->rare->emergency.kind, EMERGENCY_OUT_OF_FUEL);
    CHECK(fabs(vec_length(page->motion.velocity) - speed) < 1e-6);
    CHECK(stage_type("distress_signal").sent > 0);
    stage_close();
}

/* Behind, round or beside the leader, with 20 u between two ships. */
TEST(each_kind_of_formation_has_its_slots)
{
    static const struct {
        FormationKind kind;
        uint32_t place;
        struct vec slot;
    } cases[] = {{FORMATION_CONVOY, 1, {-20, 0, 0}},
                 {FORMATION_CONVOY, 3, {-60, 0, 0}},
                 {FORMATION_DEFENSIVE, 1, {14.142136, 14.142136, 0}},
                 {FORMATION_DEFENSIVE, 4, {-20, 0, 0}},
                 {FORMATION_EXPLORATION, 1, {0, 40, 0}},
                 {FORMATION_EXPLORATION, 2, {0, -40, 0}},
                 {FORMATION_EXPLORATION, 3, {0, 80, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scenario *scenario = stage_parse(open_space);
        scenario->fleets.items[0].formation = (uint32_t)cases[i].kind + 1;
        open_alone(scenario);
        const struct ship *page = ask_for_place(1, cases[i].place);
        CHECK(distance_between(page->extra->rare->formation.offset, cases[i].slot) < 1e-5);
        stage_close();
    }
}

TEST(a_slot_that_is_taken_is_not_given_twice)
{
    open_with_one();
    ask_for_place(1, 2);
    ask_for_place(2, 2);
    CHECK_STR(stage_state(1), "idle"); /* it waits for its leader */
    CHECK_STR(stage_state(2), "flying");
    CHECK_INT(stage_page(2)->mission, MISSION_OWN);
    stage_close();
}

/* By the end of the flight, by a word of the leader, or when that says nothing any more. */
TEST(followers_go_on_by_themselves_when_their_leader_lets_them_go)
{
    for (int way = 0; way < 3; way++) {
        const struct ship *page = open_convoy();
        if (way == 0)
            stage_wait(150);
        else if (way == 1)
            STAGE_ORDER(0, shutdown, 0);
        else
            CHECK_OK(aldis_kill(stage.system, stage.ships[0].id));
        CHECK_INT(page->mission, way < 2 ? MISSION_OWN : MISSION_FOLLOW);
        stage_wait(12);
        CHECK_INT(page->mission, MISSION_OWN);
        CHECK_UINT(page->station, 1);
        stage_wait(180);
        CHECK_UINT(stage.books.stations[1].dockings, way == 0 ? 2 : 1);
        stage_close();
    }
}

/* However far behind, it flies no farther than its fuel lasts. */
TEST(a_follower_flies_no_farther_than_its_fuel_lasts)
{
    struct ship *page = open_convoy();
    account_burn(&page->account, page->account.fuel - FUEL_NANO / 10000 * 30); /* for 30 u */
    page->extra->rare->formation.lead.position.x += 5000;
    struct vec before = page->motion.position;
    page->moved_ns = stage_now();
    page->extra->rare->formation.lead.at_ns = stage_now();
    ship_move(page, stage_now() + 5 * ALDIS_SECOND);
    CHECK(fabs(distance_between(page->motion.position, before) - 30) < 1e-3);
    CHECK(page->account.fuel < 10);
    CHECK(vec_length(page->motion.velocity) == 0); /* it does not drift off with an empty tank */
    page->moved_ns = stage_now();
    stage_close();
}

TEST(a_wake_up_before_its_time_is_void_and_two_at_it_are_one)
{
    struct ship *page = open_with_one();
    aldis_ns due_ns = page->due_ns;
    CHECK(due_ns > stage_now() + ALDIS_SECOND);
    CHECK_OK(aldis_signal(stage.system, stage.ships[0], ship_due));
    stage_wait(0.5);
    CHECK_STR(stage_state(0), "idle");
    CHECK_INT(page->due_ns, due_ns);
    CHECK_UINT(stage_type("ship_due").sent, 2); /* the one of its start is under way */
    wake(0);
    wake(0);
    stage_wait(0.5);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(page->untold, 1);                /* looks since it has set out */
    CHECK_UINT(stage_type("ship_due").sent, 5); /* with that for the next look */
    STAGE_ORDER(0, set_destination, .station = 1);
    STAGE_ORDER(0, set_destination, .station = 1); /* both turn it, and arm it for another time */
    CHECK_UINT(stage_type("ship_due").sent, 7);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    stage_wait(0.02);
    CHECK_UINT(stage_type("ship_due").sent, 8); /* for the same time one is enough */
    stage_close();
}

TEST(an_idle_ship_that_is_paused_stays_until_it_may_go)
{
    struct ship *page = open_with_one();
    page->place_in_line = 0;
    STAGE_ORDER(0, pause, 0);
    wake(0);
    stage_wait(60);
    CHECK_STR(stage_state(0), "idle");
    STAGE_ORDER(0, resume, 0);
    wake(0);
    stage_wait(1);
    CHECK_STR(stage_state(0), "flying");
    stage_close();
}

/* ---- Being found ---- */

/* A ship under way is told to no later than every fourth tick where it is, however often it is
 * given a new course meanwhile: one in distress on its way is heard by it. */
TEST(a_ship_that_is_given_orders_on_its_way_is_found_where_it_is)
{
    for (int orders = 0; orders < 4; orders++) {
        struct ship *page = open_with_one(), *other = stage_ship(1, 0);
        stage_wait(1);
        other->motion.position = (struct vec){1500, 0, 0};
        for (int i = 0; i <= orders; i++)
            STAGE_ORDER(0, set_destination, .station = 1);
        while (page->motion.position.x < 1450) {
            stage_wait(1.5); /* half a tick after its look it is told again where to go */
            STAGE_ORDER(0, set_destination, .station = 1);
        }
        uint64_t before = stage_type("distress_signal").sent;
        STAGE_ORDER(1, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
        CHECK_UINT(stage_type("distress_signal").sent, before + 1);
        stage_close();
    }
}

/* ---- A timer that could not be armed ---- */

static void open_bounded(uint64_t memory)
{
    struct scenario *scenario = tiny_scenario();
    scenario->limits.memory = memory;
    stage_open(scenario, 1);
    for (uint32_t i = 0; i < 3; i++)
        stage_station(i);
}

/* As when there was no memory for it: the ship has none. Without a bound there always is. */
TEST(where_memory_is_bounded_a_ship_without_a_timer_is_woken)
{
    static const uint64_t memory[] = {0, 64 << 20};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        open_bounded(memory[i]);
        struct ship *page = stage_ship(0, 0);
        stage_wait(1);
        page->due_ns = ALDIS_FOREVER;
        stage_wait(120);
        CHECK_INT(page->due_ns == ALDIS_FOREVER, memory[i] == 0);
        stage_close();
    }
}

TEST(where_memory_is_bounded_a_berth_without_a_timer_is_looked_at)
{
    static const uint64_t memory[] = {0, 64 << 20};
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        open_bounded(memory[i]);
        stage_ship(0, 0);
        struct dock_berth *berth = &stage.books.stations[1].dock.berths[0];
        for (int s = 0; s < 60 && berth->state != BERTH_TAKEN; s++)
            stage_wait(1);
        CHECK_INT(berth->state, BERTH_TAKEN);
        berth->change++; /* what is under way is void */
        stage_wait(100); /* less than the ship's patience */
        CHECK_INT(stage.books.stations[1].served > 0, memory[i] > 0);
        stage_close();
    }
}
