// SPDX-License-Identifier: Apache-2.0
/* deadletter_test.c: what was accepted and not handled: kept, bounded, read, sent again. */
#include "fixture.h"

#include <stdlib.h>

enum { READ = 1, NOTICED };

struct seen {
    size_t count;
    aldis_dead_letter last;
    uint64_t payload; /* of the last, if it is a num */
    uint64_t sum;     /* of the payloads */
    size_t limit;     /* stop after so many; 0: never */
};

static bool look(void *arg, const aldis_dead_letter *letter)
{
    struct seen *seen = arg;
    EXPECT(letter->number > seen->last.number);
    EXPECT(letter->at_ns >= seen->last.at_ns);
    seen->count++;
    seen->last = *letter;
    if (strcmp(letter->type_name, "num") == 0) {
        EXPECT_UINT(letter->size, sizeof seen->payload);
        memcpy(&seen->payload, letter->payload, sizeof seen->payload);
        seen->sum += seen->payload;
    }
    return seen->count != seen->limit;
}

static struct seen see(struct fixture *f, aldis_dead_letter_filter filter)
{
    struct seen seen = {0};
    CHECK_OK(aldis_dead_letters(f->system, &filter, look, &seen, NULL));
    return seen;
}

static aldis_dead_letter_counts counts_of(struct fixture *f)
{
    aldis_dead_letter_counts counts;
    CHECK_OK(aldis_dead_letters(f->system, NULL, NULL, NULL, &counts));
    return counts;
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(READ, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script reader = {.num = trace_num};

/* A puppet that ends with `count` nums waiting. */
static puppet_ref dead_with_mail(struct fixture *f, uint64_t count)
{
    puppet_ref p =
        fixture_spawn(f, &reader, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 5000}});
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 1; i <= count; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    CHECK_OK(aldis_signal(f->system, p, tick));
    fixture_settle(f);
    CHECK_OK(aldis_kill(f->system, p.id));
    fixture_settle(f);
    return p;
}

TEST_EACH(dead_letters_are_kept_with_all_that_is_known)
{
    fixture_open(f, NULL);
    puppet_ref p = dead_with_mail(f, 5);
    struct seen all = see(f, (aldis_dead_letter_filter){0});
    CHECK_UINT(all.count, 6);
    CHECK_UINT(all.sum, 15);
    CHECK_STR(all.last.type_name, "tick");
    struct seen nums = see(f, (aldis_dead_letter_filter){.type_name = "num"});
    CHECK_UINT(nums.count, 5);
    CHECK_UINT(nums.payload, 5);
    CHECK(aldis_id_equal(nums.last.to, p.id));
    CHECK(aldis_id_is_nobody(nums.last.from));
    CHECK_UINT(nums.last.reason, ALDIS_ESTALE);
    CHECK(!nums.last.again && !nums.last.partial);
    CHECK_UINT(see(f, (aldis_dead_letter_filter){.reason = ALDIS_EHANDLER}).count, 0);
    CHECK_UINT(see(f, (aldis_dead_letter_filter){.reason = ALDIS_ESTALE}).count, 6);
    CHECK_UINT(see(f, (aldis_dead_letter_filter){.to = p.id, .after = 4}).count, 2);
    CHECK_UINT(see(f, (aldis_dead_letter_filter){.to = {1}}).count, 0);
    aldis_dead_letter_counts counts = counts_of(f);
    CHECK_UINT(counts.kept, 6);
    CHECK_UINT(counts.kept_bytes, 40);
    CHECK_UINT(counts.seen, 6);
    CHECK_UINT(counts.overwritten, 0);
    struct seen first = {.limit = 1};
    CHECK_OK(aldis_dead_letters(f->system, NULL, look, &first, NULL));
    CHECK_UINT(first.count, 1);
}

TEST_EACH(the_newest_are_kept_and_the_overwritten_counted)
{
    fixture_open(f, &(aldis_system_opts){.dead_letters_max = 10});
    (void)dead_with_mail(f, 100);
    aldis_dead_letter_counts counts = counts_of(f);
    CHECK_UINT(counts.kept, 10);
    CHECK_UINT(counts.seen, 101);
    CHECK_UINT(counts.overwritten, 91);
    struct seen all = see(f, (aldis_dead_letter_filter){0});
    CHECK_UINT(all.count, 10);
    CHECK_UINT(all.last.number, 101);
    CHECK_UINT(all.sum, 92 + 93 + 94 + 95 + 96 + 97 + 98 + 99 + 100);
}

static aldis_err send_large(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const unsigned char bytes[1000];
    (void)self;
    aldis_blob *blob;
    EXPECT_OK(aldis_blob_create(bytes, sizeof bytes, &blob, NULL));
    EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, act->a));
    EXPECT_OK(aldis_send_blob_raw(ctx, act->id, &raw_type, blob));
    aldis_blob_unref(blob);
    return ALDIS_OK;
}

TEST_EACH(the_bytes_are_bounded_too)
{
    fixture_open(f, &(aldis_system_opts){.dead_letter_bytes = 400});
    puppet_ref from = fixture_spawn(f, NULL, NULL), to = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, send_large, (struct act){.id = to.id, .a = 300});
    fixture_tell(f, from, send_large, (struct act){.id = to.id, .a = 200});
    fixture_settle(f);
    CHECK_OK(aldis_kill(f->system, to.id));
    fixture_settle(f);
    aldis_dead_letter_counts counts = counts_of(f);
    CHECK_UINT(counts.seen, 4);
    CHECK_UINT(counts.kept, 3); /* 300 bytes were pushed out; blobs of 1000 without payload */
    CHECK_UINT(counts.kept_bytes, 200);
    struct seen all = see(f, (aldis_dead_letter_filter){0});
    CHECK(all.last.partial);
    CHECK_UINT(all.last.size, 0);
    CHECK(aldis_id_equal(all.last.from, from.id));
    aldis_resent resent;
    CHECK_OK(aldis_dead_letters_resend(f->system, NULL, from.id, &resent));
    CHECK_UINT(resent.sent, 1);
    CHECK_UINT(resent.refused, 0);
    fixture_settle(f);
    CHECK_UINT(counts_of(f).kept, 2);
}

TEST_EACH(they_can_be_sent_again_to_another)
{
    fixture_open(f, NULL);
    (void)dead_with_mail(f, 3);
    puppet_ref heir = fixture_spawn(f, &reader, NULL);
    aldis_resent resent;
    aldis_dead_letter_filter nums = {.type_name = "num"};
    CHECK_OK(aldis_dead_letters_resend(f->system, &nums, aldis_nobody(), &resent));
    CHECK_UINT(resent.sent, 0); /* their own receiver has ended */
    CHECK_UINT(resent.refused, 3);
    CHECK_UINT(counts_of(f).kept, 4);
    CHECK_OK(aldis_dead_letters_resend(f->system, &nums, heir.id, &resent));
    CHECK_UINT(resent.sent, 3);
    fixture_settle(f);
    CHECK_UINT(trace_count(), 3);
    for (uint64_t i = 0; i < 3; i++)
        CHECK_UINT(trace_at(i).tag, i + 1);
    CHECK_UINT(counts_of(f).kept, 1);
}

/* A blob is sent again whole. */
static aldis_err check_raw(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)self;
    EXPECT(bytes[0] == 0);
    trace_add(READ, size, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(blobs_and_payloads_of_any_length_are_sent_again_whole)
{
    fixture_open(f, NULL);
    const struct script script = {.raw = check_raw};
    puppet_ref from = fixture_spawn(f, &script, NULL), to = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    fixture_tell(f, from, send_large, (struct act){.id = to.id, .a = 300});
    fixture_settle(f);
    CHECK_OK(aldis_kill(f->system, to.id));
    fixture_settle(f);
    CHECK_OK(aldis_dead_letters_resend(f->system, NULL, from.id, NULL));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(trace_at(0).tag, 300);
    CHECK_UINT(trace_at(1).tag, 1000);
    CHECK_UINT(counts_of(f).kept, 0);
}

/* ------------------------------------------------------------------ a handler */

struct undertaker {
    aldis_id heir;
    uint64_t notices;
};
#define UNDERTAKER_PROTOCOL(X, kind) X(kind, aldis_dead_notice) X(kind, num)
ALDIS_PROTOCOL(undertaker, UNDERTAKER_PROTOCOL);

static aldis_err undertaker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct undertaker *self = state;
    self->heir = *(const aldis_id *)arg;
    return ALDIS_OK;
}

static aldis_err undertaker_on_aldis_dead_notice(struct undertaker *self,
                                                 const aldis_dead_notice *notice, aldis_ctx *ctx)
{
    struct seen seen = {0};
    aldis_resent resent;
    self->notices++;
    trace_add(NOTICED, notice->count, aldis_now(ctx));
    EXPECT_OK(aldis_dead_letters(ctx, NULL, look, &seen, NULL));
    EXPECT(seen.count > 0);
    EXPECT_OK(aldis_dead_letters_resend(ctx, NULL, self->heir, &resent));
    return ALDIS_OK;
}

static aldis_err undertaker_on_num(struct undertaker *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    (void)value;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(undertaker, struct undertaker, UNDERTAKER_PROTOCOL, .on_start = undertaker_start);

static undertaker_ref spawn_undertaker(struct fixture *f, aldis_id heir)
{
    undertaker_ref ref;
    CHECK_OK(aldis_spawn(f->system, undertaker, &ref,
                         &(aldis_spawn_opts){.arg = &heir, .arg_size = sizeof heir}));
    CHECK_OK(aldis_system_dead_letters_to(f->system, ref.id));
    return ref;
}

TEST_EACH(an_actor_hears_of_them_and_sends_them_on)
{
    fixture_open(f, NULL);
    puppet_ref heir = fixture_spawn(f, &reader, NULL);
    (void)spawn_undertaker(f, heir.id);
    (void)dead_with_mail(f, 20);
    CHECK_UINT(trace_count_of(READ), 20);
    CHECK(trace_count_of(NOTICED) >= 1);
    CHECK_UINT(counts_of(f).kept, 0);
}

static aldis_err refuse_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(READ, value, aldis_now(ctx));
    return aldis_fail(ctx, "indigestible");
}

TEST_EACH(a_handler_of_dead_letters_cannot_loop)
{
    fixture_open(f, NULL);
    const struct script picky = {.num = refuse_num};
    puppet_ref heir = fixture_spawn(
        f, &picky, &(aldis_spawn_opts){.restart = {.mode = ALDIS_RESTART_ON_FAILURE}});
    (void)spawn_undertaker(f, heir.id);
    CHECK_OK(aldis_send(f->system, heir, num, 1));
    fixture_settle(f); /* it comes to rest: it died, was sent again, died again */
    CHECK_UINT(trace_count_of(READ), 2);
    CHECK_UINT(trace_count_of(NOTICED), 1);
    struct seen all = see(f, (aldis_dead_letter_filter){.reason = ALDIS_EHANDLER});
    CHECK_UINT(all.count, 1);
    CHECK(all.last.again);
    aldis_resent resent;
    CHECK_OK(aldis_dead_letters_resend(f->system, NULL, heir.id, &resent));
    CHECK_UINT(resent.sent, 0);
    CHECK_OK(aldis_dead_letters_resend(f->system, &(aldis_dead_letter_filter){.twice = true},
                                       heir.id, &resent));
    CHECK_UINT(resent.sent, 1);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(READ), 3);
}

static aldis_err read_without_right(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_dead_letters(ctx, NULL, NULL, NULL, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_dead_letters_resend(ctx, NULL, aldis_nobody(), NULL), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_EACH(only_the_one_that_was_named_may_read)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, read_without_right, (struct act){.a = 0});
    CHECK_ERR(aldis_system_dead_letters_to(f->system, p.id), ALDIS_EUNACCEPTED);
    CHECK_ERR(aldis_system_dead_letters_to(f->system, (aldis_id){p.id.bits + 1}), ALDIS_ENOTFOUND);
    CHECK_OK(aldis_system_dead_letters_to(f->system, aldis_nobody()));
    fixture_settle(f);
}

static aldis_err remind_self_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref me = {.id = aldis_self(ctx)};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send_after(ctx, ALDIS_SECOND, me, num, i));
    EXPECT_OK(aldis_stop(ctx, me.id));
    return ALDIS_OK;
}

/* Who has ended is not told of what it had sent itself: nobody would hear that. In virtual time, in
 * which such a message is under way until its time comes, of a million actors that are stopped. */
TEST(to_an_actor_that_has_ended_nothing_is_told_of_its_own_messages)
{
    struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    fixture_open(&f, NULL);
    puppet_ref p = fixture_spawn(&f, NULL, NULL);
    fixture_tell(&f, p, remind_self_and_stop, (struct act){.a = 5});
    CHECK_OK(aldis_system_run(f.system, 2 * ALDIS_SECOND, NULL));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f.system, &stats));
    CHECK_UINT(aldis_stats_type(&stats, "num")->dead, 5);
    const aldis_type_stats *told = aldis_stats_type(&stats, "aldis.undelivered");
    CHECK_UINT(told ? told->sent : 0, 0);
    aldis_stats_fini(&stats);
    fixture_close(&f);
}

TEST_EACH(a_stop_reports_what_it_dropped)
{
    char *text = NULL;
    size_t size = 0;
    fixture_open(f, NULL);
    CHECK_ERR(aldis_system_stop_report(f->system, stdout), ALDIS_ESTATE);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 7; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_OK(aldis_system_stop(f->system, 60 * ALDIS_SECOND));
    FILE *out = open_memstream(&text, &size);
    CHECK(out != NULL);
    CHECK_OK(aldis_system_stop_report(f->system, out));
    fclose(out);
    CHECK_STR(text, "num: 7 dead, 0 rejected, 0 dropped, 0 expired\n");
    free(text);
}

/* The same queue on any number of workers, though it does not hold all. */
TEST(the_queue_is_the_same_on_any_number_of_workers)
{
    static const uint32_t workers[] = {1, 2, 4};
    uint64_t digest = 0;
    for (size_t i = 0; i < 3; i++) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers[i], NULL};
        puppet_ref p[40];
        fixture_open(&f, &(aldis_system_opts){.dead_letters_max = 50});
        for (int n = 0; n < 40; n++) {
            p[n] = fixture_spawn(&f, NULL, NULL);
            CHECK_OK(aldis_pause(f.system, p[n].id));
        }
        fixture_settle(&f);
        for (uint64_t n = 0; n < 400; n++)
            CHECK_OK(aldis_send(f.system, p[n * 7 % 40], num, n));
        fixture_settle(&f);
        for (int n = 0; n < 40; n++)
            CHECK_OK(aldis_kill(f.system, p[n].id));
        fixture_settle(&f);
        struct seen all = see(&f, (aldis_dead_letter_filter){0});
        CHECK_UINT(all.count, 50);
        CHECK_UINT(counts_of(&f).overwritten, 350);
        uint64_t now = all.sum * 1000 + all.payload;
        if (i > 0)
            CHECK_UINT(now, digest);
        digest = now;
        fixture_close(&f);
    }
}
