// SPDX-License-Identifier: Apache-2.0
/* ring.h: the messages of a bounded channel: slots in a circle, by ticket. Layer: messaging.
 * Lock-free, many senders, one receiver.
 *
 * A slot's word says whose message it holds (after Vyukov's bounded queue, whose bound and
 * compare-and-swap are in gate.h here). The gate hands out the ticket of a slot only when the
 * slot's earlier message has been read out. */
#ifndef ALDIS_MESSAGING_RING_H
#define ALDIS_MESSAGING_RING_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stdint.h>

enum { ALDIS__SLOT_WAITED = 1 };

struct aldis__slot {
    _Atomic(uint64_t) turn; /* (ticket + 1) << 1, once its message is in | the receiver waits */
    unsigned char value[];
};

/** The message of this ticket is in its slot. True: the receiver waits and must be woken. */
static inline bool aldis__slot_publish(struct aldis__slot *slot, uint64_t ticket)
{
    /* R1 acq_rel: pairs with R2 in aldis__slot_is_full() and R3 in aldis__slot_listen(). Release
     * gives the receiver the message; acquire shows who waits. */
    return aldis__exchange_acq_rel(&slot->turn, (ticket + 1) << 1) & ALDIS__SLOT_WAITED;
}

static inline bool aldis__slot_is_full(struct aldis__slot *slot, uint64_t ticket)
{
    /* R2 acquire: pairs with R1 in aldis__slot_publish(). */
    return aldis__load_acquire(&slot->turn) >> 1 == ticket + 1;
}

/** The receiver's last look before it sleeps. True: the message is there. */
static inline bool aldis__slot_listen(struct aldis__slot *slot, uint64_t ticket)
{
    /* R3 acq_rel: pairs with R1 in aldis__slot_publish(): whoever publishes next sees the waiter
     * that was enlisted. */
    return aldis__fetch_or_acq_rel(&slot->turn, ALDIS__SLOT_WAITED) >> 1 == ticket + 1;
}

#endif
