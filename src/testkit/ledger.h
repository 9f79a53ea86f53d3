// SPDX-License-Identifier: Apache-2.0
/* ledger.h: a witness of all that is delivered in a run of virtual time. Layer: testkit.
 *
 * It sees each handler that was called, through the faults' hook (core/fault.h), and at the end it
 * looks at what senders have pending. It believes nobody: that a filter let a message through once,
 * or in order, it sees only by what reached a handler.
 *
 *   duplicate   a numbered message was done twice; an at-most-once handler was called twice
 *   order       an ordered message came after a later one of its stream; or a plain one came after
 *               one that its sender had sent later on the same lane, and that arrived no sooner
 *               (over a link that keeps the order: at all)
 *   lost        a delivery was confirmed, and no handler had been called; or a message was
 *               accepted, and its sender was never told of its end
 *   unexpected  a message was handled or confirmed that had not been sent; or confirmed twice
 *   stuck       a time-out is over, and nobody has looked; or a message is pending since the faults
 *               were over, and for a long time
 *
 * Threads: those of the run; a lock. */
#ifndef ALDIS_TESTKIT_LEDGER_H
#define ALDIS_TESTKIT_LEDGER_H

#include "core/fault.h"
#include <aldis/explore.h>

struct aldis__ledger;

/** Told of the first violation. */
typedef void (*aldis__violation_fn)(void *arg, aldis_violation violation, const char *text);

/** NULL: out of memory. */
struct aldis__ledger *aldis__ledger_create(aldis__violation_fn fn, void *arg);
/** NULL is ignored. */
void aldis__ledger_destroy(struct aldis__ledger *ledger);

/** A message is sent: does its link keep the order? */
void aldis__ledger_sent(struct aldis__ledger *ledger, const struct aldis__fault_site *site);
/** A handler has been called. */
void aldis__ledger_heard(struct aldis__ledger *ledger, const struct aldis__heard *heard);

/** The run is over, or pauses: look at what is pending. healed_ns: when faults ended. Under the
 *  system's lock. */
void aldis__ledger_close(struct aldis__ledger *ledger, aldis_system *system, aldis_ns healed_ns);

/** The one that looks on; NULL: none. In fault.c. */
struct aldis__ledger *aldis__ledger_of(const aldis_system *system);
/** Let the plan act, as aldis_system_inject, with a ledger. Takes ledger on ALDIS_OK. In
 *  fault.c. */
aldis_err aldis__ledger_inject(aldis_system *system, const aldis_fault_plan *plan,
                               struct aldis__ledger *ledger);

#endif
