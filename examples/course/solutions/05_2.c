// SPDX-License-Identifier: Apache-2.0
/* 05_2.c: a harbour master hands each request on to one of two stations, which answers in its
 * stead. Chapter 5, exercise 2. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { STATIONS = 2 };

ALDIS_SIGNAL(request_docking);
ALDIS_MESSAGE(permission, int32_t); /* the station's number */
ALDIS_REQUEST(request_docking, permission);
ALDIS_SIGNAL(dock);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define MASTER_PROTOCOL(X, kind) X(kind, request_docking)
ALDIS_PROTOCOL(master, MASTER_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, dock)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static aldis_err station_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(int32_t *)state = *(const int32_t *)arg;
    return ALDIS_OK;
}

static aldis_err station_on_request_docking(int32_t *number, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_reply(ctx, permission, *number);
}
ALDIS_BEHAVIOUR(station, int32_t, STATION_PROTOCOL, .on_start = station_start);

struct master {
    station_ref stations[STATIONS];
    int next;
};

static aldis_err master_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    struct master *self = state;
    aldis_err err = ALDIS_OK;
    for (int32_t i = 0; i < STATIONS && err == ALDIS_OK; i++) {
        int32_t number = i + 1;
        err =
            aldis_spawn(ctx, station, &self->stations[i], &(aldis_spawn_opts){ALDIS_ARG(&number)});
    }
    return err;
}

/* Asker and deadline stay as they are: the ship does not notice. */
static aldis_err master_on_request_docking(struct master *self, const aldis_none *msg,
                                           aldis_ctx *ctx)
{
    (void)msg;
    return aldis_forward(ctx, self->stations[self->next++ % STATIONS].id);
}
ALDIS_BEHAVIOUR(master, struct master, MASTER_PROTOCOL, .on_start = master_start);

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(master_ref *)state = *(const master_ref *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_permission(master_ref *master, const aldis_answer *answer,
                                    const int32_t *station, aldis_ctx *ctx)
{
    (void)master;
    if (station)
        printf("%d s: a ship docks at station %d\n", (int)(aldis_now(ctx) / ALDIS_SECOND),
               (int)*station);
    return answer->err;
}
ALDIS_ON_REPLY(ship_on_permission, master_ref, request_docking);

static aldis_err ship_on_dock(master_ref *master, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_ask_signal(ctx, *master, request_docking, ship_on_permission, NULL);
}
ALDIS_BEHAVIOUR(ship, master_ref, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    master_ref master;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, master, &master, NULL);
    for (int i = 0; i < 4 && err == ALDIS_OK; i++) {
        ship_ref ship;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&master)});
        if (err == ALDIS_OK)
            err = aldis_signal_after(system, i * ALDIS_SECOND, ship, dock);
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "05_2: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
