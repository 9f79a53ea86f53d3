// SPDX-License-Identifier: Apache-2.0
/* explore.h: many runs with many seeds, in search of one that goes wrong. Layer: public.
 *
 * A trial is one run of a program in virtual time, made by a function of the user's. It makes a
 * system with the trial's seed, injects the trial's faults, runs it, and says what was wrong:
 *
 *     static void trial(void *arg, aldis_trial *trial)
 *     {
 *         aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1,
 *                                   .seed = aldis_trial_seed(trial)};
 *         ... make a system, spawn actors ...
 *         aldis_trial_inject(trial, system);
 *         aldis_system_run(system, ALDIS_HOUR, NULL);
 *         aldis_trial_check(trial, system);
 *         if (arrived < accepted)
 *             aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "%d arrived of %d", arrived, accepted);
 *     }
 *
 * Each trial runs in a process of its own, so one that crashes or hangs is a finding, too, and not
 * the end of the search. What was found is shrunk to the fewest faults that still make it fail, by
 * delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
 * IEEE TSE 2002). */
#ifndef ALDIS_EXPLORE_H
#define ALDIS_EXPLORE_H

#include <aldis/fault.h>

/** X(name, word): what a trial can find. */
#define ALDIS_VIOLATIONS(X)                                                                        \
    X(NONE, "nothing")                                                                             \
    X(LOST, "lost")             /* what was accepted never arrived */                              \
    X(DUPLICATE, "duplicate")   /* it took effect twice */                                         \
    X(ORDER, "order")           /* it took effect before what it should follow */                  \
    X(UNEXPECTED, "unexpected") /* something arrived that was never sent; an error; an audit */    \
    X(STUCK, "stuck")           /* the faults were over, and still it did not go on */             \
    X(CRASHED, "crashed")       /* the trial's process ended by a signal, or by exit */            \
    X(HUNG, "hung")             /* it took longer than a trial may */

typedef enum aldis_violation {
#define ALDIS_VIOLATION_ENUM_(name, word) ALDIS_VIOLATION_##name,
    ALDIS_VIOLATIONS(ALDIS_VIOLATION_ENUM_)
#undef ALDIS_VIOLATION_ENUM_
} aldis_violation;

/** One run of a search. */
typedef struct aldis_trial aldis_trial;

/** Make one run. In a process of its own, forked from the caller's; must not call exit(). */
typedef void (*aldis_trial_fn)(void *arg, aldis_trial *trial);

/** How to search. Zeroes are the defaults. */
typedef struct aldis_explore_opts {
    uint64_t first_seed, last_seed; /**< both included */
    const aldis_fault_plan *plan;   /**< borrowed; its seed is that of each trial unless it is set.
                                         NULL: the plan "light" */
    uint32_t jobs;                  /**< trials at once, 1 .. 64; default: the cores */
    aldis_ns timeout_ns;            /**< wall time of one trial; default 60 s */
    uint32_t shrink_trials;         /**< at most so many runs to shrink a finding; default 1000 */
    /** Called on the calling thread now and then; shrinking: a finding is being shrunk. False ends
     *  the search. May be NULL. */
    bool (*on_progress)(void *arg, uint64_t trials, bool shrinking);
    void *progress_arg;
} aldis_explore_opts;

/** What was found: of all seeds that fail, the lowest. */
typedef struct aldis_finding {
    aldis_violation violation; /**< ALDIS_VIOLATION_NONE: no trial failed */
    uint64_t seed;
    char text[512];         /**< what the trial said */
    uint64_t trials;        /**< seeds that were tried */
    aldis_fault *faults;    /**< the fewest that make it fail; their names are the finding's own */
    size_t fault_count;     /**< 0: it fails without any */
    uint64_t fault_total;   /**< that had happened in the trial */
    uint64_t shrink_trials; /**< runs that it took to shrink them */
    bool is_shrunk;         /**< leaving any one of them out makes it pass. Else: too many faults
                                 (100,000), or runs, or it does not fail each time */
    void *names;            /**< private */
} aldis_finding;

#ifdef __cplusplus
extern "C" {
#endif

/** The seed of this trial, for aldis_system_opts. */
ALDIS_API uint64_t aldis_trial_seed(const aldis_trial *trial);

/** Put this trial's faults into the system, and a witness, which fails the trial when it sees a
 *  reliable message (delivery.h) done twice, or out of its order, or confirmed without a handler;
 *  or a plain one handled after one that its sender had sent later, on the same lane, and that
 *  arrived no sooner. Call it once, before the system runs. Errors: as aldis_system_inject. */
ALDIS_API aldis_err aldis_trial_inject(aldis_trial *trial, aldis_system *system);

/** The run is over: let the witness look for reliable messages whose sender was never told of
 *  their end (lost), that were never sent (unexpected), or that are pending long after the faults
 *  were over (stuck). Before the system is destroyed. Errors: ALDIS_ESTATE it was not injected, or
 *  called from a handler; ALDIS_EINVAL. */
ALDIS_API aldis_err aldis_trial_check(aldis_trial *trial, aldis_system *system);

/** The plan of this trial, to look at. Owner: borrowed for the trial. */
ALDIS_API const aldis_fault_plan *aldis_trial_plan(const aldis_trial *trial);

/** Say what was wrong; the first one stays. printf-like. */
ALDIS_API void aldis_trial_fail(aldis_trial *trial, aldis_violation violation, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));

/**
 * Run trials until one fails or all seeds are through, and shrink what was found.
 *
 * fn, arg: see aldis_trial_fn; arg may point anywhere, each trial has a copy of all memory.
 * Owner:   gives *out_finding on ALDIS_OK: end it with aldis_finding_fini.
 * Thread:  a process with one thread: it forks.          Blocks: for the whole search.
 * Errors:  ALDIS_EINVAL naming the option; ALDIS_EAGAIN no process could be made; ALDIS_ENOMEM;
 *          ALDIS_ETIMEDOUT on_progress ended it (*out_finding holds what there is).
 */
ALDIS_API aldis_err aldis_explore(const aldis_explore_opts *opts, aldis_trial_fn fn, void *arg,
                                  aldis_finding *out_finding);

/** Free it. NULL is ignored. */
ALDIS_API void aldis_finding_fini(aldis_finding *finding);

/** "lost", "duplicate", ... Static. */
ALDIS_API const char *aldis_violation_name(aldis_violation violation);

#ifdef __cplusplus
}
#endif

#endif
