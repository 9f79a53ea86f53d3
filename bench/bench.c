// SPDX-License-Identifier: Apache-2.0
/* bench.c: runs one workload and checks it. Layer: bench. See bench.h for the threads' rule. */
#include "bench.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

ALDIS_SIGNAL(go);

/* One a line. */
/* clang-format off */
const struct bench_workload *const bench_workloads[] = {
    &bench_ping_pong,
    &bench_counting,
    &bench_fan_in,
    &bench_thread_ring,
    &bench_fork_join_create,
    &bench_fork_join_throughput,
    &bench_big,
    &bench_chameneos,
    &bench_request_response,
    &bench_pipeline,
    &bench_broadcast,
    &bench_wildcards,
    &bench_priority,
    &bench_router,
    &bench_router_4,
    &bench_flow,
    &bench_credit,
    &bench_channel_mpsc,
    &bench_channel_oneshot,
    &bench_codec,
    &bench_idle_memory,
    &bench_timers,
    &bench_reliable,
    &bench_retry_table,
    &bench_durable,
    &bench_phold,
    &bench_swarm,
};
/* clang-format on */
const size_t bench_workload_count = sizeof bench_workloads / sizeof bench_workloads[0];

const struct bench_workload *bench_find(const char *name)
{
    for (size_t i = 0; i < bench_workload_count; i++)
        if (strcmp(bench_workloads[i]->name, name) == 0)
            return bench_workloads[i];
    return NULL;
}

static aldis_ns clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (aldis_ns)t.tv_sec * ALDIS_SECOND + t.tv_nsec;
}

void bench_start(struct bench *bench)
{
    bench->cpu_start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    bench->start_ns = clock_ns(CLOCK_MONOTONIC);
}

void bench_end(struct bench *bench, aldis_ctx *ctx)
{
    bench->end_ns = clock_ns(CLOCK_MONOTONIC);
    bench->cpu_end_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (ctx)
        aldis_halt(ctx);
}

aldis_err bench_fault(struct bench *bench, aldis_ctx *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&bench->fault_lock);
    if (bench->fault[0] == '\0')
        vsnprintf(bench->fault, sizeof bench->fault, format, args);
    pthread_mutex_unlock(&bench->fault_lock);
    va_end(args);
    if (!ctx)
        return ALDIS_EHANDLER;
    aldis_halt(ctx);
    return aldis_fail(ctx, "the benchmark's run is wrong");
}

/* After a halt, workers may still be in a handler: hence the lock. */
static bool has_fault(struct bench *bench)
{
    pthread_mutex_lock(&bench->fault_lock);
    bool found = bench->fault[0] != '\0';
    pthread_mutex_unlock(&bench->fault_lock);
    return found;
}

aldis_err bench_refused(struct bench *bench, aldis_ctx *ctx, aldis_err err)
{
    const aldis_error_info *info = aldis_error_last();
    return bench_fault(bench, ctx, "%s: %s", aldis_error_text(err),
                       info->text ? info->text : "no details");
}

void bench_on_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct bench *bench = *(struct bench **)state;
    (void)bench_fault(bench, ctx, "%" PRIu32 " x %s came back: %s", notice->count,
                      notice->type_name, aldis_error_text(notice->reason));
}

aldis_spawn_opts bench_place(const struct bench *bench, uint32_t number, const void *arg,
                             size_t arg_size)
{
    aldis_spawn_opts opts = {.arg = arg, .arg_size = arg_size};
    if (bench->opts.apart) {
        opts.placement = ALDIS_PLACE_SHARD;
        opts.shard = number % bench->shards;
    }
    return opts;
}

aldis_err bench_spawn_root(struct bench *bench, aldis_system *system,
                           const aldis_behaviour *behaviour, aldis_id *out_id)
{
    struct bench_arg given = {bench};
    aldis_spawn_opts opts = {
        .arg = &given, .arg_size = sizeof given, .placement = ALDIS_PLACE_SHARD, .shard = 0};
    return aldis_system_spawn_raw(system, behaviour, &opts, out_id);
}

uint64_t bench_share(uint64_t total, uint32_t parts, uint32_t index)
{
    return total / parts + (index < total % parts);
}

void bench_expect(struct bench *bench, const aldis_stats *stats, const char *type,
                  uint64_t expected)
{
    const aldis_type_stats *row = aldis_stats_type(stats, type);
    uint64_t sent = row ? row->sent : 0, handled = row ? row->handled : 0;
    if (sent != expected || handled != expected)
        (void)bench_fault(bench, NULL,
                          "statistics of %s: sent %" PRIu64 ", handled %" PRIu64
                          ", expected %" PRIu64 " of both",
                          type, sent, handled, expected);
}

/* One figure of /proc/self/status, in bytes; key: "VmRSS:". getrusage would do for the peak, but
 * its figure begins with that of the program that started this one. */
static uint64_t status_bytes(const char *key)
{
    uint64_t kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "r");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtoull(line + strlen(key), NULL, 10);
    fclose(file);
    return kib * 1024;
}

uint64_t bench_resident_bytes(void)
{
    return status_bytes("VmRSS:");
}

uint64_t bench_peak_bytes(void)
{
    return status_bytes("VmHWM:");
}

aldis_ns bench_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void bench_add_extra(struct bench *bench, const char *name, double value)
{
    struct bench_result *result = &bench->result;
    if (result->extra_count < BENCH_EXTRAS_MAX)
        result->extras[result->extra_count++] = (struct bench_extra){name, value};
}

/* After the halt: is every message accounted for, and are they as many as the workload sends? */
static void check_counts(const struct bench_workload *workload, struct bench *bench,
                         aldis_system *system)
{
    aldis_audit audit;
    if (aldis_system_audit(system, &audit) != ALDIS_OK)
        (void)bench_fault(bench, NULL, "audit: %s", audit.text);
    aldis_stats stats;
    aldis_err err = aldis_system_stats(system, &stats);
    if (err != ALDIS_OK) {
        (void)bench_refused(bench, NULL, err);
        return;
    }
    bench->result.parked = stats.parked;
    bench->result.handovers = stats.handovers;
    if (stats.failed_deliveries != 0 && !workload->repeats)
        (void)bench_fault(bench, NULL, "%" PRIu64 " deliveries failed", stats.failed_deliveries);
    workload->check(bench, &stats);
    aldis_stats_fini(&stats);
}

/* Let the set start and do its work. */
static aldis_err run_set(const struct bench_workload *workload, struct bench *bench,
                         aldis_system *system)
{
    aldis_id root = ALDIS_NOBODY_INIT;
    aldis_run_end end = ALDIS_RUN_IDLE;
    aldis_err err = workload->start(bench, system, &root);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, &end);
    if (err != ALDIS_OK || end != ALDIS_RUN_IDLE)
        return err;
    /* All actors have started and none has anything to do. */
    err = aldis_system_send_raw(system, root, &go_type, NULL, 0);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, &end);
    if (err == ALDIS_OK && end != ALDIS_RUN_HALTED)
        (void)bench_fault(bench, NULL, "nothing was left to do before the last expected effect");
    return err;
}

static enum bench_outcome run_actors(const struct bench_workload *workload, struct bench *bench)
{
    aldis_system *system = NULL;
    aldis_system_opts opts = {.workers = bench->opts.workers};
    aldis_err err = workload->configure ? workload->configure(bench, &opts) : ALDIS_OK;
    if (err == ALDIS_OK)
        err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK) {
        bench->shards = aldis_system_shards(system);
        err = workload->run ? workload->run(bench, system) : run_set(workload, bench, system);
    }
    if (err != ALDIS_OK)
        (void)bench_refused(bench, NULL, err);
    else if (!has_fault(bench))
        check_counts(workload, bench, system);
    aldis_system_destroy(system);
    return err == ALDIS_ENOMEM || err == ALDIS_EAGAIN ? BENCH_SYSTEM : BENCH_GOOD;
}

static void fill_result(const struct bench_workload *workload, struct bench *bench)
{
    aldis_ns elapsed_ns = bench->end_ns - bench->start_ns;
    double operations = workload->ops_per_n ? (double)bench->opts.n * (double)workload->ops_per_n
                                            : (double)bench->operations;
    struct bench_result *result = &bench->result;
    result->seconds = (double)(elapsed_ns > 0 ? elapsed_ns : 1) * 1e-9;
    result->rate = operations / result->seconds;
    result->cpu_s = (double)(bench->cpu_end_ns - bench->cpu_start_ns) * 1e-9;
    if (result->peak_rss_bytes == 0)
        result->peak_rss_bytes = bench_peak_bytes();
}

enum bench_outcome bench_run(const struct bench_workload *workload, const struct bench_opts *opts,
                             struct bench_result *out_result, char *out_fault)
{
    struct bench bench = {.opts = *opts, .fault_lock = PTHREAD_MUTEX_INITIALIZER};
    enum bench_outcome outcome = BENCH_GOOD;
    if (workload->measure)
        workload->measure(&bench);
    else
        outcome = run_actors(workload, &bench);
    if (outcome == BENCH_GOOD && bench.fault[0] != '\0')
        outcome = BENCH_WRONG;
    if (outcome == BENCH_GOOD) {
        fill_result(workload, &bench);
        *out_result = bench.result;
    }
    if (workload->finish)
        workload->finish(&bench);
    memcpy(out_fault, bench.fault, sizeof bench.fault);
    return outcome;
}
