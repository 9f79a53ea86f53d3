// SPDX-License-Identifier: Apache-2.0
/* credit_test.c: a sender never has more under way than it was granted; each credit comes back,
 * whatever becomes of its message, its sender or its receiver; nobody who waits for credit is
 * forgotten. Under both clocks; the fixture checks the audit. */
#include "core/fixture.h"

#include <stdlib.h>

enum { HANDLED = 1, TOLD = 2, WINDOW = 4, OUTBOX = 6 };

/* Live, a system comes to rest only after the refresh that finds nothing more to tell. */
#define SOON_NS (20 * ALDIS_MS)

/* What a receiver or a sender shares with the test. */
struct receiver {
    aldis_credit_terms terms;
    aldis_credit_books books;
    uint64_t handled;
};

struct sender {
    aldis_credit_opts opts;
    puppet_ref to;
    aldis_credit_stats stats;
    aldis_credit_notice last;
    uint64_t notices, ends, refusals;
    aldis_err refused_with;
    uint64_t next, upto; /* numbers still to be sent */
};

/* ------------------------------------------------------------------ receivers */

static aldis_err receiver_start(struct puppet *self, aldis_ctx *ctx)
{
    struct receiver *receiver = self->script.user;
    if (receiver && receiver->terms.refresh_ns == 0)
        receiver->terms.refresh_ns = SOON_NS;
    return receiver ? aldis_credit_accept(ctx, &receiver->terms) : ALDIS_OK;
}

static aldis_err note_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    struct receiver *receiver = self->script.user;
    if (receiver)
        receiver->handled++;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static void check_books(const aldis_credit_books *books)
{
    CHECK_UINT(books->granted,
               books->returned + books->lost + books->taken_back + books->outstanding);
}

static aldis_err look_at_books(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct receiver *receiver = self->script.user;
    EXPECT_OK(aldis_credit_get_books(ctx, act->id, &receiver->books));
    return ALDIS_OK;
}

static aldis_credit_books books_of(struct fixture *f, puppet_ref to, struct receiver *receiver,
                                   aldis_id sender)
{
    fixture_tell(f, to, look_at_books, (struct act){.id = sender});
    fixture_settle(f);
    check_books(&receiver->books);
    return receiver->books;
}

static puppet_ref spawn_receiver(struct fixture *f, const struct script *given,
                                 struct receiver *receiver, const aldis_spawn_opts *given_opts)
{
    struct script script = given ? *given : (struct script){0};
    aldis_spawn_opts opts = given_opts ? *given_opts : (aldis_spawn_opts){0};
    script.user = receiver;
    script.start = receiver_start;
    if (!script.num)
        script.num = note_num;
    opts.placement = ALDIS_PLACE_SHARD;
    opts.shard = 6;
    puppet_ref to = fixture_spawn(f, &script, &opts);
    fixture_settle(f);
    return to;
}

/* ------------------------------------------------------------------ senders */

static aldis_err sender_start(struct puppet *self, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    if (sender->opts.refresh_ns == 0)
        sender->opts.refresh_ns = SOON_NS;
    return aldis_credit_open(ctx, sender->to.id, &sender->opts);
}

static void sender_refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)ctx;
    struct sender *sender = self->script.user;
    sender->refusals += notice->count;
    sender->refused_with = notice->reason;
}

static aldis_err sender_told(struct puppet *self, const aldis_credit_notice *notice, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    sender->last = *notice;
    if (notice->result == ALDIS_OK)
        sender->notices++;
    else
        sender->ends++;
    trace_add(TOLD, notice->available, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script sender_script = {
    .start = sender_start, .undelivered = sender_refused, .credit = sender_told};

static puppet_ref spawn_sender_at(struct fixture *f, struct sender *sender, uint32_t shard)
{
    struct script script = sender_script;
    script.user = sender;
    puppet_ref from = fixture_spawn(
        f, &script, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
    fixture_settle(f);
    return from;
}

static puppet_ref spawn_sender(struct fixture *f, struct sender *sender)
{
    return spawn_sender_at(f, sender, 1);
}

/* a: how many; all must return b. */
static aldis_err try_sends(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    for (uint64_t i = 0; i < act->a; i++) {
        EXPECT_ERR(aldis_credit_try_send(ctx, sender->to, num, sender->next), (aldis_err)act->b);
        sender->next += act->b == ALDIS_OK;
    }
    return ALDIS_OK;
}

static aldis_err sends(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    for (uint64_t i = 0; i < act->a; i++) {
        EXPECT_ERR(aldis_credit_send(ctx, sender->to, num, sender->next), (aldis_err)act->b);
        sender->next += act->b == ALDIS_OK;
    }
    return ALDIS_OK;
}

static aldis_err look(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct sender *sender = self->script.user;
    EXPECT_OK(aldis_credit_get_stats(ctx, sender->to.id, &sender->stats));
    return ALDIS_OK;
}

static aldis_credit_stats stats_of(struct fixture *f, puppet_ref from, struct sender *sender)
{
    fixture_tell(f, from, look, (struct act){0});
    fixture_settle(f);
    const aldis_credit_stats *stats = &sender->stats;
    CHECK_UINT(stats->submitted,
               stats->sent + stats->refused + stats->expired + stats->discarded + stats->waiting);
    CHECK_UINT(stats->available, stats->granted - stats->sent);
    return *stats;
}

static void command(struct fixture *f, aldis_id actor, aldis_command what)
{
    CHECK_OK(aldis_system_command(f->system, actor, what, 0));
    fixture_settle(f);
}

/* A receiver with a window of WINDOW and one sender, which is settled: it holds its credit. */
static struct receiver receiver;
static struct sender sender;

static puppet_ref open_pair(struct fixture *f, aldis_credit_terms terms, aldis_credit_opts opts,
                            puppet_ref *out_from)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = terms};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    sender = (struct sender){.opts = opts, .to = to};
    *out_from = spawn_sender(f, &sender);
    return to;
}

/* ------------------------------------------------------------------ credit and what it limits */

TEST_EACH(no_more_is_under_way_than_was_granted)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                                    (aldis_credit_opts){.context = 77}, &from);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, try_sends, (struct act){.a = WINDOW});
    fixture_tell(f, from, try_sends, (struct act){.a = 2, .b = ALDIS_EAGAIN});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, to.id).depth_msgs, WINDOW);
    aldis_credit_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.available, 0);
    CHECK_UINT(stats.refused, 2);
    CHECK_UINT(sender.notices, 0);
    command(f, to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(sender.notices, 1); /* one for all that was refused */
    CHECK_UINT(sender.last.context, 77);
    CHECK(aldis_id_equal(sender.last.to, to.id));
    CHECK(sender.last.available > 0);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.sent, WINDOW);
    CHECK_UINT(stats.available, WINDOW);
    aldis_credit_books books = books_of(f, to, &receiver, from.id);
    CHECK_UINT(books.outstanding, WINDOW);
    CHECK_UINT(books.returned, WINDOW);
    CHECK_UINT(books.hungry, 0);
}

TEST_EACH(the_outbox_is_bounded_and_sent_in_order)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                                    (aldis_credit_opts){.outbox_msgs = OUTBOX}, &from);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = WINDOW + OUTBOX});
    fixture_tell(f, from, sends, (struct act){.a = 1, .b = ALDIS_EFULL});
    fixture_tell(f, from, try_sends, (struct act){.a = 1, .b = ALDIS_EAGAIN});
    fixture_settle(f);
    aldis_credit_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.sent, WINDOW);
    CHECK_UINT(stats.waiting, OUTBOX);
    CHECK_UINT(stats.waiting_bytes, OUTBOX * sizeof(uint64_t));
    CHECK_UINT(fixture_status(f, to.id).depth_msgs, WINDOW);
    command(f, to.id, ALDIS_CMD_RESUME);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.waiting, 0);
    CHECK_UINT(stats.waiting_peak, OUTBOX);
    CHECK_UINT(stats.sent, WINDOW + OUTBOX);
    CHECK(sender.notices >= 1); /* of room, or of credit */
    CHECK(sender.last.room >= OUTBOX / 2);
    for (uint64_t i = 0; i < WINDOW + OUTBOX; i++)
        CHECK(trace_find(HANDLED, i) < trace_find(HANDLED, i + 1));
}

/* Sends what it can, and goes on when it is told to. */
static aldis_err go_on(struct puppet *self, const aldis_credit_notice *notice, aldis_ctx *ctx)
{
    struct sender *mine = self->script.user;
    if (notice) {
        mine->notices++;
        EXPECT_UINT(notice->result, ALDIS_OK);
    }
    while (mine->next < mine->upto &&
           aldis_credit_try_send(ctx, mine->to, num, mine->next) == ALDIS_OK)
        mine->next++;
    return ALDIS_OK;
}

static aldis_err begin(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *mine = self->script.user;
    mine->upto = act->a;
    return go_on(self, NULL, ctx);
}

/* Before its first credit, and each time again. */
TEST_EACH(who_was_told_to_try_again_is_told_when)
{
    enum { MANY = 500 };
    static struct sender mine;
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 3}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    mine = (struct sender){.to = to};
    puppet_ref from =
        fixture_spawn(f, &(struct script){.user = &mine, .start = sender_start, .credit = go_on},
                      &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 2});
    fixture_tell(f, from, begin, (struct act){.a = MANY});
    fixture_settle(f);
    CHECK_UINT(mine.next, MANY);
    CHECK_UINT(receiver.handled, MANY);
    CHECK(mine.notices >= MANY / 3);
    CHECK_UINT(books_of(f, to, &receiver, aldis_nobody()).returned, MANY);
}

/* ------------------------------------------------------------------ every way a message ends */

static aldis_err refuse_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    if (value % 2)
        return aldis_fail(ctx, "an odd one");
    return aldis_reject(ctx, ALDIS_EREFUSED);
}

TEST_EACH(credit_comes_back_from_handlers_that_fail_or_refuse)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW}};
    puppet_ref to = spawn_receiver(f, &(struct script){.num = refuse_num}, &receiver, NULL);
    sender = (struct sender){.to = to};
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, sends, (struct act){.a = 20});
    fixture_settle(f);
    CHECK_UINT(stats_of(f, from, &sender).sent, 20);
    aldis_credit_books books = books_of(f, to, &receiver, from.id);
    CHECK_UINT(books.returned, 20);
    CHECK_UINT(sender.refusals, 10);
    CHECK_UINT(books.outstanding, stats_of(f, from, &sender).available);
}

/* Plain messages push granted ones out of a mailbox that drops the oldest. */
TEST_EACH(credit_comes_back_from_a_mailbox_that_drops)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW}};
    aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = WINDOW, .policy = ALDIS_DROP_OLDEST}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, &opts);
    sender = (struct sender){.to = to};
    puppet_ref from = spawn_sender(f, &sender);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, try_sends, (struct act){.a = WINDOW});
    fixture_settle(f);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(aldis_send(f->system, to, num, 100 + i));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dropped, 3);
    command(f, to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(books_of(f, to, &receiver, from.id).returned, WINDOW);
    CHECK_UINT(stats_of(f, from, &sender).available, WINDOW);
    CHECK_UINT(sender.refusals, 3);
}

TEST_VIRTUAL(what_waits_too_long_expires_here_and_there)
{
    puppet_ref from,
        to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                       (aldis_credit_opts){.outbox_msgs = OUTBOX, .expiry_ns = 50 * ALDIS_MS},
                       &from);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = WINDOW + OUTBOX});
    fixture_settle(f);
    CHECK_UINT(stats_of(f, from, &sender).expired, OUTBOX);
    CHECK_UINT(sender.refusals, OUTBOX);
    CHECK_ERR(sender.refused_with, ALDIS_EEXPIRED);
    command(f, to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(fixture_counts(f, "num").expired, WINDOW + OUTBOX);
    CHECK_UINT(fixture_counts(f, "num").handled, 0);
    CHECK_UINT(books_of(f, to, &receiver, from.id).returned, WINDOW);
    fixture_tell(f, from, try_sends, (struct act){.a = WINDOW});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, WINDOW);
}

/* ------------------------------------------------------------------ receivers that end */

TEST_EACH(a_receiver_that_dies_ends_its_streams)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                                    (aldis_credit_opts){.outbox_msgs = OUTBOX}, &from);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = WINDOW + OUTBOX});
    fixture_settle(f);
    command(f, to.id, ALDIS_CMD_KILL);
    CHECK_UINT(sender.ends, 1);
    CHECK_ERR((aldis_err)sender.last.result, ALDIS_ESTALE);
    CHECK_UINT(sender.last.discarded, OUTBOX);
    CHECK_UINT(fixture_counts(f, "num").dead, WINDOW + OUTBOX);
    fixture_tell(f, from, try_sends, (struct act){.a = 1, .b = ALDIS_ESTALE});
    fixture_tell(f, from, sends, (struct act){.a = 1, .b = ALDIS_ESTALE});
    fixture_settle(f);
    aldis_credit_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.discarded, OUTBOX);
    CHECK_ERR(stats.result, ALDIS_ESTALE);
    CHECK_UINT(stats.available, 0);
    CHECK_UINT(sender.ends, 1);
}

/* What was granted is handled; nothing more is granted. */
TEST_EACH(a_receiver_that_drains_handles_what_it_has_granted)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                                    (aldis_credit_opts){.outbox_msgs = OUTBOX}, &from);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = WINDOW + OUTBOX});
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, to.id, ALDIS_FOREVER));
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
    CHECK_UINT(receiver.handled, WINDOW);
    CHECK_UINT(sender.ends, 1);
    CHECK_UINT(fixture_counts(f, "num").dead, OUTBOX);
}

static aldis_err refuse_stream(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_credit_refuse(ctx, act->id), (aldis_err)act->b);
    return ALDIS_OK;
}

TEST_EACH(streams_that_are_refused_say_so)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW, .streams_max = 1},
                                    (aldis_credit_opts){.outbox_msgs = OUTBOX}, &from);
    static struct sender second, third;
    second = (struct sender){.to = to};
    (void)spawn_sender_at(f, &second, 3);
    CHECK_UINT(second.ends, 1);
    CHECK_ERR((aldis_err)second.last.result, ALDIS_EFULL);
    puppet_ref deaf = fixture_spawn(f, &(struct script){0}, NULL); /* grants nothing to anybody */
    third = (struct sender){.to = deaf};
    (void)spawn_sender_at(f, &third, 3);
    CHECK_ERR((aldis_err)third.last.result, ALDIS_EREFUSED);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = WINDOW + OUTBOX});
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_tell(f, to, refuse_stream, (struct act){.id = from.id});
    fixture_tell(f, to, refuse_stream, (struct act){.id = from.id, .b = ALDIS_ENOTFOUND});
    fixture_settle(f);
    CHECK_UINT(sender.ends, 1);
    CHECK_ERR((aldis_err)sender.last.result, ALDIS_EREFUSED);
    aldis_credit_books books = books_of(f, to, &receiver, aldis_nobody());
    CHECK_UINT(books.streams + books.closing, 0);
    CHECK_UINT(books.outstanding, 0);
    CHECK_UINT(receiver.handled + sender.last.discarded, WINDOW + OUTBOX);
}

/* ------------------------------------------------------------------ restarts and ends */

static aldis_err fail_at_five(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)note_num(self, value, ctx);
    return value % 5 == 4 ? aldis_fail(ctx, "every fifth") : ALDIS_OK;
}

TEST_EACH(a_stream_outlives_a_restart_of_its_receiver)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW}};
    aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    puppet_ref to = spawn_receiver(f, &(struct script){.num = fail_at_five}, &receiver, &opts);
    sender = (struct sender){.to = to};
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, sends, (struct act){.a = 22});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, 22);
    CHECK_UINT(fixture_status(f, to.id).restarts, 4);
    CHECK_UINT(sender.ends, 0);
    aldis_credit_books books = books_of(f, to, &receiver, from.id);
    CHECK_UINT(books.returned, 22);
    CHECK_UINT(books.outstanding, WINDOW);
    CHECK_UINT(stats_of(f, from, &sender).available, WINDOW);
}

static aldis_err fail(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act;
    return aldis_fail(ctx, "asked to");
}

TEST_EACH(the_credit_of_a_sender_that_restarts_or_ends_returns)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 8, .total = 8}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    sender = (struct sender){.to = to};
    struct script script = sender_script;
    script.user = &sender;
    puppet_ref from =
        fixture_spawn(f, &script,
                      &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                          .shard = 1,
                                          .restart = {.mode = ALDIS_RESTART_ON_FAILURE}});
    fixture_settle(f);
    command(f, to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, sends, (struct act){.a = 8 + 5});
    fixture_tell(f, from, fail, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dead, 5);
    fixture_tell(f, from, sends, (struct act){.a = 3}); /* over its new stream */
    fixture_settle(f);
    command(f, to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(receiver.handled, 8 + 3);
    aldis_credit_books books = books_of(f, to, &receiver, aldis_nobody());
    CHECK_UINT(books.streams, 1);
    CHECK_UINT(books.closing, 0);
    CHECK_UINT(books.outstanding, stats_of(f, from, &sender).available);
    command(f, from.id, ALDIS_CMD_STOP);
    books = books_of(f, to, &receiver, aldis_nobody());
    CHECK_UINT(books.streams + books.closing, 0);
    CHECK_UINT(books.outstanding, 0);
    static struct sender next;
    next = (struct sender){.to = to};
    puppet_ref other = spawn_sender_at(f, &next, 3);
    CHECK_UINT(stats_of(f, other, &next).available, 8);
}

static aldis_err close_and_open(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct sender *mine = self->script.user;
    EXPECT_ERR(aldis_credit_open(ctx, mine->to.id, NULL), ALDIS_EEXISTS);
    EXPECT_OK(aldis_credit_close(ctx, mine->to.id));
    EXPECT_ERR(aldis_credit_close(ctx, mine->to.id), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_credit_try_send(ctx, mine->to, num, 1), ALDIS_ENOTFOUND);
    EXPECT_OK(aldis_credit_open(ctx, mine->to.id, &mine->opts));
    EXPECT_OK(aldis_credit_send(ctx, mine->to, num, mine->next++));
    return ALDIS_OK;
}

TEST_EACH(a_stream_is_closed_and_opened_again)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW},
                                    (aldis_credit_opts){.outbox_msgs = OUTBOX}, &from);
    for (int i = 0; i < 3; i++) {
        fixture_tell(f, from, sends, (struct act){.a = WINDOW + 1});
        fixture_tell(f, from, close_and_open, (struct act){0});
    }
    fixture_settle(f);
    aldis_credit_books books = books_of(f, to, &receiver, aldis_nobody());
    CHECK_UINT(books.streams, 1);
    CHECK_UINT(books.closing, 0);
    CHECK_UINT(books.outstanding, WINDOW);
    CHECK_UINT(receiver.handled + fixture_counts(f, "num").dead, 3 * (WINDOW + 2));
    CHECK_UINT(sender.ends, 0); /* its own doing */
}

/* ------------------------------------------------------------------ durable receivers */

struct saved {
    uint64_t good; /* durable: evens handled */
    aldis_credit_books books;
};

static uint64_t good_at_start;

static aldis_err saved_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    good_at_start = ((struct saved *)state)->good;
    return aldis_credit_accept(ctx, NULL);
}

static aldis_err saved_on_num(struct saved *self, const uint64_t *value, aldis_ctx *ctx)
{
    self->good++;
    return *value % 2 ? aldis_fail(ctx, "odd") : ALDIS_OK;
}

static aldis_err saved_on_act(struct saved *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act, (void)ctx;
    return ALDIS_OK;
}

ALDIS_PROTOCOL(saved, PLAIN_PROTOCOL);
ALDIS_BEHAVIOUR(saved, struct saved, PLAIN_PROTOCOL, .on_start = saved_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE},
                .durable = ALDIS_DURABLE(struct saved, good));

/* A report that comes while the receiver waits for its restart saves nothing of the failed state:
 * what the failed handler did to it is undone. */
TEST_VIRTUAL(control_posts_save_no_failed_state)
{
    fixture_open(f, NULL);
    saved_ref to;
    CHECK_OK(aldis_spawn(f->system, saved, &to, NULL));
    fixture_settle(f);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(aldis_send(f->system, to, num, 2 * i));
    CHECK_OK(aldis_send(f->system, to, num, 7)); /* fails; restarted 10 ms later, or less */
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 3 * ALDIS_MS, NULL));
    sender = (struct sender){.to = {.id = to.id}};
    (void)fixture_spawn(f, &(struct script){.user = &sender, .start = sender_start}, NULL);
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, to.id).restarts, 1);
    CHECK_UINT(good_at_start, 3);
}

/* ------------------------------------------------------------------ manual grants */

static aldis_err grant(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_credit_grant(ctx, act->id, (uint32_t)act->a), (aldis_err)act->b);
    return ALDIS_OK;
}

TEST_EACH(with_manual_terms_credit_comes_back_when_it_is_granted)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW, .manual = true}};
    aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, &opts);
    sender = (struct sender){.to = to};
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, try_sends, (struct act){.a = WINDOW});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, WINDOW);
    aldis_credit_books books = books_of(f, to, &receiver, from.id);
    CHECK_UINT(books.owed, WINDOW);
    CHECK_UINT(books.returned, 0);
    fixture_tell(f, from, try_sends, (struct act){.a = 1, .b = ALDIS_EAGAIN});
    fixture_settle(f);
    fixture_tell(f, to, grant, (struct act){.id = from.id, .a = WINDOW + 1, .b = ALDIS_EINVAL});
    fixture_tell(f, to, grant, (struct act){.id = from.id, .a = 0, .b = ALDIS_EINVAL});
    fixture_tell(f, to, grant, (struct act){.id = to.id, .a = 1, .b = ALDIS_EINVAL});
    fixture_tell(f, to, grant, (struct act){.id = from.id, .a = 3});
    fixture_settle(f);
    CHECK_UINT(sender.notices, 1);
    fixture_tell(f, from, try_sends, (struct act){.a = 3});
    fixture_settle(f);
    CHECK_UINT(books_of(f, to, &receiver, from.id).owed, WINDOW);
    fixture_tell(f, to, fail, (struct act){0}); /* who will have forgotten what it owes */
    fixture_settle(f);
    books = books_of(f, to, &receiver, from.id);
    CHECK_UINT(books.owed, 0);
    CHECK_UINT(books.returned, WINDOW + 3);
    CHECK_UINT(stats_of(f, from, &sender).available, WINDOW);
}

/* ------------------------------------------------------------------ other terms */

static aldis_err accept_again(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_credit_accept(
        ctx, &(aldis_credit_terms){.window = (uint32_t)act->a, .total = (uint32_t)act->b}));
    return ALDIS_OK;
}

TEST_EACH(a_stream_keeps_its_window_when_the_terms_change)
{
    puppet_ref from, to = open_pair(f, (aldis_credit_terms){.window = WINDOW, .total = 64},
                                    (aldis_credit_opts){0}, &from);
    fixture_tell(f, to, accept_again, (struct act){.a = 64, .b = 64});
    fixture_settle(f);
    for (uint64_t round = 1; round <= 4; round++) {
        fixture_tell(f, from, try_sends, (struct act){.a = WINDOW});
        fixture_settle(f);
        CHECK_UINT(stats_of(f, from, &sender).available, WINDOW);
        CHECK_UINT(books_of(f, to, &receiver, from.id).outstanding, WINDOW);
        CHECK_UINT(receiver.handled, round * WINDOW);
    }
}

/* ------------------------------------------------------------------ shares */

enum { SENDERS = 20 };
static struct sender senders[SENDERS];
static puppet_ref froms[SENDERS];

static void spawn_senders(struct fixture *f, puppet_ref to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        senders[i] = (struct sender){.to = to, .next = 1000 * i};
        froms[i] = spawn_sender_at(f, &senders[i], i % 6);
    }
}

TEST_EACH(all_credits_together_are_no_more_than_the_total)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 8, .total = 12}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    spawn_senders(f, to, 4);
    command(f, to.id, ALDIS_CMD_PAUSE);
    for (uint32_t i = 0; i < 4; i++)
        fixture_tell(f, froms[i], sends, (struct act){.a = 30});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, to.id).depth_msgs, 12);
    command(f, to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(books_of(f, to, &receiver, aldis_nobody()).share, 3);
    CHECK_UINT(receiver.handled, 4 * 30);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_UINT(stats_of(f, froms[i], &senders[i]).sent, 30);
    aldis_credit_books books = books_of(f, to, &receiver, aldis_nobody());
    CHECK(books.outstanding <= 12);
    CHECK_UINT(books.hungry, 0);
}

/* The first two hold all credit and have nothing to say. */
TEST_EACH(what_is_not_used_is_taken_back_for_who_wants_it)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 8, .total = 16}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    spawn_senders(f, to, 2);
    CHECK_UINT(books_of(f, to, &receiver, aldis_nobody()).outstanding, 16);
    senders[2] = (struct sender){.to = to};
    froms[2] = spawn_sender_at(f, &senders[2], 3);
    CHECK_UINT(stats_of(f, froms[2], &senders[2]).available, 0);
    fixture_tell(f, froms[2], sends, (struct act){.a = 50});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, 50);
    aldis_credit_books books = books_of(f, to, &receiver, aldis_nobody());
    CHECK(books.taken_back > 0);
    uint64_t available = 0;
    for (uint32_t i = 0; i < 3; i++)
        available += stats_of(f, froms[i], &senders[i]).available;
    CHECK_UINT(books.outstanding, available);
}

TEST_EACH(more_senders_than_credits_all_come_to_their_turn)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 2, .total = 3}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    spawn_senders(f, to, SENDERS);
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < SENDERS; i++)
            fixture_tell(f, froms[i], sends, (struct act){.a = 3});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, 3 * 3 * SENDERS);
    CHECK(books_of(f, to, &receiver, aldis_nobody()).outstanding <= 3);
}

/* ------------------------------------------------------------------ slow receivers */

static aldis_err be_slow(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)note_num(self, value, ctx);
    return aldis_busy(ctx, ALDIS_SECOND);
}

/* Credit bounds what waits already, and a stream's messages are not shed. */
TEST_VIRTUAL(what_has_credit_is_not_shed)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = 64}};
    puppet_ref to =
        spawn_receiver(f, &(struct script){.num = be_slow}, &receiver,
                       &(aldis_spawn_opts){.mailbox = {.shed_target_ns = ALDIS_SECOND,
                                                       .shed_interval_ns = ALDIS_SECOND}});
    sender = (struct sender){.to = to};
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, sends, (struct act){.a = 60});
    fixture_settle(f);
    CHECK_UINT(receiver.handled, 60);
    CHECK_UINT(fixture_status(f, to.id).shed_msgs, 0);
}

static struct sender to_slow, to_fast;

/* Each 10 ms one to the slow and one to the fast receiver. */
static aldis_err feed_both(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    if (self->count == 0) {
        EXPECT_OK(aldis_credit_open(ctx, to_slow.to.id, &to_slow.opts));
        EXPECT_OK(aldis_credit_open(ctx, to_fast.to.id, NULL));
    }
    if (self->count == act->a)
        return ALDIS_OK;
    aldis_err err = aldis_credit_send(ctx, to_slow.to, num, self->count);
    EXPECT(err == ALDIS_OK || err == ALDIS_EFULL);
    to_slow.refusals += err == ALDIS_EFULL;
    EXPECT_OK(aldis_credit_send(ctx, to_fast.to, num, self->count));
    self->count++;
    EXPECT_OK(aldis_send_after(ctx, 10 * ALDIS_MS, me, act, .run = feed_both, .a = act->a));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_slow_receiver_slows_nobody_else)
{
    enum { MANY = 1000 };
    static struct receiver fast;
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW}};
    fast = (struct receiver){.terms = {.window = WINDOW}};
    /* A mailbox of one place: a plain send to it would park the sender. */
    aldis_spawn_opts tight = {.mailbox = {.capacity_msgs = 1}};
    puppet_ref slow = spawn_receiver(f, &(struct script){.num = be_slow}, &receiver, &tight);
    to_slow = (struct sender){.to = slow, .opts = {.outbox_msgs = OUTBOX}};
    to_fast = (struct sender){.to = spawn_receiver(f, NULL, &fast, NULL)};
    puppet_ref from = fixture_spawn(f, &(struct script){.user = &to_slow}, NULL);
    fixture_tell(f, from, feed_both, (struct act){.a = MANY});
    CHECK_OK(aldis_system_run(f->system, MANY * 10 * ALDIS_MS + ALDIS_SECOND / 2, NULL));
    CHECK_UINT(fast.handled, MANY);
    CHECK(receiver.handled <= 12); /* one each second */
    CHECK_UINT(to_slow.refusals, MANY - receiver.handled - WINDOW - OUTBOX + 1);
    aldis_status status = fixture_status(f, slow.id);
    CHECK(status.depth_msgs <= WINDOW);
    fixture_settle(f);
    CHECK_UINT(receiver.handled + to_slow.refusals, MANY);
}

/* ------------------------------------------------------------------ links with faults */

static const aldis_fault_rule bad_links[] = {
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
    {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
    {.kind = ALDIS_FAULT_DELAY, .chance = 0.2, .max_ns = 20 * ALDIS_MS},
};

TEST_VIRTUAL(no_credit_leaks_on_a_link_that_loses_and_doubles)
{
    enum { MANY = 3000 };
    fixture_open(f, NULL);
    const aldis_credit_terms terms = {
        .window = 16, .refresh_ns = 100 * ALDIS_MS, .lost_after_ns = 100 * ALDIS_MS};
    receiver = (struct receiver){.terms = terms};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    aldis_fault_plan plan = {.seed = 5, .rules = bad_links, .rule_count = 3};
    CHECK_OK(aldis_system_inject(f->system, &plan));
    sender = (struct sender){.to = to, .opts = {.outbox_msgs = MANY, .refresh_ns = 100 * ALDIS_MS}};
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, sends, (struct act){.a = MANY});
    fixture_settle(f); /* all of it goes, in spite of all */
    aldis_credit_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.sent, MANY);
    CHECK_UINT(stats.waiting, 0);
    aldis_credit_books books = books_of(f, to, &receiver, from.id);
    CHECK(books.lost > MANY / 8 && books.lost < MANY / 4);
    CHECK(books_of(f, to, &receiver, aldis_nobody()).duplicates > MANY / 10);
    CHECK_UINT(receiver.handled, stats.sent - books.lost); /* nothing twice */
    CHECK_OK(aldis_system_inject(f->system, NULL));
    fixture_tell(f, from, sends, (struct act){.a = 50}); /* and all credit is there yet */
    fixture_settle(f);
    books = books_of(f, to, &receiver, from.id);
    CHECK(books.outstanding > 16 - 16 / 4); /* what is less than a batch is not told */
    CHECK_UINT(stats_of(f, from, &sender).available, books.outstanding);
}

/* ------------------------------------------------------------------ what makes no sense */

static aldis_err ask_for_nonsense(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    static const aldis_credit_terms terms[] = {
        {.window = 65537},     {.total = (1u << 24) + 1}, {.streams_max = (1u << 20) + 1},
        {.refresh_ns = -1},    {.lost_after_ns = -1},     {.window = 5, .total = 4},
        {.refresh_ns = 1},     {.refresh_ns = 999},       {.lasting = true},
        {.lost_after_ns = 999}};
    static const aldis_credit_opts opts[] = {{.outbox_msgs = (1u << 20) + 1},
                                             {.outbox_bytes = UINT32_MAX},
                                             {.lane = ALDIS_LANE_CONTROL},
                                             {.expiry_ns = -1},
                                             {.refresh_ns = -1},
                                             {.refresh_ns = 999}};
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        EXPECT_ERR(aldis_credit_accept(ctx, &terms[i]), ALDIS_EINVAL);
    EXPECT(strstr(aldis_error_last()->text, "lost_after_ns is 999; allowed: 1000") != NULL);
    for (size_t i = 0; i < sizeof opts / sizeof opts[0]; i++)
        EXPECT_ERR(aldis_credit_open(ctx, act->id, &opts[i]), ALDIS_EINVAL);
    const aldis_id nowhere = {0x7777};
    aldis_credit_stats stats;
    aldis_credit_books books;
    EXPECT_ERR(aldis_credit_open(ctx, nowhere, NULL), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_credit_open(ctx, aldis_self(ctx), NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_credit_get_stats(ctx, act->id, &stats), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_credit_get_books(ctx, aldis_nobody(), &books), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_credit_refuse(ctx, act->id), ALDIS_ENOTFOUND);
    EXPECT_OK(aldis_credit_open(ctx, act->id, NULL));
    uint32_t value = 7;
    EXPECT_ERR(aldis_credit_try_send_raw(ctx, act->id, &odd_type, &value, sizeof value),
               ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_credit_send_raw(ctx, act->id, &num_type, &value, sizeof value), ALDIS_EINVAL);
    EXPECT_ERR(aldis_credit_send_raw(ctx, act->id, NULL, &value, sizeof value), ALDIS_EINVAL);
    return ALDIS_OK;
}

static aldis_err open_without_ears(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_credit_open(ctx, act->id, NULL), ALDIS_EUNACCEPTED);
    return ALDIS_OK;
}

TEST_EACH(what_makes_no_sense_is_refused)
{
    fixture_open(f, NULL);
    receiver = (struct receiver){.terms = {.window = WINDOW}};
    puppet_ref to = spawn_receiver(f, NULL, &receiver, NULL);
    puppet_ref any = fixture_spawn(f, &(struct script){0}, NULL);
    fixture_tell(f, any, ask_for_nonsense, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_ERR(aldis_credit_open(NULL, to.id, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_credit_accept(NULL, NULL), ALDIS_EINVAL);
    plain_ref ears;
    CHECK_OK(aldis_spawn(f->system, plain, &ears, NULL));
    CHECK_OK(aldis_send(f->system, ears, act, .run = open_without_ears, .id = to.id));
    fixture_settle(f);
}
