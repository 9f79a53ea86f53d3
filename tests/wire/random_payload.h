// SPDX-License-Identifier: Apache-2.0
/* random_payload.h: payloads that their type's defaults allow, by seed. */
#ifndef ALDIS_TESTS_WIRE_RANDOM_PAYLOAD_H
#define ALDIS_TESTS_WIRE_RANDOM_PAYLOAD_H

#include <aldis/wire.h>

/** Where random numbers come from: the same seed, the same numbers. */
struct random {
    uint64_t state;
};

uint64_t random_next(struct random *random);
/** 0 .. bound-1; bound is 1 or more. */
uint32_t random_below(struct random *random, uint32_t bound);

/** Fill a payload at random. Knows the defaults, not a struct's own rules. Bytes that the message
 *  does not use are zero, as a decoder leaves them. */
void random_payload(struct random *random, const aldis_wire_schema *schema, void *payload);

#endif
