// SPDX-License-Identifier: Apache-2.0
/* table.h: a hash table of records that carry their own link. Layer: messaging.
 *
 * Chained, so that an insertion needs no memory but the first time: growing is only for speed, and
 * its failure is forgiven. No order depends on it. Threads: the caller's lock. */
#ifndef ALDIS_MESSAGING_TABLE_H
#define ALDIS_MESSAGING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first member of a record. */
struct aldis__link {
    struct aldis__link *next;
    uint64_t hash;
};

struct aldis__table {
    struct aldis__link **buckets;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/** Make sure that there is a bucket, and if possible that there are enough. False: out of memory,
 *  and nothing can be added. */
bool aldis__table_reserve(struct aldis__table *table);
/** Add a record; the caller has reserved, and has looked that there is none like it. */
void aldis__table_add(struct aldis__table *table, struct aldis__link *link, uint64_t hash);
/** Take out a record that is in it. */
void aldis__table_remove(struct aldis__table *table, struct aldis__link *link);
/** Frees the buckets; the records are their owners'. */
void aldis__table_fini(struct aldis__table *table);

/** The first record with this hash, and the next one after it; the caller compares. */
static inline struct aldis__link *aldis__table_next(struct aldis__link *link, uint64_t hash)
{
    while (link && link->hash != hash)
        link = link->next;
    return link;
}

static inline struct aldis__link *aldis__table_first(const struct aldis__table *table,
                                                     uint64_t hash)
{
    if (!table->capacity)
        return NULL;
    return aldis__table_next(table->buckets[hash & (table->capacity - 1)], hash);
}

#endif
