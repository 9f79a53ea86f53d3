// SPDX-License-Identifier: Apache-2.0
/* crc32c.h: the checksum of frames and records. Layer: base. Threads: any. Memory: none. */
#ifndef ALDIS_BASE_CRC32C_H
#define ALDIS_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** CRC-32C (Castagnoli; RFC 3720, B.4) of size bytes, going on from crc; begin with 0. Uses the
 *  processor's own instruction where there is one. */
uint32_t aldis__crc32c(uint32_t crc, const void *bytes, size_t size);

/** The same without that instruction. */
uint32_t aldis__crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
