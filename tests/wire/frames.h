// SPDX-License-Identifier: Apache-2.0
/* frames.h: frames made by hand, so that a test can put anything into a sound one. */
#ifndef ALDIS_TESTS_WIRE_FRAMES_H
#define ALDIS_TESTS_WIRE_FRAMES_H

#include "base/crc32c.h"
#include <aldis/wire.h>
#include <string.h>

static inline void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/** Make the checksum of a frame right again. */
static inline void reseal(uint8_t *frame, size_t frame_size)
{
    uint32_t crc = aldis__crc32c(0, frame, 12);
    put32(frame + 12, aldis__crc32c(crc, frame + ALDIS_WIRE_HEADER_BYTES,
                                    frame_size - ALDIS_WIRE_HEADER_BYTES));
}

/** A frame of type around size bytes; frame has room for them and the header. Gives its size. */
static inline size_t seal(uint8_t *frame, const aldis_type *type, const void *bytes, size_t size)
{
    static const uint8_t head[4] = {0xAD, 1, 0, 0};
    memcpy(frame, head, sizeof head);
    put32(frame + 4, aldis_type_number(type));
    put32(frame + 8, (uint32_t)size);
    if (size)
        memcpy(frame + ALDIS_WIRE_HEADER_BYTES, bytes, size);
    reseal(frame, ALDIS_WIRE_HEADER_BYTES + size);
    return ALDIS_WIRE_HEADER_BYTES + size;
}

/** Is every byte zero? */
static inline bool is_zero(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

#endif
