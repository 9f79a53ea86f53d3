// SPDX-License-Identifier: Apache-2.0
/* help_test.c: who answers a call, who does not, and what comes of it. Real ships call each other;
 * the test looks at their pages. */
#include "stage.h"

/* Ships rest at Near for days unless they are told something. */
static const char open_space[] =
    "name: help\n"
    "duration: 10 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 1 h, commodities: [{name: water, price: 10, swing: 5}]}\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 1, service: 10 min}\n"
    "  - {name: Far, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0001}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 8, route: [Near, Far], departure: 30 d,\n"
    "     rest: 30 d}\n";

static struct ship *page_of(uint32_t number)
{
    return stage_page(number);
}

/* So many ships, all at Near but the first, which is 100 u off. */
static void open_with(uint32_t ships)
{
    stage_open(stage_parse(open_space), 1);
    stage_station(0);
    stage_station(1);
    for (uint32_t i = 0; i < ships; i++)
        stage_ship(i, 0);
    stage_wait(1);
    page_of(0)->motion.position = (struct vec){100, 0, 0};
}

static void call(EmergencyKind kind)
{
    STAGE_ORDER(0, handle_emergency, .kind = kind);
}

/* ---- Who comes ---- */

/* A sound ship comes; one that is paused, damaged or has an ill crew has enough to do with itself,
 * one with a trade open may not leave, and one needs fuel for the way there and back. */
TEST(only_those_come_who_can)
{
    static const struct {
        uint8_t flags;
        bool ill, trades, dry, comes;
    } cases[] = {{.comes = true}, {.flags = SHIP_PAUSED}, {.flags = SHIP_DAMAGED},
                 {.ill = true},   {.trades = true},       {.dry = true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_with(2);
        struct ship *page = page_of(1);
        page->flags |= cases[i].flags;
        page->ill = cases[i].ill;
        const struct terms nothing = {.credits = 1};
        if (cases[i].trades)
            CHECK_INT(account_hold(&page->account, &nothing, stage.ships[0].id, 3, ALDIS_HOUR),
                      ACCOUNT_DONE);
        if (cases[i].dry) /* for 299 u: there is at 100 */
            account_burn(&page->account, page->account.fuel - FUEL_NANO / 10000 * 299);
        call(EMERGENCY_ENGINE_FAILURE);
        stage_wait(0.1);
        CHECK_STR(stage_state(1), cases[i].comes ? "flying" : "idle");
        CHECK_UINT(stage_type("distress_answer").handled, cases[i].comes);
        stage_close();
    }
}

/* ---- What is called ---- */

struct listener {
    uint32_t unused;
};

static DistressSignal heard;

#define LISTENER_PROTOCOL(X, kind) X(kind, distress_signal) X(kind, stand_down)
ALDIS_PROTOCOL(listener, LISTENER_PROTOCOL);

static aldis_err listener_on_distress_signal(struct listener *self, const DistressSignal *msg,
                                             aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    heard = *msg;
    return ALDIS_OK;
}

static aldis_err listener_on_stand_down(struct listener *self, const StandDown *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(listener, struct listener, LISTENER_PROTOCOL, .on_start = NULL);

/* In place of the rescue service, which hears every call. */
static void listen_to_calls(void)
{
    listener_ref listener;
    CHECK_OK(aldis_spawn(stage.system, listener, &listener, NULL));
    stage.chart.rescue.id = listener.id;
    stage_wait(0.1);
}

TEST(a_call_says_what_it_is_how_bad_and_where)
{
    static const uint32_t severities[] = {5, 9, 6, 8, 3};
    for (EmergencyKind kind = EMERGENCY_ENGINE_FAILURE; kind <= EMERGENCY_OUT_OF_FUEL; kind++) {
        open_with(1);
        listen_to_calls();
        call(kind);
        CHECK_INT(heard.kind, kind);
        CHECK_UINT(heard.severity, severities[kind]);
        CHECK(heard.location.x == 100 && heard.location.y == 0);
        CHECK_UINT(heard.account, ship_account(page_of(0)));
        stage_close();
    }
}

/* Every minute until somebody has answered. */
TEST(who_is_not_answered_calls_again)
{
    open_with(1);
    listen_to_calls();
    call(EMERGENCY_ENGINE_FAILURE);
    stage_wait(5 * 60);
    CHECK_UINT(stage_type("distress_signal").handled, 6);
    stage_close();
}

/* ---- Help that does not come ---- */

TEST(a_helper_that_is_long_overdue_is_given_up)
{
    open_with(2);
    call(EMERGENCY_ENGINE_FAILURE);
    stage_wait(1);
    CHECK_STR(stage_state(1), "flying");
    CHECK_OK(aldis_kill(stage.system, stage.ships[1].id));
    stage_ship(2, 0);
    page_of(2)->motion.position = (struct vec){50, 0, 0};
    stage_wait(55);
    CHECK_STR(stage_state(2), "idle"); /* it still counts on the other */
    stage_wait(80);
    CHECK_UINT(stage_type("aid").handled, 1);
    CHECK_STR(stage_state(0), "flying");
    stage_close();
}

/* Ordered elsewhere on its way, it says so, and the caller calls anew at its next turn. */
TEST(a_helper_that_is_ordered_elsewhere_says_so)
{
    open_with(2);
    call(EMERGENCY_ENGINE_FAILURE);
    stage_wait(1);
    CHECK(!aldis_id_is_nobody(page_of(0)->extra->rare->emergency.helper));
    STAGE_ORDER(1, set_destination, .station = 1);
    CHECK_INT(page_of(1)->mission, MISSION_OWN);
    CHECK(aldis_id_is_nobody(page_of(0)->extra->rare->emergency.helper));
    stage_close();
}

/* The berth that it was to have is given to the next at once. */
TEST(an_emergency_on_the_way_to_a_berth_gives_it_up)
{
    open_with(3);
    STAGE_ORDER(1, initiate_docking, .station = 0);
    STAGE_ORDER(2, initiate_docking, .station = 0);
    CHECK_UINT(stage.books.stations[0].queue, 1);
    STAGE_ORDER(1, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
    stage_wait(1);
    CHECK_UINT(stage.books.stations[0].queue, 0);
    CHECK_INT(page_of(2)->phase, PHASE_APPROACH);
    stage_close();
}

/* ---- Fuel ---- */

/* A quarter of what the helper has, and no more than fits into the tank: the rest stays with it. */
TEST(a_helper_gives_a_quarter_of_its_fuel_as_far_as_there_is_room)
{
    static const int64_t burnt_parts[] = {1000, 100}; /* of the caller's tank, in thousandths */
    for (size_t i = 0; i < sizeof burnt_parts / sizeof burnt_parts[0]; i++) {
        open_with(2);
        struct ship *caller = page_of(0), *helper = page_of(1);
        account_burn(&caller->account, caller->account.shape->tank / 1000 * burnt_parts[i]);
        int64_t before = caller->account.fuel;
        call(EMERGENCY_OUT_OF_FUEL);
        stage_wait(25);
        CHECK_UINT(stage_type("trade_answer").handled, 1);
        int64_t there = helper->account.shape->tank - helper->account.burnt; /* when it was there */
        int64_t quarter = there / 4, room = caller->account.shape->tank - before;
        int64_t given = there - helper->account.fuel;
        CHECK_INT(given, quarter < room ? quarter : room);
        CHECK(strcmp(stage_state(0), "emergency") != 0);
        stage_close();
    }
}

/* Who is in an emergency has no mind for business. */
TEST(in_an_emergency_nothing_is_taken_but_gifts)
{
    open_with(2);
    struct ship *seller = page_of(1);
    account_goods(&seller->account)[0] = seller->account.used = 100;
    stage.books.start = books_totals(&stage.books);
    page_of(1)->flags |= SHIP_PAUSED; /* it does not come */
    call(EMERGENCY_ENGINE_FAILURE);
    NEW_MESSAGE(ProposeTrade, trade);
    trade.to = stage.ships[0].id.bits;
    trade.to_account = ship_account(page_of(0));
    trade.offering_count = 1;
    trade.offering[0] = (OfferItem){.commodity = 0, .tonnes = 100, .unit_value = 1000};
    CHECK_OK(aldis_send_copy(stage.system, stage.ships[1], propose_trade, &trade));
    stage_wait(1);
    CHECK_UINT(stage_type("trade_answer").handled, 1);
    CHECK_UINT(account_goods(&page_of(0)->account)[0], 0);
    CHECK_UINT(account_goods(&seller->account)[0], 100);
    stage_close();
}
