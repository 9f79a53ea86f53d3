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
 * The hard one, live: no slab, no large block and no actor is taken beyond the budget, but by the
 * runtime's own messages, for which a sixteenth is kept. It is looked at only where a pool needs
 * a new slab.
 *
 * The hard one in virtual time must not depend on which worker's pool has a block left, so it
 * counts what is sent, not slabs. What is free when a window begins is shared out over the shards
 * that have work in it; a shard is run in one order by one worker at a time, so what it may still
 * send is the same on any number of workers. An eighth of a part is for messages that go the short
 * way, and those are not counted one by one. Where parts would be small, one worker runs the
 * window, and half of what is free is for whoever comes first, in the order of the shards. The last
 * eighth is for timers, answers and new actors. */
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

    /* virtual time; written when nothing runs, `spare` also by the one worker that then runs */
    uint64_t free;     /* between windows: so much may still be sent, */
    uint64_t kept;     /* ... and so much more be taken by timers, answers and actors */
    uint64_t part;     /* of this window: a shard's, less what goes the short way; */
    uint64_t own_part; /* ... of what is kept */
    uint64_t spare;    /* for any of them; 0 if several workers run it */
    uint32_t shorts;   /* messages of a shard that go the short way */
    uint64_t ceiling;  /* taken by more than this, the run ends */
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

/** Virtual time: a window begins, in which so many shards have work. Nothing runs. True: it is to
 *  be run by one worker. */
bool aldis__memory_window_begins(aldis_system *system, uint32_t active);
/** Virtual time: a worker begins with the window's messages of a shard; of a receiver there. */
void aldis__memory_shard_begins(struct aldis__worker *worker);
void aldis__memory_receiver_begins(struct aldis__worker *worker);
/** Virtual time: something that takes so many bytes is made by the actor that runs, or between
 *  windows; `kept`: also of what is kept for such. False: there is no room, and nothing changed. */
bool aldis__memory_spend(struct aldis__worker *worker, uint64_t bytes, bool kept);
/** It was not made after all. */
void aldis__memory_unspend(struct aldis__worker *worker, uint64_t bytes);
/** Virtual time: is there room for a message that the running actor sends, or must keep since its
 *  receiver is full? */
bool aldis__memory_admits(struct aldis__worker *worker, struct aldis__msg *msg, bool is_kept_back);
/** Virtual time: what the block of a message takes. */
uint64_t aldis__memory_of(const struct aldis__msg *msg);
/** Virtual time: a window has ended. Nothing runs. ALDIS_ENOMEM: the run ends, since pools hold
 *  more than twice the budget. */
aldis_err aldis__memory_window_ended(aldis_system *system);
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
