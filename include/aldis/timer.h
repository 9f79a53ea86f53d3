// SPDX-License-Identifier: Apache-2.0
/* timer.h: messages to oneself, later. Layer: public.
 *
 * A timer belongs to the actor that armed it and ends with it. It sends a message to that actor;
 * a cancelled timer never does, also when it was due already: its message then counts as never
 * sent. */
#ifndef ALDIS_TIMER_H
#define ALDIS_TIMER_H

#include <aldis/message.h>

/** Names a timer of the actor that armed it. Zero: none. */
typedef struct aldis_timer {
    uint64_t bits;
} aldis_timer;

/** What a periodic timer does with ticks that it missed. */
typedef enum aldis_missed_ticks {
    ALDIS_MISSED_SKIP = 0, /**< one message; the next tick is the next multiple of the period */
    ALDIS_MISSED_BURST     /**< one message for each, at most `burst_max` */
} aldis_missed_ticks;

typedef struct aldis_timer_opts {
    aldis_ns delay_ns;         /**< to the first message: 0 or more */
    aldis_ns period_ns;        /**< 0: once; else 1 or more */
    aldis_missed_ticks missed; /**< live mode; virtual time never misses a tick */
    uint32_t burst_max;        /**< for ALDIS_MISSED_BURST: 1 or more; 0 means 8 */
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
/** Arm a periodic timer for message `name` without payload; the first comes after one period. */
#define aldis_timer_every(ctx, period, name, out_timer)                                            \
    aldis_timer_start_raw((ctx), &(aldis_timer_opts){.delay_ns = (period), .period_ns = (period)}, \
                          &name##_type, NULL, 0, (out_timer))
#endif

#endif
