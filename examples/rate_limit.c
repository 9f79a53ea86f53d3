// SPDX-License-Identifier: Apache-2.0
/* rate_limit.c: an actor that must not flood another: at most two messages at a time on their way
 * to a slow receiver, and at most ten a second. In virtual time, so that the print is always the
 * same. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

struct order {
    uint32_t number;
};
ALDIS_MESSAGE(order, struct order);
ALDIS_SIGNAL(go);
ALDIS_SIGNAL(report);

#define SHOP_PROTOCOL(X, kind) X(kind, order)
#define BUYER_PROTOCOL(X, kind) X(kind, go) X(kind, report)
ALDIS_PROTOCOL(shop, SHOP_PROTOCOL);
ALDIS_PROTOCOL(buyer, BUYER_PROTOCOL);

struct shop {
    uint32_t served;
};

static aldis_err shop_on_order(struct shop *self, const struct order *msg, aldis_ctx *ctx)
{
    self->served++;
    printf("%4d ms: order %" PRIu32 "\n", (int)(aldis_now(ctx) / ALDIS_MS), msg->number);
    return aldis_busy(ctx, 20 * ALDIS_MS); /* so long each one takes */
}
ALDIS_BEHAVIOUR(shop, struct shop, SHOP_PROTOCOL);

struct buyer {
    shop_ref shop;
    aldis_flow *flow;
};

static aldis_err buyer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct buyer *self = state;
    self->shop = *(const shop_ref *)arg;
    const aldis_flow_opts opts = {.concurrent_max = 2, /* on their way at the same time */
                                  .queue_max = 5,      /* may wait for a permit or a token */
                                  .rate = {.tokens = 10, .burst = 3}}; /* a second */
    return aldis_flow_create(ctx, &opts, &self->flow);
}

static aldis_err buyer_on_go(struct buyer *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    for (uint32_t i = 1; i <= 8; i++) {
        aldis_err err = aldis_flow_send(ctx, self->flow, ALDIS_SECOND, self->shop, order, i);
        if (err != ALDIS_OK)
            printf("order %" PRIu32 ": %s\n", i, aldis_error_text(err));
    }
    aldis_err err = aldis_flow_try_send(ctx, self->flow, self->shop, order, 9);
    printf("order 9, now or never: %s\n", aldis_error_text(err));
    return ALDIS_OK;
}

static aldis_err buyer_on_report(struct buyer *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_flow_stats stats;
    aldis_flow_get_stats(ctx, self->flow, &stats);
    printf("submitted %" PRIu64 ": sent %" PRIu64 ", refused %" PRIu64 "; at most %" PRIu32
           " at a time, %" PRIu64 " tokens left\n",
           stats.submitted, stats.sent, stats.refused, stats.in_flight_peak, stats.tokens);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(buyer, struct buyer, BUYER_PROTOCOL, .on_start = buyer_start);

int main(void)
{
    aldis_system *system;
    shop_ref shop;
    buyer_ref buyer;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, shop, &shop, NULL) != ALDIS_OK ||
        aldis_spawn(system, buyer, &buyer, &(aldis_spawn_opts){ALDIS_ARG(&shop)}) != ALDIS_OK) {
        fprintf(stderr, "rate_limit: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_signal(system, buyer, go);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_signal(system, buyer, report);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
