// SPDX-License-Identifier: Apache-2.0
/* cycle_test.c: actors that are parked for each other are found, named, and set free. */
#include "fixture.h"

#include <stdatomic.h>
#include <string.h>

/* What the system has reported: written by workers, one report at a time. */
static struct {
    _Atomic(uint32_t) count;
    size_t members;
    aldis_ns at_ns, parked_ns;
    char kind[16], type[16];
    uint32_t depth, kept;
    uint64_t ids[8];
} report;

static void on_cycle(void *arg, const aldis_cycle *cycle)
{
    (void)arg;
    if (atomic_load(&report.count) == 0) {
        const aldis_cycle_member *first = &cycle->members[0];
        report.members = cycle->count;
        report.at_ns = cycle->at_ns;
        report.parked_ns = first->parked_ns;
        snprintf(report.kind, sizeof report.kind, "%s", first->kind);
        snprintf(report.type, sizeof report.type, "%s", first->type_name);
        report.depth = first->depth_msgs;
        report.kept = first->kept_msgs;
        for (size_t i = 0; i < cycle->count && i < 8; i++)
            report.ids[i] = cycle->members[i].actor.bits;
    }
    atomic_fetch_add(&report.count, 1);
}

static _Atomic(uint64_t) accepted, noticed;

static void open_system(struct fixture *f, aldis_cycle_policy policy)
{
    memset(&report, 0, sizeof report);
    atomic_store(&accepted, 0);
    atomic_store(&noticed, 0);
    fixture_open(f, &(aldis_system_opts){.cycle_policy = policy, .on_cycle = on_cycle});
}

static void count_notice(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    EXPECT(notice->reason == ALDIS_EDEADLOCK || notice->reason == ALDIS_ESHUTDOWN ||
           notice->reason == ALDIS_ESTALE);
    atomic_fetch_add(&noticed, notice->count);
}

enum { EACH = 500, AGAIN = 20 };

static aldis_err flood(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        if (aldis_send(ctx, to, num, i) == ALDIS_OK)
            atomic_fetch_add(&accepted, 1);
    return ALDIS_OK;
}

/* In virtual time what one handler sends is all under way before anybody is known to be full: so
 * the first few messages make an actor flood once more. */
static aldis_err flood_again(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    EXPECT_OK(aldis_busy(ctx, 10 * ALDIS_MS));
    if (self->memory[0]-- == 0)
        self->memory[0] = 0;
    else
        flood(self, &(struct act){.id = {self->memory[1]}, .a = AGAIN}, ctx);
    return ALDIS_OK;
}

static aldis_err flood_peer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    self->memory[0] = act->b;
    self->memory[1] = act->id.bits;
    return flood(self, act, ctx);
}

static const struct script flooder = {.num = flood_again, .undelivered = count_notice};

static void make_actors(struct fixture *f, const struct script *script, puppet_ref *actors,
                        uint32_t count)
{
    bool spread = f->clock == ALDIS_CLOCK_VIRTUAL;
    for (uint32_t i = 0; i < count; i++)
        actors[i] = fixture_spawn(f, script,
                                  &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                      .shard = spread ? i % 8 : 0,
                                                      .mailbox = {.capacity_msgs = 8}});
    fixture_settle(f);
}

/* One handler tells all. Live, they are on its shard: none has run before all are told, and each
 * fills the mailbox of the next before that one has its turn. So the ring closes for certain. */
static aldis_err tell_all(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    const puppet_ref *ring = (const puppet_ref *)(uintptr_t)act->a;
    for (uint64_t i = 0; i < act->b; i++) {
        struct act order = {
            .run = flood_peer, .id = ring[(i + 1) % act->b].id, .a = EACH, .b = self->script.tag};
        EXPECT_OK(aldis_send_copy(ctx, ring[i], act, &order));
    }
    return ALDIS_OK;
}

static void start_ring(struct fixture *f, puppet_ref *ring, uint32_t count)
{
    make_actors(f, &flooder, ring, count);
    struct script script = {.tag = f->clock == ALDIS_CLOCK_VIRTUAL ? 2 : 0}; /* floods more */
    puppet_ref teller =
        fixture_spawn(f, &script, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD});
    fixture_settle(f);
    fixture_tell(f, teller, tell_all, (struct act){.a = (uintptr_t)ring, .b = count});
}

static void expect_all_accounted(struct fixture *f)
{
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, atomic_load(&accepted));
    CHECK_UINT(nums.queued, 0);
    CHECK_UINT(nums.handled + nums.rejected, nums.sent);
    CHECK_UINT(nums.rejected, atomic_load(&noticed));
}

TEST_EACH(a_ring_is_found_named_and_broken)
{
    static const uint32_t lengths[] = {2, 7};
    for (size_t n = 0; n < 2; n++) {
        fixture_close(f);
        open_system(f, ALDIS_CYCLE_DEFAULT);
        puppet_ref ring[7];
        start_ring(f, ring, lengths[n]);
        fixture_settle(f);
        CHECK_UINT(atomic_load(&report.count), 1);
        CHECK_UINT(report.members, lengths[n]);
        /* Live, what a busy machine takes comes on top. */
        if (f->clock == ALDIS_CLOCK_VIRTUAL)
            CHECK(report.at_ns - report.parked_ns <= ALDIS_SECOND);
        CHECK_STR(report.kind, "puppet");
        CHECK_STR(report.type, "num");
        CHECK(report.depth > 4 && report.depth <= 8);
        CHECK(report.kept > 0 && report.kept < EACH);
        uint32_t first = 0;
        while (first < lengths[n] && ring[first].id.bits != report.ids[0])
            first++;
        for (uint32_t i = 0; i < lengths[n]; i++) /* in the order of who waits for whom */
            CHECK_UINT(report.ids[i], ring[(first + i) % lengths[n]].id.bits);
        expect_all_accounted(f);
        CHECK_UINT(atomic_load(&noticed), report.kept); /* one gave up, the others' arrived */
        aldis_stats stats;
        CHECK_OK(aldis_system_stats(f->system, &stats));
        CHECK_UINT(stats.cycles, 1);
        aldis_stats_fini(&stats);
    }
}

/* Each of several floods all others: many cycles at once. */
static aldis_err flood_all(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    const puppet_ref *all = (const puppet_ref *)(uintptr_t)act->a;
    for (uint64_t i = 0; i < act->b; i++)
        if (!aldis_id_equal(all[i].id, aldis_self(ctx)))
            flood(self, &(struct act){.id = all[i].id, .a = 50}, ctx);
    return ALDIS_OK;
}

static aldis_err flood_all_again(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    EXPECT_OK(aldis_busy(ctx, 10 * ALDIS_MS));
    return self->count == 2 ? flood_all(self, self->script.user, ctx) : ALDIS_OK;
}

TEST_VIRTUAL(everybody_floods_everybody)
{
    enum { COUNT = 12 };
    static puppet_ref all[COUNT];
    static struct act order = {.a = (uintptr_t)all, .b = COUNT};
    static const struct script script = {
        .num = flood_all_again, .undelivered = count_notice, .user = &order};
    open_system(f, ALDIS_CYCLE_DEFAULT);
    make_actors(f, &script, all, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        fixture_tell(f, all[i], flood_all, order);
    fixture_settle(f);
    expect_all_accounted(f);
    CHECK(atomic_load(&report.count) > 1);
}

TEST_VIRTUAL(a_pair_of_which_one_is_stopped)
{
    puppet_ref pair[2];
    open_system(f, ALDIS_CYCLE_STOP);
    start_ring(f, pair, 2);
    fixture_settle(f);
    CHECK_UINT(atomic_load(&report.count), 1);
    aldis_status status;
    aldis_id first = {report.ids[0]}, second = {report.ids[1]};
    CHECK_ERR(aldis_system_status(f->system, first, &status), ALDIS_ESTALE);
    CHECK_OK(aldis_system_status(f->system, second, &status));
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.queued, 0);
    CHECK_UINT(nums.handled + nums.rejected + nums.dead, nums.sent);
    CHECK(nums.dead > 0);
}

TEST_EACH(a_pair_that_ends_the_run)
{
    puppet_ref pair[2];
    open_system(f, ALDIS_CYCLE_HALT);
    start_ring(f, pair, 2);
    aldis_run_end end = ALDIS_RUN_IDLE;
    CHECK_ERR(aldis_system_run(f->system, ALDIS_FOREVER, &end), ALDIS_EDEADLOCK);
    CHECK_UINT(end, ALDIS_RUN_HALTED);
    CHECK(strstr(aldis_error_last()->text, "wait, keeps") != NULL);
    CHECK_UINT(atomic_load(&report.count), 1);
    CHECK_UINT(atomic_load(&noticed), 0);        /* it stays as it is, */
    fixture_settle(f);                           /* is reported once, */
    CHECK_OK(aldis_kill(f->system, pair[0].id)); /* and ends when somebody ends it */
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").queued, 0);
}

/* Who waits for a paused actor waits, and no more. */
TEST_EACH(waiting_alone_is_no_cycle)
{
    puppet_ref ring[3];
    open_system(f, ALDIS_CYCLE_DEFAULT);
    make_actors(f, &flooder, ring, 3);
    CHECK_OK(aldis_pause(f->system, ring[2].id));
    fixture_settle(f);
    for (int i = 0; i < 2; i++) {
        fixture_tell(f, ring[1], flood, (struct act){.id = ring[2].id, .a = EACH});
        fixture_settle(f);
    }
    fixture_tell(f, ring[0], flood, (struct act){.id = ring[1].id, .a = EACH});
    fixture_settle(f);
    CHECK_UINT(atomic_load(&report.count), 0);
    CHECK(fixture_counts(f, "num").queued > EACH);
    CHECK_OK(aldis_resume(f->system, ring[2].id));
    fixture_settle(f);
    CHECK_UINT(atomic_load(&report.count), 0);
    CHECK_UINT(atomic_load(&noticed), 0);
    expect_all_accounted(f);
}

static uint64_t ring_print(uint32_t workers, aldis_cycle_policy policy, aldis_ns *out_at_ns)
{
    struct fixture f = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = workers};
    open_system(&f, policy);
    puppet_ref ring[7];
    start_ring(&f, ring, 7);
    fixture_settle(&f);
    uint64_t print = aldis_system_run_print(f.system);
    *out_at_ns = report.at_ns;
    fixture_close(&f);
    return print;
}

TEST(the_run_is_the_same_on_any_number_of_workers)
{
    for (int policy = ALDIS_CYCLE_FAIL; policy <= ALDIS_CYCLE_STOP; policy++) {
        aldis_ns at1 = 0, at2 = 0, at4 = 0;
        uint64_t print = ring_print(1, (aldis_cycle_policy)policy, &at1);
        CHECK_UINT(ring_print(2, (aldis_cycle_policy)policy, &at2), print);
        CHECK_UINT(ring_print(4, (aldis_cycle_policy)policy, &at4), print);
        CHECK_UINT(at2, at1);
        CHECK_UINT(at4, at1);
    }
}

TEST(an_unknown_policy_is_refused)
{
    aldis_system *system;
    CHECK_ERR(
        aldis_system_create(&(aldis_system_opts){.cycle_policy = (aldis_cycle_policy)4}, &system),
        ALDIS_EINVAL);
}
