// SPDX-License-Identifier: Apache-2.0
/* wheel.c: see wheel.h. Layer: core. One thread at a time; allocates nothing. */
#include "core/wheel.h"

#define DIGIT_BITS 6
/* next_due looks at this many nodes of the earliest slot before it settles for the slot's start:
 * an idle worker with a few timers then wakes exactly once for each. */
#define EXACT_MAX 8
/* A merge sort of n nodes needs about log2(n) bins; no address space holds 2^48 nodes. */
#define SORT_BINS 48

static void list_init(struct aldis__wheel_link *list)
{
    list->next = list;
    list->prev = list;
}

static bool list_is_empty(const struct aldis__wheel_link *list)
{
    return list->next == list;
}

static void list_append(struct aldis__wheel_link *list, struct aldis__wheel_link *link)
{
    struct aldis__wheel_link *last = list->prev;
    link->next = list;
    link->prev = last;
    last->next = link;
    list->prev = link;
}

static struct aldis__wheel_node *node_of(struct aldis__wheel_link *link)
{
    return (struct aldis__wheel_node *)(void *)link; /* the link is its first field */
}

static aldis_ns due_of(const struct aldis__wheel_link *link)
{
    return ((const struct aldis__wheel_node *)(const void *)link)->due_ns;
}

void aldis__wheel_init(struct aldis__wheel *wheel, aldis_ns now_ns)
{
    wheel->now_ns = now_ns;
    wheel->count = 0;
    list_init(&wheel->ready);
    wheel->ready_unsorted = false;
    wheel->levels = 0;
    for (unsigned level = 0; level < ALDIS__WHEEL_LEVELS; level++)
        wheel->used[level] = 0;
    for (size_t index = 0; index < ALDIS__WHEEL_LEVELS * ALDIS__WHEEL_SLOTS; index++)
        list_init(&wheel->slots[index]);
}

static void append_ready(struct aldis__wheel *wheel, struct aldis__wheel_node *node)
{
    struct aldis__wheel_link *last = wheel->ready.prev;
    if (last != &wheel->ready && node->due_ns < due_of(last))
        wheel->ready_unsorted = true;
    list_append(&wheel->ready, &node->link);
}

/* Put the node where the wheel's present time wants it. */
static void place(struct aldis__wheel *wheel, struct aldis__wheel_node *node)
{
    if (node->due_ns <= wheel->now_ns) {
        append_ready(wheel, node);
        return;
    }
    uint64_t due = (uint64_t)node->due_ns;
    unsigned top_bit = 63u - (unsigned)__builtin_clzll(due ^ (uint64_t)wheel->now_ns);
    unsigned level = top_bit / DIGIT_BITS;
    unsigned slot = (unsigned)(due >> (level * DIGIT_BITS)) % ALDIS__WHEEL_SLOTS;
    list_append(&wheel->slots[level * ALDIS__WHEEL_SLOTS + slot], &node->link);
    wheel->used[level] |= UINT64_C(1) << slot;
    wheel->levels |= 1u << level;
}

static void mark_unused(struct aldis__wheel *wheel, size_t index)
{
    unsigned level = (unsigned)(index / ALDIS__WHEEL_SLOTS);
    wheel->used[level] &= ~(UINT64_C(1) << (index % ALDIS__WHEEL_SLOTS));
    if (wheel->used[level] == 0)
        wheel->levels &= ~(1u << level);
}

void aldis__wheel_add(struct aldis__wheel *wheel, struct aldis__wheel_node *node, aldis_ns due_ns)
{
    node->due_ns = due_ns;
    place(wheel, node);
    wheel->count++;
}

void aldis__wheel_remove(struct aldis__wheel *wheel, struct aldis__wheel_node *node)
{
    struct aldis__wheel_link *next = node->link.next, *prev = node->link.prev;
    if (!next)
        return;
    next->prev = prev;
    prev->next = next;
    node->link.next = NULL;
    wheel->count--;
    /* Both neighbours are one: it is the head of a list that is empty now. */
    if (next == prev && next != &wheel->ready)
        mark_unused(wheel, (size_t)(next - wheel->slots));
}

/* The slot that is due first and the time at which it begins; false: all slots are empty. */
static bool find_earliest(const struct aldis__wheel *wheel, size_t *out_index, aldis_ns *out_start)
{
    if (wheel->levels == 0)
        return false;
    unsigned level = (unsigned)__builtin_ctz(wheel->levels);
    unsigned slot = (unsigned)__builtin_ctzll(wheel->used[level]);
    unsigned shift = level * DIGIT_BITS;
    /* The digits above are those of now, this digit is the slot's, those below are zero. */
    uint64_t below = (UINT64_C(1) << shift) - 1;
    uint64_t digit = (uint64_t)(ALDIS__WHEEL_SLOTS - 1) << shift;
    *out_start = (aldis_ns)(((uint64_t)wheel->now_ns & ~(below | digit)) | (uint64_t)slot << shift);
    *out_index = (size_t)level * ALDIS__WHEEL_SLOTS + slot;
    return true;
}

aldis_ns aldis__wheel_next_due(const struct aldis__wheel *wheel)
{
    if (!list_is_empty(&wheel->ready))
        return wheel->now_ns;
    size_t index;
    aldis_ns start, earliest = ALDIS_FOREVER;
    if (!find_earliest(wheel, &index, &start))
        return ALDIS_FOREVER;
    const struct aldis__wheel_link *list = &wheel->slots[index], *link = list->next;
    for (unsigned seen = 0; link != list; link = link->next) {
        if (++seen > EXACT_MAX)
            return start;
        if (due_of(link) < earliest)
            earliest = due_of(link);
    }
    return earliest;
}

/* Merge two chains that end in NULL; of equal ones a's come first. */
static struct aldis__wheel_link *merge(struct aldis__wheel_link *a, struct aldis__wheel_link *b)
{
    struct aldis__wheel_link *first, **link = &first;
    while (a && b) {
        struct aldis__wheel_link **earlier = due_of(b) < due_of(a) ? &b : &a;
        *link = *earlier;
        link = &(*earlier)->next;
        *earlier = (*earlier)->next;
    }
    *link = a ? a : b;
    return first;
}

/* Cut the longest ordered run off the front of a chain that ends in NULL. */
static struct aldis__wheel_link *cut_run(struct aldis__wheel_link **chain)
{
    struct aldis__wheel_link *first = *chain, *last = first;
    while (last->next && due_of(last) <= due_of(last->next))
        last = last->next;
    *chain = last->next;
    last->next = NULL;
    return first;
}

/* Natural merge sort: stable, and a list of few ordered runs costs little more than one walk.
 * bins[i] holds 2^i merged runs or none, those of a higher bin stood before those of a lower. */
static void sort_ready(struct aldis__wheel *wheel)
{
    struct aldis__wheel_link *bins[SORT_BINS] = {NULL}, *list = &wheel->ready, *rest = list->next;
    list->prev->next = NULL;
    while (rest) {
        struct aldis__wheel_link *run = cut_run(&rest);
        unsigned bin = 0;
        for (; bins[bin]; bin++) {
            run = merge(bins[bin], run);
            bins[bin] = NULL;
        }
        bins[bin] = run;
    }
    for (unsigned bin = 0; bin < SORT_BINS; bin++)
        rest = bins[bin] ? merge(bins[bin], rest) : rest;
    list_init(list);
    while (rest) {
        struct aldis__wheel_link *next = rest->next;
        list_append(list, rest);
        rest = next;
    }
    wheel->ready_unsorted = false;
}

/* Take every slot that has begun at now_ns: what is due becomes ready, the rest, which can only
 * come from the last of these slots, moves to lower levels. */
static void advance(struct aldis__wheel *wheel, aldis_ns now_ns)
{
    struct aldis__wheel_link *link, *next, later;
    size_t index;
    aldis_ns start;
    list_init(&later);
    while (find_earliest(wheel, &index, &start) && start <= now_ns) {
        struct aldis__wheel_link *slot = &wheel->slots[index];
        for (link = slot->next; link != slot; link = next) {
            next = link->next;
            if (due_of(link) <= now_ns)
                append_ready(wheel, node_of(link));
            else
                list_append(&later, link);
        }
        list_init(slot);
        mark_unused(wheel, index);
    }
    wheel->now_ns = now_ns;
    for (link = later.next; link != &later; link = next) {
        next = link->next;
        place(wheel, node_of(link));
    }
}

struct aldis__wheel_node *aldis__wheel_pop(struct aldis__wheel *wheel, aldis_ns now_ns)
{
    if (now_ns > wheel->now_ns)
        advance(wheel, now_ns);
    if (list_is_empty(&wheel->ready))
        return NULL;
    if (wheel->ready_unsorted)
        sort_ready(wheel);
    struct aldis__wheel_node *node = node_of(wheel->ready.next);
    aldis__wheel_remove(wheel, node);
    return node;
}
