// SPDX-License-Identifier: Apache-2.0
/* channel_test.c: the lock-free pieces of channels: gate and ring, gate and pile, oneshot, with
 * their waiter. Nothing is lost or comes twice or in another order; nobody sleeps while there is
 * something for him; memory is freed once, after everybody's last use. The loops round the pieces
 * are those of messaging/channel.c, gated.c and oneshot.c. */
#include "weave.h"

#include "messaging/gate.h"
#include "messaging/oneshot.h"
#include "messaging/pile.h"
#include "messaging/ring.h"

#include "model.h"

enum { SENDERS = 2, EACH_MAX = 3, PLACES = 2, SLOTS = 2 };

/* A slot or leaf, and its value behind it. */
typedef uint64_t cell[2];

/* One channel of each kind; a model uses some. */
static struct aldis__gate gate;
static cell slots[SLOTS];
static uint64_t slot_mask;
static struct aldis__pile pile;
static cell leaves[SENDERS][EACH_MAX];
static struct aldis__waiting waiting;
static _Atomic(uint32_t) senders;

static struct {
    struct aldis__oneshot shared;
    uint64_t value, kind; /* plain: kind stands for the rest of the memory, which both read */
} oneshots[PLACES];
static uint64_t freed[PLACES]; /* plain: each freeing is a write */

static struct aldis__waiter waiter;
static uint64_t waiter_gone; /* plain: every late use of its memory is a race with its freeing */

/* What the threads have seen; each field has one writer. */
static uint32_t received[SENDERS + 1], received_all;
static aldis_err send_result[SENDERS + 1];
static uint32_t sent[SENDERS + 1];

static uint32_t each;        /* messages of a sender */
static bool receiver_leaves; /* after its first message */

static struct aldis__slot *slot_of(uint64_t ticket)
{
    return (struct aldis__slot *)(void *)slots[ticket & slot_mask];
}

static uint64_t *value_of(unsigned char *bytes)
{
    return (uint64_t *)(void *)bytes;
}

void aldis__gate_wake_futex(struct aldis__gate *woken)
{
    weave_wake(&woken->room);
}

void aldis__waiter_wake_futex(struct aldis__waiter *woken)
{
    WEAVE_ASSERT(!waiter_gone);
    weave_wake(&woken->state);
}

void aldis__waiter_free(struct aldis__waiter *gone)
{
    (void)gone;
    waiter_gone = 1;
}

static void setup_gate(uint64_t limit, uint64_t limit_max)
{
    memset(slots, 0, sizeof slots);
    memset(leaves, 0, sizeof leaves);
    memset(received, 0, sizeof received);
    memset(sent, 0, sizeof sent);
    memset(send_result, 0, sizeof send_result);
    received_all = 0;
    receiver_leaves = false;
    slot_mask = limit - 1;
    each = 1;
    weave_watch(slots, sizeof slots);
    weave_watch(leaves, sizeof leaves);
    aldis__gate_init(&gate, limit, limit_max);
    for (int i = 0; i < SLOTS; i++)
        aldis__store_relaxed(&((struct aldis__slot *)(void *)slots[i])->turn, 0);
    aldis__store_relaxed(&pile.top, 0);
    aldis__store_relaxed(&waiting.waiter, NULL);
    aldis__store_relaxed(&senders, SENDERS);
    aldis__store_relaxed(&waiter.state, ALDIS__WAITER_CALM);
    aldis__store_relaxed(&waiter.refs, 1);
    waiter_gone = 0;
}

/* ------------------------------------------------------------------ senders */

static aldis_err ring_push(uint64_t value)
{
    uint64_t ticket;
    aldis_err err = aldis__gate_enter(&gate, &ticket);
    if (err != ALDIS_OK)
        return err;
    struct aldis__slot *slot = slot_of(ticket);
    *value_of(slot->value) = value;
    if (aldis__slot_publish(slot, ticket))
        aldis__waiting_wake(&waiting);
    return ALDIS_OK;
}

static aldis_err pile_push(uint64_t value)
{
    uint64_t ticket;
    aldis_err err = aldis__gate_enter(&gate, &ticket);
    if (err != ALDIS_OK)
        return err;
    struct aldis__leaf *leaf = (struct aldis__leaf *)(void *)leaves[value >> 8][value & 0xff];
    *value_of(leaf->value) = value;
    if (aldis__pile_push(&pile, leaf))
        aldis__waiting_wake(&waiting);
    return ALDIS_OK;
}

/* Waits for room, as aldis_channel_send_until_raw. */
static void send_with(aldis_err (*push)(uint64_t value))
{
    uint32_t self = (uint32_t)weave_self() - 1;
    for (uint32_t i = 0; i < each; i++) {
        aldis_err err;
        while ((err = push((uint64_t)self << 8 | i)) == ALDIS_EFULL) {
            uint32_t room;
            if (!aldis__gate_listen(&gate, &room))
                weave_sleep_while(&gate.room, sizeof gate.room, room);
        }
        send_result[self] = err;
        if (err != ALDIS_OK)
            return;
        sent[self]++;
    }
}

static void ring_send(void)
{
    send_with(ring_push);
}

static void pile_send(void)
{
    send_with(pile_push);
}

/* As aldis_tx_drop. */
static void drop_sender(void)
{
    if (aldis__fetch_sub_acq_rel(&senders, 1) > 1)
        return;
    (void)aldis__gate_close(&gate, ALDIS__GATE_NO_SENDER);
    aldis__waiting_wake(&waiting);
}

static void ring_send_and_drop(void)
{
    ring_send();
    drop_sender();
}

/* ------------------------------------------------------------------ the receiver */

static struct aldis__leaf *oldest;

static void note(uint64_t value)
{
    uint64_t from = value >> 8;
    WEAVE_ASSERT(from < SENDERS);
    WEAVE_ASSERT((value & 0xff) == received[from]);
    received[from]++;
    received_all++;
}

static uint64_t next_ticket(void)
{
    return aldis__load_relaxed(&gate.head) >> ALDIS__GATE_TAKEN_SHIFT;
}

static aldis_err ring_pop(void)
{
    uint64_t ticket = next_ticket();
    struct aldis__slot *slot = slot_of(ticket);
    if (!aldis__slot_is_full(slot, ticket))
        return aldis__gate_is_over(&gate) ? ALDIS_ENOSENDER : ALDIS_EAGAIN;
    note(*value_of(slot->value));
    aldis__gate_leave(&gate);
    return ALDIS_OK;
}

static bool ring_listen(void)
{
    uint64_t ticket = next_ticket();
    aldis__waiting_enlist(&waiting, &waiter);
    return aldis__slot_listen(slot_of(ticket), ticket) || aldis__gate_is_over(&gate);
}

static aldis_err pile_pop(void)
{
    if (!oldest)
        oldest = aldis__pile_take(&pile);
    if (!oldest)
        return aldis__gate_is_over(&gate) ? ALDIS_ENOSENDER : ALDIS_EAGAIN;
    note(*value_of(oldest->value));
    oldest = oldest->next;
    aldis__gate_leave(&gate);
    return ALDIS_OK;
}

static bool pile_listen(void)
{
    aldis__waiting_enlist(&waiting, &waiter);
    return aldis__pile_listen(&pile) || aldis__gate_is_over(&gate);
}

/* As sleep_for() in channel.c. */
static void sleep_once(bool (*listen)(void))
{
    aldis__waiter_arm(&waiter);
    if (!listen())
        while (aldis__waiter_is_armed(&waiter))
            weave_sleep_while(&waiter.state, sizeof waiter.state, ALDIS__WAITER_ARMED);
    aldis__waiting_delist(&waiting);
}

static void receive_with(aldis_err (*pop)(void), bool (*listen)(void), uint32_t wanted)
{
    oldest = NULL;
    while (received_all < wanted) {
        aldis_err err = pop();
        if (err == ALDIS_ENOSENDER)
            break;
        if (err == ALDIS_EAGAIN)
            sleep_once(listen);
    }
    if (receiver_leaves)
        (void)aldis__gate_close(&gate, ALDIS__GATE_NO_RECEIVER);
    aldis__waiter_unref(&waiter); /* the thread ends */
}

static void ring_receive(void)
{
    receive_with(ring_pop, ring_listen, receiver_leaves ? 1 : SENDERS * each);
}

static void ring_receive_to_the_end(void)
{
    receive_with(ring_pop, ring_listen, UINT32_MAX);
}

static void pile_receive(void)
{
    receive_with(pile_pop, pile_listen, SENDERS * each);
}

/* ------------------------------------------------------------------ all comes, in order */

static void setup_roomy(void)
{
    setup_gate(2, 2);
    weave_watch(&waiter_gone, sizeof waiter_gone);
}

static void finish_all_received(void)
{
    WEAVE_ASSERT(received_all == SENDERS * each);
    WEAVE_ASSERT(waiter_gone == 1);
}

static const struct weave_model ring_roomy = {.name = "channel, ring with room",
                                              .setup = setup_roomy,
                                              .threads = {ring_send, ring_send, ring_receive},
                                              .finish = finish_all_received,
                                              .preemptions = 2};
static const struct weave_model pile_roomy = {.name = "channel, pile with room",
                                              .setup = setup_roomy,
                                              .threads = {pile_send, pile_send, pile_receive},
                                              .finish = finish_all_received,
                                              .preemptions = 1};

TEST(ring_gives_all_and_its_receiver_sleeps_only_while_it_is_empty)
{
    model_holds(&ring_roomy);
}

TEST(pile_gives_all_and_its_receiver_sleeps_only_while_it_is_empty)
{
    model_holds(&pile_roomy);
}

/* ------------------------------------------------------------------ room */

/* One place, used twice. */
static void setup_narrow(void)
{
    setup_gate(1, 1);
    each = 2;
}

static void finish_narrow(void)
{
    WEAVE_ASSERT(received_all == 2 && sent[0] == 2);
}

static void ring_receive_two(void)
{
    receive_with(ring_pop, ring_listen, 2);
}

static const struct weave_model ring_narrow = {.name = "channel, ring of one, used again",
                                               .setup = setup_narrow,
                                               .threads = {ring_send, ring_receive_two},
                                               .finish = finish_narrow,
                                               .preemptions = 2};

TEST(ring_slot_is_used_again_only_when_it_was_read_and_its_sender_is_woken)
{
    model_holds(&ring_narrow);
}

/* Both slots are full at first. A sender that has looked at the head tells the other by `seen`. */
static void setup_seen(void)
{
    setup_gate(2, 2);
    for (uint64_t ticket = 0; ticket < 2; ticket++) {
        *value_of(slot_of(ticket)->value) = 0;
        aldis__store_relaxed(&slot_of(ticket)->turn, (ticket + 1) << 1);
    }
    aldis__store_relaxed(&gate.tail, 2u << ALDIS__GATE_TICKET_SHIFT);
}

static void ring_try(void)
{
    uint32_t self = (uint32_t)weave_self() - 1;
    send_result[self] = ring_push(100 + self);
}

static void ring_read_two(void)
{
    for (uint64_t ticket = 0; ticket < 2; ticket++) {
        WEAVE_ASSERT(aldis__slot_is_full(slot_of(ticket), ticket));
        WEAVE_ASSERT(*value_of(slot_of(ticket)->value) == 0);
        aldis__gate_leave(&gate);
    }
}

static const struct weave_model ring_seen = {.name = "channel, one sender looks for the other",
                                             .setup = setup_seen,
                                             .threads = {ring_try, ring_try, ring_read_two},
                                             .preemptions = 3};

TEST(ring_senders_believe_what_another_has_seen)
{
    model_holds(&ring_seen);
}

static void setup_crowded(void)
{
    setup_gate(1, 1);
}

static const struct weave_model ring_crowded = {.name = "channel, ring of one, two senders",
                                                .setup = setup_crowded,
                                                .threads = {ring_send, ring_send, ring_receive},
                                                .finish = finish_all_received,
                                                .preemptions = 1};

TEST(ring_wakes_each_of_its_waiting_senders)
{
    model_holds(&ring_crowded);
}

static void setup_growing(void)
{
    setup_gate(1, 2);
    each = 2;
}

static void pile_receive_two(void)
{
    receive_with(pile_pop, pile_listen, 2);
}

static const struct weave_model pile_growing = {.name = "channel, pile that grows",
                                                .setup = setup_growing,
                                                .threads = {pile_send, pile_receive_two},
                                                .finish = finish_narrow,
                                                .preemptions = 2};

TEST(pile_grows_where_it_would_be_full)
{
    model_holds(&pile_growing);
}

/* ------------------------------------------------------------------ ends */

static const struct weave_model ring_senders_end = {
    .name = "channel, the senders drop",
    .setup = setup_roomy,
    .threads = {ring_send_and_drop, ring_send_and_drop, ring_receive_to_the_end},
    .finish = finish_all_received,
    .preemptions = 1};

TEST(ring_tells_of_the_last_senders_end)
{
    model_holds(&ring_senders_end);
}

static void setup_leave(void)
{
    setup_gate(1, 1);
    each = 3;
    receiver_leaves = true;
}

static void finish_leave(void)
{
    WEAVE_ASSERT(received_all == 1);
    WEAVE_ASSERT(sent[0] <= 2 && send_result[0] == ALDIS_ENORECEIVER);
    WEAVE_ASSERT(aldis__load_relaxed(&gate.tail) >> ALDIS__GATE_TICKET_SHIFT == sent[0]);
}

static const struct weave_model receiver_ends = {.name = "channel, the receiver drops",
                                                 .setup = setup_leave,
                                                 .threads = {ring_send, ring_receive},
                                                 .finish = finish_leave,
                                                 .preemptions = 1};

TEST(ring_tells_a_waiting_sender_of_the_receivers_end)
{
    model_holds(&receiver_ends);
}

/* ------------------------------------------------------------------ oneshots, and select */

static void setup_oneshots(void)
{
    setup_gate(1, 1);
    memset(oneshots, 0, sizeof oneshots);
    memset(freed, 0, sizeof freed);
    weave_watch(oneshots, sizeof oneshots);
    weave_watch(freed, sizeof freed);
    weave_watch(&waiter_gone, sizeof waiter_gone);
    for (int i = 0; i < PLACES; i++) {
        aldis__store_relaxed(&oneshots[i].shared.word, 0);
        aldis__store_relaxed(&oneshots[i].shared.waiting.waiter, NULL);
    }
}

static void free_oneshot(uint32_t place)
{
    freed[place]++; /* plain: races with every use by the other end */
    oneshots[place].value = oneshots[place].kind = 1000;
}

static void oneshot_send(void)
{
    uint32_t self = (uint32_t)weave_self() - 1;
    oneshots[self].value = self + 1;
    WEAVE_ASSERT(oneshots[self].kind == 0);
    if (!aldis__oneshot_send(&oneshots[self].shared, ALDIS__ONESHOT_FULL)) {
        send_result[self] = ALDIS_ENORECEIVER;
        /* It drops its handle. */
        if (!aldis__oneshot_send(&oneshots[self].shared, 0))
            free_oneshot(self);
    }
}

static void oneshot_drop(void)
{
    uint32_t self = (uint32_t)weave_self() - 1;
    if (!aldis__oneshot_send(&oneshots[self].shared, 0))
        free_oneshot(self);
}

/* True: something, and the oneshot is gone. */
static bool oneshot_take(uint32_t place)
{
    uint64_t word = aldis__oneshot_look(&oneshots[place].shared);
    if (!(word & ALDIS__ONESHOT_SENDER_ENDED))
        return false;
    if (word & ALDIS__ONESHOT_FULL) {
        WEAVE_ASSERT(oneshots[place].value == place + 1);
        received[place]++;
        free_oneshot(place);
    } else if (aldis__oneshot_end(&oneshots[place].shared)) {
        free_oneshot(place);
    }
    return true;
}

/* Both, by select. */
static void oneshot_select(void)
{
    bool done[PLACES] = {false, false};
    while (!done[0] || !done[1]) {
        bool some = false;
        for (uint32_t i = 0; i < PLACES; i++)
            if (!done[i])
                some = (done[i] = oneshot_take(i)) || some;
        if (some)
            continue;
        bool ready = false;
        aldis__waiter_arm(&waiter);
        for (uint32_t i = 0; i < PLACES; i++)
            if (!done[i])
                ready = aldis__oneshot_listen(&oneshots[i].shared, &waiter) || ready;
        if (!ready)
            while (aldis__waiter_is_armed(&waiter))
                weave_sleep_while(&waiter.state, sizeof waiter.state, ALDIS__WAITER_ARMED);
        for (uint32_t i = 0; i < PLACES; i++)
            if (!done[i])
                aldis__waiting_delist(&oneshots[i].shared.waiting);
    }
    aldis__waiter_unref(&waiter);
}

static void finish_select(void)
{
    WEAVE_ASSERT(received[0] == 1 && freed[0] == 1 && freed[1] == 1);
    WEAVE_ASSERT(waiter_gone == 1);
}

static const struct weave_model select_model = {
    .name = "select over two oneshots, one of which ends unused",
    .setup = setup_oneshots,
    .threads = {oneshot_send, oneshot_drop, oneshot_select},
    .finish = finish_select,
    .preemptions = 1};

TEST(select_sleeps_only_while_there_is_nothing)
{
    model_holds(&select_model);
}

/* One look, one wait that is given up at once, one look; then the receiver goes. */
static void oneshot_give_up(void)
{
    if (oneshot_take(0)) {
        aldis__waiter_unref(&waiter);
        return;
    }
    for (int i = 0; i < 2; i++) {
        aldis__waiter_arm(&waiter);
        (void)aldis__oneshot_listen(&oneshots[0].shared, &waiter);
        aldis__waiting_delist(&oneshots[0].shared.waiting);
    }
    if (!oneshot_take(0)) {
        WEAVE_ASSERT(oneshots[0].kind == 0);
        if (aldis__oneshot_end(&oneshots[0].shared))
            free_oneshot(0);
    }
    aldis__waiter_unref(&waiter);
}

static void finish_give_up(void)
{
    WEAVE_ASSERT(freed[0] == 1);
    WEAVE_ASSERT(received[0] == 0 || send_result[0] == ALDIS_OK);
    WEAVE_ASSERT(waiter_gone == 1);
}

static const struct weave_model give_up = {.name = "oneshot, given up",
                                           .setup = setup_oneshots,
                                           .threads = {oneshot_send, oneshot_give_up},
                                           .finish = finish_give_up,
                                           .preemptions = 3};

TEST(oneshot_is_freed_once_by_whoever_ends_second)
{
    model_holds(&give_up);
}

TEST(oneshot_and_select_need_their_orders)
{
    static const struct model_order by_select[] = {
        {"aldis__oneshot_send", WEAVE_CAS, memory_order_acquire},
        {"aldis__oneshot_look", WEAVE_LOAD, memory_order_relaxed},
        {"aldis__waiter_unref", WEAVE_SUB, memory_order_acquire},
        {"aldis__waiter_unref", WEAVE_SUB, memory_order_release}};
    static const struct model_order by_ending[] = {
        {"aldis__oneshot_send", WEAVE_LOAD, memory_order_relaxed},
        {"aldis__oneshot_end", WEAVE_OR, memory_order_acquire},
        {"aldis__oneshot_end", WEAVE_OR, memory_order_release}};
    model_needs(&select_model, by_select, sizeof by_select / sizeof by_select[0]);
    model_needs(&give_up, by_ending, sizeof by_ending / sizeof by_ending[0]);
}

/* ------------------------------------------------------------------ what is needed */

TEST(ring_and_gate_need_their_orders)
{
    static const struct model_order message[] = {
        {"aldis__slot_publish", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__slot_is_full", WEAVE_LOAD, memory_order_relaxed}};
    static const struct model_order room[] = {
        {"aldis__gate_look", WEAVE_LOAD, memory_order_relaxed},
        {"aldis__gate_leave", WEAVE_ADD, memory_order_acquire}};
    static const struct model_order seen[] = {
        {"aldis__gate_look", WEAVE_STORE, memory_order_relaxed},
        {"aldis__gate_seen", WEAVE_LOAD, memory_order_relaxed}};
    static const struct model_order last[] = {
        {"aldis__waiting_enlist", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__waiting_enlist", WEAVE_EXCHANGE, memory_order_release},
        {"aldis__waiting_take", WEAVE_EXCHANGE, memory_order_acquire},
        {"aldis__waiting_take", WEAVE_EXCHANGE, memory_order_release}};
    static const struct model_order end[] = {
        {"aldis__gate_listen", WEAVE_LOAD, memory_order_relaxed},
        {"aldis__gate_close", WEAVE_ADD, memory_order_acquire}};
    model_needs(&ring_roomy, message, sizeof message / sizeof message[0]);
    model_needs(&ring_narrow, room, sizeof room / sizeof room[0]);
    model_needs(&ring_seen, seen, sizeof seen / sizeof seen[0]);
    model_needs(&ring_senders_end, last, sizeof last / sizeof last[0]);
    model_needs(&receiver_ends, end, sizeof end / sizeof end[0]);
}

TEST(pile_needs_its_orders)
{
    static const struct model_order message[] = {
        {"aldis__pile_push", WEAVE_CAS, memory_order_acquire},
        {"aldis__pile_take", WEAVE_EXCHANGE, memory_order_release}};
    model_needs(&pile_growing, message, sizeof message / sizeof message[0]);
}
