// SPDX-License-Identifier: Apache-2.0
/* grid.h: positions, sorted by cell. Layer: messaging.
 *
 * Space is cut into cubes; a cube's spots lie side by side in one array, which is put in order by
 * counting sort, in place. Cells are found by a hash, so the world has no size, and an outlier
 * costs nothing: cell (i, j, k) belongs to bucket h(j, k) + i. So the cells of a row along x are
 * neighbours in the array, too, and a sphere is a handful of runs. Two rows may share buckets: what
 * is found is compared with the row that was meant, or it would be found twice.
 *
 * A few positions may change without a new sort: a spot that leaves its bucket leaves a hole, whose
 * x is NaN and so in no sphere, and becomes a stray behind the sorted ones, where all queries look.
 * At most one in sixteen is a stray or a hole; with more, or where many change at once, all is
 * sorted anew.
 *
 * Everything is exact: cells only leave out what cannot be inside. Plain data, no locks: built and
 * changed by one thread, while nobody reads. */
#ifndef ALDIS_MESSAGING_GRID_H
#define ALDIS_MESSAGING_GRID_H

#include <aldis/place.h>
#include <math.h>

struct aldis__spot {
    double x, y, z; /* x NaN: a hole */
    aldis_id id;
};

#define ALDIS__SPOT_NONE (UINT32_MAX >> 1) /* more than there can be */

struct aldis__grid {
    struct aldis__spot *spots; /* by bucket, then the strays */
    uint32_t *ends;            /* bucket b: spots ends[b] .. ends[b + 1] - 1 */
    uint32_t *order;           /* between plan and arrange: where each spot goes */
    uint32_t sorted, strays;
    uint32_t live;       /* spots that are no holes */
    uint32_t strays_max; /* so many strays and holes there may be */
    uint32_t holes;
    uint32_t mask; /* buckets - 1; their number is a power of two */
    bool is_loose; /* spots are no more where their cells are: to be sorted before anybody looks */
    size_t spots_capacity, ends_capacity;
    double cell, inverse; /* powers of two */
};

/** An empty grid, which is loose. */
void aldis__grid_init(struct aldis__grid *grid);
void aldis__grid_fini(struct aldis__grid *grid);
/** Nobody is in it any more; its memory is kept. */
void aldis__grid_clear(struct aldis__grid *grid);

/** Make room for `more` spots, and for as many strays as there may be. False: out of memory; the
 *  grid is as it was. */
bool aldis__grid_reserve(struct aldis__grid *grid, uint32_t more);

/** Put in one more, for whom there is room: a stray. Returns where it is. */
uint32_t aldis__grid_add(struct aldis__grid *grid, const struct aldis__spot *spot);
/** A spot leaves its bucket, or goes where it is (aldis__grid_move). */
uint32_t aldis__grid_stray(struct aldis__grid *grid, uint32_t at, const aldis_point *to);
/** It is there no more. */
void aldis__grid_remove(struct aldis__grid *grid, uint32_t at);

/** Sort all spots into cells of `cell` (rounded to a power of two), in place. The plan says in
 *  `order` where each spot goes, if it is no hole; then they are brought there. Those of one bucket
 *  stay in the order that they had. False: out of memory; nothing has moved. */
bool aldis__grid_plan(struct aldis__grid *grid, double cell);
void aldis__grid_arrange(struct aldis__grid *grid);

/* What a query asks for. */
struct aldis__ball {
    double x, y, z, radius;
};

/* The cells that a ball may touch. */
struct aldis__cover {
    int64_t x0, x1, y0, y1, z0, z1;
    double slack;   /* more than any rounding */
    bool is_linear; /* looking at all spots is less work than looking for them */
    bool is_fine;   /* cells can be told apart: what a row holds of the ball may be worked out */
};

/** Plan a query. */
struct aldis__cover aldis__grid_cover(const struct aldis__grid *grid,
                                      const struct aldis__ball *ball);

/* ------------------------------------------------------------------ looking */

/* Far out all cells of a direction are one, so that the numbers stay in range. */
#define ALDIS__CELL_FAR 0x1p61

/** The number of the cell at coordinate v: the floor, which grows with v. */
static inline int64_t aldis__grid_cell_of(const struct aldis__grid *grid, double v)
{
    double scaled = v * grid->inverse;
    if (!(scaled < ALDIS__CELL_FAR))
        return (int64_t)ALDIS__CELL_FAR;
    if (!(scaled > -ALDIS__CELL_FAR))
        return -(int64_t)ALDIS__CELL_FAR;
    int64_t cell = (int64_t)scaled;
    return cell - (scaled < (double)cell);
}

static inline uint32_t aldis__grid_row(int64_t y, int64_t z)
{
    uint64_t h = (uint64_t)y * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32) ^ (uint64_t)z) * UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)((h ^ (h >> 29)) >> 16);
}

static inline double aldis__ball_distance2(const struct aldis__ball *ball,
                                           const struct aldis__spot *spot)
{
    double dx = spot->x - ball->x, dy = spot->y - ball->y, dz = spot->z - ball->z;
    return dx * dx + dy * dy + dz * dz;
}

static inline double aldis__larger(double a, double b)
{
    return a > b ? a : b;
}

/* How far, squared, the ball's centre is at least from a slice of cells. */
static inline double aldis__grid_apart2(const struct aldis__grid *grid,
                                        const struct aldis__cover *cover, int64_t slice,
                                        double centre)
{
    double low = (double)slice * grid->cell;
    double apart = aldis__larger(low - centre, centre - (low + grid->cell)) - cover->slack;
    return apart > 0 ? apart * apart : 0;
}

/* Narrow a run to the part of a row that the ball may touch. False: none of it. */
static inline bool aldis__grid_narrow(const struct aldis__grid *grid,
                                      const struct aldis__ball *ball,
                                      const struct aldis__cover *cover, double apart2,
                                      int64_t run[2])
{
    double left = ball->radius * ball->radius * (1 + 0x1p-40) - apart2;
    if (left < 0)
        return false;
    double half = sqrt(left) * (1 + 0x1p-40) + cover->slack;
    int64_t first = aldis__grid_cell_of(grid, ball->x - half);
    int64_t last = aldis__grid_cell_of(grid, ball->x + half);
    run[0] = first > cover->x0 ? first : cover->x0;
    run[1] = last < cover->x1 ? last : cover->x1;
    return true;
}

/** The bucket of a point. */
static inline uint32_t aldis__grid_bucket(const struct aldis__grid *grid, double x, double y,
                                          double z)
{
    uint32_t row = aldis__grid_row(aldis__grid_cell_of(grid, y), aldis__grid_cell_of(grid, z));
    return (row + (uint32_t)aldis__grid_cell_of(grid, x)) & grid->mask;
}

/** One has moved. Returns where its spot is now. A grid that is loose only writes it down. */
static inline uint32_t aldis__grid_move(struct aldis__grid *grid, uint32_t at,
                                        const aldis_point *to)
{
    struct aldis__spot *spot = &grid->spots[at];
    if (!grid->is_loose)
        return aldis__grid_stray(grid, at, to);
    spot->x = to->x;
    spot->y = to->y;
    spot->z = to->z;
    return at;
}

/* Called for each spot inside, with the square of its distance. */
typedef void (*aldis__grid_hit)(void *arg, const struct aldis__spot *spot, double distance2);

/* A row of cells along x. */
struct aldis__row {
    int64_t y, z;
    bool is_fine; /* as of the cover */
};

/* Does v lie in this cell? In a fine grid without a conversion: what is compared is what would be
 * rounded down. */
static inline bool aldis__grid_is_in(const struct aldis__grid *grid, double v, int64_t cell,
                                     bool is_fine)
{
    double begin = (double)cell, scaled = v * grid->inverse;
    return is_fine ? scaled >= begin && scaled < begin + 1 : aldis__grid_cell_of(grid, v) == cell;
}

static inline __attribute__((always_inline)) void aldis__grid_look_at(
    const struct aldis__grid *grid, const struct aldis__ball *ball, uint32_t from, uint32_t to,
    const struct aldis__row *row, aldis__grid_hit hit, void *arg)
{
    enum { BLOCK = 32 };
    const double limit = ball->radius * ball->radius;
    while (from < to) {
        /* Those inside first, without a branch: it would be guessed wrong every third time. */
        uint32_t inside[BLOCK], end = to - from > BLOCK ? from + BLOCK : to, count = 0;
        for (; from < end; from++) {
            inside[count] = from;
            count += aldis__ball_distance2(ball, &grid->spots[from]) <= limit;
        }
        for (uint32_t i = 0; i < count; i++) {
            const struct aldis__spot *spot = &grid->spots[inside[i]];
            if (!row || (aldis__grid_is_in(grid, spot->y, row->y, row->is_fine) &&
                         aldis__grid_is_in(grid, spot->z, row->z, row->is_fine)))
                hit(arg, spot, aldis__ball_distance2(ball, spot));
        }
    }
}

/* A part of a row, on its way: its buckets, then its spots. */
struct aldis__run {
    struct aldis__row row;
    uint32_t from, to;
};

/* Rows lie far apart in memory: so all that is to be looked at is asked for first. */
static inline __attribute__((always_inline)) void aldis__grid_look_at_all(
    const struct aldis__grid *grid, const struct aldis__ball *ball, struct aldis__run *runs,
    uint32_t count, aldis__grid_hit hit, void *arg)
{
    enum { FETCHED = 8 }; /* spots of a run; the machine sees by itself what comes behind them */
    for (uint32_t i = 0; i < count; i++) {
        runs[i].from = grid->ends[runs[i].from];
        runs[i].to = grid->ends[runs[i].to];
        uint32_t left = runs[i].to - runs[i].from;
        for (uint32_t ahead = 0; ahead < FETCHED && ahead < left; ahead += 2)
            __builtin_prefetch(&grid->spots[runs[i].from + ahead]);
    }
    for (uint32_t i = 0; i < count; i++)
        aldis__grid_look_at(grid, ball, runs[i].from, runs[i].to, &runs[i].row, hit, arg);
}

/** Call hit for each spot inside the ball: row by row along x, then the strays. With a constant
 *  `hit` all of it is one loop. */
static inline __attribute__((always_inline)) void aldis__grid_scan(const struct aldis__grid *grid,
                                                                   const struct aldis__ball *ball,
                                                                   aldis__grid_hit hit, void *arg)
{
    enum { RUNS = 16 };
    struct aldis__run runs[RUNS];
    uint32_t count = 0;
    struct aldis__cover cover = aldis__grid_cover(grid, ball);
    if (cover.is_linear) {
        aldis__grid_look_at(grid, ball, 0, grid->sorted + grid->strays, NULL, hit, arg);
        return;
    }
    struct aldis__row row = {.is_fine = cover.is_fine};
    for (row.z = cover.z0; row.z <= cover.z1; row.z++) {
        double apart2 = aldis__grid_apart2(grid, &cover, row.z, ball->z);
        for (row.y = cover.y0; row.y <= cover.y1; row.y++) {
            int64_t run[2] = {cover.x0, cover.x1};
            if (cover.is_fine &&
                !aldis__grid_narrow(grid, ball, &cover,
                                    apart2 + aldis__grid_apart2(grid, &cover, row.y, ball->y), run))
                continue;
            if (count > RUNS - 2) {
                aldis__grid_look_at_all(grid, ball, runs, count, hit, arg);
                count = 0;
            }
            uint32_t first = (aldis__grid_row(row.y, row.z) + (uint32_t)run[0]) & grid->mask;
            uint64_t end = first + (uint64_t)(run[1] - run[0]) + 1;
            if (end > (uint64_t)grid->mask + 1) { /* beyond the last bucket it begins anew */
                runs[count++] = (struct aldis__run){row, 0, (uint32_t)(end - grid->mask - 1)};
                end = (uint64_t)grid->mask + 1;
            }
            __builtin_prefetch(&grid->ends[first]);
            runs[count++] = (struct aldis__run){row, first, (uint32_t)end};
        }
    }
    aldis__grid_look_at_all(grid, ball, runs, count, hit, arg);
    aldis__grid_look_at(grid, ball, grid->sorted, grid->sorted + grid->strays, NULL, hit, arg);
}

#endif
