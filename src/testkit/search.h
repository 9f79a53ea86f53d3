// SPDX-License-Identifier: Apache-2.0
/* search.h: a search over seeds, and the shrinking of what it finds. Layer: testkit. Threads:
 * one. */
#ifndef ALDIS_TESTKIT_SEARCH_H
#define ALDIS_TESTKIT_SEARCH_H

#include "testkit/trial.h"

enum { ALDIS__JOBS_MAX = 64, ALDIS__WAIT_MS = 200 };

struct aldis__search {
    aldis_explore_opts opts; /* defaults filled in */
    aldis_trial_fn fn;
    void *arg;
    struct aldis__job jobs[ALDIS__JOBS_MAX];
    uint32_t job_count;
    aldis_finding *finding;
    bool stopped; /* by on_progress */
};

/** Tell how far it is. False: the user has had enough. */
bool aldis__search_go_on(struct aldis__search *search, bool shrinking);

/** The finding, whose violation and seed are set, gets the fewest faults that still make it fail.
 *  best: the job with the report of the trial that failed; no other runs. */
aldis_err aldis__search_shrink(struct aldis__search *search, struct aldis__job *best);

#endif
