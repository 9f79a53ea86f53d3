// SPDX-License-Identifier: Apache-2.0
/* nearby.h: to tell those who are near a place, and no others. Layer: space. */
#ifndef SPACE_NEARBY_H
#define SPACE_NEARBY_H

#include "maths.h"

#include <aldis/actor.h>

/** The calling actor is at this place now. */
void nearby_moved(aldis_ctx *ctx, struct vec place);

/** Tell every ship that is nearer to place than radius, but never the caller itself. Where ships
 *  are is known to within one look at their position. Errors: as a broadcast. */
aldis_err nearby_tell(aldis_ctx *ctx, struct vec place, double radius, aldis_type *type,
                      const void *payload, size_t size);

#endif
