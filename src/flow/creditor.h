// SPDX-License-Identifier: Apache-2.0
/* creditor.h: what a receiver knows of the streams to it. Layer: flow. See credit.h.
 * Threads: the worker of the receiver's shard.
 *
 * Invariants:
 *   of an account: promised = returned + lost + outstanding; all numbers up to base have come or
 *   are lost; bit n % range is set if n has come, base + 1 < n <= top <= base + range
 *   of a creditor: outstanding is the sum over its accounts, and no grant is made beyond total */
#ifndef ALDIS_FLOW_CREDITOR_H
#define ALDIS_FLOW_CREDITOR_H

#include "core/part.h"
#include "core/timer.h"
#include "flow/credit.h"

/* One stream. */
struct aldis__account {
    struct aldis__link link; /* of the table, by sender */
    aldis_id sender;
    uint32_t serial, slot;
    uint32_t window;

    uint64_t version;  /* of the newest grant */
    uint64_t told;     /* its limit */
    uint64_t promised; /* the highest limit that the sender may believe in */
    uint64_t shown;    /* a message with a higher number shows that the newest grant has come */
    uint64_t returned; /* credits that came back */
    uint64_t owed;     /* manual: of those that did not, handled */
    uint64_t lost;

    uint64_t base, top; /* numbers: all up to it have come or are lost; the highest that has come */
    uint64_t known_sent; /* the sender has sent so many */
    uint64_t suspect_upto;
    aldis_ns suspect_ns; /* what is missing up to there may be lost then; 0: nothing is */
    aldis_ns confirm_ns; /* the grant is told again then; 0: it need not be */
    aldis_ns transit_ns;
    bool marking; /* a mark is under way, behind all that has arrived */
    bool hungry, recalling, closing;
    uint8_t lane;
    uint32_t reason; /* why the receiver has ended it */

    struct aldis__account *next, **place; /* those that wait for credit; place NULL: not there */
    uint32_t range;                       /* a power of two */
    uint64_t bits[];
};

struct aldis__creditor {
    struct aldis__part part;
    aldis_credit_terms terms; /* resolved */
    bool accepts;
    struct aldis__table table;
    struct aldis__alarm alarm;

    struct aldis__account **accounts; /* by slot */
    uint32_t slot_count, slot_capacity;
    uint32_t *free_slots;
    uint32_t free_count;

    struct aldis__account *first, **last; /* waiting for credit, in order */
    uint32_t pending;                     /* accounts' and creditor's reasons for an alarm */
    bool recall_later;
    aldis_ns recalled_ns; /* when unused credit was last looked for */
    uint32_t recall_next; /* slot */

    uint32_t open, closing, hungry;
    uint32_t share; /* of each, if all want credit: terms.total / open, within the window */
    uint64_t outstanding, owed, granted, returned, lost, taken_back, duplicates, refreshes;
};

static inline uint64_t aldis__account_outstanding(const struct aldis__account *account)
{
    return account->promised - account->returned - account->lost;
}

/** The actor's creditor; NULL: it has none. */
struct aldis__creditor *aldis__creditor_of(const struct aldis__cell *cell);

/** A new account. ALDIS_EFULL, ALDIS_ENOMEM. */
aldis_err aldis__account_open(struct aldis__creditor *creditor, aldis_id sender, uint32_t serial,
                              struct aldis__account **out_account);
void aldis__account_free(struct aldis__creditor *creditor, struct aldis__account *account);

/** The account at a slot, if it is that stream's; else NULL. */
static inline struct aldis__account *aldis__account_at(const struct aldis__creditor *creditor,
                                                       uint32_t slot, uint32_t serial,
                                                       aldis_id sender)
{
    struct aldis__account *account = slot < creditor->slot_count ? creditor->accounts[slot] : NULL;
    return account && account->serial == serial && aldis_id_equal(account->sender, sender) ? account
                                                                                           : NULL;
}

/** The first account of a sender, and the one after it; in no order. */
struct aldis__account *aldis__account_first(const struct aldis__creditor *creditor,
                                            aldis_id sender);
struct aldis__account *aldis__account_next(const struct aldis__account *account);

/** A message with this number has come. False: it had come before, counts as lost, or had no
 *  credit. */
bool aldis__account_see(struct aldis__account *account, uint64_t number);
/** All numbers up to it that have not come are lost. Returns how many. */
uint64_t aldis__account_lose(struct aldis__account *account, uint64_t upto);

/* ------------------------------------------------------------------ who is given what */

/** So many of an account's credits have come back, or are lost: give to whom they are due. May free
 *  the account. */
void aldis__creditor_settle(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__account *account, uint64_t returned, uint64_t lost);
/** The account's sender wants credit, or has just opened it: give it some, or let it wait. True: a
 *  grant has been posted. */
bool aldis__creditor_provide(struct aldis__worker *worker, struct aldis__cell *cell,
                             struct aldis__account *account);
/** The sender holds no more than this limit. */
void aldis__creditor_take_back(struct aldis__creditor *creditor, struct aldis__account *account,
                               uint64_t limit);
/** Give to those who wait. */
void aldis__creditor_serve(struct aldis__worker *worker, struct aldis__cell *cell);
/** Nothing more will be sent than up to `final`. May free the account. */
void aldis__account_close(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__account *account, uint64_t final);
/** Tell the newest grant (again). */
void aldis__account_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__account *account, uint32_t flags);
/** Have it told again until it is confirmed; and that has come. */
void aldis__account_await(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__account *account);
void aldis__account_confirmed(struct aldis__worker *worker, struct aldis__creditor *creditor,
                              struct aldis__account *account);
void aldis__account_set_hungry(struct aldis__creditor *creditor, struct aldis__account *account,
                               bool hungry);
/** If messages are missing, see to it that they are looked for later. */
void aldis__account_suspect(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__account *account, bool kept);
/** The terms, or the number of streams, have changed. */
void aldis__creditor_reshare(struct aldis__creditor *creditor);
/** The receiver's incarnation has ended, with its timers. */
void aldis__creditor_restarted(struct aldis__worker *worker, struct aldis__cell *cell);

#endif
