// SPDX-License-Identifier: Apache-2.0
/* yaml_tree.c: see yaml_tree.h. Two passes: a look at the bytes, then libyaml's events. */
#include "yaml_tree.h"

#include "errors.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define BLOCK_BYTES (64u << 10)

/* Memory comes in blocks that are freed together. */
struct block {
    struct block *next;
    size_t used, size;
    max_align_t bytes[];
};

struct yaml_tree {
    struct block *blocks;
    struct yaml_node *root;
    uint32_t node_count;
};

/* ---- The bytes ---- */

struct place {
    const char *text;
    size_t size, at;
    uint32_t line, column;
};

static void refuse_byte(const struct place *p, const char *allowed, struct scenario_errors *errors)
{
    errors_add(errors, p->line, p->column, "found byte 0x%02x, allowed: %s",
               (unsigned)(unsigned char)p->text[p->at], allowed);
}

/* Bytes in the sequence at p; 0 and an error where it may not stand in a scenario. */
static size_t accept_sequence(const struct place *p, struct scenario_errors *errors)
{
    unsigned char byte = (unsigned char)p->text[p->at];
    size_t left = p->size - p->at;
    if (byte == '\t')
        errors_add(errors, p->line, p->column, "found a tab, allowed: spaces");
    else if (byte == '%' && p->column == 1)
        errors_add(errors, p->line, p->column, "found a YAML directive, allowed: none");
    else if (byte == '\n' || (byte == '\r' && left > 1 && p->text[p->at + 1] == '\n'))
        return 1;
    else if (byte < 0x20 || byte == 0x7f)
        refuse_byte(p, "text in UTF-8 without control characters", errors);
    else {
        size_t length = utf8_length((const unsigned char *)p->text + p->at, left);
        if (length > 0)
            return length;
        refuse_byte(p, "text in UTF-8", errors);
    }
    return 0;
}

/* libyaml compares each %TAG with all before it and reads UTF-16 too; a look at the bytes first
 * keeps such text away from it, and names tabs and binaries for what they are. */
static bool check_bytes(const char *text, size_t size, struct scenario_errors *errors)
{
    struct place p = {.text = text, .size = size, .line = 1, .column = 1};
    while (p.at < size) {
        size_t length = accept_sequence(&p, errors);
        if (length == 0)
            return false;
        if (text[p.at] == '\n') {
            p.line++;
            p.column = 1;
        } else {
            p.column++;
        }
        p.at += length;
    }
    return true;
}

/* ---- Memory ---- */

static void *tree_alloc(struct yaml_tree *tree, size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    struct block *block = tree->blocks;
    if (!block || block->size - block->used < size) {
        block = malloc(sizeof *block + BLOCK_BYTES);
        if (!block)
            return NULL;
        *block = (struct block){.next = tree->blocks, .size = BLOCK_BYTES};
        tree->blocks = block;
    }
    void *memory = (char *)block->bytes + block->used;
    block->used += size;
    return memory;
}

void *yaml_tree_memory(struct yaml_tree *tree, size_t size)
{
    return size <= BLOCK_BYTES ? tree_alloc(tree, size) : NULL;
}

void yaml_tree_adopt(struct yaml_tree *tree, struct yaml_tree *from)
{
    struct block **end = &tree->blocks;
    while (*end)
        end = &(*end)->next;
    *end = from->blocks;
    free(from);
}

void yaml_tree_destroy(struct yaml_tree *tree)
{
    if (!tree)
        return;
    for (struct block *block = tree->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(tree);
}

struct yaml_node *yaml_tree_root(const struct yaml_tree *tree)
{
    return tree->root;
}

/* ---- The events ---- */

/* An open list or map. */
struct level {
    struct yaml_node *node;
    struct yaml_node *last;
};

struct builder {
    struct yaml_tree *tree;
    struct scenario_errors *errors;
    struct level levels[YAML_DEPTH_MAX];
    uint32_t depth;
    enum scenario_status status;
};

static void refuse(struct builder *b, yaml_mark_t mark, const char *found, const char *allowed)
{
    errors_add(b->errors, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1,
               "found %s, allowed: %s", found, allowed);
    b->status = SCENARIO_BAD;
}

static struct yaml_node *add_node(struct builder *b, enum yaml_kind kind, yaml_mark_t mark)
{
    char limit[64];
    if (b->tree->node_count == YAML_NODES_MAX) {
        snprintf(limit, sizeof limit, "%d keys and values in all", YAML_NODES_MAX);
        refuse(b, mark, "one value more", limit);
        return NULL;
    }
    struct yaml_node *node = tree_alloc(b->tree, sizeof *node);
    if (!node) {
        b->status = SCENARIO_NO_MEMORY;
        return NULL;
    }
    *node = (struct yaml_node){.kind = kind,
                               .line = (uint32_t)mark.line + 1,
                               .column = (uint32_t)mark.column + 1,
                               .file = b->errors->file};
    b->tree->node_count++;
    if (b->depth == 0) {
        b->tree->root = node;
    } else {
        struct level *level = &b->levels[b->depth - 1];
        if (level->last)
            level->last->next = node;
        else
            level->node->first = node;
        level->last = node;
        level->node->count++;
    }
    return node;
}

static void add_scalar(struct builder *b, const yaml_event_t *event)
{
    size_t size = event->data.scalar.length;
    const char *text = (const char *)event->data.scalar.value;
    char found[64];
    if (size > YAML_SCALAR_MAX) {
        snprintf(found, sizeof found, "a text of %zu bytes", size);
        refuse(b, event->start_mark, found, "1024 bytes");
        return;
    }
    if (memchr(text, 0, size)) {
        refuse(b, event->start_mark, "a zero byte in a text", "none");
        return;
    }
    struct yaml_node *node = add_node(b, YAML_IS_SCALAR, event->start_mark);
    if (!node)
        return;
    char *copy = tree_alloc(b->tree, size + 1);
    if (!copy) {
        b->status = SCENARIO_NO_MEMORY;
        return;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    node->text = copy;
    node->size = (uint32_t)size;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

static void open_level(struct builder *b, enum yaml_kind kind, yaml_mark_t mark)
{
    if (b->depth == YAML_DEPTH_MAX) {
        refuse(b, mark, "a list or mapping 33 levels deep", "32 levels");
        return;
    }
    struct yaml_node *node = add_node(b, kind, mark);
    if (node)
        b->levels[b->depth++] = (struct level){.node = node};
}

/* A list, map or scalar may bring an anchor and a tag. */
static bool is_bare(struct builder *b, const yaml_event_t *event, const void *anchor,
                    const void *tag)
{
    if (anchor)
        refuse(b, event->start_mark, "an anchor (&)", "no anchors and no aliases");
    else if (tag)
        refuse(b, event->start_mark, "a tag (!)", "no tags");
    return !anchor && !tag;
}

static void take_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        if (is_bare(b, event, event->data.scalar.anchor, event->data.scalar.tag))
            add_scalar(b, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (is_bare(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag))
            open_level(b, YAML_IS_LIST, event->start_mark);
        break;
    case YAML_MAPPING_START_EVENT:
        if (is_bare(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag))
            open_level(b, YAML_IS_MAP, event->start_mark);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        break;
    case YAML_ALIAS_EVENT:
        refuse(b, event->start_mark, "an alias (*)", "no anchors and no aliases");
        break;
    case YAML_DOCUMENT_START_EVENT:
        if (b->tree->root)
            refuse(b, event->start_mark, "a second document", "one document in a file");
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

static enum scenario_status report_syntax(const yaml_parser_t *parser,
                                          struct scenario_errors *errors)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return SCENARIO_NO_MEMORY;
    const char *problem = parser->problem ? parser->problem : "it cannot be read";
    yaml_mark_t at = parser->problem_mark;
    if (parser->context)
        errors_add(errors, (uint32_t)at.line + 1, (uint32_t)at.column + 1,
                   "not valid YAML: %s (%s that begins at line %zu)", problem, parser->context,
                   parser->context_mark.line + 1);
    else
        errors_add(errors, (uint32_t)at.line + 1, (uint32_t)at.column + 1, "not valid YAML: %s",
                   problem);
    return SCENARIO_BAD;
}

static enum scenario_status parse_events(yaml_parser_t *parser, struct builder *b)
{
    for (bool more = true; more && b->status == SCENARIO_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return report_syntax(parser, b->errors);
        more = event.type != YAML_STREAM_END_EVENT;
        take_event(b, &event);
        yaml_event_delete(&event);
    }
    return b->status;
}

static enum scenario_status parse_into(struct yaml_tree *tree, const char *text, size_t size,
                                       struct scenario_errors *errors)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return SCENARIO_NO_MEMORY;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    struct builder builder = {.tree = tree, .errors = errors};
    enum scenario_status status = parse_events(&parser, &builder);
    yaml_parser_delete(&parser);
    /* An empty text is a value that says nothing: what belongs there, its reader knows. */
    if (status == SCENARIO_OK && !tree->root) {
        struct yaml_node *nothing = add_node(&builder, YAML_IS_SCALAR, (yaml_mark_t){0});
        status = builder.status;
        if (nothing)
            nothing->text = "";
    }
    return status;
}

enum scenario_status yaml_tree_parse(const char *text, size_t size, struct yaml_tree **out_tree,
                                     struct scenario_errors *errors)
{
    *out_tree = NULL;
    if (size > YAML_BYTES_MAX) {
        errors_add(errors, 0, 0, "found more than %u bytes, allowed: %u (16 MiB)", YAML_BYTES_MAX,
                   YAML_BYTES_MAX);
        return SCENARIO_BAD;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* some editors begin a file with this mark */
        size -= 3;
    }
    if (!check_bytes(text, size, errors))
        return SCENARIO_BAD;
    struct yaml_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return SCENARIO_NO_MEMORY;
    enum scenario_status status = parse_into(tree, text, size, errors);
    if (status != SCENARIO_OK) {
        yaml_tree_destroy(tree);
        return status;
    }
    *out_tree = tree;
    return SCENARIO_OK;
}
