// SPDX-License-Identifier: Apache-2.0
/* due.h: which of an actor's asks is due next. Layer: messaging.
 *
 * A radix heap (Ahuja, Mehlhorn, Orlin & Tarjan, "Faster algorithms for the shortest path problem",
 * JACM 1990): a timing wheel with two slots on each level, small enough for every actor to have
 * one. An entry lies in the bucket of the highest bit in which its deadline differs from `last_ns`,
 * which no deadline is before. To add and to remove is O(1); an entry that falls due has moved at
 * most 63 times, one that is answered in time usually never. Equal deadlines come out in the order
 * in which they were added.
 *
 * Entries are links in an array of the user's, by index, so that the array may move. */
#ifndef ALDIS_MESSAGING_DUE_H
#define ALDIS_MESSAGING_DUE_H

#include <aldis/types.h>

#define ALDIS__DUE_NONE UINT32_MAX

struct aldis__due_link {
    aldis_ns due_ns;
    uint32_t next, prev; /* ALDIS__DUE_NONE: the end */
    uint32_t bucket;
    uint32_t reserved;
};

struct aldis__due {
    aldis_ns last_ns;
    uint64_t used; /* bit n: bucket n is not empty */
    struct {
        uint32_t head, tail;
    } buckets[64];
};

/** The entries: `stride` bytes from one link to the next. */
struct aldis__due_links {
    char *first;
    size_t stride;
};

static inline struct aldis__due_link *aldis__due_at(const struct aldis__due_links *links,
                                                    uint32_t index)
{
    return (struct aldis__due_link *)(void *)(links->first + (size_t)index * links->stride);
}

static inline uint32_t aldis__due_bucket(const struct aldis__due *due, aldis_ns due_ns)
{
    uint64_t differ = (uint64_t)(due_ns ^ due->last_ns);
    return differ ? 64u - (uint32_t)__builtin_clzll(differ) : 0;
}

/* Into its bucket, as things stand. */
static inline void aldis__due_place(struct aldis__due *due, const struct aldis__due_links *links,
                                    uint32_t index)
{
    struct aldis__due_link *link = aldis__due_at(links, index);
    uint32_t b = aldis__due_bucket(due, link->due_ns);
    link->bucket = b;
    link->next = ALDIS__DUE_NONE;
    if (due->used >> b & 1) {
        link->prev = due->buckets[b].tail;
        aldis__due_at(links, link->prev)->next = index;
    } else {
        link->prev = ALDIS__DUE_NONE;
        due->buckets[b].head = index;
        due->used |= UINT64_C(1) << b;
    }
    due->buckets[b].tail = index;
}

/** Add entry `index`, whose due_ns is set, not before now_ns; now_ns never goes back. */
static inline void aldis__due_add(struct aldis__due *due, const struct aldis__due_links *links,
                                  uint32_t index, aldis_ns now_ns)
{
    if (!due->used)
        due->last_ns = now_ns;
    aldis__due_place(due, links, index);
}

static inline void aldis__due_remove(struct aldis__due *due, const struct aldis__due_links *links,
                                     uint32_t index)
{
    const struct aldis__due_link *link = aldis__due_at(links, index);
    uint32_t b = link->bucket;
    if (link->prev != ALDIS__DUE_NONE)
        aldis__due_at(links, link->prev)->next = link->next;
    else
        due->buckets[b].head = link->next;
    if (link->next != ALDIS__DUE_NONE)
        aldis__due_at(links, link->next)->prev = link->prev;
    else
        due->buckets[b].tail = link->prev;
    if (due->buckets[b].head == ALDIS__DUE_NONE)
        due->used &= ~(UINT64_C(1) << b);
}

/** Take out the next entry that is due at now_ns; ALDIS__DUE_NONE: none is. */
uint32_t aldis__due_pop(struct aldis__due *due, const struct aldis__due_links *links,
                        aldis_ns now_ns);

/** When to call aldis__due_pop() again: not later than the next due time, and exactly then unless
 *  many entries are close together. ALDIS_FOREVER: there is none. */
aldis_ns aldis__due_next(const struct aldis__due *due, const struct aldis__due_links *links);

#endif
