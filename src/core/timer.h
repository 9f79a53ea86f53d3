// SPDX-License-Identifier: Apache-2.0
/* timer.h: messages that come later. Layer: core. Owner of the shard only.
 *
 * Live, what is to come lies on the shard's timing wheel. In virtual time it is a message under way
 * like any other. A timer's record lives until its last message has been handled, so that a cancel
 * finds it even when the message waits in the mailbox already. */
#ifndef ALDIS_CORE_TIMER_H
#define ALDIS_CORE_TIMER_H

#include "core/wheel.h"
#include <aldis/timer.h>

struct aldis__cell;
struct aldis__command;
struct aldis__msg;
struct aldis__shard;
struct aldis__track;
struct aldis__tracker;
struct aldis__worker;

struct aldis__timer {
    struct aldis__wheel_node node; /* virtual time: its due_ns only */
    struct aldis__msg *msg; /* to be sent: itself (once, or a delayed send), or a copy (periodic) */
    struct aldis__cell *cell; /* whose it is; NULL: a delayed send, which nobody can cancel */
    aldis_ns period_ns;       /* 0: once */
    uint32_t index;           /* in the table */
    uint32_t generation;      /* of this entry: an old handle never reaches a new timer */
    /* Of a periodic one: */
    uint32_t
        waiting_max;  /* more of its ticks never wait; 0: one waits, and stands for the others */
    uint32_t waiting; /* ticks sent and not handled yet */
    uint64_t merged;  /* for which the one that waits, or is handled, stands beside its own */
    struct aldis__alarm *alarm; /* whose it is; then there is no message, but a tracker */
    const struct aldis__tracker *tracker;
    struct aldis__timer *owner_next, **owner_link; /* the actor's list; or the free list */
};

enum { ALDIS__TIMER_CHUNK = 256, ALDIS__TIMERS_PER_ACTOR = 1 << 20 };

/* All timers of a shard, by index: in chunks, since the wheel links them and they must not move. */
struct aldis__timer_table {
    struct aldis__timer **chunks;
    uint32_t chunk_count, chunk_capacity;
    struct aldis__timer *free;
    uint64_t cancelled; /* virtual time: since the last sweep */
};

/* Wakes a part of an actor (see part.h), which it lies in. Live it is a place on the timing wheel,
 * in virtual time a message under way, which cannot be taken back: so it may come when it was
 * cleared, or sooner than was asked last, and whoever is woken looks what there is to do. */
struct aldis__alarm {
    struct aldis__timer *timer; /* live, once made */
    aldis_ns due_ns;            /* when it comes; 0: it is not set */
};

/** Post the actor a tracked message (type aldis.track, b = due_ns) with this tracker at due_ns, or
 *  sooner if it is set for then. From a handler of the actor. False: out of memory. */
bool aldis__alarm_set(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__alarm *alarm, aldis_ns due_ns,
                      const struct aldis__tracker *tracker);
/** Nothing is to be done: live, it will not come. */
void aldis__alarm_clear(struct aldis__worker *worker, struct aldis__alarm *alarm);
/** An alarm's message has come. False: it is one that has been overtaken by another. */
bool aldis__alarm_came(struct aldis__alarm *alarm, const struct aldis__track *track);

void aldis__timer_table_fini(struct aldis__timer_table *table);

/** Live: send msg (built, counted as sent) when due. False: out of memory; msg stays the
 *  caller's. */
bool aldis__timer_delay(struct aldis__worker *worker, struct aldis__shard *shard,
                        struct aldis__msg *msg, aldis_ns due_ns);

/** Send the actor a command later, in either clock. False: out of memory. */
bool aldis__timer_post_command(struct aldis__worker *worker, struct aldis__cell *cell,
                               aldis_ns delay_ns, const struct aldis__command *command);

/** A timer's message is about to be handled. False: the timer was cancelled. */
bool aldis__timer_accept(struct aldis__shard *shard, struct aldis__msg *msg);
/** A timer's message is kept aside: from now on it is a message like any other, unless it is a tick
 *  of a periodic timer, which can still be cancelled. */
void aldis__timer_kept(struct aldis__shard *shard, struct aldis__msg *msg);
/** A timer's message was refused or is freed unhandled: its record goes too. */
void aldis__timer_forget(struct aldis__worker *worker, struct aldis__msg *msg);
/** Virtual time: a timer's message has arrived; a periodic one sends its next. False: the timer was
 *  cancelled, or the tick is one too many, and msg is gone. */
bool aldis__timer_arrived(struct aldis__worker *worker, struct aldis__shard *shard,
                          struct aldis__msg *msg);
/** The actor ends. */
void aldis__timers_cancel_all(struct aldis__worker *worker, struct aldis__cell *cell);

/** Virtual time, between windows: let go of the messages of cancelled timers where they are many,
 *  or all that is left. */
void aldis__timers_sweep(aldis_system *system);

/** Live: fire all that is due on the shards of this worker; sets the worker's next due time. */
void aldis__timers_fire(struct aldis__worker *worker, aldis_ns now_ns);
/** Live: set the worker's next due time. A cancelled timer, or one of a shard that was given away,
 *  leaves an earlier time behind, for which a worker must not stay awake or count as busy. */
void aldis__timers_find_next(struct aldis__worker *worker);

#endif
