// SPDX-License-Identifier: Apache-2.0
/* output.h: standard output and other files that are written, and how a failed write ends the
 * program. Layer: cli. */
#ifndef ALDIS_CLI_OUTPUT_H
#define ALDIS_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/** Make sure that descriptors 0, 1 and 2 are taken, so that no file opened later becomes one of
 *  them, and give stdout a buffer that a report fits in. First call of the program. What argp
 *  prints before it exits is looked after, too: there a failed write ends in EXIT_IO. A closed pipe
 *  ends the program quietly, by SIGPIPE. */
void output_open(void);

/** Write out what is buffered. False: it failed. */
bool output_flush(void);

/** The exit status: `status`, or EXIT_IO with a message where stdout could not be written. */
int output_finish(int status);

/** Create a file for an option. NULL: it cannot be, and standard error has it. */
FILE *output_create(const char *path);
/** Close it. The exit status: EXIT_IO with a message where any of it could not be written. */
int output_close(FILE *file, const char *path);

#endif
