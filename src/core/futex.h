// SPDX-License-Identifier: Apache-2.0
/* futex.h: sleeping and waking, on Linux futexes. Layer: core. */
#ifndef ALDIS_CORE_FUTEX_H
#define ALDIS_CORE_FUTEX_H

#include "base/atomic.h"
#include <aldis/types.h>

struct aldis__worker;

/** Sleep while *word is `value`, at most timeout_ns (ALDIS_FOREVER: no limit); may wake early. */
void aldis__futex_wait(_Atomic(uint32_t) *word, uint32_t value, aldis_ns timeout_ns);
/** Wake up to count sleepers on word. Async-signal-safe. */
void aldis__futex_wake(_Atomic(uint32_t) *word, int count);

/** Wake a worker if it is parked; cheap if not. Call after the push that is to be noticed. */
void aldis__worker_wake(struct aldis__worker *worker);
/** Wake it in any case: for requests that do not come through an inbox. */
void aldis__worker_notify(struct aldis__worker *worker);

#endif
