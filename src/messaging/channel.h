// SPDX-License-Identifier: Apache-2.0
/* channel.h: what the kinds of channels share. Layer: messaging.
 *
 * A channel is its senders' handle, too. Each kind is a table of what differs; blocking, timing
 * out, selecting and counting handles is done once, in channel.c.
 *
 * Memory: `refs` counts one for all senders together and one for each receiver; a oneshot has its
 * own rule. */
#ifndef ALDIS_MESSAGING_CHANNEL_H
#define ALDIS_MESSAGING_CHANNEL_H

#include "messaging/gate.h"
#include "messaging/waiter.h"
#include <aldis/channel.h>

struct aldis__told;

struct aldis__channel_kind {
    /** Never blocks. ALDIS_EFULL, ALDIS_ENORECEIVER, ALDIS_ESHUTDOWN, ALDIS_ENOMEM. */
    aldis_err (*push)(struct aldis_tx *channel, const void *value);
    /** Where a full channel has no gate: wait at most timeout_ns. Else NULL. */
    aldis_err (*push_until)(struct aldis_tx *channel, const void *value, aldis_ns timeout_ns);
    /** Never blocks. ALDIS_EAGAIN, ALDIS_ENOSENDER, ALDIS_EMISSED. */
    aldis_err (*pop)(struct aldis_rx *receiver, void *out_value);
    /** Is there anything that pop would not answer with ALDIS_EAGAIN? */
    bool (*is_ready)(struct aldis_rx *receiver);
    /** The same, for a thread that is about to sleep: enlist its waiter, then look a last time. */
    bool (*listen)(struct aldis_rx *receiver, struct aldis__waiter *waiter);
    void (*unlisten)(struct aldis_rx *receiver);
    /** All senders are gone, or one has closed the channel. */
    void (*close_sending)(struct aldis_tx *channel);
    void (*close_receiving)(struct aldis_rx *receiver);
    /** The receiver goes: count what it discards. */
    void (*leave)(struct aldis_rx *receiver);
    void (*count)(struct aldis_tx *channel, aldis_channel_stats *out_stats);
    void (*destroy)(struct aldis_tx *channel);
};

struct aldis_tx {
    const struct aldis__channel_kind *kind;
    aldis_type *type;
    uint32_t size;             /* bytes of a message */
    bool has_gate;             /* an aldis__gated: sends may have to wait */
    _Atomic(uint32_t) senders; /* handles */
    _Atomic(uint32_t) refs;
    _Atomic(uint64_t) refused;
};

struct aldis_rx {
    struct aldis_tx *channel;
    uint64_t picked; /* when select picked it last */
    uint64_t missed; /* of the last ALDIS_EMISSED */
};

/** A channel with a bound, or of one receiver at least. */
struct aldis__gated {
    struct aldis_tx base;
    struct aldis_rx receiver;
    struct aldis__waiting waiting;      /* the receiver's thread */
    _Atomic(struct aldis__told *) told; /* actors that want to know of room */
    _Atomic(uint64_t) received;         /* one writer: the receiver */
    _Atomic(uint64_t) discarded;        /* the same */
    struct aldis__gate gate;
};

static inline struct aldis__gated *aldis__gated_of(struct aldis_tx *channel)
{
    return (struct aldis__gated *)(void *)channel;
}

/* What the two kinds with a gate share: gated.c. */
aldis_err aldis__gated_pop_error(struct aldis__gated *gated);
void aldis__gated_taken(struct aldis__gated *gated);
void aldis__gated_unlisten(struct aldis_rx *receiver);
void aldis__gated_close_sending(struct aldis_tx *channel);
void aldis__gated_close_receiving(struct aldis_rx *receiver);
void aldis__gated_leave(struct aldis_rx *receiver);
void aldis__gated_count(struct aldis_tx *channel, aldis_channel_stats *out_stats);

/** Each kind's maker. NULL: out of memory. */
struct aldis_tx *aldis__ring_channel(const aldis_channel_opts *opts, uint32_t size,
                                     struct aldis_rx **out_rx);
struct aldis_tx *aldis__pile_channel(const aldis_channel_opts *opts, uint32_t size,
                                     struct aldis_rx **out_rx);
struct aldis_tx *aldis__oneshot_channel(const aldis_channel_opts *opts, uint32_t size,
                                        struct aldis_rx **out_rx);
struct aldis_tx *aldis__bus_channel(const aldis_channel_opts *opts, uint32_t size,
                                    struct aldis_rx **out_rx);
/** One more receiver of a broadcast. NULL: out of memory. */
struct aldis_rx *aldis__bus_receiver(struct aldis_rx *receiver);
/** Is this a broadcast? A oneshot? */
extern const struct aldis__channel_kind aldis__bus_kind, aldis__oneshot_kind;

/** A handler's send in virtual time: is this one, and note it for the window's end. */
bool aldis__channel_is_staged(const struct aldis_tx *channel);
aldis_err aldis__channel_stage(struct aldis_tx *channel, const void *value);
/** The same of a close. False: it is none of a handler in virtual time, and nothing was done. */
bool aldis__channel_stage_close(struct aldis_tx *channel);

/** There is room, or will never be: tell the actors that wait for it. Or forget them. */
void aldis__told_all(struct aldis__gated *gated);
void aldis__told_free(struct aldis__gated *gated);

/** Count a send that was refused. Returns err, with its details set. */
aldis_err aldis__channel_refuse(struct aldis_tx *channel, aldis_err err);

/** The calling thread's own. NULL: out of memory. */
struct aldis__waiter *aldis__waiter_mine(void);

/** Give up one reference to the memory. */
void aldis__channel_unref(struct aldis_tx *channel);

#endif
