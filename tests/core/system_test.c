// SPDX-License-Identifier: Apache-2.0
/* system_test.c: options of systems, several of them, and their ends with everything still
 * there. */
#include "fixture.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { LETTER = 1, TICKED };

/* ------------------------------------------------------------------ options */

struct bad_option {
    aldis_system_opts opts;
    const char *name; /* must be named in the error's text, with the value that was found */
    const char *found;
};

static const struct bad_option bad_options[] = {
    {{.clock = (aldis_clock)2}, "clock", "2"},
    {{.workers = 256}, "workers", "256"},
    {{.workers = UINT32_MAX}, "workers", "4294967295"},
    {{.shards = 4095}, "shards", "4095"},
    {{.actors_max = (1u << 24) + 1}, "actors_max", "16777217"},
    {{.node = 256}, "node", "256"},
    {{.mailbox = {.capacity_msgs = (1u << 30) + 1}}, "capacity_msgs", "1073741825"},
    {{.mailbox = {.capacity_bytes = 1u << 31}}, "capacity_bytes", "2147483648"},
    {{.mailbox = {.low_water_msgs = 1025}}, "low_water_msgs", "1025"},
    {{.mailbox = {.policy = (aldis_overflow_policy)7}}, "policy", "7"},
    {{.inflight_msgs = 60001}, "inflight_msgs", "60001"},
    {{.microsteps_max = 65536}, "microsteps_max", "65536"},
    {{.offload_threads = 257}, "offload_threads", "257"},
    {{.asks_max = (1u << 20) + 1}, "asks_max", "1048577"},
    {{.lookahead_ns = -1}, "lookahead_ns", "-1"},
    {{.default_delay_ns = -7}, "default_delay_ns", "-7"},
    {{.clock = ALDIS_CLOCK_VIRTUAL, .default_delay_ns = ALDIS_MS - 1},
     "default_delay_ns",
     "999999"},
    {{.clock = ALDIS_CLOCK_VIRTUAL, .default_delay_ns = 5, .lookahead_ns = 6},
     "default_delay_ns",
     "5"},
};

TEST(wrong_options_are_refused_by_name_and_value)
{
    for (size_t i = 0; i < sizeof bad_options / sizeof bad_options[0]; i++) {
        aldis_system *untouched = (aldis_system *)(uintptr_t)42, *system = untouched;
        CHECK_ERR(aldis_system_create(&bad_options[i].opts, &system), ALDIS_EINVAL);
        CHECK(system == untouched);
        const char *text = aldis_error_last()->text;
        if (!strstr(text, bad_options[i].name) || !strstr(text, bad_options[i].found))
            test_fail(__FILE__, __LINE__, "\"%s\" does not name %s and %s", text,
                      bad_options[i].name, bad_options[i].found);
    }
    CHECK_ERR(aldis_system_create(NULL, NULL), ALDIS_EINVAL);
    aldis_system_destroy(NULL);
}

TEST(no_options_are_the_defaults)
{
    aldis_system *system = NULL;
    CHECK_OK(aldis_system_create(NULL, &system));
    CHECK_UINT(aldis_system_shards(system), 64);
    CHECK_INT(aldis_system_workers(system), sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(aldis_system_now(system) >= 0);
    aldis_system_destroy(system);
}

static const aldis_system_opts extremes[] = {
    {.shards = 1, .workers = 1, .actors_max = 1},
    {.shards = 1, .workers = 17},
    {.shards = 4094, .workers = 2},
    {.shards = 3, .workers = 255},
    {.inflight_msgs = 1, .shards = 2},
    {.inflight_msgs = 60000, .shards = 2, .offload_threads = 256, .offload_queue = UINT32_MAX},
    {.overflow_msgs = 1, .overflow_bytes = 1, .mailbox = {.capacity_msgs = 1, .capacity_bytes = 1}},
    {.overflow_msgs = UINT32_MAX,
     .overflow_bytes = UINT64_MAX,
     .mailbox = {.capacity_msgs = 1 << 30, .capacity_bytes = INT32_MAX}},
    {.lookahead_ns = 24 * 365 * ALDIS_HOUR},
    {.lookahead_ns = 1, .default_delay_ns = ALDIS_HOUR, .microsteps_max = 1},
    {.underway_msgs = UINT64_MAX, .underway_per_sender = UINT32_MAX, .microsteps_max = 65535},
};

/* Each runs an actor that is told something, unless a bound of 1 is in the way. */
TEST(extreme_options_work)
{
    static const aldis_clock clocks[] = {ALDIS_CLOCK_LIVE, ALDIS_CLOCK_VIRTUAL};
    for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++)
        for (size_t c = 0; c < 2; c++) {
            struct fixture f = {clocks[c], extremes[i].workers, NULL};
            fixture_open(&f, &extremes[i]);
            if (extremes[i].workers)
                CHECK_UINT(aldis_system_workers(f.system), extremes[i].workers);
            puppet_ref p = fixture_spawn(&f, NULL, NULL);
            fixture_settle(&f);
            CHECK_OK(aldis_send(f.system, p, num, 1));
            fixture_settle(&f);
            CHECK_UINT(fixture_status(&f, p.id).handled_msgs, 1);
            CHECK_OK(aldis_stop(f.system, p.id));
            fixture_settle(&f);
            CHECK(aldis_is_closed(f.system, p.id));
            fixture_close(&f);
        }
}

/* ------------------------------------------------------------------ several systems */

TEST(nodes_are_given_lowest_first_and_not_twice)
{
    static aldis_system *systems[256];
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 1, .node = 3};
    CHECK_OK(aldis_system_create(&opts, &systems[3]));
    aldis_system *clash = NULL;
    CHECK_ERR(aldis_system_create(&opts, &clash), ALDIS_EEXISTS);
    CHECK(clash == NULL);
    opts.node = 0;
    for (uint32_t n = 1; n < 256; n++)
        if (n != 3)
            CHECK_OK(aldis_system_create(&opts, &systems[n]));
    CHECK_ERR(aldis_system_create(&opts, &clash), ALDIS_EEXISTS);
    for (uint32_t n = 1; n < 256; n++) {
        aldis_id id;
        CHECK_OK(aldis_system_spawn_raw(systems[n], &puppet_behaviour, NULL, &id));
        CHECK_UINT(id.bits >> 56, n);
    }
    aldis_system_destroy(systems[100]);
    CHECK_OK(aldis_system_create(&opts, &systems[100]));
    aldis_id id;
    CHECK_OK(aldis_system_spawn_raw(systems[100], &puppet_behaviour, NULL, &id));
    CHECK_UINT(id.bits >> 56, 100);
    for (uint32_t n = 1; n < 256; n++)
        aldis_system_destroy(systems[n]);
}

TEST(both_clocks_run_side_by_side)
{
    struct fixture live = {ALDIS_CLOCK_LIVE, 2, NULL}, virtual = {ALDIS_CLOCK_VIRTUAL, 2, NULL};
    fixture_open(&live, NULL);
    fixture_open(&virtual, NULL);
    puppet_ref a = fixture_spawn(&live, NULL, NULL), b = fixture_spawn(&virtual, NULL, NULL);
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(aldis_system_send_until_raw(live.system, a.id, &num_type, &(uint64_t){1}, 8,
                                             30 * ALDIS_SECOND));
        CHECK_OK(aldis_send(virtual.system, b, num, 1));
    }
    fixture_settle(&virtual);
    fixture_settle(&live);
    CHECK_UINT(fixture_status(&live, a.id).handled_msgs, 1000);
    CHECK_UINT(fixture_status(&virtual, b.id).handled_msgs, 1000);
    fixture_close(&live);
    fixture_close(&virtual);
}

/* ------------------------------------------------------------------ threads */

/* How many threads of this process are named `prefix` and a number, and block all that can be. */
static size_t count_threads(const char *prefix)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    struct dirent *entry;
    while ((entry = readdir(tasks))) {
        char path[300], line[256];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        bool ours = false;
        unsigned long long blocked = 0;
        while (status && fgets(line, sizeof line, status)) {
            if (strncmp(line, "Name:\t", 6) == 0)
                ours = strncmp(line + 6, prefix, strlen(prefix)) == 0;
            if (strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        }
        if (status)
            fclose(status);
        if (!ours)
            continue;
        count++;
        /* SIGKILL (9) and SIGSTOP (19) cannot be blocked; 32 and 33 are the C library's own. */
        const unsigned long long may_be_open = 1ull << 8 | 1ull << 18 | 3ull << 31;
        if (~(blocked | may_be_open) & 0x7fffffffffffffffull)
            count += 1000;
    }
    closedir(tasks);
    return count;
}

TEST_LIVE(threads_are_named_and_block_signals)
{
    fixture_open(f, NULL);
    fixture_settle(f);
    CHECK_UINT(count_threads("aldis-w"), f->workers);
    fixture_close(f);
    CHECK_UINT(count_threads("aldis-"), 0);
}

TEST_VIRTUAL(a_virtual_system_has_threads_for_all_workers_but_one)
{
    fixture_open(f, NULL);
    CHECK(count_threads("aldis-w") < 1000);
    fixture_close(f);
    CHECK_UINT(count_threads("aldis-"), 0);
}

/* ------------------------------------------------------------------ ends */

TEST_EACH(a_system_may_end_as_soon_as_it_is_made)
{
    for (int i = 0; i < 30; i++) {
        fixture_open(f, NULL);
        if (i % 3) {
            puppet_ref p = fixture_spawn(f, NULL, NULL);
            if (i % 3 == 2)
                CHECK_OK(aldis_send(f->system, p, num, 1));
        }
        aldis_system_destroy(f->system);
        f->system = NULL;
    }
}

static _Atomic(uint64_t) letters;

static void count_letter(void *arg, const aldis_dead_letter *letter)
{
    EXPECT(arg == &letters);
    EXPECT(letter->type_name[0] != 0);
    EXPECT_UINT(letter->reason, ALDIS_ESHUTDOWN);
    atomic_fetch_add(&letters, 1);
}

static aldis_err make_a_mess(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const unsigned char bytes[ALDIS_PAYLOAD_MAX];
    puppet_ref to = {.id = act->id};
    aldis_timer timer;
    aldis_blob *blob = NULL;
    EXPECT_OK(aldis_blob_create(NULL, 100000, &blob, NULL));
    for (uint64_t i = 0; i < 200; i++) { /* far beyond the mailbox: kept, held and under way */
        num_payload value = i;
        EXPECT_OK(aldis_send(ctx, to, num, i));
        EXPECT_OK(
            aldis_send_with(ctx, to, num, &value,
                            &(aldis_send_opts){.lane = i % 2 ? ALDIS_LANE_HIGH : ALDIS_LANE_LOW}));
    }
    for (size_t i = 0; i < 10; i++) {
        EXPECT_OK(aldis_ctx_send_raw(ctx, to.id, &raw_type, bytes, 60000));
        EXPECT_OK(aldis_send_blob_raw(ctx, to.id, &raw_type, blob));
        EXPECT_OK(aldis_send_after(ctx, ALDIS_HOUR, to, num, i));
        EXPECT_OK(aldis_timer_once(ctx, ALDIS_HOUR, tick, &timer));
        EXPECT_OK(aldis_timer_every(ctx, ALDIS_HOUR, tick, &timer));
        EXPECT_OK(aldis_timer_start_raw(ctx, &(aldis_timer_opts){.delay_ns = ALDIS_HOUR}, &raw_type,
                                        bytes, 60000, &timer));
        EXPECT(aldis_build_raw(ctx, to.id, &raw_type, 60000) != NULL);
        (void)puppet_spawn(ctx, &self->script,
                           &(aldis_spawn_opts){.placement = ALDIS_PLACE_ANYWHERE});
    }
    aldis_blob_unref(blob);
    return ALDIS_OK;
}

/* Whatever waits anywhere is a dead letter then, and nothing leaks: the sanitizers look. */
TEST_EACH(a_system_may_end_with_everything_still_there)
{
    atomic_store(&letters, 0);
    fixture_open(
        f, &(aldis_system_opts){.on_dead_letter = count_letter, .on_dead_letter_arg = &letters});
    for (uint32_t i = 0; i < 8; i++) {
        aldis_spawn_opts opts = {
            .placement = ALDIS_PLACE_SHARD, .shard = i, .mailbox = {.capacity_msgs = 10}};
        puppet_ref q = fixture_spawn(f, NULL, &opts);
        CHECK_OK(aldis_pause(f->system, q.id));
        opts.shard = i / 2;
        opts.mailbox.capacity_msgs = 0;
        puppet_ref p = fixture_spawn(f, NULL, &opts);
        fixture_tell(f, p, make_a_mess, (struct act){.id = q.id});
    }
    fixture_await(f, "act", 8);
    fixture_check(f);
    uint64_t queued = fixture_counts(f, "num").queued + fixture_counts(f, "raw").queued +
                      fixture_counts(f, "tick").queued;
    CHECK(queued > 8 * 440);
    aldis_system_destroy(f->system);
    f->system = NULL;
    fixture_close(f);
    CHECK_UINT(atomic_load(&letters), queued);
}

TEST_EACH(a_stopped_system_runs_no_more)
{
    fixture_open(f, NULL);
    (void)fixture_spawn(f, NULL, NULL);
    CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
    aldis_run_end end = ALDIS_RUN_HALTED;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_ESTATE);
    CHECK_INT(end, ALDIS_RUN_HALTED); /* not touched */
    aldis_stats stats;                /* its figures can still be read */
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK_UINT(stats.active_actors, 0);
    aldis_stats_fini(&stats);
}
