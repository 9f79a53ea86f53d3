// SPDX-License-Identifier: Apache-2.0
/* make_corpus.c: writes the seed corpus of the fuzzer, from payloads drawn at random and put
 * through our own encoder. To make it anew: build/tests/wire/make_corpus tests/wire/corpus
 *
 * good-* is accepted, bad-* is refused; wire_corpus_test holds them to it. */
#include "frames.h"
#include "fuzz_wire.h"
#include "messages.h"
#include "random_payload.h"
#include <stdio.h>
#include <stdlib.h>

static const char *directory;
static int failures;

static void write_file(const char *name, int mode, unsigned type_index, const uint8_t *bytes,
                       size_t size)
{
    static uint8_t input[8192];
    char path[4096];
    input[0] = (uint8_t)((unsigned)mode << 4 | type_index);
    memcpy(input + 1, bytes, size);
    bool accepted = fuzz_wire_accepts(input, size + 1);
    if (mode == FUZZ_VERSIONS)
        snprintf(path, sizeof path, "%s/%s-%s", directory, accepted ? "good" : "bad", name);
    else
        snprintf(path, sizeof path, "%s/%s-%s-%s", directory, accepted ? "good" : "bad",
                 fuzz_wire_types[type_index]->name, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(input, 1, size + 1, file) != size + 1 || fclose(file)) {
        perror(path);
        failures++;
    }
}

/* The first payload of at least `bytes` encoded bytes that the type's own rules allow, too. */
static size_t draw(unsigned type_index, uint64_t seed, size_t bytes, void *payload, uint8_t *frame)
{
    const aldis_type *type = fuzz_wire_types[type_index];
    struct random random = {seed};
    size_t size = 0;
    for (int tries = 0; tries < 100000; tries++) {
        random_payload(&random, type->codec->schema, payload);
        if (aldis_wire_encode(type, payload, frame, ALDIS_WIRE_BYTES(Kinds), &size, NULL))
            continue;
        if (size >= bytes + ALDIS_WIRE_HEADER_BYTES)
            return size;
    }
    return size;
}

static void write_type(unsigned type_index)
{
    static uint64_t payload[512];
    static uint8_t frame[ALDIS_WIRE_BYTES(Kinds)];
    const aldis_type *type = fuzz_wire_types[type_index];
    size_t max = type->codec->encoded_max;
    size_t size = draw(type_index, 1, max / 8, payload, frame);
    write_file("small-frame", FUZZ_FRAME, type_index, frame, size);
    write_file("small-struct", FUZZ_STRUCT, type_index, (const uint8_t *)payload, type->size);
    frame[size - 1] ^= 1;
    write_file("altered-frame", FUZZ_FRAME, type_index, frame, size);
    size = draw(type_index, 2, max / 2, payload, frame);
    write_file("large-payload", FUZZ_PAYLOAD, type_index, frame + ALDIS_WIRE_HEADER_BYTES,
               size - ALDIS_WIRE_HEADER_BYTES);
    if (size > ALDIS_WIRE_HEADER_BYTES)
        write_file("cut-payload", FUZZ_PAYLOAD, type_index, frame + ALDIS_WIRE_HEADER_BYTES,
                   size - ALDIS_WIRE_HEADER_BYTES - 1);
}

/* One field of each kind by itself: the pieces that a fuzzer puts together. */
static void write_pieces(void)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t size;
    } pieces[] = {
#define PIECE(name, bytes) {name, bytes, sizeof bytes - 1}
        PIECE("packed", "\xc2\x01\x05\1\2\3\4\5"),
        PIECE("unpacked", "\xc0\x01\1\xc0\x01\2"),
        PIECE("packed-doubles", "\xd2\x01\x08\0\0\0\0\0\0\xf0\x3f"),
        PIECE("fixed-count", "\xfa\x01\x02\5\6"),
        PIECE("fixed-count-none", "\x82\2\0"),
        PIECE("fixed-count-apart", "\xf8\1\5\x08\1\xf8\1\6"),
        PIECE("nested",
              "\xf2\x01\x13\x0a\x02\x61\x62\x22\x0d\x0d\0\0\x80\x3f\x15\0\0\0\x40\x98\6\1"),
        PIECE("negative-enum", "\x48\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1"),
        PIECE("arm", "\x8a\2\2\x0a\0"),
        PIECE("other-arm", "\xb2\2\5\x0d\0\0\x80\x3f"),
        PIECE("two-arms", "\x8a\2\0\x90\2\7"),
        PIECE("utf8", "\x82\1\x0a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x21"),
        PIECE("not-utf8", "\x82\1\3\xed\xa0\x80"),
        PIECE("zero-in-text", "\x82\1\3\x61\0\x62"),
        PIECE("nan", "\x75\0\0\xc0\x7f"),
        PIECE("unknown-fields", "\xa0\6\x7b\xa1\6\1\2\3\4\5\6\7\x08\xa5\6\1\2\3\4\xa2\6\1\0"),
        PIECE("group", "\xa3\6\xa4\6"),
        PIECE("huge-length", "\x82\1\xff\xff\xff\xff\x0f"),
        PIECE("long-number", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\2"),
        PIECE("far-tag", "\xc0\xbb\1\7"),
#undef PIECE
    };
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        write_file(pieces[i].name, FUZZ_PAYLOAD, 0, (const uint8_t *)pieces[i].bytes,
                   pieces[i].size);
}

static void write_versions(void)
{
    ShipNew ship = {.name = "Ada", .crew = 3, .class = ClassNew_HAULER, .fuel = 2};
    uint8_t frame[ALDIS_WIRE_BYTES(ShipNew)];
    size_t size = 0;
    for (int i = 0; i < 2; i++) {
        if (aldis_wire_encode(&ship_new_type, &ship, frame, sizeof frame, &size, NULL))
            failures++;
        write_file(i ? "versions-new-class" : "versions", FUZZ_VERSIONS, 0,
                   frame + ALDIS_WIRE_HEADER_BYTES, size - ALDIS_WIRE_HEADER_BYTES);
        ship.class = ClassNew_TUG;
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make_corpus DIRECTORY\n");
        return 64;
    }
    directory = argv[1];
    for (unsigned i = 0; fuzz_wire_types[i]; i++)
        write_type(i);
    write_pieces();
    write_versions();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
