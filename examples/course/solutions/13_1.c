// SPDX-License-Identifier: Apache-2.0
/* 13_1.c: two runs that part: which message was the first to differ? Chapter 13, exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHIPS = 5, KEPT_MAX = 10000 };

ALDIS_MESSAGE(hail, int64_t);
ALDIS_SIGNAL(tick);

#define SHIP_PROTOCOL(X, kind) X(kind, hail) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static ship_ref ships[SHIPS];
static bool wrong; /* in the second run ship 3 adds one kilometre to what it says at 30 s */

struct ship {
    int64_t x_km;
    aldis_timer ticker;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    return aldis_timer_every(ctx, ALDIS_SECOND, tick, &((struct ship *)state)->ticker);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->x_km += (int64_t)aldis_random_below(ctx, 11) - 5;
    bool adds = wrong && aldis_id_equal(aldis_self(ctx), ships[3].id) &&
                aldis_now(ctx) / ALDIS_SECOND == 30;
    return aldis_send(ctx, ships[aldis_random_below(ctx, SHIPS)], hail, self->x_km + adds);
}

static aldis_err ship_on_hail(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    (void)ctx;
    self->x_km += *x_km > self->x_km ? 1 : -1;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static uint64_t first_run[KEPT_MAX]; /* digest of each message that was handled */
static int kept, compared;
static bool parted;

static void keep(void *arg, const aldis_handled *handled)
{
    (void)arg;
    if (kept < KEPT_MAX)
        first_run[kept++] = handled->digest;
}

static int ship_number(aldis_id id)
{
    for (int i = 0; i < SHIPS; i++)
        if (aldis_id_equal(ships[i].id, id))
            return i;
    return -1;
}

static void compare(void *arg, const aldis_handled *handled)
{
    (void)arg;
    if (parted || compared == kept || handled->digest == first_run[compared++])
        return;
    parted = true;
    printf("they part at message %d, at %" PRId64 " ms: %s from ship %d\n", compared,
           handled->at_ns / ALDIS_MS, handled->type_name, ship_number(handled->sender));
}

static void fly(aldis_handled_fn fn)
{
    /* One worker: then the calls come in the order in which the run print counts. */
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1, .workers = 1};
    aldis_system *system;
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++)
        err = aldis_spawn(system, ship, &ships[i], NULL);
    if (err == ALDIS_OK)
        err = aldis_system_on_handled(system, fn, NULL);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_MINUTE, NULL);
    if (err != ALDIS_OK) {
        fprintf(stderr, "13_1: %s\n", aldis_error_last()->text);
        exit(1);
    }
    aldis_system_destroy(system);
}

int main(void)
{
    fly(keep);
    fly(compare);
    puts(parted ? "?" : "the same twice: no difference");
    compared = 0;
    wrong = true;
    fly(compare);
    return 0;
}
