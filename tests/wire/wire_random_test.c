// SPDX-License-Identifier: Apache-2.0
/* Properties, on payloads drawn at random. A failure names the seed; ALDIS_SEED=n tries that one.
 * */
#include "harness.h"

#include "frames.h"
#include "messages.h"
#include "random_payload.h"
#include <stdlib.h>

static const aldis_type *const types[] = {&kinds_type, &hold_type,     &sized_type,
                                          &empty_type, &ship_old_type, &ship_new_type};
enum { TYPES = sizeof types / sizeof types[0], SEEDS = 2000 };

union any_payload {
    Kinds kinds;
    Hold hold;
    ShipNew ship;
};
static union any_payload payload, back;
static uint8_t frame[ALDIS_WIRE_BYTES(Kinds)], again[ALDIS_WIRE_BYTES(Kinds)];
static aldis_wire_report report;

/* Run one property for each seed, or for the one in the environment. */
static void for_seeds(void (*property)(struct random *random, uint64_t seed))
{
    const char *one = getenv("ALDIS_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1, last = one ? first : SEEDS;
    for (uint64_t seed = first; seed <= last; seed++) {
        struct random random = {seed};
        property(&random, seed);
    }
}
#define HOLDS(condition, seed)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            test_fail(__FILE__, __LINE__, "%s is false (%s: %s); replay: ALDIS_SEED=%" PRIu64,     \
                      #condition, report.field, report.text, seed);                                \
    } while (0)

/* A random payload of a random type, encoded in frame. Gives the frame's size. */
static size_t draw(struct random *random, const aldis_type **out_type, uint64_t seed)
{
    const aldis_type *type = types[random_below(random, TYPES)];
    size_t size = 0;
    random_payload(random, type->codec->schema, &payload);
    HOLDS(aldis_wire_check(type, &payload, &report) == ALDIS_OK, seed);
    HOLDS(aldis_wire_encode(type, &payload, frame, sizeof frame, &size, &report) == ALDIS_OK, seed);
    HOLDS(size <= ALDIS_WIRE_HEADER_BYTES + type->codec->encoded_max, seed);
    *out_type = type;
    return size;
}

static void round_trip(struct random *random, uint64_t seed)
{
    const aldis_type *type;
    size_t size = draw(random, &type, seed), again_size = 0, frame_size = 0;
    uint32_t number = 0;
    memset(&back, 0xa5, sizeof back);
    HOLDS(aldis_wire_decode(type, frame, size, &back, sizeof back, &report) == ALDIS_OK, seed);
    HOLDS(report.unknown_fields == 0, seed);
    HOLDS(memcmp(&payload, &back, type->size) == 0, seed);
    HOLDS(aldis_wire_encode(type, &back, again, sizeof again, &again_size, &report) == ALDIS_OK,
          seed);
    HOLDS(again_size == size && memcmp(frame, again, size) == 0, seed);
    HOLDS(aldis_wire_peek(frame, size, &number, &frame_size) == ALDIS_OK, seed);
    HOLDS(number == aldis_type_number(type) && frame_size == size, seed);
}

TEST(random_payload_comes_back_equal)
{
    for_seeds(round_trip);
}

/* Whatever the bytes are: refused with a reason and a zeroed payload, or a payload that is sound.
 * */
static void check_whatever(const aldis_type *type, size_t size, uint64_t seed)
{
    size_t again_size = 0;
    memset(&back, 0xa5, sizeof back);
    aldis_err err = aldis_wire_decode(type, frame, size, &back, sizeof back, &report);
    if (err != ALDIS_OK) {
        HOLDS(err == ALDIS_ECODEC || err == ALDIS_ETOOLARGE, seed);
        HOLDS(report.err == err && report.text[0], seed);
        HOLDS(strncmp(report.text, "nanopb", 6) != 0, seed); /* the scan has let nothing through */
        HOLDS(is_zero(&back, type->size), seed);
        return;
    }
    HOLDS(aldis_wire_check(type, &back, &report) == ALDIS_OK, seed);
    HOLDS(aldis_wire_encode(type, &back, again, sizeof again, &again_size, &report) == ALDIS_OK,
          seed);
    HOLDS(aldis_wire_decode(type, again, again_size, &payload, sizeof payload, &report) == ALDIS_OK,
          seed);
    HOLDS(memcmp(&payload, &back, type->size) == 0, seed);
}

static void flip(struct random *random, size_t from, size_t size)
{
    for (uint32_t n = 1 + random_below(random, 4); n > 0 && size > from; n--) {
        uint32_t bit = random_below(random, (uint32_t)(8 * (size - from)));
        frame[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void flipped_bits(struct random *random, uint64_t seed)
{
    const aldis_type *type;
    size_t size = draw(random, &type, seed);
    for (int i = 0; i < 8; i++) {
        flip(random, 0, size);
        check_whatever(type, size, seed);
    }
}

TEST(random_flips_of_bits_are_refused_or_harmless)
{
    for_seeds(flipped_bits);
}

static void flipped_payload(struct random *random, uint64_t seed)
{
    const aldis_type *type;
    size_t size = draw(random, &type, seed);
    for (int i = 0; i < 8; i++) { /* with the checksum made right: now the scan must stand */
        flip(random, ALDIS_WIRE_HEADER_BYTES, size);
        reseal(frame, size);
        check_whatever(type, size, seed);
    }
}

TEST(random_flips_behind_a_good_checksum_are_refused_or_harmless)
{
    for_seeds(flipped_payload);
}

static void cut_payload(struct random *random, uint64_t seed)
{
    const aldis_type *type;
    size_t size = draw(random, &type, seed);
    size = ALDIS_WIRE_HEADER_BYTES +
           random_below(random, (uint32_t)(size - ALDIS_WIRE_HEADER_BYTES + 1));
    put32(frame + 8, (uint32_t)(size - ALDIS_WIRE_HEADER_BYTES));
    reseal(frame, size);
    check_whatever(type, size, seed);
}

TEST(random_cuts_behind_a_good_checksum_are_refused_or_harmless)
{
    for_seeds(cut_payload);
}

static void noise(struct random *random, uint64_t seed)
{
    const aldis_type *type = types[random_below(random, TYPES)];
    uint32_t n = random_below(random, 64);
    uint8_t bytes[64];
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)random_next(random);
    check_whatever(type, seal(frame, type, bytes, n), seed);
}

TEST(random_noise_is_refused_or_harmless)
{
    for_seeds(noise);
}

/* Bytes of the struct itself changed, as a program with a fault would: what the check lets pass
 * can be encoded, and comes back as what was sent. */
static void wrong_payload(struct random *random, uint64_t seed)
{
    const aldis_type *type;
    size_t size = draw(random, &type, seed);
    uint8_t *bytes = (uint8_t *)&payload;
    for (uint32_t n = 1 + random_below(random, 3); n > 0; n--)
        bytes[random_below(random, type->size)] = (uint8_t)random_next(random);
    aldis_err err = aldis_wire_encode(type, &payload, frame, sizeof frame, &size, &report);
    if (err != ALDIS_OK) {
        HOLDS(err == ALDIS_ECODEC && report.text[0], seed);
        HOLDS(strncmp(report.text, "nanopb", 6) != 0, seed);
        return;
    }
    size_t again_size = 0;
    HOLDS(aldis_wire_decode(type, frame, size, &back, sizeof back, &report) == ALDIS_OK, seed);
    HOLDS(aldis_wire_encode(type, &back, again, sizeof again, &again_size, &report) == ALDIS_OK,
          seed);
    HOLDS(again_size == size && memcmp(frame, again, size) == 0, seed);
}

TEST(random_damage_to_a_payload_is_refused_or_harmless)
{
    for_seeds(wrong_payload);
}
