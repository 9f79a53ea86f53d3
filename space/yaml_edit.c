// SPDX-License-Identifier: Apache-2.0
/* yaml_edit.c: changes a tree before it is read: included files and settings. See yaml_tree.h. */
#include "errors.h"
#include "schema.h"
#include "yaml_tree.h"

#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX 64

struct yaml_node *yaml_map_find(const struct yaml_node *map, const char *key)
{
    if (map->kind != YAML_IS_MAP)
        return NULL;
    for (struct yaml_node *name = map->first; name; name = name->next->next)
        if (name->kind == YAML_IS_SCALAR && strcmp(name->text, key) == 0)
            return name->next;
    return NULL;
}

/* ---- Included files ---- */

static void append(struct yaml_node *list, struct yaml_node *first, uint32_t count)
{
    struct yaml_node **end = &list->first;
    while (*end)
        end = &(*end)->next;
    *end = first;
    list->count += count;
}

/* The included entries come first, so that what includes them can refer to them. */
static void join_lists(struct yaml_node *list, struct yaml_node *included)
{
    struct yaml_node *own = list->first;
    uint32_t count = list->count;
    list->first = included->first;
    list->count = included->count;
    append(list, own, count);
}

void yaml_tree_include(struct yaml_tree *tree, struct yaml_tree *from)
{
    struct yaml_node *root = yaml_tree_root(tree), *other = yaml_tree_root(from);
    struct yaml_node *name = other->kind == YAML_IS_MAP ? other->first : NULL;
    while (name && root->kind == YAML_IS_MAP) {
        struct yaml_node *value = name->next, *next = value->next;
        struct yaml_node *own =
            name->kind == YAML_IS_SCALAR ? yaml_map_find(root, name->text) : NULL;
        value->next = NULL;
        if (!own)
            append(root, name, 2);
        else if (own->kind == YAML_IS_LIST && value->kind == YAML_IS_LIST)
            join_lists(own, value);
        name = next;
    }
    yaml_tree_adopt(tree, from);
}

/* ---- Settings ---- */

struct path {
    struct yaml_tree *tree;
    struct scenario_errors *errors;
    const char *rest;                              /* of the setting */
    char names[CANDIDATES_MAX][SCHEMA_NAME_BYTES]; /* that would have been right */
    uint32_t count;
};

/* Does the rest of the path begin with the first `length` bytes of this name, and with no more of
 * a name? Gives that length, else 0. */
static size_t begins_with(const char *rest, const char *name, size_t length)
{
    bool same = strncmp(rest, name, length) == 0 && (rest[length] == '.' || rest[length] == '=');
    return same ? length : 0;
}

/* The same for a key, which may be given in the singular: fleet for fleets. */
static size_t begins_with_key(const char *rest, const char *key)
{
    static const char *const plurals[] = {"", "s", "es"};
    size_t length = strlen(key), found = 0;
    for (size_t i = 0; i < sizeof plurals / sizeof plurals[0] && found == 0; i++) {
        size_t ending = strlen(plurals[i]);
        if (length > ending && strcmp(key + length - ending, plurals[i]) == 0)
            found = begins_with(rest, key, length - ending);
    }
    return found;
}

static void offer(struct path *path, const char *name)
{
    if (path->count < CANDIDATES_MAX && strlen(name) < SCHEMA_NAME_BYTES)
        snprintf(path->names[path->count++], SCHEMA_NAME_BYTES, "%s", name);
}

/* What the entry of a list is known by: its name, or of a station's goods the commodity. */
static const char *name_of(const struct yaml_node *entry)
{
    const struct yaml_node *name = yaml_map_find(entry, "name");
    if (!name)
        name = yaml_map_find(entry, "commodity");
    return name && name->kind == YAML_IS_SCALAR ? name->text : NULL;
}

/* The entry of a list, by name or number. */
static struct yaml_node *step_list(struct path *path, const struct yaml_node *list,
                                   size_t *out_length)
{
    char *end;
    unsigned long number = strtoul(path->rest, &end, 10), at = 0;
    bool numbered = end != path->rest && (*end == '.' || *end == '=');
    for (struct yaml_node *entry = list->first; entry; entry = entry->next, at++) {
        const char *name = name_of(entry);
        if (name)
            offer(path, name);
        *out_length = name ? begins_with(path->rest, name, strlen(name)) : 0;
        if (*out_length > 0)
            return entry;
        *out_length = (size_t)(end - path->rest);
        if (numbered && at == number)
            return entry;
    }
    return NULL;
}

static struct yaml_node *step_map(struct path *path, const struct yaml_node *map,
                                  size_t *out_length)
{
    for (struct yaml_node *name = map->first; name; name = name->next->next) {
        if (name->kind != YAML_IS_SCALAR)
            continue;
        offer(path, name->text);
        *out_length = begins_with_key(path->rest, name->text);
        if (*out_length > 0)
            return name->next;
    }
    return NULL;
}

static enum scenario_status unknown(struct path *path)
{
    char word[SCHEMA_NAME_BYTES], quote[ERRORS_QUOTE_BYTES], list[240] = "";
    for (uint32_t i = 0; i < path->count; i++)
        schema_list(list, sizeof list, path->names[i]);
    size_t length = strcspn(path->rest, ".=");
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : sizeof word - 1),
             path->rest);
    const char *nearest = schema_nearest(word, path->names[0], sizeof path->names[0], path->count);
    errors_quote(quote, word, strlen(word));
    if (nearest)
        errors_add(path->errors, 0, 0, "there is no %s here; did you mean \"%s\"?", quote, nearest);
    else if (path->count > 0)
        errors_add(path->errors, 0, 0, "there is no %s here, allowed: %s", quote, list);
    else
        errors_add(path->errors, 0, 0, "there is no %s here: nothing here has a name", quote);
    return SCENARIO_BAD;
}

/* A key that the map does not have yet, up to the next dot: the schema will say whether it may. */
static struct yaml_node *add_key(struct path *path, struct yaml_node *map, size_t *out_length)
{
    size_t length = strcspn(path->rest, ".=");
    struct yaml_node *name = yaml_tree_memory(path->tree, 2 * sizeof *name);
    char *text = yaml_tree_memory(path->tree, length + 1);
    if (!name || !text)
        return NULL;
    memcpy(text, path->rest, length);
    text[length] = '\0';
    name[0] = (struct yaml_node){.kind = YAML_IS_SCALAR,
                                 .file = path->errors->file,
                                 .size = (uint32_t)length,
                                 .text = text,
                                 .next = &name[1]};
    name[1] = (struct yaml_node){.kind = path->rest[length] == '.' ? YAML_IS_MAP : YAML_IS_SCALAR,
                                 .file = path->errors->file,
                                 .text = ""};
    append(map, name, 2);
    *out_length = length;
    return &name[1];
}

/* The value is YAML, too: a number, a text, or a list in brackets. */
static enum scenario_status put_value(struct path *path, struct yaml_node *node, const char *text)
{
    struct yaml_tree *value;
    enum scenario_status status = yaml_tree_parse(text, strlen(text), &value, path->errors);
    if (status != SCENARIO_OK)
        return status;
    struct yaml_node *next = node->next;
    *node = *yaml_tree_root(value);
    node->next = next;
    node->line = node->column = 0;
    yaml_tree_adopt(path->tree, value);
    return SCENARIO_OK;
}

enum scenario_status yaml_tree_set(struct yaml_tree *tree, const char *setting,
                                   struct scenario_errors *errors)
{
    char name[128];
    snprintf(name, sizeof name, "--set %s", setting);
    errors->file = errors_add_file(errors, name);
    const char *equals = strchr(setting, '=');
    if (!equals || equals == setting || setting[strlen(setting) - 1] == '=') {
        errors_add(errors, 0, 0, "allowed: PATH=VALUE, as in fleets.traders.count=5000");
        return SCENARIO_BAD;
    }
    if (equals - setting == 7 && strncmp(setting, "include", 7) == 0) {
        errors_add(errors, 0, 0, "include: found a setting, allowed: only in the file itself");
        return SCENARIO_BAD;
    }
    struct yaml_node *node = yaml_tree_root(tree);
    struct path path = {.tree = tree, .errors = errors, .rest = setting};
    while (*path.rest != '=') { /* a name may have one, too */
        size_t length = 0;
        struct yaml_node *inner = NULL;
        path.count = 0;
        if (node->kind == YAML_IS_MAP)
            inner = step_map(&path, node, &length);
        else if (node->kind == YAML_IS_LIST)
            inner = step_list(&path, node, &length);
        if (!inner && node->kind == YAML_IS_MAP) {
            inner = add_key(&path, node, &length);
            if (!inner)
                return SCENARIO_NO_MEMORY;
        }
        if (!inner)
            return unknown(&path);
        node = inner;
        path.rest += length + (path.rest[length] == '.' ? 1 : 0);
    }
    enum scenario_status status = put_value(&path, node, path.rest + 1);
    errors->file = 0;
    return status;
}
