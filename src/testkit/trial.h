// SPDX-License-Identifier: Apache-2.0
/* trial.h: trials in processes of their own. Layer: testkit. Threads: one, the explorer's. */
#ifndef ALDIS_TESTKIT_TRIAL_H
#define ALDIS_TESTKIT_TRIAL_H

#include <aldis/explore.h>
#include <stdatomic.h>
#include <sys/types.h>

enum { ALDIS__TRIAL_FAULTS_MAX = 100000, ALDIS__TRIAL_NAME = 40, ALDIS__RULES_MAX = 64 };

/* A fault as it is told to the parent: names that the child has made are gone with it. */
struct aldis__told_fault {
    aldis_fault fault;
    char actor_kind[ALDIS__TRIAL_NAME], other_kind[ALDIS__TRIAL_NAME];
    char type_name[ALDIS__TRIAL_NAME];
};

/* What a trial writes, in memory that it shares with the explorer: so it is there also when the
 * trial has crashed. Written by one thread at a time; read when the process is gone. */
struct aldis__trial_report {
    aldis_violation violation;
    char text[512];
    uint64_t fault_total;
    uint32_t fault_count; /* in faults: the first ones */
    bool done;            /* the trial's function has returned */
    struct aldis__told_fault faults[ALDIS__TRIAL_FAULTS_MAX];
};

struct aldis_trial {
    uint64_t seed;
    aldis_fault_plan plan;
    struct aldis__trial_report *report;
};

/* One process, or none (pid 0). */
struct aldis__job {
    pid_t pid;
    int alive_fd; /* reads an end of file when the process is gone */
    aldis_ns deadline_ns;
    uint64_t seed;
    struct aldis__trial_report *report;
};

/** Its memory. ALDIS_ENOMEM. */
aldis_err aldis__job_init(struct aldis__job *job);
/** Ends a process that still runs. */
void aldis__job_fini(struct aldis__job *job);

/** Begin a trial. ALDIS_EAGAIN. */
aldis_err aldis__job_start(struct aldis__job *job, const aldis_explore_opts *opts,
                           aldis_trial_fn fn, void *arg, uint64_t seed,
                           const aldis_fault_plan *plan);

/** Wait until one of the jobs is done, or has taken too long and was ended; at most `wait_ms`. Then
 *  its report is complete and its pid 0. NULL: none is yet. */
struct aldis__job *aldis__jobs_wait(struct aldis__job *jobs, uint32_t count, int wait_ms);

#endif
