// SPDX-License-Identifier: Apache-2.0
/* monitor.h: who is told of an actor's end: monitors and links. Layer: core.
 *
 * A monitor is an entry on both sides: the watcher's, by which a notice is known to be wanted, and
 * the watched one's, by which it is sent. Either side takes the other's out by a message.
 *
 * Owner: the owner of the actor's home shard; all of it is plain memory. */
#ifndef ALDIS_CORE_MONITOR_H
#define ALDIS_CORE_MONITOR_H

#include "core/mailbox.h"

/* One that this actor watches. */
struct aldis__monitor {
    aldis_id actor;      /* nobody: the entry is free */
    uint32_t generation; /* of the entry: an old ref never reaches a new monitor */
    uint32_t next_free;
};

/* One that watches this actor. */
struct aldis__watcher {
    aldis_id id;
    uint64_t ref;
};

/* Made on first use. */
struct aldis__watches {
    struct aldis__monitor *monitors;
    uint32_t monitor_end, monitor_capacity, monitor_free, monitor_count;
    struct aldis__watcher *watchers; /* in no order */
    uint32_t watcher_count, watcher_capacity;
    aldis_id *links; /* in no order */
    uint32_t link_count, link_capacity;
    bool traps;
};

/** Messages of the runtime that reach the watched or linked actor. */
void aldis__watcher_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id watcher,
                        uint64_t ref);
void aldis__watcher_remove(struct aldis__cell *cell, aldis_id watcher, uint64_t ref);
void aldis__life_link_add(struct aldis__worker *worker, struct aldis__cell *cell, aldis_id other);
void aldis__life_link_remove(struct aldis__cell *cell, aldis_id other);

/** The same where the actor has ended: its watcher is told so. */
void aldis__watcher_tell_gone(struct aldis__worker *worker, aldis_id gone, aldis_id watcher,
                              uint64_t ref);
void aldis__life_link_tell_gone(struct aldis__worker *worker, aldis_id gone, aldis_id other);

/** A notice is about to be handled. False: it is not wanted any more. */
bool aldis__down_accept(struct aldis__cell *cell, const aldis_down *down);
/** The other end of a link has ended; in a turn. */
void aldis__life_link_ended(struct aldis__worker *worker, struct aldis__shard *shard,
                            struct aldis__cell *cell, const aldis_down *down);

/** Give up all that this actor watches. */
void aldis__monitors_cancel_all(struct aldis__worker *worker, struct aldis__cell *cell);
/** Links end the actor again. */
void aldis__trap_off(struct aldis__cell *cell);
/** The actor has ended: tell all who watch it or are linked with it. */
void aldis__watchers_tell(struct aldis__worker *worker, struct aldis__cell *cell,
                          const aldis_child_ended *ended);
void aldis__watches_free(struct aldis__cell_ext *ext);

#endif
