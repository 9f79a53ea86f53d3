// SPDX-License-Identifier: Apache-2.0
/* 09_1.c: without a FIFO link: numbered lines, and a tower that keeps aside what comes too early.
 * Chapter 9, exercise 1. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_MESSAGE(line, int32_t); /* 1, 2, 3, ... */
ALDIS_SIGNAL(approach);

#define TOWER_PROTOCOL(X, kind) X(kind, line)
ALDIS_PROTOCOL(tower, TOWER_PROTOCOL);
#define PILOT_PROTOCOL(X, kind) X(kind, approach)
ALDIS_PROTOCOL(pilot, PILOT_PROTOCOL);

static aldis_err tower_on_line(int32_t *last, const int32_t *number, aldis_ctx *ctx)
{
    if (*number <= *last)
        return ALDIS_OK; /* heard already */
    if (*number > *last + 1)
        return aldis_stash(ctx); /* later: its predecessor has not come yet */
    *last = *number;
    printf("%2d s: line %d\n", (int)(aldis_now(ctx) / ALDIS_SECOND), (int)*number);
    return aldis_unstash_all(ctx); /* perhaps the next one is among them */
}
ALDIS_BEHAVIOUR(tower, int32_t, TOWER_PROTOCOL);

static aldis_err pilot_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(tower_ref *)state = *(const tower_ref *)arg;
    return ALDIS_OK;
}

static aldis_err pilot_on_approach(tower_ref *tower, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (int32_t i = 1; i <= 5 && err == ALDIS_OK; i++)
        err = aldis_send_after(ctx, (i == 3 ? 12 : 11 - 2 * i) * ALDIS_SECOND, *tower, line, i);
    return err;
}
ALDIS_BEHAVIOUR(pilot, tower_ref, PILOT_PROTOCOL, .on_start = pilot_start);

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    tower_ref tower;
    pilot_ref pilot;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, tower, &tower, NULL) != ALDIS_OK ||
        aldis_spawn(system, pilot, &pilot, &(aldis_spawn_opts){ALDIS_ARG(&tower)}) != ALDIS_OK ||
        aldis_signal(system, pilot, approach) != ALDIS_OK) {
        fprintf(stderr, "09_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
