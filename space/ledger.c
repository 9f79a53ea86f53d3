// SPDX-License-Identifier: Apache-2.0
/* ledger.c: the actor that keeps count of how long ships waited for a berth, and how often they
 * were refused one. Everything else is read in the pages: see books.h. Layer: space. */
#include "ledger.h"

#include "digest.h"
#include "histogram.h"
#include "protocol.h"

struct ledger {
    struct ledger_result *result; /* written once, when the ledger stops */
    uint64_t refusals;
    struct histogram waits, wait_errors;
};

static aldis_err ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct ledger *self = state;
    self->result = ((const struct ledger_arg *)arg)->result;
    return ALDIS_OK;
}

static void ledger_stop(void *state, aldis_ctx *ctx)
{
    (void)ctx;
    const struct ledger *self = state;
    self->result->refusals = self->refusals;
    self->result->waits = histogram_times(&self->waits);
    self->result->wait_errors = histogram_times(&self->wait_errors);
}

static aldis_err ledger_on_ship_berthed(struct ledger *self, const struct ship_berthed *msg,
                                        aldis_ctx *ctx)
{
    (void)ctx;
    aldis_ns error_ns = msg->wait_ns - msg->estimate_ns;
    histogram_add(&self->waits, msg->wait_ns);
    histogram_add(&self->wait_errors, error_ns < 0 ? -error_ns : error_ns);
    return ALDIS_OK;
}

static aldis_err ledger_on_ship_refused(struct ledger *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->refusals++;
    return ALDIS_OK;
}

static uint64_t ledger_digest(const void *state)
{
    const struct ledger *self = state;
    return digest_mix(self->waits.count, self->refusals);
}

/* Many ships may dock at once; none should have to wait for the ledger. */
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL, .on_start = ledger_start,
                .on_stop = ledger_stop, .digest = ledger_digest,
                .mailbox = {.capacity_msgs = 65536, .capacity_bytes = 16u << 20});
