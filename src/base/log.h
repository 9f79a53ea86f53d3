// SPDX-License-Identifier: Apache-2.0
/* log.h: lines for the log hook. Layer: base. Threads: any. Memory: a line is built on the stack.
 *
 * Never in the file of a hot path: even off, a call costs a load and a branch. */
#ifndef ALDIS_BASE_LOG_H
#define ALDIS_BASE_LOG_H

#include <aldis/log.h>

/** The least important level that the hook wants; 0: no hook. Written only by aldis_log_set(),
 *  before any thread of Aldis exists, hence a plain int. */
extern int aldis__log_level_max;

/** Build one line (cut after 511 bytes) and hand it to the hook. Called through aldis__log(). */
void aldis__log_line(aldis_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/** aldis__log(ALDIS_LOG_WARN, "worker %u: %s", ...): the arguments are evaluated only if the line
 *  is wanted. */
#define aldis__log(level, ...)                                                                     \
    do {                                                                                           \
        if (__builtin_expect((int)(level) <= aldis__log_level_max, 0))                             \
            aldis__log_line((level), __VA_ARGS__);                                                 \
    } while (0)

#endif
