// SPDX-License-Identifier: Apache-2.0
/* motion_test.c: a ship that is told to fly arrives and stops, whatever its speed and the step. */
#include "chance.h"
#include "course.h"
#include "harness.h"
#include "motion.h"

#include <math.h>

#define SEEDS 2000

static struct vec random_place(struct chance *chance, double size)
{
    return (struct vec){chance_between(chance, -size, size), chance_between(chance, -size, size),
                        chance_between(chance, -size, size)};
}

static struct thrust random_thrust(struct chance *chance)
{
    return (struct thrust){.speed = chance_scale(chance, 1e-2, 1e4),
                           .acceleration = chance_scale(chance, 1e-2, 1e3)};
}

static double distance(struct vec a, struct vec b)
{
    return vec_length(vec_sub(a, b));
}

#define CHECK_SEED(condition, seed)                                                                \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "seed %" PRIu64 ": %s is false", (uint64_t)(seed),       \
                      #condition);                                                                 \
    } while (0)

/* One flight from rest: never past the goal, never back, never faster than allowed; at rest there
 * at the time that was promised. */
static void fly_from_rest(uint64_t seed)
{
    struct chance chance = {seed};
    struct thrust thrust = random_thrust(&chance);
    struct vec start = random_place(&chance, 1e4), aim = random_place(&chance, 1e4);
    struct motion ship = {.position = start};
    double whole = distance(start, aim), eta = motion_eta(&ship, aim, &thrust);
    double step = eta * chance_scale(&chance, 1e-3, 3), flown = 0, left = 0;
    double last_speed = 0, last_distance = whole;
    for (int i = 0; i < 1100 && left == 0; i++) {
        left = motion_advance(&ship, aim, &thrust, step);
        flown += step - left;
        double speed = vec_length(ship.velocity), now = distance(ship.position, aim);
        CHECK_SEED(speed <= thrust.speed * (1 + 1e-9), seed);
        CHECK_SEED(fabs(speed - last_speed) <= thrust.acceleration * step * (1 + 1e-4) + 1e-6,
                   seed);
        CHECK_SEED(now <= last_distance + 1e-9 * whole, seed);
        CHECK_SEED(distance(ship.position, start) <= whole * (1 + 1e-9), seed);
        last_speed = speed;
        last_distance = now;
    }
    CHECK_SEED(left > 0, seed);
    CHECK_SEED(distance(ship.position, aim) == 0 && vec_length(ship.velocity) == 0, seed);
    CHECK_SEED(fabs(flown - eta) <= 1e-6 * eta, seed);
}

TEST(a_ship_arrives_and_stops_at_any_speed_and_step)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        fly_from_rest(seed);
}

/* Ordered elsewhere in full flight: it may have to come to rest first, but gets there. */
static void fly_from_anything(uint64_t seed)
{
    struct chance chance = {seed};
    struct thrust thrust = random_thrust(&chance);
    struct motion ship = {.position = random_place(&chance, 1e3)};
    struct vec heading = random_place(&chance, 1);
    double speed = chance_between(&chance, 0, 2) * thrust.speed;
    ship.velocity = vec_scale(heading, speed / vec_length(heading));
    struct vec aim = random_place(&chance, 1e3);
    double eta = motion_eta(&ship, aim, &thrust);
    double step = eta * chance_scale(&chance, 1e-3, 3), left = 0;
    CHECK_SEED(isfinite(eta), seed);
    for (int i = 0; i < 1100 && left == 0; i++) {
        double before = vec_length(ship.velocity);
        struct vec from = ship.position, was = ship.velocity;
        left = motion_advance(&ship, aim, &thrust, step);
        double fastest = fmax(before, fmax(thrust.speed, vec_length(ship.velocity)));
        CHECK_SEED(distance(ship.position, from) <= fastest * step * (1 + 1e-9) + 1e-9, seed);
        /* A turn may be made at once, if a second of thrust can make it. */
        double change = distance(ship.velocity, was);
        CHECK_SEED(change <= thrust.acceleration * (step + 1) * (1 + 1e-4) + 1e-6, seed);
    }
    CHECK_SEED(left > 0, seed);
    CHECK_SEED(distance(ship.position, aim) == 0 && vec_length(ship.velocity) == 0, seed);
}

TEST(a_ship_ordered_elsewhere_in_flight_arrives_too)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        fly_from_anything(seed);
}

TEST(the_step_does_not_show_in_the_course)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct chance chance = {seed};
        struct thrust thrust = random_thrust(&chance);
        struct motion one = {.position = random_place(&chance, 1e3)}, many = one;
        struct vec aim = random_place(&chance, 1e3);
        double part = motion_eta(&one, aim, &thrust) * chance_between(&chance, 0.05, 0.95);
        motion_advance(&one, aim, &thrust, part);
        for (int i = 0; i < 64; i++)
            motion_advance(&many, aim, &thrust, part / 64);
        CHECK_SEED(distance(one.position, many.position) <= 1e-6, seed);
        CHECK_SEED(distance(one.velocity, many.velocity) <= 1e-6 * thrust.speed, seed);
    }
}

TEST(a_ship_at_its_goal_stays_there)
{
    struct thrust thrust = {.speed = 20, .acceleration = 1};
    struct motion ship = {.position = {1, 2, 3}};
    struct vec aim = ship.position;
    CHECK(motion_eta(&ship, aim, &thrust) == 0);
    CHECK(motion_advance(&ship, aim, &thrust, 5) == 5);
    CHECK(distance(ship.position, aim) == 0);
}

/* Known by hand: 0 .. 20 u/s at 1 u/s2 takes 20 s and 200 u; so does braking; 600 u lie between. */
TEST(a_flight_of_1000_units_is_the_one_of_the_textbook)
{
    struct thrust thrust = {.speed = 20, .acceleration = 1};
    struct motion ship = {.position = {0, 0, 0}};
    struct vec aim = {1000, 0, 0};
    CHECK(fabs(motion_eta(&ship, aim, &thrust) - 70) < 1e-9);
    motion_advance(&ship, aim, &thrust, 10);
    CHECK(fabs(ship.position.x - 50) < 1e-9 && fabs(ship.velocity.x - 10) < 1e-9);
    motion_advance(&ship, aim, &thrust, 30);
    CHECK(fabs(ship.position.x - 600) < 1e-9 && fabs(ship.velocity.x - 20) < 1e-9);
    motion_advance(&ship, aim, &thrust, 20);
    CHECK(fabs(ship.position.x - 950) < 1e-9 && fabs(ship.velocity.x - 10) < 1e-9);
}

/* Across the way at 10 u/s, 1 u/s2: 10 s and 50 u to come to rest, then on from there. */
TEST(a_ship_that_flies_elsewhere_comes_to_rest_first)
{
    struct thrust thrust = {.speed = 20, .acceleration = 1};
    struct motion ship = {.position = {0, 0, 0}, .velocity = {0, 10, 0}};
    struct vec aim = {100, 50, 0};
    CHECK(fabs(motion_eta(&ship, aim, &thrust) - 30) < 1e-9);
    motion_advance(&ship, aim, &thrust, 5);
    CHECK(fabs(ship.position.y - 37.5) < 1e-9 && fabs(ship.velocity.y - 5) < 1e-9);
    motion_advance(&ship, aim, &thrust, 15);
    CHECK(fabs(ship.position.y - 50) < 1e-9 && fabs(ship.position.x - 50) < 1e-9);
    CHECK(fabs(ship.velocity.x - 10) < 1e-9);
}

/* At 20 u/s and 1 u/s2 it takes 200 u to stop: a goal 50 u ahead is passed, and come back to. */
TEST(a_ship_brakes_no_harder_than_it_can)
{
    struct thrust thrust = {.speed = 20, .acceleration = 1};
    struct motion ship = {.position = {0, 0, 0}, .velocity = {20, 0, 0}};
    struct vec aim = {50, 0, 0};
    motion_advance(&ship, aim, &thrust, 10);
    CHECK(fabs(ship.position.x - 150) < 1e-9 && fabs(ship.velocity.x - 10) < 1e-9);
    motion_advance(&ship, aim, &thrust, 10);
    CHECK(fabs(ship.position.x - 200) < 1e-9 && vec_length(ship.velocity) < 1e-9);
    CHECK(motion_advance(&ship, aim, &thrust, 25) > 0);
    CHECK(distance(ship.position, aim) == 0);
}

TEST(a_hazard_pushes_out_and_no_farther_than_its_edge)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct chance chance = {seed};
        struct vec centre = random_place(&chance, 100), place = random_place(&chance, 150);
        double radius = chance_scale(&chance, 1, 200), seconds = chance_scale(&chance, 0.01, 1e4);
        double before = distance(place, centre);
        struct vec pushed = motion_pushed(place, centre, radius, 0.05, seconds);
        double after = distance(pushed, centre);
        if (before >= radius) {
            CHECK_SEED(distance(pushed, place) == 0, seed);
            continue;
        }
        CHECK_SEED(after >= before - 1e-9 && after <= radius * (1 + 1e-9), seed);
        struct vec half = motion_pushed(place, centre, radius, 0.05, seconds / 2);
        half = motion_pushed(half, centre, radius, 0.05, seconds / 2);
        CHECK_SEED(distance(half, pushed) <= 1e-6, seed);
    }
    /* The speed at first: 0.05 /s x (100 - 60) u. */
    struct vec slow = motion_pushed((struct vec){60, 0, 0}, (struct vec){0, 0, 0}, 100, 0.05, 1e-3);
    CHECK(fabs((slow.x - 60) / 1e-3 - 2) < 1e-3);
    struct vec middle = motion_pushed((struct vec){0, 0, 0}, (struct vec){0, 0, 0}, 100, 0.05, 1);
    CHECK(vec_length(middle) > 0);
}

/* A planet and a station that both move; the ship meets the station where it is by then. */
TEST(a_ship_meets_a_moving_station)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct chance chance = {seed};
        struct scenario_body bodies[2] = {{.name = "sun"}, {.name = "planet", .moves = true}};
        bodies[1].elements =
            (struct orbit_elements){.semi_major_axis = chance_scale(&chance, 100, 5000),
                                    .eccentricity = chance_between(&chance, 0, 0.5),
                                    .mean_longitude_deg = chance_between(&chance, 0, 360),
                                    .period_ns = 2400 * ALDIS_HOUR};
        bodies[1].orbit = orbit_prepare(&bodies[1].elements);
        struct scenario_station station = {
            .body = 1,
            .circle = {.radius = chance_between(&chance, 0, 100), .period_ns = ALDIS_HOUR}};
        struct scenario scenario = {.bodies = {bodies, 2}, .stations = {&station, 1}};
        double speed = circle_speed(&station.circle) + orbit_speed_max(&bodies[1].orbit);
        struct thrust thrust = {.speed = speed * chance_scale(&chance, 4, 1000), .acceleration = 1};
        struct motion ship = {.position = random_place(&chance, 3000)};
        aldis_ns now_ns = (aldis_ns)chance_below(&chance, (uint64_t)ALDIS_HOUR);
        struct vec aim = course_meet(&scenario, 0, &ship, &thrust, now_ns);
        double eta = motion_eta(&ship, aim, &thrust);
        CHECK_SEED(motion_advance(&ship, aim, &thrust, eta * (1 + 1e-9)) > 0, seed);
        struct vec there = scenario_station_position(&scenario, 0, now_ns + (aldis_ns)(eta * 1e9));
        CHECK_SEED(distance(ship.position, there) < 0.1, seed);
    }
}
