// SPDX-License-Identifier: Apache-2.0
/* filter_test.c: which numbers of a stream are done, against a plain list of them. */
#include "delivery/receiver.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 6000, WINDOW = ALDIS__FILTER_WORDS * 64 };

static uint64_t chance_state;

static uint64_t chance(uint64_t bound)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state % bound;
}

static void compare(const struct aldis__filter *filter, const bool *done)
{
    uint64_t first_open = 1;
    while (done[first_open])
        first_open++;
    CHECK_UINT(filter->done, first_open - 1);
    for (uint64_t n = filter->done; n <= filter->done + WINDOW && n < NUMBERS; n++)
        CHECK(aldis__filter_has(filter, n) == (n == 0 || done[n]));
}

/* Numbers come near the first that is open, in no order, some twice; now and then the sender gives
 * up on some. */
TEST(agrees_with_a_list)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        static bool done[NUMBERS + 1];
        struct aldis__filter filter = {.done = 0};
        memset(done, 0, sizeof done);
        chance_state = seed * 0x9e3779b97f4a7c15;
        uint64_t spread = 1 + chance(seed % 3 ? 80 : WINDOW);
        for (int step = 0; step < 4000 && filter.done + WINDOW < NUMBERS; step++) {
            uint64_t number = filter.done + 1 + chance(spread);
            if (chance(200) == 0) {
                for (uint64_t n = 1; n <= number; n++)
                    done[n] = true;
                aldis__filter_advance(&filter, number);
            } else {
                done[number] = true;
                CHECK(aldis__filter_add(&filter, number));
            }
            if (step % 16 == 0)
                compare(&filter, done);
        }
        compare(&filter, done);
        CHECK(filter.done > 100);
        free(filter.ahead);
    }
}

TEST(the_last_number_of_the_window)
{
    struct aldis__filter filter = {.done = 41};
    CHECK(aldis__filter_add(&filter, 41 + WINDOW));
    CHECK(aldis__filter_has(&filter, 41 + WINDOW));
    CHECK(!aldis__filter_has(&filter, 42));
    CHECK(!aldis__filter_has(&filter, 41 + WINDOW + 1));
    for (uint64_t n = 41 + WINDOW - 1; n > 41; n--)
        CHECK(aldis__filter_add(&filter, n));
    CHECK_UINT(filter.done, 41 + WINDOW);
    CHECK(filter.ahead == NULL);
}

TEST(a_number_beyond_the_window_is_refused)
{
    struct aldis__filter filter = {.done = 41};
    CHECK(!aldis__filter_add(&filter, 41 + WINDOW + 1));
    CHECK(!aldis__filter_add(&filter, UINT64_MAX));
    CHECK_UINT(filter.done, 41);
    CHECK(filter.ahead == NULL);
}

TEST(in_order_it_needs_no_memory)
{
    struct aldis__filter filter = {.done = 0};
    for (uint64_t n = 1; n <= 1000; n++)
        CHECK(aldis__filter_add(&filter, n));
    CHECK_UINT(filter.done, 1000);
    CHECK(filter.ahead == NULL);
}

TEST(a_hole_is_given_up_for_ever)
{
    struct aldis__filter filter = {.done = 0};
    CHECK(aldis__filter_add(&filter, 3));
    aldis__filter_advance(&filter, 2);
    CHECK_UINT(filter.done, 3);
    aldis__filter_advance(&filter, 1); /* an old word of it changes nothing */
    CHECK_UINT(filter.done, 3);
}

TEST(many_senders_have_a_filter_each)
{
    struct aldis__receiver receiver = {.filter_count = 0};
    for (uint64_t i = 1; i <= 1000; i++) {
        struct aldis__filter *filter = aldis__filter_of(&receiver, (aldis_id){i << 20 | 1});
        CHECK(filter != NULL);
        CHECK_UINT(filter->done, 0);
        filter->done = i;
    }
    for (uint64_t i = 1; i <= 1000; i++)
        CHECK_UINT(aldis__filter_of(&receiver, (aldis_id){i << 20 | 1})->done, i);
    CHECK_UINT(receiver.filter_count, 1000);
    free(receiver.filters);
}
