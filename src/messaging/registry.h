// SPDX-License-Identifier: Apache-2.0
/* registry.h: names, topics, and what each actor has of them. Layer: messaging.
 *
 * A pattern is a topic like any other here: a text with subscribers. Beside the table by text there
 * are three tries: of the patterns that somebody subscribes to, to find those that match a topic;
 * of the topics that somebody's snapshot watches, to tell those when a pattern of theirs changes;
 * and of the topics that keep their last value, to find those that a new pattern matches.
 *
 * Plain data: the caller has a lock. It knows actors only by their ids, which are unique for ever;
 * whether one lives is the caller's business.
 *
 * Costs: every operation is O(1) amortised, but for the end of an actor, which is O(what it has).
 * An ended subscription leaves a hole in its topic's list, so that the order stays and nothing
 * moves; when more than half of a list is holes, it is closed up.
 *
 * Invariants:
 *   topic->live == entries of the topic that hold an actor <= topic->length <= topic->capacity
 *   entries[s->index].subscription == s for every subscription s of the topic
 *   an actor record has a name or a subscription; a topic has a subscriber, a snapshot (refs), or
 *   keeps its last value
 *   topic->node != NULL  <=>  it is a pattern, or a snapshot watches it
 *   serials rise along the entries of a topic: they are the order of subscription */
#ifndef ALDIS_MESSAGING_REGISTRY_H
#define ALDIS_MESSAGING_REGISTRY_H

#include "base/atomic.h"
#include "messaging/key.h"
#include "messaging/table.h"
#include "messaging/trie.h"

struct aldis__subscription;
struct aldis__name;

/* What one actor has. */
struct aldis__routed {
    struct aldis__link link; /* by id */
    aldis_id id;
    struct aldis__subscription *first, *last; /* in order of subscription */
    struct aldis__name *names;
};

struct aldis__topic_entry {
    aldis_id actor; /* nobody: a hole */
    struct aldis__subscription *subscription;
};

/* What a subscription asks for beside the topic. */
struct aldis__terms {
    struct aldis__key group; /* size 0: none */
    uint32_t bound;          /* see aldis__bound_make() in core/bound.h; 0: none */
};

/* A queue group: one of its members gets a publication. By its name, whatever the patterns. */
struct aldis__group {
    struct aldis__link link; /* by text */
    uint64_t number;         /* in order of the first use */
    uint32_t refs;           /* subscriptions */
    uint32_t size;
    char text[];
};

struct aldis__topic {
    struct aldis__link link;   /* by text */
    struct aldis__node *node;  /* in the trie of patterns, or of watched topics */
    _Atomic(uint64_t) version; /* moves when somebody comes or leaves, but not when an actor ends */
    struct aldis__topic_entry *entries; /* in order of subscription */
    size_t length, capacity, live;
    struct aldis__node *kept_node; /* in the trie of those that keep their last value */
    struct aldis__last *last;      /* that value; NULL: none. See last.h */
    size_t special;                /* subscriptions with terms */
    uint32_t refs;                 /* snapshots that watch it, and calls that need it */
    uint32_t watchers;             /* snapshots that watch it */
    bool is_pattern;
    uint32_t size;
    char text[];
};

struct aldis__subscription {
    struct aldis__link link; /* by (actor, topic) */
    struct aldis__topic *topic;
    struct aldis__routed *actor;
    struct aldis__subscription *previous, *next; /* of the same actor */
    size_t index;                                /* in the topic's entries */
    uint64_t serial;                             /* order of subscription, over all topics */
    struct aldis__group *group;                  /* NULL: none */
    uint32_t bound;
};

struct aldis__name {
    struct aldis__link link; /* by text */
    struct aldis__routed *actor;
    struct aldis__name *previous, *next; /* of the same actor */
    uint32_t size;
    char text[];
};

struct aldis__registry {
    struct aldis__table actors, topics, subscriptions, names, groups;
    struct aldis__trie patterns, watched, kept;
    uint64_t serials, group_numbers; /* given so far */
    _Atomic(uint64_t) names_version; /* moves with every change of a name */
    size_t names_max, subscriptions_max, kept_count, kept_max;
};

void aldis__registry_init(struct aldis__registry *registry);
void aldis__registry_fini(struct aldis__registry *registry);

/**
 * Add a subscription; the second one is the first, with the terms of the second (NULL: none).
 * *out_first: the registry has met this actor for the first time (or again after it had nothing);
 * may be written on failure, too.
 * Errors: ALDIS_ENOMEM, ALDIS_EFULL: nothing has changed.
 */
aldis_err aldis__registry_subscribe(struct aldis__registry *registry, aldis_id actor,
                                    const struct aldis__key *topic,
                                    const struct aldis__terms *terms, bool *out_first);
/** End a subscription, if there is one. */
void aldis__registry_unsubscribe(struct aldis__registry *registry, aldis_id actor,
                                 const struct aldis__key *topic);

/** The bound of an actor's subscription as a message carries it (see bound.h); 0: none. */
uint64_t aldis__registry_bound(const struct aldis__registry *registry, aldis_id actor,
                               const struct aldis__topic *topic);

/** Make a topic keep its last value, or not. ALDIS_EFULL, ALDIS_ENOMEM. */
aldis_err aldis__registry_keep(struct aldis__registry *registry, const struct aldis__key *topic,
                               bool keep);
/** The last value of a topic, if it keeps one. Takes last. */
void aldis__registry_set_last(struct aldis__registry *registry, const struct aldis__key *topic,
                              struct aldis__last *last);

/** Give a name that nobody has. As aldis__registry_subscribe. */
aldis_err aldis__registry_register(struct aldis__registry *registry, aldis_id actor,
                                   const struct aldis__key *name, bool *out_first);
/** Take a name back. False: nobody has it. */
bool aldis__registry_unregister(struct aldis__registry *registry, const struct aldis__key *name);
/** Who has the name? Nobody, perhaps. */
aldis_id aldis__registry_lookup(const struct aldis__registry *registry,
                                const struct aldis__key *name);

/** An actor has ended: it is in no list any more. */
void aldis__registry_forget(struct aldis__registry *registry, aldis_id actor);

/** NULL: there is none. */
struct aldis__topic *aldis__registry_topic(const struct aldis__registry *registry,
                                           const struct aldis__key *text);
/** Keep a topic, with subscribers or without. NULL: out of memory. */
struct aldis__topic *aldis__registry_topic_ref(struct aldis__registry *registry,
                                               const struct aldis__key *text);
void aldis__registry_topic_unref(struct aldis__registry *registry, struct aldis__topic *topic);
/** Keep a topic (not a pattern), and move its version when a pattern that matches it changes. NULL:
 *  out of memory. */
struct aldis__topic *aldis__registry_watch(struct aldis__registry *registry,
                                           const struct aldis__key *text);
void aldis__registry_unwatch(struct aldis__registry *registry, struct aldis__topic *topic);

/** NULL: the actor has no name and no subscription. */
struct aldis__routed *aldis__registry_actor(const struct aldis__registry *registry, aldis_id actor);

#endif
