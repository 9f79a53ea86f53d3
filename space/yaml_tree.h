// SPDX-License-Identifier: Apache-2.0
/* yaml_tree.h: YAML text as a bounded tree of nodes that know their place. Layer: space.
 *
 * Only what a scenario needs is let through: mappings, lists and scalars, in one document of UTF-8.
 * Anchors, aliases, tags, directives and tabs are refused where they stand, so that no text can
 * unfold into more than it shows. */
#ifndef SPACE_YAML_TREE_H
#define SPACE_YAML_TREE_H

#include "space.h"

#define YAML_BYTES_MAX (16u << 20)
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 262144
#define YAML_SCALAR_MAX 1024

enum yaml_kind { YAML_IS_SCALAR, YAML_IS_LIST, YAML_IS_MAP };

struct yaml_node {
    enum yaml_kind kind;
    bool quoted;           /**< a scalar in quotes: text, never a number */
    uint32_t line, column; /**< from 1 */
    uint32_t count;        /**< entries of a list; keys and values of a map, twice its entries */
    uint32_t size;         /**< a scalar's bytes */
    const char *text;      /**< a scalar's text; ends with a zero byte and holds no other */
    const struct yaml_node *first; /**< a list's entries; a map's key, value, key, value, ... */
    const struct yaml_node *next;
};

/** A parsed text; owns all nodes and their texts. */
struct yaml_tree;

/**
 * Parse text into a tree.
 *
 * text:   borrowed for the call; size bytes, any content.
 * Owner:  gives *out_tree on SCENARIO_OK: end it with yaml_tree_destroy. Else it is NULL.
 * errors: what was found is added, with its place.
 */
enum scenario_status yaml_tree_parse(const char *text, size_t size, struct yaml_tree **out_tree,
                                     struct scenario_errors *errors);

/** The outermost node: never NULL. Borrowed. */
const struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/** NULL is ignored. */
void yaml_tree_destroy(struct yaml_tree *tree);

#endif
