// SPDX-License-Identifier: Apache-2.0
/* supervise.c: see supervise.h. Layer: core. */
#include "core/supervise.h"

#include "base/error.h"
#include "base/log.h"
#include "core/backpressure.h"
#include "core/deliver.h"
#include "core/durable.h"
#include "core/lifecycle.h"
#include "core/monitor.h"
#include "core/part.h"
#include "core/stash.h"
#include "core/timer.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 1000, INTENSITY_DEFAULT = 5, INTENSITY_MAX = 1000 };

/* ------------------------------------------------------------------ options */

static aldis_err refuse(const char *field, long long found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s is %lld; allowed: %s", field,
                            found, allowed);
}

aldis_err aldis__restart_resolve(const aldis_restart_opts *opts, const aldis_restart_opts *defaults,
                                 aldis_restart_opts *out_opts)
{
    if (opts->mode == ALDIS_RESTART_DEFAULT && defaults)
        opts = defaults;
    if ((unsigned)opts->mode > ALDIS_RESTART_NONE)
        return refuse("restart.mode", (long long)opts->mode, "0 to 4");
    if (opts->poison_tries > TRIES_MAX)
        return refuse("restart.poison_tries", opts->poison_tries, "1 to 1000, or 0 for 1");
    *out_opts = *opts;
    if (opts->mode == ALDIS_RESTART_NONE) /* by now it is the same */
        out_opts->mode = ALDIS_RESTART_DEFAULT;
    if (!out_opts->poison_tries)
        out_opts->poison_tries = 1;
    return ALDIS_OK;
}

aldis_err aldis__supervisor_resolve(const aldis_supervisor_opts *opts,
                                    aldis_supervisor_opts *out_opts)
{
    if ((unsigned)opts->strategy > ALDIS_REST_FOR_ONE)
        return refuse("supervisor.strategy", (long long)opts->strategy, "0 to 2");
    if (opts->intensity > INTENSITY_MAX)
        return refuse("supervisor.intensity", opts->intensity, "1 to 1000, or 0 for 5");
    if (opts->period_ns < 0)
        return refuse("supervisor.period_ns", opts->period_ns, "1 or more, or 0 for 10 s");
    if (opts->backoff_ns < ALDIS_NO_DELAY)
        return refuse("supervisor.backoff_ns", opts->backoff_ns,
                      "1 or more, 0 for 10 ms, or ALDIS_NO_DELAY");
    if (opts->backoff_max_ns < 0)
        return refuse("supervisor.backoff_max_ns", opts->backoff_max_ns, "1 or more, or 0 for 1 s");
    aldis_supervisor_opts filled = *opts;
    if (!filled.intensity)
        filled.intensity = INTENSITY_DEFAULT;
    if (!filled.period_ns)
        filled.period_ns = 10 * ALDIS_SECOND;
    if (filled.backoff_ns == 0)
        filled.backoff_ns = 10 * ALDIS_MS;
    else if (filled.backoff_ns == ALDIS_NO_DELAY)
        filled.backoff_ns = 0;
    if (!filled.backoff_max_ns)
        filled.backoff_max_ns = ALDIS_SECOND;
    if (filled.backoff_max_ns < filled.backoff_ns)
        filled.backoff_max_ns = filled.backoff_ns;
    *out_opts = filled;
    return ALDIS_OK;
}

bool aldis__life_create(struct aldis__cell *cell, const aldis_restart_opts *opts)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    struct aldis__life *life = ext ? calloc(1, sizeof *life) : NULL;
    if (!life)
        return false;
    life->opts = *opts;
    ext->life = life;
    return true;
}

void aldis__life_free(struct aldis__shard *home, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (ext->life)
        aldis__start_arg_free(home, aldis__id_birth(cell->id), ext->life->arg);
    free(ext->life);
    free(ext->supervisor);
    ext->life = NULL;
    ext->supervisor = NULL;
}

/* ------------------------------------------------------------------ the failure */

void aldis__cell_fail(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__cell *cell, aldis_err err)
{
    if (cell->flags & (ALDIS__CELL_FAILED | ALDIS__CELL_STOPPING | ALDIS__CELL_ENDED))
        return;
    if (!(cell->flags & ALDIS__CELL_FAILING) && aldis__cell_extend(cell))
        cell->ext->end_err = err;
    cell->flags |= ALDIS__CELL_FAILING;
    aldis__cell_schedule(worker, shard, cell);
}

void aldis__supervise_message(struct aldis__worker *worker, struct aldis__shard *shard,
                              struct aldis__cell *cell, struct aldis__msg *msg, aldis_err err)
{
    struct aldis__life *life = cell->ext->life;
    uint32_t tries = life->retrying ? life->retry_tries + 1 : 1;
    bool again = tries < life->opts.poison_tries && life->opts.mode != ALDIS_RESTART_NEVER &&
                 !(cell->flags & ALDIS__CELL_DRAINING);
    worker->counts[msg->type].handled--; /* by this worker, just now */
    cell->ext->settled++;
    if (again) {
        /* Its timer has fired for good: the message is one like any other from now on. */
        msg->flags &= (uint8_t)~ALDIS__MSG_TIMER;
        msg->next = NULL;
        life->retry = msg;
        life->retry_tries = tries;
        cell->flags |= ALDIS__CELL_RETRY;
    } else {
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_EHANDLER);
    }
    aldis__cell_fail(worker, shard, cell, err);
}

/* The incarnation begins to end: what belongs to it alone goes. */
static void begin_to_end(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__life *life = cell->ext->life;
    cell->flags |= ALDIS__CELL_FAILED;
    life->ordered = life->waiting = life->due = false;
    aldis__timers_cancel_all(worker, cell);
    aldis__monitors_cancel_all(worker, cell);
    aldis__parts_restart(worker, cell);
    aldis__children_tell(worker, cell, ALDIS_CMD_STOP);
}

/* ------------------------------------------------------------------ the decision */

/* Note the failure of a child at a supervisor. False: there were too many. */
static bool admit_failure(struct aldis__worker *worker, struct aldis__cell *cell,
                          const aldis_supervisor_opts *opts)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (ext && !ext->supervisor)
        ext->supervisor = calloc(1, sizeof *ext->supervisor + opts->intensity * sizeof(aldis_ns));
    struct aldis__supervisor *seen = ext ? ext->supervisor : NULL;
    if (!seen)
        return false; /* without memory to count them it does not let them go on for ever */
    aldis_ns now_ns = worker->ctx.now_ns;
    if (seen->count < opts->intensity) {
        seen->failed_ns[seen->count++] = now_ns;
        return true;
    }
    if (now_ns - seen->failed_ns[seen->oldest] <= opts->period_ns)
        return false;
    seen->failed_ns[seen->oldest] = now_ns;
    seen->oldest = (seen->oldest + 1) % opts->intensity;
    return true;
}

/* The wait before a restart: exponential, with "equal jitter" (M. Brooker, "Exponential Backoff And
 * Jitter", 2015): half of it is certain, half drawn, here from the supervisor's own stream. */
static aldis_ns draw_wait(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__cell *cell, const aldis_supervisor_opts *opts,
                          uint32_t streak)
{
    aldis_ns wait_ns = opts->backoff_ns;
    for (uint32_t i = 0; i < streak && wait_ns < opts->backoff_max_ns; i++)
        wait_ns = wait_ns > opts->backoff_max_ns / 2 ? opts->backoff_max_ns : 2 * wait_ns;
    if (wait_ns < 2)
        return wait_ns;
    aldis__ctx_enter(worker, shard, cell);
    wait_ns -= (aldis_ns)aldis_random_below(&worker->ctx, (uint64_t)wait_ns / 2 + 1);
    aldis__ctx_leave(worker);
    return wait_ns;
}

/* What a supervisor orders after a failure. False: it gives up. */
static bool decide(struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__cell *supervisor, const aldis_supervisor_opts *opts,
                   const struct aldis__failure *failure, struct aldis__order *out_order)
{
    if (!admit_failure(worker, supervisor, opts))
        return false;
    uint32_t streak = failure->ran_ns >= opts->period_ns ? 0 : failure->streak;
    out_order->wait_ns = draw_wait(worker, shard, supervisor, opts, streak);
    out_order->streak = streak < UINT32_MAX ? streak + 1 : streak;
    out_order->cycle = failure->cycle;
    return true;
}

static void log_order(aldis_id child, const struct aldis__failure *failure,
                      const struct aldis__order *order)
{
    aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s) restarts in %lld us, restart %u in a row",
               (unsigned long long)child.bits, aldis_error_text(failure->err),
               (long long)(order->wait_ns / ALDIS_US), order->streak);
}

static void log_giving_up(aldis_id supervisor, aldis_id child, const aldis_supervisor_opts *opts)
{
    aldis__log(ALDIS_LOG_ERROR,
               "actor %016llx gives up on %016llx: more than %u failures within %lld ms",
               (unsigned long long)supervisor.bits, (unsigned long long)child.bits, opts->intensity,
               (long long)(opts->period_ns / ALDIS_MS));
}

/* The children that are restarted with the one that failed. */
static void order_others(struct aldis__worker *worker, struct aldis__cell *parent, aldis_id failed,
                         aldis_strategy strategy, aldis_ns wait_ns)
{
    const struct aldis__order order = {wait_ns, 0, 0};
    const struct aldis__cell_ext *ext = parent->ext;
    uint32_t after = 0; /* birth of the one that failed; unknown so far: the last */
    if (strategy == ALDIS_REST_FOR_ONE)
        after = aldis__child_birth(parent, failed);
    for (uint32_t i = 0; i < ext->child_end; i++) {
        aldis_id child = ext->children[i];
        if (!aldis__child_is_listed(child) || aldis_id_equal(child, failed) ||
            (strategy == ALDIS_REST_FOR_ONE && ext->child_births[i] < after))
            continue;
        aldis__post_runtime(worker, parent->id, child, ALDIS__TYPE_RESTART, &order, sizeof order);
    }
}

void aldis__child_failed(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *parent, aldis_id child,
                         const struct aldis__failure *failure)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED | ALDIS__CELL_FAILING;
    const aldis_supervisor_opts *opts = &parent->kind->supervisor;
    struct aldis__order order;
    if (parent->flags & ending)
        return; /* the child is told to stop, or has been */
    if (!decide(worker, shard, parent, opts, failure, &order)) {
        log_giving_up(parent->id, child, opts);
        aldis__cell_fail(worker, shard, parent, ALDIS_ERESTARTS);
        return;
    }
    log_order(child, failure, &order);
    aldis__post_runtime(worker, parent->id, child, ALDIS__TYPE_RESTART, &order, sizeof order);
    if (opts->strategy != ALDIS_ONE_FOR_ONE && parent->ext->child_count > 0)
        order_others(worker, parent, child, opts->strategy, order.wait_ns);
}

void aldis__restart_ordered(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, const struct aldis__order *order)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING | ALDIS__CELL_FAILING;
    struct aldis__life *life = aldis__life_of(cell);
    if (!life || life->opts.mode == ALDIS_RESTART_DEFAULT || (cell->flags & ending))
        return; /* it is left alone, or ends, or will be told of its own failure */
    if (life->opts.mode == ALDIS_RESTART_NEVER) {
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_STOPPED);
        return;
    }
    if (!(cell->flags & ALDIS__CELL_FAILED)) {
        if (order->cycle != 0)
            return; /* of a failure that is over: it was restarted with another meanwhile */
        life->cycle++;
        begin_to_end(worker, cell);
    }
    if (life->ordered || (order->cycle != 0 && order->cycle != life->cycle))
        return;
    life->ordered = true;
    life->wait_ns = order->wait_ns;
    if (order->cycle != 0)
        life->streak = order->streak;
}

void aldis__restart_due(struct aldis__cell *cell, uint32_t cycle)
{
    struct aldis__life *life = aldis__life_of(cell);
    if (life && life->waiting && life->cycle == cycle)
        life->due = true;
}

bool aldis__stop_restarts(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__cell *cell, const struct aldis__command *command)
{
    const struct aldis__life *life = aldis__life_of(cell);
    if (!command->by_self || !life || life->opts.mode != ALDIS_RESTART_ALWAYS ||
        (cell->flags & (ALDIS__CELL_DRAINING | ALDIS__CELL_STOPPING)))
        return false;
    aldis__cell_fail(worker, shard, cell, ALDIS_OK);
    return true;
}

/* ------------------------------------------------------------------ the actor's own turn */

/* The parent decides; without one, the actor for itself. */
static void report(struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__cell *cell)
{
    static const aldis_supervisor_opts defaults;
    struct aldis__life *life = cell->ext->life;
    const struct aldis__failure failure = {worker->ctx.now_ns - cell->started_ns,
                                           cell->ext->end_err, life->streak, life->cycle, 0};
    if (!aldis_id_is_nobody(cell->parent)) {
        aldis__post_runtime(worker, cell->id, cell->parent, ALDIS__TYPE_FAILED, &failure,
                            sizeof failure);
        return;
    }
    aldis_supervisor_opts opts = defaults;
    struct aldis__order order;
    (void)aldis__supervisor_resolve(&defaults, &opts); /* zeroes are in range */
    if (!decide(worker, shard, cell, &opts, &failure, &order)) {
        log_giving_up(cell->id, cell->id, &opts);
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_FAILED);
        return;
    }
    log_order(cell->id, &failure, &order);
    life->ordered = true;
    life->wait_ns = order.wait_ns;
    life->streak = order.streak;
}

static void settle_failure(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell)
{
    struct aldis__life *life = aldis__life_of(cell);
    cell->flags &= ~(uint32_t)ALDIS__CELL_FAILING;
    bool forced = life && life->forced;
    bool ends = !aldis__is_supervised(cell) || (life->opts.mode == ALDIS_RESTART_NEVER && !forced);
    if (ends || (cell->flags & ALDIS__CELL_DRAINING)) {
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_FAILED);
        return;
    }
    life->cycle++;
    begin_to_end(worker, cell);
    if (!forced) {
        report(worker, shard, cell);
        return;
    }
    life->forced = false;
    life->ordered = true;
    life->wait_ns = 0;
}

/* True: it has begun; else there is nothing to wait for, or no memory to wait with. */
static bool begin_wait(struct aldis__worker *worker, struct aldis__cell *cell)
{
    const struct aldis__life *life = cell->ext->life;
    const struct aldis__command begin = {ALDIS__CMD_BEGIN, true, (aldis_ns)life->cycle};
    return life->wait_ns > 0 && aldis__timer_post_command(worker, cell, life->wait_ns, &begin);
}

/* All that waits, also what is held outside a full mailbox. */
static void discard_mail(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    for (;;) {
        struct aldis__msg *msg;
        while ((msg = aldis__mailbox_pop_lanes(cell)))
            aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
        if (!(cell->flags & ALDIS__CELL_HELD))
            return;
        aldis__mailbox_low(worker, shard, cell);
    }
}

static void begin_again(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell)
{
    struct aldis__life *life = cell->ext->life;
    cell->flags &= ~(uint32_t)(ALDIS__CELL_FAILED | ALDIS__CELL_HOOKED);
    life->ordered = life->waiting = life->due = false;
    life->restarts++;
    shard->restarts++;
    cell->ext->end_err = ALDIS_OK;
    cell->started_ns = worker->ctx.now_ns;
    aldis__trap_off(cell);
    aldis__parts_restart(worker, cell); /* on_stop may have begun something */
    aldis__stash_return(worker, cell);  /* mail like any other to the new state */
    if (life->opts.discard_mail)
        discard_mail(worker, shard, cell);
    if (cell->state)
        memset(cell->state, 0, cell->kind->state_bytes);
    aldis__durable_restore(cell);
    aldis_err err = aldis__cell_run_on_start(worker, shard, cell, life->arg);
    if (err == ALDIS_OK)
        return;
    aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s): on_start failed at a restart: %s",
               (unsigned long long)cell->id.bits, cell->kind->behaviour->name,
               aldis_error_text(err));
    cell->flags |= ALDIS__CELL_HOOKED; /* it has not started: on_stop has nothing to undo */
    aldis__cell_fail(worker, shard, cell, err);
}

/* One step further, if nothing is left to wait for. */
static void go_on(struct aldis__worker *worker, struct aldis__shard *shard,
                  struct aldis__cell *cell)
{
    struct aldis__life *life = cell->ext->life;
    if (cell->ext->child_count > 0)
        return;
    aldis__cell_run_on_stop(worker, shard, cell);
    if (!life->ordered || (life->waiting && !life->due))
        return;
    if (!life->waiting) {
        life->waiting = true;
        if (begin_wait(worker, cell))
            return;
    }
    begin_again(worker, shard, cell);
}

static void handle_again(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    struct aldis__life *life = cell->ext->life;
    struct aldis__msg *msg = life->retry;
    life->retry = NULL;
    cell->flags &= ~(uint32_t)ALDIS__CELL_RETRY;
    life->retrying = true;
    aldis__ctx_enter(worker, shard, cell);
    (void)aldis__turn_handle(worker, shard, cell, msg);
    aldis__hook_leave(worker);
    life->retrying = false;
}

void aldis__supervise_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_ENDED;
    if ((cell->flags & ALDIS__CELL_FAILING) && !(cell->flags & ending))
        settle_failure(worker, shard, cell);
    if ((cell->flags & ALDIS__CELL_FAILED) && !(cell->flags & ending))
        go_on(worker, shard, cell);
    if ((cell->flags & ALDIS__CELL_RETRY) && !(cell->flags & ALDIS__CELL_HELD_BACK))
        handle_again(worker, shard, cell);
}
