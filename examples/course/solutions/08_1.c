// SPDX-License-Identifier: Apache-2.0
/* 08_1.c: a store that is slower than the stage before it: credit keeps what is inside bounded.
 * Chapter 8, exercise 1. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { CRATES = 40 };

struct crate {
    int32_t number;
    int32_t reserved; /* so that there is no padding */
    aldis_ns inspected_ns;
};
ALDIS_MESSAGE(unloaded, struct crate);
ALDIS_MESSAGE(inspected, struct crate);
ALDIS_SIGNAL(unload);

#define STORE_PROTOCOL(X, kind) X(kind, inspected)
ALDIS_PROTOCOL(store, STORE_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, unload)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static aldis_err inspect(const struct crate *in, struct crate *out, aldis_ctx *ctx)
{
    *out = *in;
    out->inspected_ns = aldis_now(ctx);
    return aldis_busy(ctx, ALDIS_SECOND);
}
ALDIS_STAGE(inspect, unloaded, inspected);

/* Two crates at most lie before it. */
static aldis_err store_on_inspected(int *stored, const struct crate *crate, aldis_ctx *ctx)
{
    if (++*stored % 5 == 0)
        printf("%3d s: crate %d comes in, inspected %d s ago\n",
               (int)(aldis_now(ctx) / ALDIS_SECOND), (int)crate->number,
               (int)((aldis_now(ctx) - crate->inspected_ns) / ALDIS_SECOND));
    return aldis_busy(ctx, 10 * ALDIS_SECOND);
}
ALDIS_BEHAVIOUR(store, int, STORE_PROTOCOL, .mailbox = {.capacity_msgs = 2});

struct ship {
    inspect_ref quay;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    static const aldis_stage_opts stages[] = {{.stage = &inspect_stage, .credit_msgs = 2}};
    struct ship *self = state;
    return aldis_pipeline_spawn(ctx, inspect, &self->quay, stages, 1, ((const store_ref *)arg)->id);
}

static aldis_err ship_on_unload(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (int32_t i = 1; i <= CRATES && err == ALDIS_OK; i++)
        err = aldis_send(ctx, self->quay, unloaded, .number = i);
    return err;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    store_ref store;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, store, &store, NULL) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&store)}) != ALDIS_OK ||
        aldis_signal(system, ship, unload) != ALDIS_OK) {
        fprintf(stderr, "08_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
