// SPDX-License-Identifier: Apache-2.0
/* ask.c: the asker's side of a request: its table, its time-outs, its answers. Layer: messaging.
 *
 * Everything here belongs to the actor that asks and runs on the worker of its shard. Nothing is
 * allocated for an ask once the table has grown to what the actor needs. */
#include "messaging/ask.h"

#include "base/check.h"
#include "base/error.h"
#include "core/send.h"
#include "core/system.h"
#include "core/turn.h"
#include "core/virtual.h"
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the table */

static void close_ask(struct aldis__asks *asks, struct aldis__ask *ask);

static void asks_end(struct aldis__worker *worker, struct aldis__cell *cell,
                     struct aldis__part *part)
{
    aldis__owed_fail(worker, cell, (struct aldis__asks *)(void *)part);
}

/* Its new state has asked nothing, and promised nothing: late answers will find no entry. */
static void asks_restart(struct aldis__worker *worker, struct aldis__cell *cell,
                         struct aldis__part *part)
{
    struct aldis__asks *asks = (struct aldis__asks *)(void *)part;
    aldis__owed_fail(worker, cell, asks);
    for (uint32_t i = 0; i < asks->capacity; i++)
        if (asks->asks[i].used)
            close_ask(asks, &asks->asks[i]);
    aldis__alarm_forget(worker, &asks->alarm);
}

static void asks_fini(struct aldis__part *part)
{
    struct aldis__asks *asks = (struct aldis__asks *)(void *)part;
    free(asks->asks);
    free(asks->owed);
}

static const struct aldis__part_class asks_class = {"asks", sizeof(struct aldis__asks), asks_end,
                                                    asks_restart, asks_fini};

struct aldis__asks *aldis__asks_of(const struct aldis__cell *cell)
{
    return (struct aldis__asks *)(void *)aldis__part_of(cell, &asks_class);
}

struct aldis__asks *aldis__asks_make(struct aldis__cell *cell)
{
    return (struct aldis__asks *)(void *)aldis__part_make(cell, &asks_class);
}

static struct aldis__due_links links_of(const struct aldis__asks *asks)
{
    return (struct aldis__due_links){(char *)asks->asks, sizeof *asks->asks};
}

static bool grow(struct aldis__asks *asks)
{
    uint32_t capacity = asks->capacity ? 2 * asks->capacity : 4;
    struct aldis__ask *grown = realloc(asks->asks, capacity * sizeof *grown);
    if (!grown)
        return false;
    asks->asks = grown;
    for (uint32_t i = capacity; i-- > asks->capacity;) {
        memset(&grown[i], 0, sizeof grown[i]);
        grown[i].serial = UINT64_C(1) << ALDIS__ASK_INDEX_BITS | i;
        grown[i].link.next = asks->free;
        asks->free = i + 1;
    }
    asks->capacity = capacity;
    return true;
}

static inline struct aldis__ask *find(struct aldis__asks *asks, uint64_t serial)
{
    uint32_t index = (uint32_t)(serial & ALDIS__ASK_INDEX_MASK);
    if (!asks || index >= asks->capacity)
        return NULL;
    struct aldis__ask *ask = &asks->asks[index];
    return ask->used && ask->serial == serial ? ask : NULL;
}

/* The entry may be used again at once: whoever still needs it has copied it. */
static void close_ask(struct aldis__asks *asks, struct aldis__ask *ask)
{
    uint32_t index = (uint32_t)(ask->serial & ALDIS__ASK_INDEX_MASK);
    if (ask->link.bucket != ALDIS__DUE_NONE) {
        struct aldis__due_links links = links_of(asks);
        aldis__due_remove(&asks->due, &links, index);
    }
    ask->used = false;
    ask->serial += UINT64_C(1) << ALDIS__ASK_INDEX_BITS;
    ask->link.next = asks->free;
    asks->free = index + 1;
    asks->count--;
}

/* ------------------------------------------------------------------ answers */

/* Tell the actor, once: the entry of this index is open. Its context is entered. */
static inline aldis_err answer(struct aldis__worker *worker, struct aldis__asks *asks,
                               uint64_t index, aldis_err err, aldis_id from, const void *reply)
{
    struct aldis__ask *ask = &asks->asks[index];
    const aldis_on_reply *on_reply = ask->on_reply;
    aldis_ctx *ctx = &worker->ctx;
    const aldis_answer told = {err, 0, aldis_id_is_nobody(from) ? ask->to : from, ask->context};
    /* What the handler asks now, it asks for whoever it has asked for before. */
    ctx->track->deadline_ns = ask->parent_ns;
    close_ask(asks, ask);
    return on_reply->handle(ctx->cell->state, &told, reply, ctx);
}

/* No timer is to keep a system awake in which nothing is asked any more. */
static void rest(struct aldis__worker *worker, struct aldis__asks *asks)
{
    if (!asks->due.used && asks->alarm.due_ns)
        aldis__alarm_clear(worker, &asks->alarm);
}

/* The entry of this serial is open: reply_admit() has found it. */
static aldis_err close_with(struct aldis__worker *worker, struct aldis__cell *cell, uint64_t serial,
                            aldis_err reason, aldis_id from, const void *reply)
{
    struct aldis__asks *asks = aldis__asks_of(cell);
    ALDIS_CHECK(asks != NULL);
    aldis_err err = answer(worker, asks, serial & ALDIS__ASK_INDEX_MASK, reason, from, reply);
    rest(worker, asks);
    return err;
}

static enum aldis__admission reply_admit(struct aldis__worker *worker, struct aldis__cell *cell,
                                         struct aldis__msg *msg, struct aldis__track *track)
{
    (void)worker, (void)msg;
    return find(aldis__asks_of(cell), track->b) ? ALDIS__ADMIT_HANDLE : ALDIS__ADMIT_EXPIRE;
}

static aldis_err reply_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    return close_with(worker, cell, track->b, ALDIS_OK, msg->from, aldis__msg_payload(msg, NULL));
}

const struct aldis__tracker aldis__ask_reply = {
    .name = "reply", .reserved = true, .admit = reply_admit, .handle = reply_handle};

/* A reason came in the reply's place: a is the error. */
static aldis_err failure_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                                struct aldis__msg *msg, struct aldis__track *track)
{
    return close_with(worker, cell, track->b, (aldis_err)track->a, msg->from, NULL);
}

const struct aldis__tracker aldis__ask_failure = {
    .name = "failure", .admit = reply_admit, .handle = failure_handle};

/* ------------------------------------------------------------------ time-outs */

static aldis_err alarm_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track);

static const struct aldis__tracker alarm_tracker = {.name = "time-out", .handle = alarm_handle};

static aldis_err alarm_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                              struct aldis__msg *msg, struct aldis__track *track)
{
    (void)msg;
    struct aldis__asks *asks = aldis__asks_of(cell);
    if (!asks || !aldis__alarm_came(&asks->alarm, track))
        return ALDIS_OK;
    aldis_err first = ALDIS_OK;
    while (!(cell->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_ENDED))) {
        struct aldis__due_links links = links_of(asks); /* a handler may have made it grow */
        uint32_t index = aldis__due_pop(&asks->due, &links, worker->ctx.now_ns);
        if (index == ALDIS__DUE_NONE)
            break;
        asks->asks[index].link.bucket = ALDIS__DUE_NONE;
        aldis_err err = answer(worker, asks, index, ALDIS_ETIMEDOUT, aldis_nobody(), NULL);
        if (first == ALDIS_OK)
            first = err;
    }
    struct aldis__due_links links = links_of(asks);
    aldis_ns next_ns = aldis__due_next(&asks->due, &links);
    if (next_ns != ALDIS_FOREVER &&
        !aldis__alarm_set(worker, cell, &asks->alarm, next_ns, &alarm_tracker))
        first = ALDIS_ENOMEM; /* the record is there already: cannot happen */
    return first;
}

/* ------------------------------------------------------------------ asking */

static aldis_err check_handler(aldis_ctx *ctx, const aldis_on_reply *on_reply)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "ask: the context belongs to another handler or thread");
    if (!on_reply || !on_reply->handle || !on_reply->request)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "ask: a handler is missing");
    const aldis_behaviour *behaviour = ctx->cell->kind->behaviour;
    if (on_reply->state_size != behaviour->state_size)
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                                "ask: the handler's state has %zu bytes, that of %s has %zu",
                                on_reply->state_size, behaviour->name, behaviour->state_size);
    if (ctx->cell->flags & ALDIS__CELL_STOPPING)
        return aldis__error_set(ALDIS_ESHUTDOWN, ctx->cell->id, "",
                                "ask: the asker is stopping: it would not hear the answer");
    return ALDIS_OK;
}

/* The earliest of all that limits the answer. */
static aldis_err find_deadline(aldis_ctx *ctx, const aldis_ask_opts *opts, aldis_ns *out_ns)
{
    aldis_ns now_ns = ctx->now_ns + ctx->busy_ns;
    aldis_ns timeout_ns = opts && opts->timeout_ns ? opts->timeout_ns : ALDIS_ASK_TIMEOUT_DEFAULT;
    aldis_ns limit_ns = aldis_deadline(ctx);
    if (timeout_ns < 0 || (opts && opts->deadline_ns < 0))
        return aldis__error_set(ALDIS_EINVAL, ctx->cell->id, "",
                                "ask: timeout_ns is %lld, deadline_ns %lld; allowed: 0 or more",
                                (long long)timeout_ns, (long long)(opts ? opts->deadline_ns : 0));
    aldis_ns due_ns = timeout_ns >= ALDIS_FOREVER - now_ns ? ALDIS_FOREVER : now_ns + timeout_ns;
    if (opts && opts->deadline_ns && opts->deadline_ns < due_ns)
        due_ns = opts->deadline_ns;
    if (limit_ns < due_ns)
        due_ns = limit_ns;
    if (due_ns <= now_ns)
        return aldis__error_set(ALDIS_EEXPIRED, ctx->cell->id, "",
                                "ask: the deadline, %lld ns, has passed: it is %lld ns",
                                (long long)due_ns, (long long)now_ns);
    *out_ns = due_ns;
    return ALDIS_OK;
}

static aldis_err reserve(aldis_ctx *ctx, struct aldis__asks **out_asks)
{
    struct aldis__asks *asks = aldis__asks_of(ctx->cell);
    if (aldis__unlikely(!asks))
        asks = aldis__asks_make(ctx->cell);
    if (asks && asks->count >= ctx->system->opts.asks_max)
        return aldis__error_set(ALDIS_EAGAIN, ctx->cell->id, "",
                                "ask: the actor waits for %u answers (option asks_max)",
                                asks->count);
    if (!asks || (!asks->free && !grow(asks)))
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "ask: the table of asks");
    *out_asks = asks;
    return ALDIS_OK;
}

/* The next free entry, filled in, is in use; it must be there. */
static inline void open_ask(aldis_ctx *ctx, struct aldis__asks *asks, aldis_ns due_ns)
{
    uint32_t index = asks->free - 1;
    struct aldis__ask *ask = &asks->asks[index];
    asks->free = ask->link.next;
    ask->link.due_ns = due_ns;
    ask->used = true;
    asks->count++;
    if (due_ns == ALDIS_FOREVER) {
        ask->link.bucket = ALDIS__DUE_NONE;
        return;
    }
    struct aldis__due_links links = links_of(asks);
    aldis__due_add(&asks->due, &links, index, ctx->now_ns);
}

aldis_err aldis_ask_raw(aldis_ctx *ctx, aldis_id to, const aldis_on_reply *on_reply,
                        const void *payload, size_t size, const aldis_ask_opts *opts)
{
    struct aldis__asks *asks = NULL;
    aldis_ns due_ns = 0;
    aldis_err err = check_handler(ctx, on_reply);
    if (err == ALDIS_OK)
        err = aldis__request_resolve(on_reply->request);
    if (err == ALDIS_OK)
        err = find_deadline(ctx, opts, &due_ns);
    if (err == ALDIS_OK)
        err = reserve(ctx, &asks);
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    if (due_ns != ALDIS_FOREVER &&
        !aldis__alarm_set(worker, ctx->cell, &asks->alarm, due_ns, &alarm_tracker))
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "ask: its time-out");
    struct aldis__ask *ask = &asks->asks[asks->free - 1];
    const struct aldis__track track = {&aldis__ask_request, due_ns, ctx->cell->id.bits,
                                       ask->serial};
    const aldis_send_opts how = {opts ? opts->delay_ns : 0, opts ? opts->lane : ALDIS_LANE_NORMAL};
    bool plain = how.delay_ns == 0 && how.lane == ALDIS_LANE_NORMAL;
    const struct aldis__parcel parcel = {to,   on_reply->request->type, payload,
                                         size, plain ? NULL : &how,     NULL};
    err = aldis__send_tracked(ctx, &parcel, &track);
    if (err != ALDIS_OK) {
        rest(worker, asks);
        return err;
    }
    ask->on_reply = on_reply;
    ask->to = to;
    ask->context = opts ? opts->context : 0;
    ask->parent_ns = aldis_deadline(ctx);
    open_ask(ctx, asks, due_ns);
    return ALDIS_OK;
}

aldis_ns aldis_deadline(const aldis_ctx *ctx)
{
    return ctx && ctx->track ? ctx->track->deadline_ns : ALDIS_FOREVER;
}

uint32_t aldis_asks_pending(const aldis_ctx *ctx)
{
    const struct aldis__asks *asks = ctx && ctx->cell ? aldis__asks_of(ctx->cell) : NULL;
    return asks ? asks->count : 0;
}
