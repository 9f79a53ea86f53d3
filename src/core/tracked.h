// SPDX-License-Identifier: Apache-2.0
/* tracked.h: messages whose fate somebody follows. Layer: core.
 *
 * A tracked message carries an aldis__track between its header and its payload. The track names a
 * tracker: a static table of functions of the part above that sent the message (requests, reliable
 * delivery, flow, causal order). Plain messages pay nothing for it: all of this hangs on branches
 * that they do not take.
 *
 * The contract. For each message that aldis__send_tracked() (or its two sisters) has accepted,
 * exactly one of these happens, once:
 *
 *   handled   the receiver's handler ran, in its turn, on the worker of its shard. The order is
 *             admit(), the handler, handled(); all three with the receiver's context entered, so
 *             that admit() and handled() may send in its name.
 *   ended     it will never be handled: refused by the receiver (ALDIS__REJECTED), dropped by a
 *             policy (ALDIS__DROPPED), late or not admitted (ALDIS__EXPIRED, ALDIS__DROPPED), or
 *             its receiver has ended (ALDIS__DEAD). ended() is called where that was found, on any
 *             worker, with no context entered or another actor's: it may post (below), not send.
 *             When the system is destroyed, worker is NULL: release what is held, post nothing.
 *
 * A handler that keeps its message (aldis_stash) has not handled it yet: handled() is not called,
 * and admit() is asked again when it comes back. The same holds for one that fails in an actor with
 * a restart mode: its message comes back after the restart, or ends (ALDIS__DEAD, ALDIS_EHANDLER).
 * One that rejects its message (aldis_reject) ends it.
 *
 * A message that was refused at the send (any error returned) has no further fate: nothing is
 * called. In between it may wait anywhere: in mailboxes, chains, overflows, the calendar. The audit
 * counts it by its type and fate like any other message.
 *
 * A fault plan may lose it: ended() then hears ALDIS_ECOMM, and releases what the message held, but
 * tells its sender nothing, who on a real link would have to find out by himself.
 *
 * In virtual time everything happens in logical order. What a tracker posts arrives at the end of
 * the window, stamped like the runtime's own notices; what it sends from admit() or handled()
 * travels like a message of the receiver. The track's bytes are not part of the run print. */
#ifndef ALDIS_CORE_TRACKED_H
#define ALDIS_CORE_TRACKED_H

#include "core/deliver.h"

/* The most that a posted message carries beside its track. */
enum { ALDIS__POST_BYTES_MAX = 64 };

/** What is to become of a tracked message whose turn has come. */
enum aldis__admission {
    ALDIS__ADMIT_HANDLE,
    ALDIS__ADMIT_EXPIRE, /* counted as expired; ended() hears ALDIS_EEXPIRED */
    ALDIS__ADMIT_DROP,   /* a duplicate: counted as dropped; ended() hears ALDIS_EDROPPED */
    ALDIS__ADMIT_HOLD    /* set aside until aldis__tracked_retry(); counted as queued */
};

/** All functions may be NULL. Static: it must outlive every system. */
struct aldis__tracker {
    const char *name;
    /** Whoever ends one of its messages as dead letters brings them to somebody else: the hook for
     *  dead letters does not hear of it. */
    bool moves;
    /** Posted messages that are handled while the actor waits for its restart, too: they are for a
     *  part that outlives it, and call no handler of the user's. */
    bool steadfast;
    /** They are requests: see messaging/ask.h. */
    bool request;
    const struct aldis__tracker *seen_to; /* of a request: what it has once it was answered */
    /** Its messages are answers whose place the receiver has reserved: the receiver's protocol need
     *  not list their type (then `handle` is needed), a full or draining mailbox takes them, and
     *  `ALDIS_WAIT` does not apply. On the control lane (which others may not use) they reach even
     *  who takes no ordinary mail. Whoever reserves must bound how many there can be. */
    bool reserved;
    /** The low 32 bits of b say where behind the track its topic stands, in bytes. */
    bool has_topic;
    /** Of a message of a multicast only: it has reached the worker of its receiver, and is to wait.
     *  False: it has been refused there and is gone. It may be handled without this having been
     *  asked, when it need not wait (virtual time). NULL: let it wait. */
    bool (*arrived)(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg);
    /** Before the handler. Not called for a message whose deadline has been reached: that has
     *  expired. NULL: handle it. May change the track. */
    enum aldis__admission (*admit)(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg, struct aldis__track *track);
    /** In the handler's place. NULL: the receiver's handler for the type. */
    aldis_err (*handle)(struct aldis__worker *worker, struct aldis__cell *cell,
                        struct aldis__msg *msg, struct aldis__track *track);
    /** Right after the handler, which returned err. The track is as the handler's calls have left
     *  it; if they changed its tracker, this is the new one's. */
    void (*handled)(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg,
                    struct aldis__track *track, aldis_err err);
    /** It will not be handled. */
    void (*ended)(struct aldis__worker *worker, struct aldis__msg *msg, struct aldis__track *track,
                  enum aldis__fate fate, aldis_err reason);
    /** A fault plan doubles the message: make what the copy's track has to be, so that two fates
     *  can be told apart. NULL: these messages are never doubled; and those that are posted are
     *  entries in somebody's books, which no fault plan touches. */
    void (*duplicate)(struct aldis__track *track);
    /** aldis_reply() in the handler of such a message. NULL: a plain send to the sender. */
    aldis_err (*reply)(aldis_ctx *ctx, struct aldis__track *track, aldis_type *type,
                       const void *payload, size_t size);
};

/** What is to be sent. Zeroes are the defaults. */
struct aldis__parcel {
    aldis_id to;
    aldis_type *type;
    const void *payload; /* borrowed; copied once */
    size_t size;
    const aldis_send_opts *opts; /* may be NULL */
    aldis_blob *blob;            /* in payload's place: a reference is taken; size is 0 */
};

/**
 * Send a tracked message from the running handler. Everything holds that holds for
 * aldis_ctx_send_opts_raw(): every size, lane, delay and policy, on every worker; `wait` parks the
 * sender. The track is copied.
 *
 * A reserved message to an actor that has ended is a counted dead letter, and ALDIS_ESTALE.
 * Errors: as aldis_ctx_send_opts_raw.
 */
aldis_err aldis__send_tracked(aldis_ctx *ctx, const struct aldis__parcel *parcel,
                              const struct aldis__track *track);

/** What waited to be sent, and was taken from its sender with ALDIS_OK, will not be: it counts as
 *  sent and dead, and becomes a dead letter like any other. No blob. */
void aldis__parcel_bury(struct aldis__worker *worker, aldis_id from,
                        const struct aldis__parcel *parcel, aldis_err reason);

/** For `duplicate`: the copy is just another message, whose fate may be told as well. */
void aldis__tracked_same(struct aldis__track *track);

/** The same from a thread that is not a worker of the system; as aldis_system_send_opts_raw. */
aldis_err aldis__outside_send_tracked(aldis_system *system, const struct aldis__parcel *parcel,
                                      const struct aldis__track *track);

/**
 * Post a tracked message of the runtime (type aldis.track, control lane, a payload of at most
 * ALDIS__POST_BYTES_MAX bytes): an
 * acknowledgement, a notice, an alarm. It always can; no mailbox bound applies; it is handled by
 * the tracker's `handle`, even when the receiver is paused or parked. From any hook above, and from
 * handlers. To an actor that has ended: a dead letter, and ended().
 */
void aldis__post_tracked(struct aldis__worker *worker, aldis_id from, aldis_id to,
                         const struct aldis__track *track, const void *payload, size_t size);

/** Post a message of any type and size with a reserved tracker, on the normal lane: from ended(),
 *  so that a message goes to another receiver. False: out of memory; it was not counted. */
bool aldis__post_parcel(struct aldis__worker *worker, aldis_id from,
                        const struct aldis__parcel *parcel, const struct aldis__track *track);

/** Let the running actor take no ordinary mail from now on, and take it again. What is posted comes
 *  all the same. */
static inline void aldis__cell_choke(struct aldis__cell *cell)
{
    cell->flags |= ALDIS__CELL_CHOKED;
}
static inline void aldis__cell_unchoke(struct aldis__cell *cell)
{
    cell->flags &= ~(uint32_t)ALDIS__CELL_CHOKED; /* the end of the turn schedules it */
}

/** The track of the message that the running handler handles; NULL: it is a plain one. */
static inline struct aldis__track *aldis__ctx_track(const aldis_ctx *ctx)
{
    return ctx->track;
}

/** Put what was set aside back to the head of the mailbox, in the order in which it came, to be
 *  admitted once more. Only from admit(), handle() or handled(), for the actor that runs. */
void aldis__tracked_retry(struct aldis__worker *worker, struct aldis__cell *cell);

/** How many messages are set aside for this actor. */
static inline uint32_t aldis__tracked_aside(const struct aldis__cell *cell)
{
    return cell->ext ? cell->ext->aside_count : 0;
}

/* ------------------------------------------------------------------ for the core */

/** The message that aldis__post_tracked() posts, counted as sent, not stamped yet. */
struct aldis__msg *aldis__build_tracked(struct aldis__worker *worker, aldis_id from, aldis_id to,
                                        const struct aldis__track *track, const void *payload,
                                        size_t size);

/** The turn of a tracked message has come; the context is entered. Takes msg. */
void aldis__tracked_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg);

/** A tracked message ends unhandled: tell its tracker. It stays the caller's. */
void aldis__tracked_end(struct aldis__worker *worker, struct aldis__msg *msg, enum aldis__fate fate,
                        aldis_err reason);

/** A tracked message is to wait in a mailbox of this worker. False: it is gone. */
static inline bool aldis__tracked_arrived(struct aldis__worker *worker, struct aldis__cell *cell,
                                          struct aldis__msg *msg)
{
    const struct aldis__tracker *tracker = aldis__msg_track(msg)->tracker;
    return !tracker->arrived || tracker->arrived(worker, cell, msg);
}

/** Will its tracker bring it to somebody else when it ends? */
static inline bool aldis__msg_is_moved(struct aldis__msg *msg)
{
    return (msg->flags & ALDIS__MSG_TRACKED) && aldis__msg_track(msg)->tracker->moves;
}

/** Has its receiver kept a place for this message? */
static inline bool aldis__msg_is_reserved(struct aldis__msg *msg)
{
    return (msg->flags & ALDIS__MSG_TRACKED) && aldis__msg_track(msg)->tracker->reserved;
}

#endif
