// SPDX-License-Identifier: Apache-2.0
/* orbit.c: see orbit.h. Two-body motion with fixed elements: the planets do not disturb each other,
 * so the farther a scenario's epoch is from J2000, the more they stray from an almanac's places. */
#include "orbit.h"

static double radians(double degrees)
{
    return degrees * (MATHS_TAU / 360);
}

/* The standard rotation by argument of perihelion, inclination and node (Murray and Dermott, Solar
 * System Dynamics, section 2.8), applied to the two half axes once, so that a position costs one
 * solution of Kepler's equation and two products. */
struct orbit orbit_prepare(const struct orbit_elements *elements)
{
    double node = radians(elements->ascending_node_deg);
    double tilt = radians(elements->inclination_deg);
    double argument = radians(elements->perihelion_deg - elements->ascending_node_deg);
    double cn = maths_cos(node), sn = maths_sin(node);
    double ci = maths_cos(tilt), si = maths_sin(tilt);
    double ca = maths_cos(argument), sa = maths_sin(argument);
    double e = elements->eccentricity;
    struct vec to_perihelion = {cn * ca - sn * sa * ci, sn * ca + cn * sa * ci, sa * si};
    struct vec across = {-cn * sa - sn * ca * ci, -sn * sa + cn * ca * ci, ca * si};
    return (struct orbit){
        .major = vec_scale(to_perihelion, elements->semi_major_axis),
        .minor = vec_scale(across, elements->semi_major_axis * maths_sqrt(1 - e * e)),
        .eccentricity = e,
        .mean_anomaly = radians(elements->mean_longitude_deg - elements->perihelion_deg),
        .motion_per_second = MATHS_TAU / ((double)elements->period_ns * 1e-9),
    };
}

/* Solve E - e sin E = M by Newton's method from Danby's start (Celestial Mechanics 35, 1985). For
 * e <= 0.9 it ends within a few steps; the bound only keeps a mistake from becoming a loop. */
static double eccentric_anomaly(double mean, double e)
{
    double anomaly = mean + (maths_sin(mean) < 0 ? -0.85 : 0.85) * e;
    for (int i = 0; i < 32; i++) {
        double step = (anomaly - e * maths_sin(anomaly) - mean) / (1 - e * maths_cos(anomaly));
        anomaly -= step;
        if (step < 1e-14 && step > -1e-14)
            break;
    }
    return anomaly;
}

/* x modulo a turn, in 0 .. tau, so that Newton's step is not lost in a large angle's rounding. */
static double within_turn(double x)
{
    double turns = x / MATHS_TAU;
    double whole = (double)(int64_t)turns;
    return (turns - (turns < whole ? whole - 1 : whole)) * MATHS_TAU;
}

struct vec orbit_position(const struct orbit *orbit, double seconds)
{
    double mean = within_turn(orbit->mean_anomaly + orbit->motion_per_second * seconds);
    double anomaly = eccentric_anomaly(mean, orbit->eccentricity);
    return vec_add(vec_scale(orbit->major, maths_cos(anomaly) - orbit->eccentricity),
                   vec_scale(orbit->minor, maths_sin(anomaly)));
}

double orbit_speed_max(const struct orbit *orbit)
{
    double e = orbit->eccentricity;
    return vec_length(orbit->major) * orbit->motion_per_second * maths_sqrt((1 + e) / (1 - e));
}

struct vec circle_position(const struct circle *circle, double seconds)
{
    double turns = seconds / ((double)circle->period_ns * 1e-9) + circle->phase_deg / 360;
    double angle = within_turn(turns * MATHS_TAU);
    return (struct vec){circle->radius * maths_cos(angle), circle->radius * maths_sin(angle), 0};
}

double circle_speed(const struct circle *circle)
{
    return circle->radius * MATHS_TAU / ((double)circle->period_ns * 1e-9);
}
