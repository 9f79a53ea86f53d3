// SPDX-License-Identifier: Apache-2.0
/* random_test.c: known answers of an actor's random stream. Whoever changes these numbers changes
 * every run there ever was. */
#include "base/philox.h"
#include "fixture.h"

enum { DRAWS = 6 };
static uint64_t drawn[DRAWS];
static aldis_id drawer;

static aldis_err draw(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    (void)act;
    drawer = aldis_self(ctx);
    for (size_t i = 0; i < DRAWS; i++)
        drawn[i] = aldis_random(ctx);
    return ALDIS_OK;
}

static void draw_with_seed(struct fixture *f, uint64_t seed)
{
    fixture_open(f, &(aldis_system_opts){.seed = seed});
    puppet_ref p = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, p, draw, (struct act){.a = 0});
    fixture_settle(f);
    fixture_close(f);
}

static const uint64_t seeds[] = {0, 1, UINT64_C(0x0123456789abcdef)};
/* Of the first actor spawned from outside into 8 shards: shard 8, slot 0, generation 1. */
static const uint64_t known[3][DRAWS] = {
    {UINT64_C(0x5fbd70da7746218d), UINT64_C(0xbdc79ac509bb69a8), UINT64_C(0xe9555778ef644834),
     UINT64_C(0x38a1536c43b2a0db), UINT64_C(0xdcfd13b2d40686fb), UINT64_C(0x800bca114e37a8d6)},
    {UINT64_C(0xad0af54db3e119ac), UINT64_C(0xbb93795be8f4eeb8), UINT64_C(0x30036cf3c3ae8a22),
     UINT64_C(0x06afc706634375aa), UINT64_C(0x88d043680ff52e18), UINT64_C(0x1f4375473de0387a)},
    {UINT64_C(0x0900ac71d44a9cc1), UINT64_C(0x2fb70ee945171a74), UINT64_C(0x73ac09a4919cea37),
     UINT64_C(0x1ac057c26e90a2a0), UINT64_C(0x7cb411c0d5ef4604), UINT64_C(0x7b4808ccd0572aeb)},
};

TEST_EACH(draws_are_those_of_philox)
{
    for (size_t s = 0; s < 3; s++) {
        draw_with_seed(f, seeds[s]);
        uint64_t actor = drawer.bits & ~(UINT64_C(0xff) << 56); /* the node does not matter */
        for (uint32_t i = 0; i < DRAWS; i++) {
            uint32_t counter[4] = {i / 2, 0, (uint32_t)actor, (uint32_t)(actor >> 32)};
            uint32_t key[2] = {(uint32_t)seeds[s], (uint32_t)(seeds[s] >> 32)};
            uint32_t block[4];
            aldis__philox(counter, key, block);
            size_t half = i % 2 ? 2 : 0;
            CHECK_UINT(drawn[i], (uint64_t)block[half + 1] << 32 | block[half]);
        }
    }
}

TEST_EACH(draws_are_those_known)
{
    for (size_t s = 0; s < 3; s++) {
        draw_with_seed(f, seeds[s]);
        for (uint32_t i = 0; i < DRAWS; i++)
            CHECK_UINT(drawn[i], known[s][i]);
    }
}
