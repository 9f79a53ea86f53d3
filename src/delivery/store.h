// SPDX-License-Identifier: Apache-2.0
/* store.h: the file behind durable messages, and the thread that writes it. Layer: delivery.
 *
 * Threads: every call is for any thread; the lock is held for short, never while the file is
 * written. Changes are committed in the order in which they were put; many in one transaction. In
 * virtual time each is committed at once, by whoever puts it, so that what follows from it does not
 * depend on a thread. */
#ifndef ALDIS_DELIVERY_STORE_H
#define ALDIS_DELIVERY_STORE_H

#include "core/system.h"
#include <aldis/store.h>

enum aldis__change_kind {
    ALDIS__CHANGE_NAME,    /* bytes: the name of endpoint `receiver` */
    ALDIS__CHANGE_ACCEPT,  /* bytes: the frame; into the outbox */
    ALDIS__CHANGE_CONFIRM, /* out of the outbox */
    ALDIS__CHANGE_SAVE /* bytes: the receiver's state, then done_count of what is done with it */
};

/* Up to this number all of a sender is done. */
struct aldis__done {
    uint64_t number;
    uint32_t sender, reserved;
};

struct aldis__change {
    struct aldis__change *next;
    enum aldis__change_kind kind;
    uint32_t sender, receiver; /* endpoints */
    uint64_t number, context;
    aldis_system *system; /* who is told when it is committed; NULL: nobody */
    aldis_id actor;
    aldis_id peer; /* as the actor wants it back */
    uint64_t bits;
    /* A state holds the effect of all that its receiver has handled. So once a save has failed, a
     * later one is refused unless it names all of that as done: it would keep effects whose
     * messages come again. */
    bool whole;   /* it does */
    bool refused; /* the store's: it was not written */
    uint32_t done_count;
    size_t size; /* save: of the state */
    _Alignas(8) unsigned char bytes[];
};

/** What a save names as done: behind the state. */
static inline struct aldis__done *aldis__change_done(struct aldis__change *change)
{
    return (struct aldis__done *)(void *)(change->bytes + ((change->size + 7) & ~(size_t)7));
}

/* What an actor is told of its change. */
struct aldis__committed {
    uint64_t number, context, bits;
    aldis_id peer;
    uint32_t sender, receiver;
    uint16_t kind, result;
    uint32_t whole;
};

/** A change with room for size bytes; the rest is zero. NULL: out of memory. */
struct aldis__change *aldis__change_new(enum aldis__change_kind kind, size_t size);

/** Commit it, sooner or later; the actor is told by deliver_committed (durable.c). Takes change
 *  on ALDIS_OK. ALDIS_EAGAIN: too many wait (never for a confirmation). */
aldis_err aldis__store_put(aldis_store *store, struct aldis__change *change);

/** The number of a name, made if need be. 0: out of memory, or 2^18 - 1 are taken. */
uint32_t aldis__store_endpoint(aldis_store *store, const char *name);
/** Who is that endpoint now: nobody, or the actor that has opened it. */
aldis_id aldis__store_actor(aldis_store *store, uint32_t endpoint);
/** The endpoint is this actor now (nobody: no one). ALDIS_EEXISTS: another one is it. */
aldis_err aldis__store_occupy(aldis_store *store, uint32_t endpoint, aldis_system *system,
                              aldis_id actor);
void aldis__store_vacate(aldis_store *store, uint32_t endpoint, aldis_id actor);
/** The endpoint's system is being destroyed: nobody there is told of anything any more. What was
 *  put is committed all the same. */
void aldis__store_detach(aldis_store *store, uint32_t endpoint);

/* What an endpoint has in the file, in order: told by calls. */
struct aldis__store_reader {
    void *arg;
    aldis_err (*state)(void *arg, const void *bytes, size_t size);
    aldis_err (*done)(void *arg, uint32_t sender, uint64_t number);
    aldis_err (*next)(void *arg, uint32_t receiver, uint64_t number);
    aldis_err (*pending)(void *arg, uint32_t receiver, uint64_t number, uint64_t context,
                         const void *frame, size_t size);
};

/** Read it, after all that was put is committed. ALDIS_EIO; else what a call returned. */
aldis_err aldis__store_read(aldis_store *store, uint32_t endpoint,
                            const struct aldis__store_reader *reader);

/* For a test of the tests only, which sets it before it makes a system: acknowledge at once, and
 * commit the effect only with every eighth message. */
extern bool aldis__delivery_acks_first;

/** In durable.c: an actor is told. From the store's thread, or from the actor's worker. */
void aldis__durable_committed(const struct aldis__change *change, aldis_err result);

#endif
