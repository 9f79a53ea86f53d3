// SPDX-License-Identifier: Apache-2.0
/* credit_edge_test.c: credit streams at their edges: an outbox that is too small for its messages,
 * and a sender that ends where its last words are lost. */
#include "core/fixture.h"

/* ------------------------------------------------------------------ two ends */

static aldis_credit_books books;
static aldis_credit_stats stats;

static aldis_err accept_one(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    return aldis_credit_accept(
        ctx, &(aldis_credit_terms){.window = 1, .total = 1, .streams_max = 1, .manual = true});
}

static aldis_err look_at_books(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act;
    EXPECT_OK(aldis_credit_get_books(ctx, aldis_nobody(), &books));
    return ALDIS_OK;
}

static aldis_err open_stream(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_credit_open(ctx, act->id, &(aldis_credit_opts){.outbox_bytes = 100}));
    return ALDIS_OK;
}

static aldis_err look_at_stats(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_credit_get_stats(ctx, act->id, &stats));
    return ALDIS_OK;
}

static puppet_ref open_from(struct fixture *f, puppet_ref to)
{
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, open_stream, (struct act){.id = to.id});
    fixture_settle(f);
    fixture_tell(f, from, look_at_stats, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_UINT(stats.available, 1);
    return from;
}

/* ------------------------------------------------------------------ the edges */

/* What nobody could repeat is not lost: the only place for a stream is free again. */
TEST_VIRTUAL(the_end_of_a_sender_is_told_over_a_link_that_loses_all)
{
    static const aldis_fault_rule all[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 1}};
    const aldis_fault_plan plan = {.seed = 1, .rules = all, .rule_count = 1};
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.start = accept_one}, NULL);
    fixture_settle(f);
    puppet_ref from = open_from(f, to);
    CHECK_OK(aldis_system_inject(f->system, &plan));
    CHECK_OK(aldis_stop(f->system, from.id));
    fixture_settle(f);
    CHECK_OK(aldis_system_inject(f->system, NULL));
    fixture_tell(f, to, look_at_books, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(books.streams + books.closing, 0);
    CHECK_UINT(books.outstanding, 0);
    (void)open_from(f, to);
}

static aldis_err send_large(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const unsigned char bytes[1000];
    (void)self;
    EXPECT_OK(aldis_credit_send_raw(ctx, act->id, &raw_type, bytes, sizeof bytes));
    EXPECT_OK(aldis_credit_send_raw(ctx, act->id, &raw_type, bytes, sizeof bytes));
    EXPECT_ERR(aldis_credit_send_raw(ctx, act->id, &raw_type, bytes, 1), ALDIS_EFULL);
    return ALDIS_OK;
}

TEST_EACH(an_empty_outbox_takes_a_message_of_any_size)
{
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.start = accept_one}, NULL);
    fixture_settle(f);
    puppet_ref from = open_from(f, to);
    fixture_tell(f, from, send_large, (struct act){.id = to.id}); /* the first has the credit */
    fixture_settle(f);
    fixture_tell(f, from, look_at_stats, (struct act){.id = to.id});
    fixture_settle(f);
    CHECK_UINT(stats.sent, 1);
    CHECK_UINT(stats.waiting, 1);
    CHECK_UINT(stats.waiting_bytes, 1000);
    CHECK_UINT(stats.refused, 1);
}
