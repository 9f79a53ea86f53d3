// SPDX-License-Identifier: Apache-2.0
/* mailbox.h: the bounded FIFO of one actor, with lanes. HOT PATH 3/5: plain memory, no atomics.
 *
 * Layer: core. Only the owner of the actor's home shard calls these. */
#ifndef ALDIS_CORE_MAILBOX_H
#define ALDIS_CORE_MAILBOX_H

#include "base/check.h"
#include "core/system.h"

extern const uint16_t aldis__class_units[16];

/** What a message takes of a mailbox's room: the size of its block, in units of 16 bytes. */
static inline int32_t aldis__msg_units(const struct aldis__msg *msg)
{
    return aldis__class_units[aldis__msg_class(msg)];
}

/** Append to the normal lane of a mailbox that has been seen to have room. (Lists of the hot path
 *  have a head and a last element, and ask whether the head is NULL: a pointer to the last link
 *  would save the branch, but make each load of the head wait for a store whose address is not
 *  known yet.) */
static inline void aldis__mailbox_append(struct aldis__cell *cell, struct aldis__msg *msg,
                                         int32_t units)
{
    cell->depth++;
    cell->room -= units;
    msg->next = NULL;
    struct aldis__msg *last = cell->tail; /* of nothing, if there is no head */
    cell->tail = msg;
    if (cell->head)
        last->next = msg;
    else
        cell->head = msg;
}

/** Append to the normal lane if nothing special is to be done; about 12 instructions. False: the
 *  mailbox may be full, or has never been so deep. */
static inline bool aldis__mailbox_try_push(struct aldis__cell *cell, struct aldis__msg *msg)
{
    int32_t units = aldis__msg_units(msg);
    if (aldis__unlikely(cell->depth >= cell->mark || cell->room < units))
        return false;
    aldis__mailbox_append(cell, msg, units);
    return true;
}

/** The oldest message of the normal lane, or NULL. */
static inline struct aldis__msg *aldis__mailbox_pop(struct aldis__cell *cell)
{
    struct aldis__msg *msg = cell->head;
    if (!msg)
        return NULL;
    cell->head = msg->next;
    cell->depth--;
    cell->room += aldis__msg_units(msg);
    return msg;
}

/** Put an actor that has something to do in its shard's run queue. */
static inline void aldis__cell_schedule(struct aldis__worker *worker, struct aldis__shard *shard,
                                        struct aldis__cell *cell)
{
    if (cell->flags & ALDIS__CELL_QUEUED)
        return;
    cell->flags |= ALDIS__CELL_QUEUED;
    cell->run_next = NULL;
    if (shard->run_head)
        shard->run_tail->run_next = cell;
    else
        shard->run_head = cell;
    shard->run_tail = cell;
    aldis__worker_ready(worker, shard);
}

/** Ordinary mail makes an actor run unless it is held back. */
static inline void aldis__cell_schedule_for_mail(struct aldis__worker *worker,
                                                 struct aldis__shard *shard,
                                                 struct aldis__cell *cell)
{
    if (aldis__likely(!(cell->flags & (ALDIS__CELL_QUEUED | ALDIS__CELL_HELD_BACK))))
        aldis__cell_schedule(worker, shard, cell);
}

/** Append to a lane other than normal. ALDIS_ENOMEM. The caller has checked the bound. */
aldis_err aldis__mailbox_push_lane(struct aldis__cell *cell, struct aldis__msg *msg);

/** The next message by lane, commands left aside; NULL: none. */
struct aldis__msg *aldis__mailbox_pop_lanes(struct aldis__cell *cell);

/** Take msg out of the normal lane; previous: the one before it, NULL: msg is the oldest. */
static inline void aldis__mailbox_unlink(struct aldis__cell *cell, struct aldis__msg *previous,
                                         struct aldis__msg *msg)
{
    if (previous)
        previous->next = msg->next;
    else
        cell->head = msg->next;
    if (cell->tail == msg)
        cell->tail = previous;
    cell->depth--;
    cell->room += aldis__msg_units(msg);
}

/** The oldest message of one lane, or NULL. For lanes other than normal there is a second block. */
struct aldis__msg *aldis__mailbox_pop_lane(struct aldis__cell *cell, unsigned rank);

/** The oldest message of the lowest lane that has one, from the lowest down to rank and no higher
 *  lane than that; NULL: none. */
struct aldis__msg *aldis__mailbox_pop_lowest(struct aldis__cell *cell, unsigned rank);

/** The oldest message of the type, lane and key (the behaviour's message_key) of msg; NULL: none.
 *  Looks through the lane. */
struct aldis__msg *aldis__mailbox_pop_key(struct aldis__cell *cell, struct aldis__msg *msg);

/** Set the depth from which on a push must look: the peak, but not beyond the next thing to
 *  notice. */
void aldis__mailbox_set_mark(struct aldis__worker *worker, struct aldis__cell *cell);

/**
 * What the capacity of an adaptive mailbox (limits->capacity_max) is now: it doubles when it is met
 * full; it halves when as many messages as its capacity were handled and never a quarter of it was
 * used. Halving is put off until somebody looks: to a mailbox that is not used it makes no
 * difference. It depends on counts only, so in virtual time it is the same in every run.
 */
int32_t aldis__mailbox_capacity(const struct aldis__cell *cell);
/** It is full: may it grow? Then it has. */
bool aldis__mailbox_grow(struct aldis__cell *cell);

/**
 * Accept a message for which aldis__mailbox_try_push() gave false, or on a lane: grow the mark,
 * note the peak, tell of high water. ALDIS_OK: it is in; ALDIS_EFULL: the mailbox is full.
 */
aldis_err aldis__mailbox_push_slow(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg);

/** Accept a message for which a place was reserved, whatever the bound. ALDIS_ENOMEM (lanes). */
aldis_err aldis__mailbox_push_beyond(struct aldis__worker *worker, struct aldis__cell *cell,
                                     struct aldis__msg *msg);

/** After mail has been taken: is it time to tell those who wait? */
static inline bool aldis__mailbox_is_low(const struct aldis__cell *cell)
{
    return aldis__unlikely(cell->flags & (ALDIS__CELL_FULL | ALDIS__CELL_HELD)) &&
           cell->depth <= aldis__cell_limits(cell)->low_water;
}

#endif
