// SPDX-License-Identifier: Apache-2.0
/* deliver.h: how a message reaches a mailbox, and what becomes of it when it cannot. Layer:
 * core. */
#ifndef ALDIS_CORE_DELIVER_H
#define ALDIS_CORE_DELIVER_H

#include "core/mailbox.h"

/** How a message that is not handled is counted. */
enum aldis__fate { ALDIS__REJECTED, ALDIS__DROPPED, ALDIS__EXPIRED, ALDIS__DEAD };

/** A message has arrived at the worker that owns its receiver's home. Takes msg. */
void aldis__deliver(struct aldis__worker *worker, struct aldis__msg *msg);

/** Put mail into a mailbox that may be full, and do what its policy says. Takes msg. */
void aldis__admit(struct aldis__worker *worker, struct aldis__shard *shard,
                  struct aldis__cell *cell, struct aldis__msg *msg);

/** End a message that will not be handled: count it once, tell its sender if it wants to know (and
 *  the dead-letter hook, if dead), free it. Takes msg. */
void aldis__refuse(struct aldis__worker *worker, struct aldis__msg *msg, enum aldis__fate fate,
                   aldis_err reason);

/** The first half of it: count, and tell its sender; msg stays the caller's. */
void aldis__refuse_tell(struct aldis__worker *worker, struct aldis__msg *msg, enum aldis__fate fate,
                        aldis_err reason);

/** Tell a sender of what was refused: what a system with a budget for its memory has gathered. */
void aldis__notice_post(struct aldis__worker *worker);

/** Tell the system's hook for dead letters, which is there, of a user's message, at the end of the
 *  system. */
void aldis__dead_letter_tell(aldis_system *system, struct aldis__msg *msg, aldis_err reason);

/** Bring a message to its receiver, wherever it lives: on this worker at once, elsewhere by a
 *  chain. Virtual time: into the calendar, by the time on its stamp. Takes msg; no bound is looked
 *  at. */
void aldis__route(struct aldis__worker *worker, struct aldis__msg *msg);

/** The same towards a given shard. */
void aldis__route_to_shard(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg);

/** Append to the outgoing chain of a shard of another worker. False: the shard's inbox is too full
 *  to take the chain; whoever fills it should pause. */
bool aldis__chain_append(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg);

/** Publish one chain. False: the inbox is too full, and `force` was not given. */
bool aldis__chain_publish(struct aldis__worker *worker, uint32_t shard, bool force);

/** Publish all chains. True: some wait for room. */
bool aldis__chains_publish(struct aldis__worker *worker, bool force);

/** Send one of the runtime's own messages, on the control lane, from `from`. It always can: blocks
 *  are kept in reserve for when memory is out. */
void aldis__post_runtime(struct aldis__worker *worker, aldis_id from, aldis_id to, uint32_t type,
                         const void *payload, size_t size);

/** Tell `to` that there may be room in `from`, but not before this round ends (or the window). */
void aldis__post_room_later(struct aldis__worker *worker, aldis_id from, aldis_id to);

/** The cell of a living actor that this worker runs, to be told something without a message. NULL:
 *  it is not here; or time is virtual, where nobody hears of another within a window. */
struct aldis__cell *aldis__cell_at_hand(struct aldis__worker *worker, aldis_id actor);

/** The payload of a message, however it is held, and its size. */
const void *aldis__msg_payload(struct aldis__msg *msg, size_t *out_size);

/** Fill the block reserve. False: out of memory. */
bool aldis__reserve_fill(struct aldis__worker *worker);

#endif
