// SPDX-License-Identifier: Apache-2.0
/* trie.h: topics and patterns by their tokens. Layer: messaging.
 *
 * One node for each token of each text that is in the trie; below a node, the next tokens. A
 * wildcard is a token like any other here: what makes it match is the way that is taken down the
 * trie. The tokens of all nodes are in one hash table, so a step down costs the same whatever
 * stands beside it.
 *
 * A step by `*` or `>` looks at every child; the children of a node are a list in the order in
 * which they came. Nothing depends on addresses.
 *
 * Plain data: the caller has a lock. */
#ifndef ALDIS_MESSAGING_TRIE_H
#define ALDIS_MESSAGING_TRIE_H

#include "messaging/table.h"

struct aldis__topic;

struct aldis__node {
    struct aldis__link link; /* by (parent, token) */
    uint64_t number;         /* stands for the node in the hashes of its children */
    struct aldis__node *parent;
    struct aldis__node *first, *last;    /* children */
    struct aldis__node *previous, *next; /* of the same parent */
    struct aldis__node *any, *rest;      /* the children `*` and `>`, if there are */
    struct aldis__topic *topic;          /* whose text ends here; NULL: none */
    const char *token;                   /* behind the node */
    size_t size;
};

struct aldis__trie {
    struct aldis__table nodes; /* all but the root */
    struct aldis__node root;
    uint64_t numbers; /* given so far */
};

typedef void (*aldis__trie_visit)(void *arg, struct aldis__topic *topic);

/** Put in a topic by its text, which no other in the trie has. Gives its node; NULL: out of memory,
 *  and nothing has changed. */
struct aldis__node *aldis__trie_add(struct aldis__trie *trie, const char *text, size_t size,
                                    struct aldis__topic *topic);
/** Take out the topic of a node, and the nodes that only it needed. */
void aldis__trie_remove(struct aldis__trie *trie, struct aldis__node *node);

/** Visit the patterns in the trie that match a topic. Costs the nodes that match its beginning. */
void aldis__trie_patterns_of(const struct aldis__trie *trie, const char *topic, size_t size,
                             aldis__trie_visit visit, void *arg);
/** Visit the topics in the trie, which has no patterns, that a pattern matches. */
void aldis__trie_topics_of(const struct aldis__trie *trie, const char *pattern, size_t size,
                           aldis__trie_visit visit, void *arg);

/** Free what is left. */
void aldis__trie_fini(struct aldis__trie *trie);

#endif
