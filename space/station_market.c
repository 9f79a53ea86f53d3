// SPDX-License-Identifier: Apache-2.0
/* station_market.c: what a station sells and buys, and its services. See station.h. Layer: space.
 *
 * Orders are matched one by one, in the order in which they arrive (at one instant: by the sender's
 * id), against the station's own stock and purse. The price is that of the middle of the order: the
 * average of what each tonne alone would cost, as the stock changes. The station buys 2 % below it
 * and sells 2 % above it, so that going round in a circle pays nobody. An order too large for
 * stock, purse or limit is matched for as much as is possible, and the rest of it is void. */
#include "station.h"

#include "bulletin.h"
#include "chronicle.h"

#include <aldis/timer.h>

static const struct scenario_station *plan_of(const struct station *self)
{
    return &self->chart->scenario->stations.items[self->index];
}

static const struct scenario_commodity *commodity_of(const struct station *self, uint32_t good)
{
    return &self->chart->scenario->market.commodities.items[good];
}

/* Cents a tonne at which the station sells (buys) so many; rounded in its own favour. */
static int64_t price_for(const struct station *self, uint32_t good, uint64_t tonnes, OrderSide side)
{
    const struct scenario_goods *goods = &plan_of(self)->goods[good];
    int64_t stock = account_goods(&self->page->account)[good], half = (int64_t)tonnes / 2;
    int64_t middle = market_price(commodity_of(self, good), goods,
                                  side == ORDER_BUY ? stock - half : stock + half);
    if (side == ORDER_BUY)
        return (middle * (100 + MARKET_SPREAD_PERCENT) + 99) / 100;
    return middle * (100 - MARKET_SPREAD_PERCENT) / 100;
}

/* ---- Prices ---- */

aldis_err station_tell_prices(struct station *self, aldis_ctx *ctx)
{
    NEW_MESSAGE(MarketPrices, answer);
    const struct account *account = &self->page->account;
    answer.at_ns = aldis_now(ctx);
    for (uint32_t i = 0; i < account->shape->kinds; i++) {
        if (plan_of(self)->goods[i].target == 0)
            continue;
        answer.prices[answer.prices_count++] =
            (Price){.resource = i,
                    .buys_at = (uint32_t)price_for(self, i, 0, ORDER_SELL),
                    .sells_at = (uint32_t)price_for(self, i, 0, ORDER_BUY),
                    .stock = account_goods(account)[i]};
    }
    uint64_t units = (uint64_t)account->fuel / FUEL_NANO;
    answer.prices[answer.prices_count++] =
        (Price){.resource = RESOURCE_FUEL,
                .sells_at = plan_of(self)->fuel_price * CENTS,
                .stock = units < UINT32_MAX ? (uint32_t)units : UINT32_MAX};
    answer.prices[answer.prices_count++] = (Price){.resource = RESOURCE_REPAIR,
                                                   .sells_at = plan_of(self)->repair_price * CENTS,
                                                   .stock = self->page->spares};
    /* Who asked and is gone need not know; nobody cannot be told. */
    (void)station_reply(self, ctx, &market_prices_type, &answer, sizeof answer);
    return ALDIS_OK;
}

aldis_ns station_judge_services(const struct station *self, const RequestServices *msg,
                                aldis_id ship, ServiceAvailability *out)
{
    const struct scenario_station *plan = plan_of(self);
    out->repairs = !msg->repairs || self->page->spares > 0;
    out->refuelling = (int64_t)msg->fuel <= self->page->account.fuel;
    out->quarters = !msg->quarters || dock_has_quarters(self->dock, ship);
    out->fuel = (uint64_t)self->page->account.fuel;
    aldis_ns repair_ns = msg->repairs && out->repairs ? plan->repair_ns : 0;
    aldis_ns care_ns = msg->quarters && out->quarters ? plan->quarters_ns : 0;
    return repair_ns > care_ns ? repair_ns : care_ns; /* both go on at a time */
}

/* ---- Orders ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_in_limit(const struct station *self, const MarketOrder *msg, uint64_t tonnes)
{
    int64_t price = price_for(self, msg->resource, tonnes, msg->side);
    return msg->side == ORDER_BUY ? price <= (int64_t)msg->limit : price >= (int64_t)msg->limit;
}

/* The most that stock, purse and limit allow. The price only gets worse with more: found by halves.
 * */
static uint64_t most_tonnes(const struct station *self, const MarketOrder *msg)
{
    const struct account *account = &self->page->account;
    uint64_t high = least(msg->quantity, INT32_MAX / 16), low = 0;
    if (msg->side == ORDER_BUY)
        high = least(high, account_goods(account)[msg->resource]);
    while (low < high) {
        uint64_t middle = (low + high + 1) / 2;
        int64_t price = price_for(self, msg->resource, middle, msg->side);
        bool paid = msg->side == ORDER_BUY || (int64_t)middle * price <= account->credits;
        if (paid && is_in_limit(self, msg, middle))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static Refusal match_goods(const struct station *self, const MarketOrder *msg, struct terms *out)
{
    if (plan_of(self)->goods[msg->resource].target == 0)
        return REFUSAL_UNKNOWN_GOODS;
    uint64_t tonnes = most_tonnes(self, msg);
    if (tonnes == 0 && !is_in_limit(self, msg, 1))
        return REFUSAL_PRICE;
    if (tonnes == 0)
        return msg->side == ORDER_BUY ? REFUSAL_NO_STOCK : REFUSAL_NO_MONEY;
    int64_t price = price_for(self, msg->resource, tonnes, msg->side);
    int sign = msg->side == ORDER_BUY ? 1 : -1; /* what the ship gives is positive */
    out->credits = sign * price * (int64_t)tonnes;
    out->goods[msg->resource] = -sign * (int32_t)tonnes;
    return REFUSAL_NONE;
}

static Refusal match_fuel(const struct station *self, const MarketOrder *msg, struct terms *out)
{
    uint64_t price = (uint64_t)plan_of(self)->fuel_price * CENTS;
    uint64_t nano = least(msg->quantity, (uint64_t)self->page->account.fuel);
    if (price > msg->limit)
        return REFUSAL_PRICE;
    if (nano == 0)
        return REFUSAL_NO_STOCK;
    out->fuel = -(int64_t)nano;
    out->credits = (int64_t)((nano * price + FUEL_NANO - 1) / FUEL_NANO);
    return REFUSAL_NONE;
}

static Refusal match_order(const struct station *self, const MarketOrder *msg, struct terms *out)
{
    *out = (struct terms){0};
    if (msg->resource < self->page->account.shape->kinds)
        return match_goods(self, msg, out);
    if (msg->side == ORDER_SELL)
        return REFUSAL_UNKNOWN_GOODS;
    if (msg->resource == RESOURCE_FUEL)
        return match_fuel(self, msg, out);
    if (msg->resource == RESOURCE_ASHORE && msg->quantity == 1) {
        out->credits = (int64_t)msg->limit;
        return REFUSAL_NONE;
    }
    if (msg->resource != RESOURCE_REPAIR)
        return REFUSAL_UNKNOWN_GOODS;
    out->credits = (int64_t)plan_of(self)->repair_price * CENTS;
    if ((int64_t)msg->limit < out->credits)
        return REFUSAL_PRICE;
    return self->page->spares > 0 ? REFUSAL_NONE : REFUSAL_NO_STOCK;
}

/* Who cannot be told asks again, or reads our page when we are gone. */
static void answer_order(const struct station *self, aldis_ctx *ctx, const struct record *decided,
                         TradeAnswer *answer)
{
    account_answer(decided, answer);
    (void)station_reply(self, ctx, &trade_answer_type, answer, sizeof *answer);
}

/* Take it or refuse it, for good. false: there is no room to remember that; say nothing. */
static bool decide(struct station *self, aldis_ctx *ctx, const MarketOrder *msg,
                   struct record *trade)
{
    struct account *account = &self->page->account;
    Refusal reason = REFUSAL_NONE;
    if (!dock_has_berth(self->dock, aldis_sender(ctx)))
        reason = REFUSAL_STATE;
    if (reason == REFUSAL_NONE)
        reason = match_order(self, msg, &trade->terms);
    if (reason == REFUSAL_NONE)
        reason = account_refusal(account_take(account, trade, aldis_now(ctx)));
    if (reason == REFUSAL_NONE) {
        self->page->spares -= msg->resource == RESOURCE_REPAIR;
        return true;
    }
    trade->refused = true;
    trade->reason = reason;
    trade->terms = (struct terms){0};
    return account_refuse(account, trade, aldis_now(ctx));
}

aldis_err station_take_order(struct station *self, const MarketOrder *msg, aldis_ctx *ctx)
{
    if (aldis_id_is_nobody(aldis_sender(ctx)) || msg->account >= books_accounts(self->chart->books))
        return aldis_fail(ctx, "an order of nobody");
    struct record trade = {
        .number = msg->number, .peer_account = msg->account, .valid_until_ns = msg->valid_until_ns};
    TradeAnswer answer;
    if (account_find(&self->page->account, msg->account, msg->number, &trade)) {
        answer_order(self, ctx, &trade, &answer);
        return ALDIS_OK;
    }
    if (!decide(self, ctx, msg, &trade))
        return ALDIS_OK;
    answer_order(self, ctx, &trade, &answer);
    if (answer.accepted)
        chronicle_taken(self->chart->chronicle, ctx, self->index, msg->account, &answer);
    return ALDIS_OK;
}

aldis_err station_close_trade(struct station *self, const TradeSettled *msg, aldis_ctx *ctx)
{
    account_settled(&self->page->account, msg->account, msg->number, aldis_now(ctx));
    return ALDIS_OK;
}

/* ---- Making and using ---- */

aldis_err station_arm_market(const struct station *self, aldis_ctx *ctx)
{
    const struct scenario_market *market = &self->chart->scenario->market;
    aldis_timer timer;
    if (market->commodities.count == 0)
        return ALDIS_OK;
    /* One station after the other, so that their updates are not all under way at once; after a
     * restart at the times of before. */
    aldis_ns phase_ns = market->update_ns / self->chart->scenario->stations.count * self->index;
    aldis_ns since_ns = (aldis_now(ctx) + phase_ns) % market->update_ns;
    const aldis_timer_opts opts = {.delay_ns = market->update_ns - since_ns,
                                   .period_ns = market->update_ns};
    return aldis_timer_every_raw(ctx, &opts, &market_due_type, NULL, 0, &timer);
}

/* For all ships to read. */
static void publish(const struct station *self, aldis_ns now_ns)
{
    struct bulletin *bulletin = self->chart->books->bulletin;
    const struct account *account = &self->page->account;
    for (uint32_t i = 0; i < account->shape->kinds; i++)
        if (plan_of(self)->goods[i].target > 0)
            bulletin_tell(bulletin, self->index, i,
                          market_price(commodity_of(self, i), &plan_of(self)->goods[i],
                                       account_goods(account)[i]),
                          now_ns);
    bulletin_tell_funds(bulletin, self->index, account->credits, now_ns);
}

aldis_err station_open_market(struct station *self, aldis_ctx *ctx)
{
    self->page->open = true;
    for (uint32_t i = 0; i < self->page->account.shape->kinds; i++)
        if (plan_of(self)->goods[i].target > 0)
            self->page->told[i] = price_for(self, i, 0, ORDER_BUY);
    publish(self, aldis_now(ctx));
    return station_arm_market(self, ctx);
}

/* Whole tonnes by a time, at so many an hour. */
static uint64_t tonnes_by(uint32_t per_hour, aldis_ns at_ns)
{
    uint64_t hours = (uint64_t)at_ns / (uint64_t)ALDIS_HOUR;
    uint64_t rest = (uint64_t)at_ns % (uint64_t)ALDIS_HOUR;
    return per_hour * hours + per_hour * (rest / 1000000) / 3600000u;
}

/* It stops making what nobody takes away, and cannot use what it has not. Both go to the ledger. */
static void make_and_use(struct station *self, uint32_t good, aldis_ns now_ns)
{
    const struct scenario_goods *goods = &plan_of(self)->goods[good];
    struct account *account = &self->page->account;
    uint64_t made =
        tonnes_by(goods->makes, now_ns) - tonnes_by(goods->makes, self->page->market_ns);
    uint64_t used = tonnes_by(goods->uses, now_ns) - tonnes_by(goods->uses, self->page->market_ns);
    uint64_t full = 3 * (uint64_t)goods->target;
    uint64_t room = account_goods(account)[good] < full ? full - account_goods(account)[good] : 0;
    made = least(made, room);
    used = least(used, account_goods(account)[good]);
    account_goods(account)[good] += (uint32_t)made - (uint32_t)used;
    account->used += (uint32_t)made - (uint32_t)used;
    self->page->made[good] += made;
    self->page->used[good] += used;
}

/* What was told once is told: who did not hear of it hears the price with its next change. */
static void tell_berths(const struct station *self, aldis_ctx *ctx, const MarketUpdate *update)
{
    for (uint32_t i = 0; i < self->dock->berth_count; i++) {
        ship_ref ship = {.id = self->dock->berths[i].ship};
        enum berth_state state = self->dock->berths[i].state;
        if (state == BERTH_TAKEN || state == BERTH_LEAVING)            /* when it trades */
            (void)STATION_SAY(self, ctx, ship, market_update, update); /* it may be gone */
    }
}

/* By where ships were last known to be: one that is left out knows an older price, and no harm is
 * done. */
static void tell_near(const struct station *self, aldis_ctx *ctx, const MarketUpdate *update)
{
    const struct scenario *scenario = self->chart->scenario;
    const struct speaker here = {self->index,
                                 scenario_station_position(scenario, self->index, aldis_now(ctx))};
    (void)nearby_tell(
        ctx, self->chart, &here, scenario->market.reach - self->chart->nearby.slack,
        &(aldis_send_item){.type = &market_update_type, .payload = update, .size = sizeof *update});
}

static void tell_changes(struct station *self, aldis_ctx *ctx)
{
    NEW_MESSAGE(MarketUpdate, update);
    update.station = self->index;
    update.at_ns = aldis_now(ctx);
    for (uint32_t i = 0; i < self->page->account.shape->kinds; i++) {
        if (plan_of(self)->goods[i].target == 0)
            continue;
        int64_t price = price_for(self, i, 0, ORDER_BUY);
        if (price == self->page->told[i])
            continue;
        update.changes[update.changes_count++] =
            (PriceChange){.resource = i,
                          .change = (int32_t)(price - self->page->told[i]),
                          .buys_at = (uint32_t)price_for(self, i, 0, ORDER_SELL)};
        self->page->told[i] = price;
    }
    if (update.changes_count == 0)
        return;
    if (self->chart->scenario->market.reach > 0)
        tell_near(self, ctx, &update);
    else
        tell_berths(self, ctx, &update);
}

aldis_err station_produce(struct station *self, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx);
    for (uint32_t i = 0; i < self->page->account.shape->kinds; i++)
        make_and_use(self, i, now_ns);
    self->page->market_ns = now_ns;
    publish(self, now_ns);
    tell_changes(self, ctx);
    return ALDIS_OK;
}
