// SPDX-License-Identifier: Apache-2.0
/* cell.h: one actor. Layer: core.
 *
 * The first cache line is what a turn touches; the second holds what is needed once a turn or less;
 * what few actors need is in an extension, made on first use.
 *
 * Owner: the owner of the actor's home shard, and nobody else, from the moment that the directory
 * publishes the id until the slot has gone back to its birth shard. So everything here is plain
 * memory. The one exception is the line of birth, said at `parent`.
 *
 * Invariants:
 *   head == NULL  <=>  depth counts only messages of other lanes
 *   QUEUED        <=>  in the run queue of its home shard, or running
 *   depth <= limits->capacity: it counts all lanes but control, which has its own bound; answers
 *            whose place is reserved may stand beyond it (see tracked.h)
 *   mark <= limits->capacity: below it a push needs to look at nothing else */
#ifndef ALDIS_CORE_CELL_H
#define ALDIS_CORE_CELL_H

#include "core/message.h"
#include "core/type.h"

enum {
    ALDIS__CELL_QUEUED = 1u << 0,
    ALDIS__CELL_UNSTARTED = 1u << 1, /* on_start has not run yet */
    ALDIS__CELL_CONTROL = 1u << 2,   /* mail on the control lane */
    ALDIS__CELL_LANES = 1u << 3,     /* mail on another lane than normal */
    ALDIS__CELL_PAUSED = 1u << 4,
    ALDIS__CELL_PARKED = 1u << 5, /* waits for room in another's mailbox */
    ALDIS__CELL_DRAINING = 1u << 6,
    ALDIS__CELL_STOPPING = 1u << 7, /* waits for its children (and its overflow) to end */
    ALDIS__CELL_KILLED = 1u << 8,   /* on_stop will not run */
    ALDIS__CELL_ENDED = 1u << 9,
    ALDIS__CELL_FULL = 1u << 10,     /* the directory says so too */
    ALDIS__CELL_ROUTED = 1u << 11,   /* has names or subscriptions */
    ALDIS__CELL_HIGH = 1u << 12,     /* above the high-water mark: told once */
    ALDIS__CELL_HELD = 1u << 13,     /* mail waits outside the full mailbox */
    ALDIS__CELL_OVERFLOW = 1u << 14, /* has mail of its own that a full mailbox refused */
    ALDIS__CELL_WAKING = 1u << 15,   /* virtual time: busy; aldis.run is under way to wake it */
    ALDIS__CELL_CHAINED = 1u << 16,  /* waits until its worker could publish a chain */
    ALDIS__CELL_HOOKED = 1u << 17,   /* its on_stop has run, or will not */
    ALDIS__CELL_LINKED = 1u << 18,   /* virtual time: has links */
    ALDIS__CELL_FAILING = 1u << 19,  /* has failed; its next turn deals with it: see supervise.h */
    ALDIS__CELL_FAILED = 1u << 20,   /* this incarnation ends, to begin again */
    ALDIS__CELL_RETRY = 1u << 21,    /* a message that failed is to be handled again, first */
    ALDIS__CELL_DURABLE = 1u << 22,  /* a part of its state outlives a restart: see durable.h */
    ALDIS__CELL_CHOKED = 1u << 23,   /* a part of the library lets no mail in: see tracked.h */
    ALDIS__CELL_SHEDS = 1u << 24,    /* its mailbox sheds what has waited too long: see shed.h */
    ALDIS__CELL_STAMPS = 1u << 25,   /* live: and stamps what comes in */
    ALDIS__CELL_STOPS = 1u << 26,    /* live: has told itself to stop, before all that is on the
                                        control lane; counts as a command when it is obeyed */
    /* Something to handle before its mail. */
    ALDIS__CELL_TOLD = ALDIS__CELL_CONTROL | ALDIS__CELL_STOPS,
    /* A turn that is not simply "next message, please". */
    ALDIS__CELL_SPECIAL = ALDIS__CELL_UNSTARTED | ALDIS__CELL_TOLD | ALDIS__CELL_LANES |
                          ALDIS__CELL_PAUSED | ALDIS__CELL_PARKED | ALDIS__CELL_DRAINING |
                          ALDIS__CELL_STOPPING | ALDIS__CELL_KILLED | ALDIS__CELL_ENDED |
                          ALDIS__CELL_WAKING | ALDIS__CELL_OVERFLOW | ALDIS__CELL_FAILING |
                          ALDIS__CELL_FAILED | ALDIS__CELL_RETRY | ALDIS__CELL_DURABLE |
                          ALDIS__CELL_CHOKED | ALDIS__CELL_SHEDS,
    /* No ordinary mail is handled. */
    ALDIS__CELL_HELD_BACK = ALDIS__CELL_PAUSED | ALDIS__CELL_PARKED | ALDIS__CELL_STOPPING |
                            ALDIS__CELL_ENDED | ALDIS__CELL_WAKING | ALDIS__CELL_FAILING |
                            ALDIS__CELL_FAILED | ALDIS__CELL_CHOKED,
    /* It has something to do, whether mail waits or not. */
    ALDIS__CELL_URGENT = ALDIS__CELL_TOLD | ALDIS__CELL_FAILING
};

struct aldis__cell_ext;
struct aldis__life;
struct aldis__shed;
struct aldis__supervisor;
struct aldis__watches;
struct aldis__worker;

struct aldis__cell {
    /* what a turn touches */
    struct aldis__msg *head, *tail; /* the normal lane, oldest first; tail: while head */
    void *state; /* before the start: the start argument (struct aldis__start_arg) */
    const struct aldis__kind *kind;
    struct aldis__cell *run_next; /* link of the run queue, or of the free slots */
    aldis_id id;
    int32_t depth; /* messages waiting, control lane not counted */
    int32_t mark;  /* a push that finds this depth takes the slow path */
    int32_t room;  /* units of ALDIS__ROOM_UNIT bytes left in the mailbox */
    uint32_t flags;

    /* once a turn, once a send, or less */
    _Alignas(64) struct aldis__cell_ext *ext; /* NULL: none */
    aldis_id parent;   /* written by the spawner before the id is published */
    uint64_t handled;  /* messages handled */
    uint64_t sequence; /* of its sends; virtual time orders by it */
    aldis_ns started_ns;
    uint32_t peak;        /* most messages that ever waited; live: 0 may stand for 1 */
    uint32_t drew;        /* while it handled which message it last drew: its number + 1 */
    uint32_t draws;       /* random numbers drawn for that message: two from each Philox block */
    uint32_t child_index; /* its place in the parent's list of children */
    uint32_t spawned;     /* how many actors it has spawned */
    _Atomic(uint32_t) member; /* virtual time: where it stands in a place: see messaging/place.h */
};
_Static_assert(sizeof(struct aldis__cell) == 128, "one line for a turn, one for the rest");

/* What a spawner gave for on_start. */
struct aldis__start_arg {
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

/* A FIFO of messages. */
struct aldis__queue {
    struct aldis__msg *head, **tail;
};

/* Messages that wait in their sender for room in the mailbox of `to`. */
struct aldis__overflow_entry {
    aldis_id to;
    struct aldis__queue queue;
    uint32_t count;
    uint64_t bytes; /* of their blocks */
};

/* How many publications to one bounded subscription wait: see bound.h. */
struct aldis__bound_count {
    uint32_t subscription;
    uint32_t waiting; /* 1 or more */
};

struct aldis__cell_ext {
    struct aldis__limits limits;                  /* this actor's own */
    struct aldis__queue lanes[ALDIS__RANK_COUNT]; /* the normal rank is unused: it is cell->head */
    uint32_t control_depth;
    uint32_t turns_since_low; /* handled since the low lane had its share */
    uint32_t pauses;

    uint64_t busy_handled; /* when a quarter of an adaptive mailbox's capacity was last used */
    aldis_ns parked_ns;    /* since when it is parked */
    uint32_t wait_epoch;   /* counts what changes its waiting, or its being full: see cycle.h */
    bool stuck;            /* on its shard's list of actors that are parked and full */
    struct aldis__cell *stuck_next, *stuck_prev;

    struct aldis__queue held;  /* mail beyond the bound, its senders parked: FIFO */
    struct aldis__queue aside; /* tracked mail that waits for another's turn: see tracked.h */
    uint32_t held_count, aside_count;
    struct aldis__shed *shed; /* its mailbox sheds: see shed.h */
    aldis_id *waiters;        /* senders to tell of room, in order */
    uint32_t waiter_count, waiter_capacity;

    struct aldis__overflow_entry *overflow; /* as a sender: by target, in order of first refusal */
    uint32_t overflow_count, overflow_capacity;
    uint32_t overflow_msgs;
    uint64_t overflow_bytes;

    aldis_id *children; /* free places hold an id that is nobody, and make a list */
    uint32_t child_count, child_end, child_capacity, child_free;

    struct aldis__queue stash; /* kept aside by the actor itself, in order */
    uint32_t stash_count;
    int32_t stash_units;     /* of ALDIS__ROOM_UNIT bytes */
    uint64_t settled;        /* messages kept aside or rejected by their handler: not handled */
    aldis_ns unstashed_ns;   /* virtual time: the instant at which it last took some back, */
    uint32_t unstash_rounds; /* and how often it did at this instant */

    struct aldis__links *links; /* virtual time: to others, see link.h; NULL: none */
    void *saved;                /* the durable part of the state: see durable.h */
    struct aldis__part *parts;  /* of parts of the library above the core: see part.h */

    uint32_t timers; /* armed by this actor: the first one's place, see timer_table.h */
    uint32_t timer_count;

    struct aldis__causal_member *causal; /* its memberships: see messaging/causal.c */
    struct aldis__bound_count *bounds;
    uint32_t bound_count, bound_capacity;

    uint64_t choices; /* made for it: see aldis__multicast_one() */

    uint32_t *child_births; /* of each child, under ALDIS_REST_FOR_ONE: how many came before */
    uint32_t child_birth_count;

    struct aldis__life *life;             /* it has a restart mode: see supervise.h */
    struct aldis__supervisor *supervisor; /* children of it have failed */
    struct aldis__watches *watches;       /* monitors and links: see monitor.h */

    aldis_err end_err; /* why it failed */
    aldis_end_reason end_reason;
};

/** The extension, made on first use. NULL: out of memory. */
struct aldis__cell_ext *aldis__cell_extend(struct aldis__cell *cell);
/** Give it back if there is nothing in it. No pointer to it may be in use. */
void aldis__cell_shrink(struct aldis__cell *cell);
/** Give back the block, which must be there; what it points to is the caller's to free before. */
void aldis__cell_unextend(struct aldis__cell *cell);
/** Free the blocks that a worker has kept. Thread: any, when the worker has ended. */
void aldis__spare_exts_free(struct aldis__worker *worker);

static inline void aldis__queue_init(struct aldis__queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

static inline void aldis__queue_push(struct aldis__queue *queue, struct aldis__msg *msg)
{
    msg->next = NULL;
    *queue->tail = msg;
    queue->tail = &msg->next;
}

static inline struct aldis__msg *aldis__queue_pop(struct aldis__queue *queue)
{
    struct aldis__msg *msg = queue->head;
    if (msg) {
        queue->head = msg->next;
        if (!queue->head)
            queue->tail = &queue->head;
    }
    return msg;
}

static inline const struct aldis__limits *aldis__cell_limits(const struct aldis__cell *cell)
{
    return cell->ext ? &cell->ext->limits : &cell->kind->limits;
}

#endif
