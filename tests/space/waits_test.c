// SPDX-License-Identifier: Apache-2.0
/* waits_test.c: what ships are told about their wait for a berth, and what came: whole runs, in
 * which a turn at a berth is more than approach and service. */
#include "scenario.h"
#include "shipped.h"

/* Each of 300 ships sells, refuels, asks for prices and buys at a hub of four berths: as many
 * messages to and fro, while the berth is theirs. */
static const char hub[] =
    "name: hub\n"
    "seed: 3\n"
    "duration: 2 h\n"
    "tick: 10 s\n"
    "units_per_AU: 1000\n"
    "market:\n"
    "  update: 1 min\n"
    "  commodities: [{name: ore, price: 100, swing: 60}, {name: food, price: 200, swing: 120}]\n"
    "bodies: [{name: Sun}]\n"
    "stations:\n"
    "  - {name: Hub, body: Sun, radius: 0 u, berths: 4, service: 10 s, queue_limit: 1024,\n"
    "     fuel: 100000, credits: 1000000000,\n"
    "     goods: [{commodity: ore, stock: 100000, target: 50000, makes: 100000},\n"
    "             {commodity: food, stock: 100, target: 100000, uses: 100000}]}\n"
    "  - {name: Rim, body: Sun, radius: 300 u, period: 100000 d, berths: 64, large_berths: 64,\n"
    "     service: 10 s, fuel: 1000000, credits: 1000000000,\n"
    "     goods: [{commodity: ore, stock: 100, target: 100000, uses: 100000},\n"
    "             {commodity: food, stock: 100000, target: 50000, makes: 100000}]}\n"
    "classes:\n"
    "  - {name: tug, length: 50 m, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-3, cargo: 50}\n"
    "fleets:\n"
    "  - {name: tugs, class: tug, count: 300, route: [Hub, Rim], departure: 30 min}\n";

static struct scenario *open_hub(aldis_ns lookahead_ns)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    CHECK_INT(scenario_parse("hub", hub, strlen(hub), &scenario, &errors), SCENARIO_OK);
    scenario->lookahead_ns = lookahead_ns;
    return scenario;
}

/* Half of those that waited at the first station were told so within a fiftieth of the mean wait
 * there, all but one in a hundred within a twentieth of the longest waits. */
static uint64_t check_honest(struct scenario *scenario, aldis_ns until_ns, uint32_t workers)
{
    struct space_run_opts opts = {.until_ns = until_ns, .workers = workers};
    struct space_report report = shipped_run(scenario, opts);
    aldis_ns mean_ns = report.stations[0].wait_mean_ns;
    CHECK(mean_ns > 5 * ALDIS_MINUTE && report.wait_errors.count > 200);
    CHECK(report.wait_errors.p50_ns * 50 < mean_ns);
    CHECK(report.wait_errors.p99_ns * 20 < report.waits.p99_ns);
    uint64_t print = report.run_print;
    space_report_fini(&report);
    return print;
}

TEST(traders_are_told_honestly_how_long_they_will_wait)
{
    static const aldis_ns lookaheads[] = {100 * ALDIS_MS, ALDIS_SECOND, 5 * ALDIS_SECOND};
    for (size_t i = 0; i < sizeof lookaheads / sizeof lookaheads[0]; i++) {
        struct scenario *scenario = open_hub(lookaheads[i]);
        check_honest(scenario, 0, 1);
        scenario_destroy(scenario);
    }
}

TEST(rush_hour_is_honest_where_messages_take_long)
{
    struct scenario *scenario = shipped_load("rush-hour", NULL, 0);
    scenario->lookahead_ns = 2 * ALDIS_SECOND;
    check_honest(scenario, ALDIS_HOUR, 1);
    scenario_destroy(scenario);
}

TEST(what_is_told_is_the_same_on_any_number_of_workers)
{
    uint64_t first = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct scenario *scenario = open_hub(5 * ALDIS_SECOND);
        uint64_t print = check_honest(scenario, ALDIS_HOUR, workers);
        first = workers == 1 ? print : first;
        CHECK_UINT(print, first);
        scenario_destroy(scenario);
    }
}
