// SPDX-License-Identifier: Apache-2.0
/* 05_docking.c: docking as a request with an answer, which may come late, or not at all. Run twice:
 * with ships that give up in silence, and with ships that say so. Chapter 5 of the course. */
#include <aldis/aldis.h>
#include <stdbool.h>
#include <stdio.h>

enum { BERTHS = 2, QUEUE_MAX = 2, LENGTH_MAX_M = 200 };

struct request_docking {
    int32_t length_m;
};
struct permission {
    int32_t berth;
};
ALDIS_MESSAGE(request_docking, struct request_docking);
ALDIS_MESSAGE(permission, struct permission);
ALDIS_REQUEST(request_docking, permission); /* the one is answered by the other */
ALDIS_SIGNAL(undock);
ALDIS_SIGNAL(report);
ALDIS_SIGNAL(dock);
ALDIS_SIGNAL(leave);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking) X(kind, undock) X(kind, report)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, dock) X(kind, leave)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static int now_s(aldis_ctx *ctx)
{
    return (int)(aldis_now(ctx) / ALDIS_SECOND);
}

struct waiting {
    aldis_id ship;
    aldis_promise promise; /* the answer that is owed to it */
};

struct station {
    aldis_id berths[BERTHS];
    struct waiting queue[QUEUE_MAX]; /* first come, first served */
    int queued;
};

static int berth_of(const struct station *self, aldis_id ship)
{
    for (int i = 0; i < BERTHS; i++)
        if (aldis_id_equal(self->berths[i], ship))
            return i;
    return -1;
}

static aldis_err station_on_request_docking(struct station *self, const struct request_docking *msg,
                                            aldis_ctx *ctx)
{
    if (msg->length_m > LENGTH_MAX_M)
        return aldis_reply_error(ctx, ALDIS_ETOOLARGE);
    int berth = berth_of(self, aldis_nobody());
    if (berth >= 0) {
        self->berths[berth] = aldis_sender(ctx);
        return aldis_reply(ctx, permission, .berth = berth);
    }
    if (self->queued == QUEUE_MAX)
        return aldis_reply_error(ctx, ALDIS_EFULL);
    struct waiting *last = &self->queue[self->queued++];
    last->ship = aldis_sender(ctx);
    return aldis_promise_take(ctx, &last->promise); /* to be answered later */
}

static struct waiting take_from_queue(struct station *self, int place)
{
    struct waiting taken = self->queue[place];
    for (int i = place + 1; i < self->queued; i++)
        self->queue[i - 1] = self->queue[i];
    self->queued--;
    return taken;
}

/* Leaving a berth; or, if it still waits, the queue. */
static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    for (int i = 0; i < self->queued; i++)
        if (aldis_id_equal(self->queue[i].ship, aldis_sender(ctx)))
            return aldis_promise_error(ctx, take_from_queue(self, i).promise, ALDIS_EREFUSED);
    int berth = berth_of(self, aldis_sender(ctx));
    if (berth < 0)
        return ALDIS_OK; /* it had none */
    self->berths[berth] = aldis_nobody();
    if (self->queued == 0)
        return ALDIS_OK;
    struct waiting next = take_from_queue(self, 0);
    self->berths[berth] = next.ship;
    return aldis_promise_reply(ctx, next.promise, permission, .berth = berth);
}

static aldis_err station_on_report(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    for (int i = 0; i < BERTHS; i++)
        printf("%3d s: berth %d is %s\n", now_s(ctx), i,
               aldis_id_is_nobody(self->berths[i]) ? "free" : "taken");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    const char *name;
    station_ref station;
    int32_t length_m, patience_s;
    bool says_so; /* when it gives up */
    aldis_timer timer;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

/* The answer, whatever it is: permission is NULL when there is none, and answer->err says why. */
static aldis_err ship_on_permission(struct ship *self, const aldis_answer *answer,
                                    const struct permission *permission, aldis_ctx *ctx)
{
    if (permission) {
        printf("%3d s: %s docks at berth %d\n", now_s(ctx), self->name, (int)permission->berth);
        return aldis_timer_once(ctx, 30 * ALDIS_SECOND, leave, &self->timer);
    }
    printf("%3d s: %s gives up: %s\n", now_s(ctx), self->name, aldis_error_text(answer->err));
    if (answer->err == ALDIS_ETIMEDOUT && self->says_so)
        return aldis_signal(ctx, self->station, undock);
    return ALDIS_OK;
}
ALDIS_ON_REPLY(ship_on_permission, struct ship, request_docking);

static aldis_err ship_on_dock(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_ask(ctx, self->station, request_docking, ship_on_permission,
                     aldis_ask_with(.timeout_ns = self->patience_s * ALDIS_SECOND),
                     .length_m = self->length_m);
}

static aldis_err ship_on_leave(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_signal(ctx, self->station, undock);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err rush_hour(bool says_so)
{
    struct ship fleet[] = {{.name = "Aurora", .length_m = 80, .patience_s = 60},
                           {.name = "Boreas", .length_m = 300, .patience_s = 60},
                           {.name = "Calypso", .length_m = 120, .patience_s = 60},
                           {.name = "Daphne", .length_m = 90, .patience_s = 10},
                           {.name = "Electra", .length_m = 90, .patience_s = 60},
                           {.name = "Fortuna", .length_m = 90, .patience_s = 60}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    station_ref station;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < 6 && err == ALDIS_OK; i++) {
        ship_ref ship;
        fleet[i].station = station;
        fleet[i].says_so = says_so;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
        if (err == ALDIS_OK)
            err = aldis_signal_after(system, i * ALDIS_SECOND, ship, dock);
    }
    if (err == ALDIS_OK)
        err = aldis_signal_after(system, 10 * ALDIS_MINUTE, station, report);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    if (err == ALDIS_OK)
        err = aldis_system_audit(system, &audit);
    aldis_system_destroy(system);
    return err;
}

int main(void)
{
    puts("ships that give up in silence:");
    aldis_err err = rush_hour(false);
    puts("ships that say so:");
    if (err != ALDIS_OK || (err = rush_hour(true)) != ALDIS_OK) {
        fprintf(stderr, "05_docking: %s\n", aldis_error_text(err));
        return 1;
    }
    puts("audit: balanced, both times");
    return 0;
}
