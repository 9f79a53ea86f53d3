// SPDX-License-Identifier: Apache-2.0
/* course.c: see course.h. */
#include "course.h"

#define STEPS_MAX 16
#define NEAR 1e-3 /* u: far below any class's arrival */

/* Aim at where the station is, ask how long that takes, aim at where it is by then, and so on: the
 * aim moves by the station's speed over the ship's each time, so the steps shrink. Where a slow
 * start makes them shrink slowly the bound ends it, and the ship plans again when it gets there. */
struct vec course_meet(const struct scenario *scenario, uint32_t station,
                       const struct motion *motion, const struct thrust *thrust, aldis_ns now_ns)
{
    struct vec aim = scenario_station_position(scenario, station, now_ns);
    for (int i = 0; i < STEPS_MAX; i++) {
        double eta = motion_eta(motion, aim, thrust);
        struct vec next =
            scenario_station_position(scenario, station, now_ns + (aldis_ns)(eta * 1e9));
        double change = vec_length(vec_sub(next, aim));
        aim = next;
        if (change < NEAR)
            break;
    }
    return aim;
}
