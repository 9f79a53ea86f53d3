// SPDX-License-Identifier: Apache-2.0
/* cycle.h: actors that are parked for each other. Layer: core.
 *
 * An actor can take part in a cycle only if it is stuck: parked (it handles no ordinary mail) and
 * full (nobody can send to it). Each shard keeps a list of its stuck actors. From it a graph is
 * built: a node for each, an edge to each other stuck actor for which it keeps messages. A cycle in
 * that graph is a deadlock (the AND model: a parked actor goes on when all have taken what it keeps
 * for them), and stays one until somebody ends an actor or this module breaks it: a stuck actor
 * handles nothing, so it does not fall below its low water, so nobody's wait for it ends.
 *
 * Virtual time looks at the end of a window, when everything stands still. Live, nobody stops: each
 * worker adds its own stuck actors to a graph in rounds. A wait that two rounds in a row have seen
 * unchanged (its epoch says so) held at the instant between them, and so did all that are seen so:
 * what they form together was real at that instant.
 *
 * Every change that may close a cycle makes a note, and looks go on only while there are new ones:
 * a system that is merely full costs nothing. */
#ifndef ALDIS_CORE_CYCLE_H
#define ALDIS_CORE_CYCLE_H

#include "core/system.h"

struct aldis__wait_edge {
    aldis_id to;
    uint32_t node; /* of `to`; ALDIS__NO_NODE: it is not stuck */
    uint32_t type; /* of the oldest message kept for it */
    uint32_t kept;
};
#define ALDIS__NO_NODE UINT32_MAX

struct aldis__wait_node {
    aldis_id actor;
    const char *kind;
    aldis_ns parked_ns;
    uint32_t epoch, depth;
    uint32_t edge, edge_count; /* its edges, one after the other */
    uint32_t order, low;       /* Tarjan's, and then the search's */
    uint32_t component, next;
    uint32_t from, from_edge;
    bool reported; /* as the first of a cycle: once is enough */
};

struct aldis__wait_graph {
    struct aldis__wait_node *nodes;
    struct aldis__wait_edge *edges;
    uint32_t *stack; /* scratch: two numbers a node */
    uint32_t node_count, node_capacity, edge_count, edge_capacity, stack_capacity;
};

/** Add the stuck actors of a shard. False: out of memory. */
bool aldis__wait_graph_add(struct aldis__wait_graph *graph, const struct aldis__shard *shard);
/** Sort, and connect. before: the graph of the last look, which knows what it has reported; twice:
 *  connect only what it has, too, with the same epoch. */
void aldis__wait_graph_link(struct aldis__wait_graph *graph, const struct aldis__wait_graph *before,
                            bool twice);
/** A cycle of `count` members, the one that waits longest first; node is its. */
typedef void (*aldis__cycle_found)(void *arg, const struct aldis__wait_node *node, aldis_id next,
                                   const aldis_cycle_member *members, size_t count);
/** Find cycles, take the first member's wait for the next out of each, until there is none. What
 *  memory does not suffice for is left for the next look. */
void aldis__wait_graph_solve(struct aldis__wait_graph *graph, aldis__cycle_found found, void *arg);
static inline void aldis__wait_graph_clear(struct aldis__wait_graph *graph)
{
    graph->node_count = graph->edge_count = 0;
}
void aldis__wait_graph_fini(struct aldis__wait_graph *graph);

/* ------------------------------------------------------------------ the watch */

/** What one system knows of cycles. False: out of memory. */
bool aldis__cycles_create(aldis_system *system);
void aldis__cycles_destroy(aldis_system *system);

/** PARKED or FULL of this actor has changed, or what it waits for. */
void aldis__cycle_note(struct aldis__worker *worker, struct aldis__cell *cell);
/** The cell is about to be freed. */
void aldis__cycle_forget(struct aldis__shard *shard, struct aldis__cell *cell);
/** An order to break a cycle has come. */
void aldis__cycle_break(struct aldis__worker *worker, struct aldis__cell *cell,
                        const struct aldis__break *order);

/** Live: once a round. The rest is below. */
static inline bool aldis__cycles_are_due(struct aldis__worker *worker)
{
    /* Relaxed: YC1 in answer() decides. */
    return worker->ctx.now_ns >= worker->cycle_due_ns ||
           aldis__load_relaxed(&worker->ctx.system->cycle_round) != worker->cycle_round;
}
void aldis__cycles_poll(struct aldis__worker *worker);
/** Live: a shard has come to this worker. */
void aldis__cycles_adopt(struct aldis__worker *worker, const struct aldis__shard *shard);

/** Virtual time: when to look next, between windows; ALDIS_FOREVER: there is no reason to. */
aldis_ns aldis__cycles_look_at(aldis_system *system);
/** Virtual time: look, now. ALDIS_EDEADLOCK: the run is to end; ALDIS_ENOMEM. */
aldis_err aldis__cycles_look(aldis_system *system);

/** Has a cycle been found that is to end the run? Then the error is set, once. */
aldis_err aldis__cycles_halted(aldis_system *system);

/** Cycles found so far. */
uint64_t aldis__cycles_found(const aldis_system *system);

#endif
