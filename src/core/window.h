// SPDX-License-Identifier: Apache-2.0
/* window.h: one shard's share of a window of virtual time. Layer: core. */
#ifndef ALDIS_CORE_WINDOW_H
#define ALDIS_CORE_WINDOW_H

#include "core/fault.h"
#include "core/pace.h"
#include "core/share.h"
#include "core/system.h"
#include "core/watch.h"

/* The engine of a system in virtual time. */
struct aldis__virtual {
    aldis_ns quantum_ns; /* width of a window: the lookahead */
    aldis_ns now_ns;     /* everything before it has run */
    uint64_t window;     /* the window that runs, or ran last */
    aldis_ns end_ns;     /* its end: effects on others come then */
    uint64_t windows;    /* run so far */
    uint64_t print;      /* digest chain over all windows */
    uint64_t sequence;   /* of what the engine itself sends at the end of a window */
    uint64_t underway;   /* messages under way when the window began */
    bool in_window;
    _Atomic(bool) halt;      /* asked for by a handler */
    _Atomic(bool) cancelled; /* messages of cancelled timers may lie in the calendars */
    struct aldis__watch watch;
    struct aldis__pace pace;
    struct aldis__faults faults;
    const aldis_input *given; /* an input that is put in again brings its own stamp */

    /* threads: see virtual.c */
    uint32_t thread_count;
    uint32_t *active; /* shards with work in this window */
    uint32_t active_count;
    struct aldis__share share;
    uint32_t *shared;             /* shards of the task: those of worker 0 first, then ... */
    uint32_t *all;                /* 0, 1, ... */
    uint32_t task;                /* what the threads are to do */
    struct aldis__window_op *ops; /* of all workers, to be sorted */
    size_t op_capacity;
    _Alignas(64) _Atomic(uint32_t) phase;   /* futex: a new task */
    _Alignas(64) _Atomic(uint32_t) arrived; /* futex: threads that are done */
    _Atomic(bool) quit;
};

/* For tests only, which set it before they make a system: what no user can choose, and what must
 * never show in a result. */
struct aldis__window_test {
    uint64_t share_min; /* a window with so many events is shared by the workers; 0: the usual */
    bool unsorted; /* messages run as they came: what their order costs is seen by leaving it out */
    /* Called by a worker before it runs, or merges, a shard; NULL: nothing is. */
    void (*stall)(uint32_t worker, uint32_t shard);
};
extern struct aldis__window_test aldis__window_test;

/** Run the messages of `shard` in the engine's window: in the order (receiver, time, microstep,
 *  lane, sender, sequence). */
void aldis__window_run(struct aldis__worker *worker, struct aldis__shard *shard);

/** The running actor has sent itself a message that comes within its window: it joins the actor's
 *  run. Takes msg. False: out of memory; the run ends with this window, msg stays the caller's. */
bool aldis__window_add_self(struct aldis__worker *worker, struct aldis__msg *msg);

/** Add what the running message says to the shard's digest of this window; called by the turn. */
void aldis__window_digest(struct aldis__worker *worker, struct aldis__shard *shard,
                          const struct aldis__cell *cell, struct aldis__msg *msg);

#endif
