// SPDX-License-Identifier: Apache-2.0
/* keeper.c: the actor of a place that tells its watchers. Layer: messaging. See place.h.
 *
 * Orders (watch, unwatch) come to it as messages, and all watches are its own, so nothing of this
 * needs a lock. It is woken after the grid has changed; then it compares, for each watch, who is in
 * the sphere with whom the watch has told of. What is to be told is queued in the watch, and sent
 * as far as the watcher has room: a full watcher is asked to say when it has (the runtime's WAIT
 * and ROOM), so that its keeper is never parked and the other watchers need not wait for it. */
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "core/backpressure.h"
#include "core/send.h"
#include "core/virtual.h"
#include "messaging/place.h"
#include "messaging/table.h"
#include <stdlib.h>
#include <string.h>

struct watch_order {
    aldis_point centre;
    double radius;
    uint64_t kind_key; /* 0: every kind */
    uint32_t tag, flags;
};
#define ORDER_END (1u << 31)

enum { EVENT_UNITS = 8 }; /* at least what an event takes of a mailbox's room */

ALDIS_MESSAGE(aldis_place_order, struct watch_order);
ALDIS_SIGNAL(aldis_place_refresh);

#define KEEPER_PROTOCOL(X, kind) X(kind, aldis_place_order) X(kind, aldis_place_refresh)
ALDIS_PROTOCOL(aldis__keeper, KEEPER_PROTOCOL);

enum what { ENTERED, LEFT };

struct event {
    struct aldis__spot spot;
    uint32_t what;
    uint32_t dropped; /* while pairs are cancelled */
};

struct watch {
    struct aldis__link link; /* by (watcher, tag) */
    aldis_id watcher;
    uint32_t index; /* in the list */
    struct watch_order order;
    bool has_centre, waiting; /* waiting: for room at the watcher */
    /* By id: whom the events so far, queued ones too, say to be inside. */
    struct aldis__spot *told;
    uint32_t told_count, told_capacity;
    struct event *events; /* to be sent: first .. end - 1 */
    uint32_t first, end, event_capacity;
    uint32_t cancel_at; /* so many are too many */
};

struct aldis__watches {
    struct aldis__place *place;
    struct aldis__table table;
    struct watch **list;
    uint32_t capacity;
    bool again; /* look again, though nothing may have changed */
    bool armed; /* live: a delayed refresh is under way */
    struct aldis__spot *hits;
    uint32_t hit_count, hit_capacity;
    _Atomic(uint64_t) count, events, waiting, cancelled, refused;
};

struct keeper {
    struct aldis__place *place;
};

/* ------------------------------------------------------------------ the list of watches */

static uint64_t watch_hash(aldis_id watcher, uint32_t tag)
{
    return aldis__mix64(watcher.bits ^ aldis__mix64(tag + UINT64_C(1)));
}

static struct watch *find_watch(struct aldis__watches *watches, aldis_id watcher, uint32_t tag)
{
    uint64_t hash = watch_hash(watcher, tag);
    struct aldis__link *link = aldis__table_first(&watches->table, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        struct watch *watch = (struct watch *)link;
        if (aldis_id_equal(watch->watcher, watcher) && watch->order.tag == tag)
            return watch;
    }
    return NULL;
}

static bool reserve_list(struct aldis__watches *watches)
{
    if (watches->table.count < watches->capacity)
        return true;
    uint32_t capacity = watches->capacity ? 2 * watches->capacity : 16;
    struct watch **list = realloc(watches->list, capacity * sizeof(struct watch *));
    if (!list)
        return false;
    watches->list = list;
    watches->capacity = capacity;
    return true;
}

static struct watch *add_watch(struct aldis__watches *watches, aldis_id watcher, uint32_t tag)
{
    if (!reserve_list(watches) || !aldis__table_reserve(&watches->table))
        return NULL;
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->watcher = watcher;
    watch->order.tag = tag;
    watch->cancel_at = watches->place->opts.events_max;
    watch->index = (uint32_t)watches->table.count;
    watches->list[watch->index] = watch;
    aldis__table_add(&watches->table, &watch->link, watch_hash(watcher, tag));
    return watch;
}

static void free_watch(struct watch *watch)
{
    free(watch->told);
    free(watch->events);
    free(watch);
}

static void end_watch(struct aldis__watches *watches, struct watch *watch)
{
    aldis__table_remove(&watches->table, &watch->link);
    struct watch *last = watches->list[watches->table.count];
    watches->list[watch->index] = last;
    last->index = watch->index;
    aldis__tally(&watches->waiting, (uint64_t)0 - (watch->end - watch->first));
    free_watch(watch);
}

/* ------------------------------------------------------------------ sending */

/* The part of the keeper's own shard. */
static struct aldis__place_part *keeper_part(struct aldis__place *place)
{
    return &place->parts[aldis__keeper_shard(place)];
}

static void look_again(struct aldis__watches *watches, struct aldis__worker *worker)
{
    struct aldis__place *place = watches->place;
    if (watches->again)
        return; /* it is coming */
    watches->again = true;
    if (place->system->virtual_time)
        aldis__place_list(worker, keeper_part(place));
    else
        aldis__place_wake(worker, place, place->keeper);
}

static void wait_for_room(aldis_ctx *ctx, struct watch *watch)
{
    if (!watch->waiting)
        aldis__post_runtime(aldis__worker_of(ctx), ctx->cell->id, watch->watcher, ALDIS__TYPE_WAIT,
                            NULL, 0);
    watch->waiting = true;
}

/* A send that finds a full mailbox would park the keeper. What fills up after this look is held by
 * the mailbox (ALDIS_WAIT). */
static bool has_room(aldis_ctx *ctx, const struct watch *watch)
{
    aldis_system *system = ctx->system;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    uint64_t index = aldis__id_index(watch->watcher, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    if (!aldis__word_is_alive(word, watch->watcher))
        return true; /* the send tells */
    if (word & ALDIS__WORD_FULL)
        return false;
    if (system->virtual_time ||
        aldis__handover_owner(&system->shards[aldis__word_home(word)].handover) != worker->index)
        return true;
    struct aldis__cell *cell = aldis__system_cell(system, index);
    aldis__mark_full(worker, cell);
    return !(cell->flags & ALDIS__CELL_FULL) && (cell->room >= EVENT_UNITS || cell->depth == 0);
}

/* ALDIS_OK: sent; ALDIS_EFULL: not now; else never. */
static aldis_err send_event(aldis_ctx *ctx, struct aldis__watches *watches, struct watch *watch,
                            aldis_type *type, const struct aldis__spot *spot)
{
    if (watch->waiting || !has_room(ctx, watch)) {
        wait_for_room(ctx, watch);
        return ALDIS_EFULL;
    }
    aldis_place_event event = {
        spot->id, {spot->x, spot->y, spot->z}, {watches->place->number}, watch->order.tag};
    aldis_send_opts opts = {0};
    if (ctx->system->virtual_time)
        opts.delay_ns = ctx->system->opts.lookahead_ns;
    aldis_err err = aldis_ctx_send_opts_raw(ctx, watch->watcher, type, &event, sizeof event, &opts);
    if (err == ALDIS_OK)
        aldis__tally(&watches->events, 1);
    if (err == ALDIS_ENOMEM || err == ALDIS_EFULL || err == ALDIS_EAGAIN) {
        look_again(watches, aldis__worker_of(ctx));
        return ALDIS_EFULL;
    }
    return err;
}

/* True: nothing waits any more. */
static bool send_waiting(aldis_ctx *ctx, struct aldis__watches *watches, struct watch *watch)
{
    while (watch->first < watch->end) {
        const struct event *event = &watch->events[watch->first];
        aldis_err err = send_event(ctx, watches, watch,
                                   event->what == ENTERED ? &aldis_entered_type : &aldis_left_type,
                                   &event->spot);
        if (err == ALDIS_EFULL)
            return false;
        watch->first++; /* it was sent, or its watcher is about to end */
        aldis__tally(&watches->waiting, (uint64_t)-1);
    }
    watch->first = watch->end = 0;
    return true;
}

/* ------------------------------------------------------------------ the queue of a watch */

static bool reserve_spots(struct aldis__spot **spots, uint32_t *capacity, uint32_t count)
{
    if (count <= *capacity)
        return true;
    uint32_t more = count + count / 2 + 16;
    struct aldis__spot *made = realloc(*spots, more * sizeof *made);
    if (!made)
        return false;
    *spots = made;
    *capacity = more;
    return true;
}

static bool reserve_events(struct watch *watch, uint32_t more)
{
    if (watch->first > 0) {
        watch->end -= watch->first;
        memmove(watch->events, watch->events + watch->first, watch->end * sizeof *watch->events);
        watch->first = 0;
    }
    if (watch->end + more <= watch->event_capacity)
        return true;
    uint32_t capacity = watch->end + more + watch->event_capacity / 2;
    struct event *events = realloc(watch->events, capacity * sizeof *events);
    if (!events)
        return false;
    watch->events = events;
    watch->event_capacity = capacity;
    return true;
}

static void queue_event(struct aldis__watches *watches, struct watch *watch, enum what what,
                        const struct aldis__spot *spot)
{
    watch->events[watch->end++] = (struct event){*spot, what, 0};
    aldis__tally(&watches->waiting, 1);
}

/* By actor, then as queued. */
static int compare_events(const void *a, const void *b)
{
    const struct event *x = *(struct event *const *)a, *y = *(struct event *const *)b;
    if (x->spot.id.bits != y->spot.id.bits)
        return x->spot.id.bits < y->spot.id.bits ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Enters and leaves of one actor take turns, so of an even number of them none is needed, and of an
 * odd number only the last. Without memory nothing is cancelled. */
static void cancel_pairs(struct aldis__watches *watches, struct watch *watch)
{
    uint32_t count = watch->end;
    struct event **order = malloc(count * sizeof(struct event *));
    if (!order)
        return;
    for (uint32_t i = 0; i < count; i++)
        order[i] = &watch->events[i];
    qsort(order, count, sizeof(struct event *), compare_events);
    for (uint32_t i = 0, same; i < count; i += same) {
        same = 1;
        while (i + same < count && aldis_id_equal(order[i + same]->spot.id, order[i]->spot.id))
            same++;
        for (uint32_t j = 0; j < (same & ~1u); j++)
            order[i + j]->dropped = 1;
    }
    free(order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!watch->events[i].dropped)
            watch->events[kept++] = watch->events[i];
    watch->end = kept;
    aldis__tally(&watches->cancelled, count - kept);
    aldis__tally(&watches->waiting, (uint64_t)0 - (count - kept));
    uint32_t least = watches->place->opts.events_max;
    watch->cancel_at = 2 * kept > least ? 2 * kept : least;
}

/* ------------------------------------------------------------------ looking */

struct look {
    struct aldis__watches *watches;
    const struct watch *watch;
    bool failed;
};

static uint64_t kind_key(const aldis_behaviour *kind)
{
    return kind ? aldis__fnv64(ALDIS__FNV64_START, kind->name, strlen(kind->name)) : 0;
}

static bool is_meant(const struct look *look, aldis_id actor)
{
    if (aldis_id_equal(actor, look->watch->watcher))
        return false;
    uint64_t key = look->watch->order.kind_key;
    if (!key)
        return true;
    aldis_system *system = look->watches->place->system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(actor, system->node_base)]);
    return aldis__word_is_alive(word, actor) &&
           kind_key(aldis__system_kind(system, aldis__word_kind(word))->behaviour) == key;
}

static void note_hit(void *arg, const struct aldis__spot *spot, double distance2)
{
    struct look *look = arg;
    struct aldis__watches *watches = look->watches;
    (void)distance2;
    if (!is_meant(look, spot->id))
        return;
    if (reserve_spots(&watches->hits, &watches->hit_capacity, watches->hit_count + 1))
        watches->hits[watches->hit_count++] = *spot;
    else
        look->failed = true;
}

static int compare_spots(const void *a, const void *b)
{
    const struct aldis__spot *x = a, *y = b;
    return x->id.bits < y->id.bits ? -1 : x->id.bits > y->id.bits;
}

static bool collect_hits(aldis_ctx *ctx, struct aldis__watches *watches, const struct watch *watch)
{
    struct look look = {watches, watch, false};
    watches->hit_count = 0;
    if (!watch->has_centre)
        return true;
    const aldis_point *centre = &watch->order.centre;
    const struct aldis__ball ball = {centre->x, centre->y, centre->z, watch->order.radius};
    aldis__grid_scan(aldis__place_look(watches->place, aldis__worker_of(ctx), ball.radius), &ball,
                     note_hit, &look);
    if (watches->hit_count > 1)
        qsort(watches->hits, watches->hit_count, sizeof *watches->hits, compare_spots);
    return !look.failed;
}

/* Both lists are by id. If moves are told, those that stay inside trade places: `hits` then has the
 * position that was told last, and `told` the newest, for send_moves(). */
static void queue_changes(struct aldis__watches *watches, struct watch *watch)
{
    const struct aldis__spot *told = watch->told;
    struct aldis__spot *hits = watches->hits;
    bool moves = watch->order.flags & ALDIS_WATCH_MOVES;
    uint32_t i = 0, j = 0;
    while (i < watch->told_count || j < watches->hit_count) {
        bool old_first =
            j == watches->hit_count || (i < watch->told_count && told[i].id.bits < hits[j].id.bits);
        bool new_first =
            !old_first && (i == watch->told_count || hits[j].id.bits < told[i].id.bits);
        if (old_first) {
            queue_event(watches, watch, LEFT, &told[i++]);
        } else if (new_first) {
            queue_event(watches, watch, ENTERED, &hits[j++]);
        } else {
            i++;
            j++;
        }
    }
    /* Backwards, so that what is still needed is not written over. */
    for (i = watch->told_count, j = watches->hit_count; moves && i > 0 && j > 0;) {
        if (told[i - 1].id.bits == hits[j - 1].id.bits) {
            struct aldis__spot now = hits[j - 1];
            hits[--j] = told[--i];
            watch->told[i] = now; /* kept for send_moves() */
        } else if (told[i - 1].id.bits > hits[j - 1].id.bits) {
            i--;
        } else {
            j--;
        }
    }
}

static bool has_moved(const struct aldis__spot *a, const struct aldis__spot *b)
{
    return a->x != b->x || a->y != b->y || a->z != b->z;
}

/* `now` holds, by id, where those are that were inside before; a move that cannot be told now
 * leaves its old position, and is told later with the newest one. */
static void send_moves(aldis_ctx *ctx, struct aldis__watches *watches, struct watch *watch,
                       const struct aldis__spot *now, uint32_t now_count)
{
    for (uint32_t i = 0, j = 0; i < now_count && j < watch->told_count;) {
        if (now[i].id.bits != watch->told[j].id.bits) {
            if (now[i].id.bits < watch->told[j].id.bits)
                i++;
            else
                j++;
            continue;
        }
        if (has_moved(&now[i], &watch->told[j])) {
            if (send_event(ctx, watches, watch, &aldis_moved_type, &now[i]) == ALDIS_EFULL)
                return;
            watch->told[j] = now[i];
        }
        i++;
        j++;
    }
}

static aldis_err look_at(aldis_ctx *ctx, struct aldis__watches *watches, struct watch *watch)
{
    if (!collect_hits(ctx, watches, watch) ||
        !reserve_events(watch, watch->told_count + watches->hit_count))
        return ALDIS_ENOMEM; /* nothing has changed: the next look makes up for it */
    queue_changes(watches, watch);
    struct aldis__spot *before = watch->told;
    uint32_t before_count = watch->told_count, before_capacity = watch->told_capacity;
    watch->told = watches->hits;
    watch->told_count = watches->hit_count;
    watch->told_capacity = watches->hit_capacity;
    watches->hits = before;
    watches->hit_capacity = before_capacity;
    if (watch->end > watch->cancel_at)
        cancel_pairs(watches, watch);
    if (send_waiting(ctx, watches, watch) && (watch->order.flags & ALDIS_WATCH_MOVES))
        send_moves(ctx, watches, watch, before, before_count);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ the actor */

static aldis_err take_order(aldis_ctx *ctx, struct aldis__watches *watches,
                            const struct watch_order *order)
{
    aldis_id watcher = aldis_sender(ctx);
    struct watch *watch = find_watch(watches, watcher, order->tag);
    if (order->flags & ORDER_END) {
        if (watch)
            end_watch(watches, watch);
        return ALDIS_OK;
    }
    if (!watch && watches->table.count >= watches->place->opts.watches_max) {
        aldis__tally(&watches->refused, 1);
        aldis__log(ALDIS_LOG_WARN, "place %s: %u watches, that of actor %016llx is refused",
                   watches->place->name, watches->place->opts.watches_max,
                   (unsigned long long)watcher.bits);
        return ALDIS_OK;
    }
    if (!watch)
        watch = add_watch(watches, watcher, order->tag);
    if (!watch)
        return ALDIS_ENOMEM;
    watch->order = *order;
    if (order->flags & ALDIS_WATCH_AROUND_ME) {
        watch->has_centre = false; /* it is known at the end of the window, or with the next grid */
        look_again(watches, aldis__worker_of(ctx));
        return ALDIS_OK;
    }
    watch->has_centre = true;
    return look_at(ctx, watches, watch);
}

/* So that a watch too many is refused at once. */
static void publish_count(struct aldis__watches *watches)
{
    /* Relaxed: a figure; in virtual time it is written at the end of a window only. */
    aldis__store_relaxed(&watches->count, watches->table.count);
}

static aldis_err aldis__keeper_on_aldis_place_order(struct keeper *self,
                                                    const struct watch_order *order, aldis_ctx *ctx)
{
    struct aldis__watches *watches = self->place->watches;
    aldis_err err = take_order(ctx, watches, order);
    if (ctx->system->virtual_time)
        aldis__place_list(aldis__worker_of(ctx), keeper_part(self->place));
    else
        publish_count(watches);
    return err;
}

static void find_centres(struct aldis__watches *watches)
{
    for (uint32_t i = 0; i < watches->table.count; i++) {
        struct watch *watch = watches->list[i];
        if (watch->order.flags & ALDIS_WATCH_AROUND_ME)
            watch->has_centre =
                aldis__place_position(watches->place, watch->watcher, &watch->order.centre);
    }
}

/* Live: the grid first, if it is time. False: it is not. */
static bool refresh_live(struct aldis__watches *watches, aldis_ctx *ctx)
{
    struct aldis__place *place = watches->place;
    aldis_ns now_ns = aldis_now(ctx);
    /* Relaxed: an order that comes now wakes us once more. */
    bool asked = aldis__load_relaxed(&place->asked);
    if (!asked && !watches->again)
        return false;
    aldis_ns due_ns = place->built_ns + place->opts.refresh_ns;
    if (place->built_ns >= 0 && now_ns < due_ns) {
        aldis_send_opts opts = {.delay_ns = due_ns - now_ns};
        if (!watches->armed)
            watches->armed = aldis_ctx_send_opts_raw(ctx, place->keeper, &aldis_place_refresh_type,
                                                     NULL, 0, &opts) == ALDIS_OK;
        return false;
    }
    watches->armed = watches->again = false;
    place->built_ns = now_ns;
    /* Relaxed: the parts' locks order it: see ask_keeper() in place.c. */
    aldis__store_relaxed(&place->asked, false);
    if (!aldis__place_build_live(place)) {
        look_again(watches, aldis__worker_of(ctx));
        return false;
    }
    find_centres(watches);
    return true;
}

/* Those whose watchers have ended. */
static void end_orphans(struct aldis__watches *watches)
{
    aldis_system *system = watches->place->system;
    for (uint32_t i = 0; i < watches->table.count;) {
        struct watch *watch = watches->list[i];
        uint64_t word = aldis__directory_read(
            &system->directory[aldis__id_index(watch->watcher, system->node_base)]);
        if (aldis__word_is_alive(word, watch->watcher))
            i++;
        else
            end_watch(watches, watch); /* another one has its place now */
    }
}

static aldis_err aldis__keeper_on_aldis_place_refresh(struct keeper *self, const aldis_none *msg,
                                                      aldis_ctx *ctx)
{
    struct aldis__watches *watches = self->place->watches;
    aldis_err err = ALDIS_OK;
    (void)msg;
    if (!ctx->system->virtual_time && !refresh_live(watches, ctx))
        return ALDIS_OK;
    end_orphans(watches);
    for (uint32_t i = 0; i < watches->table.count; i++)
        if (look_at(ctx, watches, watches->list[i]) != ALDIS_OK)
            err = ALDIS_ENOMEM;
    if (!ctx->system->virtual_time)
        publish_count(watches);
    return err;
}

static aldis_err keeper_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct keeper *self = state;
    (void)ctx;
    memcpy(&self->place, arg, sizeof self->place);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(aldis__keeper, struct keeper, KEEPER_PROTOCOL, .on_start = keeper_start);

/* ------------------------------------------------------------------ for the rest of the place */

bool aldis__watches_prepare(struct aldis__watches *watches, bool changed)
{
    bool wanted = changed || watches->again;
    watches->again = false;
    end_orphans(watches);
    publish_count(watches);
    if (watches->table.count == 0 || !wanted)
        return false;
    find_centres(watches);
    return true;
}

aldis_err aldis__keeper_spawn(struct aldis__place *place)
{
    aldis_spawn_opts opts = {.arg = &place,
                             .arg_size = sizeof place,
                             .placement = ALDIS_PLACE_SHARD,
                             .shard = aldis__keeper_shard(place)};
    return aldis_system_spawn_raw(place->system, &aldis__keeper_behaviour, &opts, &place->keeper);
}

bool aldis__keeper_post(struct aldis__worker *worker, aldis_id keeper, aldis_id from)
{
    uint32_t index = aldis__type_index(&aldis_place_refresh_type);
    struct aldis__msg *msg =
        index ? aldis__send_build(worker->pool, &aldis_place_refresh_type, index, NULL, 0) : NULL;
    if (!msg)
        return false;
    msg->to = keeper;
    msg->from = from;
    msg->lane_class = (uint8_t)(msg->lane_class | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = worker->pool_stamp;
    worker->counts[index].sent++;
    if (worker->ctx.system->virtual_time)
        aldis__virtual_stamp_runtime(worker, msg);
    aldis__route(worker, msg);
    return true;
}

void aldis__watches_forget(struct aldis__watches *watches)
{
    if (watches->table.count)
        aldis__place_list(&watches->place->system->workers[0], keeper_part(watches->place));
}

void aldis__keeper_room(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id at)
{
    if (cell->kind->behaviour != &aldis__keeper_behaviour || !cell->state)
        return;
    struct aldis__place *place = ((struct keeper *)cell->state)->place;
    struct aldis__watches *watches = place->watches;
    for (uint32_t i = 0; i < watches->table.count; i++)
        if (aldis_id_equal(watches->list[i]->watcher, at))
            watches->list[i]->waiting = false;
    look_again(watches, worker);
}

struct aldis__watches *aldis__watches_create(struct aldis__place *place)
{
    struct aldis__watches *watches = calloc(1, sizeof *watches);
    if (watches)
        watches->place = place;
    return watches;
}

void aldis__watches_destroy(struct aldis__watches *watches)
{
    if (!watches)
        return;
    for (uint32_t i = 0; i < watches->table.count; i++)
        free_watch(watches->list[i]);
    aldis__table_fini(&watches->table);
    free(watches->list);
    free(watches->hits);
    free(watches);
}

void aldis__watches_stats(struct aldis__watches *watches, aldis_place_stats *out_stats)
{
    /* Relaxed: figures. */
    out_stats->watches = aldis__load_relaxed(&watches->count);
    out_stats->events = aldis__load_relaxed(&watches->events);
    out_stats->events_waiting = aldis__load_relaxed(&watches->waiting);
    out_stats->events_cancelled = aldis__load_relaxed(&watches->cancelled);
    out_stats->watches_refused = aldis__load_relaxed(&watches->refused);
}

/* ------------------------------------------------------------------ public */

static aldis_err check_watcher(aldis_ctx *ctx, struct aldis__place *place, unsigned flags)
{
    const struct aldis__kind *kind = ctx->cell->kind;
    const unsigned known = ALDIS_WATCH_AROUND_ME | ALDIS_WATCH_MOVES;
    if (flags & ~known)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "place_watch: flags are %#x; allowed: %#x", flags, known);
    if (!kind->handle[aldis__type_index(&aldis_entered_type)] ||
        !kind->handle[aldis__type_index(&aldis_left_type)] ||
        ((flags & ALDIS_WATCH_MOVES) && !kind->handle[aldis__type_index(&aldis_moved_type)]))
        return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, "aldis_entered",
                                "place_watch: %s does not accept aldis_entered and aldis_left%s",
                                kind->behaviour->name,
                                flags & ALDIS_WATCH_MOVES ? " and aldis_moved" : "");
    aldis_overflow_policy policy = aldis__cell_limits(ctx->cell)->policy;
    if (policy != ALDIS_WAIT && policy != ALDIS_UNBOUNDED)
        return aldis__error_set(ALDIS_ESTATE, ctx->cell->id, "",
                                "place_watch: the mailbox of a watcher loses nothing: its policy "
                                "is ALDIS_WAIT or ALDIS_UNBOUNDED");
    /* Relaxed: a figure; in virtual time that of the window's start. */
    if (aldis__load_relaxed(&place->watches->count) < place->opts.watches_max)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EFULL, aldis_nobody(), "",
                            "place_watch: place %s has %u watches (option watches_max)",
                            place->name, place->opts.watches_max);
}

static aldis_err send_order(aldis_ctx *ctx, const struct aldis__place *place,
                            const struct watch_order *order)
{
    return aldis_ctx_send_raw(ctx, place->keeper, &aldis_place_order_type, order, sizeof *order);
}

aldis_err aldis_place_watch(aldis_ctx *ctx, aldis_place handle, const aldis_sphere *sphere,
                            uint32_t tag, unsigned flags)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_watch", handle);
    if (!place)
        return aldis_error_last()->err;
    aldis_err err = aldis__place_check_sphere("place_watch", sphere);
    if (err == ALDIS_OK)
        err = check_watcher(ctx, place, flags);
    if (err != ALDIS_OK)
        return err;
    struct watch_order order = {sphere->centre, sphere->radius, kind_key(sphere->kind), tag, flags};
    if (flags & ALDIS_WATCH_AROUND_ME)
        order.centre = (aldis_point){0, 0, 0};
    ctx->cell->flags |= ALDIS__CELL_ROUTED; /* so that its end is told */
    return send_order(ctx, place, &order);
}

aldis_err aldis_place_unwatch(aldis_ctx *ctx, aldis_place handle, uint32_t tag)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_unwatch", handle);
    if (!place)
        return aldis_error_last()->err;
    return send_order(ctx, place, &(struct watch_order){.tag = tag, .flags = ORDER_END});
}
