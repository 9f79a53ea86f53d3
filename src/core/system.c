// SPDX-License-Identifier: Apache-2.0
/* system.c: making, holding and ending a runtime. Layer: core. */
#include "core/system.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/blob.h"
#include "core/budget.h"
#include "core/cycle.h"
#include "core/deadletter.h"
#include "core/deliver.h"
#include "core/futex.h"
#include "core/lifecycle.h"
#include "core/live.h"
#include "core/memory.h"
#include "core/offload.h"
#include "core/shed.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    WORKERS_MAX = 255,
    SHARDS_MAX = 4094,
    SHARDS_DEFAULT = 64,
    ACTORS_TOTAL_DEFAULT = 1 << 28,
    MICROSTEPS_DEFAULT = 10000,
    MEMORY_MIN = 4 << 20,
    /* Cells between the regions of two shards: without them the n-th cells of all shards would have
     * the same low address bits, and a load of one would wait for stores to another (4 KiB
     * aliasing: measured, it doubles the time of a message between two first-born actors). */
    CELL_STAGGER = 37
};

/* ------------------------------------------------------------------ options */

static aldis_err refuse_option(const char *name, unsigned long long found, unsigned long long low,
                               unsigned long long high)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "system option %s is %llu; allowed: %llu to %llu", name, found, low,
                            high);
}

static aldis_err refuse_time(const char *name, aldis_ns found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "system option %s is %lld ns; allowed: %s", name, (long long)found,
                            allowed);
}

static uint32_t cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (uint32_t)count;
}

static void fill_defaults(struct aldis_system_opts *o)
{
    if (!o->workers)
        o->workers = cores();
    if (!o->shards)
        o->shards = SHARDS_DEFAULT;
    if (!o->actors_max) {
        uint32_t share = ACTORS_TOTAL_DEFAULT / o->shards;
        o->actors_max = share < (1u << ALDIS__SLOT_BITS) ? share : 1u << ALDIS__SLOT_BITS;
    }
    if (!o->overflow_msgs)
        o->overflow_msgs = 65536;
    if (!o->overflow_bytes)
        o->overflow_bytes = UINT64_C(64) << 20;
    if (!o->inflight_msgs)
        o->inflight_msgs = 16384;
    if (!o->underway_msgs)
        o->underway_msgs = UINT64_C(1) << 26;
    if (!o->underway_per_sender)
        o->underway_per_sender = 65536;
    if (!o->cycle_policy)
        o->cycle_policy = ALDIS_CYCLE_FAIL;
    if (!o->lookahead_ns && !o->zero_delay)
        o->lookahead_ns = ALDIS_MS;
    if (!o->default_delay_ns)
        o->default_delay_ns = o->lookahead_ns;
    if (!o->microsteps_max)
        o->microsteps_max = MICROSTEPS_DEFAULT;
    if (!o->asks_max)
        o->asks_max = 100000;
    if (!o->dead_letters_max)
        o->dead_letters_max = 1024;
    if (!o->dead_letter_bytes)
        o->dead_letter_bytes = UINT64_C(1) << 20;
    if (!o->offload_threads)
        o->offload_threads = 4;
    if (!o->offload_queue)
        o->offload_queue = 1024;
}

static aldis_err check_options(const struct aldis_system_opts *o)
{
    if ((unsigned)o->clock > ALDIS_CLOCK_VIRTUAL)
        return refuse_option("clock", (unsigned)o->clock, 0, 1);
    if (o->workers > WORKERS_MAX)
        return refuse_option("workers", o->workers, 1, WORKERS_MAX);
    if (o->shards > SHARDS_MAX)
        return refuse_option("shards", o->shards, 1, SHARDS_MAX);
    if (o->actors_max > (1u << ALDIS__SLOT_BITS))
        return refuse_option("actors_max", o->actors_max, 1, 1u << ALDIS__SLOT_BITS);
    if (o->node > 255)
        return refuse_option("node", o->node, 0, 255);
    if (o->inflight_msgs > 60000)
        return refuse_option("inflight_msgs", o->inflight_msgs, 1, 60000);
    if (o->microsteps_max > 65535)
        return refuse_option("microsteps_max", o->microsteps_max, 1, 65535);
    if (o->asks_max > (1u << 20))
        return refuse_option("asks_max", o->asks_max, 1, 1u << 20);
    if (o->dead_letters_max > (1u << 24))
        return refuse_option("dead_letters_max", o->dead_letters_max, 1, 1u << 24);
    if (o->offload_threads > 256)
        return refuse_option("offload_threads", o->offload_threads, 1, 256);
    if (o->memory_max && o->memory_max < MEMORY_MIN)
        return refuse_option("memory_max", o->memory_max, MEMORY_MIN, UINT64_MAX);
    if ((unsigned)o->cycle_policy > ALDIS_CYCLE_HALT)
        return refuse_option("cycle_policy", (unsigned)o->cycle_policy, 0, ALDIS_CYCLE_HALT);
    if (o->lookahead_ns < 0)
        return refuse_time("lookahead_ns", o->lookahead_ns, "1 or more");
    if (o->default_delay_ns < 0)
        return refuse_time("default_delay_ns", o->default_delay_ns, "the lookahead or more");
    if (o->clock == ALDIS_CLOCK_VIRTUAL && o->default_delay_ns && !o->raise_short_delays &&
        !o->zero_delay && o->default_delay_ns < (o->lookahead_ns ? o->lookahead_ns : ALDIS_MS))
        return refuse_time("default_delay_ns", o->default_delay_ns, "the lookahead or more");
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ node numbers and forks */

static pthread_mutex_t nodes_lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t nodes_taken[256];
static _Atomic(uint32_t) fork_generation;

static void after_fork_in_child(void)
{
    /* The child has none of the workers: its calls must be refused, also those of a handler that
     * forked. Relaxed: the child has one thread. */
    aldis__store_relaxed(&fork_generation, aldis__load_relaxed(&fork_generation) + 1);
    aldis__this_worker = &aldis__no_worker;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

bool aldis__system_is_foreign(const aldis_system *system)
{
    /* Relaxed: changes only in the child of a fork, before it has threads. */
    return system->fork_generation != aldis__load_relaxed(&fork_generation);
}

/* The lowest free number, or the one asked for. */
static aldis_err take_node(uint32_t *node)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&nodes_lock);
    if (*node == 0) {
        *node = 1;
        while (*node < 256 && nodes_taken[*node])
            ++*node;
    }
    if (*node > 255 || nodes_taken[*node])
        err = aldis__error_set(ALDIS_EEXISTS, aldis_nobody(), "",
                               "node number %u is taken by another system of this process", *node);
    else
        nodes_taken[*node] = 1;
    pthread_mutex_unlock(&nodes_lock);
    return err;
}

static void give_node(uint32_t node)
{
    pthread_mutex_lock(&nodes_lock);
    nodes_taken[node] = 0;
    pthread_mutex_unlock(&nodes_lock);
}

/* ------------------------------------------------------------------ memory */

/* Address space, not memory: pages come when they are touched. */
static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, bytes, MADV_DONTDUMP);
    return p;
}

static aldis_err reserve_tables(aldis_system *system)
{
    size_t shards = (size_t)system->shard_count + 1;
    system->directory_bytes = (size_t)system->index_limit * sizeof *system->directory;
    size_t stride = (size_t)system->opts.actors_max + CELL_STAGGER;
    system->cells_bytes = shards * stride * sizeof *system->cells;
    system->slot_gap = (UINT64_C(1) << ALDIS__SLOT_BITS) - stride;
    system->directory = reserve(system->directory_bytes);
    system->cells = system->directory ? reserve(system->cells_bytes) : NULL;
    if (system->cells)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "",
                            "%zu GiB of address space for %u shards; a limit on virtual memory "
                            "(ulimit -v) or fewer shards (option shards) may be the reason",
                            (system->directory_bytes + system->cells_bytes) >> 30,
                            system->shard_count);
}

static void *aligned_zeroed(size_t count, size_t size)
{
    void *p = aligned_alloc(64, (count * size + 63) & ~(size_t)63);
    if (p)
        memset(p, 0, (count * size + 63) & ~(size_t)63);
    return p;
}

/* What only one of the two clocks needs. */
static bool init_calendar(aldis_system *system, struct aldis__shard *shard)
{
    if (system->virtual_time)
        return aldis__vqueue_init(&shard->future, aldis__virtual_quantum(&system->opts),
                                  system->node_base);
    shard->wheel = malloc(sizeof *shard->wheel);
    if (shard->wheel)
        aldis__wheel_init(shard->wheel, 0);
    return shard->wheel != NULL;
}

static aldis_err init_shards(aldis_system *system)
{
    for (uint32_t i = 0; i <= system->shard_count; i++) {
        struct aldis__shard *shard = &system->shards[i];
        shard->index = i;
        /* Relaxed: no other thread knows the shard yet. */
        aldis__store_relaxed(&shard->handover.owner,
                             i < system->shard_count ? i % system->worker_count : UINT32_MAX);
        if (i < system->shard_count && !init_calendar(system, shard))
            return ALDIS_ENOMEM;
    }
    return ALDIS_OK;
}

static aldis_err init_pools(aldis_system *system)
{
    uint32_t pools = system->worker_count + 1;
    system->pools = calloc(pools, sizeof(struct aldis__pool *));
    for (uint32_t i = 0; system->pools && i < pools; i++) {
        system->pools[i] = aligned_zeroed(1, sizeof(struct aldis__pool));
        if (!system->pools[i] || aldis__pool_init(system->pools[i], i, pools, system->pools,
                                                  system->pool_prefix) != ALDIS_OK)
            return ALDIS_ENOMEM;
    }
    return system->pools ? ALDIS_OK : ALDIS_ENOMEM;
}

static aldis_err init_workers(aldis_system *system)
{
    for (uint32_t i = 0; i < system->worker_count; i++) {
        struct aldis__worker *worker = &system->workers[i];
        worker->ctx.system = system;
        worker->ctx.special = true;
        worker->index = i;
        worker->pool = system->pools[i];
        aldis__worker_set_stamp(worker, i << 24);
        worker->next_due_ns = ALDIS_FOREVER;
        worker->cycle_due_ns = ALDIS_FOREVER;
        worker->out = calloc(system->shard_count, sizeof *worker->out);
        worker->vout = calloc(system->shard_count, sizeof *worker->vout);
        if (!worker->out || !worker->vout || !aldis__reserve_fill(worker))
            return ALDIS_ENOMEM;
    }
    return ALDIS_OK;
}

static aldis_err allocate(aldis_system *system)
{
    system->shards = aligned_zeroed(system->shard_count + 1, sizeof *system->shards);
    system->workers = aligned_zeroed(system->worker_count, sizeof *system->workers);
    if (!system->shards || !system->workers)
        return ALDIS_ENOMEM;
    aldis_err err = init_shards(system);
    if (err == ALDIS_OK)
        err = init_pools(system);
    if (err == ALDIS_OK && !aldis__memory_create(system))
        err = ALDIS_ENOMEM;
    if (err == ALDIS_OK)
        err = init_workers(system);
    if (err == ALDIS_OK && (!aldis__letters_create(system) || !aldis__cycles_create(system)))
        err = ALDIS_ENOMEM;
    if (err == ALDIS_OK)
        err = aldis__offload_create(system);
    system->complete = err == ALDIS_OK;
    return err;
}

/* ------------------------------------------------------------------ threads */

aldis_err aldis__thread_start(pthread_t *thread, void *(*body)(void *), void *arg,
                              const char *prefix, uint32_t number)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all,
                    &old); /* the new thread inherits it: it blocks all signals */
    int failed = pthread_create(thread, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed)
        return aldis__error_set(ALDIS_EAGAIN, aldis_nobody(), "", "thread %u could not be made: %s",
                                number, strerror(failed));
    enum { NAME_MAX_BYTES = 16 }; /* Linux takes no more */
    char name[2 * NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s%u", prefix, number);
    name[NAME_MAX_BYTES - 1] = '\0';
    pthread_setname_np(*thread, name);
    return ALDIS_OK;
}

static aldis_err start_workers(aldis_system *system)
{
    for (uint32_t i = 0; i < system->worker_count; i++) {
        struct aldis__worker *worker = &system->workers[i];
        aldis_err err =
            aldis__thread_start(&worker->thread, aldis__live_main, worker, "aldis-w", i);
        if (err != ALDIS_OK)
            return err;
        worker->has_thread = true;
    }
    return ALDIS_OK;
}

static void join_workers(aldis_system *system)
{
    /* Q2 release: pairs with Q1 in must_quit() of live.c. */
    aldis__store_release(&system->quit, true);
    for (uint32_t i = 0; system->workers && i < system->worker_count; i++)
        if (system->workers[i].has_thread)
            aldis__worker_notify(&system->workers[i]);
    for (uint32_t i = 0; system->workers && i < system->worker_count; i++)
        if (system->workers[i].has_thread)
            pthread_join(system->workers[i].thread, NULL);
}

/* ------------------------------------------------------------------ the end */

static void free_message(void *arg, struct aldis__msg *msg)
{
    aldis_system *system = arg;
    struct aldis__pool *pool = system->pools[system->worker_count];
    /* Blocks of slabs go with their slabs; the rest has to be given back one by one. */
    if (msg->flags & ALDIS__MSG_BLOB)
        aldis_blob_unref(*(aldis_blob **)aldis__msg_body(msg));
    if (aldis__pool_is_large(msg))
        free((char *)msg - pool->prefix);
}

/* Collect first, free then: a walk follows links that lie in the messages. */
struct collection {
    struct aldis__msg **msgs;
    size_t count, capacity;
};

static void collect(void *arg, struct aldis__msg *msg)
{
    struct collection *c = arg;
    bool owns = (msg->flags & (ALDIS__MSG_BLOB | ALDIS__MSG_SHARED)) || aldis__pool_is_large(msg);
    if (!owns)
        return;
    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 256;
        struct aldis__msg **msgs = realloc(c->msgs, capacity * sizeof(struct aldis__msg *));
        if (!msgs)
            return; /* no memory to free memory with: it leaks, and the process is at its end */
        c->msgs = msgs;
        c->capacity = capacity;
    }
    c->msgs[c->count++] = msg;
}

/* A shared payload of malloc's is freed with the last message that refers to it. */
static void free_shared(aldis_system *system, struct aldis__msg *msg)
{
    struct aldis__shared *shared = *(struct aldis__shared **)aldis__msg_inline(msg);
    aldis__pool_shared_unref(system->pools[msg->pool_stamp >> 24], shared);
}

static void tell_dead_letter(void *arg, struct aldis__msg *msg)
{
    aldis__dead_letter_tell(arg, msg, ALDIS_ESHUTDOWN);
}

static void end_tracked(void *arg, struct aldis__msg *msg)
{
    (void)arg;
    if (msg->flags & ALDIS__MSG_TRACKED)
        aldis__tracked_end(NULL, msg, ALDIS__DEAD, ALDIS_ESHUTDOWN);
}

static void free_messages(aldis_system *system)
{
    if (system->opts.on_dead_letter)
        aldis__system_walk(system, tell_dead_letter, system);
    aldis__system_walk(system, end_tracked, NULL);
    struct collection c = {NULL, 0, 0};
    /* Blocks on their way home may hold the last reference to a shared payload of malloc's. */
    for (uint32_t i = 0; i <= system->worker_count && system->pools[i]; i++)
        aldis__pool_flush(system->pools[i]);
    for (uint32_t i = 0; i <= system->worker_count && system->pools[i]; i++)
        aldis__pool_reclaim(system->pools[i]);
    aldis__system_walk(system, collect, &c);
    for (size_t i = 0; i < c.count; i++) {
        if (c.msgs[i]->flags & ALDIS__MSG_SHARED)
            free_shared(system, c.msgs[i]);
        free_message(system, c.msgs[i]);
    }
    free(c.msgs);
}

static void free_actors(aldis_system *system)
{
    for (uint32_t birth = 0; birth <= system->shard_count; birth++) {
        struct aldis__shard *shard = &system->shards[birth];
        for (uint32_t slot = 0; slot < shard->slot_end; slot++) {
            uint64_t index = (uint64_t)birth << ALDIS__SLOT_BITS | slot;
            struct aldis__cell *cell = aldis__system_cell(system, index);
            uint64_t word = aldis__directory_read(&system->directory[index]);
            if (cell->kind && aldis__word_is_alive(word, cell->id))
                aldis__cell_free(&system->shards[aldis__word_home(word)], cell);
        }
    }
}

static void free_parts(aldis_system *system)
{
    aldis__letters_destroy(system);
    aldis__cycles_destroy(system);
    aldis__memory_destroy(system);
    free(system->stop_report);
    for (uint32_t i = 0; system->shards && i <= system->shard_count; i++) {
        aldis__shard_states_fini(&system->shards[i]);
        aldis__timer_table_fini(&system->shards[i].timers);
        free(system->shards[i].wheel);
        aldis__vqueue_fini(&system->shards[i].future);
    }
    for (uint32_t i = 0; system->pools && i <= system->worker_count && system->pools[i]; i++) {
        aldis__pool_fini(system->pools[i]);
        free(system->pools[i]);
    }
    for (uint32_t i = 0; system->workers && i < system->worker_count; i++) {
        free(system->workers[i].out);
        for (uint32_t s = 0; system->workers[i].vout && s < system->shard_count; s++)
            aldis__vout_fini(&system->workers[i].vout[s]);
        free(system->workers[i].vout);
        free(system->workers[i].chain_waiters);
        free(system->workers[i].ops);
        free(system->workers[i].sort);
        free(system->workers[i].sort_spare);
        free(system->workers[i].self);
        aldis__spare_exts_free(&system->workers[i]);
    }
    for (uint32_t i = 0; i < system->kind_count; i++)
        aldis__kind_destroy(aldis__system_kind(system, i));
    free(system->pools);
    free(system->workers);
    free(system->shards);
    if (system->cells)
        munmap(system->cells, system->cells_bytes);
    if (system->directory)
        munmap((void *)(uintptr_t)system->directory, system->directory_bytes);
}

void aldis_system_destroy(aldis_system *system)
{
    if (!system || aldis__system_is_foreign(system))
        return; /* in the child of a fork its memory belongs to threads that are not there */
    ALDIS_CHECK(aldis__this_worker->ctx.system != system);
    aldis__budget_stop(system);
    if (system->virtual_time)
        aldis__virtual_destroy(system);
    aldis__offload_stop(system); /* while there are workers: a job may be waiting for them */
    join_workers(system);
    aldis__offload_destroy(system);
    /* Relaxed: all other threads have ended. */
    struct aldis__extension *router = aldis__load_relaxed(&system->router);
    if (system->complete) {
        free_messages(system);
        free_actors(system);
    }
    if (router)
        router->on_destroy(router);
    free_parts(system);
    give_node(system->opts.node);
    pthread_mutex_destroy(&system->lock);
    pthread_mutex_destroy(&system->table_lock);
    free(system);
}

aldis_err aldis_system_create(const aldis_system_opts *opts, aldis_system **out_system)
{
    if (!out_system)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "create: out_system is NULL");
    struct aldis_system_opts filled = opts ? *opts : (struct aldis_system_opts){0};
    const struct aldis__limits limits = {
        1024, 512, (1 << 20) / ALDIS__ROOM_UNIT, ALDIS_WAIT, 256, 1024, 1024, 512};
    aldis_err err = check_options(&filled);
    if (err != ALDIS_OK)
        return err;
    fill_defaults(&filled);
    aldis_system *system = aligned_zeroed(1, sizeof *system);
    if (!system)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "a system");
    err = aldis__limits_resolve(&filled.mailbox, &limits, &system->limits);
    if (err == ALDIS_OK)
        err = aldis__shed_resolve(&filled.mailbox, &(struct aldis__shed_opts){0, 0}, &system->shed);
    if (err == ALDIS_OK)
        err = take_node(&filled.node);
    if (err != ALDIS_OK) {
        free(system);
        return err;
    }
    pthread_mutex_init(&system->lock, NULL);
    pthread_mutex_init(&system->table_lock, NULL);
    system->opts = filled;
    system->worker_count = filled.workers;
    system->shard_count = filled.shards;
    system->virtual_time = filled.clock == ALDIS_CLOCK_VIRTUAL;
    system->pool_prefix = system->virtual_time ? (uint32_t)sizeof(struct aldis__stamp) : 0;
    system->node_base = (uint64_t)filled.node << (ALDIS__NODE_SHIFT - ALDIS__GEN_BITS);
    system->index_limit = (uint64_t)(filled.shards + 1) << ALDIS__SLOT_BITS;
    system->fork_generation = aldis__load_relaxed(&fork_generation); /* relaxed: see above */
    system->epoch_ns = aldis__clock_monotonic_ns();
    err = reserve_tables(system);
    if (err == ALDIS_OK && (err = allocate(system)) == ALDIS_ENOMEM)
        aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "a system of %u workers and %u shards",
                         filled.workers, filled.shards);
    if (err == ALDIS_OK)
        err = system->virtual_time ? aldis__virtual_create(system) : start_workers(system);
    if (err != ALDIS_OK) {
        aldis_system_destroy(system);
        return err;
    }
    *out_system = system;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ holding */

void aldis__system_lock(aldis_system *system)
{
    /* Relaxed: a hint to a virtual run that somebody waits. */
    aldis__fetch_add_relaxed(&system->waiting_outside, 1);
    pthread_mutex_lock(&system->lock);
    aldis__fetch_add_relaxed(&system->waiting_outside, -1u);
}

void aldis__system_unlock(aldis_system *system)
{
    pthread_mutex_unlock(&system->lock);
}

void aldis__system_hold(aldis_system *system)
{
    aldis__system_lock(system);
    if (system->virtual_time)
        return; /* between windows nothing runs */
    /* S2 acq_rel: pairs with S1 in hold_still() of live.c. */
    (void)aldis__fetch_add_acq_rel(&system->hold, 1);
    for (uint32_t i = 0; i < system->worker_count; i++)
        aldis__worker_notify(&system->workers[i]);
    uint32_t held;
    /* S4 acquire: pairs with S3 in hold_still(). */
    while ((held = aldis__load_acquire(&system->held)) < system->worker_count)
        aldis__futex_wait(&system->held, held, ALDIS_FOREVER);
}

void aldis__system_release(aldis_system *system)
{
    if (!system->virtual_time) {
        /* Relaxed: ordered by the release below. */
        aldis__store_relaxed(&system->held, 0);
        /* S2 acq_rel: pairs with S1 in hold_still(). */
        (void)aldis__fetch_add_acq_rel(&system->hold, 1);
        aldis__futex_wake(&system->hold, INT_MAX);
    }
    aldis__system_unlock(system);
}

uint64_t aldis__system_actors(const aldis_system *system)
{
    uint64_t spawned = 0, ended = 0;
    for (uint32_t i = 0; i <= system->shard_count; i++) {
        spawned += system->shards[i].spawned;
        ended += system->shards[i].ended;
    }
    return spawned - ended;
}

void aldis__system_set_router(aldis_system *system, struct aldis__extension *router)
{
    /* E2 release: pairs with E1 in aldis__cell_bury(), E3 in deliver.c, E4 in router.c, E5 in
     * apply_op(), E6 in end_window() and E7 in tell_router(). */
    aldis__store_release(&system->router, router);
}

/* ------------------------------------------------------------------ running */

void aldis_system_halt(aldis_system *system)
{
    if (!system || aldis__system_is_foreign(system))
        return;
    aldis__halt_ask(system, ALDIS__HALT_ASKED);
    aldis__futex_wake(&system->halt, INT_MAX);
}

static bool is_idle(aldis_system *system)
{
    /* L3 acquire: pairs with L1 in aldis__worker_notify(), L2 in aldis__announce_idle() and L4 in
     * enqueue(): who is counted as idle has done all that it did. */
    return aldis__load_acquire(&system->idle_workers) == (int32_t)system->worker_count;
}

static aldis_run_end run_live(aldis_system *system, aldis_ns until_ns)
{
    for (;;) {
        uint32_t halt = aldis__halt_look(system);
        if (halt & ALDIS__HALT_ASKED) {
            aldis__halt_clear(system, ALDIS__HALT_ASKED);
            return ALDIS_RUN_HALTED;
        }
        aldis_ns left_ns =
            until_ns == ALDIS_FOREVER ? ALDIS_FOREVER : until_ns - aldis_system_now(system);
        if (left_ns <= 0)
            return ALDIS_RUN_UNTIL;
        if (is_idle(system))
            return ALDIS_RUN_IDLE;
        if (halt & ALDIS__HALT_IDLE) {
            aldis__halt_clear(system, ALDIS__HALT_IDLE);
            continue; /* it may have become idle between the two looks */
        }
        aldis__futex_wait(&system->halt, halt, left_ns);
    }
}

aldis_err aldis__system_check_outside(aldis_system *system, const char *call)
{
    if (!system)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: system is NULL", call);
    if (aldis__system_is_foreign(system))
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                "%s: this process is a fork of the one that made the system", call);
    if (aldis__this_worker->ctx.system == system)
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                "%s: not from a handler of the system itself: use its context",
                                call);
    return ALDIS_OK;
}

aldis_err aldis_system_run(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end)
{
    aldis_err err = aldis__system_check_outside(system, "run");
    if (err != ALDIS_OK)
        return err;
    if (until_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "run: until %lld ns; allowed: 0 or more", (long long)until_ns);
    /* Relaxed: who calls this while another thread stops the system may be early or late. */
    if (aldis__load_relaxed(&system->stopping))
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "run: the system has stopped");
    return aldis__system_run(system, until_ns, out_end);
}

aldis_err aldis__system_run(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end)
{
    aldis_err err = ALDIS_OK;
    uint32_t free_to_run = 0;
    /* U1 acq_rel: pairs with U2 below: one thread at a time. */
    if (!aldis__cas_strong_acq_rel(&system->running, &free_to_run, 1))
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "",
                                "run: another thread runs the system");
    aldis_run_end end = ALDIS_RUN_IDLE;
    if (system->virtual_time)
        err = aldis__virtual_run(system, until_ns, &end);
    else
        end = run_live(system, until_ns);
    if (err == ALDIS_OK && end == ALDIS_RUN_HALTED)
        err = aldis__cycles_halted(system);
    /* U2 release: pairs with U1. */
    aldis__store_release(&system->running, 0);
    if (out_end && (err == ALDIS_OK || err == ALDIS_ELOOP || err == ALDIS_EDEADLOCK))
        *out_end = end;
    return err;
}

/* ------------------------------------------------------------------ facts */

aldis_ns aldis_system_now(const aldis_system *system)
{
    if (!system)
        return 0;
    if (system->virtual_time)
        return aldis__virtual_now(system);
    return aldis__clock_monotonic_ns() - system->epoch_ns;
}

uint32_t aldis_system_workers(const aldis_system *system)
{
    return system ? system->worker_count : 0;
}

uint32_t aldis_system_shards(const aldis_system *system)
{
    return system ? system->shard_count : 0;
}

uint64_t aldis_system_run_print(const aldis_system *system)
{
    return system && system->virtual_time ? aldis__virtual_print(system) : 0;
}

uint64_t aldis_system_windows(const aldis_system *system)
{
    return system && system->virtual_time ? aldis__virtual_windows(system) : 0;
}
