// SPDX-License-Identifier: Apache-2.0
/* multicast.h: one payload for many receivers, and what else the router needs of the core. Layer:
 * core.
 *
 * The payload is stored once, in the sender's pool; what each receiver gets is a block with a
 * header and a pointer. The sender's worker alone counts the references: in bulk when all is sent,
 * and one by one when the receivers' blocks have come home.
 *
 *     struct aldis__multicast cast;
 *     err = aldis__multicast_begin(&cast, worker, type, payload, size, to_self);
 *     aldis__multicast_ids(&cast, ids, count);      or aldis__multicast_all(&cast, kind);
 *     aldis__multicast_end(&cast);
 *
 * Nothing of it parks the sender: ALDIS_WAIT at a full mailbox is a refusal here. */
#ifndef ALDIS_CORE_MULTICAST_H
#define ALDIS_CORE_MULTICAST_H

#include "core/mailbox.h"

struct aldis__multicast {
    struct aldis__worker *worker;
    struct aldis__shared *shared;
    aldis_id self;    /* gets none; nobody: it does */
    uint32_t type;    /* index */
    uint32_t class;   /* the size class that each message counts as */
    uint64_t blocks;  /* made for this multicast: references to the payload */
    uint64_t matched; /* = delivered + rejected + dropped */
    uint64_t delivered, rejected, dropped;
    uint64_t refused;          /* of those delivered first: refused on arrival, and counted there */
    aldis_ns delay_ns;         /* as in aldis_send_opts */
    struct aldis__track track; /* of the message that is being made; tracker NULL: none */
    uint64_t skipped;          /* receivers whose kind does not accept the type */
};

/** Check the payload and store it. ALDIS_EINVAL, ALDIS_ETOOLARGE, ALDIS_ENOMEM. */
aldis_err aldis__multicast_begin(struct aldis__multicast *cast, struct aldis__worker *worker,
                                 aldis_type *type, const void *payload, size_t size, bool to_self);

/* What is to stand behind the payload: the topic, with its NUL, and perhaps more. */
struct aldis__topic_text {
    const char *text;
    size_t size; /* of all but one byte */
};

/** The same on a topic, for which handlers may ask. The item has been checked. ALDIS_ENOMEM. */
aldis_err aldis__multicast_begin_on(struct aldis__multicast *cast, struct aldis__worker *worker,
                                    const struct aldis__topic_text *topic,
                                    const aldis_send_item *item, bool to_self);

/** Send to each of these, in order. Ids must be of this system; those that have ended are passed
 *  over. */
void aldis__multicast_ids(struct aldis__multicast *cast, const aldis_id *ids, size_t count);

/** The same to subscriptions with bounds: see bound.h. bounds: one for each, 0: none. */
void aldis__multicast_bounded(struct aldis__multicast *cast, const aldis_id *ids,
                              const uint64_t *bounds, size_t count);

/** The same to one actor, with cast->track and cast->delay_ns as they are set. */
void aldis__multicast_tracked(struct aldis__multicast *cast, aldis_id to);
/** Where the topic stands in such a message, in bytes behind the track. */
size_t aldis__multicast_topic_place(const struct aldis__multicast *cast);

/** Send to one of these, at least 1; bounds as above, or NULL. It is drawn by (seed, sender,
 *  its count); who takes none now, as far as can be seen from here, is passed over. */
void aldis__multicast_one(struct aldis__multicast *cast, const aldis_id *ids,
                          const uint64_t *bounds, size_t count);

/** Send to all actors of the system, or of one kind; in the order of their slots. */
void aldis__multicast_all(struct aldis__multicast *cast, const aldis_behaviour *kind);

/** Count what was sent, and let go of the payload. */
void aldis__multicast_end(struct aldis__multicast *cast);

/** From a worker, live: the end of this actor is to be told to the router. */
void aldis__routed_mark(struct aldis__worker *worker, aldis_id actor);
/** The same when nothing runs: at the end of a window, or from outside between two of them. */
void aldis__routed_mark_at_rest(aldis_system *system, aldis_id actor);
/** The same from outside, live, under the system's lock. ALDIS_ENOMEM. */
aldis_err aldis__routed_mark_outside(aldis_system *system, aldis_id actor);

#endif
