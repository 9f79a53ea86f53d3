// SPDX-License-Identifier: Apache-2.0
/* wire.h: message types outside the process, as Protocol Buffers. Layer: public.
 *
 * The structs that nanopb generates from a .proto are the payloads that handlers read; nothing is
 * encoded inside a process. With dock.proto compiled to dock.pb.h:
 *
 *     #include "dock.pb.h"
 *     #include <aldis/wire.h>
 *     ALDIS_WIRE_STRUCT(Vec3);                           // what a message contains comes first
 *     ALDIS_WIRE_STRUCT_RULES(Dock, ALDIS_WIRE_RANGE(Dock, mass, 0, 1e9));
 *     ALDIS_MESSAGE_CODEC(dock, Dock, 0, ALDIS_CODEC(Dock));
 *
 * Names, kinds, enum ranges, lengths and counts of the fields come from what nanopb generates, so
 * there is no list to keep up to date. Fields of nanopb's callback and pointer types do not compile
 * here. docs/design/wire.md has the frame's layout and the rules for old and new versions. */
#ifndef ALDIS_WIRE_H
#define ALDIS_WIRE_H

#include <aldis/error.h>
#include <aldis/message.h>
#include <aldis/wire_schema.h>

/** Bytes before the payload of a frame. */
#define ALDIS_WIRE_HEADER_BYTES 16u
/** The longest frame, header included. A struct that could be longer does not compile. */
#define ALDIS_WIRE_FRAME_MAX (1u << 20)
/** The longest frame of the generated struct M. */
#define ALDIS_WIRE_BYTES(M) (ALDIS_WIRE_HEADER_BYTES + (M##_size))

/** What an encoder or a decoder met. */
typedef struct aldis_wire_report {
    aldis_err err;
    char field[96];          /**< path of the field at fault ("holds[2].mass"), or "" */
    char text[160];          /**< what was found and what is allowed */
    uint32_t unknown_fields; /**< fields of a newer version, skipped */
} aldis_wire_report;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Check a payload against its type's rules: enums within their values, floats finite, strings
 * valid UTF-8 and terminated, counts within their arrays, arms of a oneof known, bools 0 or 1, no
 * value in an optional field whose has_ flag is off (it would be dropped), and the type's own
 * rules.
 *
 * report: may be NULL.          Thread: any.          Blocks: never.
 * Errors: ALDIS_ECODEC with the field and the reason; ALDIS_EINVAL the type has no codec, or a rule
 *         does not fit its field.
 */
ALDIS_API aldis_err aldis_wire_check(const aldis_type *type, const void *payload,
                                     aldis_wire_report *report);

/**
 * Encode a payload into one frame. It is checked first.
 *
 * out:      capacity bytes; NULL with 0 to ask for the size. Its content is undefined on an error.
 * out_size: bytes written; where capacity is too small (ALDIS_EFULL), the bytes needed.
 * report:   may be NULL.          Thread: any.          Blocks: never.
 * Errors:   as aldis_wire_check; ALDIS_EFULL.
 */
ALDIS_API aldis_err aldis_wire_encode(const aldis_type *type, const void *payload, uint8_t *out,
                                      size_t capacity, size_t *out_size, aldis_wire_report *report);

/**
 * Decode exactly one frame into a payload of type's struct. The bytes are not trusted: over-long,
 * truncated, altered, of another type, out of range: an error, and *payload is left zeroed. A field
 * that this version does not know is skipped and counted in the report.
 *
 * capacity: of payload, bytes: at least the type's size.
 * report:   may be NULL.          Thread: any.          Blocks: never.
 * Errors:   ALDIS_ECODEC with the field and the reason; ALDIS_ETOOLARGE longer than
 *           ALDIS_WIRE_FRAME_MAX; ALDIS_EINVAL a bad argument, or the type has no codec.
 */
ALDIS_API aldis_err aldis_wire_decode(const aldis_type *type, const uint8_t *bytes, size_t size,
                                      void *payload, size_t capacity, aldis_wire_report *report);

/**
 * The type number and the whole length of the frame that begins at bytes, so that a reader can
 * choose the type and wait for the rest. The checksum is not looked at.
 *
 * Thread: any.          Blocks: never.
 * Errors: ALDIS_EAGAIN more bytes are needed to tell; ALDIS_ECODEC not a frame, or one of another
 *         version; ALDIS_ETOOLARGE longer than ALDIS_WIRE_FRAME_MAX; ALDIS_EINVAL.
 */
ALDIS_API aldis_err aldis_wire_peek(const uint8_t *bytes, size_t size, uint32_t *out_number,
                                    size_t *out_frame_size);

/** The number of a type: its own, or the FNV-1a hash (32 bits) of its name, 1 in place of 0. */
ALDIS_API uint32_t aldis_type_number(const aldis_type *type);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus

/** Describe the generated struct M, once in each file that makes a codec of it or of what contains
 *  it. Structs inside it come first; the compiler names the one that is missing. */
#define ALDIS_WIRE_STRUCT(M) ALDIS_WIRE_DEFINE_(M, NULL, 0)

/** The same with rules: one or more of those below, separated by commas. They hold wherever M
 *  is. */
#define ALDIS_WIRE_STRUCT_RULES(M, ...)                                                            \
    ALDIS_UNUSED_ static const aldis_wire_rule M##_wire_rules[] = {__VA_ARGS__};                   \
    ALDIS_WIRE_DEFINE_(M, M##_wire_rules, sizeof M##_wire_rules / sizeof M##_wire_rules[0])

/* clang-format off */
/** A number (each one, in an array) is low to high, both allowed; never NaN. Compared as double. */
#define ALDIS_WIRE_RANGE(M, field, low, high)                                                      \
    {ALDIS_WIRE_RULE_RANGE, M##_##field##_tag, (low), (high), NULL, 0}
/** An enum whose numbers have holes: these values only. */
#define ALDIS_WIRE_VALUES(M, field, ...)                                                           \
    {ALDIS_WIRE_RULE_VALUES, M##_##field##_tag, 0, 0, (const int32_t[]){__VA_ARGS__},              \
     sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t)}
/** A float or double may be infinite or NaN. */
#define ALDIS_WIRE_ANY_FLOAT(M, field)                                                             \
    {ALDIS_WIRE_RULE_ANY_FLOAT, M##_##field##_tag, 0, 0, NULL, 0}
/** An optional field, a message or an arm of a oneof must be there; an array must not be empty. */
#define ALDIS_WIRE_PRESENT(M, field)                                                               \
    {ALDIS_WIRE_RULE_PRESENT, M##_##field##_tag, 0, 0, NULL, 0}
/* clang-format on */

/** The codec of the generated struct M, for ALDIS_MESSAGE_CODEC. Needs ALDIS_WIRE_STRUCT(M). */
#define ALDIS_CODEC(M) (&(const aldis_codec){&M##_wire, (uint32_t)(M##_size)})

/**
 * A protocol from the oneof in M: each arm is a message type that has the arm's name, and the arm's
 * struct is its payload. Once ALDIS_WIRE_STRUCT has described the arms:
 *
 *     ALDIS_WIRE_MESSAGES(ShipMessage);                 // ALDIS_MESSAGE_CODEC for each arm
 *     #define SHIP_PROTOCOL(X, kind) ALDIS_WIRE_ARMS(ShipMessage, X, kind)
 *     ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);              // from here on as any other protocol
 *
 * An arm that is added to the .proto is accepted at once, and does not compile without a handler.
 */
#define ALDIS_WIRE_MESSAGES(M) M##_FIELDLIST(ALDIS_WIRE_MESSAGE_, M) struct aldis_wire_semicolon_
#define ALDIS_WIRE_ARMS(M, X, kind) M##_FIELDLIST(ALDIS_WIRE_ARM_, (X, kind))

#endif /* !__cplusplus */
#endif
