// SPDX-License-Identifier: Apache-2.0
/* tiny.h: a scenario of two stations and one fleet, for the tests of single actors. */
#ifndef ALDIS_TESTS_SPACE_TINY_H
#define ALDIS_TESTS_SPACE_TINY_H

#include "harness.h"
#include "space.h"

#include <string.h>

/* Alpha and Gamma stand still 60 u and 90 u from Beta, in a right angle. A tug needs less than 20 s
 * for any of the ways, and 10 s from a permission to the berth. */
static inline struct scenario *tiny_scenario(void)
{
    static const char text[] =
        "name: tiny\n"
        "seed: 1\n"
        "duration: 1 h\n"
        "units_per_AU: 1000\n"
        "bodies: [{name: Sun}]\n"
        "stations:\n"
        "  - {name: Alpha, body: Sun, radius: 60 u, phase: 0 deg,\n"
        "     period: 10000 d, berths: 4, service: 60 s, queue_limit: 1000}\n"
        "  - {name: Beta, body: Sun, radius: 0 u, berths: 2, service: 30 s}\n"
        "  - {name: Gamma, body: Sun, radius: 90 u, phase: 90 deg,\n"
        "     period: 10000 d, berths: 1, service: 30 s, queue_limit: 1}\n"
        "classes:\n"
        "  - {name: tug, length: 50 m, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}\n"
        "fleets:\n"
        "  - {name: tugs, class: tug, count: 3, route: [Alpha, Beta],\n"
        "     departure: 0 s, rest: 10 s}\n"
        "market:\n"
        "  update: 10 s\n"
        "  commodities: [{name: water, price: 40, swing: 10}]\n";
    struct scenario *scenario;
    static struct scenario_errors errors;
    enum scenario_status status = scenario_parse("tiny", text, sizeof text - 1, &scenario, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    return scenario;
}

#endif
