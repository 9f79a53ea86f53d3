// SPDX-License-Identifier: Apache-2.0
/* pipeline.c: two stages, the first with four workers: results in order, bad items set aside. */
#include <aldis/aldis.h>
#include <stdio.h>

struct trunk {
    uint32_t number, metres;
};
struct plank {
    uint32_t number, metres;
};
ALDIS_MESSAGE(trunk, struct trunk);
ALDIS_MESSAGE(rough, struct plank);
ALDIS_MESSAGE(smooth, struct plank);

static aldis_err saw(const struct trunk *in, struct plank *out, aldis_ctx *ctx)
{
    if (in->metres == 0)
        return aldis_fail(ctx, "no wood");
    aldis_busy(ctx, in->metres * ALDIS_MS); /* a long trunk takes long */
    *out = (struct plank){in->number, in->metres};
    return ALDIS_OK;
}
ALDIS_STAGE(saw, trunk, rough);

static aldis_err plane(const struct plank *in, struct plank *out, aldis_ctx *ctx)
{
    (void)ctx;
    *out = *in;
    return ALDIS_OK;
}
ALDIS_STAGE(plane, rough, smooth);

#define YARD_PROTOCOL(X, kind) X(kind, smooth)
ALDIS_PROTOCOL(yard, YARD_PROTOCOL);
struct yard {
    uint32_t planks;
};

static aldis_err yard_on_smooth(struct yard *self, const struct plank *msg, aldis_ctx *ctx)
{
    printf("%2lld ms: plank %u of %u m\n", (long long)(aldis_now(ctx) / ALDIS_MS), msg->number,
           msg->metres);
    self->planks++;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(yard, struct yard, YARD_PROTOCOL);

int main(void)
{
    static const uint32_t metres[] = {9, 2, 5, 0, 3, 1};
    const aldis_stage_opts stages[] = {{.stage = &saw_stage, .parallel = 4, .tries = 2},
                                       {.stage = &plane_stage}};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    aldis_system *system;
    yard_ref yard;
    saw_ref first;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, yard, &yard, NULL) != ALDIS_OK ||
        aldis_pipeline_spawn(system, saw, &first, stages, 2, yard.id) != ALDIS_OK) {
        fprintf(stderr, "pipeline: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (uint32_t i = 0; i < 6; i++)
        aldis_send(system, first, trunk, .number = i + 1, .metres = metres[i]);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_stats stats;
    if (aldis_system_stats(system, &stats) == ALDIS_OK) {
        const aldis_type_stats *row = aldis_stats_type(&stats, "trunk");
        printf("set aside: %llu\n", row ? (unsigned long long)row->dead : 0);
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(system);
    return 0;
}
