// SPDX-License-Identifier: Apache-2.0
/* shipped.h: the scenarios that ship, for tests that run them. */
#ifndef ALDIS_TESTS_SPACE_SHIPPED_H
#define ALDIS_TESTS_SPACE_SHIPPED_H

#include "harness.h"
#include "space.h"

/* Owner: the caller. */
static inline struct scenario *shipped_load(const char *name, const char *const *settings,
                                            size_t count)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    char path[256];
    snprintf(path, sizeof path, SCENARIOS "/%s.yaml", name);
    enum scenario_status status = scenario_load_with(path, settings, count, &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    return scenario;
}

/* A run in which nothing is lost. */
static inline struct space_report shipped_run(struct scenario *scenario, struct space_run_opts opts)
{
    struct space_report report;
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK_STR(report.balance, "balanced");
    CHECK_STR(report.audit.text, "balanced");
    return report;
}

#endif
