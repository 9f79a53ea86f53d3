// SPDX-License-Identifier: Apache-2.0
/* ask_test.c: every ask is answered once: by a reply, or by the reason why there is none. */
#include "core/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ actors */

/* What the server is to do with a question. */
enum what {
    ANSWER,
    FAIL,
    FORGET,
    ANSWER_TWICE,
    ANSWER_WRONG,
    ERROR,
    PROMISE,
    FORWARD,
    NEVER,     /* promise, and never keep it */
    BE_BUSY,   /* virtual time: take 10 ms, then answer */
    DEADLINE,  /* answer with the deadline */
    DIE,       /* promise, and stop */
    NESTED,    /* ask the next server, and answer with its answer */
    THEN_FAIL, /* answer, then fail */
    KEEP       /* stash; `keep` = 0 takes it back and answers */
};

struct question {
    uint64_t number;
    uint64_t what;
    aldis_id other;
};
struct reply {
    uint64_t number;
    int64_t value;
};
ALDIS_MESSAGE(question, struct question);
ALDIS_MESSAGE(reply, struct reply);
ALDIS_MESSAGE(wrong, struct reply);
ALDIS_REQUEST(question, reply);
ALDIS_SIGNAL(keep_all); /* keep all promises, newest first */

struct server {
    aldis_promise promises[64];
    uint64_t numbers[64];
    uint32_t count;
    uint32_t handled;
    bool open;
};

#define SERVER_PROTOCOL(X, kind) X(kind, question) X(kind, keep_all)
ALDIS_PROTOCOL(server, SERVER_PROTOCOL);

static aldis_err server_on_inner(struct server *self, const aldis_answer *answer,
                                 const reply_payload *reply, aldis_ctx *ctx)
{
    EXPECT(self->count > 0);
    aldis_promise promise = {answer->context};
    if (!reply)
        return aldis_promise_error(ctx, promise, answer->err);
    /* What is asked now would have the deadline of the first question, too. */
    return aldis_promise_reply(ctx, promise, reply, .number = reply->number,
                               .value = aldis_deadline(ctx));
}
ALDIS_ON_REPLY(server_on_inner, struct server, question);

static aldis_err ask_next(struct server *self, const struct question *q, aldis_ctx *ctx)
{
    aldis_promise promise;
    EXPECT_OK(aldis_promise_take(ctx, &promise));
    self->count++;
    server_ref next = {.id = q->other};
    aldis_err err =
        aldis_ask(ctx, next, question, server_on_inner, aldis_ask_with(.context = promise.bits),
                  .number = q->number, .what = DEADLINE);
    return err == ALDIS_OK ? err : aldis_promise_error(ctx, promise, err);
}

static aldis_err server_on_question(struct server *self, const struct question *q, aldis_ctx *ctx)
{
    aldis_id asker = aldis_asker(ctx);
    self->handled++;
    switch ((enum what)q->what) {
    case ANSWER:
        return aldis_reply(ctx, reply, .number = q->number, .value = 1);
    case FAIL:
        return aldis_fail(ctx, "no");
    case FORGET:
        return ALDIS_OK;
    case ANSWER_TWICE:
        EXPECT_OK(aldis_reply(ctx, reply, .number = q->number, .value = 1));
        EXPECT_ERR(aldis_reply(ctx, reply, .number = q->number, .value = 2), ALDIS_ESTATE);
        EXPECT_ERR(aldis_reply_error(ctx, ALDIS_EFULL), ALDIS_ESTATE);
        EXPECT_ERR(aldis_forward(ctx, q->other), ALDIS_ESTATE);
        return ALDIS_OK;
    case ANSWER_WRONG:
        EXPECT_ERR(aldis_reply(ctx, wrong, .number = q->number), ALDIS_EUNACCEPTED);
        return aldis_reply(ctx, reply, .number = q->number, .value = 3);
    case ERROR:
        EXPECT_ERR(aldis_reply_error(ctx, ALDIS_OK), ALDIS_EINVAL);
        return aldis_reply_error(ctx, ALDIS_ERATE);
    case PROMISE:
    case NEVER:
        self->numbers[self->count] = q->number;
        EXPECT_OK(aldis_promise_take(ctx, &self->promises[self->count]));
        EXPECT_ERR(aldis_reply(ctx, reply, .number = 0), ALDIS_ESTATE);
        self->count++;
        return ALDIS_OK;
    case FORWARD: {
        EXPECT_ERR(aldis_forward(ctx, aldis_nobody()), ALDIS_ENOTFOUND);
        EXPECT_OK(aldis_forward(ctx, q->other));
        EXPECT(aldis_id_equal(asker, aldis_asker(ctx)));
        return ALDIS_OK;
    }
    case BE_BUSY:
        EXPECT_OK(aldis_busy(ctx, 10 * ALDIS_MS));
        return aldis_reply(ctx, reply, .number = q->number, .value = 1);
    case DEADLINE:
        return aldis_reply(ctx, reply, .number = q->number, .value = aldis_deadline(ctx));
    case DIE:
        EXPECT_OK(aldis_promise_take(ctx, &self->promises[self->count++]));
        return aldis_stop(ctx, aldis_self(ctx));
    case NESTED:
        return ask_next(self, q, ctx);
    case THEN_FAIL:
        EXPECT_OK(aldis_reply(ctx, reply, .number = q->number, .value = 1));
        return aldis_fail(ctx, "after the answer");
    case KEEP:
        if (!self->open)
            return aldis_stash(ctx);
        return aldis_reply(ctx, reply, .number = q->number, .value = 4);
    }
    return ALDIS_EINVAL;
}

static aldis_err server_on_keep_all(struct server *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    self->open = true;
    EXPECT_OK(aldis_unstash_all(ctx));
    while (self->count > 0) {
        aldis_promise promise = self->promises[--self->count];
        aldis_err err = aldis_promise_reply(ctx, promise, reply,
                                            .number = self->numbers[self->count], .value = 2);
        EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE);
        EXPECT_ERR(aldis_promise_reply(ctx, promise, reply, .number = 0), ALDIS_ENOTFOUND);
    }
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(server, struct server, SERVER_PROTOCOL);

/* The asker notes each answer: what = 100 + error, tag = number of the question (its context). */
static aldis_err on_reply(struct puppet *self, const aldis_answer *answer,
                          const reply_payload *reply, aldis_ctx *ctx)
{
    EXPECT((reply != NULL) == (answer->err == ALDIS_OK));
    EXPECT(!reply || reply->number == answer->context);
    trace_add(100 + (uint64_t)answer->err, answer->context, aldis_now(ctx));
    if (reply && self->memory[3])
        EXPECT_UINT(reply->value, self->memory[3]);
    self->count++;
    return ALDIS_OK;
}
ALDIS_ON_REPLY(on_reply, struct puppet, question);

static aldis_err ask(aldis_ctx *ctx, aldis_id to, uint64_t number, enum what what, aldis_id other,
                     aldis_ns timeout_ns)
{
    server_ref server = {.id = to};
    return aldis_ask(ctx, server, question, on_reply,
                     aldis_ask_with(.timeout_ns = timeout_ns, .context = number), .number = number,
                     .what = what, .other = other);
}

static server_ref spawn_server(struct fixture *f, const aldis_mailbox_opts *mailbox)
{
    server_ref server;
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_ANYWHERE};
    if (mailbox)
        opts.mailbox = *mailbox;
    CHECK_OK(aldis_spawn(f->system, server, &server, &opts));
    return server;
}

/* How often question `number` was answered with this error; and in all. */
static uint64_t answers(uint64_t number, aldis_err err)
{
    uint64_t n = 0;
    for (size_t i = 0; i < trace_count(); i++)
        n += trace_at(i).tag == number && trace_at(i).what == 100 + (uint64_t)err;
    return n;
}
static uint64_t all_answers(uint64_t number)
{
    uint64_t n = 0;
    for (size_t i = 0; i < trace_count(); i++)
        n += trace_at(i).tag == number && trace_at(i).what >= 100;
    return n;
}

/* ------------------------------------------------------------------ every end of a request */

/* act: id = server, memory[0] = second server; a = what */
static aldis_id second;

static aldis_err ask_one(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(ask(ctx, act->id, act->b, (enum what)act->a, second, 200 * ALDIS_MS));
    return ALDIS_OK;
}

static const struct {
    enum what what;
    aldis_err err;
} ends[] = {{ANSWER, ALDIS_OK},        {FAIL, ALDIS_EHANDLER},   {FORGET, ALDIS_ENOREPLY},
            {ANSWER_TWICE, ALDIS_OK},  {ANSWER_WRONG, ALDIS_OK}, {ERROR, ALDIS_ERATE},
            {FORWARD, ALDIS_ENOREPLY}, {BE_BUSY, ALDIS_OK},      {THEN_FAIL, ALDIS_OK},
            {DIE, ALDIS_ENORECEIVER}};
enum { ENDS = sizeof ends / sizeof ends[0] };

TEST_EACH(every_end_of_a_request_is_answered_once)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    second = spawn_server(f, NULL).id;
    for (uint64_t i = 0; i < ENDS; i++) {
        /* A forwarded question is of the same kind at the second server, which forwards it to
         * itself for ever: so ask it for one that it forgets. */
        enum what what = ends[i].what == FORWARD ? FORGET : ends[i].what;
        fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = what, .b = i + 1});
        fixture_settle(f);
        CHECK_UINT(all_answers(i + 1), 1);
        CHECK_UINT(answers(i + 1, ends[i].err), 1);
    }
    fixture_tell(f, asker, ask_one, (struct act){.id = second, .a = PROMISE, .b = 50});
    if (f->clock == ALDIS_CLOCK_LIVE)
        fixture_await(f, "question", ENDS + 1);
    else
        CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 10 * ALDIS_MS, NULL));
    CHECK_UINT(all_answers(50), 0);
    server_ref keeper = {.id = second};
    CHECK_OK(aldis_signal(f->system, keeper, keep_all));
    fixture_settle(f);
    CHECK_UINT(answers(50, ALDIS_OK), 1);
    CHECK_UINT(trace_count(), ENDS + 1);
}

static aldis_err ask_the_gone(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(ask(ctx, act->id, 1, ANSWER, second, 0), ALDIS_ESTALE);
    EXPECT_ERR(ask(ctx, aldis_nobody(), 1, ANSWER, second, 0), ALDIS_ENOTFOUND);
    EXPECT_ERR(ask(ctx, aldis_self(ctx), 1, ANSWER, second, 0), ALDIS_EUNACCEPTED);
    EXPECT_ERR(ask(ctx, act->id, 1, ANSWER, second, -1), ALDIS_EINVAL);
    server_ref server = {.id = second};
    const aldis_ask_opts past = {.deadline_ns = aldis_now(ctx) > 0 ? aldis_now(ctx) : 1};
    if (aldis_now(ctx) > 0)
        EXPECT_ERR(aldis_ask(ctx, server, question, on_reply, &past, .what = ANSWER),
                   ALDIS_EEXPIRED);
    EXPECT_UINT(aldis_asks_pending(ctx), 0);
    EXPECT_ERR(aldis_forward(ctx, second), ALDIS_ESTATE);
    aldis_promise promise;
    EXPECT_ERR(aldis_promise_take(ctx, &promise), ALDIS_ESTATE);
    EXPECT_ERR(aldis_promise_error(ctx, (aldis_promise){0}, ALDIS_EFULL), ALDIS_ENOTFOUND);
    EXPECT(aldis_id_is_nobody(aldis_asker(ctx)));
    EXPECT(aldis_deadline(ctx) == ALDIS_FOREVER);
    return ALDIS_OK;
}

TEST_EACH(what_cannot_be_asked_is_refused_at_once)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    second = spawn_server(f, NULL).id;
    CHECK_OK(aldis_stop(f->system, server.id));
    fixture_settle(f);
    fixture_tell(f, asker, ask_the_gone, (struct act){.id = server.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
}

/* ------------------------------------------------------------------ time-outs */

static aldis_err ask_never(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    static const aldis_ns timeouts[] = {3 * ALDIS_MS, ALDIS_MS,     7 * ALDIS_MS,
                                        2 * ALDIS_MS, 5 * ALDIS_MS, 3 * ALDIS_MS};
    for (uint64_t i = 0; i < 6; i++)
        EXPECT_OK(ask(ctx, act->id, i + 1, NEVER, second, timeouts[i]));
    EXPECT_UINT(aldis_asks_pending(ctx), 6);
    self->memory[0] = (uint64_t)aldis_now(ctx);
    trace_add(1, 0, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(a_time_out_comes_at_its_time_and_the_reply_after_it_reaches_nobody)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_never, (struct act){.id = server.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 7);
    static const uint64_t order[] = {2, 4, 1, 6, 5, 3};
    static const aldis_ns after[] = {1, 2, 3, 3, 5, 7};
    aldis_ns asked_ns = trace_at(0).at_ns;
    for (size_t i = 0; i < 6; i++) {
        struct trace_entry entry = trace_at(i + 1);
        CHECK_UINT(entry.tag, order[i]);
        CHECK_UINT(entry.what, 100 + ALDIS_ETIMEDOUT);
        CHECK(entry.at_ns >= asked_ns + after[i] * ALDIS_MS);
        if (f->clock == ALDIS_CLOCK_VIRTUAL)
            CHECK_INT(entry.at_ns, asked_ns + after[i] * ALDIS_MS);
    }
    /* Now it keeps its promises: too late, and to an asker that asks something new. */
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = ANSWER, .b = 20});
    CHECK_OK(aldis_signal(f->system, server, keep_all));
    fixture_settle(f);
    CHECK_UINT(answers(20, ALDIS_OK), 1);
    CHECK_UINT(trace_count(), 8);
    aldis_type_stats counts = fixture_counts(f, "reply");
    /* Live, the first question may have timed out before it was handled. */
    CHECK_UINT(counts.expired + fixture_counts(f, "question").expired, 6);
    CHECK_UINT(counts.handled, 1);
}

/* Virtual time: the server is busy for 10 ms with each; the fourth would come after 30 ms. */
static aldis_err ask_the_busy(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 1; i <= 5; i++)
        EXPECT_OK(ask(ctx, act->id, i, BE_BUSY, second, 25 * ALDIS_MS));
    return ALDIS_OK;
}

TEST_VIRTUAL(an_expired_request_is_not_run)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_the_busy, (struct act){.id = server.id});
    fixture_settle(f);
    /* Handled at 1, 11 and 21 ms after the question; answers arrive 10 and a bit later. */
    CHECK_UINT(trace_count(), 5);
    CHECK_UINT(trace_count_of(100), 2);
    CHECK_UINT(trace_count_of(100 + ALDIS_ETIMEDOUT), 3);
    CHECK_UINT(fixture_counts(f, "question").handled, 3);
    CHECK_UINT(fixture_counts(f, "question").expired, 2);
    CHECK_UINT(fixture_counts(f, "reply").expired, 1);
}

static aldis_err ask_nested(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_OK(ask(ctx, act->id, 1, NESTED, second, 50 * ALDIS_MS));
    self->memory[3] = (uint64_t)(aldis_now(ctx) + 50 * ALDIS_MS);
    return ALDIS_OK;
}

TEST_EACH(a_nested_ask_inherits_the_deadline)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    second = spawn_server(f, NULL).id;
    fixture_tell(f, asker, ask_nested, (struct act){.id = server.id});
    fixture_settle(f);
    /* The continuation in the first server saw the asker's deadline: its answer says so. Live, the
     * machine may have stood still for 50 ms. */
    CHECK_UINT(trace_count(), 1);
    CHECK(answers(1, ALDIS_OK) == 1 || f->clock == ALDIS_CLOCK_LIVE);
}

/* ------------------------------------------------------------------ bounds */

static aldis_err ask_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    uint64_t asked = 0;
    aldis_err err = ALDIS_OK;
    while (asked < act->a && (err = ask(ctx, act->id, asked + 1, (enum what)act->b, second,
                                        ALDIS_FOREVER)) == ALDIS_OK)
        asked++;
    trace_add(1, asked, aldis_now(ctx));
    EXPECT(err == ALDIS_OK || err == ALDIS_EAGAIN);
    return ALDIS_OK;
}

TEST_EACH(the_table_is_bounded_and_its_places_come_back)
{
    fixture_open(f, &(aldis_system_opts){.asks_max = 100});
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    for (int round = 0; round < 3; round++) {
        trace_clear();
        fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 1000, .b = ANSWER});
        fixture_settle(f);
        CHECK_UINT(trace_at(0).tag, 100);
        CHECK_UINT(trace_count_of(100), 100);
    }
}

TEST_EACH(a_full_mailbox_has_room_for_the_answers)
{
    static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST};
    for (size_t p = 0; p < 3; p++) {
        trace_clear();
        fixture_open(f, NULL);
        server_ref server = spawn_server(f, NULL);
        aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = 2, .policy = policies[p]}};
        puppet_ref asker = fixture_spawn(f, NULL, &opts);
        fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 500, .b = ANSWER});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(100), 500);
        CHECK_UINT(trace_count(), 501);
        fixture_close(f);
    }
}

/* Live, on the worker of the server, the ask itself is refused: no answer follows. */
static aldis_err ask_the_full(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_err err = ask(ctx, act->id, 9, ANSWER, second, ALDIS_FOREVER);
    EXPECT(err == ALDIS_OK || err == ALDIS_EFULL);
    if (err == ALDIS_EFULL)
        trace_add(100 + ALDIS_EFULL, 9, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(what_a_full_server_refuses_is_answered_with_the_reason)
{
    static const struct {
        aldis_overflow_policy policy;
        aldis_err err;
    } cases[] = {{ALDIS_REJECT, ALDIS_EFULL}, {ALDIS_DROP_OLDEST, ALDIS_EDROPPED}};
    for (size_t c = 0; c < 2; c++) {
        trace_clear();
        fixture_open(f, NULL);
        aldis_mailbox_opts mailbox = {.capacity_msgs = 4, .policy = cases[c].policy};
        server_ref server = spawn_server(f, &mailbox);
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 3};
        puppet_ref asker = fixture_spawn(f, NULL, &opts);
        CHECK_OK(aldis_pause(f->system, server.id)); /* so that nothing is handled meanwhile */
        fixture_settle(f);
        fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 4, .b = ANSWER});
        fixture_tell(f, asker, ask_the_full, (struct act){.id = server.id});
        CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 20 * ALDIS_MS, NULL));
        CHECK_OK(aldis_resume(f->system, server.id));
        fixture_settle(f);
        uint64_t refused = answers(cases[c].policy == ALDIS_REJECT ? 9 : 1, cases[c].err);
        CHECK_UINT(refused, 1);
        CHECK_UINT(trace_count_of(100), 4);
        fixture_close(f);
    }
}

/* ------------------------------------------------------------------ ends of actors */

TEST_EACH(the_asker_of_a_server_that_ends_hears_of_it)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 20, .b = NEVER});
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, server.id));
    fixture_settle(f);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = ANSWER, .b = 30});
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 5 * ALDIS_MS, NULL));
    CHECK_OK(aldis_kill(f->system, server.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(100 + ALDIS_ENORECEIVER), 20);
    CHECK_UINT(all_answers(30), 1);
    CHECK(answers(30, ALDIS_ESTALE) == 1 || f->clock == ALDIS_CLOCK_LIVE);
}

TEST_EACH(a_reply_to_a_dead_asker_is_a_dead_letter)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 10, .b = NEVER});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, asker.id));
    fixture_settle(f);
    CHECK_OK(aldis_signal(f->system, server, keep_all));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "reply").dead, 10);
    CHECK_UINT(trace_count(), 1);
}

TEST_EACH(a_kept_request_is_answered_when_it_comes_back)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 10, .b = KEEP});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK_OK(aldis_signal(f->system, server, keep_all));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(100), 10);
}

/* ------------------------------------------------------------------ restarts */

TEST_EACH(a_restarted_server_answers_what_it_owed_and_serves_again)
{
    fixture_open(f, NULL);
    server_ref server;
    const aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    CHECK_OK(aldis_spawn(f->system, server, &server, &opts));
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 5, .b = NEVER});
    fixture_settle(f);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = FAIL, .b = 20});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(100 + ALDIS_ENORECEIVER), 5);
    CHECK_UINT(answers(20, ALDIS_EHANDLER), 1);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = ANSWER, .b = 21});
    fixture_settle(f);
    CHECK_UINT(answers(21, ALDIS_OK), 1);
    CHECK_UINT(fixture_counts(f, "question").dead, 1); /* the one that failed */
}

static aldis_err fail_now(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act;
    EXPECT_UINT(aldis_asks_pending(ctx), 5);
    return aldis_fail(ctx, "restart me");
}

static aldis_err has_asked_nothing(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act;
    EXPECT_UINT(aldis_asks_pending(ctx), 0);
    return ALDIS_OK;
}

TEST_EACH(a_restarted_asker_hears_no_answer_of_its_old_state)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    const aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    puppet_ref asker = fixture_spawn(f, NULL, &opts);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 5, .b = NEVER});
    fixture_settle(f);
    fixture_tell(f, asker, fail_now, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_OK(aldis_signal(f->system, server, keep_all));
    fixture_tell(f, asker, has_asked_nothing, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "reply").expired, 5);
    CHECK_UINT(trace_count(), 1);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = ANSWER, .b = 30});
    fixture_settle(f);
    CHECK_UINT(answers(30, ALDIS_OK), 1);
}

static aldis_err ask_and_fail(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(ask(ctx, act->id, act->b, NEVER, second, 5 * ALDIS_MS));
    return aldis_fail(ctx, "restart me");
}

/* The alarm of its old state comes while it is down. */
TEST_EACH(a_restarted_asker_does_not_wait_for_ever)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    const aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    puppet_ref asker = fixture_spawn(f, NULL, &opts);
    fixture_tell(f, asker, ask_and_fail, (struct act){.id = server.id, .b = 40});
    fixture_settle(f);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = NEVER, .b = 41});
    fixture_settle(f);
    CHECK_UINT(all_answers(40), 0);
    CHECK_UINT(answers(41, ALDIS_ETIMEDOUT), 1);
}

/* A system that ends with asks open frees all (the sanitizers look). */
TEST_EACH(a_system_may_end_with_asks_open)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    puppet_ref asker = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, asker, ask_many, (struct act){.id = server.id, .a = 50, .b = NEVER});
    fixture_settle(f);
    fixture_tell(f, asker, ask_one, (struct act){.id = server.id, .a = NEVER, .b = 99});
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, NULL));
}

/* ------------------------------------------------------------------ from outside */

TEST_LIVE(a_thread_calls_and_waits)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    struct reply r = {0};
    CHECK_OK(aldis_call(f->system, server, question, &r, 0, .number = 7, .what = ANSWER));
    CHECK_UINT(r.number, 7);
    CHECK_ERR(aldis_call(f->system, server, question, &r, 0, .what = FAIL), ALDIS_EHANDLER);
    CHECK_ERR(aldis_call(f->system, server, question, &r, 0, .what = FORGET), ALDIS_ENOREPLY);
    CHECK_ERR(aldis_call(f->system, server, question, &r, 0, .what = ERROR), ALDIS_ERATE);
    CHECK_ERR(aldis_call(f->system, server, question, &r, ALDIS_MS, .what = NEVER),
              ALDIS_ETIMEDOUT);
    CHECK_ERR(aldis_call(f->system, server, question, &r, -1, .what = ANSWER), ALDIS_EINVAL);
    CHECK_OK(aldis_signal(f->system, server, keep_all));
    CHECK_OK(aldis_call(f->system, server, question, &r, 0, .number = 8, .what = ANSWER));
    CHECK_UINT(r.number, 8);
    fixture_settle(f);
    /* The late one was a dead letter, or its request had expired unhandled. */
    CHECK_UINT(fixture_counts(f, "reply").dead + fixture_counts(f, "question").expired, 1);
    CHECK_ERR(aldis_call(f->system, server, question, &r, 0, .what = DIE), ALDIS_ENORECEIVER);
    fixture_settle(f);
    CHECK_ERR(aldis_call(f->system, server, question, &r, 0, .what = ANSWER), ALDIS_ESTALE);
}

TEST_VIRTUAL(a_call_needs_somebody_who_runs_the_system)
{
    fixture_open(f, NULL);
    server_ref server = spawn_server(f, NULL);
    struct reply r = {0};
    CHECK_ERR(aldis_call(f->system, server, question, &r, ALDIS_MS, .what = ANSWER),
              ALDIS_ETIMEDOUT);
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "reply").dead, 1);
}

/* ------------------------------------------------------------------ equal runs */

/* Each answer leads to another ask, until 200 were made; times and numbers go into the state. */
static aldis_err go_on(struct puppet *self, const struct act *act, aldis_ctx *ctx);
static aldis_err on_going(struct puppet *self, const aldis_answer *answer,
                          const reply_payload *reply, aldis_ctx *ctx)
{
    self->last = self->last * 31 + (uint64_t)answer->err + (reply ? reply->number : 0) +
                 (uint64_t)aldis_now(ctx);
    self->count++;
    return go_on(self, &(struct act){.id = {self->memory[0]}}, ctx);
}
ALDIS_ON_REPLY(on_going, struct puppet, question);

static aldis_err go_on(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const enum what mix[] = {ANSWER, FAIL, PROMISE, FORGET, BE_BUSY, ERROR, ANSWER, NEVER};
    self->memory[0] = act->id.bits;
    if (self->memory[1]++ >= 40)
        return ALDIS_OK;
    server_ref server = {.id = act->id};
    enum what what = mix[aldis_random_below(ctx, 8)];
    aldis_ns timeout_ns = (aldis_ns)(1 + aldis_random_below(ctx, 40)) * ALDIS_MS / 3;
    EXPECT_OK(aldis_ask(ctx, server, question, on_going, aldis_ask_with(.timeout_ns = timeout_ns),
                        .number = self->memory[1], .what = what));
    return ALDIS_OK;
}

TEST(equal_runs_on_any_workers)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        fixture_open(&f, NULL);
        server_ref servers[8];
        for (int i = 0; i < 8; i++)
            servers[i] = spawn_server(&f, NULL);
        for (int i = 0; i < 40; i++)
            fixture_tell(&f, fixture_spawn(&f, NULL, NULL), go_on,
                         (struct act){.id = servers[i % 8].id});
        fixture_settle(&f);
        CHECK_UINT(fixture_counts(&f, "question").sent, 1600);
        uint64_t found = aldis_system_run_print(f.system);
        if (workers == 1)
            print = found;
        CHECK_UINT(found, print);
        fixture_close(&f);
    }
}
