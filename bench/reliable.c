// SPDX-License-Identifier: Apache-2.0
/* reliable.c: reliable: acknowledged sends to one receiver; retry-table: what a message costs that
 * waits for its acknowledgement. Layer: bench. */
#include "bench.h"

#include <aldis/delivery.h>
#include <inttypes.h>

enum { UNDER_WAY = 256, TABLE_BATCH = 256 };
#define TABLE_NS ALDIS_SECOND

ALDIS_MESSAGE(reliable_note, struct bench_note);
ALDIS_SIGNAL(reliable_over);
ALDIS_SIGNAL(go);

#define RELIABLE_SINK_PROTOCOL(X, kind) X(kind, reliable_note)
#define RELIABLE_SOURCE_PROTOCOL(X, kind)                                                          \
    X(kind, go) X(kind, aldis_delivered) X(kind, reliable_over)
ALDIS_PROTOCOL(reliable_sink, RELIABLE_SINK_PROTOCOL);
ALDIS_PROTOCOL(reliable_source, RELIABLE_SOURCE_PROTOCOL);

struct reliable_set {
    bool table; /* nothing is acknowledged */
};
static const struct reliable_set plain_set = {false}, table_set = {true};

/* ------------------------------------------------------------------ the receiver */

struct reliable_sink {
    struct bench *bench;
    uint64_t seq; /* of the next */
};

static aldis_err reliable_sink_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct reliable_sink *self = state;
    (void)ctx;
    self->bench = bench_given(arg);
    return ALDIS_OK;
}

static aldis_err reliable_sink_on_reliable_note(struct reliable_sink *self,
                                                const struct bench_note *msg, aldis_ctx *ctx)
{
    const struct reliable_set *set = self->bench->set;
    aldis_ack_token token;
    if (msg->seq != self->seq++)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " came, %" PRIu64 " was due",
                           msg->seq, self->seq - 1);
    return set->table ? aldis_ack_later(ctx, &token) : ALDIS_OK;
}

ALDIS_BEHAVIOUR(reliable_sink, struct reliable_sink, RELIABLE_SINK_PROTOCOL,
                .on_start = reliable_sink_start, .on_undelivered = bench_on_undelivered);

/* ------------------------------------------------------------------ the sender */

struct reliable_source {
    struct bench *bench;
    reliable_sink_ref sink;
    aldis_reliable_opts opts;
    uint64_t sent, confirmed;
    aldis_ns cpu_ns; /* table: when it began to wait */
};

static aldis_err reliable_source_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct reliable_source *self = state;
    self->bench = bench_given(arg);
    const struct reliable_set *set = self->bench->set;
    self->opts.grade = self->bench->opts.effect_once ? ALDIS_EFFECT_ONCE : ALDIS_AT_LEAST_ONCE;
    if (set->table)
        self->opts.timeout_ns = ALDIS_HOUR;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    return bench_checked(self->bench, ctx, aldis_spawn(ctx, reliable_sink, &self->sink, &place));
}

static aldis_err send_next(struct reliable_source *self, aldis_ctx *ctx)
{
    return bench_checked(self->bench, ctx,
                         aldis_send_reliable(ctx, self->sink, reliable_note, NULL, &self->opts,
                                             .from = 0, .to = 1, .kind = 7,
                                             .position = {1.0F, 2.0F, 3.0F}, .seq = self->sent++));
}

/* A table is filled in batches, so that the mailbox of the receiver need not hold it. */
static aldis_err fill(struct reliable_source *self, aldis_ctx *ctx)
{
    aldis_timer timer;
    for (int i = 0; i < TABLE_BATCH && self->sent < self->bench->opts.n; i++)
        if (send_next(self, ctx) != ALDIS_OK)
            return ALDIS_OK;
    if (self->sent < self->bench->opts.n)
        return bench_checked(self->bench, ctx,
                             aldis_signal(ctx, (reliable_source_ref){.id = aldis_self(ctx)}, go));
    self->cpu_ns = bench_cpu_ns();
    return bench_checked(self->bench, ctx, aldis_timer_once(ctx, TABLE_NS, reliable_over, &timer));
}

static aldis_err reliable_source_on_go(struct reliable_source *self, const aldis_none *msg,
                                       aldis_ctx *ctx)
{
    const struct reliable_set *set = self->bench->set;
    (void)msg;
    if (self->sent == 0)
        bench_start(self->bench);
    if (set->table)
        return fill(self, ctx);
    while (self->sent < UNDER_WAY && self->sent < self->bench->opts.n)
        if (send_next(self, ctx) != ALDIS_OK)
            break;
    return ALDIS_OK;
}

static aldis_err reliable_source_on_aldis_delivered(struct reliable_source *self,
                                                    const aldis_delivered *msg, aldis_ctx *ctx)
{
    if (msg->result != ALDIS_OK)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " failed: %s", msg->id.number,
                           aldis_error_text((aldis_err)msg->result));
    if (++self->confirmed == self->bench->opts.n)
        bench_end(self->bench, ctx);
    else if (self->sent < self->bench->opts.n)
        return send_next(self, ctx);
    return ALDIS_OK;
}

static aldis_err reliable_source_on_reliable_over(struct reliable_source *self,
                                                  const aldis_none *msg, aldis_ctx *ctx)
{
    double cpu_ns = (double)(bench_cpu_ns() - self->cpu_ns);
    double seconds = (double)TABLE_NS / (double)ALDIS_SECOND;
    (void)msg;
    if (aldis_pending_count(ctx) != self->bench->opts.n)
        return bench_fault(self->bench, ctx, "%zu messages are pending", aldis_pending_count(ctx));
    bench_add_extra(self->bench, "ns_per_pending_s",
                    cpu_ns / (double)self->bench->opts.n / seconds);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(reliable_source, struct reliable_source, RELIABLE_SOURCE_PROTOCOL,
                .on_start = reliable_source_start, .on_undelivered = bench_on_undelivered);

/* ------------------------------------------------------------------ the workloads */

static aldis_err reliable_begin(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    bench->set = (void *)(uintptr_t)&plain_set;
    return bench_spawn_root(bench, system, &reliable_source_behaviour, out_root);
}

static aldis_err table_begin(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    bench->set = (void *)(uintptr_t)&table_set;
    return bench_spawn_root(bench, system, &reliable_source_behaviour, out_root);
}

static void reliable_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "reliable_note", bench->opts.n);
    bench_expect(bench, stats, "aldis_delivered", bench->opts.n);
}

static void table_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "reliable_note", bench->opts.n);
}

const struct bench_workload bench_reliable = {
    .name = "reliable",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 5000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .takes = BENCH_TAKES_GRADE,
    .start = reliable_begin,
    .check = reliable_check,
};

const struct bench_workload bench_retry_table = {
    .name = "retry-table",
    .unit = "messages",
    .what_n = "pending messages",
    .n_default = 1000000,
    .n_max = 1 << 20,
    .ops_per_n = 1,
    .start = table_begin,
    .check = table_check,
};
