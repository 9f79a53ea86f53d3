// SPDX-License-Identifier: Apache-2.0
/* outside.h: what other threads of the library send into a system. Layer: core. */
#ifndef ALDIS_CORE_OUTSIDE_H
#define ALDIS_CORE_OUTSIDE_H

#include "core/system.h"

/** A job of `actor` has ended: send it the result (the type's size), or tell it the reason. */
void aldis__outside_result(aldis_system *system, aldis_id actor, aldis_type *type, aldis_err err,
                           const void *result);

#endif
