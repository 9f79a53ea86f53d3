// SPDX-License-Identifier: Apache-2.0
/* pool_test.c: pools and routers: who gets what, and what becomes of it when a routee ends. */
#include "core/fixture.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ITEMS = 300, ROUTEES = 8 };

struct item {
    uint64_t number;
    uint64_t key;
};
struct done {
    uint64_t number, by;
};
ALDIS_MESSAGE(item, struct item);
ALDIS_MESSAGE(done, struct done);
ALDIS_MESSAGE(order, struct item);
ALDIS_REQUEST(order, done);

#define SMITH_PROTOCOL(X, kind) X(kind, item) X(kind, order)
ALDIS_PROTOCOL(smith, SMITH_PROTOCOL);
ALDIS_POOL(smithy, SMITH_PROTOCOL);

/* By item: how often it was handled, and by whom (1 + the slot order of the smiths). */
static _Atomic(uint32_t) times[ITEMS], by[ITEMS];
static _Atomic(uint32_t) born;
static _Atomic(uint64_t) per_smith[64];

struct smith {
    uint32_t number, handled;
};

/* arg: after how many items each smith with an even number kills itself; 0: never. */
static _Atomic(uint32_t) dies_after;
static _Atomic(bool) is_slow; /* virtual time: each item takes 3 ms */

static aldis_err smith_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct smith *self = state;
    EXPECT(!arg || *(const uint32_t *)arg == 42);
    self->number = atomic_fetch_add(&born, 1);
    return ALDIS_OK;
}

static aldis_err work(struct smith *self, const struct item *item, aldis_ctx *ctx)
{
    atomic_fetch_add(&times[item->number], 1);
    atomic_store(&by[item->number], self->number + 1);
    atomic_fetch_add(&per_smith[self->number], 1);
    if (atomic_load(&is_slow))
        EXPECT_OK(aldis_busy(ctx, 3 * ALDIS_MS));
    uint32_t limit = atomic_load(&dies_after);
    if (limit && self->number % 2 == 0 && ++self->handled == limit)
        EXPECT_OK(aldis_kill(ctx, aldis_self(ctx)));
    return ALDIS_OK;
}

static aldis_err smith_on_item(struct smith *self, const struct item *item, aldis_ctx *ctx)
{
    return work(self, item, ctx);
}

static aldis_err smith_on_order(struct smith *self, const struct item *item, aldis_ctx *ctx)
{
    aldis_err err = work(self, item, ctx);
    if (err != ALDIS_OK)
        return err;
    return aldis_reply(ctx, done, .number = item->number, .by = self->number);
}

ALDIS_BEHAVIOUR(smith, struct smith, SMITH_PROTOCOL, .on_start = smith_start);

static void reset(void)
{
    for (int i = 0; i < ITEMS; i++) {
        atomic_store(&times[i], 0);
        atomic_store(&by[i], 0);
    }
    for (int i = 0; i < 64; i++)
        atomic_store(&per_smith[i], 0);
    atomic_store(&born, 0);
    atomic_store(&dies_after, 0);
    atomic_store(&is_slow, false);
}

static smithy_ref open_pool(struct fixture *f, aldis_pool_opts opts)
{
    static const uint32_t arg = 42;
    smithy_ref pool = {.id = ALDIS_NOBODY_INIT};
    opts.worker = &smith_behaviour;
    opts.size = ROUTEES;
    opts.placement = ALDIS_PLACE_ANYWHERE;
    opts.arg = &arg;
    opts.arg_size = sizeof arg;
    CHECK_OK(aldis_pool_spawn(f->system, smithy, &pool, &opts));
    return pool;
}

/* act: id = pool, a .. b: items; the key is a seventh of the number. */
static aldis_err send_items(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    smithy_ref pool = {.id = act->id};
    for (uint64_t i = act->a; i < act->b; i++)
        EXPECT_OK(aldis_send(ctx, pool, item, .number = i, .key = i % 7));
    return ALDIS_OK;
}

static aldis_err on_done(struct puppet *self, const aldis_answer *answer, const struct done *done,
                         aldis_ctx *ctx)
{
    (void)self;
    EXPECT(!done || done->number == answer->context);
    trace_add(100 + (uint64_t)answer->err, answer->context, aldis_now(ctx));
    return ALDIS_OK;
}
ALDIS_ON_REPLY(on_done, struct puppet, order);

static aldis_err ask_items(struct puppet *self, const struct act *act, aldis_ctx *ctx)
{
    (void)self;
    smithy_ref pool = {.id = act->id};
    for (uint64_t i = act->a; i < act->b; i++)
        EXPECT_OK(aldis_ask(ctx, pool, order, on_done,
                            aldis_ask_with(.timeout_ns = ALDIS_FOREVER, .context = i), .number = i,
                            .key = i % 7));
    return ALDIS_OK;
}

static void check_all_once(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK_UINT(atomic_load(&times[i]), 1);
}

static uint64_t key_of(const char *type_name, const void *payload, size_t size)
{
    (void)type_name, (void)size;
    return ((const struct item *)payload)->key;
}

TEST_EACH(each_strategy_hands_every_message_to_one_routee)
{
    for (unsigned route = ALDIS_ROUTE_ROUND_ROBIN; route <= ALDIS_ROUTE_HASH; route++) {
        reset();
        fixture_open(f, NULL);
        smithy_ref pool =
            open_pool(f, (aldis_pool_opts){.route = (aldis_route)route, .key = key_of});
        for (uint64_t i = 0; i < 3; i++)
            fixture_tell(f, fixture_spawn(f, NULL, NULL), send_items,
                         (struct act){.id = pool.id, .a = 100 * i, .b = 100 * i + 100});
        fixture_settle(f);
        check_all_once(ITEMS);
        uint64_t used = 0;
        for (int i = 0; i < ROUTEES; i++)
            used += atomic_load(&per_smith[i]) > 0;
        /* Seven keys go to seven smiths at most. */
        CHECK(route == ALDIS_ROUTE_HASH ? used >= 2 && used <= 7 : used == ROUTEES);
        for (uint32_t i = 7; route == ALDIS_ROUTE_HASH && i < ITEMS; i++)
            CHECK_UINT(atomic_load(&by[i]), atomic_load(&by[i % 7]));
        for (int i = 0; route == ALDIS_ROUTE_ROUND_ROBIN && i < ROUTEES; i++)
            CHECK(atomic_load(&per_smith[i]) >= ITEMS / ROUTEES);
        CHECK_UINT(fixture_counts(f, "item").handled, 2 * ITEMS);
        fixture_close(f);
    }
}

TEST_EACH(a_broadcast_reaches_all)
{
    reset();
    fixture_open(f, NULL);
    smithy_ref pool = open_pool(f, (aldis_pool_opts){.route = ALDIS_ROUTE_BROADCAST});
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_items, (struct act){.id = pool.id, .b = 20});
    fixture_settle(f);
    for (int i = 0; i < 20; i++)
        CHECK_UINT(atomic_load(&times[i]), ROUTEES);
    fixture_tell(f, from, ask_items, (struct act){.id = pool.id, .a = 20, .b = 21});
    fixture_settle(f);
    CHECK_UINT(trace_count_of(100 + ALDIS_EINVAL), 1);
}

TEST_EACH(little_credit_holds_the_senders_and_loses_nothing)
{
    for (unsigned route = ALDIS_ROUTE_ROUND_ROBIN; route <= ALDIS_ROUTE_HASH; route++) {
        reset();
        trace_clear();
        atomic_store(&is_slow, true);
        fixture_open(f, &(aldis_system_opts){.mailbox = {.capacity_msgs = 16}});
        smithy_ref pool = open_pool(
            f, (aldis_pool_opts){.route = (aldis_route)route, .credit_msgs = 2, .key = key_of});
        fixture_tell(f, fixture_spawn(f, NULL, NULL), send_items,
                     (struct act){.id = pool.id, .b = 150});
        fixture_tell(f, fixture_spawn(f, NULL, NULL), ask_items,
                     (struct act){.id = pool.id, .a = 150, .b = ITEMS});
        fixture_settle(f);
        check_all_once(ITEMS);
        CHECK_UINT(trace_count_of(100), 150);
        CHECK_UINT(fixture_counts(f, "item").handled, 300);
        fixture_close(f);
    }
}

TEST_EACH(a_dead_routees_work_moves_to_the_others)
{
    for (unsigned route = ALDIS_ROUTE_ROUND_ROBIN; route <= ALDIS_ROUTE_HASH; route++) {
        reset();
        trace_clear();
        atomic_store(&dies_after, 3);
        atomic_store(&is_slow, true);
        fixture_open(f, NULL);
        smithy_ref pool =
            open_pool(f, (aldis_pool_opts){.route = (aldis_route)route, .key = key_of});
        fixture_tell(f, fixture_spawn(f, NULL, NULL), send_items,
                     (struct act){.id = pool.id, .b = 150});
        fixture_tell(f, fixture_spawn(f, NULL, NULL), ask_items,
                     (struct act){.id = pool.id, .a = 150, .b = ITEMS});
        fixture_settle(f);
        check_all_once(ITEMS);
        CHECK_UINT(trace_count_of(100), 150); /* every ask was answered, by whomever */
        if (route != ALDIS_ROUTE_HASH)
            CHECK(fixture_counts(f, "item").dead + fixture_counts(f, "order").dead > 0);
        fixture_close(f);
    }
}

TEST_EACH(with_nobody_left_messages_are_refused_and_asks_answered)
{
    reset();
    fixture_open(f, NULL);
    puppet_ref only = fixture_spawn(f, NULL, NULL); /* does not accept items: refuses */
    CHECK_OK(aldis_stop(f->system, only.id));
    fixture_settle(f);
    smithy_ref pool = {.id = ALDIS_NOBODY_INIT};
    aldis_pool_opts opts = {.routees = &only.id, .size = 1};
    CHECK_OK(aldis_pool_spawn(f->system, smithy, &pool, &opts));
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, send_items, (struct act){.id = pool.id, .b = 5});
    fixture_tell(f, from, ask_items, (struct act){.id = pool.id, .a = 5, .b = 9});
    fixture_settle(f);
    CHECK_UINT(fixture_counts(f, "item").rejected, 6); /* once at the routee, which is tried once */
    CHECK_UINT(trace_count_of(100 + ALDIS_ENORECEIVER), 4);
}

TEST_EACH(a_pool_ends_with_its_children_and_answers_what_it_owes)
{
    reset();
    atomic_store(&is_slow, true);
    fixture_open(f, NULL);
    smithy_ref pool = open_pool(f, (aldis_pool_opts){.credit_msgs = 1});
    puppet_ref from = fixture_spawn(f, NULL, NULL);
    fixture_tell(f, from, ask_items, (struct act){.id = pool.id, .b = 200});
    fixture_await(f, "act", 1); /* all are sent */
    CHECK_OK(aldis_system_run(f->system, aldis_system_now(f->system) + 2 * ALDIS_MS, NULL));
    CHECK_OK(aldis_kill(f->system, pool.id));
    fixture_settle(f);
    CHECK_UINT(trace_count(), 200); /* each has its answer */
}

TEST(options_are_checked)
{
    struct fixture f = {ALDIS_CLOCK_VIRTUAL, 1, NULL};
    fixture_open(&f, NULL);
    smithy_ref pool;
    aldis_id id = aldis_nobody();
    const aldis_pool_opts wrong[] = {{.size = 3},
                                     {.worker = &smith_behaviour, .size = 1025},
                                     {.worker = &smith_behaviour, .routees = &id, .size = 1},
                                     {.routees = &id},
                                     {.worker = &smith_behaviour, .arg_size = 8},
                                     {.worker = &smith_behaviour, .route = (aldis_route)5},
                                     {.worker = &smith_behaviour, .credit_msgs = 1u << 31},
                                     {.worker = &smith_behaviour, .placement = ALDIS_PLACE_SHARD}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(aldis_pool_spawn(f.system, smithy, &pool, &wrong[i]), ALDIS_EINVAL);
    fixture_close(&f);
}

TEST(equal_runs_on_any_workers)
{
    for (unsigned route = ALDIS_ROUTE_ROUND_ROBIN; route <= ALDIS_ROUTE_BROADCAST; route++) {
        uint64_t print = 0;
        for (uint32_t workers = 1; workers <= 4; workers *= 2) {
            reset();
            trace_clear();
            atomic_store(&is_slow, true);
            struct fixture f = {ALDIS_CLOCK_VIRTUAL, workers, NULL};
            fixture_open(&f, NULL);
            smithy_ref pool = open_pool(
                &f,
                (aldis_pool_opts){.route = (aldis_route)route, .credit_msgs = 3, .key = key_of});
            for (uint64_t i = 0; i < 3; i++)
                fixture_tell(&f, fixture_spawn(&f, NULL, NULL), i % 2 ? ask_items : send_items,
                             (struct act){.id = pool.id, .a = 100 * i, .b = 100 * i + 100});
            fixture_settle(&f);
            uint64_t found = aldis_system_run_print(f.system);
            if (workers == 1)
                print = found;
            CHECK_UINT(found, print);
            fixture_close(&f);
        }
    }
}
