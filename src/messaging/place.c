// SPDX-License-Identifier: Apache-2.0
/* place.c: positions, and how they get into the grid. Layer: messaging. See place.h.
 *
 * HOT PATH beside the tour: aldis_place_set() in virtual time, which may not lock, log or write
 * what workers share. */
#include "messaging/place.h"

#include "base/error.h"
#include "base/log.h"
#include "core/multicast.h"
#include "core/send.h"
#include "core/virtual.h"
#include "messaging/router.h"
#include <stdlib.h>

enum { LISTED_FIRST = 64, CHANGES_FIRST = 16, JOINERS_FIRST = 16 };

/* ------------------------------------------------------------------ setting, in virtual time */

void aldis__place_list(struct aldis__worker *worker, struct aldis__place_part *part)
{
    struct aldis__places_seat *seat = &part->place->places->seats[worker->index];
    if (part->listed)
        return;
    if (seat->listed_count == seat->listed_capacity) {
        uint32_t capacity = seat->listed_capacity ? 2 * seat->listed_capacity : LISTED_FIRST;
        struct aldis__place_part **listed =
            realloc(seat->listed, capacity * sizeof(struct aldis__place_part *));
        if (!listed) {
            worker->fatal = ALDIS_ENOMEM; /* ends the run */
            return;
        }
        seat->listed = listed;
        seat->listed_capacity = capacity;
    }
    part->listed = true;
    seat->listed[seat->listed_count++] = part;
}

static ALDIS_COLD bool grow_changes(struct aldis__place_part *part)
{
    uint32_t capacity = part->change_capacity + part->change_capacity / 2;
    if (capacity < CHANGES_FIRST)
        capacity = part->change_usual > CHANGES_FIRST ? part->change_usual : CHANGES_FIRST;
    struct aldis__place_change *changes = realloc(part->changes, capacity * sizeof *changes);
    if (!changes)
        return false;
    part->changes = changes;
    part->change_capacity = capacity;
    return true;
}

static inline void note_change(struct aldis__worker *worker, struct aldis__place_part *part,
                               uint32_t index, const aldis_point *to)
{
    if (aldis__unlikely(part->change_count == part->change_capacity) && !grow_changes(part)) {
        worker->fatal = ALDIS_ENOMEM; /* ends the run */
        return;
    }
    if (part->change_count == 0)
        aldis__place_list(worker, part);
    part->changes[part->change_count++] = (struct aldis__place_change){.to = *to, .index = index};
}

static const aldis_point nowhere = {(double)NAN, 0, 0};

static aldis_err no_memory(const char *call)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "%s: out of memory", call);
}

static ALDIS_COLD void refuse_member(struct aldis__place *place)
{
    aldis__fetch_add_relaxed(&place->refused, 1); /* relaxed: a count */
    aldis__error_set(ALDIS_EFULL, aldis_nobody(), "",
                     "place_set: place %s has %u members (option members_max)", place->name,
                     place->opts.members_max);
}

static ALDIS_COLD bool grow_joiners(struct aldis__place_part *part)
{
    uint32_t capacity = 2 * part->joiner_capacity + JOINERS_FIRST;
    aldis_id *joiners = realloc(part->joiners, capacity * sizeof *joiners);
    if (!joiners)
        return false;
    part->joiners = joiners;
    part->joiner_capacity = capacity;
    return true;
}

/* ALDIS__MEMBER_NONE: see aldis_error_last. */
static ALDIS_COLD uint32_t join(struct aldis__place_part *part, struct aldis__cell *cell)
{
    /* Relaxed: it stands still inside a window. */
    uint32_t members = aldis__load_relaxed(&part->place->members);
    if (members + part->joined >= part->place->opts.members_max) {
        refuse_member(part->place);
        return ALDIS__MEMBER_NONE;
    }
    if (part->joined == part->joiner_capacity && !grow_joiners(part)) {
        no_memory("place_set");
        return ALDIS__MEMBER_NONE;
    }
    uint32_t index = part->count + part->joined, note = aldis__member_note(part, index);
    /* Relaxed: its own, or nothing; see aldis__member_find(). */
    if (note && aldis__load_relaxed(&cell->member) == 0)
        aldis__store_relaxed(&cell->member, note);
    else
        part->unnoted++;
    part->joiners[part->joined++] = cell->id;
    cell->flags |= ALDIS__CELL_ROUTED; /* so that its end is told */
    return index;
}

/* One who joins in this window, and whose cell does not tell: the map is written at the end only.
 * Should it set its position and leave with another actor's turn between, it joins twice, and that
 * is found at the end. */
static ALDIS_COLD uint32_t find_joiner(const struct aldis__place_part *part, aldis_id actor)
{
    for (uint32_t k = part->unnoted ? part->joined : 0; k > 0; k--)
        if (aldis_id_equal(part->joiners[k - 1], actor))
            return part->count + k - 1;
    return ALDIS__MEMBER_NONE;
}

static ALDIS_COLD uint32_t join_again(struct aldis__place_part *part, struct aldis__cell *cell)
{
    bool was_last = part->joined && aldis_id_equal(part->joiners[part->joined - 1], cell->id);
    return was_last ? part->count + part->joined - 1 : join(part, cell);
}

static aldis_err set_virtual(struct aldis__worker *worker, struct aldis__place_part *part,
                             const aldis_point *to)
{
    struct aldis__cell *cell = worker->ctx.cell;
    uint32_t index = aldis__member_find(part, cell, cell->id);
    if (aldis__unlikely(index == ALDIS__MEMBER_NONE)) {
        index = join_again(part, cell);
        if (index == ALDIS__MEMBER_NONE)
            return aldis_error_last()->err;
    }
    aldis__tally(&part->sets, 1);
    /* An actor has all its messages of a window one after another. */
    struct aldis__place_change *last = part->changes + part->change_count;
    if (aldis__likely(part->change_count == 0 || (--last)->index != index)) {
        note_change(worker, part, index, to);
        return ALDIS_OK;
    }
    aldis__tally(&part->merged, 1);
    last->to = *to;
    return ALDIS_OK;
}

/* The actor has said so, or has ended. */
static void leave_virtual(struct aldis__worker *worker, struct aldis__place_part *part,
                          aldis_id actor)
{
    uint32_t index = aldis__member_find(part, aldis__member_cell(part, actor), actor);
    if (index == ALDIS__MEMBER_NONE)
        index = find_joiner(part, actor);
    if (index == ALDIS__MEMBER_NONE)
        return;
    struct aldis__place_change *last = part->changes + part->change_count;
    if (part->change_count > 0 && (--last)->index == index)
        last->to = nowhere;
    else
        note_change(worker, part, index, &nowhere);
}

/* ------------------------------------------------------------------ setting, live */

/* The lock orders this: who reads `asked` after having written a member either comes before the
 * keeper's copy of the part, or after its store of `asked`. */
static void ask_keeper(struct aldis__worker *worker, struct aldis__place *place)
{
    /* Relaxed: the part's lock orders it. */
    if (aldis__load_relaxed(&place->asked))
        return;
    /* Z1 acq_rel: pairs with Z1 here and in aldis__place_wake(): one of many sends. */
    if (!aldis__exchange_acq_rel(&place->asked, true))
        aldis__place_wake(worker, place, aldis_nobody());
}

/* ALDIS__MEMBER_NONE: see aldis_error_last. */
static ALDIS_COLD uint32_t join_live(struct aldis__place_part *part, struct aldis__cell *cell)
{
    struct aldis__place *place = part->place;
    uint32_t index = ALDIS__MEMBER_NONE;
    /* Relaxed: a count that nothing else hangs on. */
    if (aldis__fetch_add_relaxed(&place->members, 1) >= place->opts.members_max)
        refuse_member(place);
    else if (!aldis__members_reserve(part, 1, 1))
        no_memory("place_set");
    else
        index = part->count++;
    if (index == ALDIS__MEMBER_NONE) {
        aldis__fetch_add_relaxed(&place->members, -1u); /* relaxed: as above */
        return index;
    }
    part->newest[index].id = cell->id;
    part->at[index] = 0;
    aldis__member_map(part, index);
    cell->flags |= ALDIS__CELL_ROUTED; /* so that its end is told */
    return index;
}

static aldis_err set_live(struct aldis__worker *worker, struct aldis__place_part *part,
                          const aldis_point *to)
{
    struct aldis__cell *cell = worker->ctx.cell;
    pthread_mutex_lock(&part->lock);
    uint32_t index = aldis__member_find_mapped(part, cell->id);
    if (index == ALDIS__MEMBER_NONE)
        index = join_live(part, cell);
    if (index == ALDIS__MEMBER_NONE) {
        pthread_mutex_unlock(&part->lock);
        return aldis_error_last()->err;
    }
    aldis__tally(&part->merged, part->at[index]);
    part->at[index] = 1;
    part->newest[index] = (struct aldis__spot){to->x, to->y, to->z, cell->id};
    aldis__tally(&part->sets, 1);
    pthread_mutex_unlock(&part->lock);
    ask_keeper(worker, part->place);
    return ALDIS_OK;
}

static void leave_live(struct aldis__worker *worker, struct aldis__place_part *part, aldis_id actor)
{
    pthread_mutex_lock(&part->lock);
    uint32_t index = aldis__member_find_mapped(part, actor);
    if (index != ALDIS__MEMBER_NONE) {
        aldis__member_remove(part, index, actor);
        aldis__fetch_add_relaxed(&part->place->members, -1u); /* relaxed: a count */
    }
    pthread_mutex_unlock(&part->lock);
    if (index != ALDIS__MEMBER_NONE)
        ask_keeper(worker, part->place);
}

/* ------------------------------------------------------------------ public: positions */

struct aldis__place *aldis__place_enter(aldis_ctx *ctx, const char *call, aldis_place handle)
{
    if (aldis__unlikely(!aldis__ctx_is_mine(ctx))) {
        (void)aldis__ctx_foreign(call);
        return NULL;
    }
    struct aldis__places *places = aldis__router_places(ctx->system);
    if (aldis__unlikely(!places)) {
        no_memory(call);
        return NULL;
    }
    struct aldis__place *place = aldis__place_at(places, handle.number);
    if (aldis__unlikely(!place))
        aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: no place %u was opened", call,
                         handle.number);
    return place;
}

static inline bool is_good(double v)
{
    return fabs(v) <= ALDIS_PLACE_COORDINATE_MAX; /* false for NaN, too */
}

aldis_err aldis__place_check_point(const char *call, const aldis_point *point)
{
    if (aldis__likely(is_good(point->x) && is_good(point->y) && is_good(point->z)))
        return ALDIS_OK;
    return aldis__error_set(
        ALDIS_EINVAL, aldis_nobody(), "", "%s: the point is (%g, %g, %g); allowed: -%g to %g", call,
        point->x, point->y, point->z, ALDIS_PLACE_COORDINATE_MAX, ALDIS_PLACE_COORDINATE_MAX);
}

aldis_err aldis__place_check_sphere(const char *call, const aldis_sphere *sphere)
{
    if (!sphere)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: the sphere is NULL", call);
    if (aldis__unlikely(!is_good(sphere->radius) || sphere->radius < 0))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "%s: the radius is %g; allowed: 0 to %g", call, sphere->radius,
                                ALDIS_PLACE_COORDINATE_MAX);
    return aldis__place_check_point(call, &sphere->centre);
}

aldis_err aldis_place_set(aldis_ctx *ctx, aldis_place handle, double x, double y, double z)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_set", handle);
    const aldis_point point = {x, y, z};
    if (!place)
        return aldis_error_last()->err;
    aldis_err err = aldis__place_check_point("place_set", &point);
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__place_part *part = &place->parts[ctx->shard->index];
    return aldis__likely(ctx->system->virtual_time) ? set_virtual(worker, part, &point)
                                                    : set_live(worker, part, &point);
}

aldis_err aldis_place_leave(aldis_ctx *ctx, aldis_place handle)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_leave", handle);
    if (!place)
        return aldis_error_last()->err;
    struct aldis__place_part *part = &place->parts[ctx->shard->index];
    if (ctx->system->virtual_time)
        leave_virtual(aldis__worker_of(ctx), part, ctx->cell->id);
    else
        leave_live(aldis__worker_of(ctx), part, ctx->cell->id);
    return ALDIS_OK;
}

void aldis__places_forget(struct aldis__places *places, aldis_id actor)
{
    aldis_system *system = places->system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(actor, system->node_base)]);
    if (!aldis__word_is_alive(word, actor))
        return; /* it has ended before its mark came, which is that of a name */
    struct aldis__place *place;
    for (uint32_t number = 1; (place = aldis__place_at(places, number)); number++) {
        struct aldis__place_part *part = &place->parts[aldis__word_home(word)];
        if (!system->virtual_time) {
            leave_live(aldis__this_worker, part, actor);
            continue;
        }
        aldis__watches_forget(place->watches);
        leave_virtual(&system->workers[0], part, actor);
    }
}

/* ------------------------------------------------------------------ the keeper */

void aldis__place_wake(struct aldis__worker *worker, struct aldis__place *place, aldis_id from)
{
    aldis_system *system = worker->ctx.system;
    uint64_t word = aldis__directory_read(
        &system->directory[aldis__id_index(place->keeper, system->node_base)]);
    if (!aldis__word_is_alive(word, place->keeper) || (word & ALDIS__WORD_CLOSING))
        return; /* the system is stopping */
    if (aldis__keeper_post(worker, place->keeper, from))
        return;
    /* Z1 acq_rel: pairs with Z1 in ask_keeper(): who comes next tries again. */
    (void)aldis__exchange_acq_rel(&place->asked, false);
    if (system->virtual_time)
        worker->fatal = ALDIS_ENOMEM; /* ends the run */
}
