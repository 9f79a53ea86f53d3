// SPDX-License-Identifier: Apache-2.0
/* run.c: sets a scenario's actors up, lets them run, and gathers the report. See space.h. */
#include "protocol.h"

#include <aldis/router.h>

#include <stdlib.h>
#include <string.h>

/* The run is cut into about this many pieces, for progress. They are always the same ones, so that
 * looking at a run cannot change it. A live run cannot be changed so: it is looked at oftener. */
#define PIECES 100
#define LIVE_PIECE_NS (200 * ALDIS_MS)

#define STOP_TIMEOUT_NS (10 * ALDIS_SECOND)

/* One run. */
struct run {
    const struct scenario *scenario;
    const struct space_run_opts *opts;
    struct space_report *report;
    aldis_system *system;
    station_ref *stations;
    struct chart chart;
    struct ledger_result *result;
};

static aldis_spawn_opts anywhere(const void *arg, size_t size)
{
    return (aldis_spawn_opts){.arg = arg, .arg_size = size, .placement = ALDIS_PLACE_ANYWHERE};
}

static aldis_err spawn_services(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct ledger_arg ledger = {.ship_count = scenario->ship_count, .result = run->result};
    aldis_spawn_opts opts = anywhere(&ledger, sizeof ledger);
    aldis_err err = aldis_spawn(run->system, ledger, &run->chart.ledger, &opts);
    opts = anywhere(&run->chart, sizeof run->chart);
    if (err == ALDIS_OK && scenario->hazards.count > 0) {
        sector_ref sector;
        err = aldis_spawn(run->system, sector, &sector, &opts);
    }
    if (err == ALDIS_OK && scenario->market.commodities.count > 0) {
        market_ref market;
        err = aldis_spawn(run->system, market, &market, &opts);
    }
    return err;
}

/* All stations before the first ship: a ship looks at the table, and then nothing may change it. */
static aldis_err spawn_stations(struct run *run)
{
    uint32_t count = run->scenario->stations.count;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < count; i++) {
        struct station_arg arg = {.chart = run->chart, .station = i};
        aldis_spawn_opts opts = anywhere(&arg, sizeof arg);
        err = aldis_spawn(run->system, station, &run->stations[i], &opts);
    }
    return err;
}

/* The ships of a fleet begin spread over the stations of its route, or over all that take them. */
static void choose_home(const struct scenario *scenario, const struct scenario_fleet *fleet,
                        uint32_t ship, struct ship_arg *arg)
{
    if (fleet->route.count > 0) {
        arg->leg = ship % fleet->route.count;
        arg->home = fleet->route.stations[arg->leg];
        return;
    }
    const struct scenario_class *class = &scenario->classes.items[fleet->class];
    uint32_t home = ship % scenario->stations.count;
    while (!scenario_station_takes(&scenario->stations.items[home], class))
        home = (home + 1) % scenario->stations.count;
    arg->home = home;
}

/* So that messages from outside can name it. */
static aldis_err name_ship(const struct run *run, ship_ref ship, uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, "ship-%u", number);
    return aldis_system_register(run->system, ship.id, name);
}

static aldis_err spawn_ships(struct run *run)
{
    uint32_t number = 0;
    const struct scenario *scenario = run->scenario;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; i < scenario->fleets.count; i++) {
        const struct scenario_fleet *fleet = &scenario->fleets.items[i];
        for (uint32_t j = 0; err == ALDIS_OK && j < fleet->count; j++) {
            struct ship_arg arg = {.chart = run->chart, .fleet = i};
            choose_home(scenario, fleet, j, &arg);
            aldis_spawn_opts opts = anywhere(&arg, sizeof arg);
            ship_ref ship;
            err = aldis_spawn(run->system, ship, &ship, &opts);
            if (err == ALDIS_OK && run->opts->named)
                err = name_ship(run, ship, ++number);
        }
    }
    return err;
}

static aldis_err spawn_all(struct run *run)
{
    run->chart = (struct chart){.scenario = run->scenario, .stations = run->stations};
    aldis_err err = spawn_services(run);
    if (err == ALDIS_OK)
        err = spawn_stations(run);
    return err == ALDIS_OK ? spawn_ships(run) : err;
}

/* ---- Running ---- */

static aldis_err tell_progress(const struct run *run, aldis_ns until_ns, bool *out_go_on)
{
    *out_go_on = true;
    if (!run->opts->on_progress)
        return ALDIS_OK;
    aldis_stats stats;
    aldis_err err = aldis_system_stats(run->system, &stats);
    if (err != ALDIS_OK)
        return err;
    const aldis_type_stats *docked = aldis_stats_type(&stats, "docked");
    struct space_progress progress = {.now_ns = aldis_system_now(run->system),
                                      .until_ns = until_ns,
                                      .handled_msgs = stats.total.handled,
                                      .refused_msgs = stats.failed_deliveries,
                                      .dockings = docked ? docked->handled : 0};
    aldis_stats_fini(&stats);
    *out_go_on = run->opts->on_progress(run->opts->arg, &progress);
    return ALDIS_OK;
}

static aldis_err run_pieces(const struct run *run, aldis_ns until_ns)
{
    aldis_ns piece_ns = until_ns / PIECES > 0 ? until_ns / PIECES : 1;
    if (run->opts->live && piece_ns > LIVE_PIECE_NS)
        piece_ns = LIVE_PIECE_NS;
    aldis_run_end end = ALDIS_RUN_UNTIL;
    aldis_err err = ALDIS_OK;
    for (aldis_ns done_ns = 0; err == ALDIS_OK && end == ALDIS_RUN_UNTIL && done_ns < until_ns;) {
        bool go_on;
        err = tell_progress(run, until_ns, &go_on);
        if (err != ALDIS_OK)
            break;
        done_ns = until_ns - done_ns > piece_ns ? done_ns + piece_ns : until_ns;
        if (go_on)
            err = aldis_system_run(run->system, done_ns, &end);
        else
            end = ALDIS_RUN_HALTED;
    }
    run->report->end_reason = end;
    return err;
}

static aldis_err run_watched(const struct run *run)
{
    const struct space_run_opts *opts = run->opts;
    struct space_run_facts facts = {.system = run->system,
                                    .seed = run->report->seed,
                                    .shards = aldis_system_shards(run->system),
                                    .until_ns = opts->until_ns > 0 ? opts->until_ns
                                                                   : run->scenario->duration_ns};
    if (opts->on_begin)
        opts->on_begin(opts->arg, &facts);
    aldis_err err = opts->paced ? aldis_system_pace(run->system, &opts->pace) : ALDIS_OK;
    if (err == ALDIS_OK)
        err = run_pieces(run, facts.until_ns);
    if (opts->on_end)
        opts->on_end(opts->arg, &facts, run->report->end_reason);
    return err;
}

/* ---- The report ---- */

/* What the system can say, before its actors are stopped: the figures are those of the run. */
static aldis_err gather_counts(const struct run *run)
{
    struct space_report *report = run->report;
    report->workers = aldis_system_workers(run->system);
    report->shards = aldis_system_shards(run->system);
    report->virtual_ns = aldis_system_now(run->system);
    report->run_print = report->live ? 0 : aldis_system_run_print(run->system);
    if (report->paced)
        (void)aldis_system_pace_report(run->system, &report->pace);
    aldis_err err = aldis_system_stats(run->system, &report->stats);
    if (err != ALDIS_OK)
        return err;
    err = aldis_system_audit(run->system, &report->audit);
    return err == ALDIS_EAUDIT ? ALDIS_OK : err; /* the report says so */
}

/* What the ledger has written, once it has stopped. */
static aldis_err gather_result(const struct run *run)
{
    struct space_report *report = run->report;
    const struct ledger_result *result = run->result;
    uint32_t count = run->scenario->stations.count;
    memcpy(report->ships, result->ships, sizeof report->ships);
    report->dockings = result->dockings;
    report->refusals = result->refusals;
    report->waits = result->waits;
    report->wait_errors = result->wait_errors;
    report->stations = calloc(count, sizeof *report->stations);
    if (!report->stations)
        return ALDIS_ENOMEM;
    report->station_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct space_station_report *station = &report->stations[i];
        uint64_t dockings = result->stations[i].dockings;
        memcpy(station->name, run->scenario->stations.items[i].name, sizeof station->name);
        station->dockings = dockings;
        if (dockings > 0)
            station->wait_mean_ns = result->stations[i].wait_total_ns / (aldis_ns)dockings;
    }
    return ALDIS_OK;
}

/* Everything after the system was made. However it goes, what was counted is reported. */
static aldis_err run_system(struct run *run)
{
    aldis_err err = spawn_all(run);
    if (err == ALDIS_OK)
        err = run_watched(run);
    aldis_err counted = gather_counts(run);
    aldis_err stopped = aldis_system_stop(run->system, STOP_TIMEOUT_NS);
    aldis_err gathered = stopped == ALDIS_OK ? gather_result(run) : stopped;
    if (err != ALDIS_OK)
        return err;
    return counted != ALDIS_OK ? counted : gathered;
}

static aldis_err make_system(struct run *run)
{
    const struct space_run_opts *opts = run->opts;
    aldis_system_opts system_opts = {.clock = opts->live ? ALDIS_CLOCK_LIVE : ALDIS_CLOCK_VIRTUAL,
                                     .seed = run->report->seed,
                                     .workers = opts->workers,
                                     .shards = opts->shards,
                                     .lookahead_ns = run->scenario->lookahead_ns};
    aldis_err err = aldis_system_create(&system_opts, &run->system);
    if (err != ALDIS_OK)
        return err;
    if (opts->on_system)
        opts->on_system(opts->arg, run->system);
    err = run_system(run);
    if (opts->on_system)
        opts->on_system(opts->arg, NULL);
    aldis_system_destroy(run->system);
    return err;
}

aldis_err space_run(const struct scenario *scenario, const struct space_run_opts *opts,
                    struct space_report *out_report)
{
    static const struct space_run_opts defaults;
    struct run run = {.scenario = scenario, .opts = opts ? opts : &defaults, .report = out_report};
    *out_report =
        (struct space_report){.seed = run.opts->has_seed ? run.opts->seed : scenario->seed,
                              .live = run.opts->live,
                              .paced = run.opts->paced};
    memcpy(out_report->scenario, scenario->name, sizeof out_report->scenario);
    run.stations = calloc(scenario->stations.count, sizeof *run.stations);
    run.result = calloc(1, sizeof *run.result);
    aldis_err err = run.stations && run.result ? make_system(&run) : ALDIS_ENOMEM;
    free(run.result);
    free(run.stations);
    return err;
}

void space_report_fini(struct space_report *report)
{
    aldis_stats_fini(&report->stats);
    free(report->stations);
    *report = (struct space_report){0};
}
