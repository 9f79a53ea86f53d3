// SPDX-License-Identifier: Apache-2.0
/* live.h: the loop of a worker under the wall clock. Layer: core. */
#ifndef ALDIS_CORE_LIVE_H
#define ALDIS_CORE_LIVE_H

#include "core/system.h"

/** The body of a worker's thread; argument and result as pthread_create wants them. */
void *aldis__live_main(void *worker);

/** One more worker is idle, or one job has come back: if that was the last, tell who waits for
 *  it. */
void aldis__announce_idle(aldis_system *system);

/** Take the mail of one shard that this worker owns into its mailboxes. True: there was some. */
bool aldis__inbox_empty(struct aldis__worker *worker, struct aldis__shard *shard);

#endif
