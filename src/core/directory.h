// SPDX-License-Identifier: Apache-2.0
/* directory.h: one read-mostly word for each actor. HOT PATH 1/5: no locks, one load.
 *
 * Layer: core. The word of a slot tells whether the generation in an id runs, where it lives, what
 * kind it is, and whether it takes mail. Any thread reads it; one thread at a time writes it: the
 * spawner before the id is known to anybody, then the owner of the actor's home shard, then, when
 * the slot has come back, the owner of the birth shard again.
 *
 * The address space of all words is reserved up front and never moves, so that a look-up is
 * arithmetic and one load. */
#ifndef ALDIS_CORE_DIRECTORY_H
#define ALDIS_CORE_DIRECTORY_H

#include "base/atomic.h"
#include <aldis/types.h>

/* An id: node 8 | birth shard 12 | slot 24 | generation 20. */
#define ALDIS__GEN_BITS 20
#define ALDIS__GEN_MASK ((UINT64_C(1) << ALDIS__GEN_BITS) - 1)
#define ALDIS__SLOT_BITS 24
#define ALDIS__SLOT_MASK ((UINT64_C(1) << ALDIS__SLOT_BITS) - 1)
#define ALDIS__NODE_SHIFT 56

/* A word: home shard 12 | spare 8 | kind 16 | flags 8 | generation 20. All zero: never used, and so
 * not alive, whatever generation an id may claim. */
#define ALDIS__WORD_ALIVE (UINT64_C(1) << 20)    /* this generation has not ended */
#define ALDIS__WORD_FULL (UINT64_C(1) << 21)     /* at its bound: senders park or are refused */
#define ALDIS__WORD_CLOSING (UINT64_C(1) << 22)  /* drains or stops: new mail is refused */
#define ALDIS__WORD_STARTING (UINT64_C(1) << 23) /* virtual time: lives from the next window on */
#define ALDIS__WORD_FLAGS (UINT64_C(0xff) << 20)
#define ALDIS__WORD_KIND_SHIFT 28
#define ALDIS__WORD_HOME_SHIFT 52

typedef _Atomic(uint64_t) aldis__word;

/* The place of an id in the tables: (shard, slot) as one number; node_base is node << 36, so an id
 * of another node gives a number beyond every limit. */
static inline uint64_t aldis__id_index(aldis_id id, uint64_t node_base)
{
    return (id.bits >> ALDIS__GEN_BITS) - node_base;
}

static inline aldis_id aldis__id_make(uint32_t node, uint32_t shard, uint32_t slot, uint32_t gen)
{
    aldis_id id = {(uint64_t)node << ALDIS__NODE_SHIFT |
                   (uint64_t)shard << (ALDIS__SLOT_BITS + ALDIS__GEN_BITS) |
                   (uint64_t)slot << ALDIS__GEN_BITS | gen};
    return id;
}

/** The shard where its slot is from: as the system numbers them. */
static inline uint32_t aldis__id_birth(aldis_id id)
{
    return (uint32_t)(id.bits >> (ALDIS__SLOT_BITS + ALDIS__GEN_BITS)) & 0xfff;
}

static inline uint32_t aldis__id_generation(aldis_id id)
{
    return (uint32_t)(id.bits & ALDIS__GEN_MASK);
}

static inline uint32_t aldis__word_home(uint64_t word)
{
    return (uint32_t)(word >> ALDIS__WORD_HOME_SHIFT);
}

static inline uint32_t aldis__word_kind(uint64_t word)
{
    return (uint32_t)(word >> ALDIS__WORD_KIND_SHIFT) & 0xffff;
}

/** Does the word say: this generation runs and may be sent to? Whether its mailbox is full (which
 *  matters to other workers) is not asked: on its own worker the mailbox itself tells. */
static inline bool aldis__word_is_open(uint64_t word, aldis_id id)
{
    const uint64_t asked = ALDIS__GEN_MASK | (ALDIS__WORD_FLAGS & ~ALDIS__WORD_FULL);
    return ((word ^ (id.bits & ALDIS__GEN_MASK)) & asked) == ALDIS__WORD_ALIVE;
}

/** Has this generation not ended (it may be full, closing or starting)? */
static inline bool aldis__word_is_alive(uint64_t word, aldis_id id)
{
    return ((word ^ (id.bits & ALDIS__GEN_MASK)) & (ALDIS__GEN_MASK | ALDIS__WORD_ALIVE)) ==
           ALDIS__WORD_ALIVE;
}

/** Of an id that does not run: did it ever? */
static inline bool aldis__word_has_known(uint64_t word, aldis_id id)
{
    uint64_t generation = id.bits & ALDIS__GEN_MASK;
    return generation != 0 && generation <= (word & ALDIS__GEN_MASK);
}

static inline uint64_t aldis__directory_read(aldis__word *word)
{
    /* D1 acquire: pairs with D2 in aldis__directory_publish(). Whoever sees a generation sees the
     * cell that was made for it. */
    return aldis__load_acquire(word);
}

/** Make generation gen known: its cell is ready. */
static inline void aldis__directory_publish(aldis__word *word, uint32_t gen, uint32_t home,
                                            uint32_t kind, uint64_t flags)
{
    uint64_t value = (uint64_t)home << ALDIS__WORD_HOME_SHIFT |
                     (uint64_t)kind << ALDIS__WORD_KIND_SHIFT | ALDIS__WORD_ALIVE | flags | gen;
    /* D2 release: pairs with D1 in aldis__directory_read(). */
    aldis__store_release(word, value);
}

/** Change the flags of the generation that runs. Only the owner of its home shard calls this. */
static inline void aldis__directory_set_flags(aldis__word *word, uint64_t set, uint64_t clear)
{
    /* Relaxed: this thread is the word's only writer now. */
    uint64_t value = aldis__load_relaxed(word);
    /* D2 release: pairs with D1 in aldis__directory_read(): keeps a reader's view of the cell. */
    aldis__store_release(word, (value & ~clear) | set);
}

#endif
