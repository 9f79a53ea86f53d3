// SPDX-License-Identifier: Apache-2.0
/* grades_test.c: the grades under a plan of faults: a fifth of all messages lost, a fifth doubled,
 * many late, and a crash of the receiver for each 1000 messages that it handles. */
#include "harness.h"
#include <aldis/aldis.h>

#include <string.h>

enum { MESSAGES = 100000, UNDER_WAY = 512 };

struct item {
    uint64_t number;
};
ALDIS_MESSAGE(item, struct item);
ALDIS_SIGNAL(begin);

#define SINK_PROTOCOL(X, kind) X(kind, item)
#define SOURCE_PROTOCOL(X, kind) X(kind, begin) X(kind, aldis_delivered)
#define KEEPER_PROTOCOL(X, kind) X(kind, begin)
ALDIS_PROTOCOL(sink, SINK_PROTOCOL);
ALDIS_PROTOCOL(source, SOURCE_PROTOCOL);
ALDIS_PROTOCOL(keeper, KEEPER_PROTOCOL);

/* What the run has seen; one sink, one source. */
static struct {
    aldis_reliable_opts opts;
    sink_ref sink;
    uint64_t sent, told, good, starts;
    uint64_t total;               /* of the sink's durable state */
    uint32_t times[MESSAGES + 1]; /* that each was handled */
    uint64_t unordered, last;
} run;

struct sink {
    struct {
        uint64_t total;
    } kept;
};

static aldis_err sink_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    (void)ctx;
    run.starts++;
    return ALDIS_OK;
}

static void sink_stop(void *state, aldis_ctx *ctx)
{
    (void)ctx;
    run.total = ((struct sink *)state)->kept.total;
}

static aldis_err sink_on_item(struct sink *self, const struct item *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->kept.total++;
    run.times[msg->number]++;
    run.unordered += msg->number < run.last;
    run.last = msg->number;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(sink, struct sink, SINK_PROTOCOL, .on_start = sink_start, .on_stop = sink_stop,
                .durable = ALDIS_DURABLE(struct sink, kept),
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

static aldis_err keeper_on_begin(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return aldis_spawn(ctx, sink, &run.sink,
                       &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
}
ALDIS_BEHAVIOUR(keeper, uint64_t, KEEPER_PROTOCOL,
                .supervisor = {.intensity = 1000, .period_ns = ALDIS_SECOND});

static aldis_err send_some(aldis_ctx *ctx)
{
    while (run.sent < MESSAGES && run.sent - run.told < UNDER_WAY) {
        aldis_err err =
            aldis_send_reliable(ctx, run.sink, item, NULL, &run.opts, .number = run.sent + 1);
        if (err == ALDIS_EAGAIN)
            return ALDIS_OK; /* the stream's window: the first of it is still out */
        if (err != ALDIS_OK && run.opts.grade != ALDIS_AT_MOST_ONCE)
            return err;
        run.sent++;
        run.told += err != ALDIS_OK;
    }
    return ALDIS_OK;
}

static aldis_err source_on_begin(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    return send_some(ctx);
}

static aldis_err source_on_aldis_delivered(uint64_t *self, const aldis_delivered *msg,
                                           aldis_ctx *ctx)
{
    (void)self;
    run.told++;
    run.good += msg->result == ALDIS_OK;
    return send_some(ctx);
}
ALDIS_BEHAVIOUR(source, uint64_t, SOURCE_PROTOCOL);

static void inject(aldis_system *system)
{
    const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.3},
        {.kind = ALDIS_FAULT_CRASH, .every = 1000, .to = "sink"},
    };
    aldis_fault_plan plan = {.rules = rules, .rule_count = sizeof rules / sizeof rules[0]};
    CHECK_ERR(aldis_system_inject(system, &plan), ALDIS_OK);
}

/* All of it, until nothing is left to happen: the run print. */
static uint64_t deliver(aldis_reliable_opts opts, uint32_t workers)
{
    aldis_system *system = NULL;
    aldis_system_opts system_opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = workers, .shards = 8, .seed = 11};
    memset(&run, 0, sizeof run);
    run.opts = opts;
    run.opts.timeout_ns = 30 * ALDIS_MS;
    run.opts.timeout_max_ns = 120 * ALDIS_MS;
    run.opts.max_attempts = 1000000;
    CHECK_ERR(aldis_system_create(&system_opts, &system), ALDIS_OK);
    inject(system);
    keeper_ref keeper;
    source_ref source;
    CHECK_ERR(aldis_spawn(system, keeper, &keeper, NULL), ALDIS_OK);
    CHECK_ERR(aldis_spawn(system, source, &source, NULL), ALDIS_OK);
    CHECK_ERR(aldis_signal(system, keeper, begin), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 10 * ALDIS_MS, NULL), ALDIS_OK);
    CHECK_ERR(aldis_signal(system, source, begin), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, ALDIS_HOUR, NULL), ALDIS_OK);
    uint64_t print = aldis_system_run_print(system);
    uint64_t counts[ALDIS_FAULT_KIND_COUNT];
    CHECK_ERR(aldis_system_fault_counts(system, counts), ALDIS_OK);
    CHECK(counts[ALDIS_FAULT_LOSS] > MESSAGES / 10 &&
          counts[ALDIS_FAULT_DUPLICATE] > MESSAGES / 10);
    CHECK(counts[ALDIS_FAULT_CRASH] >= 50 && run.starts > 50);
    aldis_audit audit;
    CHECK_ERR(aldis_system_audit(system, &audit), ALDIS_OK);
    CHECK(audit.balanced);
    CHECK_ERR(aldis_system_inject(system, NULL), ALDIS_OK);
    CHECK_ERR(aldis_stop(system, run.sink.id), ALDIS_OK);
    CHECK_ERR(aldis_system_run(system, 2 * ALDIS_HOUR, NULL), ALDIS_OK);
    aldis_system_destroy(system);
    CHECK_UINT(run.sent, MESSAGES);
    CHECK_UINT(run.told, MESSAGES); /* each is confirmed once */
    return print;
}

static uint64_t handled_more_than(unsigned times)
{
    uint64_t count = 0;
    for (uint64_t i = 1; i <= MESSAGES; i++)
        count += run.times[i] > times;
    return count;
}

TEST(at_most_once_never_delivers_twice)
{
    deliver((aldis_reliable_opts){.grade = ALDIS_AT_MOST_ONCE}, 1);
    CHECK_UINT(handled_more_than(1), 0);
    CHECK(handled_more_than(0) > MESSAGES / 2);
}

TEST(at_least_once_loses_none)
{
    deliver((aldis_reliable_opts){.grade = ALDIS_AT_LEAST_ONCE}, 2);
    CHECK_UINT(run.good, MESSAGES);
    CHECK_UINT(handled_more_than(0), MESSAGES);
    CHECK(handled_more_than(1) > 0); /* it is not the next grade */
}

TEST(effect_once_counts_exactly)
{
    deliver((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}, 2);
    CHECK_UINT(run.good, MESSAGES);
    CHECK_UINT(run.total, MESSAGES);
}

TEST(effect_once_in_order_counts_exactly_in_order)
{
    uint64_t print = deliver((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true}, 1);
    CHECK_UINT(run.good, MESSAGES);
    CHECK_UINT(run.total, MESSAGES);
    CHECK_UINT(run.unordered, 0);
    CHECK_UINT(deliver((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true}, 4),
               print);
}
