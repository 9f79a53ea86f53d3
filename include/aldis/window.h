// SPDX-License-Identifier: Apache-2.0
/* window.h: virtual time seen from outside, window by window. Layer: public.
 *
 * Three looks at a run, each of which costs one test of a pointer while it is off: after each
 * window, at each message that was handled, and at each input that came from outside. With the
 * first two the place can be found at which two runs part; with the third a run that heard from
 * other threads can be repeated. All are for virtual time: ALDIS_ESTATE for a live system. */
#ifndef ALDIS_WINDOW_H
#define ALDIS_WINDOW_H

#include <aldis/actor.h>
#include <aldis/error.h>
#include <aldis/types.h>

/** One window that has run. */
typedef struct aldis_window {
    uint64_t index;            /**< windows that ran before it; empty ones do not exist */
    aldis_ns start_ns, end_ns; /**< start_ns <= the times of its messages < end_ns */
    uint64_t events;           /**< messages that arrived in it */
    uint64_t print;            /**< the run print after it */
} aldis_window;

/** One message that was handled: what the run print says of it. */
typedef struct aldis_handled {
    uint64_t window; /**< index of its window */
    aldis_ns at_ns;
    uint32_t microstep;
    aldis_id receiver, sender; /**< sender: nobody for what came from outside */
    uint64_t sequence;         /**< of the sender's messages */
    const char *kind_name;     /**< the receiver's behaviour; static */
    const char *type_name;     /**< static */
    size_t size;               /**< bytes of payload */
    uint64_t digest;           /**< of all this (without the ids' node), the payload, and the
                                    receiver's state after it, where its behaviour digests that */
} aldis_handled;

/** Called after a window, between it and the next, on the thread that runs the system. It may call
 *  aldis_system_halt and aldis_system_input; no other call on the system. */
typedef void (*aldis_window_fn)(void *arg, const aldis_window *window);

/** Called for each handled message, on the worker that handled it. With one worker the calls come
 *  in the order in which the run print counts; with several they come from several threads at once,
 *  each actor's own in order. No call on the system. `handled` is borrowed for the call. */
typedef void (*aldis_handled_fn)(void *arg, const aldis_handled *handled);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Be told of every window, or of every handled message, from now on. fn NULL: no more.
 *
 * arg:    handed to fn; the caller's.
 * Thread: any but the system's own.          Blocks: until the window that runs has ended.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE a live system, or called from a handler.
 */
ALDIS_API aldis_err aldis_system_on_window(aldis_system *system, aldis_window_fn fn, void *arg);
ALDIS_API aldis_err aldis_system_on_handled(aldis_system *system, aldis_handled_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
