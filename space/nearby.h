// SPDX-License-Identifier: Apache-2.0
/* nearby.h: to tell those who are near a place, and no others. Layer: space. */
#ifndef SPACE_NEARBY_H
#define SPACE_NEARBY_H

#include "maths.h"
#include "scenario.h"

#include <aldis/place.h>

/** Where ships are known to be. */
struct nearby {
    aldis_place sky;              /**< every ship */
    double slack;                 /**< u: a ship may be this far from where it is known to be */
    const aldis_behaviour *ships; /**< their kind */
    uint32_t looks; /**< a ship under way tells the sky where it is at one look in so many */
};

struct chart;
struct speaker;

/** In a scenario without a signal speed; else at each. */
#define NEARBY_LOOKS 4u

/** Open the places of a scenario. Errors: as aldis_place_open. */
aldis_err nearby_open(struct nearby *nearby, aldis_system *system, const struct scenario *scenario);

/** The calling ship is at this place now. */
void nearby_moved(aldis_ctx *ctx, const struct nearby *nearby, struct vec place);

/** Tell every ship that is nearer to the speaker than radius, and perhaps some a little farther
 *  off; never the caller itself. Each hears when the signal reaches it. Errors: as
 *  aldis_place_tell_raw and aldis_place_within. */
aldis_err nearby_tell(aldis_ctx *ctx, const struct chart *chart, const struct speaker *from,
                      double radius, const aldis_send_item *item);

#endif
