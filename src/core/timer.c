// SPDX-License-Identifier: Apache-2.0
/* timer.c: see timer.h. Layer: core. */
#include "core/timer.h"

#include "base/error.h"
#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/send.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/window.h"
#include <stdlib.h>
#include <string.h>

enum { TICKS_WAITING_MAX = 1 << 20 };

/* ------------------------------------------------------------------ records */

static struct aldis__timer *timer_at(const struct aldis__timer_table *table, uint32_t index)
{
    if (index / ALDIS__TIMER_CHUNK >= table->chunk_count)
        return NULL;
    return &table->chunks[index / ALDIS__TIMER_CHUNK][index % ALDIS__TIMER_CHUNK];
}

static bool add_chunk(struct aldis__timer_table *table)
{
    if (!table->chunks || table->chunk_count == table->chunk_capacity) {
        uint32_t capacity = table->chunk_capacity ? 2 * table->chunk_capacity : 4;
        struct aldis__timer **chunks = realloc(table->chunks, capacity * sizeof *chunks);
        if (!chunks)
            return false;
        table->chunks = chunks;
        table->chunk_capacity = capacity;
    }
    struct aldis__timer *chunk = calloc(ALDIS__TIMER_CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    for (uint32_t i = ALDIS__TIMER_CHUNK; i-- > 0;) {
        chunk[i].index = table->chunk_count * ALDIS__TIMER_CHUNK + i;
        chunk[i].generation = 1;
        chunk[i].owner_next = table->free;
        table->free = &chunk[i];
    }
    table->chunks[table->chunk_count++] = chunk;
    return true;
}

static struct aldis__timer *timer_new(struct aldis__timer_table *table, struct aldis__cell *cell)
{
    if (!table->free && !add_chunk(table))
        return NULL;
    struct aldis__timer *timer = table->free;
    if (!timer)
        return NULL;
    table->free = timer->owner_next;
    timer->cell = cell;
    timer->msg = NULL;
    timer->period_ns = 0;
    timer->waiting = 0;
    timer->merged = 0;
    timer->alarm = NULL;
    timer->owner_next = NULL;
    timer->owner_link = NULL;
    struct aldis__cell_ext *ext = cell ? cell->ext : NULL;
    if (!ext)
        return timer;
    timer->owner_next = ext->timers;
    timer->owner_link = &ext->timers;
    if (timer->owner_next)
        timer->owner_next->owner_link = &timer->owner_next;
    ext->timers = timer;
    ext->timer_count++;
    return timer;
}

static void timer_free(struct aldis__timer_table *table, struct aldis__timer *timer)
{
    struct aldis__cell_ext *ext = timer->cell ? timer->cell->ext : NULL;
    if (ext) {
        *timer->owner_link = timer->owner_next;
        if (timer->owner_next)
            timer->owner_next->owner_link = timer->owner_link;
        ext->timer_count--;
    }
    if (timer->alarm) { /* it may be set again, with another record */
        timer->alarm->timer = NULL;
        timer->alarm->due_ns = 0;
        timer->alarm = NULL;
    }
    timer->generation++;
    timer->cell = NULL;
    timer->msg = NULL;
    timer->owner_link = NULL;
    timer->owner_next = table->free;
    table->free = timer;
}

/* The model of a periodic timer's ticks, which no walk sees, since it is no message. Pooled blocks
 * go with their slabs; only live timers have one, and so nothing stands before its header. */
static void free_model(const struct aldis__timer *timer)
{
    if (timer->msg && timer->period_ns && aldis__msg_class(timer->msg) >= ALDIS__POOL_CLASS_LARGE)
        free(timer->msg);
}

void aldis__timer_table_fini(struct aldis__timer_table *table)
{
    for (uint32_t i = 0; i < table->chunk_count; i++) {
        for (uint32_t j = 0; j < ALDIS__TIMER_CHUNK; j++)
            free_model(&table->chunks[i][j]);
        free(table->chunks[i]);
    }
    free(table->chunks);
    memset(table, 0, sizeof *table);
}

static uint64_t handle_of(const struct aldis__timer *timer)
{
    return (uint64_t)timer->generation << 32 | (timer->index + 1);
}

static struct aldis__timer *find(const struct aldis__timer_table *table, uint64_t handle)
{
    uint32_t place = (uint32_t)handle;
    struct aldis__timer *timer = place ? timer_at(table, place - 1) : NULL;
    return timer && timer->cell && handle_of(timer) == handle ? timer : NULL;
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

static void send_tick(struct aldis__worker *worker, struct aldis__timer *timer)
{
    const struct aldis__msg_varying *payload = aldis__msg_inline(timer->msg);
    size_t bytes = sizeof *payload + payload->size;
    struct aldis__msg *tick = aldis__pool_alloc(worker->pool, bytes);
    struct aldis_type_stats *counts = &worker->counts[timer->msg->type];
    counts->sent++;
    if (!tick) {
        counts->rejected++; /* no memory for this tick; the next may find some */
        timer->waiting--;
        return;
    }
    unsigned class = aldis__msg_class(tick);
    *tick = *timer->msg;
    tick->lane_class = (uint8_t)((timer->msg->lane_class & 0xf0) | class);
    tick->pool_stamp = worker->pool_stamp;
    memcpy(aldis__msg_inline(tick), payload, bytes);
    aldis__deliver(worker, tick);
}

/* `due` more ticks are due. How many of them are to be sent. */
static uint64_t ticks_to_send(struct aldis__timer *timer, uint64_t due)
{
    uint32_t max = timer->waiting_max ? timer->waiting_max : 1;
    uint64_t room = timer->waiting < max ? max - timer->waiting : 0;
    uint64_t sent = due < room ? due : room;
    if (timer->waiting == 0)
        timer->merged = 0;
    if (timer->waiting_max == 0)
        timer->merged += due - sent;
    timer->waiting += (uint32_t)sent;
    return sent;
}

static void fire_periodic(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__timer *timer, aldis_ns now_ns)
{
    aldis_ns due_ns = timer->node.due_ns;
    uint64_t missed = (uint64_t)(now_ns - due_ns) / (uint64_t)timer->period_ns;
    uint64_t ticks = ticks_to_send(timer, missed + 1);
    /* The last one that was due is not after now: only the next can lie beyond the end of time. */
    aldis_ns last_ns = due_ns + (aldis_ns)missed * timer->period_ns;
    arm(worker, shard, timer, add_saturated(last_ns, timer->period_ns));
    uint64_t handle = handle_of(timer);
    while (ticks-- > 0 && find(&shard->timers, handle))
        send_tick(worker, timer);
}

static void ring(struct aldis__worker *worker, const struct aldis__timer *timer)
{
    const struct aldis__track track = {timer->tracker, ALDIS_FOREVER, 0,
                                       (uint64_t)timer->alarm->due_ns};
    aldis__post_tracked(worker, timer->cell->id, timer->cell->id, &track, NULL, 0);
}

static void fire(struct aldis__worker *worker, struct aldis__shard *shard,
                 struct aldis__timer *timer, aldis_ns now_ns)
{
    if (timer->period_ns) {
        fire_periodic(worker, shard, timer, now_ns);
        return;
    }
    if (timer->alarm) {
        ring(worker, timer);
        return;
    }
    struct aldis__msg *msg = timer->msg;
    timer->msg = NULL;
    if (!timer->cell || msg->type == ALDIS__TYPE_COMMAND) { /* no timer of the actor's own */
        timer_free(&shard->timers, timer);
        aldis__route(worker, msg);
        return;
    }
    aldis__deliver(worker, msg);
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

/* ------------------------------------------------------------------ life of a timer */

bool aldis__timer_delay(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__msg *msg, aldis_ns due_ns)
{
    struct aldis__timer *timer = timer_new(&shard->timers, NULL);
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
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(cell->id, system->node_base)]);
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    worker->counts[ALDIS__TYPE_COMMAND].sent++;
    if (system->virtual_time) {
        aldis__virtual_stamp_at(worker, cell, msg, add_saturated(worker->ctx.now_ns, delay_ns));
        aldis__virtual_schedule(worker, shard->index, msg);
        return true;
    }
    /* Of the actor, so that it goes with it: else nobody would be idle before the deadline. */
    struct aldis__timer *timer = aldis__cell_extend(cell) ? timer_new(&shard->timers, cell) : NULL;
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
        alarm->timer = aldis__cell_extend(cell) ? timer_new(&shard->timers, cell) : NULL;
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
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(cell->id, system->node_base)]);
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (system->virtual_time) {
        const struct aldis__track track = {tracker, ALDIS_FOREVER, 0, (uint64_t)due_ns};
        struct aldis__msg *msg = aldis__build_tracked(worker, cell->id, cell->id, &track, NULL, 0);
        aldis__virtual_stamp_at(worker, cell, msg, due_ns);
        aldis__virtual_schedule(worker, shard->index, msg);
    } else if (!alarm_live(worker, shard, cell, alarm, due_ns)) {
        return false;
    } else {
        alarm->timer->tracker = tracker;
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
    struct aldis__timer *timer = find(&shard->timers, *handle_in(msg));
    if (!timer)
        return false;
    if (!timer->period_ns) {
        timer_free(&shard->timers, timer);
        return true;
    }
    timer->waiting--;
    return true;
}

void aldis__timer_kept(struct aldis__shard *shard, struct aldis__msg *msg)
{
    struct aldis__timer *timer = find(&shard->timers, *handle_in(msg));
    if (!timer) {
        msg->flags &= (uint8_t)~ALDIS__MSG_TIMER;
        return;
    }
    timer->waiting++;
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
    struct aldis__timer *timer = find(&shard->timers, *handle_in(msg));
    if (timer && !timer->period_ns)
        timer_free(&shard->timers, timer);
    if (!timer || !timer->period_ns)
        return;
    timer->waiting--;
}

static void send_next(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__timer *timer, struct aldis__msg *msg)
{
    aldis_ns at_ns = aldis__msg_stamp(msg)->at_ns;
    if (timer->period_ns > ALDIS_FOREVER - 1 - at_ns)
        return; /* the next tick lies beyond the end of time */
    const struct aldis__msg_varying *payload = aldis__msg_inline(msg);
    size_t bytes = sizeof *payload + payload->size;
    struct aldis__msg *next = aldis__pool_alloc(worker->pool, bytes);
    struct aldis_type_stats *counts = &worker->counts[msg->type];
    if (!next) {
        counts->sent++;
        counts->rejected++;
        timer_free(&shard->timers, timer); /* no next tick without memory: the run says so */
        worker->fatal = ALDIS_ENOMEM;
        return;
    }
    unsigned class = aldis__msg_class(next);
    *next = *msg;
    next->lane_class = (uint8_t)((msg->lane_class & 0xf0) | class);
    next->pool_stamp = worker->pool_stamp;
    memcpy(aldis__msg_inline(next), payload, bytes);
    counts->sent++;
    timer->node.due_ns = at_ns + timer->period_ns;
    aldis__virtual_stamp_at(worker, timer->cell, next, timer->node.due_ns);
    aldis__virtual_schedule(worker, shard->index, next);
}

bool aldis__timer_arrived(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__msg *msg)
{
    struct aldis__timer *timer = find(&shard->timers, *handle_in(msg));
    if (timer && timer->period_ns) {
        bool sends = ticks_to_send(timer, 1) > 0;
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

static void cancel(struct aldis__worker *worker, struct aldis__shard *shard,
                   struct aldis__timer *timer)
{
    if (aldis__wheel_is_armed(&timer->node))
        aldis__wheel_remove(shard->wheel, &timer->node);
    if (timer->msg) {
        /* Once: the message was counted when it was armed, and now was never sent. Periodic: this
         * is only the model of its ticks, each of which is counted when it is sent. */
        if (!timer->period_ns)
            worker->counts[timer->msg->type].sent--;
        aldis__pool_free(worker->pool, timer->msg);
    }
    aldis_system *system = worker->ctx.system;
    if (system->virtual_time && timer->node.due_ns >= system->virtual_engine->end_ns) {
        shard->timers.cancelled++;
        /* Relaxed: looked at after the window, whose end orders it. */
        aldis__store_relaxed(&system->virtual_engine->cancelled, true);
    }
    timer_free(&shard->timers, timer);
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
    if (!(msg->flags & ALDIS__MSG_TIMER) || find(&sweep->shard->timers, *handle_in(msg)))
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
    aldis_system *system = worker->ctx.system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(cell->id, system->node_base)]);
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    while (cell->ext && cell->ext->timers)
        cancel(worker, shard, cell->ext->timers);
}

/* ------------------------------------------------------------------ public */

static aldis_err refuse_opts(const char *field, long long found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "timer: %s is %lld; allowed: %s",
                            field, found, allowed);
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
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, type->name, "timer");
    if (ctx->cell->ext->timer_count >= ALDIS__TIMERS_PER_ACTOR)
        return aldis__error_set(ALDIS_EAGAIN, ctx->cell->id, type->name,
                                "timer: the actor has %d already", ALDIS__TIMERS_PER_ACTOR);
    return ALDIS_OK;
}

static struct aldis__msg *build_tick(struct aldis__worker *worker, uint32_t type,
                                     const void *payload, size_t size)
{
    struct aldis__msg *msg =
        aldis__pool_alloc(worker->pool, sizeof(struct aldis__msg_varying) + size);
    if (!msg)
        return NULL;
    struct aldis__msg_varying *varying = aldis__msg_inline(msg);
    varying->size = size;
    if (size)
        memcpy(varying + 1, payload, size);
    msg->to = msg->from = worker->ctx.cell->id;
    msg->type = (uint16_t)type;
    msg->flags = ALDIS__MSG_VARIES | ALDIS__MSG_TIMER;
    msg->lane_class = (uint8_t)(ALDIS__RANK_NORMAL << 4 | aldis__msg_class(msg));
    msg->pool_stamp = worker->pool_stamp;
    return msg;
}

aldis_err aldis_timer_start_raw(aldis_ctx *ctx, const aldis_timer_opts *opts, aldis_type *type,
                                const void *payload, size_t size, aldis_timer *out_timer)
{
    struct aldis__worker *worker = aldis__this_worker;
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
    struct aldis__timer *timer = timer_new(&ctx->shard->timers, ctx->cell);
    struct aldis__msg *msg = timer ? build_tick(worker, index, payload, size) : NULL;
    if (!msg) {
        if (timer)
            timer_free(&ctx->shard->timers, timer);
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, type->name, "timer");
    }
    aldis_ns due_ns = add_saturated(aldis_now(ctx), opts->delay_ns);
    if (ctx->system->virtual_time &&
        (err = aldis__virtual_check_round(worker, msg, due_ns)) != ALDIS_OK) {
        timer_free(&ctx->shard->timers, timer);
        aldis__pool_free(worker->pool, msg);
        return err;
    }
    *handle_in(msg) = handle_of(timer);
    timer->period_ns = opts->period_ns;
    timer->waiting_max = opts->missed == ALDIS_MISSED_MERGE ? 0 : 1;
    if (opts->period_ns) /* its ticks are many: a full mailbox refuses them, and holds none back */
        msg->flags |= ALDIS__MSG_FANOUT;
    if (opts->missed == ALDIS_MISSED_BURST)
        timer->waiting_max = opts->burst_max ? opts->burst_max : 8;
    out_timer->bits = handle_of(timer);
    if (ctx->system->virtual_time) {
        worker->counts[index].sent++;
        timer->node.due_ns = due_ns;
        aldis__virtual_stamp_at(worker, ctx->cell, msg, due_ns);
        aldis__virtual_schedule(worker, ctx->shard->index, msg);
        return ALDIS_OK;
    }
    if (!opts->period_ns)
        worker->counts[index].sent++;
    timer->msg = msg;
    arm(worker, ctx->shard, timer, due_ns);
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
    const struct aldis__timer *timer = find(&ctx->shard->timers, *handle_in(ctx->msg));
    return timer && timer->period_ns ? 1 + timer->merged : 1;
}

aldis_err aldis_timer_cancel(aldis_ctx *ctx, aldis_timer handle)
{
    struct aldis__worker *worker = aldis__this_worker;
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "timer: the context belongs to another handler or thread");
    struct aldis__timer *timer = find(&ctx->shard->timers, handle.bits);
    if (!timer || timer->cell != ctx->cell)
        return aldis__error_set(ALDIS_ENOTFOUND, ctx->cell->id, "",
                                "timer: it has fired or was never this actor's");
    cancel(worker, ctx->shard, timer);
    return ALDIS_OK;
}
