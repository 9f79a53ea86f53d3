// SPDX-License-Identifier: Apache-2.0
/* orbit_test.c: bodies where they ought to be. */
#include "harness.h"
#include "orbit.h"

#include <math.h>

#define DAY_NS (24 * ALDIS_HOUR)

/* Standish's mean elements of J2000, in AU, as scenarios/harbour.yaml has them. */
static const struct orbit_elements earth = {1.00000261,
                                            0.01671123,
                                            -0.00001531,
                                            0,
                                            102.93768193,
                                            100.46457166,
                                            (aldis_ns)(365.2564 * 86400) * ALDIS_SECOND};
static const struct orbit_elements mercury = {0.38709927,
                                              0.20563593,
                                              7.00497902,
                                              48.33076593,
                                              77.45779628,
                                              252.25032350,
                                              (aldis_ns)(87.9693 * 86400) * ALDIS_SECOND};

#define CHECK_NEAR(found, expected, tolerance)                                                     \
    do {                                                                                           \
        double found_ = (found), expected_ = (expected);                                           \
        if (!(fabs(found_ - expected_) <= (tolerance)))                                            \
            test_fail(__FILE__, __LINE__, "%s is %.12g, expected %.12g", #found, found_,           \
                      expected_);                                                                  \
    } while (0)

/* Places of the JPL ephemeris (heliocentric, ecliptic of J2000, AU) at J2000. The elements give the
 * barycentre of Earth and Moon, up to 0.00003 AU from Earth; the tolerance covers that and the
 * difference between mean and osculating elements. */
TEST(planets_at_j2000_are_where_the_ephemeris_has_them)
{
    struct orbit orbit = orbit_prepare(&earth);
    struct vec place = orbit_position(&orbit, 0);
    CHECK_NEAR(place.x, -0.17713510, 3e-4);
    CHECK_NEAR(place.y, 0.96724167, 3e-4);
    CHECK_NEAR(place.z, -0.00000409, 3e-4);
    orbit = orbit_prepare(&mercury);
    place = orbit_position(&orbit, 0);
    CHECK_NEAR(place.x, -0.13009340, 3e-4);
    CHECK_NEAR(place.y, -0.44728766, 3e-4);
    CHECK_NEAR(place.z, -0.02459830, 3e-4);
}

TEST(a_period_later_a_body_is_back)
{
    static const struct orbit_elements *const all[] = {&earth, &mercury};
    for (size_t i = 0; i < 2; i++) {
        struct orbit orbit = orbit_prepare(all[i]);
        double period = (double)all[i]->period_ns * 1e-9;
        struct vec start = orbit_position(&orbit, 12345);
        for (int turn = -3; turn <= 3; turn++) {
            struct vec later = orbit_position(&orbit, 12345 + turn * period);
            CHECK_NEAR(vec_length(vec_sub(later, start)), 0, 1e-9);
        }
        struct vec half = orbit_position(&orbit, 12345 + period / 2);
        CHECK(vec_length(vec_sub(half, start)) > all[i]->semi_major_axis);
    }
}

/* Between perihelion and aphelion, both reached; the area law between any two days. */
TEST(a_body_keeps_to_its_ellipse)
{
    struct orbit orbit = orbit_prepare(&mercury);
    double a = mercury.semi_major_axis, e = mercury.eccentricity;
    double least = HUGE_VAL, most = 0, area = -1;
    for (int hour = 0; hour < 24 * 88; hour++) {
        struct vec p = orbit_position(&orbit, hour * 3600.0);
        struct vec q = orbit_position(&orbit, hour * 3600.0 + 1);
        double distance = vec_length(p);
        least = fmin(least, distance);
        most = fmax(most, distance);
        struct vec cross = {p.y * q.z - p.z * q.y, p.z * q.x - p.x * q.z, p.x * q.y - p.y * q.x};
        double swept = vec_length(cross);
        if (area >= 0)
            CHECK_NEAR(swept / area, 1, 1e-6);
        area = swept;
    }
    CHECK_NEAR(least, a * (1 - e), 1e-4);
    CHECK_NEAR(most, a * (1 + e), 1e-4);
}

TEST(kepler_is_solved_for_every_eccentricity)
{
    for (int i = 0; i <= 90; i++) {
        struct orbit_elements elements = {
            .semi_major_axis = 1, .eccentricity = i / 100.0, .period_ns = 100 * DAY_NS};
        struct orbit orbit = orbit_prepare(&elements);
        for (int day = 0; day < 100; day++) {
            /* From the place back to the mean anomaly, without the solver. */
            double seconds = day * 86400.0;
            struct vec p = orbit_position(&orbit, seconds);
            double e = elements.eccentricity;
            double anomaly = atan2(p.y / sqrt(1 - e * e), p.x + e);
            double mean = fmod(anomaly - e * sin(anomaly) + MATHS_TAU, MATHS_TAU);
            double expected = fmod(day / 100.0 * MATHS_TAU, MATHS_TAU);
            CHECK_NEAR(fabs(remainder(mean - expected, MATHS_TAU)), 0, 1e-9);
        }
    }
}

TEST(speed_at_perihelion_is_the_highest)
{
    struct orbit orbit = orbit_prepare(&mercury);
    double most = 0;
    for (int hour = 0; hour < 24 * 88; hour++) {
        struct vec p = orbit_position(&orbit, hour * 3600.0);
        struct vec q = orbit_position(&orbit, hour * 3600.0 + 10);
        most = fmax(most, vec_length(vec_sub(q, p)) / 10);
    }
    CHECK_NEAR(orbit_speed_max(&orbit) / most, 1, 1e-4);
}

TEST(a_station_goes_round_its_body)
{
    struct circle circle = {.radius = 30, .phase_deg = 90, .period_ns = 30 * ALDIS_MINUTE};
    struct vec start = circle_position(&circle, 0);
    CHECK_NEAR(start.x, 0, 1e-12);
    CHECK_NEAR(start.y, 30, 1e-12);
    struct vec quarter = circle_position(&circle, 450);
    CHECK_NEAR(quarter.x, -30, 1e-9);
    CHECK_NEAR(quarter.y, 0, 1e-9);
    struct vec before = circle_position(&circle, -450);
    CHECK_NEAR(before.x, 30, 1e-9);
    CHECK_NEAR(circle_speed(&circle), 30 * MATHS_TAU / 1800, 1e-12);
}
