// SPDX-License-Identifier: Apache-2.0
/* vsend.h: sending in virtual time, inside the library. Layer: core. */
#ifndef ALDIS_CORE_VSEND_H
#define ALDIS_CORE_VSEND_H

#include "core/window.h"

/**
 * Send a message of the running actor if nothing about it is special; opts may be NULL. False:
 * nothing has happened, and whoever asked takes the way that looks at everything.
 */
bool aldis__virtual_try_send(aldis_ctx *ctx, aldis_id to, aldis_type *type, const void *payload,
                             size_t size, const aldis_send_opts *opts);

/** A message waits for the merge at the end of a shared window. */
void aldis__virtual_collect(struct aldis__worker *worker, uint32_t shard,
                            struct aldis__sort_entry entry, uint64_t window);

/** Put a stamped message, which comes in a later window than the one that runs, on its way to a
 *  shard. */
static inline void aldis__virtual_put(struct aldis__worker *worker, uint32_t shard,
                                      struct aldis__sort_entry entry, uint64_t window)
{
    /* The shard that it runs is its own in a shared window, too: nobody else looks at it. */
    if (worker->direct || shard == worker->run_shard)
        aldis__vqueue_add_to(&worker->ctx.system->shards[shard].future, entry, window);
    else
        aldis__virtual_collect(worker, shard, entry, window);
}

/** Put what all workers have sent to one shard in a shared window into its calendar. */
void aldis__virtual_merge(aldis_system *system, uint32_t shard);

static inline struct aldis__virtual *aldis__engine_of(const struct aldis__worker *worker)
{
    return worker->ctx.system->virtual_engine;
}

/** at_ns + delay_ns, but not beyond the last moment there is. */
static inline aldis_ns aldis__virtual_add_time(aldis_ns at_ns, aldis_ns delay_ns)
{
    return delay_ns > ALDIS_FOREVER - 1 - at_ns ? ALDIS_FOREVER - 1 : at_ns + delay_ns;
}

/** When what a window does to others takes effect: at its end, but not beyond the last moment. */
static inline aldis_ns aldis__virtual_effect_time(const struct aldis__virtual *engine)
{
    return engine->end_ns < ALDIS_FOREVER ? engine->end_ns : ALDIS_FOREVER - 1;
}

#endif
