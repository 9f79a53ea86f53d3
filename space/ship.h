// SPDX-License-Identifier: Apache-2.0
/* ship.h: a ship, for the files that make it up. Layer: space.
 *
 *   ship.c            its states, its table, its life
 *   ship_fly.c        moving, steering, fuel
 *   ship_hazard.c     what is in its way
 *   ship_dock.c       the way to a berth and out of it
 *   ship_trade.c      buying and selling
 *   ship_distress.c   emergencies, its own and others'
 *   ship_formation.c  flying together
 *   ship_signal.c     how long its messages take
 *   ship_mind.c       what it decides to do without a mind; with one: mind_leaves.h
 *
 * A ship has one timer: the next look at its position while it is under way, or the end of its
 * patience while it is at rest. Its page says when that is due, and the message is a bare wake-up:
 * one that comes before then is of an older timer, and void; any that comes then or later will do,
 * and does once. */
#ifndef SPACE_SHIP_H
#define SPACE_SHIP_H

#include "books.h"
#include "motion.h"

#include <string.h>

#define SHIP_HAZARDS_MAX 4
#define SHIP_NO_STATION UINT32_MAX
/* A ship that waits asks again this often, should an answer not have reached it. */
#define ASK_AGAIN_NS (5 * ALDIS_MINUTE)
#define TRADE_AGAIN_NS (5 * ALDIS_SECOND)
#define TRADE_VALID_NS (30 * ALDIS_SECOND)
#define CALL_AGAIN_NS (60 * ALDIS_SECOND)
/* After so many markets in a row without a sale a ship asks a sixteenth less than it did. */
#define SHIP_UNSOLD_MAX 24

/** Within a state. */
enum ship_phase {
    PHASE_NONE,
    PHASE_HELD,     /**< docking: waits for the credit to ask */
    PHASE_QUEUED,   /**< docking: waits for its turn */
    PHASE_APPROACH, /**< docking: on the way to its berth */
    PHASE_PRICES,   /**< trading: has asked for the prices */
    PHASE_SELL,
    PHASE_FUEL,
    PHASE_REPAIR,
    PHASE_ASHORE, /**< trading: its crew spends its share */
    PHASE_BUY,
    PHASE_PEER, /**< trading: with another ship */
};

/** Why it flies. */
enum ship_mission { MISSION_OWN, MISSION_RESCUE, MISSION_FOLLOW };

enum ship_flag {
    SHIP_PAUSED = 1u << 0,
    SHIP_DAMAGED = 1u << 1, /**< wants a repair at the next berth */
    SHIP_DETOUR = 1u << 2,  /**< steers round a hazard */
    SHIP_LEADS = 1u << 3,   /**< has had followers */
    SHIP_STARTED = 1u << 4, /**< has lived before: what starts is a restart */
    SHIP_JOINING = 1u << 5, /**< idle: has asked its leader for a place */
    SHIP_VISITS = 1u << 6,  /**< goes to look at a station, and not into a berth */
    SHIP_CALLED = 1u << 7,  /**< with a mind: has heard a call that it has not answered */
};

/** What a hazard is known by. */
struct ship_hazard {
    struct vec location, velocity; /**< at at_ns */
    double radius;
    aldis_ns at_ns, until_ns;
    uint64_t key; /**< of who told, and of its number there */
};

/** What it means to buy, at most at these prices. */
struct ship_plan {
    uint32_t count;
    OfferItem items[]; /**< MANIFEST_ITEMS_MAX at most; the last one first */
};

/** An order to trade that it has taken on, and what has come of it so far. */
struct ship_errand {
    aldis_id giver; /**< nobody: it came from outside, and cannot be told */
    TradeAnswer outcome;
};

/** What few ships need. */
struct ship_rare {
    struct {
        struct vec centre;
        double radius, speed; /**< speed: part of its own that it makes there */
        aldis_ns until_ns;
        WeatherLevel level;
        uint32_t region;
    } weather;
    struct {
        EmergencyKind kind;
        aldis_ns since_ns, helper_due_ns;
        aldis_id helper; /**< who comes; nobody: none */
    } emergency;
    struct {
        aldis_id caller;
        uint32_t account;
        struct vec place;
        EmergencyKind kind;
        aldis_ns heard_ns;
    } rescue;
    struct {
        aldis_id leader;    /**< nobody: it has none */
        FormationLead lead; /**< as last heard */
        struct vec offset;
        aldis_id followers[SCENARIO_FORMATION_MAX]; /**< by place in line - 1 */
    } formation;
};

/** What only some ships need, and those not always: each part is made when it is, as large as it
 *  is. */
struct ship_extra {
    struct ship_hazard *hazards; /**< known ones; those of the past are free places */
    struct ship_plan *plan;      /**< NULL: none */
    struct ship_rare *rare;      /**< NULL: all zero */
    struct ship_errand *errand;  /**< NULL: none; its plan is what is to be bought */
    uint32_t hazard_count;       /**< of `hazards`: SHIP_HAZARDS_MAX at most */
};

/** What the ships of a fleet share: the page of each points to it, as the shape of its account.
 *  Constant while they live. */
struct ship_kin {
    struct account_shape shape; /**< first */
    const struct chart *chart;
    const struct scenario_fleet *fleet;
    const struct scenario_class *class;
    const char *ships;      /**< the pages of all fleets */
    size_t ship_bytes;      /**< of one of them */
    uint32_t first_account; /**< the number of the first ship's account */
    uint32_t number;        /**< of the fleet */
};

/** A ship's page. Behind it are its goods, and prices: ship_prices(). */
struct ship {
    struct account account;
    struct motion motion;
    union {
        struct vec aim; /**< under way, or in an emergency: where it means to come to rest */
        struct {
            aldis_ns asked_ns; /**< for its berth */
            union {
                aldis_ns estimate_ns; /**< docking, without a berth: what the station has said */
                aldis_ns until_ns;    /**< docking: in its berth; docked: its patience ends */
            };
            uint32_t berth;
            uint8_t goods;        /**< trading: the next commodity to sell */
            uint8_t resume_state; /**< trading with a ship: what it did before */
        } visit;                  /**< docking, docked, trading */
    };
    aldis_ns moved_ns;        /**< the time of motion */
    aldis_ns due_ns;          /**< of its timer; ALDIS_FOREVER: it is not armed */
    struct ship_extra *extra; /**< NULL: it needs none */
    uint32_t fail_s;          /**< when an emergency comes, in whole seconds; 0: never */
    uint16_t station;         /**< where it is, or goes */
    uint16_t order;           /**< a station to go to next, + 1; 0: none */
    uint16_t known_station;   /**< whose prices it remembers, + 1; 0: none */
    uint8_t flags;
    uint8_t leg; /**< of the fleet's route */
    unsigned state : 3, phase : 4, mission : 2;
    unsigned place_in_line : 3; /**< in its formation; 0: it leads, or there is none */
    unsigned ill : 1;           /**< its crew wants quarters at the next berth */
    unsigned untold : 2;        /**< looks since the sky was told where it is: see nearby.h */
    unsigned unsold : 5;        /**< markets in a row that it has left with goods, none sold */
};
_Static_assert(sizeof(struct ship) == 160, "bytes per ship");
_Static_assert(SCENARIO_STATIONS_MAX < UINT16_MAX && SCENARIO_FLEETS_MAX <= UINT16_MAX, "ids");
_Static_assert(SPACE_SHIP_STATE_COUNT <= 8 && PHASE_PEER < 16 && MISSION_FOLLOW < 4, "bits");
_Static_assert(SCENARIO_FORMATION_MAX <= 8 && NEARBY_LOOKS <= 4 && SHIP_UNSOLD_MAX < 32, "bits");

static inline const struct ship_kin *ship_kin(const struct ship *self)
{
    return (const struct ship_kin *)(const void *)self->account.shape;
}
static inline const struct chart *ship_chart(const struct ship *self)
{
    return ship_kin(self)->chart;
}
static inline const struct scenario_fleet *ship_fleet(const struct ship *self)
{
    return ship_kin(self)->fleet;
}
static inline const struct scenario_class *ship_class(const struct ship *self)
{
    return ship_kin(self)->class;
}
/** Which of all ships it is: from 0, in the order of the fleets. */
static inline uint32_t ship_number(const struct ship *self)
{
    size_t before = (size_t)((uintptr_t)self - (uintptr_t)ship_kin(self)->ships);
    return (uint32_t)(before / ship_kin(self)->ship_bytes);
}
/** The number of its account in the books. */
static inline uint32_t ship_account(const struct ship *self)
{
    return ship_kin(self)->first_account + ship_number(self);
}
/** Cents a tonne. Of goods that it has (ship_has): what they have cost on average, rounded up. Of
 *  all others: what the station known_station pays, as last heard; 0: it does not know. */
static inline uint32_t *ship_prices(const struct ship *self)
{
    return account_goods(&self->account) + self->account.shape->kinds;
}
/** Does it have goods of that kind, held for a trade or not? */
static inline bool ship_has(const struct ship *self, uint32_t good)
{
    const struct pending *pending = account_pending(&self->account);
    return account_goods(&self->account)[good] > 0 || (pending && pending->held.goods[good] > 0);
}
/** Of a page, with the goods and the prices. */
static inline size_t ship_page_bytes(uint32_t kinds)
{
    return sizeof(struct ship) + kinds * 2 * sizeof(uint32_t);
}

/** The actor: the page is what it is. */
struct ship_actor {
    struct ship *ship;
};

/* ---- ship.c ---- */

station_ref ship_station(const struct ship *self);
const char *ship_state_word(const struct ship *self);
bool ship_fits(const struct ship *self, uint32_t station);
/** The extra part; made when it is not there. NULL: no memory. */
struct ship_extra *ship_extra(struct ship *self);
/** The rare part of the extra one; made when it is not there. NULL: no memory. */
struct ship_rare *ship_rare(struct ship *self);
/** Plan to buy so many items; those of a plan that there was are void. NULL: no memory, no plan. */
struct ship_plan *ship_plan(struct ship *self, uint32_t count);
/** Free the extra part, whatever is in it. */
void ship_free_extra(struct ship *self);
/** Give the extra part back if nothing in it matters any more. */
void ship_drop_extra(struct ship *self, aldis_ns now_ns);
/** Arm the timer; an earlier one is void. */
aldis_err ship_arm(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns);
/** Go over to a state. Its timer is void, and so is what it has asked of its leader. */
void ship_enter(struct ship *self, aldis_ctx *ctx, enum space_ship_state state);
/** Idle for up to the fleet's rest at random, and no less than a hundredth of it: ships that were
 *  refused together do not come back together. */
aldis_err ship_rest(struct ship *self, aldis_ctx *ctx);
/** Where it is to go next. */
static inline void ship_set_goal(struct ship *self, uint32_t station)
{
    self->order = (uint16_t)(station + 1);
}
/** Refuse a message by name, whoever sent it. */
aldis_err ship_refuse(struct ship *self, aldis_ctx *ctx, const aldis_type *type, Refusal reason);

/* ---- ship_fly.c ---- */

struct thrust ship_thrust(const struct ship *self, aldis_ns now_ns);
struct vec ship_station_position(const struct ship *self, aldis_ns now_ns);
/** In weather in which nobody departs. */
bool ship_is_grounded(const struct ship *self, aldis_ns now_ns);
/** Carry the motion on to now; burns fuel. */
void ship_move(struct ship *self, aldis_ns now_ns);
/** Aim at where the station will be, or at what it is out for; round hazards. Arms the timer. */
aldis_err ship_steer(struct ship *self, aldis_ctx *ctx);
aldis_err ship_fly_to(struct ship *self, aldis_ctx *ctx, uint32_t station);
/** Leave for where it wants to go, from the station's place or from where it is. */
aldis_err ship_depart(struct ship *self, aldis_ctx *ctx);
/** Turn to a station while it is under way. */
aldis_err ship_turn_to(struct ship *self, aldis_ctx *ctx, uint32_t station);
/** u that it can fly with what is in its tank. */
double ship_reach(const struct ship *self);
/** u that it needs to come to rest after one more tick: with no more than that it calls for help.
 * */
double ship_reserve(const struct ship *self, aldis_ns now_ns);
/** Brake at once: aim at where it comes to rest. */
void ship_brake(struct ship *self, aldis_ns now_ns);
/** A ship that is berthed, or rests where it was, goes round with its station and casts off at
 *  rest, so it is now where that is. One that was left adrift elsewhere starts from there. */
void ship_cast_off(struct ship *self, aldis_ns now_ns);
/** It is where it is, and the place service knows. */
void ship_tell_place(struct ship *self, aldis_ctx *ctx);

/** Tell traffic control, if there is one, its course from its last look on, or that it is not under
 *  way any more. */
void ship_tell_course(const struct ship *self, aldis_ctx *ctx, bool ends);

/** Is it where its station is? Then it goes round with it. */
bool ship_is_at_station(const struct ship *self);

/* ---- ship_hazard.c ---- */

/** Let the hazards that it is in drive it off its course, each while it lives. It has an extra
 *  part. */
void ship_drift(struct ship *self, aldis_ns from_ns, aldis_ns to_ns);
/** Can a hazard that it knows of drive it in this time? It has an extra part. */
bool ship_may_drift(const struct ship *self, aldis_ns from_ns, aldis_ns to_ns);
/** When it has to look again for what it knows of: after most_ns at most. It has an extra part. */
aldis_ns ship_watch_ns(const struct ship *self, aldis_ns now_ns, aldis_ns most_ns);
/** u/s at which hazards drive it from a place. It has an extra part. */
struct vec ship_push_at(const struct ship *self, struct vec place, aldis_ns now_ns);
/** Turn its aim: round the nearest hazard in the way, and against the push at the goal. */
void ship_avoid(struct ship *self, aldis_ns now_ns, const struct thrust *thrust);

/* ---- ship_signal.c ---- */

/** Where it is now, without moving it. */
struct vec ship_place(const struct ship *self, aldis_ns now_ns);
/** The delay of a message that it sends now: see signals_delay. */
aldis_ns ship_signal_ns(const struct ship *self, aldis_ctx *ctx, aldis_id to);
/** As aldis_reply_raw, in the time that a signal takes. */
aldis_err ship_reply(const struct ship *self, aldis_ctx *ctx, aldis_type *type, const void *payload,
                     size_t size);
/** Send a copy of what p points to, in the time that a signal takes. */
#define SHIP_SAY(self, ctx, to, name, p)                                                           \
    aldis_send_with((ctx), (to), name, (p),                                                        \
                    &(aldis_send_opts){.delay_ns = ship_signal_ns((self), (ctx), (to).id)})

/* ---- ship_dock.c ---- */

aldis_err ship_ask_for_berth(struct ship *self, aldis_ctx *ctx);
/** Where credit is needed: it has no more business at its station. */
void ship_close_credit(const struct ship *self, aldis_ctx *ctx);
/** Give up what it has or hopes for at its station. */
void ship_give_up(struct ship *self, aldis_ctx *ctx);
/** Docking: go on with it after a crash. */
aldis_err ship_dock_on(struct ship *self, aldis_ctx *ctx);

/* ---- ship_trade.c ---- */

/** Served, in the berth: sell, refuel, be repaired, buy. */
aldis_err ship_begin_business(struct ship *self, aldis_ctx *ctx);
/** The order to trade that it has taken on is over: tell whoever gave it what came of it. */
void ship_end_errand(struct ship *self, aldis_ctx *ctx);
/** Ask again what is not answered. Called whenever a ship's timer is due. */
void ship_press_trade(struct ship *self, aldis_ctx *ctx);
/** Offer fuel to a ship in distress, for nothing. */
void ship_give_fuel(struct ship *self, aldis_ctx *ctx, aldis_id to, int64_t nano);

/* ---- ship_distress.c ---- */

/** Be in an emergency: brake, call for help, warn others. */
aldis_err ship_alarm(struct ship *self, aldis_ctx *ctx, EmergencyKind kind);
/** The next emergency comes at a time drawn now, to the second. */
void ship_draw_failure(struct ship *self, aldis_ctx *ctx);
/** Go to the caller of extra->rescue, and tell it. */
aldis_err ship_answer_call(struct ship *self, aldis_ctx *ctx);
/** On a rescue mission: tell the caller that it will not come. */
void ship_break_off_rescue(const struct ship *self, aldis_ctx *ctx);
/** At rest on a rescue mission. */
aldis_err ship_reach_caller(struct ship *self, aldis_ctx *ctx);
/** The emergency is over if what it needed has come. */
aldis_err ship_recover(struct ship *self, aldis_ctx *ctx);

/* ---- ship_formation.c ---- */

/** Of its formation; nobody: none. */
aldis_id ship_leader(const struct ship *self);
/** Ask its leader for a place; false: it has none, or has asked. */
bool ship_join(struct ship *self, aldis_ctx *ctx);
/** A leader tells its followers where it is; ends: they are to go on by themselves. */
void ship_lead(struct ship *self, aldis_ctx *ctx, bool ends);
/** Move a follower on for some seconds. */
void ship_follow(struct ship *self, double seconds, const struct thrust *thrust, double *out_way);

/* ---- ship_mind.c ---- */

/** The next station to go to. */
uint32_t ship_choose_station(struct ship *self, aldis_ctx *ctx);
/** What to buy here for the station it goes to next: into the plan of its extra part. */
void ship_choose_goods(struct ship *self, const MarketPrices *prices, aldis_ns now_ns);
/** Cents that it expects to earn by going to a station next, of what it has and of what it can buy
 *  where it is, less the fuel. */
double ship_gain_at(const struct ship *self, uint32_t station, aldis_ns now_ns);
/** Tonnes of a commodity that it could sell at a station, the last of them for what it has cost. */
uint64_t ship_sellable(const struct ship *self, uint32_t station, uint32_t good, aldis_ns now_ns);
/** At any price: its purse does not last for fuel and repair. */
bool ship_must_sell(const struct ship *self);
/** Remember what its station pays. */
void ship_remember(struct ship *self, const MarketPrices *prices);
/** Tonnes of a commodity have come into its hold, for so many cents in all. */
void ship_note_bought(struct ship *self, uint32_t good, uint64_t tonnes, uint64_t cents);
/** Goods have left its hold. What those had cost that it has no more of is forgotten. */
void ship_note_given(struct ship *self);

/* ---- Actions: what a message does in a state (SHIP_TABLE in ship.c) ---- */

#define SHIP_ACTION(name, message)                                                                 \
    aldis_err name(struct ship *self, const message##_payload *msg, aldis_ctx *ctx)

/** An action that is to do nothing; the comment before it says why. */
#define SHIP_PASS(name, message)                                                                   \
    SHIP_ACTION(name, message)                                                                     \
    {                                                                                              \
        (void)self;                                                                                \
        (void)msg;                                                                                 \
        (void)ctx;                                                                                 \
        return ALDIS_OK;                                                                           \
    }

SHIP_ACTION(step_still, update_position);
SHIP_ACTION(step_on, update_position);
SHIP_ACTION(order_idle, set_destination);
SHIP_ACTION(order_flying, set_destination);
SHIP_ACTION(order_docking, set_destination);
SHIP_ACTION(order_docked, set_destination);
SHIP_ACTION(order_refuse, set_destination);
SHIP_ACTION(dock_idle, initiate_docking);
SHIP_ACTION(dock_flying, initiate_docking);
SHIP_ACTION(dock_docking, initiate_docking);
SHIP_ACTION(dock_refuse, initiate_docking);
SHIP_ACTION(offer_here, process_trade_offer);
SHIP_ACTION(offer_refuse, process_trade_offer);
SHIP_ACTION(alarm_sound, handle_emergency);
SHIP_ACTION(alarm_moored, handle_emergency);
SHIP_ACTION(alarm_refuse, handle_emergency);
SHIP_ACTION(propose_now, propose_trade);
SHIP_ACTION(propose_deny, propose_trade);
SHIP_ACTION(follower_hear, formation_request);
SHIP_ACTION(follower_deny, formation_request);
SHIP_ACTION(slot_take, formation_answer);
SHIP_ACTION(slot_late, formation_answer);
SHIP_ACTION(lead_start, formation_lead);
SHIP_ACTION(lead_on, formation_lead);
SHIP_ACTION(lead_late, formation_lead);
SHIP_ACTION(peer_consider, trade_offer);
SHIP_ACTION(peer_refuse, trade_offer);
SHIP_ACTION(trade_hear, trade_answer);
SHIP_ACTION(trade_close, trade_settled);
SHIP_ACTION(distress_go, distress_signal);
SHIP_ACTION(distress_pass, distress_signal);
SHIP_ACTION(help_accept, distress_answer);
SHIP_ACTION(help_decline, distress_answer);
SHIP_ACTION(rescue_end, stand_down);
SHIP_ACTION(rescue_late, stand_down);
SHIP_ACTION(aid_take, aid);
SHIP_ACTION(aid_late, aid);
SHIP_ACTION(permit_drop, docking_permission);
SHIP_ACTION(permit_hear, docking_permission);
SHIP_ACTION(permit_expiry, docking_permission);
SHIP_ACTION(served_here, service_done);
SHIP_ACTION(served_late, service_done);
SHIP_ACTION(services_here, service_availability);
SHIP_ACTION(services_late, service_availability);
SHIP_ACTION(delivery_hear, aldis_delivered);
SHIP_ACTION(credit_hear, aldis_credit_notice);
SHIP_ACTION(note_update, market_update);
SHIP_ACTION(prices_plan, market_prices);
SHIP_ACTION(prices_late, market_prices);
SHIP_ACTION(due_docking, ship_due);
SHIP_ACTION(due_docked, ship_due);
SHIP_ACTION(due_flying, ship_due);
SHIP_ACTION(due_trading, ship_due);
SHIP_ACTION(due_emergency, ship_due);
SHIP_ACTION(hazard_note, navigation_hazard);
SHIP_ACTION(weather_note, weather_alert);

#endif
