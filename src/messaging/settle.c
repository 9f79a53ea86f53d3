// SPDX-License-Identifier: Apache-2.0
/* settle.c: the end of a window of virtual time: what has changed in it goes into the grid. Layer:
 * messaging. See place.h.
 *
 * Nothing else runs. The order is that of the places, the shards, and of what a shard has done, so
 * it does not depend on the workers. */
#include "base/log.h"
#include "messaging/place.h"
#include <stdlib.h>

enum {
    CHANGES_FOR_SORT = 4, /* one in so many members has changed: sort anew */
    RADII_MIN = 16,       /* so many have been asked for before they decide on the cells */
    SORT_COST = 16,       /* sorting a member costs as much as looking at so many strays */
    KEPT_MIN = 64         /* room for so many changes is always kept */
};

/* ------------------------------------------------------------------ the cells */

/* Before anybody has asked for a radius: about two to a cell, were they spread evenly. */
static double guess_cell(const struct aldis__grid *grid)
{
    double low[3] = {HUGE_VAL, HUGE_VAL, HUGE_VAL}, high[3] = {-HUGE_VAL, -HUGE_VAL, -HUGE_VAL};
    for (uint32_t i = 0; i < grid->sorted + grid->strays; i++) {
        const struct aldis__spot *spot = &grid->spots[i];
        const double at[3] = {spot->x, spot->y, spot->z};
        for (int d = 0; !isnan(spot->x) && d < 3; d++) {
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
    (void)frexp((double)grid->live / 2, &many);
    return ldexp(1, (exponents - many) / dimensions);
}

/* The cell is the power of two next to the middle radius (geometric) that was asked for since the
 * last choice: sums of integers, so that their order does not matter. */
double aldis__place_choose_cell(struct aldis__place *place, const struct aldis__grid *grid)
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
        return guess_cell(grid);
    }
    return place->cell;
}

/* Each query looks at all strays. When that has cost as much as sorting does (ski rental: Karlin
 * and others 1988), or the next window alone might, it is time to sort, however few they are. In
 * virtual time what is asked in a window is the same on any number of workers. */
static void count_looks(struct aldis__place *place)
{
    uint64_t queries = 0;
    for (uint32_t w = 0; w < place->system->worker_count; w++)
        queries += aldis__load_relaxed(&place->seats[w].queries); /* relaxed: nothing runs */
    uint64_t fresh = queries - place->queries_seen, usual = place->queries_usual;
    place->queries_seen = queries;
    place->queries_usual = fresh > usual ? fresh : usual - usual / 8;
    place->stray_looks += fresh * place->grid->grid.strays;
}

static bool is_to_be_sorted(const struct aldis__place *place)
{
    const struct aldis__grid *grid = &place->grid->grid;
    uint64_t looks = place->stray_looks + place->queries_usual * grid->strays;
    return grid->is_loose || grid->holes > grid->live || looks > (uint64_t)grid->live * SORT_COST;
}

static bool sort(struct aldis__place *place)
{
    struct aldis__grid *grid = &place->grid->grid;
    place->stray_looks = 0;
    if (!aldis__grid_plan(grid, aldis__place_choose_cell(place, grid)))
        return false;
    for (uint32_t s = 0; s < place->system->shard_count; s++) {
        struct aldis__place_part *part = &place->parts[s];
        for (uint32_t i = 0; i < part->count; i++)
            part->at[i] = grid->order[part->at[i]];
    }
    aldis__grid_arrange(grid);
    aldis__tally(&place->builds, 1);
    return true;
}

/* ------------------------------------------------------------------ the changes of a part */

/* A member's newest position, or that it leaves; of several changes the last counts. Returns by how
 * many the members are more now. */
static uint32_t change_member(struct aldis__grid *grid, struct aldis__place_part *part,
                              uint32_t index, const aldis_point *to)
{
    uint32_t at = part->at[index];
    bool gone = isnan(to->x), was_gone = at & ALDIS__MEMBER_GONE;
    if (gone) {
        part->leaves++;
        part->at[index] = at | ALDIS__MEMBER_GONE;
    } else {
        part->at[index] = aldis__grid_move(grid, at & ~ALDIS__MEMBER_GONE, to);
    }
    return (uint32_t)was_gone - (uint32_t)gone;
}

static uint32_t change_members(struct aldis__grid *grid, struct aldis__place_part *part)
{
    uint32_t more = 0;
    for (uint32_t c = 0; c < part->change_count; c++) {
        const struct aldis__place_change *change = &part->changes[c];
        if (change->index < part->count)
            more += change_member(grid, part, change->index, &change->to);
    }
    return more;
}

/* Which index stands for a joiner: one that is not noted in its cell may have joined before, in the
 * same window. */
static uint32_t joiner_index(const struct aldis__place_part *part, uint32_t index, aldis_id actor)
{
    if (!part->unnoted)
        return index;
    uint32_t known = aldis__member_find(part, aldis__member_cell(part, actor), actor);
    return known == ALDIS__MEMBER_NONE ? index : known;
}

static bool has_room(struct aldis__place *place, uint32_t members, aldis_id actor)
{
    if (members < place->opts.members_max)
        return true;
    aldis__fetch_add_relaxed(&place->refused, 1); /* relaxed: a count */
    aldis__log(ALDIS_LOG_WARN, "place %s: %u members, actor %016llx has found no room", place->name,
               place->opts.members_max, (unsigned long long)actor.bits);
    return false;
}

/* Those who have joined, as long as there is room. Who is not admitted is to be removed, as one who
 * has left. */
static uint32_t admit(struct aldis__grid *grid, struct aldis__place_part *part, uint32_t members)
{
    uint32_t first = part->count;
    part->count += part->joined;
    for (uint32_t i = first; i < part->count; i++)
        part->at[i] = ALDIS__SPOT_NONE;
    for (uint32_t c = 0; c < part->change_count; c++) {
        struct aldis__place_change *change = &part->changes[c];
        if (change->index < first)
            continue;
        aldis_id actor = part->joiners[change->index - first];
        uint32_t index = joiner_index(part, change->index, actor);
        if (part->at[index] != ALDIS__SPOT_NONE) {
            members += change_member(grid, part, index, &change->to);
            continue;
        }
        if (!isnan(change->to.x) && has_room(part->place, members, actor)) {
            const aldis_point *to = &change->to;
            part->at[index] =
                aldis__grid_add(grid, &(struct aldis__spot){to->x, to->y, to->z, actor});
            if (part->unnoted &&
                aldis__member_find(part, aldis__member_cell(part, actor), actor) != index)
                aldis__member_map(part, index);
            members++;
        } else {
            change->to.x = (double)NAN;
            part->leaves++;
        }
    }
    return members;
}

static int compare_indices_down(const void *a, const void *b)
{
    uint32_t x = ((const struct aldis__place_change *)a)->index;
    uint32_t y = ((const struct aldis__place_change *)b)->index;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void remove_at(struct aldis__grid *grid, struct aldis__place_part *part, uint32_t index)
{
    uint32_t at = part->at[index] & ~ALDIS__MEMBER_GONE;
    aldis__member_remove(part, index, grid->spots[at].id);
    aldis__grid_remove(grid, at);
}

/* Those who leave, from the last to the first, so that none is moved before its turn. Who has
 * joined stands from `first` on. */
static void remove_gone(struct aldis__grid *grid, struct aldis__place_part *part, uint32_t first)
{
    for (uint32_t i = part->count; i-- > first;) {
        if (part->at[i] == ALDIS__SPOT_NONE)
            aldis__member_remove(part, i, part->joiners[i - first]);
        else if (part->at[i] & ALDIS__MEMBER_GONE)
            remove_at(grid, part, i);
    }
    if (!part->leaves)
        return;
    uint32_t gone = 0;
    for (uint32_t c = 0; c < part->change_count; c++)
        if (isnan(part->changes[c].to.x) && part->changes[c].index < first)
            part->changes[gone++].index = part->changes[c].index;
    qsort(part->changes, gone, sizeof *part->changes, compare_indices_down);
    for (uint32_t g = 0; g < gone; g++) {
        uint32_t index = part->changes[g].index;
        bool again = g > 0 && index == part->changes[g - 1].index;
        if (!again && (part->at[index] & ALDIS__MEMBER_GONE)) /* else it has come back */
            remove_at(grid, part, index);
    }
}

/* Memory is kept for as many moves as a window usually brings. To join and leave is seldom. */
static void forget_changes(struct aldis__place_part *part)
{
    if (part->change_capacity > KEPT_MIN && part->change_capacity / 4 > part->change_usual) {
        free(part->changes);
        part->changes = NULL;
        part->change_capacity = 0;
    }
    uint32_t usual = part->change_usual - part->change_usual / 8;
    uint32_t others = part->joined + part->leaves;
    uint32_t moves = part->change_count > others ? part->change_count - others : 0;
    part->change_usual = moves > usual ? moves : usual;
    if (part->joiner_capacity > KEPT_MIN) {
        free(part->joiners);
        part->joiners = NULL;
        part->joiner_capacity = 0;
    }
    part->change_count = part->leaves = part->joined = part->unnoted = 0;
}

/* ------------------------------------------------------------------ the end of a window */

/* So that nothing fails halfway. */
static bool make_room(struct aldis__grid *grid, struct aldis__place_part **parts, size_t count)
{
    uint32_t joined = 0;
    for (size_t p = 0; p < count; p++) {
        joined += parts[p]->joined;
        if (parts[p]->joined &&
            !aldis__members_reserve(parts[p], parts[p]->joined, parts[p]->unnoted))
            return false;
    }
    return aldis__grid_reserve(grid, joined);
}

/* All parts of one place that have something to apply, in the order of the shards. First those who
 * are there, so that who leaves makes room for who joins. */
static bool end_window_of(struct aldis__place *place, struct aldis__place_part **parts,
                          size_t count)
{
    struct aldis__grid *grid = &place->grid->grid;
    uint64_t changes = 0;
    for (size_t p = 0; p < count; p++)
        changes += parts[p]->change_count;
    if (changes && !make_room(grid, parts, count))
        return false;
    /* Relaxed: nothing runs. */
    uint32_t members = aldis__load_relaxed(&place->members);
    if (changes * CHANGES_FOR_SORT > members)
        grid->is_loose = true;
    count_looks(place);
    for (size_t p = 0; p < count; p++)
        members += change_members(grid, parts[p]);
    for (size_t p = 0; p < count; p++) {
        uint32_t first = parts[p]->count;
        if (parts[p]->joined)
            members = admit(grid, parts[p], members);
        remove_gone(grid, parts[p], first);
        forget_changes(parts[p]);
        parts[p]->listed = false;
    }
    aldis__store_relaxed(&place->members, members); /* relaxed: nothing runs */
    if (grid->sorted + grid->strays > 0 && is_to_be_sorted(place) && !sort(place))
        return false;
    if (aldis__watches_prepare(place->watches, changes > 0))
        aldis__place_wake(&place->system->workers[0], place, aldis_nobody());
    return true;
}

static int compare_parts(const void *a, const void *b)
{
    const struct aldis__place_part *x = *(struct aldis__place_part *const *)a;
    const struct aldis__place_part *y = *(struct aldis__place_part *const *)b;
    if (x->place->number != y->place->number)
        return x->place->number < y->place->number ? -1 : 1;
    return x->shard < y->shard ? -1 : x->shard > y->shard;
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
