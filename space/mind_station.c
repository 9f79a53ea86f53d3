// SPDX-License-Identifier: Apache-2.0
/* mind_station.c: what the leaves of a station's mind ask and do, and the memory of all minds. See
 * mind_leaves.h. Layer: space. */
#include "mind_leaves.h"

#include "station.h"

#include <stdlib.h>

struct thought {
    struct station *station;
    aldis_ctx *ctx;
};

#define LEAF(name)                                                                                 \
    static enum mind_status name(struct mind_turn *turn, const struct mind_value *value,           \
                                 aldis_ns *memory, bool starts)
#define UNUSED ((void)value, (void)memory, (void)starts)

static struct station *station_of(const struct mind_turn *turn)
{
    return ((const struct thought *)turn->actor)->station;
}

static enum mind_status is(bool true_)
{
    return true_ ? MIND_SUCCESS : MIND_FAILURE;
}

LEAF(queue_above)
{
    UNUSED;
    return is(station_of(turn)->page->queue > value->count);
}

LEAF(is_open)
{
    UNUSED;
    return is(!station_of(turn)->page->shut);
}

LEAF(fuel_below)
{
    UNUSED;
    return is((double)station_of(turn)->page->account.fuel < value->number * FUEL_NANO);
}

LEAF(credits_below)
{
    UNUSED;
    return is(station_of(turn)->page->account.credits < (int64_t)value->count * CENTS);
}

LEAF(weather_from)
{
    UNUSED;
    const struct station *self = station_of(turn);
    return is(self->page->weather_until_ns > turn->now_ns && self->page->weather >= value->count);
}

LEAF(close_docks)
{
    UNUSED;
    station_of(turn)->page->shut = true;
    return MIND_SUCCESS;
}

LEAF(open_docks)
{
    UNUSED;
    station_of(turn)->page->shut = false;
    return MIND_SUCCESS;
}

/* memory: until when. */
LEAF(wait_for)
{
    if (starts)
        *memory = turn->now_ns + value->time_ns;
    return turn->now_ns >= *memory ? MIND_SUCCESS : MIND_RUNNING;
}

#define DAY_S 86400.0
#define ASKS(name_, tick_) .name = (name_), .tick = (tick_), .asks = true
#define ACTS(name_, tick_) .name = (name_), .tick = (tick_)

static const char *const weather_words[] = {"low", "moderate", "high", "extreme", NULL};

const struct mind_leaf station_leaves[] = {
    {ASKS("queue_above", queue_above), .param = MIND_COUNT, .max = SCENARIO_QUEUE_MAX},
    {ASKS("open", is_open)},
    {ASKS("fuel_below", fuel_below), .param = MIND_NUMBER, .max = 1e9},
    {ASKS("credits_below", credits_below), .param = MIND_COUNT, .max = 4e9},
    {ASKS("weather_from", weather_from), .param = MIND_WORD, .words = weather_words},
    {ACTS("close_docks", close_docks)},
    {ACTS("open_docks", open_docks)},
    {ACTS("wait", wait_for), .param = MIND_TIME, .min = 1e-3, .max = 30 * DAY_S},
    {.name = NULL}};

void station_think(struct station *self, aldis_ctx *ctx)
{
    const struct scenario *scenario = self->chart->scenario;
    uint32_t number = scenario->stations.items[self->index].mind;
    if (number == 0)
        return;
    const struct minds *minds = &self->chart->books->minds;
    struct mind *mind = (struct mind *)(void *)(minds->bytes + minds->station_at[self->index]);
    struct thought thought = {.station = self, .ctx = ctx};
    struct mind_turn turn = {.actor = &thought, .now_ns = aldis_now(ctx)};
    (void)mind_tick(&scenario->minds.items[number - 1].tree, mind, &turn);
}

/* ---- The memory of all minds ---- */

static uint64_t bytes_of(const struct scenario *scenario, uint32_t number)
{
    return number > 0 ? mind_bytes(&scenario->minds.items[number - 1].tree) : 0;
}

uint64_t minds_bytes(const struct scenario *scenario)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < scenario->fleets.count; i++) {
        const struct scenario_fleet *fleet = &scenario->fleets.items[i];
        bytes += fleet->count * bytes_of(scenario, fleet->mind);
    }
    for (uint32_t i = 0; i < scenario->stations.count; i++)
        bytes += bytes_of(scenario, scenario->stations.items[i].mind);
    return bytes;
}

bool minds_init(struct minds *minds, const struct scenario *scenario)
{
    uint64_t at = 0, bytes = minds_bytes(scenario);
    *minds = (struct minds){0};
    if (bytes == 0)
        return true;
    minds->bytes = calloc(1, bytes);
    minds->fleet_at = calloc(scenario->fleets.count, sizeof *minds->fleet_at);
    minds->station_at = calloc(scenario->stations.count, sizeof *minds->station_at);
    if (!minds->bytes || !minds->fleet_at || !minds->station_at)
        return false;
    for (uint32_t i = 0; i < scenario->fleets.count; i++) {
        minds->fleet_at[i] = at;
        at += scenario->fleets.items[i].count * bytes_of(scenario, scenario->fleets.items[i].mind);
    }
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        minds->station_at[i] = at;
        at += bytes_of(scenario, scenario->stations.items[i].mind);
    }
    return true;
}

void minds_fini(struct minds *minds)
{
    free(minds->bytes);
    free(minds->fleet_at);
    free(minds->station_at);
    *minds = (struct minds){0};
}
