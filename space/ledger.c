// SPDX-License-Identifier: Apache-2.0
/* ledger.c: the actor that keeps count of how long ships waited for a berth, and how often they
 * were refused one. Everything else is read in the pages: see books.h. Layer: space. */
#include "ledger.h"

#include "digest.h"
#include "protocol.h"

struct ledger {
    struct ledger_page *page;
};

static aldis_err ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct ledger *)state)->page = ((const struct ledger_arg *)arg)->page;
    return ALDIS_OK;
}

static aldis_err ledger_on_ship_berthed(struct ledger *self, const struct ship_berthed *msg,
                                        aldis_ctx *ctx)
{
    (void)ctx;
    aldis_ns error_ns = msg->wait_ns - msg->estimate_ns;
    histogram_add(&self->page->waits, msg->wait_ns);
    if (msg->estimate_ns > 0)
        histogram_add(&self->page->wait_errors, error_ns < 0 ? -error_ns : error_ns);
    return ALDIS_OK;
}

static aldis_err ledger_on_ship_refused(struct ledger *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->page->refusals++;
    return ALDIS_OK;
}

static aldis_err ledger_on_ship_held(struct ledger *self, const struct ship_held *msg,
                                     aldis_ctx *ctx)
{
    (void)ctx;
    histogram_add(&self->page->holds, msg->wait_ns);
    return ALDIS_OK;
}

static uint64_t ledger_digest(const void *state)
{
    const struct ledger_page *page = ((const struct ledger *)state)->page;
    return digest_mix(page->waits.count, page->refusals);
}

/* Many ships may dock at once; none should have to wait for the ledger. */
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL, .on_start = ledger_start,
                .digest = ledger_digest,
                .mailbox = {.capacity_msgs = 65536, .capacity_bytes = 16u << 20});
