// SPDX-License-Identifier: Apache-2.0
/* where.c: where one actor is, for places that were opened with lookup. Layer: messaging. See
 * place.h.
 *
 * In virtual time a shard's own table of members changes while others look: its owner sets
 * positions and lets actors join. So each part has a second table of the spots as of the window's
 * start, which is written only between windows. */
#include "base/error.h"
#include "messaging/place.h"
#include <stdlib.h>

enum { SEEN_FIRST = 32 };

/* Its spot, or the free one where it would be. */
static struct aldis__spot *slot_of(struct aldis__spot *seen, uint32_t mask, aldis_id actor)
{
    uint32_t i = aldis__place_home(mask, actor);
    while (!aldis_id_is_nobody(seen[i].id) && !aldis_id_equal(seen[i].id, actor))
        i = (i + 1) & mask;
    return &seen[i];
}

bool aldis__seen_reserve(struct aldis__place_part *part)
{
    uint32_t size = part->seen ? part->seen_mask + 1 : 0, needed = size ? size : SEEN_FIRST;
    while (2 * ((uint64_t)part->seen_count + part->joined) > needed)
        needed *= 2;
    if (needed == size)
        return true;
    struct aldis__spot *seen = calloc(needed, sizeof *seen);
    if (!seen)
        return false;
    for (uint32_t i = 0; i < size; i++)
        if (!aldis_id_is_nobody(part->seen[i].id))
            *slot_of(seen, needed - 1, part->seen[i].id) = part->seen[i];
    free(part->seen);
    part->seen = seen;
    part->seen_mask = needed - 1;
    return true;
}

void aldis__seen_put(struct aldis__place_part *part, const struct aldis__spot *spot)
{
    struct aldis__spot *slot = slot_of(part->seen, part->seen_mask, spot->id);
    part->seen_count += aldis_id_is_nobody(slot->id);
    *slot = *spot;
}

/* Knuth, TAOCP 3, 6.4, algorithm R. */
void aldis__seen_drop(struct aldis__place_part *part, aldis_id actor)
{
    struct aldis__spot *seen = part->seen;
    uint32_t mask = part->seen_mask, gap = (uint32_t)(slot_of(seen, mask, actor) - seen);
    if (aldis_id_is_nobody(seen[gap].id))
        return; /* it has joined and gone in one window */
    for (uint32_t i = (gap + 1) & mask; !aldis_id_is_nobody(seen[i].id); i = (i + 1) & mask) {
        uint32_t home = aldis__place_home(mask, seen[i].id);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            seen[gap] = seen[i];
            gap = i;
        }
    }
    seen[gap].id = aldis_nobody();
    part->seen_count--;
}

/* In virtual time, as of the window's start. */
static bool look_up(const struct aldis__place *place, aldis_id actor, aldis_point *out_at)
{
    aldis_system *system = place->system;
    uint64_t index = aldis__id_index(actor, system->node_base);
    uint64_t word = aldis__directory_read(&system->directory[index]);
    if (!aldis__word_is_alive(word, actor))
        return false;
    const struct aldis__place_part *part = &place->parts[aldis__word_home(word)];
    if (!part->seen)
        return false;
    const struct aldis__spot *spot = slot_of(part->seen, part->seen_mask, actor);
    if (aldis_id_is_nobody(spot->id))
        return false;
    *out_at = (aldis_point){spot->x, spot->y, spot->z};
    return true;
}

aldis_err aldis_place_where(aldis_ctx *ctx, aldis_place handle, aldis_id actor, aldis_point *out_at)
{
    struct aldis__place *place = aldis__place_enter(ctx, "place_where", handle);
    if (!place)
        return aldis_error_last()->err;
    if (!out_at)
        return aldis__error_set(ALDIS_EINVAL, actor, "", "place_where: out_at is NULL");
    if (!place->opts.lookup)
        return aldis__error_set(ALDIS_ESTATE, actor, "",
                                "place_where: place %s was opened without lookup", place->name);
    aldis_system *system = place->system;
    bool found = !aldis_id_is_nobody(actor) &&
                 aldis__id_index(actor, system->node_base) < system->index_limit;
    if (found && system->virtual_time)
        found = look_up(place, actor, out_at);
    else if (found)
        found = aldis__place_position(place, actor, out_at);
    if (found)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ENOTFOUND, actor, "", "place_where: actor %016llx is not in %s",
                            (unsigned long long)actor.bits, place->name);
}
