// SPDX-License-Identifier: Apache-2.0
/* sector.c: the actor that watches over the space between the stations: by the scenario's schedules
 * hazards appear on the ways between them, and it warns everyone. Layer: space. */
#include "digest.h"
#include "protocol.h"

#include <aldis/router.h>
#include <aldis/timer.h>

#define SCHEDULES_MAX 64

struct sector {
    const struct scenario *scenario;
    uint32_t seen[SCHEDULES_MAX]; /* hazards of each schedule so far */
};

/* The next hazard of a schedule comes after 0.5 to 1.5 of its mean time. */
static aldis_err arm(const struct sector *self, aldis_ctx *ctx, uint32_t schedule)
{
    aldis_ns every_ns = self->scenario->hazards.items[schedule].every_ns;
    aldis_ns delay_ns = every_ns / 2 + (aldis_ns)aldis_random_below(ctx, (uint64_t)every_ns + 1);
    aldis_timer timer;
    return aldis_timer_start_raw(ctx, &(aldis_timer_opts){.delay_ns = delay_ns}, &hazard_due_type,
                                 &(struct hazard_due){.schedule = schedule},
                                 sizeof(struct hazard_due), &timer);
}

static aldis_err sector_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct sector *self = state;
    self->scenario = ((const struct chart *)arg)->scenario;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < self->scenario->hazards.count; i++)
        err = arm(self, ctx, i);
    return err;
}

/* Somewhere on the way from one station to another. */
static struct vec choose_place(const struct scenario *scenario, aldis_ctx *ctx)
{
    uint32_t count = scenario->stations.count;
    uint32_t from = (uint32_t)aldis_random_below(ctx, count);
    uint32_t to = (from + 1 + (uint32_t)aldis_random_below(ctx, count - 1)) % count;
    struct vec start = scenario_station_position(scenario, from, aldis_now(ctx));
    struct vec end = scenario_station_position(scenario, to, aldis_now(ctx));
    return vec_add(start, vec_scale(vec_sub(end, start), aldis_random_unit(ctx)));
}

static aldis_err sector_on_hazard_due(struct sector *self, const struct hazard_due *msg,
                                      aldis_ctx *ctx)
{
    const struct scenario_hazard *schedule = &self->scenario->hazards.items[msg->schedule];
    struct navigation_hazard hazard = {.place = choose_place(self->scenario, ctx),
                                       .radius = schedule->radius,
                                       .until_ns = aldis_now(ctx) + schedule->life_ns,
                                       .kind = schedule->kind};
    aldis_err err = aldis_broadcast_raw(ctx, NULL, &navigation_hazard_type, &hazard, sizeof hazard,
                                        ALDIS_FANOUT_DEFAULT, NULL);
    self->seen[msg->schedule]++;
    bool more = schedule->count == 0 || self->seen[msg->schedule] < schedule->count;
    aldis_err armed = more ? arm(self, ctx, msg->schedule) : ALDIS_OK;
    return err != ALDIS_OK ? err : armed;
}

static uint64_t sector_digest(const void *state)
{
    const struct sector *self = state;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < self->scenario->hazards.count; i++)
        digest = digest_mix(digest, self->seen[i]);
    return digest;
}

ALDIS_BEHAVIOUR(sector, struct sector, SECTOR_PROTOCOL, .on_start = sector_start,
                .digest = sector_digest);
