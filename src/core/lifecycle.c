// SPDX-License-Identifier: Apache-2.0
/* lifecycle.c: commands, children, and the end of an actor. Layer: core.
 *
 * An actor ends in this order: no more mail; its children are told and end; on_stop runs (not after
 * a kill); what it kept for full mailboxes is sent on; then the rest of its own mail becomes dead
 * letters, its id becomes stale, its parent is told, and its slot goes back to its birth shard. */
#include "core/lifecycle.h"

#include "base/error.h"
#include "base/log.h"
#include "core/backpressure.h"
#include "core/cycle.h"
#include "core/deliver.h"
#include "core/memory.h"
#include "core/monitor.h"
#include "core/part.h"
#include "core/supervise.h"
#include "core/timer.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ children */

/* Only one strategy asks who was born first. */
static bool grow_births(struct aldis__cell *parent, uint32_t capacity)
{
    struct aldis__cell_ext *ext = parent->ext;
    if (parent->kind->supervisor.strategy != ALDIS_REST_FOR_ONE)
        return true;
    uint32_t *births = realloc(ext->child_births, capacity * sizeof *births);
    if (births)
        ext->child_births = births;
    return births != NULL;
}

bool aldis__child_add(struct aldis__cell *parent, aldis_id child, uint32_t *out_index)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(parent);
    if (!ext)
        return false;
    uint32_t index = ext->child_free;
    if (index != UINT32_MAX) {
        ext->child_free = (uint32_t)(ext->children[index].bits >> 32); /* see child_remove */
    } else {
        if (ext->child_end == ext->child_capacity) {
            uint32_t capacity = ext->child_capacity ? 2 * ext->child_capacity : 4;
            aldis_id *children = realloc(ext->children, capacity * sizeof *children);
            if (!children)
                return false;
            ext->children = children;
            if (!grow_births(parent, capacity))
                return false;
            ext->child_capacity = capacity;
        }
        index = ext->child_end++;
    }
    ext->children[index] = child;
    if (ext->child_births)
        ext->child_births[index] = ext->child_birth_count++;
    ext->child_count++;
    *out_index = index;
    return true;
}

/* A free place: generation 0, which no id has, and the index of the next free place above. */
static bool is_free_place(aldis_id id)
{
    return (id.bits & ALDIS__GEN_MASK) == 0;
}

bool aldis__child_is_listed(aldis_id entry)
{
    return !is_free_place(entry);
}

uint32_t aldis__child_birth(const struct aldis__cell *parent, aldis_id child)
{
    const struct aldis__cell_ext *ext = parent->ext;
    for (uint32_t i = 0; ext->child_births && i < ext->child_end; i++)
        if (aldis_id_equal(ext->children[i], child))
            return ext->child_births[i];
    return UINT32_MAX;
}

static bool child_remove(struct aldis__cell *parent, aldis_id child, uint32_t hint)
{
    struct aldis__cell_ext *ext = parent->ext;
    if (!ext)
        return false;
    uint32_t index = hint;
    if (index >= ext->child_end || !aldis_id_equal(ext->children[index], child))
        for (index = 0; index < ext->child_end; index++)
            if (aldis_id_equal(ext->children[index], child))
                break;
    if (index == ext->child_end)
        return false;
    ext->children[index].bits = (uint64_t)ext->child_free << 32;
    ext->child_free = index;
    if (--ext->child_count == 0) {
        ext->child_end = 0;
        ext->child_free = UINT32_MAX;
    }
    return true;
}

void aldis__children_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                          aldis_command command)
{
    struct aldis__cell_ext *ext = cell->ext;
    for (uint32_t i = 0; ext && i < ext->child_end; i++)
        if (!is_free_place(ext->children[i]))
            aldis__post_command(worker, cell->id, ext->children[i], command, 0);
}

void aldis__child_adopt(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id child)
{
    aldis_system *system = worker->ctx.system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(child, system->node_base)]);
    if (!aldis__word_is_alive(word, child))
        return; /* it has ended before we heard of it */
    uint32_t index;
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED;
    if (!aldis__child_add(cell, child, &index) || (cell->flags & ending))
        aldis__post_command(worker, cell->id, child,
                            cell->flags & ALDIS__CELL_KILLED ? ALDIS_CMD_KILL : ALDIS_CMD_STOP, 0);
}

/* Wake a parent that stops, or is to begin again, whose last child has ended. */
static void after_child(struct aldis__worker *worker, struct aldis__cell *parent)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED;
    if (!(parent->flags & ending) || parent->ext->child_count > 0)
        return;
    aldis__cell_schedule(worker, aldis__system_home(worker->ctx.system, parent->id), parent);
}

static bool wants_notice(const struct aldis__cell *parent)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_ENDED | ALDIS__CELL_FAILED;
    return parent->kind->wants_child_ended && !(parent->flags & ending);
}

bool aldis__child_ended(struct aldis__worker *worker, struct aldis__cell *parent,
                        const struct aldis__child_notice *notice)
{
    if (notice->place != ALDIS__CHILD_UNLISTED &&
        child_remove(parent, notice->ended.child, notice->place))
        after_child(worker, parent);
    return wants_notice(parent);
}

/* ------------------------------------------------------------------ commands */

void aldis__post_command(struct aldis__worker *worker, aldis_id from, aldis_id to,
                         aldis_command command, aldis_ns deadline_ns)
{
    struct aldis__command payload = {(uint32_t)command, aldis_id_equal(from, to), deadline_ns};
    aldis__post_runtime(worker, from, to, ALDIS__TYPE_COMMAND, &payload, sizeof payload);
}

static void close_to_new_mail(struct aldis__worker *worker, struct aldis__cell *cell)
{
    aldis_system *system = worker->ctx.system;
    if (system->virtual_time)
        aldis__virtual_op(worker, cell->id, ALDIS__OP_CLOSING, cell->id, 0);
    else
        aldis__directory_set_flags(&system->directory[aldis__id_index(cell->id, system->node_base)],
                                   ALDIS__WORD_CLOSING, 0);
    /* Whoever is parked for its sake must not wait for room that never comes: it may be one of
     * those for which this actor waits itself. */
    aldis__waiters_release(worker, cell);
}

void aldis__cell_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__cell *cell, aldis_end_reason reason)
{
    bool kill = reason == ALDIS_ENDED_KILLED;
    if (cell->flags & ALDIS__CELL_STOPPING) {
        if (!kill || (cell->flags & ALDIS__CELL_KILLED))
            return;
    }
    bool was_open = !(cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING));
    cell->flags |= ALDIS__CELL_STOPPING;
    if (was_open)
        close_to_new_mail(worker, cell);
    if (kill) {
        cell->flags |= ALDIS__CELL_KILLED | ALDIS__CELL_HOOKED;
        aldis__overflow_discard(worker, cell);
    }
    /* Whoever has failed and is told to stop meanwhile, has ended because of that. */
    if ((cell->flags & ALDIS__CELL_FAILED) && !kill && cell->ext->end_err != ALDIS_OK)
        reason = ALDIS_ENDED_FAILED;
    if ((cell->ext || reason != ALDIS_ENDED_STOPPED) && aldis__cell_extend(cell))
        cell->ext->end_reason = reason; /* where there is none, it is to stop */
    aldis__children_tell(worker, cell, kill ? ALDIS_CMD_KILL : ALDIS_CMD_STOP);
    aldis__cell_schedule(worker, shard, cell);
}

static void drain(struct aldis__worker *worker, struct aldis__shard *shard,
                  struct aldis__cell *cell, aldis_ns timeout_ns)
{
    if (cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING))
        return;
    cell->flags |= ALDIS__CELL_DRAINING;
    close_to_new_mail(worker, cell);
    struct aldis__command then = {ALDIS_CMD_STOP, false, 0};
    if (timeout_ns != ALDIS_FOREVER && !aldis__timer_post_command(worker, cell, timeout_ns, &then))
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_STOPPED); /* no memory to wait with */
}

void aldis__cell_command(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell, const struct aldis__command *command)
{
    if (command->command == ALDIS__CMD_BEGIN) {
        aldis__restart_due(cell, (uint32_t)command->deadline_ns);
        return;
    }
    switch ((aldis_command)command->command) {
    case ALDIS_CMD_STOP:
        if (!aldis__stop_restarts(worker, shard, cell, command))
            aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_STOPPED);
        break;
    case ALDIS_CMD_DRAIN:
        drain(worker, shard, cell, command->deadline_ns);
        break;
    case ALDIS_CMD_KILL:
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_KILLED);
        break;
    case ALDIS_CMD_PAUSE:
        cell->flags |= ALDIS__CELL_PAUSED;
        break;
    case ALDIS_CMD_RESUME:
        cell->flags &= ~(uint32_t)ALDIS__CELL_PAUSED;
        break;
    }
}

bool aldis__cell_stop_self(aldis_ctx *ctx)
{
    struct aldis__cell *cell = ctx->cell;
    if (ctx->system->virtual_time || (cell->flags & ALDIS__CELL_TOLD))
        return false;
    cell->flags |= ALDIS__CELL_STOPS;
    return true;
}

void aldis__cell_obey_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell)
{
    static const struct aldis__command stop = {ALDIS_CMD_STOP, true, 0};
    cell->flags &= ~(uint32_t)ALDIS__CELL_STOPS;
    worker->counts[ALDIS__TYPE_COMMAND].sent++;
    aldis__cell_command(worker, shard, cell, &stop);
    worker->counts[ALDIS__TYPE_COMMAND].handled++;
}

/* ------------------------------------------------------------------ the end */

static void bury_queue(struct aldis__worker *worker, struct aldis__queue *queue)
{
    struct aldis__msg *msg;
    while ((msg = aldis__queue_pop(queue)))
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
}

static void bury_mail(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__msg *msg;
    while ((msg = aldis__mailbox_pop(cell)))
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext)
        return;
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
        if (rank != ALDIS__RANK_NORMAL)
            bury_queue(worker, &ext->lanes[rank]);
    bury_queue(worker, &ext->held);
    bury_queue(worker, &ext->stash);
    ext->stash_count = 0;
    ext->stash_units = 0;
    bury_queue(worker, &ext->aside);
    ext->aside_count = 0;
    if (cell->flags & ALDIS__CELL_RETRY) {
        aldis__refuse(worker, ext->life->retry, ALDIS__DEAD, ALDIS_EHANDLER);
        ext->life->retry = NULL;
        cell->flags &= ~(uint32_t)ALDIS__CELL_RETRY;
    }
}

void aldis__cell_free(struct aldis__shard *shard, struct aldis__cell *cell)
{
    if (cell->flags & ALDIS__CELL_UNSTARTED)
        aldis__start_arg_free(shard, aldis__id_birth(cell->id), cell->state);
    else if (cell->state)
        aldis__shard_state_free(shard, cell->state, cell->kind->state_bytes);
    cell->state = NULL;
    if (!cell->ext)
        return;
    aldis__parts_free(cell);
    free(cell->ext->saved);
    free(cell->ext->shed);
    free(cell->ext->waiters);
    free(cell->ext->overflow);
    free(cell->ext->bounds);
    free(cell->ext->children);
    free(cell->ext->links);
    free(cell->ext->child_births);
    aldis__life_free(shard, cell);
    aldis__watches_free(cell->ext);
    aldis__cell_unextend(cell);
}

static void tell_parent(struct aldis__worker *worker, const struct aldis__cell *cell,
                        const aldis_child_ended *ended)
{
    struct aldis__child_notice notice = {*ended, cell->child_index};
    if (aldis_id_is_nobody(cell->parent))
        return;
    struct aldis__cell *parent = aldis__cell_at_hand(worker, cell->parent);
    if (parent && child_remove(parent, cell->id, cell->child_index)) {
        after_child(worker, parent);
        if (!wants_notice(parent))
            return;
        notice.place = ALDIS__CHILD_UNLISTED;
    }
    aldis__post_runtime(worker, cell->id, cell->parent, ALDIS__TYPE_CHILD_ENDED, &notice,
                        sizeof notice);
}

void aldis__cell_bury(struct aldis__worker *worker, struct aldis__cell *cell)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(cell->id, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    struct aldis__shard *home = &system->shards[aldis__word_home(word)];
    uint32_t birth = (uint32_t)(index >> ALDIS__SLOT_BITS);
    aldis_id id = cell->id;
    aldis_child_ended notice = {id, ALDIS_ENDED_STOPPED, ALDIS_OK};
    if (cell->ext) {
        notice.reason = cell->ext->end_reason;
        if (notice.reason == ALDIS_ENDED_FAILED || notice.reason == ALDIS_ENDED_START_FAILED)
            notice.err = cell->ext->end_err;
    }
    /* E1 acquire: pairs with E2 in aldis__system_set_router(). */
    struct aldis__extension *router = aldis__load_acquire(&system->router);
    if ((cell->flags & ALDIS__CELL_ROUTED) && router)
        router->on_actor_ended(router, id);
    aldis__directory_set_flags(&system->directory[index], 0, ALDIS__WORD_ALIVE);
    aldis__waiters_release(worker, cell);
    tell_parent(worker, cell, &notice);
    aldis__watchers_tell(worker, cell, &notice);
    aldis__cycle_forget(home, cell);
    aldis__memory_give_actor(system, cell->kind);
    aldis__cell_free(home, cell);
    if (birth == system->shard_count || system->virtual_time ||
        aldis__handover_owner(&system->shards[birth].handover) == worker->index)
        aldis__slot_free(worker, id);
    else
        aldis__post_runtime(worker, id, id, ALDIS__TYPE_SLOT, NULL, 0);
}

void aldis__cell_run_on_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                             struct aldis__cell *cell)
{
    if (cell->flags & ALDIS__CELL_HOOKED)
        return;
    cell->flags |= ALDIS__CELL_HOOKED;
    if (!cell->kind->behaviour->on_stop)
        return;
    aldis__ctx_enter(worker, shard, cell);
    cell->kind->behaviour->on_stop(cell->state, &worker->ctx);
    aldis__hook_leave(worker);
    worker->ctx.busy_ns = 0; /* nobody is left to be busy */
}

bool aldis__cell_try_end(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell)
{
    if (cell->ext && cell->ext->child_count > 0)
        return false;
    aldis__cell_run_on_stop(worker, shard, cell);
    if (cell->flags & ALDIS__CELL_KILLED)
        aldis__overflow_discard(worker, cell); /* answers to questions that came after the kill */
    if (cell->flags & ALDIS__CELL_OVERFLOW)
        return false; /* what it has sent must leave first; room will wake it */
    aldis__timers_cancel_all(worker, cell);
    aldis__parts_end(worker, cell);
    cell->flags |= ALDIS__CELL_ENDED;
    bury_mail(worker, cell);
    if (!(cell->flags & ALDIS__CELL_UNSTARTED))
        shard->actors--;
    shard->ended++;
    if (worker->ctx.system->virtual_time)
        aldis__virtual_op(worker, cell->id, ALDIS__OP_END, cell->id, 0);
    else
        aldis__cell_bury(worker, cell);
    return true;
}
