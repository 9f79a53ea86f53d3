// SPDX-License-Identifier: Apache-2.0
/* rescue.c: the rescue service: tugs for those whom no ship nearby comes to help. Layer: space.
 *
 * It hears every call, waits a little for others to answer, and then sends a tug, which takes its
 * way at its speed. When all are out, whoever has called first gets the next one that is back, so
 * nobody waits for ever. Its tugs carry fuel, which it gives by the same trade as ships do: one at
 * a time, since it has one purse. */
#include "books.h"
#include "bounds.h"
#include "chronicle.h"
#include "digest.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 1024
#define GIVE_AGAIN_NS (5 * ALDIS_SECOND)
#define VALID_NS (60 * ALDIS_SECOND)

/* Others may still answer it; it waits for a tug; a tug is on its way to it, or there; and back. */
enum call_state { CALL_NONE, CALL_WAITS, CALL_NEXT, CALL_UNDER_WAY, CALL_RETURNS };

struct call {
    enum call_state state;
    EmergencyKind kind;
    aldis_id ship;
    uint32_t account, change;
    struct vec place;
    aldis_ns timer_ns; /* when it is looked at next */
    uint64_t number;   /* of all calls so far: the lower, the earlier */
};

/* Its page in the books, so that a restart goes on with what there is; and what it has sent itself
 * still comes. */
struct rescue {
    const struct chart *chart;
    struct account *account;
    int64_t gift;  /* nano of fuel that a ship is offered: half of the largest tank */
    uint32_t busy; /* tugs */
    uint32_t helped, left_out;
    uint64_t heard; /* calls so far */
    bool paused;    /* no tug sets out */
    struct call calls[CALLS_MAX];
};

/* The actor. */
struct rescue_actor {
    struct rescue *page;
};

static const struct scenario_rescue *plan_of(const struct rescue *self)
{
    return &self->chart->scenario->rescue;
}

static aldis_err rescue_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    const struct chart *chart = *(const struct chart *const *)arg;
    struct rescue **page = &chart->books->rescue_page;
    bool again = *page != NULL;
    if (!again)
        *page = calloc(1, sizeof **page);
    struct rescue *self = ((struct rescue_actor *)state)->page = *page;
    if (again || !self)
        return again ? ALDIS_OK : ALDIS_ENOMEM;
    self->chart = chart;
    self->account = &self->chart->books->rescue;
    const struct scenario *scenario = self->chart->scenario;
    for (uint32_t i = 0; i < scenario->classes.count; i++) {
        int64_t half = (int64_t)(scenario->classes.items[i].tank * FUEL_NANO / 2);
        self->gift = half > self->gift ? half : self->gift;
    }
    return ALDIS_OK;
}

static uint32_t account_of(const struct rescue *self)
{
    return self->chart->books->station_count;
}

/* What a tug says comes from where it is. What the service hears, it hears at its station. */
static aldis_ns tug_signal_ns(const struct rescue *self, aldis_ctx *ctx, const struct call *call)
{
    const struct speaker tug = {account_of(self), call->place};
    return signals_delay(self->chart, ctx, &tug, call->ship);
}

static aldis_ns base_signal_ns(const struct rescue *self, aldis_ctx *ctx, aldis_id to)
{
    const struct scenario *scenario = self->chart->scenario;
    const struct speaker base = {
        account_of(self),
        scenario_station_position(scenario, plan_of(self)->station, aldis_now(ctx))};
    return signals_delay(self->chart, ctx, &base, to);
}

/* A timer of this call; an earlier one is void. */
static aldis_err arm(struct rescue *self, aldis_ctx *ctx, uint32_t index, aldis_ns delay_ns)
{
    rescue_ref me = {.id = aldis_self(ctx)};
    self->calls[index].timer_ns = aldis_now(ctx) + delay_ns;
    return aldis_send_after(ctx, delay_ns, me, tug_due, .call = index,
                            .change = ++self->calls[index].change);
}

static uint32_t find_call(const struct rescue *self, aldis_id ship)
{
    uint32_t i = 0;
    while (i < CALLS_MAX &&
           !(self->calls[i].state != CALL_NONE && aldis_id_equal(self->calls[i].ship, ship)))
        i++;
    return i;
}

static uint32_t free_call(const struct rescue *self)
{
    uint32_t i = 0;
    while (i < CALLS_MAX && self->calls[i].state != CALL_NONE)
        i++;
    return i;
}

static aldis_err rescue_on_distress_signal(struct rescue_actor *actor, const DistressSignal *msg,
                                           aldis_ctx *ctx)
{
    struct rescue *self = actor->page;
    bounds_work(self->chart, ctx, ACTOR_RESCUE);
    aldis_id ship = aldis_sender(ctx);
    aldis_err err = check_message(ctx, &distress_signal_type, msg);
    if (err != ALDIS_OK || aldis_id_is_nobody(ship))
        return err;
    uint32_t index = find_call(self, ship);
    bool known = index < CALLS_MAX;
    if (!known)
        index = free_call(self);
    if (index == CALLS_MAX) {
        self->left_out++; /* it calls again */
        return ALDIS_OK;
    }
    struct call *call = &self->calls[index];
    call->ship = ship;
    call->kind = msg->kind;
    call->account = msg->account;
    call->place = vec_of(&msg->location);
    if (known)
        return ALDIS_OK;
    call->state = CALL_WAITS;
    call->number = ++self->heard;
    return arm(self, ctx, index, plan_of(self)->patience_ns);
}

static aldis_ns way_ns(const struct rescue *self, const struct call *call, aldis_ns now_ns)
{
    struct vec base =
        scenario_station_position(self->chart->scenario, plan_of(self)->station, now_ns);
    double seconds = vec_length(vec_sub(call->place, base)) / plan_of(self)->speed;
    return seconds < 1e9 ? (aldis_ns)(seconds * 1e9) + 1 : ALDIS_FOREVER / 4;
}

static void give_fuel(struct rescue *self, aldis_ctx *ctx, const struct call *call)
{
    if (account_is_open(self->account))
        return;
    int64_t nano = self->gift < self->account->fuel ? self->gift : self->account->fuel;
    struct terms most = {.fuel = nano};
    aldis_ns until_ns = aldis_now(ctx) + VALID_NS;
    if (nano == 0 ||
        account_hold(self->account, &most, call->ship, call->account, until_ns) != ACCOUNT_DONE)
        return; /* nothing to give: the ship calls on */
    struct pending *pending = self->account->dealings->pending;
    chronicle_offered(self->chart->chronicle, ctx, account_of(self), pending, &most);
    TradeOffer *trade = &pending->offer.trade;
    memset(&pending->offer, 0, sizeof pending->offer);
    trade->number = pending->number;
    trade->account = account_of(self);
    trade->gift = 1;
    trade->valid_until_ns = until_ns;
    trade->fuel = (uint64_t)nano;
    ship_ref to = {.id = call->ship};
    aldis_send_opts opts = {.delay_ns = tug_signal_ns(self, ctx, call)};
    if (aldis_send_with(ctx, to, trade_offer, trade, &opts) != ALDIS_OK)
        (void)account_settle(self->account, pending->number, NULL);
}

/* What was offered and not answered is offered again; the dead have taken it or not. */
static void press(struct rescue *self, aldis_ctx *ctx)
{
    const struct pending *pending = account_pending(self->account);
    if (!pending)
        return;
    ship_ref to = {.id = pending->peer};
    if (!aldis_is_closed(ctx, to.id)) {
        uint32_t index = find_call(self, to.id);
        aldis_ns delay_ns = index < CALLS_MAX ? tug_signal_ns(self, ctx, &self->calls[index])
                                              : base_signal_ns(self, ctx, to.id);
        (void)aldis_send_with(ctx, to, trade_offer, &pending->offer.trade,
                              &(aldis_send_opts){.delay_ns = delay_ns});
        return;
    }
    books_settle_with_dead(self->chart->books, self->account, account_of(self));
}

static aldis_err arrive(struct rescue *self, aldis_ctx *ctx, uint32_t index)
{
    struct call *call = &self->calls[index];
    ship_ref to = {.id = call->ship};
    NEW_MESSAGE(Aid, help);
    help.kind = call->kind == EMERGENCY_OUT_OF_FUEL ? AID_FUEL : AID_TOW;
    if (aldis_send_with(ctx, to, aid, &help,
                        &(aldis_send_opts){.delay_ns = tug_signal_ns(self, ctx, call)}) !=
        ALDIS_OK) {
        call->state = CALL_RETURNS; /* nobody is there */
        return arm(self, ctx, index, way_ns(self, call, aldis_now(ctx)));
    }
    if (call->kind == EMERGENCY_OUT_OF_FUEL)
        give_fuel(self, ctx, call);
    /* It stays until the ship says that it can go on. */
    return arm(self, ctx, index, GIVE_AGAIN_NS);
}

/* The earliest call that waits for a tug; CALLS_MAX: there is none. */
static uint32_t next_call(const struct rescue *self)
{
    uint32_t next = CALLS_MAX;
    for (uint32_t i = 0; i < CALLS_MAX; i++)
        if (self->calls[i].state == CALL_NEXT &&
            (next == CALLS_MAX || self->calls[i].number < self->calls[next].number))
            next = i;
    return next;
}

/* Send out whatever tugs there are for those who wait for one. */
static aldis_err send_tugs(struct rescue *self, aldis_ctx *ctx)
{
    aldis_err err = ALDIS_OK;
    while (err == ALDIS_OK && !self->paused && self->busy < plan_of(self)->tugs) {
        uint32_t next = next_call(self);
        if (next == CALLS_MAX)
            break;
        self->busy++;
        self->calls[next].state = CALL_UNDER_WAY;
        err = arm(self, ctx, next, way_ns(self, &self->calls[next], aldis_now(ctx)));
    }
    return err;
}

static aldis_err rescue_on_tug_due(struct rescue_actor *actor, const struct tug_due *msg,
                                   aldis_ctx *ctx)
{
    struct rescue *self = actor->page;
    struct call *call = &self->calls[msg->call];
    if (call->change != msg->change)
        return ALDIS_OK;
    press(self, ctx);
    switch (call->state) {
    case CALL_NONE:
    case CALL_NEXT:
        break;
    case CALL_WAITS:
        call->state = CALL_NEXT;
        call->timer_ns = ALDIS_FOREVER;
        return send_tugs(self, ctx);
    case CALL_UNDER_WAY:
        return arrive(self, ctx, msg->call);
    case CALL_RETURNS:
        call->state = CALL_NONE;
        self->busy--;
        self->helped++;
        return send_tugs(self, ctx);
    }
    return ALDIS_OK;
}

/* The ship can go on. */
static aldis_err rescue_on_stand_down(struct rescue_actor *actor, const StandDown *msg,
                                      aldis_ctx *ctx)
{
    struct rescue *self = actor->page;
    bounds_work(self->chart, ctx, ACTOR_RESCUE);
    (void)msg;
    uint32_t index = find_call(self, aldis_sender(ctx));
    if (index == CALLS_MAX)
        return ALDIS_OK;
    struct call *call = &self->calls[index];
    if (call->state == CALL_WAITS || call->state == CALL_NEXT)
        call->state = CALL_NONE;
    if (call->state != CALL_UNDER_WAY)
        return ALDIS_OK;
    call->state = CALL_RETURNS;
    return arm(self, ctx, index, way_ns(self, call, aldis_now(ctx)));
}

static aldis_err rescue_on_trade_answer(struct rescue_actor *actor, const TradeAnswer *msg,
                                        aldis_ctx *ctx)
{
    const struct rescue *self = actor->page;
    bounds_work(self->chart, ctx, ACTOR_RESCUE);
    aldis_err err = check_message(ctx, &trade_answer_type, msg);
    if (err != ALDIS_OK)
        return err;
    struct terms terms = account_answer_terms(msg);
    const struct pending *pending = account_pending(self->account);
    bool ours = account_is_open(self->account) && pending->number == msg->number &&
                aldis_id_equal(pending->peer, aldis_sender(ctx));
    uint32_t responder = ours ? pending->peer_account : 0;
    if (ours && !account_settle(self->account, msg->number, msg->accepted ? &terms : NULL))
        return aldis_fail(ctx, "an answer to a gift on other terms");
    if (ours)
        chronicle_settled(self->chart->chronicle, ctx, account_of(self), responder, msg);
    tell_settled(ctx, msg, account_of(self), base_signal_ns(self, ctx, aldis_sender(ctx)));
    return ALDIS_OK;
}

/* ---- Control ---- */

/* Tugs that are out go on; calls are heard, and keep their turns. */
static aldis_err rescue_on_pause(struct rescue_actor *actor, const Pause *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(actor->page->chart, ctx, ACTOR_RESCUE);
    actor->page->paused = true;
    return ALDIS_OK;
}

static aldis_err rescue_on_resume(struct rescue_actor *actor, const Resume *msg, aldis_ctx *ctx)
{
    (void)msg;
    bounds_work(actor->page->chart, ctx, ACTOR_RESCUE);
    actor->page->paused = false;
    return send_tugs(actor->page, ctx);
}

static aldis_err rescue_on_get_status(struct rescue_actor *actor, const GetStatus *msg,
                                      aldis_ctx *ctx)
{
    (void)msg;
    const struct rescue *self = actor->page;
    bounds_work(self->chart, ctx, ACTOR_RESCUE);
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "status asked for nobody");
    NEW_MESSAGE(RescueStatus, status);
    status.paused = self->paused;
    status.tugs = plan_of(self)->tugs;
    status.busy = self->busy;
    for (uint32_t i = 0; i < CALLS_MAX; i++)
        status.calls += self->calls[i].state == CALL_WAITS || self->calls[i].state == CALL_NEXT;
    status.fuel = (uint64_t)self->account->fuel;
    (void)reply_after(ctx, base_signal_ns(self, ctx, aldis_sender(ctx)), &rescue_status_type,
                      &status, sizeof status);
    return ALDIS_OK;
}

/* Our own mailbox was full when a call was to be looked at: look at it soon. */
static void rescue_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct rescue *self = ((const struct rescue_actor *)state)->page;
    if (!aldis_id_equal(notice->to, aldis_self(ctx)))
        return;
    for (uint32_t i = 0; i < CALLS_MAX; i++)
        if (self->calls[i].state != CALL_NONE && self->calls[i].timer_ns <= aldis_now(ctx))
            (void)arm(self, ctx, i, ALDIS_SECOND);
}

/* How long until what a tug is out for is done, from now on. */
static aldis_ns work_ns(const struct rescue *self, const struct call *call, aldis_ns now_ns)
{
    aldis_ns left_ns = call->timer_ns > now_ns ? call->timer_ns - now_ns : 0;
    aldis_ns way = way_ns(self, call, now_ns);
    switch (call->state) {
    case CALL_NONE:
        break;
    case CALL_WAITS:
    case CALL_NEXT:
        return 2 * way + GIVE_AGAIN_NS;
    case CALL_UNDER_WAY:
        return left_ns + way + GIVE_AGAIN_NS;
    case CALL_RETURNS:
        return left_ns;
    }
    return 0;
}

/* A tug that is sent to the earliest call whenever one is back is out until then: so those before
 * it take no longer than all their ways, shared by all tugs (Graham, 1966). */
aldis_ns rescue_wait_ns(const struct rescue *page, uint32_t account, aldis_ns now_ns)
{
    uint32_t own = 0;
    while (page && own < CALLS_MAX &&
           (page->calls[own].state == CALL_NONE || page->calls[own].account != account))
        own++;
    if (!page || own == CALLS_MAX || page->calls[own].state == CALL_RETURNS)
        return 0;
    const struct call *call = &page->calls[own];
    aldis_ns left_ns = call->timer_ns > now_ns ? call->timer_ns - now_ns : 0;
    if (call->state == CALL_UNDER_WAY)
        return left_ns + GIVE_AGAIN_NS;
    aldis_ns before_ns = call->state == CALL_WAITS ? left_ns : 0;
    for (uint32_t i = 0; i < CALLS_MAX && before_ns < ALDIS_FOREVER / 8; i++)
        if (page->calls[i].state != CALL_NONE && page->calls[i].number < call->number)
            before_ns += work_ns(page, &page->calls[i], now_ns) / plan_of(page)->tugs;
    return before_ns + way_ns(page, call, now_ns) + GIVE_AGAIN_NS;
}

static uint64_t rescue_digest(const void *state)
{
    const struct rescue *self = ((const struct rescue_actor *)state)->page;
    return digest_mix(digest_mix(self->busy, self->helped), (uint64_t)self->account->fuel);
}

ALDIS_BEHAVIOUR(rescue, struct rescue_actor, RESCUE_PROTOCOL, .on_start = rescue_start,
                .on_undelivered = rescue_undelivered, .digest = rescue_digest,
                .mailbox = {.capacity_msgs = 65536, .capacity_bytes = 64u << 20});
