// SPDX-License-Identifier: Apache-2.0
/* wildcards.c: subscribe to patterns of topics; the last value for who comes late; a bound for who
 * is slow. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(price, int32_t);
ALDIS_SIGNAL(trade);

#define WATCHER_PROTOCOL(X, kind) X(kind, price)
ALDIS_PROTOCOL(watcher, WATCHER_PROTOCOL);
#define MARKET_PROTOCOL(X, kind) X(kind, trade)
ALDIS_PROTOCOL(market, MARKET_PROTOCOL);

struct watcher {
    const char *pattern;
};

static aldis_err watcher_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct watcher *self = state;
    self->pattern = *(const char *const *)arg;
    /* However slow this actor is, only the newest price of each topic waits for it. */
    return aldis_subscribe_with(ctx, self->pattern,
                                &(aldis_subscribe_opts){.overflow = ALDIS_TOPIC_KEEP_NEWEST});
}

static aldis_err watcher_on_price(struct watcher *self, const int32_t *credits, aldis_ctx *ctx)
{
    printf("%-12s %s: %" PRId32 "\n", self->pattern, aldis_topic_of(ctx), *credits);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(watcher, struct watcher, WATCHER_PROTOCOL, .on_start = watcher_start);

static aldis_err market_on_trade(char *self, const aldis_none *msg, aldis_ctx *ctx)
{
    static const char *const topics[] = {"sol.ore", "sol.ice", "mars.ore.dust"};
    (void)self;
    (void)msg;
    for (int i = 0; i < 3; i++) {
        aldis_fanout fanout;
        aldis_err err = aldis_publish(ctx, topics[i], &fanout, price, 10 * (i + 1));
        if (err != ALDIS_OK)
            return err;
        printf("%s: matched %" PRIu64 ", delivered %" PRIu64 ", refused %" PRIu64 "\n", topics[i],
               fanout.matched, fanout.delivered, fanout.refused);
    }
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(market, char, MARKET_PROTOCOL);

static aldis_err watch(aldis_system *system, const char *pattern)
{
    watcher_ref watcher;
    const aldis_spawn_opts opts = {ALDIS_ARG(&pattern)};
    aldis_err err = aldis_spawn(system, watcher, &watcher, &opts);
    return err == ALDIS_OK ? aldis_system_run(system, ALDIS_FOREVER, NULL) : err;
}

int main(void)
{
    aldis_system *system;
    market_ref market;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_topic_keep(system, "sol.ore", true) != ALDIS_OK ||
        watch(system, "*.ore") != ALDIS_OK || watch(system, "mars.>") != ALDIS_OK ||
        aldis_spawn(system, market, &market, NULL) != ALDIS_OK ||
        aldis_signal(system, market, trade) != ALDIS_OK) {
        fprintf(stderr, "wildcards: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    printf("one comes late:\n");
    watch(system, "sol.*"); /* sol.ore keeps its last value; sol.ice does not */
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
