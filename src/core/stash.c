// SPDX-License-Identifier: Apache-2.0
/* stash.c: messages that their handler does not handle now. Layer: core. Owner of the shard only.
 *
 * The turn frees a message after its handler, without a look at what the handler did: that is the
 * hot path. So a message that is kept gets a flag which makes the free do nothing, and is linked
 * into the stash at once; nothing is copied. What the turn will count as handled is taken off
 * beforehand. */
#include "core/stash.h"

#include "base/error.h"
#include "core/backpressure.h"
#include "core/deliver.h"
#include "core/shed.h"
#include "core/timer.h"
#include "core/tracked.h"

/* The running handler's message, if the handler may still settle it. */
static aldis_err check(aldis_ctx *ctx, const char *call)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "%s: the context belongs to another handler or thread", call);
    if (!ctx->msg)
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "", "%s: no message is being handled",
                                call);
    if (ctx->track && ctx->track->tracker->handle)
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, aldis__type_info(ctx->msg->type)->name,
                                "%s: an answer is not kept or rejected", call);
    if (aldis__ctx_has_settled(ctx, ctx->cell->handled))
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, aldis__type_info(ctx->msg->type)->name,
                                "%s: the message was kept or rejected already", call);
    if (!aldis__cell_extend(ctx->cell))
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "%s", call);
    return ALDIS_OK;
}

/* The message is not handled after all: the turn will count it as if it were. */
static void settle(aldis_ctx *ctx, aldis_err err)
{
    aldis__worker_of(ctx)->counts[ctx->msg->type].handled--;
    ctx->cell->ext->settled++;
    ctx->settled_actor = ctx->cell->id.bits;
    ctx->settled_number = ctx->cell->handled;
    ctx->settled_err = err;
}

static void reject(aldis_ctx *ctx, aldis_err reason)
{
    settle(ctx, reason);
    aldis__refuse_tell(aldis__worker_of(ctx), ctx->msg, ALDIS__REJECTED, reason);
}

aldis_err aldis_reject(aldis_ctx *ctx, aldis_err reason)
{
    aldis_err err = check(ctx, "reject");
    if (err != ALDIS_OK)
        return err;
    if (reason == ALDIS_OK)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "reject: the reason is ALDIS_OK");
    const char *name = aldis__type_info(ctx->msg->type)->name;
    reject(ctx, reason);
    return aldis__error_set(reason, ctx->cell->id, name, "%s is rejected by %s: %s", name,
                            ctx->cell->kind->behaviour->name, aldis_error_text(reason));
}

aldis_err aldis__dead_letter(aldis_ctx *ctx, aldis_err reason)
{
    aldis_err err = check(ctx, "dead letter");
    if (err != ALDIS_OK)
        return err;
    settle(ctx, ALDIS_OK);
    aldis__refuse_tell(aldis__worker_of(ctx), ctx->msg, ALDIS__DEAD, reason);
    return ALDIS_OK;
}

aldis_err aldis_stash(aldis_ctx *ctx)
{
    aldis_err err = check(ctx, "stash");
    if (err != ALDIS_OK)
        return err;
    struct aldis__msg *msg = ctx->msg;
    struct aldis__cell_ext *ext = ctx->cell->ext;
    const struct aldis__limits *limits = aldis__cell_limits(ctx->cell);
    int32_t units = aldis__msg_units(msg);
    /* A message larger than the whole stash is taken by an empty one, as by a mailbox. */
    if (ext->stash_count >= (uint32_t)limits->stash ||
        (ext->stash_count > 0 && units > limits->room - ext->stash_units)) {
        const char *name = aldis__type_info(msg->type)->name;
        reject(ctx, ALDIS_EFULL);
        return aldis__error_set(ALDIS_EFULL, ctx->cell->id, name,
                                "stash: %s is rejected, since %u messages of %lld bytes are kept "
                                "(options stash_msgs: %d, capacity_bytes)",
                                name, ext->stash_count,
                                (long long)ext->stash_units * ALDIS__ROOM_UNIT, limits->stash);
    }
    settle(ctx, ALDIS_OK);
    if (msg->flags & ALDIS__MSG_TIMER)
        aldis__timer_kept(ctx->shard, msg);
    msg->flags |= ALDIS__MSG_KEPT;
    aldis__queue_push(&ext->stash, msg);
    ext->stash_count++;
    ext->stash_units += units;
    return ALDIS_OK;
}

/* All of `queue` before what stands in the normal lane. */
static void prepend_normal(struct aldis__cell *cell, struct aldis__queue *queue)
{
    /* The link is its first field. */
    struct aldis__msg *last = (struct aldis__msg *)(void *)queue->tail;
    last->next = cell->head;
    if (!cell->head)
        cell->tail = last;
    cell->head = queue->head;
}

static void prepend_lane(struct aldis__queue *lane, struct aldis__queue *queue)
{
    *queue->tail = lane->head;
    if (!lane->head)
        lane->tail = queue->tail;
    lane->head = queue->head;
}

void aldis__stash_return(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext || ext->stash_count == 0)
        return;
    struct aldis__queue ranks[ALDIS__RANK_COUNT];
    if (cell->flags & ALDIS__CELL_SHEDS)
        aldis__shed_stamp_list(worker, cell, ext->stash.head);
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
        aldis__queue_init(&ranks[rank]);
    struct aldis__msg *msg;
    while ((msg = aldis__queue_pop(&ext->stash)))
        aldis__queue_push(&ranks[aldis__msg_rank(msg)], msg);
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++) {
        if (!ranks[rank].head)
            continue;
        if (rank == ALDIS__RANK_NORMAL) {
            prepend_normal(cell, &ranks[rank]);
        } else {
            prepend_lane(&ext->lanes[rank], &ranks[rank]);
            cell->flags |= ALDIS__CELL_LANES;
        }
    }
    cell->depth += (int32_t)ext->stash_count;
    cell->room -= ext->stash_units;
    ext->stash_count = 0;
    ext->stash_units = 0;
    if ((uint32_t)cell->depth > cell->peak)
        cell->peak = (uint32_t)cell->depth;
    aldis__mailbox_set_mark(worker, cell);
    aldis__mark_full(worker, cell);
}

/* In virtual time an actor that keeps and takes back for ever would stay at one instant. */
static aldis_err check_rounds(aldis_ctx *ctx)
{
    struct aldis__cell_ext *ext = ctx->cell->ext;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    if (!ctx->system->virtual_time)
        return ALDIS_OK;
    if (ext->unstashed_ns != ctx->now_ns)
        ext->unstash_rounds = 0;
    ext->unstashed_ns = ctx->now_ns;
    if (ext->unstash_rounds++ < ctx->system->opts.microsteps_max)
        return ALDIS_OK;
    const char *name = aldis__type_info(ext->stash.head->type)->name;
    worker->fatal = ALDIS_ELOOP;
    worker->fatal_actor = ctx->cell->id;
    worker->fatal_type = ext->stash.head->type;
    return aldis__error_set(ALDIS_ELOOP, ctx->cell->id, name,
                            "unstash: %s and others were taken back more than %u times at one "
                            "instant (option microsteps_max)",
                            name, ctx->system->opts.microsteps_max);
}

aldis_err aldis_unstash_all(aldis_ctx *ctx)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "unstash: the context belongs to another handler or thread");
    if (!ctx->cell->ext || ctx->cell->ext->stash_count == 0)
        return ALDIS_OK;
    aldis_err err = check_rounds(ctx);
    if (err == ALDIS_OK)
        aldis__stash_return(aldis__worker_of(ctx), ctx->cell);
    return err;
}

uint32_t aldis_stashed(const aldis_ctx *ctx)
{
    return aldis__ctx_is_mine(ctx) && ctx->cell->ext ? ctx->cell->ext->stash_count : 0;
}
