// SPDX-License-Identifier: Apache-2.0
/* waiter.c: each thread's waiter. Layer: messaging. See waiter.h. */
#include "messaging/waiter.h"

#include "core/futex.h"
#include "messaging/channel.h"
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

static __thread struct aldis__waiter *mine __attribute__((tls_model("initial-exec")));
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* its destructor gives up the thread's reference */
static bool has_key;

static void thread_ends(void *waiter)
{
    mine = NULL;
    aldis__waiter_unref(waiter);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, thread_ends) == 0;
}

struct aldis__waiter *aldis__waiter_mine(void)
{
    if (mine)
        return mine;
    pthread_once(&once, make_key);
    struct aldis__waiter *waiter = has_key ? malloc(sizeof *waiter) : NULL;
    if (!waiter)
        return NULL;
    /* Relaxed: nobody else knows it yet. */
    aldis__store_relaxed(&waiter->state, ALDIS__WAITER_CALM);
    aldis__store_relaxed(&waiter->refs, 1);
    if (pthread_setspecific(key, waiter) != 0) {
        free(waiter);
        return NULL;
    }
    mine = waiter;
    return waiter;
}

void aldis__waiter_wake_futex(struct aldis__waiter *waiter)
{
    aldis__futex_wake(&waiter->state, 1);
}

void aldis__waiter_free(struct aldis__waiter *waiter)
{
    free(waiter);
}

void aldis__gate_wake_futex(struct aldis__gate *gate)
{
    aldis__futex_wake(&gate->room, INT_MAX);
    if (gate->on_room)
        gate->on_room(gate);
}
