// SPDX-License-Identifier: Apache-2.0
/* receiver.h: what one actor has received reliably: a filter for each stream. Layer: delivery.
 * Owner of the shard only.
 *
 * A filter is the number up to which all is done, and a bit for each done number beyond. The sender
 * has at most ALDIS__STREAM_WINDOW numbers pending, so that the bits are few; nothing is ever
 * forgotten: a number is done for ever, however late its repeat comes. The sender also says below
 * which number it has given up, so that a stream with a hole goes on.
 *
 * Invariants: bit n of a filter stands for the number done + 1 + n, and bit 0 is never set. */
#ifndef ALDIS_DELIVERY_RECEIVER_H
#define ALDIS_DELIVERY_RECEIVER_H

#include "core/part.h"
#include <aldis/delivery.h>

enum { ALDIS__FILTER_WORDS = 16 }; /* ALDIS__STREAM_WINDOW bits */

struct aldis__filter {
    aldis_id sender; /* nobody: a free place */
    uint64_t done;   /* this number and all below */
    uint64_t *ahead; /* which of the next are done, too; NULL: none */
    uint32_t ahead_count;
    uint64_t committed; /* durable: up to here a store has it, too */
};

struct aldis__receiver {
    struct aldis__part part;
    struct aldis__filter *filters; /* a hash table by sender, linear probing */
    uint32_t filter_count, filter_size;
    uint64_t received, duplicates;
};

/** The actor's receiver; NULL: it has none. */
struct aldis__receiver *aldis__receiver_of(const struct aldis__cell *cell);
/** The same, made if need be. NULL: out of memory. */
struct aldis__receiver *aldis__receiver_make(struct aldis__cell *cell);

/** The filter for a sender's stream, made if need be. NULL: out of memory. */
struct aldis__filter *aldis__filter_of(struct aldis__receiver *receiver, aldis_id sender);

/** Is the number done? */
bool aldis__filter_has(const struct aldis__filter *filter, uint64_t number);
/** The number is done. False: out of memory, or it is more than ALDIS__STREAM_WINDOW above what is
 *  done; then it is not. */
bool aldis__filter_add(struct aldis__filter *filter, uint64_t number);
/** Nothing at or below `number` will come any more. */
void aldis__filter_advance(struct aldis__filter *filter, uint64_t number);

#endif
