// SPDX-License-Identifier: Apache-2.0
/* topic.c: publish to whoever has subscribed. The publisher knows a topic, not its readers. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

struct price {
    char good[16];
    int32_t credits;
};
ALDIS_MESSAGE(price, struct price);
ALDIS_SIGNAL(open_market);

#define TRADER_PROTOCOL(X, kind) X(kind, price)
ALDIS_PROTOCOL(trader, TRADER_PROTOCOL);
#define MARKET_PROTOCOL(X, kind) X(kind, open_market)
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);

struct trader {
    int limit; /* buys below it, then has enough */
    int number;
};

static aldis_err trader_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct trader *self = state;
    self->number = *(const int *)arg;
    self->limit = 10 * self->number;
    return aldis_subscribe(ctx, "market.sol");
}

static aldis_err trader_on_price(struct trader *self, const struct price *msg, aldis_ctx *ctx)
{
    if (msg->credits >= self->limit)
        return ALDIS_OK;
    printf("trader %d buys %s at %d\n", self->number, msg->good, (int)msg->credits);
    return aldis_unsubscribe(ctx, "market.sol");
}
ALDIS_BEHAVIOUR(trader, struct trader, TRADER_PROTOCOL, .on_start = trader_start);

struct market {
    int day;
};

/* The price of a day, and so on while anybody wants to know. */
static aldis_err market_on_open_market(struct market *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    static const int prices[] = {35, 25, 15, 5, 8, 12};
    aldis_fanout fanout;
    int credits = prices[self->day++ % 6];
    aldis_err err =
        aldis_publish(ctx, "market.sol", &fanout, price, .good = "ice", .credits = credits);
    if (err != ALDIS_OK)
        return err;
    printf("ice at %d: told %" PRIu64 "\n", credits, fanout.delivered);
    market_ref me = {.id = aldis_self(ctx)};
    return fanout.matched ? aldis_signal_after(ctx, 24 * ALDIS_HOUR, me, open_market) : ALDIS_OK;
}
ALDIS_BEHAVIOUR(market, struct market, MARKET_PROTOCOL);

int main(void)
{
    aldis_system *system;
    market_ref market;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 1; i <= 3 && err == ALDIS_OK; i++) {
        trader_ref trader;
        err = aldis_spawn(system, trader, &trader, &(aldis_spawn_opts){ALDIS_ARG(&i)});
    }
    if (err != ALDIS_OK || aldis_spawn(system, market, &market, NULL) != ALDIS_OK) {
        fprintf(stderr, "topic: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until all have subscribed */
    aldis_signal(system, market, open_market);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("after %" PRId64 " virtual days; audit: %s\n",
           aldis_system_now(system) / (24 * ALDIS_HOUR), audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
