// SPDX-License-Identifier: Apache-2.0
/* snapshot.c: see snapshot.h. Layer: messaging. */
#include "messaging/snapshot.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_FIRST = 64, SNAPSHOTS_MAX = 1 << 14, MEMOS = 256 };

/* ------------------------------------------------------------------ topics */

static bool is_of(const struct aldis__snapshot *snapshot, const struct aldis__key *topic)
{
    const struct aldis__topic *t = snapshot->topic;
    return t->link.hash == topic->hash && t->size == topic->size &&
           memcmp(t->text, topic->text, topic->size) == 0;
}

struct aldis__snapshot *aldis__snapshot_find(struct aldis__view *view,
                                             const struct aldis__key *topic)
{
    if (!view->capacity)
        return NULL;
    size_t mask = view->capacity - 1;
    for (size_t i = topic->hash & mask; view->slots[i]; i = (i + 1) & mask)
        if (is_of(view->slots[i], topic)) {
            view->slots[i]->used = true;
            return view->slots[i];
        }
    return NULL;
}

static void put(struct aldis__snapshot **slots, size_t capacity, struct aldis__snapshot *snapshot)
{
    size_t i = snapshot->topic->link.hash & (capacity - 1);
    while (slots[i])
        i = (i + 1) & (capacity - 1);
    slots[i] = snapshot;
}

static void end_snapshot(struct aldis__snapshot *snapshot, struct aldis__registry *registry)
{
    aldis__registry_unwatch(registry, snapshot->topic);
    aldis__match_fini(&snapshot->list);
    free(snapshot);
}

/* Let go of what was not used since the last sweep (or of everything, if that is too much to keep),
 * and make room for the rest to double. False: out of memory, nothing has changed. */
static bool sweep(struct aldis__view *view, struct aldis__registry *registry)
{
    size_t used = 0;
    for (size_t i = 0; i < view->capacity; i++)
        used += view->slots[i] && view->slots[i]->used;
    bool keep = used < SNAPSHOTS_MAX;
    size_t capacity = SLOTS_FIRST;
    while (keep && capacity < 4 * used)
        capacity *= 2;
    struct aldis__snapshot **slots = calloc(capacity, sizeof(struct aldis__snapshot *));
    if (!slots)
        return false;
    view->count = 0;
    for (size_t i = 0; i < view->capacity; i++) {
        struct aldis__snapshot *snapshot = view->slots[i];
        if (!snapshot)
            continue;
        if (!keep || !snapshot->used) {
            end_snapshot(snapshot, registry);
            continue;
        }
        snapshot->used = false;
        put(slots, capacity, snapshot);
        view->count++;
    }
    free(view->slots);
    view->slots = slots;
    view->capacity = capacity;
    return true;
}

struct aldis__snapshot *aldis__snapshot_make(struct aldis__view *view,
                                             struct aldis__registry *registry,
                                             const struct aldis__key *topic)
{
    if (2 * view->count >= view->capacity && !sweep(view, registry))
        return NULL;
    struct aldis__snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (!snapshot)
        return NULL;
    snapshot->topic = aldis__registry_watch(registry, topic);
    if (!snapshot->topic) {
        free(snapshot);
        return NULL;
    }
    snapshot->version = UINT64_MAX; /* no topic's */
    snapshot->used = true;
    put(view->slots, view->capacity, snapshot);
    view->count++;
    return snapshot;
}

bool aldis__snapshot_refresh(struct aldis__snapshot *snapshot,
                             const struct aldis__registry *registry)
{
    struct aldis__topic *topic = snapshot->topic;
    const struct aldis__key text = {
        .text = topic->text, .size = topic->size, .hash = topic->link.hash};
    if (!aldis__match_fill(&snapshot->list, registry, topic, &text))
        return false;
    snapshot->keeps = topic->kept_node != NULL;
    /* Relaxed: it changes under this lock only. */
    snapshot->version = aldis__load_relaxed(&topic->version);
    return true;
}

/* ------------------------------------------------------------------ names */

static struct aldis__name_memo *memo_of(struct aldis__view *view, const struct aldis__key *name)
{
    return &view->memos[name->hash % MEMOS];
}

aldis_id aldis__view_recall(struct aldis__view *view, const struct aldis__registry *registry,
                            const struct aldis__key *name)
{
    if (!view->memos)
        return aldis_nobody();
    const struct aldis__name_memo *memo = memo_of(view, name);
    /* Relaxed: see move_names_version() in registry.c. */
    if (memo->version != aldis__load_relaxed(&registry->names_version) ||
        memo->size != name->size || memcmp(memo->text, name->text, name->size) != 0)
        return aldis_nobody();
    return memo->actor;
}

void aldis__view_remember(struct aldis__view *view, const struct aldis__registry *registry,
                          const struct aldis__key *name, aldis_id actor)
{
    if (!view->memos)
        view->memos = calloc(MEMOS, sizeof *view->memos);
    if (!view->memos)
        return; /* without memory it is looked up each time */
    struct aldis__name_memo *memo = memo_of(view, name);
    /* Relaxed: it changes under this lock only. */
    memo->version = aldis__load_relaxed(&registry->names_version);
    memo->actor = actor;
    memo->size = (uint32_t)name->size;
    memcpy(memo->text, name->text, name->size);
}

void aldis__view_fini(struct aldis__view *view, struct aldis__registry *registry)
{
    for (size_t i = 0; i < view->capacity; i++)
        if (view->slots[i])
            end_snapshot(view->slots[i], registry);
    free(view->slots);
    free(view->memos);
    *view = (struct aldis__view){0};
}
