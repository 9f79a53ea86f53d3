// SPDX-License-Identifier: Apache-2.0
/* pace.c: see pace.h. Layer: core. */
#include "core/pace.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/futex.h"
#include "core/window.h"
#include <stdlib.h>

#define FACTOR_MIN 1e-6
#define FACTOR_MAX 1e6
enum { INPUTS_MAX_DEFAULT = 65536 };

/* ------------------------------------------------------------------ two clocks */

static void start(struct aldis__pace *pace, aldis_ns virtual_ns)
{
    if (pace->started)
        return;
    pace->started = true;
    pace->wall_ns = aldis__clock_monotonic_ns();
    pace->virtual_ns = virtual_ns;
}

/* a + b, where b may be anything. */
static aldis_ns add(aldis_ns a, double b)
{
    return b >= (double)(ALDIS_FOREVER - 1 - a) ? ALDIS_FOREVER - 1 : a + (aldis_ns)b;
}

/* When the wall clock shows that virtual time. */
static aldis_ns wall_of(const struct aldis__pace *pace, aldis_ns at_ns)
{
    if (at_ns <= pace->virtual_ns)
        return pace->wall_ns;
    return add(pace->wall_ns, (double)(at_ns - pace->virtual_ns) / pace->opts.factor);
}

aldis_ns aldis__pace_now(const struct aldis__pace *pace)
{
    double passed_ns = (double)(aldis__clock_monotonic_ns() - pace->wall_ns);
    return add(pace->virtual_ns, passed_ns * pace->opts.factor);
}

/* ------------------------------------------------------------------ lag */

/* Buckets that widen with the value, 64 to each power of two (after HdrHistogram): value >> shift
 * is below 128, and from 64 on where shift is above 0, so they do not overlap. */
static void count_lag(struct aldis__pace *pace, aldis_ns lag_ns)
{
    uint64_t value = (uint64_t)lag_ns;
    uint32_t bits = value == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(value);
    uint32_t shift = bits > 7 ? bits - 7 : 0;
    pace->lags[shift * 64 + (uint32_t)(value >> shift)]++;
    pace->report.windows++;
    if (lag_ns > pace->report.lag_ns_max)
        pace->report.lag_ns_max = lag_ns;
}

/* The least lag that `percent` of the windows do not exceed, to 1.6 % upwards. */
static aldis_ns percentile(const struct aldis__pace *pace, uint64_t percent)
{
    uint64_t windows = pace->report.windows, wanted = windows - windows * (100 - percent) / 100;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < ALDIS__LAG_BUCKETS && windows > 0; i++) {
        seen += pace->lags[i];
        if (seen < wanted)
            continue;
        uint32_t shift = i < 128 ? 0 : i / 64 - 1;
        uint64_t top = ((i - shift * UINT64_C(64) + 1) << shift) - 1;
        return top < (uint64_t)pace->report.lag_ns_max ? (aldis_ns)top : pace->report.lag_ns_max;
    }
    return pace->report.lag_ns_max;
}

/* ------------------------------------------------------------------ waiting */

enum aldis__pace_wait aldis__pace_wait(aldis_system *system, struct aldis__pace *pace,
                                       aldis_ns at_ns, bool window)
{
    start(pace, system->virtual_engine->now_ns);
    aldis_ns lag_ns = aldis__clock_monotonic_ns() - wall_of(pace, at_ns);
    if (at_ns != ALDIS_FOREVER && lag_ns >= 0) {
        if (window)
            count_lag(pace, lag_ns);
        return pace->opts.max_lag_ns > 0 && lag_ns > pace->opts.max_lag_ns ? ALDIS__PACE_LATE
                                                                           : ALDIS__PACE_DUE;
    }
    /* Inputs come under the lock, which we hold: those before are in the calendar, and each one
     * after this changes the word. So does a halt, at any time.
     * W1 acq_rel: pairs with W2 in aldis__pace_wake(). */
    uint32_t word = aldis__fetch_and_acq_rel(&system->halt, ~(uint32_t)ALDIS__HALT_INPUT);
    if (word & ALDIS__HALT_ASKED)
        return ALDIS__PACE_WOKEN;
    pthread_mutex_unlock(&system->lock);
    aldis__futex_wait(&system->halt, word & ~(uint32_t)ALDIS__HALT_INPUT,
                      at_ns == ALDIS_FOREVER ? ALDIS_FOREVER : -lag_ns);
    pthread_mutex_lock(&system->lock);
    return ALDIS__PACE_WOKEN;
}

void aldis__pace_wake(aldis_system *system)
{
    /* W2 acq_rel: pairs with W1 in aldis__pace_wait(). */
    (void)aldis__fetch_or_acq_rel(&system->halt, ALDIS__HALT_INPUT);
    aldis__futex_wake(&system->halt, 1);
}

/* ------------------------------------------------------------------ inputs that wait */

static void sift_down(aldis_ns *heap, size_t count, aldis_ns value)
{
    size_t i = 0;
    for (size_t child = 1; child < count; child = 2 * i + 1) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (value <= heap[child])
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = value;
}

static bool reserve(struct aldis__pace *pace)
{
    if (pace->input_count < pace->input_capacity)
        return true;
    size_t capacity = pace->input_capacity ? 2 * pace->input_capacity : 64;
    aldis_ns *inputs = realloc(pace->inputs, capacity * sizeof *inputs);
    if (!inputs)
        return false;
    pace->inputs = inputs;
    pace->input_capacity = capacity;
    return true;
}

aldis_err aldis__pace_admit(struct aldis__pace *pace, aldis_ns from_ns, aldis_ns at_ns)
{
    while (pace->input_count > 0 && pace->inputs[0] < from_ns) {
        pace->input_count--;
        if (pace->input_count > 0)
            sift_down(pace->inputs, pace->input_count, pace->inputs[pace->input_count]);
    }
    if (pace->input_count >= pace->opts.inputs_max) {
        pace->report.refused++;
        return aldis__error_set(ALDIS_EAGAIN, aldis_nobody(), "",
                                "send: %zu inputs wait for their window (option inputs_max)",
                                pace->input_count);
    }
    if (!reserve(pace))
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "send: an input");
    size_t i = pace->input_count++;
    for (; i > 0 && at_ns < pace->inputs[(i - 1) / 2]; i = (i - 1) / 2)
        pace->inputs[i] = pace->inputs[(i - 1) / 2];
    pace->inputs[i] = at_ns;
    pace->report.inputs++;
    return ALDIS_OK;
}

void aldis__pace_fini(struct aldis__pace *pace)
{
    free(pace->inputs);
    *pace = (struct aldis__pace){0};
}

/* ------------------------------------------------------------------ from outside */

static aldis_err check(aldis_system *system, const char *call)
{
    aldis_err err = aldis__system_check_outside(system, call);
    if (err == ALDIS_OK && !system->virtual_time)
        err = aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "%s: the system is live", call);
    return err;
}

static aldis_err check_opts(const aldis_pace_opts *opts)
{
    if (opts->factor != 0 && !(opts->factor >= FACTOR_MIN && opts->factor <= FACTOR_MAX))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pace: factor is %g; allowed: %g to %g", opts->factor, FACTOR_MIN,
                                FACTOR_MAX);
    if (opts->max_lag_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pace: max_lag_ns is %lld; allowed: 0 or more",
                                (long long)opts->max_lag_ns);
    return ALDIS_OK;
}

aldis_err aldis_system_pace(aldis_system *system, const aldis_pace_opts *opts)
{
    aldis_err err = check(system, "pace");
    if (err == ALDIS_OK && opts)
        err = check_opts(opts);
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__pace *pace = &system->virtual_engine->pace;
    aldis__pace_fini(pace);
    if (opts) {
        pace->on = true;
        pace->opts = *opts;
        if (pace->opts.factor == 0)
            pace->opts.factor = 1;
        if (pace->opts.inputs_max == 0)
            pace->opts.inputs_max = INPUTS_MAX_DEFAULT;
    }
    aldis__pace_wake(system); /* a run that waits for the old pace's time */
    aldis__system_unlock(system);
    return ALDIS_OK;
}

aldis_err aldis_system_pace_report(aldis_system *system, aldis_pace_report *out_report)
{
    aldis_err err = check(system, "pace_report");
    if (err == ALDIS_OK && !out_report)
        err = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "pace_report: out_report is NULL");
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system);
    struct aldis__pace *pace = &system->virtual_engine->pace;
    *out_report = pace->report;
    out_report->lag_ns_p50 = percentile(pace, 50);
    out_report->lag_ns_p99 = percentile(pace, 99);
    aldis__system_unlock(system);
    return ALDIS_OK;
}
