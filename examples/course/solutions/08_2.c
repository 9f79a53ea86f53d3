// SPDX-License-Identifier: Apache-2.0
/* 08_2.c: a scanner that fails now and then: a stage that tries again. What is set aside should be
 * about 1000 x 0.3^tries: 300, 27 and 2. Chapter 8, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { CRATES = 1000 };

ALDIS_MESSAGE(unloaded, int32_t);
ALDIS_MESSAGE(scanned, int32_t);

#define STORE_PROTOCOL(X, kind) X(kind, scanned)
ALDIS_PROTOCOL(store, STORE_PROTOCOL);

static aldis_err scan(const int32_t *in, int32_t *out, aldis_ctx *ctx)
{
    if (aldis_random_below(ctx, 10) < 3)
        return aldis_fail(ctx, "the scanner sees nothing");
    *out = *in;
    return ALDIS_OK;
}
ALDIS_STAGE(scan, unloaded, scanned);

static aldis_err store_on_scanned(int32_t *last, const int32_t *crate, aldis_ctx *ctx)
{
    if (*crate <= *last)
        return aldis_fail(ctx, "out of order");
    *last = *crate;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(store, int32_t, STORE_PROTOCOL);

static aldis_err run(uint32_t tries)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1};
    const aldis_stage_opts stages[] = {{.stage = &scan_stage, .parallel = 4, .tries = tries}};
    aldis_system *system;
    store_ref store;
    scan_ref first;
    aldis_stats stats;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, store, &store, NULL);
    if (err == ALDIS_OK)
        err = aldis_pipeline_spawn(system, scan, &first, stages, 1, store.id);
    for (int32_t i = 1; i <= CRATES && err == ALDIS_OK; i++)
        err = aldis_send(system, first, unloaded, i);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_status status;
    if (err == ALDIS_OK)
        err = aldis_system_status(system, store.id, &status);
    if (err == ALDIS_OK && (err = aldis_system_stats(system, &stats)) == ALDIS_OK) {
        const aldis_type_stats *row = aldis_stats_type(&stats, "unloaded");
        printf("%" PRIu32 " tries: %" PRIu64 " stored in order, %" PRIu64 " set aside\n", tries,
               status.handled_msgs, row ? row->dead : 0);
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(system);
    return err;
}

int main(void)
{
    for (uint32_t tries = 1; tries <= 5; tries += 2)
        if (run(tries) != ALDIS_OK)
            return 1;
    return 0;
}
