// SPDX-License-Identifier: Apache-2.0
/* run_test.c: whole runs: equal for any number of workers, balanced, and reported as they ought. */
#include "harness.h"
#include "scenario.h"
#include "space.h"
#include "tiny.h"

#include <stdlib.h>

static struct scenario *harbour(void)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    enum scenario_status status = scenario_load(SCENARIOS "/harbour.yaml", &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    return scenario;
}

static uint64_t ships_of(const struct space_report *report)
{
    uint64_t ships = 0;
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        ships += report->ships[i];
    return ships;
}

static uint64_t run_print(struct scenario *scenario, uint64_t seed, uint32_t workers,
                          uint64_t *out_dockings)
{
    struct space_report report;
    struct space_run_opts opts = {
        .has_seed = true, .seed = seed, .workers = workers, .until_ns = 15 * ALDIS_MINUTE};
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK(report.audit.balanced);
    CHECK_STR(report.balance, "balanced");
    CHECK(!report.lost);
    CHECK_INT(report.end_reason, ALDIS_RUN_UNTIL);
    CHECK_UINT(report.workers, workers);
    CHECK_UINT(report.seed, seed);
    CHECK_UINT(ships_of(&report), 200);
    *out_dockings = report.dockings;
    uint64_t print = report.run_print;
    space_report_fini(&report);
    return print;
}

TEST(a_seed_gives_one_run_whatever_the_workers)
{
    struct scenario *scenario = harbour();
    uint64_t prints[2];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        uint64_t dockings, more;
        prints[seed - 1] = run_print(scenario, seed, 1, &dockings);
        CHECK(dockings > 50);
        for (uint32_t workers = 2; workers <= 4; workers++) {
            CHECK_UINT(run_print(scenario, seed, workers, &more), prints[seed - 1]);
            CHECK_UINT(more, dockings);
        }
    }
    CHECK(prints[0] != prints[1]);
    CHECK(prints[0] != 0);
    scenario_destroy(scenario);
}

TEST(an_hour_of_harbour_is_what_it_says)
{
    struct scenario *scenario = harbour();
    struct space_report report;
    CHECK_OK(space_run(scenario, NULL, &report));
    CHECK_STR(report.scenario, "harbour");
    CHECK_UINT(report.seed, 7);
    CHECK_INT(report.virtual_ns, ALDIS_HOUR);
    CHECK(report.audit.balanced);
    CHECK_UINT(ships_of(&report), 200);
    CHECK(report.dockings > 800); /* several trips each */
    CHECK(report.waits.count >= report.dockings);
    CHECK(report.waits.p50_ns <= report.waits.p99_ns && report.waits.p99_ns <= report.waits.max_ns);
    CHECK(report.waits.p99_ns > 10 * ALDIS_SECOND); /* there are queues */
    CHECK_UINT(report.station_count, 5);
    uint64_t dockings = 0;
    for (uint32_t i = 0; i < report.station_count; i++) {
        CHECK(report.stations[i].dockings > 0);
        dockings += report.stations[i].dockings;
    }
    CHECK_UINT(dockings, report.dockings);
    static const char *const types[] = {
        "request_docking", "docking_permission", "docked",        "service_done",
        "undock",          "navigation_hazard",  "market_update", "market_order",
        "trade_answer",    "trade_settled",      "market_prices"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const aldis_type_stats *type = aldis_stats_type(&report.stats, types[i]);
        CHECK(type != NULL);
        CHECK(type->handled > 0);
        CHECK_UINT(type->failed, 0);
        CHECK_UINT(type->dead, 0);
    }
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* ---- Cut short ---- */

struct watcher {
    aldis_system *system;
    uint32_t calls, halt_at;
    bool use_system; /* halt as a signal handler would */
    aldis_ns last_ns;
};

static void keep_system(void *arg, aldis_system *system)
{
    ((struct watcher *)arg)->system = system;
}

static bool watch(void *arg, const struct space_progress *progress)
{
    struct watcher *watcher = arg;
    CHECK(watcher->system != NULL);
    CHECK(progress->now_ns >= watcher->last_ns);
    CHECK_INT(progress->until_ns, ALDIS_HOUR);
    watcher->last_ns = progress->now_ns;
    if (++watcher->calls < watcher->halt_at)
        return true;
    if (!watcher->use_system)
        return false;
    aldis_system_halt(watcher->system);
    return true;
}

static void cut_short(bool use_system)
{
    struct scenario *scenario = harbour();
    struct watcher watcher = {.halt_at = 10, .use_system = use_system};
    struct space_run_opts opts = {.on_progress = watch, .on_system = keep_system, .arg = &watcher};
    struct space_report report;
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK_INT(report.end_reason, ALDIS_RUN_HALTED);
    CHECK(report.audit.balanced);
    CHECK_UINT(ships_of(&report), 200);
    CHECK(report.virtual_ns > 0 && report.virtual_ns < ALDIS_HOUR);
    CHECK_UINT(watcher.calls, 10);
    CHECK(watcher.system == NULL);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

TEST(a_run_that_is_given_up_reports_what_there_is)
{
    cut_short(false);
}

TEST(a_run_that_is_halted_reports_what_there_is)
{
    cut_short(true);
}

TEST(looking_at_a_run_does_not_change_it)
{
    struct scenario *scenario = harbour();
    struct watcher watcher = {.halt_at = UINT32_MAX};
    struct space_run_opts opts = {.on_progress = watch, .on_system = keep_system, .arg = &watcher};
    struct space_report watched, alone;
    CHECK_OK(space_run(scenario, &opts, &watched));
    CHECK_OK(space_run(scenario, NULL, &alone));
    uint64_t print = watched.run_print, other = alone.run_print;
    space_report_fini(&watched);
    space_report_fini(&alone);
    scenario_destroy(scenario);
    CHECK_UINT(print, other);
    CHECK(watcher.calls >= 100);
}

/* Everything takes milliseconds, for runs by the wall clock. */
static struct scenario *fast_scenario(void)
{
    static const char text[] =
        "name: fast\n"
        "duration: 10 min\n"
        "tick: 5 ms\n"
        "units_per_AU: 1000\n"
        "bodies: [{name: Sun}]\n"
        "stations:\n"
        "  - {name: Alpha, body: Sun, radius: 60 u, berths: 2, service: 3 ms, approach: 1 ms}\n"
        "  - {name: Beta, body: Sun, radius: 0 u, berths: 1, service: 2 ms, approach: 1 ms}\n"
        "classes:\n"
        "  - {name: dart, speed: 10000 u/s, acceleration: 1000000 u/s2, burn: 0}\n"
        "fleets:\n"
        "  - {name: darts, class: dart, count: 20, route: [Alpha, Beta], departure: 5 ms,\n"
        "     rest: 5 ms}\n"
        "hazards: [{kind: debris, every: 5 ms, life: 2 ms, radius: 5 u}]\n"
        "market: {update: 5 ms, commodities: [{name: water, price: 40, swing: 10}]}\n";
    static struct scenario_errors errors;
    struct scenario *scenario;
    enum scenario_status status = scenario_parse("fast", text, sizeof text - 1, &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    return scenario;
}

static bool until_docked(void *arg, const struct space_progress *progress)
{
    (void)arg;
    struct space_view view;
    return !space_look(progress, &view) || view.dockings < 50;
}

/* It ends with the fiftieth docking, whenever that comes. */
TEST(ships_dock_by_the_wall_clock_too)
{
    struct scenario *scenario = fast_scenario();
    for (uint32_t workers = 1; workers <= 2; workers++) {
        struct space_run_opts opts = {
            .live = true, .workers = workers, .on_progress = until_docked};
        struct space_report report;
        CHECK_OK(space_run(scenario, &opts, &report));
        CHECK_INT(report.end_reason, ALDIS_RUN_HALTED);
        CHECK(report.audit.balanced);
        CHECK(report.live);
        CHECK_UINT(report.run_print, 0);
        CHECK_UINT(ships_of(&report), 20);
        CHECK(aldis_stats_type(&report.stats, "docked")->handled >= 50);
        CHECK(aldis_stats_type(&report.stats, "market_prices")->handled > 0);
        space_report_fini(&report);
    }
    scenario_destroy(scenario);
}

TEST(what_the_system_refuses_is_told)
{
    struct scenario *scenario = tiny_scenario();
    struct space_run_opts opts = {.workers = 1000};
    struct space_report report;
    CHECK_ERR(space_run(scenario, &opts, &report), ALDIS_EINVAL);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* ---- Printing ---- */

static const char *print(const struct space_report *report, enum space_report_format format)
{
    static char text[8192];
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    CHECK_OK(space_report_print(report, out, format));
    fclose(out);
    return text;
}

static aldis_type_stats rows[2] = {
    {"docked", 7, 1, 0, 1, 1, 1, 1, 2},
    {"un\"dock", 3, 3, 0, 0, 0, 0, 0, 0},
};

static struct space_report sample(void)
{
    return (struct space_report){.scenario = "tiny",
                                 .seed = UINT64_MAX,
                                 .workers = 2,
                                 .shards = 64,
                                 .run_print = 0xabc,
                                 .virtual_ns = 3600 * ALDIS_SECOND,
                                 .wall_s = 1.5,
                                 .bytes_needed = 3000000,
                                 .bytes_peak = 2500000,
                                 .stats = {.types = rows, .type_count = 2},
                                 .audit = {.balanced = true, .text = "balanced"}};
}

TEST(json_is_one_object_with_exactly_these_fields)
{
    struct space_report report = sample();
    struct space_station_report station = {"Por\"t", 5, 250};
    report.ships[SHIP_docked] = 3;
    report.dockings = 5;
    report.refusals = 1;
    report.near_misses = 2;
    report.waits = (struct space_times){6, 10, 20, 30};
    report.stations = &station;
    report.station_count = 1;
    snprintf(report.balance, sizeof report.balance, "balanced");
    CHECK_STR(print(&report, SPACE_JSON),
              "{\"run_print\":\"0000000000000abc\",\"seed\":18446744073709551615,\"workers\":2,"
              "\"shards\":64,\"virtual_ns\":3600000000000,\"wall_s\":1.500000,"
              "\"scenario\":\"tiny\",\"ships\":{\"idle\":0,\"flying\":0,\"docking\":0,\"docked\":3,"
              "\"trading\":0,\"emergency\":0},\"dockings\":5,\"refusals\":1,\"near_misses\":2,"
              "\"near_misses_left_out\":0,"
              "\"waits\":{\"count\":6,\"p50_ns\":10,\"p99_ns\":20,\"max_ns\":30},"
              "\"estimates_off_by\":{\"count\":0,\"p50_ns\":0,\"p99_ns\":0,\"max_ns\":0},"
              "\"stations\":[{\"name\":\"Por\\\"t\",\"dockings\":5,\"wait_mean_ns\":250}],"
              "\"messages\":{"
              "\"docked\":{\"sent\":7,\"handled\":1,\"rejected\":1,\"dropped\":1,\"expired\":1,"
              "\"dead\":1,\"queued\":2},"
              "\"un\\\"dock\":{\"sent\":3,\"handled\":3,\"rejected\":0,\"dropped\":0,\"expired\":0,"
              "\"dead\":0,\"queued\":0}},"
              "\"audit\":\"balanced\",\"balance\":\"balanced\",\"end_reason\":\"until\","
              "\"bytes_needed\":3000000,\"bytes_peak\":2500000}\n");
}

TEST(json_of_a_live_run_has_no_run_print)
{
    struct space_report report = sample();
    report.live = true;
    report.end_reason = ALDIS_RUN_HALTED;
    snprintf(report.audit.text, sizeof report.audit.text, "docked: sent 7, \"handled\" 1\n");
    const char *text = print(&report, SPACE_JSON);
    CHECK(strncmp(text, "{\"run_print\":null,\"seed\":", 25) == 0);
    CHECK(strstr(text, "\"audit\":\"docked: sent 7, \\\"handled\\\" 1\\u000a\"") != NULL);
    CHECK(strstr(text, "\"end_reason\":\"halted\",") != NULL);
}

TEST(text_names_what_matters)
{
    struct space_report report = sample();
    report.ships[SHIP_docking] = 12;
    report.ships[SHIP_docked] = 3;
    const char *text = print(&report, SPACE_TEXT);
    CHECK(strstr(text, "run print 0000000000000abc") != NULL);
    CHECK(strstr(text, "docking 12") != NULL);
    CHECK(strstr(text, "docked 3") != NULL);
    CHECK(strstr(text, "all 15") != NULL);
    CHECK(strstr(text, "audit: balanced") != NULL);
    CHECK(strstr(text, "end: until") != NULL);
}

TEST(a_report_that_cannot_be_written_is_told)
{
    struct space_report report = sample();
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        SKIP("there is no /dev/full");
    CHECK_ERR(space_report_print(&report, full, SPACE_JSON), ALDIS_EIO);
    fclose(full);
}
