// SPDX-License-Identifier: Apache-2.0
/* timer_table.h: the records of a shard's timers. Layer: core. Owner of the shard only.
 *
 * A record is one cache line, and found by its place: so a handle that is old, or made up, is seen
 * to be wrong without following it. Records do not move, since the wheel links them.
 *
 * Invariants:
 *   cell == NULL  <=>  the record is free, or of a delayed send, which nobody can cancel
 *   armed on the wheel  <=>  (live) a message is to come of it */
#ifndef ALDIS_CORE_TIMER_TABLE_H
#define ALDIS_CORE_TIMER_TABLE_H

#include "base/check.h"
#include "core/cell.h"
#include "core/wheel.h"

struct aldis__alarm;
struct aldis__msg;

enum aldis__timer_kind {
    /* Once, and no payload: its message is made when it is due. In virtual time every timer that
     * comes once: its message is under way. */
    ALDIS__TIMER_PLAIN,
    ALDIS__TIMER_HOLDS, /* live: once; its message lies here until it is due */
    ALDIS__TIMER_TICKS, /* periodic */
    ALDIS__TIMER_ALARM  /* live: wakes a part of its actor */
};

/* What a periodic timer needs beside its record. */
struct aldis__ticks {
    aldis_ns period_ns;
    struct aldis__msg *model; /* live: what each tick is a copy of */
    uint32_t waiting_max;     /* more never wait; 0: one waits, and stands for the others */
    uint32_t waiting;         /* sent and not handled yet */
    uint64_t merged; /* for which the one that waits, or is handled, stands beside its own */
};

struct aldis__timer {
    struct aldis__wheel_node node; /* virtual time: its due_ns only */
    struct aldis__cell *cell;
    uint32_t place;      /* of this record: 1 or more */
    uint32_t generation; /* an old handle never reaches a new timer */
    uint32_t owner_next,
        owner_prev; /* places in the actor's list; 0: none. next: or the free list */
    union {
        struct aldis__msg *msg;     /* HOLDS */
        struct aldis__ticks *ticks; /* TICKS */
        struct aldis__alarm *alarm; /* ALARM */
    };
    uint16_t type; /* PLAIN: of its message */
    uint8_t kind;  /* enum aldis__timer_kind */
};
_Static_assert(sizeof(struct aldis__timer) == 64, "one cache line");

enum { ALDIS__TIMER_CHUNK = 256, ALDIS__TIMERS_PER_ACTOR = 1 << 20 };

/* Zeroed: empty. Record 0 is never used. */
struct aldis__timer_table {
    struct aldis__timer **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t end;       /* places below it have been used */
    uint32_t free;      /* first of those that are free again; 0: none */
    uint64_t cancelled; /* virtual time: since the last sweep */
};

/** Room for more records. False: out of memory. */
bool aldis__timer_table_grow(struct aldis__timer_table *table);
void aldis__timer_table_fini(struct aldis__timer_table *table);

static inline struct aldis__timer *aldis__timer_at(const struct aldis__timer_table *table,
                                                   uint32_t place)
{
    return &table->chunks[place / ALDIS__TIMER_CHUNK][place % ALDIS__TIMER_CHUNK];
}

static inline uint64_t aldis__timer_handle(const struct aldis__timer *timer)
{
    return (uint64_t)timer->generation << 32 | timer->place;
}

/** The timer that a handle names; NULL: it is gone. */
static inline struct aldis__timer *aldis__timer_find(const struct aldis__timer_table *table,
                                                     uint64_t handle)
{
    uint32_t place = (uint32_t)handle;
    if (aldis__unlikely(place >= table->end))
        return NULL;
    struct aldis__timer *timer = aldis__timer_at(table, place);
    return timer->cell && timer->generation == handle >> 32 ? timer : NULL;
}

/** A record that is not armed: of this cell, which has an extension, or of none. The caller sets
 *  what its kind needs. NULL: out of memory. */
static inline struct aldis__timer *aldis__timer_new(struct aldis__timer_table *table,
                                                    struct aldis__cell *cell,
                                                    enum aldis__timer_kind kind)
{
    struct aldis__timer *timer;
    if (table->free) {
        timer = aldis__timer_at(table, table->free);
        table->free = timer->owner_next;
    } else {
        if (aldis__unlikely(table->end == table->chunk_count * ALDIS__TIMER_CHUNK) &&
            !aldis__timer_table_grow(table))
            return NULL;
        timer = aldis__timer_at(table, table->end);
        timer->node.link.next = NULL;
        timer->place = table->end++;
        timer->generation = 1;
    }
    timer->cell = cell;
    timer->kind = (uint8_t)kind;
    timer->owner_prev = 0;
    timer->owner_next = 0;
    if (cell) {
        struct aldis__cell_ext *ext = cell->ext;
        timer->owner_next = ext->timers;
        if (ext->timers)
            aldis__timer_at(table, ext->timers)->owner_prev = timer->place;
        ext->timers = timer->place;
        ext->timer_count++;
    }
    return timer;
}

/** Nothing names it any more; the caller has disarmed it and let go of what it held. */
static inline void aldis__timer_free(struct aldis__timer_table *table, struct aldis__timer *timer)
{
    if (timer->cell) {
        struct aldis__cell_ext *ext = timer->cell->ext;
        if (timer->owner_prev)
            aldis__timer_at(table, timer->owner_prev)->owner_next = timer->owner_next;
        else
            ext->timers = timer->owner_next;
        if (timer->owner_next)
            aldis__timer_at(table, timer->owner_next)->owner_prev = timer->owner_prev;
        ext->timer_count--;
    }
    timer->generation++;
    timer->cell = NULL;
    timer->owner_next = table->free;
    table->free = timer->place;
}

#endif
