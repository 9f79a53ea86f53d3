// SPDX-License-Identifier: Apache-2.0
/* wire.c: frames: the layout of docs/design/wire.md around what nanopb encodes. Layer: wire.
 * Threads: any; nothing is kept between calls. Memory: none is allocated. */
#include <aldis/wire.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/hash.h"
#include "wire/frame.h"
#include "wire/schema.h"
#include <pb_decode.h>
#include <pb_encode.h>
#include <stdarg.h>
#include <stdio.h>

enum { MAGIC = 0xAD, VERSION = 1 };
/* Where the parts of a header begin. */
enum { AT_MAGIC, AT_VERSION, AT_RESERVED, AT_NUMBER = 4, AT_LENGTH = 8, AT_CRC = 12 };
enum { HEADER = ALDIS_WIRE_HEADER_BYTES, PAYLOAD_MAX = ALDIS_WIRE_FRAME_MAX - HEADER };

static uint32_t frame_crc(const uint8_t *bytes, size_t payload_size)
{
    return aldis__crc32c(aldis__crc32c(0, bytes, AT_CRC), bytes + HEADER, payload_size);
}

/* ------------------------------------------------------------------ errors */

static void report_clear(aldis_wire_report *report)
{
    report->err = ALDIS_OK;
    report->field[0] = '\0';
    report->text[0] = '\0';
    report->unknown_fields = 0;
}

/* The whole message or call is at fault, not one of its fields. */
__attribute__((format(printf, 3, 4), cold)) static bool blame_whole(aldis_wire_report *report,
                                                                    aldis_err err,
                                                                    const char *format, ...)
{
    report->err = err;
    report->field[0] = '\0';
    va_list args;
    va_start(args, format);
    vsnprintf(report->text, sizeof report->text, format, args);
    va_end(args);
    return false;
}

/* The end of each call: what the report says becomes the thread's last error. */
__attribute__((cold)) static aldis_err fail(const aldis_type *type, const aldis_wire_report *report)
{
    const char *name = type && type->name ? type->name : "";
    return aldis__error_set(report->err, aldis_nobody(), name, "%s%s%s%s%s", name,
                            name[0] && report->field[0] ? "." : "", report->field,
                            name[0] || report->field[0] ? ": " : "", report->text);
}

/* Is type one that has a codec, made for a payload of its size? */
static bool check_type(const aldis_type *type, aldis_wire_report *report)
{
    if (!type)
        return blame_whole(report, ALDIS_EINVAL, "no message type is given");
    if (!type->codec)
        return blame_whole(report, ALDIS_EINVAL, "the type has no codec: it stays in the process");
    if (type->size != type->codec->schema->struct_size)
        return blame_whole(report, ALDIS_EINVAL, "the type has %u bytes, its codec's struct %s %u",
                           type->size, type->codec->schema->name, type->codec->schema->struct_size);
    return true;
}

/* ------------------------------------------------------------------ out */

static bool check_payload(const aldis_type *type, const void *payload, aldis_wire_report *report)
{
    if (!check_type(type, report))
        return false;
    if (!payload)
        return blame_whole(report, ALDIS_EINVAL, "no payload is given");
    return aldis__wire_check(type->codec->schema, payload, true, report);
}

aldis_err aldis_wire_check(const aldis_type *type, const void *payload, aldis_wire_report *report)
{
    aldis_wire_report own;
    report = report ? report : &own;
    report_clear(report);
    return check_payload(type, payload, report) ? ALDIS_OK : fail(type, report);
}

/* Nanopb has refused a payload that passed the check: for lack of room, or the check has a gap. */
__attribute__((cold)) static bool blame_encoder(const aldis_type *type, const void *payload,
                                                size_t capacity, size_t *out_size,
                                                aldis_wire_report *report)
{
    size_t size = 0;
    if (!pb_get_encoded_size(&size, type->codec->schema->descriptor, payload))
        return blame_whole(report, ALDIS_ECODEC, "nanopb cannot encode it");
    *out_size = HEADER + size;
    return blame_whole(report, ALDIS_EFULL, "the frame has %zu bytes, its place %zu", HEADER + size,
                       capacity);
}

static bool encode(const aldis_type *type, const void *payload, uint8_t *out, size_t capacity,
                   size_t *out_size, aldis_wire_report *report)
{
    if (!out_size || (!out && capacity))
        return blame_whole(report, ALDIS_EINVAL, "no place for the %s is given",
                           out_size ? "frame" : "size");
    if (!check_payload(type, payload, report))
        return false;
    size_t room = capacity < HEADER ? 0 : capacity - HEADER;
    pb_ostream_t stream = pb_ostream_from_buffer(capacity < HEADER ? NULL : out + HEADER, room);
    if (capacity < HEADER || !pb_encode(&stream, type->codec->schema->descriptor, payload))
        return blame_encoder(type, payload, capacity, out_size, report);
    out[AT_MAGIC] = MAGIC;
    out[AT_VERSION] = VERSION;
    out[AT_RESERVED] = 0;
    out[AT_RESERVED + 1] = 0;
    (void)aldis__put_u32(out + AT_NUMBER, aldis_type_number(type));
    (void)aldis__put_u32(out + AT_LENGTH, (uint32_t)stream.bytes_written);
    (void)aldis__put_u32(out + AT_CRC, frame_crc(out, stream.bytes_written));
    *out_size = HEADER + stream.bytes_written;
    return true;
}

aldis_err aldis_wire_encode(const aldis_type *type, const void *payload, uint8_t *out,
                            size_t capacity, size_t *out_size, aldis_wire_report *report)
{
    aldis_wire_report own;
    report = report ? report : &own;
    report_clear(report);
    return encode(type, payload, out, capacity, out_size, report) ? ALDIS_OK : fail(type, report);
}

/* ------------------------------------------------------------------ in */

/* Judge as much of a header as there is. */
static bool check_header(const uint8_t *bytes, size_t size, aldis_wire_report *report)
{
    if (size > AT_MAGIC && bytes[AT_MAGIC] != MAGIC)
        return blame_whole(report, ALDIS_ECODEC, "the first byte is 0x%02x; a frame has 0x%02x",
                           bytes[AT_MAGIC], (unsigned)MAGIC);
    if (size > AT_VERSION && bytes[AT_VERSION] != VERSION)
        return blame_whole(report, ALDIS_ECODEC, "the frame has version %u; known is %u",
                           bytes[AT_VERSION], (unsigned)VERSION);
    if (size > AT_RESERVED + 1 && (bytes[AT_RESERVED] || bytes[AT_RESERVED + 1]))
        return blame_whole(report, ALDIS_ECODEC, "the reserved bytes are %u and %u; allowed: 0",
                           bytes[AT_RESERVED], bytes[AT_RESERVED + 1]);
    if (size >= AT_CRC && aldis__get_u32(bytes + AT_LENGTH) > PAYLOAD_MAX)
        return blame_whole(report, ALDIS_ETOOLARGE, "the payload has %u bytes; allowed: up to %u",
                           aldis__get_u32(bytes + AT_LENGTH), (unsigned)PAYLOAD_MAX);
    return true;
}

static bool check_whole(const uint8_t *bytes, size_t size, aldis_wire_report *report)
{
    if (!check_header(bytes, size, report))
        return false;
    if (size < HEADER)
        return blame_whole(report, ALDIS_ECODEC, "%zu bytes are no frame; a header has %u", size,
                           (unsigned)HEADER);
    uint32_t length = aldis__get_u32(bytes + AT_LENGTH);
    if (size - HEADER != length)
        return blame_whole(report, ALDIS_ECODEC, "the frame has %zu bytes; its header says %u",
                           size, (unsigned)HEADER + length);
    uint32_t found = frame_crc(bytes, length), said = aldis__get_u32(bytes + AT_CRC);
    if (found != said)
        return blame_whole(report, ALDIS_ECODEC, "the checksum is 0x%08x; the header says 0x%08x",
                           found, said);
    return true;
}

bool aldis__frame_is_whole(const uint8_t *bytes, size_t size)
{
    aldis_wire_report report;
    return bytes && check_whole(bytes, size, &report);
}

static bool check_frame(const aldis_type *type, const uint8_t *bytes, size_t size,
                        aldis_wire_report *report)
{
    if (!check_whole(bytes, size, report))
        return false;
    uint32_t number = aldis__get_u32(bytes + AT_NUMBER), expected = aldis_type_number(type);
    if (number != expected)
        return blame_whole(report, ALDIS_ECODEC, "the type number is 0x%08x; %s has 0x%08x", number,
                           type->name, expected);
    return true;
}

/* Has a field of the message, or of one inside it, another default than zero (proto2)? */
static bool has_defaults(const aldis_wire_schema *schema)
{
    if (schema->defaults)
        return true;
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (schema->fields[i].message && has_defaults(schema->fields[i].message))
            return true;
    return false;
}

/* Into a zeroed payload. */
static bool decode(const aldis_type *type, const uint8_t *bytes, size_t size, void *payload,
                   aldis_wire_report *report)
{
    const aldis_wire_schema *schema = type->codec->schema;
    if (!check_frame(type, bytes, size, report) ||
        !aldis__wire_scan(schema, bytes + HEADER, bytes + size, report))
        return false;
    pb_istream_t stream = pb_istream_from_buffer(bytes + HEADER, size - HEADER);
    unsigned flags = has_defaults(schema) ? 0 : PB_DECODE_NOINIT; /* zeroed already */
    if (!pb_decode_ex(&stream, schema->descriptor, payload, flags))
        return blame_whole(report, ALDIS_ECODEC, "nanopb cannot decode it: %s",
                           PB_GET_ERROR(&stream));
    return aldis__wire_check(schema, payload, false, report);
}

aldis_err aldis_wire_decode(const aldis_type *type, const uint8_t *bytes, size_t size,
                            void *payload, size_t capacity, aldis_wire_report *report)
{
    aldis_wire_report own;
    report = report ? report : &own;
    report_clear(report);
    if (!check_type(type, report))
        return fail(type, report);
    if (!payload || capacity < type->size || (!bytes && size)) {
        blame_whole(report, ALDIS_EINVAL, "the payload's place has %zu bytes of %u", capacity,
                    type->size);
        if (!payload || (!bytes && size))
            blame_whole(report, ALDIS_EINVAL, "no %s is given", payload ? "frame" : "payload");
        return fail(type, report);
    }
    /* Also between the fields: equal messages are equal bytes. */
    memset(payload, 0, type->size);
    if (decode(type, bytes, size, payload, report))
        return ALDIS_OK;
    memset(payload, 0, type->size);
    return fail(type, report);
}

static bool peek(const uint8_t *bytes, size_t size, uint32_t *out_number, size_t *out_frame_size,
                 aldis_wire_report *report)
{
    if (!out_number || !out_frame_size || (!bytes && size))
        return blame_whole(report, ALDIS_EINVAL, "an argument is NULL");
    if (!check_header(bytes, size, report))
        return false;
    if (size < HEADER)
        return blame_whole(report, ALDIS_EAGAIN, "%zu bytes of a header's %u", size,
                           (unsigned)HEADER);
    *out_number = aldis__get_u32(bytes + AT_NUMBER);
    *out_frame_size = HEADER + aldis__get_u32(bytes + AT_LENGTH);
    return true;
}

aldis_err aldis_wire_peek(const uint8_t *bytes, size_t size, uint32_t *out_number,
                          size_t *out_frame_size)
{
    aldis_wire_report report;
    report_clear(&report);
    if (peek(bytes, size, out_number, out_frame_size, &report))
        return ALDIS_OK;
    return fail(NULL, &report);
}

uint32_t aldis_type_number(const aldis_type *type)
{
    return type->number ? type->number : aldis__name_number(type->name);
}
