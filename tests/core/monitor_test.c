// SPDX-License-Identifier: Apache-2.0
/* monitor_test.c: who is told of an end: monitors and links. */
#include "fixture.h"

enum { DOWN = 1 };

static aldis_err trace_down(struct puppet *self, const aldis_down *down, aldis_ctx *ctx)
{
    EXPECT(aldis_is_closed(ctx, down->actor));
    EXPECT(strcmp(down->kind, "puppet") == 0 || down->reason == ALDIS_ENDED_BEFORE);
    self->memory[3] = down->ref.bits;
    trace_add(DOWN, (uint64_t)down->reason << 32 | (uint64_t)down->err, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script watcher = {.down = trace_down};

static uint64_t ending(aldis_end_reason reason, aldis_err err)
{
    return (uint64_t)reason << 32 | (uint64_t)err;
}

static aldis_err monitor(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_monitor_ref ref = {0};
    EXPECT_ERR(aldis_monitor(ctx, act->id, &ref), (aldis_err)act->a);
    self->memory[2] = ref.bits;
    return ALDIS_OK;
}

static aldis_err demonitor(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_monitor_ref ref = {self->memory[2]};
    EXPECT_ERR(aldis_demonitor(ctx, ref), (aldis_err)act->a);
    return ALDIS_OK;
}

static aldis_err fail(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    return aldis_fail(ctx, "as told");
}

static const aldis_spawn_opts restarted = {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}};
static const aldis_spawn_opts never = {.restart = {.mode = ALDIS_RESTART_NEVER}};

/* ------------------------------------------------------------------ monitors */

TEST_EACH(each_watcher_gets_exactly_one_notice)
{
    enum { WATCHERS = 20 };
    fixture_open(f, NULL);
    puppet_ref target = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < WATCHERS; i++)
        fixture_tell(f, fixture_spawn(f, &watcher, NULL), monitor, (struct act){.id = target.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_OK(aldis_stop(f->system, target.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), WATCHERS);
    for (size_t i = 0; i < WATCHERS; i++)
        CHECK_UINT(trace_at(i).tag, ending(ALDIS_ENDED_STOPPED, ALDIS_OK));
    CHECK_UINT(fixture_counts(f, "aldis_down").handled, WATCHERS);
}

TEST_EACH(the_notice_says_why)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL);
    puppet_ref fails = fixture_spawn(f, NULL, &never), killed = fixture_spawn(f, NULL, NULL),
               drained = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, w, monitor, (struct act){.id = fails.id});
    fixture_tell(f, w, monitor, (struct act){.id = killed.id});
    fixture_tell(f, w, monitor, (struct act){.id = drained.id});
    fixture_settle(f);
    fixture_tell(f, fails, fail, (struct act){.a = 0});
    CHECK_OK(aldis_kill(f->system, killed.id));
    CHECK_OK(aldis_drain(f->system, drained.id, ALDIS_FOREVER));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 3);
    CHECK(trace_find(DOWN, ending(ALDIS_ENDED_FAILED, ALDIS_EHANDLER)) != TRACE_MAX);
    CHECK(trace_find(DOWN, ending(ALDIS_ENDED_KILLED, ALDIS_OK)) != TRACE_MAX);
    CHECK(trace_find(DOWN, ending(ALDIS_ENDED_DRAINED, ALDIS_OK)) != TRACE_MAX);
}

TEST_EACH(the_dead_and_those_that_never_were_are_told_of_at_once)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL), dead = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_stop(f->system, dead.id));
    fixture_settle(f);
    fixture_tell(f, w, monitor, (struct act){.id = dead.id});
    fixture_tell(f, w, monitor, (struct act){.id = {dead.id.bits + 1}}); /* a later generation */
    fixture_tell(f, w, monitor, (struct act){.id = {w.id.bits ^ UINT64_C(0x5) << 40}});
    fixture_tell(f, w, monitor, (struct act){.id = {UINT64_MAX}}); /* no shard has it */
    fixture_settle(f);
    CHECK_UINT(trace_count(), 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_UINT(trace_at(i).tag, ending(ALDIS_ENDED_BEFORE, ALDIS_OK));
}

TEST_EACH(a_monitor_that_was_given_up_never_tells)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL), target = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, w, monitor, (struct act){.id = target.id});
    fixture_tell(f, w, demonitor, (struct act){.a = ALDIS_OK});
    fixture_tell(f, w, demonitor, (struct act){.a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, target.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_UINT(fixture_counts(f, "aldis_down").sent, 0);
}

/* Its notice is under way when it is given up. */
static aldis_err monitor_the_dead_and_give_up(struct puppet *self, const struct act *act,
                                              aldis_ctx *ctx)
{
    (void)self;
    aldis_monitor_ref ref, other;
    for (int i = 0; i < 100; i++) {
        EXPECT_OK(aldis_monitor(ctx, act->id, &ref));
        EXPECT_OK(aldis_demonitor(ctx, ref));
    }
    EXPECT_OK(aldis_monitor(ctx, act->id, &other));
    EXPECT(other.bits != ref.bits);
    return ALDIS_OK;
}

TEST_EACH(a_notice_under_way_is_taken_back)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL), dead = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_stop(f->system, dead.id));
    fixture_settle(f);
    fixture_tell(f, w, monitor_the_dead_and_give_up, (struct act){.id = dead.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK_UINT(fixture_counts(f, "aldis_down").sent, 1);
}

TEST_EACH(a_restart_is_no_end_but_the_watchers_own_monitors_go)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL);
    aldis_spawn_opts opts = restarted;
    puppet_ref target = fixture_spawn(f, &watcher, &opts);
    puppet_ref third = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, w, monitor, (struct act){.id = target.id});
    fixture_tell(f, target, monitor, (struct act){.id = third.id});
    fixture_settle(f);
    fixture_tell(f, target, fail, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, target.id).restarts, 1);
    CHECK_OK(aldis_stop(f->system, third.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_OK(aldis_stop(f->system, target.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
}

static aldis_err refusals(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_monitor_ref ref;
    EXPECT_ERR(aldis_monitor(ctx, act->id, &ref), ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_life_trap(ctx, true), ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_life_link(ctx, aldis_self(ctx)), ALDIS_EINVAL);
    EXPECT_ERR(aldis_life_link(ctx, aldis_nobody()), ALDIS_EINVAL);
    EXPECT_ERR(aldis_life_link(ctx, (aldis_id){UINT64_MAX}), ALDIS_EINVAL);
    EXPECT_ERR(aldis_life_unlink(ctx, act->id), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_monitor(NULL, act->id, &ref), ALDIS_EINVAL);
    return ALDIS_OK;
}

TEST_EACH(what_cannot_be_watched_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL);
    plain_ref p;
    CHECK_OK(aldis_spawn(f->system, plain, &p, NULL));
    fixture_tell(f, w, monitor, (struct act){.id = w.id, .a = ALDIS_EINVAL});
    fixture_tell(f, w, monitor, (struct act){.id = aldis_nobody(), .a = ALDIS_EINVAL});
    CHECK_OK(aldis_send(f->system, p, act, .run = refusals, .id = w.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
}

TEST_EACH(a_watcher_that_ends_is_forgotten)
{
    fixture_open(f, NULL);
    puppet_ref w = fixture_spawn(f, &watcher, NULL), target = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, w, monitor, (struct act){.id = target.id});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, w.id));
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, target.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "aldis_down").sent, 0);
}

/* ------------------------------------------------------------------ links */

static aldis_err tie(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_life_link(ctx, act->id));
    if (act->a)
        EXPECT_OK(aldis_life_trap(ctx, true));
    if (act->b)
        EXPECT_OK(aldis_life_unlink(ctx, act->id));
    return ALDIS_OK;
}

TEST_EACH(linked_actors_end_together_either_way)
{
    fixture_open(f, NULL);
    puppet_ref a[2], b[2];
    for (int i = 0; i < 2; i++) {
        a[i] = fixture_spawn(f, NULL, NULL);
        b[i] = fixture_spawn(f, NULL, NULL);
        fixture_tell(f, a[i], tie, (struct act){.id = b[i].id});
        fixture_tell(f, a[i], tie, (struct act){.id = b[i].id}); /* twice is once */
    }
    puppet_ref w = fixture_spawn(f, &watcher, NULL);
    fixture_tell(f, w, monitor, (struct act){.id = b[0].id});
    fixture_tell(f, w, monitor, (struct act){.id = a[1].id});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, a[0].id));
    CHECK_OK(aldis_kill(f->system, b[1].id));
    fixture_settle(f);
    for (int i = 0; i < 2; i++) {
        CHECK(aldis_is_closed(f->system, a[i].id));
        CHECK(aldis_is_closed(f->system, b[i].id));
    }
    CHECK_UINT(trace_count(), 2);
    CHECK(trace_find(DOWN, ending(ALDIS_ENDED_LINKED, ALDIS_OK)) != TRACE_MAX);
    CHECK(trace_find(DOWN, ending(ALDIS_ENDED_FAILED, ALDIS_ELINKED)) != TRACE_MAX);
}

TEST_EACH(a_linked_failure_restarts_who_can_be_restarted)
{
    fixture_open(f, NULL);
    aldis_spawn_opts opts = restarted;
    puppet_ref a = fixture_spawn(f, NULL, &opts);
    opts = never;
    puppet_ref b = fixture_spawn(f, NULL, &opts);
    fixture_tell(f, a, tie, (struct act){.id = b.id});
    fixture_settle(f);
    fixture_tell(f, b, fail, (struct act){.a = 0});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, b.id));
    CHECK(!aldis_is_closed(f->system, a.id));
    CHECK_UINT(fixture_status(f, a.id).restarts, 1);
}

TEST_EACH(a_trapped_link_is_a_message)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &watcher, NULL), b = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, tie, (struct act){.id = b.id, .a = 1});
    fixture_settle(f);
    CHECK_OK(aldis_kill(f->system, b.id));
    fixture_settle(f);
    CHECK(!aldis_is_closed(f->system, a.id));
    CHECK_UINT(trace_count(), 1);
    CHECK_UINT(trace_at(0).tag, ending(ALDIS_ENDED_KILLED, ALDIS_OK));
    fixture_tell(f, a, tie, (struct act){.id = b.id}); /* it is not there any more */
    fixture_settle(f);
    CHECK_UINT(trace_count(), 2);
    CHECK_UINT(trace_at(1).tag, ending(ALDIS_ENDED_BEFORE, ALDIS_OK));
}

TEST_EACH(a_link_with_the_dead_is_a_failure)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL), b = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_stop(f->system, b.id));
    fixture_settle(f);
    fixture_tell(f, a, tie, (struct act){.id = b.id});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, a.id));
}

TEST_EACH(untied_they_end_alone)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, NULL, NULL), b = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, a, tie, (struct act){.id = b.id, .b = 1});
    fixture_settle(f);
    CHECK_OK(aldis_kill(f->system, b.id));
    fixture_settle(f);
    CHECK(!aldis_is_closed(f->system, a.id));
}

/* A ring of linked actors falls when one of them does. */
TEST_EACH(a_ring_of_links_falls_as_one)
{
    enum { RING = 12 };
    fixture_open(f, NULL);
    puppet_ref ring[RING];
    for (int i = 0; i < RING; i++)
        ring[i] = fixture_spawn(f, NULL, NULL);
    for (int i = 0; i < RING; i++)
        fixture_tell(f, ring[i], tie, (struct act){.id = ring[(i + 1) % RING].id});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, ring[5].id));
    fixture_settle(f);
    for (int i = 0; i < RING; i++)
        CHECK(aldis_is_closed(f->system, ring[i].id));
}
