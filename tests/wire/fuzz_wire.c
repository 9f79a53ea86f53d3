// SPDX-License-Identifier: Apache-2.0
/* fuzz_wire.c: the fuzz target of the wire, for libFuzzer (fuzz_wire.py) and for wire_corpus_test.
 *
 * Promises: no input crashes, reads or writes where it may not, or is accepted half. What is
 * refused leaves a reason and a zeroed payload; what is accepted is sound, can be sent on, and
 * comes back the same. nanopb is never the first to notice that something is wrong. */
#include "fuzz_wire.h"

#include "frames.h"
#include "messages.h"
#include <stdio.h>
#include <stdlib.h>

const aldis_type *const fuzz_wire_types[] = {
    &kinds_type, &hold_type,     &ruled_type,    &sized_type,  &old2_type,
    &empty_type, &ship_old_type, &ship_new_type, &either_type, NULL,
};
enum { TYPES = sizeof fuzz_wire_types / sizeof fuzz_wire_types[0] - 1, INPUT_MAX = 4096 };

union any_payload {
    Kinds kinds;
    Hold hold;
    Ruled ruled;
    Sized sized;
    Old2 old2;
    Empty empty;
    Either either;
    ShipOld ship_old;
    ShipNew ship_new;
};

#define REQUIRE(condition, report)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s is false (%s: %s)\n", __FILE__, __LINE__, #condition,       \
                    (report)->field, (report)->text);                                              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void require_refusal(aldis_err err, const aldis_wire_report *report)
{
    REQUIRE(err == ALDIS_ECODEC || err == ALDIS_ETOOLARGE, report);
    REQUIRE(report->err == err, report);
    REQUIRE(report->text[0] != '\0', report);
    REQUIRE(strncmp(report->text, "nanopb", 6) != 0, report);
    REQUIRE(memchr(report->field, 0, sizeof report->field), report);
    REQUIRE(memchr(report->text, 0, sizeof report->text), report);
}

/* A payload that was accepted: sent on, it comes back the same. */
static void require_sound(const aldis_type *type, const void *payload, aldis_wire_report *report)
{
    static uint8_t frame[ALDIS_WIRE_BYTES(Kinds)], again[sizeof frame];
    union any_payload back;
    size_t size = 0, again_size = 0;
    REQUIRE(aldis_wire_encode(type, payload, frame, sizeof frame, &size, report) == ALDIS_OK,
            report);
    REQUIRE(size <= ALDIS_WIRE_HEADER_BYTES + type->codec->encoded_max, report);
    REQUIRE(aldis_wire_decode(type, frame, size, &back, sizeof back, report) == ALDIS_OK, report);
    REQUIRE(report->unknown_fields == 0, report);
    REQUIRE(aldis_wire_encode(type, &back, again, sizeof again, &again_size, report) == ALDIS_OK,
            report);
    REQUIRE(size == again_size && memcmp(frame, again, size) == 0, report);
}

static bool try_frame(const aldis_type *type, const uint8_t *bytes, size_t size)
{
    union any_payload payload;
    aldis_wire_report report;
    uint32_t number = 0;
    size_t frame_size = 0;
    aldis_err peeked = aldis_wire_peek(bytes, size, &number, &frame_size);
    memset(&payload, 0xa5, sizeof payload);
    aldis_err err = aldis_wire_decode(type, bytes, size, &payload, sizeof payload, &report);
    if (err != ALDIS_OK) {
        require_refusal(err, &report);
        REQUIRE(is_zero(&payload, type->size), &report);
        return false;
    }
    REQUIRE(peeked == ALDIS_OK && frame_size == size, &report);
    REQUIRE(number == aldis_type_number(type), &report);
    require_sound(type, &payload, &report);
    return true;
}

static bool try_payload(const aldis_type *type, const uint8_t *bytes, size_t size)
{
    static uint8_t frame[INPUT_MAX + ALDIS_WIRE_HEADER_BYTES];
    return try_frame(type, frame, seal(frame, type, bytes, size));
}

static bool try_struct(const aldis_type *type, const uint8_t *bytes, size_t size)
{
    union any_payload payload;
    aldis_wire_report report;
    memset(&payload, 0, sizeof payload);
    memcpy(&payload, bytes, size < type->size ? size : type->size);
    aldis_err err = aldis_wire_check(type, &payload, &report);
    if (err != ALDIS_OK) {
        require_refusal(err, &report);
        return false;
    }
    require_sound(type, &payload, &report);
    return true;
}

/* Both versions may refuse, but what both accept says the same in the fields that they share. */
static bool try_versions(const uint8_t *bytes, size_t size)
{
    static uint8_t frame[INPUT_MAX + ALDIS_WIRE_HEADER_BYTES];
    ShipOld old;
    ShipNew ship;
    aldis_wire_report report;
    size_t frame_size = seal(frame, &ship_old_type, bytes, size);
    if (aldis_wire_decode(&ship_old_type, frame, frame_size, &old, sizeof old, &report) ||
        aldis_wire_decode(&ship_new_type, frame, frame_size, &ship, sizeof ship, &report))
        return false;
    REQUIRE(strcmp(old.name, ship.name) == 0, &report);
    REQUIRE(old.crew == ship.crew, &report);
    REQUIRE((int)old.class == (int)ship.class, &report);
    REQUIRE(old.which_task == 0 || old.which_task == ship.which_task, &report);
    return true;
}

bool fuzz_wire_accepts(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return false;
    const aldis_type *type = fuzz_wire_types[(data[0] & 15) % TYPES];
    switch (data[0] >> 4 & 3) {
    case FUZZ_FRAME:
        return try_frame(type, data + 1, size - 1);
    case FUZZ_PAYLOAD:
        return try_payload(type, data + 1, size - 1);
    case FUZZ_STRUCT:
        return try_struct(type, data + 1, size - 1);
    default:
        return try_versions(data + 1, size - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_wire_accepts(data, size);
    return 0;
}
