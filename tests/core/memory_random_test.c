// SPDX-License-Identifier: Apache-2.0
/* memory_random_test.c: random programs that use up a budget of memory within single windows. In
 * virtual time what is refused then, and to whom, is the same on any number of workers. */
#include "base/hash.h"
#include "core/window.h"
#include "fixture.h"
#include <stdlib.h>

enum { ACTORS = 24, SHARDS = 8, SEEDS = 5, WINDOWS = 60, RAW_MAX = 60000, SPAWNS_MAX = 40 };

/* What a run says about itself, beside its print. */
struct outcome {
    uint64_t print, failures, refusals, peak;
    aldis_type_stats num, raw;
};

/* ------------------------------------------------------------------ the programs */

/* In its memory: 0: failures; 1: children. The digest of its state holds `last`, so that the run
 * print covers each result of each call. */
static void note(struct puppet *self, aldis_err err)
{
    self->last = aldis__mix64(self->last + (uint64_t)err);
    if (err == ALDIS_OK)
        return;
    self->memory[0]++;
    if (err != ALDIS_EFULL && err != ALDIS_ENOMEM && err != ALDIS_EDROPPED)
        EXPECT_UINT(err, ALDIS_OK);
}

static aldis_id targets[ACTORS];

static aldis_id some(aldis_ctx *ctx)
{
    return targets[aldis_random_below(ctx, ACTORS)];
}

static void send_nums(struct puppet *self, aldis_ctx *ctx)
{
    aldis_id to = some(ctx);
    uint64_t count = aldis_random_below(ctx, 3000);
    for (uint64_t i = 0; i < count; i++)
        note(self, aldis_ctx_send_raw(ctx, to, &num_type, &i, sizeof i));
}

static void send_raws(struct puppet *self, aldis_ctx *ctx)
{
    static const unsigned char bytes[RAW_MAX];
    uint64_t count = aldis_random_below(ctx, 60);
    for (uint64_t i = 0; i < count; i++)
        note(self, aldis_ctx_send_raw(ctx, some(ctx), &raw_type, bytes,
                                      (size_t)aldis_random_below(ctx, RAW_MAX)));
}

static void build(struct puppet *self, aldis_ctx *ctx)
{
    void *payload[200];
    size_t count = (size_t)aldis_random_below(ctx, 200);
    for (size_t i = 0; i < count; i++) {
        payload[i] = aldis_build_raw(ctx, some(ctx), &raw_type, 3000);
        if (payload[i])
            memset(payload[i], 7, 3000);
        else
            note(self, aldis_error_last()->err);
    }
    for (size_t i = 0; i < count; i++)
        if (payload[i] && i % 3)
            note(self, aldis_post(ctx, payload[i]));
        else
            aldis_discard(ctx, payload[i]);
}

static void broadcast(struct puppet *self, aldis_ctx *ctx)
{
    static const unsigned char bytes[RAW_MAX];
    aldis_fanout fanout = {0};
    for (int i = 0; i < 20; i++) {
        note(self, aldis_broadcast_raw(ctx, NULL, &raw_type, bytes,
                                       (size_t)aldis_random_below(ctx, RAW_MAX), 0, &fanout));
        self->last = aldis__mix64(self->last + fanout.delivered * 1000 + fanout.refused);
    }
}

static void set_timers(struct puppet *self, aldis_ctx *ctx)
{
    uint64_t count = aldis_random_below(ctx, 500);
    for (uint64_t i = 0; i < count; i++) {
        aldis_timer timer;
        const aldis_timer_opts opts = {.delay_ns = 50 * ALDIS_MS + (aldis_ns)i};
        note(self, aldis_timer_start_raw(ctx, &opts, &num_type, &i, sizeof i, &timer));
    }
}

static void spawn_some(struct puppet *self, aldis_ctx *ctx)
{
    for (int i = 0; i < 10 && self->memory[1] < SPAWNS_MAX; i++) {
        puppet_ref child;
        note(self, aldis_spawn(ctx, puppet, &child, NULL));
        self->memory[1]++;
    }
}

static void send_oddly(struct puppet *self, aldis_ctx *ctx)
{
    const aldis_send_opts opts = {.lane =
                                      aldis_random_below(ctx, 2) ? ALDIS_LANE_LOW : ALDIS_LANE_HIGH,
                                  .delay_ns = (aldis_ns)aldis_random_below(ctx, 20) * ALDIS_MS};
    uint64_t count = aldis_random_below(ctx, 1000);
    for (uint64_t i = 0; i < count; i++)
        note(self, aldis_ctx_send_opts_raw(ctx, some(ctx), &num_type, &i, sizeof i,
                                           opts.delay_ns ? &opts : NULL));
}

static aldis_err on_tick(struct puppet *self, aldis_ctx *ctx)
{
    static void (*const programs[])(struct puppet *, aldis_ctx *) = {
        send_nums, send_raws, build, broadcast, set_timers, spawn_some, send_oddly};
    programs[aldis_random_below(ctx, sizeof programs / sizeof programs[0])](self, ctx);
    return ALDIS_OK;
}

/* They are slow now and then, so that mail waits. */
static aldis_err on_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    return value % 64 ? ALDIS_OK : aldis_busy(ctx, ALDIS_MS);
}

static aldis_err on_raw(struct puppet *self, const unsigned char *bytes, size_t size,
                        aldis_ctx *ctx)
{
    (void)bytes;
    self->count += size;
    return size % 8 ? ALDIS_OK : aldis_busy(ctx, ALDIS_MS);
}

static aldis_err begin(struct puppet *self, aldis_ctx *ctx)
{
    return aldis_timer_every(ctx, ALDIS_MS, tick, &self->timer);
}

/* ------------------------------------------------------------------ runs */

static struct outcome run(struct fixture *f, uint64_t seed, uint64_t budget, uint32_t workers)
{
    static const aldis_overflow_policy policies[] = {ALDIS_UNBOUNDED, ALDIS_WAIT, ALDIS_DROP_OLDEST,
                                                     ALDIS_REJECT};
    struct outcome outcome = {.failures = 0};
    f->workers = workers;
    aldis__window_test = (struct aldis__window_test){.share_min = 2};
    fixture_open(f, &(aldis_system_opts){.memory_max = budget, .seed = seed, .shards = SHARDS});
    for (int i = 0; i < ACTORS; i++)
        targets[i] =
            fixture_spawn(
                f, &(struct script){.start = begin, .tick = on_tick, .num = on_num, .raw = on_raw},
                &(aldis_spawn_opts){.mailbox = {.policy = policies[i % 4],
                                                .capacity_msgs = 1 << 20,
                                                .capacity_bytes = INT32_MAX}})
                .id;
    CHECK_OK(aldis_system_run(f->system, WINDOWS * ALDIS_MS / 2, NULL));
    for (uint64_t i = 0; i < 20000; i++) /* from outside, too */
        outcome.failures += aldis_system_send_raw(f->system, targets[i % ACTORS], &num_type, &i,
                                                  sizeof i) != ALDIS_OK;
    CHECK_OK(aldis_system_run(f->system, WINDOWS * ALDIS_MS, NULL));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    outcome.print = aldis_system_run_print(f->system);
    outcome.refusals = stats.memory_refusals;
    outcome.peak = stats.memory_peak_bytes;
    outcome.num = *aldis_stats_type(&stats, "num");
    outcome.raw = *aldis_stats_type(&stats, "raw");
    aldis_stats_fini(&stats);
    fixture_check(f);
    aldis__window_test = (struct aldis__window_test){0};
    aldis_system_destroy(f->system);
    f->system = NULL;
    return outcome;
}

static void check_same(const struct outcome *found, const struct outcome *expected)
{
    CHECK_UINT(found->num.sent, expected->num.sent);
    CHECK_UINT(found->num.rejected, expected->num.rejected);
    CHECK_UINT(found->num.dropped, expected->num.dropped);
    CHECK_UINT(found->num.queued, expected->num.queued);
    CHECK_UINT(found->raw.sent, expected->raw.sent);
    CHECK_UINT(found->raw.rejected, expected->raw.rejected);
    CHECK_UINT(found->raw.queued, expected->raw.queued);
    CHECK_UINT(found->failures, expected->failures);
    CHECK_UINT(found->refusals, expected->refusals);
    CHECK_UINT(found->print, expected->print);
}

/* The bound was met, it held but for what pools keep of other sizes, and the same was refused. */
static void check_seeds(struct fixture *f, uint64_t budget)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct outcome one = run(f, seed, budget, 1);
        CHECK(one.refusals > 0);
        CHECK(one.num.rejected + one.raw.rejected > 0);
        CHECK(one.peak < 2 * budget);
        for (uint32_t workers = 2; workers <= 4; workers += 2) {
            struct outcome more = run(f, seed, budget, workers);
            check_same(&more, &one);
        }
    }
}

static void small(struct fixture *f)
{
    check_seeds(f, 4 << 20);
}

/* Its windows are shared out as long as half of it is free. */
static void larger(struct fixture *f)
{
    check_seeds(f, 20 << 20);
}

TEST(one_worker_at_a_time_where_little_is_free)
{
    fixture_case(ALDIS_CLOCK_VIRTUAL, 1, small);
}

TEST(shared_windows_refuse_the_same)
{
    fixture_case(ALDIS_CLOCK_VIRTUAL, 1, larger);
}
