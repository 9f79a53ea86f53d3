// SPDX-License-Identifier: Apache-2.0
/* nearby.c: see nearby.h. */
#include "nearby.h"

#include "protocol.h"

#include <aldis/router.h>

void nearby_moved(aldis_ctx *ctx, struct vec place)
{
    (void)ctx;
    (void)place;
}

aldis_err nearby_tell(aldis_ctx *ctx, struct vec place, double radius, aldis_type *type,
                      const void *payload, size_t size)
{
    (void)place;
    (void)radius;
    return aldis_broadcast_raw(ctx, &ship_behaviour, type, payload, size, ALDIS_FANOUT_DEFAULT,
                               NULL);
}
