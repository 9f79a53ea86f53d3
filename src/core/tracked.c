// SPDX-License-Identifier: Apache-2.0
/* tracked.c: messages whose fate somebody follows. Layer: core. See tracked.h. */
#include "core/tracked.h"

#include "base/error.h"
#include "base/log.h"
#include "core/backpressure.h"
#include "core/durable.h"
#include "core/lifecycle.h"
#include "core/send.h"
#include "core/shed.h"
#include "core/supervise.h"
#include "core/virtual.h"
#include "core/window.h"

/* ------------------------------------------------------------------ at the receiver */

/* The message is handled now. */
static void handle(struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__track *track = aldis__msg_track(msg);
    aldis_ctx *ctx = &worker->ctx;
    uint32_t type = msg->type;
    aldis_err err;
    ctx->msg = msg;
    ctx->track = track;
    if (track->tracker->handle)
        err = track->tracker->handle(worker, cell, msg, track);
    else
        err = cell->kind->handle[type](cell->state, aldis__msg_payload(msg, NULL), ctx);
    worker->counts[type].handled++;
    bool settled = aldis__ctx_has_settled(ctx, cell->handled);
    /* A post for a part that outlives the failed state changes nothing of it, and saves nothing. */
    bool is_down =
        type == ALDIS__TYPE_TRACK && (cell->flags & (ALDIS__CELL_FAILING | ALDIS__CELL_FAILED));
    if (err == ALDIS_OK && !settled && !is_down && aldis__unlikely(!aldis__durable_save(cell)))
        aldis__log(ALDIS_LOG_ERROR, "actor %016llx: no memory to save its durable state",
                   (unsigned long long)cell->id.bits);
    /* Of a supervised actor's failure the tracker hears when the message ends: see supervise.h. */
    bool taken = err != ALDIS_OK && aldis__failure_takes(cell, msg);
    if (track->tracker->handled && !settled && !taken)
        track->tracker->handled(worker, cell, msg, track, err);
    ctx->track = NULL;
    if (ctx->system->virtual_time && type != ALDIS__TYPE_TRACK && !settled)
        aldis__window_digest(worker, shard, cell, msg);
    cell->handled++;
    if (aldis__likely(err == ALDIS_OK) ||
        !aldis__turn_handler_failed(worker, shard, cell, msg, err))
        aldis__pool_free(worker->pool, msg);
    if (ctx->busy_ns && type != ALDIS__TYPE_TRACK)
        aldis__virtual_be_busy(worker, cell);
    ctx->msg = NULL;
}

static void set_aside(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__msg *msg)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (!ext) {
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ENOMEM);
        return;
    }
    aldis__queue_push(&ext->aside, msg);
    ext->aside_count++;
}

void aldis__tracked_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__track *track = aldis__msg_track(msg);
    enum aldis__admission admission = ALDIS__ADMIT_HANDLE;
    if (aldis__unlikely(track->deadline_ns <= worker->ctx.now_ns))
        admission = ALDIS__ADMIT_EXPIRE;
    else if (track->tracker->admit)
        admission = track->tracker->admit(worker, cell, msg, track);
    switch (admission) {
    case ALDIS__ADMIT_HANDLE:
        handle(worker, shard, cell, msg);
        break;
    case ALDIS__ADMIT_EXPIRE:
        aldis__refuse(worker, msg, ALDIS__EXPIRED, ALDIS_EEXPIRED);
        break;
    case ALDIS__ADMIT_DROP:
        aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
        break;
    case ALDIS__ADMIT_HOLD:
        set_aside(worker, cell, msg);
        break;
    }
}

/* Back to the head of the mailbox, beyond its bound: they have been in it already. */
void aldis__tracked_retry(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext || !ext->aside.head)
        return;
    struct aldis__msg *last = ext->aside.head;
    if (cell->flags & ALDIS__CELL_SHEDS)
        aldis__shed_stamp_list(worker, cell, last);
    for (;;) {
        cell->room -= aldis__msg_units(last);
        if (!last->next)
            break;
        last = last->next;
    }
    cell->depth += (int32_t)ext->aside_count;
    last->next = cell->head;
    if (!cell->head)
        cell->tail = last;
    cell->head = ext->aside.head;
    aldis__queue_init(&ext->aside);
    ext->aside_count = 0;
    aldis__mailbox_set_mark(worker, cell);
}

void aldis__tracked_end(struct aldis__worker *worker, struct aldis__msg *msg, enum aldis__fate fate,
                        aldis_err reason)
{
    struct aldis__track *track = aldis__msg_track(msg);
    if (track->tracker->ended)
        track->tracker->ended(worker, msg, track, fate, reason);
}

bool aldis__post_parcel(struct aldis__worker *worker, aldis_id from,
                        const struct aldis__parcel *parcel, const struct aldis__track *track)
{
    uint32_t index = aldis__type_index(parcel->type);
    struct aldis__msg *msg = index ? aldis__parcel_build(worker->pool, parcel, index, track) : NULL;
    if (!msg)
        return false;
    msg->from = from;
    msg->pool_stamp = worker->pool_stamp;
    worker->counts[index].sent++;
    if (worker->ctx.system->virtual_time)
        aldis__virtual_stamp_runtime(worker, msg);
    aldis__route(worker, msg);
    return true;
}

/* ------------------------------------------------------------------ sending */

/* To an actor that expects it. */
static void place_reserved(struct aldis__worker *worker, struct aldis__msg *msg, uint64_t word)
{
    aldis_ctx *ctx = &worker->ctx;
    aldis_system *system = ctx->system;
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (aldis__handover_owner(&shard->handover) != worker->index)
        (void)aldis__chain_append(worker, shard->index, msg);
    else if (aldis__msg_rank(msg) == ALDIS__RANK_CONTROL)
        aldis__deliver(worker, msg);
    else
        aldis__admit(worker, shard,
                     aldis__system_cell(system, aldis__id_index(msg->to, system->node_base)), msg);
}

/* Behind what the sender had to keep for the same receiver, so that it does not overtake it. */
static bool keep_reserved(struct aldis__worker *worker, struct aldis__msg *msg)
{
    struct aldis__cell *sender = worker->ctx.cell;
    return (sender->flags & ALDIS__CELL_OVERFLOW) && aldis__msg_rank(msg) != ALDIS__RANK_CONTROL &&
           aldis__overflow_has(sender, msg->to) &&
           (!worker->ctx.system->virtual_time || aldis__virtual_keep(worker, msg, 0) == ALDIS_OK) &&
           aldis__overflow_add(worker, sender, msg) == ALDIS_OK;
}

static aldis_err send_reserved(struct aldis__worker *worker, struct aldis__msg *msg)
{
    static const struct aldis__tracker untold = {.name = "aldis.untold"};
    aldis_system *system = worker->ctx.system;
    struct aldis_type_stats *counts = &worker->counts[msg->type];
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(msg->to, system->node_base)]);
    counts->sent++;
    if (!aldis__word_is_alive(word, msg->to)) {
        const char *name = aldis__type_info(msg->type)->name;
        aldis_id to = msg->to;
        aldis__msg_track(msg)->tracker = &untold; /* the return value tells it */
        msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE;
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
        return aldis__error_set(ALDIS_ESTALE, to, name, "send: %s: actor %016llx has ended", name,
                                (unsigned long long)to.bits);
    }
    if (keep_reserved(worker, msg))
        return ALDIS_OK;
    if (!system->virtual_time) {
        place_reserved(worker, msg, word);
        return ALDIS_OK;
    }
    aldis_err err = aldis__virtual_send(worker, msg, aldis__word_home(word), 0);
    if (err == ALDIS_OK)
        return ALDIS_OK;
    counts->rejected++;
    aldis__pool_free(worker->pool, msg);
    return err;
}

/* The short way, as in aldis_ctx_send_raw(): a small message to an actor of this worker that has
 * room. */
static inline bool try_send(aldis_ctx *ctx, const struct aldis__parcel *parcel,
                            const struct aldis__track *track)
{
    struct aldis__worker *worker = aldis__this_worker;
    aldis_type *type = parcel->type;
    aldis_id to = parcel->to;
    size_t size = parcel->size;
    if (ctx != &worker->ctx || !type || ctx->special || size != type->size ||
        size > ALDIS__COPY_INLINE_MAX || (!parcel->payload && size) || parcel->opts)
        return false;
    aldis_system *system = ctx->system;
    uint32_t index = aldis__type_index_if_known(type);
    uint64_t place = aldis__id_index(to, system->node_base);
    if (index < ALDIS__TYPE_STATUS || place >= system->index_limit)
        return false;
    uint64_t word = aldis__directory_read(&system->directory[place]);
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    struct aldis__cell *cell = aldis__system_cell(system, place);
    struct aldis__pool *pool = worker->pool;
    unsigned class = aldis__pool_class(pool, sizeof *track + size);
    struct aldis__msg *msg = pool->free[class];
    int32_t units = aldis__class_units[class];
    if (!aldis__word_is_open(word, to) || !msg ||
        aldis__handover_owner(&shard->handover) != worker->index ||
        (!cell->kind->handle[index] && !track->tracker->reserved) || cell->depth >= cell->mark ||
        cell->room < units)
        return false;
    aldis__pool_pop(pool, msg, class);
    msg->to = to;
    msg->from = ctx->cell->id;
    msg->tag = ctx->send_tag | ALDIS__MSG_TAG(index, ALDIS__MSG_TRACKED, 0, class, 0);
    *aldis__msg_track(msg) = *track;
    aldis__copy_payload((char *)(aldis__msg_track(msg) + 1), parcel->payload, size);
    aldis__mailbox_append(cell, msg, units);
    aldis__cell_schedule_for_mail(worker, shard, cell);
    worker->counts[index].sent++;
    return true;
}

static aldis_err count_rejected(struct aldis__worker *worker, uint32_t type, aldis_err err)
{
    worker->counts[type].sent++;
    worker->counts[type].rejected++;
    return err;
}

aldis_err aldis__send_tracked(aldis_ctx *ctx, const struct aldis__parcel *parcel,
                              const struct aldis__track *track)
{
    if (aldis__likely(try_send(ctx, parcel, track)))
        return ALDIS_OK;
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("send");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint32_t index = 0;
    uint64_t word = 0;
    bool reserved = track->tracker->reserved;
    aldis_err err = aldis__parcel_check(parcel, &index);
    if (err != ALDIS_OK)
        return err;
    if (!reserved) /* an answer may overtake on the control lane */
        err = aldis__send_check_opts(parcel->opts, parcel->type);
    if (err == ALDIS_OK && reserved)
        err = aldis__send_check_place(ctx->system, parcel->to, index, &word);
    else if (err == ALDIS_OK)
        err = aldis__send_check_receiver(ctx->system, parcel->to, index, &word);
    if (err != ALDIS_OK)
        return count_rejected(worker, index, err);
    struct aldis__msg *msg = aldis__parcel_build(worker->pool, parcel, index, track);
    if (!msg) {
        err = aldis__error_set(ALDIS_ENOMEM, parcel->to, parcel->type->name, "send: %s",
                               parcel->type->name);
        return count_rejected(worker, index, err);
    }
    msg->from = ctx->cell->id;
    msg->flags |= aldis__ctx_send_flags(ctx);
    msg->pool_stamp = worker->pool_stamp;
    aldis_ns delay_ns = parcel->opts ? parcel->opts->delay_ns : 0;
    if (reserved)
        return send_reserved(worker, msg);
    err = aldis__send_place(worker, msg, word, delay_ns);
    if (err != ALDIS_OK)
        aldis__pool_free(worker->pool, msg);
    return err;
}

void aldis__parcel_bury(struct aldis__worker *worker, aldis_id from,
                        const struct aldis__parcel *parcel, aldis_err reason)
{
    uint32_t index = aldis__type_index(parcel->type);
    struct aldis__msg *msg =
        aldis__send_build(worker->pool, parcel->type, index, parcel->payload, parcel->size);
    worker->counts[index].sent++;
    if (!msg) { /* out of memory: counted, but not kept */
        worker->counts[index].dead++;
        return;
    }
    msg->to = parcel->to;
    msg->from = from;
    msg->lane_class = (uint8_t)(msg->lane_class | aldis__lane_rank(parcel->opts->lane) << 4);
    msg->pool_stamp = worker->pool_stamp;
    aldis__refuse(worker, msg, ALDIS__DEAD, reason);
}
