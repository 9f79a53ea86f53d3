// SPDX-License-Identifier: Apache-2.0
/* topics.c: subscriptions, and what is sent to many. Layer: messaging.
 *
 * Publishing takes no lock as long as nobody comes or leaves: see snapshot.h. Whoever matches is
 * worked out once, when the snapshot is made (match.h). */
#include "base/error.h"
#include "core/bound.h"
#include "core/multicast.h"
#include "core/send.h"
#include "messaging/last.h"
#include <aldis/topic.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ subscriptions */

_Static_assert((int)ALDIS_TOPIC_DROP_NEWEST == ALDIS__BOUND_DROP_NEWEST &&
                   (int)ALDIS_TOPIC_DROP_OLDEST == ALDIS__BOUND_DROP_OLDEST &&
                   (int)ALDIS_TOPIC_KEEP_NEWEST == ALDIS__BOUND_KEEP_NEWEST,
               "the same policies under two names");

static aldis_err make_bound(const aldis_subscribe_opts *opts, uint32_t *out_bound)
{
    uint32_t most = opts->waiting_max;
    if ((unsigned)opts->overflow > ALDIS_TOPIC_KEEP_NEWEST)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "subscribe: overflow is %d; allowed: 0 to %d", (int)opts->overflow,
                                (int)ALDIS_TOPIC_KEEP_NEWEST);
    if (most > ALDIS_TOPIC_WAITING_MAX || (opts->overflow == ALDIS_TOPIC_DROP_OLDEST && !most))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "subscribe: waiting_max is %u; allowed: %d to %u", most,
                                opts->overflow == ALDIS_TOPIC_DROP_OLDEST, ALDIS_TOPIC_WAITING_MAX);
    if (most == 0 && opts->overflow == ALDIS_TOPIC_KEEP_NEWEST)
        most = ALDIS_TOPIC_WAITING_MAX;
    if (most)
        *out_bound = aldis__bound_make((enum aldis__bound_policy)opts->overflow, most);
    return ALDIS_OK;
}

static aldis_err make_subscribe(const char *pattern, const aldis_subscribe_opts *opts,
                                struct aldis__request *out_request)
{
    *out_request = (struct aldis__request){.kind = ALDIS__REQUEST_SUBSCRIBE};
    aldis_err err = aldis__key_pattern("subscribe", pattern, &out_request->key);
    if (err == ALDIS_OK && opts && opts->group && *opts->group)
        err = aldis__key_group("subscribe", opts->group, &out_request->terms.group);
    return err == ALDIS_OK && opts ? make_bound(opts, &out_request->terms.bound) : err;
}

aldis_err aldis_subscribe_with(aldis_ctx *ctx, const char *pattern,
                               const aldis_subscribe_opts *opts)
{
    struct aldis__router *router;
    struct aldis__request request;
    aldis_err err = aldis__router_enter(ctx, "subscribe", &router);
    if (err == ALDIS_OK)
        err = make_subscribe(pattern, opts, &request);
    if (err != ALDIS_OK)
        return err;
    request.actor = ctx->cell->id;
    return aldis__router_ask(router, ctx, &request);
}

aldis_err aldis_subscribe(aldis_ctx *ctx, const char *topic)
{
    return aldis_subscribe_with(ctx, topic, NULL);
}

aldis_err aldis_unsubscribe(aldis_ctx *ctx, const char *topic)
{
    struct aldis__router *router;
    struct aldis__request request = {.kind = ALDIS__REQUEST_UNSUBSCRIBE};
    aldis_err err = aldis__router_enter(ctx, "unsubscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_pattern("unsubscribe", topic, &request.key);
    if (err != ALDIS_OK)
        return err;
    request.actor = ctx->cell->id;
    return aldis__router_ask(router, ctx, &request);
}

aldis_err aldis_system_subscribe_with(aldis_system *system, aldis_id actor, const char *pattern,
                                      const aldis_subscribe_opts *opts)
{
    struct aldis__router *router;
    struct aldis__request request;
    aldis_err err = aldis__router_enter_outside(system, "subscribe", &router);
    if (err == ALDIS_OK)
        err = make_subscribe(pattern, opts, &request);
    if (err != ALDIS_OK)
        return err;
    request.actor = actor;
    return aldis__router_ask_outside(router, &request);
}

aldis_err aldis_system_subscribe(aldis_system *system, aldis_id actor, const char *topic)
{
    return aldis_system_subscribe_with(system, actor, topic, NULL);
}

aldis_err aldis_system_unsubscribe(aldis_system *system, aldis_id actor, const char *topic)
{
    struct aldis__router *router;
    struct aldis__request request = {.kind = ALDIS__REQUEST_UNSUBSCRIBE, .actor = actor};
    aldis_err err = aldis__router_enter_outside(system, "unsubscribe", &router);
    if (err == ALDIS_OK)
        err = aldis__key_pattern("unsubscribe", topic, &request.key);
    return err == ALDIS_OK ? aldis__router_ask_outside(router, &request) : err;
}

bool aldis_topic_matches(const char *pattern, const char *topic)
{
    struct aldis__key p, t;
    if (aldis__key_pattern("topic_matches", pattern, &p) != ALDIS_OK ||
        aldis__key_topic("topic_matches", topic, &t) != ALDIS_OK)
        return false;
    for (;;) {
        size_t p_size = strcspn(p.text, "."), t_size = strcspn(t.text, ".");
        if (p_size == 1 && *p.text == '>')
            return true;
        bool any = p_size == 1 && *p.text == '*';
        if (!any && (p_size != t_size || memcmp(p.text, t.text, p_size) != 0))
            return false;
        p.text += p_size;
        t.text += t_size;
        if (!*p.text || !*t.text)
            return *p.text == *t.text;
        p.text++;
        t.text++;
    }
}

const char *aldis_topic_of(const aldis_ctx *ctx)
{
    return ctx && ctx->msg ? aldis__bound_topic(ctx->msg) : "";
}

/* ------------------------------------------------------------------ to many */

aldis_err aldis__fanout_check_flags(const char *call, unsigned flags)
{
    const unsigned known = ALDIS_FANOUT_TO_SELF | ALDIS_FANOUT_SOMEONE;
    if (!(flags & ~known))
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "%s: flags are %#x; allowed: %#x",
                            call, flags, known);
}

/* A snapshot of this worker that is missing or not current. */
static ALDIS_COLD aldis_err update_snapshot(struct aldis__router *router, struct aldis__view *view,
                                            const char *topic, struct aldis__snapshot **snapshot)
{
    struct aldis__key key;
    aldis_err err = aldis__key_topic("publish", topic, &key);
    if (err != ALDIS_OK)
        return err;
    pthread_mutex_lock(&router->lock);
    if (!*snapshot)
        *snapshot = aldis__snapshot_make(view, &router->registry, &key);
    if (!*snapshot || !aldis__snapshot_refresh(*snapshot, &router->registry))
        err = ALDIS_ENOMEM;
    pthread_mutex_unlock(&router->lock);
    return aldis__router_told(err, "publish");
}

/* To a topic that keeps its last value. Live, the value is stored and the list of receivers taken
 * under one hold of the lock: see last.h. */
static aldis_err remember(struct aldis__router *router, aldis_ctx *ctx,
                          struct aldis__snapshot *snapshot, const aldis_send_item *item)
{
    struct aldis__topic *topic = snapshot->topic;
    struct aldis__request request = {
        .kind = ALDIS__REQUEST_LAST,
        .actor = ctx->cell->id,
        .key = {.text = topic->text, .size = topic->size, .hash = topic->link.hash},
        .last = aldis__last_make(ctx->cell->id, aldis__type_index_if_known(item->type),
                                 item->payload, item->size)};
    if (!request.last)
        return aldis__router_told(ALDIS_ENOMEM, "publish");
    if (ctx->system->virtual_time) {
        aldis_err err = aldis__router_ask(router, ctx, &request);
        if (err != ALDIS_OK)
            free(request.last);
        return err;
    }
    pthread_mutex_lock(&router->lock);
    bool current = aldis__snapshot_is_current(snapshot) ||
                   aldis__snapshot_refresh(snapshot, &router->registry);
    if (current)
        aldis__registry_set_last(&router->registry, &request.key, request.last);
    pthread_mutex_unlock(&router->lock);
    if (!current)
        free(request.last);
    return aldis__router_told(current ? ALDIS_OK : ALDIS_ENOMEM, "publish");
}

aldis_err aldis__fanout_finish(struct aldis__multicast *cast, unsigned flags, const char *what,
                               aldis_fanout *out_fanout)
{
    aldis__multicast_end(cast);
    if (cast->matched == 0 && (flags & ALDIS_FANOUT_SOMEONE))
        return aldis__error_set(ALDIS_ENOSUBS, aldis_nobody(), aldis__type_info(cast->type)->name,
                                "%s: nobody to get it", what);
    if (out_fanout)
        *out_fanout = (aldis_fanout){cast->matched, cast->delivered,
                                     cast->rejected + cast->dropped + cast->refused, cast->skipped};
    return ALDIS_OK;
}

static void send_to(struct aldis__multicast *cast, const struct aldis__match_list *list)
{
    if (list->bounds)
        aldis__multicast_bounded(cast, list->ids, list->bounds, list->plain);
    else
        aldis__multicast_ids(cast, list->ids, list->plain);
    for (size_t i = 0; i < list->group_count; i++) {
        size_t first = list->groups[i].first;
        aldis__multicast_one(cast, list->ids + first, list->bounds ? list->bounds + first : NULL,
                             list->groups[i].count);
    }
}

aldis_err aldis_publish_raw(aldis_ctx *ctx, const char *topic, aldis_type *type,
                            const void *payload, size_t size, unsigned flags,
                            aldis_fanout *out_fanout)
{
    struct aldis__router *router;
    aldis_err err = aldis__router_enter(ctx, "publish", &router);
    uint32_t index;
    if (err == ALDIS_OK)
        err = aldis__fanout_check_flags("publish", flags);
    if (err == ALDIS_OK)
        err = aldis__send_check_type(type, payload, size, &index);
    if (err != ALDIS_OK)
        return err;
    struct aldis__view *view = aldis__router_view(router, ctx);
    struct aldis__snapshot *snapshot = NULL;
    struct aldis__key key = {0};
    if (aldis__key_measure(topic, ALDIS_TOPIC_MAX, &key))
        snapshot = aldis__snapshot_find(view, &key);
    if (!snapshot || !aldis__snapshot_is_current(snapshot))
        err = update_snapshot(router, view, topic, &snapshot);
    if (err != ALDIS_OK)
        return err;
    struct aldis__multicast cast;
    const struct aldis__topic_text text = {topic, key.size};
    const aldis_send_item item = {aldis_nobody(), type, payload, (uint32_t)size};
    if (aldis__unlikely(snapshot->keeps))
        err = remember(router, ctx, snapshot, &item);
    if (err == ALDIS_OK)
        err = aldis__multicast_begin_on(&cast, aldis__worker_of(ctx), &text, &item,
                                        flags & ALDIS_FANOUT_TO_SELF);
    if (err != ALDIS_OK)
        return err;
    send_to(&cast, &snapshot->list);
    return aldis__fanout_finish(&cast, flags, topic, out_fanout);
}

aldis_err aldis_broadcast_raw(aldis_ctx *ctx, const aldis_behaviour *kind, aldis_type *type,
                              const void *payload, size_t size, unsigned flags,
                              aldis_fanout *out_fanout)
{
    struct aldis__router *router;
    aldis_err err = aldis__router_enter(ctx, "broadcast", &router);
    if (err == ALDIS_OK)
        err = aldis__fanout_check_flags("broadcast", flags);
    struct aldis__multicast cast;
    if (err == ALDIS_OK)
        err = aldis__multicast_begin(&cast, aldis__worker_of(ctx), type, payload, size,
                                     flags & ALDIS_FANOUT_TO_SELF);
    if (err != ALDIS_OK)
        return err;
    aldis__multicast_all(&cast, kind);
    return aldis__fanout_finish(&cast, flags, "broadcast", out_fanout);
}

/* ------------------------------------------------------------------ who, and to what */

/* Copy those that live. */
struct collector {
    aldis_system *system;
    aldis_id *out;
    size_t max, count;
};

static void collect(struct collector *c, aldis_id actor)
{
    if (aldis_id_is_nobody(actor) || !aldis__router_is_alive(c->system, actor))
        return;
    if (c->out && c->count < c->max)
        c->out[c->count] = actor;
    c->count++;
}

/* Under the lock: those who get a publication to the topic, or have subscribed to the pattern. */
static void collect_all(struct collector *c, struct aldis__registry *registry,
                        const struct aldis__key *key)
{
    struct aldis__topic *topic = aldis__registry_topic(registry, key);
    struct aldis__match_list list = {0};
    if (key->is_pattern) {
        for (size_t i = 0; topic && i < topic->length; i++)
            collect(c, topic->entries[i].actor);
        return;
    }
    if (aldis__match_fill(&list, registry, topic, key))
        for (size_t i = 0; i < list.count; i++)
            collect(c, list.ids[i]);
    aldis__match_fini(&list);
}

size_t aldis_system_subscribers(aldis_system *system, const char *topic, aldis_id *out, size_t max)
{
    struct aldis__router *router = aldis__router_to_read(system);
    struct collector c = {system, out, max, 0};
    struct aldis__key key;
    if (!router || aldis__key_pattern("subscribers", topic, &key) != ALDIS_OK)
        return 0;
    pthread_mutex_lock(&router->lock);
    collect_all(&c, &router->registry, &key);
    pthread_mutex_unlock(&router->lock);
    return c.count;
}

size_t aldis_system_subscriptions(aldis_system *system, aldis_id actor,
                                  char (*out_topics)[ALDIS_TOPIC_MAX + 1], size_t max)
{
    struct aldis__router *router = aldis__router_to_read(system);
    size_t count = 0;
    if (!router || !aldis__router_is_alive(system, actor))
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
