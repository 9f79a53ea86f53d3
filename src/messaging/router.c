// SPDX-License-Identifier: Apache-2.0
/* router.c: names, and every change of the tables of names and topics. Layer: messaging.
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
#include "messaging/causal.h"
#include "messaging/last.h"

#include "base/error.h"
#include "base/log.h"
#include "core/multicast.h"
#include "core/send.h"
#include "core/virtual.h"
#include "messaging/place.h"
#include "messaging/snapshot.h"
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ changes in virtual time */

/* A request that was made inside a window, to be applied at its end. */
struct aldis__change {
    struct aldis__change *next; /* of the late ones */
    struct aldis__request request;
    char texts[]; /* of the key, and of the group */
};

static aldis_err no_memory(const char *call)
{
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "%s: out of memory", call);
}

static aldis_err note_change(aldis_ctx *ctx, const char *call, const struct aldis__request *request)
{
    size_t key_size = request->key.size, group_size = request->terms.group.size;
    struct aldis__change *change = malloc(sizeof *change + key_size + group_size + 2);
    if (!change)
        return no_memory(call);
    char *group = change->texts + key_size + 1;
    change->request = *request;
    change->request.key.text = change->texts;
    memcpy(change->texts, request->key.text, key_size + 1);
    change->request.terms.group.text = group;
    if (group_size)
        memcpy(group, request->terms.group.text, group_size);
    group[group_size] = '\0';
    if (aldis__virtual_op_router(aldis__worker_of(ctx), ctx->cell->id, 0, change))
        return ALDIS_OK;
    free(change);
    return no_memory(call);
}

/* ------------------------------------------------------------------ the router of a system */

bool aldis__router_is_alive(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    return place < system->index_limit &&
           aldis__word_is_alive(aldis__directory_read(&system->directory[place]), actor);
}

static void on_actor_ended(struct aldis__extension *self, aldis_id actor)
{
    struct aldis__router *router = (struct aldis__router *)self;
    pthread_mutex_lock(&router->lock);
    aldis__registry_forget(&router->registry, actor);
    aldis_system *system = router->system;
    /* A member's cell was marked at once, so its end is told while the cell is there. */
    if (aldis__router_is_alive(system, actor))
        aldis__causal_forget(router,
                             aldis__system_cell(system, aldis__id_index(actor, system->node_base)));
    pthread_mutex_unlock(&router->lock);
    aldis__places_forget(router->places, actor);
}

static void on_room(struct aldis__extension *self, struct aldis__worker *worker,
                    struct aldis__cell *cell, aldis_id at)
{
    (void)self;
    aldis__keeper_room(worker, cell, at);
}

/* Under the lock. Whoever had the name has ended: it is free, though the end was not told yet. */
static aldis_id live_holder(struct aldis__router *router, const struct aldis__key *name)
{
    aldis_id holder = aldis__registry_lookup(&router->registry, name);
    if (aldis_id_is_nobody(holder) || aldis__router_is_alive(router->system, holder))
        return holder;
    aldis__registry_forget(&router->registry, holder);
    return aldis_nobody();
}

/* Under the lock; nothing runs. */
static aldis_err apply_register(struct aldis__router *router, const struct aldis__request *request)
{
    bool first;
    aldis_id holder = live_holder(router, &request->key);
    if (aldis_id_is_nobody(holder))
        return aldis__registry_register(&router->registry, request->actor, &request->key, &first);
    router->lost++;
    aldis__log(ALDIS_LOG_WARN,
               "name %s: actor %016llx has it, the registration of %016llx in the same window is "
               "lost (%llu so far)",
               request->key.text, (unsigned long long)holder.bits,
               (unsigned long long)request->actor.bits, (unsigned long long)router->lost);
    return ALDIS_OK;
}

/* Under the lock; nothing runs, or the actor itself. */
static aldis_err apply_membership(struct aldis__router *router,
                                  const struct aldis__request *request)
{
    aldis_system *system = router->system;
    struct aldis__cell *cell =
        aldis__system_cell(system, aldis__id_index(request->actor, system->node_base));
    if (!aldis__router_is_alive(system, request->actor))
        return ALDIS_OK;
    if (request->kind == ALDIS__REQUEST_LEAVE) {
        aldis__causal_leave(router, cell, &request->key);
        return ALDIS_OK;
    }
    aldis__routed_mark_at_rest(system, request->actor);
    return aldis__causal_join(router, cell, request);
}

static aldis_err apply(struct aldis__router *router, const struct aldis__request *request)
{
    struct aldis__registry *registry = &router->registry;
    bool first;
    switch (request->kind) {
    case ALDIS__REQUEST_UNSUBSCRIBE:
        aldis__registry_unsubscribe(registry, request->actor, &request->key);
        return ALDIS_OK;
    case ALDIS__REQUEST_UNREGISTER:
        (void)aldis__registry_unregister(registry, &request->key);
        return ALDIS_OK;
    case ALDIS__REQUEST_SUBSCRIBE:
    case ALDIS__REQUEST_REGISTER:
        break;
    case ALDIS__REQUEST_JOIN:
    case ALDIS__REQUEST_LEAVE:
        return apply_membership(router, request);
    case ALDIS__REQUEST_KEEP:
        return aldis__registry_keep(registry, &request->key, request->terms.bound != 0);
    case ALDIS__REQUEST_LAST:
        aldis__registry_set_last(registry, &request->key, request->last);
        return ALDIS_OK;
    }
    if (!aldis__router_is_alive(router->system, request->actor))
        return ALDIS_OK; /* it has ended in the same window, before */
    aldis__routed_mark_at_rest(router->system, request->actor);
    return request->kind == ALDIS__REQUEST_REGISTER
               ? apply_register(router, request)
               : aldis__registry_subscribe(registry, request->actor, &request->key, &request->terms,
                                           &first);
}

static void on_window_op(struct aldis__extension *self, const struct aldis__window_op *op)
{
    struct aldis__router *router = (struct aldis__router *)self;
    struct aldis__change *change = op->pointer;
    const struct aldis__request *request = &change->request;
    pthread_mutex_lock(&router->lock);
    size_t before = router->registry.subscriptions.count;
    aldis_err err = apply(router, request);
    bool is_late = router->registry.subscriptions.count > before;
    pthread_mutex_unlock(&router->lock);
    if (is_late) { /* which values are the last is known when all is applied */
        change->next = NULL;
        *router->late_end = change;
        router->late_end = &change->next;
        return;
    }
    if (err == ALDIS_ENOMEM)
        router->system->workers[0].fatal = ALDIS_ENOMEM; /* ends the run */
    else if (err != ALDIS_OK)
        aldis__log(ALDIS_LOG_ERROR, "%s of actor %016llx is lost: %s", request->key.text,
                   (unsigned long long)request->actor.bits, aldis_error_text(err));
    free(change);
}

static void on_window_end(struct aldis__extension *self)
{
    struct aldis__router *router = (struct aldis__router *)self;
    struct aldis__change *change;
    while ((change = router->late)) {
        const struct aldis__request *request = &change->request;
        router->late = change->next;
        if (aldis__router_is_alive(router->system, request->actor))
            aldis__last_give(router, &router->system->workers[0], request);
        free(change);
    }
    router->late_end = &router->late;
    if (!aldis__places_end_window(router->places))
        router->system->workers[0].fatal = ALDIS_ENOMEM; /* ends the run */
}

/* No thread runs any more. */
static void on_destroy(struct aldis__extension *self)
{
    struct aldis__router *router = (struct aldis__router *)self;
    aldis_system *system = router->system;
    for (uint32_t w = 0; w < system->worker_count; w++) {
        const struct aldis__worker *worker = &system->workers[w];
        for (size_t i = 0; i < worker->op_count; i++) /* of a run that memory has ended */
            if (worker->ops[i].kind == ALDIS__OP_ROUTER) {
                struct aldis__change *change = worker->ops[i].pointer;
                free(change->request.last);
                free(change);
            }
        aldis__view_fini(&router->seats[w].view, &router->registry);
    }
    aldis__causal_fini(router);
    aldis__registry_fini(&router->registry);
    aldis__places_destroy(router->places);
    pthread_mutex_destroy(&router->lock);
    free(router);
}

static struct aldis__router *make_router(aldis_system *system)
{
    size_t bytes = sizeof(struct aldis__router) + system->worker_count * sizeof(struct aldis__seat);
    struct aldis__router *router = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!router)
        return NULL;
    memset(router, 0, bytes);
    router->places = aldis__places_create(system);
    if (!router->places) {
        free(router);
        return NULL;
    }
    router->extension =
        (struct aldis__extension){on_actor_ended, on_window_op, on_window_end, on_room, on_destroy};
    router->system = system;
    router->late_end = &router->late;
    pthread_mutex_init(&router->lock, NULL);
    aldis__registry_init(&router->registry);
    aldis__system_set_router(system, &router->extension);
    return router;
}

/* Made at its first use. NULL: out of memory. */
static struct aldis__router *router_of(aldis_system *system)
{
    /* E4 acquire: pairs with E2 in aldis__system_set_router(): the router is complete. */
    struct aldis__extension *router = aldis__load_acquire(&system->router);
    if (aldis__likely(router != NULL))
        return (struct aldis__router *)router;
    pthread_mutex_lock(&system->table_lock);
    /* Relaxed: it is written under this lock only. */
    router = aldis__load_relaxed(&system->router);
    struct aldis__router *made = router ? (struct aldis__router *)router : make_router(system);
    pthread_mutex_unlock(&system->table_lock);
    return made;
}

struct aldis__places *aldis__router_places(aldis_system *system)
{
    struct aldis__router *router = router_of(system);
    return router ? router->places : NULL;
}

/* ------------------------------------------------------------------ checks */

/* Check a handler's context and find the router. */
aldis_err aldis__router_enter(aldis_ctx *ctx, const char *call, struct aldis__router **out_router)
{
    if (!aldis__ctx_is_mine(ctx))
        return aldis__ctx_foreign(call);
    *out_router = router_of(ctx->system);
    return *out_router ? ALDIS_OK : no_memory(call);
}

/* Check a call from outside and find the router. */
aldis_err aldis__router_enter_outside(aldis_system *system, const char *call,
                                      struct aldis__router **out_router)
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

static aldis_err check_free(struct aldis__router *router, const struct aldis__key *name)
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

aldis_err aldis__router_told(aldis_err err, const char *call)
{
    if (err == ALDIS_EFULL)
        return aldis__error_set(err, aldis_nobody(), "", "%s: no room in the table", call);
    return err == ALDIS_ENOMEM ? no_memory(call) : err;
}

/* ------------------------------------------------------------------ changes */

static const char *name_of(const struct aldis__request *request)
{
    switch (request->kind) {
    case ALDIS__REQUEST_SUBSCRIBE:
        return "subscribe";
    case ALDIS__REQUEST_UNSUBSCRIBE:
        return "unsubscribe";
    case ALDIS__REQUEST_REGISTER:
        return "register";
    case ALDIS__REQUEST_UNREGISTER:
        return "unregister";
    case ALDIS__REQUEST_JOIN:
        return "causal_join";
    case ALDIS__REQUEST_LEAVE:
        return "causal_leave";
    case ALDIS__REQUEST_KEEP:
        return "topic_keep";
    case ALDIS__REQUEST_LAST:
        return "publish";
    }
    return "";
}

/* Under the lock. */
static aldis_err add(struct aldis__router *router, const struct aldis__request *request,
                     bool *out_first)
{
    const char *call = name_of(request);
    bool is_name = request->kind == ALDIS__REQUEST_REGISTER;
    aldis_err err = check_actor(router->system, call, request->actor);
    if (err == ALDIS_OK && is_name)
        err = check_free(router, &request->key);
    if (err != ALDIS_OK)
        return err;
    err = is_name ? aldis__registry_register(&router->registry, request->actor, &request->key,
                                             out_first)
                  : aldis__registry_subscribe(&router->registry, request->actor, &request->key,
                                              &request->terms, out_first);
    return aldis__router_told(err, call);
}

static aldis_err add_from_handler(struct aldis__router *router, aldis_ctx *ctx,
                                  const struct aldis__request *request)
{
    bool first = false;
    pthread_mutex_lock(&router->lock);
    size_t before = router->registry.subscriptions.count;
    aldis_err err = add(router, request, &first);
    if (router->registry.subscriptions.count > before)
        aldis__last_give(router, aldis__worker_of(ctx), request);
    pthread_mutex_unlock(&router->lock);
    if (err == ALDIS_OK && first)
        aldis__routed_mark(aldis__worker_of(ctx), request->actor);
    return err;
}

/* Under the system's lock and the router's. The mark goes first, since from here it may fail; the
 * router's lock keeps an end that comes meanwhile from being told too early. */
static aldis_err mark_from_outside(struct aldis__router *router, const char *call, aldis_id actor)
{
    aldis_err err = check_actor(router->system, call, actor);
    if (err != ALDIS_OK || aldis__registry_actor(&router->registry, actor))
        return err;
    if (!router->system->virtual_time)
        return aldis__routed_mark_outside(router->system, actor);
    aldis__routed_mark_at_rest(router->system, actor);
    return ALDIS_OK;
}

static aldis_err add_from_outside(struct aldis__router *router,
                                  const struct aldis__request *request)
{
    const char *call = name_of(request);
    aldis_err err = check_open(router->system, call);
    if (err != ALDIS_OK)
        return err;
    bool first;
    aldis__system_lock(router->system);
    pthread_mutex_lock(&router->lock);
    err = mark_from_outside(router, call, request->actor);
    size_t before = router->registry.subscriptions.count;
    if (err == ALDIS_OK)
        err = add(router, request, &first);
    if (router->registry.subscriptions.count > before)
        aldis__last_give(router, router->system->virtual_time ? &router->system->workers[0] : NULL,
                         request);
    pthread_mutex_unlock(&router->lock);
    aldis__system_unlock(router->system);
    return err;
}

aldis_err aldis__router_ask(struct aldis__router *router, aldis_ctx *ctx,
                            const struct aldis__request *request)
{
    aldis_err err = ALDIS_OK;
    if (ctx->system->virtual_time)
        return note_change(ctx, name_of(request), request);
    if (request->kind == ALDIS__REQUEST_SUBSCRIBE || request->kind == ALDIS__REQUEST_REGISTER)
        return add_from_handler(router, ctx, request);
    pthread_mutex_lock(&router->lock);
    err = apply(router, request);
    pthread_mutex_unlock(&router->lock);
    return aldis__router_told(err, name_of(request));
}

aldis_err aldis__router_ask_outside(struct aldis__router *router,
                                    const struct aldis__request *request)
{
    if (request->kind == ALDIS__REQUEST_SUBSCRIBE || request->kind == ALDIS__REQUEST_REGISTER)
        return add_from_outside(router, request);
    aldis__system_lock(router->system); /* virtual time: not inside a window */
    pthread_mutex_lock(&router->lock);
    aldis_err err = apply(router, request);
    pthread_mutex_unlock(&router->lock);
    aldis__system_unlock(router->system);
    return aldis__router_told(err, name_of(request));
}

/* ------------------------------------------------------------------ names */

aldis_err aldis_ctx_register(aldis_ctx *ctx, aldis_id actor, const char *name)
{
    struct aldis__router *router;
    struct aldis__request request = {.kind = ALDIS__REQUEST_REGISTER, .actor = actor};
    aldis_err err = aldis__router_enter(ctx, "register", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("register", name, &request.key);
    if (err != ALDIS_OK || !ctx->system->virtual_time)
        return err == ALDIS_OK ? aldis__router_ask(router, ctx, &request) : err;
    err = check_actor(ctx->system, "register", actor);
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&router->lock);
    err = check_free(router, &request.key);
    pthread_mutex_unlock(&router->lock);
    return err == ALDIS_OK ? aldis__router_ask(router, ctx, &request) : err;
}

aldis_err aldis_system_register(aldis_system *system, aldis_id actor, const char *name)
{
    struct aldis__router *router;
    struct aldis__request request = {.kind = ALDIS__REQUEST_REGISTER, .actor = actor};
    aldis_err err = aldis__router_enter_outside(system, "register", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("register", name, &request.key);
    return err == ALDIS_OK ? aldis__router_ask_outside(router, &request) : err;
}

/* Under the lock, the name of one who has ended counts as free. */
static aldis_err take_back(struct aldis__router *router, const struct aldis__key *key)
{
    if (aldis_id_is_nobody(live_holder(router, key)))
        return name_unknown(key);
    (void)aldis__registry_unregister(&router->registry, key);
    return ALDIS_OK;
}

aldis_err aldis_ctx_unregister(aldis_ctx *ctx, const char *name)
{
    struct aldis__router *router;
    struct aldis__request request = {.kind = ALDIS__REQUEST_UNREGISTER};
    aldis_err err = aldis__router_enter(ctx, "unregister", &router);
    if (err == ALDIS_OK)
        err = aldis__key_name("unregister", name, &request.key);
    if (err != ALDIS_OK)
        return err;
    bool later = ctx->system->virtual_time;
    pthread_mutex_lock(&router->lock);
    if (!later)
        err = take_back(router, &request.key);
    else if (aldis_id_is_nobody(live_holder(router, &request.key)))
        err = name_unknown(&request.key);
    pthread_mutex_unlock(&router->lock);
    if (later && err == ALDIS_OK)
        err = aldis__router_ask(router, ctx, &request);
    return err;
}

aldis_err aldis_system_unregister(aldis_system *system, const char *name)
{
    struct aldis__router *router;
    struct aldis__key key;
    aldis_err err = aldis__router_enter_outside(system, "unregister", &router);
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
static aldis_err find(struct aldis__router *router, struct aldis__view *view, const char *name,
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
    if (aldis_id_is_nobody(actor) || !aldis__router_is_alive(router->system, actor))
        return name_unknown(&key);
    *out_actor = actor;
    return ALDIS_OK;
}

static aldis_err check_out(const char *call, const void *out)
{
    if (out)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: out_actor is NULL", call);
}

aldis_err aldis_ctx_lookup(aldis_ctx *ctx, const char *name, aldis_id *out_actor)
{
    struct aldis__router *router;
    aldis_err err = aldis__router_enter(ctx, "lookup", &router);
    if (err == ALDIS_OK)
        err = check_out("lookup", out_actor);
    return err == ALDIS_OK ? find(router, aldis__router_view(router, ctx), name, out_actor) : err;
}

aldis_err aldis_system_lookup(aldis_system *system, const char *name, aldis_id *out_actor)
{
    struct aldis__router *router;
    aldis_err err = aldis__router_enter_outside(system, "lookup", &router);
    if (err == ALDIS_OK)
        err = check_out("lookup", out_actor);
    return err == ALDIS_OK ? find(router, NULL, name, out_actor) : err;
}

aldis_err aldis_send_name_raw(aldis_ctx *ctx, const char *name, aldis_type *type,
                              const void *payload, size_t size)
{
    struct aldis__router *router;
    uint32_t index;
    aldis_id actor;
    aldis_err err = aldis__router_enter(ctx, "send", &router);
    if (err == ALDIS_OK)
        err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err; /* nothing that could be counted */
    err = find(router, aldis__router_view(router, ctx), name, &actor);
    if (err == ALDIS_OK)
        return aldis_ctx_send_raw(ctx, actor, type, payload, size);
    struct aldis_type_stats *counts = &aldis__worker_of(ctx)->counts[index];
    counts->sent++;
    counts->rejected++;
    return err;
}

/* ------------------------------------------------------------------ looks from outside */

struct aldis__router *aldis__router_to_read(aldis_system *system)
{
    if (!system || aldis__system_is_foreign(system))
        return NULL;
    /* E4 acquire: pairs with E2 in aldis__system_set_router(). */
    return (struct aldis__router *)aldis__load_acquire(&system->router);
}

struct aldis__router_sizes aldis__router_sizes(aldis_system *system)
{
    struct aldis__router *router = aldis__router_to_read(system);
    struct aldis__router_sizes sizes = {0};
    if (!router)
        return sizes;
    pthread_mutex_lock(&router->lock);
    sizes.actors = router->registry.actors.count;
    sizes.names = router->registry.names.count;
    sizes.topics = router->registry.topics.count;
    sizes.subscriptions = router->registry.subscriptions.count;
    sizes.groups = router->registry.groups.count;
    sizes.nodes = router->registry.patterns.nodes.count + router->registry.watched.nodes.count +
                  router->registry.kept.nodes.count;
    pthread_mutex_unlock(&router->lock);
    return sizes;
}
