// SPDX-License-Identifier: Apache-2.0
/* last.h: the last value of a topic, kept for those who subscribe later. Layer: messaging.
 *
 * Live, a publication to a topic that keeps its last value stores it and takes its list of
 * receivers under one hold of the router's lock, and a subscription is made and given the value
 * under one: so who subscribes meanwhile gets a publication as the last value or as a publication,
 * and never both. In virtual time values are stored at the end of the window, in logical order, and
 * those who have subscribed in it get what is the last one then. */
#ifndef ALDIS_MESSAGING_LAST_H
#define ALDIS_MESSAGING_LAST_H

#include "messaging/router.h"

/* A publication. */
struct aldis__last {
    aldis_id from;
    uint32_t type, size;
    _Alignas(16) unsigned char bytes[];
};

/** A copy of what is published; NULL: out of memory. */
struct aldis__last *aldis__last_make(aldis_id from, uint32_t type, const void *payload,
                                     size_t size);

/** Under the router's lock: give a new subscriber the last values that its subscription matches, in
 *  the order of their topics' bytes. worker: who sends them: the actor's own, live; any, when
 *  nothing runs; NULL: live, from outside, under the system's lock. */
void aldis__last_give(struct aldis__router *router, struct aldis__worker *worker,
                      const struct aldis__request *request);

#endif
