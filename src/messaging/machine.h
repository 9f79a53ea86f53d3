// SPDX-License-Identifier: Apache-2.0
/* machine.h: a machine's table of states and rows, to run it and to print it. Layer: messaging. */
#ifndef ALDIS_MESSAGING_MACHINE_H
#define ALDIS_MESSAGING_MACHINE_H

#include <aldis/machine.h>

#include <stdbool.h>

enum { ALDIS__TOP = 0, ALDIS__STAY = ALDIS_MACHINE_STATES_MAX };

#define ALDIS__STAY_BIT (UINT64_C(1) << ALDIS__STAY)

static inline const aldis_machine_row *aldis__row_of(const aldis_machine_table *table,
                                                     uint32_t state, uint32_t event)
{
    return &table->rows[state * table->event_count + event];
}

static inline unsigned aldis__depth_of(const aldis_machine_table *table, uint32_t state)
{
    unsigned depth = 0;
    for (; state != ALDIS__TOP; state = table->states[state].parent)
        depth++;
    return depth;
}

static inline bool aldis__is_within(const aldis_machine_table *table, uint32_t state,
                                    uint32_t outer)
{
    while (state > outer) /* a state stands behind its parent */
        state = table->states[state].parent;
    return state == outer;
}

#endif
