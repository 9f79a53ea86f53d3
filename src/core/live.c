// SPDX-License-Identifier: Apache-2.0
/* live.c: the loop of a worker under the wall clock. Layer: core.
 *
 * aldis__live_main() below reads like the diagram in ARCHITECTURE.md: run what is ready, publish,
 * take, fire, and park when there is nothing. */
#include "core/live.h"

#include "base/clock.h"
#include "core/backpressure.h"
#include "core/cycle.h"
#include "core/deadletter.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/memory.h"
#include "core/timer.h"
#include "core/turn.h"
#include <limits.h>
#include <stdio.h>

enum {
    SPIN_NS = 50000, /* so long a worker looks for work before it parks: waking costs 26 us */
    ASK_ROUND = 16,  /* the empty round in which to ask for a shard: not at every gap */
    SPARE_SHARDS =
        4, /* ready shards from which on a worker gives one away: each move has its price */
    INVITE_ROUNDS = 64, /* rounds with shards to spare between two invitations to a parked worker */
    BLOCKED_NAP_NS = 50000 /* between two tries to publish into a full inbox */
};

static void read_clock(struct aldis__worker *worker)
{
    worker->ctx.now_ns = aldis__clock_monotonic_ns() - worker->ctx.system->epoch_ns;
    aldis__worker_set_stamp(worker, aldis__stamp_now(worker->index, worker->ctx.now_ns));
}

/* ------------------------------------------------------------------ running */

/* Each shard that had work when the round began gets its share. True: there was any. */
static bool run_ready(struct aldis__worker *worker)
{
    uint32_t count = worker->ready_count;
    for (uint32_t i = 0; i < count; i++) {
        struct aldis__shard *shard = worker->ready_head;
        worker->ready_head = shard->ready_next;
        worker->ready_count--;
        shard->ready = false;
        aldis__shard_run(worker, shard);
        if (shard->run_head)
            aldis__worker_ready(worker, shard);
    }
    return count > 0;
}

/* ------------------------------------------------------------------ mail from others */

bool aldis__inbox_empty(struct aldis__worker *worker, struct aldis__shard *shard)
{
    struct aldis__msg *msg = aldis__chain_reverse(aldis__inbox_take(&shard->inbox));
    bool found = msg != NULL;
    while (msg) {
        struct aldis__msg *next = msg->next;
        aldis__deliver(worker, msg);
        msg = next;
    }
    return found;
}

static bool take_inboxes(struct aldis__worker *worker, bool last_look)
{
    aldis_system *system = worker->ctx.system;
    bool found = false;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (aldis__handover_owner(&shard->handover) == worker->index &&
            (last_look || aldis__inbox_count(&shard->inbox)))
            found |= aldis__inbox_empty(worker, shard);
    }
    return found;
}

/* ------------------------------------------------------------------ load balance */

/* All mail for this worker at once, the runtime's own last: room that it tells of lets actors send
 * on what they kept, straight into mailboxes of this worker, and what they sent there before, from
 * where their shards were then, may lie in any of these inboxes. */
static void take_all_inboxes(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__queue queues[2]; /* ordinary, control */
    aldis__queue_init(&queues[0]);
    aldis__queue_init(&queues[1]);
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (aldis__handover_owner(&shard->handover) != worker->index)
            continue;
        struct aldis__msg *msg = aldis__chain_reverse(aldis__inbox_take(&shard->inbox));
        while (msg) {
            struct aldis__msg *next = msg->next;
            aldis__queue_push(&queues[aldis__msg_rank(msg) == ALDIS__RANK_CONTROL], msg);
            msg = next;
        }
    }
    for (unsigned control = 0; control < 2; control++) {
        struct aldis__msg *msg;
        while ((msg = aldis__queue_pop(&queues[control])))
            aldis__deliver(worker, msg);
    }
}

/* A shard has come: see handover.h for why in this order. */
static bool accept_gifts(struct aldis__worker *worker)
{
    struct aldis__handover *gift = aldis__handover_accept(&worker->gifts, worker->index);
    if (!gift)
        return false;
    while (gift) {
        struct aldis__handover *next = gift->next;
        struct aldis__shard *shard = aldis__shard_of_handover(gift);
        (void)aldis__chain_publish(worker, shard->index, true);
        shard->ready = false;
        if (shard->run_head)
            aldis__worker_ready(worker, shard);
        aldis__cycles_adopt(worker, shard);
        aldis_ns due_ns = aldis__wheel_next_due(shard->wheel);
        if (due_ns < worker->next_due_ns)
            worker->next_due_ns = due_ns;
        gift = next;
    }
    take_all_inboxes(worker);
    return true;
}

/* Another worker is idle and has asked: give it the last of several ready shards. */
static void give_shard(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    /* G1 acq_rel: pairs with G2 in ask_for_shard(). */
    uint32_t asker = aldis__exchange_acq_rel(&worker->asked_by, 0);
    if (!asker || worker->ready_count < SPARE_SHARDS)
        return;
    /* First, as it may make waiting actors ready, of the shard that goes, too. */
    (void)aldis__chains_publish(worker, true);
    struct aldis__shard *shard = worker->ready_head;
    worker->ready_head = shard->ready_next; /* there is another behind it */
    worker->ready_count--;
    shard->ready = false;
    worker->handovers++;
    aldis__handover_give(&shard->handover, asker - 1, &system->workers[asker - 1].gifts);
    aldis__worker_notify(&system->workers[asker - 1]);
}

/* Nothing to do here: ask the worker with the most ready shards. */
static void ask_for_shard(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__worker *busiest = NULL;
    uint32_t most = SPARE_SHARDS - 1;
    for (uint32_t i = 0; i < system->worker_count; i++) {
        /* Relaxed: a hint; the one who is asked decides. */
        uint32_t load = aldis__load_relaxed(&system->workers[i].load);
        if (i != worker->index && load > most) {
            most = load;
            busiest = &system->workers[i];
        }
    }
    uint32_t nobody = 0;
    if (busiest)
        /* G2 acq_rel: pairs with G1 in give_shard(). */
        (void)aldis__cas_strong_acq_rel(&busiest->asked_by, &nobody, worker->index + 1);
}

/* More shards have work than this worker can run: wake one that is parked, so that it asks. */
static void invite_idle(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    if (worker->ready_count < SPARE_SHARDS || ++worker->crowded_rounds % INVITE_ROUNDS != 0)
        return;
    for (uint32_t i = 0; i < system->worker_count; i++)
        if (i != worker->index && aldis__park_is_parked(&system->workers[i].parking)) {
            aldis__worker_notify(&system->workers[i]);
            return;
        }
}

/* ------------------------------------------------------------------ standing still */

/* An outside thread counts, or joins: hold until it lets go. */
static void hold_still(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    uint32_t hold;
    /* S1 acquire: pairs with S2 in aldis__system_release(). */
    while ((hold = aldis__load_acquire(&system->hold)) & 1) {
        (void)accept_gifts(worker);
        /* S3 acq_rel: pairs with S4 in aldis__system_hold(): who counts sees all that we did. */
        (void)aldis__fetch_add_acq_rel(&system->held, 1);
        aldis__futex_wake(&system->held, INT_MAX);
        /* Relaxed: the acquire above decides, when we are out. */
        while (aldis__load_relaxed(&system->hold) == hold)
            aldis__futex_wait(&system->hold, hold, ALDIS_FOREVER);
    }
    read_clock(worker);
}

static bool must_hold(struct aldis__worker *worker)
{
    /* Relaxed: S1 in hold_still() decides. */
    return aldis__load_relaxed(&worker->ctx.system->hold) & 1;
}

static bool must_quit(struct aldis__worker *worker)
{
    /* Q1 acquire: pairs with Q2 in aldis__system_quit(). */
    return aldis__load_acquire(&worker->ctx.system->quit);
}

/* ------------------------------------------------------------------ parking */

void aldis__announce_idle(aldis_system *system)
{
    /* L2 acq_rel: pairs with L1 in aldis__worker_notify() and L3 in is_idle(). */
    int32_t idle = aldis__fetch_add_acq_rel(&system->idle_workers, 1) + 1;
    if (idle == (int32_t)system->worker_count) {
        aldis__halt_ask(system, ALDIS__HALT_IDLE);
        aldis__futex_wake(&system->halt, INT_MAX);
    }
}

/* Go on after a park that was not counted as idle: a waker has counted it off all the same. */
static void unpark_uncounted(struct aldis__worker *worker)
{
    if (aldis__park_end(&worker->parking))
        /* L2 acq_rel: pairs with L1 in aldis__worker_notify() and L3 in is_idle(). */
        (void)aldis__fetch_add_acq_rel(&worker->ctx.system->idle_workers, 1);
}

/* Sleep until mail, a gift, a timer or a request comes: see parking.h for why none is missed. */
static void park(struct aldis__worker *worker, bool blocked)
{
    aldis__pool_flush(worker->pool);
    if (worker->ctx.system->memory) /* what it says now stands while it sleeps */
        aldis__memory_look(worker);
    if (worker->next_due_ns != ALDIS_FOREVER)
        aldis__timers_find_next(worker);
    if (!aldis__park_begin(&worker->parking))
        return;
    aldis_ns nap_ns = blocked ? BLOCKED_NAP_NS : ALDIS_FOREVER;
    aldis_ns due_ns =
        worker->next_due_ns < worker->cycle_due_ns ? worker->next_due_ns : worker->cycle_due_ns;
    if (due_ns != ALDIS_FOREVER) {
        aldis_ns now_ns = aldis__clock_monotonic_ns() - worker->ctx.system->epoch_ns;
        aldis_ns until_due_ns = due_ns - now_ns;
        if (until_due_ns < nap_ns)
            nap_ns = until_due_ns > 0 ? until_due_ns : 0;
    }
    bool found = take_inboxes(worker, true);
    found |= accept_gifts(worker);
    if (found || nap_ns == 0 || must_hold(worker) || must_quit(worker) ||
        aldis__cycles_are_due(worker)) {
        unpark_uncounted(worker);
        return;
    }
    if (nap_ns == ALDIS_FOREVER) {
        aldis__announce_idle(worker->ctx.system);
        while (aldis__park_should_sleep(&worker->parking))
            aldis__futex_wait(&worker->parking.state, ALDIS__PARKED, ALDIS_FOREVER);
        (void)aldis__park_end(&worker->parking); /* the waker has taken us off the idle count */
        return;
    }
    /* A timer is armed, or mail waits to be published: asleep, but not idle. */
    if (aldis__park_should_sleep(&worker->parking))
        aldis__futex_wait(&worker->parking.state, ALDIS__PARKED, nap_ns);
    unpark_uncounted(worker);
}

/* ------------------------------------------------------------------ the loop */

/* Nothing to do: look a little longer, ask for a shard, park. */
static void be_idle(struct aldis__worker *worker, bool blocked)
{
    if (worker->idle_rounds++ == 0)
        worker->idle_since_ns = worker->ctx.now_ns;
    if (worker->idle_rounds == ASK_ROUND)
        ask_for_shard(worker);
    if (worker->ctx.now_ns - worker->idle_since_ns < SPIN_NS) {
        aldis__cpu_relax();
        return;
    }
    park(worker, blocked);
    worker->idle_rounds = 0;
}

void *aldis__live_main(void *argument)
{
    struct aldis__worker *worker = argument;
    aldis__this_worker = worker;
    while (!must_quit(worker)) {
        read_clock(worker);
        if (aldis__unlikely(worker->ctx.now_ns >= worker->memory_due_ns))
            aldis__memory_look(worker);
        bool busy = run_ready(worker);
        if (aldis__unlikely(worker->has_letters))
            aldis__letters_flush(worker);
        if (aldis__unlikely(worker->notice.count))
            aldis__notice_post(worker);
        bool blocked = aldis__chains_publish(worker, false);
        busy |= take_inboxes(worker, false);
        if (worker->ctx.now_ns >= worker->next_due_ns)
            aldis__timers_fire(worker, worker->ctx.now_ns);
        /* Relaxed: a hint for who looks for work. */
        aldis__store_relaxed(&worker->load, worker->ready_count);
        if (aldis__load_relaxed(&worker->asked_by))
            give_shard(worker);
        if (aldis__unlikely(aldis__cycles_are_due(worker)))
            aldis__cycles_poll(worker);
        if (must_hold(worker))
            hold_still(worker);
        invite_idle(worker);
        /* A gift is accepted also by who has found other work meanwhile, or it would wait for
         * ever. */
        if (aldis__handover_is_waiting(&worker->gifts))
            busy |= accept_gifts(worker);
        /* What a timer, or room for who waited, has just sent to others is to be published
         * first; and dead letters belong to the system. */
        bool unsent =
            (worker->out_dirty && !blocked) || worker->has_letters || worker->notice.count;
        if (busy || worker->ready_count || unsent)
            worker->idle_rounds = 0;
        else
            be_idle(worker, blocked);
    }
    aldis__this_worker = &aldis__no_worker;
    return NULL;
}
