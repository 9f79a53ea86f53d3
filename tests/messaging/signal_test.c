// SPDX-License-Identifier: Apache-2.0
/* signal_test.c: every way to send has a form for messages without payload, and it arrives. */
#include "core/fixture.h"

enum { HEARD = 1, TOLD };

ALDIS_SIGNAL(bell);
ALDIS_SIGNAL(hello);
ALDIS_SIGNAL(welcome);
ALDIS_REQUEST(hello, welcome);
ALDIS_SIGNAL(go);

#define EAR_PROTOCOL(X, kind) X(kind, bell) X(kind, hello)
ALDIS_PROTOCOL(ear, EAR_PROTOCOL);
#define MOUTH_PROTOCOL(X, kind) X(kind, go) X(kind, aldis_delivered) X(kind, aldis_credit_notice)
ALDIS_PROTOCOL(mouth, MOUTH_PROTOCOL);

/* ------------------------------------------------------------------ who hears */

struct ear {
    uint64_t heard;
};

static aldis_err ear_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state, (void)arg;
    aldis_err err = aldis_ctx_register(ctx, aldis_self(ctx), "ear");
    if (err == ALDIS_OK)
        err = aldis_subscribe(ctx, "bells");
    return err == ALDIS_OK ? aldis_credit_accept(ctx, NULL) : err;
}

static aldis_err ear_on_bell(struct ear *self, const bell_payload *none, aldis_ctx *ctx)
{
    (void)none;
    trace_add(HEARD, ++self->heard, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err ear_on_hello(struct ear *self, const hello_payload *none, aldis_ctx *ctx)
{
    (void)self, (void)none;
    aldis_promise promise;
    EXPECT_OK(aldis_promise_take(ctx, &promise));
    return aldis_promise_reply_signal(ctx, promise, welcome);
}

ALDIS_BEHAVIOUR(ear, struct ear, EAR_PROTOCOL, .on_start = ear_start);

/* ------------------------------------------------------------------ who tells */

enum { WAYS = 10 }; /* to ring the bell */

struct mouth {
    ear_ref ear;
    aldis_flow *flow;
};

static aldis_err mouth_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct mouth *self = state;
    self->ear = *(const ear_ref *)arg;
    const aldis_flow_opts opts = {.concurrent_max = 8};
    aldis_err err = aldis_flow_create(ctx, &opts, &self->flow);
    return err == ALDIS_OK ? aldis_credit_open(ctx, self->ear.id, NULL) : err;
}

static aldis_err on_welcome(struct mouth *self, const aldis_answer *answer,
                            const welcome_payload *none, aldis_ctx *ctx)
{
    (void)self, (void)none;
    EXPECT_UINT(answer->err, ALDIS_OK);
    trace_add(TOLD, 1, aldis_now(ctx));
    return ALDIS_OK;
}
ALDIS_ON_REPLY(on_welcome, struct mouth, hello);

static aldis_err mouth_on_go(struct mouth *self, const go_payload *none, aldis_ctx *ctx)
{
    (void)none;
    aldis_fanout fanout = {0};
    aldis_message_id id;
    ear_ref ear = self->ear;
    EXPECT_OK(aldis_signal(ctx, aldis_ref(ear, ear.id), bell));
    EXPECT_OK(aldis_signal_with(ctx, ear, bell, &(aldis_send_opts){.lane = ALDIS_LANE_HIGH}));
    EXPECT_OK(aldis_signal_name(ctx, "ear", bell));
    EXPECT_OK(aldis_publish_signal(ctx, "bells", &fanout, bell));
    EXPECT_UINT(fanout.delivered, 1);
    EXPECT_OK(aldis_broadcast_signal(ctx, &fanout, bell));
    EXPECT_UINT(fanout.delivered, 1);
    EXPECT_OK(aldis_signal_reliable(ctx, ear, bell, &id, NULL));
    EXPECT_OK(aldis_flow_try_signal(ctx, self->flow, ear, bell));
    EXPECT_OK(aldis_flow_signal(ctx, self->flow, ALDIS_SECOND, ear, bell));
    EXPECT_OK(aldis_credit_signal(ctx, ear, bell));
    EXPECT_OK(aldis_credit_try_signal(ctx, ear, bell));
    EXPECT_OK(aldis_ask_signal(ctx, ear, hello, on_welcome, NULL));
    return ALDIS_OK;
}

static aldis_err mouth_on_aldis_delivered(struct mouth *self, const aldis_delivered *told,
                                          aldis_ctx *ctx)
{
    (void)self, (void)ctx;
    EXPECT_UINT(told->result, ALDIS_OK);
    return ALDIS_OK;
}

static aldis_err mouth_on_aldis_credit_notice(struct mouth *self, const aldis_credit_notice *notice,
                                              aldis_ctx *ctx)
{
    (void)self, (void)ctx;
    EXPECT_UINT(notice->result, ALDIS_OK);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(mouth, struct mouth, MOUTH_PROTOCOL, .on_start = mouth_start);

TEST_EACH(all_ways_to_send_have_a_form_for_signals)
{
    fixture_open(f, NULL);
    ear_ref ear;
    mouth_ref mouth;
    CHECK_OK(aldis_spawn(f->system, ear, &ear, NULL));
    fixture_settle(f);
    CHECK_OK(aldis_spawn(f->system, mouth, &mouth, &(aldis_spawn_opts){ALDIS_ARG(&ear)}));
    fixture_settle(f);
    CHECK_OK(aldis_signal(f->system, mouth, go));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TOLD), 1);
    CHECK_UINT(trace_count_of(HEARD), WAYS);
    CHECK_UINT(fixture_counts(f, "bell").handled, WAYS);
}
