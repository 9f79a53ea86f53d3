// SPDX-License-Identifier: Apache-2.0
/* mind.h: behaviour trees: what an actor decides to do next. Layer: space. Pure: no actor, no
 * clock.
 *
 * A tree is shared and constant; a mind is one actor's place in it. A tick walks the tree from its
 * root. Leaves are what the actor can ask and do: each says success, failure, or that it is still
 * running, and then it is asked again at the next tick, and halted if the tree turns to something
 * else.
 *
 *   sequence           its children one after the other, until one fails; goes on where it was
 *   selector           the same, until one succeeds
 *   reactive_sequence  looks at its children from the first anew in each tick
 *   reactive_selector
 *   parallel           all at once; succeeds with `need` of them, fails when that cannot be any
 *                      more
 *   invert             success is failure, and failure success
 *   always, never      any outcome is success, or failure
 *   repeat             again and again, `count` times (0: for ever), until it fails
 *   retry              again and again, `count` times (0: for ever), until it succeeds
 *   timeout            halts its child after a time, and fails
 *   cooldown           fails for a time after its child has ended
 *
 * Children of a sequence or selector, reactive ones too, exclude each other: before a leaf starts,
 * all that excludes it is halted. So two exclusive children never run at once. (Colledanchise and
 * Ögren, Behavior Trees in Robotics and AI, 2018; the reactive forms are theirs, the others have
 * their memory.) */
#ifndef SPACE_MIND_H
#define SPACE_MIND_H

#include <aldis/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIND_NODES_MAX 64
#define MIND_BUDGET_DEFAULT 256

enum mind_status { MIND_SUCCESS, MIND_FAILURE, MIND_RUNNING };

/** X(name): the kinds of nodes; `leaf` last. */
#define MIND_KINDS(X)                                                                              \
    X(sequence)                                                                                    \
    X(selector)                                                                                    \
    X(reactive_sequence)                                                                           \
    X(reactive_selector)                                                                           \
    X(parallel)                                                                                    \
    X(invert) X(always) X(never) X(repeat) X(retry) X(timeout) X(cooldown) X(leaf)

enum mind_kind {
#define MIND_KIND_ENUM_(name) MIND_##name,
    MIND_KINDS(MIND_KIND_ENUM_)
#undef MIND_KIND_ENUM_
};
#define MIND_KIND_COUNT 13

/** What a node is given. */
struct mind_value {
    double number;
    aldis_ns time_ns;
    uint32_t count; /**< or which of the leaf's words */
    uint32_t unused;
};

/** What a leaf's value is, for whoever reads one. */
enum mind_param { MIND_NO_VALUE, MIND_NUMBER, MIND_TIME, MIND_DISTANCE, MIND_COUNT, MIND_WORD };

/** One tick, as leaves see it. */
struct mind_turn {
    void *actor;
    aldis_ns now_ns;
    aldis_ns wake_ns; /**< written: when a tick is wanted at the latest; ALDIS_FOREVER: any time */
    uint32_t left;    /**< of the budget */
    uint32_t over;    /**< 1: the budget did not suffice */
};

/** What an actor can ask or do. */
struct mind_leaf {
    const char *name;
    /** memory: 8 bytes of this leaf in this mind, kept from its start to its end.
     *  starts: it has not been running. */
    enum mind_status (*tick)(struct mind_turn *turn, const struct mind_value *value,
                             aldis_ns *memory, bool starts);
    /** It was running and is to stop. NULL: nothing is to be undone. */
    void (*halt)(struct mind_turn *turn, const struct mind_value *value, aldis_ns *memory);
    bool steers; /**< gives the actor orders that another one of these would countermand */
    bool asks;   /**< a question: it never runs, does nothing, and may be asked at any time */
    enum mind_param param;
    double min, max;          /**< of the value; a time's in seconds */
    const char *const *words; /**< MIND_WORD; ends with NULL */
};

/** One line of a tree as it is written down: nodes in their order, children deeper than their
 *  parent. A table of these is a tree written in C; a scenario file is read into one. */
struct mind_step {
    uint32_t depth; /**< the root: 0; a child: one more than its parent */
    enum mind_kind kind;
    const char *leaf; /**< MIND_leaf: its name */
    struct mind_value value;
};

struct mind_node {
    uint8_t kind;
    uint8_t parent;
    uint8_t end;   /**< the node after its last descendant */
    uint8_t word;  /**< its place in the mind's memory */
    uint32_t leaf; /**< of the tree's leaves */
    struct mind_value value;
};

struct mind_tree {
    const struct mind_leaf *leaves;
    uint32_t count;  /**< of nodes; 0: there is no tree */
    uint32_t words;  /**< of memory that a mind needs */
    uint32_t budget; /**< nodes that a tick may visit */
    uint32_t unused;
    struct mind_node nodes[MIND_NODES_MAX];
};

/** What is wrong with a tree. */
enum mind_fault {
    MIND_FINE = 0,
    MIND_EMPTY,        /**< no node at all, or one that needs children has none */
    MIND_ONE_CHILD,    /**< a decorator has more than one child */
    MIND_NO_CHILDREN,  /**< a leaf has children */
    MIND_BAD_DEPTH,    /**< a node that is deeper than any parent, or a second root */
    MIND_UNKNOWN_LEAF, /**< no leaf has that name */
    MIND_BAD_VALUE,    /**< parallel: needs none of its children, or more than it has */
    MIND_TOO_LARGE,    /**< more than MIND_NODES_MAX nodes */
};

/**
 * Make a tree of steps.
 *
 * leaves:   a table that ends with a name of NULL; borrowed as long as the tree lives.
 * budget:   0: MIND_BUDGET_DEFAULT.
 * out_step: where it went wrong: a number of a step. May be NULL.
 */
enum mind_fault mind_make(struct mind_tree *tree, const struct mind_leaf *leaves, uint32_t budget,
                          const struct mind_step *steps, uint32_t count, uint32_t *out_step);

/** Do two children of one parallel, which run at once, hold leaves that steer? Gives one of each:
 *  numbers of nodes, which are those of the steps. */
bool mind_steers_twice(const struct mind_tree *tree, uint32_t *out_one, uint32_t *out_other);

/** "a node without children". Static. */
const char *mind_fault_text(enum mind_fault fault);

/** "reactive_selector". Static. */
const char *mind_kind_name(enum mind_kind kind);

/** An actor's place in a tree. A bit of a set is a node. */
struct mind {
    uint64_t running;   /**< leaves that are running */
    uint64_t active;    /**< nodes that are under way */
    uint64_t done, won; /**< children of a parallel that have ended, and succeeded */
    uint64_t ticks;
    uint64_t overruns; /**< ticks that the budget has cut short */
    aldis_ns memory[]; /**< one word for each node that needs one */
};

/** Bytes of a mind with this tree; all zero it is at its start. */
size_t mind_bytes(const struct mind_tree *tree);

/**
 * Ask the tree once. Visits at most tree->budget nodes; what it has not come to is for the next
 * tick, and the outcome is MIND_RUNNING. After success or failure the mind is at its start again.
 *
 * turn: actor and now_ns are given.
 */
enum mind_status mind_tick(const struct mind_tree *tree, struct mind *mind, struct mind_turn *turn);

/** Halt all that is running; the mind is at its start again. */
void mind_halt(const struct mind_tree *tree, struct mind *mind, struct mind_turn *turn);

/** What it is about, as "selector > sequence > dock"; what runs at once as "(a + b)"; "" when
 *  nothing is running. Returns text. */
char *mind_path(const struct mind_tree *tree, const struct mind *mind, char *text, size_t size);

#endif
