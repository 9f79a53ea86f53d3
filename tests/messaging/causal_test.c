// SPDX-License-Identifier: Apache-2.0
/* causal_test.c: causal groups, in both clocks: the anomaly without one, random talk against an
 * oracle, and that nobody who is lost, late or dead keeps the others waiting. */
#include "core/fixture.h"

#include "messaging/router.h"
#include <stdlib.h>

enum { GOT = 1, STATUS = 2, REFUSED = 3 };
#define GROUP "crew"

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_add(GOT, self->script.tag << 32 | value, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err join(struct puppet *self, aldis_ctx *ctx)
{
    const aldis_causal_opts opts = {.hold_max = (uint32_t)self->script.tag >> 16};
    EXPECT_OK(aldis_causal_join(ctx, GROUP, &opts));
    EXPECT_OK(aldis_causal_join(ctx, GROUP, &opts)); /* the second is one */
    return ALDIS_OK;
}

static aldis_spawn_opts at_shard(uint32_t shard)
{
    return (aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard};
}

static puppet_ref spawn_member(struct fixture *f, uint64_t tag, uint32_t hold_max,
                               aldis_err (*num)(struct puppet *, uint64_t, aldis_ctx *))
{
    const struct script script = {.start = join, .num = num, .tag = tag | hold_max << 16};
    aldis_spawn_opts opts = at_shard((uint32_t)tag);
    puppet_ref member = fixture_spawn(f, &script, &opts);
    fixture_settle(f);
    return member;
}

static aldis_err leave(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_causal_leave(ctx, GROUP));
    EXPECT_OK(aldis_causal_leave(ctx, GROUP)); /* so is the second end */
    return ALDIS_OK;
}

static aldis_err trace_status(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_causal_status status;
    (void)self;
    (void)act;
    EXPECT_OK(aldis_causal_get_status(ctx, GROUP, &status));
    trace_add(STATUS,
              (uint64_t)status.members << 48 | (uint64_t)status.held_msgs << 32 |
                  status.held_total << 16 | status.lost,
              0);
    return ALDIS_OK;
}

/* members, held now, held ever, lost */
static void check_status(struct fixture *f, puppet_ref member, uint64_t members, uint64_t held,
                         uint64_t held_total, uint64_t lost)
{
    fixture_tell(f, member, trace_status, (struct act){0});
    fixture_settle(f);
    size_t last = trace_count() - 1;
    CHECK_UINT(trace_at(last).what, STATUS);
    CHECK_UINT(trace_at(last).tag >> 48, members);
    CHECK_UINT(trace_at(last).tag >> 32 & 0xffff, held);
    CHECK_UINT(trace_at(last).tag >> 16 & 0xffff, held_total);
    CHECK_UINT(trace_at(last).tag & 0xffff, lost);
}

/* ------------------------------------------------------------------ the anomaly */

/* A tells B and C; B, when it hears it, tells C. From A to C is a long way. */
static aldis_id far_away;

static aldis_ns distance(void *arg, aldis_id to)
{
    (void)arg;
    return aldis_id_equal(to, far_away) ? 20 * ALDIS_MS : 2 * ALDIS_MS;
}

static aldis_err ask_plain(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref b = {.id = {act->a}}, c = {.id = {act->b}};
    (void)self;
    EXPECT_OK(aldis_send_after(ctx, distance(NULL, b.id), b, num, 1));
    EXPECT_OK(aldis_send_after(ctx, distance(NULL, c.id), c, num, 1));
    return ALDIS_OK;
}

static aldis_err answer_plain(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref c = {.id = far_away};
    EXPECT_UINT(value, 1);
    (void)self;
    EXPECT_OK(aldis_send_after(ctx, 2 * ALDIS_MS, c, num, 2));
    return ALDIS_OK;
}

TEST_VIRTUAL(without_it_the_answer_may_come_before_the_question)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    aldis_spawn_opts one = at_shard(1), two = at_shard(2);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    puppet_ref b = fixture_spawn(f, &(struct script){.num = answer_plain}, &one);
    puppet_ref c = fixture_spawn(f, &(struct script){.num = trace_num, .tag = 3}, &two);
    far_away = c.id;
    fixture_tell(f, a, ask_plain, (struct act){.a = b.id.bits, .b = c.id.bits});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(trace_at(0).tag, UINT64_C(3) << 32 | 2);
    CHECK_UINT(trace_at(1).tag, UINT64_C(3) << 32 | 1);
}

static aldis_err say(aldis_ctx *ctx, uint64_t value, bool distant, aldis_fanout *out)
{
    const aldis_causal_item item = {&num_type, &value, sizeof value, distant ? distance : NULL,
                                    NULL};
    return aldis_causal_publish_raw(ctx, GROUP, &item, out);
}

static aldis_err ask(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_fanout fanout;
    (void)self;
    EXPECT_OK(say(ctx, act->a, true, &fanout));
    EXPECT_UINT(fanout.matched, act->b);
    EXPECT_UINT(fanout.delivered, act->b);
    return ALDIS_OK;
}

/* To everybody by the short way. */
static aldis_err answer(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    EXPECT(strcmp(aldis_topic_of(ctx), GROUP) == 0);
    trace_num(self, value, ctx);
    return value == 1 ? say(ctx, 2, false, NULL) : ALDIS_OK;
}

static size_t place_of(uint64_t tag, uint64_t value)
{
    return trace_find(GOT, tag << 32 | value);
}

TEST_EACH(with_it_the_question_comes_first)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    puppet_ref a = spawn_member(f, 1, 0, trace_num);
    puppet_ref b = spawn_member(f, 2, 0, answer), c = spawn_member(f, 3, 0, trace_num);
    (void)b;
    far_away = c.id;
    fixture_tell(f, a, ask, (struct act){.a = 1, .b = 2});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 4);
    CHECK(place_of(3, 1) < place_of(3, 2));
    CHECK(place_of(3, 2) < TRACE_MAX);
    CHECK(place_of(1, 2) < TRACE_MAX); /* the asker hears the answer, too */
    if (f->clock == ALDIS_CLOCK_VIRTUAL)
        check_status(f, c, 3, 0, 1, 0);
    CHECK_UINT(fixture_counts(f, "num").handled, 4);
}

/* What is held back is queued. */
TEST_VIRTUAL(what_is_held_back_is_counted)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    puppet_ref a = spawn_member(f, 1, 0, trace_num);
    spawn_member(f, 2, 0, answer);
    puppet_ref c = spawn_member(f, 3, 0, trace_num);
    far_away = c.id;
    fixture_tell(f, a, ask, (struct act){.a = 1, .b = 2});
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 10 * ALDIS_MS, NULL));
    CHECK_UINT(fixture_counts(f, "num").queued, 2); /* one under way, one that waits for it */
    CHECK_UINT(fixture_counts(f, "num").handled, 2);
    fixture_check(f);
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 4);
}

/* ------------------------------------------------------------------ nobody waits for ever */

static aldis_err stop_self(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(say(ctx, act->a, true, NULL));
    return aldis_stop(ctx, aldis_self(ctx));
}

TEST_EACH(who_has_ended_keeps_nobody_waiting)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    puppet_ref a = spawn_member(f, 1, 0, trace_num);
    spawn_member(f, 2, 0, answer);
    puppet_ref c = spawn_member(f, 3, 0, trace_num);
    far_away = c.id;
    fixture_tell(f, a, stop_self, (struct act){.a = 1});
    fixture_settle(f);
    CHECK(place_of(3, 1) < place_of(3, 2));
    CHECK(place_of(3, 2) < TRACE_MAX);
    /* A newcomer in the place of the dead goes on where that one stopped. */
    puppet_ref d = spawn_member(f, 4, 0, trace_num);
    fixture_tell(f, d, ask, (struct act){.a = 5, .b = 2});
    fixture_settle(f);
    CHECK(place_of(3, 5) < TRACE_MAX);
    CHECK(place_of(2, 5) < TRACE_MAX);
    CHECK_UINT(fixture_counts(f, "num").queued, 0);
}

static aldis_err say_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t value = act->a; value < act->b; value++)
        EXPECT_OK(say(ctx, value, false, NULL));
    return ALDIS_OK;
}

/* C's mailbox takes two of ten; what B says because of them all is handled all the same. */
TEST_EACH(what_is_refused_keeps_nobody_waiting)
{
    static const aldis_overflow_policy policies[] = {ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                     ALDIS_DROP_OLDEST, ALDIS_WAIT};
    for (uint32_t i = 0; i < 4; i++) {
        fixture_open(f, NULL);
        trace_clear();
        puppet_ref a = spawn_member(f, 1, 0, trace_num), b = spawn_member(f, 2, 0, trace_num);
        const struct script script = {.start = join, .num = trace_num, .tag = 3};
        aldis_spawn_opts opts = at_shard(1 + i % 2);
        opts.mailbox = (aldis_mailbox_opts){.capacity_msgs = 2, .policy = policies[i]};
        puppet_ref c = fixture_spawn(f, &script, &opts);
        fixture_settle(f);
        CHECK_OK(aldis_pause(f->system, c.id));
        fixture_settle(f);
        fixture_tell(f, a, say_many, (struct act){.a = 10, .b = 20});
        fixture_settle(f);
        fixture_tell(f, b, say_many, (struct act){.a = 20, .b = 21});
        fixture_settle(f);
        CHECK_OK(aldis_resume(f->system, c.id));
        fixture_settle(f);
        fixture_tell(f, b, say_many, (struct act){.a = 21, .b = 22});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(GOT), 10 + 2 + 3);
        CHECK(place_of(3, 21) == trace_count() - 1 || place_of(1, 21) == trace_count() - 1);
        check_status(f, c, 3, 0, 0, 9);
        CHECK_UINT(fixture_counts(f, "num").queued, 0);
        fixture_close(f);
    }
}

/* B answers at once, three times; C may hold back two of that. */
static aldis_err answer_thrice(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    trace_num(self, value, ctx);
    for (uint64_t i = 2; value == 1 && i < 5; i++)
        EXPECT_OK(say(ctx, i, false, NULL));
    return ALDIS_OK;
}

TEST_VIRTUAL(what_is_held_back_is_bounded)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    puppet_ref a = spawn_member(f, 1, 0, trace_num);
    spawn_member(f, 2, 0, answer_thrice);
    const struct script script = {.start = join, .num = trace_num, .tag = 3 | 2 << 16};
    puppet_ref c = fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    far_away = c.id;
    fixture_tell(f, a, ask, (struct act){.a = 1, .b = 2});
    fixture_settle(f);
    size_t first = trace_find(GOT, script.tag << 32 | 1);
    CHECK(first < trace_find(GOT, script.tag << 32 | 2));
    CHECK(trace_find(GOT, script.tag << 32 | 3) < TRACE_MAX);
    CHECK_UINT(trace_find(GOT, script.tag << 32 | 4), TRACE_MAX); /* dropped */
    CHECK_UINT(fixture_counts(f, "num").dropped, 1);
    check_status(f, c, 3, 0, 2, 1);
    fixture_tell(f, a, ask, (struct act){.a = 9, .b = 2}); /* and it goes on */
    fixture_settle(f);
    CHECK(trace_find(GOT, script.tag << 32 | 9) < TRACE_MAX);
}

TEST_VIRTUAL(who_leaves_handles_what_it_held_back)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_MS});
    puppet_ref a = spawn_member(f, 1, 0, trace_num);
    spawn_member(f, 2, 0, answer);
    puppet_ref c = spawn_member(f, 3, 0, trace_num);
    far_away = c.id;
    fixture_tell(f, a, ask, (struct act){.a = 1, .b = 2});
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 10 * ALDIS_MS, NULL));
    fixture_tell(f, c, leave, (struct act){0});
    fixture_settle(f);
    CHECK(place_of(3, 2) < place_of(3, 1)); /* the order is given up with the membership */
    CHECK(place_of(3, 1) < TRACE_MAX);
    fixture_tell(f, a, ask, (struct act){.a = 5, .b = 1});
    fixture_settle(f);
    CHECK_UINT(place_of(3, 5), TRACE_MAX);
}

/* ------------------------------------------------------------------ random talk */

/* The oracle: each message says how many of each member's messages its sender had handled or sent.
 * Who handles a message must not have handled one before that says it knew this one. */
enum { TALKERS = 8, TALK = 60 };

struct talk {
    uint32_t from, number;
    uint32_t known[TALKERS];
};
ALDIS_MESSAGE(talk, struct talk);
ALDIS_SIGNAL(speak);
#define TALKER_PROTOCOL(X, kind) X(kind, talk) X(kind, speak)
ALDIS_PROTOCOL(talker, TALKER_PROTOCOL);

struct talker_arg {
    uint32_t number;
    uint32_t restless; /* comes and goes, and dies in the end */
};

struct talker {
    struct talker_arg arg;
    uint32_t said;
    uint64_t handled;
    uint32_t known[TALKERS]; /* what this one knows */
    uint32_t heard[TALKERS]; /* the most that anybody of whom it has handled something knew */
};

static aldis_ns random_distance(void *arg, aldis_id to)
{
    aldis_ctx *ctx = arg;
    (void)to;
    return ALDIS_US * (1 + (aldis_ns)aldis_random_below(ctx, 200));
}

static aldis_err talk_once(struct talker *self, aldis_ctx *ctx)
{
    struct talk talk = {.from = self->arg.number};
    bool distant = aldis_random_below(ctx, 2) == 0;
    const aldis_causal_item item = {&talk_type, &talk, sizeof talk,
                                    distant ? random_distance : NULL, ctx};
    self->known[talk.from]++;
    talk.number = self->known[talk.from];
    memcpy(talk.known, self->known, sizeof talk.known);
    aldis_err err = aldis_causal_publish_raw(ctx, GROUP, &item, NULL);
    if (err == ALDIS_ESTATE) { /* not a member just now */
        self->known[talk.from]--;
        return ALDIS_OK;
    }
    self->said++;
    return err;
}

static aldis_err talker_on_talk(struct talker *self, const struct talk *talk, aldis_ctx *ctx)
{
    /* What comes after a member has left is in no order, also when it is a member again. */
    if (!self->arg.restless && self->heard[talk->from] >= talk->number)
        fixture_note(__FILE__, __LINE__, "%u heard %u of %u after something that knew %u",
                     self->arg.number, talk->number, talk->from, self->heard[talk->from]);
    for (uint32_t i = 0; i < TALKERS; i++) {
        if (talk->known[i] > self->heard[i])
            self->heard[i] = talk->known[i];
        if (talk->known[i] > self->known[i] && i != self->arg.number)
            self->known[i] = talk->known[i];
    }
    self->handled = self->handled * 31 + talk->from * 1000 + talk->number;
    return self->said < TALK && aldis_random_below(ctx, 3) == 0 ? talk_once(self, ctx) : ALDIS_OK;
}

static aldis_err talker_on_speak(struct talker *self, const aldis_none *msg, aldis_ctx *ctx)
{
    talker_ref me = {.id = aldis_self(ctx)};
    (void)msg;
    if (self->arg.restless && aldis_random_below(ctx, 6) == 0)
        EXPECT_OK(aldis_causal_leave(ctx, GROUP));
    else if (self->arg.restless)
        EXPECT_OK(aldis_causal_join(ctx, GROUP, NULL));
    if (self->said >= TALK)
        return self->arg.restless ? aldis_stop(ctx, me.id) : ALDIS_OK;
    EXPECT_OK(talk_once(self, ctx));
    self->said += self->arg.restless; /* whoever is not a member comes to an end, too */
    return aldis_signal_after(ctx, (aldis_ns)aldis_random_below(ctx, 100) * ALDIS_US + ALDIS_US, me,
                              speak);
}

static aldis_err talker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct talker *self = state;
    self->arg = *(const struct talker_arg *)arg;
    return aldis_causal_join(ctx, GROUP, NULL);
}

static uint64_t talker_digest(const void *state)
{
    return ((const struct talker *)state)->handled;
}

ALDIS_BEHAVIOUR(talker, struct talker, TALKER_PROTOCOL, .on_start = talker_start,
                .digest = talker_digest);

static void talk_at_random(struct fixture *f, uint32_t restless, uint32_t capacity)
{
    fixture_open(f, &(aldis_system_opts){.lookahead_ns = ALDIS_US});
    talker_ref talkers[TALKERS];
    for (uint32_t i = 0; i < TALKERS; i++) {
        struct talker_arg arg = {i, i < restless};
        aldis_spawn_opts opts = at_shard(i);
        opts.arg = &arg;
        opts.arg_size = sizeof arg;
        if (capacity && i % 2)
            opts.mailbox =
                (aldis_mailbox_opts){.capacity_msgs = capacity, .policy = ALDIS_DROP_OLDEST};
        CHECK_OK(aldis_spawn(f->system, talker, &talkers[i], &opts));
    }
    fixture_settle(f);
    for (uint32_t i = 0; i < TALKERS; i++)
        CHECK_OK(aldis_signal(f->system, talkers[i], speak));
    fixture_settle(f);
    aldis_type_stats counts = fixture_counts(f, "talk");
    CHECK(counts.sent > TALKERS * TALK);
    CHECK_UINT(counts.queued, 0); /* nobody waits any more */
    if (!restless && !capacity)
        CHECK_UINT(counts.handled, counts.sent);
}

TEST_EACH(random_talk_is_in_causal_order)
{
    talk_at_random(f, 0, 0);
}

TEST_EACH(so_it_is_when_members_come_and_go)
{
    talk_at_random(f, 3, 0);
}

TEST_EACH(so_it_is_when_mailboxes_drop)
{
    talk_at_random(f, 2, 2);
}

TEST(any_number_of_workers_talks_the_same)
{
    uint64_t prints[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1u << i};
        talk_at_random(&f, 3, 2);
        prints[i] = aldis_system_run_print(f.system);
        fixture_close(&f);
    }
    CHECK_UINT(prints[1], prints[0]);
    CHECK_UINT(prints[2], prints[0]);
}

/* ------------------------------------------------------------------ bounds and misuse */

static aldis_err misuse(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_causal_status status;
    uint64_t value = 1;
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_causal_join(ctx, "a.*", NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_causal_join(ctx, NULL, NULL), ALDIS_EINVAL);
    EXPECT_ERR(
        aldis_causal_join(ctx, "a", &(aldis_causal_opts){.hold_max = ALDIS_CAUSAL_HOLD_MAX + 1}),
        ALDIS_EINVAL);
    EXPECT_ERR(aldis_causal_leave(ctx, ""), ALDIS_EINVAL);
    EXPECT_ERR(say(ctx, 1, false, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_causal_get_status(ctx, GROUP, &status), ALDIS_ESTATE);
    EXPECT_ERR(aldis_causal_publish_raw(ctx, "a", NULL, NULL), ALDIS_ESTATE);
    (void)value;
    return ALDIS_OK;
}

static aldis_err misuse_by_member(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    uint64_t value = 1;
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_causal_publish_raw(ctx, GROUP, NULL, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_causal_publish_raw(
                   ctx, GROUP, &(aldis_causal_item){.type = &num_type, .payload = &value}, NULL),
               ALDIS_EINVAL);
    EXPECT_ERR(aldis_causal_get_status(ctx, GROUP, NULL), ALDIS_EINVAL);
    EXPECT_OK(say(ctx, 1, false, NULL)); /* to nobody else */
    return ALDIS_OK;
}

TEST_EACH(misuse_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, misuse, (struct act){0});
    fixture_settle(f);
    puppet_ref b = spawn_member(f, 1, 0, trace_num);
    fixture_tell(f, b, misuse_by_member, (struct act){0});
    fixture_settle(f);
    CHECK_ERR(aldis_causal_join(NULL, GROUP, NULL), ALDIS_EINVAL);
}

static aldis_err join_full(struct puppet *self, aldis_ctx *ctx)
{
    aldis_err err = aldis_causal_join(ctx, GROUP, NULL);
    bool full = self->script.tag >= ALDIS_CAUSAL_MEMBERS_MAX;
    EXPECT_ERR(err, full && aldis_system_of(ctx) == self->script.user ? ALDIS_EFULL : ALDIS_OK);
    return ALDIS_OK;
}

/* As many members as there may be, one more, and a second generation. */
TEST_EACH(a_group_is_bounded)
{
    puppet_ref members[ALDIS_CAUSAL_MEMBERS_MAX + 1];
    fixture_open(f, NULL);
    for (uint64_t i = 0; i <= ALDIS_CAUSAL_MEMBERS_MAX; i++) {
        /* In virtual time the last one finds out at the end of the window, and it is logged. */
        const struct script script = {.start = join_full,
                                      .num = trace_num,
                                      .tag = i,
                                      .user = f->clock == ALDIS_CLOCK_LIVE ? f->system : NULL};
        members[i] = fixture_spawn(f, &script, NULL);
        fixture_settle(f);
    }
    fixture_tell(f, members[0], ask, (struct act){.a = 7, .b = ALDIS_CAUSAL_MEMBERS_MAX - 1});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(GOT), ALDIS_CAUSAL_MEMBERS_MAX - 1);
    for (uint32_t i = 1; i < 4; i++)
        CHECK_OK(aldis_stop(f->system, members[i].id));
    fixture_settle(f);
    puppet_ref late = spawn_member(f, 1, 0, trace_num);
    fixture_tell(f, late, ask, (struct act){.a = 8, .b = ALDIS_CAUSAL_MEMBERS_MAX - 3});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(GOT), 2 * ALDIS_CAUSAL_MEMBERS_MAX - 4);
}
