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
#include <string.h>

enum {
    MEMBERS_FIRST = 16,
    MAP_FIRST = 32,
    LISTED_FIRST = 64,
    CHANGES_FOR_BUILD = 4, /* one in so many members has changed: sort anew */
    RADII_MIN = 16         /* so many have been asked for before they decide on the cells */
};

/* ------------------------------------------------------------------ the members of a part */

static inline uint32_t *map_slot(const struct aldis__place_part *part, aldis_id actor)
{
    uint32_t i = aldis__place_home(part->map_mask, actor);
    while (part->map[i] && !aldis_id_equal(part->members[part->map[i] - 1].spot.id, actor))
        i = (i + 1) & part->map_mask;
    return &part->map[i];
}

/* Of those in the map. */
static inline struct aldis__member *find_mapped(const struct aldis__place_part *part,
                                                aldis_id actor)
{
    uint32_t index = part->mapped ? *map_slot(part, actor) : 0;
    return index ? &part->members[index - 1] : NULL;
}

/* What the cell of a member says that is not in the map; 0: no cell can. */
static inline uint32_t note_of(const struct aldis__place_part *part, uint32_t index)
{
    uint32_t number = part->place->number;
    bool fits = number < UINT32_C(1) << (32 - ALDIS__MEMBER_INDEX_BITS) &&
                index < UINT32_C(1) << ALDIS__MEMBER_INDEX_BITS;
    return fits ? number << ALDIS__MEMBER_INDEX_BITS | index : 0;
}

static inline struct aldis__cell *cell_of(const struct aldis__place_part *part, aldis_id actor)
{
    aldis_system *system = part->place->system;
    return aldis__system_cell(system, aldis__id_index(actor, system->node_base));
}

/* In virtual time, for who may look at the actor's cell. A note in a cell may be of another place,
 * or of the actor that had the cell before. */
static inline struct aldis__member *find(const struct aldis__place_part *part, aldis_id actor)
{
    uint32_t note = cell_of(part, actor)->member;
    uint32_t index = note & ((UINT32_C(1) << ALDIS__MEMBER_INDEX_BITS) - 1);
    if (note >> ALDIS__MEMBER_INDEX_BITS == part->place->number && index < part->count &&
        aldis_id_equal(part->members[index].spot.id, actor))
        return &part->members[index];
    return find_mapped(part, actor);
}

/* The same for the shard's owner. Actors run in the order of their slots, in which most of them
 * have come: so the one that is looked for is mostly the next one. */
static inline struct aldis__member *find_next(struct aldis__place_part *part, aldis_id actor)
{
    if (part->next < part->count && aldis_id_equal(part->members[part->next].spot.id, actor))
        return &part->members[part->next++];
    struct aldis__member *member = find(part, actor);
    if (member)
        part->next = (uint32_t)(member - part->members) + 1;
    return member;
}

static bool grow_map(struct aldis__place_part *part)
{
    uint32_t size = part->map ? 2 * (part->map_mask + 1) : MAP_FIRST;
    uint32_t *map = calloc(size, sizeof *map);
    if (!map)
        return false;
    free(part->map);
    part->map = map;
    part->map_mask = size - 1;
    for (uint32_t i = 0; i < part->count; i++)
        if (part->members[i].flags & ALDIS__MEMBER_MAPPED)
            *map_slot(part, part->members[i].spot.id) = i + 1;
    return true;
}

static bool grow_members(struct aldis__place_part *part)
{
    uint32_t capacity = part->capacity ? 2 * part->capacity : MEMBERS_FIRST;
    struct aldis__member *members = realloc(part->members, capacity * sizeof *members);
    if (!members)
        return false;
    part->members = members;
    part->capacity = capacity;
    return true;
}

/* NULL: out of memory. */
static struct aldis__member *add_member(struct aldis__place_part *part, struct aldis__cell *cell)
{
    if (part->count == part->capacity && !grow_members(part))
        return NULL;
    uint32_t index = part->count, note = note_of(part, index);
    bool mapped = !part->place->system->virtual_time || cell->member || !note;
    if (mapped && (!part->map || 2 * part->mapped > part->map_mask) && !grow_map(part))
        return NULL;
    struct aldis__member *member = &part->members[index];
    *member = (struct aldis__member){.spot.id = cell->id, .at = ALDIS__SPOT_NONE};
    if (mapped) {
        member->flags = ALDIS__MEMBER_MAPPED;
        *map_slot(part, cell->id) = index + 1;
        part->mapped++;
    } else {
        cell->member = note;
    }
    part->count++;
    cell->flags |= ALDIS__CELL_ROUTED; /* so that its end is told */
    return member;
}

/* Deletion from an open table moves up what could not be found beyond the gap (Knuth, TAOCP 3,
 * 6.4, algorithm R). */
static void map_delete(struct aldis__place_part *part, aldis_id actor)
{
    uint32_t gap = (uint32_t)(map_slot(part, actor) - part->map);
    for (uint32_t i = (gap + 1) & part->map_mask; part->map[i]; i = (i + 1) & part->map_mask) {
        uint32_t home = aldis__place_home(part->map_mask, part->members[part->map[i] - 1].spot.id);
        if (((i - home) & part->map_mask) >= ((i - gap) & part->map_mask)) {
            part->map[gap] = part->map[i];
            gap = i;
        }
    }
    part->map[gap] = 0;
    part->mapped--;
}

/* The member at `index` is to be found at `now_at`, or (ALDIS__SPOT_NONE) no more. Who has ended
 * may have given its cell to another actor by now. */
static void note_move(struct aldis__place_part *part, uint32_t index, uint32_t now_at)
{
    aldis_id actor = part->members[index].spot.id;
    if (part->members[index].flags & ALDIS__MEMBER_MAPPED) {
        if (now_at == ALDIS__SPOT_NONE)
            map_delete(part, actor);
        else
            *map_slot(part, actor) = now_at + 1;
        return;
    }
    struct aldis__cell *cell = cell_of(part, actor);
    if (aldis_id_equal(cell->id, actor) && cell->member == note_of(part, index))
        cell->member = now_at == ALDIS__SPOT_NONE ? 0 : note_of(part, now_at);
}

/* The last one takes its place. */
static void remove_member(struct aldis__place_part *part, uint32_t index)
{
    uint32_t last = part->count - 1;
    note_move(part, index, ALDIS__SPOT_NONE);
    if (index != last) {
        note_move(part, last, index);
        part->members[index] = part->members[last];
    }
    part->count--;
}

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

static ALDIS_COLD bool grow_changed(struct aldis__place_part *part)
{
    uint32_t capacity = part->changed_capacity ? 2 * part->changed_capacity : MEMBERS_FIRST;
    uint32_t *changed = realloc(part->changed, capacity * sizeof *changed);
    if (!changed)
        return false;
    part->changed = changed;
    part->changed_capacity = capacity;
    return true;
}

static inline void note_changed(struct aldis__worker *worker, struct aldis__place_part *part,
                                struct aldis__member *member)
{
    if (aldis__unlikely(part->changed_count == part->changed_capacity) && !grow_changed(part)) {
        worker->fatal = ALDIS_ENOMEM; /* ends the run */
        return;
    }
    member->flags |= ALDIS__MEMBER_CHANGED;
    if (part->changed_count == 0)
        aldis__place_list(worker, part);
    part->changed[part->changed_count++] = (uint32_t)(member - part->members);
}

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

/* NULL: see aldis_error_last. */
static ALDIS_COLD struct aldis__member *join(struct aldis__place_part *part,
                                             struct aldis__cell *cell)
{
    struct aldis__member *member = NULL;
    /* Relaxed: in virtual time it stands still inside a window. */
    uint32_t members = aldis__load_relaxed(&part->place->members);
    if (members + part->joined >= part->place->opts.members_max) {
        refuse_member(part->place);
        return NULL;
    }
    member = add_member(part, cell);
    if (member)
        part->joined++;
    else
        no_memory("place_set");
    return member;
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

/* NULL: see aldis_error_last. */
static ALDIS_COLD struct aldis__member *join_live(struct aldis__place_part *part,
                                                  struct aldis__cell *cell)
{
    struct aldis__place *place = part->place;
    struct aldis__member *member = NULL;
    /* Relaxed: a count that nothing else hangs on. */
    if (aldis__fetch_add_relaxed(&place->members, 1) >= place->opts.members_max)
        refuse_member(place);
    else if (!(member = add_member(part, cell)))
        no_memory("place_set");
    if (!member)
        aldis__fetch_add_relaxed(&place->members, -1u); /* relaxed: as above */
    return member;
}

static aldis_err set_live(struct aldis__worker *worker, struct aldis__place_part *part,
                          const struct aldis__spot *spot)
{
    pthread_mutex_lock(&part->lock);
    struct aldis__member *member = find_mapped(part, worker->ctx.cell->id);
    if (!member)
        member = join_live(part, worker->ctx.cell);
    if (!member) {
        pthread_mutex_unlock(&part->lock);
        return aldis_error_last()->err;
    }
    if (member->flags & ALDIS__MEMBER_CHANGED)
        aldis__tally(&part->merged, 1);
    member->flags |= ALDIS__MEMBER_CHANGED;
    member->spot = *spot;
    aldis__tally(&part->sets, 1);
    pthread_mutex_unlock(&part->lock);
    ask_keeper(worker, part->place);
    return ALDIS_OK;
}

static void remove_live(struct aldis__worker *worker, struct aldis__place_part *part,
                        aldis_id actor)
{
    pthread_mutex_lock(&part->lock);
    struct aldis__member *member = find_mapped(part, actor);
    if (member) {
        remove_member(part, (uint32_t)(member - part->members));
        aldis__fetch_add_relaxed(&part->place->members, -1u); /* relaxed: a count */
    }
    pthread_mutex_unlock(&part->lock);
    if (member)
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
    const struct aldis__spot spot = {x, y, z, ctx->cell->id};
    if (!ctx->system->virtual_time)
        return set_live(worker, part, &spot);
    struct aldis__member *member = find_next(part, ctx->cell->id);
    if (aldis__unlikely(!member))
        member = join(part, ctx->cell);
    if (aldis__unlikely(!member))
        return aldis_error_last()->err;
    aldis__tally(&part->sets, 1);
    member->spot = spot;
    if (aldis__likely(!(member->flags & (ALDIS__MEMBER_CHANGED | ALDIS__MEMBER_GONE)))) {
        note_changed(worker, part, member);
        return ALDIS_OK;
    }
    aldis__tally(&part->merged, 1);
    member->flags &= ~(uint32_t)ALDIS__MEMBER_GONE;
    return ALDIS_OK;
}

aldis_err aldis_place_leave(aldis_ctx *ctx, aldis_place handle)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_leave", handle);
    if (!place)
        return aldis_error_last()->err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__place_part *part = &place->parts[ctx->shard->index];
    if (!ctx->system->virtual_time) {
        remove_live(worker, part, ctx->cell->id);
        return ALDIS_OK;
    }
    struct aldis__member *member = find(part, ctx->cell->id);
    if (!member)
        return ALDIS_OK;
    if (!(member->flags & ALDIS__MEMBER_CHANGED))
        note_changed(worker, part, member);
    member->flags |= ALDIS__MEMBER_GONE;
    return ALDIS_OK;
}

bool aldis__place_position(struct aldis__place *place, aldis_id actor, aldis_point *out_at)
{
    aldis_system *system = place->system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(actor, system->node_base)]);
    if (!aldis__word_is_alive(word, actor))
        return false;
    struct aldis__place_part *part = &place->parts[aldis__word_home(word)];
    if (!system->virtual_time)
        pthread_mutex_lock(&part->lock);
    const struct aldis__member *member =
        system->virtual_time ? find(part, actor) : find_mapped(part, actor);
    if (member)
        *out_at = (aldis_point){member->spot.x, member->spot.y, member->spot.z};
    if (!system->virtual_time)
        pthread_mutex_unlock(&part->lock);
    return member != NULL;
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
            remove_live(aldis__this_worker, part, actor);
            continue;
        }
        aldis__watches_forget(place->watches);
        struct aldis__member *member = find(part, actor);
        if (!member)
            continue;
        if (!(member->flags & ALDIS__MEMBER_CHANGED))
            note_changed(&system->workers[0], part, member);
        member->flags |= ALDIS__MEMBER_GONE;
    }
}

/* ------------------------------------------------------------------ the cells */

/* Before anybody has asked for a radius: about two to a cell, were they spread evenly. */
static double guess_cell(const struct aldis__place *place, uint64_t total)
{
    double low[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL}, high[3] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
    for (uint32_t s = 0; s < place->system->shard_count; s++)
        for (uint32_t i = 0; i < place->parts[s].count; i++) {
            const struct aldis__spot *spot = &place->parts[s].members[i].spot;
            const double at[3] = {spot->x, spot->y, spot->z};
            for (int d = 0; d < 3; d++) {
                low[d] = at[d] < low[d] ? at[d] : low[d];
                high[d] = at[d] > high[d] ? at[d] : high[d];
            }
        }
    int dimensions = 0, exponents = 0;
    for (int d = 0; d < 3; d++) {
        int exponent;
        if (!(high[d] > low[d]))
            continue;
        (void)frexp(high[d] - low[d], &exponent);
        exponents += exponent;
        dimensions++;
    }
    if (dimensions == 0)
        return 1;
    int many;
    (void)frexp((double)total / 2, &many);
    return ldexp(1, (exponents - many) / dimensions);
}

/* The cell is the power of two next to the middle radius (geometric) that was asked for since the
 * last choice: sums of integers, so that their order does not matter. */
double aldis__place_choose_cell(struct aldis__place *place, uint64_t total)
{
    if (place->opts.cell > 0)
        return place->opts.cell;
    int64_t exponents = 0;
    uint64_t radii = 0;
    for (uint32_t w = 0; w < place->system->worker_count; w++) {
        /* Relaxed: sums; live, they may be a little old. */
        exponents += aldis__load_relaxed(&place->seats[w].exponents);
        radii += aldis__load_relaxed(&place->seats[w].radii);
    }
    uint64_t fresh = radii - place->radii_seen;
    if (fresh >= RADII_MIN) {
        int64_t sum = exponents - place->exponents_seen;
        double middle = floor((double)(sum / (int64_t)fresh) / ALDIS__EXPONENT_STEPS + 0.5);
        place->exponents_seen = exponents;
        place->radii_seen = radii;
        place->cell = ldexp(1, (int)(middle < -298 ? -298 : middle > 490 ? 490 : middle));
    } else if (place->cell == 0) {
        return guess_cell(place, total);
    }
    return place->cell;
}

/* ------------------------------------------------------------------ the end of a window */

static int compare_parts(const void *a, const void *b)
{
    const struct aldis__place_part *x = *(struct aldis__place_part *const *)a;
    const struct aldis__place_part *y = *(struct aldis__place_part *const *)b;
    if (x->place->number != y->place->number)
        return x->place->number < y->place->number ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
}

static int compare_indices_down(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Those who have joined in this window, as long as there is room; the others are gone again. */
static void admit(struct aldis__place *place, struct aldis__place_part *part, uint32_t *members)
{
    for (uint32_t i = part->count - part->joined; i < part->count; i++) {
        struct aldis__member *member = &part->members[i];
        if (member->flags & ALDIS__MEMBER_GONE)
            continue;
        if (*members < place->opts.members_max) {
            (*members)++;
            continue;
        }
        member->flags |= ALDIS__MEMBER_GONE;
        aldis__fetch_add_relaxed(&place->refused, 1); /* relaxed: a count */
        aldis__log(ALDIS_LOG_WARN, "place %s: %u members, actor %016llx has found no room",
                   place->name, place->opts.members_max, (unsigned long long)member->spot.id.bits);
    }
    part->joined = 0;
}

/* What has changed in one part goes into the grid, if that is to be kept. False: it cannot be. */
static bool apply_changes(struct aldis__grid *grid, struct aldis__place_part *part, bool keep)
{
    uint32_t gone = 0;
    bool lookup = part->place->opts.lookup;
    for (uint32_t i = 0; i < part->changed_count; i++) {
        struct aldis__member *member = &part->members[part->changed[i]];
        if (member->flags & ALDIS__MEMBER_GONE) {
            part->changed[gone++] = part->changed[i];
            aldis__grid_remove(grid, member);
            if (lookup)
                aldis__seen_drop(part, member->spot.id);
        } else {
            member->flags &= ~(uint32_t)ALDIS__MEMBER_CHANGED;
            if (lookup)
                aldis__seen_put(part, &member->spot);
            keep = keep && aldis__grid_move(grid, member);
        }
    }
    if (gone > 1) /* from the last to the first, so that none is moved before its turn */
        qsort(part->changed, gone, sizeof *part->changed, compare_indices_down);
    for (uint32_t i = 0; i < gone; i++)
        remove_member(part, part->changed[i]);
    part->changed_count = 0;
    return keep;
}

static bool build(struct aldis__place *place, uint32_t members)
{
    struct aldis__grid *grid = &place->grid->grid;
    uint32_t shards = place->system->shard_count;
    if (!aldis__grid_begin(grid, members, aldis__place_choose_cell(place, members)))
        return false;
    for (uint32_t s = 0; s < shards; s++)
        aldis__grid_count(grid, place->parts[s].members, place->parts[s].count);
    for (uint32_t s = 0; s < shards; s++)
        aldis__grid_fill(grid, place->parts[s].members, place->parts[s].count);
    aldis__tally(&place->builds, 1);
    return true;
}

/* All parts of one place that have something to apply, in the order of the shards. */
static bool end_window_of(struct aldis__place *place, struct aldis__place_part **parts,
                          size_t count)
{
    /* Relaxed: nothing runs. */
    uint32_t members = aldis__load_relaxed(&place->members);
    uint64_t changes = 0;
    for (size_t p = 0; p < count; p++) {
        const struct aldis__place_part *part = parts[p];
        changes += part->changed_count;
        for (uint32_t i = 0; i < part->changed_count; i++) {
            const struct aldis__member *member = &part->members[part->changed[i]];
            members -= (member->flags & ALDIS__MEMBER_GONE) &&
                       part->changed[i] < part->count - part->joined;
        }
    }
    struct aldis__grid *grid = &place->grid->grid;
    bool keep = changes * CHANGES_FOR_BUILD <= members && grid->spots;
    for (size_t p = 0; p < count; p++) {
        if (place->opts.lookup && !aldis__seen_reserve(parts[p]))
            return false;
        admit(place, parts[p], &members);
        keep = apply_changes(grid, parts[p], keep);
        parts[p]->listed = false;
    }
    aldis__store_relaxed(&place->members, members); /* relaxed: nothing runs */
    if (changes && (!keep || grid->holes > grid->live) && !build(place, members))
        return false;
    if (aldis__watches_prepare(place->watches, changes > 0))
        aldis__place_wake(&place->system->workers[0], place, aldis_nobody());
    return true;
}

/* All parts that the workers have listed, sorted. */
static bool collect_listed(struct aldis__places *places, size_t *out_count)
{
    size_t count = 0;
    for (uint32_t w = 0; w < places->system->worker_count; w++)
        count += places->seats[w].listed_count;
    *out_count = count;
    if (count > places->listed_capacity) {
        struct aldis__place_part **listed =
            realloc(places->listed, 2 * count * sizeof(struct aldis__place_part *));
        if (!listed)
            return false;
        places->listed = listed;
        places->listed_capacity = 2 * count;
    }
    count = 0;
    for (uint32_t w = 0; w < places->system->worker_count; w++) {
        struct aldis__places_seat *seat = &places->seats[w];
        for (uint32_t i = 0; i < seat->listed_count; i++)
            places->listed[count++] = seat->listed[i];
        seat->listed_count = 0;
    }
    if (count > 1)
        qsort(places->listed, count, sizeof(struct aldis__place_part *), compare_parts);
    return true;
}

bool aldis__places_end_window(struct aldis__places *places)
{
    size_t count;
    if (!collect_listed(places, &count))
        return false;
    for (size_t i = 0, same; i < count; i += same) {
        struct aldis__place *place = places->listed[i]->place;
        same = 1;
        while (i + same < count && places->listed[i + same]->place == place)
            same++;
        if (!end_window_of(place, places->listed + i, same))
            return false;
    }
    return true;
}

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
