// SPDX-License-Identifier: Apache-2.0
/* progress.c: the progress line and the log on standard error. Layer: cli. */
#include "progress.h"

#include "wall.h"

#include <aldis/log.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool shown;        /* progress is wanted */
static bool on_terminal;  /* ... and rewritten in place */
static bool line_is_open; /* the terminal's line holds a text; under the lock of stderr */
static aldis_ns due_ns;   /* when the next text may be shown */
static int log_verbosity;

/* Under the lock of stderr. */
static void clear_line(void)
{
    if (line_is_open)
        fputs("\r\033[K", stderr);
    line_is_open = false;
}

void progress_begin(bool wanted)
{
    shown = wanted;
    on_terminal = wanted && isatty(STDERR_FILENO) == 1;
    due_ns = 0;
}

bool progress_is_due(void)
{
    return shown && wall_ns() >= due_ns;
}

/* Cut what would not fit on the terminal's line: of a text on two lines only the second could be
 * taken off again. Not within a character of UTF-8. */
static void cut(char *text, size_t size)
{
    struct winsize window = {0};
    size_t columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        columns = window.ws_col;
    if (size < columns)
        return;
    for (size = columns - 1; size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80;)
        size--;
    text[size] = '\0';
}

void progress_show(const char *format, ...)
{
    char text[512];
    if (!shown)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (on_terminal)
        cut(text, strlen(text));
    flockfile(stderr);
    clear_line();
    fputs(text, stderr);
    line_is_open = on_terminal;
    if (!on_terminal)
        fputc('\n', stderr);
    fflush(stderr);
    funlockfile(stderr);
    due_ns = wall_ns() + (on_terminal ? ALDIS_SECOND / 10 : ALDIS_SECOND);
}

void progress_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stderr);
    clear_line();
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}

void progress_clear(void)
{
    flockfile(stderr);
    clear_line();
    fflush(stderr);
    funlockfile(stderr);
}

static const char *level_name(aldis_log_level level)
{
    switch (level) {
    case ALDIS_LOG_ERROR:
        return "error";
    case ALDIS_LOG_WARN:
        return "warning";
    case ALDIS_LOG_INFO:
        return "info";
    case ALDIS_LOG_DEBUG:
        return "debug";
    }
    return "log";
}

static void log_line(void *arg, aldis_log_level level, const char *line)
{
    (void)arg;
    flockfile(stderr);
    clear_line();
    fprintf(stderr, "aldis: %s: %s\n", level_name(level), line);
    funlockfile(stderr);
}

void progress_notice(const char *format, ...)
{
    char line[256];
    va_list args;
    if (log_verbosity == 0)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_line(NULL, ALDIS_LOG_INFO, line);
}

void progress_log(int verbosity)
{
    log_verbosity = verbosity;
    if (verbosity > 0)
        aldis_log_set(log_line, NULL, verbosity == 1 ? ALDIS_LOG_INFO : ALDIS_LOG_DEBUG);
}
