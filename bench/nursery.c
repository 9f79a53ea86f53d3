// SPDX-License-Identifier: Apache-2.0
/* nursery.c: see nursery.h. Layer: bench. */
#include "nursery.h"

ALDIS_SIGNAL(nursery_more);
#define NURSERY_PROTOCOL(X, kind) X(kind, nursery_more)
ALDIS_PROTOCOL(nursery, NURSERY_PROTOCOL);

struct nursery {
    struct bench *bench;
    nursery_spawn *spawn;
    uint64_t next, end; /* numbers of the actors that are still to be spawned */
};

static aldis_err nursery_on_nursery_more(struct nursery *self, const aldis_none *msg,
                                         aldis_ctx *ctx)
{
    (void)msg;
    for (int i = 0; i < NURSERY_CHUNK && self->next < self->end; i++) {
        aldis_err err = self->spawn(self->bench, self->next++, ctx);
        if (err != ALDIS_OK)
            return bench_refused(self->bench, ctx, err);
    }
    if (self->next == self->end)
        return ALDIS_OK;
    nursery_ref me = {.id = aldis_self(ctx)};
    return bench_checked(self->bench, ctx, aldis_signal(ctx, me, nursery_more));
}

static aldis_err nursery_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct nursery *self = state;
    *self = *(const struct nursery *)arg;
    return nursery_on_nursery_more(self, NULL, ctx);
}

ALDIS_BEHAVIOUR(nursery, struct nursery, NURSERY_PROTOCOL, .on_start = nursery_start,
                .on_undelivered = bench_on_undelivered);

aldis_err nursery_open(struct bench *bench, aldis_system *system, nursery_spawn *spawn)
{
    uint64_t first = 0;
    for (uint32_t shard = 0; shard < bench->shards; shard++) {
        uint64_t share = bench_share(bench->opts.n, bench->shards, shard);
        struct nursery given = {bench, spawn, first, first + share};
        aldis_spawn_opts opts = {.arg = &given,
                                 .arg_size = sizeof given,
                                 .placement = ALDIS_PLACE_SHARD,
                                 .shard = shard};
        nursery_ref ref;
        aldis_err err = aldis_spawn(system, nursery, &ref, &opts);
        if (err != ALDIS_OK)
            return err;
        first += share;
    }
    return ALDIS_OK;
}

uint64_t nursery_windows(const struct bench *bench)
{
    /* A nursery spawns its k-th chunk in window k, and it starts at the end of that window. */
    return (bench->opts.n / bench->shards + NURSERY_CHUNK) / NURSERY_CHUNK + 1;
}
