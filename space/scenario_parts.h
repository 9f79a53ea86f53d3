// SPDX-License-Identifier: Apache-2.0
/* scenario_parts.h: the schemas of the parts of a scenario file, for scenario.c. Layer: space.
 *
 * scenario_places.c: bodies, stations, the galaxy; scenario_ships.c: classes, fleets;
 * scenario_events.c: hazards, weather, market, services; scenario_limits.c: limits;
 * scenario_faults.c: fault plans. */
#ifndef SPACE_SCENARIO_PARTS_H
#define SPACE_SCENARIO_PARTS_H

#include "scenario.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#define DAY_S 86400.0
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/** What a station trades and has unless the file says otherwise. */
#define GOODS_STOCK 1000
#define GOODS_DEFAULT                                                                              \
    {                                                                                              \
        GOODS_STOCK, GOODS_STOCK, 0, 0                                                             \
    }
#define GOODS_DEFAULT_4 GOODS_DEFAULT, GOODS_DEFAULT, GOODS_DEFAULT, GOODS_DEFAULT
#define STATION_TRADE_DEFAULTS                                                                     \
    .credits = 1000000, .fuel = 10000, .fuel_price = 10, .repair_price = 500,                      \
    .repair_ns = 30 * ALDIS_SECOND, .spares = 1000, .quarters = 100,                               \
    .quarters_ns = 60 * ALDIS_SECOND,                                                              \
    .goods = {GOODS_DEFAULT_4, GOODS_DEFAULT_4, GOODS_DEFAULT_4, GOODS_DEFAULT_4}

extern const struct schema body_schema, station_schema, galaxy_schema, class_schema, fleet_schema,
    hazard_schema, weather_schema, market_schema, rescue_schema, traffic_schema, signals_schema,
    limits_schema;

static inline struct scenario *scenario_of(const struct schema_reader *reader)
{
    return reader->context;
}

/** Names stand first in their structs: an array of structs is an array of names, stride apart. */
struct names {
    const char *what, *first;
    size_t stride;
    uint32_t count;
};

/** Read the name of one of them, given above in the file, as its number. */
void read_reference(struct schema_reader *reader, const struct yaml_node *node,
                    const struct names *names, uint32_t *out);

/** The same for a station, a body, a class, a commodity: for tables of keys. */
void read_station_reference(struct schema_reader *reader, const struct yaml_node *node,
                            void *field);
void read_body_reference(struct schema_reader *reader, const struct yaml_node *node, void *field);
void read_class_reference(struct schema_reader *reader, const struct yaml_node *node, void *field);
void read_commodity_reference(struct schema_reader *reader, const struct yaml_node *node,
                              void *field);

/** Read a fault plan into a struct scenario_faults; end it with scenario_faults_fini. */
void read_faults(struct schema_reader *reader, const struct yaml_node *node, void *field);
void scenario_faults_fini(struct scenario_faults *faults);

/** The text of a file, for whoever reads YAML; free it. */
enum scenario_status scenario_read_file(const char *path, char **out_text, size_t *out_size,
                                        struct scenario_errors *errors);

/** mind_load.c: the minds, and the name of one as its number + 1. */
void read_minds(struct schema_reader *reader, const struct yaml_node *node, void *field);
void read_ship_mind(struct schema_reader *reader, const struct yaml_node *node, void *field);
void read_station_mind(struct schema_reader *reader, const struct yaml_node *node, void *field);

/** The line of a node for a warning; 0: it stands in another file, or on the command line. */
static inline uint32_t line_of(const struct yaml_node *node)
{
    return node->file == 0 ? node->line : 0;
}

/** Print the head of a warning, `path:line: warning: `. line 0: it is not known. */
void scenario_warning_begin(const char *path, uint32_t line, FILE *out);

/** The warnings of scenario_places.c about stations, and of limits_text.c about limits; return how
 *  many there are. */
uint32_t stations_warnings_print(const struct scenario *scenario, const char *path, FILE *out);
uint32_t limits_warnings_print(const struct scenario *scenario, const char *path, FILE *out);

/** Make the bodies and stations of scenario->galaxy. false: no memory. */
bool galaxy_make(struct scenario *scenario);

#endif
