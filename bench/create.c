// SPDX-License-Identifier: Apache-2.0
/* create.c: fork-join-create and idle-memory: what actors cost to make and to keep.
 * Layer: bench. */
#include "bench.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    /* Actors forked and not yet joined, at most; below half of it the next ones are forked. So the
     * memory of those that ended is used again while it is still in the cache. */
    FORKED_MAX = 1000,
    /* Idle actors spawned before the spawner waits until they have started. */
    IDLE_CHUNK = 1000
};

ALDIS_MESSAGE(task, struct bench_note);
ALDIS_SIGNAL(started);
ALDIS_SIGNAL(go);

#define FORKER_PROTOCOL(X, kind) X(kind, go)
#define FORKED_PROTOCOL(X, kind) X(kind, task)
#define IDLE_ROOT_PROTOCOL(X, kind) X(kind, go) X(kind, started)
#define IDLE_PROTOCOL(X, kind) X(kind, task)
ALDIS_PROTOCOL(forker, FORKER_PROTOCOL);
ALDIS_PROTOCOL(forked, FORKED_PROTOCOL);
ALDIS_PROTOCOL(idle_root, IDLE_ROOT_PROTOCOL);
ALDIS_PROTOCOL(idle, IDLE_PROTOCOL);

/* fork-join-create: each actor gets one task, does it and stops itself. */

struct forked_arg {
    struct bench *bench;
    uint64_t number;
};

struct forked {
    struct bench *bench;
    uint64_t number;
};

struct forker {
    struct bench *bench;
    uint64_t count; /* actors to fork */
    uint64_t forked;
    uint64_t joined;
};

static aldis_err forked_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct forked *self = state;
    const struct forked_arg *given = arg;
    self->bench = given->bench;
    self->number = given->number;
    return ALDIS_OK;
}

static aldis_err forked_on_task(struct forked *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    if (msg->seq != self->number)
        return bench_fault(self->bench, ctx, "actor %" PRIu64 " got the task for %" PRIu64,
                           self->number, msg->seq);
    return bench_checked(self->bench, ctx, aldis_stop(ctx, aldis_self(ctx)));
}

ALDIS_BEHAVIOUR(forked, struct forked, FORKED_PROTOCOL, .on_start = forked_start);

static aldis_err fork_some(struct forker *self, aldis_ctx *ctx)
{
    while (self->forked < self->count && self->forked - self->joined < FORKED_MAX) {
        forked_ref child;
        struct forked_arg given = {self->bench, self->forked};
        aldis_spawn_opts place =
            bench_place(self->bench, (uint32_t)self->forked, &given, sizeof given);
        aldis_err err = aldis_spawn(ctx, forked, &child, &place);
        if (err == ALDIS_OK)
            err = aldis_send(ctx, child, task, .kind = 7, .position = {1.0F, 2.0F, 3.0F},
                             .seq = self->forked);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        self->forked++;
    }
    return ALDIS_OK;
}

static aldis_err forker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct forker *self = state;
    self->bench = bench_given(arg);
    self->count = self->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err forker_on_go(struct forker *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    bench_start(self->bench);
    return fork_some(self, ctx);
}

static void forker_on_child_ended(void *state, const aldis_child_ended *notice, aldis_ctx *ctx)
{
    struct forker *self = state;
    if (notice->reason != ALDIS_ENDED_STOPPED) {
        (void)bench_fault(self->bench, ctx, "an actor ended by reason %d: %s", (int)notice->reason,
                          aldis_error_text(notice->err));
        return;
    }
    if (++self->joined == self->count)
        bench_end(self->bench, ctx);
    else if (self->forked - self->joined < FORKED_MAX / 2)
        (void)fork_some(self, ctx); /* a failure is noted and halts the run */
}

ALDIS_BEHAVIOUR(forker, struct forker, FORKER_PROTOCOL, .on_start = forker_start,
                .on_child_ended = forker_on_child_ended, .on_undelivered = bench_on_undelivered);

static aldis_err fork_join_create_start(struct bench *bench, aldis_system *system,
                                        aldis_id *out_root)
{
    return bench_spawn_root(bench, system, &forker_behaviour, out_root);
}

static void fork_join_create_check(struct bench *bench, const aldis_stats *stats)
{
    uint64_t n = bench->opts.n;
    bench_expect(bench, stats, "task", n);
    if (stats->spawned != n + 1 || stats->ended != n || stats->active_actors != 1)
        (void)bench_fault(bench, NULL,
                          "spawned %" PRIu64 ", ended %" PRIu64 ", active %" PRIu64 " for %" PRIu64
                          " actors and their parent",
                          stats->spawned, stats->ended, stats->active_actors, n);
}

const struct bench_workload bench_fork_join_create = {
    .name = "fork-join-create",
    .unit = "actors",
    .what_n = "actors",
    .n_default = 5000000,
    .n_max = 1000000000000,
    .ops_per_n = 1,
    .may_be_apart = true,
    .start = fork_join_create_start,
    .check = fork_join_create_check,
};

/* idle-memory: actors that have started and wait for a message that never comes. */

struct idle_arg {
    struct bench *bench;
    uint32_t number;
};

struct idle {
    struct bench *bench;
    uint32_t number, kind;
    float position[4];
};
_Static_assert(sizeof(struct idle) == 32, "the state of an idle actor is 32 bytes");

struct idle_root {
    struct bench *bench;
    aldis_id *ids;
    uint64_t count; /* actors to spawn */
    uint64_t spawned;
    uint64_t started;
    uint64_t resident_before_bytes;
};

static aldis_err idle_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct idle *self = state;
    const struct idle_arg *given = arg;
    *self = (struct idle){.bench = given->bench,
                          .number = given->number,
                          .kind = 7,
                          .position = {1.0F, 2.0F, 3.0F, 4.0F}};
    idle_root_ref root = {.id = aldis_parent(ctx)};
    return bench_checked(self->bench, ctx, aldis_signal(ctx, root, started));
}

static aldis_err idle_on_task(struct idle *self, const struct bench_note *msg, aldis_ctx *ctx)
{
    return bench_fault(self->bench, ctx, "idle actor %" PRIu32 " got task %" PRIu64, self->number,
                       msg->seq);
}

ALDIS_BEHAVIOUR(idle, struct idle, IDLE_PROTOCOL, .on_start = idle_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err idle_spawn_chunk(struct idle_root *self, aldis_ctx *ctx)
{
    for (int i = 0; i < IDLE_CHUNK && self->spawned < self->count; i++) {
        struct idle_arg given = {self->bench, (uint32_t)self->spawned};
        aldis_spawn_opts place = bench_place(self->bench, given.number, &given, sizeof given);
        idle_ref child;
        aldis_err err = aldis_spawn(ctx, idle, &child, &place);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
        self->ids[self->spawned++] = child.id;
    }
    return ALDIS_OK;
}

static aldis_err idle_root_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    struct idle_root *self = state;
    self->bench = bench_given(arg);
    self->ids = self->bench->set;
    self->count = self->bench->opts.n;
    return ALDIS_OK;
}

static aldis_err idle_root_on_go(struct idle_root *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->resident_before_bytes = bench_resident_bytes();
    bench_start(self->bench);
    return idle_spawn_chunk(self, ctx);
}

static aldis_err idle_root_on_started(struct idle_root *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (++self->started < self->spawned)
        return ALDIS_OK;
    if (self->spawned < self->count)
        return idle_spawn_chunk(self, ctx);
    bench_end(self->bench, NULL);
    double grown_bytes = (double)bench_resident_bytes() - (double)self->resident_before_bytes;
    bench_add_extra(self->bench, "bytes_per_actor", grown_bytes / (double)self->count);
    aldis_halt(ctx);
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(idle_root, struct idle_root, IDLE_ROOT_PROTOCOL, .on_start = idle_root_start,
                .on_undelivered = bench_on_undelivered);

static aldis_err idle_memory_start(struct bench *bench, aldis_system *system, aldis_id *out_root)
{
    /* Not touched before the ids are written: their 8 bytes an actor count as well. */
    bench->set = calloc(bench->opts.n, sizeof(aldis_id));
    if (!bench->set)
        return ALDIS_ENOMEM;
    return bench_spawn_root(bench, system, &idle_root_behaviour, out_root);
}

static void idle_memory_check(struct bench *bench, const aldis_stats *stats)
{
    uint64_t n = bench->opts.n;
    const aldis_id *ids = bench->set;
    bench_expect(bench, stats, "started", n);
    if (stats->active_actors != n + 1)
        (void)bench_fault(bench, NULL, "%" PRIu64 " actors are active, expected %" PRIu64,
                          stats->active_actors, n + 1);
    for (uint64_t i = 0; i < n; i++)
        if (aldis_id_is_nobody(ids[i]) || (i > 0 && aldis_id_equal(ids[i], ids[i - 1])))
            (void)bench_fault(bench, NULL, "the id of actor %" PRIu64 " is not its own", i);
}

static void idle_memory_finish(struct bench *bench)
{
    free(bench->set);
}

const struct bench_workload bench_idle_memory = {
    .name = "idle-memory",
    .unit = "actors",
    .what_n = "actors",
    .n_default = 1000000,
    .n_max = 16000000,
    .ops_per_n = 1,
    .start = idle_memory_start,
    .check = idle_memory_check,
    .finish = idle_memory_finish,
};
