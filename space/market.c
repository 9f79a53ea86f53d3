// SPDX-License-Identifier: Apache-2.0
/* market.c: the actor that lets prices wander, and tells all what has changed. Layer: space. */
#include "digest.h"
#include "protocol.h"

#include <aldis/router.h>
#include <aldis/timer.h>

struct market {
    const struct scenario *scenario;
    uint32_t prices[SCENARIO_COMMODITIES_MAX];
};

static aldis_err market_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct market *self = state;
    self->scenario = ((const struct chart *)arg)->scenario;
    const struct scenario_market *market = &self->scenario->market;
    for (uint32_t i = 0; i < market->commodities.count; i++)
        self->prices[i] = market->commodities.items[i].price;
    aldis_timer timer;
    return aldis_timer_every(ctx, market->update_ns, market_due, &timer);
}

/* One step of a walk: up to an eighth of the swing either way, turned back at the ends of it. */
static uint32_t wander(aldis_ctx *ctx, const struct scenario_commodity *commodity, uint32_t price)
{
    int64_t reach = commodity->swing / 8 + (commodity->swing > 0 ? 1 : 0);
    int64_t low = (int64_t)commodity->price - commodity->swing;
    int64_t high = (int64_t)commodity->price + commodity->swing;
    int64_t next =
        (int64_t)price - reach + (int64_t)aldis_random_below(ctx, 2 * (uint64_t)reach + 1);
    if (next < low)
        next = low;
    return (uint32_t)(next > high ? high : next);
}

static aldis_err market_on_market_due(struct market *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    struct market_update update = {.change_count = 0};
    const struct scenario_market *market = &self->scenario->market;
    for (uint32_t i = 0; i < market->commodities.count; i++) {
        uint32_t price = wander(ctx, &market->commodities.items[i], self->prices[i]);
        if (price != self->prices[i])
            update.changes[update.change_count++] =
                (struct price_change){.commodity = i, .price = price};
        self->prices[i] = price;
    }
    if (update.change_count == 0)
        return ALDIS_OK;
    /* A ship whose mailbox refuses an update hears of the price with the next change of it. */
    return aldis_broadcast_raw(ctx, NULL, &market_update_type, &update, sizeof update,
                               ALDIS_FANOUT_DEFAULT, NULL);
}

static uint64_t market_digest(const void *state)
{
    const struct market *self = state;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < SCENARIO_COMMODITIES_MAX; i++)
        digest = digest_mix(digest, self->prices[i]);
    return digest;
}

ALDIS_BEHAVIOUR(market, struct market, MARKET_PROTOCOL, .on_start = market_start,
                .digest = market_digest);
