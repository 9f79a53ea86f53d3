// SPDX-License-Identifier: Apache-2.0
/* durable.c: actors that are endpoints of a store. Layer: delivery.
 *
 * A durable message is a reliable one, effect-once and in order, tried without end, with three
 * things between its steps: it goes out when the store has it; it is acknowledged when the store
 * has its effect; and the store forgets it when it is acknowledged. Its stream is that of two
 * names, and not of two ids, so that it goes on in the next process. */
#include "core/durable.h"
#include "base/error.h"
#include "core/outside.h"
#include "core/send.h"
#include "core/tracked.h"
#include "delivery/reliable.h"
#include "delivery/store.h"
#include <aldis/wire.h>
#include <string.h>

_Static_assert(sizeof(aldis_accepted) == ALDIS__ACCEPTED_BYTES, "as the core knows it");

enum { FIRST_WAIT_MS = 50, LONGEST_WAIT_MS = 2000, JITTER_PERMILLE = 200 };

struct durable_part {
    struct aldis__part part;
    aldis_store *store;
    uint32_t endpoint;
    bool save_failed; /* the next save is a whole one */
};

static void on_end(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__part *part)
{
    struct durable_part *durable = (struct durable_part *)(void *)part;
    (void)worker;
    if (durable->store)
        aldis__store_vacate(durable->store, durable->endpoint, cell->id);
    durable->store = NULL;
}

/* Without an end before: the system is destroyed. */
static void fini(struct aldis__part *part)
{
    struct durable_part *durable = (struct durable_part *)(void *)part;
    if (durable->store)
        aldis__store_detach(durable->store, durable->endpoint);
}

/* It lives as long as its actor; at a restart in place nothing in it changes. */
static const struct aldis__part_class durable_class = {.name = "aldis.delivery.durable",
                                                       .size = sizeof(struct durable_part),
                                                       .on_end = on_end,
                                                       .fini = fini};

/* NULL: it is no endpoint. */
static struct durable_part *part_of(const struct aldis__cell *cell)
{
    struct durable_part *part = (struct durable_part *)(void *)aldis__part_of(cell, &durable_class);
    return part && part->store ? part : NULL;
}

uint32_t aldis__durable_endpoint(const struct aldis__cell *cell)
{
    const struct durable_part *durable = part_of(cell);
    return durable ? durable->endpoint : 0;
}

static uint32_t endpoint_of(const struct aldis__pending *pending)
{
    return aldis__endpoint_number(pending->to);
}

aldis_id aldis__durable_receiver(const struct aldis__cell *cell,
                                 const struct aldis__pending *pending)
{
    const struct durable_part *durable = part_of(cell);
    return durable ? aldis__store_actor(durable->store, endpoint_of(pending)) : aldis_nobody();
}

/* ------------------------------------------------------------------ sending */

/* The type of a frame, among those that the receiver handles. */
static aldis_type *type_of(const struct aldis__kind *kind, uint32_t number)
{
    const aldis_behaviour *behaviour = kind->behaviour;
    for (size_t i = 0; i < behaviour->handler_count; i++) {
        aldis_type *type = behaviour->handlers[i].type;
        if (type->codec && aldis_type_number(type) == number)
            return type;
    }
    return NULL;
}

aldis_err aldis__durable_transmit(aldis_ctx *ctx, struct aldis__pending *pending,
                                  const struct aldis__track *track)
{
    const uint8_t *frame = aldis__pending_payload(pending);
    aldis_id to = aldis__durable_receiver(ctx->cell, pending);
    uint64_t word = 0;
    uint32_t number = 0;
    size_t size = 0;
    if (aldis_id_is_nobody(to) ||
        aldis__send_check_place(ctx->system, to, ALDIS__TYPE_TRACK, &word) != ALDIS_OK)
        return ALDIS_ENOTFOUND;
    aldis_err err = aldis_wire_peek(frame, pending->size, &number, &size);
    aldis_type *type = NULL;
    if (err == ALDIS_OK)
        type = type_of(aldis__system_kind(ctx->system, aldis__word_kind(word)), number);
    if (!type)
        return err == ALDIS_OK ? ALDIS_EUNACCEPTED : err;
    void *payload = calloc(1, type->size);
    if (!payload)
        return ALDIS_ENOMEM;
    pending->type = type;
    err = aldis_wire_decode(type, frame, pending->size, payload, type->size, NULL);
    struct aldis__parcel parcel = {.to = to, .type = type, .payload = payload, .size = type->size};
    if (err == ALDIS_OK)
        err = aldis__send_tracked(ctx, &parcel, track);
    free(payload);
    return err;
}

void aldis__durable_confirmed(const struct aldis__cell *cell, const struct aldis__pending *pending)
{
    const struct durable_part *durable = part_of(cell);
    struct aldis__change *change = aldis__change_new(ALDIS__CHANGE_CONFIRM, 0);
    if (!change)
        return; /* it is sent once more in the next process, and filtered out there */
    change->sender = durable->endpoint;
    change->receiver = endpoint_of(pending);
    change->number = pending->number;
    (void)aldis__store_put(durable->store, change);
}

static void fill(aldis_ctx *ctx, struct aldis__pending *pending, aldis_type *type, uint64_t context)
{
    pending->type = type;
    pending->sent_ns = ctx->now_ns + ctx->busy_ns;
    pending->due_ns = 0;
    pending->deadline_ns = ALDIS_FOREVER;
    pending->wait_ns = FIRST_WAIT_MS * ALDIS_MS;
    pending->wait_max_ns = LONGEST_WAIT_MS * ALDIS_MS;
    pending->context = context;
    pending->attempts = 0;
    pending->max_retries = UINT32_MAX;
    pending->jitter_permille = JITTER_PERMILLE;
    pending->result = ALDIS_OK;
    pending->grade = ALDIS_EFFECT_ONCE;
    pending->lane = ALDIS_LANE_NORMAL;
    pending->ordered = true;
    pending->durable = true;
    pending->committed = false;
}

static aldis_err refuse(aldis_err err, const aldis_ctx *ctx, const aldis_type *type,
                        const char *why)
{
    return aldis__error_set(err, ctx->cell->id, type ? type->name : "", "send_durable: %s", why);
}

static bool is_good_name(const char *name)
{
    return name && *name && strlen(name) <= ALDIS_DURABLE_NAME_MAX;
}

static aldis_err check_send(aldis_ctx *ctx, const char *to, const aldis_type *type,
                            const void *payload)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("send_durable");
    if (!is_good_name(to))
        return refuse(ALDIS_EINVAL, ctx, type, "the name has no bytes, or more than 63");
    if (!type || !type->codec || !payload)
        return refuse(ALDIS_EINVAL, ctx, type,
                      type && payload ? "the type has no codec" : "type or payload is NULL");
    if (!part_of(ctx->cell))
        return refuse(ALDIS_ESTATE, ctx, type, "the actor has opened no store");
    if (!ctx->cell->kind->delivered || !ctx->cell->kind->accepted)
        return refuse(ALDIS_EUNACCEPTED, ctx, type,
                      "the sender does not list aldis_accepted and aldis_delivered");
    return ALDIS_OK;
}

/* The change that puts the message into the outbox, its frame inside. */
static aldis_err encode(const aldis_ctx *ctx, const aldis_type *type, const void *payload,
                        struct aldis__change **out_change)
{
    aldis_wire_report report;
    size_t max = ALDIS_WIRE_HEADER_BYTES + type->codec->encoded_max, size = 0;
    struct aldis__change *change = aldis__change_new(ALDIS__CHANGE_ACCEPT, max);
    if (!change)
        return refuse(ALDIS_ENOMEM, ctx, type, "no memory");
    aldis_err err = aldis_wire_encode(type, payload, change->bytes, max, &size, &report);
    if (err != ALDIS_OK) {
        free(change);
        return aldis__error_set(err, ctx->cell->id, type->name, "send_durable: %s: %s",
                                report.field, report.text);
    }
    change->size = size;
    *out_change = change;
    return ALDIS_OK;
}

aldis_err aldis_send_durable_raw(aldis_ctx *ctx, const char *to, aldis_type *type,
                                 const void *payload, uint64_t context, aldis_message_id *out_id)
{
    struct aldis__change *change = NULL;
    uint32_t slot = ALDIS__PENDING_NONE;
    aldis_err err = check_send(ctx, to, type, payload);
    if (err == ALDIS_OK)
        err = encode(ctx, type, payload, &change);
    if (err != ALDIS_OK)
        return err;
    const struct durable_part *durable = part_of(ctx->cell);
    struct aldis__sender *sender = aldis__sender_make(ctx->cell);
    uint32_t receiver = sender ? aldis__store_endpoint(durable->store, to) : 0;
    err = receiver
              ? aldis__sender_take(sender, aldis__endpoint_id(receiver), false, change->size, &slot)
              : refuse(ALDIS_ENOMEM, ctx, type, "no memory");
    if (err != ALDIS_OK) {
        free(change);
        return err;
    }
    struct aldis__pending *pending = aldis__sender_at(sender, slot);
    fill(ctx, pending, type, context);
    memcpy((void *)(uintptr_t)aldis__pending_payload(pending), change->bytes, change->size);
    change->sender = durable->endpoint;
    change->receiver = receiver;
    change->number = pending->number;
    change->context = context;
    change->system = ctx->system;
    change->actor = ctx->cell->id;
    change->bits = slot;
    err = aldis__store_put(durable->store, change);
    if (err != ALDIS_OK) {
        free(change);
        aldis__sender_release(sender, slot, true);
        return err;
    }
    sender->stats.sent++;
    if (!ctx->system->virtual_time)
        aldis__reliable_hold(ctx, sender, slot);
    if (out_id)
        *out_id = (aldis_message_id){ctx->cell->id, aldis_nobody(), pending->number};
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ committed */

static aldis_err tell_accepted(struct aldis__worker *worker, struct aldis__cell *cell,
                               struct aldis__msg *msg, struct aldis__track *track)
{
    (void)track;
    return cell->kind->accepted(cell->state, aldis__msg_body(msg), &worker->ctx);
}

static const struct aldis__tracker accepted_tracker = {
    .name = "aldis.delivery.accepted", .reserved = true, .handle = tell_accepted};

static void on_accepted(aldis_ctx *ctx, const struct aldis__committed *committed)
{
    struct aldis__sender *sender = aldis__sender_of(ctx->cell);
    uint32_t slot = (uint32_t)committed->bits;
    struct aldis__pending *pending = aldis__sender_find(sender, slot, committed->number);
    aldis_id to = aldis__endpoint_id(committed->receiver);
    if (!pending || !pending->durable || pending->committed || !aldis_id_equal(pending->to, to))
        return;
    struct aldis__track track = {&accepted_tracker, ALDIS_FOREVER, 0, 0};
    aldis_accepted told = {.id = {ctx->cell->id, aldis_nobody(), committed->number},
                           .context = committed->context,
                           .result = committed->result};
    struct aldis__parcel parcel = {
        .to = ctx->cell->id, .type = &aldis_accepted_type, .payload = &told, .size = sizeof told};
    (void)aldis__send_tracked(ctx, &parcel, &track);
    if (committed->result != ALDIS_OK) {
        aldis__sender_release(sender, slot, false);
        return;
    }
    pending->committed = true;
    aldis__reliable_launch(ctx, sender, slot);
}

static void on_saved(aldis_ctx *ctx, const struct aldis__committed *committed)
{
    struct aldis__receiver *receiver = aldis__receiver_of(ctx->cell);
    struct aldis__filter *filter =
        receiver ? aldis__filter_of(receiver, aldis__endpoint_id(committed->sender)) : NULL;
    struct durable_part *durable = part_of(ctx->cell);
    if (!durable)
        return;
    if (committed->result != ALDIS_OK)
        durable->save_failed = true; /* not acknowledged: it comes again */
    else if (committed->whole)
        durable->save_failed = false;
    if (!filter || committed->result != ALDIS_OK)
        return;
    if (committed->number > filter->committed)
        filter->committed = committed->number;
    aldis__reliable_ack(ctx, committed->peer, committed->number, committed->bits);
}

static aldis_err on_committed(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    struct aldis__committed committed;
    (void)cell;
    (void)track;
    memcpy(&committed, aldis__msg_payload(msg, NULL), sizeof committed);
    if (committed.kind == ALDIS__CHANGE_ACCEPT)
        on_accepted(&worker->ctx, &committed);
    else
        on_saved(&worker->ctx, &committed);
    return ALDIS_OK;
}

static const struct aldis__tracker committed_tracker = {
    .name = "aldis.delivery.committed", .steadfast = true, .handle = on_committed};
_Static_assert(sizeof(struct aldis__committed) <= ALDIS__POST_BYTES_MAX, "it is posted");

void aldis__durable_committed(const struct aldis__change *change, aldis_err result)
{
    struct aldis__track track = {&committed_tracker, ALDIS_FOREVER, 0, 0};
    struct aldis__committed committed = {.number = change->number,
                                         .context = change->context,
                                         .bits = change->bits,
                                         .peer = change->peer,
                                         .sender = change->sender,
                                         .receiver = change->receiver,
                                         .kind = (uint16_t)change->kind,
                                         .result = (uint16_t)result,
                                         .whole = change->whole};
    if (change->system->virtual_time)
        aldis__post_tracked(aldis__this_worker, change->actor, change->actor, &track, &committed,
                            sizeof committed);
    else /* a system that has stopped needs to be told nothing */
        (void)aldis__outside_post_tracked(change->system, change->actor, &track, &committed,
                                          sizeof committed);
}

/* ------------------------------------------------------------------ receiving */

bool aldis__delivery_acks_first;

/* A save that names the message, or all that is done and not known to be committed. */
static struct aldis__change *new_save(struct aldis__cell *cell, const struct durable_part *durable,
                                      const struct aldis__track *track)
{
    const struct aldis__receiver *receiver = aldis__receiver_of(cell);
    uint32_t done_max = durable->save_failed ? receiver->filter_count : 1;
    size_t size = cell->kind->behaviour->durable.size;
    struct aldis__change *change =
        aldis__change_new(ALDIS__CHANGE_SAVE, size + done_max * sizeof(struct aldis__done));
    if (!change)
        return NULL;
    change->size = size;
    change->whole = durable->save_failed;
    if (size)
        memcpy(change->bytes, cell->ext->saved, size);
    struct aldis__done *done = aldis__change_done(change);
    if (!change->whole)
        done[change->done_count++] =
            (struct aldis__done){track->a, (uint32_t)(track->b >> ALDIS__ENDPOINT_SHIFT), 0};
    for (uint32_t i = 0; change->whole && i < receiver->filter_size; i++) {
        const struct aldis__filter *filter = &receiver->filters[i];
        if (aldis__is_endpoint(filter->sender) && filter->done > filter->committed)
            done[change->done_count++] =
                (struct aldis__done){filter->done, aldis__endpoint_number(filter->sender), 0};
    }
    return change;
}

bool aldis__durable_save_effect(struct aldis__worker *worker, struct aldis__cell *cell,
                                aldis_id sender, const struct aldis__track *track)
{
    struct durable_part *durable = part_of(cell);
    if (!durable)
        return false;
    if (aldis__unlikely(aldis__delivery_acks_first)) {
        aldis__reliable_ack(&worker->ctx, sender, track->a, track->b);
        if (track->a % 8)
            return true;
    }
    struct aldis__change *change = new_save(cell, durable, track);
    if (!change) {
        durable->save_failed = true;
        return false;
    }
    change->sender = (uint32_t)(track->b >> ALDIS__ENDPOINT_SHIFT);
    change->receiver = durable->endpoint;
    change->number = track->a;
    change->system = worker->ctx.system;
    change->actor = cell->id;
    change->peer = sender;
    change->bits = track->b;
    (void)aldis__store_put(durable->store, change); /* only what is to be accepted is refused */
    return true;
}

/* ------------------------------------------------------------------ opening */

struct opening {
    aldis_ctx *ctx;
    struct aldis__sender *sender;
    struct aldis__receiver *receiver;
    bool restored;
};

static aldis_err open_state(void *arg, const void *bytes, size_t size)
{
    struct opening *opening = arg;
    struct aldis__cell *cell = opening->ctx->cell;
    const aldis_durable *durable = &cell->kind->behaviour->durable;
    if (size != durable->size)
        return aldis__error_set(ALDIS_ECODEC, cell->id, "",
                                "durable_open: the saved state has %zu bytes, that of %s %zu", size,
                                cell->kind->behaviour->name, durable->size);
    memcpy((char *)cell->state + durable->offset, bytes, size);
    opening->restored = true;
    return aldis__durable_save(cell) ? ALDIS_OK : ALDIS_ENOMEM;
}

static aldis_err open_done(void *arg, uint32_t sender, uint64_t number)
{
    struct opening *opening = arg;
    struct aldis__filter *filter = aldis__filter_of(opening->receiver, aldis__endpoint_id(sender));
    if (!filter)
        return ALDIS_ENOMEM;
    filter->done = filter->committed = number;
    return ALDIS_OK;
}

static aldis_err open_next(void *arg, uint32_t receiver, uint64_t number)
{
    struct opening *opening = arg;
    return aldis__sender_set_next(opening->sender, aldis__endpoint_id(receiver), number)
               ? ALDIS_OK
               : ALDIS_ENOMEM;
}

static aldis_err open_pending(void *arg, uint32_t receiver, uint64_t number, uint64_t context,
                              const void *frame, size_t size)
{
    struct opening *opening = arg;
    uint32_t slot;
    if (!opening->ctx->cell->kind->delivered)
        return aldis__error_set(ALDIS_EUNACCEPTED, opening->ctx->cell->id, "",
                                "durable_open: messages are pending, and %s does not list "
                                "aldis_delivered",
                                opening->ctx->cell->kind->behaviour->name);
    aldis_err err =
        aldis__sender_take_back(opening->sender, aldis__endpoint_id(receiver), number, size, &slot);
    if (err != ALDIS_OK)
        return err;
    struct aldis__pending *pending = aldis__sender_at(opening->sender, slot);
    fill(opening->ctx, pending, NULL, context); /* its type is known when its receiver is */
    pending->committed = true;
    memcpy((void *)(uintptr_t)aldis__pending_payload(pending), frame, size);
    aldis__reliable_launch(opening->ctx, opening->sender, slot);
    return ALDIS_OK;
}

static aldis_err read_all(aldis_ctx *ctx, aldis_store *store, uint32_t endpoint, bool *out_restored)
{
    struct opening opening = {ctx, aldis__sender_make(ctx->cell), aldis__receiver_make(ctx->cell),
                              false};
    struct aldis__store_reader reader = {&opening, open_state, open_done, open_next, open_pending};
    if (!opening.sender || !opening.receiver)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "durable_open");
    opening.sender->keeps = true;
    aldis_err err = aldis__store_read(store, endpoint, &reader);
    *out_restored = opening.restored;
    return err;
}

/* What could not be read leaves nothing behind: it is not sent, and nothing is saved over it. */
static void close_again(aldis_ctx *ctx, struct durable_part *part)
{
    struct aldis__sender *sender = aldis__sender_of(ctx->cell);
    for (uint32_t i = 0; sender && i < sender->stream_count; i++)
        while (aldis__is_endpoint(sender->streams[i].to) && sender->streams[i].count) {
            aldis__sender_release(sender, sender->streams[i].first, false);
            aldis__sender_unwait(sender);
        }
    aldis__store_vacate(part->store, part->endpoint, ctx->cell->id);
    part->store = NULL;
}

/* Again, after a restart in place: all that was read is here, and newer than what the file has. */
static aldis_err open_again(aldis_ctx *ctx, const struct durable_part *part, aldis_store *store,
                            uint32_t endpoint, bool *out_restored)
{
    if (part->store != store || part->endpoint != endpoint)
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "",
                                "durable_open: this actor has a name in a store already");
    if (out_restored)
        *out_restored = ctx->cell->ext->saved != NULL;
    return ALDIS_OK;
}

aldis_err aldis_durable_open(aldis_ctx *ctx, aldis_store *store, const char *name,
                             bool *out_restored)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign("durable_open");
    if (!store || !is_good_name(name))
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "durable_open: %s",
                                store ? "the name has no bytes, or more than 63" : "store is NULL");
    uint32_t endpoint = aldis__store_endpoint(store, name);
    if (!endpoint)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "durable_open");
    struct durable_part *part = part_of(ctx->cell);
    if (part)
        return open_again(ctx, part, store, endpoint, out_restored);
    part = (struct durable_part *)(void *)aldis__part_make(ctx->cell, &durable_class);
    if (!part)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "durable_open");
    aldis_err err = aldis__store_occupy(store, endpoint, ctx->system, ctx->cell->id);
    if (err != ALDIS_OK)
        return err;
    part->store = store;
    part->endpoint = endpoint;
    bool restored = false;
    err = read_all(ctx, store, endpoint, &restored);
    if (err != ALDIS_OK)
        close_again(ctx, part);
    else if (out_restored)
        *out_restored = restored;
    return err;
}
