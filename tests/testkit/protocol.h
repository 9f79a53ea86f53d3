// SPDX-License-Identifier: Apache-2.0
/* protocol.h: a small protocol of reliable delivery, with bugs to be planted. For the tests of the
 * explorer: it must find each of them. */
#ifndef ALDIS_TESTS_TESTKIT_PROTOCOL_H
#define ALDIS_TESTS_TESTKIT_PROTOCOL_H

#include <aldis/aldis.h>

enum protocol_bug {
    BUG_NONE,
    BUG_ACK_BEFORE_SYNC,    /* the receiver acknowledges before its disk has it */
    BUG_FILTER_IN_MEMORY,   /* what was taken is forgotten by a crash */
    BUG_FILTER_WINDOW,      /* old repeats are taken as new */
    BUG_SEND_BEFORE_SYNC,   /* the sender transmits what a crash may take back */
    BUG_TAKES_GAPS,         /* the receiver takes what is not next */
    BUG_GIVES_UP,           /* after three tries */
    BUG_ACCEPT_BEFORE_SYNC, /* the sender says "accepted" before its disk has it */
    BUG_RENUMBERS,          /* unacknowledged messages, after a restart */
    BUG_CRASHES,            /* the process, on the second repeat */
    BUG_HANGS,              /* the process, likewise */
    BUG_KINDS
};

/** One trial of the protocol with a bug; arg: an enum protocol_bug. */
void protocol_trial(void *arg, aldis_trial *trial);

/** The faults under which it is tried. */
const aldis_fault_plan *protocol_plan(void);

#endif
