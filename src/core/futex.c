// SPDX-License-Identifier: Apache-2.0
/* futex.c: sleeping and waking, on Linux futexes. Layer: core. */
#include "core/futex.h"

#include "core/system.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void aldis__futex_wait(_Atomic(uint32_t) *word, uint32_t value, aldis_ns timeout_ns)
{
    struct timespec timeout = {timeout_ns / ALDIS_SECOND, timeout_ns % ALDIS_SECOND};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
            timeout_ns == ALDIS_FOREVER ? NULL : &timeout, NULL, 0);
}

void aldis__futex_wake(_Atomic(uint32_t) *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void aldis__worker_notify(struct aldis__worker *worker)
{
    if (!aldis__park_wake(&worker->parking))
        return;
    /* It was counted as idle, or is about to be: this takes it off again. The count is acq_rel so
     * that whoever sees all workers idle sees what each of them has done.
     * L1 acq_rel: pairs with L2 in aldis__announce_idle() and L3 in is_idle(). */
    (void)aldis__fetch_sub_acq_rel(&worker->ctx.system->idle_workers, 1);
    aldis__futex_wake(&worker->parking.state, 1);
}

void aldis__worker_wake(struct aldis__worker *worker)
{
    if (aldis__park_is_parked(&worker->parking))
        aldis__worker_notify(worker);
}
