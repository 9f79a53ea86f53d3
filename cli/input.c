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
    else if (key == ARGP_KEY_ARG)
        *path = value;
    else if (key == ARGP_KEY_END && !*path)
        argp_error(state, "a FILE is missing");
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    return 0;
}

int input_read(const char *path, struct scenario **out_scenario)
{
    struct scenario_errors errors;
    enum scenario_status status = scenario_load(path, out_scenario, &errors);
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
