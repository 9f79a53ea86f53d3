// SPDX-License-Identifier: Apache-2.0
/* memory.c: see memory.h. Layer: core. */
#include "core/memory.h"

#include "base/error.h"
#include "core/mailbox.h"
#include "core/tracked.h"
#include "core/vsend.h"
#include <stdlib.h>

enum {
    RESERVE_PART = 16, /* of the budget: for the runtime's own messages */
    SLABS_MIN = 64,    /* no slab is larger than this part of the budget */
    SMALLEST_SLAB = 64 * 1024,
    EXTRA_BYTES = 32,   /* of a message: its track, or its entry in the calendar */
    OUTSIDE_SENDS = 64, /* between two looks at what came from outside */

    /* virtual time */
    SHORT_BYTES = 128, /* the largest block of a message that goes the short way */
    SHORT_PART = 8,    /* of a shard's part, what is for those */
    PART_MIN = 1 << 20 /* where parts were smaller, one worker runs the window */
};
#define LOOK_NS ALDIS_MS

/* Memory is short from three eighths of what there is for messages, until it is a quarter. A share
 * bounds nobody before half of it is used. */
static uint64_t short_from(uint64_t room, bool is_short)
{
    return is_short ? room / 4 : room / 8 * 3;
}

/* ... and full when they take so much. */
static uint64_t full_from(uint64_t room)
{
    return room / 8 * 7;
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

/* The one that runs the caller's handler, or the first one between windows. */
static struct aldis__worker *worker_here(aldis_system *system)
{
    struct aldis__worker *worker = aldis__this_worker;
    return system->virtual_engine->in_window ? worker : &system->workers[0];
}

aldis_err aldis__memory_take_actor(aldis_system *system, const struct aldis__kind *kind)
{
    struct aldis__memory *memory = system->memory;
    uint64_t bytes = actor_bytes(kind);
    if (!memory)
        return ALDIS_OK;
    bool has_room = system->virtual_time
                        ? aldis__memory_spend(worker_here(system), bytes, true)
                        /* Relaxed: a bound that may be old. */
                        : aldis__load_relaxed(&memory->seen) + bytes <= memory->limit;
    if (!has_room || !aldis__memory_take(memory, bytes, system->virtual_time))
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
    if (system->virtual_time)
        aldis__memory_unspend(worker_here(system), bytes);
    (void)aldis__fetch_add_relaxed(&system->memory->actors, -bytes); /* relaxed: a sum */
    aldis__memory_give(system->memory, bytes);
}

/* ------------------------------------------------------------------ what messages take */

static uint64_t block_bytes(const struct aldis__pool *pool, uint32_t size)
{
    return aldis__pool_block_bytes(aldis__pool_class_to_count(pool, size + EXTRA_BYTES));
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

/* Those of types whose size varies: what there was and what was built since, less the mean of both
 * for each that has ended. */
static uint64_t varying_bytes(struct aldis__worker *worker, const struct sum *sum)
{
    __extension__ typedef unsigned __int128 wide; /* on all 64-bit machines */
    uint64_t left = sum->varying > 0 ? (uint64_t)sum->varying : 0;
    uint64_t known = worker->varying_left + sum->built_count - worker->built_count;
    uint64_t bytes = worker->varying_bytes + sum->built_bytes - worker->built_bytes;
    if (left < known)
        bytes = (uint64_t)((wide)bytes * left / known);
    worker->built_count = sum->built_count;
    worker->built_bytes = sum->built_bytes;
    worker->varying_left = left;
    worker->varying_bytes = bytes;
    return bytes;
}

/* All messages that have not ended, as far as this worker knows. */
static uint64_t mail_bytes(struct aldis__worker *worker)
{
    aldis_system *system = worker->ctx.system;
    struct sum sum = {0, 0, 0, 0};
    for (uint32_t w = 0; w < system->worker_count; w++)
        add(&sum, &system->workers[w].mail);
    add(&sum, &system->memory->outside);
    int64_t bytes = sum.bytes + (int64_t)varying_bytes(worker, &sum);
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
    *out_full = mail >= full_from(room);
    if (system->virtual_time) {
        uint64_t below = mail < full_from(room) ? mail : full_from(room);
        memory->free = full_from(room) - below;
        memory->kept = room > mail ? room - mail - memory->free : 0;
    }
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

/* A large payload that many share lives until the blocks that lead to it have come home, and those
 * come in batches. Nothing runs. Returns what is taken then. */
static uint64_t bring_home(aldis_system *system)
{
    for (uint32_t i = 0; i <= system->worker_count; i++)
        aldis__pool_flush(system->pools[i]);
    for (uint32_t i = 0; i <= system->worker_count; i++)
        aldis__pool_reclaim(system->pools[i]);
    return aldis__load_relaxed(&system->memory->taken); /* Relaxed: nothing runs. */
}

aldis_err aldis__memory_window_ended(aldis_system *system)
{
    struct aldis__memory *memory = system->memory;
    struct aldis__worker *first = &system->workers[0];
    bool was_short = aldis__memory_is_short(first), full;
    for (uint32_t w = 0; w < system->worker_count; w++)
        publish(system->workers[w].pool, system->workers[w].counts, &system->workers[w].mail);
    publish(system->pools[system->worker_count], system->outside_counts, &memory->outside);
    uint64_t share = share_of(system, mail_bytes(first), was_short, &full);
    for (uint32_t w = 0; w < system->worker_count; w++)
        set_share(&system->workers[w], share, full);
    if (!was_short && share != UINT64_MAX)
        lower_marks(system);
    uint64_t taken = aldis__load_relaxed(&memory->taken); /* Relaxed: nothing runs. */
    if (taken > memory->max)
        taken = bring_home(system);
    if (taken <= memory->ceiling)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "",
                            "run: blocks of all sizes in use hold %llu bytes, more than twice the "
                            "budget of %llu (option memory_max)",
                            (unsigned long long)taken, (unsigned long long)memory->max);
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

/* ------------------------------------------------------------------ within a window */

bool aldis__memory_window_begins(aldis_system *system, uint32_t active)
{
    struct aldis__memory *memory = system->memory;
    uint64_t part = memory->free / (active ? active : 1);
    bool alone = part < PART_MIN;
    memory->spare = alone ? memory->free / 2 : 0;
    part = alone ? part / 2 : part;
    memory->own_part = memory->kept / (active ? active : 1);
    uint64_t shorts = part / SHORT_PART / SHORT_BYTES;
    memory->shorts = shorts < UINT32_MAX ? (uint32_t)shorts : UINT32_MAX;
    memory->part = part - (uint64_t)memory->shorts * SHORT_BYTES;
    for (uint32_t w = 0; w < system->worker_count; w++)
        system->workers[w].window_quota = system->workers[w].send_quota;
    return alone;
}

void aldis__memory_shard_begins(struct aldis__worker *worker)
{
    const struct aldis__memory *memory = worker->ctx.system->memory;
    worker->memory_left = memory->part;
    worker->memory_own = memory->own_part;
    worker->shorts_left = memory->shorts;
    worker->run_sent = 0;
}

/* Its own first messages go the short way, as many as those before it have left. */
void aldis__memory_receiver_begins(struct aldis__worker *worker)
{
    uint32_t sent = worker->run_sent < worker->shorts_left ? worker->run_sent : worker->shorts_left;
    worker->shorts_left -= sent;
    worker->run_shorts = worker->shorts_left;
    worker->send_quota =
        worker->run_shorts < worker->window_quota ? worker->run_shorts : worker->window_quota;
}

static bool take_from(uint64_t *left, uint64_t bytes)
{
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

bool aldis__memory_spend(struct aldis__worker *worker, uint64_t bytes, bool kept)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__memory *memory = system->memory;
    if (!system->virtual_engine->in_window)
        return take_from(&memory->free, bytes) || (kept && take_from(&memory->kept, bytes));
    /* Of the spare part nothing is left when others run, too. */
    return take_from(&worker->memory_left, bytes) || take_from(&memory->spare, bytes) ||
           (kept && take_from(&worker->memory_own, bytes));
}

void aldis__memory_unspend(struct aldis__worker *worker, uint64_t bytes)
{
    aldis_system *system = worker->ctx.system;
    if (system->virtual_engine->in_window)
        worker->memory_left += bytes;
    else
        system->memory->free += bytes;
}

/* One that shares its payload with others takes only what leads to it. */
uint64_t aldis__memory_of(const struct aldis__msg *msg)
{
    unsigned class = aldis__msg_class(msg);
    if (msg->flags & ALDIS__MSG_SHARED)
        class = ALDIS__POOL_CLASS_POINTER;
    return aldis__pool_block_bytes(class);
}

/* Once its quota is used up all that an actor sends comes here; before, only some does, and which
 * depends on the worker's pool: so nothing that can go the short way is counted before. */
bool aldis__memory_admits(struct aldis__worker *worker, struct aldis__msg *msg, bool is_kept_back)
{
    uint64_t bytes = aldis__memory_of(msg);
    bool is_reserved = aldis__msg_is_reserved(msg);
    bool is_short = !is_kept_back && bytes <= SHORT_BYTES &&
                    worker->run_sent < worker->run_shorts &&
                    worker->ctx.system->virtual_engine->in_window;
    if (is_short || aldis__memory_spend(worker, bytes, is_reserved) || is_reserved)
        return true;
    worker->memory_refusals++;
    return false;
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
    memory->free = full_from(memory->limit);
    memory->kept = memory->limit - memory->free;
    uint32_t slab_bytes = SMALLEST_SLAB;
    while (slab_bytes < system->pools[0]->slab_max &&
           UINT64_C(2) * slab_bytes * SLABS_MIN <= memory->max)
        slab_bytes *= 2;
    /* One slab of each size is always begun, by each worker. */
    memory->ceiling =
        2 * memory->max + (system->worker_count + UINT64_C(1)) * ALDIS__POOL_CLASSES * slab_bytes;
    for (uint32_t i = 0; i <= system->worker_count; i++) {
        system->pools[i]->memory = memory;
        system->pools[i]->spends_reserve = system->virtual_time;
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
