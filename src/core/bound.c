// SPDX-License-Identifier: Apache-2.0
/* bound.c: see bound.h. Layer: core. */
#include "core/bound.h"

#include <stdlib.h>
#include <string.h>

#define COUNTED (UINT64_C(1) << 63) /* in track->b: it waits in the mailbox, and was counted */

static const struct aldis__tracker tracker;

struct aldis__track aldis__bound_track(uint64_t subscription, size_t topic)
{
    return (struct aldis__track){&tracker, ALDIS_FOREVER, subscription, topic};
}

static bool is_bounded(struct aldis__msg *msg)
{
    return (msg->flags & ALDIS__MSG_TRACKED) && aldis__msg_track(msg)->tracker == &tracker;
}

static const char *topic_of(struct aldis__msg *msg)
{
    return (const char *)aldis__msg_body(msg) + (uint32_t)aldis__msg_track(msg)->b;
}

const char *aldis__bound_topic(struct aldis__msg *msg)
{
    if (!(msg->flags & ALDIS__MSG_TRACKED))
        return aldis__msg_topic(msg);
    return aldis__msg_track(msg)->tracker->has_topic ? topic_of(msg) : "";
}

struct aldis__msg *aldis__bound_build(struct aldis__pool *pool,
                                      const struct aldis__bound_letter *letter)
{
    bool varies = aldis__type_info(letter->type)->size == ALDIS_SIZE_VARIES;
    size_t topic_size = strlen(letter->topic) + 1;
    size_t before = varies ? sizeof(struct aldis__msg_varying) : 0;
    struct aldis__msg *msg =
        aldis__pool_alloc(pool, sizeof(struct aldis__track) + before + letter->size + topic_size);
    if (!msg)
        return NULL;
    msg->to = letter->to;
    msg->from = letter->from;
    msg->type = (uint16_t)letter->type;
    msg->flags = (uint8_t)(ALDIS__MSG_TRACKED | ALDIS__MSG_FANOUT |
                           (varies ? (unsigned)ALDIS__MSG_VARIES : 0u));
    msg->lane_class = (uint8_t)(aldis__msg_class(msg) | ALDIS__RANK_NORMAL << 4);
    msg->pool_stamp = pool->index << 24;
    *aldis__msg_track(msg) = aldis__bound_track(letter->subscription, before + letter->size);
    char *inside = aldis__msg_body(msg);
    if (varies)
        *(struct aldis__msg_varying *)(void *)inside = (struct aldis__msg_varying){letter->size, 0};
    if (letter->size)
        memcpy(inside + before, letter->payload, letter->size);
    memcpy(inside + before + letter->size, letter->topic, topic_size);
    return msg;
}

/* ------------------------------------------------------------------ counts */

static struct aldis__bound_count *find(const struct aldis__cell *cell, uint32_t subscription)
{
    struct aldis__cell_ext *ext = cell->ext;
    for (uint32_t i = 0; ext && i < ext->bound_count; i++)
        if (ext->bounds[i].subscription == subscription)
            return &ext->bounds[i];
    return NULL;
}

/* NULL: out of memory. */
static struct aldis__bound_count *find_or_add(struct aldis__cell *cell, uint32_t subscription)
{
    struct aldis__bound_count *count = find(cell, subscription);
    struct aldis__cell_ext *ext = count ? NULL : aldis__cell_extend(cell);
    if (!ext)
        return count;
    if (ext->bound_count == ext->bound_capacity) {
        uint32_t capacity = ext->bound_capacity ? 2 * ext->bound_capacity : 4;
        struct aldis__bound_count *bounds = realloc(ext->bounds, capacity * sizeof *bounds);
        if (!bounds)
            return NULL;
        ext->bounds = bounds;
        ext->bound_capacity = capacity;
    }
    count = &ext->bounds[ext->bound_count++];
    *count = (struct aldis__bound_count){subscription, 0};
    return count;
}

/* It does not wait any more. */
static void uncount(struct aldis__cell *cell, struct aldis__track *track)
{
    if (!(track->b & COUNTED))
        return;
    track->b &= ~COUNTED;
    struct aldis__bound_count *count = find(cell, (uint32_t)(track->a >> 32));
    ALDIS_CHECK(count != NULL);
    if (--count->waiting == 0)
        *count = cell->ext->bounds[--cell->ext->bound_count];
}

static uint32_t most(uint64_t subscription)
{
    return (uint32_t)subscription & ALDIS__BOUND_MAX;
}

static enum aldis__bound_policy policy_of(uint64_t subscription)
{
    return (enum aldis__bound_policy)((uint32_t)subscription >> 24);
}

bool aldis__bound_is_full(const struct aldis__cell *cell, uint64_t subscription)
{
    const struct aldis__bound_count *count = find(cell, (uint32_t)(subscription >> 32));
    return count && count->waiting >= most(subscription) &&
           policy_of(subscription) == ALDIS__BOUND_DROP_NEWEST;
}

/* ------------------------------------------------------------------ arrival */

/* Drop the oldest that waits of a subscription; topic: only of that one; NULL: of any. Looks at the
 * mail before it. */
static void drop_oldest(struct aldis__worker *worker, struct aldis__cell *cell,
                        uint64_t subscription, const char *topic)
{
    struct aldis__msg *previous = NULL, *msg = cell->head;
    for (; msg; previous = msg, msg = msg->next)
        if (is_bounded(msg) && aldis__msg_track(msg)->a == subscription &&
            (aldis__msg_track(msg)->b & COUNTED) && (!topic || strcmp(topic_of(msg), topic) == 0))
            break;
    if (!msg)
        return;
    aldis__mailbox_unlink(cell, previous, msg);
    aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
}

/* Make room as the policy says. False: the new one has to go. */
static bool make_room(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__msg *msg, uint32_t waiting)
{
    uint64_t subscription = aldis__msg_track(msg)->a;
    const struct aldis__bound_count *count;
    switch (policy_of(subscription)) {
    case ALDIS__BOUND_DROP_NEWEST:
        return waiting < most(subscription);
    case ALDIS__BOUND_KEEP_NEWEST:
        drop_oldest(worker, cell, subscription, topic_of(msg));
        count = find(cell, (uint32_t)(subscription >> 32)); /* none of it waits now, perhaps */
        if (count && count->waiting >= most(subscription))
            drop_oldest(worker, cell, subscription, NULL);
        return true;
    case ALDIS__BOUND_DROP_OLDEST:
        if (waiting >= most(subscription))
            drop_oldest(worker, cell, subscription, NULL);
        return true;
    }
    return true;
}

static bool arrived(struct aldis__worker *worker, struct aldis__cell *cell, struct aldis__msg *msg)
{
    struct aldis__track *track = aldis__msg_track(msg);
    uint32_t subscription = (uint32_t)(track->a >> 32);
    if (track->a == 0) /* no bound */
        return true;
    const struct aldis__bound_count *before = find(cell, subscription);
    if (before && !make_room(worker, cell, msg, before->waiting)) {
        aldis__refuse(worker, msg, ALDIS__DROPPED, ALDIS_EDROPPED);
        return false;
    }
    struct aldis__bound_count *count = find_or_add(cell, subscription);
    if (!count) {
        aldis__refuse(worker, msg, ALDIS__REJECTED, ALDIS_ENOMEM);
        return false;
    }
    count->waiting++;
    track->b |= COUNTED;
    return true;
}

static enum aldis__admission admit(struct aldis__worker *worker, struct aldis__cell *cell,
                                   struct aldis__msg *msg, struct aldis__track *track)
{
    (void)worker;
    (void)msg;
    uncount(cell, track);
    return ALDIS__ADMIT_HANDLE;
}

/* What was counted ends where it waits, on the worker of its receiver. */
static void ended(struct aldis__worker *worker, struct aldis__msg *msg, struct aldis__track *track,
                  enum aldis__fate fate, aldis_err reason)
{
    (void)fate;
    (void)reason;
    if (!worker || !(track->b & COUNTED))
        return;
    aldis_system *system = worker->ctx.system;
    uncount(aldis__system_cell(system, aldis__id_index(msg->to, system->node_base)), track);
}

static const struct aldis__tracker tracker = {
    .name = "aldis.bound", .has_topic = true, .arrived = arrived, .admit = admit, .ended = ended};
