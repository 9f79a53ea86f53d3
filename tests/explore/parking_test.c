// SPDX-License-Identifier: Apache-2.0
/* parking_test.c: a worker that takes its inbox and sleeps when it is empty; two pushers. It never
 * sleeps while mail waits for it. The worker's steps are those of parking.h. */
#include "weave.h"

#include "core/inbox.h"
#include "core/parking.h"

#include "model.h"

#define PUSHERS 2

static struct aldis__inbox inbox;
static struct aldis__parking parking;
static struct {
    struct aldis__msg msg;
    uint32_t payload;
} messages[PUSHERS];
static uint32_t received;

/* What is done wrong on purpose. */
static enum fault {
    RIGHT,
    LAST_LOOK_LOADS, /* looks whether the inbox is empty before it exchanges */
    NO_LAST_LOOK,
    LOOKS_BEFORE_PARKED, /* the last look comes before the state is PARKED */
    WAKES_BEFORE_PUSH,
    WAKE_STORES_NOTHING, /* wakes the futex, but leaves no notice */
    NOTICE_IS_STORED     /* a store in place of the exchange */
} fault;

static void setup(void)
{
    memset(messages, 0, sizeof messages);
    weave_watch(messages, sizeof messages);
    received = 0;
    aldis__store_relaxed(&inbox.head, 0);
    aldis__store_relaxed(&parking.state, ALDIS__RUNNING);
}

/* As aldis__worker_wake and aldis__worker_notify. */
static void wake(void)
{
    if (!aldis__park_is_parked(&parking))
        return;
    if (fault == WAKE_STORES_NOTHING)
        weave_wake(&parking.state);
    else if (fault == NOTICE_IS_STORED)
        aldis__store_release(&parking.state, ALDIS__NOTIFIED);
    else if (aldis__park_wake(&parking))
        weave_wake(&parking.state);
}

static void push(void)
{
    uint32_t number = (uint32_t)weave_self() - 1;
    messages[number].payload = number + 1;
    if (fault == WAKES_BEFORE_PUSH)
        wake();
    aldis__inbox_push(&inbox, &messages[number].msg, &messages[number].msg, 1);
    if (fault != WAKES_BEFORE_PUSH)
        wake();
}

static bool take(void)
{
    struct aldis__msg *msg = aldis__inbox_take(&inbox);
    bool some = msg != NULL;
    for (; msg; msg = msg->next) {
        uint32_t payload = *(uint32_t *)(void *)(msg + 1);
        WEAVE_ASSERT(payload >= 1 && payload <= PUSHERS);
        WEAVE_ASSERT(!(received & 1u << payload));
        received |= 1u << payload;
    }
    return some;
}

static bool last_look(void)
{
    if (fault == NO_LAST_LOOK || fault == LOOKS_BEFORE_PARKED)
        return false;
    if (fault == LAST_LOOK_LOADS && aldis__inbox_count(&inbox) == 0)
        return false;
    return take();
}

static void work(void)
{
    while (received != 6) {
        if (take())
            continue;
        if (!aldis__park_begin(&parking))
            continue;
        if (!last_look())
            while (aldis__park_should_sleep(&parking))
                weave_sleep_while(&parking.state, sizeof parking.state, ALDIS__PARKED);
        aldis__park_end(&parking);
    }
}

static const struct weave_model model = {
    .name = "parking", .setup = setup, .threads = {push, push, work}, .preemptions = 3};

TEST(parking_loses_no_wake_up)
{
    fault = RIGHT;
    model_holds(&model);
}

TEST(parking_needs_its_orders)
{
    static const struct model_order spare[] = {
        {"aldis__park_begin", WEAVE_CAS, memory_order_acquire},
        {"aldis__park_begin", WEAVE_CAS, memory_order_release},
        {"aldis__park_begin", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__park_begin", WEAVE_EXCHANGE, memory_order_release},
        {"aldis__park_wake", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__park_wake", WEAVE_EXCHANGE, memory_order_release},
        {"aldis__park_end", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__park_end", WEAVE_EXCHANGE, memory_order_release},
    };
    fault = RIGHT;
    model_needs_its_orders(&model, spare, sizeof spare / sizeof spare[0]);
}

static void check_fault(enum fault kind, const char *name)
{
    struct weave_model broken = model;
    broken.name = name;
    fault = kind;
    model_fails(&broken);
}

TEST(parking_whose_last_look_is_a_load_fails)
{
    check_fault(LAST_LOOK_LOADS, "parking, last look by a load");
}

TEST(parking_without_a_last_look_fails)
{
    check_fault(NO_LAST_LOOK, "parking, no last look");
}

TEST(parking_that_looks_before_it_says_so_fails)
{
    check_fault(LOOKS_BEFORE_PARKED, "parking, looks before it is PARKED");
}

TEST(parking_with_a_wake_before_the_push_fails)
{
    check_fault(WAKES_BEFORE_PUSH, "parking, wake before push");
}

TEST(parking_with_a_wake_that_leaves_no_notice_fails)
{
    check_fault(WAKE_STORES_NOTHING, "parking, wake without notice");
}

TEST(parking_with_a_notice_by_store_fails)
{
    check_fault(NOTICE_IS_STORED, "parking, notice by a store");
}
