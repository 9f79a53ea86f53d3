// SPDX-License-Identifier: Apache-2.0
/* 07_2.c: a trader that comes late, and wants the ore prices of all markets: a pattern, and topics
 * that keep their last value. Chapter 7, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(price, int64_t);
ALDIS_SIGNAL(open_market);

#define MARKET_PROTOCOL(X, kind) X(kind, open_market)
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);
#define TRADER_PROTOCOL(X, kind) X(kind, price)
ALDIS_PROTOCOL(trader, TRADER_PROTOCOL);

static aldis_err market_on_open_market(int *day, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    ++*day;
    aldis_err err = aldis_publish(ctx, "market.sol.ore", NULL, price, 10 + *day);
    if (err == ALDIS_OK)
        err = aldis_publish(ctx, "market.sol.ice", NULL, price, 20 + *day);
    if (err == ALDIS_OK)
        err = aldis_publish(ctx, "market.vega.ore", NULL, price, 30 + *day);
    return err;
}
ALDIS_BEHAVIOUR(market, int, MARKET_PROTOCOL);

static aldis_err trader_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    return aldis_subscribe(ctx, "market.*.ore"); /* * stands for one word, > for all the rest */
}

static aldis_err trader_on_price(int *heard, const int64_t *credits, aldis_ctx *ctx)
{
    printf("%d h: %s at %" PRId64 " (%d heard)\n", (int)(aldis_now(ctx) / ALDIS_HOUR),
           aldis_topic_of(ctx), *credits, ++*heard);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(trader, int, TRADER_PROTOCOL, .on_start = trader_start);

int main(void)
{
    static const char *const topics[] = {"market.sol.ore", "market.sol.ice", "market.vega.ore"};
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    market_ref market;
    trader_ref trader;
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < 3 && err == ALDIS_OK; i++)
        err = aldis_topic_keep(system, topics[i], true);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, market, &market, NULL);
    for (int day = 0; day < 3 && err == ALDIS_OK; day++)
        err = aldis_signal_after(system, day * 24 * ALDIS_HOUR, market, open_market);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, 36 * ALDIS_HOUR, NULL); /* two days have been published */
    if (err == ALDIS_OK)
        err = aldis_spawn(system, trader, &trader, NULL);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "07_2: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
