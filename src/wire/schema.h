// SPDX-License-Identifier: Apache-2.0
/* schema.h: what the files of this folder share: the two walks over a message and the report they
 * fill. Layer: wire. Threads: any; nothing is kept between calls. Memory: the stack only.
 *
 * Bytes from outside go through scan (their shape, before anything is decoded), then nanopb, then
 * check (the values, in the struct). A payload that is to be encoded goes through check alone. */
#ifndef ALDIS_WIRE_SRC_SCHEMA_H
#define ALDIS_WIRE_SRC_SCHEMA_H

#include <aldis/wire.h>
#include <string.h>

/** Does the Protocol Buffers encoding in [at, end) have the shape of schema: known wire types,
 *  whole values, lengths and counts within bounds, integers that fit? Unknown fields are counted.
 *  Otherwise false, and the report says where and why. */
bool aldis__wire_scan(const aldis_wire_schema *schema, const uint8_t *at, const uint8_t *end,
                      aldis_wire_report *report);

/** Does the struct at payload hold what schema allows? With `sending`, a value that encoding would
 *  drop in silence is refused too. Otherwise false, and the report says where and why. */
bool aldis__wire_check(const aldis_wire_schema *schema, const void *payload, bool sending,
                       aldis_wire_report *report);

/** The index for fields that are no arrays. */
#define ALDIS__WIRE_NO_INDEX UINT32_MAX

/** Blame one value of a field: ALDIS_ECODEC, its path so far, and why. Always false. */
bool aldis__wire_blame(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index,
                       const char *format, ...) __attribute__((format(printf, 4, 5), cold));

/** The blamed value lies inside this one: put it before the path. Always false. */
bool aldis__wire_within(aldis_wire_report *report, const aldis_wire_field *field, uint32_t index)
    __attribute__((cold));

static inline bool aldis__wire_is_array(const aldis_wire_field *field)
{
    return field->label == ALDIS_WIRE_LABEL_REPEATED || field->label == ALDIS_WIRE_LABEL_FIXARRAY;
}

#endif
