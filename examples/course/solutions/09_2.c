// SPDX-License-Identifier: Apache-2.0
/* 09_2.c: causal order without a group: the answer names the question, and who hears the answer
 * first keeps it aside. Chapter 9, exercise 2. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { AURORA, BOREAS, CALYPSO, SHIPS };

ALDIS_MESSAGE(warning, uint32_t);   /* number */
ALDIS_MESSAGE(all_clear, uint32_t); /* number of the warning that it is about */

#define SHIP_PROTOCOL(X, kind) X(kind, warning) X(kind, all_clear)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static ship_ref ships[SHIPS];

struct ship {
    int me;
    uint32_t warned; /* number of the last warning that it has heard */
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct ship *)state)->me = *(const int *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_warning(struct ship *self, const uint32_t *number, aldis_ctx *ctx)
{
    aldis_err err = ALDIS_OK;
    self->warned = *number;
    if (self->me == AURORA) { /* told by main; Calypso is far away */
        err = aldis_send_after(ctx, 2 * ALDIS_SECOND, ships[BOREAS], warning, *number);
        return err != ALDIS_OK
                   ? err
                   : aldis_send_after(ctx, 9 * ALDIS_SECOND, ships[CALYPSO], warning, *number);
    }
    if (self->me == BOREAS)
        return aldis_send_after(ctx, 2 * ALDIS_SECOND, ships[CALYPSO], all_clear, *number);
    printf("%2d s: Calypso hears 'pirates!'\n", (int)(aldis_now(ctx) / ALDIS_SECOND));
    return aldis_unstash_all(ctx);
}

static aldis_err ship_on_all_clear(struct ship *self, const uint32_t *number, aldis_ctx *ctx)
{
    if (*number > self->warned) {
        printf("%2d s: Calypso hears of something that it does not know yet, and waits\n",
               (int)(aldis_now(ctx) / ALDIS_SECOND));
        return aldis_stash(ctx);
    }
    printf("%2d s: Calypso hears 'the pirates are gone'\n", (int)(aldis_now(ctx) / ALDIS_SECOND));
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++)
        err = aldis_spawn(system, ship, &ships[i], &(aldis_spawn_opts){ALDIS_ARG(&i)});
    if (err == ALDIS_OK)
        err = aldis_send(system, ships[AURORA], warning, 1);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "09_2: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
