// SPDX-License-Identifier: Apache-2.0
/* 07_1.c: one lot, three traders that hear of it: the market decides who gets it. Chapter 7,
 * exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

struct lot {
    int64_t number, value;
};
ALDIS_MESSAGE(offer, struct lot);
ALDIS_MESSAGE(buy, int64_t); /* a lot's number */
ALDIS_MESSAGE(sold, struct lot);
ALDIS_REQUEST(buy, sold);
ALDIS_SIGNAL(open_market);

#define MARKET_PROTOCOL(X, kind) X(kind, buy) X(kind, open_market)
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);
#define TRADER_PROTOCOL(X, kind) X(kind, offer)
ALDIS_PROTOCOL(trader, TRADER_PROTOCOL);

struct market {
    struct lot lot;
    bool there;
    int64_t credits;
};

static aldis_err market_on_open_market(struct market *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->lot = (struct lot){.number = self->lot.number + 1, .value = 1200};
    self->there = true;
    return aldis_publish(ctx, "market.sol", NULL, offer, self->lot.number, self->lot.value);
}

/* Two may ask for the same lot in the same second. They are handled one after the other. */
static aldis_err market_on_buy(struct market *self, const int64_t *number, aldis_ctx *ctx)
{
    if (!self->there || *number != self->lot.number)
        return aldis_reply_error(ctx, ALDIS_EREFUSED);
    self->there = false;
    self->credits += self->lot.value;
    return aldis_reply(ctx, sold, self->lot.number, self->lot.value);
}
ALDIS_BEHAVIOUR(market, struct market, MARKET_PROTOCOL);

struct trader {
    const char *name;
    int64_t purse;
    int64_t set_aside; /* for what it has asked for and not got yet */
};

static aldis_err trader_start(void *state, const void *arg, aldis_ctx *ctx)
{
    *(struct trader *)state = *(const struct trader *)arg;
    return aldis_subscribe(ctx, "market.sol");
}

static aldis_err trader_on_sold(struct trader *self, const aldis_answer *answer,
                                const struct lot *lot, aldis_ctx *ctx)
{
    (void)ctx;
    int64_t value = (int64_t)answer->context;
    self->set_aside -= value;
    if (lot)
        self->purse -= value;
    printf("%s: %s, %" PRId64 " credits\n", self->name,
           lot ? "bought" : aldis_error_text(answer->err), self->purse);
    return ALDIS_OK;
}
ALDIS_ON_REPLY(trader_on_sold, struct trader, buy);

static aldis_err trader_on_offer(struct trader *self, const struct lot *lot, aldis_ctx *ctx)
{
    if (lot->value > self->purse - self->set_aside)
        return ALDIS_OK;
    market_ref market = {.id = aldis_sender(ctx)};
    self->set_aside += lot->value; /* so that it cannot be spent twice while the answer comes */
    return aldis_ask(ctx, market, buy, trader_on_sold,
                     aldis_ask_with(.context = (uint64_t)lot->value), lot->number);
}
ALDIS_BEHAVIOUR(trader, struct trader, TRADER_PROTOCOL, .on_start = trader_start);

int main(void)
{
    static const struct trader traders[] = {{.name = "Aurora", .purse = 2500},
                                            {.name = "Boreas", .purse = 2000},
                                            {.name = "Calypso", .purse = 1000}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    market_ref market;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, market, &market, NULL);
    for (int i = 0; i < 3 && err == ALDIS_OK; i++) {
        trader_ref trader;
        err = aldis_spawn(system, trader, &trader, &(aldis_spawn_opts){ALDIS_ARG(&traders[i])});
    }
    for (int day = 1; day <= 2 && err == ALDIS_OK; day++)
        err = aldis_signal_after(system, day * 24 * ALDIS_HOUR, market, open_market);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "07_1: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
