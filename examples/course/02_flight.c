// SPDX-License-Identifier: Apache-2.0
/* 02_flight.c: a ship that moves: first a naive one, then one put right. Chapter 2 of
 * the course (docs/course/). Space has one dimension here; that is enough to learn in. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPEED_KM_S = 30, NEAR_KM = 10, TANK_KM = 5000 };

struct fly_to {
    int64_t x_km;
};
struct advance {
    int64_t dt_s;
};
ALDIS_MESSAGE(fly_to, struct fly_to);
ALDIS_MESSAGE(advance, struct advance);
ALDIS_SIGNAL(report); /* a message without a payload */
ALDIS_SIGNAL(tick);

/* The naive ship: somebody else tells it how much time has gone by. */
#define NAIVE_PROTOCOL(X, kind) X(kind, fly_to) X(kind, advance) X(kind, report)
ALDIS_PROTOCOL(naive, NAIVE_PROTOCOL);

struct naive {
    int64_t x_km, goal_km;
    int64_t fuel_km; /* it has fuel for so many */
    bool flying;
};

static aldis_err naive_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    (void)ctx;
    *(struct naive *)state = (struct naive){.fuel_km = TANK_KM};
    return ALDIS_OK;
}

static aldis_err naive_on_fly_to(struct naive *self, const struct fly_to *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->goal_km = msg->x_km;
    self->flying = true; /* and who moves it? */
    return ALDIS_OK;
}

static aldis_err naive_on_advance(struct naive *self, const struct advance *msg, aldis_ctx *ctx)
{
    (void)ctx;
    if (!self->flying)
        return ALDIS_OK;
    self->x_km += SPEED_KM_S * msg->dt_s;
    self->fuel_km -= SPEED_KM_S * msg->dt_s;
    if (llabs(self->goal_km - self->x_km) < NEAR_KM)
        self->flying = false;
    return ALDIS_OK;
}

static aldis_err naive_on_report(struct naive *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    printf("at %" PRId64 " km, %s, fuel for %" PRId64 " km\n", self->x_km,
           self->flying ? "flying" : "at rest", self->fuel_km);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(naive, struct naive, NAIVE_PROTOCOL, .on_start = naive_start);

/* The ship put right: it has a clock of its own. */
#define SHIP_PROTOCOL(X, kind) X(kind, fly_to) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    int64_t x_km, goal_km;
    int64_t fuel_km;
    aldis_ns ordered_ns;
    aldis_ns moved_ns; /* when it was where it is */
    aldis_ns tick_ns;
    aldis_timer ticker;
    bool ticking;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = (struct ship){.fuel_km = TANK_KM, .tick_ns = *(const aldis_ns *)arg};
    return ALDIS_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where it is by now: at the goal, or on the way there, and never beyond it. */
static void move(struct ship *self, aldis_ctx *ctx)
{
    int64_t dt_s = (aldis_now(ctx) - self->moved_ns) / ALDIS_SECOND;
    int64_t way_km = self->goal_km - self->x_km;
    int64_t step_km = least(llabs(way_km), least(SPEED_KM_S * dt_s, self->fuel_km));
    self->moved_ns += dt_s * ALDIS_SECOND;
    self->x_km += way_km < 0 ? -step_km : step_km;
    self->fuel_km -= step_km;
}

static aldis_err ship_on_fly_to(struct ship *self, const struct fly_to *msg, aldis_ctx *ctx)
{
    move(self, ctx);
    self->goal_km = msg->x_km;
    self->ordered_ns = self->moved_ns = aldis_now(ctx);
    if (self->ticking)
        return ALDIS_OK;
    self->ticking = true;
    return aldis_timer_every(ctx, self->tick_ns, tick, &self->ticker);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    move(self, ctx);
    if (self->x_km != self->goal_km)
        return ALDIS_OK;
    printf("  %d s after the order: at %" PRId64 " km, at rest, fuel for %" PRId64 " km\n",
           (int)((aldis_now(ctx) - self->ordered_ns) / ALDIS_SECOND), self->x_km, self->fuel_km);
    self->ticking = false;
    return aldis_timer_cancel(ctx, self->ticker);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static void fly_naively(aldis_system *system, naive_ref naive)
{
    static const int64_t dts_s[] = {60, 60, -60};
    aldis_send(system, naive, fly_to, .x_km = 1000);
    aldis_system_run(system, 10 * ALDIS_MINUTE, NULL);
    printf("  after ten minutes:  ");
    aldis_signal(system, naive, report);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    for (int i = 0; i < 3; i++) {
        printf("  advanced by %3" PRId64 " s:  ", dts_s[i]);
        aldis_send(system, naive, advance, dts_s[i]);
        aldis_signal(system, naive, report);
        aldis_system_run(system, ALDIS_FOREVER, NULL);
    }
}

int main(void)
{
    static const aldis_ns ticks_ns[] = {10 * ALDIS_SECOND, ALDIS_HOUR};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    naive_ref naive;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, naive, &naive, NULL) != ALDIS_OK) {
        fprintf(stderr, "02_flight: %s\n", aldis_error_last()->text);
        return 1;
    }
    puts("the naive ship, ordered to 1000 km:");
    fly_naively(system, naive);
    for (int i = 0; i < 2; i++) {
        ship_ref ship;
        aldis_spawn_opts with = {ALDIS_ARG(&ticks_ns[i])};
        if (aldis_spawn(system, ship, &ship, &with) != ALDIS_OK)
            return 1;
        printf("a ship with ticks of %d s, ordered to 1000 km, then back to 400 km:\n",
               (int)(ticks_ns[i] / ALDIS_SECOND));
        aldis_send(system, ship, fly_to, .x_km = 1000);
        aldis_system_run(system, ALDIS_FOREVER, NULL);
        aldis_send(system, ship, fly_to, .x_km = 400);
        aldis_system_run(system, ALDIS_FOREVER, NULL);
    }
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
