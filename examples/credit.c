// SPDX-License-Identifier: Apache-2.0
/* credit.c: a courier brings parcels to two depots. One is slow; it says how much it can take, and
 * the courier goes on to serve the other. */
#include <aldis/aldis.h>
#include <stdio.h>

struct parcel {
    uint32_t number;
};
ALDIS_MESSAGE(parcel, struct parcel);
ALDIS_SIGNAL(go);

#define DEPOT_PROTOCOL(X, kind) X(kind, parcel)
ALDIS_PROTOCOL(depot, DEPOT_PROTOCOL);
#define COURIER_PROTOCOL(X, kind) X(kind, go) X(kind, aldis_credit_notice)
ALDIS_PROTOCOL(courier, COURIER_PROTOCOL);

struct depot {
    const char *name;
    aldis_ns work_ns; /* for each parcel */
};

static aldis_err depot_start(void *state, const void *arg, aldis_ctx *ctx)
{
    *(struct depot *)state = *(const struct depot *)arg;
    return aldis_credit_accept(ctx, &(aldis_credit_terms){.window = 2});
}

static aldis_err depot_on_parcel(struct depot *self, const struct parcel *msg, aldis_ctx *ctx)
{
    printf("%4d ms: %s depot takes parcel %u\n", (int)(aldis_now(ctx) / ALDIS_MS), self->name,
           (unsigned)msg->number);
    return aldis_busy(ctx, self->work_ns);
}
ALDIS_BEHAVIOUR(depot, struct depot, DEPOT_PROTOCOL, .on_start = depot_start);

struct route {
    depot_ref slow, fast;
};

struct courier {
    struct route route;
    uint32_t to_slow, to_fast; /* parcels brought */
};

static aldis_err courier_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct courier *self = state;
    courier_ref me = {.id = aldis_self(ctx)};
    self->route = *(const struct route *)arg;
    aldis_err err = aldis_credit_open(ctx, self->route.slow.id, NULL);
    if (err == ALDIS_OK)
        err = aldis_credit_open(ctx, self->route.fast.id, NULL);
    return err == ALDIS_OK ? aldis_signal_after(ctx, 10 * ALDIS_MS, me, go) : err;
}

/* Bring the slow depot what it has credit for. */
static void serve_slow(struct courier *self, aldis_ctx *ctx)
{
    while (self->to_slow < 5) {
        aldis_err err = aldis_credit_try_send(ctx, self->route.slow, parcel, self->to_slow + 1);
        if (err != ALDIS_OK) {
            printf("%4d ms: for the slow depot: %s\n", (int)(aldis_now(ctx) / ALDIS_MS),
                   aldis_error_name(err));
            return;
        }
        self->to_slow++;
    }
}

static aldis_err courier_on_go(struct courier *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    serve_slow(self, ctx);
    while (self->to_fast < 5) /* what there is no credit for waits in the outbox */
        if (aldis_credit_send(ctx, self->route.fast, parcel, ++self->to_fast) != ALDIS_OK)
            return aldis_fail(ctx, "the outbox is full");
    return ALDIS_OK;
}

/* There is credit again, or the stream has ended. */
static aldis_err courier_on_aldis_credit_notice(struct courier *self,
                                                const aldis_credit_notice *notice, aldis_ctx *ctx)
{
    if (notice->result != ALDIS_OK)
        return aldis_fail(ctx, "a depot has closed");
    printf("%4d ms: credit for %u\n", (int)(aldis_now(ctx) / ALDIS_MS),
           (unsigned)notice->available);
    serve_slow(self, ctx);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(courier, struct courier, COURIER_PROTOCOL, .on_start = courier_start);

int main(void)
{
    aldis_system *system;
    struct route route;
    courier_ref courier;
    const struct depot slow = {"slow", 200 * ALDIS_MS}, fast = {"fast", 5 * ALDIS_MS};
    /* One worker: what happens at one time is printed in one order. */
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, depot, &route.slow, &(aldis_spawn_opts){ALDIS_ARG(&slow)}) !=
            ALDIS_OK ||
        aldis_spawn(system, depot, &route.fast, &(aldis_spawn_opts){ALDIS_ARG(&fast)}) !=
            ALDIS_OK ||
        aldis_spawn(system, courier, &courier, &(aldis_spawn_opts){ALDIS_ARG(&route)}) !=
            ALDIS_OK) {
        fprintf(stderr, "credit: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err == ALDIS_OK ? 0 : 1;
}
