// SPDX-License-Identifier: Apache-2.0
/* timer.h: messages that come later. Layer: core. Owner of the shard only.
 *
 * Live, what is to come lies on the shard's timing wheel. In virtual time it is a message under way
 * like any other. A timer's record lives until its last message has been handled, so that a cancel
 * finds it even when the message waits in the mailbox already. */
#ifndef ALDIS_CORE_TIMER_H
#define ALDIS_CORE_TIMER_H

#include "core/timer_table.h"
#include <aldis/timer.h>

struct aldis__command;
struct aldis__shard;
struct aldis__track;
struct aldis__tracker;
struct aldis__worker;

/* Wakes a part of an actor (see part.h), which it lies in. Live it is a place on the timing wheel,
 * in virtual time a message under way, which cannot be taken back: so it may come when it was
 * cleared, or sooner than was asked last, and whoever is woken looks what there is to do. */
struct aldis__alarm {
    struct aldis__timer *timer;           /* live, once made */
    const struct aldis__tracker *tracker; /* live: of the message that comes */
    aldis_ns due_ns;                      /* when it comes; 0: it is not set */
};

/** Post the actor a tracked message (type aldis.track, b = due_ns) with this tracker at due_ns, or
 *  sooner if it is set for then. From a handler of the actor. False: out of memory. */
bool aldis__alarm_set(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__alarm *alarm, aldis_ns due_ns,
                      const struct aldis__tracker *tracker);
/** Nothing is to be done: live, it will not come. */
void aldis__alarm_clear(struct aldis__worker *worker, struct aldis__alarm *alarm);
/** The part that it lies in goes. One under way, or in the mailbox, comes all the same. */
void aldis__alarm_end(struct aldis__worker *worker, struct aldis__alarm *alarm);
/** The actor is restarted: an alarm that comes while it is down is lost, so it is set anew. */
void aldis__alarm_forget(struct aldis__worker *worker, struct aldis__alarm *alarm);
/** An alarm's message has come. False: it is one that has been overtaken by another. */
bool aldis__alarm_came(struct aldis__alarm *alarm, const struct aldis__track *track);

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

/** Call visit on the message of each armed timer, while the workers are held. One that is not made
 *  yet (see ALDIS__TIMER_PLAIN) is a passing one, as it would be: visit keeps no pointer to it. */
void aldis__timers_walk(struct aldis__shard *shard,
                        void (*visit)(void *arg, struct aldis__msg *msg), void *arg);

/** Live: fire all that is due on the shards of this worker; sets the worker's next due time. */
void aldis__timers_fire(struct aldis__worker *worker, aldis_ns now_ns);
/** Live: set the worker's next due time. A cancelled timer, or one of a shard that was given away,
 *  leaves an earlier time behind, for which a worker must not stay awake or count as busy. */
void aldis__timers_find_next(struct aldis__worker *worker);

#endif
