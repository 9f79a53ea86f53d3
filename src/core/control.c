// SPDX-License-Identifier: Apache-2.0
/* control.c: commands, questions and notices that an actor handles in its turn. Layer: core. */
#include "core/control.h"

#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/monitor.h"
#include "core/send.h"
#include "core/shed.h"
#include "core/supervise.h"
#include "core/timer.h"
#include "core/tracked.h"
#include <stdio.h>
#include <string.h>

static const char *life_name(uint32_t flags)
{
    if (flags & ALDIS__CELL_ENDED)
        return "ended";
    if (flags & ALDIS__CELL_STOPPING)
        return "stopping";
    if (flags & (ALDIS__CELL_FAILING | ALDIS__CELL_FAILED))
        return "failed";
    if (flags & ALDIS__CELL_UNSTARTED)
        return "starting";
    if (flags & ALDIS__CELL_PAUSED)
        return "paused";
    if (flags & ALDIS__CELL_DRAINING)
        return "draining";
    if (flags & ALDIS__CELL_PARKED)
        return "parked";
    return "running";
}

/* The age of the oldest message, from the coarse stamp that live mode puts on each. */
static aldis_ns oldest_wait(const struct aldis__worker *worker, const struct aldis__cell *cell)
{
    const aldis_system *system = worker->ctx.system;
    aldis_ns oldest_ns = 0;
    for (unsigned rank = ALDIS__RANK_CRITICAL; rank < ALDIS__RANK_COUNT; rank++) {
        struct aldis__msg *msg = rank == ALDIS__RANK_NORMAL ? cell->head
                                 : cell->ext                ? cell->ext->lanes[rank].head
                                                            : NULL;
        if (!msg)
            continue;
        uint32_t now_stamp = aldis__stamp_now(0, worker->ctx.now_ns);
        aldis_ns age_ns = (aldis_ns)((now_stamp - msg->pool_stamp) & ALDIS__STAMP_MASK)
                          << ALDIS__STAMP_SHIFT;
        if (system->virtual_time)
            age_ns = worker->ctx.now_ns - aldis__msg_stamp(msg)->at_ns;
        else if (cell->flags & ALDIS__CELL_STAMPS)
            age_ns = aldis__shed_age(cell, msg, worker->ctx.now_ns);
        if (age_ns > oldest_ns)
            oldest_ns = age_ns;
    }
    return oldest_ns;
}

void aldis__status_fill(const struct aldis__worker *worker, const struct aldis__cell *cell,
                        aldis_status *out_status)
{
    const aldis_behaviour *behaviour = cell->kind->behaviour;
    const uint32_t unusual = ALDIS__CELL_ENDED | ALDIS__CELL_STOPPING | ALDIS__CELL_UNSTARTED |
                             ALDIS__CELL_PAUSED | ALDIS__CELL_DRAINING | ALDIS__CELL_FAILING |
                             ALDIS__CELL_FAILED;
    const char *name = life_name(cell->flags);
    if (behaviour->state_name && !(cell->flags & unusual))
        name = behaviour->state_name(cell->state);
    memset(out_status, 0, sizeof *out_status);
    out_status->actor = cell->id;
    snprintf(out_status->state_name, sizeof out_status->state_name, "%s", name ? name : "");
    out_status->capacity_msgs = (uint32_t)aldis__mailbox_capacity(cell);
    out_status->depth_msgs = (uint32_t)cell->depth;
    out_status->peak_msgs = cell->peak;
    if (cell->peak == 0 && (cell->depth > 0 || cell->handled > 0))
        out_status->peak_msgs = 1; /* the first one is not looked at: see spawn.c */
    out_status->handled_msgs = cell->handled;
    if (cell->ext) {
        out_status->handled_msgs -= cell->ext->settled;
        out_status->stashed_msgs = cell->ext->stash_count;
        out_status->held_msgs = cell->ext->held_count;
        out_status->shed_msgs = cell->ext->shed ? cell->ext->shed->msgs : 0;
    }
    if (!(cell->flags & ALDIS__CELL_UNSTARTED))
        out_status->running_ns = worker->ctx.now_ns - cell->started_ns;
    out_status->oldest_wait_ns = oldest_wait(worker, cell);
    const struct aldis__life *life = aldis__life_of(cell);
    out_status->restarts = life ? life->restarts : 0;
}

static void answer_status(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__cell *cell, aldis_id asker)
{
    aldis_status status;
    aldis__status_fill(worker, cell, &status);
    aldis__ctx_enter(worker, shard, cell);
    /* As a message of the actor itself, on the high lane: an answer about a full mailbox should not
     * wait behind a full mailbox. A refusal is counted like any other. */
    aldis_send_opts opts = {0, ALDIS_LANE_HIGH};
    (void)aldis_ctx_send_opts_raw(&worker->ctx, asker, &aldis_status_type, &status, sizeof status,
                                  &opts);
    aldis__hook_leave(worker);
}

/* A notice of an end: for the protocol's handler, if it is wanted still. */
static void handle_down(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg)
{
    if (!aldis__down_accept(cell, aldis__msg_inline(msg))) {
        worker->counts[msg->type].sent--; /* as with a cancelled timer's message */
        aldis__pool_free(worker->pool, msg);
        return;
    }
    aldis__ctx_enter(worker, shard, cell);
    (void)aldis__turn_handle(worker, shard, cell, msg);
    aldis__hook_leave(worker);
}

/* What a tracker has posted, or an answer that overtakes. */
static void handle_tracked(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg)
{
    const uint32_t down = ALDIS__CELL_FAILING | ALDIS__CELL_FAILED;
    bool steadfast = aldis__msg_track(msg)->tracker->steadfast && (cell->flags & down) &&
                     !(cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_ENDED));
    if (!steadfast && (cell->flags & (ALDIS__CELL_HOOKED | down))) {
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
        return;
    }
    aldis__ctx_enter(worker, shard, cell);
    aldis__tracked_handle(worker, shard, cell, msg);
    aldis__hook_leave(worker);
}

void aldis__control_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg)
{
    const aldis_behaviour *behaviour = cell->kind->behaviour;
    bool hooks_run =
        !(cell->flags & (ALDIS__CELL_HOOKED | ALDIS__CELL_FAILING | ALDIS__CELL_FAILED));
    if (msg->flags & ALDIS__MSG_TRACKED) {
        handle_tracked(worker, shard, cell, msg);
        return;
    }
    switch (msg->type) {
    case ALDIS__TYPE_COMMAND:
        aldis__cell_command(worker, shard, cell, aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_GET_STATUS:
        answer_status(worker, shard, cell, msg->from);
        break;
    case ALDIS__TYPE_CHILD_ENDED:
        if (hooks_run && behaviour->on_child_ended) {
            aldis__ctx_enter(worker, shard, cell);
            const struct aldis__child_notice *notice = aldis__msg_inline(msg);
            behaviour->on_child_ended(cell->state, &notice->ended, &worker->ctx);
            aldis__hook_leave(worker);
        }
        break;
    case ALDIS__TYPE_UNDELIVERED: {
        const struct aldis__refusal *refusal = aldis__msg_inline(msg);
        aldis_undelivered notice = {aldis__type_info(refusal->type)->name, refusal->to,
                                    refusal->reason, refusal->count};
        if (hooks_run && behaviour->on_undelivered) {
            aldis__ctx_enter(worker, shard, cell);
            behaviour->on_undelivered(cell->state, &notice, &worker->ctx);
            aldis__hook_leave(worker);
        }
        break;
    }
    case ALDIS__TYPE_FAILED:
        aldis__child_failed(worker, shard, cell, msg->from, aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_RESTART:
        aldis__restart_ordered(worker, shard, cell, aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_LINK_DOWN:
        aldis__life_link_ended(worker, shard, cell, aldis__msg_inline(msg));
        break;
    case ALDIS__TYPE_DOWN:
        handle_down(worker, shard, cell, msg);
        return;
    case ALDIS__TYPE_DEAD_NOTICE:
        if (!hooks_run) {
            aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
            return;
        }
        aldis__ctx_enter(worker, shard, cell);
        (void)aldis__turn_handle(worker, shard, cell, msg);
        aldis__hook_leave(worker);
        return;
    default:
        ALDIS_CHECK(msg->type == ALDIS__TYPE_COMMAND); /* no other waits on this lane */
    }
    worker->counts[msg->type].handled++;
    aldis__pool_free(worker->pool, msg);
}
