// SPDX-License-Identifier: Apache-2.0
/* 06_1.c: several offer help; the caller takes the nearest of those that answer in time, and sends
 * the others back to their work. Chapter 6, exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELP_KM = 200 };

ALDIS_MESSAGE(distress, int64_t); /* where */
ALDIS_MESSAGE(offer, int64_t);    /* from how far away */
ALDIS_SIGNAL(come);
ALDIS_SIGNAL(not_needed);
ALDIS_SIGNAL(engine_fails);
ALDIS_SIGNAL(choose);

#define SHIP_PROTOCOL(X, kind)                                                                     \
    X(kind, engine_fails)                                                                          \
    X(kind, choose) X(kind, distress) X(kind, offer) X(kind, come) X(kind, not_needed)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    const char *name;
    int64_t x_km;
    bool offered;      /* it has offered to come, and keeps itself ready */
    ship_ref best;     /* of those that offered to come to this one */
    int64_t best_km;   /* how far away that is */
    aldis_timer timer; /* until it chooses */
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
    self->best.id = aldis_nobody();
    aldis_err err = aldis_broadcast(ctx, NULL, distress, self->x_km);
    return err != ALDIS_OK ? err : aldis_timer_once(ctx, 5 * ALDIS_SECOND, choose, &self->timer);
}

static aldis_err ship_on_distress(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    int64_t away_km = llabs(self->x_km - *x_km);
    if (self->offered || away_km >= HELP_KM)
        return ALDIS_OK;
    self->offered = true;
    return aldis_reply(ctx, offer, away_km);
}

/* Whoever is farther away than the best so far is sent back at once. */
static aldis_err ship_on_offer(struct ship *self, const int64_t *away_km, aldis_ctx *ctx)
{
    ship_ref helper = {.id = aldis_sender(ctx)}, sent_back = helper;
    if (aldis_id_is_nobody(self->best.id) || *away_km < self->best_km) {
        sent_back = self->best;
        self->best = helper;
        self->best_km = *away_km;
    }
    return aldis_id_is_nobody(sent_back.id) ? ALDIS_OK : aldis_signal(ctx, sent_back, not_needed);
}

static aldis_err ship_on_choose(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (aldis_id_is_nobody(self->best.id)) {
        printf("%2d s: nobody comes to help %s: it calls again\n", now_s(ctx), self->name);
        return ship_on_engine_fails(self, NULL, ctx);
    }
    return aldis_signal(ctx, self->best, come);
}

static aldis_err ship_on_come(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%2d s: %s goes to help\n", now_s(ctx), self->name);
    return ALDIS_OK;
}

static aldis_err ship_on_not_needed(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->offered = false;
    printf("%2d s: %s is not needed\n", now_s(ctx), self->name);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    struct ship fleet[] = {{.name = "Aurora", .x_km = 1000},
                           {.name = "Boreas", .x_km = 1150},
                           {.name = "Calypso", .x_km = 950},
                           {.name = "Electra", .x_km = 810}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    ship_ref ships[4];
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < 4 && err == ALDIS_OK; i++)
        err = aldis_spawn(system, ship, &ships[i], &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
    if (err == ALDIS_OK)
        err = aldis_signal(system, ships[0], engine_fails);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "06_1: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
