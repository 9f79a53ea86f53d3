// SPDX-License-Identifier: Apache-2.0
/* timers.c: arm N timers of 60 to 660 s, then cancel them all. Layer: bench. */
#include "bench.h"

#include <stdlib.h>

ALDIS_SIGNAL(go);
ALDIS_SIGNAL(time_is_up);

#define PATIENT_PROTOCOL(X, kind) X(kind, go) X(kind, time_is_up)
ALDIS_PROTOCOL(patient, PATIENT_PROTOCOL);

struct patient {
    struct bench *bench;
};

static aldis_err patient_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct patient *)state)->bench = *(struct bench *const *)arg;
    return ALDIS_OK;
}

/* One handler does all of it: the timers are its actor's own. */
static aldis_err patient_on_go(struct patient *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    struct bench *bench = self->bench;
    aldis_timer *timers = bench->set;
    uint32_t random = 1;
    aldis_err err = ALDIS_OK;
    bench_start(bench);
    for (uint64_t i = 0; i < bench->opts.n && err == ALDIS_OK; i++) {
        random = (random * 1103515245u + 12345u) & 0x7fffffffu;
        aldis_ns delay_ns = 60 * ALDIS_SECOND + (aldis_ns)((random >> 8) % 600000) * ALDIS_MS;
        err = aldis_timer_once(ctx, delay_ns, time_is_up, &timers[i]);
    }
    for (uint64_t i = 0; i < bench->opts.n && err == ALDIS_OK; i++)
        err = aldis_timer_cancel(ctx, timers[i]);
    if (err != ALDIS_OK)
        return bench_refused(bench, ctx, err);
    bench_end(bench, ctx);
    return ALDIS_OK;
}

static aldis_err patient_on_time_is_up(struct patient *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return bench_fault(self->bench, ctx, "a timer has fired");
}
ALDIS_BEHAVIOUR(patient, struct patient, PATIENT_PROTOCOL, .on_start = patient_start);

static aldis_err timers_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    bench->set = calloc(bench->opts.n, sizeof(aldis_timer));
    if (!bench->set)
        return ALDIS_ENOMEM;
    aldis_spawn_opts place = bench_place(bench, 0, &bench, sizeof(struct bench *));
    return aldis_system_spawn_raw(system, &patient_behaviour, &place, out_root);
}

static void timers_check(struct bench *bench, const aldis_stats *stats)
{
    const aldis_type_stats *row = aldis_stats_type(stats, "time_is_up");
    if (!row || row->sent != 0 || row->queued != 0)
        (void)bench_fault(bench, NULL, "messages of timers are left");
}

static void timers_finish(struct bench *bench)
{
    free(bench->set);
    bench->set = NULL;
}

const struct bench_workload bench_timers = {
    .name = "timers",
    .unit = "timers",
    .what_n = "timers",
    .n_default = 1000000,
    .n_max = 1 << 20,
    .ops_per_n = 1,
    .start = timers_start,
    .check = timers_check,
    .finish = timers_finish,
};
