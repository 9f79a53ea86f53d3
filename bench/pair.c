// SPDX-License-Identifier: Apache-2.0
/* pair.c: ping-pong and counting: two actors, side by side or on two workers. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

ALDIS_MESSAGE(ping, struct bench_note);
ALDIS_MESSAGE(pong, struct bench_note);
ALDIS_MESSAGE(add, struct bench_note);
ALDIS_SIGNAL(go);

#define PINGER_PROTOCOL(X, kind) X(kind, go) X(kind, pong)
#define PONGER_PROTOCOL(X, kind) X(kind, ping)
#define PRODUCER_PROTOCOL(X, kind) X(kind, go)
#define COUNTER_PROTOCOL(X, kind) X(kind, add)
ALDIS_PROTOCOL(pinger, PINGER_PROTOCOL);
ALDIS_PROTOCOL(ponger, PONGER_PROTOCOL);
ALDIS_PROTOCOL(pair_producer, PRODUCER_PROTOCOL);
ALDIS_PROTOCOL(pair_counter, COUNTER_PROTOCOL);

/* ping-pong: the pinger is actor 0, the ponger actor 1. */

struct pinger {
    struct bench *bench;
    ponger_ref ponger;
    uint64_t count; /* round trips to do */
    uint64_t seq;   /* of the ping under way */
};

struct ponger {
    struct bench *bench;
    pinger_ref pinger;
    uint64_t seq; /* of the next ping */
};

static aldis_err ponger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ponger *self = state;
    self->bench = bench_given(arg);
    self->pinger = (pinger_ref){.id = aldis_parent(ctx)};
    return ALDIS_OK;
}

static aldis_err ponger_on_ping(struct ponger *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "ping %" PRIu64 " came, %" PRIu64 " was due", msg->seq,
                           self->seq);
    self->seq++;
    return bench_checked(
        self->bench, ctx,
        aldis_send(ctx, self->pinger, pong, .from = 1, .to = 0, .kind = msg->kind,
                   .position = {msg->position[0], msg->position[1], msg->position[2]},
                   .seq = msg->seq));
}

ALDIS_BEHAVIOUR(ponger, struct ponger, PONGER_PROTOCOL, .on_start = ponger_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err pinger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct pinger *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    return bench_checked(self->bench, ctx, aldis_spawn(ctx, ponger, &self->ponger, &place));
}

static aldis_err ping(struct pinger *self, aldis_ctx *ctx)
{
    return bench_checked(self->bench, ctx,
                         aldis_send(ctx, self->ponger, ping, .from = 0, .to = 1, .kind = 7,
                                    .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq));
}

static aldis_err pinger_on_go(struct pinger *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return ping(self, ctx);
}

static aldis_err pinger_on_pong(struct pinger *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "pong %" PRIu64 " came, %" PRIu64 " was due", msg->seq,
                           self->seq);
    if (++self->seq < self->count)
        return ping(self, ctx);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(pinger, struct pinger, PINGER_PROTOCOL, .on_start = pinger_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err ping_pong_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &pinger_behaviour, out_root);
}

static void ping_pong_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "ping", bench->opts.n);
    bench_expect(bench, stats, "pong", bench->opts.n);
}

const struct bench_workload bench_ping_pong = {
    .name = "ping-pong",
    .unit = "round trips",
    .what_n = "round trips",
    .n_default = 30000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = ping_pong_start,
    .check = ping_pong_check,
};

/* counting: the producer is actor 0, the counter actor 1. */

struct pair_producer {
    struct bench *bench;
    pair_counter_ref counter;
    pair_producer_ref self;
    uint64_t count; /* messages to send */
    uint64_t seq;   /* of the next */
};

struct pair_counter {
    struct bench *bench;
    uint64_t count; /* messages to come */
    uint64_t seq;   /* of the next */
};

static aldis_err pair_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct pair_counter *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err pair_counter_on_add(struct pair_counter *self, const struct bench_note *msg,
                                     aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " came, %" PRIu64 " was due",
                           msg->seq, self->seq);
    if (++self->seq == self->count)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(pair_counter, struct pair_counter, COUNTER_PROTOCOL, .on_start = pair_counter_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err pair_producer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct pair_producer *self = state;
    self->bench = bench_given(arg);
    self->self = (pair_producer_ref){.id = aldis_self(ctx)};
    self->count = self->bench->opts.n;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    return bench_checked(self->bench, ctx, aldis_spawn(ctx, pair_counter, &self->counter, &place));
}

static aldis_err pair_producer_on_go(struct pair_producer *self, const aldis_none *msg,
                                     aldis_ctx *ctx)
{
    (void)msg;
    if (self->seq == 0)
        bench_start(self->bench);
    uint64_t left = self->count - self->seq;
    uint64_t end = self->seq + (left < BENCH_BATCH_MSGS ? left : BENCH_BATCH_MSGS);
    for (; self->seq < end; self->seq++) {
        aldis_err err = aldis_send(ctx, self->counter, add, .from = 0, .to = 1, .kind = 7,
                                   .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    if (self->seq == self->count)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

ALDIS_BEHAVIOUR(pair_producer, struct pair_producer, PRODUCER_PROTOCOL,
                .on_start = pair_producer_start, .on_undelivered = bench_on_undelivered);

static aldis_err counting_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &pair_producer_behaviour, out_root);
}

static void counting_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "add", bench->opts.n);
}

const struct bench_workload bench_counting = {
    .name = "counting",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 50000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = counting_start,
    .check = counting_check,
};
