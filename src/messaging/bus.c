// SPDX-License-Identifier: Apache-2.0
/* bus.c: broadcast channels: every receiver gets every message, or is told how many it missed.
 * Layer: messaging.
 *
 * One lock: a send overwrites what readers may be about to copy, so a lock-free one would have to
 * copy payloads atomically, word by word. Each call holds it for one copy. Receivers have their own
 * place in one ring; a sender never waits for them. */
#include "messaging/channel.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bus_receiver {
    struct aldis_rx base;
    struct bus_receiver *next, **link; /* in the bus's list */
    uint64_t place;                    /* the next to receive */
    bool closed;
    uint64_t end; /* closed: no more than that */
    struct aldis__waiting waiting;
};

struct bus {
    struct aldis_tx base;
    pthread_mutex_t lock; /* of all below, and of the receivers */
    struct bus_receiver *receivers;
    uint32_t open, count; /* receivers */
    bool closed;          /* by the senders */
    uint64_t capacity;
    uint64_t tail; /* messages sent */
    uint64_t sent, received, dropped, discarded;
    unsigned char values[]; /* capacity, in a circle */
};

static inline struct bus *bus_of(struct aldis_tx *channel)
{
    return (struct bus *)(void *)channel;
}

static inline struct bus_receiver *receiver_of(struct aldis_rx *receiver)
{
    return (struct bus_receiver *)(void *)receiver;
}

static inline unsigned char *value_of(struct bus *bus, uint64_t number)
{
    return bus->values + number % bus->capacity * bus->base.size;
}

static inline uint64_t end_of(const struct bus *bus, const struct bus_receiver *receiver)
{
    return receiver->closed ? receiver->end : bus->tail;
}

/* How many of those before its end are gone: they were overwritten. */
static uint64_t missed_by(const struct bus *bus, const struct bus_receiver *receiver)
{
    uint64_t oldest = bus->tail > bus->capacity ? bus->tail - bus->capacity : 0;
    uint64_t end = end_of(bus, receiver);
    if (oldest > end)
        oldest = end;
    return oldest > receiver->place ? oldest - receiver->place : 0;
}

/* Under the lock. */
static void wake_all(struct bus *bus)
{
    for (struct bus_receiver *receiver = bus->receivers; receiver; receiver = receiver->next)
        /* Relaxed: whoever listens has enlisted under the lock. */
        if (aldis__load_relaxed(&receiver->waiting.waiter))
            aldis__waiting_wake(&receiver->waiting);
}

static aldis_err bus_push(struct aldis_tx *channel, const void *value)
{
    struct bus *bus = bus_of(channel);
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&bus->lock);
    if (bus->closed) {
        err = ALDIS_ESHUTDOWN;
    } else if (bus->open == 0) {
        err = ALDIS_ENORECEIVER;
    } else {
        memcpy(value_of(bus, bus->tail), value, channel->size);
        bus->tail++;
        bus->sent += bus->open;
        wake_all(bus);
    }
    pthread_mutex_unlock(&bus->lock);
    return err;
}

/* Under the lock. */
static bool has_something(const struct bus *bus, const struct bus_receiver *receiver)
{
    return receiver->place < end_of(bus, receiver) || bus->closed || receiver->closed;
}

static aldis_err bus_pop(struct aldis_rx *base, void *out_value)
{
    struct bus *bus = bus_of(base->channel);
    struct bus_receiver *receiver = receiver_of(base);
    aldis_err err = ALDIS_OK;
    pthread_mutex_lock(&bus->lock);
    uint64_t missed = missed_by(bus, receiver);
    if (missed > 0) {
        receiver->place += missed;
        bus->dropped += missed;
        base->missed = missed;
        err = ALDIS_EMISSED;
    } else if (receiver->place < end_of(bus, receiver)) {
        memcpy(out_value, value_of(bus, receiver->place), base->channel->size);
        receiver->place++;
        bus->received++;
    } else {
        err = has_something(bus, receiver) ? ALDIS_ENOSENDER : ALDIS_EAGAIN;
    }
    pthread_mutex_unlock(&bus->lock);
    return err;
}

static bool bus_is_ready(struct aldis_rx *base)
{
    struct bus *bus = bus_of(base->channel);
    pthread_mutex_lock(&bus->lock);
    bool ready = has_something(bus, receiver_of(base));
    pthread_mutex_unlock(&bus->lock);
    return ready;
}

static bool bus_listen(struct aldis_rx *base, struct aldis__waiter *waiter)
{
    struct bus *bus = bus_of(base->channel);
    struct bus_receiver *receiver = receiver_of(base);
    pthread_mutex_lock(&bus->lock);
    aldis__waiting_enlist(&receiver->waiting, waiter);
    bool ready = has_something(bus, receiver);
    pthread_mutex_unlock(&bus->lock);
    return ready;
}

static void bus_unlisten(struct aldis_rx *base)
{
    aldis__waiting_delist(&receiver_of(base)->waiting);
}

static void bus_close_sending(struct aldis_tx *channel)
{
    struct bus *bus = bus_of(channel);
    pthread_mutex_lock(&bus->lock);
    bus->closed = true;
    wake_all(bus);
    pthread_mutex_unlock(&bus->lock);
}

/* Under the lock. */
static void close_one(struct bus *bus, struct bus_receiver *receiver)
{
    if (receiver->closed)
        return;
    receiver->end = bus->tail;
    receiver->closed = true;
    bus->open--;
}

static void bus_close_receiving(struct aldis_rx *base)
{
    struct bus *bus = bus_of(base->channel);
    pthread_mutex_lock(&bus->lock);
    close_one(bus, receiver_of(base));
    pthread_mutex_unlock(&bus->lock);
}

static void bus_leave(struct aldis_rx *base)
{
    struct bus *bus = bus_of(base->channel);
    struct bus_receiver *receiver = receiver_of(base);
    pthread_mutex_lock(&bus->lock);
    close_one(bus, receiver);
    uint64_t missed = missed_by(bus, receiver);
    bus->dropped += missed;
    bus->discarded += receiver->end - receiver->place - missed;
    *receiver->link = receiver->next;
    if (receiver->next)
        receiver->next->link = receiver->link;
    bus->count--;
    pthread_mutex_unlock(&bus->lock);
    free(receiver);
}

static void bus_count(struct aldis_tx *channel, aldis_channel_stats *out_stats)
{
    struct bus *bus = bus_of(channel);
    pthread_mutex_lock(&bus->lock);
    out_stats->sent = bus->sent + out_stats->refused;
    out_stats->received = bus->received;
    out_stats->dropped = bus->dropped;
    out_stats->discarded = bus->discarded;
    out_stats->capacity_msgs = bus->capacity;
    out_stats->receivers = bus->count;
    for (struct bus_receiver *receiver = bus->receivers; receiver; receiver = receiver->next) {
        uint64_t missed = missed_by(bus, receiver);
        out_stats->dropped += missed;
        out_stats->queued += end_of(bus, receiver) - receiver->place - missed;
    }
    pthread_mutex_unlock(&bus->lock);
}

static void bus_destroy(struct aldis_tx *channel)
{
    pthread_mutex_destroy(&bus_of(channel)->lock);
    free(channel);
}

const struct aldis__channel_kind aldis__bus_kind = {.push = bus_push,
                                                    .pop = bus_pop,
                                                    .is_ready = bus_is_ready,
                                                    .listen = bus_listen,
                                                    .unlisten = bus_unlisten,
                                                    .close_sending = bus_close_sending,
                                                    .close_receiving = bus_close_receiving,
                                                    .leave = bus_leave,
                                                    .count = bus_count,
                                                    .destroy = bus_destroy};

/* Under the lock, or while nobody else knows the bus. */
static void add(struct bus *bus, struct bus_receiver *receiver)
{
    receiver->base.channel = &bus->base;
    receiver->place = bus->tail;
    receiver->next = bus->receivers;
    receiver->link = &bus->receivers;
    if (receiver->next)
        receiver->next->link = &receiver->next;
    bus->receivers = receiver;
    bus->open++;
    bus->count++;
}

struct aldis_rx *aldis__bus_receiver(struct aldis_rx *other)
{
    struct bus *bus = bus_of(other->channel);
    struct bus_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver)
        return NULL;
    pthread_mutex_lock(&bus->lock);
    add(bus, receiver);
    pthread_mutex_unlock(&bus->lock);
    return &receiver->base;
}

struct aldis_tx *aldis__bus_channel(const aldis_channel_opts *opts, uint32_t size,
                                    struct aldis_rx **out_rx)
{
    struct bus *bus = calloc(1, sizeof *bus + (size_t)opts->capacity_msgs * size);
    if (!bus)
        return NULL;
    struct bus_receiver *receiver = calloc(1, sizeof *receiver);
    if (!receiver || pthread_mutex_init(&bus->lock, NULL) != 0) {
        free(receiver);
        free(bus);
        return NULL;
    }
    bus->base.kind = &aldis__bus_kind;
    bus->capacity = opts->capacity_msgs;
    add(bus, receiver);
    *out_rx = &receiver->base;
    return &bus->base;
}
