// SPDX-License-Identifier: Apache-2.0
/* progress.h: what is written to standard error while a command runs. Layer: cli.
 *
 * On a terminal the progress is one line that is rewritten in place; elsewhere each text is a line
 * of its own, at most one a second. Log lines (-v) come between. Threads: progress calls are the
 * main thread's; log lines may come from any, and take the lock of stderr. */
#ifndef ALDIS_CLI_PROGRESS_H
#define ALDIS_CLI_PROGRESS_H

#include <stdbool.h>

/** Show progress from now on, or (wanted false) none. */
void progress_begin(bool wanted);

/** Is it time for a new text? Saves its making where it would not be shown. */
bool progress_is_due(void);

/** Show one text, cut to what a line of the terminal holds. printf-like. */
void progress_show(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Print a line that stays: an error, while there is progress. printf-like. */
void progress_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Take the text off the terminal, before standard output is written to. */
void progress_clear(void);

/** Send the log, the library's and the program's own, to standard error: 1: errors, warnings and
 *  notices; 2: everything. 0, the default: nothing. */
void progress_log(int verbosity);

/** A notice of the program for the log. printf-like. */
void progress_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
