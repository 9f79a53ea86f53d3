// SPDX-License-Identifier: Apache-2.0
/* mind_leaves.h: minds of ships and stations: what their leaves ask and do, and when they are
 * ticked. Layer: space.
 *
 * A ship's mind is ticked when the ship has something to decide: at each look while it is under
 * way, when its rest ends, when it has been served in a berth, and when it hears a call for help. A
 * station's is ticked before it judges a request for a berth. */
#ifndef SPACE_MIND_LEAVES_H
#define SPACE_MIND_LEAVES_H

#include "mind.h"
#include "protocol.h"

struct minds;
struct ship;
struct station;

/** Tables that end with a name of NULL. */
extern const struct mind_leaf ship_leaves[], station_leaves[];

/** A tree that is built in. */
struct mind_plan {
    const char *name;
    const struct mind_step *steps;
    uint32_t count;
};

/** "trader", "hauler", "patrol", "rescue", "pirate"; NULL: there is none of that name. */
const struct mind_plan *mind_plan_find(const char *name);

/** All of them, by number from 0. NULL: there are no more. */
const struct mind_plan *mind_plan_at(uint32_t number);

/** Does it have a mind? Else it goes its round without one. */
bool ship_has_mind(const struct ship *self);

/** Is it one that raids others? It does not take fright of its like. */
bool ship_is_pirate(const struct ship *self);

/** Its rest has ended: what now? */
aldis_err ship_think_at_rest(struct ship *self, aldis_ctx *ctx);

/** It has been served. If its mind has nothing for it to do there it leaves. */
aldis_err ship_think_in_berth(struct ship *self, aldis_ctx *ctx);

/** It is under way. true: it has turned to something else, with *out_err; else it goes on. */
bool ship_think_under_way(struct ship *self, aldis_ctx *ctx, aldis_err *out_err);

/** The station's mind, if it has one, decides whether the docks are open. */
void station_think(struct station *self, aldis_ctx *ctx);

/** Make the minds of a scenario's ships and stations in its books. false: no memory. */
bool minds_init(struct minds *minds, const struct scenario *scenario);
void minds_fini(struct minds *minds);
uint64_t minds_bytes(const struct scenario *scenario);

/** The tree and the mind of a ship or a station; NULL: it has none. At rest, or its own. */
struct mind *ship_mind(const struct ship *self, const struct mind_tree **out_tree);

#endif
