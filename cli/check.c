// SPDX-License-Identifier: Apache-2.0
/* check.c: `aldis check FILE...`: are these scenarios that can run? Layer: cli. */
#include "command.h"
#include "input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check_args {
    struct input input; /* its path: of the file at hand */
    const char **paths;
    int count;
};

static error_t parse(int key, char *value, struct argp_state *state)
{
    struct check_args *args = state->input;
    if (key == ARGP_KEY_INIT)
        state->child_inputs[1] = &args->input;
    else if (key == ARGP_KEY_ARG && !*value)
        argp_error(state, "FILE is '', allowed: the name of a file");
    else if (key == ARGP_KEY_ARG)
        args->paths[args->count++] = value;
    else if (key == ARGP_KEY_END && args->count == 0)
        argp_error(state, "a FILE is missing");
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct argp_child children[] = {
    {.argp = &command_shared_argp}, {.argp = &input_settings_argp}, {0}};
static const struct argp check_argp = {
    .parser = parse,
    .args_doc = "FILE...",
    .doc = "Check the scenarios in the files, and run nothing.\v"
           "Status 0: all of them can run. 64: the command line is wrong. 65: the content of a "
           "file is wrong; each error is printed with its place. 66: a file cannot be read. Of "
           "several files the highest.",
    .children = children,
};

static void print_verdict(const struct scenario *scenario, const char *path)
{
    uint32_t warnings = scenario_warnings_print(scenario, path, stdout);
    printf("%s: good", path);
    if (warnings > 0)
        printf(", with %" PRIu32 " warning%s", warnings, warnings > 1 ? "s" : "");
    printf("\n%s: %" PRIu32 " ships; a run takes about %.0f MB of memory\n", path,
           scenario_ship_count(scenario), (double)scenario_bytes_needed(scenario) * 1e-6);
    scenario_limits_print(scenario, path, stdout);
}

/* Errors go to standard error, so what is said before them has to be out first. */
static int check_file(const struct input *input)
{
    struct scenario *scenario = NULL;
    (void)fflush(stdout);
    int status = input_read(input, &scenario);
    if (status == EXIT_GOOD)
        print_verdict(scenario, input->path);
    scenario_destroy(scenario);
    return status;
}

int command_check(int argc, char **argv)
{
    struct check_args args = {.paths = calloc((size_t)argc, sizeof *args.paths)};
    int worst = EXIT_GOOD, bad = 0;
    if (!args.paths) {
        fprintf(stderr, "aldis check: %s\n", strerror(ENOMEM));
        return EXIT_SYSTEM;
    }
    command_parse(&check_argp, argc, argv, 0, &args);
    for (int i = 0; i < args.count; i++) {
        args.input.path = args.paths[i];
        int status = check_file(&args.input);
        bad += status != EXIT_GOOD;
        worst = status > worst ? status : worst;
    }
    if (args.count > 1)
        printf("%d files: %d good, %d not\n", args.count, args.count - bad, bad);
    free(args.paths);
    return worst;
}
