// SPDX-License-Identifier: Apache-2.0
/* phold.c: the established benchmark of simulation engines, in virtual time. Layer: bench.
 *
 * Each actor has one cell, 16 bytes of state, and its events. */
#include "phold.h"

#include "nursery.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PENDING_MAX = 1 << 28 /* events under way */ };

struct phold_hop {
    uint64_t hops; /* of this chain of events so far */
};
ALDIS_MESSAGE(phold_event, struct phold_hop);

#define PHOLD_PROTOCOL(X, kind) X(kind, phold_event)
ALDIS_PROTOCOL(phold_actor, PHOLD_PROTOCOL);

/* ------------------------------------------------------------------ the model */

struct phold_actor {
    struct bench *bench;
};

static aldis_err send_event(struct phold_actor *self, aldis_id to, uint64_t hops, aldis_ns delay_ns,
                            aldis_ctx *ctx)
{
    phold_actor_ref ref = {.id = to};
    struct phold_hop hop = {hops};
    return bench_checked(
        self->bench, ctx,
        aldis_send_with(ctx, ref, phold_event, &hop, &(aldis_send_opts){.delay_ns = delay_ns}));
}

static aldis_err phold_actor_on_phold_event(struct phold_actor *self, const struct phold_hop *msg,
                                            aldis_ctx *ctx)
{
    const struct phold *phold = self->bench->set;
    aldis_id to = aldis_self(ctx);
    if (aldis_random_unit(ctx) <= phold->remote)
        to = phold->ids[aldis_random_below(ctx, phold->n)];
    return send_event(self, to, msg->hops + 1, phold_delay(phold, aldis_random_unit(ctx)), ctx);
}

static aldis_err phold_actor_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct phold_actor *self = state;
    self->bench = bench_given(arg);
    const struct phold *phold = self->bench->set;
    aldis_err err = ALDIS_OK;
    for (uint64_t i = 0; i < phold->start && err == ALDIS_OK; i++)
        err = send_event(
            self, aldis_self(ctx), 0,
            phold->begin_ns - aldis_now(ctx) + phold_delay(phold, aldis_random_unit(ctx)), ctx);
    return err;
}

ALDIS_BEHAVIOUR(phold_actor, struct phold_actor, PHOLD_PROTOCOL, .on_start = phold_actor_start,
                .on_undelivered = bench_on_undelivered);

/* ------------------------------------------------------------------ setting up */

static aldis_err spawn_actor(struct bench *bench, uint64_t number, aldis_ctx *ctx)
{
    struct phold *phold = bench->set;
    struct bench_arg given = {bench};
    phold_actor_ref child;
    aldis_err err = aldis_spawn(ctx, phold_actor, &child,
                                &(aldis_spawn_opts){.arg = &given, .arg_size = sizeof given});
    if (err == ALDIS_OK)
        phold->ids[number] = child.id;
    return err;
}

/* ------------------------------------------------------------------ the run */

static aldis_err phold_configure(struct bench *bench, aldis_system_opts *opts)
{
    const struct bench_opts *given = &bench->opts;
    struct phold *phold = calloc(1, sizeof *phold);
    bench->set = phold;
    if (!phold)
        return ALDIS_ENOMEM;
    phold->n = given->n;
    phold->start = given->start;
    phold->remote = given->remote;
    phold->lookahead_ns = (aldis_ns)(given->lookahead_s * (double)ALDIS_SECOND);
    phold->further_ns = PHOLD_MEAN_NS - (double)phold->lookahead_ns;
    phold->end_ns = (aldis_ns)(given->end_s * (double)ALDIS_SECOND);
    /* Not touched before the ids are written: their 8 bytes an actor count as well. */
    phold->ids = calloc(given->n, sizeof *phold->ids);
    opts->clock = ALDIS_CLOCK_VIRTUAL;
    opts->seed = given->seed;
    opts->lookahead_ns = phold->lookahead_ns;
    opts->underway_msgs = 2 * PENDING_MAX;
    return phold->ids ? ALDIS_OK : ALDIS_ENOMEM;
}

static void add_figures(struct bench *bench, aldis_system *system, double grown_bytes)
{
    const struct phold *phold = bench->set;
    double cpu_s = (double)(bench->cpu_end_ns - bench->cpu_start_ns) * 1e-9;
    bench->result.run_print = aldis_system_run_print(system);
    bench->result.has_run_print = true;
    bench->result.peak_rss_bytes = bench_peak_bytes(); /* without the heap */
    bench_add_extra(bench, "events", (double)bench->operations);
    bench_add_extra(bench, "events_per_cpu_s",
                    (double)bench->operations / (cpu_s > 0 ? cpu_s : 1e-9));
    bench_add_extra(bench, "bytes_per_actor", grown_bytes / (double)phold->n);
    if (bench->opts.compared)
        bench_add_extra(bench, "heap_events_per_cpu_s",
                        phold_heap_rate(phold, bench->opts.seed, bench->opts.compared));
}

static aldis_err count_events(struct bench *bench, aldis_system *system)
{
    aldis_stats stats;
    aldis_err err = aldis_system_stats(system, &stats);
    if (err != ALDIS_OK)
        return err;
    const aldis_type_stats *row = aldis_stats_type(&stats, "phold_event");
    bench->operations = row ? row->handled : 0;
    aldis_stats_fini(&stats);
    return ALDIS_OK;
}

static aldis_err phold_run(struct bench *bench, aldis_system *system)
{
    struct phold *phold = bench->set;
    double before_bytes = (double)bench_resident_bytes();
    aldis_run_end end = ALDIS_RUN_IDLE;
    phold->begin_ns = (aldis_ns)nursery_windows(bench) * phold->lookahead_ns;
    aldis_err err = nursery_open(bench, system, spawn_actor);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, phold->begin_ns, &end);
    if (err != ALDIS_OK || end != ALDIS_RUN_UNTIL)
        return err;
    bench_start(bench);
    err = aldis_system_run(system, phold->begin_ns + phold->end_ns, &end);
    bench_end(bench, NULL);
    double grown_bytes = (double)bench_resident_bytes() - before_bytes;
    if (err == ALDIS_OK)
        err = count_events(bench, system);
    if (err == ALDIS_OK)
        add_figures(bench, system, grown_bytes);
    return err;
}

/* Each chain of events is a renewal process; its count in a time has a known mean and variance
 * (D. R. Cox, "Renewal Theory", 1962), up to what vanishes for long times. */
static void phold_check(struct bench *bench, const aldis_stats *stats)
{
    const struct phold *phold = bench->set;
    const aldis_type_stats *row = aldis_stats_type(stats, "phold_event");
    uint64_t chains = phold->n * phold->start;
    uint64_t sent = row ? row->sent : 0, handled = row ? row->handled : 0;
    if (stats->active_actors != phold->n + bench->shards || sent != handled + chains || !row ||
        row->queued != chains)
        (void)bench_fault(bench, NULL,
                          "statistics of phold_event: sent %" PRIu64 ", handled %" PRIu64
                          ", expected %" PRIu64 " apart",
                          sent, handled, chains);
    double length = (double)phold->end_ns / PHOLD_MEAN_NS;
    double spread = phold->further_ns / PHOLD_MEAN_NS;
    double expected = (double)chains * (length + (spread * spread - 1) / 2);
    double slack = 8 * spread * sqrt((double)chains * (length + 1)) +
                   (length < 10 ? 0.6 : 0.0) * (double)chains;
    if (fabs((double)handled - expected) > slack + 8)
        (void)bench_fault(bench, NULL, "%" PRIu64 " events, expected %.0f give or take %.0f",
                          handled, expected, slack);
}

static void phold_finish(struct bench *bench)
{
    struct phold *phold = bench->set;
    if (phold)
        free(phold->ids);
    free(phold);
}

static bool phold_refuse(const struct bench_opts *opts, char *out_text, size_t size)
{
    if (opts->n * opts->start <= PENDING_MAX)
        return false;
    snprintf(out_text, size,
             "--start: found '%" PRIu64 "', allowed for %" PRIu64
             " actors: a whole number from 1 to %" PRIu64,
             opts->start, opts->n, PENDING_MAX / opts->n);
    return true;
}

const struct bench_workload bench_phold = {
    .name = "phold",
    .unit = "events",
    .what_n = "actors",
    .n_default = 100000,
    .n_max = 16000000,
    .takes = BENCH_TAKES_END | BENCH_TAKES_REMOTE | BENCH_TAKES_LOOKAHEAD | BENCH_TAKES_START |
             BENCH_TAKES_SEED,
    .refuse = phold_refuse,
    .configure = phold_configure,
    .run = phold_run,
    .check = phold_check,
    .finish = phold_finish,
};
