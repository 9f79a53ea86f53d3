// SPDX-License-Identifier: Apache-2.0
/* members_test.c: who is in which of several places, and where, as actors join, move, leave and end
 * in any order, also several times in one window and with other actors' turns between. */
#include "core/fixture.h"

#include "base/hash.h"
#include "core/window.h"

enum { MOVERS = 96, PLACES = 3, ROUNDS = 60 };

/* What an actor has said last; written by itself, read when all is at rest. */
struct said {
    bool here;
    aldis_point at;
};

static aldis_place places[PLACES];
static puppet_ref movers[MOVERS];
static struct said now[MOVERS][PLACES], before[MOVERS][PLACES];
static bool ended[MOVERS];
static bool is_virtual;

static bool is_as_said(const struct said *said, aldis_err err, const aldis_point *at)
{
    if (!said->here)
        return err == ALDIS_ENOTFOUND;
    return err == ALDIS_OK && at->x == said->at.x && at->y == said->at.y && at->z == said->at.z;
}

static void look_for(uint32_t who, uint32_t place, const struct said *said, aldis_ctx *ctx)
{
    aldis_point at = {-1, -1, -1};
    aldis_err err = aldis_place_where(ctx, places[place], movers[who].id, &at);
    if (!is_as_said(said, err, &at))
        fixture_note(__FILE__, __LINE__, "mover %u in place %u: error %d at %g, expected %d at %g",
                     who, place, (int)err, at.x, said->here, said->at.x);
}

static void step(uint32_t self, uint64_t choice, aldis_ctx *ctx)
{
    uint32_t place = (uint32_t)(choice % PLACES);
    struct said *said = &now[self][place];
    double v = (double)(choice >> 40 & 0xff);
    if (choice >> 8 & 1 || (choice >> 8 & 7) == 0) {
        *said = (struct said){true, {v, v + 1, (double)self}};
        EXPECT_OK(aldis_place_set(ctx, places[place], said->at.x, said->at.y, said->at.z));
    } else {
        *said = (struct said){false, {0, 0, 0}};
        EXPECT_OK(aldis_place_leave(ctx, places[place]));
    }
}

/* act->a: random bits; act->b: who it is. */
static aldis_err wander(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    uint64_t bits = act->a;
    uint32_t self = (uint32_t)act->b, other = (uint32_t)(bits % MOVERS);
    (void)puppet;
    if (ended[self])
        return ALDIS_OK;
    if (is_virtual) /* as of the window's start */
        look_for(other, (uint32_t)(bits >> 32 & 1), &before[other][bits >> 32 & 1], ctx);
    for (uint64_t steps = bits >> 20 & 3; steps > 0; steps--)
        step(self, aldis__mix64(bits += steps), ctx);
    if (bits >> 50 & 63)
        return ALDIS_OK;
    ended[self] = true;
    memset(now[self], 0, sizeof now[self]);
    return aldis_stop(ctx, aldis_self(ctx));
}

static aldis_err look_at_all(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    (void)puppet;
    (void)act;
    for (uint32_t place = 0; place < PLACES; place++) {
        size_t expected = 0, found;
        for (uint32_t who = 0; who < MOVERS; who++) {
            look_for(who, place, &now[who][place], ctx);
            expected += now[who][place].here;
        }
        const aldis_sphere all = {{0, 0, 0}, 1e9, NULL};
        EXPECT_OK(aldis_place_within(ctx, places[place], &all, NULL, 0, &found));
        EXPECT_UINT(found, expected);
    }
    return ALDIS_OK;
}

static void spawn_mover(struct fixture *f, uint32_t number)
{
    movers[number] =
        fixture_spawn(f, NULL,
                      &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                          .shard = number % aldis_system_shards(f->system)});
    ended[number] = false;
}

static void check_stats(struct fixture *f)
{
    for (uint32_t place = 0; place < PLACES; place++) {
        aldis_place_stats stats;
        uint64_t expected = 0;
        for (uint32_t who = 0; who < MOVERS; who++)
            expected += now[who][place].here;
        CHECK_OK(aldis_place_get_stats(f->system, places[place], &stats));
        CHECK_UINT(stats.members, expected);
    }
}

/* Live, it may be about to end, or have ended. */
static void tell_to_wander(struct fixture *f, uint32_t number, uint64_t bits)
{
    struct act act = {.run = wander, .a = bits, .b = number};
    aldis_err err = aldis_system_send_until_raw(f->system, movers[number].id, &act_type, &act,
                                                sizeof act, 60 * ALDIS_SECOND);
    if (is_virtual || (err != ALDIS_ESTALE && err != ALDIS_ESHUTDOWN))
        CHECK_ERR(err, ALDIS_OK);
}

static void wander_about(struct fixture *f, uint64_t seed)
{
    static const char *const names[PLACES] = {"sol", "sky", "lanes"};
    fixture_open(f, NULL);
    is_virtual = f->clock == ALDIS_CLOCK_VIRTUAL;
    memset(now, 0, sizeof now);
    for (uint32_t p = 0; p < PLACES; p++)
        CHECK_OK(aldis_place_open(
            f->system, names[p], &(aldis_place_opts){.lookup = true, .refresh_ns = 1}, &places[p]));
    for (uint32_t i = 0; i < MOVERS; i++)
        spawn_mover(f, i);
    puppet_ref looker = fixture_spawn(f, NULL, NULL);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t bits = aldis__mix64(seed * ROUNDS + round), share = 1 + bits % 4;
        memcpy(before, now, sizeof before);
        for (unsigned turn = 0; turn < 3; turn++)
            for (uint32_t i = 0; i < MOVERS; i++) {
                bits = aldis__mix64(bits + i);
                if (bits % share == 0)
                    tell_to_wander(f, i, bits);
            }
        fixture_settle(f);
        check_stats(f);
        fixture_tell(f, looker, look_at_all, (struct act){.a = 0});
        fixture_settle(f);
        for (uint32_t i = 0; i < MOVERS; i++)
            if (ended[i])
                spawn_mover(f, i);
        fixture_settle(f);
    }
}

TEST_EACH(members_are_where_they_said_last)
{
    wander_about(f, f->workers);
}

/* A window that is not sorted: actors of one shard take turns in it. */
TEST_VIRTUAL(turns_of_other_actors_between_change_nothing)
{
    aldis__window_test = (struct aldis__window_test){.unsorted = true};
    wander_about(f, 10 + f->workers);
    aldis__window_test = (struct aldis__window_test){.unsorted = false};
}

/* ------------------------------------------------------------------ room */

static aldis_err be_there(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    (void)puppet;
    EXPECT_OK(aldis_place_set(ctx, places[0], (double)act->a, 0, 0));
    return ALDIS_OK;
}

static aldis_err go_away(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    (void)puppet;
    (void)act;
    EXPECT_OK(aldis_place_leave(ctx, places[0]));
    return ALDIS_OK;
}

static aldis_err join_both(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    (void)puppet;
    (void)act;
    for (uint32_t p = 0; p < 2; p++) {
        EXPECT_OK(aldis_place_set(ctx, places[p], 1, 1, 1));
        EXPECT_OK(aldis_place_set(ctx, places[p], 2, 2, 2));
    }
    return ALDIS_OK;
}

TEST_VIRTUAL(who_sets_its_place_twice_joins_once)
{
    static const char *const names[2] = {"sol", "sky"};
    fixture_open(f, NULL);
    for (uint32_t p = 0; p < 2; p++)
        CHECK_OK(aldis_place_open(f->system, names[p], &(aldis_place_opts){.members_max = 1},
                                  &places[p]));
    spawn_mover(f, 0);
    fixture_tell(f, movers[0], join_both, (struct act){.a = 0});
    fixture_settle(f);
    for (uint32_t p = 0; p < 2; p++) {
        aldis_place_stats stats;
        CHECK_OK(aldis_place_get_stats(f->system, places[p], &stats));
        CHECK_UINT(stats.members, 1);
        CHECK_UINT(stats.sets, 2);
        CHECK_UINT(stats.merged, 1);
    }
}

/* Two are there and there is room for three; two more come, on shards of their own. */
static aldis_place_stats crowd(struct fixture *f, bool one_leaves)
{
    fixture_open(f, NULL);
    CHECK_OK(aldis_place_open(f->system, "sol", &(aldis_place_opts){.members_max = 3}, &places[0]));
    for (uint32_t i = 0; i < 4; i++)
        spawn_mover(f, i);
    for (uint32_t i = 2; i < 4; i++)
        fixture_tell(f, movers[i], be_there, (struct act){.a = i});
    fixture_settle(f);
    for (uint32_t i = 0; i < 2; i++)
        fixture_tell(f, movers[i], be_there, (struct act){.a = i});
    if (one_leaves)
        fixture_tell(f, movers[3], go_away, (struct act){.a = 0});
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, places[0], &stats));
    return stats;
}

TEST_VIRTUAL(who_has_found_no_room_is_counted)
{
    aldis_place_stats stats = crowd(f, false);
    CHECK_UINT(stats.members, 3);
    CHECK_UINT(stats.members_refused, 1);
}

TEST_VIRTUAL(who_leaves_makes_room_for_who_joins)
{
    aldis_place_stats stats = crowd(f, true);
    CHECK_UINT(stats.members, 3);
    CHECK_UINT(stats.members_refused, 0);
}

/* ------------------------------------------------------------------ strays */

enum { CROWD = 1000, LATE = 40, ASKS = 100 };

static aldis_err ask_often(struct puppet *puppet, const struct act *act, aldis_ctx *ctx)
{
    (void)puppet;
    (void)act;
    const aldis_sphere here = {{7, 0, 0}, 0.5, NULL};
    size_t found;
    for (uint32_t i = 0; i < ASKS; i++) {
        EXPECT_OK(aldis_place_within(ctx, places[0], &here, NULL, 0, &found));
        EXPECT_UINT(found, 1);
    }
    return ALDIS_OK;
}

static uint64_t count_builds(struct fixture *f)
{
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, places[0], &stats));
    return stats.builds;
}

/* A few more are no reason to sort, until those who ask have looked at them often enough. */
TEST_VIRTUAL(strays_are_sorted_in_when_they_have_cost_as_much)
{
    static puppet_ref crowd_of[CROWD];
    fixture_open(f, NULL);
    CHECK_OK(aldis_place_open(f->system, "sol", NULL, &places[0]));
    for (uint32_t i = 0; i < CROWD; i++)
        crowd_of[i] = fixture_spawn(f, NULL, NULL);
    for (uint32_t i = 0; i < CROWD - LATE; i++)
        fixture_tell(f, crowd_of[i], be_there, (struct act){.a = i});
    fixture_settle(f);
    for (uint32_t i = CROWD - LATE; i < CROWD; i++)
        fixture_tell(f, crowd_of[i], be_there, (struct act){.a = i});
    fixture_settle(f);
    CHECK_UINT(count_builds(f), 1);
    uint64_t asked = 0;
    for (; count_builds(f) == 1 && asked < 10 * CROWD; asked += ASKS) {
        fixture_tell(f, crowd_of[0], ask_often, (struct act){.a = 0});
        fixture_settle(f);
    }
    CHECK(asked > ASKS && asked < CROWD);
    for (unsigned i = 0; i < 3; i++)
        fixture_tell(f, crowd_of[0], ask_often, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(count_builds(f), 2);
}
