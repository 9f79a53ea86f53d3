// SPDX-License-Identifier: Apache-2.0
/* 02_3.c: if somebody else must tell the ship the time: what cannot be is refused, and counted.
 * Chapter 2, exercise 3. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SPEED_KM_S = 30, TANK_KM = 5000, DT_MAX_S = 3600 };

ALDIS_MESSAGE(fly_to, int64_t);
ALDIS_MESSAGE(advance, int64_t); /* seconds, 1 .. DT_MAX_S */

#define SHIP_PROTOCOL(X, kind) X(kind, fly_to) X(kind, advance)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    int64_t x_km, goal_km, fuel_km;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    (void)ctx;
    *(struct ship *)state = (struct ship){.fuel_km = TANK_KM};
    return ALDIS_OK;
}

static aldis_err ship_on_fly_to(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    (void)ctx;
    self->goal_km = *x_km;
    return ALDIS_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static aldis_err ship_on_advance(struct ship *self, const int64_t *dt_s, aldis_ctx *ctx)
{
    if (*dt_s < 1 || *dt_s > DT_MAX_S)
        return aldis_reject(ctx, ALDIS_EINVAL);
    int64_t way_km = self->goal_km - self->x_km;
    int64_t step_km = least(llabs(way_km), least(SPEED_KM_S * *dt_s, self->fuel_km));
    self->x_km += way_km < 0 ? -step_km : step_km;
    self->fuel_km -= step_km;
    printf("advanced by %" PRId64 " s: at %" PRId64 " km, fuel for %" PRId64 " km\n", *dt_s,
           self->x_km, self->fuel_km);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    static const int64_t dts_s[] = {20, -60, 0, 60, INT64_MIN, 1000000};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, NULL) != ALDIS_OK) {
        fprintf(stderr, "02_3: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, ship, fly_to, 1000);
    for (int i = 0; i < 6; i++)
        aldis_send_copy(system, ship, advance, &dts_s[i]);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_stats stats;
    if (aldis_system_stats(system, &stats) == ALDIS_OK) {
        const aldis_type_stats *row = aldis_stats_type(&stats, "advance");
        if (row)
            printf("advance: %" PRIu64 " sent, %" PRIu64 " handled, %" PRIu64 " rejected\n",
                   row->sent, row->handled, row->rejected);
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(system);
    return 0;
}
