// SPDX-License-Identifier: Apache-2.0
/* ship.c: the actor that is a ship: its states, its table, its life. Layer: space.
 *
 * A ship is a state machine with one table: SHIP_TABLE below says for each message what it does in
 * each state. What it does is in the other ship_*.c; see ship.h. */
#include "ship.h"

#include "bounds.h"
#include "chronicle.h"
#include "digest.h"
#include "mind_leaves.h"

#include <aldis/timer.h>
#include <stdlib.h>

/* ---- What a ship knows ---- */

station_ref ship_station(const struct ship *self)
{
    return ship_chart(self)->stations[self->station];
}

bool ship_fits(const struct ship *self, uint32_t station)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    return station < scenario->stations.count &&
           scenario_station_takes(&scenario->stations.items[station], ship_class(self));
}

const char *ship_state_word(const struct ship *self)
{
#define STATE_NAME(name) #name,
    static const char *const names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    return names[self->state];
}

struct ship_extra *ship_extra(struct ship *self)
{
    if (!self->extra)
        self->extra = calloc(1, sizeof *self->extra);
    return self->extra;
}

struct ship_rare *ship_rare(struct ship *self)
{
    struct ship_extra *extra = ship_extra(self);
    if (extra && !extra->rare)
        extra->rare = calloc(1, sizeof *extra->rare);
    return extra ? extra->rare : NULL;
}

struct ship_plan *ship_plan(struct ship *self, uint32_t count)
{
    struct ship_extra *extra = ship_extra(self);
    if (!extra)
        return NULL;
    free(extra->plan);
    extra->plan = malloc(sizeof *extra->plan + count * sizeof extra->plan->items[0]);
    if (extra->plan)
        extra->plan->count = count;
    return extra->plan;
}

void ship_free_extra(struct ship *self)
{
    struct ship_extra *extra = self->extra;
    if (!extra)
        return;
    free(extra->hazards);
    free(extra->plan);
    free(extra->rare);
    free(extra->errand);
    free(extra);
    self->extra = NULL;
}

void ship_drop_extra(struct ship *self, aldis_ns now_ns)
{
    const struct ship_extra *extra = self->extra;
    if (!extra || extra->errand || (self->flags & (SHIP_LEADS | SHIP_CALLED)) ||
        self->mission != MISSION_OWN)
        return;
    const struct ship_rare *rare = extra->rare;
    if (rare && (rare->weather.until_ns > now_ns || rare->formation.leader.bits != 0))
        return;
    for (uint32_t i = 0; i < extra->hazard_count; i++)
        if (extra->hazards[i].until_ns > now_ns)
            return;
    ship_free_extra(self);
}

/* ---- From state to state ---- */

aldis_err ship_arm(struct ship *self, aldis_ctx *ctx, aldis_ns delay_ns)
{
    ship_ref me = {.id = aldis_self(ctx)};
    aldis_ns due_ns = aldis_now(ctx) + delay_ns;
    if (due_ns == self->due_ns)
        return ALDIS_OK; /* a wake-up for that is under way */
    aldis_err err = aldis_signal_after(ctx, delay_ns, me, ship_due);
    aldis_timer timer;
    if (err != ALDIS_OK) /* it has sent too much in this window; a timer costs more */
        err = aldis_timer_start_raw(ctx, &(aldis_timer_opts){.delay_ns = delay_ns}, &ship_due_type,
                                    NULL, 0, &timer);
    self->due_ns = err == ALDIS_OK ? due_ns : ALDIS_FOREVER;
    return err;
}

void ship_enter(struct ship *self, aldis_ctx *ctx, enum space_ship_state state)
{
    self->due_ns = ALDIS_FOREVER;
    self->phase = PHASE_NONE;
    if (state == SHIP_idle || state == SHIP_flying || state == SHIP_emergency) {
        ship_close_credit(self, ctx);
        ship_end_errand(self, ctx);
    }
    self->flags &= (uint8_t)~SHIP_JOINING;
    chronicle_state(ship_chart(self)->chronicle, ctx, self, state);
    if (self->state == SHIP_flying && state != SHIP_flying)
        ship_tell_course(self, ctx, true);
    bool moves = self->state == SHIP_flying || state == SHIP_flying || state == SHIP_emergency;
    self->state = state & 7u;
    self->untold = 0;
    if (moves || ship_chart(self)->signals)
        ship_tell_place(self, ctx);
}

aldis_err ship_rest(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns rest_ns = ship_fleet(self)->rest_ns;
    if (self->state != SHIP_flying && self->state != SHIP_idle)
        ship_cast_off(self, aldis_now(ctx)); /* it has gone round with its station */
    ship_enter(self, ctx, SHIP_idle);
    self->mission = MISSION_OWN;
    ship_drop_extra(self, aldis_now(ctx));
    ship_tell_place(self, ctx);
    return ship_arm(self, ctx,
                    rest_ns / 100 + (aldis_ns)aldis_random_below(ctx, (uint64_t)rest_ns + 1));
}

aldis_err ship_refuse(struct ship *self, aldis_ctx *ctx, const aldis_type *type, Refusal reason)
{
    return refuse_message(ctx, type, ship_state_word(self), reason,
                          ship_signal_ns(self, ctx, aldis_sender(ctx)));
}

/* ---- Short actions ---- */

static aldis_err wake_idle(struct ship *self, const ship_due_payload *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->flags & SHIP_PAUSED)
        return ship_arm(self, ctx, ship_fleet(self)->rest_ns + 1);
    if (ship_join(self, ctx))
        return ship_arm(self, ctx, ASK_AGAIN_NS);
    return ship_has_mind(self) ? ship_think_at_rest(self, ctx) : ship_depart(self, ctx);
}

static aldis_err shut_down(struct ship *self, const Shutdown *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->state == SHIP_docking || self->state == SHIP_docked || self->state == SHIP_trading)
        ship_give_up(self, ctx);
    ship_end_errand(self, ctx);
    ship_lead(self, ctx, true);
    if (self->state == SHIP_flying)
        ship_tell_course(self, ctx, true);
    return aldis_stop(ctx, aldis_self(ctx));
}

/* Under way it comes to rest. In port it goes on with what it does there, and does not set out. */
static aldis_err halt_here(struct ship *self, const Pause *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (self->state == SHIP_flying) {
        ship_move(self, aldis_now(ctx));
        ship_brake(self, aldis_now(ctx));
        ship_tell_course(self, ctx, false);
    }
    self->flags |= SHIP_PAUSED;
    return ALDIS_OK;
}

static aldis_err go_on(struct ship *self, const Resume *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (!(self->flags & SHIP_PAUSED))
        return ALDIS_OK;
    if (self->state == SHIP_flying)
        ship_move(self, aldis_now(ctx)); /* so far as one that is paused */
    self->flags &= (uint8_t)~SHIP_PAUSED;
    return self->state == SHIP_flying ? ship_steer(self, ctx) : ALDIS_OK;
}

static aldis_err tell_status(struct ship *self, const GetStatus *msg, aldis_ctx *ctx)
{
    (void)msg;
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "status asked for nobody");
    NEW_MESSAGE(ShipStatus, status);
    snprintf(status.state, sizeof status.state, "%s", ship_state_word(self));
    status.station = self->station;
    status.paused = (self->flags & SHIP_PAUSED) != 0;
    if (self->state == SHIP_flying || self->state == SHIP_emergency)
        ship_move(self, aldis_now(ctx));
    status.position = wire_vec(self->motion.position);
    status.velocity = wire_vec(self->motion.velocity);
    status.fuel = (uint64_t)self->account.fuel;
    status.credits = self->account.credits;
    /* One that cannot be told does not want to know: the runtime has counted it. */
    (void)ship_reply(self, ctx, &ship_status_type, &status, sizeof status);
    return ALDIS_OK;
}

#define PASS(name, message) static SHIP_PASS(name, message)

/* What others could not do for us: on purpose nothing. */
PASS(note_refusal, refused)

/* ---- The table ---- */

/* clang-format off */
#define SHIP_SAME(X, message, action) X(message, action, action, action, action, action, action)
#define SHIP_TABLE(X)                                                                              \
    /* a message; what a ship does: idle, flying, docking, docked, trading, in an emergency */     \
    X(update_position,                                                                             \
      step_still,    step_on,       step_still,    step_still,    step_still,    step_on)          \
    X(set_destination,                                                                             \
      order_idle,    order_flying,  order_docking, order_docked,  order_docked,  order_refuse)     \
    X(initiate_docking,                                                                            \
      dock_idle,     dock_flying,   dock_docking,  dock_refuse,   dock_refuse,   dock_refuse)      \
    X(process_trade_offer,                                                                         \
      offer_refuse,  offer_refuse,  offer_refuse,  offer_here,    offer_refuse,  offer_refuse)     \
    X(handle_emergency,                                                                            \
      alarm_sound,   alarm_sound,   alarm_sound,   alarm_moored,  alarm_moored,  alarm_refuse)     \
    X(propose_trade,                                                                               \
      propose_now,   propose_deny,  propose_deny,  propose_now,   propose_deny,  propose_deny)     \
    SHIP_SAME(X, shutdown, shut_down)                                                              \
    SHIP_SAME(X, pause, halt_here)                                                                 \
    SHIP_SAME(X, resume, go_on)                                                                    \
    SHIP_SAME(X, get_status, tell_status)                                                          \
    X(formation_request,                                                                           \
      follower_hear, follower_hear, follower_deny, follower_hear, follower_hear, follower_deny)    \
    X(formation_answer,                                                                            \
      slot_take,     slot_late,     slot_late,     slot_late,     slot_late,     slot_late)        \
    X(formation_lead,                                                                              \
      lead_start,    lead_on,       lead_late,     lead_late,     lead_late,     lead_late)        \
    X(trade_offer,                                                                                 \
      peer_consider, peer_consider, peer_refuse,   peer_consider, peer_consider, peer_consider)    \
    SHIP_SAME(X, trade_answer, trade_hear)                                                         \
    SHIP_SAME(X, trade_settled, trade_close)                                                       \
    X(distress_signal,                                                                             \
      distress_go,   distress_pass, distress_pass, distress_pass, distress_pass, distress_pass)    \
    X(distress_answer,                                                                             \
      help_decline,  help_decline,  help_decline,  help_decline,  help_decline,  help_accept)      \
    X(stand_down,                                                                                  \
      rescue_late,   rescue_end,    rescue_late,   rescue_late,   rescue_late,   rescue_late)      \
    X(aid,                                                                                         \
      aid_late,      aid_late,      aid_late,      aid_late,      aid_late,      aid_take)         \
    X(docking_permission,                                                                          \
      permit_drop,   permit_drop,   permit_hear,   permit_expiry, permit_expiry, permit_drop)      \
    X(service_done,                                                                                \
      served_late,   served_late,   served_late,   served_here,   served_late,   served_late)      \
    X(service_availability,                                                                        \
      services_late, services_late, services_late, services_here, services_late, services_late)    \
    X(market_prices,                                                                               \
      prices_late,   prices_late,   prices_late,   prices_late,   prices_plan,   prices_late)      \
    SHIP_SAME(X, market_update, note_update)                                                       \
    SHIP_SAME(X, navigation_hazard, hazard_note)                                                   \
    SHIP_SAME(X, weather_alert, weather_note)                                                      \
    SHIP_SAME(X, refused, note_refusal)                                                            \
    SHIP_SAME(X, aldis_delivered, delivery_hear)                                                   \
    SHIP_SAME(X, aldis_credit_notice, credit_hear)                                                 \
    X(ship_due,                                                                                    \
      wake_idle,     due_flying,    due_docking,   due_docked,    due_trading,   due_emergency)
/* clang-format on */

_Static_assert(SHIP_emergency == 5 && SPACE_SHIP_STATE_COUNT == 6, "the table's columns");

static inline bool is_own_timer(const aldis_type *type)
{
    return type == &ship_due_type;
}

static bool is_due(const struct ship *self, aldis_ctx *ctx)
{
    if (self->due_ns == ALDIS_FOREVER) /* it could not be armed: see watch_timer */
        return ship_chart(self)->scenario->limits.memory > 0;
    return aldis_now(ctx) >= self->due_ns - ship_chart(self)->early_ns;
}

/* A timer that the ship has outlived is no news; any other message has to keep its rules. */
static aldis_err admit(struct ship *self, const aldis_type *type, const void *payload,
                       aldis_ctx *ctx, bool *out_void)
{
    *out_void = false;
    if (!is_own_timer(type)) {
        if (type != &aldis_delivered_type && type != &aldis_credit_notice_type)
            bounds_work(ship_chart(self), ctx, ACTOR_SHIP);
        return check_message(ctx, type, payload);
    }
    *out_void = !is_due(self, ctx);
    if (*out_void)
        return ALDIS_OK;
    self->due_ns = ALDIS_FOREVER;
    if (account_is_open(&self->account))
        ship_press_trade(self, ctx);
    return ALDIS_OK;
}

/* The handler of a message: its row of the table. */
#define SHIP_ROW(message, idle, flying, docking, docked_, trading, emergency)                      \
    static aldis_err ship_on_##message(struct ship_actor *actor, const message##_payload *msg,     \
                                       aldis_ctx *ctx)                                             \
    {                                                                                              \
        static aldis_err (*const row[])(struct ship *, const message##_payload *, aldis_ctx *) = { \
            idle, flying, docking, docked_, trading, emergency};                                   \
        bool is_void;                                                                              \
        aldis_err err = admit(actor->ship, &message##_type, msg, ctx, &is_void);                   \
        return err != ALDIS_OK || is_void ? err : row[actor->ship->state](actor->ship, msg, ctx);  \
    }
SHIP_TABLE(SHIP_ROW)

/* ---- Life ---- */

/* Again, after a crash: the page knows all. What it was about is done anew from where it is; what
 * it waits for comes when it would have. */
static aldis_err live_on(struct ship *self, aldis_ctx *ctx, aldis_ns due_ns)
{
    ship_tell_place(self, ctx);
    switch ((enum space_ship_state)self->state) {
    case SHIP_flying:
        ship_move(self, aldis_now(ctx));
        return ship_steer(self, ctx);
    case SHIP_docking:
        return ship_dock_on(self, ctx);
    case SHIP_docked:
    case SHIP_trading:
    case SHIP_idle:
    case SHIP_emergency:
        break;
    }
    aldis_ns left_ns = due_ns - aldis_now(ctx);
    if (due_ns == ALDIS_FOREVER)
        left_ns = TRADE_AGAIN_NS;
    return ship_arm(self, ctx, left_ns > 0 ? left_ns : 0);
}

/* Where there is a budget of memory a timer may be refused, and a ship without one would wait for
 * ever. So another one, which is made while there is room, wakes it at times. */
static aldis_err watch_timer(const struct ship *self, aldis_ctx *ctx)
{
    aldis_timer timer;
    const aldis_timer_opts opts = {.delay_ns = CALL_AGAIN_NS, .period_ns = CALL_AGAIN_NS};
    if (ship_chart(self)->scenario->limits.memory == 0)
        return ALDIS_OK;
    return aldis_timer_every_raw(ctx, &opts, &ship_due_type, NULL, 0, &timer);
}

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = *(struct ship *const *)arg;
    ((struct ship_actor *)state)->ship = self;
    aldis_id *ids = ship_chart(self)->books->ids;
    if (ids)
        ids[ship_number(self)] = aldis_self(ctx);
    aldis_err err = watch_timer(self, ctx);
    if (err != ALDIS_OK)
        return err;
    aldis_ns due_ns = self->due_ns;
    self->due_ns = ALDIS_FOREVER; /* its wake-up may have gone with the actor before */
    if (self->flags & SHIP_STARTED)
        return live_on(self, ctx, due_ns);
    self->flags |= SHIP_STARTED;
    self->motion.position = ship_station_position(self, aldis_now(ctx));
    self->moved_ns = aldis_now(ctx);
    ship_tell_place(self, ctx);
    uint64_t departure_ns = (uint64_t)ship_fleet(self)->departure_ns;
    return ship_arm(self, ctx, (aldis_ns)aldis_random_below(ctx, departure_ns + 1));
}

/* Our own mailbox was full when our timer was due: look again soon. What did not reach others is
 * asked again, until it is answered or has ended for good. */
static void ship_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct ship *self = ((struct ship_actor *)state)->ship;
    if (aldis_id_equal(notice->to, aldis_self(ctx)) && is_due(self, ctx))
        (void)ship_arm(self, ctx, ALDIS_SECOND);
}

static const char *ship_state_name(const void *state)
{
    return ship_state_word(((const struct ship_actor *)state)->ship);
}

static uint64_t ship_digest(const void *state)
{
    const struct ship *self = ((const struct ship_actor *)state)->ship;
    uint64_t digest = digest_mix(self->state * 256u + self->phase, self->station);
    digest = digest_vec(digest, self->motion.position);
    digest = digest_vec(digest, self->motion.velocity);
    digest = digest_mix(digest, (uint64_t)self->account.credits);
    digest = digest_mix(digest, (uint64_t)self->account.fuel);
    return digest_mix(digest, (uint64_t)self->moved_ns);
}

ALDIS_BEHAVIOUR(ship, struct ship_actor, SHIP_PROTOCOL, .on_start = ship_start,
                .on_undelivered = ship_undelivered, .state_name = ship_state_name,
                .digest = ship_digest);
