// SPDX-License-Identifier: Apache-2.0
/* cycle_watch.c: when to look for cycles, and what becomes of them. Layer: core. See cycle.h. */
#include "base/error.h"
#include "base/log.h"
#include "core/backpressure.h"
#include "core/cycle.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/virtual.h"
#include "core/window.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (50 * ALDIS_MS) /* live: so long somebody must have been stuck */
#define ROUND_NS (25 * ALDIS_MS)    /* live: between two rounds of looks */
#define LOOK_NS (250 * ALDIS_MS)    /* virtual: from the first new note to the look */

/* Live: rounds after the last note. One may be under way; of the other two the second compares. */
enum { LOOKS = 3 };

struct aldis__cycles {
    pthread_mutex_t lock; /* live: held for a copy, or for the search */
    struct aldis__wait_graph now, before;
    uint32_t remaining; /* workers that have not answered this round */
    uint64_t seen;      /* virtual: stuck_events when it last looked */
    aldis_ns look_ns;   /* virtual: the next look; ALDIS_FOREVER: none */
    struct aldis__worker *finder;
    _Atomic(uint64_t) found;
    bool halted; /* under the lock */
    char text[256];
};

bool aldis__cycles_create(aldis_system *system)
{
    struct aldis__cycles *cycles = calloc(1, sizeof *cycles);
    if (!cycles)
        return false;
    pthread_mutex_init(&cycles->lock, NULL);
    cycles->look_ns = ALDIS_FOREVER;
    system->cycles = cycles;
    return true;
}

void aldis__cycles_destroy(aldis_system *system)
{
    struct aldis__cycles *cycles = system->cycles;
    if (!cycles)
        return;
    aldis__wait_graph_fini(&cycles->now);
    aldis__wait_graph_fini(&cycles->before);
    pthread_mutex_destroy(&cycles->lock);
    free(cycles);
    system->cycles = NULL;
}

uint64_t aldis__cycles_found(const aldis_system *system)
{
    /* Relaxed: a count. */
    return aldis__load_relaxed(&system->cycles->found);
}

/* ------------------------------------------------------------------ who is stuck */

static void arm(struct aldis__worker *worker)
{
    worker->stuck_events++;
    worker->cycle_looks = LOOKS;
    if (!worker->ctx.system->virtual_time && worker->cycle_due_ns == ALDIS_FOREVER)
        worker->cycle_due_ns = worker->ctx.now_ns + PATIENCE_NS;
}

void aldis__cycle_forget(struct aldis__shard *shard, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext || !ext->stuck)
        return;
    if (ext->stuck_prev)
        ext->stuck_prev->ext->stuck_next = ext->stuck_next;
    else
        shard->stuck_head = ext->stuck_next;
    if (ext->stuck_next)
        ext->stuck_next->ext->stuck_prev = ext->stuck_prev;
    else
        shard->stuck_tail = ext->stuck_prev;
    ext->stuck = false;
}

void aldis__cycle_note(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext)
        return;
    ext->wait_epoch++;
    const uint32_t both = ALDIS__CELL_PARKED | ALDIS__CELL_FULL;
    bool stuck = (cell->flags & both) == both;
    if (stuck != ext->stuck) {
        struct aldis__shard *shard = aldis__system_home(worker->ctx.system, cell->id);
        if (stuck) {
            ext->stuck_next = NULL;
            ext->stuck_prev = shard->stuck_tail;
            if (shard->stuck_tail)
                shard->stuck_tail->ext->stuck_next = cell;
            else
                shard->stuck_head = cell;
            shard->stuck_tail = cell;
            ext->stuck = true;
        } else {
            aldis__cycle_forget(shard, cell);
        }
    }
    if (stuck)
        arm(worker);
}

/* ------------------------------------------------------------------ what becomes of a cycle */

/* "0123 (kind: 8 wait, keeps 12 num) -> ..." */
static void describe(const aldis_cycle_member *members, size_t count, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < count && used < size; i++) {
        int more =
            snprintf(text + used, size - used, "%s%016llx (%s: %u wait, keeps %u %s)",
                     i ? " -> " : "", (unsigned long long)members[i].actor.bits, members[i].kind,
                     members[i].depth_msgs, members[i].kept_msgs, members[i].type_name);
        used += more > 0 ? (size_t)more : size;
    }
    if (used >= size && size > 4)
        memcpy(text + size - 4, "...", 4);
}

static void on_found(void *arg, const struct aldis__wait_node *node, aldis_id next,
                     const aldis_cycle_member *members, size_t count)
{
    aldis_system *system = arg;
    struct aldis__cycles *cycles = system->cycles;
    struct aldis__worker *worker = cycles->finder;
    aldis_cycle_policy policy = system->opts.cycle_policy;
    char text[256];
    describe(members, count, text, sizeof text);
    aldis__log(ALDIS_LOG_WARN, "%zu actors wait for each other: %s", count, text);
    /* Relaxed: one writer at a time, by the lock or the window; others read a count. */
    aldis__store_relaxed(&cycles->found, aldis__load_relaxed(&cycles->found) + 1);
    if (system->opts.on_cycle) {
        aldis_cycle cycle = {members, count, worker->ctx.now_ns, policy};
        system->opts.on_cycle(system->opts.on_cycle_arg, &cycle);
    }
    if (policy == ALDIS_CYCLE_HALT) {
        if (!cycles->halted)
            memcpy(cycles->text, text, sizeof text);
        cycles->halted = true;
        return;
    }
    struct aldis__break order = {next, node->epoch, (uint32_t)policy};
    aldis__post_runtime(worker, aldis_nobody(), node->actor, ALDIS__TYPE_BREAK, &order,
                        sizeof order);
}

void aldis__cycle_break(struct aldis__worker *worker, struct aldis__cell *cell,
                        const struct aldis__break *order)
{
    const struct aldis__cell_ext *ext = cell->ext;
    if (!ext || !ext->stuck || ext->wait_epoch != order->epoch)
        return; /* somebody else has ended the wait, or begun to */
    if (order->policy == ALDIS_CYCLE_STOP)
        aldis__post_command(worker, cell->id, cell->id, ALDIS_CMD_STOP, 0);
    else
        aldis__overflow_fail(worker, cell, order->next);
}

aldis_err aldis__cycles_halted(aldis_system *system)
{
    struct aldis__cycles *cycles = system->cycles;
    char text[sizeof cycles->text];
    pthread_mutex_lock(&cycles->lock);
    bool halted = cycles->halted;
    cycles->halted = false;
    memcpy(text, cycles->text, sizeof text);
    pthread_mutex_unlock(&cycles->lock);
    return halted ? aldis__error_set(ALDIS_EDEADLOCK, aldis_nobody(), "",
                                     "run: actors wait for each other: %s", text)
                  : ALDIS_OK;
}

/* Live: under the lock. */
static void solve(aldis_system *system, struct aldis__worker *worker, bool twice)
{
    struct aldis__cycles *cycles = system->cycles;
    cycles->finder = worker;
    aldis__wait_graph_link(&cycles->now, &cycles->before, twice);
    aldis__wait_graph_solve(&cycles->now, on_found, system);
    struct aldis__wait_graph spare = cycles->before;
    cycles->before = cycles->now;
    cycles->now = spare;
}

/* ------------------------------------------------------------------ virtual time */

static uint64_t count_events(const aldis_system *system)
{
    uint64_t events = 0;
    for (uint32_t w = 0; w < system->worker_count; w++)
        events += system->workers[w].stuck_events;
    return events;
}

aldis_ns aldis__cycles_look_at(aldis_system *system)
{
    struct aldis__cycles *cycles = system->cycles;
    if (count_events(system) == cycles->seen)
        return ALDIS_FOREVER;
    if (cycles->look_ns == ALDIS_FOREVER) {
        const struct aldis__virtual *engine = system->virtual_engine;
        aldis_ns quantum_ns = engine->quantum_ns, due_ns = engine->now_ns + LOOK_NS;
        cycles->look_ns = due_ns + (quantum_ns - due_ns % quantum_ns) % quantum_ns;
    }
    return cycles->look_ns;
}

aldis_err aldis__cycles_look(aldis_system *system)
{
    struct aldis__cycles *cycles = system->cycles;
    struct aldis__virtual *engine = system->virtual_engine;
    struct aldis__worker *worker = &system->workers[0];
    engine->end_ns = engine->now_ns; /* what it posts comes now */
    worker->ctx.now_ns = engine->now_ns;
    worker->ctx.microstep = 0;
    cycles->look_ns = ALDIS_FOREVER;
    cycles->seen = count_events(system);
    aldis__wait_graph_clear(&cycles->now);
    for (uint32_t i = 0; i < system->shard_count; i++)
        if (!aldis__wait_graph_add(&cycles->now, &system->shards[i]))
            return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "",
                                    "run: no memory to look for actors that wait for each other");
    solve(system, worker, false);
    return aldis__cycles_halted(system);
}

/* ------------------------------------------------------------------ live */

/* Under the lock: this worker was the last to answer. */
static void finish_round(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__cycles *cycles = system->cycles;
    solve(system, worker, true);
    if (cycles->halted) {
        aldis__halt_ask(system, ALDIS__HALT_ASKED);
        aldis__futex_wake(&system->halt, INT_MAX);
    }
}

/* Add this worker's stuck actors to the round. */
static void answer(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__cycles *cycles = system->cycles;
    pthread_mutex_lock(&cycles->lock);
    /* YC1 acquire: pairs with YC2 in begin_round(). (The lock would do.) */
    uint32_t round = aldis__load_acquire(&system->cycle_round);
    if (round != worker->cycle_round) {
        worker->cycle_round = round;
        if (worker->cycle_looks)
            worker->cycle_looks--;
        for (uint32_t i = 0; i < system->shard_count; i++)
            if (aldis__handover_owner(&system->shards[i].handover) == worker->index)
                /* Out of memory: what is missing is not found now, and no worse. */
                (void)aldis__wait_graph_add(&cycles->now, &system->shards[i]);
        if (--cycles->remaining == 0)
            finish_round(worker);
    }
    pthread_mutex_unlock(&cycles->lock);
}

/* A new round, unless one is under way. */
static void begin_round(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__cycles *cycles = system->cycles;
    pthread_mutex_lock(&cycles->lock);
    bool begins = cycles->remaining == 0;
    if (begins) {
        cycles->remaining = system->worker_count;
        aldis__wait_graph_clear(&cycles->now);
        /* YC2 acq_rel: pairs with YC1 in answer(); ordered before the looks at who is parked. */
        (void)aldis__fetch_add_acq_rel(&system->cycle_round, 1);
    }
    pthread_mutex_unlock(&cycles->lock);
    for (uint32_t i = 0; begins && i < system->worker_count; i++)
        if (i != worker->index)
            aldis__worker_notify(&system->workers[i]);
}

/* Since when has one of this worker's actors been stuck? */
static aldis_ns oldest_stuck(const struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    aldis_ns oldest_ns = ALDIS_FOREVER;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        if (aldis__handover_owner(&shard->handover) == worker->index && shard->stuck_head &&
            shard->stuck_head->ext->parked_ns < oldest_ns)
            oldest_ns = shard->stuck_head->ext->parked_ns;
    }
    return oldest_ns;
}

void aldis__cycles_poll(struct aldis__worker *worker)
{
    aldis_ns now_ns = worker->ctx.now_ns;
    if (now_ns >= worker->cycle_due_ns) {
        aldis_ns oldest_ns = oldest_stuck(worker);
        if (oldest_ns == ALDIS_FOREVER || worker->cycle_looks == 0) {
            worker->cycle_due_ns = ALDIS_FOREVER;
        } else if (now_ns - oldest_ns < PATIENCE_NS) {
            worker->cycle_due_ns = oldest_ns + PATIENCE_NS;
        } else {
            worker->cycle_due_ns = now_ns + ROUND_NS;
            begin_round(worker);
        }
    }
    answer(worker);
}

void aldis__cycles_adopt(struct aldis__worker *worker, const struct aldis__shard *shard)
{
    if (shard->stuck_head)
        arm(worker);
}
