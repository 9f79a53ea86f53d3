// SPDX-License-Identifier: Apache-2.0
/* channel.c: the public calls of aldis/channel.h: checks, handles, waiting, selecting. Layer:
 * messaging. What a kind of channel does by itself is in its own file. */
#include "messaging/channel.h"

#include "base/clock.h"
#include "base/error.h"
#include "core/futex.h"
#include "core/send.h"
#include <string.h>

enum { CAPACITY_MAX = 1 << 24, SPINS = 64 };

static aldis_err refuse(aldis_err err, const aldis_type *type)
{
    return aldis__error_set(err, aldis_nobody(), type->name, NULL);
}

/* ------------------------------------------------------------------ making */

static aldis_err check_opts(const aldis_channel_opts *opts, const aldis_type *type)
{
    if (!opts || (unsigned)opts->kind > ALDIS_CHANNEL_BROADCAST)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "channel: no options, or an unknown kind");
    if (type->size > ALDIS_PAYLOAD_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "channel: %s has no fixed size of up to %u bytes", type->name,
                                ALDIS_PAYLOAD_MAX);
    bool bounded = opts->kind == ALDIS_CHANNEL_BOUNDED;
    if ((bounded || opts->kind == ALDIS_CHANNEL_BROADCAST) &&
        (opts->capacity_msgs == 0 || opts->capacity_msgs > CAPACITY_MAX))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "channel: capacity_msgs is %u; allowed: 1 to %d",
                                opts->capacity_msgs, CAPACITY_MAX);
    if (bounded && opts->capacity_max_msgs != 0 &&
        (opts->capacity_max_msgs <= opts->capacity_msgs || opts->capacity_max_msgs > CAPACITY_MAX))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "channel: capacity_max_msgs is %u; allowed: 0, or %u to %d",
                                opts->capacity_max_msgs, opts->capacity_msgs + 1, CAPACITY_MAX);
    return ALDIS_OK;
}

static struct aldis_tx *make(const aldis_channel_opts *opts, uint32_t size,
                             struct aldis_rx **out_rx)
{
    switch (opts->kind) {
    case ALDIS_CHANNEL_BOUNDED:
        if (opts->capacity_max_msgs == 0)
            return aldis__ring_channel(opts, size, out_rx);
        return aldis__pile_channel(opts, size, out_rx);
    case ALDIS_CHANNEL_UNBOUNDED:
        return aldis__pile_channel(opts, size, out_rx);
    case ALDIS_CHANNEL_ONESHOT:
        return aldis__oneshot_channel(opts, size, out_rx);
    case ALDIS_CHANNEL_BROADCAST:
        break;
    }
    return aldis__bus_channel(opts, size, out_rx);
}

aldis_err aldis_channel_create_raw(const aldis_channel_opts *opts, aldis_type *type,
                                   aldis_tx **out_tx, aldis_rx **out_rx)
{
    if (!type || !out_tx || !out_rx)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type ? type->name : "",
                                "channel: type, out_tx or out_rx is NULL");
    aldis_err err = check_opts(opts, type);
    if (err != ALDIS_OK)
        return err;
    aldis_rx *receiver;
    aldis_tx *sender = make(opts, type->size, &receiver);
    if (!sender)
        return refuse(ALDIS_ENOMEM, type);
    sender->type = type;
    sender->size = type->size;
    /* Relaxed: nobody else knows it yet. */
    aldis__store_relaxed(&sender->senders, 1);
    aldis__store_relaxed(&sender->refs, 2);
    *out_tx = sender;
    *out_rx = receiver;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ handles */

void aldis__channel_unref(struct aldis_tx *channel)
{
    /* CH1 acq_rel: pairs with itself: whoever frees it comes after all who have used it. */
    if (aldis__fetch_sub_acq_rel(&channel->refs, 1) == 1)
        channel->kind->destroy(channel);
}

aldis_err aldis_tx_clone(aldis_tx *sender, aldis_tx **out_tx)
{
    if (!sender || !out_tx)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "clone: an argument is NULL");
    if (sender->kind == &aldis__oneshot_kind)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), sender->type->name,
                                "clone: a oneshot has one sender");
    /* Relaxed: the caller has a handle, so it is not the last. */
    (void)aldis__fetch_add_relaxed(&sender->senders, 1);
    *out_tx = sender;
    return ALDIS_OK;
}

void aldis_tx_drop(aldis_tx *sender)
{
    if (!sender)
        return;
    if (sender->kind == &aldis__oneshot_kind) {
        sender->kind->close_sending(sender);
        return;
    }
    /* CH2 acq_rel: pairs with itself: the close comes after all sends. */
    if (aldis__fetch_sub_acq_rel(&sender->senders, 1) > 1)
        return;
    sender->kind->close_sending(sender);
    aldis__channel_unref(sender);
}

void aldis_tx_close(aldis_tx *sender)
{
    if (sender && sender->kind != &aldis__oneshot_kind && !aldis__channel_stage_close(sender))
        sender->kind->close_sending(sender);
}

aldis_err aldis_rx_clone(aldis_rx *receiver, aldis_rx **out_rx)
{
    if (!receiver || !out_rx)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "clone: an argument is NULL");
    struct aldis_tx *channel = receiver->channel;
    if (channel->kind != &aldis__bus_kind)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), channel->type->name,
                                "clone: only a broadcast has several receivers");
    aldis_rx *clone = aldis__bus_receiver(receiver);
    if (!clone)
        return refuse(ALDIS_ENOMEM, channel->type);
    /* Relaxed: the caller has a handle, so it is not the last. */
    (void)aldis__fetch_add_relaxed(&channel->refs, 1);
    *out_rx = clone;
    return ALDIS_OK;
}

void aldis_rx_drop(aldis_rx *receiver)
{
    if (!receiver)
        return;
    struct aldis_tx *channel = receiver->channel;
    bool oneshot = channel->kind == &aldis__oneshot_kind;
    channel->kind->leave(receiver);
    if (!oneshot)
        aldis__channel_unref(channel);
}

void aldis_rx_close(aldis_rx *receiver)
{
    if (receiver)
        receiver->channel->kind->close_receiving(receiver);
}

/* ------------------------------------------------------------------ waiting */

/* When a time-out ends. */
static aldis_ns deadline_of(aldis_ns timeout_ns)
{
    if (timeout_ns == ALDIS_FOREVER)
        return ALDIS_FOREVER;
    aldis_ns now_ns = aldis__clock_monotonic_ns();
    return timeout_ns > ALDIS_FOREVER - 1 - now_ns ? ALDIS_FOREVER - 1 : now_ns + timeout_ns;
}

/* False: it is over. */
static bool sleep_on(_Atomic(uint32_t) *word, uint32_t value, aldis_ns deadline_ns)
{
    aldis_ns left_ns = ALDIS_FOREVER;
    if (deadline_ns != ALDIS_FOREVER) {
        left_ns = deadline_ns - aldis__clock_monotonic_ns();
        if (left_ns <= 0)
            return false;
    }
    aldis__futex_wait(word, value, left_ns);
    return true;
}

static aldis_err check_wait(aldis_ns timeout_ns, const char *type_name)
{
    if (timeout_ns < 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type_name,
                                "channel: timeout %lld ns; allowed: 0 or more",
                                (long long)timeout_ns);
    if (aldis__this_worker != &aldis__no_worker)
        return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), type_name,
                                "channel: a handler never waits; use the try_ form");
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ sending */

static aldis_err check_send(aldis_tx *sender, const void *payload, size_t size)
{
    if (!sender)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "channel: the sender is NULL");
    if (size != sender->size || (size && !payload))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), sender->type->name,
                                "channel: %s has %u bytes, %zu were given", sender->type->name,
                                sender->size, payload ? size : 0);
    return ALDIS_OK;
}

aldis_err aldis__channel_refuse(aldis_tx *sender, aldis_err err)
{
    /* Relaxed: a counter. */
    (void)aldis__fetch_add_relaxed(&sender->refused, 1);
    return refuse(err, sender->type);
}

aldis_err aldis_channel_try_send_raw(aldis_tx *sender, const void *payload, size_t size)
{
    aldis_err err = check_send(sender, payload, size);
    if (err != ALDIS_OK)
        return err;
    if (aldis__this_worker != &aldis__no_worker && aldis__channel_is_staged(sender))
        err = aldis__channel_stage(sender, payload);
    else
        err = sender->kind->push(sender, payload);
    return err == ALDIS_OK ? ALDIS_OK : aldis__channel_refuse(sender, err);
}

aldis_err aldis_channel_send_until_raw(aldis_tx *sender, const void *payload, size_t size,
                                       aldis_ns timeout_ns)
{
    aldis_err err = check_send(sender, payload, size);
    if (err == ALDIS_OK)
        err = check_wait(timeout_ns, sender->type->name);
    if (err != ALDIS_OK)
        return err;
    err = sender->kind->push(sender, payload);
    if (err == ALDIS_OK)
        return ALDIS_OK;
    if (err == ALDIS_EFULL && sender->kind->push_until)
        err = sender->kind->push_until(sender, payload, timeout_ns);
    aldis_ns deadline_ns = deadline_of(timeout_ns);
    bool in_time = true;
    for (int i = 0; err == ALDIS_EFULL && in_time; i++) {
        struct aldis__gate *gate = &aldis__gated_of(sender)->gate;
        uint32_t room;
        if (i < SPINS)
            aldis__cpu_relax();
        else if (!aldis__gate_listen(gate, &room))
            in_time = sleep_on(&gate->room, room, deadline_ns);
        err = sender->kind->push(sender, payload);
    }
    if (err == ALDIS_OK)
        return ALDIS_OK;
    return aldis__channel_refuse(sender, err == ALDIS_EFULL ? ALDIS_ETIMEDOUT : err);
}

/* ------------------------------------------------------------------ receiving */

static aldis_err check_receive(aldis_rx *receiver, const void *out_payload, size_t size)
{
    if (!receiver)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "channel: the receiver is NULL");
    if (size != receiver->channel->size || (size && !out_payload))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), receiver->channel->type->name,
                                "channel: %s has %u bytes, there is room for %zu",
                                receiver->channel->type->name, receiver->channel->size,
                                out_payload ? size : 0);
    return ALDIS_OK;
}

aldis_err aldis_channel_try_receive_raw(aldis_rx *receiver, void *out_payload, size_t size)
{
    aldis_err err = check_receive(receiver, out_payload, size);
    if (err != ALDIS_OK)
        return err;
    const aldis_type *type = receiver->channel->type; /* a oneshot's memory may go now */
    err = receiver->channel->kind->pop(receiver, out_payload);
    return err == ALDIS_OK ? ALDIS_OK : refuse(err, type);
}

/* Sleep until one of them is ready, or for as long as there is time. */
static bool sleep_for(aldis_rx *const *receivers, size_t count, struct aldis__waiter *waiter,
                      aldis_ns deadline_ns)
{
    size_t listening = 0;
    bool ready = false, in_time = true;
    aldis__waiter_arm(waiter);
    while (listening < count && !ready) {
        aldis_rx *receiver = receivers[listening++];
        ready = receiver->channel->kind->listen(receiver, waiter);
    }
    while (!ready && in_time && aldis__waiter_is_armed(waiter))
        in_time = sleep_on(&waiter->state, ALDIS__WAITER_ARMED, deadline_ns);
    while (listening > 0) {
        aldis_rx *receiver = receivers[--listening];
        receiver->channel->kind->unlisten(receiver);
    }
    return in_time;
}

aldis_err aldis_channel_receive_until_raw(aldis_rx *receiver, void *out_payload, size_t size,
                                          aldis_ns timeout_ns)
{
    aldis_err err = check_receive(receiver, out_payload, size);
    if (err == ALDIS_OK)
        err = check_wait(timeout_ns, receiver->channel->type->name);
    if (err != ALDIS_OK)
        return err;
    const aldis_type *type = receiver->channel->type;
    err = receiver->channel->kind->pop(receiver, out_payload);
    if (err != ALDIS_EAGAIN)
        return err == ALDIS_OK ? ALDIS_OK : refuse(err, type);
    aldis_ns deadline_ns = deadline_of(timeout_ns);
    struct aldis__waiter *waiter = aldis__waiter_mine();
    bool in_time = true;
    for (int i = 0; err == ALDIS_EAGAIN && in_time; i++) {
        if (i < SPINS)
            aldis__cpu_relax();
        else if (waiter)
            in_time = sleep_for(&receiver, 1, waiter, deadline_ns);
        else
            return refuse(ALDIS_ENOMEM, type);
        err = receiver->channel->kind->pop(receiver, out_payload);
    }
    if (err == ALDIS_OK)
        return ALDIS_OK;
    return refuse(err == ALDIS_EAGAIN ? ALDIS_ETIMEDOUT : err, type);
}

uint64_t aldis_rx_missed(const aldis_rx *receiver)
{
    return receiver ? receiver->missed : 0;
}

/* ------------------------------------------------------------------ selecting */

/* The ready one that was picked longest ago; false: none is. */
static bool pick(aldis_rx *const *receivers, size_t count, size_t *out_index)
{
    static __thread uint64_t picks __attribute__((tls_model("initial-exec")));
    size_t best = count;
    for (size_t i = 0; i < count; i++) {
        aldis_rx *receiver = receivers[i];
        if ((best == count || receiver->picked < receivers[best]->picked) &&
            receiver->channel->kind->is_ready(receiver))
            best = i;
    }
    if (best == count)
        return false;
    receivers[best]->picked = ++picks;
    *out_index = best;
    return true;
}

static aldis_err check_select(aldis_rx *const *receivers, size_t count, aldis_ns timeout_ns,
                              const size_t *out_index)
{
    bool valid = receivers && count > 0 && out_index;
    for (size_t i = 0; valid && i < count; i++)
        valid = receivers[i] != NULL;
    if (!valid)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "select: %zu receivers; allowed: 1 or more, none NULL", count);
    return check_wait(timeout_ns, "");
}

aldis_err aldis_select(aldis_rx *const *receivers, size_t count, aldis_ns timeout_ns,
                       size_t *out_index)
{
    aldis_err err = check_select(receivers, count, timeout_ns, out_index);
    if (err != ALDIS_OK)
        return err;
    if (pick(receivers, count, out_index))
        return ALDIS_OK;
    aldis_ns deadline_ns = deadline_of(timeout_ns);
    struct aldis__waiter *waiter = aldis__waiter_mine();
    if (!waiter)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", NULL);
    bool in_time = true;
    while (in_time) {
        in_time = sleep_for(receivers, count, waiter, deadline_ns);
        if (pick(receivers, count, out_index))
            return ALDIS_OK;
    }
    return aldis__error_set(ALDIS_ETIMEDOUT, aldis_nobody(), "", NULL);
}

/* ------------------------------------------------------------------ figures */

void aldis_tx_stats(aldis_tx *sender, aldis_channel_stats *out_stats)
{
    if (!sender || !out_stats)
        return;
    memset(out_stats, 0, sizeof *out_stats);
    /* Relaxed: figures. */
    out_stats->refused = aldis__load_relaxed(&sender->refused);
    out_stats->senders = aldis__load_relaxed(&sender->senders);
    sender->kind->count(sender, out_stats);
}

void aldis_rx_stats(aldis_rx *receiver, aldis_channel_stats *out_stats)
{
    if (receiver)
        aldis_tx_stats(receiver->channel, out_stats);
}
