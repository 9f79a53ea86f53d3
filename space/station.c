// SPDX-License-Identifier: Apache-2.0
/* station.c: the actor that gives berths to ships, serves them and lets them go. Layer: space.
 *
 * The rules of berths and queue are dock.c's; here they become messages and times. Every step has a
 * time-out, so that a ship that is gone cannot keep a berth: a permission expires, and after its
 * service a ship has as long again to leave. */
#include "digest.h"
#include "dock.h"
#include "protocol.h"

#include <aldis/timer.h>
#include <math.h>

struct station {
    struct chart chart;
    uint32_t index;
    uint32_t served;
    struct dock dock;
};

static aldis_err station_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    const struct station_arg *given = arg;
    struct station *self = state;
    self->chart = given->chart;
    self->index = given->station;
    dock_init(&self->dock, &given->chart.scenario->stations.items[given->station]);
    return ALDIS_OK;
}

static aldis_err arm(aldis_ctx *ctx, uint32_t berth, uint32_t change, aldis_ns delay_ns)
{
    aldis_timer timer;
    return aldis_timer_start_raw(ctx, &(aldis_timer_opts){.delay_ns = delay_ns}, &berth_due_type,
                                 &(struct berth_due){.berth = berth, .change = change},
                                 sizeof(struct berth_due), &timer);
}

/* false: it is gone, and the runtime has counted the message as refused. */
static bool tell(aldis_ctx *ctx, aldis_id ship, const struct docking_permission *answer)
{
    ship_ref to = {.id = ship};
    return aldis_send_copy(ctx, to, docking_permission, answer) == ALDIS_OK;
}

static void refuse(aldis_ctx *ctx, aldis_id ship, enum docking_refusal reason)
{
    tell(ctx, ship, &(struct docking_permission){.verdict = DOCKING_REFUSED, .refusal = reason});
}

/* A ship that cannot be told is gone: its berth is free again. */
static aldis_err grant(struct station *self, aldis_ctx *ctx, const struct dock_answer *answer)
{
    struct docking_permission permission = {.verdict = DOCKING_GRANTED, .berth = answer->berth};
    if (!tell(ctx, answer->ship, &permission)) {
        dock_leave(&self->dock, answer->ship);
        return ALDIS_OK;
    }
    if (!answer->anew)
        return ALDIS_OK;
    return arm(ctx, answer->berth, answer->change, self->dock.station->permission_ns);
}

/* Offer what is free to whoever waits. */
static aldis_err serve_queue(struct station *self, aldis_ctx *ctx)
{
    struct dock_answer answer;
    aldis_err err = ALDIS_OK;
    while (err == ALDIS_OK && dock_next(&self->dock, aldis_now(ctx), &answer))
        err = grant(self, ctx, &answer);
    return err;
}

static bool is_possible(const struct request_docking *msg)
{
    return isfinite(msg->specs.length_m) && msg->specs.length_m > 0 &&
           isfinite(msg->specs.mass_t) && msg->specs.mass_t > 0 &&
           msg->item_count <= MANIFEST_ITEMS_MAX;
}

static aldis_err station_on_request_docking(struct station *self, const struct request_docking *msg,
                                            aldis_ctx *ctx)
{
    aldis_id ship = aldis_sender(ctx);
    if (aldis_id_is_nobody(ship))
        return aldis_fail(ctx, "docking asked for nobody");
    if (!is_possible(msg)) {
        refuse(ctx, ship, REFUSAL_BAD_SPECS);
        return ALDIS_OK;
    }
    struct dock_answer answer = dock_ask(&self->dock, ship, msg->specs.length_m, aldis_now(ctx));
    struct docking_permission wait = {.verdict = DOCKING_QUEUED,
                                      .place = answer.place,
                                      .estimated_wait_ns = answer.estimated_wait_ns};
    switch (answer.verdict) {
    case DOCK_GRANTED:
        return grant(self, ctx, &answer);
    case DOCK_QUEUED:
        if (!tell(ctx, ship, &wait))
            dock_leave(&self->dock, ship);
        break;
    case DOCK_FULL:
        refuse(ctx, ship, REFUSAL_QUEUE_FULL);
        break;
    case DOCK_TOO_LONG:
        refuse(ctx, ship, REFUSAL_TOO_LONG);
        break;
    }
    return ALDIS_OK;
}

/* Each service takes 0.75 to 1.25 of the station's mean. */
static aldis_ns draw_service(const struct station *self, aldis_ctx *ctx)
{
    aldis_ns mean_ns = self->dock.station->service_ns;
    return mean_ns - mean_ns / 4 + (aldis_ns)aldis_random_below(ctx, (uint64_t)mean_ns / 2 + 1);
}

static aldis_err station_on_docked(struct station *self, const struct docked *msg, aldis_ctx *ctx)
{
    uint32_t change;
    aldis_id ship = aldis_sender(ctx);
    aldis_ns service_ns = draw_service(self, ctx);
    switch (dock_arrive(&self->dock, ship, msg->berth, aldis_now(ctx), service_ns, &change)) {
    case DOCK_ARRIVED:
        return arm(ctx, msg->berth, change, service_ns);
    case DOCK_THERE_ALREADY:
        break;
    case DOCK_NOT_HELD:
        refuse(ctx, ship, REFUSAL_EXPIRED);
        break;
    }
    return ALDIS_OK;
}

static aldis_err station_on_undock(struct station *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    /* It may have nothing here any more: its word may have crossed our time-out. */
    dock_leave(&self->dock, aldis_sender(ctx));
    return serve_queue(self, ctx);
}

/* The ship in the berth has been served: false if it is gone. */
static bool end_service(struct station *self, aldis_ctx *ctx, aldis_id ship)
{
    ship_ref to = {.id = ship};
    self->served++;
    return aldis_signal(ctx, to, service_done) == ALDIS_OK;
}

static aldis_err station_on_berth_due(struct station *self, const struct berth_due *msg,
                                      aldis_ctx *ctx)
{
    const struct dock_berth *berth = dock_since(&self->dock, msg->berth, msg->change);
    if (!berth)
        return ALDIS_OK; /* it has gone on in time */
    aldis_id ship = berth->ship;
    switch (berth->state) {
    case BERTH_FREE:
        return ALDIS_OK;
    case BERTH_HELD:
        refuse(ctx, ship, REFUSAL_EXPIRED);
        break;
    case BERTH_TAKEN:
        if (end_service(self, ctx, ship))
            return arm(ctx, msg->berth, dock_served(&self->dock, msg->berth),
                       self->dock.station->permission_ns);
        break;
    case BERTH_LEAVING:
        break; /* it has had its time to leave */
    }
    dock_leave(&self->dock, ship);
    return serve_queue(self, ctx);
}

/* A ship had ended before our word reached it: nothing here is for it any more. */
static void station_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct station *self = state;
    if (notice->reason == ALDIS_ESTALE && dock_leave(&self->dock, notice->to))
        (void)serve_queue(self,
                          ctx); /* out of memory for a timer: the permission does not expire */
}

static uint64_t station_digest(const void *state)
{
    const struct station *self = state;
    uint64_t digest = digest_mix(self->served, self->dock.queue_count);
    for (uint32_t i = 0; i < self->dock.berth_count; i++) {
        const struct dock_berth *berth = &self->dock.berths[i];
        digest = digest_mix(digest, berth->ship.bits ^ berth->state);
    }
    for (uint32_t i = 0; i < self->dock.queue_count; i++)
        digest = digest_mix(digest, self->dock.queue[i].ship.bits);
    return digest;
}

ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL, .on_start = station_start,
                .on_undelivered = station_undelivered, .digest = station_digest);
