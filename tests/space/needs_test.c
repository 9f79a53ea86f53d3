// SPDX-License-Identifier: Apache-2.0
/* needs_test.c: what is said before a run of the memory that it needs is what it then takes. A
 * program of its own: it measures the most memory that this process has ever had. */
#include "books.h"
#include "harness.h"
#include "space.h"

#include <sys/resource.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER
#endif

static uint64_t peak_bytes(void)
{
    struct rusage usage;
    CHECK_INT(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* Run it for a while: the estimate is within 15 % of what the process then has at the most. */
static void check_estimate(const char *file, const char *const *settings, size_t count,
                           aldis_ns until_ns)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    struct space_report report;
    enum scenario_status status = scenario_load_with(file, settings, count, &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    double needed = (double)scenario_bytes_needed(scenario);
    const struct space_run_opts opts = {.workers = 1, .until_ns = until_ns};
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK_STR(report.balance, "balanced");
    double peak = (double)peak_bytes();
    printf("# needed: %.1f MB said, %.1f MB taken, %.0f bytes for each of %u ships\n",
           needed * 1e-6, peak * 1e-6, peak / scenario->ship_count, scenario->ship_count);
    CHECK(peak < needed * 1.15);
    CHECK(peak > needed * 0.85);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* Ships that set out within 20 s, so that soon all that a ship may do is done by some; and after
 * them, since the process never has less again, more that are all held back for credit. */
TEST(the_memory_that_a_run_needs_is_known_before)
{
#ifdef HAS_SANITIZER
    SKIP("a sanitizer has memory of its own");
#endif
    static const char *const galaxy[] = {
        "galaxy.systems=30",          "galaxy.radius=1000 u",
        "fleets.traders.count=16000", "fleets.traders.departure=20 s",
        "fleets.couriers.count=4000", "fleets.couriers.departure=20 s"};
    static const char *const credit[] = {
        "fleets.northern.count=10000", "fleets.northern.departure=5 s",
        "fleets.southern.count=10000", "fleets.southern.departure=5 s",
        "limits.docking_credit.total=20"};
    check_estimate(SCENARIOS "/galaxy.yaml", galaxy, 6, 100 * ALDIS_SECOND);
    check_estimate(SCENARIOS "/rush-hour.yaml", credit, 5, 60 * ALDIS_SECOND);
}
