// SPDX-License-Identifier: Apache-2.0
/* motion.h: how a ship moves: right at any step. Layer: space. Pure functions.
 *
 * A ship has one thrust for speeding up, slowing down and turning. Towards a point it speeds up,
 * cruises and brakes so that it comes to rest there; this is computed in closed form, so that from
 * rest one step of an hour and 3600 of a second end at the same place, and no step is long enough
 * to jump over the goal. */
#ifndef SPACE_MOTION_H
#define SPACE_MOTION_H

#include "maths.h"

struct motion {
    struct vec position; /**< u */
    struct vec velocity; /**< u/s */
};

/** What a class of ships can do; both above 0. */
struct thrust {
    double speed;        /**< u/s, at most */
    double acceleration; /**< u/s2 */
};

/** Seconds until a ship that moves so can be at rest at aim. */
double motion_eta(const struct motion *motion, struct vec aim, const struct thrust *thrust);

/** How far ahead a ship has to know what it comes to in the next `seconds`, u: so far as it may
 *  come, a quarter more for what drives it, and the way in which it can stop. */
double motion_foresight(const struct thrust *thrust, double seconds);

/** Move for `seconds` towards aim. Returns the seconds left over once at rest there, else 0. */
double motion_advance(struct motion *motion, struct vec aim, const struct thrust *thrust,
                      double seconds);

/** The same, with the way that it made, u: what its fuel is burnt for. */
double motion_fly(struct motion *motion, struct vec aim, const struct thrust *thrust,
                  double seconds, double *out_way);

/** Where a hazard drives what is at `place` in `seconds`: inside its radius it pushes away from its
 *  centre by `push` (1/s) x (radius - distance). */
struct vec motion_pushed(struct vec place, struct vec centre, double radius, double push,
                         double seconds);

#endif
