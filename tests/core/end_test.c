// SPDX-License-Identifier: Apache-2.0
/* end_test.c: stop, drain and kill, of one actor, of trees, and of a whole system. */
#include "fixture.h"

#include <stdatomic.h>

enum { STARTED = 1, STOPPED, HANDLED, ENDED, LETTER, REFUSED };

static void trace_stop(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(STOPPED, self->script.tag, aldis_now(ctx));
}

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)self;
    EXPECT(aldis_is_closed(ctx, notice->child));
    EXPECT_UINT(notice->err, ALDIS_OK);
    trace_add(ENDED, notice->reason, aldis_now(ctx));
}

static void trace_undelivered(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t i = 0; i < notice->count; i++)
        trace_add(REFUSED, notice->reason, aldis_now(ctx));
}

static const struct script tracer = {.stop = trace_stop,
                                     .num = trace_num,
                                     .child_ended = trace_child,
                                     .undelivered = trace_undelivered};

static uint64_t active_actors(struct fixture *f)
{
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t active = stats.active_actors;
    aldis_stats_fini(&stats);
    return active;
}

/* A paused puppet, with `count` nums waiting in its mailbox. */
static puppet_ref paused_with_mail(struct fixture *f, const struct script *script, uint64_t count)
{
    puppet_ref p = fixture_spawn(f, script, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < count; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, p.id).depth_msgs, count);
    return p;
}

/* ------------------------------------------------------------------ stop */

static aldis_err send_self_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref me = {.id = aldis_self(ctx)};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, me, num, i));
    EXPECT_OK(aldis_stop(ctx, me.id));
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, me, num, i));
    return ALDIS_OK;
}

struct letters {
    _Atomic(uint64_t) count;
};

static void trace_letter(void *arg, const aldis_dead_letter *letter)
{
    struct letters *letters = arg;
    atomic_fetch_add(&letters->count, 1);
    EXPECT(strcmp(letter->type_name, "num") == 0);
    EXPECT_UINT(letter->size, sizeof(uint64_t));
    EXPECT(letter->payload != NULL);
    EXPECT(!aldis_id_is_nobody(letter->to));
    trace_add(LETTER, letter->reason, (aldis_ns) * (const uint64_t *)letter->payload);
}

TEST_EACH(after_a_stop_the_rest_of_the_mail_is_dead)
{
    static struct letters letters;
    atomic_store(&letters.count, 0);
    fixture_open(
        f, &(aldis_system_opts){.on_dead_letter = trace_letter, .on_dead_letter_arg = &letters});
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, send_self_and_stop, (struct act){.a = 10});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STOPPED), 1);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    CHECK(aldis_is_closed(f->system, p.id));
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, 20);
    CHECK_UINT(nums.handled, 0);
    CHECK_UINT(nums.dead, 20);
    CHECK_UINT(atomic_load(&letters.count), 20);
    CHECK_UINT(trace_count_of(LETTER), 20);
    CHECK(trace_find(LETTER, ALDIS_ESTALE) != TRACE_MAX);
    CHECK_ERR(aldis_send(f->system, p, num, 1), ALDIS_ESTALE);
}

TEST_EACH(to_stop_twice_is_an_error)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    CHECK_ERR(aldis_stop(f->system, p.id), ALDIS_ESTALE);
    CHECK_ERR(aldis_kill(f->system, p.id), ALDIS_ESTALE);
    CHECK_ERR(aldis_drain(f->system, p.id, 0), ALDIS_ESTALE);
    CHECK_ERR(aldis_pause(f->system, p.id), ALDIS_ESTALE);
    CHECK_ERR(aldis_resume(f->system, p.id), ALDIS_ESTALE);
    CHECK_ERR(aldis_stop(f->system, aldis_nobody()), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_stop(f->system, (aldis_id){p.id.bits + 1}), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_stop(f->system, (aldis_id){UINT64_MAX}), ALDIS_ENOTFOUND);
    p = fixture_spawn(f, &tracer, NULL);
    CHECK_ERR(aldis_system_command(f->system, p.id, (aldis_command)55, 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_drain(f->system, p.id, -1), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_command(NULL, p.id, ALDIS_CMD_STOP, 0), ALDIS_EINVAL);
    CHECK_UINT(trace_count_of(STOPPED), 1);
}

static aldis_err command_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->b; i++) {
        aldis_err err = aldis_ctx_command(ctx, act->id, (aldis_command)act->a, 0);
        EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE);
    }
    return ALDIS_OK;
}

TEST_EACH(many_commands_at_once_end_an_actor_once)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref p = fixture_spawn(
            f, &tracer,
            &(aldis_spawn_opts){.parent = parent.id, .shard = i, .placement = ALDIS_PLACE_SHARD});
        fixture_tell(
            f, parent, command_many,
            (struct act){.id = p.id, .a = i % 2 ? ALDIS_CMD_STOP : ALDIS_CMD_DRAIN, .b = 50});
        fixture_tell(f, parent, command_many,
                     (struct act){.id = p.id, .a = ALDIS_CMD_STOP, .b = 50});
    }
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STOPPED), 8);
    CHECK_UINT(trace_count_of(ENDED), 8);
    CHECK_UINT(active_actors(f), 1);
}

static aldis_err stop_in_start(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_EACH(an_actor_may_stop_itself_in_its_start)
{
    fixture_open(f, NULL);
    struct script script = tracer;
    script.start = stop_in_start;
    puppet_ref p = fixture_spawn(f, &script, NULL);
    /* Live, it may have come and gone already. */
    aldis_err err = aldis_send(f->system, p, num, 1);
    CHECK(err == ALDIS_OK || err == ALDIS_ESTALE || err == ALDIS_ESHUTDOWN);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(STOPPED), 1);
    CHECK(aldis_is_closed(f->system, p.id));
}

static void work_in_stop(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(STOPPED, self->script.tag, aldis_now(ctx));
    puppet_ref other = {.id = *(aldis_id *)self->script.user};
    for (uint64_t i = 0; i < 10; i++)
        EXPECT_OK(aldis_send(ctx, other, num, i));
    aldis_id id = aldis_nobody();
    EXPECT_ERR(aldis_ctx_spawn_raw(ctx, &puppet_behaviour, NULL, &id), ALDIS_ESHUTDOWN);
    EXPECT_ERR(aldis_reply(ctx, num, 1), ALDIS_ENORECEIVER);
    EXPECT(aldis_id_is_nobody(aldis_sender(ctx)));
    aldis_timer timer;
    EXPECT_ERR(aldis_timer_once(ctx, 1, tick, &timer), ALDIS_ESHUTDOWN);
}

TEST_EACH(on_stop_may_send_but_not_spawn)
{
    static aldis_id other;
    fixture_open(f, NULL);
    other = fixture_spawn(f, &tracer, NULL).id;
    puppet_ref p = fixture_spawn(f, &(struct script){.stop = work_in_stop, .user = &other}, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 10);
    CHECK_UINT(active_actors(f), 1);
}

/* ------------------------------------------------------------------ drain */

static aldis_err send_expecting(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_ERR(aldis_send(ctx, to, num, act->a), (aldis_err)act->b);
    return ALDIS_OK;
}

TEST_EACH(a_drain_finishes_what_is_queued_and_refuses_the_rest)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, &(aldis_spawn_opts){.parent = parent.id});
    puppet_ref other = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 300; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_FOREVER));
    fixture_settle(f);
    CHECK(!aldis_is_closed(f->system, p.id));
    CHECK_ERR(aldis_send(f->system, p, num, 999), ALDIS_ESHUTDOWN);
    fixture_tell(f, other, send_expecting,
                 (struct act){.id = p.id, .a = 998, .b = ALDIS_ESHUTDOWN});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    for (uint64_t i = 0; i < 300; i++)
        CHECK_UINT(trace_find(HANDLED, i), i);
    CHECK_UINT(trace_at(300).what, STOPPED);
    CHECK_UINT(trace_count_of(HANDLED), 300);
    CHECK_UINT(trace_find(ENDED, ALDIS_ENDED_DRAINED), 301);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.handled, 300);
    CHECK_UINT(nums.rejected, 2);
    CHECK_UINT(nums.dead, 0);
}

TEST_EACH(a_drain_of_an_idle_actor_ends_it_at_once)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_FOREVER));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count_of(STOPPED), 1);
}

/* Deadlines at both ends of their range. */
static const aldis_ns deadlines[] = {0, 1, ALDIS_MS, 3 * ALDIS_MS};

TEST_EACH(a_drain_ends_at_its_deadline)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    for (size_t i = 0; i < 4; i++) {
        puppet_ref p = fixture_spawn(f, &tracer, &(aldis_spawn_opts){.parent = parent.id});
        CHECK_OK(aldis_pause(f->system, p.id));
        fixture_settle(f);
        for (uint64_t n = 0; n < 10; n++)
            CHECK_OK(aldis_send(f->system, p, num, n));
        fixture_settle(f);
        aldis_ns before_ns = aldis_system_now(f->system);
        CHECK_OK(aldis_drain(f->system, p.id, deadlines[i]));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, p.id));
        CHECK_UINT(trace_count_of(ENDED), i + 1);
        CHECK(trace_find(ENDED, ALDIS_ENDED_STOPPED) < TRACE_MAX);
        CHECK(aldis_system_now(f->system) >= before_ns + deadlines[i]);
    }
    CHECK_UINT(trace_count_of(STOPPED), 4);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    CHECK_UINT(trace_count_of(ENDED), 4);
    CHECK_UINT(fixture_counts(f, "num").dead, 40);
}

TEST_EACH(a_deadline_beyond_all_time_is_none)
{
    fixture_open(f, NULL);
    puppet_ref p = paused_with_mail(f, &tracer, 5);
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_FOREVER - 1));
    CHECK_OK(aldis_resume(f->system, p.id)); /* it would not be there if it had ended at once */
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 100 * ALDIS_MS, NULL));
    CHECK_UINT(trace_count_of(HANDLED), 5);
    CHECK_UINT(trace_count_of(STOPPED), 1);
}

/* ------------------------------------------------------------------ kill */

TEST_EACH(a_killed_actor_runs_no_hook)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref p = fixture_spawn(
            f, &tracer,
            &(aldis_spawn_opts){.parent = parent.id, .shard = i, .placement = ALDIS_PLACE_SHARD});
        fixture_settle(f);
        CHECK_OK(aldis_kill(f->system, p.id));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, p.id));
    }
    CHECK_UINT(trace_count_of(STOPPED), 0);
    CHECK_UINT(trace_count_of(ENDED), 8);
    for (size_t i = 0; i < 8; i++)
        CHECK_UINT(trace_at(i).tag, ALDIS_ENDED_KILLED);
}

TEST_EACH(a_kill_overtakes_a_drain)
{
    fixture_open(f, NULL);
    puppet_ref p = paused_with_mail(f, &tracer, 20);
    CHECK_OK(aldis_drain(f->system, p.id, ALDIS_FOREVER));
    CHECK_OK(aldis_kill(f->system, p.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(trace_count(), 0);
    CHECK_UINT(fixture_counts(f, "num").dead, 20);
}

/* ------------------------------------------------------------------ trees */

/* The tag says how wide the tree is, and how deep below this actor. */
static uint64_t tree_tag(uint64_t width, uint64_t depth)
{
    return width << 32 | depth;
}

static aldis_err grow_tree(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(STARTED, aldis_self(ctx).bits, aldis_now(ctx));
    uint64_t width = self->script.tag >> 32, depth = self->script.tag & UINT32_MAX;
    struct script script = self->script;
    script.tag = tree_tag(width, depth - 1);
    for (uint64_t i = 0; depth > 0 && i < width; i++)
        (void)puppet_spawn(
            ctx, &script,
            &(aldis_spawn_opts){.placement = i % 2 ? ALDIS_PLACE_ANYWHERE : ALDIS_PLACE_BESIDE});
    return ALDIS_OK;
}

static void tree_stop(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    /* at_ns holds the parent here. */
    trace_add(STOPPED, aldis_self(ctx).bits, (aldis_ns)aldis_parent(ctx).bits);
}

static void check_children_first(size_t expected)
{
    CHECK_UINT(trace_count_of(STARTED), expected);
    CHECK_UINT(trace_count_of(STOPPED), expected);
    for (size_t i = 0; i < trace_count(); i++) {
        struct trace_entry entry = trace_at(i);
        if (entry.what != STOPPED)
            continue;
        CHECK_UINT(trace_find(STOPPED, entry.tag), i); /* once */
        size_t parent = trace_find(STOPPED, (uint64_t)entry.at_ns);
        CHECK(entry.at_ns == 0 || (parent != TRACE_MAX && parent > i));
    }
}

struct tree_case {
    uint64_t width, depth;
    size_t actors;
};
static const struct tree_case trees[] = {
    {1, 100, 101}, /* deep */
    {200, 1, 201}, /* wide */
    {3, 5, 364},
};

TEST_EACH(a_tree_stops_from_its_leaves)
{
    fixture_open(f, NULL);
    for (size_t i = 0; i < 3; i++) {
        const struct tree_case *t = &trees[i];
        fixture_close(f);
        fixture_open(f, NULL);
        size_t before = trace_count_of(STOPPED);
        CHECK_UINT(before, trace_count_of(STARTED));
        struct script script = {
            .tag = tree_tag(t->width, t->depth), .start = grow_tree, .stop = tree_stop};
        puppet_ref root = fixture_spawn(f, &script, NULL);
        fixture_settle(f);
        CHECK_UINT(active_actors(f), t->actors);
        CHECK_OK(aldis_stop(f->system, root.id));
        fixture_settle(f);
        CHECK_UINT(active_actors(f), 0);
        CHECK_UINT(trace_count_of(STOPPED), before + t->actors);
    }
}

TEST_EACH(children_stop_before_their_parent)
{
    fixture_open(f, NULL);
    struct script script = {.tag = tree_tag(4, 4), .start = grow_tree, .stop = tree_stop};
    puppet_ref root = fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, root.id));
    fixture_settle(f);
    check_children_first(341);
}

TEST_EACH(a_deep_chain_stops_from_its_end)
{
    fixture_open(f, NULL);
    struct script script = {.tag = tree_tag(1, 200), .start = grow_tree, .stop = tree_stop};
    puppet_ref root = fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, root.id));
    fixture_settle(f);
    check_children_first(201);
}

TEST_EACH(a_killed_tree_is_gone_whole)
{
    fixture_open(f, NULL);
    struct script script = {.tag = tree_tag(4, 4), .start = grow_tree, .stop = tree_stop};
    puppet_ref root = fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 341);
    CHECK_OK(aldis_kill(f->system, root.id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 0);
    CHECK_UINT(trace_find(STOPPED, root.id.bits), TRACE_MAX);
}

TEST_EACH(a_tree_that_still_grows_stops_whole)
{
    fixture_open(f, NULL);
    struct script script = {.tag = tree_tag(4, 5), .start = grow_tree, .stop = tree_stop};
    puppet_ref root = fixture_spawn(f, &script, NULL);
    CHECK_OK(aldis_stop(f->system, root.id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 0);
    check_children_first(trace_count_of(STARTED));
}

/* ------------------------------------------------------------------ parents by choice */

static aldis_err look_at_parent(struct puppet *self, aldis_ctx *ctx)
{
    EXPECT_UINT(aldis_parent(ctx).bits, self->script.tag);
    return ALDIS_OK;
}

static aldis_err spawn_for(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    struct script script = {.tag = act->id.bits, .start = look_at_parent, .stop = tree_stop};
    for (uint32_t i = 0; i < act->a; i++)
        (void)puppet_spawn(
            ctx, &script,
            &(aldis_spawn_opts){.parent = act->id, .shard = i % 8, .placement = ALDIS_PLACE_SHARD});
    return ALDIS_OK;
}

/* The parent may have ended meanwhile. */
static aldis_err spawn_orphans(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t i = 0; i < act->a; i++) {
        aldis_id id;
        aldis_err err = aldis_ctx_spawn_raw(
            ctx, &puppet_behaviour,
            &(aldis_spawn_opts){.parent = act->id, .shard = i % 8, .placement = ALDIS_PLACE_SHARD},
            &id);
        EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE);
    }
    return ALDIS_OK;
}

TEST_EACH(a_foreign_parent_is_told_and_stops_its_children)
{
    fixture_open(f, NULL);
    puppet_ref spawner = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.stop = tree_stop}, NULL);
    fixture_settle(f);
    fixture_tell(f, spawner, spawn_for, (struct act){.id = parent.id, .a = 16});
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 18);
    CHECK_OK(aldis_stop(f->system, parent.id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 1);
    CHECK_UINT(trace_count_of(STOPPED), 17);
    CHECK_UINT(trace_find(STOPPED, parent.id.bits), 16); /* the last */
    CHECK_UINT(trace_count_of(ENDED), 0);                /* the spawner is no parent */
}

static aldis_err spawn_for_expecting(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_id id = aldis_nobody();
    EXPECT_ERR(
        aldis_ctx_spawn_raw(ctx, &puppet_behaviour, &(aldis_spawn_opts){.parent = act->id}, &id),
        (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_EACH(a_parent_that_is_not_there_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref gone = fixture_spawn(f, NULL, NULL), p = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_stop(f->system, gone.id));
    fixture_settle(f);
    aldis_id id = aldis_nobody();
    aldis_id never = {p.id.bits + (UINT64_C(1000) << 20)}, other_node = {~p.id.bits};
    struct act acts[] = {{.id = gone.id, .a = ALDIS_ESTALE},
                         {.id = never, .a = ALDIS_ENOTFOUND},
                         {.id = other_node, .a = ALDIS_ENOTFOUND}};
    for (size_t i = 0; i < 3; i++) {
        fixture_tell(f, p, spawn_for_expecting, acts[i]);
        CHECK_ERR(aldis_system_spawn_raw(f->system, &puppet_behaviour,
                                         &(aldis_spawn_opts){.parent = acts[i].id}, &id),
                  (aldis_err)acts[i].a);
    }
    CHECK(aldis_id_is_nobody(id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 1);
}

TEST_EACH(children_from_outside_stop_with_their_parent)
{
    fixture_open(f, NULL);
    puppet_ref parent =
        fixture_spawn(f, &(struct script){.stop = tree_stop, .child_ended = trace_child}, NULL);
    struct script script = {.tag = parent.id.bits, .start = look_at_parent, .stop = tree_stop};
    puppet_ref child[16];
    for (uint32_t i = 0; i < 16; i++)
        child[i] =
            fixture_spawn(f, &script,
                          &(aldis_spawn_opts){
                              .parent = parent.id, .shard = i % 8, .placement = ALDIS_PLACE_SHARD});
    CHECK_OK(aldis_stop(f->system, child[0].id));
    CHECK_OK(aldis_kill(f->system, child[9].id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 15);
    CHECK_UINT(trace_count_of(ENDED), 2);
    CHECK_OK(aldis_stop(f->system, parent.id));
    fixture_settle(f);
    CHECK_UINT(active_actors(f), 0);
    CHECK_UINT(trace_at(trace_count() - 1).tag, parent.id.bits);
}

TEST_EACH(an_orphan_does_not_outlive_its_parent)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 8; i++) {
        puppet_ref parent = fixture_spawn(f, NULL, NULL);
        puppet_ref spawner =
            fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i});
        fixture_settle(f);
        /* The parent may end before, between or after. */
        fixture_tell(f, spawner, spawn_orphans, (struct act){.id = parent.id, .a = 10});
        CHECK_OK(aldis_stop(f->system, parent.id));
        fixture_settle(f);
        CHECK_UINT(active_actors(f), i + 1);
    }
}

/* ------------------------------------------------------------------ the reasons */

static aldis_err end_children(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref child = puppet_spawn(
            ctx, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        EXPECT_OK(aldis_ctx_command(ctx, child.id, (aldis_command)act->a, ALDIS_FOREVER));
    }
    return ALDIS_OK;
}

TEST_EACH(a_parent_hears_of_each_child_once_with_the_reason)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    fixture_tell(f, parent, end_children, (struct act){.a = ALDIS_CMD_STOP});
    fixture_tell(f, parent, end_children, (struct act){.a = ALDIS_CMD_DRAIN});
    fixture_tell(f, parent, end_children, (struct act){.a = ALDIS_CMD_KILL});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ENDED), 24);
    size_t by_reason[5] = {0};
    for (size_t i = 0; i < 24; i++)
        by_reason[trace_at(i).tag % 5]++;
    CHECK_UINT(by_reason[ALDIS_ENDED_STOPPED], 8);
    CHECK_UINT(by_reason[ALDIS_ENDED_DRAINED], 8);
    CHECK_UINT(by_reason[ALDIS_ENDED_KILLED], 8);
}

static aldis_err spawn_short_lived(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        puppet_ref child =
            puppet_spawn(ctx, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
        EXPECT_OK(aldis_stop(ctx, child.id));
    }
    return ALDIS_OK;
}

static void count_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)notice;
    (void)ctx;
    atomic_fetch_add((_Atomic(uint64_t) *)self->script.user, 1);
}

/* Fails by its time-out if telling a parent costs a look at all its children. */
TEST_EACH(a_parent_of_many_hears_of_all)
{
    enum { CHILDREN = 50000 };
    static _Atomic(uint64_t) told;
    atomic_store(&told, 0);
    fixture_open(f, NULL);
    puppet_ref parent =
        fixture_spawn(f, &(struct script){.child_ended = count_child, .user = &told}, NULL);
    fixture_tell(f, parent, spawn_short_lived, (struct act){.a = CHILDREN});
    fixture_settle(f);
    CHECK_UINT(atomic_load(&told), CHILDREN);
    CHECK_UINT(active_actors(f), 1);
}

/* ------------------------------------------------------------------ the whole system */

TEST_EACH(a_stopped_system_has_run_every_on_stop_and_takes_no_work)
{
    fixture_open(f, NULL);
    struct script script = {
        .tag = tree_tag(3, 4), .start = grow_tree, .stop = tree_stop, .num = trace_num};
    puppet_ref root = fixture_spawn(f, &script, NULL), other = fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    CHECK_UINT(active_actors(f), 0);
    check_children_first(242);
    CHECK(aldis_is_closed(f->system, root.id));
    CHECK(aldis_is_closed(f->system, other.id));
    aldis_id id = aldis_nobody();
    CHECK_ERR(aldis_system_stop(f->system, 0), ALDIS_ESTATE);
    CHECK_ERR(aldis_send(f->system, root, num, 1), ALDIS_ESTATE);
    CHECK_ERR(aldis_stop(f->system, root.id), ALDIS_ESTATE);
    CHECK_ERR(aldis_system_spawn_raw(f->system, &puppet_behaviour, NULL, &id), ALDIS_ESTATE);
}

TEST_EACH(a_system_without_actors_stops)
{
    fixture_open(f, NULL);
    CHECK_ERR(aldis_system_stop(f->system, -1), ALDIS_EINVAL);
    CHECK_OK(aldis_system_stop(f->system, 0));
    CHECK_ERR(aldis_system_stop(NULL, 0), ALDIS_EINVAL);
}

TEST_EACH(a_system_stops_paused_busy_and_unstarted_actors)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 8; i++)
        (void)paused_with_mail(f, &tracer, 10);
    for (uint32_t i = 0; i < 100; i++)
        (void)fixture_spawn(f, &tracer, NULL); /* perhaps not started yet */
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    CHECK_UINT(trace_count_of(STOPPED), 108);
    CHECK_UINT(active_actors(f), 0);
    CHECK_UINT(fixture_counts(f, "num").dead, 80);
}

static _Atomic(uint64_t) stops_counted;

static void count_stop(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    atomic_fetch_add(&stops_counted, 1);
}

/* In virtual time they are told in portions: each is told all the same, and once. */
TEST_EACH(a_system_of_many_stops_each_once)
{
    enum { PARENTS = 1000, OTHERS = 9000 };
    fixture_open(f, NULL);
    atomic_store(&stops_counted, 0);
    const struct script script = {.stop = count_stop};
    for (uint32_t i = 0; i < PARENTS + OTHERS; i++) {
        puppet_ref one = fixture_spawn(f, &script, NULL);
        if (i % ((PARENTS + OTHERS) / PARENTS) == 0)
            (void)fixture_spawn(f, &script, &(aldis_spawn_opts){.parent = one.id});
    }
    fixture_settle(f);
    CHECK_OK(aldis_system_stop(f->system, 60 * ALDIS_SECOND));
    CHECK_UINT(atomic_load(&stops_counted), 2 * PARENTS + OTHERS);
    CHECK_UINT(active_actors(f), 0);
    CHECK_UINT(fixture_counts(f, "aldis.command").handled, 2 * PARENTS + OTHERS);
}

TEST_EACH(a_stop_without_time_kills_what_is_left)
{
    fixture_open(f, NULL);
    struct script script = {.tag = tree_tag(1, 200), .start = grow_tree, .stop = tree_stop};
    (void)fixture_spawn(f, &script, NULL);
    fixture_settle(f);
    aldis_err err = aldis_system_stop(f->system, 0);
    CHECK(err == ALDIS_OK || err == ALDIS_ETIMEDOUT);
    CHECK_UINT(active_actors(f), 0);
    if (err == ALDIS_OK)
        check_children_first(201);
}

static void halt_in_stop(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    trace_add(STOPPED, 0, aldis_now(ctx));
    aldis_halt(ctx);
}

TEST_EACH(a_halt_does_not_keep_a_system_from_stopping)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        puppet_ref parent = fixture_spawn(f, &(struct script){.stop = halt_in_stop}, NULL);
        (void)fixture_spawn(f, &(struct script){.stop = halt_in_stop},
                            &(aldis_spawn_opts){.parent = parent.id});
    }
    fixture_settle(f);
    aldis_system_halt(f->system); /* meant for a run that is over already */
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    CHECK_UINT(trace_count_of(STOPPED), 40);
    CHECK_UINT(active_actors(f), 0);
}

/* ------------------------------------------------------------------ stops under back-pressure */

static aldis_err flood(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, to, num, i));
    return ALDIS_OK;
}

/* To one that may be ending. */
static aldis_err flood_any(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_err err = aldis_send(ctx, to, num, i);
        EXPECT(err == ALDIS_OK || err == ALDIS_ESHUTDOWN || err == ALDIS_ESTALE);
    }
    return ALDIS_OK;
}

static const aldis_spawn_opts small_mailbox = {.mailbox = {.capacity_msgs = 4}};

TEST_EACH(two_that_wait_for_each_other_can_be_stopped)
{
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 4; i++) {
        aldis_spawn_opts opts = small_mailbox;
        opts.placement = ALDIS_PLACE_SHARD;
        opts.shard = 0;
        puppet_ref a = fixture_spawn(f, &tracer, &opts);
        opts.shard = i; /* the same shard, and others */
        puppet_ref b = fixture_spawn(f, &tracer, &opts);
        CHECK_OK(aldis_pause(f->system, a.id));
        CHECK_OK(aldis_pause(f->system, b.id));
        fixture_settle(f);
        fixture_tell(f, a, flood_any, (struct act){.id = b.id, .a = 100});
        fixture_tell(f, b, flood_any, (struct act){.id = a.id, .a = 100});
        CHECK_OK(aldis_resume(f->system, a.id));
        CHECK_OK(aldis_resume(f->system, b.id));
        if (i % 2)
            fixture_settle(f); /* else the stop may come before the floods */
    }
    CHECK_OK(aldis_system_stop(f->system, 20 * ALDIS_SECOND));
    CHECK_UINT(active_actors(f), 0);
    CHECK_UINT(trace_count_of(STOPPED), 8);
}

static aldis_err flood_self_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct act flood_me = *act;
    flood_me.id = aldis_self(ctx);
    (void)flood(self, &flood_me, ctx);
    EXPECT_OK(aldis_ctx_command(ctx, aldis_self(ctx), (aldis_command)act->b, ALDIS_FOREVER));
    return ALDIS_OK;
}

TEST_EACH(an_actor_that_has_flooded_itself_can_be_stopped)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &tracer, &small_mailbox);
    fixture_tell(f, a, flood_self_and_stop, (struct act){.a = 100, .b = ALDIS_CMD_STOP});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, a.id));
    CHECK_UINT(trace_count_of(STOPPED), 1);
    puppet_ref b = fixture_spawn(f, &tracer, &small_mailbox);
    fixture_tell(f, b, flood_self_and_stop, (struct act){.a = 100, .b = ALDIS_CMD_KILL});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, b.id));
    CHECK_UINT(trace_count_of(STOPPED), 1);
    puppet_ref c = fixture_spawn(f, &tracer, &small_mailbox);
    fixture_tell(f, c, flood_self_and_stop, (struct act){.a = 100, .b = ALDIS_CMD_DRAIN});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, c.id));
    CHECK_UINT(trace_count_of(STOPPED), 2);
}

/* What a stopping actor has sent leaves first, or is refused and counted: never stuck. */
TEST_EACH(a_parked_sender_can_be_stopped_drained_and_killed)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_DRAIN, ALDIS_CMD_KILL};
    fixture_open(f, NULL);
    for (uint32_t i = 0; i < 6; i++) {
        aldis_spawn_opts opts = small_mailbox;
        opts.placement = ALDIS_PLACE_SHARD;
        opts.shard = 0;
        puppet_ref receiver = fixture_spawn(f, &tracer, &opts);
        opts.shard = i;
        puppet_ref sender = fixture_spawn(f, &tracer, &opts);
        CHECK_OK(aldis_pause(f->system, receiver.id));
        fixture_settle(f);
        size_t handled = trace_count_of(HANDLED);
        fixture_tell(f, sender, flood, (struct act){.id = receiver.id, .a = 1000});
        fixture_settle(f);
        CHECK_OK(aldis_system_command(f->system, sender.id, commands[i % 3], ALDIS_FOREVER));
        fixture_settle(f);
        CHECK_OK(aldis_resume(f->system, receiver.id));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, sender.id));
        CHECK(!aldis_is_closed(f->system, receiver.id));
        if (commands[i % 3] != ALDIS_CMD_KILL)
            CHECK_UINT(trace_count_of(HANDLED), handled + 1000);
        fixture_check(f);
    }
    CHECK_UINT(trace_count_of(STOPPED), 4);
}

TEST_EACH(a_receiver_may_end_while_senders_wait_for_it)
{
    enum { SENDERS = 20, EACH = 500 };
    static const aldis_command commands[] = {ALDIS_CMD_STOP, ALDIS_CMD_DRAIN, ALDIS_CMD_KILL};
    fixture_open(f, NULL);
    for (uint32_t c = 0; c < 3; c++) {
        puppet_ref receiver = fixture_spawn(f, NULL, &small_mailbox);
        CHECK_OK(aldis_pause(f->system, receiver.id));
        fixture_settle(f);
        puppet_ref senders[SENDERS];
        for (uint32_t i = 0; i < SENDERS; i++) {
            senders[i] = fixture_spawn(
                f, &tracer, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i % 8});
            fixture_tell(f, senders[i], flood, (struct act){.id = receiver.id, .a = EACH});
        }
        fixture_settle(f);
        aldis_type_stats before = fixture_counts(f, "num");
        CHECK_OK(aldis_system_command(f->system, receiver.id, commands[c], ALDIS_FOREVER));
        aldis_err err = aldis_resume(f->system, receiver.id); /* a drain needs it */
        CHECK(err == ALDIS_OK || (err == ALDIS_ESTALE && commands[c] != ALDIS_CMD_DRAIN));
        fixture_settle(f);
        CHECK(aldis_is_closed(f->system, receiver.id));
        /* The senders go on: they are parked no more. */
        for (uint32_t i = 0; i < SENDERS; i++) {
            CHECK_STR(fixture_status(f, senders[i].id).state_name, "idle");
            CHECK_OK(aldis_send(f->system, senders[i], num, 1));
        }
        fixture_settle(f);
        aldis_type_stats after = fixture_counts(f, "num");
        CHECK_UINT(after.queued, 0);
        CHECK_UINT(after.sent, before.sent + SENDERS);
        CHECK_UINT(trace_count_of(REFUSED), after.rejected + after.dead);
    }
}
