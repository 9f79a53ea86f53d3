// SPDX-License-Identifier: Apache-2.0
/* lifecycle.h: how actors begin and end. Layer: core. */
#ifndef ALDIS_CORE_LIFECYCLE_H
#define ALDIS_CORE_LIFECYCLE_H

#include "core/mailbox.h"
#include "core/turn.h"

/** The kind of a behaviour in this system, made at its first use. */
aldis_err aldis__system_kind_of(aldis_system *system, const aldis_behaviour *behaviour,
                                struct aldis__kind **out_kind);

/** Spawn from outside; the caller holds the system's lock and table_lock, and starts the actor. */
aldis_err aldis__outside_spawn(aldis_system *system, const aldis_behaviour *behaviour,
                               const aldis_spawn_opts *opts, aldis_id *out_id, uint32_t *out_home);

/** Command an actor from outside; the caller holds the system's lock. */
aldis_err aldis__outside_command(aldis_system *system, aldis_id actor, aldis_command command,
                                 aldis_ns deadline_ns);

/** Check a command and find its actor. */
aldis_err aldis__command_check(aldis_system *system, aldis_id actor, aldis_command command,
                               aldis_ns deadline_ns, uint64_t *out_word);

/** A free slot of a birth shard, and the generation that it now has. ALDIS_EFULL. */
aldis_err aldis__slot_alloc(aldis_system *system, struct aldis__shard *birth, uint32_t *out_slot,
                            uint32_t *out_generation);
/** An ended actor's slot has come home: this worker owns the birth shard. */
void aldis__slot_free(struct aldis__worker *worker, aldis_id actor);

/** End the argument of an actor, born in `birth`: from its home's owner. NULL: there is none. */
void aldis__start_arg_free(struct aldis__shard *home, uint32_t birth, struct aldis__start_arg *arg);

/** Run on_start. False: it failed, and the actor has ended. */
bool aldis__cell_start(struct aldis__worker *worker, struct aldis__shard *shard,
                       struct aldis__cell *cell);
/** Run on_start on a zeroed state. */
aldis_err aldis__cell_run_on_start(struct aldis__worker *worker, struct aldis__shard *shard,
                                   struct aldis__cell *cell, const struct aldis__start_arg *arg);
/** Run on_stop, if it has not run since the last start. */
void aldis__cell_run_on_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                             struct aldis__cell *cell);
/** Begin to stop: children first. */
void aldis__cell_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                      struct aldis__cell *cell, aldis_end_reason reason);
/** A stopping actor: end it if nothing is left to wait for. True: it has ended. */
bool aldis__cell_try_end(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell);
/** Handle one command. */
void aldis__cell_command(struct aldis__worker *worker, struct aldis__shard *shard,
                         struct aldis__cell *cell, const struct aldis__command *command);

/** `child` is a new child of cell, whose shard this worker owns. */
void aldis__child_adopt(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id child);
/** A child has ended. True: the parent's hook is to be told in a turn. */
bool aldis__child_ended(struct aldis__worker *worker, struct aldis__cell *parent,
                        const struct aldis__child_notice *notice);
/** Give a command to all children. */
void aldis__children_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                          aldis_command command);
/** Is this entry of the list a child, or a free place? */
bool aldis__child_is_listed(aldis_id entry);
/** How many children came before this one; UINT32_MAX: it is not listed (yet), or not known. */
uint32_t aldis__child_birth(const struct aldis__cell *parent, aldis_id child);
/** Add to the list of children. False: out of memory. */
bool aldis__child_add(struct aldis__cell *parent, aldis_id child, uint32_t *out_index);

/** The actor that runs tells itself to stop, without a message. False: it is to send one. */
bool aldis__cell_stop_self(aldis_ctx *ctx);
/** Then, in its next turn, it does. */
void aldis__cell_obey_stop(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell);

/** Send a command as `from`. */
void aldis__post_command(struct aldis__worker *worker, aldis_id from, aldis_id to,
                         aldis_command command, aldis_ns deadline_ns);

/** An actor that has ended is so for everybody now. In virtual time: at the end of the window. */
void aldis__cell_bury(struct aldis__worker *worker, struct aldis__cell *cell);
/** Free what an actor holds besides messages. */
void aldis__cell_free(struct aldis__shard *shard, struct aldis__cell *cell);

/** Enter a handler or hook of an actor, and leave it. */
static inline void aldis__ctx_enter(struct aldis__worker *worker, struct aldis__shard *shard,
                                    struct aldis__cell *cell)
{
    aldis__worker_set_sender(worker, cell);
    worker->ctx.shard = shard;
    worker->ctx.msg = NULL;
    worker->ctx.special = worker->ctx.system->virtual_time ||
                          (cell->flags & (ALDIS__CELL_PARKED | ALDIS__CELL_OVERFLOW)) != 0;
}

static inline void aldis__ctx_leave(struct aldis__worker *worker)
{
    worker->ctx.cell = NULL;
    worker->ctx.msg = NULL;
    worker->ctx.special = true; /* sends take the slow path, which refuses them: no handler runs */
}

/** Leave a hook: what it has built and not posted is given up. */
static inline void aldis__hook_leave(struct aldis__worker *worker)
{
    aldis__ctx_leave(worker);
    if (aldis__unlikely(worker->ctx.built != NULL))
        aldis__turn_discard_built(worker);
}

#endif
