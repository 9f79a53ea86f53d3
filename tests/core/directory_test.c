// SPDX-License-Identifier: Apache-2.0
/* directory_test.c: what a word of the directory says of an id. */
#include "core/directory.h"

#include "harness.h"

static const uint64_t node_base = UINT64_C(5) << 36;

static const uint32_t shards[] = {0, 1, 63, 4093, 4094};
static const uint32_t slots[] = {0, 1, 1000, (1u << 24) - 1};
static const uint32_t generations[] = {1, 2, 0x55555, (1u << 20) - 1};

TEST(ids_keep_their_parts)
{
    for (size_t s = 0; s < 5; s++)
        for (size_t l = 0; l < 4; l++)
            for (size_t g = 0; g < 4; g++) {
                aldis_id id = aldis__id_make(5, shards[s], slots[l], generations[g]);
                CHECK_UINT(id.bits >> 56, 5);
                CHECK_UINT(aldis__id_generation(id), generations[g]);
                CHECK_UINT(aldis__id_index(id, node_base), (uint64_t)shards[s] << 24 | slots[l]);
                CHECK(!aldis_id_is_nobody(id));
            }
}

TEST(ids_of_other_nodes_have_no_place)
{
    uint64_t limit = UINT64_C(4095) << 24;
    for (uint32_t node = 0; node < 256; node++) {
        aldis_id id = aldis__id_make(node, 1, 2, 3);
        CHECK_UINT(aldis__id_index(id, node_base) < limit, node == 5);
    }
    CHECK(aldis__id_index(aldis_nobody(), node_base) >= limit);
}

TEST(a_word_that_was_never_used_knows_nobody)
{
    aldis__word word = 0;
    for (uint32_t generation = 0; generation < 5; generation++) {
        aldis_id id = aldis__id_make(5, 0, 0, generation);
        uint64_t found = aldis__directory_read(&word);
        CHECK(!aldis__word_is_open(found, id));
        CHECK(!aldis__word_is_alive(found, id));
        CHECK(!aldis__word_has_known(found, id));
    }
}

TEST(a_word_knows_its_generation_and_its_flags)
{
    static const uint64_t flags[] = {0, ALDIS__WORD_CLOSING, ALDIS__WORD_STARTING,
                                     ALDIS__WORD_FULL};
    for (size_t g = 0; g < 4; g++)
        for (size_t k = 0; k < 4; k++) {
            aldis__word word = 0;
            aldis_id id = aldis__id_make(5, 7, 8, generations[g]);
            aldis__directory_publish(&word, generations[g], 4093, 0xabc, flags[k]);
            uint64_t found = aldis__directory_read(&word);
            CHECK_UINT(aldis__word_home(found), 4093);
            CHECK_UINT(aldis__word_kind(found), 0xabc);
            CHECK(aldis__word_is_alive(found, id));
            /* Full is the business of who does not see the mailbox. */
            CHECK_UINT(aldis__word_is_open(found, id),
                       flags[k] == 0 || flags[k] == ALDIS__WORD_FULL);
            aldis_id before = {id.bits - 1}, after = {id.bits + 1};
            CHECK(!aldis__word_is_alive(found, before) && !aldis__word_is_open(found, before));
            CHECK(!aldis__word_is_alive(found, after) && !aldis__word_is_open(found, after));
            CHECK_UINT(aldis__word_has_known(found, before), generations[g] > 1);
            if (generations[g] < ALDIS__GEN_MASK)
                CHECK(!aldis__word_has_known(found, after));
        }
}

TEST(flags_come_and_go_and_leave_the_rest)
{
    aldis__word word = 0;
    aldis_id id = aldis__id_make(5, 7, 8, 9);
    aldis__directory_publish(&word, 9, 12, 34, 0);
    uint64_t plain = aldis__directory_read(&word);
    aldis__directory_set_flags(&word, ALDIS__WORD_FULL, 0);
    CHECK(aldis__directory_read(&word) & ALDIS__WORD_FULL);
    aldis__directory_set_flags(&word, ALDIS__WORD_CLOSING, 0);
    CHECK(!aldis__word_is_open(aldis__directory_read(&word), id));
    CHECK(aldis__word_is_alive(aldis__directory_read(&word), id));
    aldis__directory_set_flags(&word, 0, ALDIS__WORD_FULL | ALDIS__WORD_CLOSING);
    CHECK_UINT(aldis__directory_read(&word), plain);
    aldis__directory_set_flags(&word, 0, ALDIS__WORD_ALIVE);
    CHECK(!aldis__word_is_alive(aldis__directory_read(&word), id));
    CHECK(aldis__word_has_known(aldis__directory_read(&word), id));
    CHECK_UINT(aldis__word_home(aldis__directory_read(&word)), 12);
}
