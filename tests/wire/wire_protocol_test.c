// SPDX-License-Identifier: Apache-2.0
/* A protocol from a oneof: its arms are message types, and the dispatch table follows the .proto.
 * */
#include "harness.h"

#include "wire_test.pb.h"
#include <aldis/actor.h>
#include <aldis/stats.h>
#include <aldis/system.h>
#include <aldis/wire.h>

ALDIS_WIRE_STRUCT(Empty);
ALDIS_WIRE_STRUCT(Vec3);
ALDIS_WIRE_STRUCT(Dock);
ALDIS_WIRE_STRUCT(Leave);
ALDIS_WIRE_MESSAGES(StationMessage);
#define STATION_PROTOCOL(X, kind) ALDIS_WIRE_ARMS(StationMessage, X, kind)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);

struct station {
    uint32_t berth;
    char why[16];
    int salutes;
};

static aldis_err station_on_dock(struct station *self, const Dock *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->berth = msg->berth;
    return ALDIS_OK;
}

static aldis_err station_on_leave(struct station *self, const Leave *msg, aldis_ctx *ctx)
{
    (void)ctx;
    memcpy(self->why, msg->why, sizeof self->why);
    return ALDIS_OK;
}

static aldis_err station_on_salute(struct station *self, const Empty *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->salutes++;
    return ALDIS_EHANDLER;
}

ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

TEST(protocol_has_the_arms_and_nothing_else)
{
    static const char *const names[] = {"dock", "leave", "salute"};
    static const size_t sizes[] = {sizeof(Dock), sizeof(Leave), sizeof(Empty)};
    CHECK_UINT(station_behaviour.handler_count, 3);
    for (int i = 0; i < 3; i++) {
        const aldis_type *type = station_behaviour.handlers[i].type;
        CHECK_STR(type->name, names[i]);
        CHECK_UINT(type->size, sizes[i]);
        CHECK(type->codec != NULL);
    }
}

/* What a reader of frames does: the number gives the type, the type's table entry the handler. */
static aldis_err receive(struct station *station, const uint8_t *frame, size_t size)
{
    uint32_t number;
    size_t frame_size;
    union {
        Dock dock;
        Leave leave;
        Empty salute;
    } payload;
    CHECK_OK(aldis_wire_peek(frame, size, &number, &frame_size));
    for (size_t i = 0; i < station_behaviour.handler_count; i++) {
        const aldis_handler_entry *entry = &station_behaviour.handlers[i];
        if (aldis_type_number(entry->type) != number)
            continue;
        CHECK_OK(aldis_wire_decode(entry->type, frame, size, &payload, sizeof payload, NULL));
        return entry->handle(station, &payload, NULL);
    }
    return ALDIS_EUNACCEPTED;
}

TEST(protocol_messages_travel_in_frames_to_their_handlers)
{
    struct station station = {0};
    uint8_t frame[ALDIS_WIRE_BYTES(StationMessage)];
    size_t size = 0;
    Dock dock = {.berth = 7, .has_place = true, .place = {.x = 1.0F}};
    CHECK_OK(aldis_wire_encode(&dock_type, &dock, frame, sizeof frame, &size, NULL));
    CHECK_OK(receive(&station, frame, size));
    CHECK_UINT(station.berth, 7);
    Leave leave = {.why = "no fuel"};
    CHECK_OK(aldis_wire_encode(&leave_type, &leave, frame, sizeof frame, &size, NULL));
    CHECK_OK(receive(&station, frame, size));
    CHECK_STR(station.why, "no fuel");
    Empty salute = Empty_init_zero;
    CHECK_OK(aldis_wire_encode(&salute_type, &salute, frame, sizeof frame, &size, NULL));
    CHECK_INT(receive(&station, frame, size), ALDIS_EHANDLER); /* the handler's own answer */
    CHECK_INT(station.salutes, 1);
}

TEST(protocol_from_a_oneof_takes_no_other_message)
{
    struct station station = {0};
    aldis_type stranger = dock_type;
    stranger.name = "stranger";
    uint8_t frame[ALDIS_WIRE_BYTES(Dock)];
    size_t size = 0;
    Dock dock = {.berth = 7};
    CHECK_OK(aldis_wire_encode(&stranger, &dock, frame, sizeof frame, &size, NULL));
    CHECK_INT(receive(&station, frame, size), ALDIS_EUNACCEPTED);
    CHECK_UINT(station.berth, 0);
}

/* ------------------------------------------------------------------ in a system */

ALDIS_PROTOCOL(keeper, STATION_PROTOCOL);

static Dock seen_dock;
static aldis_err seen_err;
static int seen_leaves;

static aldis_err keeper_on_dock(struct station *self, const Dock *msg, aldis_ctx *ctx)
{
    (void)self;
    seen_dock = *msg;
    seen_err = aldis_send_copy(ctx, (keeper_ref){.id = aldis_self(ctx)}, leave,
                               &(const Leave){.why = "done"});
    return ALDIS_OK;
}

static aldis_err keeper_on_leave(struct station *self, const Leave *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    seen_leaves += strcmp(msg->why, "done") == 0;
    return ALDIS_OK;
}

static aldis_err keeper_on_salute(struct station *self, const Empty *msg, aldis_ctx *ctx)
{
    return station_on_salute(self, msg, ctx);
}

ALDIS_BEHAVIOUR(keeper, struct station, STATION_PROTOCOL);

TEST(protocol_from_a_oneof_runs_in_a_system)
{
    aldis_system *system = NULL;
    keeper_ref keeper;
    CHECK_OK(aldis_system_create(
        &(aldis_system_opts){.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .shards = 2}, &system));
    CHECK_OK(aldis_spawn(system, keeper, &keeper, NULL));
    CHECK_OK(aldis_send(system, keeper, dock, .berth = 5, .has_place = true, .place = {.z = 2.0}));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, NULL));
    CHECK_UINT(seen_dock.berth, 5);
    CHECK(seen_dock.place.z == 2.0);
    CHECK_INT(seen_err, ALDIS_OK);
    CHECK_INT(seen_leaves, 1);
    CHECK_OK(aldis_system_stop(system, ALDIS_SECOND));
    CHECK_OK(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
}
