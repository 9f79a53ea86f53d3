// SPDX-License-Identifier: Apache-2.0
/* members.c: who is in a part of a place, and where to find them. Layer: messaging. See place.h.
 *
 * Virtual time: written at the end of a window, when nothing runs; read from all shards inside it.
 * Live: under the part's lock. */
#include "messaging/place.h"

#include <stdlib.h>

enum { MEMBERS_FIRST = 16, MAP_FIRST = 32 };

static aldis_id id_at(const struct aldis__place_part *part, uint32_t index)
{
    if (part->newest)
        return part->newest[index].id;
    return part->place->grid->grid.spots[part->at[index] & ~ALDIS__MEMBER_GONE].id;
}

static inline uint32_t *map_slot(const struct aldis__place_part *part, aldis_id actor)
{
    uint32_t i = aldis__place_home(part->map_mask, actor);
    while (part->map[i] && !aldis_id_equal(id_at(part, part->map[i] - 1), actor))
        i = (i + 1) & part->map_mask;
    return &part->map[i];
}

uint32_t aldis__member_find_mapped(const struct aldis__place_part *part, aldis_id actor)
{
    uint32_t found = part->mapped ? *map_slot(part, actor) : 0;
    return found ? found - 1 : ALDIS__MEMBER_NONE;
}

static bool reserve_map(struct aldis__place_part *part, uint32_t more)
{
    uint32_t old_size = part->map ? part->map_mask + 1 : 0, size = old_size ? old_size : MAP_FIRST;
    while (2 * ((uint64_t)part->mapped + more) > size)
        size *= 2;
    if (size == old_size)
        return true;
    uint32_t *old = part->map, *map = calloc(size, sizeof *map);
    if (!map)
        return false;
    part->map = map;
    part->map_mask = size - 1;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            *map_slot(part, id_at(part, old[i] - 1)) = old[i];
    free(old);
    return true;
}

bool aldis__members_reserve(struct aldis__place_part *part, uint32_t more, uint32_t mapped)
{
    if (mapped && !reserve_map(part, mapped))
        return false;
    uint32_t needed = part->count + more;
    if (needed <= part->capacity)
        return true;
    uint32_t capacity = needed + needed / 4 + MEMBERS_FIRST;
    uint32_t *at = realloc(part->at, capacity * sizeof *at);
    if (!at)
        return false;
    part->at = at;
    if (!part->place->system->virtual_time) {
        struct aldis__spot *newest = realloc(part->newest, capacity * sizeof *newest);
        if (!newest)
            return false;
        part->newest = newest;
    }
    part->capacity = capacity;
    return true;
}

void aldis__member_map(struct aldis__place_part *part, uint32_t index)
{
    *map_slot(part, id_at(part, index)) = index + 1;
    part->mapped++;
}

/* Deletion from an open table moves up what could not be found beyond the gap (Knuth, TAOCP 3,
 * 6.4, algorithm R). */
static void map_delete(struct aldis__place_part *part, uint32_t *slot)
{
    uint32_t gap = (uint32_t)(slot - part->map);
    for (uint32_t i = (gap + 1) & part->map_mask; part->map[i]; i = (i + 1) & part->map_mask) {
        uint32_t home = aldis__place_home(part->map_mask, id_at(part, part->map[i] - 1));
        if (((i - home) & part->map_mask) >= ((i - gap) & part->map_mask)) {
            part->map[gap] = part->map[i];
            gap = i;
        }
    }
    part->map[gap] = 0;
    part->mapped--;
}

/* The member at `index` is to be found at `now_at`, or (ALDIS__MEMBER_NONE) no more. Who has ended
 * may have given its cell to another actor by now. */
static void note_move(struct aldis__place_part *part, aldis_id actor, uint32_t index,
                      uint32_t now_at)
{
    if (part->place->system->virtual_time) {
        struct aldis__cell *cell = aldis__member_cell(part, actor);
        uint32_t note = aldis__member_note(part, index);
        /* Relaxed: nothing runs. */
        if (note && aldis_id_equal(cell->id, actor) && aldis__load_relaxed(&cell->member) == note) {
            /* Relaxed: as above. */
            aldis__store_relaxed(&cell->member, aldis__member_note(part, now_at));
            return;
        }
    }
    uint32_t *slot = part->mapped ? map_slot(part, actor) : NULL;
    if (!slot || *slot != index + 1)
        return; /* it was never admitted */
    if (now_at == ALDIS__MEMBER_NONE)
        map_delete(part, slot);
    else
        *slot = now_at + 1;
}

void aldis__member_remove(struct aldis__place_part *part, uint32_t index, aldis_id actor)
{
    uint32_t last = part->count - 1;
    note_move(part, actor, index, ALDIS__MEMBER_NONE);
    if (index != last) {
        note_move(part, id_at(part, last), last, index);
        part->at[index] = part->at[last];
        if (part->newest)
            part->newest[index] = part->newest[last];
    }
    part->count--;
}
