// SPDX-License-Identifier: Apache-2.0
/* fanout_test.c: one message to many: broadcast, full and closing mailboxes, the payload that is
 * stored once; in both clocks. */
#include "core/fixture.h"

#include "core/system.h"
#include <stdlib.h>

enum { GOT = 1 };

static aldis_fanout fanout;
static aldis_err outcome;

static aldis_err do_broadcast(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = act->b;
    const aldis_behaviour *kinds[] = {NULL, &puppet_behaviour, &plain_behaviour,
                                      &stranger_behaviour};
    (void)self;
    outcome = aldis_broadcast_raw(ctx, kinds[act->id.bits], &num_type, &value, sizeof value,
                                  (unsigned)act->a, &fanout);
    return ALDIS_OK;
}

/* kind: index in the list above. */
static void broadcast(struct fixture *f, puppet_ref from, uint64_t kind, unsigned flags)
{
    fanout = (aldis_fanout){77, 77, 77, 77};
    fixture_tell(f, from, do_broadcast, (struct act){.id = {kind}, .a = flags, .b = 1});
    fixture_settle(f);
}

static void check_fanout(uint64_t matched, uint64_t delivered, uint64_t refused, uint64_t skipped)
{
    CHECK_ERR(outcome, ALDIS_OK);
    CHECK_UINT(fanout.matched, matched);
    CHECK_UINT(fanout.delivered, delivered);
    CHECK_UINT(fanout.refused, refused);
    CHECK_UINT(fanout.skipped, skipped);
}

/* ------------------------------------------------------------------ broadcast */

TEST_EACH(a_broadcast_reaches_all_that_accept_it_but_its_sender)
{
    fixture_open(f, NULL);
    puppet_ref first = fixture_spawn(f, NULL, NULL);
    for (int i = 0; i < 20; i++)
        fixture_spawn(f, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        plain_ref plain;
        stranger_ref stranger;
        CHECK_OK(aldis_spawn(f->system, plain, &plain, NULL));
        CHECK_OK(aldis_spawn(f->system, stranger, &stranger, NULL));
    }
    broadcast(f, first, 0, 0);
    check_fanout(30, 30, 0, 10);
    CHECK_UINT(fixture_counts(f, "num").handled, 30);
    CHECK_UINT(fixture_status(f, first.id).handled_msgs, 1); /* the act itself */
    broadcast(f, first, 0, ALDIS_FANOUT_TO_SELF);
    check_fanout(31, 31, 0, 10);
    broadcast(f, first, 1, 0);
    check_fanout(20, 20, 0, 0);
    broadcast(f, first, 2, 0);
    check_fanout(10, 10, 0, 0);
    broadcast(f, first, 3, 0);
    check_fanout(0, 0, 0, 10);
    broadcast(f, first, 3, ALDIS_FANOUT_SOMEONE);
    CHECK_ERR(outcome, ALDIS_ENOSUBS);
    CHECK_UINT(fixture_counts(f, "num").sent, 30 + 31 + 20 + 10);
}

TEST_EACH(a_broadcast_to_a_kind_that_was_never_spawned_finds_nobody)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    broadcast(f, a, 2, 0);
    check_fanout(0, 0, 0, 0);
}

/* Actors in all birth shards, some of them gone: spawned by others, beside and anywhere. */
static aldis_err spawn_some(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref last = {.id = ALDIS_NOBODY_INIT};
    (void)self;
    for (uint64_t i = 0; i < act->a; i++)
        last = puppet_spawn(ctx, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
    EXPECT_OK(aldis_stop(ctx, last.id));
    return ALDIS_OK;
}

TEST_EACH(a_broadcast_finds_actors_of_every_birth_and_no_dead_ones)
{
    fixture_open(f, NULL);
    puppet_ref first = fixture_spawn(f, NULL, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref parent = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, parent, spawn_some, (struct act){.a = 5});
    }
    fixture_settle(f);
    broadcast(f, first, 0, 0);
    check_fanout(8 + 8 * 4, 8 + 8 * 4, 0, 0);
    CHECK_UINT(fixture_counts(f, "num").handled, 40);
}

/* In virtual time who was spawned in this window lives from the next one on; live, at once. */
static aldis_err spawn_and_broadcast(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_fanout result;
    puppet_spawn(ctx, NULL, NULL);
    EXPECT_OK(aldis_broadcast(ctx, &result, num, 1));
    EXPECT_UINT(result.matched, act->a);
    return ALDIS_OK;
}

TEST_EACH(a_new_actor_is_there_when_it_lives)
{
    bool at_once = f->clock == ALDIS_CLOCK_LIVE;
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, spawn_and_broadcast, (struct act){.a = at_once ? 1 : 0});
    fixture_settle(f);
    broadcast(f, a, 0, 0);
    check_fanout(1, 1, 0, 0);
}

static aldis_err misuse(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = 1;
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_broadcast_raw(ctx, NULL, NULL, &value, sizeof value, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_broadcast_raw(ctx, NULL, &num_type, NULL, sizeof value, 0, NULL),
               ALDIS_EINVAL);
    EXPECT_ERR(aldis_broadcast_raw(ctx, NULL, &num_type, &value, sizeof value, 4, NULL),
               ALDIS_EINVAL);
    EXPECT_OK(aldis_broadcast_raw(ctx, NULL, &num_type, &value, sizeof value, 0, NULL));
    return ALDIS_OK;
}

TEST_EACH(misuse_of_broadcast_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, misuse, (struct act){0});
    fixture_settle(f);
    CHECK_ERR(aldis_broadcast(NULL, NULL, num, 1), ALDIS_EINVAL);
    CHECK_UINT(fixture_counts(f, "num").sent, 0);
}

/* ------------------------------------------------------------------ full, closing */

enum { BURST = 10, ROOM = 4 };

static uint64_t notices; /* of on_undelivered: refusals that were found at the receiver */

static void count_notice(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    EXPECT(notice->reason == ALDIS_EFULL || notice->reason == ALDIS_EDROPPED);
    notices += notice->count;
}

static aldis_fanout total;
static aldis_err full_for_others; /* what a thread outside gets that sends to the full mailbox */

static aldis_err publish_burst(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    for (uint64_t i = 0; i < BURST; i++) {
        aldis_fanout one;
        EXPECT_OK(aldis_publish(ctx, "full", &one, num, i));
        EXPECT_UINT(one.matched, one.delivered + one.refused);
        total.matched += one.matched;
        total.delivered += one.delivered;
        total.refused += one.refused;
    }
    return ALDIS_OK;
}

/* A burst to one that handles nothing. The publisher is never parked: it goes on to answer. */
static aldis_type_stats fill(struct fixture *f, aldis_overflow_policy policy)
{
    const struct script publisher = {.undelivered = count_notice};
    notices = 0;
    total = (aldis_fanout){0};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &publisher, NULL);
    puppet_ref s = fixture_spawn(
        f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = ROOM, .policy = policy}});
    CHECK_OK(aldis_system_subscribe(f->system, s.id, "full"));
    CHECK_OK(aldis_pause(f->system, s.id));
    fixture_settle(f);
    fixture_tell(f, p, publish_burst, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(total.matched, BURST);
    CHECK_UINT(total.matched, total.delivered + total.refused);
    CHECK_STR(fixture_status(f, p.id).state_name, "idle"); /* not "parked" */
    aldis_type_stats counts = fixture_counts(f, "num");
    CHECK_UINT(counts.sent, BURST);
    if (policy == ALDIS_WAIT)
        full_for_others = aldis_send(f->system, s, num, 99);
    /* What the return values did not tell, the hook has. */
    CHECK_UINT(counts.rejected + counts.dropped, total.refused + notices);
    CHECK_OK(aldis_resume(f->system, s.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").queued, 0);
    return counts;
}

TEST_EACH(a_full_mailbox_refuses_under_wait_and_parks_nobody)
{
    aldis_type_stats counts = fill(f, ALDIS_WAIT);
    CHECK_UINT(counts.queued, ROOM);
    CHECK_UINT(counts.rejected, BURST - ROOM);
    CHECK_UINT(full_for_others, ALDIS_EAGAIN);
}

TEST_EACH(a_full_mailbox_refuses_under_reject)
{
    aldis_type_stats counts = fill(f, ALDIS_REJECT);
    CHECK_UINT(counts.queued, ROOM);
    CHECK_UINT(counts.rejected, BURST - ROOM);
}

TEST_EACH(a_full_mailbox_drops_the_newest)
{
    aldis_type_stats counts = fill(f, ALDIS_DROP_NEWEST);
    CHECK_UINT(counts.queued, ROOM);
    CHECK_UINT(counts.dropped, BURST - ROOM);
}

TEST_EACH(a_full_mailbox_drops_the_oldest)
{
    aldis_type_stats counts = fill(f, ALDIS_DROP_OLDEST);
    CHECK_UINT(counts.queued, ROOM);
    CHECK_UINT(counts.dropped, BURST - ROOM);
    CHECK_UINT(total.refused, 0);
}

/* A paused actor that drains waits with its mail, closed to new: matched, and refused. */
TEST_EACH(a_closing_actor_is_matched_and_refuses)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), s = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, s.id));
    fixture_settle(f);
    CHECK_OK(aldis_send(f->system, s, num, 1));
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, s.id, ALDIS_FOREVER));
    fixture_settle(f);
    broadcast(f, p, 0, 0);
    check_fanout(1, 0, 1, 0);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
    CHECK_OK(aldis_resume(f->system, s.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, s.id));
    broadcast(f, p, 0, 0);
    check_fanout(0, 0, 0, 0);
}

/* What a sender had to keep for a full mailbox is not overtaken by its own broadcast. */
enum { CAST = 1000 };

static aldis_err overfill_and_broadcast(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref to = {.id = act->id};
    aldis_fanout result;
    (void)self;
    for (uint64_t i = act->a; i < act->a + BURST; i++)
        EXPECT_OK(aldis_send(ctx, to, num, i));
    EXPECT_OK(aldis_broadcast(ctx, &result, num, CAST + act->a));
    EXPECT_UINT(result.matched, 1);
    EXPECT_UINT(result.refused, act->b);
    return ALDIS_OK;
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(GOT, value, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_EACH(a_broadcast_does_not_overtake_what_was_sent_before)
{
    const struct script slow = {.num = trace_num};
    bool virtual_time = f->clock == ALDIS_CLOCK_VIRTUAL;
    fixture_open(f, NULL);
    /* Beside each other: live, the sender then sees at once that the mailbox is full. */
    const aldis_spawn_opts here = {.placement = ALDIS_PLACE_SHARD, .shard = 1};
    aldis_spawn_opts small = here;
    small.mailbox.capacity_msgs = ROOM;
    puppet_ref p = fixture_spawn(f, NULL, &here), s = fixture_spawn(f, &slow, &small);
    CHECK_OK(aldis_pause(f->system, s.id));
    fixture_settle(f);
    /* Virtual: all are under way when the first comes; that the mailbox is full shows from then
     * on. */
    fixture_tell(f, p, overfill_and_broadcast, (struct act){.id = s.id, .b = !virtual_time});
    fixture_settle(f);
    if (virtual_time)
        fixture_tell(f, p, overfill_and_broadcast, (struct act){.id = s.id, .a = BURST, .b = 1});
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, s.id));
    fixture_settle(f);
    uint64_t sent = virtual_time ? 2 * BURST : BURST;
    CHECK_UINT(trace_count(), sent);
    for (uint64_t i = 0; i < sent; i++)
        CHECK_UINT(trace_at(i).tag, i);
}

/* ------------------------------------------------------------------ the payload */

enum { LARGE = 60000, SMALL = 1000, RECEIVERS = 100 };

static unsigned char bytes[ALDIS_PAYLOAD_MAX];

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + i / 256);
}

static aldis_err check_raw(struct puppet *self, const unsigned char *got, size_t size,
                           aldis_ctx *ctx)
{
    (void)self;
    EXPECT(memcmp(got, bytes, size) == 0);
    trace_add((uint64_t)(uintptr_t)got, size, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script reader = {.raw = check_raw};

static aldis_err publish_bytes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->b; i++)
        EXPECT_OK(aldis_publish_raw(ctx, "bytes", &raw_type, bytes, act->a, 0, NULL));
    return ALDIS_OK;
}

static puppet_ref open_readers(struct fixture *f, uint32_t count)
{
    fill_bytes();
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint32_t i = 0; i < count; i++) {
        puppet_ref s = fixture_spawn(f, &reader, NULL);
        CHECK_OK(aldis_system_subscribe(f->system, s.id, "bytes"));
    }
    return p;
}

static void check_same_address(struct fixture *f, uint64_t size)
{
    puppet_ref p = open_readers(f, RECEIVERS);
    fixture_tell(f, p, publish_bytes, (struct act){.a = size, .b = 1});
    fixture_settle(f);
    CHECK_UINT(trace_count(), RECEIVERS);
    for (size_t i = 0; i < RECEIVERS; i++) {
        CHECK_UINT(trace_at(i).what, trace_at(0).what);
        CHECK_UINT(trace_at(i).tag, size);
    }
}

TEST_EACH(all_receivers_read_the_same_bytes)
{
    check_same_address(f, SMALL);
}

TEST_EACH(all_receivers_read_the_same_byte)
{
    check_same_address(f, 1);
}

TEST_EACH(all_receivers_read_the_same_large_payload)
{
    check_same_address(f, LARGE);
}

TEST_EACH(an_empty_payload_may_be_published)
{
    check_same_address(f, 0);
}

static uint64_t pool_bytes(const struct fixture *f)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= f->system->worker_count; i++)
        sum += f->system->pools[i]->bytes;
    return sum;
}

/* As many bytes as one payload and the receivers' headers ask for, and no more after thousands:
 * payloads come home. */
TEST_EACH(payloads_are_stored_once_and_come_home)
{
    enum { ROUNDS = 3000, BIG = 3000 };
    puppet_ref p = open_readers(f, RECEIVERS);
    fixture_settle(f);
    fixture_tell(f, p, publish_bytes, (struct act){.a = BIG, .b = 1});
    fixture_settle(f);
    uint64_t before = pool_bytes(f);
    /* A copy for each of 100 receivers would take 300 KB a publication. */
    fixture_tell(f, p, publish_bytes, (struct act){.a = BIG, .b = 8});
    fixture_settle(f);
    CHECK(pool_bytes(f) - before < (uint64_t)8 * RECEIVERS * BIG / 4);
    for (int i = 0; i < 100; i++)
        fixture_tell(f, p, publish_bytes, (struct act){.a = BIG, .b = 1});
    fixture_settle(f);
    before = pool_bytes(f);
    for (int i = 0; i < ROUNDS; i++) {
        fixture_tell(f, p, publish_bytes, (struct act){.a = BIG, .b = 1});
        if (i % 100 == 0)
            fixture_settle(f);
    }
    fixture_settle(f);
    /* Blocks on their way home wait for a chain of 256. */
    CHECK(pool_bytes(f) - before <= (uint64_t)(4 << 20));
}

/* A mailbox's bound in bytes counts a payload that is stored elsewhere, too. */
static void check_byte_bound(struct fixture *f, uint64_t size)
{
    enum { ROOM_BYTES = 200000 };
    fill_bytes();
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref s =
        fixture_spawn(f, &reader, &(aldis_spawn_opts){.mailbox = {.capacity_bytes = ROOM_BYTES}});
    CHECK_OK(aldis_system_subscribe(f->system, s.id, "bytes"));
    CHECK_OK(aldis_pause(f->system, s.id));
    fixture_settle(f);
    fixture_tell(f, p, publish_bytes, (struct act){.a = size, .b = 500});
    fixture_settle(f);
    aldis_type_stats counts = fixture_counts(f, "raw");
    CHECK(counts.queued * size <= ROOM_BYTES);
    CHECK(counts.queued * size > ROOM_BYTES / 3);
    CHECK_UINT(counts.queued + counts.rejected, 500);
    CHECK_OK(aldis_resume(f->system, s.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), counts.queued);
    fixture_tell(f, p, publish_bytes, (struct act){.a = size, .b = 1}); /* there is room again */
    fixture_settle(f);
    CHECK_UINT(trace_count(), counts.queued + 1);
}

TEST_EACH(a_byte_bound_counts_shared_payloads)
{
    check_byte_bound(f, SMALL);
}

TEST_EACH(a_byte_bound_counts_large_shared_payloads)
{
    check_byte_bound(f, LARGE);
}

/* The end of a system with payloads everywhere: in mailboxes, under way, and on their way home. A
 * leak would fail the sanitizer's run. */
TEST_EACH(a_system_may_end_with_payloads_under_way)
{
    fill_bytes();
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint32_t i = 0; i < 16; i++) {
        puppet_ref s = fixture_spawn(f, &reader, NULL);
        CHECK_OK(aldis_system_subscribe(f->system, s.id, "bytes"));
        if (i % 2)
            CHECK_OK(aldis_pause(f->system, s.id));
    }
    fixture_settle(f);
    fixture_tell(f, p, publish_bytes, (struct act){.a = LARGE, .b = 20});
    fixture_settle(f);
    fixture_tell(f, p, publish_bytes, (struct act){.a = LARGE, .b = 20});
}

/* A subscriber that dies with shared payloads in its mailbox lets go of them: dead letters. */
TEST_EACH(the_mail_of_an_ended_subscriber_becomes_dead_letters)
{
    fill_bytes();
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), s = fixture_spawn(f, &reader, NULL);
    CHECK_OK(aldis_system_subscribe(f->system, s.id, "bytes"));
    CHECK_OK(aldis_pause(f->system, s.id));
    fixture_settle(f);
    fixture_tell(f, p, publish_bytes, (struct act){.a = LARGE, .b = 5});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "raw").queued, 5);
    CHECK_OK(aldis_kill(f->system, s.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "raw").dead, 5);
}
