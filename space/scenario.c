// SPDX-License-Identifier: Apache-2.0
/* scenario.c: the schema of scenario files, and loading them. See space.h and scenario.h. */
#include "errors.h"
#include "scenario_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void require_list(struct schema_reader *reader, const struct yaml_node *node,
                         const char *key, uint32_t found, uint32_t min)
{
    const struct schema_path *outer = reader->path;
    struct schema_path path = {.up = outer->up, .key = key};
    reader->path = &path;
    if (found < min)
        schema_error(reader, node, found == 0 ? NULL : "one",
                     "a list of %u to 4096 entries (or a galaxy: that makes them)", min);
    reader->path = outer;
}

/* Called whether there is a galaxy or not: without one the bodies and stations are needed. */
static void read_galaxy(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario *scenario = scenario_of(reader);
    bool given = node->kind != YAML_IS_SCALAR || node->size > 0;
    if (!given) {
        require_list(reader, node, "bodies", scenario->bodies.count, 1);
        require_list(reader, node, "stations", scenario->stations.count, 2);
        return;
    }
    uint32_t before = reader->errors->count;
    schema_read(reader, &galaxy_schema, node, field);
    if (reader->errors->count == before && !galaxy_make(scenario))
        reader->no_memory = true;
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
    SCHEMA_MAP(struct scenario, "market", OPTIONAL, market, &market_schema),
    SCHEMA_LIST(struct scenario, "bodies", OPTIONAL, bodies, &body_schema, 1, SCENARIO_BODIES_MAX),
    SCHEMA_LIST(struct scenario, "stations", OPTIONAL, stations, &station_schema, 1,
                SCENARIO_STATIONS_MAX),
    SCHEMA_CUSTOM(struct scenario, "galaxy", REQUIRED, galaxy, read_galaxy),
    SCHEMA_LIST(struct scenario, "classes", REQUIRED, classes, &class_schema, 1, 64),
    SCHEMA_LIST(struct scenario, "fleets", REQUIRED, fleets, &fleet_schema, 1, 256),
    SCHEMA_LIST(struct scenario, "hazards", OPTIONAL, hazards, &hazard_schema, 0,
                SCENARIO_HAZARDS_MAX),
    SCHEMA_LIST(struct scenario, "weather", OPTIONAL, weather, &weather_schema, 0,
                SCENARIO_WEATHER_MAX),
    SCHEMA_MAP(struct scenario, "rescue", OPTIONAL, rescue, &rescue_schema),
    SCHEMA_MAP(struct scenario, "traffic", OPTIONAL, traffic, &traffic_schema),
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
