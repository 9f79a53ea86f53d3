// SPDX-License-Identifier: Apache-2.0
/* vqueue.c: see vqueue.h. Layer: core. */
#include "core/vqueue.h"

#include "base/check.h"
#include <string.h>

#define SLOT_MASK ((uint64_t)ALDIS__VQUEUE_SLOTS - 1)

void aldis__vqueue_init(struct aldis__vqueue *queue)
{
    memset(queue, 0, sizeof *queue);
    queue->next = ALDIS__NO_WINDOW;
}

/* The level whose digit is the highest in which the two windows differ. */
static inline unsigned level_of(uint64_t window, uint64_t base)
{
    uint64_t differ = (window ^ base) | 1;
    return (unsigned)(63 - __builtin_clzll(differ)) / ALDIS__VQUEUE_BITS;
}

static inline void put(struct aldis__vqueue *queue, struct aldis__msg *msg, uint64_t window)
{
    unsigned level = level_of(window, queue->base);
    unsigned slot = (unsigned)((window >> (level * ALDIS__VQUEUE_BITS)) & SLOT_MASK);
    msg->next = queue->bucket[level][slot];
    queue->bucket[level][slot] = msg;
    queue->used[level] |= UINT64_C(1) << slot;
    if (level == 0)
        queue->in_slot[slot]++;
}

static inline uint64_t window_of(struct aldis__msg *msg, aldis_ns quantum_ns)
{
    return (uint64_t)aldis__msg_stamp(msg)->at_ns / (uint64_t)quantum_ns;
}

void aldis__vqueue_add(struct aldis__vqueue *queue, struct aldis__msg *msg, uint64_t window,
                       aldis_ns quantum_ns)
{
    (void)quantum_ns;
    ALDIS_CHECK_EXPENSIVE(window >= queue->base &&
                          window == window_of(msg, quantum_ns));
    put(queue, msg, window);
    queue->count++;
    if (window < queue->next)
        queue->next = window;
}

/* Empty the bucket of `level` in which `window` lies into the levels below. */
static void cascade(struct aldis__vqueue *queue, unsigned level, uint64_t window,
                    aldis_ns quantum_ns)
{
    unsigned slot = (unsigned)((window >> (level * ALDIS__VQUEUE_BITS)) & SLOT_MASK);
    struct aldis__msg *msg = queue->bucket[level][slot];
    queue->bucket[level][slot] = NULL;
    queue->used[level] &= ~(UINT64_C(1) << slot);
    while (msg) {
        struct aldis__msg *next = msg->next;
        put(queue, msg, window_of(msg, quantum_ns));
        msg = next;
    }
}

/* The first window that holds a message. All buckets at and after base's own digit are ahead. */
static uint64_t find_next(const struct aldis__vqueue *queue, aldis_ns quantum_ns)
{
    for (unsigned level = 0; level < ALDIS__VQUEUE_LEVELS; level++) {
        if (!queue->used[level])
            continue;
        unsigned slot = (unsigned)__builtin_ctzll(queue->used[level]);
        if (level == 0)
            return (queue->base & ~SLOT_MASK) | slot;
        /* Its windows are mixed: look. This bucket is looked at once for each time that everything
         * nearer has run out. */
        uint64_t first = ALDIS__NO_WINDOW;
        for (struct aldis__msg *msg = queue->bucket[level][slot]; msg; msg = msg->next) {
            uint64_t window = window_of(msg, quantum_ns);
            if (window < first)
                first = window;
        }
        return first;
    }
    return ALDIS__NO_WINDOW;
}

struct aldis__msg *aldis__vqueue_take(struct aldis__vqueue *queue, uint64_t window,
                                      aldis_ns quantum_ns)
{
    if (queue->next != window)
        return NULL;
    unsigned top = level_of(window, queue->base);
    queue->base = window;
    for (unsigned level = top; level > 0; level--)
        cascade(queue, level, window, quantum_ns);
    unsigned slot = (unsigned)(window & SLOT_MASK);
    struct aldis__msg *taken = queue->bucket[0][slot];
    queue->bucket[0][slot] = NULL;
    queue->used[0] &= ~(UINT64_C(1) << slot);
    queue->in_slot[slot] = 0;
    queue->next = find_next(queue, quantum_ns);
    return taken;
}

void aldis__vqueue_walk(const struct aldis__vqueue *queue,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg)
{
    for (unsigned level = 0; level < ALDIS__VQUEUE_LEVELS; level++)
        for (unsigned slot = 0; slot < ALDIS__VQUEUE_SLOTS; slot++)
            for (struct aldis__msg *msg = queue->bucket[level][slot]; msg; msg = msg->next)
                visit(arg, msg);
}
