// SPDX-License-Identifier: Apache-2.0
/* memory.h: a budget for the memory of a whole system (option memory_max). Layer: core.
 *
 * Two bounds, one fair and one hard.
 *
 * The fair one: what all messages take is estimated from the counters that are there anyway (sent
 * less all that has ended, times the size of a block of that type), at the end of each window, or
 * live by each worker once a millisecond and when it takes a slab. When that is much, no mailbox
 * and no overflow may hold more than what is still free: one that does is full, and its policy says
 * what that means. (Dynamic thresholds: Choudhury and Hahne 1998.) In virtual time the decision is
 * the same on any number of workers.
 *
 * The hard one: no slab, no large block and no actor is taken beyond the budget, but by the
 * runtime's own messages, for which a sixteenth is kept. It is looked at only where a pool needs
 * a new slab. */
#ifndef ALDIS_CORE_MEMORY_H
#define ALDIS_CORE_MEMORY_H

#include "core/system.h"

struct aldis__memory {
    uint64_t max;
    uint64_t limit;             /* for all but the runtime's own messages */
    _Atomic(uint64_t) taken;    /* slabs, large blocks, actors */
    _Atomic(uint64_t) peak;     /* most that ever was */
    _Atomic(uint64_t) actors;   /* of the taken: those that live */
    _Atomic(uint64_t) seen;     /* messages and actors, when somebody last looked */
    struct aldis__mail outside; /* of what was sent from outside; written under the system's lock */
    uint32_t outside_sends;     /* under that lock */
};

/** The budget of a new system; its pools and workers know it from now on. False: out of memory. */
bool aldis__memory_create(aldis_system *system);
void aldis__memory_destroy(aldis_system *system);

/** Take so much of the budget; `reserve`: also of what is kept for the runtime. False: it is used
 *  up. Any thread. */
bool aldis__memory_take(struct aldis__memory *memory, uint64_t bytes, bool reserve);
void aldis__memory_give(struct aldis__memory *memory, uint64_t bytes);

/** An actor of this kind is made. ALDIS_ENOMEM: there is no budget left for it. */
aldis_err aldis__memory_take_actor(aldis_system *system, const struct aldis__kind *kind);
void aldis__memory_give_actor(aldis_system *system, const struct aldis__kind *kind);

/** Virtual time: a window has ended. Nothing runs. */
void aldis__memory_window_ended(aldis_system *system);
/** Live: this worker looks, since it is time (memory_due_ns) or before it sleeps. */
void aldis__memory_look(struct aldis__worker *worker);
/** A pool has taken a slab: live, its worker looks. */
void aldis__memory_grew(const struct aldis__pool *pool);
/** Live: something was sent from outside. Under the system's lock. */
void aldis__memory_sent_outside(aldis_system *system);

/** Memory is short, and the mailbox or overflow that holds `held` bytes would have more than its
 *  share with `more`. An empty one takes one message, whatever its size. */
static inline bool aldis__memory_is_over(const struct aldis__worker *worker, uint64_t held,
                                         uint64_t more)
{
    return held > 0 && held + more > worker->memory_share;
}

static inline bool aldis__memory_is_short(const struct aldis__worker *worker)
{
    return worker->memory_share != UINT64_MAX;
}

#endif
