// SPDX-License-Identifier: Apache-2.0
/* 03_station.c: two kinds of actors and what they say to each other: ships dock at a station.
 * Chapter 3 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <stdio.h>

enum { BERTHS = 2, LENGTH_MAX_M = 200 };
enum { TOO_LONG, NO_BERTH };
static const char *const reasons[] = {"it is too long", "no berth is free"};

/* From a ship to a station. */
struct request_docking {
    int32_t length_m;
};
ALDIS_MESSAGE(request_docking, struct request_docking);
ALDIS_SIGNAL(undock);

/* From a station to a ship. */
struct docking_granted {
    int32_t berth;
};
struct docking_refused {
    int32_t reason;
};
ALDIS_MESSAGE(docking_granted, struct docking_granted);
ALDIS_MESSAGE(docking_refused, struct docking_refused);

/* Orders to a ship. */
ALDIS_SIGNAL(dock);
ALDIS_SIGNAL(leave);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking) X(kind, undock)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind)                                                                     \
    X(kind, docking_granted) X(kind, docking_refused) X(kind, dock) X(kind, leave)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    aldis_id berths[BERTHS]; /* who lies there; nobody: it is free */
};

static aldis_err station_on_request_docking(struct station *self, const struct request_docking *msg,
                                            aldis_ctx *ctx)
{
    if (msg->length_m > LENGTH_MAX_M)
        return aldis_reply(ctx, docking_refused, .reason = TOO_LONG);
    for (int32_t i = 0; i < BERTHS; i++) {
        if (aldis_id_is_nobody(self->berths[i])) {
            self->berths[i] = aldis_sender(ctx);
            return aldis_reply(ctx, docking_granted, .berth = i);
        }
    }
    return aldis_reply(ctx, docking_refused, .reason = NO_BERTH);
}

/* Whoever leaves says so and waits for no answer. */
static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    for (int32_t i = 0; i < BERTHS; i++)
        if (aldis_id_equal(self->berths[i], aldis_sender(ctx)))
            self->berths[i] = aldis_nobody();
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    char name[16];
    int32_t length_m;
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
#ifdef ASK_WITH_A_PERMISSION /* a test sees to it that this does not compile */
    return aldis_send(ctx, self->station, docking_granted, .berth = 1);
#else
    return aldis_send(ctx, self->station, request_docking, .length_m = self->length_m);
#endif
}

static aldis_err ship_on_docking_granted(struct ship *self, const struct docking_granted *msg,
                                         aldis_ctx *ctx)
{
    printf("%2d s: %s docks at berth %d\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name,
           (int)msg->berth);
    return ALDIS_OK;
}

static aldis_err ship_on_docking_refused(struct ship *self, const struct docking_refused *msg,
                                         aldis_ctx *ctx)
{
    printf("%2d s: %s is refused: %s\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name,
           reasons[msg->reason]);
    return ALDIS_OK;
}

static aldis_err ship_on_leave(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%2d s: %s leaves\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name);
    return aldis_signal(ctx, self->station, undock);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    struct ship fleet[] = {{.name = "Aurora", .length_m = 80},
                           {.name = "Boreas", .length_m = 300},
                           {.name = "Calypso", .length_m = 120},
                           {.name = "Daphne", .length_m = 90}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    station_ref station;
    ship_ref ships[4];
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < 4 && err == ALDIS_OK; i++) {
        fleet[i].station = station;
        err = aldis_spawn(system, ship, &ships[i], &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
    }
    if (err != ALDIS_OK) {
        fprintf(stderr, "03_station: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (int i = 0; i < 4; i++) /* one every ten seconds */
        aldis_signal_after(system, i * 10 * ALDIS_SECOND, ships[i], dock);
    aldis_signal_after(system, 40 * ALDIS_SECOND, ships[0], leave);
    aldis_signal_after(system, 50 * ALDIS_SECOND, ships[3], dock);
    aldis_system_run(system, ALDIS_FOREVER, NULL);

    struct docking_granted permission = {.berth = 1}; /* past the compiler's eye */
    err = aldis_system_send_raw(system, station.id, &docking_granted_type, &permission,
                                sizeof permission);
    printf("main: docking_granted to a station: %s\n", aldis_error_text(err));

    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
