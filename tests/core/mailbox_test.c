// SPDX-License-Identifier: Apache-2.0
/* mailbox_test.c: bounds of mailboxes in messages and bytes, and what each policy does at them. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { HANDLED = 1, REFUSED, RESULT };

static aldis_err trace_num(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    trace_add(HANDLED, value, aldis_now(ctx));
    return ALDIS_OK;
}

static void trace_refused(struct puppet *self, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)self;
    EXPECT(strcmp(notice->type_name, "num") == 0);
    EXPECT(!aldis_id_is_nobody(notice->to));
    for (uint32_t i = 0; i < notice->count; i++)
        trace_add(REFUSED, notice->reason, aldis_now(ctx));
}

/* Send a nums to act->id; each result is noted. */
static aldis_err send_noting(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    puppet_ref to = {.id = act->id};
    for (uint64_t i = 0; i < act->a; i++)
        trace_add(RESULT, aldis_send(ctx, to, num, i), aldis_now(ctx));
    return ALDIS_OK;
}

static size_t results(aldis_err err)
{
    size_t count = 0;
    for (size_t i = 0; i < trace_count(); i++)
        count += trace_at(i).what == RESULT && trace_at(i).tag == (uint64_t)err;
    return count;
}

static size_t refused(aldis_err err)
{
    size_t count = 0;
    for (size_t i = 0; i < trace_count(); i++)
        count += trace_at(i).what == REFUSED && trace_at(i).tag == (uint64_t)err;
    return count;
}

enum { CAPACITY = 32, FLOOD = 500 };

/* Where the sender is, seen from the receiver on shard 0. */
static const uint32_t shards_of_sender[] = {0, 1, 3};

/* A paused receiver of CAPACITY with `policy` on shard 0, and FLOOD nums sent by one that is
 * told. */
static puppet_ref flood_paused(struct fixture *f, aldis_overflow_policy policy, uint32_t shard)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(
        f, &(struct script){.num = trace_num},
        &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                            .shard = 0,
                            .mailbox = {.capacity_msgs = CAPACITY, .policy = policy}});
    puppet_ref p =
        fixture_spawn(f, &(struct script){.undelivered = trace_refused},
                      &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = FLOOD});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(RESULT) % FLOOD, 0);
    CHECK(fixture_status(f, q.id).peak_msgs <= CAPACITY || policy == ALDIS_UNBOUNDED);
    fixture_check(f);
    return q;
}

/* After the receiver has gone on: everything has one fate, and the sender knows it. */
static void check_fates(struct fixture *f, uint64_t handled, uint64_t rejected, uint64_t dropped)
{
    aldis_type_stats nums = fixture_counts(f, "num");
    CHECK_UINT(nums.sent, FLOOD);
    CHECK_UINT(nums.handled, handled);
    CHECK_UINT(nums.rejected, rejected);
    CHECK_UINT(nums.dropped, dropped);
    CHECK_UINT(nums.dead, 0);
    CHECK_UINT(nums.queued, 0);
}

static void resume(struct fixture *f, puppet_ref q)
{
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
}

/* Handled in order, each once, from `first` on. */
static void check_handled(uint64_t first, uint64_t count)
{
    CHECK_UINT(trace_count_of(HANDLED), count);
    uint64_t next = first;
    for (size_t i = 0; i < trace_count(); i++)
        if (trace_at(i).what == HANDLED)
            CHECK_UINT(trace_at(i).tag, next++);
}

/* The next of several systems in one case: the trace goes on, so each looks at its own part. */
#define EACH_SENDER(f, shard_)                                                                     \
    for (size_t sender_ = 0; sender_ < 3; fixture_close(f), trace_clear(), sender_++)              \
        for (uint32_t shard_ = shards_of_sender[sender_], once_ = 1; once_; once_ = 0)

TEST_EACH(under_reject_the_sender_is_told_of_every_refusal)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_REJECT, shard);
        /* At the send if that could be seen, else by a notice: never both, never neither. */
        CHECK_UINT(results(ALDIS_EFULL) + refused(ALDIS_EFULL), FLOOD - CAPACITY);
        CHECK_UINT(results(ALDIS_OK) - refused(ALDIS_EFULL), CAPACITY);
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, CAPACITY);
        resume(f, q);
        check_handled(0, CAPACITY);
        check_fates(f, CAPACITY, FLOOD - CAPACITY, 0);
    }
}

TEST_EACH(under_drop_newest_the_first_stay)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_DROP_NEWEST, shard);
        CHECK_UINT(results(ALDIS_EDROPPED) + refused(ALDIS_EDROPPED), FLOOD - CAPACITY);
        CHECK_UINT(results(ALDIS_OK) - refused(ALDIS_EDROPPED), CAPACITY);
        resume(f, q);
        check_handled(0, CAPACITY);
        check_fates(f, CAPACITY, 0, FLOOD - CAPACITY);
    }
}

TEST_EACH(under_drop_oldest_the_last_stay)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_DROP_OLDEST, shard);
        CHECK_UINT(results(ALDIS_OK), FLOOD);
        CHECK_UINT(refused(ALDIS_EDROPPED), FLOOD - CAPACITY);
        resume(f, q);
        check_handled(FLOOD - CAPACITY, CAPACITY);
        check_fates(f, CAPACITY, 0, FLOOD - CAPACITY);
    }
}

TEST_EACH(under_wait_nothing_is_lost)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_WAIT, shard);
        CHECK_UINT(results(ALDIS_OK), FLOOD);
        CHECK_UINT(fixture_counts(f, "num").queued, FLOOD);
        resume(f, q);
        CHECK_UINT(trace_count_of(REFUSED), 0);
        check_handled(0, FLOOD);
        check_fates(f, FLOOD, 0, 0);
        CHECK(fixture_status(f, q.id).peak_msgs <= CAPACITY);
    }
}

TEST_EACH(the_default_is_to_wait)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_POLICY_DEFAULT, shard);
        CHECK_UINT(results(ALDIS_OK), FLOOD);
        resume(f, q);
        check_handled(0, FLOOD);
    }
}

TEST_EACH(unbounded_takes_all)
{
    EACH_SENDER(f, shard)
    {
        puppet_ref q = flood_paused(f, ALDIS_UNBOUNDED, shard);
        CHECK_UINT(results(ALDIS_OK), FLOOD);
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, FLOOD);
        resume(f, q);
        check_handled(0, FLOOD);
    }
}

/* ------------------------------------------------------------------ where the bounds come from */

TEST_EACH(a_mailbox_takes_its_bounds_from_the_nearest)
{
    fixture_open(f, &(aldis_system_opts){.mailbox = {.capacity_msgs = 7, .policy = ALDIS_REJECT}});
    puppet_ref p = fixture_spawn(f, &(struct script){.undelivered = trace_refused}, NULL);
    puppet_ref of_system = fixture_spawn(f, NULL, NULL);
    puppet_ref own = fixture_spawn(f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 3}});
    puppet_ref dropping =
        fixture_spawn(f, NULL, &(aldis_spawn_opts){.mailbox = {.policy = ALDIS_DROP_OLDEST}});
    puppet_ref all[] = {of_system, own, dropping};
    static const uint32_t depth[] = {7, 3, 7};
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(aldis_pause(f->system, all[i].id));
        fixture_settle(f);
        fixture_tell(f, p, send_noting, (struct act){.id = all[i].id, .a = 20});
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, all[i].id).depth_msgs, depth[i]);
        CHECK_UINT(fixture_status(f, all[i].id).peak_msgs, depth[i]);
    }
    CHECK_UINT(results(ALDIS_EFULL) + refused(ALDIS_EFULL), 13 + 17);
    CHECK_UINT(refused(ALDIS_EDROPPED), 13);
}

TEST_EACH(a_mailbox_of_one_works_under_every_policy)
{
    static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                     ALDIS_DROP_OLDEST};
    fixture_open(f, NULL);
    for (size_t i = 0; i < 4; i++) {
        aldis_spawn_opts opts = {.mailbox = {.capacity_msgs = 1, .policy = policies[i]}};
        puppet_ref q = fixture_spawn(f, NULL, &opts);
        for (uint32_t shard = 0; shard < 4; shard++) {
            puppet_ref p = fixture_spawn(
                f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
            fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = 300});
        }
        fixture_settle(f);
        CHECK(fixture_status(f, q.id).peak_msgs <= 1);
        if (policies[i] == ALDIS_WAIT)
            CHECK_UINT(fixture_status(f, q.id).handled_msgs, 1200);
        fixture_check(f);
    }
    CHECK_UINT(fixture_counts(f, "num").sent, 4800);
}

/* ------------------------------------------------------------------ bytes */

static aldis_err send_bytes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    static const unsigned char bytes[ALDIS_PAYLOAD_MAX];
    for (uint64_t i = 0; i < act->a; i++)
        trace_add(RESULT, aldis_ctx_send_raw(ctx, act->id, &raw_type, bytes, act->b),
                  aldis_now(ctx));
    return ALDIS_OK;
}

struct bytes_case {
    uint32_t capacity_bytes;
    uint64_t size;
};
static const struct bytes_case bytes_cases[] = {
    {1000, 100},   {4096, 1},      {4096, 33},       {65536, 1000},
    {65536, 5000}, {100000, 9000}, {1 << 20, 65536}, {1 << 20, 20000},
};

TEST_EACH(a_mailbox_is_bounded_in_bytes)
{
    for (size_t i = 0; i < sizeof bytes_cases / sizeof bytes_cases[0]; i++) {
        const struct bytes_case *c = &bytes_cases[i];
        fixture_close(f);
        trace_clear();
        fixture_open(f, NULL);
        puppet_ref q =
            fixture_spawn(f, NULL,
                          &(aldis_spawn_opts){.mailbox = {.capacity_bytes = c->capacity_bytes,
                                                          .capacity_msgs = 1 << 20,
                                                          .policy = ALDIS_REJECT}});
        puppet_ref p = fixture_spawn(f, NULL, NULL);
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        fixture_tell(f, p, send_bytes,
                     (struct act){.id = q.id, .a = 2 * c->capacity_bytes / c->size, .b = c->size});
        fixture_settle(f);
        uint64_t depth = fixture_status(f, q.id).depth_msgs;
        CHECK(depth >= 1);
        CHECK(depth * c->size <= c->capacity_bytes);
        /* A message takes its block's payload: never so much more that most of the room is lost,
         * but for the smallest (a block has 32 bytes and a length of 16 at least). */
        CHECK(depth * (c->size + 64) * 2 >= c->capacity_bytes);
        CHECK_OK(aldis_resume(f->system, q.id));
        fixture_settle(f);
        CHECK_UINT(fixture_counts(f, "raw").handled, depth);
    }
}

TEST_EACH(a_message_larger_than_all_room_passes_alone)
{
    static const aldis_overflow_policy policies[] = {ALDIS_WAIT, ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                     ALDIS_DROP_OLDEST};
    fixture_open(f, NULL);
    for (size_t i = 0; i < 4; i++) {
        puppet_ref q = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_bytes = 1, .policy = policies[i]}});
        for (uint32_t shard = 0; shard < 3; shard++) {
            puppet_ref p = fixture_spawn(
                f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = shard});
            fixture_tell(f, p, send_bytes, (struct act){.id = q.id, .a = 50, .b = 3000});
            fixture_tell(f, p, send_bytes, (struct act){.id = q.id, .a = 5, .b = 65536});
            fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = 50});
        }
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, 0);
        CHECK(fixture_status(f, q.id).handled_msgs >= 1);
        if (policies[i] == ALDIS_WAIT)
            CHECK_UINT(fixture_status(f, q.id).handled_msgs, 3 * 105);
        fixture_check(f);
    }
}

/* ------------------------------------------------------------------ the sender's own overflow */

TEST_EACH(a_senders_overflow_is_bounded_too)
{
    fixture_open(f, &(aldis_system_opts){.overflow_msgs = 40});
    puppet_ref q = fixture_spawn(
        f, &(struct script){.num = trace_num},
        &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .mailbox = {.capacity_msgs = 10}});
    puppet_ref p = fixture_spawn(f, &(struct script){.undelivered = trace_refused},
                                 &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    /* In virtual time a mailbox is known to be full from the next window on. */
    fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = 10});
    fixture_settle(f);
    fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = 100});
    fixture_settle(f);
    CHECK_UINT(results(ALDIS_EFULL), 60);
    CHECK_UINT(results(ALDIS_OK), 50);
    CHECK_STR(fixture_status(f, p.id).state_name, "idle");
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(trace_count_of(HANDLED), 50);
    CHECK_UINT(fixture_counts(f, "num").rejected, 60);
}

TEST_EACH(a_senders_overflow_is_bounded_in_bytes)
{
    fixture_open(f, &(aldis_system_opts){.overflow_bytes = 100000});
    puppet_ref q = fixture_spawn(
        f, NULL,
        &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .mailbox = {.capacity_msgs = 1}});
    puppet_ref p = fixture_spawn(f, NULL, &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fixture_tell(f, p, send_bytes, (struct act){.id = q.id, .a = 1, .b = 10});
    fixture_settle(f);
    fixture_tell(f, p, send_bytes, (struct act){.id = q.id, .a = 100, .b = 3000});
    fixture_settle(f);
    CHECK(results(ALDIS_OK) - 1 <= 100000 / 3000);
    CHECK(results(ALDIS_OK) - 1 >= 100000 / 4200);
    CHECK_UINT(results(ALDIS_OK) + results(ALDIS_EFULL), 101);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "raw").handled, results(ALDIS_OK));
}

/* One sender, several full targets: each keeps its own order, and the sender goes on when all have
 * let go. */
static aldis_err send_round(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    const aldis_id *to = self->script.user;
    for (uint64_t i = 0; i < act->a; i++)
        for (size_t k = 0; k < 3; k++) {
            puppet_ref ref = {.id = to[k]};
            EXPECT_OK(aldis_send(ctx, ref, num, i));
        }
    return ALDIS_OK;
}

static aldis_err in_order(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)ctx;
    EXPECT_UINT(value, self->memory[0]);
    self->memory[0] = value + 1;
    return ALDIS_OK;
}

TEST_EACH(a_sender_waits_for_several_at_once)
{
    static aldis_id to[3];
    fixture_open(f, NULL);
    for (uint32_t k = 0; k < 3; k++) {
        to[k] = fixture_spawn(f, &(struct script){.num = in_order},
                              &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD,
                                                  .shard = k,
                                                  .mailbox = {.capacity_msgs = 5}})
                    .id;
        CHECK_OK(aldis_pause(f->system, to[k]));
    }
    puppet_ref p = fixture_spawn(f, &(struct script){.user = to},
                                 &(aldis_spawn_opts){.placement = ALDIS_PLACE_SHARD, .shard = 1});
    fixture_settle(f);
    fixture_tell(f, p, send_round, (struct act){.a = 100});
    fixture_settle(f);
    CHECK_OK(aldis_send(f->system, p, num, 1)); /* waits behind */
    fixture_settle(f);
    for (uint32_t k = 0; k < 3; k++) {
        aldis_status status = fixture_status(f, p.id);
        CHECK_UINT(status.depth_msgs + status.handled_msgs, 2);
        CHECK_OK(aldis_resume(f->system, to[k]));
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, to[k]).handled_msgs, 100);
    }
    CHECK_UINT(fixture_status(f, p.id).handled_msgs, 2);
}

/* ------------------------------------------------------------------ low water */

TEST_EACH(parked_senders_go_on_at_low_water)
{
    static const uint32_t low_waters[] = {0, 1, 10, 20};
    for (size_t i = 0; i < 4; i++) {
        fixture_close(f);
        trace_clear();
        fixture_open(f, NULL);
        puppet_ref q = fixture_spawn(
            f, &(struct script){.num = trace_num},
            &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 20, .low_water_msgs = low_waters[i]}});
        puppet_ref p = fixture_spawn(f, NULL, NULL);
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        fixture_tell(f, p, send_noting, (struct act){.id = q.id, .a = 1000});
        fixture_settle(f);
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, 20);
        CHECK_OK(aldis_resume(f->system, q.id));
        fixture_settle(f);
        check_handled(0, 1000);
        CHECK(fixture_status(f, q.id).peak_msgs <= 20);
    }
}

/* ------------------------------------------------------------------ from outside */

TEST_EACH(an_outside_thread_gets_again_at_a_full_mailbox)
{
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = trace_num},
                                 &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 8}});
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < 20; i++) {
        aldis_err err = aldis_send(f->system, q, num, accepted);
        if (err == ALDIS_OK)
            accepted++;
        else
            CHECK_ERR(err, ALDIS_EAGAIN);
        fixture_settle(f);
    }
    /* One may pass before the mailbox is known to be full. */
    CHECK(accepted >= 8 && accepted <= 9);
    CHECK_UINT(fixture_counts(f, "num").queued, accepted);
    CHECK_UINT(fixture_counts(f, "num").rejected, 20 - accepted);
    CHECK(fixture_status(f, q.id).peak_msgs <= 8);
    uint64_t value = 99;
    CHECK_ERR(aldis_system_send_until_raw(f->system, q.id, &num_type, &value, sizeof value, 0),
              ALDIS_ETIMEDOUT);
    CHECK_ERR(
        aldis_system_send_until_raw(f->system, q.id, &num_type, &value, sizeof value, 2 * ALDIS_MS),
        ALDIS_ETIMEDOUT);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    check_handled(0, accepted);
    CHECK_OK(aldis_send(f->system, q, num, accepted));
    fixture_settle(f);
    check_handled(0, accepted + 1);
}

TEST_EACH(an_outside_thread_meets_the_other_policies_at_the_receiver)
{
    static const aldis_overflow_policy policies[] = {ALDIS_REJECT, ALDIS_DROP_NEWEST,
                                                     ALDIS_DROP_OLDEST};
    fixture_open(f, NULL);
    for (size_t i = 0; i < 3; i++) {
        puppet_ref q = fixture_spawn(
            f, NULL, &(aldis_spawn_opts){.mailbox = {.capacity_msgs = 8, .policy = policies[i]}});
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        aldis_type_stats before = fixture_counts(f, "num");
        for (uint64_t n = 0; n < 20; n++) {
            aldis_err err = aldis_send(f->system, q, num, n);
            CHECK(err == ALDIS_OK || (policies[i] == ALDIS_REJECT && err == ALDIS_EFULL) ||
                  (policies[i] == ALDIS_DROP_NEWEST && err == ALDIS_EDROPPED));
        }
        fixture_settle(f);
        aldis_type_stats after = fixture_counts(f, "num");
        CHECK_UINT(fixture_status(f, q.id).depth_msgs, 8);
        CHECK_UINT(after.rejected - before.rejected, policies[i] == ALDIS_REJECT ? 12 : 0);
        CHECK_UINT(after.dropped - before.dropped, policies[i] == ALDIS_REJECT ? 0 : 12);
    }
}

/* ------------------------------------------------------------------ high water */

static _Atomic(uint64_t) crossings, crossing_depth;

static void cross(void *arg, aldis_id actor, uint32_t depth_msgs)
{
    EXPECT(aldis_id_equal(actor, *(aldis_id *)arg));
    atomic_fetch_add(&crossings, 1);
    atomic_store(&crossing_depth, depth_msgs);
}

static void fill_to(struct fixture *f, puppet_ref q, uint32_t depth)
{
    while (fixture_status(f, q.id).depth_msgs < depth) {
        CHECK_OK(aldis_send(f->system, q, num, 1));
        fixture_settle(f);
    }
}

static aldis_err pause_at(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)value;
    /* memory[0]: how many to handle before the next pause. */
    if (--self->memory[0] == 0)
        EXPECT_OK(aldis_pause(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

/* Virtual time: each takes a second, so what waits is known at any time. */
static aldis_err take_a_second(struct puppet *self, uint64_t value, aldis_ctx *ctx)
{
    (void)self;
    (void)value;
    EXPECT_OK(aldis_busy(ctx, ALDIS_SECOND));
    return ALDIS_OK;
}

static aldis_err let_handle(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)ctx;
    self->memory[0] = act->a;
    return ALDIS_OK;
}

TEST_EACH(high_water_is_told_once_per_crossing)
{
    static aldis_id id;
    atomic_store(&crossings, 0);
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = pause_at}, NULL);
    id = q.id;
    CHECK_ERR(aldis_system_on_high_water(f->system, 10, NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_system_on_high_water(NULL, 10, cross, &id), ALDIS_EINVAL);
    CHECK_OK(aldis_system_on_high_water(f->system, 10, cross, &id));
    fixture_tell(f, q, let_handle, (struct act){.a = 1000});
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fill_to(f, q, 9);
    CHECK_UINT(atomic_load(&crossings), 0);
    fill_to(f, q, 10);
    CHECK_UINT(atomic_load(&crossings), 1);
    CHECK_UINT(atomic_load(&crossing_depth), 10);
    fill_to(f, q, 40);
    CHECK_UINT(atomic_load(&crossings), 1); /* above it all the time */
    /* Off: nobody is told. On again, far above: this is no crossing of ours to see. */
    CHECK_OK(aldis_system_on_high_water(f->system, 0, NULL, NULL));
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 0);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fill_to(f, q, 20);
    CHECK_UINT(atomic_load(&crossings), 1);
    CHECK_OK(aldis_resume(f->system, q.id));
    fixture_settle(f);
    /* From nothing again and again: each time once. */
    CHECK_OK(aldis_system_on_high_water(f->system, 10, cross, &id));
    for (uint64_t round = 0; round < 5; round++) {
        CHECK_OK(aldis_pause(f->system, q.id));
        fixture_settle(f);
        fill_to(f, q, 15);
        CHECK_UINT(atomic_load(&crossings), 2 + round);
        CHECK_OK(aldis_resume(f->system, q.id));
        fixture_settle(f);
    }
}

TEST_LIVE(high_water_is_armed_again_below_half_only)
{
    static aldis_id id;
    atomic_store(&crossings, 0);
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = pause_at}, NULL);
    id = q.id;
    CHECK_OK(aldis_system_on_high_water(f->system, 10, cross, &id));
    fixture_tell(f, q, let_handle, (struct act){.a = 6});
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fill_to(f, q, 12);
    CHECK_UINT(atomic_load(&crossings), 1);
    CHECK_OK(aldis_resume(f->system, q.id)); /* six are handled: 6 are left, not below half */
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 6);
    fill_to(f, q, 14);
    CHECK_UINT(atomic_load(&crossings), 1);
}

TEST_LIVE(high_water_is_armed_again_below_half)
{
    static aldis_id id;
    atomic_store(&crossings, 0);
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = pause_at}, NULL);
    id = q.id;
    CHECK_OK(aldis_system_on_high_water(f->system, 10, cross, &id));
    fixture_tell(f, q, let_handle, (struct act){.a = 8});
    fixture_settle(f);
    CHECK_OK(aldis_pause(f->system, q.id));
    fixture_settle(f);
    fill_to(f, q, 12);
    CHECK_UINT(atomic_load(&crossings), 1);
    CHECK_OK(aldis_resume(f->system, q.id)); /* eight are handled: 4 are left */
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 4);
    fill_to(f, q, 14);
    CHECK_UINT(atomic_load(&crossings), 2);
}

TEST_VIRTUAL(high_water_counts_what_waits_for_a_busy_actor)
{
    static aldis_id id;
    atomic_store(&crossings, 0);
    fixture_open(f, NULL);
    puppet_ref q = fixture_spawn(f, &(struct script){.num = take_a_second}, NULL);
    id = q.id;
    CHECK_OK(aldis_system_on_high_water(f->system, 10, cross, &id));
    CHECK_OK(aldis_system_run(f->system, ALDIS_MS, NULL));
    aldis_ns start_ns = aldis_system_now(f->system);
    for (int i = 0; i < 13; i++)
        CHECK_OK(aldis_send(f->system, q, num, 1));
    /* One is handled at once, 12 wait. */
    CHECK_OK(aldis_system_run(f->system, start_ns + ALDIS_SECOND / 2, NULL));
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 12);
    CHECK_UINT(atomic_load(&crossings), 1);
    CHECK_OK(aldis_system_run(f->system, start_ns + 6 * ALDIS_SECOND + ALDIS_SECOND / 2, NULL));
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 6);
    for (int i = 0; i < 8; i++)
        CHECK_OK(aldis_send(f->system, q, num, 1));
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, NULL));
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 14);
    CHECK_UINT(atomic_load(&crossings), 1); /* never below half meanwhile */
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 11 * ALDIS_SECOND, NULL));
    CHECK_UINT(fixture_status(f, q.id).depth_msgs, 3);
    for (int i = 0; i < 8; i++)
        CHECK_OK(aldis_send(f->system, q, num, 1));
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + ALDIS_MS, NULL));
    CHECK_UINT(atomic_load(&crossings), 2);
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, q.id).handled_msgs, 29);
}

/* ------------------------------------------------------------------ adaptive capacity */

static void send_nums(struct fixture *f, puppet_ref to, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_OK(aldis_send(f->system, to, num, (uint64_t)i));
    fixture_settle(f);
}

TEST_EACH(mailbox_grows_in_a_burst_and_shrinks_when_calm)
{
    fixture_open(f, NULL);
    aldis_spawn_opts small = {.mailbox = {.capacity_msgs = 4, .capacity_max_msgs = 24}};
    puppet_ref to = fixture_spawn(f, &(struct script){0}, &small);
    fixture_settle(f);
    CHECK_UINT(fixture_status(f, to.id).capacity_msgs, 4);
    CHECK_OK(aldis_pause(f->system, to.id));
    fixture_settle(f);
    send_nums(f, to, 3);
    CHECK_UINT(fixture_status(f, to.id).capacity_msgs, 4);
    send_nums(f, to, 2);
    CHECK_UINT(fixture_status(f, to.id).capacity_msgs, 8);
    send_nums(f, to, 19);
    CHECK_UINT(fixture_status(f, to.id).capacity_msgs, 24);
    CHECK_ERR(aldis_send(f->system, to, num, 24), ALDIS_EAGAIN);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").handled, 24);
    CHECK_UINT(fixture_status(f, to.id).held_msgs, 0);
    uint32_t before = 24;
    for (int i = 0; i < 24 + 12 + 6 + 1; i++) {
        send_nums(f, to, 1);
        if (i % 6 == 0) {
            uint32_t now = fixture_status(f, to.id).capacity_msgs;
            CHECK(now <= before);
            before = now;
        }
    }
    CHECK_UINT(fixture_status(f, to.id).capacity_msgs, 4);
    CHECK_OK(aldis_pause(f->system, to.id)); /* the next burst finds room again */
    fixture_settle(f);
    send_nums(f, to, 20);
    CHECK_OK(aldis_resume(f->system, to.id));
    fixture_settle(f);
}

TEST(mailbox_refuses_an_adaptive_capacity_that_cannot_grow)
{
    aldis_system *system;
    aldis_system_opts opts = {.mailbox = {.capacity_msgs = 8, .capacity_max_msgs = 8}};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_EINVAL);
    opts.mailbox = (aldis_mailbox_opts){.capacity_max_msgs = 1024};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_EINVAL);
    opts.mailbox = (aldis_mailbox_opts){.capacity_max_msgs = (1u << 30) + 1};
    CHECK_ERR(aldis_system_create(&opts, &system), ALDIS_EINVAL);
}

/* ------------------------------------------------------------------ the newest of each key */

/* A quote: the ship in the upper half, the price in the lower. */
static uint64_t ship_of(const char *type_name, const void *payload, size_t size)
{
    uint64_t quote;
    EXPECT(strcmp(type_name, "num") == 0);
    EXPECT_UINT(size, sizeof quote);
    memcpy(&quote, payload, sizeof quote);
    return quote >> 32;
}

static aldis_err note_quote(void *state, const void *payload, aldis_ctx *ctx)
{
    (void)state;
    trace_add(*(const uint64_t *)payload, 0, aldis_now(ctx));
    return ALDIS_OK;
}

static const aldis_handler_entry quote_handlers[] = {{&num_type, note_quote}};
static const aldis_behaviour quote_board = {
    .name = "quote board",
    .handlers = quote_handlers,
    .handler_count = 1,
    .message_key = ship_of,
    .mailbox = {.capacity_msgs = 4, .policy = ALDIS_KEEP_NEWEST}};

#define QUOTE(ship, price) ((uint64_t)(ship) << 32 | (price))

static aldis_err send_quotes(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    static const uint64_t quotes[] = {QUOTE(1, 10), QUOTE(2, 20), QUOTE(3, 30),
                                      QUOTE(4, 40), QUOTE(2, 21), QUOTE(1, 11),
                                      QUOTE(2, 22), QUOTE(5, 50), QUOTE(2, 23)};
    (void)self;
    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++)
        EXPECT_OK(aldis_ctx_send_raw(ctx, act->id, &num_type, &quotes[i], sizeof quotes[i]));
    return ALDIS_OK;
}

TEST_EACH(under_keep_newest_the_newest_of_each_key_stay_in_order)
{
    fixture_open(f, NULL);
    aldis_id board;
    CHECK_OK(aldis_system_spawn_raw(f->system, &quote_board, NULL, &board));
    puppet_ref from = fixture_spawn(f, &(struct script){0}, NULL);
    CHECK_OK(aldis_pause(f->system, board));
    fixture_settle(f);
    fixture_tell(f, from, send_quotes, (struct act){.id = board});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "num").dropped, 5);
    CHECK_OK(aldis_resume(f->system, board));
    fixture_settle(f);
    /* 5 found no older one of its own: the oldest of all, 3, made room for it. */
    static const uint64_t expected[] = {QUOTE(4, 40), QUOTE(1, 11), QUOTE(5, 50), QUOTE(2, 23)};
    CHECK_UINT(trace_count(), 4);
    for (size_t i = 0; i < 4; i++)
        CHECK_UINT(trace_at(i).what, expected[i]);
}
