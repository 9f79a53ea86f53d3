// SPDX-License-Identifier: Apache-2.0
/* flights.h: the courses of ships under way, as they have told them, and which of them come too
 * near each other. Layer: space. Owner: one actor. Pure: knows no message and no clock.
 *
 * A ship tells where it is, how fast, and what it makes for; how it goes on from there is the same
 * closed form by which it moves (motion.h). So between two tellings its place is known at any time,
 * not only at looks. Until it tells another course, or its end, it is taken to keep to it. */
#ifndef SPACE_FLIGHTS_H
#define SPACE_FLIGHTS_H

#include "motion.h"
#include "protocol.h"
#include "scenario.h"

struct flights;

/** Two ships have passed each other too near, or have been too near for a whole look. */
struct near_miss {
    uint32_t one, other; /**< numbers of the ships, from 0; one is the lower */
    double distance;     /**< u: the least of this pass, so far */
    aldis_ns at_ns;      /**< when that was */
};

/** NULL: no memory. */
struct flights *flights_create(uint32_t ships);
void flights_destroy(struct flights *flights);

/**
 * A ship has told its course. One that it has told already is renewed.
 *
 * note:     what is older than what is known of the ship is no news.
 * lasts_ns: without a word of it for so long it is not looked at any more.
 */
void flights_note(struct flights *flights, const struct ship_course *note, aldis_ns lasts_ns);

/**
 * Judge the time from where the last call ended to until_ns, and forget what is over by then. Each
 * pass is given to on_near once: when it is over, or when it has lasted for the whole of a call. As
 * near counts what is nearer than traffic.distance with neither of them within traffic.zone of a
 * station. The order is that of time (to a second), then of the ships' numbers.
 */
void flights_judge(struct flights *flights, const struct scenario *scenario, aldis_ns until_ns,
                   void (*on_near)(void *arg, const struct near_miss *near), void *arg);

/** Courses and pairs for which there was no room or memory. */
uint64_t flights_left_out(const struct flights *flights);

#endif
