// SPDX-License-Identifier: Apache-2.0
/* flood_test.c: far more messages than anybody has room for. Nothing dead-locks, nothing is lost in
 * silence: each message is handled, or its sender has got an error or a notice. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

struct tally {
    _Atomic(uint64_t) accepted, refused, noticed, handled;
};
static struct tally tally; /* of the running case */

static void tally_clear(void)
{
    atomic_store(&tally.accepted, 0);
    atomic_store(&tally.refused, 0);
    atomic_store(&tally.noticed, 0);
    atomic_store(&tally.handled, 0);
}

static aldis_err count_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    (void)ctx;
    atomic_fetch_add_explicit(&tally.handled, 1, memory_order_relaxed);
    return ALDIS_OK;
}

static void count_notice(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    EXPECT(notice->reason == ALDIS_EFULL || notice->reason == ALDIS_EDROPPED ||
           notice->reason == ALDIS_ESTALE || notice->reason == ALDIS_ESHUTDOWN ||
           notice->reason == ALDIS_EDEADLOCK);
    atomic_fetch_add_explicit(&tally.noticed, notice->count, memory_order_relaxed);
}

static const struct script counter = {.num = count_num, .undelivered = count_notice};

static aldis_err flood(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_err err = aldis_send(ctx, to, num, i);
        accepted += err == ALDIS_OK;
        if (err != ALDIS_OK && err != ALDIS_EFULL && err != ALDIS_EDROPPED)
            EXPECT_ERR(err, ALDIS_EFULL);
    }
    atomic_fetch_add(&tally.accepted, accepted);
    atomic_fetch_add(&tally.refused, act->a - accepted);
    return ALDIS_OK;
}

/* sent = accepted + refused; accepted = handled + noticed. Retries are counted, but not in the
 * tally. */
static void check_tally(struct fixture *f, uint64_t sent, uint64_t retries)
{
    uint64_t accepted = atomic_load(&tally.accepted), refused = atomic_load(&tally.refused),
             noticed = atomic_load(&tally.noticed), handled = atomic_load(&tally.handled);
    CHECK_UINT(accepted + refused, sent);
    CHECK_UINT(handled + noticed, accepted);
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, sent + retries);
    CHECK_UINT(nums.handled, handled);
    CHECK_UINT(nums.rejected + nums.dropped + nums.dead, refused + noticed + retries);
    CHECK_UINT(nums.queued, 0);
}

static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                 ALDIS_DROP_OLDEST, ALDIS_UNBOUNDED};

/* ------------------------------------------------------------------ one turn, a million */

enum { MILLION = 1000000 };

/* One actor sends: a million once under each clock is enough, on two workers. */
static uint64_t many(const struct fixture *f)
{
    return f->workers == 2 ? MILLION : MILLION / 20;
}

static void send_a_million(struct fixture *f, uint32_t shard)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        fixture_close(f);
        tally_clear();
        fixture_open(f, NULL);
        puppet_ref p = fixture_spawn(f, &counter,
                                     &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                         .mailbox = {.policy = policies[i]}});
        puppet_ref q = fixture_spawn(f, &counter,
                                     &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                         .shard = shard,
                                                         .mailbox = {.policy = policies[i]}});
        fixture_settle(f);
        fixture_tell(f, p, flood, (struct act){.id = q.id, .a = many(f)});
        fixture_settle(f);
        check_tally(f, many(f), 0);
        if (policies[i] != ALDIS_UNBOUNDED)
            CHECK(fixture_status(f, q.id).peak_msgs <= 1024);
    }
}

TEST_EACH(a_million_to_a_neighbour)
{
    send_a_million(f, 0);
}

TEST_EACH(a_million_to_another_shard)
{
    send_a_million(f, 3);
}

TEST_EACH(a_million_to_oneself)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        fixture_close(f);
        tally_clear();
        fixture_open(f, NULL);
        puppet_ref p =
            fixture_spawn(f, &counter, &(aldis_spawn_opts){.mailbox = {.policy = policies[i]}});
        fixture_settle(f);
        fixture_tell(f, p, flood, (struct act){.id = p.id, .a = many(f)});
        fixture_settle(f);
        check_tally(f, many(f), 0);
    }
}

/* With room for all of them under way, all are handled. */
TEST_EACH(a_million_with_room_for_a_million)
{
    static const uint32_t shards[] = {0, 3};
    for (size_t i = 0; i < 2; i++) {
        fixture_close(f);
        tally_clear();
        fixture_open(f, &(aldis_system_opts){.overflow_msgs = 2 * MILLION,
                                             .overflow_bytes = UINT64_C(1) << 40,
                                             .underway_per_sender = 2 * MILLION});
        puppet_ref p =
            fixture_spawn(f, &counter, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD});
        puppet_ref q = fixture_spawn(
            f, &counter, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shards[i]});
        fixture_settle(f);
        fixture_tell(f, p, flood, (struct act){.id = q.id, .a = many(f)});
        fixture_settle(f);
        check_tally(f, many(f), 0);
        CHECK_UINT(atomic_load(&tally.handled), many(f));
        CHECK(fixture_status(f, q.id).peak_msgs <= 1024);
    }
}

static aldis_err flood_without_delay(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref me = {.id = aldis_self(ctx)};
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < act->a; i++) {
        aldis_err err = aldis_send_after(ctx, 0, me, num, i);
        accepted += err == ALDIS_OK;
        if (err != ALDIS_OK)
            EXPECT_ERR(err, ALDIS_EFULL);
    }
    atomic_fetch_add(&tally.accepted, accepted);
    atomic_fetch_add(&tally.refused, act->a - accepted);
    return ALDIS_OK;
}

/* In virtual time these join the window that runs: fails by its time-out if each looks at all. */
TEST_EACH(a_million_to_oneself_at_this_instant)
{
    tally_clear();
    fixture_open(f, NULL);
    puppet_ref p = fixture_spawn(f, &counter, NULL);
    fixture_settle(f);
    fixture_tell(f, p, flood_without_delay, (struct act){.a = many(f)});
    fixture_settle(f);
    check_tally(f, many(f), 0);
}

/* ------------------------------------------------------------------ a hundred senders */

static void hundred_senders(struct fixture *f, aldis_mailbox_opts mailbox, uint64_t each)
{
    enum { SENDERS = 100 };
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        fixture_close(f);
        tally_clear();
        fixture_open(f, NULL);
        mailbox.policy = policies[i];
        puppet_ref q = fixture_spawn(f, &counter, &(aldis_spawn_opts){.mailbox = mailbox});
        puppet_ref senders[SENDERS];
        for (uint32_t s = 0; s < SENDERS; s++)
            senders[s] = fixture_spawn(
                f, &counter, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = s % 8});
        for (uint32_t s = 0; s < SENDERS; s++)
            fixture_tell(f, senders[s], flood, (struct act){.id = q.id, .a = each});
        fixture_settle(f);
        check_tally(f, SENDERS * each, 0);
        if (policies[i] == ALDIS_WAIT || policies[i] == ALDIS_UNBOUNDED)
            CHECK_UINT(atomic_load(&tally.handled), SENDERS * each);
        if (policies[i] != ALDIS_UNBOUNDED)
            CHECK(fixture_status(f, q.id).peak_msgs <= mailbox.capacity_msgs);
    }
}

TEST_EACH(a_hundred_senders_at_once)
{
    hundred_senders(f, (aldis_mailbox_opts){.capacity_msgs = 1024}, 600);
}

TEST_EACH(a_hundred_senders_to_a_small_mailbox)
{
    hundred_senders(f, (aldis_mailbox_opts){.capacity_msgs = 2}, 300);
}

TEST_EACH(a_hundred_senders_to_little_room)
{
    hundred_senders(f, (aldis_mailbox_opts){.capacity_msgs = 500, .capacity_bytes = 400}, 300);
}

/* ------------------------------------------------------------------ parked for long */

TEST_EACH(fan_in_to_one_that_pauses_now_and_then)
{
    enum { SENDERS = 24, EACH = 2000 };
    tally_clear();
    fixture_open(f, NULL);
    puppet_ref q =
        fixture_spawn(f, &counter, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 64}});
    puppet_ref senders[SENDERS];
    for (uint32_t s = 0; s < SENDERS; s++)
        senders[s] = fixture_spawn(
            f, &counter, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = s % 8});
    for (int round = 0; round < 5; round++) {
        CHECK_OK(aldis_pause(f->system, q.id));
        for (uint32_t s = 0; s < SENDERS; s++)
            fixture_tell(f, senders[s], flood, (struct act){.id = q.id, .a = EACH});
        fixture_settle(f);
        CHECK(fixture_status(f, q.id).depth_msgs <= 64);
        fixture_check(f);
        CHECK_OK(aldis_resume(f->system, q.id));
        if (round % 2)
            fixture_settle(f);
    }
    fixture_settle(f);
    check_tally(f, 5 * SENDERS * EACH, 0);
    CHECK_UINT(atomic_load(&tally.handled), 5 * SENDERS * EACH);
    CHECK(fixture_status(f, q.id).peak_msgs <= 64);
    aldis_stats stats;
    CHECK_OK(aldis_system_stats(f->system, &stats));
    CHECK(stats.parked >= SENDERS);
    aldis_stats_fini(&stats);
}

/* A chain of full mailboxes: each waits for the next, the last is slow. */
static aldis_err pass_on(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    puppet_ref next = {.id = {self->script.tag}};
    if (aldis_id_is_nobody(next.id))
        return count_num(self, value, ctx);
    for (int i = 0; i < 2; i++)
        EXPECT_OK(aldis_send(ctx, next, num, value));
    return ALDIS_OK;
}

TEST_EACH(a_pipeline_of_small_mailboxes_passes_all)
{
    enum { STAGES = 8, FIRST = 200 };
    tally_clear();
    fixture_open(f, NULL);
    aldis_id next = aldis_nobody();
    for (uint32_t s = 0; s < STAGES; s++)
        next =
            fixture_spawn(
                f, &(struct script){.num = pass_on, .tag = next.bits, .undelivered = count_notice},
                &(aldis_spawn_opts){
                    .placement = ALDIS_PLACE_SHARD, .shard = s, .mailbox = {.capacity_msgs = 4}})
                .id;
    puppet_ref source = fixture_spawn(f, &counter, NULL);
    fixture_tell(f, source, flood, (struct act){.id = next, .a = FIRST});
    fixture_settle(f);
    CHECK_UINT(atomic_load(&tally.handled), FIRST << (STAGES - 1));
    CHECK_UINT(atomic_load(&tally.noticed), 0);
}

/* Two that flood each other. Under ALDIS_WAIT they may come to wait for each other, again and
 * again, and each time one gives up: nothing is lost, and they come to an end. */
static aldis_err flood_back(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)count_num(self, value, ctx);
    if (value > 0 || self->count > 40)
        return ALDIS_OK;
    return flood(self, &(struct act){.id = {self->script.tag}, .a = 20}, ctx);
}

static aldis_err set_peer(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    self->script.tag = act->id.bits;
    return ALDIS_OK;
}

TEST_EACH(two_flood_each_other)
{
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        for (uint32_t shard = 0; shard < 3; shard++) {
            fixture_close(f);
            tally_clear();
            fixture_open(f, NULL);
            struct script script = {.num = flood_back, .undelivered = count_notice};
            aldis_spawn_opts opts = {.placement = ALDIS_PLACE_SHARD,
                                     .mailbox = {.capacity_msgs = 8, .policy = policies[i]}};
            puppet_ref a = fixture_spawn(f, &script, &opts);
            opts.shard = shard;
            puppet_ref b = fixture_spawn(f, &script, &opts);
            fixture_tell(f, a, set_peer, (struct act){.id = b.id});
            fixture_tell(f, b, set_peer, (struct act){.id = a.id});
            fixture_settle(f);
            fixture_tell(f, a, flood, (struct act){.id = b.id, .a = 500});
            struct act back = {.run = flood, .id = a.id, .a = 500};
            aldis_err err = aldis_send_copy(f->system, b, act, &back);
            CHECK(err == ALDIS_OK || err == ALDIS_EAGAIN); /* it may be full already */
            fixture_settle(f);
            fixture_check(f);
            CHECK(policies[i] == ALDIS_UNBOUNDED || fixture_status(f, a.id).peak_msgs <= 8);
            check_tally(f, atomic_load(&tally.accepted) + atomic_load(&tally.refused), 0);
            CHECK_OK(aldis_system_stop(f->system, 30 * ALDIS_SECOND));
            aldis_type_stats nums = fixture_counts(f, "num");
            CHECK_UINT(nums.queued, 0);
            CHECK_UINT(nums.sent, atomic_load(&tally.accepted) + atomic_load(&tally.refused));
        }
}

/* ------------------------------------------------------------------ threads from outside */

struct outsider {
    aldis_system *system;
    puppet_ref to;
    uint64_t count;
};

static void *flood_from_outside(void *arg)
{
    const struct outsider *me = arg;
    uint64_t accepted = 0, refused = 0;
    for (uint64_t i = 0; i < me->count; i++) {
        aldis_err err = aldis_send(me->system, me->to, num, i);
        accepted += err == ALDIS_OK;
        refused += err == ALDIS_EAGAIN;
        if (err != ALDIS_OK)
            EXPECT_ERR(err, ALDIS_EAGAIN);
        num_payload value = i;
        EXPECT_OK(aldis_system_send_until_raw(me->system, me->to.id, &num_type, &value,
                                              sizeof value, 60 * ALDIS_SECOND));
        accepted++;
    }
    atomic_fetch_add(&tally.accepted, accepted);
    atomic_fetch_add(&tally.refused, refused);
    return NULL;
}

TEST_LIVE(threads_from_outside_flood_an_actor)
{
    enum { THREADS = 4, EACH = 3000 };
    tally_clear();
    fixture_open(f, NULL);
    puppet_ref q =
        fixture_spawn(f, &counter, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 16}});
    struct outsider me = {f->system, q, EACH};
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, flood_from_outside, &me) == 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    fixture_settle(f);
    uint64_t sent = atomic_load(&tally.accepted) + atomic_load(&tally.refused);
    check_tally(f, sent, fixture_counts(f, "num").sent - sent); /* each try to send counts */
    CHECK_UINT(atomic_load(&tally.noticed), 0);
    CHECK(fixture_status(f, q.id).peak_msgs <= 16);
}

/* ------------------------------------------------------------------ under way */

TEST_VIRTUAL(what_is_under_way_is_bounded_per_sender_and_in_all)
{
    tally_clear();
    fixture_open(f, &(aldis_system_opts){.underway_per_sender = 100, .underway_msgs = 250});
    puppet_ref q = fixture_spawn(f, &counter, NULL);
    puppet_ref p = fixture_spawn(f, &counter, NULL);
    fixture_settle(f);
    fixture_tell(f, p, flood, (struct act){.id = q.id, .a = 500});
    fixture_settle(f);
    check_tally(f, 500, 0);
    CHECK_UINT(atomic_load(&tally.accepted), 100); /* one sender, one window */
    for (int i = 0; i < 3; i++)
        fixture_tell(f, p, flood, (struct act){.id = q.id, .a = 50});
    fixture_settle(f);
    CHECK_UINT(atomic_load(&tally.accepted), 200);
}
