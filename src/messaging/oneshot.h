// SPDX-License-Identifier: Apache-2.0
/* oneshot.h: the word that the two ends of a oneshot share. Layer: messaging. Lock-free.
 *
 * Whoever ends second frees the memory: the sender ends by one compare-and-swap, which brings the
 * message along, and touches nothing after it; the receiver ends by taking the message or by saying
 * that it is gone. The upper bits count how often the receiver has listened, so that a sender that
 * has looked up who waits notices when that has changed. */
#ifndef ALDIS_MESSAGING_ONESHOT_H
#define ALDIS_MESSAGING_ONESHOT_H

#include "messaging/waiter.h"

enum {
    ALDIS__ONESHOT_FULL = 1,
    ALDIS__ONESHOT_SENDER_ENDED = 2,
    ALDIS__ONESHOT_LISTENS = 4,
    ALDIS__ONESHOT_RECEIVER_ENDED = 8,
    ALDIS__ONESHOT_TIMES = 16
};

struct aldis__oneshot {
    _Atomic(uint64_t) word;
    struct aldis__waiting waiting;
};

/** The sender ends: with its message in place (FULL), or without (0). False: the receiver has ended
 *  before; nothing was done, and the memory is the sender's. */
static inline bool aldis__oneshot_send(struct aldis__oneshot *oneshot, uint64_t full)
{
    struct aldis__waiter *waiter = NULL;
    uint64_t word, ended;
    do {
        /* O1 acquire: pairs with O4 in aldis__oneshot_listen() and O5 in aldis__oneshot_end(): the
         * waiter is in its place; the receiver is done with the memory. */
        word = aldis__load_acquire(&oneshot->word);
        if (word & ALDIS__ONESHOT_RECEIVER_ENDED)
            break;
        struct aldis__waiter *found =
            word & ALDIS__ONESHOT_LISTENS ? aldis__waiting_take(&oneshot->waiting) : NULL;
        if (found && waiter)
            aldis__waiter_wake(waiter); /* it has listened again meanwhile */
        if (found)
            waiter = found;
        ended = (word & ~(uint64_t)ALDIS__ONESHOT_LISTENS) | full |
                (uint64_t)ALDIS__ONESHOT_SENDER_ENDED;
        /* O2 acq_rel: pairs with O3 in aldis__oneshot_look(), O4 in aldis__oneshot_listen() and O5
         * in aldis__oneshot_end(). Release gives the receiver the message, and the memory. */
    } while (!aldis__cas_weak_acq_rel(&oneshot->word, &word, ended));
    if (waiter)
        aldis__waiter_wake(waiter);
    return !(word & ALDIS__ONESHOT_RECEIVER_ENDED);
}

/** What the receiver finds: FULL, SENDER_ENDED. */
static inline uint64_t aldis__oneshot_look(struct aldis__oneshot *oneshot)
{
    /* O3 acquire: pairs with O2 in aldis__oneshot_send(). */
    return aldis__load_acquire(&oneshot->word);
}

/** The receiver's last look before it sleeps. True: the sender has ended. */
static inline bool aldis__oneshot_listen(struct aldis__oneshot *oneshot,
                                         struct aldis__waiter *waiter)
{
    aldis__waiting_enlist(&oneshot->waiting, waiter);
    /* Relaxed: the value is only compared again below. */
    uint64_t word = aldis__load_relaxed(&oneshot->word);
    do {
        if (word & ALDIS__ONESHOT_SENDER_ENDED)
            return true;
        /* O4 acq_rel: pairs with O1 and O2 in aldis__oneshot_send(): shows the waiter. */
    } while (!aldis__cas_weak_acq_rel(&oneshot->word, &word,
                                      (word | ALDIS__ONESHOT_LISTENS) + ALDIS__ONESHOT_TIMES));
    return false;
}

/** The receiver ends without a message. True: the sender has ended, too: the caller frees. */
static inline bool aldis__oneshot_end(struct aldis__oneshot *oneshot)
{
    /* O5 acq_rel: pairs with O1 and O2 in aldis__oneshot_send(). */
    return aldis__fetch_or_acq_rel(&oneshot->word, ALDIS__ONESHOT_RECEIVER_ENDED) &
           ALDIS__ONESHOT_SENDER_ENDED;
}

#endif
