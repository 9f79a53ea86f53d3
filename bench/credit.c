// SPDX-License-Identifier: Apache-2.0
/* credit.c: credit: one actor sends to another over a credit stream, as much as it has credit for,
 * and goes on when it is told that there is more. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

ALDIS_MESSAGE(credit_note, struct bench_note);
ALDIS_SIGNAL(go);

enum { WINDOW = 512 }; /* half a mailbox */

#define CREDIT_SENDER_PROTOCOL(X, kind) X(kind, go) X(kind, aldis_credit_notice)
#define CREDIT_COUNTER_PROTOCOL(X, kind) X(kind, credit_note)
ALDIS_PROTOCOL(credit_sender, CREDIT_SENDER_PROTOCOL);
ALDIS_PROTOCOL(credit_counter, CREDIT_COUNTER_PROTOCOL);

struct credit_counter {
    struct bench *bench;
    uint64_t seq;
};

struct credit_sender {
    struct bench *bench;
    credit_counter_ref to;
    uint64_t seq;
};

static aldis_err credit_counter_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct credit_counter *self = state;
    self->bench = bench_given(arg);
    return bench_checked(self->bench, ctx,
                         aldis_credit_accept(ctx, &(aldis_credit_terms){.window = WINDOW}));
}

static aldis_err credit_counter_on_credit_note(struct credit_counter *self,
                                               const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "message %" PRIu64 " came, expected %" PRIu64,
                           msg->seq, self->seq);
    if (++self->seq == self->bench->opts.n)
        bench_end(self->bench, ctx);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(credit_counter, struct credit_counter, CREDIT_COUNTER_PROTOCOL,
                .on_start = credit_counter_start);

static aldis_err credit_sender_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct credit_sender *self = state;
    self->bench = bench_given(arg);
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    aldis_err err = aldis_spawn(ctx, credit_counter, &self->to, &place);
    if (err == ALDIS_OK)
        err = aldis_credit_open(ctx, self->to.id, NULL);
    return bench_checked(self->bench, ctx, err);
}

static aldis_err send_on(struct credit_sender *self, aldis_ctx *ctx)
{
    while (self->seq < self->bench->opts.n) {
        aldis_err err = aldis_credit_try_send(ctx, self->to, credit_note, .kind = 1,
                                              .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq);
        if (err == ALDIS_EAGAIN)
            return ALDIS_OK; /* a notice will come */
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        self->seq++;
    }
    return ALDIS_OK;
}

static aldis_err credit_sender_on_go(struct credit_sender *self, const aldis_none *msg,
                                     aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return send_on(self, ctx);
}

static aldis_err credit_sender_on_aldis_credit_notice(struct credit_sender *self,
                                                      const aldis_credit_notice *notice,
                                                      aldis_ctx *ctx)
{
    if (notice->result != ALDIS_OK)
        return bench_refused(self->bench, ctx, (aldis_err)notice->result);
    return send_on(self, ctx);
}
ALDIS_BEHAVIOUR(credit_sender, struct credit_sender, CREDIT_SENDER_PROTOCOL,
                .on_start = credit_sender_start, .on_undelivered = bench_on_undelivered);

static aldis_err credit_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &credit_sender_behaviour, out_root);
}

static void credit_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "credit_note", bench->opts.n);
}

const struct bench_workload bench_credit = {
    .name = "credit",
    .unit = "messages",
    .what_n = "messages",
    .n_default = 10000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = credit_start,
    .check = credit_check,
};
