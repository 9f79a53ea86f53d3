// SPDX-License-Identifier: Apache-2.0
/* credit.h: what the two ends of a credit stream tell each other. Layer: flow.
 *
 * A stream is named by its sender and a serial number of the sender's. Its messages are numbered
 * from 1; `limit` is the highest number that may be sent. Both ends post each other
 * (core/tracked.h) what they know, never what has changed: so a post that is lost, comes twice or
 * out of order does no harm, and the next one mends it.
 *
 *   grant   receiver to sender: version and limit. A newer version replaces all older ones; it may
 *           take credit back, as far as it has not been used.
 *   report  sender to receiver: the newest version that has come, and how much was sent under it.
 *
 * Who is answered, and when something is told again:
 *   a sender that wants credit says so (HUNGRY), and again until a grant says that it is NOTED;
 *   a receiver that grants to a hungry sender, takes back, or ends a stream says so (CONFIRM), and
 *   again until a report, or a message with a number that needs the grant, shows that it has come.
 * So nothing is told again once all is known, and a system at rest has no timer left.
 *
 * Threads: each end is plain memory of its actor's shard. */
#ifndef ALDIS_FLOW_CREDIT_H
#define ALDIS_FLOW_CREDIT_H

#include "core/tracked.h"
#include "messaging/table.h"
#include <aldis/credit.h>

enum {
    ALDIS__CREDIT_NOTED = 1u << 0,   /* grant: that the sender is hungry is known */
    ALDIS__CREDIT_CONFIRM = 1u << 1, /* grant: answer by a report, if no message will do */
    ALDIS__CREDIT_HUNGRY = 1u << 2,  /* report: it wants to send more */
    ALDIS__CREDIT_CLOSED = 1u << 3,  /* report: nothing more will be sent */
    ALDIS__CREDIT_UNKNOWN = 1u << 4, /* report: the sender knows of no such stream (any more) */
    ALDIS__CREDIT_KEPT = 1u << 5     /* report: some of what was sent waits in the sender yet */
};

/* The payloads of posts; their tracks name the stream: a the serial, b the receiver's slot. */
struct aldis__credit_grant {
    uint64_t version, limit;
    uint64_t shown; /* a message with a higher number shows that this has come */
    uint64_t heard; /* NOTED: the sender was hungry when it had sent so many */
    uint32_t flags;
    uint32_t reason; /* not ALDIS_OK: the stream ends */
};

struct aldis__credit_report {
    uint64_t version, limit;
    uint64_t sent;       /* the number of the last message */
    aldis_ns transit_ns; /* how long a message is on its way, as far as the sender knows */
    uint32_t flags;
    uint32_t lane; /* of the stream's messages */
};
_Static_assert(sizeof(struct aldis__credit_report) <= ALDIS__POST_BYTES_MAX, "it can be posted");

/* Nothing is told again, or given up, sooner than this: below it alarms would take all the time. */
#define ALDIS__CREDIT_WAIT_MIN_NS ALDIS_US

/* Word b of a message's track: slot 24, flags 8, serial 32; word a is its number. */
enum { ALDIS__CREDIT_SLOT_NONE = (1 << 24) - 1, ALDIS__CREDIT_SERIAL_SHIFT = 32 };
#define ALDIS__CREDIT_SEEN (UINT64_C(1) << 24) /* the receiver has admitted it */
#define ALDIS__CREDIT_MORE (UINT64_C(1) << 25) /* the last credit, and more waits: HUNGRY */
#define ALDIS__CREDIT_COPY (UINT64_C(1) << 26) /* a fault plan's */

static inline uint32_t aldis__credit_slot(uint64_t b)
{
    return (uint32_t)(b & ALDIS__CREDIT_SLOT_NONE);
}
static inline uint32_t aldis__credit_serial(uint64_t b)
{
    return (uint32_t)(b >> ALDIS__CREDIT_SERIAL_SHIFT);
}

/** wait_ns after now_ns; beyond the last moment there is: for ever. */
static inline aldis_ns aldis__credit_later(aldis_ns now_ns, aldis_ns wait_ns)
{
    return wait_ns >= ALDIS_FOREVER - now_ns ? ALDIS_FOREVER : now_ns + wait_ns;
}

extern const struct aldis__tracker aldis__credit_message_tracker, aldis__credit_grant_tracker,
    aldis__credit_report_tracker;

/** A grant has come to the sender of a stream. */
aldis_err aldis__credit_on_grant(struct aldis__worker *worker, struct aldis__cell *cell,
                                 struct aldis__msg *msg, struct aldis__track *track);
/** A report has come to the receiver. */
aldis_err aldis__credit_on_report(struct aldis__worker *worker, struct aldis__cell *cell,
                                  struct aldis__msg *msg, struct aldis__track *track);

/** Tell an actor something about its stream with `peer`, if it has not ended: as from itself, so
 *  that no fault plan loses it. The payload is peer. */
void aldis__credit_tell_self(struct aldis__worker *worker, aldis_id actor, aldis_id peer,
                             const struct aldis__track *track);

#endif
