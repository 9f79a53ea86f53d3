// SPDX-License-Identifier: Apache-2.0
/* scenario_places.c: bodies and stations in a scenario file, and names that refer to them. See
 * scenario_parts.h. */
#include "errors.h"
#include "scenario_parts.h"

_Static_assert(SCHEMA_NAME_BYTES == SCENARIO_NAME_BYTES, "names are read into these fields");

/* ---- References by name ---- */

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

void read_reference(struct schema_reader *reader, const struct yaml_node *node,
                    const struct names *names, uint32_t *out)
{
    if (node->kind == YAML_IS_SCALAR && find_name(names, node->text, out))
        return;
    const char *nearest = NULL;
    if (node->kind == YAML_IS_SCALAR)
        nearest = schema_nearest(node->text, names->first, names->stride, names->count);
    char list[160] = "";
    for (uint32_t i = 0; i < names->count; i++)
        schema_list(list, sizeof list, names->first + i * names->stride);
    if (nearest)
        schema_error(reader, node, NULL, "the name of a %s above (did you mean \"%s\"?)",
                     names->what, nearest);
    else
        schema_error(reader, node, NULL, "the name of a %s above%s%s", names->what,
                     list[0] ? ": " : "", list);
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

void read_body_reference(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct names names = body_names(scenario_of(reader));
    read_reference(reader, node, &names, field);
}

void read_class_reference(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct names names = class_names(scenario_of(reader));
    read_reference(reader, node, &names, field);
}

void read_station_reference(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct names names = station_names(scenario_of(reader));
    read_reference(reader, node, &names, field);
}

void read_commodity_reference(struct schema_reader *reader, const struct yaml_node *node,
                              void *field)
{
    const struct scenario_market *market = &scenario_of(reader)->market;
    struct names names = {"commodity",
                          market->commodities.count ? market->commodities.items[0].name : NULL,
                          sizeof market->commodities.items[0], market->commodities.count};
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

static void read_at(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    static const struct schema_key key = {.kind = VALUE_DISTANCE, .min = -1e9, .max = 1e9};
    struct vec *at = field;
    double *const parts[] = {&at->x, &at->y, &at->z};
    if (node->kind != YAML_IS_LIST || node->count != 3) {
        schema_error(reader, node, NULL, "three distances: [x, y, z]");
        return;
    }
    const struct schema_path *outer = reader->path;
    uint32_t i = 0;
    for (const struct yaml_node *item = node->first; item; item = item->next, i++) {
        struct schema_path path = {.up = outer, .index = i};
        reader->path = &path;
        schema_read_value(reader, &key, item, parts[i]);
    }
    reader->path = outer;
}

static void check_body(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    struct scenario *scenario = scenario_of(reader);
    struct scenario_body *body = object;
    bool first = body == scenario->bodies.items;
    bool placed = body->at.x != 0 || body->at.y != 0 || body->at.z != 0;
    if (first && (body->moves || placed))
        schema_error(reader, node, body->moves ? "an orbit" : "a place",
                     "none: the first body stands in the middle");
    else if (!first && !body->moves && !placed)
        schema_error(reader, node, "no orbit", "an orbit or a place: only the first body has none");
    else if (body->moves)
        body->orbit = orbit_prepare(&body->elements);
}

static const struct schema_key body_keys[] = {
    SCHEMA_NAME(struct scenario_body),
    SCHEMA_CUSTOM(struct scenario_body, "orbit", OPTIONAL, elements, read_orbit),
    SCHEMA_CUSTOM(struct scenario_body, "at", OPTIONAL, at, read_at),
};

const struct schema body_schema = {.what = "a body",
                                   .size = sizeof(struct scenario_body),
                                   .key_count = COUNT_OF(body_keys),
                                   .keys = body_keys,
                                   .check = check_body};

struct vec scenario_body_position(const struct scenario *scenario, uint32_t body, aldis_ns now_ns)
{
    const struct scenario_body *b = &scenario->bodies.items[body];
    double seconds = (double)scenario->epoch_ns * 1e-9 + (double)now_ns * 1e-9;
    return b->moves ? vec_add(b->at, orbit_position(&b->orbit, seconds)) : b->at;
}

/* ---- Stations ---- */

static void check_station(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    const struct scenario_station *station = object;
    if (station->permission_ns < 2 * station->approach_ns)
        schema_error(reader, node, "a permission shorter than twice the approach",
                     "one that a ship can use: permission >= 2 x approach");
}

#define GOODS_KEY(...) SCHEMA_KEY(struct goods_entry, __VA_ARGS__)

/* One entry of a station's list of goods, before it goes to its commodity's place. */
struct goods_entry {
    uint32_t commodity;
    struct scenario_goods goods;
};

static const struct schema_key goods_keys[] = {
    SCHEMA_CUSTOM(struct goods_entry, "commodity", REQUIRED, commodity, read_commodity_reference),
    GOODS_KEY("stock", COUNT, OPTIONAL, goods.stock, 0, 1e8),
    GOODS_KEY("target", COUNT, OPTIONAL, goods.target, 1, 1e7),
    GOODS_KEY("makes", COUNT, OPTIONAL, goods.makes, 0, 1e6),
    GOODS_KEY("uses", COUNT, OPTIONAL, goods.uses, 0, 1e6),
};

static const struct goods_entry goods_defaults = {
    .commodity = UINT32_MAX, .goods = {.stock = GOODS_STOCK, .target = GOODS_STOCK}};

static const struct schema goods_schema = {.what = "an entry of goods",
                                           .size = sizeof(struct goods_entry),
                                           .key_count = COUNT_OF(goods_keys),
                                           .keys = goods_keys,
                                           .defaults = &goods_defaults};

/* A list: of what it trades. Nothing given: some of everything. */
static void read_goods(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_goods *goods = field;
    if (node->kind != YAML_IS_LIST || node->count > SCENARIO_COMMODITIES_MAX) {
        schema_error(reader, node, NULL, "a list of up to %d goods", SCENARIO_COMMODITIES_MAX);
        return;
    }
    memset(goods, 0, SCENARIO_COMMODITIES_MAX * sizeof *goods);
    const struct schema_path *outer = reader->path;
    uint32_t i = 0;
    for (const struct yaml_node *item = node->first; item; item = item->next, i++) {
        struct schema_path path = {.up = outer, .index = i};
        struct goods_entry entry;
        reader->path = &path;
        schema_read(reader, &goods_schema, item, &entry);
        if (entry.commodity < SCENARIO_COMMODITIES_MAX && goods[entry.commodity].target > 0)
            schema_error(reader, item, "a commodity again", "each commodity once");
        else if (entry.commodity < SCENARIO_COMMODITIES_MAX)
            goods[entry.commodity] = entry.goods;
    }
    reader->path = outer;
}

static const struct scenario_station station_defaults = {
    .circle = {.radius = 20, .period_ns = 1 * ALDIS_HOUR},
    .berth_length_m = 200,
    .approach_ns = 10 * ALDIS_SECOND,
    .permission_ns = 60 * ALDIS_SECOND,
    .queue_limit = 256,
    STATION_TRADE_DEFAULTS};

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
    STATION_KEY("queue_wait", TIME, OPTIONAL, queue_wait_ns, 1e-3, 30 * DAY_S),
    STATION_KEY("credits", COUNT, OPTIONAL, credits, 0, 4e9),
    STATION_KEY("fuel", NUMBER, OPTIONAL, fuel, 0, 1e6),
    STATION_KEY("fuel_price", COUNT, OPTIONAL, fuel_price, 0, 1e4),
    STATION_KEY("repair_price", COUNT, OPTIONAL, repair_price, 0, 1e6),
    STATION_KEY("repair_time", TIME, OPTIONAL, repair_ns, 1e-3, 1 * DAY_S),
    STATION_KEY("spares", COUNT, OPTIONAL, spares, 0, 1e9),
    STATION_KEY("quarters", COUNT, OPTIONAL, quarters, 0, 1e6),
    STATION_KEY("quarters_time", TIME, OPTIONAL, quarters_ns, 1e-3, 1 * DAY_S),
    SCHEMA_CUSTOM(struct scenario_station, "mind", OPTIONAL, mind, read_station_mind),
    SCHEMA_CUSTOM(struct scenario_station, "goods", OPTIONAL, goods, read_goods),
};

const struct schema station_schema = {.what = "a station",
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
    double seconds = (double)scenario->epoch_ns * 1e-9 + (double)now_ns * 1e-9;
    return vec_add(scenario_body_position(scenario, s->body, now_ns),
                   circle_position(&s->circle, seconds));
}

/* A permission counts from when it is given; the ship hears of it, comes, and says so. */
uint32_t stations_warnings_print(const struct scenario *scenario, const char *path, FILE *out)
{
    uint32_t short_ones = 0;
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        const struct scenario_station *station = &scenario->stations.items[i];
        if (station->permission_ns > station->approach_ns + 2 * scenario->lookahead_ns ||
            short_ones++ > 0)
            continue;
        scenario_warning_begin(path, 0, out);
        fprintf(out,
                "stations[%u] \"%s\": its permission of %.6g s is over before a ship can be in its "
                "berth (approach %.6g s, and twice the lookahead of %.6g s): nobody docks there\n",
                i, station->name, (double)station->permission_ns * 1e-9,
                (double)station->approach_ns * 1e-9, (double)scenario->lookahead_ns * 1e-9);
    }
    return short_ones > 0;
}
