// SPDX-License-Identifier: Apache-2.0
/* oneshot.c: a channel for one message: one block of memory, which whoever ends second frees.
 * Layer: messaging. */
#include "messaging/oneshot.h"

#include "messaging/channel.h"
#include <stdlib.h>
#include <string.h>

struct oneshot_channel {
    struct aldis_tx base;
    struct aldis_rx receiver;
    struct aldis__oneshot shared;
    unsigned char value[];
};

static inline struct oneshot_channel *oneshot_of(struct aldis_tx *channel)
{
    return (struct oneshot_channel *)(void *)channel;
}

static aldis_err oneshot_push(struct aldis_tx *channel, const void *value)
{
    struct oneshot_channel *self = oneshot_of(channel);
    memcpy(self->value, value, channel->size);
    return aldis__oneshot_send(&self->shared, ALDIS__ONESHOT_FULL) ? ALDIS_OK : ALDIS_ENORECEIVER;
}

static aldis_err oneshot_pop(struct aldis_rx *receiver, void *out_value)
{
    struct oneshot_channel *self = oneshot_of(receiver->channel);
    uint64_t word = aldis__oneshot_look(&self->shared);
    if (!(word & ALDIS__ONESHOT_SENDER_ENDED))
        return ALDIS_EAGAIN;
    if (!(word & ALDIS__ONESHOT_FULL))
        return ALDIS_ENOSENDER;
    memcpy(out_value, self->value, receiver->channel->size);
    free(self);
    return ALDIS_OK;
}

static bool oneshot_is_ready(struct aldis_rx *receiver)
{
    return aldis__oneshot_look(&oneshot_of(receiver->channel)->shared) &
           ALDIS__ONESHOT_SENDER_ENDED;
}

static bool oneshot_listen(struct aldis_rx *receiver, struct aldis__waiter *waiter)
{
    return aldis__oneshot_listen(&oneshot_of(receiver->channel)->shared, waiter);
}

static void oneshot_unlisten(struct aldis_rx *receiver)
{
    aldis__waiting_delist(&oneshot_of(receiver->channel)->shared.waiting);
}

/* The sender was dropped unused: it touches the memory no more, or frees it. */
static void oneshot_close_sending(struct aldis_tx *channel)
{
    struct oneshot_channel *self = oneshot_of(channel);
    if (!aldis__oneshot_send(&self->shared, 0))
        free(self);
}

/* The sender finds out when it sends; until then the receiver may still hear of it. */
static void oneshot_close_receiving(struct aldis_rx *receiver)
{
    (void)receiver;
}

static void oneshot_leave(struct aldis_rx *receiver)
{
    struct oneshot_channel *self = oneshot_of(receiver->channel);
    if (aldis__oneshot_end(&self->shared))
        free(self);
}

static void oneshot_count(struct aldis_tx *channel, aldis_channel_stats *out_stats)
{
    uint64_t word = aldis__oneshot_look(&oneshot_of(channel)->shared);
    out_stats->queued = word & ALDIS__ONESHOT_FULL ? 1 : 0;
    out_stats->sent = out_stats->queued + out_stats->refused;
    out_stats->capacity_msgs = 1;
    out_stats->senders = word & ALDIS__ONESHOT_SENDER_ENDED ? 0 : 1;
    out_stats->receivers = word & ALDIS__ONESHOT_RECEIVER_ENDED ? 0 : 1;
}

const struct aldis__channel_kind aldis__oneshot_kind = {.push = oneshot_push,
                                                        .pop = oneshot_pop,
                                                        .is_ready = oneshot_is_ready,
                                                        .listen = oneshot_listen,
                                                        .unlisten = oneshot_unlisten,
                                                        .close_sending = oneshot_close_sending,
                                                        .close_receiving = oneshot_close_receiving,
                                                        .leave = oneshot_leave,
                                                        .count = oneshot_count,
                                                        .destroy = NULL};

struct aldis_tx *aldis__oneshot_channel(const aldis_channel_opts *opts, uint32_t size,
                                        struct aldis_rx **out_rx)
{
    (void)opts;
    struct oneshot_channel *self = malloc(sizeof *self + size);
    if (!self)
        return NULL;
    memset(self, 0, sizeof *self);
    self->base.kind = &aldis__oneshot_kind;
    self->receiver.channel = &self->base;
    *out_rx = &self->receiver;
    return &self->base;
}
