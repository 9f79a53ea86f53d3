// SPDX-License-Identifier: Apache-2.0
/* grid.c: see grid.h. Layer: messaging. */
#include "messaging/grid.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS_MIN = 16,
    STRAYS_MIN = 32,
    ROW_COST = 8 /* looking for a row costs as much as looking at so many spots */
};

void aldis__grid_init(struct aldis__grid *grid)
{
    *grid = (struct aldis__grid){.cell = 1, .inverse = 1};
}

void aldis__grid_fini(struct aldis__grid *grid)
{
    free(grid->spots);
    free(grid->ends);
    *grid = (struct aldis__grid){.cell = 1, .inverse = 1};
}

/* ------------------------------------------------------------------ building */

static uint32_t strays_for(size_t total)
{
    uint32_t root = (uint32_t)sqrt((double)total);
    return root > STRAYS_MIN ? root : STRAYS_MIN;
}

/* The power of two that is nearest below, or the cell itself. */
static double round_cell(double cell)
{
    int exponent;
    (void)frexp(cell, &exponent);
    return ldexp(1, exponent - 1);
}

bool aldis__grid_begin(struct aldis__grid *grid, size_t total, double cell)
{
    size_t buckets = BUCKETS_MIN;
    while (buckets < 2 * total)
        buckets *= 2;
    uint32_t strays = strays_for(total);
    /* The arrays in use change only when both are there. */
    struct aldis__spot *spots = grid->spots;
    uint32_t *ends = grid->ends;
    size_t capacity = grid->spots_capacity;
    if (total + strays > capacity) {
        capacity = total + total / 4 + strays;
        spots = malloc(capacity * sizeof *spots);
    }
    if (buckets + 2 > grid->ends_capacity)
        ends = malloc((buckets + 2) * sizeof *ends);
    if (!spots || !ends) {
        if (spots != grid->spots)
            free(spots);
        if (ends != grid->ends)
            free(ends);
        return false;
    }
    if (spots != grid->spots) {
        free(grid->spots);
        grid->spots = spots;
        grid->spots_capacity = capacity;
    }
    if (ends != grid->ends) {
        free(grid->ends);
        grid->ends = ends;
        grid->ends_capacity = buckets + 2;
    }
    memset(grid->ends, 0, (buckets + 2) * sizeof *grid->ends);
    grid->mask = (uint32_t)buckets - 1;
    grid->sorted = grid->live = (uint32_t)total;
    grid->strays = grid->holes = grid->counted = 0;
    grid->strays_max = strays;
    grid->cell = round_cell(cell);
    grid->inverse = 1 / grid->cell;
    return true;
}

static inline uint32_t bucket_at(const struct aldis__grid *grid, const struct aldis__spot *spot)
{
    uint32_t row =
        aldis__grid_row(aldis__grid_cell_of(grid, spot->y), aldis__grid_cell_of(grid, spot->z));
    return (row + (uint32_t)aldis__grid_cell_of(grid, spot->x)) & grid->mask;
}

void aldis__grid_count(struct aldis__grid *grid, struct aldis__member *members, size_t count)
{
    /* Two places on, so that summing up and filling each move it by one. */
    uint32_t *counts = grid->ends + 2;
    for (size_t i = 0; i < count; i++) {
        uint32_t bucket = bucket_at(grid, &members[i].spot);
        members[i].at = bucket;
        counts[bucket]++;
    }
    grid->counted += (uint32_t)count;
    if (grid->counted < grid->sorted)
        return;
    uint32_t sum = 0;
    for (uint32_t b = 0; b <= grid->mask; b++) {
        sum += grid->ends[b + 1];
        grid->ends[b + 1] = sum;
    }
    grid->counted = 0;
}

void aldis__grid_fill(struct aldis__grid *grid, struct aldis__member *members, size_t count)
{
    uint32_t *next = grid->ends + 1;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = next[members[i].at]++;
        grid->spots[at] = members[i].spot;
        members[i].at = at;
    }
}

/* ------------------------------------------------------------------ changing */

static void leave_hole(struct aldis__grid *grid, uint32_t at)
{
    grid->spots[at].x = (double)NAN;
    grid->holes++;
}

bool aldis__grid_move(struct aldis__grid *grid, struct aldis__member *member)
{
    uint32_t at = member->at;
    if (at != ALDIS__SPOT_NONE && (at >= grid->sorted || bucket_at(grid, &grid->spots[at]) ==
                                                             bucket_at(grid, &member->spot))) {
        grid->spots[at] = member->spot;
        return true;
    }
    if (grid->strays + grid->holes >= grid->strays_max || !grid->spots)
        return false;
    if (at != ALDIS__SPOT_NONE)
        leave_hole(grid, at);
    else
        grid->live++;
    member->at = grid->sorted + grid->strays++;
    grid->spots[member->at] = member->spot;
    return true;
}

void aldis__grid_remove(struct aldis__grid *grid, struct aldis__member *member)
{
    if (member->at == ALDIS__SPOT_NONE)
        return;
    leave_hole(grid, member->at);
    grid->live--;
    member->at = ALDIS__SPOT_NONE;
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
