// SPDX-License-Identifier: Apache-2.0
/* vqueue_test.c: the calendar of virtual time against a sorted list, by seeds. */
#include "core/vqueue.h"

#include "base/hash.h"
#include "core/directory.h"
#include "harness.h"
#include <stdlib.h>

enum { MESSAGES = 4000, TAKEN_MAX = 8192 };

/* A message of virtual time: the stamp stands before the header. */
struct item {
    struct aldis__stamp stamp;
    struct aldis__msg msg;
    bool queued;
};

struct bench {
    struct aldis__vqueue queue;
    aldis_ns quantum_ns;
    struct item items[MESSAGES];
    size_t used;   /* items that were ever added */
    size_t queued; /* of those: not taken yet */
    uint64_t seed;
};

static uint64_t chance(struct bench *b)
{
    return b->seed = aldis__mix64(b->seed + UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t window_of(const struct bench *b, aldis_ns at_ns)
{
    return (uint64_t)at_ns / (uint64_t)b->quantum_ns;
}

/* The reference: the first window that holds an item. */
static uint64_t first_window(const struct bench *b)
{
    uint64_t first = ALDIS__NO_WINDOW;
    for (size_t i = 0; i < b->used; i++)
        if (b->items[i].queued && window_of(b, b->items[i].stamp.at_ns) < first)
            first = window_of(b, b->items[i].stamp.at_ns);
    return first;
}

/* From `from_ns` on, at distances of every magnitude. */
static aldis_ns some_time(struct bench *b, aldis_ns from_ns)
{
    unsigned shift = (unsigned)(chance(b) % 63);
    uint64_t distance = chance(b) >> (63 - shift);
    uint64_t at = (uint64_t)from_ns + distance;
    return at > (uint64_t)ALDIS_FOREVER - 1 ? ALDIS_FOREVER - 1 : (aldis_ns)at;
}

static void add(struct bench *b, aldis_ns at_ns)
{
    struct item *item = &b->items[b->used++];
    item->stamp.at_ns = at_ns;
    item->msg.to = aldis__id_make(1, 0, (uint32_t)(chance(b) % 1000), 1);
    item->queued = true;
    b->queued++;
    aldis__vqueue_add(&b->queue, &item->msg);
}

/* Take the next window whole: exactly the reference's items of that window. */
static aldis_ns take_next(struct bench *b)
{
    static struct aldis__sort_entry taken[TAKEN_MAX];
    uint64_t window = b->queue.next;
    CHECK_UINT(window, first_window(b));
    size_t expected = 0;
    for (size_t i = 0; i < b->used; i++)
        expected += b->items[i].queued && window_of(b, b->items[i].stamp.at_ns) == window;
    CHECK(aldis__vqueue_count_at(&b->queue, window) <= expected);
    size_t count = aldis__vqueue_open(&b->queue, window);
    CHECK_UINT(count, expected);
    CHECK_UINT(aldis__vqueue_count_at(&b->queue, window), expected);
    aldis__vqueue_take(&b->queue, taken);
    for (size_t i = 0; i < count; i++) {
        struct item *item =
            (struct item *)(void *)((char *)taken[i].msg - offsetof(struct item, msg));
        CHECK(item >= b->items && item < b->items + b->used);
        CHECK(item->queued); /* never twice */
        CHECK_UINT(window_of(b, item->stamp.at_ns), window);
        CHECK_UINT(taken[i].receiver, aldis__id_index(item->msg.to, b->queue.node_base));
        item->queued = false;
    }
    b->queued -= count;
    CHECK_UINT(b->queue.count, b->queued);
    return (aldis_ns)(window * (uint64_t)b->quantum_ns);
}

static void count_visit(void *arg, struct aldis__msg *msg)
{
    struct item *item = (struct item *)(void *)((char *)msg - offsetof(struct item, msg));
    CHECK(item->queued);
    ++*(size_t *)arg;
}

static const aldis_ns quanta[] = {1,
                                  2,
                                  3,
                                  7,
                                  1000,
                                  999983,
                                  ALDIS_MS,
                                  ALDIS_SECOND,
                                  ALDIS_HOUR,
                                  INT64_C(1) << 40,
                                  ALDIS_FOREVER / 3,
                                  ALDIS_FOREVER};

static void run_seed(uint64_t seed, aldis_ns quantum_ns)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    b.seed = seed;
    b.quantum_ns = quantum_ns;
    CHECK(aldis__vqueue_init(&b.queue, quantum_ns, UINT64_C(1) << 36));
    CHECK_UINT(b.queue.next, ALDIS__NO_WINDOW);
    aldis_ns now_ns = 0;
    while (b.used < MESSAGES || b.queued > 0) {
        uint64_t n = chance(&b) % 8;
        for (uint64_t i = 0; i < n && b.used < MESSAGES; i++) {
            aldis_ns at_ns = some_time(&b, now_ns);
            uint64_t same = chance(&b) % 40; /* now and then many at one time */
            for (uint64_t k = 0; k < (same == 0 ? 70 : 1) && b.used < MESSAGES; k++)
                add(&b, at_ns);
        }
        if (b.queued > 0 && (b.used == MESSAGES || chance(&b) % 3 == 0))
            now_ns = take_next(&b);
        if (b.used < MESSAGES && chance(&b) % 1000 == 0) {
            size_t visited = 0;
            aldis__vqueue_walk(&b.queue, count_visit, &visited);
            CHECK_UINT(visited, b.queued);
        }
    }
    CHECK_UINT(b.queue.next, ALDIS__NO_WINDOW);
    CHECK_UINT(b.queue.count, 0);
    aldis__vqueue_fini(&b.queue);
}

TEST(vqueue_gives_the_windows_of_a_sorted_list)
{
    for (size_t q = 0; q < sizeof quanta / sizeof quanta[0]; q++)
        for (uint64_t seed = 1; seed <= 4; seed++)
            run_seed(seed * 1000 + q, quanta[q]);
}

/* A window that was cut short: what comes later in it is put back, and taken again. */
TEST(vqueue_takes_back_what_the_open_window_does_not_need_yet)
{
    static struct bench b;
    static struct aldis__sort_entry taken[100];
    memset(&b, 0, sizeof b);
    b.quantum_ns = 1000;
    CHECK(aldis__vqueue_init(&b.queue, b.quantum_ns, UINT64_C(1) << 36));
    for (int i = 0; i < 50; i++)
        add(&b, 5000 + i * 20);
    CHECK_UINT(b.queue.next, 5);
    CHECK_UINT(aldis__vqueue_open(&b.queue, 5), 50);
    aldis__vqueue_take(&b.queue, taken);
    CHECK_UINT(b.queue.next, ALDIS__NO_WINDOW);
    for (int i = 0; i < 50; i++)
        if (aldis__msg_stamp(taken[i].msg)->at_ns >= 5500)
            aldis__vqueue_add(&b.queue, taken[i].msg);
    CHECK_UINT(b.queue.next, 5);
    CHECK_UINT(b.queue.count, 25);
    CHECK_UINT(aldis__vqueue_open(&b.queue, 5), 25);
    aldis__vqueue_take(&b.queue, taken);
    for (int i = 0; i < 25; i++)
        CHECK(aldis__msg_stamp(taken[i].msg)->at_ns >= 5500);
    CHECK_UINT(b.queue.count, 0);
    aldis__vqueue_fini(&b.queue);
}

TEST(vqueue_ends_with_messages_in_it)
{
    static struct bench b;
    memset(&b, 0, sizeof b);
    b.quantum_ns = ALDIS_MS;
    CHECK(aldis__vqueue_init(&b.queue, b.quantum_ns, UINT64_C(1) << 36));
    for (int i = 0; i < 1000; i++)
        add(&b, some_time(&b, 0));
    aldis__vqueue_fini(&b.queue);
    aldis__vqueue_fini(&b.queue); /* twice is once */
}
