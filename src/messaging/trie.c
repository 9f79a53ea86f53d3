// SPDX-License-Identifier: Apache-2.0
/* trie.c: see trie.h. Layer: messaging. */
#include "messaging/trie.h"

#include "base/hash.h"
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ tokens */

struct token {
    const char *text;
    size_t size;
};

/* A text, token by token. */
struct rest {
    const char *text;
    size_t size;
    bool ended; /* not one token more */
};

static struct token next_token(struct rest *rest)
{
    const char *dot = memchr(rest->text, '.', rest->size);
    struct token token = {rest->text, dot ? (size_t)(dot - rest->text) : rest->size};
    rest->ended = dot == NULL;
    if (dot) {
        rest->text += token.size + 1;
        rest->size -= token.size + 1;
    }
    return token;
}

static bool is(struct token token, char wildcard)
{
    return token.size == 1 && token.text[0] == wildcard;
}

/* ------------------------------------------------------------------ nodes */

static uint64_t hash_of(const struct aldis__node *parent, struct token token)
{
    return aldis__mix64(
        aldis__fnv64(ALDIS__FNV64_START ^ aldis__mix64(parent->number), token.text, token.size));
}

static struct aldis__node *find_child(const struct aldis__trie *trie,
                                      const struct aldis__node *parent, struct token token)
{
    uint64_t hash = hash_of(parent, token);
    struct aldis__link *link = aldis__table_first(&trie->nodes, hash);
    for (; link; link = aldis__table_next(link->next, hash)) {
        struct aldis__node *node = (struct aldis__node *)link;
        if (node->parent == parent && node->size == token.size &&
            memcmp(node->token, token.text, token.size) == 0)
            return node;
    }
    return NULL;
}

static struct aldis__node *add_child(struct aldis__trie *trie, struct aldis__node *parent,
                                     struct token token)
{
    if (!aldis__table_reserve(&trie->nodes))
        return NULL;
    struct aldis__node *node = calloc(1, sizeof *node + token.size);
    if (!node)
        return NULL;
    node->number = ++trie->numbers;
    node->parent = parent;
    node->size = token.size;
    node->token = memcpy(node + 1, token.text, token.size);
    node->previous = parent->last;
    *(parent->last ? &parent->last->next : &parent->first) = node;
    parent->last = node;
    if (is(token, '*'))
        parent->any = node;
    else if (is(token, '>'))
        parent->rest = node;
    aldis__table_add(&trie->nodes, &node->link, hash_of(parent, token));
    return node;
}

static void remove_child(struct aldis__trie *trie, struct aldis__node *node)
{
    struct aldis__node *parent = node->parent;
    *(node->previous ? &node->previous->next : &parent->first) = node->next;
    *(node->next ? &node->next->previous : &parent->last) = node->previous;
    if (parent->any == node)
        parent->any = NULL;
    if (parent->rest == node)
        parent->rest = NULL;
    aldis__table_remove(&trie->nodes, &node->link);
    free(node);
}

/* From here upwards, what nobody needs. */
static void prune(struct aldis__trie *trie, struct aldis__node *node)
{
    while (node->parent && !node->first && !node->topic) {
        struct aldis__node *parent = node->parent;
        remove_child(trie, node);
        node = parent;
    }
}

struct aldis__node *aldis__trie_add(struct aldis__trie *trie, const char *text, size_t size,
                                    struct aldis__topic *topic)
{
    struct aldis__node *node = &trie->root;
    struct rest rest = {text, size, false};
    while (!rest.ended) {
        struct token token = next_token(&rest);
        struct aldis__node *child = find_child(trie, node, token);
        if (!child)
            child = add_child(trie, node, token);
        if (!child) {
            prune(trie, node);
            return NULL;
        }
        node = child;
    }
    node->topic = topic;
    return node;
}

void aldis__trie_remove(struct aldis__trie *trie, struct aldis__node *node)
{
    node->topic = NULL;
    prune(trie, node);
}

/* ------------------------------------------------------------------ matching */

/* One walk; its steps call each other, as deep as the text has tokens (ALDIS_TOPIC_MAX / 2 + 1). */
struct walk {
    const struct aldis__trie *trie;
    aldis__trie_visit visit;
    void *arg;
};

static void visit(const struct walk *walk, const struct aldis__node *node)
{
    if (node->topic)
        walk->visit(walk->arg, node->topic);
}

static void patterns_below(const struct walk *walk, const struct aldis__node *node,
                           struct rest rest)
{
    if (rest.ended) {
        visit(walk, node);
        return;
    }
    if (node->rest)
        visit(walk, node->rest);
    struct token token = next_token(&rest);
    if (node->any)
        patterns_below(walk, node->any, rest);
    const struct aldis__node *child = find_child(walk->trie, node, token);
    if (child)
        patterns_below(walk, child, rest);
}

void aldis__trie_patterns_of(const struct aldis__trie *trie, const char *topic, size_t size,
                             aldis__trie_visit visit_fn, void *arg)
{
    const struct walk walk = {trie, visit_fn, arg};
    patterns_below(&walk, &trie->root, (struct rest){topic, size, false});
}

static void all_below(const struct walk *walk, const struct aldis__node *node)
{
    for (const struct aldis__node *child = node->first; child; child = child->next) {
        visit(walk, child);
        all_below(walk, child);
    }
}

static void topics_below(const struct walk *walk, const struct aldis__node *node, struct rest rest)
{
    if (rest.ended) {
        visit(walk, node);
        return;
    }
    struct token token = next_token(&rest);
    if (is(token, '>')) {
        all_below(walk, node);
    } else if (is(token, '*')) {
        for (const struct aldis__node *child = node->first; child; child = child->next)
            topics_below(walk, child, rest);
    } else {
        const struct aldis__node *child = find_child(walk->trie, node, token);
        if (child)
            topics_below(walk, child, rest);
    }
}

void aldis__trie_topics_of(const struct aldis__trie *trie, const char *pattern, size_t size,
                           aldis__trie_visit visit_fn, void *arg)
{
    const struct walk walk = {trie, visit_fn, arg};
    topics_below(&walk, &trie->root, (struct rest){pattern, size, false});
}

void aldis__trie_fini(struct aldis__trie *trie)
{
    for (size_t i = 0; i < trie->nodes.capacity; i++)
        while (trie->nodes.buckets[i]) {
            struct aldis__link *link = trie->nodes.buckets[i];
            trie->nodes.buckets[i] = link->next;
            free(link);
        }
    aldis__table_fini(&trie->nodes);
    *trie = (struct aldis__trie){0};
}
