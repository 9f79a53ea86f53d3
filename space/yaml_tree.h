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
    bool quoted;             /**< a scalar in quotes: text, never a number */
    uint32_t line, column;   /**< from 1 */
    uint32_t count;          /**< entries of a list; keys and values of a map, twice its entries */
    uint32_t size;           /**< a scalar's bytes */
    uint32_t file;           /**< where it stands: of the errors' files */
    const char *text;        /**< a scalar's text; ends with a zero byte and holds no other */
    struct yaml_node *first; /**< a list's entries; a map's key, value, key, value, ... */
    struct yaml_node *next;
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
struct yaml_node *yaml_tree_root(const struct yaml_tree *tree);

/* ---- Changing a tree: yaml_edit.c ---- */

/** The value of a key of a map, or NULL. */
struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *key);

/**
 * Put what an included file says under what the including one says: lists of both are joined, the
 * included entries first; of two other values the including file's counts.
 *
 * Owner: takes from.
 */
void yaml_tree_include(struct yaml_tree *tree, struct yaml_tree *from);

/**
 * Set what a path names to a value: "fleets.traders.count=5000". Entries of a list are named by
 * their name, or by their number from 0; the name of a list may be given in the singular. The last
 * key of a path may be a new one of its map.
 *
 * setting: borrowed; in errors it stands in place of file and line.
 * Returns SCENARIO_BAD with an error, which names the nearest where a name is unknown.
 */
enum scenario_status yaml_tree_set(struct yaml_tree *tree, const char *setting,
                                   struct scenario_errors *errors);

/** Give the memory of `from` to `tree`. Owner: takes from. */
void yaml_tree_adopt(struct yaml_tree *tree, struct yaml_tree *from);

/** Memory that ends with the tree, or NULL. */
void *yaml_tree_memory(struct yaml_tree *tree, size_t size);

/** NULL is ignored. */
void yaml_tree_destroy(struct yaml_tree *tree);

#endif
