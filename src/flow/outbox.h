// SPDX-License-Identifier: Apache-2.0
/* outbox.h: what waits at the sender of a credit stream. Layer: flow.
 *
 * Copies of messages, in order, each with its deadline. They are no messages of the system yet: in
 * the audit stand those that have been sent, expired here, or were buried.
 *
 * Invariant: bytes is the sum of the payloads of the `count` entries.
 * Threads: the worker of the sender's shard. */
#ifndef ALDIS_FLOW_OUTBOX_H
#define ALDIS_FLOW_OUTBOX_H

#include "core/tracked.h"

/* A message that waits for credit. */
struct aldis__outbox_entry {
    struct aldis__outbox_entry *next;
    aldis_type *type;
    aldis_ns deadline_ns;
    size_t size;
    _Alignas(16) unsigned char payload[];
};

struct aldis__outbox {
    struct aldis__outbox_entry *first, **last;
    uint32_t count, peak;
    uint64_t bytes;
};

void aldis__outbox_init(struct aldis__outbox *outbox);
/** Free all that waits. */
void aldis__outbox_fini(struct aldis__outbox *outbox);

/** Append a copy of a parcel. False: out of memory. */
bool aldis__outbox_push(struct aldis__outbox *outbox, const struct aldis__parcel *parcel,
                        aldis_ns deadline_ns);
/** Take the first, of at least one; free() it. */
struct aldis__outbox_entry *aldis__outbox_pop(struct aldis__outbox *outbox);

/** All that waits becomes dead letters, for this reason. Returns how many. */
uint64_t aldis__outbox_bury(struct aldis__outbox *outbox, struct aldis__worker *worker,
                            const struct aldis__cell *cell, aldis_id to, aldis_lane lane,
                            aldis_err reason);
/** What is first and past its deadline has expired. Returns how many. */
uint64_t aldis__outbox_expire(struct aldis__outbox *outbox, aldis_ctx *ctx, aldis_id to);

/** One that waited will not be sent: on_undelivered hears of it. */
void aldis__outbox_tell(struct aldis__worker *worker, const struct aldis__cell *cell, aldis_id to,
                        const struct aldis__outbox_entry *entry, aldis_err reason);

#endif
