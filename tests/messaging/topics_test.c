// SPDX-License-Identifier: Apache-2.0
/* topics_test.c: subscribe, publish, and who is in which list; in both clocks. */
#include "core/fixture.h"

#include "messaging/router.h"

enum { GOT = 1 };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_add(GOT, self->script.tag << 32 | value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script listener = {.num = trace_num};

/* What the last publication of a handler gave; read when all is settled. */
static aldis_fanout fanout;
static aldis_err outcome;

static aldis_err do_publish(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = act->b;
    (void)self;
    fanout = (aldis_fanout){77, 77, 77, 77};
    outcome = aldis_publish_raw(ctx, "news.sol", &num_type, &value, sizeof value, (unsigned)act->a,
                                &fanout);
    return ALDIS_OK;
}

static void publish(struct fixture *f, puppet_ref from, unsigned flags, uint64_t value)
{
    fixture_tell(f, from, do_publish, (struct act){.a = flags, .b = value});
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

static aldis_err do_subscribe(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_subscribe(ctx, "news.sol"));
    return ALDIS_OK;
}

static aldis_err do_unsubscribe(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_unsubscribe(ctx, "news.sol"));
    return ALDIS_OK;
}

static puppet_ref spawn_listener(struct fixture *f, uint64_t tag)
{
    struct script script = listener;
    script.tag = tag;
    return fixture_spawn(f, &script, NULL);
}

static size_t subscribers(struct fixture *f)
{
    return aldis_system_subscribers(f->system, "news.sol", NULL, 0);
}

/* Who has ended is in no table, and takes no memory. */
static void check_tables_empty(struct fixture *f)
{
    struct aldis__router_sizes sizes = aldis__router_sizes(f->system);
    CHECK_UINT(sizes.actors, 0);
    CHECK_UINT(sizes.subscriptions, 0);
}

/* ------------------------------------------------------------------ subscribe and publish */

TEST_EACH(a_publication_reaches_each_subscriber_once)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    publish(f, p, 0, 1);
    check_fanout(0, 0, 0, 0);
    for (uint64_t tag = 1; tag <= 5; tag++) {
        puppet_ref s = spawn_listener(f, tag);
        if (tag % 2) {
            CHECK_OK(aldis_system_subscribe(f->system, s.id, "news.sol"));
            CHECK_OK(aldis_system_subscribe(f->system, s.id, "news.sol"));
        } else {
            fixture_tell(f, s, do_subscribe, (struct act){0});
            fixture_tell(f, s, do_subscribe, (struct act){0});
            fixture_settle(f);
        }
    }
    CHECK_UINT(subscribers(f), 5);
    publish(f, p, 0, 9);
    check_fanout(5, 5, 0, 0);
    CHECK_UINT(trace_count(), 5);
    for (uint64_t tag = 1; tag <= 5; tag++)
        CHECK(trace_find(GOT, tag << 32 | 9) < 5);
    CHECK_UINT(fixture_counts(f, "num").sent, 5);
}

TEST_EACH(who_has_left_gets_no_more)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    CHECK_OK(aldis_system_subscribe(f->system, b.id, "news.sol"));
    publish(f, p, 0, 1);
    check_fanout(2, 2, 0, 0);
    fixture_tell(f, a, do_unsubscribe, (struct act){0});
    fixture_tell(f, a, do_unsubscribe, (struct act){0}); /* the second end is one */
    fixture_settle(f);
    publish(f, p, 0, 2);
    check_fanout(1, 1, 0, 0);
    CHECK_OK(aldis_system_unsubscribe(f->system, b.id, "news.sol"));
    CHECK_OK(aldis_system_unsubscribe(f->system, b.id, "news.sol"));
    publish(f, p, 0, 3);
    check_fanout(0, 0, 0, 0);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    publish(f, p, 0, 4);
    check_fanout(1, 1, 0, 0);
    CHECK_UINT(trace_count(), 4);
    CHECK(trace_find(GOT, UINT64_C(1) << 32 | 2) == TRACE_MAX);
}

TEST_EACH(the_lists_can_be_read_in_order_of_subscription)
{
    enum { COUNT = 50 };
    aldis_id ids[COUNT], read[COUNT];
    fixture_open(f, NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        ids[i] = spawn_listener(f, i).id;
        CHECK_OK(aldis_system_subscribe(f->system, ids[i], "news.sol"));
    }
    CHECK_UINT(aldis_system_subscribers(f->system, "news.sol", read, COUNT), COUNT);
    CHECK(memcmp(ids, read, sizeof ids) == 0);
    /* The first leaves and comes back: it is the last now. */
    CHECK_OK(aldis_system_unsubscribe(f->system, ids[0], "news.sol"));
    CHECK_OK(aldis_system_subscribe(f->system, ids[0], "news.sol"));
    memset(read, 0, sizeof read);
    CHECK_UINT(aldis_system_subscribers(f->system, "news.sol", read, COUNT - 1), COUNT);
    CHECK(memcmp(ids + 1, read, (COUNT - 1) * sizeof *ids) == 0);
    CHECK(aldis_id_is_nobody(read[COUNT - 1])); /* beyond max: not touched */
    CHECK_UINT(aldis_system_subscribers(f->system, "news.mars", read, COUNT), 0);
    CHECK_UINT(aldis_system_subscribers(f->system, NULL, read, COUNT), 0);
}

TEST_EACH(what_an_actor_is_subscribed_to_can_be_read)
{
    char topics[4][ALDIS_TOPIC_MAX + 1];
    fixture_open(f, NULL);
    puppet_ref a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    CHECK_UINT(aldis_system_subscriptions(f->system, a.id, topics, 4), 0);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "one"));
    CHECK_OK(aldis_system_subscribe(f->system, b.id, "two"));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "two"));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "three.x"));
    CHECK_UINT(aldis_system_subscriptions(f->system, a.id, topics, 2), 3);
    CHECK_STR(topics[0], "one");
    CHECK_STR(topics[1], "two");
    CHECK_OK(aldis_system_unsubscribe(f->system, a.id, "two"));
    CHECK_UINT(aldis_system_subscriptions(f->system, a.id, topics, 4), 2);
    CHECK_STR(topics[0], "one");
    CHECK_STR(topics[1], "three.x");
    CHECK_UINT(aldis_system_subscriptions(f->system, aldis_nobody(), topics, 4), 0);
}

TEST_EACH(topics_are_told_apart)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news"));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.so"));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol.earth"));
    publish(f, p, 0, 1);
    check_fanout(0, 0, 0, 0);
}

/* ------------------------------------------------------------------ nobody, oneself, strangers */

TEST_EACH(nobody_is_an_error_on_request_only)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    publish(f, p, ALDIS_FANOUT_SOMEONE, 1);
    CHECK_ERR(outcome, ALDIS_ENOSUBS);
    CHECK_UINT(fanout.matched, 77); /* written on ALDIS_OK only */
    puppet_ref a = spawn_listener(f, 1);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    publish(f, p, ALDIS_FANOUT_SOMEONE, 1);
    check_fanout(1, 1, 0, 0);
    CHECK_UINT(fixture_counts(f, "num").sent, 1);
}

TEST_EACH(the_publisher_gets_its_own_only_when_it_asks)
{
    fixture_open(f, NULL);
    puppet_ref a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    CHECK_OK(aldis_system_subscribe(f->system, b.id, "news.sol"));
    publish(f, a, 0, 1);
    check_fanout(1, 1, 0, 0);
    CHECK(trace_find(GOT, UINT64_C(2) << 32 | 1) < TRACE_MAX);
    CHECK_UINT(trace_count(), 1);
    publish(f, a, ALDIS_FANOUT_TO_SELF, 2);
    check_fanout(2, 2, 0, 0);
    CHECK_UINT(trace_count(), 3);
}

TEST_EACH(kinds_that_do_not_accept_the_type_are_skipped)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1);
    stranger_ref s;
    CHECK_OK(aldis_spawn(f->system, stranger, &s, NULL));
    CHECK_OK(aldis_system_subscribe(f->system, s.id, "news.sol"));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    publish(f, p, 0, 1);
    check_fanout(1, 1, 0, 1);
    CHECK_UINT(fixture_counts(f, "num").sent, 1);
    CHECK_OK(aldis_stop(f->system, a.id));
    fixture_settle(f);
    publish(f, p, ALDIS_FANOUT_SOMEONE, 2);
    CHECK_ERR(outcome, ALDIS_ENOSUBS);
}

/* ------------------------------------------------------------------ the dead */

static void check_end_unsubscribes(struct fixture *f, aldis_command command)
{
    char topics[1][ALDIS_TOPIC_MAX + 1];
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    fixture_tell(f, b, do_subscribe, (struct act){0});
    fixture_settle(f);
    publish(f, p, 0, 1); /* the publisher's worker has its snapshot now */
    check_fanout(2, 2, 0, 0);
    CHECK_OK(aldis_system_command(f->system, a.id, command, 0));
    fixture_settle(f);
    CHECK_UINT(subscribers(f), 1);
    CHECK_UINT(aldis_system_subscriptions(f->system, a.id, topics, 1), 0);
    publish(f, p, 0, 2);
    check_fanout(1, 1, 0, 0);
    CHECK_ERR(aldis_system_subscribe(f->system, a.id, "news.sol"), ALDIS_ESTALE);
    CHECK_OK(aldis_system_unsubscribe(f->system, a.id, "news.sol"));
    CHECK_OK(aldis_system_command(f->system, b.id, command, 0));
    fixture_settle(f);
    CHECK_UINT(subscribers(f), 0);
    check_tables_empty(f);
    publish(f, p, 0, 3);
    check_fanout(0, 0, 0, 0);
}

TEST_EACH(a_stop_ends_all_subscriptions)
{
    check_end_unsubscribes(f, ALDIS_CMD_STOP);
}

TEST_EACH(a_drain_ends_all_subscriptions)
{
    check_end_unsubscribes(f, ALDIS_CMD_DRAIN);
}

TEST_EACH(a_kill_ends_all_subscriptions)
{
    check_end_unsubscribes(f, ALDIS_CMD_KILL);
}

/* A new actor in the slot of one that was subscribed gets nothing meant for that one. */
TEST_EACH(the_next_actor_of_a_slot_is_another)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1);
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "news.sol"));
    publish(f, p, 0, 1);
    CHECK_OK(aldis_stop(f->system, a.id));
    fixture_settle(f);
    puppet_ref b = spawn_listener(f, 2);
    CHECK_UINT(b.id.bits, a.id.bits + 1); /* the same slot, the next generation */
    fixture_settle(f);
    publish(f, p, 0, 2);
    check_fanout(0, 0, 0, 0);
    CHECK_UINT(trace_count(), 1);
}

static void subscribe_at_the_end(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_subscribe(ctx, "news.sol"));
}

TEST_EACH(a_subscription_made_in_on_stop_ends_with_it)
{
    const struct script late = {.stop = subscribe_at_the_end};
    fixture_open(f, NULL);
    for (int i = 0; i < 3; i++) {
        puppet_ref a = fixture_spawn(f, &late, NULL);
        CHECK_OK(aldis_stop(f->system, a.id));
        fixture_settle(f);
        CHECK_UINT(subscribers(f), 0);
        check_tables_empty(f);
    }
}

static aldis_err subscribe_and_fail(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_subscribe(ctx, "news.sol"));
    return aldis_fail(ctx, "no berth");
}

TEST_EACH(a_failed_start_ends_all_subscriptions)
{
    const struct script fails = {.start = subscribe_and_fail};
    fixture_open(f, NULL);
    fixture_spawn(f, &fails, NULL);
    fixture_settle(f);
    CHECK_UINT(subscribers(f), 0);
    check_tables_empty(f);
}

/* ------------------------------------------------------------------ what is refused */

TEST_EACH(bad_topics_are_refused_with_the_reason)
{
    char long_topic[ALDIS_TOPIC_MAX + 2], longest[ALDIS_TOPIC_MAX + 1];
    memset(long_topic, 'a', sizeof long_topic);
    long_topic[ALDIS_TOPIC_MAX + 1] = '\0';
    memset(longest, 'a', sizeof longest);
    longest[ALDIS_TOPIC_MAX] = '\0';
    const struct {
        const char *topic, *reason;
    } bad[] = {{"", "empty"},
               {NULL, "NULL"},
               {long_topic, "longer"},
               {".", "empty token at byte 0"},
               {".a", "empty token at byte 0"},
               {"a.", "empty token at byte 2"},
               {"a..b", "empty token at byte 2"},
               {"a b", "space at byte 1"},
               {"a.b*", "wildcard inside a token at byte 3"},
               {"a.>b", "wildcard inside a token at byte 2"},
               {"**", "wildcard inside a token at byte 0"},
               {"a.>.b", "'>' before the last token at byte 2"},
               {">.>", "'>' before the last token at byte 0"},
               {"*.", "empty token at byte 2"},
               {"a\tb", "control character at byte 1"},
               {"a\xff", "no UTF-8 at byte 1"}};
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_ERR(aldis_system_subscribe(f->system, a.id, bad[i].topic), ALDIS_EINVAL);
        if (!strstr(aldis_error_last()->text, bad[i].reason))
            test_fail(__FILE__, __LINE__, "topic %zu: \"%s\" does not say \"%s\"", i,
                      aldis_error_last()->text, bad[i].reason);
        CHECK_ERR(aldis_system_unsubscribe(f->system, a.id, bad[i].topic), ALDIS_EINVAL);
    }
    CHECK_OK(aldis_system_subscribe(f->system, a.id, longest));
    CHECK_OK(aldis_system_subscribe(f->system, a.id, "a.b-c._.Köln.\xf0\x9f\x9a\x80"));
}

static aldis_err misuse(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = 1;
    (void)self;
    EXPECT_ERR(aldis_subscribe(ctx, "a..b"), ALDIS_EINVAL);
    EXPECT_ERR(aldis_unsubscribe(ctx, "a b"), ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a.*", &num_type, &value, sizeof value, 0, NULL),
               ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, NULL, &num_type, &value, sizeof value, 0, NULL),
               ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a", NULL, &value, sizeof value, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a", &num_type, NULL, sizeof value, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a", &num_type, &value, 3, 0, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a", &num_type, &value, sizeof value, 8, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_publish_raw(ctx, "a", &raw_type, &value, ALDIS_PAYLOAD_MAX + 1, 0, NULL),
               ALDIS_ETOOLARGE);
    EXPECT_ERR(aldis_system_subscribe(aldis_system_of(ctx), act->id, "a"), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_unsubscribe(aldis_system_of(ctx), act->id, "a"), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_EACH(misuse_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, misuse, (struct act){.id = a.id});
    fixture_settle(f);
    CHECK_ERR(aldis_subscribe(NULL, "a"), ALDIS_EINVAL);
    CHECK_ERR(aldis_unsubscribe(NULL, "a"), ALDIS_EINVAL);
    CHECK_ERR(aldis_publish(NULL, "a", NULL, num, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_subscribe(NULL, a.id, "a"), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_subscribe(f->system, (aldis_id){a.id.bits + 1}, "a"), ALDIS_ENOTFOUND);
    CHECK_UINT(aldis_system_subscribers(NULL, "a", NULL, 0), 0);
    CHECK_UINT(fixture_counts(f, "num").sent, 0);
    CHECK_OK(aldis_system_stop(f->system, 10 * ALDIS_SECOND));
    CHECK_ERR(aldis_system_subscribe(f->system, a.id, "a"), ALDIS_ESTATE);
}

/* ------------------------------------------------------------------ windows */

/* Everything that happens to the lists inside a window shows from the next one on. */
static aldis_err subscribe_and_publish(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_fanout before, after;
    (void)self;
    EXPECT_OK(aldis_publish(ctx, "news.sol", &before, num, 1));
    EXPECT_OK(act->a ? aldis_subscribe(ctx, "news.sol") : aldis_unsubscribe(ctx, "news.sol"));
    EXPECT_OK(aldis_publish_raw(ctx, "news.sol", &num_type, &act->b, sizeof act->b,
                                ALDIS_FANOUT_TO_SELF, &after));
    EXPECT_UINT(before.matched, act->b);
    EXPECT_UINT(after.matched, act->a ? act->b : act->b + 1);
    EXPECT_UINT(aldis_system_subscribers(aldis_system_of(ctx), "news.sol", NULL, 0),
                act->a ? act->b : act->b + 1);
    return ALDIS_OK;
}

TEST_VIRTUAL(inside_a_window_the_lists_stand_still)
{
    fixture_open(f, NULL);
    puppet_ref a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    fixture_tell(f, a, subscribe_and_publish, (struct act){.a = 1, .b = 0});
    fixture_tell(f, b, subscribe_and_publish, (struct act){.a = 1, .b = 0});
    fixture_settle(f);
    CHECK_UINT(subscribers(f), 2);
    fixture_tell(f, a, subscribe_and_publish, (struct act){.a = 0, .b = 1});
    fixture_settle(f);
    CHECK_UINT(subscribers(f), 1);
}

/* In the order (time, actor), whoever ran first. */
TEST_VIRTUAL(subscriptions_of_a_window_stand_in_logical_order)
{
    aldis_id read[3];
    fixture_open(f, NULL);
    puppet_ref a = spawn_listener(f, 1), b = spawn_listener(f, 2), c = spawn_listener(f, 3);
    struct act act = {.run = do_subscribe};
    fixture_settle(f);
    CHECK_OK(aldis_send_with(f->system, c, act, &act, &(aldis_send_opts){.delay_ns = 1000}));
    CHECK_OK(aldis_send_with(f->system, b, act, &act, &(aldis_send_opts){.delay_ns = 2000}));
    CHECK_OK(aldis_send_with(f->system, a, act, &act, &(aldis_send_opts){.delay_ns = 2000}));
    fixture_settle(f);
    CHECK_UINT(aldis_system_subscribers(f->system, "news.sol", read, 3), 3);
    CHECK_UINT(read[0].bits, c.id.bits);
    CHECK_UINT(read[1].bits, a.id.bits);
    CHECK_UINT(read[2].bits, b.id.bits);
}

/* ------------------------------------------------------------------ many */

/* Many topics, more than a worker keeps snapshots for at first; each is asked again. */
static aldis_err publish_to_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t i = 0; i < act->a; i++) {
            char topic[32];
            aldis_fanout result;
            snprintf(topic, sizeof topic, "many.%" PRIu64, i);
            EXPECT_OK(aldis_publish(ctx, topic, &result, num, i));
            EXPECT_UINT(result.delivered, i % 2);
        }
    return ALDIS_OK;
}

TEST_EACH(many_topics_are_kept_apart)
{
    enum { TOPICS = 1000 };
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref a =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 2 * TOPICS}});
    for (int i = 1; i < TOPICS; i += 2) {
        char topic[32];
        snprintf(topic, sizeof topic, "many.%d", i);
        CHECK_OK(aldis_system_subscribe(f->system, a.id, topic));
    }
    fixture_tell(f, p, publish_to_many, (struct act){.a = TOPICS});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, TOPICS);
    CHECK_OK(aldis_stop(f->system, a.id));
    fixture_settle(f);
    CHECK_UINT(aldis_system_subscribers(f->system, "many.1", NULL, 0), 0);
    CHECK_UINT(aldis_system_subscribers(f->system, "many.999", NULL, 0), 0);
}
