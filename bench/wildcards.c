// SPDX-License-Identifier: Apache-2.0
/* wildcards.c: 10,000 actors subscribe to a pattern each; every publication matches 10 of them.
 * Layer: bench.
 *
 * The publisher takes ten topics in turn. As in broadcast.c the subscribers grant credit: each
 * acknowledges the last of every round, and the publisher waits for all ten. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PATTERNS = 10000,
    MATCHES = 10,
    TOPICS = 10,
    ROUND = 64 /* publications for one acknowledgement */
};

ALDIS_MESSAGE(report, struct bench_note);
ALDIS_MESSAGE(wild_ack, struct bench_note);
ALDIS_SIGNAL(go);

#define WILD_ROOT_PROTOCOL(X, kind) X(kind, go) X(kind, wild_ack)
#define WILD_PROTOCOL(X, kind) X(kind, report)
ALDIS_PROTOCOL(wild_root, WILD_ROOT_PROTOCOL);
ALDIS_PROTOCOL(wild, WILD_PROTOCOL);

struct wild_arg {
    struct bench *bench;
    uint32_t number; /* 1 .. PATTERNS */
};

struct wild {
    struct bench *bench;
    wild_root_ref root;
    uint32_t number;
    uint64_t count, seq;
};

struct wild_root {
    struct bench *bench;
    uint64_t count, seq;
    uint32_t acks;
};

static aldis_err wild_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct wild *self = state;
    const struct wild_arg *given = arg;
    char pattern[ALDIS_TOPIC_MAX + 1];
    self->bench = given->bench;
    self->root = (wild_root_ref){.id = aldis_parent(ctx)};
    self->number = given->number;
    self->count = given->bench->opts.n;
    if (given->number <= MATCHES)
        snprintf(pattern, sizeof pattern, given->number % 2 ? "sector.*.ship.7" : "sector.>");
    else
        snprintf(pattern, sizeof pattern, "sector.%" PRIu32 ".*.7", TOPICS + given->number);
    return bench_checked(self->bench, ctx, aldis_subscribe(ctx, pattern));
}

static aldis_err wild_on_report(struct wild *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx,
                           "subscriber %" PRIu32 ": publication %" PRIu64 " came, %" PRIu64
                           " was due",
                           self->number, msg->seq, self->seq);
    self->seq++;
    if (self->seq % ROUND != 0 && self->seq != self->count)
        return ALDIS_OK;
    return bench_checked(
        self->bench, ctx,
        aldis_send(ctx, self->root, wild_ack, .from = self->number, .seq = msg->seq));
}

ALDIS_BEHAVIOUR(wild, struct wild, WILD_PROTOCOL, .on_start = wild_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err wild_root_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct wild_root *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    for (uint32_t number = 1; number <= PATTERNS; number++) {
        struct wild_arg given = {self->bench, number};
        aldis_spawn_opts place = bench_place(self->bench, number, &given, sizeof given);
        wild_ref child;
        aldis_err err = aldis_spawn(ctx, wild, &child, &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err publish_round(struct wild_root *self, aldis_ctx *ctx)
{
    uint64_t left = self->count - self->seq;
    uint64_t end = self->seq + (left < ROUND ? left : ROUND);
    for (; self->seq < end; self->seq++) {
        static const char *const topics[TOPICS] = {
            "sector.0.ship.7", "sector.1.ship.7", "sector.2.ship.7", "sector.3.ship.7",
            "sector.4.ship.7", "sector.5.ship.7", "sector.6.ship.7", "sector.7.ship.7",
            "sector.8.ship.7", "sector.9.ship.7"};
        aldis_fanout fanout = {0};
        aldis_err err = aldis_publish(ctx, topics[self->seq % TOPICS], &fanout, report, .kind = 7,
                                      .seq = self->seq);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        if (fanout.delivered != MATCHES || fanout.matched != MATCHES)
            return bench_fault(self->bench, ctx,
                               "publication %" PRIu64 ": %" PRIu64 " matched, %" PRIu64
                               " delivered",
                               self->seq, fanout.matched, fanout.delivered);
    }
    return ALDIS_OK;
}

static aldis_err wild_root_on_go(struct wild_root *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return publish_round(self, ctx);
}

static aldis_err wild_root_on_wild_ack(struct wild_root *self, const struct bench_note *msg,
                                       aldis_ctx *ctx)
{
    if (msg->seq + 1 != self->seq)
        return bench_fault(self->bench, ctx, "subscriber %" PRIu32 " acknowledged %" PRIu64,
                           msg->from, msg->seq);
    if (++self->acks < MATCHES)
        return ALDIS_OK;
    self->acks = 0;
    if (self->seq < self->count)
        return publish_round(self, ctx);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(wild_root, struct wild_root, WILD_ROOT_PROTOCOL, .on_start = wild_root_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err wildcards_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &wild_root_behaviour, out_root);
}

static void wildcards_check(struct bench *bench, const aldis_stats *stats)
{
    uint64_t n = bench->opts.n;
    bench_expect(bench, stats, "report", n * MATCHES);
    bench_expect(bench, stats, "wild_ack", (n + ROUND - 1) / ROUND * MATCHES);
}

const struct bench_workload bench_wildcards = {
    .name = "wildcards",
    .unit = "deliveries",
    .what_n = "publications",
    .n_default = 2000000,
    .n_max = 1000000000,
    .ops_per_n = MATCHES,
    .may_be_apart = true,
    .start = wildcards_start,
    .check = wildcards_check,
};
