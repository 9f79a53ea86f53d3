// SPDX-License-Identifier: Apache-2.0
/* stash_test.c: messages that a handler keeps aside, takes back, or rejects. */
#include "fixture.h"

enum { HANDLED = 1, TICKED, TOLD, BYTES };

/* memory[0]: keep what comes; it is taken back by `open_up`. memory[1]: what keeping has to give.
 * memory[2]: refusals told to it. */
static aldis_err keep_or_note(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    if (self->memory[0] == 0) {
        trace_add(HANDLED, value, aldis_now(ctx));
        return ALDIS_OK;
    }
    aldis_err err = aldis_stash(ctx);
    EXPECT(err == ALDIS_OK || err == ALDIS_EFULL);
    EXPECT_ERR(aldis_stash(ctx), ALDIS_ESTATE); /* once is enough */
    EXPECT_ERR(aldis_reject(ctx, ALDIS_EREFUSED), ALDIS_ESTATE);
    return err;
}

static aldis_err tick_or_keep(struct puppet *self, aldis_ctx *ctx)
{
    if (self->memory[0])
        return aldis_stash(ctx);
    trace_add(TICKED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err raw_or_keep(struct puppet *self, const unsigned char *bytes, size_t size,
                             aldis_ctx *ctx)
{
    if (self->memory[0])
        return aldis_stash(ctx);
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += bytes[i];
    trace_add(BYTES, size + sum, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err start_shut(struct puppet *self, aldis_ctx *ctx)
{
    self->memory[0] = 1;
    EXPECT_UINT(aldis_stashed(ctx), 0);
    EXPECT_ERR(aldis_stash(ctx), ALDIS_ESTATE); /* there is no message */
    EXPECT_ERR(aldis_reject(ctx, ALDIS_EREFUSED), ALDIS_ESTATE);
    EXPECT_OK(aldis_unstash_all(ctx));
    return ALDIS_OK;
}

static void note_refusal(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t i = 0; i < notice->count; i++)
        trace_add(TOLD, notice->reason, aldis_now(ctx));
}

static const struct script keeper = {
    .start = start_shut, .num = keep_or_note, .tick = tick_or_keep, .raw = raw_or_keep};
static const struct script sender = {.undelivered = note_refusal};

/* act.a: how many the stash must hold before. */
static aldis_err open_up(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_UINT(aldis_stashed(ctx), act->a);
    self->memory[0] = 0;
    EXPECT_OK(aldis_unstash_all(ctx));
    EXPECT_UINT(aldis_stashed(ctx), 0);
    EXPECT_OK(aldis_unstash_all(ctx));
    return ALDIS_OK;
}

static aldis_err shut(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    (void)ctx;
    self->memory[0] = 1;
    return ALDIS_OK;
}

/* act: a first number, b how many, to id. */
static aldis_err send_nums(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->b; i++)
        EXPECT_OK(aldis_send(ctx, to, num, act->a + i));
    return ALDIS_OK;
}

static aldis_spawn_opts on_shard(uint32_t shard)
{
    return (aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard};
}

static void check_handled_in_order(size_t from, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        CHECK_UINT(trace_at(from + i).what, HANDLED);
        CHECK_UINT(trace_at(from + i).tag, first + i);
    }
}

/* ------------------------------------------------------------------ kept and taken back */

TEST_EACH(what_is_kept_comes_back_in_order_before_the_rest)
{
    fixture_open(f, NULL);
    aldis_spawn_opts here = on_shard(0), there = on_shard(5);
    puppet_ref q = fixture_spawn(f, &keeper, &here), p = fixture_spawn(f, &sender, &there);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 100});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, 100);
    CHECK_UINT(nums.handled, 0);
    CHECK_UINT(nums.queued, 100);
    aldis_status status = fixture_status(f, q.id);
    CHECK_UINT(status.stashed_msgs, 100);
    CHECK_UINT(status.depth_msgs, 0);
    CHECK_UINT(status.handled_msgs, 0);
    fixture_check(f);
    /* Others wait in the mailbox already when it opens. */
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, q, open_up, (struct act){.a = 100});
    fixture_settle(f);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 100, .b = 50});
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 150);
    check_handled_in_order(0, 0, 150);
    nums = fixture_counts(f, "num");
    CHECK_UINT(nums.handled, 150);
    CHECK_UINT(nums.failed, 0);
    CHECK_UINT(nums.queued, 0);
    status = fixture_status(f, q.id);
    CHECK_UINT(status.handled_msgs, 151);
    CHECK_UINT(status.stashed_msgs, 0);
}

static aldis_err note_sender(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    if (self->memory[0])
        return aldis_stash(ctx);
    EXPECT_UINT(aldis_sender(ctx).bits, value);
    EXPECT_UINT(aldis_payload_size(ctx), sizeof value);
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err send_own_id(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, num, aldis_self(ctx).bits));
    return ALDIS_OK;
}

TEST_EACH(a_kept_message_keeps_its_sender)
{
    fixture_open(f, NULL);
    puppet_ref q =
        fixture_spawn(f, &(struct script){.start = start_shut, .num = note_sender}, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        aldis_spawn_opts there = on_shard(shard);
        puppet_ref p = fixture_spawn(f, NULL, &there);
        fixture_tell(f, p, send_own_id, (struct act){.id = q.id});
    }
    fixture_settle(f);
    fixture_tell(f, q, open_up, (struct act){.a = 8});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 8);
}

/* Kept again and again, with a round trip of all through the stash each time. */
TEST_EACH(it_may_be_kept_many_times)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, NULL);
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 20});
    fixture_settle(f);
    for (int round = 0; round < 10; round++) {
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        fixture_tell(f, q, open_up, (struct act){.a = 20});
        fixture_settle(f);
        fixture_tell(f, q, shut, (struct act){.a = 0}); /* behind those that come back */
        CHECK_OK(aldis_resume(f->system, q.id));
        fixture_settle(f);
        CHECK_UINT(trace_count_of(HANDLED), 20 * (round + 1));
        fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 20});
        fixture_settle(f);
    }
    CHECK_UINT(fixture_counts(f, "num").queued, 20);
    CHECK_UINT(fixture_counts(f, "num").handled, 200);
}

static aldis_err send_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH, ALDIS_LANE_CRITICAL};
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < 12; i++) {
        num_payload value = act->a + i;
        EXPECT_OK(aldis_send_with(ctx, to, num, &value, &(aldis_send_opts){.lane = lanes[i % 3]}));
    }
    return ALDIS_OK;
}

TEST_EACH(each_comes_back_to_its_own_lane)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, NULL), p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_lanes, (struct act){.id = q.id, .a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).stashed_msgs, 12);
    fixture_tell(f, q, open_up, (struct act){.a = 12});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 12);
    static const uint64_t order[] = {2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9};
    for (size_t i = 0; i < 12; i++)
        CHECK_UINT(trace_at(i).tag, order[i]);
}

/* Payloads of every kind: short and long, inline, from malloc, blobs, and shared by many. */
static aldis_err send_bytes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static unsigned char bytes[60000];
    (void)self;
    memset(bytes, 1, sizeof bytes);
    static const size_t sizes[] = {0, 1, 100, 4000, 60000};
    for (size_t i = 0; i < 5; i++)
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, sizes[i]));
    aldis_blob *blob;
    EXPECT_OK(aldis_blob_create(bytes, 50000, &blob, NULL));
    EXPECT_OK(aldis_send_blob_raw(ctx, act->id, &raw_type, blob));
    aldis_blob_unref(blob);
    EXPECT_OK(aldis_publish(ctx, "all", NULL, num, 7));
    return ALDIS_OK;
}

static aldis_err start_shut_and_subscribe(struct puppet *self, aldis_ctx *ctx)
{
    self->memory[0] = 1;
    return aldis_subscribe(ctx, "all");
}

TEST_EACH(payloads_of_all_kinds_can_be_kept)
{
    fixture_open(f, NULL);
    struct script script = keeper;
    script.start = start_shut_and_subscribe;
    puppet_ref q[4];
    for (uint32_t i = 0; i < 4; i++) {
        aldis_spawn_opts opts = on_shard(i);
        q[i] = fixture_spawn(f, &script, &opts);
    }
    fixture_settle(f);
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    for (uint32_t i = 0; i < 4; i++)
        fixture_tell(f, p, send_bytes, (struct act){.id = q[i].id});
    fixture_settle(f);
    fixture_check(f);
    for (uint32_t i = 0; i < 2; i++)
        fixture_tell(f, q[i], open_up, (struct act){.a = 10});
    CHECK_OK(aldis_kill(f->system, q[2].id)); /* and the last is left to the end of the system */
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 8);
    CHECK_UINT(trace_count_of(BYTES), 12);
    uint64_t sum = 0;
    for (size_t i = 0; i < trace_count(); i++)
        sum += trace_at(i).what == BYTES ? trace_at(i).tag : 0;
    CHECK_UINT(sum, 2 * 2 * (1 + 100 + 4000 + 60000 + 50000));
    CHECK_UINT(fixture_counts(f, "raw").dead, 6);
    CHECK_UINT(fixture_counts(f, "raw").queued, 6);
}

/* ------------------------------------------------------------------ bounds */

TEST_EACH(a_full_stash_rejects_the_newest_and_tells_its_sender)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, &(aldis_spawn_opts){.mailbox = {.stash_msgs = 10}});
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 15});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TOLD), 5);
    for (size_t i = 0; i < 5; i++)
        CHECK_INT(trace_at(i).tag, ALDIS_EFULL);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.queued, 10);
    CHECK_UINT(nums.rejected, 5);
    CHECK_UINT(nums.failed, 0); /* the handler handed the reason on */
    CHECK_UINT(fixture_status(f, q.id).stashed_msgs, 10);
    fixture_check(f);
    fixture_tell(f, q, open_up, (struct act){.a = 10});
    fixture_settle(f);
    check_handled_in_order(5, 0, 10);
}

TEST_EACH(the_default_stash_keeps_256)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, NULL), p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 257});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).stashed_msgs, 256);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
}

static aldis_err send_kilobytes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const unsigned char bytes[1000];
    (void)self;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, sizeof bytes));
    return ALDIS_OK;
}

TEST_EACH(a_stash_is_bounded_in_bytes_too)
{
    fixture_open(f, NULL);
    puppet_ref q =
        fixture_spawn(f, &keeper, &(aldis_spawn_opts){.mailbox = {.capacity_bytes = 10000}});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, send_kilobytes, (struct act){.id = q.id, .a = 20});
    fixture_settle(f);
    aldis_type_stats raws = fixture_counts(f, "raw");
    CHECK_UINT(raws.queued, fixture_status(f, q.id).stashed_msgs);
    CHECK(raws.queued >= 5 && raws.queued <= 9);
    CHECK_UINT(raws.rejected, 20 - raws.queued);
}

/* A mailbox that took back more than it may hold makes its senders wait until it has room. */
TEST_EACH(a_mailbox_may_exceed_its_capacity_by_what_came_back)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(
        f, &keeper, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 8, .stash_msgs = 50}});
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    for (uint64_t i = 0; i < 10; i++) {
        fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 5 * i, .b = 5});
        fixture_settle(f);
    }
    CHECK_UINT(fixture_status(f, q.id).stashed_msgs, 50);
    fixture_tell(f, q, open_up, (struct act){.a = 50});
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 50, .b = 200});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 250);
    check_handled_in_order(0, 0, 250);
    CHECK(fixture_status(f, q.id).peak_msgs >= 50);
}

TEST(a_stash_must_have_a_legal_size)
{
    aldis_system *system;
    aldis_system_opts opts = {.mailbox = {.stash_msgs = (1u << 20) + 1}};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_EINVAL);
    CHECK(strstr(aldis_error_last()->text, "stash_msgs") != NULL);
}

/* ------------------------------------------------------------------ the end, pauses */

TEST_EACH(what_is_kept_ends_with_its_actor_as_dead_letters)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_KILL, ALDIS_CMD_DRAIN};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    for (uint64_t i = 0; i < 3; i++) {
        puppet_ref q = fixture_spawn(f, &keeper, NULL);
        fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 10});
        fixture_settle(f);
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, q.id).stashed_msgs, 10);
        CHECK_OK(aldis_resume(f->system, q.id));
        CHECK_OK(aldis_system_command(f->system, q.id, commands[i], ALDIS_FOREVER));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, q.id));
        CHECK_UINT(fixture_counts(f, "num").dead, 10 * (i + 1));
        CHECK_UINT(trace_count_of(TOLD), 10 * (i + 1));
        CHECK_INT(trace_at(10 * i).tag, ALDIS_ESTALE);
        fixture_check(f);
    }
}

static void open_at_stop(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_stash(ctx), ALDIS_ESTATE);
    EXPECT_UINT(aldis_stashed(ctx), 10);
    EXPECT_OK(aldis_unstash_all(ctx));
}

TEST_EACH(taking_back_at_the_very_end_is_too_late)
{
    fixture_open(f, NULL);
    struct script script = keeper;
    script.stop = open_at_stop;
    puppet_ref q = fixture_spawn(f, &script, NULL), p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 10});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dead, 10);
}

/* ------------------------------------------------------------------ timers */

static aldis_err start_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_timer_opts opts = {
        .delay_ns = (aldis_ns)act->a, .period_ns = (aldis_ns)act->b, .missed = ALDIS_MISSED_BURST};
    EXPECT_OK(aldis_timer_start_raw(ctx, &opts, &tick_type, NULL, 0, &self->timer));
    return ALDIS_OK;
}

static aldis_err cancel_timer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_ERR(aldis_timer_cancel(ctx, self->timer), (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_EACH(a_kept_tick_is_handled_later)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, NULL);
    fixture_tell(f, q, start_timer, (struct act){.a = 1000});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "tick").queued, 1);
    fixture_tell(f, q, cancel_timer, (struct act){.a = ALDIS_ENOTFOUND}); /* it has fired */
    fixture_tell(f, q, open_up, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 1);
}

TEST_EACH(kept_ticks_of_a_periodic_timer_go_when_it_is_cancelled)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &keeper, NULL);
    fixture_tell(f, q, start_timer, (struct act){.a = 1000, .b = 100000});
    while (fixture_status(f, q.id).stashed_msgs < 3)
        CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS / 10, NULL));
    fixture_tell(f, q, cancel_timer, (struct act){.a = ALDIS_OK});
    fixture_settle(f);
    uint64_t kept = fixture_status(f, q.id).stashed_msgs;
    fixture_tell(f, q, open_up, (struct act){.a = kept});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TICKED), 0);
    CHECK_UINT(fixture_counts(f, "tick").sent, 0);
}

/* ------------------------------------------------------------------ rejecting */

static aldis_err refuse(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_reject(ctx, ALDIS_OK), ALDIS_EINVAL);
    aldis_err err = aldis_reject(ctx, value % 2 ? ALDIS_EREFUSED : ALDIS_ERATE);
    EXPECT_ERR(err, value % 2 ? ALDIS_EREFUSED : ALDIS_ERATE);
    EXPECT(strstr(aldis_error_last()->text, "num is rejected by puppet") != NULL);
    EXPECT_ERR(aldis_stash(ctx), ALDIS_ESTATE);
    return value < 5 ? err : value < 8 ? ALDIS_OK : ALDIS_EHANDLER; /* the last two have failed */
}

TEST_EACH(a_rejected_message_counts_as_such_and_its_sender_hears_why)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = refuse}, NULL);
    puppet_ref p = fixture_spawn(f, &sender, NULL);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 10});
    CHECK_OK(aldis_send(f->system, q, num, 1)); /* from nobody, whom nobody can tell */
    fixture_settle(f);
    CHECK_UINT(trace_count_of(TOLD), 10);
    for (size_t i = 0; i < 10; i++)
        CHECK_INT(trace_at(i).tag, i % 2 ? ALDIS_EREFUSED : ALDIS_ERATE);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.rejected, 11);
    CHECK_UINT(nums.handled, 0);
    CHECK_UINT(nums.failed, 2);
    CHECK_UINT(fixture_status(f, q.id).handled_msgs, 0);
}

/* ------------------------------------------------------------------ virtual time */

static aldis_err keep_for_ever(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    aldis_err err = aldis_unstash_all(ctx);
    EXPECT_OK(aldis_stash(ctx));
    if (err != ALDIS_OK)
        trace_add(TOLD, err, aldis_now(ctx));
    return ALDIS_OK;
}

TEST_VIRTUAL(two_that_are_kept_in_turn_cannot_stop_time)
{
    fixture_open(f, &(aldis_system_opts){.microsteps_max = 500});
    puppet_ref q = fixture_spawn(f, &(struct script){.num = keep_for_ever}, NULL);
    CHECK_OK(aldis_send(f->system, q, num, 1));
    CHECK_OK(aldis_send(f->system, q, num, 2));
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ELOOP);
    CHECK_INT(end, ALDIS_RUN_LOOP);
    CHECK(aldis_id_equal(aldis_error_last()->actor, q.id));
    CHECK_INT(trace_at(0).tag, ALDIS_ELOOP);
    CHECK_UINT(fixture_counts(f, "num").queued, 2);
}

static void count_handled(void *arg, const aldis_handled *handled)
{
    uint64_t *counts = arg;
    if (strcmp(handled->type_name, "num") == 0)
        __atomic_fetch_add(&counts[handled->sequence % 64], 1, __ATOMIC_RELAXED);
}

/* The same run on any number of workers; and whoever looks on hears of each message once. */
TEST(kept_messages_leave_one_run_print)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        uint64_t counts[64] = {0}, handled = 0;
        fixture_open(&f, NULL);
        CHECK_OK(aldis_system_on_handled(f.system, count_handled, counts));
        for (uint32_t i = 0; i < 8; i++) {
            aldis_spawn_opts here = on_shard(i), there = on_shard((i + 3) % 8);
            puppet_ref q = fixture_spawn(&f, &keeper, &here);
            puppet_ref p = fixture_spawn(&f, &sender, &there);
            fixture_tell(&f, p, send_nums, (struct act){.id = q.id, .a = 0, .b = 100});
            CHECK_OK(aldis_send_after(f.system, 10 * ALDIS_MS, q, act, .run = open_up, .a = 100));
        }
        fixture_settle(&f);
        for (size_t i = 0; i < 64; i++)
            handled += counts[i];
        CHECK_UINT(handled, 800);
        if (workers > 1)
            CHECK_UINT(aldis_system_run_print(f.system), print);
        print = aldis_system_run_print(f.system);
        fixture_close(&f);
    }
}
