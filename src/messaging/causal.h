// SPDX-License-Identifier: Apache-2.0
/* causal.h: causal groups inside the router. Layer: messaging.
 *
 * A group has places; a member has one of them as long as it is a member, and the place keeps its
 * count of publications when the member goes: who has it next counts on. So a place is a process of
 * the algorithm, and never comes or goes; only how many places there are can grow.
 *
 * Threads: the group's places and counts are under its lock, which a publication holds from its
 * count to its last receiver: so a member joins before a publication, or after it. A member's clock
 * belongs to the owner of its actor's shard. A member holds its group, so it finds it without the
 * router's lock, under which groups come and go. Locks: the router's, then a group's.
 *
 * Invariant: for each place p, what a member has handled of p, has been told will never come, or
 * was published before it joined is 1 .. seen[p] and nothing else. */
#ifndef ALDIS_MESSAGING_CAUSAL_H
#define ALDIS_MESSAGING_CAUSAL_H

#include "messaging/router.h"

/** Make the actor, of this cell, a member. Under the router's lock, by the owner of the cell.
 *  ALDIS_EFULL, ALDIS_ENOMEM. */
aldis_err aldis__causal_join(struct aldis__router *router, struct aldis__cell *cell,
                             const struct aldis__request *request);
/** The same for its end, if it is one. */
void aldis__causal_leave(struct aldis__router *router, struct aldis__cell *cell,
                         const struct aldis__key *group);
/** The actor has ended: its cell is about to be freed. Under the router's lock. */
void aldis__causal_forget(struct aldis__router *router, struct aldis__cell *cell);
/** Free all groups; no thread runs any more. */
void aldis__causal_fini(struct aldis__router *router);

#endif
