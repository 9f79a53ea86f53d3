// SPDX-License-Identifier: Apache-2.0
/* space.h: the space simulation, for a program that runs it. Layer: space.
 *
 *     struct scenario_errors errors;
 *     struct scenario *scenario;
 *     if (scenario_load("scenarios/harbour.yaml", &scenario, &errors) != SCENARIO_OK) {
 *         scenario_errors_print(&errors, stderr);
 *         return;
 *     }
 *     scenario_destroy(scenario);
 *
 * Nothing here prints by itself, reads a clock, or handles a signal. */
#ifndef SPACE_SPACE_H
#define SPACE_SPACE_H

#include <aldis/stats.h>
#include <aldis/system.h>
#include <stdio.h>

/* ---- Scenarios ---- */

/** A scenario that has been read and checked. Read-only; may be run many times. */
struct scenario;

/** What became of loading a file. */
enum scenario_status {
    SCENARIO_OK = 0,
    SCENARIO_BAD,      /**< its content is wrong */
    SCENARIO_NO_INPUT, /**< it is missing, unreadable, or not a regular file */
    SCENARIO_NO_MEMORY,
};

#define SCENARIO_ERRORS_MAX 20

/** One error: "12:14: stations[2].berths: found "-4", allowed: a whole number from 1 to 64". */
struct scenario_error {
    uint32_t line, column; /**< from 1; line 0: about the file as a whole */
    char text[400];
};

/** Everything that is wrong with a file, in its order. */
struct scenario_errors {
    const char *path; /**< borrowed from the caller of scenario_load */
    uint32_t count;
    uint32_t more; /**< errors beyond the first SCENARIO_ERRORS_MAX */
    struct scenario_error items[SCENARIO_ERRORS_MAX];
};

/**
 * Read and check a scenario file. Whatever the file holds, this returns soon and uses memory in
 * proportion to it: at most 16 MiB are read, with at most 32 levels and 262,144 values.
 *
 * path:   borrowed, also by *errors.
 * Owner:  gives *out_scenario on SCENARIO_OK: end it with scenario_destroy. Else it is NULL.
 * errors: written on every return; count is 0 on SCENARIO_OK only.
 * Thread: any.          Blocks: while it reads the file; it never waits for a pipe or a device.
 */
enum scenario_status scenario_load(const char *path, struct scenario **out_scenario,
                                   struct scenario_errors *errors);

/** The same for text in memory; name stands in the errors where a path would. */
enum scenario_status scenario_parse(const char *name, const char *text, size_t size,
                                    struct scenario **out_scenario, struct scenario_errors *errors);

/** Free it. NULL is ignored. No run may be using it. */
void scenario_destroy(struct scenario *scenario);

/** Print one line for each error, as `path:line:column: what: found ..., allowed: ...`. */
void scenario_errors_print(const struct scenario_errors *errors, FILE *out);

#endif
