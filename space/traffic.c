// SPDX-License-Identifier: Apache-2.0
/* traffic.c: traffic control: names ships under way that have come too near each other. Layer:
 * space.
 *
 * Every so often it looks at all that are in the lanes, sorted from west to east: whoever is too
 * near is then near in the row, too. */
#include "books.h"
#include "chronicle.h"
#include "digest.h"

#include <aldis/timer.h>
#include <stdlib.h>

struct traffic {
    const struct chart *chart;
    uint64_t near_misses;
    aldis_found *found;
    size_t capacity;
};

static aldis_err traffic_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct traffic *self = state;
    self->chart = *(const struct chart *const *)arg;
    aldis_timer timer;
    return aldis_timer_every(ctx, self->chart->scenario->traffic.every_ns, traffic_due, &timer);
}

static void traffic_stop(void *state, aldis_ctx *ctx)
{
    (void)ctx;
    free(((struct traffic *)state)->found);
}

/* Everybody in the lanes; false: no memory. */
static bool look(struct traffic *self, aldis_ctx *ctx, size_t *out_count)
{
    const aldis_sphere everywhere = {.radius = ALDIS_PLACE_COORDINATE_MAX};
    for (;;) {
        if (aldis_place_within(ctx, self->chart->nearby.lanes, &everywhere, self->found,
                               self->capacity, out_count) != ALDIS_OK)
            return false;
        if (*out_count <= self->capacity)
            return true;
        size_t capacity = *out_count + *out_count / 4;
        aldis_found *found = realloc(self->found, capacity * sizeof *found);
        if (!found)
            return false;
        self->found = found;
        self->capacity = capacity;
    }
}

static int from_west_to_east(const void *a, const void *b)
{
    const aldis_found *left = a, *right = b;
    if (left->at.x != right->at.x)
        return left->at.x < right->at.x ? -1 : 1;
    return left->actor.bits < right->actor.bits ? -1 : left->actor.bits > right->actor.bits;
}

static double distance_of(const aldis_found *a, const aldis_found *b)
{
    struct vec way = {a->at.x - b->at.x, a->at.y - b->at.y, a->at.z - b->at.z};
    return vec_length(way);
}

static aldis_err traffic_on_traffic_due(struct traffic *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    size_t count;
    double least = self->chart->scenario->traffic.distance;
    if (!look(self, ctx, &count))
        return ALDIS_ENOMEM;
    if (count > 1)
        qsort(self->found, count, sizeof *self->found, from_west_to_east);
    for (size_t i = 0; i < count; i++) {
        const aldis_found *one = &self->found[i];
        for (size_t j = i + 1; j < count && self->found[j].at.x - one->at.x < least; j++) {
            double distance = distance_of(one, &self->found[j]);
            if (distance >= least)
                continue;
            self->near_misses++;
            chronicle_near_miss(self->chart->chronicle, ctx, self->chart->books, one->actor,
                                self->found[j].actor, distance);
        }
    }
    self->chart->books->near_misses = self->near_misses;
    return ALDIS_OK;
}

static uint64_t traffic_digest(const void *state)
{
    return digest_mix(0, ((const struct traffic *)state)->near_misses);
}

ALDIS_BEHAVIOUR(traffic, struct traffic, TRAFFIC_PROTOCOL, .on_start = traffic_start,
                .on_stop = traffic_stop, .digest = traffic_digest);
