// SPDX-License-Identifier: Apache-2.0
/* crash_test.c: actors that crash in a run with a fault plan. A crash takes an actor's state and
 * timers, not its page: it goes on with what it was about, and begins nothing twice. */
#include "shipped.h"

#include <aldis/fault.h>

static struct space_report run(struct scenario *scenario, const aldis_fault_plan *plan)
{
    return shipped_run(
        scenario,
        (struct space_run_opts){.faults = plan, .check_balance = true, .until_ns = ALDIS_HOUR / 2});
}

static void check_services(const aldis_stats *now, const aldis_stats *calm)
{
    static const char *const timers[] = {"hazard_due", "weather_due", "traffic_due", "market_due"};
    for (size_t i = 0; i < sizeof timers / sizeof timers[0]; i++) {
        uint64_t sent = aldis_stats_type(now, timers[i])->sent;
        uint64_t usual = aldis_stats_type(calm, timers[i])->sent;
        if (10 * sent < 9 * usual || 10 * sent > 12 * usual)
            test_fail(__FILE__, __LINE__, "%s: %" PRIu64 " sent, %" PRIu64 " without crashes",
                      timers[i], sent, usual);
    }
}

TEST(who_crashes_goes_on_with_what_it_knew)
{
    static const aldis_fault_rule crashes[] = {
        {.kind = ALDIS_FAULT_RESTART, .every = 50, .to = "ship"},
        {.kind = ALDIS_FAULT_RESTART, .every = 50, .to = "station"},
        {.kind = ALDIS_FAULT_RESTART, .every = 50, .to = "hazards"},
        {.kind = ALDIS_FAULT_RESTART, .every = 10, .to = "weather"},
        {.kind = ALDIS_FAULT_RESTART, .every = 10, .to = "traffic"},
        {.kind = ALDIS_FAULT_RESTART, .every = 4, .to = "rescue"},
    };
    struct scenario *scenario = shipped_load("storm", NULL, 0);
    struct space_report calm = run(scenario, NULL);
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
        const aldis_fault_plan plan = {
            .rules = &crashes[i], .rule_count = 1, .heal_ns = ALDIS_HOUR / 4};
        struct space_report report = run(scenario, &plan);
        CHECK(report.stats.restarts > 0);
        CHECK(10 * report.dockings > 8 * calm.dockings);
        check_services(&report.stats, &calm.stats);
        space_report_fini(&report);
    }
    space_report_fini(&calm);
    scenario_destroy(scenario);
}
