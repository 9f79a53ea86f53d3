// SPDX-License-Identifier: Apache-2.0
/* mailbox.c: bounds, lanes and marks of a mailbox. Layer: core. See mailbox.h. */
#include "core/mailbox.h"

#include "core/deliver.h"
#include "core/memory.h"
#include "core/shed.h"

enum { LOW_LANE_SHARE = 16 }; /* the lowest lane gets at least one turn in so many */

/* (bytes of the class - header) / 16; large blocks: payloads to 8, 16, 32 and 64 KiB, and a
 * length. */
const uint16_t aldis__class_units[16] = {1,  2,  4,   6,   10,  14,   22,   30,
                                         62, 94, 126, 254, 513, 1025, 2049, 4097};

aldis_err aldis__mailbox_push_lane(struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__cell_ext *ext = aldis__cell_extend(cell);
    if (!ext)
        return ALDIS_ENOMEM;
    unsigned rank = aldis__msg_rank(msg);
    aldis__queue_push(&ext->lanes[rank], msg);
    if (rank == ALDIS__RANK_CONTROL) {
        ext->control_depth++;
        cell->flags |= ALDIS__CELL_CONTROL;
        return ALDIS_OK;
    }
    cell->flags |= ALDIS__CELL_LANES;
    cell->depth++;
    cell->room -= aldis__msg_units(msg);
    return ALDIS_OK;
}

struct aldis__msg *aldis__mailbox_pop_lane(struct aldis__cell *cell, unsigned rank)
{
    if (rank == ALDIS__RANK_NORMAL)
        return aldis__mailbox_pop(cell);
    struct aldis__msg *msg = aldis__queue_pop(&cell->ext->lanes[rank]);
    if (msg) {
        cell->depth--;
        cell->room += aldis__msg_units(msg);
    }
    return msg;
}

struct aldis__msg *aldis__mailbox_pop_lanes(struct aldis__cell *cell)
{
    if (!(cell->flags & ALDIS__CELL_LANES))
        return aldis__mailbox_pop(cell);
    struct aldis__cell_ext *ext = cell->ext;
    struct aldis__msg *msg = NULL;
    if (++ext->turns_since_low >= LOW_LANE_SHARE) {
        ext->turns_since_low = 0;
        msg = aldis__mailbox_pop_lane(cell, ALDIS__RANK_LOW);
    }
    for (unsigned rank = ALDIS__RANK_CRITICAL; !msg && rank < ALDIS__RANK_COUNT; rank++)
        msg = aldis__mailbox_pop_lane(cell, rank);
    if (!ext->lanes[ALDIS__RANK_CRITICAL].head && !ext->lanes[ALDIS__RANK_HIGH].head &&
        !ext->lanes[ALDIS__RANK_LOW].head)
        cell->flags &= ~(uint32_t)ALDIS__CELL_LANES;
    return msg;
}

struct aldis__msg *aldis__mailbox_pop_lowest(struct aldis__cell *cell, unsigned rank)
{
    struct aldis__msg *msg = NULL;
    for (unsigned lane = ALDIS__RANK_LOW; !msg && lane >= rank; lane--)
        if (lane == ALDIS__RANK_NORMAL || cell->ext)
            msg = aldis__mailbox_pop_lane(cell, lane);
    return msg;
}

static uint64_t key_of(const struct aldis__cell *cell, struct aldis__msg *msg)
{
    const aldis_behaviour *behaviour = cell->kind->behaviour;
    size_t size;
    const void *payload = aldis__msg_payload(msg, &size);
    return behaviour->message_key
               ? behaviour->message_key(aldis__type_info(msg->type)->name, payload, size)
               : 0;
}

struct aldis__msg *aldis__mailbox_pop_key(struct aldis__cell *cell, struct aldis__msg *msg)
{
    unsigned rank = aldis__msg_rank(msg);
    bool normal = rank == ALDIS__RANK_NORMAL;
    if (!normal && !cell->ext)
        return NULL;
    uint64_t key = key_of(cell, msg);
    struct aldis__msg **link = normal ? &cell->head : &cell->ext->lanes[rank].head;
    struct aldis__msg *before = NULL, *found = *link;
    while (found && (found->type != msg->type || key_of(cell, found) != key)) {
        before = found;
        link = &found->next;
        found = found->next;
    }
    if (!found)
        return NULL;
    if (normal) {
        aldis__mailbox_unlink(cell, before, found);
        return found;
    }
    *link = found->next;
    if (!found->next)
        cell->ext->lanes[rank].tail = link;
    cell->depth--;
    cell->room += aldis__msg_units(found);
    return found;
}

/* Below half of the high water a mailbox is armed to tell of it; above it tells, once. */
static void note_high_water(struct aldis__worker *worker, struct aldis__cell *cell, uint32_t high)
{
    aldis_system *system = worker->ctx.system;
    if ((uint32_t)cell->depth >= high && !(cell->flags & ALDIS__CELL_HIGH)) {
        cell->flags |= ALDIS__CELL_HIGH;
        system->high_water_fn(system->high_water_arg, cell->id, (uint32_t)cell->depth);
    } else if ((uint32_t)cell->depth <= high / 2) {
        cell->flags &= ~(uint32_t)ALDIS__CELL_HIGH;
    }
}

static void set_capacity(struct aldis__limits *limits, int32_t capacity)
{
    limits->capacity = capacity;
    limits->low_water = (int32_t)((int64_t)limits->low_water_min * capacity / limits->capacity_min);
}

int32_t aldis__mailbox_capacity(const struct aldis__cell *cell)
{
    const struct aldis__limits *limits = aldis__cell_limits(cell);
    int32_t capacity = limits->capacity;
    uint64_t calm = cell->ext ? cell->handled - cell->ext->busy_handled : 0;
    while (capacity > limits->capacity_min && calm >= (uint64_t)capacity) {
        calm -= (uint64_t)capacity;
        capacity = capacity / 2 > limits->capacity_min ? capacity / 2 : limits->capacity_min;
    }
    return capacity;
}

/* Make good what was put off, and note whether a quarter is in use now. */
static void adapt(struct aldis__cell *cell)
{
    struct aldis__cell_ext *ext = cell->ext;
    if (!ext || ext->limits.capacity == ext->limits.capacity_min)
        return;
    int32_t capacity = aldis__mailbox_capacity(cell);
    if (capacity < ext->limits.capacity) {
        set_capacity(&ext->limits, capacity);
        ext->busy_handled = cell->handled;
    }
    if (cell->depth >= capacity / 4)
        ext->busy_handled = cell->handled;
}

bool aldis__mailbox_grow(struct aldis__cell *cell)
{
    const struct aldis__limits *limits = aldis__cell_limits(cell);
    if (limits->capacity >= limits->capacity_max || !aldis__cell_extend(cell))
        return false;
    struct aldis__limits *own = &cell->ext->limits;
    bool doubles = own->capacity <= own->capacity_max / 2;
    set_capacity(own, doubles ? 2 * own->capacity : own->capacity_max);
    cell->ext->busy_handled = cell->handled;
    return true;
}

void aldis__mailbox_set_mark(struct aldis__worker *worker, struct aldis__cell *cell)
{
    const struct aldis__limits *limits = aldis__cell_limits(cell);
    int32_t capacity = limits->capacity;
    int32_t mark = (int32_t)cell->peak;
    /* One that has grown is to notice when a quarter of it is used. */
    if (capacity > limits->capacity_min)
        capacity = capacity / 4;
    if (mark > capacity)
        mark = capacity;
    /* Relaxed: a setting; it may take effect a little later. */
    uint32_t high = aldis__load_relaxed(&worker->ctx.system->high_water);
    if (high) {
        note_high_water(worker, cell, high);
        /* From half of it on every push looks: passing half upwards arms the notice again. */
        if ((uint32_t)mark >= high / 2)
            mark = (int32_t)(high / 2) - 1;
    }
    /* What comes now must queue behind what is held, or behind what its sender had to keep; or it
     * gets a stamp; or there may be no memory for it. */
    if ((cell->flags & (ALDIS__CELL_HELD | ALDIS__CELL_FULL | ALDIS__CELL_STAMPS)) ||
        aldis__memory_is_short(worker))
        mark = 0;
    cell->mark = mark;
}

aldis_err aldis__mailbox_push_slow(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg)
{
    const struct aldis__limits *limits = aldis__cell_limits(cell);
    int32_t units = aldis__msg_units(msg);
    if (limits->policy == ALDIS_UNBOUNDED && cell->room < units)
        cell->room = INT32_MAX / 2; /* its room has no meaning: keep it from running out */
    adapt(cell);
    while (cell->depth >= limits->capacity && aldis__mailbox_grow(cell))
        limits = aldis__cell_limits(cell);
    uint64_t held = (uint64_t)((int64_t)limits->room - cell->room) * ALDIS__ROOM_UNIT;
    if (aldis__memory_is_over(worker, cell->depth > 0 ? held : 0,
                              (uint64_t)units * ALDIS__ROOM_UNIT)) {
        worker->memory_refusals++;
        return ALDIS_EFULL;
    }
    /* A message larger than the whole mailbox is taken by an empty one, or it could never pass. */
    if (cell->depth >= limits->capacity || (cell->room < units && cell->depth > 0))
        return ALDIS_EFULL;
    return aldis__mailbox_push_beyond(worker, cell, msg);
}

aldis_err aldis__mailbox_push_beyond(struct aldis__worker *worker, struct aldis__cell *cell,
                                     struct aldis__msg *msg)
{
    if (cell->flags & ALDIS__CELL_STAMPS)
        aldis__shed_stamp(worker, cell, msg);
    if (aldis__msg_rank(msg) == ALDIS__RANK_NORMAL) {
        aldis__mailbox_append(cell, msg, aldis__msg_units(msg));
    } else {
        aldis_err err = aldis__mailbox_push_lane(cell, msg);
        if (err != ALDIS_OK)
            return err;
    }
    if ((uint32_t)cell->depth > cell->peak)
        cell->peak = (uint32_t)cell->depth;
    aldis__mailbox_set_mark(worker, cell);
    return ALDIS_OK;
}
