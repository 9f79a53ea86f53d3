// SPDX-License-Identifier: Apache-2.0
/* till.c: see till.h. */
#include "till.h"

struct till_world till_world;

struct till {
    uint64_t unused;
};

static aldis_err till_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    till_world.till_starts++;
    till_world.till_err = aldis_durable_open(ctx, till_world.store, till_world.till_name, NULL);
    return till_world.till_err;
}

static aldis_err till_on_sale(struct till *self, const struct sale *msg, aldis_ctx *ctx)
{
    for (uint64_t i = 0; i < msg->count; i++) {
        uint64_t serial = msg->serial + i;
        aldis_err err = aldis_send_durable(ctx, "ledger", payment, serial, NULL, .serial = serial,
                                           .cents = (uint32_t)(serial % 100));
        if (err == ALDIS_OK)
            continue;
        /* The rest when there is room again. */
        till_ref me = {.id = aldis_self(ctx)};
        till_world.again++;
        (void)self;
        return aldis_send_after(ctx, 5 * ALDIS_MS, me, sale, .serial = serial,
                                .count = msg->count - i);
    }
    bool fails = till_world.till_fails;
    till_world.till_fails = false;
    return fails ? aldis_fail(ctx, "once") : ALDIS_OK;
}

static aldis_err till_on_aldis_accepted(struct till *self, const aldis_accepted *msg,
                                        aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    if (msg->result == ALDIS_OK)
        till_world.accepted++;
    else
        till_world.refused++;
    if (till_world.on_accepted)
        till_world.on_accepted(msg->context, (aldis_err)msg->result);
    return ALDIS_OK;
}

static aldis_err till_on_aldis_delivered(struct till *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)self;
    till_world.delivered += msg->result == ALDIS_OK;
    if (till_world.on_delivered)
        till_world.on_delivered();
    if (till_world.delivered == till_world.stop_after)
        aldis_halt(ctx);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(till, struct till, TILL_PROTOCOL, .on_start = till_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

struct ledger {
    struct books books;
};

static aldis_err ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ledger *self = state;
    (void)arg;
    till_world.ledger_err =
        aldis_durable_open(ctx, till_world.store, "ledger", &till_world.restored);
    till_world.books = self->books;
    return till_world.ledger_err;
}

static aldis_err ledger_on_payment(struct ledger *self, const Payment *msg, aldis_ctx *ctx)
{
    struct books *books = &self->books;
    (void)ctx;
    if (msg->serial >= SERIALS_MAX)
        return ALDIS_EINVAL;
    uint8_t *byte = &books->seen[msg->serial / 8], bit = (uint8_t)(1u << msg->serial % 8);
    books->duplicates += (*byte & bit) != 0;
    books->unordered += msg->serial < books->last;
    *byte |= bit;
    books->last = msg->serial;
    books->count++;
    books->cents += msg->cents;
    till_world.books = *books;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL, .on_start = ledger_start,
                .durable = ALDIS_DURABLE(struct ledger, books));
