// SPDX-License-Identifier: Apache-2.0
/* channel_actor_test.c: channels whose receiver is an actor, and actors that send to channels,
 * under both clocks. */
#include "core/fixture.h"

ALDIS_CHANNEL(num);
ALDIS_CHANNEL(odd);
ALDIS_CHANNEL(tick);

enum { SENDERS = 5, EACH = 40, CAPACITY = 16 };

static aldis_err take_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    EXPECT_UINT(value, self->memory[0]);
    EXPECT(aldis_id_is_nobody(aldis_sender(ctx)));
    self->memory[0]++;
    trace_add(1, value, aldis_now(ctx));
    return ALDIS_OK;
}

static aldis_err take_end(struct puppet *self, aldis_ctx *ctx)
{
    trace_add(2, self->memory[0], aldis_now(ctx));
    return ALDIS_OK;
}

static void check_counts(const aldis_channel_stats *stats)
{
    CHECK_UINT(stats->sent, stats->received + stats->refused + stats->dropped + stats->discarded +
                                stats->queued);
}

TEST_EACH(channel_brings_its_messages_to_an_actor)
{
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.num = take_num, .tick = take_end}, NULL);
    num_tx tx, other;
    CHECK_OK(aldis_channel_to_actor_ended(f->system, to, num, tick, &tx));
    CHECK_OK(aldis_tx_clone(tx.raw, &other.raw));
    for (uint64_t i = 0; i < 2 * EACH; i += 2) {
        CHECK_OK(aldis_channel_try_send(tx, num, i));
        CHECK_OK(aldis_channel_send(other, num, i + 1));
    }
    fixture_settle(f);
    aldis_tx_drop(tx.raw);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(2), 0);
    aldis_channel_stats stats;
    aldis_tx_stats(other.raw, &stats);
    check_counts(&stats);
    CHECK_UINT(stats.received, 2 * EACH);
    CHECK_UINT(stats.receivers, 1);
    aldis_tx_drop(other.raw);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(1), 2 * EACH);
    CHECK_UINT(trace_find(2, 2 * EACH), 2 * EACH); /* the last of all */
    CHECK_UINT(trace_count_of(2), 1);
}

TEST_EACH(channel_tells_that_its_actor_is_full_or_gone)
{
    fixture_open(f, NULL);
    aldis_spawn_opts small = {.mailbox = {.capacity_msgs = 4}};
    puppet_ref to = fixture_spawn(f, &(struct script){.num = take_num}, &small);
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    num_tx tx;
    CHECK_OK(aldis_channel_to_actor(f->system, to, num, &tx));
    for (uint64_t i = 0; i < 4; i++)
        CHECK_OK(aldis_channel_try_send(tx, num, i));
    fixture_settle(f);
    CHECK_ERR(aldis_channel_try_send(tx, num, 4), ALDIS_EFULL);
    CHECK_ERR(aldis_channel_send_until(tx, 0, num, 4), ALDIS_ETIMEDOUT);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
    CHECK_OK(aldis_channel_send(tx, num, 4));
    fixture_settle(f);
    CHECK_OK(aldis_stop(f->system, to.id));
    fixture_settle(f);
    CHECK_ERR(aldis_channel_try_send(tx, num, 5), ALDIS_ENORECEIVER);
    CHECK_ERR(aldis_channel_send(tx, num, 5), ALDIS_ENORECEIVER);
    aldis_channel_stats stats;
    aldis_tx_stats(tx.raw, &stats);
    check_counts(&stats);
    CHECK_UINT(stats.received, 5);
    CHECK_UINT(stats.refused, 4);
    CHECK_UINT(stats.receivers, 0);
    aldis_tx_drop(tx.raw);
    num_tx none;
    CHECK_ERR(aldis_channel_to_actor(f->system, to, num, &none), ALDIS_ESTALE);
}

TEST_EACH(channel_is_only_for_what_its_actor_accepts)
{
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){0}, NULL);
    aldis_tx *tx;
    CHECK_ERR(aldis_channel_to_actor_raw(f->system, to.id, &odd_type, NULL, &tx),
              ALDIS_EUNACCEPTED);
    CHECK_ERR(aldis_channel_to_actor_raw(f->system, to.id, &num_type, &num_type, &tx),
              ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_to_actor_raw(f->system, to.id, NULL, NULL, &tx), ALDIS_EINVAL);
    CHECK_ERR(aldis_channel_to_actor_raw(NULL, to.id, &num_type, NULL, &tx), ALDIS_EINVAL);
}

/* ------------------------------------------------------------------ from handlers */

struct stream {
    num_tx tx;
    uint64_t from, next;
};

static aldis_err send_some(struct puppet *self, aldis_ctx *ctx)
{
    struct stream *stream = self->script.user;
    for (int i = 0; i < 4 && stream->next < EACH; i++, stream->next++)
        EXPECT_OK(aldis_channel_try_send(stream->tx, num, stream->from << 32 | stream->next));
    uint64_t waits = 0;
    EXPECT_ERR(aldis_channel_send(stream->tx, num, waits), ALDIS_ESTATE);
    if (stream->next == EACH)
        return ALDIS_OK;
    return aldis_signal(ctx, (puppet_ref){.id = aldis_self(ctx)}, tick);
}

/* Actors of several shards send to one channel. In virtual time what comes is in one order,
 * whatever the workers; always in each sender's. */
TEST_EACH(channel_takes_what_handlers_send)
{
    static uint64_t print; /* of the order in virtual time: the first case's */
    static struct stream streams[SENDERS];
    fixture_open(f, NULL);
    num_tx tx;
    num_rx rx;
    CHECK_OK(aldis_channel_create(num, &tx, &rx,
                                  &(aldis_channel_opts){.capacity_msgs = SENDERS * EACH}));
    for (uint32_t i = 0; i < SENDERS; i++) {
        streams[i] = (struct stream){.from = i};
        CHECK_OK(aldis_tx_clone(tx.raw, &streams[i].tx.raw));
        aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD, .shard = i};
        puppet_ref to =
            fixture_spawn(f, &(struct script){.user = &streams[i], .tick = send_some}, &opts);
        CHECK_OK(aldis_signal(f->system, to, tick));
    }
    fixture_settle(f);
    uint64_t next[SENDERS] = {0}, order = 14695981039346656037u;
    uint64_t value;
    for (int i = 0; i < SENDERS * EACH; i++) {
        CHECK_OK(aldis_channel_try_receive(rx, num, &value));
        CHECK(value >> 32 < SENDERS);
        CHECK_UINT(value & UINT32_MAX, next[value >> 32]++);
        order = (order ^ value) * 1099511628211u;
    }
    CHECK_ERR(aldis_channel_try_receive(rx, num, &value), ALDIS_EAGAIN);
    if (f->clock == ALDIS_CLOCK_VIRTUAL) {
        CHECK_UINT(order, print ? print : order);
        print = order;
    }
    for (uint32_t i = 0; i < SENDERS; i++)
        aldis_tx_drop(streams[i].tx.raw);
    aldis_tx_drop(tx.raw);
    CHECK_ERR(aldis_channel_try_receive(rx, num, &value), ALDIS_ENOSENDER);
    aldis_rx_drop(rx.raw);
}

/* ------------------------------------------------------------------ room */

/* Sends as many as go; live the call tells of a full channel, in virtual time on_undelivered. */
static aldis_err fill(struct puppet *self, aldis_ctx *ctx)
{
    struct stream *stream = self->script.user;
    trace_add(3, stream->next, aldis_now(ctx));
    while (stream->next < EACH) {
        aldis_err err = aldis_channel_try_send(stream->tx, num, stream->next);
        if (err == ALDIS_EFULL)
            return aldis_channel_tell_room(ctx, stream->tx, tick);
        EXPECT_ERR(err, ALDIS_OK);
        stream->next++;
    }
    return ALDIS_OK;
}

static void refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct stream *stream = self->script.user;
    EXPECT_ERR(notice->reason, ALDIS_EFULL);
    if (stream->next == EACH)
        EXPECT_OK(aldis_channel_tell_room(ctx, stream->tx, tick));
    stream->next -= notice->count; /* those were the last ones */
}

TEST_EACH(channel_tells_an_actor_of_room)
{
    fixture_open(f, NULL);
    static struct stream stream;
    num_rx rx;
    stream = (struct stream){.from = 0};
    CHECK_OK(aldis_channel_create(num, &stream.tx, &rx,
                                  &(aldis_channel_opts){.capacity_msgs = CAPACITY}));
    puppet_ref to = fixture_spawn(
        f, &(struct script){.user = &stream, .tick = fill, .undelivered = refused}, NULL);
    CHECK_OK(aldis_signal(f->system, to, tick));
    uint64_t value, received = 0;
    while (received < EACH) {
        fixture_settle(f);
        uint64_t before = received;
        while (aldis_channel_try_receive(rx, num, &value) == ALDIS_OK)
            CHECK_UINT(value, received++);
        CHECK(received > before);
    }
    fixture_settle(f);
    size_t tries = (EACH + CAPACITY - 1) / CAPACITY; /* live, it may be told at the first room */
    CHECK(trace_count_of(3) == tries ||
          (f->clock == ALDIS_CLOCK_LIVE && trace_count_of(3) > tries));
    aldis_channel_stats stats;
    aldis_rx_stats(rx.raw, &stats);
    check_counts(&stats);
    CHECK(stats.refused > 0);
    aldis_tx_drop(stream.tx.raw);
    aldis_rx_drop(rx.raw);
}

static aldis_err ask_for_room(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act;
    struct stream *stream = self->script.user;
    EXPECT_ERR(aldis_channel_tell_room_raw(ctx, stream->tx.raw, &num_type), ALDIS_EINVAL);
    EXPECT_ERR(aldis_channel_tell_room_raw(ctx, NULL, &tick_type), ALDIS_EINVAL);
    return aldis_channel_tell_room(ctx, stream->tx, tick);
}

TEST_EACH(channel_tells_an_actor_at_once_if_there_is_room_or_never_will_be)
{
    fixture_open(f, NULL);
    static struct stream stream;
    num_rx rx;
    stream = (struct stream){.next = EACH};
    CHECK_OK(aldis_channel_create(num, &stream.tx, &rx, &(aldis_channel_opts){.capacity_msgs = 1}));
    puppet_ref to = fixture_spawn(f, &(struct script){.user = &stream, .tick = fill}, NULL);
    fixture_tell(f, to, ask_for_room, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(3), 1);
    CHECK_OK(aldis_channel_try_send(stream.tx, num, 0));
    fixture_tell(f, to, ask_for_room, (struct act){0});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(3), 1);
    aldis_rx_close(rx.raw);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(3), 2);
    aldis_tx_drop(stream.tx.raw);
    aldis_rx_drop(rx.raw);
}

/* ------------------------------------------------------------------ closing */

/* Any sender ends it for all; its actor is told once, behind what was sent. */
TEST_EACH(channel_to_an_actor_can_be_closed)
{
    fixture_open(f, NULL);
    puppet_ref to = fixture_spawn(f, &(struct script){.num = take_num, .tick = take_end}, NULL);
    num_tx tx, other;
    CHECK_OK(aldis_channel_to_actor_ended(f->system, to, num, tick, &tx));
    CHECK_OK(aldis_tx_clone(tx.raw, &other.raw));
    CHECK_OK(aldis_channel_try_send(tx, num, 0));
    aldis_tx_close(other.raw);
    CHECK_ERR(aldis_channel_try_send(tx, num, 1), ALDIS_ESHUTDOWN);
    CHECK_ERR(aldis_channel_send(other, num, 1), ALDIS_ESHUTDOWN);
    aldis_tx_close(tx.raw);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(1), 1);
    CHECK_UINT(trace_find(2, 1), 1);
    aldis_channel_stats stats;
    aldis_tx_stats(tx.raw, &stats);
    check_counts(&stats);
    CHECK_UINT(stats.refused, 2);
    aldis_tx_drop(tx.raw);
    aldis_tx_drop(other.raw);
    fixture_settle(f);
    CHECK_UINT(trace_count_of(2), 1);
}

static aldis_err send_and_close(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act, (void)ctx;
    struct stream *stream = self->script.user;
    EXPECT_OK(aldis_channel_try_send(stream->tx, num, 0));
    aldis_tx_close(stream->tx.raw);
    return ALDIS_OK;
}

/* What a handler sends before it closes still comes, and whoever waits for room hears of the
 * close. */
TEST_EACH(channel_brings_what_its_closer_has_sent)
{
    fixture_open(f, NULL);
    static struct stream stream;
    num_rx rx;
    stream = (struct stream){.next = EACH};
    CHECK_OK(aldis_channel_create(num, &stream.tx, &rx, &(aldis_channel_opts){.capacity_msgs = 2}));
    puppet_ref to = fixture_spawn(f, &(struct script){.user = &stream, .tick = fill}, NULL);
    CHECK_OK(aldis_channel_try_send(stream.tx, num, 7));
    fixture_tell(f, to, send_and_close, (struct act){0});
    fixture_settle(f);
    uint64_t value;
    CHECK_OK(aldis_channel_try_receive(rx, num, &value));
    CHECK_UINT(value, 7);
    CHECK_OK(aldis_channel_try_receive(rx, num, &value));
    CHECK_UINT(value, 0);
    CHECK_ERR(aldis_channel_try_receive(rx, num, &value), ALDIS_ENOSENDER);
    CHECK_ERR(aldis_channel_try_send(stream.tx, num, 1), ALDIS_ESHUTDOWN);
    aldis_tx_drop(stream.tx.raw);
    aldis_rx_drop(rx.raw);
}

static aldis_err close_it(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)act, (void)ctx;
    aldis_tx_close(((struct stream *)self->script.user)->tx.raw);
    return ALDIS_OK;
}

static aldis_err send_and_drop(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    struct stream *stream = self->script.user;
    (void)ctx;
    for (uint64_t i = 0; i < act->a; i++)
        (void)aldis_channel_try_send(stream->tx, num, i);
    aldis_tx_drop(stream->tx.raw);
    return ALDIS_OK;
}

/* Whoever waits for room hears of a close, too, by whatever handler. */
TEST_EACH(channel_tells_those_that_wait_for_room_of_a_close)
{
    for (int drops = 0; drops < 2; drops++) {
        if (drops)
            trace_clear();
        if (!drops)
            fixture_open(f, NULL);
        static struct stream streams[2];
        num_rx rx;
        CHECK_OK(aldis_channel_create(num, &streams[drops].tx, &rx,
                                      &(aldis_channel_opts){.capacity_msgs = 1}));
        streams[drops].next = EACH;
        CHECK_OK(aldis_channel_try_send(streams[drops].tx, num, 0));
        puppet_ref to =
            fixture_spawn(f, &(struct script){.user = &streams[drops], .tick = fill}, NULL);
        fixture_tell(f, to, ask_for_room, (struct act){0});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(3), 0);
        fixture_tell(f, to, drops ? send_and_drop : close_it, (struct act){.a = 1});
        fixture_settle(f);
        CHECK_UINT(trace_count_of(3), 1);
        if (!drops)
            aldis_tx_drop(streams[drops].tx.raw);
        aldis_rx_drop(rx.raw);
    }
}
