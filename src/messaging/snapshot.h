// SPDX-License-Identifier: Apache-2.0
/* snapshot.h: what one worker knows of topics and names. Layer: messaging.
 *
 * Publishing takes no lock: each worker has its own lists of who gets what it publishes
 * to a topic, and compares one version, read-mostly, to see that they are current. Only a copy
 * that is not takes the router's lock. An actor that ends moves no version: its place in a copy
 * does no harm, since the directory tells that it has ended.
 *
 * Owner: one worker, plain memory. "Under the lock": the router's. */
#ifndef ALDIS_MESSAGING_SNAPSHOT_H
#define ALDIS_MESSAGING_SNAPSHOT_H

#include "messaging/match.h"
#include <aldis/router.h>

struct aldis__snapshot {
    struct aldis__topic *topic; /* referred to, so that it stays */
    uint64_t version;           /* of the topic, when it was copied */
    struct aldis__match_list list;
    bool keeps; /* the topic keeps its last value */
    bool used;  /* since the last sweep */
};

/* A name that was looked up. */
struct aldis__name_memo {
    uint64_t version; /* of all names, when it was looked up; 0: none */
    aldis_id actor;
    uint32_t size;
    char text[ALDIS_NAME_MAX + 1];
};

struct aldis__view {
    struct aldis__snapshot **slots; /* by topic, open addressing; at most half are in use */
    size_t capacity, count;
    struct aldis__name_memo *memos; /* by name, each has one place; NULL: none made yet */
};

/** The snapshot of a topic, current or not; NULL: there is none. */
struct aldis__snapshot *aldis__snapshot_find(struct aldis__view *view,
                                             const struct aldis__key *topic);

static inline bool aldis__snapshot_is_current(const struct aldis__snapshot *snapshot)
{
    /* Relaxed: see move_version() in registry.c. */
    return aldis__load_relaxed(&snapshot->topic->version) == snapshot->version;
}

/** Make a snapshot, not yet current, of a topic that has none in this view. Under the lock. NULL:
 *  out of memory. */
struct aldis__snapshot *aldis__snapshot_make(struct aldis__view *view,
                                             struct aldis__registry *registry,
                                             const struct aldis__key *topic);
/** Make the list anew. Under the lock. False: out of memory. */
bool aldis__snapshot_refresh(struct aldis__snapshot *snapshot,
                             const struct aldis__registry *registry);

/** Who has the name, as this view remembers? Nobody: it does not. */
aldis_id aldis__view_recall(struct aldis__view *view, const struct aldis__registry *registry,
                            const struct aldis__key *name);
/** Remember who has it. Under the lock. */
void aldis__view_remember(struct aldis__view *view, const struct aldis__registry *registry,
                          const struct aldis__key *name, aldis_id actor);

/** Let go of everything. Under the lock. */
void aldis__view_fini(struct aldis__view *view, struct aldis__registry *registry);

#endif
