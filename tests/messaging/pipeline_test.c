// SPDX-License-Identifier: Apache-2.0
/* pipeline_test.c: results in order, credit, and items that are set aside. */
#include "core/fixture.h"

#include <stdatomic.h>

enum { ITEMS = 400 };

struct step {
    uint64_t number;
    uint64_t value;
};
ALDIS_MESSAGE(raw_item, struct step);
ALDIS_MESSAGE(half_item, struct step);
ALDIS_MESSAGE(whole_item, struct step);

static _Atomic(uint32_t) in_flight, most_in_flight, tried;
static _Atomic(bool) has_poison, kills_worker;

/* Takes a different time for each, so that parallel results come in another order. */
static aldis_err halve(const struct step *in, struct step *out, aldis_ctx *ctx)
{
    EXPECT_UINT(out->number | out->value, 0);
    if (atomic_load(&has_poison) && in->number % 10 == 3) {
        atomic_fetch_add(&tried, 1);
        out->value = 77;
        return ALDIS_EIO;
    }
    if (atomic_load(&kills_worker) && in->number == 5)
        EXPECT_OK(aldis_kill(ctx, aldis_self(ctx)));
    EXPECT_OK(aldis_busy(ctx, (aldis_ns)(1 + in->number * 7 % 5) * ALDIS_MS));
    uint32_t flying = atomic_fetch_add(&in_flight, 1) + 1;
    if (flying > atomic_load(&most_in_flight))
        atomic_store(&most_in_flight, flying);
    *out = (struct step){in->number, in->value + 1};
    return ALDIS_OK;
}
ALDIS_STAGE(halve, raw_item, half_item);

static aldis_err join(const struct step *in, struct step *out, aldis_ctx *ctx)
{
    (void)ctx;
    *out = (struct step){in->number, in->value * 2};
    return ALDIS_OK;
}
ALDIS_STAGE(join, half_item, whole_item);

/* The sink. */
struct sink {
    uint64_t count;
};
#define SINK_PROTOCOL(X, kind) X(kind, whole_item)
ALDIS_PROTOCOL(sink, SINK_PROTOCOL);
static _Atomic(bool) sink_is_slow;

static aldis_err sink_on_whole_item(struct sink *self, const struct step *msg, aldis_ctx *ctx)
{
    self->count++;
    atomic_fetch_sub(&in_flight, 1);
    EXPECT_UINT(msg->value, 2 * (msg->number + 1));
    trace_add(1, msg->number, aldis_now(ctx));
    if (atomic_load(&sink_is_slow))
        EXPECT_OK(aldis_busy(ctx, 20 * ALDIS_MS));
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(sink, struct sink, SINK_PROTOCOL);

static void reset(void)
{
    atomic_store(&in_flight, 0);
    atomic_store(&most_in_flight, 0);
    atomic_store(&tried, 0);
    atomic_store(&has_poison, false);
    atomic_store(&kills_worker, false);
    atomic_store(&sink_is_slow, false);
    trace_clear();
}

static aldis_err feed(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    halve_ref first = {.id = act->id};
    for (uint64_t i = act->a; i < act->b; i++)
        EXPECT_OK(aldis_send(ctx, first, raw_item, .number = i, .value = i));
    return ALDIS_OK;
}

static halve_ref open_row(struct fixture *f, uint32_t parallel, uint32_t credit, uint32_t tries)
{
    halve_ref first = {.id = ALDIS_NOBODY_INIT};
    sink_ref sink;
    CHECK_OK(aldis_spawn(f->system, sink, &sink, NULL));
    const aldis_stage_opts stages[] = {
        {.stage = &halve_stage, .parallel = parallel, .credit_msgs = credit, .tries = tries},
        {.stage = &join_stage, .credit_msgs = credit}};
    CHECK_OK(aldis_pipeline_spawn(f->system, halve, &first, stages, 2, sink.id));
    return first;
}

TEST_EACH(results_come_in_the_order_of_the_items)
{
    static const uint32_t parallels[] = {1, 2, 8};
    for (size_t p = 0; p < 3; p++) {
        reset();
        fixture_open(f, NULL);
        halve_ref first = open_row(f, parallels[p], 0, 0);
        fixture_tell(f, fixture_spawn(f, NULL, NULL), feed,
                     (struct act){.id = first.id, .b = ITEMS});
        fixture_settle(f);
        CHECK_UINT(trace_count(), ITEMS);
        for (uint64_t i = 0; i < ITEMS; i++)
            CHECK_UINT(trace_at(i).tag, i);
        fixture_close(f);
    }
}

TEST_EACH(credit_bounds_what_is_inside_when_the_sink_is_slow)
{
    for (uint32_t parallel = 1; parallel <= 4; parallel *= 4) {
        reset();
        atomic_store(&sink_is_slow, true);
        fixture_open(f, &(aldis_system_opts){.mailbox = {.capacity_msgs = 32}});
        halve_ref first = open_row(f, parallel, 4, 0);
        fixture_tell(f, fixture_spawn(f, NULL, NULL), feed, (struct act){.id = first.id, .b = 100});
        fixture_settle(f);
        CHECK_UINT(trace_count(), 100);
        for (uint64_t i = 0; i < 100; i++)
            CHECK_UINT(trace_at(i).tag, i);
        /* Four with the first stage, four with the second; the credit is on its way a little. */
        CHECK(atomic_load(&most_in_flight) <= 9);
        fixture_close(f);
    }
}

TEST_EACH(a_poison_item_is_set_aside_and_the_others_go_on)
{
    for (uint32_t parallel = 1; parallel <= 8; parallel *= 8) {
        reset();
        atomic_store(&has_poison, true);
        fixture_open(f, NULL);
        halve_ref first = open_row(f, parallel, 0, 3);
        fixture_tell(f, fixture_spawn(f, NULL, NULL), feed, (struct act){.id = first.id, .b = 100});
        fixture_settle(f);
        CHECK_UINT(trace_count(), 90);
        for (uint64_t i = 1; i < 90; i++)
            CHECK(trace_at(i).tag > trace_at(i - 1).tag);
        CHECK_UINT(atomic_load(&tried), 30);
        CHECK_UINT(fixture_counts(f, "raw_item").dead, 10);
        fixture_close(f);
    }
}

TEST_EACH(a_worker_that_ends_is_replaced_and_the_order_stays)
{
    reset();
    atomic_store(&kills_worker, true);
    fixture_open(f, NULL);
    halve_ref first = open_row(f, 4, 0, 0);
    fixture_tell(f, fixture_spawn(f, NULL, NULL), feed, (struct act){.id = first.id, .b = ITEMS});
    fixture_settle(f);
    /* What waited for it is set aside as dead letters. */
    CHECK_UINT(trace_count() + fixture_counts(f, "raw_item").dead, ITEMS);
    CHECK(trace_count() >= ITEMS / 2);
    for (uint64_t i = 1; i < trace_count(); i++)
        CHECK(trace_at(i).tag > trace_at(i - 1).tag);
}

TEST_EACH(who_stops_the_first_stage_stops_all)
{
    reset();
    fixture_open(f, NULL);
    halve_ref first = open_row(f, 4, 0, 0);
    fixture_tell(f, fixture_spawn(f, NULL, NULL), feed, (struct act){.id = first.id, .b = 50});
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, first.id));
    fixture_settle(f);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.active_actors, 2); /* the sink and who fed */
    aldis_stats_fini(&stats);
}

TEST(options_are_checked)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, 1, NULL};
    fixture_open(&f, NULL);
    halve_ref first;
    const aldis_stage_opts wrong[][2] = {
        {{.stage = NULL}, {.stage = &join_stage}},
        {{.stage = &halve_stage}, {.stage = &halve_stage}},
        {{.stage = &halve_stage, .parallel = 257}, {.stage = &join_stage}},
        {{.stage = &halve_stage, .tries = 1001}, {.stage = &join_stage}},
        {{.stage = &halve_stage, .parallel = 4, .credit_msgs = 3}, {.stage = &join_stage}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(aldis_pipeline_spawn(f.system, halve, &first, wrong[i], 2, aldis_nobody()),
                  ALDIS_EINVAL);
    CHECK_ERR(aldis_pipeline_spawn(f.system, halve, &first, wrong[1], 0, aldis_nobody()),
              ALDIS_EINVAL);
    CHECK_ERR(aldis_pipeline_spawn(f.system, halve, &first, wrong[1], 65, aldis_nobody()),
              ALDIS_EINVAL);
    fixture_close(&f);
}

TEST(equal_runs_on_any_workers)
{
    uint64_t print = 0;
    for (uint32_t workers = 1; workers <= 4; workers *= 2) {
        reset();
        atomic_store(&has_poison, true);
        struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
        fixture_open(&f, NULL);
        halve_ref first = open_row(&f, 8, 8, 2);
        fixture_tell(&f, fixture_spawn(&f, NULL, NULL), feed,
                     (struct act){.id = first.id, .b = ITEMS});
        fixture_settle(&f);
        CHECK_UINT(trace_count(), ITEMS - ITEMS / 10);
        uint64_t found = aldis_system_run_print(f.system);
        if (workers == 1)
            print = found;
        CHECK_UINT(found, print);
        fixture_close(&f);
    }
}
