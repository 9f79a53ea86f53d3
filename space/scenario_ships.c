// SPDX-License-Identifier: Apache-2.0
/* scenario_ships.c: classes of ships and fleets in a scenario file. See scenario_parts.h. */
#include "scenario_parts.h"

#include <math.h>
#include <stdio.h>

/* ---- Ship classes ---- */

/* The rules of conduct, each with its default. */
static const struct scenario_class class_defaults = {.length_m = 150,
                                                     .mass_t = 2000,
                                                     .cargo_t = 500,
                                                     .arrival = 10,
                                                     .tank = 1.0,
                                                     .burn = 0.01,
                                                     .purse = 10000,
                                                     .offer_floor = 1000,
                                                     .peer_offer_floor = 500,
                                                     .distress_range = 200,
                                                     .hazard_radius = 100,
                                                     .formation_range = 200,
                                                     .formation_rate = 0.1,
                                                     .push_rate = 0.05,
                                                     .repair_ns = 10 * ALDIS_MINUTE};

#define CLASS_KEY(...) SCHEMA_KEY(struct scenario_class, __VA_ARGS__)
static const struct schema_key class_keys[] = {
    SCHEMA_NAME(struct scenario_class),
    CLASS_KEY("length", SIZE, OPTIONAL, length_m, 1, 1e5),
    CLASS_KEY("mass", MASS, OPTIONAL, mass_t, 0.001, 1e9),
    CLASS_KEY("cargo", COUNT, OPTIONAL, cargo_t, 0, 1e8),
    CLASS_KEY("speed", SPEED, REQUIRED, speed, 0.001, 1e6),
    CLASS_KEY("acceleration", ACCELERATION, REQUIRED, acceleration, 1e-6, 1e6),
    CLASS_KEY("arrival", DISTANCE, OPTIONAL, arrival, 0.001, 1e6),
    CLASS_KEY("tank", NUMBER, OPTIONAL, tank, 1e-6, 1e3),
    CLASS_KEY("burn", NUMBER, OPTIONAL, burn, 0, 1e6),
    CLASS_KEY("purse", COUNT, OPTIONAL, purse, 0, 4e9),
    CLASS_KEY("crew_share", NUMBER, OPTIONAL, crew_share, 0, 1),
    CLASS_KEY("offer_floor", COUNT, OPTIONAL, offer_floor, 0, 4e9),
    CLASS_KEY("peer_offer_floor", COUNT, OPTIONAL, peer_offer_floor, 0, 4e9),
    CLASS_KEY("distress_range", DISTANCE, OPTIONAL, distress_range, 0, 1e9),
    CLASS_KEY("hazard_radius", DISTANCE, OPTIONAL, hazard_radius, 0.001, 1e6),
    CLASS_KEY("formation_range", DISTANCE, OPTIONAL, formation_range, 0, 1e9),
    CLASS_KEY("formation_rate", NUMBER, OPTIONAL, formation_rate, 1e-6, 1e3),
    CLASS_KEY("push_rate", NUMBER, OPTIONAL, push_rate, 0, 1e3),
    CLASS_KEY("failures", TIME, OPTIONAL, failure_ns, 1, 3650 * DAY_S),
    CLASS_KEY("repair", TIME, OPTIONAL, repair_ns, 1, 30 * DAY_S),
};

double scenario_class_range(const struct scenario_class *class)
{
    return class->burn > 0 ? class->tank / class->burn : HUGE_VAL;
}

const struct schema class_schema = {.what = "a class",
                                    .size = sizeof(struct scenario_class),
                                    .key_count = COUNT_OF(class_keys),
                                    .keys = class_keys,
                                    .defaults = &class_defaults};

/* ---- Fleets ---- */

static void read_route(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_route *route = field;
    if (node->kind == YAML_IS_SCALAR && strcmp(node->text, "random") == 0)
        return;
    if (node->kind != YAML_IS_LIST || node->count < 2 || node->count > SCENARIO_ROUTE_MAX) {
        schema_error(reader, node, NULL, "random, or a list of 2 to %d stations",
                     SCENARIO_ROUTE_MAX);
        return;
    }
    const struct schema_path *outer = reader->path;
    for (const struct yaml_node *item = node->first; item; item = item->next) {
        struct schema_path path = {.up = outer, .index = route->count};
        reader->path = &path;
        read_station_reference(reader, item, &route->stations[route->count++]);
    }
    reader->path = outer;
}

/* A class has to be able to catch up with a station, and to fit into one of its berths. */
static bool check_stop(struct schema_reader *reader, const struct yaml_node *node,
                       const struct scenario_fleet *fleet, uint32_t stop)
{
    const struct scenario *scenario = scenario_of(reader);
    const struct scenario_station *station = &scenario->stations.items[stop];
    const struct scenario_class *class = &scenario->classes.items[fleet->class];
    const struct scenario_body *body = &scenario->bodies.items[station->body];
    double speed = circle_speed(&station->circle);
    if (body->moves)
        speed += orbit_speed_max(&body->orbit);
    char found[2 * SCENARIO_NAME_BYTES + 40];
    if (class->speed < 2 * speed) {
        snprintf(found, sizeof found, "class \"%s\" at %g u/s", class->name, class->speed);
        schema_error(reader, node, found, "at least %g u/s, twice the speed of station \"%s\"",
                     2 * speed, station->name);
        return false;
    }
    if (fleet->route.count > 0 && !scenario_station_takes(station, class)) {
        snprintf(found, sizeof found, "class \"%s\" of %g m", class->name, class->length_m);
        schema_error(reader, node, found, "a length that a berth of \"%s\" takes", station->name);
        return false;
    }
    return true;
}

static void check_fleet(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    struct scenario *scenario = scenario_of(reader);
    struct scenario_fleet *fleet = object;
    fleet->first = scenario->ship_count;
    fleet->line = line_of(node);
    scenario->ship_count += fleet->count;
    if (scenario->ship_count > SCENARIO_SHIPS_MAX && fleet->first <= SCENARIO_SHIPS_MAX)
        schema_error(reader, node, "too many ships", "%d in all fleets", SCENARIO_SHIPS_MAX);
    if (fleet->mind > 0 && fleet->formation > 0)
        schema_error(reader, node, "a mind and a formation",
                     "one of them: a follower decides nothing");
    if (reader->errors->count > 0)
        return; /* what is wrong with a class or a station would be told again here */
    bool fine = true;
    uint32_t taking = 0;
    for (uint32_t i = 0; fine && i < fleet->route.count; i++) {
        fine = check_stop(reader, node, fleet, fleet->route.stations[i]);
        uint32_t next = fleet->route.stations[(i + 1) % fleet->route.count];
        if (fine && next == fleet->route.stations[i]) {
            schema_error(reader, node, "a station that follows itself on the route",
                         "another one next (the route goes round)");
            fine = false;
        }
    }
    for (uint32_t i = 0; fine && fleet->route.count == 0 && i < scenario->stations.count; i++) {
        fine = check_stop(reader, node, fleet, i);
        taking += scenario_station_takes(&scenario->stations.items[i],
                                         &scenario->classes.items[fleet->class]);
    }
    if (fine && fleet->route.count == 0 && taking < 2)
        schema_error(reader, node, "fewer than two stations whose berths take the class",
                     "two or more for a random route");
}

static const struct scenario_fleet fleet_defaults = {.departure_ns = 5 * ALDIS_MINUTE,
                                                     .rest_ns = 1 * ALDIS_MINUTE,
                                                     .formation_size = 4,
                                                     .trades = true};

#define FORMATION_WORD(name) #name,
static const char *const formation_words[] = {SCENARIO_FORMATIONS(FORMATION_WORD) NULL};
#undef FORMATION_WORD

static void read_trades(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    static const char *const words[] = {"no", "yes", NULL};
    static const struct schema_key key = {.kind = VALUE_WORD, .words = words};
    uint32_t word = 1;
    schema_read_value(reader, &key, node, &word);
    *(bool *)field = word == 1;
}

#define FLEET_KEY(...) SCHEMA_KEY(struct scenario_fleet, __VA_ARGS__)
static const struct schema_key fleet_keys[] = {
    SCHEMA_NAME(struct scenario_fleet),
    SCHEMA_CUSTOM(struct scenario_fleet, "class", REQUIRED, class, read_class_reference),
    FLEET_KEY("count", COUNT, REQUIRED, count, 1, SCENARIO_SHIPS_MAX),
    SCHEMA_CUSTOM(struct scenario_fleet, "route", REQUIRED, route, read_route),
    FLEET_KEY("departure", TIME, OPTIONAL, departure_ns, 0, 30 * DAY_S),
    FLEET_KEY("rest", TIME, OPTIONAL, rest_ns, 0, 30 * DAY_S),
    SCHEMA_WORD(struct scenario_fleet, "formation", OPTIONAL, formation, formation_words),
    FLEET_KEY("formation_size", COUNT, OPTIONAL, formation_size, 2, SCENARIO_FORMATION_MAX),
    SCHEMA_CUSTOM(struct scenario_fleet, "trades", OPTIONAL, trades, read_trades),
    SCHEMA_CUSTOM(struct scenario_fleet, "mind", OPTIONAL, mind, read_ship_mind),
};

const struct schema fleet_schema = {.what = "a fleet",
                                    .size = sizeof(struct scenario_fleet),
                                    .key_count = COUNT_OF(fleet_keys),
                                    .keys = fleet_keys,
                                    .defaults = &fleet_defaults,
                                    .check = check_fleet};
