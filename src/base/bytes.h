// SPDX-License-Identifier: Apache-2.0
/* bytes.h: numbers as bytes in files and on the wire: little-endian, whatever the machine. Layer:
 * base. Threads: any. Memory: none. Their checksum is crc32c.h's. */
#ifndef ALDIS_BASE_BYTES_H
#define ALDIS_BASE_BYTES_H

#include <stdint.h>

/** Write value; gives what stands behind it. */
static inline uint8_t *aldis__put_u32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static inline uint8_t *aldis__put_u64(uint8_t *at, uint64_t value)
{
    return aldis__put_u32(aldis__put_u32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static inline uint32_t aldis__get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t aldis__get_u64(const uint8_t *at)
{
    return aldis__get_u32(at) | (uint64_t)aldis__get_u32(at + 4) << 32;
}

#endif
