// SPDX-License-Identifier: Apache-2.0
/* scenarios_test.c: each scenario that ships: one run for a seed, whatever the workers; nothing
 * lost at any window; and it shows what it is there to show. Plus faults that are not theirs: ships
 * that are killed at random. */
#include "ship.h"
#include "shipped.h"

#include <aldis/fault.h>
#include <stdlib.h>

static struct space_report run(struct scenario *scenario, struct space_run_opts opts)
{
    opts.check_balance = true;
    struct space_report report = shipped_run(scenario, opts);
    CHECK(!report.lost);
    CHECK(report.evidence == NULL);
    return report;
}

/* Two seeds on 1, 2 and 4 workers. */
static void equal_runs(const char *name, const char *const *settings, size_t count,
                       aldis_ns until_ns)
{
    struct scenario *scenario = shipped_load(name, settings, count);
    uint64_t prints[2];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        for (uint32_t workers = 1; workers <= 4; workers *= 2) {
            struct space_report report =
                run(scenario,
                    (struct space_run_opts){
                        .has_seed = true, .seed = seed, .workers = workers, .until_ns = until_ns});
            uint64_t print = report.run_print;
            CHECK(report.dockings > 0);
            space_report_fini(&report);
            if (workers == 1)
                prints[seed - 1] = print;
            CHECK_UINT(print, prints[seed - 1]);
        }
    }
    CHECK(prints[0] != prints[1]);
    scenario_destroy(scenario);
}

TEST(harbour_is_one_run_on_any_workers)
{
    equal_runs("harbour", NULL, 0, 4 * ALDIS_MINUTE);
}

TEST(trade_routes_is_one_run_on_any_workers)
{
    equal_runs("trade-routes", NULL, 0, 5 * ALDIS_MINUTE);
}

TEST(distress_is_one_run_on_any_workers)
{
    equal_runs("distress", NULL, 0, 5 * ALDIS_MINUTE);
}

TEST(signals_is_one_run_on_any_workers)
{
    equal_runs("signals", NULL, 0, 5 * ALDIS_MINUTE);
}

TEST(storm_is_one_run_on_any_workers)
{
    equal_runs("storm", NULL, 0, 5 * ALDIS_MINUTE);
}

TEST(rush_hour_is_one_run_on_any_workers)
{
    equal_runs("rush-hour", NULL, 0, 5 * ALDIS_MINUTE);
}

TEST(crowded_is_one_run_on_any_workers)
{
    equal_runs("crowded", NULL, 0, 45 * ALDIS_SECOND);
}

static const char *const small_galaxy[] = {"galaxy.systems=30", "galaxy.radius=500 u",
                                           "fleets.traders.count=400", "fleets.couriers.count=100"};

TEST(galaxy_is_one_run_on_any_workers)
{
    equal_runs("galaxy", small_galaxy, 4, 4 * ALDIS_MINUTE);
}

TEST(rush_hour_sheds_and_says_honestly_how_long_it_takes)
{
    struct scenario *scenario = shipped_load("rush-hour", NULL, 0);
    struct space_report report = run(scenario, (struct space_run_opts){.until_ns = ALDIS_HOUR / 2});
    CHECK(report.refusals > 100);
    CHECK(report.waits.p99_ns > 5 * ALDIS_MINUTE);
    CHECK(report.wait_errors.p50_ns * 20 < report.waits.p99_ns);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

TEST(in_distress_all_emergencies_end)
{
    struct scenario *scenario = shipped_load("distress", NULL, 0);
    struct space_report report = run(scenario, (struct space_run_opts){.until_ns = ALDIS_HOUR / 2});
    CHECK(aldis_stats_type(&report.stats, "aid")->handled > 20);
    CHECK(report.ships[SHIP_emergency] < 20);
    CHECK(report.dockings > 300);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

TEST(a_storm_closes_docks_and_warns_of_hazards)
{
    struct scenario *scenario = shipped_load("storm", NULL, 0);
    struct space_report report = run(scenario, (struct space_run_opts){.until_ns = ALDIS_HOUR});
    CHECK(aldis_stats_type(&report.stats, "weather_alert")->handled > 100);
    CHECK(aldis_stats_type(&report.stats, "formation_lead")->handled > 100);
    CHECK(aldis_stats_type(&report.stats, "navigation_hazard")->handled > 100);
    CHECK(report.refusals > 0);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* ---- Ships that die ---- */

struct killer {
    aldis_system *system;
    uint32_t killed, step;
};

static void keep(void *arg, aldis_system *system)
{
    ((struct killer *)arg)->system = system;
}

/* One ship at each look, wherever it is: in flight, in a berth, in the middle of a trade. */
static bool kill_one(void *arg, const struct space_progress *progress)
{
    (void)progress;
    struct killer *killer = arg;
    char name[32];
    aldis_id ship;
    killer->step = (killer->step + 37) % 150;
    snprintf(name, sizeof name, "ship-%u", killer->step + 1);
    if (aldis_system_lookup(killer->system, name, &ship) == ALDIS_OK &&
        aldis_kill(killer->system, ship) == ALDIS_OK)
        killer->killed++;
    return true;
}

TEST(ships_that_are_killed_take_nothing_with_them)
{
    struct scenario *scenario = shipped_load("trade-routes", NULL, 0);
    struct killer killer = {.system = NULL};
    struct space_report report = run(scenario, (struct space_run_opts){.named = true,
                                                                       .on_progress = kill_one,
                                                                       .on_system = keep,
                                                                       .arg = &killer,
                                                                       .until_ns = ALDIS_HOUR / 2});
    CHECK(killer.killed > 20);
    CHECK(report.dockings > 300);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* ---- Goods out of nowhere ---- */

/* Offers a ship what it has not got, in the name of another account. */
struct forger {
    uint32_t unused;
};

struct forge {
    aldis_id ship;
};
ALDIS_MESSAGE(forge, struct forge);

#define FORGER_PROTOCOL(X, kind) X(kind, forge) X(kind, trade_answer)
ALDIS_PROTOCOL(forger, FORGER_PROTOCOL);

#define FORGED_NUMBER 987654321

static aldis_err forger_on_forge(struct forger *self, const struct forge *msg, aldis_ctx *ctx)
{
    (void)self;
    NEW_MESSAGE(TradeOffer, offer);
    offer.number = FORGED_NUMBER;
    offer.account = 4; /* of the rescue service, which has no goods */
    offer.valid_until_ns = ALDIS_HOUR;
    offer.offering_count = 1;
    offer.offering[0] = (OfferItem){.commodity = 2, .tonnes = 9, .unit_value = 10000};
    ship_ref ship = {.id = msg->ship};
    return aldis_send_copy(ctx, ship, trade_offer, &offer);
}

static aldis_err forger_on_trade_answer(struct forger *self, const TradeAnswer *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(forger, struct forger, FORGER_PROTOCOL);

#define FORGED_AT (7 * ALDIS_MINUTE)

static bool forge_once(void *arg, const struct space_progress *progress)
{
    struct killer *killer = arg; /* of the balance, this time */
    if (killer->killed > 0 || progress->now_ns < FORGED_AT)
        return true;
    aldis_id ship;
    forger_ref forger;
    killer->killed = 1;
    CHECK_OK(aldis_system_lookup(killer->system, "ship-9", &ship));
    CHECK_OK(aldis_spawn(killer->system, forger, &forger, NULL));
    CHECK_OK(aldis_send(killer->system, forger, forge, .ship = ship));
    return true;
}

/* The run stops at once, and names the trade by which something came out of nowhere. */
static void check_forgery(bool every_window, aldis_ns latest_ns)
{
    struct scenario *scenario = shipped_load("trade-routes", NULL, 0);
    struct killer killer = {.system = NULL};
    struct space_report report;
    CHECK_OK(space_run(scenario,
                       &(struct space_run_opts){.named = true,
                                                .check_balance = every_window,
                                                .witness = every_window,
                                                .on_progress = forge_once,
                                                .on_system = keep,
                                                .piece_ns = ALDIS_MINUTE,
                                                .arg = &killer,
                                                .until_ns = ALDIS_HOUR},
                       &report));
    CHECK(report.lost);
    CHECK_INT(report.end_reason, ALDIS_RUN_HALTED);
    CHECK(report.virtual_ns > FORGED_AT && report.virtual_ns <= latest_ns);
    /* The goods came from nobody, and what the ship paid went to nobody. */
    CHECK(strncmp(report.balance, "credits (cents): ", 17) == 0);
    CHECK(strstr(report.balance, "-90000") != NULL);
    CHECK(report.evidence != NULL);
    uint32_t lines = 0;
    for (const char *at = report.evidence; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    CHECK(lines > 0 && lines <= 64);
    if (every_window) { /* then it is a handful of trades, and this one is among them */
        CHECK(lines < 20);
        CHECK(strstr(report.evidence, "\"event\":\"handled\",\"actor\":\"ship-9\","
                                      "\"message\":\"trade_offer\",\"from\":\"service\"") != NULL);
        CHECK(strstr(report.evidence, "\"trade_taken\",\"actor\":\"ship-9\"") != NULL);
        CHECK(strstr(report.evidence, "\"number\":987654321") != NULL);
        CHECK(strstr(report.evidence, "\"event\":\"has_changed\",\"actor\":\"ship-9\","
                                      "\"thing\":\"cents\",\"amount\":-90000}") != NULL);
    }
    space_report_fini(&report);
    scenario_destroy(scenario);
}

TEST(what_comes_out_of_nowhere_stops_the_run_and_is_named)
{
    check_forgery(true, FORGED_AT + ALDIS_SECOND);
    check_forgery(false, FORGED_AT + ALDIS_MINUTE);
}

/* ---- Messages that are lost, doubled and late; actors that stand still ---- */

static const aldis_fault_rule rules[] = {
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.05},
    {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.05},
    {.kind = ALDIS_FAULT_DELAY, .chance = 0.1, .max_ns = 5 * ALDIS_SECOND},
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.3, .type = "trade_answer"},
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.3, .type = "trade_settled"},
    {.kind = ALDIS_FAULT_DUPLICATE,
     .chance = 0.5,
     .max_ns = 40 * ALDIS_SECOND,
     .type = "market_order"},
    {.kind = ALDIS_FAULT_PAUSE, .chance = 0.001, .max_ns = 20 * ALDIS_SECOND},
    {.kind = ALDIS_FAULT_RESTART, .chance = 0.002},
};

TEST(no_scenario_loses_anything_to_faults)
{
    static const char *const names[] = {"harbour", "trade-routes", "distress", "storm", "rush-hour",
                                        "minds",   "signals",      "crowded",  "galaxy"};
    static const char *const small[] = {"galaxy.systems=40", "fleets.traders.count=600",
                                        "fleets.couriers.count=200"};
    static const char *const fewer[] = {"fleets.eastern.count=200", "fleets.western.count=200"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool galaxy = strcmp(names[i], "galaxy") == 0, crowded = strcmp(names[i], "crowded") == 0;
        struct scenario *scenario = shipped_load(names[i], galaxy ? small : fewer,
                                                 galaxy    ? 3
                                                 : crowded ? 2
                                                           : 0);
        for (uint64_t seed = 1; seed <= 2; seed++) {
            const aldis_fault_plan plan = {.heal_ns = 4 * ALDIS_MINUTE,
                                           .rules = rules,
                                           .rule_count = sizeof rules / sizeof rules[0]};
            struct space_report report = run(
                scenario,
                (struct space_run_opts){
                    .has_seed = true, .seed = seed, .faults = &plan, .until_ns = 6 * ALDIS_MINUTE});
            CHECK(report.dockings > 10);
            CHECK(report.stats.total.dropped > 10); /* they did come */
            space_report_fini(&report);
        }
        scenario_destroy(scenario);
    }
}

/* Each begins again after every message, and has its page: nobody notices. */
TEST(a_service_that_crashes_goes_on_from_its_page)
{
    static const aldis_fault_rule always[] = {
        {.kind = ALDIS_FAULT_RESTART, .every = 1, .to = "weather"},
        {.kind = ALDIS_FAULT_RESTART, .every = 1, .to = "hazards"},
        {.kind = ALDIS_FAULT_RESTART, .every = 1, .to = "rescue"},
        {.kind = ALDIS_FAULT_RESTART, .every = 1, .to = "ledger"}};
    static const aldis_fault_rule never = {.kind = ALDIS_FAULT_RESTART, .chance = 0};
    static const char *const names[] = {"storm", "distress"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct scenario *scenario = shipped_load(names[i], NULL, 0);
        const aldis_fault_plan plans[] = {{.rules = &never, .rule_count = 1},
                                          {.rules = always, .rule_count = 4}};
        struct space_report reports[2];
        for (int j = 0; j < 2; j++)
            reports[j] = run(scenario, (struct space_run_opts){.faults = &plans[j],
                                                               .until_ns = 20 * ALDIS_MINUTE});
        CHECK_UINT(reports[0].stats.total.dead, 0);
        CHECK(reports[1].stats.total.dead > 500); /* what was handled as it crashed */
        CHECK_UINT(reports[1].dockings, reports[0].dockings);
        CHECK_UINT(reports[1].refusals, reports[0].refusals);
        CHECK_UINT(reports[1].waits.count, reports[0].waits.count);
        CHECK_INT(reports[1].waits.max_ns, reports[0].waits.max_ns);
        for (int state = 0; state < SPACE_SHIP_STATE_COUNT; state++)
            CHECK_UINT(reports[1].ships[state], reports[0].ships[state]);
        space_report_fini(&reports[0]);
        space_report_fini(&reports[1]);
        scenario_destroy(scenario);
    }
}

/* ---- What one sees of a run ---- */

static bool look_at_waits(void *arg, const struct space_progress *progress)
{
    uint32_t *told = arg;
    struct space_ship_view ship;
    for (uint32_t i = 1; space_ship_look(progress, i, &ship); i++) {
        CHECK(ship.estimate_ns == 0 || strcmp(ship.state_name, "docking") == 0);
        CHECK(ship.estimate_ns < ALDIS_HOUR);
        *told += ship.estimate_ns > 0;
    }
    return true;
}

/* On the way to its berth, as in all other states, a ship waits for nothing. */
TEST(only_who_waits_for_a_berth_has_an_estimate)
{
    uint32_t told = 0;
    struct scenario *scenario = shipped_load("rush-hour", NULL, 0);
    struct space_report report =
        run(scenario, (struct space_run_opts){
                          .on_progress = look_at_waits, .arg = &told, .until_ns = 2 * ALDIS_HOUR});
    CHECK(told > 0);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* ---- Events and memory ---- */

TEST(events_are_json_lines_and_change_nothing)
{
    struct scenario *scenario = shipped_load("harbour", NULL, 0);
    char *text = NULL;
    size_t size = 0;
    FILE *events = open_memstream(&text, &size);
    struct space_report with =
        run(scenario, (struct space_run_opts){.events = events, .until_ns = ALDIS_MINUTE * 10});
    struct space_report without =
        run(scenario, (struct space_run_opts){.until_ns = ALDIS_MINUTE * 10});
    fclose(events);
    CHECK_UINT(with.run_print, without.run_print);
    CHECK(size > 10000);
    CHECK(strncmp(text, "{\"at_ns\":", 9) == 0);
    CHECK(strstr(text, "\"event\":\"state\"") != NULL);
    CHECK(strstr(text, "\"event\":\"trade_settled\"") != NULL);
    CHECK(text[size - 1] == '\n');
    free(text);
    space_report_fini(&with);
    space_report_fini(&without);
    scenario_destroy(scenario);
}

TEST(a_count_that_memory_cannot_hold_is_refused_before_the_start)
{
    static const char *const settings[] = {"galaxy.systems=30", "galaxy.radius=500 u",
                                           "fleets.traders.count=15900000"};
    struct scenario *scenario = shipped_load("galaxy", settings, 3);
    struct space_report report;
    aldis_err err = ALDIS_OK;
    memset(&report, 0, sizeof report);
    if (scenario_bytes_needed(scenario) < 2ull << 30)
        test_fail(__FILE__, __LINE__, "only %" PRIu64 " bytes", scenario_bytes_needed(scenario));
    err = space_run(scenario, &(struct space_run_opts){.until_ns = 1, .bytes_max = 1u << 30},
                    &report);
    CHECK_INT(err, ALDIS_ENOMEM);
    CHECK(report.bytes_needed > 15900000ull * 256);
    CHECK_UINT(report.bytes_at_hand, 1u << 30);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* All are spawned from outside, by one shard, whose share of the ids would be too small. */
TEST(all_ships_get_an_id_however_many_shards_there_are)
{
#ifdef __SANITIZE_THREAD__
    SKIP("the thread sanitizer leaves too little address space for so many shards");
#endif
    static const char *const settings[] = {"fleets.traders.count=70000"};
    struct scenario *scenario = shipped_load("harbour", settings, 1);
    struct space_report report;
    CHECK_OK(
        space_run(scenario,
                  &(struct space_run_opts){
                      .shards = 4094, .workers = 1, .until_ns = ALDIS_MS, .piece_ns = ALDIS_MS},
                  &report));
    CHECK_UINT(report.ships[SHIP_idle], 70090);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

TEST(a_ship_is_small)
{
    CHECK_UINT(sizeof(struct ship), 160);
}
