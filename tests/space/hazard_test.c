// SPDX-License-Identifier: Apache-2.0
/* hazard_test.c: ships and what is in their way. */
#include "stage.h"

#include <math.h>

/* A ship at rest near Near, and Far at rest 3000 u away from it. */
static const char open_space[] =
    "name: hazards\n"
    "duration: 1 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 4, service: 10 s}\n"
    "  - {name: Far, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: cutter, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.00001}\n"
    "  - {name: barge, speed: 20 u/s, acceleration: 0.5 u/s2, burn: 0.00001}\n"
    "fleets:\n"
    "  - {name: cutters, class: cutter, count: 2, route: [Near, Far], departure: 30 d, rest: 30 "
    "d}\n"
    "  - {name: barges, class: barge, count: 2, route: [Near, Far], departure: 30 d, rest: 30 d}\n";

#define CUTTER 0
#define BARGE 2

static struct ship *open_with(uint32_t ship)
{
    stage_open(stage_parse(open_space), 1);
    stage_station(0);
    stage_station(1);
    struct ship *page = stage_ship(ship, 0);
    stage_run(ALDIS_SECOND);
    return page;
}

static void tell(uint32_t ship, uint32_t number, struct vec place, double radius)
{
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], navigation_hazard, .number = number,
                        .radius = radius, .location = {place.x, place.y, place.z},
                        .at_ns = aldis_system_now(stage.system), .until_ns = ALDIS_HOUR));
    stage_run(aldis_system_now(stage.system) + ALDIS_MS);
}

/* Seconds that the ship is under way. */
static double seconds_to_arrive(uint32_t ship)
{
    aldis_ns begin_ns = aldis_system_now(stage.system);
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], set_destination, .station = 1));
    stage_run(begin_ns + ALDIS_SECOND);
    while (strcmp(stage_state(ship), "flying") == 0) {
        stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
        CHECK(aldis_system_now(stage.system) < 55 * ALDIS_MINUTE);
    }
    CHECK_STR(stage_state(ship), "docking");
    return (double)(aldis_system_now(stage.system) - begin_ns) * 1e-9;
}

static uint32_t known(const struct ship *page)
{
    uint32_t count = 0;
    for (uint32_t i = 0; page->extra && i < page->extra->hazard_count; i++)
        count += page->extra->hazards[i].until_ns > aldis_system_now(stage.system);
    return count;
}

/* One that is told again in time for it: a ship that cannot be there before keeps no warning; one
 * that can does, and forgets it when it is not told again, since then it is out of reach. */
TEST(a_hazard_is_kept_in_mind_by_those_who_can_meet_it)
{
    struct ship *page = open_with(CUTTER);
    const aldis_ns now_ns = aldis_system_now(stage.system);
    /* 10 s and two lookaheads, the way to brake, and the berth that is given */
    const double reach = 1.25 * 20 * 10.2 + 20.0 * 20 / (2 * 4) + 110;
    for (uint32_t i = 0; i < 2; i++) {
        double distance = i == 0 ? reach + 5 : reach - 5;
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], navigation_hazard, .number = i,
                            .radius = 100, .location = {0, distance, 0}, .at_ns = now_ns,
                            .until_ns = ALDIS_HOUR, .again_ns = now_ns + 10 * ALDIS_SECOND));
        stage_run(aldis_system_now(stage.system) + ALDIS_MS);
        CHECK_UINT(known(page), i);
    }
    stage_run(now_ns + 15 * ALDIS_SECOND); /* one telling was lost */
    CHECK_UINT(known(page), 1);
    stage_run(now_ns + 21 * ALDIS_SECOND);
    CHECK_UINT(known(page), 0);
    stage_close();
}

/* Told every 5 s from so far that the signal takes 10 s: each warning is as old when it is heard,
 * and holds until the next one is. */
TEST(a_warning_from_far_holds_until_the_next_is_heard)
{
    char text[sizeof open_space + 64];
    snprintf(text, sizeof text, "%ssignals: {speed: 60 u/s}\n", open_space);
    stage_open(stage_parse(text), 1);
    stage_station(0);
    stage_station(1);
    struct ship *page = stage_ship(BARGE, 0);
    stage_run(ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[BARGE], set_destination, .station = 1));
    stage_run(ALDIS_MINUTE);
    const struct vec place = vec_add(page->motion.position, (struct vec){600, 0, 0});
    for (uint32_t i = 0; i < 3; i++) {
        const aldis_ns heard_ns = aldis_system_now(stage.system);
        const aldis_ns at_ns = heard_ns - 10 * ALDIS_SECOND;
        CHECK_OK(aldis_send(stage.system, stage.ships[BARGE], navigation_hazard, .number = 1,
                            .radius = 50, .location = {place.x, place.y, place.z}, .at_ns = at_ns,
                            .until_ns = ALDIS_HOUR, .again_ns = at_ns + 5 * ALDIS_SECOND));
        stage_run(heard_ns + ALDIS_MS);
        CHECK_UINT(known(page), 1);
        stage_run(heard_ns + 5 * ALDIS_SECOND);
        CHECK_UINT(known(page), 1);
    }
    stage_close();
}

/* Under way it keeps what lies ahead, and not what lies as near behind it or beside. */
TEST(a_ship_under_way_keeps_what_lies_ahead)
{
    static const struct vec places[] = {{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}};
    struct ship *page = open_with(BARGE); /* it takes 400 u to its speed, or to stop */
    CHECK_OK(aldis_send(stage.system, stage.ships[BARGE], set_destination, .station = 1));
    stage_run(ALDIS_MINUTE);
    CHECK(fabs(page->motion.velocity.x - 20) < 1e-6);
    for (uint32_t i = 0; i < 3; i++) {
        struct vec place = vec_add(page->motion.position, vec_scale(places[i], 400));
        CHECK_OK(aldis_send(stage.system, stage.ships[BARGE], navigation_hazard, .number = i,
                            .radius = 50, .location = {place.x, place.y, place.z},
                            .at_ns = aldis_system_now(stage.system), .until_ns = ALDIS_HOUR,
                            .again_ns = aldis_system_now(stage.system) + 5 * ALDIS_SECOND));
        stage_run(aldis_system_now(stage.system) + ALDIS_MS);
        CHECK_UINT(known(page), 1);
    }
    stage_close();
}

/* The service tells of a hazard every few seconds: it is one hazard, and pushes once. */
TEST(a_hazard_told_again_is_the_same_one)
{
    struct ship *page = open_with(CUTTER);
    for (uint32_t i = 0; i < 4; i++)
        tell(CUTTER, 7, (struct vec){i, 500, 0}, 100);
    CHECK_UINT(known(page), 1);
    CHECK(page->extra->hazards[0].location.x == 3);
    tell(CUTTER, 8, (struct vec){0, 500, 0}, 100);
    CHECK_UINT(known(page), 2);
    stage_close();
}

/* Of more than it can keep in mind a ship keeps those that are near. */
TEST(the_nearest_hazards_are_kept_in_mind)
{
    struct ship *page = open_with(CUTTER);
    for (uint32_t i = 0; i < 10; i++)
        tell(CUTTER, i, (struct vec){0, 1000 + 100 * (double)((i * 7) % 10), 0}, 50);
    CHECK_UINT(known(page), SHIP_HAZARDS_MAX);
    for (uint32_t i = 0; i < SHIP_HAZARDS_MAX; i++)
        CHECK(page->extra->hazards[i].location.y < 1000 + 100 * SHIP_HAZARDS_MAX);
    stage_close();
}

TEST(an_emergency_that_has_ended_is_no_hazard_any_more)
{
    open_with(CUTTER);
    struct ship *other = stage_ship(BARGE, 0);
    stage_run(2 * ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], handle_emergency,
                        .kind = EMERGENCY_HULL_BREACH));
    stage_run(3 * ALDIS_SECOND);
    CHECK_UINT(known(other), 1);
    stage_run(2 * ALDIS_MINUTE); /* the other has helped */
    CHECK(strcmp(stage_state(CUTTER), "emergency") != 0);
    CHECK_UINT(known(other), 0);
    stage_close();
}

/* Wherever it lies about the goal: a ship holds against the push and comes in. */
TEST(a_ship_comes_in_against_the_push_of_a_hazard)
{
    static const uint32_t ships[] = {CUTTER, BARGE};
    static const double aside[] = {2, 10, 30, 60, 95};
    for (size_t i = 0; i < 2; i++) {
        open_with(ships[i]);
        double free_s = seconds_to_arrive(ships[i]);
        stage_close();
        for (size_t j = 0; j < sizeof aside / sizeof aside[0]; j++) {
            for (uint32_t angle = 0; angle < 8; angle++) {
                open_with(ships[i]);
                double turn = 3.14159265358979 * angle / 4;
                tell(ships[i], 1,
                     (struct vec){3000 + aside[j] * cos(turn), aside[j] * sin(turn), 0}, 100);
                double took_s = seconds_to_arrive(ships[i]);
                printf("# ship %u, hazard %.0f u off at %u: %.0f s, without %.0f s\n", ships[i],
                       aside[j], angle * 45, took_s, free_s);
                CHECK(took_s < free_s + 90);
                stage_close();
            }
        }
    }
}

/* It is on its way round when the hazard dies: back on its course, and it arrives. */
TEST(a_detour_ends_with_its_hazard)
{
    for (uint32_t seconds = 5; seconds < 160; seconds += 10) {
        open_with(CUTTER);
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], navigation_hazard, .radius = 400,
                            .location = {1500, 5, 0},
                            .until_ns = aldis_system_now(stage.system) + seconds * ALDIS_SECOND));
        stage_run(aldis_system_now(stage.system) + ALDIS_MS);
        double took_s = seconds_to_arrive(CUTTER);
        printf("# hazard for %u s: %.0f s\n", seconds, took_s);
        CHECK(took_s < 200);
        stage_close();
    }
}

/* Any four of them, at rest or moving, about the lane: it gets through. */
TEST(a_ship_gets_through_any_hazards)
{
    uint32_t seed = 1;
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t ship = round % 2 == 0 ? CUTTER : BARGE;
        open_with(ship);
        for (uint32_t i = 0; i < 4; i++) {
            double draw[5];
            for (uint32_t j = 0; j < 5; j++) {
                seed = seed * 1664525u + 1013904223u;
                draw[j] = (double)seed / 4294967296.0;
            }
            CHECK_OK(aldis_send(
                stage.system, stage.ships[ship], navigation_hazard, .number = i,
                .radius = 20 + 150 * draw[0],
                .location = {3100 * draw[1], 200 * (draw[2] - 0.5), 100 * (draw[3] - 0.5)},
                .velocity = {draw[4] - 0.5, draw[3] - 0.5, 0},
                .at_ns = aldis_system_now(stage.system), .until_ns = 2 * ALDIS_HOUR));
        }
        stage_run(2 * ALDIS_SECOND);
        double took_s = seconds_to_arrive(ship);
        if (took_s > 600)
            printf("# round %u: %.0f s\n", round, took_s);
        CHECK(took_s < 900);
        stage_close();
    }
}

/* ---- The push is right at any step ---- */

static const aldis_ns ticks[] = {100 * ALDIS_MS, ALDIS_SECOND, 10 * ALDIS_SECOND, ALDIS_MINUTE,
                                 5 * ALDIS_MINUTE};
#define TICKS (sizeof ticks / sizeof ticks[0])

static struct ship *open_at_tick(aldis_ns tick_ns, double speed)
{
    struct scenario *scenario = stage_parse(open_space);
    scenario->tick_ns = tick_ns;
    scenario->classes.items[0].speed = speed;
    stage_open(scenario, 1);
    stage_station(0);
    stage_station(1);
    struct ship *page = stage_ship(CUTTER, 0);
    stage_run(ALDIS_SECOND);
    return page;
}

/* 20 u off its centre, for so many seconds. */
static void tell_for(uint32_t ship, struct vec centre, double seconds)
{
    aldis_ns now_ns = stage_now();
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], navigation_hazard, .number = 1,
                        .radius = 100, .location = {centre.x, centre.y, centre.z}, .at_ns = now_ns,
                        .until_ns = now_ns + (aldis_ns)(seconds * 1e9)));
}

/* In an emergency it looks once a minute. What is told in between pushes for as long as it lives,
 * and a ship whose engine has failed does not fly back. */
TEST(in_an_emergency_a_hazard_pushes_while_it_lives)
{
    static const struct {
        double told_s, lives_s;
    } cases[] = {{1, 50}, {58, 4}, {1, 4}, {30, 90}, {59.5, 200}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ship *page = open_at_tick(ALDIS_SECOND, 20);
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], handle_emergency,
                            .kind = EMERGENCY_ENGINE_FAILURE));
        stage_wait(cases[i].told_s);
        CHECK_STR(stage_state(CUTTER), "emergency");
        tell_for(CUTTER, (struct vec){-20, 0, 0}, cases[i].lives_s);
        int64_t fuel = page->account.fuel;
        stage_wait(330);
        double pushed = 80 * (1 - exp(-0.05 * cases[i].lives_s));
        printf("# told %g s after its look, for %g s: %.3f u, by the rule %.3f u\n",
               cases[i].told_s, cases[i].lives_s, page->motion.position.x, pushed);
        CHECK(fabs(page->motion.position.x - pushed) < 0.01);
        CHECK_INT(page->account.fuel, fuel);
        CHECK_STR(stage_state(CUTTER), "emergency");
        stage_close();
    }
}

/* It brakes in a hazard: thrust and push at once. */
TEST(a_ship_that_brakes_in_a_hazard_comes_to_rest_where_any_tick_says)
{
    struct vec ends[TICKS];
    for (size_t i = 0; i < TICKS; i++) {
        struct ship *page = open_at_tick(ticks[i], 20);
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], set_destination, .station = 1));
        stage_wait(20);
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], handle_emergency,
                            .kind = EMERGENCY_ENGINE_FAILURE));
        stage_wait(0.1);
        struct vec there = {page->motion.position.x + 30, -40, 0};
        tell_for(CUTTER, there, 30);
        stage_wait(179);
        ends[i] = page->motion.position;
        printf("# tick %g s: %.3f %.3f\n", (double)ticks[i] * 1e-9, ends[i].x, ends[i].y);
        CHECK(ends[i].y > 20);
        CHECK(vec_length(vec_sub(ends[i], ends[0])) < 0.5);
        stage_close();
    }
}

/* At 1 u/s a hazard drives it where it will, and for as long as it lives. */
TEST(a_hazard_pushes_a_slow_ship_alike_at_any_tick)
{
    double ends[TICKS];
    for (size_t i = 0; i < TICKS; i++) {
        struct ship *page = open_at_tick(ticks[i], 1);
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], set_destination, .station = 1));
        stage_wait(40.3);
        tell_for(CUTTER, (struct vec){40, 20, 0}, 30);
        stage_wait(30.0005); /* for it to be heard */
        CHECK_OK(aldis_send(stage.system, stage.ships[CUTTER], pause, 0));
        stage_wait(0.02);
        ends[i] = page->motion.position.y;
        printf("# tick %g s: y %.3f\n", (double)ticks[i] * 1e-9, ends[i]);
        CHECK(ends[i] < -30);
        CHECK(fabs(ends[i] - ends[0]) < 0.5);
        stage_close();
    }
}
