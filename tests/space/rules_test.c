// SPDX-License-Identifier: Apache-2.0
/* rules_test.c: the rules of a ship's conduct, one by one, and the faults that naive ships have. A
 * ship on the stage is talked to by a peer that the test plays: it sends what it is told to, and
 * notes what it hears. */
#include "stage.h"

#include <math.h>

/* Two stations far apart, at rest; ships with the default rules. */
static const char open_space[] =
    "name: rules\n"
    "duration: 1 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 1 h, commodities: [{name: water, price: 10, swing: 5},\n"
    "                                    {name: ore, price: 20}]}\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 4, service: 10 s}\n"
    "  - {name: Far, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0001}\n"
    "  - {name: stock, speed: 20 u/s, acceleration: 4 u/s2}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 8, route: [Near, Far], departure: 30 d, rest: 30 d}\n"
    "  - {name: two, class: stock, count: 2, route: [Near, Far], departure: 30 d, rest: 30 d}\n";

/* ---- A peer ---- */

struct peer_seen {
    uint32_t offers_answered, accepted, refused_messages, hazards, distress, answers, stand_downs;
    uint32_t formation_answers, leads;
    TradeAnswer trade;
    Refused refusal;
    NavigationHazard hazard;
    DistressSignal call;
    DistressAnswer help;
    FormationAnswer slot;
    ShipStatus status;
    Aid aid;
    uint32_t aids, statuses;
};

static struct peer_seen seen;

struct peer_say {
    aldis_id to;
    aldis_type *type;
    const void *payload; /* the test's, until it has been sent */
};
ALDIS_MESSAGE(peer_say, struct peer_say);

/* clang-format off */
#define PEER_PROTOCOL(X, kind)                                                                     \
    X(kind, peer_say) X(kind, trade_answer) X(kind, refused) X(kind, navigation_hazard)            \
    X(kind, distress_signal) X(kind, distress_answer) X(kind, stand_down) X(kind, ship_status)     \
    X(kind, formation_answer) X(kind, formation_lead) X(kind, aid) X(kind, trade_settled)          \
    X(kind, docking_permission)
/* clang-format on */
ALDIS_PROTOCOL(peer, PEER_PROTOCOL);

struct peer {
    uint32_t unused;
};

static aldis_err peer_on_peer_say(struct peer *self, const struct peer_say *msg, aldis_ctx *ctx)
{
    (void)self;
    return aldis_ctx_send_raw(ctx, msg->to, msg->type, msg->payload, msg->type->size);
}

#define PEER_HEARS(message, count, field)                                                          \
    static aldis_err peer_on_##message(struct peer *self, const message##_payload *msg,            \
                                       aldis_ctx *ctx)                                             \
    {                                                                                              \
        (void)self;                                                                                \
        (void)ctx;                                                                                 \
        seen.count++;                                                                              \
        seen.field = *msg;                                                                         \
        return ALDIS_OK;                                                                           \
    }
PEER_HEARS(refused, refused_messages, refusal)
PEER_HEARS(navigation_hazard, hazards, hazard)
PEER_HEARS(distress_signal, distress, call)
PEER_HEARS(distress_answer, answers, help)
PEER_HEARS(formation_answer, formation_answers, slot)
PEER_HEARS(ship_status, statuses, status)
PEER_HEARS(aid, aids, aid)

static aldis_err peer_on_trade_answer(struct peer *self, const TradeAnswer *msg, aldis_ctx *ctx)
{
    (void)self;
    seen.offers_answered++;
    seen.accepted += msg->accepted;
    seen.trade = *msg;
    return msg->accepted ? aldis_reply(ctx, trade_settled, .number = msg->number, .account = 2)
                         : ALDIS_OK;
}

static aldis_err peer_on_trade_settled(struct peer *self, const TradeSettled *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

static aldis_err peer_on_stand_down(struct peer *self, const StandDown *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    seen.stand_downs++;
    return ALDIS_OK;
}

static aldis_err peer_on_formation_lead(struct peer *self, const FormationLead *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    seen.leads++;
    return ALDIS_OK;
}

static aldis_err peer_on_docking_permission(struct peer *self, const DockingPermission *msg,
                                            aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(peer, struct peer, PEER_PROTOCOL);

static peer_ref peer;

static struct ship *open_at(struct scenario *scenario, uint32_t ship)
{
    memset(&seen, 0, sizeof seen);
    stage_open(scenario, 1);
    stage_station(0);
    stage_station(1);
    CHECK_OK(aldis_spawn(stage.system, peer, &peer, NULL));
    struct ship *page = stage_ship(ship, 0);
    stage_run(ALDIS_SECOND);
    return page;
}

static struct ship *open_with(uint32_t ship)
{
    return open_at(stage_parse(open_space), ship);
}

/* Near goes round, to its other side in half an hour, and whoever rests there with it. */
static struct ship *open_round(uint32_t ship)
{
    struct scenario *scenario = stage_parse(open_space);
    scenario->stations.items[0].circle.radius = 500;
    scenario->stations.items[0].circle.period_ns = ALDIS_HOUR;
    struct ship *page = open_at(scenario, ship);
    stage_run(ALDIS_HOUR / 2);
    return page;
}

static aldis_ns now_ns(void)
{
    return aldis_system_now(stage.system);
}

/* The peer says something to a ship, and time goes on a little. */
#define SAY(ship, message, ...)                                                                    \
    do {                                                                                           \
        message##_payload payload_;                                                                \
        memset(&payload_, 0, sizeof payload_);                                                     \
        payload_ = (message##_payload){__VA_ARGS__};                                               \
        CHECK_OK(aldis_send(stage.system, peer, peer_say, .to = stage.ships[ship].id,              \
                            .type = &message##_type, .payload = &payload_));                       \
        stage_run(now_ns() + 20 * ALDIS_MS);                                                       \
    } while (0)

/* From outside, by whoever commands the ship. */
#define ORDER(ship, message, ...)                                                                  \
    do {                                                                                           \
        CHECK_OK(aldis_send(stage.system, stage.ships[ship], message, __VA_ARGS__));               \
        stage_run(now_ns() + 20 * ALDIS_MS);                                                       \
    } while (0)

/* ---- Trade ---- */

/* An offer of water at so many cents a tonne, from the peer. It has no account: its number is that
 * of the rescue service, which holds nothing, so the balance shows what is taken out of nowhere. */
static void offer_water(uint64_t number, uint32_t tonnes, uint32_t unit_value)
{
    SAY(0, trade_offer, .number = number, .account = 2, .valid_until_ns = ALDIS_HOUR,
        .offering_count = 1, .offering = {{0, tonnes, unit_value}});
}

static void take_back(struct ship *page)
{
    /* What the peer has made up is not in the books: put the ship's page right for the balance. */
    struct totals now = books_totals(&stage.books);
    page->account.credits += stage.books.start.credits - now.credits;
    for (uint32_t i = 0; i < stage.books.kinds; i++) {
        uint32_t tonnes = (uint32_t)(stage.books.start.goods[i] - now.goods[i]);
        account_goods(&page->account)[i] += tonnes;
        page->account.used += tonnes;
    }
}

TEST(an_offer_of_another_ship_is_taken_above_500_credits)
{
    struct ship *page = open_with(0);
    offer_water(1, 5, 10000); /* 500.00 */
    CHECK_UINT(seen.offers_answered, 1);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.trade.reason, REFUSAL_TOO_LITTLE);
    offer_water(2, 5, 10001);
    CHECK_UINT(seen.accepted, 1);
    CHECK_INT(seen.trade.credits, -50005);
    CHECK_UINT(account_goods(&page->account)[0], 5);
    CHECK_INT(page->account.credits, 1000000 - 50005);
    offer_water(2, 5, 10001); /* a copy */
    CHECK_UINT(seen.offers_answered, 3);
    CHECK_UINT(account_goods(&page->account)[0], 5);
    take_back(page);
    stage_close();
}

TEST(an_offer_without_room_or_money_is_refused)
{
    struct ship *page = open_with(0);
    offer_water(1, 501, 1000);
    CHECK_INT(seen.trade.reason, REFUSAL_NO_ROOM);
    offer_water(2, 100, 10001); /* 10,001 credits: one more than it has */
    CHECK_INT(seen.trade.reason, REFUSAL_NO_MONEY);
    SAY(0, trade_offer, .number = 3, .account = 2, .valid_until_ns = ALDIS_HOUR,
        .offering_count = 1, .offering = {{2, 10, 10000}});
    CHECK_INT(seen.trade.reason, REFUSAL_UNKNOWN_GOODS);
    SAY(0, trade_offer, .number = 4, .account = 2, .valid_until_ns = ALDIS_HOUR,
        .offering_count = 1, .offering = {{0, 10, 10000}}, .requesting_count = 1,
        .requesting = {{1, 5, 100}});
    CHECK_INT(seen.trade.reason, REFUSAL_NO_STOCK);
    SAY(0, trade_offer, .number = 5, .account = 2, .valid_until_ns = 1, .offering_count = 1,
        .offering = {{0, 10, 10000}});
    CHECK_INT(seen.trade.reason, REFUSAL_EXPIRED);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(page->account.credits, 1000000);
    stage_close();
}

/* Thousandths of a unit, paid by the unit; never more than half a tank. */
TEST(a_ship_sells_fuel_that_it_can_spare)
{
    struct ship *page = open_with(0);
    int64_t tank = page->account.shape->tank, credits = page->account.credits;
    SAY(0, trade_offer, .number = 1, .account = 2, .valid_until_ns = ALDIS_HOUR,
        .offering_count = 1, .offering = {{0, 6, 10000}}, .requesting_count = 1,
        .requesting = {{RESOURCE_FUEL, 501, 5000}});
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.trade.reason, REFUSAL_NO_STOCK);
    SAY(0, trade_offer, .number = 2, .account = 2, .valid_until_ns = ALDIS_HOUR,
        .offering_count = 1, .offering = {{0, 6, 10000}}, .requesting_count = 1,
        .requesting = {{RESOURCE_FUEL, 250, 5001}});
    CHECK_UINT(seen.accepted, 1);
    CHECK_INT(seen.trade.fuel, -tank / 4);
    CHECK_INT(page->account.fuel, tank * 3 / 4);
    /* A quarter of 50.01 credits, rounded up, less 600 for the goods. */
    CHECK_INT(page->account.credits, credits + 1251 - 60000);
    CHECK_UINT(account_goods(&page->account)[0], 6);
    CHECK_UINT(ship_prices(page)[0], 10000);
    stage.books.start.fuel -= tank / 4; /* the peer, which is not in the books, has it */
    take_back(page);
    stage_close();
}

/* Docked, a ship is offered what the station sells. */
static void dock(void)
{
    ORDER(0, initiate_docking, .station = 0);
    stage_run(now_ns() + 12 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docked");
}

TEST(an_ordered_trade_is_made_above_1000_credits)
{
    struct ship *page = open_with(0);
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 100, 1100}});
    CHECK_UINT(seen.refused_messages, 1);
    CHECK_INT(seen.refusal.reason, REFUSAL_STATE);
    CHECK_STR(seen.refusal.message, "process_trade_offer");
    CHECK_STR(seen.refusal.state, "idle");
    dock();
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 100, 1000}}); /* 1000.00 */
    CHECK_INT(seen.refusal.reason, REFUSAL_TOO_LITTLE);
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 501, 1100}});
    CHECK_INT(seen.refusal.reason, REFUSAL_NO_ROOM);
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 100, 10001}});
    CHECK_INT(seen.refusal.reason, REFUSAL_NO_MONEY);
    CHECK_UINT(account_goods(&page->account)[0], 0);
    SAY(0, process_trade_offer, .items_count = 2, .items = {{0, 90, 1100}, {1, 10, 2100}});
    stage_run(now_ns() + 15 * ALDIS_SECOND);
    CHECK_UINT(account_goods(&page->account)[0], 90);
    CHECK_UINT(account_goods(&page->account)[1], 10);
    CHECK(page->account.credits < 1000000 - 90 * 1000);
    CHECK_UINT(seen.accepted, 1); /* and whoever gave the order is told what was bought */
    CHECK_INT(seen.trade.goods[0], -90);
    CHECK_INT(seen.trade.goods[1], -10);
    CHECK_INT(seen.trade.credits, 1000000 - page->account.credits);
    CHECK_INT(seen.trade.reason, REFUSAL_NONE);
    stage_close();
}

/* The order waits for the end of the service, and so does the ship. */
TEST(an_order_to_trade_does_not_break_off_the_service)
{
    struct ship *page = open_with(0);
    dock();
    page->flags |= SHIP_DAMAGED;
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 200, 1000}}); /* below its price */
    stage_run(now_ns() + 3 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docked");
    CHECK_UINT(seen.refused_messages + seen.offers_answered, 0);
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 200, 1000}});
    CHECK_INT(seen.refusal.reason, REFUSAL_BUSY); /* one at a time */
    stage_run(now_ns() + 12 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "idle");
    CHECK_UINT(stage.books.stations[0].served, 1);
    CHECK(!(page->flags & SHIP_DAMAGED));
    CHECK_UINT(account_goods(&page->account)[0], 0);
    CHECK_UINT(seen.offers_answered, 1);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.trade.reason, REFUSAL_PRICE);
    stage_close();
}

TEST(who_gave_an_order_to_trade_hears_when_it_came_to_nothing)
{
    open_with(0);
    dock();
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 100, 1100}});
    ORDER(0, shutdown, 0);
    CHECK_UINT(seen.offers_answered, 1);
    CHECK_UINT(seen.accepted, 0);
    CHECK_INT(seen.trade.reason, REFUSAL_STATE);
    stage_close();

    struct ship *page = open_with(0); /* its purse is empty by then */
    dock();
    SAY(0, process_trade_offer, .items_count = 1, .items = {{0, 100, 1100}});
    page->account.credits -= 990000;
    stage.books.stations[1].account.credits += 990000;
    stage_run(now_ns() + 15 * ALDIS_SECOND);
    CHECK_UINT(seen.offers_answered, 1);
    CHECK_INT(seen.trade.reason, REFUSAL_NO_MONEY);
    stage_close();
}

/* ---- Distress ---- */

static void call_from(double distance)
{
    SAY(0, distress_signal, .kind = EMERGENCY_ENGINE_FAILURE, .severity = 5,
        .location = {distance, 0, 0});
}

TEST(distress_is_answered_within_200_units_when_idle)
{
    open_with(0);
    call_from(200);
    CHECK_UINT(seen.answers, 0);
    CHECK_STR(stage_state(0), "idle");
    call_from(199.999);
    CHECK_UINT(seen.answers, 1);
    CHECK_STR(stage_state(0), "flying");
    CHECK(seen.help.arrival_ns > now_ns() + 10 * ALDIS_SECOND);
    call_from(50); /* the same caller, elsewhere: no second answer */
    CHECK_UINT(seen.answers, 1);
    stage_run(now_ns() + 30 * ALDIS_SECOND);
    CHECK_UINT(seen.aids, 1);
    CHECK_INT(seen.aid.kind, AID_REPAIR);
    CHECK_STR(stage_state(0), "idle"); /* as before */
    stage_close();
}

TEST(distress_is_answered_from_where_the_station_is_now)
{
    struct ship *page = open_round(0);
    struct vec then = page->motion.position, now = ship_station_position(page, now_ns());
    CHECK(vec_length(vec_sub(then, now)) > 999);
    SAY(0, distress_signal, .kind = EMERGENCY_ENGINE_FAILURE, .severity = 5,
        .location = {then.x, then.y, then.z});
    CHECK_UINT(seen.answers, 0);
    SAY(0, distress_signal, .kind = EMERGENCY_ENGINE_FAILURE, .severity = 5,
        .location = {now.x, now.y + 150, now.z});
    CHECK_UINT(seen.answers, 1);
    CHECK(vec_length(vec_sub(page->motion.position, now)) < 1);
    stage_close();
}

TEST(one_that_is_not_needed_goes_back)
{
    open_with(0);
    call_from(150);
    CHECK_STR(stage_state(0), "flying");
    SAY(0, stand_down, .over = true);
    stage_run(now_ns() + 5 * ALDIS_SECOND);
    CHECK_UINT(seen.aids, 0);
    stage_run(now_ns() + 15 * ALDIS_SECOND); /* it was on no course: its station is near */
    CHECK_UINT(stage_type("request_docking").handled, 1);
    CHECK_UINT(seen.aids, 0);
    stage_close();
}

TEST(a_ship_under_way_passes_by)
{
    open_with(0);
    ORDER(0, set_destination, .station = 1);
    call_from(10);
    CHECK_UINT(seen.answers, 0);
    stage_close();
}

/* ---- Emergencies ---- */

TEST(an_emergency_calls_warns_and_ends)
{
    struct ship *page = open_with(0);
    struct ship *other = stage_ship(1, 0);
    stage_run(now_ns() + ALDIS_SECOND);
    ORDER(0, set_destination, .station = 1);
    stage_run(now_ns() + 5 * ALDIS_SECOND);
    ORDER(0, handle_emergency, .kind = EMERGENCY_HULL_BREACH);
    CHECK_STR(stage_state(0), "emergency");
    CHECK_UINT(stage_type("distress_signal").handled, 1); /* the other; never itself */
    CHECK_UINT(stage_type("navigation_hazard").handled, 1);
    CHECK_UINT(page->extra->hazard_count, 0);
    CHECK(other->extra->hazards[0].radius == 100);
    stage_run(now_ns() + 60 * ALDIS_SECOND); /* the other comes and helps */
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(stage_type("aid").handled, 1);
    CHECK(page->flags & SHIP_DAMAGED); /* to be repaired at the next berth */
    stage_close();
}

TEST(hazards_are_of_the_true_kind)
{
    static const struct {
        EmergencyKind emergency;
        uint32_t hazards;
    } cases[] = {{EMERGENCY_ENGINE_FAILURE, 0},
                 {EMERGENCY_HULL_BREACH, 1},
                 {EMERGENCY_CREW_MEDICAL, 0},
                 {EMERGENCY_PIRATES, 1},
                 {EMERGENCY_OUT_OF_FUEL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(0);
        stage_ship(1, 0);
        stage_run(now_ns() + ALDIS_SECOND);
        ORDER(0, handle_emergency, .kind = cases[i].emergency);
        CHECK_UINT(stage_type("navigation_hazard").handled, cases[i].hazards);
        CHECK_UINT(stage_type("distress_signal").handled, 1);
        stage_close();
    }
}

TEST(without_help_the_crew_mends_it_in_the_end)
{
    open_with(0);
    ORDER(0, set_destination, .station = 1);
    ORDER(0, handle_emergency, .kind = EMERGENCY_CREW_MEDICAL);
    stage_run(now_ns() + 9 * ALDIS_MINUTE);
    CHECK_STR(stage_state(0), "emergency");
    stage_run(now_ns() + 2 * ALDIS_MINUTE);
    CHECK_STR(stage_state(0), "flying");
    stage_close();
}

TEST(the_first_to_answer_comes_and_the_others_are_sent_back)
{
    open_with(0);
    ORDER(0, set_destination, .station = 1);
    ORDER(0, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
    SAY(0, distress_answer, .arrival_ns = now_ns() + ALDIS_MINUTE);
    CHECK_UINT(seen.stand_downs, 0);
    SAY(0, aid, .kind = AID_REPAIR);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(seen.stand_downs, 1);
    SAY(0, distress_answer, .arrival_ns = now_ns() + ALDIS_MINUTE); /* too late */
    CHECK_UINT(seen.stand_downs, 2);
    stage_close();
}

/* Else a tug whose thanks were lost would stay with it for ever. */
TEST(help_that_comes_when_it_is_over_is_sent_back)
{
    open_with(0);
    SAY(0, aid, .kind = AID_FUEL);
    CHECK_STR(stage_state(0), "idle");
    CHECK_UINT(seen.stand_downs, 1);
    ORDER(0, set_destination, .station = 1);
    SAY(0, aid, .kind = AID_TOW);
    CHECK_STR(stage_state(0), "flying");
    CHECK_UINT(seen.stand_downs, 2);
    stage_close();
}

/* ---- Fuel ---- */

/* speed x dt x 0.01 of a tank of 1.0, that is, 0.01 for each unit of the way. */
TEST(fuel_is_burnt_for_the_way_and_none_means_no_thrust)
{
    struct ship *page = open_with(8);
    CHECK_INT(page->account.fuel, FUEL_NANO);
    CHECK_OK(aldis_send(stage.system, stage.ships[8], set_destination, .station = 1));
    stage_run(now_ns() + 5 * ALDIS_SECOND);
    double way = vec_length(page->motion.position);
    CHECK(way > 10);
    CHECK(fabs((double)page->account.burnt - way * 0.01 * FUEL_NANO) < 10);
    CHECK_INT(page->account.fuel + page->account.burnt, FUEL_NANO);
    stage_run(now_ns() + 3 * ALDIS_MINUTE); /* it comes 100 u far, and calls before it is dry */
    CHECK_STR(stage_state(8), "emergency");
    CHECK(vec_length(page->motion.position) <= 100.001);
    CHECK(vec_length(page->motion.velocity) == 0);
    CHECK_UINT(stage_type("distress_signal").rejected, 0);
    stage_close();
}

/* Nobody looks during a long step, and yet it ends as short ones do: at rest, with a call. */
TEST(a_step_beyond_the_tank_ends_at_rest)
{
    static const double steps[] = {20, 1000, 1e9};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct ship *page = open_with(8);
        CHECK_OK(aldis_send(stage.system, stage.ships[8], set_destination, .station = 1));
        stage_run(now_ns() + 10 * ALDIS_MS);
        CHECK_OK(aldis_send(stage.system, stage.ships[8], update_position, .dt = steps[i]));
        stage_run(now_ns() + 10 * ALDIS_MS);
        CHECK_STR(stage_state(8), "emergency");
        CHECK(vec_length(page->motion.velocity) == 0);
        CHECK(vec_length(page->motion.position) > 99.99 && vec_length(page->motion.position) < 100);
        CHECK(page->account.fuel < FUEL_NANO / 1000);
        stage_close();
    }
}

/* A tank that is empty all at once. */
TEST(without_fuel_a_ship_drifts_on_and_calls)
{
    struct ship *page = open_with(8);
    CHECK_OK(aldis_send(stage.system, stage.ships[8], set_destination, .station = 1));
    stage_run(now_ns() + 3 * ALDIS_SECOND);
    account_burn(&page->account, page->account.fuel);
    stage_run(now_ns() + 2 * ALDIS_SECOND);
    CHECK_STR(stage_state(8), "emergency");
    struct vec velocity = page->motion.velocity;
    CHECK(vec_length(velocity) > 1);
    double before = vec_length(page->motion.position);
    stage_run(now_ns() + 2 * ALDIS_MINUTE);
    CHECK(vec_length(vec_sub(page->motion.velocity, velocity)) == 0);
    CHECK(vec_length(page->motion.position) > before + 60 * vec_length(velocity)); /* on and on */
    stage_close();
}

TEST(a_gift_of_fuel_ends_the_emergency)
{
    struct ship *page = open_with(8);
    stage_ship(0, 0);
    stage_run(now_ns() + ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[8], set_destination, .station = 1));
    while (stage_type("aid").handled == 0) {
        stage_run(now_ns() + 100 * ALDIS_MS);
        CHECK(now_ns() < 2 * ALDIS_MINUTE);
    }
    stage_run(now_ns() + ALDIS_SECOND);
    CHECK_STR(stage_state(8), "flying");
    CHECK_UINT(stage_type("trade_answer").handled, 1);
    CHECK(page->account.fuel > FUEL_NANO / 10); /* a quarter of what the helper had */
    stage_close();
}

/* ---- Formations ---- */

TEST(a_formation_asked_for_is_given_a_slot)
{
    open_with(0);
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 2, .position = {0, 30, 0});
    CHECK_UINT(seen.formation_answers, 1);
    CHECK(seen.slot.accepted);
    CHECK(seen.slot.offset.x == -40 && seen.slot.offset.y == 0);
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 3,
        .position = {0, 3000, 0});
    CHECK(!seen.slot.accepted);
    CHECK_INT(seen.slot.reason, REFUSAL_TOO_FAR);
    CHECK_UINT(seen.leads, 0);
    ORDER(0, set_destination, .station = 1);
    stage_run(now_ns() + 10 * ALDIS_SECOND);
    CHECK(seen.leads >= 9); /* at each of its looks */
    stage_close();
}

/* How far it goes to help has nothing to do with it. */
TEST(a_leader_takes_followers_within_its_formation_range)
{
    struct scenario *scenario = stage_parse(open_space);
    scenario->classes.items[0].distress_range = 0;
    scenario->classes.items[0].formation_range = 50;
    open_at(scenario, 0);
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 2, .position = {0, 49, 0});
    CHECK(seen.slot.accepted);
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 3, .position = {0, 50, 0});
    CHECK(!seen.slot.accepted);
    CHECK_INT(seen.slot.reason, REFUSAL_TOO_FAR);
    stage_close();
}

TEST(a_formation_is_joined_from_where_the_station_is_now)
{
    struct ship *page = open_round(0);
    struct vec then = page->motion.position, now = ship_station_position(page, now_ns());
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 2,
        .position = {then.x, then.y, then.z});
    CHECK_INT(seen.slot.reason, REFUSAL_TOO_FAR);
    SAY(0, formation_request, .kind = FORMATION_CONVOY, .place_in_line = 2,
        .position = {now.x, now.y, now.z});
    CHECK(seen.slot.accepted);
    stage_close();
}

/* The peer leads ship 0, which has asked it for a place. */
static void follow_peer(struct ship *page)
{
    ship_rare(page)->formation.leader = peer.id;
    page->flags |= SHIP_JOINING;
}

TEST(a_follower_sets_out_from_where_its_station_is_now)
{
    struct ship *page = open_round(0);
    struct vec now = ship_station_position(page, now_ns());
    follow_peer(page);
    SAY(0, formation_lead, .station = 1, .at_ns = now_ns(), .position = {now.x, now.y, now.z});
    CHECK_STR(stage_state(0), "flying");
    CHECK_INT(page->mission, MISSION_FOLLOW);
    CHECK(vec_length(vec_sub(page->motion.position, now)) < 1);
    stage_close();
}

TEST(a_follower_that_is_refused_flies_alone_and_asks_at_its_next_rest)
{
    struct ship *page = open_with(0);
    follow_peer(page);
    SAY(0, formation_answer, .accepted = false, .reason = REFUSAL_NO_ROOM);
    CHECK_STR(stage_state(0), "flying");
    CHECK_INT(page->mission, MISSION_OWN);
    CHECK(!(page->flags & SHIP_JOINING));
    stage_close();
}

/* Of the first fleet, for a ship without a system. */
static struct ship_kin kin_of(const struct scenario *scenario, const struct chart *chart)
{
    const struct scenario_fleet *fleet = scenario->fleets.items;
    return (struct ship_kin){.shape.tank = FUEL_NANO,
                             .chart = chart,
                             .fleet = fleet,
                             .class = &scenario->classes.items[fleet->class]};
}

/* Its velocity is 0.1/s x the offset to its slot: after t seconds exp(-0.1 t) of it is left, in one
 * step or in many, while the leader moves. */
TEST(a_follower_closes_on_its_slot)
{
    static const double steps[] = {0.1, 1, 7, 20};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct scenario *scenario = stage_parse(open_space);
        struct chart chart = {.scenario = scenario};
        struct ship_kin kin = kin_of(scenario, &chart);
        struct ship_rare rare = {
            .formation = {.lead = {.velocity = {3, 0, 0}}, .offset = {-20, 0, 0}}};
        struct ship_extra extra = {.rare = &rare};
        struct ship ship = {.extra = &extra,
                            .account = {.shape = &kin.shape, .fuel = FUEL_NANO},
                            .motion = {.position = {-20, 15, 0}}};
        struct thrust thrust = {.speed = 20, .acceleration = 4};
        double t = 0, way;
        while (t < 20 - 1e-9) {
            t += steps[i];
            ship.moved_ns = (aldis_ns)(t * 1e9);
            ship.mission = MISSION_FOLLOW;
            ship_follow(&ship, steps[i], &thrust, &way);
        }
        struct vec expected = {-20 + 3 * t, 15 * exp(-0.1 * t), 0};
        CHECK(vec_length(vec_sub(ship.motion.position, expected)) < 1e-6);
        scenario_destroy(scenario);
    }
}

TEST(a_follower_is_no_faster_than_its_class)
{
    struct scenario *scenario = stage_parse(open_space);
    struct chart chart = {.scenario = scenario};
    struct ship_kin kin = kin_of(scenario, &chart);
    struct ship_rare rare = {.formation = {.offset = {0, 0, 0}}};
    struct ship_extra extra = {.rare = &rare};
    struct ship ship = {.extra = &extra,
                        .account = {.shape = &kin.shape, .fuel = FUEL_NANO},
                        .moved_ns = ALDIS_SECOND,
                        .motion = {.position = {1000, 0, 0}}};
    struct thrust thrust = {.speed = 20, .acceleration = 4};
    double way;
    ship_follow(&ship, 1, &thrust, &way);
    CHECK(fabs(ship.motion.position.x - 980) < 1e-9);
    CHECK(fabs(way - 20) < 1e-9);
    scenario_destroy(scenario);
}

/* ---- Steps and orders ---- */

TEST(one_long_step_arrives_and_stops)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    ORDER(0, update_position, .dt = 1e6); /* it cannot jump over its goal */
    struct vec goal = scenario_station_position(stage.scenario, 1, now_ns());
    CHECK(vec_length(vec_sub(page->motion.position, goal)) < 10);
    CHECK(vec_length(page->motion.velocity) == 0);
    CHECK_STR(stage_state(0), "docking");
    stage_close();
}

TEST(a_ship_at_rest_is_not_moved_by_steps)
{
    struct ship *page = open_with(0);
    struct vec before = page->motion.position;
    ORDER(0, update_position, .dt = 1000);
    CHECK(vec_length(vec_sub(page->motion.position, before)) == 0);
    CHECK_INT(page->account.burnt, 0);
    stage_close();
}

/* It has arrived nearer than 10 units, and not before. */
TEST(arrival_is_within_10_units)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    struct vec goal = scenario_station_position(stage.scenario, 1, now_ns());
    while (strcmp(stage_state(0), "flying") == 0) {
        stage_run(now_ns() + 100 * ALDIS_MS);
        CHECK(now_ns() < 10 * ALDIS_MINUTE);
    }
    CHECK_STR(stage_state(0), "docking");
    CHECK(vec_length(vec_sub(page->motion.position, goal)) < 10);
    stage_close();
}

TEST(what_cannot_be_never_reaches_a_handler)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    stage_run(now_ns() + 5 * ALDIS_SECOND);
    int64_t fuel = page->account.fuel;
    static const double wrong[] = {-1, (double)__builtin_nanf(""), HUGE_VAL, -HUGE_VAL};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_OK(aldis_send(stage.system, stage.ships[0], update_position, .dt = wrong[i]));
        SAY(0, navigation_hazard, .radius = wrong[i], .until_ns = ALDIS_HOUR);
        SAY(0, distress_signal, .location = {0, i == 0 ? HUGE_VAL : wrong[i], 0});
    }
    CHECK_UINT(stage_type("update_position").failed, 4);
    CHECK_UINT(stage_type("navigation_hazard").failed, 4);
    CHECK_UINT(stage_type("distress_signal").failed, 4);
    CHECK(page->account.fuel <= fuel); /* a negative dt does not fill the tank */
    CHECK(page->extra == NULL || page->extra->hazard_count == 0);
    CHECK_STR(stage_state(0), "flying");
    stage_close();
}

TEST(severity_and_counts_have_their_bounds)
{
    open_with(0);
    SAY(0, distress_signal, .severity = 11);
    CHECK_UINT(stage_type("distress_signal").failed, 1);
    SAY(0, trade_offer, .number = 1, .offering_count = 17);
    CHECK_UINT(stage_type("trade_offer").failed, 1);
    SAY(0, formation_request, .place_in_line = 9);
    CHECK_UINT(stage_type("formation_request").failed, 1);
    stage_close();
}

/* ---- Pause, status, shutdown ---- */

TEST(a_paused_ship_stops_and_goes_on_where_it_was)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    stage_run(now_ns() + 10 * ALDIS_SECOND);
    ORDER(0, pause, .unused = 0);
    stage_run(now_ns() + ALDIS_MINUTE);
    struct vec held = page->motion.position;
    CHECK(vec_length(page->motion.velocity) == 0);
    SAY(0, get_status, .unused = 0);
    CHECK_UINT(seen.statuses, 1);
    CHECK_STR(seen.status.state, "flying");
    CHECK(seen.status.paused);
    CHECK(seen.status.position.x == held.x);
    stage_run(now_ns() + ALDIS_MINUTE);
    CHECK(vec_length(vec_sub(page->motion.position, held)) == 0);
    ORDER(0, resume, .unused = 0);
    stage_run(now_ns() + 10 * ALDIS_SECOND);
    CHECK(vec_length(vec_sub(page->motion.position, held)) > 50);
    stage_close();
}

TEST(a_ship_that_is_shut_down_gives_up_its_berth)
{
    open_with(0);
    dock();
    CHECK_UINT(stage.books.stations[0].berths_taken, 1);
    ORDER(0, shutdown, .unused = 0);
    stage_run(now_ns() + ALDIS_SECOND);
    CHECK(aldis_is_closed(stage.system, stage.ships[0].id));
    CHECK_UINT(stage.books.stations[0].berths_taken, 0);
    stage_close();
}

/* ---- Hazards ---- */

TEST(a_hazard_is_gone_round_and_the_course_taken_up_again)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    ORDER(0, navigation_hazard, .radius = 100, .location = {1500, 5, 0}, .until_ns = ALDIS_HOUR);
    double nearest = HUGE_VAL;
    while (strcmp(stage_state(0), "flying") == 0) {
        stage_run(now_ns() + ALDIS_SECOND);
        double distance = vec_length(vec_sub(page->motion.position, (struct vec){1500, 5, 0}));
        nearest = distance < nearest ? distance : nearest;
        CHECK(now_ns() < 10 * ALDIS_MINUTE);
    }
    CHECK_STR(stage_state(0), "docking");
    CHECK(nearest > 90 && nearest < 160);
    stage_close();
}

/* ---- Crashes ---- */

/* The page outlives the actor: another one goes on with it. */
TEST(a_ship_that_crashes_goes_on_from_its_page)
{
    struct ship *page = open_with(0);
    ORDER(0, set_destination, .station = 1);
    stage_run(now_ns() + 10 * ALDIS_SECOND);
    struct vec before = page->motion.position;
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id));
    stage_run(now_ns() + ALDIS_SECOND);
    stage_balance();
    CHECK_OK(aldis_spawn(stage.system, ship, &stage.ships[0],
                         &(aldis_spawn_opts){.arg = &page, .arg_size = sizeof page}));
    stage_run(now_ns() + 20 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "flying");
    CHECK(vec_length(vec_sub(page->motion.position, before)) > 100);
    stage_close();
}
