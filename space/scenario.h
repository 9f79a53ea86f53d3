// SPDX-License-Identifier: Apache-2.0
/* scenario.h: what a scenario file says, checked. Layer: space.
 *
 * Read-only after loading: the actors of a run look at it as at a chart, and nothing in it ever
 * changes, so it is the one thing they may share. docs/scenario.md explains the keys. */
#ifndef SPACE_SCENARIO_H
#define SPACE_SCENARIO_H

#include "mind.h"
#include "orbit.h"
#include "space.h"

#define SCENARIO_NAME_BYTES 64
#define SCENARIO_BODIES_MAX 4096
#define SCENARIO_STATIONS_MAX 4096
#define SCENARIO_BERTHS_MAX 64
#define SCENARIO_QUEUE_MAX 1024
#define SCENARIO_ROUTE_MAX 16
#define SCENARIO_COMMODITIES_MAX 16
#define SCENARIO_HAZARDS_MAX 64
#define SCENARIO_HAZARDS_LIVE_MAX 256
#define SCENARIO_WEATHER_MAX 64
#define SCENARIO_SHIPS_MAX 16000000
#define SCENARIO_FORMATION_MAX 8
#define SCENARIO_FLEETS_MAX 256

/** Fuel is kept in nano: 1e-9 of the unit that tanks and stocks are given in. */
#define FUEL_NANO 1000000000
#define FUEL_MILLI 1000000
#define CENTS 100

struct scenario_body {
    char name[SCENARIO_NAME_BYTES];
    bool moves;    /**< has elements */
    struct vec at; /**< where its orbit has its middle; one without an orbit rests there */
    struct orbit_elements elements;
    struct orbit orbit; /**< made of the elements */
};

/** What a station does with a commodity. */
struct scenario_goods {
    uint32_t stock;  /**< tonnes at the start */
    uint32_t target; /**< tonnes at which its price is the commodity's; 0: it does not trade it */
    uint32_t makes;  /**< tonnes an hour */
    uint32_t uses;   /**< tonnes an hour, as long as there are any */
};

struct scenario_station {
    char name[SCENARIO_NAME_BYTES];
    uint32_t body;
    struct circle circle; /**< around the body */
    uint32_t berths;      /**< for ships up to berth_length_m */
    double berth_length_m;
    uint32_t large_berths;  /**< more berths, for ships of any length */
    aldis_ns service_ns;    /**< on average: each takes 0.75 to 1.25 of it */
    aldis_ns approach_ns;   /**< from permission to berth */
    aldis_ns permission_ns; /**< after which a permission that is not used expires */
    uint32_t queue_limit;   /**< ships that may wait */
    aldis_ns queue_wait_ns; /**< one that has waited so long is refused; 0: never */
    uint32_t credits;       /**< at the start */
    double fuel;            /**< units in stock at the start */
    uint32_t fuel_price;    /**< credits a unit */
    uint32_t repair_price;  /**< credits */
    aldis_ns repair_ns;     /**< that a repair takes, beside the service */
    uint32_t spares;        /**< for so many repairs */
    uint32_t quarters;      /**< crews that it can take care of at a time */
    aldis_ns quarters_ns;   /**< that a crew needs there, beside the service */
    uint32_t mind;          /**< of the scenario's, + 1; 0: none */
    struct scenario_goods goods[SCENARIO_COMMODITIES_MAX];
};

/** What the ships of a class are like. The rules of a ship's conduct are here too. */
struct scenario_class {
    char name[SCENARIO_NAME_BYTES];
    double length_m, mass_t;
    uint32_t cargo_t;
    double speed, acceleration; /**< u/s, u/s2 */
    double arrival;             /**< u: a ship at rest nearer than this has arrived */
    double tank;                /**< units of fuel */
    double burn;                /**< units of fuel for each u */
    uint32_t purse;             /**< credits at the start */
    double crew_share;          /**< of what it has above its purse, spent at each market */
    uint32_t offer_floor;       /**< credits: an offer above it is taken */
    uint32_t peer_offer_floor;  /**< credits: the same from another ship */
    double distress_range;      /**< u: an idle ship goes to the help of one nearer than this */
    double formation_range;     /**< u: a leader takes followers that are nearer than this */
    double hazard_radius;       /**< u: of the hazard that its emergency is to others */
    double formation_rate;      /**< 1/s: velocity = rate x offset to the slot */
    double push_rate;           /**< 1/s: a hazard drives it away by rate x (radius - distance) */
    aldis_ns failure_ns;        /**< mean time under way between two emergencies; 0: none */
    aldis_ns repair_ns;         /**< its crew needs to end an emergency that it can end itself */
};

/** Where the ships of a fleet go: round a list of stations, or anywhere that takes them. */
struct scenario_route {
    uint32_t stations[SCENARIO_ROUTE_MAX];
    uint32_t count; /**< 0: a random station each time */
};

#define SCENARIO_FORMATIONS(X) X(none) X(convoy) X(defensive) X(exploration)

struct scenario_fleet {
    char name[SCENARIO_NAME_BYTES];
    uint32_t class;
    uint32_t count;
    struct scenario_route route;
    aldis_ns departure_ns;   /**< ships leave for the first time at random within it */
    aldis_ns rest_ns;        /**< a ship stays idle at random up to it between two flights */
    uint32_t formation;      /**< 0: none; else FormationKind + 1 */
    uint32_t formation_size; /**< ships that fly together, with their leader */
    bool trades;             /**< buys and sells; else it only docks and refuels */
    uint32_t first;          /**< number of its first ship, of all ships */
    uint32_t line;           /**< of the file, where it stands; 0: in another one */
    uint32_t mind;           /**< of the scenario's, + 1; 0: none */
};

#define SCENARIO_HAZARD_KINDS(X) X(asteroid) X(debris) X(energy_storm) X(pirates)

struct scenario_hazard {
    uint32_t kind;     /**< HazardKind */
    aldis_ns every_ns; /**< on average: each comes after 0.5 to 1.5 of it */
    aldis_ns life_ns;
    double radius;  /**< u */
    double speed;   /**< u/s: it moves straight on, in some direction */
    uint32_t count; /**< at most so many in a run; 0: no limit */
};

/** Weather of a region: a sphere around a body. */
struct scenario_weather {
    char name[SCENARIO_NAME_BYTES];
    uint32_t body;
    double radius;
    aldis_ns every_ns;                 /**< it changes after 0.5 to 1.5 of it */
    uint32_t worst;                    /**< WeatherLevel: it never gets worse */
    double speed_moderate, speed_high; /**< parts of their speed that ships then make */
};

struct scenario_rescue {
    uint32_t tugs; /**< 0: there is no rescue service */
    uint32_t station;
    double speed;         /**< u/s */
    double fuel;          /**< units in stock */
    aldis_ns patience_ns; /**< it gives ships nearby so long to answer first */
};

struct scenario_signals {
    double speed; /**< u/s; 0: they take no time */
};

/** How a mailbox is bounded, and how long a message in it takes. What is 0 is not said. */
struct scenario_mailbox {
    uint32_t capacity; /**< messages */
    uint32_t policy;   /**< enum aldis_overflow_policy */
    uint64_t bytes;    /**< of their payloads */
    aldis_ns shed_target_ns, shed_interval_ns;
    aldis_ns handling_ns; /**< that the actor takes for a message of another; -1: not said */
};

/** Kinds of actors whose mailboxes a scenario can bound: those that others send to. The ledger only
 *  counts; hazards and weather hear nothing but their own timers; what traffic control misses is
 *  told again. */
enum scenario_actor { ACTOR_SHIP, ACTOR_STATION, ACTOR_RESCUE, SCENARIO_ACTORS };

struct scenario_mailboxes {
    struct scenario_mailbox all;                 /**< where a kind's own says nothing */
    struct scenario_mailbox of[SCENARIO_ACTORS]; /**< complete after reading */
};

/** Requests for a berth that a station takes in. */
struct scenario_rate {
    uint32_t requests; /**< in each period; 0: as many as come */
    uint32_t burst;    /**< that can be saved up */
    aldis_ns per_ns;
};

/** Ships that may have a request, a place or a berth at a station at a time; 0: any number. */
struct scenario_credit {
    uint32_t total;
};

struct scenario_limits {
    struct scenario_mailboxes mailbox;
    struct scenario_rate docking_rate; /**< of each station */
    struct scenario_credit docking_credit;
    uint64_t memory; /**< bytes for messages and actors; 0: no budget */
    uint32_t line;   /**< of the file, where they begin; 0: in another one */
    bool given;
};

struct scenario_traffic {
    aldis_ns every_ns; /**< 0: there is no traffic control */
    double distance;   /**< u: two ships under way nearer than this are named */
    double zone;       /**< u from a station: there it does not look */
};

struct scenario_commodity {
    char name[SCENARIO_NAME_BYTES];
    uint32_t price; /**< credits a tonne */
    uint32_t swing; /**< the price stays within price - swing .. price + swing */
};

/* Lists have the two fields of struct value_list in schema.h. */
struct scenario_market {
    aldis_ns update_ns;
    double reach; /**< u: ships nearer than this are told; 0: only those in berths */
    struct {
        struct scenario_commodity *items;
        uint32_t count;
    } commodities;
};

/** How ships or stations decide. */
struct scenario_mind {
    char name[SCENARIO_NAME_BYTES];
    uint32_t of;     /**< 0: ships; 1: stations */
    uint32_t budget; /**< nodes that a tick may visit; 0: the default */
    struct mind_tree tree;
};

/** Bodies and stations that are made from the seed. */
struct scenario_galaxy {
    uint32_t systems;              /**< 0: none are made */
    uint32_t stations;             /**< in each */
    double radius;                 /**< u: of the sphere that the systems lie in */
    struct scenario_station model; /**< what its stations are like, but for name and place */
};

/** A rule of a fault plan: see aldis/fault.h. */
struct scenario_fault {
    uint32_t kind; /**< enum aldis_fault_kind */
    double chance;
    uint32_t every;
    aldis_ns min_ns, max_ns, begin_ns, end_ns;
    char from[SCENARIO_NAME_BYTES], to[SCENARIO_NAME_BYTES], type[SCENARIO_NAME_BYTES];
};

struct scenario_faults {
    struct {
        struct scenario_fault *items;
        uint32_t count;
    } rules;
    uint64_t seed;
    aldis_ns heal_ns;
    bool given;
    aldis_fault_rule *made; /**< of the rules */
    aldis_fault_plan plan;
};

struct scenario {
    char name[SCENARIO_NAME_BYTES];
    uint64_t seed;
    aldis_ns duration_ns;
    aldis_ns tick_ns;      /**< how often a flying ship looks about */
    aldis_ns lookahead_ns; /**< no message reaches another actor sooner (virtual time) */
    aldis_ns epoch_ns;     /**< the run's start, since J2000 */
    double units_per_au;
    struct {
        struct scenario_body *items;
        uint32_t count;
    } bodies;
    struct {
        struct scenario_station *items;
        uint32_t count;
    } stations;
    struct {
        struct scenario_class *items;
        uint32_t count;
    } classes;
    struct {
        struct scenario_fleet *items;
        uint32_t count;
    } fleets;
    struct {
        struct scenario_hazard *items;
        uint32_t count;
    } hazards;
    struct {
        struct scenario_weather *items;
        uint32_t count;
    } weather;
    struct {
        struct scenario_mind *items;
        uint32_t count;
    } minds;
    struct scenario_market market;
    struct scenario_faults faults;
    struct scenario_galaxy galaxy;
    struct scenario_rescue rescue;
    struct scenario_traffic traffic;
    struct scenario_signals signals;
    struct scenario_limits limits;
    uint32_t ship_count;   /**< in all fleets */
    uint32_t hazards_most; /**< that can live at a time */
    uint64_t content;      /**< digest of what it was read from */
};

/** Where a body is at a time of the run. */
struct vec scenario_body_position(const struct scenario *scenario, uint32_t body, aldis_ns now_ns);

/** Where a station is at a time of the run. */
struct vec scenario_station_position(const struct scenario *scenario, uint32_t station,
                                     aldis_ns now_ns);

/** Does some berth of the station take a ship of this class? */
bool scenario_station_takes(const struct scenario_station *station,
                            const struct scenario_class *class);

/** How far a ship of the class comes with a full tank, u. */
double scenario_class_range(const struct scenario_class *class);

#endif
