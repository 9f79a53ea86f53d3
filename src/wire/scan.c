// SPDX-License-Identifier: Apache-2.0
/* scan.c: the shape of encoded bytes, against a schema. Layer: wire. Threads: any. Memory: 1 KiB of
 * stack for each level of nesting, and a schema's nesting is finite.
 *
 * The encoding is that of Protocol Buffers (protobuf.dev, "Encoding"). nanopb would refuse most of
 * what is refused here, but without saying where; and it cuts strings at a zero byte, wraps 32-bit
 * integers and takes any number for a bool. What passes here nanopb can decode without loss. */
#include "wire/schema.h"

#include <inttypes.h>
#include <stdio.h>

/* The low three bits of a field's key. */
enum wire_type { VARINT = 0, FIXED64 = 1, DELIMITED = 2, FIXED32 = 5 };

enum { TAG_MAX = (1 << 29) - 1 };

struct cursor {
    const uint8_t *at, *end;
    aldis_wire_report *report;
};

static const char *read_long_varint(struct cursor *in, uint64_t *out_value);

/* Gives NULL and steps over the number, or says what is wrong with it. */
static inline const char *read_varint(struct cursor *in, uint64_t *out_value)
{
    if (in->at != in->end && *in->at < 0x80) {
        *out_value = *in->at++;
        return NULL;
    }
    return read_long_varint(in, out_value);
}

static const char *read_long_varint(struct cursor *in, uint64_t *out_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (in->at == in->end)
            return "the bytes end inside a number";
        uint8_t byte = *in->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out_value = value;
            return NULL;
        }
    }
    return "a number is longer than 64 bits";
}

/* Gives NULL and steps over the length, of bytes that are all there. */
static const char *read_length(struct cursor *in, size_t *out_length)
{
    uint64_t length;
    const char *wrong = read_varint(in, &length);
    if (wrong)
        return wrong;
    if (length > (size_t)(in->end - in->at))
        return "its length goes beyond the end of the bytes";
    *out_length = (size_t)length;
    return NULL;
}

/* Gives NULL and steps over the bytes. */
static const char *skip_bytes(struct cursor *in, size_t size)
{
    if (size > (size_t)(in->end - in->at))
        return "the bytes end inside a value";
    in->at += size;
    return NULL;
}

/* Gives NULL and steps over the value of an unknown field. */
static const char *skip_value(struct cursor *in, unsigned wire_type)
{
    uint64_t value;
    size_t size;
    if (wire_type == VARINT)
        return read_varint(in, &value);
    if (wire_type == FIXED64 || wire_type == FIXED32)
        return skip_bytes(in, wire_type == FIXED64 ? 8 : 4);
    if (wire_type != DELIMITED)
        return "its wire type is none of those allowed: 0, 1, 2, 5";
    const char *wrong = read_length(in, &size);
    return wrong ? wrong : skip_bytes(in, size);
}

static enum wire_type wire_type_of(const aldis_wire_field *field)
{
    switch (field->kind) {
    case ALDIS_WIRE_KIND_INT:
    case ALDIS_WIRE_KIND_UINT:
    case ALDIS_WIRE_KIND_SINT:
    case ALDIS_WIRE_KIND_BOOL:
    case ALDIS_WIRE_KIND_ENUM:
        return VARINT;
    case ALDIS_WIRE_KIND_FIXED:
    case ALDIS_WIRE_KIND_SFIXED:
    case ALDIS_WIRE_KIND_FLOAT:
        return field->size == 8 ? FIXED64 : FIXED32;
    case ALDIS_WIRE_KIND_STRING:
    case ALDIS_WIRE_KIND_BYTES:
    case ALDIS_WIRE_KIND_FIXED_BYTES:
    case ALDIS_WIRE_KIND_MESSAGE:
        break;
    }
    return DELIMITED;
}

static bool check_signed(struct cursor *in, const aldis_wire_field *field, uint32_t index,
                         int64_t value)
{
    int64_t max = (int64_t)(UINT64_MAX >> (65 - 8 * field->size)), min = -max - 1;
    if (field->kind == ALDIS_WIRE_KIND_ENUM) {
        min = field->min;
        max = field->max;
    }
    if (value >= min && value <= max)
        return true;
    return aldis__wire_blame(
        in->report, field, index, "is %" PRId64 "; allowed: %" PRId64 " to %" PRId64 "%s%s", value,
        min, max, field->type_name ? " of " : "", field->type_name ? field->type_name : "");
}

static bool check_unsigned(struct cursor *in, const aldis_wire_field *field, uint32_t index,
                           uint64_t value)
{
    uint64_t max = field->kind == ALDIS_WIRE_KIND_BOOL ? 1 : UINT64_MAX >> (64 - 8 * field->size);
    if (value <= max)
        return true;
    return aldis__wire_blame(in->report, field, index, "is %" PRIu64 "; allowed: 0 to %" PRIu64,
                             value, max);
}

static bool scan_number(struct cursor *in, const aldis_wire_field *field, uint32_t index)
{
    uint64_t value;
    const char *wrong = read_varint(in, &value);
    if (wrong)
        return aldis__wire_blame(in->report, field, index, "%s", wrong);
    if (field->kind == ALDIS_WIRE_KIND_BOOL || field->kind == ALDIS_WIRE_KIND_UINT)
        return check_unsigned(in, field, index, value);
    if (field->kind == ALDIS_WIRE_KIND_SINT)
        value = value >> 1 ^ (0 - (value & 1));
    return check_signed(in, field, index, (int64_t)value);
}

static bool scan_delimited(struct cursor *in, const aldis_wire_field *field, uint32_t index)
{
    size_t length;
    const char *wrong = read_length(in, &length);
    if (wrong)
        return aldis__wire_blame(in->report, field, index, "%s", wrong);
    const uint8_t *at = in->at;
    in->at += length;
    if (field->kind == ALDIS_WIRE_KIND_MESSAGE)
        return aldis__wire_scan(field->message, at, in->at, in->report) ||
               aldis__wire_within(in->report, field, index);
    if (field->kind == ALDIS_WIRE_KIND_FIXED_BYTES && length != field->capacity)
        return aldis__wire_blame(in->report, field, index, "has %zu bytes; allowed: %u", length,
                                 field->capacity);
    size_t max = field->kind == ALDIS_WIRE_KIND_STRING ? field->capacity - 1 : field->capacity;
    if (length > max)
        return aldis__wire_blame(in->report, field, index, "has %zu bytes; allowed: up to %zu",
                                 length, max);
    if (field->kind == ALDIS_WIRE_KIND_STRING) {
        const uint8_t *zero = memchr(at, 0, length);
        if (zero)
            return aldis__wire_blame(in->report, field, index,
                                     "byte %zu of the text is zero; a C string would end there",
                                     (size_t)(zero - at));
    }
    return true;
}

/* One more value has come. *seen is how many there were. */
static bool scan_value(struct cursor *in, const aldis_wire_field *field, enum wire_type wire_type,
                       uint32_t *seen)
{
    uint32_t index = (*seen)++;
    if (index >= field->count) {
        if (aldis__wire_is_array(field))
            return aldis__wire_blame(in->report, field, ALDIS__WIRE_NO_INDEX,
                                     "has more than %u values; allowed: up to %u", field->count,
                                     field->count);
        return aldis__wire_blame(in->report, field, ALDIS__WIRE_NO_INDEX, "appears more than once");
    }
    if (wire_type == VARINT)
        return scan_number(in, field, index);
    if (wire_type == DELIMITED)
        return scan_delimited(in, field, index);
    const char *wrong = skip_bytes(in, wire_type == FIXED64 ? 8 : 4);
    return !wrong || aldis__wire_blame(in->report, field, index, "%s", wrong);
}

/* An array of a fixed count is all there or not there at all, and in one piece: nanopb cannot put
 * it together from pieces. */
static bool check_whole(const aldis_wire_field *field, uint32_t seen, aldis_wire_report *report)
{
    return field->label != ALDIS_WIRE_LABEL_FIXARRAY || seen == field->count ||
           aldis__wire_blame(report, field, ALDIS__WIRE_NO_INDEX,
                             "has %u values in one piece; allowed: %u", seen, field->count);
}

/* An array of numbers in one piece: the values stand one after the other, without keys. */
static bool scan_packed(struct cursor *in, const aldis_wire_field *field, enum wire_type wire_type,
                        uint32_t *seen)
{
    size_t length;
    const char *wrong = read_length(in, &length);
    if (wrong)
        return aldis__wire_blame(in->report, field, ALDIS__WIRE_NO_INDEX, "%s", wrong);
    struct cursor values = {in->at, in->at + length, in->report};
    in->at += length;
    while (values.at != values.end)
        if (!scan_value(&values, field, wire_type, seen))
            return false;
    return check_whole(field, *seen, in->report);
}

static bool scan_field(struct cursor *in, const aldis_wire_field *field, unsigned wire_type,
                       uint32_t *seen)
{
    enum wire_type expected = wire_type_of(field);
    if (wire_type == (unsigned)expected)
        return scan_value(in, field, expected, seen);
    if (wire_type == DELIMITED && aldis__wire_is_array(field))
        return scan_packed(in, field, expected, seen);
    return aldis__wire_blame(in->report, field, ALDIS__WIRE_NO_INDEX,
                             "has wire type %u; allowed: %u%s", wire_type, (unsigned)expected,
                             aldis__wire_is_array(field) && expected != DELIMITED ? " or 2" : "");
}

/* Fields mostly come in the order of their numbers: *next is where to look first. */
static const aldis_wire_field *find_field(const aldis_wire_schema *schema, uint64_t tag,
                                          uint32_t *next)
{
    for (uint32_t n = 0, i = *next; n < schema->field_count; n++, i++) {
        if (i >= schema->field_count)
            i = 0;
        if (schema->fields[i].tag == tag) {
            *next = i;
            return &schema->fields[i];
        }
    }
    return NULL;
}

/* Protocol Buffers would take the last of several arms, but no encoder sends more than one, and
 * nanopb would leave the earlier ones' bytes around the last. */
static bool check_only_arm(const aldis_wire_schema *schema, const uint32_t *seen, uint32_t i,
                           aldis_wire_report *report)
{
    const aldis_wire_field *fields = schema->fields;
    for (uint32_t j = i + 1; j < schema->field_count; j++)
        if (seen[j] && fields[j].label == ALDIS_WIRE_LABEL_ONEOF &&
            fields[j].mark == fields[i].mark)
            return aldis__wire_blame(report, &fields[j], ALDIS__WIRE_NO_INDEX,
                                     "comes beside %s, another arm of the same oneof",
                                     fields[i].name);
    return true;
}

/* All fields have come: is anything missing, or too much? */
static bool check_seen(const aldis_wire_schema *schema, const uint32_t *seen,
                       aldis_wire_report *report)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const aldis_wire_field *field = &schema->fields[i];
        if (field->label == ALDIS_WIRE_LABEL_REQUIRED && !seen[i])
            return aldis__wire_blame(report, field, ALDIS__WIRE_NO_INDEX,
                                     "is missing; it is required");
        if (seen[i] && !check_whole(field, seen[i], report))
            return false;
        if (field->label == ALDIS_WIRE_LABEL_ONEOF && seen[i] &&
            !check_only_arm(schema, seen, i, report))
            return false;
    }
    return true;
}

/* Something is wrong between the fields: the path is still empty. */
__attribute__((cold)) static bool blame_key(struct cursor *in, const aldis_wire_schema *schema,
                                            uint64_t key, const char *wrong)
{
    in->report->err = ALDIS_ECODEC;
    snprintf(in->report->text, sizeof in->report->text, "field %" PRIu64 " of %s: %s", key >> 3,
             schema->name, wrong);
    return false;
}

bool aldis__wire_scan(const aldis_wire_schema *schema, const uint8_t *at, const uint8_t *end,
                      aldis_wire_report *report)
{
    struct cursor in = {at, end, report};
    const aldis_wire_field *before = NULL;
    uint32_t seen[ALDIS_WIRE_FIELDS_MAX], next = 0;
    memset(seen, 0, schema->field_count * sizeof seen[0]);
    while (in.at != in.end) {
        uint64_t key = 0;
        const char *wrong = read_varint(&in, &key);
        if (wrong)
            return blame_key(&in, schema, key, wrong);
        if (key >> 3 == 0 || key >> 3 > TAG_MAX)
            return blame_key(&in, schema, key, "no field has such a number");
        const aldis_wire_field *field = find_field(schema, key >> 3, &next);
        if (before && before != field &&
            !check_whole(before, seen[before - schema->fields], report))
            return false;
        before = field;
        if (field) {
            if (!scan_field(&in, field, key & 7, &seen[next]))
                return false;
            continue;
        }
        wrong = skip_value(&in, key & 7);
        if (wrong)
            return blame_key(&in, schema, key, wrong);
        report->unknown_fields++;
    }
    return check_seen(schema, seen, report);
}
