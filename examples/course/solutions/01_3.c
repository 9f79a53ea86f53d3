// SPDX-License-Identifier: Apache-2.0
/* 01_3.c: a hundred ships, on all cores of the machine, count in one place. Chapter 1,
 * exercise 3. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { SHIPS = 100, ROUNDS = 1000 };

ALDIS_SIGNAL(start); /* a message without a payload */
ALDIS_SIGNAL(passed);

#define BUOY_PROTOCOL(X, kind) X(kind, passed)
ALDIS_PROTOCOL(buoy, BUOY_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, start)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

/* A plain int: no lock, no atomic. Only the buoy's own handler can reach it. */
struct buoy {
    int passed;
};

static aldis_err buoy_on_passed(struct buoy *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    if (++self->passed == SHIPS * ROUNDS)
        printf("the buoy has counted %d\n", self->passed);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(buoy, struct buoy, BUOY_PROTOCOL);

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(buoy_ref *)state = *(const buoy_ref *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_start(buoy_ref *buoy, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (int i = 0; i < ROUNDS && err == ALDIS_OK; i++)
        err = aldis_signal(ctx, *buoy, passed);
    return err;
}
ALDIS_BEHAVIOUR(ship, buoy_ref, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system *system; /* live: the wall clock, and a thread for each core */
    buoy_ref buoy;
    aldis_err err = aldis_system_create(NULL, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, buoy, &buoy, NULL);
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++) {
        ship_ref ship;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&buoy)});
        if (err == ALDIS_OK)
            err = aldis_signal(system, ship, start);
    }
    if (err != ALDIS_OK) {
        fprintf(stderr, "01_3: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
