// SPDX-License-Identifier: Apache-2.0
/* backpressure.c: parking of senders at full mailboxes. Layer: core. See backpressure.h. */
#include "core/backpressure.h"

#include "core/cycle.h"
#include "core/deliver.h"
#include "core/memory.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

enum { REMOTE_BURST = 512 }; /* messages sent on at once to a mailbox whose depth we cannot see */

/* ------------------------------------------------------------------ the receiver */

static void set_full(struct aldis__worker *worker, struct aldis__cell *cell, bool full)
{
    aldis_system *system = worker->ctx.system;
    if (full)
        cell->flags |= ALDIS__CELL_FULL;
    else
        cell->flags &= ~(uint32_t)ALDIS__CELL_FULL;
    aldis__mailbox_set_mark(worker, cell);
    if (system->virtual_time)
        aldis__virtual_op(worker, cell->id, full ? ALDIS__OP_FULL : ALDIS__OP_NOT_FULL, cell->id,
                          0);
    else
        aldis__directory_set_flags(&system->directory[aldis__id_index(cell->id, system->node_base)],
                                   full ? ALDIS__WORD_FULL : 0, full ? 0 : ALDIS__WORD_FULL);
    aldis__cycle_note(worker, cell);
}

void aldis__mark_full(struct aldis__worker *worker, struct aldis__cell *cell)
{
    const struct aldis__limits *limits = aldis__cell_limits(cell);
    while (cell->depth >= limits->capacity && aldis__mailbox_grow(cell))
        limits = aldis__cell_limits(cell);
    if (limits->policy == ALDIS_WAIT && !(cell->flags & ALDIS__CELL_FULL) &&
        (cell->depth >= limits->capacity || cell->room <= 0))
        set_full(worker, cell, true);
}

bool aldis__hold(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (!ext)
        return false;
    aldis__queue_push(&ext->held, msg);
    ext->held_count++;
    cell->flags |= ALDIS__CELL_HELD;
    if (!(cell->flags & ALDIS__CELL_FULL))
        set_full(worker, cell, true);
    aldis__mailbox_set_mark(worker, cell);
    return true;
}

/* In order, as far as the mailbox takes them. */
static void take_in_held(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    while (ext->held.head) {
        struct aldis__msg *msg = ext->held.head;
        struct aldis__msg *next = msg->next; /* the push changes the link */
        if (aldis__mailbox_push_slow(worker, cell, msg) != ALDIS_OK) {
            msg->next = next;
            return;
        }
        ext->held.head = next;
        ext->held_count--;
    }
    ext->held.tail = &ext->held.head;
    cell->flags &= ~(uint32_t)ALDIS__CELL_HELD;
    aldis__mailbox_set_mark(worker, cell);
}

static void tell_room(struct aldis__worker *worker, aldis_id receiver, aldis_id sender)
{
    struct aldis__cell *cell = aldis__cell_at_hand(worker, sender);
    if (cell)
        aldis__overflow_flush(worker, cell, receiver);
    else
        aldis__post_runtime(worker, receiver, sender, ALDIS__TYPE_ROOM, NULL, 0);
}

void aldis__mailbox_low(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (cell->flags & ALDIS__CELL_HELD) {
        take_in_held(worker, cell);
        aldis__cell_schedule_for_mail(worker, shard, cell);
        if ((cell->flags & ALDIS__CELL_HELD) || cell->depth > aldis__cell_limits(cell)->low_water)
            return;
    }
    set_full(worker, cell, false);
    if (!ext)
        return;
    /* Those that come back to wait are appended: each is told at most once in this round. */
    uint32_t told = 0, count = ext->waiter_count;
    while (told < count && !(cell->flags & ALDIS__CELL_FULL))
        tell_room(worker, cell->id, ext->waiters[told++]);
    ext->waiter_count -= told;
    if (ext->waiter_count) /* there may be no list at all */
        memmove(ext->waiters, ext->waiters + told, ext->waiter_count * sizeof *ext->waiters);
}

static bool reserve_waiter(struct aldis__cell_ext *ext)
{
    if (ext->waiter_count < ext->waiter_capacity)
        return true;
    uint32_t capacity = ext->waiter_capacity ? 2 * ext->waiter_capacity : 8;
    aldis_id *waiters = realloc(ext->waiters, capacity * sizeof *waiters);
    if (!waiters)
        return false;
    ext->waiters = waiters;
    ext->waiter_capacity = capacity;
    return true;
}

void aldis__waiter_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id sender)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    const uint32_t closing = ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING;
    if (!(cell->flags & ALDIS__CELL_FULL) || (cell->flags & closing))
        aldis__post_runtime(worker, cell->id, sender, ALDIS__TYPE_ROOM, NULL, 0);
    else if (ext && reserve_waiter(ext))
        ext->waiters[ext->waiter_count++] = sender;
    else /* Out of memory: let it try again in a while, slower, but nothing is lost. Not at once: */
        aldis__post_room_later(worker, cell->id, sender); /* it would come back here at once */
}

void aldis__waiters_release(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext || !ext->waiters)
        return;
    for (uint32_t i = 0; i < ext->waiter_count; i++)
        aldis__post_runtime(worker, cell->id, ext->waiters[i], ALDIS__TYPE_ROOM, NULL, 0);
    free(ext->waiters);
    ext->waiters = NULL;
    ext->waiter_count = ext->waiter_capacity = 0;
}

/* ------------------------------------------------------------------ the sender */

static struct aldis__overflow_entry *find_entry(const struct aldis__cell *sender, aldis_id to)
{
    struct aldis__cell_ext *ext = sender->ext;
    for (uint32_t i = 0; ext && i < ext->overflow_count; i++)
        if (aldis_id_equal(ext->overflow[i].to, to))
            return &ext->overflow[i];
    return NULL;
}

bool aldis__overflow_has(const struct aldis__cell *sender, aldis_id to)
{
    return find_entry(sender, to) != NULL;
}

static struct aldis__overflow_entry *new_entry(struct aldis__cell_ext *ext, aldis_id to)
{
    if (ext->overflow_count == ext->overflow_capacity) {
        uint32_t capacity = ext->overflow_capacity ? 2 * ext->overflow_capacity : 4;
        struct aldis__overflow_entry *entries = malloc(capacity * sizeof *entries);
        if (!entries)
            return NULL;
        for (uint32_t i = 0; i < ext->overflow_count; i++) {
            entries[i] = ext->overflow[i];
            if (!entries[i].queue.head) /* an empty queue points into itself */
                entries[i].queue.tail = &entries[i].queue.head;
        }
        free(ext->overflow);
        ext->overflow = entries;
        ext->overflow_capacity = capacity;
    }
    struct aldis__overflow_entry *entry = &ext->overflow[ext->overflow_count++];
    entry->to = to;
    entry->count = 0;
    entry->bytes = 0;
    aldis__queue_init(&entry->queue);
    return entry;
}

/* Parked is who waits for another; an overflow towards oneself must not stop one from draining
 * it. */
static void update_parked(struct aldis__worker *worker, struct aldis__cell *sender)
{
    const struct aldis__cell_ext *ext = sender->ext;
    bool parked = (sender->flags & ALDIS__CELL_CHAINED) != 0;
    for (uint32_t i = 0; !parked && i < ext->overflow_count; i++)
        parked = !aldis_id_equal(ext->overflow[i].to, sender->id);
    if (parked && !(sender->flags & ALDIS__CELL_PARKED)) {
        worker->parked++;
        sender->ext->parked_ns = worker->ctx.now_ns;
    }
    sender->flags =
        parked ? sender->flags | ALDIS__CELL_PARKED : sender->flags & ~(uint32_t)ALDIS__CELL_PARKED;
    aldis__cycle_note(worker, sender);
    /* The handler that runs may go on by the fast path: a full mailbox of this worker has its mark
     * at 0, and one of another worker is not on that path. */
}

static void ask_for_room(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id to)
{
    struct aldis__cell *cell = aldis__cell_at_hand(worker, to);
    if (cell)
        aldis__waiter_add(worker, cell, sender->id);
    else
        aldis__post_runtime(worker, sender->id, to, ALDIS__TYPE_WAIT, NULL, 0);
}

aldis_err aldis__overflow_add(struct aldis__worker *worker, struct aldis__cell *sender,
                              struct aldis__msg *msg)
{
    const struct aldis_system_opts *opts = &worker->ctx.system->opts;
    struct aldis__cell_ext *ext = aldis__cell_extend(sender);
    if (!ext)
        return ALDIS_ENOMEM;
    uint64_t bytes = (uint64_t)aldis__msg_units(msg) * ALDIS__ROOM_UNIT;
    if (aldis__memory_is_over(worker, ext->overflow_bytes, bytes)) {
        worker->memory_refusals++;
        return ALDIS_EFULL;
    }
    if (ext->overflow_msgs >= opts->overflow_msgs ||
        ext->overflow_bytes + bytes > opts->overflow_bytes)
        return ALDIS_EFULL;
    struct aldis__overflow_entry *entry = find_entry(sender, msg->to);
    bool is_new = entry == NULL;
    if (is_new)
        entry = new_entry(ext, msg->to);
    if (!entry)
        return ALDIS_ENOMEM;
    aldis__overflow_append(ext, entry, msg);
    sender->flags |= ALDIS__CELL_OVERFLOW;
    if (is_new) {
        update_parked(worker, sender);
        ask_for_room(worker, sender, msg->to);
    }
    return ALDIS_OK;
}

static inline void took_out(struct aldis__overflow_entry *entry, const struct aldis__msg *msg)
{
    entry->count--;
    entry->bytes -= (uint64_t)aldis__msg_units(msg) * ALDIS__ROOM_UNIT;
}

/* To a mailbox of this worker, as far as it takes them. False: it is full again. */
static bool flush_here(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__cell *cell, struct aldis__overflow_entry *entry)
{
    struct aldis__msg *msg = entry->queue.head;
    while (msg && !(cell->flags & (ALDIS__CELL_FULL | ALDIS__CELL_HELD))) {
        struct aldis__msg *next = msg->next; /* the push changes the link */
        /* The short way is for the normal lane. */
        bool is_in =
            aldis__msg_rank(msg) == ALDIS__RANK_NORMAL && aldis__mailbox_try_push(cell, msg);
        if (!is_in && aldis__mailbox_push_slow(worker, cell, msg) != ALDIS_OK) {
            msg->next = next;
            set_full(worker, cell, true); /* whoever waits must be told later */
            break;
        }
        took_out(entry, msg);
        msg = next;
    }
    entry->queue.head = msg;
    aldis__cell_schedule_for_mail(worker, shard, cell);
    return msg == NULL;
}

/* On their way elsewhere, a burst at a time: we cannot see how much room there is. */
static bool flush_there(struct aldis__worker *worker, uint32_t shard,
                        struct aldis__overflow_entry *entry)
{
    for (uint32_t n = 0; n < REMOTE_BURST && entry->queue.head; n++) {
        struct aldis__msg *msg = entry->queue.head;
        entry->queue.head = msg->next;
        took_out(entry, msg);
        if (worker->ctx.system->virtual_time) {
            aldis__virtual_resend(worker, shard, msg);
        } else {
            (void)aldis__chain_append(worker, shard, msg);
        }
    }
    return entry->queue.head == NULL;
}

/* The target has ended, or is about to: nothing more is sent to it. */
static void flush_nowhere(struct aldis__worker *worker, struct aldis__overflow_entry *entry,
                          bool ended)
{
    struct aldis__msg *msg;
    while ((msg = entry->queue.head)) {
        entry->queue.head = msg->next;
        took_out(entry, msg);
        if (ended)
            aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ESTALE);
        else
            aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ESHUTDOWN);
    }
}

/* Send on what can be sent on. True: the entry is empty. */
static bool flush_entry(struct aldis__worker *worker, struct aldis__overflow_entry *entry)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(entry->to, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    bool alive = aldis__word_is_alive(word, entry->to);
    if (!alive || (word & ALDIS__WORD_CLOSING)) {
        flush_nowhere(worker, entry, !alive);
        return true;
    }
    if (word & ALDIS__WORD_FULL)
        return false;
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (system->virtual_time || aldis__handover_owner(&shard->handover) != worker->index)
        return flush_there(worker, shard->index, entry);
    return flush_here(worker, shard, aldis__system_cell(system, index), entry);
}

/* The overflow has changed: go on if nothing holds the actor any more. */
static void resume_sender(struct aldis__worker *worker, struct aldis__cell *sender)
{
    aldis_system *system = worker->ctx.system;
    update_parked(worker, sender);
    if (sender->ext->overflow_count == 0)
        sender->flags &= ~(uint32_t)ALDIS__CELL_OVERFLOW;
    if (sender->flags & ALDIS__CELL_PARKED)
        return;
    struct aldis__shard *shard = aldis__system_home(system, sender->id);
    const uint32_t busy = ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING | ALDIS__CELL_RETRY;
    if (sender->depth > 0 || (sender->flags & busy))
        aldis__cell_schedule(worker, shard, sender);
}

static void remove_entry(struct aldis__cell_ext *ext, struct aldis__overflow_entry *entry)
{
    struct aldis__overflow_entry *end = ext->overflow + --ext->overflow_count;
    for (; entry < end; entry++) {
        *entry = entry[1];
        if (!entry->queue.head)
            entry->queue.tail = &entry->queue.head;
    }
}

/* Who keeps nothing may have been waiting for itself. */
static void tell_router(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id at)
{
    /* E7 acquire: pairs with E2 in aldis__system_set_router(). */
    struct aldis__extension *router = aldis__load_acquire(&worker->ctx.system->router);
    if (router)
        router->on_room(router, worker, sender, at);
}

void aldis__overflow_flush(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id to)
{
    if (aldis_id_is_nobody(to)) {
        sender->flags &= ~(uint32_t)ALDIS__CELL_CHAINED;
        if (aldis__cell_extend(sender))
            resume_sender(worker, sender);
        return;
    }
    struct aldis__overflow_entry *entry = find_entry(sender, to);
    if (!entry) {
        tell_router(worker, sender, to);
        return;
    }
    struct aldis__cell_ext *ext = sender->ext;
    uint32_t msgs_before = entry->count;
    uint64_t bytes_before = entry->bytes;
    bool empty = flush_entry(worker, entry);
    if (!entry->queue.head)
        entry->queue.tail = &entry->queue.head;
    ext->overflow_msgs -= msgs_before - entry->count;
    ext->overflow_bytes -= bytes_before - entry->bytes;
    if (!empty) {
        ask_for_room(worker, sender, to);
        return;
    }
    remove_entry(ext, entry);
    resume_sender(worker, sender);
}

void aldis__overflow_discard(struct aldis__worker *worker, struct aldis__cell *sender)
{
    struct aldis__cell_ext *ext = sender->ext;
    if (!ext)
        return;
    for (uint32_t i = 0; i < ext->overflow_count; i++) {
        struct aldis__msg *msg;
        while ((msg = aldis__queue_pop(&ext->overflow[i].queue))) {
            msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE; /* its sender is the one that ends */
            aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ENOSENDER);
        }
    }
    free(ext->overflow);
    ext->overflow = NULL;
    ext->overflow_count = ext->overflow_capacity = ext->overflow_msgs = 0;
    ext->overflow_bytes = 0;
    sender->flags &= ~(uint32_t)(ALDIS__CELL_OVERFLOW | ALDIS__CELL_PARKED);
    aldis__cycle_note(worker, sender);
}

void aldis__overflow_fail(struct aldis__worker *worker, struct aldis__cell *sender, aldis_id to)
{
    struct aldis__overflow_entry *entry = find_entry(sender, to);
    struct aldis__cell_ext *ext = sender->ext;
    struct aldis__msg *msg;
    if (!entry)
        return;
    ext->overflow_msgs -= entry->count;
    ext->overflow_bytes -= entry->bytes;
    while ((msg = aldis__queue_pop(&entry->queue)))
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_EDEADLOCK);
    remove_entry(ext, entry);
    resume_sender(worker, sender);
}

/* ------------------------------------------------------------------ chains that cannot be
 * published */

void aldis__chain_park(struct aldis__worker *worker, struct aldis__cell *sender)
{
    if (sender->flags & ALDIS__CELL_CHAINED)
        return;
    if (worker->chain_waiter_count == worker->chain_waiter_capacity) {
        size_t capacity = worker->chain_waiter_capacity ? 2 * worker->chain_waiter_capacity : 64;
        aldis_id *waiters = realloc(worker->chain_waiters, capacity * sizeof *waiters);
        if (!waiters)
            return; /* it is not parked, and meets the chain's own bound */
        worker->chain_waiters = waiters;
        worker->chain_waiter_capacity = capacity;
    }
    if (!aldis__cell_extend(sender))
        return;
    worker->chain_waiters[worker->chain_waiter_count++] = sender->id;
    sender->flags |= ALDIS__CELL_CHAINED;
    update_parked(worker, sender);
}

void aldis__chain_waiters_wake(struct aldis__worker *worker)
{
    size_t count = worker->chain_waiter_count;
    worker->chain_waiter_count = 0;
    /* By message, since a waiter's shard may have gone to another worker meanwhile. */
    for (size_t i = 0; i < count; i++)
        aldis__post_runtime(worker, aldis_nobody(), worker->chain_waiters[i], ALDIS__TYPE_ROOM,
                            NULL, 0);
}
