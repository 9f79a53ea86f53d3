// SPDX-License-Identifier: Apache-2.0
/* The frame: its bytes as docs/design/wire.md gives them, and everything that is not one. */
#include "harness.h"

#include "frames.h"
#include "messages.h"

static const Hold full = {.item = "ore",
                          .mass = 2.5,
                          .colors_count = 2,
                          .colors = {Color_BLUE, Color_RED},
                          .has_place = true,
                          .place = {.x = 1.0F}};

/* Made by hand from the layout page and the rules of Protocol Buffers. */
static const uint8_t full_payload[] = {0x0a, 3,    'o', 'r', 'e', 0x11, 0, 0,    0, 0, 0,    0,   4,
                                       0x40, 0x1a, 2,   2,   0,   0x22, 5, 0x0d, 0, 0, 0x80, 0x3f};

static size_t encode_full(uint8_t *frame, size_t capacity)
{
    size_t size = 0;
    CHECK_OK(aldis_wire_encode(&hold_type, &full, frame, capacity, &size, NULL));
    return size;
}

TEST(frame_bytes_are_as_documented)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)], expected[sizeof full_payload + 16];
    size_t size = encode_full(frame, sizeof frame);
    CHECK_UINT(seal(expected, &hold_type, full_payload, sizeof full_payload), size);
    for (size_t i = 0; i < size; i++)
        CHECK_UINT(frame[i], expected[i]);
    CHECK_UINT(frame[0], 0xAD);
    CHECK_UINT(frame[1], 1);
    CHECK_UINT(frame[8], sizeof full_payload);
    /* FNV-1a of "hold", reckoned outside. */
    static const uint8_t number[4] = {0xb8, 0x49, 0xc6, 0xad};
    CHECK(memcmp(frame + 4, number, 4) == 0);
    /* CRC-32C, reckoned outside. */
    static const uint8_t crc[4] = {0x62, 0x60, 0x76, 0xed};
    CHECK(memcmp(frame + 12, crc, 4) == 0);
}

TEST(frame_round_trip_gives_the_payload_back)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame);
    Hold back;
    memset(&back, 0xa5, sizeof back);
    aldis_wire_report report;
    CHECK_OK(aldis_wire_decode(&hold_type, frame, size, &back, sizeof back, &report));
    CHECK_STR(back.item, "ore");
    CHECK(back.mass == 2.5);
    CHECK_UINT(back.colors_count, 2);
    CHECK_INT(back.colors[0], Color_BLUE);
    CHECK_INT(back.colors[1], Color_RED);
    CHECK(back.has_place);
    CHECK(back.place.x == 1.0F);
    CHECK(back.place.z == 0.0);
    CHECK_INT(report.err, ALDIS_OK);
    CHECK_STR(report.field, "");
    CHECK_UINT(report.unknown_fields, 0);
}

TEST(frame_of_an_empty_message_is_a_header)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Empty)];
    Empty nothing = Empty_init_zero;
    size_t size = 0;
    CHECK_OK(aldis_wire_encode(&empty_type, &nothing, frame, sizeof frame, &size, NULL));
    CHECK_UINT(size, 16);
    CHECK_OK(aldis_wire_decode(&empty_type, frame, size, &nothing, sizeof nothing, NULL));
}

TEST(frame_encode_says_how_much_room_it_needs)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    char said[80];
    size_t whole = encode_full(frame, sizeof frame), size = 0;
    CHECK_ERR(aldis_wire_encode(&hold_type, &full, NULL, 0, &size, NULL), ALDIS_EFULL);
    CHECK_UINT(size, whole);
    for (size_t capacity = 0; capacity < whole; capacity++) {
        size = 0;
        frame[capacity] = 0x5a;
        CHECK_ERR(aldis_wire_encode(&hold_type, &full, frame, capacity, &size, NULL), ALDIS_EFULL);
        CHECK_UINT(size, whole);
        CHECK_UINT(frame[capacity], 0x5a); /* nothing beyond the room it had */
        snprintf(said, sizeof said, "hold: the frame has %zu bytes, its place %zu", whole,
                 capacity);
        CHECK_STR(aldis_error_last()->text, said);
    }
    CHECK_OK(aldis_wire_encode(&hold_type, &full, frame, whole, &size, NULL));
}

TEST(frame_never_exceeds_the_size_announced)
{
    CHECK_UINT(kinds_type.codec->encoded_max, Kinds_size);
    CHECK_UINT(ALDIS_WIRE_BYTES(Kinds), Kinds_size + 16);
}

/* ------------------------------------------------------------------ peek */

TEST(frame_peek_waits_for_the_header_then_tells_type_and_length)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame), frame_size = 99;
    uint32_t number = 99;
    for (size_t n = 0; n < 16; n++) {
        CHECK_ERR(aldis_wire_peek(frame, n, &number, &frame_size), ALDIS_EAGAIN);
        CHECK_UINT(number, 99);
        CHECK_UINT(frame_size, 99);
    }
    for (size_t n = 16; n <= size; n++) {
        CHECK_OK(aldis_wire_peek(frame, n, &number, &frame_size));
        CHECK_UINT(number, aldis_type_number(&hold_type));
        CHECK_UINT(frame_size, size);
    }
    CHECK_ERR(aldis_wire_peek(NULL, 0, &number, &frame_size), ALDIS_EAGAIN);
    CHECK_ERR(aldis_wire_peek(NULL, 1, &number, &frame_size), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_peek(frame, size, NULL, &frame_size), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_peek(frame, size, &number, NULL), ALDIS_EINVAL);
}

TEST(frame_peek_refuses_what_is_no_frame_at_the_first_byte_that_shows_it)
{
    uint8_t frame[16], bad[16];
    uint32_t number;
    size_t size;
    seal(frame, &empty_type, NULL, 0);
    static const struct {
        size_t at, shows; /* offset of the wrong byte; bytes that must be there to see it */
        aldis_err err;
        const char *text;
    } cases[] = {
        {0, 1, ALDIS_ECODEC, "the first byte is 0x5a; a frame has 0xad"},
        {1, 2, ALDIS_ECODEC, "the frame has version 90; known is 1"},
        {2, 4, ALDIS_ECODEC, "the reserved bytes are 90 and 0; allowed: 0"},
        {3, 4, ALDIS_ECODEC, "the reserved bytes are 0 and 90; allowed: 0"},
        {10, 12, ALDIS_ETOOLARGE, "the payload has 5898240 bytes; allowed: up to 1048560"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(bad, frame, sizeof bad);
        bad[cases[i].at] = 0x5a;
        CHECK_ERR(aldis_wire_peek(bad, cases[i].shows - 1, &number, &size), ALDIS_EAGAIN);
        for (size_t n = cases[i].shows; n <= sizeof bad; n++) {
            CHECK_ERR(aldis_wire_peek(bad, n, &number, &size), cases[i].err);
            CHECK_STR(aldis_error_last()->text, cases[i].text);
        }
    }
}

TEST(frame_longest_payload_is_peeked_and_one_more_byte_is_refused)
{
    uint8_t frame[16];
    uint32_t number;
    size_t size = 0;
    seal(frame, &empty_type, NULL, 0);
    put32(frame + 8, ALDIS_WIRE_FRAME_MAX - 16);
    CHECK_OK(aldis_wire_peek(frame, sizeof frame, &number, &size));
    CHECK_UINT(size, ALDIS_WIRE_FRAME_MAX);
    put32(frame + 8, ALDIS_WIRE_FRAME_MAX - 15);
    CHECK_ERR(aldis_wire_peek(frame, sizeof frame, &number, &size), ALDIS_ETOOLARGE);
    put32(frame + 8, UINT32_MAX);
    CHECK_ERR(aldis_wire_peek(frame, sizeof frame, &number, &size), ALDIS_ETOOLARGE);
}

/* ------------------------------------------------------------------ decode refuses */

static aldis_wire_report report;

/* Decoding fails like this, and leaves the payload zeroed. */
#define CHECK_REFUSED(type, bytes, size, error, said)                                              \
    do {                                                                                           \
        memset(&back, 0xa5, sizeof back);                                                          \
        CHECK_ERR(aldis_wire_decode((type), (bytes), (size), &back, sizeof back, &report), error); \
        CHECK_STR(report.text, said);                                                              \
        CHECK_STR(report.field, "");                                                               \
        CHECK_INT(report.err, error);                                                              \
        CHECK(is_zero(&back, sizeof back));                                                        \
    } while (0)

TEST(frame_decode_refuses_every_truncation)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame);
    Hold back;
    char said[80];
    for (size_t n = 0; n < size; n++) {
        if (n < 16)
            snprintf(said, sizeof said, "%zu bytes are no frame; a header has 16", n);
        else
            snprintf(said, sizeof said, "the frame has %zu bytes; its header says %zu", n, size);
        CHECK_REFUSED(&hold_type, frame, n, ALDIS_ECODEC, said);
    }
}

TEST(frame_decode_refuses_trailing_bytes)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold) + 1] = {0};
    size_t size = encode_full(frame, sizeof frame - 1);
    Hold back;
    CHECK_REFUSED(&hold_type, frame, size + 1, ALDIS_ECODEC,
                  "the frame has 42 bytes; its header says 41");
}

TEST(frame_decode_refuses_every_flipped_bit)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame);
    Hold back;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(&back, 0xa5, sizeof back);
        CHECK(aldis_wire_decode(&hold_type, frame, size, &back, sizeof back, &report) != ALDIS_OK);
        CHECK(report.text[0] != '\0');
        CHECK(is_zero(&back, sizeof back));
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_OK(aldis_wire_decode(&hold_type, frame, size, &back, sizeof back, NULL));
}

TEST(frame_decode_refuses_a_bad_checksum_by_its_values)
{
    uint8_t frame[16];
    Empty back;
    seal(frame, &empty_type, NULL, 0);
    uint32_t crc = aldis__crc32c(0, frame, 12);
    char said[80];
    snprintf(said, sizeof said, "the checksum is 0x%08x; the header says 0x01020304", crc);
    put32(frame + 12, 0x01020304);
    CHECK_REFUSED(&empty_type, frame, sizeof frame, ALDIS_ECODEC, said);
}

TEST(frame_decode_refuses_another_type)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame);
    Kinds back;
    char said[80];
    snprintf(said, sizeof said, "the type number is 0x%08x; kinds has 0x%08x",
             aldis_type_number(&hold_type), aldis_type_number(&kinds_type));
    CHECK_REFUSED(&kinds_type, frame, size, ALDIS_ECODEC, said);
    CHECK_STR(aldis_error_last()->type_name, "kinds");
    char last[100];
    snprintf(last, sizeof last, "kinds: %s", said);
    CHECK_STR(aldis_error_last()->text, last);
}

TEST(frame_decode_refuses_a_huge_length_without_reading_on)
{
    uint8_t frame[16];
    Empty back;
    seal(frame, &empty_type, NULL, 0);
    put32(frame + 8, 0xffffffff);
    CHECK_REFUSED(&empty_type, frame, sizeof frame, ALDIS_ETOOLARGE,
                  "the payload has 4294967295 bytes; allowed: up to 1048560");
}

TEST(frame_of_the_largest_payload_makes_the_round_trip)
{
    static Huge huge, huge_back;
    static uint8_t frame[ALDIS_WIRE_BYTES(Huge)];
    size_t size = 0;
    memset(&huge, 0xff, sizeof huge); /* all numbers -1: ten bytes each */
    huge.first_count = huge.second_count = 32000;
    CHECK_OK(aldis_wire_encode(&huge_type, &huge, frame, sizeof frame, &size, NULL));
    CHECK_UINT(size, 2 * (1 + 3 + 320000) + 16);
    CHECK_OK(aldis_wire_decode(&huge_type, frame, size, &huge_back, sizeof huge_back, NULL));
    CHECK(memcmp(&huge, &huge_back, sizeof huge) == 0);
}

/* ------------------------------------------------------------------ bad use */

TEST(frame_bad_arguments_are_refused)
{
    uint8_t frame[ALDIS_WIRE_BYTES(Hold)];
    size_t size = encode_full(frame, sizeof frame), out;
    Hold back;
    CHECK_ERR(aldis_wire_check(NULL, &full, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_check(&hold_type, NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_encode(NULL, &full, frame, sizeof frame, &out, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_encode(&hold_type, NULL, frame, sizeof frame, &out, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_encode(&hold_type, &full, NULL, 99, &out, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_encode(&hold_type, &full, frame, sizeof frame, NULL, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_decode(NULL, frame, size, &back, sizeof back, NULL), ALDIS_EINVAL);
    CHECK_ERR(aldis_wire_decode(&hold_type, NULL, size, &back, sizeof back, &report), ALDIS_EINVAL);
    CHECK_STR(report.text, "no frame is given");
    CHECK_ERR(aldis_wire_decode(&hold_type, frame, size, NULL, sizeof back, &report), ALDIS_EINVAL);
    CHECK_STR(report.text, "no payload is given");
    CHECK_ERR(aldis_wire_decode(&hold_type, frame, size, &back, sizeof back - 1, &report),
              ALDIS_EINVAL);
    CHECK(strstr(report.text, "the payload's place has") != NULL);
}

ALDIS_MESSAGE(
    local_only, struct { int x; });
ALDIS_MESSAGE_CODEC(mismatched, Vec3, 0, ALDIS_CODEC(Hold));

TEST(frame_type_without_codec_or_with_anothers_is_refused)
{
    local_only_payload local = {1};
    Vec3 vec = Vec3_init_zero;
    CHECK_ERR(aldis_wire_check(&local_only_type, &local, &report), ALDIS_EINVAL);
    CHECK_STR(report.text, "the type has no codec: it stays in the process");
    CHECK_STR(aldis_error_last()->type_name, "local_only");
    CHECK_ERR(aldis_wire_check(&mismatched_type, &vec, &report), ALDIS_EINVAL);
    CHECK(strstr(report.text, "its codec's struct Hold") != NULL);
}

TEST(frame_type_number_is_its_own_or_the_hash_of_its_name)
{
    CHECK_UINT(aldis_type_number(&ship_old_type), 4711);
    aldis_type named = {"foobar", 0, 0, NULL, 0};
    CHECK_UINT(aldis_type_number(&named), 0xbf9cf968u); /* published: FNV-1a of "foobar" */
}
