// SPDX-License-Identifier: Apache-2.0
/* deadletter.h: copies of messages that will not be handled. Layer: core.
 *
 * Whoever ends a message as dead puts a copy into a box of its own: live, the worker's; in virtual
 * time, the shard's, so that the order within a box is the same on any number of workers. Boxes are
 * emptied into the system's one queue when a round or a window ends. */
#ifndef ALDIS_CORE_DEADLETTER_H
#define ALDIS_CORE_DEADLETTER_H

#include "core/system.h"
#include <aldis/dead_letter.h>

struct aldis__letter {
    struct aldis__letter *next;
    uint64_t number; /* of the system; given when it comes into its queue */
    aldis_id from, to;
    aldis_ns at_ns;
    aldis_blob *blob; /* NULL: the payload stands below */
    uint32_t size;    /* of the payload */
    uint32_t box;     /* of which it came from: virtual time orders by it */
    uint16_t type;
    uint8_t rank;
    bool again;   /* it had been sent again */
    bool partial; /* its payload was too large to be kept */
    aldis_err reason;
    _Alignas(16) unsigned char payload[];
};

/** Make the system's queue. False: out of memory. */
bool aldis__letters_create(aldis_system *system);
void aldis__letters_destroy(aldis_system *system);

/** A message ends as dead: tell the system's hook, and keep a copy. msg stays the caller's. */
void aldis__letter_keep(struct aldis__worker *worker, struct aldis__msg *msg, aldis_err reason);

/** Live, when a round has ended: empty this worker's box. */
void aldis__letters_flush(struct aldis__worker *worker);
/** Virtual time, when a window has ended: empty the boxes of all shards. */
void aldis__letters_gather(aldis_system *system);

#endif
