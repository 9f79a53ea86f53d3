// SPDX-License-Identifier: Apache-2.0
/* big.c: 120 actors, each asking a random other one again and again. Layer: bench.
 *
 * The roster of references is filled in by the root before its first `go` and only read from then
 * on; that message, and each one that it leads to, carries the roster with it. */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

enum { BIG_SIZE = 120 };

ALDIS_MESSAGE(ping, struct bench_note);
ALDIS_MESSAGE(pong, struct bench_note);
ALDIS_MESSAGE(done, struct bench_note);
ALDIS_SIGNAL(go);

#define BIG_ROOT_PROTOCOL(X, kind) X(kind, go) X(kind, done)
#define BIG_PROTOCOL(X, kind) X(kind, go) X(kind, ping) X(kind, pong)
ALDIS_PROTOCOL(big_root, BIG_ROOT_PROTOCOL);
ALDIS_PROTOCOL(big_member, BIG_PROTOCOL);

struct big_set {
    big_member_ref members[BIG_SIZE];
};

struct big_arg {
    struct bench *bench;
    const struct big_set *set;
    uint32_t number;
};

struct big_member {
    struct bench *bench;
    const struct big_set *set;
    big_root_ref root;
    uint32_t number; /* 0 .. BIG_SIZE-1 */
    uint32_t random;
    uint64_t count; /* pings to do */
    uint64_t seq;   /* of the ping under way */
    uint32_t asked; /* who has that ping */
};

struct big_root {
    struct bench *bench;
    struct big_set *set;
    uint32_t finished; /* members that have done theirs */
};

static aldis_err big_member_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct big_member *self = state;
    const struct big_arg *given = arg;
    self->bench = given->bench;
    self->set = given->set;
    self->root = (big_root_ref){.id = aldis_parent(ctx)};
    self->number = given->number;
    self->random = given->number + 1;
    self->count = given->bench->opts.n;
    return ALDIS_OK;
}

/* Ask a random member, not oneself. */
static aldis_err ask(struct big_member *self, aldis_ctx *ctx)
{
    uint32_t other = bench_random(&self->random) % (BIG_SIZE - 1);
    self->asked = other < self->number ? other : other + 1;
    return bench_checked(self->bench, ctx,
                         aldis_send(ctx, self->set->members[self->asked], ping,
                                    .from = self->number, .to = self->asked, .kind = 7,
                                    .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq));
}

static aldis_err big_member_on_go(struct big_member *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return ask(self, ctx);
}

static aldis_err big_member_on_ping(struct big_member *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    if (msg->to != self->number || msg->from >= BIG_SIZE)
        return bench_fault(self->bench, ctx, "actor %" PRIu32 " got the ping for %" PRIu32,
                           self->number, msg->to);
    return bench_checked(
        self->bench, ctx,
        aldis_send(ctx, self->set->members[msg->from], pong, .from = self->number, .to = msg->from,
                   .kind = msg->kind,
                   .position = {msg->position[0], msg->position[1], msg->position[2]},
                   .seq = msg->seq));
}

static aldis_err big_member_on_pong(struct big_member *self, const struct bench_note *msg,
                                    aldis_ctx *ctx)
{
    if (msg->to != self->number || msg->from != self->asked || msg->seq != self->seq)
        return bench_fault(self->bench, ctx,
                           "actor %" PRIu32 ": pong %" PRIu64 " of %" PRIu32 " came, %" PRIu64
                           " of %" PRIu32 " was due",
                           self->number, msg->seq, msg->from, self->seq, self->asked);
    if (++self->seq < self->count)
        return ask(self, ctx);
    return bench_checked(self->bench, ctx,
                         aldis_send(ctx, self->root, done, .from = self->number, .seq = self->seq));
}

ALDIS_BEHAVIOUR(big_member, struct big_member, BIG_PROTOCOL, .on_start = big_member_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err big_root_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct big_root *self = state;
    self->bench = bench_given(arg);
    self->set = self->bench->set;
    for (uint32_t number = 0; number < BIG_SIZE; number++) {
        struct big_arg given = {self->bench, self->set, number};
        aldis_spawn_opts place = bench_place(self->bench, number, &given, sizeof given);
        aldis_err err = aldis_spawn(ctx, big_member, &self->set->members[number], &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err big_root_on_go(struct big_root *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    for (uint32_t number = 0; number < BIG_SIZE; number++) {
        aldis_err err = aldis_signal(ctx, self->set->members[number], go);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err big_root_on_done(struct big_root *self, const struct bench_note *msg,
                                  aldis_ctx *ctx)
{
    if (msg->seq != self->bench->opts.n)
        return bench_fault(self->bench, ctx, "actor %" PRIu32 " did %" PRIu64 " pings", msg->from,
                           msg->seq);
    if (++self->finished == BIG_SIZE)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(big_root, struct big_root, BIG_ROOT_PROTOCOL, .on_start = big_root_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err big_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    bench->set = calloc(1, sizeof(struct big_set));
    if (!bench->set)
        return ALDIS_ENOMEM;
    return bench_spawn_root(bench, system, &big_root_behaviour, out_root);
}

static void big_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "ping", bench->opts.n * BIG_SIZE);
    bench_expect(bench, stats, "pong", bench->opts.n * BIG_SIZE);
    bench_expect(bench, stats, "done", BIG_SIZE);
}

static void big_finish(struct bench *bench)
{
    free(bench->set);
}

const struct bench_workload bench_big = {
    .name = "big",
    .unit = "pings",
    .what_n = "pings per actor",
    .n_default = 150000,
    .n_max = 10000000000,
    .ops_per_n = BIG_SIZE,
    .may_be_apart = true,
    .start = big_start,
    .check = big_check,
    .finish = big_finish,
};
