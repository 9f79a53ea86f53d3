// SPDX-License-Identifier: Apache-2.0
/* match.c: see match.h. Layer: messaging. */
#include "messaging/match.h"

#include <stdlib.h>
#include <string.h>

/* One subscription that matches. */
struct item {
    aldis_id actor;
    uint64_t serial;
    uint64_t group; /* its number; 0: none */
    uint32_t bound;
    uint32_t reserved;
};

struct items {
    struct item *all;
    size_t count, capacity;
    bool failed; /* out of memory */
};

static bool reserve(struct items *items, size_t more)
{
    if (items->count + more <= items->capacity)
        return true;
    size_t capacity = 2 * (items->count + more);
    struct item *all = realloc(items->all, capacity * sizeof *all);
    if (!all)
        return false;
    items->all = all;
    items->capacity = capacity;
    return true;
}

static void add_topic(void *arg, struct aldis__topic *topic)
{
    struct items *items = arg;
    if (items->failed || !reserve(items, topic->live)) {
        items->failed = true;
        return;
    }
    for (size_t i = 0; i < topic->length; i++) {
        const struct aldis__subscription *s = topic->entries[i].subscription;
        if (!s)
            continue;
        uint64_t group = s->group ? s->group->number : 0;
        items->all[items->count++] =
            (struct item){topic->entries[i].actor, s->serial, group, s->bound, 0};
    }
}

/* ------------------------------------------------------------------ order */

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* By actor; what it is to keep stands first. */
static int by_actor(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->actor.bits != y->actor.bits)
        return compare(x->actor.bits, y->actor.bits);
    if ((x->group == 0) != (y->group == 0))
        return x->group == 0 ? -1 : 1;
    return compare(x->serial, y->serial);
}

/* No group is group 0, and comes first. */
static int by_group(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->group != y->group ? compare(x->group, y->group) : compare(x->serial, y->serial);
}

static void keep_one_of_each(struct items *items)
{
    size_t kept = 0;
    for (size_t i = 0; i < items->count; i++)
        if (i == 0 || !aldis_id_equal(items->all[i].actor, items->all[i - 1].actor))
            items->all[kept++] = items->all[i];
    items->count = kept;
}

/* ------------------------------------------------------------------ the list */

static bool make_room(struct aldis__match_list *list, size_t count, size_t groups, bool bounds)
{
    if (count > list->capacity || (bounds && !list->bounds)) {
        size_t capacity = count > list->capacity ? count + count / 4 : list->capacity;
        aldis_id *ids = malloc(capacity * sizeof *ids);
        uint64_t *all = bounds ? malloc(capacity * sizeof *all) : NULL;
        if (!ids || (bounds && !all)) {
            free(ids);
            free(all);
            return false;
        }
        free(list->ids);
        free(list->bounds);
        list->ids = ids;
        list->bounds = all;
        list->capacity = capacity;
    }
    if (groups > list->group_capacity) {
        struct aldis__match_group *all = malloc(2 * groups * sizeof *all);
        if (!all)
            return false;
        free(list->groups);
        list->groups = all;
        list->group_capacity = 2 * groups;
    }
    return true;
}

static size_t count_groups(const struct items *items)
{
    size_t count = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < items->count; i++) {
        count += items->all[i].group != last;
        last = items->all[i].group;
    }
    return count;
}

/* The subscription, which is one of its actor's, and its bound, in one number. */
static uint64_t bound_of(const struct item *item)
{
    return item->bound ? item->serial << 32 | item->bound : 0;
}

static void write_items(struct aldis__match_list *list, const struct items *items)
{
    uint64_t last = 0;
    list->plain = list->group_count = 0;
    list->count = items->count;
    for (size_t i = 0; i < items->count; i++) {
        const struct item *item = &items->all[i];
        list->ids[i] = item->actor;
        if (list->bounds)
            list->bounds[i] = bound_of(item);
        if (item->group == 0)
            list->plain++;
        else if (item->group != last)
            list->groups[list->group_count++] = (struct aldis__match_group){i, 1};
        else
            list->groups[list->group_count - 1].count++;
        last = item->group;
    }
}

static bool any_bound(const struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        if (items->all[i].bound)
            return true;
    return false;
}

/* Subscriptions of one topic without any terms: in order already, and each actor once. */
static bool copy(struct aldis__match_list *list, const struct aldis__topic *topic)
{
    if (!make_room(list, topic->live, 0, false))
        return false;
    size_t count = 0;
    for (size_t i = 0; i < topic->length; i++)
        if (!aldis_id_is_nobody(topic->entries[i].actor))
            list->ids[count++] = topic->entries[i].actor;
    free(list->bounds);
    list->bounds = NULL;
    list->plain = list->count = count;
    list->group_count = 0;
    return true;
}

/* What a walk has found: mostly nothing, or one. */
struct found {
    struct aldis__topic *only;
    size_t count;
};

static void note(void *arg, struct aldis__topic *pattern)
{
    struct found *found = arg;
    if (pattern->live == 0)
        return;
    found->only = pattern;
    found->count++;
}

static bool sort_out(struct aldis__match_list *list, struct items *items)
{
    if (items->failed)
        return false;
    if (items->count) {
        qsort(items->all, items->count, sizeof *items->all, by_actor);
        keep_one_of_each(items);
        qsort(items->all, items->count, sizeof *items->all, by_group);
    }
    if (!make_room(list, items->count, count_groups(items), any_bound(items)))
        return false;
    if (!any_bound(items)) {
        free(list->bounds);
        list->bounds = NULL;
    }
    write_items(list, items);
    return true;
}

bool aldis__match_fill(struct aldis__match_list *list, const struct aldis__registry *registry,
                       struct aldis__topic *topic, const struct aldis__key *text)
{
    struct found found = {0};
    aldis__trie_patterns_of(&registry->patterns, text->text, text->size, note, &found);
    if (found.count == 0 && topic && topic->special == 0)
        return copy(list, topic);
    if (found.count == 1 && (!topic || topic->live == 0) && found.only->special == 0)
        return copy(list, found.only);
    struct items items = {0};
    if (topic)
        add_topic(&items, topic);
    aldis__trie_patterns_of(&registry->patterns, text->text, text->size, add_topic, &items);
    bool done = sort_out(list, &items);
    free(items.all);
    return done;
}

void aldis__match_fini(struct aldis__match_list *list)
{
    free(list->ids);
    free(list->bounds);
    free(list->groups);
    *list = (struct aldis__match_list){0};
}
