// SPDX-License-Identifier: Apache-2.0
/* last_test.c: topics that keep their last value for those who subscribe later; in both clocks. */
#include "core/fixture.h"

enum { GOT = 1 };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    bool known = !aldis_id_is_nobody(aldis_sender(ctx));
    trace_add(GOT, self->script.tag << 32 | value << 8 | strlen(aldis_topic_of(ctx)) << 1 | known,
              aldis_now(ctx));
    return ALDIS_OK;
}

static puppet_ref spawn_at(struct fixture *f, uint64_t tag, uint32_t shard)
{
    const struct script script = {.num = trace_num, .tag = tag};
    return fixture_spawn(f, &script,
                         &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
}

static const char *topic;

static aldis_err do_publish(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_publish(ctx, topic, NULL, num, act->b));
    return ALDIS_OK;
}

static void publish(struct fixture *f, puppet_ref from, const char *to, uint64_t value)
{
    topic = to;
    fixture_tell(f, from, do_publish, (struct act){.b = value});
    fixture_settle(f);
}

static aldis_err do_subscribe(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_subscribe(ctx, topic));
    return ALDIS_OK;
}

static void subscribe(struct fixture *f, puppet_ref actor, const char *to, bool outside)
{
    topic = to;
    if (outside)
        CHECK_OK(aldis_system_subscribe(f->system, actor.id, to));
    else
        fixture_tell(f, actor, do_subscribe, (struct act){0});
    fixture_settle(f);
}

/* value, length of the topic, is the sender known */
static void check_got(size_t index, uint64_t tag, uint64_t value, uint64_t length, uint64_t known)
{
    CHECK_UINT(trace_at(index).tag, tag << 32 | value << 8 | length << 1 | known);
}

TEST_EACH(who_comes_late_gets_the_last_value)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 0), b = spawn_at(f, 2, 1);
    CHECK_OK(aldis_topic_keep(f->system, "price", true));
    CHECK_OK(aldis_topic_keep(f->system, "price", true));
    subscribe(f, a, "price", true);
    CHECK_UINT(trace_count(), 0); /* there is none yet */
    publish(f, p, "price", 1);
    publish(f, p, "price", 2);
    publish(f, p, "other", 3);
    CHECK_UINT(trace_count(), 2);
    subscribe(f, b, "price", true);
    CHECK_UINT(trace_count(), 3);
    check_got(2, 2, 2, 5, 1);
    subscribe(f, b, "price", true); /* the second is one: it has it already */
    CHECK_UINT(trace_count(), 3);
    publish(f, p, "price", 4);
    CHECK_UINT(trace_count(), 5);
    /* Its publisher ends; the value stays. */
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    subscribe(f, spawn_at(f, 3, 2), "price", false);
    check_got(5, 3, 4, 5, 0);
    CHECK_OK(aldis_topic_keep(f->system, "price", false));
    subscribe(f, spawn_at(f, 4, 2), "price", false);
    CHECK_UINT(trace_count(), 6);
}

TEST_EACH(a_pattern_gets_all_last_values_in_order)
{
    for (int outside = 0; outside < 2; outside++) {
        fixture_open(f, NULL);
        trace_clear();
        puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 1);
        CHECK_OK(aldis_topic_keep(f->system, "p.bbb", true));
        CHECK_OK(aldis_topic_keep(f->system, "p.a", true));
        CHECK_OK(aldis_topic_keep(f->system, "q.a", true));
        CHECK_OK(aldis_topic_keep(f->system, "p.cc.d", true));
        publish(f, p, "p.cc.d", 1);
        publish(f, p, "p.bbb", 2);
        publish(f, p, "q.a", 3);
        publish(f, p, "p.a", 4);
        subscribe(f, a, "p.*", outside);
        CHECK_UINT(trace_count(), 2);
        check_got(0, 1, 4, 3, 1);
        check_got(1, 1, 2, 5, 1);
        subscribe(f, spawn_at(f, 2, 0), "p.>", outside);
        CHECK_UINT(trace_count(), 5);
        fixture_close(f);
    }
}

TEST_EACH(groups_and_strangers_get_none)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 1);
    stranger_ref s;
    CHECK_OK(aldis_spawn(f->system, stranger, &s, NULL));
    CHECK_OK(aldis_topic_keep(f->system, "t", true));
    publish(f, p, "t", 1);
    CHECK_OK(
        aldis_system_subscribe_with(f->system, a.id, "t", &(aldis_subscribe_opts){.group = "g"}));
    CHECK_OK(aldis_system_subscribe(f->system, s.id, "t"));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
}

/* The last values count against the bound of the subscription that they are for. */
TEST_EACH(last_values_are_bounded)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 1);
    for (uint64_t i = 0; i < 9; i++) {
        char text[8];
        snprintf(text, sizeof text, "t.%d", (int)i);
        CHECK_OK(aldis_topic_keep(f->system, text, true));
        publish(f, p, text, i);
    }
    CHECK_OK(aldis_pause(f->system, a.id));
    fixture_settle(f);
    CHECK_OK(aldis_system_subscribe_with(
        f->system, a.id, "t.*",
        &(aldis_subscribe_opts){.waiting_max = 3, .overflow = ALDIS_TOPIC_DROP_OLDEST}));
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, a.id).depth_msgs, 3);
    CHECK_UINT(fixture_counts(f, "num").dropped, 6);
    CHECK_OK(aldis_resume(f->system, a.id));
    fixture_settle(f);
    check_got(0, 1, 6, 3, 1);
}

/* Subscribe and publish in one window, both ways round: the one value is got once. */
static aldis_err publish_two(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_OK(aldis_publish(ctx, "t", NULL, num, 2 * self->script.tag));
    EXPECT_OK(aldis_publish(ctx, "t", NULL, num, 2 * self->script.tag + 1));
    return ALDIS_OK;
}

static aldis_err subscribe_now(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_subscribe(ctx, "t"));
    return ALDIS_OK;
}

TEST_VIRTUAL(in_one_window_the_last_value_is_that_of_its_end)
{
    fixture_open(f, NULL);
    CHECK_OK(aldis_topic_keep(f->system, "t", true));
    puppet_ref late[2];
    const struct script listens = {.tick = subscribe_now, .num = trace_num, .tag = 9};
    late[0] = fixture_spawn(f, &listens, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = publish_two, .tag = 3}, NULL);
    late[1] = fixture_spawn(f, &listens, NULL);
    CHECK_OK(aldis_signal(f->system, late[0], tick));
    CHECK_OK(aldis_signal(f->system, p, tick));
    CHECK_OK(aldis_signal(f->system, late[1], tick));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    check_got(0, 9, 7, 1, 1);
    check_got(1, 9, 7, 1, 1);
}

/* Live, subscribers come while a publisher publishes: each sees one value, the last one or a newer
 * one, and then every following one, none twice and none missing. */
static aldis_err follow(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)ctx;
    if (self->memory[1]++)
        EXPECT_UINT(value, self->memory[0] + 1);
    self->memory[0] = value;
    return ALDIS_OK;
}

static aldis_err publish_on(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    EXPECT_OK(aldis_publish(ctx, "t", NULL, num, self->memory[0]++));
    if (self->memory[0] % 20 == 0)
        puppet_spawn(ctx, &(struct script){.start = subscribe_now, .num = follow},
                     &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
    return self->memory[0] < 600 ? aldis_signal(ctx, me, tick) : ALDIS_OK;
}

TEST_EACH(no_value_is_missed_and_none_comes_twice)
{
    fixture_open(f, NULL);
    CHECK_OK(aldis_topic_keep(f->system, "t", true));
    puppet_ref p = fixture_spawn(f, &(struct script){.tick = publish_on}, NULL);
    CHECK_OK(aldis_signal(f->system, p, tick));
    fixture_settle(f);
    CHECK(fixture_counts(f, "num").handled > 600);
    CHECK_UINT(fixture_counts(f, "num").handled, fixture_counts(f, "num").sent);
}

static aldis_err from_handler(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_topic_keep(ctx, "t", true));
    EXPECT_ERR(aldis_topic_keep(ctx, "t.*", true), ALDIS_EINVAL);
    EXPECT_ERR(aldis_system_topic_keep(aldis_system_of(ctx), "t", true), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_EACH(a_handler_asks_for_it_too)
{
    fixture_open(f, NULL);
    puppet_ref p = spawn_at(f, 0, 0), a = spawn_at(f, 1, 1);
    fixture_tell(f, p, from_handler, (struct act){0});
    fixture_settle(f);
    publish(f, p, "t", 5);
    subscribe(f, a, "*", true);
    CHECK_UINT(trace_count(), 1);
    check_got(0, 1, 5, 1, 1);
    CHECK_ERR(aldis_topic_keep(f->system, "a b", true), ALDIS_EINVAL);
}
