// SPDX-License-Identifier: Apache-2.0
/* cycle.c: the graph of who waits for whom, and its cycles. Layer: core. See cycle.h.
 *
 * One thread at a time, on copies: nothing here looks at an actor but aldis__wait_graph_add(). */
#include "core/cycle.h"

#include <stdlib.h>

enum { PASSES_MAX = 64 }; /* of one look; what is left then is found by the next */

/* ------------------------------------------------------------------ building */

static bool reserve_nodes(struct aldis__wait_graph *graph)
{
    if (graph->node_count < graph->node_capacity)
        return true;
    uint32_t capacity = graph->node_capacity ? 2 * graph->node_capacity : 16;
    struct aldis__wait_node *nodes = realloc(graph->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return false;
    graph->nodes = nodes;
    graph->node_capacity = capacity;
    return true;
}

static bool reserve_edges(struct aldis__wait_graph *graph, uint32_t more)
{
    uint32_t capacity = graph->edge_capacity ? graph->edge_capacity : 16;
    while (capacity < graph->edge_count + more)
        capacity *= 2;
    if (capacity == graph->edge_capacity)
        return true;
    struct aldis__wait_edge *edges = realloc(graph->edges, capacity * sizeof *edges);
    if (!edges)
        return false;
    graph->edges = edges;
    graph->edge_capacity = capacity;
    return true;
}

bool aldis__wait_graph_add(struct aldis__wait_graph *graph, const struct aldis__shard *shard)
{
    const uint32_t closing = ALDIS__CELL_STOPPING | ALDIS__CELL_DRAINING | ALDIS__CELL_ENDED;
    for (struct aldis__cell *cell = shard->stuck_head; cell; cell = cell->ext->stuck_next) {
        const struct aldis__cell_ext *ext = cell->ext;
        if (cell->flags & closing) /* whoever waits for it is told so */
            continue;
        if (!reserve_nodes(graph) || !reserve_edges(graph, ext->overflow_count))
            return false;
        struct aldis__wait_node *node = &graph->nodes[graph->node_count++];
        *node = (struct aldis__wait_node){.actor = cell->id,
                                          .kind = cell->kind->behaviour->name,
                                          .parked_ns = ext->parked_ns,
                                          .epoch = ext->wait_epoch,
                                          .depth = (uint32_t)cell->depth,
                                          .edge = graph->edge_count};
        for (uint32_t i = 0; i < ext->overflow_count; i++) {
            const struct aldis__overflow_entry *entry = &ext->overflow[i];
            if (aldis_id_equal(entry->to, cell->id) || !entry->queue.head)
                continue;
            graph->edges[graph->edge_count++] = (struct aldis__wait_edge){
                entry->to, ALDIS__NO_NODE, entry->queue.head->type, entry->count};
            node->edge_count++;
        }
    }
    return true;
}

static int by_actor(const void *a, const void *b)
{
    const struct aldis__wait_node *x = a, *y = b;
    return (x->actor.bits > y->actor.bits) - (x->actor.bits < y->actor.bits);
}

static uint32_t find_node(const struct aldis__wait_graph *graph, aldis_id actor)
{
    struct aldis__wait_node key = {.actor = actor};
    const struct aldis__wait_node *node =
        graph->node_count ? bsearch(&key, graph->nodes, graph->node_count, sizeof key, by_actor)
                          : NULL;
    return node ? (uint32_t)(node - graph->nodes) : ALDIS__NO_NODE;
}

void aldis__wait_graph_link(struct aldis__wait_graph *graph, const struct aldis__wait_graph *before,
                            bool twice)
{
    if (graph->node_count == 0)
        return;
    qsort(graph->nodes, graph->node_count, sizeof *graph->nodes, by_actor);
    for (uint32_t n = 0; n < graph->node_count; n++) {
        struct aldis__wait_node *node = &graph->nodes[n];
        /* Seen twice, by both owners of a shard that was handed over meanwhile: both saw a fact. */
        uint32_t then = find_node(before, node->actor);
        bool same = then != ALDIS__NO_NODE && before->nodes[then].epoch == node->epoch;
        node->reported = same && before->nodes[then].reported;
        for (uint32_t e = node->edge; e < node->edge + node->edge_count; e++)
            graph->edges[e].node =
                same || !twice ? find_node(graph, graph->edges[e].to) : ALDIS__NO_NODE;
    }
}

void aldis__wait_graph_fini(struct aldis__wait_graph *graph)
{
    free(graph->nodes);
    free(graph->edges);
    free(graph->stack);
}

/* ------------------------------------------------------------------ searching */

/* Strongly connected components (Tarjan, SIAM J. Comput. 1972), without recursion. The scratch is
 * the stack of open nodes, then the path of nodes being visited. */
static void find_components(struct aldis__wait_graph *graph)
{
    struct aldis__wait_node *nodes = graph->nodes;
    uint32_t *open = graph->stack, *path = open + graph->node_count;
    uint32_t opened = 0, length = 0, order = 0;
    for (uint32_t n = 0; n < graph->node_count; n++)
        nodes[n].order = nodes[n].component = ALDIS__NO_NODE;
    for (uint32_t root = 0; root < graph->node_count; root++) {
        if (nodes[root].order == ALDIS__NO_NODE)
            path[length++] = root;
        while (length) {
            uint32_t at = path[length - 1];
            struct aldis__wait_node *node = &nodes[at];
            if (node->order == ALDIS__NO_NODE) {
                node->order = node->low = order++;
                node->next = 0;
                open[opened++] = at;
            }
            uint32_t to = ALDIS__NO_NODE;
            while (to == ALDIS__NO_NODE && node->next < node->edge_count)
                to = graph->edges[node->edge + node->next++].node;
            if (to != ALDIS__NO_NODE) {
                if (nodes[to].order == ALDIS__NO_NODE)
                    path[length++] = to;
                else if (nodes[to].component == ALDIS__NO_NODE && nodes[to].order < node->low)
                    node->low = nodes[to].order;
                continue;
            }
            length--;
            if (length && nodes[path[length - 1]].low > node->low)
                nodes[path[length - 1]].low = node->low;
            while (node->low == node->order && node->component == ALDIS__NO_NODE)
                nodes[open[--opened]].component = at;
        }
    }
}

static bool waits_longer(const struct aldis__wait_node *x, const struct aldis__wait_node *y)
{
    return x->parked_ns != y->parked_ns ? x->parked_ns < y->parked_ns
                                        : x->actor.bits < y->actor.bits;
}

/* The shortest way from `start` back to it: the node before it on that way, with the edge in
 * *out_edge; ALDIS__NO_NODE: there is none. */
static uint32_t search(struct aldis__wait_graph *graph, uint32_t start, uint32_t *out_edge)
{
    struct aldis__wait_node *nodes = graph->nodes;
    uint32_t *queue = graph->stack + graph->node_count, head = 0, tail = 0;
    for (uint32_t n = 0; n < graph->node_count; n++)
        nodes[n].from = ALDIS__NO_NODE;
    queue[tail++] = start;
    while (head < tail) {
        uint32_t at = queue[head++];
        for (uint32_t e = nodes[at].edge; e < nodes[at].edge + nodes[at].edge_count; e++) {
            uint32_t to = graph->edges[e].node;
            if (to == start) {
                *out_edge = e;
                return at;
            }
            if (to == ALDIS__NO_NODE || nodes[to].from != ALDIS__NO_NODE ||
                nodes[to].component != nodes[start].component)
                continue;
            nodes[to].from = at;
            nodes[to].from_edge = e;
            queue[tail++] = to;
        }
    }
    return ALDIS__NO_NODE;
}

/* Name the cycle through `start` and take its first edge out. False: out of memory. */
static bool take_cycle(struct aldis__wait_graph *graph, uint32_t start, aldis__cycle_found found,
                       void *arg)
{
    uint32_t edge = 0, last = search(graph, start, &edge);
    if (last == ALDIS__NO_NODE)
        return false;
    size_t count = 1;
    for (uint32_t at = last; at != start; at = graph->nodes[at].from)
        count++;
    aldis_cycle_member *members = calloc(count, sizeof *members);
    if (!members)
        return false;
    uint32_t at = last;
    for (size_t i = count; i-- > 0;) {
        const struct aldis__wait_node *node = &graph->nodes[at];
        const struct aldis__wait_edge *e = &graph->edges[edge];
        members[i] = (aldis_cycle_member){.actor = node->actor,
                                          .kind = node->kind,
                                          .type_name = aldis__type_info(e->type)->name,
                                          .depth_msgs = node->depth,
                                          .kept_msgs = e->kept,
                                          .parked_ns = node->parked_ns};
        if (i) {
            edge = node->from_edge;
            at = node->from;
        }
    }
    graph->edges[edge].node = ALDIS__NO_NODE;
    if (!graph->nodes[start].reported)
        found(arg, &graph->nodes[start], graph->edges[edge].to, members, count);
    graph->nodes[start].reported = true;
    free(members);
    return true;
}

static bool reserve_stack(struct aldis__wait_graph *graph)
{
    if (graph->node_count <= graph->stack_capacity)
        return true;
    uint32_t *stack = realloc(graph->stack, 2 * (size_t)graph->node_count * sizeof *stack);
    if (!stack)
        return false;
    graph->stack = stack;
    graph->stack_capacity = graph->node_count;
    return true;
}

void aldis__wait_graph_solve(struct aldis__wait_graph *graph, aldis__cycle_found found, void *arg)
{
    if (graph->node_count < 2 || !reserve_stack(graph))
        return;
    struct aldis__wait_node *nodes = graph->nodes;
    bool some = true;
    for (int pass = 0; pass < PASSES_MAX && some; pass++) {
        some = false;
        find_components(graph);
        /* `low` of a component's root: the member that waits longest. */
        for (uint32_t n = 0; n < graph->node_count; n++)
            nodes[nodes[n].component].low = nodes[n].component;
        for (uint32_t n = 0; n < graph->node_count; n++) {
            struct aldis__wait_node *root = &nodes[nodes[n].component];
            if (waits_longer(&nodes[n], &nodes[root->low]))
                root->low = n;
        }
        for (uint32_t n = 0; n < graph->node_count; n++)
            if (nodes[n].component == n) /* one node alone has no way back to itself */
                some |= take_cycle(graph, nodes[n].low, found, arg);
    }
}
