// SPDX-License-Identifier: Apache-2.0
/* wheel.h: a hierarchical timing wheel (Varghese & Lauck, "Hashed and hierarchical timing wheels",
 * SOSP 1987, scheme 7). Layer: core.
 *
 * Times are written as 11 digits of base 64, one wheel of 64 slots for each digit, down to single
 * nanoseconds. A node lies on the wheel of the highest digit in which its due time differs from the
 * wheel's time, in the slot of its own digit there. From this follow, at any moment:
 *
 *     due > now for every node in a slot, due <= now for every node on the ready list;
 *     all nodes with one due time lie on one list, in the order in which they were added;
 *     every node on a lower wheel is due before every node on a higher one, and within a wheel the
 *     nodes of a lower slot before those of a higher one.
 *
 * So the earliest slot is found with two bit scans, nothing is ever early or late, and nodes come
 * out ordered by (due_ns, order of adding).
 *
 * Nothing is allocated; nodes lie inside their owner's structs. One thread at a time. */
#ifndef ALDIS_CORE_WHEEL_H
#define ALDIS_CORE_WHEEL_H

#include <aldis/types.h>

#define ALDIS__WHEEL_LEVELS 11
#define ALDIS__WHEEL_SLOTS 64

struct aldis__wheel_link {
    struct aldis__wheel_link *next, *prev;
};

/** A zeroed node is valid and not armed. The owner embeds it and leaves its fields alone. */
struct aldis__wheel_node {
    struct aldis__wheel_link link; /* next is NULL: not armed */
    aldis_ns due_ns;
};

struct aldis__wheel {
    aldis_ns now_ns;
    size_t count;
    struct aldis__wheel_link ready;     /* due <= now_ns, waiting for aldis__wheel_pop */
    bool ready_unsorted;                /* some node on it is due before its predecessor */
    uint32_t levels;                    /* bit n: some slot of level n is in use */
    uint64_t used[ALDIS__WHEEL_LEVELS]; /* bit n: slot n is in use */
    struct aldis__wheel_link slots[ALDIS__WHEEL_LEVELS * ALDIS__WHEEL_SLOTS];
};

/** Make an empty wheel whose time is now_ns (0 or more). It must not move in memory. */
void aldis__wheel_init(struct aldis__wheel *wheel, aldis_ns now_ns);

/** Arm a node that is not armed. A due_ns that has passed is fine: it is ready at once. O(1). */
void aldis__wheel_add(struct aldis__wheel *wheel, struct aldis__wheel_node *node, aldis_ns due_ns);

/** Disarm a node of this wheel, whether it is due or not; one that is not armed stays so. O(1). */
void aldis__wheel_remove(struct aldis__wheel *wheel, struct aldis__wheel_node *node);

/**
 * When to call aldis__wheel_pop next: not later than the earliest due time, and later than the
 * wheel's time unless a node is ready (then the wheel's time itself). The exact due time when few
 * nodes share its slot; else the slot's start, and a pop at that time finds finer slots, so that
 * at most 11 calls lead to the due time. ALDIS_FOREVER: nothing is armed, or only for then. O(1).
 */
aldis_ns aldis__wheel_next_due(const struct aldis__wheel *wheel);

/**
 * Move the wheel's time on to now_ns (an earlier time leaves it) and disarm and return the node
 * that is due first, by (due_ns, order of adding); NULL when none is due. Call it until it gives
 * NULL. A node that is added meanwhile and is due already comes in the same series: whoever
 * re-arms in the loop must re-arm past now_ns or bound the loop.
 *
 * Cost: O(1) and, over its life, at most 11 moves and one place in a merge sort for each node.
 */
struct aldis__wheel_node *aldis__wheel_pop(struct aldis__wheel *wheel, aldis_ns now_ns);

/** Is the node armed? */
static inline bool aldis__wheel_is_armed(const struct aldis__wheel_node *node)
{
    return node->link.next != NULL;
}

#endif
