// SPDX-License-Identifier: Apache-2.0
/* mind_plans.c: the minds that are built in: trees written in C. docs/scenario.md says what each
 * does. See mind_leaves.h. Layer: space. */
#include "mind_leaves.h"

#include <string.h>

/* clang-format off */
#define NODE(depth_, kind_) {.depth = (depth_), .kind = MIND_##kind_}
#define LEAF(depth_, leaf_, ...)                                                                   \
    {.depth = (depth_), .kind = MIND_leaf, .leaf = (leaf_), .value = {__VA_ARGS__}}
#define CHOOSE(depth_, word_) LEAF(depth_, "choose", .count = CHOOSE_##word_)

/* In the order of the words of the leaf "choose". */
enum { CHOOSE_route, CHOOSE_nearest, CHOOSE_profit, CHOOSE_producer, CHOOSE_consumer };

/* With little fuel, or damaged: to the nearest station, and be seen to. */
#define LOOK_AFTER(depth)                                                                          \
    NODE(depth, sequence),                                                                         \
        NODE(depth + 1, selector),                                                                 \
            LEAF(depth + 2, "fuel_below", .number = 0.3),                                          \
            LEAF(depth + 2, "damaged", 0),                                                         \
        CHOOSE(depth + 1, nearest),                                                                \
        LEAF(depth + 1, "dock", 0),                                                                \
        LEAF(depth + 1, "trade", 0)

/* Where most is to be gained; else as the route says. */
#define FIND_PROFIT(depth)                                                                         \
    NODE(depth, selector), CHOOSE(depth + 1, profit), CHOOSE(depth + 1, route)

static const struct mind_step trader[] = {
    NODE(0, selector),
        LOOK_AFTER(1),
        NODE(1, sequence),
            NODE(2, selector), LEAF(3, "has_goal", 0), CHOOSE(3, profit), CHOOSE(3, route),
            LEAF(2, "dock", 0),
            FIND_PROFIT(2),
            LEAF(2, "trade", 0),
};

static const struct mind_step hauler[] = {
    NODE(0, selector),
        LOOK_AFTER(1),
        NODE(1, sequence),
            NODE(2, selector), CHOOSE(3, producer), CHOOSE(3, route),
            LEAF(2, "dock", 0),
            NODE(2, selector), CHOOSE(3, consumer), CHOOSE(3, route),
            LEAF(2, "trade", 0),
            LEAF(2, "dock", 0),
            LEAF(2, "trade", 0),
};

static const struct mind_step patrol[] = {
    NODE(0, reactive_selector),
        NODE(1, sequence), LEAF(2, "call_heard", 0), LEAF(2, "answer_call", 0),
        LOOK_AFTER(1),
        NODE(1, sequence),
            CHOOSE(2, route),
            LEAF(2, "visit", 0),
            LEAF(2, "wait", .time_ns = 30 * ALDIS_SECOND),
};

static const struct mind_step rescue[] = {
    NODE(0, reactive_selector),
        NODE(1, sequence), LEAF(2, "call_heard", 0), LEAF(2, "answer_call", 0),
        LOOK_AFTER(1),
        LEAF(1, "wait", .time_ns = 60 * ALDIS_SECOND),
};

static const struct mind_step pirate[] = {
    NODE(0, selector),
        LOOK_AFTER(1),
        NODE(1, sequence),
            CHOOSE(2, route),
            LEAF(2, "visit", 0),
            {.depth = 2, .kind = MIND_cooldown, .value = {.time_ns = 5 * ALDIS_MINUTE}},
                LEAF(3, "raid", .number = 200),
            LEAF(2, "wait", .time_ns = 60 * ALDIS_SECOND),
};
/* clang-format on */

#define PLAN(name_)                                                                                \
    {                                                                                              \
#name_, name_, sizeof name_ / sizeof name_[0]                                              \
    }

const struct mind_plan *mind_plan_at(uint32_t number)
{
    static const struct mind_plan plans[] = {PLAN(trader), PLAN(hauler), PLAN(patrol), PLAN(rescue),
                                             PLAN(pirate)};
    return number < sizeof plans / sizeof plans[0] ? &plans[number] : NULL;
}

const struct mind_plan *mind_plan_find(const char *name)
{
    const struct mind_plan *plan;
    for (uint32_t i = 0; (plan = mind_plan_at(i)); i++)
        if (strcmp(plan->name, name) == 0)
            return plan;
    return NULL;
}
