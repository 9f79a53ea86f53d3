// SPDX-License-Identifier: Apache-2.0
/* 12_2.c: a ship that sends its position only when the last one has been read: nothing piles up,
 * and what arrives is fresh. Chapter 12, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { TICKS = 200 };

ALDIS_MESSAGE(position, aldis_ns); /* when the ship was there */
ALDIS_SIGNAL(tick);

#define STATION_PROTOCOL(X, kind) X(kind, position)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    aldis_ns oldest_ns; /* the age of the oldest position that it has read */
};

static aldis_err station_on_position(struct station *self, const aldis_ns *at_ns, aldis_ctx *ctx)
{
    if (aldis_now(ctx) - *at_ns > self->oldest_ns) {
        self->oldest_ns = aldis_now(ctx) - *at_ns;
        printf("the station reads a position that is %d ms old\n",
               (int)(self->oldest_ns / ALDIS_MS));
    }
    return aldis_busy(ctx, 100 * ALDIS_MS);
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    station_ref station;
    aldis_flow *flow;
    aldis_timer timer;
    uint32_t ticks, sent;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    self->station = *(const station_ref *)arg;
    aldis_err err = aldis_flow_create(ctx, &(aldis_flow_opts){.concurrent_max = 1}, &self->flow);
    return err != ALDIS_OK ? err : aldis_timer_every(ctx, 10 * ALDIS_MS, tick, &self->timer);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (++self->ticks == TICKS) {
        printf("%d positions, %" PRIu32 " of them sent\n", TICKS, self->sent);
        return aldis_timer_cancel(ctx, self->timer);
    }
    aldis_err err = aldis_flow_try_send(ctx, self->flow, self->station, position, aldis_now(ctx));
    if (err == ALDIS_EAGAIN) /* the last one has not been read: a newer one comes soon */
        return ALDIS_OK;
    self->sent += err == ALDIS_OK;
    return err;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    station_ref station;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, station, &station, NULL) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&station)}) != ALDIS_OK) {
        fprintf(stderr, "12_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
