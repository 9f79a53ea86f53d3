// SPDX-License-Identifier: Apache-2.0
/* market_test.c: a station's market: prices follow stock within their limits, orders are matched
 * one by one, each once, and a route that many ply pays less. */
#include "stage.h"

static const char two_ports[] =
    "name: market\n"
    "duration: 2 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 10 s, commodities: [{name: ore, price: 100, swing: 50}]}\n"
    "stations:\n"
    "  - {name: Mine, body: Sun, radius: 0 u, berths: 20, service: 5 s,\n"
    "     goods: [{commodity: ore, stock: 2000, target: 1000, makes: 2000}]}\n"
    "  - {name: Mill, body: Sun, radius: 100 u, period: 100000 d, berths: 20, service: 5 s,\n"
    "     goods: [{commodity: ore, stock: 200, target: 1000, uses: 2000}]}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-5, purse: 100000}\n"
    "fleets:\n"
    "  - {name: line, class: merchant, count: COUNT, route: [Mine, Mill], departure: 10 s,\n"
    "     rest: 1 s}\n";

static struct scenario *ports(uint32_t ships)
{
    static char text[4096];
    const char *mark = strstr(two_ports, "COUNT");
    snprintf(text, sizeof text, "%.*s%u%s", (int)(mark - two_ports), two_ports, ships, mark + 5);
    return stage_parse(text);
}

/* ---- The curve ---- */

TEST(prices_follow_stock_within_the_swing)
{
    static const struct scenario_commodity ore = {.price = 100, .swing = 50};
    static const struct scenario_goods goods = {.target = 1000};
    CHECK_INT(market_price(&ore, &goods, 1000), 10000);
    CHECK_INT(market_price(&ore, &goods, 0), 15000);
    CHECK_INT(market_price(&ore, &goods, 500), 12500);
    CHECK_INT(market_price(&ore, &goods, 2000), 5000);
    CHECK_INT(market_price(&ore, &goods, 100000), 5000);
    int64_t last = INT64_MAX;
    for (int64_t stock = 0; stock < 3000; stock += 7) {
        int64_t price = market_price(&ore, &goods, stock);
        CHECK(price <= last);
        last = price;
    }
}

/* ---- Orders, by a buyer that the test plays ---- */

struct buyer_seen {
    uint32_t answers, accepted, prices, updates;
    int64_t change; /* of the price of ore, all updates together */
    TradeAnswer answer;
    MarketPrices list;
    aldis_ns list_ns; /* when it came */
    ServiceAvailability services;
};
static struct buyer_seen seen;

struct buyer_say {
    aldis_type *type;
    const void *payload;
};
ALDIS_MESSAGE(buyer_say, struct buyer_say);
#define BUYER_PROTOCOL(X, kind)                                                                    \
    X(kind, buyer_say)                                                                             \
    X(kind, trade_answer)                                                                          \
    X(kind, market_prices)                                                                         \
    X(kind, service_availability)                                                                  \
    X(kind, docking_permission)                                                                    \
    X(kind, service_done)                                                                          \
    X(kind, market_update)
ALDIS_PROTOCOL(buyer, BUYER_PROTOCOL);

struct buyer {
    uint32_t unused;
};

static aldis_err buyer_on_buyer_say(struct buyer *self, const struct buyer_say *msg, aldis_ctx *ctx)
{
    (void)self;
    return aldis_ctx_send_raw(ctx, stage.stations[0].id, msg->type, msg->payload, msg->type->size);
}

static aldis_err buyer_on_trade_answer(struct buyer *self, const TradeAnswer *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    seen.answers++;
    seen.accepted += msg->accepted;
    seen.answer = *msg;
    return ALDIS_OK;
}

static aldis_err buyer_on_market_prices(struct buyer *self, const MarketPrices *msg, aldis_ctx *ctx)
{
    (void)self;
    seen.prices++;
    seen.list = *msg;
    seen.list_ns = aldis_now(ctx);
    return ALDIS_OK;
}

static aldis_err buyer_on_service_availability(struct buyer *self, const ServiceAvailability *msg,
                                               aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    seen.services = *msg;
    return ALDIS_OK;
}

static aldis_err buyer_on_docking_permission(struct buyer *self, const DockingPermission *msg,
                                             aldis_ctx *ctx)
{
    (void)self;
    return aldis_reply(ctx, docked, .berth = msg->berth);
}

static aldis_err buyer_on_service_done(struct buyer *self, const ServiceDone *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

static aldis_err buyer_on_market_update(struct buyer *self, const MarketUpdate *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    CHECK_UINT(msg->station, 0);
    seen.updates++;
    for (uint32_t i = 0; i < msg->changes_count; i++)
        seen.change += msg->changes[i].resource == 0 ? msg->changes[i].change : 0;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(buyer, struct buyer, BUYER_PROTOCOL);

static buyer_ref buyer;

static void say(aldis_type *type, const void *payload)
{
    CHECK_OK(aldis_send(stage.system, buyer, buyer_say, .type = type, .payload = payload));
    stage_run(aldis_system_now(stage.system) + 20 * ALDIS_MS);
}

static void open_market(bool docks)
{
    memset(&seen, 0, sizeof seen);
    struct scenario *scenario = ports(1);
    scenario->market.reach = 0; /* those in its berths: the buyer is no ship that has a place */
    stage_open(scenario, 1);
    stage_station(0);
    CHECK_OK(aldis_spawn(stage.system, buyer, &buyer, NULL));
    NEW_MESSAGE(RequestDocking, request);
    request.specs.length = 50;
    request.specs.mass = 100;
    if (docks)
        say(&request_docking_type, &request);
}

/* The buyer is the ship of the books: what it holds and gets is put right in its page, as a ship
 * would. */
static void order(uint64_t number, OrderSide side, uint32_t resource, uint64_t quantity,
                  uint64_t limit)
{
    NEW_MESSAGE(MarketOrder, message);
    message.number = number;
    message.account = 3;
    message.side = side;
    message.resource = resource;
    message.quantity = quantity;
    message.limit = limit;
    message.valid_until_ns = ALDIS_HOUR;
    say(&market_order_type, &message);
}

/* With a tank and a hold for whatever it has. */
static void boundless(struct ship *page)
{
    static struct ship_kin kin;
    kin = *ship_kin(page);
    kin.shape.tank += 1000 * (int64_t)FUEL_NANO;
    kin.shape.capacity = 0;
    page->account.shape = &kin.shape;
}

static void settle(void)
{
    struct account *account = &stage_page(0)->account;
    account->credits -= seen.answer.credits;
    account->fuel -= seen.answer.fuel;
    account_goods(account)[0] -= (uint32_t)seen.answer.goods[0];
    boundless(stage_page(0)); /* what it sells comes from nowhere */
}

TEST(an_order_is_paid_in_the_middle_with_the_spread_and_once)
{
    open_market(true);
    order(1, ORDER_BUY, 0, 100, 20000);
    CHECK_UINT(seen.accepted, 1);
    /* 2000 of 1000 in stock: 50 credits; in the middle of the hundred 52.50, and 2 % more. */
    CHECK_INT(seen.answer.goods[0], -100);
    CHECK_INT(seen.answer.credits, 100 * 5355 / 1);
    settle();
    stage_balance();
    order(1, ORDER_BUY, 0, 100, 20000); /* a copy: the same answer, nothing more */
    CHECK_UINT(seen.answers, 2);
    CHECK_INT(seen.answer.goods[0], -100);
    CHECK_UINT(account_goods(&stage.books.stations[0].account)[0], 1900);
    stage_close();
}

/* Both want the last hundred tonnes at one instant: the one with the lower id gets them. */
TEST(orders_of_one_instant_are_matched_by_the_senders_id)
{
    open_market(true);
    buyer_ref other;
    CHECK_OK(aldis_spawn(stage.system, buyer, &other, NULL));
    buyer_ref first = buyer.id.bits < other.id.bits ? buyer : other;
    buyer_ref second = buyer.id.bits < other.id.bits ? other : buyer;
    NEW_MESSAGE(RequestDocking, request);
    request.specs.length = 50;
    request.specs.mass = 100;
    CHECK_OK(aldis_send(stage.system, other, buyer_say, .type = &request_docking_type,
                        .payload = &request));
    stage_run(aldis_system_now(stage.system) + 20 * ALDIS_MS);
    account_goods(&stage.books.stations[0].account)[0] = 100;
    stage.books.start = books_totals(&stage.books);
    NEW_MESSAGE(MarketOrder, order_of_first);
    order_of_first.number = 1;
    order_of_first.account = 3;
    order_of_first.quantity = 100;
    order_of_first.limit = 20000;
    order_of_first.valid_until_ns = ALDIS_HOUR;
    MarketOrder order_of_second = order_of_first;
    order_of_second.number = 2;
    /* Said to the second one first: what counts is the station's order. */
    CHECK_OK(aldis_send(stage.system, second, buyer_say, .type = &market_order_type,
                        .payload = &order_of_second));
    CHECK_OK(aldis_send(stage.system, first, buyer_say, .type = &market_order_type,
                        .payload = &order_of_first));
    stage_run(aldis_system_now(stage.system) + 20 * ALDIS_MS);
    CHECK_UINT(seen.answers, 2);
    CHECK_UINT(seen.accepted, 1);
    struct record taken, refused;
    CHECK(account_find(&stage.books.stations[0].account, 3, 1, &taken));
    CHECK(account_find(&stage.books.stations[0].account, 3, 2, &refused));
    CHECK(!taken.refused);
    CHECK(refused.refused);
    CHECK_UINT(refused.reason, REFUSAL_NO_STOCK);
    struct account *account = &stage_page(0)->account;
    account->credits -= taken.terms.credits;
    account_goods(account)[0] -= (uint32_t)taken.terms.goods[0];
    boundless(stage_page(0)); /* nor is its hold */
    stage_close();
}

/* The changes that are told add up to what the price has changed by, and a price that stays is not
 * told. */
TEST(updates_tell_what_has_changed_and_nothing_else)
{
    open_market(true);
    order(1, ORDER_BUY, 0, 500, 20000);
    settle();
    const struct station_page *page = &stage.books.stations[0];
    CHECK_UINT(account_goods(&page->account)[0], 1500);
    stage_run(11 * ALDIS_SECOND); /* it makes 5 t meanwhile */
    /* From 2000 t to 1505 of 1000: 50 credits and 74.75, and 2 % more. */
    CHECK_UINT(account_goods(&page->account)[0], 1505);
    CHECK_UINT(seen.updates, 1);
    CHECK_INT(seen.change, (7475 * 102 + 99) / 100 - 5100);
    stage_close();
}

/* Of four ships one is in a berth, one at rest 49 u off, one 51 u, and one far away: so many hear
 * of the first change of the price. */
static uint64_t told_within(double reach)
{
    static const double places[] = {0, 49, 51, 1000};
    struct scenario *scenario = ports(4);
    if (reach >= 0)
        scenario->market.reach = reach;
    scenario->stations.items[0].goods[0].stock = 1000; /* where the price moves */
    scenario->fleets.items[0].departure_ns = ALDIS_HOUR;
    stage_open(scenario, 1);
    stage_station(0);
    for (uint32_t i = 0; i < 4; i++) {
        stage_ship(i, 0);
        stage_page(i)->known_station = 1;
    }
    stage_wait(0.01);
    for (uint32_t i = 0; i < 4; i++)
        stage_page(i)->motion.position = (struct vec){places[i], 0, 0};
    STAGE_ORDER(1, handle_emergency,
                .kind = EMERGENCY_OUT_OF_FUEL); /* so they tell where they are */
    STAGE_ORDER(2, handle_emergency, .kind = EMERGENCY_OUT_OF_FUEL);
    STAGE_ORDER(3, handle_emergency, .kind = EMERGENCY_OUT_OF_FUEL);
    STAGE_ORDER(0, initiate_docking, .station = 0);
    stage_run(10 * ALDIS_SECOND + 100 * ALDIS_MS);
    uint64_t told = stage_type("market_update").handled;
    stage_close();
    return told;
}

TEST(updates_are_told_to_those_near_the_station)
{
    CHECK_UINT(told_within(50), 2);
    CHECK_UINT(told_within(-1), 2); /* the default */
    CHECK_UINT(told_within(52), 3);
    CHECK_UINT(told_within(2000), 4);
}

/* It knows what a station pays from its last stop, and from what it is told of it since; what is
 * told of another station is nothing to it. */
TEST(a_ship_follows_the_prices_that_it_remembers)
{
    stage_open(ports(1), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0);
    stage_wait(0.01);
    NEW_MESSAGE(MarketUpdate, update);
    update.station = 1;
    update.changes_count = 2;
    update.changes[0] = (PriceChange){.resource = 0, .change = 100, .buys_at = 4321};
    update.changes[1] = (PriceChange){.resource = RESOURCE_FUEL, .change = 1, .buys_at = 1};
    uint32_t *known = ship_prices(ship);
    known[0] = 77;
    static const uint16_t remembered[] = {0, 1, 2}; /* none, this one, that one */
    for (uint32_t i = 0; i < 3; i++) {
        ship->known_station = remembered[i];
        CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], market_update, &update));
        stage_wait(0.01);
        CHECK_UINT(known[0], i == 2 ? 4321 : 77);
    }
    CHECK_UINT(stage_type("market_update").failed, 0);
    stage_close();
}

/* A whole run of it: what a ship that stays near remembers is what its station pays. */
TEST(who_stays_near_knows_what_a_station_pays)
{
    struct scenario *scenario = ports(1);
    scenario->fleets.items[0].departure_ns = 10 * ALDIS_HOUR;
    scenario->stations.items[0].goods[0].stock = 1000;
    stage_open(scenario, 1);
    stage_station(0);
    struct ship *ship = stage_ship(0, 0);
    stage_wait(0.01);
    ship->known_station = 1;
    for (uint32_t i = 0; i < 60; i++) {
        stage_wait(10);
        const struct station_page *page = &stage.books.stations[0];
        int64_t price =
            market_price(&scenario->market.commodities.items[0],
                         &scenario->stations.items[0].goods[0], account_goods(&page->account)[0]);
        CHECK_UINT(ship_prices(ship)[0], (uint32_t)(price * 98 / 100));
    }
    CHECK(stage_type("market_update").handled > 10);
    stage_close();
}

TEST(round_trips_pay_nobody)
{
    open_market(true);
    order(1, ORDER_BUY, 0, 500, 20000);
    int64_t paid = seen.answer.credits;
    settle();
    order(2, ORDER_SELL, 0, 500, 0);
    CHECK(-seen.answer.credits < paid);
    settle();
    stage_close();
}

TEST(an_order_beyond_its_limit_is_matched_in_part_or_refused)
{
    open_market(true);
    order(1, ORDER_BUY, 0, 2000, 6000); /* 60 credits */
    CHECK_UINT(seen.accepted, 1);
    uint32_t bought = (uint32_t)-seen.answer.goods[0];
    CHECK(bought > 0 && bought < 2000);
    CHECK(seen.answer.credits <= (int64_t)bought * 6000);
    settle();
    order(2, ORDER_BUY, 0, 100, 5000);
    CHECK_UINT(seen.accepted, 1);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    order(3, ORDER_SELL, 0, 100, 20000);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    order(4, ORDER_BUY, 5, 100, 20000);
    CHECK_INT(seen.answer.reason, REFUSAL_UNKNOWN_GOODS);
    order(5, ORDER_SELL, RESOURCE_FUEL, 100, 0);
    CHECK_INT(seen.answer.reason, REFUSAL_UNKNOWN_GOODS);
    stage_close();
}

TEST(fuel_and_repairs_are_stock_too)
{
    open_market(true);
    stage.books.stations[0].spares = 1;
    order(1, ORDER_BUY, RESOURCE_FUEL, 5ull * FUEL_NANO, 1000);
    CHECK_INT(seen.answer.fuel, -5 * (int64_t)FUEL_NANO);
    CHECK_INT(seen.answer.credits, 5 * 1000);
    settle();
    order(2, ORDER_BUY, RESOURCE_REPAIR, 1, 50000);
    CHECK_UINT(seen.accepted, 2);
    CHECK_INT(seen.answer.credits, 50000);
    settle();
    order(3, ORDER_BUY, RESOURCE_REPAIR, 1, 50000);
    CHECK_INT(seen.answer.reason, REFUSAL_NO_STOCK);
    stage_close();
}

/* A price has to be met; one cent less is refused. */
TEST(fuel_and_repairs_have_their_price)
{
    open_market(true);
    order(1, ORDER_BUY, RESOURCE_FUEL, FUEL_NANO, 999);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    order(2, ORDER_BUY, RESOURCE_REPAIR, 1, 49999);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    CHECK_UINT(seen.accepted, 0);
    stage_close();
}

/* It buys no more than it can pay for. */
TEST(a_station_buys_as_far_as_its_purse_goes)
{
    open_market(true);
    stage.books.stations[0].account.credits = 490000; /* a hundred tonnes at 49 credits */
    account_goods(&stage_page(0)->account)[0] = 400;
    stage.books.start = books_totals(&stage.books);
    order(1, ORDER_SELL, 0, 400, 1);
    CHECK_UINT(seen.accepted, 1);
    CHECK(seen.answer.goods[0] >= 100 && seen.answer.goods[0] < 110);
    settle();
    CHECK(stage.books.stations[0].account.credits >= 0);
    stage_close();
}

/* What was refused is refused again, though it could be granted by now. */
TEST(an_order_that_was_refused_stays_refused)
{
    open_market(true);
    order(1, ORDER_BUY, 0, 100, 1);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    order(1, ORDER_BUY, 0, 100, 20000);
    CHECK_UINT(seen.answers, 2);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.answer.reason, REFUSAL_PRICE);
    stage_close();
}

TEST(who_has_no_berth_trades_nothing)
{
    open_market(false);
    order(1, ORDER_BUY, 0, 100, 20000);
    CHECK_UINT(seen.answers, 1);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.answer.reason, REFUSAL_STATE);
    stage_close();
}

TEST(prices_and_services_are_told_with_their_time)
{
    open_market(false);
    NEW_MESSAGE(RequestPrices, prices);
    say(&request_prices_type, &prices);
    CHECK_UINT(seen.list.prices_count, 3);
    CHECK_UINT(seen.list.prices[0].stock, 2000);
    CHECK_UINT(seen.list.prices[0].sells_at, 5100);
    CHECK_UINT(seen.list.prices[0].buys_at, 4900);
    CHECK_INT(seen.list.at_ns, seen.list_ns - ALDIS_MS); /* they have taken the lookahead */
    NEW_MESSAGE(RequestServices, services);
    services.repairs = true;
    services.fuel = 1000000ull * FUEL_NANO;
    say(&request_services_type, &services);
    CHECK(seen.services.repairs && !seen.services.refuelling && seen.services.quarters);
    aldis_ns asked_ns = aldis_system_now(stage.system) - 20 * ALDIS_MS;
    CHECK(seen.services.done_at_ns > asked_ns + 35 * ALDIS_SECOND); /* a service and a repair */
    CHECK(seen.services.done_at_ns < asked_ns + 36 * ALDIS_SECOND);
    CHECK_UINT(seen.services.fuel, (uint64_t)stage.books.stations[0].account.fuel);
    stage.books.stations[0].spares = 0;
    services.quarters = true;
    services.fuel = 1;
    stage.scenario->stations.items[0].quarters = 0;
    say(&request_services_type, &services);
    CHECK(!seen.services.repairs && seen.services.refuelling && !seen.services.quarters);
    stage_close();
}

TEST(making_and_using_go_to_the_ledger)
{
    open_market(false);
    stage_run(40 * ALDIS_MINUTE);
    const struct station_page *page = &stage.books.stations[0];
    CHECK_UINT(account_goods(&page->account)[0], 3000); /* three times the target: it stops */
    CHECK_UINT(page->made[0], 1000);
    stage_balance();
    stage_close();
}

/* ---- Traders ---- */

/* What ships have earned on the route in an hour, on average. */
static int64_t earned_under(uint32_t ships, const aldis_fault_rule *rule)
{
    stage_open(ports(ships), 1);
    if (rule)
        CHECK_OK(
            aldis_system_inject(stage.system, &(aldis_fault_plan){.rules = rule, .rule_count = 1}));
    stage_station(0);
    stage_station(1);
    for (uint32_t i = 0; i < ships; i++) {
        stage_ship(i, i % 2);
        stage_page(i)->leg = (uint8_t)(i % 2);
    }
    stage_run(ALDIS_HOUR);
    int64_t sum = 0;
    for (uint32_t i = 0; i < ships; i++)
        sum += stage_page(i)->account.credits - 100000 * CENTS;
    stage_close();
    return sum / ships;
}

static int64_t earned(uint32_t ships)
{
    return earned_under(ships, NULL);
}

/* A copy of an answer is no news: but for what is drawn at random it is the same hour. */
TEST(answers_that_come_twice_change_nothing)
{
    static const aldis_fault_rule twice = {
        .kind = ALDIS_FAULT_DUPLICATE, .chance = 1, .type = "trade_answer"};
    int64_t once = earned(1), doubled = earned_under(1, &twice);
    CHECK(llabs(doubled - once) < once / 10);
}

/* Alone, with nothing made or used: it carries stock from where there is too much to where there is
 * too little, until both prices are equal but for the spread. */
TEST(a_trader_on_one_route_sees_its_profit_fall)
{
    struct scenario *scenario = ports(1);
    scenario->stations.items[0].goods[0].makes = 0;
    scenario->stations.items[1].goods[0].uses = 0;
    scenario->classes.items[0].cargo_t = 100;
    stage_open(scenario, 1);
    stage_station(0);
    stage_station(1);
    stage_ship(0, 1);
    stage_page(0)->leg = 1;
    int64_t profits[32], purse = stage_page(0)->account.credits;
    uint32_t trips = 0, sold = 0;
    while (trips < 32 && aldis_system_now(stage.system) < 2 * ALDIS_HOUR) {
        stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
        uint32_t stock = account_goods(&stage.books.stations[1].account)[0];
        bool empty = account_goods(&stage_page(0)->account)[0] == 0;
        if (stock == 200 + sold || !empty || account_is_open(&stage_page(0)->account))
            continue;
        profits[trips++] = stage_page(0)->account.credits - purse;
        purse = stage_page(0)->account.credits;
        sold = stock - 200;
    }
    CHECK(trips >= 6);
    CHECK(profits[0] > 4000 * CENTS);
    for (uint32_t i = 1; i < trips; i++)
        CHECK(profits[i] < profits[i - 1]);
    CHECK(profits[trips - 1] < profits[0] / 4);
    stage_close();
}

TEST(more_traders_on_one_route_earn_less_each)
{
    int64_t one = earned(1), four = earned(4), twenty = earned(20);
    CHECK(one > 100 * CENTS);
    CHECK(four < one);
    CHECK(twenty < four);
}

static uint64_t orders_by(aldis_ns until_ns)
{
    stage_open(ports(1), 1);
    stage_station(0);
    stage_station(1);
    stage_ship(0, 1);
    stage_page(0)->leg = 1;
    stage_run(until_ns);
    return stage_type("market_order").handled;
}

/* When the first order is taken: found by halves, since a run is the same each time. */
static aldis_ns first_order_ns(void)
{
    aldis_ns before_ns = 0, after_ns = 5 * ALDIS_MINUTE;
    while (after_ns - before_ns > ALDIS_MS / 2) {
        aldis_ns middle_ns = before_ns + (after_ns - before_ns) / 2;
        if (orders_by(middle_ns) > 0)
            after_ns = middle_ns;
        else
            before_ns = middle_ns;
        stage_close();
    }
    return after_ns;
}

/* It is asked again after five seconds. */
TEST(an_order_that_is_lost_is_sent_again)
{
    aldis_ns first_ns = first_order_ns();
    aldis_fault_rule rule = {.kind = ALDIS_FAULT_LOSS,
                             .chance = 1,
                             .end_ns = first_ns + ALDIS_SECOND,
                             .type = "market_order"};
    stage_open(ports(1), 1);
    CHECK_OK(
        aldis_system_inject(stage.system, &(aldis_fault_plan){.rules = &rule, .rule_count = 1}));
    stage_station(0);
    stage_station(1);
    stage_ship(0, 1);
    stage_page(0)->leg = 1;
    stage_run(first_ns + 6 * ALDIS_SECOND);
    CHECK_UINT(stage_type("market_order").dropped, 1);
    CHECK(stage_type("market_order").handled > 0);
    stage_close();
}

TEST(a_trade_survives_the_death_of_the_station)
{
    CHECK_UINT(orders_by(first_order_ns()), 1); /* the answer is under way */
    CHECK(account_is_open(&stage_page(0)->account));
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id)); /* the answer finds nobody */
    CHECK_OK(aldis_kill(stage.system, stage.stations[0].id));
    stage_run(aldis_system_now(stage.system) + ALDIS_SECOND);
    stage_balance();
    struct ship *page = stage_page(0);
    CHECK(account_is_open(&page->account));
    CHECK_OK(aldis_spawn(stage.system, ship, &stage.ships[0],
                         &(aldis_spawn_opts){.arg = &page, .arg_size = sizeof page}));
    stage_run(aldis_system_now(stage.system) + ALDIS_MINUTE);
    CHECK(!account_is_open(&page->account)); /* settled by what stands in the station's page */
    stage_close();
}
