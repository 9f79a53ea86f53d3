// SPDX-License-Identifier: Apache-2.0
/* 04_1.c: a ship whose channel is full asks to be told when there is room, and then sends its
 * newest report. Chapter 4, exercise 1. */
#include <aldis/aldis.h>
#include <stdbool.h>
#include <stdio.h>

ALDIS_MESSAGE(order, int32_t);
ALDIS_MESSAGE(report, int32_t);
ALDIS_CHANNEL(report);
ALDIS_SIGNAL(room);

#define SHIP_PROTOCOL(X, kind) X(kind, order) X(kind, room)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    report_tx to_ground;
    int32_t x_km;
    bool waiting; /* for room */
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = (struct ship){.to_ground = *(const report_tx *)arg};
    return ALDIS_OK;
}

/* The newest position is all that ground control needs: older ones need not be kept. */
static aldis_err tell_ground(struct ship *self, aldis_ctx *ctx)
{
    aldis_err err = aldis_channel_try_send(self->to_ground, report, self->x_km);
    self->waiting = err == ALDIS_EFULL;
    return self->waiting ? aldis_channel_tell_room(ctx, self->to_ground, room) : err;
}

static aldis_err ship_on_order(struct ship *self, const int32_t *fly_km, aldis_ctx *ctx)
{
    self->x_km += *fly_km;
    return self->waiting ? ALDIS_OK : tell_ground(self, ctx);
}

static aldis_err ship_on_room(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return tell_ground(self, ctx);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system *system;
    ship_ref ship;
    report_tx to;
    report_rx from;
    aldis_channel_opts opts = {.capacity_msgs = 2};
    if (aldis_system_create(NULL, &system) != ALDIS_OK ||
        aldis_channel_create(report, &to, &from, &opts) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&to)}) != ALDIS_OK) {
        fprintf(stderr, "04_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (int32_t i = 1; i <= 6; i++)
        aldis_send(system, ship, order, 10);
    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until all is quiet */
    for (int i = 0; i < 3; i++) {                  /* two were queued; the third is the newest */
        int32_t x_km;
        if (aldis_channel_receive(from, report, &x_km) == ALDIS_OK)
            printf("ground: the ship is at %d km\n", (int)x_km);
    }
    aldis_rx_drop(from.raw);
    aldis_tx_drop(to.raw);
    aldis_system_destroy(system);
    return 0;
}
