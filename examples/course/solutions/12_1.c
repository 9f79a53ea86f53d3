// SPDX-License-Identifier: Apache-2.0
/* 12_1.c: a station gives each ship a token bucket: who talks too much is refused, the other is
 * not harmed. Chapter 12, exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { SHIPS = 2 };

struct report {
    uint32_t ship, number;
};
ALDIS_MESSAGE(report, struct report);
ALDIS_SIGNAL(tick);

#define STATION_PROTOCOL(X, kind) X(kind, report)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    aldis_bucket buckets[SHIPS];
};

static aldis_err station_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    struct station *self = state;
    aldis_err err = ALDIS_OK;
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++) /* 2 a second, and 5 at once after a rest */
        err = aldis_bucket_init(&self->buckets[i], &(aldis_rate){.tokens = 2, .burst = 5},
                                aldis_now(ctx));
    return err;
}

static aldis_err station_on_report(struct station *self, const struct report *msg, aldis_ctx *ctx)
{
    if (msg->ship >= SHIPS)
        return aldis_reject(ctx, ALDIS_EINVAL);
    if (aldis_bucket_try_consume(&self->buckets[msg->ship], 1, aldis_now(ctx), NULL) != ALDIS_OK)
        return aldis_reject(ctx, ALDIS_ERATE);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL, .on_start = station_start);

struct ship {
    station_ref station;
    uint32_t number, left;
    aldis_ns period_ns;
    uint32_t sent, refused;
    aldis_timer timer;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    *self = *(const struct ship *)arg;
    return aldis_timer_every(ctx, self->period_ns, tick, &self->timer);
}

static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->left == 0) {
        printf("ship %" PRIu32 ": %" PRIu32 " reports, %" PRIu32 " of them refused\n", self->number,
               self->sent, self->refused);
        return aldis_timer_cancel(ctx, self->timer);
    }
    self->left--;
    self->sent++;
    return aldis_send(ctx, self->station, report, self->number, self->sent);
}

static void ship_on_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)ctx;
    if (notice->reason == ALDIS_ERATE)
        ((struct ship *)state)->refused += notice->count;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start,
                .on_undelivered = ship_on_undelivered);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    struct ship fleet[SHIPS] = {{.number = 0, .left = 100, .period_ns = ALDIS_SECOND / 10},
                                {.number = 1, .left = 20, .period_ns = ALDIS_SECOND}};
    aldis_system *system;
    station_ref station;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, station, &station, NULL);
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++) {
        ship_ref ship;
        fleet[i].station = station;
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "12_1: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
