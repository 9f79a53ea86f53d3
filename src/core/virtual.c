// SPDX-License-Identifier: Apache-2.0
/* virtual.c: the engine of virtual time. Layer: core.
 *
 * Time is cut into windows of one lookahead, on a fixed grid: a message sent inside a window
 * reaches another actor in a later one at the earliest. So all actors may run a window without
 * knowing of each other, in any order and on any thread; what they change for others is noted and
 * takes effect at the window's end, in logical order, on one thread. Empty windows are skipped. */
#include "core/virtual.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "core/cycle.h"
#include "core/deadletter.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/vsend.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARALLEL_MIN_EVENTS = 512, /* with fewer, one worker runs it: see share.h for more */
    SPINS = 256
};

/* What comes from outside and what the engine sends itself are both from nobody: at one instant the
 * engine's come first, since their cause is older. */
#define SEQUENCE_FROM_OUTSIDE (UINT64_C(1) << (ALDIS__SEQUENCE_BITS - 2))

enum task { TASK_RUN, TASK_MERGE };

/* ------------------------------------------------------------------ changes for others */

static struct aldis__window_op *new_op(struct aldis__worker *worker, aldis_id actor)
{
    if (worker->op_count == worker->op_capacity) {
        size_t capacity = worker->op_capacity ? 2 * worker->op_capacity : 64;
        struct aldis__window_op *ops = realloc(worker->ops, capacity * sizeof *ops);
        if (!ops) {
            worker->fatal = ALDIS_ENOMEM;
            return NULL;
        }
        worker->ops = ops;
        worker->op_capacity = capacity;
    }
    struct aldis__window_op *op = &worker->ops[worker->op_count++];
    memset(op, 0, sizeof *op);
    op->at_ns = worker->ctx.now_ns;
    op->microstep = worker->ctx.microstep;
    op->actor = actor;
    op->sequence = worker->run_ops++;
    return op;
}

void aldis__virtual_op(struct aldis__worker *worker, aldis_id actor, enum aldis__op kind,
                       aldis_id target, uint64_t value)
{
    struct aldis__window_op *op = new_op(worker, actor);
    if (!op)
        return;
    op->kind = kind;
    op->target = target;
    op->value = value;
}

bool aldis__virtual_op_router(struct aldis__worker *worker, aldis_id actor, uint64_t value,
                              void *pointer)
{
    struct aldis__window_op *op = new_op(worker, actor);
    if (!op)
        return false;
    op->kind = ALDIS__OP_ROUTER;
    op->target = actor;
    op->value = value;
    op->pointer = pointer;
    return true;
}

bool aldis__virtual_op_call(struct aldis__worker *worker, aldis_id actor,
                            struct aldis__window_call *call)
{
    struct aldis__window_op *op = new_op(worker, actor);
    if (!op)
        return false;
    op->kind = ALDIS__OP_CALL;
    op->target = actor;
    op->pointer = call;
    return true;
}

void aldis__virtual_op_command(struct aldis__worker *worker, struct aldis__msg *msg)
{
    struct aldis__window_op *op = new_op(worker, msg->from);
    if (!op) { /* the run ends; the command counts as rejected */
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ENOMEM);
        return;
    }
    op->kind = ALDIS__OP_COMMAND;
    op->target = msg->to;
    op->pointer = msg;
}

/* (time, microstep, actor, sequence) */
static int compare_ops(const void *a, const void *b)
{
    const struct aldis__window_op *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->microstep != y->microstep)
        return x->microstep < y->microstep ? -1 : 1;
    if (x->actor.bits != y->actor.bits)
        return x->actor.bits < y->actor.bits ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void apply_op(aldis_system *system, const struct aldis__window_op *op)
{
    struct aldis__worker *worker = &system->workers[0];
    uint64_t place = aldis__id_index(op->target, system->node_base);
    aldis__word *word = &system->directory[place];
    switch ((enum aldis__op)op->kind) {
    case ALDIS__OP_SPAWN:
        aldis__directory_set_flags(word, 0, ALDIS__WORD_STARTING);
        aldis__post_runtime(worker, aldis_nobody(), op->target, ALDIS__TYPE_RUN, NULL, 0);
        break;
    case ALDIS__OP_END:
        aldis__cell_bury(worker, aldis__system_cell(system, place));
        break;
    case ALDIS__OP_CLOSING:
        aldis__directory_set_flags(word, ALDIS__WORD_CLOSING, 0);
        break;
    case ALDIS__OP_FULL:
        aldis__directory_set_flags(word, ALDIS__WORD_FULL, 0);
        break;
    case ALDIS__OP_NOT_FULL:
        aldis__directory_set_flags(word, 0, ALDIS__WORD_FULL);
        break;
    case ALDIS__OP_COMMAND: {
        struct aldis__msg *msg = op->pointer;
        struct aldis__virtual *engine = system->virtual_engine;
        msg->from = aldis_nobody(); /* so that commands keep the order in which they were given */
        *aldis__msg_stamp(msg) =
            (struct aldis__stamp){aldis__virtual_effect_time(engine), engine->sequence++};
        aldis__route(worker, msg);
        break;
    }
    case ALDIS__OP_CALL: {
        struct aldis__window_call *call = op->pointer;
        call->run(system, call, op->actor);
        break;
    }
    case ALDIS__OP_ROUTER: {
        /* E5 acquire: pairs with E2 in aldis__system_set_router(). */
        struct aldis__extension *router = aldis__load_acquire(&system->router);
        router->on_window_op(router, op);
        break;
    }
    }
}

/* Everything that the window's actors have changed for others, in logical order. */
static aldis_err apply_ops(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    size_t count = 0;
    for (uint32_t w = 0; w < system->worker_count; w++)
        count += system->workers[w].op_count;
    if (count == 0)
        return ALDIS_OK;
    if (count > engine->op_capacity) {
        struct aldis__window_op *ops = realloc(engine->ops, 2 * count * sizeof *ops);
        if (!ops)
            return ALDIS_ENOMEM;
        engine->ops = ops;
        engine->op_capacity = 2 * count;
    }
    size_t filled = 0;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        struct aldis__worker *worker = &system->workers[w];
        if (worker->op_count)
            memcpy(engine->ops + filled, worker->ops, worker->op_count * sizeof *worker->ops);
        filled += worker->op_count;
        worker->op_count = 0;
    }
    qsort(engine->ops, count, sizeof *engine->ops, compare_ops);
    system->workers[0].ctx.now_ns = engine->end_ns;
    system->workers[0].ctx.microstep = 0;
    for (size_t i = 0; i < count; i++)
        apply_op(system, &engine->ops[i]);
    return ALDIS_OK;
}

/* What lies above the core has its turn when all that is done. */
static void end_window(aldis_system *system)
{
    /* E6 acquire: pairs with E2 in aldis__system_set_router(). */
    struct aldis__extension *router = aldis__load_acquire(&system->router);
    if (router)
        router->on_window_end(router);
}

/* ------------------------------------------------------------------ threads */

struct aldis__window_test aldis__window_test;

/* Share out `count` shards. Each worker has those of its own first, the same ones in every window,
 * so that their cells stay in its cache and most blocks come home without a journey; who is done
 * takes from the others. */
static void share_out(aldis_system *system, const uint32_t *shards, uint32_t count)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint32_t filled = 0;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        struct aldis__worker *worker = &system->workers[w];
        /* Relaxed: ordered by V2. */
        aldis__store_relaxed(&worker->task_next, filled);
        for (uint32_t i = 0; i < count; i++)
            if (shards[i] % system->worker_count == w)
                engine->shared[filled++] = shards[i];
        worker->task_end = filled;
    }
}

static void do_task(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__virtual *engine = system->virtual_engine;
    for (uint32_t n = 0; n < system->worker_count; n++) {
        struct aldis__worker *owner = &system->workers[(worker->index + n) % system->worker_count];
        uint32_t i;
        /* Relaxed: the phase orders the data; this only shares out numbers. */
        while ((i = aldis__fetch_add_relaxed(&owner->task_next, 1)) < owner->task_end) {
            uint32_t shard = engine->shared[i];
            if (aldis__unlikely(aldis__window_test.stall != NULL))
                aldis__window_test.stall(worker->index, shard);
            if (engine->task == TASK_RUN)
                aldis__window_run(worker, &system->shards[shard]);
            else
                aldis__virtual_merge(system, shard);
        }
    }
}

static void *thread_main(void *argument)
{
    struct aldis__worker *worker = argument;
    struct aldis__virtual *engine = aldis__engine_of(worker);
    uint32_t seen = 0;
    aldis__this_worker = worker;
    for (;;) {
        uint32_t phase;
        unsigned spins = 0;
        /* V1 acquire: pairs with V2 in run_task(): the task and all data of the last one. */
        while ((phase = aldis__load_acquire(&engine->phase)) == seen) {
            if (++spins < SPINS)
                aldis__cpu_relax();
            else
                aldis__futex_wait(&engine->phase, seen, ALDIS_FOREVER);
        }
        seen = phase;
        /* Relaxed: ordered by V1. */
        if (aldis__load_relaxed(&engine->quit))
            return NULL;
        do_task(worker);
        /* V3 acq_rel: pairs with V4 in run_task(): gives the main thread what we did. */
        if (aldis__fetch_add_acq_rel(&engine->arrived, 1) + 1 == engine->thread_count)
            aldis__futex_wake(&engine->arrived, 1);
    }
}

/* All workers do the task, this one (worker 0) too. */
static void run_task(aldis_system *system, enum task task)
{
    struct aldis__virtual *engine = system->virtual_engine;
    engine->task = task;
    aldis__store_relaxed(&engine->arrived, 0); /* Relaxed: ordered by V2. */
    /* V2 acq_rel: pairs with V1 in thread_main(). */
    (void)aldis__fetch_add_acq_rel(&engine->phase, 1);
    aldis__futex_wake(&engine->phase, INT_MAX);
    do_task(&system->workers[0]);
    uint32_t arrived;
    unsigned spins = 0;
    /* V4 acquire: pairs with V3 in thread_main(). */
    while ((arrived = aldis__load_acquire(&engine->arrived)) < engine->thread_count) {
        if (++spins < SPINS)
            aldis__cpu_relax();
        else
            aldis__futex_wait(&engine->arrived, arrived, ALDIS_FOREVER);
    }
}

/* ------------------------------------------------------------------ windows */

static void run_alone(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    for (uint32_t i = 0; i < engine->active_count; i++) {
        if (i + 2 < engine->active_count)
            aldis__vqueue_prefetch_bucket(&system->shards[engine->active[i + 2]].future);
        if (i + 1 < engine->active_count)
            aldis__vqueue_prefetch_chunk(&system->shards[engine->active[i + 1]].future);
        aldis__window_run(&system->workers[0], &system->shards[engine->active[i]]);
    }
    for (uint32_t i = 0; system->opts.zero_delay && i < system->shard_count; i++)
        aldis__virtual_merge(system, i);
    if (aldis__unlikely(system->pools[0]->ran_dry))
        aldis__pools_level(system->pools, system->worker_count + 1);
}

static void run_parallel(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    for (uint32_t w = 0; w < system->worker_count; w++)
        system->workers[w].direct = false;
    share_out(system, engine->active, engine->active_count);
    run_task(system, TASK_RUN);
    share_out(system, engine->all, system->shard_count);
    run_task(system, TASK_MERGE);
    system->workers[0].direct = true;
    aldis__pools_level(system->pools, system->worker_count + 1);
}

/* How much an actor may send in this window before somebody has to look. */
static void set_quotas(aldis_system *system)
{
    const struct aldis_system_opts *opts = &system->opts;
    uint64_t underway = system->virtual_engine->underway;
    uint64_t left = opts->underway_msgs > underway ? opts->underway_msgs - underway : 0;
    uint64_t quota = left < opts->underway_per_sender ? left : opts->underway_per_sender;
    bool looks =
        opts->zero_delay || system->virtual_engine->faults.arg || system->workers[0].memory_full;
    for (uint32_t w = 0; w < system->worker_count; w++)
        system->workers[w].send_quota = looks ? 0 : (uint32_t)quota;
}

/* Which shards have work in this window, and how much? */
static uint64_t find_active(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint64_t events = 0;
    engine->active_count = 0;
    engine->underway = 0;
    for (uint32_t i = 0; i < system->shard_count; i++) {
        struct aldis__vqueue *future = &system->shards[i].future;
        engine->underway += future->count;
        if (future->next != engine->window)
            continue;
        engine->active[engine->active_count++] = i;
        events += aldis__vqueue_count_at(future, engine->window);
    }
    set_quotas(system);
    return events;
}

/* The window's messages, by all workers or by this one alone: the result is the same. */
static void run_messages(aldis_system *system, uint64_t events)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint64_t share_min =
        aldis__window_test.share_min ? aldis__window_test.share_min : PARALLEL_MIN_EVENTS;
    bool alone = system->memory && aldis__memory_window_begins(system, engine->active_count);
    if (system->worker_count == 1 || alone || events < share_min || engine->active_count < 2) {
        run_alone(system);
        return;
    }
    bool share = aldis__window_test.share_min || aldis__share_choose(&engine->share, events);
    aldis_ns start_ns = aldis__clock_monotonic_ns();
    if (share)
        run_parallel(system);
    else
        run_alone(system);
    aldis__share_note(&engine->share, events, share, aldis__clock_monotonic_ns() - start_ns);
}

static aldis_err first_fatal(aldis_system *system)
{
    const struct aldis__worker *first = &system->workers[0];
    aldis_err err = ALDIS_OK;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        struct aldis__worker *worker = &system->workers[w];
        if (err == ALDIS_OK && worker->fatal != ALDIS_OK) {
            first = worker;
            err = worker->fatal;
        }
        worker->fatal = ALDIS_OK; /* of all: the next run begins without it */
    }
    if (err == ALDIS_ELOOP)
        return aldis__error_set(
            err, first->fatal_actor, aldis__type_info(first->fatal_type)->name,
            "run: %s of actor %016llx goes round: more than %u rounds at one instant "
            "(option microsteps_max)",
            aldis__type_info(first->fatal_type)->name, (unsigned long long)first->fatal_actor.bits,
            system->opts.microsteps_max);
    if (err != ALDIS_OK)
        return aldis__error_set(err, aldis_nobody(), "", "run: memory ran out in a window");
    return ALDIS_OK;
}

static aldis_err run_window(aldis_system *system, aldis_ns start_ns)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint64_t events = find_active(system);
    engine->in_window = true;
    run_messages(system, events);
    engine->in_window = false;
    if (system->memory) /* what is sent between windows is counted one by one */
        system->workers[0].send_quota = 0;
    uint64_t print = engine->print;
    for (uint32_t i = 0; i < engine->active_count; i++) {
        uint32_t shard = engine->active[i];
        print = aldis__digest_pair(print, shard, system->shards[shard].window_digest);
    }
    engine->print = aldis__digest_bytes(print, &engine->window, sizeof engine->window);
    engine->windows++;
    aldis_err err = apply_ops(system);
    aldis__letters_gather(system);
    end_window(system);
    aldis_err fatal = first_fatal(system);
    if (system->memory && fatal == ALDIS_OK)
        fatal = aldis__memory_window_ended(system);
    engine->now_ns = engine->end_ns;
    if (engine->watch.on_window)
        aldis__watch_window(system, start_ns);
    return err != ALDIS_OK ? err : fatal;
}

static uint64_t earliest_window(const aldis_system *system)
{
    uint64_t earliest = ALDIS__NO_WINDOW;
    for (uint32_t i = 0; i < system->shard_count; i++)
        if (system->shards[i].future.next < earliest)
            earliest = system->shards[i].future.next;
    return earliest;
}

static bool halted(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    uint32_t asked = aldis__halt_look(system) & ALDIS__HALT_ASKED;
    if (asked)
        aldis__halt_clear(system, asked);
    /* Relaxed: written inside a window, which the phases order before this look. */
    bool by_handler = aldis__load_relaxed(&engine->halt);
    aldis__store_relaxed(&engine->halt, false);
    return asked || by_handler;
}

/* Between windows outside threads may have their turn. */
static void let_others_in(aldis_system *system)
{
    /* Relaxed: a hint; a caller that is missed now is seen next time. */
    if (aldis__load_relaxed(&system->waiting_outside) == 0)
        return;
    pthread_mutex_unlock(&system->lock);
    while (aldis__load_relaxed(&system->waiting_outside) > 0)
        sched_yield();
    pthread_mutex_lock(&system->lock);
}

/* Does the wall clock decide when things happen now? A stop waits for nobody. */
static bool is_paced(aldis_system *system)
{
    /* Relaxed: a request, written under the lock. */
    return system->virtual_engine->pace.on && !aldis__load_relaxed(&system->stopping);
}

/* A paced run waits until the wall clock shows at_ns, or something happens. False: look again. */
static bool await(aldis_system *system, aldis_ns at_ns, bool window, aldis_run_end *out_end)
{
    *out_end = ALDIS_RUN_UNTIL; /* as long as it is not over, nobody looks at it */
    if (!is_paced(system))
        return true;
    switch (aldis__pace_wait(system, &system->virtual_engine->pace, at_ns, window)) {
    case ALDIS__PACE_DUE:
        return true;
    case ALDIS__PACE_LATE:
        *out_end = ALDIS_RUN_LAG;
        return false;
    case ALDIS__PACE_WOKEN:
        *out_end = halted(system) ? ALDIS_RUN_HALTED : ALDIS_RUN_UNTIL;
        return false;
    }
    return false;
}

/* Nothing is left to do before until_ns. */
static bool rest(aldis_system *system, bool idle, aldis_ns until_ns, aldis_run_end *out_end)
{
    struct aldis__virtual *engine = system->virtual_engine;
    if (!await(system, until_ns, false, out_end))
        return *out_end != ALDIS_RUN_UNTIL;
    if (idle && !is_paced(system)) {
        *out_end = ALDIS_RUN_IDLE;
        return true;
    }
    engine->now_ns = engine->now_ns < until_ns ? until_ns : engine->now_ns;
    *out_end = ALDIS_RUN_UNTIL;
    return true;
}

/* Look for actors that wait for each other, at `at_ns`. True: the run is over. */
static bool look_for_cycles(aldis_system *system, aldis_ns at_ns, aldis_run_end *out_end,
                            aldis_err *out_err)
{
    struct aldis__virtual *engine = system->virtual_engine;
    if (at_ns > engine->now_ns && !await(system, at_ns, false, out_end))
        return *out_end != ALDIS_RUN_UNTIL;
    if (at_ns > engine->now_ns)
        engine->now_ns = at_ns;
    *out_err = aldis__cycles_look(system);
    *out_end = ALDIS_RUN_HALTED;
    return *out_err != ALDIS_OK;
}

/* One step of the run. True: it is over, for the reason given. */
static bool step(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end,
                 aldis_err *out_err)
{
    struct aldis__virtual *engine = system->virtual_engine;
    /* Relaxed: written inside a window, which the phases order before this look. */
    if (aldis__unlikely(aldis__load_relaxed(&engine->cancelled)))
        aldis__timers_sweep(system);
    uint64_t window = earliest_window(system);
    aldis_ns look_ns = aldis__cycles_look_at(system);
    if (window == ALDIS__NO_WINDOW) {
        if (look_ns != ALDIS_FOREVER) /* nothing else happens any more: why wait? */
            return look_for_cycles(system, engine->now_ns, out_end, out_err);
        return rest(system, true, until_ns, out_end);
    }
    aldis_ns start_ns = (aldis_ns)(window * (uint64_t)engine->quantum_ns);
    /* The rest of a window that an earlier run has cut. An instant is never cut: all its rounds
     * belong to the same run. */
    if (start_ns < engine->now_ns && !system->opts.zero_delay)
        start_ns = engine->now_ns;
    if (look_ns <= start_ns && look_ns < until_ns)
        return look_for_cycles(system, look_ns, out_end, out_err);
    if (start_ns >= until_ns)
        return rest(system, false, until_ns, out_end);
    if (!await(system, start_ns, true, out_end))
        return *out_end != ALDIS_RUN_UNTIL;
    /* Not by adding: the last moment there is lies before the end of its window, too. */
    aldis_ns begin_ns = (aldis_ns)(window * (uint64_t)engine->quantum_ns);
    aldis_ns whole_ns = begin_ns < ALDIS_FOREVER - engine->quantum_ns
                            ? begin_ns + engine->quantum_ns
                            : ALDIS_FOREVER;
    engine->window = window;
    engine->end_ns = whole_ns < until_ns ? whole_ns : until_ns;
    *out_err = run_window(system, start_ns);
    *out_end = *out_err == ALDIS_ELOOP ? ALDIS_RUN_LOOP : ALDIS_RUN_HALTED;
    return *out_err != ALDIS_OK || halted(system) || engine->watch.one_window;
}

aldis_err aldis__virtual_run(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end)
{
    struct aldis__worker *before = aldis__this_worker;
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&system->lock);
    aldis__this_worker = &system->workers[0];
    if (halted(system))
        *out_end = ALDIS_RUN_HALTED;
    else
        while (!step(system, until_ns, out_end, &err)) {
            aldis__this_worker = before;
            let_others_in(system);
            aldis__this_worker = &system->workers[0];
        }
    aldis__this_worker = before;
    pthread_mutex_unlock(&system->lock);
    return err;
}

/* ------------------------------------------------------------------ from outside */

/* The first window that begins after what the wall clock shows, and has not run. */
static aldis_ns next_window_start(struct aldis__virtual *engine)
{
    aldis_ns now_ns = aldis__pace_now(&engine->pace);
    if (now_ns < engine->now_ns)
        return engine->now_ns; /* a window just began: it is the next one that hears of this */
    return aldis__virtual_add_time(now_ns - now_ns % engine->quantum_ns, engine->quantum_ns);
}

aldis_err aldis__virtual_outside(aldis_system *system, struct aldis__msg *msg, uint32_t shard,
                                 aldis_ns delay_ns)
{
    struct aldis__virtual *engine = system->virtual_engine;
    struct aldis__vqueue *future = &system->shards[shard].future;
    if (future->count >= system->opts.underway_msgs)
        return aldis__error_set(ALDIS_EAGAIN, msg->to, aldis__type_info(msg->type)->name,
                                "send: %llu messages are under way (option underway_msgs)",
                                (unsigned long long)future->count);
    bool paced = is_paced(system);
    aldis_ns at_ns = paced && engine->pace.started ? next_window_start(engine) : engine->now_ns;
    at_ns = aldis__virtual_add_time(at_ns, delay_ns > 0 ? delay_ns : 0);
    uint64_t sequence = system->outside_sequence;
    if (engine->given) {
        at_ns = engine->given->at_ns;
        sequence = engine->given->sequence;
    }
    /* The runtime's own messages (a start, a new child) belong to calls that cannot fail here. */
    if (paced && (msg->type == ALDIS__TYPE_COMMAND || msg->type >= ALDIS__TYPE_STATUS)) {
        aldis_err err = aldis__pace_admit(&engine->pace, engine->now_ns, at_ns);
        if (err != ALDIS_OK)
            return err;
    }
    *aldis__msg_stamp(msg) = (struct aldis__stamp){at_ns, sequence};
    if (sequence >= system->outside_sequence)
        system->outside_sequence = sequence + 1;
    if (engine->watch.on_input)
        aldis__watch_input(system, msg);
    aldis__vqueue_add(future, msg);
    if (paced)
        aldis__pace_wake(system);
    return ALDIS_OK;
}

void aldis__virtual_outside_start(aldis_system *system, aldis_id actor)
{
    aldis__directory_set_flags(&system->directory[aldis__id_index(actor, system->node_base)], 0,
                               ALDIS__WORD_STARTING);
}

/* ------------------------------------------------------------------ life, facts */

aldis_err aldis__virtual_create(aldis_system *system)
{
    struct aldis__virtual *engine = aligned_alloc(64, (sizeof *engine + 63) & ~(size_t)63);
    if (!engine)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "the engine of virtual time");
    memset(engine, 0, sizeof *engine);
    system->outside_sequence = SEQUENCE_FROM_OUTSIDE;
    system->virtual_engine = engine;
    engine->quantum_ns = aldis__virtual_quantum(&system->opts);
    engine->active = calloc(3 * (size_t)system->shard_count, sizeof *engine->active);
    if (!engine->active)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "the engine of virtual time");
    engine->shared = engine->active + system->shard_count;
    engine->all = engine->shared + system->shard_count;
    for (uint32_t i = 0; i < system->shard_count; i++)
        engine->all[i] = i;
    system->workers[0].direct = true;
    for (uint32_t w = 0; w < system->worker_count; w++)
        system->workers[w].run_receiver = UINT64_MAX;
    for (uint32_t w = 1; w < system->worker_count; w++) {
        struct aldis__worker *worker = &system->workers[w];
        aldis_err err = aldis__thread_start(&worker->thread, thread_main, worker, "aldis-w", w);
        if (err != ALDIS_OK)
            return err;
        engine->thread_count++;
    }
    return ALDIS_OK;
}

void aldis__virtual_destroy(aldis_system *system)
{
    struct aldis__virtual *engine = system->virtual_engine;
    if (!engine)
        return;
    /* Relaxed: ordered by V2. */
    aldis__store_relaxed(&engine->quit, true);
    (void)aldis__fetch_add_acq_rel(&engine->phase, 1); /* V2 acq_rel: pairs with V1 */
    aldis__futex_wake(&engine->phase, INT_MAX);
    for (uint32_t w = 1; w <= engine->thread_count; w++)
        pthread_join(system->workers[w].thread, NULL);
    for (uint32_t w = 0; w < system->worker_count; w++) {
        const struct aldis__worker *worker = &system->workers[w];
        for (size_t i = 0; i < worker->op_count; i++) /* of a run that memory has ended */
            if (worker->ops[i].kind == ALDIS__OP_CALL) {
                struct aldis__window_call *call = worker->ops[i].pointer;
                call->run(NULL, call, worker->ops[i].actor);
            }
    }
    aldis__pace_fini(&engine->pace);
    if (engine->faults.arg)
        engine->faults.destroy(engine->faults.arg);
    free(engine->active);
    free(engine->ops);
    free(engine);
    system->virtual_engine = NULL;
}

aldis_ns aldis__virtual_now(const aldis_system *system)
{
    return system->virtual_engine->now_ns;
}

uint64_t aldis__virtual_print(const aldis_system *system)
{
    return system->virtual_engine->print;
}

uint64_t aldis__virtual_windows(const aldis_system *system)
{
    return system->virtual_engine->windows;
}

void aldis__virtual_halt(struct aldis__worker *worker)
{
    /* Relaxed: looked at after the window. */
    aldis__store_relaxed(&aldis__engine_of(worker)->halt, true);
}
