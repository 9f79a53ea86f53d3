// SPDX-License-Identifier: Apache-2.0
/* type.c: the registry of message types, and kinds made from behaviours. Layer: core. */
#include "core/type.h"

#include "base/check.h"
#include "base/error.h"
#include "base/hash.h"
#include "core/send.h"
#include "core/shed.h"
#include "core/supervise.h"
#include <aldis/dead_letter.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 63,
    STATE_BYTES_MAX = 1 << 20,
    HASH_SLOTS = 2 * ALDIS__TYPES_MAX,
    STASH_MSGS_MAX = 1 << 20
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
struct aldis__type_info aldis__type_infos[ALDIS__TYPES_MAX];
static uint16_t by_number[HASH_SLOTS]; /* open addressing; 0: free */
static _Atomic(uint32_t) info_count;

/* In the order of the enum in type.h. */
static aldis_type runtime_types[] = {
    {"aldis.command", 0, sizeof(struct aldis__command), NULL, 0},
    {"aldis.get_status", 0, 0, NULL, 0},
    {"aldis.child_ended", 0, sizeof(struct aldis__child_notice), NULL, 0},
    {"aldis.undelivered", 0, sizeof(struct aldis__refusal), NULL, 0},
    {"aldis.run", 0, 0, NULL, 0},
    {"aldis.wait", 0, 0, NULL, 0},
    {"aldis.room", 0, 0, NULL, 0},
    {"aldis.slot", 0, 0, NULL, 0},
    {"aldis.adopt", 0, 0, NULL, 0},
    {"aldis.routed", 0, 0, NULL, 0},
    {"aldis.track", 0, ALDIS_SIZE_VARIES, NULL, 0},
    {"aldis.failed", 0, sizeof(struct aldis__failure), NULL, 0},
    {"aldis.restart", 0, sizeof(struct aldis__order), NULL, 0},
    {"aldis.watch", 0, sizeof(uint64_t), NULL, 0},
    {"aldis.unwatch", 0, sizeof(uint64_t), NULL, 0},
    {"aldis.link", 0, 0, NULL, 0},
    {"aldis.unlink", 0, 0, NULL, 0},
    {"aldis.link_down", 0, sizeof(aldis_down), NULL, 0},
    {"aldis.break", 0, sizeof(struct aldis__break), NULL, 0},
};

uint32_t aldis__type_count(void)
{
    /* T3 acquire: pairs with T4 in add(): entries below the count are complete. */
    return aldis__load_acquire(&info_count);
}

/* Under the lock. Gives 0 and sets the error where it cannot. */
static uint32_t add(const aldis_type *type, uint32_t number, uint32_t hash_slot)
{
    /* Relaxed: written under this lock only. */
    uint32_t index = aldis__load_relaxed(&info_count);
    if (index >= ALDIS__TYPES_MAX) {
        aldis__error_set(ALDIS_EFULL, aldis_nobody(), type->name,
                         "message type %s: a process may have %d types", type->name,
                         ALDIS__TYPES_MAX - 1);
        return 0;
    }
    char *name = strdup(type->name);
    if (!name) {
        aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), type->name, "message type %s", type->name);
        return 0;
    }
    aldis__type_infos[index] = (struct aldis__type_info){name, number, type->size};
    by_number[hash_slot] = (uint16_t)index;
    /* T4 release: pairs with T3 in aldis__type_count(). */
    aldis__store_release(&info_count, index + 1);
    return index;
}

static uint32_t find_or_add(const aldis_type *type)
{
    uint32_t number = type->number ? type->number : aldis__name_number(type->name);
    uint32_t slot = number % HASH_SLOTS;
    for (; by_number[slot]; slot = (slot + 1) % HASH_SLOTS) {
        const struct aldis__type_info *info = &aldis__type_infos[by_number[slot]];
        if (info->number != number)
            continue;
        if (strcmp(info->name, type->name) != 0) {
            aldis__error_set(ALDIS_EEXISTS, aldis_nobody(), type->name,
                             "message types %s and %s have the same number %u: give one of them "
                             "another with ALDIS_MESSAGE_CODEC",
                             info->name, type->name, number);
            return 0;
        }
        if (info->size != type->size) {
            aldis__error_set(ALDIS_EINVAL, aldis_nobody(), type->name,
                             "message type %s has %u bytes here and %u elsewhere", type->name,
                             type->size, info->size);
            return 0;
        }
        return by_number[slot];
    }
    return add(type, number, slot);
}

/* Under the lock, once. The runtime's own types come first. */
static bool add_runtime_types(void)
{
    /* Relaxed: written under this lock only. */
    if (aldis__load_relaxed(&info_count) >= ALDIS__TYPE_RUNTIME_COUNT)
        return true;
    if (aldis__load_relaxed(&info_count) == 0)
        aldis__store_relaxed(&info_count, 1); /* index 0 is no type */
    for (uint32_t i = 0; i < sizeof runtime_types / sizeof runtime_types[0]; i++)
        if (find_or_add(&runtime_types[i]) != i + 1)
            return false;
    static const aldis_type retry = {"aldis.retry", 0, 0, NULL, 0};
    static const aldis_type accepted = {"aldis_accepted", 0, ALDIS__ACCEPTED_BYTES, NULL, 0};
    static const aldis_type delivered = {"aldis_delivered", 0, ALDIS__DELIVERED_BYTES, NULL, 0};
    return find_or_add(&aldis_status_type) == ALDIS__TYPE_STATUS &&
           find_or_add(&aldis_down_type) == ALDIS__TYPE_DOWN &&
           find_or_add(&delivered) == ALDIS__TYPE_DELIVERED &&
           find_or_add(&aldis_dead_notice_type) == ALDIS__TYPE_DEAD_NOTICE &&
           find_or_add(&accepted) == ALDIS__TYPE_ACCEPTED &&
           find_or_add(&retry) == ALDIS__TYPE_RETRY;
}

uint32_t aldis__type_tag(uint32_t index, uint32_t size)
{
    unsigned class = ALDIS__CLASS_NEVER_FREE;
    if (size <= ALDIS__COPY_INLINE_MAX)
        class = ALDIS__POOL_CLASS_POINTER + (sizeof(struct aldis__msg) + size >
                                             aldis__pool_class_bytes[ALDIS__POOL_CLASS_POINTER]);
    return index | class << ALDIS__TYPE_CLASS_SHIFT;
}

ALDIS_COLD aldis_err aldis__type_resolve(aldis_type *type)
{
    size_t length = type->name ? strnlen(type->name, NAME_BYTES_MAX + 1) : 0;
    if (length == 0 || length > NAME_BYTES_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "a message type's name has %zu bytes; allowed: 1 to %d", length,
                                NAME_BYTES_MAX);
    if (type->size > ALDIS_PAYLOAD_MAX && type->size != ALDIS_SIZE_VARIES)
        return aldis__error_set(ALDIS_ETOOLARGE, aldis_nobody(), type->name,
                                "message type %s has %u bytes; allowed: up to %u, or a blob",
                                type->name, type->size, ALDIS_PAYLOAD_MAX);
    pthread_mutex_lock(&registry_lock);
    uint32_t index = add_runtime_types() ? find_or_add(type) : 0;
    pthread_mutex_unlock(&registry_lock);
    if (!index)
        return aldis_error_last()->err;
    /* T2 release: pairs with T1 in aldis__type_index(). */
    aldis__plain_store_release(&type->tag, aldis__type_tag(index, type->size));
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ kinds */

static aldis_err refuse_limit(const char *field, uint64_t found, uint64_t low, uint64_t high)
{
    return aldis__error_set(
        ALDIS_EINVAL, aldis_nobody(), "", "mailbox.%s is %llu; allowed: %llu to %llu", field,
        (unsigned long long)found, (unsigned long long)low, (unsigned long long)high);
}

aldis_err aldis__limits_resolve(const aldis_mailbox_opts *opts,
                                const struct aldis__limits *defaults,
                                struct aldis__limits *out_limits)
{
    struct aldis__limits limits = *defaults;
    if (opts->capacity_msgs > (1u << 30))
        return refuse_limit("capacity_msgs", opts->capacity_msgs, 1, 1u << 30);
    if (opts->capacity_bytes > INT32_MAX)
        return refuse_limit("capacity_bytes", opts->capacity_bytes, 1, INT32_MAX);
    if ((unsigned)opts->policy > ALDIS_KEEP_NEWEST)
        return refuse_limit("policy", (unsigned)opts->policy, 0, ALDIS_KEEP_NEWEST);
    if (opts->capacity_msgs) {
        limits.capacity = (int32_t)opts->capacity_msgs;
        limits.low_water = limits.capacity / 2;
    }
    if (opts->capacity_bytes)
        limits.room = (int32_t)((opts->capacity_bytes + ALDIS__ROOM_UNIT - 1) / ALDIS__ROOM_UNIT);
    if (opts->low_water_msgs) {
        if (opts->low_water_msgs > (uint32_t)limits.capacity)
            return refuse_limit("low_water_msgs", opts->low_water_msgs, 1,
                                (uint64_t)limits.capacity);
        limits.low_water = (int32_t)opts->low_water_msgs;
    }
    if (opts->capacity_max_msgs > (1u << 30) ||
        (opts->capacity_max_msgs && opts->capacity_max_msgs <= (uint32_t)limits.capacity))
        return refuse_limit("capacity_max_msgs", opts->capacity_max_msgs,
                            (uint64_t)limits.capacity + 1, 1u << 30);
    if (opts->capacity_max_msgs)
        limits.capacity_max = (int32_t)opts->capacity_max_msgs;
    else if (opts->capacity_msgs)
        limits.capacity_max = limits.capacity;
    if (opts->policy)
        limits.policy = opts->policy;
    if (opts->stash_msgs > STASH_MSGS_MAX)
        return refuse_limit("stash_msgs", opts->stash_msgs, 1, STASH_MSGS_MAX);
    if (opts->stash_msgs)
        limits.stash = (int32_t)opts->stash_msgs;
    if (limits.low_water == 0)
        limits.low_water = 1;
    if (limits.policy == ALDIS_UNBOUNDED) {
        limits.capacity = limits.capacity_max = INT32_MAX;
        limits.room = INT32_MAX;
    }
    limits.capacity_min = limits.capacity;
    limits.low_water_min = limits.low_water;
    *out_limits = limits;
    return ALDIS_OK;
}

static aldis_err fill_table(struct aldis__kind *kind)
{
    const aldis_behaviour *b = kind->behaviour;
    for (size_t i = 0; i < b->handler_count; i++) {
        const aldis_handler_entry *entry = &b->handlers[i];
        if (!entry->type || !entry->handle)
            return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                    "behaviour %s: handler %zu has no %s", b->name, i,
                                    entry->type ? "function" : "type");
        uint32_t index = aldis__type_index(entry->type);
        if (!index)
            return aldis_error_last()->err;
        if (index < ALDIS__TYPE_STATUS)
            return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), entry->type->name,
                                    "behaviour %s: %s is the runtime's own", b->name,
                                    entry->type->name);
        aldis__handle *place = &kind->handle[index];
        if (index == ALDIS__TYPE_DELIVERED || index == ALDIS__TYPE_ACCEPTED)
            place = index == ALDIS__TYPE_DELIVERED ? &kind->delivered : &kind->accepted;
        if (*place)
            return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), entry->type->name,
                                    "behaviour %s handles %s twice", b->name, entry->type->name);
        *place = entry->handle;
    }
    return ALDIS_OK;
}

/* As a shard gives it: up to 8 bytes are 8 (see shard.h), more are a multiple of 16. */
static uint32_t state_bytes(size_t size)
{
    return size > 0 && size <= 8 ? 8 : (uint32_t)(size + 15) & ~15u;
}

aldis_err aldis__kind_create(const aldis_behaviour *behaviour, const struct aldis__limits *defaults,
                             const struct aldis__shed_opts *shed, uint32_t index,
                             struct aldis__kind **out_kind)
{
    if (!behaviour->name || !behaviour->handlers || behaviour->handler_count == 0)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "a behaviour needs a name and at least one handler");
    if (behaviour->state_size > STATE_BYTES_MAX)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "behaviour %s: state_size is %zu; allowed: 0 to %d",
                                behaviour->name, behaviour->state_size, STATE_BYTES_MAX);
    const aldis_durable *durable = &behaviour->durable;
    if (durable->offset > behaviour->state_size ||
        durable->size > behaviour->state_size - durable->offset)
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "behaviour %s: durable: %zu bytes at %zu; allowed: inside the "
                                "state's %zu bytes",
                                behaviour->name, durable->size, durable->offset,
                                behaviour->state_size);
    struct aldis__kind *kind = calloc(1, sizeof *kind);
    if (!kind)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "behaviour %s", behaviour->name);
    kind->behaviour = behaviour;
    kind->index = index;
    kind->state_bytes = state_bytes(behaviour->state_size);
    kind->wants_undelivered = behaviour->on_undelivered != NULL;
    kind->send_tag = ALDIS__MSG_TAG(0, kind->wants_undelivered ? ALDIS__MSG_NOTICE : 0, 0, 0, 0);
    kind->wants_child_ended = behaviour->on_child_ended != NULL;
    kind->has_digest = behaviour->digest != NULL;
    aldis_err err = aldis__limits_resolve(&behaviour->mailbox, defaults, &kind->limits);
    if (err == ALDIS_OK)
        err = aldis__shed_resolve(&behaviour->mailbox, shed, &kind->shed);
    if (err == ALDIS_OK)
        err = aldis__restart_resolve(&behaviour->restart, NULL, &kind->restart);
    if (err == ALDIS_OK)
        err = aldis__supervisor_resolve(&behaviour->supervisor, &kind->supervisor);
    if (err == ALDIS_OK)
        err = fill_table(kind);
    if (err != ALDIS_OK) {
        free(kind);
        return err;
    }
    *out_kind = kind;
    return ALDIS_OK;
}

void aldis__kind_destroy(struct aldis__kind *kind)
{
    if (kind)
        free(kind->watched);
    free(kind);
}
