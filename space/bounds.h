// SPDX-License-Identifier: Apache-2.0
/* bounds.h: the limits of a scenario, put to work. Layer: space.
 *
 * Mailboxes are bounded by kinds of actors: the run has a copy of each kind, with the bounds that
 * the scenario gives it. In virtual time a handler takes no time by itself, and then no mailbox
 * ever fills; so a scenario may say how long a message takes (`handling`). */
#ifndef SPACE_BOUNDS_H
#define SPACE_BOUNDS_H

#include "books.h"

/** Make the kinds of a run, in the order of enum scenario_actor. They are to outlive its system. */
void bounds_make_kinds(const struct scenario_limits *limits, aldis_behaviour out[SCENARIO_ACTORS]);

/** In a handler, before anything else: the message of another that it handles takes its time. */
static inline void bounds_work(const struct chart *chart, aldis_ctx *ctx, enum scenario_actor kind)
{
    aldis_ns handling_ns = chart->scenario->limits.mailbox.of[kind].handling_ns;
    if (handling_ns > 0)
        (void)aldis_busy(ctx, handling_ns);
}

/** Has the scenario bounded a mailbox in any way? */
bool bounds_have_mailboxes(const struct scenario_limits *limits);

/** At rest: print what mailboxes have refused or dropped since the figures in *seen, by type of
 *  message, and how often the budget of memory was the reason, as JSON lines; *seen then holds the
 *  figures of now. End it with aldis_stats_fini. Errors: as aldis_system_stats. */
aldis_err bounds_drain(aldis_system *system, aldis_stats *seen, FILE *out);

/** What the limits did, for a report whose stats are gathered. */
void bounds_report(const struct scenario_limits *limits, struct space_report *report);

#endif
