// SPDX-License-Identifier: Apache-2.0
/* broadcast.c: one publisher, 1000 subscribers of one topic. Layer: bench.
 *
 * A publication never waits: a full mailbox refuses it. So the subscribers grant credit, as users
 * of topics must: each acknowledges every ACK_EVERY-th publication, and the publisher keeps at most
 * WINDOW_MSGS ahead of the slowest. */
#include "bench.h"

#include <inttypes.h>

enum {
    SUBSCRIBERS = 1000,
    BATCH = 8,         /* publications a turn */
    ACK_EVERY = 32,    /* publications for one acknowledgement: a round */
    WINDOW_ROUNDS = 2, /* rounds that may be under way */
    WINDOW_MSGS = ACK_EVERY * WINDOW_ROUNDS
};
#define TOPIC "bench.news"

ALDIS_MESSAGE(news, struct bench_note);
ALDIS_MESSAGE(ack, struct bench_note);
ALDIS_SIGNAL(go);

#define PUBLISHER_PROTOCOL(X, kind) X(kind, go) X(kind, ack)
#define SUBSCRIBER_PROTOCOL(X, kind) X(kind, news)
ALDIS_PROTOCOL(publisher, PUBLISHER_PROTOCOL);
ALDIS_PROTOCOL(subscriber, SUBSCRIBER_PROTOCOL);

struct subscriber_arg {
    struct bench *bench;
    uint32_t number;
};

struct subscriber {
    struct bench *bench;
    publisher_ref publisher;
    uint32_t number;
    uint64_t count; /* publications to come */
    uint64_t seq;   /* of the next */
};

struct publisher {
    struct bench *bench;
    publisher_ref self;
    uint64_t count;               /* publications to do */
    uint64_t seq;                 /* of the next */
    uint64_t round;               /* the oldest one that not all have acknowledged */
    uint32_t acks[WINDOW_ROUNDS]; /* of that round and the next */
    bool waiting;                 /* for acknowledgements: no `go` is under way */
};

static aldis_err subscriber_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct subscriber *self = state;
    const struct subscriber_arg *given = arg;
    self->bench = given->bench;
    self->publisher = (publisher_ref){.id = aldis_parent(ctx)};
    self->number = given->number;
    self->count = given->bench->opts.n;
    return bench_checked(self->bench, ctx, aldis_subscribe(ctx, TOPIC));
}

static aldis_err subscriber_on_news(struct subscriber *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx,
                           "subscriber %" PRIu32 ": publication %" PRIu64 " came, %" PRIu64
                           " was due",
                           self->number, msg->seq, self->seq);
    self->seq++;
    if (self->seq % ACK_EVERY != 0 && self->seq != self->count)
        return ALDIS_OK;
    return bench_checked(
        self->bench, ctx,
        aldis_send(ctx, self->publisher, ack, .from = self->number, .to = 0, .seq = msg->seq));
}

ALDIS_BEHAVIOUR(subscriber, struct subscriber, SUBSCRIBER_PROTOCOL, .on_start = subscriber_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err publisher_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct publisher *self = state;
    self->bench = bench_given(arg);
    self->self = (publisher_ref){.id = aldis_self(ctx)};
    self->count = self->bench->opts.n;
    for (uint32_t number = 1; number <= SUBSCRIBERS; number++) {
        struct subscriber_arg given = {self->bench, number};
        aldis_spawn_opts place = bench_place(self->bench, number, &given, sizeof given);
        subscriber_ref child;
        aldis_err err = aldis_spawn(ctx, subscriber, &child, &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err publish_once(struct publisher *self, aldis_ctx *ctx)
{
    aldis_fanout fanout = {0};
    aldis_err err = aldis_publish(ctx, TOPIC, &fanout, news, .from = 0, .kind = 7,
                                  .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq);
    if (err != ALDIS_OK)
        return bench_refused(self->bench, ctx, err);
    if (fanout.matched != SUBSCRIBERS || fanout.delivered != SUBSCRIBERS)
        return bench_fault(self->bench, ctx,
                           "publication %" PRIu64 ": %" PRIu64 " matched, %" PRIu64
                           " delivered, %" PRIu64 " refused",
                           self->seq, fanout.matched, fanout.delivered, fanout.refused);
    self->seq++;
    return ALDIS_OK;
}

/* One turn: some publications, as far as the credit goes. */
static aldis_err publish_some(struct publisher *self, aldis_ctx *ctx)
{
    uint64_t limit = self->round * ACK_EVERY + WINDOW_MSGS;
    uint64_t end = self->seq + BATCH;
    if (end > limit)
        end = limit;
    if (end > self->count)
        end = self->count;
    while (self->seq < end) {
        aldis_err err = publish_once(self, ctx);
        if (err != ALDIS_OK)
            return err;
    }
    self->waiting = self->seq == limit;
    if (self->waiting || self->seq == self->count)
        return ALDIS_OK;
    return bench_checked(self->bench, ctx, aldis_signal(ctx, self->self, go));
}

static aldis_err publisher_on_go(struct publisher *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->seq == 0)
        bench_start(self->bench);
    return publish_some(self, ctx);
}

static aldis_err publisher_on_ack(struct publisher *self, const struct bench_note *msg,
                                  aldis_ctx *ctx)
{
    uint64_t round = msg->seq / ACK_EVERY;
    if (round < self->round || round >= self->round + WINDOW_ROUNDS)
        return bench_fault(self->bench, ctx,
                           "subscriber %" PRIu32 " acknowledged %" PRIu64 " in round %" PRIu64,
                           msg->from, msg->seq, self->round);
    if (++self->acks[round % WINDOW_ROUNDS] < SUBSCRIBERS || round != self->round)
        return ALDIS_OK;
    /* A subscriber acknowledges in order, so the next round cannot be complete yet. */
    self->acks[round % WINDOW_ROUNDS] = 0;
    self->round++;
    if (msg->seq + 1 == self->count) {
        bench_end(self->bench, ctx);
        return ALDIS_OK;
    }
    return self->waiting ? publish_some(self, ctx) : ALDIS_OK;
}

ALDIS_BEHAVIOUR(publisher, struct publisher, PUBLISHER_PROTOCOL, .on_start = publisher_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err broadcast_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &publisher_behaviour, out_root);
}

static void broadcast_check(struct bench *bench, const aldis_stats *stats)
{
    uint64_t n = bench->opts.n;
    bench_expect(bench, stats, "news", n * SUBSCRIBERS);
    bench_expect(bench, stats, "ack", (n + ACK_EVERY - 1) / ACK_EVERY * SUBSCRIBERS);
}

const struct bench_workload bench_broadcast = {
    .name = "broadcast",
    .unit = "deliveries",
    .what_n = "publications",
    .n_default = 50000,
    .n_max = 1000000000,
    .ops_per_n = SUBSCRIBERS,
    .may_be_apart = true,
    .start = broadcast_start,
    .check = broadcast_check,
};
