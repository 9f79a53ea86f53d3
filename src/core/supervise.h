// SPDX-License-Identifier: Apache-2.0
/* supervise.h: failures, restarts, and what a supervisor decides. Layer: core.
 *
 * An actor that fails is marked (FAILING), and dealt with in its next turn, never inside a handler.
 * There its incarnation begins to end (FAILED): timers and monitors go, children are told to stop,
 * the parent is told (aldis.failed). The parent answers with an order to restart after a wait
 * (aldis.restart), or fails itself, which stops the child. When the children have ended, on_stop
 * has run, the order has come and the wait is over, in any order, the actor begins again: the same
 * cell, a zeroed state, on_start.
 *
 * Owner: the owner of the actor's home shard; all of it is plain memory. */
#ifndef ALDIS_CORE_SUPERVISE_H
#define ALDIS_CORE_SUPERVISE_H

#include "core/mailbox.h"

/* As a command: the wait before a restart is over. The deadline names which. */
#define ALDIS__CMD_BEGIN 100u

/* Of an actor that has a restart mode, or that a fault plan may restart. */
struct aldis__life {
    aldis_restart_opts opts;      /* defaults filled in */
    struct aldis__start_arg *arg; /* for on_start; NULL: none */
    struct aldis__msg *retry;     /* failed, and is to be handled again: see ALDIS__CELL_RETRY */
    uint32_t retry_tries;         /* how often it has failed */
    bool retrying;                /* it is being handled again */
    bool ordered;                 /* the order to restart has come */
    bool waiting;                 /* the wait has begun */
    bool due;                     /* the wait is over */
    bool forced;                  /* a fault plan restarts it, whatever its mode */
    uint32_t restarts;
    uint32_t streak; /* restarts in a row: see aldis_supervisor_opts.backoff_ns */
    uint32_t cycle;  /* failures so far: names one failure */
    aldis_ns wait_ns;
};

/* Of an actor whose children have failed: when they did, as many as the intensity. */
struct aldis__supervisor {
    uint32_t count, oldest;
    aldis_ns failed_ns[];
};

/* What the parent is told. */
struct aldis__failure {
    aldis_ns ran_ns; /* since its last start */
    aldis_err err;   /* ALDIS_OK: it has stopped itself */
    uint32_t streak;
    uint32_t cycle;
    uint32_t reserved;
};

/* What the parent orders. */
struct aldis__order {
    aldis_ns wait_ns;
    uint32_t streak;
    uint32_t cycle; /* which failure it answers; 0: none: the child is restarted with another */
};

/** Check options and fill in what is left out; `defaults` may be NULL. ALDIS_EINVAL. */
aldis_err aldis__restart_resolve(const aldis_restart_opts *opts, const aldis_restart_opts *defaults,
                                 aldis_restart_opts *out_opts);
aldis_err aldis__supervisor_resolve(const aldis_supervisor_opts *opts,
                                    aldis_supervisor_opts *out_opts);

/** Give a new actor what restarts need. False: out of memory. */
bool aldis__life_create(struct aldis__cell *cell, const aldis_restart_opts *opts);
/** Free it, with the supervisor's records; the retried message has been taken out. */
void aldis__life_free(struct aldis__shard *home, struct aldis__cell *cell);

static inline struct aldis__life *aldis__life_of(const struct aldis__cell *cell)
{
    return cell->ext ? cell->ext->life : NULL;
}

/** Does its failure end its incarnation? */
static inline bool aldis__is_supervised(const struct aldis__cell *cell)
{
    const struct aldis__life *life = aldis__life_of(cell);
    return life && (life->opts.mode != ALDIS_RESTART_DEFAULT || life->forced);
}

/** An actor has failed: mark it. What follows, follows in its next turn. */
void aldis__cell_fail(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__cell *cell, aldis_err err);

/** Does the failure of a handler take its message, to handle it again or make it a dead letter? Not
 *  if it is the runtime's own, or the notice of a monitor that went with the failed state. */
static inline bool aldis__failure_takes(const struct aldis__cell *cell,
                                        const struct aldis__msg *msg)
{
    return aldis__is_supervised(cell) && msg->type != ALDIS__TYPE_TRACK &&
           msg->type != ALDIS__TYPE_DOWN;
}

/** The handler of msg has failed, and the actor has a restart mode: msg is to be handled again, or
 *  a dead letter. Takes msg, which was counted as handled. */
void aldis__supervise_message(struct aldis__worker *worker, struct aldis__shard *shard,
                              struct aldis__cell *cell, struct aldis__msg *msg, aldis_err err);

/** The handler that runs now fails, and its actor, which has a life, is to begin again at once,
 *  without asking anybody. */
static inline void aldis__restart_force(struct aldis__cell *cell)
{
    cell->ext->life->forced = true;
}

/** In a turn: what is to be done for a FAILING or FAILED actor, or one with a message to handle
 *  again. */
void aldis__supervise_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell);

/** A supervisor's turn: its child has failed. */
void aldis__child_failed(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *parent, aldis_id child,
                         const struct aldis__failure *failure);
/** A child's turn: its parent orders a restart. */
void aldis__restart_ordered(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, const struct aldis__order *order);
/** The wait before a restart is over. */
void aldis__restart_due(struct aldis__cell *cell, uint32_t cycle);

/** A stop: does it make the actor begin again instead? It asked for that itself. */
bool aldis__stop_restarts(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__cell *cell, const struct aldis__command *command);

#endif
