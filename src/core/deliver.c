// SPDX-License-Identifier: Apache-2.0
/* deliver.c: arrival, refusal, and the way between workers. HOT PATH 4/5 for what crosses workers.
 * Layer: core. */
#include "core/deliver.h"

#include "base/log.h"
#include "core/backpressure.h"
#include "core/blob.h"
#include "core/cycle.h"
#include "core/deadletter.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/monitor.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/window.h"
#include <stdlib.h>
#include <string.h>

enum { CONTROL_LANE_MAX = 1 << 20, RESERVE_BLOCKS = 256, RESERVE_PAYLOAD_BYTES = 112 };

/* ------------------------------------------------------------------ chains */

bool aldis__chain_append(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg)
{
    struct aldis__out_chain *chain = &worker->out[shard];
    if (chain->count++ == 0)
        chain->oldest = msg;
    if (!chain->dirty) { /* a long chain is published at once, and stays on the list */
        chain->dirty = true;
        chain->next_dirty = worker->out_dirty;
        worker->out_dirty = shard + 1;
    }
    msg->next = chain->newest;
    chain->newest = msg;
    if (aldis__unlikely(chain->count % ALDIS__CHAIN_MAX == 0))
        return aldis__chain_publish(worker, shard, false);
    return true;
}

/* After a push: whoever owns the shard now must not sleep over it (see parking.h). */
static void wake_owner(aldis_system *system, struct aldis__shard *shard)
{
    uint32_t owner = aldis__handover_whom_to_wake(&shard->handover);
    aldis__worker_wake(&system->workers[owner]);
}

bool aldis__chain_publish(struct aldis__worker *worker, uint32_t shard_index, bool force)
{
    struct aldis__out_chain *chain = &worker->out[shard_index];
    aldis_system *system = worker->ctx.system;
    struct aldis__shard *shard = &system->shards[shard_index];
    if (chain->count == 0)
        return true;
    if (!force && aldis__inbox_count(&shard->inbox) >= system->opts.inflight_msgs)
        return false;
    aldis__inbox_push(&shard->inbox, chain->newest, chain->oldest, chain->count);
    chain->newest = chain->oldest = NULL;
    chain->count = 0;
    wake_owner(system, shard);
    return true;
}

bool aldis__chains_publish(struct aldis__worker *worker, bool force)
{
    uint32_t dirty = worker->out_dirty;
    bool blocked = false;
    worker->out_dirty = 0;
    while (dirty) {
        struct aldis__out_chain *chain = &worker->out[dirty - 1];
        uint32_t next = chain->next_dirty;
        chain->dirty = !aldis__chain_publish(worker, dirty - 1, force);
        if (chain->dirty) {
            chain->next_dirty = worker->out_dirty;
            worker->out_dirty = dirty;
            blocked = true;
        }
        dirty = next;
    }
    if (!blocked && worker->chain_waiter_count)
        aldis__chain_waiters_wake(worker);
    return blocked;
}

void aldis__route_to_shard(struct aldis__worker *worker, uint32_t shard_index,
                           struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    if (system->virtual_time) {
        aldis__virtual_schedule(worker, shard_index, msg);
        return;
    }
    if (aldis__handover_owner(&system->shards[shard_index].handover) == worker->index)
        aldis__deliver(worker, msg);
    else
        (void)aldis__chain_append(worker, shard_index, msg);
}

void aldis__route(struct aldis__worker *worker, struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(msg->to, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    uint32_t home = aldis__word_home(word);
    /* In virtual time the shards with mail are part of the run. The slot of one that has ended may
     * be given to another actor just now, by another worker: its mail must not follow that one. */
    if (system->virtual_time && !aldis__word_is_alive(word, msg->to))
        home = (uint32_t)(index >> ALDIS__SLOT_BITS) % system->shard_count;
    aldis__route_to_shard(worker, home, msg);
}

struct aldis__cell *aldis__cell_at_hand(struct aldis__worker *worker, aldis_id actor)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(actor, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    if (system->virtual_time || !aldis__word_is_alive(word, actor) ||
        aldis__handover_owner(&system->shards[aldis__word_home(word)].handover) != worker->index)
        return NULL;
    struct aldis__cell *cell = aldis__system_cell(system, index);
    return cell->flags & ALDIS__CELL_ENDED ? NULL : cell;
}

/* ------------------------------------------------------------------ the runtime's own messages */

bool aldis__reserve_fill(struct aldis__worker *worker)
{
    while (worker->reserve_count < RESERVE_BLOCKS) {
        struct aldis__msg *msg = aldis__pool_alloc(worker->pool, RESERVE_PAYLOAD_BYTES);
        if (!msg)
            return false;
        msg->next = worker->reserve;
        worker->reserve = msg;
        worker->reserve_count++;
    }
    return true;
}

static struct aldis__msg *alloc_runtime(struct aldis__worker *worker, size_t size)
{
    struct aldis__msg *msg = aldis__pool_alloc(worker->pool, size);
    if (aldis__likely(msg != NULL))
        return msg;
    if (worker->pool->memory && (msg = aldis__pool_alloc_reserve(worker->pool, size)))
        return msg;
    msg = worker->reserve;
    ALDIS_CHECK(msg != NULL && size <= RESERVE_PAYLOAD_BYTES); /* memory is out, reserve and all */
    worker->reserve = msg->next;
    worker->reserve_count--;
    return msg;
}

/* From `from` to `to`, on the control lane; what is inside is the caller's. */
static struct aldis__msg *build_empty(struct aldis__worker *worker, aldis_id from, aldis_id to,
                                      uint32_t type, size_t size)
{
    struct aldis__msg *msg = alloc_runtime(worker, size);
    msg->to = to;
    msg->from = from;
    msg->type = (uint16_t)type;
    msg->flags = 0;
    msg->lane_class = (uint8_t)(ALDIS__RANK_CONTROL << 4 | aldis__msg_class(msg));
    msg->pool_stamp = worker->pool_stamp;
    worker->counts[type].sent++;
    return msg;
}

static struct aldis__msg *build_runtime(struct aldis__worker *worker, aldis_id from, aldis_id to,
                                        uint32_t type, const void *payload, size_t size)
{
    struct aldis__msg *msg = build_empty(worker, from, to, type, size);
    if (size)
        memcpy(aldis__msg_inline(msg), payload, size);
    return msg;
}

void aldis__post_room_later(struct aldis__worker *worker, aldis_id from, aldis_id to)
{
    aldis_system *system = worker->ctx.system;
    if (system->virtual_time) { /* nothing comes at once there */
        aldis__post_runtime(worker, from, to, ALDIS__TYPE_ROOM, NULL, 0);
        return;
    }
    /* By the chain, whoever owns the shard: this worker's own mail, too, is taken a round later. */
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(to, system->node_base)]);
    (void)aldis__chain_append(worker, aldis__word_home(word),
                              build_runtime(worker, from, to, ALDIS__TYPE_ROOM, NULL, 0));
}

void aldis__post_runtime(struct aldis__worker *worker, aldis_id from, aldis_id to, uint32_t type,
                         const void *payload, size_t size)
{
    struct aldis__msg *msg = build_runtime(worker, from, to, type, payload, size);
    aldis_system *system = worker->ctx.system;
    if (system->virtual_time && type == ALDIS__TYPE_COMMAND) {
        aldis__virtual_op_command(worker, msg);
        return;
    }
    if (system->virtual_time)
        aldis__virtual_stamp_runtime(worker, msg);
    if (type == ALDIS__TYPE_SLOT)
        aldis__route_to_shard(
            worker, (uint32_t)(aldis__id_index(to, system->node_base) >> ALDIS__SLOT_BITS), msg);
    else
        aldis__route(worker, msg);
}

_Static_assert(RESERVE_PAYLOAD_BYTES >= sizeof(struct aldis__track) +
                                            sizeof(struct aldis__msg_varying) +
                                            ALDIS__POST_BYTES_MAX,
               "what is posted fits a block of the reserve");

struct aldis__msg *aldis__build_tracked(struct aldis__worker *worker, aldis_id from, aldis_id to,
                                        const struct aldis__track *track, const void *payload,
                                        size_t size)
{
    ALDIS_CHECK(size <= ALDIS__POST_BYTES_MAX);
    struct aldis__msg *msg = build_empty(worker, from, to, ALDIS__TYPE_TRACK,
                                         sizeof *track + sizeof(struct aldis__msg_varying) + size);
    msg->flags = ALDIS__MSG_TRACKED | ALDIS__MSG_VARIES;
    *aldis__msg_track(msg) = *track;
    struct aldis__msg_varying *varying = aldis__msg_body(msg);
    varying->size = size;
    varying->reserved = 0;
    if (size)
        memcpy(varying + 1, payload, size);
    return msg;
}

void aldis__post_tracked(struct aldis__worker *worker, aldis_id from, aldis_id to,
                         const struct aldis__track *track, const void *payload, size_t size)
{
    struct aldis__msg *msg = aldis__build_tracked(worker, from, to, track, payload, size);
    if (worker->ctx.system->virtual_time) {
        aldis__virtual_stamp_runtime(worker, msg);
        if (worker->ctx.system->virtual_engine->faults.arg && track->tracker->duplicate &&
            !aldis_id_equal(from, to)) {
            aldis__fault_post(worker, msg);
            return;
        }
    }
    aldis__route(worker, msg);
}

/* ------------------------------------------------------------------ refusal */

const void *aldis__msg_payload(struct aldis__msg *msg, size_t *out_size)
{
    const void *payload = aldis__msg_body(msg);
    size_t size;
    if (msg->flags & ALDIS__MSG_BLOB) {
        payload = aldis_blob_data(*(aldis_blob *const *)payload, &size);
    } else if (msg->flags & ALDIS__MSG_SHARED) {
        struct aldis__shared *shared = *(struct aldis__shared *const *)payload;
        size = shared->size;
        payload = aldis__shared_payload(shared);
    } else if (msg->flags & ALDIS__MSG_VARIES) {
        const struct aldis__msg_varying *varying = payload;
        size = varying->size;
        payload = varying + 1;
    } else {
        size = aldis__type_info(msg->type)->size;
    }
    if (out_size)
        *out_size = size;
    return payload;
}

void aldis__notice_post(struct aldis__worker *worker)
{
    const struct aldis__refusal refusal = worker->notice;
    worker->notice.count = 0;
    aldis__post_runtime(worker, refusal.to, worker->notice_to, ALDIS__TYPE_UNDELIVERED, &refusal,
                        sizeof refusal);
}

/* Whoever floods another may be slow to hear of it: live, with a budget, refusals that follow each
 * other and are alike are told in one notice, or notices would take what messages must not. */
static void tell_sender(struct aldis__worker *worker, const struct aldis__msg *msg,
                        aldis_err reason)
{
    const struct aldis__refusal refusal = {msg->to, msg->type, 1, reason};
    struct aldis__refusal *last = &worker->notice;
    bool gathers = worker->ctx.system->memory && !worker->ctx.system->virtual_time;
    if (last->count && aldis_id_equal(last->to, refusal.to) && last->type == refusal.type &&
        last->reason == reason && aldis_id_equal(worker->notice_to, msg->from)) {
        last->count++;
        return;
    }
    if (last->count)
        aldis__notice_post(worker);
    *last = refusal;
    worker->notice_to = msg->from;
    if (!gathers)
        aldis__notice_post(worker);
}

ALDIS_COLD void aldis__refuse_tell(struct aldis__worker *worker, struct aldis__msg *msg,
                                   enum aldis__fate fate, aldis_err reason)
{
    struct aldis_type_stats *counts = &worker->counts[msg->type];
    switch (fate) {
    case ALDIS__REJECTED:
        counts->rejected++;
        break;
    case ALDIS__DROPPED:
        counts->dropped++;
        if (reason == ALDIS_ESHED)
            aldis__letter_keep(worker, msg, reason);
        break;
    case ALDIS__EXPIRED:
        counts->expired++;
        break;
    case ALDIS__DEAD:
        counts->dead++;
        aldis__letter_keep(worker, msg, reason);
        break;
    }
    if (msg->flags & ALDIS__MSG_TRACKED)
        aldis__tracked_end(worker, msg, fate, reason);
    if (msg->flags & ALDIS__MSG_NOTICE)
        tell_sender(worker, msg, reason);
}

ALDIS_COLD void aldis__refuse(struct aldis__worker *worker, struct aldis__msg *msg,
                              enum aldis__fate fate, aldis_err reason)
{
    if ((msg->flags & ALDIS__MSG_TIMER) && fate == ALDIS__DEAD) {
        worker->counts[msg->type].sent--; /* its timer has ended with its actor: never sent */
    } else {
        aldis__refuse_tell(worker, msg, fate, reason);
        if (msg->flags & ALDIS__MSG_TIMER)
            aldis__timer_forget(worker, msg);
    }
    aldis__pool_free(worker->pool, msg);
}

/* ------------------------------------------------------------------ arrival */

/* The oldest message of the lowest lane makes room. False: all that waits is of higher lanes than
 * the message for which there is to be room. */
static bool drop_oldest(struct aldis__worker *worker, struct aldis__cell *cell, unsigned rank)
{
    struct aldis__msg *oldest = aldis__mailbox_pop_lowest(cell, rank);
    if (oldest)
        aldis__refuse(worker, oldest, ALDIS__DROPPED, ALDIS_EDROPPED);
    return oldest != NULL;
}

/* The newer message stands for the older one of its key. */
static bool drop_same_key(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg)
{
    if (aldis__cell_limits(cell)->policy != ALDIS_KEEP_NEWEST)
        return false;
    struct aldis__msg *older = aldis__mailbox_pop_key(cell, msg);
    if (older)
        aldis__refuse(worker, older, ALDIS__DROPPED, ALDIS_EDROPPED);
    return older != NULL;
}

/* One after the other, until there is room: when memory is short, that may be many. */
static void drop_for(struct aldis__worker *worker, struct aldis__shard *shard,
                     struct aldis__cell *cell, struct aldis__msg *msg)
{
    aldis_err err = ALDIS_EFULL;
    while (err == ALDIS_EFULL &&
           (drop_same_key(worker, cell, msg) || drop_oldest(worker, cell, aldis__msg_rank(msg))))
        err = aldis__mailbox_push_slow(worker, cell, msg);
    if (err == ALDIS_OK)
        aldis__cell_schedule_for_mail(worker, shard, cell);
    else if (err == ALDIS_EFULL)
        aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
    else
        aldis__refuse(worker, msg, ALDIS__REJECTED, err);
}

static void admit_full(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__cell *cell, struct aldis__msg *msg)
{
    switch (aldis__cell_limits(cell)->policy) {
    case ALDIS_DROP_NEWEST:
        aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
        return;
    case ALDIS_DROP_OLDEST:
    case ALDIS_KEEP_NEWEST:
        drop_for(worker, shard, cell, msg);
        return;
    case ALDIS_WAIT:
        if (!(msg->flags & ALDIS__MSG_FANOUT) && aldis__hold(worker, cell, msg))
            return;
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_EFULL);
        return;
    case ALDIS_POLICY_DEFAULT:
    case ALDIS_REJECT:
    case ALDIS_UNBOUNDED:
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_EFULL);
        return;
    }
}

/* Its place was kept when it was asked for: the mailbox takes it beyond its bound, behind what
 * waits beside it already. */
static void admit_reserved(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg)
{
    if ((cell->flags & ALDIS__CELL_HELD) && aldis__hold(worker, cell, msg))
        return;
    aldis_err err = aldis__mailbox_push_slow(worker, cell, msg);
    if (err == ALDIS_EFULL)
        err = aldis__mailbox_push_beyond(worker, cell, msg);
    if (err != ALDIS_OK) {
        aldis__refuse(worker, msg, ALDIS__REJECTED, err);
        return;
    }
    aldis__mark_full(worker, cell);
    aldis__cell_schedule_for_mail(worker, shard, cell);
}

void aldis__admit(struct aldis__worker *worker, struct aldis__shard *shard,
                  struct aldis__cell *cell, struct aldis__msg *msg)
{
    aldis_err err = ALDIS_EFULL;
    if (aldis__msg_is_reserved(msg) && !(cell->flags & ALDIS__CELL_STOPPING)) {
        admit_reserved(worker, shard, cell, msg);
        return;
    }
    if (cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING)) {
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ESHUTDOWN);
        return;
    }
    /* What arrives while others are held must queue behind them. */
    if (!(cell->flags & ALDIS__CELL_HELD))
        err = aldis__mailbox_push_slow(worker, cell, msg);
    if (err == ALDIS_OK) {
        aldis__mark_full(worker, cell);
        aldis__cell_schedule_for_mail(worker, shard, cell);
    } else if (err == ALDIS_EFULL) {
        admit_full(worker, shard, cell, msg);
    } else {
        aldis__refuse(worker, msg, ALDIS__REJECTED, err);
    }
}

/* Commands, questions and notices: they wait on the control lane, and make even a paused actor
 * run. */
static void deliver_control(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, struct aldis__msg *msg)
{
    if (cell->ext && cell->ext->control_depth >= CONTROL_LANE_MAX) {
        aldis__log(ALDIS_LOG_WARN, "actor %016llx: more than %d commands and notices wait",
                   (unsigned long long)cell->id.bits, CONTROL_LANE_MAX);
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_EFULL);
        return;
    }
    if (aldis__mailbox_push_lane(cell, msg) != ALDIS_OK) {
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ENOMEM);
        return;
    }
    aldis__cell_schedule(worker, shard, cell);
}

/* Messages of the runtime that need no turn. True: msg was one, and is done with. */
static bool deliver_at_once(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, struct aldis__msg *msg)
{
    switch (msg->type) {
    case ALDIS__TYPE_RUN:
        if (aldis_id_equal(msg->from, msg->to)) /* else it is a start, which wakes nobody */
            cell->flags &= ~(uint32_t)ALDIS__CELL_WAKING;
        aldis__cell_schedule(worker, shard, cell);
        break;
    case ALDIS__TYPE_WAIT:
        aldis__waiter_add(worker, cell, msg->from);
        break;
    case ALDIS__TYPE_ROOM:
        aldis__overflow_flush(worker, cell, msg->from);
        break;
    case ALDIS__TYPE_BREAK:
        aldis__cycle_break(worker, cell, aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_ADOPT:
        aldis__child_adopt(worker, cell, msg->from);
        break;
    case ALDIS__TYPE_ROUTED:
        cell->flags |= ALDIS__CELL_ROUTED;
        break;
    case ALDIS__TYPE_WATCH:
        aldis__watcher_add(worker, cell, msg->from, *(const uint64_t *)aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_UNWATCH:
        aldis__watcher_remove(cell, msg->from, *(const uint64_t *)aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_LINK:
        aldis__life_link_add(worker, cell, msg->from);
        break;
    case ALDIS__TYPE_UNLINK:
        aldis__life_link_remove(cell, msg->from);
        break;
    case ALDIS__TYPE_CHILD_ENDED:
        if (aldis__child_ended(worker, cell, aldis__msg_inline(msg)))
            return false; /* the hook wants to hear of it, in a turn */
        break;
    default:
        return false;
    }
    worker->counts[msg->type].handled++;
    aldis__pool_free(worker->pool, msg);
    return true;
}

/* No such actor any more. The runtime's own messages then mean something still. */
static void deliver_to_ended(struct aldis__worker *worker, struct aldis__msg *msg)
{
    switch (msg->type) {
    case ALDIS__TYPE_SLOT:
        aldis__slot_free(worker, msg->to);
        break;
    case ALDIS__TYPE_WAIT: /* whoever waits for it must not wait for ever */
        aldis__post_runtime(worker, msg->to, msg->from, ALDIS__TYPE_ROOM, NULL, 0);
        break;
    case ALDIS__TYPE_ADOPT: /* an orphan does not outlive the parent that it never had */
        aldis__post_command(worker, msg->to, msg->from, ALDIS_CMD_STOP, 0);
        break;
    case ALDIS__TYPE_FAILED: /* nobody is left to restart it */
        aldis__post_command(worker, msg->to, msg->from, ALDIS_CMD_STOP, 0);
        break;
    case ALDIS__TYPE_WATCH:
        aldis__watcher_tell_gone(worker, msg->to, msg->from,
                                 *(const uint64_t *)aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_LINK:
        aldis__life_link_tell_gone(worker, msg->to, msg->from);
        break;
    case ALDIS__TYPE_UNWATCH: /* it has gone with all that watched it */
    case ALDIS__TYPE_UNLINK:
    case ALDIS__TYPE_LINK_DOWN:
    case ALDIS__TYPE_DOWN:
    case ALDIS__TYPE_BREAK:
        break;
    case ALDIS__TYPE_ROUTED: { /* it ended before the mark could reach it */
        /* E3 acquire: pairs with E2 in aldis__system_set_router(). */
        struct aldis__extension *router = aldis__load_acquire(&worker->ctx.system->router);
        router->on_actor_ended(router, msg->to);
        break;
    }
    default:
        if (aldis_id_equal(msg->from, msg->to))
            msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE; /* who is to be told has ended itself */
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
        return;
    }
    worker->counts[msg->type].handled++;
    aldis__pool_free(worker->pool, msg);
}

void aldis__deliver(struct aldis__worker *worker, struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(msg->to, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    struct aldis__cell *cell = aldis__system_cell(system, index);
    /* The word first: the cell of another generation may be in another worker's hands. */
    if (aldis__unlikely(!aldis__word_is_alive(word, msg->to) ||
                        (cell->flags & ALDIS__CELL_ENDED))) {
        deliver_to_ended(worker, msg);
        return;
    }
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    unsigned rank = aldis__msg_rank(msg);
    if (aldis__unlikely(rank == ALDIS__RANK_CONTROL)) {
        if (!deliver_at_once(worker, shard, cell, msg))
            deliver_control(worker, shard, cell, msg);
        return;
    }
    if (aldis__unlikely(msg->flags & ALDIS__MSG_TRACKED) &&
        !aldis__tracked_arrived(worker, cell, msg))
        return;
    if (rank != ALDIS__RANK_NORMAL ||
        (cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING | ALDIS__CELL_HELD)) ||
        !aldis__mailbox_try_push(cell, msg)) {
        aldis__admit(worker, shard, cell, msg);
        return;
    }
    aldis__cell_schedule_for_mail(worker, shard, cell);
}
