// SPDX-License-Identifier: Apache-2.0
/* fault.h: where faults are put into a run of virtual time. Layer: core.
 *
 * The core does not decide: who injects (the testkit) gives two functions. The first is asked about
 * each message that an actor sends to another, the second after each message that was handled.
 * Without them a run pays nothing: the quota of the short way of sending is 0 with faults, and
 * handlers are wrapped in the tables of their kinds.
 *
 * What is asked about, and so can be lost: sends, replies, broadcasts, and what trackers post to
 * other actors (acknowledgements). Not: what an actor sends itself, timers, the runtime's own
 * notices, and what comes from outside.
 *
 * Threads: set between windows, under the system's lock; asked by all workers inside them. The
 * answer may depend only on the site. */
#ifndef ALDIS_CORE_FAULT_H
#define ALDIS_CORE_FAULT_H

#include "core/worker.h"

/** What is asked about. The numbers name it in every run that is the same up to here. */
struct aldis__fault_site {
    aldis_id actor;                      /* who sends, or has handled */
    aldis_id other;                      /* who is to receive; or who had sent what was handled */
    const char *actor_kind, *other_kind; /* names of their behaviours; "": not known */
    const char *type_name;
    uint64_t number; /* of the actor's messages sent, or handled */
    aldis_ns now_ns;
    bool fifo; /* sent: over a link that is declared so */
};

/** What becomes of a message. */
struct aldis__fault_send {
    bool lose;          /* counted as dropped; the sender is not told */
    bool copy;          /* one more, counted as sent */
    aldis_ns delay_ns;  /* later than it would have come */
    aldis_ns copied_ns; /* the copy: later than the message would have come without faults */
};

/** What becomes of an actor that has handled a message. */
struct aldis__fault_turn {
    bool crash;        /* its handler fails (ALDIS_EHANDLER) after it has run */
    bool restart;      /* the same, and the actor begins again */
    aldis_ns pause_ns; /* it handles nothing for so long */
};

/* What a handler of the user's was given, and how it ended. */
struct aldis__heard {
    const struct aldis__cell *cell; /* the receiver */
    aldis_id from;
    struct aldis__stamp stamp; /* when it arrived, and which of its sender's messages it is */
    uint32_t type;
    uint8_t flags, rank;              /* of the message */
    const struct aldis__track *track; /* NULL: not tracked, or kept or rejected by the handler */
    const void *payload;              /* NULL: kept or rejected */
    aldis_err err;
    aldis_ns now_ns;
};

struct aldis__faults {
    void *arg;     /* NULL: there are no faults */
    bool restarts; /* some may be restarts: who starts from now on is kept ready for one */
    struct aldis__fault_send (*on_send)(void *arg, const struct aldis__fault_site *site);
    struct aldis__fault_turn (*on_handled)(void *arg, const struct aldis__fault_site *site);
    /** After each handler, its faults included; confirmations, too. NULL: nobody looks on. */
    void (*on_heard)(void *arg, const struct aldis__heard *heard);
    void (*destroy)(void *arg); /* of arg, with the system or when others are set */
};

/** Let them act from the next window on; NULL: none any more. Under the lock. Takes faults->arg. */
void aldis__faults_set(aldis_system *system, const struct aldis__faults *faults);

/** A message of `sender` to another would arrive at at_ns: ask, stamp, schedule. Takes msg. fresh:
 *  it comes straight from its send. Only where there are faults. */
void aldis__fault_send(struct aldis__worker *worker, struct aldis__cell *sender,
                       struct aldis__msg *msg, uint32_t home, aldis_ns at_ns, bool fresh);

/** The same for what a tracker posts, which is stamped already. */
void aldis__fault_post(struct aldis__worker *worker, struct aldis__msg *msg);

/** May who starts now be restarted by a fault? */
bool aldis__fault_may_restart(const aldis_system *system);

/** A kind was made: if there are faults, they look at its handlers too. */
void aldis__fault_wrap(aldis_system *system, struct aldis__kind *kind);

#endif
