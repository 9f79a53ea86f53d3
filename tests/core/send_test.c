// SPDX-License-Identifier: Apache-2.0
/* send_test.c: every refusal of a send by its name, batches, replies, and contexts that are not the
 * running handler's. */
#include "fixture.h"

#include <pthread.h>

enum { HANDLED = 1, REFUSED };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static const struct script tracer = {.num = trace_num};
static const uint64_t one = 1;

/* ------------------------------------------------------------------ bad arguments */

static aldis_type never_named = {NULL, 0, 0, NULL, 0};
static aldis_type empty_name = {"", 0, 0, NULL, 0};
static aldis_type long_name = {"a123456789b123456789c123456789d123456789e123456789f123456789g1234",
                               0, 0, NULL, 0};
static aldis_type longest_name = {"a123456789b123456789c123456789d123456789e123456789f123456789g12",
                                  0, 0, NULL, 0};
static aldis_type too_large = {"too_large", 0, ALDIS_PAYLOAD_MAX + 1, NULL, 0};
static aldis_type runtimes_own = {"aldis.command", 0, 16, NULL, 0};

static aldis_err send_badly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    aldis_id to = act->id;
    static const unsigned char bytes[ALDIS_PAYLOAD_MAX + 1];
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, NULL, &one, sizeof one), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &num_type, NULL, sizeof one), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &num_type, &one, sizeof one - 1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &num_type, &one, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &tick_type, &one, sizeof one), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &raw_type, bytes, sizeof bytes), ALDIS_ETOOLARGE);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &raw_type, NULL, 1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &raw_type, bytes, SIZE_MAX), ALDIS_ETOOLARGE);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &never_named, NULL, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &empty_name, NULL, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &long_name, NULL, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &longest_name, NULL, 0), ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &too_large, bytes, sizeof bytes), ALDIS_ETOOLARGE);
    /* Nobody can send what is the runtime's: not by its type, ... */
    EXPECT_ERR(aldis_ctx_send_raw(ctx, to, &runtimes_own, bytes, 16), ALDIS_EINVAL);
    /* ... and not on its lane. */
    aldis_send_opts opts = {.lane = ALDIS_LANE_CONTROL};
    EXPECT_ERR(aldis_ctx_send_opts_raw(ctx, to, &num_type, &one, sizeof one, &opts), ALDIS_EINVAL);
    opts.lane = (aldis_lane)77;
    EXPECT_ERR(aldis_ctx_send_opts_raw(ctx, to, &num_type, &one, sizeof one, &opts), ALDIS_EINVAL);
    opts = (aldis_send_opts){.delay_ns = -2};
    EXPECT_ERR(aldis_ctx_send_opts_raw(ctx, to, &num_type, &one, sizeof one, &opts), ALDIS_EINVAL);
    opts.delay_ns = INT64_MIN;
    EXPECT_ERR(aldis_ctx_send_opts_raw(ctx, to, &num_type, &one, sizeof one, &opts), ALDIS_EINVAL);
    return ALDIS_OK;
}

TEST_EACH(bad_arguments_are_refused)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL), to = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, send_badly, (struct act){.id = to.id});
    fixture_tell(f, p, send_badly, (struct act){.id = p.id});
    fixture_settle(f);
    static const unsigned char bytes[ALDIS_PAYLOAD_MAX + 1];
    aldis_system *s = f->system;
    CHECK_ERR(aldis_system_send_raw(NULL, to.id, &num_type, &one, sizeof one), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_raw(s, to.id, NULL, &one, sizeof one), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_raw(s, to.id, &num_type, NULL, sizeof one), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_raw(s, to.id, &num_type, &one, 4), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_raw(s, to.id, &raw_type, bytes, sizeof bytes), ALDIS_ETOOLARGE);
    CHECK_ERR(aldis_system_send_raw(s, to.id, &runtimes_own, bytes, 16), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_raw(s, to.id, &long_name, NULL, 0), ALDIS_EINVAL);
    aldis_send_opts opts = {.lane = ALDIS_LANE_CONTROL};
    CHECK_ERR(aldis_system_send_opts_raw(s, to.id, &num_type, &one, 8, &opts), ALDIS_EINVAL);
    opts.lane = (aldis_lane)-1;
    CHECK_ERR(aldis_system_send_opts_raw(s, to.id, &num_type, &one, 8, &opts), ALDIS_EINVAL);
    opts = (aldis_send_opts){.delay_ns = -5};
    CHECK_ERR(aldis_system_send_opts_raw(s, to.id, &num_type, &one, 8, &opts), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_until_raw(s, to.id, &num_type, &one, 8, -1), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_until_raw(s, to.id, NULL, &one, 8, 0), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_send_until_raw(NULL, to.id, &num_type, &one, 8, 0), ALDIS_EINVAL);
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
    CHECK_UINT(fixture_counts(f, "num").handled, 0);
}

/* ------------------------------------------------------------------ receivers that are not
 * there */

static aldis_err send_to(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    aldis_err expected = (aldis_err)act->a;
    EXPECT_ERR(aldis_send(ctx, to, num, 1), expected);
    if (expected != ALDIS_OK) {
        EXPECT(aldis_id_equal(aldis_error_last()->actor, act->id));
        EXPECT_UINT(aldis_error_last()->err, expected);
        EXPECT(strcmp(aldis_error_last()->type_name, "num") == 0);
        EXPECT(aldis_error_last()->text[0] != 0);
    }
    EXPECT_ERR(aldis_send_after(ctx, 5 * ALDIS_MS, to, num, 1), expected);
    num_payload value = 2;
    EXPECT_ERR(aldis_send_copy(ctx, to, num, &value), expected);
    EXPECT_ERR(aldis_send_with(ctx, to, num, &value, &(aldis_send_opts){.lane = ALDIS_LANE_HIGH}),
               expected);
    num_payload *built = aldis_build(ctx, to, num);
    EXPECT(built != NULL);
    if (built) {
        *built = 3;
        EXPECT_ERR(aldis_post(ctx, built), expected);
    }
    return ALDIS_OK;
}

TEST_EACH(receivers_that_are_not_there_are_named)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), gone = fixture_spawn(f, NULL, NULL),
               there = fixture_spawn(f, &tracer, NULL), draining = fixture_spawn(f, &tracer, NULL);
    CHECK_OK(aldis_stop(f->system, gone.id));
    CHECK_OK(aldis_pause(f->system, draining.id));
    fixture_settle(f);
    CHECK_OK(aldis_send(f->system, draining, num, 1));
    fixture_settle(f);
    CHECK_OK(aldis_drain(f->system, draining.id, ALDIS_FOREVER));
    fixture_settle(f);
    const uint64_t slot = UINT64_C(1) << 20, shard = UINT64_C(1) << 44, node = UINT64_C(1) << 56;
    struct act acts[] = {
        {.id = there.id, .a = ALDIS_OK},
        {.id = gone.id, .a = ALDIS_ESTALE},
        {.id = draining.id, .a = ALDIS_ESHUTDOWN},
        {.id = aldis_nobody(), .a = ALDIS_ENOTFOUND},
        {.id = {UINT64_MAX}, .a = ALDIS_ENOTFOUND},
        {.id = {there.id.bits + 1}, .a = ALDIS_ENOTFOUND},           /* a generation to come */
        {.id = {there.id.bits + 1000 * slot}, .a = ALDIS_ENOTFOUND}, /* a slot never used */
        {.id = {(there.id.bits | 0xfffff) + 1000 * slot}, .a = ALDIS_ENOTFOUND},
        {.id = {there.id.bits + shard}, .a = ALDIS_ENOTFOUND}, /* a shard that is not */
        {.id = {there.id.bits + node}, .a = ALDIS_ENOTFOUND},  /* another system */
        {.id = {there.id.bits - node}, .a = ALDIS_ENOTFOUND},
        /* No id has generation 0. */
        {.id = {there.id.bits & ~UINT64_C(0xfffff)}, .a = ALDIS_ENOTFOUND},
        {.id = {(there.id.bits & ~UINT64_C(0xfffff)) + 1000 * slot}, .a = ALDIS_ENOTFOUND},
    };
    enum { ACTS = sizeof acts / sizeof acts[0] };
    for (size_t i = 0; i < ACTS; i++) {
        puppet_ref to = {.id = acts[i].id};
        fixture_tell(f, p, send_to, acts[i]);
        fixture_settle(f);
        CHECK_ERR(aldis_send(f->system, to, num, 1), (aldis_err)acts[i].a);
        fixture_check(f);
    }
    fixture_settle(f);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(trace_count_of(HANDLED), 6);
    CHECK_UINT(nums.handled, 6);
    CHECK_UINT(nums.queued, 1);
    CHECK_UINT(nums.rejected, (ACTS - 1) * 6);
    CHECK_UINT(nums.sent, ACTS * 6 + 1);
}

static aldis_err send_unaccepted(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    uint32_t value = 5;
    EXPECT_ERR(aldis_ctx_send_raw(ctx, act->id, &odd_type, &value, sizeof value),
               (aldis_err)act->a);
    return ALDIS_OK;
}

TEST_EACH(an_unaccepted_type_is_refused_and_counted)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, NULL, NULL);
    stranger_ref s;
    CHECK_OK(aldis_spawn(f->system, stranger, &s, NULL));
    fixture_tell(f, p, send_unaccepted, (struct act){.id = q.id, .a = ALDIS_EUNACCEPTED});
    fixture_tell(f, p, send_unaccepted, (struct act){.id = p.id, .a = ALDIS_EUNACCEPTED});
    fixture_tell(f, p, send_unaccepted, (struct act){.id = s.id, .a = ALDIS_OK});
    uint32_t value = 5;
    CHECK_ERR(aldis_system_send_raw(f->system, p.id, &odd_type, &value, sizeof value),
              ALDIS_EUNACCEPTED);
    CHECK_ERR(aldis_system_send_raw(f->system, s.id, &num_type, &one, sizeof one),
              ALDIS_EUNACCEPTED);
    fixture_settle(f);
    aldis_type_stats odds = fixture_counts(f, "odd");
    CHECK_UINT(odds.sent, 4);
    CHECK_UINT(odds.rejected, 3);
    CHECK_UINT(odds.handled, 1);
}

/* ------------------------------------------------------------------ contexts */

static aldis_ctx *saved_ctx;
static void *saved_payload;
static const aldis_id *saved_id;

static aldis_err save_ctx(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    saved_ctx = ctx;
    return ALDIS_OK;
}

static aldis_err nothing(const void *arg, void *out)
{
    (void)arg;
    (void)out;
    return ALDIS_OK;
}

/* Every call with a context that is not this thread's own, from the test's thread. */
static void use_saved_ctx(puppet_ref to)
{
    aldis_ctx *ctx = saved_ctx;
    aldis_timer timer = {1};
    puppet_ref ref = {.id = ALDIS_NOBODY_INIT};
    size_t accepted = 99;
    aldis_send_item item = {to.id, &num_type, &one, sizeof one};
    CHECK_ERR(aldis_send(ctx, to, num, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_send_after(ctx, ALDIS_MS, to, num, 1), ALDIS_EINVAL);
    CHECK(aldis_build(ctx, to, num) == NULL);
    CHECK_ERR(aldis_error_last()->err, ALDIS_EINVAL);
    CHECK_ERR(aldis_post(ctx, &accepted), ALDIS_EINVAL);
    aldis_discard(ctx, &accepted);
    CHECK_ERR(aldis_send_batch(ctx, &item, 1, &accepted), ALDIS_EINVAL);
    CHECK_UINT(accepted, 0);
    CHECK_ERR(aldis_reply(ctx, num, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_send_blob_raw(ctx, to.id, &raw_type, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_spawn(ctx, puppet, &ref, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_stop(ctx, to.id), ALDIS_EINVAL);
    CHECK_ERR(aldis_get_status(ctx, to.id), ALDIS_EINVAL);
    CHECK_ERR(aldis_timer_once(ctx, ALDIS_MS, tick, &timer), ALDIS_EINVAL);
    CHECK_ERR(aldis_timer_cancel(ctx, timer), ALDIS_EINVAL);
    CHECK_ERR(aldis_busy(ctx, 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_offload(ctx, nothing, NULL, 0, &tick_type), ALDIS_EINVAL);
    CHECK_ERR(aldis_fail(ctx, "text"), ALDIS_EHANDLER);
    aldis_halt(ctx);
    CHECK(aldis_id_is_nobody(ref.id));
}

TEST_EACH(a_context_is_no_use_after_its_handler)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, save_ctx, (struct act){.a = 0});
    fixture_settle(f);
    use_saved_ctx(p);
    saved_ctx = NULL;
    use_saved_ctx(p);
    fixture_settle(f);
    CHECK_UINT(trace_count(), 0);
}

static void *use_ctx_elsewhere(void *arg)
{
    puppet_ref to = {.id = *(const aldis_id *)arg};
    aldis_timer timer;
    puppet_ref ref;
    EXPECT_ERR(aldis_send(saved_ctx, to, num, 1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_spawn(saved_ctx, puppet, &ref, NULL), ALDIS_EINVAL);
    EXPECT_ERR(aldis_stop(saved_ctx, to.id), ALDIS_EINVAL);
    EXPECT_ERR(aldis_timer_once(saved_ctx, ALDIS_MS, tick, &timer), ALDIS_EINVAL);
    EXPECT_ERR(aldis_busy(saved_ctx, 1), ALDIS_EINVAL);
    EXPECT(aldis_build(saved_ctx, to, num) == NULL);
    EXPECT_ERR(aldis_post(saved_ctx, saved_payload), ALDIS_EINVAL);
    aldis_discard(saved_ctx, saved_payload); /* does nothing: it is not this thread's */
    return NULL;
}

/* The handler waits for a thread of its own, so that the context is alive, but not that
 * thread's. */
static aldis_err lend_ctx(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    pthread_t thread;
    saved_ctx = ctx;
    saved_id = &act->id;
    num_payload *built = aldis_build(ctx, to, num);
    EXPECT(built != NULL);
    saved_payload = built;
    if (built)
        *built = 42;
    aldis_id id = act->id;
    EXPECT(pthread_create(&thread, NULL, use_ctx_elsewhere, &id) == 0);
    pthread_join(thread, NULL);
    EXPECT_OK(aldis_post(ctx, built));
    return ALDIS_OK;
}

TEST_EACH(a_context_is_no_use_on_another_thread)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, &tracer, NULL);
    fixture_tell(f, p, lend_ctx, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK_UINT(trace_count(), 1);
    CHECK_UINT(trace_at(0).tag, 42);
}

/* In live mode the other system's handler runs on a worker of its own. */
static aldis_err use_other_ctx(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref mine = {.id = aldis_self(ctx)}, other = {.id = act->id};
    EXPECT(saved_ctx != ctx);
    EXPECT_ERR(aldis_send(saved_ctx, mine, num, 1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send(saved_ctx, other, num, 1), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send(ctx, other, num, 1), ALDIS_ENOTFOUND); /* an id of another system */
    EXPECT_ERR(aldis_stop(ctx, other.id), ALDIS_ENOTFOUND);
    EXPECT(aldis_is_closed(ctx, other.id));
    return ALDIS_OK;
}

TEST_EACH(two_systems_do_not_mix)
{
    fixture_open(f, NULL);
    struct fixture second = {f->clock, f->workers, NULL};
    fixture_open(&second, NULL);
    puppet_ref a = fixture_spawn(f, &tracer, NULL), b = fixture_spawn(&second, &tracer, NULL);
    CHECK(!aldis_id_equal(a.id, b.id));
    fixture_tell(f, a, save_ctx, (struct act){.a = 0});
    fixture_settle(f);
    fixture_tell(&second, b, use_other_ctx, (struct act){.id = a.id});
    fixture_settle(&second);
    CHECK_ERR(aldis_send(f->system, b, num, 1), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_send(second.system, a, num, 1), ALDIS_ENOTFOUND);
    CHECK_ERR(aldis_stop(second.system, a.id), ALDIS_ENOTFOUND);
    CHECK_OK(aldis_send(f->system, a, num, 7));
    CHECK_OK(aldis_send(second.system, b, num, 8));
    fixture_settle(f);
    fixture_settle(&second);
    CHECK_UINT(trace_count(), 2);
    fixture_close(&second);
}

/* A handler may use another system as any outside thread may, but not its own. */
static aldis_err call_systems(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    aldis_system *mine = aldis_system_of(ctx), *other = self->script.user;
    puppet_ref to = {.id = act->id}, me = {.id = aldis_self(ctx)};
    puppet_ref made = {.id = ALDIS_NOBODY_INIT};
    aldis_status status;
    aldis_stats stats;
    EXPECT_OK(aldis_send(other, to, num, 5));
    EXPECT_ERR(aldis_send(mine, me, num, 6), ALDIS_ESTATE);
    EXPECT_ERR(aldis_spawn(mine, puppet, &made, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_stop(mine, me.id), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_run(mine, 0, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_stop(mine, 0), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_stats(mine, &stats), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_audit(mine, NULL), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_status(mine, me.id, &status), ALDIS_ESTATE);
    EXPECT_ERR(aldis_system_on_high_water(mine, 0, NULL, NULL), ALDIS_ESTATE);
    num_payload value = 7;
    EXPECT_ERR(
        aldis_system_send_until_raw(mine, me.id, &num_type, &value, sizeof value, ALDIS_FOREVER),
        ALDIS_ESTATE);
    return ALDIS_OK;
}

TEST_EACH(a_handler_may_send_into_another_system_only)
{
    fixture_open(f, NULL);
    struct fixture second = {f->clock, f->workers, NULL};
    fixture_open(&second, NULL);
    puppet_ref b = fixture_spawn(&second, &tracer, NULL);
    puppet_ref a = fixture_spawn(f, &(struct script){.user = second.system}, NULL);
    fixture_tell(f, a, call_systems, (struct act){.id = b.id});
    fixture_settle(f);
    fixture_settle(&second);
    CHECK_UINT(trace_count(), 1);
    CHECK_UINT(trace_at(0).tag, 5);
    fixture_check(f); /* before the other has gone */
    fixture_close(&second);
}

/* ------------------------------------------------------------------ batch and reply */

static aldis_err send_batch(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    enum { COUNT = 600 };
    static const uint32_t odd_value = 1;
    uint64_t values[COUNT];
    aldis_send_item items[COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        values[i] = i;
        items[i] = (aldis_send_item){act->id, &num_type, &values[i], sizeof values[i]};
    }
    items[10].to = aldis_nobody(); /* not found: the first error */
    items[20].size = 3;            /* invalid */
    items[30].type = NULL;         /* invalid */
    items[40] = (aldis_send_item){act->id, &odd_type, &odd_value, 4}; /* unaccepted */
    size_t accepted = 0;
    EXPECT_ERR(aldis_send_batch(ctx, items, COUNT, &accepted), ALDIS_ENOTFOUND);
    EXPECT_UINT(accepted, COUNT - 4);
    EXPECT_OK(aldis_send_batch(ctx, NULL, 0, &accepted));
    EXPECT_UINT(accepted, 0);
    EXPECT_OK(aldis_send_batch(ctx, items, 0, NULL));
    EXPECT_ERR(aldis_send_batch(ctx, NULL, 3, &accepted), ALDIS_EINVAL);
    EXPECT_ERR(aldis_send_batch(ctx, &items[20], 1, NULL), ALDIS_EINVAL);
    return ALDIS_OK;
}

TEST_EACH(a_batch_goes_on_after_a_failure_and_keeps_its_order)
{
    fixture_open(f, NULL);
    for (uint32_t shard = 0; shard < 3; shard++) {
        puppet_ref p =
            fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 0});
        puppet_ref q = fixture_spawn(
            f, &tracer, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        size_t before = trace_count();
        fixture_tell(f, p, send_batch, (struct act){.id = q.id});
        fixture_settle(f);
        CHECK_UINT(trace_count(), before + 596);
        for (size_t i = before + 1; i < trace_count(); i++)
            CHECK(trace_at(i).tag > trace_at(i - 1).tag);
    }
}

static aldis_err answer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    EXPECT_ERR(aldis_reply(ctx, num, act->a + 1), (aldis_err)act->b);
    return ALDIS_OK;
}

static aldis_err ask(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, act, .run = answer, .a = act->a));
    return ALDIS_OK;
}

static aldis_err answer_oddly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_reply(ctx, odd, 5), ALDIS_EUNACCEPTED);
    EXPECT_ERR(aldis_reply_raw(ctx, NULL, NULL, 0), ALDIS_EINVAL);
    EXPECT_ERR(aldis_reply_signal(ctx, num), ALDIS_EINVAL);
    EXPECT_OK(aldis_reply_signal(ctx, tick));
    return ALDIS_OK;
}

static aldis_err ask_oddly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, act, .run = answer_oddly));
    return ALDIS_OK;
}

TEST_EACH(a_reply_goes_to_the_sender)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &tracer, NULL);
    for (uint32_t shard = 0; shard < 8; shard++) {
        puppet_ref q = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
        fixture_tell(f, p, ask, (struct act){.id = q.id, .a = 100 * shard});
        fixture_tell(f, p, ask_oddly, (struct act){.id = q.id});
        fixture_tell(f, q, answer, (struct act){.b = ALDIS_ENORECEIVER});
    }
    fixture_tell(f, p, ask, (struct act){.id = p.id, .a = 5000}); /* of itself */
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 9);
    for (uint64_t shard = 0; shard < 8; shard++)
        CHECK(trace_find(HANDLED, 100 * shard + 1) != TRACE_MAX);
    CHECK(trace_find(HANDLED, 5001) != TRACE_MAX);
    CHECK_UINT(fixture_counts(f, "tick").handled, 8);
}

static aldis_err reply_late(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    EXPECT_ERR(aldis_reply(ctx, num, 1), ALDIS_ESTALE);
    return ALDIS_OK;
}

static aldis_err ask_and_end(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, act, .run = reply_late));
    EXPECT_OK(aldis_stop(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

TEST_EACH(a_reply_to_one_that_has_ended_is_stale)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL), q = fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, p, ask_and_end, (struct act){.id = q.id});
    fixture_settle(f);
    CHECK(aldis_is_closed(f->system, p.id));
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").rejected, 1);
}

/* ------------------------------------------------------------------ what the sender is told */

static void note_refusal(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    EXPECT(strcmp(notice->type_name, "num") == 0);
    EXPECT(aldis_id_equal(notice->to, *(aldis_id *)self->script.user));
    for (uint32_t i = 0; i < notice->count; i++)
        trace_add(REFUSED, notice->reason, aldis_now(ctx));
}

static aldis_err send_nums(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, to, num, i));
    return ALDIS_OK;
}

TEST_EACH(a_sender_hears_of_mail_that_died_with_its_receiver)
{
    static aldis_id to;
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, NULL, NULL);
    to = q.id;
    puppet_ref p =
        fixture_spawn(f, &(struct script){.undelivered = note_refusal, .user = &to}, NULL);
    plain_ref plain; /* does not want to know: nobody tells it */
    CHECK_OK(aldis_spawn(f->system, plain, &plain, NULL));
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, p, send_nums, (struct act){.id = q.id, .a = 50});
    CHECK_OK(aldis_send(f->system, plain, act, .run = send_nums, .id = q.id, .a = 30));
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(REFUSED), 50);
    for (size_t i = 0; i < 50; i++)
        CHECK_UINT(trace_at(i).tag, ALDIS_ESTALE);
    CHECK_UINT(fixture_counts(f, "num").dead, 80);
    CHECK_UINT(fixture_counts(f, "aldis.undelivered").dead, 0);
}
