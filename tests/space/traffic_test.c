// SPDX-License-Identifier: Apache-2.0
/* traffic_test.c: what traffic control sees: each pass, once, with its least distance and time. */
#include "flights.h"
#include "shipped.h"
#include "stage.h"

#include <math.h>

#define EACH_WAY 10u

/* Two stations on one line, 1000 u apart. Traffic control as it is without a word. */
static const char lane_text[] =
    "name: lane\n"
    "duration: 1 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "stations:\n"
    "  - {name: Alpha, body: Sun, radius: 0 u, berths: 32, service: 5 s}\n"
    "  - {name: Beta, body: Sun, radius: 1000 u, period: 3650 d, berths: 32, service: 5 s}\n"
    "classes:\n"
    "  - {name: tug, speed: 20 u/s, acceleration: 4 u/s2, burn: 0}\n"
    "fleets:\n"
    "  - {name: tugs, class: tug, count: 20, route: [Alpha, Beta], departure: 30 d, rest: 30 d}\n"
    "traffic: {}\n";

/* Each meets all that come the other way, for a twentieth of a second. */
TEST(all_who_pass_head_on_are_named)
{
    stage_open(stage_parse(lane_text), 1);
    stage_station(0);
    stage_station(1);
    STAGE_SERVICE(traffic, &stage.chart.traffic);
    for (uint32_t i = 0; i < 2 * EACH_WAY; i++)
        stage_ship(i, i / EACH_WAY);
    stage_run(ALDIS_SECOND);
    for (uint32_t i = 0; i < EACH_WAY; i++) {
        STAGE_ORDER(i, set_destination, .station = 1);
        stage_wait(0.7);
        STAGE_ORDER(EACH_WAY + i, set_destination, .station = 0);
        stage_wait(0.8);
    }
    stage_wait(120);
    CHECK_UINT(stage.books.near_misses, EACH_WAY * EACH_WAY);
    CHECK_UINT(stage.books.near_misses_left_out, 0);
    stage_close();
}

/* ---- Two courses that cross ---- */

static struct near_miss seen[16];
static uint32_t seen_count;

static void see(void *arg, const struct near_miss *near)
{
    (void)arg;
    if (seen_count < 16)
        seen[seen_count] = *near;
    seen_count++;
}

static struct ship_course course(uint32_t ship, aldis_ns at_ns, struct vec from, struct vec aim)
{
    NEW_MESSAGE(struct ship_course, flight);
    flight.position = from;
    flight.aim = aim;
    flight.speed = 20;
    flight.acceleration = 1;
    flight.at_ns = at_ns;
    flight.ship = ship;
    return flight;
}

/* The least distance by going through the time in steps of a thousandth of a second. */
static double by_steps(const struct ship_course *a, const struct ship_course *b, aldis_ns *out_ns)
{
    double least = HUGE_VAL;
    for (aldis_ns now_ns = 0; now_ns < 2 * ALDIS_MINUTE; now_ns += ALDIS_MS) {
        const struct ship_course *both[] = {a, b};
        struct motion m[2];
        for (int i = 0; i < 2; i++) {
            const struct thrust thrust = {both[i]->speed, both[i]->acceleration};
            m[i] = (struct motion){both[i]->position, both[i]->velocity};
            if (now_ns > both[i]->at_ns)
                motion_advance(&m[i], both[i]->aim, &thrust,
                               (double)(now_ns - both[i]->at_ns) * 1e-9);
        }
        double apart = vec_length(vec_sub(m[0].position, m[1].position));
        if (apart < least)
            *out_ns = now_ns;
        least = apart < least ? apart : least;
    }
    return least;
}

/* They speed up, cruise and brake, so the way between two looks is not straight in time. */
TEST(a_pass_has_its_least_distance_and_its_time)
{
    struct scenario *scenario = stage_parse(lane_text);
    scenario->traffic.zone = 0;
    uint32_t near = 0;
    for (uint32_t i = 0; i < 200; i++) {
        double turn = 0.3 + 0.013 * i, way = 40 + 3.1 * i;
        struct vec here = {way * cos(turn), way * sin(turn), 0.3};
        const struct ship_course a =
            course(0, 0, (struct vec){-way, 0.002 * i, 0}, (struct vec){way / 2, 0, 0});
        const struct ship_course b = course(1, 0, here, vec_scale(here, -0.7));
        aldis_ns at_ns = 0;
        double least = by_steps(&a, &b, &at_ns);
        struct flights *flights = flights_create(2);
        flights_note(flights, &a, ALDIS_HOUR);
        flights_note(flights, &b, ALDIS_HOUR);
        seen_count = 0;
        for (aldis_ns now_ns = 0; now_ns < 2 * ALDIS_MINUTE; now_ns += 10 * ALDIS_SECOND)
            flights_judge(flights, scenario, now_ns + 10 * ALDIS_SECOND, see, NULL);
        flights_destroy(flights);
        if (fabs(least - 1) < 0.03)
            continue; /* at 40 u/s a step is 0.04 u */
        CHECK_UINT(seen_count, least < 1);
        if (least >= 1)
            continue;
        near++;
        CHECK(seen[0].distance < least + 1e-5 && seen[0].distance > least - 0.03);
        CHECK(llabs(seen[0].at_ns - at_ns) <= 20 * ALDIS_MS);
        CHECK_UINT(seen[0].one, 0);
        CHECK_UINT(seen[0].other, 1);
    }
    CHECK(near >= 100 && near < 200);
    scenario_destroy(scenario);
}

/* A pass over the end of a look is one, with the least distance of both parts. */
TEST(a_pass_over_two_looks_is_named_once)
{
    struct scenario *scenario = stage_parse(lane_text);
    struct flights *flights = flights_create(2);
    NEW_MESSAGE(struct ship_course, still);
    struct ship_course moving = still;
    still.position = (struct vec){500, 0, 0};
    moving.ship = 1;
    moving.position = (struct vec){500 - 10.02 * 0.25, 0.5, 0};
    moving.velocity = (struct vec){0.25, 0, 0};
    flights_note(flights, &still, ALDIS_HOUR);
    flights_note(flights, &moving, ALDIS_HOUR);
    seen_count = 0;
    flights_judge(flights, scenario, 10 * ALDIS_SECOND, see, NULL);
    CHECK_UINT(seen_count, 0); /* it goes on */
    flights_judge(flights, scenario, 20 * ALDIS_SECOND, see, NULL);
    CHECK_UINT(seen_count, 1);
    CHECK(fabs(seen[0].distance - 0.5) < 1e-6);
    CHECK(llabs(seen[0].at_ns - 10020 * ALDIS_MS) < ALDIS_MS);
    flights_judge(flights, scenario, 60 * ALDIS_SECOND, see, NULL);
    CHECK_UINT(seen_count, 1);
    flights_destroy(flights);
    scenario_destroy(scenario);
}

/* Whose end was lost is not looked at for ever. */
TEST(a_course_that_is_not_told_again_runs_out)
{
    struct scenario *scenario = stage_parse(lane_text);
    struct flights *flights = flights_create(2);
    NEW_MESSAGE(struct ship_course, still);
    struct ship_course other = still;
    still.position = other.position = (struct vec){500, 0, 0};
    other.ship = 1;
    other.at_ns = 20 * ALDIS_SECOND;
    flights_note(flights, &still, 9 * ALDIS_SECOND);
    flights_note(flights, &other, 9 * ALDIS_SECOND);
    seen_count = 0;
    flights_judge(flights, scenario, ALDIS_MINUTE, see, NULL);
    CHECK_UINT(seen_count, 0);
    CHECK_UINT(flights_left_out(flights), 0);
    flights_destroy(flights);
    scenario_destroy(scenario);
}

/* Beyond the room for courses they are counted: 16 of a ship, and 1024. */
TEST(courses_without_room_are_counted)
{
    struct flights *flights = flights_create(2);
    NEW_MESSAGE(struct ship_course, turning);
    for (uint32_t i = 0; i < 3000; i++) {
        turning.at_ns = i;
        turning.velocity.x = i;
        flights_note(flights, &turning, ALDIS_HOUR);
    }
    CHECK_UINT(flights_left_out(flights), 3000 - (1024 + 16 * 2));
    flights_destroy(flights);
}

/* The same near misses on any number of workers, and in spite of lost messages. */
TEST(near_misses_are_equal_on_any_number_of_workers)
{
    uint64_t prints[3], near[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct scenario *scenario = shipped_load("storm", NULL, 0);
        struct space_report report = shipped_run(
            scenario, (struct space_run_opts){.workers = 1u << i, .until_ns = 10 * ALDIS_MINUTE});
        prints[i] = report.run_print;
        near[i] = report.near_misses;
        CHECK_UINT(report.near_misses_left_out, 0);
        space_report_fini(&report);
        scenario_destroy(scenario);
    }
    CHECK(near[0] > 0);
    for (uint32_t i = 1; i < 3; i++) {
        CHECK_UINT(prints[i], prints[0]);
        CHECK_UINT(near[i], near[0]);
    }
}
