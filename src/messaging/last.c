// SPDX-License-Identifier: Apache-2.0
/* last.c: see last.h. Layer: messaging. */
#include "messaging/last.h"

#include "base/error.h"
#include "base/log.h"
#include "core/bound.h"
#include "core/outside.h"
#include "core/virtual.h"
#include <aldis/topic.h>
#include <stdlib.h>
#include <string.h>

struct aldis__last *aldis__last_make(aldis_id from, uint32_t type, const void *payload, size_t size)
{
    struct aldis__last *last = malloc(sizeof *last + size);
    if (!last)
        return NULL;
    *last = (struct aldis__last){.from = from, .type = type, .size = (uint32_t)size};
    if (size)
        memcpy(last->bytes, payload, size);
    return last;
}

/* ------------------------------------------------------------------ giving */

struct finds {
    struct aldis__topic **all;
    size_t count, capacity;
    bool failed; /* out of memory */
};

static void find(void *arg, struct aldis__topic *topic)
{
    struct finds *finds = arg;
    if (!topic->last || finds->failed)
        return;
    if (finds->count == finds->capacity) {
        size_t capacity = finds->capacity ? 2 * finds->capacity : 16;
        struct aldis__topic **all = realloc(finds->all, capacity * sizeof(struct aldis__topic *));
        if (!all) {
            finds->failed = true;
            return;
        }
        finds->all = all;
        finds->capacity = capacity;
    }
    finds->all[finds->count++] = topic;
}

static int by_text(const void *a, const void *b)
{
    const struct aldis__topic *const *x = a, *const *y = b;
    return strcmp((*x)->text, (*y)->text);
}

/* Counted as sent, and as rejected where there is no memory for it. */
static void give(struct aldis__router *router, struct aldis__worker *worker, aldis_id to,
                 uint64_t subscription, const struct aldis__topic *topic)
{
    aldis_system *system = router->system;
    const struct aldis__last *last = topic->last;
    struct aldis_type_stats *counts =
        worker ? &worker->counts[last->type] : &system->outside_counts[last->type];
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(to, system->node_base)]);
    if (!aldis__system_kind(system, aldis__word_kind(word))->handle[last->type])
        return;
    bool lives = aldis__router_is_alive(system, last->from);
    const struct aldis__bound_letter letter = {lives ? last->from : aldis_nobody(),
                                               to,
                                               last->type,
                                               last->size,
                                               last->bytes,
                                               topic->text,
                                               subscription};
    struct aldis__pool *pool = worker ? worker->pool : system->pools[system->worker_count];
    struct aldis__msg *msg = aldis__bound_build(pool, &letter);
    counts->sent++;
    if (!msg) {
        counts->rejected++;
        return;
    }
    if (!worker) {
        aldis__outside_push(system, msg);
        return;
    }
    msg->pool_stamp = worker->pool_stamp;
    if (system->virtual_time)
        aldis__virtual_stamp_runtime(worker, msg);
    aldis__route(worker, msg);
}

void aldis__last_give(struct aldis__router *router, struct aldis__worker *worker,
                      const struct aldis__request *request)
{
    struct aldis__registry *registry = &router->registry;
    struct finds finds = {0};
    if (registry->kept.nodes.count == 0 || request->terms.group.size)
        return;
    const struct aldis__topic *mine = aldis__registry_topic(registry, &request->key);
    uint64_t subscription = aldis__registry_bound(registry, request->actor, mine);
    aldis__trie_topics_of(&registry->kept, request->key.text, request->key.size, find, &finds);
    if (finds.failed)
        aldis__log(ALDIS_LOG_ERROR, "subscribe %s: out of memory, last values of topics are missed",
                   request->key.text);
    else if (finds.count)
        qsort(finds.all, finds.count, sizeof(struct aldis__topic *), by_text);
    for (size_t i = 0; i < finds.count && !finds.failed; i++)
        give(router, worker, request->actor, subscription, finds.all[i]);
    free(finds.all);
}

/* ------------------------------------------------------------------ public */

static aldis_err make_request(const char *topic, bool keep, struct aldis__request *out_request)
{
    *out_request = (struct aldis__request){.kind = ALDIS__REQUEST_KEEP, .terms = {.bound = keep}};
    return aldis__key_topic("topic_keep", topic, &out_request->key);
}

aldis_err aldis_ctx_topic_keep(aldis_ctx *ctx, const char *topic, bool keep)
{
    struct aldis__router *router;
    struct aldis__request request;
    aldis_err err = aldis__router_enter(ctx, "topic_keep", &router);
    if (err == ALDIS_OK)
        err = make_request(topic, keep, &request);
    return err == ALDIS_OK ? aldis__router_ask(router, ctx, &request) : err;
}

aldis_err aldis_system_topic_keep(aldis_system *system, const char *topic, bool keep)
{
    struct aldis__router *router;
    struct aldis__request request;
    aldis_err err = aldis__router_enter_outside(system, "topic_keep", &router);
    if (err == ALDIS_OK)
        err = make_request(topic, keep, &request);
    return err == ALDIS_OK ? aldis__router_ask_outside(router, &request) : err;
}
