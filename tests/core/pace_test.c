// SPDX-License-Identifier: Apache-2.0
/* pace_test.c: virtual time that follows the wall clock. No case looks at how long a thing took. */
#include "fixture.h"

#include <pthread.h>

/* Windows far enough apart in wall time that the second one never comes. */
#define NEVER_FACTOR 1e-6
#define FAST_FACTOR 1e6

/* ---- The run in a thread of its own ---- */

struct runner {
    aldis_system *system;
    pthread_t thread;
    aldis_ns until_ns;
    aldis_run_end end;
    aldis_err err;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t windows; /* under lock */
};

static void count_window(void *arg, const aldis_window *window)
{
    struct runner *runner = arg;
    pthread_mutex_lock(&runner->lock);
    runner->windows = window->index + 1;
    pthread_cond_broadcast(&runner->changed);
    pthread_mutex_unlock(&runner->lock);
}

static void *run(void *arg)
{
    struct runner *runner = arg;
    runner->err = aldis_system_run(runner->system, runner->until_ns, &runner->end);
    return NULL;
}

/* Start it, and wait until its first window has run. */
static void start(struct runner *runner, aldis_system *system, aldis_ns until_ns)
{
    *runner = (struct runner){.system = system,
                              .until_ns = until_ns,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    CHECK_OK(aldis_system_on_window(system, count_window, runner));
    CHECK_INT(pthread_create(&runner->thread, NULL, run, runner), 0);
    pthread_mutex_lock(&runner->lock);
    while (runner->windows == 0)
        pthread_cond_wait(&runner->changed, &runner->lock);
    pthread_mutex_unlock(&runner->lock);
}

static void finish(struct runner *runner, aldis_run_end expected)
{
    CHECK_INT(pthread_join(runner->thread, NULL), 0);
    CHECK_OK(runner->err);
    CHECK_INT(runner->end, expected);
    CHECK_OK(aldis_system_on_window(runner->system, NULL, NULL));
}

static void pace(aldis_system *system, double factor, uint32_t inputs_max)
{
    aldis_pace_opts opts = {.factor = factor, .inputs_max = inputs_max};
    CHECK_OK(aldis_system_pace(system, &opts));
}

/* ---- Cases ---- */

static aldis_err count_down(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref me = {.id = aldis_self(ctx)};
    self->memory[0] = (uint64_t)aldis_now(ctx);
    aldis_ns delay_ns = (aldis_ns)aldis_random_below(ctx, 3000) * ALDIS_US;
    return value == 0 ? ALDIS_OK : aldis_send_after(ctx, delay_ns, me, num, value - 1);
}

static uint64_t print_of_run(struct fixture *f, bool paced, aldis_pace_report *out_report)
{
    fixture_open(f, &(aldis_system_opts){.seed = 3});
    for (int i = 0; i < 10; i++) {
        puppet_ref puppet = fixture_spawn(f, &(struct script){.num = count_down}, NULL);
        CHECK_OK(aldis_send(f->system, puppet, num, 50));
    }
    if (paced)
        pace(f->system, 100, 0);
    aldis_run_end end;
    for (aldis_ns until_ns = 10 * ALDIS_MS; until_ns <= 50 * ALDIS_MS; until_ns += 10 * ALDIS_MS) {
        CHECK_OK(aldis_system_run(f->system, until_ns, &end));
        CHECK_INT(end, ALDIS_RUN_UNTIL);
        CHECK_INT(aldis_system_now(f->system), until_ns);
    }
    CHECK_OK(aldis_system_pace_report(f->system, out_report));
    uint64_t print = aldis_system_run_print(f->system), windows = aldis_system_windows(f->system);
    CHECK_UINT(out_report->windows, paced ? windows : 0);
    fixture_close(f);
    return print;
}

TEST_VIRTUAL(a_paced_run_is_the_run_without_pace)
{
    aldis_pace_report report;
    uint64_t print = print_of_run(f, false, &report);
    CHECK_UINT(print_of_run(f, true, &report), print);
    CHECK(report.windows > 30);
    CHECK(report.lag_ns_p50 >= 0 && report.lag_ns_p50 <= report.lag_ns_p99);
    CHECK(report.lag_ns_p99 <= report.lag_ns_max && report.lag_ns_max > 0);
    CHECK_UINT(report.inputs, 0);
    CHECK_UINT(report.refused, 0);
}

TEST_VIRTUAL(a_run_too_far_behind_ends)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){.num = count_down}, NULL);
    CHECK_OK(aldis_send(f->system, puppet, num, 1000));
    /* No machine runs hundreds of windows, each within a nanosecond of its time. */
    aldis_pace_opts opts = {.factor = FAST_FACTOR, .max_lag_ns = 1};
    CHECK_OK(aldis_system_pace(f->system, &opts));
    aldis_run_end end;
    CHECK_OK(aldis_system_run(f->system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_LAG);
    aldis_pace_report report;
    CHECK_OK(aldis_system_pace_report(f->system, &report));
    CHECK(report.lag_ns_max > 1);
    CHECK_OK(aldis_system_pace(f->system, NULL)); /* and then goes on without pace, nothing lost */
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 1001);
}

TEST_VIRTUAL(a_halt_ends_the_wait)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){.num = count_down}, NULL);
    CHECK_OK(aldis_send(f->system, puppet, num, 1000));
    pace(f->system, NEVER_FACTOR, 0);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    aldis_system_halt(f->system);
    finish(&runner, ALDIS_RUN_HALTED);
    CHECK(aldis_system_windows(f->system) < 1000);
    CHECK_OK(aldis_system_pace(f->system, NULL));
}

TEST_VIRTUAL(a_halt_ends_the_wait_of_an_idle_system)
{
    fixture_open(f, NULL);
    fixture_spawn(f, &(struct script){0}, NULL);
    pace(f->system, 1, 0);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    aldis_system_halt(f->system);
    finish(&runner, ALDIS_RUN_HALTED);
    CHECK_OK(aldis_system_pace(f->system, NULL));
}

static aldis_err halt_on_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    EXPECT(aldis_id_is_nobody(aldis_sender(ctx)));
    self->memory[0] = (uint64_t)aldis_now(ctx);
    EXPECT(aldis_now(ctx) >= ALDIS_MS && aldis_now(ctx) % ALDIS_MS == 0);
    aldis_halt(ctx);
    return ALDIS_OK;
}

TEST_VIRTUAL(an_input_wakes_an_idle_system_and_comes_at_a_windows_start)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){.num = halt_on_num}, NULL);
    pace(f->system, 1, 0);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    CHECK_OK(aldis_send(f->system, puppet, num, 1));
    finish(&runner, ALDIS_RUN_HALTED);
    aldis_pace_report report;
    CHECK_OK(aldis_system_pace_report(f->system, &report));
    CHECK_UINT(report.inputs, 1);
    CHECK_OK(aldis_system_pace(f->system, NULL));
    CHECK_UINT(fixture_counts(f, "num").handled, 1);
}

TEST_VIRTUAL(inputs_that_wait_are_bounded_and_refused_ones_counted)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){0}, NULL);
    pace(f->system, NEVER_FACTOR, 3);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    for (int i = 0; i < 2; i++)
        CHECK_OK(aldis_send(f->system, puppet, num, 1));
    CHECK_OK(aldis_pause(f->system, puppet.id)); /* a command is an input, too */
    CHECK_ERR(aldis_send(f->system, puppet, num, 1), ALDIS_EAGAIN);
    CHECK_ERR(aldis_resume(f->system, puppet.id), ALDIS_EAGAIN);
    aldis_type_stats counts = fixture_counts(f, "num"); /* the lock is free while the run waits */
    CHECK_UINT(counts.sent, 3);
    CHECK_UINT(counts.rejected, 1);
    CHECK_UINT(counts.queued, 2);
    aldis_system_halt(f->system);
    finish(&runner, ALDIS_RUN_HALTED);
    aldis_pace_report report;
    CHECK_OK(aldis_system_pace_report(f->system, &report));
    CHECK_UINT(report.inputs, 3);
    CHECK_UINT(report.refused, 2);
    CHECK_OK(aldis_system_pace(f->system, NULL));
    CHECK_OK(aldis_resume(f->system, puppet.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 2);
}

TEST_VIRTUAL(inputs_that_have_run_make_room)
{
    enum { INPUTS = 500 };
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){0}, NULL);
    pace(f->system, 100, 2);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    for (int i = 0; i < INPUTS; i++)
        CHECK_OK(aldis_system_send_until_raw(f->system, puppet.id, &num_type, &(uint64_t){1},
                                             sizeof(uint64_t), 60 * ALDIS_SECOND));
    aldis_system_halt(f->system);
    finish(&runner, ALDIS_RUN_HALTED);
    aldis_pace_report report;
    CHECK_OK(aldis_system_pace_report(f->system, &report));
    CHECK_UINT(report.inputs, INPUTS);
    CHECK_OK(aldis_system_pace(f->system, NULL));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, INPUTS);
}

TEST_VIRTUAL(a_stop_does_not_wait_for_the_wall_clock)
{
    fixture_open(f, NULL);
    puppet_ref puppet = fixture_spawn(f, &(struct script){.num = count_down}, NULL);
    CHECK_OK(aldis_send(f->system, puppet, num, 1000));
    pace(f->system, NEVER_FACTOR, 1);
    struct runner runner;
    start(&runner, f->system, ALDIS_FOREVER);
    CHECK_OK(aldis_send(f->system, puppet, num, 0)); /* there is no room for the command to stop */
    aldis_system_halt(f->system);
    finish(&runner, ALDIS_RUN_HALTED);
    CHECK_OK(aldis_system_stop(f->system, 60 * ALDIS_SECOND));
    CHECK(aldis_system_is_closed(f->system, puppet.id));
}

TEST_VIRTUAL(wrong_options_are_refused)
{
    fixture_open(f, NULL);
    const double factors[] = {-1, 1e-7, 1e7, 0.0 / 0.0, 1.0 / 0.0};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        aldis_pace_opts opts = {.factor = factors[i]};
        CHECK_ERR(aldis_system_pace(f->system, &opts), ALDIS_EINVAL);
        CHECK(strstr(aldis_error_last()->text, "factor") != NULL);
    }
    aldis_pace_opts opts = {.max_lag_ns = -1};
    CHECK_ERR(aldis_system_pace(f->system, &opts), ALDIS_EINVAL);
    CHECK(strstr(aldis_error_last()->text, "max_lag_ns") != NULL);
    CHECK_ERR(aldis_system_pace(NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_pace_report(f->system, NULL), ALDIS_EINVAL);
}

TEST_LIVE(a_live_system_has_no_pace)
{
    fixture_open(f, NULL);
    aldis_pace_report report;
    CHECK_ERR(aldis_system_pace(f->system, NULL), ALDIS_ESTATE);
    CHECK_ERR(aldis_system_pace_report(f->system, &report), ALDIS_ESTATE);
}
