// SPDX-License-Identifier: Apache-2.0
/* stage.h: a system with the chart and the books of a scenario, for tests that spawn its actors one
 * by one: real ones, and such as the test plays itself. Virtual time. */
#ifndef ALDIS_TESTS_SPACE_STAGE_H
#define ALDIS_TESTS_SPACE_STAGE_H

#include "chronicle.h"
#include "harness.h"
#include "ledger.h"
#include "ship.h"
#include "station.h"

#include <stdlib.h>

struct stage {
    struct scenario *scenario;
    aldis_system *system;
    struct books books;
    struct chart chart;
    struct ledger_page ledger;
    station_ref stations[16];
    ship_ref ships[64];
};

static struct stage stage;

static inline struct scenario *stage_parse(const char *text)
{
    struct scenario *scenario;
    static struct scenario_errors errors;
    enum scenario_status status = scenario_parse("stage", text, strlen(text), &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    return scenario;
}

/* Takes the scenario. */
static inline void stage_open(struct scenario *scenario, uint32_t workers)
{
    memset(&stage, 0, sizeof stage);
    stage.scenario = scenario;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = workers, .seed = 5};
    if (scenario->signals.speed > 0)
        opts.lookahead_ns = scenario->lookahead_ns;
    CHECK_OK(aldis_system_create(&opts, &stage.system));
    CHECK(books_init(&stage.books, scenario, &stage.chart));
    stage.chart = (struct chart){.scenario = scenario,
                                 .books = &stage.books,
                                 .stations = stage.stations,
                                 .chronicle = chronicle_create(aldis_system_shards(stage.system),
                                                               scenario->stations.count,
                                                               scenario->ship_count, false)};
    if (scenario->signals.speed > 0) {
        stage.chart.signals =
            signals_create(scenario, SPEAKERS(&stage.books), scenario->lookahead_ns);
        CHECK(stage.chart.signals != NULL);
    }
    CHECK_OK(nearby_open(&stage.chart.nearby, stage.system, scenario));
    struct ledger_arg arg = {.page = &stage.ledger};
    CHECK_OK(aldis_spawn(stage.system, ledger, &stage.chart.ledger,
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
}

static inline void stage_station(uint32_t index)
{
    struct station_arg arg = {.chart = &stage.chart, .station = index};
    CHECK_OK(aldis_spawn(stage.system, station, &stage.stations[index],
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
}

/* A service: hazards, weather, rescue: all are given the chart. */
#define STAGE_SERVICE(kind, ref)                                                                   \
    do {                                                                                           \
        const struct chart *chart_ = &stage.chart;                                                 \
        CHECK_OK(aldis_spawn(stage.system, kind, (ref),                                            \
                             &(aldis_spawn_opts){.arg = &chart_, .arg_size = sizeof chart_}));     \
    } while (0)

static inline struct ship *stage_page(uint32_t number)
{
    return books_ship(&stage.books, number);
}

/* Ship `number`, at a station. */
static inline struct ship *stage_ship(uint32_t number, uint32_t station)
{
    struct ship *page = stage_page(number);
    page->station = (uint16_t)station;
    CHECK_OK(aldis_spawn(stage.system, ship, &stage.ships[number],
                         &(aldis_spawn_opts){.arg = &page, .arg_size = sizeof page}));
    return page;
}

static inline void stage_run(aldis_ns until_ns)
{
    CHECK_OK(aldis_system_run(stage.system, until_ns, NULL));
}

static inline aldis_ns stage_now(void)
{
    return aldis_system_now(stage.system);
}

static inline void stage_wait(double seconds)
{
    stage_run(stage_now() + (aldis_ns)(seconds * 1e9));
}

/* Tell a ship something, and let it do it. */
#define STAGE_ORDER(number, message, ...)                                                          \
    do {                                                                                           \
        CHECK_OK(aldis_send(stage.system, stage.ships[number], message, __VA_ARGS__));             \
        stage_wait(0.02);                                                                          \
    } while (0)

static inline const char *stage_state(uint32_t ship)
{
    static aldis_status status;
    CHECK_OK(aldis_system_status(stage.system, stage.ships[ship].id, &status));
    return status.state_name;
}

static inline void stage_balance(void)
{
    char text[160];
    bool balanced = books_balance(&stage.books, stage.scenario, text, sizeof text);
    if (!balanced)
        chronicle_evidence(stage.chart.chronicle, stage.scenario, 0, stdout, 64, 64);
    CHECK_STR(text, "balanced");
}

static inline aldis_type_stats stage_type(const char *name)
{
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(stage.system, &stats));
    const aldis_type_stats *row = aldis_stats_type(&stats, name);
    aldis_type_stats found = row ? *row : (aldis_type_stats){0};
    aldis_stats_fini(&stats);
    return found;
}

/* The audit, the balance, and the end. */
static inline void stage_close(void)
{
    CHECK_OK(aldis_system_audit(stage.system, NULL));
    stage_balance();
    CHECK_OK(aldis_system_stop(stage.system, ALDIS_SECOND));
    aldis_system_destroy(stage.system);
    stage_balance();
    signals_destroy(stage.chart.signals);
    chronicle_destroy(stage.chart.chronicle);
    books_fini(&stage.books);
    scenario_destroy(stage.scenario);
}

#endif
