// SPDX-License-Identifier: Apache-2.0
/* compare.c: `aldis compare A B`: at which window, actor and message do two runs part? Layer: cli.
 *
 * The files tell the window. For the message both runs are made again, one after the other, on one
 * worker, up to the end of that window, and every message of it is noted. */
#include "chain.h"
#include "command.h"
#include "interrupt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- One run made again ---- */

struct rerun {
    uint64_t index; /* the window to look into */
    aldis_system *system;
    aldis_window window; /* as it came out; index UINT64_MAX: not reached */
    aldis_handled *handled;
    size_t count, capacity;
    bool no_memory;
};

static void note_handled(void *arg, const aldis_handled *handled)
{
    struct rerun *rerun = arg;
    if (handled->window != rerun->index || rerun->no_memory)
        return;
    if (rerun->count == rerun->capacity) {
        size_t capacity = rerun->capacity ? 2 * rerun->capacity : 256;
        aldis_handled *more = realloc(rerun->handled, capacity * sizeof *more);
        if (!more) {
            rerun->no_memory = true;
            return;
        }
        rerun->handled = more;
        rerun->capacity = capacity;
    }
    rerun->handled[rerun->count++] = *handled;
}

static void note_window(void *arg, const aldis_window *window)
{
    struct rerun *rerun = arg;
    if (window->index != rerun->index)
        return;
    rerun->window = *window;
    aldis_system_halt(rerun->system);
}

static void watch(void *arg, const struct space_run_facts *facts)
{
    struct rerun *rerun = arg;
    rerun->system = facts->system;
    (void)aldis_system_on_handled(facts->system, note_handled, rerun);
}

static void watch_no_more(void *arg, const struct space_run_facts *facts, aldis_run_end end_reason)
{
    (void)arg;
    (void)end_reason;
    (void)aldis_system_on_handled(facts->system, NULL, NULL);
}

/* Make the run of `reader` again up to the end of its last window read. */
static bool run_again(const struct chain_reader *reader, struct rerun *rerun)
{
    struct scenario *scenario;
    struct space_report report;
    *rerun = (struct rerun){.index = reader->window.index, .window.index = UINT64_MAX};
    if (origin_load(&reader->origin, reader->path, &scenario) != EXIT_GOOD)
        return false;
    struct space_run_opts opts = origin_run_opts(&reader->origin);
    opts.workers = 1; /* the order of the messages is then the run's own */
    opts.on_begin = watch;
    opts.on_end = watch_no_more;
    opts.on_window = note_window;
    opts.arg = rerun;
    aldis_err err = space_run(scenario, &opts, &report);
    if (err != ALDIS_OK)
        fprintf(stderr, "%s: the run cannot be repeated: %s\n", reader->path,
                aldis_error_text(err));
    else if (rerun->no_memory)
        fprintf(stderr, "%s: no memory for the messages of window %" PRIu64 "\n", reader->path,
                rerun->index);
    space_report_fini(&report);
    scenario_destroy(scenario);
    return err == ALDIS_OK && !rerun->no_memory;
}

/* ---- What differs ---- */

static uint64_t local_id(aldis_id id)
{
    return id.bits & ~(UINT64_C(0xff) << 56); /* two systems of one process differ in their node */
}

static bool same_handled(const aldis_handled *a, const aldis_handled *b)
{
    return a->at_ns == b->at_ns && a->microstep == b->microstep &&
           local_id(a->receiver) == local_id(b->receiver) &&
           local_id(a->sender) == local_id(b->sender) && a->sequence == b->sequence &&
           a->size == b->size && a->digest == b->digest && strcmp(a->type_name, b->type_name) == 0;
}

static bool same_window(const aldis_window *a, const aldis_window *b)
{
    return a->index == b->index && a->start_ns == b->start_ns && a->end_ns == b->end_ns &&
           a->events == b->events && a->print == b->print;
}

static void print_handled(const char *path, const struct rerun *rerun, size_t i)
{
    if (i >= rerun->count) {
        printf("  %s: no more messages\n", path);
        return;
    }
    const aldis_handled *h = &rerun->handled[i];
    printf("  %s: actor %014" PRIx64 " (%s) got %s at %" PRId64 " ns", path, local_id(h->receiver),
           h->kind_name, h->type_name, h->at_ns);
    if (h->microstep > 0)
        printf(", microstep %" PRIu32, h->microstep);
    if (aldis_id_is_nobody(h->sender))
        printf(", from outside");
    else
        printf(", from actor %014" PRIx64, local_id(h->sender));
    printf(", sequence %" PRIu64 ", %zu bytes, digest %016" PRIx64 "\n", h->sequence, h->size,
           h->digest);
}

static void print_message(const char *const path[2], const struct rerun rerun[2])
{
    size_t i = 0;
    while (i < rerun[0].count && i < rerun[1].count &&
           same_handled(&rerun[0].handled[i], &rerun[1].handled[i]))
        i++;
    if (i == rerun[0].count && i == rerun[1].count) {
        printf("made again, the runs do not differ in this window\n");
        return;
    }
    printf("first difference: message %zu of the window\n", i + 1);
    print_handled(path[0], &rerun[0], i);
    print_handled(path[1], &rerun[1], i);
}

/* A run that does not come out as its file says was made by another build, or the file was
 * altered. */
static void print_unrepeated(const struct chain_reader *reader, const struct rerun *rerun)
{
    if (rerun->window.index == UINT64_MAX)
        printf("%s is not repeated: made again, the run ends before the window\n", reader->path);
    else if (!same_window(&rerun->window, &reader->window))
        printf("%s is not repeated: made again, the window has %" PRIu64
               " events and print %016" PRIx64 "\n",
               reader->path, rerun->window.events, rerun->window.print);
}

static void look_into_window(struct chain_reader reader[2])
{
    struct rerun rerun[2] = {{.count = 0}, {.count = 0}};
    const char *const path[2] = {reader[0].path, reader[1].path};
    fflush(stdout);
    if (run_again(&reader[0], &rerun[0]) && run_again(&reader[1], &rerun[1])) {
        print_unrepeated(&reader[0], &rerun[0]);
        print_unrepeated(&reader[1], &rerun[1]);
        print_message(path, rerun);
    }
    free(rerun[0].handled);
    free(rerun[1].handled);
}

static void print_origins(const struct origin *a, const struct origin *b)
{
    if (strcmp(a->version, b->version) != 0)
        printf("the versions differ: %s and %s\n", a->version, b->version);
    if (a->content != b->content)
        printf("the scenarios differ: %s and %s\n", a->scenario, b->scenario);
    if (a->seed != b->seed)
        printf("the seeds differ: %" PRIu64 " and %" PRIu64 "\n", a->seed, b->seed);
    if (a->shards != b->shards)
        printf("the shards differ: %" PRIu32 " and %" PRIu32 "\n", a->shards, b->shards);
    if (a->until_ns != b->until_ns)
        printf("the durations differ: %" PRId64 " ns and %" PRId64 " ns\n", a->until_ns,
               b->until_ns);
}

static void print_window(const struct chain_reader *reader)
{
    const aldis_window *w = &reader->window;
    printf("  %s: %" PRId64 " ns to %" PRId64 " ns, %" PRIu64 " events, print %016" PRIx64 "\n",
           reader->path, w->start_ns, w->end_ns, w->events, w->print);
}

/* ---- The command ---- */

/* Read the rest, so that a file that is cut short is found to be. */
static int read_to_end(struct chain_reader *reader, struct chain_end *out_end)
{
    struct chain_reader rest = *reader;
    int status = EXIT_GOOD;
    while (status == EXIT_GOOD && !rest.ended)
        status = chain_next(&rest);
    *out_end = rest.end;
    return status;
}

static int judge_window(struct chain_reader reader[2])
{
    struct chain_end end[2];
    for (int i = 0; i < 2; i++) {
        int status = read_to_end(&reader[i], &end[i]);
        if (status != EXIT_GOOD)
            return status;
    }
    print_origins(&reader[0].origin, &reader[1].origin);
    if (reader[0].ended || reader[1].ended) {
        const struct chain_reader *shorter = &reader[reader[0].ended ? 0 : 1];
        printf("equal for %" PRIu64 " windows; there %s ends (%s) and the other goes on\n",
               shorter->end.windows, shorter->path, shorter->end.reason);
        return EXIT_NO;
    }
    printf("different from window %" PRIu64 " on\n", reader[0].window.index);
    print_window(&reader[0]);
    print_window(&reader[1]);
    if (end[0].inputs > 0 || end[1].inputs > 0)
        printf("messages came from outside: the runs cannot be made again from their scenarios\n");
    else
        look_into_window(reader);
    return EXIT_NO;
}

static int compare(struct chain_reader reader[2])
{
    do {
        for (int i = 0; i < 2; i++) {
            int status = chain_next(&reader[i]);
            if (status != EXIT_GOOD)
                return status;
        }
        if (reader[0].ended != reader[1].ended ||
            (!reader[0].ended && !same_window(&reader[0].window, &reader[1].window)))
            return judge_window(reader);
    } while (!reader[0].ended);
    print_origins(&reader[0].origin, &reader[1].origin);
    printf("equal: %" PRIu64 " windows, run print %016" PRIx64 "\n", reader[0].end.windows,
           reader[0].end.print);
    return EXIT_GOOD;
}

struct compare_args {
    const char *path[2];
    int count;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct compare_args *args = state->input;
    if (key == ARGP_KEY_ARG && args->count == 2)
        argp_error(state, "two files are compared, found '%s' too", value);
    else if (key == ARGP_KEY_ARG)
        args->path[args->count++] = value;
    else if (key == ARGP_KEY_END && args->count < 2)
        argp_error(state, "two files are compared: %s", args->count ? "B is missing" : "A and B");
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_child children[] = {{.argp = &command_shared_argp}, {0}};
static const struct argp compare_argp = {
    .parser = parse,
    .args_doc = "A B",
    .doc = "Compare two runs by the files that `aldis run --print-windows' wrote.\v"
           "Names the first window in which they differ. Where both runs can be made again from "
           "their scenarios, it does so and names the first actor and message that differ.\n\n"
           "Status 0: equal. 1: different. 64: the command line is wrong. 65: a file is wrong or "
           "cut short. 66: it cannot be read.",
    .children = children,
};

int command_compare(int argc, char **argv)
{
    struct compare_args args = {.count = 0};
    command_parse(&compare_argp, argc, argv, 0, &args);
    interrupt_exit_at_once();
    struct chain_reader reader[2] = {{.file = NULL}, {.file = NULL}};
    int status = chain_open(&reader[0], args.path[0]);
    if (status == EXIT_GOOD)
        status = chain_open(&reader[1], args.path[1]);
    if (status == EXIT_GOOD)
        status = compare(reader);
    chain_reader_fini(&reader[0]);
    chain_reader_fini(&reader[1]);
    return status;
}
