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

/** What has come from outside: from a thread that is none of the system's. */
typedef enum aldis_input_kind {
    ALDIS_INPUT_MESSAGE = 0,
    ALDIS_INPUT_COMMAND,
    ALDIS_INPUT_SPAWN /**< an actor: it is told of, but cannot be put in again */
} aldis_input_kind;

typedef struct aldis_input {
    aldis_input_kind kind;
    uint64_t window;   /**< windows that had run when it came */
    aldis_ns now_ns;   /**< the system's time when it came */
    aldis_ns at_ns;    /**< when it arrives */
    uint64_t sequence; /**< of all that comes from outside */
    aldis_id to;

    const char *type_name; /**< from here on: a message's */
    uint32_t type_number;
    uint32_t type_size; /**< the type's: size, or ALDIS_SIZE_VARIES */
    aldis_lane lane;
    const void *payload; /**< borrowed for the call */
    size_t size;

    aldis_command command; /**< a command's */
    aldis_ns deadline_ns;
} aldis_input;

/** Called for each input that was taken, before the window that it belongs to, on the thread that
 *  it came from. No call on the system but aldis_system_windows, _run_print and _now. */
typedef void (*aldis_input_fn)(void *arg, const aldis_input *input);

/** How virtual time is to follow the wall clock. Zeroes are the defaults. */
typedef struct aldis_pace_opts {
    double factor;       /**< virtual seconds in one of the wall: 1e-6 .. 1e6; default 1 */
    aldis_ns max_lag_ns; /**< wall time: further behind, and the run ends; default: no limit */
    uint32_t inputs_max; /**< inputs from outside that wait for their window; default 65,536 */
} aldis_pace_opts;

/** How a paced run has kept up. The lag of a window is the wall time from when it was due to when
 *  it began; percentiles are exact to 1.6 % (upwards). */
typedef struct aldis_pace_report {
    uint64_t windows;
    aldis_ns lag_ns_p50, lag_ns_p99, lag_ns_max;
    uint64_t inputs;  /**< messages and commands from outside that were taken since it was set */
    uint64_t refused; /**< with ALDIS_EAGAIN, since inputs_max of them waited */
} aldis_pace_report;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Be told of every window, handled message or input, from now on. fn NULL: no more.
 *
 * arg:    handed to fn; the caller's.
 * Thread: any but the system's own.          Blocks: until the window that runs has ended.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE a live system, or called from a handler.
 */
ALDIS_API aldis_err aldis_system_on_window(aldis_system *system, aldis_window_fn fn, void *arg);
ALDIS_API aldis_err aldis_system_on_handled(aldis_system *system, aldis_handled_fn fn, void *arg);
ALDIS_API aldis_err aldis_system_on_input(aldis_system *system, aldis_input_fn fn, void *arg);

/**
 * Put an input in again, in another run of the same system: it arrives at the time and in the order
 * that it says, whatever the clocks show. To repeat a run, do so when aldis_system_windows and
 * aldis_system_now are the input's `window` and `now_ns`: between two runs, or in on_window.
 *
 * input:  borrowed; kind ALDIS_INPUT_MESSAGE or ALDIS_INPUT_COMMAND.
 * Thread: any but the system's own; in on_window also that.          Blocks: as on_window.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE its time is over, the system is live, or called from a
 *         handler; else as aldis_system_send_raw and aldis_system_command.
 */
ALDIS_API aldis_err aldis_system_input(aldis_system *system, const aldis_input *input);

/**
 * Let virtual time follow the wall clock from the beginning of the next run on; NULL: no more.
 *
 * A window runs when the wall clock shows its start, or later; none is ever left out: a system that
 * falls behind catches up at full speed. aldis_system_run then comes back when the wall clock shows
 * its until_ns (not with ALDIS_RUN_IDLE: inputs may still come), when it is halted, or with
 * ALDIS_RUN_LAG. A message from another thread gets the start of the first window that begins after
 * the wall clock's now, plus its delay. That is all that the wall clock decides: without such
 * messages the run is the one that it would be without pace. aldis_system_stop does not wait for
 * the wall clock.
 *
 * opts:   borrowed.
 * Thread: any but the system's own.          Blocks: until the window that runs has ended.
 * Errors: ALDIS_EINVAL naming the option; ALDIS_ESTATE a live system, or called from a handler.
 */
ALDIS_API aldis_err aldis_system_pace(aldis_system *system, const aldis_pace_opts *opts);

/** How it has kept up since aldis_system_pace. Errors: as there. */
ALDIS_API aldis_err aldis_system_pace_report(aldis_system *system, aldis_pace_report *out_report);

#ifdef __cplusplus
}
#endif
#endif
