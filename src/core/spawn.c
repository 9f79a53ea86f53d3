// SPDX-License-Identifier: Apache-2.0
/* spawn.c: kinds, slots, and the beginning of an actor. Layer: core.
 *
 * The spawner makes the cell and publishes its id; from then on the cell belongs to the owner of
 * its home shard. A message may reach it before its start command does (by way of a third actor):
 * any first turn starts it, so both are fine. */
#include "base/error.h"
#include "base/hash.h"
#include "core/budget.h"
#include "core/deliver.h"
#include "core/fault.h"
#include "core/lifecycle.h"
#include "core/memory.h"
#include "core/shed.h"
#include "core/supervise.h"
#include "core/virtual.h"
#include "core/window.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ------------------------------------------------------------------ kinds */

static aldis_err find_or_make_kind(aldis_system *system, const aldis_behaviour *behaviour,
                                   struct aldis__kind **out_kind)
{
    for (uint32_t i = 0; i < system->kind_count; i++) {
        struct aldis__kind *kind = aldis__system_kind(system, i);
        if (kind->behaviour == behaviour) {
            *out_kind = kind;
            return ALDIS_OK;
        }
    }
    if (system->kind_count == ALDIS__KINDS_MAX)
        return aldis__error_set(ALDIS_EFULL, aldis_nobody(), "",
                                "behaviour %s: a system may have %d", behaviour->name,
                                ALDIS__KINDS_MAX);
    struct aldis__kind *kind;
    aldis_err err =
        aldis__kind_create(behaviour, &system->limits, &system->shed, system->kind_count, &kind);
    if (err != ALDIS_OK)
        return err;
    err = aldis__budget_apply(system, kind);
    if (err != ALDIS_OK) {
        aldis__kind_destroy(kind);
        return err;
    }
    *out_kind = kind;
    aldis__fault_wrap(system, *out_kind);
    /* K2 release: pairs with K1 in aldis__system_kind(). */
    aldis__store_release(&system->kinds[system->kind_count], *out_kind);
    system->kind_count++;
    return ALDIS_OK;
}

aldis_err aldis__system_kind_of(aldis_system *system, const aldis_behaviour *behaviour,
                                struct aldis__kind **out_kind)
{
    pthread_mutex_lock(&system->table_lock);
    aldis_err err = find_or_make_kind(system, behaviour, out_kind);
    pthread_mutex_unlock(&system->table_lock);
    return err;
}

static aldis_err cached_kind(struct aldis__worker *worker, const aldis_behaviour *behaviour,
                             struct aldis__kind **out_kind)
{
    uint64_t hash = aldis__mix64((uint64_t)(uintptr_t)behaviour);
    struct aldis__kind **cached = &worker->kind_cache[hash % ALDIS__KIND_CACHE];
    if (!*cached || (*cached)->behaviour != behaviour) {
        struct aldis__kind *kind;
        aldis_err err = aldis__system_kind_of(worker->ctx.system, behaviour, &kind);
        if (err != ALDIS_OK)
            return err;
        *cached = kind;
    }
    *out_kind = *cached;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ slots */

enum { HUGE_FROM_SLOT = 16384, HUGE_PAGE_BYTES = 2 * 1024 * 1024 };

/* A shard with many actors: from here on its cells come in large pages, which cost fewer misses of
 * the address cache. Not from the start, or each shard would take 2 MiB for its first actor. */
static void use_huge_pages(aldis_system *system, const struct aldis__shard *birth)
{
    uint64_t first = (uint64_t)birth->index << ALDIS__SLOT_BITS | HUGE_FROM_SLOT;
    uintptr_t begin = (uintptr_t)aldis__system_cell(system, first);
    uintptr_t end = begin + (system->opts.actors_max - HUGE_FROM_SLOT) * sizeof(struct aldis__cell);
    begin = (begin + HUGE_PAGE_BYTES - 1) & ~(uintptr_t)(HUGE_PAGE_BYTES - 1);
    if (begin + HUGE_PAGE_BYTES <= end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a hint: no harm if refused */
}

aldis_err aldis__slot_alloc(aldis_system *system, struct aldis__shard *birth, uint32_t *out_slot,
                            uint32_t *out_generation)
{
    struct aldis__cell *cell = birth->free_slots;
    if (cell) {
        birth->free_slots = cell->run_next;
        *out_slot = (uint32_t)(aldis__id_index(cell->id, system->node_base) & ALDIS__SLOT_MASK);
        *out_generation = aldis__id_generation(cell->id) + 1;
        return ALDIS_OK;
    }
    if (birth->slot_end >= system->opts.actors_max)
        return aldis__error_set(ALDIS_EFULL, aldis_nobody(), "",
                                "shard %u: all %u slots are in use (option actors_max)",
                                birth->index, system->opts.actors_max);
    *out_slot = birth->slot_end++;
    *out_generation = 1;
    if (*out_slot == HUGE_FROM_SLOT)
        use_huge_pages(system, birth);
    return ALDIS_OK;
}

static void put_slot(struct aldis__shard *birth, struct aldis__cell *cell)
{
    if (aldis__id_generation(cell->id) == ALDIS__GEN_MASK) {
        birth->slots_retired++; /* its ids are used up: none is ever given twice */
        return;
    }
    cell->run_next = birth->free_slots;
    birth->free_slots = cell;
}

void aldis__slot_free(struct aldis__worker *worker, aldis_id actor)
{
    aldis_system *system = worker->ctx.system;
    uint64_t index = aldis__id_index(actor, system->node_base);
    uint32_t birth = (uint32_t)(index >> ALDIS__SLOT_BITS);
    struct aldis__cell *cell = aldis__system_cell(system, index);
    if (birth == system->shard_count) { /* spawned from outside */
        pthread_mutex_lock(&system->table_lock);
        put_slot(&system->shards[birth], cell);
        pthread_mutex_unlock(&system->table_lock);
    } else {
        put_slot(&system->shards[birth], cell);
    }
}

/* ------------------------------------------------------------------ the new cell */

struct birth {
    aldis_system *system;
    struct aldis__shard *birth; /* whose slot it gets */
    struct aldis__kind *kind;
    const aldis_spawn_opts *opts;
    aldis_id parent;
    uint32_t nth; /* how many the spawner has spawned before */
    uint32_t home;
    aldis_restart_opts restart;
    const struct aldis__limits *limits; /* of the kind, or own_limits */
    struct aldis__limits own_limits;
    struct aldis__shed_opts shed;
};

static aldis_err choose_home(struct birth *b)
{
    aldis_system *system = b->system;
    uint64_t parent_index = aldis__id_index(b->parent, system->node_base);
    aldis_placement placement = b->opts->placement;
    if (placement == ALDIS_PLACE_BESIDE && aldis_id_is_nobody(b->parent))
        placement = ALDIS_PLACE_ANYWHERE;
    switch (placement) {
    case ALDIS_PLACE_BESIDE:
        b->home = aldis__word_home(aldis__directory_read(&system->directory[parent_index]));
        return ALDIS_OK;
    case ALDIS_PLACE_ANYWHERE: {
        uint64_t local = b->parent.bits & ~(UINT64_C(0xff) << ALDIS__NODE_SHIFT);
        b->home = (uint32_t)(aldis__mix64(local ^ aldis__mix64(b->nth + UINT64_C(1))) %
                             system->shard_count);
        return ALDIS_OK;
    }
    case ALDIS_PLACE_SHARD:
        if (b->opts->shard < system->shard_count) {
            b->home = b->opts->shard;
            return ALDIS_OK;
        }
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "spawn: shard is %u; allowed: 0 to %u", b->opts->shard,
                                system->shard_count - 1);
    }
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "spawn: unknown placement %d",
                            (int)placement);
}

static bool has_own_limits(const aldis_mailbox_opts *mailbox)
{
    return mailbox->capacity_msgs || mailbox->capacity_bytes || mailbox->low_water_msgs ||
           mailbox->policy || mailbox->stash_msgs || mailbox->capacity_max_msgs;
}

/* What does not leave its shard has the memory of states; else it is malloc's, for one worker makes
 * it and another ends it. */
void aldis__start_arg_free(struct aldis__shard *home, uint32_t birth, struct aldis__start_arg *arg)
{
    if (arg && birth == home->index)
        aldis__shard_state_free(home, arg, sizeof *arg + arg->size);
    else
        free(arg);
}

static aldis_err copy_arg(const struct birth *b, struct aldis__start_arg **out_arg)
{
    const aldis_spawn_opts *opts = b->opts;
    *out_arg = NULL;
    if (opts->arg_size > ALDIS_PAYLOAD_MAX || (opts->arg_size && !opts->arg))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "spawn: arg_size is %zu; allowed: 0 to %u, and 0 without an arg",
                                opts->arg_size, ALDIS_PAYLOAD_MAX);
    if (!opts->arg)
        return ALDIS_OK;
    size_t bytes = sizeof **out_arg + opts->arg_size;
    *out_arg =
        b->home == b->birth->index ? aldis__shard_state_alloc(b->birth, bytes) : malloc(bytes);
    if (!*out_arg)
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "spawn: an argument of %zu bytes",
                                opts->arg_size);
    (*out_arg)->size = opts->arg_size;
    memcpy((*out_arg)->bytes, opts->arg, opts->arg_size);
    return ALDIS_OK;
}

static void unmake_cell(const struct birth *b, struct aldis__cell *cell)
{
    struct aldis__shard *home = &b->system->shards[b->home];
    aldis__start_arg_free(home, b->birth->index, cell->state);
    cell->state = NULL;
    if (cell->ext) {
        aldis__life_free(home, cell);
        free(cell->ext->shed);
        aldis__cell_unextend(cell);
    }
    aldis__memory_give_actor(b->system, b->kind);
    put_slot(b->birth, cell);
}

/* What few actors need: bounds of their own, a restart mode. */
static bool add_rare_parts(const struct birth *b, struct aldis__cell *cell)
{
    if (b->limits == &b->own_limits) {
        if (!aldis__cell_extend(cell))
            return false;
        cell->ext->limits = b->own_limits;
    }
    if (b->shed.target_ns && !aldis__shed_create(b->system, cell, &b->shed))
        return false;
    return b->restart.mode == ALDIS_RESTART_DEFAULT || aldis__life_create(cell, &b->restart);
}

/* The first message of a live actor that nothing special is asked of need not be looked at: any
 * mailbox holds one. (That its peak is 1 then, aldis__status_fill() knows.) */
static int32_t first_mark(const struct birth *b)
{
    /* Relaxed: a setting; it may take effect a little later. */
    bool special = b->system->virtual_time || b->system->memory || b->shed.target_ns ||
                   aldis__load_relaxed(&b->system->high_water);
    return special ? 0 : 1;
}

/* Everything but the link to the parent and the publication. */
static aldis_err make_cell(const struct birth *b, struct aldis__cell **out_cell)
{
    struct aldis__start_arg *arg;
    uint32_t slot = 0, generation = 0;
    aldis_err err = aldis__memory_take_actor(b->system, b->kind);
    if (err != ALDIS_OK)
        return err;
    if ((err = copy_arg(b, &arg)) != ALDIS_OK)
        goto undo_budget;
    if ((err = aldis__slot_alloc(b->system, b->birth, &slot, &generation)) != ALDIS_OK)
        goto undo_arg;
    uint64_t index = (uint64_t)b->birth->index << ALDIS__SLOT_BITS | slot;
    struct aldis__cell *cell = aldis__system_cell(b->system, index);
    memset(cell, 0, sizeof *cell);
    cell->id = aldis__id_make(b->system->opts.node, b->birth->index, slot, generation);
    cell->kind = b->kind;
    cell->state = arg;
    cell->flags = ALDIS__CELL_UNSTARTED;
    if (b->kind->behaviour->durable.size)
        cell->flags |= ALDIS__CELL_DURABLE;
    cell->parent = b->parent;
    cell->child_index = UINT32_MAX;
    cell->room = b->limits->room;
    cell->mark = first_mark(b);
    if (!add_rare_parts(b, cell)) {
        unmake_cell(b, cell);
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "",
                                "spawn: the mailbox's bounds, or the restart options");
    }
    *out_cell = cell;
    return ALDIS_OK;

undo_arg:
    aldis__start_arg_free(&b->system->shards[b->home], b->birth->index, arg);
undo_budget:
    aldis__memory_give_actor(b->system, b->kind);
    return err;
}

static const aldis_spawn_opts no_opts;

static aldis_err check_args(const aldis_behaviour *behaviour, const aldis_id *out_id)
{
    if (behaviour && out_id)
        return ALDIS_OK;
    return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "", "spawn: %s is NULL",
                            behaviour ? "out_id" : "behaviour");
}

static aldis_err resolve_opts(struct birth *b)
{
    b->limits = &b->kind->limits;
    if (has_own_limits(&b->opts->mailbox)) {
        aldis_err err = aldis__limits_resolve(&b->opts->mailbox, &b->kind->limits, &b->own_limits);
        if (err != ALDIS_OK)
            return err;
        b->limits = &b->own_limits;
    }
    aldis_err err = aldis__shed_resolve(&b->opts->mailbox, &b->kind->shed, &b->shed);
    if (err != ALDIS_OK)
        return err;
    return aldis__restart_resolve(&b->opts->restart, &b->kind->restart, &b->restart);
}

static aldis_err check_parent(aldis_system *system, aldis_id parent)
{
    uint64_t index = aldis__id_index(parent, system->node_base);
    if (index >= system->index_limit)
        return aldis__error_set(ALDIS_ENOTFOUND, parent, "", "spawn: no such parent");
    uint64_t word = aldis__directory_read(&system->directory[index]);
    if (aldis__word_is_alive(word, parent))
        return ALDIS_OK;
    if (!aldis__word_has_known(word, parent))
        return aldis__error_set(ALDIS_ENOTFOUND, parent, "", "spawn: no such parent");
    return aldis__error_set(ALDIS_ESTALE, parent, "", "spawn: the parent has stopped");
}

static void publish(aldis_system *system, struct aldis__cell *cell, uint32_t home)
{
    aldis__directory_publish(&system->directory[aldis__id_index(cell->id, system->node_base)],
                             aldis__id_generation(cell->id), home, cell->kind->index,
                             system->virtual_time ? ALDIS__WORD_STARTING : 0);
}

/* ------------------------------------------------------------------ spawning */

/* The parent hears of its child: at once if it is the spawner, else by message. */
static aldis_err attach(struct aldis__worker *worker, struct aldis__cell *cell)
{
    if (!aldis_id_equal(cell->parent, worker->ctx.cell->id))
        return ALDIS_OK;
    if (!aldis__child_add(worker->ctx.cell, cell->id, &cell->child_index))
        return aldis__error_set(ALDIS_ENOMEM, aldis_nobody(), "", "spawn: the list of children");
    return ALDIS_OK;
}

static void start_elsewhere_or_here(struct aldis__worker *worker, struct aldis__cell *cell,
                                    uint32_t home)
{
    aldis_system *system = worker->ctx.system;
    struct aldis__shard *shard = &system->shards[home];
    if (system->virtual_time)
        aldis__virtual_op(worker, worker->ctx.cell->id, ALDIS__OP_SPAWN, cell->id, 0);
    else if (aldis__handover_owner(&shard->handover) == worker->index)
        aldis__cell_schedule(worker, shard, cell);
    else
        aldis__post_runtime(worker, worker->ctx.cell->id, cell->id, ALDIS__TYPE_RUN, NULL, 0);
    if (!aldis_id_equal(cell->parent, worker->ctx.cell->id))
        aldis__post_runtime(worker, cell->id, cell->parent, ALDIS__TYPE_ADOPT, NULL, 0);
}

aldis_err aldis_ctx_spawn_raw(aldis_ctx *ctx, const aldis_behaviour *behaviour,
                              const aldis_spawn_opts *opts, aldis_id *out_id)
{
    aldis_err err = check_args(behaviour, out_id);
    if (err != ALDIS_OK)
        return err;
    struct aldis__worker *worker = aldis__this_worker;
    if (!aldis__ctx_is_mine(ctx))
        return aldis__error_set(ALDIS_EINVAL, aldis_nobody(), "",
                                "spawn: the context belongs to another handler or thread");
    aldis_system *system = ctx->system;
    struct aldis__cell *spawner = ctx->cell;
    /* Relaxed: a request to stop; a spawn that just slips through is stopped with the rest. */
    if (aldis__load_relaxed(&system->stopping) ||
        (spawner->flags & (ALDIS__CELL_STOPPING | ALDIS__CELL_FAILED)))
        return aldis__error_set(ALDIS_ESHUTDOWN, spawner->id, "",
                                "spawn: the spawner or its system is stopping");
    struct birth b = {.system = system,
                      .birth = ctx->shard,
                      .opts = opts ? opts : &no_opts,
                      .parent = spawner->id,
                      .nth = spawner->spawned};
    if (!aldis_id_is_nobody(b.opts->parent))
        b.parent = b.opts->parent;
    struct aldis__cell *cell;
    if ((err = check_parent(system, b.parent)) != ALDIS_OK ||
        (err = cached_kind(worker, behaviour, &b.kind)) != ALDIS_OK ||
        (err = resolve_opts(&b)) != ALDIS_OK || (err = choose_home(&b)) != ALDIS_OK ||
        (err = make_cell(&b, &cell)) != ALDIS_OK)
        return err;
    err = attach(worker, cell);
    if (err != ALDIS_OK) {
        unmake_cell(&b, cell);
        return err;
    }
    spawner->spawned++;
    ctx->shard->spawned++;
    *out_id = cell->id;
    publish(system, cell, b.home);
    start_elsewhere_or_here(worker, cell, b.home);
    return ALDIS_OK;
}

/* Under the system's lock and table_lock. */
aldis_err aldis__outside_spawn(aldis_system *system, const aldis_behaviour *behaviour,
                               const aldis_spawn_opts *opts, aldis_id *out_id, uint32_t *out_home)
{
    aldis_err err = check_args(behaviour, out_id);
    if (err != ALDIS_OK)
        return err;
    struct aldis__shard *birth = &system->shards[system->shard_count];
    struct birth b = {.system = system,
                      .birth = birth,
                      .opts = opts ? opts : &no_opts,
                      .nth = system->outside_spawned};
    b.parent = b.opts->parent;
    struct aldis__cell *cell;
    if ((!aldis_id_is_nobody(b.parent) && (err = check_parent(system, b.parent)) != ALDIS_OK) ||
        (err = find_or_make_kind(system, behaviour, &b.kind)) != ALDIS_OK ||
        (err = resolve_opts(&b)) != ALDIS_OK || (err = choose_home(&b)) != ALDIS_OK ||
        (err = make_cell(&b, &cell)) != ALDIS_OK)
        return err;
    system->outside_spawned++;
    birth->spawned++;
    publish(system, cell, b.home);
    *out_home = b.home;
    *out_id = cell->id;
    return ALDIS_OK;
}

/* ------------------------------------------------------------------ starting */

aldis_err aldis__cell_run_on_start(struct aldis__worker *worker, struct aldis__shard *shard,
                                   struct aldis__cell *cell, const struct aldis__start_arg *arg)
{
    const aldis_behaviour *behaviour = cell->kind->behaviour;
    aldis_err err = ALDIS_OK;
    if (behaviour->on_start) {
        aldis__ctx_enter(worker, shard, cell);
        err = behaviour->on_start(cell->state, arg ? arg->bytes : NULL, &worker->ctx);
        aldis__hook_leave(worker);
    }
    if (err == ALDIS_OK && behaviour->on_started) {
        aldis__ctx_enter(worker, shard, cell);
        err = behaviour->on_started(cell->state, &worker->ctx);
        aldis__hook_leave(worker);
    }
    return err;
}

bool aldis__cell_start(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__cell *cell)
{
    struct aldis__start_arg *arg = cell->state;
    struct aldis__life *life = aldis__life_of(cell);
    if (!life && aldis__fault_may_restart(worker->ctx.system) &&
        aldis__life_create(cell, &(aldis_restart_opts){.mode = ALDIS_RESTART_DEFAULT}))
        life = cell->ext->life;
    cell->state = NULL;
    cell->flags &= ~(uint32_t)ALDIS__CELL_UNSTARTED;
    cell->started_ns = worker->ctx.now_ns;
    shard->actors++;
    aldis_err err = ALDIS_OK;
    aldis_end_reason reason = ALDIS_ENDED_START_FAILED;
    if (cell->kind->state_bytes) {
        cell->state = aldis__shard_state_alloc(shard, cell->kind->state_bytes);
        if (!cell->state) {
            err = ALDIS_ENOMEM;
            reason = ALDIS_ENDED_NO_MEMORY;
        }
    }
    if (err == ALDIS_OK)
        err = aldis__cell_run_on_start(worker, shard, cell, arg);
    if (life)
        life->arg = arg; /* for the next start */
    else
        aldis__start_arg_free(shard, aldis__id_birth(cell->id), arg);
    if (err == ALDIS_OK)
        return true;
    if (aldis__cell_extend(cell))
        cell->ext->end_err = err;
    cell->flags &= ~(uint32_t)ALDIS__CELL_FAILING; /* on_start may have called aldis_fail */
    cell->flags |= ALDIS__CELL_HOOKED; /* it never started: on_stop has nothing to undo */
    aldis__cell_stop(worker, shard, cell, reason);
    return false;
}
