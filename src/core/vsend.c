// SPDX-License-Identifier: Apache-2.0
/* vsend.c: sending in virtual time. HOT PATH 2/5 there: may not lock, log or touch a shared
 * counter.
 *
 * Layer: core. A message is stamped with its time of arrival and its place in the order, and goes
 * into the calendar of its receiver's shard: at once if this worker runs the window alone, else by
 * a list of its own that is merged at the end. aldis__virtual_try_send() is the whole way of a
 * message that needs nothing special; it gives the same stamps as the one that looks at
 * everything. */
#include "core/vsend.h"

#include "base/error.h"
#include "core/link.h"
#include "core/memory.h"
#include "core/send.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/window.h"
#include <stdlib.h>

#define SEQUENCE_FOR_ANOTHER (UINT64_C(1) << (ALDIS__SEQUENCE_BITS - 1))

/* Kept when no shard runs. Not by links through the messages, which the merge would have to fetch
 * from wherever they lie. */
void aldis__virtual_collect(struct aldis__worker *worker, uint32_t shard,
                            struct aldis__sort_entry entry, uint64_t window)
{
    struct aldis__out_chain *chain = &worker->out[shard];
    if (aldis__likely(aldis__vout_add(&worker->vout[shard], entry, window)))
        return;
    if (chain->count++ == 0)
        chain->oldest = entry.msg;
    entry.msg->next = chain->newest;
    chain->newest = entry.msg;
}

static inline void schedule(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__virtual *engine = system->virtual_engine;
    aldis_ns at_ns = aldis__msg_stamp(msg)->at_ns;
    /* Within its window an actor hears itself at once; with zero delays allowed, in the next
     * round. */
    if (engine->in_window && at_ns < engine->end_ns && !system->opts.zero_delay &&
        aldis__id_index(msg->to, system->node_base) == worker->run_receiver &&
        aldis__window_add_self(worker, msg))
        return;
    /* In a round of an instant, what is for the next round waits until all shards have run this
     * one: a shard that runs later must not hear of it sooner. */
    bool next_round = system->opts.zero_delay && engine->in_window && at_ns < engine->end_ns;
    struct aldis__vqueue *future = &system->shards[shard].future;
    struct aldis__sort_entry entry = aldis__vqueue_entry(future, msg);
    uint64_t window = aldis__vqueue_window_at(future, at_ns);
    if (next_round)
        aldis__virtual_collect(worker, shard, entry, window);
    else
        aldis__virtual_put(worker, shard, entry, window);
}

bool aldis__virtual_try_send(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                             size_t size, const aldis_send_opts *opts)
{
    struct aldis__worker *worker = aldis__this_worker;
    /* Of a system that is live, or whose instants have rounds, the quota is 0. */
    if (ctx != &worker->ctx || worker->run_sent >= worker->send_quota || !type ||
        size != type->size || size > ALDIS__COPY_INLINE_MAX || (!payload && size))
        return false;
    aldis_system *system = ctx->system;
    struct aldis__cell *sender = ctx->cell;
    uint32_t index = aldis__type_index_if_known(type);
    uint64_t place = aldis__id_index(to, system->node_base);
    if (!sender || index < ALDIS__TYPE_STATUS || place >= system->index_limit)
        return false;
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (!aldis__word_is_open(word, to) || (word & ALDIS__WORD_FULL) ||
        !aldis__system_kind(system, aldis__word_kind(word))->handle[index])
        return false;
    aldis_ns delay_ns = system->opts.default_delay_ns;
    if (opts) {
        delay_ns = opts->delay_ns ? opts->delay_ns : delay_ns;
        if (opts->lane != ALDIS_LANE_NORMAL)
            return false;
    }
    aldis_ns from_ns = ctx->now_ns + ctx->busy_ns;
    struct aldis__pool *pool = worker->pool;
    unsigned class = aldis__pool_class(pool, size);
    struct aldis__msg *msg = pool->free[class];
    if (!msg || delay_ns <= 0 || delay_ns >= ALDIS_FOREVER - 1 - from_ns ||
        (delay_ns < system->opts.lookahead_ns && !aldis_id_equal(to, sender->id)) ||
        (sender->flags & (ALDIS__CELL_OVERFLOW | ALDIS__CELL_LINKED)))
        return false;
    aldis__pool_pop(pool, msg, class);
    *aldis__msg_stamp(msg) = (struct aldis__stamp){from_ns + delay_ns, sender->sequence++};
    msg->to = to;
    msg->from = sender->id;
    msg->tag = ctx->send_tag | ALDIS__MSG_TAG(index, 0, 0, class, 0);
    aldis__copy_payload(aldis__msg_inline(msg), payload, size);
    worker->run_sent++;
    worker->counts[index].sent++;
    schedule(worker, aldis__word_home(word), msg);
    return true;
}

/* ------------------------------------------------------------------ stamping */

void aldis__virtual_stamp_at(struct aldis__worker *worker, struct aldis__cell *sender,
                             struct aldis__msg *msg, aldis_ns at_ns)
{
    struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    uint64_t step = at_ns == worker->ctx.now_ns ? worker->ctx.microstep + UINT64_C(1) : 0;
    stamp->at_ns = at_ns;
    stamp->order = step << ALDIS__SEQUENCE_BITS | sender->sequence++;
}

void aldis__virtual_stamp_runtime(struct aldis__worker *worker, struct aldis__msg *msg)
{
    struct aldis__virtual *engine = aldis__engine_of(worker);
    aldis_system *system = worker->ctx.system;
    struct aldis__stamp *stamp = aldis__msg_stamp(msg);
    stamp->at_ns = aldis__virtual_effect_time(engine);
    if (aldis_id_is_nobody(msg->from)) {
        stamp->order = engine->sequence++;
        return;
    }
    /* Two messages of one sender to one receiver never have the same place in the order, or it
     * would depend on who was first. In a window only the actor that runs counts for itself; at its
     * end those do that have ended with it. Whoever else is named as the sender (the dead, or one
     * that takes no more mail) may live on a shard that another worker runs: then the actor that
     * runs counts in its stead, apart from all that the other counts itself. */
    uint64_t place = aldis__id_index(msg->from, system->node_base);
    struct aldis__cell *cell = aldis__system_cell(system, place);
    bool counts = !engine->in_window;
    /* Mail for the dead runs at the place that was theirs, which the shard of its slot, on another
     * worker, may give to a newcomer meanwhile. */
    if (engine->in_window && place == worker->run_receiver)
        counts = aldis__word_is_alive(aldis__directory_read(&system->directory[place]), msg->from);
    if (counts && aldis_id_equal(cell->id, msg->from))
        stamp->order = cell->sequence++;
    else
        stamp->order = SEQUENCE_FOR_ANOTHER | worker->run_ops++;
}

void aldis__virtual_resend(struct aldis__worker *worker, uint32_t home, struct aldis__msg *msg)
{
    const struct aldis_system_opts *opts = &worker->ctx.system->opts;
    uint64_t place = aldis__id_index(msg->from, worker->ctx.system->node_base);
    struct aldis__cell *sender = aldis__system_cell(worker->ctx.system, place);
    aldis_ns delay_ns =
        opts->default_delay_ns > opts->lookahead_ns ? opts->default_delay_ns : opts->lookahead_ns;
    aldis_ns at_ns = aldis__virtual_add_time(worker->ctx.now_ns, delay_ns);
    if (at_ns < aldis__msg_stamp(msg)->at_ns)
        at_ns = aldis__msg_stamp(msg)->at_ns;
    if (aldis__unlikely(aldis__engine_of(worker)->faults.arg != NULL) &&
        !aldis_id_equal(msg->to, msg->from)) {
        aldis__fault_send(worker, sender, msg, home, at_ns, false);
        return;
    }
    if (sender->flags & ALDIS__CELL_LINKED)
        at_ns = aldis__link_pass(sender, msg->to, at_ns);
    aldis__virtual_stamp_at(worker, sender, msg, at_ns);
    aldis__virtual_schedule(worker, home, msg);
}

/* ------------------------------------------------------------------ sending */

static aldis_err too_soon(const struct aldis__msg *msg, aldis_ns delay_ns, aldis_ns lookahead_ns)
{
    const char *name = aldis__type_info(msg->type)->name;
    return aldis__error_set(ALDIS_ELOOKAHEAD, msg->to, name,
                            "send: %s from actor %016llx to %016llx with a delay of %lld ns, which "
                            "is below the lookahead of %lld ns",
                            name, (unsigned long long)msg->from.bits,
                            (unsigned long long)msg->to.bits, (long long)delay_ns,
                            (long long)lookahead_ns);
}

static aldis_err goes_round(struct aldis__worker *worker, const struct aldis__msg *msg)
{
    const char *name = aldis__type_info(msg->type)->name;
    worker->fatal = ALDIS_ELOOP;
    worker->fatal_actor = msg->from;
    worker->fatal_type = msg->type;
    return aldis__error_set(ALDIS_ELOOP, msg->from, name,
                            "send: %s from actor %016llx: more than %u rounds at one instant", name,
                            (unsigned long long)msg->from.bits,
                            worker->ctx.system->opts.microsteps_max);
}

aldis_err aldis__virtual_check_round(struct aldis__worker *worker, const struct aldis__msg *msg,
                                     aldis_ns at_ns)
{
    const aldis_ctx *ctx = &worker->ctx;
    if (at_ns > ctx->now_ns || ctx->microstep + 1 < ctx->system->opts.microsteps_max)
        return ALDIS_OK;
    return goes_round(worker, msg);
}

static aldis_err too_many(const struct aldis__msg *msg, uint64_t count, const char *option)
{
    const char *name = aldis__type_info(msg->type)->name;
    return aldis__error_set(ALDIS_EFULL, msg->to, name,
                            "send: %s: %llu messages are under way (option %s)", name,
                            (unsigned long long)count, option);
}

aldis_ns aldis__virtual_transit(const aldis_system *system, const struct aldis__cell *sender,
                                aldis_id to)
{
    aldis_ns default_ns = system->opts.default_delay_ns;
    return sender->flags & ALDIS__CELL_LINKED ? aldis__link_delay(sender, to, default_ns)
                                              : default_ns;
}

static aldis_err short_of_memory(struct aldis__worker *worker, const struct aldis__msg *msg)
{
    const char *name = aldis__type_info(msg->type)->name;
    return aldis__error_set(ALDIS_EFULL, msg->to, name,
                            "send: %s: the messages of the system fill its budget of %llu bytes "
                            "(option memory_max)",
                            name, (unsigned long long)worker->ctx.system->opts.memory_max);
}

/* When a message that is sent now arrives. */
static aldis_err arrival(struct aldis__worker *worker, const struct aldis__msg *msg,
                         aldis_ns delay_ns, aldis_ns *out_at_ns)
{
    const struct aldis_system_opts *opts = &worker->ctx.system->opts;
    const aldis_ctx *ctx = &worker->ctx;
    if (delay_ns == 0)
        delay_ns = aldis__virtual_transit(ctx->system, ctx->cell, msg->to);
    else if (delay_ns == ALDIS_NO_DELAY)
        delay_ns = 0;
    if (delay_ns < opts->lookahead_ns && !aldis_id_equal(msg->to, ctx->cell->id) &&
        !opts->zero_delay) {
        if (!opts->raise_short_delays)
            return too_soon(msg, delay_ns, opts->lookahead_ns);
        delay_ns = opts->lookahead_ns;
    }
    *out_at_ns = aldis__virtual_add_time(ctx->now_ns + ctx->busy_ns, delay_ns);
    return aldis__virtual_check_round(worker, msg, *out_at_ns);
}

aldis_err aldis__virtual_send(struct aldis__worker *worker, struct aldis__msg *msg, uint32_t home,
                              aldis_ns delay_ns)
{
    const struct aldis_system_opts *opts = &worker->ctx.system->opts;
    aldis_ns at_ns = 0;
    aldis_err err = arrival(worker, msg, delay_ns, &at_ns);
    if (err != ALDIS_OK)
        return err;
    if (worker->run_sent >= opts->underway_per_sender)
        return too_many(msg, worker->run_sent, "underway_per_sender");
    uint64_t underway = aldis__engine_of(worker)->underway;
    if (underway + worker->run_sent >= opts->underway_msgs)
        return too_many(msg, underway, "underway_msgs");
    if (opts->memory_max && !aldis__memory_admits(worker, msg, false))
        return short_of_memory(worker, msg);
    worker->run_sent++;
    if (aldis__unlikely(aldis__engine_of(worker)->faults.arg != NULL) &&
        !aldis_id_equal(msg->to, msg->from)) {
        aldis__fault_send(worker, worker->ctx.cell, msg, home, at_ns, true);
        return ALDIS_OK;
    }
    if (worker->ctx.cell->flags & ALDIS__CELL_LINKED)
        at_ns = aldis__link_pass(worker->ctx.cell, msg->to, at_ns);
    aldis__virtual_stamp_at(worker, worker->ctx.cell, msg, at_ns);
    aldis__virtual_schedule(worker, home, msg);
    return ALDIS_OK;
}

aldis_err aldis__virtual_keep(struct aldis__worker *worker, struct aldis__msg *msg,
                              aldis_ns delay_ns)
{
    aldis_err err = arrival(worker, msg, delay_ns, &aldis__msg_stamp(msg)->at_ns);
    if (err == ALDIS_OK && worker->ctx.system->memory && !aldis__memory_admits(worker, msg, true))
        return short_of_memory(worker, msg);
    return err;
}

void aldis__virtual_schedule(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg)
{
    schedule(worker, shard, msg);
}

void aldis__virtual_merge(aldis_system *system, uint32_t shard)
{
    struct aldis__vqueue *future = &system->shards[shard].future;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        struct aldis__out_chain *chain = &system->workers[w].out[shard];
        struct aldis__msg *msg = chain->newest;
        aldis__vqueue_merge(future, &system->workers[w].vout[shard]);
        chain->newest = chain->oldest = NULL;
        chain->count = 0;
        while (msg) {
            struct aldis__msg *next = msg->next;
            aldis__vqueue_add(future, msg);
            msg = next;
        }
    }
}

void aldis__virtual_be_busy(struct aldis__worker *worker, struct aldis__cell *cell)
{
    aldis_ns until_ns = worker->ctx.now_ns + worker->ctx.busy_ns;
    worker->ctx.busy_ns = 0;
    if (cell->flags & (ALDIS__CELL_ENDED | ALDIS__CELL_WAKING | ALDIS__CELL_FAILING))
        return;
    struct aldis__msg *msg = aldis__pool_alloc(worker->pool, 0);
    if (!msg)
        msg = aldis__pool_alloc_reserve(worker->pool, 0);
    if (!msg) {
        worker->fatal = ALDIS_ENOMEM;
        return;
    }
    msg->to = msg->from = cell->id;
    msg->type = ALDIS__TYPE_RUN;
    msg->flags = 0;
    msg->lane_class = (uint8_t)(ALDIS__RANK_CONTROL << 4 | aldis__msg_class(msg));
    msg->pool_stamp = worker->pool_stamp;
    worker->counts[ALDIS__TYPE_RUN].sent++;
    cell->flags |= ALDIS__CELL_WAKING;
    aldis__virtual_stamp_at(worker, cell, msg, until_ns);
    aldis__virtual_schedule(worker, worker->ctx.shard->index, msg);
}
