// SPDX-License-Identifier: Apache-2.0
/* live_test.c: the loop of a worker itself, live.c and futex.c, under the explorer: two workers
 * with a shard each, and an outside thread that sends a message, waits until all is idle and lets
 * the workers quit. The message's handling may send another to the other worker. Whoever is told
 * that all is idle finds all handled, and nobody sleeps for ever.
 *
 * What live.c calls but does not share between threads is stood in for below: a message is handled
 * as it is delivered, there are no timers, and a look at the clock takes a millisecond. */
#include "weave.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* futex.c reaches the kernel through this. */
static long model_futex(long number, const volatile void *word, int op, int64_t value, ...);
#define syscall(...) model_futex(__VA_ARGS__)
#include "core/futex.c"
#include "core/live.c"
#undef syscall

#include "model.h"

enum { WORKERS = 2, SHARDS = 2 };

static aldis_system runtime;
static struct aldis__worker workers[WORKERS];
static struct aldis__shard shards[SHARDS];
static struct aldis__wheel wheel;
static struct aldis__pool pool;
static struct aldis__msg messages[SHARDS];
static uint32_t handled[SHARDS]; /* by the shard's owner, then by who was told of idleness */
static aldis_ns clock_ns[WEAVE_THREADS + 1];

/* Is the first message passed on? */
static bool passed_on;
/* What is done wrong on purpose. */
static bool wakes_nobody;

static long model_futex(long number, const volatile void *word, int op, int64_t value, ...)
{
    (void)number;
    if (op == FUTEX_WAIT_PRIVATE)
        weave_sleep_while(word, 4, (uint64_t)value);
    else
        weave_wake(word);
    return 0;
}

static void send(uint32_t shard)
{
    struct aldis__msg *msg = &messages[shard];
    msg->to.bits = shard;
    aldis__inbox_push(&shards[shard].inbox, msg, msg, 1);
    if (!wakes_nobody)
        aldis__worker_wake(&workers[aldis__handover_whom_to_wake(&shards[shard].handover)]);
}

/* ------------------------------------------------------------------ stand-ins */

__thread struct aldis__worker *aldis__this_worker;
struct aldis__worker aldis__no_worker;

aldis_ns aldis__clock_monotonic_ns(void)
{
    return clock_ns[weave_self()] += ALDIS_MS;
}

void aldis__deliver(struct aldis__worker *worker, struct aldis__msg *msg)
{
    WEAVE_ASSERT(msg->to.bits == worker->index);
    handled[msg->to.bits]++;
    if (passed_on && msg->to.bits == 0)
        send(1);
}

bool aldis__chains_publish(struct aldis__worker *worker, bool force)
{
    (void)worker, (void)force;
    return false;
}

bool aldis__chain_publish(struct aldis__worker *worker, uint32_t shard, bool force)
{
    (void)worker, (void)shard, (void)force;
    return true;
}

void aldis__shard_run(struct aldis__worker *worker, struct aldis__shard *shard)
{
    (void)worker, (void)shard;
}

void aldis__pool_flush(struct aldis__pool *p)
{
    (void)p;
}

void aldis__timers_fire(struct aldis__worker *worker, aldis_ns now_ns)
{
    (void)worker, (void)now_ns;
}

void aldis__letters_flush(struct aldis__worker *worker)
{
    (void)worker;
}

void aldis__timers_find_next(struct aldis__worker *worker)
{
    (void)worker;
}

void aldis__notice_post(struct aldis__worker *worker)
{
    (void)worker;
}

void aldis__memory_look(struct aldis__worker *worker)
{
    (void)worker;
}

void aldis__cycles_poll(struct aldis__worker *worker)
{
    (void)worker;
}

void aldis__cycles_adopt(struct aldis__worker *worker, const struct aldis__shard *shard)
{
    (void)worker, (void)shard;
}

aldis_ns aldis__wheel_next_due(const struct aldis__wheel *w)
{
    (void)w;
    return ALDIS_FOREVER;
}

/* ------------------------------------------------------------------ the model */

static void setup(void)
{
    memset(handled, 0, sizeof handled);
    memset(clock_ns, 0, sizeof clock_ns);
    memset(messages, 0, sizeof messages);
    runtime.workers = workers;
    runtime.shards = shards;
    runtime.worker_count = WORKERS;
    runtime.shard_count = SHARDS;
    aldis__store_relaxed(&runtime.quit, false);
    aldis__store_relaxed(&runtime.hold, 0);
    aldis__store_relaxed(&runtime.halt, 0);
    aldis__store_relaxed(&runtime.idle_workers, 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        struct aldis__worker *worker = &workers[i];
        worker->ctx.system = &runtime;
        worker->index = i;
        worker->pool = &pool;
        worker->next_due_ns = ALDIS_FOREVER;
        worker->cycle_due_ns = ALDIS_FOREVER;
        worker->memory_due_ns = ALDIS_FOREVER;
        worker->idle_rounds = 0;
        worker->ready_head = NULL;
        worker->ready_count = 0;
        aldis__store_relaxed(&worker->parking.state, ALDIS__RUNNING);
        aldis__store_relaxed(&worker->gifts.head, NULL);
        aldis__store_relaxed(&worker->asked_by, 0);
        aldis__store_relaxed(&worker->load, 0);
        shards[i].wheel = &wheel;
        aldis__store_relaxed(&shards[i].inbox.head, 0);
        aldis__store_relaxed(&shards[i].handover.owner, i);
    }
    weave_watch(handled, sizeof handled);
    weave_watch(messages, sizeof messages);
}

static void first_worker(void)
{
    aldis__live_main(&workers[0]);
}

static void second_worker(void)
{
    aldis__live_main(&workers[1]);
}

/* As run_live() of system.c without a limit, and aldis__system_quit(). */
static void outside(void)
{
    send(0);
    for (;;) {
        uint32_t halt = aldis__halt_look(&runtime);
        if (aldis__load_acquire(&runtime.idle_workers) == WORKERS)
            break;
        if (halt & ALDIS__HALT_IDLE)
            aldis__halt_clear(&runtime, ALDIS__HALT_IDLE);
        else
            aldis__futex_wait(&runtime.halt, halt, ALDIS_FOREVER);
    }
    WEAVE_ASSERT(handled[0] == 1 && handled[1] == passed_on);
    aldis__store_release(&runtime.quit, true);
    for (uint32_t i = 0; i < WORKERS; i++)
        aldis__worker_notify(&workers[i]);
}

static struct weave_model make_model(const char *name, int preemptions)
{
    return (struct weave_model){.name = name,
                                .setup = setup,
                                .threads = {first_worker, second_worker, outside},
                                .preemptions = preemptions};
}

TEST(live_is_idle_when_a_message_is_handled_and_not_before)
{
    passed_on = false;
    struct weave_model model = make_model("live, one message", 2);
    model_holds(&model);
}

/* At bound 2 it holds, too, but takes half a gigabyte. */
TEST(live_is_idle_when_a_chain_of_messages_is_handled_and_not_before)
{
    passed_on = true;
    struct weave_model model = make_model("live, passed on", 1);
    model_holds(&model);
}

TEST(live_needs_its_orders)
{
    static const struct model_order needed[] = {
        {"aldis__inbox_push", WEAVE_CAS, memory_order_acquire},
        {"aldis__inbox_push", WEAVE_CAS, memory_order_release},
        {"aldis__inbox_take", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__inbox_take", WEAVE_EXCHANGE, memory_order_release},
        /* What was asked for before a notice (to quit) is seen after it. */
        {"aldis__park_wake", WEAVE_EXCHANGE, memory_order_acquire},
        /* Who sees all idle sees what they did, and who is told to look sees them idle. */
        {"aldis__announce_idle", WEAVE_ADD, memory_order_acquire},
        {"aldis__halt_ask", WEAVE_OR, memory_order_acquire},
        {"outside", WEAVE_LOAD, memory_order_relaxed},
    };
    passed_on = false;
    struct weave_model model = make_model("live, one message", 1);
    model_needs(&model, needed, sizeof needed / sizeof needed[0]);
}

TEST(live_that_wakes_nobody_fails)
{
    passed_on = true;
    wakes_nobody = true;
    struct weave_model model = make_model("live, wakes nobody", 1);
    model_fails(&model);
    wakes_nobody = false;
}
