// SPDX-License-Identifier: Apache-2.0
/* services_test.c: hazards, weather, rescue, traffic control and the ledger. */
#include "stage.h"
#include "tiny.h"

#include <math.h>

TEST(the_ledger_counts_waits_and_refusals)
{
    stage_open(tiny_scenario(), 1);
    CHECK_OK(aldis_send(stage.system, stage.chart.ledger, ship_berthed, .station = 1,
                        .wait_ns = 7 * ALDIS_SECOND, .estimate_ns = 5 * ALDIS_SECOND));
    CHECK_OK(aldis_send(stage.system, stage.chart.ledger, ship_berthed, .station = 1,
                        .wait_ns = 3 * ALDIS_SECOND)); /* was not told to wait */
    CHECK_OK(aldis_signal(stage.system, stage.chart.ledger, ship_refused));
    stage_run(2 * ALDIS_SECOND);
    stage_close();
    CHECK_UINT(stage.ledger.refusals, 1);
    CHECK_UINT(stage.ledger.waits.count, 2);
    CHECK_UINT(stage.ledger.wait_errors.count, 1);
    CHECK_INT(stage.ledger.waits.max_ns, 7 * ALDIS_SECOND);
    CHECK_INT(stage.ledger.wait_errors.max_ns, 2 * ALDIS_SECOND);
}

/* Two stations 60 u apart; ships rest there for days unless they are sent. */
static struct scenario *quiet(const char *more)
{
    static char text[4096];
    snprintf(
        text, sizeof text,
        "name: quiet\n"
        "duration: 10 h\n"
        "units_per_AU: 1000\n"
        "bodies: [{name: Sun}]\n"
        "stations:\n"
        "  - {name: Alpha, body: Sun, radius: 0 u, berths: 4, service: 5 s}\n"
        "  - {name: Beta, body: Sun, radius: 600 u, period: 100000 d, berths: 4, service: 5 s}\n"
        "classes:\n"
        "  - {name: tug, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0005}\n"
        "fleets:\n"
        "  - {name: tugs, class: tug, count: 4, route: [Alpha, Beta], departure: 30 d,\n"
        "     rest: 30 d}\n"
        "%s",
        more);
    return stage_parse(text);
}

TEST(hazards_come_move_and_die_by_their_schedule)
{
    stage_open(quiet("hazards: [{kind: energy_storm, every: 60 s, life: 50 s, radius: 120 u,\n"
                     "           speed: 2 u/s, count: 20}]\n"),
               1);
    stage_station(0);
    struct ship *ship = stage_ship(0, 0);
    hazards_ref hazards;
    STAGE_SERVICE(hazards, &hazards);
    uint64_t keys[20];
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
        for (uint32_t j = 0; ship->extra && j < ship->extra->hazard_count; j++) {
            const struct ship_hazard *hazard = &ship->extra->hazards[j];
            uint32_t k = 0;
            while (k < seen && keys[k] != hazard->key)
                k++;
            if (hazard->until_ns == 0 || k < seen)
                continue;
            CHECK(seen < 20);
            keys[seen++] = hazard->key;
            CHECK(hazard->radius == 120);
            CHECK(fabs(vec_length(hazard->velocity) - 2) < 1e-9);
            CHECK(hazard->location.x >= -1e-6 && hazard->location.x <= 600 + 1e-6);
            CHECK(hazard->until_ns - hazard->at_ns <= 50 * ALDIS_SECOND);
        }
    }
    CHECK(seen >= 1); /* those that came near enough to be told */
    stage_close();
}

/* An alert as the service would send it. */
static void open_in_weather(WeatherLevel level)
{
    stage_open(quiet("weather: [{name: belt, body: Sun, radius: 100 u, every: 1 h}]\n"), 1);
    stage_station(0);
    stage_station(1);
    stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    NEW_MESSAGE(WeatherAlert, alert);
    alert.level = level;
    alert.radius = 100;
    alert.until_ns = 200 * ALDIS_SECOND;
    CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], weather_alert, &alert));
    CHECK_OK(aldis_send_copy(stage.system, stage.stations[0], weather_alert, &alert));
    stage_run(2 * ALDIS_SECOND);
}

static double way_in_weather(WeatherLevel level)
{
    open_in_weather(level);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    stage_run(8 * ALDIS_SECOND);
    double way = vec_length(stage_page(0)->motion.position);
    stage_close();
    return way;
}

TEST(bad_weather_slows_ships_down_and_worse_keeps_them_in)
{
    double low = way_in_weather(WEATHER_LOW), moderate = way_in_weather(WEATHER_MODERATE);
    CHECK(low > 40);
    CHECK(moderate < low && moderate > low * 0.75);
    CHECK(way_in_weather(WEATHER_HIGH) == 0); /* no departures */
    open_in_weather(WEATHER_HIGH);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    stage_run(265 * ALDIS_SECOND); /* when it is over, it leaves within a minute */
    CHECK_UINT(stage_page(0)->station, 1);
    stage_close();
}

/* Released together they would fly on top of each other. */
TEST(ships_that_the_weather_has_held_leave_one_by_one)
{
    open_in_weather(WEATHER_HIGH);
    for (uint32_t i = 1; i < 4; i++)
        stage_ship(i, 0);
    NEW_MESSAGE(WeatherAlert, alert);
    alert.level = WEATHER_HIGH;
    alert.radius = 100;
    alert.until_ns = 100 * ALDIS_SECOND;
    for (uint32_t i = 0; i < 4; i++)
        CHECK_OK(aldis_send_copy(stage.system, stage.ships[i], weather_alert, &alert));
    stage_run(3 * ALDIS_SECOND);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_OK(aldis_send(stage.system, stage.ships[i], set_destination, .station = 1));
    stage_run(99 * ALDIS_SECOND);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_STR(stage_state(i), "idle");
    aldis_ns left_ns[4] = {0};
    while (aldis_system_now(stage.system) < 165 * ALDIS_SECOND) {
        stage_run(aldis_system_now(stage.system) + 100 * ALDIS_MS);
        for (uint32_t i = 0; i < 4; i++)
            if (left_ns[i] == 0 && strcmp(stage_state(i), "flying") == 0)
                left_ns[i] = aldis_system_now(stage.system);
    }
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(left_ns[i] > 100 * ALDIS_SECOND);
        for (uint32_t j = 0; j < i; j++)
            CHECK(left_ns[i] != left_ns[j]);
    }
    stage_close();
}

/* In two regions at once a ship is in the worse weather, whichever is told last. */
TEST(where_regions_overlap_the_worst_weather_counts)
{
    stage_open(quiet("weather: [{name: belt, body: Sun, radius: 100 u, every: 1 h},\n"
                     "          {name: dust, body: Sun, radius: 100 u, every: 1 h}]\n"),
               1);
    stage_station(0);
    stage_station(1);
    stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    static const WeatherLevel levels[] = {WEATHER_EXTREME, WEATHER_MODERATE};
    for (uint32_t i = 0; i < 2; i++) {
        NEW_MESSAGE(WeatherAlert, alert);
        alert.region = i;
        alert.level = levels[i];
        alert.radius = 100;
        alert.until_ns = (100 + i * 100) * ALDIS_SECOND;
        CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], weather_alert, &alert));
        CHECK_OK(aldis_send_copy(stage.system, stage.stations[0], weather_alert, &alert));
        stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
    }
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(5 * ALDIS_SECOND);
    CHECK_UINT(stage_type("ship_refused").handled, 1); /* the docks are closed */
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    stage_run(50 * ALDIS_SECOND);
    CHECK_UINT(stage_page(0)->station, 0); /* and nobody departs */
    stage_run(165 * ALDIS_SECOND);
    CHECK_UINT(stage_page(0)->station, 1);
    stage_close();
}

TEST(nobody_departs_in_high_weather_for_a_call_either)
{
    open_in_weather(WEATHER_HIGH);
    stage_ship(1, 0);
    stage_run(3 * ALDIS_SECOND);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[1], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    stage_run(4 * ALDIS_SECOND);
    CHECK_UINT(stage_type("distress_signal").handled, 1);
    CHECK_STR(stage_state(0), "idle");
    stage_close();
}

TEST(extreme_weather_closes_the_docks)
{
    open_in_weather(WEATHER_EXTREME);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(4 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "idle");
    stage_run(201 * ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(215 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docked");
    stage_close();
    CHECK_UINT(stage.ledger.refusals, 1);
}

static void tell_station(WeatherLevel level, aldis_ns until_ns)
{
    NEW_MESSAGE(WeatherAlert, alert);
    alert.level = level;
    alert.radius = 100;
    alert.until_ns = until_ns;
    CHECK_OK(aldis_send_copy(stage.system, stage.stations[0], weather_alert, &alert));
    stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
}

/* Who is in a berth is served; who waits keeps its place, asks again in vain, and is let in when it
 * is over: when that is told (told), or, if the word of it is lost, when it asks the next time. */
static void wait_in_a_storm(bool told)
{
    struct scenario *scenario = quiet("weather: [{name: belt, body: Sun, radius: 100 u,"
                                      " every: 1 h}]\n");
    scenario->stations.items[0].berths = 1;
    stage_open(scenario, 1);
    stage_station(0);
    for (uint32_t i = 0; i < 2; i++) {
        stage_ship(i, 0);
        stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
        CHECK_OK(aldis_send(stage.system, stage.ships[i], initiate_docking, .station = 0));
    }
    stage_run(5 * ALDIS_SECOND);
    const struct station_page *page = &stage.books.stations[0];
    CHECK_UINT(page->queue, 1);
    tell_station(WEATHER_EXTREME, 400 * ALDIS_SECOND);
    stage_run(350 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "idle");
    CHECK_STR(stage_state(1), "docking");
    CHECK(stage_type("request_docking").handled > 2);
    CHECK_UINT(page->dockings, 1);
    CHECK_UINT(page->queue, 1);
    if (told)
        tell_station(WEATHER_LOW, 0);
    stage_run((told ? 365 : 800) * ALDIS_SECOND);
    CHECK_UINT(page->dockings, 2);
    CHECK_UINT(stage_type("ship_refused").handled, 0);
    stage_close();
}

TEST(in_a_storm_those_who_wait_keep_their_places)
{
    wait_in_a_storm(true);
    wait_in_a_storm(false);
}

TEST(weather_is_told_to_those_in_its_region)
{
    stage_open(quiet("weather: [{name: belt, body: Sun, radius: 100 u, every: 2 min}]\n"), 1);
    stage_station(0);
    stage_station(1);
    stage_ship(0, 0);
    stage_ship(1, 1);
    weather_ref weather;
    STAGE_SERVICE(weather, &weather);
    stage_run(ALDIS_HOUR);
    CHECK(stage_page(0)->extra != NULL);
    CHECK(stage_page(0)->extra->rare->weather.radius == 100);
    CHECK(stage_page(1)->extra == NULL); /* 600 u away */
    stage_close();
}

/* ---- Repairs ---- */

static double seconds_in_berth(bool damaged)
{
    stage_open(quiet(""), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    ship->flags |= damaged ? SHIP_DAMAGED : 0;
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    aldis_ns docked_ns = 0, left_ns = 0;
    while (left_ns == 0) {
        stage_run(aldis_system_now(stage.system) + 10 * ALDIS_MS);
        bool docked = strcmp(stage_state(0), "docked") == 0;
        if (docked && docked_ns == 0)
            docked_ns = aldis_system_now(stage.system);
        if (!docked && docked_ns > 0)
            left_ns = aldis_system_now(stage.system);
        CHECK(aldis_system_now(stage.system) < 10 * ALDIS_MINUTE);
    }
    stage_run(left_ns + 2 * ALDIS_SECOND);
    CHECK(!(ship->flags & SHIP_DAMAGED));
    CHECK_UINT(stage.books.stations[0].spares, damaged ? 999 : 1000);
    CHECK_UINT(stage_type("service_availability").handled, damaged);
    stage_close();
    return (double)(left_ns - docked_ns) * 1e-9;
}

/* Half a minute, one of the station's spares, and 500 credits. */
TEST(a_repair_takes_time_and_a_part)
{
    double sound_s = seconds_in_berth(false), damaged_s = seconds_in_berth(true);
    CHECK(sound_s > 3 && sound_s < 7);
    CHECK(fabs(damaged_s - sound_s - 30) < 0.1);
}

/* A station without parts takes its order, and refuses it: the ship leaves as it came, and has paid
 * nothing for a repair. */
TEST(a_repair_that_is_refused_mends_nothing)
{
    stage_open(quiet(""), 1);
    stage_station(0);
    stage.books.stations[0].spares = 0;
    struct ship *ship = stage_ship(0, 0);
    ship->flags |= SHIP_DAMAGED;
    int64_t credits = ship->account.credits;
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(2 * ALDIS_MINUTE);
    CHECK_STR(stage_state(0), "idle");
    CHECK_UINT(stage.books.stations[0].served, 1);
    CHECK_UINT(stage_type("market_order").handled, 1);
    CHECK_UINT(stage_type("trade_answer").handled, 1);
    CHECK(ship->flags & SHIP_DAMAGED);
    CHECK_INT(ship->account.credits, credits);
    stage_close();
}

/* Docks, and says when its service was over. */
static aldis_ns served_at(uint32_t ship)
{
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], initiate_docking, .station = 0));
    do
        stage_run(aldis_system_now(stage.system) + 100 * ALDIS_MS);
    while (strcmp(stage_state(ship), "idle") != 0);
    return aldis_system_now(stage.system);
}

/* There is one, and a crew is in it for 40 s beside the service; who finds it taken leaves as ill
 * as it came. */
TEST(quarters_take_care_of_a_crew_each_and_take_time)
{
    struct scenario *scenario = quiet("");
    scenario->stations.items[0].quarters = 1;
    scenario->stations.items[0].quarters_ns = 40 * ALDIS_SECOND;
    stage_open(scenario, 1);
    stage_station(0);
    struct ship *first = stage_ship(0, 0), *second = stage_ship(1, 0);
    stage_run(ALDIS_SECOND);
    first->ill = second->ill = 1;
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(2 * ALDIS_SECOND);
    aldis_ns second_ns = served_at(1);
    CHECK(second_ns < 25 * ALDIS_SECOND);
    CHECK(second->ill);
    CHECK_STR(stage_state(0), "docked");
    CHECK(!first->ill);
    stage_run(50 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docked");
    stage_run(60 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "idle");
    second_ns = served_at(1) - 60 * ALDIS_SECOND;
    CHECK(second_ns > 50 * ALDIS_SECOND && second_ns < 60 * ALDIS_SECOND);
    CHECK(!second->ill);
    CHECK_UINT(stage.books.stations[0].spares, 1000); /* that was no repair */
    stage_close();
}

/* Engine, hull and pirates leave something to repair, an illness a crew to take care of. */
TEST(what_has_befallen_a_ship_says_what_it_wants_of_a_station)
{
    for (EmergencyKind kind = EMERGENCY_ENGINE_FAILURE; kind <= EMERGENCY_OUT_OF_FUEL; kind++) {
        stage_open(quiet(""), 1);
        stage_station(0);
        struct ship *ship = stage_ship(0, 0);
        stage_run(ALDIS_SECOND);
        CHECK_OK(aldis_send(stage.system, stage.ships[0], handle_emergency, .kind = kind));
        stage_run(2 * ALDIS_SECOND);
        bool ill = kind == EMERGENCY_CREW_MEDICAL, dry = kind == EMERGENCY_OUT_OF_FUEL;
        CHECK_INT(ship->ill, ill);
        CHECK_INT((ship->flags & SHIP_DAMAGED) != 0, !ill && !dry);
        stage_close();
    }
}

/* ---- Rescue ---- */

TEST(the_rescue_service_helps_whom_nobody_else_does)
{
    stage_open(quiet("rescue: {station: Alpha, tugs: 1, speed: 100 u/s, patience: 10 s}\n"), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0);
    STAGE_SERVICE(rescue, &stage.chart.rescue);
    stage_run(ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
    stage_run(5 * ALDIS_SECOND);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[0], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    stage_run(6 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "emergency");
    stage_run(30 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(stage_type("aid").handled, 1);
    CHECK_UINT(stage_type("stand_down").handled, 1);
    /* Dry: it is given fuel out of the service's stock. */
    account_burn(&ship->account, ship->account.fuel - FUEL_NANO / 1000);
    stage_run(5 * ALDIS_MINUTE);
    CHECK(stage.books.rescue.fuel < 1000 * (int64_t)FUEL_NANO);
    CHECK(ship->account.fuel > FUEL_NANO / 4);
    CHECK(strcmp(stage_state(0), "emergency") != 0);
    stage_close();
}

/* ---- Traffic ---- */

static void open_with_traffic(const char *traffic)
{
    stage_open(quiet(traffic), 1);
    stage_station(0);
    stage_station(1);
    for (uint32_t i = 0; i < 3; i++)
        stage_ship(i, i == 2);
    STAGE_SERVICE(traffic, &stage.chart.traffic);
    stage_run(3 * ALDIS_SECOND);
    CHECK_UINT(stage.books.near_misses, 0); /* at rest in one port is not under way */
}

static void send_to(uint32_t ship, uint32_t station)
{
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], set_destination, .station = station));
}

TEST(traffic_control_names_ships_that_pass_too_near)
{
    open_with_traffic("traffic: {every: 100 ms, distance: 5 u}\n");
    send_to(0, 1);
    stage_run(6 * ALDIS_SECOND);
    CHECK_UINT(stage.books.near_misses, 0);
    send_to(2, 0);
    stage_run(2 * ALDIS_MINUTE); /* at 40 u/s they are near for a quarter of a second */
    CHECK_UINT(stage.books.near_misses, 1);
    stage_close();
}

/* Side by side all the way: one near miss, however often it looks; after a trip apart another. */
TEST(a_near_miss_is_named_once)
{
    open_with_traffic("traffic: {every: 1 s, distance: 5 u}\n");
    send_to(0, 1);
    send_to(1, 1);
    stage_run(ALDIS_MINUTE);
    CHECK_UINT(stage.books.near_misses, 1);
    stage_run(2 * ALDIS_MINUTE);
    CHECK_STR(stage_state(0), "idle");
    send_to(0, 0);
    send_to(1, 0);
    stage_run(4 * ALDIS_MINUTE);
    CHECK_UINT(stage.books.near_misses, 2);
    stage_close();
}

TEST(in_port_pilots_see_to_traffic)
{
    open_with_traffic("traffic: {every: 1 s, distance: 5 u, zone: 400 u}\n");
    send_to(0, 1);
    send_to(1, 1);
    stage_run(ALDIS_MINUTE);
    CHECK_UINT(stage.books.near_misses, 0);
    stage_close();
}
