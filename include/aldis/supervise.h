// SPDX-License-Identifier: Apache-2.0
/* supervise.h: what becomes of an actor that fails, and who is told when one ends. Layer: public.
 *
 * An actor fails when a handler of it returns an error, calls aldis_fail or breaks a contract
 * (ALDIS_REQUIRE), when a handler runs over a time budget that makes it a failure, when a linked
 * actor fails, or when it gives up on its children. Without options an error of a handler is
 * counted and logged, and the actor goes on. With them its parent restarts it, in place:
 *
 *     ALDIS_BEHAVIOUR(pump, struct pump, PUMP_PROTOCOL, .on_start = pump_start,
 *                     .restart = {.mode = ALDIS_RESTART_ON_FAILURE});
 *
 * A restarted actor keeps its id, names, subscriptions, links and those who monitor it, and its
 * waiting mail, in order. It loses its state, its timers, its own monitors and its children, which
 * are stopped first. on_stop runs on the failed state (to free what it holds); then the state is
 * zeroed and on_start runs with the argument of the spawn. What it had asked is forgotten; whom it
 * owed an answer is told that it failed; its stash is mail again. An actor without a parent is its
 * own supervisor, with the default options. This contains errors; a wild pointer or an endless loop
 * cannot be contained inside one process, and is not. */
#ifndef ALDIS_SUPERVISE_H
#define ALDIS_SUPERVISE_H

#include <aldis/message.h>

/** When an actor is restarted. A stop, drain or kill that comes from anybody else is final in all
 *  modes, and so is a failure while the actor drains or in its first on_start. */
typedef enum aldis_restart_mode {
    ALDIS_RESTART_DEFAULT = 0, /**< as the behaviour says; it too: a failure is counted and logged,
                                    and the actor goes on */
    ALDIS_RESTART_NEVER,       /**< a failure ends it */
    ALDIS_RESTART_ON_FAILURE,
    ALDIS_RESTART_ALWAYS, /**< also when it stops itself */
    ALDIS_RESTART_NONE    /**< at a spawn, whatever the behaviour says: a failure is counted and
                               logged, and the actor goes on */
} aldis_restart_mode;

/** How one actor is restarted: in its behaviour, or at its spawn (if mode is set there). */
typedef struct aldis_restart_opts {
    aldis_restart_mode mode;
    /** The message whose handling failed so often is a dead letter (ALDIS_EHANDLER); before that it
     *  is handled again, first, after the restart. 1 .. 1000; 0 means 1: it is never repeated. */
    uint32_t poison_tries;
    bool discard_mail; /**< the mail that waits is dropped, and counted, instead of kept */
} aldis_restart_opts;

/** Whom a supervisor restarts when one of its children fails. Children without a restart mode are
 *  left alone; those with ALDIS_RESTART_NEVER are stopped. */
typedef enum aldis_strategy {
    ALDIS_ONE_FOR_ONE = 0, /**< the one that failed */
    ALDIS_ONE_FOR_ALL,     /**< all children */
    ALDIS_REST_FOR_ONE     /**< it, and those that were spawned after it */
} aldis_strategy;

/** How an actor supervises its children: in its behaviour. Zeroes are the defaults. */
typedef struct aldis_supervisor_opts {
    aldis_strategy strategy;
    /** More failures of children than this within period_ns are too many: the supervisor fails
     *  itself (ALDIS_ERESTARTS), its children end, and its own parent decides. Without a restart
     *  mode of its own it ends. 1 .. 1000; default 5. */
    uint32_t intensity;
    aldis_ns period_ns; /**< default 10 s */
    /** The wait before a restart: doubled for each restart of that child in a row (one that ran for
     *  period_ns begins a new row), at most backoff_max_ns, less a random part of up to a half.
     *  Default 10 ms; ALDIS_NO_DELAY: none. */
    aldis_ns backoff_ns;
    aldis_ns backoff_max_ns; /**< default 1 s, or backoff_ns if that is longer */
} aldis_supervisor_opts;

/** How long a handler may run, in wall time. It is watched from outside every quarter of that, so
 *  one that is a quarter over may go unnoticed; none is blamed that was within. A handler over its
 *  budget is named in the log, with its message type, while it runs, and counted. */
typedef struct aldis_budget_opts {
    aldis_ns handler_ns; /**< 1 ms or more; 0: none (in a behaviour: the system's) */
    bool is_failure;     /**< live mode: it fails (ALDIS_EBUDGET) when it ends. In virtual time wall
                              time decides nothing: it is only reported */
} aldis_budget_opts;

/** One monitor of the actor that asked for it. Zero: none. */
typedef struct aldis_monitor_ref {
    uint64_t bits;
} aldis_monitor_ref;

/** Told to a watcher, once, when the watched actor has ended. A kind that monitors, or traps
 *  links, lists `aldis_down` in its protocol. It overtakes ordinary mail and is never refused. */
typedef struct aldis_down {
    aldis_id actor;
    aldis_monitor_ref ref;   /**< zero: of a link */
    aldis_end_reason reason; /**< ALDIS_ENDED_BEFORE: it was not there (any more) to be watched */
    aldis_err err;           /**< why it failed; ALDIS_ENOMEM: it could not be watched; else
                                  ALDIS_OK */
    char kind[40];           /**< name of its behaviour, cut to 39 bytes; "" if unknown */
} aldis_down;
ALDIS_MESSAGE(aldis_down, aldis_down);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Be told once, by an aldis_down message, when an actor ends; at once if it has ended already or
 * never was. A restart is no end. The monitor belongs to the caller as it is now: it goes when the
 * caller ends or is restarted.
 *
 * Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL a foreign context, nobody, itself, or an id of another system;
 *         ALDIS_EUNACCEPTED the caller's protocol does not list aldis_down; ALDIS_EAGAIN it has
 *         1,048,576 monitors; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_monitor(aldis_ctx *ctx, aldis_id actor, aldis_monitor_ref *out_ref);

/** End a monitor: its notice never comes any more, also if it was under way. Errors:
 *  ALDIS_ENOTFOUND it has told already, or was never this actor's. */
ALDIS_API aldis_err aldis_demonitor(aldis_ctx *ctx, aldis_monitor_ref ref);

/**
 * Tie the lives of the caller and another actor together (what Erlang calls a link; the links of
 * link.h are something else): when one of them fails or is killed, the other fails
 * too (ALDIS_ELINKED; its restart mode applies, without one it ends); when one stops, the other
 * stops. Twice is once. An actor that is not there (any more) counts as one that has just failed.
 *
 * Errors: ALDIS_EINVAL a foreign context, nobody, itself, or an id of another system; ALDIS_EAGAIN
 *         it has 4096 links; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_life_link(aldis_ctx *ctx, aldis_id actor);
/** Untie them. Errors: ALDIS_ENOTFOUND they are not linked. */
ALDIS_API aldis_err aldis_life_unlink(aldis_ctx *ctx, aldis_id actor);
/** From now on the end of a linked actor comes to the caller as an aldis_down message instead of
 *  ending it; until it is switched off or the caller is restarted. Errors: ALDIS_EUNACCEPTED. */
ALDIS_API aldis_err aldis_life_trap(aldis_ctx *ctx, bool on);

/** What ALDIS_REQUIRE returns: ALDIS_ECONTRACT, the text kept for the log. */
ALDIS_API aldis_err aldis_broken_contract(aldis_ctx *ctx, const char *text);

#ifdef __cplusplus
}
#else
#define ALDIS_TEXT2_(x) #x
#define ALDIS_TEXT_(x) ALDIS_TEXT2_(x)
/** In a handler: what must hold here. If it does not, the handler fails with ALDIS_ECONTRACT, and
 *  the log names condition and place. */
#define ALDIS_REQUIRE(ctx, condition)                                                              \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return aldis_broken_contract((ctx),                                                    \
                                         __FILE__ ":" ALDIS_TEXT_(__LINE__) ": " #condition);      \
    } while (0)
#endif

#endif
