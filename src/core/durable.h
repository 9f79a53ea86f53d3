// SPDX-License-Identifier: Apache-2.0
/* durable.h: the part of a state that outlives a restart. Layer: core. Owner of the shard only.
 *
 * It is copied beside the actor after each message that its handler has handled, and into the
 * zeroed state before on_start when the actor is restarted. Kinds that declare one take the slower
 * turn, so that the others pay nothing. */
#ifndef ALDIS_CORE_DURABLE_H
#define ALDIS_CORE_DURABLE_H

#include "core/mailbox.h"
#include <stdlib.h>
#include <string.h>

/** The state is as the last handler has left it, and that is to stand. False: out of memory, and
 *  what was saved before stands. */
static inline bool aldis__durable_save(struct aldis__cell *cell)
{
    const aldis_durable *durable = &cell->kind->behaviour->durable;
    if (!(cell->flags & ALDIS__CELL_DURABLE))
        return true;
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (ext && !ext->saved)
        ext->saved = malloc(durable->size);
    if (!ext || !ext->saved)
        return false;
    memcpy(ext->saved, (const char *)cell->state + durable->offset, durable->size);
    return true;
}

/** The actor begins again: its state is zeroed, on_start comes next. */
static inline void aldis__durable_restore(struct aldis__cell *cell)
{
    const aldis_durable *durable = &cell->kind->behaviour->durable;
    if (cell->ext && cell->ext->saved)
        memcpy((char *)cell->state + durable->offset, cell->ext->saved, durable->size);
}

#endif
