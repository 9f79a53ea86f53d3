// SPDX-License-Identifier: Apache-2.0
/* due.c: see due.h. Layer: messaging. */
#include "messaging/due.h"

enum { LOOK_MAX = 64 }; /* entries of a bucket to look at for the exact time */

/* No entry of bucket b is due before. */
static aldis_ns bucket_start(const struct aldis__due *due, uint32_t b)
{
    return b ? (aldis_ns)(((uint64_t)due->last_ns >> (b - 1) | 1) << (b - 1)) : due->last_ns;
}

/* The first bucket's entries move down, now that the time has come to its start. */
static void spread(struct aldis__due *due, const struct aldis__due_links *links, uint32_t b)
{
    uint32_t index = due->buckets[b].head;
    due->last_ns = bucket_start(due, b);
    due->used &= ~(UINT64_C(1) << b);
    while (index != ALDIS__DUE_NONE) {
        uint32_t next = aldis__due_at(links, index)->next;
        aldis__due_place(due, links, index);
        index = next;
    }
}

uint32_t aldis__due_pop(struct aldis__due *due, const struct aldis__due_links *links,
                        aldis_ns now_ns)
{
    while (due->used) {
        uint32_t b = (uint32_t)__builtin_ctzll(due->used);
        if (bucket_start(due, b) > now_ns)
            break;
        if (b == 0) {
            uint32_t index = due->buckets[0].head;
            aldis__due_remove(due, links, index);
            return index;
        }
        spread(due, links, b);
    }
    return ALDIS__DUE_NONE;
}

aldis_ns aldis__due_next(const struct aldis__due *due, const struct aldis__due_links *links)
{
    if (!due->used)
        return ALDIS_FOREVER;
    uint32_t b = (uint32_t)__builtin_ctzll(due->used);
    aldis_ns next_ns = ALDIS_FOREVER;
    uint32_t index = due->buckets[b].head;
    for (int n = 0; n < LOOK_MAX; n++) {
        const struct aldis__due_link *link = aldis__due_at(links, index);
        if (link->due_ns < next_ns)
            next_ns = link->due_ns;
        index = link->next;
        if (index == ALDIS__DUE_NONE)
            return next_ns;
    }
    return bucket_start(due, b);
}
