// SPDX-License-Identifier: Apache-2.0
/* stash.h: messages that an actor keeps aside. Layer: core. Owner of the shard only. */
#ifndef ALDIS_CORE_STASH_H
#define ALDIS_CORE_STASH_H

#include "core/mailbox.h"
#include <aldis/stash.h>

/** The running handler gives its message up: it is a dead letter, not handled. Returns what the
 *  handler returns then. */
aldis_err aldis__dead_letter(aldis_ctx *ctx, aldis_err reason);

/** Put all that the actor keeps aside back before the rest of its mail: also for an actor that is
 *  restarted, whose new state knows nothing of them. The caller sees to it that it is scheduled. */
void aldis__stash_return(struct aldis__worker *worker, struct aldis__cell *cell);

#endif
