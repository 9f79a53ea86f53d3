// SPDX-License-Identifier: Apache-2.0
/* protocol.h: what the actors of the space simulation say to each other. Layer: space.
 *
 * One trip of a ship:
 *
 *     ship     -> station  request_docking     who it is and what it carries
 *     station  -> ship     docking_permission  a berth; or a place in the queue and, later, a berth
 *     ship     -> station  docked              it is in the berth
 *     station  -> ship     service_done
 *     ship     -> station  undock              at any time: gives up berth, permission or place
 *
 * A sector warns of hazards, the market tells its prices, and ships tell the ledger what became of
 * them. Messages named _due, ship_tick and ship_wake are an actor's own timers. */
#ifndef SPACE_PROTOCOL_H
#define SPACE_PROTOCOL_H

#include "maths.h"
#include "scenario.h"
#include "space.h"

#include <aldis/actor.h>

#define MANIFEST_ITEMS_MAX 16

/* The run print digests messages byte by byte, so no payload may have bytes that no field names. */
#define NO_PADDING(type, fields) _Static_assert(sizeof(type) == (fields), #type ": it has padding")

/* ---- Ship to station ---- */

struct ship_specs {
    uint32_t class; /**< of the scenario */
    uint32_t cargo_t;
    double length_m, mass_t;
};

struct manifest_item {
    uint32_t commodity; /**< of the scenario's market */
    uint32_t tonnes;
    uint32_t unit_value; /**< credits a tonne, as the ship last heard */
};

struct request_docking {
    struct ship_specs specs;
    struct manifest_item items[MANIFEST_ITEMS_MAX];
    uint32_t item_count; /**< 0 .. MANIFEST_ITEMS_MAX */
    uint32_t unused;
};
NO_PADDING(struct request_docking, 24 + 12 * MANIFEST_ITEMS_MAX + 4 + 4);
ALDIS_MESSAGE(request_docking, struct request_docking);

struct docked {
    uint32_t berth;
};
ALDIS_MESSAGE(docked, struct docked);
ALDIS_SIGNAL(undock);

/* ---- Station to ship ---- */

enum docking_verdict {
    DOCKING_GRANTED, /**< come to the berth before the permission expires */
    DOCKING_QUEUED,  /**< wait: permission will follow */
    DOCKING_REFUSED  /**< for the reason given */
};

enum docking_refusal {
    REFUSAL_NONE,
    REFUSAL_QUEUE_FULL,
    REFUSAL_TOO_LONG,  /**< no berth takes a ship of its length */
    REFUSAL_BAD_SPECS, /**< a length, mass or manifest that cannot be */
    REFUSAL_EXPIRED    /**< the permission: the ship did not come, or came too late */
};

struct docking_permission {
    enum docking_verdict verdict;
    enum docking_refusal refusal;
    uint32_t berth;             /**< granted */
    uint32_t place;             /**< queued: 1 is next */
    aldis_ns estimated_wait_ns; /**< queued */
};
NO_PADDING(struct docking_permission, 4 * 4 + 8);
ALDIS_MESSAGE(docking_permission, struct docking_permission);
ALDIS_SIGNAL(service_done);

/* ---- To all whom it concerns ---- */

struct navigation_hazard {
    struct vec place;
    double radius; /**< u */
    aldis_ns until_ns;
    uint32_t kind; /**< enum scenario_hazard_kind */
    uint32_t unused;
};
NO_PADDING(struct navigation_hazard, 3 * 8 + 8 + 8 + 4 + 4);
ALDIS_MESSAGE(navigation_hazard, struct navigation_hazard);

struct price_change {
    uint32_t commodity;
    uint32_t price; /**< credits a tonne, from now on */
};

struct market_update {
    uint32_t change_count; /**< 1 .. SCENARIO_COMMODITIES_MAX */
    struct price_change changes[SCENARIO_COMMODITIES_MAX];
};
NO_PADDING(struct market_update, 4 + 8 * SCENARIO_COMMODITIES_MAX);
ALDIS_MESSAGE(market_update, struct market_update);

/* ---- Orders to a ship ---- */

struct set_destination {
    uint32_t station; /**< of the scenario */
};
ALDIS_MESSAGE(set_destination, struct set_destination);

/* ---- To the ledger ---- */

struct ship_changed {
    enum space_ship_state from, to;
    uint32_t station; /**< where it is or goes */
    uint32_t unused;
    aldis_ns wait_ns;     /**< docking: from the first request to permission */
    aldis_ns estimate_ns; /**< docking: what the station had said */
};
NO_PADDING(struct ship_changed, 4 * 4 + 2 * 8);
ALDIS_MESSAGE(ship_changed, struct ship_changed);
ALDIS_SIGNAL(ship_refused);

/* ---- Timers ---- */

ALDIS_SIGNAL(ship_tick); /**< under way: look at the position */
ALDIS_SIGNAL(ship_wake); /**< at rest: it has waited long enough */

struct berth_due {
    uint32_t berth;
    uint32_t change; /**< of the berth, for which this was armed */
};
ALDIS_MESSAGE(berth_due, struct berth_due);

struct hazard_due {
    uint32_t schedule; /**< of the scenario's hazards */
};
ALDIS_MESSAGE(hazard_due, struct hazard_due);
ALDIS_SIGNAL(market_due);

/* ---- Who accepts what ---- */

#define SHIP_PROTOCOL(X, kind)                                                                     \
    X(kind, set_destination)                                                                       \
    X(kind, ship_tick)                                                                             \
    X(kind, ship_wake)                                                                             \
    X(kind, docking_permission)                                                                    \
    X(kind, service_done)                                                                          \
    X(kind, navigation_hazard)                                                                     \
    X(kind, market_update)

#define STATION_PROTOCOL(X, kind)                                                                  \
    X(kind, request_docking)                                                                       \
    X(kind, docked)                                                                                \
    X(kind, undock)                                                                                \
    X(kind, berth_due)

#define SECTOR_PROTOCOL(X, kind) X(kind, hazard_due)
#define MARKET_PROTOCOL(X, kind) X(kind, market_due)
#define LEDGER_PROTOCOL(X, kind) X(kind, ship_changed) X(kind, ship_refused)

ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
ALDIS_PROTOCOL(sector, SECTOR_PROTOCOL);
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);
ALDIS_PROTOCOL(ledger, LEDGER_PROTOCOL);

/* ---- How each is spawned: what on_start gets ---- */

/** What all may look at, since nothing changes it while they live. */
struct chart {
    const struct scenario *scenario;
    const station_ref *stations; /**< of the scenario's stations, in their order */
    ledger_ref ledger;
};

struct ship_arg {
    struct chart chart;
    uint32_t fleet;
    uint32_t home; /**< the station where it begins */
    uint32_t leg;  /**< the place of home on the fleet's route */
};

struct station_arg {
    struct chart chart;
    uint32_t station;
};

/** What the ledger hands over when it stops. The program that gave it reads it after
 *  aldis_system_stop, when no actor is left; the ledger writes it only then. */
struct ledger_result {
    uint64_t ships[SPACE_SHIP_STATE_COUNT];
    uint64_t dockings, refusals;
    struct space_times waits, wait_errors;
    struct {
        uint64_t dockings;
        aldis_ns wait_total_ns;
    } stations[SCENARIO_STATIONS_MAX];
};

struct ledger_arg {
    uint32_t ship_count;          /**< all idle */
    struct ledger_result *result; /**< borrowed until the ledger has stopped */
};

/* The sector and the market get a struct chart. */

#endif
