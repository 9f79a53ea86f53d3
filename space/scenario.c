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

/* What is included was put into the tree before. */
static void read_nothing(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    (void)reader;
    (void)node;
    (void)field;
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
    SCHEMA_CUSTOM(struct scenario, "include", OPTIONAL, name, read_nothing),
    KEY("seed", SEED, OPTIONAL, seed, 0, 0),
    KEY("duration", TIME, REQUIRED, duration_ns, 0.001, 3650 * DAY_S),
    KEY("tick", TIME, OPTIONAL, tick_ns, 0.001, 3600),
    KEY("lookahead", TIME, OPTIONAL, lookahead_ns, 1e-6, 10),
    KEY("epoch", TIME, OPTIONAL, epoch_ns, -36525 * DAY_S, 36525 * DAY_S),
    SCHEMA_CUSTOM(struct scenario, "units_per_AU", REQUIRED, units_per_au, read_units_per_au),
    SCHEMA_CUSTOM(struct scenario, "minds", OPTIONAL, minds, read_minds),
    SCHEMA_MAP(struct scenario, "market", OPTIONAL, market, &market_schema),
    SCHEMA_LIST(struct scenario, "bodies", OPTIONAL, bodies, &body_schema, 1, SCENARIO_BODIES_MAX),
    SCHEMA_LIST(struct scenario, "stations", OPTIONAL, stations, &station_schema, 1,
                SCENARIO_STATIONS_MAX),
    SCHEMA_CUSTOM(struct scenario, "galaxy", REQUIRED, galaxy, read_galaxy),
    SCHEMA_LIST(struct scenario, "classes", REQUIRED, classes, &class_schema, 1, 64),
    SCHEMA_LIST(struct scenario, "fleets", REQUIRED, fleets, &fleet_schema, 1, SCENARIO_FLEETS_MAX),
    SCHEMA_LIST(struct scenario, "hazards", OPTIONAL, hazards, &hazard_schema, 0,
                SCENARIO_HAZARDS_MAX),
    SCHEMA_LIST(struct scenario, "weather", OPTIONAL, weather, &weather_schema, 0,
                SCENARIO_WEATHER_MAX),
    SCHEMA_MAP(struct scenario, "rescue", OPTIONAL, rescue, &rescue_schema),
    SCHEMA_MAP(struct scenario, "traffic", OPTIONAL, traffic, &traffic_schema),
    SCHEMA_MAP(struct scenario, "signals", OPTIONAL, signals, &signals_schema),
    SCHEMA_MAP(struct scenario, "limits", OPTIONAL, limits, &limits_schema),
    SCHEMA_CUSTOM(struct scenario, "faults", OPTIONAL, faults, read_faults),
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

#define CONTENT_START 0xcbf29ce484222325u

/* Where a file comes from, and what changes it. */
struct source {
    const char *path; /* NULL: text in memory */
    const char *const *settings;
    size_t count;
    uint64_t *content; /* the digest so far */
};

/* FNV-1a, 64 bits (Fowler, Noll, Vo). It tells a changed scenario from an unchanged one; it resists
 * nobody who wants to deceive it. */
static void digest_text(uint64_t *content, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *content = (*content ^ (unsigned char)text[i]) * 0x00000100000001b3u;
    *content = (*content ^ 0xffu) * 0x00000100000001b3u; /* the end: no text holds this byte */
}

static enum scenario_status read_file(const char *path, bool follow, char **out_text,
                                      size_t *out_size, struct scenario_errors *errors);

/* One file of the scenario's own folder. */
static enum scenario_status include_file(struct yaml_tree *tree, const struct yaml_node *name,
                                         const struct source *source,
                                         struct scenario_errors *errors)
{
    const char *path = source->path;
    char quote[ERRORS_QUOTE_BYTES], whole[4096];
    bool plain = name->kind == YAML_IS_SCALAR && name->size > 0 && !strchr(name->text, '/') &&
                 name->text[0] != '.' && text_is_printable(name->text, name->size);
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    if (!plain ||
        snprintf(whole, sizeof whole, "%.*s%s", folder, path, name->text) >= (int)sizeof whole) {
        errors_add(errors, name->line, name->column,
                   "include: found %s, allowed: the name of a file in the same folder",
                   name->kind == YAML_IS_SCALAR ? errors_quote(quote, name->text, name->size)
                                                : "no name");
        return SCENARIO_BAD;
    }
    char *text;
    size_t size;
    struct yaml_tree *included = NULL;
    errors->file = errors_add_file(errors, whole);
    enum scenario_status status = read_file(whole, false, &text, &size, errors);
    if (status == SCENARIO_NO_INPUT) {
        errors->file = 0;
        errors_add(errors, name->line, name->column,
                   "include: found %s, allowed: a file that can be read",
                   errors_quote(quote, name->text, name->size));
    }
    if (status != SCENARIO_OK)
        return status;
    digest_text(source->content, text, size);
    status = yaml_tree_parse(text, size, &included, errors);
    free(text);
    const struct yaml_node *root = status == SCENARIO_OK ? yaml_tree_root(included) : NULL;
    const struct yaml_node *again = root ? yaml_map_find(root, "include") : NULL;
    if (root && root->kind != YAML_IS_MAP) {
        errors_add(errors, root->line, root->column, "allowed: a mapping of keys of a scenario");
        status = SCENARIO_BAD;
    }
    if (again) {
        errors_add(errors, again->line, again->column,
                   "found an include, allowed: none in a file that is included");
        status = SCENARIO_BAD;
    }
    if (status == SCENARIO_OK)
        yaml_tree_include(tree, included);
    else
        yaml_tree_destroy(included);
    return status;
}

static enum scenario_status include_all(struct yaml_tree *tree, const struct source *source,
                                        struct scenario_errors *errors)
{
    const struct yaml_node *list = yaml_map_find(yaml_tree_root(tree), "include");
    enum scenario_status status = SCENARIO_OK;
    if (!list)
        return SCENARIO_OK;
    if (!source->path || list->kind != YAML_IS_LIST || list->count > SCENARIO_INCLUDES_MAX) {
        errors_add(errors, list->line, list->column,
                   "include: allowed: a list of up to %d files, in a file", SCENARIO_INCLUDES_MAX);
        return SCENARIO_BAD;
    }
    for (const struct yaml_node *name = list->first; name && status == SCENARIO_OK;
         name = name->next)
        status = include_file(tree, name, source, errors);
    if (status == SCENARIO_OK)
        errors->file = 0;
    return status;
}

static enum scenario_status prepare(struct yaml_tree *tree, const struct source *source,
                                    struct scenario_errors *errors)
{
    enum scenario_status status = include_all(tree, source, errors);
    for (size_t i = 0; status == SCENARIO_OK && i < source->count; i++)
        status = yaml_tree_set(tree, source->settings[i], errors);
    for (size_t i = 0; i < source->count; i++)
        digest_text(source->content, source->settings[i], strlen(source->settings[i]));
    return status;
}

static enum scenario_status parse(const char *text, size_t size, const struct source *source,
                                  struct scenario **out_scenario, struct scenario_errors *errors)
{
    struct yaml_tree *tree;
    digest_text(source->content, text, size);
    enum scenario_status status = yaml_tree_parse(text, size, &tree, errors);
    if (status != SCENARIO_OK)
        return status;
    struct scenario *scenario = calloc(1, sizeof *scenario);
    status = scenario ? prepare(tree, source, errors) : SCENARIO_NO_MEMORY;
    if (status == SCENARIO_OK)
        status = read_tree(tree, scenario, errors);
    yaml_tree_destroy(tree);
    if (status != SCENARIO_OK) {
        scenario_destroy(scenario);
        return status;
    }
    scenario->content = *source->content;
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
    uint64_t content = CONTENT_START;
    const struct source source = {.content = &content};
    return finish(parse(text, size, &source, out_scenario, errors), errors);
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

static enum scenario_status read_open(int file, char **out_text, size_t *out_size,
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
    if (!read_all(file, buffer, YAML_BYTES_MAX, out_size)) {
        errors_add(errors, 0, 0, "cannot be read: %s", strerror(errno));
        free(buffer);
        return SCENARIO_NO_INPUT;
    }
    *out_text = buffer;
    return SCENARIO_OK;
}

/* follow: through symbolic links, which could lead out of the folder. */
static enum scenario_status read_file(const char *path, bool follow, char **out_text,
                                      size_t *out_size, struct scenario_errors *errors)
{
    /* O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. */
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow ? 0 : O_NOFOLLOW);
    int file = open(path, flags);
    if (file < 0) {
        errors_add(errors, 0, 0, "cannot be opened: %s", strerror(errno));
        return SCENARIO_NO_INPUT;
    }
    enum scenario_status status = read_open(file, out_text, out_size, errors);
    close(file);
    return status;
}

enum scenario_status scenario_read_file(const char *path, char **out_text, size_t *out_size,
                                        struct scenario_errors *errors)
{
    return read_file(path, true, out_text, out_size, errors);
}

enum scenario_status scenario_load_with(const char *path, const char *const *settings, size_t count,
                                        struct scenario **out_scenario,
                                        struct scenario_errors *errors)
{
    uint64_t content = CONTENT_START;
    const struct source source = {
        .path = path, .settings = settings, .count = count, .content = &content};
    char *text = NULL;
    size_t size;
    *out_scenario = NULL;
    *errors = (struct scenario_errors){.path = path};
    enum scenario_status status = read_file(path, true, &text, &size, errors);
    if (status == SCENARIO_OK)
        status = parse(text, size, &source, out_scenario, errors);
    free(text);
    return finish(status, errors);
}

enum scenario_status scenario_load(const char *path, struct scenario **out_scenario,
                                   struct scenario_errors *errors)
{
    return scenario_load_with(path, NULL, 0, out_scenario, errors);
}

aldis_ns scenario_duration(const struct scenario *scenario)
{
    return scenario->duration_ns;
}

uint32_t scenario_ship_count(const struct scenario *scenario)
{
    return scenario->ship_count;
}

uint64_t scenario_content(const struct scenario *scenario)
{
    return scenario->content;
}

void scenario_destroy(struct scenario *scenario)
{
    if (!scenario)
        return;
    schema_free(&scenario_schema, scenario);
    free(scenario->minds.items);
    scenario_faults_fini(&scenario->faults);
    free(scenario);
}
