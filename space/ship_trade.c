// SPDX-License-Identifier: Apache-2.0
/* ship_trade.c: how a ship buys and sells. See ship.h; account.h has the rules of an exchange.
 * Layer: space.
 *
 * In its berth, after the service, a ship asks for the prices, sells what it has, fills its tank,
 * is repaired, and buys for its next station: one order after the other. An order that is not
 * answered is sent again, with its number, until it is: what it holds cannot be lost, only be late.
 * */
#include "chronicle.h"
#include "mind_leaves.h"
#include "ship.h"

#include <stdlib.h>

/* ---- What is asked again until it is answered ---- */

static aldis_err send_offer(const struct ship *self, aldis_ctx *ctx)
{
    const struct pending *pending = self->account.dealings->pending;
    const struct offer *offer = &pending->offer;
    const aldis_send_opts opts = {.delay_ns = ship_signal_ns(self, ctx, pending->peer)};
    if (offer->is_order)
        return aldis_ctx_send_opts_raw(ctx, pending->peer, &market_order_type, &offer->order,
                                       sizeof offer->order, &opts);
    return aldis_ctx_send_opts_raw(ctx, pending->peer, &trade_offer_type, &offer->trade,
                                   sizeof offer->trade, &opts);
}

void ship_press_trade(struct ship *self, aldis_ctx *ctx)
{
    if (!account_is_open(&self->account))
        return;
    if (aldis_is_closed(ctx, self->account.dealings->pending->peer))
        books_settle_with_dead(ship_chart(self)->books, &self->account, ship_account(self));
    else
        (void)send_offer(self, ctx);
}

/* ---- Orders to the station ---- */

static aldis_err leave_market(struct ship *self, aldis_ctx *ctx)
{
    ship_give_up(self, ctx);
    if (self->order > 0 && !ship_has_mind(self))
        return ship_depart(self, ctx);
    return ship_rest(self, ctx);
}

static struct ship_errand *errand_of(const struct ship *self)
{
    return self->extra ? self->extra->errand : NULL;
}

void ship_end_errand(struct ship *self, aldis_ctx *ctx)
{
    struct ship_errand *errand = errand_of(self);
    if (!errand)
        return;
    self->extra->errand = NULL;
    if (account_is_open(&self->account)) /* who knows; the goods may still come */
        errand->outcome.reason = REFUSAL_EXPIRED;
    else if (!errand->outcome.accepted && errand->outcome.reason == REFUSAL_NONE)
        errand->outcome.reason = REFUSAL_STATE; /* it did not come to that */
    const aldis_send_opts opts = {.delay_ns = ship_signal_ns(self, ctx, errand->giver)};
    if (!aldis_id_is_nobody(errand->giver)) /* one that has ended does not want to know */
        (void)aldis_ctx_send_opts_raw(ctx, errand->giver, &trade_answer_type, &errand->outcome,
                                      sizeof errand->outcome, &opts);
    free(errand);
}

/* What was bought of what it was ordered to buy, or why not. */
static void note_errand(const struct ship *self, bool accepted, Refusal reason,
                        const struct terms *terms)
{
    struct ship_errand *errand = errand_of(self);
    if (!errand || self->phase != PHASE_BUY)
        return;
    if (!accepted) {
        errand->outcome.reason = reason;
        return;
    }
    errand->outcome.accepted = true;
    errand->outcome.credits += terms->credits;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++)
        errand->outcome.goods[i] += terms->goods[i];
}

/* Hold what the order may cost and send it. false: it cannot be paid for, or sent. */
static bool place_order(struct ship *self, aldis_ctx *ctx, OrderSide side, uint32_t resource,
                        uint64_t quantity, uint64_t limit)
{
    struct terms most = {0};
    if (quantity == 0 || (limit == 0 && resource == RESOURCE_ASHORE))
        return false;
    uint64_t units = resource == RESOURCE_FUEL ? FUEL_NANO : 1;
    if (side == ORDER_BUY)
        most.credits = (int64_t)((quantity * limit + units - 1) / units);
    if (resource == RESOURCE_FUEL)
        most.fuel = -(int64_t)quantity;
    else if (resource < SCENARIO_COMMODITIES_MAX)
        most.goods[resource] = side == ORDER_SELL ? (int32_t)quantity : -(int32_t)quantity;
    aldis_ns until_ns = aldis_now(ctx) + TRADE_VALID_NS;
    enum account_verdict verdict =
        account_hold(&self->account, &most, ship_station(self).id, self->station, until_ns);
    if (verdict != ACCOUNT_DONE) {
        note_errand(self, false, account_refusal(verdict), NULL);
        return false;
    }
    struct pending *pending = self->account.dealings->pending;
    chronicle_offered(ship_chart(self)->chronicle, ctx, ship_account(self), pending, &most);
    memset(&pending->offer, 0, sizeof pending->offer);
    pending->offer.is_order = true;
    pending->offer.order.number = pending->number;
    pending->offer.order.account = ship_account(self);
    pending->offer.order.side = side;
    pending->offer.order.resource = resource;
    pending->offer.order.quantity = quantity;
    pending->offer.order.limit = limit;
    pending->offer.order.valid_until_ns = until_ns;
    if (send_offer(self, ctx) == ALDIS_OK)
        return true;
    (void)account_settle(&self->account, pending->number, NULL); /* it never left */
    return false;
}

/* Of one thing that it has as much as the station takes for what it has cost; all of it, at any
 * price, if it must. */
static bool sell_something(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_goods *goods =
        ship_chart(self)->scenario->stations.items[self->station].goods;
    bool must = ship_must_sell(self);
    for (uint32_t i = self->visit.goods; i < self->account.shape->kinds; i++) {
        self->visit.goods = (uint8_t)(i + 1);
        if (goods[i].target == 0)
            continue;
        uint64_t tonnes = must ? account_goods(&self->account)[i]
                               : ship_sellable(self, self->station, i, aldis_now(ctx));
        if (place_order(self, ctx, ORDER_SELL, i, tonnes, must ? 0 : ship_prices(self)[i]))
            return true;
    }
    return false;
}

/* One more market that it may leave with all that it had. */
static void count_unsold(struct ship *self)
{
    bool loaded = false;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++)
        loaded |= account_goods(&self->account)[i] > 0;
    self->unsold = loaded ? (self->unsold + 1u) & 31u : 0;
    if (self->unsold <= SHIP_UNSOLD_MAX)
        return;
    self->unsold = 0;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++)
        if (ship_has(self, i))
            ship_prices(self)[i] -= ship_prices(self)[i] / 16;
}

/* Whatever has come into its hold has had its price. */
static void note_settled(struct ship *self, const struct offer *offer, const TradeAnswer *answer)
{
    for (uint32_t i = 0; i < self->account.shape->kinds; i++) {
        if (answer->goods[i] > 0)
            self->unsold = 0;
        uint64_t tonnes = answer->goods[i] < 0 ? (uint64_t)-answer->goods[i] : 0, price = 0;
        if (tonnes > 0 && offer->is_order)
            ship_note_bought(self, i, tonnes, (uint64_t)answer->credits);
        for (uint32_t j = 0; !offer->is_order && j < offer->trade.requesting_count; j++)
            if (offer->trade.requesting[j].resource == i)
                price = offer->trade.requesting[j].max_price;
        if (tonnes > 0 && !offer->is_order)
            ship_note_bought(self, i, tonnes, tonnes * price);
    }
    ship_note_given(self);
}

static bool buy_fuel(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_station *station =
        &ship_chart(self)->scenario->stations.items[self->station];
    int64_t missing = self->account.shape->tank - self->account.fuel;
    uint64_t price = (uint64_t)station->fuel_price * CENTS;
    if (price > 0) {
        double payable = (double)self->account.credits / (double)price * FUEL_NANO;
        if (payable < (double)missing)
            missing = (int64_t)payable;
    }
    /* Less than a hundredth of a tank is not worth the trouble. */
    return missing >= self->account.shape->tank / 100 &&
           place_order(self, ctx, ORDER_BUY, RESOURCE_FUEL, (uint64_t)missing, price);
}

/* Cents that its crew spends ashore: a share of what the ship has earned. Less than a few credits
 * is not worth the trouble. */
static uint64_t crew_share(const struct ship *self)
{
    const struct scenario_class *class = ship_class(self);
    double share = (double)(self->account.credits - (int64_t) class->purse * CENTS) *
                   (ship_fleet(self)->trades ? class->crew_share : 0);
    return share >= 10 * CENTS ? (uint64_t)share : 0;
}

static bool buy_goods(struct ship *self, aldis_ctx *ctx)
{
    struct ship_plan *plan = self->extra ? self->extra->plan : NULL;
    while (plan && plan->count > 0) {
        const OfferItem *item = &plan->items[--plan->count];
        if (place_order(self, ctx, ORDER_BUY, item->commodity, item->tonnes, item->unit_value))
            return true;
    }
    return false;
}

static bool ask_prices(struct ship *self, aldis_ctx *ctx)
{
    if (self->account.shape->kinds == 0 || !ship_fleet(self)->trades)
        return false;
    NEW_MESSAGE(RequestPrices, request);
    return SHIP_SAY(self, ctx, ship_station(self), request_prices, &request) == ALDIS_OK;
}

static bool do_phase(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_station *station =
        &ship_chart(self)->scenario->stations.items[self->station];
    switch ((enum ship_phase)self->phase) {
    case PHASE_SELL:
        return ship_fleet(self)->trades && sell_something(self, ctx);
    case PHASE_FUEL:
        return buy_fuel(self, ctx);
    case PHASE_REPAIR:
        return (self->flags & SHIP_DAMAGED) && place_order(self, ctx, ORDER_BUY, RESOURCE_REPAIR, 1,
                                                           (uint64_t)station->repair_price * CENTS);
    case PHASE_ASHORE:
        return place_order(self, ctx, ORDER_BUY, RESOURCE_ASHORE, 1, crew_share(self));
    case PHASE_PRICES:
        return ask_prices(self, ctx);
    case PHASE_BUY:
        return buy_goods(self, ctx);
    case PHASE_NONE:
    case PHASE_HELD:
    case PHASE_QUEUED:
    case PHASE_APPROACH:
    case PHASE_PEER:
        break;
    }
    return false;
}

static const enum ship_phase next_phase[] = {
    [PHASE_SELL] = PHASE_FUEL,     [PHASE_FUEL] = PHASE_REPAIR, [PHASE_REPAIR] = PHASE_ASHORE,
    [PHASE_ASHORE] = PHASE_PRICES, [PHASE_PRICES] = PHASE_BUY,  [PHASE_BUY] = PHASE_NONE};

/* With an order to trade, what it is to buy is known. */
static void go_to_next_phase(struct ship *self)
{
    bool ordered = self->phase == PHASE_REPAIR && errand_of(self);
    self->phase = (ordered ? PHASE_BUY : next_phase[self->phase]) & 15u;
}

/* Go on with what can be done; when there is no more, leave. */
static aldis_err do_business(struct ship *self, aldis_ctx *ctx)
{
    while (self->phase != PHASE_NONE) {
        if (do_phase(self, ctx))
            return ship_arm(self, ctx, TRADE_AGAIN_NS);
        go_to_next_phase(self);
    }
    return leave_market(self, ctx);
}

/* What was asked for has come, or will not: the next thing. Selling and buying go on until there is
 * nothing more of it. */
static aldis_err next_business(struct ship *self, aldis_ctx *ctx)
{
    if (self->phase == PHASE_PEER) {
        ship_enter(self, ctx, (enum space_ship_state)self->visit.resume_state);
        return self->state == SHIP_idle ? ship_rest(self, ctx) : ship_arm(self, ctx, ASK_AGAIN_NS);
    }
    if (self->phase != PHASE_SELL && self->phase != PHASE_BUY)
        go_to_next_phase(self);
    return do_business(self, ctx);
}

aldis_err ship_begin_business(struct ship *self, aldis_ctx *ctx)
{
    if (account_is_open(&self->account)) /* an older trade is in doubt: nothing new before that */
        return leave_market(self, ctx);
    ship_enter(self, ctx, SHIP_trading);
    self->phase = PHASE_SELL;
    self->visit.goods = 0;
    count_unsold(self);
    return do_business(self, ctx);
}

SHIP_ACTION(due_trading, ship_due)
{
    (void)msg;
    if (account_is_open(&self->account)) {
        /* After its end an offer can only be refused, or have been taken: the ship need not stay
         * for that, but it goes on asking. */
        if (aldis_now(ctx) <= self->account.dealings->pending->valid_until_ns + TRADE_VALID_NS)
            return ship_arm(self, ctx, TRADE_AGAIN_NS);
        return self->phase == PHASE_PEER ? next_business(self, ctx) : leave_market(self, ctx);
    }
    return next_business(self, ctx);
}

SHIP_ACTION(prices_plan, market_prices)
{
    if (self->phase != PHASE_PRICES || !aldis_id_equal(aldis_sender(ctx), ship_station(self).id))
        return ALDIS_OK;
    if (self->order == 0)
        ship_set_goal(self, ship_choose_station(self, ctx));
    ship_choose_goods(self, msg, aldis_now(ctx));
    ship_remember(self, msg);
    return next_business(self, ctx);
}

/* Prices that nobody waits for any more. */
SHIP_PASS(prices_late, market_prices)

/* ---- Answers, and the other side ---- */

SHIP_ACTION(trade_hear, trade_answer)
{
    struct account *account = &self->account;
    const struct pending *pending = account_pending(account);
    bool ours = pending && pending->number == msg->number &&
                aldis_id_equal(pending->peer, aldis_sender(ctx));
    struct terms terms = account_answer_terms(msg);
    uint32_t responder = ours ? pending->peer_account : 0;
    struct offer offer;
    if (ours)
        offer = pending->offer;
    bool repair = ours && offer.is_order && offer.order.resource == RESOURCE_REPAIR;
    if (ours && !account_settle(account, msg->number, msg->accepted ? &terms : NULL))
        return aldis_fail(ctx, "an answer to a trade on other terms");
    tell_settled(ctx, msg, ship_account(self), ship_signal_ns(self, ctx, aldis_sender(ctx)));
    if (!ours)
        return ALDIS_OK; /* a copy: it was settled before */
    chronicle_settled(ship_chart(self)->chronicle, ctx, ship_account(self), responder, msg);
    note_errand(self, msg->accepted, msg->reason, &terms);
    if (repair && msg->accepted)
        self->flags &= (uint8_t)~SHIP_DAMAGED;
    if (msg->accepted)
        note_settled(self, &offer, msg);
    return self->state == SHIP_trading ? next_business(self, ctx) : ALDIS_OK;
}

SHIP_ACTION(trade_close, trade_settled)
{
    account_settled(&self->account, msg->account, msg->number, aldis_now(ctx));
    return ALDIS_OK;
}

/* ---- From ship to ship ---- */

/* What is requested, at the highest price that is paid for it. Unknown goods: false. */
static bool add_request(const struct ship *self, const RequestItem *item, struct terms *out,
                        uint64_t *paid)
{
    uint64_t price = (uint64_t)item->quantity * item->max_price;
    if (item->quantity > INT32_MAX / 16)
        return false;
    if (item->resource == RESOURCE_FUEL) {
        out->fuel -= (int64_t)item->quantity * FUEL_MILLI;
        *paid += (price + 999) / 1000;
        return true;
    }
    if (item->resource >= self->account.shape->kinds)
        return false;
    out->goods[item->resource] -= (int32_t)item->quantity;
    *paid += price;
    return true;
}

/* The offered goods at their unit values, against the requested ones; who owes the difference pays
 * it. Unknown goods: false. */
static bool terms_of_offer(const struct ship *self, const TradeOffer *msg, struct terms *out,
                           uint64_t *out_value)
{
    *out = (struct terms){.fuel = (int64_t)msg->fuel};
    *out_value = 0;
    uint64_t paid = 0;
    for (uint32_t i = 0; i < msg->offering_count; i++) {
        const OfferItem *item = &msg->offering[i];
        if (item->commodity >= self->account.shape->kinds || item->tonnes > INT32_MAX / 16)
            return false;
        out->goods[item->commodity] += (int32_t)item->tonnes;
        *out_value += (uint64_t)item->tonnes * item->unit_value;
    }
    for (uint32_t i = 0; i < msg->requesting_count; i++)
        if (!add_request(self, &msg->requesting[i], out, &paid))
            return false;
    out->credits = (int64_t)paid - (int64_t)*out_value;
    return true;
}

static aldis_err answer_offer(const struct ship *self, aldis_ctx *ctx, const struct record *decided)
{
    TradeAnswer answer;
    account_answer(decided, &answer);
    /* One that cannot be told reads it in our page. */
    (void)ship_reply(self, ctx, &trade_answer_type, &answer, sizeof answer);
    return ALDIS_OK;
}

/* Refused, and on record; without room for that nothing is said, and the offer comes again. */
static aldis_err refuse_offer(struct ship *self, aldis_ctx *ctx, struct record *trade,
                              Refusal reason)
{
    trade->refused = true;
    trade->reason = reason;
    trade->terms = (struct terms){0};
    if (!account_refuse(&self->account, trade, aldis_now(ctx)))
        return ALDIS_OK;
    return answer_offer(self, ctx, trade);
}

/* Is it worth it? A gift always is; as much of its fuel as there is room for. */
static Refusal judge_offer(const struct ship *self, const TradeOffer *msg, struct terms *terms)
{
    uint64_t value, floor = (uint64_t)ship_class(self)->peer_offer_floor * CENTS;
    if (!terms_of_offer(self, msg, terms, &value))
        return REFUSAL_UNKNOWN_GOODS;
    if (self->state == SHIP_emergency && !msg->gift)
        return REFUSAL_STATE;
    if (!msg->gift && value <= floor)
        return REFUSAL_TOO_LITTLE;
    /* It sells no fuel that it may need itself. */
    if (terms->fuel < 0 && self->account.fuel + terms->fuel < self->account.shape->tank / 2)
        return REFUSAL_NO_STOCK;
    int64_t room = account_fuel_room(&self->account);
    if (msg->gift && terms->fuel > room)
        terms->fuel = room;
    return REFUSAL_NONE;
}

static struct record record_of(const TradeOffer *msg)
{
    return (struct record){
        .number = msg->number, .peer_account = msg->account, .valid_until_ns = msg->valid_until_ns};
}

SHIP_ACTION(peer_consider, trade_offer)
{
    struct record trade = record_of(msg);
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "a trade offered by nobody");
    if (account_find(&self->account, msg->account, msg->number, &trade))
        return answer_offer(self, ctx, &trade);
    Refusal reason = judge_offer(self, msg, &trade.terms);
    if (reason == REFUSAL_NONE)
        reason = account_refusal(account_take(&self->account, &trade, aldis_now(ctx)));
    if (reason != REFUSAL_NONE)
        return refuse_offer(self, ctx, &trade, reason);
    TradeAnswer taken;
    account_answer(&trade, &taken);
    for (uint32_t i = 0; i < msg->offering_count; i++)
        if (msg->offering[i].tonnes > 0)
            ship_note_bought(self, msg->offering[i].commodity, msg->offering[i].tonnes,
                             (uint64_t)msg->offering[i].tonnes * msg->offering[i].unit_value);
    ship_note_given(self);
    chronicle_taken(ship_chart(self)->chronicle, ctx, ship_account(self), msg->account, &taken);
    aldis_err err = answer_offer(self, ctx, &trade);
    return err == ALDIS_OK && self->state == SHIP_emergency ? ship_recover(self, ctx) : err;
}

SHIP_ACTION(peer_refuse, trade_offer)
{
    struct record trade = record_of(msg);
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "a trade offered by nobody");
    bool done = account_find(&self->account, msg->account, msg->number, &trade);
    return done ? answer_offer(self, ctx, &trade) : refuse_offer(self, ctx, &trade, REFUSAL_STATE);
}

/* Hold what the offer gives and send it. */
static enum account_verdict offer(struct ship *self, aldis_ctx *ctx, aldis_id to,
                                  uint32_t to_account, TradeOffer *trade)
{
    struct terms terms;
    uint64_t value;
    if (!terms_of_offer(self, trade, &terms, &value))
        return ACCOUNT_NO_STOCK;
    trade->valid_until_ns = aldis_now(ctx) + TRADE_VALID_NS;
    enum account_verdict verdict =
        account_hold(&self->account, &terms, to, to_account, trade->valid_until_ns);
    struct pending *pending = account_pending(&self->account);
    if (verdict != ACCOUNT_DONE || !pending)
        return verdict;
    chronicle_offered(ship_chart(self)->chronicle, ctx, ship_account(self), pending, &terms);
    trade->number = pending->number;
    trade->account = ship_account(self);
    memset(&pending->offer, 0, sizeof pending->offer);
    memcpy(&pending->offer.trade, trade, sizeof *trade);
    if (send_offer(self, ctx) != ALDIS_OK)
        (void)account_settle(&self->account, pending->number, NULL);
    return ACCOUNT_DONE;
}

SHIP_ACTION(propose_now, propose_trade)
{
    NEW_MESSAGE(TradeOffer, trade);
    trade.offering_count = msg->offering_count;
    trade.requesting_count = msg->requesting_count;
    memcpy(trade.offering, msg->offering, sizeof trade.offering);
    memcpy(trade.requesting, msg->requesting, sizeof trade.requesting);
    if (msg->to_account >= books_accounts(ship_chart(self)->books))
        return ship_refuse(self, ctx, &propose_trade_type, REFUSAL_UNKNOWN_GOODS);
    enum account_verdict verdict = offer(self, ctx, (aldis_id){msg->to}, msg->to_account, &trade);
    if (verdict != ACCOUNT_DONE)
        return ship_refuse(self, ctx, &propose_trade_type, account_refusal(verdict));
    uint8_t before = self->state;
    ship_enter(self, ctx, SHIP_trading);
    self->visit.resume_state = before;
    self->phase = PHASE_PEER;
    return ship_arm(self, ctx, TRADE_AGAIN_NS);
}

SHIP_ACTION(propose_deny, propose_trade)
{
    (void)msg;
    return ship_refuse(self, ctx, &propose_trade_type, REFUSAL_STATE);
}

void ship_give_fuel(struct ship *self, aldis_ctx *ctx, aldis_id to, int64_t nano)
{
    NEW_MESSAGE(TradeOffer, trade);
    trade.gift = 1;
    trade.fuel = (uint64_t)nano;
    /* What cannot be held or sent is no gift: the other calls again, and somebody else may come. */
    (void)offer(self, ctx, to, self->extra->rare->rescue.account, &trade);
}

/* ---- An order to trade ---- */

static Refusal judge_items(const struct ship *self, const ProcessTradeOffer *msg)
{
    uint64_t value = 0, tonnes = 0;
    for (uint32_t i = 0; i < msg->items_count; i++) {
        if (msg->items[i].commodity >= self->account.shape->kinds)
            return REFUSAL_UNKNOWN_GOODS;
        value += (uint64_t)msg->items[i].tonnes * msg->items[i].unit_value;
        tonnes += msg->items[i].tonnes;
    }
    if (value <= (uint64_t)ship_class(self)->offer_floor * CENTS)
        return REFUSAL_TOO_LITTLE;
    if (tonnes > account_room(&self->account))
        return REFUSAL_NO_ROOM;
    return value > (uint64_t)self->account.credits ? REFUSAL_NO_MONEY : REFUSAL_NONE;
}

/* In its berth: what is offered there is bought of the station, when the ship has been served, has
 * fuel and is repaired. Who has ordered it is told then. */
SHIP_ACTION(offer_here, process_trade_offer)
{
    Refusal reason = errand_of(self) ? REFUSAL_BUSY : judge_items(self, msg);
    if (reason != REFUSAL_NONE)
        return ship_refuse(self, ctx, &process_trade_offer_type, reason);
    struct ship_plan *plan = ship_plan(self, msg->items_count);
    struct ship_errand *errand = plan ? calloc(1, sizeof *errand) : NULL;
    if (!errand)
        return ALDIS_ENOMEM;
    memcpy(plan->items, msg->items, msg->items_count * sizeof plan->items[0]);
    errand->giver = aldis_sender(ctx);
    self->extra->errand = errand;
    return ALDIS_OK;
}

SHIP_ACTION(offer_refuse, process_trade_offer)
{
    (void)msg;
    return ship_refuse(self, ctx, &process_trade_offer_type, REFUSAL_STATE);
}
