// SPDX-License-Identifier: Apache-2.0
/* fuzz_wire.h: one input of the fuzzer, also for the replay of the corpus.
 *
 * The first byte chooses a type (low four bits) and what the rest is (high four):
 *   0  a whole frame, to be peeked and decoded as it stands
 *   1  a payload, to be put into a sound frame of the type
 *   2  the bytes of the C struct, to be encoded
 *   3  a payload for both versions of one type */
#ifndef ALDIS_TESTS_WIRE_FUZZ_WIRE_H
#define ALDIS_TESTS_WIRE_FUZZ_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_FRAME, FUZZ_PAYLOAD, FUZZ_STRUCT, FUZZ_VERSIONS };

/** Try one input; aborts where a promise of the wire is broken. Gives whether it was accepted. */
bool fuzz_wire_accepts(const uint8_t *data, size_t size);

/** The types by their number in the first byte, ended by NULL. */
extern const struct aldis_type *const fuzz_wire_types[];

#endif
