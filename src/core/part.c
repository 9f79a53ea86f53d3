// SPDX-License-Identifier: Apache-2.0
/* part.c: see part.h. Layer: core. */
#include "core/part.h"

#include "core/mailbox.h"
#include <stdlib.h>

struct aldis__part *aldis__part_make(struct aldis__cell *cell,
                                     const struct aldis__part_class *class)
{
    struct aldis__part *part = aldis__part_of(cell, class);
    if (part)
        return part;
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    part = ext ? calloc(1, class->size) : NULL;
    if (!part)
        return NULL;
    part->class = class;
    part->next = ext->parts;
    ext->parts = part;
    return part;
}

void aldis__part_drop(struct aldis__cell *cell, struct aldis__part *part)
{
    struct aldis__part **link = &cell->ext->parts;
    while (*link != part)
        link = &(*link)->next;
    *link = part->next;
    if (part->class->fini)
        part->class->fini(part);
    free(part);
    aldis__cell_shrink(cell);
}

void aldis__parts_end(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__part *part = cell->ext ? cell->ext->parts : NULL;
    for (; part; part = part->next)
        if (part->class->on_end)
            part->class->on_end(worker, cell, part);
}

void aldis__parts_restart(struct aldis__worker *worker, struct aldis__cell *cell)
{
    struct aldis__part *part = cell->ext ? cell->ext->parts : NULL;
    for (; part; part = part->next)
        if (part->class->on_restart)
            part->class->on_restart(worker, cell, part);
}

void aldis__parts_free(struct aldis__cell *cell)
{
    struct aldis__part *part = cell->ext->parts;
    cell->ext->parts = NULL;
    while (part) {
        struct aldis__part *next = part->next;
        if (part->class->fini)
            part->class->fini(part);
        free(part);
        part = next;
    }
}
