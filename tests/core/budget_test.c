// SPDX-License-Identifier: Apache-2.0
/* budget_test.c: handlers that run too long are named while they run, and fail where that is the
 * policy. What they wait for is the watch's own line in the log, so no time is guessed. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic(uint32_t) reports;
static _Atomic(bool) named;

static void on_line(void *arg, aldis_log_level level, const char *line)
{
    (void)arg;
    (void)level;
    if (!strstr(line, "over its budget"))
        return;
    if (strstr(line, "(slow)") && strstr(line, "handler of go "))
        atomic_store(&named, true);
    atomic_fetch_add(&reports, 1);
}

struct slow {
    uint64_t nums;
};
ALDIS_SIGNAL(go);
#define SLOW_PROTOCOL(X, kind) X(kind, go) X(kind, num)
ALDIS_PROTOCOL(slow, SLOW_PROTOCOL);

static aldis_err slow_on_go(struct slow *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    uint32_t before = atomic_load(&reports);
    while (atomic_load(&reports) == before)
        ;
    /* The verdict is written right after the line. */
    return ALDIS_OK;
}

static aldis_err slow_on_num(struct slow *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)value;
    (void)ctx;
    self->nums++;
    return ALDIS_OK;
}

static uint64_t slow_digest(const void *state)
{
    return ((const struct slow *)state)->nums;
}
ALDIS_BEHAVIOUR(slow, struct slow, SLOW_PROTOCOL, .digest = slow_digest,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE},
                .budget = {.handler_ns = ALDIS_MS, .is_failure = true});

static uint64_t over_budget(struct fixture *f)
{
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    uint64_t count = stats.over_budget;
    aldis_stats_fini(&stats);
    return count;
}

TEST_EACH(a_handler_over_its_budget_is_named_while_it_runs)
{
    aldis_log_set(on_line, NULL, ALDIS_LOG_WARN);
    atomic_store(&named, false);
    fixture_open(f, NULL);
    slow_ref p;
    CHECK_OK(aldis_spawn(f->system, slow, &p, NULL));
    CHECK_OK(aldis_signal(f->system, p, go));
    CHECK_OK(aldis_send(f->system, p, num, 1));
    fixture_settle(f);
    CHECK(atomic_load(&named));
    CHECK(over_budget(f) >= 1);
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
    aldis_status status = fixture_status(f, p.id);
    /* In virtual time wall time decides nothing. */
    CHECK_UINT(status.restarts, f->clock == ALDIS_CLOCK_LIVE ? 1 : 0);
    CHECK_UINT(fixture_counts(f, "go").dead, f->clock == ALDIS_CLOCK_LIVE ? 1 : 0);
    aldis_log_set(NULL, NULL, ALDIS_LOG_ERROR);
}

TEST_EACH(a_budget_of_the_system_only_reports_by_default)
{
    aldis_log_set(on_line, NULL, ALDIS_LOG_WARN);
    fixture_open(f, &(aldis_system_opts){.budget = {.handler_ns = 60 * ALDIS_SECOND}});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    for (uint64_t i = 0; i < 100; i++)
        CHECK_OK(aldis_send(f->system, p, num, i));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 100);
    CHECK_UINT(over_budget(f), 0);
    aldis_log_set(NULL, NULL, ALDIS_LOG_ERROR);
}

TEST(a_budget_too_short_to_watch_is_refused)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, 1, NULL};
    fixture_open(&f, &(aldis_system_opts){.budget = {.handler_ns = 10}});
    puppet_ref p;
    CHECK_ERR(aldis_spawn(f.system, puppet, &p, NULL), ALDIS_EINVAL);
    fixture_close(&f);
}
