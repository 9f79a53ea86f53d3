// SPDX-License-Identifier: Apache-2.0
/* search.c: the search over seeds. Layer: testkit.
 *
 * Trials run side by side, but their results are looked at in the order of the seeds, so that the
 * finding does not depend on which process was faster. */
#include <aldis/explore.h>

#include "base/error.h"
#include "testkit/search.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHRINK_TRIALS = 1000 };
#define TIMEOUT_NS (60 * ALDIS_SECOND)

bool aldis__search_go_on(struct aldis__search *search, bool shrinking)
{
    const aldis_explore_opts *opts = &search->opts;
    if (opts->on_progress &&
        !opts->on_progress(opts->progress_arg, search->finding->trials, shrinking))
        search->stopped = true;
    return !search->stopped;
}

/* ------------------------------------------------------------------ seeds */

/* Of two findings the one with the lower seed stays. */
static struct aldis__job *lower(struct aldis__job *best, struct aldis__job *job)
{
    if (job->report->violation == ALDIS_VIOLATION_NONE)
        return best;
    return !best || job->seed < best->seed ? job : best;
}

static struct aldis__job *idle_job(struct aldis__search *search, const struct aldis__job *best)
{
    for (uint32_t i = 0; i < search->job_count; i++)
        if (search->jobs[i].pid == 0 && &search->jobs[i] != best)
            return &search->jobs[i];
    return NULL;
}

/* Is there a trial whose result still matters? */
static bool any_counts(const struct aldis__search *search, const struct aldis__job *best)
{
    for (uint32_t i = 0; i < search->job_count; i++)
        if (search->jobs[i].pid > 0 && (!best || search->jobs[i].seed < best->seed))
            return true;
    return false;
}

/* All seeds in order; after a finding only those below it are waited for. */
static aldis_err search_seeds(struct aldis__search *search, struct aldis__job **out_best)
{
    const aldis_explore_opts *opts = &search->opts;
    uint64_t next = opts->first_seed;
    bool all_begun = false;
    struct aldis__job *best = NULL;
    aldis_err err = ALDIS_OK;
    while (err == ALDIS_OK && aldis__search_go_on(search, false)) {
        struct aldis__job *job = idle_job(search, best);
        if (!all_begun && !best && job) {
            err = aldis__job_start(job, opts, search->fn, search->arg, next, opts->plan);
            all_begun = next++ == opts->last_seed;
            continue;
        }
        if (!any_counts(search, best))
            break;
        job = aldis__jobs_wait(search->jobs, search->job_count, ALDIS__WAIT_MS);
        if (job) {
            search->finding->trials++;
            best = lower(best, job);
        }
    }
    *out_best = best;
    return err;
}

/* ------------------------------------------------------------------ public */

static aldis_err fill_opts(struct aldis__search *search, const aldis_explore_opts *opts)
{
    search->opts = *opts;
    if (opts->first_seed > opts->last_seed)
        return aldis__error_set(
            ALDIS_EINVAL, aldis_nobody(), "", "explore: first_seed %llu is above last_seed %llu",
            (unsigned long long)opts->first_seed, (unsigned long long)opts->last_seed);
    if (opts->jobs > ALDIS__JOBS_MAX || opts->timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "explore: jobs %u, timeout_ns %lld; allowed: 1 to %d, 0 or more",
                                opts->jobs, (long long)opts->timeout_ns, ALDIS__JOBS_MAX);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (opts->jobs == 0)
        search->opts.jobs = cores < 1                 ? 1
                            : cores > ALDIS__JOBS_MAX ? ALDIS__JOBS_MAX
                                                      : (uint32_t)cores;
    if (opts->timeout_ns == 0)
        search->opts.timeout_ns = TIMEOUT_NS;
    if (opts->shrink_trials == 0)
        search->opts.shrink_trials = SHRINK_TRIALS;
    if (!opts->plan)
        search->opts.plan = aldis_fault_plan_named("light");
    return ALDIS_OK;
}

static aldis_err run_search(struct aldis__search *search)
{
    struct aldis__job *best = NULL;
    aldis_finding *finding = search->finding;
    aldis_err err = search_seeds(search, &best);
    for (uint32_t i = 0; i < search->job_count; i++)
        if (search->jobs[i].pid > 0) /* of a seed above what was found, or the search was ended */
            aldis__job_fini(&search->jobs[i]);
    if (err == ALDIS_OK && best) {
        finding->violation = best->report->violation;
        finding->seed = best->seed;
        finding->fault_total = best->report->fault_total;
        memcpy(finding->text, best->report->text, sizeof finding->text);
        err = aldis__search_shrink(search, best);
    }
    return err == ALDIS_OK && search->stopped ? ALDIS_ETIMEDOUT : err;
}

aldis_err aldis_explore(const aldis_explore_opts *opts, aldis_trial_fn fn, void *arg,
                        aldis_finding *out_finding)
{
    if (!opts || !fn || !out_finding)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "explore: an argument is NULL");
    aldis_finding finding = {.violation = ALDIS_VIOLATION_NONE};
    struct aldis__search *search = calloc(1, sizeof *search);
    if (!search)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "explore");
    search->fn = fn;
    search->arg = arg;
    search->finding = &finding;
    aldis_err err = fill_opts(search, opts);
    while (err == ALDIS_OK && search->job_count < search->opts.jobs) {
        err = aldis__job_init(&search->jobs[search->job_count]);
        search->job_count += err == ALDIS_OK;
    }
    if (err == ALDIS_OK)
        err = run_search(search);
    for (uint32_t i = 0; i < search->job_count; i++)
        aldis__job_fini(&search->jobs[i]);
    free(search);
    if (err == ALDIS_OK || err == ALDIS_ETIMEDOUT)
        *out_finding = finding;
    else
        aldis_finding_fini(&finding);
    return err;
}

void aldis_finding_fini(aldis_finding *finding)
{
    if (!finding)
        return;
    free(finding->faults);
    free(finding->names);
    finding->faults = NULL;
    finding->names = NULL;
    finding->fault_count = 0;
}

const char *aldis_violation_name(aldis_violation violation)
{
    static const char *const names[] = {
#define WORD(name, word) word,
        ALDIS_VIOLATIONS(WORD)
#undef WORD
    };
    return (unsigned)violation < sizeof names / sizeof names[0] ? names[violation] : "violation";
}
