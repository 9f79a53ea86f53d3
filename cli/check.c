// SPDX-License-Identifier: Apache-2.0
/* check.c: `aldis check FILE`: is this a scenario that can run? Layer: cli. */
#include "command.h"
#include "input.h"

#include <inttypes.h>
#include <stdio.h>

static error_t parse(int key, char *value, struct argp_state *state)
{
    (void)value;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[1] = state->input;
    return 0;
}

static const struct argp_child children[] = {
    {.argp = &command_shared_argp}, {.argp = &input_argp}, {0}};
static const struct argp check_argp = {
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Check the scenario in FILE, and run nothing.\v"
           "Status 0: it can run. 64: the command line is wrong. 65: its content is wrong; each "
           "error is printed with its place. "
           "66: it cannot be read.",
    .children = children,
};

int command_check(int argc, char **argv)
{
    struct input input = {.path = NULL};
    command_parse(&check_argp, argc, argv, 0, &input);
    const char *path = input.path;
    struct scenario *scenario = NULL;
    int status = input_read(&input, &scenario);
    uint32_t warnings = scenario ? scenario_warnings_print(scenario, path, stdout) : 0;
    if (status == EXIT_GOOD && warnings > 0)
        printf("%s: good, with %" PRIu32 " warning%s\n", path, warnings, warnings > 1 ? "s" : "");
    else if (status == EXIT_GOOD)
        printf("%s: good\n", path);
    if (status == EXIT_GOOD)
        printf("%s: %" PRIu32 " ships; a run takes about %.0f MB of memory\n", path,
               scenario_ship_count(scenario), (double)scenario_bytes_needed(scenario) * 1e-6);
    scenario_destroy(scenario);
    return status;
}
