// SPDX-License-Identifier: Apache-2.0
/* types.h: the words that every other header uses. Layer: public. */
#ifndef ALDIS_TYPES_H
#define ALDIS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Names one actor, for ever: node 8 bits, birth shard 12, slot 24, generation 20. Copied freely.
 * The id of an actor that has stopped never reaches another one. It is the same for any number of
 * workers and never tells where the actor lives.
 */
typedef struct aldis_id {
    uint64_t bits;
} aldis_id;

/** The id of no actor: the sender of messages that come from outside the system. */
#define ALDIS_NOBODY_INIT                                                                          \
    {                                                                                              \
        0                                                                                          \
    }

static inline aldis_id aldis_nobody(void)
{
    aldis_id id = ALDIS_NOBODY_INIT;
    return id;
}

static inline bool aldis_id_equal(aldis_id a, aldis_id b)
{
    return a.bits == b.bits;
}

static inline bool aldis_id_is_nobody(aldis_id id)
{
    return id.bits == 0;
}

/** Time or duration in nanoseconds. In virtual time the clock starts at 0. */
typedef int64_t aldis_ns;

#define ALDIS_NS ((aldis_ns)1)
#define ALDIS_US ((aldis_ns)1000)
#define ALDIS_MS ((aldis_ns)1000000)
#define ALDIS_SECOND ((aldis_ns)1000000000)
#define ALDIS_MINUTE (60 * ALDIS_SECOND)
#define ALDIS_HOUR (60 * ALDIS_MINUTE)
/** No limit in time. */
#define ALDIS_FOREVER INT64_MAX

/** One runtime; see system.h. */
typedef struct aldis_system aldis_system;

/** What a handler may do while it runs; see actor.h. Valid only inside the handler it was given
 *  to. */
typedef struct aldis_ctx aldis_ctx;

/** A reference-counted, read-only run of bytes; see blob.h. */
typedef struct aldis_blob aldis_blob;

/** Priority of a message: a lane is served before those after it, and the lowest keeps 1/16 of the
 *  turns. */
typedef enum aldis_lane {
    ALDIS_LANE_NORMAL = 0, /**< the default */
    ALDIS_LANE_CONTROL,    /**< the runtime's own commands; not for users */
    ALDIS_LANE_CRITICAL,
    ALDIS_LANE_HIGH,
    ALDIS_LANE_LOW
} aldis_lane;

/** What happens to a message that finds a mailbox full. */
typedef enum aldis_overflow_policy {
    ALDIS_POLICY_DEFAULT = 0, /**< what the behaviour or the system says; in the end ALDIS_WAIT */
    ALDIS_WAIT,               /**< the sender is parked until the mailbox is half empty */
    ALDIS_REJECT,             /**< the send fails with ALDIS_EFULL and counts as rejected */
    ALDIS_DROP_NEWEST,        /**< this message is dropped and counted */
    ALDIS_DROP_OLDEST, /**< the oldest message of the lowest lane, this one's included, is dropped
                            and counted */
    ALDIS_UNBOUNDED,   /**< no bound at all: asked for by name only */
    ALDIS_KEEP_NEWEST  /**< the waiting message of the same type, lane and key (the behaviour's
                            message_key) is dropped and counted, since this one stands for it; if
                            there is none, as ALDIS_DROP_OLDEST. Looks through what waits, so for
                            small mailboxes */
} aldis_overflow_policy;

/** How a mailbox is bounded. Zeroes mean the default of the behaviour, then of the system. */
typedef struct aldis_mailbox_opts {
    uint32_t capacity_msgs;       /**< 1 .. 2^30; default 1024 */
    uint32_t capacity_bytes;      /**< payload bytes, 1 .. 2^31-1; default 1 MiB */
    uint32_t low_water_msgs;      /**< parked senders go on below it; default capacity_msgs / 2 */
    uint32_t stash_msgs;          /**< kept aside by aldis_stash: 1 .. 2^20; default 256. Together
                                       no more bytes than capacity_bytes. */
    aldis_overflow_policy policy; /**< default ALDIS_WAIT */
    /** More than capacity_msgs, up to 2^30: the capacity doubles up to this when the mailbox is
     *  full, and halves down to capacity_msgs when, while as many messages as the capacity were
     *  handled, never a quarter of it was used. Default: it is fixed */
    uint32_t capacity_max_msgs;
    /** Overload. When what comes to be handled has waited more than half of this for the whole of
     *  an interval, messages are shed until it does not, the oldest of the lowest lane first. From
     *  then on, until nothing was shed for an interval, nothing is handled that has waited longer
     *  than this, unless it is the last that waits. 1 us to 1 h of the system's time, well above
     *  the time that one message takes; default: nothing is shed; ALDIS_FOREVER: neither if the
     *  behaviour or the system says otherwise. Live, such a mailbox reads the clock twice a
     *  message. Never shed: ALDIS_LANE_CRITICAL, answers, timers, what an actor sends itself, and
     *  what comes over a credit stream. What is shed counts as dropped (ALDIS_ESHED), is listed
     *  among the dead letters, and its sender is told as of anything dropped. Source: CoDel, RFC
     *  8289; its TARGET is half of this. A message waits from its arrival, under both clocks: what
     *  it waited before that in a parked sender's overflow (ALDIS_WAIT) does not count. */
    aldis_ns shed_target_ns;
    /** A burst may keep them waiting for so long; shed_target_ns to 24 h; default 10 targets. */
    aldis_ns shed_interval_ns;
} aldis_mailbox_opts;

/** What happened to one actor: the reason that its parent is told. */
typedef enum aldis_end_reason {
    ALDIS_ENDED_STOPPED = 0,  /**< stopped after its current message */
    ALDIS_ENDED_DRAINED,      /**< finished what was queued, then stopped */
    ALDIS_ENDED_KILLED,       /**< killed: on_stop did not run */
    ALDIS_ENDED_START_FAILED, /**< on_start returned an error: it never ran */
    ALDIS_ENDED_NO_MEMORY,    /**< its state could not be allocated: it never ran */
    ALDIS_ENDED_FAILED,       /**< it failed, and is not restarted (any more) */
    ALDIS_ENDED_LINKED,       /**< stopped because a linked actor stopped */
    ALDIS_ENDED_BEFORE        /**< to a watcher: it had ended before, or never was */
} aldis_end_reason;

#endif
