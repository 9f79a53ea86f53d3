// SPDX-License-Identifier: Apache-2.0
/* durable.c: reliable sends through the outbox of a store, each accepted, handled and confirmed;
 * what waits is committed together, and every commit waits for the disk. Layer: bench. */
#include "bench.h"

#include "bench.pb.h"

#include <aldis/store.h>
#include <aldis/wire.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Nearly as many as one stream allows: the more wait, the more are committed together. */
enum { UNDER_WAY = 1000, PATH_SIZE = 4096 };

ALDIS_WIRE_STRUCT(BenchVec3);
ALDIS_WIRE_STRUCT(BenchSmall);
ALDIS_MESSAGE_CODEC(durable_note, BenchSmall, 0, ALDIS_CODEC(BenchSmall));
ALDIS_SIGNAL(go);

#define DURABLE_SINK_PROTOCOL(X, kind) X(kind, durable_note)
#define DURABLE_SOURCE_PROTOCOL(X, kind)                                                           \
    X(kind, go) X(kind, aldis_accepted) X(kind, aldis_delivered)
ALDIS_PROTOCOL(durable_sink, DURABLE_SINK_PROTOCOL);
ALDIS_PROTOCOL(durable_source, DURABLE_SOURCE_PROTOCOL);

/* ------------------------------------------------------------------ the receiver */

struct durable_sink {
    struct bench *bench;
    uint64_t seq; /* of the next: durable */
};

static aldis_err durable_sink_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct durable_sink *self = state;
    self->bench = bench_given(arg);
    return bench_checked(self->bench, ctx, aldis_durable_open(ctx, self->bench->set, "sink", NULL));
}

static aldis_err durable_sink_on_durable_note(struct durable_sink *self, const BenchSmall *msg,
                                              aldis_ctx *ctx)
{
    if (msg->seq != self->seq++)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " came, %" PRIu64 " was due",
                           msg->seq, self->seq - 1);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(durable_sink, struct durable_sink, DURABLE_SINK_PROTOCOL,
                .on_start = durable_sink_start, .durable = ALDIS_DURABLE(struct durable_sink, seq));

/* ------------------------------------------------------------------ the sender */

struct durable_source {
    struct bench *bench;
    uint64_t sent, accepted, confirmed;
};

static aldis_err durable_source_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct durable_source *self = state;
    self->bench = bench_given(arg);
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    durable_sink_ref sink;
    aldis_err err = aldis_durable_open(ctx, self->bench->set, "source", NULL);
    if (err == ALDIS_OK)
        err = aldis_spawn(ctx, durable_sink, &sink, &place);
    return bench_checked(self->bench, ctx, err);
}

static aldis_err send_next(struct durable_source *self, aldis_ctx *ctx)
{
    uint64_t seq = self->sent++;
    return bench_checked(self->bench, ctx,
                         aldis_send_durable(ctx, "sink", durable_note, seq, NULL, .from = 0,
                                            .to = 1, .kind = 7, .has_position = true,
                                            .position = {1.0F, 2.0F, 3.0F}, .seq = seq));
}

static aldis_err durable_source_on_go(struct durable_source *self, const aldis_none *msg,
                                      aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    while (self->sent < UNDER_WAY && self->sent < self->bench->opts.n)
        if (send_next(self, ctx) != ALDIS_OK)
            break;
    return ALDIS_OK;
}

static aldis_err durable_source_on_aldis_accepted(struct durable_source *self,
                                                  const aldis_accepted *msg, aldis_ctx *ctx)
{
    if (msg->result != ALDIS_OK || msg->context != self->accepted++)
        return bench_fault(self->bench, ctx,
                           "message %" PRIu64 " is accepted as number %" PRIu64 ": %s",
                           msg->context, self->accepted, aldis_error_text((aldis_err)msg->result));
    return ALDIS_OK;
}

static aldis_err durable_source_on_aldis_delivered(struct durable_source *self,
                                                   const aldis_delivered *msg, aldis_ctx *ctx)
{
    if (msg->result != ALDIS_OK)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " failed: %s", msg->context,
                           aldis_error_text((aldis_err)msg->result));
    if (++self->confirmed == self->bench->opts.n)
        bench_end(self->bench, ctx);
    else if (self->sent < self->bench->opts.n)
        return send_next(self, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(durable_source, struct durable_source, DURABLE_SOURCE_PROTOCOL,
                .on_start = durable_source_start);

/* ------------------------------------------------------------------ the store */

/* A store in a folder of its own. Both lose their names at once, so that nothing remains of them
 * whatever ends the run: a store keeps its files open. */
static aldis_err open_store(aldis_store **out_store)
{
    const char *parent = getenv("TMPDIR");
    char folder[PATH_SIZE], file[PATH_SIZE + 16], log[PATH_SIZE + 16];
    int length = snprintf(folder, sizeof folder, "%s/aldis-bench-XXXXXX",
                          parent && parent[0] != '\0' ? parent : "/tmp");
    if (length >= (int)sizeof folder || !mkdtemp(folder))
        return ALDIS_EIO;
    snprintf(file, sizeof file, "%s/store.db", folder);
    snprintf(log, sizeof log, "%s/store.db-wal", folder);
    aldis_err err = aldis_store_open(file, NULL, out_store);
    unlink(file);
    unlink(log);
    rmdir(folder);
    return err;
}

static aldis_err durable_begin(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    aldis_store *store = NULL;
    aldis_err err = open_store(&store);
    bench->set = store;
    return err != ALDIS_OK ? err
                           : bench_spawn_root(bench, system, &durable_source_behaviour, out_root);
}

/* If the disk is slow a message is sent again; its repeat is filtered out, and may save its effect
 * again. */
static void durable_check(struct bench *bench, const aldis_stats *stats)
{
    uint64_t n = bench->opts.n;
    bench_expect(bench, stats, "aldis_accepted", n);
    const aldis_type_stats *row = aldis_stats_type(stats, "durable_note");
    aldis_store_stats store;
    aldis_store_get_stats(bench->set, &store);
    if (!row || row->handled != n || store.accepted != n || store.saved < n)
        (void)bench_fault(bench, NULL,
                          "accepted %" PRIu64 ", handled %" PRIu64 ", saved %" PRIu64
                          ", expected %" PRIu64,
                          store.accepted, row ? row->handled : 0, store.saved, n);
    bench_add_extra(bench, "commits", (double)store.commits);
    bench_add_extra(bench, "repeats", row ? (double)(row->sent - row->handled) : 0);
    bench_add_extra(bench, "messages_per_commit", (double)n / (double)store.commits);
}

static void durable_finish(struct bench *bench)
{
    (void)aldis_store_close(bench->set);
}

const struct bench_workload bench_durable = {
    .name = "durable",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 50000,
    .n_max = 1000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .repeats = true,
    .start = durable_begin,
    .check = durable_check,
    .finish = durable_finish,
};
