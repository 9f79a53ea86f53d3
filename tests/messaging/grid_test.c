// SPDX-License-Identifier: Apache-2.0
/* The grid against looking at everybody, over many worlds: even, clustered, flat, in lines, all at
 * one point, far from the origin, with outliers, with cells of any size. */
#include "base/hash.h"
#include "harness.h"
#include "messaging/grid.h"
#include <stdlib.h>

enum { MEMBERS = 400, WORLDS = 10, QUERIES = 40 };

struct world {
    uint64_t state; /* of the random numbers */
    struct aldis__member members[MEMBERS];
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

static void build(struct world *w)
{
    static const double cells[] = {1e-90, 0.5, 3, 40, 1000, 1e20, 1e150};
    double cell = cells[draw(w) % (sizeof cells / sizeof cells[0])];
    uint32_t first = w->count / 3;
    CHECK(aldis__grid_begin(&w->grid, w->count, cell));
    aldis__grid_count(&w->grid, w->members, first);
    aldis__grid_count(&w->grid, w->members + first, w->count - first);
    aldis__grid_fill(&w->grid, w->members, first);
    aldis__grid_fill(&w->grid, w->members + first, w->count - first);
    for (uint32_t i = 0; i < w->count; i++)
        CHECK_UINT(w->grid.spots[w->members[i].at].id.bits, w->members[i].spot.id.bits);
}

static void begin_world(struct world *w, uint64_t seed, unsigned kind)
{
    memset(w, 0, sizeof *w);
    aldis__grid_init(&w->grid);
    w->state = seed;
    w->count = (uint32_t)(draw(w) % MEMBERS);
    for (uint32_t i = 0; i < w->count; i++) {
        w->members[i] = (struct aldis__member){.spot.id.bits = i + 1, .at = ALDIS__SPOT_NONE};
        place_member(w, kind, i);
    }
    build(w);
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
        const struct aldis__member *member = &w->members[i];
        bool inside = member->at != ALDIS__SPOT_NONE &&
                      aldis__ball_distance2(&ball, &member->spot) <= ball.radius * ball.radius;
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

/* Few changes, or as many as there is room for: also those that go back and forth. */
static void change(struct world *w, unsigned kind)
{
    uint32_t i = (uint32_t)(draw(w) % w->count);
    struct aldis__member *member = &w->members[i];
    if (draw(w) % 4 == 0) {
        aldis__grid_remove(&w->grid, member);
        return;
    }
    place_member(w, kind, i);
    if (aldis__grid_move(&w->grid, member))
        return;
    /* No room: a new grid of those that are left. */
    uint32_t kept = 0;
    for (uint32_t k = 0; k < w->count; k++)
        if (w->members[k].at != ALDIS__SPOT_NONE || k == i)
            w->members[kept++] = w->members[k];
    w->count = kept;
    build(w);
}

TEST(grid_stays_right_while_members_move_come_and_go)
{
    static struct world w;
    for (uint64_t seed = 0; seed < 60; seed++)
        for (unsigned kind = 0; kind < WORLDS; kind++) {
            begin_world(&w, seed, kind);
            for (unsigned q = 0; q < QUERIES && w.count; q++) {
                for (uint64_t changes = draw(&w) % 12; changes > 0 && w.count; changes--)
                    change(&w, kind);
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
    CHECK(aldis__grid_begin(&w.grid, 0, 1));
    aldis__grid_scan(&w.grid, &ball, see, &w);
    for (size_t i = 0; i <= MEMBERS; i++)
        CHECK_UINT(w.seen[i], 0);
    aldis__grid_fini(&w.grid);
}
