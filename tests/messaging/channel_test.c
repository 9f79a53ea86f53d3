// SPDX-License-Identifier: Apache-2.0
/* channel_test.c: what a user of a channel relies on: bounds, errors, ends, counts; each kind, with
 * threads and without. */
#include "harness.h"

#include <aldis/aldis.h>
#include <pthread.h>
#include <stdlib.h>

struct item {
    uint32_t from, number;
};
ALDIS_MESSAGE(item, struct item);
ALDIS_CHANNEL(item);
ALDIS_MESSAGE(
    big, struct { unsigned char bytes[1000]; });
ALDIS_CHANNEL(big);
ALDIS_SIGNAL(poke);
ALDIS_CHANNEL(poke);

struct channel {
    item_tx tx;
    item_rx rx;
};

static struct channel make(const aldis_channel_opts *opts)
{
    struct channel made;
    CHECK_OK(aldis_channel_create(item, &made.tx, &made.rx, opts));
    return made;
}

static struct channel bounded(uint32_t capacity)
{
    return make(&(aldis_channel_opts){.capacity_msgs = capacity});
}

static uint64_t total(const aldis_channel_stats *stats)
{
    return stats->received + stats->refused + stats->dropped + stats->discarded + stats->queued;
}

static aldis_channel_stats tx_stats(item_tx tx)
{
    aldis_channel_stats stats;
    aldis_tx_stats(tx.raw, &stats);
    CHECK_UINT(total(&stats), stats.sent);
    return stats;
}

static aldis_channel_stats rx_stats(item_rx rx)
{
    aldis_channel_stats stats;
    aldis_rx_stats(rx.raw, &stats);
    CHECK_UINT(total(&stats), stats.sent);
    return stats;
}

static void send_numbers(item_tx tx, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK_OK(aldis_channel_try_send(tx, item, .number = first + i));
}

static void receive_numbers(item_rx rx, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct item it;
        CHECK_OK(aldis_channel_try_receive(rx, item, &it));
        CHECK_UINT(it.number, first + i);
    }
}

static void drop(struct channel *channel)
{
    aldis_rx_drop(channel->rx.raw);
    aldis_tx_drop(channel->tx.raw);
}

/* ------------------------------------------------------------------ one thread */

TEST(channel_keeps_order_and_its_bound_exactly)
{
    for (uint32_t capacity = 1; capacity <= 9; capacity++) {
        struct channel c = bounded(capacity);
        uint32_t sent = 0, taken = 0;
        for (int round = 0; round < 20; round++) {
            send_numbers(c.tx, sent, capacity - (sent - taken));
            sent = taken + capacity;
            CHECK_ERR(aldis_channel_try_send(c.tx, item, .number = 1000), ALDIS_EFULL);
            uint32_t some = 1 + (uint32_t)round % capacity;
            receive_numbers(c.rx, taken, some);
            taken += some;
        }
        aldis_channel_stats stats = tx_stats(c.tx);
        CHECK_UINT(stats.sent, sent + 20);
        CHECK_UINT(stats.refused, 20);
        CHECK_UINT(stats.received, taken);
        CHECK_UINT(stats.queued, sent - taken);
        CHECK_UINT(stats.capacity_msgs, capacity);
        drop(&c);
    }
}

TEST(channel_empty_and_timed_out_are_told_apart)
{
    struct channel c = bounded(1);
    struct item it = {7, 7};
    CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_EAGAIN);
    CHECK_ERR(aldis_channel_receive_until(c.rx, 0, item, &it), ALDIS_ETIMEDOUT);
    CHECK_ERR(aldis_channel_receive_until(c.rx, ALDIS_MS, item, &it), ALDIS_ETIMEDOUT);
    CHECK_UINT(it.number, 7); /* out parameters are not touched by an error */
    CHECK_OK(aldis_channel_send(c.tx, item, .number = 1));
    CHECK_ERR(aldis_channel_try_send(c.tx, item, .number = 2), ALDIS_EFULL);
    CHECK_ERR(aldis_channel_send_until(c.tx, 0, item, .number = 2), ALDIS_ETIMEDOUT);
    CHECK_ERR(aldis_channel_send_until(c.tx, ALDIS_MS, item, .number = 2), ALDIS_ETIMEDOUT);
    CHECK_UINT(tx_stats(c.tx).refused, 3);
    CHECK_OK(aldis_channel_receive(c.rx, item, &it));
    CHECK_UINT(it.number, 1);
    drop(&c);
}

TEST(channel_refuses_what_makes_no_sense)
{
    item_tx tx;
    item_rx rx;
    static const aldis_channel_opts wrong[] = {
        {.capacity_msgs = 0},
        {.capacity_msgs = (1u << 24) + 1},
        {.kind = ALDIS_CHANNEL_BROADCAST},
        {.capacity_msgs = 8, .capacity_max_msgs = 8},
        {.capacity_msgs = 8, .capacity_max_msgs = (1u << 24) + 1},
        {.kind = (aldis_channel_kind)4, .capacity_msgs = 1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(aldis_channel_create(item, &tx, &rx, &wrong[i]), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_create(item, &tx, &rx, NULL), ALDIS_EINVAL);
    aldis_type varies = {"varies", 0, ALDIS_SIZE_VARIES, NULL, 0};
    aldis_channel_opts good = {.capacity_msgs = 1};
    CHECK_ERR(aldis_channel_create_raw(&good, &varies, &tx.raw, &rx.raw), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_create_raw(&good, NULL, &tx.raw, &rx.raw), ALDIS_EINVAL);

    struct channel c = bounded(1);
    struct item it;
    size_t index;
    aldis_rx *none = NULL;
    CHECK_ERR(aldis_channel_try_send_raw(c.tx.raw, &it, 3), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_try_send_raw(c.tx.raw, NULL, sizeof it), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_try_send_raw(NULL, &it, sizeof it), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_try_receive_raw(c.rx.raw, &it, 9), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_send_until(c.tx, -1, item, .number = 1), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_receive_until(c.rx, -1, item, &it), ALDIS_EINVAL);
    CHECK_ERR(aldis_select(&c.rx.raw, 0, 0, &index), ALDIS_EINVAL);
    CHECK_ERR(aldis_select(NULL, 1, 0, &index), ALDIS_EINVAL);
    CHECK_ERR(aldis_select(&none, 1, 0, &index), ALDIS_EINVAL);
    CHECK_ERR(aldis_rx_clone(c.rx.raw, &rx.raw), ALDIS_EINVAL);
    CHECK_UINT(tx_stats(c.tx).sent, 0); /* a caller's mistake is no send */
    drop(&c);
    aldis_tx_drop(NULL);
    aldis_rx_drop(NULL);
}

TEST(channel_tells_when_all_senders_are_gone)
{
    static const aldis_channel_opts kinds[] = {
        {.capacity_msgs = 4},
        {.capacity_msgs = 2, .capacity_max_msgs = 4},
        {.kind = ALDIS_CHANNEL_UNBOUNDED},
        {.kind = ALDIS_CHANNEL_BROADCAST, .capacity_msgs = 4}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct channel c = make(&kinds[i]);
        item_tx other;
        CHECK_OK(aldis_tx_clone(c.tx.raw, &other.raw));
        CHECK_UINT(tx_stats(c.tx).senders, 2);
        send_numbers(c.tx, 0, 2);
        aldis_tx_drop(c.tx.raw);
        send_numbers(other, 2, 1);
        aldis_tx_drop(other.raw);
        receive_numbers(c.rx, 0, 3); /* what was sent still comes */
        struct item it;
        CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_ENOSENDER);
        CHECK_ERR(aldis_channel_receive(c.rx, item, &it), ALDIS_ENOSENDER);
        CHECK_UINT(rx_stats(c.rx).senders, 0);
        aldis_rx_drop(c.rx.raw);
    }
}

TEST(channel_tells_when_the_receiver_is_gone)
{
    static const aldis_channel_opts kinds[] = {
        {.capacity_msgs = 4},
        {.capacity_msgs = 2, .capacity_max_msgs = 4},
        {.kind = ALDIS_CHANNEL_UNBOUNDED},
        {.kind = ALDIS_CHANNEL_BROADCAST, .capacity_msgs = 4}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct channel c = make(&kinds[i]);
        send_numbers(c.tx, 0, 3);
        receive_numbers(c.rx, 0, 1);
        aldis_rx_drop(c.rx.raw);
        CHECK_ERR(aldis_channel_try_send(c.tx, item, .number = 3), ALDIS_ENORECEIVER);
        CHECK_ERR(aldis_channel_send(c.tx, item, .number = 3), ALDIS_ENORECEIVER);
        aldis_channel_stats stats = tx_stats(c.tx);
        CHECK_UINT(stats.received, 1);
        CHECK_UINT(stats.discarded, 2);
        CHECK_UINT(stats.refused, 2);
        CHECK_UINT(stats.queued, 0);
        CHECK_UINT(stats.receivers, 0);
        aldis_tx_drop(c.tx.raw);
    }
}

TEST(channel_can_be_closed_from_either_side)
{
    static const aldis_channel_opts kinds[] = {
        {.capacity_msgs = 4},
        {.capacity_msgs = 2, .capacity_max_msgs = 4},
        {.kind = ALDIS_CHANNEL_UNBOUNDED},
        {.kind = ALDIS_CHANNEL_BROADCAST, .capacity_msgs = 4}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (int side = 0; side < 2; side++) {
            struct channel c = make(&kinds[i]);
            send_numbers(c.tx, 0, 2);
            if (side == 0)
                aldis_tx_close(c.tx.raw);
            else
                aldis_rx_close(c.rx.raw);
            CHECK_ERR(aldis_channel_send(c.tx, item, .number = 9),
                      side == 0 ? ALDIS_ESHUTDOWN : ALDIS_ENORECEIVER);
            receive_numbers(c.rx, 0, 2);
            struct item it;
            CHECK_ERR(aldis_channel_receive(c.rx, item, &it), ALDIS_ENOSENDER);
            tx_stats(c.tx);
            drop(&c);
        }
}

TEST(channel_carries_large_messages_and_empty_ones)
{
    big_tx tx;
    big_rx rx;
    static const aldis_channel_opts opts = {.capacity_msgs = 3};
    static big_payload out, in;
    CHECK_OK(aldis_channel_create(big, &tx, &rx, &opts));
    for (int i = 0; i < 7; i++) {
        memset(out.bytes, 'a' + i, sizeof out.bytes);
        CHECK_OK(aldis_channel_try_send_raw(tx.raw, &out, sizeof out));
        CHECK_OK(aldis_channel_try_receive(rx, big, &in));
        CHECK(memcmp(&in, &out, sizeof in) == 0);
    }
    aldis_tx_drop(tx.raw);
    aldis_rx_drop(rx.raw);
    poke_tx poke_to;
    poke_rx poke_from;
    aldis_none none;
    CHECK_OK(aldis_channel_create(poke, &poke_to, &poke_from, &opts));
    CHECK_OK(aldis_channel_try_send(poke_to, poke, 0));
    CHECK_OK(aldis_channel_try_receive(poke_from, poke, &none));
    CHECK_ERR(aldis_channel_try_receive(poke_from, poke, &none), ALDIS_EAGAIN);
    aldis_tx_drop(poke_to.raw);
    aldis_rx_drop(poke_from.raw);
}

/* ------------------------------------------------------------------ adaptive */

TEST(channel_grows_in_a_burst_and_shrinks_when_calm)
{
    struct channel c = make(&(aldis_channel_opts){.capacity_msgs = 4, .capacity_max_msgs = 50});
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 4);
    send_numbers(c.tx, 0, 4);
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 4);
    send_numbers(c.tx, 4, 1);
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 8);
    send_numbers(c.tx, 5, 45);
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 50);
    CHECK_ERR(aldis_channel_try_send(c.tx, item, .number = 50), ALDIS_EFULL);
    receive_numbers(c.rx, 0, 50);
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 50); /* all of it was in use just now */
    uint64_t before = 50;
    for (uint32_t i = 0; i < 400; i++) {
        send_numbers(c.tx, i, 1);
        receive_numbers(c.rx, i, 1);
        uint64_t now = tx_stats(c.tx).capacity_msgs;
        CHECK(now <= before && (now == before || now == 25 || now == 12 || now == 6 || now == 4));
        before = now;
    }
    CHECK_UINT(before, 4);
    send_numbers(c.tx, 0, 50); /* the next burst finds room again */
    receive_numbers(c.rx, 0, 50);
    drop(&c);
}

TEST(channel_does_not_shrink_while_it_is_used)
{
    struct channel c = make(&(aldis_channel_opts){.capacity_msgs = 4, .capacity_max_msgs = 32});
    send_numbers(c.tx, 0, 32);
    receive_numbers(c.rx, 0, 16);
    for (uint32_t i = 0; i < 500; i++) {
        send_numbers(c.tx, 32 + i, 1);
        receive_numbers(c.rx, 16 + i, 1);
    }
    CHECK_UINT(tx_stats(c.tx).capacity_msgs, 32);
    drop(&c);
}

/* ------------------------------------------------------------------ oneshot */

static struct channel oneshot(void)
{
    return make(&(aldis_channel_opts){.kind = ALDIS_CHANNEL_ONESHOT});
}

TEST(oneshot_gives_its_message_and_is_gone)
{
    struct channel c = oneshot();
    struct item it;
    CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_EAGAIN);
    CHECK_ERR(aldis_channel_receive_until(c.rx, ALDIS_MS, item, &it), ALDIS_ETIMEDOUT);
    CHECK_ERR(aldis_tx_clone(c.tx.raw, &c.tx.raw), ALDIS_EINVAL);
    CHECK_UINT(tx_stats(c.tx).sent, 0);
    send_numbers(c.tx, 5, 1); /* takes the sender */
    CHECK_UINT(rx_stats(c.rx).queued, 1);
    receive_numbers(c.rx, 5, 1); /* takes the receiver */
}

TEST(oneshot_tells_each_end_that_the_other_is_gone)
{
    struct item it;
    struct channel c = oneshot();
    aldis_tx_drop(c.tx.raw);
    CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_ENOSENDER);
    CHECK_ERR(aldis_channel_receive(c.rx, item, &it), ALDIS_ENOSENDER);
    aldis_rx_drop(c.rx.raw);

    c = oneshot();
    aldis_rx_drop(c.rx.raw);
    CHECK_ERR(aldis_channel_try_send(c.tx, item, .number = 1), ALDIS_ENORECEIVER);
    CHECK_UINT(tx_stats(c.tx).refused, 1);
    aldis_tx_drop(c.tx.raw);

    c = oneshot();
    send_numbers(c.tx, 1, 1);
    aldis_rx_drop(c.rx.raw);
    c = oneshot();
    drop(&c);
}

/* ------------------------------------------------------------------ broadcast */

static struct channel broadcast(uint32_t capacity)
{
    return make(&(aldis_channel_opts){.kind = ALDIS_CHANNEL_BROADCAST, .capacity_msgs = capacity});
}

TEST(broadcast_gives_everything_to_everybody_from_when_they_came)
{
    struct channel c = broadcast(8);
    item_rx late;
    send_numbers(c.tx, 0, 3);
    CHECK_OK(aldis_rx_clone(c.rx.raw, &late.raw));
    send_numbers(c.tx, 3, 2);
    receive_numbers(c.rx, 0, 5);
    receive_numbers(late, 3, 2);
    struct item it;
    CHECK_ERR(aldis_channel_try_receive(late, item, &it), ALDIS_EAGAIN);
    aldis_channel_stats stats = tx_stats(c.tx);
    CHECK_UINT(stats.sent, 3 + 2 * 2);
    CHECK_UINT(stats.received, 7);
    CHECK_UINT(stats.receivers, 2);
    aldis_rx_drop(late.raw);
    send_numbers(c.tx, 5, 1);
    receive_numbers(c.rx, 5, 1);
    drop(&c);
}

TEST(broadcast_tells_a_laggard_how_many_it_missed)
{
    struct channel c = broadcast(4);
    item_rx quick;
    struct item it;
    CHECK_OK(aldis_rx_clone(c.rx.raw, &quick.raw));
    for (uint32_t i = 0; i < 11; i++) {
        send_numbers(c.tx, i, 1); /* never refused */
        receive_numbers(quick, i, 1);
    }
    CHECK_UINT(tx_stats(c.tx).dropped, 7); /* counted before it is told */
    CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_EMISSED);
    CHECK_UINT(aldis_rx_missed(c.rx.raw), 7);
    receive_numbers(c.rx, 7, 4);
    CHECK_ERR(aldis_channel_try_receive(c.rx, item, &it), ALDIS_EAGAIN);
    CHECK_UINT(aldis_rx_missed(quick.raw), 0);
    send_numbers(c.tx, 11, 6);
    aldis_rx_close(c.rx.raw);  /* two of these six are gone, four still come */
    send_numbers(c.tx, 17, 1); /* and overwrites one of them */
    CHECK_ERR(aldis_channel_receive(c.rx, item, &it), ALDIS_EMISSED);
    CHECK_UINT(aldis_rx_missed(c.rx.raw), 3);
    receive_numbers(c.rx, 14, 3);
    CHECK_ERR(aldis_channel_receive(c.rx, item, &it), ALDIS_ENOSENDER);
    aldis_channel_stats stats = tx_stats(c.tx);
    CHECK_UINT(stats.dropped, 7 + 3 + 3); /* three by the other */
    drop(&c);
    aldis_rx_drop(quick.raw);
}

/* ------------------------------------------------------------------ select */

TEST(select_is_fair_among_those_that_are_ready)
{
    enum { CHANNELS = 5, ROUNDS = 100 };
    struct channel c[CHANNELS];
    aldis_rx *rx[CHANNELS];
    uint32_t picked[CHANNELS] = {0};
    for (int i = 0; i < CHANNELS; i++) {
        c[i] =
            i == 1 ? make(&(aldis_channel_opts){.kind = ALDIS_CHANNEL_UNBOUNDED}) : bounded(ROUNDS);
        rx[i] = c[i].rx.raw;
        if (i != 2 && i != 3) /* two are never ready */
            send_numbers(c[i].tx, 0, ROUNDS);
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t index;
        struct item it;
        CHECK_OK(aldis_select(rx, CHANNELS, ALDIS_FOREVER, &index));
        CHECK_OK(aldis_channel_try_receive_raw(rx[index], &it, sizeof it));
        picked[index]++;
        for (int other = 0; other < CHANNELS; other++)
            if (other != 2 && other != 3)
                CHECK(picked[index] <= picked[other] + 1);
    }
    CHECK_UINT(picked[2] + picked[3], 0);
    for (int i = 0; i < CHANNELS; i++)
        drop(&c[i]);
}

TEST(select_tells_ends_and_time_outs)
{
    struct channel a = bounded(1), b = oneshot();
    aldis_rx *rx[] = {a.rx.raw, b.rx.raw};
    size_t index = 9;
    struct item it;
    CHECK_ERR(aldis_select(rx, 2, 0, &index), ALDIS_ETIMEDOUT);
    CHECK_ERR(aldis_select(rx, 2, ALDIS_MS, &index), ALDIS_ETIMEDOUT);
    CHECK_UINT(index, 9);
    aldis_tx_drop(a.tx.raw);
    CHECK_OK(aldis_select(rx, 2, ALDIS_FOREVER, &index));
    CHECK_UINT(index, 0);
    CHECK_ERR(aldis_channel_try_receive(a.rx, item, &it), ALDIS_ENOSENDER);
    send_numbers(b.tx, 3, 1);
    CHECK_OK(aldis_select(rx + 1, 1, ALDIS_FOREVER, &index));
    CHECK_UINT(index, 0);
    receive_numbers(b.rx, 3, 1);
    aldis_rx_drop(a.rx.raw);
}

/* ------------------------------------------------------------------ threads */

struct sending {
    item_tx tx;
    uint32_t from, count;
    uint64_t sent, refused;
    aldis_err last;
};

static void *send_all(void *arg)
{
    struct sending *self = arg;
    for (uint32_t i = 0; i < self->count; i++) {
        self->last = aldis_channel_send(self->tx, item, .from = self->from, .number = i);
        if (self->last != ALDIS_OK)
            break;
        self->sent++;
    }
    aldis_tx_drop(self->tx.raw);
    return NULL;
}

static void start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    CHECK_INT(pthread_create(thread, NULL, body, arg), 0);
}

enum { SENDERS = 3, EACH = 4000 };

static void check_threads(const aldis_channel_opts *opts, uint32_t each)
{
    struct channel c = make(opts);
    struct sending sending[SENDERS];
    pthread_t threads[SENDERS];
    uint32_t next[SENDERS] = {0};
    for (uint32_t i = 0; i < SENDERS; i++) {
        sending[i] = (struct sending){.from = i, .count = each};
        CHECK_OK(aldis_tx_clone(c.tx.raw, &sending[i].tx.raw));
        start(&threads[i], send_all, &sending[i]);
    }
    aldis_tx_drop(c.tx.raw);
    struct item it;
    aldis_err err;
    while ((err = aldis_channel_receive(c.rx, item, &it)) == ALDIS_OK) {
        CHECK(it.from < SENDERS);
        CHECK_UINT(it.number, next[it.from]);
        next[it.from]++;
    }
    CHECK_ERR(err, ALDIS_ENOSENDER);
    for (uint32_t i = 0; i < SENDERS; i++) {
        CHECK_UINT(next[i], each);
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    }
    aldis_channel_stats stats = rx_stats(c.rx);
    CHECK_UINT(stats.sent, SENDERS * each);
    CHECK_UINT(stats.received, SENDERS * each);
    aldis_rx_drop(c.rx.raw);
}

TEST(channel_with_threads_and_room)
{
    check_threads(&(aldis_channel_opts){.capacity_msgs = 1024}, EACH);
}

TEST(channel_with_threads_that_wait_for_each_message)
{
    check_threads(&(aldis_channel_opts){.capacity_msgs = 1}, EACH / 8);
    check_threads(&(aldis_channel_opts){.capacity_msgs = 3}, EACH / 8);
}

TEST(channel_with_threads_unbounded_and_adaptive)
{
    check_threads(&(aldis_channel_opts){.kind = ALDIS_CHANNEL_UNBOUNDED}, EACH);
    check_threads(&(aldis_channel_opts){.capacity_msgs = 2, .capacity_max_msgs = 64}, EACH);
}

TEST(channel_wakes_senders_when_the_receiver_goes)
{
    for (int i = 0; i < 50; i++) {
        struct channel c =
            i % 2 ? bounded(2)
                  : make(&(aldis_channel_opts){.capacity_msgs = 1, .capacity_max_msgs = 2});
        struct sending sending[2];
        pthread_t threads[2];
        for (uint32_t s = 0; s < 2; s++) {
            sending[s] = (struct sending){.from = s, .count = 1000};
            CHECK_OK(aldis_tx_clone(c.tx.raw, &sending[s].tx.raw));
            start(&threads[s], send_all, &sending[s]);
        }
        struct item it;
        for (int n = 0; n < i; n++)
            CHECK_OK(aldis_channel_receive(c.rx, item, &it));
        aldis_rx_drop(c.rx.raw);
        for (int s = 0; s < 2; s++) {
            CHECK_INT(pthread_join(threads[s], NULL), 0);
            CHECK_ERR(sending[s].last, ALDIS_ENORECEIVER);
        }
        aldis_channel_stats stats = tx_stats(c.tx);
        CHECK_UINT(stats.received, i);
        CHECK_UINT(stats.refused, 2);
        CHECK_UINT(stats.discarded, sending[0].sent + sending[1].sent - (uint64_t)i);
        aldis_tx_drop(c.tx.raw);
    }
}

static void *send_one_each(void *arg)
{
    item_tx *tx = arg;
    for (uint32_t i = 0; i < 500; i++) {
        if (i % 7 == 3)
            aldis_tx_drop(tx[i].raw);
        else if (aldis_channel_try_send(tx[i], item, .number = i) != ALDIS_OK)
            aldis_tx_drop(tx[i].raw);
    }
    return NULL;
}

TEST(oneshots_between_threads)
{
    static item_tx tx[500];
    static item_rx rx[500];
    for (int i = 0; i < 500; i++) {
        struct channel c = oneshot();
        tx[i] = c.tx;
        rx[i] = c.rx;
    }
    pthread_t thread;
    start(&thread, send_one_each, tx);
    for (uint32_t i = 0; i < 500; i++) {
        struct item it;
        if (i % 11 == 5) {
            aldis_rx_drop(rx[i].raw);
            continue;
        }
        aldis_err err = aldis_channel_receive(rx[i], item, &it);
        CHECK_ERR(err, i % 7 == 3 ? ALDIS_ENOSENDER : ALDIS_OK);
        if (err != ALDIS_OK)
            aldis_rx_drop(rx[i].raw);
        else
            CHECK_UINT(it.number, i);
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
}

TEST(select_over_channels_of_several_threads)
{
    struct channel c[SENDERS + 1];
    struct sending sending[SENDERS + 1];
    pthread_t threads[SENDERS + 1];
    aldis_rx *rx[SENDERS + 1];
    uint32_t next[SENDERS + 1] = {0}, missed = 0, open = SENDERS + 1;
    for (uint32_t i = 0; i <= SENDERS; i++) {
        c[i] = i == 0   ? make(&(aldis_channel_opts){.kind = ALDIS_CHANNEL_UNBOUNDED})
               : i == 1 ? broadcast(16)
                        : bounded(i);
        rx[i] = c[i].rx.raw;
        sending[i] = (struct sending){.tx = c[i].tx, .from = i, .count = 1000};
        start(&threads[i], send_all, &sending[i]);
    }
    while (open > 0) {
        size_t index;
        struct item it;
        CHECK_OK(aldis_select(rx, open, ALDIS_FOREVER, &index));
        aldis_err err = aldis_channel_try_receive_raw(rx[index], &it, sizeof it);
        if (err == ALDIS_ENOSENDER) {
            aldis_rx_drop(rx[index]);
            rx[index] = rx[--open];
        } else if (err == ALDIS_EMISSED) {
            missed += (uint32_t)aldis_rx_missed(rx[index]);
            next[1] += (uint32_t)aldis_rx_missed(rx[index]);
        } else {
            CHECK_ERR(err, ALDIS_OK);
            CHECK_UINT(it.number, next[it.from]);
            next[it.from]++;
        }
    }
    for (uint32_t i = 0; i <= SENDERS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_UINT(next[i], 1000);
    }
    CHECK(missed < 1000);
}
