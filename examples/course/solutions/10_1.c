// SPDX-License-Identifier: Apache-2.0
/* 10_1.c: at-least-once made harmless: each fee has a number, and what was booked is not booked
 * again. Chapter 10, exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum { FEES = 100, CREDITS = 10 };

struct fee {
    uint32_t number; /* 0 .. FEES-1: the same in each repeat */
    uint32_t credits;
};
ALDIS_MESSAGE(fee, struct fee);
ALDIS_SIGNAL(pay);
ALDIS_SIGNAL(report);

#define STATION_PROTOCOL(X, kind) X(kind, fee) X(kind, report)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, pay) X(kind, aldis_delivered)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct station {
    struct {
        uint64_t purse;
        bool booked[FEES];
    } kept; /* money and what is known of it are saved together, or not at all */
    uint32_t repeats;
};

static aldis_err station_on_fee(struct station *self, const struct fee *fee, aldis_ctx *ctx)
{
    if (fee->number >= FEES)
        return aldis_reject(ctx, ALDIS_EINVAL);
    if (self->kept.booked[fee->number]) {
        self->repeats++;
        return ALDIS_OK; /* confirmed once more: the first confirmation may have been lost */
    }
    self->kept.booked[fee->number] = true;
    self->kept.purse += fee->credits;
    return ALDIS_OK;
}

static aldis_err station_on_report(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    printf("the station has got %" PRIu64 " credits; repeats since its last restart: %s\n",
           self->kept.purse, self->repeats > 0 ? "some" : "none");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE},
                .durable = ALDIS_DURABLE(struct station, kept));

struct ship {
    station_ref station;
    uint32_t paid;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct ship *)state)->station = *(const station_ref *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_pay(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    const aldis_reliable_opts how = {.grade = ALDIS_AT_LEAST_ONCE, .max_attempts = 11};
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; i < FEES && err == ALDIS_OK; i++)
        err = aldis_send_reliable(ctx, self->station, fee, NULL, &how, i, CREDITS);
    return err;
}

static aldis_err ship_on_aldis_delivered(struct ship *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)ctx;
    if (msg->result != ALDIS_OK)
        printf("a fee was not paid: %s\n", aldis_error_text((aldis_err)msg->result));
    else if (++self->paid == FEES)
        printf("the ship has paid %d credits\n", FEES * CREDITS);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    static const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.05},
        {.kind = ALDIS_FAULT_CRASH, .every = 25, .to = "station", .type = "fee"},
    };
    const aldis_fault_plan plan = {.rules = rules, .rule_count = 3, .heal_ns = ALDIS_HOUR};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1, .workers = 1};
    aldis_system *system;
    station_ref station;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, station, &station, NULL) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&station)}) != ALDIS_OK ||
        aldis_system_inject(system, &plan) != ALDIS_OK ||
        aldis_signal(system, ship, pay) != ALDIS_OK ||
        aldis_signal_after(system, ALDIS_HOUR, station, report) != ALDIS_OK) {
        fprintf(stderr, "10_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
