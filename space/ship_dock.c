// SPDX-License-Identifier: Apache-2.0
/* ship_dock.c: a ship's way into a berth and out of it. See ship.h. Layer: space.
 *
 * A handshake of five steps over reliable messages, each with its time-out and undo: a request that
 * is not confirmed is taken back, and the ship tries elsewhere; who waits asks again after
 * ASK_AGAIN_NS, which changes nothing; a permission that comes too late is given back; one that has
 * expired is asked for anew; a service of which nobody tells the end is left after the ship's
 * patience; and whoever leaves says so, whatever it had. Reliable messages may come twice or late:
 * each names its visit, and what is of another one changes nothing. */
#include "chronicle.h"
#include "mind_leaves.h"
#include "ship.h"

#include <aldis/credit.h>

/* What a confirmation is about, beside the visit. */
enum step { STEP_ASK, STEP_DOCK, STEP_LEAVE, STEP_BITS = 2 };

static aldis_err say_surely(const struct ship *self, aldis_ctx *ctx, enum step step,
                            aldis_send_item item, aldis_ns visit)
{
    uint64_t context = (uint64_t)visit << STEP_BITS | step;
    return send_surely(ctx, &item, ship_chart(self)->scenario, context,
                       ship_signal_ns(self, ctx, item.to));
}

static bool needs_credit(const struct ship *self)
{
    return ship_chart(self)->scenario->limits.docking_credit.total > 0;
}

static void fill_request(const struct ship *self, RequestDocking *request)
{
    const struct scenario_class *class = ship_class(self);
    const struct scenario_market *market = &ship_chart(self)->scenario->market;
    memset(request, 0, sizeof *request);
    request->specs.class = ship_fleet(self)->class;
    request->specs.cargo = class->cargo_t;
    request->specs.length = class->length_m;
    request->specs.mass = class->mass_t;
    for (uint32_t i = 0; i < self->account.shape->kinds; i++) {
        if (account_goods(&self->account)[i] == 0)
            continue;
        OfferItem *item = &request->manifest[request->manifest_count++];
        item->commodity = i;
        item->tonnes = account_goods(&self->account)[i];
        item->unit_value = market->commodities.items[i].price * CENTS;
    }
    request->visit = self->visit.asked_ns;
}

/* A station that is gone: try another after a rest. */
static aldis_err send_request(struct ship *self, aldis_ctx *ctx)
{
    RequestDocking request;
    fill_request(self, &request);
    const aldis_send_item item = {.to = ship_station(self).id,
                                  .type = &request_docking_type,
                                  .payload = &request,
                                  .size = sizeof request};
    if (say_surely(self, ctx, STEP_ASK, item, request.visit) != ALDIS_OK)
        return ship_rest(self, ctx);
    return ship_arm(self, ctx, NAP_NS);
}

/* Ask as soon as the station grants credit for it. Until then it is held back, at rest here. A
 * request that is lost on its way is asked again without: its credit comes back by itself. */
static aldis_err ask_on_credit(struct ship *self, aldis_ctx *ctx)
{
    RequestDocking request;
    aldis_id station = ship_station(self).id;
    aldis_ns since_ns = self->visit.asked_ns;
    aldis_err err = aldis_credit_open(ctx, station, NULL);
    if (err != ALDIS_OK && err != ALDIS_EEXISTS)
        return ship_rest(self, ctx);
    self->visit.asked_ns = aldis_now(ctx); /* of this visit, if it goes now */
    fill_request(self, &request);
    err = aldis_credit_try_send_raw(ctx, station, &request_docking_type, &request, sizeof request);
    if (err == ALDIS_EAGAIN) {
        self->visit.asked_ns = since_ns;
        if (self->phase != PHASE_HELD)
            chronicle_held(ship_chart(self)->chronicle, ctx, self);
        self->phase = PHASE_HELD;
        return ship_arm(self, ctx, NAP_NS); /* looks whether the stream is still there */
    }
    if (err != ALDIS_OK)
        return ship_rest(self, ctx);
    if (self->phase == PHASE_HELD)
        chronicle_let_in(ship_chart(self)->chronicle, ctx, self, aldis_now(ctx) - since_ns);
    self->phase = PHASE_NONE;
    (void)aldis_send(ctx, ship_chart(self)->ledger, ship_held,
                     .wait_ns = aldis_now(ctx) - since_ns);
    return ship_arm(self, ctx, NAP_NS);
}

void ship_close_credit(const struct ship *self, aldis_ctx *ctx)
{
    bool moored =
        self->state == SHIP_docking || self->state == SHIP_docked || self->state == SHIP_trading;
    if (moored && needs_credit(self))
        (void)aldis_credit_close(ctx, ship_station(self).id); /* it may have ended */
}

/* There is credit, or its stream has ended: it asks again, or tries another station. */
SHIP_ACTION(credit_hear, aldis_credit_notice)
{
    if (self->state != SHIP_docking || self->phase != PHASE_HELD ||
        !aldis_id_equal(msg->to, ship_station(self).id))
        return ALDIS_OK;
    return msg->result == ALDIS_OK ? ask_on_credit(self, ctx) : ship_rest(self, ctx);
}

aldis_err ship_ask_for_berth(struct ship *self, aldis_ctx *ctx)
{
    ship_lead(self, ctx, true);
    self->visit.asked_ns = aldis_now(ctx);
    self->visit.estimate_ns = 0;
    ship_enter(self, ctx, SHIP_docking);
    return needs_credit(self) ? ask_on_credit(self, ctx) : send_request(self, ctx);
}

/* What cannot be told to a station that is gone is lost. */
static void leave(const struct ship *self, aldis_ctx *ctx, aldis_id station, aldis_ns visit)
{
    NEW_MESSAGE(Undock, word);
    word.visit = visit;
    const aldis_send_item item = {
        .to = station, .type = &undock_type, .payload = &word, .size = sizeof word};
    (void)say_surely(self, ctx, STEP_LEAVE, item, visit);
}

void ship_give_up(struct ship *self, aldis_ctx *ctx)
{
    leave(self, ctx, ship_station(self).id, self->visit.asked_ns);
}

static aldis_err go_to_berth(struct ship *self, aldis_ctx *ctx, uint32_t berth)
{
    const struct scenario_station *station =
        &ship_chart(self)->scenario->stations.items[self->station];
    self->visit.berth = berth;
    self->phase = PHASE_APPROACH;
    (void)aldis_send(ctx, ship_chart(self)->ledger, ship_berthed, .station = self->station,
                     .wait_ns = aldis_now(ctx) - self->visit.asked_ns,
                     .estimate_ns = self->visit.estimate_ns);
    self->visit.until_ns = aldis_now(ctx) + station->approach_ns;
    return ship_arm(self, ctx, station->approach_ns);
}

/* The longest that a service takes, and time to hear of its end. */
static aldis_ns patience_ns(const struct ship *self)
{
    const struct scenario_station *station =
        &ship_chart(self)->scenario->stations.items[self->station];
    aldis_ns repair_ns = self->flags & SHIP_DAMAGED ? station->repair_ns : 0;
    aldis_ns care_ns = self->ill ? station->quarters_ns : 0;
    return 2 * station->service_ns + repair_ns + care_ns + station->permission_ns;
}

/* What takes longer than the usual service has to be asked for. */
static void ask_for_services(struct ship *self, aldis_ctx *ctx)
{
    NEW_MESSAGE(RequestServices, wish);
    wish.repairs = self->flags & SHIP_DAMAGED;
    wish.quarters = self->ill;
    wish.fuel = (uint64_t)(self->account.shape->tank - self->account.fuel);
    (void)SHIP_SAY(self, ctx, ship_station(self), request_services, &wish);
}

static aldis_err reach_berth(struct ship *self, aldis_ctx *ctx)
{
    NEW_MESSAGE(Docked, here);
    here.berth = self->visit.berth;
    here.visit = self->visit.asked_ns;
    const aldis_send_item item = {
        .to = ship_station(self).id, .type = &docked_type, .payload = &here, .size = sizeof here};
    if (say_surely(self, ctx, STEP_DOCK, item, here.visit) != ALDIS_OK)
        return ship_rest(self, ctx);
    if ((self->flags & SHIP_DAMAGED) || self->ill)
        ask_for_services(self, ctx);
    ship_enter(self, ctx, SHIP_docked);
    self->visit.until_ns = aldis_now(ctx) + patience_ns(self);
    return ship_arm(self, ctx, NAP_NS);
}

SHIP_ACTION(due_docking, ship_due)
{
    (void)msg;
    if (self->phase == PHASE_APPROACH)
        return reach_berth(self, ctx);
    if (self->phase == PHASE_HELD)
        return ask_on_credit(self, ctx);
    if (needs_credit(self) && self->phase == PHASE_NONE)
        return send_request(self, ctx); /* nobody repeats what went on credit */
    aldis_ns waited_ns = aldis_now(ctx) - self->visit.asked_ns;
    return waited_ns % ASK_AGAIN_NS < NAP_NS ? send_request(self, ctx)
                                             : ship_arm(self, ctx, NAP_NS);
}

aldis_err ship_dock_on(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns left_ns = self->visit.until_ns - aldis_now(ctx);
    if (self->phase != PHASE_APPROACH)
        left_ns = NAP_NS;
    return ship_arm(self, ctx, left_ns > 0 ? left_ns : 0);
}

/* Nobody has told us that the service is over: leave all the same. */
SHIP_ACTION(due_docked, ship_due)
{
    (void)msg;
    aldis_ns left_ns = self->visit.until_ns - aldis_now(ctx);
    if (left_ns > 0)
        return ship_arm(self, ctx, left_ns < NAP_NS ? left_ns : NAP_NS);
    ship_give_up(self, ctx);
    return ship_rest(self, ctx);
}

/* An answer to a request that we have given up since. */
SHIP_ACTION(permit_drop, docking_permission)
{
    aldis_id from = aldis_sender(ctx);
    if (msg->verdict != DOCKING_REFUSED && !aldis_id_is_nobody(from))
        leave(self, ctx, from, msg->visit);
    return ALDIS_OK;
}

/* Of this visit, and not of one before, here or elsewhere? */
static bool is_of_visit(const struct ship *self, aldis_ns visit, aldis_ctx *ctx)
{
    return visit == self->visit.asked_ns &&
           aldis_id_equal(aldis_sender(ctx), ship_station(self).id);
}

/* Too many asked: rest for at least so long, and then ask here again. A mind has its own will. */
static aldis_err come_again(struct ship *self, aldis_ctx *ctx, aldis_ns wait_ns)
{
    aldis_err err = ship_rest(self, ctx);
    aldis_ns rest_ns = ship_fleet(self)->rest_ns;
    if (!ship_has_mind(self))
        ship_set_goal(self, self->station);
    if (err != ALDIS_OK)
        return err;
    return ship_arm(self, ctx, wait_ns + (aldis_ns)aldis_random_below(ctx, (uint64_t)rest_ns + 1));
}

SHIP_ACTION(permit_hear, docking_permission)
{
    if (!is_of_visit(self, msg->visit, ctx))
        return permit_drop(self, msg, ctx);
    if (self->phase == PHASE_APPROACH)
        return permit_expiry(self, msg, ctx);
    switch (msg->verdict) {
    case DOCKING_GRANTED:
        return go_to_berth(self, ctx, msg->berth);
    case DOCKING_QUEUED:
        self->phase = PHASE_QUEUED;
        if (self->visit.estimate_ns == 0) /* the station's, and the way to there and back */
            self->visit.estimate_ns =
                aldis_now(ctx) - self->visit.asked_ns + msg->estimated_wait_ns;
        return ALDIS_OK;
    case DOCKING_REFUSED:
        break;
    }
    (void)aldis_signal(ctx, ship_chart(self)->ledger, ship_refused);
    chronicle_refusal(ship_chart(self)->chronicle, ctx, self, msg->reason, msg->estimated_wait_ns);
    if (msg->reason == REFUSAL_RATE)
        return come_again(self, ctx, msg->estimated_wait_ns);
    return ship_rest(self, ctx);
}

/* On the way to the berth or in it, the only news is that the permission has expired: ask again. */
SHIP_ACTION(permit_expiry, docking_permission)
{
    if (!is_of_visit(self, msg->visit, ctx))
        return permit_drop(self, msg, ctx);
    return msg->verdict == DOCKING_REFUSED ? ship_ask_for_berth(self, ctx) : ALDIS_OK;
}

SHIP_ACTION(served_here, service_done)
{
    if (!is_of_visit(self, msg->visit, ctx))
        return ALDIS_OK;
    bool thinks = ship_has_mind(self) && !(self->extra && self->extra->errand);
    return thinks ? ship_think_in_berth(self, ctx) : ship_begin_business(self, ctx);
}

/* Its crew is taken care of, and is well by the end of the service. A repair is paid for. */
SHIP_ACTION(services_here, service_availability)
{
    if (aldis_id_equal(aldis_sender(ctx), ship_station(self).id) && msg->quarters)
        self->ill = 0;
    return ALDIS_OK;
}

SHIP_PASS(services_late, service_availability)

/* The end of a service that we have left already. */
SHIP_PASS(served_late, service_done)

/* A station that was not reached in all attempts: it may have heard, so what it has for us is given
 * up, and we try another after a rest. That a word of leaving was lost is the station's to find
 * out. */
SHIP_ACTION(delivery_hear, aldis_delivered)
{
    bool waits =
        (self->state == SHIP_docking && self->phase == PHASE_NONE) || self->state == SHIP_docked;
    enum step needed = self->state == SHIP_docked ? STEP_DOCK : STEP_ASK;
    if (msg->result == ALDIS_OK || !waits ||
        msg->context != ((uint64_t)self->visit.asked_ns << STEP_BITS | needed) ||
        !aldis_id_equal(msg->id.to, ship_station(self).id))
        return ALDIS_OK;
    ship_give_up(self, ctx);
    return ship_rest(self, ctx);
}

/* ---- Orders to dock ---- */

/* Where it is already it asks at once; anywhere else it goes first, and so does one that was left
 * adrift elsewhere. */
SHIP_ACTION(dock_idle, initiate_docking)
{
    if (!ship_fits(self, msg->station))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    if (msg->station == self->station && ship_is_at_station(self))
        return ship_ask_for_berth(self, ctx);
    ship_set_goal(self, msg->station);
    return ship_depart(self, ctx);
}

SHIP_ACTION(dock_flying, initiate_docking)
{
    const SetDestination there = {.station = msg->station};
    return order_flying(self, &there, ctx);
}

SHIP_ACTION(dock_docking, initiate_docking)
{
    const SetDestination there = {.station = msg->station};
    if (msg->station == self->station)
        return ALDIS_OK; /* it does */
    return order_docking(self, &there, ctx);
}

SHIP_ACTION(dock_refuse, initiate_docking)
{
    (void)msg;
    return ship_refuse(self, ctx, &initiate_docking_type, REFUSAL_STATE);
}
