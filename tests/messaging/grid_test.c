// SPDX-License-Identifier: Apache-2.0
/* The grid against looking at everybody, over many worlds: even, clustered, flat, in lines, all at
 * one point, far from the origin, with outliers, with cells of any size. */
#include "base/hash.h"
#include "harness.h"
#include "messaging/grid.h"
#include <stdlib.h>

enum { MEMBERS = 400, WORLDS = 10, QUERIES = 40 };

struct member {
    struct aldis__spot spot;
    uint32_t at; /* of its spot in the grid, or ALDIS__SPOT_NONE */
};

struct world {
    uint64_t state; /* of the random numbers */
    struct member members[MEMBERS];
    uint32_t count;
    uint32_t seen[MEMBERS + 1]; /* by id */
    struct aldis__grid grid;
};

static uint64_t draw(struct world *w)
{
    w->state += UINT64_C(0x9e3779b97f4a7c15);
    return aldis__mix64(w->state);
}

static double unit(struct world *w)
{
    return (double)(draw(w) >> 11) * 0x1p-53;
}

static double around(struct world *w, double centre, double spread)
{
    return centre + spread * (2 * unit(w) - 1);
}

/* One of several kinds of worlds. */
static struct aldis__spot spot_in(struct world *w, unsigned kind, uint32_t i)
{
    static const double cluster[4] = {-700, 30, 31, 900};
    double c = cluster[draw(w) % 4];
    switch (kind) {
    case 0: /* even */
        return (struct aldis__spot){
            .x = around(w, 0, 1000), .y = around(w, 0, 1000), .z = around(w, 0, 1000)};
    case 1: /* in clusters */
        return (struct aldis__spot){
            .x = around(w, c, 5), .y = around(w, c, 5), .z = around(w, c, 5)};
    case 2: /* flat */
        return (struct aldis__spot){.x = around(w, 0, 500), .y = around(w, 0, 500), .z = -3};
    case 3: /* on a line */
        return (struct aldis__spot){.x = 7, .y = around(w, 0, 1e4), .z = 7};
    case 4: /* at one point */
        return (struct aldis__spot){.x = 0.1, .y = 0.2, .z = 0.3};
    case 5: /* on a lattice, so that many lie on the surface */
        return (struct aldis__spot){
            .x = (double)(draw(w) % 9), .y = (double)(draw(w) % 9), .z = (double)(draw(w) % 9)};
    case 6: /* far out: neighbours differ in the last bits */
        return (struct aldis__spot){
            .x = around(w, 1e12, 0.01), .y = around(w, -3e12, 0.01), .z = around(w, 1e12, 0.01)};
    case 7: /* one outlier of each kind */
        if (i < 4)
            return (struct aldis__spot){
                .x = i & 1 ? 1e150 : -1e150, .y = i & 2 ? 1e90 : -1e150, .z = 1e-300};
        return (struct aldis__spot){
            .x = around(w, 0, 50), .y = around(w, 0, 50), .z = around(w, 0, 50)};
    case 8: /* tiny */
        return (struct aldis__spot){
            .x = around(w, 0, 1e-200), .y = around(w, 0, 1e-160), .z = around(w, 0, 1e-170)};
    default: /* of all magnitudes */
        return (struct aldis__spot){.x = ldexp(around(w, 0, 1), (int)(draw(w) % 80) - 40),
                                    .y = ldexp(around(w, 0, 1), (int)(draw(w) % 80) - 40),
                                    .z = ldexp(around(w, 0, 1), (int)(draw(w) % 80) - 40)};
    }
}

static void place_member(struct world *w, unsigned kind, uint32_t i)
{
    struct aldis__spot spot = spot_in(w, kind, i);
    spot.id = w->members[i].spot.id;
    w->members[i].spot = spot;
}

static void check_spots(struct world *w)
{
    CHECK_UINT(w->grid.live, w->count);
    for (uint32_t i = 0; i < w->count; i++) {
        const struct aldis__spot *spot = &w->grid.spots[w->members[i].at];
        CHECK_UINT(spot->id.bits, w->members[i].spot.id.bits);
        CHECK(spot->x == w->members[i].spot.x && spot->y == w->members[i].spot.y &&
              spot->z == w->members[i].spot.z);
    }
}

static void sort(struct world *w)
{
    static const double cells[] = {1e-90, 0.5, 3, 40, 1000, 1e20, 1e150};
    CHECK(aldis__grid_plan(&w->grid, cells[draw(w) % (sizeof cells / sizeof cells[0])]));
    for (uint32_t i = 0; i < w->count; i++)
        w->members[i].at = w->grid.order[w->members[i].at];
    aldis__grid_arrange(&w->grid);
    CHECK_UINT(w->grid.sorted, w->count);
    check_spots(w);
}

static void begin_world(struct world *w, uint64_t seed, unsigned kind)
{
    memset(w, 0, sizeof *w);
    aldis__grid_init(&w->grid);
    w->state = seed;
    w->count = (uint32_t)(draw(w) % MEMBERS);
    for (uint32_t i = 0; i < w->count; i++) {
        w->members[i] = (struct member){.spot.id.bits = i + 1};
        place_member(w, kind, i);
        CHECK(aldis__grid_reserve(&w->grid, i % 3 ? 1 : 3));
        w->members[i].at = aldis__grid_add(&w->grid, &w->members[i].spot);
    }
    sort(w);
}

static void see(void *arg, const struct aldis__spot *spot, double distance2)
{
    struct world *w = arg;
    (void)distance2;
    w->seen[spot->id.bits]++;
}

static struct aldis__ball some_ball(struct world *w, unsigned kind)
{
    static const double radii[] = {0, 1, 2, 10, 333, 1e-200, 1e9, 1e150};
    struct aldis__spot at = spot_in(w, kind, (uint32_t)(draw(w) % 8));
    double radius = radii[draw(w) % (sizeof radii / sizeof radii[0])];
    if (draw(w) % 2 && w->count) { /* as far as one of the members is */
        const struct aldis__spot *other = &w->members[draw(w) % w->count].spot;
        struct aldis__ball ball = {at.x, at.y, at.z, 0};
        radius = sqrt(aldis__ball_distance2(&ball, other));
        radius = radius <= 1e150 ? radius : 1e150;
    }
    return (struct aldis__ball){at.x, at.y, at.z, radius};
}

static void check_query(struct world *w, uint64_t seed, unsigned kind)
{
    struct aldis__ball ball = some_ball(w, kind);
    memset(w->seen, 0, sizeof w->seen);
    aldis__grid_scan(&w->grid, &ball, see, w);
    for (uint32_t i = 0; i < w->count; i++) {
        const struct member *member = &w->members[i];
        bool inside = aldis__ball_distance2(&ball, &member->spot) <= ball.radius * ball.radius;
        if (w->seen[member->spot.id.bits] != inside)
            test_fail(__FILE__, __LINE__,
                      "seed %" PRIu64 " world %u, ball (%g, %g, %g) %g: member %u at (%g, %g, %g) "
                      "was seen %u times, expected %d",
                      seed, kind, ball.x, ball.y, ball.z, ball.radius, i, member->spot.x,
                      member->spot.y, member->spot.z, w->seen[member->spot.id.bits], inside);
    }
}

TEST(grid_finds_what_looking_at_everybody_finds)
{
    static struct world w;
    for (uint64_t seed = 0; seed < 100; seed++)
        for (unsigned kind = 0; kind < WORLDS; kind++) {
            begin_world(&w, seed, kind);
            for (unsigned q = 0; q < QUERIES; q++)
                check_query(&w, seed, kind);
            aldis__grid_fini(&w.grid);
        }
}

/* One leaves, and its number is free for the next one. */
static void remove_member(struct world *w, uint32_t i)
{
    aldis__grid_remove(&w->grid, w->members[i].at);
    struct member gone = w->members[i];
    w->members[i] = w->members[--w->count];
    w->members[w->count] = gone;
}

/* Few changes, or as many as there is room for: also those that go back and forth. */
static void change(struct world *w, unsigned kind)
{
    uint32_t i = draw(w) % 3 ? (uint32_t)(draw(w) % (w->count + 1)) : w->count;
    if (draw(w) % 16 == 0)
        w->grid.is_loose = true; /* many are to change */
    if (i == w->count) {
        if (w->count == MEMBERS)
            return;
        if (w->members[i].spot.id.bits == 0)
            w->members[i].spot.id.bits = i + 1;
        place_member(w, kind, i);
        CHECK(aldis__grid_reserve(&w->grid, 1));
        w->members[i].at = aldis__grid_add(&w->grid, &w->members[i].spot);
        w->count++;
    } else if (draw(w) % 4 == 0) {
        remove_member(w, i);
    } else {
        place_member(w, kind, i);
        const struct aldis__spot *to = &w->members[i].spot;
        w->members[i].at =
            aldis__grid_move(&w->grid, w->members[i].at, &(aldis_point){to->x, to->y, to->z});
    }
}

TEST(grid_stays_right_while_members_move_come_and_go)
{
    static struct world w;
    for (uint64_t seed = 0; seed < 60; seed++)
        for (unsigned kind = 0; kind < WORLDS; kind++) {
            begin_world(&w, seed, kind);
            for (unsigned q = 0; q < QUERIES; q++) {
                for (uint64_t changes = draw(&w) % 12; changes > 0; changes--)
                    change(&w, kind);
                check_spots(&w);
                if (w.grid.is_loose)
                    sort(&w);
                CHECK(w.grid.strays <= w.grid.strays_max);
                check_query(&w, seed, kind);
            }
            aldis__grid_fini(&w.grid);
        }
}

TEST(grid_of_nobody_finds_nobody)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    aldis__grid_init(&w.grid);
    struct aldis__ball ball = {0, 0, 0, 1e150};
    aldis__grid_scan(&w.grid, &ball, see, &w);
    CHECK(aldis__grid_reserve(&w.grid, 0));
    CHECK(aldis__grid_plan(&w.grid, 1));
    aldis__grid_arrange(&w.grid);
    aldis__grid_scan(&w.grid, &ball, see, &w);
    for (size_t i = 0; i <= MEMBERS; i++)
        CHECK_UINT(w.seen[i], 0);
    aldis__grid_fini(&w.grid);
}
