// SPDX-License-Identifier: Apache-2.0
/* frame.h: frames, whatever is in them. Layer: wire. */
#ifndef ALDIS_WIRE_FRAME_H
#define ALDIS_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Are these bytes one whole frame of a version that is known, with a true checksum? Thread: any.
 *  bytes may be NULL with 0. */
bool aldis__frame_is_whole(const uint8_t *bytes, size_t size);

#endif
