// SPDX-License-Identifier: Apache-2.0
/* nearby.c: see nearby.h. */
#include "nearby.h"

#include "protocol.h"

aldis_err nearby_open(struct nearby *nearby, aldis_system *system, const struct scenario *scenario)
{
    uint32_t ships = scenario->ship_count;
    aldis_place_opts opts = {.members_max = ships < 1024 ? 1024 : ships};
    double speed = 0;
    for (uint32_t i = 0; i < scenario->classes.count; i++)
        if (scenario->classes.items[i].speed > speed)
            speed = scenario->classes.items[i].speed;
    *nearby = (struct nearby){.slack = speed * NEARBY_LOOKS * (double)scenario->tick_ns * 1e-9};
    aldis_err err = aldis_place_open(system, "sky", &opts, &nearby->sky);
    if (err == ALDIS_OK && scenario->traffic.every_ns > 0)
        err = aldis_place_open(system, "lanes", &opts, &nearby->lanes);
    return err;
}

/* A place that cannot be told leaves the ship where it was last known: it is told of less. */
void nearby_moved(aldis_ctx *ctx, const struct nearby *nearby, struct vec place, bool flies,
                  uint32_t look)
{
    if (!flies || look % NEARBY_LOOKS == 0)
        (void)aldis_place_set(ctx, nearby->sky, place.x, place.y, place.z);
    if (nearby->lanes.number == 0)
        return;
    if (flies)
        (void)aldis_place_set(ctx, nearby->lanes, place.x, place.y, place.z);
    else
        (void)aldis_place_leave(ctx, nearby->lanes);
}

aldis_err nearby_tell(aldis_ctx *ctx, const struct nearby *nearby, struct vec place, double radius,
                      const aldis_send_item *item)
{
    const aldis_sphere sphere = {.centre = {place.x, place.y, place.z},
                                 .radius = radius + nearby->slack,
                                 .kind = &ship_behaviour};
    return aldis_place_tell_raw(ctx, nearby->sky, &sphere, item, ALDIS_FANOUT_DEFAULT, NULL);
}
