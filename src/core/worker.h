// SPDX-License-Identifier: Apache-2.0
/* worker.h: one thread of a system, and all that it owns. Layer: core.
 *
 * A handler's context is the first member of its worker, so one cast leads from what a handler
 * holds to everything that the hot path needs. */
#ifndef ALDIS_CORE_WORKER_H
#define ALDIS_CORE_WORKER_H

#include "core/parking.h"
#include "core/pool.h"
#include "core/shard.h"
#include <aldis/stats.h>
#include <pthread.h>

struct aldis_ctx {
    struct aldis__cell *cell;   /* the actor that runs; NULL between turns */
    struct aldis__shard *shard; /* its home */
    struct aldis__msg *msg;     /* the message being handled; NULL in hooks */
    aldis_system *system;
    aldis_ns now_ns;
    bool special;      /* sends take the slow path: virtual time, or the actor is parked */
    uint64_t send_tag; /* of what this actor sends by the hot path, but for type and class */
    uint64_t drawn;    /* the second half of the last block of random numbers: of whom, and which */
    aldis_id drawn_actor;
    uint64_t drawn_message;
    uint32_t drawn_number;
    struct aldis__track *track; /* of that message, if it is tracked; else NULL */
    struct aldis__msg *built;   /* begun with aldis_build and neither posted nor discarded yet */
    uint32_t microstep;         /* virtual time */
    aldis_ns busy_ns;           /* virtual time: asked for by aldis_busy */
    uint64_t failed; /* the number of the handler that has called aldis_fail, and its actor */
    aldis_id failed_actor;
    char fail_text[128];
    /* The last message that its handler has not handled but kept aside or rejected: of which actor,
     * and which of its messages. */
    uint64_t settled_actor, settled_number;
    aldis_err settled_err; /* rejected: the reason; ALDIS_OK: kept aside */
};

/* Messages on their way to one shard of another worker: newest first, as the inbox wants them. */
struct aldis__out_chain {
    struct aldis__msg *newest, *oldest;
    uint32_t count;
    uint32_t next_dirty; /* link of the list of chains to publish: shard index + 1 */
    bool dirty;          /* on that list */
};

/* What one thread knows of the messages that have not ended: see memory.h. */
struct aldis__mail {
    _Atomic(int64_t) bytes;                     /* of types of one size */
    _Atomic(int64_t) varying;                   /* how many of the others */
    _Atomic(uint64_t) built_bytes, built_count; /* of those, all that were built */
};

/* A change that takes effect at the end of the window: see virtual.c. */
struct aldis__window_op {
    aldis_ns at_ns;
    uint32_t microstep;
    uint32_t kind;
    aldis_id actor;    /* who asked */
    uint64_t sequence; /* of its askings */
    aldis_id target;
    uint64_t value;
    void *pointer;
};

enum { ALDIS__KIND_CACHE = 16, ALDIS__CHAIN_MAX = 256 };

struct aldis__worker {
    struct aldis_ctx ctx;
    uint32_t index;
    uint32_t pool_stamp; /* pool << 24 | coarse now: what new messages carry */
    struct aldis__pool *pool;
    uint64_t send_tag; /* the part of ctx.send_tag that is the same for all actors */
    struct aldis__shard *ready_head,
        *ready_tail; /* shards with work; ready_tail: while ready_head */
    uint32_t ready_count;

    struct aldis__out_chain *out; /* by shard */
    uint32_t out_dirty;           /* first chain that is not empty: shard index + 1 */
    aldis_id *chain_waiters;      /* actors parked until a chain could be published */
    size_t chain_waiter_count, chain_waiter_capacity;
    struct aldis__msg *reserve; /* blocks for the runtime's own messages when memory is out */
    uint32_t reserve_count;
    aldis_ns next_due_ns;   /* live: no timer of its shards is due before */
    aldis_ns cycle_due_ns;  /* live: when to look for cycles of parked actors: see cycle.h */
    uint32_t cycle_round;   /* live: the last round of looks that it has answered */
    uint32_t cycle_looks;   /* live: so many rounds more */
    uint64_t stuck_events;  /* how often something has begun to wait that may close a cycle */
    aldis_ns idle_since_ns; /* live: when it last ran out of work */
    uint32_t idle_rounds, crowded_rounds;

    struct aldis__kind *kind_cache[ALDIS__KIND_CACHE];
    struct aldis__cell *spent; /* whose second block was for the control message just handled */
    struct aldis__spare_ext *spare_exts; /* second blocks of cells, to use again: see cell.c */
    uint32_t spare_ext_count;

    struct aldis__letter_box own_letters; /* live */
    struct aldis__letter_box *letters;    /* where dead letters go now; never NULL */
    bool has_letters;                     /* there are new ones */

    /* virtual time */
    bool direct;              /* this worker runs the window alone: it may put into any calendar */
    uint32_t run_shard;       /* whose window this worker runs */
    struct aldis__vout *vout; /* by shard: what a shared window has sent there */
    struct aldis__window_op *ops;
    size_t op_count, op_capacity;
    struct aldis__sort_entry *sort, *sort_spare;
    size_t sort_capacity;
    struct aldis__msg **self; /* to the running actor itself, within the window: a heap */
    size_t self_count, self_capacity;
    uint64_t run_receiver;      /* place of that actor */
    uint32_t run_sent, run_ops; /* by it, in this window */
    uint32_t send_quota;        /* so many may be sent without looking further; live: 0 */
    uint64_t window_events;
    aldis_err fatal; /* the run ends with this window: no memory, or a loop */
    aldis_id fatal_actor;
    uint32_t fatal_type;

    /* a system with memory_max: see memory.h */
    uint64_t memory_share;   /* so much may one mailbox or overflow hold; UINT64_MAX: no matter */
    uint64_t overflow_bytes; /* the same for an overflow, and no more than the option's */
    bool memory_full;        /* virtual time: nothing is sent */
    uint64_t memory_left;    /* virtual time: of the shard's part of what is free, */
    uint64_t memory_own;     /* ... of what is kept, */
    uint32_t shorts_left;    /* ... and so many messages of it by the short way, */
    uint32_t run_shorts;     /* of the actor that runs: its first ones */
    uint32_t window_quota;   /* send_quota, but for these */
    aldis_ns memory_due_ns;  /* live: when to look again */
    uint64_t built_bytes, built_count;    /* of varying sizes, when it last looked; */
    uint64_t varying_bytes, varying_left; /* ... and what is left of those */
    uint64_t memory_refusals;
    struct aldis__refusal notice; /* live: more like it may come, so it waits; count 0: none */
    aldis_id notice_to;
    struct aldis__mail mail;

    /* read or written by others */
    _Alignas(64) struct aldis__parking parking;
    struct aldis__gifts gifts;
    _Atomic(uint32_t) asked_by;      /* an idle worker's index + 1 that wants a shard; 0: none */
    _Atomic(uint64_t) running;       /* which run of a handler with a budget: see budget.c */
    _Atomic(uint64_t) running_actor; /* of which actor */
    _Atomic(uint64_t) overdue;       /* the run that took too long, and is to fail */
    uint64_t run_serial;             /* of such runs; the worker's own */
    _Atomic(uint32_t) load;          /* ready shards, for who looks for work: a hint */
    _Alignas(64) _Atomic(uint32_t) task_next; /* virtual: the next of its shards in the task */
    uint32_t task_end;

    /* counters: one writer, read when all workers are held */
    _Alignas(64) uint64_t parked, handovers;
    uint64_t shed[ALDIS__RANK_COUNT];                 /* messages, by rank */
    struct aldis_type_stats counts[ALDIS__TYPES_MAX]; /* name and queued unused */

    pthread_t thread;
    bool has_thread;
};

/** The worker that this thread is; &aldis__no_worker for all other threads. */
extern __thread struct aldis__worker *aldis__this_worker __attribute__((tls_model("initial-exec")));
extern struct aldis__worker aldis__no_worker;

/** Is ctx the context of the handler that runs on this thread? */
static inline bool aldis__ctx_is_mine(const aldis_ctx *ctx)
{
    return ctx == &aldis__this_worker->ctx && ctx->cell;
}

/** The error of a call, so named, whose context is not. */
ALDIS_COLD aldis_err aldis__ctx_foreign(const char *call);
/** ALDIS_OK, or that error. */
static inline aldis_err aldis__ctx_check(const aldis_ctx *ctx, const char *call)
{
    return aldis__ctx_is_mine(ctx) ? ALDIS_OK : aldis__ctx_foreign(call);
}

static inline struct aldis__worker *aldis__worker_of(aldis_ctx *ctx)
{
    return (struct aldis__worker *)(void *)ctx;
}

/* Coarse time of a send, for the age of the oldest message: units of 2^22 ns (4 ms), 24 bits. */
#define ALDIS__STAMP_SHIFT 22
#define ALDIS__STAMP_MASK 0xffffffu

static inline uint32_t aldis__stamp_now(uint32_t pool, aldis_ns now_ns)
{
    return pool << 24 | ((uint32_t)((uint64_t)now_ns >> ALDIS__STAMP_SHIFT) & ALDIS__STAMP_MASK);
}

/** Make `cell` the actor whose messages are sent from now on. */
static inline void aldis__worker_set_sender(struct aldis__worker *worker, struct aldis__cell *cell)
{
    worker->ctx.cell = cell;
    worker->ctx.send_tag = worker->send_tag | cell->kind->send_tag;
}

/** The flags of what the actor that runs sends: ALDIS__MSG_NOTICE, if it wants to know. */
static inline uint8_t aldis__ctx_send_flags(const aldis_ctx *ctx)
{
    return (uint8_t)(ctx->send_tag >> ALDIS__MSG_TAG_FLAGS_SHIFT);
}

/** From now on what it builds carries this stamp. */
static inline void aldis__worker_set_stamp(struct aldis__worker *worker, uint32_t pool_stamp)
{
    worker->pool_stamp = pool_stamp;
    worker->send_tag = ALDIS__MSG_TAG(0, 0, ALDIS__RANK_NORMAL, 0, pool_stamp);
}

/** Has the handler of the actor's message number `number` settled it without handling it? */
static inline bool aldis__ctx_has_settled(const aldis_ctx *ctx, uint64_t number)
{
    return ctx->settled_actor == ctx->cell->id.bits && ctx->settled_number == number;
}

/** Put a shard that has something to run on its owner's list. */
static inline void aldis__worker_ready(struct aldis__worker *worker, struct aldis__shard *shard)
{
    if (aldis__likely(shard->ready))
        return;
    shard->ready = true;
    shard->ready_next = NULL;
    if (worker->ready_head)
        worker->ready_tail->ready_next = shard;
    else
        worker->ready_head = shard;
    worker->ready_tail = shard;
    worker->ready_count++;
}

#endif
