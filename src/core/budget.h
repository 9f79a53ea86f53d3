// SPDX-License-Identifier: Apache-2.0
/* budget.h: handlers that run too long, found out by a thread that looks on. Layer: core.
 *
 * Only kinds with a budget pay: their table of handlers holds one function, which notes in two
 * words of its worker what runs, calls the real handler, and notes that it is over; it reads no
 * clock.
 * A thread looks at these words every quarter of the shortest budget. */
#ifndef ALDIS_CORE_BUDGET_H
#define ALDIS_CORE_BUDGET_H

#include "core/system.h"

/** A new kind: watch its handlers if it has a budget, or the system has. Under table_lock.
 *  ALDIS_EINVAL, ALDIS_ENOMEM, ALDIS_EAGAIN no thread could be made. */
aldis_err aldis__budget_apply(aldis_system *system, struct aldis__kind *kind);

/** End the thread. The workers may still run. */
void aldis__budget_stop(aldis_system *system);

#endif
