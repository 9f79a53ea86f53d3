// SPDX-License-Identifier: Apache-2.0
/* input.c: reads the scenario file that a command is given. Layer: cli. */
#include "input.h"

#include "command.h"

#include <stdio.h>

error_t input_parse_file(int key, char *value, struct argp_state *state)
{
    const char **path = state->input;
    if (key == ARGP_KEY_ARG && *path)
        argp_error(state, "one FILE is allowed, found '%s' too", value);
    else if (key == ARGP_KEY_ARG && !*value)
        argp_error(state, "FILE is '', allowed: the name of a file");
    else if (key == ARGP_KEY_ARG)
        *path = value;
    else if (key == ARGP_KEY_END && !*path)
        argp_error(state, "a FILE is missing");
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

enum { OPTION_SET = 512 };
static const struct argp_option options[] = {
    {.name = "set",
     .key = OPTION_SET,
     .arg = "PATH=VALUE",
     .doc = "Set a value of the scenario, as in fleets.traders.count=5000; may be given again"},
    {0}};

static error_t parse_settings(int key, char *value, struct argp_state *state)
{
    struct input *input = state->input;
    if (key != OPTION_SET)
        return ARGP_ERR_UNKNOWN;
    if (input->count == INPUT_SETTINGS_MAX)
        argp_error(state, "--set: at most %d of them", INPUT_SETTINGS_MAX);
    else
        input->settings[input->count++] = value;
    return 0;
}

static error_t parse_input(int key, char *value, struct argp_state *state)
{
    struct input *input = state->input;
    (void)value;
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = &input->path;
    state->child_inputs[1] = input;
    return 0;
}

const struct argp input_settings_argp = {.options = options, .parser = parse_settings};
static const struct argp file_argp = {.parser = input_parse_file};
static const struct argp_child children[] = {
    {.argp = &file_argp}, {.argp = &input_settings_argp}, {0}};
const struct argp input_argp = {.parser = parse_input, .children = children};

int input_read(const struct input *input, struct scenario **out_scenario)
{
    struct scenario_errors errors;
    enum scenario_status status =
        scenario_load_with(input->path, input->settings, input->count, out_scenario, &errors);
    if (status != SCENARIO_OK)
        scenario_errors_print(&errors, stderr);
    switch (status) {
    case SCENARIO_OK:
        return EXIT_GOOD;
    case SCENARIO_BAD:
        return EXIT_BAD_CONTENT;
    case SCENARIO_NO_INPUT:
        return EXIT_NO_INPUT;
    case SCENARIO_NO_MEMORY:
        return EXIT_SYSTEM;
    }
    return EXIT_SYSTEM;
}
