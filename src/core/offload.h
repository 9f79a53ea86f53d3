// SPDX-License-Identifier: Apache-2.0
/* offload.h: the pool of threads for blocking work. Layer: core. */
#ifndef ALDIS_CORE_OFFLOAD_H
#define ALDIS_CORE_OFFLOAD_H

#include "core/system.h"
#include <aldis/offload.h>

/** Make the (still thread-less) pool. */
aldis_err aldis__offload_create(aldis_system *system);
/** Take no more jobs; the running ones end, the waiting ones are dropped. */
void aldis__offload_stop(aldis_system *system);
/** Free it, when nobody can offload any more. */
void aldis__offload_destroy(aldis_system *system);

#endif
