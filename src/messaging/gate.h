// SPDX-License-Identifier: Apache-2.0
/* gate.h: how many messages a channel lets in, when it is closed, and who waits for room. Layer:
 * messaging. Lock-free.
 *
 * A sender takes a ticket, the receiver counts what it has taken out: tail - head messages are in
 * the channel or on their way into it, never more than the limit. A closed gate gives no tickets
 * any more: so the receiver knows exactly what is still to come.
 *
 * A sender that waits for room says so in the head, by read-modify-write, and looks; the receiver
 * moves the head by read-modify-write. If the move comes first, the sender sees the room; else the
 * receiver sees that somebody waits. All that wait are woken, and those that find no room wait
 * again.
 *
 * The limit may be adaptive: it doubles, up to its maximum, when a sender meets it; it halves, down
 * to its minimum, when as many messages as the limit have gone through and never a quarter of it
 * was used. It depends on counts only, not on time. */
#ifndef ALDIS_MESSAGING_GATE_H
#define ALDIS_MESSAGING_GATE_H

#include "base/atomic.h"
#include <aldis/error.h>

enum {
    ALDIS__GATE_NO_RECEIVER = 1, /* bits of the tail: closed by the receiver */
    ALDIS__GATE_NO_SENDER = 2,   /* closed by a sender, or all are gone */
    ALDIS__GATE_CLOSED = ALDIS__GATE_NO_RECEIVER | ALDIS__GATE_NO_SENDER,
    ALDIS__GATE_TICKET_SHIFT = 2,
    ALDIS__GATE_WAITS = 1, /* bit of the head */
    ALDIS__GATE_TAKEN_SHIFT = 1
};

struct aldis__gate {
    /* senders' */
    _Alignas(64) _Atomic(uint64_t) tail; /* tickets given << 2 | closed */
    _Atomic(uint64_t) seen;              /* taken, as a sender has last seen it */
    _Atomic(uint64_t) limit;
    uint64_t limit_min, limit_max;             /* equal: the limit is fixed */
    void (*on_room)(struct aldis__gate *gate); /* after a wake, or a close; NULL: nothing more */

    /* the receiver's */
    _Alignas(64) _Atomic(uint64_t) head; /* taken << 1 | somebody waits for room */
    uint64_t calm_left, calm_peak;       /* of the period in which the limit might halve */

    _Alignas(64) _Atomic(uint32_t) room; /* futex: how often those who wait were woken */
};

/* Of waiter.c; the explorer has its own. Calls on_room, too. */
void aldis__gate_wake_futex(struct aldis__gate *gate);

static inline void aldis__gate_init(struct aldis__gate *gate, uint64_t limit, uint64_t limit_max)
{
    /* Relaxed: nobody else knows it yet. */
    aldis__store_relaxed(&gate->tail, 0);
    aldis__store_relaxed(&gate->seen, 0);
    aldis__store_relaxed(&gate->limit, limit);
    aldis__store_relaxed(&gate->head, 0);
    aldis__store_relaxed(&gate->room, 0);
    gate->limit_min = limit;
    gate->limit_max = limit_max;
    gate->on_room = NULL;
    gate->calm_left = limit;
    gate->calm_peak = 0;
}

static inline aldis_err aldis__gate_closed_error(uint64_t tail)
{
    return tail & ALDIS__GATE_NO_RECEIVER ? ALDIS_ENORECEIVER : ALDIS_ESHUTDOWN;
}

/* Signed: a stale tail may lie before the head. Then the ticket cannot be taken anyway. */
static inline bool aldis__gate_is_below(struct aldis__gate *gate, uint64_t ticket, uint64_t taken)
{
    /* Relaxed: a setting. */
    return (int64_t)(ticket - taken) < (int64_t)aldis__load_relaxed(&gate->limit);
}

static inline bool aldis__gate_grow(struct aldis__gate *gate)
{
    /* Relaxed: a setting; whoever loses the race grew it, too, or sees that it was. */
    uint64_t limit = aldis__load_relaxed(&gate->limit);
    if (limit >= gate->limit_max)
        return false;
    uint64_t grown = limit > gate->limit_max / 2 ? gate->limit_max : 2 * limit;
    (void)aldis__cas_weak_relaxed(&gate->limit, &limit, grown);
    return true;
}

/* No room by what senders have seen: look at the receiver's own word. */
static inline bool aldis__gate_look(struct aldis__gate *gate, uint64_t ticket)
{
    /* GT1 acquire: pairs with GT2 in aldis__gate_leave(): its slot has been read out. */
    uint64_t taken = aldis__load_acquire(&gate->head) >> ALDIS__GATE_TAKEN_SHIFT;
    /* GT3 release: pairs with GT4 in aldis__gate_seen(): hands GT2 on. */
    aldis__store_release(&gate->seen, taken);
    while (!aldis__gate_is_below(gate, ticket, taken))
        if (!aldis__gate_grow(gate))
            return false;
    return true;
}

static inline uint64_t aldis__gate_seen(struct aldis__gate *gate)
{
    /* GT4 acquire: pairs with GT3 in aldis__gate_look(): the slot has been read out. */
    return aldis__load_acquire(&gate->seen);
}

/** Take a ticket. ALDIS_EFULL; ALDIS_ENORECEIVER, ALDIS_ESHUTDOWN: closed. */
static inline aldis_err aldis__gate_enter(struct aldis__gate *gate, uint64_t *out_ticket)
{
    /* Relaxed: the value is only compared again below. */
    uint64_t tail = aldis__load_relaxed(&gate->tail);
    do {
        if (tail & ALDIS__GATE_CLOSED)
            return aldis__gate_closed_error(tail);
        uint64_t ticket = tail >> ALDIS__GATE_TICKET_SHIFT;
        if (!aldis__gate_is_below(gate, ticket, aldis__gate_seen(gate)) &&
            !aldis__gate_look(gate, ticket))
            return ALDIS_EFULL;
        *out_ticket = ticket;
        /* Relaxed: GT1 or GT4 has ordered what the ticket stands for. */
    } while (!aldis__cas_weak_relaxed(&gate->tail, &tail, tail + (1u << ALDIS__GATE_TICKET_SHIFT)));
    return ALDIS_OK;
}

static inline void aldis__gate_wake(struct aldis__gate *gate)
{
    /* GT5 acq_rel: pairs with GT6 in aldis__gate_listen(): whoever waited has read `room`
     * before. */
    (void)aldis__fetch_and_acq_rel(&gate->head, ~(uint64_t)ALDIS__GATE_WAITS);
    /* GT7 acq_rel: pairs with GT8 in aldis__gate_listen(): see there. */
    (void)aldis__fetch_add_acq_rel(&gate->room, 1);
    aldis__gate_wake_futex(gate);
}

static inline void aldis__gate_adapt(struct aldis__gate *gate, uint64_t taken)
{
    /* Relaxed: figures for a rule of thumb. */
    uint64_t tail = aldis__load_relaxed(&gate->tail) >> ALDIS__GATE_TICKET_SHIFT;
    uint64_t limit = aldis__load_relaxed(&gate->limit);
    if (tail - taken > gate->calm_peak)
        gate->calm_peak = tail - taken;
    if (--gate->calm_left > 0)
        return;
    if (gate->calm_peak < limit / 4 && limit > gate->limit_min) {
        uint64_t less = limit / 2 > gate->limit_min ? limit / 2 : gate->limit_min;
        /* Relaxed: a setting. If a sender grew it meanwhile, there is no calm. */
        if (aldis__cas_weak_relaxed(&gate->limit, &limit, less))
            limit = less;
    }
    gate->calm_left = limit;
    gate->calm_peak = 0;
}

/** The receiver has taken out one message. */
static inline void aldis__gate_leave(struct aldis__gate *gate)
{
    /* GT2 acq_rel: pairs with GT1 in aldis__gate_look() and GT6 in aldis__gate_listen(). */
    uint64_t head = aldis__fetch_add_acq_rel(&gate->head, 1u << ALDIS__GATE_TAKEN_SHIFT);
    if (head & ALDIS__GATE_WAITS)
        aldis__gate_wake(gate);
    if (gate->limit_max != gate->limit_min)
        aldis__gate_adapt(gate, (head >> ALDIS__GATE_TAKEN_SHIFT) + 1);
}

/** A sender will wait for room. True: it need not: there is some, or the gate is closed. False: it
 *  is to sleep while `room` is *out_room. */
static inline bool aldis__gate_listen(struct aldis__gate *gate, uint32_t *out_room)
{
    /* GT8 acquire: pairs with GT7 in aldis__gate_wake() and GT10 in aldis__gate_close(): if their
     * count is in already, then what it tells of is seen below. */
    *out_room = aldis__load_acquire(&gate->room);
    /* GT6 acq_rel: pairs with GT2 in aldis__gate_leave() and GT5 in aldis__gate_wake(). */
    uint64_t head = aldis__fetch_or_acq_rel(&gate->head, ALDIS__GATE_WAITS);
    /* Relaxed: an old tail only makes us try in vain. */
    uint64_t tail = aldis__load_relaxed(&gate->tail);
    return tail & ALDIS__GATE_CLOSED || aldis__gate_is_below(gate, tail >> ALDIS__GATE_TICKET_SHIFT,
                                                             head >> ALDIS__GATE_TAKEN_SHIFT);
}

/** Give no tickets any more. Returns the tail as it was. The caller wakes the receiver. */
static inline uint64_t aldis__gate_close(struct aldis__gate *gate, uint64_t why)
{
    /* GT9 acq_rel: pairs with itself: who closes second comes after who closed first. */
    uint64_t tail = aldis__fetch_or_acq_rel(&gate->tail, why);
    /* GT10 acq_rel: pairs with GT8 in aldis__gate_listen(). */
    (void)aldis__fetch_add_acq_rel(&gate->room, 1);
    aldis__gate_wake_futex(gate);
    return tail;
}

/** Closed, and all that was let in has been taken out? Receiver only. */
static inline bool aldis__gate_is_over(struct aldis__gate *gate)
{
    /* Relaxed: a closed tail does not change, and the head is the caller's own. */
    uint64_t tail = aldis__load_relaxed(&gate->tail);
    return tail & ALDIS__GATE_CLOSED &&
           tail >> ALDIS__GATE_TICKET_SHIFT ==
               aldis__load_relaxed(&gate->head) >> ALDIS__GATE_TAKEN_SHIFT;
}

#endif
