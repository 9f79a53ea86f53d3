// SPDX-License-Identifier: Apache-2.0
/* The tables that the macros make say the same as nanopb's own descriptors, field by field. */
#include "harness.h"

#include "messages.h"
#include <pb_common.h>

static uint32_t wire_label(const pb_field_iter_t *it)
{
    return PB_HTYPE(it->type);
}

static void check_same(const aldis_wire_schema *schema)
{
    static uint64_t space[512];
    const uint8_t *base = (const uint8_t *)space;
    CHECK(schema->struct_size <= sizeof space);
    pb_field_iter_t it;
    bool more = pb_field_iter_begin(&it, schema->descriptor, space);
    const aldis_wire_field *field = schema->fields;
    for (; more; more = pb_field_iter_next(&it), field++) {
        CHECK(field < schema->fields + schema->field_count);
        CHECK_UINT(field->tag, it.tag);
        CHECK_INT((uint8_t *)it.pField - base, field->offset);
        CHECK_UINT(field->size, it.data_size);
        CHECK_UINT(field->count, it.array_size);
        CHECK(field->capacity <= field->size);
        if (field->label == ALDIS_WIRE_LABEL_OPTIONAL ||
            field->label == ALDIS_WIRE_LABEL_REPEATED || field->label == ALDIS_WIRE_LABEL_ONEOF)
            CHECK_INT((uint8_t *)it.pSize - base, field->mark);
        else
            CHECK_UINT(field->mark, 0);
        CHECK((field->label == ALDIS_WIRE_LABEL_ONEOF) == (wire_label(&it) == PB_HTYPE_ONEOF));
        CHECK((field->label == ALDIS_WIRE_LABEL_REQUIRED) ==
              (wire_label(&it) == PB_HTYPE_REQUIRED));
        CHECK((field->kind == ALDIS_WIRE_KIND_STRING) == (PB_LTYPE(it.type) == PB_LTYPE_STRING));
        CHECK((field->kind == ALDIS_WIRE_KIND_MESSAGE) == PB_LTYPE_IS_SUBMSG(it.type));
        if (field->message) {
            CHECK(field->message->descriptor == it.submsg_desc);
            CHECK_UINT(field->message->struct_size, field->size);
        }
    }
    CHECK_UINT(field - schema->fields, schema->field_count);
}

TEST(schema_agrees_with_nanopb)
{
    static const aldis_wire_schema *const schemas[] = {
        &Empty_wire,   &Vec3_wire,    &Hold_wire,   &Kinds_wire, &Ruled_wire,   &Sized_wire,
        &ShipOld_wire, &ShipNew_wire, &Inner2_wire, &Old2_wire,  &Wrapped_wire, &Either_wire};
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++)
        check_same(schemas[i]);
}

TEST(schema_has_the_names_of_the_proto)
{
    CHECK_UINT(Kinds_wire.field_count, 39);
    CHECK_STR(Kinds_wire.name, "Kinds");
    CHECK_STR(Kinds_wire.fields[0].name, "i32");
    CHECK_STR(Kinds_wire.fields[7].type_name, "Color");
    CHECK_STR(Kinds_wire.fields[29].name, "holds");
    CHECK_STR(Kinds_wire.fields[29].type_name, "Hold");
    CHECK_STR(Kinds_wire.fields[32].name, "hold"); /* an arm: without the name of its oneof */
    CHECK_STR(Kinds_wire.fields[38].name, "far");
    CHECK_UINT(Kinds_wire.fields[38].tag, 3000);
    CHECK(Kinds_wire.defaults == NULL);
    CHECK(Old2_wire.defaults != NULL);
}
