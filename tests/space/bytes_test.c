// SPDX-License-Identifier: Apache-2.0
/* bytes_test.c: what one more ship takes, counted exactly: all blocks of the C library that live at
 * once, and the cell and the word of its actor, which lie in address space that is reserved. What a
 * run takes whatever the number of its ships (shards, stations) is left out: it is the difference
 * of two runs, on one worker, so that the figures are the same each time. */
#include "books.h"
#include "harness.h"
#include "space.h"

#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *block);

/* Bytes of all blocks, with what the C library puts before each. One thread allocates. */
static int64_t taken, peak;
enum { BLOCK_HEAD = sizeof(size_t), CELL_AND_WORD = 128 + 8 };

static void *count(void *block)
{
    taken += block ? (int64_t)malloc_usable_size(block) + BLOCK_HEAD : 0;
    peak = taken > peak ? taken : peak;
    return block;
}

static void uncount(void *block)
{
    taken -= block ? (int64_t)malloc_usable_size(block) + BLOCK_HEAD : 0;
}

void *__wrap_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return count(__real_calloc(number, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return count(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    int64_t before = block ? (int64_t)malloc_usable_size(block) + BLOCK_HEAD : 0;
    void *moved = __real_realloc(block, size);
    if (!moved)
        return NULL;
    taken -= before;
    return count(moved);
}

void __wrap_free(void *block)
{
    uncount(block);
    __real_free(block);
}

struct figures {
    int64_t start;  /* all have been spawned, and have started */
    int64_t steady; /* at the end of the run, before they are stopped */
    int64_t most;   /* ever, from the start to then */
};

static bool look(void *arg, const struct space_progress *progress)
{
    struct figures *figures = arg;
    if (progress->now_ns < progress->until_ns / 2 && figures->start == 0)
        figures->start = peak = taken;
    figures->steady = taken;
    figures->most = peak;
    return true;
}

static struct figures run(uint32_t ships, aldis_ns until_ns)
{
    char traders[64], couriers[64];
    snprintf(traders, sizeof traders, "fleets.traders.count=%u", ships - ships / 4);
    snprintf(couriers, sizeof couriers, "fleets.couriers.count=%u", ships / 4);
    const char *const settings[] = {"galaxy.systems=30",
                                    "galaxy.radius=1000 u",
                                    "fleets.traders.departure=20 s",
                                    "fleets.couriers.departure=20 s",
                                    traders,
                                    couriers};
    static struct scenario_errors errors;
    struct scenario *scenario;
    struct space_report report;
    struct figures figures = {0};
    int64_t before = taken;
    CHECK_INT(scenario_load_with(SCENARIOS "/galaxy.yaml", settings, 6, &scenario, &errors),
              SCENARIO_OK);
    const struct space_run_opts opts = {
        .workers = 1, .until_ns = until_ns, .on_progress = look, .arg = &figures};
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK(report.audit.balanced);
    CHECK_STR(report.balance, "balanced");
    space_report_fini(&report);
    scenario_destroy(scenario);
    figures.start -= before;
    figures.steady -= before;
    figures.most -= before;
    return figures;
}

/* For one of the ships that `many` has more than `few`. */
static int64_t each(int64_t few, int64_t many, uint32_t ships)
{
    return (many - few) / ships + CELL_AND_WORD;
}

/* Parts of a million, so that tables which double are as full as with a million. */
enum { STARTING = 1000000 / 16, WORKING = 1000000 / 64 };
/* What it was when this was written, and a little more. */
enum { START_MAX = 459, WORK_MAX = 570 };

TEST(a_ship_at_its_start)
{
    run(WORKING, ALDIS_SECOND); /* what a process makes once */
    struct figures few = run(STARTING, ALDIS_SECOND), many = run(2 * STARTING, ALDIS_SECOND);
    int64_t bytes = each(few.start, many.start, STARTING);
    printf("# bytes for one more ship, at the start: %" PRId64 "\n", bytes);
    CHECK(bytes > 300 && bytes <= START_MAX);
}

TEST(a_ship_at_work)
{
    struct figures few = run(WORKING, 50 * ALDIS_SECOND),
                   many = run(2 * WORKING, 50 * ALDIS_SECOND);
    int64_t then = each(few.steady, many.steady, WORKING),
            most = each(few.most, many.most, WORKING);
    printf("# bytes for one more ship, at work: %" PRId64 ", at the most %" PRId64 "\n", then,
           most);
    CHECK(then > 300 && then <= WORK_MAX);
    CHECK(most >= then && most <= WORK_MAX);
}
