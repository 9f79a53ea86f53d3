// SPDX-License-Identifier: Apache-2.0
/* fault.h: faults on purpose, in virtual time. Layer: public.
 *
 * A fault plan says what goes wrong in a run: messages between actors are lost, doubled or late,
 * links are cut one way for a time, actors pause, crash or begin again. The same plan, seed and
 * program give the same run on any number of workers.
 *
 *     static const aldis_fault_rule rules[] = {
 *         {.kind = ALDIS_FAULT_LOSS, .chance = 0.2, .to = "station"},
 *         {.kind = ALDIS_FAULT_CRASH, .every = 1000, .to = "station"},
 *     };
 *     aldis_system_inject(system, &(aldis_fault_plan){.rules = rules, .rule_count = 2,
 *                                                     .heal_ns = ALDIS_MINUTE});
 *
 * Faults are for what one actor sends to another. What an actor sends itself, timers, the runtime's
 * own notices and what comes from outside always arrive. A message that is lost counts as dropped
 * and its sender is not told; a copy counts as sent: the audit balances.
 *
 * A restart is what a supervisor does after a failure (supervise.h), but at once, and whatever the
 * actor's restart mode is: its state, timers and monitors are gone, on_stop and on_start run, its
 * mail and what it has sent are kept. Who had started before the plan was set only crashes. */
#ifndef ALDIS_FAULT_H
#define ALDIS_FAULT_H

#include <aldis/error.h>
#include <aldis/types.h>
#include <stdbool.h>

/** X(name, word): what can go wrong. */
#define ALDIS_FAULT_KINDS(X)                                                                       \
    X(LOSS, "loss")           /* a message never comes */                                          \
    X(DUPLICATE, "duplicate") /* it comes twice */                                                 \
    X(DELAY, "delay")         /* it comes later, and so perhaps after its successors */            \
    X(CUT, "cut")             /* all messages of one actor to one other are lost for a time */     \
    X(PAUSE, "pause")         /* an actor handles nothing for a time */                            \
    X(CRASH, "crash") /* a handler fails when it is done, as if by aldis_fail: see supervise.h */  \
    X(RESTART, "restart") /* a crash, and the actor begins again: see below */

typedef enum aldis_fault_kind {
#define ALDIS_FAULT_ENUM_(name, word) ALDIS_FAULT_##name,
    ALDIS_FAULT_KINDS(ALDIS_FAULT_ENUM_)
#undef ALDIS_FAULT_ENUM_
} aldis_fault_kind;
#define ALDIS_FAULT_KIND_COUNT 7

/** Does it befall an actor that has handled a message, and not a message that is sent? */
static inline bool aldis_fault_is_of_actor(aldis_fault_kind kind)
{
    return kind == ALDIS_FAULT_PAUSE || kind == ALDIS_FAULT_CRASH || kind == ALDIS_FAULT_RESTART;
}

#define ALDIS_FAULT_NAME_BYTES 64

/** One rule of a plan. Zeroes are the defaults. */
typedef struct aldis_fault_rule {
    aldis_fault_kind kind;
    /** 0 .. 1: of each message that is sent (loss, duplicate, delay) or was handled (pause, crash,
     *  restart); cut: of each link in each span of max_ns. */
    double chance;
    uint64_t every; /**< of messages handled: in place of chance, after each so-manieth message */
    /** delay, duplicate: how much later, uniform in min .. max; default max: 10 lookaheads. pause:
     *  how long, the same; default max: 100 lookaheads. cut: how long, max_ns; default 100
     *  lookaheads. */
    aldis_ns min_ns, max_ns;
    aldis_ns begin_ns, end_ns; /**< it acts from begin_ns on, before end_ns; default: no end */
    /** Names of behaviours; "": any. Of sender and receiver; where an actor pauses, crashes or
     *  begins again it is `to`. */
    char from[ALDIS_FAULT_NAME_BYTES], to[ALDIS_FAULT_NAME_BYTES];
    char type[ALDIS_FAULT_NAME_BYTES]; /**< a message type's name; "": any */
} aldis_fault_rule;

/** One single fault: what a rule has done, or what a plan is to do again. A cut shows as losses. */
typedef struct aldis_fault {
    aldis_fault_kind kind;
    aldis_id actor;  /**< the sender; or who pauses, crashes or begins again */
    aldis_id other;  /**< the receiver; or who had sent what was handled */
    uint64_t number; /**< the how-manieth of the actor's messages, sent or handled */
    aldis_ns ns;     /**< how much later; how long */
    /* for who reads it; ignored in a plan */
    aldis_ns at_ns;
    const char *actor_kind, *other_kind, *type_name; /**< static; "": not known */
} aldis_fault;

/** What is to go wrong in a run. */
typedef struct aldis_fault_plan {
    uint64_t seed;                 /**< of its draws; 0: the system's */
    aldis_ns heal_ns;              /**< from then on nothing goes wrong any more; 0: never */
    const aldis_fault_rule *rules; /**< 0 .. 64 of them */
    size_t rule_count;
    const aldis_fault *faults; /**< single ones, in any order; 0 .. 1,048,576 of them */
    size_t fault_count;
} aldis_fault_plan;

/** Called for each fault, on the worker that it happens on, one at a time. With one worker the
 *  calls come in the order of the run. No call on the system. `fault` is borrowed. */
typedef void (*aldis_fault_fn)(void *arg, const aldis_fault *fault);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Let the plan act from now on, in place of any before; NULL: nothing goes wrong any more. For a
 * run that can be repeated, call it before the run begins.
 *
 * Owner:  borrows plan; it is copied.
 * Thread: any but the system's own.          Blocks: until the window that runs has ended.
 * Errors: ALDIS_EINVAL naming rule, field and range; ALDIS_ESTATE a live system, or called from a
 *         handler; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_system_inject(aldis_system *system, const aldis_fault_plan *plan);

/** Be told of each fault of the plan that acts now. fn NULL: no more. Errors: ALDIS_EINVAL;
 *  ALDIS_ESTATE there is no plan, or as above. */
ALDIS_API aldis_err aldis_system_on_fault(aldis_system *system, aldis_fault_fn fn, void *arg);

/** How many faults of each kind the plan that acts now has caused; a cut is counted by the messages
 *  that it took. All 0 without a plan. Errors: as above. */
ALDIS_API aldis_err aldis_system_fault_counts(aldis_system *system,
                                              uint64_t out_counts[ALDIS_FAULT_KIND_COUNT]);

/** The plan of that name: "light" (1 % lost, 1 % doubled, 5 % late) or "heavy" (20 % lost, 20 %
 *  doubled, 30 % late, links cut, pauses, a crash and a restart for each 1000 messages handled).
 *  NULL: there is none. Owner: static. Thread: any. */
ALDIS_API const aldis_fault_plan *aldis_fault_plan_named(const char *name);

/** "loss", "duplicate", ... Static. Unknown values give "fault". */
ALDIS_API const char *aldis_fault_kind_name(aldis_fault_kind kind);

#ifdef __cplusplus
}
#endif

#endif
