// SPDX-License-Identifier: Apache-2.0
/* routing_test.c: whole runs of the router: many subscribers, changes from everywhere at once, and
 * the same run on any number of workers. */
#include "harness.h"

#include "messaging/router.h"
#include <aldis/aldis.h>
#include <pthread.h>
#include <stdlib.h>

ALDIS_MESSAGE(wave, uint64_t);
ALDIS_SIGNAL(step);
ALDIS_SIGNAL(go);

#define MEMBER_PROTOCOL(X, kind) X(kind, wave) X(kind, step)
ALDIS_PROTOCOL(member, MEMBER_PROTOCOL);
#define FOUNDER_PROTOCOL(X, kind) X(kind, go)
ALDIS_PROTOCOL(founder, FOUNDER_PROTOCOL);

/* ------------------------------------------------------------------ members */

struct plan {
    uint64_t members;
    uint64_t steps;
    bool random; /* subscribe, publish, name and stop at random; else only subscribe */
};

struct member {
    struct plan plan;
    uint64_t step, seen, refused;
};

static aldis_err check(aldis_ctx *ctx, aldis_err err, aldis_err allowed)
{
    return err == ALDIS_OK || err == allowed ? ALDIS_OK : aldis_fail(ctx, aldis_error_name(err));
}

static aldis_err member_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct member *self = state;
    self->plan = *(const struct plan *)arg;
    aldis_err err = aldis_subscribe(ctx, "all");
    if (err != ALDIS_OK || !self->plan.random)
        return err;
    member_ref me = {.id = aldis_self(ctx)};
    return aldis_signal(ctx, me, step);
}

static aldis_err member_on_wave(struct member *self, const uint64_t *value, aldis_ctx *ctx)
{
    (void)ctx;
    self->seen = self->seen * 31 + *value;
    return ALDIS_OK;
}

/* One random thing with one of few topics and names, so that they meet. */
static aldis_err act(struct member *self, aldis_ctx *ctx)
{
    char text[16];
    aldis_fanout fanout;
    aldis_id other;
    snprintf(text, sizeof text, "t%d", (int)aldis_random_below(ctx, 5));
    switch (aldis_random_below(ctx, 8)) {
    case 0:
    case 1:
        return aldis_subscribe(ctx, text);
    case 2:
        return aldis_unsubscribe(ctx, text);
    case 3:
        return check(ctx, aldis_ctx_register(ctx, aldis_self(ctx), text), ALDIS_EEXISTS);
    case 4:
        return check(ctx, aldis_ctx_unregister(ctx, text), ALDIS_ENOTFOUND);
    case 5:
        if (aldis_ctx_lookup(ctx, text, &other) == ALDIS_OK)
            self->seen ^= other.bits & 0xffffffff;
        return ALDIS_OK;
    case 6: {
        aldis_err err = aldis_broadcast(ctx, &fanout, wave, self->step);
        self->refused += fanout.refused;
        self->seen += fanout.matched;
        return err;
    }
    }
    aldis_err err = aldis_publish(ctx, text, &fanout, wave, self->step);
    self->seen = self->seen * 7 + fanout.matched;
    return err;
}

static aldis_err member_on_step(struct member *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    aldis_err err = act(self, ctx);
    if (err != ALDIS_OK)
        return err;
    member_ref me = {.id = aldis_self(ctx)};
    if (++self->step == self->plan.steps || aldis_random_below(ctx, 40) == 0)
        return aldis_stop(ctx, me.id);
    return aldis_signal(ctx, me, step);
}

static uint64_t member_digest(const void *state)
{
    const struct member *self = state;
    return self->seen + self->refused;
}

ALDIS_BEHAVIOUR(member, struct member, MEMBER_PROTOCOL, .on_start = member_start,
                .digest = member_digest);

/* ------------------------------------------------------------------ the founder */

struct founder {
    struct plan plan;
    uint64_t spawned;
};

/* A hundred a turn, so that mailboxes and windows stay small. */
static aldis_err founder_on_go(struct founder *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    for (int i = 0; i < 100 && self->spawned < self->plan.members; i++, self->spawned++) {
        aldis_spawn_opts opts = {
            .arg = &self->plan, .arg_size = sizeof self->plan, .placement = ALDIS_PLACE_ANYWHERE};
        member_ref child;
        aldis_err err = aldis_spawn(ctx, member, &child, &opts);
        if (err != ALDIS_OK)
            return err;
    }
    founder_ref me = {.id = aldis_self(ctx)};
    return self->spawned < self->plan.members ? aldis_signal(ctx, me, go) : ALDIS_OK;
}

static aldis_err founder_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct founder *self = state;
    self->plan = *(const struct plan *)arg;
    founder_ref me = {.id = aldis_self(ctx)};
    return aldis_signal(ctx, me, go);
}

ALDIS_BEHAVIOUR(founder, struct founder, FOUNDER_PROTOCOL, .on_start = founder_start);

static aldis_system *open_system(aldis_clock clock, uint32_t workers, const struct plan *plan,
                                 founder_ref *out_founder)
{
    aldis_system *system;
    aldis_system_opts opts = {.clock = clock, .workers = workers, .seed = 11, .shards = 16};
    CHECK_OK(aldis_system_create(&opts, &system));
    aldis_spawn_opts spawn = {.arg = plan, .arg_size = sizeof *plan};
    CHECK_OK(aldis_spawn(system, founder, out_founder, &spawn));
    return system;
}

static void run_to_the_end(aldis_system *system)
{
    aldis_run_end end;
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
}

static void close_system(aldis_system *system)
{
    aldis_audit audit;
    aldis_stats stats;
    aldis_err err = aldis_system_audit(system, &audit);
    CHECK_STR(audit.text, "balanced");
    CHECK_OK(err);
    CHECK_OK(aldis_system_stats(system, &stats));
    uint64_t failed = stats.total.failed;
    aldis_stats_fini(&stats);
    CHECK_UINT(failed, 0); /* no handler has met what it did not expect */
    struct aldis__router_sizes sizes = aldis__router_sizes(system);
    CHECK_UINT(sizes.actors, 0); /* all of them have ended */
    CHECK_UINT(sizes.names, 0);
    CHECK_UINT(sizes.subscriptions, 0);
    aldis_system_destroy(system);
}

/* ------------------------------------------------------------------ the same run */

static uint64_t print_of(uint32_t workers, uint64_t *out_sent)
{
    const struct plan plan = {.members = 300, .steps = 30, .random = true};
    founder_ref founder;
    aldis_stats stats;
    aldis_system *system = open_system(ALDIS_CLOCK_VIRTUAL, workers, &plan, &founder);
    run_to_the_end(system);
    uint64_t print = aldis_system_run_print(system);
    CHECK_OK(aldis_system_stats(system, &stats));
    const aldis_type_stats *waves = aldis_stats_type(&stats, "wave");
    *out_sent = waves ? waves->sent : 0;
    aldis_stats_fini(&stats);
    close_system(system);
    return print;
}

TEST(the_run_print_is_the_same_for_any_number_of_workers)
{
    uint64_t sent, sent_again, print = print_of(1, &sent);
    CHECK(print != 0);
    CHECK(sent > 10000); /* enough that windows are shared out */
    for (uint32_t workers = 1; workers <= 4; workers++) {
        CHECK_UINT(print_of(workers, &sent_again), print);
        CHECK_UINT(sent_again, sent);
    }
}

/* ------------------------------------------------------------------ many */

enum { MANY = 100000 };

static void check_many(aldis_clock clock, uint32_t workers)
{
    const struct plan plan = {.members = MANY};
    founder_ref founder;
    aldis_system *system = open_system(clock, workers, &plan, &founder);
    run_to_the_end(system);
    CHECK_UINT(aldis_system_subscribers(system, "all", NULL, 0), MANY);
    aldis_id *ids = malloc(MANY * sizeof *ids);
    CHECK(ids != NULL);
    CHECK_UINT(aldis_system_subscribers(system, "all", ids, MANY), MANY);
    /* Half of them from the front, one by one; then the rest at once with their parent. */
    for (size_t i = 0; i < MANY / 2; i++)
        CHECK_OK(aldis_stop(system, ids[i]));
    aldis_id next = ids[MANY / 2];
    run_to_the_end(system);
    CHECK_UINT(aldis_system_subscribers(system, "all", ids, MANY), MANY - MANY / 2);
    CHECK_UINT(ids[0].bits, next.bits);
    free(ids);
    CHECK_OK(aldis_stop(system, founder.id));
    run_to_the_end(system);
    CHECK_UINT(aldis_system_subscribers(system, "all", NULL, 0), 0);
    close_system(system);
}

TEST(a_hundred_thousand_subscribers_live)
{
    check_many(ALDIS_CLOCK_LIVE, 2);
}

TEST(a_hundred_thousand_subscribers_virtual)
{
    check_many(ALDIS_CLOCK_VIRTUAL, 2);
}

/* ------------------------------------------------------------------ from everywhere at once */

struct outsider {
    aldis_system *system;
    const aldis_id *ids;
    uint64_t seed;
    int wrong; /* answers that no rule allows */
};

/* An outside thread subscribes, names and ends actors that other threads do the same to. */
static void *meddle(void *arg)
{
    struct outsider *self = arg;
    for (uint64_t i = 0; i < 2000; i++) {
        self->seed = self->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t draw = self->seed >> 33;
        aldis_id id = self->ids[draw / 8 % 64];
        aldis_err err = ALDIS_OK;
        switch (draw % 8) {
        case 0:
        case 1:
            err = aldis_system_subscribe(self->system, id, "all");
            break;
        case 2:
            err = aldis_system_unsubscribe(self->system, id, "all");
            break;
        case 3:
            err = aldis_system_register(self->system, id, "t1");
            break;
        case 4:
            err = aldis_system_unregister(self->system, "t1");
            break;
        case 5:
            err = aldis_system_lookup(self->system, "t1", &id);
            break;
        case 6:
            (void)aldis_system_subscribers(self->system, "all", &id, 1);
            break;
        case 7:
            if (i % 32 == 0)
                err = aldis_stop(self->system, id);
            break;
        }
        self->wrong += err != ALDIS_OK && err != ALDIS_ESTALE && err != ALDIS_EEXISTS &&
                       err != ALDIS_ENOTFOUND;
    }
    return NULL;
}

TEST(changes_from_handlers_and_threads_at_once_leave_no_dead)
{
    const struct plan quiet = {.members = 0};
    const struct plan plan = {.members = 200, .steps = 100, .random = true};
    enum { THREADS = 2, OWN = 64 };
    founder_ref founder, second;
    aldis_id ids[OWN], left[512];
    struct outsider outsiders[THREADS];
    pthread_t threads[THREADS];
    aldis_system *system = open_system(ALDIS_CLOCK_LIVE, 4, &plan, &founder);
    aldis_spawn_opts spawn = {
        .arg = &quiet, .arg_size = sizeof quiet, .placement = ALDIS_PLACE_ANYWHERE};
    CHECK_OK(aldis_spawn(system, founder, &second, &spawn));
    for (int i = 0; i < OWN; i++) {
        member_ref member;
        CHECK_OK(aldis_spawn(system, member, &member, &spawn));
        ids[i] = member.id;
    }
    for (int i = 0; i < THREADS; i++) {
        outsiders[i] = (struct outsider){system, ids, (uint64_t)i + 1, 0};
        CHECK_INT(pthread_create(&threads[i], NULL, meddle, &outsiders[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    run_to_the_end(system);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(outsiders[i].wrong, 0);
    size_t count = aldis_system_subscribers(system, "all", left, 512);
    CHECK(count <= 512);
    for (size_t i = 0; i < count; i++)
        CHECK(!aldis_is_closed(system, left[i]));
    CHECK_OK(aldis_system_stop(system, 10 * ALDIS_SECOND));
    CHECK_UINT(aldis_system_subscribers(system, "all", NULL, 0), 0);
    close_system(system);
}
