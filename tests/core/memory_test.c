// SPDX-License-Identifier: Apache-2.0
/* memory_test.c: a system with a budget for its memory. A producer 1000 times too fast does not get
 * it beyond, whatever the policy of the mailbox; others go on meanwhile; and the same is refused on
 * any number of workers. */
#include "core/window.h"
#include "fixture.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1 /* they keep much beside each block */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
    BUDGET = 4 << 20,
    SERVED = 10,              /* a second */
    PRODUCED = 1000 * SERVED, /* a second */
    SECONDS = 60,
    PER_TICK = PRODUCED / 1000 /* the producer's tick is a millisecond */
};

/* ------------------------------------------------------------------ one that floods another */

static aldis_err serve(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    return aldis_busy(ctx, ALDIS_SECOND / SERVED);
}

static aldis_err serve_raw(struct puppet *self, const unsigned char *bytes, size_t size,
                           aldis_ctx *ctx)
{
    (void)self;
    (void)bytes;
    (void)size;
    return aldis_busy(ctx, ALDIS_SECOND / SERVED);
}

/* In its memory: 0: the receiver; 1: what was refused at the send; 2: until when it sends. */
static aldis_err produce(struct puppet *self, aldis_ctx *ctx)
{
    aldis_id to = {self->memory[0]};
    uint64_t value = self->count;
    for (int i = 0; i < PER_TICK; i++) {
        aldis_err err = aldis_ctx_send_raw(ctx, to, &num_type, &value, sizeof value);
        if (err != ALDIS_OK)
            self->memory[1]++;
        if (err != ALDIS_OK && err != ALDIS_EFULL && err != ALDIS_EDROPPED)
            EXPECT_UINT(err, ALDIS_OK);
    }
    if ((uint64_t)aldis_now(ctx) >= self->memory[2])
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

static aldis_err begin(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    self->memory[0] = act->id.bits;
    self->memory[2] = act->a * (uint64_t)ALDIS_SECOND;
    EXPECT_OK(aldis_timer_every(ctx, ALDIS_MS, tick, &self->timer));
    return ALDIS_OK;
}

/* What another producer sends meanwhile to another server, 5 a second: that is never refused. */
static aldis_err send_modestly(struct puppet *self, aldis_ctx *ctx)
{
    aldis_id to = {self->memory[0]};
    uint64_t value = self->count;
    EXPECT_OK(aldis_ctx_send_raw(ctx, to, &num_type, &value, sizeof value));
    if ((uint64_t)aldis_now(ctx) >= self->memory[2])
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

static aldis_err begin_modestly(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    self->memory[0] = act->id.bits;
    self->memory[2] = act->a * (uint64_t)ALDIS_SECOND;
    EXPECT_OK(aldis_timer_every(ctx, 200 * ALDIS_MS, tick, &self->timer));
    return ALDIS_OK;
}

/* So many seconds of it. The server's mailbox is as given, else as large as it may be. */
static aldis_stats flood(struct fixture *f, aldis_mailbox_opts mailbox, uint64_t seconds)
{
    if (mailbox.policy != ALDIS_UNBOUNDED) {
        mailbox.capacity_msgs = 1 << 30;
        mailbox.capacity_bytes = INT32_MAX;
    }
    fixture_open(f, &(aldis_system_opts){.memory_max = BUDGET,
                                         .overflow_msgs = 1 << 30,
                                         .overflow_bytes = UINT64_C(1) << 40,
                                         .underway_per_sender = 1 << 20});
    puppet_ref server =
        fixture_spawn(f, &(struct script){.num = serve}, &(aldis_spawn_opts){.mailbox = mailbox});
    puppet_ref other = fixture_spawn(f, &(struct script){.num = serve}, NULL);
    puppet_ref producer = fixture_spawn(f, &(struct script){.tick = produce}, NULL);
    puppet_ref modest = fixture_spawn(f, &(struct script){.tick = send_modestly}, NULL);
    fixture_tell(f, producer, begin, (struct act){.id = server.id, .a = seconds});
    fixture_tell(f, modest, begin_modestly, (struct act){.id = other.id, .a = seconds});
    CHECK_OK(aldis_system_run(f->system, (aldis_ns)(seconds + 1) * ALDIS_SECOND, NULL));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK(stats.memory_bytes > 0 && stats.memory_bytes <= stats.memory_peak_bytes);
    CHECK(stats.memory_peak_bytes <= BUDGET);
    CHECK(fixture_counts(f, "num").handled >= seconds * SERVED); /* both served on */
    CHECK_UINT(fixture_status(f, other.id).handled_msgs, seconds * 5);
    fixture_check(f);
    return stats;
}

/* Each policy: what is refused, dropped, held back, and that it was memory that bounded it. */
static void flood_by(struct fixture *f, aldis_overflow_policy policy)
{
    aldis_stats stats = flood(f, (aldis_mailbox_opts){.policy = policy}, SECONDS);
    aldis_type_stats nums = *aldis_stats_type(&stats, "num");
    uint64_t refusals = stats.memory_refusals;
    aldis_stats_fini(&stats);
    CHECK(refusals > 0);
    CHECK(nums.sent >= PRODUCED * (SECONDS - 1) || policy == ALDIS_WAIT);
    CHECK(nums.queued > 1000);                /* it kept much, */
    CHECK(nums.queued * 64 < BUDGET / 4 * 3); /* but no more than its share */
    bool drops =
        policy == ALDIS_DROP_NEWEST || policy == ALDIS_DROP_OLDEST || policy == ALDIS_KEEP_NEWEST;
    CHECK((nums.dropped > PRODUCED) == drops);
    CHECK((nums.rejected > PRODUCED) == (policy == ALDIS_REJECT || policy == ALDIS_UNBOUNDED));
}

TEST_VIRTUAL(reject_stays_within)
{
    flood_by(f, ALDIS_REJECT);
}
TEST_VIRTUAL(drop_newest_stays_within)
{
    flood_by(f, ALDIS_DROP_NEWEST);
}
TEST_VIRTUAL(drop_oldest_stays_within)
{
    flood_by(f, ALDIS_DROP_OLDEST);
}
TEST_VIRTUAL(unbounded_stays_within)
{
    flood_by(f, ALDIS_UNBOUNDED);
}
TEST_VIRTUAL(wait_stays_within)
{
    flood_by(f, ALDIS_WAIT);
}
/* All are of one type and lane, and this kind has no key: each stands for the one before. */
TEST_VIRTUAL(keep_newest_stays_within)
{
    flood_by(f, ALDIS_KEEP_NEWEST);
}

/* ------------------------------------------------------------------ other shapes of it */

static aldis_err produce_raw(struct puppet *self, aldis_ctx *ctx)
{
    static const unsigned char bytes[60000];
    aldis_id to = {self->memory[0]};
    /* Lengths that vary, some beyond what pools hold. */
    for (int i = 0; i < PER_TICK; i++)
        if (aldis_ctx_send_raw(ctx, to, &raw_type, bytes,
                               (size_t)aldis_random_below(ctx, 1000) * (i % 4 == 0 ? 60 : 1)) ==
            ALDIS_EFULL)
            self->memory[1]++;
    if ((uint64_t)aldis_now(ctx) >= self->memory[2])
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    return ALDIS_OK;
}

TEST_VIRTUAL(lengths_that_vary_are_estimated)
{
    fixture_open(f, &(aldis_system_opts){.memory_max = 2 * BUDGET});
    puppet_ref server = fixture_spawn(f, &(struct script){.raw = serve_raw},
                                      &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
    puppet_ref producer = fixture_spawn(f, &(struct script){.tick = produce_raw}, NULL);
    fixture_tell(f, producer, begin, (struct act){.id = server.id, .a = 10});
    CHECK_OK(aldis_system_run(f->system, 11 * ALDIS_SECOND, NULL));
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t peak = stats.memory_peak_bytes, refusals = stats.memory_refusals;
    aldis_stats_fini(&stats);
    CHECK(refusals > 1000);
    CHECK(peak <= 2 * BUDGET);
    CHECK(fixture_counts(f, "raw").queued > 50);
}

/* Three that flood three: each gets the same, and what is free is as much again. */
TEST_VIRTUAL(shares_are_fair)
{
    enum { HOGS = 3 };
    puppet_ref servers[HOGS];
    fixture_open(f, &(aldis_system_opts){.memory_max = BUDGET});
    for (int i = 0; i < HOGS; i++) {
        servers[i] = fixture_spawn(f, &(struct script){.num = serve},
                                   &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
        puppet_ref producer = fixture_spawn(f, &(struct script){.tick = produce}, NULL);
        fixture_tell(f, producer, begin, (struct act){.id = servers[i].id, .a = 10});
    }
    CHECK_OK(aldis_system_run(f->system, 5 * ALDIS_SECOND, NULL));
    uint64_t least = UINT64_MAX, most = 0;
    for (int i = 0; i < HOGS; i++) {
        uint64_t depth = fixture_status(f, servers[i].id).depth_msgs;
        least = depth < least ? depth : least;
        most = depth > most ? depth : most;
    }
    /* A quarter of 15/16 of the budget, at 96 bytes a message in the estimate. */
    CHECK(least > BUDGET / 4 / 96 * 8 / 10);
    CHECK(most < BUDGET / 4 / 64);
    CHECK(most - least <= most / 20);
}

/* An actor that cannot be paid for is not made; one that ends makes room. */
TEST_VIRTUAL(actors_count_too)
{
    fixture_open(f, &(aldis_system_opts){.memory_max = BUDGET});
    enum { ENDED = 1000 };
    puppet_ref last[ENDED] = {{.id = {0}}};
    aldis_err err;
    uint64_t made = 0;
    do {
        puppet_ref ref;
        err = aldis_spawn(f->system, puppet, &ref, NULL);
        if (err == ALDIS_OK) {
            last[made++ % ENDED] = ref;
        }
    } while (err == ALDIS_OK);
    CHECK_INT(err, ALDIS_ENOMEM);
    CHECK(strstr(aldis_error_last()->text, "memory_max") != NULL);
    CHECK(made > BUDGET / 1024 && made < BUDGET / 136);
    fixture_settle(f);
    for (int i = 0; i < ENDED; i++)
        CHECK_OK(aldis_stop(f->system, last[i].id));
    fixture_settle(f);
    CHECK_OK(aldis_spawn(f->system, puppet, &last[0], NULL));
}

TEST(the_budget_is_checked)
{
    aldis_system *system = NULL;
    CHECK_ERR(aldis_system_create(&(aldis_system_opts){.memory_max = BUDGET - 1}, &system),
              ALDIS_EINVAL);
    CHECK(strstr(aldis_error_last()->text, "memory_max is 4194303") != NULL);
}

/* ------------------------------------------------------------------ any number of workers */

static uint64_t print_of(struct fixture *f, uint32_t workers)
{
    f->workers = workers;
    aldis__window_test = (struct aldis__window_test){.share_min = 2};
    aldis_stats stats = flood(f, (aldis_mailbox_opts){.policy = ALDIS_UNBOUNDED}, 8);
    uint64_t print = aldis_system_run_print(f->system);
    print = print * 31 + aldis_stats_type(&stats, "num")->rejected;
    aldis_stats_fini(&stats);
    aldis__window_test = (struct aldis__window_test){0};
    aldis_system_destroy(f->system);
    f->system = NULL;
    return print;
}

static void each_number_of_workers(struct fixture *f)
{
    uint64_t print = print_of(f, 1);
    CHECK_UINT(print_of(f, 2), print);
    CHECK_UINT(print_of(f, 4), print);
}

TEST(the_same_is_refused_on_any_number_of_workers)
{
    fixture_case(ALDIS_CLOCK_VIRTUAL, 1, each_number_of_workers);
}

/* ------------------------------------------------------------------ live */

static aldis_err pour(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_err err = aldis_ctx_send_raw(ctx, act->id, &num_type, &i, sizeof i);
        if (err != ALDIS_OK && err != ALDIS_ENOMEM)
            EXPECT_UINT(err, ALDIS_EFULL);
    }
    return ALDIS_OK;
}

/* 300,000 messages to one that stands still; all that was taken is handled when it goes on. */
TEST_LIVE(live_it_stays_within)
{
    fixture_open(f, &(aldis_system_opts){.memory_max = 2 * BUDGET});
    puppet_ref server = fixture_spawn(f, &(struct script){.tag = 1},
                                      &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
    puppet_ref producer = fixture_spawn(f, &(struct script){.tag = 2}, NULL);
    CHECK_OK(aldis_pause(f->system, server.id));
    fixture_tell(f, producer, pour, (struct act){.id = server.id, .a = 300000});
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t peak = stats.memory_peak_bytes;
    aldis_stats_fini(&stats);
    CHECK(peak <= 2 * BUDGET);
    CHECK(fixture_counts(f, "num").rejected > 100000);
    CHECK(fixture_counts(f, "num").queued > 10000);
    CHECK_OK(aldis_resume(f->system, server.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").queued, 0);
}

/* ------------------------------------------------------------------ what the machine says */

static uint64_t peak_rss(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static aldis_err sink_on_num(struct puppet *self, const num_payload *value, aldis_ctx *ctx)
{
    return serve(self, *value, ctx);
}
#define SINK_PROTOCOL(X, kind) X(kind, num)
ALDIS_PROTOCOL(sink, SINK_PROTOCOL);
ALDIS_BEHAVIOUR(sink, struct puppet, SINK_PROTOCOL, .mailbox = {.policy = ALDIS_UNBOUNDED});

/* How much the process grows by a flood; in a child, whose peak is its own. */
static void flood_here(uint64_t budget, int out)
{
    uint64_t before = peak_rss();
    aldis_system *system;
    sink_ref sink;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .memory_max = budget};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, sink, &sink, NULL) != ALDIS_OK)
        _exit(1);
    for (int second = 0; second < SECONDS; second++) {
        for (uint64_t i = 0; i < PRODUCED; i++)
            (void)aldis_send_copy(system, sink, num, &i);
        if (aldis_system_run(system, (second + 1) * ALDIS_SECOND, NULL) != ALDIS_OK)
            _exit(1);
    }
    uint64_t grown = peak_rss() - before;
    _exit(write(out, &grown, sizeof grown) == sizeof grown ? 0 : 1);
}

static uint64_t growth(uint64_t budget)
{
    int ends[2], status;
    uint64_t grown = 0;
    CHECK_INT(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        flood_here(budget, ends[1]);
    close(ends[1]);
    CHECK_INT(read(ends[0], &grown, sizeof grown), sizeof grown);
    close(ends[0]);
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    return grown;
}

TEST(the_process_stays_within)
{
    if (SANITIZED)
        SKIP("the sanitizers' own memory counts, too");
    uint64_t bounded = growth(4 * BUDGET), unbounded = growth(0);
    if (bounded > 4 * BUDGET)
        test_fail(__FILE__, __LINE__, "grew by %llu bytes, budget %u", (unsigned long long)bounded,
                  4 * BUDGET);
    CHECK(unbounded > 2 * (uint64_t)(4 * BUDGET)); /* it would have been that much */
}
