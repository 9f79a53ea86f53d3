// SPDX-License-Identifier: Apache-2.0
/* order_cost.c: what the order of messages costs, for docs/design/virtual-time.md.
 *
 *     order_cost ACTORS END_S ROUNDS
 *
 * PHOLD with and without the sort of each window, one worker, in turn; prints the processor time of
 * an event, the best of all rounds. Without the sort the run print means nothing. */
#include "../../bench/bench.h"
#include "core/window.h"

#include <stdio.h>
#include <stdlib.h>

static double nanoseconds(uint64_t actors, double end_s, bool unsorted)
{
    struct bench_opts opts = {.n = actors,
                              .workers = 1,
                              .end_s = end_s,
                              .remote = 0.25,
                              .lookahead_s = 0.1,
                              .start = 1,
                              .seed = 1};
    struct bench_result result = {0};
    char fault[BENCH_FAULT_SIZE];
    aldis__window_test.unsorted = unsorted;
    if (bench_run(bench_find("phold"), &opts, &result, fault) != BENCH_GOOD) {
        fprintf(stderr, "order_cost: %s\n", fault);
        exit(1);
    }
    return 1e9 * result.cpu_s / result.extras[0].value;
}

int main(int argc, char **argv)
{
    uint64_t actors = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;
    double end_s = argc > 2 ? strtod(argv[2], NULL) : 60;
    int rounds = argc > 3 ? atoi(argv[3]) : 5;
    double best[2] = {1e9, 1e9};
    for (int i = 0; i < 2 * rounds; i++) {
        double ns = nanoseconds(actors, end_s, i % 2);
        best[i % 2] = ns < best[i % 2] ? ns : best[i % 2];
    }
    printf("%llu actors: %.0f ns an event in order, %.0f ns as they come: %+.0f %%\n",
           (unsigned long long)actors, best[0], best[1], 100 * (best[0] / best[1] - 1));
    return 0;
}
