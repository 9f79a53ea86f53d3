// SPDX-License-Identifier: Apache-2.0
/* pipeline.c: items through five stages with credit. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

enum { STAGES = 5 };

ALDIS_MESSAGE(item, struct bench_note);
ALDIS_SIGNAL(go);
ALDIS_SIGNAL(more);

/* One function for all stages: kind counts them. */
static aldis_err pass(const struct bench_note *in, struct bench_note *out, aldis_ctx *ctx)
{
    (void)ctx;
    *out = *in;
    out->kind++;
    return ALDIS_OK;
}
ALDIS_STAGE(pass, item, item);

#define FEEDER_PROTOCOL(X, kind) X(kind, go) X(kind, more)
#define SINK_PROTOCOL(X, kind) X(kind, item)
ALDIS_PROTOCOL(feeder, FEEDER_PROTOCOL);
ALDIS_PROTOCOL(pipeline_sink, SINK_PROTOCOL);

struct feeder {
    struct bench *bench;
    pass_ref first;
    feeder_ref self;
    uint64_t count; /* items to send */
    uint64_t seq;   /* of the next */
};

struct pipeline_sink {
    struct bench *bench;
    uint64_t count; /* items to come */
    uint64_t seq;   /* of the next */
};

static aldis_err pipeline_sink_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct pipeline_sink *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err pipeline_sink_on_item(struct pipeline_sink *self, const struct bench_note *msg,
                                       aldis_ctx *ctx)
{
    if (msg->seq != self->seq || msg->kind != STAGES)
        return bench_fault(self->bench, ctx,
                           "item %" PRIu64 " came after %" PRIu32 " stages, %" PRIu64 " was due",
                           msg->seq, msg->kind, self->seq);
    if (++self->seq == self->count)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(pipeline_sink, struct pipeline_sink, SINK_PROTOCOL,
                .on_start = pipeline_sink_start);

static aldis_err feeder_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct feeder *self = state;
    self->bench = bench_given(arg);
    self->self = (feeder_ref){.id = aldis_self(ctx)};
    self->count = self->bench->opts.n;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    pipeline_sink_ref sink;
    aldis_err err = bench_checked(self->bench, ctx, aldis_spawn(ctx, pipeline_sink, &sink, &place));
    if (err != ALDIS_OK)
        return err;
    aldis_stage_opts stages[STAGES];
    for (int i = 0; i < STAGES; i++)
        stages[i] = (aldis_stage_opts){.stage = &pass_stage};
    return bench_checked(self->bench, ctx,
                         aldis_pipeline_spawn(ctx, pass, &self->first, stages, STAGES, sink.id));
}

static aldis_err feed(struct feeder *self, aldis_ctx *ctx)
{
    aldis_err err = ALDIS_OK;
    for (int i = 0; err == ALDIS_OK && i < BENCH_BATCH_MSGS && self->seq < self->count; i++)
        err = bench_checked(self->bench, ctx,
                            aldis_send(ctx, self->first, item, .from = 0, .to = 1, .kind = 0,
                                       .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq++));
    if (err != ALDIS_OK || self->seq == self->count)
        return err;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, more));
}

static aldis_err feeder_on_go(struct feeder *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return feed(self, ctx);
}

static aldis_err feeder_on_more(struct feeder *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return feed(self, ctx);
}

ALDIS_BEHAVIOUR(feeder, struct feeder, FEEDER_PROTOCOL, .on_start = feeder_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err pipeline_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &feeder_behaviour, out_root);
}

static void pipeline_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "item", (STAGES + 1) * bench->opts.n);
}

const struct bench_workload bench_pipeline = {
    .name = "pipeline",
    .unit = "items",
    .what_n = "items",
    .n_default = 1000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = false,
    .start = pipeline_start,
    .check = pipeline_check,
};
