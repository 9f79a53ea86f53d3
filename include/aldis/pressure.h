// SPDX-License-Identifier: Apache-2.0
/* pressure.h: what a system does when actors wait for each other. Layer: public.
 *
 * Under ALDIS_WAIT a sender whose message found a full mailbox is parked until there is room. Two
 * actors that are parked for each other, both with full mailboxes, would wait for ever; so would
 * three in a ring. The system looks for such cycles, names them, and breaks them by its policy
 * (`cycle_policy` of aldis_system_opts). In virtual time a cycle is found at the end of a window,
 * at most 250 ms after it has closed, at the same instant on any number of workers; live within a
 * second. No cycle is reported that is not one. */
#ifndef ALDIS_PRESSURE_H
#define ALDIS_PRESSURE_H

#include <aldis/types.h>

/** How a cycle of actors that wait for each other is broken. */
typedef enum aldis_cycle_policy {
    ALDIS_CYCLE_DEFAULT = 0, /**< ALDIS_CYCLE_FAIL */
    ALDIS_CYCLE_FAIL, /**< the one that has waited longest gives up: what it kept for the next is
                           rejected with ALDIS_EDEADLOCK; it is told (on_undelivered) and goes on */
    ALDIS_CYCLE_STOP, /**< the one that has waited longest is stopped */
    ALDIS_CYCLE_HALT  /**< aldis_system_run returns ALDIS_EDEADLOCK; the cycle stays */
} aldis_cycle_policy;

/** One of the actors that wait in a ring. */
typedef struct aldis_cycle_member {
    aldis_id actor;
    const char *kind;      /**< its behaviour's name */
    const char *type_name; /**< of the oldest message that it keeps for the next; static */
    uint32_t depth_msgs;   /**< in its own, full mailbox */
    uint32_t kept_msgs;    /**< that it keeps for the next */
    aldis_ns parked_ns;    /**< since when it is parked, by the system's clock */
} aldis_cycle_member;

/** A cycle: each member waits for the next, the last one for the first. */
typedef struct aldis_cycle {
    const aldis_cycle_member *members; /**< the first has waited longest; borrowed for the call */
    size_t count;                      /**< 2 or more */
    aldis_ns at_ns;                    /**< when it was found */
    aldis_cycle_policy policy;         /**< by which it is broken */
} aldis_cycle;

#endif
