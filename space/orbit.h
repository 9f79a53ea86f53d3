// SPDX-License-Identifier: Apache-2.0
/* orbit.h: where bodies and stations are at a time. Layer: space. Pure functions. */
#ifndef SPACE_ORBIT_H
#define SPACE_ORBIT_H

#include "maths.h"

#include <aldis/types.h>
#include <stdbool.h>

/** Kepler elements at J2000 (2000-01-01 12:00 TT), in the ecliptic and equinox of that day. */
struct orbit_elements {
    double semi_major_axis; /**< u */
    double eccentricity;    /**< 0 .. 0.9 */
    double inclination_deg;
    double ascending_node_deg; /**< longitude of it */
    double perihelion_deg;     /**< longitude of it: node + argument */
    double mean_longitude_deg; /**< at J2000 */
    aldis_ns period_ns;        /**< sidereal */
};

/** An ellipse made ready for orbit_position. All zeroes: at rest in the middle. */
struct orbit {
    struct vec major, minor; /**< the half axes, u */
    double eccentricity;
    double mean_anomaly;      /**< at J2000, radians */
    double motion_per_second; /**< radians */
};

/** A station's circle around its body, in the plane of the ecliptic. */
struct circle {
    double radius;    /**< u */
    double phase_deg; /**< at J2000 */
    aldis_ns period_ns;
};

struct orbit orbit_prepare(const struct orbit_elements *elements);

/** The place on the ellipse, seconds after J2000, relative to its focus. */
struct vec orbit_position(const struct orbit *orbit, double seconds);

/** The highest speed on the ellipse, u/s: that at perihelion. */
double orbit_speed_max(const struct orbit *orbit);

/** The place on the circle, seconds after J2000, relative to its centre. */
struct vec circle_position(const struct circle *circle, double seconds);

double circle_speed(const struct circle *circle);

#endif
