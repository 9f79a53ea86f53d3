// SPDX-License-Identifier: Apache-2.0
/* flow.c: flow: one actor sends to another through a controller with permits and a rate, neither of
 * which refuses anything. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

ALDIS_MESSAGE(flow_note, struct bench_note);
ALDIS_SIGNAL(go);

enum { PERMITS = 4096 }; /* more than a mailbox and a batch hold: nothing is refused */

#define FLOW_SENDER_PROTOCOL(X, kind) X(kind, go)
#define FLOW_COUNTER_PROTOCOL(X, kind) X(kind, flow_note)
ALDIS_PROTOCOL(flow_sender, FLOW_SENDER_PROTOCOL);
ALDIS_PROTOCOL(flow_counter, FLOW_COUNTER_PROTOCOL);

struct flow_counter {
    struct bench *bench;
    uint64_t seq;
};

struct flow_sender {
    struct bench *bench;
    flow_sender_ref self;
    flow_counter_ref to;
    aldis_flow *flow;
    uint64_t seq;
};

static aldis_err flow_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct flow_counter *)state)->bench = bench_given(arg);
    return ALDIS_OK;
}

static aldis_err flow_counter_on_flow_note(struct flow_counter *self, const struct bench_note *msg,
                                           aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " came, expected %" PRIu64,
                           msg->seq, self->seq);
    if (++self->seq == self->bench->opts.n)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(flow_counter, struct flow_counter, FLOW_COUNTER_PROTOCOL,
                .on_start = flow_counter_start);

static aldis_err flow_sender_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct flow_sender *self = state;
    self->bench = bench_given(arg);
    self->self = (flow_sender_ref){.id = aldis_self(ctx)};
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    aldis_err err = aldis_spawn(ctx, flow_counter, &self->to, &place);
    const aldis_flow_opts opts = {.concurrent_max = PERMITS,
                                  .rate = {.tokens = 1000000000, .burst = 1000000000}};
    if (err == ALDIS_OK)
        err = aldis_flow_create(ctx, &opts, &self->flow);
    return bench_checked(self->bench, ctx, err);
}

static aldis_err flow_sender_on_go(struct flow_sender *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    uint64_t left = self->bench->opts.n - self->seq;
    uint64_t batch = left < BENCH_BATCH_MSGS ? left : BENCH_BATCH_MSGS;
    if (self->seq == 0)
        bench_start(self->bench);
    for (uint64_t i = 0; i < batch; i++) {
        aldis_err err = aldis_flow_try_send(ctx, self->flow, self->to, flow_note, .kind = 1,
                                            .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        self->seq++;
    }
    if (left == batch)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}
ALDIS_BEHAVIOUR(flow_sender, struct flow_sender, FLOW_SENDER_PROTOCOL,
                .on_start = flow_sender_start, .on_undelivered = bench_on_undelivered);

static aldis_err flow_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &flow_sender_behaviour, out_root);
}

static void flow_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "flow_note", bench->opts.n);
}

const struct bench_workload bench_flow = {
    .name = "flow",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 10000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = flow_start,
    .check = flow_check,
};
