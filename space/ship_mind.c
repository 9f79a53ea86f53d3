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
    const struct scenario *scenario = ship_chart(self)->scenario;
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

/* ---- What to buy ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What a station pays for a tonne, as far as the ship knows: as it heard when it was there last, if
 * that was its last stop; else the public list of the start, less the spread. */
static int64_t price_there(const struct ship *self, uint32_t station, uint32_t good)
{
    if (self->known_station == station + 1)
        return ship_known(self)[good];
    return (int64_t)ship_chart(self)->prices[station * SCENARIO_COMMODITIES_MAX + good] * 98 / 100;
}

/* How much a tonne more or less changes a station's price, in thousandths of a cent. */
static int64_t slope(const struct scenario *scenario, uint32_t station, uint32_t good)
{
    const struct scenario_goods *goods = &scenario->stations.items[station].goods[good];
    int64_t swing = (int64_t)scenario->market.commodities.items[good].swing * CENTS;
    return goods->target > 0 ? swing * 1000 / goods->target : 0;
}

/* So much that the last tonne bought is sold for what it has cost: one price rises with each, the
 * other falls. */
static uint64_t best_tonnes(const struct ship *self, uint32_t next, const Price *price,
                            int64_t gain)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    int64_t change =
        slope(scenario, self->station, price->resource) + slope(scenario, next, price->resource);
    uint64_t payable = (uint64_t)self->account.credits / (price->sells_at + (uint64_t)gain);
    uint64_t tonnes = least(least(payable, account_room(&self->account)), price->stock);
    return change > 0 ? least(tonnes, (uint64_t)(gain * 1000 / change)) : tonnes;
}

/* What gains most on the whole. */
void ship_choose_goods(struct ship *self, const MarketPrices *prices)
{
    uint32_t next = self->order - 1;
    uint64_t best = 0;
    OfferItem choice;
    for (uint32_t i = 0; i < prices->prices_count; i++) {
        const Price *price = &prices->prices[i];
        if (price->resource >= self->account.shape->kinds || price->sells_at == 0)
            continue;
        int64_t there = price_there(self, next, price->resource), gain = there - price->sells_at;
        if (gain <= 0)
            continue;
        uint64_t tonnes = best_tonnes(self, next, price, gain);
        if (tonnes * (uint64_t)gain <= best)
            continue;
        best = tonnes * (uint64_t)gain;
        choice = (OfferItem){.commodity = price->resource,
                             .tonnes = (uint32_t)least(tonnes, INT32_MAX / 16),
                             .unit_value = (uint32_t)there};
    }
    struct ship_plan *plan = ship_plan(self, best > 0);
    if (plan && best > 0)
        plan->items[0] = choice;
    ship_remember(self, prices);
}

void ship_remember(struct ship *self, const MarketPrices *prices)
{
    self->known_station = self->station + 1;
    memset(ship_known(self), 0, self->account.shape->kinds * sizeof(uint32_t));
    for (uint32_t i = 0; i < prices->prices_count; i++)
        if (prices->prices[i].resource < self->account.shape->kinds)
            ship_known(self)[prices->prices[i].resource] = prices->prices[i].buys_at;
}

/* If these are the prices that it remembers: as they are now, so nothing is counted twice that it
 * knew already, and nothing is missed that it was not told. */
SHIP_ACTION(note_update, market_update)
{
    (void)ctx;
    if (self->known_station == 0 || msg->station != self->known_station - UINT32_C(1))
        return ALDIS_OK;
    for (uint32_t i = 0; i < msg->changes_count; i++)
        if (msg->changes[i].resource < self->account.shape->kinds)
            ship_known(self)[msg->changes[i].resource] = msg->changes[i].buys_at;
    return ALDIS_OK;
}
