// SPDX-License-Identifier: Apache-2.0
/* messages.h: the message types that the tests of the wire use. */
#ifndef ALDIS_TESTS_WIRE_MESSAGES_H
#define ALDIS_TESTS_WIRE_MESSAGES_H

#include "proto2_test.pb.h"
#include "wire_test.pb.h"
#include <aldis/wire.h>

ALDIS_WIRE_STRUCT(Empty);
ALDIS_WIRE_STRUCT(Vec3);
ALDIS_WIRE_STRUCT(Hold);
ALDIS_WIRE_STRUCT(Kinds);
ALDIS_WIRE_STRUCT_RULES(Ruled, ALDIS_WIRE_RANGE(Ruled, share, 0, 1),
                        ALDIS_WIRE_RANGE(Ruled, degrees, -180, 180),
                        ALDIS_WIRE_RANGE(Ruled, big, 0, 1e19),
                        ALDIS_WIRE_VALUES(Ruled, holes, Holes_NONE, Holes_FIRST, Holes_FIFTH),
                        ALDIS_WIRE_ANY_FLOAT(Ruled, wild), ALDIS_WIRE_PRESENT(Ruled, place),
                        ALDIS_WIRE_RANGE(Ruled, masses, 0, 1e9), ALDIS_WIRE_PRESENT(Ruled, masses),
                        ALDIS_WIRE_RANGE(Ruled, left, 0, 9),
                        ALDIS_WIRE_RANGE(Ruled, tiny, -100, 100),
                        ALDIS_WIRE_RANGE(Ruled, small, -1000, 1000),
                        ALDIS_WIRE_RANGE(Ruled, zigzag, -7, 7), ALDIS_WIRE_RANGE(Ruled, far, -7, 7),
                        ALDIS_WIRE_RANGE(Ruled, raw, 0, 4e9));
ALDIS_WIRE_STRUCT(Wrapped);
ALDIS_WIRE_STRUCT(Either);
ALDIS_WIRE_STRUCT(Huge);
ALDIS_WIRE_STRUCT(Sized);
ALDIS_WIRE_STRUCT(ShipOld);
ALDIS_WIRE_STRUCT(ShipNew);
ALDIS_WIRE_STRUCT(Inner2);
ALDIS_WIRE_STRUCT(Outer2);
ALDIS_WIRE_STRUCT(Old2);

ALDIS_MESSAGE_CODEC(empty, Empty, 0, ALDIS_CODEC(Empty));
ALDIS_MESSAGE_CODEC(hold, Hold, 0, ALDIS_CODEC(Hold));
ALDIS_MESSAGE_CODEC(kinds, Kinds, 0, ALDIS_CODEC(Kinds));
ALDIS_MESSAGE_CODEC(ruled, Ruled, 0, ALDIS_CODEC(Ruled));
ALDIS_MESSAGE_CODEC(wrapped, Wrapped, 0, ALDIS_CODEC(Wrapped));
ALDIS_MESSAGE_CODEC(huge, Huge, 0, ALDIS_CODEC(Huge));
ALDIS_MESSAGE_CODEC(outer2, Outer2, 0, ALDIS_CODEC(Outer2));
ALDIS_MESSAGE_CODEC(either, Either, 0, ALDIS_CODEC(Either));
ALDIS_MESSAGE_CODEC(sized, Sized, 0, ALDIS_CODEC(Sized));
ALDIS_MESSAGE_CODEC(old2, Old2, 0, ALDIS_CODEC(Old2));
/* One type in two versions: the number is what counts. */
ALDIS_MESSAGE_CODEC(ship_old, ShipOld, 4711, ALDIS_CODEC(ShipOld));
ALDIS_MESSAGE_CODEC(ship_new, ShipNew, 4711, ALDIS_CODEC(ShipNew));

#endif
