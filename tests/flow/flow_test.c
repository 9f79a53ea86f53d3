// SPDX-License-Identifier: Apache-2.0
/* flow_test.c: a permit is held until its message is done with, on every path; a rate is kept; what
 * waits goes in order, or is told why not. Under both clocks; the fixture checks the audit. */
#include "core/fixture.h"

#include <pthread.h>

enum { PERMITS = 3, QUEUE = 5 };

/* What a sender's handlers share with the test. */
struct sender {
    aldis_flow_opts opts;
    aldis_flow *flow;
    puppet_ref to;
    aldis_flow_stats stats;
    uint64_t refusals;
    aldis_err last;
};

static aldis_err sender_start(struct puppet *self, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    return aldis_flow_create(ctx, &sender->opts, &sender->flow);
}

static void sender_refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)ctx;
    struct sender *sender = self->script.user;
    sender->refusals += notice->count;
    sender->last = notice->reason;
}

/* a: how many try sends; all must return b. */
static aldis_err try_sends(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_ERR(aldis_flow_try_send(ctx, sender->flow, sender->to, num, i), (aldis_err)act->b);
    return ALDIS_OK;
}

/* a: how many waiting sends; all must return b. */
static aldis_err wait_sends(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_ERR(aldis_flow_send(ctx, sender->flow, ALDIS_FOREVER, sender->to, num, i),
                   (aldis_err)act->b);
    return ALDIS_OK;
}

static aldis_err look(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct sender *sender = self->script.user;
    aldis_flow_get_stats(ctx, sender->flow, &sender->stats);
    return ALDIS_OK;
}

static aldis_flow_stats stats_of(struct fixture *f, puppet_ref from, struct sender *sender)
{
    fixture_tell(f, from, look, (struct act){0});
    fixture_settle(f);
    const aldis_flow_stats *stats = &sender->stats;
    CHECK_UINT(stats->submitted, stats->sent + stats->refused + stats->rate_limited +
                                     stats->expired + stats->discarded + stats->queued);
    CHECK_UINT(stats->available, stats->concurrent_max - stats->in_flight);
    return *stats;
}

static puppet_ref spawn_sender(struct fixture *f, struct sender *sender)
{
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 1};
    const struct script script = {
        .user = sender, .start = sender_start, .undelivered = sender_refused};
    return fixture_spawn(f, &script, &opts);
}

static puppet_ref spawn_receiver(struct fixture *f, const struct script *script,
                                 aldis_mailbox_opts mailbox)
{
    aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = 6, .mailbox = mailbox};
    puppet_ref to = fixture_spawn(f, script, &opts);
    fixture_settle(f);
    return to;
}

static aldis_err note_order(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(1, value, aldis_now(ctx));
    return ALDIS_OK;
}

static void command(struct fixture *f, aldis_id actor, aldis_command what)
{
    CHECK_OK(aldis_system_command(f->system, actor, what, 0));
    fixture_settle(f);
}

TEST_EACH(permits_are_held_until_the_message_is_handled)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = PERMITS}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, try_sends, (struct act){.a = PERMITS});
    fixture_tell(f, from, try_sends, (struct act){.a = 2, .b = ALDIS_EAGAIN});
    fixture_tell(f, from, wait_sends, (struct act){.a = 1, .b = ALDIS_EFULL}); /* none may wait */
    fixture_settle(f);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, PERMITS);
    CHECK_UINT(stats.refused, 3);
    command(f, sender.to.id, ALDIS_CMD_RESUME);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, 0);
    CHECK_UINT(stats.in_flight_peak, PERMITS);
    CHECK_UINT(stats.sent, PERMITS);
    fixture_tell(f, from, try_sends, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, PERMITS + 1);
}

TEST_EACH(permits_come_back_from_a_receiver_that_drops_or_dies)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 10}};
    aldis_mailbox_opts drops = {.capacity_msgs = 2, .policy = ALDIS_DROP_OLDEST};
    sender.to = spawn_receiver(f, &(struct script){0}, drops);
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, try_sends, (struct act){.a = 10});
    fixture_settle(f);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, 2);
    CHECK_UINT(fixture_counts(f, "num").dropped, 8);
    command(f, sender.to.id, ALDIS_CMD_KILL);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, 0);
    CHECK_UINT(fixture_counts(f, "num").dead, 2);
    fixture_tell(f, from, try_sends, (struct act){.a = 1, .b = ALDIS_ESTALE});
    fixture_settle(f);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, 0);
    CHECK_UINT(stats.refused, 1);
}

/* A link may lose a message; its permit comes back. */
TEST_VIRTUAL(permits_come_back_over_a_link_with_faults)
{
    enum { MANY = 200 };
    static struct sender sender;
    static const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.4},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.2, .max_ns = ALDIS_SECOND},
    };
    const aldis_fault_plan plan = {.seed = 3, .rules = rules, .rule_count = 3};
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = PERMITS, .queue_max = MANY}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    CHECK_OK(aldis_system_inject(f->system, &plan));
    fixture_tell(f, from, wait_sends, (struct act){.a = MANY});
    fixture_settle(f);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.sent, MANY);
    CHECK_UINT(stats.in_flight, 0);
    CHECK(fixture_counts(f, "num").handled < MANY);
}

TEST_EACH(what_waits_goes_in_order_within_its_bound)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = PERMITS, .queue_max = QUEUE}};
    sender.to = spawn_receiver(f, &(struct script){.num = note_order}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, wait_sends, (struct act){.a = PERMITS + QUEUE});
    fixture_tell(f, from, wait_sends, (struct act){.a = 1, .b = ALDIS_EFULL});
    fixture_settle(f);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.in_flight, PERMITS);
    CHECK_UINT(stats.queued, QUEUE);
    command(f, sender.to.id, ALDIS_CMD_RESUME);
    stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.sent, PERMITS + QUEUE);
    CHECK_UINT(stats.in_flight_peak, PERMITS);
    CHECK_UINT(stats.queued + stats.in_flight, 0);
    for (uint64_t i = 0; i < PERMITS + QUEUE; i++)
        CHECK_UINT(trace_find(1, i), i);
}

static aldis_err wait_briefly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_flow_send(ctx, sender->flow, 5 * ALDIS_MS, sender->to, num, i));
    return ALDIS_OK;
}

TEST_VIRTUAL(what_waits_too_long_expires_and_is_told)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 1, .queue_max = QUEUE}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, wait_briefly, (struct act){.a = 1 + QUEUE});
    fixture_settle(f); /* nothing else happens: an alarm looks */
    CHECK_UINT(sender.refusals, QUEUE);
    CHECK_ERR(sender.last, ALDIS_EEXPIRED);
    CHECK_UINT(fixture_counts(f, "num").expired, QUEUE);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.expired, QUEUE);
    CHECK_UINT(stats.in_flight, 1);
}

static aldis_err wait_and_fail(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_OK(wait_briefly(self, act, ctx));
    return aldis_fail(ctx, "restart me");
}

/* The alarm of its old state comes while it is down. */
TEST_VIRTUAL(what_waits_expires_after_a_restart_too)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 1, .queue_max = QUEUE}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    const struct script script = {
        .start = sender_start, .undelivered = sender_refused, .user = &sender};
    const aldis_spawn_opts opts = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
    puppet_ref from = fixture_spawn(f, &script, &opts);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, wait_and_fail, (struct act){.a = 1 + QUEUE});
    fixture_settle(f);
    sender.refusals = 0;
    fixture_tell(f, from, wait_briefly, (struct act){.a = 1 + QUEUE});
    fixture_settle(f);
    CHECK_UINT(sender.refusals, QUEUE);
    CHECK_ERR(sender.last, ALDIS_EEXPIRED);
}

TEST_EACH(what_waits_is_discarded_with_its_owner)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 1, .queue_max = QUEUE}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, wait_sends, (struct act){.a = 1 + QUEUE});
    fixture_settle(f);
    command(f, from.id, ALDIS_CMD_STOP);
    CHECK_UINT(fixture_counts(f, "num").dead, QUEUE);
    aldis_dead_letter_counts letters;
    CHECK_OK(aldis_dead_letters(f->system, NULL, NULL, NULL, &letters));
    CHECK_UINT(letters.kept, QUEUE);
    command(f, sender.to.id, ALDIS_CMD_RESUME); /* the permit finds nobody */
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
}

static aldis_err destroy_and_go_on(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct sender *sender = self->script.user;
    EXPECT_OK(aldis_flow_destroy(ctx, sender->flow));
    EXPECT_OK(aldis_flow_create(ctx, &sender->opts, &sender->flow));
    return ALDIS_OK;
}

TEST_EACH(a_controller_may_end_before_its_permits_are_back)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 2, .queue_max = QUEUE}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    command(f, sender.to.id, ALDIS_CMD_PAUSE);
    fixture_tell(f, from, wait_sends, (struct act){.a = 4});
    fixture_tell(f, from, destroy_and_go_on, (struct act){0});
    fixture_tell(f, from, try_sends, (struct act){.a = 1});
    fixture_settle(f);
    CHECK_UINT(stats_of(f, from, &sender).in_flight, 1);
    command(f, sender.to.id, ALDIS_CMD_RESUME);
    CHECK_UINT(stats_of(f, from, &sender).in_flight, 0);
    CHECK_UINT(fixture_counts(f, "num").handled, 3);
    CHECK_UINT(fixture_counts(f, "num").dead, 2);
}

/* ------------------------------------------------------------------ rates */

/* 5 at once, then one each 100 ms, whatever is asked. */
TEST_VIRTUAL(a_rate_is_kept_exactly)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){
        .opts = {.concurrent_max = 100, .queue_max = 100, .rate = {.tokens = 10, .burst = 5}}};
    sender.to = spawn_receiver(f, &(struct script){.num = note_order}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    fixture_settle(f);
    fixture_tell(f, from, wait_sends, (struct act){.a = 25});
    fixture_settle(f);
    aldis_ns first_ns = trace_at(0).at_ns;
    for (uint64_t i = 0; i < 25; i++) {
        CHECK_UINT(trace_at(i).what, 1);
        CHECK_INT(trace_at(i).at_ns - first_ns, i < 5 ? 0 : (aldis_ns)(i - 4) * 100 * ALDIS_MS);
    }
}

static aldis_err try_until_limited(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    uint64_t sent = 0;
    aldis_err err;
    EXPECT_UINT(aldis_flow_wait(ctx, sender->flow, ALDIS_LANE_NORMAL), 0);
    while ((err = aldis_flow_try_send(ctx, sender->flow, sender->to, num, sent)) == ALDIS_OK)
        sent++;
    EXPECT_ERR(err, ALDIS_ERATE);
    EXPECT_UINT(sent, act->a);
    EXPECT(aldis_flow_wait(ctx, sender->flow, ALDIS_LANE_NORMAL) > 0);
    return ALDIS_OK;
}

/* A message that costs three; then one whose receiver is gone gives its tokens back. */
static aldis_err pay_by_lane(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    const aldis_send_opts high = {.lane = ALDIS_LANE_HIGH};
    uint64_t value = 1;
    EXPECT_OK(aldis_flow_try_send_raw(ctx, sender->flow, sender->to.id, &num_type, &value,
                                      sizeof value, &high));
    EXPECT_ERR(
        aldis_flow_try_send_raw(ctx, sender->flow, act->id, &num_type, &value, sizeof value, NULL),
        ALDIS_ENOTFOUND);
    aldis_flow_get_stats(ctx, sender->flow, &sender->stats);
    EXPECT_UINT(sender->stats.tokens, 20 - 3);
    return ALDIS_OK;
}

TEST_EACH(a_rate_has_a_default_burst_and_lanes_their_costs)
{
    static struct sender sender;
    fixture_open(f, NULL);
    sender = (struct sender){.opts = {.concurrent_max = 100,
                                      .rate = {.tokens = 2, .period_ns = ALDIS_SECOND},
                                      .costs = {[ALDIS_LANE_HIGH] = 3}}};
    sender.to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    puppet_ref from = spawn_sender(f, &sender);
    fixture_tell(f, from, pay_by_lane, (struct act){.id = {0x7777}});
    fixture_tell(f, from, try_until_limited, (struct act){.a = 17});
    fixture_settle(f);
    aldis_flow_stats stats = stats_of(f, from, &sender);
    CHECK_UINT(stats.rate.burst, 20);
    CHECK_UINT(stats.rate_limited, 1);
}

static aldis_err make_wrong_ones(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self, (void)act;
    static const aldis_flow_opts wrong[] = {
        {.concurrent_max = 0},
        {.concurrent_max = (1u << 30) + 1},
        {.concurrent_max = 1, .queue_max = (1u << 20) + 1},
        {.concurrent_max = 1, .rate = {.burst = 4}},
        {.concurrent_max = 1, .rate = {.tokens = 1, .period_ns = -1}},
        {.concurrent_max = 1, .rate = {.tokens = 1, .burst = 2}, .costs = {3}}};
    aldis_flow *flow;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        EXPECT_ERR(aldis_flow_create(ctx, &wrong[i], &flow), ALDIS_EINVAL);
    EXPECT_ERR(aldis_flow_create(ctx, NULL, &flow), ALDIS_EINVAL);
    EXPECT_ERR(aldis_flow_create(ctx, &(aldis_flow_opts){.concurrent_max = 1}, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_flow_destroy(ctx, NULL), ALDIS_EINVAL);
    return ALDIS_OK;
}

TEST_EACH(a_controller_refuses_what_makes_no_sense)
{
    fixture_open(f, NULL);
    puppet_ref any = fixture_spawn(f, &(struct script){0}, NULL);
    fixture_tell(f, any, make_wrong_ones, (struct act){0});
    fixture_settle(f);
    aldis_shared_flow *flow;
    CHECK_ERR(aldis_shared_flow_create(f->system, &(aldis_flow_opts){0}, &flow), ALDIS_EINVAL);
    CHECK_ERR(aldis_shared_flow_create(NULL, &(aldis_flow_opts){.concurrent_max = 1}, &flow),
              ALDIS_EINVAL);
}

/* ------------------------------------------------------------------ threads */

enum { THREADS = 3, EACH = 200 };

struct thread {
    pthread_t thread;
    aldis_shared_flow *flow;
    puppet_ref to;
    aldis_err worst;
};

static void *send_all(void *arg)
{
    struct thread *self = arg;
    for (uint64_t i = 0; i < EACH; i++) {
        aldis_err err = aldis_shared_flow_send_until_raw(self->flow, self->to.id, &num_type, &i,
                                                         sizeof i, ALDIS_FOREVER);
        if (err != ALDIS_OK)
            self->worst = err;
    }
    return NULL;
}

TEST_LIVE(threads_share_permits_and_wait_for_them)
{
    fixture_open(f, NULL);
    /* One more than there are permits would be dropped. */
    const aldis_mailbox_opts two = {.capacity_msgs = 2, .policy = ALDIS_DROP_NEWEST};
    puppet_ref to = spawn_receiver(f, &(struct script){0}, two);
    struct thread threads[THREADS];
    aldis_shared_flow *flow;
    aldis_flow_opts opts = {.concurrent_max = 2, .queue_max = THREADS};
    CHECK_OK(aldis_shared_flow_create(f->system, &opts, &flow));
    for (int i = 0; i < THREADS; i++) {
        threads[i] = (struct thread){.flow = flow, .to = to};
        CHECK_INT(pthread_create(&threads[i].thread, NULL, send_all, &threads[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i].thread, NULL), 0);
        CHECK_ERR(threads[i].worst, ALDIS_OK);
    }
    fixture_settle(f);
    aldis_flow_stats stats;
    aldis_shared_flow_get_stats(flow, &stats);
    CHECK_UINT(stats.sent, THREADS * EACH);
    CHECK_UINT(stats.submitted, THREADS * EACH);
    CHECK_UINT(stats.in_flight, 0);
    CHECK(stats.in_flight_peak > 0);
    CHECK_UINT(fixture_counts(f, "num").handled, THREADS * EACH);
    aldis_shared_flow_destroy(flow);
    aldis_shared_flow_destroy(NULL);
}

TEST_EACH(threads_are_refused_without_permit_token_or_receiver)
{
    fixture_open(f, NULL);
    puppet_ref to = spawn_receiver(f, &(struct script){0}, (aldis_mailbox_opts){0});
    command(f, to.id, ALDIS_CMD_PAUSE);
    aldis_shared_flow *permits, *rated;
    uint64_t value = 1;
    aldis_flow_opts opts = {.concurrent_max = 2, .queue_max = 1};
    CHECK_OK(aldis_shared_flow_create(f->system, &opts, &permits));
    opts = (aldis_flow_opts){.concurrent_max = 9,
                             .rate = {.tokens = 1, .period_ns = ALDIS_HOUR, .burst = 3}};
    CHECK_OK(aldis_shared_flow_create(f->system, &opts, &rated));
    for (int i = 0; i < 2; i++)
        CHECK_OK(aldis_shared_flow_try_send_raw(permits, to.id, &num_type, &value, sizeof value));
    CHECK_ERR(aldis_shared_flow_try_send_raw(permits, to.id, &num_type, &value, sizeof value),
              ALDIS_EAGAIN);
    CHECK_ERR(
        aldis_shared_flow_send_until_raw(permits, to.id, &num_type, &value, sizeof value, ALDIS_MS),
        ALDIS_ETIMEDOUT);
    const aldis_id nobody = {0x7777}; /* its token and its permit come back at once */
    CHECK_ERR(aldis_shared_flow_try_send_raw(rated, nobody, &num_type, &value, sizeof value),
              ALDIS_ENOTFOUND);
    for (int i = 0; i < 3; i++)
        CHECK_OK(aldis_shared_flow_try_send_raw(rated, to.id, &num_type, &value, sizeof value));
    CHECK_ERR(aldis_shared_flow_try_send_raw(rated, to.id, &num_type, &value, sizeof value),
              ALDIS_ERATE);
    CHECK_ERR(
        aldis_shared_flow_send_until_raw(rated, to.id, &num_type, &value, sizeof value, ALDIS_MS),
        ALDIS_EFULL); /* nobody may wait there */
    aldis_flow_stats stats;
    aldis_shared_flow_get_stats(permits, &stats);
    CHECK_UINT(stats.in_flight, 2);
    CHECK_UINT(stats.expired, 1);
    CHECK_UINT(stats.submitted, 4);
    CHECK_UINT(stats.refused, 1);
    command(f, to.id, ALDIS_CMD_KILL); /* what it had is dead: the permits are back */
    aldis_shared_flow_get_stats(permits, &stats);
    CHECK_UINT(stats.in_flight, 0);
    aldis_shared_flow_get_stats(rated, &stats);
    CHECK_UINT(stats.in_flight, 0);
    CHECK_UINT(stats.tokens, 0);
    CHECK_ERR(aldis_shared_flow_try_send_raw(permits, to.id, &num_type, &value, sizeof value),
              ALDIS_ESTALE);
    aldis_shared_flow_destroy(permits);
    aldis_shared_flow_destroy(rated);
}

/* ------------------------------------------------------------------ one run on any workers */

enum { CROWD = 12, ROUNDS = 30 };

/* Some try, some wait, to receivers that are slow, small, and die on the way. */
static aldis_err crowd_tick(struct puppet *self, aldis_ctx *ctx)
{
    struct sender *sender = self->script.user;
    puppet_ref to = {.id = {self->memory[1 + self->count % 3]}};
    for (int i = 0; i < 3; i++) {
        uint64_t value = aldis_random_below(ctx, 1000);
        if (aldis_random_below(ctx, 2) == 0)
            (void)aldis_flow_try_send(ctx, sender->flow, to, num, value);
        else
            (void)aldis_flow_send(ctx, sender->flow, 7 * ALDIS_MS, to, num, value);
    }
    aldis_flow_get_stats(ctx, sender->flow, &sender->stats);
    if (++self->count < ROUNDS)
        return aldis_signal_after(ctx, 2 * ALDIS_MS, (puppet_ref){.id = aldis_self(ctx)}, tick);
    return ALDIS_OK;
}

static aldis_err be_slow(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    if (++self->count == 60 && self->script.tag == 2)
        return aldis_stop(ctx, aldis_self(ctx));
    return aldis_busy(ctx, (aldis_ns)value * ALDIS_US);
}

static aldis_err crowd_meet(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    self->memory[1 + act->a] = act->id.bits;
    return act->a == 2 ? aldis_signal(ctx, (puppet_ref){.id = aldis_self(ctx)}, tick) : ALDIS_OK;
}

TEST_VIRTUAL(a_crowd_of_controllers_decides_the_same_on_any_workers)
{
    static uint64_t print, refused; /* the first case's */
    static struct sender senders[CROWD];
    puppet_ref to[3];
    fixture_open(f, &(aldis_system_opts){.seed = 11});
    for (uint32_t i = 0; i < 3; i++) {
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD,
                                 .shard = i,
                                 .mailbox = {.capacity_msgs = 8, .policy = ALDIS_DROP_NEWEST}};
        to[i] = fixture_spawn(f, &(struct script){.num = be_slow, .tag = i}, &opts);
    }
    for (uint32_t i = 0; i < CROWD; i++) {
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = i % 8};
        senders[i] = (struct sender){.opts = {.concurrent_max = 1 + i % 4,
                                              .queue_max = i % 3,
                                              .rate = {.tokens = 400 + i, .burst = 5}}};
        puppet_ref from = fixture_spawn(
            f, &(struct script){.user = &senders[i], .start = sender_start, .tick = crowd_tick},
            &opts);
        for (uint32_t r = 0; r < 3; r++)
            fixture_tell(f, from, crowd_meet, (struct act){.id = to[r].id, .a = r});
    }
    fixture_settle(f);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CROWD; i++)
        sum = sum * 31 + senders[i].stats.refused * 7 + senders[i].stats.rate_limited * 5 +
              senders[i].stats.expired * 3 + senders[i].stats.sent;
    CHECK_UINT(aldis_system_run_print(f->system),
               print ? print : aldis_system_run_print(f->system));
    CHECK_UINT(sum, refused ? refused : sum);
    print = aldis_system_run_print(f->system);
    refused = sum;
    CHECK(fixture_counts(f, "num").dropped > 0);
    CHECK(fixture_counts(f, "num").expired > 0);
}
