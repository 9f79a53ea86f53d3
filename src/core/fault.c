// SPDX-License-Identifier: Apache-2.0
/* fault.c: see fault.h. Layer: core. */
#include "core/fault.h"

#include "core/deliver.h"
#include "core/link.h"
#include "core/supervise.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/vsend.h"
#include "core/window.h"
#include <aldis/actor.h>
#include <aldis/blob.h>
#include <string.h>

/* A copy has the number of its original, in a range of its own: so each message of the sender has
 * the number that it would have without faults, and a plan that leaves one fault out finds the
 * others where they were. */
#define SEQUENCE_OF_COPIES (UINT64_C(1) << (ALDIS__SEQUENCE_BITS - 3))

static const char *kind_name(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (place >= system->index_limit)
        return "";
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (!aldis__word_is_alive(word, actor))
        return "";
    return aldis__system_kind(system, aldis__word_kind(word))->behaviour->name;
}

static struct aldis__fault_site site_of(struct aldis__worker *worker, aldis_id actor,
                                        aldis_id other, uint32_t type, uint64_t number)
{
    aldis_system *system = worker->ctx.system;
    return (struct aldis__fault_site){.actor = actor,
                                      .other = other,
                                      .actor_kind = kind_name(system, actor),
                                      .other_kind = kind_name(system, other),
                                      .type_name = aldis__type_info(type)->name,
                                      .number = number,
                                      .now_ns = worker->ctx.now_ns};
}

/* ------------------------------------------------------------------ messages */

/* May its copy be told from it by whoever follows its fate? */
static bool can_be_copied(struct aldis__msg *msg)
{
    return !(msg->flags & ALDIS__MSG_TRACKED) || aldis__msg_track(msg)->tracker->duplicate;
}

/* Bytes between the header and the end of what the block holds. */
static size_t bytes_of(struct aldis__msg *msg)
{
    size_t size = 0, before = (msg->flags & ALDIS__MSG_TRACKED) ? sizeof(struct aldis__track) : 0;
    if (msg->flags & (ALDIS__MSG_SHARED | ALDIS__MSG_BLOB))
        return before + sizeof(void *);
    (void)aldis__msg_payload(msg, &size);
    return before + size +
           ((msg->flags & ALDIS__MSG_VARIES) ? sizeof(struct aldis__msg_varying) : 0);
}

/* One more of the same, counted as sent. NULL: out of memory, and so no fault. */
static struct aldis__msg *copy_of(struct aldis__worker *worker, struct aldis__msg *msg)
{
    size_t bytes = bytes_of(msg);
    struct aldis__msg *copy = aldis__pool_alloc(worker->pool, bytes);
    if (!copy)
        return NULL;
    copy->to = msg->to;
    copy->from = msg->from;
    copy->type = msg->type;
    copy->flags = msg->flags & (uint8_t)~ALDIS__MSG_NOTICE;
    copy->lane_class = (uint8_t)((msg->lane_class & 0xf0) | aldis__msg_class(copy));
    copy->pool_stamp = worker->pool_stamp;
    *aldis__msg_stamp(copy) = *aldis__msg_stamp(msg);
    memcpy(aldis__msg_inline(copy), aldis__msg_inline(msg), bytes);
    if (msg->flags & ALDIS__MSG_BLOB)
        aldis_blob_ref(*(aldis_blob **)aldis__msg_body(msg));
    if (msg->flags & ALDIS__MSG_SHARED)
        (*(struct aldis__shared **)aldis__msg_inline(msg))->refs++;
    if (msg->flags & ALDIS__MSG_TRACKED)
        aldis__msg_track(copy)->tracker->duplicate(aldis__msg_track(copy));
    worker->counts[msg->type].sent++;
    return copy;
}

/* The sender is not told: on a real link it would not know. */
static void lose(struct aldis__worker *worker, struct aldis__msg *msg)
{
    msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE;
    aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_ECOMM);
}

static void send_at(struct aldis__worker *worker, struct aldis__cell *sender,
                    struct aldis__msg *msg, uint32_t home, aldis_ns at_ns, bool is_copy)
{
    if (sender->flags & ALDIS__CELL_LINKED)
        at_ns = aldis__link_pass(sender, msg->to, at_ns);
    aldis__virtual_stamp_at(worker, sender, msg, at_ns);
    if (is_copy)
        aldis__msg_stamp(msg)->order |= SEQUENCE_OF_COPIES;
    aldis__virtual_schedule(worker, home, msg);
}

void aldis__fault_send(struct aldis__worker *worker, struct aldis__cell *sender,
                       struct aldis__msg *msg, uint32_t home, aldis_ns at_ns, bool fresh)
{
    const struct aldis__faults *faults = &worker->ctx.system->virtual_engine->faults;
    struct aldis__fault_site site =
        site_of(worker, msg->from, msg->to, msg->type, sender->sequence);
    site.fifo = (sender->flags & ALDIS__CELL_LINKED) && aldis__link_is_fifo(sender, msg->to);
    struct aldis__fault_send fault = faults->on_send(faults->arg, &site);
    /* A payload that is shared belongs to the worker of the send. */
    bool copies = fault.copy && can_be_copied(msg) && (fresh || !(msg->flags & ALDIS__MSG_SHARED));
    struct aldis__msg *copy = copies ? copy_of(worker, msg) : NULL;
    if (copy) {
        send_at(worker, sender, copy, home, aldis__virtual_add_time(at_ns, fault.copied_ns), true);
        sender->sequence--;
    }
    if (fault.lose) {
        sender->sequence++;
        lose(worker, msg);
    } else {
        send_at(worker, sender, msg, home, aldis__virtual_add_time(at_ns, fault.delay_ns), false);
    }
}

void aldis__fault_post(struct aldis__worker *worker, struct aldis__msg *msg)
{
    const struct aldis__faults *faults = &worker->ctx.system->virtual_engine->faults;
    struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    struct aldis__fault_site site = site_of(worker, msg->from, msg->to, msg->type, stamp->order);
    struct aldis__fault_send fault = faults->on_send(faults->arg, &site);
    aldis_ns at_ns = stamp->at_ns;
    struct aldis__msg *copy = fault.copy && can_be_copied(msg) ? copy_of(worker, msg) : NULL;
    if (copy) {
        /* A place of its own in the order, whenever it comes. */
        aldis__msg_stamp(copy)->at_ns = aldis__virtual_add_time(at_ns, fault.copied_ns);
        aldis__msg_stamp(copy)->order |= SEQUENCE_OF_COPIES;
        aldis__route(worker, copy);
    }
    if (fault.lose) {
        lose(worker, msg);
        return;
    }
    stamp->at_ns = aldis__virtual_add_time(at_ns, fault.delay_ns);
    aldis__route(worker, msg);
}

void aldis__tracked_same(struct aldis__track *track)
{
    (void)track;
}

/* ------------------------------------------------------------------ handlers */

static aldis__handle handler_of(const struct aldis__kind *kind, uint32_t type)
{
    const aldis_behaviour *behaviour = kind->behaviour;
    for (size_t i = 0; i < behaviour->handler_count; i++)
        if (aldis__type_index_if_known(behaviour->handlers[i].type) == type)
            return behaviour->handlers[i].handle;
    return NULL;
}

/* What the message says before its handler, which may keep it, has it. */
static struct aldis__heard listen(const aldis_ctx *ctx, const void *payload)
{
    struct aldis__msg *msg = ctx->msg;
    return (struct aldis__heard){.cell = ctx->cell,
                                 .from = msg->from,
                                 .stamp = *aldis__msg_stamp(msg),
                                 .type = msg->type,
                                 .flags = msg->flags,
                                 .rank = (uint8_t)aldis__msg_rank(msg),
                                 .payload = payload,
                                 .now_ns = ctx->now_ns};
}

static void tell_heard(const aldis_ctx *ctx, struct aldis__heard *heard, aldis_err err)
{
    const struct aldis__faults *faults = &ctx->system->virtual_engine->faults;
    if (!faults->arg || !faults->on_heard)
        return;
    bool settled = aldis__ctx_has_settled(ctx, ctx->cell->handled);
    heard->track = settled ? NULL : aldis__ctx_track(ctx);
    heard->payload = settled ? NULL : heard->payload;
    heard->err = err;
    faults->on_heard(faults->arg, heard);
}

/* After a handler that has done its work: what the plan has for the actor. */
static aldis_err fail_by_plan(aldis_ctx *ctx, aldis_id sender, uint32_t type)
{
    const struct aldis__faults *faults = &ctx->system->virtual_engine->faults;
    struct aldis__cell *cell = ctx->cell;
    if (!faults->arg)
        return ALDIS_OK;
    struct aldis__fault_site site =
        site_of(aldis__worker_of(ctx), cell->id, sender, type, cell->handled);
    struct aldis__fault_turn fault = faults->on_handled(faults->arg, &site);
    if (fault.pause_ns > 0)
        (void)aldis_busy(ctx, fault.pause_ns);
    if (!fault.crash && !fault.restart)
        return ALDIS_OK;
    if (fault.restart && aldis__life_of(cell))
        aldis__restart_force(cell);
    return aldis_fail(ctx, "a fault plan lets it crash");
}

/* In the place of each handler: the handler, and what comes after it. */
static aldis_err handle_with_faults(void *state, const void *payload, aldis_ctx *ctx)
{
    struct aldis__heard heard = listen(ctx, payload);
    aldis_err err = handler_of(ctx->cell->kind, heard.type)(state, payload, ctx);
    if (err == ALDIS_OK && !aldis__ctx_has_settled(ctx, ctx->cell->handled))
        err = fail_by_plan(ctx, heard.from, heard.type);
    tell_heard(ctx, &heard, err);
    return err;
}

/* In the place of the handler of confirmations, which the plan lets alone. */
static aldis_err hear_confirmation(void *state, const void *payload, aldis_ctx *ctx)
{
    struct aldis__heard heard = listen(ctx, payload);
    aldis_err err = handler_of(ctx->cell->kind, heard.type)(state, payload, ctx);
    tell_heard(ctx, &heard, err);
    return err;
}

/* Only the runtime's own types have no entry in the behaviour: they stay as they are. */
static void set_handlers(struct aldis__kind *kind, bool wrapped)
{
    const aldis_behaviour *behaviour = kind->behaviour;
    for (size_t i = 0; i < behaviour->handler_count; i++) {
        uint32_t type = aldis__type_index_if_known(behaviour->handlers[i].type);
        aldis__handle handle = behaviour->handlers[i].handle;
        if (kind->handle[type])
            kind->handle[type] = wrapped ? handle_with_faults : handle;
        if (type == ALDIS__TYPE_DELIVERED)
            kind->delivered = wrapped ? hear_confirmation : handle;
    }
}

bool aldis__fault_may_restart(const aldis_system *system)
{
    return system->virtual_engine && system->virtual_engine->faults.restarts;
}

void aldis__fault_wrap(aldis_system *system, struct aldis__kind *kind)
{
    if (system->virtual_engine && system->virtual_engine->faults.arg)
        set_handlers(kind, true);
}

void aldis__faults_set(aldis_system *system, const struct aldis__faults *faults)
{
    struct aldis__virtual *engine = system->virtual_engine;
    if (engine->faults.arg)
        engine->faults.destroy(engine->faults.arg);
    engine->faults = *faults;
    pthread_mutex_lock(&system->table_lock);
    for (uint32_t i = 0; i < system->kind_count; i++)
        set_handlers(aldis__system_kind(system, i), faults->arg != NULL);
    pthread_mutex_unlock(&system->table_lock);
}
