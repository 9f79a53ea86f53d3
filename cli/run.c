// SPDX-License-Identifier: Apache-2.0
/* run.c: `aldis run FILE`: runs a scenario, shows how it goes, and reports. Layer: cli. */
#include "../space/space.h"

#include "command.h"
#include "faults.h"
#include "input.h"
#include "interrupt.h"
#include "progress.h"
#include "session.h"
#include "values.h"
#include "wall.h"
#include "watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct run_args {
    struct input input;
    struct space_run_opts opts;
    struct session_opts session;
    const char *max_lag; /* as it was given */
    bool json;
    bool watch;
    bool quiet;
};

enum {
    OPTION_QUIET = 'q',
    OPTION_SEED = 256,
    OPTION_WORKERS,
    OPTION_SHARDS,
    OPTION_CLOCK,
    OPTION_UNTIL,
    OPTION_REALTIME,
    OPTION_MAX_LAG,
    OPTION_PRINT_WINDOWS,
    OPTION_LISTEN,
    OPTION_RECORD,
    OPTION_FAULTS,
    OPTION_EVENTS,
    OPTION_CHECK_BALANCE,
    OPTION_MIND,
    OPTION_WATCH,
    OPTION_JSON
};
static const struct argp_option options[] = {
    {.name = "seed", .key = OPTION_SEED, .arg = "N", .doc = "Seed, in place of the scenario's"},
    {.name = "workers",
     .key = OPTION_WORKERS,
     .arg = "N",
     .doc = "Threads, 1 to 255 (default: the cores); in virtual time no result depends on them"},
    {.name = "shards",
     .key = OPTION_SHARDS,
     .arg = "N",
     .doc = "Shards, 1 to 4094 (default: 64); as the seed, part of what is run"},
    {.name = "clock",
     .key = OPTION_CLOCK,
     .arg = "CLOCK",
     .doc = "virtual (default): as fast as it goes, and repeatable; live: by the wall clock"},
    {.name = "until",
     .key = OPTION_UNTIL,
     .arg = "TIME",
     .doc = "How long to run, in place of the scenario's duration: 500ms, 90s, 10m, 2h, 1d"},
    {.name = "realtime",
     .key = OPTION_REALTIME,
     .arg = "FACTOR",
     .flags = OPTION_ARG_OPTIONAL,
     .doc = "Let virtual time follow the wall clock, FACTOR (default: 1) times as fast"},
    {.name = "max-lag",
     .key = OPTION_MAX_LAG,
     .arg = "TIME",
     .doc = "With --realtime: end the run when it is further behind the wall clock"},
    {.name = "print-windows",
     .key = OPTION_PRINT_WINDOWS,
     .arg = "OUT",
     .doc = "Write the run print after each window to the file OUT, for `aldis compare'"},
    {.name = "listen",
     .key = OPTION_LISTEN,
     .arg = "SOCKET",
     .doc = "With --realtime: take orders for ships at the Unix socket SOCKET"},
    {.name = "record",
     .key = OPTION_RECORD,
     .arg = "OUT",
     .doc = "Keep what comes into the run from outside in the file OUT, for `aldis replay'"},
    {.name = "events",
     .key = OPTION_EVENTS,
     .arg = "OUT",
     .doc = "Write what happens to the file OUT, as JSON lines"},
    {.name = "check-balance",
     .key = OPTION_CHECK_BALANCE,
     .doc = "Look after every window whether all goods, fuel and credits are still there (else at "
            "each hundredth of the run)"},
    {.name = "faults",
     .key = OPTION_FAULTS,
     .arg = "PLAN",
     .doc = "What goes wrong, in place of the scenario's own plan: light, heavy, or a YAML file"},
    {.name = "mind",
     .key = OPTION_MIND,
     .arg = "N",
     .doc = "Say what the mind of ship N (or ship-N) is about whenever that has changed, at a "
            "hundred looks"},
    {.name = "watch",
     .key = OPTION_WATCH,
     .doc = "Show the run on the whole terminal: a map, queues, events; with keys to pause, step, "
            "set the speed, pick a ship"},
    {.name = "json", .key = OPTION_JSON, .doc = "Print the report as one JSON object"},
    {.name = "quiet", .key = OPTION_QUIET, .doc = "Show no progress"},
    {0}};

static bool parse_clock(struct argp_state *state, const char *value)
{
    bool live = strcmp(value, "live") == 0;
    if (!live && strcmp(value, "virtual") != 0)
        argp_error(state, "--clock: found '%s', allowed: virtual or live", value);
    return live;
}

static void check_together(const struct argp_state *state, const struct run_args *args)
{
    if (args->opts.live && args->session.print_windows)
        argp_error(state, "--print-windows: a run by --clock=live has no windows");
    if (args->opts.live && args->session.record)
        argp_error(state, "--record: a run by --clock=live cannot be repeated");
    if (args->opts.live && args->session.events)
        argp_error(state, "--events: a run by --clock=live has no order of events");
    if (args->opts.check_balance && args->opts.live)
        argp_error(state, "--check-balance: a run by --clock=live has no windows");
    if (args->watch && (args->opts.live || args->opts.paced))
        argp_error(state, "--watch: not with --clock=live or --realtime: it has speeds of its own");
    if (args->watch && (args->session.events || args->session.mind > 0))
        argp_error(state, "--watch: not with --events or --mind: it shows them");
    if (args->opts.live && args->session.mind > 0)
        argp_error(state, "--mind: a run by --clock=live has no moment to look at a ship");
    if (args->opts.live && args->opts.paced)
        argp_error(state, "--realtime: a run by --clock=live has no other time");
    if (args->opts.live && args->session.faults)
        argp_error(state, "--faults: a run by --clock=live has none");
    if (args->session.faults && (args->session.record || args->session.print_windows))
        argp_error(state, "--faults: a run that is to be repeated has them in its scenario");
    if (args->session.listen && !args->opts.paced)
        argp_error(state, "--listen: only a run by --realtime lasts long enough");
    if (args->opts.pace.max_lag_ns > 0 && !args->opts.paced)
        argp_error(state, "--max-lag: only a run by --realtime can lag");
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct run_args *args = state->input;
    struct space_run_opts *opts = &args->opts;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[1] = &args->input;
    } else if (key == OPTION_SEED) {
        opts->seed = value_whole(state, "--seed", value, 0, UINT64_MAX);
        opts->has_seed = true;
    } else if (key == OPTION_WORKERS) {
        opts->workers = (uint32_t)value_whole(state, "--workers", value, 1, 255);
    } else if (key == OPTION_SHARDS) {
        opts->shards = (uint32_t)value_whole(state, "--shards", value, 1, 4094);
    } else if (key == OPTION_CLOCK) {
        opts->live = parse_clock(state, value);
    } else if (key == OPTION_UNTIL) {
        opts->until_ns = value_duration(state, "--until", value);
    } else if (key == OPTION_REALTIME) {
        opts->paced = true;
        opts->pace.factor = value ? value_factor(state, "--realtime", value) : 1;
    } else if (key == OPTION_MAX_LAG) {
        args->max_lag = value;
        opts->pace.max_lag_ns = value_duration(state, "--max-lag", value);
    } else if (key == OPTION_PRINT_WINDOWS) {
        args->session.print_windows = value;
    } else if (key == OPTION_LISTEN) {
        args->session.listen = value;
        opts->named = true;
    } else if (key == OPTION_RECORD) {
        args->session.record = value;
    } else if (key == OPTION_EVENTS) {
        args->session.events = value;
    } else if (key == OPTION_MIND) {
        args->session.mind = (uint32_t)value_whole(
            state, "--mind", value + (strncmp(value, "ship-", 5) == 0 ? 5 : 0), 1, UINT32_MAX);
    } else if (key == OPTION_WATCH) {
        args->watch = true;
    } else if (key == OPTION_CHECK_BALANCE) {
        opts->check_balance = opts->witness = true;
    } else if (key == OPTION_FAULTS) {
        args->session.faults = value;
    } else if (key == ARGP_KEY_END) {
        check_together(state, args);
    } else if (key == OPTION_JSON) {
        args->json = true;
    } else if (key == OPTION_QUIET) {
        args->quiet = true;
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_child children[] = {
    {.argp = &command_shared_argp}, {.argp = &input_argp}, {0}};
static const struct argp run_argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Run the scenario in FILE and report.\v"
           "Progress goes to standard error, the report to standard output. SIGINT, SIGTERM and "
           "SIGHUP "
           "end the run; the report then tells how far it came.\n\n"
           "Status 0: it ran. 1: it fell behind by more than --max-lag allows. 64: the command "
           "line is wrong. 65: the scenario's content is wrong. 66: it cannot be read. 70: "
           "messages were lost, or the run broke a rule of its own. 71: no memory or threads. "
           "73: a file of the options cannot be created. 74: the report or such a file cannot be "
           "written. 129, 130, 143: ended by SIGHUP, SIGINT, SIGTERM.",
    .children = children,
};

/* "1h 02m 03s": two or three units from the largest that is not zero. */
static const char *duration_text(aldis_ns ns, char text[32])
{
    int64_t total_s = ns / ALDIS_SECOND, h = total_s / 3600, m = total_s / 60 % 60;
    int64_t s = total_s % 60;
    if (h > 0)
        snprintf(text, 32, "%" PRId64 "h %02" PRId64 "m %02" PRId64 "s", h, m, s);
    else if (m > 0)
        snprintf(text, 32, "%" PRId64 "m %02" PRId64 "s", m, s);
    else
        snprintf(text, 32, "%.3fs", (double)ns * 1e-9);
    return text;
}

static double wall_s(void)
{
    return (double)wall_ns() * 1e-9;
}

/* ", idle 12 flying 180 ...": the states that some are in. */
static const char *states_text(const struct space_view *view, char *text, size_t size)
{
#define STATE_NAME(name) #name,
    static const char *const names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT && used < size; i++)
        if (view->ships[i] > 0)
            used += (size_t)snprintf(text + used, size - used, "%s %s %" PRIu64,
                                     used > 0 ? "" : ",", names[i], view->ships[i]);
    return text;
}

static void show_mind(struct session *session, const struct space_progress *now)
{
    char path[sizeof session->path], at[32];
    uint32_t ship = session->opts->mind;
    if (ship == 0)
        return;
    if (!space_mind_path(now, ship, path, sizeof path) || strcmp(path, session->path) == 0)
        return;
    progress_line("%s: ship-%" PRIu32 ": %s", duration_text(now->now_ns, at), ship, path);
    memcpy(session->path, path, sizeof path);
}

static bool on_progress(void *arg, const struct space_progress *now)
{
    struct session *session = arg;
    if (session->watch)
        return watch_progress(session->watch, now);
    show_mind(session, now);
    char at[32], until[32];
    struct space_view view;
    if (progress_is_due() && space_look(now, &view)) {
        char states[128], behind[48] = "";
        double spent_s = wall_s() - session->start_s, run_s = (double)now->now_ns * 1e-9;
        double lag_s =
            session->factor > 0 ? wall_s() - session->begin_s - run_s / session->factor : 0;
        if (lag_s > 0)
            snprintf(behind, sizeof behind, ", behind %.1f s", lag_s);
        progress_show("run: %s of %s, %.0f msgs/s, refused %" PRIu64 "%s%s",
                      duration_text(now->now_ns, at), duration_text(now->until_ns, until),
                      spent_s > 0 ? (double)view.handled_msgs / spent_s : 0, view.refused_msgs,
                      behind, states_text(&view, states, sizeof states));
    }
    return interrupt_signal() == 0;
}

static void on_system(void *arg, aldis_system *system)
{
    (void)arg;
    interrupt_set_system(system);
    if (system)
        progress_notice("a system of %" PRIu32 " workers and %" PRIu32 " shards begins",
                        aldis_system_workers(system), aldis_system_shards(system));
    else
        progress_notice("the system ends");
}

static void on_begin(void *arg, const struct space_run_facts *facts)
{
    struct session *session = arg;
    session_begin(session, facts);
    session->begin_s = wall_s();
}

static void on_window(void *arg, const aldis_window *window)
{
    struct session *session = arg;
    chain_write_window(&session->chain, window);
}

static void on_end(void *arg, const struct space_run_facts *facts, aldis_run_end end_reason)
{
    session_end(arg, facts, end_reason);
}

static void print_error(const char *path, aldis_err err, const struct space_report *report)
{
    const aldis_error_info *info = aldis_error_last();
    bool detailed = info->err == err && info->text && info->text[0] != '\0';
    fprintf(stderr, "aldis run: %s: %s%s%s\n", path, aldis_error_text(err), detailed ? ": " : "",
            detailed ? info->text : "");
    if (err == ALDIS_ENOMEM && report->limits.memory_max > 0)
        fprintf(stderr, "aldis run: %s: limits.memory is %.1f MB; a run needs more\n", path,
                (double)report->limits.memory_max / 1e6);
}

/* The status of a run that has come back; the worst news first. */
static int judge(const struct run_args *args, aldis_err err, const struct space_report *report)
{
    if (err == ALDIS_ENOMEM || err == ALDIS_EAGAIN)
        return EXIT_SYSTEM;
    if (err == ALDIS_EIO)
        return EXIT_IO;
    if (err != ALDIS_OK)
        return EXIT_WRONG;
    if (!report->audit.balanced) {
        fprintf(stderr, "aldis run: %s: audit: %s\n", args->input.path, report->audit.text);
        return EXIT_WRONG;
    }
    if (report->lost) {
        fprintf(stderr, "aldis run: %s: balance: %s; what led to it%s:\n%s", args->input.path,
                report->balance,
                args->opts.check_balance ? "" : " (--check-balance finds the very window)",
                report->evidence ? report->evidence : "");
        return EXIT_WRONG;
    }
    if (report->end_reason == ALDIS_RUN_LAG) {
        fprintf(stderr, "aldis run: %s: the run fell more than %s behind the wall clock\n",
                args->input.path, args->max_lag);
        return EXIT_NO;
    }
    return interrupt_signal() ? 128 + interrupt_signal() : EXIT_GOOD;
}

/* false: there is no terminal; what the session has opened is closed. */
static bool begin_watch(struct run_args *args, struct session *session)
{
    session->watch = watch_open();
    if (!session->watch) {
        fprintf(stderr, "aldis run: --watch: standard input and error have to be a terminal\n");
        (void)session_close(session);
        return false;
    }
    args->opts.events = watch_events(session->watch);
    args->opts.piece_ns = ALDIS_SECOND;
    return true;
}

/* The most memory that this process has had; 0: nobody can tell. (What getrusage says includes the
 * program that started this one.) */
static uint64_t peak_bytes(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && kib == 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %llu kB", &kib) != 1)
            kib = 0;
    if (file)
        fclose(file);
    return (uint64_t)kib * 1024;
}

/* A hundredth of a run that follows the wall clock can be minutes: look about twice a second. */
static aldis_ns paced_piece_ns(const struct run_args *args, const struct scenario *scenario)
{
    aldis_ns until_ns = args->opts.until_ns > 0 ? args->opts.until_ns : scenario_duration(scenario);
    double piece_ns = args->opts.pace.factor * (double)ALDIS_SECOND / 2;
    if (piece_ns < (double)ALDIS_MS)
        return ALDIS_MS;
    return piece_ns < (double)until_ns / 100 ? (aldis_ns)piece_ns : 0;
}

static int run_scenario(struct run_args *args, const struct scenario *scenario)
{
    struct space_report report;
    struct session session;
    int opened = session_open(&session, &args->session, &args->input);
    if (opened != EXIT_GOOD)
        return opened;
    args->opts.events = session.events;
    interrupt_install();
    if (args->watch && !begin_watch(args, &session))
        return EXIT_MISUSE;
    if (args->opts.paced)
        args->opts.piece_ns = paced_piece_ns(args, scenario);
    session.start_s = session.begin_s = wall_s();
    session.factor = args->opts.live ? 1 : args->opts.paced ? args->opts.pace.factor : 0;
    progress_begin(!args->quiet && !args->watch);
    args->opts.on_progress = on_progress;
    args->opts.on_system = on_system;
    args->opts.on_begin = on_begin;
    args->opts.on_end = on_end;
    args->opts.on_window = args->session.print_windows ? on_window : NULL;
    args->opts.arg = &session;
    aldis_err err = space_run(scenario, &args->opts, &report);
    report.wall_s = wall_s() - session.start_s;
    report.bytes_peak = peak_bytes();
    progress_clear();
    watch_close(session.watch);
    int written = session_close(&session); /* events come before the report, if both go one way */
    if (err == ALDIS_ENOMEM && report.bytes_needed > report.bytes_at_hand)
        fprintf(stderr,
                "aldis run: %s: needs %" PRIu64 " MiB of memory, there are %" PRIu64 " MiB\n",
                args->input.path, report.bytes_needed >> 20, report.bytes_at_hand >> 20);
    else if (err != ALDIS_OK && (err != ALDIS_EIO || written == EXIT_GOOD)) /* else it is said */
        print_error(args->input.path, err, &report);
    /* A loop of zero-delay messages is found in the middle of a run, as is a full disk of --events:
     * what was done until then is worth reading. After other errors there was no run. A failed
     * write of this is seen when stdout is flushed at the end. */
    if (err == ALDIS_OK || err == ALDIS_ELOOP || err == ALDIS_EIO)
        (void)space_report_print(&report, stdout, args->json ? SPACE_JSON : SPACE_TEXT);
    int status = judge(args, err, &report);
    space_report_fini(&report);
    return status == EXIT_GOOD ? written : status;
}

int command_run(int argc, char **argv)
{
    struct run_args args = {.input = {.path = NULL}};
    command_parse(&run_argp, argc, argv, 0, &args);
    struct scenario *scenario = NULL;
    struct faults faults = {.file = NULL};
    int status = input_read(&args.input, &scenario);
    if (status == EXIT_GOOD && args.session.mind > scenario_ship_count(scenario)) {
        fprintf(stderr,
                "aldis run: --mind: found '%" PRIu32 "', allowed: 1 to %" PRIu32
                ", the ships of the scenario\n",
                args.session.mind, scenario_ship_count(scenario));
        status = EXIT_MISUSE;
    }
    if (status == EXIT_GOOD && args.session.faults) {
        status = faults_read(args.session.faults, "aldis run", &faults);
        args.opts.faults = &faults.plan;
    }
    if (status == EXIT_GOOD)
        status = run_scenario(&args, scenario);
    faults_fini(&faults);
    scenario_destroy(scenario);
    return status;
}
