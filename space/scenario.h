// SPDX-License-Identifier: Apache-2.0
/* scenario.h: what a scenario file says, checked. Layer: space.
 *
 * Read-only after loading: the actors of a run look at it as at a chart, and nothing in it ever
 * changes, so it is the one thing they may share. docs/scenario.md explains the keys. */
#ifndef SPACE_SCENARIO_H
#define SPACE_SCENARIO_H

#include "orbit.h"
#include "space.h"

#define SCENARIO_NAME_BYTES 64
#define SCENARIO_STATIONS_MAX 1024
#define SCENARIO_BERTHS_MAX 64
#define SCENARIO_QUEUE_MAX 1024
#define SCENARIO_ROUTE_MAX 16
#define SCENARIO_COMMODITIES_MAX 16
#define SCENARIO_SHIPS_MAX 1000000

struct scenario_body {
    char name[SCENARIO_NAME_BYTES];
    bool moves; /**< has elements; the first body has none and stands in the middle */
    struct orbit_elements elements;
    struct orbit orbit; /**< made of the elements */
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
};

struct scenario_class {
    char name[SCENARIO_NAME_BYTES];
    double length_m, mass_t;
    uint32_t cargo_t;
    double speed, acceleration; /**< u/s, u/s2 */
    double arrival;             /**< u: a ship at rest within it has arrived */
};

/** Where the ships of a fleet go: round a list of stations, or anywhere that takes them. */
struct scenario_route {
    uint32_t stations[SCENARIO_ROUTE_MAX];
    uint32_t count; /**< 0: a random station each time */
};

struct scenario_fleet {
    char name[SCENARIO_NAME_BYTES];
    uint32_t class;
    uint32_t count;
    struct scenario_route route;
    aldis_ns departure_ns; /**< ships leave for the first time at random within it */
    aldis_ns rest_ns;      /**< a ship stays idle at random up to it between two flights */
};

#define SCENARIO_HAZARD_KINDS(X) X(asteroid) X(debris) X(energy_storm) X(pirates)

enum scenario_hazard_kind {
#define SCENARIO_HAZARD_ENUM_(name) HAZARD_##name,
    SCENARIO_HAZARD_KINDS(SCENARIO_HAZARD_ENUM_)
#undef SCENARIO_HAZARD_ENUM_
};

struct scenario_hazard {
    uint32_t kind;     /**< enum scenario_hazard_kind */
    aldis_ns every_ns; /**< on average: each comes after 0.5 to 1.5 of it */
    aldis_ns life_ns;
    double radius;  /**< u */
    uint32_t count; /**< at most so many in a run; 0: no limit */
};

struct scenario_commodity {
    char name[SCENARIO_NAME_BYTES];
    uint32_t price; /**< credits a tonne */
    uint32_t swing; /**< the price stays within price - swing .. price + swing */
};

/* Lists have the two fields of struct value_list in schema.h. */
struct scenario_market {
    aldis_ns update_ns;
    struct {
        struct scenario_commodity *items;
        uint32_t count;
    } commodities;
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
    struct scenario_market market;
    uint32_t ship_count; /**< in all fleets */
};

/** Where a station is at a time of the run. */
struct vec scenario_station_position(const struct scenario *scenario, uint32_t station,
                                     aldis_ns now_ns);

/** Does some berth of the station take a ship of this class? */
bool scenario_station_takes(const struct scenario_station *station,
                            const struct scenario_class *class);

#endif
