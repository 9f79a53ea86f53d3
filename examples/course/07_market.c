// SPDX-License-Identifier: Apache-2.0
/* 07_market.c: a market tells its prices to whoever wants to know: once with a list of its own and
 * greedy traders, then put right. Chapter 7 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum { TRADERS = 3, DAYS = 5, HOLD_T = 150, PURSE = 2500, WORTH_IT = 1000 };

struct offer { /* to anybody: so many tonnes of ore at that price */
    int64_t tonnes, price;
};
ALDIS_MESSAGE(offer, struct offer);
ALDIS_SIGNAL(subscribe_me);
ALDIS_SIGNAL(open_market);
ALDIS_SIGNAL(leave);

#define MARKET_PROTOCOL(X, kind) X(kind, subscribe_me) X(kind, open_market)
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);
#define TRADER_PROTOCOL(X, kind) X(kind, offer) X(kind, leave)
ALDIS_PROTOCOL(trader, TRADER_PROTOCOL);

static const struct offer offers[DAYS] = {{100, 12}, {60, 9}, {120, 10}, {50, 30}, {40, 28}};

struct market {
    bool naive;
    int day;
    trader_ref list[TRADERS]; /* the naive one's */
    int listed;
};

static aldis_err market_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct market *)state)->naive = *(const bool *)arg;
    return ALDIS_OK;
}

static aldis_err market_on_subscribe_me(struct market *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->list[self->listed++].id = aldis_sender(ctx); /* and who takes it off again? */
    return ALDIS_OK;
}

static aldis_err tell_list(struct market *self, const struct offer *offer, aldis_ctx *ctx)
{
    int gone = 0;
    for (int i = 0; i < self->listed; i++)
        if (aldis_send_copy(ctx, self->list[i], offer, offer) != ALDIS_OK)
            gone++;
    printf("  day %d: offered to %d traders, of whom %d are gone\n", self->day, self->listed, gone);
    return ALDIS_OK;
}

static aldis_err tell_topic(struct market *self, const struct offer *offer, aldis_ctx *ctx)
{
    aldis_fanout fanout;
    aldis_err err = aldis_publish(ctx, "market.sol.ore", &fanout, offer, .tonnes = offer->tonnes,
                                  .price = offer->price);
    if (err == ALDIS_OK)
        printf("  day %d: offered to %" PRIu64 " traders\n", self->day, fanout.matched);
    return err;
}

static aldis_err market_on_open_market(struct market *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    const struct offer *offer = &offers[self->day++];
    aldis_err err = self->naive ? tell_list(self, offer, ctx) : tell_topic(self, offer, ctx);
    market_ref me = {.id = aldis_self(ctx)};
    if (err != ALDIS_OK || self->day == DAYS)
        return err;
    return aldis_signal_after(ctx, 24 * ALDIS_HOUR, me, open_market);
}
ALDIS_BEHAVIOUR(market, struct market, MARKET_PROTOCOL, .on_start = market_start);

struct trader {
    const char *name;
    market_ref market;
    bool naive;
    int64_t hold_t, purse;
};

static aldis_err trader_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct trader *self = state;
    *self = *(const struct trader *)arg;
    if (self->naive)
        return aldis_signal(ctx, self->market, subscribe_me);
    return aldis_subscribe(ctx, "market.sol.ore");
}

static aldis_err trader_on_offer(struct trader *self, const struct offer *msg, aldis_ctx *ctx)
{
    (void)ctx;
    int64_t value = msg->tonnes * msg->price;
    if (value <= WORTH_IT)
        return ALDIS_OK;
    if (!self->naive && (self->hold_t + msg->tonnes > HOLD_T || value > self->purse))
        return ALDIS_OK; /* no room, or no money */
    self->hold_t += msg->tonnes;
    self->purse -= value;
    printf("    %s buys: %" PRId64 " of %d t, %" PRId64 " credits left\n", self->name, self->hold_t,
           HOLD_T, self->purse);
    return ALDIS_OK;
}

static aldis_err trader_on_leave(struct trader *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_stop(ctx, aldis_self(ctx));
}
ALDIS_BEHAVIOUR(trader, struct trader, TRADER_PROTOCOL, .on_start = trader_start);

static aldis_err trade(bool naive)
{
    struct trader fleet[TRADERS] = {{.name = "Aurora"}, {.name = "Boreas"}, {.name = "Calypso"}};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    market_ref market;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, market, &market, &(aldis_spawn_opts){ALDIS_ARG(&naive)});
    for (int i = 0; i < TRADERS && err == ALDIS_OK; i++) {
        trader_ref trader;
        fleet[i].market = market;
        fleet[i].naive = naive;
        fleet[i].purse = PURSE;
        err = aldis_spawn(system, trader, &trader, &(aldis_spawn_opts){ALDIS_ARG(&fleet[i])});
        if (err == ALDIS_OK && i > 0) /* they leave before the third and the fifth day */
            err = aldis_signal_after(system, (2 * i - 1) * 25 * ALDIS_HOUR, trader, leave);
    }
    if (err == ALDIS_OK)
        err = aldis_signal_after(system, ALDIS_MINUTE, market, open_market);
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
    puts("with a list, and greedy traders:");
    aldis_err err = trade(true);
    puts("with a topic, and traders that look into hold and purse:");
    if (err != ALDIS_OK || (err = trade(false)) != ALDIS_OK) {
        fprintf(stderr, "07_market: %s\n", aldis_error_text(err));
        return 1;
    }
    puts("audit: balanced, both times");
    return 0;
}
