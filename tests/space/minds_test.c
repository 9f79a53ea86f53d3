// SPDX-License-Identifier: Apache-2.0
/* minds_test.c: minds in scenario files, and what ships and stations do with them. */
#include "mind_leaves.h"
#include "stage.h"

/* ---- What is refused, with its line ---- */

#define HEAD                                                                                       \
    "name: minds\nduration: 1 h\nunits_per_AU: 1000\nbodies: [{name: Sun}]\n"                      \
    "stations:\n"                                                                                  \
    "  - {name: Alpha, body: Sun, radius: 60 u, period: 10000 d, berths: 4, service: 60 s}\n"      \
    "  - {name: Beta, body: Sun, radius: 0 u, berths: 2, service: 30 s}\n"                         \
    "classes: [{name: tug, length: 50 m, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}]\n"
#define FLEET(mind)                                                                                \
    "fleets: [{name: tugs, class: tug, count: 2, route: [Alpha, Beta], departure: 0 s,\n"          \
    "          rest: 10 s, mind: " mind "}]\n"

/* The minds begin at line 11. */
static void refused(const char *minds, uint32_t line, const char *wanted)
{
    char text[4096];
    struct scenario *scenario;
    static struct scenario_errors errors;
    snprintf(text, sizeof text, HEAD FLEET("m") "%s", minds);
    CHECK_INT(scenario_parse("minds", text, strlen(text), &scenario, &errors), SCENARIO_BAD);
    CHECK(scenario == NULL);
    uint32_t i = 0; /* a mind that is wrong may be missed by the fleet, too */
    while (i + 1 < errors.count && !strstr(errors.items[i].text, wanted))
        i++;
    if (!strstr(errors.items[i].text, wanted))
        CHECK_STR(errors.items[i].text, wanted);
    CHECK_UINT(errors.items[i].line, line);
}

TEST(minds_that_mean_nothing_are_refused_with_the_line)
{
    refused("minds:\n  - name: m\n    tree:\n      sequence:\n        - dock\n        - fly\n", 16,
            "unknown leaf \"fly\"");
    refused("minds:\n  - name: m\n    tree:\n      selektor: [dock]\n", 14,
            "did you mean \"selector\"?");
    refused("minds:\n  - name: m\n    tree:\n      sequence:\n        - selector: []\n", 15,
            "a node without children");
    refused("minds:\n  - name: m\n    tree:\n      sequence:\n", 14, "a list of nodes");
    refused("minds:\n  - name: m\n    tree: []\n", 13, "found a list");
    refused("minds:\n  - name: m\n", 12, "minds[0].tree");
    refused("minds:\n  - {name: m, tree: {wait: 5}}\n", 12, "a time");
    refused("minds:\n  - {name: m, tree: wait}\n", 12, "a time");
    refused("minds:\n  - {name: m, tree: {dock: 5 s}}\n", 12, "no value after \"dock\"");
    refused("minds:\n  - {name: m, tree: {choose: home}}\n", 12, "one of route, nearest");
    refused("minds:\n  - {name: m, tree: {parallel: {need: 2, of: [dock]}}}\n", 12,
            "a parallel that needs");
    refused("minds:\n  - {name: m, tree: {timeout: {do: dock}}}\n", 12, "a mapping of time:");
    refused("minds:\n  - {name: m, tree: {repeat: {do: dock, times: 3}}}\n", 12,
            "a mapping of count");
    refused("minds:\n  - {name: m, of: station, tree: close_docks}\n", 10, "mind of a ship");
    refused("minds:\n  - {name: m, of: station, tree: dock}\n", 12, "unknown leaf \"dock\"");
    refused("minds:\n  - {name: n, tree: dock}\n", 10, "the name of a mind");
}

/* What would have been right is named: the nearest word, else all of them. */
TEST(unknown_words_of_minds_name_those_that_there_are)
{
    refused("minds:\n  - {name: m, tree: dokc}\n", 12, "of a ship's mind (did you mean \"dock\"?)");
    refused("minds:\n  - {name: m, tree: xyzzyplugh}\n", 12,
            "of a ship's mind: has_goal, loaded, fuel_below, ");
    refused("minds:\n  - {name: m, of: station, tree: xyzzyplugh}\n", 12,
            "of a station's mind: queue_above, open, ");
    refused("minds:\n  - {name: m, tree: {use: xyzzyplugh}}\n", 12,
            "the name of another mind: m, trader, hauler, patrol, rescue, pirate");
    refused("minds:\n  - {name: m, tree: {use: tradre}}\n  - {name: n, tree: dock}\n", 12,
            "(did you mean \"trader\"?)");
    refused("minds:\n  - {name: xyzzyplugh, tree: dock}\n", 10,
            "a mind of a ship: xyzzyplugh, trader, hauler, patrol, rescue, pirate");
    refused("minds:\n  - {name: m, tree: {parallel: {need: 2, of: [dock]}}}\n", 12,
            "allowed: need: 1 up to the number of its children");
}

TEST(minds_that_use_themselves_are_refused_with_the_line)
{
    refused("minds:\n  - name: m\n    tree:\n      sequence: [dock, use: m]\n", 14,
            "a cycle: \"m\" used by \"m\"");
    refused("minds:\n  - {name: a, tree: dock}\n"
            "  - name: m\n    tree: {selector: [use: a, use: b]}\n"
            "  - name: b\n    tree: {invert: {use: m}}\n",
            14, "a cycle: \"b\" used by \"m\" used by \"b\"");
    refused("minds:\n  - {name: m, tree: {use: nobody}}\n", 12, "the name of another mind");
    /* Each doubles the one before: it is seen before it is made. */
    refused("minds:\n  - {name: a, tree: {sequence: [dock, dock, dock, dock, dock]}}\n"
            "  - {name: b, tree: {sequence: [use: a, use: a, use: a, use: a]}}\n"
            "  - {name: m, tree: {sequence: [use: b, use: b, use: b, use: b]}}\n",
            12, "too many nodes");
}

/* One ship cannot be steered to two places: both leaves are named, also those of other trees. */
TEST(a_parallel_that_steers_twice_is_refused_with_both_lines)
{
    refused("minds:\n"
            "  - name: m\n"
            "    tree:\n"
            "      parallel:\n"
            "        need: 2\n"
            "        of:\n"
            "          - sequence:\n"
            "            - choose: route\n"
            "            - dock\n"
            "          - sequence:\n"
            "            - wait: 20 s\n"
            "            - choose: nearest\n"
            "            - visit\n",
            22, "steers twice at once: choose in line 18, choose in line 22");
    refused("minds:\n"
            "  - {name: a, tree: {retry: {do: visit}}}\n"
            "  - name: m\n"
            "    tree:\n"
            "      repeat:\n"
            "        do:\n"
            "          parallel: {need: 1, of: [{wait: 5 s}, answer_call, {invert: {use: a}}]}\n",
            12, "steers twice at once: answer_call in line 17, visit in line 12");
    refused("minds:\n  - {name: m, tree: {parallel: {need: 1, of: [trade, {use: patrol}]}}}\n", 12,
            "trade in line 12, ");
}

/* What only asks, waits or raids may go on beside what steers; so may whatever excludes it. */
TEST(a_parallel_may_steer_in_one_child)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    static const char text[] = HEAD FLEET(
        "m") "minds:\n  - {name: m, tree: {parallel: {need: 2, of: [\n"
             "      {selector: [{sequence: [{choose: route}, dock, trade]}, visit, answer_call]},\n"
             "      {sequence: [{wait: 20 s}, {raid: 50 u}]}, has_goal]}}}\n";
    CHECK_INT(scenario_parse("minds", text, strlen(text), &scenario, &errors), SCENARIO_OK);
    scenario_destroy(scenario);
    const struct mind_plan *plan;
    for (uint32_t i = 0, one, other; (plan = mind_plan_at(i)); i++) {
        static struct mind_tree tree;
        CHECK_INT(mind_make(&tree, ship_leaves, 0, plan->steps, plan->count, NULL), MIND_FINE);
        CHECK(!mind_steers_twice(&tree, &one, &other));
    }
}

/* ---- What ships do ---- */

static struct ship *begin(const char *text)
{
    stage_open(stage_parse(text), 1);
    stage_station(0);
    stage_station(1);
    return stage_ship(0, 0);
}

static const char *path_of(const struct ship *ship)
{
    static char text[200];
    const struct mind_tree *tree;
    const struct mind *mind = ship_mind(ship, &tree);
    CHECK(mind != NULL);
    return mind_path(tree, mind, text, sizeof text);
}

/* 60 u at 4 u/s2: 7.75 s; then 10 s to the berth and 30 s of service. */
TEST(a_ship_does_one_leaf_after_the_other_and_its_path_tells)
{
    const struct ship *ship = begin(HEAD FLEET("m") "minds:\n"
                                                    "  - name: m\n"
                                                    "    tree:\n"
                                                    "      sequence:\n"
                                                    "        - choose: route\n"
                                                    "        - dock\n"
                                                    "        - trade\n"
                                                    "        - wait: 1 h\n");
    stage_run(5 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "flying");
    CHECK_STR(path_of(ship), "sequence > dock");
    stage_run(25 * ALDIS_SECOND);
    CHECK_STR(stage_state(0), "docked");
    stage_run(5 * ALDIS_MINUTE);
    CHECK_STR(stage_state(0), "idle");
    CHECK_STR(path_of(ship), "sequence > wait");
    stage_run(30 * ALDIS_MINUTE);
    CHECK_UINT(stage_type("docked").handled, 1);
    stage_run(90 * ALDIS_MINUTE);
    CHECK_UINT(stage_type("docked").handled, 2);
    stage_close();
}

TEST(a_visitor_asks_for_no_berth)
{
    const struct ship *ship =
        begin(HEAD FLEET("m") "minds:\n"
                              "  - {name: m, tree: {sequence: [choose: route, visit]}}\n");
    stage_run(10 * ALDIS_MINUTE);
    CHECK_UINT(stage_type("request_docking").sent, 0);
    CHECK(ship->leg <= 1);
    const struct mind_tree *tree;
    CHECK(ship_mind(ship, &tree)->ticks > 20);
    stage_close();
}

/* It flies for 8 s and would then dock; the time-out turns it away at 5. */
TEST(a_timeout_turns_a_ship_to_something_else)
{
    struct ship *ship =
        begin(HEAD FLEET("m") "minds:\n"
                              "  - name: m\n"
                              "    tree:\n"
                              "      selector:\n"
                              "        - sequence:\n"
                              "            - choose: route\n"
                              "            - timeout: {time: 5 s, do: dock}\n"
                              "        - sequence: [choose: route, visit, wait: 1 h]\n");
    stage_run(4 * ALDIS_SECOND);
    CHECK_STR(path_of(ship), "selector > sequence > timeout > dock");
    CHECK_UINT(ship->station, 1);
    stage_run(6 * ALDIS_SECOND);
    CHECK_STR(path_of(ship), "selector > sequence > visit");
    CHECK_UINT(ship->station, 0);
    stage_run(10 * ALDIS_MINUTE);
    CHECK_STR(path_of(ship), "selector > sequence > wait");
    CHECK_UINT(stage_type("request_docking").sent, 0);
    stage_close();
}

TEST(a_guard_leaves_its_round_when_it_is_called)
{
    struct ship *guard =
        begin(HEAD FLEET("m") "minds:\n"
                              "  - name: m\n"
                              "    tree:\n"
                              "      reactive_selector:\n"
                              "        - sequence: [call_heard, answer_call]\n"
                              "        - sequence: [choose: route, visit, wait: 10 min]\n");
    struct ship *other = stage_ship(1, 0);
    stage_run(3 * ALDIS_SECOND);
    CHECK_STR(path_of(guard), "reactive_selector > sequence > visit");
    CHECK_OK(aldis_send(stage.system, stage.ships[1], handle_emergency,
                        .kind = EMERGENCY_ENGINE_FAILURE));
    stage_run(6 * ALDIS_SECOND);
    CHECK_STR(stage_state(1), "emergency");
    CHECK_STR(path_of(guard), "reactive_selector > sequence > answer_call");
    stage_run(1 * ALDIS_MINUTE);
    CHECK(other->state != SHIP_emergency);
    CHECK(!strstr(path_of(guard), "answer_call"));
    CHECK_UINT(stage_type("aid").handled, 1);
    stage_close();
}

TEST(pirates_raid_others_and_not_their_like)
{
    const struct ship *pirate = begin(
        HEAD "fleets:\n"
             "  - {name: pirates, class: tug, count: 2, route: [Alpha, Beta], departure: 0 s,\n"
             "     rest: 10 s, mind: m}\n"
             "  - {name: tugs, class: tug, count: 1, route: [Alpha, Beta], departure: 0 s}\n"
             "minds: [{name: m, tree: {sequence: [{raid: 500 u}, {wait: 20 s}]}}]\n");
    stage_ship(1, 0);
    const struct ship *prey = stage_ship(2, 1);
    stage_run(10 * ALDIS_MINUTE);
    CHECK(stage_type("handle_emergency").handled > 10);
    CHECK(pirate->state == SHIP_idle && !(pirate->flags & SHIP_DAMAGED));
    CHECK(prey->state == SHIP_emergency || (prey->flags & SHIP_DAMAGED));
    stage_close();
}

/* ---- The shipped scenario ---- */

TEST(the_scenario_of_minds_is_the_same_on_any_number_of_workers)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    CHECK_INT(scenario_load(SCENARIOS "/minds.yaml", &scenario, &errors), SCENARIO_OK);
    uint64_t first = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct space_report report;
        struct space_run_opts opts = {.workers = workers, .until_ns = 40 * ALDIS_MINUTE};
        CHECK_OK(space_run(scenario, &opts, &report));
        CHECK(report.audit.balanced);
        CHECK_STR(report.balance, "balanced");
        CHECK(report.dockings > 300);
        CHECK(report.refusals > 10); /* harbour masters close their docks, and open them again */
        const aldis_type_stats *raids = aldis_stats_type(&report.stats, "handle_emergency");
        const aldis_type_stats *helped = aldis_stats_type(&report.stats, "aid");
        CHECK(raids && raids->handled > 3);
        CHECK(helped && helped->handled > 3);
        first = workers == 1 ? report.run_print : first;
        CHECK_UINT(report.run_print, first);
        space_report_fini(&report);
    }
    scenario_destroy(scenario);
}
