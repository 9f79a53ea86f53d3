// SPDX-License-Identifier: Apache-2.0
/* import.c: `aldis import SYSTEMS.csv`: makes a scenario of a map. Layer: cli. */
#include "../space/errors.h"

#include "command.h"
#include "csv.h"
#include "nearest.h"
#include "output.h"
#include "values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYSTEMS_MAX = 2048, LINKS_MAX = 250, GOODS_MAX = 16, SCALE = 10 };

struct system_row {
    char name[64];
    double x, y, z;
    double price[GOODS_MAX]; /* 0: it trades none of it */
};

struct link_row {
    uint32_t from, to;
};

struct map {
    const char *systems_path, *links_path, *prices_path;
    struct system_row *systems;
    struct link_row *links;
    char goods[GOODS_MAX][64];
    uint32_t system_count, link_count, good_count;
    uint32_t merged; /* rows at the place of an earlier one */
    double size;     /* u: the largest distance from the first system */
};

enum { OPTION_LINKS = 256, OPTION_PRICES };
static const struct argp_option options[] = {
    {.name = "links",
     .key = OPTION_LINKS,
     .arg = "FILE",
     .doc = "Links between systems: columns from and to; ships go along them"},
    {.name = "prices",
     .key = OPTION_PRICES,
     .arg = "FILE",
     .doc = "Prices: columns system, commodity and price"},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct map *map = state->input;
    if (key == OPTION_LINKS)
        map->links_path = value;
    else if (key == OPTION_PRICES)
        map->prices_path = value;
    else if (key == ARGP_KEY_ARG && map->systems_path)
        argp_error(state, "one FILE is allowed, found '%s' too", value);
    else if (key == ARGP_KEY_ARG)
        map->systems_path = value;
    else if (key == ARGP_KEY_END && !map->systems_path)
        argp_error(state, "a FILE is missing");
    else if (key != ARGP_KEY_INIT && key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_child children[] = {{.argp = &command_shared_argp}, {0}};
static const struct argp import_argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Make a scenario of a map: FILE has a row for each system, with the columns name, x, y "
           "and z (or x_pc and so on; 10 u for each 1 of them). The scenario goes to standard "
           "output.\v"
           "Rows at one place are one system. Each bad row is told with its line and column, and "
           "then nothing is written.\n\n"
           "Status 0: made. 64: the command line is wrong. 65: a file's content is wrong. 66: it "
           "cannot be read. 71: no memory. "
           "74: the scenario cannot be written.",
    .children = children,
};

/* ---- Reading ---- */

static bool find_columns(struct csv *csv, const char *const *names, uint32_t *columns,
                         uint32_t count)
{
    bool all = true;
    for (uint32_t i = 0; i < count; i++) {
        char text[96];
        bool found = csv_column(csv, names[i], &columns[i]), again = false;
        for (uint32_t j = found ? columns[i] + 1 : csv->name_count; j < csv->name_count; j++)
            again = again || strcmp(csv->names[j], csv->names[columns[i]]) == 0;
        if (found && !again)
            continue;
        snprintf(text, sizeof text,
                 found ? "found two columns \"%s\", allowed: one" : "there is no column \"%s\"",
                 names[i]);
        csv_error(csv, UINT32_MAX, text);
        all = false;
    }
    return all;
}

/* x_pc beside y_ly would be a map of no scale. */
static void check_units(struct csv *csv, const uint32_t *columns)
{
    const char *unit = csv->names[columns[0]] + 1;
    for (uint32_t i = 1; i < 3; i++) {
        char text[192];
        const char *other = csv->names[columns[i]];
        if (strcmp(other + 1, unit) == 0)
            continue;
        snprintf(text, sizeof text,
                 "found column \"%.60s\", allowed: \"%c%.60s\", in the unit of x", other, *other,
                 unit);
        csv_error(csv, UINT32_MAX, text);
    }
}

static uint32_t find_system(const struct map *map, const char *name)
{
    uint32_t i = 0;
    while (i < map->system_count && strcmp(map->systems[i].name, name) != 0)
        i++;
    return i;
}

/* The system that a field names; false: there is none, and that was told. */
static bool name_system(const struct map *map, struct csv *csv, uint32_t field, uint32_t *out)
{
    const char *name = csv->fields[field];
    struct nearest nearest = {0};
    *out = find_system(map, name);
    if (*out < map->system_count)
        return true;
    for (uint32_t i = 0; i < map->system_count; i++)
        nearest_offer(&nearest, name, map->systems[i].name);
    char text[256], quote[ERRORS_QUOTE_BYTES];
    snprintf(text, sizeof text, "found %s, allowed: the name of a system%s%s%s",
             errors_quote(quote, name, strlen(name)), nearest.word ? " (did you mean \"" : "",
             nearest.word ? nearest.word : "", nearest.word ? "\"?)" : "");
    csv_error(csv, field, text);
    return false;
}

static bool is_there(const struct map *map, const struct system_row *row)
{
    for (uint32_t i = 0; i < map->system_count; i++) {
        const struct system_row *other = &map->systems[i];
        if (other->x == row->x && other->y == row->y && other->z == row->z)
            return true;
    }
    return false;
}

static void add_system(struct map *map, struct csv *csv, const uint32_t columns[4])
{
    struct system_row row = {.x = 0};
    double *const place[] = {&row.x, &row.y, &row.z};
    bool good = csv_name(csv, columns[0]);
    for (uint32_t i = 0; i < 3; i++)
        good = csv_number(csv, columns[i + 1], place[i]) && good;
    if (!good)
        return;
    for (uint32_t i = 0; i < 3; i++) {
        *place[i] *= SCALE;
        if (fabs(*place[i]) > 1e9) {
            csv_error(csv, columns[i + 1], "found a place too far, allowed: up to 1e8");
            return;
        }
    }
    snprintf(row.name, sizeof row.name, "%s", csv->fields[columns[0]]);
    if (is_there(map, &row)) {
        map->merged++;
    } else if (find_system(map, row.name) < map->system_count) {
        csv_error(csv, columns[0], "found a name again, at another place");
    } else if (map->system_count == SYSTEMS_MAX) {
        csv_error(csv, columns[0], "found one system more, allowed: 2048");
    } else {
        map->systems[map->system_count++] = row;
    }
}

static void add_link(struct map *map, struct csv *csv, const uint32_t columns[2])
{
    uint32_t ends[2];
    bool good = name_system(map, csv, columns[0], &ends[0]);
    if (!name_system(map, csv, columns[1], &ends[1]) || !good)
        return;
    if (ends[0] == ends[1])
        csv_error(csv, columns[1], "found a link from a system to itself");
    else if (map->link_count == LINKS_MAX)
        csv_error(csv, columns[0], "found one link more, allowed: 250");
    else
        map->links[map->link_count++] = (struct link_row){ends[0], ends[1]};
}

static void add_price(struct map *map, struct csv *csv, const uint32_t columns[3])
{
    double price;
    uint32_t system, good = 0;
    if (!name_system(map, csv, columns[0], &system))
        return;
    if (!csv_name(csv, columns[1]) || !csv_number(csv, columns[2], &price))
        return;
    while (good < map->good_count && strcmp(map->goods[good], csv->fields[columns[1]]) != 0)
        good++;
    if (price < 1 || price > 1e6) {
        csv_error(csv, columns[2], "found a price that cannot be, allowed: 1 to 1000000 credits");
    } else if (good == GOODS_MAX) {
        csv_error(csv, columns[1], "found one commodity more, allowed: 16");
    } else if (good < map->good_count && map->systems[system].price[good] > 0) {
        csv_error(csv, columns[2], "found a second price of this commodity here, allowed: one");
    } else {
        if (good == map->good_count)
            snprintf(map->goods[map->good_count++], 64, "%.60s", csv->fields[columns[1]]);
        map->systems[system].price[good] = price;
    }
}

typedef void (*row_reader)(struct map *map, struct csv *csv, const uint32_t *columns);

static int read_rows(struct map *map, const char *path, const char *const *names, uint32_t count,
                     row_reader read)
{
    static struct csv csv;
    uint32_t columns[4];
    int status = csv_open(&csv, path);
    if (status == EXIT_GOOD && find_columns(&csv, names, columns, count)) {
        if (read == add_system)
            check_units(&csv, columns + 1);
        while (csv_next(&csv))
            read(map, &csv, columns);
    }
    if (status == EXIT_GOOD && csv.errors > 0)
        status = EXIT_BAD_CONTENT;
    csv_close(&csv);
    return status;
}

static int read_map(struct map *map)
{
    static const char *const systems[] = {"name", "x", "y", "z"};
    static const char *const links[] = {"from", "to"};
    static const char *const prices[] = {"system", "commodity", "price"};
    int status = read_rows(map, map->systems_path, systems, 4, add_system);
    if (status == EXIT_GOOD && map->system_count < 2) {
        fprintf(stderr, "%s: found %u systems, allowed: 2 or more\n", map->systems_path,
                map->system_count);
        status = EXIT_BAD_CONTENT;
    }
    if (status == EXIT_GOOD && map->links_path)
        status = read_rows(map, map->links_path, links, 2, add_link);
    if (status == EXIT_GOOD && map->prices_path)
        status = read_rows(map, map->prices_path, prices, 3, add_price);
    return status;
}

/* ---- Writing ---- */

static void print_name(const char *name)
{
    putchar('"');
    for (const char *at = name; *at; at++)
        printf(*at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
    putchar('"');
}

static void print_places(const struct map *map)
{
    printf("bodies:\n  - name: \"(middle)\"\n");
    for (uint32_t i = 0; i < map->system_count; i++) {
        const struct system_row *row = &map->systems[i];
        double x = row->x == 0 && row->y == 0 && row->z == 0 ? 1e-6 : row->x;
        printf("  - name: ");
        print_name(row->name);
        printf("\n    at: [%.9g u, %.9g u, %.9g u]\n", x, row->y, row->z);
    }
}

/* The middle of a commodity's prices, and how far they reach from it. */
static void middle_of(const struct map *map, uint32_t good, uint32_t *out_price,
                      uint32_t *out_swing)
{
    double low = 1e9, high = 0;
    for (uint32_t i = 0; i < map->system_count; i++) {
        double price = map->systems[i].price[good];
        if (price > 0 && price < low)
            low = price;
        if (price > high)
            high = price;
    }
    *out_price = (uint32_t)((low + high) / 2 + 0.5);
    *out_swing = (uint32_t)((high - low) / 2 * 1.25 + 1);
    if (*out_swing >= *out_price)
        *out_swing = *out_price - 1;
}

/* A stock at which the station's price is the one of the file. */
static void print_goods(const struct map *map, const struct system_row *row)
{
    printf("    goods:");
    bool any = false;
    for (uint32_t i = 0; i < map->good_count; i++) {
        uint32_t price, swing;
        if (row->price[i] <= 0)
            continue;
        middle_of(map, i, &price, &swing);
        double part = swing > 0 ? ((double)price - row->price[i]) / swing : 0;
        printf("%s      - {commodity: ", any ? "" : "\n");
        print_name(map->goods[i]);
        printf(", target: 1000, stock: %.0f}\n", 1000 * (1 + part));
        any = true;
    }
    if (!any)
        printf(" []\n");
}

static void print_stations(const struct map *map)
{
    printf("\nstations:\n");
    for (uint32_t i = 0; i < map->system_count; i++) {
        char port[80];
        snprintf(port, sizeof port, "%s Port", map->systems[i].name);
        printf("  - name: ");
        print_name(port);
        printf("\n    body: ");
        print_name(map->systems[i].name);
        printf("\n    berths: 8\n    large_berths: 2\n    service: 30 s\n");
        if (map->good_count > 0)
            print_goods(map, &map->systems[i]);
    }
}

static void print_market(const struct map *map)
{
    if (map->good_count == 0)
        return;
    printf("market:\n  update: 30 s\n  commodities:\n");
    for (uint32_t i = 0; i < map->good_count; i++) {
        uint32_t price, swing;
        middle_of(map, i, &price, &swing);
        printf("    - {name: ");
        print_name(map->goods[i]);
        printf(", price: %" PRIu32 ", swing: %" PRIu32 "}\n", price, swing);
    }
    putchar('\n');
}

static void print_fleets(const struct map *map)
{
    /* From end to end in ten minutes, and half as far again with a full tank. */
    double size = map->size > 1 ? map->size : 1, speed = 2 * size / 600;
    printf(
        "\nclasses:\n  - {name: merchant, speed: %.6g u/s, acceleration: %.6g u/s2, burn: %.6g}\n",
        speed < 1 ? 1 : speed, speed < 1 ? 0.1 : speed / 10, 1 / (3 * size));
    printf("\nfleets:\n");
    for (uint32_t i = 0; i < map->link_count; i++) {
        char from[80], to[80];
        snprintf(from, sizeof from, "%s Port", map->systems[map->links[i].from].name);
        snprintf(to, sizeof to, "%s Port", map->systems[map->links[i].to].name);
        printf("  - {name: link-%" PRIu32 ", class: merchant, count: 4, route: [", i + 1);
        print_name(from);
        printf(", ");
        print_name(to);
        printf("]}\n");
    }
    if (map->link_count == 0)
        printf("  - {name: traders, class: merchant, count: %" PRIu32 ", route: random}\n",
               map->system_count * 2);
}

static void print_map(struct map *map)
{
    for (uint32_t i = 0; i < map->system_count; i++) {
        const struct system_row *a = &map->systems[0], *b = &map->systems[i];
        double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
        map->size = fmax(map->size, sqrt(dx * dx + dy * dy + dz * dz));
    }
    printf("# Made by aldis import: %" PRIu32 " systems, %" PRIu32 " links, %" PRIu32
           " goods; %d u for each 1 of the map.\n\n",
           map->system_count, map->link_count, map->good_count, SCALE);
    printf("name: imported\nseed: 1\nduration: 1 h\ntick: 1 s\nlookahead: 100 ms\n"
           "units_per_AU: 1000\n\n");
    print_market(map);
    print_places(map);
    print_stations(map);
    print_fleets(map);
}

int command_import(int argc, char **argv)
{
    struct map map = {.systems_path = NULL};
    command_parse(&import_argp, argc, argv, 0, &map);
    map.systems = calloc(SYSTEMS_MAX, sizeof *map.systems);
    map.links = calloc(LINKS_MAX, sizeof *map.links);
    int status = map.systems && map.links ? read_map(&map) : EXIT_SYSTEM;
    if (status == EXIT_GOOD) {
        print_map(&map);
        fprintf(stderr,
                "%s: %" PRIu32 " systems; %" PRIu32 " of the rows at the place of another\n",
                map.systems_path, map.system_count, map.merged);
    }
    free(map.systems);
    free(map.links);
    return status;
}
