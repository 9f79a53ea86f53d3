// SPDX-License-Identifier: Apache-2.0
/* answer.c: the other side of a request: reply, forward, promise, and what happens when the handler
 * does none of it. Layer: messaging. */
#include "base/error.h"
#include "core/send.h"
#include "core/system.h"
#include "messaging/ask.h"
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ which type answers which */

/* By the index of the request. Relaxed throughout: set once, before the first request of its type
 * is sent, which orders it for whoever gets the request. */
static _Atomic(uint32_t) reply_types[ALDIS__TYPES_MAX];

aldis_err aldis__request_resolve(const aldis_request *request)
{
    uint32_t type = aldis__type_index(request->type);
    uint32_t reply = type ? aldis__type_index(request->reply) : 0;
    if (!reply)
        return aldis_error_last()->err;
    /* Relaxed: see above. */
    uint32_t known = aldis__load_relaxed(&reply_types[type]);
    if (aldis__likely(known == reply))
        return ALDIS_OK;
    if (!known) { /* two that come first with two replies: the later look finds it */
        aldis__store_relaxed(&reply_types[type], reply);
        return ALDIS_OK;
    }
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), request->type->name,
                            "request %s is answered by %s here and by %s elsewhere",
                            request->type->name, request->reply->name,
                            aldis__type_info(known)->name);
}

uint32_t aldis__reply_type_of(uint32_t type)
{
    /* Relaxed: see above. */
    return aldis__load_relaxed(&reply_types[type]);
}

/* ------------------------------------------------------------------ one answer */

/* Where an answer goes, and what it must be. */
struct destination {
    aldis_id asker; /* nobody: an outside thread */
    uint64_t ask;
    uint32_t reply_type;
    unsigned rank;
};

/* The reply is handled by a thread that waits for it; if it does not wait any more, it is a dead
 * letter. */
static aldis_err reply_outside(aldis_ctx *ctx, const struct destination *d, uint32_t index,
                               const struct aldis__parcel *parcel)
{
    static const struct aldis__tracker untold = {.name = "outside reply"};
    struct aldis__worker *worker = aldis__worker_of(ctx);
    worker->counts[index].sent++;
    if (aldis__call_complete(d->ask, ALDIS_OK, parcel->payload, parcel->size)) {
        worker->counts[index].handled++;
        return ALDIS_OK;
    }
    const struct aldis__track track = {&untold, ALDIS_FOREVER, 0, 0};
    struct aldis__msg *msg = aldis__parcel_build(worker->pool, parcel, index, &track);
    if (msg) {
        msg->from = ctx->cell->id;
        msg->pool_stamp = worker->pool_stamp;
        aldis__refuse(worker, msg, ALDIS__DEAD, ALDIS_ENORECEIVER);
    } else {
        worker->counts[index].dead++;
    }
    return aldis__error_set(ALDIS_ESTALE, aldis_nobody(), parcel->type->name,
                            "reply: %s: the caller does not wait any more", parcel->type->name);
}

static aldis_err reply_to(aldis_ctx *ctx, const struct destination *d,
                          const struct aldis__parcel *given)
{
    uint32_t index = 0;
    aldis_err err = aldis__parcel_check(given, &index);
    if (err != ALDIS_OK)
        return err;
    if (index != d->reply_type)
        return aldis__error_set(ALDIS_EUNACCEPTED, d->asker, given->type->name,
                                "reply: the request is answered by %s, not by %s",
                                d->reply_type ? aldis__type_info(d->reply_type)->name : "nothing",
                                given->type->name);
    struct aldis__parcel parcel = *given;
    parcel.to = d->asker;
    if (aldis_id_is_nobody(d->asker))
        return reply_outside(ctx, d, index, &parcel);
    const aldis_send_opts opts = {.lane = aldis__rank_lane(d->rank)};
    if (d->rank != ALDIS__RANK_NORMAL)
        parcel.opts = &opts;
    const struct aldis__track track = {&aldis__ask_reply, ALDIS_FOREVER, 0, d->ask};
    return aldis__send_tracked(ctx, &parcel, &track);
}

static void fail_to(struct aldis__worker *worker, aldis_id from, aldis_id asker, uint64_t ask,
                    aldis_err err)
{
    if (aldis_id_is_nobody(asker)) {
        (void)aldis__call_complete(ask, err, NULL, 0);
        return;
    }
    const struct aldis__track track = {&aldis__ask_failure, ALDIS_FOREVER, (uint64_t)err, ask};
    aldis__post_tracked(worker, from, asker, &track, NULL, 0);
}

void aldis__ask_fail(struct aldis__worker *worker, aldis_id from, const struct aldis__track *track,
                     aldis_err err)
{
    fail_to(worker, from, (aldis_id){track->a}, track->b, err);
}

/* ------------------------------------------------------------------ the request's tracker */

aldis_err aldis__reply_twice(aldis_ctx *ctx, struct aldis__track *track, aldis_type *type,
                             const void *payload, size_t size)
{
    (void)track, (void)payload, (void)size;
    return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, type ? type->name : "",
                            "reply: this request was answered, forwarded or promised already");
}

/* A request that its handler has seen to: nothing more is owed. */
static const struct aldis__tracker seen_to = {.name = "answered request",
                                              .reply = aldis__reply_twice};

static struct destination destination_of(const aldis_ctx *ctx, const struct aldis__track *track)
{
    return (struct destination){
        {track->a}, track->b, aldis__reply_type_of(ctx->msg->type), aldis__msg_rank(ctx->msg)};
}

aldis_err aldis__request_reply(aldis_ctx *ctx, struct aldis__track *track, aldis_type *type,
                               const void *payload, size_t size)
{
    const struct destination d = destination_of(ctx, track);
    const struct aldis__parcel parcel = {.type = type, .payload = payload, .size = size};
    aldis_err err = reply_to(ctx, &d, &parcel);
    if (err == ALDIS_OK || err == ALDIS_ESTALE)
        track->tracker = track->tracker->seen_to;
    return err;
}

void aldis__request_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    (void)msg;
    aldis__ask_fail(worker, cell->id, track, err == ALDIS_OK ? ALDIS_ENOREPLY : ALDIS_EHANDLER);
}

static void request_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                          struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    /* Expired: the asker's own alarm, or the caller's patience, is for the same moment. A link that
     * has lost it tells nobody. */
    if (worker && fate != ALDIS__EXPIRED && reason != ALDIS_ECOMM)
        aldis__ask_fail(worker, msg->to, track, reason);
}

const struct aldis__tracker aldis__ask_request = {.name = "request",
                                                  .request = true,
                                                  .seen_to = &seen_to,
                                                  .handled = aldis__request_handled,
                                                  .ended = request_ended,
                                                  .reply = aldis__request_reply};

/* ------------------------------------------------------------------ other answers */

/* The request that the running handler still has to answer. */
static aldis_err open_request(aldis_ctx *ctx, const char *call)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "%s: the context belongs to another handler or thread", call);
    if (ctx->track && ctx->track->tracker->request)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "", "%s: %s", call,
                            ctx->track && ctx->track->tracker->reply == aldis__reply_twice
                                ? "this request was answered, forwarded or promised already"
                                : "no request is being handled");
}

static aldis_err refuse_ok(aldis_ctx *ctx, const char *call)
{
    return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "%s: the reason is ALDIS_OK", call);
}

aldis_err aldis_reply_error(aldis_ctx *ctx, aldis_err reason)
{
    aldis_err err = open_request(ctx, "reply_error");
    if (err != ALDIS_OK)
        return err;
    if (reason == ALDIS_OK)
        return refuse_ok(ctx, "reply_error");
    aldis__ask_fail(aldis__worker_of(ctx), ctx->cell->id, ctx->track, reason);
    ctx->track->tracker = ctx->track->tracker->seen_to;
    return ALDIS_OK;
}

aldis_err aldis_forward(aldis_ctx *ctx, aldis_id to)
{
    aldis_err err = open_request(ctx, "forward");
    if (err != ALDIS_OK)
        return err;
    aldis_type type;
    struct aldis__parcel parcel;
    const aldis_send_opts opts = {.lane = aldis__rank_lane(aldis__msg_rank(ctx->msg))};
    aldis__parcel_of(ctx->msg, &type, &parcel);
    parcel.to = to;
    parcel.opts = &opts;
    struct aldis__track track = *ctx->track;
    track.tracker = &aldis__ask_request; /* whoever brought it here has done its part */
    err = aldis__send_tracked(ctx, &parcel, &track);
    if (err == ALDIS_OK)
        ctx->track->tracker = ctx->track->tracker->seen_to;
    return err;
}

aldis_id aldis_asker(const aldis_ctx *ctx)
{
    bool is_request =
        ctx && ctx->track &&
        (ctx->track->tracker->request || ctx->track->tracker->reply == aldis__reply_twice);
    return is_request ? (aldis_id){ctx->track->a} : aldis_nobody();
}

/* ------------------------------------------------------------------ promises */

static bool grow_owed(struct aldis__asks *asks)
{
    uint32_t capacity = asks->owed_capacity ? 2 * asks->owed_capacity : 4;
    struct aldis__owed *grown = realloc(asks->owed, capacity * sizeof *grown);
    if (!grown)
        return false;
    asks->owed = grown;
    for (uint32_t i = capacity; i-- > asks->owed_capacity;) {
        memset(&grown[i], 0, sizeof grown[i]);
        grown[i].serial = UINT64_C(1) << ALDIS__ASK_INDEX_BITS | i;
        grown[i].next = asks->owed_free;
        asks->owed_free = i + 1;
    }
    asks->owed_capacity = capacity;
    return true;
}

aldis_err aldis_promise_take(aldis_ctx *ctx, aldis_promise *out_promise)
{
    aldis_err err = open_request(ctx, "promise");
    if (err != ALDIS_OK)
        return err;
    if (!out_promise)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "", "promise: out_promise is NULL");
    struct aldis__asks *asks = aldis__asks_make(ctx->cell);
    if (asks && asks->owed_count >= ctx->system->opts.asks_max)
        return aldis__error_set(ALDIS_EAGAIN, ctx->cell->id, "",
                                "promise: the actor owes %u answers (option asks_max)",
                                asks->owed_count);
    if (!asks || (!asks->owed_free && !grow_owed(asks)) || !asks->owed)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "promise");
    struct aldis__owed *owed = &asks->owed[asks->owed_free - 1];
    const struct destination d = destination_of(ctx, ctx->track);
    asks->owed_free = owed->next;
    asks->owed_count++;
    owed->used = true;
    owed->asker = d.asker;
    owed->ask = d.ask;
    owed->reply_type = (uint16_t)d.reply_type;
    owed->rank = (uint8_t)d.rank;
    ctx->track->tracker = ctx->track->tracker->seen_to;
    out_promise->bits = owed->serial;
    return ALDIS_OK;
}

/* NULL: the error is set. */
static struct aldis__owed *find_owed(aldis_ctx *ctx, aldis_promise promise)
{
    if (!aldis__ctx_is_mine(ctx)) {
        aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                         "promise: the context belongs to another handler or thread");
        return NULL;
    }
    const struct aldis__asks *asks = aldis__asks_of(ctx->cell);
    uint32_t index = (uint32_t)(promise.bits & ALDIS__ASK_INDEX_MASK);
    if (asks && index < asks->owed_capacity && asks->owed[index].used &&
        asks->owed[index].serial == promise.bits)
        return &asks->owed[index];
    aldis__error_set(ALDIS_ENOTFOUND, ctx->cell->id, "",
                     "promise: it was kept already, or is not this actor's");
    return NULL;
}

static void close_owed(struct aldis__asks *asks, struct aldis__owed *owed)
{
    if (!asks)
        return;
    owed->used = false;
    owed->next = asks->owed_free;
    asks->owed_free = (uint32_t)(owed->serial & ALDIS__ASK_INDEX_MASK) + 1;
    owed->serial += UINT64_C(1) << ALDIS__ASK_INDEX_BITS;
    asks->owed_count--;
}

aldis_err aldis_promise_reply_raw(aldis_ctx *ctx, aldis_promise promise, aldis_type *type,
                                  const void *payload, size_t size)
{
    struct aldis__owed *owed = find_owed(ctx, promise);
    if (!owed)
        return aldis_error_last()->err;
    const struct destination d = {owed->asker, owed->ask, owed->reply_type, owed->rank};
    const struct aldis__parcel parcel = {.type = type, .payload = payload, .size = size};
    aldis_err err = reply_to(ctx, &d, &parcel);
    if (err == ALDIS_OK || err == ALDIS_ESTALE)
        close_owed(aldis__asks_of(ctx->cell), owed);
    return err;
}

aldis_err aldis_promise_error(aldis_ctx *ctx, aldis_promise promise, aldis_err reason)
{
    struct aldis__owed *owed = find_owed(ctx, promise);
    if (!owed)
        return aldis_error_last()->err;
    if (reason == ALDIS_OK)
        return refuse_ok(ctx, "promise");
    fail_to(aldis__worker_of(ctx), ctx->cell->id, owed->asker, owed->ask, reason);
    close_owed(aldis__asks_of(ctx->cell), owed);
    return ALDIS_OK;
}

void aldis__owed_fail(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__asks *asks)
{
    for (uint32_t i = 0; i < asks->owed_capacity; i++) {
        struct aldis__owed *owed = &asks->owed[i];
        if (!owed->used)
            continue;
        fail_to(worker, cell->id, owed->asker, owed->ask, ALDIS_ENORECEIVER);
        close_owed(asks, owed);
    }
}
