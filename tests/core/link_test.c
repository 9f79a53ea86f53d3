// SPDX-License-Identifier: Apache-2.0
/* link_test.c: links of virtual time: their latency, and that FIFO ones keep their order. */
#include "fixture.h"

enum { HANDLED = 1 };
#define LOOKAHEAD ALDIS_MS

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script tracer = {.num = trace_num};

/* a: fifo; b: latency. */
static aldis_err open_link(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_link_opts opts = {.fifo = act->a != 0, .latency_ns = (aldis_ns)act->b};
    EXPECT_OK(aldis_link_open(ctx, act->id, &opts));
    return ALDIS_OK;
}

static aldis_err close_link(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_link_close(ctx, act->id), (aldis_err)act->a);
    return ALDIS_OK;
}

/* Delays in lookaheads, the value is the number. */
static const aldis_ns delays[] = {9, 3, 1, 12, 2, 12, 5};
enum { DELAYS = sizeof delays / sizeof delays[0] };

static aldis_err send_falling(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < DELAYS; i++)
        EXPECT_OK(aldis_send_after(ctx, delays[i] * LOOKAHEAD, to, num, i));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_shorter_delay_overtakes_without_a_link)
{
    static const uint64_t order[] = {2, 4, 1, 6, 0, 3, 5};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    fixture_tell(f, p, send_falling, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), DELAYS);
    for (size_t i = 0; i < DELAYS; i++) {
        CHECK_UINT(trace_at(i).tag, order[i]);
        CHECK_INT(trace_at(i).at_ns, now_ns + delays[order[i]] * LOOKAHEAD);
    }
}

TEST_VIRTUAL(on_a_fifo_link_nothing_arrives_before_its_predecessor)
{
    static const aldis_ns arrivals[] = {9, 9, 9, 12, 12, 12, 12};
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    puppet_ref other = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, open_link, (struct act){.id = q.id, .a = true});
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    fixture_tell(f, p, send_falling, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), DELAYS);
    for (size_t i = 0; i < DELAYS; i++) {
        CHECK_UINT(trace_at(i).tag, i);
        CHECK_INT(trace_at(i).at_ns, now_ns + arrivals[i] * LOOKAHEAD);
    }
    /* It is a matter of this link only, and only while it is declared. */
    trace_clear();
    fixture_tell(f, p, send_falling, (struct act){.id = other.id});
    fixture_settle(f);
    CHECK_UINT(trace_at(0).tag, 2);
    trace_clear();
    fixture_tell(f, p, close_link, (struct act){.id = q.id, .a = ALDIS_OK});
    fixture_tell(f, p, send_falling, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_at(0).tag, 2);
}

/* Sent while the receiver's mailbox is full, so that some wait at the sender. */
static aldis_err send_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    puppet_ref to = {.id = act->id}, me = {.id = aldis_self(ctx)};
    for (int i = 0; i < 10; i++) {
        aldis_ns delay_ns = (aldis_ns)(1 + aldis_random_below(ctx, 20)) * LOOKAHEAD;
        EXPECT_OK(aldis_send_after(ctx, delay_ns, to, num, self->memory[0]++));
    }
    if (self->memory[0] < 500)
        EXPECT_OK(aldis_send_after(ctx, 3 * LOOKAHEAD, me, act, .run = send_many, .id = act->id));
    return ALDIS_OK;
}

static aldis_err serve_slowly(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    EXPECT_UINT(value, self->memory[0]++);
    EXPECT_OK(aldis_busy(ctx, LOOKAHEAD / 2));
    return ALDIS_OK;
}

TEST_VIRTUAL(a_fifo_link_keeps_its_order_past_a_full_mailbox)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = serve_slowly},
                                 &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 8}});
    fixture_tell(f, p, open_link, (struct act){.id = q.id, .a = true});
    fixture_tell(f, p, send_many, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 500);
}

TEST_VIRTUAL(a_links_latency_is_the_delay_of_a_send_without_one)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, open_link, (struct act){.id = q.id, .b = 7 * LOOKAHEAD});
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    fixture_tell(f, p, send_falling, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_at(0).tag, 2); /* a delay that is given counts */
    CHECK_INT(trace_at(0).at_ns, now_ns + LOOKAHEAD);
}

static aldis_err send_plainly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, num, act->a));
    return ALDIS_OK;
}

/* One sender, links of many latencies: to each receiver its own. */
TEST_VIRTUAL(each_link_has_its_own_latency)
{
    enum { RECEIVERS = 40 };
    puppet_ref receivers[RECEIVERS];
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < RECEIVERS; i++)
        receivers[i] = fixture_spawn(f, &tracer, NULL);
    for (uint64_t i = 0; i < RECEIVERS; i++) { /* in an order that is not that of the ids */
        uint64_t k = (i * 7) % RECEIVERS;
        fixture_tell(f, p, open_link,
                     (struct act){.id = receivers[k].id, .b = (k + 1) * LOOKAHEAD});
    }
    for (uint64_t i = 0; i < RECEIVERS; i += 3)
        fixture_tell(f, p, close_link, (struct act){.id = receivers[i].id, .a = ALDIS_OK});
    fixture_tell(f, p, close_link, (struct act){.id = receivers[0].id, .a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    aldis_ns now_ns = aldis_system_now(f->system);
    for (uint64_t i = 0; i < RECEIVERS; i++)
        fixture_tell(f, p, send_plainly, (struct act){.id = receivers[i].id, .a = i});
    fixture_settle(f);
    CHECK_UINT(trace_count(), RECEIVERS);
    for (uint64_t i = 0; i < RECEIVERS; i++) {
        size_t place = trace_find(HANDLED, i);
        CHECK(place != TRACE_MAX);
        aldis_ns latency = i % 3 == 0 ? 1 : (aldis_ns)i + 1;
        CHECK_INT(trace_at(place).at_ns, now_ns + latency * LOOKAHEAD);
    }
}

static aldis_err try_wrong(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_link_open(ctx, aldis_nobody(), NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_link_open(ctx, act->id, &(aldis_link_opts){.latency_ns = -1}), ALDIS_EINVAL);
    EXPECT_ERR(aldis_link_open(ctx, act->id, &(aldis_link_opts){.latency_ns = LOOKAHEAD - 1}),
               (aldis_err)act->a);
    EXPECT_OK(aldis_link_open(ctx, aldis_self(ctx), &(aldis_link_opts){.latency_ns = 1}));
    EXPECT_ERR(aldis_link_open(NULL, act->id, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_link_close(NULL, act->id), ALDIS_EINVAL);
    EXPECT_ERR(aldis_link_close(ctx, aldis_nobody()), ALDIS_EINVAL);
    EXPECT_OK(aldis_link_open(ctx, act->id, NULL));
    return ALDIS_OK;
}

TEST_VIRTUAL(wrong_links_are_refused)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, try_wrong, (struct act){.id = q.id, .a = ALDIS_ELOOKAHEAD});
    fixture_close(f);
    fixture_open(f, &(aldis_system_opts){.raise_short_delays = true});
    p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, try_wrong, (struct act){.id = q.id, .a = ALDIS_OK});
    fixture_settle(f);
}

static aldis_err open_too_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    for (uint64_t i = 1; i <= 65536; i++)
        EXPECT_OK(aldis_link_open(ctx, (aldis_id){.bits = i}, NULL));
    EXPECT_ERR(aldis_link_open(ctx, (aldis_id){.bits = 65537}, NULL), ALDIS_EAGAIN);
    EXPECT_OK(aldis_link_open(ctx, (aldis_id){.bits = 65536}, &(aldis_link_opts){.fifo = true}));
    EXPECT_OK(aldis_link_close(ctx, (aldis_id){.bits = 1}));
    EXPECT_OK(aldis_link_open(ctx, (aldis_id){.bits = 65537}, NULL));
    return ALDIS_OK;
}

TEST_VIRTUAL(an_actors_links_are_bounded)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, open_too_many, (struct act){.a = 0});
    fixture_settle(f);
}

static aldis_err try_live(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_link_open(ctx, act->id, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_link_close(ctx, act->id), ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_LIVE(a_live_system_has_no_links)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, try_live, (struct act){.id = p.id});
    fixture_settle(f);
}
