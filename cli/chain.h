// SPDX-License-Identifier: Apache-2.0
/* chain.h: the file that `aldis run --print-windows` writes: the run print after each window.
 * Layer: cli.
 *
 * Lines of text: the first is "aldis windows 1", then come those of the origin, then
 *
 *     window INDEX START_NS END_NS EVENTS PRINT
 *
 * for each window, INDEX counting from 0, and at last
 *
 *     end REASON WINDOWS PRINT INPUTS
 *
 * where INPUTS is the number of messages that came from outside: with 0, the origin is all that
 * made the run. A file without that line was cut short. */
#ifndef ALDIS_CLI_CHAIN_H
#define ALDIS_CLI_CHAIN_H

#include "origin.h"

#include <aldis/window.h>

/* ---- Writing ---- */

struct chain_writer {
    const char *path;
    FILE *file;
    uint64_t windows, print;
};

/** Begin the file. Returns an exit status, EXIT_NO_OUTPUT with a text on standard error. */
int chain_create(struct chain_writer *writer, const char *path);
void chain_write_origin(struct chain_writer *writer, const struct origin *origin);
void chain_write_window(struct chain_writer *writer, const aldis_window *window);
void chain_write_end(struct chain_writer *writer, aldis_run_end end_reason, uint64_t inputs);
/** End it. Returns an exit status, EXIT_IO with a text where something was not written. */
int chain_close(struct chain_writer *writer);

/* ---- Reading ---- */

struct chain_end {
    char reason[16];
    uint64_t windows, print, inputs;
};

struct chain_reader {
    const char *path;
    FILE *file;
    uint64_t line; /* read last, from 1 */
    struct origin origin;
    bool ended;
    aldis_window window;     /* the last one read, while not ended */
    uint64_t windows, print; /* read so far */
    struct chain_end end;    /* once ended */
};

/** Open the file and read its origin. Returns an exit status; where it is not EXIT_GOOD (but
 *  EXIT_NO_INPUT, EXIT_BAD_CONTENT), a text is on standard error. So with the next. */
int chain_open(struct chain_reader *reader, const char *path);
/** Read the next window, or the end. */
int chain_next(struct chain_reader *reader);
void chain_reader_fini(struct chain_reader *reader);

#endif
