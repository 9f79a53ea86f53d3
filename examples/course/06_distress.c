// SPDX-License-Identifier: Apache-2.0
/* 06_distress.c: a call for help to everybody: once with an echo, then without. Chapter 6 of the
 * course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELP_KM = 200 };

struct distress {
    int64_t x_km;
};
struct coming {
    int64_t distance_km;
};
ALDIS_MESSAGE(distress, struct distress);
ALDIS_MESSAGE(coming, struct coming);
ALDIS_SIGNAL(engine_fails);
ALDIS_SIGNAL(undock);

#define SHIP_PROTOCOL(X, kind) X(kind, engine_fails) X(kind, distress) X(kind, coming)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
#define STATION_PROTOCOL(X, kind) X(kind, undock) /* a station does not come to help */
ALDIS_PROTOCOL(station, STATION_PROTOCOL);

struct ship {
    const char *name;
    int64_t x_km;
    bool docked;
    bool echo; /* the mistake: it calls everybody, itself included */
};

static int now_s(aldis_ctx *ctx)
{
    return (int)(aldis_now(ctx) / ALDIS_SECOND);
}

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_engine_fails(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_fanout fanout;
    struct distress call = {.x_km = self->x_km};
    aldis_err err =
        aldis_broadcast_raw(ctx, NULL, &distress_type, &call, sizeof call,
                            self->echo ? ALDIS_FANOUT_TO_SELF : ALDIS_FANOUT_DEFAULT, &fanout);
    if (err == ALDIS_OK)
        printf("  %d s: %s calls for help: %" PRIu64 " told, %" PRIu64 " left out\n", now_s(ctx),
               self->name, fanout.delivered, fanout.skipped);
    return err;
}

static aldis_err ship_on_distress(struct ship *self, const struct distress *msg, aldis_ctx *ctx)
{
    int64_t distance_km = llabs(self->x_km - msg->x_km);
    if (self->docked || distance_km >= HELP_KM)
        return ALDIS_OK;
    return aldis_reply(ctx, coming, .distance_km = distance_km);
}

static aldis_err ship_on_coming(struct ship *self, const struct coming *msg, aldis_ctx *ctx)
{
    printf("  %d s: %s hears: help is coming from %" PRId64 " km away%s\n", now_s(ctx), self->name,
           msg->distance_km,
           aldis_id_equal(aldis_sender(ctx), aldis_self(ctx)) ? " (it is itself!)" : "");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err station_on_undock(int *ships, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    --*ships;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, int, STATION_PROTOCOL);

static aldis_err call_for_help(bool echo)
{
    struct ship fleet[] = {{.name = "Aurora", .x_km = 1000, .echo = echo},
                           {.name = "Boreas", .x_km = 1150},
                           {.name = "Calypso", .x_km = 1200}, /* not within 200 km */
                           {.name = "Daphne", .x_km = 1050, .docked = true},
                           {.name = "Electra", .x_km = 810}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    station_ref station;
    ship_ref ships[5];
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < 5 && err == ALDIS_OK; i++)
        err = aldis_spawn(system, ship, &ships[i], &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
    if (err == ALDIS_OK)
        err = aldis_signal(system, ships[0], engine_fails);
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
    puts("with an echo:");
    aldis_err err = call_for_help(true);
    puts("without:");
    if (err != ALDIS_OK || (err = call_for_help(false)) != ALDIS_OK) {
        fprintf(stderr, "06_distress: %s\n", aldis_error_text(err));
        return 1;
    }
    puts("audit: balanced, both times");
    return 0;
}
