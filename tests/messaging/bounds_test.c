// SPDX-License-Identifier: Apache-2.0
/* bounds_test.c: bounded subscriptions: a slow subscriber harms only itself, in both clocks. */
#include "core/fixture.h"

enum { GOT = 1, REFUSED = 2 };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_add(GOT, self->script.tag << 32 | value, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_refusal(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t i = 0; i < notice->count; i++)
        trace_add(REFUSED, notice->reason, aldis_now(ctx));
}

static aldis_fanout sums; /* of all publications */

/* a .. b, to topic "t.<value % memory[0]>" */
static aldis_err publish_values(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t value = act->a; value < act->b; value++) {
        char topic[16];
        aldis_fanout fanout;
        snprintf(topic, sizeof topic, "t.%d", (int)(value % act->id.bits));
        EXPECT_OK(aldis_publish_raw(ctx, topic, &num_type, &value, sizeof value, 0, &fanout));
        EXPECT_UINT(fanout.matched, fanout.delivered + fanout.refused);
        sums.matched += fanout.matched;
        sums.delivered += fanout.delivered;
        sums.refused += fanout.refused;
    }
    return ALDIS_OK;
}

static void publish(struct fixture *f, puppet_ref from, uint64_t first, uint64_t end,
                    uint64_t topics)
{
    fixture_tell(f, from, publish_values, (struct act){.id = {topics}, .a = first, .b = end});
    fixture_settle(f);
}

static puppet_ref spawn_at(struct fixture *f, uint64_t tag, uint32_t shard)
{
    const struct script script = {.num = trace_num, .undelivered = trace_refusal, .tag = tag};
    return fixture_spawn(f, &script,
                         &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
}

static void subscribe(struct fixture *f, puppet_ref actor, const char *pattern, uint32_t most,
                      aldis_topic_overflow overflow)
{
    const aldis_subscribe_opts opts = {.waiting_max = most, .overflow = overflow};
    CHECK_OK(aldis_system_subscribe_with(f->system, actor.id, pattern, &opts));
}

/* A slow subscriber with a bound, a fast one without, 100 publications while the slow one stands
 * still. The publisher is on shard 0, the slow one on `shard`. Gives the slow one. */
static puppet_ref slow_and_fast(struct fixture *f, uint32_t shard, uint32_t most,
                                aldis_topic_overflow overflow, uint64_t topics)
{
    fixture_open(f, NULL);
    trace_clear();
    sums = (aldis_fanout){0};
    puppet_ref p = spawn_at(f, 0, 0), slow = spawn_at(f, 1, shard), fast = spawn_at(f, 2, shard);
    subscribe(f, slow, "t.*", most, overflow);
    subscribe(f, fast, "t.*", 0, ALDIS_TOPIC_DROP_NEWEST);
    CHECK_OK(aldis_pause(f->system, slow.id));
    fixture_settle(f);
    publish(f, p, 0, 100, topics);
    for (uint64_t value = 0; value < 100; value++) /* the fast one has all */
        CHECK(trace_find(GOT, UINT64_C(2) << 32 | value) < TRACE_MAX);
    CHECK_UINT(sums.matched, 200);
    return slow;
}

/* What the slow one handles when it goes on: first .. first+count-1, and the rest is counted. */
static void check_kept(struct fixture *f, puppet_ref slow, uint64_t first, uint64_t count)
{
    CHECK_UINT(fixture_status(f, slow.id).depth_msgs, count);
    aldis_type_stats counts = fixture_counts(f, "num");
    CHECK_UINT(counts.queued, count);
    CHECK_UINT(counts.dropped, 100 - count);
    /* Each drop is told: by the result, or by a notice. */
    CHECK_UINT(sums.refused + trace_count_of(REFUSED), 100 - count);
    trace_clear();
    CHECK_OK(aldis_resume(f->system, slow.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), count);
    for (uint64_t i = 0; i < count; i++)
        CHECK_UINT(trace_at(i).tag, UINT64_C(1) << 32 | (first + i));
    fixture_close(f);
}

TEST_EACH(drop_newest_keeps_the_first)
{
    for (uint32_t shard = 0; shard < 2; shard++)
        check_kept(f, slow_and_fast(f, shard, 10, ALDIS_TOPIC_DROP_NEWEST, 1), 0, 10);
}

TEST_EACH(drop_oldest_keeps_the_last)
{
    for (uint32_t shard = 0; shard < 2; shard++)
        check_kept(f, slow_and_fast(f, shard, 10, ALDIS_TOPIC_DROP_OLDEST, 1), 90, 10);
}

TEST_EACH(keep_newest_keeps_one_of_each_topic)
{
    for (uint32_t shard = 0; shard < 2; shard++) {
        check_kept(f, slow_and_fast(f, shard, 0, ALDIS_TOPIC_KEEP_NEWEST, 1), 99, 1);
        check_kept(f, slow_and_fast(f, shard, 0, ALDIS_TOPIC_KEEP_NEWEST, 7), 93, 7);
        check_kept(f, slow_and_fast(f, shard, 3, ALDIS_TOPIC_KEEP_NEWEST, 7), 97, 3);
    }
}

/* Its other mail has its place and its order beside a flooded topic. */
TEST_EACH(other_mail_is_not_touched)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0), slow = spawn_at(f, 1, 1);
    subscribe(f, slow, "t.*", 2, ALDIS_TOPIC_DROP_OLDEST);
    CHECK_OK(aldis_pause(f->system, slow.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 3; i++) {
        publish(f, p, 10 * i, 10 * i + 10, 1);
        CHECK_OK(aldis_send(f->system, slow, num, 1000 + i));
        fixture_settle(f);
    }
    CHECK_UINT(fixture_status(f, slow.id).depth_msgs, 5);
    CHECK_OK(aldis_resume(f->system, slow.id));
    fixture_settle(f);
    static const uint64_t expected[] = {1000, 1001, 28, 29, 1002};
    size_t found = 0;
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == GOT)
            CHECK_UINT(trace_at(i).tag, UINT64_C(1) << 32 | expected[found++]);
    CHECK_UINT(found, 5);
    /* All counts are gone with the mail: the next two fit again. */
    publish(f, p, 50, 52, 1);
    CHECK_UINT(fixture_counts(f, "num").dropped, 28);
}

/* What the mailbox itself drops or refuses is not counted as waiting any more. */
TEST_EACH(the_mailbox_has_its_own_bound)
{
    static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                     ALDIS_DROP_OLDEST};
    for (size_t i = 0; i < 4; i++) {
        fixture_open(f, NULL);
        puppet_ref p = spawn_at(f, 0, 0);
        aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = 5, .policy = policies[i]}};
        puppet_ref slow = fixture_spawn(f, &(struct script){.num = trace_num, .tag = 1}, &opts);
        subscribe(f, slow, "t.*", 8, ALDIS_TOPIC_DROP_NEWEST);
        CHECK_OK(aldis_pause(f->system, slow.id));
        fixture_settle(f);
        publish(f, p, 0, 20, 1);
        CHECK_UINT(fixture_status(f, slow.id).depth_msgs, 5);
        CHECK_OK(aldis_resume(f->system, slow.id));
        fixture_settle(f);
        CHECK_OK(aldis_pause(f->system, slow.id));
        fixture_settle(f);
        publish(f, p, 0, 20, 1);
        CHECK_UINT(fixture_status(f, slow.id).depth_msgs, 5);
        CHECK_OK(aldis_kill(f->system, slow.id)); /* with all that waits */
        fixture_settle(f);
        fixture_close(f);
    }
}

static aldis_err look_at_topic(struct puppet *self, const unsigned char *bytes, size_t size,
                               aldis_ctx *ctx)
{
    EXPECT_UINT(size, 5);
    EXPECT(memcmp(bytes, "hello", 5) == 0);
    EXPECT(strcmp(aldis_topic_of(ctx), "t.raw") == 0);
    self->count++;
    return ALDIS_OK;
}

static aldis_err publish_raw(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_publish_raw(ctx, "t.raw", &raw_type, "hello", 5, 0, NULL));
    return ALDIS_OK;
}

TEST_EACH(a_bounded_message_has_its_topic_and_its_length)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0);
    puppet_ref a = fixture_spawn(f, &(struct script){.raw = look_at_topic}, NULL);
    puppet_ref b = fixture_spawn(f, &(struct script){.raw = look_at_topic}, NULL);
    subscribe(f, a, "t.raw", 1, ALDIS_TOPIC_DROP_OLDEST);
    subscribe(f, b, ">", 0, ALDIS_TOPIC_DROP_NEWEST);
    fixture_tell(f, p, publish_raw, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "raw").handled, 2);
}

/* A member of a group that is at its bound is passed over, as far as it can be seen. */
TEST_LIVE(a_group_passes_over_a_member_at_its_bound)
{
    if (f->workers > 1)
        SKIP("the members must be on the publisher's worker");
    fixture_open(f, NULL);
    sums = (aldis_fanout){0};
    puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 0), b = spawn_at(f, 2, 0);
    const aldis_subscribe_opts opts = {.group = "g", .waiting_max = 3};
    CHECK_OK(aldis_system_subscribe_with(f->system, a.id, "t.*", &opts));
    CHECK_OK(aldis_system_subscribe_with(f->system, b.id, "t.*", &opts));
    CHECK_OK(aldis_pause(f->system, a.id));
    CHECK_OK(aldis_pause(f->system, b.id));
    fixture_settle(f);
    publish(f, p, 0, 10, 1);
    CHECK_UINT(sums.delivered, 6);
    CHECK_UINT(sums.refused, 4);
    CHECK_UINT(fixture_status(f, a.id).depth_msgs, 3);
}

TEST_EACH(bad_bounds_are_refused)
{
    static const aldis_subscribe_opts bad[] = {
        {.waiting_max = ALDIS_TOPIC_WAITING_MAX + 1},
        {.overflow = ALDIS_TOPIC_DROP_OLDEST},
        {.waiting_max = 1, .overflow = (aldis_topic_overflow)3},
    };
    fixture_open(f, NULL);
    puppet_ref a = spawn_at(f, 1, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_ERR(aldis_system_subscribe_with(f->system, a.id, "t", &bad[i]), ALDIS_EINVAL);
}

/* The same run on any number of workers: busy subscribers drop by their own logical order. */
static aldis_err be_slow(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    self->memory[0] = self->memory[0] * 31 + value;
    return aldis_busy(ctx, 5 * ALDIS_MS);
}

static aldis_err publish_and_go_on(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    uint64_t value = self->script.tag << 16 | self->count;
    EXPECT_OK(aldis_publish(ctx, value % 2 ? "t.odd" : "t.even", NULL, num, value));
    return self->count < 40 ? aldis_signal_after(ctx, ALDIS_MS, me, tick) : ALDIS_OK;
}

static uint64_t run_print(uint32_t workers)
{
    enum { PUBLISHERS = 8, SUBSCRIBERS = 12 };
    struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = workers};
    fixture_open(&f, NULL);
    for (uint64_t i = 0; i < SUBSCRIBERS; i++) {
        puppet_ref s = fixture_spawn(&f, &(struct script){.num = be_slow}, NULL);
        const aldis_subscribe_opts opts = {.waiting_max = 1 + (uint32_t)i % 4,
                                           .overflow = (aldis_topic_overflow)(i % 3),
                                           .group = i < 4 ? "g" : NULL};
        CHECK_OK(aldis_system_subscribe_with(f.system, s.id, i % 2 ? "t.*" : "t.odd", &opts));
    }
    for (uint64_t i = 0; i < PUBLISHERS; i++) {
        puppet_ref p =
            fixture_spawn(&f, &(struct script){.tick = publish_and_go_on, .tag = i}, NULL);
        CHECK_OK(aldis_signal(f.system, p, tick));
    }
    fixture_settle(&f);
    CHECK(fixture_counts(&f, "num").dropped > 0);
    uint64_t print = aldis_system_run_print(f.system);
    fixture_close(&f);
    return print;
}

TEST(any_number_of_workers_drops_the_same)
{
    uint64_t one = run_print(1);
    CHECK_UINT(run_print(2), one);
    CHECK_UINT(run_print(4), one);
}
