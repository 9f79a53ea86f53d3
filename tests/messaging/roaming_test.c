// SPDX-License-Identifier: Apache-2.0
/* roaming_test.c: whole runs with a place: actors that move, tell, look, watch, are busy, leave and
 * stop at random, and the same run on any number of workers. */
#include "core/fixture.h"

#include "base/hash.h"

ALDIS_MESSAGE(hail, uint64_t);

static aldis_place sol;

ALDIS_SIGNAL(roam);
#define ROVER_PROTOCOL(X, kind)                                                                    \
    X(kind, roam) X(kind, hail) X(kind, aldis_entered) X(kind, aldis_left) X(kind, aldis_moved)
ALDIS_PROTOCOL(rover, ROVER_PROTOCOL);

struct rover {
    uint64_t digest, steps;
    double x, y, z;
};

static aldis_err rover_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    rover_ref me = {.id = aldis_self(ctx)};
    return aldis_signal(ctx, me, roam);
}

static double step_by(aldis_ctx *ctx)
{
    return 20 * aldis_random_unit(ctx) - 10;
}

static void look_around(struct rover *self, aldis_ctx *ctx)
{
    aldis_found near[5];
    uint32_t count;
    aldis_fanout out;
    aldis_point here = {self->x, self->y, self->z};
    EXPECT_OK(aldis_place_tell(ctx, sol, here, 15, &out, hail, self->steps));
    self->digest = self->digest * 31 + out.matched;
    EXPECT_OK(aldis_place_nearest(ctx, sol, here, NULL, 5, near, &count));
    for (uint32_t i = 0; i < count; i++)
        self->digest = aldis__digest_bytes(self->digest, &near[i].at, sizeof near[i].at);
}

static aldis_err rover_on_roam(struct rover *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    rover_ref me = {.id = aldis_self(ctx)};
    aldis_sphere sphere = {{self->x, self->y, self->z}, 12, NULL};
    switch (aldis_random_below(ctx, 16)) {
    case 0:
        EXPECT_OK(aldis_place_watch(ctx, sol, &sphere, (uint32_t)aldis_random_below(ctx, 2),
                                    (unsigned)aldis_random_below(ctx, 4)));
        break;
    case 1:
        EXPECT_OK(aldis_place_unwatch(ctx, sol, (uint32_t)aldis_random_below(ctx, 2)));
        break;
    case 2:
        EXPECT_OK(aldis_place_leave(ctx, sol));
        break;
    case 3:
        EXPECT_OK(aldis_busy(ctx, (aldis_ns)aldis_random_below(ctx, 20) * ALDIS_MS));
        break;
    case 4:
        if (aldis_random_below(ctx, 4) == 0)
            return aldis_stop(ctx, me.id);
        break;
    }
    if (aldis_random_below(ctx, 4)) {
        self->x += step_by(ctx);
        self->y += step_by(ctx);
        self->z += step_by(ctx) / 4;
        EXPECT_OK(aldis_place_set(ctx, sol, self->x, self->y, self->z));
    }
    look_around(self, ctx);
    return ++self->steps == 40 ? aldis_stop(ctx, me.id)
                               : aldis_signal_after(ctx, ALDIS_MS, me, roam);
}

static aldis_err rover_on_hail(struct rover *self, const uint64_t *value, aldis_ctx *ctx)
{
    self->digest = self->digest * 7 + *value + aldis_sender(ctx).bits % 1000;
    return ALDIS_OK;
}

static aldis_err take(struct rover *self, const aldis_place_event *event, uint64_t what)
{
    self->digest = aldis__digest_bytes(self->digest + what, &event->at, sizeof event->at);
    return ALDIS_OK;
}

static aldis_err rover_on_aldis_entered(struct rover *self, const aldis_place_event *event,
                                        aldis_ctx *ctx)
{
    (void)ctx;
    return take(self, event, 1);
}

static aldis_err rover_on_aldis_left(struct rover *self, const aldis_place_event *event,
                                     aldis_ctx *ctx)
{
    (void)ctx;
    return take(self, event, 2);
}

static aldis_err rover_on_aldis_moved(struct rover *self, const aldis_place_event *event,
                                      aldis_ctx *ctx)
{
    (void)ctx;
    return take(self, event, 3);
}

static uint64_t rover_digest(const void *state)
{
    return ((const struct rover *)state)->digest;
}

ALDIS_BEHAVIOUR(rover, struct rover, ROVER_PROTOCOL, .on_start = rover_start,
                .digest = rover_digest, .mailbox = {.capacity_msgs = 16});

enum { ROVERS = 300 };
static uint64_t prints[3][2];

static void run_rovers(struct fixture *f)
{
    fixture_open(f, &(aldis_system_opts){.seed = 7});
    CHECK_OK(aldis_place_open(f->system, "sol", &(aldis_place_opts){.events_max = 4}, &sol));
    for (uint32_t i = 0; i < ROVERS; i++) {
        rover_ref ref;
        CHECK_OK(aldis_spawn(f->system, rover, &ref,
                             &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE}));
    }
    fixture_settle(f);
    aldis_place_stats stats;
    CHECK_OK(aldis_place_get_stats(f->system, sol, &stats));
    CHECK_UINT(stats.members, 0); /* all have stopped */
    if (f->clock == ALDIS_CLOCK_VIRTUAL)
        CHECK(stats.watches + stats.events_waiting == 0 && stats.events > 1000);
}

TEST_EACH(a_swarm_has_one_print)
{
    run_rovers(f);
    if (f->clock == ALDIS_CLOCK_LIVE)
        return;
    unsigned i = f->workers / 2;
    prints[i][0] = aldis_system_run_print(f->system);
    CHECK(prints[i][0] != 0);
    if (prints[0][0]) /* cases may be run alone */
        CHECK_UINT(prints[i][0], prints[0][0]);
}
