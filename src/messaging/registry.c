// SPDX-License-Identifier: Apache-2.0
/* registry.c: see registry.h. Layer: messaging. */
#include "messaging/registry.h"

#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

/* What a forgotten loop can take of memory; far above what is of use. */
enum { NAMES_MAX = 1 << 22, SUBSCRIPTIONS_MAX = 1 << 26, KEPT_MAX = 1 << 20 };

enum { FIRST_ENTRIES = 4, HOLES_MIN = 32 };

void aldis__registry_init(struct aldis__registry *registry)
{
    memset(registry, 0, sizeof *registry);
    registry->names_max = NAMES_MAX;
    registry->subscriptions_max = SUBSCRIPTIONS_MAX;
    registry->kept_max = KEPT_MAX;
    /* Relaxed: not shared yet. 0 is no version. */
    aldis__store_relaxed(&registry->names_version, 1);
}

/* ------------------------------------------------------------------ actors */

struct aldis__routed *aldis__registry_actor(const struct aldis__registry *registry, aldis_id actor)
{
    uint64_t hash = aldis__mix64(actor.bits);
    struct aldis__link *link = aldis__table_first(&registry->actors, hash);
    /* mix64 is a bijection: equal hashes are equal ids. */
    return (struct aldis__routed *)link;
}

/* Find the record of an actor, or make it. */
static struct aldis__routed *hold_actor(struct aldis__registry *registry, aldis_id actor,
                                        bool *out_first)
{
    struct aldis__routed *routed = aldis__registry_actor(registry, actor);
    *out_first = routed == NULL;
    if (routed || !aldis__table_reserve(&registry->actors))
        return routed;
    routed = calloc(1, sizeof *routed);
    if (!routed)
        return NULL;
    routed->id = actor;
    aldis__table_add(&registry->actors, &routed->link, aldis__mix64(actor.bits));
    return routed;
}

/* Free it when it has nothing any more. */
static void release_actor(struct aldis__registry *registry, struct aldis__routed *routed)
{
    if (routed->first || routed->names)
        return;
    aldis__table_remove(&registry->actors, &routed->link);
    free(routed);
}

/* ------------------------------------------------------------------ topics */

struct aldis__topic *aldis__registry_topic(const struct aldis__registry *registry,
                                           const struct aldis__key *text)
{
    struct aldis__link *link = aldis__table_first(&registry->topics, text->hash);
    for (; link; link = aldis__table_next(link->next, text->hash)) {
        struct aldis__topic *topic = (struct aldis__topic *)link;
        if (topic->size == text->size && memcmp(topic->text, text->text, text->size) == 0)
            return topic;
    }
    return NULL;
}

struct aldis__topic *aldis__registry_topic_ref(struct aldis__registry *registry,
                                               const struct aldis__key *text)
{
    struct aldis__topic *topic = aldis__registry_topic(registry, text);
    if (!topic) {
        if (!aldis__table_reserve(&registry->topics))
            return NULL;
        topic = calloc(1, sizeof *topic + text->size + 1);
        if (!topic)
            return NULL;
        topic->size = (uint32_t)text->size;
        topic->is_pattern = text->is_pattern;
        memcpy(topic->text, text->text, text->size);
        if (topic->is_pattern)
            topic->node = aldis__trie_add(&registry->patterns, topic->text, topic->size, topic);
        if (topic->is_pattern && !topic->node) {
            free(topic);
            return NULL;
        }
        aldis__table_add(&registry->topics, &topic->link, text->hash);
    }
    topic->refs++;
    return topic;
}

static void release_topic(struct aldis__registry *registry, struct aldis__topic *topic)
{
    if (topic->live || topic->refs || topic->kept_node)
        return;
    if (topic->node) /* no snapshot watches it: it is a pattern */
        aldis__trie_remove(&registry->patterns, topic->node);
    aldis__table_remove(&registry->topics, &topic->link);
    free(topic->entries);
    free(topic);
}

void aldis__registry_topic_unref(struct aldis__registry *registry, struct aldis__topic *topic)
{
    topic->refs--;
    release_topic(registry, topic);
}

struct aldis__topic *aldis__registry_watch(struct aldis__registry *registry,
                                           const struct aldis__key *text)
{
    struct aldis__topic *topic = aldis__registry_topic_ref(registry, text);
    if (!topic)
        return NULL;
    if (topic->watchers == 0)
        topic->node = aldis__trie_add(&registry->watched, topic->text, topic->size, topic);
    if (!topic->node) {
        aldis__registry_topic_unref(registry, topic);
        return NULL;
    }
    topic->watchers++;
    return topic;
}

void aldis__registry_unwatch(struct aldis__registry *registry, struct aldis__topic *topic)
{
    if (--topic->watchers == 0) {
        aldis__trie_remove(&registry->watched, topic->node);
        topic->node = NULL;
    }
    aldis__registry_topic_unref(registry, topic);
}

static void move_one(void *unused, struct aldis__topic *topic)
{
    (void)unused;
    /* Relaxed: whoever sees a new version takes the lock before it looks at the list; and whoever
     * has heard of a subscription by a message has this store before its own load. */
    aldis__fetch_add_relaxed(&topic->version, 1);
}

/* Of a topic, or of all watched topics that a pattern matches. */
static void move_version(struct aldis__registry *registry, struct aldis__topic *topic)
{
    if (topic->is_pattern)
        aldis__trie_topics_of(&registry->watched, topic->text, topic->size, move_one, NULL);
    else
        move_one(NULL, topic);
}

/* Close up the holes, in order. Snapshots then shed their dead, too. */
static void close_up(struct aldis__registry *registry, struct aldis__topic *topic)
{
    size_t kept = 0;
    for (size_t i = 0; i < topic->length; i++) {
        if (aldis_id_is_nobody(topic->entries[i].actor))
            continue;
        topic->entries[kept] = topic->entries[i];
        topic->entries[kept].subscription->index = kept;
        kept++;
    }
    topic->length = kept;
    move_version(registry, topic);
}

static bool reserve_entry(struct aldis__topic *topic)
{
    if (topic->length < topic->capacity)
        return true;
    size_t capacity = topic->capacity ? 2 * topic->capacity : FIRST_ENTRIES;
    struct aldis__topic_entry *entries = realloc(topic->entries, capacity * sizeof *entries);
    if (!entries)
        return false;
    topic->entries = entries;
    topic->capacity = capacity;
    return true;
}

/* ------------------------------------------------------------------ queue groups */

/* NULL: out of memory. */
static struct aldis__group *group_ref(struct aldis__registry *registry,
                                      const struct aldis__key *text)
{
    struct aldis__link *link = aldis__table_first(&registry->groups, text->hash);
    struct aldis__group *group = NULL;
    for (; link && !group; link = aldis__table_next(link->next, text->hash)) {
        struct aldis__group *found = (struct aldis__group *)link;
        if (found->size == text->size && memcmp(found->text, text->text, text->size) == 0)
            group = found;
    }
    if (!group) {
        if (!aldis__table_reserve(&registry->groups))
            return NULL;
        group = calloc(1, sizeof *group + text->size + 1);
        if (!group)
            return NULL;
        group->number = ++registry->group_numbers;
        group->size = (uint32_t)text->size;
        memcpy(group->text, text->text, text->size);
        aldis__table_add(&registry->groups, &group->link, text->hash);
    }
    group->refs++;
    return group;
}

static void group_unref(struct aldis__registry *registry, struct aldis__group *group)
{
    if (!group || --group->refs > 0)
        return;
    aldis__table_remove(&registry->groups, &group->link);
    free(group);
}

/* ------------------------------------------------------------------ subscriptions */

static uint64_t subscription_hash(aldis_id actor, uint64_t topic_hash)
{
    return aldis__mix64(actor.bits ^ aldis__mix64(topic_hash));
}

static struct aldis__subscription *find_subscription(const struct aldis__registry *registry,
                                                     aldis_id actor,
                                                     const struct aldis__topic *topic)
{
    uint64_t hash = subscription_hash(actor, topic->link.hash);
    struct aldis__link *link = aldis__table_first(&registry->subscriptions, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        struct aldis__subscription *s = (struct aldis__subscription *)link;
        if (s->topic == topic && aldis_id_equal(s->actor->id, actor))
            return s;
    }
    return NULL;
}

/* Everything that it needs is there. */
static void link_subscription(struct aldis__registry *registry, struct aldis__subscription *s,
                              struct aldis__topic *topic, struct aldis__routed *routed)
{
    s->topic = topic;
    s->actor = routed;
    s->serial = ++registry->serials;
    s->index = topic->length++;
    s->previous = routed->last;
    s->next = NULL;
    if (routed->last)
        routed->last->next = s;
    else
        routed->first = s;
    routed->last = s;
    topic->entries[s->index] = (struct aldis__topic_entry){routed->id, s};
    topic->live++;
    aldis__table_add(&registry->subscriptions, &s->link,
                     subscription_hash(routed->id, topic->link.hash));
    move_version(registry, topic);
}

static bool is_special(const struct aldis__subscription *s)
{
    return s->group || s->bound;
}

/* False: out of memory, nothing has changed. */
static bool set_terms(struct aldis__registry *registry, struct aldis__subscription *s,
                      const struct aldis__terms *terms, bool *out_changed)
{
    struct aldis__group *group = NULL;
    if (terms && terms->group.size) {
        group = group_ref(registry, &terms->group);
        if (!group)
            return false;
    }
    uint32_t bound = terms ? terms->bound : 0;
    *out_changed = s->group != group || s->bound != bound;
    group_unref(registry, s->group);
    s->group = group;
    s->bound = bound;
    return true;
}

/* The second subscription of an actor to a topic. */
static aldis_err subscribe_again(struct aldis__registry *registry, struct aldis__subscription *s,
                                 const struct aldis__terms *terms)
{
    bool was_special = is_special(s), changed;
    if (!set_terms(registry, s, terms, &changed))
        return ALDIS_ENOMEM;
    s->topic->special += (size_t)is_special(s) - (size_t)was_special;
    if (changed)
        move_version(registry, s->topic);
    return ALDIS_OK;
}

static void unlink_subscription(struct aldis__registry *registry, struct aldis__subscription *s)
{
    struct aldis__topic *topic = s->topic;
    struct aldis__routed *routed = s->actor;
    topic->entries[s->index] = (struct aldis__topic_entry){aldis_nobody(), NULL};
    topic->live--;
    topic->special -= is_special(s);
    group_unref(registry, s->group);
    *(s->previous ? &s->previous->next : &routed->first) = s->next;
    *(s->next ? &s->next->previous : &routed->last) = s->previous;
    aldis__table_remove(&registry->subscriptions, &s->link);
    free(s);
    size_t holes = topic->length - topic->live;
    if (holes > topic->live + HOLES_MIN)
        close_up(registry, topic);
    release_topic(registry, topic);
}

aldis_err aldis__registry_subscribe(struct aldis__registry *registry, aldis_id actor,
                                    const struct aldis__key *text, const struct aldis__terms *terms,
                                    bool *out_first)
{
    *out_first = false;
    if (registry->subscriptions.count >= registry->subscriptions_max)
        return ALDIS_EFULL;
    struct aldis__topic *topic = aldis__registry_topic_ref(registry, text);
    if (!topic)
        return ALDIS_ENOMEM;
    struct aldis__subscription *s = find_subscription(registry, actor, topic);
    if (s) {
        aldis__registry_topic_unref(registry, topic);
        return subscribe_again(registry, s, terms);
    }
    struct aldis__routed *routed = hold_actor(registry, actor, out_first);
    bool changed;
    s = calloc(1, sizeof *s);
    bool complete = routed && s && reserve_entry(topic) &&
                    aldis__table_reserve(&registry->subscriptions) &&
                    set_terms(registry, s, terms, &changed);
    if (complete) {
        link_subscription(registry, s, topic, routed);
        topic->special += is_special(s);
    } else {
        free(s);
    }
    aldis__registry_topic_unref(registry, topic);
    if (routed)
        release_actor(registry, routed);
    return complete ? ALDIS_OK : ALDIS_ENOMEM;
}

void aldis__registry_unsubscribe(struct aldis__registry *registry, aldis_id actor,
                                 const struct aldis__key *text)
{
    struct aldis__topic *topic = aldis__registry_topic(registry, text);
    struct aldis__subscription *s = topic ? find_subscription(registry, actor, topic) : NULL;
    if (!s)
        return;
    struct aldis__routed *routed = s->actor;
    move_version(registry, topic);
    unlink_subscription(registry, s);
    release_actor(registry, routed);
}

uint64_t aldis__registry_bound(const struct aldis__registry *registry, aldis_id actor,
                               const struct aldis__topic *topic)
{
    const struct aldis__subscription *s = topic ? find_subscription(registry, actor, topic) : NULL;
    return s && s->bound ? s->serial << 32 | s->bound : 0;
}

/* ------------------------------------------------------------------ last values */

static void forget_last(struct aldis__registry *registry, struct aldis__topic *topic)
{
    aldis__trie_remove(&registry->kept, topic->kept_node);
    topic->kept_node = NULL;
    registry->kept_count--;
    free(topic->last);
    topic->last = NULL;
}

aldis_err aldis__registry_keep(struct aldis__registry *registry, const struct aldis__key *text,
                               bool keep)
{
    struct aldis__topic *topic = aldis__registry_topic(registry, text);
    if ((topic && topic->kept_node != NULL) == keep || (!topic && !keep))
        return ALDIS_OK;
    if (!keep) {
        forget_last(registry, topic);
        move_version(registry, topic);
        release_topic(registry, topic);
        return ALDIS_OK;
    }
    if (registry->kept_count >= registry->kept_max)
        return ALDIS_EFULL;
    topic = aldis__registry_topic_ref(registry, text);
    if (!topic)
        return ALDIS_ENOMEM;
    topic->kept_node = aldis__trie_add(&registry->kept, topic->text, topic->size, topic);
    registry->kept_count += topic->kept_node != NULL;
    move_version(registry, topic);
    bool kept = topic->kept_node != NULL;
    aldis__registry_topic_unref(registry, topic);
    return kept ? ALDIS_OK : ALDIS_ENOMEM;
}

void aldis__registry_set_last(struct aldis__registry *registry, const struct aldis__key *text,
                              struct aldis__last *last)
{
    struct aldis__topic *topic = aldis__registry_topic(registry, text);
    if (!topic || !topic->kept_node) { /* not any more */
        free(last);
        return;
    }
    free(topic->last);
    topic->last = last;
}

/* ------------------------------------------------------------------ names */

static void move_names_version(struct aldis__registry *registry)
{
    /* Relaxed: for the reason given in move_version(). */
    aldis__fetch_add_relaxed(&registry->names_version, 1);
}

static struct aldis__name *find_name(const struct aldis__registry *registry,
                                     const struct aldis__key *text)
{
    struct aldis__link *link = aldis__table_first(&registry->names, text->hash);
    for (; link; link = aldis__table_next(link->next, text->hash)) {
        struct aldis__name *name = (struct aldis__name *)link;
        if (name->size == text->size && memcmp(name->text, text->text, text->size) == 0)
            return name;
    }
    return NULL;
}

aldis_err aldis__registry_register(struct aldis__registry *registry, aldis_id actor,
                                   const struct aldis__key *text, bool *out_first)
{
    *out_first = false;
    if (registry->names.count >= registry->names_max)
        return ALDIS_EFULL;
    struct aldis__name *name = malloc(sizeof *name + text->size + 1);
    if (!name || !aldis__table_reserve(&registry->names)) {
        free(name);
        return ALDIS_ENOMEM;
    }
    struct aldis__routed *routed = hold_actor(registry, actor, out_first);
    if (!routed) {
        free(name);
        return ALDIS_ENOMEM;
    }
    name->size = (uint32_t)text->size;
    memcpy(name->text, text->text, text->size + 1);
    name->actor = routed;
    name->previous = NULL;
    name->next = routed->names;
    if (name->next)
        name->next->previous = name;
    routed->names = name;
    aldis__table_add(&registry->names, &name->link, text->hash);
    move_names_version(registry);
    return ALDIS_OK;
}

static void unlink_name(struct aldis__registry *registry, struct aldis__name *name)
{
    *(name->previous ? &name->previous->next : &name->actor->names) = name->next;
    if (name->next)
        name->next->previous = name->previous;
    aldis__table_remove(&registry->names, &name->link);
    free(name);
    move_names_version(registry);
}

bool aldis__registry_unregister(struct aldis__registry *registry, const struct aldis__key *text)
{
    struct aldis__name *name = find_name(registry, text);
    if (!name)
        return false;
    struct aldis__routed *routed = name->actor;
    unlink_name(registry, name);
    release_actor(registry, routed);
    return true;
}

aldis_id aldis__registry_lookup(const struct aldis__registry *registry,
                                const struct aldis__key *text)
{
    const struct aldis__name *name = find_name(registry, text);
    return name ? name->actor->id : aldis_nobody();
}

/* ------------------------------------------------------------------ the end */

static void strip(struct aldis__registry *registry, struct aldis__routed *routed)
{
    while (routed->first)
        unlink_subscription(registry, routed->first);
    while (routed->names)
        unlink_name(registry, routed->names);
    release_actor(registry, routed);
}

void aldis__registry_forget(struct aldis__registry *registry, aldis_id actor)
{
    struct aldis__routed *routed = aldis__registry_actor(registry, actor);
    if (routed)
        strip(registry, routed);
}

void aldis__registry_fini(struct aldis__registry *registry)
{
    for (size_t i = 0; i < registry->actors.capacity; i++)
        while (registry->actors.buckets[i])
            strip(registry, (struct aldis__routed *)registry->actors.buckets[i]);
    /* What is left of the topics are those that snapshots watch, and those have let go before; and
     * those that keep their last value. */
    for (size_t i = 0; i < registry->topics.capacity; i++)
        while (registry->topics.buckets[i]) {
            struct aldis__topic *topic = (struct aldis__topic *)registry->topics.buckets[i];
            forget_last(registry, topic);
            release_topic(registry, topic);
        }
    aldis__table_fini(&registry->actors);
    aldis__table_fini(&registry->topics);
    aldis__table_fini(&registry->subscriptions);
    aldis__table_fini(&registry->names);
    aldis__table_fini(&registry->groups);
    aldis__trie_fini(&registry->patterns);
    aldis__trie_fini(&registry->watched);
    aldis__trie_fini(&registry->kept);
}
