// SPDX-License-Identifier: Apache-2.0
/* sender.h: what one actor has sent reliably, and not yet been told of. Layer: delivery. Owner of
 * the shard only.
 *
 * Each pending message has a slot, named in its track, so that an acknowledgement finds it without
 * a search. Time-outs lie in a heap; one alarm is under way for the first of them, so that pending
 * messages cost nothing while they wait. What is confirmed stays in the heap until its time comes
 * or half of the heap is such: neither sending nor confirming costs a walk through the heap.
 *
 * Invariants:
 *   the pending messages of a stream are linked in the order of their numbers; the first one's
 *   number is the stream's base: all before it are confirmed or given up
 *   heap_stale = heap_count - (entries of the heap that are some pending message's own) */
#ifndef ALDIS_DELIVERY_SENDER_H
#define ALDIS_DELIVERY_SENDER_H

#include "core/part.h"
#include "core/timer.h"
#include "core/tracked.h"
#include <aldis/delivery.h>

enum {
    ALDIS__PENDING_MAX = 1 << 20,        /* messages of one sender */
    ALDIS__STREAM_WINDOW = 1024,         /* pending in one stream */
    ALDIS__PENDING_INLINE = 40,          /* payload bytes that need no block of their own */
    ALDIS__PENDING_CHUNK = 2,            /* few: many actors have one message pending at a time */
    ALDIS__PENDING_NONE = (1 << 24) - 1, /* no slot */
};
#define ALDIS__PENDING_BYTES_MAX (UINT64_C(256) << 20)
/* The numbers of messages in no stream have this bit. */
#define ALDIS__NUMBER_LOOSE (UINT64_C(1) << 63)

struct aldis__pending {
    aldis_type *type;
    uint64_t number; /* 0: the slot is free */
    aldis_id to;
    aldis_ns sent_ns, due_ns, deadline_ns;
    aldis_ns wait_ns, wait_max_ns; /* of this attempt; of any */
    aldis_ns delay_ns;             /* of the send; 0: the default */
    uint64_t context;
    uint32_t stream, prev, next; /* slots; of free slots: next */
    uint32_t attempts, max_retries;
    uint32_t size;
    uint16_t jitter_permille;
    uint16_t result; /* what its sender could not be told yet; ALDIS_OK: nothing */
    uint8_t grade, lane;
    bool ordered, uncounted;
    bool durable, committed; /* its payload is a frame, `to` an endpoint; the file has it */
    union {
        unsigned char bytes[ALDIS__PENDING_INLINE];
        void *block; /* size > ALDIS__PENDING_INLINE */
    };
};

/* To one receiver: its stream, and what is in no stream. */
struct aldis__stream {
    aldis_id to;
    uint64_t next_number;
    uint32_t first, last; /* slots */
    uint32_t count;
};

struct aldis__due {
    aldis_ns at_ns;
    uint64_t number;
    uint32_t slot;
};

struct aldis__sender {
    struct aldis__part part;
    struct aldis__pending **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t free; /* slot */
    uint32_t count;
    uint64_t bytes;

    struct aldis__stream *streams;
    uint32_t stream_count, stream_capacity;
    uint32_t *stream_of; /* hash by receiver and kind of stream: index + 1; 0: free */
    uint32_t hash_size;

    struct aldis__due *heap;
    uint32_t heap_count, heap_capacity, heap_stale;
    struct aldis__alarm alarm; /* for the first time-out */
    bool retry_waits;          /* the alarm has come, and what is due waits for its turn */
    bool keeps;                /* something to be known for ever: a stream's number, or figures */
    uint64_t first_loose;      /* number of the first message in no stream; see sender_make() */

    aldis_delivery_stats stats; /* as a sender; pending and oldest age unused */
};

/** The actor's sender; NULL: it has none. */
struct aldis__sender *aldis__sender_of(const struct aldis__cell *cell);
/** The same, made if need be. NULL: out of memory. */
struct aldis__sender *aldis__sender_make(struct aldis__cell *cell);
/** Forget it if nothing is pending and nothing in it has to be kept. From the end of a message. */
void aldis__sender_leave(struct aldis__worker *worker, struct aldis__cell *cell);
/** Its restart: in reliable.c, which knows how to wait. */
void aldis__sender_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                           struct aldis__part *part);

/** A free slot with the next number of the stream. ALDIS_EAGAIN a bound; ALDIS_ENOMEM. */
aldis_err aldis__sender_take(struct aldis__sender *sender, aldis_id to, bool loose, size_t size,
                             uint32_t *out_slot);
/** The same for one that a store has, with a given number. ALDIS_ENOMEM. */
aldis_err aldis__sender_take_back(struct aldis__sender *sender, aldis_id to, uint64_t number,
                                  size_t size, uint32_t *out_slot);
/** The stream's next number. False: out of memory. */
bool aldis__sender_set_next(struct aldis__sender *sender, aldis_id to, uint64_t number);
/** Give a slot back. `unsent`: it was the stream's last, and its number is used again. */
void aldis__sender_release(struct aldis__sender *sender, uint32_t slot, bool unsent);

static inline struct aldis__pending *aldis__sender_at(const struct aldis__sender *sender,
                                                      uint32_t slot)
{
    return &sender->chunks[slot / ALDIS__PENDING_CHUNK][slot % ALDIS__PENDING_CHUNK];
}

/** The message of a slot, if it is still the one with this number. NULL: it is not. */
static inline struct aldis__pending *aldis__sender_find(const struct aldis__sender *sender,
                                                        uint32_t slot, uint64_t number)
{
    if (slot >= sender->chunk_count * ALDIS__PENDING_CHUNK || number == 0)
        return NULL;
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    return pending->number == number ? pending : NULL;
}

/** How far the number of a pending message is above its stream's base. */
uint32_t aldis__sender_above_base(const struct aldis__sender *sender, uint32_t slot);

/** Have the message looked at when its due_ns comes. It has been taken, and waits for no more than
 *  one other time: then this cannot fail. */
void aldis__sender_wait(struct aldis__sender *sender, uint32_t slot);
/** A message that is waited for is confirmed, or waits for another time: its entry is stale. */
void aldis__sender_unwait(struct aldis__sender *sender);
/** A message whose time has come, no longer waited for; ALDIS__PENDING_NONE: none. */
uint32_t aldis__sender_pop_due(struct aldis__sender *sender, aldis_ns now_ns);
/** When to look again; ALDIS_FOREVER: nothing is waited for. */
aldis_ns aldis__sender_next_due(struct aldis__sender *sender);

static inline const void *aldis__pending_payload(const struct aldis__pending *pending)
{
    return pending->size > ALDIS__PENDING_INLINE ? pending->block : pending->bytes;
}

#endif
