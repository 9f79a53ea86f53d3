// SPDX-License-Identifier: Apache-2.0
/* limits_test.c: the limits of a scenario: what may be said of them, that each one bites, and that
 * none breaks the books or leaves a ship behind for ever. */
#include "ship.h"
#include "shipped.h"

#include "space.h"
#include <aldis/fault.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- What a file may say ---- */

static struct scenario_errors errors;

static struct scenario *parse(const char *limits)
{
    static const char text[] =
        "name: tiny\n"
        "duration: 1 h\n"
        "units_per_AU: 1000\n"
        "bodies: [{name: Sun}]\n"
        "stations:\n"
        "  - {name: Alpha, body: Sun, radius: 60 u, period: 10000 d, berths: 4, service: 60 s}\n"
        "  - {name: Beta, body: Sun, radius: 0 u, berths: 2, service: 30 s}\n"
        "classes:\n"
        "  - {name: tug, length: 50 m, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}\n"
        "fleets:\n"
        "  - {name: tugs, class: tug, count: 30000, route: [Alpha, Beta]}\n"
        "limits:\n";
    char whole[4096];
    struct scenario *scenario;
    snprintf(whole, sizeof whole, "%s%s", text, limits);
    (void)scenario_parse("x.yaml", whole, strlen(whole), &scenario, &errors);
    return scenario;
}

static void expect(const char *limits, const char *expected)
{
    static char printed[SCENARIO_ERRORS_MAX * 512];
    struct scenario *scenario = parse(limits);
    memset(printed, 0, sizeof printed);
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    scenario_errors_print(&errors, out);
    fclose(out);
    CHECK(scenario == NULL);
    CHECK_STR(printed, expected);
}

TEST(limits_are_read_as_they_stand)
{
    struct scenario *s = parse("  mailbox:\n"
                               "    capacity: 64\n"
                               "    bytes: 64 KiB\n"
                               "    policy: reject\n"
                               "    handling: 1 ms\n"
                               "    ship: {capacity: 16, policy: drop_oldest, handling: 0 s}\n"
                               "    station: {bytes: 2 kB, shed_target: 2 s, shed_interval: 5 s}\n"
                               "  memory: 512 MB\n"
                               "  docking_rate: {requests: 30, per: 1 min}\n");
    CHECK(s != NULL);
    CHECK_UINT(s->limits.docking_rate.requests, 30);
    CHECK_UINT(s->limits.docking_rate.burst, 30);
    CHECK_INT(s->limits.docking_rate.per_ns, ALDIS_MINUTE);
    const struct scenario_mailbox *of = s->limits.mailbox.of;
    CHECK(s->limits.given);
    CHECK_UINT(s->limits.memory, 512000000);
    CHECK_UINT(of[ACTOR_SHIP].capacity, 16);
    CHECK_UINT(of[ACTOR_SHIP].bytes, 65536);
    CHECK_UINT(of[ACTOR_SHIP].policy, ALDIS_DROP_OLDEST);
    CHECK_INT(of[ACTOR_SHIP].handling_ns, 0);
    CHECK_UINT(of[ACTOR_STATION].capacity, 64);
    CHECK_UINT(of[ACTOR_STATION].bytes, 2000);
    CHECK_UINT(of[ACTOR_STATION].policy, ALDIS_REJECT);
    CHECK_INT(of[ACTOR_STATION].handling_ns, ALDIS_MS);
    CHECK_INT(of[ACTOR_STATION].shed_target_ns, 2 * ALDIS_SECOND);
    CHECK_INT(of[ACTOR_STATION].shed_interval_ns, 5 * ALDIS_SECOND);
    CHECK_UINT(of[ACTOR_RESCUE].capacity, 64);
    CHECK_INT(of[ACTOR_RESCUE].shed_target_ns, 0);
    scenario_destroy(s);
}

TEST(each_policy_has_the_librarys_name)
{
    static const struct {
        const char *word;
        aldis_overflow_policy policy;
    } all[] = {{"default", ALDIS_POLICY_DEFAULT},  {"wait", ALDIS_WAIT},
               {"reject", ALDIS_REJECT},           {"drop_newest", ALDIS_DROP_NEWEST},
               {"drop_oldest", ALDIS_DROP_OLDEST}, {"unbounded", ALDIS_UNBOUNDED},
               {"keep_newest", ALDIS_KEEP_NEWEST}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "  mailbox: {policy: %s}\n", all[i].word);
        struct scenario *s = parse(text);
        CHECK(s != NULL);
        CHECK_UINT(s->limits.mailbox.of[ACTOR_STATION].policy, all[i].policy);
        scenario_destroy(s);
    }
}

TEST(wrong_limits_are_refused_with_their_place)
{
    static const struct {
        const char *limits, *expected;
    } all[] = {
        {"  mailbx: {capacity: 3}\n", "x.yaml:13:3: limits: found unknown key \"mailbx\", allowed: "
                                      "a key of limits (did you mean \"mailbox\"?)\n"},
        {"  mailbox: 64\n", "x.yaml:13:12: limits.mailbox: found \"64\", allowed: mailboxes: a "
                            "mapping that begins with capacity:\n"},
        {"  mailbox: {capcity: 3}\n",
         "x.yaml:13:13: limits.mailbox: found unknown key \"capcity\", allowed: a key of mailboxes "
         "(did you mean \"capacity\"?)\n"},
        {"  mailbox: {capacity: 0}\n", "x.yaml:13:23: limits.mailbox.capacity: found \"0\", "
                                       "allowed: a whole number from 1 to 1073741824\n"},
        {"  mailbox: {capacity: 1073741825}\n", "x.yaml:13:23: limits.mailbox.capacity: found "
                                                "\"1073741825\", allowed: a whole number from "
                                                "1 to 1073741824\n"},
        {"  mailbox: {bytes: 64}\n",
         "x.yaml:13:20: limits.mailbox.bytes: found \"64\", allowed: a size from 1 B to 2 GB, "
         "as in 512 MB (units: B, kB, KiB, MB, MiB, GB, GiB)\n"},
        {"  mailbox: {policy: drop}\n",
         "x.yaml:13:21: limits.mailbox.policy: found \"drop\", allowed: one of default, wait, "
         "reject, drop_newest, drop_oldest, unbounded, keep_newest\n"},
        {"  mailbox: {shed_target: 2 h}\n",
         "x.yaml:13:26: limits.mailbox.shed_target: found \"2 h\", allowed: a time from 1 us to 1 "
         "h, as in 10 min (units: ns, us, ms, s, min, h, d)\n"},
        {"  mailbox: {shed_interval: 2 s}\n",
         "x.yaml:13:12: limits.mailbox: found a shed_interval without a shed_target, allowed: "
         "both, or the target\n"},
        {"  mailbox: {station: {shed_target: 2 s, shed_interval: 1 s}}\n",
         "x.yaml:13:22: limits.mailbox.station: found a shed_interval shorter than the "
         "shed_target, allowed: one that is as long, or longer\n"},
        {"  mailbox: {handling: 1 s, station: {shed_target: 1 s}}\n",
         "x.yaml:13:37: limits.mailbox.station: found a shed_target no longer than the handling, "
         "allowed: a longer one: else each message would have waited too long\n"},
        {"  mailbox: {handling: 2 min}\n",
         "x.yaml:13:23: limits.mailbox.handling: found \"2 min\", allowed: a time from 0 s to 1 "
         "min, as in 10 min (units: ns, us, ms, s, min, h, d)\n"},
        {"  mailbox: {tug: {capacity: 3}}\n",
         "x.yaml:13:13: limits.mailbox: found unknown key \"tug\", allowed: capacity, bytes, "
         "policy, shed_target, shed_interval, handling, ship, station, rescue\n"},
        {"  docking_credit: {total: 0}\n", "x.yaml:13:27: limits.docking_credit.total: found "
                                           "\"0\", allowed: a whole number from 1 to "
                                           "1048576\n"},
        {"  docking_rate: {burst: 3}\n", "x.yaml:13:17: limits.docking_rate.requests: found "
                                         "nothing, allowed: a whole number from 1 "
                                         "to 1000000\n"},
        {"  docking_rate: {requests: 0}\n", "x.yaml:13:28: limits.docking_rate.requests: found "
                                            "\"0\", allowed: a whole number from 1 to "
                                            "1000000\n"},
        {"  docking_rate: {requests: 2, burst: -1}\n",
         "x.yaml:13:38: limits.docking_rate.burst: found \"-1\", allowed: a whole number from 1 to "
         "1000000\n"},
        {"  docking_rate: {requests: 2, per: 2 d}\n",
         "x.yaml:13:36: limits.docking_rate.per: found \"2 d\", allowed: a time from 1 ms to 1 d, "
         "as "
         "in 10 min (units: ns, us, ms, s, min, h, d)\n"},
        {"  docking_rate: {request: 2, requests: 2}\n",
         "x.yaml:13:18: limits.docking_rate: found unknown key \"request\", allowed: a key of a "
         "rate "
         "(did you mean \"requests\"?)\n"},
        {"  memory: 512\n",
         "x.yaml:13:11: limits.memory: found \"512\", allowed: enough for the ships, a size from 9 "
         "MB to 1000 GB, as in 512 MB (units: B, kB, KiB, MB, MiB, GB, GiB)\n"},
        {"  memory: 8 MB\n", "x.yaml:13:11: limits.memory: found \"8 MB\", allowed: enough for the "
                             "ships, a size from 9 "
                             "MB to 1000 GB, as in 512 MB (units: B, kB, KiB, MB, MiB, GB, GiB)\n"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        expect(all[i].limits, all[i].expected);
}

/* ---- Runs ---- */

/* What limits did in a run of rush-hour with settings, on one worker. */
static struct space_limits_report rush(const char *const *settings, size_t count, aldis_ns until_ns)
{
    struct scenario *scenario = shipped_load("rush-hour", settings, count);
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 1, .until_ns = until_ns});
    struct space_limits_report limits = report.limits;
    space_report_fini(&report);
    scenario_destroy(scenario);
    return limits;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A station that takes 300 ms for each message cannot keep up; what is over is told by its name. */
TEST(each_mailbox_policy_bites_and_is_counted)
{
    static const char slow[] = "limits.mailbox.station.handling=300 ms";
    static const char small[] = "limits.mailbox.station.capacity=4";
    const char *const unbounded[] = {slow, "limits.mailbox.station.policy=unbounded"};
    const char *const newest[] = {slow, small, "limits.mailbox.station.policy=drop_newest"};
    const char *const oldest[] = {slow, small, "limits.mailbox.station.policy=drop_oldest"};
    const char *const rejects[] = {slow, small, "limits.mailbox.station.policy=reject"};
    const char *const waits[] = {slow, small};
    struct space_limits_report l = rush(NULL, 0, 10 * ALDIS_MINUTE);
    CHECK(!l.given && !l.mailboxes);
    l = rush(unbounded, COUNT(unbounded), 10 * ALDIS_MINUTE);
    CHECK(l.given && l.mailboxes);
    CHECK_UINT(l.dropped + l.rejected + l.parked, 0);
    l = rush(newest, COUNT(newest), 10 * ALDIS_MINUTE);
    CHECK(l.dropped > 100 && l.rejected == 0 && l.parked == 0);
    l = rush(oldest, COUNT(oldest), 10 * ALDIS_MINUTE);
    CHECK(l.dropped > 100 && l.rejected == 0 && l.parked == 0);
    l = rush(rejects, COUNT(rejects), 10 * ALDIS_MINUTE);
    CHECK(l.rejected > 100 && l.dropped == 0 && l.parked == 0);
    l = rush(waits, COUNT(waits), 10 * ALDIS_MINUTE);
    CHECK(l.parked > 100);
}

TEST(a_bound_in_bytes_bites_too)
{
    const char *const bytes[] = {"limits.mailbox.station.handling=300 ms",
                                 "limits.mailbox.station.bytes=1 kB",
                                 "limits.mailbox.station.policy=drop_newest"};
    CHECK(rush(bytes, COUNT(bytes), 10 * ALDIS_MINUTE).dropped > 100);
}

TEST(mail_that_has_waited_too_long_is_shed)
{
    const char *const sheds[] = {"limits.mailbox.station.handling=300 ms",
                                 "limits.mailbox.station.shed_target=1 s",
                                 "limits.mailbox.station.policy=unbounded"};
    struct space_limits_report l = rush(sheds, COUNT(sheds), 10 * ALDIS_MINUTE);
    CHECK(l.shed > 100);
    CHECK_UINT(l.shed, l.dropped);
}

/* Of the ships' own mailboxes: who is slow and takes one message at a time misses some. */
TEST(a_ship_has_its_own_bound)
{
    const char *const ships[] = {"limits.mailbox.ship.handling=2 s",
                                 "limits.mailbox.ship.capacity=1",
                                 "limits.mailbox.ship.policy=drop_newest"};
    struct scenario *scenario = shipped_load("storm", ships, COUNT(ships));
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 1, .until_ns = 10 * ALDIS_MINUTE});
    CHECK(report.limits.dropped > 10);
    CHECK(report.dockings > 0);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* 4000 old ships that set out together and call for help, and what that takes at most. */
static struct space_limits_report calls(const char *memory)
{
    const char *const settings[] = {"fleets.0.count=4000", "fleets.0.departure=5 s", memory};
    struct scenario *scenario = shipped_load("distress", settings, COUNT(settings));
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 1, .until_ns = 40 * ALDIS_SECOND});
    struct space_limits_report limits = report.limits;
    space_report_fini(&report);
    scenario_destroy(scenario);
    return limits;
}

TEST(the_budget_of_memory_is_kept)
{
    struct space_limits_report ample = calls("limits.memory=64 MB");
    struct space_limits_report scarce = calls("limits.memory=4 MiB");
    CHECK_UINT(ample.memory_max, 64000000);
    CHECK_UINT(scarce.memory_max, 4 << 20);
    CHECK_UINT(ample.memory_refusals, 0);
    CHECK(scarce.memory_refusals > 0);
    CHECK(scarce.memory_peak <= 4 << 20 && scarce.memory_peak <= ample.memory_peak);
}

/* A station takes in no more than the burst and what has come since; others are put off by name. */
TEST(a_rate_of_requests_is_kept)
{
    const char *const rate[] = {"limits.docking_rate={requests: 6, per: 1 min, burst: 10}"};
    struct scenario *scenario = shipped_load("rush-hour", rate, COUNT(rate));
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 1, .until_ns = 20 * ALDIS_MINUTE});
    CHECK(report.limits.rate);
    CHECK(report.limits.over_rate > 100);
    for (uint32_t i = 0; i < report.station_count; i++) {
        CHECK(report.stations[i].dockings <= 10 + 6 * 20);
        CHECK(report.stations[i].dockings > 6 * 10);
    }
    CHECK(report.refusals + 10 > report.limits.over_rate); /* some are still on their way */
    space_report_fini(&report);
    scenario_destroy(scenario);
    CHECK(!rush(NULL, 0, ALDIS_MINUTE).rate);
}

/* With credit for 20 ships nobody is refused, and the Hub's four berths are as busy as without. */
TEST(credit_holds_ships_back)
{
    const char *const credit[] = {"limits.docking_credit.total=20"};
    for (uint32_t with = 0; with <= 1; with++) {
        struct scenario *scenario = shipped_load("rush-hour", credit, with);
        uint64_t print = 0;
        for (uint32_t workers = 1; workers <= 4; workers *= 2) {
            struct space_report report =
                shipped_run(scenario, (struct space_run_opts){.workers = workers,
                                                              .until_ns = 20 * ALDIS_MINUTE});
            if (workers == 1)
                print = report.run_print;
            CHECK_UINT(report.run_print, print);
            CHECK(report.stations[0].dockings > 150);
            CHECK((report.refusals == 0) == (with == 1));
            CHECK((report.limits.holds.count > 100) == (with == 1));
            CHECK((report.waits.max_ns > 5 * ALDIS_MINUTE) == (with == 0));
            space_report_fini(&report);
        }
        scenario_destroy(scenario);
    }
}

/* ---- Credit and crashes ---- */

static bool count_at_hub(void *arg, const struct space_progress *progress)
{
    uint32_t *most = arg;
    struct space_station_view hub;
    CHECK(space_station_look(progress, 1, &hub));
    if (hub.queue + hub.berths_taken > *most)
        *most = hub.queue + hub.berths_taken;
    return true;
}

/* What it owes to those who are there outlives it, but for those whose requests it was handling
 * when it crashed: such handling counts as failed, and its credit comes back. Without that it would
 * be five times as many. */
TEST(a_station_that_begins_again_grants_no_more_than_before)
{
    static const char *const credit[] = {"limits.docking_credit.total=20"};
    static const aldis_fault_rule crash = {
        .kind = ALDIS_FAULT_RESTART, .every = 40, .to = "station"};
    static const aldis_fault_plan plan = {.rules = &crash, .rule_count = 1};
    struct scenario *scenario = shipped_load("rush-hour", credit, 1);
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        uint32_t most = 0;
        struct space_report report =
            shipped_run(scenario, (struct space_run_opts){.workers = workers,
                                                          .faults = &plan,
                                                          .piece_ns = ALDIS_SECOND,
                                                          .on_progress = count_at_hub,
                                                          .arg = &most,
                                                          .until_ns = 10 * ALDIS_MINUTE});
        CHECK(most > 15 && most <= 22);
        CHECK(report.stations[0].dockings > 70);
        if (workers == 1)
            print = report.run_print;
        CHECK_UINT(report.run_print, print);
        space_report_fini(&report);
    }
    scenario_destroy(scenario);
}

/* ---- Every scenario that ships, with small limits ---- */

static const char *const tight[] = {
    "limits.mailbox.capacity=1", "limits.mailbox.policy=drop_newest",
    "limits.mailbox.handling=500 ms", "limits.docking_rate={requests: 40, per: 1 min, burst: 5}"};

static void equal_runs(const char *name, const char *const *more, size_t count)
{
    const char *settings[16];
    memcpy(settings, tight, sizeof tight);
    for (size_t i = 0; i < count; i++)
        settings[COUNT(tight) + i] = more[i];
    struct scenario *scenario = shipped_load(name, settings, COUNT(tight) + count);
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct space_report report = shipped_run(
            scenario, (struct space_run_opts){.workers = workers, .until_ns = 4 * ALDIS_MINUTE});
        CHECK(report.dockings > 0);
        CHECK(report.limits.dropped > 0);
        if (workers == 1)
            print = report.run_print;
        CHECK_UINT(report.run_print, print);
        space_report_fini(&report);
    }
    scenario_destroy(scenario);
}

TEST(tight_limits_leave_one_run_on_any_workers)
{
    static const char *const names[] = {"harbour",   "trade-routes", "distress", "storm",
                                        "rush-hour", "minds",        "signals"};
    static const char *const small[] = {"galaxy.systems=30", "galaxy.radius=500 u",
                                        "fleets.traders.count=400", "fleets.couriers.count=100"};
    for (size_t i = 0; i < COUNT(names); i++)
        equal_runs(names[i], NULL, 0);
    equal_runs("galaxy", small, COUNT(small));
}

/* When each ship was last seen to do something new. */
struct seen {
    uint32_t ships;
    struct {
        uint32_t state;
        uint32_t cargo_t;
        const char *station;
        double place[3], credits;
        aldis_ns since_ns;
    } * of;
};

static bool look(void *arg, const struct space_progress *progress)
{
    struct seen *seen = arg;
    struct space_ship_view view;
    for (uint32_t i = 0; i < seen->ships && space_ship_look(progress, i + 1, &view); i++) {
        if (view.state == seen->of[i].state && view.station == seen->of[i].station &&
            view.cargo_t == seen->of[i].cargo_t && view.credits == seen->of[i].credits &&
            memcmp(view.place, seen->of[i].place, sizeof view.place) == 0)
            continue;
        seen->of[i].state = view.state;
        seen->of[i].station = view.station;
        seen->of[i].cargo_t = view.cargo_t;
        seen->of[i].credits = view.credits;
        memcpy(seen->of[i].place, view.place, sizeof view.place);
        seen->of[i].since_ns = progress->now_ns;
    }
    return true;
}

/* 40 minutes; who waits in a queue may do so for long, but not for 25 of them. */
static void goes_on(const char *name)
{
    const char *settings[COUNT(tight) + 1] = {[COUNT(tight)] = "stations.Hub.queue_limit=20"};
    memcpy(settings, tight, sizeof tight);
    bool rush_hour = strcmp(name, "rush-hour") == 0; /* its queue is half an hour long */
    struct scenario *scenario = shipped_load(name, settings, COUNT(tight) + rush_hour);
    struct seen seen = {.ships = scenario_ship_count(scenario)};
    seen.of = calloc(seen.ships, sizeof *seen.of);
    CHECK(seen.of != NULL);
    struct space_report report = shipped_run(
        scenario,
        (struct space_run_opts){
            .workers = 2, .until_ns = 40 * ALDIS_MINUTE, .on_progress = look, .arg = &seen});
    for (uint32_t i = 0; i < seen.ships; i++)
        if (seen.of[i].since_ns < 15 * ALDIS_MINUTE)
            test_fail(__FILE__, __LINE__,
                      "%s: ship %" PRIu32 " in state %" PRIu32 " has done nothing since %.1f s",
                      name, i + 1, seen.of[i].state, (double)seen.of[i].since_ns * 1e-9);
    space_report_fini(&report);
    free(seen.of);
    scenario_destroy(scenario);
}

TEST(tight_limits_leave_no_ship_behind)
{
    static const char *const names[] = {"harbour",   "trade-routes", "distress", "storm",
                                        "rush-hour", "minds",        "signals"};
    for (size_t i = 0; i < COUNT(names); i++)
        goes_on(names[i]);
}

/* The scenario that shows them: each limit has something to do, and ships dock all the same. */
TEST(each_limit_of_crowded_bites)
{
    struct scenario *scenario = shipped_load("crowded", NULL, 0);
    struct space_report report =
        shipped_run(scenario, (struct space_run_opts){.workers = 2, .until_ns = 10 * ALDIS_MINUTE});
    const struct space_limits_report *limits = &report.limits;
    CHECK(limits->shed > 10);
    CHECK(limits->dropped >= limits->shed);
    CHECK(limits->memory_refusals > 100);
    CHECK(limits->rejected > limits->memory_refusals + 100); /* the rest by full mailboxes */
    CHECK(limits->memory_peak > limits->memory_max / 2);
    CHECK(limits->memory_peak <= limits->memory_max);
    CHECK(limits->over_rate > 100);
    CHECK(limits->holds.count > 500);
    CHECK(limits->holds.p50_ns > ALDIS_MINUTE);
    CHECK(report.dockings > 500);
    space_report_fini(&report);
    scenario_destroy(scenario);
}
