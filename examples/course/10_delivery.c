// SPDX-License-Identifier: Apache-2.0
/* 10_delivery.c: a ship pays a hundred fees of 10 credits over a bad radio, to a station that
 * crashes now and then; in four ways. Chapter 10 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { FEES = 100, CREDITS = 10 };

ALDIS_MESSAGE(fee, int64_t);
ALDIS_SIGNAL(pay);
ALDIS_SIGNAL(report);

#define STATION_PROTOCOL(X, kind) X(kind, fee) X(kind, report)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, pay) X(kind, report) X(kind, aldis_delivered)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    int64_t purse;
};

static aldis_err station_on_fee(struct station *self, const int64_t *credits, aldis_ctx *ctx)
{
    (void)ctx;
    self->purse += *credits;
    return ALDIS_OK; /* this confirms it */
}

static aldis_err station_on_report(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    printf("  %5" PRId64 "\n", self->purse);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE},
                .durable = ALDIS_DURABLE(struct station, purse)); /* outlives a restart */

struct way {
    const char *name;
    int plain; /* fire-and-forget */
    aldis_reliable_opts how;
};

struct ship {
    station_ref station;
    const struct way *way;
    int64_t paid, failed; /* as far as it knows */
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_pay(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (int i = 0; i < FEES && err == ALDIS_OK; i++) {
        if (self->way->plain) {
            err = aldis_send(ctx, self->station, fee, CREDITS);
            self->paid += CREDITS; /* it hopes so */
        } else {
            err = aldis_send_reliable(ctx, self->station, fee, NULL, &self->way->how, CREDITS);
        }
    }
    return err;
}

/* Told by the runtime, once for each reliable message. */
static aldis_err ship_on_aldis_delivered(struct ship *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)ctx;
    if (msg->result == ALDIS_OK)
        self->paid += CREDITS;
    else
        self->failed += CREDITS;
    return ALDIS_OK;
}

static aldis_err ship_on_report(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)ctx;
    (void)msg;
    printf("%-16s  %5" PRId64 "  %5" PRId64, self->way->name, self->paid, self->failed);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err pay_fees(const struct way *way)
{
    static const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2}, /* also of confirmations */
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.05},
        {.kind = ALDIS_FAULT_CRASH, .every = 25, .to = "station", .type = "fee"},
    };
    const aldis_fault_plan plan = {.rules = rules, .rule_count = 3, .heal_ns = ALDIS_HOUR};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1, .workers = 1};
    aldis_system *system;
    struct ship payer = {.way = way};
    ship_ref ship;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, station, &payer.station, NULL);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&payer)});
    if (err == ALDIS_OK)
        err = aldis_system_inject(system, &plan);
    if (err == ALDIS_OK)
        err = aldis_signal(system, ship, pay);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err == ALDIS_OK)
        err = aldis_signal_after(system, ALDIS_HOUR, ship, report);
    if (err == ALDIS_OK)
        err = aldis_signal_after(system, ALDIS_HOUR + ALDIS_SECOND, payer.station, report);
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
    static const struct way ways[] = {
        {.name = "fire-and-forget", .plain = 1},
        {.name = "at most once", .how = {.grade = ALDIS_AT_MOST_ONCE}},
        {.name = "at least once", .how = {.grade = ALDIS_AT_LEAST_ONCE, .max_attempts = 11}},
        {.name = "effect once", .how = {.grade = ALDIS_EFFECT_ONCE, .max_attempts = 11}},
    };
    printf("of %d credits:    paid failed received\n", FEES * CREDITS);
    for (int i = 0; i < 4; i++) {
        aldis_err err = pay_fees(&ways[i]);
        if (err != ALDIS_OK) {
            fprintf(stderr, "10_delivery: %s\n", aldis_error_text(err));
            return 1;
        }
    }
    puts("audit: balanced, each time");
    return 0;
}
