// SPDX-License-Identifier: Apache-2.0
/* ask.h: what the two sides of a request share. Layer: messaging.
 *
 * A request is a tracked message (core/tracked.h): its track names the asker (a) and the serial of
 * the ask in the asker's table (b). Whatever becomes of it, one message goes back: the reply, whose
 * place the asker has reserved, or a posted reason. The first that comes closes the entry of that
 * serial; serials are never used twice, so what comes later finds nothing.
 *
 *     asker (ask.c)             who is asked (answer.c)      neither
 *     -------------             -----------------------      -------
 *     aldis_ask: entry, alarm   handler: aldis_reply,        refused, dropped, dead:
 *     on_reply: entry freed     forward, promise; if none:   the track's ended() posts why
 *     alarm: timed out          the track's handled() posts
 *
 * An outside thread (call.c) has no table: its asker is nobody, its serial a ticket. */
#ifndef ALDIS_MESSAGING_ASK_H
#define ALDIS_MESSAGING_ASK_H

#include "core/part.h"
#include "core/timer.h"
#include "core/tracked.h"
#include "core/worker.h"
#include "messaging/due.h"
#include <aldis/ask.h>

/* Of a serial: the entry's index, and above it how often the entry has been used. */
enum { ALDIS__ASK_INDEX_BITS = 20 };
#define ALDIS__ASK_INDEX_MASK ((UINT64_C(1) << ALDIS__ASK_INDEX_BITS) - 1)

/* One ask that waits for its answer. */
struct aldis__ask {
    struct aldis__due_link link; /* due_ns: its deadline; next: of the free list, too */
    uint64_t serial;             /* of this use; of the next, while it is free */
    const aldis_on_reply *on_reply;
    aldis_id to;
    uint64_t context;
    aldis_ns parent_ns; /* the deadline of the work that asked */
    bool used;
};

/* One answer that is owed: a request whose handler has taken the promise. */
struct aldis__owed {
    uint64_t serial; /* of this use: the promise's bits; of the next, while it is free */
    aldis_id asker;
    uint64_t ask;        /* the asker's serial */
    uint32_t next;       /* of the free list */
    uint16_t reply_type; /* index */
    uint8_t rank;
    bool used;
};

/* What an actor that asks or promises keeps. */
struct aldis__asks {
    struct aldis__part part;
    struct aldis__alarm alarm; /* for the earliest deadline */
    struct aldis__ask *asks;
    uint32_t count, capacity, free; /* free: index + 1; 0: none */
    struct aldis__owed *owed;
    uint32_t owed_count, owed_capacity, owed_free;
    struct aldis__due due;
};

/** The asks of an actor; NULL: it has none. */
struct aldis__asks *aldis__asks_of(const struct aldis__cell *cell);
/** The same, made at first use. NULL: out of memory. */
struct aldis__asks *aldis__asks_make(struct aldis__cell *cell);

/** The tracker of requests, of replies, and of reasons why there is none. */
extern const struct aldis__tracker aldis__ask_request;
extern const struct aldis__tracker aldis__ask_reply;
extern const struct aldis__tracker aldis__ask_failure;

/** Of the tracker of any request: see aldis__ask_request. */
aldis_err aldis__request_reply(aldis_ctx *ctx, struct aldis__track *track, aldis_type *type,
                               const void *payload, size_t size);
void aldis__request_handled(struct aldis__worker *worker, struct aldis__cell *cell,
                            struct aldis__msg *msg, struct aldis__track *track, aldis_err err);

/** The reply to a request that was seen to: refused. */
aldis_err aldis__reply_twice(aldis_ctx *ctx, struct aldis__track *track, aldis_type *type,
                             const void *payload, size_t size);

/** A request that will not be answered: tell who asked. */
void aldis__ask_fail(struct aldis__worker *worker, aldis_id from, const struct aldis__track *track,
                     aldis_err err);

/** Note which type answers another; in all of the process it is the same. ALDIS_EINVAL. */
aldis_err aldis__request_resolve(const aldis_request *request);
/** The index of the type that answers this one; 0: it is no request. */
uint32_t aldis__reply_type_of(uint32_t type);

/** An outside thread's request has its answer: the payload of the reply, or a reason. False: the
 *  caller has gone. */
bool aldis__call_complete(uint64_t ticket, aldis_err err, const void *payload, size_t size);

/** The actor ends: what it owes will not come. */
void aldis__owed_fail(struct aldis__worker *worker, struct aldis__cell *cell,
                      struct aldis__asks *asks);

#endif
