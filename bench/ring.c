// SPDX-License-Identifier: Apache-2.0
/* ring.c: thread-ring: 503 actors, one token. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

enum { RING_SIZE = 503 };

ALDIS_MESSAGE(token, struct bench_note);
ALDIS_SIGNAL(go);

#define RING_PROTOCOL(X, kind) X(kind, go) X(kind, token)
ALDIS_PROTOCOL(ring_member, RING_PROTOCOL);

/* Actor 0 is the root. It spawns the others backwards, so that each knows the next from its start:
 * the last one's next is actor 0 itself. */
struct ring_arg {
    struct bench *bench;
    ring_member_ref next;
    uint32_t number;
};

struct ring_member {
    struct bench *bench;
    ring_member_ref next;
    uint64_t hops; /* to do, in all */
    uint32_t number;
};

static aldis_err ring_member_start(void *state, const void *arg, aldis_ctx *ctx);

static aldis_err pass(struct ring_member *self, uint64_t hop, aldis_ctx *ctx)
{
    uint32_t to = self->number + 1 < RING_SIZE ? self->number + 1 : 0;
    return bench_checked(self->bench, ctx,
                         aldis_send(ctx, self->next, token, .from = self->number, .to = to,
                                    .kind = 7, .position = {1.0F, 2.0F, 3.0F}, .seq = hop));
}

static aldis_err ring_member_on_go(struct ring_member *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return pass(self, 1, ctx);
}

static aldis_err ring_member_on_token(struct ring_member *self, const struct bench_note *msg,
                                      aldis_ctx *ctx)
{
    if (msg->to != self->number)
        return bench_fault(self->bench, ctx, "actor %" PRIu32 " got the token for %" PRIu32,
                           self->number, msg->to);
    if (msg->seq < self->hops)
        return pass(self, msg->seq + 1, ctx);
    if (self->number != self->hops % RING_SIZE)
        return bench_fault(self->bench, ctx, "the token ended at actor %" PRIu32, self->number);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(ring_member, struct ring_member, RING_PROTOCOL, .on_start = ring_member_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err ring_member_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ring_member *self = state;
    const struct ring_arg *given = arg;
    self->bench = given->bench;
    self->number = given->number;
    self->next = given->next;
    self->hops = given->bench->opts.n;
    if (self->number != 0)
        return ALDIS_OK;
    self->next = (ring_member_ref){.id = aldis_self(ctx)};
    for (uint32_t number = RING_SIZE - 1; number > 0; number--) {
        struct ring_arg member = {self->bench, self->next, number};
        aldis_spawn_opts place = bench_place(self->bench, number, &member, sizeof member);
        aldis_err err = aldis_spawn(ctx, ring_member, &self->next, &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    return ALDIS_OK;
}

static aldis_err thread_ring_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    struct ring_arg first = {.bench = bench, .number = 0};
    aldis_spawn_opts place = bench_place(bench, 0, &first, sizeof first);
    return aldis_system_spawn_raw(system, &ring_member_behaviour, &place, out_root);
}

static void thread_ring_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "token", bench->opts.n);
}

const struct bench_workload bench_thread_ring = {
    .name = "thread-ring",
    .unit = "hops",
    .what_n = "hops",
    .n_default = 60000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = thread_ring_start,
    .check = thread_ring_check,
};
