// SPDX-License-Identifier: Apache-2.0
/* router.h: the router of a system, as its two halves share it: names and changes in router.c, what
 * is sent to many in topics.c. Layer: messaging. */
#ifndef ALDIS_MESSAGING_ROUTER_H
#define ALDIS_MESSAGING_ROUTER_H

#include "core/multicast.h"
#include "messaging/snapshot.h"

/* What one worker has, on lines of its own. */
struct aldis__seat {
    _Alignas(64) struct aldis__view view;
};

struct aldis__places;

struct aldis__router {
    struct aldis__extension extension;
    aldis_system *system;
    pthread_mutex_t lock;
    struct aldis__registry registry; /* under lock, but for its versions */
    struct aldis__places *places;
    struct aldis__table causal_groups; /* under lock; see causal.h */
    uint32_t causal_numbers;           /* given so far */
    uint64_t lost;                     /* registrations lost at the end of a window */
    /* Subscriptions of this window, which are still to be given last values. */
    struct aldis__change *late, **late_end;
    struct aldis__seat seats[]; /* by worker */
};

enum aldis__request_kind {
    ALDIS__REQUEST_SUBSCRIBE,
    ALDIS__REQUEST_UNSUBSCRIBE,
    ALDIS__REQUEST_REGISTER,
    ALDIS__REQUEST_UNREGISTER,
    ALDIS__REQUEST_JOIN, /* a causal group */
    ALDIS__REQUEST_LEAVE,
    ALDIS__REQUEST_KEEP, /* terms.bound: does the topic keep its last value? */
    ALDIS__REQUEST_LAST  /* this is it */
};

/* A change of the tables. */
struct aldis__request {
    enum aldis__request_kind kind;
    aldis_id actor; /* whom it concerns */
    struct aldis__key key;
    struct aldis__last *last;  /* ALDIS__REQUEST_LAST */
    struct aldis__terms terms; /* of a subscription; bound: what a member holds back */
};

/** Check a handler's context and find the router, or make it. ALDIS_EINVAL, ALDIS_ENOMEM. */
aldis_err aldis__router_enter(aldis_ctx *ctx, const char *call, struct aldis__router **out_router);
/** Check a call from outside and find the router, or make it. ALDIS_ESTATE, ALDIS_ENOMEM, ... */
aldis_err aldis__router_enter_outside(aldis_system *system, const char *call,
                                      struct aldis__router **out_router);
/** The router of a system to look at, from any thread; NULL: there is none. */
struct aldis__router *aldis__router_to_read(aldis_system *system);

/** Make a subscription, or end it, from a handler: in virtual time at the end of the window. */
aldis_err aldis__router_ask(struct aldis__router *router, aldis_ctx *ctx,
                            const struct aldis__request *request);
/** The same from outside. */
aldis_err aldis__router_ask_outside(struct aldis__router *router,
                                    const struct aldis__request *request);

/** The places of a system; the router is made at its first use. NULL: out of memory. */
struct aldis__places *aldis__router_places(aldis_system *system);

/** Flags of aldis_fanout_flags only? ALDIS_EINVAL; `call` is how the text begins. */
aldis_err aldis__fanout_check_flags(const char *call, unsigned flags);
/** End a multicast and say what it did; ALDIS_ENOSUBS if flags ask for it. */
aldis_err aldis__fanout_finish(struct aldis__multicast *cast, unsigned flags, const char *what,
                               aldis_fanout *out_fanout);

/** Add the text to an error of the tables. */
aldis_err aldis__router_told(aldis_err err, const char *call);

/** Does the actor live, as the directory says? */
bool aldis__router_is_alive(aldis_system *system, aldis_id actor);

static inline struct aldis__view *aldis__router_view(struct aldis__router *router, aldis_ctx *ctx)
{
    return &router->seats[aldis__worker_of(ctx)->index].view;
}

/* How much the tables hold: for tests. */
struct aldis__router_sizes {
    size_t actors;        /* with a name or a subscription */
    size_t names, topics; /* topics: also those that only a worker's snapshot watches */
    size_t subscriptions, groups;
    size_t nodes; /* of the three tries */
};

/** Thread: any. */
struct aldis__router_sizes aldis__router_sizes(aldis_system *system);

#endif
