// SPDX-License-Identifier: Apache-2.0
/* credit_random_test.c: actors that grant each other credit, and do at random all that may be done
 * with it, also fail, are killed, and live on links that lose, double and delay. At each message
 * the receiver's books balance and stay within its total; at the end no credit has leaked and
 * nobody is left waiting; the same on any number of workers. A failure names its seed. */
#include "core/fixture.h"

#include <stdlib.h>

enum { TRADERS = 6, ROUNDS = 120, SEEDS = 60 };

struct trader {
    bool begun;
    uint32_t index;
    aldis_id id, peers[TRADERS];
    aldis_credit_terms terms;
    /* Noted by its handlers: */
    uint64_t handled, over, unbalanced;
    bool asked; /* the last try was refused, and no notice has come since */
    /* At the end: */
    bool looked;
    aldis_credit_books books, books_with[TRADERS];
    aldis_credit_stats stats_to[TRADERS];
    bool has_stream_to[TRADERS];
};

static struct trader traders[TRADERS];

static void note_books(struct trader *trader, aldis_ctx *ctx)
{
    aldis_credit_books books;
    if (aldis_credit_get_books(ctx, aldis_nobody(), &books) != ALDIS_OK)
        return;
    trader->over += books.outstanding > trader->terms.total;
    trader->unbalanced +=
        books.granted != books.returned + books.lost + books.taken_back + books.outstanding;
}

static aldis_err trader_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    struct trader *trader = self->script.user;
    trader->handled++;
    note_books(trader, ctx);
    return ALDIS_OK;
}

static aldis_err step(struct puppet *self, const struct act *act, aldis_ctx *ctx);

static aldis_err trader_start(struct puppet *self, aldis_ctx *ctx)
{
    struct trader *trader = self->script.user;
    puppet_ref me = {.id = aldis_self(ctx)};
    EXPECT_OK(aldis_credit_accept(ctx, &trader->terms));
    if (!trader->begun)
        return ALDIS_OK; /* its peers are not there yet */
    return aldis_send_after(ctx, 5 * ALDIS_MS, me, act, .run = step, .a = self->memory[0]);
}

static aldis_err begin(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct trader *trader = self->script.user;
    trader->begun = true;
    return aldis_send_after(ctx, 5 * ALDIS_MS, (puppet_ref){.id = aldis_self(ctx)}, act,
                            .run = step, .a = self->memory[0]);
}

static aldis_err trader_credit(struct puppet *self, const aldis_credit_notice *notice,
                               aldis_ctx *ctx)
{
    puppet_ref to = {.id = notice->to};
    if (notice->result != ALDIS_OK || !notice->available)
        return ALDIS_OK;
    aldis_err err = aldis_credit_try_send(ctx, to, num, self->count);
    EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE); /* it may have ended just now */
    return ALDIS_OK;
}

/* Open if need be, send a few. */
static void send_some(aldis_ctx *ctx, puppet_ref to, bool waits)
{
    aldis_credit_opts opts = {.outbox_msgs = 1 + (uint32_t)aldis_random_below(ctx, 20),
                              .refresh_ns = 20 * ALDIS_MS};
    if (aldis_random_below(ctx, 4) == 0)
        opts.expiry_ns = 20 * ALDIS_MS;
    if (aldis_random_below(ctx, 4) == 0)
        opts.lane = ALDIS_LANE_HIGH;
    (void)aldis_credit_open(ctx, to.id, &opts); /* or there is one, or its receiver is gone */
    for (uint64_t i = aldis_random_below(ctx, 12); i > 0; i--) {
        aldis_err err =
            waits ? aldis_credit_send(ctx, to, num, i) : aldis_credit_try_send(ctx, to, num, i);
        EXPECT(err == ALDIS_OK || err == ALDIS_EAGAIN || err == ALDIS_EFULL ||
               err == ALDIS_ESTALE || err == ALDIS_ENOTFOUND || err == ALDIS_EREFUSED ||
               err == ALDIS_ESHUTDOWN);
    }
}

/* Whatever is owed to this sender. */
static void grant_owed(aldis_ctx *ctx, aldis_id sender)
{
    aldis_credit_books books;
    if (aldis_credit_get_books(ctx, sender, &books) == ALDIS_OK && books.owed)
        EXPECT_OK(aldis_credit_grant(ctx, sender, (uint32_t)books.owed));
}

static aldis_err step(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct trader *trader = self->script.user;
    puppet_ref me = {.id = aldis_self(ctx)};
    uint64_t dice = aldis_random_below(ctx, 1000);
    puppet_ref to = {.id = trader->peers[aldis_random_below(ctx, TRADERS)]};
    note_books(trader, ctx);
    if (act->a < ROUNDS)
        EXPECT_OK(aldis_send_after(ctx, (1 + (aldis_ns)aldis_random_below(ctx, 6)) * ALDIS_MS, me,
                                   act, .run = step, .a = act->a + 1));
    if (aldis_id_equal(to.id, me.id))
        return ALDIS_OK;
    if (dice < 450)
        send_some(ctx, to, true);
    else if (dice < 700)
        send_some(ctx, to, false);
    else if (dice < 730)
        (void)aldis_credit_close(ctx, to.id);
    else if (dice < 750)
        (void)aldis_credit_refuse(ctx, to.id);
    else if (dice < 940)
        grant_owed(ctx, to.id);
    else if (dice < 980)
        EXPECT_OK(aldis_busy(ctx, 20 * ALDIS_MS));
    else if (dice < 982)
        (void)aldis_kill(ctx, to.id);
    else if (dice < 985)
        return aldis_fail(ctx, "the dice say so");
    return ALDIS_OK;
}

static aldis_err settle_debts(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct trader *trader = self->script.user;
    for (uint32_t i = 0; i < TRADERS; i++)
        grant_owed(ctx, trader->peers[i]);
    return ALDIS_OK;
}

static aldis_err look(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct trader *trader = self->script.user;
    trader->looked = true;
    EXPECT_OK(aldis_credit_get_books(ctx, aldis_nobody(), &trader->books));
    for (uint32_t i = 0; i < TRADERS; i++) {
        aldis_id peer = trader->peers[i];
        trader->has_stream_to[i] =
            aldis_credit_get_stats(ctx, peer, &trader->stats_to[i]) == ALDIS_OK;
        if (aldis_credit_get_books(ctx, peer, &trader->books_with[i]) != ALDIS_OK)
            trader->books_with[i] = (aldis_credit_books){.streams = 0};
    }
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ one run */

static const aldis_fault_rule bad_links[] = {
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.15},
    {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.15},
    {.kind = ALDIS_FAULT_DELAY, .chance = 0.15, .max_ns = 10 * ALDIS_MS},
};

static void spawn_all(struct fixture *f, uint64_t seed)
{
    for (uint32_t i = 0; i < TRADERS; i++) {
        traders[i] = (struct trader){.index = i,
                                     .terms = {.window = 1 + (uint32_t)(seed + i) % 9,
                                               .total = 9 + (uint32_t)(seed * (i + 1)) % 12,
                                               .manual = (seed + i) % 4 == 0,
                                               .refresh_ns = 50 * ALDIS_MS,
                                               .lost_after_ns = 50 * ALDIS_MS}};
        const struct script script = {
            .user = &traders[i], .start = trader_start, .num = trader_num, .credit = trader_credit};
        const aldis_spawn_opts opts = {
            .placement = ALDIS_PLACE_SHARD,
            .shard = i,
            .mailbox = {.capacity_msgs = 16},
            .restart = {.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 2}};
        traders[i].id = fixture_spawn(f, &script, &opts).id;
    }
    for (uint32_t i = 0; i < TRADERS; i++)
        for (uint32_t j = 0; j < TRADERS; j++)
            traders[i].peers[j] = traders[j].id;
    for (uint32_t i = 0; i < TRADERS; i++) {
        aldis_err err = aldis_send(f->system, (puppet_ref){.id = traders[i].id}, act, .run = begin);
        CHECK(err == ALDIS_OK || err == ALDIS_ESTALE); /* live, one that has begun may kill it */
    }
}

static void tell_all(struct fixture *f,
                     aldis_err (*run)(struct puppet *, const struct act *, aldis_ctx *))
{
    for (uint32_t i = 0; i < TRADERS; i++)
        if (!aldis_is_closed(f->system, traders[i].id))
            fixture_tell(f, (puppet_ref){.id = traders[i].id}, run, (struct act){0});
    fixture_settle(f);
}

#define CHECK_SEED(found, op, expected)                                                            \
    do {                                                                                           \
        uint64_t found_ = (found), expected_ = (expected);                                         \
        if (!(found_ op expected_))                                                                \
            test_fail(__FILE__, __LINE__, "seed %" PRIu64 ": %s is %" PRIu64 ", not %s %" PRIu64,  \
                      seed, #found, found_, #op, expected_);                                       \
    } while (0)

/* A stream between two that live, with nothing under way any more. */
static void check_stream(const struct trader *from, const struct trader *to, uint64_t seed,
                         bool faults)
{
    const aldis_credit_stats *stats = &from->stats_to[to->index];
    const aldis_credit_books *books = &to->books_with[from->index];
    CHECK_SEED(stats->submitted, ==,
               stats->sent + stats->refused + stats->expired + stats->discarded + stats->waiting);
    CHECK_SEED(stats->waiting, ==, 0);
    if (faults && stats->granted == 0)
        return; /* its first report was lost, and it has asked for nothing */
    CHECK_SEED(books->streams, ==, 1);
    /* A grant that nobody waited for may be lost: the receiver tells it when somebody does. */
    CHECK_SEED(stats->available, <=, books->outstanding);
    if (!faults)
        CHECK_SEED(stats->available, ==, books->outstanding);
}

static void check_all(uint64_t seed, bool faults)
{
    uint64_t handled = 0;
    for (uint32_t i = 0; i < TRADERS; i++) {
        const struct trader *trader = &traders[i];
        handled += trader->handled;
        CHECK_SEED(trader->over, ==, 0);
        CHECK_SEED(trader->unbalanced, ==, 0);
        if (!trader->looked)
            continue;
        CHECK_SEED(trader->books.closing, ==, 0);
        CHECK_SEED(trader->books.hungry, ==, 0);
        CHECK_SEED(trader->books.owed, ==, 0);
        CHECK_SEED(trader->books.outstanding, <=, trader->terms.total);
        for (uint32_t j = 0; j < TRADERS; j++)
            if (traders[j].looked && trader->has_stream_to[j] &&
                trader->stats_to[j].result == ALDIS_OK)
                check_stream(trader, &traders[j], seed, faults);
    }
    CHECK_SEED(handled, >, ROUNDS);
}

static uint64_t run_one(uint64_t seed, uint32_t workers, aldis_clock clock, bool faults)
{
    struct fixture f = {clock, workers, NULL};
    fixture_open(&f, &(aldis_system_opts){.seed = seed});
    aldis_fault_plan plan = {.seed = seed, .rules = bad_links, .rule_count = 3};
    if (faults)
        CHECK_OK(aldis_system_inject(f.system, &plan));
    spawn_all(&f, seed);
    fixture_settle(&f);
    for (int i = 0; i < 25; i++) /* what waits for a grant goes, and comes to be owed */
        tell_all(&f, settle_debts);
    uint64_t print = aldis_system_run_print(f.system);
    tell_all(&f, look);
    check_all(seed, faults);
    fixture_close(&f);
    return print;
}

static void same_on_any_workers(uint64_t seed, bool faults)
{
    uint64_t print = run_one(seed, 1, ALDIS_CLOCK_VIRTUAL, faults);
    CHECK_SEED(run_one(seed, 2, ALDIS_CLOCK_VIRTUAL, faults), ==, print);
    CHECK_SEED(run_one(seed, 4, ALDIS_CLOCK_VIRTUAL, faults), ==, print);
}

TEST(no_credit_leaks_whatever_is_done)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        same_on_any_workers(seed, false);
}

TEST(no_credit_leaks_on_bad_links)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        same_on_any_workers(seed, true);
}

TEST(no_credit_leaks_live)
{
    for (uint64_t seed = 1; seed <= 4; seed++)
        (void)run_one(seed, 1 + (uint32_t)seed % 4, ALDIS_CLOCK_LIVE, false);
}
