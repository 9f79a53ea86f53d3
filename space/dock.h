// SPDX-License-Identifier: Apache-2.0
/* dock.h: the berths of a station and the queue for them. Layer: space; no actor, no clock.
 *
 * The rules: a ship that asks gets a free berth that it fits into, the smallest first; else a place
 * at the end of the queue; else, when the queue is full or no berth is large enough, a refusal. A
 * berth that becomes free goes to the ship that has waited longest among those that fit into it. So
 * each request is answered, ships of one size are served in the order in which they asked, and a
 * ship at the head of the queue gets the next berth that it fits into: none starves. A station may
 * bound the wait, too: who has waited longer is refused, so who is served has not.
 *
 * How long a wait will be is told by the turns that were measured: all that a ship does from its
 * permission until it leaves, of which approach and service are only a part.
 *
 * A berth is free -> held (a ship has permission) -> taken (it has docked) -> leaving (it has been
 * served) -> free; from every state it may become free at once. Each change gets a new number, so
 * that a timer of an earlier state, or for an earlier ship, does nothing. */
#ifndef SPACE_DOCK_H
#define SPACE_DOCK_H

#include "scenario.h"

#define DOCK_BERTHS_MAX (2 * SCENARIO_BERTHS_MAX)

enum dock_verdict { DOCK_GRANTED, DOCK_QUEUED, DOCK_FULL, DOCK_TOO_LONG };

enum berth_state { BERTH_FREE, BERTH_HELD, BERTH_TAKEN, BERTH_LEAVING };

struct dock_berth {
    enum berth_state state;
    uint32_t change; /**< counts its changes of state */
    aldis_id ship;
    aldis_ns visit;     /**< the ship's name for it: see dock_set_visit */
    aldis_ns held_ns;   /**< when the ship got its permission */
    aldis_ns served_ns; /**< taken: when the service ends; leaving: when it did */
    aldis_ns timer_ns;  /**< when the station looks at it next */
    bool prolonged;     /**< taken: the service takes longer, as was asked for */
    bool housed;        /**< its crew is in the station's quarters */
};

struct dock_place {
    aldis_id ship;
    double length_m;
    aldis_ns asked_ns;
    aldis_ns visit;
};

/** The mean of all times measured; once there are DOCK_MEAN_OF, each new one counts as much as a
 *  DOCK_MEAN_OF-th part (an exponential moving average). */
struct dock_mean {
    aldis_ns mean_ns;
    uint32_t count;
    uint32_t unused;
};
#define DOCK_MEAN_OF 64

struct dock {
    const struct scenario_station *station; /**< borrowed */
    uint32_t berth_count;
    uint32_t queue_count;
    uint32_t long_count;       /**< of those in the queue: too long for an ordinary berth */
    uint64_t history;          /**< a digest of every change, in its order: equal docks have equal
                                    ones, and it need not be made of all who wait each time */
    struct dock_mean turn;     /**< from permission to leaving */
    struct dock_mean leave;    /**< from the end of a service to leaving */
    struct dock_mean late;     /**< beyond what was expected, of those that took longer */
    struct dock_berth *berths; /**< the ordinary ones first, then the large ones */
    struct dock_place *queue;  /**< room for the station's limit */
};

/** What a ship is told. */
struct dock_answer {
    enum dock_verdict verdict;
    bool anew; /**< granted now, not told again */
    aldis_id ship;
    uint32_t berth, change;     /**< granted */
    uint32_t place;             /**< queued: 1 is next */
    aldis_ns wait_ns;           /**< granted: since it asked */
    aldis_ns estimated_wait_ns; /**< queued: until its permission */
};

/** Bytes for the berths and the queue of a station: at most DOCK_BYTES_MAX, a multiple of 8. */
size_t dock_bytes(const struct scenario_station *station);
#define DOCK_BYTES_MAX                                                                             \
    (DOCK_BERTHS_MAX * sizeof(struct dock_berth) + SCENARIO_QUEUE_MAX * sizeof(struct dock_place))

/** All free, none waits. turn_ns: how long a turn is until the first ones have been measured.
 *  memory: of dock_bytes(), aligned as malloc does; borrowed. */
void dock_init(struct dock *dock, const struct scenario_station *station, aldis_ns turn_ns,
               void *memory);

/** A ship asks. Asking again changes nothing: it is told what it has. */
struct dock_answer dock_ask(struct dock *dock, aldis_id ship, double length_m, aldis_ns now_ns);

/** Take the ship that has waited longest out of the queue, if that is longer than the station lets
 *  them wait; false: none has. Call it until it says false, before dock_next(). */
bool dock_shed(struct dock *dock, aldis_ns now_ns, aldis_id *out_ship);

/** Give a free berth to the first ship in the queue that fits into one; false: there is none. Call
 *  it until it says false whenever a berth became free. */
bool dock_next(struct dock *dock, aldis_ns now_ns, struct dock_answer *out_answer);

enum dock_arrival { DOCK_ARRIVED, DOCK_THERE_ALREADY, DOCK_NOT_HELD };

/** A ship has docked at the berth that it holds; it will be served for service_ns. Gives the
 *  number of the change. DOCK_NOT_HELD: its permission has expired, or never was. */
enum dock_arrival dock_arrive(struct dock *dock, aldis_id ship, uint32_t berth, aldis_ns now_ns,
                              aldis_ns service_ns, uint32_t *out_change);

/** The ship in a taken berth wants more done, which takes so much longer. false: it has none, or
 *  has asked before. Else gives the berth and the number of the change. */
bool dock_prolong(struct dock *dock, aldis_id ship, aldis_ns more_ns, uint32_t *out_berth,
                  uint32_t *out_change);

/** Are there quarters for the ship's crew? It may have some already. */
bool dock_has_quarters(const struct dock *dock, aldis_id ship);

/** Give quarters to the crew of a ship in a taken berth, until it leaves that. Nothing changes if
 *  there are none for it. */
void dock_house(struct dock *dock, aldis_id ship);

/** When the ship's service ends; 0: it is in no berth, or has been served. */
aldis_ns dock_service_end(const struct dock *dock, aldis_id ship);

/** The ship in a taken berth has been served and is to leave. Gives the number of the change. */
uint32_t dock_served(struct dock *dock, uint32_t berth, aldis_ns now_ns);

/** When the state of a berth that is not free is to end at the latest: taken, its service; else the
 *  station's patience with the ship. */
aldis_ns dock_due(const struct dock *dock, const struct dock_berth *berth);

/** A ship leaves its berth, or gives up its permission or its place. false: it has none. */
bool dock_leave(struct dock *dock, aldis_id ship, aldis_ns now_ns);

/** Has the ship a berth, the permission for one, or a place in the queue? */
bool dock_has(const struct dock *dock, aldis_id ship);

/** What it has belongs to one visit of the ship, which a rising number names; 0 when it was not
 *  said. Nothing changes if it has nothing. */
void dock_set_visit(struct dock *dock, aldis_id ship, aldis_ns visit);
/** -1: it has nothing. */
aldis_ns dock_visit(const struct dock *dock, aldis_id ship);

/** Is the ship in a berth (and not only on its way to one)? */
bool dock_has_berth(const struct dock *dock, aldis_id ship);

/** The berth, if its last change is this one; else NULL. */
const struct dock_berth *dock_since(const struct dock *dock, uint32_t berth, uint32_t change);

#endif
