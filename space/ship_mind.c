// SPDX-License-Identifier: Apache-2.0
/* ship_mind.c: what a ship decides: where to go, and what to buy for it. See ship.h. Layer: space.
 * */
#include "bulletin.h"
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

/* ---- What to buy and to sell ---- */

/* Cents: for less than that beside the fuel no ship buys goods. */
#define TROUBLE CENTS

/* So many cents more or less does a tonne make in a station's price, times a thousand. */
static int64_t slope(const struct scenario *scenario, uint32_t station, uint32_t good)
{
    const struct scenario_goods *goods = &scenario->stations.items[station].goods[good];
    int64_t swing = (int64_t)scenario->market.commodities.items[good].swing * CENTS;
    return goods->target > 0 ? swing * 1000 / goods->target : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Cents a tonne that a station pays, by the bulletin; one that is not in it, as the ship remembers
 * it. 0: it does not know. */
static int64_t pays(const struct ship *self, uint32_t station, uint32_t good, aldis_ns now_ns)
{
    int64_t price = bulletin_price(ship_chart(self)->books->bulletin, station, good, now_ns);
    if (price == 0 && self->known_station == station + 1 && !ship_has(self, good))
        return ship_prices(self)[good];
    return price * (100 - MARKET_SPREAD_PERCENT) / 100;
}

/* What it can pay with, in cents. One that is not in the bulletin may well be able to. */
static int64_t funds_of(const struct ship *self, uint32_t station, aldis_ns now_ns)
{
    int64_t funds = bulletin_funds(ship_chart(self)->books->bulletin, station, now_ns);
    return funds >= 0 ? funds : INT64_MAX;
}

static int64_t missing_fuel_price(const struct ship *self)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    double units = (double)(self->account.shape->tank - self->account.fuel) / FUEL_NANO;
    return (int64_t)(units * scenario->stations.items[self->station].fuel_price * CENTS) + 1;
}

bool ship_must_sell(const struct ship *self)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    int64_t needs = missing_fuel_price(self);
    if (self->flags & SHIP_DAMAGED)
        needs += (int64_t)scenario->stations.items[self->station].repair_price * CENTS;
    return self->account.credits < needs;
}

uint64_t ship_sellable(const struct ship *self, uint32_t station, uint32_t good, aldis_ns now_ns)
{
    uint64_t tonnes = account_goods(&self->account)[good];
    if (tonnes == 0)
        return 0;
    int64_t price = pays(self, station, good, now_ns);
    int64_t gain = price - (int64_t)ship_prices(self)[good];
    int64_t change = slope(ship_chart(self)->scenario, station, good);
    if (price == 0 || gain < 0)
        return 0;
    int64_t funds = funds_of(self, station, now_ns);
    tonnes = least(tonnes, (uint64_t)(funds / price));
    return change > 0 ? least(tonnes, (uint64_t)(gain * 1000 / change)) : tonnes;
}

/* A trade as it is expected to go. Its gain is in cents, on the whole. */
struct deal {
    uint64_t tonnes;
    double gain;
};

/* The price falls with each tonne. */
static double gain_of(uint64_t tonnes, int64_t each, int64_t change)
{
    return (double)tonnes * ((double)each - (double)tonnes * (double)change / 2000);
}

/* What it has to spend, beside a full tank and a repair; of little, half. */
static int64_t spendable(const struct ship *self, int64_t credits)
{
    const struct scenario_station *station =
        &ship_chart(self)->scenario->stations.items[self->station];
    double tank = (double)self->account.shape->tank / FUEL_NANO * station->fuel_price;
    int64_t reserve = ((int64_t)tank + 1 + station->repair_price) * CENTS;
    return reserve < credits / 2 ? credits - reserve : credits / 2;
}

/* What a ship can buy with. */
struct means {
    int64_t credits;
    uint64_t room;
};

/* Buy at `price` here for station `next`. One price rises with each tonne, the other falls: it buys
 * half of what it could sell again without a loss, since others may think of the same. */
static struct deal judge_purchase(const struct ship *self, uint32_t next, const Price *price,
                                  const struct means *means, aldis_ns now_ns)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    uint32_t good = price->resource;
    int64_t there = pays(self, next, good, now_ns), each = there - (int64_t)price->sells_at;
    if (each <= 0 || price->sells_at == 0)
        return (struct deal){0};
    int64_t funds = funds_of(self, next, now_ns);
    int64_t change = slope(scenario, self->station, good) + slope(scenario, next, good);
    uint64_t tonnes = least((uint64_t)(means->credits / there), (uint64_t)(funds / there));
    tonnes = least(least(tonnes, means->room), price->stock);
    if (change > 0)
        tonnes = least(tonnes, (uint64_t)(each * 1000 / change + 1) / 2);
    return (struct deal){.tonnes = tonnes, .gain = gain_of(tonnes, each, change)};
}

/* Cents for the fuel to a station. */
static double leg_price(const struct ship *self, uint32_t next, aldis_ns now_ns)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    struct vec way = vec_sub(scenario_station_position(scenario, next, now_ns),
                             scenario_station_position(scenario, self->station, now_ns));
    return vec_length(way) * ship_class(self)->burn *
           scenario->stations.items[self->station].fuel_price * CENTS;
}

/* It pays at most what leaves half of the gain, should others have been quicker. */
static OfferItem item_of(const Price *price, const struct deal *deal, int64_t change)
{
    double middle = price->sells_at + (double)deal->tonnes * (double)change / 2000;
    double limit = middle + deal->gain / (double)deal->tonnes / 2;
    return (OfferItem){.commodity = price->resource,
                       .tonnes = (uint32_t)least(deal->tonnes, INT32_MAX / 16),
                       .unit_value = (uint32_t)limit};
}

/* What gains most on the whole, and more than the fuel costs; of goods that it has left, no more.
 * If it has sold nothing of what it has, it buys nothing. */
void ship_choose_goods(struct ship *self, const MarketPrices *prices, aldis_ns now_ns)
{
    uint32_t next = self->order - 1;
    const struct means means = {.credits = spendable(self, self->account.credits),
                                .room = account_room(&self->account)};
    double best = leg_price(self, next, now_ns) + TROUBLE;
    bool found = false;
    OfferItem choice;
    for (uint32_t i = 0; self->unsold == 0 && i < prices->prices_count; i++) {
        const Price *price = &prices->prices[i];
        if (price->resource >= self->account.shape->kinds ||
            account_goods(&self->account)[price->resource] > 0)
            continue;
        struct deal deal = judge_purchase(self, next, price, &means, now_ns);
        if (deal.tonnes == 0 || deal.gain <= best)
            continue;
        best = deal.gain;
        found = true;
        choice = item_of(price, &deal,
                         slope(ship_chart(self)->scenario, self->station, price->resource));
    }
    struct ship_plan *plan = ship_plan(self, found);
    if (plan && found)
        plan->items[0] = choice;
}

double ship_gain_at(const struct ship *self, uint32_t station, aldis_ns now_ns)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    const struct bulletin *bulletin = ship_chart(self)->books->bulletin;
    struct means means = {.credits = self->account.credits, .room = account_room(&self->account)};
    double carried = 0, bought = 0;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++) {
        uint64_t here = ship_sellable(self, self->station, i, now_ns);
        uint64_t there = ship_sellable(self, station, i, now_ns);
        uint64_t left = account_goods(&self->account)[i] - here;
        means.room += here;
        means.credits += (int64_t)here * ship_prices(self)[i];
        there = least(there, left);
        if (there > 0)
            carried += gain_of(there, pays(self, station, i, now_ns) - ship_prices(self)[i],
                               slope(scenario, station, i));
    }
    means.credits = spendable(self, means.credits);
    for (uint32_t i = 0; i < self->account.shape->kinds; i++) {
        int64_t price = bulletin_price(bulletin, self->station, i, now_ns);
        const Price here = {.resource = i,
                            .sells_at = (uint32_t)(price * (100 + MARKET_SPREAD_PERCENT) / 100),
                            .stock = UINT32_MAX};
        struct deal deal = judge_purchase(self, station, &here, &means, now_ns);
        if (deal.gain > bought)
            bought = deal.gain;
    }
    return carried + bought - leg_price(self, station, now_ns);
}

void ship_note_bought(struct ship *self, uint32_t good, uint64_t tonnes, uint64_t cents)
{
    uint64_t all = account_goods(&self->account)[good], before = all > tonnes ? all - tonnes : 0;
    uint64_t paid = before * ship_prices(self)[good] + cents;
    uint64_t each = (paid + before + tonnes - 1) / (before + tonnes);
    ship_prices(self)[good] = each < UINT32_MAX ? (uint32_t)each : UINT32_MAX;
}

void ship_note_given(struct ship *self)
{
    for (uint32_t i = 0; i < self->account.shape->kinds; i++)
        if (!ship_has(self, i))
            ship_prices(self)[i] = 0;
}

void ship_remember(struct ship *self, const MarketPrices *prices)
{
    self->known_station = self->station + 1;
    ship_note_given(self); /* what another station pays, too */
    for (uint32_t i = 0; i < prices->prices_count; i++) {
        const Price *price = &prices->prices[i];
        if (price->resource < self->account.shape->kinds && !ship_has(self, price->resource))
            ship_prices(self)[price->resource] = price->buys_at;
    }
}

/* If these are the prices that it remembers: as they are now, so nothing is counted twice that it
 * knew already, and nothing is missed that it was not told. */
SHIP_ACTION(note_update, market_update)
{
    (void)ctx;
    if (self->known_station == 0 || msg->station != self->known_station - UINT32_C(1))
        return ALDIS_OK;
    for (uint32_t i = 0; i < msg->changes_count; i++) {
        const PriceChange *change = &msg->changes[i];
        if (change->resource < self->account.shape->kinds && !ship_has(self, change->resource))
            ship_prices(self)[change->resource] = change->buys_at;
    }
    return ALDIS_OK;
}
