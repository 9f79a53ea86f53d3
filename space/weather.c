// SPDX-License-Identifier: Apache-2.0
/* weather.c: the actor that makes the weather of each region, and tells the stations and ships in
 * it. Layer: space. */
#include "books.h"
#include "chronicle.h"
#include "digest.h"
#include "nearby.h"

#include <stdlib.h>
#include <string.h>

/* An alert holds a little longer than until the next one, for those who come in between. */
#define TELL_AGAIN_NS (30 * ALDIS_SECOND)
#define VALID_NS (35 * ALDIS_SECOND)

struct region {
    WeatherLevel level;
    uint32_t unused;
    aldis_ns change_ns; /* when it changes next */
};

/* Its page in the books, so that a restart goes on with what there is; and what it has sent itself
 * still comes. */
struct weather {
    const struct chart *chart;
    struct region regions[SCENARIO_WEATHER_MAX];
};

/* The actor. */
struct weather_actor {
    struct weather *page;
};

static aldis_ns draw_change(const struct scenario_weather *plan, aldis_ctx *ctx)
{
    return plan->every_ns / 2 + (aldis_ns)aldis_random_below(ctx, (uint64_t)plan->every_ns + 1);
}

static aldis_err arm(aldis_ctx *ctx, uint32_t region, aldis_ns delay_ns)
{
    weather_ref me = {.id = aldis_self(ctx)};
    return aldis_send_after(ctx, delay_ns, me, weather_due, .region = region);
}

static aldis_err weather_start(void *state, const void *arg, aldis_ctx *ctx)
{
    const struct chart *chart = *(const struct chart *const *)arg;
    struct weather **page = &chart->books->weather_page;
    bool again = *page != NULL;
    if (!again)
        *page = calloc(1, sizeof **page);
    struct weather *self = ((struct weather_actor *)state)->page = *page;
    if (again || !self)
        return again ? ALDIS_OK : ALDIS_ENOMEM;
    self->chart = chart;
    const struct scenario *scenario = self->chart->scenario;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < scenario->weather.count; i++) {
        self->regions[i].change_ns = draw_change(&scenario->weather.items[i], ctx);
        err = arm(ctx, i, self->regions[i].change_ns);
    }
    return err;
}

static aldis_err tell(const struct weather *self, aldis_ctx *ctx, uint32_t index)
{
    const struct scenario *scenario = self->chart->scenario;
    const struct scenario_weather *plan = &scenario->weather.items[index];
    struct vec centre = scenario_body_position(scenario, plan->body, aldis_now(ctx));
    NEW_MESSAGE(WeatherAlert, alert);
    alert.region = index;
    alert.level = self->regions[index].level;
    alert.radius = plan->radius;
    alert.centre = wire_vec(centre);
    /* Until the next one has come even to the edge. */
    alert.until_ns = aldis_now(ctx) + VALID_NS + signals_time(self->chart, plan->radius);
    const struct speaker here = {SPEAKER_WEATHER(self->chart->books), centre};
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        struct vec way = vec_sub(scenario_station_position(scenario, i, aldis_now(ctx)), centre);
        aldis_id station = self->chart->stations[i].id;
        if (vec_length(way) < plan->radius)
            (void)aldis_send_with(
                ctx, self->chart->stations[i], weather_alert, &alert,
                &(aldis_send_opts){.delay_ns = signals_delay(self->chart, ctx, &here, station)});
    }
    return nearby_tell(
        ctx, self->chart, &here, plan->radius,
        &(aldis_send_item){.type = &weather_alert_type, .payload = &alert, .size = sizeof alert});
}

/* One step up or down, or straight to another level: the worse, the rarer. */
static WeatherLevel next_level(const struct scenario_weather *plan, aldis_ctx *ctx)
{
    uint64_t draw = aldis_random_below(ctx, 10);
    uint32_t level = draw < 5   ? WEATHER_LOW
                     : draw < 7 ? WEATHER_MODERATE
                     : draw < 9 ? WEATHER_HIGH
                                : WEATHER_EXTREME;
    return (WeatherLevel)(level < plan->worst ? level : plan->worst);
}

static aldis_err weather_on_weather_due(struct weather_actor *actor, const struct weather_due *msg,
                                        aldis_ctx *ctx)
{
    struct weather *self = actor->page;
    const struct scenario_weather *plan = &self->chart->scenario->weather.items[msg->region];
    struct region *region = &self->regions[msg->region];
    aldis_ns now_ns = aldis_now(ctx);
    WeatherLevel before = region->level;
    if (now_ns >= region->change_ns) {
        region->level = next_level(plan, ctx);
        region->change_ns = now_ns + draw_change(plan, ctx);
        if (region->level != before)
            chronicle_weather(self->chart->chronicle, ctx, msg->region, region->level);
    }
    aldis_err err = ALDIS_OK;
    if (region->level > WEATHER_LOW || before > WEATHER_LOW)
        err = tell(self, ctx, msg->region);
    aldis_ns left_ns = region->change_ns - now_ns;
    bool calm = region->level == WEATHER_LOW;
    aldis_err armed =
        arm(ctx, msg->region, calm || left_ns < TELL_AGAIN_NS ? left_ns : TELL_AGAIN_NS);
    return err != ALDIS_OK ? err : armed;
}

WeatherLevel weather_at(const struct weather *page, uint32_t region)
{
    return page ? page->regions[region].level : WEATHER_LOW;
}

static uint64_t weather_digest(const void *state)
{
    const struct weather *self = ((const struct weather_actor *)state)->page;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < self->chart->scenario->weather.count; i++)
        digest = digest_mix(digest, self->regions[i].level);
    return digest;
}

ALDIS_BEHAVIOUR(weather, struct weather_actor, WEATHER_PROTOCOL, .on_start = weather_start,
                .digest = weather_digest);
