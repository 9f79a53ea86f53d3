// SPDX-License-Identifier: Apache-2.0
/* origin.h: what a file that tells of a run says of where the run came from. Layer: cli.
 *
 * It is the head of both kinds of such files, a few lines of text, in this order:
 *
 *     version 0.1.0
 *     scenario /srv/runs/harbour.yaml
 *     content 9f3c5a0e11d2b764
 *     seed 7
 *     shards 64
 *     until_ns 3600000000000
 *
 * In the scenario's path bytes below 0x20, 0x7f and '%' are written as %XX; behind it stands each
 * setting of the command line, after a %1F. content is a digest of the scenario's file, of what it
 * includes and of the settings. */
#ifndef ALDIS_CLI_ORIGIN_H
#define ALDIS_CLI_ORIGIN_H

#include "../space/space.h"
#include "input.h"

#include <stdio.h>

enum { ORIGIN_PATH_SIZE = 4096, ORIGIN_LINE_SIZE = 3 * ORIGIN_PATH_SIZE + 32, ORIGIN_LINES = 6 };

struct origin {
    char version[32];
    char scenario[ORIGIN_PATH_SIZE];
    uint64_t content;
    uint64_t seed;
    uint32_t shards;
    aldis_ns until_ns;
};

/** The origin of a run that begins now in this program. */
struct origin origin_of(const struct input *input, const struct space_run_facts *facts);

void origin_print(const struct origin *origin, FILE *out);

/** Read line `number` (0 .. ORIGIN_LINES - 1), without its newline, into origin. False: it is not
 *  what that line has to be. */
bool origin_parse_line(struct origin *origin, uint32_t number, const char *line);

/**
 * Load the scenario again, for a run that repeats the one of origin. What is in the way (another
 * version, a file that is gone, wrong or changed) is printed on standard error, after `who`.
 *
 * Owner: gives *out_scenario on EXIT_GOOD: end it with scenario_destroy. Returns an exit status.
 */
int origin_load(const struct origin *origin, const char *who, struct scenario **out_scenario);

/** The options that repeat the run: seed, shards and duration. */
struct space_run_opts origin_run_opts(const struct origin *origin);

#endif
