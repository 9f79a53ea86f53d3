// SPDX-License-Identifier: Apache-2.0
/* table_test.c: every message to a ship in every state of it: handled on purpose, or refused by
 * name; and whatever was said, the ship goes on. */
#include "stage.h"

static const char open_space[] =
    "name: table\n"
    "duration: 2 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 1 h, commodities: [{name: water, price: 10, swing: 5}]}\n"
    "weather: [{name: belt, body: Sun, radius: 10 u, every: 3650 d}]\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 4, service: 1 min}\n"
    "  - {name: Far, body: Sun, radius: 1000 u, period: 100000 d, berths: 4, service: 1 min}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.00001}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 2, route: [Near, Far], departure: 30 d,\n"
    "     rest: 30 d, trades: no}\n";

/* ---- Who talks to it: notes what is refused, and keeps silent about the rest ---- */

static struct {
    uint32_t refusals;
    Refused last;
} heard;

struct peer_say {
    aldis_id to;
    aldis_type *type;
    const void *payload; /* the test's, until it has been sent */
};
ALDIS_MESSAGE(peer_say, struct peer_say);

/* clang-format off */
#define SILENT(X, kind)                                                                            \
    X(kind, trade_offer) X(kind, trade_answer) X(kind, trade_settled) X(kind, ship_status)         \
    X(kind, stand_down) X(kind, distress_answer) X(kind, formation_answer) X(kind, formation_lead) \
    X(kind, aid) X(kind, undock)
#define PEER_PROTOCOL(X, kind) X(kind, peer_say) X(kind, refused) SILENT(X, kind)
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

static aldis_err peer_on_refused(struct peer *self, const Refused *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    heard.refusals++;
    heard.last = *msg;
    return ALDIS_OK;
}

#define PEER_IS_SILENT(kind, message)                                                              \
    static aldis_err peer_on_##message(struct peer *self, const message##_payload *msg,            \
                                       aldis_ctx *ctx)                                             \
    {                                                                                              \
        (void)self;                                                                                \
        (void)msg;                                                                                 \
        (void)ctx;                                                                                 \
        return ALDIS_OK;                                                                           \
    }
SILENT(PEER_IS_SILENT, peer)

ALDIS_BEHAVIOUR(peer, struct peer, PEER_PROTOCOL);

static peer_ref peer;

static void wait_s(double seconds)
{
    stage_run(aldis_system_now(stage.system) + (aldis_ns)(seconds * 1e9));
}

static void say(aldis_type *type, const void *payload)
{
    CHECK_OK(aldis_send(stage.system, peer, peer_say, .to = stage.ships[0].id, .type = type,
                        .payload = payload));
    wait_s(0.02);
}

/* ---- Into each state ---- */

static void bring_to(enum space_ship_state state)
{
    stage_open(stage_parse(open_space), 1);
    stage_station(0);
    stage_station(1);
    CHECK_OK(aldis_spawn(stage.system, peer, &peer, NULL));
    stage_ship(0, 0);
    wait_s(1);
    NEW_MESSAGE(ProposeTrade, trade);
    trade.to = peer.id.bits;
    trade.to_account = 2;
    switch (state) {
    case SHIP_idle:
        break;
    case SHIP_flying:
        CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 1));
        wait_s(5);
        break;
    case SHIP_docking:
    case SHIP_docked:
        CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
        wait_s(state == SHIP_docking ? 1 : 12);
        break;
    case SHIP_trading: /* with one who never answers */
        CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], propose_trade, &trade));
        wait_s(1);
        break;
    case SHIP_emergency:
        CHECK_OK(aldis_send(stage.system, stage.ships[0], handle_emergency,
                            .kind = EMERGENCY_ENGINE_FAILURE));
        wait_s(1);
        break;
    }
    heard.refusals = 0;
}

/* ---- What is expected ---- */

/* In the order of the states: h handled, r refused by name. */
struct row {
    aldis_type *type;
    const char *expected;
    union {
        UpdatePosition update_position;
        FormationRequest formation_request;
        FormationLead formation_lead;
        TradeOffer trade_offer;
        TradeAnswer trade_answer;
        DistressSignal distress_signal;
        DistressAnswer distress_answer;
        DockingPermission docking_permission;
        NavigationHazard navigation_hazard;
        WeatherAlert weather_alert;
        ProcessTradeOffer process_trade_offer;
        ProposeTrade propose_trade;
        Refused refused;
        uint32_t word; /* a station, a kind, nothing */
    } payload;
};

/* clang-format off */
static struct row rows[] = {
    /*                          idle, flying, docking, docked, trading, emergency */
    {&update_position_type,      "hhhhhh", {.update_position = {.dt = 3}}},
    {&set_destination_type,      "hhhhhr", {.word = 1}},
    {&initiate_docking_type,     "hhhrrr", {.word = 0}},
    {&process_trade_offer_type,  "rrrhrr", {.process_trade_offer =
                                               {.items_count = 1, .items = {{0, 200, 1000}}}}},
    {&handle_emergency_type,     "hhhhhr", {.word = EMERGENCY_HULL_BREACH}},
    {&propose_trade_type,        "hrrhrr", {.propose_trade = {.to_account = 2}}},
    {&pause_type,                "hhhhhh", {.word = 0}},
    {&resume_type,               "hhhhhh", {.word = 0}},
    {&get_status_type,           "hhhhhh", {.word = 0}},
    {&formation_request_type,    "hhhhhh", {.formation_request = {.place_in_line = 1}}},
    {&formation_answer_type,     "hhhhhh", {.word = 0}},
    {&formation_lead_type,       "hhhhhh", {.formation_lead = {.station = 1}}},
    {&trade_offer_type,          "hhhhhh", {.trade_offer = {.number = 1, .account = 2}}},
    {&trade_answer_type,         "hhhhhh", {.trade_answer = {.number = 77}}},
    {&trade_settled_type,        "hhhhhh", {.word = 0}},
    {&distress_signal_type,      "hhhhhh", {.distress_signal = {.location = {50, 0, 0}}}},
    {&distress_answer_type,      "hhhhhh", {.distress_answer = {.arrival_ns = ALDIS_HOUR}}},
    {&stand_down_type,           "hhhhhh", {.word = 0}},
    {&aid_type,                  "hhhhhh", {.word = AID_REPAIR}},
    {&docking_permission_type,   "hhhhhh", {.docking_permission = {.verdict = DOCKING_GRANTED}}},
    {&service_done_type,         "hhhhhh", {.word = 0}},
    {&service_availability_type, "hhhhhh", {.word = 0}},
    {&market_prices_type,        "hhhhhh", {.word = 0}},
    {&market_update_type,        "hhhhhh", {.word = 0}},
    {&navigation_hazard_type,    "hhhhhh", {.navigation_hazard = {.radius = 30,
                                               .location = {40, 0, 0}, .until_ns = ALDIS_MINUTE}}},
    {&weather_alert_type,        "hhhhhh", {.weather_alert = {.level = WEATHER_HIGH,
                                               .radius = 10, .until_ns = ALDIS_MINUTE}}},
    {&refused_type,              "hhhhhh", {.refused = {.reason = REFUSAL_STATE}}},
    {&shutdown_type,             "hhhhhh", {.word = 0}},
};
/* clang-format on */

#define ROWS (sizeof rows / sizeof rows[0])

static const char *const state_names[] = {"idle",   "flying",  "docking",
                                          "docked", "trading", "emergency"};

/* Of all that a ship accepts only its own timer is not here, and what the runtime alone sends. */
TEST(every_message_of_the_protocol_is_in_the_table)
{
#define COUNT_ONE(kind, message) +1
    CHECK_UINT(ROWS, 0 SHIP_PROTOCOL(COUNT_ONE, ship) - 3);
}

TEST(every_message_in_every_state_is_handled_or_refused_by_name)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (uint32_t state = 0; state < SPACE_SHIP_STATE_COUNT; state++) {
            bring_to((enum space_ship_state)state);
            CHECK_STR(stage_state(0), state_names[state]);
            uint64_t failed = stage_type(rows[i].type->name).failed;
            say(rows[i].type, &rows[i].payload);
            failed = stage_type(rows[i].type->name).failed - failed;
            bool refused = rows[i].expected[state] == 'r';
            if (failed != refused)
                printf("# %s while %s\n", rows[i].type->name, state_names[state]);
            CHECK_UINT(failed, refused);
            CHECK_UINT(heard.refusals, refused);
            if (refused) {
                CHECK_STR(heard.last.message, rows[i].type->name);
                CHECK_STR(heard.last.state, state_names[state]);
                CHECK_INT(heard.last.reason, REFUSAL_STATE);
            }
            stage_close();
        }
    }
}

/* Whatever it was told, an order gets it to where it is to go, an hour later. */
TEST(no_message_in_any_state_leaves_a_ship_stuck)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].type == &shutdown_type)
            continue;
        for (uint32_t state = 0; state < SPACE_SHIP_STATE_COUNT; state++) {
            bring_to((enum space_ship_state)state);
            say(rows[i].type, &rows[i].payload);
            wait_s(1200);
            say(&resume_type, &rows[i].payload);
            const SetDestination there = {.station = 1};
            say(&set_destination_type, &there);
            wait_s(1800);
            if (strcmp(stage_state(0), "idle") != 0 || stage_page(0)->station != 1)
                printf("# %s while %s: %s\n", rows[i].type->name, state_names[state],
                       stage_state(0));
            CHECK_STR(stage_state(0), "idle");
            CHECK_UINT(stage_page(0)->station, 1);
            stage_close();
        }
    }
}
