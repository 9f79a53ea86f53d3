// SPDX-License-Identifier: Apache-2.0
/* share_test.c: when the workers share a window: never one with little work, and a larger one when
 * that has proved to be faster. */
#include "core/share.h"

#include "core/window.h"
#include "harness.h"
#include "library.h"
#include <stdatomic.h>

enum { WINDOWS = 20000, EVENTS = 1000 };

/* So many windows of so many events; each way takes so long. Gives how many were shared. */
static uint64_t shared_of(struct aldis__share *share, uint64_t events, aldis_ns alone_ns,
                          aldis_ns shared_ns)
{
    uint64_t count = 0;
    for (int i = 0; i < WINDOWS; i++) {
        bool shared = aldis__share_choose(share, events);
        count += shared;
        aldis__share_note(share, events, shared, shared ? shared_ns : alone_ns);
    }
    return count;
}

TEST(share_takes_the_faster_way_nearly_always)
{
    struct aldis__share share = {0};
    CHECK(shared_of(&share, EVENTS, 20000, 60000) < WINDOWS / 200);
    share = (struct aldis__share){0};
    CHECK(shared_of(&share, EVENTS, 20000, 11000) > WINDOWS - WINDOWS / 200);
    /* More workers that are only as fast burn more. */
    share = (struct aldis__share){0};
    CHECK(shared_of(&share, EVENTS, 20000, 19000) < WINDOWS / 200);
}

TEST(share_follows_when_the_machine_changes)
{
    struct aldis__share share = {0};
    CHECK(shared_of(&share, EVENTS, 20000, 60000) < WINDOWS / 200);
    CHECK(shared_of(&share, EVENTS, 20000, 11000) > WINDOWS - WINDOWS / 5);
    CHECK(shared_of(&share, EVENTS, 20000, 60000) < WINDOWS / 5);
}

TEST(share_tells_small_windows_from_large_ones)
{
    struct aldis__share share = {0};
    for (int round = 0; round < 3; round++) {
        CHECK(shared_of(&share, 600, 20000, 60000) < WINDOWS / 200);
        CHECK(shared_of(&share, 60000, 2000000, 1100000) > WINDOWS - WINDOWS / 200);
    }
}

/* The machine was elsewhere for a while, once. */
TEST(share_forgets_one_slow_window)
{
    struct aldis__share share = {0};
    CHECK(shared_of(&share, EVENTS, 20000, 40000) < WINDOWS / 200);
    aldis__share_note(&share, EVENTS, false, 500 * ALDIS_MS);
    CHECK(shared_of(&share, EVENTS, 20000, 40000) < WINDOWS / 100);
}

TEST(share_takes_any_figures)
{
    static const uint64_t events[] = {0, 1, 2, UINT64_MAX};
    static const aldis_ns times[] = {0, 1, ALDIS_HOUR};
    struct aldis__share share = {0};
    uint64_t shared_count = 0;
    for (size_t i = 0; i < 1000; i++) {
        bool shared = aldis__share_choose(&share, events[i % 4]);
        shared_count += shared;
        aldis__share_note(&share, events[i % 4], shared, times[i % 3]);
    }
    CHECK(shared_count > 0 && shared_count < 1000); /* both ways are tried, whatever comes */
}

/* ------------------------------------------------------------------ in a system */

static _Atomic(uint64_t) shards_shared;

static void count_shard(uint32_t worker, uint32_t shard)
{
    (void)worker;
    (void)shard;
    atomic_fetch_add(&shards_shared, 1);
}

static uint64_t shards_shared_by(enum show_kind kind, uint64_t share_min)
{
    atomic_store(&shards_shared, 0);
    aldis__window_test = (struct aldis__window_test){.share_min = share_min, .stall = count_shard};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct show show;
        struct library_result result;
        show_init(&show, seed, kind);
        library_perform(&show, 4, &result);
        show_fini(&show);
        CHECK_STR(result.fault, "");
    }
    aldis__window_test = (struct aldis__window_test){0};
    return atomic_load(&shards_shared);
}

TEST(share_leaves_windows_with_little_work_to_one_worker)
{
    CHECK_UINT(shards_shared_by(SHOW_SMALL, 0), 0);
    CHECK(shards_shared_by(SHOW_SMALL, 2) > 0); /* so they could have been */
}
