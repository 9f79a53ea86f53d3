// SPDX-License-Identifier: Apache-2.0
/* wire_schema.h: what aldis/wire.h knows of a generated struct, and how the compiler makes that of
 * nanopb's lists. Layer: public; everything in it is private to the macros of wire.h.
 *
 * nanopb's own descriptors have neither names nor enum ranges and cannot tell a float from an
 * integer of its size; its M_FIELDLIST macros can. */
#ifndef ALDIS_WIRE_SCHEMA_H
#define ALDIS_WIRE_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

typedef enum aldis_wire_kind {
    ALDIS_WIRE_KIND_INT = 1, /* int32, int64 */
    ALDIS_WIRE_KIND_UINT,
    ALDIS_WIRE_KIND_SINT,
    ALDIS_WIRE_KIND_FIXED,  /* fixed32, fixed64 */
    ALDIS_WIRE_KIND_SFIXED, /* up to here every value of the C type is allowed */
    ALDIS_WIRE_KIND_BOOL,
    ALDIS_WIRE_KIND_ENUM,
    ALDIS_WIRE_KIND_FLOAT, /* float, double */
    ALDIS_WIRE_KIND_STRING,
    ALDIS_WIRE_KIND_BYTES,
    ALDIS_WIRE_KIND_FIXED_BYTES,
    ALDIS_WIRE_KIND_MESSAGE
} aldis_wire_kind;

typedef enum aldis_wire_label {
    ALDIS_WIRE_LABEL_SINGULAR = 1,
    ALDIS_WIRE_LABEL_REQUIRED,
    ALDIS_WIRE_LABEL_OPTIONAL,
    ALDIS_WIRE_LABEL_REPEATED,
    ALDIS_WIRE_LABEL_FIXARRAY,
    ALDIS_WIRE_LABEL_ONEOF
} aldis_wire_label;

/* One field of a generated struct. */
typedef struct aldis_wire_field {
    aldis_wire_label label;
    uint32_t tag;
    const char *name;
    uint32_t offset; /* of the value, or of the first of an array */
    uint32_t mark;   /* offset of the has_ flag, the _count or the which_ tag, if label has one */
    uint32_t count;  /* most values: the array's length, or 1 */
    uint32_t size;   /* bytes of one value in the struct */
    aldis_wire_kind kind;
    uint32_t capacity;                       /* bytes a value may fill, a string's end included */
    const char *type_name;                   /* of an enum or a message, or NULL */
    const struct aldis_wire_schema *message; /* of a message, or NULL */
    int64_t min, max;                        /* of an enum */
} aldis_wire_field;

typedef enum aldis_wire_rule_kind {
    ALDIS_WIRE_RULE_RANGE = 1,
    ALDIS_WIRE_RULE_VALUES,
    ALDIS_WIRE_RULE_ANY_FLOAT,
    ALDIS_WIRE_RULE_PRESENT
} aldis_wire_rule_kind;

/* A rule beyond the defaults, for the field with this tag. */
typedef struct aldis_wire_rule {
    aldis_wire_rule_kind kind;
    uint32_t tag;
    double min, max;       /* of a range */
    const int32_t *values; /* of a list of values */
    size_t value_count;
} aldis_wire_rule;

/* One generated struct. Nothing in it can contain itself: nanopb's flat structs cannot. */
typedef struct aldis_wire_schema {
    const char *name;
    const void *descriptor; /* nanopb's pb_msgdesc_t */
    const void *defaults;   /* not NULL: absent fields have values of their own */
    const aldis_wire_field *fields;
    const aldis_wire_rule *rules;
    uint32_t field_count, rule_count;
    uint32_t struct_size; /* bytes */
} aldis_wire_schema;

/* How one message type is encoded. */
struct aldis_codec {
    const aldis_wire_schema *schema;
    uint32_t encoded_max; /* bytes, without the header */
};

/* The scanner counts each field's values on its stack. */
#define ALDIS_WIRE_FIELDS_MAX 256

#ifndef __cplusplus

#define ALDIS_WIRE_DEFINE_(M, rules_, rule_count_)                                                 \
    _Static_assert(sizeof(pb_size_t) == 2, "nanopb's library has 16-bit sizes");                   \
    _Static_assert((M##_size) <= ALDIS_WIRE_FRAME_MAX - ALDIS_WIRE_HEADER_BYTES,                   \
                   #M " can be longer than a frame");                                              \
    ALDIS_UNUSED_ static const aldis_wire_field M##_wire_fields[] = {                              \
        M##_FIELDLIST(ALDIS_WIRE_ROW_, M) ALDIS_WIRE_END_};                                        \
    _Static_assert(sizeof M##_wire_fields / sizeof M##_wire_fields[0] <=                           \
                       ALDIS_WIRE_FIELDS_MAX + 1,                                                  \
                   #M " has too many fields");                                                     \
    ALDIS_UNUSED_ static const aldis_wire_schema M##_wire = {                                      \
        #M,                                                                                        \
        &M##_msg,                                                                                  \
        M##_DEFAULT,                                                                               \
        M##_wire_fields,                                                                           \
        (rules_),                                                                                  \
        (uint32_t)(sizeof M##_wire_fields / sizeof M##_wire_fields[0] - 1),                        \
        (uint32_t)(rule_count_),                                                                   \
        (uint32_t)sizeof(M)}
/* C has no arrays of length 0, and there are messages without fields. */
#define ALDIS_WIRE_END_                                                                            \
    {                                                                                              \
        ALDIS_WIRE_LABEL_SINGULAR, 0, NULL, 0, 0, 0, 0, ALDIS_WIRE_KIND_BOOL, 0, NULL, NULL, 0, 0  \
    }

#define ALDIS_WIRE_CALL_(f, ...) f(__VA_ARGS__)
#define ALDIS_WIRE_UNPACK_(...) __VA_ARGS__

/* nanopb's M_FIELDLIST(X, a) applies X(a, STATIC, SINGULAR, FLOAT, name, tag) to each field. There
 * is no macro here for CALLBACK and POINTER: such fields have no place in a flat payload. */
#define ALDIS_WIRE_ROW_(M, atype, label, type, field, tag)                                         \
    ALDIS_WIRE_ROW_##atype(M, label, type, field, tag)
#define ALDIS_WIRE_ROW_STATIC(M, label, type, field, tag)                                          \
    ALDIS_WIRE_ROW_##label(M, type, field, tag)

/* One for each label. M_name_ENUMTYPE and M_name_MSGTYPE are nanopb's; where it defines none they
 * stay as they are, unused. A oneof's arm has (union, arm, path) for its name. */
/* clang-format off */
#define ALDIS_WIRE_ROW_SINGULAR(M, type, field, tag)                                               \
    ALDIS_WIRE_FIELD_(M, SINGULAR, type, field, tag, 0, 1, ((M *)0)->field)
#define ALDIS_WIRE_ROW_REQUIRED(M, type, field, tag)                                               \
    ALDIS_WIRE_FIELD_(M, REQUIRED, type, field, tag, 0, 1, ((M *)0)->field)
#define ALDIS_WIRE_ROW_OPTIONAL(M, type, field, tag)                                               \
    ALDIS_WIRE_FIELD_(M, OPTIONAL, type, field, tag, offsetof(M, has_##field), 1, ((M *)0)->field)
#define ALDIS_WIRE_ROW_REPEATED(M, type, field, tag)                                               \
    ALDIS_WIRE_FIELD_(M, REPEATED, type, field, tag, offsetof(M, field##_count),                   \
                      sizeof(((M *)0)->field) / sizeof(((M *)0)->field[0]), ((M *)0)->field[0])
#define ALDIS_WIRE_ROW_FIXARRAY(M, type, field, tag)                                               \
    ALDIS_WIRE_FIELD_(M, FIXARRAY, type, field, tag, 0,                                            \
                      sizeof(((M *)0)->field) / sizeof(((M *)0)->field[0]), ((M *)0)->field[0])
#define ALDIS_WIRE_FIELD_(M, label, type, field, tag, mark, count, value)                          \
    {ALDIS_WIRE_LABEL_##label, (tag), #field, (uint32_t)offsetof(M, field), (uint32_t)(mark),      \
     (uint32_t)(count),                                                                            \
     ALDIS_WIRE_REST_(type, value, M##_##field##_ENUMTYPE, M##_##field##_MSGTYPE)},
#define ALDIS_WIRE_ROW_ONEOF(M, type, field, tag)                                                  \
    ALDIS_WIRE_CALL_(ALDIS_WIRE_ROW_ARM_, M, type, tag, ALDIS_WIRE_UNPACK_ field)
#define ALDIS_WIRE_ROW_ARM_(M, type, tag, union_, arm, path)                                       \
    {ALDIS_WIRE_LABEL_ONEOF, (tag), #arm, (uint32_t)offsetof(M, path),                             \
     (uint32_t)offsetof(M, which_##union_), 1,                                                     \
     ALDIS_WIRE_REST_(type, ((M *)0)->path, M##_##union_##_##arm##_ENUMTYPE,                       \
                      M##_##union_##_##arm##_MSGTYPE)},
/* clang-format on */

/* size, kind, capacity, type_name, message, min, max: one for each type. */
#define ALDIS_WIRE_REST_(type, value, E, T)                                                        \
    (uint32_t)sizeof(value), ALDIS_WIRE_REST_##type(value, E, T)
#define ALDIS_WIRE_PLAIN_(kind, value)                                                             \
    ALDIS_WIRE_KIND_##kind, (uint32_t)sizeof(value), NULL, NULL, 0, 0
#define ALDIS_WIRE_REST_BOOL(value, E, T) ALDIS_WIRE_PLAIN_(BOOL, value)
#define ALDIS_WIRE_REST_INT32(value, E, T) ALDIS_WIRE_PLAIN_(INT, value)
#define ALDIS_WIRE_REST_INT64(value, E, T) ALDIS_WIRE_PLAIN_(INT, value)
#define ALDIS_WIRE_REST_UINT32(value, E, T) ALDIS_WIRE_PLAIN_(UINT, value)
#define ALDIS_WIRE_REST_UINT64(value, E, T) ALDIS_WIRE_PLAIN_(UINT, value)
#define ALDIS_WIRE_REST_SINT32(value, E, T) ALDIS_WIRE_PLAIN_(SINT, value)
#define ALDIS_WIRE_REST_SINT64(value, E, T) ALDIS_WIRE_PLAIN_(SINT, value)
#define ALDIS_WIRE_REST_FIXED32(value, E, T) ALDIS_WIRE_PLAIN_(FIXED, value)
#define ALDIS_WIRE_REST_FIXED64(value, E, T) ALDIS_WIRE_PLAIN_(FIXED, value)
#define ALDIS_WIRE_REST_SFIXED32(value, E, T) ALDIS_WIRE_PLAIN_(SFIXED, value)
#define ALDIS_WIRE_REST_SFIXED64(value, E, T) ALDIS_WIRE_PLAIN_(SFIXED, value)
#define ALDIS_WIRE_REST_FLOAT(value, E, T) ALDIS_WIRE_PLAIN_(FLOAT, value)
#define ALDIS_WIRE_REST_DOUBLE(value, E, T) ALDIS_WIRE_PLAIN_(FLOAT, value)
#define ALDIS_WIRE_REST_STRING(value, E, T) ALDIS_WIRE_PLAIN_(STRING, value)
#define ALDIS_WIRE_REST_BYTES(value, E, T) ALDIS_WIRE_PLAIN_(BYTES, value.bytes)
#define ALDIS_WIRE_REST_FIXED_LENGTH_BYTES(value, E, T) ALDIS_WIRE_PLAIN_(FIXED_BYTES, value)
#define ALDIS_WIRE_REST_UENUM(value, E, T) ALDIS_WIRE_REST_ENUM(value, E, T)
#define ALDIS_WIRE_REST_ENUM(value, E, T)                                                          \
    ALDIS_WIRE_KIND_ENUM, (uint32_t)sizeof(value), #E, NULL, _##E##_MIN, _##E##_MAX
#define ALDIS_WIRE_REST_MESSAGE(value, E, T)                                                       \
    ALDIS_WIRE_KIND_MESSAGE, (uint32_t)sizeof(value), #T, &T##_wire, 0, 0

/* The arms of a oneof as message types, and as the list of a protocol. pair is (X, kind). */
#define ALDIS_WIRE_MESSAGE_(M, atype, label, type, field, tag) ALDIS_WIRE_MESSAGE_##label(M, field)
#define ALDIS_WIRE_MESSAGE_SINGULAR(M, field)
#define ALDIS_WIRE_MESSAGE_REQUIRED(M, field)
#define ALDIS_WIRE_MESSAGE_OPTIONAL(M, field)
#define ALDIS_WIRE_MESSAGE_REPEATED(M, field)
#define ALDIS_WIRE_MESSAGE_FIXARRAY(M, field)
#define ALDIS_WIRE_MESSAGE_ONEOF(M, field)                                                         \
    ALDIS_WIRE_CALL_(ALDIS_WIRE_MESSAGE_ARM_, M, ALDIS_WIRE_UNPACK_ field)
#define ALDIS_WIRE_MESSAGE_ARM_(M, union_, arm, path)                                              \
    ALDIS_WIRE_MESSAGE_CODEC_(arm, M##_##union_##_##arm##_MSGTYPE)
#define ALDIS_WIRE_MESSAGE_CODEC_(arm, T) ALDIS_MESSAGE_CODEC(arm, T, 0, ALDIS_CODEC(T));

#define ALDIS_WIRE_ARM_(pair, atype, label, type, field, tag) ALDIS_WIRE_ARM_##label(pair, field)
#define ALDIS_WIRE_ARM_SINGULAR(pair, field)
#define ALDIS_WIRE_ARM_REQUIRED(pair, field)
#define ALDIS_WIRE_ARM_OPTIONAL(pair, field)
#define ALDIS_WIRE_ARM_REPEATED(pair, field)
#define ALDIS_WIRE_ARM_FIXARRAY(pair, field)
#define ALDIS_WIRE_ARM_ONEOF(pair, field)                                                          \
    ALDIS_WIRE_CALL_(ALDIS_WIRE_ARM_OF_, ALDIS_WIRE_UNPACK_ pair, ALDIS_WIRE_UNPACK_ field)
#define ALDIS_WIRE_ARM_OF_(X, kind, union_, arm, path) X(kind, arm)

#endif /* !__cplusplus */
#endif
