// SPDX-License-Identifier: Apache-2.0
/* watch.h: who looks on at a run in virtual time. Layer: core.
 *
 * Threads: written under the system's lock, between windows; read by all workers inside them, which
 * the engine's phases order. */
#ifndef ALDIS_CORE_WATCH_H
#define ALDIS_CORE_WATCH_H

#include "core/worker.h"
#include <aldis/window.h>

/* Sees what is about to come in a window, and may take some of it away: see testkit. */
struct aldis__sieve {
    /* entries: one shard's share, in no order; how many of them stay. Called by the worker that
     * runs the shard; what is taken away is the sieve's. */
    size_t (*sift)(struct aldis__sieve *self, struct aldis__worker *worker,
                   struct aldis__shard *shard, struct aldis__sort_entry *entries, size_t count);
};

struct aldis__watch {
    aldis_window_fn on_window; /* NULL: off; so with the next */
    void *window_arg;
    aldis_handled_fn on_handled;
    void *handled_arg;
    aldis_input_fn on_input;
    void *input_arg;
    struct aldis__sieve *sieve; /* NULL: none */
    bool one_window;            /* a run ends after its first window */
    bool telling;               /* on_window is being called: it may put inputs in */
    uint64_t events;            /* before the window that runs: what all workers had counted */
};

/** A window has run: tell who wants to know. Under the lock. */
void aldis__watch_window(aldis_system *system, aldis_ns start_ns);

/** A message was handled: tell who wants to know. `record` is what the run print says of it; its
 *  payload is `size` bytes. */
void aldis__watch_handled(struct aldis__worker *worker, const struct aldis__cell *cell,
                          struct aldis__msg *msg, const uint64_t record[6], const void *payload,
                          size_t size);

/** msg has come from outside, and is stamped: tell who wants to know. Under the lock. */
void aldis__watch_input(aldis_system *system, struct aldis__msg *msg);

#endif
