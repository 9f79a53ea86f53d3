// SPDX-License-Identifier: Apache-2.0
/* router.c: names, topics and broadcasts. Layer: messaging.
 *
 * One registry for the system, under one mutex; what is sent, is sent without it (see snapshot.h
 * and core/multicast.h). In virtual time the tables stand still inside a window: a change is noted
 * with the window and applied at its end in logical order, so the same calls need no other care
 * there.
 *
 * The end of an actor is told by the core (on_actor_ended) if the actor is marked as routed. The
 * mark belongs to the owner of the actor's shard, so it is set after the entry was made (by
 * message, if need be); should the actor have ended before the mark comes, the core tells the
 * router all the same. Between, readers look at the directory and pass over the dead.
 *
 * Locks: the system's lock, then the router's. */
#include "messaging/router.h"

#include "base/error.h"
#include "base/log.h"
#include "core/multicast.h"
#include "core/send.h"
#include "core/virtual.h"
#include "messaging/snapshot.h"
#include <stdlib.h>
#include <string.h>

/* One worker's view, on lines of its own. */
struct seat {
    _Alignas(64) struct aldis__view view;
};

struct router {
    struct aldis__extension extension;
    aldis_system *system;
    pthread_mutex_t lock;
    struct aldis__registry registry; /* under lock, but for its versions */
    uint64_t lost;                   /* registrations lost at the end of a window */
    struct seat seats[];             /* by worker */
};

/* ------------------------------------------------------------------ changes in virtual time */

enum change_kind { CHANGE_SUBSCRIBE, CHANGE_UNSUBSCRIBE, CHANGE_REGISTER, CHANGE_UNREGISTER };

/* Noted inside a window, applied at its end. */
struct change {
    aldis_id actor; /* whom it concerns */
    struct aldis__key key;
    char text[];
};

static aldis_err no_memory(const char *call)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "%s: out of memory", call);
}

static aldis_err note_change(aldis_ctx *ctx, const char *call, enum change_kind kind,
                             aldis_id actor, const struct aldis__key *key)
{
    struct change *change = malloc(sizeof *change + key->size + 1);
    if (!change)
        return no_memory(call);
    change->actor = actor;
    change->key = *key;
    change->key.text = change->text;
    memcpy(change->text, key->text, key->size + 1);
    if (aldis__virtual_op_router(aldis__worker_of(ctx), ctx->cell->id, kind, change))
        return ALDIS_OK;
    free(change);
    return no_memory(call);
}

/* ------------------------------------------------------------------ the router of a system */

static bool is_alive(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    return place < system->index_limit &&
           aldis__word_is_alive(aldis__directory_read(&system->directory[place]), actor);
}

static void on_actor_ended(struct aldis__extension *self, aldis_id actor)
{
    struct router *router = (struct router *)self;
    pthread_mutex_lock(&router->lock);
    aldis__registry_forget(&router->registry, actor);
    pthread_mutex_unlock(&router->lock);
}

/* Under the lock. Whoever had the name has ended: it is free, though the end was not told yet. */
static aldis_id live_holder(struct router *router, const struct aldis__key *name)
{
    aldis_id holder = aldis__registry_lookup(&router->registry, name);
    if (aldis_id_is_nobody(holder) || is_alive(router->system, holder))
        return holder;
    aldis__registry_forget(&router->registry, holder);
    return aldis_nobody();
}

/* Under the lock; nothing runs. */
static aldis_err apply_register(struct router *router, const struct change *change)
{
    bool first;
    aldis_id holder = live_holder(router, &change->key);
    if (aldis_id_is_nobody(holder))
        return aldis__registry_register(&router->registry, change->actor, &change->key, &first);
    router->lost++;
    aldis__log(ALDIS_LOG_WARN,
               "name %s: actor %016llx has it, the registration of %016llx in the same window is "
               "lost (%llu so far)",
               change->text, (unsigned long long)holder.bits,
               (unsigned long long)change->actor.bits, (unsigned long long)router->lost);
    return ALDIS_OK;
}

static aldis_err apply_change(struct router *router, enum change_kind kind,
                              const struct change *change)
{
    struct aldis__registry *registry = &router->registry;
    bool first;
    switch (kind) {
    case CHANGE_UNSUBSCRIBE:
        aldis__registry_unsubscribe(registry, change->actor, &change->key);
        return ALDIS_OK;
    case CHANGE_UNREGISTER:
        (void)aldis__registry_unregister(registry, &change->key);
        return ALDIS_OK;
    case CHANGE_SUBSCRIBE:
    case CHANGE_REGISTER:
        break;
    }
    if (!is_alive(router->system, change->actor))
        return ALDIS_OK; /* it has ended in the same window, before */
    aldis__routed_mark_at_rest(router->system, change->actor);
    return kind == CHANGE_REGISTER
               ? apply_register(router, change)
               : aldis__registry_subscribe(registry, change->actor, &change->key, &first);
}

static void on_window_op(struct aldis__extension *self, const struct aldis__window_op *op)
{
    struct router *router = (struct router *)self;
    struct change *change = op->pointer;
    pthread_mutex_lock(&router->lock);
    aldis_err err = apply_change(router, (enum change_kind)op->value, change);
    pthread_mutex_unlock(&router->lock);
    if (err == ALDIS_ENOMEM)
        router->system->workers[0].fatal = ALDIS_ENOMEM; /* ends the run */
    else if (err != ALDIS_OK)
        aldis__log(ALDIS_LOG_ERROR, "%s of actor %016llx is lost: %s", change->text,
                   (unsigned long long)change->actor.bits, aldis_error_text(err));
    free(change);
}

/* No thread runs any more. */
static void on_destroy(struct aldis__extension *self)
{
    struct router *router = (struct router *)self;
    aldis_system *system = router->system;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        const struct aldis__worker *worker = &system->workers[w];
        for (size_t i = 0; i < worker->op_count; i++) /* of a run that memory has ended */
            if (worker->ops[i].kind == ALDIS__OP_ROUTER)
                free(worker->ops[i].pointer);
        aldis__view_fini(&router->seats[w].view, &router->registry);
    }
    aldis__registry_fini(&router->registry);
    pthread_mutex_destroy(&router->lock);
    free(router);
}

static struct router *make_router(aldis_system *system)
{
    size_t bytes = sizeof(struct router) + system->worker_count * sizeof(struct seat);
    struct router *router = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!router)
        return NULL;
    memset(router, 0, bytes);
    router->extension = (struct aldis__extension){on_actor_ended, on_window_op, on_destroy};
    router->system = system;
    pthread_mutex_init(&router->lock, NULL);
    aldis__registry_init(&router->registry);
    aldis__system_set_router(system, &router->extension);
    return router;
}

/* Made at its first use. NULL: out of memory. */
static struct router *router_of(aldis_system *system)
{
    /* E4 acquire: pairs with E2 in aldis__system_set_router(): the router is complete. */
    struct aldis__extension *router = aldis__load_acquire(&system->router);
    if (aldis__likely(router != NULL))
        return (struct router *)router;
    pthread_mutex_lock(&system->table_lock);
    /* Relaxed: it is written under this lock only. */
    router = aldis__load_relaxed(&system->router);
    struct router *made = router ? (struct router *)router : make_router(system);
    pthread_mutex_unlock(&system->table_lock);
    return made;
}

/* ------------------------------------------------------------------ checks */

/* Check a handler's context and find the router. */
static aldis_err enter(aldis_ctx *ctx, const char *call, struct router **out_router)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "%s: the context is not that of the handler that runs on this "
                                "thread",
                                call);
    *out_router = router_of(ctx->system);
    return *out_router ? ALDIS_OK : no_memory(call);
}

/* Check a call from outside and find the router. */
static aldis_err enter_outside(aldis_system *system, const char *call, struct router **out_router)
{
    aldis_err err = aldis__system_check_outside(system, call);
    if (err != ALDIS_OK)
        return err;
    *out_router = router_of(system);
    return *out_router ? ALDIS_OK : no_memory(call);
}

static aldis_err check_open(aldis_system *system, const char *call)
{
    /* Relaxed: a call that just slips through does no harm: its actor is stopped with the rest. */
    if (!aldis__load_relaxed(&system->stopping))
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ESTATE, aldis_nobody(), "", "%s: the system has stopped", call);
}

static aldis_err check_actor(aldis_system *system, const char *call, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (place >= system->index_limit)
        return aldis__error_set(ALDIS_ENOTFOUND, actor, "", "%s: no actor %016llx", call,
                                (unsigned long long)actor.bits);
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (aldis__word_is_alive(word, actor))
        return ALDIS_OK;
    bool never = (actor.bits & ALDIS__GEN_MASK) > (word & ALDIS__GEN_MASK);
    return aldis__error_set(never ? ALDIS_ENOTFOUND : ALDIS_ESTALE, actor, "",
                            "%s: actor %016llx %s", call, (unsigned long long)actor.bits,
                            never ? "never was" : "has stopped");
}

static aldis_err check_free(struct router *router, const struct aldis__key *name)
{
    aldis_id holder = live_holder(router, name);
    if (aldis_id_is_nobody(holder))
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EEXISTS, holder, "", "register: actor %016llx has the name %s",
                            (unsigned long long)holder.bits, name->text);
}

static aldis_err name_unknown(const struct aldis__key *name)
{
    return aldis__error_set(ALDIS_ENOTFOUND, aldis_nobody(), "", "no actor has the name %s",
                            name->text);
}

static aldis_err told(aldis_err err, const char *call)
{
    if (err == ALDIS_EFULL)
        return aldis__error_set(err, aldis_nobody(), "", "%s: the router's tables are full", call);
    return err == ALDIS_ENOMEM ? no_memory(call) : err;
}

/* ------------------------------------------------------------------ changes */

/* Under the lock. */
static aldis_err add(struct router *router, enum change_kind kind, aldis_id actor,
                     const struct aldis__key *key, bool *out_first)
{
    const char *call = kind == CHANGE_REGISTER ? "register" : "subscribe";
    aldis_err err = check_actor(router->system, call, actor);
    if (err == ALDIS_OK && kind == CHANGE_REGISTER)
        err = check_free(router, key);
    if (err != ALDIS_OK)
        return err;
    err = kind == CHANGE_REGISTER
              ? aldis__registry_register(&router->registry, actor, key, out_first)
              : aldis__registry_subscribe(&router->registry, actor, key, out_first);
    return told(err, call);
}

static aldis_err add_from_handler(struct router *router, aldis_ctx *ctx, enum change_kind kind,
                                  aldis_id actor, const struct aldis__key *key)
{
    bool first = false;
    pthread_mutex_lock(&router->lock);
    aldis_err err = add(router, kind, actor, key, &first);
    pthread_mutex_unlock(&router->lock);
    if (err == ALDIS_OK && first)
        aldis__routed_mark(aldis__worker_of(ctx), actor);
    return err;
}

/* Under the system's lock and the router's. The mark goes first, since from here it may fail; the
 * router's lock keeps an end that comes meanwhile from being told too early. */
static aldis_err mark_from_outside(struct router *router, const char *call, aldis_id actor)
{
    aldis_err err = check_actor(router->system, call, actor);
    if (err != ALDIS_OK || aldis__registry_actor(&router->registry, actor))
        return err;
    if (!router->system->virtual_time)
        return aldis__routed_mark_outside(router->system, actor);
    aldis__routed_mark_at_rest(router->system, actor);
    return ALDIS_OK;
}

static aldis_err add_from_outside(struct router *router, enum change_kind kind, aldis_id actor,
                                  const struct aldis__key *key)
{
    const char *call = kind == CHANGE_REGISTER ? "register" : "subscribe";
    aldis_err err = check_open(router->system, call);
    if (err != ALDIS_OK)
        return err;
    bool first;
    aldis__system_lock(router->system);
    pthread_mutex_lock(&router->lock);
    err = mark_from_outside(router, call, actor);
    if (err == ALDIS_OK)
        err = add(router, kind, actor, key, &first);
    pthread_mutex_unlock(&router->lock);
    aldis__system_unlock(router->system);
    return err;
}

/* ------------------------------------------------------------------ names */

aldis_err aldis_ctx_register(aldis_ctx *ctx, aldis_id actor, const char *name)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter(ctx, "register", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("register", name, &key);
    if (err != ALDIS_OK)
        return err;
    if (!ctx->system->virtual_time)
        return add_from_handler(router, ctx, CHANGE_REGISTER, actor, &key);
    err = check_actor(ctx->system, "register", actor);
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&router->lock);
    err = check_free(router, &key);
    pthread_mutex_unlock(&router->lock);
    return err == ALDIS_OK ? note_change(ctx, "register", CHANGE_REGISTER, actor, &key) : err;
}

aldis_err aldis_system_register(aldis_system *system, aldis_id actor, const char *name)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter_outside(system, "register", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("register", name, &key);
    return err == ALDIS_OK ? add_from_outside(router, CHANGE_REGISTER, actor, &key) : err;
}

/* Under the lock, the name of one who has ended counts as free. */
static aldis_err take_back(struct router *router, const struct aldis__key *key)
{
    if (aldis_id_is_nobody(live_holder(router, key)))
        return name_unknown(key);
    (void)aldis__registry_unregister(&router->registry, key);
    return ALDIS_OK;
}

aldis_err aldis_ctx_unregister(aldis_ctx *ctx, const char *name)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter(ctx, "unregister", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("unregister", name, &key);
    if (err != ALDIS_OK)
        return err;
    bool later = ctx->system->virtual_time;
    pthread_mutex_lock(&router->lock);
    if (!later)
        err = take_back(router, &key);
    else if (aldis_id_is_nobody(live_holder(router, &key)))
        err = name_unknown(&key);
    pthread_mutex_unlock(&router->lock);
    if (later && err == ALDIS_OK)
        err = note_change(ctx, "unregister", CHANGE_UNREGISTER, aldis_nobody(), &key);
    return err;
}

aldis_err aldis_system_unregister(aldis_system *system, const char *name)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter_outside(system, "unregister", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("unregister", name, &key);
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system); /* virtual time: not inside a window */
    pthread_mutex_lock(&router->lock);
    err = take_back(router, &key);
    pthread_mutex_unlock(&router->lock);
    aldis__system_unlock(system);
    return err;
}

/* view: the caller's, if it is a worker. */
static aldis_err find(struct router *router, struct aldis__view *view, const char *name,
                      aldis_id *out_actor)
{
    struct aldis__key key;
    aldis_id actor = aldis_nobody();
    if (view && aldis__key_measure(name, ALDIS_NAME_MAX, &key))
        actor = aldis__view_recall(view, &router->registry, &key);
    if (aldis_id_is_nobody(actor)) {
        aldis_err err = aldis__key_name("lookup", name, &key);
        if (err != ALDIS_OK)
            return err;
        pthread_mutex_lock(&router->lock);
        actor = aldis__registry_lookup(&router->registry, &key);
        if (view && !aldis_id_is_nobody(actor))
            aldis__view_remember(view, &router->registry, &key, actor);
        pthread_mutex_unlock(&router->lock);
    }
    if (aldis_id_is_nobody(actor) || !is_alive(router->system, actor))
        return name_unknown(&key);
    *out_actor = actor;
    return ALDIS_OK;
}

static struct aldis__view *view_of(struct router *router, aldis_ctx *ctx)
{
    return &router->seats[aldis__worker_of(ctx)->index].view;
}

static aldis_err check_out(const char *call, const void *out)
{
    if (out)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: out_actor is NULL", call);
}

aldis_err aldis_ctx_lookup(aldis_ctx *ctx, const char *name, aldis_id *out_actor)
{
    struct router *router;
    aldis_err err = enter(ctx, "lookup", &router);
    if (err == ALDIS_OK)
        err = check_out("lookup", out_actor);
    return err == ALDIS_OK ? find(router, view_of(router, ctx), name, out_actor) : err;
}

aldis_err aldis_system_lookup(aldis_system *system, const char *name, aldis_id *out_actor)
{
    struct router *router;
    aldis_err err = enter_outside(system, "lookup", &router);
    if (err == ALDIS_OK)
        err = check_out("lookup", out_actor);
    return err == ALDIS_OK ? find(router, NULL, name, out_actor) : err;
}

aldis_err aldis_send_name_raw(aldis_ctx *ctx, const char *name, aldis_type *type,
                              const void *payload, size_t size)
{
    struct router *router;
    uint32_t index;
    aldis_id actor;
    aldis_err err = enter(ctx, "send", &router);
    if (err == ALDIS_OK)
        err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err; /* nothing that could be counted */
    err = find(router, view_of(router, ctx), name, &actor);
    if (err == ALDIS_OK)
        return aldis_ctx_send_raw(ctx, actor, type, payload, size);
    struct aldis_type_stats *counts = &aldis__worker_of(ctx)->counts[index];
    counts->sent++;
    counts->rejected++;
    return err;
}

/* ------------------------------------------------------------------ subscriptions */

aldis_err aldis_subscribe(aldis_ctx *ctx, const char *topic)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter(ctx, "subscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_topic("subscribe", topic, &key);
    if (err != ALDIS_OK)
        return err;
    if (ctx->system->virtual_time)
        return note_change(ctx, "subscribe", CHANGE_SUBSCRIBE, ctx->cell->id, &key);
    return add_from_handler(router, ctx, CHANGE_SUBSCRIBE, ctx->cell->id, &key);
}

aldis_err aldis_unsubscribe(aldis_ctx *ctx, const char *topic)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter(ctx, "unsubscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_topic("unsubscribe", topic, &key);
    if (err != ALDIS_OK)
        return err;
    if (ctx->system->virtual_time)
        return note_change(ctx, "unsubscribe", CHANGE_UNSUBSCRIBE, ctx->cell->id, &key);
    pthread_mutex_lock(&router->lock);
    aldis__registry_unsubscribe(&router->registry, ctx->cell->id, &key);
    pthread_mutex_unlock(&router->lock);
    return ALDIS_OK;
}

aldis_err aldis_system_subscribe(aldis_system *system, aldis_id actor, const char *topic)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter_outside(system, "subscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_topic("subscribe", topic, &key);
    return err == ALDIS_OK ? add_from_outside(router, CHANGE_SUBSCRIBE, actor, &key) : err;
}

aldis_err aldis_system_unsubscribe(aldis_system *system, aldis_id actor, const char *topic)
{
    struct router *router;
    struct aldis__key key;
    aldis_err err = enter_outside(system, "unsubscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_topic("unsubscribe", topic, &key);
    if (err != ALDIS_OK)
        return err;
    aldis__system_lock(system); /* virtual time: not inside a window */
    pthread_mutex_lock(&router->lock);
    aldis__registry_unsubscribe(&router->registry, actor, &key);
    pthread_mutex_unlock(&router->lock);
    aldis__system_unlock(system);
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ to many */

static aldis_err check_flags(const char *call, unsigned flags)
{
    const unsigned known = ALDIS_FANOUT_TO_SELF | ALDIS_FANOUT_SOMEONE;
    if (!(flags & ~known))
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: flags are %#x; allowed: %#x",
                            call, flags, known);
}

/* A snapshot of this worker that is missing or not current. */
static ALDIS_COLD aldis_err update_snapshot(struct router *router, struct aldis__view *view,
                                            const char *topic, struct aldis__snapshot **snapshot)
{
    struct aldis__key key;
    aldis_err err = aldis__key_topic("publish", topic, &key);
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&router->lock);
    if (!*snapshot)
        *snapshot = aldis__snapshot_make(view, &router->registry, &key);
    if (!*snapshot || !aldis__snapshot_refresh(*snapshot))
        err = ALDIS_ENOMEM;
    pthread_mutex_unlock(&router->lock);
    return told(err, "publish");
}

static aldis_err finish(struct aldis__multicast *cast, unsigned flags, const char *what,
                        aldis_fanout *out_fanout)
{
    aldis__multicast_end(cast);
    if (cast->matched == 0 && (flags & ALDIS_FANOUT_SOMEONE))
        return aldis__error_set(ALDIS_ENOSUBS, aldis_nobody(), aldis__type_info(cast->type)->name,
                                "%s: nobody to get it", what);
    if (out_fanout)
        *out_fanout = (aldis_fanout){cast->matched, cast->delivered, cast->rejected + cast->dropped,
                                     cast->skipped};
    return ALDIS_OK;
}

aldis_err aldis_publish_raw(aldis_ctx *ctx, const char *topic, aldis_type *type,
                            const void *payload, size_t size, unsigned flags,
                            aldis_fanout *out_fanout)
{
    struct router *router;
    aldis_err err = enter(ctx, "publish", &router);
    if (err == ALDIS_OK)
        err = check_flags("publish", flags);
    if (err != ALDIS_OK)
        return err;
    struct aldis__view *view = view_of(router, ctx);
    struct aldis__snapshot *snapshot = NULL;
    struct aldis__key key;
    if (aldis__key_measure(topic, ALDIS_TOPIC_MAX, &key))
        snapshot = aldis__snapshot_find(view, &key);
    if (!snapshot || !aldis__snapshot_is_current(snapshot))
        err = update_snapshot(router, view, topic, &snapshot);
    struct aldis__multicast cast;
    if (err == ALDIS_OK)
        err = aldis__multicast_begin(&cast, aldis__worker_of(ctx), type, payload, size,
                                     flags & ALDIS_FANOUT_TO_SELF);
    if (err != ALDIS_OK)
        return err;
    aldis__multicast_ids(&cast, snapshot->ids, snapshot->count);
    return finish(&cast, flags, topic, out_fanout);
}

aldis_err aldis_broadcast_raw(aldis_ctx *ctx, const aldis_behaviour *kind, aldis_type *type,
                              const void *payload, size_t size, unsigned flags,
                              aldis_fanout *out_fanout)
{
    struct router *router;
    aldis_err err = enter(ctx, "broadcast", &router);
    if (err == ALDIS_OK)
        err = check_flags("broadcast", flags);
    struct aldis__multicast cast;
    if (err == ALDIS_OK)
        err = aldis__multicast_begin(&cast, aldis__worker_of(ctx), type, payload, size,
                                     flags & ALDIS_FANOUT_TO_SELF);
    if (err != ALDIS_OK)
        return err;
    aldis__multicast_all(&cast, kind);
    return finish(&cast, flags, "broadcast", out_fanout);
}

/* ------------------------------------------------------------------ who, and to what */

static struct router *router_to_read(aldis_system *system)
{
    if (!system || aldis__system_is_foreign(system))
        return NULL;
    /* E4 acquire: pairs with E2 in aldis__system_set_router(). */
    return (struct router *)aldis__load_acquire(&system->router);
}

size_t aldis_system_subscribers(aldis_system *system, const char *topic, aldis_id *out, size_t max)
{
    struct router *router = router_to_read(system);
    struct aldis__key key;
    size_t count = 0;
    if (!router || !aldis__key_measure(topic, ALDIS_TOPIC_MAX, &key))
        return 0;
    pthread_mutex_lock(&router->lock);
    const struct aldis__topic *t = aldis__registry_topic(&router->registry, &key);
    for (size_t i = 0; t && i < t->length; i++) {
        aldis_id actor = t->entries[i].actor;
        if (aldis_id_is_nobody(actor) || !is_alive(system, actor))
            continue;
        if (out && count < max)
            out[count] = actor;
        count++;
    }
    pthread_mutex_unlock(&router->lock);
    return count;
}

size_t aldis_system_subscriptions(aldis_system *system, aldis_id actor,
                                  char (*out_topics)[ALDIS_TOPIC_MAX + 1], size_t max)
{
    struct router *router = router_to_read(system);
    size_t count = 0;
    if (!router || !is_alive(system, actor))
        return 0;
    pthread_mutex_lock(&router->lock);
    const struct aldis__routed *routed = aldis__registry_actor(&router->registry, actor);
    const struct aldis__subscription *s = routed ? routed->first : NULL;
    for (; s; s = s->next) {
        if (out_topics && count < max)
            memcpy(out_topics[count], s->topic->text, s->topic->size + (size_t)1);
        count++;
    }
    pthread_mutex_unlock(&router->lock);
    return count;
}

struct aldis__router_sizes aldis__router_sizes(aldis_system *system)
{
    struct router *router = router_to_read(system);
    struct aldis__router_sizes sizes = {0};
    if (!router)
        return sizes;
    pthread_mutex_lock(&router->lock);
    sizes.actors = router->registry.actors.count;
    sizes.names = router->registry.names.count;
    sizes.topics = router->registry.topics.count;
    sizes.subscriptions = router->registry.subscriptions.count;
    pthread_mutex_unlock(&router->lock);
    return sizes;
}
