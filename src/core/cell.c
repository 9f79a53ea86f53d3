// SPDX-License-Identifier: Apache-2.0
/* cell.c: the second block of a cell. Layer: core.
 *
 * A command needs one, so every actor that is told to stop takes one and gives it back soon. Each
 * worker keeps some of those it was given back: malloc and free of so large a block cost a tenth of
 * an actor's whole life. */
#include "core/cell.h"

#include "core/worker.h"
#include <stdlib.h>
#include <string.h>

enum { SPARE_MAX = 1024 }; /* blocks that a worker keeps, half a MiB */

struct aldis__spare_ext {
    struct aldis__spare_ext *next;
};

/* Zeroed. NULL: out of memory. */
static struct aldis__cell_ext *take_block(void)
{
    struct aldis__worker *worker = aldis__this_worker;
    struct aldis__spare_ext *spare = worker->spare_exts;
    if (!spare)
        return calloc(1, sizeof(struct aldis__cell_ext));
    worker->spare_exts = spare->next;
    worker->spare_ext_count--;
    aldis__unpoison(spare, sizeof(struct aldis__cell_ext));
    return memset(spare, 0, sizeof(struct aldis__cell_ext));
}

static void give_block(struct aldis__cell_ext *ext)
{
    struct aldis__worker *worker = aldis__this_worker;
    /* All threads that are no workers share one that stands for none. */
    if (worker == &aldis__no_worker || worker->spare_ext_count == SPARE_MAX) {
        free(ext);
        return;
    }
    struct aldis__spare_ext *spare = (struct aldis__spare_ext *)(void *)ext;
    spare->next = worker->spare_exts;
    worker->spare_exts = spare;
    worker->spare_ext_count++;
    aldis__poison(spare + 1, sizeof *ext - sizeof *spare);
}

void aldis__spare_exts_free(struct aldis__worker *worker)
{
    struct aldis__spare_ext *spare;
    while ((spare = worker->spare_exts)) {
        worker->spare_exts = spare->next;
        free(spare);
    }
}

/* ext is zeroed. */
static void ext_init(struct aldis__cell_ext *ext, const struct aldis__cell *cell)
{
    ext->limits = cell->kind->limits;
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
        aldis__queue_init(&ext->lanes[rank]);
    aldis__queue_init(&ext->held);
    aldis__queue_init(&ext->stash);
    aldis__queue_init(&ext->aside);
    ext->child_free = UINT32_MAX;
}

struct aldis__cell_ext *aldis__cell_extend(struct aldis__cell *cell)
{
    if (cell->ext)
        return cell->ext;
    struct aldis__cell_ext *ext = take_block();
    if (!ext)
        return NULL;
    ext_init(ext, cell);
    cell->ext = ext;
    return ext;
}

void aldis__cell_unextend(struct aldis__cell *cell)
{
    give_block(cell->ext);
    cell->ext = NULL;
}

/* Compared whole with a new one, so that a field that is added keeps it unless it is as new. An
 * empty queue points at itself: those tails are taken over before. */
void aldis__cell_shrink(struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext, fresh;
    if (!ext)
        return;
    memset(&fresh, 0, sizeof fresh);
    ext_init(&fresh, cell);
    for (unsigned rank = 0; rank < ALDIS__RANK_COUNT; rank++)
        fresh.lanes[rank].tail = ext->lanes[rank].tail;
    fresh.held.tail = ext->held.tail;
    fresh.stash.tail = ext->stash.tail;
    fresh.aside.tail = ext->aside.tail;
    if (memcmp(&fresh, ext, sizeof fresh) != 0)
        return;
    aldis__cell_unextend(cell);
}
