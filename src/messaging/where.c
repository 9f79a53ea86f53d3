// SPDX-License-Identifier: Apache-2.0
/* where.c: where one actor is. Layer: messaging. See place.h.
 *
 * In virtual time the members of a part stand still inside a window, as the grid does, so any shard
 * may look. Live, a part is locked for it. */
#include "base/check.h"
#include "base/error.h"
#include "messaging/place.h"

/* Under the lock of the actor's part, or in virtual time. */
static bool look_up(const struct aldis__place_part *part, aldis_id actor, aldis_point *out_at)
{
    const struct aldis__spot *spot;
    if (part->place->system->virtual_time) {
        uint32_t index = aldis__member_find(part, aldis__member_cell(part, actor), actor);
        if (index >= part->count)
            return false; /* it is none, or joins in this window */
        spot = &part->place->grid->grid.spots[part->at[index]];
    } else {
        uint32_t index = aldis__member_find_mapped(part, actor);
        if (index == ALDIS__MEMBER_NONE)
            return false;
        spot = &part->newest[index];
    }
    ALDIS_CHECK(aldis_id_equal(spot->id, actor));
    *out_at = (aldis_point){spot->x, spot->y, spot->z};
    return true;
}

bool aldis__place_position(struct aldis__place *place, aldis_id actor, aldis_point *out_at)
{
    aldis_system *system = place->system;
    uint64_t word =
        aldis__directory_read(&system->directory[aldis__id_index(actor, system->node_base)]);
    if (!aldis__word_is_alive(word, actor))
        return false;
    struct aldis__place_part *part = &place->parts[aldis__word_home(word)];
    if (system->virtual_time)
        return look_up(part, actor, out_at);
    pthread_mutex_lock(&part->lock);
    bool found = look_up(part, actor, out_at);
    pthread_mutex_unlock(&part->lock);
    return found;
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
    if (found && aldis__place_position(place, actor, out_at))
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ENOTFOUND, actor, "", "place_where: actor %016llx is not in %s",
                            (unsigned long long)actor.bits, place->name);
}
