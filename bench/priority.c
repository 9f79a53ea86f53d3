// SPDX-License-Identifier: Apache-2.0
/* priority.c: one producer sends on all lanes in turn to one counter, which checks the order in
 * each. Layer: bench.
 *
 * The control lane is the runtime's: every CONTROL_EVERY messages a command that changes nothing
 * goes on it. It is not counted. */
#include "bench.h"

#include <inttypes.h>

enum { LANES = 4, CONTROL_EVERY = 64 };

ALDIS_MESSAGE(mixed, struct bench_note);
ALDIS_SIGNAL(go);

#define MIXER_PROTOCOL(X, kind) X(kind, go)
#define MIXED_PROTOCOL(X, kind) X(kind, go) X(kind, mixed)
ALDIS_PROTOCOL(mixer, MIXER_PROTOCOL);
ALDIS_PROTOCOL(mixed_counter, MIXED_PROTOCOL);

static const aldis_lane lanes[LANES] = {ALDIS_LANE_CRITICAL, ALDIS_LANE_HIGH, ALDIS_LANE_NORMAL,
                                        ALDIS_LANE_LOW};

struct mixer {
    struct bench *bench;
    mixed_counter_ref counter;
    mixer_ref self;
    uint64_t count, seq;
};

struct mixed_counter {
    struct bench *bench;
    mixer_ref mixer;
    uint64_t left;
    uint64_t seq[LANES]; /* of the next, by lane */
};

static aldis_err mixer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct mixer *self = state;
    self->bench = bench_given(arg);
    self->counter = (mixed_counter_ref){.id = aldis_parent(ctx)};
    self->self = (mixer_ref){.id = aldis_self(ctx)};
    self->count = self->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err mixer_on_go(struct mixer *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    uint64_t left = self->count - self->seq;
    uint64_t end = self->seq + (left < BENCH_BATCH_MSGS ? left : BENCH_BATCH_MSGS);
    for (; self->seq < end; self->seq++) {
        struct bench_note note = {.kind = (uint32_t)(self->seq % LANES), .seq = self->seq};
        aldis_err err = aldis_send_with(ctx, self->counter, mixed, &note,
                                        &(aldis_send_opts){.lane = lanes[note.kind]});
        if (err == ALDIS_OK && self->seq % CONTROL_EVERY == 0)
            err = aldis_resume(ctx, self->counter.id);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    if (self->seq == self->count)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

ALDIS_BEHAVIOUR(mixer, struct mixer, MIXER_PROTOCOL, .on_start = mixer_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err mixed_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct mixed_counter *self = state;
    self->bench = bench_given(arg);
    self->left = self->bench->opts.n;
    for (uint32_t lane = 0; lane < LANES; lane++)
        self->seq[lane] = lane;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    return bench_checked(self->bench, ctx, aldis_spawn(ctx, mixer, &self->mixer, &place));
}

static aldis_err mixed_counter_on_go(struct mixed_counter *self, const aldis_none *msg,
                                     aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->mixer, go));
}

static aldis_err mixed_counter_on_mixed(struct mixed_counter *self, const struct bench_note *msg,
                                        aldis_ctx *ctx)
{
    if (msg->kind >= LANES || msg->seq != self->seq[msg->kind])
        return bench_fault(self->bench, ctx,
                           "message %" PRIu64 " of lane %" PRIu32 " came out of order", msg->seq,
                           msg->kind);
    self->seq[msg->kind] += LANES;
    if (--self->left == 0)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(mixed_counter, struct mixed_counter, MIXED_PROTOCOL,
                .on_start = mixed_counter_start, .on_undelivered = bench_on_undelivered);

static aldis_err priority_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &mixed_counter_behaviour, out_root);
}

static void priority_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "mixed", bench->opts.n);
}

const struct bench_workload bench_priority = {
    .name = "priority",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 10000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = priority_start,
    .check = priority_check,
};
