// SPDX-License-Identifier: Apache-2.0
/* memory.h: how much memory a run may take. Layer: space. */
#ifndef SPACE_MEMORY_H
#define SPACE_MEMORY_H

#include <stdint.h>

/**
 * What the machine can give without taking it from others, and what the control group of this
 * process (a container's, a service's) has left of its limit: the less of the two.
 *
 * root:   "" for the machine's own files; else a folder that stands for "/".
 * Blocks: reads some short files below /proc and /sys. Returns UINT64_MAX where nothing is said.
 */
uint64_t memory_at_hand(const char *root);

#endif
