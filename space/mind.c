// SPDX-License-Identifier: Apache-2.0
/* mind.c: see mind.h. Layer: space. */
#include "mind.h"

#include <stdio.h>
#include <string.h>

/* ---- Making a tree ---- */

static const char *const kind_names[] = {
#define KIND_NAME(name) #name,
    MIND_KINDS(KIND_NAME)
#undef KIND_NAME
};
_Static_assert(sizeof kind_names / sizeof kind_names[0] == MIND_KIND_COUNT, "one name for a kind");

const char *mind_kind_name(enum mind_kind kind)
{
    return kind_names[kind];
}

const char *mind_fault_text(enum mind_fault fault)
{
    switch (fault) {
    case MIND_FINE:
        return "nothing is wrong";
    case MIND_EMPTY:
        return "a node without children";
    case MIND_ONE_CHILD:
        return "more than one child of a decorator";
    case MIND_NO_CHILDREN:
        return "children of a leaf";
    case MIND_BAD_DEPTH:
        return "a node without a parent";
    case MIND_UNKNOWN_LEAF:
        return "an unknown leaf";
    case MIND_BAD_VALUE:
        return "a parallel that needs none of its children, or more than it has";
    case MIND_TOO_LARGE:
        return "too many nodes";
    }
    return "an unknown fault";
}

static bool is_decorator(uint32_t kind)
{
    return kind >= MIND_invert && kind < MIND_leaf;
}

static uint32_t count_children(const struct mind_tree *tree, uint32_t node)
{
    uint32_t count = 0;
    for (uint32_t child = node + 1; child < tree->nodes[node].end; child = tree->nodes[child].end)
        count++;
    return count;
}

static enum mind_fault check_node(const struct mind_tree *tree, uint32_t i)
{
    const struct mind_node *node = &tree->nodes[i];
    uint32_t children = count_children(tree, i);
    if (node->kind == MIND_leaf)
        return children == 0 ? MIND_FINE : MIND_NO_CHILDREN;
    if (children == 0)
        return MIND_EMPTY;
    if (is_decorator(node->kind) && children > 1)
        return MIND_ONE_CHILD;
    bool possible = node->value.count >= 1 && node->value.count <= children;
    return node->kind == MIND_parallel && !possible ? MIND_BAD_VALUE : MIND_FINE;
}

/* Those that keep their child, a count or a time. */
static bool needs_memory(uint32_t kind)
{
    return kind == MIND_sequence || kind == MIND_selector || kind == MIND_repeat ||
           kind == MIND_retry || kind == MIND_timeout || kind == MIND_cooldown || kind == MIND_leaf;
}

/* The number of the leaf of a name; false: there is none. */
static bool find_leaf(const struct mind_leaf *leaves, const char *name, uint32_t *out)
{
    for (uint32_t i = 0; name && leaves[i].name; i++) {
        if (strcmp(leaves[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* open: by depth, the last node of it, whose children may follow. */
static enum mind_fault add_node(struct mind_tree *tree, const struct mind_step *step,
                                uint8_t open[MIND_NODES_MAX], uint32_t *depth)
{
    uint32_t i = tree->count;
    struct mind_node *node = &tree->nodes[i];
    if (i == MIND_NODES_MAX)
        return MIND_TOO_LARGE;
    if (step->depth > *depth || (i > 0 && step->depth == 0))
        return MIND_BAD_DEPTH;
    *node = (struct mind_node){.kind = (uint8_t)step->kind, .value = step->value};
    if (step->kind == MIND_leaf && !find_leaf(tree->leaves, step->leaf, &node->leaf))
        return MIND_UNKNOWN_LEAF;
    node->parent = step->depth > 0 ? open[step->depth - 1] : 0;
    if (needs_memory(step->kind))
        node->word = (uint8_t)tree->words++;
    open[step->depth] = (uint8_t)i;
    for (uint32_t d = 0; d <= step->depth; d++)
        tree->nodes[open[d]].end = (uint8_t)(i + 1);
    *depth = step->depth + 1;
    tree->count++;
    return MIND_FINE;
}

enum mind_fault mind_make(struct mind_tree *tree, const struct mind_leaf *leaves, uint32_t budget,
                          const struct mind_step *steps, uint32_t count, uint32_t *out_step)
{
    uint8_t open[MIND_NODES_MAX] = {0};
    uint32_t depth = 0, step = 0, unused;
    uint32_t *where = out_step ? out_step : &unused;
    *tree =
        (struct mind_tree){.leaves = leaves, .budget = budget > 0 ? budget : MIND_BUDGET_DEFAULT};
    enum mind_fault fault = count > 0 ? MIND_FINE : MIND_EMPTY;
    for (*where = 0; fault == MIND_FINE && step < count; step++) {
        *where = step;
        fault = add_node(tree, &steps[step], open, &depth);
    }
    for (uint32_t i = 0; fault == MIND_FINE && i < count; i++) {
        *where = i;
        fault = check_node(tree, i);
    }
    if (fault != MIND_FINE)
        tree->count = 0;
    return fault;
}

/* The first leaf that steers among the nodes first .. end - 1; end: none does. */
static uint32_t first_steering(const struct mind_tree *tree, uint32_t first, uint32_t end)
{
    while (first < end &&
           !(tree->nodes[first].kind == MIND_leaf && tree->leaves[tree->nodes[first].leaf].steers))
        first++;
    return first;
}

bool mind_steers_twice(const struct mind_tree *tree, uint32_t *out_one, uint32_t *out_other)
{
    const struct mind_node *nodes = tree->nodes;
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t steering = 0;
        for (uint32_t child = i + 1; nodes[i].kind == MIND_parallel && child < nodes[i].end;
             child = nodes[child].end) {
            uint32_t leaf = first_steering(tree, child, nodes[child].end);
            if (leaf == nodes[child].end)
                continue;
            *(steering++ == 0 ? out_one : out_other) = leaf;
            if (steering == 2)
                return true;
        }
    }
    return false;
}

size_t mind_bytes(const struct mind_tree *tree)
{
    return sizeof(struct mind) + tree->words * sizeof(aldis_ns);
}

/* ---- A tick ---- */

struct walk {
    const struct mind_tree *tree;
    struct mind *mind;
    struct mind_turn *turn;
};

static uint64_t bit(uint32_t node)
{
    return UINT64_C(1) << node;
}

/* The nodes first .. end - 1. */
static uint64_t span(uint32_t first, uint32_t end)
{
    uint64_t below_end = end < 64 ? bit(end) - 1 : UINT64_MAX;
    return below_end & ~(bit(first) - 1);
}

static aldis_ns *memory_of(const struct walk *walk, uint32_t node)
{
    return &walk->mind->memory[walk->tree->nodes[node].word];
}

/* Halt the leaves of a set that are running; the nodes of the set are under way no more. */
static void halt(const struct walk *walk, uint64_t set)
{
    struct mind *mind = walk->mind;
    uint64_t running = mind->running & set;
    for (uint32_t i = 0; running; i++, running >>= 1) {
        const struct mind_node *node = &walk->tree->nodes[i];
        if (!(running & 1))
            continue;
        mind->running &= ~bit(i);
        if (walk->tree->leaves[node->leaf].halt)
            walk->tree->leaves[node->leaf].halt(walk->turn, &node->value, memory_of(walk, i));
    }
    mind->active &= ~set;
    mind->done &= ~set;
    mind->won &= ~set;
}

static bool excludes(uint32_t kind)
{
    return kind <= MIND_reactive_selector;
}

/* Before a leaf starts: halt what is running in other children of those above it whose children
 * exclude each other. */
static void make_way(const struct walk *walk, uint32_t leaf)
{
    const struct mind_node *nodes = walk->tree->nodes;
    for (uint32_t child = leaf; child > 0; child = nodes[child].parent) {
        uint32_t parent = nodes[child].parent;
        if (excludes(nodes[parent].kind))
            halt(walk, span(parent + 1, nodes[parent].end) & ~span(child, nodes[child].end));
    }
}

static enum mind_status visit(const struct walk *walk, uint32_t i);

static enum mind_status visit_leaf(const struct walk *walk, uint32_t i)
{
    const struct mind_node *node = &walk->tree->nodes[i];
    const struct mind_leaf *leaf = &walk->tree->leaves[node->leaf];
    bool starts = !(walk->mind->running & bit(i));
    if (starts && !leaf->asks) {
        make_way(walk, i);
        *memory_of(walk, i) = 0;
    }
    enum mind_status status = leaf->tick(walk->turn, &node->value, memory_of(walk, i), starts);
    if (status != MIND_RUNNING) {
        walk->mind->running &= ~bit(i);
        return status;
    }
    if (leaf->asks) /* a question without an answer */
        return MIND_FAILURE;
    walk->mind->running |= bit(i);
    return status;
}

/* One child after the other, until one ends otherwise than with `go_on`. A reactive one begins at
 * the first in each tick, and what it has left behind is halted. */
static enum mind_status visit_series(const struct walk *walk, uint32_t i, enum mind_status go_on,
                                     bool reactive)
{
    const struct mind_node *nodes = walk->tree->nodes;
    bool starts = !(walk->mind->active & bit(i));
    uint32_t child = starts || reactive ? i + 1 : (uint32_t)*memory_of(walk, i);
    walk->mind->active |= bit(i);
    for (; child < nodes[i].end; child = nodes[child].end) {
        enum mind_status status = visit(walk, child);
        if (status == go_on)
            continue;
        if (status == MIND_RUNNING && !walk->turn->over)
            halt(walk, span(i + 1, nodes[i].end) & ~span(child, nodes[child].end));
        if (!reactive)
            *memory_of(walk, i) = child;
        return status;
    }
    return go_on;
}

static enum mind_status visit_parallel(const struct walk *walk, uint32_t i)
{
    const struct mind_node *nodes = walk->tree->nodes;
    struct mind *mind = walk->mind;
    uint32_t won = 0, lost = 0, children = 0;
    mind->active |= bit(i);
    for (uint32_t child = i + 1; child < nodes[i].end; child = nodes[child].end) {
        if (!(mind->done & bit(child))) {
            enum mind_status status = visit(walk, child);
            mind->done |= status == MIND_RUNNING ? 0 : bit(child);
            mind->won |= status == MIND_SUCCESS ? bit(child) : 0;
        }
        won += (mind->won & bit(child)) != 0;
        lost += (mind->done & ~mind->won & bit(child)) != 0;
        children++;
    }
    if (won >= nodes[i].value.count)
        return MIND_SUCCESS;
    return children - lost < nodes[i].value.count ? MIND_FAILURE : MIND_RUNNING;
}

/* Again as long as it ends with `go_on`; so many times at most. */
static enum mind_status visit_loop(const struct walk *walk, uint32_t i, enum mind_status go_on)
{
    aldis_ns *rounds = memory_of(walk, i);
    int64_t most = walk->tree->nodes[i].value.count;
    if (!(walk->mind->active & bit(i)))
        *rounds = 0;
    walk->mind->active |= bit(i);
    for (;;) {
        enum mind_status status = visit(walk, i + 1);
        if (status != go_on || (++*rounds == most && most > 0))
            return status;
    }
}

static void wake_at(struct mind_turn *turn, aldis_ns time_ns)
{
    if (time_ns < turn->wake_ns)
        turn->wake_ns = time_ns;
}

static enum mind_status visit_timeout(const struct walk *walk, uint32_t i)
{
    aldis_ns *due_ns = memory_of(walk, i);
    if (!(walk->mind->active & bit(i)))
        *due_ns = walk->turn->now_ns + walk->tree->nodes[i].value.time_ns;
    walk->mind->active |= bit(i);
    enum mind_status status = visit(walk, i + 1);
    if (status == MIND_RUNNING && walk->turn->now_ns >= *due_ns)
        return MIND_FAILURE;
    if (status == MIND_RUNNING)
        wake_at(walk->turn, *due_ns);
    return status;
}

/* Its time outlasts the rounds of the tree. */
static enum mind_status visit_cooldown(const struct walk *walk, uint32_t i)
{
    aldis_ns *free_ns = memory_of(walk, i);
    if (!(walk->mind->active & bit(i)) && walk->turn->now_ns < *free_ns)
        return MIND_FAILURE;
    walk->mind->active |= bit(i);
    enum mind_status status = visit(walk, i + 1);
    if (status != MIND_RUNNING)
        *free_ns = walk->turn->now_ns + walk->tree->nodes[i].value.time_ns;
    return status;
}

static enum mind_status visit_decorator(const struct walk *walk, uint32_t i, enum mind_status won,
                                        enum mind_status lost)
{
    walk->mind->active |= bit(i);
    enum mind_status status = visit(walk, i + 1);
    if (status == MIND_RUNNING)
        return status;
    return status == MIND_SUCCESS ? won : lost;
}

static enum mind_status visit_kind(const struct walk *walk, uint32_t i)
{
    switch ((enum mind_kind)walk->tree->nodes[i].kind) {
    case MIND_sequence:
        return visit_series(walk, i, MIND_SUCCESS, false);
    case MIND_selector:
        return visit_series(walk, i, MIND_FAILURE, false);
    case MIND_reactive_sequence:
        return visit_series(walk, i, MIND_SUCCESS, true);
    case MIND_reactive_selector:
        return visit_series(walk, i, MIND_FAILURE, true);
    case MIND_parallel:
        return visit_parallel(walk, i);
    case MIND_invert:
        return visit_decorator(walk, i, MIND_FAILURE, MIND_SUCCESS);
    case MIND_always:
        return visit_decorator(walk, i, MIND_SUCCESS, MIND_SUCCESS);
    case MIND_never:
        return visit_decorator(walk, i, MIND_FAILURE, MIND_FAILURE);
    case MIND_repeat:
        return visit_loop(walk, i, MIND_SUCCESS);
    case MIND_retry:
        return visit_loop(walk, i, MIND_FAILURE);
    case MIND_timeout:
        return visit_timeout(walk, i);
    case MIND_cooldown:
        return visit_cooldown(walk, i);
    case MIND_leaf:
        return visit_leaf(walk, i);
    }
    return MIND_FAILURE;
}

/* When a node has ended, nothing in it goes on. */
static enum mind_status visit(const struct walk *walk, uint32_t i)
{
    if (walk->turn->left == 0) {
        walk->turn->over = 1;
        return MIND_RUNNING;
    }
    walk->turn->left--;
    enum mind_status status = visit_kind(walk, i);
    if (status != MIND_RUNNING)
        halt(walk, span(i, walk->tree->nodes[i].end));
    return status;
}

enum mind_status mind_tick(const struct mind_tree *tree, struct mind *mind, struct mind_turn *turn)
{
    const struct walk walk = {.tree = tree, .mind = mind, .turn = turn};
    turn->wake_ns = ALDIS_FOREVER;
    turn->left = tree->budget;
    turn->over = 0;
    enum mind_status status = visit(&walk, 0);
    mind->ticks++;
    mind->overruns += turn->over;
    return status;
}

void mind_halt(const struct mind_tree *tree, struct mind *mind, struct mind_turn *turn)
{
    const struct walk walk = {.tree = tree, .mind = mind, .turn = turn};
    halt(&walk, span(0, tree->count));
}

/* ---- What it is about ---- */

struct path_text {
    char *text;
    size_t size, used;
};

static void put(struct path_text *out, const char *word)
{
    if (out->used + 1 >= out->size)
        return;
    int length = snprintf(out->text + out->used, out->size - out->used, "%s", word);
    out->used += (size_t)length;
}

static void put_node(const struct mind_tree *tree, const struct mind *mind, uint32_t i,
                     struct path_text *out)
{
    const struct mind_node *nodes = tree->nodes;
    uint32_t busy = 0, shown = 0;
    put(out,
        nodes[i].kind == MIND_leaf ? tree->leaves[nodes[i].leaf].name : kind_names[nodes[i].kind]);
    for (uint32_t child = i + 1; child < nodes[i].end; child = nodes[child].end)
        busy += (mind->running & span(child, nodes[child].end)) != 0;
    for (uint32_t child = i + 1; child < nodes[i].end; child = nodes[child].end) {
        if (!(mind->running & span(child, nodes[child].end)))
            continue;
        put(out, shown > 0 ? " + " : busy > 1 ? " > (" : " > ");
        put_node(tree, mind, child, out);
        shown++;
    }
    if (busy > 1)
        put(out, ")");
}

char *mind_path(const struct mind_tree *tree, const struct mind *mind, char *text, size_t size)
{
    struct path_text out = {.text = text, .size = size};
    if (size > 0)
        text[0] = '\0';
    if (tree->count > 0 && mind->running)
        put_node(tree, mind, 0, &out);
    return text;
}
