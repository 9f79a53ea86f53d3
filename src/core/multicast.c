// SPDX-License-Identifier: Apache-2.0
/* multicast.c: one payload for many receivers. A hot path beside the tour: may not lock, log or
 * touch a shared counter.
 *
 * Layer: core. deliver() is the whole way to one receiver on this worker, as aldis_ctx_send_raw()
 * is for a single message; what is not that simple is in the functions below it. */
#include "core/multicast.h"

#include "base/error.h"
#include "base/hash.h"
#include "core/backpressure.h"
#include "core/bound.h"
#include "core/deliver.h"
#include "core/memory.h"
#include "core/outside.h"
#include "core/send.h"
#include "core/timer.h"
#include "core/virtual.h"
#include "core/vsend.h"
#include <string.h>

enum { AHEAD = 8 };

/* More than there can be blocks: while the multicast goes on, no block that is freed (a full
 * mailbox may drop its oldest message, which may be one of ours) ends the payload. */
#define REFS_HELD (UINT64_C(1) << 62)

static void deliver_slow(struct aldis__multicast *cast, aldis_id to, uint64_t place, uint64_t word);

/* Live or virtual, a header and a pointer are the smallest block. */
_Static_assert(sizeof(struct aldis__stamp) + sizeof(struct aldis__msg) + sizeof(void *) <= 64,
               "a message with a shared payload has a block of ALDIS__POOL_CLASS_POINTER");

/* What stays the same from one receiver to the next: copied out, so that the stores into cells and
 * messages do not make the compiler load it again and again. */
struct route {
    struct aldis__worker *worker;
    struct aldis__pool *pool;
    aldis_system *system;
    struct aldis__shared *shared;
    aldis_id from;
    uint32_t owner, type;
    uint64_t tag;
    int32_t units; /* of the mailbox's room: the payload counts for each */
    bool special;  /* the sender's messages all take the slow path */
};

static struct route route_of(const struct aldis__multicast *cast)
{
    struct aldis__worker *worker = cast->worker;
    unsigned class = cast->class;
    unsigned flags = ALDIS__MSG_SHARED | ALDIS__MSG_FANOUT | aldis__ctx_send_flags(&worker->ctx);
    return (struct route){
        .worker = worker,
        .pool = worker->pool,
        .system = worker->ctx.system,
        .shared = cast->shared,
        .from = worker->ctx.cell->id,
        .owner = worker->index,
        .type = cast->type,
        .tag = ALDIS__MSG_TAG(cast->type, flags, ALDIS__RANK_NORMAL, class, worker->pool_stamp),
        .units = aldis__class_units[class],
        .special = worker->ctx.special,
    };
}

static inline void fill(const struct route *route, struct aldis__msg *msg, aldis_id to)
{
    msg->to = to;
    msg->from = route->from;
    msg->tag = route->tag;
    *(struct aldis__shared **)aldis__msg_inline(msg) = route->shared;
}

/* False: it is not that simple. */
static inline bool deliver(const struct route *route, aldis_id to, struct aldis__cell *cell,
                           uint64_t word)
{
    struct aldis__shard *shard = &route->system->shards[aldis__word_home(word)];
    struct aldis__msg *msg = route->pool->free[ALDIS__POOL_CLASS_POINTER];
    if (aldis__unlikely(route->special || !msg || !aldis__word_is_open(word, to) ||
                        aldis__handover_owner(&shard->handover) != route->owner ||
                        !cell->kind->handle[route->type] || cell->depth >= cell->mark ||
                        cell->room < route->units))
        return false;
    aldis__pool_pop(route->pool, msg, ALDIS__POOL_CLASS_POINTER);
    fill(route, msg, to);
    aldis__mailbox_append(cell, msg, route->units);
    aldis__cell_schedule_for_mail(route->worker, shard, cell);
    return true;
}

static inline void count_delivered(struct aldis__multicast *cast, uint64_t delivered)
{
    cast->matched += delivered;
    cast->delivered += delivered;
    cast->blocks += delivered;
}

/* Its cell, on its way into the cache, and its word. */
static inline struct aldis__cell *look_ahead(aldis_system *system, aldis_id to)
{
    uint64_t place = aldis__id_index(to, system->node_base);
    struct aldis__cell *cell = aldis__system_cell(system, place);
    __builtin_prefetch(cell, 1);
    __builtin_prefetch(&system->directory[place]);
    return cell;
}

/* The same in virtual time, where the receivers themselves are not looked at before their windows:
 * see aldis__virtual_try_send(), with which this has its conditions in common. Returns how many of
 * the first ids are done with, by this way or the slow one. */
static size_t send_virtual(struct aldis__multicast *cast, const aldis_id *ids, size_t count)
{
    const struct route route = route_of(cast);
    struct aldis__worker *worker = route.worker;
    aldis_system *system = route.system;
    struct aldis__cell *sender = worker->ctx.cell;
    aldis_ns delay_ns = system->opts.default_delay_ns;
    aldis_ns at_ns = worker->ctx.now_ns + worker->ctx.busy_ns + delay_ns;
    if ((sender->flags & (ALDIS__CELL_OVERFLOW | ALDIS__CELL_LINKED)) ||
        delay_ns < system->opts.lookahead_ns || at_ns >= ALDIS_FOREVER - 1 || at_ns < delay_ns)
        return 0;
    const uint64_t window = aldis__vqueue_window_at(&system->shards[0].future, at_ns);
    uint64_t delivered = 0;
    size_t i = 0;
    for (; i < count && worker->run_sent < worker->send_quota; i++) {
        aldis_id to = ids[i];
        if (i + AHEAD < count)
            __builtin_prefetch(
                &system->directory[aldis__id_index(ids[i + AHEAD], system->node_base)]);
        if (aldis_id_equal(to, cast->self))
            continue;
        uint64_t place = aldis__id_index(to, system->node_base);
        uint64_t word = aldis__directory_read(&system->directory[place]);
        struct aldis__msg *msg = route.pool->free[ALDIS__POOL_CLASS_POINTER];
        if (aldis__unlikely(
                !msg || !aldis__word_is_open(word, to) || (word & ALDIS__WORD_FULL) ||
                !aldis__system_kind(system, aldis__word_kind(word))->handle[route.type])) {
            deliver_slow(cast, to, place, word);
            continue;
        }
        aldis__pool_pop(route.pool, msg, ALDIS__POOL_CLASS_POINTER);
        fill(&route, msg, to);
        *aldis__msg_stamp(msg) = (struct aldis__stamp){at_ns, sender->sequence++};
        worker->run_sent++;
        aldis__virtual_put(worker, aldis__word_home(word), (struct aldis__sort_entry){place, msg},
                           window);
        delivered++;
    }
    count_delivered(cast, delivered);
    return i;
}

void aldis__multicast_ids(struct aldis__multicast *cast, const aldis_id *ids, size_t count)
{
    if (cast->worker->send_quota) { /* virtual time */
        size_t done = send_virtual(cast, ids, count);
        ids += done;
        count -= done;
    }
    const struct route route = route_of(cast);
    aldis_system *system = route.system;
    const aldis_id self = cast->self;
    struct aldis__cell *ahead[AHEAD]; /* a ring: the cells of the next receivers */
    uint64_t delivered = 0;
    for (size_t i = 0; i < AHEAD && i < count; i++)
        ahead[i] = look_ahead(system, ids[i]);
    for (size_t i = 0; i < count; i++) {
        aldis_id to = ids[i];
        struct aldis__cell *cell = ahead[i % AHEAD];
        if (i + AHEAD < count)
            ahead[i % AHEAD] = look_ahead(system, ids[i + AHEAD]);
        if (aldis_id_equal(to, self))
            continue;
        uint64_t place = aldis__id_index(to, system->node_base);
        uint64_t word = aldis__directory_read(&system->directory[place]);
        if (aldis__likely(deliver(&route, to, cell, word)))
            delivered++;
        else
            deliver_slow(cast, to, place, word);
    }
    count_delivered(cast, delivered);
}

/* ------------------------------------------------------------------ what is not that simple */

/* False: its subscription has dropped it, and it is gone. The publisher hears of that by the
 * result. */
static bool arrives(struct aldis__multicast *cast, struct aldis__cell *cell, struct aldis__msg *msg)
{
    uint8_t notice = msg->flags & ALDIS__MSG_NOTICE;
    msg->flags &= (uint8_t)~ALDIS__MSG_NOTICE;
    if (!aldis__tracked_arrived(cast->worker, cell, msg)) {
        cast->refused++;
        return false;
    }
    msg->flags |= notice;
    return true;
}

static void place_local(struct aldis__multicast *cast, struct aldis__shard *shard,
                        struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__worker *worker = cast->worker;
    aldis_err err = ALDIS_EFULL;
    bool tracked = (msg->flags & ALDIS__MSG_TRACKED) != 0;
    if (tracked && !arrives(cast, cell, msg))
        return;
    if (!(cell->flags & ALDIS__CELL_HELD))
        err = aldis__mailbox_push_slow(worker, cell, msg);
    if (err == ALDIS_OK) {
        aldis__mark_full(worker, cell);
        aldis__cell_schedule_for_mail(worker, shard, cell);
        cast->delivered++;
        return;
    }
    aldis_overflow_policy policy = aldis__cell_limits(cell)->policy;
    if (err == ALDIS_EFULL && (policy == ALDIS_DROP_OLDEST || policy == ALDIS_KEEP_NEWEST)) {
        aldis__admit(worker, shard, cell, msg);
        cast->delivered++;
        return;
    }
    bool drop = err == ALDIS_EFULL && policy == ALDIS_DROP_NEWEST;
    if (tracked)
        aldis__tracked_end(worker, msg, drop ? ALDIS__DROPPED : ALDIS__REJECTED, err);
    aldis__pool_free(worker->pool, msg);
    if (drop)
        cast->dropped++;
    else
        cast->rejected++;
}

/* The chain's own bound refuses; a chain that its inbox does not take yet parks nobody here. */
static void place_remote(struct aldis__multicast *cast, uint32_t shard, struct aldis__msg *msg)
{
    struct aldis__worker *worker = cast->worker;
    if (worker->out[shard].count >= worker->ctx.system->opts.overflow_msgs) {
        aldis__pool_free(worker->pool, msg);
        cast->rejected++;
        return;
    }
    (void)aldis__chain_append(worker, shard, msg);
    cast->delivered++;
}

/* Live, with a delay. */
static void place_later(struct aldis__multicast *cast, struct aldis__msg *msg)
{
    struct aldis__worker *worker = cast->worker;
    const aldis_ctx *ctx = &worker->ctx;
    aldis_ns due_ns = cast->delay_ns > ALDIS_FOREVER - 1 - ctx->now_ns
                          ? ALDIS_FOREVER - 1
                          : ctx->now_ns + cast->delay_ns;
    if (aldis__timer_delay(worker, ctx->shard, msg, due_ns)) {
        cast->delivered++;
        return;
    }
    aldis__pool_free(worker->pool, msg);
    cast->rejected++;
}

/* Is it certain before anything is made that the receiver takes no message now? What the sender had
 * to keep for it must not be overtaken. */
static bool is_refused(const struct aldis__multicast *cast, aldis_id to, uint64_t word)
{
    const aldis_ctx *ctx = &cast->worker->ctx;
    return (word & ALDIS__WORD_CLOSING) ||
           ((word & ALDIS__WORD_FULL) && !ctx->system->virtual_time) ||
           ((ctx->cell->flags & ALDIS__CELL_OVERFLOW) && aldis__overflow_has(ctx->cell, to));
}

/* A message with a track, and so with a copy of its own of the payload and the topic behind it. */
static struct aldis__msg *make_tracked(const struct aldis__multicast *cast, aldis_id to)
{
    struct aldis__worker *worker = cast->worker;
    struct aldis__shared *shared = cast->shared;
    bool varies = aldis__type_info(cast->type)->size == ALDIS_SIZE_VARIES;
    size_t bytes = shared->size + shared->topic;
    size_t before = sizeof cast->track + (varies ? sizeof(struct aldis__msg_varying) : 0);
    struct aldis__msg *msg = aldis__pool_alloc(worker->pool, before + bytes);
    if (!msg)
        return NULL;
    unsigned flags = ALDIS__MSG_TRACKED | ALDIS__MSG_FANOUT | aldis__ctx_send_flags(&worker->ctx);
    msg->to = to;
    msg->from = worker->ctx.cell->id;
    msg->type = (uint16_t)cast->type;
    msg->flags = (uint8_t)(flags | (varies ? ALDIS__MSG_VARIES : 0u));
    msg->lane_class = (uint8_t)(msg->lane_class | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = worker->pool_stamp;
    *aldis__msg_track(msg) = cast->track;
    if (varies) {
        aldis__pool_note_varying(worker->pool, msg);
        *(struct aldis__msg_varying *)(void *)(aldis__msg_track(msg) + 1) =
            (struct aldis__msg_varying){shared->size, 0};
    }
    memcpy((char *)aldis__msg_inline(msg) + before, aldis__shared_payload(shared), bytes);
    return msg;
}

static struct aldis__msg *make(struct aldis__multicast *cast, aldis_id to)
{
    if (cast->track.tracker)
        return make_tracked(cast, to);
    struct aldis__msg *msg = aldis__pool_alloc(cast->worker->pool, sizeof cast->shared);
    if (!msg)
        return NULL;
    const struct route route = route_of(cast);
    fill(&route, msg, to);
    cast->blocks++;
    return msg;
}

/* Other workers, virtual time, full or closing mailboxes, kinds that do not accept the type. What
 * another worker may be changing is not looked at: the word tells enough. */
static ALDIS_COLD void deliver_slow(struct aldis__multicast *cast, aldis_id to, uint64_t place,
                                    uint64_t word)
{
    struct aldis__worker *worker = cast->worker;
    aldis_system *system = worker->ctx.system;
    if (!aldis__word_is_alive(word, to) || (word & ALDIS__WORD_STARTING))
        return; /* not there any more, or not yet */
    if (!aldis__system_kind(system, aldis__word_kind(word))->handle[cast->type]) {
        cast->skipped++;
        return;
    }
    cast->matched++;
    struct aldis__msg *msg = is_refused(cast, to, word) ? NULL : make(cast, to);
    if (!msg) {
        cast->rejected++;
        return;
    }
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (system->virtual_time) {
        if (aldis__virtual_send(worker, msg, shard->index, cast->delay_ns) == ALDIS_OK) {
            cast->delivered++;
        } else {
            aldis__pool_free(worker->pool, msg);
            cast->rejected++;
        }
    } else if (cast->delay_ns > 0) {
        place_later(cast, msg);
    } else if (aldis__handover_owner(&shard->handover) == worker->index) {
        place_local(cast, shard, aldis__system_cell(system, place), msg);
    } else {
        place_remote(cast, shard->index, msg);
    }
}

/* ------------------------------------------------------------------ bounded subscriptions */

void aldis__multicast_tracked(struct aldis__multicast *cast, aldis_id to)
{
    aldis_system *system = cast->worker->ctx.system;
    uint64_t place = aldis__id_index(to, system->node_base);
    if (!aldis_id_equal(to, cast->self))
        deliver_slow(cast, to, place, aldis__directory_read(&system->directory[place]));
}

size_t aldis__multicast_topic_place(const struct aldis__multicast *cast)
{
    bool varies = aldis__type_info(cast->type)->size == ALDIS_SIZE_VARIES;
    return cast->shared->size + (varies ? sizeof(struct aldis__msg_varying) : 0);
}

static void deliver_bounded(struct aldis__multicast *cast, aldis_id to, uint64_t bound)
{
    cast->track = aldis__bound_track(bound, aldis__multicast_topic_place(cast));
    aldis__multicast_tracked(cast, to);
    cast->track.tracker = NULL;
}

void aldis__multicast_bounded(struct aldis__multicast *cast, const aldis_id *ids,
                              const uint64_t *bounds, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t plain = 0; /* those between two bounded ones go the fast way, together */
        while (i + plain < count && !bounds[i + plain])
            plain++;
        aldis__multicast_ids(cast, ids + i, plain);
        i += plain;
        if (i < count)
            deliver_bounded(cast, ids[i], bounds[i]);
        i++;
    }
}

/* ------------------------------------------------------------------ one of several */

/* The same in every run: the publisher's own count, not how many others have drawn before. */
static uint64_t draw(const aldis_ctx *ctx)
{
    const uint64_t local = ~(UINT64_C(0xff) << ALDIS__NODE_SHIFT);
    uint64_t who = aldis__mix64(ctx->system->opts.seed ^ aldis__mix64(ctx->cell->id.bits & local));
    struct aldis__cell_ext *ext = aldis__cell_extend(ctx->cell);
    return aldis__mix64(who + (ext ? ext->choices++ : 0)); /* without memory: always the same */
}

enum taker { TAKES_NOTHING, STRANGE, CLOSED, OPEN };

/* How would it fare if it were sent the message now? */
static enum taker look_at(const struct aldis__multicast *cast, aldis_id to, uint64_t bound)
{
    struct aldis__worker *worker = cast->worker;
    aldis_system *system = worker->ctx.system;
    uint64_t place = aldis__id_index(to, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (aldis_id_equal(to, cast->self) || !aldis__word_is_alive(word, to) ||
        (word & ALDIS__WORD_STARTING))
        return TAKES_NOTHING;
    if (!aldis__system_kind(system, aldis__word_kind(word))->handle[cast->type])
        return STRANGE;
    if (is_refused(cast, to, word) || (word & ALDIS__WORD_FULL))
        return CLOSED;
    struct aldis__shard *shard = &system->shards[aldis__word_home(word)];
    if (system->virtual_time || aldis__handover_owner(&shard->handover) != worker->index)
        return OPEN;
    const struct aldis__cell *cell = aldis__system_cell(system, place);
    const uint32_t busy = ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING | ALDIS__CELL_HELD;
    bool full = cell->depth >= aldis__cell_limits(cell)->capacity_max ||
                (cell->depth > 0 && cell->room < aldis__class_units[cast->class]) ||
                (bound && aldis__bound_is_full(cell, bound));
    return full || (cell->flags & busy) ? CLOSED : OPEN;
}

static void deliver_one(struct aldis__multicast *cast, aldis_id to, uint64_t bound)
{
    if (bound)
        deliver_bounded(cast, to, bound);
    else
        aldis__multicast_ids(cast, &to, 1);
}

void aldis__multicast_one(struct aldis__multicast *cast, const aldis_id *ids,
                          const uint64_t *bounds, size_t count)
{
    size_t first = (size_t)(draw(&cast->worker->ctx) % count), closed = count;
    uint64_t strange = 0;
    for (size_t n = 0; n < count; n++) {
        size_t i = (first + n) % count;
        switch (look_at(cast, ids[i], bounds ? bounds[i] : 0)) {
        case TAKES_NOTHING:
            break;
        case STRANGE:
            strange++;
            break;
        case CLOSED:
            closed = closed == count ? i : closed;
            break;
        case OPEN:
            deliver_one(cast, ids[i], bounds ? bounds[i] : 0);
            return;
        }
    }
    if (closed < count)
        deliver_one(cast, ids[closed], bounds ? bounds[closed] : 0); /* it refuses: counted */
    else
        cast->skipped += strange;
}

/* ------------------------------------------------------------------ everybody */

/* The index of a kind; ALDIS__KINDS_MAX: none of its actors was ever spawned here. */
static uint32_t kind_index(aldis_system *system, const aldis_behaviour *behaviour)
{
    for (uint32_t i = 0; i < ALDIS__KINDS_MAX; i++) {
        const struct aldis__kind *kind = aldis__system_kind(system, i);
        if (!kind)
            break;
        if (kind->behaviour == behaviour)
            return i;
    }
    return ALDIS__KINDS_MAX;
}

/* Slots are used in order, and a new one only when no old one is free: the first word that was
 * never written is the end, and what is being spawned beyond it has not begun to live. */
static void deliver_shard(struct aldis__multicast *cast, const struct route *route, uint32_t birth,
                          uint32_t kind)
{
    aldis_system *system = route->system;
    uint64_t place = (uint64_t)birth << ALDIS__SLOT_BITS;
    uint64_t end = place + system->opts.actors_max;
    for (; place < end; place++) {
        uint64_t word = aldis__directory_read(&system->directory[place]);
        if (word == 0)
            return;
        if (!(word & ALDIS__WORD_ALIVE) || (kind != UINT32_MAX && aldis__word_kind(word) != kind))
            continue;
        aldis_id to = {(system->node_base + place) << ALDIS__GEN_BITS | (word & ALDIS__GEN_MASK)};
        if (aldis_id_equal(to, cast->self))
            continue;
        if (aldis__likely(deliver(route, to, aldis__system_cell(system, place), word)))
            count_delivered(cast, 1);
        else
            deliver_slow(cast, to, place, word);
    }
}

void aldis__multicast_all(struct aldis__multicast *cast, const aldis_behaviour *kind)
{
    aldis_system *system = cast->worker->ctx.system;
    const struct route route = route_of(cast);
    uint32_t index = kind ? kind_index(system, kind) : UINT32_MAX;
    /* One more than the shards: the actors that were spawned from outside. */
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        deliver_shard(cast, &route, birth, index);
}

/* ------------------------------------------------------------------ begin, end */

/* The payload, and behind it the topic. */
static struct aldis__shared *store(struct aldis__pool *pool, const aldis_send_item *item,
                                   const struct aldis__topic_text *topic)
{
    size_t more = topic ? topic->size + 1 : 0;
    struct aldis__shared *shared = aldis__pool_shared_new(pool, NULL, item->size + more);
    if (!shared)
        return NULL;
    char *bytes = aldis__shared_payload(shared);
    shared->refs = REFS_HELD;
    shared->size = item->size;
    shared->topic = (uint32_t)more;
    if (item->size)
        memcpy(bytes, item->payload, item->size);
    if (topic)
        memcpy(bytes + item->size, topic->text, more);
    return shared;
}

aldis_err aldis__multicast_begin_on(struct aldis__multicast *cast, struct aldis__worker *worker,
                                    const struct aldis__topic_text *topic,
                                    const aldis_send_item *item, bool to_self)
{
    const aldis_system *system = worker->ctx.system;
    unsigned shared_class =
        aldis__pool_class_to_count(worker->pool, sizeof *cast->shared + item->size);
    bool has_room = !system->memory || !system->virtual_time ||
                    aldis__memory_spend(worker, aldis__pool_block_bytes(shared_class), false);
    worker->memory_refusals += !has_room;
    struct aldis__shared *shared = has_room ? store(worker->pool, item, topic) : NULL;
    if (!shared)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), item->type->name,
                                "send: %s of %u bytes to many", item->type->name, item->size);
    *cast = (struct aldis__multicast){
        .worker = worker, .shared = shared, .type = aldis__type_index_if_known(item->type)};
    bool varies = item->type->size == ALDIS_SIZE_VARIES;
    cast->class = aldis__pool_class_to_count(
        worker->pool, item->size + (varies ? sizeof(struct aldis__msg_varying) : 0));
    if (!to_self)
        cast->self = worker->ctx.cell->id;
    return ALDIS_OK;
}

aldis_err aldis__multicast_begin(struct aldis__multicast *cast, struct aldis__worker *worker,
                                 aldis_type *type, const void *payload, size_t size, bool to_self)
{
    uint32_t index;
    aldis_err err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err;
    const aldis_send_item item = {aldis_nobody(), type, payload, (uint32_t)size};
    return aldis__multicast_begin_on(cast, worker, NULL, &item, to_self);
}

void aldis__multicast_end(struct aldis__multicast *cast)
{
    struct aldis__worker *worker = cast->worker;
    struct aldis_type_stats *counts = &worker->counts[cast->type];
    counts->sent += cast->matched;
    counts->rejected += cast->rejected;
    counts->dropped += cast->dropped;
    if (cast->blocks && aldis__type_info(cast->type)->size == ALDIS_SIZE_VARIES)
        aldis__pool_note_shared(worker->pool, sizeof *cast->shared + cast->shared->size,
                                cast->blocks);
    cast->shared->refs -= REFS_HELD - cast->blocks;
    if (cast->shared->refs == 0)
        aldis__pool_shared_unref(worker->pool, cast->shared);
}

/* ------------------------------------------------------------------ marks of the router */

/* The flag belongs to the owner of the actor's shard: whoever is not that sends it a message. Where
 * the actor has ended by then, deliver_to_ended() tells the router, so no end is missed. */
void aldis__routed_mark(struct aldis__worker *worker, aldis_id actor)
{
    aldis_system *system = worker->ctx.system;
    uint64_t place = aldis__id_index(actor, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (aldis__word_is_alive(word, actor) &&
        aldis__handover_owner(&system->shards[aldis__word_home(word)].handover) == worker->index)
        aldis__system_cell(system, place)->flags |= ALDIS__CELL_ROUTED;
    else
        aldis__post_runtime(worker, aldis_nobody(), actor, ALDIS__TYPE_ROUTED, NULL, 0);
}

void aldis__routed_mark_at_rest(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    aldis__system_cell(system, place)->flags |= ALDIS__CELL_ROUTED;
}

aldis_err aldis__routed_mark_outside(aldis_system *system, aldis_id actor)
{
    return aldis__outside_post(system, aldis_nobody(), actor, ALDIS__TYPE_ROUTED, NULL);
}
