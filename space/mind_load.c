// SPDX-License-Identifier: Apache-2.0
/* mind_load.c: the minds of a scenario file. See mind_leaves.h and docs/scenario.md. Layer: space.
 */
#include "mind_leaves.h"

#include "errors.h"
#include "scenario_parts.h"

#include <stdio.h>

#define MINDS_MAX 64
#define STEPS_MAX (MIND_NODES_MAX + 1) /* one more, so that too large a tree is seen */

/* A mind whose tree is being read, and what uses it. */
struct use {
    const struct use *up;
    const char *name;
};

struct reading {
    struct schema_reader *reader;
    const struct mind_leaf *leaves;
    struct mind_step steps[STEPS_MAX];
    const struct yaml_node *places[STEPS_MAX]; /* where each stands in the file */
    uint32_t count;
    uint32_t errors_before;
};

static bool is_fine(const struct reading *reading)
{
    return reading->reader->errors->count == reading->errors_before && reading->count < STEPS_MAX;
}

static void read_node(struct reading *reading, const struct yaml_node *node, uint32_t depth,
                      const struct use *use);

static struct mind_step *add_step(struct reading *reading, const struct yaml_node *node,
                                  uint32_t depth, enum mind_kind kind)
{
    struct mind_step *step = &reading->steps[reading->count];
    reading->places[reading->count++] = node;
    *step = (struct mind_step){.depth = depth, .kind = kind};
    return step;
}

/* ---- Leaves ---- */

static const struct mind_leaf *find_leaf(const struct mind_leaf *leaves, const char *name)
{
    while (leaves->name && strcmp(leaves->name, name) != 0)
        leaves++;
    return leaves->name ? leaves : NULL;
}

/* Words that would have been right, in their order. */
struct words {
    char names[2 * MINDS_MAX + 64][SCHEMA_NAME_BYTES];
    size_t count;
};

static void offer(struct words *words, const char *name)
{
    if (words->count < COUNT_OF(words->names) && strlen(name) < SCHEMA_NAME_BYTES)
        snprintf(words->names[words->count++], SCHEMA_NAME_BYTES, "%s", name);
}

/* At node one of these words should stand; found: what does, or NULL. */
static void word_error(struct schema_reader *reader, const struct yaml_node *node,
                       const char *found, const char *allowed, const struct words *words)
{
    char list[250] = "";
    const char *near =
        node->kind == YAML_IS_SCALAR
            ? schema_nearest(node->text, words->names[0], sizeof words->names[0], words->count)
            : NULL;
    for (size_t i = 0; i < words->count; i++)
        schema_list(list, sizeof list, words->names[i]);
    if (near)
        schema_error(reader, node, found, "%s (did you mean \"%s\"?)", allowed, near);
    else
        schema_error(reader, node, found, "%s%s%s", allowed, list[0] ? ": " : "", list);
}

static void unknown_word(struct reading *reading, const struct yaml_node *word)
{
    struct words words = {.count = 0};
    char found[ERRORS_QUOTE_BYTES + 32], quote[ERRORS_QUOTE_BYTES];
    for (const struct mind_leaf *leaf = reading->leaves; leaf->name; leaf++)
        offer(&words, leaf->name);
    for (uint32_t kind = 0; kind < MIND_leaf; kind++)
        offer(&words, mind_kind_name((enum mind_kind)kind));
    offer(&words, "use");
    snprintf(found, sizeof found, "unknown leaf %s", errors_quote(quote, word->text, word->size));
    word_error(reading->reader, word, found,
               reading->leaves == ship_leaves ? "a leaf or a node of a ship's mind"
                                              : "a leaf or a node of a station's mind",
               &words);
}

/* value: NULL where there is none. */
static void read_leaf(struct reading *reading, const struct yaml_node *word,
                      const struct yaml_node *value, uint32_t depth)
{
    static const enum value_kind kinds[] = {
        [MIND_NO_VALUE] = VALUE_CUSTOM,   [MIND_NUMBER] = VALUE_NUMBER, [MIND_TIME] = VALUE_TIME,
        [MIND_DISTANCE] = VALUE_DISTANCE, [MIND_COUNT] = VALUE_COUNT,   [MIND_WORD] = VALUE_WORD};
    const struct mind_leaf *leaf = find_leaf(reading->leaves, word->text);
    if (!leaf) {
        unknown_word(reading, word);
        return;
    }
    struct mind_step *step = add_step(reading, word, depth, MIND_leaf);
    step->leaf = leaf->name;
    void *fields[] = {[MIND_NO_VALUE] = NULL,
                      [MIND_NUMBER] = &step->value.number,
                      [MIND_TIME] = &step->value.time_ns,
                      [MIND_DISTANCE] = &step->value.number,
                      [MIND_COUNT] = &step->value.count,
                      [MIND_WORD] = &step->value.count};
    if (leaf->param == MIND_NO_VALUE) {
        if (value)
            schema_error(reading->reader, value, NULL, "no value after \"%s\"", leaf->name);
        return;
    }
    const struct yaml_node nothing = {
        .line = word->line, .column = word->column, .file = word->file, .text = ""};
    const struct schema_key key = {.name = leaf->name,
                                   .kind = kinds[leaf->param],
                                   .min = leaf->min,
                                   .max = leaf->max,
                                   .words = leaf->words};
    schema_read_value(reading->reader, &key, value ? value : &nothing, fields[leaf->param]);
}

/* ---- Nodes with children ---- */

static void read_children(struct reading *reading, const struct yaml_node *list, uint32_t depth,
                          const struct use *use)
{
    if (!list || list->kind != YAML_IS_LIST) {
        schema_error(reading->reader, list ? list : reading->places[reading->count - 1],
                     list ? NULL : "nothing", "a list of nodes");
        return;
    }
    for (const struct yaml_node *node = list->first; node && is_fine(reading); node = node->next)
        read_node(reading, node, depth, use);
}

/* "repeat: {count: 3, do: fly}": a value and what it is for. */
static void read_with_value(struct reading *reading, const struct yaml_node *map,
                            struct mind_step *step, const struct use *use)
{
    static const struct schema_key need = {
        .name = "need", .kind = VALUE_COUNT, .required = true, .min = 1, .max = MIND_NODES_MAX};
    static const struct schema_key count = {
        .name = "count", .kind = VALUE_COUNT, .min = 1, .max = 1e6};
    static const struct schema_key time = {
        .name = "time", .kind = VALUE_TIME, .required = true, .min = 1e-3, .max = 30 * DAY_S};
    bool parallel = step->kind == MIND_parallel;
    bool timed = step->kind == MIND_timeout || step->kind == MIND_cooldown;
    const struct schema_key *key = parallel ? &need : timed ? &time : &count;
    const char *inner = parallel ? "of" : "do";
    const struct yaml_node *value = map ? yaml_map_find(map, key->name) : NULL;
    const struct yaml_node *child = map ? yaml_map_find(map, inner) : NULL;
    uint32_t known = (value ? 2u : 0u) + (child ? 2u : 0u);
    if (!child || (key->required && !value) || map->count != known) {
        schema_error(reading->reader, map ? map : reading->places[reading->count - 1], NULL,
                     "a mapping of %s%s: and %s:", key->name, key->required ? "" : " (or none)",
                     inner);
        return;
    }
    void *field = timed ? (void *)&step->value.time_ns : (void *)&step->value.count;
    uint32_t depth = step->depth + 1;
    if (value)
        schema_read_value(reading->reader, key, value, field);
    if (parallel)
        read_children(reading, child, depth, use);
    else if (is_fine(reading))
        read_node(reading, child, depth, use);
}

static void read_kind(struct reading *reading, const struct yaml_node *word,
                      const struct yaml_node *value, struct mind_step *step, const struct use *use)
{
    switch (step->kind) {
    case MIND_sequence:
    case MIND_selector:
    case MIND_reactive_sequence:
    case MIND_reactive_selector:
        read_children(reading, value, step->depth + 1, use);
        break;
    case MIND_invert:
    case MIND_always:
    case MIND_never:
        if (value)
            read_node(reading, value, step->depth + 1, use);
        else
            schema_error(reading->reader, word, "nothing", "the node that \"%s\" is for",
                         word->text);
        break;
    case MIND_parallel:
    case MIND_repeat:
    case MIND_retry:
    case MIND_timeout:
    case MIND_cooldown:
        read_with_value(reading, value, step, use);
        break;
    case MIND_leaf:
        break;
    }
}

/* ---- Trees in trees ---- */

static void cycle_error(struct reading *reading, const struct yaml_node *name,
                        const struct use *use)
{
    char found[240];
    int used = snprintf(found, sizeof found, "a cycle: \"%s\"", name->text);
    for (const struct use *at = use; at && used < (int)sizeof found; at = at->up) {
        used += snprintf(found + used, sizeof found - (size_t)used, " used by \"%s\"", at->name);
        if (strcmp(at->name, name->text) == 0)
            break;
    }
    schema_error(reading->reader, name, found, "a mind that does not lead back to itself");
}

static void splice(struct reading *reading, const struct yaml_node *place, uint32_t depth,
                   const struct mind_plan *plan)
{
    for (uint32_t i = 0; i < plan->count && reading->count < STEPS_MAX; i++) {
        struct mind_step *step = add_step(reading, place, depth, plan->steps[i].kind);
        *step = plan->steps[i];
        step->depth += depth;
    }
}

static void offer_plans(struct words *words)
{
    const struct mind_plan *plan;
    for (uint32_t i = 0; (plan = mind_plan_at(i)); i++)
        offer(words, plan->name);
}

/* name: NULL where there is none. */
static void use_error(struct reading *reading, const struct yaml_node *name)
{
    struct words words = {.count = 0};
    const struct yaml_node *item = reading->reader->minds->first;
    for (; item; item = item->next) {
        const struct yaml_node *other = yaml_map_find(item, "name");
        if (other && other->kind == YAML_IS_SCALAR)
            offer(&words, other->text);
    }
    if (reading->leaves == ship_leaves)
        offer_plans(&words);
    word_error(reading->reader, name ? name : reading->places[0], NULL, "the name of another mind",
               &words);
}

static void read_use(struct reading *reading, const struct yaml_node *name, uint32_t depth,
                     const struct use *use)
{
    const struct yaml_node *list = reading->reader->minds;
    bool word = name && name->kind == YAML_IS_SCALAR;
    for (const struct use *at = use; word && at; at = at->up) {
        if (strcmp(at->name, name->text) == 0) {
            cycle_error(reading, name, use);
            return;
        }
    }
    for (const struct yaml_node *item = list->first; word && item; item = item->next) {
        const struct yaml_node *other = yaml_map_find(item, "name");
        const struct yaml_node *tree = yaml_map_find(item, "tree");
        if (other && tree && other->kind == YAML_IS_SCALAR &&
            strcmp(other->text, name->text) == 0) {
            const struct use inner = {.up = use, .name = other->text};
            read_node(reading, tree, depth, &inner);
            return;
        }
    }
    const struct mind_plan *plan = word ? mind_plan_find(name->text) : NULL;
    if (plan && reading->leaves == ship_leaves)
        splice(reading, name, depth, plan);
    else
        use_error(reading, name);
}

/* A word; or a mapping of one word to its value. */
static void read_node(struct reading *reading, const struct yaml_node *node, uint32_t depth,
                      const struct use *use)
{
    bool map = node->kind == YAML_IS_MAP && node->count == 2;
    const struct yaml_node *word = map ? node->first : node;
    const struct yaml_node *value = map ? word->next : NULL;
    if (!is_fine(reading))
        return;
    if (word->kind != YAML_IS_SCALAR || word->size == 0 || depth >= YAML_DEPTH_MAX) {
        schema_error(reading->reader, node, NULL,
                     "a node: a leaf, or a mapping of one key, at most %d deep", YAML_DEPTH_MAX);
        return;
    }
    if (strcmp(word->text, "use") == 0) {
        read_use(reading, value, depth, use);
        return;
    }
    for (uint32_t kind = 0; kind < MIND_leaf; kind++) {
        if (strcmp(word->text, mind_kind_name((enum mind_kind)kind)) == 0) {
            read_kind(reading, word, value, add_step(reading, word, depth, (enum mind_kind)kind),
                      use);
            return;
        }
    }
    read_leaf(reading, word, value, depth);
}

/* ---- Minds ---- */

/* Two children of a parallel would steer the same ship. */
static void steering_error(const struct reading *reading, uint32_t one, uint32_t other)
{
    char found[160], list[120] = "";
    for (const struct mind_leaf *leaf = reading->leaves; leaf->name; leaf++)
        if (leaf->steers)
            schema_list(list, sizeof list, leaf->name);
    snprintf(found, sizeof found,
             "a parallel that steers twice at once: %s in line %u, %s in line %u",
             reading->steps[one].leaf, reading->places[one]->line, reading->steps[other].leaf,
             reading->places[other]->line);
    schema_error(reading->reader, reading->places[other], found,
                 "what steers (%s) in one child of a parallel only", list);
}

static void make_tree(struct schema_reader *reader, struct scenario_mind *mind,
                      const struct reading *reading)
{
    uint32_t where, other;
    enum mind_fault fault = mind_make(&mind->tree, reading->leaves, mind->budget, reading->steps,
                                      reading->count, &where);
    if (fault == MIND_BAD_VALUE)
        schema_error(reader, reading->places[where], mind_fault_text(fault),
                     "need: 1 up to the number of its children");
    else if (fault != MIND_FINE)
        schema_error(reader, reading->places[where], mind_fault_text(fault),
                     "a tree of 1 to %d nodes, each with the children that it needs",
                     MIND_NODES_MAX);
    else if (mind_steers_twice(&mind->tree, &where, &other))
        steering_error(reading, where, other);
}

static void read_mind_tree(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    struct scenario_mind *mind =
        (struct scenario_mind *)(void *)((char *)field - offsetof(struct scenario_mind, tree));
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) {
        reader->no_memory = true;
        return;
    }
    reading->reader = reader;
    reading->leaves = mind->of == 0 ? ship_leaves : station_leaves;
    reading->errors_before = reader->errors->count;
    const struct use use = {.name = mind->name};
    read_node(reading, node, 0, &use);
    if (reader->errors->count == reading->errors_before)
        make_tree(reader, mind, reading);
    free(reading);
}

static const char *const of_words[] = {"ship", "station", NULL};

#define MIND_KEY(...) SCHEMA_KEY(struct scenario_mind, __VA_ARGS__)
static const struct schema_key mind_keys[] = {
    SCHEMA_NAME(struct scenario_mind),
    SCHEMA_WORD(struct scenario_mind, "of", OPTIONAL, of, of_words),
    MIND_KEY("budget", COUNT, OPTIONAL, budget, 1, 100000),
    SCHEMA_CUSTOM(struct scenario_mind, "tree", REQUIRED, tree, read_mind_tree),
};

static const struct schema mind_schema = {.what = "a mind",
                                          .size = sizeof(struct scenario_mind),
                                          .key_count = COUNT_OF(mind_keys),
                                          .keys = mind_keys};

void read_minds(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    static const struct schema_key key = {
        .name = "minds", .kind = VALUE_LIST, .inner = &mind_schema, .max = MINDS_MAX};
    reader->minds = node;
    schema_read_value(reader, &key, node, field);
}

/* ---- Those that have one ---- */

/* The number of the mind, + 1; 0: there is none. One that is built in is made when it is asked for.
 */
static uint32_t find_mind(struct schema_reader *reader, const char *name, uint32_t of)
{
    struct scenario *scenario = scenario_of(reader);
    const struct mind_plan *plan = of == 0 ? mind_plan_find(name) : NULL;
    for (uint32_t i = 0; i < scenario->minds.count; i++)
        if (strcmp(scenario->minds.items[i].name, name) == 0)
            return scenario->minds.items[i].of == of ? i + 1 : 0;
    if (!plan)
        return 0;
    struct scenario_mind *minds =
        realloc(scenario->minds.items, (scenario->minds.count + 1) * sizeof *minds);
    if (!minds) {
        reader->no_memory = true;
        return 0;
    }
    struct scenario_mind *mind = &minds[scenario->minds.count++];
    scenario->minds.items = minds;
    memset(mind, 0, sizeof *mind);
    snprintf(mind->name, sizeof mind->name, "%s", name);
    (void)mind_make(&mind->tree, ship_leaves, 0, plan->steps, plan->count, NULL);
    return scenario->minds.count;
}

static void reference_error(struct schema_reader *reader, const struct yaml_node *node, uint32_t of)
{
    const struct scenario *scenario = scenario_of(reader);
    struct words words = {.count = 0};
    char allowed[48];
    for (uint32_t i = 0; i < scenario->minds.count; i++)
        if (scenario->minds.items[i].of == of)
            offer(&words, scenario->minds.items[i].name);
    if (of == 0)
        offer_plans(&words);
    snprintf(allowed, sizeof allowed, "the name of a mind of a %s", of_words[of]);
    word_error(reader, node, NULL, allowed, &words);
}

static void read_reference_to(struct schema_reader *reader, const struct yaml_node *node,
                              void *field, uint32_t of)
{
    bool word = node->kind == YAML_IS_SCALAR && node->size > 0;
    uint32_t number = word ? find_mind(reader, node->text, of) : 0;
    if (number == 0 && !reader->no_memory)
        reference_error(reader, node, of);
    *(uint32_t *)field = number;
}

void read_ship_mind(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    read_reference_to(reader, node, field, 0);
}

void read_station_mind(struct schema_reader *reader, const struct yaml_node *node, void *field)
{
    read_reference_to(reader, node, field, 1);
}
