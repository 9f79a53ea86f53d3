// SPDX-License-Identifier: Apache-2.0
/* phold_heap.c: PHOLD as the textbook has it, for comparison: one binary heap of events in order of
 * (time, receiver, sender, sequence), one thread, no actors, no types, no bounds. Layer: bench. */
#include "phold.h"

#include <stdlib.h>

struct event {
    aldis_ns at_ns;
    uint32_t to, from;
    uint64_t sequence;
};

struct heap {
    struct event *events; /* 1 .. count */
    size_t count;
    uint64_t sequence, chance;
};

static inline bool before(const struct event *a, const struct event *b)
{
    if (a->at_ns != b->at_ns)
        return a->at_ns < b->at_ns;
    if (a->to != b->to)
        return a->to < b->to;
    return a->from != b->from ? a->from < b->from : a->sequence < b->sequence;
}

/* In [0, 1). SplitMix64: cheaper than a stream for each actor. */
static inline double unit(struct heap *heap)
{
    uint64_t z = heap->chance += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void push(struct heap *heap, struct event event)
{
    size_t i = ++heap->count;
    for (; i > 1 && before(&event, &heap->events[i / 2]); i /= 2)
        heap->events[i] = heap->events[i / 2];
    heap->events[i] = event;
}

/* Put event in the place of the first one: a pop and a push in one. */
static void replace_first(struct heap *heap, struct event event)
{
    size_t i = 1, child;
    while ((child = 2 * i) <= heap->count) {
        if (child < heap->count && before(&heap->events[child + 1], &heap->events[child]))
            child++;
        if (!before(&heap->events[child], &event))
            break;
        heap->events[i] = heap->events[child];
        i = child;
    }
    heap->events[i] = event;
}

double phold_heap_rate(const struct phold *phold, uint64_t seed, uint64_t events)
{
    struct heap heap = {.chance = seed};
    heap.events = calloc(phold->n * phold->start + 1, sizeof *heap.events);
    if (!heap.events)
        return 0;
    for (uint64_t i = 0; i < phold->n * phold->start; i++) {
        uint32_t actor = (uint32_t)(i % phold->n);
        push(&heap, (struct event){phold_delay(phold, unit(&heap)), actor, actor, heap.sequence++});
    }
    aldis_ns start_ns = bench_cpu_ns();
    for (uint64_t i = 0; i < events; i++) {
        struct event event = heap.events[1];
        uint32_t to = event.to;
        if (unit(&heap) <= phold->remote)
            to = (uint32_t)(unit(&heap) * (double)phold->n);
        aldis_ns at_ns = event.at_ns + phold_delay(phold, unit(&heap));
        replace_first(&heap, (struct event){at_ns, to, event.to, heap.sequence++});
    }
    aldis_ns spent_ns = bench_cpu_ns() - start_ns;
    free(heap.events);
    return (double)events * 1e9 / (double)(spent_ns > 0 ? spent_ns : 1);
}
