// SPDX-License-Identifier: Apache-2.0
/* print_test.c: the run print: equal for equal runs on any number of workers and in any pieces, and
 * different for every other run. Random streams too. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A town of puppets that write to each other by chance, grow, die, wait, are busy and full. */
enum { PEOPLE = 600, STEPS = 25 };

struct town {
    puppet_ref people[PEOPLE];
};
static struct town town;

static aldis_err live_on(struct puppet *self, uint64_t value, aldis_ctx *ctx);
static aldis_err wake(struct puppet *self, aldis_ctx *ctx);

static void end_of_child(struct puppet *self, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)ctx;
    self->last ^= notice->child.bits << 1 | (uint64_t)notice->reason;
}

static void refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)ctx;
    self->last += notice->count * 31 + (uint64_t)notice->reason;
}

static const struct script citizen = {
    .num = live_on, .tick = wake, .child_ended = end_of_child, .undelivered = refused};

static aldis_err wake(struct puppet *self, aldis_ctx *ctx)
{
    puppet_ref to = town.people[aldis_random_below(ctx, PEOPLE)];
    if (self->count > 400)
        EXPECT_OK(aldis_timer_cancel(ctx, self->timer));
    (void)aldis_send(ctx, to, num, 2);
    return ALDIS_OK;
}

static void do_something(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    switch (aldis_random_below(ctx, 12)) {
    case 0:
        (void)aldis_busy(ctx, (aldis_ns)aldis_random_below(ctx, 3 * ALDIS_MS));
        break;
    case 1:
        if (!self->timer.bits)
            (void)aldis_timer_every(ctx, 300 * ALDIS_US, tick, &self->timer);
        break;
    case 2: {
        puppet_ref child =
            puppet_spawn(ctx, &citizen, &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
        (void)aldis_send(ctx, child, num, value / 2);
        self->memory[0] = child.id.bits;
        break;
    }
    case 3:
        if (self->memory[0])
            (void)aldis_stop(ctx, (aldis_id){self->memory[0]});
        self->memory[0] = 0;
        break;
    case 4:
        (void)aldis_send_after(ctx, (aldis_ns)aldis_random_below(ctx, ALDIS_MS), me, num,
                               value / 2);
        break;
    default:
        break;
    }
}

static aldis_err live_on(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    if (value == 0)
        return ALDIS_OK;
    puppet_ref to = town.people[aldis_random_below(ctx, PEOPLE)];
    num_payload less = value - 1;
    aldis_send_opts opts = {.delay_ns = ALDIS_MS + (aldis_ns)aldis_random_below(ctx, 4 * ALDIS_MS),
                            .lane =
                                aldis_random_below(ctx, 8) ? ALDIS_LANE_NORMAL : ALDIS_LANE_HIGH};
    (void)aldis_send(ctx, to, num, less);
    (void)aldis_send_with(ctx, town.people[aldis_random_below(ctx, PEOPLE)], num, &(num_payload){0},
                          &opts);
    do_something(self, value, ctx);
    return aldis_random_below(ctx, 50) ? ALDIS_OK : aldis_fail(ctx, "by chance");
}

struct course {
    uint64_t seed;
    uint32_t workers, shards;
    aldis_ns step_ns; /* run in pieces of it; 0: at once */
    uint64_t extra;   /* one more message at the start */
    uint32_t capacity;
    uint64_t windows; /* out */
    uint64_t handled; /* out */
};

static uint64_t run_town(struct course *c)
{
    static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_OLDEST};
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, c->workers, NULL};
    fixture_open(&f, &(aldis_system_opts){.seed = c->seed, .shards = c->shards});
    for (uint32_t i = 0; i < PEOPLE; i++)
        town.people[i] = fixture_spawn(&f, &citizen,
                                       &(aldis_spawn_opts){.mailbox = {.capacity_msgs = c->capacity,
                                                                       .policy = policies[i % 3]}});
    for (uint32_t i = 0; i < PEOPLE; i++)
        CHECK_OK(aldis_send(f.system, town.people[i], num, STEPS));
    for (uint64_t i = 0; i < c->extra; i++)
        CHECK_OK(aldis_send(f.system, town.people[0], num, 0));
    aldis_run_end end = ALDIS_RUN_UNTIL;
    aldis_ns until_ns = ALDIS_SECOND;
    if (c->step_ns)
        for (aldis_ns t = c->step_ns; t < until_ns; t += c->step_ns)
            CHECK_OK(aldis_system_run(f.system, t, &end));
    CHECK_OK(aldis_system_run(f.system, until_ns, &end));
    uint64_t print = aldis_system_run_print(f.system);
    c->windows = aldis_system_windows(f.system);
    c->handled = fixture_counts(&f, "num").handled;
    fixture_close(&f);
    CHECK(print != 0);
    CHECK(c->handled > 10000);
    return print;
}

TEST(the_print_is_the_same_for_any_number_of_workers)
{
    static const uint32_t workers[] = {1, 2, 3, 4, 8};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t expected = 0, handled = 0, windows = 0;
        for (size_t i = 0; i < 5; i++) {
            struct course c = {.seed = seed, .workers = workers[i], .shards = 16, .capacity = 8};
            uint64_t print = run_town(&c);
            if (i == 0) {
                expected = print;
                handled = c.handled;
                windows = c.windows;
            }
            CHECK_UINT(print, expected);
            CHECK_UINT(c.handled, handled);
            CHECK_UINT(c.windows, windows);
        }
    }
}

TEST(another_run_has_another_print)
{
    struct course base = {.seed = 1, .workers = 1, .shards = 16, .capacity = 8};
    struct course seed = base, shards = base, extra = base, again = base;
    seed.seed = 2;
    shards.shards = 15;
    extra.extra = 1;
    uint64_t print = run_town(&base);
    CHECK(run_town(&seed) != print);
    CHECK(run_town(&shards) != print);
    CHECK(run_town(&extra) != print);
    CHECK_UINT(run_town(&again), print);
}

/* Cut between windows the run is the same run. */
TEST(a_run_in_whole_windows_has_the_same_print)
{
    static const aldis_ns steps[] = {ALDIS_MS, 7 * ALDIS_MS, 100 * ALDIS_MS};
    struct course whole = {.seed = 5, .workers = 1, .shards = 16, .capacity = 8};
    uint64_t print = run_town(&whole);
    for (size_t i = 0; i < 3; i++)
        for (uint32_t workers = 1; workers <= 3; workers += 2) {
            struct course c = {
                .seed = 5, .workers = workers, .shards = 16, .capacity = 8, .step_ns = steps[i]};
            CHECK_UINT(run_town(&c), print);
            CHECK_UINT(c.handled, whole.handled);
        }
}

/* Every kind of wide window: many to one, one to many, all at one instant. */
static aldis_err scatter(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    for (uint64_t i = 0; i < act->a; i++)
        EXPECT_OK(aldis_send(ctx, town.people[act->b ? i % act->b : i % PEOPLE], num, 0));
    return ALDIS_OK;
}

static uint64_t run_wide(uint32_t workers, uint64_t targets)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
    fixture_open(&f, &(aldis_system_opts){.shards = 8});
    for (uint32_t i = 0; i < PEOPLE; i++)
        town.people[i] =
            fixture_spawn(&f, NULL, &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_UNBOUNDED}});
    for (uint32_t i = 0; i < 100; i++)
        fixture_tell(&f, town.people[i * 5], scatter, (struct act){.a = 700, .b = targets});
    fixture_settle(&f);
    CHECK_UINT(fixture_counts(&f, "num").handled, 100 * 700);
    uint64_t print = aldis_system_run_print(f.system);
    fixture_close(&f);
    return print;
}

TEST(wide_windows_are_the_same_on_any_number_of_workers)
{
    static const uint64_t targets[] = {1, 2, 50, 0};
    for (size_t t = 0; t < 4; t++) {
        uint64_t print = run_wide(1, targets[t]);
        CHECK_UINT(run_wide(2, targets[t]), print);
        CHECK_UINT(run_wide(4, targets[t]), print);
    }
}

TEST(a_live_system_has_no_print)
{
    struct fixture f = {ALDIS_CLOCK_LIVE, 1, NULL};
    fixture_open(&f, NULL);
    puppet_ref p = fixture_spawn(&f, NULL, NULL);
    CHECK_OK(aldis_send(f.system, p, num, 1));
    fixture_settle(&f);
    CHECK_UINT(aldis_system_run_print(f.system), 0);
    CHECK_UINT(aldis_system_windows(f.system), 0);
    fixture_close(&f);
}

/* ------------------------------------------------------------------ what the print sees */

struct peek {
    uint64_t payload, digest, time, sender;
};

static aldis_err peek_start(struct puppet *self, aldis_ctx *ctx)
{
    (void)ctx;
    self->last = self->script.tag; /* goes into the digest */
    return ALDIS_OK;
}

static aldis_err relay(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    EXPECT_OK(aldis_send(ctx, to, num, act->a));
    return ALDIS_OK;
}

static uint64_t print_of(struct peek peek)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, 1, NULL};
    fixture_open(&f, NULL);
    puppet_ref q =
        fixture_spawn(&f, &(struct script){.start = peek_start, .tag = peek.digest}, NULL);
    puppet_ref p[2] = {fixture_spawn(&f, NULL, NULL), fixture_spawn(&f, NULL, NULL)};
    fixture_tell(&f, p[peek.sender], relay, (struct act){.id = q.id, .a = peek.payload});
    CHECK_OK(aldis_signal_after(f.system, (aldis_ns)peek.time, q, tick));
    fixture_settle(&f);
    uint64_t print = aldis_system_run_print(f.system);
    fixture_close(&f);
    return print;
}

TEST(the_print_sees_payload_state_time_and_sender)
{
    uint64_t print = print_of((struct peek){0});
    CHECK_UINT(print_of((struct peek){0}), print);
    CHECK(print_of((struct peek){.payload = 1}) != print);
    CHECK(print_of((struct peek){.payload = UINT64_C(1) << 63}) != print);
    CHECK(print_of((struct peek){.digest = 1}) != print);
    CHECK(print_of((struct peek){.time = 1}) != print);
    CHECK(print_of((struct peek){.sender = 1}) != print);
}

/* ------------------------------------------------------------------ random numbers */

enum { DRAWS = 64 };

struct stream {
    uint64_t draws[DRAWS];
};

static aldis_err draw(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct stream *stream = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        stream->draws[self->memory[0]++] = aldis_random(ctx);
    return ALDIS_OK;
}

/* Three puppets, the second draws in pieces. */
static void draw_streams(struct fixture *f, uint64_t seed, struct stream *streams)
{
    fixture_open(f, &(aldis_system_opts){.seed = seed});
    for (uint32_t i = 0; i < 3; i++) {
        puppet_ref p = fixture_spawn(f, &(struct script){.user = &streams[i]}, NULL);
        for (uint64_t left = DRAWS; left > 0;) {
            uint64_t n = i == 1 ? (left < 5 ? left : 5) : left;
            fixture_tell(f, p, draw, (struct act){.a = n});
            left -= n;
        }
    }
    fixture_settle(f);
    fixture_close(f);
}

TEST_EACH(random_streams_depend_on_seed_and_actor_only)
{
    static struct stream first[3], second[3], other[3], live[3];
    draw_streams(f, 42, first);
    draw_streams(f, 42, second);
    draw_streams(f, 43, other);
    struct fixture one = {ALDIS_CLOCK_LIVE, 1, NULL};
    draw_streams(&one, 42, live);
    CHECK(memcmp(first, second, sizeof first) == 0);
    CHECK(memcmp(first, live, sizeof first) == 0);
    for (size_t i = 0; i < 3; i++) {
        CHECK(memcmp(&first[i], &other[i], sizeof first[i]) != 0);
        for (size_t k = 0; k < i; k++)
            CHECK(memcmp(&first[i], &first[k], sizeof first[i]) != 0);
        for (size_t a = 0; a < DRAWS; a++)
            for (size_t b = 0; b < a; b++)
                CHECK(first[i].draws[a] != first[i].draws[b]);
    }
}

static aldis_err draw_kinds(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    uint64_t low = 0, ones = 0;
    double sum = 0;
    for (int i = 0; i < 20000; i++) {
        double unit = aldis_random_unit(ctx);
        EXPECT(unit >= 0 && unit < 1);
        sum += unit;
        uint64_t below = aldis_random_below(ctx, 3);
        EXPECT(below < 3);
        ones += below == 1;
        low += aldis_random_below(ctx, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    }
    EXPECT(sum > 9700 && sum < 10300);
    EXPECT(ones > 6300 && ones < 7000);
    EXPECT(low > 6300 &&
           low < 7000); /* a bias would show where the bound is a large share of 2^64 */
    EXPECT_UINT(aldis_random_below(ctx, 0), 0);
    EXPECT_UINT(aldis_random_below(ctx, 1), 0);
    self->memory[1] = 1;
    return ALDIS_OK;
}

TEST_EACH(random_numbers_are_in_range_and_without_bias)
{
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, draw_kinds, (struct act){.a = 0});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "act").handled, 1);
}
