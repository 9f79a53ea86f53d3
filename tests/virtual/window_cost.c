// SPDX-License-Identifier: Apache-2.0
/* window_cost.c: what a window costs that holds little work, for docs/design/virtual-time.md.
 *
 *     window_cost EVENTS SHARDS WORKERS WINDOWS
 *
 * EVENTS actors are spread over the shards; in each window every one of them gets a message and
 * sends one to its successor, which lives on another shard and has it in the next window. Prints
 * the processor time and the wall time of a window; fails if a message was missed. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct baton {
    uint64_t hops;
};
ALDIS_MESSAGE(baton, struct baton);
#define RUNNER_PROTOCOL(X, kind) X(kind, baton)
ALDIS_PROTOCOL(runner, RUNNER_PROTOCOL);

struct runner {
    runner_ref *next; /* filled in before the first message */
    uint64_t hops;
};

static aldis_err runner_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct runner *self = state;
    (void)ctx;
    self->next = *(runner_ref *const *)arg;
    return ALDIS_OK;
}

static aldis_err runner_on_baton(struct runner *self, const struct baton *msg, aldis_ctx *ctx)
{
    self->hops++;
    return aldis_send(ctx, *self->next, baton, .hops = msg->hops + 1);
}
ALDIS_BEHAVIOUR(runner, struct runner, RUNNER_PROTOCOL, .on_start = runner_start);

static double seconds(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

static bool prepare(aldis_system *system, runner_ref *runners, uint32_t events, uint32_t shards)
{
    for (uint32_t i = 0; i < events; i++) {
        const runner_ref *next = &runners[(i + 1) % events];
        aldis_spawn_opts opts = {.arg = &next,
                                 .arg_size = sizeof next,
                                 .placement = ALDIS_PLACE_SHARD,
                                 .shard = (uint32_t)((uint64_t)i * shards / events)};
        if (aldis_spawn(system, runner, &runners[i], &opts) != ALDIS_OK)
            return false;
    }
    bool good = true;
    for (uint32_t i = 0; i < events; i++)
        good = good && aldis_send(system, runners[i], baton, .hops = 0) == ALDIS_OK;
    return good;
}

static uint64_t handled(aldis_system *system)
{
    aldis_stats stats;
    if (aldis_system_stats(system, &stats) != ALDIS_OK)
        return 0;
    const aldis_type_stats *row = aldis_stats_type(&stats, "baton");
    uint64_t count = row ? row->handled : 0;
    aldis_stats_fini(&stats);
    return count;
}

int main(int argc, char **argv)
{
    uint32_t given[4] = {20, 64, 1, 100000};
    for (int i = 1; i < argc && i <= 4; i++)
        given[i - 1] = (uint32_t)strtoul(argv[i], NULL, 10);
    uint32_t events = given[0], shards = given[1], windows = given[3];
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .shards = shards, .workers = given[2]};
    runner_ref *runners = calloc(events, sizeof *runners);
    aldis_system *system;
    if (!runners || aldis_system_create(&opts, &system) != ALDIS_OK ||
        !prepare(system, runners, events, shards)) {
        fprintf(stderr, "window_cost: %s\n", aldis_error_last()->text);
        free(runners);
        return 71;
    }
    aldis_system_run(system, 100 * ALDIS_MS, NULL); /* warm */
    double cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID), wall_s = seconds(CLOCK_MONOTONIC);
    aldis_system_run(system, (100 + (aldis_ns)windows) * ALDIS_MS, NULL);
    cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_s;
    wall_s = seconds(CLOCK_MONOTONIC) - wall_s;
    uint64_t count = handled(system), expected = (uint64_t)events * (100 + windows);
    printf("%u events, %u shards, %u workers: %.0f ns of CPU, %.0f ns of wall time a window, "
           "print %016" PRIx64 "\n",
           events, shards, given[2], 1e9 * cpu_s / windows, 1e9 * wall_s / windows,
           aldis_system_run_print(system));
    aldis_system_destroy(system);
    free(runners);
    if (count != expected)
        fprintf(stderr, "window_cost: %" PRIu64 " messages, expected %" PRIu64 "\n", count,
                expected);
    return count != expected;
}
