// SPDX-License-Identifier: Apache-2.0
/* What encoded bytes may not be: each case is put into a sound frame, so that only the scan, the
 * decoder and the check stand before the payload. */
#include "harness.h"

#include "frames.h"
#include "messages.h"

static aldis_wire_report report;

struct refusal {
    const char *name;
    const char *bytes;
    size_t size;
    const char *field, *text;
};
#define BYTES(text) text, sizeof text - 1

static void check_refused(const aldis_type *type, const struct refusal *r)
{
    static uint8_t frame[4096];
    static Kinds back;
    size_t size = seal(frame, type, r->bytes, r->size);
    memset(&back, 0xa5, sizeof back);
    aldis_err err = aldis_wire_decode(type, frame, size, &back, sizeof back, &report);
    if (err != ALDIS_ECODEC || strcmp(report.field, r->field) != 0 ||
        strcmp(report.text, r->text) != 0)
        test_fail(__FILE__, __LINE__, "%s: %s, field \"%s\" text \"%s\"; expected \"%s\" \"%s\"",
                  r->name, aldis_error_name(err), report.field, report.text, r->field, r->text);
    CHECK(is_zero(&back, type->size));
}

static void check_all_refused(const aldis_type *type, const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_refused(type, &cases[i]);
}
#define CHECK_ALL_REFUSED(type, cases)                                                             \
    check_all_refused((type), (cases), sizeof(cases) / sizeof(cases)[0])

/* Keys: (tag << 3 | wire type), from tag 16 on in two bytes. */

TEST(scan_keys)
{
    static const struct refusal cases[] = {
        {"cut in the key", BYTES("\x80"), "", "field 0 of Kinds: the bytes end inside a number"},
        {"key of 11 bytes", BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "",
         "field 0 of Kinds: a number is longer than 64 bits"},
        {"tag 0", BYTES("\x00\x01"), "", "field 0 of Kinds: no field has such a number"},
        {"tag 2^29", BYTES("\x80\x80\x80\x80\x10\x01"), "",
         "field 536870912 of Kinds: no field has such a number"},
        {"group start", BYTES("\xa3\x06\xa4\x06"), "",
         "field 100 of Kinds: its wire type is none of those allowed: 0, 1, 2, 5"},
        {"wire type 7", BYTES("\xa7\x06\x01"), "",
         "field 100 of Kinds: its wire type is none of those allowed: 0, 1, 2, 5"},
        {"group for a known field", BYTES("\x0b\x0c"), "i32", "has wire type 3; allowed: 0"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_unknown_fields_must_be_whole)
{
    static const struct refusal cases[] = {
        {"varint", BYTES("\xa0\x06\x80"), "", "field 100 of Kinds: the bytes end inside a number"},
        {"64 bits", BYTES("\xa1\x06\x01\x02\x03\x04\x05\x06\x07"), "",
         "field 100 of Kinds: the bytes end inside a value"},
        {"32 bits", BYTES("\xa5\x06\x01\x02\x03"), "",
         "field 100 of Kinds: the bytes end inside a value"},
        {"length",
         BYTES("\xa2\x06\x05"
               "abcd"),
         "", "field 100 of Kinds: its length goes beyond the end of the bytes"},
        {"huge length", BYTES("\xa2\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "",
         "field 100 of Kinds: its length goes beyond the end of the bytes"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_wire_types)
{
    static const struct refusal cases[] = {
        {"fixed32 for a varint", BYTES("\x0d\x01\x02\x03\x04"), "i32",
         "has wire type 5; allowed: 0"},
        {"fixed64 cut", BYTES("\x59\x01"), "f64", "the bytes end inside a value"},
        {"varint for a string", BYTES("\x80\x01\x01"), "text", "has wire type 0; allowed: 2"},
        {"varint for a message", BYTES("\xa8\x01\x01"), "place", "has wire type 0; allowed: 2"},
        {"fixed32 for packed varints", BYTES("\xc5\x01\x01\x02\x03\x04"), "numbers",
         "has wire type 5; allowed: 0 or 2"},
        {"varint for repeated strings", BYTES("\xe0\x01\x01"), "texts",
         "has wire type 0; allowed: 2"},
        {"a string for one number", BYTES("\x0a\x01\x01"), "i32", "has wire type 2; allowed: 0"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_numbers_must_fit_their_fields)
{
    static const struct refusal cases[] = {
        {"int32", BYTES("\x08\x80\x80\x80\x80\x08"), "i32",
         "is 2147483648; allowed: -2147483648 to 2147483647"},
        {"int32 below", BYTES("\x08\xff\xff\xff\xff\xf7\xff\xff\xff\xff\x01"), "i32",
         "is -2147483649; allowed: -2147483648 to 2147483647"},
        {"uint32", BYTES("\x18\x80\x80\x80\x80\x10"), "u32",
         "is 4294967296; allowed: 0 to 4294967295"},
        {"sint32", BYTES("\x28\x80\x80\x80\x80\x10"), "s32",
         "is 2147483648; allowed: -2147483648 to 2147483647"},
        {"sint32 below", BYTES("\x28\x81\x80\x80\x80\x10"), "s32",
         "is -2147483649; allowed: -2147483648 to 2147483647"},
        {"bool", BYTES("\x38\x02"), "flag", "is 2; allowed: 0 to 1"},
        {"int8", BYTES("\x98\x01\x80\x01"), "tiny", "is 128; allowed: -128 to 127"},
        {"uint16", BYTES("\xa0\x01\x80\x80\x04"), "small", "is 65536; allowed: 0 to 65535"},
        {"enum", BYTES("\x40\x03"), "color", "is 3; allowed: 0 to 2 of Color"},
        {"enum, 64 bits", BYTES("\x40\x80\x80\x80\x80\x10"), "color",
         "is 4294967296; allowed: 0 to 2 of Color"},
        {"signed enum", BYTES("\x48\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "sign",
         "is -3; allowed: -2 to 3 of Signed"},
        {"64 bits and one", BYTES("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "i64",
         "a number is longer than 64 bits"},
        {"11 bytes", BYTES("\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), "u64",
         "a number is longer than 64 bits"},
        {"cut", BYTES("\x10\xff\xff"), "i64", "the bytes end inside a number"},
        {"in an array", BYTES("\xc2\x01\x07\x01\x02\x80\x80\x80\x80\x08"), "numbers[2]",
         "is 2147483648; allowed: -2147483648 to 2147483647"},
        {"in an arm", BYTES("\x90\x02\x80\x80\x80\x80\x10"), "count",
         "is 4294967296; allowed: 0 to 4294967295"},
        {"fixed32 cut", BYTES("\x55\x01\x02"), "f32", "the bytes end inside a value"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_lengths)
{
    static const struct refusal cases[] = {
        {"string",
         BYTES("\x82\x01\x0c"
               "abcdefghijkl"),
         "text", "has 12 bytes; allowed: up to 11"},
        {"string beyond the end",
         BYTES("\x82\x01\x05"
               "abc"),
         "text", "its length goes beyond the end of the bytes"},
        {"string, 4 GiB", BYTES("\x82\x01\xff\xff\xff\xff\x0f"), "text",
         "its length goes beyond the end of the bytes"},
        {"string, 2^64 - 1", BYTES("\x82\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "text",
         "its length goes beyond the end of the bytes"},
        {"zero in a string",
         BYTES("\x82\x01\x03"
               "a\0b"),
         "text", "byte 1 of the text is zero; a C string would end there"},
        {"bytes",
         BYTES("\x8a\x01\x08"
               "abcdefgh"),
         "blob", "has 8 bytes; allowed: up to 7"},
        {"bytes of fixed length",
         BYTES("\x92\x01\x03"
               "abc"),
         "key", "has 3 bytes; allowed: 4"},
        {"packed beyond the end", BYTES("\xc2\x01\x04\x01"), "numbers",
         "its length goes beyond the end of the bytes"},
        {"packed, cut inside", BYTES("\xd2\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0"), "reals[1]",
         "the bytes end inside a value"},
        {"message beyond the end", BYTES("\xaa\x01\x0a\x0d\0\0"), "place",
         "its length goes beyond the end of the bytes"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_counts)
{
    static const struct refusal cases[] = {
        {"singular twice", BYTES("\x08\x01\x08\x02"), "i32", "appears more than once"},
        {"message twice", BYTES("\xaa\x01\x00\xaa\x01\x00"), "place", "appears more than once"},
        {"arm twice", BYTES("\x8a\x02\x00\x8a\x02\x00"), "hold", "appears more than once"},
        {"packed", BYTES("\xc2\x01\x06\1\2\3\4\5\6"), "numbers",
         "has more than 5 values; allowed: up to 5"},
        {"unpacked", BYTES("\xc0\x01\1\xc0\x01\1\xc0\x01\1\xc0\x01\1\xc0\x01\1\xc0\x01\1"),
         "numbers", "has more than 5 values; allowed: up to 5"},
        {"packed and unpacked", BYTES("\xc2\x01\x03\1\2\3\xc0\x01\1\xc2\x01\x02\1\1"), "numbers",
         "has more than 5 values; allowed: up to 5"},
        {"messages", BYTES("\xf2\x01\0\xf2\x01\0\xf2\x01\0\xf2\x01\0"), "holds",
         "has more than 3 values; allowed: up to 3"},
        {"two arms", BYTES("\x8a\x02\x00\x90\x02\x07"), "count",
         "comes beside hold, another arm of the same oneof"},
        {"two arms, apart", BYTES("\xa8\x02\x01\xc0\xbb\x01\x07\x8a\x02\x00"), "paint",
         "comes beside hold, another arm of the same oneof"},
        {"fixed count, too few", BYTES("\xfa\x01\x01\x05"), "pair",
         "has 1 values in one piece; allowed: 2"},
        {"fixed count, none", BYTES("\xfa\x01\x00"), "pair",
         "has 0 values in one piece; allowed: 2"},
        {"fixed count, in two pieces", BYTES("\xf8\x01\x05\x08\x01\xf8\x01\x06"), "pair",
         "has 1 values in one piece; allowed: 2"},
        {"fixed count, an unknown field between", BYTES("\xf8\x01\x05\xa0\x06\x01\xf8\x01\x06"),
         "pair", "has 1 values in one piece; allowed: 2"},
        {"fixed count, unpacked, too few", BYTES("\xf8\x01\x05"), "pair",
         "has 1 values in one piece; allowed: 2"},
        {"fixed count, too many", BYTES("\xfa\x01\x03\x05\x06\x07"), "pair",
         "has more than 2 values; allowed: up to 2"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_names_the_whole_path)
{
    static const struct refusal cases[] = {
        {"inside a message", BYTES("\xaa\x01\x02\x0d\x01"), "place.x",
         "the bytes end inside a value"},
        {"inside the second of an array", BYTES("\xf2\x01\x00\xf2\x01\x04\x22\x02\x15\x01"),
         "holds[1].place.y", "the bytes end inside a value"},
        {"inside an arm", BYTES("\x8a\x02\x02\x1a\x05"), "hold.colors",
         "its length goes beyond the end of the bytes"},
        {"a bad key inside", BYTES("\xaa\x01\x02\x07\x00"), "place",
         "field 0 of Vec3: no field has such a number"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_values_are_checked_after_decoding)
{
    static const struct refusal cases[] = {
        {"NaN", BYTES("\x75\x00\x00\xc0\x7f"), "real", "is NaN; must be finite"},
        {"infinity", BYTES("\x75\x00\x00\x80\x7f"), "real", "is infinity; must be finite"},
        {"UTF-8", BYTES("\x82\x01\x02\xc3\x28"), "text",
         "byte 0 of the text is 0xc3; it must be UTF-8"},
        {"UTF-8 cut at the end",
         BYTES("\x82\x01\x02"
               "a\xc3"),
         "text", "byte 1 of the text is 0xc3; it must be UTF-8"},
        {"NaN in a message in an array",
         BYTES("\xf2\x01\x0d\x22\x0b\x19\0\0\0\0\0\0\xf8\xff\x15\x01"), "holds[0].place.y",
         "the bytes end inside a value"},
    };
    CHECK_ALL_REFUSED(&kinds_type, cases);
}

TEST(scan_required_fields_and_defaults_of_proto2)
{
    static const struct refusal cases[] = {
        {"none", BYTES(""), "id", "is missing; it is required"},
        {"one", BYTES("\x08\x01"), "mass", "is missing; it is required"},
    };
    CHECK_ALL_REFUSED(&old2_type, cases);
    static const uint8_t both[] = {0x08, 1, 0x25, 0, 0, 0x80, 0x3f};
    uint8_t frame[64], again[64];
    Old2 back;
    size_t size = seal(frame, &old2_type, both, sizeof both), again_size = 0;
    CHECK_OK(aldis_wire_decode(&old2_type, frame, size, &back, sizeof back, &report));
    CHECK(!back.has_speed);
    CHECK_INT(back.speed, -5); /* the default of the .proto */
    CHECK(!back.has_inner);
    CHECK_UINT(back.inner.level, 7);
    /* An absent field that holds its default is not "set": the decoded message can be sent on. */
    CHECK_OK(aldis_wire_encode(&old2_type, &back, again, sizeof again, &again_size, &report));
    CHECK_UINT(again_size, size);
    CHECK(memcmp(again, frame, size) == 0);
}

TEST(scan_defaults_of_a_message_inside)
{
    static const uint8_t present[] = {0x0a, 0};
    uint8_t frame[64];
    Outer2 back;
    size_t size = seal(frame, &outer2_type, present, sizeof present);
    CHECK_OK(aldis_wire_decode(&outer2_type, frame, size, &back, sizeof back, &report));
    CHECK(back.has_inner);
    CHECK(!back.inner.has_level);
    CHECK_UINT(back.inner.level, 7);
}

/* ------------------------------------------------------------------ what is allowed */

static void decode_kinds(const char *bytes, size_t bytes_size, Kinds *back)
{
    uint8_t frame[512];
    size_t size = seal(frame, &kinds_type, bytes, bytes_size);
    aldis_err err = aldis_wire_decode(&kinds_type, frame, size, back, sizeof *back, &report);
    if (err != ALDIS_OK)
        test_fail(__FILE__, __LINE__, "refused: %s: %s", report.field, report.text);
}

TEST(scan_accepts_arrays_packed_unpacked_and_mixed)
{
    Kinds k;
    decode_kinds(BYTES("\xc2\x01\x02\1\2\xc0\x01\3\xc2\x01\x00\xc2\x01\x02\4\5"), &k);
    CHECK_UINT(k.numbers_count, 5);
    for (int i = 0; i < 5; i++)
        CHECK_INT(k.numbers[i], i + 1);
    decode_kinds(BYTES("\xd1\x01\0\0\0\0\0\0\xf0\x3f"), &k);
    CHECK_UINT(k.reals_count, 1);
    CHECK(k.reals[0] == 1.0);
    decode_kinds(BYTES("\xf8\x01\x05\xf8\x01\x06"), &k);
    CHECK_INT(k.pair[0], 5);
    CHECK_INT(k.pair[1], 6);
}

TEST(scan_accepts_fields_in_any_order)
{
    Kinds k;
    decode_kinds(BYTES("\xc0\xbb\x01\x07\x40\x02\x08\x05"), &k); /* far, color, i32 */
    CHECK_INT(k.far, 7);
    CHECK_INT(k.color, Color_BLUE);
    CHECK_INT(k.i32, 5);
}

TEST(scan_accepts_the_extremes)
{
    Kinds k;
    decode_kinds(BYTES("\x08\x80\x80\x80\x80\xf8\xff\xff\xff\xff\x01"
                       "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                       "\x18\xff\xff\xff\xff\x0f"
                       "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x28\xff\xff\xff\xff\x0f"
                       "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x98\x01\x80\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                       "\x82\x01\x0b"
                       "abcdefghijk"
                       "\x8a\x01\x07"
                       "\0\0\0\0\0\0\0"),
                 &k);
    CHECK_INT(k.i32, INT32_MIN);
    CHECK_INT(k.i64, INT64_MIN);
    CHECK_UINT(k.u32, UINT32_MAX);
    CHECK_UINT(k.u64, UINT64_MAX);
    CHECK_INT(k.s32, INT32_MIN);
    CHECK_INT(k.s64, INT64_MIN);
    CHECK_INT(k.tiny, INT8_MIN);
    CHECK_STR(k.text, "abcdefghijk");
    CHECK_UINT(k.blob.size, 7);
}

TEST(scan_skips_and_counts_unknown_fields_at_every_depth)
{
    Kinds k;
    decode_kinds(BYTES("\xa0\x06\x7b"               /* 100: varint */
                       "\xa1\x06\1\2\3\4\5\6\7\x08" /* 100: 64 bits */
                       "\xa5\x06\1\2\3\4"           /* 100: 32 bits */
                       "\xa2\x06\x03"
                       "abc"                      /* 100: bytes */
                       "\xaa\x01\x03\xa0\x06\x01" /* place: 100 inside */
                       "\xf8\xff\xff\xff\x0f\x01" /* 2^29 - 1: the last tag */
                       "\x08\x09"),
                 &k);
    CHECK_UINT(report.unknown_fields, 6);
    CHECK_INT(k.i32, 9);
    CHECK(k.has_place);
}
