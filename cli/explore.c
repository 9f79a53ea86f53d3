// SPDX-License-Identifier: Apache-2.0
/* explore.c: `aldis explore FILE`: many runs of a scenario with faults, in search of one that goes
 * wrong. Layer: cli.
 *
 * A trial is one run in a process of its own (see aldis/explore.h). It is wrong when the run fails,
 * when its audit or the balance of goods, fuel and money does not hold, when a message is delivered
 * out of order, twice or not at all, or when the faults are over and a ship or a berth still
 * does not go on. */
#include "../space/space.h"

#include "command.h"
#include "digits.h"
#include "faults.h"
#include "input.h"
#include "interrupt.h"
#include "progress.h"
#include "values.h"
#include "wall.h"

#include <aldis/explore.h>
#include <aldis/router.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS_DEFAULT = 100,
    SHIPS_WATCHED = 4096, /* the first ones */
    BERTHS_WATCHED = 4096,
    LOOKS_MIN = 10,   /* a ship that does not go on is seen so often in the same state */
    FAULTS_SHOWN = 64 /* more are no longer a short story */
};
#define STILL_NS_MIN (10 * ALDIS_MINUTE)
#define SHRINK_NS (60 * ALDIS_SECOND)

struct explore_args {
    struct input input;
    aldis_explore_opts opts;
    aldis_ns until_ns;
    const char *faults;
    const char *until; /* as it was given */
    bool quiet;
    aldis_ns shrink_ns, shrink_end_ns; /* wall time; the end: 0 until it has begun */
    /* for the trials */
    const struct scenario *scenario;
    aldis_fault_plan plan;
};

enum {
    OPTION_QUIET = 'q',
    OPTION_SEEDS = 256,
    OPTION_FAULTS,
    OPTION_UNTIL,
    OPTION_JOBS,
    OPTION_TIMEOUT,
    OPTION_SHRINK
};
static const struct argp_option options[] = {
    {.name = "seeds", .key = OPTION_SEEDS, .arg = "A..B", .doc = "Seeds to try (default: 1..100)"},
    {.name = "faults",
     .key = OPTION_FAULTS,
     .arg = "PLAN",
     .doc = "What goes wrong: light, heavy, a YAML file, or what this command has printed "
            "(default: the scenario's own plan, else light)"},
    {.name = "until",
     .key = OPTION_UNTIL,
     .arg = "TIME",
     .doc = "How long each run is, in place of the scenario's duration"},
    {.name = "jobs",
     .key = OPTION_JOBS,
     .arg = "N",
     .doc = "Runs at once, 1 to 64 (default: the cores)"},
    {.name = "timeout",
     .key = OPTION_TIMEOUT,
     .arg = "TIME",
     .doc = "A run that takes longer, by the wall clock, has hung (default: 60s)"},
    {.name = "shrink",
     .key = OPTION_SHRINK,
     .arg = "TIME",
     .doc = "How long to shrink what was found, by the wall clock (default: 60s)"},
    {.name = "quiet", .key = OPTION_QUIET, .doc = "Show no progress"},
    {0}};

static void parse_seeds(struct argp_state *state, const char *value, aldis_explore_opts *opts)
{
    const char *rest = value;
    bool good = digits_u64(value, &opts->first_seed, &rest);
    if (good && *rest == '\0') {
        opts->last_seed = opts->first_seed;
        return;
    }
    good = good && strncmp(rest, "..", 2) == 0 && digits_u64(rest + 2, &opts->last_seed, &rest);
    if (!good || *rest != '\0' || opts->first_seed > opts->last_seed)
        argp_error(state, "--seeds: found '%s', allowed: A..B, whole numbers, A not above B",
                   value);
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct explore_args *args = state->input;
    if (key == ARGP_KEY_INIT)
        state->child_inputs[1] = &args->input;
    else if (key == OPTION_SEEDS)
        parse_seeds(state, value, &args->opts);
    else if (key == OPTION_FAULTS)
        args->faults = value;
    else if (key == OPTION_UNTIL)
        args->until_ns = value_duration(state, "--until", args->until = value);
    else if (key == OPTION_JOBS)
        args->opts.jobs = (uint32_t)value_whole(state, "--jobs", value, 1, 64);
    else if (key == OPTION_TIMEOUT)
        args->opts.timeout_ns = value_duration(state, "--timeout", value);
    else if (key == OPTION_SHRINK)
        args->shrink_ns = value_duration(state, "--shrink", value);
    else if (key == OPTION_QUIET)
        args->quiet = true;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_child children[] = {
    {.argp = &command_shared_argp}, {.argp = &input_argp}, {0}};
static const struct argp explore_argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Run the scenario in FILE with many seeds and with faults, until a run goes wrong.\v"
        "A run is wrong when it fails, crashes or hangs, when messages, goods, fuel or money are "
        "lost or doubled, when messages come out of their order, or when the faults are over (they "
        "stop at half of the run unless the plan says when) and a ship or a berth still does not "
        "go on. The faults are then shrunk to the fewest that make it go wrong, and the command "
        "that repeats it is printed.\n\n"
        "Status 0: no run went wrong. 1: one did. 64: the command line, or the plan of --faults in "
        "it, is wrong. 65, 66: the scenario or the plan's file is wrong, or cannot be read. "
        "71: no memory or processes. 129, 130, 143: ended by SIGHUP, SIGINT, SIGTERM.",
    .children = children,
};

/* ------------------------------------------------------------------ one trial */

struct watched {
    aldis_id id;
    char name[32]; /* of its state */
    aldis_ns since_ns;
    aldis_ns alarm_ns;    /* of the emergency that it is in: another one is another state */
    aldis_ns patience_ns; /* beyond what any state may take: see be_patient */
    uint32_t looks;
    aldis_ns armed_ns; /* when it was last seen to have a timer that is not overdue */
};

/* A berth that is kept long after it should have changed. */
struct watched_berth {
    uint32_t station, number, change;
    uint32_t looks;
};

struct run {
    aldis_trial *trial;
    aldis_system *system;
    aldis_ns healed_ns;
    struct watched *ships;
    struct watched_berth *berths;
    uint32_t count, berth_count;
};

static void on_begin(void *arg, const struct space_run_facts *facts)
{
    struct run *run = arg;
    run->system = facts->system;
    if (aldis_trial_inject(run->trial, facts->system) != ALDIS_OK)
        aldis_trial_fail(run->trial, ALDIS_VIOLATION_UNEXPECTED, "%s", aldis_error_last()->text);
    for (run->count = 0; run->count < SHIPS_WATCHED; run->count++) {
        char name[32];
        snprintf(name, sizeof name, "ship-%" PRIu32, run->count + 1);
        if (aldis_system_lookup(facts->system, name, &run->ships[run->count].id) != ALDIS_OK)
            break;
    }
}

/* Ships that fly or rest wait for their timers only; the others for somebody. */
static bool waits(const char *state)
{
    return strcmp(state, "docking") == 0 || strcmp(state, "docked") == 0 ||
           strcmp(state, "trading") == 0 || strcmp(state, "emergency") == 0;
}

static void list_berths(struct run *run, const struct space_progress *now)
{
    struct space_berth_view view;
    for (uint32_t station = 1; space_berth_look(now, station, 1, &view); station++)
        for (uint32_t berth = 1;
             run->berth_count < BERTHS_WATCHED && space_berth_look(now, station, berth, &view);
             berth++)
            run->berths[run->berth_count++] =
                (struct watched_berth){.station = station, .number = berth};
}

/* None is kept for ever: each state but free has its time-out. */
static void look_at_berths(struct run *run, const struct space_progress *now)
{
    if (run->berth_count == 0)
        list_berths(run, now);
    for (uint32_t i = 0; i < run->berth_count; i++) {
        struct watched_berth *berth = &run->berths[i];
        struct space_berth_view view;
        if (!space_berth_look(now, berth->station, berth->number, &view))
            continue;
        bool late = strcmp(view.state_name, "free") != 0 && view.change == berth->change &&
                    now->now_ns > view.expected_ns + STILL_NS_MIN;
        berth->looks = late ? berth->looks + 1 : 0;
        berth->change = view.change;
        struct space_station_view station;
        if (berth->looks == LOOKS_MIN && space_station_look(now, berth->station, &station))
            aldis_trial_fail(run->trial, ALDIS_VIOLATION_STUCK,
                             "berth %" PRIu32 " of %s is %s, %.0f s after it should have changed",
                             berth->number, station.name, view.state_name,
                             (double)(now->now_ns - view.expected_ns) * 1e-9);
    }
}

/* In a queue: twice what its station has told it. Held back before it: twice what it takes to serve
 * all ships there are. In an emergency: twice the time in which a tug
 * can be there, by what the rescue service had before it when it was first looked at. As that has
 * to be true from then on, tugs that stand still are found. */
static void be_patient(struct watched *ship, const struct space_ship_view *view, aldis_ns now_ns)
{
    if (view->help_ns == ALDIS_FOREVER)
        ship->patience_ns = ALDIS_FOREVER / 2;
    else if (view->help_ns > 0 && ship->patience_ns == 0)
        ship->patience_ns = now_ns - ship->since_ns + 2 * view->help_ns;
    else if (view->held_ns > 0)
        ship->patience_ns = now_ns - ship->since_ns + 2 * view->held_ns;
    else if (view->help_ns == 0 && strcmp(view->state_name, "emergency") != 0 &&
             ship->patience_ns < 2 * view->estimate_ns)
        ship->patience_ns = 2 * view->estimate_ns;
}

static bool on_progress(void *arg, const struct space_progress *now)
{
    struct run *run = arg;
    if (now->now_ns < run->healed_ns)
        return true;
    look_at_berths(run, now);
    for (uint32_t i = 0; i < run->count; i++) {
        struct watched *ship = &run->ships[i];
        aldis_status status;
        if (aldis_system_status(run->system, ship->id, &status) != ALDIS_OK)
            continue;
        struct space_ship_view view;
        if (!space_ship_look(now, i + 1, &view))
            continue;
        if (ship->looks == 0 || strcmp(ship->name, status.state_name) != 0 ||
            ship->alarm_ns != view.alarm_ns) {
            snprintf(ship->name, sizeof ship->name, "%s", status.state_name);
            ship->since_ns = now->now_ns;
            ship->alarm_ns = view.alarm_ns;
            ship->patience_ns = 0;
            ship->looks = 0;
        }
        be_patient(ship, &view, now->now_ns);
        bool armed = view.due_ns != ALDIS_FOREVER && view.due_ns >= now->now_ns;
        if (ship->armed_ns == 0 || armed)
            ship->armed_ns = now->now_ns;
        ship->looks++;
    }
    return true;
}

static void on_end(void *arg, const struct space_run_facts *facts, aldis_run_end end_reason)
{
    (void)end_reason;
    (void)aldis_trial_check(((struct run *)arg)->trial, facts->system);
}

static void look_for_still_ships(struct run *run, aldis_ns end_ns)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const struct watched *ship = &run->ships[i];
        aldis_ns still_ns = end_ns - ship->since_ns, quiet_ns = end_ns - ship->armed_ns;
        if (ship->armed_ns > 0 && quiet_ns > STILL_NS_MIN)
            aldis_trial_fail(run->trial, ALDIS_VIOLATION_STUCK,
                             "ship-%" PRIu32 " (%016" PRIx64 "), %s, has armed no timer for %.0f s",
                             i + 1, ship->id.bits, ship->name, (double)quiet_ns * 1e-9);
        /* As long as anything was looked at: since the faults were over. */
        if (ship->looks < LOOKS_MIN || still_ns < STILL_NS_MIN + ship->patience_ns ||
            !waits(ship->name) || ship->since_ns > run->healed_ns + (end_ns - run->healed_ns) / 8)
            continue;
        aldis_trial_fail(run->trial, ALDIS_VIOLATION_STUCK,
                         "ship-%" PRIu32 " (%016" PRIx64 ") has been %s for %.0f s", i + 1,
                         ship->id.bits, ship->name, (double)still_ns * 1e-9);
    }
}

static void trial(void *arg, aldis_trial *trial)
{
    const struct explore_args *args = arg;
    struct space_report report;
    struct run run = {.trial = trial,
                      .ships = calloc(SHIPS_WATCHED, sizeof *run.ships),
                      .berths = calloc(BERTHS_WATCHED, sizeof *run.berths)};
    static const aldis_fault_plan none;
    struct space_run_opts opts = {.has_seed = true,
                                  .seed = aldis_trial_seed(trial),
                                  .workers = 1,
                                  .until_ns = args->until_ns,
                                  .faults = &none,
                                  .named = true,
                                  .check_balance = true,
                                  .on_begin = on_begin,
                                  .on_progress = on_progress,
                                  .on_end = on_end,
                                  .arg = &run};
    if (!run.ships || !run.berths) { /* not a finding of its own, but nothing to pass over */
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "no memory");
        free(run.ships);
        free(run.berths);
        return;
    }
    run.healed_ns = args->plan.heal_ns;
    aldis_err err = space_run(args->scenario, &opts, &report);
    if (err != ALDIS_OK)
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "%s: %s", aldis_error_text(err),
                         aldis_error_last()->text);
    else if (!report.audit.balanced)
        aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "audit: %s", report.audit.text);
    else if (report.lost)
        aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "balance: %s", report.balance);
    else
        look_for_still_ships(&run, report.virtual_ns);
    space_report_fini(&report);
    free(run.ships);
    free(run.berths);
}

/* ------------------------------------------------------------------ the report */

static bool show_progress(void *arg, uint64_t trials, bool shrinking)
{
    struct explore_args *args = arg;
    if (shrinking && args->shrink_end_ns == 0)
        args->shrink_end_ns = wall_ns() + args->shrink_ns;
    if (shrinking && wall_ns() >= args->shrink_end_ns)
        return false;
    if (progress_is_due())
        progress_show(shrinking ? "explore: shrinking what was found after %" PRIu64 " of %" PRIu64
                                  " seeds"
                                : "explore: %" PRIu64 " of %" PRIu64 " seeds",
                      trials, args->opts.last_seed - args->opts.first_seed + 1);
    return interrupt_signal() == 0;
}

static void print_fault(const aldis_fault *fault)
{
    bool of_actor = aldis_fault_is_of_actor(fault->kind);
    printf("  %-9s %s %016" PRIx64 "%s its message %" PRIu64 " (%s %s %s %016" PRIx64
           "), at %.3f s",
           aldis_fault_kind_name(fault->kind), fault->actor_kind, fault->actor.bits,
           of_actor ? " after" : ",", fault->number, fault->type_name, of_actor ? "from" : "to",
           fault->other_kind, fault->other.bits, (double)fault->at_ns * 1e-9);
    if (fault->ns > 0)
        printf(", for %.6f s", (double)fault->ns * 1e-9);
    fputc('\n', stdout);
}

static aldis_ns heal_by_default(const struct explore_args *args)
{
    return (args->until_ns > 0 ? args->until_ns : scenario_duration(args->scenario)) / 2;
}

static void print_repeat(const struct explore_args *args, const aldis_finding *finding)
{
    printf("repeat it: aldis explore '%s'", args->input.path);
    for (size_t i = 0; i < args->input.count; i++)
        printf(" --set '%s'", args->input.settings[i]);
    if (args->until)
        printf(" --until %s", args->until);
    printf(" --seeds %" PRIu64, finding->seed);
    if (finding->fault_count <= FAULTS_SHOWN && finding->is_shrunk) {
        fputs(" --faults ", stdout);
        /* Where they end decides what counts as stuck. */
        aldis_ns heal_ns = args->plan.heal_ns;
        faults_write(finding->faults, finding->fault_count,
                     heal_ns == heal_by_default(args) ? 0 : heal_ns, stdout);
    } else if (args->faults) {
        printf(" --faults '%s'", args->faults);
    }
    fputc('\n', stdout);
}

static int report(const struct explore_args *args, const aldis_finding *finding)
{
    if (finding->violation == ALDIS_VIOLATION_NONE) {
        printf("%s: %" PRIu64 " seed%s, nothing found\n", args->input.path, finding->trials,
               finding->trials == 1 ? "" : "s");
        return interrupt_signal() ? 128 + interrupt_signal() : EXIT_GOOD;
    }
    printf("%s: seed %" PRIu64 ": %s: %s\n", args->input.path, finding->seed,
           aldis_violation_name(finding->violation), finding->text);
    if (finding->fault_total == 0)
        printf("no fault had happened\n");
    else
        printf("%" PRIu64 " faults had happened; %zu %s (%" PRIu64 " runs):\n",
               finding->fault_total, finding->fault_count,
               finding->is_shrunk ? "are enough" : "were left when shrinking ended",
               finding->shrink_trials);
    for (size_t i = 0; i < finding->fault_count && i < FAULTS_SHOWN; i++)
        print_fault(&finding->faults[i]);
    if (finding->fault_count > FAULTS_SHOWN)
        printf("  ... and %zu more\n", finding->fault_count - FAULTS_SHOWN);
    print_repeat(args, finding);
    return EXIT_NO;
}

/* ------------------------------------------------------------------ the command */

static int explore(struct explore_args *args)
{
    aldis_finding finding;
    interrupt_install();
    progress_begin(!args->quiet);
    args->opts.plan = &args->plan;
    args->opts.on_progress = show_progress;
    args->opts.progress_arg = args;
    aldis_err err = aldis_explore(&args->opts, trial, args, &finding);
    progress_clear();
    if (err != ALDIS_OK && err != ALDIS_ETIMEDOUT) {
        fprintf(stderr, "aldis explore: %s\n", aldis_error_last()->text);
        return EXIT_SYSTEM;
    }
    int status = report(args, &finding);
    aldis_finding_fini(&finding);
    return status;
}

/* The plan of the command line, of the scenario, or light; it heals in any case. */
static int choose_plan(struct explore_args *args, struct faults *faults)
{
    const aldis_fault_plan *own = scenario_faults(args->scenario);
    *faults = (struct faults){.file = NULL};
    if (args->faults) {
        int status = faults_read(args->faults, "aldis explore", faults);
        if (status != EXIT_GOOD)
            return status;
        own = &faults->plan;
    }
    args->plan = own ? *own : *aldis_fault_plan_named("light");
    if (args->plan.heal_ns == 0)
        args->plan.heal_ns = heal_by_default(args);
    return EXIT_GOOD;
}

int command_explore(int argc, char **argv)
{
    struct explore_args args = {.opts = {.first_seed = 1, .last_seed = SEEDS_DEFAULT},
                                .shrink_ns = SHRINK_NS};
    command_parse(&explore_argp, argc, argv, 0, &args);
    struct scenario *scenario = NULL;
    struct faults faults = {.file = NULL};
    int status = input_read(&args.input, &scenario);
    args.scenario = scenario;
    if (status == EXIT_GOOD)
        status = choose_plan(&args, &faults);
    if (status == EXIT_GOOD)
        status = explore(&args);
    faults_fini(&faults);
    scenario_destroy(scenario);
    return status;
}
