// SPDX-License-Identifier: Apache-2.0
/* names_test.c: actors by name: give, find, take back, clash, end; in both clocks. */
#include "core/fixture.h"

#include "messaging/router.h"
#include <sched.h>
#include <stdatomic.h>

enum { LOOKED_UP = 1, REGISTERED };

static const struct script quiet = {.name = "quiet"};

static aldis_id found; /* of the last look-up in a handler; read when all is settled */

static aldis_err look_up(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id id = aldis_nobody();
    (void)self;
    EXPECT_ERR(aldis_ctx_lookup(ctx, "harbour", &id), (aldis_err)act->a);
    found = id;
    trace_add(LOOKED_UP, id.bits, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err do_register(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_err err = aldis_ctx_register(ctx, act->id, "harbour");
    EXPECT_ERR(err, (aldis_err)act->a);
    trace_add(REGISTERED, err, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err do_unregister(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_ctx_unregister(ctx, "harbour"), (aldis_err)act->a);
    return ALDIS_OK;
}

/* The name's holder as everybody sees it: from outside, and from a handler. */
static void check_holder(struct fixture *f, puppet_ref asker, aldis_id holder)
{
    aldis_id id = aldis_nobody();
    aldis_err expected = aldis_id_is_nobody(holder) ? ALDIS_ENOTFOUND : ALDIS_OK;
    CHECK_ERR(aldis_system_lookup(f->system, "harbour", &id), expected);
    CHECK_UINT(id.bits, holder.bits);
    fixture_tell(f, asker, look_up, (struct act){.a = expected});
    fixture_settle(f);
    CHECK_UINT(found.bits, holder.bits);
}

/* Who has ended is in no table, and takes no memory. */
static void check_tables_empty(struct fixture *f)
{
    struct aldis__router_sizes sizes = aldis__router_sizes(f->system);
    CHECK_UINT(sizes.actors, 0);
    CHECK_UINT(sizes.names, 0);
}

/* ------------------------------------------------------------------ give and find */

TEST_EACH(a_name_given_from_outside_is_found_everywhere)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    check_holder(f, b, aldis_nobody());
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    check_holder(f, b, a.id);
    check_holder(f, a, a.id);
}

TEST_EACH(a_name_given_by_a_handler_is_found_everywhere)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    fixture_tell(f, b, do_register, (struct act){.id = a.id});
    fixture_settle(f);
    check_holder(f, b, a.id);
}

TEST_EACH(one_actor_may_have_several_names)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    CHECK_OK(aldis_system_register(f->system, a.id, "port"));
    aldis_id id;
    CHECK_OK(aldis_system_lookup(f->system, "harbour", &id));
    CHECK_UINT(id.bits, a.id.bits);
    CHECK_OK(aldis_system_lookup(f->system, "port", &id));
    CHECK_UINT(id.bits, a.id.bits);
    CHECK_OK(aldis_system_unregister(f->system, "harbour"));
    CHECK_ERR(aldis_system_lookup(f->system, "harbour", &id), ALDIS_ENOTFOUND);
    CHECK_OK(aldis_system_lookup(f->system, "port", &id));
}

TEST_EACH(a_name_that_moves_is_found_where_it_is)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    check_holder(f, b, a.id); /* b's worker remembers it now */
    CHECK_OK(aldis_system_unregister(f->system, "harbour"));
    check_holder(f, b, aldis_nobody());
    CHECK_OK(aldis_system_register(f->system, b.id, "harbour"));
    check_holder(f, b, b.id);
}

/* ------------------------------------------------------------------ clash, and the end */

TEST_EACH(a_second_holder_is_refused)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    CHECK_ERR(aldis_system_register(f->system, b.id, "harbour"), ALDIS_EEXISTS);
    CHECK(strstr(aldis_error_last()->text, "harbour") != NULL);
    CHECK_UINT(aldis_error_last()->actor.bits, a.id.bits);
    CHECK_ERR(aldis_system_register(f->system, a.id, "harbour"), ALDIS_EEXISTS);
    fixture_tell(f, b, do_register, (struct act){.id = b.id, .a = ALDIS_EEXISTS});
    fixture_settle(f);
    check_holder(f, b, a.id);
}

TEST_EACH(taking_back_twice_is_an_error)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    CHECK_ERR(aldis_system_unregister(f->system, "harbour"), ALDIS_ENOTFOUND);
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    fixture_tell(f, a, do_unregister, (struct act){.a = ALDIS_OK});
    fixture_settle(f);
    fixture_tell(f, a, do_unregister, (struct act){.a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    check_holder(f, a, aldis_nobody());
}

static void check_end_frees(struct fixture *f, aldis_command command)
{
    fixture_open(f, NULL);
    puppet_ref b = fixture_spawn(f, &quiet, NULL);
    for (int round = 0; round < 3; round++) {
        puppet_ref a = fixture_spawn(f, &quiet, NULL);
        if (round % 2)
            CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
        else
            fixture_tell(f, b, do_register, (struct act){.id = a.id});
        fixture_settle(f);
        check_holder(f, b, a.id);
        CHECK_OK(aldis_system_command(f->system, a.id, command, 0));
        fixture_settle(f);
        check_holder(f, b, aldis_nobody());
        CHECK_ERR(aldis_system_register(f->system, a.id, "harbour"), ALDIS_ESTALE);
        check_tables_empty(f);
    }
}

TEST_EACH(a_stop_takes_the_name_back)
{
    check_end_frees(f, ALDIS_CMD_STOP);
}

TEST_EACH(a_drain_takes_the_name_back)
{
    check_end_frees(f, ALDIS_CMD_DRAIN);
}

TEST_EACH(a_kill_takes_the_name_back)
{
    check_end_frees(f, ALDIS_CMD_KILL);
}

static aldis_err register_and_fail(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_OK(aldis_ctx_register(ctx, aldis_self(ctx), "harbour"));
    return aldis_fail(ctx, "no berth");
}

TEST_EACH(a_failed_start_takes_the_name_back)
{
    const struct script fails = {.start = register_and_fail};
    fixture_open(f, NULL);
    puppet_ref b = fixture_spawn(f, &quiet, NULL);
    fixture_spawn(f, &fails, NULL);
    fixture_settle(f);
    check_holder(f, b, aldis_nobody());
    check_tables_empty(f);
}

/* ------------------------------------------------------------------ sending by name */

static aldis_err send_by_name(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_send_name(ctx, "harbour", num, act->b), (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_EACH(a_message_finds_its_receiver_by_name)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    CHECK_OK(aldis_system_register(f->system, a.id, "harbour"));
    for (uint64_t i = 0; i < 3; i++)
        fixture_tell(f, b, send_by_name, (struct act){.b = i});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 3);
    CHECK_UINT(fixture_status(f, a.id).handled_msgs, 3);
}

TEST_EACH(a_message_to_an_unknown_name_is_counted_as_rejected)
{
    fixture_open(f, NULL);
    puppet_ref b = fixture_spawn(f, &quiet, NULL);
    fixture_tell(f, b, send_by_name, (struct act){.a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    aldis_type_stats counts = fixture_counts(f, "num");
    CHECK_UINT(counts.sent, 1);
    CHECK_UINT(counts.rejected, 1);
}

/* ------------------------------------------------------------------ what is refused */

TEST_EACH(bad_names_are_refused_with_the_reason)
{
    static const struct {
        const char *name, *reason;
    } bad[] = {{"", "empty"},
               {NULL, "NULL"},
               {"0123456789012345678901234567890123456789012345678901234567890123", "longer"},
               {"a\nb", "control character at byte 1"},
               {"\x7f", "control character at byte 0"},
               {"\xc2\x85", "control character at byte 0"},
               {"ab\xff", "no UTF-8 at byte 2"},
               {"\xc3", "no UTF-8"},
               {"\xc0\xaf", "no UTF-8"},
               {"\xed\xa0\x80", "no UTF-8"},
               {"\xf4\x90\x80\x80", "no UTF-8"}};
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        aldis_id id;
        CHECK_ERR(aldis_system_register(f->system, a.id, bad[i].name), ALDIS_EINVAL);
        if (!strstr(aldis_error_last()->text, bad[i].reason))
            test_fail(__FILE__, __LINE__, "name %zu: \"%s\" does not say \"%s\"", i,
                      aldis_error_last()->text, bad[i].reason);
        CHECK_ERR(aldis_system_lookup(f->system, bad[i].name, &id), ALDIS_EINVAL);
        CHECK_ERR(aldis_system_unregister(f->system, bad[i].name), ALDIS_EINVAL);
    }
}

TEST_EACH(good_names_are_taken)
{
    static const char *const good[] = {
        "a", "Hafen Köln", "\xf0\x9f\x9a\x80", "a.b.*.>",
        "012345678901234567890123456789012345678901234567890123456789012"};
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        aldis_id id;
        CHECK_OK(aldis_system_register(f->system, a.id, good[i]));
        CHECK_OK(aldis_system_lookup(f->system, good[i], &id));
        CHECK_UINT(id.bits, a.id.bits);
    }
}

TEST_EACH(an_actor_that_never_was_gets_no_name)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    aldis_id later = {a.id.bits + 1}; /* the next generation of the same slot */
    aldis_id elsewhere = {a.id.bits ^ UINT64_C(1) << 63};
    CHECK_ERR(aldis_system_register(f->system, later, "harbour"), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_system_register(f->system, elsewhere, "harbour"), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_system_register(f->system, aldis_nobody(), "harbour"), ALDIS_ENOTFOUND);
    fixture_tell(f, a, do_register, (struct act){.id = later, .a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    check_holder(f, a, aldis_nobody());
}

static aldis_err call_from_outside(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id id;
    (void)self;
    EXPECT_ERR(aldis_system_register(aldis_system_of(ctx), act->id, "harbour"), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_unregister(aldis_system_of(ctx), "harbour"), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_lookup(aldis_system_of(ctx), "harbour", &id), ALDIS_ESTATE);
    EXPECT_ERR(aldis_ctx_lookup(ctx, "harbour", NULL), ALDIS_EINVAL);
    return ALDIS_OK;
}

TEST_EACH(calls_from_the_wrong_side_are_refused)
{
    aldis_id id;
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL);
    CHECK_ERR(aldis_ctx_register(NULL, a.id, "harbour"), ALDIS_EINVAL);
    CHECK_ERR(aldis_ctx_unregister(NULL, "harbour"), ALDIS_EINVAL);
    CHECK_ERR(aldis_ctx_lookup(NULL, "harbour", &id), ALDIS_EINVAL);
    CHECK_ERR(aldis_send_name(NULL, "harbour", num, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_register(NULL, a.id, "harbour"), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_lookup(f->system, "harbour", NULL), ALDIS_EINVAL);
    fixture_tell(f, a, call_from_outside, (struct act){.id = a.id});
    fixture_settle(f);
    CHECK_OK(aldis_system_stop(f->system, 10 * ALDIS_SECOND));
    CHECK_ERR(aldis_system_register(f->system, a.id, "harbour"), ALDIS_ESTATE);
}

/* ------------------------------------------------------------------ windows */

/* Register oneself and look at once: the name is there from the next window on. */
static aldis_err register_and_look(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id id;
    (void)self;
    (void)act;
    EXPECT_OK(aldis_ctx_register(ctx, aldis_self(ctx), "harbour"));
    EXPECT_ERR(aldis_ctx_lookup(ctx, "harbour", &id), ALDIS_ENOTFOUND);
    EXPECT_ERR(aldis_ctx_unregister(ctx, "harbour"), ALDIS_ENOTFOUND);
    return ALDIS_OK;
}

static int lost_lines;

static void count_lost(void *arg, aldis_log_level level, const char *line)
{
    (void)arg;
    if (level == ALDIS_LOG_WARN && strstr(line, "is lost"))
        lost_lines++;
}

TEST_VIRTUAL(a_clash_within_a_window_is_decided_in_logical_order)
{
    lost_lines = 0;
    aldis_log_set(count_lost, NULL, ALDIS_LOG_WARN);
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    fixture_settle(f);
    /* b is earlier in time, so it wins although a comes first by its id. */
    struct act first = {.run = register_and_look};
    CHECK_OK(aldis_send_with(f->system, a, act, &first, &(aldis_send_opts){.delay_ns = 2000}));
    CHECK_OK(aldis_send_with(f->system, b, act, &first, &(aldis_send_opts){.delay_ns = 1000}));
    fixture_settle(f);
    CHECK_INT(lost_lines, 1);
    check_holder(f, a, b.id);
    /* At the same instant the smaller id wins, whoever was told first. */
    CHECK_OK(aldis_system_unregister(f->system, "harbour"));
    fixture_tell(f, b, register_and_look, (struct act){0});
    fixture_tell(f, a, register_and_look, (struct act){0});
    fixture_settle(f);
    CHECK_INT(lost_lines, 2);
    check_holder(f, b, a.id);
    aldis_log_set(NULL, NULL, ALDIS_LOG_ERROR);
}

static aldis_err register_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_OK(aldis_ctx_register(ctx, aldis_self(ctx), "harbour"));
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_EACH(a_name_given_just_before_the_end_is_free)
{
    fixture_open(f, NULL);
    puppet_ref b = fixture_spawn(f, &quiet, NULL);
    for (int i = 0; i < 20; i++) {
        puppet_ref a = fixture_spawn(f, &quiet, NULL);
        fixture_tell(f, a, register_and_stop, (struct act){0});
        fixture_settle(f);
        check_holder(f, b, aldis_nobody());
        check_tables_empty(f);
    }
}

/* The actor may end before, while or after another worker names it; the name never stays. */
static aldis_err register_while_it_stops(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_err err = aldis_ctx_register(ctx, act->id, "harbour");
    EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE);
    return ALDIS_OK;
}

TEST_EACH(no_name_stays_with_an_actor_that_ends_meanwhile)
{
    fixture_open(f, NULL);
    puppet_ref b =
        fixture_spawn(f, &quiet, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
    for (uint32_t i = 0; i < 200; i++) {
        puppet_ref a = fixture_spawn(
            f, &quiet, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i % 8});
        fixture_tell(f, b, register_while_it_stops, (struct act){.id = a.id});
        CHECK_OK(aldis_stop(f->system, a.id));
        fixture_settle(f);
        aldis_id id;
        CHECK_ERR(aldis_system_lookup(f->system, "harbour", &id), ALDIS_ENOTFOUND);
        check_tables_empty(f);
    }
}

/* In virtual time whoever is named lived at the window's start, and may have ended before the
 * naming takes effect. */
TEST_VIRTUAL(a_name_given_after_the_end_in_the_same_window_is_free)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    fixture_settle(f);
    struct act act = {.run = do_register, .id = a.id, .a = ALDIS_OK};
    CHECK_OK(aldis_stop(f->system, a.id)); /* at the window's start */
    CHECK_OK(aldis_send_with(f->system, b, act, &act, &(aldis_send_opts){.delay_ns = 1000}));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(REGISTERED), 1);
    CHECK(aldis_is_closed(f->system, a.id));
    check_holder(f, b, aldis_nobody());
    check_tables_empty(f);
}

static _Atomic(bool) entered, may_go;

static aldis_err wait_at_the_gate(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    (void)ctx;
    atomic_store(&entered, true);
    while (!atomic_load(&may_go))
        sched_yield();
    return ALDIS_OK;
}

/* Live: the actor's worker is held in a handler, with the actor's stop waiting; then it is named.
 * The end comes before the mark that asks to be told of it. */
TEST(a_name_given_between_the_stop_and_the_end_is_free)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    *f = (struct fixture){ALDIS_CLOCK_LIVE, 1, NULL};
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &quiet, NULL), b = fixture_spawn(f, &quiet, NULL);
    fixture_settle(f);
    atomic_store(&entered, false);
    atomic_store(&may_go, false);
    fixture_tell(f, b, wait_at_the_gate, (struct act){0});
    while (!atomic_load(&entered))
        sched_yield();
    aldis_err stopped = aldis_stop(f->system, a.id);
    aldis_err named = aldis_system_register(f->system, a.id, "harbour");
    aldis_err subscribed = aldis_system_subscribe(f->system, a.id, "news");
    size_t names = aldis__router_sizes(f->system).names;
    atomic_store(&may_go, true);
    fixture_settle(f);
    CHECK_OK(stopped);
    CHECK_OK(named);
    CHECK_OK(subscribed);
    CHECK_UINT(names, 1);
    check_holder(f, b, aldis_nobody());
    check_tables_empty(f);
    CHECK_UINT(aldis__router_sizes(f->system).subscriptions, 0);
    fixture_close(f);
}

/* ------------------------------------------------------------------ many */

static aldis_id many[1000];

/* Twice, so that the second time finds what the first has remembered, of its name and no other. */
static aldis_err look_up_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t round = 0; round < 2; round++)
        for (uint64_t i = 0; i < act->a; i++) {
            char name[16];
            aldis_id id = aldis_nobody();
            snprintf(name, sizeof name, "n%" PRIu64, i);
            EXPECT_OK(aldis_ctx_lookup(ctx, name, &id));
            EXPECT_OK(aldis_ctx_lookup(ctx, name, &id));
            EXPECT_UINT(id.bits, many[i].bits);
        }
    return ALDIS_OK;
}

TEST_EACH(many_names_are_told_apart)
{
    enum { MANY = sizeof many / sizeof many[0] };
    fixture_open(f, NULL);
    for (uint64_t i = 0; i < MANY; i++) {
        char name[16];
        many[i] = fixture_spawn(f, &quiet, NULL).id;
        snprintf(name, sizeof name, "n%" PRIu64, i);
        CHECK_OK(aldis_system_register(f->system, many[i], name));
    }
    puppet_ref asker = fixture_spawn(f, &quiet, NULL);
    fixture_tell(f, asker, look_up_many, (struct act){.a = MANY});
    fixture_settle(f);
}
