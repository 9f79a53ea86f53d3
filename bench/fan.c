// SPDX-License-Identifier: Apache-2.0
/* fan.c: fan-in (100 producers, one counter) and fork-join-throughput (one master, 100 counters).
 * Layer: bench. */
#include "bench.h"

#include <inttypes.h>

enum { FAN_SIZE = 100 };

ALDIS_MESSAGE(add, struct bench_note);
ALDIS_MESSAGE(done, struct bench_note);
ALDIS_SIGNAL(go);

#define FAN_PRODUCER_PROTOCOL(X, kind) X(kind, go)
#define FAN_COUNTER_PROTOCOL(X, kind) X(kind, go) X(kind, add)
#define MASTER_PROTOCOL(X, kind) X(kind, go) X(kind, done)
#define JOIN_COUNTER_PROTOCOL(X, kind) X(kind, add)
ALDIS_PROTOCOL(fan_producer, FAN_PRODUCER_PROTOCOL);
ALDIS_PROTOCOL(fan_counter, FAN_COUNTER_PROTOCOL);
ALDIS_PROTOCOL(master, MASTER_PROTOCOL);
ALDIS_PROTOCOL(join_counter, JOIN_COUNTER_PROTOCOL);

/* What a member of either set is given. */
struct fan_arg {
    struct bench *bench;
    uint32_t number; /* 1 .. FAN_SIZE; the root is 0 */
};

/* fan-in: the counter is the root. */

struct fan_producer {
    struct bench *bench;
    fan_counter_ref counter;
    fan_producer_ref self;
    uint32_t number;
    uint64_t count; /* messages to send */
    uint64_t seq;   /* of the next */
};

struct fan_counter {
    struct bench *bench;
    uint64_t left;              /* messages to come, from all */
    uint64_t seq[FAN_SIZE + 1]; /* of the next, by producer */
    fan_producer_ref producers[FAN_SIZE];
};

static aldis_err fan_producer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct fan_producer *self = state;
    const struct fan_arg *given = arg;
    self->bench = given->bench;
    self->counter = (fan_counter_ref){.id = aldis_parent(ctx)};
    self->self = (fan_producer_ref){.id = aldis_self(ctx)};
    self->number = given->number;
    self->count = bench_share(self->bench->opts.n, FAN_SIZE, given->number - 1);
    return ALDIS_OK;
}

static aldis_err fan_producer_on_go(struct fan_producer *self, const aldis_none *msg,
                                    aldis_ctx *ctx)
{
    (void)msg;
    uint64_t left = self->count - self->seq;
    uint64_t end = self->seq + (left < BENCH_BATCH_MSGS ? left : BENCH_BATCH_MSGS);
    for (; self->seq < end; self->seq++) {
        aldis_err err = aldis_send(ctx, self->counter, add, .from = self->number, .to = 0,
                                   .kind = 7, .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    if (self->seq == self->count)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

ALDIS_BEHAVIOUR(fan_producer, struct fan_producer, FAN_PRODUCER_PROTOCOL,
                .on_start = fan_producer_start, .on_undelivered = bench_on_undelivered);

static aldis_err fan_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct fan_counter *self = state;
    self->bench = bench_given(arg);
    self->left = self->bench->opts.n;
    for (uint32_t i = 0; i < FAN_SIZE; i++) {
        struct fan_arg given = {self->bench, i + 1};
        aldis_spawn_opts place = bench_place(self->bench, i + 1, &given, sizeof given);
        aldis_err err = aldis_spawn(ctx, fan_producer, &self->producers[i], &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err fan_counter_on_go(struct fan_counter *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    for (uint32_t i = 0; i < FAN_SIZE; i++) {
        aldis_err err = aldis_signal(ctx, self->producers[i], go);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err fan_counter_on_add(struct fan_counter *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    if (msg->from == 0 || msg->from > FAN_SIZE || msg->seq != self->seq[msg->from])
        return bench_fault(self->bench, ctx,
                           "message %" PRIu64 " of producer %" PRIu32 " came out of order",
                           msg->seq, msg->from);
    self->seq[msg->from]++;
    if (--self->left == 0)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(fan_counter, struct fan_counter, FAN_COUNTER_PROTOCOL,
                .on_start = fan_counter_start, .on_undelivered = bench_on_undelivered);

static aldis_err fan_in_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &fan_counter_behaviour, out_root);
}

static void fan_in_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "add", bench->opts.n);
}

const struct bench_workload bench_fan_in = {
    .name = "fan-in",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 40000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = fan_in_start,
    .check = fan_in_check,
};

/* fork-join-throughput: the master is the root. */

struct master {
    struct bench *bench;
    master_ref self;
    uint64_t rounds; /* messages for each counter */
    uint64_t round;  /* number of the running one: the seq of its messages */
    uint32_t next;   /* counter of the next message */
    uint32_t joined; /* counters that have theirs */
    join_counter_ref counters[FAN_SIZE];
};

struct join_counter {
    struct bench *bench;
    master_ref master;
    uint32_t number;
    uint64_t count; /* messages to come */
    uint64_t seq;   /* of the next */
};

static aldis_err join_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct join_counter *self = state;
    const struct fan_arg *given = arg;
    self->bench = given->bench;
    self->master = (master_ref){.id = aldis_parent(ctx)};
    self->number = given->number;
    self->count = given->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err join_counter_on_add(struct join_counter *self, const struct bench_note *msg,
                                     aldis_ctx *ctx)
{
    if (msg->to != self->number || msg->seq != self->seq)
        return bench_fault(self->bench, ctx,
                           "counter %" PRIu32 ": message %" PRIu64 " for %" PRIu32 " came, %" PRIu64
                           " was due",
                           self->number, msg->seq, msg->to, self->seq);
    if (++self->seq < self->count)
        return ALDIS_OK;
    return bench_checked(
        self->bench, ctx,
        aldis_send(ctx, self->master, done, .from = self->number, .to = 0, .seq = self->seq));
}

ALDIS_BEHAVIOUR(join_counter, struct join_counter, JOIN_COUNTER_PROTOCOL,
                .on_start = join_counter_start, .on_undelivered = bench_on_undelivered);

static aldis_err master_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct master *self = state;
    self->bench = bench_given(arg);
    self->self = (master_ref){.id = aldis_self(ctx)};
    self->rounds = self->bench->opts.n;
    for (uint32_t i = 0; i < FAN_SIZE; i++) {
        struct fan_arg given = {self->bench, i + 1};
        aldis_spawn_opts place = bench_place(self->bench, i + 1, &given, sizeof given);
        aldis_err err = aldis_spawn(ctx, join_counter, &self->counters[i], &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err master_on_go(struct master *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->round == 0 && self->next == 0)
        bench_start(self->bench);
    for (int i = 0; i < BENCH_BATCH_MSGS; i++) {
        aldis_err err =
            aldis_send(ctx, self->counters[self->next], add, .from = 0, .to = self->next + 1,
                       .kind = 7, .position = {1.0F, 2.0F, 3.0F}, .seq = self->round);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        if (++self->next < FAN_SIZE)
            continue;
        self->next = 0;
        if (++self->round == self->rounds)
            return ALDIS_OK;
    }
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

static aldis_err master_on_done(struct master *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->rounds)
        return bench_fault(self->bench, ctx, "counter %" PRIu32 " has %" PRIu64 " of %" PRIu64,
                           msg->from, msg->seq, self->rounds);
    if (++self->joined == FAN_SIZE)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(master, struct master, MASTER_PROTOCOL, .on_start = master_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err fork_join_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &master_behaviour, out_root);
}

static void fork_join_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "add", bench->opts.n * FAN_SIZE);
    bench_expect(bench, stats, "done", FAN_SIZE);
}

const struct bench_workload bench_fork_join_throughput = {
    .name = "fork-join-throughput",
    .unit = "messages",
    .what_n = "messages per actor",
    .n_default = 400000,
    .n_max = 10000000000,
    .ops_per_n = FAN_SIZE,
    .may_be_apart = true,
    .start = fork_join_start,
    .check = fork_join_check,
};
