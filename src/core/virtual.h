// SPDX-License-Identifier: Apache-2.0
/* virtual.h: discrete-event time in windows. Layer: core. See docs/design/core.md. */
#ifndef ALDIS_CORE_VIRTUAL_H
#define ALDIS_CORE_VIRTUAL_H

#include "core/system.h"

/* Changes that take effect at the end of the window. */
enum aldis__op {
    ALDIS__OP_SPAWN,   /* target starts */
    ALDIS__OP_END,     /* target has ended */
    ALDIS__OP_CLOSING, /* target takes no new mail */
    ALDIS__OP_FULL,    /* target's mailbox is full */
    ALDIS__OP_NOT_FULL,
    ALDIS__OP_COMMAND, /* pointer: the message, in order of asking */
    ALDIS__OP_CALL,    /* pointer: an aldis__window_call */
    ALDIS__OP_ROUTER   /* value, pointer: the router's own; from here on */
};

/** Note a change. Out of memory ends the run. */
void aldis__virtual_op(struct aldis__worker *worker, aldis_id actor, enum aldis__op kind,
                       aldis_id target, uint64_t value);
/** The same for the router. False: out of memory; the pointer is still the caller's. */
bool aldis__virtual_op_router(struct aldis__worker *worker, aldis_id actor, uint64_t value,
                              void *pointer);
/** What a part above the core does at the end of the window, in the logical order of its asking.
 *  system NULL: it is being destroyed. */
struct aldis__window_call {
    void (*run)(aldis_system *system, struct aldis__window_call *call, aldis_id actor);
};
/** Note one. False: out of memory; call is still the caller's. */
bool aldis__virtual_op_call(struct aldis__worker *worker, aldis_id actor,
                            struct aldis__window_call *call);
/** A command: its target gets it at the end of the window, in order of asking. Takes msg. */
void aldis__virtual_op_command(struct aldis__worker *worker, struct aldis__msg *msg);

/** Stamp and schedule a message of the running actor. ALDIS_ELOOKAHEAD, ALDIS_EFULL; takes msg on
 *  ALDIS_OK. */
aldis_err aldis__virtual_send(struct aldis__worker *worker, struct aldis__msg *msg, uint32_t home,
                              aldis_ns delay_ns);

/** How long a message of `sender` to `to` is under way that names no delay. */
aldis_ns aldis__virtual_transit(const aldis_system *system, const struct aldis__cell *sender,
                                aldis_id to);

/** May a message of the running actor come at `at_ns`? ALDIS_ELOOP, and the run ends with it:
 *  there have been too many rounds at this instant. */
aldis_err aldis__virtual_check_round(struct aldis__worker *worker, const struct aldis__msg *msg,
                                     aldis_ns at_ns);

/** Stamp one of the runtime's own messages: it comes at the end of the window. */
void aldis__virtual_stamp_runtime(struct aldis__worker *worker, struct aldis__msg *msg);
/** Stamp a message of `sender` with a time of arrival. */
void aldis__virtual_stamp_at(struct aldis__worker *worker, struct aldis__cell *sender,
                             struct aldis__msg *msg, aldis_ns at_ns);
/** The running actor must keep a message for a full mailbox: note when it would have come.
 *  ALDIS_ELOOKAHEAD, ALDIS_ELOOP, ALDIS_EFULL. */
aldis_err aldis__virtual_keep(struct aldis__worker *worker, struct aldis__msg *msg,
                              aldis_ns delay_ns);
/** Send a kept message on: it takes the default delay from now, but does not come before it would
 *  have come. Takes msg. */
void aldis__virtual_resend(struct aldis__worker *worker, uint32_t home, struct aldis__msg *msg);
/** Put a stamped message into the calendar of its receiver's shard, or into the running actor's own
 *  window. Takes msg. */
void aldis__virtual_schedule(struct aldis__worker *worker, uint32_t shard, struct aldis__msg *msg);

/** The running actor has asked for service time: it goes on when that is over. */
void aldis__virtual_be_busy(struct aldis__worker *worker, struct aldis__cell *cell);

/** The width of a window: the lookahead, or an instant. */
static inline aldis_ns aldis__virtual_quantum(const struct aldis_system_opts *opts)
{
    return opts->zero_delay ? 1 : opts->lookahead_ns;
}

/** Make and end the engine: the window threads too. */
aldis_err aldis__virtual_create(aldis_system *system);
void aldis__virtual_destroy(aldis_system *system);

aldis_err aldis__virtual_run(aldis_system *system, aldis_ns until_ns, aldis_run_end *out_end);
aldis_ns aldis__virtual_now(const aldis_system *system);
uint64_t aldis__virtual_print(const aldis_system *system);
uint64_t aldis__virtual_windows(const aldis_system *system);
void aldis__virtual_halt(struct aldis__worker *worker);

/** From outside: msg (built, counted) comes `delay_ns` after the next window begins. Takes msg.
 *  ALDIS_EAGAIN: too many wait already. */
aldis_err aldis__virtual_outside(aldis_system *system, struct aldis__msg *msg, uint32_t shard,
                                 aldis_ns delay_ns);
/** From outside: an actor spawned before or between windows starts. */
void aldis__virtual_outside_start(aldis_system *system, aldis_id actor);

#endif
