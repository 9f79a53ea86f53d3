// SPDX-License-Identifier: Apache-2.0
/* memory.c: see memory.h. Layer: core. */
#include "core/memory.h"

#include "base/error.h"
#include "core/mailbox.h"
#include <stdlib.h>

enum {
    RESERVE_PART = 16, /* of the budget: for the runtime's own messages */
    SLABS_MIN = 64,    /* no slab is larger than this part of the budget */
    SMALLEST_SLAB = 64 * 1024,
    EXTRA_BYTES = 32,   /* of a message: its track, or its entry in the calendar */
    OUTSIDE_SENDS = 64, /* between two looks at what came from outside */
    MEAN_WEIGHT = 8     /* of the mean size so far, against what was built since */
};
#define LOOK_NS ALDIS_MS

/* Memory is short from three eighths of what there is for messages, until it is a quarter. A share
 * bounds nobody before half of it is used. */
static uint64_t short_from(uint64_t room, bool is_short)
{
    return is_short ? room / 4 : room / 8 * 3;
}

/* ------------------------------------------------------------------ the hard bound */

bool aldis__memory_take(struct aldis__memory *memory, uint64_t bytes, bool reserve)
{
    /* Relaxed, here and below: sums by which nothing else is ordered. */
    uint64_t taken = aldis__fetch_add_relaxed(&memory->taken, bytes) + bytes;
    if (taken > memory->limit && !reserve) {
        aldis__memory_give(memory, bytes);
        return false;
    }
    uint64_t peak = aldis__load_relaxed(&memory->peak);
    while (taken > peak && !aldis__cas_weak_relaxed(&memory->peak, &peak, taken))
        ;
    return true;
}

void aldis__memory_give(struct aldis__memory *memory, uint64_t bytes)
{
    (void)aldis__fetch_add_relaxed(&memory->taken, -bytes); /* relaxed: as above */
}

static uint64_t actor_bytes(const struct aldis__kind *kind)
{
    return sizeof(struct aldis__cell) + sizeof(aldis__word) + kind->state_bytes;
}

aldis_err aldis__memory_take_actor(aldis_system *system, const struct aldis__kind *kind)
{
    struct aldis__memory *memory = system->memory;
    uint64_t bytes = actor_bytes(kind);
    if (!memory)
        return ALDIS_OK;
    /* What was seen is the same on any number of workers; what is taken is the last resort.
     * Relaxed: written between windows, and live a bound that may be old. */
    if (aldis__load_relaxed(&memory->seen) + bytes > memory->limit ||
        !aldis__memory_take(memory, bytes, false))
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "",
                                "spawn: %s: the budget of %llu bytes is used up (option "
                                "memory_max)",
                                kind->behaviour->name, (unsigned long long)memory->max);
    (void)aldis__fetch_add_relaxed(&memory->actors, bytes); /* relaxed: a sum */
    return ALDIS_OK;
}

void aldis__memory_give_actor(aldis_system *system, const struct aldis__kind *kind)
{
    if (!system->memory)
        return;
    uint64_t bytes = actor_bytes(kind);
    (void)aldis__fetch_add_relaxed(&system->memory->actors, -bytes); /* relaxed: a sum */
    aldis__memory_give(system->memory, bytes);
}

/* ------------------------------------------------------------------ what messages take */

static uint64_t block_bytes(const struct aldis__pool *pool, uint32_t size)
{
    unsigned class = aldis__pool_class_to_count(pool, size + EXTRA_BYTES);
    return class < ALDIS__POOL_CLASSES ? aldis__pool_class_bytes[class]
                                       : (uint64_t)aldis__class_units[class] * ALDIS__ROOM_UNIT;
}

/* A message that one worker has sent and another handled counts below zero there: only the sum over
 * all has a meaning. */
static void publish(const struct aldis__pool *pool, const struct aldis_type_stats *counts,
                    struct aldis__mail *mail)
{
    int64_t bytes = 0, varying = 0;
    uint32_t count = aldis__type_count();
    for (uint32_t t = 1; t < count; t++) {
        const struct aldis_type_stats *c = &counts[t];
        int64_t left =
            (int64_t)(c->sent - c->handled - c->rejected - c->dropped - c->expired - c->dead);
        uint32_t size = aldis__type_info(t)->size;
        if (left == 0)
            continue;
        if (size == ALDIS_SIZE_VARIES)
            varying += left;
        else
            bytes += left * (int64_t)block_bytes(pool, size);
    }
    /* Relaxed: an estimate; in virtual time nothing runs. */
    aldis__store_relaxed(&mail->bytes, bytes);
    aldis__store_relaxed(&mail->varying, varying);
    aldis__store_relaxed(&mail->built_bytes, pool->varying_bytes);
    aldis__store_relaxed(&mail->built_count, pool->varying_count);
}

struct sum {
    int64_t bytes, varying;
    uint64_t built_bytes, built_count;
};

static void add(struct sum *sum, struct aldis__mail *mail)
{
    /* Relaxed: see publish(). */
    sum->bytes += aldis__load_relaxed(&mail->bytes);
    sum->varying += aldis__load_relaxed(&mail->varying);
    sum->built_bytes += aldis__load_relaxed(&mail->built_bytes);
    sum->built_count += aldis__load_relaxed(&mail->built_count);
}

/* All messages that have not ended, as far as this worker knows. */
static uint64_t mail_bytes(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct sum sum = {0, 0, 0, 0};
    for (uint32_t w = 0; w < system->worker_count; w++)
        add(&sum, &system->workers[w].mail);
    add(&sum, &system->memory->outside);
    /* Of types whose size varies, the mean of those that were built lately. */
    uint64_t built = sum.built_count - worker->built_count;
    if (built) {
        uint64_t mean = (sum.built_bytes - worker->built_bytes) / built;
        worker->mean_bytes = worker->mean_bytes
                                 ? (worker->mean_bytes * (MEAN_WEIGHT - 1) + mean) / MEAN_WEIGHT
                                 : mean;
        worker->built_count = sum.built_count;
        worker->built_bytes = sum.built_bytes;
    }
    int64_t bytes = sum.bytes + sum.varying * (int64_t)worker->mean_bytes;
    return bytes > 0 ? (uint64_t)bytes : 0; /* live the counts of two workers are of two moments */
}

/* ------------------------------------------------------------------ the fair bound */

static void set_share(struct aldis__worker *worker, uint64_t share, bool full)
{
    const struct aldis_system_opts *opts = &worker->ctx.system->opts;
    worker->memory_share = share;
    worker->memory_full = full;
    worker->overflow_bytes = share < opts->overflow_bytes ? share : opts->overflow_bytes;
}

/* What may be held by one, when all messages take `mail` bytes. */
static uint64_t share_of(aldis_system *system, uint64_t mail, bool was_short, bool *out_full)
{
    struct aldis__memory *memory = system->memory;
    /* Relaxed: sums; in virtual time nothing runs. */
    uint64_t actors = aldis__load_relaxed(&memory->actors);
    aldis__store_relaxed(&memory->seen, mail + actors);
    uint64_t room = memory->limit > actors ? memory->limit - actors : 0;
    *out_full = mail >= room / 8 * 7;
    if (mail <= short_from(room, was_short))
        return UINT64_MAX;
    return room > mail ? room - mail : 0;
}

/* From now on every push looks. */
static void lower_marks(aldis_system *system)
{
    for (uint32_t birth = 0; birth <= system->shard_count; birth++)
        for (uint32_t slot = 0; slot < system->shards[birth].slot_end; slot++)
            aldis__system_cell(system, (uint64_t)birth << ALDIS__SLOT_BITS | slot)->mark = 0;
}

void aldis__memory_window_ended(aldis_system *system)
{
    struct aldis__worker *first = &system->workers[0];
    bool was_short = aldis__memory_is_short(first), full;
    for (uint32_t w = 0; w < system->worker_count; w++)
        publish(system->workers[w].pool, system->workers[w].counts, &system->workers[w].mail);
    publish(system->pools[system->worker_count], system->outside_counts, &system->memory->outside);
    uint64_t share = share_of(system, mail_bytes(first), was_short, &full);
    for (uint32_t w = 0; w < system->worker_count; w++)
        set_share(&system->workers[w], share, full);
    if (!was_short && share != UINT64_MAX)
        lower_marks(system);
}

void aldis__memory_look(struct aldis__worker *worker)
{
    bool full;
    publish(worker->pool, worker->counts, &worker->mail);
    uint64_t share =
        share_of(worker->ctx.system, mail_bytes(worker), aldis__memory_is_short(worker), &full);
    set_share(worker, share, full);
    worker->memory_due_ns = worker->ctx.now_ns + LOOK_NS;
}

void aldis__memory_grew(const struct aldis__pool *pool)
{
    struct aldis__worker *worker = aldis__this_worker;
    if (worker->pool == pool && !worker->ctx.system->virtual_time)
        aldis__memory_look(worker);
}

void aldis__memory_sent_outside(aldis_system *system)
{
    struct aldis__memory *memory = system->memory;
    if (memory->outside_sends++ % OUTSIDE_SENDS == 0)
        publish(system->pools[system->worker_count], system->outside_counts, &memory->outside);
}

/* ------------------------------------------------------------------ life */

bool aldis__memory_create(aldis_system *system)
{
    for (uint32_t w = 0; w < system->worker_count; w++) {
        system->workers[w].ctx.system = system;
        system->workers[w].memory_due_ns = ALDIS_FOREVER;
        set_share(&system->workers[w], UINT64_MAX, false);
    }
    if (!system->opts.memory_max)
        return true;
    struct aldis__memory *memory = calloc(1, sizeof *memory);
    if (!memory)
        return false;
    memory->max = system->opts.memory_max;
    memory->limit = memory->max - memory->max / RESERVE_PART;
    uint32_t slab_bytes = SMALLEST_SLAB;
    while (slab_bytes < system->pools[0]->slab_max &&
           UINT64_C(2) * slab_bytes * SLABS_MIN <= memory->max)
        slab_bytes *= 2;
    for (uint32_t i = 0; i <= system->worker_count; i++) {
        system->pools[i]->memory = memory;
        system->pools[i]->slab_max = slab_bytes;
    }
    for (uint32_t w = 0; !system->virtual_time && w < system->worker_count; w++)
        system->workers[w].memory_due_ns = 0;
    system->memory = memory;
    return true;
}

void aldis__memory_destroy(aldis_system *system)
{
    free(system->memory);
    system->memory = NULL;
}
