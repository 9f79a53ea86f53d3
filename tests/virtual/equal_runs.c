// SPDX-License-Identifier: Apache-2.0
/* equal_runs.c: the run prints of every kind of run in virtual time, for equality_test.py.
 *
 *     equal_runs SEED WORKERS STALL SIZE
 *
 * STALL 0: as it is. Else: every window with two events is shared among the workers, and a worker
 * that comes to a shard stalls now and then, by a generator that begins with STALL; so that with
 * each STALL other workers run other shards in another order. SIZE: 1 small, 2 full.
 * Prints a line for each run: its name and its print. */
#include "../../bench/bench.h"
#include "core/window.h"
#include "library.h"
#include "space.h"

#include <glob.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct order {
    uint64_t seed, stall, size;
    uint32_t workers;
};

static uint64_t stall_seed;
static _Thread_local uint64_t stall_state;

static void stall(uint32_t worker, uint32_t shard)
{
    (void)shard;
    if (stall_state == 0)
        stall_state = (stall_seed * 255 + worker + 1) * UINT64_C(0x9e3779b97f4a7c15);
    stall_state ^= stall_state << 13;
    stall_state ^= stall_state >> 7;
    stall_state ^= stall_state << 17;
    if (stall_state % 16 == 0)
        sched_yield();
    else if (stall_state % 64 == 1)
        for (volatile uint32_t i = 0; i < (stall_state >> 32) % 20000;)
            i = i + 1;
}

static int show(const struct order *order, const char *name, enum show_kind kind)
{
    struct show show;
    struct library_result result;
    show_init(&show, order->seed, kind);
    library_perform(&show, order->workers, &result);
    show_fini(&show);
    if (result.fault[0])
        fprintf(stderr, "%s: %s\n", name, result.fault);
    printf("%s %016" PRIx64 " windows %" PRIu64 " messages %" PRIu64 "\n", name, result.run_print,
           result.windows, result.handled);
    return result.fault[0] != '\0';
}

static int phold(const struct order *order)
{
    struct bench_opts opts = {.n = order->size > 1 ? 10000 : 2000,
                              .workers = order->workers,
                              .end_s = order->size > 1 ? 30 : 2,
                              .remote = 0.25,
                              .lookahead_s = 0.1,
                              .start = 1,
                              .seed = order->seed};
    struct bench_result result = {0};
    char fault[BENCH_FAULT_SIZE];
    enum bench_outcome outcome = bench_run(bench_find("phold"), &opts, &result, fault);
    if (outcome != BENCH_GOOD)
        fprintf(stderr, "phold: %s\n", fault);
    printf("phold %016" PRIx64 " events %.0f\n", result.run_print, result.extras[0].value);
    return outcome != BENCH_GOOD;
}

/* name.yaml in the folder of those that ship; its name goes before the print. */
static int scenario(const struct order *order, const char *path)
{
    struct scenario *scenario = NULL;
    static struct scenario_errors errors;
    struct space_report report;
    const char *name = strrchr(path, '/') + 1;
    aldis_ns until_ns = (order->size > 1 ? 60 : 3) * ALDIS_MINUTE;
    if (strcmp(name, "galaxy.yaml") == 0) /* it has as many ships as all others in an hour */
        until_ns = order->size > 1 ? 2 * ALDIS_MINUTE : 3 * ALDIS_SECOND;
    struct space_run_opts opts = {
        .has_seed = true, .seed = order->seed, .workers = order->workers, .until_ns = until_ns};
    if (scenario_load(path, &scenario, &errors) != SCENARIO_OK) {
        scenario_errors_print(&errors, stderr);
        return 1;
    }
    aldis_err err = space_run(scenario, &opts, &report);
    bool good = err == ALDIS_OK && report.audit.balanced;
    printf("%.*s %016" PRIx64 " messages %" PRIu64 "\n", (int)strcspn(name, "."), name,
           report.run_print, report.stats.total.handled);
    if (!good)
        fprintf(stderr, "%s: %s; audit: %s\n", name, aldis_error_text(err), report.audit.text);
    space_report_fini(&report);
    scenario_destroy(scenario);
    return !good;
}

static int scenarios(const struct order *order)
{
    glob_t found;
    if (glob(SCENARIOS "/*.yaml", 0, NULL, &found) != 0) {
        fprintf(stderr, "no scenario in " SCENARIOS "\n");
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        failed |= scenario(order, found.gl_pathv[i]);
    globfree(&found);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: equal_runs SEED WORKERS STALL SIZE\n");
        return 64;
    }
    struct order order = {strtoull(argv[1], NULL, 10), strtoull(argv[3], NULL, 10),
                          strtoull(argv[4], NULL, 10), (uint32_t)strtoul(argv[2], NULL, 10)};
    if (order.stall) {
        stall_seed = order.stall;
        aldis__window_test = (struct aldis__window_test){.share_min = 2, .stall = stall};
    }
    int failed = show(&order, "small", SHOW_SMALL);
    failed |= show(&order, "dense", SHOW_DENSE);
    failed |= show(&order, "zero", SHOW_ZERO);
    failed |= phold(&order);
    failed |= scenarios(&order);
    return failed;
}
