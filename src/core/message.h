// SPDX-License-Identifier: Apache-2.0
/* message.h: a message as it travels: header and payload in one block. Layer: core.
 *
 * The header is 32 bytes, so that one cache line holds it and a 32-byte payload. A system in
 * virtual time puts a 16-byte stamp in front of the header.
 *
 * Owner: exactly one place holds a message at any time: a handler that builds it, a mailbox, a
 * chain, an overflow, a timer, or a free list. `next` is the link of whatever list holds it. */
#ifndef ALDIS_CORE_MESSAGE_H
#define ALDIS_CORE_MESSAGE_H

#include <aldis/message.h>
#include <aldis/types.h>

/* How the payload is held. */
enum {
    ALDIS__MSG_VARIES = 1u << 0, /* an aldis__msg_varying stands before the payload */
    ALDIS__MSG_SHARED = 1u << 1, /* the payload is an aldis__shared: one for many receivers */
    ALDIS__MSG_BLOB = 1u << 2,   /* the payload is an aldis_blob */
    ALDIS__MSG_NOTICE = 1u << 3, /* the sender wants to be told of a refusal */
    ALDIS__MSG_FANOUT = 1u << 4, /* of a broadcast or a periodic timer: ALDIS_WAIT does not apply */
    ALDIS__MSG_TIMER = 1u << 5,  /* fired by a timer: dropped if the timer was cancelled */
    ALDIS__MSG_KEPT = 1u << 6,   /* its handler has kept it: to free it does nothing */
    ALDIS__MSG_TRACKED = 1u << 7, /* an aldis__track stands before the payload; never with SHARED */
    ALDIS__MSG_INDIRECT =
        ALDIS__MSG_VARIES | ALDIS__MSG_SHARED | ALDIS__MSG_BLOB | ALDIS__MSG_TRACKED
};

struct aldis__msg {
    struct aldis__msg *next;
    aldis_id to;
    aldis_id from;
    union {
        struct {
            uint16_t type;       /* dense index of the type in this process */
            uint8_t flags;       /* ALDIS__MSG_... */
            uint8_t lane_class;  /* lane rank << 4 | size class of the block */
            uint32_t pool_stamp; /* pool << 24 | coarse time of the send (live), see worker.h */
        };
        uint64_t tag; /* all four at once, for the hot path: see ALDIS__MSG_TAG */
    };
};
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the order of the fields in a tag");
#define ALDIS__MSG_TAG_FLAGS_SHIFT 16
#define ALDIS__MSG_TAG(type, flags, rank, class, pool_stamp)                                       \
    ((uint64_t)(type) | (uint64_t)(flags) << ALDIS__MSG_TAG_FLAGS_SHIFT |                          \
     (uint64_t)(class) << 24 | (uint64_t)(rank) << 28 | (uint64_t)(pool_stamp) << 32)
_Static_assert(sizeof(struct aldis__msg) == 32,
               "header and 32 bytes of payload share a cache line");

/* In virtual time, 16 bytes before the header. */
struct aldis__stamp {
    aldis_ns at_ns; /* when it arrives */
    uint64_t order; /* microstep << 48 | sender's sequence */
};
#define ALDIS__SEQUENCE_BITS 48

/* First of all inside a tracked message: see tracked.h. */
struct aldis__track {
    const struct aldis__tracker *tracker; /* never NULL */
    aldis_ns deadline_ns;                 /* from then on it is not handled; ALDIS_FOREVER: none */
    uint64_t a, b;                        /* the tracker's own */
};
_Static_assert(sizeof(struct aldis__track) == 32, "the payload stays aligned to 16");

/* Before a payload whose length is the message's own. */
struct aldis__msg_varying {
    uint64_t size;
    uint64_t reserved; /* keeps the payload aligned to 16 */
};

/* A payload held once for many receivers. It belongs to the pool of the worker that sent it; only
 * that worker counts, when the receivers' blocks have come home: so the count needs no atomics. */
struct aldis__shared {
    uint64_t refs;
    uint32_t size;
    uint32_t topic; /* bytes behind the payload: the topic it was published to, with NUL; 0: none */
};

/* Lane ranks: the order in which lanes are served. */
enum {
    ALDIS__RANK_CONTROL = 0,
    ALDIS__RANK_CRITICAL,
    ALDIS__RANK_HIGH,
    ALDIS__RANK_NORMAL,
    ALDIS__RANK_LOW,
    ALDIS__RANK_COUNT
};

static inline struct aldis__stamp *aldis__msg_stamp(struct aldis__msg *msg)
{
    return (struct aldis__stamp *)(void *)((char *)msg - sizeof(struct aldis__stamp));
}

static inline void *aldis__msg_inline(struct aldis__msg *msg)
{
    return msg + 1;
}

static inline struct aldis__track *aldis__msg_track(struct aldis__msg *msg)
{
    return (struct aldis__track *)(void *)(msg + 1);
}

/* What follows the header, and the track of a tracked message: the payload, or what leads to it. */
static inline void *aldis__msg_body(struct aldis__msg *msg)
{
    return (char *)(msg + 1) +
           ((msg->flags & ALDIS__MSG_TRACKED) ? sizeof(struct aldis__track) : 0);
}

static inline const void *aldis__msg_shared_payload(struct aldis__msg *msg)
{
    return *(struct aldis__shared *const *)aldis__msg_inline(msg) + 1;
}

static inline size_t aldis__msg_shared_size(struct aldis__msg *msg)
{
    return (*(struct aldis__shared *const *)aldis__msg_inline(msg))->size;
}

/* The topic that it was published to, or "". */
static inline const char *aldis__msg_topic(struct aldis__msg *msg)
{
    if (!(msg->flags & ALDIS__MSG_SHARED))
        return "";
    const struct aldis__shared *shared = *(struct aldis__shared *const *)aldis__msg_inline(msg);
    return shared->topic ? (const char *)(shared + 1) + shared->size : "";
}

static inline unsigned aldis__msg_rank(const struct aldis__msg *msg)
{
    return msg->lane_class >> 4;
}

#endif
