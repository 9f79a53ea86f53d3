// SPDX-License-Identifier: Apache-2.0
/* grid.c: see grid.h. Layer: messaging. */
#include "messaging/grid.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_MIN = 16,
    STRAYS_MIN = 32,
    STRAYS_SHARE = 16, /* one in so many may be a stray or a hole */
    ROW_COST = 8       /* looking for a row costs as much as looking at so many spots */
};

void aldis__grid_init(struct aldis__grid *grid)
{
    *grid = (struct aldis__grid){.is_loose = true, .cell = 1, .inverse = 1};
}

void aldis__grid_fini(struct aldis__grid *grid)
{
    free(grid->spots);
    free(grid->ends);
    free(grid->order);
    aldis__grid_init(grid);
}

void aldis__grid_clear(struct aldis__grid *grid)
{
    grid->sorted = grid->strays = grid->live = grid->holes = grid->strays_max = 0;
    grid->is_loose = true;
}

/* ------------------------------------------------------------------ changing */

static uint32_t used(const struct aldis__grid *grid)
{
    return grid->sorted + grid->strays;
}

bool aldis__grid_reserve(struct aldis__grid *grid, uint32_t more)
{
    size_t needed = (size_t)used(grid) + more + grid->strays_max;
    if (needed <= grid->spots_capacity && grid->spots)
        return true;
    size_t capacity = needed + needed / 16 + STRAYS_MIN;
    struct aldis__spot *spots = realloc(grid->spots, capacity * sizeof *spots);
    if (!spots)
        return false;
    grid->spots = spots;
    grid->spots_capacity = capacity;
    return true;
}

uint32_t aldis__grid_add(struct aldis__grid *grid, const struct aldis__spot *spot)
{
    uint32_t at = grid->sorted + grid->strays++;
    grid->spots[at] = *spot;
    grid->live++;
    grid->is_loose = grid->is_loose || grid->strays + grid->holes > grid->strays_max;
    return at;
}

static void leave_hole(struct aldis__grid *grid, uint32_t at)
{
    grid->spots[at].x = (double)NAN;
    grid->holes++;
}

uint32_t aldis__grid_stray(struct aldis__grid *grid, uint32_t at, const aldis_point *to)
{
    struct aldis__spot *spot = &grid->spots[at];
    if (at < grid->sorted && aldis__grid_bucket(grid, spot->x, spot->y, spot->z) !=
                                 aldis__grid_bucket(grid, to->x, to->y, to->z)) {
        if (grid->strays + grid->holes < grid->strays_max) {
            struct aldis__spot *stray = &grid->spots[used(grid)];
            stray->id = spot->id;
            leave_hole(grid, at);
            at = grid->sorted + grid->strays++;
            spot = stray;
        } else {
            grid->is_loose = true;
        }
    }
    spot->x = to->x;
    spot->y = to->y;
    spot->z = to->z;
    return at;
}

void aldis__grid_remove(struct aldis__grid *grid, uint32_t at)
{
    leave_hole(grid, at);
    grid->live--;
}

/* ------------------------------------------------------------------ sorting */

static uint32_t strays_for(uint32_t live)
{
    uint32_t share = live / STRAYS_SHARE;
    return share > STRAYS_MIN ? share : STRAYS_MIN;
}

/* The power of two that is nearest below, or the cell itself. */
static double round_cell(double cell)
{
    int exponent;
    (void)frexp(cell, &exponent);
    return ldexp(1, exponent - 1);
}

/* As many buckets as there are spots, or up to twice as many, all empty. */
static bool make_buckets(struct aldis__grid *grid)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < grid->live)
        buckets *= 2;
    if (buckets + 2 > grid->ends_capacity) {
        free(grid->ends); /* nothing of it is needed: not both at once */
        grid->ends_capacity = 0;
        grid->ends = malloc((buckets + 2) * sizeof *grid->ends);
        if (!grid->ends)
            return false;
        grid->ends_capacity = buckets + 2;
    }
    memset(grid->ends, 0, (buckets + 2) * sizeof *grid->ends);
    grid->mask = (uint32_t)buckets - 1;
    return true;
}

/* Counting sort (Seward 1954; Knuth, TAOCP 3, 5.2). Counts stand two places on, so that summing up
 * and placing each move them by one. */
bool aldis__grid_plan(struct aldis__grid *grid, double cell)
{
    uint32_t total = used(grid), sum = 0;
    uint32_t *order = malloc((total + (size_t)1) * sizeof *order);
    if (!order || !aldis__grid_reserve(grid, strays_for(grid->live)) || !make_buckets(grid)) {
        free(order);
        return false;
    }
    grid->cell = round_cell(cell);
    grid->inverse = 1 / grid->cell;
    for (uint32_t s = 0; s < total; s++) {
        const struct aldis__spot *spot = &grid->spots[s];
        order[s] = ALDIS__SPOT_NONE;
        if (isnan(spot->x))
            continue;
        order[s] = aldis__grid_bucket(grid, spot->x, spot->y, spot->z);
        grid->ends[order[s] + 2]++;
    }
    uint32_t *next = grid->ends + 1;
    for (uint32_t b = 0; b <= grid->mask; b++) {
        sum += next[b];
        next[b] = sum;
    }
    for (uint32_t s = 0; s < total; s++)
        if (order[s] != ALDIS__SPOT_NONE)
            order[s] = next[order[s]]++;
    grid->order = order;
    return true;
}

/* Cycle by cycle, each of which ends where it began or in a hole. Who has not left its cell is
 * brought a few places on, so this is mostly a sweep. */
void aldis__grid_arrange(struct aldis__grid *grid)
{
    uint32_t total = used(grid), *order = grid->order;
    struct aldis__spot *spots = grid->spots;
    for (uint32_t s = 0; s < total; s++) {
        uint32_t to = order[s];
        if (to == s || to == ALDIS__SPOT_NONE)
            continue;
        struct aldis__spot carried = spots[s];
        order[s] = ALDIS__SPOT_NONE;
        while (to != ALDIS__SPOT_NONE) {
            struct aldis__spot next = spots[to];
            uint32_t next_to = order[to];
            spots[to] = carried;
            order[to] = to;
            carried = next;
            to = next_to;
        }
    }
    free(order);
    grid->order = NULL;
    grid->sorted = grid->live;
    grid->strays = grid->holes = 0;
    grid->strays_max = strays_for(grid->live);
    grid->is_loose = false;
}

/* ------------------------------------------------------------------ looking */

struct aldis__cover aldis__grid_cover(const struct aldis__grid *grid,
                                      const struct aldis__ball *ball)
{
    /* The cells of all v with |v - centre| <= radius as rounded: each step of the way here, and of
     * the test itself, errs by less than 2^-52 of the largest number in it, and where squares
     * vanish, what is nearer than 2^-500 is as good as there. */
    const double relative = 0x1p-46, absolute = 0x1p-500;
    double reach = ball->radius;
    double far = aldis__larger(aldis__larger(fabs(ball->x), fabs(ball->y)), fabs(ball->z));
    struct aldis__cover c = {.slack = (far + reach + 2 * grid->cell) * relative + absolute};
    reach += c.slack;
    c.x0 = aldis__grid_cell_of(grid, ball->x - reach);
    c.x1 = aldis__grid_cell_of(grid, ball->x + reach);
    c.y0 = aldis__grid_cell_of(grid, ball->y - reach);
    c.y1 = aldis__grid_cell_of(grid, ball->y + reach);
    c.z0 = aldis__grid_cell_of(grid, ball->z - reach);
    c.z1 = aldis__grid_cell_of(grid, ball->z + reach);
    double rows = ((double)(c.y1 - c.y0) + 1) * ((double)(c.z1 - c.z0) + 1);
    c.is_linear =
        !grid->ends || rows * ROW_COST >= grid->sorted || (uint64_t)(c.x1 - c.x0) >= grid->mask;
    c.is_fine = (far + reach) * grid->inverse < 0x1p40;
    return c;
}
