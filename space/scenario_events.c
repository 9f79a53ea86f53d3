// SPDX-License-Identifier: Apache-2.0
/* scenario_events.c: hazards, weather, market and services in a scenario file. See
 * scenario_parts.h. */
#include "scenario_parts.h"

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
    HAZARD_KEY("speed", SPEED, OPTIONAL, speed, 0, 1e6),
    HAZARD_KEY("count", COUNT, OPTIONAL, count, 1, 1e6),
};

/* The next comes after half of its time at the soonest. */
static void check_hazard(struct schema_reader *reader, const struct yaml_node *node, void *object)
{
    const struct scenario_hazard *hazard = object;
    struct scenario *scenario = scenario_of(reader);
    if (hazard->every_ns < 2)
        return; /* it was refused */
    uint64_t most = (uint64_t)(hazard->life_ns / (hazard->every_ns / 2)) + 1;
    if (hazard->count > 0 && most > hazard->count)
        most = hazard->count;
    uint32_t before = scenario->hazards_most;
    most += before;
    scenario->hazards_most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    if (most > SCENARIO_HAZARDS_LIVE_MAX && before <= SCENARIO_HAZARDS_LIVE_MAX)
        schema_error(reader, node, "more hazards at a time than there may be",
                     "%d in all schedules: seldomer, shorter or fewer ones",
                     SCENARIO_HAZARDS_LIVE_MAX);
}

const struct schema hazard_schema = {.what = "a hazard",
                                     .size = sizeof(struct scenario_hazard),
                                     .key_count = COUNT_OF(hazard_keys),
                                     .keys = hazard_keys,
                                     .defaults = &hazard_defaults,
                                     .check = check_hazard};

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
    COMMODITY_KEY("price", COUNT, REQUIRED, price, 1, 1e7),
    COMMODITY_KEY("swing", COUNT, OPTIONAL, swing, 0, 1e7),
};

static const struct schema commodity_schema = {.what = "a commodity",
                                               .size = sizeof(struct scenario_commodity),
                                               .key_count = COUNT_OF(commodity_keys),
                                               .keys = commodity_keys,
                                               .check = check_commodity};

static const struct scenario_market market_defaults = {.reach = 50};

#define MARKET_KEY(...) SCHEMA_KEY(struct scenario_market, __VA_ARGS__)
static const struct schema_key market_keys[] = {
    MARKET_KEY("update", TIME, REQUIRED, update_ns, 0.001, 3650 * DAY_S),
    MARKET_KEY("reach", DISTANCE, OPTIONAL, reach, 0, 1e9),
    SCHEMA_LIST(struct scenario_market, "commodities", REQUIRED, commodities, &commodity_schema, 1,
                SCENARIO_COMMODITIES_MAX),
};

const struct schema market_schema = {.what = "the market",
                                     .size = sizeof(struct scenario_market),
                                     .key_count = COUNT_OF(market_keys),
                                     .keys = market_keys,
                                     .defaults = &market_defaults};

/* ---- Weather ---- */

static const char *const weather_words[] = {"low", "moderate", "high", "extreme", NULL};

static const struct scenario_weather weather_defaults = {
    .worst = 3, .speed_moderate = 0.8, .speed_high = 0.5};

#define WEATHER_KEY(...) SCHEMA_KEY(struct scenario_weather, __VA_ARGS__)
static const struct schema_key weather_keys[] = {
    SCHEMA_NAME(struct scenario_weather),
    SCHEMA_CUSTOM(struct scenario_weather, "body", REQUIRED, body, read_body_reference),
    WEATHER_KEY("radius", DISTANCE, REQUIRED, radius, 0.001, 1e9),
    WEATHER_KEY("every", TIME, REQUIRED, every_ns, 1, 3650 * DAY_S),
    SCHEMA_WORD(struct scenario_weather, "worst", OPTIONAL, worst, weather_words),
    WEATHER_KEY("moderate_speed", NUMBER, OPTIONAL, speed_moderate, 0.01, 1),
    WEATHER_KEY("high_speed", NUMBER, OPTIONAL, speed_high, 0.01, 1),
};

const struct schema weather_schema = {.what = "weather",
                                      .size = sizeof(struct scenario_weather),
                                      .key_count = COUNT_OF(weather_keys),
                                      .keys = weather_keys,
                                      .defaults = &weather_defaults};

/* ---- Services ---- */

static const struct scenario_rescue rescue_defaults = {
    .tugs = 4, .speed = 40, .fuel = 1000, .patience_ns = 30 * ALDIS_SECOND};

#define RESCUE_KEY(...) SCHEMA_KEY(struct scenario_rescue, __VA_ARGS__)
static const struct schema_key rescue_keys[] = {
    SCHEMA_CUSTOM(struct scenario_rescue, "station", REQUIRED, station, read_station_reference),
    RESCUE_KEY("tugs", COUNT, OPTIONAL, tugs, 1, 1024),
    RESCUE_KEY("speed", SPEED, OPTIONAL, speed, 0.001, 1e6),
    RESCUE_KEY("fuel", NUMBER, OPTIONAL, fuel, 0, 1e6),
    RESCUE_KEY("patience", TIME, OPTIONAL, patience_ns, 1, 1 * DAY_S),
};

const struct schema rescue_schema = {.what = "the rescue service",
                                     .size = sizeof(struct scenario_rescue),
                                     .key_count = COUNT_OF(rescue_keys),
                                     .keys = rescue_keys,
                                     .defaults = &rescue_defaults};

static const struct scenario_traffic traffic_defaults = {
    .every_ns = 10 * ALDIS_SECOND, .distance = 1, .zone = 20};

#define TRAFFIC_KEY(...) SCHEMA_KEY(struct scenario_traffic, __VA_ARGS__)
static const struct schema_key traffic_keys[] = {
    TRAFFIC_KEY("every", TIME, OPTIONAL, every_ns, 0.1, 1 * DAY_S),
    TRAFFIC_KEY("distance", DISTANCE, OPTIONAL, distance, 1e-6, 1e6),
    TRAFFIC_KEY("zone", DISTANCE, OPTIONAL, zone, 0, 1e6),
};

const struct schema traffic_schema = {.what = "traffic control",
                                      .size = sizeof(struct scenario_traffic),
                                      .key_count = COUNT_OF(traffic_keys),
                                      .keys = traffic_keys,
                                      .defaults = &traffic_defaults};

/* ---- Signals ---- */

/* "instant", or a speed with which no ship can keep up: one that could would outrun its own calls.
 * Twice the fastest, so that warnings of what lies ahead come in time. */
static void read_signal_speed(struct schema_reader *reader, const struct yaml_node *node,
                              void *field)
{
    struct schema_key key = {.kind = VALUE_SPEED,
                             .min = 1e-3,
                             .max = 1e9,
                             .also = "instant, or, at least twice that of the fastest class, "};
    const struct scenario *scenario = scenario_of(reader);
    if (node->kind == YAML_IS_SCALAR && !node->quoted && strcmp(node->text, "instant") == 0)
        return;
    for (uint32_t i = 0; i < scenario->classes.count; i++)
        if (2 * scenario->classes.items[i].speed > key.min)
            key.min = 2 * scenario->classes.items[i].speed;
    schema_read_value(reader, &key, node, field);
}

static const struct schema_key signals_keys[] = {
    SCHEMA_CUSTOM(struct scenario_signals, "speed", REQUIRED, speed, read_signal_speed),
};

const struct schema signals_schema = {.what = "signals",
                                      .size = sizeof(struct scenario_signals),
                                      .key_count = COUNT_OF(signals_keys),
                                      .keys = signals_keys};
