// SPDX-License-Identifier: Apache-2.0
/* reference_test.c: random programs run by the library, on any number of workers, and by the
 * reference: every player handles the same messages, in the same order. */
#include "harness.h"
#include "library.h"
#include "reference.h"

static void compare(uint64_t seed, enum show_kind kind, const uint32_t *workers, size_t count)
{
    struct show expected;
    show_init(&expected, seed, kind);
    reference_perform(&expected);
    uint64_t print = 0;
    for (size_t i = 0; i < count; i++) {
        struct show show;
        struct library_result result;
        char difference[512];
        show_init(&show, seed, kind);
        library_perform(&show, workers[i], &result);
        show_compare(&show, &expected, difference, sizeof difference);
        size_t records = show_count(&show);
        show_fini(&show);
        if (result.fault[0] || difference[0])
            test_fail(__FILE__, __LINE__, "%" PRIu32 " workers: %s%s", workers[i], result.fault,
                      difference);
        if (i > 0 && result.run_print != print)
            test_fail(__FILE__, __LINE__,
                      "seed %" PRIu64 ": the print on %" PRIu32 " workers is %016" PRIx64
                      ", on %" PRIu32 " it is %016" PRIx64,
                      seed, workers[i], result.run_print, workers[0], print);
        print = result.run_print;
        CHECK(records >= show.players);
    }
    show_fini(&expected);
}

TEST(reference_agrees_on_small_programs)
{
    static const uint32_t workers[] = {1, 3};
    for (uint64_t seed = 1; seed <= 40; seed++)
        compare(seed, SHOW_SMALL, workers, 2);
}

TEST(reference_agrees_on_full_windows)
{
    static const uint32_t workers[] = {1, 2, 4};
    for (uint64_t seed = 1; seed <= 4; seed++)
        compare(seed, SHOW_DENSE, workers, 3);
}

TEST(reference_agrees_on_zero_delays)
{
    static const uint32_t workers[] = {1, 2, 4};
    for (uint64_t seed = 1; seed <= 4; seed++)
        compare(seed, SHOW_ZERO, workers, 3);
}

/* A difference must not go unseen: a show of another seed, and one with a single record changed. */
TEST(reference_tells_two_runs_apart)
{
    struct show a, b;
    char difference[512];
    show_init(&a, 5, SHOW_SMALL);
    show_init(&b, 5, SHOW_SMALL);
    reference_perform(&a);
    reference_perform(&b);
    show_compare(&a, &b, difference, sizeof difference);
    CHECK_STR(difference, "");
    uint32_t shard = 0;
    while (b.journals[shard].count < 2)
        shard++;
    struct journal *journal = &b.journals[shard];
    journal->records[journal->count / 2].note.value ^= 1;
    show_compare(&a, &b, difference, sizeof difference);
    CHECK(strstr(difference, "expected") != NULL);
    journal->records[journal->count / 2].note.value ^= 1;
    journal->count--;
    show_compare(&a, &b, difference, sizeof difference);
    CHECK(difference[0] != '\0');
    show_fini(&a);
    show_fini(&b);
}
