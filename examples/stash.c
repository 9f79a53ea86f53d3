// SPDX-License-Identifier: Apache-2.0
/* stash.c: a store that keeps questions aside until its stock is counted; a periodic timer. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_MESSAGE(buy, uint32_t);
ALDIS_SIGNAL(count_on);

#define STORE_PROTOCOL(X, kind) X(kind, buy) X(kind, count_on)
ALDIS_PROTOCOL(store, STORE_PROTOCOL);

struct store {
    uint32_t shelves_counted, stock;
    aldis_timer timer;
};

static aldis_err store_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct store *self = state;
    (void)arg;
    return aldis_timer_every(ctx, 10 * ALDIS_SECOND, count_on, &self->timer);
}

static aldis_err store_on_count_on(struct store *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->stock += 4;
    printf("%2d s: shelf %u counted\n", (int)(aldis_now(ctx) / ALDIS_SECOND),
           (unsigned)++self->shelves_counted);
    if (self->shelves_counted < 3)
        return ALDIS_OK;
    aldis_err err = aldis_timer_cancel(ctx, self->timer);
    return err != ALDIS_OK ? err : aldis_unstash_all(ctx);
}

static aldis_err store_on_buy(struct store *self, const uint32_t *number, aldis_ctx *ctx)
{
    if (self->shelves_counted < 3)
        return aldis_stash(ctx); /* we do not know yet what there is */
    if (*number > self->stock)
        return aldis_reject(ctx, ALDIS_EREFUSED);
    self->stock -= *number;
    printf("%2d s: %u sold, %u left\n", (int)(aldis_now(ctx) / ALDIS_SECOND), (unsigned)*number,
           (unsigned)self->stock);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(store, struct store, STORE_PROTOCOL, .on_start = store_start,
                .mailbox = {.stash_msgs = 100});

int main(void)
{
    aldis_system *system;
    store_ref store;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, store, &store, NULL) != ALDIS_OK) {
        fprintf(stderr, "stash: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send_after(system, 1 * ALDIS_SECOND, store, buy, 7);
    aldis_send_after(system, 2 * ALDIS_SECOND, store, buy, 3);
    aldis_send_after(system, 15 * ALDIS_SECOND, store, buy, 9); /* more than there is by then */
    aldis_send_after(system, 40 * ALDIS_SECOND, store, buy, 2);
    aldis_system_run(system, ALDIS_FOREVER, NULL);

    aldis_stats stats;
    aldis_err err = aldis_system_stats(system, &stats);
    if (err == ALDIS_OK) {
        const aldis_type_stats *buys = aldis_stats_type(&stats, "buy");
        printf("buy: sent %u, handled %u, rejected %u\n", (unsigned)buys->sent,
               (unsigned)buys->handled, (unsigned)buys->rejected);
        aldis_stats_fini(&stats);
    }
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
