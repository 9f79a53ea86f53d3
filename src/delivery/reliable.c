// SPDX-License-Identifier: Apache-2.0
/* reliable.c: reliable sends, their acknowledgements, repeats and confirmations. Layer: delivery.
 *
 * A reliable message is a tracked one. At its receiver, admit() filters out repeats and keeps the
 * order; handled() acknowledges. The acknowledgement *is* the confirmation: a message of type
 * aldis_delivered, whose place in the sender's mailbox is reserved, and which its own admit() lets
 * through only if the message is pending. So a reliable message that arrives costs two messages, no
 * timer and no search. Threads: the worker that runs the actor; all state is in the actor's
 * parts (core/part.h). */
#include "delivery/reliable.h"
#include "base/error.h"
#include "base/hash.h"
#include "core/durable.h"
#include "core/send.h"
#include "core/tracked.h"
#include <string.h>

_Static_assert(sizeof(aldis_delivered) == ALDIS__DELIVERED_BYTES, "as the core knows it");
_Static_assert(ALDIS__FILTER_WORDS * 64 == ALDIS__STREAM_WINDOW, "a bit for each pending number");

#define SLOT_OF(b) ((uint32_t)((b)&ALDIS__PENDING_NONE))
#define ABOVE_BASE_OF(b) (((b) >> ALDIS__BASE_SHIFT) & 0x7fff)

enum { ALARM_TURN_MAX = 1024, ATTEMPTS_DEFAULT = 4, JITTER_DEFAULT = 200 };
#define TIMEOUT_DEFAULT_NS ALDIS_SECOND
#define TIMEOUT_MAX_DEFAULT_NS (30 * ALDIS_SECOND)

static const struct aldis__tracker message_tracker, ack_tracker, nack_tracker, alarm_tracker,
    confirmation_tracker;

static aldis_ns now_of(const aldis_ctx *ctx)
{
    return ctx->now_ns + ctx->busy_ns;
}

static aldis_ns later(aldis_ns now_ns, aldis_ns delay_ns)
{
    return delay_ns >= ALDIS_FOREVER - now_ns ? ALDIS_FOREVER - 1 : now_ns + delay_ns;
}

/* ------------------------------------------------------------------ the sender's side */

/* The time-out varies, so that many senders of one receiver do not come back as one; by the seed
 * and the message, and not by the actor's own random numbers, which are its user's. */
static aldis_ns jittered(const aldis_ctx *ctx, const struct aldis__pending *pending)
{
    const uint64_t local = ~(UINT64_C(0xff) << ALDIS__NODE_SHIFT);
    uint64_t chance = aldis__mix64(
        ctx->system->opts.seed ^ aldis__mix64(ctx->cell->id.bits & local) ^
        aldis__mix64((pending->to.bits & local) + pending->number) ^ pending->attempts);
    double spread = (double)pending->jitter_permille / 1000;
    double factor = 1 - spread + 2 * spread * ((double)(chance >> 11) * 0x1p-53);
    double wait_ns = (double)pending->wait_ns * factor;
    return wait_ns < 1 ? 1 : (aldis_ns)wait_ns;
}

/* See to it that an alarm comes when the first time-out does. */
static void set_alarm(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__sender *sender)
{
    aldis_ns due_ns = aldis__sender_next_due(sender), now_ns = now_of(&worker->ctx);
    if (due_ns < ALDIS_FOREVER &&
        !sender->retry_waits) /* else, and without memory: the next message sets it */
        (void)aldis__alarm_set(worker, cell, &sender->alarm, due_ns > now_ns ? due_ns : now_ns + 1,
                               &alarm_tracker);
}

static void release(struct aldis__worker *worker, struct aldis__sender *sender, uint32_t slot)
{
    aldis__sender_release(sender, slot, false);
    if (sender->count == 0)
        aldis__alarm_clear(worker, &sender->alarm);
}

static aldis_err transmit(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    bool loose = (pending->number & ALDIS__NUMBER_LOOSE) != 0;
    uint64_t above = loose ? 0 : aldis__sender_above_base(sender, slot);
    struct aldis__track track = {&message_tracker, pending->deadline_ns, pending->number,
                                 slot | above << ALDIS__BASE_SHIFT |
                                     (uint64_t)pending->grade << ALDIS__GRADE_SHIFT |
                                     (pending->ordered ? ALDIS__FLAG_ORDERED : 0)};
    if (pending->uncounted)
        track.b |= ALDIS__FLAG_UNCOUNTED;
    pending->attempts++;
    if (pending->durable) {
        track.b |= ALDIS__FLAG_DURABLE | (uint64_t)aldis__durable_endpoint(ctx->cell)
                                             << ALDIS__ENDPOINT_SHIFT;
        return aldis__durable_transmit(ctx, pending, &track);
    }
    aldis_send_opts opts = {.lane = (aldis_lane)pending->lane, .delay_ns = pending->delay_ns};
    struct aldis__parcel parcel = {.to = pending->to,
                                   .type = pending->type,
                                   .payload = aldis__pending_payload(pending),
                                   .size = pending->size,
                                   .opts = pending->lane || pending->delay_ns ? &opts : NULL};
    return aldis__send_tracked(ctx, &parcel, &track);
}

/* Will no repeat mend it? */
static bool is_final(aldis_err err)
{
    return err == ALDIS_ENOTFOUND || err == ALDIS_ESTALE || err == ALDIS_ESHUTDOWN ||
           err == ALDIS_EUNACCEPTED || err == ALDIS_EINVAL || err == ALDIS_ELOOKAHEAD ||
           err == ALDIS_ETOOLARGE || err == ALDIS_EEXPIRED;
}

static void wait_for(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    aldis_ns due_ns = later(later(now_of(ctx), pending->delay_ns), jittered(ctx, pending));
    pending->due_ns = due_ns < pending->deadline_ns ? due_ns : pending->deadline_ns;
    aldis__sender_wait(sender, slot);
    set_alarm(aldis__worker_of(ctx), ctx->cell, sender);
}

void aldis__reliable_hold(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot)
{
    wait_for(ctx, sender, slot);
}

void aldis__reliable_launch(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot)
{
    /* Its answer takes a commit, which may be slow; a receiver that is not there may come soon. */
    if (transmit(ctx, sender, slot) == ALDIS_OK)
        aldis__sender_at(sender, slot)->wait_ns = TIMEOUT_DEFAULT_NS;
    wait_for(ctx, sender, slot);
}

static void fill_confirmation(const aldis_ctx *ctx, const struct aldis__pending *pending,
                              aldis_err result, aldis_delivered *out)
{
    *out = (aldis_delivered){.id = {ctx->cell->id, pending->to, pending->number},
                             .context = pending->context,
                             .attempts = pending->attempts,
                             .result = (uint32_t)result};
}

/* It has failed: tell the sender, which is the running actor. It is pending until its handler hears
 * of it: the mail of an actor may be discarded. */
static void give_up(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot, aldis_err result)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    struct aldis__track track = {&confirmation_tracker, ALDIS_FOREVER, pending->number, slot};
    aldis_delivered told;
    pending->result = (uint16_t)result;
    pending->due_ns = 0; /* it waits for no time any more */
    fill_confirmation(ctx, pending, result, &told);
    struct aldis__parcel parcel = {
        .to = ctx->cell->id, .type = &aldis_delivered_type, .payload = &told, .size = sizeof told};
    if (aldis__send_tracked(ctx, &parcel, &track) != ALDIS_OK)
        wait_for(ctx, sender, slot); /* no memory: told at the next time-out */
}

static void retry(aldis_ctx *ctx, struct aldis__sender *sender, uint32_t slot)
{
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    if (pending->durable && !pending->committed) {
        wait_for(ctx, sender, slot);
        return;
    }
    if (pending->result != ALDIS_OK) {
        give_up(ctx, sender, slot, (aldis_err)pending->result);
        return;
    }
    if (now_of(ctx) >= pending->deadline_ns) {
        give_up(ctx, sender, slot, ALDIS_EEXPIRED);
        return;
    }
    if (pending->attempts > pending->max_retries) {
        give_up(ctx, sender, slot, ALDIS_ETIMEDOUT);
        return;
    }
    sender->stats.retries += !pending->uncounted;
    aldis_ns longer_ns =
        pending->wait_ns > pending->wait_max_ns / 2 ? pending->wait_max_ns : 2 * pending->wait_ns;
    pending->wait_ns = longer_ns;
    aldis_err err = transmit(ctx, sender, slot);
    if (is_final(err) && !pending->durable)
        give_up(ctx, sender, slot, err);
    else
        wait_for(ctx, sender, slot);
}

/* The actor's timers have gone with its incarnation. */
void aldis__sender_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                           struct aldis__part *part)
{
    struct aldis__sender *sender = (struct aldis__sender *)(void *)part;
    aldis__alarm_forget(worker, &sender->alarm);
    set_alarm(worker, cell, sender);
}

/* The acknowledgements that came before it have been handled: what is due now has not been
 * answered. */
static aldis_err on_retry(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track)
{
    aldis_ctx *ctx = &worker->ctx;
    struct aldis__sender *sender = aldis__sender_of(cell);
    (void)msg;
    (void)track;
    if (!sender)
        return ALDIS_OK; /* it had nothing left to wait for, and is gone */
    sender->retry_waits = false;
    for (int i = 0; i < ALARM_TURN_MAX; i++) {
        uint32_t slot = aldis__sender_pop_due(sender, now_of(ctx));
        if (slot == ALDIS__PENDING_NONE)
            break;
        retry(ctx, sender, slot);
    }
    set_alarm(worker, cell, sender);
    aldis__sender_leave(worker, cell);
    return ALDIS_OK;
}

/* The actor whose own message to itself was discarded, with its mail or by its mailbox; NULL: it
 * has ended. */
static struct aldis__cell *discarded_by(struct aldis__worker *worker, const struct aldis__msg *msg,
                                        enum aldis__fate fate)
{
    if (!worker || fate == ALDIS__DEAD)
        return NULL;
    aldis_system *system = worker->ctx.system;
    return aldis__system_cell(system, aldis__id_index(msg->to, system->node_base));
}

/* Another one will come. */
static void retry_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                        struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    struct aldis__cell *cell = discarded_by(worker, msg, fate);
    (void)track;
    (void)reason;
    if (!cell)
        return;
    struct aldis__sender *sender = aldis__sender_of(cell);
    if (!sender)
        return;
    sender->retry_waits = false;
    (void)aldis__alarm_set(worker, cell, &sender->alarm, now_of(&worker->ctx) + ALDIS_MS,
                           &alarm_tracker);
}

static const struct aldis__tracker retry_tracker = {
    .name = "aldis.delivery.retry", .reserved = true, .handle = on_retry, .ended = retry_ended};

/* Repeats wait their turn behind the mail that is here already: an answer may be among it, and a
 * sender that is parked, or paused, repeats nothing. Else one whose receiver is slow would fill it
 * with repeats, and itself with the answers to them. */
static aldis_err on_alarm(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track)
{
    static aldis_type retry_type = {"aldis.retry", 0, 0, NULL, 0};
    struct aldis__sender *sender = aldis__sender_of(cell);
    (void)msg;
    if (!sender) /* it had nothing left to wait for, and is gone */
        worker->spent = cell;
    if (!sender || !aldis__alarm_came(&sender->alarm, track) || sender->retry_waits)
        return ALDIS_OK;
    struct aldis__track behind = {&retry_tracker, ALDIS_FOREVER, 0, 0};
    struct aldis__parcel parcel = {.to = cell->id, .type = &retry_type};
    sender->retry_waits = aldis__send_tracked(&worker->ctx, &parcel, &behind) == ALDIS_OK;
    if (!sender->retry_waits) /* no memory: a moment later */
        (void)aldis__alarm_set(worker, cell, &sender->alarm, now_of(&worker->ctx) + ALDIS_MS,
                               &alarm_tracker);
    return ALDIS_OK;
}

static const struct aldis__tracker alarm_tracker = {.name = "aldis.delivery.alarm",
                                                    .handle = on_alarm};

/* ------------------------------------------------------------------ acknowledgements */

/* The pending message that `msg` answers; ALDIS__PENDING_NONE: it answers none. */
static uint32_t answered(const struct aldis__cell *cell, struct aldis__sender *sender,
                         const struct aldis__msg *msg, const struct aldis__track *track)
{
    if (!sender)
        return ALDIS__PENDING_NONE;
    uint32_t slot = SLOT_OF(track->b);
    const struct aldis__pending *pending = aldis__sender_find(sender, slot, track->a);
    aldis_id expected = aldis_nobody();
    if (pending)
        expected = pending->durable ? aldis__durable_receiver(cell, pending) : pending->to;
    if (pending && aldis_id_equal(expected, msg->from) && pending->result == ALDIS_OK)
        return slot;
    sender->stats.ignored_acks++;
    return ALDIS__PENDING_NONE;
}

/* A confirmation whose handler has failed may come again, to be handled once more. */
static bool was_told(const struct aldis__track *track)
{
    return track->a == 0;
}

static void set_told(struct aldis__track *track)
{
    track->a = 0;
}

static enum aldis__admission admit_ack(struct aldis__worker *worker, struct aldis__cell *cell,
                                       struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__sender *sender = aldis__sender_of(cell);
    if (was_told(track))
        return ALDIS__ADMIT_HANDLE;
    uint32_t slot = answered(cell, sender, msg, track);
    if (slot == ALDIS__PENDING_NONE) {
        msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE; /* whoever acknowledged need not know */
        return ALDIS__ADMIT_DROP;
    }
    const struct aldis__pending *pending = aldis__sender_at(sender, slot);
    uint32_t attempts = pending->attempts;
    aldis_delivered *told = aldis__msg_body(msg);
    fill_confirmation(&worker->ctx, pending, ALDIS_OK, told);
    told->id.to = msg->from;
    if (pending->durable)
        aldis__durable_confirmed(cell, pending);
    unsigned counted = !pending->uncounted;
    sender->stats.confirmed += counted;
    sender->stats.by_attempts[attempts < ALDIS_ATTEMPTS_COUNTED ? attempts - 1
                                                                : ALDIS_ATTEMPTS_COUNTED - 1] +=
        counted;
    release(worker, sender, slot);
    aldis__sender_unwait(sender);
    set_told(track);
    return ALDIS__ADMIT_HANDLE;
}

static aldis_err tell(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__msg *msg, struct aldis__track *track)
{
    (void)track;
    aldis_err err = cell->kind->delivered(cell->state, aldis__msg_body(msg), &worker->ctx);
    aldis__sender_leave(worker, cell);
    return err;
}

static const struct aldis__tracker ack_tracker = {.name = "aldis.delivery.ack",
                                                  .reserved = true,
                                                  .admit = admit_ack,
                                                  .handle = tell,
                                                  .duplicate = aldis__tracked_same};

static enum aldis__admission admit_confirmation(struct aldis__worker *worker,
                                                struct aldis__cell *cell, struct aldis__msg *msg,
                                                struct aldis__track *track)
{
    struct aldis__sender *sender = aldis__sender_of(cell);
    (void)msg;
    if (was_told(track))
        return ALDIS__ADMIT_HANDLE;
    sender->stats.failed += !aldis__sender_at(sender, SLOT_OF(track->b))->uncounted;
    release(worker, sender, SLOT_OF(track->b));
    set_told(track);
    return ALDIS__ADMIT_HANDLE;
}

/* It will be told again. */
static void confirmation_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                               struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    struct aldis__cell *cell = discarded_by(worker, msg, fate);
    (void)reason;
    if (!cell || was_told(track))
        return;
    struct aldis__sender *sender = aldis__sender_of(cell);
    struct aldis__pending *pending = aldis__sender_at(sender, SLOT_OF(track->b));
    pending->due_ns = now_of(&worker->ctx) + ALDIS_MS;
    aldis__sender_wait(sender, SLOT_OF(track->b));
    set_alarm(worker, cell, sender);
}

static const struct aldis__tracker confirmation_tracker = {.name = "aldis.delivery.confirmation",
                                                           .reserved = true,
                                                           .admit = admit_confirmation,
                                                           .handle = tell,
                                                           .ended = confirmation_ended};

/* A refusal: it is tried again when its time-out is over, if that can help. */
static aldis_err on_nack(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__msg *msg, struct aldis__track *track)
{
    aldis_ctx *ctx = &worker->ctx;
    struct aldis__sender *sender = aldis__sender_of(cell);
    uint32_t slot = answered(cell, sender, msg, track);
    if (slot == ALDIS__PENDING_NONE)
        return ALDIS_OK;
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    uint32_t reason;
    memcpy(&reason, aldis__msg_payload(msg, NULL), sizeof reason);
    if (pending->durable ||
        (!is_final((aldis_err)reason) && pending->attempts <= pending->max_retries))
        return ALDIS_OK; /* its time-out stands */
    aldis__sender_unwait(sender);
    give_up(ctx, sender, slot, (aldis_err)reason);
    return ALDIS_OK;
}

static const struct aldis__tracker nack_tracker = {.name = "aldis.delivery.nack",
                                                   .steadfast = true,
                                                   .handle = on_nack,
                                                   .duplicate = aldis__tracked_same};

/* ------------------------------------------------------------------ the receiver's side */

void aldis__reliable_ack(aldis_ctx *ctx, aldis_id sender, uint64_t number, uint64_t b)
{
    struct aldis__track track = {&ack_tracker, ALDIS_FOREVER, number, b};
    aldis_delivered blank = {.context = 0}; /* filled in by the sender's side */
    struct aldis__parcel parcel = {
        .to = sender, .type = &aldis_delivered_type, .payload = &blank, .size = sizeof blank};
    /* One that cannot be sent is as one that was lost: the message comes again. */
    (void)aldis__send_tracked(ctx, &parcel, &track);
}

static void send_nack(struct aldis__worker *worker, aldis_id from, aldis_id to,
                      const struct aldis__track *track, aldis_err reason)
{
    struct aldis__track answer = {&nack_tracker, ALDIS_FOREVER, track->a, track->b};
    uint32_t code = (uint32_t)reason;
    aldis__post_tracked(worker, from, to, &answer, &code, sizeof code);
}

static bool has_filter(const struct aldis__track *track)
{
    return !(track->a & ALDIS__NUMBER_LOOSE);
}

aldis_id aldis__reliable_stream(aldis_id sender, const struct aldis__track *track)
{
    if (track->b & ALDIS__FLAG_DURABLE)
        return aldis__endpoint_id((uint32_t)(track->b >> ALDIS__ENDPOINT_SHIFT));
    return sender;
}

/* Neither a number to remember nor a figure to count: its receiver keeps nothing of it. */
static bool leaves_nothing(const struct aldis__track *track)
{
    return !has_filter(track) && !(track->b & ALDIS__FLAG_DURABLE) &&
           (track->b & ALDIS__FLAG_UNCOUNTED);
}

/* Its effect is committed, or has still to be. */
static void again_durable(struct aldis__worker *worker, struct aldis__cell *cell,
                          const struct aldis__filter *filter, const struct aldis__msg *msg,
                          const struct aldis__track *track)
{
    if (track->a <= filter->committed)
        aldis__reliable_ack(&worker->ctx, msg->from, track->a, track->b);
    else
        (void)aldis__durable_save_effect(worker, cell, msg->from, track);
}

static enum aldis__admission quietly(struct aldis__msg *msg, struct aldis__track *track)
{
    msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE;
    track->b |= ALDIS__FLAG_QUIET;
    return ALDIS__ADMIT_DROP;
}

static enum aldis__admission admit(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg, struct aldis__track *track)
{
    if (leaves_nothing(track))
        return ALDIS__ADMIT_HANDLE;
    struct aldis__receiver *receiver = aldis__receiver_make(cell);
    if (!receiver)
        return quietly(msg, track); /* no memory: it comes again */
    if (!has_filter(track)) {
        receiver->received++;
        return ALDIS__ADMIT_HANDLE;
    }
    struct aldis__filter *filter =
        aldis__filter_of(receiver, aldis__reliable_stream(msg->from, track));
    if (!filter)
        return quietly(msg, track);
    uint64_t number = track->a;
    aldis__filter_advance(filter, number - ABOVE_BASE_OF(track->b) - 1);
    if (aldis__filter_has(filter, number)) {
        receiver->duplicates++;
        if (track->b & ALDIS__FLAG_DURABLE)
            again_durable(worker, cell, filter, msg, track);
        else if (aldis__grade_of(track->b) != ALDIS_AT_MOST_ONCE)
            aldis__reliable_ack(&worker->ctx, msg->from, number, track->b);
        return quietly(msg, track);
    }
    bool next = number == filter->done + 1;
    if (number - filter->done > ALDIS__STREAM_WINDOW ||
        (!next && (track->b & ALDIS__FLAG_ORDERED) &&
         aldis__tracked_aside(cell) >= ALDIS__STREAM_WINDOW))
        return quietly(msg, track);
    if (!next && (track->b & ALDIS__FLAG_ORDERED))
        return ALDIS__ADMIT_HOLD;
    if (aldis__grade_of(track->b) == ALDIS_AT_MOST_ONCE && !aldis__filter_add(filter, number))
        return quietly(msg, track);
    receiver->received++;
    return ALDIS__ADMIT_HANDLE;
}

/* The message is done: for ever, with what it did to the durable state. False: no memory. */
static bool settle(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id sender,
                   const struct aldis__track *track)
{
    if (leaves_nothing(track))
        return aldis__durable_save(cell);
    struct aldis__receiver *receiver = aldis__receiver_make(cell);
    if (!receiver || !aldis__durable_save(cell))
        return false;
    if (!has_filter(track))
        return true;
    struct aldis__filter *filter =
        aldis__filter_of(receiver, aldis__reliable_stream(sender, track));
    if (!filter || !aldis__filter_add(filter, track->a))
        return false;
    if (aldis__tracked_aside(cell))
        aldis__tracked_retry(worker, cell);
    return true;
}

static void handled(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg,
                    struct aldis__track *track, aldis_err err)
{
    if (track->b & ALDIS__FLAG_SETTLED)
        return;
    if (err == ALDIS_OK && settle(worker, cell, msg->from, track)) {
        if (!(track->b & ALDIS__FLAG_DURABLE))
            aldis__reliable_ack(&worker->ctx, msg->from, track->a, track->b);
        else /* without memory: when it comes again */
            (void)aldis__durable_save_effect(worker, cell, msg->from, track);
        return;
    }
    send_nack(worker, cell->id, msg->from, track, err == ALDIS_OK ? ALDIS_ENOMEM : err);
}

static void ended(struct aldis__worker *worker, struct aldis__msg *msg, struct aldis__track *track,
                  enum aldis__fate fate, aldis_err reason)
{
    (void)fate;
    msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE; /* its sender is told once, by the confirmation */
    /* A link that has lost it tells nobody (ALDIS_ECOMM). */
    if (worker && !(track->b & ALDIS__FLAG_QUIET) && reason != ALDIS_ECOMM)
        send_nack(worker, msg->to, msg->from, track, reason);
}

static const struct aldis__tracker message_tracker = {.name = "aldis.delivery.message",
                                                      .admit = admit,
                                                      .handled = handled,
                                                      .ended = ended,
                                                      .duplicate = aldis__tracked_same};

bool aldis__reliable_is(const struct aldis__track *track)
{
    return track->tracker == &message_tracker;
}

/* ------------------------------------------------------------------ public: receiving */

static aldis_err check_settle(aldis_ctx *ctx, const char *call)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign(call);
    const struct aldis__track *track = aldis__ctx_track(ctx);
    if (!track || !aldis__reliable_is(track))
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "",
                                "%s: the message was not sent reliably", call);
    if (track->b & (ALDIS__FLAG_SETTLED | ALDIS__FLAG_DURABLE))
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "", "%s: the message is %s", call,
                                track->b & ALDIS__FLAG_DURABLE
                                    ? "durable, and confirmed with its effect"
                                    : "confirmed or refused already");
    return ALDIS_OK;
}

aldis_err aldis_ack(aldis_ctx *ctx)
{
    aldis_err err = check_settle(ctx, "ack");
    if (err != ALDIS_OK)
        return err;
    struct aldis__track *track = aldis__ctx_track(ctx);
    if (!settle(aldis__worker_of(ctx), ctx->cell, ctx->msg->from, track))
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "ack: its filter");
    track->b |= ALDIS__FLAG_SETTLED | ALDIS__FLAG_ACKED;
    aldis__reliable_ack(ctx, ctx->msg->from, track->a, track->b);
    return ALDIS_OK;
}

aldis_err aldis_nack(aldis_ctx *ctx, aldis_err reason)
{
    aldis_err err = check_settle(ctx, "nack");
    if (err != ALDIS_OK)
        return err;
    if (reason == ALDIS_OK)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "nack: the reason is ALDIS_OK");
    struct aldis__track *track = aldis__ctx_track(ctx);
    track->b |= ALDIS__FLAG_SETTLED;
    send_nack(aldis__worker_of(ctx), ctx->cell->id, ctx->msg->from, track, reason);
    return ALDIS_OK;
}

aldis_err aldis_ack_later(aldis_ctx *ctx, aldis_ack_token *out_token)
{
    aldis_err err = check_settle(ctx, "ack_later");
    if (err != ALDIS_OK)
        return err;
    struct aldis__track *track = aldis__ctx_track(ctx);
    if (!out_token || aldis__grade_of(track->b) == ALDIS_EFFECT_ONCE)
        return aldis__error_set(
            out_token ? ALDIS_ESTATE : ALDIS_EINVAL, ctx->cell->id, "", "ack_later: %s",
            out_token ? "effect-once confirms with the effect, not later" : "out_token is NULL");
    track->b |= ALDIS__FLAG_SETTLED;
    *out_token = (aldis_ack_token){ctx->msg->from, track->a, track->b};
    return ALDIS_OK;
}

/* Could this token be one of ours? It has been in the hands of a user. */
static bool is_token(aldis_ctx *ctx, const aldis_ack_token *token, const struct aldis__track *track)
{
    uint64_t word;
    if (token->number == 0 || (token->bits & ALDIS__FLAG_DURABLE) ||
        aldis__grade_of(token->bits) == ALDIS_EFFECT_ONCE || aldis_id_is_nobody(token->sender) ||
        aldis__send_check_place(ctx->system, token->sender, ALDIS__TYPE_TRACK, &word) != ALDIS_OK)
        return false;
    if (leaves_nothing(track))
        return true;
    struct aldis__receiver *receiver = aldis__receiver_of(ctx->cell);
    if (!receiver || !has_filter(track))
        return receiver != NULL;
    const struct aldis__filter *filter = aldis__filter_of(receiver, token->sender);
    return filter &&
           (token->number <= filter->done || token->number - filter->done <= ALDIS__STREAM_WINDOW);
}

aldis_err aldis_ack_with(aldis_ctx *ctx, aldis_ack_token token, aldis_err result)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("ack_with");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__track track = {&message_tracker, ALDIS_FOREVER, token.number, token.bits};
    if (!is_token(ctx, &token, &track))
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "ack_with: it is no token");
    if (result != ALDIS_OK)
        send_nack(worker, ctx->cell->id, token.sender, &track, result);
    else if (settle(worker, ctx->cell, token.sender, &track))
        aldis__reliable_ack(ctx, token.sender, token.number, token.bits);
    else
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "ack_with: its filter");
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ public: sending */

static aldis_err bad(const char *option, long long value, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                            "send_reliable: %s is %lld; allowed: %s", option, value, allowed);
}

/* The options with their defaults filled in. */
static aldis_err resolve(const aldis_reliable_opts *given, aldis_reliable_opts *out)
{
    aldis_reliable_opts opts = given ? *given : (aldis_reliable_opts){.context = 0};
    if ((unsigned)opts.grade > ALDIS_EFFECT_ONCE)
        return bad("grade", (int)opts.grade, "at-least-once, at-most-once, effect-once");
    if (opts.timeout_ns < 0)
        return bad("timeout_ns", opts.timeout_ns, "0 or more");
    if (opts.timeout_max_ns < 0)
        return bad("timeout_max_ns", opts.timeout_max_ns, "0 or more");
    if (opts.delay_ns < 0)
        return bad("delay_ns", opts.delay_ns, "0 or more");
    if (opts.deadline_ns < 0)
        return bad("deadline_ns", opts.deadline_ns, "0 (none) or more");
    if (opts.jitter_permille > 1000)
        return bad("jitter_permille", opts.jitter_permille, "0 to 1000");
    unsigned rank = aldis__lane_rank(opts.lane);
    if (rank == ALDIS__RANK_COUNT || rank == ALDIS__RANK_CONTROL)
        return bad("lane", (int)opts.lane, "normal, critical, high, low");
    if (opts.max_attempts == 0)
        opts.max_attempts = ATTEMPTS_DEFAULT;
    if (opts.grade == ALDIS_AT_MOST_ONCE)
        opts.max_attempts = 1;
    if (opts.timeout_ns == 0)
        opts.timeout_ns = TIMEOUT_DEFAULT_NS;
    if (opts.timeout_max_ns == 0)
        opts.timeout_max_ns = TIMEOUT_MAX_DEFAULT_NS;
    if (opts.timeout_max_ns < opts.timeout_ns)
        opts.timeout_max_ns = opts.timeout_ns;
    if (opts.jitter_permille == 0)
        opts.jitter_permille = JITTER_DEFAULT;
    *out = opts;
    return ALDIS_OK;
}

static void fill(const aldis_ctx *ctx, struct aldis__pending *pending, aldis_type *type,
                 const void *payload, const aldis_reliable_opts *opts)
{
    pending->type = type;
    pending->sent_ns = now_of(ctx);
    pending->deadline_ns =
        opts->deadline_ns ? later(now_of(ctx), opts->deadline_ns) : ALDIS_FOREVER;
    pending->wait_ns = opts->timeout_ns;
    pending->wait_max_ns = opts->timeout_max_ns;
    pending->context = opts->context;
    pending->attempts = 0;
    pending->max_retries = opts->max_attempts - 1;
    pending->jitter_permille = (uint16_t)opts->jitter_permille;
    pending->result = ALDIS_OK;
    pending->grade = (uint8_t)opts->grade;
    pending->lane = (uint8_t)opts->lane;
    pending->ordered = opts->ordered;
    pending->uncounted = opts->uncounted;
    pending->delay_ns = opts->delay_ns;
    pending->durable = false;
    void *inside = pending->size > ALDIS__PENDING_INLINE ? pending->block : pending->bytes;
    if (pending->size)
        memcpy(inside, payload, pending->size);
}

static aldis_err check_send(aldis_ctx *ctx, aldis_type *type, const void *payload, size_t size,
                            struct aldis__sender **out_sender)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("send_reliable");
    if (!ctx->cell->kind->delivered)
        return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, "aldis_delivered",
                                "send_reliable: %s does not list aldis_delivered in its protocol",
                                ctx->cell->kind->behaviour->name);
    uint32_t index;
    aldis_err err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err;
    *out_sender = aldis__sender_make(ctx->cell);
    if (!*out_sender)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, type->name, "send_reliable");
    return ALDIS_OK;
}

aldis_err aldis_send_reliable_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                  const void *payload, size_t size, const aldis_reliable_opts *opts,
                                  aldis_message_id *out_id)
{
    aldis_reliable_opts resolved = {.context = 0};
    struct aldis__sender *sender = NULL;
    uint32_t slot = ALDIS__PENDING_NONE;
    aldis_err err = check_send(ctx, type, payload, size, &sender);
    if (err == ALDIS_OK)
        err = resolve(opts, &resolved);
    if (err == ALDIS_OK) {
        bool loose = resolved.grade == ALDIS_AT_LEAST_ONCE && !resolved.ordered;
        err = aldis__sender_take(sender, to, loose, size, &slot);
    }
    if (err != ALDIS_OK)
        return err;
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    fill(ctx, pending, type, payload, &resolved);
    err = transmit(ctx, sender, slot);
    if (is_final(err) || (err != ALDIS_OK && resolved.grade == ALDIS_AT_MOST_ONCE)) {
        aldis__sender_release(sender, slot, true);
        return err; /* a sender without anything pending goes with the next confirmation */
    }
    sender->keeps |= !resolved.uncounted;
    sender->stats.sent += !resolved.uncounted;
    if (out_id)
        *out_id = (aldis_message_id){ctx->cell->id, to, pending->number};
    wait_for(ctx, sender, slot);
    return ALDIS_OK;
}
