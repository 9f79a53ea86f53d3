// SPDX-License-Identifier: Apache-2.0
/* signals.c: see signals.h.
 *
 * What a speaker remembers of its messages under way belongs to its actor alone, as a page does. */
#include "signals.h"

#include "books.h"

#include <stdlib.h>

enum { FLIGHTS_FIRST = 8 };

/* A message arrives this late at most: far beyond the end of any run. */
#define DELAY_MAX_NS (ALDIS_FOREVER / 4)

/* The last message under way from a speaker to one receiver. */
struct flight {
    aldis_id to; /* nobody: a free place */
    aldis_ns at_ns;
};

/* By receiver: a hash table, at most half full. Those that have arrived are forgotten when it would
 * grow. */
struct flights {
    struct flight *items;
    uint32_t size, count;
};

/* Somebody at a station. */
struct fixed {
    aldis_id actor;
    uint32_t station;
};

struct signals {
    double speed; /* u/s */
    aldis_ns least_ns;
    struct fixed *fixed; /* sorted by id */
    uint32_t fixed_count;
    uint32_t speakers;
    struct flights flights[];
};

struct signals *signals_create(const struct scenario *scenario, uint32_t speakers,
                               aldis_ns least_ns)
{
    struct signals *signals = calloc(1, sizeof *signals + speakers * sizeof signals->flights[0]);
    if (!signals)
        return NULL;
    signals->speed = scenario->signals.speed;
    signals->least_ns = least_ns;
    signals->speakers = speakers;
    return signals;
}

void signals_destroy(struct signals *signals)
{
    for (uint32_t i = 0; signals && i < signals->speakers; i++)
        free(signals->flights[i].items);
    if (signals)
        free(signals->fixed);
    free(signals);
}

/* ---- Where they are ---- */

static int by_id(const void *a, const void *b)
{
    const struct fixed *left = a, *right = b;
    return left->actor.bits < right->actor.bits ? -1 : left->actor.bits > right->actor.bits;
}

bool signals_know_stations(const struct chart *chart)
{
    const struct scenario *scenario = chart->scenario;
    struct signals *signals = chart->signals;
    struct fixed *fixed = calloc(scenario->stations.count + 1, sizeof *fixed);
    if (!fixed)
        return false;
    uint32_t count = 0;
    for (; count < scenario->stations.count; count++)
        fixed[count] = (struct fixed){chart->stations[count].id, count};
    if (!aldis_id_is_nobody(chart->rescue.id))
        fixed[count++] = (struct fixed){chart->rescue.id, scenario->rescue.station};
    qsort(fixed, count, sizeof *fixed, by_id);
    free(signals->fixed);
    signals->fixed = fixed;
    signals->fixed_count = count;
    return true;
}

/* false: it is nowhere. */
static bool find_place(const struct chart *chart, aldis_ctx *ctx, aldis_id actor, struct vec *out)
{
    const struct signals *signals = chart->signals;
    const struct fixed key = {.actor = actor};
    const struct fixed *fixed =
        signals->fixed_count > 0
            ? bsearch(&key, signals->fixed, signals->fixed_count, sizeof key, by_id)
            : NULL;
    if (fixed) {
        *out = scenario_station_position(chart->scenario, fixed->station, aldis_now(ctx));
        return true;
    }
    aldis_point at;
    if (aldis_place_where(ctx, chart->nearby.sky, actor, &at) != ALDIS_OK)
        return false;
    *out = (struct vec){at.x, at.y, at.z};
    return true;
}

/* ---- In order ---- */

static struct flight *place_of(struct flight *items, uint32_t size, aldis_id to)
{
    uint32_t i = (uint32_t)((to.bits * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (size - 1);
    while (!aldis_id_is_nobody(items[i].to) && !aldis_id_equal(items[i].to, to))
        i = (i + 1) & (size - 1);
    return &items[i];
}

/* Room for one more, without those that no later message could overtake. false: no memory. */
static bool make_room(struct flights *flights, aldis_ns arrived_ns)
{
    if (2 * (flights->count + 1) <= flights->size)
        return true;
    uint32_t live = 0, size = FLIGHTS_FIRST;
    for (uint32_t i = 0; i < flights->size; i++)
        live += flights->items[i].at_ns > arrived_ns;
    while (size < 4 * (live + 1))
        size *= 2;
    struct flight *items = calloc(size, sizeof *items);
    if (!items)
        return false;
    for (uint32_t i = 0; i < flights->size; i++)
        if (flights->items[i].at_ns > arrived_ns)
            *place_of(items, size, flights->items[i].to) = flights->items[i];
    free(flights->items);
    *flights = (struct flights){.items = items, .size = size, .count = live};
    return true;
}

/* When a message that could arrive at at_ns does arrive. soonest_ns: no message that is sent from
 * now on arrives before. */
static aldis_ns in_order(struct flights *flights, aldis_id to, aldis_ns at_ns, aldis_ns soonest_ns)
{
    struct flight *last = flights->size > 0 ? place_of(flights->items, flights->size, to) : NULL;
    if (last && !aldis_id_is_nobody(last->to)) {
        last->at_ns = at_ns > last->at_ns ? at_ns : last->at_ns;
        return last->at_ns;
    }
    if (at_ns <= soonest_ns || !make_room(flights, soonest_ns))
        return at_ns; /* without memory the next one may overtake it */
    *place_of(flights->items, flights->size, to) = (struct flight){to, at_ns};
    flights->count++;
    return at_ns;
}

/* ---- Delays ---- */

aldis_ns signals_time(const struct chart *chart, double distance)
{
    if (!chart->signals)
        return 0;
    double ns = distance / chart->signals->speed * 1e9;
    return ns < (double)DELAY_MAX_NS ? (aldis_ns)ns : DELAY_MAX_NS;
}

static aldis_ns delay_over(const struct chart *chart, aldis_ctx *ctx, const struct speaker *from,
                           aldis_id to, double distance)
{
    struct signals *signals = chart->signals;
    aldis_ns now_ns = aldis_now(ctx), delay_ns = signals_time(chart, distance);
    if (delay_ns < signals->least_ns)
        delay_ns = signals->least_ns;
    aldis_ns at_ns = in_order(&signals->flights[from->number], to, now_ns + delay_ns,
                              now_ns + signals->least_ns);
    return at_ns > now_ns + signals->least_ns ? at_ns - now_ns : 0;
}

aldis_ns signals_delay_to(const struct chart *chart, aldis_ctx *ctx, const struct speaker *from,
                          aldis_id to, struct vec there)
{
    if (!chart->signals)
        return 0;
    return delay_over(chart, ctx, from, to, vec_length(vec_sub(there, from->place)));
}

aldis_ns signals_delay(const struct chart *chart, aldis_ctx *ctx, const struct speaker *from,
                       aldis_id to)
{
    struct vec there;
    if (!chart->signals)
        return 0;
    double distance =
        find_place(chart, ctx, to, &there) ? vec_length(vec_sub(there, from->place)) : 0;
    return delay_over(chart, ctx, from, to, distance);
}
