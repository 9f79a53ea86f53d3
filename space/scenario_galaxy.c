// SPDX-License-Identifier: Apache-2.0
/* scenario_galaxy.c: systems and stations that are made from the seed. See scenario_parts.h. */
#include "digest.h"
#include "scenario_parts.h"

#define GALAXY_KEY(...) SCHEMA_KEY(struct scenario_galaxy, __VA_ARGS__)
static const struct schema_key galaxy_keys[] = {
    GALAXY_KEY("systems", COUNT, REQUIRED, systems, 1, 2048),
    GALAXY_KEY("stations", COUNT, OPTIONAL, stations, 1, 4),
    GALAXY_KEY("radius", DISTANCE, REQUIRED, radius, 1, 1e9),
    GALAXY_KEY("berths", COUNT, OPTIONAL, model.berths, 1, SCENARIO_BERTHS_MAX),
    GALAXY_KEY("large_berths", COUNT, OPTIONAL, model.large_berths, 0, SCENARIO_BERTHS_MAX),
    GALAXY_KEY("service", TIME, OPTIONAL, model.service_ns, 1e-3, 30 * DAY_S),
    GALAXY_KEY("queue_limit", COUNT, OPTIONAL, model.queue_limit, 1, SCENARIO_QUEUE_MAX),
    GALAXY_KEY("fuel", NUMBER, OPTIONAL, model.fuel, 0, 1e6),
    GALAXY_KEY("credits", COUNT, OPTIONAL, model.credits, 0, 4e9),
};

static const struct scenario_galaxy galaxy_defaults = {
    .stations = 1,
    .model = {.circle = {.radius = 20, .period_ns = 1 * ALDIS_HOUR},
              .berths = 32,
              .berth_length_m = 200,
              .large_berths = 8,
              .service_ns = 45 * ALDIS_SECOND,
              .approach_ns = 10 * ALDIS_SECOND,
              .permission_ns = 60 * ALDIS_SECOND,
              .queue_limit = 256,
              STATION_TRADE_DEFAULTS},
};

const struct schema galaxy_schema = {.what = "a galaxy",
                                     .size = sizeof(struct scenario_galaxy),
                                     .key_count = COUNT_OF(galaxy_keys),
                                     .keys = galaxy_keys,
                                     .defaults = &galaxy_defaults};

/* The n-th number of the seed's own series, in [0, 1): the same on every machine. */
static double draw(uint64_t seed, uint64_t n)
{
    return (double)(digest_mix(seed ^ 0x67616c617879u, n) >> 11) * 0x1p-53;
}

/* Evenly in a flat disc, as thick as a tenth of its radius. */
static struct vec draw_place(const struct scenario *scenario, uint64_t system)
{
    double angle = MATHS_TAU * draw(scenario->seed, 4 * system);
    double radius = scenario->galaxy.radius * maths_sqrt(draw(scenario->seed, 4 * system + 1));
    double height = scenario->galaxy.radius * 0.1 * (draw(scenario->seed, 4 * system + 2) - 0.5);
    return (struct vec){radius * maths_cos(angle), radius * maths_sin(angle), height};
}

static bool grow(void **items, uint32_t count, uint32_t more, size_t size)
{
    void *grown = realloc(*items, (count + more) * size);
    if (!grown)
        return false;
    memset((char *)grown + count * size, 0, more * size);
    *items = grown;
    return true;
}

static void make_station(struct scenario *scenario, uint32_t body, uint32_t number)
{
    uint32_t index = scenario->stations.count++;
    struct scenario_station *station = &scenario->stations.items[index];
    *station = scenario->galaxy.model;
    station->body = body;
    station->circle.phase_deg = 360.0 * number / scenario->galaxy.stations;
    snprintf(station->name, sizeof station->name, "Dock %u.%u", body, number + 1);
    /* Half of the goods are made here and half used, by the seed: that is what makes trade. */
    for (uint32_t i = 0; i < scenario->market.commodities.count; i++) {
        bool makes = draw(scenario->seed, (index + 1000000ull) * 16 + i) < 0.5;
        station->goods[i] = (struct scenario_goods){.stock = makes ? 3000 : 500,
                                                    .target = 1500,
                                                    .makes = makes ? 600 : 0,
                                                    .uses = makes ? 0 : 600};
    }
}

bool galaxy_make(struct scenario *scenario)
{
    const struct scenario_galaxy *galaxy = &scenario->galaxy;
    uint32_t bodies = scenario->bodies.count, stations = scenario->stations.count;
    void *body_items = scenario->bodies.items, *station_items = scenario->stations.items;
    bool grown = grow(&body_items, bodies, galaxy->systems, sizeof *scenario->bodies.items);
    scenario->bodies.items = body_items;
    if (!grown)
        return false;
    grown = grow(&station_items, stations, galaxy->systems * galaxy->stations,
                 sizeof *scenario->stations.items);
    scenario->stations.items = station_items;
    if (!grown)
        return false;
    for (uint32_t i = 0; i < galaxy->systems; i++) {
        struct scenario_body *body = &scenario->bodies.items[scenario->bodies.count];
        snprintf(body->name, sizeof body->name, "System %u", scenario->bodies.count);
        if (scenario->bodies.count > 0)
            body->at = draw_place(scenario, i);
        for (uint32_t j = 0; j < galaxy->stations; j++)
            make_station(scenario, scenario->bodies.count, j);
        scenario->bodies.count++;
    }
    return true;
}
