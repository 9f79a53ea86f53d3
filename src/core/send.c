// SPDX-License-Identifier: Apache-2.0
/* send.c: from a handler to a mailbox. HOT PATH 1/5: may not lock, log or touch a shared counter.
 *
 * Layer: core. The first function is the whole way of a message between two actors of one worker:
 * look up, allocate, fill, link. Everything that is not that simple is in the functions below
 * it. */
#include "core/send.h"

#include "base/error.h"
#include "core/backpressure.h"
#include "core/blob.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/tracked.h"
#include "core/virtual.h"
#include "core/vsend.h"
#include <string.h>

static aldis_err send_plain_slow(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                                 size_t size);
static aldis_err send_at_mark(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                              size_t size);
static aldis_err place_built(struct aldis__worker *worker, struct aldis__msg *msg);

aldis_err aldis_ctx_send_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                             size_t size)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    if (aldis__unlikely(worker != aldis__this_worker || !type || ctx->special ||
                        size != type->size || (aldis__unlikely(!payload) && size)))
        return send_plain_slow(ctx, to, type, payload, size);
    aldis_system *system = ctx->system;
    uint64_t place = aldis__id_index(to, system->node_base);
    if (aldis__unlikely(place >= system->index_limit))
        return send_plain_slow(ctx, to, type, payload, size);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    struct aldis__cell *cell = aldis__system_cell(system, place);
    struct aldis__pool *pool = worker->pool;
    /* Of a type that was never used: index and class 0, and no kind takes that index. */
    uint32_t tag = aldis__type_tag_if_known(type);
    uint32_t index = tag & ALDIS__TYPE_INDEX_MASK;
    unsigned class = tag >> ALDIS__TYPE_CLASS_SHIFT;
    struct aldis__msg *msg = pool->free[class];
    if (aldis__unlikely(!aldis__word_is_open(word, to) || !msg ||
                        aldis__handover_owner(&shard->handover) != worker->index ||
                        !cell->kind->handle[index]))
        return send_plain_slow(ctx, to, type, payload, size);
    int32_t units = aldis__class_units[class];
    if (aldis__unlikely(cell->depth >= cell->mark || cell->room < units))
        return send_at_mark(ctx, to, type, payload, size);
    aldis__pool_pop(pool, msg, class);
    bool was_empty = cell->head == NULL;
    aldis__mailbox_append(cell, msg, units);
    if (was_empty)
        aldis__cell_schedule_for_mail(worker, shard, cell);
    msg->to = to;
    msg->from = ctx->cell->id;
    msg->tag = ctx->send_tag | tag;
    aldis__copy_payload(aldis__msg_inline(msg), payload, size);
    worker->counts[index].sent++;
    return ALDIS_OK;
}

/* The same once more for a mailbox at its mark: one that is full, whose senders keep their messages
 * until it is not, or that has never been so deep. A producer that is faster than its consumer
 * spends its life here. Everything that the first function has looked at still holds. */
static __attribute__((noinline)) aldis_err send_at_mark(aldis_ctx *ctx, aldis_id to,
                                                        aldis_type *type, const void *payload,
                                                        size_t size)
{
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__cell *sender = ctx->cell;
    struct aldis__pool *pool = worker->pool;
    uint32_t tag = aldis__type_tag_if_known(type);
    uint32_t index = tag & ALDIS__TYPE_INDEX_MASK;
    unsigned class = tag >> ALDIS__TYPE_CLASS_SHIFT;
    struct aldis__msg *msg = pool->free[class];
    aldis__pool_pop(pool, msg, class);
    msg->to = to;
    msg->from = sender->id;
    msg->tag = ctx->send_tag | tag;
    aldis__copy_payload(aldis__msg_inline(msg), payload, size);
    if (!aldis__overflow_takes(worker, sender, to))
        return place_built(worker, msg);
    aldis__overflow_append(sender->ext, &sender->ext->overflow[0], msg);
    worker->counts[index].sent++;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ checks */

static inline bool is_foreign(const aldis_ctx *ctx)
{
    return !aldis__ctx_is_mine(ctx);
}

aldis_err aldis__send_check_type(aldis_type *type, const void *payload, size_t size,
                                 uint32_t *out_index)
{
    if (!type)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "send: the type is NULL");
    uint32_t index = aldis__type_index(type);
    if (!index)
        return aldis_error_last()->err;
    if (index < ALDIS__TYPE_STATUS)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "send: %s is the runtime's own", type->name);
    if (size > ALDIS_PAYLOAD_MAX)
        return aldis__error_set(ALDIS_ETOOLARGE, aldis_nobody(), type->name,
                                "send: %s of %zu bytes; allowed: up to %u, or a blob", type->name,
                                size, ALDIS_PAYLOAD_MAX);
    if (type->size != ALDIS_SIZE_VARIES && size != type->size)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "send: %s has %u bytes, %zu were given", type->name, type->size,
                                size);
    if (size && !payload)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                                "send: %s without payload", type->name);
    *out_index = index;
    return ALDIS_OK;
}

/* Out of memory, or of budget. */
static aldis_err no_block(const aldis_system *system, aldis_id to, uint32_t type)
{
    const char *name = aldis__type_info(type)->name;
    return aldis__error_set(ALDIS_ENOMEM, to, name, "send: %s to actor %016llx: %s", name,
                            (unsigned long long)to.bits,
                            system->memory ? "memory, or the budget for it (option memory_max), is "
                                             "used up"
                                           : aldis_error_text(ALDIS_ENOMEM));
}

static aldis_err receiver_error(aldis_err err, aldis_id to, uint32_t type)
{
    return aldis__error_set(err, to, aldis__type_info(type)->name, "send: %s to actor %016llx: %s",
                            aldis__type_info(type)->name, (unsigned long long)to.bits,
                            aldis_error_text(err));
}

aldis_err aldis__send_check_place(aldis_system *system, aldis_id to, uint32_t type,
                                  uint64_t *out_word)
{
    uint64_t place = aldis__id_index(to, system->node_base);
    if (place >= system->index_limit)
        return receiver_error(ALDIS_ENOTFOUND, to, type);
    *out_word = aldis__directory_read(&system->directory[place]);
    return ALDIS_OK;
}

aldis_err aldis__send_check_receiver(aldis_system *system, aldis_id to, uint32_t type,
                                     uint64_t *out_word)
{
    uint64_t word = 0;
    aldis_err err = aldis__send_check_place(system, to, type, &word);
    if (err != ALDIS_OK)
        return err;
    if (aldis__unlikely(!aldis__word_is_alive(word, to)))
        return receiver_error(aldis__word_has_known(word, to) ? ALDIS_ESTALE : ALDIS_ENOTFOUND, to,
                              type);
    if (word & ALDIS__WORD_CLOSING)
        return receiver_error(ALDIS_ESHUTDOWN, to, type);
    const struct aldis__kind *kind = aldis__system_kind(system, aldis__word_kind(word));
    if (aldis__unlikely(!kind->handle[type]))
        return aldis__error_set(ALDIS_EUNACCEPTED, to, aldis__type_info(type)->name,
                                "send: actor %016llx is a %s, whose protocol does not list %s",
                                (unsigned long long)to.bits, kind->behaviour->name,
                                aldis__type_info(type)->name);
    *out_word = word;
    return ALDIS_OK;
}

unsigned aldis__lane_rank(aldis_lane lane)
{
    switch (lane) {
    case ALDIS_LANE_NORMAL:
        return ALDIS__RANK_NORMAL;
    case ALDIS_LANE_CONTROL:
        return ALDIS__RANK_CONTROL;
    case ALDIS_LANE_CRITICAL:
        return ALDIS__RANK_CRITICAL;
    case ALDIS_LANE_HIGH:
        return ALDIS__RANK_HIGH;
    case ALDIS_LANE_LOW:
        return ALDIS__RANK_LOW;
    }
    return ALDIS__RANK_COUNT;
}

aldis_lane aldis__rank_lane(unsigned rank)
{
    static const aldis_lane lanes[ALDIS__RANK_COUNT] = {
        ALDIS_LANE_NORMAL, ALDIS_LANE_CRITICAL, ALDIS_LANE_HIGH, ALDIS_LANE_NORMAL, ALDIS_LANE_LOW};
    return lanes[rank];
}

aldis_err aldis__send_check_opts(const aldis_send_opts *opts, const aldis_type *type)
{
    if (!opts)
        return ALDIS_OK;
    if (opts->delay_ns < ALDIS_NO_DELAY)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type ? type->name : "",
                                "send: delay_ns is %lld; allowed: 0 or more",
                                (long long)opts->delay_ns);
    if (aldis__lane_rank(opts->lane) == ALDIS__RANK_COUNT || opts->lane == ALDIS_LANE_CONTROL)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type ? type->name : "",
                                "send: lane %d; allowed: normal, critical, high, low",
                                (int)opts->lane);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ building */

struct aldis__msg *aldis__send_build(struct aldis__pool *pool, const aldis_type *type,
                                     uint32_t index, const void *payload, size_t size)
{
    bool varies = type->size == ALDIS_SIZE_VARIES;
    struct aldis__msg *msg =
        aldis__pool_alloc(pool, size + (varies ? sizeof(struct aldis__msg_varying) : 0));
    if (!msg)
        return NULL;
    if (varies)
        aldis__pool_note_varying(pool, msg);
    msg->type = (uint16_t)index;
    msg->flags = varies ? ALDIS__MSG_VARIES : 0;
    char *inside = aldis__msg_inline(msg);
    if (varies) {
        struct aldis__msg_varying *varying = aldis__msg_inline(msg);
        varying->size = size;
        varying->reserved = 0;
        inside = (char *)(varying + 1);
    }
    if (payload && size)
        memcpy(inside, payload, size);
    return msg;
}

aldis_err aldis__parcel_check(const struct aldis__parcel *parcel, uint32_t *out_index)
{
    if (!parcel->blob)
        return aldis__send_check_type(parcel->type, parcel->payload, parcel->size, out_index);
    if (!parcel->type || parcel->type->size != ALDIS_SIZE_VARIES)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(),
                                parcel->type ? parcel->type->name : "",
                                "send: the type of a blob must be of varying size");
    return aldis__send_check_type(parcel->type, "", 0, out_index);
}

void aldis__parcel_of(struct aldis__msg *msg, aldis_type *out_type,
                      struct aldis__parcel *out_parcel)
{
    const struct aldis__type_info *info = aldis__type_info(msg->type);
    *out_type = (aldis_type){info->name, info->number, info->size, NULL,
                             aldis__type_tag(msg->type, info->size)};
    *out_parcel = (struct aldis__parcel){.type = out_type};
    if (msg->flags & ALDIS__MSG_BLOB)
        out_parcel->blob = *(aldis_blob **)aldis__msg_body(msg);
    else
        out_parcel->payload = aldis__msg_payload(msg, &out_parcel->size);
}

/* Track, length or blob, payload, in a block of this pool. */
struct aldis__msg *aldis__parcel_build(struct aldis__pool *pool, const struct aldis__parcel *parcel,
                                       uint32_t index, const struct aldis__track *track)
{
    bool varies = parcel->type->size == ALDIS_SIZE_VARIES && !parcel->blob;
    size_t size = parcel->blob ? sizeof parcel->blob : parcel->size;
    struct aldis__msg *msg = aldis__pool_alloc(
        pool, sizeof *track + size + (varies ? sizeof(struct aldis__msg_varying) : 0));
    if (!msg)
        return NULL;
    unsigned rank =
        parcel->opts ? aldis__lane_rank(parcel->opts->lane) : (unsigned)ALDIS__RANK_NORMAL;
    if (varies)
        aldis__pool_note_varying(pool, msg);
    msg->to = parcel->to;
    msg->type = (uint16_t)index;
    msg->flags = ALDIS__MSG_TRACKED;
    msg->lane_class = (uint8_t)(msg->lane_class | rank << 4);
    *aldis__msg_track(msg) = *track;
    char *inside = (char *)(aldis__msg_track(msg) + 1);
    if (parcel->blob) {
        msg->flags |= ALDIS__MSG_BLOB;
        *(aldis_blob **)(void *)inside = aldis_blob_ref(parcel->blob);
        return msg;
    }
    if (varies) {
        struct aldis__msg_varying *varying = (struct aldis__msg_varying *)(void *)inside;
        msg->flags |= ALDIS__MSG_VARIES;
        varying->size = size;
        varying->reserved = 0;
        inside = (char *)(varying + 1);
    }
    if (size <= ALDIS__COPY_INLINE_MAX)
        aldis__copy_payload(inside, parcel->payload, size);
    else
        memcpy(inside, parcel->payload, size);
    return msg;
}

/* ------------------------------------------------------------------ placing */

static aldis_err reject(struct aldis__worker *worker, const struct aldis__msg *msg, aldis_err err)
{
    worker->counts[msg->type].rejected++;
    return receiver_error(err, msg->to, msg->type);
}

/* Its own bound may be far: say which one it met. */
static aldis_err reject_short(struct aldis__worker *worker, const struct aldis__msg *msg)
{
    const char *name = aldis__type_info(msg->type)->name;
    worker->counts[msg->type].rejected++;
    return aldis__error_set(ALDIS_EFULL, msg->to, name,
                            "send: %s to actor %016llx: its mailbox is full; memory is short, and "
                            "none may hold more than %llu bytes now (option memory_max)",
                            name, (unsigned long long)msg->to.bits,
                            (unsigned long long)worker->memory_share);
}

static aldis_err place_remote(struct aldis__worker *worker, struct aldis__msg *msg, uint32_t shard)
{
    struct aldis__cell *sender = worker->ctx.cell;
    if (worker->out[shard].count >= worker->ctx.system->opts.overflow_msgs)
        return reject(worker, msg, ALDIS_EFULL);
    if (!aldis__chain_append(worker, shard, msg))
        aldis__chain_park(worker, sender);
    return ALDIS_OK;
}

/* At a full mailbox of this worker. */
static aldis_err place_full(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, struct aldis__msg *msg)
{
    aldis_err err;
    switch (aldis__cell_limits(cell)->policy) {
    case ALDIS_WAIT:
        if (msg->flags & ALDIS__MSG_FANOUT)
            return reject(worker, msg, ALDIS_EFULL);
        aldis__mark_full(worker, cell);
        err = aldis__overflow_add(worker, worker->ctx.cell, msg);
        return err == ALDIS_OK ? ALDIS_OK : reject(worker, msg, err);
    case ALDIS_DROP_NEWEST:
        worker->counts[msg->type].dropped++;
        return receiver_error(ALDIS_EDROPPED, msg->to, msg->type);
    case ALDIS_DROP_OLDEST:
    case ALDIS_KEEP_NEWEST:
        aldis__admit(worker, shard, cell, msg);
        return ALDIS_OK;
    case ALDIS_POLICY_DEFAULT:
    case ALDIS_REJECT:
    case ALDIS_UNBOUNDED:
        break;
    }
    return aldis__memory_is_short(worker) ? reject_short(worker, msg)
                                          : reject(worker, msg, ALDIS_EFULL);
}

static aldis_err place_local(struct aldis__worker *worker, struct aldis__shard *shard,
                             struct aldis__cell *cell, struct aldis__msg *msg)
{
    aldis_err err = ALDIS_EFULL;
    if (!(cell->flags & ALDIS__CELL_HELD))
        err = aldis__mailbox_push_slow(worker, cell, msg);
    if (err == ALDIS_EFULL)
        return place_full(worker, shard, cell, msg);
    if (err != ALDIS_OK)
        return reject(worker, msg, err);
    aldis__mark_full(worker, cell);
    aldis__cell_schedule_for_mail(worker, shard, cell);
    return ALDIS_OK;
}

/* In the sender's overflow, for a mailbox that is known to be full. */
static aldis_err keep(struct aldis__worker *worker, struct aldis__msg *msg, aldis_ns delay_ns)
{
    aldis_err err = ALDIS_OK;
    if (worker->ctx.system->virtual_time)
        err = aldis__virtual_keep(worker, msg, delay_ns);
    if (err != ALDIS_OK) {
        worker->counts[msg->type].rejected++;
        return err;
    }
    err = aldis__overflow_add(worker, worker->ctx.cell, msg);
    return err == ALDIS_OK ? ALDIS_OK : reject(worker, msg, err);
}

aldis_err aldis__send_place(struct aldis__worker *worker, struct aldis__msg *msg, uint64_t word,
                            aldis_ns delay_ns)
{
    aldis_ctx *ctx = &worker->ctx;
    aldis_system *system = ctx->system;
    uint32_t type = msg->type;
    worker->counts[type].sent++;
    bool waits = (word & ALDIS__WORD_FULL) && !(msg->flags & ALDIS__MSG_FANOUT);
    if (delay_ns <= 0 || system->virtual_time) {
        if (waits ||
            ((ctx->cell->flags & ALDIS__CELL_OVERFLOW) && aldis__overflow_has(ctx->cell, msg->to)))
            return keep(worker, msg, delay_ns);
        if ((word & ALDIS__WORD_FULL) && !system->virtual_time)
            return reject(worker, msg, ALDIS_EFULL);
    }
    if (system->virtual_time) {
        aldis_err err = aldis__virtual_send(worker, msg, aldis__word_home(word), delay_ns);
        if (err != ALDIS_OK)
            worker->counts[type].rejected++;
        return err;
    }
    if (delay_ns > 0) {
        aldis_ns due_ns =
            delay_ns > ALDIS_FOREVER - 1 - ctx->now_ns ? ALDIS_FOREVER - 1 : ctx->now_ns + delay_ns;
        return aldis__timer_delay(worker, ctx->shard, msg, due_ns)
                   ? ALDIS_OK
                   : reject(worker, msg, ALDIS_ENOMEM);
    }
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (aldis__handover_owner(&shard->handover) != worker->index)
        return place_remote(worker, msg, shard->index);
    return place_local(worker, shard,
                       aldis__system_cell(system, aldis__id_index(msg->to, system->node_base)),
                       msg);
}

/* The first message of each actor goes this way, too. */
static aldis_err place_built(struct aldis__worker *worker, struct aldis__msg *msg)
{
    aldis_system *system = worker->ctx.system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(msg->to, system->node_base)]);
    aldis_err err = aldis__send_place(worker, msg, word, 0);
    if (err != ALDIS_OK)
        aldis__pool_free(worker->pool, msg);
    return err;
}

static aldis_err count_rejected(struct aldis__worker *worker, uint32_t type, aldis_err err)
{
    worker->counts[type].sent++;
    worker->counts[type].rejected++;
    return err;
}

/* Everything that the first function leaves: errors, lanes, delays, other workers, virtual time. */
static __attribute__((noinline)) aldis_err send_slow(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                                     const void *payload, size_t size,
                                                     const aldis_send_opts *opts)
{
    if (is_foreign(ctx))
        return aldis__ctx_foreign("send");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint32_t index = 0;
    uint64_t word = 0;
    aldis_err err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err; /* nothing that could be counted: there is no such message */
    err = aldis__send_check_opts(opts, type);
    if (err == ALDIS_OK)
        err = aldis__send_check_receiver(ctx->system, to, index, &word);
    if (err != ALDIS_OK)
        return count_rejected(worker, index, err);
    struct aldis__msg *msg = aldis__send_build(worker->pool, type, index, payload, size);
    if (!msg)
        return count_rejected(worker, index, no_block(ctx->system, to, index));
    unsigned rank = opts ? aldis__lane_rank(opts->lane) : ALDIS__RANK_NORMAL;
    msg->to = to;
    msg->from = ctx->cell->id;
    msg->flags |= aldis__ctx_send_flags(ctx);
    msg->lane_class = (uint8_t)(msg->lane_class | rank << 4);
    msg->pool_stamp = worker->pool_stamp;
    err = aldis__send_place(worker, msg, word, opts ? opts->delay_ns : 0);
    if (err != ALDIS_OK)
        aldis__pool_free(worker->pool, msg);
    return err;
}

static ALDIS_COLD aldis_err send_plain_slow(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                            const void *payload, size_t size)
{
    if (aldis__virtual_try_send(ctx, to, type, payload, size, NULL))
        return ALDIS_OK;
    return send_slow(ctx, to, type, payload, size, NULL);
}

/* ------------------------------------------------------------------ public */

aldis_err aldis_ctx_send_opts_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type,
                                  const void *payload, size_t size, const aldis_send_opts *opts)
{
    if (aldis__virtual_try_send(ctx, to, type, payload, size, opts))
        return ALDIS_OK;
    return send_slow(ctx, to, type, payload, size, opts);
}

/* Which handler runs: a turn may run several before it gives up what they have forgotten. */
static uint64_t handler_number(const aldis_ctx *ctx)
{
    return ctx->cell->handled << 1 | (ctx->msg != NULL);
}

/* A budget in virtual time counts what is sent: what is built is paid for at once, and that is
 * given back when it is posted or discarded. */
static bool pay(struct aldis__worker *worker, const struct aldis__msg *msg)
{
    const aldis_system *system = worker->ctx.system;
    if (!system->memory || !system->virtual_time ||
        aldis__memory_spend(worker, aldis__memory_of(msg), false))
        return true;
    worker->memory_refusals++;
    return false;
}

/* What a handler builds is remembered in its context, so that a wrong or forgotten end is found.
 * Its length always stands before the payload, whatever the type: the way back is 48 bytes. */
void *aldis_build_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type, size_t size)
{
    if (is_foreign(ctx)) {
        aldis__ctx_foreign("send");
        return NULL;
    }
    uint32_t index = 0;
    if (aldis__send_check_type(type, "", size, &index) != ALDIS_OK)
        return NULL;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__msg *msg =
        aldis__pool_alloc(worker->pool, sizeof(struct aldis__msg_varying) + size);
    if (!msg || !pay(worker, msg)) {
        if (msg)
            aldis__pool_free(worker->pool, msg);
        no_block(ctx->system, to, index);
        return NULL;
    }
    struct aldis__msg_varying *varying = aldis__msg_inline(msg);
    if (type->size == ALDIS_SIZE_VARIES)
        aldis__pool_note_varying(worker->pool, msg);
    varying->size = size;
    varying->reserved = handler_number(ctx);
    msg->to = to;
    msg->from = ctx->cell->id;
    msg->type = (uint16_t)index;
    msg->flags = (uint8_t)(ALDIS__MSG_VARIES | aldis__ctx_send_flags(ctx));
    msg->lane_class = (uint8_t)(msg->lane_class | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = worker->pool_stamp;
    msg->next = ctx->built;
    ctx->built = msg;
    return varying + 1;
}

/* The message of a payload that this handler has begun, no longer remembered; NULL: it is none. */
static struct aldis__msg *take_built(aldis_ctx *ctx, void *payload)
{
    for (struct aldis__msg **link = &ctx->built; *link; link = &(*link)->next) {
        struct aldis__msg *msg = *link;
        const struct aldis__msg_varying *varying = aldis__msg_inline(msg);
        if (payload != varying + 1)
            continue;
        if (varying->reserved != handler_number(ctx))
            return NULL;
        *link = msg->next;
        if (ctx->system->memory && ctx->system->virtual_time)
            aldis__memory_unspend(aldis__worker_of(ctx), aldis__memory_of(msg));
        return msg;
    }
    return NULL;
}

aldis_err aldis_post(aldis_ctx *ctx, void *payload)
{
    if (is_foreign(ctx))
        return aldis__ctx_foreign("send");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__msg *msg = take_built(ctx, payload);
    if (!msg)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "post: this handler has not begun this payload with aldis_build");
    uint64_t word = 0;
    aldis_err err = aldis__send_check_receiver(ctx->system, msg->to, msg->type, &word);
    if (err != ALDIS_OK)
        count_rejected(worker, msg->type, err);
    else
        err = aldis__send_place(worker, msg, word, 0);
    if (err != ALDIS_OK)
        aldis__pool_free(worker->pool, msg);
    return err;
}

void aldis_discard(aldis_ctx *ctx, void *payload)
{
    if (!payload || is_foreign(ctx))
        return;
    struct aldis__msg *msg = take_built(ctx, payload);
    if (msg)
        aldis__pool_free(aldis__worker_of(ctx)->pool, msg);
}

aldis_err aldis_send_batch(aldis_ctx *ctx, const aldis_send_item *items, size_t count,
                           size_t *out_accepted)
{
    aldis_err first = ALDIS_OK;
    size_t accepted = 0;
    if (!items && count)
        first = aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "send: items is NULL");
    for (size_t i = 0; items && i < count; i++) {
        aldis_err err =
            aldis_ctx_send_raw(ctx, items[i].to, items[i].type, items[i].payload, items[i].size);
        if (err == ALDIS_OK)
            accepted++;
        else if (first == ALDIS_OK)
            first = err;
    }
    if (out_accepted)
        *out_accepted = accepted;
    return first;
}

aldis_err aldis_reply_raw(aldis_ctx *ctx, aldis_type *type, const void *payload, size_t size)
{
    if (is_foreign(ctx))
        return aldis__ctx_foreign("send");
    bool answers = ctx->track && ctx->track->tracker->reply; /* outside threads may ask, too */
    if (!ctx->msg || (!answers && aldis_id_is_nobody(ctx->msg->from)))
        return aldis__error_set(
            ALDIS_ENORECEIVER, aldis_nobody(), type ? type->name : "", "reply: %s",
            ctx->msg ? "the message came from outside the system" : "no message is being handled");
    if (answers)
        return ctx->track->tracker->reply(ctx, ctx->track, type, payload, size);
    return aldis_ctx_send_raw(ctx, ctx->msg->from, type, payload, size);
}

aldis_err aldis_send_blob_raw(aldis_ctx *ctx, aldis_id to, aldis_type *type, aldis_blob *blob)
{
    if (is_foreign(ctx))
        return aldis__ctx_foreign("send");
    if (!blob || !type || type->size != ALDIS_SIZE_VARIES)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type ? type->name : "", "send: %s",
                                blob ? "the type of a blob must be of varying size"
                                     : "the blob is NULL");
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint32_t index = 0;
    uint64_t word = 0;
    aldis_err err = aldis__send_check_type(type, "", 0, &index);
    if (err != ALDIS_OK)
        return err;
    err = aldis__send_check_receiver(ctx->system, to, index, &word);
    struct aldis__msg *msg = err == ALDIS_OK ? aldis__pool_alloc(worker->pool, sizeof blob) : NULL;
    if (!msg)
        return count_rejected(worker, index,
                              err == ALDIS_OK ? no_block(ctx->system, to, index) : err);
    aldis__pool_note_varying(worker->pool, msg);
    *(aldis_blob **)aldis__msg_inline(msg) = aldis_blob_ref(blob);
    msg->to = to;
    msg->from = ctx->cell->id;
    msg->type = (uint16_t)index;
    msg->flags = (uint8_t)(ALDIS__MSG_BLOB | aldis__ctx_send_flags(ctx));
    msg->lane_class = (uint8_t)(msg->lane_class | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = worker->pool_stamp;
    err = aldis__send_place(worker, msg, word, 0);
    if (err != ALDIS_OK)
        aldis__pool_free(worker->pool, msg);
    return err;
}
