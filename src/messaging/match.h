// SPDX-License-Identifier: Apache-2.0
/* match.h: who gets a publication: one list out of all subscriptions that match. Layer: messaging.
 *
 * An actor that several of its subscriptions match is in the list once: by the oldest of those that
 * are in no queue group, or else by the oldest. So who subscribes by itself as well is not in the
 * choice of its groups.
 *
 * First come those in no group, in order of subscription; then the groups, in the order in which
 * their names were first used, each with its members in order of subscription. */
#ifndef ALDIS_MESSAGING_MATCH_H
#define ALDIS_MESSAGING_MATCH_H

#include "messaging/registry.h"

/* Where the members of one queue group stand in the list. */
struct aldis__match_group {
    size_t first, count;
};

struct aldis__match_list {
    aldis_id *ids;
    uint64_t *bounds; /* by place in ids; 0: none; NULL: nobody has one */
    size_t plain;     /* so many at the beginning are in no group */
    size_t count, capacity;
    struct aldis__match_group *groups;
    size_t group_count, group_capacity;
};

/** Fill the list with those who get a publication to a topic (which may have no record). Under the
 *  lock. False: out of memory, the list is as it was. */
bool aldis__match_fill(struct aldis__match_list *list, const struct aldis__registry *registry,
                       struct aldis__topic *topic, const struct aldis__key *text);
void aldis__match_fini(struct aldis__match_list *list);

#endif
