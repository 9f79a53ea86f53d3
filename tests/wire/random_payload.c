// SPDX-License-Identifier: Apache-2.0
#include "random_payload.h"

#include "base/hash.h"
#include <string.h>

uint64_t random_next(struct random *random)
{
    random->state += 0x9e3779b97f4a7c15u;
    return aldis__mix64(random->state);
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    return (uint32_t)((random_next(random) >> 32) * bound >> 32);
}

static void put_number(struct random *random, const aldis_wire_field *field, uint8_t *at)
{
    uint64_t value = random_next(random);
    if (random_below(random, 2)) /* small ones have short encodings */
        value >>= random_below(random, 64);
    memcpy(at, &value, field->size); /* the low end: the tests run on little-endian machines */
}

static void put_float(struct random *random, const aldis_wire_field *field, uint8_t *at)
{
    static const double special[] = {0.0, -0.0, 1e-310, 1e-45, 3e38, -3e38, 1.0};
    double wide = (double)(int64_t)random_next(random) / 1e12;
    if (random_below(random, 4) == 0)
        wide = special[random_below(random, sizeof special / sizeof special[0])];
    float narrow = (float)wide;
    memcpy(at, field->size == 4 ? (void *)&narrow : (void *)&wide, field->size);
}

static void put_text(struct random *random, const aldis_wire_field *field, uint8_t *at)
{
    static const char *const characters[] = {"a",
                                             "Z",
                                             " ",
                                             "\x01",
                                             "\x7f",
                                             "\xc2\x80",
                                             "\xc3\xa9",
                                             "\xe0\xa0\x80",
                                             "\xed\x9f\xbf",
                                             "\xef\xbf\xbf",
                                             "\xf0\x90\x80\x80",
                                             "\xf4\x8f\xbf\xbf"};
    size_t length = 0, wanted = random_below(random, field->capacity);
    while (length < wanted) {
        const char *one =
            characters[random_below(random, sizeof characters / sizeof characters[0])];
        if (length + strlen(one) >= field->capacity)
            one = "x";
        memcpy(at + length, one, strlen(one));
        length += strlen(one);
    }
}

static void put_value(struct random *random, const aldis_wire_field *field, uint8_t *at)
{
    int64_t value;
    uint16_t size;
    switch (field->kind) {
    case ALDIS_WIRE_KIND_INT:
    case ALDIS_WIRE_KIND_UINT:
    case ALDIS_WIRE_KIND_SINT:
    case ALDIS_WIRE_KIND_FIXED:
    case ALDIS_WIRE_KIND_SFIXED:
        put_number(random, field, at);
        return;
    case ALDIS_WIRE_KIND_BOOL:
        *at = (uint8_t)random_below(random, 2);
        return;
    case ALDIS_WIRE_KIND_ENUM:
        value = field->min + random_below(random, (uint32_t)(field->max - field->min + 1));
        memcpy(at, &value, field->size);
        return;
    case ALDIS_WIRE_KIND_FLOAT:
        put_float(random, field, at);
        return;
    case ALDIS_WIRE_KIND_STRING:
        put_text(random, field, at);
        return;
    case ALDIS_WIRE_KIND_BYTES:
        size = (uint16_t)random_below(random, field->capacity + 1);
        memcpy(at, &size, sizeof size);
        for (uint32_t i = 0; i < size; i++)
            at[sizeof size + i] = (uint8_t)random_next(random);
        return;
    case ALDIS_WIRE_KIND_FIXED_BYTES:
        for (uint32_t i = 0; i < field->capacity; i++)
            at[i] = (uint8_t)random_next(random);
        return;
    case ALDIS_WIRE_KIND_MESSAGE:
        random_payload(random, field->message, at);
        return;
    }
}

static void put_field(struct random *random, const aldis_wire_field *field, uint8_t *base)
{
    uint16_t count = (uint16_t)field->count, other;
    switch (field->label) {
    case ALDIS_WIRE_LABEL_SINGULAR:
        count = random_below(random, 4) != 0; /* else the value that is not encoded */
        break;
    case ALDIS_WIRE_LABEL_REQUIRED:
    case ALDIS_WIRE_LABEL_FIXARRAY:
        break;
    case ALDIS_WIRE_LABEL_OPTIONAL:
        count = (uint16_t)random_below(random, 2);
        base[field->mark] = (uint8_t)count;
        break;
    case ALDIS_WIRE_LABEL_REPEATED:
        count = (uint16_t)random_below(random, field->count + 1);
        memcpy(base + field->mark, &count, sizeof count);
        break;
    case ALDIS_WIRE_LABEL_ONEOF:
        memcpy(&other, base + field->mark, sizeof other);
        count = other == 0 && random_below(random, 3) == 0;
        if (count) {
            uint16_t tag = (uint16_t)field->tag;
            memcpy(base + field->mark, &tag, sizeof tag);
        }
        break;
    }
    for (uint32_t i = 0; i < count; i++)
        put_value(random, field, base + field->offset + i * field->size);
}

void random_payload(struct random *random, const aldis_wire_schema *schema, void *payload)
{
    memset(payload, 0, schema->struct_size);
    for (uint32_t i = 0; i < schema->field_count; i++)
        put_field(random, &schema->fields[i], payload);
}
