// SPDX-License-Identifier: Apache-2.0
/* nursery.h: for workloads of very many actors: one nursery in each shard spawns its share of them
 * beside itself, so that a shard's actors lie together, and not all at once, so that the runtime's
 * own messages of the set-up use their memory again. Layer: bench. */
#ifndef ALDIS_BENCH_NURSERY_H
#define ALDIS_BENCH_NURSERY_H

#include "bench.h"

enum { NURSERY_CHUNK = 256 /* actors that a nursery spawns in a window */ };

/** Spawn actor `number` of the set, 0 .. opts.n - 1. Thread: the worker of the nursery. */
typedef aldis_err nursery_spawn(struct bench *bench, uint64_t number, aldis_ctx *ctx);

/** Spawn the nurseries, bench->shards of them. What cannot be spawned fails the run. */
aldis_err nursery_open(struct bench *bench, aldis_system *system, nursery_spawn *spawn);

/** In virtual time: windows until all actors have started. */
uint64_t nursery_windows(const struct bench *bench);

#endif
