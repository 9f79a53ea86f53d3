// SPDX-License-Identifier: Apache-2.0
/* ship_mind.c: what a ship decides: where to go, and what to buy for it. See ship.h. Layer: space.
 * */
#include "ship.h"

/* The next on the route, or any other that has a berth for us and is within reach. */
uint32_t ship_choose_station(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_route *route = &ship_fleet(self)->route;
    if (route->count > 0) {
        self->leg = (uint8_t)((self->leg + 1u) % route->count);
        return route->stations[self->leg];
    }
    const struct scenario *scenario = self->chart->scenario;
    uint32_t count = scenario->stations.count, chosen = self->station;
    double reach = ship_reach(self);
    for (int tries = 0; tries < 16; tries++) {
        uint32_t other = (uint32_t)aldis_random_below(ctx, count);
        if (other == self->station || !ship_fits(self, other))
            continue;
        chosen = other;
        struct vec way = vec_sub(scenario_station_position(scenario, other, aldis_now(ctx)),
                                 self->motion.position);
        if (vec_length(way) * 1.1 < reach)
            return chosen;
    }
    for (uint32_t i = 0; chosen == self->station && i < count; i++)
        if (i != self->station && ship_fits(self, i))
            chosen = i;
    return chosen;
}

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* As much as it can of what gains most: the price that the next station is known for, less the one
 * here. The station's list of prices is public; how they have changed since, it finds out there. */
void ship_choose_goods(struct ship *self, const MarketPrices *prices, struct ship_extra *extra)
{
    uint32_t next = self->order - 1, best_gain = 0;
    extra->plan.count = 0;
    for (uint32_t i = 0; i < prices->prices_count; i++) {
        const Price *price = &prices->prices[i];
        if (price->resource >= self->account.kinds || price->stock == 0 || price->sells_at == 0)
            continue;
        uint32_t there = self->chart->prices[next * SCENARIO_COMMODITIES_MAX + price->resource];
        uint32_t gain = there > price->sells_at ? there - price->sells_at : 0;
        /* It is the whole hold's gain that counts; the price rises while one buys. */
        uint32_t limit = price->sells_at + gain / 2;
        uint64_t payable = (uint64_t)self->account.credits / limit;
        uint32_t tonnes = least(least(payable, account_room(&self->account)), price->stock / 2);
        if (gain <= best_gain || tonnes == 0)
            continue;
        best_gain = gain;
        extra->plan.count = 1;
        extra->plan.items[0] =
            (OfferItem){.commodity = price->resource, .tonnes = tonnes, .unit_value = limit};
    }
}
