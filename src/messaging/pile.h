// SPDX-License-Identifier: Apache-2.0
/* pile.h: the messages of an unbounded or adaptive channel: memory for those that wait, and no
 * more. Layer: messaging. Lock-free, many senders, one receiver.
 *
 * A stack that is taken whole (as core/inbox.h), with a bit that says that the receiver waits. */
#ifndef ALDIS_MESSAGING_PILE_H
#define ALDIS_MESSAGING_PILE_H

#include "base/atomic.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALDIS__PILE_WAITED UINT64_C(1)

struct aldis__leaf {
    struct aldis__leaf *next;
    unsigned char value[];
};

struct aldis__pile {
    _Atomic(uint64_t) top; /* the newest | the receiver waits */
};

/** Takes leaf. True: the receiver waits and must be woken. */
static inline bool aldis__pile_push(struct aldis__pile *pile, struct aldis__leaf *leaf)
{
    /* Relaxed: the value is only compared again below. */
    uint64_t top = aldis__load_relaxed(&pile->top);
    do {
        leaf->next = (struct aldis__leaf *)(uintptr_t)(top & ~ALDIS__PILE_WAITED);
        /* PL1 acq_rel: pairs with PL2 in aldis__pile_take() and PL3 in aldis__pile_listen().
         * Release gives the receiver the message; acquire shows who waits. */
    } while (!aldis__cas_weak_acq_rel(&pile->top, &top, (uint64_t)(uintptr_t)leaf));
    return top & ALDIS__PILE_WAITED;
}

/** Take all, oldest first; NULL: there is nothing. */
static inline struct aldis__leaf *aldis__pile_take(struct aldis__pile *pile)
{
    /* Relaxed: only to spare an exchange. */
    if (!(aldis__load_relaxed(&pile->top) & ~ALDIS__PILE_WAITED))
        return NULL;
    /* PL2 acq_rel: pairs with PL1 in aldis__pile_push(). */
    uint64_t top = aldis__exchange_acq_rel(&pile->top, 0);
    struct aldis__leaf *leaf = (struct aldis__leaf *)(uintptr_t)(top & ~ALDIS__PILE_WAITED);
    struct aldis__leaf *oldest = NULL;
    while (leaf) {
        struct aldis__leaf *next = leaf->next;
        leaf->next = oldest;
        oldest = leaf;
        leaf = next;
    }
    return oldest;
}

/** The receiver's last look before it sleeps. True: something is there. */
static inline bool aldis__pile_listen(struct aldis__pile *pile)
{
    /* PL3 acq_rel: pairs with PL1 in aldis__pile_push(): whoever pushes next sees the waiter that
     * was enlisted. */
    return (aldis__fetch_or_acq_rel(&pile->top, ALDIS__PILE_WAITED) & ~ALDIS__PILE_WAITED) != 0;
}

#endif
