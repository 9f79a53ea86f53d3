// SPDX-License-Identifier: Apache-2.0
/* session.h: what goes along with a run when its options ask for it. Layer: cli. */
#ifndef ALDIS_CLI_SESSION_H
#define ALDIS_CLI_SESSION_H

#include "chain.h"
#include "input.h"
#include "listen.h"

#include <aldis/record.h>
#include <stdio.h>

struct watch;

struct session_opts {
    const char *print_windows; /* file for the run print after each window; NULL: none */
    const char *listen;        /* socket for orders from outside; NULL: none */
    const char *record;        /* file for what comes from outside; NULL: none */
    uint32_t mind;             /* the ship whose mind is shown; 0: none */
    const char *events;        /* file for what happens; NULL: none */
    const char *faults;        /* the value of --faults: never overwritten; NULL: none */
};

struct session {
    const struct session_opts *opts;
    const struct input *scenario;
    struct chain_writer chain;
    aldis_recording *recording;
    struct listener listener; /* used if it was asked for */
    FILE *events;             /* NULL: not asked for */
    struct watch *watch;      /* NULL: not asked for */
    char path[256];           /* what the mind was about */
    double start_s, begin_s;  /* wall time: of the command, and of the first window */
    double factor;            /* virtual seconds in one of it; 0: as fast as it goes */
    int status;               /* of what has failed meanwhile */
};

/** Create the files. Returns an exit status; where it is not EXIT_GOOD, nothing is open. */
int session_open(struct session *session, const struct session_opts *opts,
                 const struct input *scenario);
/** For space_run_opts.on_begin and on_end. */
void session_begin(struct session *session, const struct space_run_facts *facts);
void session_end(struct session *session, const struct space_run_facts *facts,
                 aldis_run_end end_reason);
/** Close what is open. Returns an exit status, EXIT_IO where something could not be written. */
int session_close(struct session *session);

#endif
