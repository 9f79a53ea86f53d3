// SPDX-License-Identifier: Apache-2.0
/* trial.c: see trial.h. Layer: testkit. */
#include "testkit/trial.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/system.h"
#include "testkit/ledger.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ------------------------------------------------------------------ inside a trial */

uint64_t aldis_trial_seed(const aldis_trial *trial)
{
    return trial->seed;
}

const aldis_fault_plan *aldis_trial_plan(const aldis_trial *trial)
{
    return &trial->plan;
}

static void copy_name(char *to, const char *name)
{
    snprintf(to, ALDIS__TRIAL_NAME, "%s", name ? name : "");
}

static void tell_fault(void *arg, const aldis_fault *fault)
{
    struct aldis__trial_report *report = ((aldis_trial *)arg)->report;
    report->fault_total++;
    if (report->fault_count == ALDIS__TRIAL_FAULTS_MAX)
        return;
    struct aldis__told_fault *told = &report->faults[report->fault_count];
    told->fault = *fault;
    copy_name(told->actor_kind, fault->actor_kind);
    copy_name(told->other_kind, fault->other_kind);
    copy_name(told->type_name, fault->type_name);
    report->fault_count++; /* last: a crash in between leaves no half of a fault */
}

static void tell_violation(void *arg, aldis_violation violation, const char *text)
{
    aldis_trial_fail(arg, violation, "%s", text);
}

aldis_err aldis_trial_inject(aldis_trial *trial, aldis_system *system)
{
    struct aldis__ledger *ledger = aldis__ledger_create(tell_violation, trial);
    if (!ledger)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "inject");
    aldis_err err = aldis__ledger_inject(system, &trial->plan, ledger);
    if (err != ALDIS_OK) {
        aldis__ledger_destroy(ledger);
        return err;
    }
    return aldis_system_on_fault(system, tell_fault, trial);
}

aldis_err aldis_trial_check(aldis_trial *trial, aldis_system *system)
{
    aldis_err err = aldis__system_check_outside(system, "trial_check");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__ledger *ledger = aldis__ledger_of(system);
    if (ledger)
        aldis__ledger_close(ledger, system, trial->plan.heal_ns);
    aldis__system_unlock(system);
    return ledger ? ALDIS_OK
                  : aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                     "trial_check: the trial's faults are not in this system");
}

void aldis_trial_fail(aldis_trial *trial, aldis_violation violation, const char *format, ...)
{
    struct aldis__trial_report *report = trial->report;
    if (report->violation != ALDIS_VIOLATION_NONE)
        return;
    report->violation = violation;
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
}

/* ------------------------------------------------------------------ processes */

aldis_err aldis__job_init(struct aldis__job *job)
{
    *job = (struct aldis__job){.alive_fd = -1};
    void *memory = mmap(NULL, sizeof *job->report, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "explore");
    job->report = memory;
    return ALDIS_OK;
}

static void reap(struct aldis__job *job, int *out_status)
{
    while (waitpid(job->pid, out_status, 0) < 0 && errno == EINTR)
        ;
    close(job->alive_fd);
    job->alive_fd = -1;
    job->pid = 0;
}

void aldis__job_fini(struct aldis__job *job)
{
    int status;
    if (job->pid > 0) {
        kill(job->pid, SIGKILL);
        reap(job, &status);
    }
    if (job->report)
        munmap(job->report, sizeof *job->report);
    job->report = NULL;
}

static _Noreturn void be_trial(const struct aldis__job *job, aldis_trial_fn fn, void *arg,
                               const aldis_fault_plan *plan)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    aldis_trial trial = {.seed = job->seed, .plan = *plan, .report = job->report};
    if (trial.plan.seed == 0)
        trial.plan.seed = job->seed;
    fn(arg, &trial);
    job->report->done = true;
    _exit(0);
}

aldis_err aldis__job_start(struct aldis__job *job, const aldis_explore_opts *opts,
                           aldis_trial_fn fn, void *arg, uint64_t seed,
                           const aldis_fault_plan *plan)
{
    int ends[2];
    job->report->violation = ALDIS_VIOLATION_NONE;
    job->report->text[0] = '\0';
    job->report->fault_total = job->report->fault_count = 0;
    job->report->done = false;
    job->seed = seed;
    if (pipe(ends) != 0)
        return aldis__error_set(ALDIS_EAGAIN, aldis_nobody(), "", "explore: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]); /* the other end stays open as long as the process lives */
        be_trial(job, fn, arg, plan);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return aldis__error_set(ALDIS_EAGAIN, aldis_nobody(), "", "explore: %s", strerror(errno));
    }
    job->pid = pid;
    job->alive_fd = ends[0];
    job->deadline_ns = aldis__clock_monotonic_ns() + opts->timeout_ns;
    return ALDIS_OK;
}

/* The process is gone, or has had its time. */
static void finish(struct aldis__job *job, bool too_long)
{
    struct aldis__trial_report *report = job->report;
    int status = 0;
    if (too_long)
        kill(job->pid, SIGKILL);
    reap(job, &status);
    if (report->done || report->violation != ALDIS_VIOLATION_NONE)
        return;
    report->violation = too_long ? ALDIS_VIOLATION_HUNG : ALDIS_VIOLATION_CRASHED;
    if (too_long)
        snprintf(report->text, sizeof report->text, "the trial did not end in its time");
    else if (WIFSIGNALED(status))
        snprintf(report->text, sizeof report->text, "the trial ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(report->text, sizeof report->text, "the trial ended with exit status %d",
                 WEXITSTATUS(status));
}

struct aldis__job *aldis__jobs_wait(struct aldis__job *jobs, uint32_t count, int wait_ms)
{
    struct pollfd fds[64];
    aldis_ns now_ns = aldis__clock_monotonic_ns();
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = jobs[i].pid > 0 ? jobs[i].alive_fd : -1, .events = POLLIN};
        if (jobs[i].pid <= 0)
            continue;
        aldis_ns left_ms = (jobs[i].deadline_ns - now_ns) / ALDIS_MS + 1;
        if (left_ms < wait_ms)
            wait_ms = left_ms > 0 ? (int)left_ms : 0;
    }
    (void)poll(fds, count, wait_ms);
    now_ns = aldis__clock_monotonic_ns();
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].pid <= 0)
            continue;
        bool gone = fds[i].revents != 0, too_long = now_ns >= jobs[i].deadline_ns;
        if (gone || too_long) {
            finish(&jobs[i], !gone);
            return &jobs[i];
        }
    }
    return NULL;
}
