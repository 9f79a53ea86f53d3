// SPDX-License-Identifier: Apache-2.0
/* place.c: reach actors by where they are. Ships fly past a lighthouse, which watches the space
 * around it, calls to whoever is near, and looks for the nearest. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_SIGNAL(tick);
ALDIS_MESSAGE(warning, uint64_t); /* how many rocks there are */

#define SHIP_PROTOCOL(X, kind) X(kind, tick) X(kind, warning)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
#define LIGHTHOUSE_PROTOCOL(X, kind) X(kind, tick) X(kind, aldis_entered) X(kind, aldis_left)
ALDIS_PROTOCOL(lighthouse, LIGHTHOUSE_PROTOCOL);

static aldis_place sol; /* opened before anybody runs */

struct ship {
    double x, speed;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    ship_ref me = {.id = aldis_self(ctx)};
    *self = *(const struct ship *)arg;
    return aldis_signal(ctx, me, tick);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    ship_ref me = {.id = aldis_self(ctx)};
    (void)msg;
    self->x += self->speed;
    if (self->x > 300)
        return aldis_stop(ctx, me.id); /* and is seen no more */
    aldis_err err = aldis_place_set(ctx, sol, self->x, 0, 0);
    return err == ALDIS_OK ? aldis_signal_after(ctx, ALDIS_SECOND, me, tick) : err;
}

static aldis_err ship_on_warning(struct ship *self, const uint64_t *rocks, aldis_ctx *ctx)
{
    printf("%4.1f s  the ship at %.0f hears of %" PRIu64 " rocks\n",
           (double)aldis_now(ctx) / ALDIS_SECOND, self->x, *rocks);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

struct lighthouse {
    int inside;
};

static aldis_err lighthouse_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    const aldis_sphere light = {.centre = {0, 0, 0}, .radius = 100, .kind = &ship_behaviour};
    lighthouse_ref me = {.id = aldis_self(ctx)};
    aldis_err err = aldis_place_watch(ctx, sol, &light, 0, ALDIS_WATCH_DEFAULT);
    return err == ALDIS_OK ? aldis_signal_after(ctx, 5 * ALDIS_SECOND, me, tick) : err;
}

static aldis_err lighthouse_on_aldis_entered(struct lighthouse *self,
                                             const aldis_place_event *event, aldis_ctx *ctx)
{
    printf("%4.1f s  a ship enters at %.0f; %d inside\n", (double)aldis_now(ctx) / ALDIS_SECOND,
           event->at.x, ++self->inside);
    return ALDIS_OK;
}

static aldis_err lighthouse_on_aldis_left(struct lighthouse *self, const aldis_place_event *event,
                                          aldis_ctx *ctx)
{
    printf("%4.1f s  a ship leaves, last seen at %.0f; %d inside\n",
           (double)aldis_now(ctx) / ALDIS_SECOND, event->at.x, --self->inside);
    return ALDIS_OK;
}

static aldis_err lighthouse_on_tick(struct lighthouse *self, const aldis_none *msg, aldis_ctx *ctx)
{
    const aldis_point here = {0, 0, 0};
    aldis_fanout fanout;
    aldis_found nearest;
    uint32_t count;
    (void)self;
    (void)msg;
    aldis_err err = aldis_place_tell(ctx, sol, here, 100.0, &fanout, warning, 3);
    if (err == ALDIS_OK)
        err = aldis_place_nearest(ctx, sol, here, &ship_behaviour, 1, &nearest, &count);
    if (err == ALDIS_OK && count == 1)
        printf("%4.1f s  warned %" PRIu64 " ships; the nearest is %.0f away\n",
               (double)aldis_now(ctx) / ALDIS_SECOND, fanout.delivered, nearest.distance);
    return err;
}
ALDIS_BEHAVIOUR(lighthouse, struct lighthouse, LIGHTHOUSE_PROTOCOL, .on_start = lighthouse_start);

int main(void)
{
    const struct ship ships[] = {{-250, 50}, {-130, 20}, {50, 30}};
    aldis_system *system;
    lighthouse_ref lighthouse;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .lookahead_ns = ALDIS_SECOND / 10};
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_place_open(system, "sol", NULL, &sol);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, lighthouse, &lighthouse, NULL);
    for (int i = 0; i < 3 && err == ALDIS_OK; i++) {
        ship_ref ship;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&ships[i])});
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, 12 * ALDIS_SECOND, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "place: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
