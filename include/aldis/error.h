// SPDX-License-Identifier: Apache-2.0
/* error.h: every error that Aldis reports, in one list. Layer: public.
 *
 * A caller's mistake is ALDIS_EINVAL or ALDIS_ESTATE; the world's fault has its own value; our own
 * bug aborts with a text. Numbers are stable: new errors are added at the end. */
#ifndef ALDIS_ERROR_H
#define ALDIS_ERROR_H

#include <aldis/types.h>
#include <aldis/version.h>

/** X(name, value, text) */
#define ALDIS_ERROR_LIST(X)                                                                        \
    X(ALDIS_OK, 0, "ok")                                                                           \
    X(ALDIS_EINVAL, 1, "invalid argument")                                                         \
    X(ALDIS_ESTATE, 2, "invalid state for this call")                                              \
    X(ALDIS_ENOTFOUND, 3, "actor not found")                                                       \
    X(ALDIS_ESTALE, 4, "actor unavailable: it has stopped")                                        \
    X(ALDIS_ESHUTDOWN, 5, "shutting down")                                                         \
    X(ALDIS_EHANDLER, 6, "handler failed")                                                         \
    X(ALDIS_ECOMM, 7, "communication failed")                                                      \
    X(ALDIS_EFULL, 8, "queue full")                                                                \
    X(ALDIS_ERATE, 9, "rate limited")                                                              \
    X(ALDIS_ENOSUBS, 10, "no subscribers")                                                         \
    X(ALDIS_ENORECEIVER, 11, "receiver gone")                                                      \
    X(ALDIS_ENOSENDER, 12, "all senders gone")                                                     \
    X(ALDIS_ETIMEDOUT, 13, "timed out")                                                            \
    X(ALDIS_ETOOLARGE, 14, "too large")                                                            \
    X(ALDIS_ECODEC, 15, "cannot be encoded or decoded")                                            \
    X(ALDIS_ENETWORK, 16, "network failed")                                                        \
    X(ALDIS_EIO, 17, "input or output failed")                                                     \
    X(ALDIS_ENOMEM, 18, "out of memory")                                                           \
    X(ALDIS_EAGAIN, 19, "no room now, try again")                                                  \
    X(ALDIS_EEXISTS, 20, "name already taken")                                                     \
    X(ALDIS_EUNACCEPTED, 21, "message type not accepted by the receiver")                          \
    X(ALDIS_EDROPPED, 22, "dropped by the mailbox policy")                                         \
    X(ALDIS_EEXPIRED, 23, "expired before it was handled")                                         \
    X(ALDIS_ELOOKAHEAD, 24, "delay below the lookahead")                                           \
    X(ALDIS_ELOOP, 25, "zero-delay messages go round in a loop")                                   \
    X(ALDIS_EAUDIT, 26, "messages lost or invented: the audit does not balance")                   \
    X(ALDIS_EREFUSED, 27, "refused by the receiver in its present state")                          \
    X(ALDIS_EMISSED, 28, "messages missed: the receiver lagged")                                   \
    X(ALDIS_ETRANSITION, 29, "no such transition is declared")                                     \
    X(ALDIS_ECONTRACT, 30, "contract broken")                                                      \
    X(ALDIS_EBUDGET, 31, "handler over its time budget")                                           \
    X(ALDIS_ERESTARTS, 32, "too many restarts")                                                    \
    X(ALDIS_ELINKED, 33, "a linked actor failed")                                                  \
    X(ALDIS_ENOREPLY, 34, "the handler ended without a reply")                                     \
    X(ALDIS_EDEADLOCK, 35, "actors wait for each other")                                           \
    X(ALDIS_ESHED, 36, "shed by an overloaded mailbox")

typedef enum aldis_err {
#define ALDIS_ERROR_ENUM_(name, value, text) name = value,
    ALDIS_ERROR_LIST(ALDIS_ERROR_ENUM_)
#undef ALDIS_ERROR_ENUM_
} aldis_err;

/** What stands beside an error value: read it right after the failed call, on the same thread. */
typedef struct aldis_error_info {
    aldis_err err;         /**< the value that the call returned */
    aldis_id actor;        /**< the actor it concerns, or ALDIS_NOBODY */
    const char *type_name; /**< the message type it concerns, or "" */
    const char *text;      /**< one sentence with the facts: names, limits, what was found */
} aldis_error_info;

#ifdef __cplusplus
extern "C" {
#endif

/** The text of err ("queue full"). Owner: static. Thread: any. Unknown values give "unknown
 *  error". */
ALDIS_API const char *aldis_error_text(aldis_err err);

/** The name of err ("ALDIS_EFULL"). Owner: static. Thread: any. Unknown values give "ALDIS_E?". */
ALDIS_API const char *aldis_error_name(aldis_err err);

/**
 * The details of the last Aldis call on this thread that failed.
 *
 * Owner:  borrowed; it is overwritten by the next failing call on this thread.
 * Thread: any; each thread has its own.          Blocks: never.
 */
ALDIS_API const aldis_error_info *aldis_error_last(void);

#ifdef __cplusplus
}
#endif
#endif
