// SPDX-License-Identifier: Apache-2.0
/* router.c: router and router-4: one or four senders route to 1000 registered counters by id, round
 * robin, in messages of four types. Layer: bench.
 *
 * A sender looks the names up once, when it starts, and sends by id from then on. Each round is of
 * the next type, so every counter gets all four, and the statistics by type are checked. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>

enum { COUNTERS = 1000, SENDERS_MAX = 4, TYPES = 4 };

ALDIS_MESSAGE(route_position, struct bench_note);
ALDIS_MESSAGE(route_order, struct bench_note);
ALDIS_MESSAGE(route_report, struct bench_note);
ALDIS_MESSAGE(route_alarm, struct bench_note);
ALDIS_MESSAGE(done, struct bench_note);
ALDIS_SIGNAL(go);

#define ROUTE_ROOT_PROTOCOL(X, kind) X(kind, go) X(kind, done)
#define ROUTE_SENDER_PROTOCOL(X, kind) X(kind, go)
#define ROUTE_COUNTER_PROTOCOL(X, kind)                                                            \
    X(kind, route_position) X(kind, route_order) X(kind, route_report) X(kind, route_alarm)
ALDIS_PROTOCOL(route_root, ROUTE_ROOT_PROTOCOL);
ALDIS_PROTOCOL(route_sender, ROUTE_SENDER_PROTOCOL);
ALDIS_PROTOCOL(route_counter, ROUTE_COUNTER_PROTOCOL);

struct route_arg {
    struct bench *bench;
    uint32_t number;
    uint32_t senders;
};

struct route_counter {
    struct bench *bench;
    route_root_ref root;
    uint32_t number;           /* 0 .. COUNTERS-1 */
    uint64_t left;             /* messages to come */
    uint64_t seq[SENDERS_MAX]; /* round of the next one, by sender */
};

struct route_sender {
    struct bench *bench;
    route_sender_ref self;
    uint32_t number; /* 0 .. senders-1 */
    uint32_t next;   /* counter of the next message */
    uint32_t first;  /* counter of each round's first message */
    uint64_t left;   /* messages to send */
    uint64_t round;  /* the seq of its messages */
    route_counter_ref counters[COUNTERS];
};

struct route_root {
    struct bench *bench;
    uint32_t senders;
    uint64_t joined; /* counters that have all theirs */
    route_sender_ref sender[SENDERS_MAX];
};

/* The senders begin at counters equally far apart. */
static uint32_t first_counter(uint32_t sender, uint32_t senders)
{
    return sender * (COUNTERS / senders);
}

static void counter_name(uint32_t number, char name[ALDIS_NAME_MAX + 1])
{
    snprintf(name, ALDIS_NAME_MAX + 1, "bench.counter.%" PRIu32, number);
}

/* The counters. */

static aldis_err route_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct route_counter *self = state;
    const struct route_arg *given = arg;
    self->bench = given->bench;
    self->root = (route_root_ref){.id = aldis_parent(ctx)};
    self->number = given->number;
    for (uint32_t sender = 0; sender < given->senders; sender++) {
        uint64_t count = bench_share(given->bench->opts.n, given->senders, sender);
        uint32_t place =
            (self->number + COUNTERS - first_counter(sender, given->senders)) % COUNTERS;
        self->left += bench_share(count, COUNTERS, place);
    }
    return ALDIS_OK;
}

static aldis_err route_count(struct route_counter *self, const struct bench_note *msg,
                             uint32_t kind, aldis_ctx *ctx)
{
    if (msg->to != self->number || msg->kind != kind || msg->from >= SENDERS_MAX ||
        msg->seq != self->seq[msg->from])
        return bench_fault(self->bench, ctx,
                           "counter %" PRIu32 ": message %" PRIu64 " of sender %" PRIu32
                           " for %" PRIu32 " came",
                           self->number, msg->seq, msg->from, msg->to);
    self->seq[msg->from]++;
    if (--self->left > 0)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_send(ctx, self->root, done, .from = self->number));
}

static aldis_err route_counter_on_route_position(struct route_counter *self,
                                                 const struct bench_note *msg, aldis_ctx *ctx)
{
    return route_count(self, msg, 0, ctx);
}

static aldis_err route_counter_on_route_order(struct route_counter *self,
                                              const struct bench_note *msg, aldis_ctx *ctx)
{
    return route_count(self, msg, 1, ctx);
}

static aldis_err route_counter_on_route_report(struct route_counter *self,
                                               const struct bench_note *msg, aldis_ctx *ctx)
{
    return route_count(self, msg, 2, ctx);
}

static aldis_err route_counter_on_route_alarm(struct route_counter *self,
                                              const struct bench_note *msg, aldis_ctx *ctx)
{
    return route_count(self, msg, 3, ctx);
}

ALDIS_BEHAVIOUR(route_counter, struct route_counter, ROUTE_COUNTER_PROTOCOL,
                .on_start = route_counter_start, .on_undelivered = bench_on_undelivered);

/* The senders. */

static aldis_err route_sender_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct route_sender *self = state;
    const struct route_arg *given = arg;
    self->bench = given->bench;
    self->self = (route_sender_ref){.id = aldis_self(ctx)};
    self->number = given->number;
    self->first = first_counter(given->number, given->senders);
    self->next = self->first;
    self->left = bench_share(given->bench->opts.n, given->senders, given->number);
    for (uint32_t i = 0; i < COUNTERS; i++) {
        char name[ALDIS_NAME_MAX + 1];
        counter_name(i, name);
        aldis_err err = aldis_ctx_lookup(ctx, name, &self->counters[i].id);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err route_one(struct route_sender *self, aldis_ctx *ctx)
{
    route_counter_ref to = self->counters[self->next];
    uint32_t kind = self->round % TYPES;
    struct bench_note note = {.from = self->number,
                              .to = self->next,
                              .kind = kind,
                              .position = {1.0F, 2.0F, 3.0F},
                              .seq = self->round};
    if (kind == 0)
        return aldis_send_copy(ctx, to, route_position, &note);
    if (kind == 1)
        return aldis_send_copy(ctx, to, route_order, &note);
    if (kind == 2)
        return aldis_send_copy(ctx, to, route_report, &note);
    return aldis_send_copy(ctx, to, route_alarm, &note);
}

static aldis_err route_sender_on_go(struct route_sender *self, const aldis_none *msg,
                                    aldis_ctx *ctx)
{
    (void)msg;
    uint64_t batch = self->left < BENCH_BATCH_MSGS ? self->left : BENCH_BATCH_MSGS;
    for (uint64_t i = 0; i < batch; i++) {
        aldis_err err = route_one(self, ctx);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        if (++self->next == COUNTERS)
            self->next = 0;
        if (self->next == self->first)
            self->round++;
    }
    self->left -= batch;
    if (self->left == 0)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

ALDIS_BEHAVIOUR(route_sender, struct route_sender, ROUTE_SENDER_PROTOCOL,
                .on_start = route_sender_start, .on_undelivered = bench_on_undelivered);

/* The root makes and registers the counters, then makes the senders. */

static aldis_err spawn_counter(struct route_root *self, uint32_t number, aldis_ctx *ctx)
{
    struct route_arg given = {self->bench, number, self->senders};
    aldis_spawn_opts place = bench_place(self->bench, number, &given, sizeof given);
    route_counter_ref counter;
    char name[ALDIS_NAME_MAX + 1];
    counter_name(number, name);
    aldis_err err = aldis_spawn(ctx, route_counter, &counter, &place);
    return err == ALDIS_OK ? aldis_ctx_register(ctx, counter.id, name) : err;
}

static aldis_err route_root_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct route_root *self = state;
    const struct route_arg *given = arg;
    self->bench = given->bench;
    self->senders = given->senders;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; i < COUNTERS && err == ALDIS_OK; i++)
        err = spawn_counter(self, i, ctx);
    for (uint32_t i = 0; i < self->senders && err == ALDIS_OK; i++) {
        struct route_arg sender = {self->bench, i, self->senders};
        aldis_spawn_opts place = bench_place(self->bench, i, &sender, sizeof sender);
        err = aldis_spawn(ctx, route_sender, &self->sender[i], &place);
    }
    return bench_checked(self->bench, ctx, err);
}

static aldis_err route_root_on_go(struct route_root *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    for (uint32_t i = 0; i < self->senders; i++) {
        aldis_err err = aldis_signal(ctx, self->sender[i], go);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

/* How many counters get any message at all: those that some sender reaches. */
static uint64_t counters_reached(const struct bench *bench, uint32_t senders)
{
    uint64_t reached = 0;
    for (uint32_t sender = 0; sender < senders; sender++) {
        uint64_t count = bench_share(bench->opts.n, senders, sender);
        uint64_t apart = COUNTERS / senders;
        if (count >= COUNTERS)
            return COUNTERS;
        reached += count < apart ? count : apart;
    }
    return reached;
}

static aldis_err route_root_on_done(struct route_root *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    (void)msg;
    if (++self->joined == counters_reached(self->bench, self->senders))
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(route_root, struct route_root, ROUTE_ROOT_PROTOCOL, .on_start = route_root_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err route_start(struct bench *bench, aldis_system *system, uint32_t senders,
                             aldis_id *out_root)
{
    struct route_arg given = {.bench = bench, .senders = senders};
    aldis_spawn_opts place = bench_place(bench, 0, &given, sizeof given);
    return aldis_system_spawn_raw(system, &route_root_behaviour, &place, out_root);
}

static void route_check(struct bench *bench, const aldis_stats *stats, uint32_t senders)
{
    static const char *const names[TYPES] = {"route_position", "route_order", "route_report",
                                             "route_alarm"};
    for (uint32_t type = 0; type < TYPES; type++) {
        uint64_t expected = 0;
        for (uint32_t sender = 0; sender < senders; sender++) {
            uint64_t count = bench_share(bench->opts.n, senders, sender);
            uint64_t rounds = count / COUNTERS;
            expected += bench_share(rounds, TYPES, type) * COUNTERS;
            if (rounds % TYPES == type)
                expected += count % COUNTERS;
        }
        bench_expect(bench, stats, names[type], expected);
    }
    bench_expect(bench, stats, "done", counters_reached(bench, senders));
}

static aldis_err router_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return route_start(bench, system, 1, out_root);
}

static void router_check(struct bench *bench, const aldis_stats *stats)
{
    route_check(bench, stats, 1);
}

static aldis_err router_4_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return route_start(bench, system, 4, out_root);
}

static void router_4_check(struct bench *bench, const aldis_stats *stats)
{
    route_check(bench, stats, 4);
}

const struct bench_workload bench_router = {
    .name = "router",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 40000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = router_start,
    .check = router_check,
};

const struct bench_workload bench_router_4 = {
    .name = "router-4",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 40000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = router_4_start,
    .check = router_4_check,
};
