// SPDX-License-Identifier: Apache-2.0
/* outside.h: what other threads of the library send into a system. Layer: core. */
#ifndef ALDIS_CORE_OUTSIDE_H
#define ALDIS_CORE_OUTSIDE_H

#include "core/system.h"

/** A job of `actor` has ended: send it the result (the type's size), or tell it the reason. */
void aldis__outside_result(aldis_system *system, aldis_id actor, aldis_type *type, aldis_err err,
                           const void *result);

/** Under the system's lock: send one of the runtime's own messages to an actor that was there.
 *  ALDIS_ENOMEM, ALDIS_EAGAIN. */
aldis_err aldis__outside_post(aldis_system *system, aldis_id from, aldis_id to, uint32_t type,
                              const void *payload);

/** Under the system's lock, live: put a message, counted as sent, on its way to an actor that was
 *  there. Takes msg. */
void aldis__outside_push(aldis_system *system, struct aldis__msg *msg);

struct aldis__track;

/** As aldis__post_tracked(), from another thread: to an actor that was there. ALDIS_ENOMEM,
 *  ALDIS_ESTATE the system has stopped. */
aldis_err aldis__outside_post_tracked(aldis_system *system, aldis_id to,
                                      const struct aldis__track *track, const void *payload,
                                      size_t size);

#endif
