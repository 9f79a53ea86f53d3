// SPDX-License-Identifier: Apache-2.0
/* 13_2.c: a test of a station that gives its only berth for 30 s: a probe plays the ship, and a
 * message gets lost on purpose. Chapter 13, exercise 2. */
#include <aldis/aldis.h>
#include <stdbool.h>
#include <stdio.h>

ALDIS_SIGNAL(request_docking);
ALDIS_SIGNAL(granted);
ALDIS_SIGNAL(refused);
ALDIS_SIGNAL(undock);
ALDIS_SIGNAL(expire);

#define STATION_PROTOCOL(X, kind) X(kind, request_docking) X(kind, undock) X(kind, expire)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, granted) X(kind, refused)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
ALDIS_PROBE(ship, SHIP_PROTOCOL); /* a kind of actor that keeps what it gets */

struct station {
    bool taken;
    aldis_timer expiry;
};

static aldis_err station_on_request_docking(struct station *self, const aldis_none *msg,
                                            aldis_ctx *ctx)
{
    (void)msg;
    if (self->taken)
        return aldis_reply_signal(ctx, refused);
    self->taken = true;
    aldis_err err = aldis_timer_once(ctx, 30 * ALDIS_SECOND, expire, &self->expiry);
    return err != ALDIS_OK ? err : aldis_reply_signal(ctx, granted);
}

static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)aldis_timer_cancel(ctx, self->expiry); /* it may have fired already */
    self->taken = false;
    return ALDIS_OK;
}

static aldis_err station_on_expire(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    (void)ctx;
    self->taken = false;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

int main(void)
{
    aldis_testkit *kit;
    station_ref station;
    ship_ref ship;
    if (aldis_testkit_create(NULL, &kit) != ALDIS_OK ||
        aldis_spawn(aldis_testkit_system(kit), station, &station, NULL) != ALDIS_OK)
        return 1;
    aldis_probe *probe = aldis_testkit_probe(kit, ship, &ship);

    aldis_testkit_signal_as(kit, ship.id, station, request_docking);
    aldis_expect(probe, granted, ALDIS_SECOND);
    puts("the first request is granted");

    aldis_testkit_signal_as(kit, ship.id, station, request_docking);
    aldis_expect(probe, refused, ALDIS_SECOND);
    puts("the second is refused: there is one berth");

    /* The next message to the station gets lost: the ship leaves, and the station does not hear. */
    aldis_testkit_drop(kit, &(aldis_testkit_match){.to = station.id, .type = &undock_type});
    aldis_testkit_signal_as(kit, ship.id, station, undock);
    aldis_testkit_signal_as(kit, ship.id, station, request_docking);
    aldis_expect(probe, refused, ALDIS_SECOND);
    puts("the ship's goodbye is lost: the berth is taken still");

    aldis_testkit_advance(kit, 30 * ALDIS_SECOND);
    aldis_testkit_signal_as(kit, ship.id, station, request_docking);
    aldis_expect(probe, granted, ALDIS_SECOND);
    aldis_expect_none(probe, ALDIS_SECOND);
    puts("after 30 s it is free again");
    return aldis_testkit_destroy(kit) != ALDIS_OK; /* with the audit */
}
