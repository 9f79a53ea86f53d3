// SPDX-License-Identifier: Apache-2.0
/* nearby.c: see nearby.h. */
#include "nearby.h"

#include "books.h"

#include <stdlib.h>

aldis_err nearby_open(struct nearby *nearby, aldis_system *system, const struct scenario *scenario)
{
    uint32_t ships = scenario->ship_count;
    bool exact = scenario->signals.speed > 0;
    aldis_place_opts opts = {.members_max = ships < 1024 ? 1024 : ships, .lookup = exact};
    double speed = 0;
    for (uint32_t i = 0; i < scenario->classes.count; i++)
        if (scenario->classes.items[i].speed > speed)
            speed = scenario->classes.items[i].speed;
    *nearby = (struct nearby){.looks = exact ? 1 : NEARBY_LOOKS};
    nearby->ships = &ship_behaviour;
    nearby->slack = speed * nearby->looks * (double)scenario->tick_ns * 1e-9;
    return aldis_place_open(system, "sky", &opts, &nearby->sky);
}

/* A place that cannot be told leaves the ship where it was last known: it is told of less. */
void nearby_moved(aldis_ctx *ctx, const struct nearby *nearby, struct vec place)
{
    (void)aldis_place_set(ctx, nearby->sky, place.x, place.y, place.z);
}

/* One by one, since each hears at another time. One that cannot be told is counted as refused. */
static aldis_err tell_each(aldis_ctx *ctx, const struct chart *chart, const struct speaker *from,
                           const aldis_sphere *sphere, const aldis_send_item *item)
{
    aldis_found few[64], *found = few;
    size_t count = 0, room = sizeof few / sizeof few[0];
    aldis_err err = aldis_place_within(ctx, chart->nearby.sky, sphere, found, room, &count);
    if (err == ALDIS_OK && count > room) {
        found = malloc(count * sizeof *found);
        if (!found)
            return ALDIS_ENOMEM;
        err = aldis_place_within(ctx, chart->nearby.sky, sphere, found, count, &count);
    }
    for (size_t i = 0; err == ALDIS_OK && i < count; i++) {
        aldis_id to = found[i].actor;
        struct vec there = {found[i].at.x, found[i].at.y, found[i].at.z};
        if (aldis_id_equal(to, aldis_self(ctx)))
            continue;
        aldis_ns delay_ns = signals_delay_to(chart, ctx, from, to, there);
        (void)aldis_ctx_send_opts_raw(ctx, to, item->type, item->payload, item->size,
                                      &(aldis_send_opts){.delay_ns = delay_ns});
    }
    if (found != few)
        free(found);
    return err;
}

aldis_err nearby_tell(aldis_ctx *ctx, const struct chart *chart, const struct speaker *from,
                      double radius, const aldis_send_item *item)
{
    const aldis_sphere sphere = {.centre = {from->place.x, from->place.y, from->place.z},
                                 .radius = radius + chart->nearby.slack,
                                 .kind = chart->nearby.ships};
    if (chart->signals)
        return tell_each(ctx, chart, from, &sphere, item);
    return aldis_place_tell_raw(ctx, chart->nearby.sky, &sphere, item, ALDIS_FANOUT_DEFAULT, NULL);
}
