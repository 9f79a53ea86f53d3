// SPDX-License-Identifier: Apache-2.0
/* block.h: the blocks of a recording's file. Layer: observe. See docs/design/observe.md. */
#ifndef ALDIS_OBSERVE_BLOCK_H
#define ALDIS_OBSERVE_BLOCK_H

#include "base/bytes.h"
#include "base/crc32c.h"

#include <aldis/record.h>
#include <aldis/window.h>
#include <string.h>

enum {
    ALDIS__RECORD_VERSION = 1,
    ALDIS__RECORD_MAGIC_BYTES = 16,
    ALDIS__BLOCK_HEAD_BYTES = 8,  /* size of the content, kind */
    ALDIS__BLOCK_MORE_BYTES = 12, /* those and the checksum */
    ALDIS__BLOCK_END_BYTES = 40,  /* content of an end */
    ALDIS__BLOCK_TYPE_NAME_MAX = 63,
    ALDIS__BLOCK_INPUT_BYTES = 40 /* content of an input before what its kind adds */
};

enum aldis__block_kind {
    ALDIS__BLOCK_HEAD = 1, /* the text */
    ALDIS__BLOCK_MESSAGE,
    ALDIS__BLOCK_COMMAND,
    ALDIS__BLOCK_END /* the last one */
};

/* The longest content: a message. */
#define ALDIS__BLOCK_CONTENT_MAX                                                                   \
    (ALDIS__BLOCK_INPUT_BYTES + 16 + ALDIS__BLOCK_TYPE_NAME_MAX + ALDIS_PAYLOAD_MAX)

/** Write what a file begins with; gives its checksum, from which the first block's goes on. */
static inline uint32_t aldis__put_magic(uint8_t at[ALDIS__RECORD_MAGIC_BYTES])
{
    memcpy(at, "aldisrec", 8);
    aldis__put_u32(aldis__put_u32(at + 8, ALDIS__RECORD_VERSION), 0);
    return aldis__crc32c(0, at, ALDIS__RECORD_MAGIC_BYTES);
}

/** Complete the block at `block`, whose content of `size` bytes stands behind its head. Gives its
 *  checksum, which goes on from that of the block before: a block that is missing, doubled or moved
 *  is found as one that was altered. */
static inline uint32_t aldis__seal_block(uint8_t *block, enum aldis__block_kind kind, uint32_t size,
                                         uint32_t crc)
{
    aldis__put_u32(aldis__put_u32(block, size), (uint32_t)kind);
    crc = aldis__crc32c(crc, block, ALDIS__BLOCK_HEAD_BYTES + size);
    aldis__put_u32(block + ALDIS__BLOCK_HEAD_BYTES + size, crc);
    return crc;
}

#endif
