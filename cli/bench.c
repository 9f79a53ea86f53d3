// SPDX-License-Identifier: Apache-2.0
/* bench.c: `aldis bench [NAME]`: measures the runtime. Layer: cli.
 *
 * One workload runs in this process. All of them run one after the other, each in a process of its
 * own, so that none finds memory that another one has warmed or fragmented. */
#include "../bench/bench.h"

#include "command.h"
#include "interrupt.h"
#include "nearest.h"
#include "output.h"
#include "progress.h"
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct bench_args {
    const struct bench_workload *workload; /* NULL: all */
    struct bench_opts opts;                /* n 0: each workload's own default */
    unsigned given;                        /* of enum bench_takes */
    bool json;
    bool quiet;
};

/* What comes back from one run. */
struct outcome {
    enum bench_outcome kind;
    struct bench_result result;
    char fault[BENCH_FAULT_SIZE];
};

enum {
    OPTION_QUIET = 'q',
    OPTION_N = 256,
    OPTION_WORKERS,
    OPTION_APART,
    OPTION_JSON,
    /* of some workloads only: see own_options */
    OPTION_END,
    OPTION_REMOTE,
    OPTION_LOOKAHEAD,
    OPTION_START,
    OPTION_SEED,
    OPTION_GRADE,
    OPTION_SHARE,
    OPTION_RADIUS
};
static const struct argp_option options[] = {
    {.name = "n", .key = OPTION_N, .arg = "N", .doc = "How much to do (default: about a second's)"},
    {.name = "workers",
     .key = OPTION_WORKERS,
     .arg = "N",
     .doc = "Threads, 1 to 255 (default: the cores)"},
    {.name = "apart", .key = OPTION_APART, .doc = "Deal the actors over shards of all workers"},
    {.name = "json", .key = OPTION_JSON, .doc = "Print one line of JSON for each workload"},
    {.name = "quiet", .key = OPTION_QUIET, .doc = "Show no progress"},
    {.doc = "Of phold, in virtual time; one second is the mean delay of an event:", .group = 1},
    {.name = "end", .key = OPTION_END, .arg = "T", .doc = "Seconds to run (default 60)"},
    {.name = "remote",
     .key = OPTION_REMOTE,
     .arg = "P",
     .doc = "Part of the events that go to any actor, 0 to 1 (default 0.25)"},
    {.name = "lookahead",
     .key = OPTION_LOOKAHEAD,
     .arg = "L",
     .doc = "Seconds that no delay is below, above 0 and below 1 (default 0.1)"},
    {.name = "start", .key = OPTION_START, .arg = "S", .doc = "Events of each actor (default 1)"},
    {.name = "seed",
     .key = OPTION_SEED,
     .arg = "N",
     .doc = "Seed of all draws, of phold and swarm (default 1)"},
    {.doc = "Of reliable:", .group = 2},
    {.name = "grade",
     .key = OPTION_GRADE,
     .arg = "GRADE",
     .doc = "at-least-once (default) or effect-once"},
    {.doc = "Of swarm, in virtual time:", .group = 3},
    {.name = "share",
     .key = OPTION_SHARE,
     .arg = "P",
     .doc = "Part of the ships that tell in each tick, 0 to 1 (default 0.1)"},
    {.name = "radius",
     .key = OPTION_RADIUS,
     .arg = "R",
     .doc = "Metres within which they tell (default 500: about 20 ships)"},
    {.name = "ships", .key = OPTION_N, .arg = "N", .doc = "The same as --n"},
    {0}};

/* Which workloads take an option: bits of enum bench_takes. */
static const struct own_option {
    const char *name;
    unsigned takes;
} own_options[] = {{"--end", BENCH_TAKES_END},
                   {"--remote", BENCH_TAKES_REMOTE},
                   {"--lookahead", BENCH_TAKES_LOOKAHEAD},
                   {"--start", BENCH_TAKES_START},
                   {"--seed", BENCH_TAKES_SEED},
                   {"--grade", BENCH_TAKES_GRADE},
                   {"--share", BENCH_TAKES_SHARE},
                   {"--radius", BENCH_TAKES_RADIUS}};

static uint32_t core_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return (uint32_t)(count < 1 ? 1 : count > 255 ? 255 : count);
}

static const struct bench_workload *find_workload(struct argp_state *state, const char *name)
{
    const struct bench_workload *workload = bench_find(name);
    struct nearest nearest = {NULL, 0};
    for (size_t i = 0; !workload && i < bench_workload_count; i++)
        nearest_offer(&nearest, name, bench_workloads[i]->name);
    if (!workload)
        argp_error(state, "there is no workload '%s'%s%s%s", name,
                   nearest.word ? "; did you mean '" : "", nearest.word ? nearest.word : "",
                   nearest.word ? "'?" : "");
    return workload;
}

/* An option that the workload does not take would be a figure of something else. */
static void check_own(const struct bench_args *args, struct argp_state *state)
{
    unsigned takes = args->workload ? args->workload->takes : 0;
    for (size_t i = 0; i < sizeof own_options / sizeof own_options[0]; i++) {
        const struct own_option *option = &own_options[i];
        if (!(args->given & option->takes & ~takes))
            continue;
        const char *names[2] = {"", ""}; /* no option is of more than two */
        size_t count = 0;
        for (size_t w = 0; w < bench_workload_count && count < 2; w++)
            if (bench_workloads[w]->takes & option->takes)
                names[count++] = bench_workloads[w]->name;
        argp_error(state, "%s: only for %s%s%s", option->name, names[0], count > 1 ? " and " : "",
                   names[1]);
    }
}

static void check_refused(const struct bench_args *args, const struct bench_workload *workload,
                          struct argp_state *state)
{
    char text[160];
    struct bench_opts opts = args->opts;
    if (opts.n == 0)
        opts.n = workload->n_default;
    if (workload->refuse && workload->refuse(&opts, text, sizeof text))
        argp_error(state, "%s", text);
}

/* What only fits or not when all options are known. */
static void check_together(const struct bench_args *args, struct argp_state *state)
{
    check_own(args, state);
    for (size_t i = 0; i < bench_workload_count; i++) {
        const struct bench_workload *workload = bench_workloads[i];
        if (args->workload ? workload != args->workload : args->opts.n == 0)
            continue;
        if (args->opts.n > workload->n_max)
            argp_error(state,
                       "--n: found '%" PRIu64
                       "', allowed for %s: a whole number from 1 to %" PRIu64,
                       args->opts.n, workload->name, workload->n_max);
        check_refused(args, workload, state);
    }
    if (!args->opts.apart)
        return;
    if (args->workload && !args->workload->may_be_apart)
        argp_error(state, "--apart: not for %s", args->workload->name);
    if (args->opts.workers < 2)
        argp_error(state, "--apart: needs 2 workers or more, found %" PRIu32, args->opts.workers);
}

/* The options of some workloads only. */
static bool parse_own(int key, const char *value, struct argp_state *state)
{
    struct bench_args *args = state->input;
    struct bench_opts *opts = &args->opts;
    switch (key) {
    case OPTION_END:
        opts->end_s = value_decimal(state, "--end", value, 0.001, 1e6,
                                    "a number from 0.001 to 1000000, such as 60");
        args->given |= BENCH_TAKES_END;
        return true;
    case OPTION_REMOTE:
        opts->remote =
            value_decimal(state, "--remote", value, 0, 1, "a number from 0 to 1, such as 0.25");
        args->given |= BENCH_TAKES_REMOTE;
        return true;
    case OPTION_LOOKAHEAD:
        opts->lookahead_s =
            value_decimal(state, "--lookahead", value, 1e-9, 0.999999999,
                          "a number above 0 and below 1, the mean delay, such as 0.1");
        args->given |= BENCH_TAKES_LOOKAHEAD;
        return true;
    case OPTION_START:
        opts->start = value_whole(state, "--start", value, 1, 10000);
        args->given |= BENCH_TAKES_START;
        return true;
    case OPTION_SEED:
        opts->seed = value_whole(state, "--seed", value, 0, UINT64_MAX);
        args->given |= BENCH_TAKES_SEED;
        return true;
    case OPTION_GRADE:
        opts->effect_once = strcmp(value, "effect-once") == 0;
        if (!opts->effect_once && strcmp(value, "at-least-once") != 0)
            argp_error(state, "--grade: found '%s', allowed: at-least-once, effect-once", value);
        args->given |= BENCH_TAKES_GRADE;
        return true;
    case OPTION_SHARE:
        opts->share =
            value_decimal(state, "--share", value, 0, 1, "a number from 0 to 1, such as 0.1");
        args->given |= BENCH_TAKES_SHARE;
        return true;
    case OPTION_RADIUS:
        opts->radius = value_decimal(state, "--radius", value, 0.001, 1e9,
                                     "a number from 0.001 to 1000000000, such as 500");
        args->given |= BENCH_TAKES_RADIUS;
        return true;
    }
    return false;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct bench_args *args = state->input;
    if (key == OPTION_N)
        args->opts.n = value_whole(state, "--n", value, 1, 1000000000000);
    else if (key == OPTION_WORKERS)
        args->opts.workers = (uint32_t)value_whole(state, "--workers", value, 1, 255);
    else if (key == OPTION_APART)
        args->opts.apart = true;
    else if (key == OPTION_JSON)
        args->json = true;
    else if (key == OPTION_QUIET)
        args->quiet = true;
    else if (key == ARGP_KEY_ARG && args->workload)
        argp_error(state, "one NAME is allowed, found '%s' too", value);
    else if (key == ARGP_KEY_ARG)
        args->workload = find_workload(state, value);
    else if (key == ARGP_KEY_END)
        check_together(args, state);
    else if (!parse_own(key, value, state))
        return ARGP_ERR_UNKNOWN;
    return 0;
}

/* The list of workloads in `aldis bench --help`, made from the table. */
static void print_workloads(FILE *out)
{
    fprintf(out, "%-22s %-20s %-10s %s\n", "NAME", "N counts", "default N", "rate counts");
    for (size_t i = 0; i < bench_workload_count; i++) {
        const struct bench_workload *workload = bench_workloads[i];
        fprintf(out, "%-22s %-20s %-10" PRIu64 " %s/s\n", workload->name, workload->what_n,
                workload->n_default, workload->unit);
    }
    fputs("\nStatus 0: measured. 64: the command line is wrong. 70: a count or the audit was "
          "wrong. 71: no memory or threads.\n",
          out);
}

static char *help_text(int key, const char *text, void *input)
{
    (void)input;
    return command_help(key, text, print_workloads);
}

static const struct argp_child children[] = {{.argp = &command_shared_argp}, {0}};
static const struct argp bench_argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[NAME]",
    .doc = "Measure the runtime with one workload, or with all.",
    .children = children,
    .help_filter = help_text,
};

/* Whole numbers as such; milliseconds and the like with more digits than rates. */
static int decimals(double value)
{
    return value == floor(value) ? 0 : value < 100 ? 4 : 1;
}

static void print_json(const struct bench_workload *workload, const struct bench_opts *opts,
                       const struct bench_result *result)
{
    printf("{\"workload\": \"%s\", \"n\": %" PRIu64 ", \"workers\": %" PRIu32
           ", \"apart\": %s, \"seconds\": %.9f, \"rate\": %.1f, \"unit\": \"%s\", \"cpu_s\": %.9f"
           ", \"peak_rss_bytes\": %" PRIu64 ", \"parked\": %" PRIu64 ", \"handovers\": %" PRIu64,
           workload->name, opts->n, opts->workers, opts->apart ? "true" : "false", result->seconds,
           result->rate, workload->unit, result->cpu_s, result->peak_rss_bytes, result->parked,
           result->handovers);
    if (result->has_run_print)
        printf(", \"run_print\": \"%016" PRIx64 "\"", result->run_print);
    for (size_t i = 0; i < result->extra_count; i++)
        printf(", \"%s\": %.*f", result->extras[i].name, decimals(result->extras[i].value),
               result->extras[i].value);
    puts("}");
}

/* 38412345.6 as "38.4 M". */
static const char *scaled(double value, char text[16])
{
    static const char *const suffixes[] = {"", " k", " M", " G"};
    size_t i = 0;
    for (; value >= 1000 && i + 1 < sizeof suffixes / sizeof suffixes[0]; i++)
        value /= 1000;
    snprintf(text, 16, "%.*f%s", value < 10 ? 2 : value < 100 ? 1 : 0, value, suffixes[i]);
    return text;
}

static void print_heading(void)
{
    printf("%-20s %13s %7s %8s %9s %-14s %7s %9s\n", "workload", "n", "workers", "seconds", "rate",
           "per second", "cpu s", "peak MiB");
}

static void print_row(const struct bench_workload *workload, const struct bench_opts *opts,
                      const struct bench_result *result)
{
    char rate[16], value[16];
    printf("%-20s %13" PRIu64 " %7" PRIu32 " %8.3f %9s %-14s %7.3f %9.1f\n", workload->name,
           opts->n, opts->workers, result->seconds, scaled(result->rate, rate), workload->unit,
           result->cpu_s, (double)result->peak_rss_bytes / (1 << 20));
    if (result->has_run_print)
        printf("  run_print %016" PRIx64 "\n", result->run_print);
    for (size_t i = 0; i < result->extra_count; i++)
        printf("  %s %s\n", result->extras[i].name, scaled(result->extras[i].value, value));
}

static void run_here(const struct bench_workload *workload, const struct bench_opts *opts,
                     struct outcome *outcome)
{
    outcome->kind = bench_run(workload, opts, &outcome->result, outcome->fault);
}

/* Read size bytes, or fewer where the other side ends. */
static size_t read_all(int fd, void *into, size_t size)
{
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, (char *)into + got, size - got);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    return got;
}

static _Noreturn void be_the_process(const struct bench_workload *workload,
                                     const struct bench_opts *opts, int out, pid_t parent)
{
    struct outcome outcome = {.kind = BENCH_GOOD};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent)
        run_here(workload, opts, &outcome);
    /* One write, shorter than PIPE_BUF: it comes whole or not at all. */
    ssize_t written = write(out, &outcome, sizeof outcome);
    _exit(written == (ssize_t)sizeof outcome ? EXIT_GOOD : EXIT_SYSTEM);
}
_Static_assert(sizeof(struct outcome) <= 4096, "an outcome fits into one write to a pipe");

static void run_in_process(const struct bench_workload *workload, const struct bench_opts *opts,
                           struct outcome *outcome)
{
    int ends[2] = {-1, -1};
    pid_t parent = getpid();
    *outcome = (struct outcome){.kind = BENCH_SYSTEM};
    pid_t child = pipe(ends) == 0 ? fork() : -1;
    if (child == 0) {
        close(ends[0]);
        be_the_process(workload, opts, ends[1], parent);
    }
    if (child < 0) {
        snprintf(outcome->fault, sizeof outcome->fault, "cannot make a process: %s",
                 strerror(errno));
    } else {
        close(ends[1]);
        ends[1] = -1;
        size_t got = read_all(ends[0], outcome, sizeof *outcome);
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (got != sizeof *outcome) {
            *outcome = (struct outcome){.kind = BENCH_WRONG};
            snprintf(outcome->fault, sizeof outcome->fault, "its process ended with status %#x",
                     (unsigned)status);
        }
    }
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/* Returns the exit status of one workload. */
static int measure(const struct bench_args *args, const struct bench_workload *workload)
{
    struct outcome outcome;
    struct bench_opts opts = args->opts;
    if (opts.n == 0)
        opts.n = workload->n_default;
    if (args->workload)
        run_here(workload, &opts, &outcome);
    else
        run_in_process(workload, &opts, &outcome);
    if (outcome.kind != BENCH_GOOD) {
        progress_line("aldis bench: %s: %s", workload->name, outcome.fault);
        return outcome.kind == BENCH_SYSTEM ? EXIT_SYSTEM : EXIT_WRONG;
    }
    progress_clear();
    if (args->json)
        print_json(workload, &opts, &outcome.result);
    else
        print_row(workload, &opts, &outcome.result);
    return EXIT_GOOD;
}

int command_bench(int argc, char **argv)
{
    struct bench_args args = {.opts = {.workers = core_count(),
                                       .end_s = 60,
                                       .remote = 0.25,
                                       .lookahead_s = 0.1,
                                       .start = 1,
                                       .seed = 1,
                                       .share = 0.1,
                                       .compared = 1000000}};
    int status = EXIT_GOOD;
    command_parse(&bench_argp, argc, argv, 0, &args);
    interrupt_exit_at_once();
    progress_begin(!args.quiet);
    if (!args.json)
        print_heading();
    for (size_t i = 0; i < bench_workload_count && output_flush(); i++) {
        const struct bench_workload *workload = bench_workloads[i];
        if (args.workload ? workload != args.workload : args.opts.apart && !workload->may_be_apart)
            continue;
        progress_show("bench: %s (%zu of %zu)", workload->name, args.workload ? 1 : i + 1,
                      args.workload ? 1 : bench_workload_count);
        int ended = measure(&args, workload);
        if (ended != EXIT_GOOD)
            status = ended;
    }
    return status;
}
