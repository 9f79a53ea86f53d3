// SPDX-License-Identifier: Apache-2.0
/* grades_test.c: what each grade of delivery promises, over a link that loses a fifth of all
 * messages, doubles a fifth and delays a third, to a receiver that crashes at every thousandth. */
#include "harness.h"
#include <aldis/aldis.h>

#include <stdlib.h>
#include <string.h>

enum { MANY = 100000, AT_ONCE = 500 };

struct grain {
    uint64_t number;
};
ALDIS_MESSAGE(grain, struct grain);
ALDIS_SIGNAL(pour);

#define SILO_PROTOCOL(X, kind) X(kind, grain)
#define MILL_PROTOCOL(X, kind) X(kind, pour)
#define FUNNEL_PROTOCOL(X, kind) X(kind, pour) X(kind, aldis_delivered)
ALDIS_PROTOCOL(silo, SILO_PROTOCOL);
ALDIS_PROTOCOL(mill, MILL_PROTOCOL);
ALDIS_PROTOCOL(funnel, FUNNEL_PROTOCOL);

/* ------------------------------------------------------------------ the receiver */

struct silo {
    struct {
        uint64_t total;
    } kept;
};

static uint32_t times[MANY]; /* handled, written by the one silo */
static uint64_t kept_total, silo_starts;

static aldis_err silo_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state, (void)arg, (void)ctx;
    silo_starts++;
    return ALDIS_OK;
}

static void silo_stop(void *state, aldis_ctx *ctx)
{
    const struct silo *self = state;
    (void)ctx;
    kept_total = self->kept.total;
}

static aldis_err silo_on_grain(struct silo *self, const struct grain *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->kept.total++;
    times[msg->number]++;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(silo, struct silo, SILO_PROTOCOL, .on_start = silo_start, .on_stop = silo_stop,
                .durable = ALDIS_DURABLE(struct silo, kept),
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

static silo_ref the_silo;

static aldis_err mill_on_pour(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg;
    return aldis_spawn(ctx, silo, &the_silo, NULL);
}
ALDIS_BEHAVIOUR(mill, uint64_t, MILL_PROTOCOL,
                .supervisor = {.intensity = 1000, .backoff_ns = ALDIS_NO_DELAY});

/* ------------------------------------------------------------------ the sender */

struct funnel {
    aldis_reliable_opts opts;
    uint64_t next, done;
};

static uint64_t confirmed, failed;

static aldis_err pour_more(struct funnel *self, aldis_ctx *ctx)
{
    while (self->next < MANY && self->next - self->done < AT_ONCE) {
        struct grain grain = {self->next};
        aldis_err err = aldis_send_reliable_raw(ctx, the_silo.id, &grain_type, &grain, sizeof grain,
                                                &self->opts, NULL);
        if (err == ALDIS_EAGAIN) /* its stream is full: the next confirmation makes room */
            return ALDIS_OK;
        if (err != ALDIS_OK)
            return err;
        self->next++;
    }
    return ALDIS_OK;
}

static aldis_err funnel_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct funnel *)state)->opts = *(const aldis_reliable_opts *)arg;
    return ALDIS_OK;
}

static aldis_err funnel_on_pour(struct funnel *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return pour_more(self, ctx);
}

static aldis_err funnel_on_aldis_delivered(struct funnel *self, const aldis_delivered *msg,
                                           aldis_ctx *ctx)
{
    self->done++;
    confirmed += msg->result == ALDIS_OK;
    failed += msg->result != ALDIS_OK;
    return pour_more(self, ctx);
}
ALDIS_BEHAVIOUR(funnel, struct funnel, FUNNEL_PROTOCOL, .on_start = funnel_start);

/* ------------------------------------------------------------------ a run */

static const aldis_fault_rule fire[] = {
    {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
    {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.2},
    {.kind = ALDIS_FAULT_DELAY, .chance = 0.3, .max_ns = 30 * ALDIS_MS},
    {.kind = ALDIS_FAULT_CRASH, .every = 1000, .to = "silo"},
};

static uint64_t run(aldis_reliable_opts opts, uint32_t workers)
{
    aldis_system *system;
    mill_ref mill;
    funnel_ref funnel;
    aldis_audit audit;
    memset(times, 0, sizeof times);
    kept_total = confirmed = failed = silo_starts = 0;
    opts.timeout_ns = 100 * ALDIS_MS;
    opts.timeout_max_ns = 400 * ALDIS_MS;
    opts.max_retries = opts.grade == ALDIS_AT_MOST_ONCE ? 0 : 1000000;
    aldis_system_opts system_opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = workers, .seed = 3};
    aldis_fault_plan plan = {.rules = fire, .rule_count = sizeof fire / sizeof fire[0]};
    CHECK_OK(aldis_system_create(&system_opts, &system));
    CHECK_OK(aldis_spawn(system, mill, &mill, NULL));
    CHECK_OK(aldis_spawn(system, funnel, &funnel,
                         &(aldis_spawn_opts){.arg = &opts, .arg_size = sizeof opts}));
    CHECK_OK(aldis_signal(system, mill, pour));
    CHECK_OK(aldis_system_run(system, ALDIS_SECOND, NULL));
    CHECK_OK(aldis_system_inject(system, &plan));
    CHECK_OK(aldis_signal(system, funnel, pour));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, NULL));
    uint64_t counts[ALDIS_FAULT_KIND_COUNT];
    CHECK_OK(aldis_system_fault_counts(system, counts));
    CHECK(counts[ALDIS_FAULT_LOSS] > MANY / 10 && counts[ALDIS_FAULT_DUPLICATE] > MANY / 10);
    CHECK(counts[ALDIS_FAULT_CRASH] >= MANY / 2000);
    CHECK_UINT(silo_starts, counts[ALDIS_FAULT_CRASH] + 1);
    CHECK_UINT(confirmed + failed, MANY); /* exactly one confirmation each */
    uint64_t print = aldis_system_run_print(system);
    CHECK_OK(aldis_stop(system, the_silo.id));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, NULL));
    CHECK_OK(aldis_system_audit(system, &audit));
    CHECK_STR(audit.text, "balanced");
    aldis_system_destroy(system);
    return print;
}

static uint64_t count_times(uint32_t wanted_min)
{
    uint64_t count = 0;
    for (size_t i = 0; i < MANY; i++)
        count += times[i] >= wanted_min;
    return count;
}

TEST(grades_at_most_once_is_never_twice)
{
    run((aldis_reliable_opts){.grade = ALDIS_AT_MOST_ONCE}, 1);
    CHECK_UINT(count_times(2), 0);
    CHECK(count_times(1) > MANY / 2); /* and most arrive */
    CHECK(count_times(1) < MANY);
}

TEST(grades_at_least_once_loses_none)
{
    run((aldis_reliable_opts){.grade = ALDIS_AT_LEAST_ONCE}, 1);
    CHECK_UINT(count_times(1), MANY);
    CHECK_UINT(confirmed, MANY);
    CHECK(count_times(2) > 0); /* which the next grade prevents */
}

TEST(grades_effect_once_counts_exactly)
{
    uint64_t first = run((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}, 1);
    CHECK_UINT(kept_total, MANY);
    CHECK_UINT(confirmed, MANY);
    CHECK_UINT(run((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE}, 2), first);
    CHECK_UINT(kept_total, MANY);
}

TEST(grades_effect_once_counts_exactly_in_order)
{
    run((aldis_reliable_opts){.grade = ALDIS_EFFECT_ONCE, .ordered = true}, 1);
    CHECK_UINT(kept_total, MANY);
    CHECK_UINT(confirmed, MANY);
}
