// SPDX-License-Identifier: Apache-2.0
/* budget.c: see budget.h. Layer: core.
 *
 * A word names one run of a handler: serial 42 | kind 12 | type 10. The serial is the worker's own,
 * so no two runs have the same word. Whoever sees the same word twice, a budget apart, has seen a
 * handler that took longer than that: nobody is blamed who was within. */
#include "core/budget.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "core/futex.h"
#include <limits.h>
#include <stdlib.h>

enum { TYPE_BITS = 10, KIND_BITS = 12, LOOKS = 4 };
_Static_assert(ALDIS__TYPES_MAX <= 1 << TYPE_BITS && ALDIS__KINDS_MAX <= 1 << KIND_BITS,
               "a word holds a type and a kind");

/* What the thread knows of one worker. */
struct look {
    uint64_t word; /* what ran when it last looked; 0: nothing */
    aldis_ns since_ns;
    bool told;
};

struct aldis__budget {
    aldis_system *system;
    pthread_t thread;
    _Atomic(uint32_t) quit;   /* futex */
    _Atomic(int64_t) tick_ns; /* between two looks */
    struct look looks[];      /* by worker; the thread's own */
};

/* ------------------------------------------------------------------ the worker */

static aldis_err handle_watched(void *state, const void *payload, aldis_ctx *ctx)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    const struct aldis__kind *kind = ctx->cell->kind;
    uint32_t type = ctx->msg->type;
    uint64_t word =
        ++worker->run_serial << (TYPE_BITS + KIND_BITS) | (uint64_t)kind->index << TYPE_BITS | type;
    /* WB1 release: pairs with WB2 in look(): who sees this actor sees that the last run is over. */
    aldis__store_release(&worker->running_actor, ctx->cell->id.bits);
    /* WB3 release: pairs with WB4 in look(): the actor was noted before. */
    aldis__store_release(&worker->running, word);
    aldis_err err = kind->watched[type](state, payload, ctx);
    /* Relaxed: WB1 of the next run orders it. */
    aldis__store_relaxed(&worker->running, 0);
    /* Relaxed: a verdict that comes this late is none. */
    if (aldis__likely(aldis__load_relaxed(&worker->overdue) != word))
        return err;
    return err == ALDIS_OK ? ALDIS_EBUDGET : err;
}

/* ------------------------------------------------------------------ the thread */

static void tell(aldis_system *system, struct aldis__worker *worker, uint64_t word, aldis_id actor)
{
    const struct aldis__kind *kind =
        aldis__system_kind(system, (word >> TYPE_BITS) & ((1u << KIND_BITS) - 1));
    uint32_t type = word & ((1u << TYPE_BITS) - 1);
    /* Relaxed: a counter of this thread. */
    aldis__fetch_add_relaxed(&system->over_budget, 1);
    if (kind->budget.is_failure && !system->virtual_time)
        /* Relaxed: it is a whole verdict, about nothing but itself. */
        aldis__store_relaxed(&worker->overdue, word);
    aldis__log(ALDIS_LOG_WARN,
               "actor %016llx (%s): handler of %s is over its budget of %lld us on worker %u",
               (unsigned long long)actor.bits, kind->behaviour->name, aldis__type_info(type)->name,
               (long long)(kind->budget.handler_ns / ALDIS_US), worker->index);
}

static void look(aldis_system *system, struct aldis__worker *worker, struct look *seen,
                 aldis_ns now_ns)
{
    /* WB4 acquire: pairs with WB3 in handle_watched(). */
    uint64_t word = aldis__load_acquire(&worker->running);
    if (word == 0 || word != seen->word) {
        *seen = (struct look){word, now_ns, false};
        return;
    }
    const struct aldis__kind *kind =
        aldis__system_kind(system, (word >> TYPE_BITS) & ((1u << KIND_BITS) - 1));
    if (seen->told || now_ns - seen->since_ns < kind->budget.handler_ns)
        return;
    /* WB2 acquire: pairs with WB1 in handle_watched(). */
    aldis_id actor = {aldis__load_acquire(&worker->running_actor)};
    /* Relaxed: ordered by WB2: were it the next actor, this would not be the word any more. */
    if (aldis__load_relaxed(&worker->running) != word)
        return;
    seen->told = true;
    tell(system, worker, word, actor);
}

static void *thread_main(void *argument)
{
    struct aldis__budget *budget = argument;
    aldis_system *system = budget->system;
    /* WB5 acquire: pairs with WB6 in aldis__budget_stop(). */
    while (!aldis__load_acquire(&budget->quit)) {
        aldis_ns now_ns = aldis__clock_monotonic_ns();
        for (uint32_t w = 0; w < system->worker_count; w++)
            look(system, &system->workers[w], &budget->looks[w], now_ns);
        /* Relaxed: a setting; it may take effect a little later. */
        aldis__futex_wait(&budget->quit, 0, aldis__load_relaxed(&budget->tick_ns));
    }
    return NULL;
}

static aldis_err start(aldis_system *system)
{
    struct aldis__budget *budget =
        calloc(1, sizeof *budget + system->worker_count * sizeof budget->looks[0]);
    if (!budget)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "a watch over time budgets");
    budget->system = system;
    aldis__store_relaxed(&budget->tick_ns, ALDIS_SECOND); /* relaxed: not shared yet */
    aldis_err err = aldis__thread_start(&budget->thread, thread_main, budget, "aldis-watch", 0);
    if (err != ALDIS_OK) {
        free(budget);
        return err;
    }
    system->budget = budget;
    return ALDIS_OK;
}

void aldis__budget_stop(aldis_system *system)
{
    struct aldis__budget *budget = system->budget;
    if (!budget)
        return;
    /* WB6 release: pairs with WB5 in thread_main(). */
    aldis__store_release(&budget->quit, 1);
    aldis__futex_wake(&budget->quit, INT_MAX);
    pthread_join(budget->thread, NULL);
    free(budget);
    system->budget = NULL;
}

/* ------------------------------------------------------------------ kinds */

aldis_err aldis__budget_apply(aldis_system *system, struct aldis__kind *kind)
{
    const aldis_budget_opts *opts = &kind->behaviour->budget;
    if (!opts->handler_ns)
        opts = &system->opts.budget;
    if (!opts->handler_ns)
        return ALDIS_OK;
    if (opts->handler_ns < ALDIS_MS)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "behaviour %s: budget.handler_ns is %lld; allowed: 1 ms or more, "
                                "or 0",
                                kind->behaviour->name, (long long)opts->handler_ns);
    aldis_err err = system->budget ? ALDIS_OK : start(system);
    if (err != ALDIS_OK)
        return err;
    kind->watched = malloc(sizeof kind->handle);
    if (!kind->watched)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "behaviour %s",
                                kind->behaviour->name);
    kind->budget = *opts;
    for (uint32_t type = 0; type < ALDIS__TYPES_MAX; type++) {
        kind->watched[type] = kind->handle[type];
        if (kind->handle[type])
            kind->handle[type] = handle_watched;
    }
    aldis_ns tick_ns = opts->handler_ns / LOOKS;
    /* Relaxed: written under table_lock only; the thread may read the old one once more. */
    if (tick_ns < aldis__load_relaxed(&system->budget->tick_ns))
        aldis__store_relaxed(&system->budget->tick_ns, tick_ns);
    return ALDIS_OK;
}
