// SPDX-License-Identifier: Apache-2.0
/* record.h: what came into a run from outside, kept in a file, and put in again. Layer: public.
 *
 * A run in virtual time is made by its options, its actors, and its inputs: the messages and
 * commands of other threads, each with the time that it was given. A recording holds the inputs and
 * the print of the run; a replay gives them to the same actors in another run of the same program,
 * which then has the same print. Actors that are spawned from outside while it runs are not inputs
 * that can be repeated: a recording that meets one says so, and a replay stops there.
 *
 * Payloads are kept as they lie in memory, so a recording is for the build that made it.
 * docs/design/observe.md has the file's layout. */
#ifndef ALDIS_RECORD_H
#define ALDIS_RECORD_H

#include <aldis/error.h>
#include <aldis/system.h>
#include <aldis/types.h>

/** The longest text that a recording begins with. */
#define ALDIS_RECORD_HEAD_MAX 65536u

typedef struct aldis_recording aldis_recording;
typedef struct aldis_replay aldis_replay;

/** How far a recording goes. */
typedef enum aldis_record_state {
    ALDIS_RECORD_OPEN = 0, /**< it was not closed: the program was killed. Good up to here */
    ALDIS_RECORD_CLOSED,   /**< the whole run */
    ALDIS_RECORD_FULL,     /**< the file could not grow any more; the run went on */
    ALDIS_RECORD_SPAWNED   /**< an actor was spawned from outside; the run went on */
} aldis_record_state;

/** The end of a recording, and what the run was like there. */
typedef struct aldis_record_end {
    aldis_record_state state;
    aldis_run_end end_reason; /**< ALDIS_RECORD_CLOSED: how the run ended */
    uint64_t windows, print;
    aldis_ns now_ns;
    uint64_t inputs; /**< recorded */
    uint64_t lost;   /**< inputs that came after it had ended early; known to its writer only */
} aldis_record_end;

/** What is wrong with a file. */
typedef struct aldis_record_fault {
    uint64_t offset; /**< of the first bad block, in bytes */
    char text[96];
} aldis_record_fault;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begin a recording in a new file (an old one is overwritten). From then on the file is always a
 * whole one, if the program is killed too: what was recorded last ends it.
 *
 * head:   a text for whoever replays it, such as what the run is made of; copied.
 * Owner:  gives *out_recording: end it with aldis_recording_close.
 * Thread: any.          Blocks: while it writes.
 * Errors: ALDIS_EIO with the reason, also for what is no regular file; ALDIS_EINVAL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_recording_create(const char *path, const char *head,
                                           aldis_recording **out_recording);

/**
 * Record the inputs of a system from now on: after its actors were spawned, before it runs. Takes
 * aldis_system_on_input for itself. Each input is written by the thread that it comes from, before
 * its call returns. When the file cannot grow, the recording ends with a mark and the run goes on.
 *
 * Owner:  borrows system until the recording is closed.
 * Errors: as aldis_system_on_input; ALDIS_ESTATE it records already.
 */
ALDIS_API aldis_err aldis_recording_attach(aldis_recording *recording, aldis_system *system);

/**
 * End it: after the run, before the system is stopped or destroyed.
 *
 * Owner:   takes recording, whatever is returned. NULL is ignored.
 * out_end: may be NULL; what the file says of its end.
 * Errors:  ALDIS_EIO it ended early (state, lost), or its end could not be written.
 */
ALDIS_API aldis_err aldis_recording_close(aldis_recording *recording, aldis_run_end end_reason,
                                          aldis_record_end *out_end);

/**
 * Read a recording, and check the whole of it.
 *
 * fault:  may be NULL; written on ALDIS_ECODEC.
 * Owner:  gives *out_replay: end it with aldis_replay_close.
 * Errors: ALDIS_EIO it cannot be read; ALDIS_ECODEC it is no recording, or one that was cut or
 *         altered; ALDIS_EINVAL; ALDIS_ENOMEM.
 */
ALDIS_API aldis_err aldis_replay_open(const char *path, aldis_replay **out_replay,
                                      aldis_record_fault *fault);
/** The text that it begins with. Borrowed. */
ALDIS_API const char *aldis_replay_head(const aldis_replay *replay);
ALDIS_API aldis_record_end aldis_replay_end(const aldis_replay *replay);

/**
 * Put in all inputs whose moment it is. To be called before each aldis_system_run, with the same
 * until_ns as when it was recorded, and in on_window after each window.
 *
 * Errors: ALDIS_ESTATE the run is not the recorded one: a moment has passed without this call; else
 *         as aldis_system_input.
 */
ALDIS_API aldis_err aldis_replay_feed(aldis_replay *replay, aldis_system *system);

/** Owner: takes replay. NULL is ignored. */
ALDIS_API void aldis_replay_close(aldis_replay *replay);

#ifdef __cplusplus
}
#endif
#endif
