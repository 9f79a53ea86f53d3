// SPDX-License-Identifier: Apache-2.0
/* gated.c: bounded, adaptive and unbounded channels: a gate, and a ring or a pile behind it. Layer:
 * messaging. */
#include "messaging/channel.h"
#include "messaging/pile.h"
#include "messaging/ring.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, CAPACITY_ENDLESS_SHIFT = 62 };

/* ------------------------------------------------------------------ what both share */

aldis_err aldis__gated_pop_error(struct aldis__gated *gated)
{
    return aldis__gate_is_over(&gated->gate) ? ALDIS_ENOSENDER : ALDIS_EAGAIN;
}

void aldis__gated_taken(struct aldis__gated *gated)
{
    /* Relaxed: a counter with one writer. */
    aldis__store_relaxed(&gated->received, aldis__load_relaxed(&gated->received) + 1);
    aldis__gate_leave(&gated->gate);
}

void aldis__gated_unlisten(struct aldis_rx *receiver)
{
    aldis__waiting_delist(&aldis__gated_of(receiver->channel)->waiting);
}

void aldis__gated_close_sending(struct aldis_tx *channel)
{
    struct aldis__gated *gated = aldis__gated_of(channel);
    (void)aldis__gate_close(&gated->gate, ALDIS__GATE_NO_SENDER);
    aldis__waiting_wake(&gated->waiting);
}

void aldis__gated_close_receiving(struct aldis_rx *receiver)
{
    (void)aldis__gate_close(&aldis__gated_of(receiver->channel)->gate, ALDIS__GATE_NO_RECEIVER);
}

void aldis__gated_leave(struct aldis_rx *receiver)
{
    struct aldis__gated *gated = aldis__gated_of(receiver->channel);
    uint64_t tail = aldis__gate_close(&gated->gate, ALDIS__GATE_NO_RECEIVER);
    /* Relaxed: the head is this thread's own; a counter with one writer. Tickets that are not used
     * yet count as discarded, too: nobody will take what comes. */
    uint64_t taken = aldis__load_relaxed(&gated->gate.head) >> ALDIS__GATE_TAKEN_SHIFT;
    aldis__store_relaxed(&gated->discarded, (tail >> ALDIS__GATE_TICKET_SHIFT) - taken);
}

void aldis__gated_count(struct aldis_tx *channel, aldis_channel_stats *out_stats)
{
    struct aldis__gated *gated = aldis__gated_of(channel);
    struct aldis__gate *gate = &gated->gate;
    /* Relaxed, all of them: exact only while nobody uses the channel. */
    uint64_t taken = aldis__load_relaxed(&gate->head) >> ALDIS__GATE_TAKEN_SHIFT;
    uint64_t given = aldis__load_relaxed(&gate->tail) >> ALDIS__GATE_TICKET_SHIFT;
    uint64_t limit = aldis__load_relaxed(&gate->limit);
    out_stats->sent = given + out_stats->refused;
    out_stats->received = aldis__load_relaxed(&gated->received);
    out_stats->discarded = aldis__load_relaxed(&gated->discarded);
    out_stats->queued = given - taken - out_stats->discarded;
    out_stats->capacity_msgs = limit >> CAPACITY_ENDLESS_SHIFT ? UINT64_MAX : limit;
    out_stats->receivers = aldis__load_relaxed(&gate->tail) & ALDIS__GATE_NO_RECEIVER ? 0 : 1;
}

static void tell_room(struct aldis__gate *gate)
{
    aldis__told_all(
        (struct aldis__gated *)(void *)((char *)gate - offsetof(struct aldis__gated, gate)));
}

static void init(struct aldis__gated *gated, uint64_t limit, uint64_t limit_max,
                 struct aldis_rx **out_rx)
{
    aldis__gate_init(&gated->gate, limit, limit_max);
    gated->gate.on_room = tell_room;
    gated->base.has_gate = true;
    gated->receiver.channel = &gated->base;
    *out_rx = &gated->receiver;
}

/* ------------------------------------------------------------------ the ring */

struct ring {
    struct aldis__gated gated;
    uint64_t mask;
    size_t stride;        /* bytes of a slot */
    unsigned char *slots; /* begin at a line */
    unsigned char *memory;
};

static inline struct aldis__slot *slot_of(struct ring *ring, uint64_t ticket)
{
    return (struct aldis__slot *)(void *)(ring->slots + (ticket & ring->mask) * ring->stride);
}

static inline struct ring *ring_of(struct aldis_tx *channel)
{
    return (struct ring *)(void *)channel;
}

static inline uint64_t next_ticket(struct ring *ring)
{
    /* Relaxed: only the receiver moves it, and this is the receiver. */
    return aldis__load_relaxed(&ring->gated.gate.head) >> ALDIS__GATE_TAKEN_SHIFT;
}

static aldis_err ring_push(struct aldis_tx *channel, const void *value)
{
    struct ring *ring = ring_of(channel);
    uint64_t ticket;
    aldis_err err = aldis__gate_enter(&ring->gated.gate, &ticket);
    if (err != ALDIS_OK)
        return err;
    struct aldis__slot *slot = slot_of(ring, ticket);
    memcpy(slot->value, value, channel->size);
    if (aldis__slot_publish(slot, ticket))
        aldis__waiting_wake(&ring->gated.waiting);
    return ALDIS_OK;
}

static aldis_err ring_pop(struct aldis_rx *receiver, void *out_value)
{
    struct ring *ring = ring_of(receiver->channel);
    uint64_t ticket = next_ticket(ring);
    struct aldis__slot *slot = slot_of(ring, ticket);
    if (!aldis__slot_is_full(slot, ticket))
        return aldis__gated_pop_error(&ring->gated);
    memcpy(out_value, slot->value, receiver->channel->size);
    aldis__gated_taken(&ring->gated);
    return ALDIS_OK;
}

static bool ring_is_ready(struct aldis_rx *receiver)
{
    struct ring *ring = ring_of(receiver->channel);
    uint64_t ticket = next_ticket(ring);
    return aldis__slot_is_full(slot_of(ring, ticket), ticket) ||
           aldis__gate_is_over(&ring->gated.gate);
}

static bool ring_listen(struct aldis_rx *receiver, struct aldis__waiter *waiter)
{
    struct ring *ring = ring_of(receiver->channel);
    uint64_t ticket = next_ticket(ring);
    aldis__waiting_enlist(&ring->gated.waiting, waiter);
    return aldis__slot_listen(slot_of(ring, ticket), ticket) ||
           aldis__gate_is_over(&ring->gated.gate);
}

static void ring_destroy(struct aldis_tx *channel)
{
    aldis__told_free(aldis__gated_of(channel));
    free(ring_of(channel)->memory);
    free(channel);
}

static const struct aldis__channel_kind ring_kind = {.push = ring_push,
                                                     .pop = ring_pop,
                                                     .is_ready = ring_is_ready,
                                                     .listen = ring_listen,
                                                     .unlisten = aldis__gated_unlisten,
                                                     .close_sending = aldis__gated_close_sending,
                                                     .close_receiving =
                                                         aldis__gated_close_receiving,
                                                     .leave = aldis__gated_leave,
                                                     .count = aldis__gated_count,
                                                     .destroy = ring_destroy};

/* A small message has a cache line to itself: what is handed over is then one line, and the next
 * sender writes to another. */
static size_t stride_of(uint32_t size)
{
    size_t bytes = sizeof(struct aldis__slot) + size;
    return (bytes + LINE - 1) / LINE * LINE;
}

struct aldis_tx *aldis__ring_channel(const aldis_channel_opts *opts, uint32_t size,
                                     struct aldis_rx **out_rx)
{
    struct ring *ring = aligned_alloc(LINE, (sizeof *ring + LINE - 1) / LINE * LINE);
    if (!ring)
        return NULL;
    memset(ring, 0, sizeof *ring);
    uint64_t slots = 1;
    while (slots < opts->capacity_msgs)
        slots *= 2;
    ring->mask = slots - 1;
    ring->stride = stride_of(size);
    /* Zeroes are empty slots; the kernel's, where there are many, so they cost nothing until they
     * are used. */
    ring->memory = calloc(1, slots * ring->stride + LINE);
    if (!ring->memory) {
        free(ring);
        return NULL;
    }
    ring->slots = ring->memory + (LINE - (uintptr_t)ring->memory % LINE) % LINE;
    ring->gated.base.kind = &ring_kind;
    init(&ring->gated, opts->capacity_msgs, opts->capacity_msgs, out_rx);
    return &ring->gated.base;
}

/* ------------------------------------------------------------------ the pile */

struct pile_channel {
    struct aldis__gated gated;
    struct aldis__leaf *oldest; /* taken, and not received yet: the receiver's */
    _Alignas(LINE) struct aldis__pile pile;
};

static inline struct pile_channel *pile_of(struct aldis_tx *channel)
{
    return (struct pile_channel *)(void *)channel;
}

static aldis_err pile_push(struct aldis_tx *channel, const void *value)
{
    struct pile_channel *self = pile_of(channel);
    /* Memory first: a ticket is a promise. */
    struct aldis__leaf *leaf = malloc(sizeof *leaf + channel->size);
    if (!leaf)
        return ALDIS_ENOMEM;
    uint64_t ticket;
    aldis_err err = aldis__gate_enter(&self->gated.gate, &ticket);
    if (err != ALDIS_OK) {
        free(leaf);
        return err;
    }
    memcpy(leaf->value, value, channel->size);
    if (aldis__pile_push(&self->pile, leaf))
        aldis__waiting_wake(&self->gated.waiting);
    return ALDIS_OK;
}

static aldis_err pile_pop(struct aldis_rx *receiver, void *out_value)
{
    struct pile_channel *self = pile_of(receiver->channel);
    if (!self->oldest)
        self->oldest = aldis__pile_take(&self->pile);
    struct aldis__leaf *leaf = self->oldest;
    if (!leaf)
        return aldis__gated_pop_error(&self->gated);
    memcpy(out_value, leaf->value, receiver->channel->size);
    self->oldest = leaf->next;
    free(leaf);
    aldis__gated_taken(&self->gated);
    return ALDIS_OK;
}

static bool pile_is_ready(struct aldis_rx *receiver)
{
    struct pile_channel *self = pile_of(receiver->channel);
    if (!self->oldest)
        self->oldest = aldis__pile_take(&self->pile);
    return self->oldest || aldis__gate_is_over(&self->gated.gate);
}

static bool pile_listen(struct aldis_rx *receiver, struct aldis__waiter *waiter)
{
    struct pile_channel *self = pile_of(receiver->channel);
    aldis__waiting_enlist(&self->gated.waiting, waiter);
    return self->oldest || aldis__pile_listen(&self->pile) ||
           aldis__gate_is_over(&self->gated.gate);
}

static void free_leaves(struct aldis__leaf *leaf)
{
    while (leaf) {
        struct aldis__leaf *next = leaf->next;
        free(leaf);
        leaf = next;
    }
}

static void pile_leave(struct aldis_rx *receiver)
{
    struct pile_channel *self = pile_of(receiver->channel);
    aldis__gated_leave(receiver);
    free_leaves(self->oldest);
    self->oldest = NULL;
    free_leaves(aldis__pile_take(&self->pile));
}

static void pile_destroy(struct aldis_tx *channel)
{
    struct pile_channel *self = pile_of(channel);
    aldis__told_free(&self->gated);
    free_leaves(self->oldest);
    free_leaves(aldis__pile_take(&self->pile));
    free(self);
}

static const struct aldis__channel_kind pile_kind = {.push = pile_push,
                                                     .pop = pile_pop,
                                                     .is_ready = pile_is_ready,
                                                     .listen = pile_listen,
                                                     .unlisten = aldis__gated_unlisten,
                                                     .close_sending = aldis__gated_close_sending,
                                                     .close_receiving =
                                                         aldis__gated_close_receiving,
                                                     .leave = pile_leave,
                                                     .count = aldis__gated_count,
                                                     .destroy = pile_destroy};

struct aldis_tx *aldis__pile_channel(const aldis_channel_opts *opts, uint32_t size,
                                     struct aldis_rx **out_rx)
{
    (void)size;
    struct pile_channel *self = aligned_alloc(LINE, (sizeof *self + LINE - 1) / LINE * LINE);
    if (!self)
        return NULL;
    memset(self, 0, sizeof *self);
    uint64_t limit = UINT64_C(1) << CAPACITY_ENDLESS_SHIFT, limit_max = limit;
    if (opts->kind == ALDIS_CHANNEL_BOUNDED) {
        limit = opts->capacity_msgs;
        limit_max = opts->capacity_max_msgs;
    }
    self->gated.base.kind = &pile_kind;
    init(&self->gated, limit, limit_max, out_rx);
    return &self->gated.base;
}
