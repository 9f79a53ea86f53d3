// SPDX-License-Identifier: Apache-2.0
/* till.h: a till that sends payments durably, and a ledger that books each of them once. For
 * store_test.c and kill_victim.c. */
#ifndef ALDIS_TESTS_DELIVERY_TILL_H
#define ALDIS_TESTS_DELIVERY_TILL_H

#include "payment.pb.h"

#include <aldis/aldis.h>

ALDIS_WIRE_STRUCT(Payment);
ALDIS_MESSAGE_CODEC(payment, Payment, 0, ALDIS_CODEC(Payment));

/* Send so many payments, numbered from `serial`; the ledger is called `ledger`. */
struct sale {
    uint64_t serial, count;
};
ALDIS_MESSAGE(sale, struct sale);

#define TILL_PROTOCOL(X, kind) X(kind, sale) X(kind, aldis_accepted) X(kind, aldis_delivered)
#define LEDGER_PROTOCOL(X, kind) X(kind, payment)
ALDIS_PROTOCOL(till, TILL_PROTOCOL);
ALDIS_PROTOCOL(ledger, LEDGER_PROTOCOL);

enum { SERIALS_MAX = 1 << 16 };

/* What the ledger keeps. */
struct books {
    uint64_t count, cents, duplicates, unordered, last;
    uint8_t seen[SERIALS_MAX / 8];
};

/* What the actors of this process tell of themselves. The functions may be NULL. */
struct till_world {
    aldis_store *store;
    const char *till_name;
    uint64_t accepted, refused, delivered, again;
    aldis_err till_err, ledger_err; /* of the last that opened the store */
    struct books books;             /* of the ledger, as it is */
    bool restored;
    void (*on_accepted)(uint64_t serial, aldis_err result);
    void (*on_delivered)(void);
    uint64_t stop_after; /* delivered: then the system halts; 0: never */
    bool till_fails;     /* once, when it has sent */
    uint64_t till_starts;
};
extern struct till_world till_world;

#endif
