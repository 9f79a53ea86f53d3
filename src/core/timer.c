// SPDX-License-Identifier: Apache-2.0
/* timer.c: see timer.h. Layer: core. */
#include "core/timer.h"

#include "base/error.h"
#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/send.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/window.h"
#include <stdlib.h>
#include <string.h>

enum { TICKS_WAITING_MAX = 1 << 20 };

/* ------------------------------------------------------------------ records */

/* The record goes, and what only its kind has; its message is the caller's. */
static void timer_end(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__timer *timer)
{
    switch ((enum aldis__timer_kind)timer->kind) {
    case ALDIS__TIMER_TICKS:
        if (timer->ticks->model)
            aldis__pool_free(worker->pool, timer->ticks->model);
        free(timer->ticks);
        break;
    case ALDIS__TIMER_ALARM: /* it may be set again, with another record */
        timer->alarm->timer = NULL;
        timer->alarm->due_ns = 0;
        break;
    case ALDIS__TIMER_PLAIN:
    case ALDIS__TIMER_HOLDS:
        break;
    }
    aldis__timer_free(&shard->timers, timer);
}

/* A timer's message carries the handle beside its length. */
static uint64_t *handle_in(struct aldis__msg *msg)
{
    return &((struct aldis__msg_varying *)aldis__msg_inline(msg))->reserved;
}

static aldis_ns add_saturated(aldis_ns now_ns, aldis_ns delay_ns)
{
    return delay_ns > ALDIS_FOREVER - 1 - now_ns ? ALDIS_FOREVER - 1 : now_ns + delay_ns;
}

/* ------------------------------------------------------------------ firing (live) */

static void arm(struct aldis__worker *worker, struct aldis__shard *shard,
                struct aldis__timer *timer, aldis_ns due_ns)
{
    aldis__wheel_add(shard->wheel, &timer->node, due_ns);
    if (due_ns < worker->next_due_ns)
        worker->next_due_ns = due_ns;
}

static uint64_t tag_once(uint32_t type, unsigned class, uint32_t pool_stamp)
{
    return ALDIS__MSG_TAG(type, ALDIS__MSG_VARIES | ALDIS__MSG_TIMER, ALDIS__RANK_NORMAL, class,
                          pool_stamp);
}

/* The message of a timer that comes once, or the model of one's ticks. NULL: out of memory. */
static struct aldis__msg *build_once(struct aldis__worker *worker, uint64_t handle, aldis_id owner,
                                     uint32_t type, const void *payload, size_t size)
{
    struct aldis__msg *msg =
        aldis__pool_alloc(worker->pool, sizeof(struct aldis__msg_varying) + size);
    if (!msg)
        return NULL;
    struct aldis__msg_varying *varying = aldis__msg_inline(msg);
    varying->size = size;
    varying->reserved = handle;
    if (size)
        memcpy(varying + 1, payload, size);
    msg->to = msg->from = owner;
    msg->tag = tag_once(type, aldis__msg_class(msg), worker->pool_stamp);
    return msg;
}

/* A copy of a tick, as another message. NULL: out of memory. */
static struct aldis__msg *copy_tick(struct aldis__worker *worker, struct aldis__msg *tick)
{
    const struct aldis__msg_varying *payload = aldis__msg_inline(tick);
    size_t bytes = sizeof *payload + payload->size;
    struct aldis__msg *copy = aldis__pool_alloc(worker->pool, bytes);
    if (!copy)
        return NULL;
    unsigned class = aldis__msg_class(copy);
    *copy = *tick;
    copy->lane_class = (uint8_t)((tick->lane_class & 0xf0) | class);
    copy->pool_stamp = worker->pool_stamp;
    memcpy(aldis__msg_inline(copy), payload, bytes);
    return copy;
}

static void send_tick(struct aldis__worker *worker, struct aldis__ticks *ticks)
{
    struct aldis__msg *tick = copy_tick(worker, ticks->model);
    struct aldis_type_stats *counts = &worker->counts[ticks->model->type];
    counts->sent++;
    if (!tick) {
        counts->rejected++; /* no memory for this tick; the next may find some */
        ticks->waiting--;
        return;
    }
    aldis__deliver(worker, tick);
}

/* `due` more ticks are due. How many of them are to be sent. */
static uint64_t ticks_to_send(struct aldis__ticks *ticks, uint64_t due)
{
    uint32_t max = ticks->waiting_max ? ticks->waiting_max : 1;
    uint64_t room = ticks->waiting < max ? max - ticks->waiting : 0;
    uint64_t sent = due < room ? due : room;
    if (ticks->waiting == 0)
        ticks->merged = 0;
    if (ticks->waiting_max == 0)
        ticks->merged += due - sent;
    ticks->waiting += (uint32_t)sent;
    return sent;
}

static void fire_ticks(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__timer *timer, aldis_ns now_ns)
{
    struct aldis__ticks *ticks = timer->ticks;
    aldis_ns due_ns = timer->node.due_ns;
    uint64_t missed = (uint64_t)(now_ns - due_ns) / (uint64_t)ticks->period_ns;
    uint64_t count = ticks_to_send(ticks, missed + 1);
    /* The last one that was due is not after now: only the next can lie beyond the end of time. */
    aldis_ns last_ns = due_ns + (aldis_ns)missed * ticks->period_ns;
    arm(worker, shard, timer, add_saturated(last_ns, ticks->period_ns));
    uint64_t handle = aldis__timer_handle(timer);
    while (count-- > 0 && aldis__timer_find(&shard->timers, handle))
        send_tick(worker, ticks);
}

static void fire_plain(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__timer *timer, aldis_ns now_ns)
{
    struct aldis__msg *msg =
        build_once(worker, aldis__timer_handle(timer), timer->cell->id, timer->type, NULL, 0);
    if (msg)
        aldis__deliver(worker, msg);
    else /* it was promised: late is better than never */
        arm(worker, shard, timer, add_saturated(now_ns, ALDIS_MS));
}

static void fire_held(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__timer *timer)
{
    struct aldis__msg *msg = timer->msg;
    timer->msg = NULL;
    if (timer->cell && msg->type != ALDIS__TYPE_COMMAND) {
        aldis__deliver(worker, msg);
        return;
    }
    timer_end(worker, shard, timer); /* no timer of the actor's own */
    aldis__route(worker, msg);
}

static void ring(struct aldis__worker *worker, const struct aldis__timer *timer)
{
    const struct aldis__track track = {timer->alarm->tracker, ALDIS_FOREVER, 0,
                                       (uint64_t)timer->alarm->due_ns};
    aldis__post_tracked(worker, timer->cell->id, timer->cell->id, &track, NULL, 0);
}

static void fire(struct aldis__worker *worker, struct aldis__shard *shard,
                 struct aldis__timer *timer, aldis_ns now_ns)
{
    switch ((enum aldis__timer_kind)timer->kind) {
    case ALDIS__TIMER_PLAIN:
        fire_plain(worker, shard, timer, now_ns);
        break;
    case ALDIS__TIMER_HOLDS:
        fire_held(worker, shard, timer);
        break;
    case ALDIS__TIMER_TICKS:
        fire_ticks(worker, shard, timer, now_ns);
        break;
    case ALDIS__TIMER_ALARM:
        ring(worker, timer);
        break;
    }
}

void aldis__timers_fire(struct aldis__worker *worker, aldis_ns now_ns)
{
    aldis_system *system = worker->ctx.system;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (aldis__handover_owner(&shard->handover) != worker->index || shard->wheel->count == 0)
            continue;
        struct aldis__wheel_node *node;
        while ((node = aldis__wheel_pop(shard->wheel, now_ns)))
            fire(worker, shard, (struct aldis__timer *)(void *)node, now_ns);
    }
    aldis__timers_find_next(worker);
}

void aldis__timers_find_next(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    worker->next_due_ns = ALDIS_FOREVER;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (aldis__handover_owner(&shard->handover) != worker->index)
            continue;
        aldis_ns next_ns = aldis__wheel_next_due(shard->wheel);
        if (next_ns < worker->next_due_ns)
            worker->next_due_ns = next_ns;
    }
}

/* ------------------------------------------------------------------ the walk */

void aldis__timers_walk(struct aldis__shard *shard,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg)
{
    for (uint32_t place = 1; place < shard->timers.end; place++) {
        struct aldis__timer *timer = aldis__timer_at(&shard->timers, place);
        if (!aldis__wheel_is_armed(&timer->node))
            continue;
        if (timer->kind == ALDIS__TIMER_HOLDS) {
            visit(arg, timer->msg);
        } else if (timer->kind == ALDIS__TIMER_PLAIN) {
            struct {
                struct aldis__msg msg;
                struct aldis__msg_varying varying;
            } block = {.msg = {.to = timer->cell->id, .from = timer->cell->id},
                       .varying = {.reserved = aldis__timer_handle(timer)}};
            block.msg.tag = tag_once(timer->type, 0, 0);
            visit(arg, &block.msg);
        }
    }
}

/* ------------------------------------------------------------------ life of a timer */

bool aldis__timer_delay(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__msg *msg, aldis_ns due_ns)
{
    struct aldis__timer *timer = aldis__timer_new(&shard->timers, NULL, ALDIS__TIMER_HOLDS);
    if (!timer)
        return false;
    timer->msg = msg;
    arm(worker, shard, timer, due_ns);
    return true;
}

bool aldis__timer_post_command(struct aldis__worker *worker, struct aldis__cell *cell,
                               aldis_ns delay_ns, const struct aldis__command *command)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__msg *msg = aldis__pool_alloc(worker->pool, sizeof *command);
    if (!msg)
        return false;
    msg->to = msg->from = cell->id;
    msg->type = ALDIS__TYPE_COMMAND;
    msg->flags = 0;
    msg->lane_class = (uint8_t)(ALDIS__RANK_CONTROL << 4 | aldis__msg_class(msg));
    msg->pool_stamp = worker->pool_stamp;
    memcpy(aldis__msg_inline(msg), command, sizeof *command);
    struct aldis__shard *shard = aldis__system_home(system, cell->id);
    worker->counts[ALDIS__TYPE_COMMAND].sent++;
    if (system->virtual_time) {
        aldis__virtual_stamp_at(worker, cell, msg, add_saturated(worker->ctx.now_ns, delay_ns));
        aldis__virtual_schedule(worker, shard->index, msg);
        return true;
    }
    /* Of the actor, so that it goes with it: else nobody would be idle before the deadline. */
    struct aldis__timer *timer = aldis__cell_extend(cell)
                                     ? aldis__timer_new(&shard->timers, cell, ALDIS__TIMER_HOLDS)
                                     : NULL;
    if (timer) {
        timer->msg = msg;
        arm(worker, shard, timer, add_saturated(worker->ctx.now_ns, delay_ns));
        return true;
    }
    worker->counts[ALDIS__TYPE_COMMAND].sent--;
    aldis__pool_free(worker->pool, msg);
    return false;
}

/* ------------------------------------------------------------------ alarms */

static bool alarm_live(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__cell *cell, struct aldis__alarm *alarm, aldis_ns due_ns)
{
    if (!alarm->timer) {
        alarm->timer = aldis__cell_extend(cell)
                           ? aldis__timer_new(&shard->timers, cell, ALDIS__TIMER_ALARM)
                           : NULL;
        if (!alarm->timer)
            return false;
        alarm->timer->alarm = alarm;
    }
    if (aldis__wheel_is_armed(&alarm->timer->node))
        aldis__wheel_remove(shard->wheel, &alarm->timer->node);
    arm(worker, shard, alarm->timer, due_ns);
    return true;
}

bool aldis__alarm_set(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__alarm *alarm, aldis_ns due_ns,
                      const struct aldis__tracker *tracker)
{
    if (alarm->due_ns && alarm->due_ns <= due_ns)
        return true;
    aldis_system *system = worker->ctx.system;
    struct aldis__shard *shard = aldis__system_home(system, cell->id);
    if (system->virtual_time) {
        const struct aldis__track track = {tracker, ALDIS_FOREVER, 0, (uint64_t)due_ns};
        struct aldis__msg *msg = aldis__build_tracked(worker, cell->id, cell->id, &track, NULL, 0);
        aldis__virtual_stamp_at(worker, cell, msg, due_ns);
        aldis__virtual_schedule(worker, shard->index, msg);
    } else if (!alarm_live(worker, shard, cell, alarm, due_ns)) {
        return false;
    } else {
        alarm->tracker = tracker;
    }
    alarm->due_ns = due_ns;
    return true;
}

void aldis__alarm_clear(struct aldis__worker *worker, struct aldis__alarm *alarm)
{
    if (!alarm->timer)
        return;
    alarm->due_ns = 0;
    if (aldis__wheel_is_armed(&alarm->timer->node))
        aldis__wheel_remove(worker->ctx.shard->wheel, &alarm->timer->node);
}

void aldis__alarm_end(struct aldis__worker *worker, struct aldis__alarm *alarm)
{
    if (!alarm->timer)
        return;
    aldis__alarm_clear(worker, alarm);
    aldis__timer_free(&worker->ctx.shard->timers, alarm->timer);
    alarm->timer = NULL;
}

void aldis__alarm_forget(struct aldis__worker *worker, struct aldis__alarm *alarm)
{
    aldis__alarm_clear(worker, alarm);
    alarm->due_ns = 0; /* virtual: one under way finds that it has been overtaken */
}

bool aldis__alarm_came(struct aldis__alarm *alarm, const struct aldis__track *track)
{
    if ((uint64_t)alarm->due_ns != track->b)
        return false;
    alarm->due_ns = 0;
    return true;
}

/* ------------------------------------------------------------------ in the turn */

bool aldis__timer_accept(struct aldis__shard *shard, struct aldis__msg *msg)
{
    struct aldis__timer *timer = aldis__timer_find(&shard->timers, *handle_in(msg));
    if (!timer)
        return false;
    if (timer->kind == ALDIS__TIMER_TICKS)
        timer->ticks->waiting--;
    else
        aldis__timer_free(&shard->timers, timer);
    return true;
}

void aldis__timer_kept(struct aldis__shard *shard, struct aldis__msg *msg)
{
    struct aldis__timer *timer = aldis__timer_find(&shard->timers, *handle_in(msg));
    if (timer)
        timer->ticks->waiting++;
    else
        msg->flags &= (uint8_t)~ALDIS__MSG_TIMER;
}

void aldis__timer_forget(struct aldis__worker *worker, struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(msg->to, system->node_base)]);
    /* Its actor took it with it; and the next actor of the slot may live on another shard, where
     * the handle names a timer of somebody else. */
    if (!aldis__word_is_alive(word, msg->to))
        return;
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    struct aldis__timer *timer = aldis__timer_find(&shard->timers, *handle_in(msg));
    if (timer && timer->kind == ALDIS__TIMER_TICKS)
        timer->ticks->waiting--;
    else if (timer)
        aldis__timer_free(&shard->timers, timer);
}

static void send_next(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__timer *timer, struct aldis__msg *msg)
{
    aldis_ns at_ns = aldis__msg_stamp(msg)->at_ns, period_ns = timer->ticks->period_ns;
    if (period_ns > ALDIS_FOREVER - 1 - at_ns)
        return; /* the next tick lies beyond the end of time */
    struct aldis__msg *next = copy_tick(worker, msg);
    struct aldis_type_stats *counts = &worker->counts[msg->type];
    counts->sent++;
    if (!next) {
        counts->rejected++;
        timer_end(worker, shard, timer); /* no next tick without memory: the run says so */
        worker->fatal = ALDIS_ENOMEM;
        return;
    }
    timer->node.due_ns = at_ns + period_ns;
    aldis__virtual_stamp_at(worker, timer->cell, next, timer->node.due_ns);
    aldis__virtual_schedule(worker, shard->index, next);
}

bool aldis__timer_arrived(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__msg *msg)
{
    struct aldis__timer *timer = aldis__timer_find(&shard->timers, *handle_in(msg));
    if (timer && timer->kind == ALDIS__TIMER_TICKS) {
        bool sends = ticks_to_send(timer->ticks, 1) > 0;
        send_next(worker, shard, timer, msg);
        if (sends)
            return true;
    } else if (timer) {
        return true;
    }
    worker->counts[msg->type].sent--; /* as if it had never been sent */
    aldis__pool_free(worker->pool, msg);
    return false;
}

/* Live: the message of an armed timer was counted as sent, and now never was. (The ticks of a
 * periodic one are counted when they are sent.) */
static void unsend(struct aldis__worker *worker, struct aldis__timer *timer)
{
    uint32_t type = timer->type;
    if (timer->kind == ALDIS__TIMER_HOLDS) {
        type = timer->msg->type;
        aldis__pool_free(worker->pool, timer->msg);
    } else if (timer->kind != ALDIS__TIMER_PLAIN) {
        return;
    }
    worker->counts[type].sent--;
}

static void cancel(struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__timer *timer)
{
    aldis_system *system = worker->ctx.system;
    if (aldis__wheel_is_armed(&timer->node)) {
        aldis__wheel_remove(shard->wheel, &timer->node);
        unsend(worker, timer);
    } else if (system->virtual_time && timer->node.due_ns >= system->virtual_engine->end_ns) {
        shard->timers.cancelled++;
        /* Relaxed: looked at after the window, whose end orders it. */
        aldis__store_relaxed(&system->virtual_engine->cancelled, true);
    }
    timer_end(worker, shard, timer);
}

/* ------------------------------------------------------------------ cancelled (virtual time)
 *
 * The message of a cancelled timer stays in the calendar until its time comes, for it cannot be
 * found there. So that they do not gather (most time-outs are cancelled), they are swept out when
 * they may be half of all: a sweep costs no more than the cancels since the last, so a cancel is
 * O(1) all the same. And they are swept out when nothing else is left: time ends with what is to
 * happen, not with what is not. The count is of those cancelled since the last sweep; some of them
 * may have come and gone, which only makes the next sweep early. */

struct sweep {
    struct aldis__worker *worker;
    struct aldis__shard *shard;
};

static bool sweep_one(void *arg, struct aldis__msg *msg)
{
    const struct sweep *sweep = arg;
    if (!(msg->flags & ALDIS__MSG_TIMER) ||
        aldis__timer_find(&sweep->shard->timers, *handle_in(msg)))
        return false;
    sweep->worker->counts[msg->type].sent--;
    aldis__pool_free(sweep->worker->pool, msg);
    return true;
}

static void sweep_shard(aldis_system *system, struct aldis__shard *shard)
{
    struct sweep sweep = {&system->workers[0], shard};
    shard->timers.cancelled = 0;
    aldis__vqueue_remove_if(&shard->future, sweep_one, &sweep);
}

void aldis__timers_sweep(aldis_system *system)
{
    enum { FEW = 256 };
    struct aldis__virtual *engine = system->virtual_engine;
    uint64_t cancelled = 0, count = 0;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (shard->timers.cancelled >= FEW && shard->timers.cancelled >= shard->future.count / 2)
            sweep_shard(system, shard);
        cancelled += shard->timers.cancelled;
        count += shard->future.count;
    }
    for (uint32_t i = 0; cancelled >= count && i < system->shard_count; i++)
        if (system->shards[i].timers.cancelled)
            sweep_shard(system, &system->shards[i]);
    if (cancelled == 0 || cancelled >= count)
        aldis__store_relaxed(&engine->cancelled, false); /* relaxed: no worker runs */
}

void aldis__timers_cancel_all(struct aldis__worker *worker, struct aldis__cell *cell)
{
    if (!cell->ext || !cell->ext->timers)
        return;
    struct aldis__shard *shard = aldis__system_home(worker->ctx.system, cell->id);
    while (cell->ext && cell->ext->timers)
        cancel(worker, shard, aldis__timer_at(&shard->timers, cell->ext->timers));
}

/* ------------------------------------------------------------------ public */

static ALDIS_COLD aldis_err refuse_opts(const char *field, long long found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "timer: %s is %lld; allowed: %s",
                            field, found, allowed);
}

static ALDIS_COLD aldis_err no_memory(const aldis_ctx *ctx, const char *type_name)
{
    return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, type_name, "timer");
}

static aldis_err check_start(aldis_ctx *ctx, const aldis_timer_opts *opts, const aldis_type *type,
                             const aldis_timer *out_timer)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "timer: the context belongs to another handler or thread");
    if (!opts || !type || !out_timer)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "timer: an argument is NULL");
    if (opts->delay_ns < 0)
        return refuse_opts("delay_ns", opts->delay_ns, "0 or more");
    if (opts->period_ns < 0)
        return refuse_opts("period_ns", opts->period_ns, "1 or more, or 0 for once");
    if ((unsigned)opts->missed > ALDIS_MISSED_MERGE)
        return refuse_opts("missed", (long long)opts->missed, "skip, burst or merge");
    if (opts->burst_max > TICKS_WAITING_MAX)
        return refuse_opts("burst_max", opts->burst_max, "up to 1048576");
    if (ctx->cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED))
        return aldis__error_set(ALDIS_ESHUTDOWN, ctx->cell->id, type->name,
                                "timer: the actor is stopping");
    if (!aldis__cell_extend(ctx->cell))
        return no_memory(ctx, type->name);
    if (ctx->cell->ext->timer_count >= ALDIS__TIMERS_PER_ACTOR)
        return aldis__error_set(ALDIS_EAGAIN, ctx->cell->id, type->name,
                                "timer: the actor has %d already", ALDIS__TIMERS_PER_ACTOR);
    return ALDIS_OK;
}

/* Live, and no payload: a record, and no message until it is due. */
static aldis_err start_plain(aldis_ctx *ctx, aldis_ns due_ns, const aldis_type *type,
                             uint32_t index, aldis_timer *out_timer)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__timer *timer =
        aldis__timer_new(&ctx->shard->timers, ctx->cell, ALDIS__TIMER_PLAIN);
    if (!timer)
        return no_memory(ctx, type->name);
    timer->type = (uint16_t)index;
    worker->counts[index].sent++;
    arm(worker, ctx->shard, timer, due_ns);
    out_timer->bits = aldis__timer_handle(timer);
    return ALDIS_OK;
}

static bool add_ticks(struct aldis__timer *timer, const aldis_timer_opts *opts,
                      struct aldis__msg *model)
{
    struct aldis__ticks *ticks = malloc(sizeof *ticks);
    if (!ticks)
        return false;
    *ticks = (struct aldis__ticks){.period_ns = opts->period_ns, .model = model, .waiting_max = 1};
    if (opts->missed == ALDIS_MISSED_MERGE)
        ticks->waiting_max = 0;
    else if (opts->missed == ALDIS_MISSED_BURST)
        ticks->waiting_max = opts->burst_max ? opts->burst_max : 8;
    timer->kind = ALDIS__TIMER_TICKS;
    timer->ticks = ticks;
    return true;
}

/* With a message: in virtual time it goes under way, live it is held, or is the model of ticks. */
static aldis_err start_built(aldis_ctx *ctx, const aldis_timer_opts *opts, aldis_ns due_ns,
                             struct aldis__msg *msg, struct aldis__timer *timer)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    bool is_virtual = ctx->system->virtual_time;
    aldis_err err = is_virtual ? aldis__virtual_check_round(worker, msg, due_ns) : ALDIS_OK;
    if (err == ALDIS_OK && is_virtual && ctx->system->memory &&
        !aldis__memory_spend(worker, aldis__memory_of(msg), true))
        err = no_memory(ctx, aldis__type_info(msg->type)->name);
    if (err != ALDIS_OK)
        return err;
    if (opts->period_ns) {
        if (!add_ticks(timer, opts, is_virtual ? NULL : msg))
            return no_memory(ctx, aldis__type_info(msg->type)->name);
        msg->flags |= ALDIS__MSG_FANOUT; /* they are many: a full mailbox refuses them */
    } else if (!is_virtual) {
        timer->kind = ALDIS__TIMER_HOLDS;
        timer->msg = msg;
    }
    if (is_virtual || !opts->period_ns)
        worker->counts[msg->type].sent++;
    if (!is_virtual) {
        arm(worker, ctx->shard, timer, due_ns);
        return ALDIS_OK;
    }
    timer->node.due_ns = due_ns;
    aldis__virtual_stamp_at(worker, ctx->cell, msg, due_ns);
    aldis__virtual_schedule(worker, ctx->shard->index, msg);
    return ALDIS_OK;
}

aldis_err aldis_timer_start_raw(aldis_ctx *ctx, const aldis_timer_opts *opts, aldis_type *type,
                                const void *payload, size_t size, aldis_timer *out_timer)
{
    aldis_err err = check_start(ctx, opts, type, out_timer);
    uint32_t index = 0;
    if (err == ALDIS_OK)
        err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err;
    if (!ctx->cell->kind->handle[index])
        return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, type->name,
                                "timer: %s does not accept %s", ctx->cell->kind->behaviour->name,
                                type->name);
    aldis_ns due_ns = add_saturated(ctx->now_ns + ctx->busy_ns, opts->delay_ns);
    if (size == 0 && opts->period_ns == 0 && !ctx->system->virtual_time)
        return start_plain(ctx, due_ns, type, index, out_timer);
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__timer_table *table = &ctx->shard->timers;
    struct aldis__timer *timer = aldis__timer_new(table, ctx->cell, ALDIS__TIMER_PLAIN);
    if (!timer)
        return no_memory(ctx, type->name);
    uint64_t handle = aldis__timer_handle(timer);
    struct aldis__msg *msg = build_once(worker, handle, ctx->cell->id, index, payload, size);
    err = msg ? start_built(ctx, opts, due_ns, msg, timer) : no_memory(ctx, type->name);
    if (err != ALDIS_OK) {
        aldis__timer_free(table, timer);
        if (msg)
            aldis__pool_free(worker->pool, msg);
        return err;
    }
    out_timer->bits = handle;
    return ALDIS_OK;
}

aldis_err aldis_timer_every_raw(aldis_ctx *ctx, const aldis_timer_opts *opts, aldis_type *type,
                                const void *payload, size_t size, aldis_timer *out_timer)
{
    if (opts && opts->period_ns <= 0)
        return refuse_opts("period_ns", opts->period_ns, "1 or more");
    return aldis_timer_start_raw(ctx, opts, type, payload, size, out_timer);
}

uint64_t aldis_ticks(const aldis_ctx *ctx)
{
    if (!aldis__ctx_is_mine(ctx) || !ctx->msg)
        return 0;
    if (!(ctx->msg->flags & ALDIS__MSG_TIMER))
        return 1;
    const struct aldis__timer *timer = aldis__timer_find(&ctx->shard->timers, *handle_in(ctx->msg));
    return timer && timer->kind == ALDIS__TIMER_TICKS ? 1 + timer->ticks->merged : 1;
}

aldis_err aldis_timer_cancel(aldis_ctx *ctx, aldis_timer handle)
{
    struct aldis__worker *worker = aldis__this_worker;
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "timer: the context belongs to another handler or thread");
    struct aldis__timer *timer = aldis__timer_find(&ctx->shard->timers, handle.bits);
    if (!timer || timer->cell != ctx->cell)
        return aldis__error_set(ALDIS_ENOTFOUND, ctx->cell->id, "",
                                "timer: it has fired or was never this actor's");
    cancel(worker, ctx->shard, timer);
    return ALDIS_OK;
}
