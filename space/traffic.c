// SPDX-License-Identifier: Apache-2.0
/* traffic.c: traffic control: names ships under way that have come too near each other. Layer:
 * space.
 *
 * Every so often it looks at all that are in the lanes, sorted from west to east: whoever is too
 * near is then near in the row, too. Two ships are named once, when they come near, and again only
 * after they have parted. Near a station all ships are near each other, and its pilots see to them:
 * there it does not look. */
#include "books.h"
#include "chronicle.h"
#include "digest.h"

#include <aldis/timer.h>
#include <stdlib.h>

/* Pairs of one look that are kept in mind until the next; of more some are named again. */
#define PAIRS_MAX 65536u

struct pair {
    uint64_t one, other; /* ids; one is the lower */
};

struct pairs {
    size_t count, capacity;
    struct pair *items;
};

struct traffic {
    const struct chart *chart;
    aldis_found *found;
    size_t capacity;
    struct pairs near;        /* at this look */
    struct pairs near_before; /* at the last one, sorted */
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
    struct traffic *self = state;
    free(self->found);
    free(self->near.items);
    free(self->near_before.items);
}

/* ---- Pairs ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->one != y->one)
        return x->one < y->one ? -1 : 1;
    return x->other < y->other ? -1 : x->other > y->other;
}

static struct pair pair_of(aldis_id a, aldis_id b)
{
    return a.bits < b.bits ? (struct pair){a.bits, b.bits} : (struct pair){b.bits, a.bits};
}

/* Without memory, as beyond the bound, it is forgotten, and named again. */
static void keep(struct pairs *pairs, struct pair pair)
{
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity == 0 ? 64 : 2 * pairs->capacity;
        struct pair *items =
            capacity <= PAIRS_MAX ? realloc(pairs->items, capacity * sizeof *items) : NULL;
        if (!items)
            return;
        pairs->items = items;
        pairs->capacity = capacity;
    }
    pairs->items[pairs->count++] = pair;
}

static bool was_near(const struct traffic *self, const struct pair *pair)
{
    const struct pairs *before = &self->near_before;
    return before->count > 0 &&
           bsearch(pair, before->items, before->count, sizeof *pair, compare_pairs) != NULL;
}

/* What is near now was near before at the next look. */
static void turn_page(struct traffic *self)
{
    struct pairs old = self->near_before;
    if (self->near.count > 1)
        qsort(self->near.items, self->near.count, sizeof(struct pair), compare_pairs);
    self->near_before = self->near;
    self->near = old;
    self->near.count = 0;
}

/* ---- Looks ---- */

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

static bool is_in_port(const struct scenario *scenario, aldis_point at, aldis_ns now_ns)
{
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        struct vec port = scenario_station_position(scenario, i, now_ns);
        struct vec way = {at.x - port.x, at.y - port.y, at.z - port.z};
        if (vec_length(way) < scenario->traffic.zone)
            return true;
    }
    return false;
}

static void judge_pair(struct traffic *self, aldis_ctx *ctx, const aldis_found *one,
                       const aldis_found *other)
{
    double distance = distance_of(one, other);
    if (distance >= self->chart->scenario->traffic.distance ||
        is_in_port(self->chart->scenario, one->at, aldis_now(ctx)))
        return;
    struct pair pair = pair_of(one->actor, other->actor);
    keep(&self->near, pair);
    if (was_near(self, &pair))
        return;
    self->chart->books->near_misses++;
    chronicle_near_miss(self->chart->chronicle, ctx, self->chart->books, one->actor, other->actor,
                        distance);
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
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count && self->found[j].at.x - self->found[i].at.x < least; j++)
            judge_pair(self, ctx, &self->found[i], &self->found[j]);
    turn_page(self);
    return ALDIS_OK;
}

static uint64_t traffic_digest(const void *state)
{
    return digest_mix(0, ((const struct traffic *)state)->chart->books->near_misses);
}

ALDIS_BEHAVIOUR(traffic, struct traffic, TRAFFIC_PROTOCOL, .on_start = traffic_start,
                .on_stop = traffic_stop, .digest = traffic_digest);
