// SPDX-License-Identifier: Apache-2.0
/* sender.c: see sender.h. Layer: delivery. */
#include "delivery/sender.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

enum { STREAMS_FIRST = 2, HEAP_FIRST = 4, STALE_MIN = 64, LOOSE_SHIFT = 20 };

/* ------------------------------------------------------------------ life */

static void fini(struct aldis__part *part)
{
    struct aldis__sender *sender = (struct aldis__sender *)(void *)part;
    for (uint32_t i = 0; i < sender->chunk_count; i++) {
        for (uint32_t j = 0; j < ALDIS__PENDING_CHUNK; j++) {
            struct aldis__pending *pending = &sender->chunks[i][j];
            if (pending->number && pending->size > ALDIS__PENDING_INLINE)
                free(pending->block);
        }
        free(sender->chunks[i]);
    }
    free(sender->chunks);
    free(sender->streams);
    free(sender->stream_of);
    free(sender->heap);
}

/* What was accepted is still owed to its receivers after a restart. */
static const struct aldis__part_class sender_class = {.name = "aldis.delivery.sender",
                                                      .size = sizeof(struct aldis__sender),
                                                      .on_restart = aldis__sender_restart,
                                                      .fini = fini};

struct aldis__sender *aldis__sender_of(const struct aldis__cell *cell)
{
    return (struct aldis__sender *)(void *)aldis__part_of(cell, &sender_class);
}

struct aldis__sender *aldis__sender_make(struct aldis__cell *cell)
{
    struct aldis__sender *sender =
        (struct aldis__sender *)(void *)aldis__part_make(cell, &sender_class);
    if (!sender || sender->first_loose)
        return sender;
    sender->free = ALDIS__PENDING_NONE;
    /* An actor may have had a sender before. Each message of that one was confirmed or given up by
     * one that the actor has handled, so no number comes twice. */
    sender->first_loose =
        ALDIS__NUMBER_LOOSE | ((cell->handled << LOOSE_SHIFT & ~ALDIS__NUMBER_LOOSE) + 1);
    return sender;
}

void aldis__sender_leave(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__sender *sender = aldis__sender_of(cell);
    if (!sender || sender->count > 0 || sender->keeps || sender->retry_waits)
        return;
    aldis__alarm_end(worker, &sender->alarm);
    aldis__part_drop(cell, &sender->part);
}

/* ------------------------------------------------------------------ streams */

/* A receiver has two: the stream proper, and the messages that are in no order. */
static uint32_t hash_of(aldis_id to, bool loose)
{
    return (uint32_t)aldis__mix64(to.bits + (loose ? UINT64_C(1) << 63 : 0));
}

static bool is_loose(const struct aldis__stream *stream)
{
    return (stream->next_number & ALDIS__NUMBER_LOOSE) != 0;
}

static uint32_t *place_of(const struct aldis__sender *sender, aldis_id to, bool loose)
{
    uint32_t mask = sender->hash_size - 1;
    for (uint32_t i = hash_of(to, loose) & mask;; i = (i + 1) & mask) {
        uint32_t found = sender->stream_of[i];
        if (!found || (aldis_id_equal(sender->streams[found - 1].to, to) &&
                       is_loose(&sender->streams[found - 1]) == loose))
            return &sender->stream_of[i];
    }
}

static bool grow_streams(struct aldis__sender *sender)
{
    uint32_t capacity = sender->stream_capacity ? 2 * sender->stream_capacity : STREAMS_FIRST;
    struct aldis__stream *streams = realloc(sender->streams, capacity * sizeof *streams);
    if (!streams)
        return false;
    sender->streams = streams;
    uint32_t *stream_of = calloc(2 * (size_t)capacity, sizeof *stream_of);
    if (!stream_of)
        return false;
    free(sender->stream_of);
    sender->stream_of = stream_of;
    sender->hash_size = 2 * capacity;
    sender->stream_capacity = capacity;
    for (uint32_t i = 0; i < sender->stream_count; i++)
        *place_of(sender, streams[i].to, is_loose(&streams[i])) = i + 1;
    return true;
}

/* Its index; UINT32_MAX: out of memory. */
static uint32_t stream_to(struct aldis__sender *sender, aldis_id to, bool loose)
{
    if (sender->hash_size) {
        uint32_t found = *place_of(sender, to, loose);
        if (found)
            return found - 1;
    }
    if (sender->stream_count == sender->stream_capacity && !grow_streams(sender))
        return UINT32_MAX;
    uint32_t index = sender->stream_count++;
    sender->keeps |= !loose;
    sender->streams[index] = (struct aldis__stream){.to = to,
                                                    .next_number = loose ? sender->first_loose : 1,
                                                    .first = ALDIS__PENDING_NONE,
                                                    .last = ALDIS__PENDING_NONE};
    *place_of(sender, to, loose) = index + 1;
    return index;
}

uint32_t aldis__sender_above_base(const struct aldis__sender *sender, uint32_t slot)
{
    const struct aldis__pending *pending = aldis__sender_at(sender, slot);
    uint32_t first = sender->streams[pending->stream].first;
    return (uint32_t)(pending->number - aldis__sender_at(sender, first)->number);
}

/* ------------------------------------------------------------------ slots */

static bool add_chunk(struct aldis__sender *sender)
{
    if (sender->chunk_count == sender->chunk_capacity) {
        uint32_t capacity = sender->chunk_capacity ? 2 * sender->chunk_capacity : 4;
        struct aldis__pending **chunks =
            realloc(sender->chunks, capacity * sizeof(struct aldis__pending *));
        if (!chunks)
            return false;
        sender->chunks = chunks;
        sender->chunk_capacity = capacity;
    }
    struct aldis__pending *chunk = calloc(ALDIS__PENDING_CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    uint32_t first = sender->chunk_count * ALDIS__PENDING_CHUNK;
    for (uint32_t i = ALDIS__PENDING_CHUNK; i-- > 0;) {
        chunk[i].next = sender->free;
        sender->free = first + i;
    }
    sender->chunks[sender->chunk_count++] = chunk;
    return true;
}

static aldis_err check_bounds(const struct aldis__sender *sender, aldis_id to, size_t size)
{
    if (sender->count >= ALDIS__PENDING_MAX)
        return aldis__error_set(ALDIS_EAGAIN, to, "", "send: %u reliable messages are pending",
                                sender->count);
    if (sender->count && sender->bytes + size > ALDIS__PENDING_BYTES_MAX)
        return aldis__error_set(ALDIS_EAGAIN, to, "",
                                "send: reliable messages of %llu bytes are pending",
                                (unsigned long long)sender->bytes);
    return ALDIS_OK;
}

static void append(struct aldis__sender *sender, uint32_t slot)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    struct aldis__stream *stream = &sender->streams[pending->stream];
    pending->prev = stream->last;
    pending->next = ALDIS__PENDING_NONE;
    if (stream->last == ALDIS__PENDING_NONE)
        stream->first = slot;
    else
        aldis__sender_at(sender, stream->last)->next = slot;
    stream->last = slot;
    stream->count++;
}

static aldis_err no_memory(aldis_id to)
{
    return aldis__error_set(ALDIS_ENOMEM, to, "", "send: a reliable message");
}

/* Room for one more entry of each pending message and of one more: so that waiting, which must not
 * fail once a message is accepted, does not. */
static bool reserve_heap(struct aldis__sender *sender)
{
    uint32_t needed = sender->heap_count + 2 * (sender->count + 1);
    if (needed <= sender->heap_capacity)
        return true;
    uint32_t capacity = sender->heap_capacity ? sender->heap_capacity : HEAP_FIRST;
    while (capacity < needed)
        capacity *= 2;
    struct aldis__due *heap = realloc(sender->heap, capacity * sizeof *heap);
    if (!heap)
        return false;
    sender->heap = heap;
    sender->heap_capacity = capacity;
    return true;
}

static aldis_err take(struct aldis__sender *sender, uint32_t index, uint64_t number, size_t size,
                      uint32_t *out_slot)
{
    aldis_id to = sender->streams[index].to;
    void *block = size > ALDIS__PENDING_INLINE ? malloc(size) : NULL;
    if ((size > ALDIS__PENDING_INLINE && !block) || !reserve_heap(sender) ||
        (sender->free == ALDIS__PENDING_NONE && !add_chunk(sender))) {
        free(block);
        return no_memory(to);
    }
    uint32_t slot = sender->free;
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    sender->free = pending->next;
    pending->number = number;
    pending->to = to;
    pending->stream = index;
    pending->size = (uint32_t)size;
    if (block)
        pending->block = block;
    append(sender, slot);
    sender->count++;
    sender->bytes += size;
    *out_slot = slot;
    return ALDIS_OK;
}

aldis_err aldis__sender_take(struct aldis__sender *sender, aldis_id to, bool loose, size_t size,
                             uint32_t *out_slot)
{
    aldis_err err = check_bounds(sender, to, size);
    if (err != ALDIS_OK)
        return err;
    uint32_t index = stream_to(sender, to, loose);
    if (index == UINT32_MAX)
        return no_memory(to);
    struct aldis__stream *stream = &sender->streams[index];
    if (!loose && stream->count &&
        stream->next_number - aldis__sender_at(sender, stream->first)->number >=
            ALDIS__STREAM_WINDOW)
        return aldis__error_set(ALDIS_EAGAIN, to, "",
                                "send: the first of the last %d messages of this stream is not "
                                "confirmed yet",
                                ALDIS__STREAM_WINDOW);
    err = take(sender, index, stream->next_number, size, out_slot);
    stream->next_number += err == ALDIS_OK;
    return err;
}

aldis_err aldis__sender_take_back(struct aldis__sender *sender, aldis_id to, uint64_t number,
                                  size_t size, uint32_t *out_slot)
{
    uint32_t index = stream_to(sender, to, false);
    return index == UINT32_MAX ? no_memory(to) : take(sender, index, number, size, out_slot);
}

bool aldis__sender_set_next(struct aldis__sender *sender, aldis_id to, uint64_t number)
{
    uint32_t index = stream_to(sender, to, false);
    if (index != UINT32_MAX)
        sender->streams[index].next_number = number;
    return index != UINT32_MAX;
}

void aldis__sender_release(struct aldis__sender *sender, uint32_t slot, bool unsent)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    struct aldis__stream *stream = &sender->streams[pending->stream];
    if (pending->prev == ALDIS__PENDING_NONE)
        stream->first = pending->next;
    else
        aldis__sender_at(sender, pending->prev)->next = pending->next;
    if (pending->next == ALDIS__PENDING_NONE)
        stream->last = pending->prev;
    else
        aldis__sender_at(sender, pending->next)->prev = pending->prev;
    stream->count--;
    if (unsent)
        stream->next_number--;
    if (pending->size > ALDIS__PENDING_INLINE)
        free(pending->block);
    sender->count--;
    sender->bytes -= pending->size;
    pending->number = 0;
    pending->next = sender->free;
    sender->free = slot;
}

/* ------------------------------------------------------------------ time-outs */

/* By time, then by slot and number: what is due at one instant has one order. */
static inline bool comes_before(const struct aldis__due *a, const struct aldis__due *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    return a->slot != b->slot ? a->slot < b->slot : a->number < b->number;
}

static void sift_down(struct aldis__sender *sender, uint32_t place)
{
    struct aldis__due *heap = sender->heap, due = heap[place];
    uint32_t child;
    while ((child = 2 * place + 1) < sender->heap_count) {
        if (child + 1 < sender->heap_count && comes_before(&heap[child + 1], &heap[child]))
            child++;
        if (!comes_before(&heap[child], &due))
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = due;
}

static bool is_own(const struct aldis__sender *sender, const struct aldis__due *due)
{
    const struct aldis__pending *pending = aldis__sender_at(sender, due->slot);
    return pending->number == due->number && pending->due_ns == due->at_ns;
}

/* Forget what is stale: at most once for as many as are forgotten. (Floyd, "Treesort 3", 1964) */
static void clean(struct aldis__sender *sender)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sender->heap_count; i++)
        if (is_own(sender, &sender->heap[i]))
            sender->heap[kept++] = sender->heap[i];
    sender->heap_count = kept;
    sender->heap_stale = 0;
    for (uint32_t i = kept / 2; i-- > 0;)
        sift_down(sender, i);
}

void aldis__sender_wait(struct aldis__sender *sender, uint32_t slot)
{
    const struct aldis__pending *pending = aldis__sender_at(sender, slot);
    struct aldis__due due = {pending->due_ns, pending->number, slot};
    ALDIS_CHECK(sender->heap_count < sender->heap_capacity);
    uint32_t place = sender->heap_count++;
    for (; place > 0 && comes_before(&due, &sender->heap[(place - 1) / 2]); place = (place - 1) / 2)
        sender->heap[place] = sender->heap[(place - 1) / 2];
    sender->heap[place] = due;
}

void aldis__sender_unwait(struct aldis__sender *sender)
{
    sender->heap_stale++;
}

static void pop_first(struct aldis__sender *sender)
{
    sender->heap[0] = sender->heap[--sender->heap_count];
    if (sender->heap_count)
        sift_down(sender, 0);
}

uint32_t aldis__sender_pop_due(struct aldis__sender *sender, aldis_ns now_ns)
{
    while (sender->heap_count && sender->heap[0].at_ns <= now_ns) {
        struct aldis__due due = sender->heap[0];
        bool own = is_own(sender, &due);
        pop_first(sender);
        if (own)
            return due.slot;
        if (sender->heap_stale)
            sender->heap_stale--;
    }
    return ALDIS__PENDING_NONE;
}

aldis_ns aldis__sender_next_due(struct aldis__sender *sender)
{
    if (sender->heap_stale > STALE_MIN && sender->heap_stale > sender->heap_count / 2)
        clean(sender);
    return sender->heap_count ? sender->heap[0].at_ns : ALDIS_FOREVER;
}
