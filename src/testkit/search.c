// SPDX-License-Identifier: Apache-2.0
/* search.c: the search over seeds, and the shrinking of what it finds. Layer: testkit.
 *
 * Trials run side by side, but their results are looked at in the order of the seeds, so that the
 * finding does not depend on which process was faster. */
#include <aldis/explore.h>

#include "base/error.h"
#include "testkit/trial.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { JOBS_MAX = 64, SHRINK_TRIALS = 1000, WAIT_MS = 200 };
#define TIMEOUT_NS (60 * ALDIS_SECOND)

struct search {
    aldis_explore_opts opts; /* defaults filled in */
    aldis_trial_fn fn;
    void *arg;
    struct aldis__job jobs[JOBS_MAX];
    uint32_t job_count;
    aldis_finding *finding;
    bool stopped; /* by on_progress */
};

static bool go_on(struct search *search, bool shrinking)
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

static struct aldis__job *idle_job(struct search *search, const struct aldis__job *best)
{
    for (uint32_t i = 0; i < search->job_count; i++)
        if (search->jobs[i].pid == 0 && &search->jobs[i] != best)
            return &search->jobs[i];
    return NULL;
}

/* Is there a trial whose result still matters? */
static bool any_counts(const struct search *search, const struct aldis__job *best)
{
    for (uint32_t i = 0; i < search->job_count; i++)
        if (search->jobs[i].pid > 0 && (!best || search->jobs[i].seed < best->seed))
            return true;
    return false;
}

/* All seeds in order; after a finding only those below it are waited for. */
static aldis_err search_seeds(struct search *search, struct aldis__job **out_best)
{
    const aldis_explore_opts *opts = &search->opts;
    uint64_t next = opts->first_seed;
    bool all_begun = false;
    struct aldis__job *best = NULL;
    aldis_err err = ALDIS_OK;
    while (err == ALDIS_OK && go_on(search, false)) {
        struct aldis__job *job = idle_job(search, best);
        if (!all_begun && !best && job) {
            err = aldis__job_start(job, opts, search->fn, search->arg, next, opts->plan);
            all_begun = next++ == opts->last_seed;
            continue;
        }
        if (!any_counts(search, best))
            break;
        job = aldis__jobs_wait(search->jobs, search->job_count, WAIT_MS);
        if (job) {
            search->finding->trials++;
            best = lower(best, job);
        }
    }
    *out_best = best;
    return err;
}

/* ------------------------------------------------------------------ shrinking */

struct shrinking {
    struct search *search;
    struct aldis__job *job;
    struct aldis__told_fault *all;
    aldis_fault *some; /* room for one try */
    uint32_t *kept;    /* indices of those that are still needed */
    size_t count;
    aldis_violation violation;
};

/* Does it still fail in the same way with these faults alone? */
static aldis_err still_fails(struct shrinking *s, const uint32_t *kept, size_t count, bool *out)
{
    struct search *search = s->search;
    *out = false;
    if (search->finding->shrink_trials >= search->opts.shrink_trials || !go_on(search, true))
        return ALDIS_ETIMEDOUT;
    for (size_t i = 0; i < count; i++)
        s->some[i] = s->all[kept[i]].fault;
    aldis_fault_plan plan = {.faults = s->some, .fault_count = count};
    aldis_err err = aldis__job_start(s->job, &search->opts, search->fn, search->arg,
                                     search->finding->seed, &plan);
    if (err != ALDIS_OK)
        return err;
    search->finding->shrink_trials++;
    while (!aldis__jobs_wait(s->job, 1, WAIT_MS))
        ;
    *out = s->job->report->violation == s->violation;
    return ALDIS_OK;
}

/* Leave out all of one kind. Whole kinds are often no part of the matter. */
static aldis_err try_without_kind(struct shrinking *s, aldis_fault_kind kind, uint32_t *rest)
{
    size_t count = 0;
    bool less = false;
    for (size_t i = 0; i < s->count; i++)
        if (s->all[s->kept[i]].fault.kind != kind)
            rest[count++] = s->kept[i];
    if (count == s->count)
        return ALDIS_OK;
    aldis_err err = still_fails(s, rest, count, &less);
    if (err == ALDIS_OK && less) {
        memcpy(s->kept, rest, count * sizeof *rest);
        s->count = count;
    }
    return err;
}

/* Leave out kept[begin .. end); *out_less: it still failed, and they are gone. */
static aldis_err try_without(struct shrinking *s, size_t begin, size_t end, uint32_t *rest,
                             bool *out_less)
{
    memcpy(rest, s->kept, begin * sizeof *rest);
    memcpy(rest + begin, s->kept + end, (s->count - end) * sizeof *rest);
    size_t count = s->count - (end - begin);
    aldis_err err = still_fails(s, rest, count, out_less);
    if (err == ALDIS_OK && *out_less) {
        memcpy(s->kept, rest, count * sizeof *rest);
        s->count = count;
    }
    return err;
}

/* ddmin, by complements: what is not needed goes, in large parts first, then in smaller ones. Ends
 * when no single one can go any more. From the last to the first: without a fault the run is
 * another one from there on, and the faults before it still mean what they meant. A part that was
 * needed is not tried again before all have had their turn: that saves most of the runs. */
static aldis_err minimise(struct shrinking *s, uint32_t *rest)
{
    size_t part = s->count / 2 > 0 ? s->count / 2 : 1;
    for (bool any = true; s->count > 0 && (part > 1 || any); part = part > 1 ? part / 2 : 1) {
        any = false;
        for (size_t end = s->count; end > 0;) {
            size_t begin = end > part ? end - part : 0;
            bool less = false;
            aldis_err err = try_without(s, begin, end, rest, &less);
            if (err != ALDIS_OK)
                return err;
            any = any || less;
            end = begin;
        }
        if (part == 1 && !any)
            break;
        any = true;
    }
    return ALDIS_OK;
}

static aldis_err shrink(struct shrinking *s)
{
    aldis_finding *finding = s->search->finding;
    uint32_t *rest = calloc(s->count + 1, sizeof *rest);
    bool fails = false;
    if (!rest)
        return ALDIS_ENOMEM;
    for (uint32_t i = 0; i < s->count; i++)
        s->kept[i] = i;
    aldis_err err = still_fails(s, s->kept, s->count, &fails);
    if (err == ALDIS_OK && fails) {
        bool empty = false;
        err = still_fails(s, s->kept, 0, &empty);
        if (empty)
            s->count = 0;
        for (int kind = 0; err == ALDIS_OK && kind < ALDIS_FAULT_KIND_COUNT; kind++)
            err = try_without_kind(s, (aldis_fault_kind)kind, rest);
        if (err == ALDIS_OK)
            err = minimise(s, rest);
        finding->is_shrunk = err == ALDIS_OK;
    }
    free(rest);
    return err == ALDIS_ETIMEDOUT ? ALDIS_OK : err;
}

/* The finding gets the faults that are left, with their names. */
static aldis_err give_faults(struct shrinking *s)
{
    aldis_finding *finding = s->search->finding;
    struct aldis__told_fault *told = calloc(s->count + 1, sizeof *told);
    finding->faults = calloc(s->count + 1, sizeof *finding->faults);
    finding->names = told;
    if (!told || !finding->faults)
        return ALDIS_ENOMEM;
    for (size_t i = 0; i < s->count; i++) {
        told[i] = s->all[s->kept[i]];
        finding->faults[i] = told[i].fault;
        finding->faults[i].actor_kind = told[i].actor_kind;
        finding->faults[i].other_kind = told[i].other_kind;
        finding->faults[i].type_name = told[i].type_name;
    }
    finding->fault_count = s->count;
    return ALDIS_OK;
}

static aldis_err shrink_finding(struct search *search, struct aldis__job *best)
{
    struct aldis__trial_report *report = best->report;
    size_t count = report->fault_count;
    struct shrinking s = {.search = search,
                          .job = best,
                          .all = calloc(count + 1, sizeof *s.all),
                          .some = calloc(count + 1, sizeof *s.some),
                          .kept = calloc(count + 1, sizeof *s.kept),
                          .count = count,
                          .violation = report->violation};
    aldis_err err = ALDIS_ENOMEM;
    if (s.all && s.some && s.kept) {
        memcpy(s.all, report->faults, count * sizeof *s.all);
        err = shrink(&s);
        aldis_err given = give_faults(&s);
        err = err == ALDIS_OK ? given : err;
    }
    free(s.all);
    free(s.some);
    free(s.kept);
    return err;
}

/* ------------------------------------------------------------------ public */

static aldis_err fill_opts(struct search *search, const aldis_explore_opts *opts)
{
    search->opts = *opts;
    if (opts->first_seed > opts->last_seed)
        return aldis__error_set(
            ALDIS_EINVAL, aldis_nobody(), "", "explore: first_seed %llu is above last_seed %llu",
            (unsigned long long)opts->first_seed, (unsigned long long)opts->last_seed);
    if (opts->jobs > JOBS_MAX || opts->timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "explore: jobs %u, timeout_ns %lld; allowed: 1 to %d, 0 or more",
                                opts->jobs, (long long)opts->timeout_ns, JOBS_MAX);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (opts->jobs == 0)
        search->opts.jobs = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (uint32_t)cores;
    if (opts->timeout_ns == 0)
        search->opts.timeout_ns = TIMEOUT_NS;
    if (opts->shrink_trials == 0)
        search->opts.shrink_trials = SHRINK_TRIALS;
    if (!opts->plan)
        search->opts.plan = aldis_fault_plan_named("light");
    return ALDIS_OK;
}

static aldis_err run_search(struct search *search)
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
        err = shrink_finding(search, best);
    }
    return err == ALDIS_OK && search->stopped ? ALDIS_ETIMEDOUT : err;
}

aldis_err aldis_explore(const aldis_explore_opts *opts, aldis_trial_fn fn, void *arg,
                        aldis_finding *out_finding)
{
    if (!opts || !fn || !out_finding)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "explore: an argument is NULL");
    aldis_finding finding = {.violation = ALDIS_VIOLATION_NONE};
    struct search *search = calloc(1, sizeof *search);
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
