// SPDX-License-Identifier: Apache-2.0
/* shed.h: mail that has waited too long in an overloaded mailbox is shed. Layer: core.
 *
 * Controlled delay (Nichols, Jacobson, McGregor and Iyengar, RFC 8289), one controller for each
 * lane, with three changes that docs/design/flow.md gives the reasons for: a lane that is late
 * sheds from the lowest lane first; RFC 8289's target is half of the mailbox's; and while the
 * mailbox is overloaded, nothing is handled that has waited longer than its target.
 *
 * Only actors with a target pay: they take the slower turn (ALDIS__CELL_SHEDS). Live, where
 * messages have no exact time, their mailboxes also take the slower push, which puts a finer stamp
 * on each.
 *
 * Owner: the owner of the actor's home shard. */
#ifndef ALDIS_CORE_SHED_H
#define ALDIS_CORE_SHED_H

#include "core/mailbox.h"

/* Of one lane. Times by the system's clock; 0: none. */
struct aldis__shed_lane {
    aldis_ns due_ns;  /* since an interval before then all that was taken had waited too long */
    aldis_ns next_ns; /* when it sheds again, if nothing is over the target; while it sheds */
    uint32_t count;   /* of what it shed by that rule since it began */
    uint32_t last;    /* the count with which it began last */
    bool shedding;
};

struct aldis__shed {
    aldis_ns target_ns, interval_ns;
    unsigned shift;                                   /* live: stamps are in units of 2^shift ns */
    uint64_t msgs;                                    /* shed so far */
    aldis_ns last_ns;                                 /* when the last one was */
    struct aldis__shed_lane lanes[ALDIS__RANK_COUNT]; /* high, normal and low are used */
};

/** Fill in what a mailbox's options leave open. ALDIS_EINVAL with the field and its range. */
aldis_err aldis__shed_resolve(const aldis_mailbox_opts *opts,
                              const struct aldis__shed_opts *defaults,
                              struct aldis__shed_opts *out_opts);

/** A new actor's mailbox sheds. False: out of memory. */
bool aldis__shed_create(const aldis_system *system, struct aldis__cell *cell,
                        const struct aldis__shed_opts *opts);

/** The next message by lane, after all that is to be shed before it; NULL: none. For a mailbox with
 *  ALDIS__CELL_SHEDS. */
struct aldis__msg *aldis__shed_pop(struct aldis__worker *worker, struct aldis__cell *cell);

/** Live: a message comes in, now. */
void aldis__shed_stamp(struct aldis__worker *worker, struct aldis__cell *cell,
                       struct aldis__msg *msg);
/** These come back, from where they did not wait for their turn: they begin to wait anew. */
void aldis__shed_stamp_list(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__msg *msg);

/** Live: how long a message has waited at `now_ns`. */
aldis_ns aldis__shed_age(const struct aldis__cell *cell, const struct aldis__msg *msg,
                         aldis_ns now_ns);

#endif
