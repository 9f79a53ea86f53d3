// SPDX-License-Identifier: Apache-2.0
/* inbox_test.c: two pushers with chains, one taker. Nothing is lost or comes twice, each sender's
 * messages come in its order with their payloads, and the count is right. */
#include "weave.h"

#include "core/inbox.h"

#include "model.h"

#include <stddef.h>

#define SENDERS 2
#define EACH 3 /* messages of a sender: a chain of one, then a chain of two */

static struct aldis__inbox inbox;
static struct {
    struct aldis__msg msg;
    uint32_t sender, number;
} messages[SENDERS][EACH];
static uint32_t next_number[SENDERS];

static void setup(void)
{
    memset(messages, 0, sizeof messages);
    memset(next_number, 0, sizeof next_number);
    weave_watch(messages, sizeof messages);
    aldis__store_relaxed(&inbox.head, 0);
}

static struct aldis__msg *fill(uint32_t sender, uint32_t number)
{
    messages[sender][number].sender = sender;
    messages[sender][number].number = number;
    return &messages[sender][number].msg;
}

static void send(void)
{
    uint32_t sender = (uint32_t)weave_self() - 1;
    struct aldis__msg *single = fill(sender, 0);
    aldis__inbox_push(&inbox, single, single, 1);
    struct aldis__msg *older = fill(sender, 1), *newer = fill(sender, 2);
    newer->next = older;
    aldis__inbox_push(&inbox, newer, older, 2);
}

/* Take all and check each message; returns how many. */
static uint32_t take(void)
{
    uint32_t count = 0;
    struct aldis__msg *msg = aldis__chain_reverse(aldis__inbox_take(&inbox));
    for (; msg; msg = msg->next, count++) {
        size_t place = (size_t)((char *)msg - (char *)messages) / sizeof messages[0][0];
        WEAVE_ASSERT(place < SENDERS * EACH);
        uint32_t sender = messages[place / EACH][place % EACH].sender;
        WEAVE_ASSERT(sender == place / EACH);
        WEAVE_ASSERT(messages[sender][place % EACH].number == next_number[sender]);
        next_number[sender]++;
    }
    return count;
}

static void receive(void)
{
    take();
    take();
}

static void finish(void)
{
    uint32_t left = aldis__inbox_count(&inbox);
    WEAVE_ASSERT(take() == left);
    for (uint32_t sender = 0; sender < SENDERS; sender++)
        WEAVE_ASSERT(next_number[sender] == EACH);
    WEAVE_ASSERT(aldis__inbox_count(&inbox) == 0);
}

static const struct weave_model model = {.name = "inbox",
                                         .setup = setup,
                                         .threads = {send, send, receive},
                                         .finish = finish,
                                         .preemptions = 3};

TEST(inbox_keeps_all_messages_and_each_senders_order)
{
    model_holds(&model);
}

/* What the acquire of a push is for, parking and hand-over show. */
static const struct model_order spare[] = {
    {"aldis__inbox_push", WEAVE_CAS, memory_order_release},
    {"aldis__inbox_take", WEAVE_EXCHANGE, memory_order_acquire},
};

TEST(inbox_needs_its_orders)
{
    model_needs_its_orders(&model, spare, sizeof spare / sizeof spare[0]);
}

/* Broken on purpose: two steps in place of one exchange. */
static void receive_in_two_steps(void)
{
    for (int i = 0; i < 2; i++) {
        uint64_t head = aldis__load_acquire(&inbox.head);
        aldis__store_release(&inbox.head, 0);
        struct aldis__msg *msg = (struct aldis__msg *)(uintptr_t)(head & ALDIS__INBOX_POINTER);
        for (; msg; msg = msg->next) {
            size_t place = (size_t)((char *)msg - (char *)messages) / sizeof messages[0][0];
            next_number[place / EACH]++;
        }
    }
}

TEST(inbox_taken_in_two_steps_fails)
{
    struct weave_model broken = model;
    broken.name = "inbox, load and store in place of the exchange";
    broken.threads[2] = receive_in_two_steps;
    model_fails(&broken);
}
