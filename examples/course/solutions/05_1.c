// SPDX-License-Identifier: Apache-2.0
/* 05_1.c: a request brings its deadline along: the station passes over who waits no longer, also
 * when nobody tells it. Chapter 5, exercise 1. */
#include <aldis/aldis.h>
#include <stdbool.h>
#include <stdio.h>

enum { QUEUE_MAX = 4 };

ALDIS_SIGNAL(request_docking);
ALDIS_SIGNAL(permission);
ALDIS_REQUEST(request_docking, permission);
ALDIS_SIGNAL(undock);
ALDIS_SIGNAL(dock);
ALDIS_SIGNAL(leave);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking) X(kind, undock)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, dock) X(kind, leave)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct waiting {
    aldis_promise promise;
    aldis_ns deadline_ns;
};

struct station { /* with a single berth */
    bool taken;
    struct waiting queue[QUEUE_MAX];
    int first, queued; /* a ring */
};

static aldis_err station_on_request_docking(struct station *self, const aldis_none *msg,
                                            aldis_ctx *ctx)
{
    (void)msg;
    if (!self->taken) {
        self->taken = true;
        return aldis_reply_signal(ctx, permission);
    }
    if (self->queued == QUEUE_MAX)
        return aldis_reply_error(ctx, ALDIS_EFULL);
    struct waiting *last = &self->queue[(self->first + self->queued++) % QUEUE_MAX];
    last->deadline_ns = aldis_deadline(ctx);
    return aldis_promise_take(ctx, &last->promise);
}

static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->taken = false;
    while (self->queued > 0 && !self->taken) {
        struct waiting next = self->queue[self->first];
        self->first = (self->first + 1) % QUEUE_MAX;
        self->queued--;
        /* A permission that leaves now arrives in one second. */
        bool too_late = aldis_now(ctx) + ALDIS_SECOND >= next.deadline_ns;
        self->taken = !too_late;
        aldis_err err = too_late
                            ? aldis_promise_error(ctx, next.promise, ALDIS_EEXPIRED)
                            : aldis_promise_reply_raw(ctx, next.promise, &permission_type, NULL, 0);
        if (err != ALDIS_OK)
            return err;
    }
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    const char *name;
    station_ref station;
    aldis_ns patience_ns;
    aldis_timer timer;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_permission(struct ship *self, const aldis_answer *answer,
                                    const aldis_none *permission, aldis_ctx *ctx)
{
    printf("%3d s: %s: %s\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name,
           permission ? "docked" : aldis_error_text(answer->err));
    return permission ? aldis_timer_once(ctx, 30 * ALDIS_SECOND, leave, &self->timer) : ALDIS_OK;
}
ALDIS_ON_REPLY(ship_on_permission, struct ship, request_docking);

static aldis_err ship_on_dock(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_ask_signal(ctx, self->station, request_docking, ship_on_permission,
                            aldis_ask_with(.timeout_ns = self->patience_ns));
}

static aldis_err ship_on_leave(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_signal(ctx, self->station, undock);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    struct ship fleet[] = {{.name = "Aurora", .patience_ns = ALDIS_MINUTE},
                           {.name = "Daphne", .patience_ns = 10 * ALDIS_SECOND},
                           {.name = "Electra", .patience_ns = ALDIS_MINUTE}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    station_ref station;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < 3 && err == ALDIS_OK; i++) {
        ship_ref ship;
        fleet[i].station = station;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
        if (err == ALDIS_OK)
            err = aldis_signal_after(system, i * ALDIS_SECOND, ship, dock);
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "05_1: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
