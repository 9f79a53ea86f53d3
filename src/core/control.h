// SPDX-License-Identifier: Apache-2.0
/* control.h: commands, questions and notices that an actor handles in its turn. Layer: core. */
#ifndef ALDIS_CORE_CONTROL_H
#define ALDIS_CORE_CONTROL_H

#include "core/mailbox.h"

/** Handle one message of the control lane. Takes msg. */
void aldis__control_handle(struct aldis__worker *worker, struct aldis__shard *shard,
                           struct aldis__cell *cell, struct aldis__msg *msg);

/** An actor's figures now. */
void aldis__status_fill(const struct aldis__worker *worker, const struct aldis__cell *cell,
                        aldis_status *out_status);

#endif
