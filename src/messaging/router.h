// SPDX-License-Identifier: Apache-2.0
/* router.h: what the tests look at inside the router. Layer: messaging. */
#ifndef ALDIS_MESSAGING_ROUTER_H
#define ALDIS_MESSAGING_ROUTER_H

#include <aldis/types.h>

/* How much the tables hold. */
struct aldis__router_sizes {
    size_t actors;        /* with a name or a subscription */
    size_t names, topics; /* topics: also those that only a worker's snapshot watches */
    size_t subscriptions;
};

/** Thread: any. */
struct aldis__router_sizes aldis__router_sizes(aldis_system *system);

#endif
