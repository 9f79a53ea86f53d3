// SPDX-License-Identifier: Apache-2.0
/* monitor.c: see monitor.h. Layer: core. */
#include "core/monitor.h"

#include "base/error.h"
#include "base/log.h"
#include "core/deliver.h"
#include "core/lifecycle.h"
#include "core/supervise.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MONITORS_MAX = 1 << 20, LINKS_MAX = 4096 };

static struct aldis__watches *watches_of(struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (!ext || ext->watches)
        return ext ? ext->watches : NULL;
    ext->watches = calloc(1, sizeof *ext->watches);
    if (ext->watches)
        ext->watches->monitor_free = UINT32_MAX;
    return ext->watches;
}

static struct aldis__watches *watches_if_any(const struct aldis__cell *cell)
{
    return cell->ext ? cell->ext->watches : NULL;
}

/* Room for one more entry of a list. False: out of memory. */
static bool reserve(void **list, uint32_t count, uint32_t *capacity, size_t entry_bytes)
{
    if (count < *capacity)
        return true;
    uint32_t more = *capacity ? 2 * *capacity : 4;
    void *grown = realloc(*list, more * entry_bytes);
    if (!grown)
        return false;
    *list = grown;
    *capacity = more;
    return true;
}

/* ------------------------------------------------------------------ notices */

static void down_fill(aldis_down *out_down, aldis_id actor, uint64_t ref, const char *kind)
{
    memset(out_down, 0, sizeof *out_down);
    out_down->actor = actor;
    out_down->ref.bits = ref;
    out_down->reason = ALDIS_ENDED_BEFORE;
    snprintf(out_down->kind, sizeof out_down->kind, "%s", kind);
}

/* The kind of an actor that has ended, if its slot has not been used again. */
static const char *kind_of_ended(aldis_system *system, aldis_id actor)
{
    uint64_t place = aldis__id_index(actor, system->node_base);
    if (place >= system->index_limit)
        return "";
    uint64_t word = aldis__directory_read(&system->directory[place]);
    if (aldis__id_generation(actor) == 0 || (word & ALDIS__GEN_MASK) != aldis__id_generation(actor))
        return "";
    return aldis__system_kind(system, aldis__word_kind(word))->behaviour->name;
}

void aldis__watcher_tell_gone(struct aldis__worker *worker, aldis_id gone, aldis_id watcher,
                              uint64_t ref)
{
    aldis_down down;
    down_fill(&down, gone, ref, kind_of_ended(worker->ctx.system, gone));
    aldis__post_runtime(worker, gone, watcher, ALDIS__TYPE_DOWN, &down, sizeof down);
}

void aldis__life_link_tell_gone(struct aldis__worker *worker, aldis_id gone, aldis_id other)
{
    aldis_down down;
    down_fill(&down, gone, 0, kind_of_ended(worker->ctx.system, gone));
    aldis__post_runtime(worker, gone, other, ALDIS__TYPE_LINK_DOWN, &down, sizeof down);
}

void aldis__watchers_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                          const aldis_child_ended *ended)
{
    struct aldis__watches *watches = watches_if_any(cell);
    if (!watches)
        return;
    aldis_down down;
    down_fill(&down, cell->id, 0, cell->kind->behaviour->name);
    down.reason = ended->reason;
    down.err = ended->err;
    for (uint32_t i = 0; i < watches->watcher_count; i++) {
        down.ref.bits = watches->watchers[i].ref;
        aldis__post_runtime(worker, cell->id, watches->watchers[i].id, ALDIS__TYPE_DOWN, &down,
                            sizeof down);
    }
    down.ref.bits = 0;
    for (uint32_t i = 0; i < watches->link_count; i++)
        aldis__post_runtime(worker, cell->id, watches->links[i], ALDIS__TYPE_LINK_DOWN, &down,
                            sizeof down);
    aldis__monitors_cancel_all(worker, cell);
}

/* ------------------------------------------------------------------ the watched actor */

void aldis__watcher_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id watcher,
                        uint64_t ref)
{
    struct aldis__watches *watches = watches_of(cell);
    if (watches && reserve((void **)&watches->watchers, watches->watcher_count,
                           &watches->watcher_capacity, sizeof *watches->watchers)) {
        watches->watchers[watches->watcher_count++] = (struct aldis__watcher){watcher, ref};
        return;
    }
    /* One notice there must be: that it cannot be watched. */
    aldis_down down;
    down_fill(&down, cell->id, ref, cell->kind->behaviour->name);
    down.err = ALDIS_ENOMEM;
    aldis__post_runtime(worker, cell->id, watcher, ALDIS__TYPE_DOWN, &down, sizeof down);
}

void aldis__watcher_remove(struct aldis__cell *cell, aldis_id watcher, uint64_t ref)
{
    struct aldis__watches *watches = watches_if_any(cell);
    /* From the end: what was begun last is most often the first to be given up. */
    for (uint32_t i = watches ? watches->watcher_count : 0; i-- > 0;) {
        if (!aldis_id_equal(watches->watchers[i].id, watcher) || watches->watchers[i].ref != ref)
            continue;
        watches->watchers[i] = watches->watchers[--watches->watcher_count];
        return;
    }
}

/* ------------------------------------------------------------------ the watcher */

static struct aldis__monitor *find_monitor(struct aldis__watches *watches, uint64_t ref)
{
    uint32_t place = (uint32_t)ref;
    if (!watches || place == 0 || place > watches->monitor_end)
        return NULL;
    struct aldis__monitor *monitor = &watches->monitors[place - 1];
    bool same = monitor->generation == ref >> 32 && !aldis_id_is_nobody(monitor->actor);
    return same ? monitor : NULL;
}

/* 0: out of memory. */
static uint64_t new_monitor(struct aldis__watches *watches, aldis_id actor)
{
    uint32_t place = watches->monitor_free;
    if (place != UINT32_MAX) {
        watches->monitor_free = watches->monitors[place].next_free;
    } else {
        if (!reserve((void **)&watches->monitors, watches->monitor_end, &watches->monitor_capacity,
                     sizeof *watches->monitors))
            return 0;
        place = watches->monitor_end++;
        watches->monitors[place].generation = 0;
    }
    watches->monitors[place].actor = actor;
    watches->monitor_count++;
    return (uint64_t)watches->monitors[place].generation << 32 | (place + 1);
}

static void free_monitor(struct aldis__watches *watches, struct aldis__monitor *monitor)
{
    monitor->actor = aldis_nobody();
    monitor->generation++;
    monitor->next_free = watches->monitor_free;
    watches->monitor_free = (uint32_t)(monitor - watches->monitors);
    watches->monitor_count--;
}

bool aldis__down_accept(struct aldis__cell *cell, const aldis_down *down)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED | ALDIS__CELL_FAILING;
    struct aldis__watches *watches = watches_if_any(cell);
    if (cell->flags & ending)
        return false;
    if (down->ref.bits == 0)
        return watches && watches->traps;
    struct aldis__monitor *monitor = find_monitor(watches, down->ref.bits);
    if (!monitor)
        return false;
    free_monitor(watches, monitor);
    return true;
}

/* May go to nobody: an id beyond all tables was never watched. */
static void post_unwatch(struct aldis__worker *worker, aldis_id watcher, aldis_id actor,
                         uint64_t ref)
{
    const aldis_system *system = worker->ctx.system;
    if (aldis__id_index(actor, system->node_base) < system->index_limit)
        aldis__post_runtime(worker, watcher, actor, ALDIS__TYPE_UNWATCH, &ref, sizeof ref);
}

void aldis__monitors_cancel_all(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__watches *watches = watches_if_any(cell);
    for (uint32_t i = 0; watches && watches->monitor_count && i < watches->monitor_end; i++) {
        struct aldis__monitor *monitor = &watches->monitors[i];
        if (aldis_id_is_nobody(monitor->actor))
            continue;
        post_unwatch(worker, cell->id, monitor->actor,
                     (uint64_t)monitor->generation << 32 | (i + 1));
        free_monitor(watches, monitor);
    }
}

/* ------------------------------------------------------------------ links */

static aldis_id *find_link(const struct aldis__watches *watches, aldis_id other)
{
    for (uint32_t i = 0; watches && i < watches->link_count; i++)
        if (aldis_id_equal(watches->links[i], other))
            return &watches->links[i];
    return NULL;
}

static aldis_err keep_link(struct aldis__cell *cell, aldis_id other)
{
    struct aldis__watches *watches = watches_of(cell);
    if (!watches)
        return ALDIS_ENOMEM;
    if (find_link(watches, other))
        return ALDIS_OK;
    if (watches->link_count >= LINKS_MAX)
        return ALDIS_EAGAIN;
    if (!reserve((void **)&watches->links, watches->link_count, &watches->link_capacity,
                 sizeof *watches->links))
        return ALDIS_ENOMEM;
    watches->links[watches->link_count++] = other;
    return ALDIS_OK;
}

void aldis__life_link_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id other)
{
    aldis_err err = keep_link(cell, other);
    if (err == ALDIS_OK)
        return;
    aldis__log(ALDIS_LOG_ERROR, "actor %016llx cannot be linked with %016llx: %s",
               (unsigned long long)cell->id.bits, (unsigned long long)other.bits,
               aldis_error_text(err));
    /* Half a link would hold one of them to a promise that the other does not know of. */
    aldis_down down;
    down_fill(&down, cell->id, 0, cell->kind->behaviour->name);
    down.err = err;
    aldis__post_runtime(worker, cell->id, other, ALDIS__TYPE_LINK_DOWN, &down, sizeof down);
}

void aldis__life_link_remove(struct aldis__cell *cell, aldis_id other)
{
    struct aldis__watches *watches = watches_if_any(cell);
    aldis_id *link = find_link(watches, other);
    if (link)
        *link = watches->links[--watches->link_count];
}

static bool is_failure(const aldis_down *down)
{
    switch (down->reason) {
    case ALDIS_ENDED_STOPPED:
    case ALDIS_ENDED_DRAINED:
    case ALDIS_ENDED_LINKED:
        return false;
    case ALDIS_ENDED_KILLED:
    case ALDIS_ENDED_START_FAILED:
    case ALDIS_ENDED_NO_MEMORY:
    case ALDIS_ENDED_FAILED:
    case ALDIS_ENDED_BEFORE:
        return true;
    }
    return true;
}

void aldis__life_link_ended(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, const aldis_down *down)
{
    struct aldis__watches *watches = watches_if_any(cell);
    aldis_id *link = find_link(watches, down->actor);
    if (!link)
        return; /* untied meanwhile */
    *link = watches->links[--watches->link_count];
    if (watches->traps) {
        /* As a message of its own: this one is the runtime's. */
        aldis__post_runtime(worker, down->actor, cell->id, ALDIS__TYPE_DOWN, down, sizeof *down);
    } else if (is_failure(down)) {
        aldis__log(ALDIS_LOG_WARN, "actor %016llx (%s) fails with its link %016llx (%s)",
                   (unsigned long long)cell->id.bits, cell->kind->behaviour->name,
                   (unsigned long long)down->actor.bits, down->kind);
        aldis__cell_fail(worker, shard, cell, ALDIS_ELINKED);
    } else {
        aldis__cell_stop(worker, shard, cell, ALDIS_ENDED_LINKED);
    }
}

void aldis__trap_off(struct aldis__cell *cell)
{
    struct aldis__watches *watches = watches_if_any(cell);
    if (watches)
        watches->traps = false;
}

void aldis__watches_free(struct aldis__cell_ext *ext)
{
    if (!ext->watches)
        return;
    free(ext->watches->monitors);
    free(ext->watches->watchers);
    free(ext->watches->links);
    free(ext->watches);
    ext->watches = NULL;
}

/* ------------------------------------------------------------------ public */

static aldis_err check(aldis_ctx *ctx, const char *call)
{
    const uint32_t ending = ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED;
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "%s: the context belongs to another handler or thread", call);
    if (ctx->cell->flags & ending)
        return aldis__error_set(ALDIS_ESHUTDOWN, ctx->cell->id, "", "%s: the actor is ending",
                                call);
    return ALDIS_OK;
}

static aldis_err check_other(aldis_ctx *ctx, aldis_id actor, const char *call)
{
    aldis_err err = check(ctx, call);
    if (err != ALDIS_OK)
        return err;
    if (aldis_id_is_nobody(actor) || aldis_id_equal(actor, ctx->cell->id))
        return aldis__error_set(ALDIS_EINVAL, actor, "", "%s: %s", call,
                                aldis_id_is_nobody(actor) ? "nobody" : "an actor and itself");
    return ALDIS_OK;
}

static aldis_err check_protocol(aldis_ctx *ctx, const char *call)
{
    if (ctx->cell->kind->handle[ALDIS__TYPE_DOWN])
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EUNACCEPTED, ctx->cell->id, "aldis_down",
                            "%s: %s does not list aldis_down in its protocol", call,
                            ctx->cell->kind->behaviour->name);
}

static bool is_of_system(const aldis_ctx *ctx, aldis_id actor)
{
    return aldis__id_index(actor, ctx->system->node_base) < ctx->system->index_limit;
}

aldis_err aldis_monitor(aldis_ctx *ctx, aldis_id actor, aldis_monitor_ref *out_ref)
{
    aldis_err err = check_other(ctx, actor, "aldis_monitor");
    if (err == ALDIS_OK && !out_ref)
        err = aldis__error_set(ALDIS_EINVAL, actor, "", "aldis_monitor: out_ref is NULL");
    if (err == ALDIS_OK)
        err = check_protocol(ctx, "aldis_monitor");
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__worker_of(ctx);
    struct aldis__watches *watches = watches_of(ctx->cell);
    if (watches && watches->monitor_count >= MONITORS_MAX)
        return aldis__error_set(ALDIS_EAGAIN, actor, "", "aldis_monitor: the actor has %d already",
                                MONITORS_MAX);
    uint64_t ref = watches ? new_monitor(watches, actor) : 0;
    if (!ref)
        return aldis__error_set(ALDIS_ENOMEM, actor, "", "aldis_monitor");
    out_ref->bits = ref;
    if (is_of_system(ctx, actor)) {
        aldis__post_runtime(worker, ctx->cell->id, actor, ALDIS__TYPE_WATCH, &ref, sizeof ref);
        return ALDIS_OK;
    }
    aldis_down down; /* it never was, and no shard is there to say so */
    down_fill(&down, actor, ref, "");
    aldis__post_runtime(worker, ctx->cell->id, ctx->cell->id, ALDIS__TYPE_DOWN, &down, sizeof down);
    return ALDIS_OK;
}

aldis_err aldis_demonitor(aldis_ctx *ctx, aldis_monitor_ref ref)
{
    aldis_err err = check(ctx, "aldis_demonitor");
    if (err != ALDIS_OK)
        return err;
    struct aldis__watches *watches = watches_if_any(ctx->cell);
    struct aldis__monitor *monitor = find_monitor(watches, ref.bits);
    if (!monitor)
        return aldis__error_set(ALDIS_ENOTFOUND, ctx->cell->id, "",
                                "aldis_demonitor: it has told, or was never this actor's");
    post_unwatch(aldis__worker_of(ctx), ctx->cell->id, monitor->actor, ref.bits);
    free_monitor(watches, monitor);
    return ALDIS_OK;
}

aldis_err aldis_life_link(aldis_ctx *ctx, aldis_id actor)
{
    aldis_err err = check_other(ctx, actor, "aldis_life_link");
    if (err == ALDIS_OK && !is_of_system(ctx, actor))
        err = aldis__error_set(ALDIS_EINVAL, actor, "", "aldis_life_link: an id of another system");
    if (err != ALDIS_OK)
        return err;
    err = keep_link(ctx->cell, actor);
    if (err != ALDIS_OK)
        return aldis__error_set(err, actor, "", "aldis_life_link: %s",
                                err == ALDIS_EAGAIN ? "the actor has 4096 links already"
                                                    : "out of memory");
    aldis__post_runtime(aldis__worker_of(ctx), ctx->cell->id, actor, ALDIS__TYPE_LINK, NULL, 0);
    return ALDIS_OK;
}

aldis_err aldis_life_unlink(aldis_ctx *ctx, aldis_id actor)
{
    aldis_err err = check(ctx, "aldis_life_unlink");
    if (err != ALDIS_OK)
        return err;
    if (!find_link(watches_if_any(ctx->cell), actor))
        return aldis__error_set(ALDIS_ENOTFOUND, actor, "",
                                "aldis_life_unlink: they are not linked");
    aldis__life_link_remove(ctx->cell, actor);
    aldis__post_runtime(aldis__worker_of(ctx), ctx->cell->id, actor, ALDIS__TYPE_UNLINK, NULL, 0);
    return ALDIS_OK;
}

aldis_err aldis_life_trap(aldis_ctx *ctx, bool on)
{
    aldis_err err = check(ctx, "aldis_life_trap");
    if (err == ALDIS_OK && on)
        err = check_protocol(ctx, "aldis_life_trap");
    if (err != ALDIS_OK)
        return err;
    struct aldis__watches *watches = on ? watches_of(ctx->cell) : watches_if_any(ctx->cell);
    if (on && !watches)
        return aldis__error_set(ALDIS_ENOMEM, ctx->cell->id, "", "aldis_life_trap");
    if (watches)
        watches->traps = on;
    return ALDIS_OK;
}
