// SPDX-License-Identifier: Apache-2.0
/* ShipOld and ShipNew are one type before and after a change: each reads what the other sends, or
 * refuses with a reason. */
#include "harness.h"

#include "frames.h"
#include "messages.h"

static aldis_wire_report report;

static size_t encode(const aldis_type *type, const void *payload, uint8_t *frame, size_t capacity)
{
    size_t size = 0;
    CHECK_OK(aldis_wire_encode(type, payload, frame, capacity, &size, NULL));
    return size;
}

static size_t encode_new(const ShipNew *ship, uint8_t *frame)
{
    return encode(&ship_new_type, ship, frame, ALDIS_WIRE_BYTES(ShipNew));
}

TEST(versions_new_reads_old)
{
    ShipOld old = {.name = "Ada",
                   .crew = UINT32_MAX,
                   .class = ClassOld_HAULER_OLD,
                   .gone = 1.5F,
                   .which_task = ShipOld_go_tag,
                   .task.go = {.y = 2.0F}};
    ShipNew ship;
    uint8_t frame[ALDIS_WIRE_BYTES(ShipOld)];
    size_t size = encode(&ship_old_type, &old, frame, sizeof frame);
    CHECK_OK(aldis_wire_decode(&ship_new_type, frame, size, &ship, sizeof ship, &report));
    CHECK_UINT(report.unknown_fields, 1); /* gone */
    CHECK_STR(ship.name, "Ada");
    CHECK_UINT(ship.crew, UINT32_MAX);
    CHECK_INT(ship.class, ClassNew_HAULER);
    CHECK_UINT(ship.which_task, ShipNew_go_tag);
    CHECK(ship.task.go.y == 2.0F);
    /* What the old version does not know is as if it were not set. */
    CHECK(ship.fuel == 0.0);
    CHECK_UINT(ship.holds_count, 0);
    CHECK(!ship.has_owner);
}

TEST(versions_old_reads_new_and_counts_what_it_skips)
{
    ShipNew ship = {.name = "Grace",
                    .crew = 12,
                    .class = ClassNew_HAULER,
                    .which_task = ShipNew_wait_tag,
                    .fuel = 7.5,
                    .holds_count = 2,
                    .has_owner = true,
                    .owner = "me"};
    ship.holds[1].mass = 3;
    ShipOld old;
    uint8_t frame[ALDIS_WIRE_BYTES(ShipNew)];
    size_t size = encode_new(&ship, frame);
    CHECK_OK(aldis_wire_decode(&ship_old_type, frame, size, &old, sizeof old, &report));
    CHECK_UINT(report.unknown_fields, 4); /* fuel, two holds, owner */
    CHECK_STR(old.name, "Grace");
    CHECK_UINT(old.crew, 12);
    CHECK_INT(old.class, ClassOld_HAULER_OLD);
    CHECK_UINT(old.which_task, ShipOld_wait_tag);
    CHECK(old.gone == 0.0F);
}

TEST(versions_old_sees_a_new_arm_as_no_arm_and_counts_it)
{
    ShipNew ship = {.which_task = ShipNew_load_tag, .task.load = {.item = "ice"}};
    ShipOld old;
    uint8_t frame[ALDIS_WIRE_BYTES(ShipNew)];
    size_t size = encode_new(&ship, frame);
    CHECK_OK(aldis_wire_decode(&ship_old_type, frame, size, &old, sizeof old, &report));
    CHECK_UINT(old.which_task, 0);
    CHECK_UINT(report.unknown_fields, 1);
}

TEST(versions_old_refuses_a_new_enum_value_with_a_reason)
{
    ShipNew ship = {.class = ClassNew_TUG};
    ShipOld old;
    uint8_t frame[ALDIS_WIRE_BYTES(ShipNew)];
    size_t size = encode_new(&ship, frame);
    CHECK_ERR(aldis_wire_decode(&ship_old_type, frame, size, &old, sizeof old, &report),
              ALDIS_ECODEC);
    CHECK_STR(report.field, "class");
    CHECK_STR(report.text, "is 2; allowed: 0 to 1 of ClassOld");
}

TEST(versions_old_refuses_a_number_that_has_become_too_wide)
{
    ShipNew ship = {.crew = UINT64_C(1) << 40};
    ShipOld old;
    uint8_t frame[ALDIS_WIRE_BYTES(ShipNew)];
    size_t size = encode_new(&ship, frame);
    CHECK_ERR(aldis_wire_decode(&ship_old_type, frame, size, &old, sizeof old, &report),
              ALDIS_ECODEC);
    CHECK_STR(report.field, "crew");
    CHECK_STR(report.text, "is 1099511627776; allowed: 0 to 4294967295");
}
