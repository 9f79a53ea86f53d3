// SPDX-License-Identifier: Apache-2.0
/* wildcards_test.c: patterns of topics and queue groups, in both clocks; and what they cost. */
#include "core/fixture.h"

#include "base/philox.h"
#include "messaging/router.h"
#include <stdlib.h>

enum { GOT = 1 };

/* value and the topic's length, by the receiver's tag */
static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    self->memory[0]++;
    trace_add(GOT, self->script.tag << 32 | value << 8 | strlen(aldis_topic_of(ctx)),
              aldis_now(ctx));
    return ALDIS_OK;
}

static puppet_ref spawn_listener(struct fixture *f, uint64_t tag)
{
    const struct script script = {.num = trace_num, .tag = tag};
    return fixture_spawn(f, &script, NULL);
}

/* What the next publication goes to, and what the last one gave. */
static const char *topic;
static aldis_fanout fanout;
static aldis_err outcome;

static aldis_err do_publish(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    fanout = (aldis_fanout){77, 77, 77, 77};
    outcome = aldis_publish_raw(ctx, topic, &num_type, &act->b, sizeof act->b, 0, &fanout);
    return ALDIS_OK;
}

static uint64_t publish(struct fixture *f, puppet_ref from, const char *to)
{
    topic = to;
    fixture_tell(f, from, do_publish, (struct act){.b = 1});
    fixture_settle(f);
    CHECK_ERR(outcome, ALDIS_OK);
    CHECK_UINT(fanout.matched, fanout.delivered + fanout.refused);
    return fanout.delivered;
}

static void subscribe(struct fixture *f, puppet_ref actor, const char *pattern, const char *group)
{
    const aldis_subscribe_opts opts = {.group = group};
    CHECK_OK(aldis_system_subscribe_with(f->system, actor.id, pattern, &opts));
}

/* ------------------------------------------------------------------ the rule */

TEST(the_rule_is_that_of_nats)
{
    static const struct {
        const char *pattern, *topic;
        bool matches;
    } table[] = {
        {"a", "a", true},           {"a", "b", false},        {"a", "a.b", false},
        {"a.b", "a", false},        {"*", "a", true},         {"*", "a.b", false},
        {"*.*", "a.b", true},       {"*.*", "a", false},      {"a.*", "a.b", true},
        {"a.*", "a", false},        {"a.*", "a.b.c", false},  {"a.*.c", "a.b.c", true},
        {"a.*.c", "a.b.d", false},  {"*.b", "a.b", true},     {"*.b", "b", false},
        {">", "a", true},           {">", "a.b.c", true},     {"a.>", "a.b", true},
        {"a.>", "a.b.c", true},     {"a.>", "a", false},      {"a.>", "b.a", false},
        {"a.*.>", "a.b", false},    {"a.*.>", "a.b.c", true}, {"ab", "a", false},
        {"a", "ab", false},         {"a.b", "a.bc", false},   {"a.bc", "a.b", false},
        {"*.*.>", "a.b.c.d", true}, {"a..b", "a..b", false},  {"a", "*", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (aldis_topic_matches(table[i].pattern, table[i].topic) != table[i].matches)
            test_fail(__FILE__, __LINE__, "%s and %s: expected %s", table[i].pattern,
                      table[i].topic, table[i].matches ? "a match" : "none");
    CHECK(!aldis_topic_matches(NULL, "a"));
    CHECK(!aldis_topic_matches("a", NULL));
}

TEST_EACH(a_pattern_gets_what_it_matches)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    subscribe(f, spawn_listener(f, 1), "market.*.ore", NULL);
    subscribe(f, spawn_listener(f, 2), "market.>", NULL);
    subscribe(f, spawn_listener(f, 3), "market.sol.ore", NULL);
    subscribe(f, spawn_listener(f, 4), "*.sol.*", NULL);
    CHECK_UINT(publish(f, p, "market.sol.ore"), 4);
    CHECK_UINT(publish(f, p, "market.sol"), 1);
    CHECK_UINT(publish(f, p, "market"), 0);
    CHECK_UINT(publish(f, p, "market.mars.ore"), 2);
    CHECK_UINT(publish(f, p, "news.sol.x"), 1);
    CHECK_UINT(publish(f, p, "market.sol.ore"), 4); /* by a snapshot that was there */
    CHECK_UINT(trace_count(), 12);
    CHECK(trace_find(GOT, UINT64_C(1) << 32 | 1 << 8 | strlen("market.mars.ore")) < TRACE_MAX);
    CHECK(trace_find(GOT, UINT64_C(2) << 32 | 1 << 8 | strlen("market.sol")) < TRACE_MAX);
}

TEST_EACH(several_patterns_of_one_actor_match_once_and_in_order)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    aldis_id list[3];
    subscribe(f, a, "a.*", NULL);
    subscribe(f, b, "a.b", NULL);
    subscribe(f, a, "a.b", NULL);
    subscribe(f, b, ">", NULL);
    CHECK_UINT(publish(f, p, "a.b"), 2);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(aldis_system_subscribers(f->system, "a.b", list, 3), 2);
    CHECK_UINT(list[0].bits, a.id.bits);
    CHECK_UINT(list[1].bits, b.id.bits);
    CHECK_UINT(aldis_system_subscribers(f->system, "a.*", list, 3), 1); /* of just this pattern */
    /* Without its oldest subscription it stands behind. */
    CHECK_OK(aldis_system_unsubscribe(f->system, a.id, "a.*"));
    CHECK_UINT(aldis_system_subscribers(f->system, "a.b", list, 3), 2);
    CHECK_UINT(list[0].bits, b.id.bits);
    CHECK_UINT(publish(f, p, "a.b"), 2);
    CHECK_OK(aldis_system_unsubscribe(f->system, b.id, "a.b"));
    CHECK_OK(aldis_system_unsubscribe(f->system, b.id, ">"));
    CHECK_UINT(publish(f, p, "a.b"), 1);
}

TEST_EACH(the_ended_leave_their_patterns)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    subscribe(f, a, "a.>", "g");
    subscribe(f, b, "*.b", NULL);
    CHECK_UINT(publish(f, p, "a.b"), 2);
    CHECK_OK(aldis_stop(f->system, a.id));
    fixture_settle(f);
    CHECK_UINT(publish(f, p, "a.b"), 1);
    CHECK_OK(aldis_kill(f->system, b.id));
    fixture_settle(f);
    CHECK_UINT(publish(f, p, "a.b"), 0);
    CHECK_UINT(aldis__router_sizes(f->system).subscriptions, 0);
    CHECK_UINT(aldis__router_sizes(f->system).groups, 0);
    CHECK_UINT(aldis__router_sizes(f->system).nodes, 2); /* of "a.b", which is watched */
}

static aldis_err from_handler(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_subscribe(ctx, "a.*"));
    EXPECT_OK(aldis_subscribe_with(ctx, "b.*", &(aldis_subscribe_opts){.group = "g"}));
    EXPECT_ERR(aldis_subscribe_with(ctx, "b", &(aldis_subscribe_opts){.group = "*"}), ALDIS_EINVAL);
    EXPECT_ERR(aldis_subscribe_with(ctx, "b", &(aldis_subscribe_opts){.group = "a b"}),
               ALDIS_EINVAL);
    EXPECT(strcmp(aldis_topic_of(ctx), "") == 0);
    return ALDIS_OK;
}

TEST_EACH(a_handler_subscribes_to_patterns_too)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1);
    fixture_tell(f, a, from_handler, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(publish(f, p, "a.x"), 1);
    CHECK_UINT(publish(f, p, "b.x"), 1);
    CHECK_UINT(trace_count(), 2);
    CHECK_ERR(aldis_subscribe_with(NULL, "a", NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_subscribe_with(f->system, a.id, "a b", NULL), ALDIS_EINVAL);
    CHECK_STR(aldis_topic_of(NULL), "");
}

/* ------------------------------------------------------------------ groups */

static aldis_err do_publish_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_fanout out;
        EXPECT_OK(aldis_publish_raw(ctx, topic, &num_type, &act->b, sizeof act->b, 0, &out));
        EXPECT_UINT(out.matched, act->b);
        EXPECT_UINT(out.delivered, act->b);
    }
    return ALDIS_OK;
}

static void publish_many(struct fixture *f, puppet_ref from, const char *to, uint64_t count,
                         uint64_t matched)
{
    topic = to;
    fixture_tell(f, from, do_publish_many, (struct act){.a = count, .b = matched});
    fixture_settle(f);
}

static uint64_t handled(struct fixture *f, puppet_ref actor)
{
    return fixture_status(f, actor.id).handled_msgs;
}

TEST_EACH(one_of_a_group_gets_it)
{
    enum { MEMBERS = 4, COUNT = 400 };
    puppet_ref member[MEMBERS];
    uint64_t sum = 0;
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), all = spawn_listener(f, 9);
    subscribe(f, all, "jobs.*", NULL);
    for (uint64_t i = 0; i < MEMBERS; i++) {
        member[i] = spawn_listener(f, i);
        subscribe(f, member[i], i % 2 ? "jobs.>" : "jobs.mine", "crew");
    }
    publish_many(f, p, "jobs.mine", COUNT, 2);
    CHECK_UINT(handled(f, all), COUNT);
    for (int i = 0; i < MEMBERS; i++) {
        sum += handled(f, member[i]);
        CHECK(handled(f, member[i]) > COUNT / MEMBERS / 2); /* drawn evenly: far beyond chance */
        CHECK(handled(f, member[i]) < COUNT / MEMBERS * 2);
    }
    CHECK_UINT(sum, COUNT);
    /* Two groups: one of each. A member that subscribes by itself as well gets all. */
    puppet_ref other = spawn_listener(f, 8);
    subscribe(f, other, "jobs.mine", "watch");
    subscribe(f, member[0], "jobs.mine", NULL);
    publish_many(f, p, "jobs.mine", 10, 4);
    CHECK_UINT(handled(f, other), 10);
}

TEST_EACH(a_member_that_takes_nothing_is_passed_over)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = spawn_listener(f, 1), b = spawn_listener(f, 2);
    stranger_ref s;
    CHECK_OK(aldis_spawn(f->system, stranger, &s, NULL));
    subscribe(f, a, "jobs", "crew");
    subscribe(f, b, "jobs", "crew");
    CHECK_OK(aldis_system_subscribe_with(f->system, s.id, "jobs",
                                         &(aldis_subscribe_opts){.group = "crew"}));
    subscribe(f, p, "jobs", "crew"); /* the publisher itself is not in the choice */
    CHECK_OK(aldis_stop(f->system, a.id));
    fixture_settle(f);
    publish_many(f, p, "jobs", 20, 1);
    CHECK_UINT(handled(f, b), 20);
    CHECK_OK(aldis_stop(f->system, b.id));
    fixture_settle(f);
    CHECK_UINT(publish(f, p, "jobs"), 0);
    CHECK_UINT(fanout.skipped, 1);
}

/* Both are full: it is refused, once, and counted so. */
TEST_EACH(a_group_that_is_full_refuses_once)
{
    const aldis_spawn_opts small = {.mailbox = {.capacity_msgs = 1, .policy = ALDIS_REJECT}};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), a = fixture_spawn(f, NULL, &small),
               b = fixture_spawn(f, NULL, &small);
    subscribe(f, a, "jobs", "crew");
    subscribe(f, b, "jobs", "crew");
    CHECK_OK(aldis_pause(f->system, a.id));
    CHECK_OK(aldis_pause(f->system, b.id));
    fixture_settle(f);
    for (int i = 0; i < 4; i++)
        publish(f, p, "jobs");
    aldis_type_stats counts = fixture_counts(f, "num");
    CHECK_UINT(counts.sent, 4);
    CHECK(counts.queued >= 1 && counts.queued <= 2);
    CHECK_UINT(counts.rejected, 4 - counts.queued);
}

/* ------------------------------------------------------------------ against the rule itself */

enum { ACTORS = 12, TEXTS = 60, TOKENS = 3 };

static uint32_t random_below(uint32_t *state, uint32_t bound)
{
    uint32_t counter[4] = {(*state)++, 0, 0, 0}, key[2] = {7, 11}, block[4];
    aldis__philox(counter, key, block);
    return block[0] % bound;
}

static void random_text(uint32_t *state, bool pattern, char *out)
{
    static const char *const tokens[] = {"a", "b", "c", "*"};
    uint32_t count = 1 + random_below(state, TOKENS);
    *out = '\0';
    for (uint32_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        if (pattern && last && random_below(state, 4) == 0)
            strcat(out, ">");
        else
            strcat(out, tokens[random_below(state, pattern ? 4 : 3)]);
        if (!last)
            strcat(out, ".");
    }
}

struct wanted {
    char pattern[16];
    bool group;
};

/* Subscriptions come and go at random; each publication reaches exactly those whose patterns match
 * it by the rule, and one of the group. */
TEST_EACH(random_patterns_match_as_the_rule_says)
{
    static struct wanted wanted[ACTORS][4];
    uint32_t state = 1;
    puppet_ref actors[ACTORS];
    memset(wanted, 0, sizeof wanted);
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < ACTORS; i++)
        actors[i] = spawn_listener(f, i);
    for (int round = 0; round < TEXTS; round++) {
        uint32_t who = random_below(&state, ACTORS), which = random_below(&state, 4);
        struct wanted *w = &wanted[who][which];
        char to[16];
        if (w->pattern[0]) {
            bool twice = false;
            for (uint32_t k = 0; k < 4; k++)
                twice |= k != which && strcmp(wanted[who][k].pattern, w->pattern) == 0;
            if (!twice)
                CHECK_OK(aldis_system_unsubscribe(f->system, actors[who].id, w->pattern));
        }
        random_text(&state, true, w->pattern);
        w->group = random_below(&state, 4) == 0;
        subscribe(f, actors[who], w->pattern, w->group ? "g" : NULL);
        for (uint32_t k = 0; k < 4; k++) /* the second is one, with the terms of the second */
            if (strcmp(wanted[who][k].pattern, w->pattern) == 0)
                wanted[who][k].group = w->group;
        random_text(&state, false, to);
        uint64_t plain = 0, grouped = 0;
        for (int i = 0; i < ACTORS; i++) {
            bool alone = false, in_group = false;
            for (int k = 0; k < 4; k++)
                if (wanted[i][k].pattern[0] && aldis_topic_matches(wanted[i][k].pattern, to))
                    *(wanted[i][k].group ? &in_group : &alone) = true;
            plain += alone;
            grouped += !alone && in_group;
        }
        uint64_t expected = plain + (grouped > 0), found = publish(f, p, to);
        if (found != expected)
            test_fail(__FILE__, __LINE__,
                      "round %d, topic %s: %" PRIu64 " got it, expected %" PRIu64, round, to, found,
                      expected);
        CHECK_UINT(aldis_system_subscribers(f->system, to, NULL, 0), plain + grouped);
    }
    /* All leave: nothing of the patterns stays. */
    for (int i = 0; i < ACTORS; i++)
        CHECK_OK(aldis_stop(f->system, actors[i].id));
    fixture_settle(f);
    CHECK_UINT(aldis__router_sizes(f->system).subscriptions, 0);
    CHECK_UINT(aldis__router_sizes(f->system).groups, 0);
}

/* ------------------------------------------------------------------ what it costs */

/* 10,000 patterns, 10 of which match: a subscription that has nothing to do with the topic leaves
 * its snapshot alone, and one that has is found by the walk, not by a look at all. */
TEST(others_patterns_cost_nothing)
{
    enum { PATTERNS = 10000 };
    struct aldis__registry registry;
    struct aldis__view view = {0};
    struct aldis__key key, topic_key;
    bool first;
    aldis__registry_init(&registry);
    CHECK_OK(aldis__key_topic("test", "sector.7.ship.3", &topic_key));
    struct aldis__snapshot *snapshot = aldis__snapshot_make(&view, &registry, &topic_key);
    CHECK(aldis__snapshot_refresh(snapshot, &registry));
    for (uint64_t i = 0; i < PATTERNS; i++) {
        char text[32];
        bool matches = i % (PATTERNS / 10) == 0;
        snprintf(text, sizeof text, matches ? "sector.*.ship.>" : "sector.%d.ship.*", 8 + (int)i);
        CHECK_OK(aldis__key_pattern("test", text, &key));
        CHECK_OK(aldis__registry_subscribe(&registry, (aldis_id){i + 1}, &key, NULL, &first));
        CHECK(aldis__snapshot_is_current(snapshot) == !matches);
        CHECK(aldis__snapshot_refresh(snapshot, &registry));
    }
    CHECK_UINT(snapshot->list.count, 10);
    CHECK(snapshot->list.capacity < 20);
    aldis__view_fini(&view, &registry);
    for (uint64_t i = 0; i < PATTERNS; i++)
        aldis__registry_forget(&registry, (aldis_id){i + 1});
    CHECK_UINT(registry.patterns.nodes.count, 0);
    aldis__registry_fini(&registry);
}
