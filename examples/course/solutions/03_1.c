// SPDX-License-Identifier: Apache-2.0
/* 03_1.c: who asks twice gets the same berth, not two. Chapter 3, exercise 1. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { BERTHS = 2 };

ALDIS_SIGNAL(request_docking);
ALDIS_MESSAGE(docking_granted, int32_t);
ALDIS_SIGNAL(docking_refused);
ALDIS_SIGNAL(dock);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, docking_granted) X(kind, docking_refused) X(kind, dock)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    aldis_id berths[BERTHS];
};

/* The berth of a ship, or -1. */
static int32_t berth_of(const struct station *self, aldis_id ship)
{
    for (int32_t i = 0; i < BERTHS; i++)
        if (aldis_id_equal(self->berths[i], ship))
            return i;
    return -1;
}

static aldis_err station_on_request_docking(struct station *self, const aldis_none *msg,
                                            aldis_ctx *ctx)
{
    (void)msg;
    int32_t berth = berth_of(self, aldis_sender(ctx)); /* the one it has already */
    if (berth < 0)
        berth = berth_of(self, aldis_nobody());
    if (berth < 0)
        return aldis_reply_signal(ctx, docking_refused);
    self->berths[berth] = aldis_sender(ctx);
    return aldis_reply(ctx, docking_granted, berth);
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    const char *name; /* a literal: it lives as long as the program */
    station_ref station;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_dock(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = aldis_signal(ctx, self->station, request_docking);
    return err != ALDIS_OK ? err : aldis_signal(ctx, self->station, request_docking);
}

static aldis_err ship_on_docking_granted(struct ship *self, const int32_t *berth, aldis_ctx *ctx)
{
    (void)ctx;
    printf("%s: berth %d\n", self->name, (int)*berth);
    return ALDIS_OK;
}

static aldis_err ship_on_docking_refused(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    printf("%s: no berth\n", self->name);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    struct ship fleet[] = {{.name = "Aurora"}, {.name = "Boreas"}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    station_ref station;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < 2 && err == ALDIS_OK; i++) {
        ship_ref ship;
        fleet[i].station = station;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
        if (err == ALDIS_OK)
            err = aldis_signal_after(system, i * ALDIS_MINUTE, ship, dock);
    }
    if (err != ALDIS_OK) {
        fprintf(stderr, "03_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
