// SPDX-License-Identifier: Apache-2.0
/* wire.h: message types outside the process, as Protocol Buffers. Layer: public.
 *
 * The structs that nanopb generates from a .proto are the payloads that handlers read; nothing is
 * encoded inside a process. See docs/design/wire.md. */
#ifndef ALDIS_WIRE_H
#define ALDIS_WIRE_H

#include <aldis/error.h>
#include <aldis/message.h>

/** What a decoder met. */
typedef struct aldis_wire_report {
    aldis_err err;
    char field[96];           /**< path of the field at fault ("specs.mass"), or "" */
    char text[160];           /**< what was found and what is allowed */
    uint32_t unknown_fields;  /**< fields of a newer version, skipped */
} aldis_wire_report;

/** How one message type is encoded. Made by ALDIS_CODEC; private. */
struct aldis_codec {
    const void *descriptor;  /**< nanopb's pb_msgdesc_t */
    const void *rules;       /**< struct aldis_wire_rule[], by field; NULL: the defaults */
    uint32_t struct_size;    /**< bytes */
    uint32_t encoded_max;    /**< bytes */
};

/** The codec of the nanopb struct M: ALDIS_MESSAGE_CODEC(name, M, 0, ALDIS_CODEC(M)). Include M's .pb.h. */
#define ALDIS_CODEC(M) (&(const aldis_codec){&M##_msg, NULL, (uint32_t)sizeof(M), M##_size})

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Check a payload against its type's rules: enums within their values, floats finite, strings
 * valid UTF-8 and terminated, counts within their arrays, arms of a oneof known.
 *
 * report: may be NULL.          Thread: any.          Blocks: never.
 * Errors: ALDIS_ECODEC with the field and the reason; ALDIS_EINVAL the type has no codec.
 */
ALDIS_API aldis_err aldis_wire_check(const aldis_type *type, const void *payload,
                                     aldis_wire_report *report);

/**
 * Encode a payload into out (frame: type number, version, length, CRC; then the Protocol Buffers
 * bytes). It is checked first.
 *
 * out_size: bytes written, or the bytes needed where capacity is too small (ALDIS_EFULL).
 * Errors: ALDIS_ECODEC, ALDIS_EFULL, ALDIS_EINVAL.
 */
ALDIS_API aldis_err aldis_wire_encode(const aldis_type *type, const void *payload, uint8_t *out,
                                      size_t capacity, size_t *out_size,
                                      aldis_wire_report *report);

/**
 * Decode one frame into a payload of type's struct. The bytes are not trusted: over-long,
 * truncated, altered, of another type, out of range: an error, and *payload is left zeroed. A field
 * that this version does not know is skipped and counted.
 *
 * capacity: of payload, bytes: at least the type's size.
 * Errors: ALDIS_ECODEC with the reason; ALDIS_EINVAL; ALDIS_ETOOLARGE.
 */
ALDIS_API aldis_err aldis_wire_decode(const aldis_type *type, const uint8_t *bytes, size_t size,
                                      void *payload, size_t capacity, aldis_wire_report *report);

/** The type number and whole length of the frame that begins at bytes, so that a reader can choose
 *  the type. Errors: ALDIS_EAGAIN more bytes are needed; ALDIS_ECODEC not a frame. */
ALDIS_API aldis_err aldis_wire_peek(const uint8_t *bytes, size_t size, uint32_t *out_number,
                                    size_t *out_frame_size);

/** The number of a type: its own, or the FNV-1a hash of its name. */
ALDIS_API uint32_t aldis_type_number(const aldis_type *type);

#ifdef __cplusplus
}
#endif
#endif
