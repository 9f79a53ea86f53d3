// SPDX-License-Identifier: Apache-2.0
/* part.h: what a part of the library above the core keeps with one actor. Layer: core.
 *
 * A part is a struct that begins with an aldis__part; each class of parts has at most one for an
 * actor, found by the address of its class in a list that is as long as the actor uses features.
 *
 * Owner: the owner of the actor's home shard. It lives until the actor has ended. */
#ifndef ALDIS_CORE_PART_H
#define ALDIS_CORE_PART_H

#include "core/cell.h"

struct aldis__part;
struct aldis__worker;

struct aldis__part_class {
    const char *name;
    size_t size; /* of the struct; zeroed when it is made */
    /** The actor ends, its hooks have run; no context is entered. It may post, but not send. */
    void (*on_end)(struct aldis__worker *worker, struct aldis__cell *cell,
                   struct aldis__part *part);
    /** The actor has failed and will be restarted: what belonged to its old state goes. As on_end,
     *  but the part stays. */
    void (*on_restart)(struct aldis__worker *worker, struct aldis__cell *cell,
                       struct aldis__part *part);
    /** Free what it points to. Also when the system is destroyed with the actor. */
    void (*fini)(struct aldis__part *part);
};

struct aldis__part {
    const struct aldis__part_class *class;
    struct aldis__part *next;
};

/** The actor's part of this class, or NULL. */
static inline struct aldis__part *aldis__part_of(const struct aldis__cell *cell,
                                                 const struct aldis__part_class *class)
{
    struct aldis__part *part = cell->ext ? cell->ext->parts : NULL;
    while (part && part->class != class)
        part = part->next;
    return part;
}

/** The same, made if there is none. NULL: out of memory. */
struct aldis__part *aldis__part_make(struct aldis__cell *cell,
                                     const struct aldis__part_class *class);

/** End it: fini() is called, and the cell's second block is given back if nothing else is in it.
 *  From a message's end only: no pointer into either may be in use. */
void aldis__part_drop(struct aldis__cell *cell, struct aldis__part *part);

/** The actor ends. */
void aldis__parts_end(struct aldis__worker *worker, struct aldis__cell *cell);
/** The actor's incarnation ends. */
void aldis__parts_restart(struct aldis__worker *worker, struct aldis__cell *cell);
/** Free all of them. */
void aldis__parts_free(struct aldis__cell *cell);

#endif
