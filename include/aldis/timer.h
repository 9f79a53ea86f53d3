// SPDX-License-Identifier: Apache-2.0
/* timer.h: messages to oneself, later. Layer: public.
 *
 * A timer belongs to the actor that armed it and ends with it. It sends a message to that actor;
 * a cancelled timer never does, also when it was due already: its message then counts as never
 * sent.
 *
 * A periodic timer ticks at the multiples of its period from its first tick on, however late any of
 * them comes. A tick is missed when it is due while an earlier one waits still (its actor is slow,
 * busy or paused) or has not been sent yet (the worker is late); the timer says what happens then.
 * No rule lets ticks gather without bound, and none moves the ticks that follow. */
#ifndef ALDIS_TIMER_H
#define ALDIS_TIMER_H

#include <aldis/message.h>

/** Names a timer of the actor that armed it. Zero: none. */
typedef struct aldis_timer {
    uint64_t bits;
} aldis_timer;

/** What becomes of a tick that is missed. */
typedef enum aldis_missed_ticks {
    ALDIS_MISSED_SKIP = 0, /**< it is left out: one tick waits at most */
    ALDIS_MISSED_BURST,    /**< it is sent all the same, as long as fewer than `burst_max` wait */
    ALDIS_MISSED_MERGE     /**< the tick that waits stands for both: aldis_ticks tells how many */
} aldis_missed_ticks;

typedef struct aldis_timer_opts {
    aldis_ns delay_ns;  /**< to the first message: 0 or more */
    aldis_ns period_ns; /**< 0: once; else 1 or more */
    aldis_missed_ticks missed;
    uint32_t burst_max; /**< for ALDIS_MISSED_BURST: 1 .. 2^20; 0 means 8 */
} aldis_timer_opts;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Arm a timer that sends this actor a copy of payload.
 *
 * The caller's own protocol must accept the type. Arming and cancelling are O(1).
 * Owner:  borrows payload.          Thread: the handler's worker.          Blocks: never.
 * Errors: ALDIS_EINVAL negative times, a bad type; ALDIS_EUNACCEPTED; ALDIS_EAGAIN the actor's
 *         timers are at their bound (1,048,576 an actor); ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_timer_start_raw(aldis_ctx *ctx, const aldis_timer_opts *opts,
                                          aldis_type *type, const void *payload, size_t size,
                                          aldis_timer *out_timer);

/** The same for a periodic timer: a period of 0 is ALDIS_EINVAL here, too. The first tick comes
 *  after opts->delay_ns. */
ALDIS_API aldis_err aldis_timer_every_raw(aldis_ctx *ctx, const aldis_timer_opts *opts,
                                          aldis_type *type, const void *payload, size_t size,
                                          aldis_timer *out_timer);

/** How many ticks the message that is being handled stands for: 1, or more for one of a timer that
 *  merges; 0 when no message is being handled. Thread: the handler's worker. */
ALDIS_API uint64_t aldis_ticks(const aldis_ctx *ctx);

/** Cancel a timer of this actor. Errors: ALDIS_ENOTFOUND it has fired, or was never this
 *  actor's. */
ALDIS_API aldis_err aldis_timer_cancel(aldis_ctx *ctx, aldis_timer timer);

#ifdef __cplusplus
}
#else
/** Arm a one-shot timer for message `name` without payload. */
#define aldis_timer_once(ctx, delay, name, out_timer)                                              \
    aldis_timer_start_raw((ctx), &(aldis_timer_opts){.delay_ns = (delay)}, &name##_type, NULL, 0,  \
                          (out_timer))
/** Arm a periodic timer (period 1 or more) for message `name` without payload; the first comes
 *  after one period. */
#define aldis_timer_every(ctx, period, name, out_timer)                                            \
    aldis_timer_every_raw((ctx), &(aldis_timer_opts){.delay_ns = (period), .period_ns = (period)}, \
                          &name##_type, NULL, 0, (out_timer))
#endif

#endif
