// SPDX-License-Identifier: Apache-2.0
/* 02_1.c: a ship whose tank is empty stops, says so, and ticks no more. Chapter 2, exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPEED_KM_S = 30, TANK_KM = 5000 };

ALDIS_MESSAGE(fly_to, int64_t); /* a payload may be a plain number, too */
ALDIS_SIGNAL(tick);

#define SHIP_PROTOCOL(X, kind) X(kind, fly_to) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    int64_t x_km, goal_km, fuel_km;
    aldis_ns moved_ns;
    aldis_timer ticker;
    bool ticking;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    (void)ctx;
    *(struct ship *)state = (struct ship){.fuel_km = TANK_KM};
    return ALDIS_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void move(struct ship *self, aldis_ctx *ctx)
{
    int64_t dt_s = (aldis_now(ctx) - self->moved_ns) / ALDIS_SECOND;
    int64_t way_km = self->goal_km - self->x_km;
    int64_t step_km = least(llabs(way_km), least(SPEED_KM_S * dt_s, self->fuel_km));
    self->moved_ns += dt_s * ALDIS_SECOND;
    self->x_km += way_km < 0 ? -step_km : step_km;
    self->fuel_km -= step_km;
}

static aldis_err ship_on_fly_to(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    if (self->ticking)
        move(self, ctx);
    self->goal_km = *x_km;
    self->moved_ns = aldis_now(ctx);
    if (self->ticking)
        return ALDIS_OK;
    self->ticking = true;
    return aldis_timer_every(ctx, ALDIS_SECOND, tick, &self->ticker);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    move(self, ctx);
    bool arrived = self->x_km == self->goal_km;
    if (!arrived && self->fuel_km > 0)
        return ALDIS_OK;
    printf("%3d s: at %" PRId64 " km, %s\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->x_km,
           arrived ? "arrived" : "out of fuel");
    self->ticking = false;
    return aldis_timer_cancel(ctx, self->ticker);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    static const int64_t goals_km[] = {3000, -2000, 0};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, NULL) != ALDIS_OK) {
        fprintf(stderr, "02_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        aldis_send_copy(system, ship, fly_to, &goals_km[i]);
        aldis_system_run(system, ALDIS_FOREVER, NULL); /* it ends: nobody ticks for ever */
    }
    aldis_system_destroy(system);
    return 0;
}
