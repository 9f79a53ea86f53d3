// SPDX-License-Identifier: Apache-2.0
/* input.h: the scenario file that a command is given. Layer: cli. */
#ifndef ALDIS_CLI_INPUT_H
#define ALDIS_CLI_INPUT_H

#include "../space/space.h"

#include <argp.h>

/** An argp parser for exactly one FILE; input is a const char ** that gets its path. */
error_t input_parse_file(int key, char *value, struct argp_state *state);

/** Load the scenario; what is wrong with it is printed on standard error. Returns an exit status,
 *  and gives *out_scenario on EXIT_GOOD (else NULL): end it with scenario_destroy. */
int input_read(const char *path, struct scenario **out_scenario);

#endif
