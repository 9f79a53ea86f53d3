// SPDX-License-Identifier: Apache-2.0
/* pool_test.c: blocks of one worker's pool, freed by two others and coming home in chains while the
 * owner allocates, writes and sends again. Each block is in one place at a time, and what a freer
 * has read is read before the owner writes it anew. The code of the pool is pool.c itself, included
 * below; the explorer follows its `returns`, which is the inbox's stack put to another use.
 *
 *   thread 1, the owner: takes its last block, sends it to thread 2, then allocates twice
 *   thread 2:            reads the block it has, frees it, does the same with what it is sent
 *   thread 3:            reads the block it has, frees it */
#include "weave.h"

#include "core/pool.c"

#include "model.h"

enum { OWNER, FREER, OTHER_FREER, POOLS };
enum { BLOCKS = 3 };

static struct aldis__pool pools[POOLS], *all[POOLS];
static struct aldis__inbox inbox; /* of thread 2 */
static _Alignas(64) unsigned char memory[BLOCKS][64];
static struct aldis__msg *held[POOLS]; /* what the threads hold at the beginning */
static bool begun;

/* The blocks lie in watched memory, in place of the slab that the pool would have allocated. */
static struct aldis__msg *adopt(uint32_t block)
{
    struct aldis__msg *msg = (struct aldis__msg *)(void *)memory[block];
    msg->lane_class = ALDIS__POOL_CLASS_POINTER;
    msg->flags = 0;
    msg->pool_stamp = OWNER << 24;
    return msg;
}

static void fill(struct aldis__msg *msg, uint64_t value)
{
    *(uint64_t *)aldis__msg_inline(msg) = value;
}

static uint64_t content(struct aldis__msg *msg)
{
    return *(uint64_t *)aldis__msg_inline(msg);
}

static void setup(void)
{
    for (uint32_t i = 0; i < POOLS; i++) {
        if (begun)
            aldis__pool_fini(&pools[i]); /* the execution before was given up */
        WEAVE_ASSERT(aldis__pool_init(&pools[i], i, POOLS, all, 0) == ALDIS_OK);
        all[i] = &pools[i];
        aldis__store_relaxed(&pools[i].returns.head, 0);
    }
    begun = true;
    aldis__store_relaxed(&inbox.head, 0);
    memset(memory, 0, sizeof memory);
    weave_watch(memory, sizeof memory);
    held[FREER] = adopt(0);
    held[OTHER_FREER] = adopt(1);
    fill(held[FREER], 7);
    fill(held[OTHER_FREER], 7);
    aldis__pool_put(&pools[OWNER], adopt(2));
}

static struct aldis__msg *allocate(uint64_t value)
{
    struct aldis__msg *msg = aldis__pool_alloc(&pools[OWNER], 8);
    WEAVE_ASSERT(msg != NULL);
    if (msg)
        fill(msg, value);
    return msg;
}

static void own(void)
{
    struct aldis__msg *msg = allocate(7);
    aldis__inbox_push(&inbox, msg, msg, 1);
    /* What has come home, or a new block if nothing has; it stays in use. */
    held[OWNER] = allocate(9);
}

static void read_and_free(struct aldis__pool *pool, struct aldis__msg *msg)
{
    WEAVE_ASSERT(content(msg) == 7);
    aldis__pool_free(pool, msg);
    aldis__pool_flush(pool);
}

static void free_twice(void)
{
    read_and_free(&pools[FREER], held[FREER]);
    struct aldis__msg *msg = aldis__inbox_take(&inbox);
    if (msg)
        read_and_free(&pools[FREER], msg);
}

static void free_once(void)
{
    read_and_free(&pools[OTHER_FREER], held[OTHER_FREER]);
}

static void count(struct aldis__msg *msg, uint32_t places[BLOCKS])
{
    for (; msg; msg = msg->next) {
        size_t block = (size_t)((unsigned char *)msg - memory[0]) / sizeof memory[0];
        if (block < BLOCKS)
            places[block]++;
    }
}

static void finish(void)
{
    uint32_t places[BLOCKS] = {0};
    held[OWNER]->next = NULL;
    count(held[OWNER], places);
    count(pools[OWNER].free[ALDIS__POOL_CLASS_POINTER], places);
    count(aldis__inbox_take(&pools[OWNER].returns), places);
    count(aldis__inbox_take(&inbox), places);
    for (uint32_t block = 0; block < BLOCKS; block++)
        WEAVE_ASSERT(places[block] == 1);
}

static const struct weave_model model = {.name = "pool",
                                         .setup = setup,
                                         .threads = {own, free_twice, free_once},
                                         .finish = finish,
                                         .preemptions = 3};

TEST(pool_blocks_come_home_once_and_are_read_before_they_are_written_anew)
{
    model_holds(&model);
}

/* Nobody learns anything from whoever freed before, nor from the owner's taking. */
static const struct model_order spare[] = {
    {"aldis__inbox_push", WEAVE_CAS, memory_order_release},
    {"aldis__inbox_take", WEAVE_EXCHANGE, memory_order_acquire},
};

TEST(pool_needs_its_orders)
{
    model_needs_its_orders(&model, spare, sizeof spare / sizeof spare[0]);
}

/* Broken on purpose: a freer that reads its message after it has sent it home. */
static void read_after_free(void)
{
    aldis__pool_free(&pools[OTHER_FREER], held[OTHER_FREER]);
    aldis__pool_flush(&pools[OTHER_FREER]);
    WEAVE_ASSERT(content(held[OTHER_FREER]) == 7);
}

TEST(pool_block_read_after_it_was_freed_fails)
{
    struct weave_model broken = model;
    broken.name = "pool, read after free";
    broken.threads[2] = read_after_free;
    model_fails(&broken);
}

/* Broken on purpose: blocks of another worker put on one's own list. */
static void free_here(void)
{
    aldis__pool_put(&pools[OTHER_FREER], held[OTHER_FREER]);
}

TEST(pool_block_kept_by_its_freer_fails)
{
    struct weave_model broken = model;
    broken.name = "pool, block kept by its freer";
    broken.threads[2] = free_here;
    model_fails(&broken);
}
