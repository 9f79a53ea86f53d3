// SPDX-License-Identifier: Apache-2.0
/* wheel_test.c: the timing wheel against the simplest thing that could work, an unordered array
 * that is searched for the least (due, order of adding). */
#include "core/wheel.h"
#include "harness.h"

#include <stdlib.h>

#define NODES 400

/* SplitMix64 (Steele, Lea & Flood 2014): one seed, one sequence. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A span whose magnitude is as random as its digits, so that every level is met: 0 .. 2^63-1. */
static aldis_ns draw_span(uint64_t *state)
{
    unsigned bits = (unsigned)(draw(state) % 64);
    return bits ? (aldis_ns)(draw(state) >> (64 - bits)) : 0;
}

struct entry {
    struct aldis__wheel_node node;
    aldis_ns due_ns;
    uint64_t order; /* of adding; 0: not armed */
};

struct model {
    struct aldis__wheel wheel;
    struct entry entries[NODES];
    uint64_t seed, random, adds;
    size_t armed;
    aldis_ns now_ns;
};

static struct model model;

static aldis_ns later_by(aldis_ns now_ns, aldis_ns span_ns)
{
    return span_ns > ALDIS_FOREVER - now_ns ? ALDIS_FOREVER : now_ns + span_ns;
}

/* The entry that must come next; NULL when nothing is armed. */
static struct entry *first_due(void)
{
    struct entry *first = NULL;
    for (size_t i = 0; i < NODES; i++) {
        struct entry *e = &model.entries[i];
        if (e->order && (!first || e->due_ns < first->due_ns ||
                         (e->due_ns == first->due_ns && e->order < first->order)))
            first = e;
    }
    return first;
}

static void step_add(void)
{
    struct entry *e = &model.entries[draw(&model.random) % NODES];
    if (e->order)
        return;
    aldis_ns span = draw_span(&model.random);
    switch (draw(&model.random) % 8) {
    case 0: /* overdue: at any time since 0, or before it */
        e->due_ns = model.now_ns - span;
        break;
    case 1: /* the due time of another */
        e->due_ns = model.entries[draw(&model.random) % NODES].due_ns;
        break;
    default:
        e->due_ns = later_by(model.now_ns, span);
        break;
    }
    e->order = ++model.adds;
    model.armed++;
    aldis__wheel_add(&model.wheel, &e->node, e->due_ns);
    CHECK(aldis__wheel_is_armed(&e->node));
}

static void step_remove(void)
{
    struct entry *e = &model.entries[draw(&model.random) % NODES];
    model.armed -= e->order != 0;
    e->order = 0;
    aldis__wheel_remove(&model.wheel, &e->node);
    CHECK(!aldis__wheel_is_armed(&e->node));
}

static void check_next_due(void)
{
    aldis_ns next = aldis__wheel_next_due(&model.wheel);
    const struct entry *first = first_due();
    if (!first) {
        CHECK_INT(next, ALDIS_FOREVER);
    } else if (first->due_ns <= model.now_ns) {
        CHECK_INT(next, model.now_ns);
    } else {
        CHECK(next > model.now_ns);
        CHECK(next <= first->due_ns);
    }
}

/* Pop at most `limit` nodes at the model's time: those due, all of them, in order. */
static void pop_due(size_t limit)
{
    while (limit--) {
        struct entry *expected = first_due();
        struct aldis__wheel_node *node = aldis__wheel_pop(&model.wheel, model.now_ns);
        if (!expected || expected->due_ns > model.now_ns) {
            CHECK(node == NULL);
            return;
        }
        CHECK(node == &expected->node);
        CHECK(!aldis__wheel_is_armed(node));
        CHECK_INT(node->due_ns, expected->due_ns);
        expected->order = 0;
        model.armed--;
    }
}

static void run_seed(uint64_t seed)
{
    memset(&model, 0, sizeof model);
    model.seed = model.random = seed;
    model.now_ns = draw_span(&model.random) / 2;
    aldis__wheel_init(&model.wheel, model.now_ns);
    for (int step = 0; step < 2000; step++) {
        switch (draw(&model.random) % 8) {
        case 0:
        case 1:
        case 2:
        case 3:
            step_add();
            break;
        case 4:
        case 5:
            step_remove();
            break;
        case 6: /* by small spans and, now and then, by huge ones; not always popping all */
            model.now_ns =
                later_by(model.now_ns, draw_span(&model.random) >> (draw(&model.random) % 64));
            pop_due(draw(&model.random) % 2 ? SIZE_MAX : 1 + draw(&model.random) % 4);
            break;
        default: { /* to the next due time exactly, as a parked worker does, or just before it */
            const struct entry *first = first_due();
            if (first && first->due_ns > model.now_ns)
                model.now_ns = first->due_ns - (aldis_ns)(draw(&model.random) % 2);
            pop_due(SIZE_MAX);
            break;
        }
        }
        CHECK_UINT(model.wheel.count, model.armed);
        /* It has seen the model's time only if something was popped since. */
        if (model.wheel.now_ns == model.now_ns)
            check_next_due();
    }
    model.now_ns = ALDIS_FOREVER;
    pop_due(SIZE_MAX);
    CHECK_UINT(model.wheel.count, 0);
    CHECK_UINT(model.wheel.levels, 0);
}

TEST(wheel_agrees_with_a_sorted_array)
{
    const char *only = getenv("WHEEL_SEED");
    uint64_t first = only ? strtoull(only, NULL, 0) : 1, last = only ? first : 150;
    for (uint64_t seed = first; seed <= last; seed++) {
        model.seed = seed;
        run_seed(seed);
    }
}

static size_t wakes_until_due(struct aldis__wheel *wheel, const struct aldis__wheel_node *first)
{
    size_t wakes = 0;
    for (;;) {
        aldis_ns next = aldis__wheel_next_due(wheel);
        wakes++;
        struct aldis__wheel_node *node = aldis__wheel_pop(wheel, next);
        if (node) {
            CHECK(node == first);
            CHECK_INT(next, node->due_ns);
            return wakes;
        }
        CHECK(wakes <= ALDIS__WHEEL_LEVELS);
    }
}

TEST(wheel_next_due_is_exact_for_few_and_converges_for_many)
{
    static struct aldis__wheel wheel;
    static struct aldis__wheel_node nodes[100];
    for (unsigned bits = 0; bits < 62; bits++) {
        memset(nodes, 0, sizeof nodes);
        aldis__wheel_init(&wheel, 12345);
        aldis_ns due = 12346 + ((aldis_ns)1 << bits);
        aldis__wheel_add(&wheel, &nodes[0], due);
        CHECK_UINT(wakes_until_due(&wheel, &nodes[0]), 1);
        for (size_t i = 0; i < 100; i++)
            aldis__wheel_add(&wheel, &nodes[i],
                             later_by(due + (aldis_ns)i * 3, (aldis_ns)1 << bits));
        wakes_until_due(&wheel, &nodes[0]);

        /* Many in one slot, the first of them at its very start. */
        memset(nodes, 0, sizeof nodes);
        aldis__wheel_init(&wheel, 0);
        due = (aldis_ns)1 << bits;
        for (size_t i = 0; i < 100; i++)
            aldis__wheel_add(&wheel, &nodes[i], due + (aldis_ns)(i % 2));
        wakes_until_due(&wheel, &nodes[0]);
    }
}

TEST(wheel_nodes_of_one_due_time_come_out_in_the_order_of_adding)
{
    static struct aldis__wheel wheel;
    static struct aldis__wheel_node nodes[1000];
    aldis__wheel_init(&wheel, 0);
    /* The wheel's time moves between the adds: some come from high levels, some go in low. */
    for (size_t i = 0; i < 1000; i++) {
        aldis__wheel_add(&wheel, &nodes[i], ALDIS_SECOND);
        CHECK(aldis__wheel_pop(&wheel, (aldis_ns)i * (ALDIS_SECOND / 1000)) == NULL);
    }
    for (size_t i = 0; i < 1000; i++)
        CHECK(aldis__wheel_pop(&wheel, ALDIS_SECOND) == &nodes[i]);
    CHECK(aldis__wheel_pop(&wheel, ALDIS_FOREVER) == NULL);
}

TEST(wheel_sorts_what_is_overdue)
{
    static struct aldis__wheel wheel;
    static struct aldis__wheel_node nodes[300];
    aldis__wheel_init(&wheel, 1000);
    for (size_t i = 0; i < 300; i++)
        aldis__wheel_add(&wheel, &nodes[i], (aldis_ns)(300 - i));
    CHECK_INT(aldis__wheel_next_due(&wheel), 1000);
    for (size_t i = 300; i-- > 0;)
        CHECK(aldis__wheel_pop(&wheel, 0) == &nodes[i]);
    CHECK_INT(aldis__wheel_next_due(&wheel), ALDIS_FOREVER);
}

TEST(wheel_remove_of_an_unarmed_node_does_nothing)
{
    static struct aldis__wheel wheel;
    struct aldis__wheel_node node = {.due_ns = 0};
    aldis__wheel_init(&wheel, 0);
    aldis__wheel_remove(&wheel, &node);
    aldis__wheel_add(&wheel, &node, 5);
    aldis__wheel_remove(&wheel, &node);
    aldis__wheel_remove(&wheel, &node);
    CHECK_UINT(wheel.count, 0);
    CHECK(aldis__wheel_pop(&wheel, 5) == NULL);
}

TEST(wheel_reaches_the_end_of_time)
{
    static struct aldis__wheel wheel;
    struct aldis__wheel_node last = {.due_ns = 0}, before = {.due_ns = 0};
    aldis__wheel_init(&wheel, 0);
    aldis__wheel_add(&wheel, &last, ALDIS_FOREVER);
    aldis__wheel_add(&wheel, &before, ALDIS_FOREVER - 1);
    CHECK(aldis__wheel_pop(&wheel, ALDIS_FOREVER - 2) == NULL);
    CHECK_INT(aldis__wheel_next_due(&wheel), ALDIS_FOREVER - 1);
    CHECK(aldis__wheel_pop(&wheel, ALDIS_FOREVER - 1) == &before);
    CHECK(aldis__wheel_pop(&wheel, ALDIS_FOREVER) == &last);
}
