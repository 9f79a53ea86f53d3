// SPDX-License-Identifier: Apache-2.0
/* output.c: standard output. Layer: cli. */
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

/* The reader has gone: end as every filter does, killed by SIGPIPE, also where it was ignored. */
static _Noreturn void end_quietly(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(SIGPIPE);
    _exit(128 + SIGPIPE);
}

bool output_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno == EPIPE)
        end_quietly();
    return false;
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

void output_open(void)
{
    static char buffer[1 << 16];
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
