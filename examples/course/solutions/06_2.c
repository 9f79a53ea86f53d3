// SPDX-License-Identifier: Apache-2.0
/* 06_2.c: only those who are near hear the call: positions in a place. Chapter 6, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { SHIPS = 1000, APART_KM = 30, HELP_KM = 200 };

ALDIS_MESSAGE(distress, aldis_point);
ALDIS_SIGNAL(coming);
ALDIS_SIGNAL(engine_fails);

#define SHIP_PROTOCOL(X, kind) X(kind, engine_fails) X(kind, distress) X(kind, coming)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static aldis_place sol; /* set before any ship runs, and never changed */

struct ship {
    aldis_point at;
    int helpers;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    *self = *(const struct ship *)arg;
    return aldis_place_set(ctx, sol, self->at.x, self->at.y, self->at.z);
}

static aldis_err ship_on_engine_fails(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_fanout fanout;
    const aldis_point at = self->at;
    aldis_err err =
        aldis_place_tell(ctx, sol, at, HELP_KM, &fanout, distress, .x = at.x, .y = at.y, .z = at.z);
    if (err == ALDIS_OK)
        printf("%" PRIu64 " of %d ships are told\n", fanout.delivered, SHIPS);
    return err;
}

static aldis_err ship_on_distress(struct ship *self, const aldis_point *at, aldis_ctx *ctx)
{
    (void)self;
    (void)at;
    return aldis_reply_signal(ctx, coming);
}

static aldis_err ship_on_coming(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%d s: helper %d\n", (int)(aldis_now(ctx) / ALDIS_SECOND), ++self->helpers);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    ship_ref first = {.id = ALDIS_NOBODY_INIT};
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_place_open(system, "sol", NULL, &sol);
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++) {
        ship_ref ship;
        struct ship self = {.at = {.x = i * APART_KM}};
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&self)});
        if (i == 0)
            first = ship;
    }
    if (err == ALDIS_OK) /* the positions are seen from the next window on */
        err = aldis_signal_after(system, ALDIS_SECOND, first, engine_fails);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "06_2: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
