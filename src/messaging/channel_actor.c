// SPDX-License-Identifier: Apache-2.0
/* channel_actor.c: where channels and actors meet. Layer: messaging.
 *
 *   - A channel whose receiver is an actor: each send is a send to its mailbox. So capacity, order,
 *     recording and the audit are the mailbox's; nothing is queued twice.
 *   - A handler's send, in virtual time: it enters the channel at the end of the window, in logical
 *     order, for two shards may send to one channel at the same time.
 *   - An actor that found a channel full is told by a message when there is room. */
#include "messaging/channel.h"

#include "base/error.h"
#include "core/outside.h"
#include "core/send.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

/* The running handler of this system on this thread; NULL: there is none. */
static aldis_ctx *handler_of(const aldis_system *system)
{
    aldis_ctx *ctx = &aldis__this_worker->ctx;
    return ctx->cell && ctx->system == system ? ctx : NULL;
}

/* From whatever thread this is. */
static aldis_err give(aldis_system *system, aldis_id actor, aldis_type *type, const void *value,
                      size_t size)
{
    aldis_ctx *ctx = handler_of(system);
    return ctx ? aldis_ctx_send_raw(ctx, actor, type, value, size)
               : aldis_system_send_raw(system, actor, type, value, size);
}

/* ------------------------------------------------------------------ an actor as receiver */

struct to_actor {
    struct aldis_tx base;
    aldis_system *system;
    aldis_id actor;
    _Atomic(aldis_type *) ended; /* NULL: it does not want to know, or knows */
    _Atomic(bool) closed;
    _Atomic(uint64_t) accepted;
};

static inline struct to_actor *to_actor_of(struct aldis_tx *channel)
{
    return (struct to_actor *)(void *)channel;
}

/* What a send to an actor returned, as a channel's sender knows it. */
static aldis_err channel_error(aldis_err err)
{
    if (err == ALDIS_EAGAIN || err == ALDIS_EFULL)
        return ALDIS_EFULL;
    if (err == ALDIS_ESTALE || err == ALDIS_ENOTFOUND || err == ALDIS_ESHUTDOWN ||
        err == ALDIS_ESTATE)
        return ALDIS_ENORECEIVER;
    return err;
}

static aldis_err to_actor_result(struct to_actor *self, aldis_err err)
{
    if (err == ALDIS_OK)
        (void)aldis__fetch_add_relaxed(&self->accepted, 1); /* relaxed: a counter */
    return channel_error(err);
}

static inline bool is_closed(struct to_actor *self)
{
    /* Relaxed: a send that another thread makes at the same time may come before or after. */
    return aldis__load_relaxed(&self->closed);
}

static aldis_err to_actor_push(struct aldis_tx *channel, const void *value)
{
    struct to_actor *self = to_actor_of(channel);
    if (is_closed(self))
        return ALDIS_ESHUTDOWN;
    return to_actor_result(self,
                           give(self->system, self->actor, channel->type, value, channel->size));
}

static aldis_err to_actor_push_until(struct aldis_tx *channel, const void *value,
                                     aldis_ns timeout_ns)
{
    struct to_actor *self = to_actor_of(channel);
    return to_actor_result(self,
                           aldis_system_send_until_raw(self->system, self->actor, channel->type,
                                                       value, channel->size, timeout_ns));
}

/* Once, whoever ends it. Live and from outside it always arrives, as a job's result does. */
static void tell_ended(struct to_actor *self)
{
    /* TA1 acq_rel: pairs with itself: of those that close at the same time one finds it. */
    aldis_type *ended = aldis__exchange_acq_rel(&self->ended, NULL);
    if (!ended || aldis_system_is_closed(self->system, self->actor))
        return;
    if (handler_of(self->system) || self->system->virtual_time)
        (void)give(self->system, self->actor, ended, NULL, 0);
    else
        aldis__outside_result(self->system, self->actor, ended, ALDIS_OK, NULL);
}

static void to_actor_close(struct aldis_tx *channel)
{
    struct to_actor *self = to_actor_of(channel);
    aldis__store_relaxed(&self->closed, true); /* relaxed: as in is_closed() */
    tell_ended(self);
}

static void to_actor_count(struct aldis_tx *channel, aldis_channel_stats *out_stats)
{
    struct to_actor *self = to_actor_of(channel);
    out_stats->received = aldis__load_relaxed(&self->accepted); /* relaxed: a figure */
    out_stats->sent = out_stats->received + out_stats->refused;
    out_stats->receivers = aldis_system_is_closed(self->system, self->actor) ? 0 : 1;
}

static void to_actor_destroy(struct aldis_tx *channel)
{
    free(channel);
}

const struct aldis__channel_kind aldis__to_actor_kind = {.push = to_actor_push,
                                                         .push_until = to_actor_push_until,
                                                         .close_sending = to_actor_close,
                                                         .count = to_actor_count,
                                                         .destroy = to_actor_destroy};

/* Is it there, and does it accept both types? */
static aldis_err check_actor(aldis_system *system, aldis_id actor, aldis_type *type)
{
    uint64_t word;
    uint32_t index = aldis__type_index(type);
    if (!index)
        return aldis_error_last()->err;
    return aldis__send_check_receiver(system, actor, index, &word);
}

aldis_err aldis_channel_to_actor_raw(aldis_system *system, aldis_id actor, aldis_type *type,
                                     aldis_type *ended, aldis_tx **out_tx)
{
    if (!system || !type || type->size > ALDIS_PAYLOAD_MAX || (ended && ended->size != 0) ||
        !out_tx)
        return aldis__error_set(ALDIS_EINVAL, actor, type ? type->name : "",
                                "channel to an actor: an argument is NULL, %s has no fixed size, "
                                "or the signal has a payload",
                                type ? type->name : "the type");
    aldis_err err = check_actor(system, actor, type);
    if (err == ALDIS_OK && ended)
        err = check_actor(system, actor, ended);
    if (err != ALDIS_OK)
        return err;
    struct to_actor *self = calloc(1, sizeof *self);
    if (!self)
        return aldis__error_set(ALDIS_ENOMEM, actor, type->name, NULL);
    self->base.kind = &aldis__to_actor_kind;
    self->base.type = type;
    self->base.size = type->size;
    self->system = system;
    self->actor = actor;
    /* Relaxed: nobody else knows it yet. */
    aldis__store_relaxed(&self->ended, ended);
    aldis__store_relaxed(&self->base.senders, 1);
    aldis__store_relaxed(&self->base.refs, 1);
    *out_tx = &self->base;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ handlers, virtual time */

/* A send that enters its channel at the window's end. */
struct staged {
    struct aldis__window_call call;
    struct aldis_tx *channel; /* one handle of it; a oneshot's only one */
    bool tell;                /* its sender has an on_undelivered */
    unsigned char value[];
};

static void enter_staged(aldis_system *system, struct aldis__window_call *call, aldis_id actor)
{
    struct staged *staged = (struct staged *)(void *)call;
    struct aldis_tx *channel = staged->channel;
    bool oneshot = channel->kind == &aldis__oneshot_kind;
    uint32_t type = aldis__type_index(channel->type);
    aldis_err err =
        system ? channel->kind->push(channel, staged->value) : ALDIS_ESHUTDOWN; /* destroyed */
    if (err != ALDIS_OK)
        (void)aldis__channel_refuse(channel, err);
    if (err != ALDIS_OK && system && staged->tell && type) {
        struct aldis__refusal refusal = {aldis_nobody(), type, 1, err};
        aldis__post_runtime(&system->workers[0], actor, actor, ALDIS__TYPE_UNDELIVERED, &refusal,
                            sizeof refusal);
    }
    if (err != ALDIS_OK || !oneshot)
        aldis_tx_drop(channel);
    free(staged);
}

bool aldis__channel_is_staged(const struct aldis_tx *channel)
{
    const aldis_ctx *ctx = &aldis__this_worker->ctx;
    return ctx->cell && ctx->system->virtual_time && channel->kind != &aldis__to_actor_kind;
}

aldis_err aldis__channel_stage(struct aldis_tx *channel, const void *value)
{
    struct aldis__worker *worker = aldis__this_worker;
    if (worker->run_ops >= worker->ctx.system->opts.underway_per_sender)
        return ALDIS_EFULL;
    struct staged *staged = malloc(sizeof *staged + channel->size);
    if (!staged)
        return ALDIS_ENOMEM;
    staged->call.run = enter_staged;
    staged->channel = channel;
    staged->tell = (aldis__ctx_send_flags(&worker->ctx) & ALDIS__MSG_NOTICE) != 0;
    if (channel->size)
        memcpy(staged->value, value, channel->size);
    if (!aldis__virtual_op_call(worker, worker->ctx.cell->id, &staged->call)) {
        free(staged);
        return ALDIS_ENOMEM;
    }
    if (channel->kind != &aldis__oneshot_kind)
        (void)aldis__fetch_add_relaxed(&channel->senders, 1); /* relaxed: as aldis_tx_clone */
    return ALDIS_OK;
}

/* A close, which comes after what its handler has sent before. */
struct staged_close {
    struct aldis__window_call call;
    struct aldis_tx *channel; /* one handle of it */
};

static void enter_close(aldis_system *system, struct aldis__window_call *call, aldis_id actor)
{
    struct staged_close *staged = (struct staged_close *)(void *)call;
    (void)actor;
    if (system) /* else it is destroyed */
        staged->channel->kind->close_sending(staged->channel);
    aldis_tx_drop(staged->channel);
    free(staged);
}

bool aldis__channel_stage_close(struct aldis_tx *channel)
{
    struct aldis__worker *worker = aldis__this_worker;
    if (!worker->ctx.cell || !worker->ctx.system->virtual_time)
        return false;
    struct staged_close *staged = malloc(sizeof *staged);
    if (!staged)
        return false;
    staged->call.run = enter_close;
    staged->channel = channel;
    if (!aldis__virtual_op_call(worker, worker->ctx.cell->id, &staged->call)) {
        free(staged);
        return false;
    }
    (void)aldis__fetch_add_relaxed(&channel->senders, 1); /* relaxed: as aldis_tx_clone */
    if (channel->kind == &aldis__to_actor_kind) /* in its sender's order, as all that it sent */
        tell_ended(to_actor_of(channel));
    return true;
}

/* ------------------------------------------------------------------ to be told of room */

/* An actor that wants to know. */
struct aldis__told {
    struct aldis__told *next;
    aldis_system *system;
    aldis_id actor;
    aldis_type *type;
};

/* A handler, or another thread, sends it. At the end of a window nobody can: there it is posted. */
static void tell_room(const struct aldis__told *told)
{
    static const struct aldis__tracker room = {.name = "channel room", .reserved = true};
    struct aldis__worker *worker = aldis__this_worker;
    if (worker->ctx.system != told->system || worker->ctx.cell) {
        (void)give(told->system, told->actor, told->type, NULL, 0);
        return;
    }
    const struct aldis__parcel parcel = {.to = told->actor, .type = told->type};
    const struct aldis__track track = {&room, ALDIS_FOREVER, 0, 0};
    if (!aldis_system_is_closed(told->system, told->actor))
        (void)aldis__post_parcel(worker, aldis_nobody(), &parcel, &track);
}

void aldis__told_all(struct aldis__gated *gated)
{
    /* Relaxed: whoever adds himself has looked for room after it, by read-modify-write. */
    if (!aldis__load_relaxed(&gated->told))
        return;
    /* TD1 acq_rel: pairs with TD2 in aldis_channel_tell_room_raw(): takes the entries. */
    struct aldis__told *told = aldis__exchange_acq_rel(&gated->told, NULL);
    while (told) {
        struct aldis__told *next = told->next;
        tell_room(told);
        free(told);
        told = next;
    }
}

void aldis__told_free(struct aldis__gated *gated)
{
    /* Relaxed: nobody else uses the channel any more. */
    struct aldis__told *told = aldis__load_relaxed(&gated->told);
    while (told) {
        struct aldis__told *next = told->next;
        free(told);
        told = next;
    }
}

aldis_err aldis_channel_tell_room_raw(aldis_ctx *ctx, aldis_tx *sender, aldis_type *type)
{
    if (!aldis__ctx_is_mine(ctx) || !sender || !type || type->size != 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type ? type->name : "",
                                "tell room: not this handler's context, or no sender or signal");
    aldis_err err = check_actor(ctx->system, ctx->cell->id, type);
    if (err != ALDIS_OK)
        return err;
    if (!sender->has_gate) /* it is never full */
        return give(ctx->system, ctx->cell->id, type, NULL, 0);
    struct aldis__gated *gated = aldis__gated_of(sender);
    struct aldis__told *told = malloc(sizeof *told);
    if (!told)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, type->name, NULL);
    told->system = ctx->system;
    told->actor = ctx->cell->id;
    told->type = type;
    /* Relaxed: the value is only compared again below. */
    told->next = aldis__load_relaxed(&gated->told);
    /* TD2 acq_rel: pairs with TD1 in aldis__told_all(): gives the entry. */
    while (!aldis__cas_weak_acq_rel(&gated->told, &told->next, told))
        continue;
    uint32_t room;
    if (aldis__gate_listen(&gated->gate, &room))
        aldis__told_all(gated);
    return ALDIS_OK;
}
