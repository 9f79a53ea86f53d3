// SPDX-License-Identifier: Apache-2.0
/* output.c: see output.h. Layer: cli. */
#include "output.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool finished; /* output_finish has been called */

bool output_flush(void)
{
    errno = 0;
    return fflush(stdout) == 0 && !ferror(stdout);
}

static void report_failure(void)
{
    fprintf(stderr, "aldis: cannot write to standard output%s%s\n", errno ? ": " : "",
            errno ? strerror(errno) : "");
}

/* For what argp prints before it exits. */
static void at_exit(void)
{
    if (finished || output_flush())
        return;
    report_failure();
    _exit(EXIT_IO);
}

/* Where the reader of a pipe has gone, end quietly as every filter does: by SIGPIPE, also when the
 * program was started with that signal ignored or blocked. */
static void accept_sigpipe(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

FILE *output_create(const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        fprintf(stderr, "aldis: %s cannot be created: %s\n", path, strerror(errno));
    return file;
}

int output_close(FILE *file, const char *path)
{
    errno = 0;
    /* A write that failed in between shows in ferror only. */
    bool written = fflush(file) == 0 && !ferror(file);
    int error = errno;
    if (fclose(file) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written)
        return EXIT_GOOD;
    fprintf(stderr, "aldis: %s cannot be written%s%s\n", path, error ? ": " : "",
            error ? strerror(error) : "");
    return EXIT_IO;
}

void output_open(void)
{
    static char buffer[1 << 16];
    accept_sigpipe();
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        /* Opened the wrong way round on purpose: using a stream that was closed is an error. */
        if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(EXIT_SYSTEM);
    }
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    atexit(at_exit);
}

int output_finish(int status)
{
    finished = true;
    if (output_flush())
        return status;
    report_failure();
    return status == EXIT_GOOD || status == EXIT_NO ? EXIT_IO : status;
}
