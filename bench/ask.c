// SPDX-License-Identifier: Apache-2.0
/* ask.c: request-response: one actor asks another, and waits for the typed answer. Layer: bench. */
#include "bench.h"

#include <inttypes.h>

ALDIS_MESSAGE(question, struct bench_note);
ALDIS_MESSAGE(reply, struct bench_note);
ALDIS_REQUEST(question, reply);
ALDIS_SIGNAL(go);

#define ASKER_PROTOCOL(X, kind) X(kind, go)
#define REPLIER_PROTOCOL(X, kind) X(kind, question)
ALDIS_PROTOCOL(asker, ASKER_PROTOCOL);
ALDIS_PROTOCOL(replier, REPLIER_PROTOCOL);

/* The asker is actor 0, the replier actor 1. */

struct asker {
    struct bench *bench;
    replier_ref replier;
    uint64_t count; /* asks to make */
    uint64_t seq;   /* of the one under way */
};

struct replier {
    struct bench *bench;
    uint64_t seq; /* of the next question */
};

static aldis_err replier_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct replier *self = state;
    self->bench = bench_given(arg);
    return ALDIS_OK;
}

static aldis_err replier_on_question(struct replier *self, const struct bench_note *msg,
                                     aldis_ctx *ctx)
{
    if (msg->seq != self->seq)
        return bench_fault(self->bench, ctx, "question %" PRIu64 " came, %" PRIu64 " was due",
                           msg->seq, self->seq);
    self->seq++;
    return bench_checked(
        self->bench, ctx,
        aldis_reply(ctx, reply, .from = 1, .to = 0, .kind = msg->kind,
                    .position = {msg->position[0], msg->position[1], msg->position[2]},
                    .seq = msg->seq));
}

ALDIS_BEHAVIOUR(replier, struct replier, REPLIER_PROTOCOL, .on_start = replier_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err asker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct asker *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    struct bench_arg given = {self->bench};
    aldis_spawn_opts place = bench_place(self->bench, 1, &given, sizeof given);
    return bench_checked(self->bench, ctx, aldis_spawn(ctx, replier, &self->replier, &place));
}

static aldis_err ask_next(struct asker *self, aldis_ctx *ctx);

static aldis_err asker_on_reply(struct asker *self, const aldis_answer *answer,
                                const struct bench_note *reply, aldis_ctx *ctx)
{
    if (!reply || reply->seq != self->seq || answer->context != self->seq)
        return bench_fault(self->bench, ctx, "answer %" PRIu64 " (%s) came, %" PRIu64 " was due",
                           answer->context, aldis_error_text(answer->err), self->seq);
    if (++self->seq < self->count)
        return ask_next(self, ctx);
    bench_end(self->bench, ctx);
    return ALDIS_OK;
}
ALDIS_ON_REPLY(asker_on_reply, struct asker, question);

static aldis_err ask_next(struct asker *self, aldis_ctx *ctx)
{
    return bench_checked(self->bench, ctx,
                         aldis_ask(ctx, self->replier, question, asker_on_reply,
                                   aldis_ask_with(.context = self->seq), .from = 0, .to = 1,
                                   .kind = 7, .position = {1.0F, 2.0F, 3.0F}, .seq = self->seq));
}

static aldis_err asker_on_go(struct asker *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return ask_next(self, ctx);
}

ALDIS_BEHAVIOUR(asker, struct asker, ASKER_PROTOCOL, .on_start = asker_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err request_response_start(struct bench *bench, aldis_system *system,
                                        aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &asker_behaviour, out_root);
}

static void request_response_check(struct bench *bench, const aldis_stats *stats)
{
    bench_expect(bench, stats, "question", bench->opts.n);
    bench_expect(bench, stats, "reply", bench->opts.n);
}

const struct bench_workload bench_request_response = {
    .name = "request-response",
    .unit = "asks",
    .what_n = "asks",
    .n_default = 10000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = request_response_start,
    .check = request_response_check,
};
