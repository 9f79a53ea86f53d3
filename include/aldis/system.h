// SPDX-License-Identifier: Apache-2.0
/* system.h: one runtime: its options, its life, its clock. Layer: public.
 *
 * A process may have several systems. After fork, every call on a system in the child fails with
 * ALDIS_ESTATE. The library installs no signal handlers; its threads block all signals. */
#ifndef ALDIS_SYSTEM_H
#define ALDIS_SYSTEM_H

#include <aldis/error.h>
#include <aldis/pressure.h>
#include <aldis/supervise.h>
#include <aldis/types.h>

typedef enum aldis_clock {
    ALDIS_CLOCK_LIVE = 0, /**< wall clock; messages go as soon as they can */
    ALDIS_CLOCK_VIRTUAL   /**< discrete-event time; the same run for the same seed */
} aldis_clock;

/** A message that was accepted and then not handled. */
typedef struct aldis_dead_letter {
    const char *type_name; /**< static */
    aldis_id from, to;
    aldis_err reason;
    const void *payload; /**< borrowed for the call */
    size_t size;
    aldis_ns at_ns;  /**< when it died, by the system's clock */
    uint64_t number; /**< of those that are kept (see dead_letter.h): 1, 2, ...; in the hook: 0 */
    bool again;      /**< it had been a dead letter before, and was sent again */
    bool partial;    /**< its payload was too large to be kept, and is missing */
} aldis_dead_letter;

/* clang-format off */
/** How a system is made. Zeroes are the defaults. */
typedef struct aldis_system_opts {
    aldis_clock clock;
    uint64_t seed;              /**< of all random numbers; default 0 */
    uint32_t workers;           /**< threads, 1 .. 255; default: the cores; in no result */
    uint32_t shards;            /**< 1 .. 4094; default 64; configuration, like the seed */
    uint32_t actors_max;        /**< slots a shard: 1 .. 2^24; default 2^28 shared out over them */
    uint32_t node;              /**< 1 .. 255: this system in its ids; 0: the lowest free number */
    aldis_mailbox_opts mailbox; /**< of all mailboxes; default 1024 messages, 1 MiB, ALDIS_WAIT */
    uint32_t overflow_msgs;     /**< a parked sender's own overflow; default 65,536 */
    uint64_t overflow_bytes;    /**< the same in bytes; default 64 MiB */
    uint32_t inflight_msgs;     /**< live: published to a shard, not yet taken; default 16,384 */
    uint64_t underway_msgs;     /**< virtual: on their way in the whole system; default 2^26 */
    uint32_t underway_per_sender; /**< virtual: sent by one actor in one window; default 65,536 */

    /** A budget in bytes for message blocks, actors and their states: 4 MiB or more; default none.
     *  When what messages take comes near it, no mailbox and no overflow may hold more than what is
     *  still free: one that does is full, and its policy says what that means. A sixteenth is kept
     *  for the runtime's own messages; beyond the rest a send or a spawn is ALDIS_ENOMEM.
     *  Virtual time: the same is refused on any number of workers, so it is not what pools hold
     *  that counts, but what is in use: as of the start of a window, and in it what the actors of
     *  each shard send. Pools may hold more, in blocks of sizes that were used before; beyond twice
     *  the budget the run ends with ALDIS_ENOMEM. Where little is free, one worker runs a window.
     *  Not counted: blobs, which are the program's own, and what the library itself keeps (lists,
     *  timers, queues of events); leave room for that. */
    uint64_t memory_max;

    uint32_t asks_max; /**< answers that one actor waits for, 1 .. 2^20; default 100,000 */

    /* virtual time */
    aldis_ns lookahead_ns;      /**< no message reaches another actor sooner; default 1 ms */
    aldis_ns default_delay_ns;  /**< of a send without one; default the lookahead */
    bool raise_short_delays;    /**< raise delays below the lookahead instead of refusing them */
    bool zero_delay;            /**< allow zero delay to others: windows are single instants */
    uint32_t microsteps_max;    /**< rounds at one instant before ALDIS_ELOOP; default 10,000 */

    uint32_t offload_threads;   /**< most threads for aldis_offload; default 4 */
    uint32_t offload_queue;     /**< jobs waiting for one; default 1024 */

    uint32_t dead_letters_max;  /**< kept for reading, 1 .. 2^24; default 1024: see dead_letter.h */
    uint64_t dead_letter_bytes; /**< of their payloads; default 1 MiB */

    aldis_budget_opts budget; /**< of handlers whose behaviour has none: see supervise.h */

    aldis_cycle_policy cycle_policy; /**< of actors that wait for each other: see pressure.h */
    /** Called for each such cycle, on a worker, before it is broken; must not block, nor call
     *  Aldis. NULL: it is logged (ALDIS_LOG_WARN) and counted. */
    void (*on_cycle)(void *arg, const aldis_cycle *cycle);
    void *on_cycle_arg;

    /** Called for each dead letter, on the worker that found it; must not block. NULL: counted. */
    void (*on_dead_letter)(void *arg, const aldis_dead_letter *letter);
    void *on_dead_letter_arg;
} aldis_system_opts;
/* clang-format on */

/** Why aldis_system_run came back. */
typedef enum aldis_run_end {
    ALDIS_RUN_UNTIL = 0, /**< the time was reached */
    ALDIS_RUN_IDLE,      /**< nothing is left to happen: no mail under way, no timer armed */
    ALDIS_RUN_HALTED,    /**< aldis_halt or aldis_system_halt was called */
    ALDIS_RUN_LOOP,      /**< zero-delay messages went round; aldis_error_last names an actor */
    ALDIS_RUN_LAG        /**< a paced run fell too far behind: see aldis_system_pace in window.h */
} aldis_run_end;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Make a system. In live mode its workers start at once (threads aldis-w0, aldis-w1, ...); in
 * virtual mode nothing happens before aldis_system_run.
 *
 * opts:   borrowed; NULL: all defaults.
 * Owner:  gives *out_system: end it with aldis_system_destroy.
 * Thread: any.
 * Errors: ALDIS_EINVAL, naming the option, its value and its range; ALDIS_ENOMEM; ALDIS_EAGAIN no
 *         thread could be made; ALDIS_EEXISTS the node number is taken in this process.
 */
ALDIS_API aldis_err aldis_system_create(const aldis_system_opts *opts, aldis_system **out_system);

/**
 * End a system: what still waits is counted as dead letters (reason ALDIS_ESHUTDOWN), on_stop does
 * not run (stop the actors first for that), the threads are joined and the memory is freed.
 *
 * Owner:  takes system. NULL is ignored.
 * Thread: any but the system's own.          Blocks: until the workers finish their handlers.
 */
ALDIS_API void aldis_system_destroy(aldis_system *system);

/**
 * Let the system run until its clock shows until_ns, or nothing is left to do, or it is halted.
 * Virtual: runs the windows on this thread and on the workers. Live: waits. May be called again.
 *
 * until_ns: 0 or more; ALDIS_FOREVER: no limit.
 * out_end:  may be NULL.
 * Thread:   any but the system's own, one at a time.          Blocks: yes.
 * Errors:   ALDIS_EINVAL; ALDIS_ESTATE stopped, or in use by another thread; ALDIS_ELOOP (with
 *           ALDIS_RUN_LOOP); ALDIS_EDEADLOCK (with ALDIS_RUN_HALTED) actors wait for
 *           each other, and cycle_policy is to halt; ALDIS_ENOMEM a message could not be ordered
 *           for lack of memory.
 */
ALDIS_API aldis_err aldis_system_run(aldis_system *system, aldis_ns until_ns,
                                     aldis_run_end *out_end);

/** Make aldis_system_run return (virtual: after the current window). Thread: any, also from a
 *  signal handler: it is async-signal-safe. */
ALDIS_API void aldis_system_halt(aldis_system *system);
/** The same from a handler. In virtual time the run ends with the current window, on any number of
 *  workers. */
ALDIS_API void aldis_halt(aldis_ctx *ctx);

/**
 * Stop every actor (roots first told, children ended first), and from then on refuse new work with
 * ALDIS_ESTATE.
 *
 * timeout_ns: wall time; what has not ended by then is killed.
 * Thread: any but the system's own.          Blocks: until all have ended.
 * Errors: ALDIS_ESTATE stopped already; ALDIS_ETIMEDOUT some actors had to be killed.
 */
ALDIS_API aldis_err aldis_system_stop(aldis_system *system, aldis_ns timeout_ns);

/** The system's time: live, since it was made; virtual, the end of what has run. Thread: any. */
ALDIS_API aldis_ns aldis_system_now(const aldis_system *system);

/** How many workers and shards it has. Thread: any. */
ALDIS_API uint32_t aldis_system_workers(const aldis_system *system);
ALDIS_API uint32_t aldis_system_shards(const aldis_system *system);

/** The run print: a digest of everything that was handled so far, equal for equal runs. 0 in live
 *  mode. Between runs only. Thread: any but the system's own. */
ALDIS_API uint64_t aldis_system_run_print(const aldis_system *system);

/** Virtual time: windows run so far. */
ALDIS_API uint64_t aldis_system_windows(const aldis_system *system);

#ifdef __cplusplus
}
#endif
#endif
