// SPDX-License-Identifier: Apache-2.0
/* run.c: sets a scenario's actors up, lets them run, and gathers the report. See space.h. */
#include "run.h"
#include "bounds.h"
#include "chronicle.h"
#include "holdings.h"
#include "ledger.h"
#include "memory.h"
#include "mind_leaves.h"
#include "ship.h"
#include "station.h"
#include "witness.h"

#include <aldis/router.h>

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

/* The run is cut into about this many pieces, for progress. They are always the same ones, so that
 * looking at a run cannot change it. A live run cannot be changed so: it is looked at oftener. */
#define PIECES 100
#define LIVE_PIECE_NS (200 * ALDIS_MS)

/* With fewer ships they all start in one window. */
#define START_PORTION_MIN 8192

/* Should something be missing: of each kind of evidence. */
#define EVIDENCE_LINES 64

#define STOP_TIMEOUT_NS (10 * ALDIS_SECOND)

/* ---- Setting up ---- */

static aldis_spawn_opts on_shard_of(const struct run *run, uint32_t account, const void *arg,
                                    size_t size)
{
    return (aldis_spawn_opts){.arg = arg,
                              .arg_size = size,
                              .placement = ALDIS_PLACE_SHARD,
                              .shard = chronicle_shard(run->chart.chronicle, account)};
}

/* So that messages from outside can name it. */
static aldis_err name_actor(const struct run *run, aldis_id actor, const char *kind,
                            uint32_t number)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%u", kind, number);
    return aldis_system_register(run->system, actor, name);
}

static aldis_err spawn_services(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const struct chart *chart = &run->chart;
    struct ledger_arg ledger = {.page = &run->ledger};
    uint32_t account = scenario->stations.count;
    aldis_spawn_opts opts = on_shard_of(run, account, &ledger, sizeof ledger);
    aldis_err err = aldis_spawn(run->system, ledger, &run->chart.ledger, &opts);
    opts = on_shard_of(run, account, &chart, sizeof chart);
    if (err == ALDIS_OK && scenario->rescue.tugs > 0)
        err = aldis_system_spawn_raw(run->system, &run->kinds[ACTOR_RESCUE], &opts,
                                     &run->chart.rescue.id);
    if (err == ALDIS_OK && scenario->rescue.tugs > 0 && run->opts->named)
        err = aldis_system_register(run->system, run->chart.rescue.id, "rescue");
    if (err == ALDIS_OK && scenario->hazards.count > 0) {
        hazards_ref hazards;
        err = aldis_spawn(run->system, hazards, &hazards, &opts);
    }
    if (err == ALDIS_OK && scenario->weather.count > 0) {
        weather_ref weather;
        err = aldis_spawn(run->system, weather, &weather, &opts);
    }
    if (err == ALDIS_OK && scenario->traffic.every_ns > 0) {
        err = aldis_spawn(run->system, traffic, &run->chart.traffic, &opts);
    }
    return err;
}

/* All stations before the first ship: a ship looks at the table, and then nothing may change it. */
static aldis_err spawn_stations(struct run *run)
{
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < run->scenario->stations.count; i++) {
        struct station_arg arg = {.chart = &run->chart, .station = i};
        aldis_spawn_opts opts = on_shard_of(run, i, &arg, sizeof arg);
        err = aldis_system_spawn_raw(run->system, &run->kinds[ACTOR_STATION], &opts,
                                     &run->stations[i].id);
        if (err == ALDIS_OK && run->opts->named)
            err = name_actor(run, run->stations[i].id, "station", i + 1);
    }
    return err;
}

/* The ships of a fleet begin spread over the stations of its route, or over all that take them;
 * those that fly together begin together. */
static void choose_home(const struct scenario *scenario, const struct scenario_fleet *fleet,
                        uint32_t number, struct ship *ship)
{
    uint32_t group = fleet->formation > 0 ? fleet->formation_size : 1;
    uint32_t place = number / group;
    ship->place_in_line = number % group & 7u;
    if (fleet->route.count > 0) {
        ship->leg = (uint8_t)(place % fleet->route.count);
        ship->station = (uint16_t)fleet->route.stations[ship->leg];
        return;
    }
    const struct scenario_class *class = &scenario->classes.items[fleet->class];
    uint32_t home = place % scenario->stations.count;
    while (!scenario_station_takes(&scenario->stations.items[home], class))
        home = (home + 1) % scenario->stations.count;
    ship->station = (uint16_t)home;
}

/* Many ships start in portions, a nanosecond apart: what it takes to start one is then free for the
 * next, and not held by each of a million. Few start all at once. */
static aldis_err start_portion(const struct run *run, uint32_t spawned)
{
    uint32_t portion = run->scenario->ship_count / 16;
    if (portion < START_PORTION_MIN)
        portion = START_PORTION_MIN;
    if (run->opts->live || spawned % portion != 0)
        return ALDIS_OK;
    return aldis_system_run(run->system, aldis_system_now(run->system) + 1, NULL);
}

static aldis_err spawn_fleet(const struct run *run, const struct scenario_fleet *fleet)
{
    aldis_err err = ALDIS_OK;
    aldis_id leader = aldis_nobody();
    for (uint32_t i = 0; err == ALDIS_OK && i < fleet->count; i++) {
        struct ship *page = books_ship(&run->books, fleet->first + i);
        choose_home(run->scenario, fleet, i, page);
        if (page->place_in_line > 0 && !ship_rare(page))
            return ALDIS_ENOMEM;
        if (page->place_in_line > 0)
            page->extra->rare->formation.leader = leader;
        aldis_spawn_opts opts = on_shard_of(run, ship_account(page), &page, sizeof page);
        ship_ref ship;
        err = aldis_system_spawn_raw(run->system, &run->kinds[ACTOR_SHIP], &opts, &ship.id);
        if (page->place_in_line == 0)
            leader = ship.id;
        if (err == ALDIS_OK && run->opts->named)
            err = name_actor(run, ship.id, "ship", fleet->first + i + 1);
        if (err == ALDIS_OK)
            err = start_portion(run, fleet->first + i + 1);
    }
    return err;
}

static aldis_err spawn_all(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    run->chart.scenario = scenario;
    run->chart.books = &run->books;
    run->chart.stations = run->stations;
    run->chart.early_ns = run->opts->live ? EARLY_NS : 0;
    aldis_err err = spawn_services(run);
    if (err == ALDIS_OK)
        err = spawn_stations(run);
    if (err == ALDIS_OK && run->chart.signals && !signals_know_stations(&run->chart))
        err = ALDIS_ENOMEM;
    for (uint32_t i = 0; err == ALDIS_OK && i < scenario->fleets.count; i++)
        err = spawn_fleet(run, &scenario->fleets.items[i]);
    (void)malloc_trim(0); /* what only the start has needed */
    return err;
}

/* ---- Running ---- */

static bool tell_progress(const struct run *run, aldis_ns until_ns)
{
    const struct space_progress progress = {
        .now_ns = aldis_system_now(run->system), .until_ns = until_ns, .run = run};
    return !run->opts->on_progress || run->opts->on_progress(run->opts->arg, &progress);
}

/* Is everything still there? If not, say what is not, and what led to it. */
static bool check_balance(struct run *run, aldis_ns now_ns)
{
    struct space_report *report = run->report;
    if (report->lost)
        return false;
    report->lost =
        !books_balance(&run->books, run->scenario, report->balance, sizeof report->balance);
    if (!report->lost) {
        run->checked_ns = now_ns;
        if (run->holdings)
            holdings_note(run->holdings, &run->books);
        if (run->witness)
            witness_forget(run->witness);
        return true;
    }
    size_t size = strlen(report->balance);
    snprintf(report->balance + size, sizeof report->balance - size, ", between %.6f s and %.6f s",
             (double)run->checked_ns * 1e-9, (double)now_ns * 1e-9);
    FILE *out = open_memstream(&report->evidence, &size);
    if (out) {
        if (run->holdings)
            holdings_print_changes(run->holdings, &run->books, run->scenario, now_ns,
                                   EVIDENCE_LINES, out);
        if (run->holdings && run->witness)
            witness_print(run->witness, run->holdings, &run->chart, EVIDENCE_LINES, out);
        chronicle_evidence(run->chart.chronicle, run->scenario, run->checked_ns, out,
                           EVIDENCE_LINES, run->witness ? 0 : EVIDENCE_LINES);
        fclose(out);
    }
    return false;
}

static void after_window(void *arg, const aldis_window *window)
{
    struct run *run = arg;
    if (run->opts->on_window)
        run->opts->on_window(run->opts->arg, window);
    if (run->opts->check_balance && !check_balance(run, window->end_ns))
        aldis_system_halt(run->system);
}

static aldis_err drain_events(struct run *run)
{
    if (!run->opts->events)
        return ALDIS_OK;
    aldis_err err = chronicle_drain(run->chart.chronicle, run->scenario, run->opts->events);
    const struct scenario_limits *limits = &run->scenario->limits;
    if (err == ALDIS_OK && (limits->memory > 0 || bounds_have_mailboxes(limits)))
        err = bounds_drain(run->system, &run->seen, run->opts->events);
    return err;
}

/* A live run is not at rest between its pieces. */
static aldis_err run_pieces(struct run *run, aldis_ns until_ns)
{
    aldis_ns piece_ns = until_ns / PIECES > 0 ? until_ns / PIECES : 1;
    if (run->opts->piece_ns > 0)
        piece_ns = run->opts->piece_ns;
    if (run->opts->live && piece_ns > LIVE_PIECE_NS)
        piece_ns = LIVE_PIECE_NS;
    aldis_run_end end = ALDIS_RUN_UNTIL;
    aldis_err err = ALDIS_OK;
    for (aldis_ns done_ns = 0; err == ALDIS_OK && end == ALDIS_RUN_UNTIL && done_ns < until_ns;) {
        bool go_on = tell_progress(run, until_ns);
        done_ns = until_ns - done_ns > piece_ns ? done_ns + piece_ns : until_ns;
        if (go_on)
            err = aldis_system_run(run->system, done_ns, &end);
        else
            end = ALDIS_RUN_HALTED;
        if (!run->opts->live && !check_balance(run, done_ns))
            end = ALDIS_RUN_HALTED;
        aldis_err drained = drain_events(run);
        err = err != ALDIS_OK ? err : drained;
    }
    run->report->end_reason = end;
    return err;
}

static aldis_err run_watched(struct run *run)
{
    const struct space_run_opts *opts = run->opts;
    struct space_run_facts facts = {.system = run->system,
                                    .seed = run->report->seed,
                                    .shards = aldis_system_shards(run->system),
                                    .content = run->scenario->content,
                                    .until_ns = opts->until_ns > 0 ? opts->until_ns
                                                                   : run->scenario->duration_ns};
    const aldis_fault_plan *plan = opts->faults ? opts->faults : scenario_faults(run->scenario);
    if (plan && !opts->live) {
        aldis_err refused = aldis_system_inject(run->system, plan);
        if (refused != ALDIS_OK)
            return refused;
    }
    if (run->witness && !opts->live) {
        aldis_err refused = witness_watch(run->witness, run->system);
        if (refused != ALDIS_OK)
            return refused;
    }
    if (opts->on_begin)
        opts->on_begin(opts->arg, &facts);
    aldis_err err = opts->paced ? aldis_system_pace(run->system, &opts->pace) : ALDIS_OK;
    bool looks = !opts->live && (opts->check_balance || opts->on_window);
    if (err == ALDIS_OK && looks)
        err = aldis_system_on_window(run->system, after_window, run);
    if (err == ALDIS_OK)
        err = run_pieces(run, facts.until_ns);
    if (err == ALDIS_OK && looks)
        err = aldis_system_on_window(run->system, NULL, NULL);
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
    bounds_report(&run->scenario->limits, report);
    uint64_t faults[ALDIS_FAULT_KIND_COUNT] = {0};
    (void)aldis_system_fault_counts(run->system, faults);
    report->limits.faults = faults[ALDIS_FAULT_LOSS] + faults[ALDIS_FAULT_CUT] > 0;
    err = aldis_system_audit(run->system, &report->audit);
    return err == ALDIS_EAUDIT ? ALDIS_OK : err; /* the report says so */
}

static void gather_stations(const struct run *run)
{
    struct space_report *report = run->report;
    for (uint32_t i = 0; i < report->station_count; i++) {
        struct space_station_report *station = &report->stations[i];
        const struct station_page *page = &run->books.stations[i];
        memcpy(station->name, run->scenario->stations.items[i].name, sizeof station->name);
        station->dockings = page->dockings;
        report->dockings += page->dockings;
        report->limits.over_rate += page->over_rate;
        if (page->grants > 0)
            station->wait_mean_ns = page->wait_total_ns / (aldis_ns)page->grants;
    }
}

/* What stands in the pages, and what the ledger has written, once all have stopped. */
static aldis_err gather_result(struct run *run)
{
    struct space_report *report = run->report;
    uint32_t count = run->scenario->stations.count;
    run_count_ships(run, report->ships);
    report->refusals = run->ledger.refusals;
    report->near_misses = run->books.near_misses;
    report->near_misses_left_out = run->books.near_misses_left_out;
    report->waits = histogram_times(&run->ledger.waits);
    report->wait_errors = histogram_times(&run->ledger.wait_errors);
    report->limits.holds = histogram_times(&run->ledger.holds);
    (void)check_balance(run, report->virtual_ns);
    report->stations = calloc(count, sizeof *report->stations);
    if (!report->stations)
        return ALDIS_ENOMEM;
    report->station_count = count;
    gather_stations(run);
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

/* All actors are spawned from outside, so one shard gives them their ids, and may need more slots
 * than its share of the library's default. 0: that will do. */
static uint32_t slots_for(const struct run *run)
{
    enum { DEFAULT_OF_ALL = 1 << 28, DEFAULT_SHARDS = 64, MOST = 1 << 24 };
    uint32_t shards = run->opts->shards > 0 ? run->opts->shards : DEFAULT_SHARDS;
    uint32_t actors = run->scenario->ship_count + run->scenario->stations.count + 16;
    return actors > DEFAULT_OF_ALL / shards ? MOST : 0;
}

static aldis_err make_system(struct run *run)
{
    const struct space_run_opts *opts = run->opts;
    aldis_system_opts system_opts = {.clock = opts->live ? ALDIS_CLOCK_LIVE : ALDIS_CLOCK_VIRTUAL,
                                     .seed = run->report->seed,
                                     .workers = opts->workers,
                                     .shards = opts->shards,
                                     .actors_max = slots_for(run),
                                     .memory_max = run->scenario->limits.memory,
                                     .dead_letters_max = 16, /* nobody reads them */
                                     .lookahead_ns = run->scenario->lookahead_ns};
    bounds_make_kinds(&run->scenario->limits, run->kinds);
    aldis_err err = aldis_system_create(&system_opts, &run->system);
    if (err != ALDIS_OK)
        return err;
    run->chart.chronicle =
        chronicle_create(aldis_system_shards(run->system), run->scenario->stations.count,
                         run->scenario->ship_count, opts->events != NULL);
    if (opts->on_system)
        opts->on_system(opts->arg, run->system);
    if (run->scenario->signals.speed > 0)
        run->chart.signals = signals_create(run->scenario, SPEAKERS(&run->books),
                                            opts->live ? 0 : run->scenario->lookahead_ns);
    bool made = run->chart.chronicle && (run->chart.signals || run->scenario->signals.speed == 0);
    err = made ? nearby_open(&run->chart.nearby, run->system, run->scenario) : ALDIS_ENOMEM;
    run->chart.nearby.ships = &run->kinds[ACTOR_SHIP];
    if (err == ALDIS_OK)
        err = run_system(run);
    if (opts->on_system)
        opts->on_system(opts->arg, NULL);
    aldis_system_destroy(run->system);
    signals_destroy(run->chart.signals);
    chronicle_destroy(run->chart.chronicle);
    return err;
}

static aldis_err set_up(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct space_report *report = run->report;
    report->bytes_needed = scenario_bytes_needed(scenario);
    report->bytes_at_hand = run->opts->bytes_max > 0 ? run->opts->bytes_max : memory_at_hand("");
    if (report->bytes_needed > report->bytes_at_hand)
        return ALDIS_ENOMEM;
    run->stations = calloc(scenario->stations.count, sizeof *run->stations);
    if (!run->stations || !books_init(&run->books, scenario, &run->chart))
        return ALDIS_ENOMEM;
    if ((run->opts->events || run->opts->witness) && !books_note_ids(&run->books))
        return ALDIS_ENOMEM;
    if (run->opts->witness) {
        run->witness = witness_create();
        if (!run->witness)
            return ALDIS_ENOMEM;
    }
    if (run->opts->check_balance) {
        run->holdings = holdings_create(&run->books);
        if (!run->holdings)
            return ALDIS_ENOMEM;
        holdings_note(run->holdings, &run->books);
    }
    return make_system(run);
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
    aldis_err err = set_up(&run);
    holdings_destroy(run.holdings);
    witness_destroy(run.witness);
    books_fini(&run.books);
    aldis_stats_fini(&run.seen);
    free(run.stations);
    return err;
}

void space_report_fini(struct space_report *report)
{
    aldis_stats_fini(&report->stats);
    free(report->stations);
    free(report->evidence);
    *report = (struct space_report){0};
}
