// SPDX-License-Identifier: Apache-2.0
/* type.h: the message types of this process, and the kinds of a system. Layer: core.
 *
 * A type gets a dense index when it is first used; handlers are found by that index in a table of
 * their kind, without strings or hashes. The registry is for the process and only grows. */
#ifndef ALDIS_CORE_TYPE_H
#define ALDIS_CORE_TYPE_H

#include "base/atomic.h"
#include <aldis/actor.h>

enum { ALDIS__TYPES_MAX = 1024, ALDIS__KINDS_MAX = 4096 };

/* The runtime's own messages have the first indices, in this order. */
enum {
    ALDIS__TYPE_NONE = 0,
    ALDIS__TYPE_COMMAND,     /* struct aldis__command */
    ALDIS__TYPE_GET_STATUS,  /* no payload; answered to the sender */
    ALDIS__TYPE_CHILD_ENDED, /* struct aldis__child_notice */
    ALDIS__TYPE_UNDELIVERED, /* struct aldis__refusal */
    ALDIS__TYPE_RUN,         /* start, or go on after having been busy */
    ALDIS__TYPE_WAIT,        /* the sender is parked: tell it when there is room */
    ALDIS__TYPE_ROOM,        /* there is room again */
    ALDIS__TYPE_SLOT,        /* the slot of an ended actor comes back to its birth shard */
    ALDIS__TYPE_ADOPT,       /* the sender is a new child */
    ALDIS__TYPE_ROUTED,      /* the receiver has names or subscriptions: see multicast.h */
    ALDIS__TYPE_TRACK,       /* of a tracker, on the control lane: see tracked.h */
    ALDIS__TYPE_FAILED,      /* struct aldis__failure: to the parent; see supervise.h */
    ALDIS__TYPE_RESTART,     /* struct aldis__order: to the child */
    ALDIS__TYPE_WATCH,       /* a ref: the sender monitors the receiver; see monitor.h */
    ALDIS__TYPE_UNWATCH,     /* a ref: no more */
    ALDIS__TYPE_LINK,        /* the sender's life is linked with the receiver */
    ALDIS__TYPE_UNLINK,      /* no more */
    ALDIS__TYPE_LINK_DOWN,   /* aldis_down: a linked actor has ended */
    ALDIS__TYPE_BREAK,       /* struct aldis__break: a cycle is to be broken here; see cycle.h */
    ALDIS__TYPE_STATUS,      /* aldis_status; a message like any other */
    ALDIS__TYPE_DOWN,        /* aldis_down; on the control lane if it is a notice */
    ALDIS__TYPE_DELIVERED,   /* aldis_delivered; users handle it, but only a tracker sends it */
    ALDIS__TYPE_DEAD_NOTICE, /* aldis_dead_notice; as aldis_down */
    ALDIS__TYPE_ACCEPTED,    /* aldis_accepted: the same */
    ALDIS__TYPE_RETRY,       /* no payload; to itself, of a sender whose time-outs are over */
    ALDIS__TYPE_RUNTIME_COUNT
};

/* Of types that a part above declares. */
enum { ALDIS__DELIVERED_BYTES = 40, ALDIS__ACCEPTED_BYTES = 40 };

struct aldis__command {
    uint32_t command; /* aldis_command, or ALDIS__CMD_BEGIN */
    uint32_t by_self; /* the actor gave it to itself */
    aldis_ns deadline_ns;
};

/* What a parent is told. */
struct aldis__child_notice {
    aldis_child_ended ended;
    uint32_t place; /* in the parent's list of children, as far as the child knows */
};

/* As a place: it is on the list no more. */
#define ALDIS__CHILD_UNLISTED (UINT32_MAX - 1)

struct aldis__refusal {
    aldis_id to;
    uint32_t type;
    uint32_t count;
    aldis_err reason;
};

/* Which wait is to be given up, if it is still the one that was seen. */
struct aldis__break {
    aldis_id next; /* for which the receiver is parked */
    uint32_t epoch;
    uint32_t policy; /* aldis_cycle_policy */
};

/* What the registry knows of a type. */
struct aldis__type_info {
    const char *name; /* a copy, never freed */
    uint32_t number;
    uint32_t size;
};

/** Give type its index. ALDIS_EEXISTS: another type has its number; ALDIS_EINVAL: another size, a
 *  bad name; ALDIS_EFULL: ALDIS__TYPES_MAX types. Any thread. */
aldis_err aldis__type_resolve(aldis_type *type);
/** How many types there are; their indices are 1 .. count - 1. */
uint32_t aldis__type_count(void);
/** The tag of a type with this index and size. */
uint32_t aldis__type_tag(uint32_t index, uint32_t size);
extern struct aldis__type_info aldis__type_infos[ALDIS__TYPES_MAX];

static inline const struct aldis__type_info *aldis__type_info(uint32_t index)
{
    return &aldis__type_infos[index];
}

/* What a type's `tag` holds: its index | size class << 24, as in the tags of its messages. The
 * class is that of the plain messages of a live system, and only of those that are small enough for
 * the first function of send.c; else one that no pool has a block of. */
#define ALDIS__TYPE_INDEX_MASK 0xffffu
#define ALDIS__TYPE_CLASS_SHIFT 24
enum { ALDIS__CLASS_NEVER_FREE = 15 };

/** The type's tag, or 0 before its first use. */
static inline uint32_t aldis__type_tag_if_known(const aldis_type *type)
{
    /* T1 acquire: pairs with T2 in aldis__type_resolve(): the registry's entry is complete. */
    return aldis__plain_load_acquire(&type->tag);
}

/** The type's index, or 0 before its first use. */
static inline uint32_t aldis__type_index_if_known(const aldis_type *type)
{
    return aldis__type_tag_if_known(type) & ALDIS__TYPE_INDEX_MASK;
}

/** The type's index, resolved at its first use; 0: it could not be (see aldis_error_last). */
static inline uint32_t aldis__type_index(aldis_type *type)
{
    uint32_t index = aldis__type_index_if_known(type);
    if (__builtin_expect(index != 0, 1))
        return index;
    return aldis__type_resolve(type) == ALDIS_OK ? type->tag & ALDIS__TYPE_INDEX_MASK : 0;
}

/* The bounds of a mailbox, with all defaults filled in. */
struct aldis__limits {
    int32_t capacity;  /* messages; of an adaptive mailbox, now */
    int32_t low_water; /* parked senders go on below it */
    int32_t room;      /* payload, in units of ALDIS__ROOM_UNIT bytes */
    aldis_overflow_policy policy;
    int32_t stash;                      /* messages kept aside */
    int32_t capacity_min, capacity_max; /* equal: the capacity is fixed */
    int32_t low_water_min;              /* at capacity_min */
};
#define ALDIS__ROOM_UNIT 16

typedef aldis_err (*aldis__handle)(void *state, const void *payload, aldis_ctx *ctx);

/* When a mailbox sheds; target 0: never. See shed.h. */
struct aldis__shed_opts {
    aldis_ns target_ns, interval_ns;
};

/* A behaviour as one system runs it. */
struct aldis__kind {
    const aldis_behaviour *behaviour;
    struct aldis__limits limits;
    struct aldis__shed_opts shed;
    uint32_t index;
    uint32_t state_bytes;             /* 0, 8, or rounded up to 16 */
    aldis_restart_opts restart;       /* defaults filled in, as in the next */
    aldis_supervisor_opts supervisor; /* of its children */
    aldis_budget_opts budget;         /* of its handlers; handler_ns 0: none */
    aldis__handle *watched;           /* the real handlers, by type index; NULL: no budget */
    bool wants_undelivered, wants_child_ended, has_digest;
    uint64_t send_tag; /* of what its actors send: ALDIS__MSG_NOTICE, if they want to know */
    aldis__handle delivered, accepted;      /* apart, so that nobody can send them; or NULL */
    aldis__handle handle[ALDIS__TYPES_MAX]; /* by type index; NULL: not accepted */
};

/** Check a behaviour and make its kind; `defaults` are the system's. ALDIS_EINVAL, ALDIS_EEXISTS,
 *  ALDIS_ENOMEM. */
aldis_err aldis__kind_create(const aldis_behaviour *behaviour, const struct aldis__limits *defaults,
                             const struct aldis__shed_opts *shed, uint32_t index,
                             struct aldis__kind **out_kind);
void aldis__kind_destroy(struct aldis__kind *kind);

/** Fill in a mailbox's bounds. ALDIS_EINVAL with the field and its range. */
aldis_err aldis__limits_resolve(const aldis_mailbox_opts *opts,
                                const struct aldis__limits *defaults,
                                struct aldis__limits *out_limits);

#endif
