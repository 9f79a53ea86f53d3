// SPDX-License-Identifier: Apache-2.0
/* scenario.c: the schema of scenario files, and loading them. See space.h and scenario.h. */
#include "scenario.h"

#include "errors.h"
#include "schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(SCHEMA_NAME_BYTES == SCENARIO_NAME_BYTES, "names are read into these fields");

#define DAY_S 86400.0
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static struct scenario *scenario_of(const struct schema_reader *reader)
{
    return reader->context;
}

/* ---- References by name ---- */

/* Names stand first in their structs: an array of structs is an array of names, stride apart. */
struct names {
    const char *what, *first;
    size_t stride;
    uint32_t count;
};

static bool find_name(const struct names *names, const char *text, uint32_t *out)
{
    for (uint32_t i = 0; i < names->count; i++) {
        if (strcmp(names->first + i * names->stride, text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void read_reference(struct schema_reader *reader, const struct yaml_node *node,
                           const struct names *names, uint32_t *out)
{
    if (node->kind == YAML_IS_SCALAR && find_name(names, node->text, out))
        return;
    const char *nearest = NULL;
    if (node->kind == YAML_IS_SCALAR)
        nearest = schema_nearest(node->text, names->first, names->stride, names->count);
    if (nearest)
        schema_error(reader, node, NULL, "the name of a %s above (did you mean \"%s\"?)",
                     names->what, nearest);
    else
        schema_error(reader, node, NULL, "the name of a %s above", names->what);
}

static struct names body_names(const struct scenario *s)
{
    return (struct names){"body", s->bodies.count ? s->bodies.items[0].name : NULL,
                          sizeof s->bodies.items[0], s->bodies.count};
}

static struct names station_names(const struct scenario *s)
{
    return (struct names){"station", s->stations.count ? s->stations.items[0].name : NULL,
                          sizeof s->stations.items[0], s->stations.count};
}

static struct names class_names(const struct scenario *s)
{
    return (struct names){"class", s->classes.count ? s->classes.items[0].name : NULL,
                          sizeof s->classes.items[0], s->classes.count};
}

static void read_body_reference(struct schema_reader *reader, const struct yaml_node *node,
                                void *field)
{
    struct names names = body_names(scenario_of(reader));
    read_reference(reader, node, &names, field);
}

static void read_class_reference(struct schema_reader *reader, const struct yaml_node *node,
                                 void *field)
{
    struct names names = class_names(scenario_of(reader));
    read_reference(reader, node, &names, field);
}

/* ---- Bodies ---- */

#define ORBIT_KEY(...) SCHEMA_KEY(struct orbit_elements, __VA_ARGS__)
static const struct schema_key orbit_keys[] = {
    ORBIT_KEY("semi_major_axis", DISTANCE, REQUIRED, semi_major_axis, 0.001, 1e9),
    ORBIT_KEY("eccentricity", NUMBER, REQUIRED, eccentricity, 0, 0.9),
    ORBIT_KEY("inclination", ANGLE, REQUIRED, inclination_deg, -180, 180),
    ORBIT_KEY("ascending_node", ANGLE, REQUIRED, ascending_node_deg, -360, 360),
    ORBIT_KEY("perihelion", ANGLE, REQUIRED, perihelion_deg, -360, 360),
    ORBIT_KEY("mean_longitude", ANGLE, REQUIRED, mean_longitude_deg, -360, 360),
    ORBIT_KEY("period", TIME, REQUIRED, period_ns, 60, 100000 * DAY_S),
};

static const struct schema orbit_schema = {.what = "an orbit",
                                           .size = sizeof(struct orbit_elements),
                                           .key_count = COUNT_OF(orbit_keys),
                                           .keys = orbit_keys};

static void read_orbit(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_body *body =
        (struct scenario_body *)(void *)((char *)field - offsetof(struct scenario_body, elements));
    body->moves = true;
    schema_read(reader, &orbit_schema, node, &body->elements);
}

static void check_body(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    struct scenario *scenario = scenario_of(reader);
    struct scenario_body *body = object;
    bool first = body == scenario->bodies.items;
    if (first && body->moves)
        schema_error(reader, node, "an orbit", "none: the first body stands in the middle");
    else if (!first && !body->moves)
        schema_error(reader, node, "no orbit", "an orbit: only the first body has none");
    else if (body->moves)
        body->orbit = orbit_prepare(&body->elements);
}

static const struct schema_key body_keys[] = {
    SCHEMA_NAME(struct scenario_body),
    SCHEMA_CUSTOM(struct scenario_body, "orbit", OPTIONAL, elements, read_orbit),
};

static const struct schema body_schema = {.what = "a body",
                                          .size = sizeof(struct scenario_body),
                                          .key_count = COUNT_OF(body_keys),
                                          .keys = body_keys,
                                          .check = check_body};

/* ---- Stations ---- */

static void check_station(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    const struct scenario_station *station = object;
    if (station->permission_ns < 2 * station->approach_ns)
        schema_error(reader, node, "a permission shorter than twice the approach",
                     "one that a ship can use: permission >= 2 x approach");
}

static const struct scenario_station station_defaults = {
    .circle = {.radius = 20, .period_ns = 1 * ALDIS_HOUR},
    .berth_length_m = 200,
    .approach_ns = 10 * ALDIS_SECOND,
    .permission_ns = 60 * ALDIS_SECOND,
    .queue_limit = 256,
};

#define STATION_KEY(...) SCHEMA_KEY(struct scenario_station, __VA_ARGS__)
static const struct schema_key station_keys[] = {
    SCHEMA_NAME(struct scenario_station),
    SCHEMA_CUSTOM(struct scenario_station, "body", REQUIRED, body, read_body_reference),
    STATION_KEY("radius", DISTANCE, OPTIONAL, circle.radius, 0, 1e6),
    STATION_KEY("period", TIME, OPTIONAL, circle.period_ns, 1, 100000 * DAY_S),
    STATION_KEY("phase", ANGLE, OPTIONAL, circle.phase_deg, -360, 360),
    STATION_KEY("berths", COUNT, REQUIRED, berths, 1, SCENARIO_BERTHS_MAX),
    STATION_KEY("berth_length", SIZE, OPTIONAL, berth_length_m, 1, 1e5),
    STATION_KEY("large_berths", COUNT, OPTIONAL, large_berths, 0, SCENARIO_BERTHS_MAX),
    STATION_KEY("service", TIME, REQUIRED, service_ns, 1e-3, 30 * DAY_S),
    STATION_KEY("approach", TIME, OPTIONAL, approach_ns, 1e-3, 1 * DAY_S),
    STATION_KEY("permission", TIME, OPTIONAL, permission_ns, 1e-3, 30 * DAY_S),
    STATION_KEY("queue_limit", COUNT, OPTIONAL, queue_limit, 1, SCENARIO_QUEUE_MAX),
};

static const struct schema station_schema = {.what = "a station",
                                             .size = sizeof(struct scenario_station),
                                             .key_count = COUNT_OF(station_keys),
                                             .keys = station_keys,
                                             .defaults = &station_defaults,
                                             .check = check_station};

bool scenario_station_takes(const struct scenario_station *station,
                            const struct scenario_class *class)
{
    return station->large_berths > 0 || class->length_m <= station->berth_length_m;
}

struct vec scenario_station_position(const struct scenario *scenario, uint32_t station,
                                     aldis_ns now_ns)
{
    const struct scenario_station *s = &scenario->stations.items[station];
    const struct scenario_body *body = &scenario->bodies.items[s->body];
    double seconds = (double)scenario->epoch_ns * 1e-9 + (double)now_ns * 1e-9;
    struct vec offset = circle_position(&s->circle, seconds);
    return body->moves ? vec_add(orbit_position(&body->orbit, seconds), offset) : offset;
}

/* ---- Ship classes ---- */

static const struct scenario_class class_defaults = {
    .length_m = 150, .mass_t = 2000, .cargo_t = 500, .arrival = 10};

#define CLASS_KEY(...) SCHEMA_KEY(struct scenario_class, __VA_ARGS__)
static const struct schema_key class_keys[] = {
    SCHEMA_NAME(struct scenario_class),
    CLASS_KEY("length", SIZE, OPTIONAL, length_m, 1, 1e5),
    CLASS_KEY("mass", MASS, OPTIONAL, mass_t, 0.001, 1e9),
    CLASS_KEY("cargo", COUNT, OPTIONAL, cargo_t, 0, 1e9),
    CLASS_KEY("speed", SPEED, REQUIRED, speed, 0.001, 1e6),
    CLASS_KEY("acceleration", ACCELERATION, REQUIRED, acceleration, 1e-6, 1e6),
    CLASS_KEY("arrival", DISTANCE, OPTIONAL, arrival, 0.001, 1e6),
};

static const struct schema class_schema = {.what = "a class",
                                           .size = sizeof(struct scenario_class),
                                           .key_count = COUNT_OF(class_keys),
                                           .keys = class_keys,
                                           .defaults = &class_defaults};

/* ---- Fleets ---- */

static void read_route(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_route *route = field;
    struct names names = station_names(scenario_of(reader));
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
        read_reference(reader, item, &names, &route->stations[route->count++]);
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
    scenario->ship_count += fleet->count;
    if (scenario->ship_count > SCENARIO_SHIPS_MAX)
        schema_error(reader, node, "too many ships", "%d in all fleets", SCENARIO_SHIPS_MAX);
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
                                                     .rest_ns = 1 * ALDIS_MINUTE};

#define FLEET_KEY(...) SCHEMA_KEY(struct scenario_fleet, __VA_ARGS__)
static const struct schema_key fleet_keys[] = {
    SCHEMA_NAME(struct scenario_fleet),
    SCHEMA_CUSTOM(struct scenario_fleet, "class", REQUIRED, class, read_class_reference),
    FLEET_KEY("count", COUNT, REQUIRED, count, 1, SCENARIO_SHIPS_MAX),
    SCHEMA_CUSTOM(struct scenario_fleet, "route", REQUIRED, route, read_route),
    FLEET_KEY("departure", TIME, OPTIONAL, departure_ns, 0, 30 * DAY_S),
    FLEET_KEY("rest", TIME, OPTIONAL, rest_ns, 0, 30 * DAY_S),
};

static const struct schema fleet_schema = {.what = "a fleet",
                                           .size = sizeof(struct scenario_fleet),
                                           .key_count = COUNT_OF(fleet_keys),
                                           .keys = fleet_keys,
                                           .defaults = &fleet_defaults,
                                           .check = check_fleet};

/* ---- Hazards and the market ---- */

#define HAZARD_WORD(name) #name,
static const char *const hazard_words[] = {SCENARIO_HAZARD_KINDS(HAZARD_WORD) NULL};
#undef HAZARD_WORD

static const struct scenario_hazard hazard_defaults = {.radius = 100, .life_ns = 2 * ALDIS_MINUTE};

#define HAZARD_KEY(...) SCHEMA_KEY(struct scenario_hazard, __VA_ARGS__)
static const struct schema_key hazard_keys[] = {
    SCHEMA_WORD(struct scenario_hazard, "kind", REQUIRED, kind, hazard_words),
    HAZARD_KEY("every", TIME, REQUIRED, every_ns, 0.001, 3650 * DAY_S),
    HAZARD_KEY("life", TIME, OPTIONAL, life_ns, 0.001, 3650 * DAY_S),
    HAZARD_KEY("radius", DISTANCE, OPTIONAL, radius, 0.001, 1e6),
    HAZARD_KEY("count", COUNT, OPTIONAL, count, 1, 1e6),
};

static const struct schema hazard_schema = {.what = "a hazard",
                                            .size = sizeof(struct scenario_hazard),
                                            .key_count = COUNT_OF(hazard_keys),
                                            .keys = hazard_keys,
                                            .defaults = &hazard_defaults};

static void check_commodity(struct schema_reader *reader, const struct yaml_node *node,
                            void *object)
{
    const struct scenario_commodity *commodity = object;
    if (commodity->swing >= commodity->price)
        schema_error(reader, node, "a swing as large as the price",
                     "less than it, so that no price is 0");
}

#define COMMODITY_KEY(...) SCHEMA_KEY(struct scenario_commodity, __VA_ARGS__)
static const struct schema_key commodity_keys[] = {
    SCHEMA_NAME(struct scenario_commodity),
    COMMODITY_KEY("price", COUNT, REQUIRED, price, 1, 1e9),
    COMMODITY_KEY("swing", COUNT, OPTIONAL, swing, 0, 1e9),
};

static const struct schema commodity_schema = {.what = "a commodity",
                                               .size = sizeof(struct scenario_commodity),
                                               .key_count = COUNT_OF(commodity_keys),
                                               .keys = commodity_keys,
                                               .check = check_commodity};

#define MARKET_KEY(...) SCHEMA_KEY(struct scenario_market, __VA_ARGS__)
static const struct schema_key market_keys[] = {
    MARKET_KEY("update", TIME, REQUIRED, update_ns, 0.001, 3650 * DAY_S),
    SCHEMA_LIST(struct scenario_market, "commodities", REQUIRED, commodities, &commodity_schema, 1,
                SCENARIO_COMMODITIES_MAX),
};

static const struct schema market_schema = {.what = "the market",
                                            .size = sizeof(struct scenario_market),
                                            .key_count = COUNT_OF(market_keys),
                                            .keys = market_keys};

/* ---- The whole ---- */

/* Distances that follow may be in AU. */
static void read_units_per_au(struct schema_reader *reader, const struct yaml_node *node,
                              void *field)
{
    static const struct schema_key key = {.kind = VALUE_NUMBER, .min = 0.001, .max = 1e9};
    double *units = field;
    schema_read_value(reader, &key, node, units);
    if (*units > 0)
        reader->units_per_au = *units;
}

static const struct scenario scenario_defaults = {.tick_ns = 1 * ALDIS_SECOND,
                                                  .lookahead_ns = 100 * ALDIS_MS};

/* They are read in this order, not the file's: names before what refers to them. */
#define KEY(...) SCHEMA_KEY(struct scenario, __VA_ARGS__)
static const struct schema_key scenario_keys[] = {
    SCHEMA_NAME(struct scenario),
    KEY("seed", SEED, OPTIONAL, seed, 0, 0),
    KEY("duration", TIME, REQUIRED, duration_ns, 0.001, 3650 * DAY_S),
    KEY("tick", TIME, OPTIONAL, tick_ns, 0.001, 3600),
    KEY("lookahead", TIME, OPTIONAL, lookahead_ns, 1e-6, 10),
    KEY("epoch", TIME, OPTIONAL, epoch_ns, -36525 * DAY_S, 36525 * DAY_S),
    SCHEMA_CUSTOM(struct scenario, "units_per_AU", REQUIRED, units_per_au, read_units_per_au),
    SCHEMA_LIST(struct scenario, "bodies", REQUIRED, bodies, &body_schema, 1, 256),
    SCHEMA_LIST(struct scenario, "stations", REQUIRED, stations, &station_schema, 2,
                SCENARIO_STATIONS_MAX),
    SCHEMA_LIST(struct scenario, "classes", REQUIRED, classes, &class_schema, 1, 64),
    SCHEMA_LIST(struct scenario, "fleets", REQUIRED, fleets, &fleet_schema, 1, 256),
    SCHEMA_LIST(struct scenario, "hazards", OPTIONAL, hazards, &hazard_schema, 0, 64),
    SCHEMA_MAP(struct scenario, "market", OPTIONAL, market, &market_schema),
};

static const struct schema scenario_schema = {.what = "a scenario",
                                              .size = sizeof(struct scenario),
                                              .key_count = COUNT_OF(scenario_keys),
                                              .keys = scenario_keys,
                                              .defaults = &scenario_defaults};

static enum scenario_status read_tree(const struct yaml_tree *tree, struct scenario *scenario,
                                      struct scenario_errors *errors)
{
    struct schema_reader reader = {.errors = errors, .units_per_au = 1, .context = scenario};
    schema_read(&reader, &scenario_schema, yaml_tree_root(tree), scenario);
    if (reader.no_memory)
        return SCENARIO_NO_MEMORY;
    return errors->count > 0 ? SCENARIO_BAD : SCENARIO_OK;
}

static enum scenario_status parse(const char *text, size_t size, struct scenario **out_scenario,
                                  struct scenario_errors *errors)
{
    struct yaml_tree *tree;
    enum scenario_status status = yaml_tree_parse(text, size, &tree, errors);
    if (status != SCENARIO_OK)
        return status;
    struct scenario *scenario = calloc(1, sizeof *scenario);
    status = scenario ? read_tree(tree, scenario, errors) : SCENARIO_NO_MEMORY;
    yaml_tree_destroy(tree);
    if (status != SCENARIO_OK) {
        scenario_destroy(scenario);
        return status;
    }
    *out_scenario = scenario;
    return SCENARIO_OK;
}

static enum scenario_status finish(enum scenario_status status, struct scenario_errors *errors)
{
    if (status == SCENARIO_NO_MEMORY)
        errors_add(errors, 0, 0, "out of memory");
    errors_sort(errors);
    return status;
}

enum scenario_status scenario_parse(const char *name, const char *text, size_t size,
                                    struct scenario **out_scenario, struct scenario_errors *errors)
{
    *out_scenario = NULL;
    *errors = (struct scenario_errors){.path = name};
    return finish(parse(text, size, out_scenario, errors), errors);
}

/* Read at most max bytes and one more, to tell a file that is longer. */
static bool read_all(int file, char *buffer, size_t max, size_t *out_size)
{
    size_t size = 0;
    while (size <= max) {
        ssize_t got = read(file, buffer + size, max + 1 - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *out_size = size;
    return true;
}

static enum scenario_status load_open(int file, struct scenario **out_scenario,
                                      struct scenario_errors *errors)
{
    struct stat info;
    if (fstat(file, &info) != 0) {
        errors_add(errors, 0, 0, "cannot be read: %s", strerror(errno));
        return SCENARIO_NO_INPUT;
    }
    if (!S_ISREG(info.st_mode)) {
        errors_add(errors, 0, 0, "found a %s, allowed: a regular file",
                   S_ISDIR(info.st_mode) ? "directory" : "pipe or device");
        return SCENARIO_NO_INPUT;
    }
    char *buffer = malloc(YAML_BYTES_MAX + 1);
    if (!buffer)
        return SCENARIO_NO_MEMORY;
    size_t size;
    enum scenario_status status = SCENARIO_NO_INPUT;
    if (read_all(file, buffer, YAML_BYTES_MAX, &size))
        status = parse(buffer, size, out_scenario, errors);
    else
        errors_add(errors, 0, 0, "cannot be read: %s", strerror(errno));
    free(buffer);
    return status;
}

enum scenario_status scenario_load(const char *path, struct scenario **out_scenario,
                                   struct scenario_errors *errors)
{
    *out_scenario = NULL;
    *errors = (struct scenario_errors){.path = path};
    /* O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        errors_add(errors, 0, 0, "cannot be opened: %s", strerror(errno));
        return SCENARIO_NO_INPUT;
    }
    enum scenario_status status = load_open(file, out_scenario, errors);
    close(file);
    return finish(status, errors);
}

void scenario_destroy(struct scenario *scenario)
{
    if (!scenario)
        return;
    schema_free(&scenario_schema, scenario);
    free(scenario);
}
