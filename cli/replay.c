// SPDX-License-Identifier: Apache-2.0
/* replay.c: `aldis replay FILE`: makes a recorded run again, and says whether it is the same.
 * Layer: cli. */
#include "command.h"
#include "input.h"
#include "interrupt.h"
#include "origin.h"
#include "values.h"

#include <aldis/record.h>
#include <inttypes.h>
#include <string.h>

struct replay_args {
    const char *path;
    uint32_t workers;
};

enum { OPTION_WORKERS = 256 };
static const struct argp_option options[] = {
    {.name = "workers",
     .key = OPTION_WORKERS,
     .arg = "N",
     .doc = "Threads, 1 to 255 (default: the cores); no result depends on them"},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct replay_args *args = state->input;
    if (key == ARGP_KEY_INIT)
        state->child_inputs[1] = &args->path;
    else if (key == OPTION_WORKERS)
        args->workers = (uint32_t)value_whole(state, "--workers", value, 1, 255);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp file_argp = {.parser = input_parse_file};
static const struct argp_child children[] = {
    {.argp = &command_shared_argp}, {.argp = &file_argp}, {0}};
static const struct argp replay_argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Make the run again that `aldis run --record' has kept in FILE, with all that came into "
           "it from outside, and compare the run prints.\v"
           "Status 0: the same. 1: another one. 64: the command line is wrong. 65: FILE is no "
           "recording, was cut or altered, or "
           "its scenario has changed. 66: it, or its scenario, cannot be read.",
    .children = children,
};

/* ---- The run ---- */

struct player {
    aldis_replay *replay;
    aldis_record_end end;
    aldis_system *system;
    aldis_err err; /* of an input that could not be put in */
    char text[256];
    uint64_t windows, print;
};

static void feed(struct player *player)
{
    if (player->err != ALDIS_OK)
        return;
    player->err = aldis_replay_feed(player->replay, player->system);
    if (player->err == ALDIS_OK)
        return;
    snprintf(player->text, sizeof player->text, "%s", aldis_error_last()->text);
    aldis_system_halt(player->system);
}

/* A recording that ends before its run would, ends the replay there. */
static void end_in_time(const struct player *player, uint64_t windows)
{
    bool whole = player->end.state == ALDIS_RECORD_CLOSED &&
                 player->end.end_reason != ALDIS_RUN_HALTED &&
                 player->end.end_reason != ALDIS_RUN_LAG;
    if (!whole && windows >= player->end.windows)
        aldis_system_halt(player->system);
}

static void on_window(void *arg, const aldis_window *window)
{
    struct player *player = arg;
    feed(player);
    end_in_time(player, window->index + 1);
}

static bool on_progress(void *arg, const struct space_progress *now)
{
    struct player *player = arg;
    (void)now;
    if (player->system)
        feed(player);
    return player->err == ALDIS_OK;
}

static void on_begin(void *arg, const struct space_run_facts *facts)
{
    struct player *player = arg;
    player->system = facts->system;
    end_in_time(player, 0);
}

static void on_end(void *arg, const struct space_run_facts *facts, aldis_run_end end_reason)
{
    struct player *player = arg;
    (void)end_reason;
    player->windows = aldis_system_windows(facts->system);
    player->print = aldis_system_run_print(facts->system);
}

/* ---- What to say ---- */

static const char *end_text(const aldis_record_end *end)
{
    switch (end->state) {
    case ALDIS_RECORD_OPEN:
        return ", up to the last input before the program was killed";
    case ALDIS_RECORD_CLOSED:
        return "";
    case ALDIS_RECORD_FULL:
        return ", up to where the disk was full";
    case ALDIS_RECORD_SPAWNED:
        return ", up to where an actor was spawned from outside";
    }
    return "";
}

static int judge(const struct player *player)
{
    const aldis_record_end *end = &player->end;
    if (player->err != ALDIS_OK) {
        printf("not repeated: %s\n", player->text);
        return EXIT_NO;
    }
    if (player->windows != end->windows || player->print != end->print) {
        printf("not repeated: %" PRIu64 " windows with run print %016" PRIx64 "; recorded were "
               "%" PRIu64 " with %016" PRIx64 "\n",
               player->windows, player->print, end->windows, end->print);
        return EXIT_NO;
    }
    printf("repeated: %" PRIu64 " windows, %" PRIu64 " inputs, run print %016" PRIx64 "%s\n",
           end->windows, end->inputs, end->print, end_text(end));
    return EXIT_GOOD;
}

static bool parse_head(const char *head, struct origin *origin)
{
    char line[ORIGIN_LINE_SIZE];
    for (uint32_t i = 0; i < ORIGIN_LINES; i++) {
        const char *newline = strchr(head, '\n');
        size_t length = newline ? (size_t)(newline - head) : 0;
        if (!newline || length >= sizeof line)
            return false;
        memcpy(line, head, length);
        line[length] = '\0';
        if (!origin_parse_line(origin, i, line))
            return false;
        head = newline + 1;
    }
    return *head == '\0';
}

static int play(const struct replay_args *args, aldis_replay *replay)
{
    struct origin origin;
    struct scenario *scenario;
    struct space_report report;
    struct player player = {.replay = replay, .end = aldis_replay_end(replay)};
    if (!parse_head(aldis_replay_head(replay), &origin)) {
        fprintf(stderr, "%s: not a recording of aldis run\n", args->path);
        return EXIT_BAD_CONTENT;
    }
    int status = origin_load(&origin, args->path, &scenario);
    if (status != EXIT_GOOD)
        return status;
    struct space_run_opts opts = origin_run_opts(&origin);
    opts.workers = args->workers;
    opts.on_progress = on_progress;
    opts.on_begin = on_begin;
    opts.on_end = on_end;
    opts.on_window = on_window;
    opts.arg = &player;
    aldis_err err = space_run(scenario, &opts, &report);
    space_report_fini(&report);
    scenario_destroy(scenario);
    if (err == ALDIS_OK || player.end.end_reason == ALDIS_RUN_LOOP)
        return judge(&player);
    fprintf(stderr, "%s: the run cannot be repeated: %s\n", args->path, aldis_error_text(err));
    return err == ALDIS_ENOMEM || err == ALDIS_EAGAIN ? EXIT_SYSTEM : EXIT_WRONG;
}

int command_replay(int argc, char **argv)
{
    struct replay_args args = {.path = NULL};
    aldis_replay *replay;
    command_parse(&replay_argp, argc, argv, 0, &args);
    interrupt_exit_at_once();
    aldis_err err = aldis_replay_open(args.path, &replay, NULL);
    if (err != ALDIS_OK) {
        fprintf(stderr, "aldis replay: %s\n", aldis_error_last()->text);
        return err == ALDIS_EIO      ? EXIT_NO_INPUT
               : err == ALDIS_ECODEC ? EXIT_BAD_CONTENT
                                     : EXIT_SYSTEM;
    }
    int status = play(&args, replay);
    aldis_replay_close(replay);
    return status;
}
