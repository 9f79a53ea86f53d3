// SPDX-License-Identifier: Apache-2.0
/* turn.c: running one actor. HOT PATH 5/5: may not allocate, lock or log.
 *
 * Layer: core. A turn takes messages from the mailbox and calls their handlers until the mailbox is
 * empty, the batch is used up, or something special asks for the slower turn. */
#include "core/turn.h"

#include "base/log.h"
#include "core/backpressure.h"
#include "core/control.h"
#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/timer.h"
#include "core/virtual.h"
#include "core/window.h"

static void end_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell, uint32_t handled);
static void handler_failed(struct aldis__worker *worker, uint32_t type, aldis_err err);

void aldis__turn(struct aldis__worker *worker, struct aldis__shard *shard,
                 struct aldis__cell *cell)
{
    if (aldis__unlikely(cell->flags & ALDIS__CELL_SPECIAL)) {
        aldis__turn_special(worker, shard, cell);
        return;
    }
    aldis_ctx *ctx = &worker->ctx;
    const struct aldis__kind *kind = cell->kind;
    void *state = cell->state;
    uint32_t handled = 0;
    aldis__ctx_enter(worker, shard, cell);
    do {
        struct aldis__msg *msg = aldis__mailbox_pop(cell);
        if (!msg)
            break;
        __builtin_prefetch(cell->head);
        uint32_t type = msg->type;
        const void *payload = aldis__msg_inline(msg);
        if (aldis__unlikely(msg->flags & (ALDIS__MSG_INDIRECT | ALDIS__MSG_TIMER))) {
            if ((msg->flags & ALDIS__MSG_TIMER) && !aldis__timer_accept(shard, msg)) {
                aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
                continue;
            }
            payload = aldis__msg_payload(msg, NULL);
        }
        ctx->msg = msg;
        aldis_err err = kind->handle[type](state, payload, ctx);
        worker->counts[type].handled++;
        if (aldis__unlikely(err != ALDIS_OK))
            handler_failed(worker, type, err);
        aldis__pool_free(worker->pool, msg);
        handled++;
    } while (handled < ALDIS__TURN_MSGS && !(cell->flags & ALDIS__CELL_SPECIAL));
    end_turn(worker, shard, cell, handled);
}

/* Leave the actor, and put it back in the queue if it has something to do. */
static void end_turn(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell, uint32_t handled)
{
    aldis__ctx_leave(worker);
    if (aldis__unlikely(worker->ctx.built != NULL))
        aldis__turn_discard_built(worker);
    cell->handled += handled;
    if (aldis__unlikely(aldis__mailbox_is_low(cell)))
        aldis__mailbox_low(worker, shard, cell);
    uint32_t flags = cell->flags;
    /* A stopping actor waits for its children or its overflow, and is woken by them. */
    bool runs = cell->depth > 0 && !(flags & ALDIS__CELL_HELD_BACK);
    cell->flags = flags & ~(uint32_t)ALDIS__CELL_QUEUED;
    if (runs || (flags & ALDIS__CELL_CONTROL))
        aldis__cell_schedule(worker, shard, cell);
}

static ALDIS_COLD void handler_failed(struct aldis__worker *worker, uint32_t type, aldis_err err)
{
    aldis_ctx *ctx = &worker->ctx;
    worker->counts[type].failed++;
    aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s): handler of %s failed: %s%s%s",
               (unsigned long long)ctx->cell->id.bits, ctx->cell->kind->behaviour->name,
               aldis__type_info(type)->name, aldis_error_text(err), ctx->failed ? ": " : "",
               ctx->failed ? ctx->fail_text : "");
    ctx->failed = false;
}

bool aldis__turn_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg)
{
    if ((msg->flags & ALDIS__MSG_TIMER) && !aldis__timer_accept(shard, msg)) {
        aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
        return true;
    }
    uint32_t type = msg->type;
    aldis_ctx *ctx = &worker->ctx;
    ctx->msg = msg;
    const void *payload = msg->flags & ALDIS__MSG_INDIRECT ? aldis__msg_payload(msg, NULL)
                                                           : aldis__msg_inline(msg);
    aldis_err err = cell->kind->handle[type](cell->state, payload, ctx);
    worker->counts[type].handled++;
    if (aldis__unlikely(err != ALDIS_OK))
        handler_failed(worker, type, err);
    cell->handled++;
    if (ctx->system->virtual_time) {
        aldis__window_digest(worker, shard, cell, msg);
        if (ctx->busy_ns)
            aldis__virtual_be_busy(worker, cell);
    }
    aldis__pool_free(worker->pool, msg);
    ctx->msg = NULL;
    return !(cell->flags & (ALDIS__CELL_SPECIAL & ~(uint32_t)ALDIS__CELL_LANES));
}

void aldis__turn_control(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    struct aldis__queue *lane = &cell->ext->lanes[ALDIS__RANK_CONTROL];
    struct aldis__msg *msg;
    cell->flags &= ~(uint32_t)ALDIS__CELL_CONTROL;
    while (!(cell->flags & ALDIS__CELL_ENDED) && (msg = aldis__queue_pop(lane))) {
        cell->ext->control_depth--;
        aldis__control_handle(worker, shard, cell, msg);
    }
}

void aldis__turn_end(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell)
{
    end_turn(worker, shard, cell, 0);
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

/* Start, commands, lanes, drain and stop, in this order; ordinary mail by lanes. */
void aldis__turn_special(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    if ((cell->flags & ALDIS__CELL_UNSTARTED) && !(cell->flags & ALDIS__CELL_ENDED))
        aldis__cell_start(worker, shard, cell);
    if (cell->flags & ALDIS__CELL_CONTROL)
        aldis__turn_control(worker, shard, cell);
    aldis__ctx_enter(worker, shard, cell);
    for (uint32_t n = 0; n < ALDIS__TURN_MSGS && !(cell->flags & ALDIS__CELL_HELD_BACK); n++) {
        struct aldis__msg *msg = aldis__mailbox_pop_lanes(cell);
        if (!msg)
            break;
        aldis__turn_handle(worker, shard, cell, msg);
        if (cell->flags & ALDIS__CELL_CONTROL)
            break;
    }
    if (worker->ctx.busy_ns) /* of a hook: on_start may be busy too */
        aldis__virtual_be_busy(worker, cell);
    aldis__ctx_leave(worker);
    if ((cell->flags & ALDIS__CELL_DRAINING) && cell->depth == 0 &&
        !(cell->flags & (ALDIS__CELL_HELD | ALDIS__CELL_STOPPING | ALDIS__CELL_PARKED)))
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_DRAINED);
    if ((cell->flags & ALDIS__CELL_STOPPING) && !(cell->flags & ALDIS__CELL_CONTROL) &&
        aldis__cell_try_end(worker, shard, cell)) {
        if (worker->ctx.built)
            aldis__turn_discard_built(worker);
        return; /* the cell may be another actor's now */
    }
    end_turn(worker, shard, cell, 0);
}
