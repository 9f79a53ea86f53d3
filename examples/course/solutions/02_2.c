// SPDX-License-Identifier: Apache-2.0
/* 02_2.c: no ticks at all: the ship works out when it will be there, and sleeps until then.
 * Chapter 2, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPEED_KM_S = 30 };

ALDIS_MESSAGE(fly_to, int64_t);
ALDIS_SIGNAL(arrive);

#define SHIP_PROTOCOL(X, kind) X(kind, fly_to) X(kind, arrive)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    int64_t from_km, goal_km;
    aldis_ns left_ns;
    aldis_timer arrival;
};

/* Where it is now is worked out when somebody wants to know, and at no other time. */
static int64_t position(const struct ship *self, aldis_ns now_ns)
{
    int64_t way_km = self->goal_km - self->from_km;
    int64_t flown_km = (now_ns - self->left_ns) * SPEED_KM_S / ALDIS_SECOND;
    if (flown_km >= llabs(way_km))
        return self->goal_km;
    return self->from_km + (way_km < 0 ? -flown_km : flown_km);
}

static aldis_err ship_on_fly_to(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    self->from_km = position(self, aldis_now(ctx));
    self->goal_km = *x_km;
    self->left_ns = aldis_now(ctx);
    printf("%9.3f s: at %" PRId64 " km, off to %" PRId64 " km\n",
           (double)self->left_ns / ALDIS_SECOND, self->from_km, self->goal_km);
    (void)aldis_timer_cancel(ctx, self->arrival); /* of the order before, if it still runs */
    int64_t way_km = llabs(self->goal_km - self->from_km);
    aldis_ns way_ns = (way_km * ALDIS_SECOND + SPEED_KM_S - 1) / SPEED_KM_S; /* rounded up */
    return aldis_timer_once(ctx, way_ns, arrive, &self->arrival);
}

static aldis_err ship_on_arrive(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%9.3f s: at %" PRId64 " km, arrived\n", (double)aldis_now(ctx) / ALDIS_SECOND,
           position(self, aldis_now(ctx)));
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, NULL) != ALDIS_OK) {
        fprintf(stderr, "02_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, ship, fly_to, 1000);
    aldis_send_after(system, 20 * ALDIS_SECOND, ship, fly_to, 100); /* it turns on the way */
    aldis_send_after(system, ALDIS_MINUTE, ship, fly_to, 1000000);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    printf("messages handled in all that time: ");
    aldis_stats stats;
    if (aldis_system_stats(system, &stats) == ALDIS_OK) {
        printf("%" PRIu64 "\n", stats.total.handled);
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(system);
    return 0;
}
