// SPDX-License-Identifier: Apache-2.0
/* chaos_test.c: actors that do everything at random to each other, by seeds. Whatever they do: the
 * run comes to rest, every message is accounted for, the system stops in time and nobody is left;
 * in virtual time the run is the same on any number of workers. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { FOUNDERS = 24, HOPS = 40, ACTORS_MAX = 3000 };

static _Atomic(uint64_t) started, stopped, spawned, downs;
static aldis_blob *blob;

static aldis_err act_wildly(struct puppet *self, const struct act *act, aldis_ctx *ctx);
static const struct script wild;

/* The friends of a puppet are its memory; the oldest is forgotten first. */
static void befriend(struct puppet *self, aldis_id id)
{
    for (size_t i = 3; i > 0; i--)
        self->memory[i] = self->memory[i - 1];
    self->memory[0] = id.bits;
}

static puppet_ref a_friend(const struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref ref = {.id = {self->memory[aldis_random_below(ctx, 4)]}};
    return ref;
}

static struct act next_act(const struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct act next = {.run = act_wildly, .id = a_friend(self, ctx).id, .a = act->a - 1};
    return next;
}

static aldis_err count_start(struct puppet *self, aldis_ctx *ctx)
{
    for (size_t i = 0; i < 4; i++)
        self->memory[i] = self->script.tag ? self->script.tag : aldis_self(ctx).bits;
    if (aldis_random_below(ctx, 20) == 0)
        return ALDIS_ERATE;
    atomic_fetch_add(&started, 1);
    return ALDIS_OK;
}

static void count_stop(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref to = a_friend(self, ctx);
    (void)aldis_send(ctx, to, num, 1);
    atomic_fetch_add(&stopped, 1);
}

static void on_refusal(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    EXPECT(notice->reason != ALDIS_OK && notice->count > 0);
    self->last += notice->reason;
    if (aldis_random_below(ctx, 4) == 0)
        (void)aldis_signal(ctx, a_friend(self, ctx), tick);
}

static void on_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    EXPECT(aldis_is_closed(ctx, notice->child));
    self->last += notice->reason;
}

static aldis_err on_tick(struct puppet *self, aldis_ctx *ctx)
{
    if (self->timer.bits && self->count % 5 == 0) {
        (void)aldis_timer_cancel(ctx, self->timer);
        self->timer.bits = 0;
    }
    return ALDIS_OK;
}

/* A notice of a monitor comes once, and only if it is wanted. */
static aldis_err on_down(struct puppet *self, const aldis_down *down, aldis_ctx *ctx)
{
    EXPECT(aldis_is_closed(ctx, down->actor));
    EXPECT(down->ref.bits == 0 || down->ref.bits == self->monitor.bits);
    if (down->ref.bits)
        self->monitor.bits = 0;
    atomic_fetch_add(&downs, 1);
    return aldis_random_below(ctx, 10) ? ALDIS_OK : aldis_fail(ctx, "by bad news");
}

static const struct script wild = {.start = count_start,
                                   .stop = count_stop,
                                   .tick = on_tick,
                                   .undelivered = on_refusal,
                                   .child_ended = on_child,
                                   .down = on_down};

static aldis_restart_opts restart_wildly(aldis_ctx *ctx)
{
    aldis_restart_opts opts = {.mode = (aldis_restart_mode)aldis_random_below(ctx, 4),
                               .poison_tries = (uint32_t)aldis_random_below(ctx, 4),
                               .discard_mail = aldis_random_below(ctx, 4) == 0};
    return opts;
}

/* Puppets that differ in how they supervise; made by the first case. */
static aldis_behaviour supervisors[3];

static const aldis_behaviour *a_kind(aldis_ctx *ctx)
{
    return aldis_random_below(ctx, 2) ? &puppet_behaviour
                                      : &supervisors[aldis_random_below(ctx, 3)];
}

static void make_kinds(void)
{
    for (int i = 0; i < 3; i++) {
        supervisors[i] = puppet_behaviour;
        supervisors[i].supervisor = (aldis_supervisor_opts){.strategy = (aldis_strategy)i,
                                                            .intensity = 3 + (uint32_t)i,
                                                            .backoff_ns = 100 * ALDIS_US << i,
                                                            .backoff_max_ns = ALDIS_MS};
    }
}

static void watch_wildly(struct puppet *self, aldis_ctx *ctx)
{
    aldis_id friend = a_friend(self, ctx).id;
    aldis_err err = ALDIS_OK;
    switch (aldis_random_below(ctx, 5)) {
    case 0:
    case 1:
        if (!self->monitor.bits)
            err = aldis_monitor(ctx, friend, &self->monitor);
        break;
    case 2:
        if (self->monitor.bits)
            EXPECT_OK(aldis_demonitor(ctx, self->monitor));
        self->monitor.bits = 0;
        break;
    case 3:
        err = aldis_random_below(ctx, 3) ? aldis_life_link(ctx, friend)
                                         : aldis_life_unlink(ctx, friend);
        break;
    default:
        EXPECT_OK(aldis_life_trap(ctx, aldis_random_below(ctx, 3) > 0));
        break;
    }
    EXPECT(err == ALDIS_OK || err == ALDIS_EINVAL || err == ALDIS_ENOTFOUND);
}

static void spawn_wildly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    if (atomic_fetch_add(&spawned, 1) >= ACTORS_MAX)
        return;
    struct script script = wild;
    script.tag = aldis_random_below(ctx, 2) ? aldis_self(ctx).bits : a_friend(self, ctx).id.bits;
    aldis_spawn_opts opts = {
        .arg = &script,
        .arg_size = sizeof script,
        .placement = (aldis_placement)aldis_random_below(ctx, 2),
        .mailbox = {.capacity_msgs = 1 + (uint32_t)aldis_random_below(ctx, 20),
                    .policy = (aldis_overflow_policy)(1 + aldis_random_below(ctx, 5))},
        .restart = restart_wildly(ctx),
    };
    if (aldis_random_below(ctx, 3) == 0)
        opts.parent = a_friend(self, ctx).id;
    puppet_ref child = {.id = ALDIS_NOBODY_INIT};
    aldis_err err = aldis_ctx_spawn_raw(ctx, a_kind(ctx), &opts, &child.id);
    EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE || err == ALDIS_ESHUTDOWN);
    if (err != ALDIS_OK)
        return;
    befriend(self, child.id);
    struct act next = next_act(self, act, ctx);
    (void)aldis_send_copy(ctx, child, act, &next);
}

static aldis_err short_job(const void *arg, void *out_result)
{
    uint64_t n;
    memcpy(&n, arg, sizeof n);
    *(uint64_t *)out_result = n + 1;
    return n % 3 ? ALDIS_OK : ALDIS_EIO;
}

/* Ways to send. */
static void send_wildly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_NORMAL, ALDIS_LANE_CRITICAL, ALDIS_LANE_HIGH,
                                       ALDIS_LANE_LOW};
    puppet_ref to = a_friend(self, ctx);
    struct act next = next_act(self, act, ctx);
    aldis_send_opts opts = {.lane = lanes[aldis_random_below(ctx, 4)]};
    switch (aldis_random_below(ctx, 6)) {
    case 0:
        opts.delay_ns = ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 3 * ALDIS_MS);
        break;
    case 1: {
        struct act *built = aldis_build(ctx, to, act);
        EXPECT(built != NULL);
        *built = next;
        if (aldis_random_below(ctx, 4))
            (void)aldis_post(ctx, built);
        return;
    }
    case 2:
        for (uint64_t i = 0; i < 60; i++)
            (void)aldis_send(ctx, to, num, i);
        break;
    case 3:
        (void)aldis_send_blob_raw(ctx, to.id, &raw_type, blob);
        break;
    default:
        break;
    }
    (void)aldis_send_with(ctx, to, act, &next, &opts);
}

static void command_wildly(const struct puppet *self, aldis_ctx *ctx)
{
    static const aldis_command commands[] = {ALDIS_CMD_STOP,  ALDIS_CMD_DRAIN,  ALDIS_CMD_KILL,
                                             ALDIS_CMD_PAUSE, ALDIS_CMD_RESUME, ALDIS_CMD_RESUME,
                                             ALDIS_CMD_RESUME};
    aldis_command command = commands[aldis_random_below(ctx, 7)];
    aldis_err err = aldis_ctx_command(ctx, a_friend(self, ctx).id, command,
                                      (aldis_ns)aldis_random_below(ctx, 2 * ALDIS_MS));
    EXPECT(err == ALDIS_OK || err == ALDIS_ESTALE);
}

static aldis_err act_wildly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    befriend(self, act->id);
    if (act->a == 0)
        return ALDIS_OK;
    switch (aldis_random_below(ctx, 16)) {
    case 0:
    case 1:
        spawn_wildly(self, act, ctx);
        break;
    case 2:
        command_wildly(self, ctx);
        break;
    case 3:
        if (!self->timer.bits)
            EXPECT_OK(aldis_timer_every(ctx, 200 * ALDIS_US, tick, &self->timer));
        break;
    case 4: {
        uint64_t n = act->a;
        aldis_err err = aldis_offload(ctx, short_job, &n, sizeof n, &num_type);
        EXPECT(err == ALDIS_OK || err == ALDIS_EAGAIN || err == ALDIS_EFULL ||
               err == ALDIS_ESHUTDOWN);
        break;
    }
    case 5:
        EXPECT_OK(aldis_busy(ctx, (aldis_ns)aldis_random_below(ctx, 2 * ALDIS_MS)));
        break;
    case 7:
    case 8:
        watch_wildly(self, ctx);
        break;
    case 6:
        (void)aldis_get_status(ctx, a_friend(self, ctx).id);
        break;
    default:
        break;
    }
    send_wildly(self, act, ctx);
    if (aldis_random_below(ctx, 3) == 0)
        send_wildly(self, act, ctx);
    return aldis_random_below(ctx, 30) ? ALDIS_OK : aldis_fail(ctx, "by chance");
}

/* What the seed says of the system: long ways, short ones, no delays at all, few of everything. */
static void open_wildly(struct fixture *f, uint64_t seed)
{
    aldis_system_opts opts = {.seed = seed, .shards = 16, .overflow_msgs = 500};
    switch (seed % 4) {
    case 1:
        opts.shards = 3;
        opts.inflight_msgs = 8;
        opts.raise_short_delays = true;
        opts.default_delay_ns = 300 * ALDIS_US;
        break;
    case 2:
        opts.zero_delay = true;
        opts.default_delay_ns = seed % 8 == 2 ? 400 * ALDIS_US : 0;
        opts.microsteps_max = 500;
        break;
    case 3:
        opts.overflow_msgs = 10;
        opts.mailbox.capacity_msgs = 5;
        opts.underway_per_sender = 40;
        opts.offload_queue = 2;
        break;
    default:
        break;
    }
    fixture_open(f, &opts);
}

/* From outside, between two pieces of the run. */
static void meddle(struct fixture *f, const puppet_ref *founders, uint64_t *random)
{
    for (int i = 0; i < 6; i++) {
        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        puppet_ref to = founders[(*random >> 40) % FOUNDERS];
        uint64_t what = *random >> 60;
        struct act act = {
            .run = act_wildly, .id = founders[(*random >> 33) % FOUNDERS].id, .a = HOPS / 2};
        if (what < 5)
            (void)aldis_system_command(f->system, to.id, (aldis_command)what, ALDIS_MS);
        else if (what < 8)
            (void)aldis_resume(f->system, to.id);
        else
            (void)aldis_send_copy(f->system, to, act, &act);
    }
}

/* One run. Gives its print. */
static uint64_t run_wildly(struct fixture *f, uint64_t seed)
{
    uint64_t random = seed;
    atomic_store(&started, 0);
    atomic_store(&stopped, 0);
    atomic_store(&spawned, 0);
    atomic_store(&downs, 0);
    make_kinds();
    CHECK_OK(aldis_blob_create("a large thing", 14, &blob, NULL));
    open_wildly(f, seed);
    puppet_ref founders[FOUNDERS];
    for (uint32_t i = 0; i < FOUNDERS; i++) {
        struct script script = wild;
        script.tag = i ? founders[i - 1].id.bits : 0;
        aldis_spawn_opts spawn = {
            .mailbox = {.capacity_msgs = 30},
            .restart = {.mode = (aldis_restart_mode)(i % 4), .poison_tries = 1 + i % 3}};
        founders[i] = fixture_spawn(f, &script, &spawn);
    }
    for (uint32_t i = 0; i < 3 * FOUNDERS; i++) {
        struct act act = {.run = act_wildly, .id = founders[(i * 7) % FOUNDERS].id, .a = HOPS};
        (void)aldis_send_copy(f->system, founders[i % FOUNDERS], act, &act);
    }
    /* Paused actors with periodic timers keep a run going for ever: look on for a while only. */
    aldis_ns until_ns = aldis_system_now(f->system);
    for (int i = 0; i < 20; i++) {
        until_ns += 1700 * ALDIS_US; /* also in the middle of windows */
        aldis_err err = aldis_system_run(f->system, until_ns, NULL);
        CHECK(err == ALDIS_OK || (err == ALDIS_ELOOP && seed % 4 == 2));
        fixture_check(f);
        meddle(f, founders, &random);
    }
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    fixture_check(f);
    uint64_t print = aldis_system_run_print(f->system);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t active = stats.active_actors, handled = stats.total.handled;
    CHECK_UINT(stats.spawned, stats.ended);
    aldis_stats_fini(&stats);
    CHECK_UINT(active, 0);
    CHECK(handled > (f->clock == ALDIS_CLOCK_VIRTUAL ? 1000 : 0));
    CHECK(atomic_load(&stopped) <= atomic_load(&started));
    fixture_close(f);
    aldis_blob_unref(blob);
    return print ^ handled << 32 ^
           atomic_load(&downs) << 48; /* commands and notices are in no print, but they count too */
}

TEST_LIVE(whatever_they_do_it_adds_up)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        (void)run_wildly(f, seed);
}

TEST(whatever_they_do_it_is_the_same_on_any_number_of_workers)
{
    static const uint32_t workers[] = {1, 2, 4};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t print = 0;
        for (size_t i = 0; i < 3; i++) {
            struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers[i], NULL};
            uint64_t again = run_wildly(&f, seed);
            if (i > 0 && again != print)
                test_fail(__FILE__, __LINE__, "seed %d: the run on %d workers is another one",
                          (int)seed, (int)workers[i]);
            print = again;
        }
    }
}
