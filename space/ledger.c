// SPDX-License-Identifier: Apache-2.0
/* ledger.c: the actor that keeps count of what the ships tell it. Layer: space. */
#include "digest.h"
#include "histogram.h"
#include "protocol.h"

struct ledger {
    struct ledger_result *result; /* written once, when the ledger stops */
    struct ledger_result so_far;
    struct histogram waits, wait_errors;
};

static aldis_err ledger_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    const struct ledger_arg *given = arg;
    struct ledger *self = state;
    self->result = given->result;
    self->so_far.ships[SHIP_idle] = given->ship_count;
    return ALDIS_OK;
}

static void ledger_stop(void *state, aldis_ctx *ctx)
{
    (void)ctx;
    const struct ledger *self = state;
    *self->result = self->so_far;
    self->result->waits = histogram_times(&self->waits);
    self->result->wait_errors = histogram_times(&self->wait_errors);
}

static void count_docking(struct ledger *self, const struct ship_changed *msg)
{
    aldis_ns error_ns = msg->wait_ns - msg->estimate_ns;
    self->so_far.dockings++;
    self->so_far.stations[msg->station].dockings++;
    self->so_far.stations[msg->station].wait_total_ns += msg->wait_ns;
    histogram_add(&self->waits, msg->wait_ns);
    histogram_add(&self->wait_errors, error_ns < 0 ? -error_ns : error_ns);
}

static aldis_err ledger_on_ship_changed(struct ledger *self, const struct ship_changed *msg,
                                        aldis_ctx *ctx)
{
    if (self->so_far.ships[msg->from] == 0)
        return aldis_fail(ctx, "a ship left a state that no ship was in");
    self->so_far.ships[msg->from]--;
    self->so_far.ships[msg->to]++;
    if (msg->to == SHIP_docked)
        count_docking(self, msg);
    return ALDIS_OK;
}

static aldis_err ledger_on_ship_refused(struct ledger *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->so_far.refusals++;
    return ALDIS_OK;
}

static uint64_t ledger_digest(const void *state)
{
    const struct ledger *self = state;
    uint64_t digest = digest_mix(self->so_far.dockings, self->so_far.refusals);
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++)
        digest = digest_mix(digest, self->so_far.ships[i]);
    return digest;
}

/* All ships may change at once; none should have to wait for the ledger. */
ALDIS_BEHAVIOUR(ledger, struct ledger, LEDGER_PROTOCOL, .on_start = ledger_start,
                .on_stop = ledger_stop, .digest = ledger_digest,
                .mailbox = {.capacity_msgs = 65536, .capacity_bytes = 16u << 20});
