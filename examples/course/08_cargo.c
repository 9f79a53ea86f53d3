// SPDX-License-Identifier: Apache-2.0
/* 08_cargo.c: crates are inspected, weighed and labelled: by one actor that does it all, then by a
 * pipeline. Chapter 8 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum { CRATES = 8 };

struct crate {
    int32_t number, tonnes; /* 0 t: an empty crate is not what its papers say */
};
ALDIS_MESSAGE(unloaded, struct crate);
ALDIS_MESSAGE(inspected, struct crate);
ALDIS_MESSAGE(weighed, struct crate);
ALDIS_MESSAGE(labelled, struct crate);

#define STORE_PROTOCOL(X, kind) X(kind, labelled)
ALDIS_PROTOCOL(store, STORE_PROTOCOL);
#define HAND_PROTOCOL(X, kind) X(kind, unloaded)
ALDIS_PROTOCOL(hand, HAND_PROTOCOL);

static aldis_err store_on_labelled(int *tonnes, const struct crate *crate, aldis_ctx *ctx)
{
    *tonnes += crate->tonnes;
    printf("  %4.1f s: crate %d is stored, %d t in all\n", (double)aldis_now(ctx) / ALDIS_SECOND,
           (int)crate->number, *tonnes);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(store, int, STORE_PROTOCOL);

/* The three steps. Each takes the time that it takes. */
static aldis_err inspect(const struct crate *in, struct crate *out, aldis_ctx *ctx)
{
    aldis_busy(ctx, 3 * ALDIS_SECOND);
    if (in->tonnes == 0)
        return aldis_fail(ctx, "the crate is empty");
    *out = *in;
    return ALDIS_OK;
}
ALDIS_STAGE(inspect, unloaded, inspected);

static aldis_err weigh(const struct crate *in, struct crate *out, aldis_ctx *ctx)
{
    aldis_busy(ctx, ALDIS_SECOND);
    *out = *in;
    return ALDIS_OK;
}
ALDIS_STAGE(weigh, inspected, weighed);

static aldis_err label(const struct crate *in, struct crate *out, aldis_ctx *ctx)
{
    aldis_busy(ctx, ALDIS_SECOND / 2);
    *out = *in;
    return ALDIS_OK;
}
ALDIS_STAGE(label, weighed, labelled);

/* One hand that does all three. */
static aldis_err hand_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(store_ref *)state = *(const store_ref *)arg;
    return ALDIS_OK;
}

static aldis_err hand_on_unloaded(store_ref *store, const struct crate *crate, aldis_ctx *ctx)
{
    struct crate done;
    aldis_err err = inspect(crate, &done, ctx);
    if (err == ALDIS_OK)
        err = weigh(&done, &done, ctx);
    if (err == ALDIS_OK)
        err = label(&done, &done, ctx);
    return err == ALDIS_OK ? aldis_send_copy(ctx, *store, labelled, &done) : err;
}
ALDIS_BEHAVIOUR(hand, store_ref, HAND_PROTOCOL, .on_start = hand_start);

/* Who takes the crates: the hand, or the first stage of the pipeline. */
static aldis_err hire(aldis_system *system, bool pipeline, aldis_id *out_first)
{
    static const aldis_stage_opts stages[] = {
        {.stage = &inspect_stage, .parallel = 3}, {.stage = &weigh_stage}, {.stage = &label_stage}};
    store_ref store;
    inspect_ref first;
    hand_ref hand;
    aldis_err err = aldis_spawn(system, store, &store, NULL);
    if (err == ALDIS_OK && pipeline) {
        err = aldis_pipeline_spawn(system, inspect, &first, stages, 3, store.id);
        *out_first = first.id;
    } else if (err == ALDIS_OK) {
        err = aldis_spawn(system, hand, &hand, &(aldis_spawn_opts){ALDIS_ARG(&store)});
        *out_first = hand.id;
    }
    return err;
}

static aldis_err unload(bool pipeline)
{
    static const int32_t tonnes[CRATES] = {5, 3, 8, 0, 6, 2, 9, 4};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    aldis_id first;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = hire(system, pipeline, &first);
    for (int32_t i = 0; i < CRATES && err == ALDIS_OK; i++) {
        struct crate crate = {i + 1, tonnes[i]};
        err = aldis_system_send_raw(system, first, &unloaded_type, &crate, sizeof crate);
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_stats stats;
    if (err == ALDIS_OK && aldis_system_stats(system, &stats) == ALDIS_OK) {
        const aldis_type_stats *row = aldis_stats_type(&stats, "unloaded");
        if (row)
            printf("  failed: %" PRIu64 ", set aside: %" PRIu64 "\n", row->failed, row->dead);
        aldis_stats_fini(&stats);
    }
    aldis_audit audit;
    if (err == ALDIS_OK)
        err = aldis_system_audit(system, &audit);
    aldis_system_destroy(system);
    return err;
}

int main(void)
{
    puts("one hand:");
    aldis_err err = unload(false);
    puts("a pipeline, with three inspectors:");
    if (err != ALDIS_OK || (err = unload(true)) != ALDIS_OK) {
        fprintf(stderr, "08_cargo: %s\n", aldis_error_text(err));
        return 1;
    }
    puts("audit: balanced, both times");
    return 0;
}
