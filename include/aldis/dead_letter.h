// SPDX-License-Identifier: Apache-2.0
/* dead_letter.h: messages that were accepted and never handled: read them, send them again. Layer:
 * public.
 *
 * A message becomes a dead letter when its receiver has ended before it was handled, when its
 * handler failed too often (ALDIS_EHANDLER; see supervise.h), or when its sender was killed while
 * it waited for room (ALDIS_ENOSENDER). Messages that an overloaded mailbox sheds (ALDIS_ESHED) are
 * listed with them, though they are counted as dropped; no more than a quarter of what is kept. A
 * system keeps a copy of the newest ones, as many as its options dead_letters_max and
 * dead_letter_bytes allow; those that they push out are counted.
 *
 * Nothing here can go round in a loop: what is sent again and dies again is kept and marked, but
 * not announced, and not sent a third time unless that is asked for by name. */
#ifndef ALDIS_DEAD_LETTER_H
#define ALDIS_DEAD_LETTER_H

#include <aldis/message.h>
#include <aldis/system.h>

/** Which dead letters. Zeroes mean: any. */
typedef struct aldis_dead_letter_filter {
    aldis_err reason;
    const char *type_name;
    aldis_id to;
    uint64_t after; /**< those with a greater number */
    bool twice;     /**< for sending again: also those that have died twice */
} aldis_dead_letter_filter;

/** What a system has of them. */
typedef struct aldis_dead_letter_counts {
    uint64_t kept;        /**< now */
    uint64_t kept_bytes;  /**< of their payloads */
    uint64_t seen;        /**< so far; the number of the newest */
    uint64_t overwritten; /**< pushed out by newer ones, or lost for want of memory */
} aldis_dead_letter_counts;

/** What sending again came to. */
typedef struct aldis_resent {
    uint64_t sent;    /**< accepted by the send, and kept no more */
    uint64_t refused; /**< an error at the send: kept on */
} aldis_resent;

/** Tells the actor that handles dead letters of new ones; list it in its protocol. It comes at most
 *  once a round (live) or a window, after the letters can be read. */
typedef struct aldis_dead_notice {
    uint64_t count;  /**< new ones since the last notice */
    uint64_t newest; /**< number of the newest */
} aldis_dead_notice;
ALDIS_MESSAGE(aldis_dead_notice, aldis_dead_notice);

/** Gets one letter, borrowed for the call. It must not call functions of this header; from outside
 *  it must not call Aldis. False: that is enough. */
typedef bool (*aldis_dead_letter_fn)(void *arg, const aldis_dead_letter *letter);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Read the dead letters that match, oldest first.
 *
 * In virtual time an actor sees those of earlier windows, the same on any number of workers.
 *
 * filter, fn, out_counts: may be NULL.
 * Thread: aldis_system_: any but the system's own; aldis_ctx_: the actor that
 *         aldis_system_dead_letters_to has named.          Blocks: from outside, as
 *         aldis_system_stats.
 * Errors: ALDIS_EINVAL; ALDIS_ESTATE; from another actor: ALDIS_ESTATE.
 */
ALDIS_API aldis_err aldis_system_dead_letters(aldis_system *system,
                                              const aldis_dead_letter_filter *filter,
                                              aldis_dead_letter_fn fn, void *arg,
                                              aldis_dead_letter_counts *out_counts);
ALDIS_API aldis_err aldis_ctx_dead_letters(aldis_ctx *ctx, const aldis_dead_letter_filter *filter,
                                           aldis_dead_letter_fn fn, void *arg,
                                           aldis_dead_letter_counts *out_counts);

/**
 * Send the matching dead letters again, oldest first, as plain messages on their old lanes, and
 * keep them no longer. They come from the caller (an actor, or outside). Those that were too large
 * to be kept whole, or have died twice, are passed over.
 *
 * to:         nobody: each to its own receiver.
 * out_resent: may be NULL.
 * Thread, Errors: as above.
 */
ALDIS_API aldis_err aldis_system_dead_letters_resend(aldis_system *system,
                                                     const aldis_dead_letter_filter *filter,
                                                     aldis_id to, aldis_resent *out_resent);
ALDIS_API aldis_err aldis_ctx_dead_letters_resend(aldis_ctx *ctx,
                                                  const aldis_dead_letter_filter *filter,
                                                  aldis_id to, aldis_resent *out_resent);

/**
 * Name the one actor that handles dead letters: it gets aldis_dead_notice, and may read and resend
 * from its handlers. Nobody: none does any more. Its own dead mail is kept like any other.
 *
 * Thread: any but the system's own; in virtual time between runs.
 * Errors: ALDIS_ENOTFOUND, ALDIS_ESTALE the actor; ALDIS_EUNACCEPTED its protocol does not list
 *         aldis_dead_notice; ALDIS_EINVAL; ALDIS_ESTATE.
 */
ALDIS_API aldis_err aldis_system_dead_letters_to(aldis_system *system, aldis_id actor);

#ifdef __cplusplus
}
#else
#define aldis_dead_letters(from, ...) ALDIS_FROM_(from, dead_letters)((from), __VA_ARGS__)
#define aldis_dead_letters_resend(from, ...)                                                       \
    ALDIS_FROM_(from, dead_letters_resend)((from), __VA_ARGS__)
#endif

#endif
