// SPDX-License-Identifier: Apache-2.0
/* query.c: who is in a sphere, who is nearest, and telling them. Layer: messaging. See place.h.
 *
 * A hot path beside the tour: may not lock, log or write what workers share. */
#include "base/error.h"
#include "core/multicast.h"
#include "messaging/place.h"
#include "messaging/router.h"
#include <stdlib.h>
#include <string.h>

/* What a query gathers in its worker's scratch. */
struct gather {
    struct aldis__place *place;
    struct aldis__worker *worker;
    const aldis_behaviour *kind; /* NULL: all */
    void *items;
    size_t count, capacity, item_bytes;
    bool failed; /* out of memory */
};

static struct aldis__ball ball_of(const aldis_sphere *sphere)
{
    return (struct aldis__ball){sphere->centre.x, sphere->centre.y, sphere->centre.z,
                                sphere->radius};
}

static ALDIS_COLD bool grow(struct gather *gather)
{
    size_t capacity = gather->capacity ? 2 * gather->capacity : 256;
    void *items =
        aldis__place_scratch(gather->place, gather->worker, capacity * gather->item_bytes);
    if (!items) {
        gather->failed = true;
        return false;
    }
    gather->items = items;
    gather->capacity = capacity;
    return true;
}

static bool is_of_kind(const struct gather *gather, aldis_id actor)
{
    aldis_system *system = gather->place->system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(actor, system->node_base)]);
    return aldis__word_is_alive(word, actor) &&
           aldis__system_kind(system, aldis__word_kind(word))->behaviour == gather->kind;
}

static inline __attribute__((always_inline)) void gather_id(void *arg,
                                                            const struct aldis__spot *spot,
                                                            double distance2)
{
    struct gather *gather = arg;
    (void)distance2;
    if (aldis__unlikely(gather->count == gather->capacity) && !grow(gather))
        return;
    if (aldis__unlikely(gather->kind != NULL) && !is_of_kind(gather, spot->id))
        return;
    ((aldis_id *)gather->items)[gather->count++] = spot->id;
}

static aldis_err no_memory(const char *call)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "%s: out of memory", call);
}

/* ------------------------------------------------------------------ tell */

aldis_err aldis_place_tell_raw(aldis_ctx *ctx, aldis_place handle, const aldis_sphere *sphere,
                               const aldis_send_item *item, unsigned flags,
                               aldis_fanout *out_fanout)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_tell", handle);
    struct aldis__multicast cast;
    if (!place)
        return aldis_error_last()->err;
    aldis_err err = aldis__place_check_sphere("place_tell", sphere);
    if (err == ALDIS_OK)
        err = aldis__fanout_check_flags("place_tell", flags);
    if (err == ALDIS_OK && !item)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "place_tell: item is NULL");
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct gather gather = {
        .place = place, .worker = worker, .kind = sphere->kind, .item_bytes = sizeof(aldis_id)};
    const struct aldis__ball ball = ball_of(sphere);
    aldis__grid_scan(aldis__place_look(place, worker, ball.radius), &ball, gather_id, &gather);
    if (gather.failed)
        return no_memory("place_tell");
    err = aldis__multicast_begin(&cast, worker, item->type, item->payload, item->size,
                                 flags & ALDIS_FANOUT_TO_SELF);
    if (err != ALDIS_OK)
        return err;
    aldis__multicast_ids(&cast, gather.items, gather.count);
    return aldis__fanout_finish(&cast, flags, place->name, out_fanout);
}

/* ------------------------------------------------------------------ within */

static inline __attribute__((always_inline)) void gather_found(void *arg,
                                                               const struct aldis__spot *spot,
                                                               double distance2)
{
    struct gather *gather = arg;
    if (aldis__unlikely(gather->count == gather->capacity) && !grow(gather))
        return;
    if (aldis__unlikely(gather->kind != NULL) && !is_of_kind(gather, spot->id))
        return;
    ((aldis_found *)gather->items)[gather->count++] =
        (aldis_found){spot->id, {spot->x, spot->y, spot->z}, distance2};
}

static int compare_found(const void *a, const void *b)
{
    const aldis_found *x = a, *y = b;
    return x->actor.bits < y->actor.bits ? -1 : x->actor.bits > y->actor.bits;
}

aldis_err aldis_place_within(aldis_ctx *ctx, aldis_place handle, const aldis_sphere *sphere,
                             aldis_found *out, size_t max, size_t *out_count)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_within", handle);
    if (!place)
        return aldis_error_last()->err;
    aldis_err err = aldis__place_check_sphere("place_within", sphere);
    if (err == ALDIS_OK && ((!out && max) || !out_count))
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "place_within: %s is NULL",
                               out_count ? "out" : "out_count");
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct gather gather = {
        .place = place, .worker = worker, .kind = sphere->kind, .item_bytes = sizeof(aldis_found)};
    const struct aldis__ball ball = ball_of(sphere);
    aldis__grid_scan(aldis__place_look(place, worker, ball.radius), &ball, gather_found, &gather);
    if (gather.failed)
        return no_memory("place_within");
    aldis_found *found = gather.items;
    if (max && gather.count > 1)
        qsort(found, gather.count, sizeof *found, compare_found);
    size_t copied = gather.count < max ? gather.count : max;
    for (size_t i = 0; i < copied; i++) {
        out[i] = found[i];
        out[i].distance = sqrt(found[i].distance);
    }
    *out_count = gather.count;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ nearest */

/* The nearest so far: a heap with the farthest on top (Williams 1964); distances are squares. */
struct nearest {
    struct gather filter;
    aldis_id self;
    aldis_found *heap;
    uint32_t count, wanted;
};

static bool is_farther(const aldis_found *a, const aldis_found *b)
{
    if (a->distance != b->distance)
        return a->distance > b->distance;
    return a->actor.bits > b->actor.bits;
}

static void sift_up(aldis_found *heap, uint32_t place, aldis_found found)
{
    while (place > 0 && is_farther(&found, &heap[(place - 1) / 2])) {
        heap[place] = heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    heap[place] = found;
}

static void sift_down(aldis_found *heap, uint32_t count, aldis_found found)
{
    uint32_t place = 0, child;
    while ((child = 2 * place + 1) < count) {
        if (child + 1 < count && is_farther(&heap[child + 1], &heap[child]))
            child++;
        if (!is_farther(&heap[child], &found))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = found;
}

static void keep_nearest(void *arg, const struct aldis__spot *spot, double distance2)
{
    struct nearest *nearest = arg;
    aldis_found found = {spot->id, {spot->x, spot->y, spot->z}, distance2};
    if (aldis_id_equal(spot->id, nearest->self) ||
        (nearest->filter.kind && !is_of_kind(&nearest->filter, spot->id)))
        return;
    if (nearest->count < nearest->wanted)
        sift_up(nearest->heap, nearest->count++, found);
    else if (is_farther(&nearest->heap[0], &found))
        sift_down(nearest->heap, nearest->count, found);
}

/* Look in a ball that holds enough of them, or in all there is: all that are nearer than the
 * farthest one found lie in it, too. */
static void search(struct nearest *nearest, const struct aldis__grid *grid, aldis_point from)
{
    struct aldis__ball ball = {from.x, from.y, from.z, grid->cell};
    for (;;) {
        nearest->count = 0;
        if (aldis__grid_cover(grid, &ball).is_linear)
            ball.radius = HUGE_VAL;
        aldis__grid_scan(grid, &ball, keep_nearest, nearest);
        if (nearest->count == nearest->wanted || ball.radius == HUGE_VAL)
            return;
        ball.radius *= 2;
    }
}

aldis_err aldis_place_nearest(aldis_ctx *ctx, aldis_place handle, aldis_point from,
                              const aldis_behaviour *kind, uint32_t count, aldis_found *out,
                              uint32_t *out_count)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_nearest", handle);
    if (!place)
        return aldis_error_last()->err;
    aldis_err err = aldis__place_check_point("place_nearest", &from);
    if (err == ALDIS_OK && (count < 1 || count > ALDIS_PLACE_NEAREST_MAX || !out || !out_count))
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                               "place_nearest: count is %u, allowed: 1 to %u; or an out is NULL",
                               count, ALDIS_PLACE_NEAREST_MAX);
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct nearest nearest = {
        .filter = {.place = place, .kind = kind}, .self = ctx->cell->id, .wanted = count};
    nearest.heap = aldis__place_scratch(place, worker, count * sizeof *nearest.heap);
    if (!nearest.heap)
        return no_memory("place_nearest");
    search(&nearest, aldis__place_look(place, worker, 0), from);
    for (uint32_t left = nearest.count; left > 0; left--) { /* the farthest first */
        out[left - 1] = nearest.heap[0];
        out[left - 1].distance = sqrt(nearest.heap[0].distance);
        sift_down(nearest.heap, left - 1, nearest.heap[left - 1]);
    }
    *out_count = nearest.count;
    return ALDIS_OK;
}
