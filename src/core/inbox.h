// SPDX-License-Identifier: Apache-2.0
/* inbox.h: where other threads leave mail for a shard, in whole chains. HOT PATH 4/5: lock-free.
 *
 * Layer: core. A stack of chains (Treiber 1986, with take-all in place of pop, so there is no ABA):
 * a chain is linked newest first, its last message is linked to the chain below it, so the stack is
 * one list from the newest message to the oldest. Any thread pushes with one compare-and-swap; the
 * shard's owner takes all with one exchange and turns the list round, which restores the order in
 * which each sender sent.
 *
 * The count of messages not yet taken rides in the upper 16 bits of the head (addresses have 48),
 * so that a publisher sees how full the inbox is without touching anything else. It saturates. */
#ifndef ALDIS_CORE_INBOX_H
#define ALDIS_CORE_INBOX_H

#include "base/atomic.h"
#include "core/message.h"

struct aldis__inbox {
    _Atomic(uint64_t) head;
};

#define ALDIS__INBOX_COUNT_SHIFT 48
#define ALDIS__INBOX_COUNT_MAX UINT64_C(0xffff)
#define ALDIS__INBOX_POINTER ((UINT64_C(1) << ALDIS__INBOX_COUNT_SHIFT) - 1)

/** Push a chain: from newest, by next, to oldest; count messages. */
static inline void aldis__inbox_push(struct aldis__inbox *inbox, struct aldis__msg *newest,
                                     struct aldis__msg *oldest, uint32_t count)
{
    /* Relaxed: the value is only compared again below. */
    uint64_t old = aldis__load_relaxed(&inbox->head);
    uint64_t head;
    do {
        uint64_t total = (old >> ALDIS__INBOX_COUNT_SHIFT) + count;
        if (total > ALDIS__INBOX_COUNT_MAX)
            total = ALDIS__INBOX_COUNT_MAX;
        oldest->next = (struct aldis__msg *)(uintptr_t)(old & ALDIS__INBOX_POINTER);
        head = total << ALDIS__INBOX_COUNT_SHIFT | (uint64_t)(uintptr_t)newest;
        /* I1 acq_rel: pairs with I2 in aldis__inbox_take() and N1 in inbox_peek() of stats.c.
         * Release gives the taker the chain; acquire makes a push that comes after the taker's last
         * look see that it has parked, or has given the shard away (see parking.h and
         * handover.h). */
    } while (!aldis__cas_weak_acq_rel(&inbox->head, &old, head));
}

/** Take everything: newest first, or NULL. Always an exchange, never a load first: see
 *  parking.h. */
static inline struct aldis__msg *aldis__inbox_take(struct aldis__inbox *inbox)
{
    /* I2 acq_rel: pairs with I1 in aldis__inbox_push(). */
    uint64_t head = aldis__exchange_acq_rel(&inbox->head, 0);
    return (struct aldis__msg *)(uintptr_t)(head & ALDIS__INBOX_POINTER);
}

/** Messages not yet taken, at most ALDIS__INBOX_COUNT_MAX. */
static inline uint32_t aldis__inbox_count(struct aldis__inbox *inbox)
{
    /* Relaxed: a figure for a bound or a hint; nothing is read through it. */
    return (uint32_t)(aldis__load_relaxed(&inbox->head) >> ALDIS__INBOX_COUNT_SHIFT);
}

/** Turn a newest-first list round. */
static inline struct aldis__msg *aldis__chain_reverse(struct aldis__msg *msg)
{
    struct aldis__msg *reversed = NULL;
    while (msg) {
        struct aldis__msg *next = msg->next;
        msg->next = reversed;
        reversed = msg;
        msg = next;
    }
    return reversed;
}

#endif
