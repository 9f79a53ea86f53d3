// SPDX-License-Identifier: Apache-2.0
/* pool_test.c: blocks of messages: size, alignment, and the way home to the pool they came from. */
#include "core/pool.h"

#include "base/hash.h"
#include "core/blob.h"
#include "core/send.h"
#include "harness.h"
#include <stdlib.h>

enum { POOLS = 3 };

struct pools {
    struct aldis__pool *all[POOLS];
};

static void pools_init(struct pools *p, uint32_t prefix)
{
    for (uint32_t i = 0; i < POOLS; i++) {
        p->all[i] = aligned_alloc(64, (sizeof *p->all[i] + 63) & ~(size_t)63);
        CHECK(p->all[i] != NULL);
        CHECK_OK(aldis__pool_init(p->all[i], i, POOLS, p->all, prefix));
    }
}

static void pools_fini(struct pools *p)
{
    for (uint32_t i = 0; i < POOLS; i++) {
        aldis__pool_fini(p->all[i]);
        free(p->all[i]);
    }
}

/* As a sender fills it in. */
static struct aldis__msg *make(struct pools *p, uint32_t pool, size_t bytes)
{
    struct aldis__msg *msg = aldis__pool_alloc(p->all[pool], bytes);
    CHECK(msg != NULL);
    msg->flags = 0;
    msg->pool_stamp = pool << 24 | 0x1234; /* the stamp beside the pool must not matter */
    memset(aldis__msg_inline(msg), 0xa5, bytes);
    return msg;
}

static const size_t sizes[] = {0,   1,   31,   32,   33,   63,   64,   65,   127,  128,   129,
                               500, 512, 1000, 2000, 4000, 4048, 4049, 4096, 8192, 65536, 65600};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

TEST(pool_blocks_are_aligned_and_apart)
{
    static const uint32_t prefixes[] = {0, sizeof(struct aldis__stamp)};
    for (size_t x = 0; x < 2; x++) {
        struct pools p;
        pools_init(&p, prefixes[x]);
        static struct aldis__msg *msgs[SIZES][50];
        for (size_t s = 0; s < SIZES; s++)
            for (size_t i = 0; i < 50; i++) {
                msgs[s][i] = make(&p, 0, sizes[s]);
                CHECK_UINT((uintptr_t)msgs[s][i] % 16, 0);
                if (prefixes[x])
                    memset(aldis__msg_stamp(msgs[s][i]), 0x5a, sizeof(struct aldis__stamp));
                memset(aldis__msg_inline(msgs[s][i]), (int)(s + i), sizes[s]);
            }
        for (size_t s = 0; s < SIZES; s++)
            for (size_t i = 0; i < 50; i++) {
                const unsigned char *bytes = aldis__msg_inline(msgs[s][i]);
                for (size_t k = 0; k < sizes[s]; k++)
                    CHECK_UINT(bytes[k], (unsigned char)(s + i));
                aldis__pool_free(p.all[0], msgs[s][i]);
            }
        pools_fini(&p);
    }
}

/* Live, a block is a line at least; in virtual time a message without a payload is no more than its
 * stamp and header, and two of them lie side by side. */
TEST(pool_blocks_without_a_payload)
{
    struct pools p;
    pools_init(&p, 0);
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 0)), 64);
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 32)), 64);
    pools_fini(&p);
    pools_init(&p, sizeof(struct aldis__stamp));
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 0)), 48);
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 1)), 64);
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 16)), 64);
    CHECK_UINT(aldis__pool_block_bytes(aldis__pool_class(p.all[0], 17)), 96);
    struct aldis__msg *a = make(&p, 0, 0), *b = make(&p, 0, 0);
    CHECK_UINT((uintptr_t)b - (uintptr_t)a, 48);
    aldis__pool_free(p.all[0], a);
    aldis__pool_free(p.all[0], b);
    pools_fini(&p);
}

TEST(pool_uses_its_blocks_again)
{
    struct pools p;
    pools_init(&p, 0);
    for (size_t s = 0; s < SIZES; s++)
        aldis__pool_free(p.all[0], make(&p, 0, sizes[s]));
    uint64_t bytes = p.all[0]->bytes;
    for (int round = 0; round < 10000; round++) {
        struct aldis__msg *msg = make(&p, 0, sizes[(size_t)round % SIZES]);
        aldis__pool_free(p.all[0], msg);
    }
    CHECK_UINT(p.all[0]->bytes, bytes);
    pools_fini(&p);
}

/* Blocks that others free come home in chains, and are used before there is a new slab. */
/* What the first function of send.c takes from a type instead of looking it up. */
TEST(pool_class_of_a_type_is_that_of_its_messages)
{
    struct pools p;
    pools_init(&p, 0);
    for (uint32_t size = 0; size <= ALDIS_PAYLOAD_MAX; size += size < 100 ? 1 : 4999) {
        uint32_t tag = aldis__type_tag(77, size);
        unsigned class = tag >> ALDIS__TYPE_CLASS_SHIFT;
        CHECK_UINT(tag & ALDIS__TYPE_INDEX_MASK, 77);
        if (size <= ALDIS__COPY_INLINE_MAX)
            CHECK_UINT(class, aldis__pool_class(p.all[0], size));
        else
            CHECK(p.all[0]->free[class] == NULL);
    }
    CHECK_UINT(aldis__type_tag(1, ALDIS_SIZE_VARIES) >> ALDIS__TYPE_CLASS_SHIFT,
               ALDIS__CLASS_NEVER_FREE);
    pools_fini(&p);
}

TEST(pool_blocks_come_home)
{
    struct pools p;
    pools_init(&p, 0);
    enum { BLOCKS = 3000 };
    static struct aldis__msg *msgs[BLOCKS];
    uint64_t bytes = 0;
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < BLOCKS; i++)
            msgs[i] = make(&p, 0, 40);
        for (size_t i = 0; i < BLOCKS; i++)
            aldis__pool_free(p.all[1 + i % 2], msgs[i]);
        aldis__pool_flush(p.all[1]);
        aldis__pool_flush(p.all[2]);
        CHECK_UINT(p.all[1]->dirty, 0);
        CHECK_UINT(p.all[1]->bytes, 0); /* nothing stays where it does not belong */
        if (round == 0)
            bytes = p.all[0]->bytes;
    }
    CHECK_UINT(p.all[0]->bytes, bytes);
    pools_fini(&p);
}

/* Who runs one pool dry and then another, as windows do that are shared now and then, does not need
 * the blocks of both. */
TEST(pool_that_ran_dry_gets_what_another_has_free)
{
    struct pools p;
    pools_init(&p, 16);
    enum { BLOCKS = 8000, STEP = 500 };
    static struct aldis__msg *msgs[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        msgs[i] = make(&p, 0, 40);
    uint64_t bytes = p.all[0]->bytes;
    for (size_t i = 0; i < BLOCKS; i++)
        aldis__pool_free(p.all[0], msgs[i]);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % STEP == 0)
            aldis__pools_level(p.all, POOLS);
        msgs[i] = aldis__pool_alloc(p.all[1], 40);
        CHECK(msgs[i] != NULL);
        CHECK_UINT(msgs[i]->pool_stamp >> 24, 1); /* it will come home to where it came from */
        memset(aldis__msg_inline(msgs[i]), (int)i, 40);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK_UINT(*(unsigned char *)aldis__msg_inline(msgs[i]), (unsigned char)i);
        aldis__pool_free(p.all[2], msgs[i]);
    }
    aldis__pool_flush(p.all[2]);
    CHECK(p.all[0]->bytes + p.all[1]->bytes < bytes + bytes / 2);
    CHECK_UINT(p.all[2]->bytes, 0);
    pools_fini(&p);
}

TEST(pool_lets_blobs_go)
{
    struct pools p;
    pools_init(&p, 0);
    aldis_blob *blob;
    CHECK_OK(aldis_blob_create("x", 1, &blob, NULL));
    for (uint32_t pool = 0; pool < POOLS; pool++)
        for (uint32_t freer = 0; freer < POOLS; freer++) {
            struct aldis__msg *msg = make(&p, pool, sizeof blob);
            msg->flags = ALDIS__MSG_BLOB;
            *(aldis_blob **)aldis__msg_inline(msg) = aldis_blob_ref(blob);
            aldis__pool_free(p.all[freer], msg);
        }
    for (uint32_t pool = 0; pool < POOLS; pool++)
        aldis__pool_flush(p.all[pool]);
    aldis_blob_unref(blob); /* the last one: the leak checker looks */
    pools_fini(&p);
}

/* One payload for many blocks: it goes with the last, wherever each was freed. */
TEST(pool_shared_payloads_go_with_their_last_block)
{
    static const size_t payloads[] = {8, 1000, 60000};
    struct pools p;
    pools_init(&p, 0);
    for (size_t s = 0; s < 3; s++) {
        unsigned char *bytes = malloc(payloads[s]);
        CHECK(bytes != NULL);
        memset(bytes, 7, payloads[s]);
        struct aldis__shared *shared = aldis__pool_shared_new(p.all[0], bytes, payloads[s]);
        free(bytes);
        CHECK(shared != NULL);
        CHECK_UINT(shared->size, payloads[s]);
        struct aldis__msg *msgs[30];
        for (uint64_t i = 0; i < 30; i++) {
            msgs[i] = make(&p, 0, sizeof shared);
            msgs[i]->flags = ALDIS__MSG_SHARED;
            *(struct aldis__shared **)aldis__msg_inline(msgs[i]) = shared;
            shared->refs = i + 1;
        }
        for (uint32_t i = 0; i < 30; i++) {
            const unsigned char *shown = aldis__shared_payload(shared);
            CHECK_UINT(shown[payloads[s] - 1], 7);
            aldis__pool_free(p.all[i % POOLS], msgs[i]);
        }
        for (uint32_t pool = 0; pool < POOLS; pool++)
            aldis__pool_flush(p.all[pool]);
        aldis__pool_reclaim(p.all[0]);
        /* Nobody took it: given up at once. */
        aldis__pool_shared_unref(p.all[0], aldis__pool_shared_new(p.all[0], &s, sizeof s));
    }
    pools_fini(&p);
}

#ifdef ALDIS__ASAN
TEST(pool_poisons_what_is_free)
{
    struct pools p;
    pools_init(&p, 0);
    struct aldis__msg *msg = make(&p, 0, 100);
    unsigned char *bytes = aldis__msg_inline(msg);
    CHECK(!__asan_address_is_poisoned(bytes + 99));
    aldis__pool_free(p.all[0], msg);
    CHECK(__asan_address_is_poisoned(bytes));
    CHECK(__asan_address_is_poisoned(bytes + 99));
    struct aldis__msg *away = make(&p, 0, 100); /* the same, used again */
    CHECK(away == msg);
    CHECK(!__asan_address_is_poisoned(bytes + 99));
    aldis__pool_free(p.all[1], away);
    aldis__pool_flush(p.all[1]);
    aldis__pool_reclaim(p.all[0]);
    CHECK(__asan_address_is_poisoned(bytes + 99));
    pools_fini(&p);
}
#endif
