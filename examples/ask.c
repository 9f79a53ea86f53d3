// SPDX-License-Identifier: Apache-2.0
/* ask.c: requests and replies: a buyer asks a shop for prices, with a time-out. In virtual time. */
#include <aldis/aldis.h>
#include <stdio.h>

struct price {
    uint32_t item;
};
struct quote {
    uint32_t item, cents;
};
ALDIS_MESSAGE(price, struct price);
ALDIS_MESSAGE(quote, struct quote);
ALDIS_REQUEST(price, quote); /* a price is answered by a quote */
ALDIS_SIGNAL(go);

#define SHOP_PROTOCOL(X, kind) X(kind, price)
#define BUYER_PROTOCOL(X, kind) X(kind, go)
ALDIS_PROTOCOL(shop, SHOP_PROTOCOL);
ALDIS_PROTOCOL(buyer, BUYER_PROTOCOL);

struct shop {
    aldis_promise later; /* an answer that is still owed */
};

static aldis_err shop_on_price(struct shop *self, const struct price *msg, aldis_ctx *ctx)
{
    if (msg->item == 3) /* it has to think: the answer may come later, from any handler */
        return aldis_promise_take(ctx, &self->later);
    if (msg->item > 3)
        return aldis_reply_error(ctx, ALDIS_EREFUSED);
    return aldis_reply(ctx, quote, .item = msg->item, .cents = 250 * msg->item);
}
ALDIS_BEHAVIOUR(shop, struct shop, SHOP_PROTOCOL);

struct buyer {
    shop_ref shop;
};

static aldis_err buyer_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct buyer *self = state;
    (void)arg;
    return aldis_spawn(ctx, shop, &self->shop, NULL);
}

static aldis_err buyer_on_quote(struct buyer *self, const aldis_answer *answer,
                                const struct quote *quote, aldis_ctx *ctx)
{
    (void)self;
    long long ms = aldis_now(ctx) / ALDIS_MS;
    unsigned item = (unsigned)answer->context;
    if (quote)
        printf("at %2lld ms: item %u costs %u cents\n", ms, item, quote->cents);
    else
        printf("at %2lld ms: no price for item %u: %s\n", ms, item, aldis_error_text(answer->err));
    return ALDIS_OK;
}
ALDIS_ON_REPLY(buyer_on_quote, struct buyer, price);

static aldis_err buyer_on_go(struct buyer *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (uint32_t item = 1; err == ALDIS_OK && item <= 4; item++)
        err = aldis_ask(ctx, self->shop, price, buyer_on_quote,
                        aldis_ask_with(.timeout_ns = 20 * ALDIS_MS, .context = item), .item = item);
    return err;
}
ALDIS_BEHAVIOUR(buyer, struct buyer, BUYER_PROTOCOL, .on_start = buyer_start);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    aldis_system *system;
    buyer_ref buyer;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, buyer, &buyer, NULL) != ALDIS_OK ||
        aldis_signal(system, buyer, go) != ALDIS_OK) {
        fprintf(stderr, "ask: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
