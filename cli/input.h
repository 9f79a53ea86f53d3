// SPDX-License-Identifier: Apache-2.0
/* input.h: the scenario file that a command is given. Layer: cli. */
#ifndef ALDIS_CLI_INPUT_H
#define ALDIS_CLI_INPUT_H

#include "../space/space.h"

#include <argp.h>

enum { INPUT_SETTINGS_MAX = SCENARIO_FILES_MAX - SCENARIO_INCLUDES_MAX };

/** A scenario file, and what is set in place of what it says. */
struct input {
    const char *path;
    const char *settings[INPUT_SETTINGS_MAX];
    size_t count;
};

/** An argp parser for exactly one FILE; input is a const char ** that gets its path. */
error_t input_parse_file(int key, char *value, struct argp_state *state);

/** An argp parser for --set; input is a struct input. */
extern const struct argp input_settings_argp;

/** Both; input is a struct input. */
extern const struct argp input_argp;

/** Load the scenario; what is wrong with it is printed on standard error. Returns an exit status,
 *  and gives *out_scenario on EXIT_GOOD (else NULL): end it with scenario_destroy. */
int input_read(const struct input *input, struct scenario **out_scenario);

#endif
