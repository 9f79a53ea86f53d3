// SPDX-License-Identifier: Apache-2.0
/* check.c: the values of a payload, against a schema. Layer: wire. Threads: any. Memory: none.
 *
 * The struct may hold anything: bools are read as bytes, sizes before what they count. */
#include "wire/schema.h"

#include <inttypes.h>

struct walk {
    const aldis_wire_schema *schema;
    bool sending;
    aldis_wire_report *report;
};

/* nanopb's counts, sizes and tags in a struct: pb_size_t, asserted to be 16 bits where a schema is
 * made. */
static uint32_t load_size(const uint8_t *at)
{
    uint16_t size;
    memcpy(&size, at, sizeof size);
    return size;
}

static const uint8_t *value_at(const aldis_wire_field *field, const uint8_t *base, uint32_t index)
{
    return base + field->offset + (size_t)index * field->size;
}

/* A whole number of any width; 64 unsigned bits are given as their two's complement. */
static int64_t load_integer(const aldis_wire_field *field, const uint8_t *at)
{
    bool is_signed = field->kind == ALDIS_WIRE_KIND_INT || field->kind == ALDIS_WIRE_KIND_SINT ||
                     field->kind == ALDIS_WIRE_KIND_SFIXED ||
                     (field->kind == ALDIS_WIRE_KIND_ENUM && field->min < 0);
    if (field->size == 1)
        return is_signed ? (int8_t)*at : *at;
    if (field->size == 2) {
        uint16_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (int16_t)v : v;
    }
    if (field->size == 4) {
        uint32_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (int64_t)(int32_t)v : (int64_t)v;
    }
    int64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static double load_float(const aldis_wire_field *field, const uint8_t *at)
{
    if (field->size == sizeof(float)) {
        float v;
        memcpy(&v, at, sizeof v);
        return (double)v;
    }
    double v;
    memcpy(&v, at, sizeof v);
    return v;
}

/* ------------------------------------------------------------------ single values */

static const aldis_wire_rule *find_rule(const aldis_wire_schema *schema,
                                        const aldis_wire_field *field, aldis_wire_rule_kind kind)
{
    for (uint32_t i = 0; i < schema->rule_count; i++)
        if (schema->rules[i].tag == field->tag && schema->rules[i].kind == kind)
            return &schema->rules[i];
    return NULL;
}

static bool check_float(const struct walk *w, const aldis_wire_field *field, uint32_t index,
                        const uint8_t *at)
{
    double value = load_float(field, at);
    if (value - value == 0.0) /* NaN for NaN and for both infinities */
        return true;
    if (find_rule(w->schema, field, ALDIS_WIRE_RULE_ANY_FLOAT))
        return true;
    return aldis__wire_blame(w->report, field, index, "is %s; must be finite",
                             value != value ? "NaN"
                             : value > 0    ? "infinity"
                                            : "-infinity");
}

/* The length of the character at p in bytes, or 0: not UTF-8 (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF). p ends with a zero byte, which is no continuation. */
static unsigned utf8_length(const uint8_t *p)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || (p[1] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if ((p[2] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xf0)
        return (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ? 0 : 3;
    if ((p[3] & 0xc0) != 0x80 || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

/* How many whole words of ASCII the text begins with, in bytes: most texts are nothing else. */
static size_t ascii_length(const uint8_t *at, size_t size)
{
    size_t length = 0;
    for (uint64_t word; length + sizeof word <= size; length += sizeof word) {
        memcpy(&word, at + length, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    return length;
}

static bool check_string(const struct walk *w, const aldis_wire_field *field, uint32_t index,
                         const uint8_t *at)
{
    const uint8_t *end = memchr(at, 0, field->capacity);
    if (!end)
        return aldis__wire_blame(w->report, field, index,
                                 "does not end within its %u bytes; allowed: up to %u and a zero",
                                 field->capacity, field->capacity - 1);
    for (const uint8_t *p = at + ascii_length(at, (size_t)(end - at)); p < end;) {
        unsigned length = utf8_length(p);
        if (length == 0)
            return aldis__wire_blame(w->report, field, index,
                                     "byte %zu of the text is 0x%02x; it must be UTF-8",
                                     (size_t)(p - at), *p);
        p += length;
    }
    return true;
}

static bool check_message(const struct walk *w, const uint8_t *base);

static bool check_value(const struct walk *w, const aldis_wire_field *field, uint32_t index,
                        const uint8_t *at)
{
    switch (field->kind) {
    case ALDIS_WIRE_KIND_INT:
    case ALDIS_WIRE_KIND_UINT:
    case ALDIS_WIRE_KIND_SINT:
    case ALDIS_WIRE_KIND_FIXED:
    case ALDIS_WIRE_KIND_SFIXED:
    case ALDIS_WIRE_KIND_FIXED_BYTES:
        return true;
    case ALDIS_WIRE_KIND_BOOL:
        return *at <= 1 || aldis__wire_blame(w->report, field, index,
                                             "the bool's byte is %u; allowed: 0 or 1", *at);
    case ALDIS_WIRE_KIND_ENUM: {
        int64_t value = load_integer(field, at);
        return (value >= field->min && value <= field->max) ||
               aldis__wire_blame(w->report, field, index,
                                 "is %" PRId64 "; allowed: %" PRId64 " to %" PRId64 " of %s", value,
                                 field->min, field->max, field->type_name);
    }
    case ALDIS_WIRE_KIND_FLOAT:
        return check_float(w, field, index, at);
    case ALDIS_WIRE_KIND_STRING:
        return check_string(w, field, index, at);
    case ALDIS_WIRE_KIND_BYTES:
        return load_size(at) <= field->capacity ||
               aldis__wire_blame(w->report, field, index, "has %u bytes; allowed: up to %u",
                                 load_size(at), field->capacity);
    case ALDIS_WIRE_KIND_MESSAGE: {
        struct walk inner = {field->message, w->sending, w->report};
        return check_message(&inner, at) || aldis__wire_within(w->report, field, index);
    }
    }
    return false;
}

/* ------------------------------------------------------------------ values to be dropped */

static bool is_empty_message(const aldis_wire_schema *schema, const uint8_t *base);

static bool is_empty_value(const aldis_wire_field *field, const uint8_t *at)
{
    if (field->kind == ALDIS_WIRE_KIND_MESSAGE)
        return is_empty_message(field->message, at);
    if (field->kind == ALDIS_WIRE_KIND_STRING)
        return *at == 0;
    if (field->kind == ALDIS_WIRE_KIND_BYTES)
        return load_size(at) == 0;
    for (uint32_t i = 0; i < field->size; i++)
        if (at[i])
            return false;
    return true;
}

static bool is_empty_field(const aldis_wire_field *field, const uint8_t *base)
{
    switch (field->label) {
    case ALDIS_WIRE_LABEL_OPTIONAL:
        return base[field->mark] == 0;
    case ALDIS_WIRE_LABEL_REPEATED:
    case ALDIS_WIRE_LABEL_ONEOF:
        return load_size(base + field->mark) == 0;
    case ALDIS_WIRE_LABEL_SINGULAR:
    case ALDIS_WIRE_LABEL_REQUIRED:
    case ALDIS_WIRE_LABEL_FIXARRAY:
        break;
    }
    for (uint32_t i = 0; i < field->count; i++)
        if (!is_empty_value(field, value_at(field, base, i)))
            return false;
    return true;
}

/* Field by field, because what lies between them may be anything. Where a struct has defaults of
 * its own (proto2) even what is absent holds something, so nothing can be said. */
static bool is_empty_message(const aldis_wire_schema *schema, const uint8_t *base)
{
    if (schema->defaults)
        return true;
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (!is_empty_field(&schema->fields[i], base))
            return false;
    return true;
}

/* ------------------------------------------------------------------ fields */

/* An optional field that is absent. */
static bool check_absent(const struct walk *w, const aldis_wire_field *field, const uint8_t *base)
{
    if (!w->sending || w->schema->defaults || is_empty_value(field, base + field->offset))
        return true;
    return aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                             "is set but has_%s is false: it would be dropped", field->name);
}

/* A oneof whose arm is not this one. The first arm of each run speaks for the oneof. */
static bool check_other_arm(const struct walk *w, const aldis_wire_field *field, uint32_t which)
{
    const aldis_wire_field *fields = w->schema->fields;
    if (which == 0 || (field > fields && field[-1].label == ALDIS_WIRE_LABEL_ONEOF &&
                       field[-1].mark == field->mark))
        return true;
    for (uint32_t i = 0; i < w->schema->field_count; i++)
        if (fields[i].label == ALDIS_WIRE_LABEL_ONEOF && fields[i].mark == field->mark &&
            fields[i].tag == which)
            return true;
    return aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                             "the oneof of this arm has arm %u, which is none of its arms", which);
}

/* How many values of the field are there? False: the mark itself is wrong. */
static bool count_values(const struct walk *w, const aldis_wire_field *field, const uint8_t *base,
                         uint32_t *out_count)
{
    const uint8_t *mark = base + field->mark;
    *out_count = field->count;
    switch (field->label) {
    case ALDIS_WIRE_LABEL_SINGULAR:
    case ALDIS_WIRE_LABEL_REQUIRED:
    case ALDIS_WIRE_LABEL_FIXARRAY:
        return true;
    case ALDIS_WIRE_LABEL_OPTIONAL:
        *out_count = *mark;
        if (*mark > 1)
            return aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                                     "the byte of has_%s is %u; allowed: 0 or 1", field->name,
                                     *mark);
        return *mark || check_absent(w, field, base);
    case ALDIS_WIRE_LABEL_REPEATED:
        *out_count = load_size(mark);
        return *out_count <= field->count ||
               aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                                 "has %u values; allowed: up to %u", *out_count, field->count);
    case ALDIS_WIRE_LABEL_ONEOF:
        *out_count = load_size(mark) == field->tag;
        return *out_count || check_other_arm(w, field, load_size(mark));
    }
    return false;
}

/* ------------------------------------------------------------------ rules */

__attribute__((cold)) static bool blame_rule(const struct walk *w, const aldis_wire_field *field,
                                             const char *wanted)
{
    aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                      "its rule in %s is for %s, which this field is not", w->schema->name, wanted);
    w->report->err = ALDIS_EINVAL;
    return false;
}

static bool check_range(const struct walk *w, const aldis_wire_field *field,
                        const aldis_wire_rule *rule, uint32_t index, const uint8_t *at)
{
    double value = field->kind == ALDIS_WIRE_KIND_FLOAT ? load_float(field, at)
                                                        : (double)load_integer(field, at);
    if (field->size == 8 &&
        (field->kind == ALDIS_WIRE_KIND_UINT || field->kind == ALDIS_WIRE_KIND_FIXED))
        value = (double)(uint64_t)load_integer(field, at);
    return (value >= rule->min && value <= rule->max) ||
           aldis__wire_blame(w->report, field, index, "is %.17g; allowed: %.17g to %.17g", value,
                             rule->min, rule->max);
}

static bool check_listed(const struct walk *w, const aldis_wire_field *field,
                         const aldis_wire_rule *rule, uint32_t index, const uint8_t *at)
{
    int64_t value = load_integer(field, at);
    for (size_t i = 0; i < rule->value_count; i++)
        if (rule->values[i] == value)
            return true;
    return aldis__wire_blame(w->report, field, index, "is %" PRId64 ", which is no value of %s",
                             value, field->type_name);
}

static bool check_rule(const struct walk *w, const aldis_wire_rule *rule,
                       const aldis_wire_field *field, const uint8_t *base)
{
    uint32_t count;
    if (!count_values(w, field, base, &count))
        return false;
    if (rule->kind == ALDIS_WIRE_RULE_ANY_FLOAT)
        return field->kind == ALDIS_WIRE_KIND_FLOAT || blame_rule(w, field, "floats");
    if (rule->kind == ALDIS_WIRE_RULE_PRESENT) {
        if (field->label == ALDIS_WIRE_LABEL_SINGULAR || field->label == ALDIS_WIRE_LABEL_FIXARRAY)
            return blame_rule(w, field, "what may be absent");
        return count > 0 || aldis__wire_blame(w->report, field, ALDIS__WIRE_NO_INDEX,
                                              "is absent; it must be there");
    }
    bool is_range = rule->kind == ALDIS_WIRE_RULE_RANGE;
    if (is_range ? field->kind >= ALDIS_WIRE_KIND_STRING || field->kind == ALDIS_WIRE_KIND_BOOL
                 : field->kind != ALDIS_WIRE_KIND_ENUM)
        return blame_rule(w, field, is_range ? "numbers" : "enums");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = value_at(field, base, i);
        if (!(is_range ? check_range(w, field, rule, i, at) : check_listed(w, field, rule, i, at)))
            return false;
    }
    return true;
}

static bool check_rules(const struct walk *w, const uint8_t *base)
{
    for (uint32_t r = 0; r < w->schema->rule_count; r++) {
        const aldis_wire_rule *rule = &w->schema->rules[r];
        for (uint32_t i = 0; i < w->schema->field_count; i++)
            if (w->schema->fields[i].tag == rule->tag &&
                !check_rule(w, rule, &w->schema->fields[i], base))
                return false;
    }
    return true;
}

static bool check_message(const struct walk *w, const uint8_t *base)
{
    for (uint32_t f = 0; f < w->schema->field_count; f++) {
        const aldis_wire_field *field = &w->schema->fields[f];
        uint32_t count;
        if (field->kind <= ALDIS_WIRE_KIND_SFIXED && field->label <= ALDIS_WIRE_LABEL_REQUIRED)
            continue; /* nothing can be wrong with it */
        if (!count_values(w, field, base, &count))
            return false;
        for (uint32_t i = 0; i < count; i++)
            if (!check_value(w, field, i, value_at(field, base, i)))
                return false;
    }
    return check_rules(w, base);
}

bool aldis__wire_check(const aldis_wire_schema *schema, const void *payload, bool sending,
                       aldis_wire_report *report)
{
    struct walk w = {schema, sending, report};
    return check_message(&w, payload);
}
