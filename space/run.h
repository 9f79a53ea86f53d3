// SPDX-License-Identifier: Apache-2.0
/* run.h: one run, for the files that make it up: run.c has it from start to report, look.c what one
 * sees of it on the way. Layer: space. */
#ifndef SPACE_RUN_H
#define SPACE_RUN_H

#include "books.h"
#include "ledger.h"

struct holdings;
struct witness;

struct run {
    const struct scenario *scenario;
    const struct space_run_opts *opts;
    struct space_report *report;
    aldis_system *system;
    struct books books;
    struct chart chart;
    struct ledger_page ledger;
    aldis_behaviour kinds[SCENARIO_ACTORS]; /* with the scenario's mailboxes */
    station_ref *stations;
    aldis_ns checked_ns;       /* all was there at this time */
    struct holdings *holdings; /* and who had it; NULL: not every window is looked at */
    struct witness *witness;   /* and what was handled since; NULL: not noted */
    aldis_stats seen;          /* what the mailboxes had refused when events were last drained */
};

/** Ships by state, added to out. At rest. */
void run_count_ships(const struct run *run, uint64_t out[SPACE_SHIP_STATE_COUNT]);

#endif
