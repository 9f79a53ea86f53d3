// SPDX-License-Identifier: Apache-2.0
/* protocol.h: what the actors of the space simulation say to each other. Layer: space.
 *
 * One trip of a ship:
 *
 *     ship     -> station  request_docking     who it is and what it carries
 *     station  -> ship     docking_permission  a berth; or a place in the queue and, later, a berth
 *     ship     -> station  docked              it is in the berth
 *     station  -> ship     service_done
 *     ship     -> station  market_order        sells what it has brought, buys fuel and goods
 *     station  -> ship     trade_answer
 *     ship     -> station  trade_settled
 *     ship     -> station  undock              at any time: gives up berth, permission or place
 *
 * Docking goes by reliable messages, each of which names the ship's visit; see ship_dock.c.
 *
 * An emergency:
 *
 *     ship     -> near it, rescue   distress_signal
 *     another  -> ship              distress_answer   it will come
 *     ship     -> another           stand_down        not needed, or over
 *     another  -> ship              aid, trade_offer  it has come: help, and fuel as a gift
 *
 * The messages are those of proto/space.proto: typed, encodable, and checked against the rules
 * below before a handler sees them. Messages named _due are an actor's own timers and never leave
 * it. */
#ifndef SPACE_PROTOCOL_H
#define SPACE_PROTOCOL_H

#include "maths.h"
#include "proto/space.pb.h"
#include "scenario.h"
#include "space.h"

#include <aldis/actor.h>
#include <aldis/credit.h>
#include <aldis/delivery.h>
#include <aldis/wire.h>

#define MANIFEST_ITEMS_MAX 16
#define RESOURCE_FUEL 16u
#define RESOURCE_REPAIR 17u
#define RESOURCE_ASHORE 18u /**< what the crew spends there; in orders only */

_Static_assert(SCENARIO_COMMODITIES_MAX == 16, "the schema's counts");

/* Times of the system's clock, with room for what is added to them; places and velocities that the
 * place service takes, so that no difference of two is infinite. */
#define TIME_NS_MAX 9.2e18
#define PLACE_MAX 1e15
#define CENTS_MAX 1e16

/* clang-format off */
ALDIS_WIRE_STRUCT_RULES(Vec3, ALDIS_WIRE_RANGE(Vec3, x, -PLACE_MAX, PLACE_MAX),
                        ALDIS_WIRE_RANGE(Vec3, y, -PLACE_MAX, PLACE_MAX),
                        ALDIS_WIRE_RANGE(Vec3, z, -PLACE_MAX, PLACE_MAX));
ALDIS_WIRE_STRUCT(OfferItem);
ALDIS_WIRE_STRUCT_RULES(RequestItem, ALDIS_WIRE_RANGE(RequestItem, resource, 0, RESOURCE_FUEL));
ALDIS_WIRE_STRUCT_RULES(ShipSpecs, ALDIS_WIRE_RANGE(ShipSpecs, length, 1e-3, 1e6),
                        ALDIS_WIRE_RANGE(ShipSpecs, mass, 1e-3, 1e12));
ALDIS_WIRE_STRUCT_RULES(Price, ALDIS_WIRE_RANGE(Price, resource, 0, RESOURCE_REPAIR));
ALDIS_WIRE_STRUCT_RULES(PriceChange, ALDIS_WIRE_RANGE(PriceChange, resource, 0, RESOURCE_REPAIR));

ALDIS_WIRE_STRUCT_RULES(FormationRequest, ALDIS_WIRE_RANGE(FormationRequest, place_in_line, 1, 8));
ALDIS_WIRE_STRUCT(FormationAnswer);
ALDIS_WIRE_STRUCT_RULES(FormationLead, ALDIS_WIRE_RANGE(FormationLead, at_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(TradeOffer, ALDIS_WIRE_RANGE(TradeOffer, gift, 0, 1),
                        ALDIS_WIRE_RANGE(TradeOffer, valid_until_ns, 0, TIME_NS_MAX),
                        ALDIS_WIRE_RANGE(TradeOffer, fuel, 0, 1e18));
ALDIS_WIRE_STRUCT_RULES(TradeAnswer,
                        ALDIS_WIRE_RANGE(TradeAnswer, credits, -CENTS_MAX, CENTS_MAX),
                        ALDIS_WIRE_RANGE(TradeAnswer, fuel, -1e18, 1e18));
ALDIS_WIRE_STRUCT(TradeSettled);
ALDIS_WIRE_STRUCT_RULES(DistressSignal, ALDIS_WIRE_RANGE(DistressSignal, severity, 0, 10));
ALDIS_WIRE_STRUCT_RULES(DistressAnswer,
                        ALDIS_WIRE_RANGE(DistressAnswer, arrival_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT(StandDown);
ALDIS_WIRE_STRUCT(Aid);
ALDIS_WIRE_STRUCT(RequestDocking);
ALDIS_WIRE_STRUCT(Docked);
ALDIS_WIRE_STRUCT(Undock);
ALDIS_WIRE_STRUCT(ServiceDone);
ALDIS_WIRE_STRUCT(RequestPrices);
ALDIS_WIRE_STRUCT_RULES(RequestServices, ALDIS_WIRE_RANGE(RequestServices, fuel, 0, 1e18));
ALDIS_WIRE_STRUCT_RULES(MarketOrder, ALDIS_WIRE_RANGE(MarketOrder, resource, 0, RESOURCE_ASHORE),
                        ALDIS_WIRE_RANGE(MarketOrder, quantity, 1, 1e18),
                        ALDIS_WIRE_RANGE(MarketOrder, limit, 0, 1e12),
                        ALDIS_WIRE_RANGE(MarketOrder, valid_until_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(DockingPermission,
                        ALDIS_WIRE_RANGE(DockingPermission, estimated_wait_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(MarketPrices, ALDIS_WIRE_RANGE(MarketPrices, at_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(ServiceAvailability,
                        ALDIS_WIRE_RANGE(ServiceAvailability, done_at_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(NavigationHazard, ALDIS_WIRE_RANGE(NavigationHazard, radius, 0, 1e9),
                        ALDIS_WIRE_RANGE(NavigationHazard, at_ns, 0, TIME_NS_MAX),
                        ALDIS_WIRE_RANGE(NavigationHazard, until_ns, 0, TIME_NS_MAX),
                        /* twice the time to it is added to it */
                        ALDIS_WIRE_RANGE(NavigationHazard, again_ns, 0, TIME_NS_MAX / 2));
ALDIS_WIRE_STRUCT_RULES(MarketUpdate, ALDIS_WIRE_RANGE(MarketUpdate, at_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(WeatherAlert, ALDIS_WIRE_RANGE(WeatherAlert, radius, 0, 1e12),
                        ALDIS_WIRE_RANGE(WeatherAlert, until_ns, 0, TIME_NS_MAX));
ALDIS_WIRE_STRUCT_RULES(UpdatePosition, ALDIS_WIRE_RANGE(UpdatePosition, dt, 0, 1e9));
ALDIS_WIRE_STRUCT(SetDestination);
ALDIS_WIRE_STRUCT(InitiateDocking);
ALDIS_WIRE_STRUCT(ProcessTradeOffer);
ALDIS_WIRE_STRUCT(HandleEmergency);
ALDIS_WIRE_STRUCT(ProposeTrade);
ALDIS_WIRE_STRUCT(Shutdown);
ALDIS_WIRE_STRUCT(Pause);
ALDIS_WIRE_STRUCT(Resume);
ALDIS_WIRE_STRUCT(GetStatus);
ALDIS_WIRE_STRUCT(ShipStatus);
ALDIS_WIRE_STRUCT(StationStatus);
ALDIS_WIRE_STRUCT(RescueStatus);
ALDIS_WIRE_STRUCT(Refused);

#define SPACE_MESSAGE(name, M) ALDIS_MESSAGE_CODEC(name, M, 0, ALDIS_CODEC(M))
SPACE_MESSAGE(formation_request, FormationRequest);
SPACE_MESSAGE(formation_answer, FormationAnswer);
SPACE_MESSAGE(formation_lead, FormationLead);
SPACE_MESSAGE(trade_offer, TradeOffer);
SPACE_MESSAGE(trade_answer, TradeAnswer);
SPACE_MESSAGE(trade_settled, TradeSettled);
SPACE_MESSAGE(distress_signal, DistressSignal);
SPACE_MESSAGE(distress_answer, DistressAnswer);
SPACE_MESSAGE(stand_down, StandDown);
SPACE_MESSAGE(aid, Aid);
SPACE_MESSAGE(request_docking, RequestDocking);
SPACE_MESSAGE(docked, Docked);
SPACE_MESSAGE(undock, Undock);
SPACE_MESSAGE(service_done, ServiceDone);
SPACE_MESSAGE(request_prices, RequestPrices);
SPACE_MESSAGE(request_services, RequestServices);
SPACE_MESSAGE(market_order, MarketOrder);
SPACE_MESSAGE(docking_permission, DockingPermission);
SPACE_MESSAGE(market_prices, MarketPrices);
SPACE_MESSAGE(service_availability, ServiceAvailability);
SPACE_MESSAGE(navigation_hazard, NavigationHazard);
SPACE_MESSAGE(market_update, MarketUpdate);
SPACE_MESSAGE(weather_alert, WeatherAlert);
SPACE_MESSAGE(update_position, UpdatePosition);
SPACE_MESSAGE(set_destination, SetDestination);
SPACE_MESSAGE(initiate_docking, InitiateDocking);
SPACE_MESSAGE(process_trade_offer, ProcessTradeOffer);
SPACE_MESSAGE(handle_emergency, HandleEmergency);
SPACE_MESSAGE(propose_trade, ProposeTrade);
SPACE_MESSAGE(shutdown, Shutdown);
SPACE_MESSAGE(pause, Pause);
SPACE_MESSAGE(resume, Resume);
SPACE_MESSAGE(get_status, GetStatus);
SPACE_MESSAGE(ship_status, ShipStatus);
SPACE_MESSAGE(station_status, StationStatus);
SPACE_MESSAGE(rescue_status, RescueStatus);
SPACE_MESSAGE(refused, Refused);
/* clang-format on */

/* ---- To the ledger ---- */

struct ship_berthed {
    uint32_t station;
    uint32_t unused;
    aldis_ns wait_ns;     /**< from the first request to permission */
    aldis_ns estimate_ns; /**< as the station had said; 0: it was not told to wait */
};
ALDIS_MESSAGE(ship_berthed, struct ship_berthed);
ALDIS_SIGNAL(ship_refused);
struct ship_held {
    aldis_ns wait_ns; /**< until it had the credit to ask for a berth */
};
ALDIS_MESSAGE(ship_held, struct ship_held);

/* ---- An actor's own timers: a ship's page says when its one is due; others say by their number
 * whether they have been outlived ---- */

/* One that is void stays under way until it is due. Where a ship or a station mostly hears before
 * its patience ends, it looks after each nap whether that is so, rather than to leave a timer of
 * minutes behind. */
#define NAP_NS (10 * ALDIS_SECOND)

/* By the wall clock a timer may come a little before its time. In virtual time none does. */
#define EARLY_NS (50 * ALDIS_MS)

ALDIS_SIGNAL(ship_due);

struct berth_due {
    uint32_t berth;
    uint32_t change; /**< of the berth, for which this was armed */
};
ALDIS_MESSAGE(berth_due, struct berth_due);
ALDIS_SIGNAL(market_due);

struct hazard_due {
    uint32_t schedule; /**< of the scenario's hazards */
    uint32_t hazard;   /**< 0: a new one; else one that lives, + 1 */
};
ALDIS_MESSAGE(hazard_due, struct hazard_due);

struct weather_due {
    uint32_t region;
};
ALDIS_MESSAGE(weather_due, struct weather_due);

struct tug_due {
    uint32_t call;
    uint32_t change;
};
ALDIS_MESSAGE(tug_due, struct tug_due);
ALDIS_SIGNAL(traffic_due);

/* ---- To traffic control ---- */

/* The course of a ship under way: see flights.h. */
struct ship_course {
    struct vec position, velocity, aim;
    double speed;        /**< at most, u/s; 0: it goes straight on */
    double acceleration; /**< u/s2 */
    aldis_ns at_ns;      /**< the time of position and velocity */
    uint32_t ship;       /**< its number, from 0 */
    uint32_t ends;       /**< not 0: it is not under way any more */
};
ALDIS_MESSAGE(ship_course, struct ship_course);

/* ---- Who accepts what ---- */

#define SHIP_PROTOCOL(X, kind)                                                                     \
    X(kind, update_position)                                                                       \
    X(kind, set_destination)                                                                       \
    X(kind, initiate_docking)                                                                      \
    X(kind, process_trade_offer)                                                                   \
    X(kind, handle_emergency)                                                                      \
    X(kind, propose_trade)                                                                         \
    X(kind, shutdown)                                                                              \
    X(kind, pause)                                                                                 \
    X(kind, resume)                                                                                \
    X(kind, get_status)                                                                            \
    X(kind, formation_request)                                                                     \
    X(kind, formation_answer)                                                                      \
    X(kind, formation_lead)                                                                        \
    X(kind, trade_offer)                                                                           \
    X(kind, trade_answer)                                                                          \
    X(kind, trade_settled)                                                                         \
    X(kind, distress_signal)                                                                       \
    X(kind, distress_answer)                                                                       \
    X(kind, stand_down)                                                                            \
    X(kind, aid)                                                                                   \
    X(kind, docking_permission)                                                                    \
    X(kind, service_done)                                                                          \
    X(kind, service_availability)                                                                  \
    X(kind, market_prices)                                                                         \
    X(kind, market_update)                                                                         \
    X(kind, navigation_hazard)                                                                     \
    X(kind, weather_alert)                                                                         \
    X(kind, refused)                                                                               \
    X(kind, aldis_delivered)                                                                       \
    X(kind, aldis_credit_notice)                                                                   \
    X(kind, ship_due)

#define STATION_PROTOCOL(X, kind)                                                                  \
    X(kind, request_docking)                                                                       \
    X(kind, docked)                                                                                \
    X(kind, undock)                                                                                \
    X(kind, request_prices)                                                                        \
    X(kind, request_services)                                                                      \
    X(kind, market_order)                                                                          \
    X(kind, trade_settled)                                                                         \
    X(kind, weather_alert)                                                                         \
    X(kind, shutdown)                                                                              \
    X(kind, pause)                                                                                 \
    X(kind, resume)                                                                                \
    X(kind, get_status)                                                                            \
    X(kind, aldis_delivered)                                                                       \
    X(kind, berth_due)                                                                             \
    X(kind, market_due)

#define HAZARDS_PROTOCOL(X, kind) X(kind, hazard_due)
#define WEATHER_PROTOCOL(X, kind) X(kind, weather_due)
#define RESCUE_PROTOCOL(X, kind)                                                                   \
    X(kind, distress_signal)                                                                       \
    X(kind, stand_down)                                                                            \
    X(kind, trade_answer)                                                                          \
    X(kind, pause)                                                                                 \
    X(kind, resume)                                                                                \
    X(kind, get_status)                                                                            \
    X(kind, tug_due)
#define TRAFFIC_PROTOCOL(X, kind) X(kind, ship_course) X(kind, traffic_due)
#define LEDGER_PROTOCOL(X, kind) X(kind, ship_berthed) X(kind, ship_refused) X(kind, ship_held)

ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
ALDIS_PROTOCOL(hazards, HAZARDS_PROTOCOL);
ALDIS_PROTOCOL(weather, WEATHER_PROTOCOL);
ALDIS_PROTOCOL(rescue, RESCUE_PROTOCOL);
ALDIS_PROTOCOL(traffic, TRAFFIC_PROTOCOL);
ALDIS_PROTOCOL(ledger, LEDGER_PROTOCOL);

/** A message whose bytes are all named or zero: the run print digests them, padding too. */
#define NEW_MESSAGE(M, name)                                                                       \
    M name;                                                                                        \
    memset(&name, 0, sizeof name)

static inline struct vec vec_of(const Vec3 *v)
{
    return (struct vec){v->x, v->y, v->z};
}

static inline Vec3 wire_vec(struct vec v)
{
    return (Vec3){v.x, v.y, v.z};
}

/** Refuse a message by name: tell its sender, if it can be told, and fail the handler with the
 *  reason. state: static. */
aldis_err refuse_message(aldis_ctx *ctx, const aldis_type *type, const char *state, Refusal reason,
                         aldis_ns delay_ns);
/** To whoever sent an answer: it was heard, if there is something to forget. */
void tell_settled(aldis_ctx *ctx, const TradeAnswer *answer, uint32_t account, aldis_ns delay_ns);
/** A step of docking: sent until it is confirmed, and given up after about a minute. context comes
 *  back with the confirmation; delay_ns is that of a signal. Errors: as aldis_send_reliable_raw. */
aldis_err send_surely(aldis_ctx *ctx, const aldis_send_item *item, const struct scenario *scenario,
                      uint64_t context, aldis_ns delay_ns);
/** As aldis_reply_raw, after a delay (of a signal; 0: the default). Requests of aldis_ask are
 *  answered without. */
aldis_err reply_after(aldis_ctx *ctx, aldis_ns delay_ns, aldis_type *type, const void *payload,
                      size_t size);

/** "queue full". Static. */
const char *refusal_text(Refusal reason);

/** Does a message that came from another actor keep the rules of its type? Own timers are not
 *  checked. Else the handler is to fail with the error given. */
aldis_err check_message(aldis_ctx *ctx, const aldis_type *type, const void *payload);

#endif
