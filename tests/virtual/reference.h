// SPDX-License-Identifier: Apache-2.0
/* reference.h: an executor of virtual time that is as plain as it can be: one thread, two heaps.
 *
 * It is written from the rules of docs/design/virtual-time.md and shares no code with the library,
 * so that a run of the two that is equal says something about both. */
#ifndef ALDIS_TESTS_VIRTUAL_REFERENCE_H
#define ALDIS_TESTS_VIRTUAL_REFERENCE_H

#include "program.h"

/** Perform the show; its journals then hold what every player handled. */
void reference_perform(struct show *show);

#endif
