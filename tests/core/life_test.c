// SPDX-License-Identifier: Apache-2.0
/* life_test.c: how actors begin, are held, are asked, and what spawn refuses. */
#include "fixture.h"

#include <stdlib.h>

enum { STARTED = 1, STOPPED, HANDLED, ENDED, ANSWERED };

static aldis_err trace_start(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(STARTED, self->script.tag, aldis_now(ctx));
    return ALDIS_OK;
}

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

/* One entry for each ending: the child's tag is not known here, the reason and error are. */
static void trace_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    EXPECT(!aldis_id_is_nobody(notice->child));
    EXPECT(aldis_ctx_is_closed(ctx, notice->child));
    self->memory[0]++;
    trace_add(ENDED, (uint64_t)notice->reason << 32 | (uint64_t)notice->err, aldis_now(ctx));
}

static const struct script tracer = {
    .start = trace_start, .stop = trace_stop, .num = trace_num, .child_ended = trace_child};

/* ------------------------------------------------------------------ hooks */

TEST_EACH(start_comes_first_and_stop_last_once_each)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    for (uint64_t i = 0; i < 10; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 12);
    CHECK_UINT(trace_at(0).what, STARTED);
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_UINT(trace_at(1 + i).what, HANDLED);
        CHECK_UINT(trace_at(1 + i).tag, i);
    }
    CHECK_UINT(trace_at(11).what, STOPPED);
    CHECK(aldis_is_closed(f->system, p.id));
}

static aldis_err count_in_plain(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT_UINT(self->count, act->a);
    EXPECT(aldis_id_is_nobody(aldis_sender(ctx)));
    EXPECT(aldis_id_is_nobody(aldis_parent(ctx)));
    return ALDIS_OK;
}

TEST_EACH(a_kind_without_hooks_lives_and_ends)
{
    fixture_open(f, NULL);
    plain_ref p;
    CHECK_OK(aldis_spawn(f->system, plain, &p, NULL));
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    CHECK_OK(aldis_send(f->system, p, act, .run = count_in_plain, .a = 3));
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, p.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_UINT(fixture_counts(f, "num").handled, 3);
}

static aldis_err facts(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    EXPECT(aldis_id_equal(aldis_self(ctx), act->id));
    EXPECT(aldis_system_of(ctx) == self->script.user);
    EXPECT(aldis_id_is_nobody(aldis_sender(ctx)));
    EXPECT(!aldis_is_closed(ctx, aldis_self(ctx)));
    EXPECT(aldis_is_closed(ctx, aldis_nobody()));
    EXPECT_UINT(aldis_payload_size(ctx), sizeof *act);
    EXPECT(aldis_now(ctx) >= 0);
    return ALDIS_OK;
}

TEST_EACH(a_handler_knows_who_it_is)
{
    fixture_open(f, NULL);
    struct script script = {.user = f->system};
    puppet_ref p = fixture_spawn(f, &script, NULL);
    fixture_tell(f, p, facts, (struct act){.id = p.id});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "act").handled, 1);
    CHECK_UINT(fixture_counts(f, "act").failed, 0);
}

static aldis_err fail_with_text(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    return aldis_fail(ctx, "no berth is free");
}

TEST_EACH(a_failed_handler_counts_and_the_actor_goes_on)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, fail_with_text, (struct act){.a = 0});
    CHECK_OK(aldis_send(f->system, p, num, 7));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "act").failed, 1);
    CHECK_UINT(fixture_counts(f, "act").handled, 1);
    CHECK(trace_find(HANDLED, 7) != TRACE_MAX);
}

/* ------------------------------------------------------------------ a start that fails */

static aldis_err refuse_to_start(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return ALDIS_ERATE;
}

static const struct script sick = {.start = refuse_to_start, .stop = trace_stop, .num = trace_num};

static aldis_err spawn_sick(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_spawn_opts opts = {.placement = act->a ? ALDIS_PLACE_SHARD : ALDIS_PLACE_BESIDE,
                             .shard = (uint32_t)act->b};
    puppet_ref child = puppet_spawn(ctx, &sick, &opts);
    for (uint64_t i = 0; i < 5; i++)
        EXPECT_OK(aldis_send(ctx, child, num, i));
    return ALDIS_OK;
}

TEST_EACH(a_failed_start_tells_the_parent_once_and_runs_nothing)
{
    fixture_open(f, NULL);
    puppet_ref parent = fixture_spawn(f, &tracer, NULL);
    for (uint64_t shard = 0; shard < 8; shard++)
        fixture_tell(f, parent, spawn_sick, (struct act){.a = 1, .b = shard});
    fixture_tell(f, parent, spawn_sick, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ENDED), 9);
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == ENDED)
            CHECK_UINT(trace_at(i).tag, (uint64_t)ALDIS_ENDED_START_FAILED << 32 | ALDIS_ERATE);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    CHECK_UINT(trace_count_of(STOPPED), 0);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, 45);
    CHECK_UINT(nums.handled, 0);
    CHECK_UINT(nums.dead, 45);
}

static aldis_err spawn_then_fail(struct puppet *self, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t i = 0; i < 4; i++)
        (void)puppet_spawn(ctx, &(struct script){.start = trace_start, .stop = trace_stop},
                           &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = i});
    return ALDIS_EIO;
}

TEST_EACH(a_failed_start_takes_its_children_with_it)
{
    fixture_open(f, NULL);
    (void)fixture_spawn(f, &(struct script){.tag = 9, .start = spawn_then_fail, .stop = trace_stop},
                        NULL);
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t active = stats.active_actors, ended = stats.ended;
    aldis_stats_fini(&stats);
    CHECK_UINT(active, 0);
    CHECK_UINT(ended, 5);
    CHECK_UINT(trace_count_of(STARTED), trace_count_of(STOPPED)); /* the children's own */
    CHECK_UINT(trace_find(STOPPED, 9), TRACE_MAX);
}

/* ------------------------------------------------------------------ before the start */

static aldis_err spawn_and_send(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref child = puppet_spawn(
            ctx, &(struct script){.start = trace_start, .num = trace_num, .tag = shard},
            &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        EXPECT(!aldis_id_is_nobody(child.id));
        EXPECT(!aldis_is_closed(ctx, child.id));
        for (uint64_t i = 0; i < act->a; i++)
            EXPECT_OK(aldis_send(ctx, child, num, shard * 1000 + i));
    }
    return ALDIS_OK;
}

TEST_EACH(sends_before_the_start_are_kept_in_order)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, spawn_and_send, (struct act){.a = 20});
    fixture_settle(f);
    for (uint64_t shard = 0; shard < 8; shard++) {
        size_t before = trace_find(STARTED, shard);
        CHECK(before != TRACE_MAX);
        for (uint64_t i = 0; i < 20; i++) {
            size_t now = trace_find(HANDLED, shard * 1000 + i);
            CHECK(now != TRACE_MAX && now > before);
            before = now;
        }
    }
}

static aldis_err spawn_and_end(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref child = puppet_spawn(
        ctx, &tracer,
        &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = (uint32_t)act->b});
    EXPECT_OK(aldis_send(ctx, child, num, 1));
    EXPECT_OK(aldis_ctx_command(ctx, child.id, (aldis_command)act->a, 0));
    return ALDIS_OK;
}

TEST_EACH(an_end_asked_for_before_the_start_comes_after_it)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.child_ended = trace_child}, NULL);
    for (uint64_t shard = 0; shard < 8; shard++)
        fixture_tell(f, p, spawn_and_end, (struct act){.a = ALDIS_CMD_STOP, .b = shard});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ENDED), 8);
    CHECK_UINT(trace_count_of(STARTED), trace_count_of(STOPPED));
    for (uint64_t shard = 0; shard < 8; shard++)
        fixture_tell(f, p, spawn_and_end, (struct act){.a = ALDIS_CMD_KILL, .b = shard});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ENDED), 16);
    CHECK_UINT(trace_count_of(STOPPED), 8);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.active_actors, 1);
    CHECK_UINT(stats.spawned, 17);
    CHECK_UINT(stats.ended, 16);
    aldis_stats_fini(&stats);
}

/* ------------------------------------------------------------------ ids */

enum { ID_CHILDREN = 100, ID_GRANDCHILDREN = 3 };
static aldis_id ids[6][ID_CHILDREN * (1 + ID_GRANDCHILDREN)]; /* by configuration */
static size_t ids_run;

static aldis_err note_grandchildren(struct puppet *self, aldis_ctx *ctx)
{
    for (uint64_t i = 0; i < ID_GRANDCHILDREN; i++) {
        puppet_ref child =
            puppet_spawn(ctx, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
        ids[ids_run][ID_CHILDREN + self->script.tag * ID_GRANDCHILDREN + i] = child.id;
    }
    return ALDIS_OK;
}

static aldis_err note_children(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    for (uint64_t i = 0; i < ID_CHILDREN; i++)
        ids[ids_run][i] = puppet_spawn(ctx, &(struct script){.tag = i, .start = note_grandchildren},
                                       &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE})
                              .id;
    return ALDIS_OK;
}

static void spawn_family(struct fixture *f)
{
    fixture_open(f, &(aldis_system_opts){.node = 77});
    puppet_ref root = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, root, note_children, (struct act){.a = 0});
    fixture_settle(f);
}

TEST(ids_are_the_same_for_any_number_of_workers)
{
    static const uint32_t workers[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        ids_run = i;
        fixture_case(ALDIS_CLOCK_VIRTUAL, workers[i], spawn_family);
        ids_run = 3 + i;
        fixture_case(ALDIS_CLOCK_LIVE, workers[i], spawn_family);
    }
    for (size_t run = 1; run < 3; run++)
        CHECK(memcmp(ids[run], ids[0], sizeof ids[0]) == 0);
    /* Live, grandchildren of one birth shard come in any order; children in their parent's. */
    for (size_t run = 3; run < 6; run++)
        CHECK(memcmp(ids[run], ids[0], ID_CHILDREN * sizeof ids[0][0]) == 0);
    for (size_t i = 0; i < ID_CHILDREN; i++)
        for (size_t j = 0; j < i; j++)
            CHECK(!aldis_id_equal(ids[0][i], ids[0][j]));
}

/* ------------------------------------------------------------------ pause and resume */

TEST_EACH(a_paused_actor_keeps_its_mail_in_order)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    CHECK_OK(aldis_pause(f->system, p.id));
    CHECK_OK(aldis_pause(f->system, p.id)); /* twice is once */
    fixture_settle(f);
    for (uint64_t i = 0; i < 100; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 0);
    aldis_status status = fixture_status(f, p.id);
    CHECK_STR(status.state_name, "paused");
    CHECK_UINT(status.depth_msgs, 100);
    CHECK_UINT(status.peak_msgs, 100);
    CHECK_UINT(fixture_counts(f, "num").queued, 100);
    fixture_check(f);
    CHECK_OK(aldis_resume(f->system, p.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 100);
    for (uint64_t i = 0; i < 100; i++)
        CHECK_UINT(trace_find(HANDLED, i), 1 + i);
    status = fixture_status(f, p.id);
    CHECK_UINT(status.depth_msgs, 0);
    CHECK_UINT(status.handled_msgs, 100);
}

TEST_EACH(a_paused_actor_can_be_stopped_and_killed)
{
    fixture_open(f, NULL);
    puppet_ref a = fixture_spawn(f, &tracer, NULL), b = fixture_spawn(f, &tracer, NULL);
    CHECK_OK(aldis_pause(f->system, a.id));
    CHECK_OK(aldis_pause(f->system, b.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 10; i++) {
        CHECK_OK(aldis_send(f->system, a, num, i));
        CHECK_OK(aldis_send(f->system, b, num, i));
    }
    CHECK_OK(aldis_stop(f->system, a.id));
    CHECK_OK(aldis_kill(f->system, b.id));
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, a.id));
    CHECK(aldis_is_closed(f->system, b.id));
    CHECK_UINT(trace_count_of(STOPPED), 1);
    CHECK_UINT(fixture_counts(f, "num").dead, 20);
}

/* ------------------------------------------------------------------ status */

static void note_status(struct puppet *self, const aldis_status *status, aldis_ctx *ctx)
{
    EXPECT(aldis_id_equal(aldis_sender(ctx), status->actor));
    *(aldis_status *)self->script.user = *status;
    trace_add(ANSWERED, 0, aldis_now(ctx));
}

static aldis_err ask_status(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_get_status(ctx, act->id), (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_EACH(status_is_answered_with_the_actors_figures)
{
    static aldis_status got;
    memset(&got, 0, sizeof got);
    fixture_open(f, NULL);
    puppet_ref asker =
        fixture_spawn(f, &(struct script){.user = &got, .status = note_status}, NULL);
    puppet_ref p = fixture_spawn(f, &(struct script){.name = "loading"}, NULL);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    fixture_tell(f, asker, ask_status, (struct act){.id = p.id});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ANSWERED), 1);
    CHECK(aldis_id_equal(got.actor, p.id));
    CHECK_STR(got.state_name, "loading");
    CHECK_UINT(got.depth_msgs, 0);
    CHECK_UINT(got.handled_msgs, 5);
    CHECK_UINT(got.restarts, 0);
    CHECK(got.running_ns >= 0);
    /* A paused actor answers too, and says so. */
    CHECK_OK(aldis_pause(f->system, p.id));
    fixture_settle(f);
    for (uint64_t i = 0; i < 7; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    fixture_tell(f, asker, ask_status, (struct act){.id = p.id});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ANSWERED), 2);
    CHECK_STR(got.state_name, "paused");
    CHECK_UINT(got.depth_msgs, 7);
    CHECK(got.peak_msgs >= 7);
    CHECK_UINT(got.handled_msgs, 5);
    /* Itself. */
    fixture_tell(f, asker, ask_status, (struct act){.id = asker.id});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(ANSWERED), 3);
    CHECK(aldis_id_equal(got.actor, asker.id));
}

static aldis_err ask_from_plain(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_get_status(ctx, act->id), ALDIS_EUNACCEPTED);
    return ALDIS_OK;
}

TEST_EACH(status_questions_are_refused_by_name)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), gone = fixture_spawn(f, NULL, NULL);
    plain_ref plain;
    CHECK_OK(aldis_spawn(f->system, plain, &plain, NULL));
    CHECK_OK(aldis_stop(f->system, gone.id));
    fixture_settle(f);
    CHECK_OK(aldis_send(f->system, plain, act, .run = ask_from_plain, .id = p.id));
    fixture_tell(f, p, ask_status, (struct act){.id = gone.id, .a = ALDIS_ESTALE});
    fixture_tell(f, p, ask_status, (struct act){.id = aldis_nobody(), .a = ALDIS_ENOTFOUND});
    fixture_settle(f);
    aldis_status status;
    CHECK_ERR(aldis_system_status(f->system, gone.id, &status), ALDIS_ESTALE);
    CHECK_ERR(aldis_system_status(f->system, aldis_nobody(), &status), ALDIS_ENOTFOUND);
    aldis_id future = {p.id.bits + 5};
    CHECK_ERR(aldis_system_status(f->system, future, &status), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_system_status(f->system, p.id, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_status(NULL, p.id, &status), ALDIS_EINVAL);
}

/* ------------------------------------------------------------------ what spawn is given */

static const char wide_arg[ALDIS_PAYLOAD_MAX + 1] = {'a', [ALDIS_PAYLOAD_MAX - 1] = 'z'};

static aldis_err look_at_arg(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    const char *bytes = arg;
    trace_add(STARTED,
              !bytes            ? 0
              : bytes[0] != 'a' ? 1
                                : (uint64_t)bytes[ALDIS_PAYLOAD_MAX - 1],
              aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err ignore(void *state, const void *payload, aldis_ctx *ctx)
{
    (void)state;
    (void)payload;
    (void)ctx;
    return ALDIS_OK;
}

static const aldis_handler_entry one_handler[] = {{&num_type, ignore}};
#define KIND(...)                                                                                  \
    &(const aldis_behaviour)                                                                       \
    {                                                                                              \
        .name = "made_up", .handlers = one_handler, .handler_count = 1, __VA_ARGS__                \
    }
static const aldis_behaviour arg_behaviour = {
    .name = "arg", .handlers = one_handler, .handler_count = 1, .on_start = look_at_arg};

TEST_EACH(the_start_argument_is_copied_whole)
{
    fixture_open(f, NULL);
    aldis_id id;
    char *arg = malloc(ALDIS_PAYLOAD_MAX);
    CHECK(arg != NULL);
    memcpy(arg, wide_arg, ALDIS_PAYLOAD_MAX);
    aldis_spawn_opts opts = {.arg = arg, .arg_size = ALDIS_PAYLOAD_MAX};
    aldis_err err = aldis_system_spawn_raw(f->system, &arg_behaviour, &opts, &id);
    memset(arg, 0, ALDIS_PAYLOAD_MAX);
    free(arg);
    CHECK_ERR(err, ALDIS_OK);
    fixture_settle(f);
    CHECK(trace_find(STARTED, 'z') != TRACE_MAX);
    CHECK_OK(aldis_system_spawn_raw(f->system, &arg_behaviour, NULL, &id));
    fixture_settle(f);
    CHECK(trace_find(STARTED, 0) != TRACE_MAX);
    opts.arg = wide_arg;
    opts.arg_size = ALDIS_PAYLOAD_MAX + 1;
    CHECK_ERR(aldis_system_spawn_raw(f->system, &arg_behaviour, &opts, &id), ALDIS_EINVAL);
    opts = (aldis_spawn_opts){.arg = NULL, .arg_size = 8};
    CHECK_ERR(aldis_system_spawn_raw(f->system, &arg_behaviour, &opts, &id), ALDIS_EINVAL);
    CHECK_UINT(trace_count_of(STARTED), 2);
}

/* Each must outlive the system: behaviours are remembered by address. */
static const aldis_behaviour no_table = {.name = "no_table"};
static const aldis_behaviour no_name = {.handlers = one_handler, .handler_count = 1};
static const aldis_behaviour too_big = {
    .name = "too_big", .handlers = one_handler, .handler_count = 1, .state_size = (1u << 20) + 1};
static const aldis_behaviour biggest = {
    .name = "biggest", .handlers = one_handler, .handler_count = 1, .state_size = 1u << 20};
static const aldis_behaviour stateless = {
    .name = "stateless", .handlers = one_handler, .handler_count = 1};
static const aldis_handler_entry twice[] = {{&num_type, ignore}, {&num_type, ignore}};
static const aldis_behaviour doubled = {.name = "doubled", .handlers = twice, .handler_count = 2};
static const aldis_handler_entry no_function[] = {{&num_type, NULL}};
static const aldis_behaviour hollow = {
    .name = "hollow", .handlers = no_function, .handler_count = 1};
static const aldis_handler_entry no_type[] = {{NULL, ignore}};
static const aldis_behaviour typeless = {
    .name = "typeless", .handlers = no_type, .handler_count = 1};
static aldis_type first_numbered = {"first_numbered", 4242, 4, NULL, 0};
static aldis_type second_numbered = {"second_numbered", 4242, 4, NULL, 0};
static const aldis_handler_entry clash[] = {{&first_numbered, ignore}, {&second_numbered, ignore}};
static const aldis_behaviour clashing = {.name = "clashing", .handlers = clash, .handler_count = 2};
static aldis_type other_size = {"num", 0, 3, NULL, 0};
static const aldis_handler_entry resized[] = {{&other_size, ignore}};
static const aldis_behaviour resizing = {
    .name = "resizing", .handlers = resized, .handler_count = 1};
static const aldis_behaviour bad_mailbox = {.name = "bad_mailbox",
                                            .handlers = one_handler,
                                            .handler_count = 1,
                                            .mailbox = {.capacity_msgs = 4, .low_water_msgs = 5}};

struct refusal {
    const aldis_behaviour *behaviour;
    aldis_err err;
};
static const struct refusal refusals[] = {
    {NULL, ALDIS_EINVAL},         {&no_table, ALDIS_EINVAL},  {&no_name, ALDIS_EINVAL},
    {&too_big, ALDIS_EINVAL},     {&doubled, ALDIS_EINVAL},   {&hollow, ALDIS_EINVAL},
    {&typeless, ALDIS_EINVAL},    {&clashing, ALDIS_EEXISTS}, {&resizing, ALDIS_EINVAL},
    {&bad_mailbox, ALDIS_EINVAL},
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

static aldis_err spawn_refusals(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    aldis_id id = aldis_nobody();
    for (size_t i = 0; i < REFUSALS; i++)
        EXPECT_ERR(aldis_ctx_spawn_raw(ctx, refusals[i].behaviour, NULL, &id), refusals[i].err);
    EXPECT_ERR(aldis_ctx_spawn_raw(ctx, &stateless, NULL, NULL), ALDIS_EINVAL);
    EXPECT(aldis_id_is_nobody(id));
    return ALDIS_OK;
}

TEST_EACH(bad_behaviours_are_refused)
{
    fixture_open(f, NULL);
    aldis_id id = aldis_nobody();
    for (size_t i = 0; i < REFUSALS; i++)
        CHECK_ERR(aldis_system_spawn_raw(f->system, refusals[i].behaviour, NULL, &id),
                  refusals[i].err);
    CHECK_ERR(aldis_system_spawn_raw(f->system, &stateless, NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_spawn_raw(NULL, &stateless, NULL, &id), ALDIS_EINVAL);
    CHECK(aldis_id_is_nobody(id)); /* out parameters are not touched on failure */
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, spawn_refusals, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_OK(aldis_system_spawn_raw(f->system, &biggest, NULL, &id));
    CHECK_OK(aldis_system_spawn_raw(f->system, &stateless, NULL, &id));
    CHECK_OK(aldis_system_send_raw(f->system, id, &num_type, &(uint64_t){1}, sizeof(uint64_t)));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
}

static const aldis_spawn_opts bad_opts[] = {
    {.placement = ALDIS_PLACE_SHARD, .shard = 8},
    {.placement = (aldis_placement)17},
    {.mailbox = {.capacity_msgs = (1u << 30) + 1}},
    {.mailbox = {.capacity_bytes = UINT32_C(0x80000000)}},
    {.mailbox = {.low_water_msgs = 1025}},
    {.mailbox = {.capacity_msgs = 2, .low_water_msgs = 3}},
    {.mailbox = {.policy = (aldis_overflow_policy)99}},
};
enum { BAD_OPTS = sizeof bad_opts / sizeof bad_opts[0] };

static aldis_err spawn_bad_opts(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    aldis_id id = aldis_nobody();
    for (size_t i = 0; i < BAD_OPTS; i++)
        EXPECT_ERR(aldis_ctx_spawn_raw(ctx, &puppet_behaviour, &bad_opts[i], &id), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_spawn_raw(NULL, &puppet_behaviour, NULL, &id), ALDIS_EINVAL);
    EXPECT(aldis_id_is_nobody(id));
    return ALDIS_OK;
}

TEST_EACH(bad_spawn_options_are_refused)
{
    fixture_open(f, NULL);
    aldis_id id = aldis_nobody();
    for (size_t i = 0; i < BAD_OPTS; i++)
        CHECK_ERR(aldis_system_spawn_raw(f->system, &puppet_behaviour, &bad_opts[i], &id),
                  ALDIS_EINVAL);
    CHECK(aldis_id_is_nobody(id));
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, spawn_bad_opts, (struct act){.a = 0});
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.spawned, 1);
    aldis_stats_fini(&stats);
}

/* ------------------------------------------------------------------ places and slots */

static aldis_err spawn_many(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->b; i++)
        (void)puppet_spawn(ctx, NULL,
                           &(aldis_spawn_opts){.placement = (aldis_placement)act->a, .shard = 5});
    return ALDIS_OK;
}

TEST_EACH(actors_live_where_they_were_placed)
{
    fixture_open(f, NULL);
    puppet_ref p =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 3});
    fixture_settle(f);
    aldis_stats stats;
    fixture_tell(f, p, spawn_many, (struct act){.a = ALDIS_PLACE_BESIDE, .b = 10});
    fixture_tell(f, p, spawn_many, (struct act){.a = ALDIS_PLACE_SHARD, .b = 20});
    fixture_settle(f);
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.shard_count, 8);
    CHECK_UINT(stats.shards[3].actors, 11);
    CHECK_UINT(stats.shards[5].actors, 20);
    CHECK_UINT(stats.active_actors, 31);
    aldis_stats_fini(&stats);
    fixture_tell(f, p, spawn_many, (struct act){.a = ALDIS_PLACE_ANYWHERE, .b = 800});
    fixture_settle(f);
    CHECK_OK(aldis_system_stats(f->system, &stats));
    for (size_t i = 0; i < 8; i++)
        CHECK(stats.shards[i].actors > 50 && stats.shards[i].actors < 200);
    CHECK_UINT(stats.active_actors, 831);
    aldis_stats_fini(&stats);
}

static aldis_err fill_slots(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id id;
    aldis_err err = ALDIS_OK;
    uint64_t made = 0;
    while (made < 100 && (err = aldis_ctx_spawn_raw(ctx, &puppet_behaviour, NULL, &id)) == ALDIS_OK)
        made++;
    EXPECT_ERR(err, ALDIS_EFULL);
    EXPECT_UINT(made, act->a);
    self->memory[0] = id.bits; /* the last one */
    return ALDIS_OK;
}

static aldis_err replace_last(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id old = {self->memory[0]};
    if (act->a == 0) {
        EXPECT_OK(aldis_stop(ctx, old));
        return ALDIS_OK;
    }
    puppet_ref fresh = puppet_spawn(ctx, NULL, NULL);
    EXPECT(!aldis_id_equal(fresh.id, old));
    EXPECT((fresh.id.bits ^ old.bits) < (UINT64_C(1) << 20)); /* the slot is used again */
    EXPECT(aldis_is_closed(ctx, old));
    puppet_ref stale = {.id = old};
    EXPECT_ERR(aldis_send(ctx, stale, num, 1), ALDIS_ESTALE);
    EXPECT_ERR(aldis_stop(ctx, old), ALDIS_ESTALE);
    EXPECT_ERR(
        aldis_ctx_spawn_raw(ctx, &puppet_behaviour, &(aldis_spawn_opts){.parent = old}, &fresh.id),
        ALDIS_ESTALE);
    EXPECT_OK(aldis_send(ctx, fresh, num, 2));
    return ALDIS_OK;
}

TEST_EACH(slots_are_bounded_and_used_again_under_new_ids)
{
    fixture_open(f, &(aldis_system_opts){.actors_max = 10});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, fill_slots, (struct act){.a = 10});
    fixture_settle(f);
    fixture_tell(f, p, replace_last, (struct act){.a = 0});
    fixture_settle(f);
    fixture_tell(f, p, replace_last, (struct act){.a = 1});
    fixture_settle(f);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.handled, 1);
    CHECK_UINT(nums.rejected, 1);
    /* From outside there are slots of their own. */
    for (size_t i = 1; i < 10; i++)
        (void)fixture_spawn(f, NULL, NULL);
    aldis_id id;
    CHECK_ERR(aldis_system_spawn_raw(f->system, &puppet_behaviour, NULL, &id), ALDIS_EFULL);
}

static aldis_err look_at_memory(struct puppet *self, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(self->memory[0] | self->memory[1] | self->memory[2] | self->memory[3], 0);
    EXPECT(self->pointer == NULL && self->count == 0);
    memset(self->memory, 0xee, sizeof self->memory);
    self->pointer = self;
    return ALDIS_OK;
}

TEST_EACH(a_state_is_zeroed_however_often_its_memory_is_used)
{
    fixture_open(f, &(aldis_system_opts){.shards = 1});
    for (int round = 0; round < 20; round++) {
        puppet_ref p = fixture_spawn(f, &(struct script){.start = look_at_memory}, NULL);
        CHECK_OK(aldis_send(f->system, p, num, 1));
        fixture_settle(f);
        CHECK_OK(aldis_stop(f->system, p.id));
        fixture_settle(f);
    }
}

static aldis_err spawn_and_stop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_id *old = self->script.user;
    for (uint64_t i = 0; i < act->a; i++) {
        if (!aldis_id_is_nobody(old[i])) {
            puppet_ref stale = {.id = old[i]};
            EXPECT_ERR(aldis_send(ctx, stale, num, 1), ALDIS_ESTALE);
        }
        old[i] = puppet_spawn(ctx, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE}).id;
        EXPECT_OK(aldis_stop(ctx, old[i]));
    }
    return ALDIS_OK;
}

TEST_EACH(an_id_never_comes_back)
{
    enum { ROUNDS = 50, AT_ONCE = 100 };
    static aldis_id old[AT_ONCE];
    memset(old, 0, sizeof old);
    fixture_open(f, &(aldis_system_opts){.actors_max = 1000});
    puppet_ref p = fixture_spawn(f, &(struct script){.user = old}, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        fixture_tell(f, p, spawn_and_stop, (struct act){.a = AT_ONCE});
        fixture_settle(f);
    }
    CHECK_UINT(fixture_counts(f, "num").handled, 0);
    CHECK_UINT(fixture_counts(f, "num").rejected, (ROUNDS - 1) * AT_ONCE);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.active_actors, 1);
    aldis_stats_fini(&stats);
}
