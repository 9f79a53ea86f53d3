// SPDX-License-Identifier: Apache-2.0
/* inspect.c: what an actor has pending, to look at. Layer: delivery. Threads: the worker that runs
 * the actor; nothing here changes anything. */
#include "base/error.h"
#include "core/send.h"
#include "delivery/receiver.h"
#include "delivery/sender.h"

size_t aldis_pending_count(aldis_ctx *ctx)
{
    const struct aldis__sender *sender =
        aldis__ctx_is_mine(ctx) ? aldis__sender_of(ctx->cell) : NULL;
    return sender ? sender->count : 0;
}

static aldis_pending describe(const struct aldis__cell *cell, const struct aldis__pending *pending)
{
    return (aldis_pending){
        .id = {cell->id, pending->durable ? aldis_nobody() : pending->to, pending->number},
        .type_name = pending->type ? pending->type->name : "",
        .sent_ns = pending->sent_ns,
        .retries = pending->attempts ? pending->attempts - 1 : 0, /* durable: not committed yet */
        .max_retries = pending->max_retries,
        .timeout_ns = pending->wait_ns};
}

size_t aldis_pending_list(aldis_ctx *ctx, aldis_pending *out, size_t max)
{
    const struct aldis__sender *sender =
        aldis__ctx_is_mine(ctx) ? aldis__sender_of(ctx->cell) : NULL;
    size_t count = 0;
    for (uint32_t s = 0; sender && s < sender->stream_count; s++) {
        for (uint32_t slot = sender->streams[s].first; slot != ALDIS__PENDING_NONE;) {
            const struct aldis__pending *pending = aldis__sender_at(sender, slot);
            if (out && count < max)
                out[count] = describe(ctx->cell, pending);
            count++;
            slot = pending->next;
        }
    }
    return count;
}

aldis_err aldis_delivery_get_stats(aldis_ctx *ctx, aldis_delivery_stats *out_stats)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("delivery_get_stats");
    if (!out_stats)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                                "delivery_get_stats: out_stats is NULL");
    const struct aldis__sender *sender = aldis__sender_of(ctx->cell);
    const struct aldis__receiver *receiver = aldis__receiver_of(ctx->cell);
    aldis_delivery_stats stats = sender ? sender->stats : (aldis_delivery_stats){.pending = 0};
    aldis_ns now_ns = ctx->now_ns + ctx->busy_ns, oldest_ns = now_ns;
    for (uint32_t s = 0; sender && s < sender->stream_count; s++) {
        uint32_t first = sender->streams[s].first;
        if (first != ALDIS__PENDING_NONE && aldis__sender_at(sender, first)->sent_ns < oldest_ns)
            oldest_ns = aldis__sender_at(sender, first)->sent_ns;
    }
    stats.pending = sender ? sender->count : 0;
    stats.oldest_age_ns = now_ns - oldest_ns;
    stats.received = receiver ? receiver->received : 0;
    stats.duplicates = receiver ? receiver->duplicates : 0;
    *out_stats = stats;
    return ALDIS_OK;
}
