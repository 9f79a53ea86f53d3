// SPDX-License-Identifier: Apache-2.0
/* course.h: where to steer to meet a station that moves. Layer: space. Pure functions. */
#ifndef SPACE_COURSE_H
#define SPACE_COURSE_H

#include "motion.h"
#include "scenario.h"

/** The point where a ship that moves so now can come to rest just when the station is there. */
struct vec course_meet(const struct scenario *scenario, uint32_t station,
                       const struct motion *motion, const struct thrust *thrust, aldis_ns now_ns);

#endif
