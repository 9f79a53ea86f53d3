// SPDX-License-Identifier: Apache-2.0
/* link.h: an actor's links in virtual time. Layer: core. Threads: the sender's worker. */
#ifndef ALDIS_CORE_LINK_H
#define ALDIS_CORE_LINK_H

#include "core/cell.h"
#include <aldis/link.h>

enum { ALDIS__LINKS_PER_ACTOR = 65536 };

struct aldis__link {
    aldis_id to;
    aldis_ns latency_ns; /* 0: the system's default */
    aldis_ns last_ns;    /* when the last message over it arrives */
    bool fifo;
};

/* Of one actor, by id. */
struct aldis__links {
    uint32_t count, capacity;
    struct aldis__link items[];
};

/** The delay of a send to `to` that names none: the link's, or default_ns. For cells with
 *  ALDIS__CELL_LINKED. */
aldis_ns aldis__link_delay(const struct aldis__cell *sender, aldis_id to, aldis_ns default_ns);

/** A message to `to` is about to be stamped with at_ns: when does it arrive? Notes the answer. For
 *  cells with ALDIS__CELL_LINKED. */
aldis_ns aldis__link_pass(const struct aldis__cell *sender, aldis_id to, aldis_ns at_ns);

/** Is there a link to `to` that keeps the order? For cells with ALDIS__CELL_LINKED. */
bool aldis__link_is_fifo(const struct aldis__cell *sender, aldis_id to);

#endif
