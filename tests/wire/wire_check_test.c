// SPDX-License-Identifier: Apache-2.0
/* What a payload may not hold: each refusal names the field, what was found and what is allowed. */
#include "harness.h"

#include "frames.h"
#include "messages.h"
#include <math.h>

static aldis_wire_report report;

static Kinds sound(void)
{
    Kinds k = Kinds_init_zero;
    return k;
}

static Ruled sound_ruled(void)
{
    Ruled r = Ruled_init_zero;
    r.has_place = true;
    r.masses_count = 1;
    return r;
}

/* The payload is refused for this field and with this text, by the check and by the encoder;
 * nothing is written. */
#define CHECK_REFUSED(type, payload, path, said)                                                   \
    do {                                                                                           \
        uint8_t out_[ALDIS_WIRE_BYTES(Kinds)];                                                     \
        size_t size_ = 99;                                                                         \
        CHECK_ERR(aldis_wire_check((type), (payload), &report), ALDIS_ECODEC);                     \
        CHECK_STR(report.field, path);                                                             \
        CHECK_STR(report.text, said);                                                              \
        CHECK_INT(report.err, ALDIS_ECODEC);                                                       \
        CHECK_STR(aldis_error_last()->type_name, (type)->name);                                    \
        CHECK(strstr(aldis_error_last()->text, said) != NULL);                                     \
        CHECK_ERR(aldis_wire_encode((type), (payload), out_, sizeof out_, &size_, NULL),           \
                  ALDIS_ECODEC);                                                                   \
        CHECK_UINT(size_, 99);                                                                     \
    } while (0)
#define CHECK_ACCEPTED(type, payload) CHECK_OK(aldis_wire_check((type), (payload), &report))

TEST(check_accepts_a_zeroed_payload)
{
    Kinds k = sound();
    CHECK_ACCEPTED(&kinds_type, &k);
    CHECK_STR(report.field, "");
    CHECK_STR(report.text, "");
}

TEST(check_report_may_be_null)
{
    Kinds k = sound();
    CHECK_OK(aldis_wire_check(&kinds_type, &k, NULL));
    k.real = NAN;
    CHECK_ERR(aldis_wire_check(&kinds_type, &k, NULL), ALDIS_ECODEC);
    CHECK_STR(aldis_error_last()->text, "kinds.real: is NaN; must be finite");
}

TEST(check_enum_within_its_values)
{
    Kinds k = sound();
    k.color = (Color)3;
    CHECK_REFUSED(&kinds_type, &k, "color", "is 3; allowed: 0 to 2 of Color");
    k.color = (Color)-1;
    CHECK_REFUSED(&kinds_type, &k, "color", "is 4294967295; allowed: 0 to 2 of Color");
    k.color = Color_BLUE;
    k.sign = (Signed)-3;
    CHECK_REFUSED(&kinds_type, &k, "sign", "is -3; allowed: -2 to 3 of Signed");
    k.sign = (Signed)4;
    CHECK_REFUSED(&kinds_type, &k, "sign", "is 4; allowed: -2 to 3 of Signed");
    k.sign = Signed_MINUS;
    CHECK_ACCEPTED(&kinds_type, &k);
}

TEST(check_floats_are_finite)
{
    static const struct {
        double value;
        const char *said;
    } bad[] = {{(double)NAN, "is NaN; must be finite"},
               {(double)INFINITY, "is infinity; must be finite"},
               {-(double)INFINITY, "is -infinity; must be finite"}};
    for (int i = 0; i < 3; i++) {
        Kinds k = sound();
        k.real = (float)bad[i].value;
        CHECK_REFUSED(&kinds_type, &k, "real", bad[i].said);
        k.real = 3.4e38F;
        k.wide = bad[i].value;
        CHECK_REFUSED(&kinds_type, &k, "wide", bad[i].said);
        k.wide = -1.7e308;
        k.reals_count = 4;
        k.reals[2] = bad[i].value;
        CHECK_REFUSED(&kinds_type, &k, "reals[2]", bad[i].said);
        k.reals_count = 2; /* what is beyond the count is not part of the message */
        CHECK_ACCEPTED(&kinds_type, &k);
    }
}

TEST(check_strings_end_within_their_array)
{
    Kinds k = sound();
    memset(k.text, 'x', sizeof k.text);
    CHECK_REFUSED(&kinds_type, &k, "text",
                  "does not end within its 12 bytes; allowed: up to 11 and a zero");
    k.text[11] = '\0';
    CHECK_ACCEPTED(&kinds_type, &k);
    k.texts_count = 3;
    memset(k.texts[1], 'y', sizeof k.texts[1]);
    CHECK_REFUSED(&kinds_type, &k, "texts[1]",
                  "does not end within its 6 bytes; allowed: up to 5 and a zero");
}

TEST(check_strings_are_utf8)
{
    static const char *const good[] = {
        "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z"};
    static const struct {
        const char *text;
        int at, byte;
    } bad[] = {
        {"\x80", 0, 0x80},             /* a continuation without a start */
        {"ab\xbf", 2, 0xbf},           /* the same, later */
        {"\xc0\x80", 0, 0xc0},         /* overlong zero */
        {"\xc1\xbf", 0, 0xc1},         /* overlong */
        {"\xe0\x9f\xbf", 0, 0xe0},     /* overlong, three bytes */
        {"\xf0\x8f\xbf\xbf", 0, 0xf0}, /* overlong, four bytes */
        {"\xed\xa0\x80", 0, 0xed},     /* first surrogate */
        {"\xed\xbf\xbf", 0, 0xed},     /* last surrogate */
        {"\xf4\x90\x80\x80", 0, 0xf4}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 0, 0xf5}, /* no such start */
        {"\xff", 0, 0xff},
        {"\xc3", 0, 0xc3}, /* cut short */
        {"a\xe2\x82", 1, 0xe2},
        {"\xf0\x9f\x98", 0, 0xf0},
        {"\xc3(", 0, 0xc3}, /* a start without continuation */
        {"\xe2\x28\xa1", 0, 0xe2},
        {"\xe2\x82\x28", 0, 0xe2},
        {"\xf0\x9f\x28\x80", 0, 0xf0},
        {"\xf0\x9f\x98\x28", 0, 0xf0},
    };
    Kinds k = sound();
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        strcpy(k.text, good[i]);
        CHECK_ACCEPTED(&kinds_type, &k);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char said[80];
        snprintf(said, sizeof said, "byte %d of the text is 0x%02x; it must be UTF-8", bad[i].at,
                 (unsigned)bad[i].byte);
        strcpy(k.text, bad[i].text);
        CHECK_REFUSED(&kinds_type, &k, "text", said);
    }
}

TEST(check_bytes_stay_within_their_array)
{
    Kinds k = sound();
    k.blob.size = 8; /* its bytes are 7, though padding makes room for one more */
    CHECK_REFUSED(&kinds_type, &k, "blob", "has 8 bytes; allowed: up to 7");
    k.blob.size = 7;
    CHECK_ACCEPTED(&kinds_type, &k);
    k.blobs_count = 2;
    k.blobs[1].size = 65535;
    CHECK_REFUSED(&kinds_type, &k, "blobs[1]", "has 65535 bytes; allowed: up to 3");
}

TEST(check_counts_stay_within_their_arrays)
{
    Kinds k = sound();
    k.numbers_count = 6;
    CHECK_REFUSED(&kinds_type, &k, "numbers", "has 6 values; allowed: up to 5");
    k.numbers_count = 5;
    k.holds_count = 65535;
    CHECK_REFUSED(&kinds_type, &k, "holds", "has 65535 values; allowed: up to 3");
    k.holds_count = 3;
    CHECK_ACCEPTED(&kinds_type, &k);
}

static void set_byte(void *at, uint8_t value)
{
    memcpy(at, &value, 1);
}

TEST(check_bools_are_0_or_1)
{
    Kinds k = sound();
    set_byte(&k.flag, 2);
    CHECK_REFUSED(&kinds_type, &k, "flag", "the bool's byte is 2; allowed: 0 or 1");
    k.flag = true;
    k.flags_count = 9;
    set_byte(&k.flags[8], 255);
    CHECK_REFUSED(&kinds_type, &k, "flags[8]", "the bool's byte is 255; allowed: 0 or 1");
    k.flags[8] = true;
    set_byte(&k.has_place, 2);
    CHECK_REFUSED(&kinds_type, &k, "place", "the byte of has_place is 2; allowed: 0 or 1");
}

TEST(check_arm_of_a_oneof_is_known)
{
    Kinds k = sound();
    k.which_cargo = 99;
    CHECK_REFUSED(&kinds_type, &k, "hold",
                  "the oneof of this arm has arm 99, which is none of its arms");
    k.which_cargo = Kinds_there_tag; /* an arm, but of the other oneof */
    CHECK_REFUSED(&kinds_type, &k, "hold",
                  "the oneof of this arm has arm 38, which is none of its arms");
    k.which_cargo = Kinds_paint_tag;
    k.which_other = Kinds_i32_tag; /* a field, but no arm */
    CHECK_REFUSED(&kinds_type, &k, "nothing",
                  "the oneof of this arm has arm 1, which is none of its arms");
    k.which_other = Kinds_nothing_tag;
    CHECK_ACCEPTED(&kinds_type, &k);
}

TEST(check_arm_of_a_oneof_that_comes_first)
{
    Either e = Either_init_zero;
    e.which_one = Either_left_tag;
    CHECK_ACCEPTED(&either_type, &e);
    e.which_one = Either_right_tag;
    e.one.right = (Vec3)Vec3_init_zero;
    CHECK_ACCEPTED(&either_type, &e);
    e.which_one = Either_up_tag; /* of the other oneof */
    CHECK_REFUSED(&either_type, &e, "left",
                  "the oneof of this arm has arm 2, which is none of its arms");
    e.which_one = Either_left_tag;
    e.which_two = Either_down_tag;
    CHECK_ACCEPTED(&either_type, &e);
    e.which_two = Either_right_tag;
    CHECK_REFUSED(&either_type, &e, "up",
                  "the oneof of this arm has arm 3, which is none of its arms");
}

TEST(check_only_the_arm_that_is_set)
{
    Kinds k = sound();
    k.which_cargo = Kinds_paint_tag;
    k.cargo.paint = (Color)7;
    CHECK_REFUSED(&kinds_type, &k, "paint", "is 7; allowed: 0 to 2 of Color");
    k.which_cargo = Kinds_count_tag; /* the same bytes, now a number */
    CHECK_ACCEPTED(&kinds_type, &k);
    k.which_cargo = Kinds_hold_tag;
    k.cargo.hold = (Hold)Hold_init_zero;
    k.cargo.hold.mass = (double)NAN;
    CHECK_REFUSED(&kinds_type, &k, "hold.mass", "is NaN; must be finite");
}

TEST(check_names_the_whole_path)
{
    Kinds k = sound();
    k.holds_count = 3;
    k.holds[2].has_place = true;
    k.holds[2].place.z = (double)INFINITY;
    CHECK_REFUSED(&kinds_type, &k, "holds[2].place.z", "is infinity; must be finite");
    k.holds[2].place.z = 0;
    k.holds[1].colors_count = 2;
    k.holds[1].colors[1] = (Color)9;
    CHECK_REFUSED(&kinds_type, &k, "holds[1].colors[1]", "is 9; allowed: 0 to 2 of Color");
}

TEST(check_refuses_what_would_be_dropped)
{
    Kinds k = sound();
    k.place.z = 1.0;
    CHECK_REFUSED(&kinds_type, &k, "place", "is set but has_place is false: it would be dropped");
    k.has_place = true;
    CHECK_ACCEPTED(&kinds_type, &k);
    k.maybe = 1;
    CHECK_REFUSED(&kinds_type, &k, "maybe", "is set but has_maybe is false: it would be dropped");
    k.maybe = 0;
    k.maybe_text[0] = 'x';
    CHECK_REFUSED(&kinds_type, &k, "maybe_text",
                  "is set but has_maybe_text is false: it would be dropped");
    k.maybe_text[0] = '\0';
    k.maybe_text[1] = 'x'; /* behind the end of the text: no part of it */
    CHECK_ACCEPTED(&kinds_type, &k);
    k.holds_count = 1;
    k.holds[0].place.x = 1;
    CHECK_REFUSED(&kinds_type, &k, "holds[0].place",
                  "is set but has_place is false: it would be dropped");
}

/* One field of an absent message is set: each kind must be noticed. */
#define CHECK_NOTICED(statement)                                                                   \
    do {                                                                                           \
        Wrapped w = {0};                                                                           \
        Kinds *k = &w.kinds;                                                                       \
        CHECK_ACCEPTED(&wrapped_type, &w);                                                         \
        statement;                                                                                 \
        CHECK_REFUSED(&wrapped_type, &w, "kinds",                                                  \
                      "is set but has_kinds is false: it would be dropped");                       \
    } while (0)

TEST(check_refuses_what_would_be_dropped_whatever_its_kind)
{
    CHECK_NOTICED(k->i32 = 1);
    CHECK_NOTICED(k->far = 1); /* the last */
    CHECK_NOTICED(k->s64 = INT64_MIN);
    CHECK_NOTICED(k->flag = true);
    CHECK_NOTICED(k->sign = Signed_MINUS);
    CHECK_NOTICED(k->wide = -1);
    CHECK_NOTICED(k->text[0] = 'x');
    CHECK_NOTICED(k->blob.size = 1);
    CHECK_NOTICED(k->key[3] = 1);
    CHECK_NOTICED(k->has_maybe = true);
    CHECK_NOTICED(k->has_place = true);
    CHECK_NOTICED(k->numbers_count = 1);
    CHECK_NOTICED(k->holds_count = 1);
    CHECK_NOTICED(k->pair[1] = 1);
    CHECK_NOTICED(k->triple[2] = 1);
    CHECK_NOTICED(k->which_cargo = Kinds_count_tag);
}

TEST(check_leftovers_behind_a_count_or_a_flag_are_not_set)
{
    Wrapped w = {0}; /* Wrapped_init_zero gives enums their lowest value */
    w.kinds.numbers[0] = 1;
    w.kinds.blob.bytes[0] = 1;
    w.kinds.maybe = 1;
    w.kinds.cargo.count = 1;
    w.kinds.text[1] = 'x';
    CHECK_ACCEPTED(&wrapped_type, &w);
}

TEST(check_absent_message_may_have_anything_between_its_fields)
{
    Kinds k = sound();
    size_t gap = offsetof(Vec3, z) - offsetof(Vec3, y) - sizeof k.place.y;
    memset((char *)&k.place + offsetof(Vec3, y) + sizeof k.place.y, 0xff, gap);
    CHECK_ACCEPTED(&kinds_type, &k);
}

/* ------------------------------------------------------------------ rules */

TEST(check_rule_range)
{
    Ruled r = sound_ruled();
    CHECK_ACCEPTED(&ruled_type, &r);
    r.share = 1.0F;
    r.degrees = -180;
    CHECK_ACCEPTED(&ruled_type, &r);
    r.share = 1.5F;
    CHECK_REFUSED(&ruled_type, &r, "share", "is 1.5; allowed: 0 to 1");
    r.share = -0.25F;
    CHECK_REFUSED(&ruled_type, &r, "share", "is -0.25; allowed: 0 to 1");
    r.share = NAN;
    CHECK_REFUSED(&ruled_type, &r, "share", "is NaN; must be finite");
    r.share = 0;
    r.degrees = 181;
    CHECK_REFUSED(&ruled_type, &r, "degrees", "is 181; allowed: -180 to 180");
    r.degrees = 0;
    r.big = UINT64_MAX; /* not -1 */
    CHECK_REFUSED(&ruled_type, &r, "big", "is 1.8446744073709552e+19; allowed: 0 to 1e+19");
    r.big = 9000000000000000000u;
    CHECK_ACCEPTED(&ruled_type, &r);
    r.masses_count = 3;
    r.masses[2] = -1;
    CHECK_REFUSED(&ruled_type, &r, "masses[2]", "is -1; allowed: 0 to 1000000000");
}

TEST(check_rule_range_of_every_width_and_sign)
{
    Ruled r = sound_ruled();
    r.tiny = -100;
    r.small = -1000;
    r.zigzag = -7;
    r.far = -7;
    r.raw = 4000000000u;
    CHECK_ACCEPTED(&ruled_type, &r);
    r.tiny = -101;
    CHECK_REFUSED(&ruled_type, &r, "tiny", "is -101; allowed: -100 to 100");
    r.tiny = 101;
    CHECK_REFUSED(&ruled_type, &r, "tiny", "is 101; allowed: -100 to 100");
    r.tiny = 0;
    r.small = -1001;
    CHECK_REFUSED(&ruled_type, &r, "small", "is -1001; allowed: -1000 to 1000");
    r.small = 0;
    r.zigzag = -8;
    CHECK_REFUSED(&ruled_type, &r, "zigzag", "is -8; allowed: -7 to 7");
    r.zigzag = 0;
    r.far = -8;
    CHECK_REFUSED(&ruled_type, &r, "far", "is -8; allowed: -7 to 7");
    r.far = 0;
    r.raw = 4000000001u;
    CHECK_REFUSED(&ruled_type, &r, "raw", "is 4000000001; allowed: 0 to 4000000000");
}

TEST(check_long_text_is_utf8_to_its_end)
{
    for (int at = 0; at < 39; at++) {
        Ruled r = sound_ruled();
        char said[80];
        memset(r.lengthy, 'x', 39);
        CHECK_ACCEPTED(&ruled_type, &r);
        r.lengthy[at] = '\x80';
        snprintf(said, sizeof said, "byte %d of the text is 0x80; it must be UTF-8", at);
        CHECK_REFUSED(&ruled_type, &r, "lengthy", said);
    }
}

/* A path that is longer than the report's place keeps its inner end. */
static void check_long_path(size_t outer_name, size_t inner_name, const char *path)
{
    char outer[256] = "", inner[256] = "";
    memset(outer, 'o', outer_name);
    memset(inner, 'i', inner_name);
    aldis_wire_field inner_field = Vec3_wire.fields[0], outer_field = Wrapped_wire.fields[0];
    aldis_wire_schema inner_schema = Vec3_wire, outer_schema = Wrapped_wire;
    inner_field.name = inner;
    inner_schema.fields = &inner_field;
    inner_schema.field_count = 1;
    outer_field.name = outer;
    outer_field.message = &inner_schema;
    outer_schema.fields = &outer_field;
    aldis_codec codec = {&outer_schema, 0};
    aldis_type type = {"outer", 0, sizeof(Wrapped), &codec, 0};
    Wrapped w = Wrapped_init_zero;
    float nan = NAN;
    w.has_kinds = true;
    memcpy((char *)&w + outer_field.offset + inner_field.offset, &nan, sizeof nan);
    CHECK_ERR(aldis_wire_check(&type, &w, &report), ALDIS_ECODEC);
    CHECK_STR(report.field, path);
}

TEST(check_path_that_is_too_long_keeps_its_inner_end)
{
    char path[96] = "";
    memset(path, 'i', 95);
    check_long_path(2, 3, "oo.iii");
    memcpy(path, "oo.", 3);
    check_long_path(2, 92, path); /* 95 characters: it just fits */
    memcpy(path, "...", 3);
    check_long_path(2, 93, path);
    check_long_path(2, 95, path);
    check_long_path(2, 96, path);
    check_long_path(250, 250, path);
    memcpy(path, "...oooo.", 8);
    check_long_path(20, 87, path);
}

TEST(check_rule_range_in_a_oneof_holds_for_its_own_arm_only)
{
    Ruled r = sound_ruled();
    r.which_one = Ruled_left_tag;
    r.one.left = 10;
    CHECK_REFUSED(&ruled_type, &r, "left", "is 10; allowed: 0 to 9");
    r.which_one = Ruled_right_tag;
    CHECK_ACCEPTED(&ruled_type, &r);
}

TEST(check_rule_values)
{
    Ruled r = sound_ruled();
    r.holes = Holes_FIFTH;
    CHECK_ACCEPTED(&ruled_type, &r);
    r.holes = (Holes)3;
    CHECK_REFUSED(&ruled_type, &r, "holes", "is 3, which is no value of Holes");
    r.holes = (Holes)6;
    CHECK_REFUSED(&ruled_type, &r, "holes", "is 6; allowed: 0 to 5 of Holes");
}

TEST(check_rule_any_float)
{
    Ruled r = sound_ruled();
    r.wild = INFINITY;
    CHECK_ACCEPTED(&ruled_type, &r);
    r.wild = NAN;
    CHECK_ACCEPTED(&ruled_type, &r);
}

TEST(check_rule_present)
{
    Ruled r = sound_ruled();
    r.has_place = false;
    CHECK_REFUSED(&ruled_type, &r, "place", "is absent; it must be there");
    r.has_place = true;
    r.masses_count = 0;
    CHECK_REFUSED(&ruled_type, &r, "masses", "is absent; it must be there");
}

TEST(check_rules_hold_for_what_is_received_too)
{
    static const uint8_t bytes[] = {0x0d, 0, 0, 0, 0x40}; /* share 2.0 */
    uint8_t frame[64];
    Ruled r;
    size_t size = seal(frame, &ruled_type, bytes, sizeof bytes);
    CHECK_ERR(aldis_wire_decode(&ruled_type, frame, size, &r, sizeof r, &report), ALDIS_ECODEC);
    CHECK_STR(report.field, "share");
    CHECK_STR(report.text, "is 2; allowed: 0 to 1");
    CHECK(is_zero(&r, sizeof r));
    size = seal(frame, &ruled_type, NULL, 0);
    CHECK_ERR(aldis_wire_decode(&ruled_type, frame, size, &r, sizeof r, &report), ALDIS_ECODEC);
    CHECK_STR(report.field, "place");
    CHECK_STR(report.text, "is absent; it must be there");
}

/* Rules that make no sense: a mistake in the program, not in the payload. */
#define MISUSE(rule)                                                                               \
    do {                                                                                           \
        const aldis_wire_rule rules[] = {rule};                                                    \
        aldis_wire_schema schema = Kinds_wire;                                                     \
        schema.rules = rules;                                                                      \
        schema.rule_count = 1;                                                                     \
        aldis_codec codec = {&schema, Kinds_size};                                                 \
        aldis_type type = {"misuse", 0, sizeof(Kinds), &codec, 0};                                 \
        Kinds k = sound();                                                                         \
        CHECK_ERR(aldis_wire_check(&type, &k, &report), ALDIS_EINVAL);                             \
        CHECK_INT(report.err, ALDIS_EINVAL);                                                       \
        CHECK(strstr(report.text, "its rule in Kinds is for ") != NULL);                           \
    } while (0)
#define AS_ONE(...) __VA_ARGS__

TEST(check_rule_that_does_not_fit_its_field_is_a_mistake_of_the_program)
{
    MISUSE(AS_ONE(ALDIS_WIRE_RANGE(Kinds, text, 0, 1)));
    MISUSE(AS_ONE(ALDIS_WIRE_RANGE(Kinds, flag, 0, 1)));
    MISUSE(AS_ONE(ALDIS_WIRE_VALUES(Kinds, i32, 1, 2)));
    MISUSE(AS_ONE(ALDIS_WIRE_ANY_FLOAT(Kinds, i32)));
    MISUSE(AS_ONE(ALDIS_WIRE_PRESENT(Kinds, real)));
}

/* ------------------------------------------------------------------ tables */

TEST(check_field_named_like_a_macro_of_nanopb)
{
    Sized s = Sized_init_zero;
    s.size = 3;
    s.count = (Color)3;
    CHECK_REFUSED(&sized_type, &s, "count", "is 3; allowed: 0 to 2 of Color");
    s.count = Color_RED;
    s.has_tag = true;
    s.tag.x = NAN;
    CHECK_REFUSED(&sized_type, &s, "tag.x", "is NaN; must be finite");
}
