// SPDX-License-Identifier: Apache-2.0
/* order_test.c: first in, first out for each sender, receiver and lane; lanes before each other,
 * and none starved. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { HANDLED = 1 };

/* ------------------------------------------------------------------ first in, first out */

enum { PAIR_ACTORS = 12 };

/* For each sender the last number heard; numbers of a sender only go up by one. */
struct ears {
    uint64_t heard[PAIR_ACTORS];
};

/* value: sender << 32 | number, numbers from 1. */
static aldis_err hear(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)ctx;
    uint64_t sender = value >> 32, number = value & UINT32_MAX;
    struct ears *ears = self->script.user;
    if (number != ears->heard[sender] + 1)
        fixture_note(__FILE__, __LINE__, "from %d: %d comes after %d", (int)sender, (int)number,
                     (int)ears->heard[sender]);
    ears->heard[sender] = number;
    return ALDIS_OK;
}

struct talk {
    puppet_ref all[PAIR_ACTORS];
    uint64_t sent[PAIR_ACTORS][PAIR_ACTORS]; /* [sender][receiver]: each row is its sender's */
    uint64_t rounds, burst;
    bool one_way; /* only to those after oneself: so that none can wait for one that waits for it */
};

static aldis_err talk_round(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct talk *talk = self->pointer;
    uint64_t me = self->script.tag;
    for (uint64_t i = 0; i < talk->burst; i++) {
        uint64_t first = talk->one_way ? me : 0;
        uint64_t to = first + aldis_random_below(ctx, PAIR_ACTORS - first);
        uint64_t number = ++talk->sent[me][to];
        if (i % 3 == 0) {
            num_payload *built = aldis_build(ctx, talk->all[to], num);
            EXPECT(built != NULL);
            *built = me << 32 | number;
            EXPECT_OK(aldis_post(ctx, built));
        } else {
            EXPECT_OK(aldis_send(ctx, talk->all[to], num, me << 32 | number));
        }
    }
    if (act->a + 1 < talk->rounds) {
        puppet_ref self_ref = {.id = aldis_self(ctx)};
        EXPECT_OK(aldis_send(ctx, self_ref, act, .run = talk_round, .a = act->a + 1));
    }
    return ALDIS_OK;
}

static aldis_err set_pointer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    self->pointer = (void *)(uintptr_t)act->a;
    return ALDIS_OK;
}

static void talk_all(struct fixture *f, const aldis_mailbox_opts *mailbox, uint64_t rounds,
                     uint64_t burst)
{
    static struct ears ears[PAIR_ACTORS];
    static struct talk talk;
    memset(ears, 0, sizeof ears);
    memset(&talk, 0, sizeof talk);
    talk.rounds = rounds;
    talk.burst = burst;
    talk.one_way = mailbox->policy != ALDIS_UNBOUNDED;
    for (uint32_t i = 0; i < PAIR_ACTORS; i++) {
        struct script script = {.tag = i, .user = &ears[i], .num = hear};
        talk.all[i] =
            fixture_spawn(f, &script,
                          &(aldis_spawn_opts){
                              .placement = ALDIS_PLACE_SHARD, .shard = i % 8, .mailbox = *mailbox});
    }
    for (uint32_t i = 0; i < PAIR_ACTORS; i++)
        fixture_tell(f, talk.all[i], set_pointer, (struct act){.a = (uintptr_t)&talk});
    fixture_settle(f);
    for (uint32_t i = 0; i < PAIR_ACTORS; i++)
        fixture_tell(f, talk.all[i], talk_round, (struct act){.a = 0});
    fixture_settle(f);
    for (uint32_t to = 0; to < PAIR_ACTORS; to++)
        for (uint32_t from = 0; from < PAIR_ACTORS; from++)
            CHECK_UINT(ears[to].heard[from], talk.sent[from][to]);
    CHECK_UINT(fixture_counts(f, "num").handled, PAIR_ACTORS * rounds * burst);
}

TEST_EACH(each_pair_talks_in_order)
{
    fixture_open(f, NULL);
    talk_all(f, &(aldis_mailbox_opts){.policy = ALDIS_UNBOUNDED}, 50, 100);
}

TEST_EACH(each_pair_talks_in_order_one_way)
{
    fixture_open(f, NULL);
    talk_all(f, &(aldis_mailbox_opts){0}, 50, 100);
}

/* Through parking, overflows and held mail. */
TEST_EACH(each_pair_talks_in_order_through_small_mailboxes)
{
    fixture_open(f, NULL);
    talk_all(f, &(aldis_mailbox_opts){.capacity_msgs = 3}, 20, 100);
}

TEST_EACH(each_pair_talks_in_order_through_mailboxes_of_one)
{
    fixture_open(f, NULL);
    talk_all(f, &(aldis_mailbox_opts){.capacity_msgs = 1}, 10, 50);
}

/* Bursts longer than a chain and than all that may be under way to a shard. */
TEST_EACH(each_pair_talks_in_order_through_narrow_ways)
{
    fixture_open(f, &(aldis_system_opts){.inflight_msgs = 64});
    talk_all(f, &(aldis_mailbox_opts){.capacity_msgs = 100}, 5, 4000);
}

/* ------------------------------------------------------------------ one turn, one receiver */

static aldis_err hear_in_order(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)ctx;
    if (value != self->memory[0])
        fixture_note(__FILE__, __LINE__, "%d comes where %d was due", (int)value,
                     (int)self->memory[0]);
    self->memory[0] = value + 1;
    return ALDIS_OK;
}

static aldis_err send_run(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, to, num, self->memory[1]++));
    return ALDIS_OK;
}

static const uint64_t bursts[] = {1, 2, 127, 128, 129, 255, 256, 257, 511, 512, 513, 5000};

TEST_EACH(bursts_of_any_length_keep_their_order)
{
    fixture_open(f, NULL);
    uint64_t sum = 0;
    for (uint32_t shard = 0; shard < 4; shard++) {
        puppet_ref p =
            fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
        puppet_ref q =
            fixture_spawn(f, &(struct script){.num = hear_in_order},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        for (size_t i = 0; i < sizeof bursts / sizeof bursts[0]; i++) {
            fixture_tell(f, p, send_run, (struct act){.id = q.id, .a = bursts[i]});
            sum += bursts[i];
            if (i % 2)
                fixture_settle(f);
        }
        fixture_settle(f);
        CHECK_UINT(fixture_counts(f, "num").handled, sum);
    }
}

/* To itself, past its own bound: what it kept must not be overtaken by what it sends later. */
static aldis_err echo_to_self(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)hear_in_order(self, value, ctx);
    puppet_ref me = {.id = aldis_self(ctx)};
    for (uint64_t i = 0; i < 2 && self->memory[1] < 3000; i++)
        EXPECT_OK(aldis_send(ctx, me, num, self->memory[1]++));
    return ALDIS_OK;
}

TEST_EACH(mail_to_oneself_keeps_its_order_past_the_bound)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.num = echo_to_self},
                                 &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 10}});
    fixture_tell(f, p, send_run, (struct act){.id = p.id, .a = 100});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 3000);
}

/* Outside threads are one sender each: here one. */
TEST_EACH(mail_from_outside_keeps_its_order)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = hear_in_order},
                                 &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 16}});
    for (uint64_t i = 0; i < 3000; i++) {
        aldis_err err = aldis_system_send_until_raw(f->system, q.id, &num_type, &i, sizeof i,
                                                    30 * ALDIS_SECOND);
        CHECK_ERR(err, ALDIS_OK);
    }
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 3000);
}

/* ------------------------------------------------------------------ lanes */

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const aldis_lane lanes[] = {ALDIS_LANE_LOW, ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH,
                                   ALDIS_LANE_CRITICAL};

static aldis_err send_by_lanes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        for (uint64_t lane = 0; lane < 4; lane++) {
            num_payload value = lane << 32 | i;
            aldis_send_opts opts = {.lane = lanes[lane]};
            EXPECT_OK(aldis_send_with(ctx, to, num, &value, &opts));
        }
    return ALDIS_OK;
}

/* Lane of the n-th handled message, by place in `lanes`. */
static uint64_t lane_at(size_t n)
{
    return trace_at(n).tag >> 32;
}

TEST_EACH(lanes_come_before_each_other_and_the_lowest_keeps_its_share)
{
    enum { EACH = 100 };
    fixture_open(f, NULL);
    for (uint32_t shard = 0; shard < 2; shard++) {
        fixture_close(f);
        size_t base = trace_count();
        fixture_open(f, NULL);
        puppet_ref p =
            fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
        puppet_ref q =
            fixture_spawn(f, &(struct script){.num = trace_num},
                          &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        fixture_tell(f, p, send_by_lanes, (struct act){.id = q.id, .a = EACH});
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, 4 * EACH);
        CHECK_OK(aldis_resume(f->system, q.id));
        fixture_settle(f);
        CHECK_UINT(trace_count(), base + 4 * EACH);
        uint64_t next[4] = {0};
        size_t since_low = 0;
        for (size_t n = 0; n < 4 * EACH; n++) {
            uint64_t lane = lane_at(base + n);
            CHECK_UINT(trace_at(base + n).tag & UINT32_MAX, next[lane]++); /* in order */
            for (uint64_t higher = lane + 1; lane > 0 && higher < 4; higher++)
                CHECK_UINT(next[higher], EACH); /* none of a lane before this one is left */
            since_low = lane == 0 ? 0 : since_low + 1;
            CHECK(since_low < 16 || next[0] == EACH);
        }
    }
}

TEST_EACH(lanes_from_outside_come_before_each_other)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = trace_num}, NULL);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    for (uint64_t lane = 0; lane < 4; lane++) {
        num_payload value = lane << 32;
        CHECK_OK(
            aldis_send_with(f->system, q, num, &value, &(aldis_send_opts){.lane = lanes[lane]}));
    }
    fixture_settle(f);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    for (size_t n = 0; n < 4; n++)
        CHECK_UINT(lane_at(n), 3 - n);
}

/* ALDIS_DROP_OLDEST sheds the lowest lane first, its oldest first; what arrives counts, too. */
TEST_EACH(a_full_mailbox_sheds_the_lowest_lane_first)
{
    static const struct {
        uint64_t lane, value;
    } sent[] = {{3, 0},  {0, 1},  {2, 2}, {1, 3}, {0, 4}, {1, 5}, /* the mailbox is full */
                {1, 6},                                           /* sheds low 1 */
                {3, 7},                                           /* low 4 */
                {2, 8},                                           /* normal 3 */
                {0, 9},                                           /* itself: none is lower */
                {3, 10}, {3, 11},                                 /* normal 5, 6 */
                {2, 12},                                          /* high 2 */
                {1, 13}};                                         /* itself */
    static const uint64_t left[] = {0, 7, 10, 11, 8, 12};
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(
        f, &(struct script){.num = trace_num},
        &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 6, .policy = ALDIS_DROP_OLDEST}});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
        num_payload value = sent[i].value;
        CHECK_OK(aldis_send_with(f->system, q, num, &value,
                                 &(aldis_send_opts){.lane = lanes[sent[i].lane]}));
        fixture_settle(f); /* in virtual time what comes at one instant is sorted by lane */
    }
    CHECK_UINT(fixture_counts(f, "num").dropped, 8);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), sizeof left / sizeof left[0]);
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++)
        CHECK_UINT(trace_at(i).tag, left[i]);
}

/* A flood of commands overtakes mail, but not what runs. */
static aldis_err pause_and_resume(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        EXPECT_OK(aldis_pause(ctx, act->id));
        EXPECT_OK(aldis_resume(ctx, act->id));
    }
    return ALDIS_OK;
}

TEST_EACH(commands_in_number_leave_the_mail_in_order)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = hear_in_order}, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), s = fixture_spawn(f, NULL, NULL);
    for (int i = 0; i < 10; i++) {
        fixture_tell(f, p, send_run, (struct act){.id = q.id, .a = 200});
        fixture_tell(f, s, pause_and_resume, (struct act){.id = q.id, .a = 100});
    }
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 2000);
    CHECK_UINT(fixture_counts(f, "aldis.command").handled, 2000);
}

/* ------------------------------------------------------------------ a million */

enum { WAITING = 1000000, BURST = 10000 };

static aldis_err send_burst(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < BURST; i++) {
        aldis_err err = aldis_ctx_send_raw(ctx, act->id, &tick_type, NULL, 0);
        if (err != ALDIS_OK)
            EXPECT_OK(err);
    }
    return ALDIS_OK;
}

static aldis_err stop_it(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    return aldis_stop(ctx, act->id);
}

/* A stop overtakes a million messages that wait: what is left of them are dead letters. */
static void stop_before_a_million(aldis_clock clock)
{
    struct fixture f = {.clock = clock, .workers = 1};
    fixture_open(&f, NULL);
    puppet_ref p = fixture_spawn(&f, NULL, NULL);
    puppet_ref q =
        fixture_spawn(&f, NULL, &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
    CHECK_OK(aldis_pause(f.system, q.id));
    fixture_settle(&f);
    for (int i = 0; i < WAITING / BURST; i++) {
        fixture_tell(&f, p, send_burst, (struct act){.id = q.id});
        fixture_settle(&f);
    }
    CHECK_UINT(fixture_status(&f, q.id).depth_msgs, WAITING);
    fixture_tell(&f, p, stop_it, (struct act){.id = q.id});
    fixture_settle(&f);
    CHECK(aldis_system_is_closed(f.system, q.id));
    CHECK_UINT(fixture_counts(&f, "tick").dead, WAITING);
    CHECK_UINT(fixture_counts(&f, "tick").handled, 0);
    fixture_close(&f);
}

TEST(a_stop_overtakes_a_million_live)
{
    stop_before_a_million(ALDIS_CLOCK_LIVE);
}

TEST(a_stop_overtakes_a_million_virtual)
{
    stop_before_a_million(ALDIS_CLOCK_VIRTUAL);
}
