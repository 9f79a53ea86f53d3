// SPDX-License-Identifier: Apache-2.0
/* pool.c: pools and routers. Layer: messaging. See aldis/pool.h.
 *
 * A pool is an actor whose every handler is aldis_pool_on_message(). It hands a message on as a
 * tracked one (core/tracked.h) whose sender is the pool: so whoever handles or ends it knows where
 * to say so. What says it is a small post (`confirm`), which gives the credit back; what a dead
 * routee leaves unhandled comes back whole besides, to a place that the pool keeps for it
 * (`returned`). At most credit x size messages are out, so as many places are kept.
 *
 * A message that nobody can take is stashed, and the pool is choked until a confirmation comes. */
#include "base/error.h"
#include "base/hash.h"
#include "core/lifecycle.h"
#include "core/multicast.h"
#include "core/send.h"
#include "core/stash.h"
#include "core/system.h"
#include "messaging/ask.h"
#include <aldis/pool.h>
#include <stdlib.h>
#include <string.h>

enum { ROUTEES_MAX = 1024, SIZE_DEFAULT = 4, CREDIT_DEFAULT = 64, ARG_BYTES_MAX = 32768 };

struct routee {
    aldis_id id;
    uint32_t out; /* messages that it has not handled yet */
    bool gone;
};

/* What a pool keeps; freed with the actor, however it ends. */
struct pool {
    struct aldis__part part;
    struct routee *routees;
    uint32_t count, left; /* left: not gone */
    uint32_t next;        /* round robin */
    uint32_t credit;
    aldis_route route;
    aldis_route_key key;
    bool waits; /* a message is stashed */
};

/* What a spawn brings: this, then the routees' ids or their argument. */
struct pool_arg {
    aldis_pool_opts opts; /* defaults filled in; its pointers are not used, but worker and key */
    _Alignas(16) unsigned char bytes[];
};

static void pool_fini(struct aldis__part *part)
{
    free(((struct pool *)(void *)part)->routees);
}

static const struct aldis__part_class pool_class = {
    .name = "pool", .size = sizeof(struct pool), .fini = pool_fini};

static struct pool *pool_of(const struct aldis__cell *cell)
{
    return (struct pool *)(void *)aldis__part_of(cell, &pool_class);
}

/* ------------------------------------------------------------------ what a routee tells */

/* b: whether the routee has ended. */
static aldis_err confirm_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                                struct aldis__msg *msg, struct aldis__track *track);

static const struct aldis__tracker confirm = {.name = "pool confirmation",
                                              .handle = confirm_handle};

static struct routee *find_routee(const struct pool *pool, aldis_id id)
{
    for (uint32_t i = 0; pool && i < pool->count; i++)
        if (aldis_id_equal(pool->routees[i].id, id))
            return &pool->routees[i];
    return NULL;
}

static void mark_gone(struct pool *pool, aldis_id id)
{
    struct routee *routee = find_routee(pool, id);
    if (routee && !routee->gone) {
        routee->gone = true;
        pool->left--;
    }
}

/* There is credit again, or nobody is left to wait for. */
static void go_on(struct aldis__worker *worker, struct aldis__cell *cell, struct pool *pool)
{
    if (!pool->waits)
        return;
    pool->waits = false;
    aldis__cell_unchoke(cell);
    aldis__stash_return(worker, cell);
}

static void give_back(struct pool *pool, aldis_id routee)
{
    struct routee *found = find_routee(pool, routee);
    if (found && found->out > 0)
        found->out--;
}

static aldis_err confirm_handle(struct aldis__worker *worker, struct aldis__cell *cell,
                                struct aldis__msg *msg, struct aldis__track *track)
{
    struct pool *pool = pool_of(cell);
    if (!pool)
        return ALDIS_OK;
    give_back(pool, msg->from);
    if (track->b)
        mark_gone(pool, msg->from);
    go_on(worker, cell, pool);
    return ALDIS_OK;
}

/* The pool is whoever sent the message. */
static void tell_pool(struct aldis__worker *worker, const struct aldis__msg *msg, bool gone)
{
    const struct aldis__track track = {&confirm, ALDIS_FOREVER, 0, gone};
    aldis__post_tracked(worker, msg->to, msg->from, &track, NULL, 0);
}

static void plain_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                          struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    (void)cell, (void)track, (void)err;
    tell_pool(worker, msg, false);
}

static void request_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__msg *msg, struct aldis__track *track, aldis_err err)
{
    aldis__request_handled(worker, cell, msg, track, err);
    tell_pool(worker, msg, false);
}

static void item_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                       struct aldis__track *track, enum aldis__fate fate, aldis_err reason);

/* The four trackers of a message in a pool: out with a routee, answered there, coming back. */
static const struct aldis__tracker out_plain = {
    .name = "pooled", .moves = true, .handled = plain_handled, .ended = item_ended};
static const struct aldis__tracker out_answered = {.name = "pooled and answered",
                                                   .handled = plain_handled,
                                                   .ended = item_ended,
                                                   .reply = aldis__reply_twice};
static const struct aldis__tracker out_request = {.name = "pooled request",
                                                  .moves = true,
                                                  .request = true,
                                                  .seen_to = &out_answered,
                                                  .handled = request_handled,
                                                  .ended = item_ended,
                                                  .reply = aldis__request_reply};

static void returned_request_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                                   struct aldis__track *track, enum aldis__fate fate,
                                   aldis_err reason)
{
    (void)fate;
    if (worker)
        aldis__ask_fail(worker, msg->to, track, reason);
}

static const struct aldis__tracker returned_answered = {.name = "returned and answered",
                                                        .reply = aldis__reply_twice};
static const struct aldis__tracker returned_plain = {.name = "returned", .reserved = true};
static const struct aldis__tracker returned_request = {.name = "returned request",
                                                       .reserved = true,
                                                       .request = true,
                                                       .seen_to = &returned_answered,
                                                       .handled = aldis__request_handled,
                                                       .ended = returned_request_ended,
                                                       .reply = aldis__request_reply};

/* A copy goes back to the pool. False: it cannot. */
static bool send_back(struct aldis__worker *worker, struct aldis__msg *msg,
                      const struct aldis__track *track)
{
    aldis_type type;
    struct aldis__parcel parcel;
    struct aldis__track back = *track;
    aldis__parcel_of(msg, &type, &parcel);
    parcel.to = msg->from;
    back.tracker = track->tracker->request ? &returned_request : &returned_plain;
    return aldis__post_parcel(worker, msg->to, &parcel, &back);
}

static void item_ended(struct aldis__worker *worker, struct aldis__msg *msg,
                       struct aldis__track *track, enum aldis__fate fate, aldis_err reason)
{
    if (!worker)
        return;
    bool gone = reason == ALDIS_ESTALE || reason == ALDIS_ESHUTDOWN || reason == ALDIS_ENOSENDER;
    bool moved = gone && track->tracker->moves && send_back(worker, msg, track);
    if (!moved && track->tracker->request && fate != ALDIS__EXPIRED)
        aldis__ask_fail(worker, msg->to, track, reason);
    tell_pool(worker, msg, gone);
}

/* ------------------------------------------------------------------ choosing */

static bool has_credit(const struct pool *pool, uint32_t index)
{
    return !pool->routees[index].gone && pool->routees[index].out < pool->credit;
}

static uint32_t choose_in_turn(struct pool *pool)
{
    for (uint32_t n = 0; n < pool->count; n++) {
        uint32_t index = (pool->next + n) % pool->count;
        if (has_credit(pool, index)) {
            pool->next = (index + 1) % pool->count;
            return index;
        }
    }
    return UINT32_MAX;
}

static uint32_t choose_drawn(struct pool *pool, aldis_ctx *ctx)
{
    uint32_t able = 0;
    for (uint32_t i = 0; i < pool->count; i++)
        able += has_credit(pool, i);
    if (able == 0)
        return UINT32_MAX;
    uint64_t drawn = aldis_random_below(ctx, able);
    uint32_t index = 0;
    while (!has_credit(pool, index) || drawn-- > 0)
        index++;
    return index;
}

static uint32_t choose_smallest(const struct pool *pool)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < pool->count; i++)
        if (has_credit(pool, i) &&
            (best == UINT32_MAX || pool->routees[i].out < pool->routees[best].out))
            best = i;
    return best;
}

/* Each routee has a number for each key; the highest wins. */
static uint32_t choose_by_key(const struct pool *pool, uint64_t key)
{
    uint32_t best = UINT32_MAX;
    uint64_t most = 0;
    for (uint32_t i = 0; i < pool->count; i++) {
        uint64_t weight = aldis__mix64(key ^ aldis__mix64(i + UINT64_C(1)));
        if (!pool->routees[i].gone && (best == UINT32_MAX || weight > most)) {
            best = i;
            most = weight;
        }
    }
    return best != UINT32_MAX && has_credit(pool, best) ? best : UINT32_MAX;
}

static uint32_t choose(struct pool *pool, aldis_ctx *ctx)
{
    size_t size;
    const void *payload;
    switch (pool->route) {
    case ALDIS_ROUTE_ROUND_ROBIN:
        return choose_in_turn(pool);
    case ALDIS_ROUTE_RANDOM:
        return choose_drawn(pool, ctx);
    case ALDIS_ROUTE_SMALLEST:
        return choose_smallest(pool);
    case ALDIS_ROUTE_HASH:
        payload = aldis__msg_payload(ctx->msg, &size);
        return choose_by_key(
            pool, pool->key ? pool->key(aldis__type_info(ctx->msg->type)->name, payload, size)
                            : aldis__digest_bytes(0, payload, size));
    case ALDIS_ROUTE_BROADCAST:
        break;
    }
    return UINT32_MAX;
}

/* ------------------------------------------------------------------ handing on */

/* The message being handled, as it came, to one routee. */
static aldis_err hand_on(aldis_ctx *ctx, struct routee *routee)
{
    struct aldis__msg *msg = ctx->msg;
    aldis_type type;
    struct aldis__parcel parcel;
    const aldis_send_opts opts = {.lane = aldis__rank_lane(aldis__msg_rank(msg))};
    struct aldis__track track = {&out_plain, ALDIS_FOREVER, 0, 0};
    aldis__parcel_of(msg, &type, &parcel);
    parcel.to = routee->id;
    if (opts.lane != ALDIS_LANE_NORMAL)
        parcel.opts = &opts;
    if (ctx->track && ctx->track->tracker->request) {
        track = *ctx->track;
        track.tracker = &out_request;
    }
    aldis_err err = aldis__send_tracked(ctx, &parcel, &track);
    if (err != ALDIS_OK)
        return err;
    routee->out++;
    if (ctx->track && ctx->track->tracker->request)
        ctx->track->tracker = ctx->track->tracker->seen_to;
    return ALDIS_OK;
}

static aldis_err broadcast(aldis_ctx *ctx, const struct pool *pool)
{
    struct aldis__msg *msg = ctx->msg;
    const struct aldis__type_info *info = aldis__type_info(msg->type);
    aldis_type type = {info->name, info->number, info->size, NULL, msg->type};
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    struct aldis__multicast cast;
    if (ctx->track && ctx->track->tracker->request)
        return aldis_reply_error(ctx, ALDIS_EINVAL);
    aldis_err err =
        aldis__multicast_begin(&cast, aldis__worker_of(ctx), &type, payload, size, false);
    if (err != ALDIS_OK)
        return err;
    for (uint32_t i = 0; i < pool->count; i++)
        if (!pool->routees[i].gone)
            aldis__multicast_ids(&cast, &pool->routees[i].id, 1);
    aldis__multicast_end(&cast);
    return ALDIS_OK;
}

/* It goes nowhere: who sent it is told. */
static aldis_err refuse(aldis_ctx *ctx, aldis_err reason)
{
    return aldis_reject(ctx, reason);
}

aldis_err aldis_pool_on_message(void *state, const void *payload, aldis_ctx *ctx)
{
    (void)state, (void)payload;
    struct pool *pool = pool_of(ctx->cell);
    if (!pool)
        return ALDIS_ESTATE;
    const struct aldis__tracker *tracker = ctx->track ? ctx->track->tracker : NULL;
    if (tracker == &returned_plain || tracker == &returned_request)
        mark_gone(pool, ctx->msg->from); /* the post that says so may come later */
    if (pool->route == ALDIS_ROUTE_BROADCAST)
        return broadcast(ctx, pool);
    while (pool->left > 0) {
        uint32_t index = choose(pool, ctx);
        if (index == UINT32_MAX) {
            pool->waits = true;
            aldis__cell_choke(ctx->cell);
            return aldis_stash(ctx);
        }
        aldis_err err = hand_on(ctx, &pool->routees[index]);
        if (err != ALDIS_ESTALE && err != ALDIS_ESHUTDOWN && err != ALDIS_ENOTFOUND)
            return err == ALDIS_OK ? ALDIS_OK : refuse(ctx, err);
        mark_gone(pool, pool->routees[index].id);
    }
    return refuse(ctx, ALDIS_ENORECEIVER);
}

/* ------------------------------------------------------------------ life */

void aldis_pool_on_child_ended(void *state, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    (void)state;
    struct pool *pool = pool_of(ctx->cell);
    if (!pool)
        return;
    mark_gone(pool, notice->child);
    go_on(aldis__worker_of(ctx), ctx->cell, pool);
}

static aldis_err spawn_routees(aldis_ctx *ctx, struct pool *pool, const struct pool_arg *given)
{
    const aldis_pool_opts *opts = &given->opts;
    const aldis_spawn_opts spawn = {.arg = opts->arg_size ? given->bytes : NULL,
                                    .arg_size = opts->arg_size,
                                    .placement = opts->placement};
    for (uint32_t i = 0; i < opts->size; i++) {
        aldis_err err = aldis_ctx_spawn_raw(ctx, opts->worker, &spawn, &pool->routees[i].id);
        if (err != ALDIS_OK)
            return err;
    }
    return ALDIS_OK;
}

aldis_err aldis_pool_on_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    const struct pool_arg *given = arg;
    if (!given)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pool: spawn it with aldis_pool_spawn");
    struct pool *pool = (struct pool *)(void *)aldis__part_make(ctx->cell, &pool_class);
    struct routee *routees = calloc(given->opts.size, sizeof *routees);
    if (!pool || !routees) {
        free(routees);
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "pool: its routees");
    }
    free(pool->routees); /* of before a restart */
    pool->routees = routees;
    pool->count = pool->left = given->opts.size;
    pool->next = 0;
    pool->credit = given->opts.credit_msgs;
    pool->route = given->opts.route;
    pool->key = given->opts.key;
    pool->waits = false;
    aldis__cell_unchoke(ctx->cell);
    if (given->opts.worker)
        return spawn_routees(ctx, pool, given);
    for (uint32_t i = 0; i < pool->count; i++)
        memcpy(&routees[i].id, given->bytes + i * sizeof(aldis_id), sizeof(aldis_id));
    return ALDIS_OK;
}

static aldis_err refuse_opts(const char *field, unsigned long long found, const char *allowed)
{
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "pool: %s is %llu; allowed: %s",
                            field, found, allowed);
}

static aldis_err check(const aldis_pool_opts *opts)
{
    if (!opts || (!opts->worker == !opts->routees))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "pool: give a worker's behaviour, or routees");
    if (opts->size > ROUTEES_MAX || (opts->routees && !opts->size))
        return refuse_opts("size", opts->size, "1 to 1024");
    if (opts->arg_size > ARG_BYTES_MAX || (opts->arg_size && !opts->arg))
        return refuse_opts("arg_size", opts->arg_size, "0 to 32768, and 0 without an arg");
    if ((unsigned)opts->route > ALDIS_ROUTE_BROADCAST)
        return refuse_opts("route", (unsigned)opts->route, "0 to 4");
    if (opts->placement == ALDIS_PLACE_SHARD)
        return refuse_opts("placement", (unsigned)opts->placement, "beside or anywhere");
    if (opts->credit_msgs > (1u << 30))
        return refuse_opts("credit_msgs", opts->credit_msgs, "1 to 2^30");
    return ALDIS_OK;
}

/* The argument of the spawn, in one block; NULL: out of memory. */
static struct pool_arg *pack(const aldis_pool_opts *opts, size_t *out_size)
{
    uint32_t count = opts->size ? opts->size : SIZE_DEFAULT;
    const void *bytes = opts->routees ? (const void *)opts->routees : opts->arg;
    size_t size = opts->routees ? count * sizeof(aldis_id) : opts->arg_size;
    struct pool_arg *packed = calloc(1, sizeof *packed + size);
    if (!packed)
        return NULL;
    packed->opts = *opts;
    packed->opts.size = count;
    packed->opts.arg = NULL;
    packed->opts.routees = NULL;
    if (!opts->credit_msgs)
        packed->opts.credit_msgs = CREDIT_DEFAULT;
    if (size)
        memcpy(packed->bytes, bytes, size);
    *out_size = sizeof *packed + size;
    return packed;
}

static aldis_err spawn(aldis_ctx *ctx, aldis_system *system, const aldis_behaviour *behaviour,
                       const aldis_pool_opts *opts, const aldis_spawn_opts *how, aldis_id *out_id)
{
    aldis_err err = check(opts);
    if (err != ALDIS_OK)
        return err;
    aldis_spawn_opts filled = how ? *how : (aldis_spawn_opts){0};
    struct pool_arg *arg = pack(opts, &filled.arg_size);
    if (!arg)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "pool");
    filled.arg = arg;
    err = ctx ? aldis_ctx_spawn_raw(ctx, behaviour, &filled, out_id)
              : aldis_system_spawn_raw(system, behaviour, &filled, out_id);
    free(arg);
    return err;
}

aldis_err aldis_ctx_pool_spawn_raw(aldis_ctx *ctx, const aldis_behaviour *behaviour,
                                   const aldis_pool_opts *opts, const aldis_spawn_opts *how,
                                   aldis_id *out_id)
{
    if (!ctx)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "pool: the context is NULL");
    return spawn(ctx, NULL, behaviour, opts, how, out_id);
}

aldis_err aldis_system_pool_spawn_raw(aldis_system *system, const aldis_behaviour *behaviour,
                                      const aldis_pool_opts *opts, const aldis_spawn_opts *how,
                                      aldis_id *out_id)
{
    return spawn(NULL, system, behaviour, opts, how, out_id);
}
