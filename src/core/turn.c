// SPDX-License-Identifier: Apache-2.0
/* turn.c: running actors. HOT PATH 5/5: may not allocate, lock or log.
 *
 * Layer: core. A turn takes messages from the mailbox and calls their handlers until the mailbox is
 * empty, the batch is used up, or something special asks for the slower turn. The first two
 * functions are the whole of it for an actor that needs nothing special. */
#include "core/turn.h"

#include "base/log.h"
#include "core/backpressure.h"
#include "core/control.h"
#include "core/deliver.h"
#include "core/durable.h"
#include "core/lifecycle.h"
#include "core/shed.h"
#include "core/supervise.h"
#include "core/timer.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/window.h"

static void end_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell);
static const void *indirect_payload(struct aldis__worker *worker, struct aldis__shard *shard,
                                    struct aldis__cell *cell, struct aldis__msg *msg);

/* The messages of one actor that needs nothing special. */
static inline void turn(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell)
{
    aldis_ctx *ctx = &worker->ctx;
    const struct aldis__kind *kind = cell->kind;
    /* What comes meanwhile, from itself too, waits for the next turn: so an actor that keeps itself
     * busy lets the others have theirs, and queues stay short enough for the cache. */
    uint32_t left =
        (uint32_t)cell->depth < ALDIS__TURN_MSGS ? (uint32_t)cell->depth : ALDIS__TURN_MSGS;
    aldis__worker_set_sender(worker, cell);
    do {
        struct aldis__msg *msg = aldis__mailbox_pop(cell);
        if (!msg)
            break;
        uint32_t type = msg->type;
        const void *payload = aldis__msg_inline(msg);
        unsigned special = msg->flags & (ALDIS__MSG_INDIRECT | ALDIS__MSG_TIMER);
        if (special == ALDIS__MSG_SHARED) {
            payload = aldis__msg_shared_payload(msg);
        } else if (aldis__unlikely(special)) {
            payload = indirect_payload(worker, shard, cell, msg);
            if (!payload) { /* msg is done with */
                if (cell->flags & ALDIS__CELL_SPECIAL)
                    break;
                continue;
            }
        }
        ctx->msg = msg;
        aldis_err err = kind->handle[type](cell->state, payload, ctx);
        worker->counts[type].handled++;
        cell->handled++;
        if (aldis__unlikely(err != ALDIS_OK) &&
            aldis__turn_handler_failed(worker, shard, cell, msg, err))
            break;
        aldis__pool_free(worker->pool, msg);
        if (aldis__unlikely(cell->flags & ALDIS__CELL_SPECIAL))
            break;
    } while (--left > 0);
    end_turn(worker, shard, cell);
}

void aldis__shard_run(struct aldis__worker *worker, struct aldis__shard *shard)
{
    worker->ctx.shard = shard;
    worker->ctx.special = false;
    for (uint32_t turns = 0; turns < ALDIS__ROUND_TURNS; turns++) {
        struct aldis__cell *cell = shard->run_head;
        if (!cell)
            break;
        shard->run_head = cell->run_next;
        if (aldis__likely(!(cell->flags & ALDIS__CELL_SPECIAL))) {
            turn(worker, shard, cell);
        } else {
            aldis__turn_special(worker, shard, cell);
            worker->ctx.special = false;
        }
    }
    aldis__ctx_leave(worker);
}

/* A payload that does not stand right behind the header. NULL: msg was tracked, and has been
 * handled or refused; or the timer was cancelled; in both cases it is gone. */
static __attribute__((noinline)) const void *indirect_payload(struct aldis__worker *worker,
                                                              struct aldis__shard *shard,
                                                              struct aldis__cell *cell,
                                                              struct aldis__msg *msg)
{
    if (msg->flags & ALDIS__MSG_TRACKED) {
        aldis__tracked_handle(worker, shard, cell, msg);
        return NULL;
    }
    if ((msg->flags & ALDIS__MSG_TIMER) && !aldis__timer_accept(shard, msg)) {
        worker->counts[msg->type]
            .sent--; /* by this worker or another: only the sum has a meaning */
        aldis__pool_free(worker->pool, msg);
        return NULL;
    }
    return aldis__msg_payload(msg, NULL);
}

/* Put the actor back in the queue if it has something to do. */
static inline void end_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell)
{
    if (aldis__unlikely(worker->ctx.built != NULL))
        aldis__turn_discard_built(worker);
    if (aldis__unlikely(aldis__mailbox_is_low(cell)))
        aldis__mailbox_low(worker, shard, cell);
    uint32_t flags = cell->flags & ~(uint32_t)ALDIS__CELL_QUEUED;
    cell->flags = flags;
    /* A stopping actor waits for its children or its overflow, and is woken by them. */
    if (aldis__unlikely((cell->depth > 0 && !(flags & ALDIS__CELL_HELD_BACK)) ||
                        (flags & ALDIS__CELL_URGENT)))
        aldis__cell_schedule(worker, shard, cell);
}

ALDIS_COLD bool aldis__turn_handler_failed(struct aldis__worker *worker, struct aldis__shard *shard,
                                           struct aldis__cell *cell, struct aldis__msg *msg,
                                           aldis_err err)
{
    aldis_ctx *ctx = &worker->ctx;
    bool settled = aldis__ctx_has_settled(ctx, cell->handled - 1);
    if (settled && err == ctx->settled_err)
        return false; /* it hands on why its message was rejected: that is counted already */
    bool has_text = ctx->failed == cell->handled && aldis_id_equal(ctx->failed_actor, cell->id);
    aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s): handler of %s failed: %s%s%s",
               (unsigned long long)cell->id.bits, cell->kind->behaviour->name,
               aldis__type_info(msg->type)->name, aldis_error_text(err), has_text ? ": " : "",
               has_text ? ctx->fail_text : "");
    ctx->failed = 0;
    if (!settled && aldis__failure_takes(cell, msg)) {
        aldis__supervise_message(worker, shard, cell, msg, err);
        return true;
    }
    worker->counts[msg->type].failed++;
    if (aldis__is_supervised(cell))
        aldis__cell_fail(worker, shard, cell, err);
    return false;
}

bool aldis__turn_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg)
{
    const void *payload = aldis__msg_inline(msg);
    if (msg->flags & (ALDIS__MSG_INDIRECT | ALDIS__MSG_TIMER)) {
        payload = indirect_payload(worker, shard, cell, msg);
        if (!payload)
            return !(cell->flags & (ALDIS__CELL_SPECIAL & ~(uint32_t)ALDIS__CELL_LANES));
    }
    uint32_t type = msg->type;
    aldis_ctx *ctx = &worker->ctx;
    ctx->msg = msg;
    aldis_err err = cell->kind->handle[type](cell->state, payload, ctx);
    worker->counts[type].handled++;
    if (err == ALDIS_OK && aldis__unlikely(!aldis__durable_save(cell)))
        aldis__log(ALDIS_LOG_ERROR, "actor %016llx: no memory to save its durable state",
                   (unsigned long long)cell->id.bits);
    if (ctx->system->virtual_time && aldis__likely(!aldis__ctx_has_settled(ctx, cell->handled)))
        aldis__window_digest(worker, shard, cell, msg);
    cell->handled++;
    if (aldis__likely(err == ALDIS_OK) ||
        !aldis__turn_handler_failed(worker, shard, cell, msg, err))
        aldis__pool_free(worker->pool, msg);
    if (ctx->busy_ns)
        aldis__virtual_be_busy(worker, cell);
    ctx->msg = NULL;
    return !(cell->flags & (ALDIS__CELL_SPECIAL & ~(uint32_t)ALDIS__CELL_LANES));
}

void aldis__turn_control(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    if (cell->flags & ALDIS__CELL_STOPS)
        aldis__cell_obey_stop(worker, shard, cell);
    if (!(cell->flags & ALDIS__CELL_CONTROL))
        return;
    struct aldis__queue *lane = &cell->ext->lanes[ALDIS__RANK_CONTROL];
    struct aldis__msg *msg;
    cell->flags &= ~(uint32_t)ALDIS__CELL_CONTROL;
    /* What comes meanwhile sets the flag again and waits for the next turn: a hook that sends again
     * what was refused may bring about the next notice to itself, and others want their turn. */
    uint32_t left = cell->ext->control_depth;
    while (left-- > 0 && !(cell->flags & ALDIS__CELL_ENDED) && (msg = aldis__queue_pop(lane))) {
        cell->ext->control_depth--;
        aldis__control_handle(worker, shard, cell, msg);
    }
    if (aldis__unlikely(worker->spent != NULL)) {
        if (worker->spent == cell)
            aldis__cell_shrink(cell);
        worker->spent = NULL;
    }
}

void aldis__turn_end(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell)
{
    aldis__ctx_leave(worker);
    end_turn(worker, shard, cell);
}

ALDIS_COLD void aldis__turn_discard_built(struct aldis__worker *worker)
{
    struct aldis__msg *msg;
    while ((msg = worker->ctx.built)) {
        worker->ctx.built = msg->next;
        aldis__log(ALDIS_LOG_WARN, "actor %016llx began a message of type %s and did not post it",
                   (unsigned long long)msg->from.bits, aldis__type_info(msg->type)->name);
        aldis__pool_free(worker->pool, msg);
    }
}

/* Start, commands, failures, lanes, drain and stop, in this order; ordinary mail by lanes. */
void aldis__turn_special(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    bool starts = (cell->flags & ALDIS__CELL_UNSTARTED) && !(cell->flags & ALDIS__CELL_ENDED);
    if (starts)
        aldis__cell_start(worker, shard, cell);
    if (cell->flags & ALDIS__CELL_TOLD)
        aldis__turn_control(worker, shard, cell);
    if (starts) /* the message that started it was all that its second block was for, mostly */
        aldis__cell_shrink(cell);
    if (cell->flags & (ALDIS__CELL_FAILING | ALDIS__CELL_FAILED | ALDIS__CELL_RETRY))
        aldis__supervise_turn(worker, shard, cell);
    aldis__ctx_enter(worker, shard, cell);
    for (uint32_t n = 0; n < ALDIS__TURN_MSGS && !(cell->flags & ALDIS__CELL_HELD_BACK); n++) {
        struct aldis__msg *msg = cell->flags & ALDIS__CELL_SHEDS ? aldis__shed_pop(worker, cell)
                                                                 : aldis__mailbox_pop_lanes(cell);
        if (!msg)
            break;
        aldis__turn_handle(worker, shard, cell, msg);
        if (cell->flags & ALDIS__CELL_TOLD)
            break;
    }
    if (worker->ctx.busy_ns) /* of a hook: on_start may be busy too */
        aldis__virtual_be_busy(worker, cell);
    aldis__ctx_leave(worker);
    if ((cell->flags & ALDIS__CELL_DRAINING) && cell->depth == 0 &&
        !(cell->flags & (ALDIS__CELL_HELD | ALDIS__CELL_STOPPING | ALDIS__CELL_PARKED |
                         ALDIS__CELL_RETRY | ALDIS__CELL_FAILING)))
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_DRAINED);
    if ((cell->flags & ALDIS__CELL_STOPPING) && !(cell->flags & ALDIS__CELL_TOLD) &&
        aldis__cell_try_end(worker, shard, cell)) {
        if (worker->ctx.built)
            aldis__turn_discard_built(worker);
        return; /* the cell may be another actor's now */
    }
    end_turn(worker, shard, cell);
}
