// SPDX-License-Identifier: Apache-2.0
/* ship_distress.c: emergencies, a ship's own and those of others. See ship.h. Layer: space.
 *
 * A ship in an emergency brakes, lies where it is driven, and calls for help until it is over. Of
 * those that answer it takes the first and sends the others back; one that does not come in time is
 * given up. Engine, hull and crew are mended by a helper, or in the end by the ship's own crew;
 * pirates go when somebody comes, or when they have had enough; an empty tank waits for fuel. */
#include "chronicle.h"
#include "maths.h"
#include "mind_leaves.h"
#include "nearby.h"
#include "ship.h"

/* Calls go as far as any class answers. */
static double call_range(const struct ship *self)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    double range = 0;
    for (uint32_t i = 0; i < scenario->classes.count; i++)
        if (scenario->classes.items[i].distress_range > range)
            range = scenario->classes.items[i].distress_range;
    return range;
}

void ship_draw_failure(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns mean_ns = ship_class(self)->failure_ns;
    self->fail_s = 0;
    if (mean_ns == 0)
        return;
    double wait_ns = -maths_log(1 - aldis_random_unit(ctx)) * (double)mean_ns;
    double then_s = ((double)aldis_now(ctx) + wait_ns) * 1e-9;
    if (then_s < UINT32_MAX)
        self->fail_s = (uint32_t)then_s + 1;
}

/* ---- Its own ---- */

static void call_for_help(struct ship *self, aldis_ctx *ctx)
{
    static const uint32_t severities[] = {[EMERGENCY_ENGINE_FAILURE] = 5,
                                          [EMERGENCY_HULL_BREACH] = 9,
                                          [EMERGENCY_CREW_MEDICAL] = 6,
                                          [EMERGENCY_PIRATES] = 8,
                                          [EMERGENCY_OUT_OF_FUEL] = 3};
    NEW_MESSAGE(DistressSignal, call);
    call.kind = self->extra->rare->emergency.kind;
    call.severity = severities[call.kind];
    /* Where it will be at rest; without fuel it drifts on, and calls again from there. */
    bool brakes = self->account.fuel > 0;
    call.location = wire_vec(brakes ? self->aim : self->motion.position);
    call.account = ship_account(self);
    const struct speaker me = {ship_account(self), self->motion.position};
    (void)nearby_tell(
        ctx, ship_chart(self), &me, call_range(self),
        &(aldis_send_item){.type = &distress_signal_type, .payload = &call, .size = sizeof call});
    if (!aldis_id_is_nobody(ship_chart(self)->rescue.id))
        (void)SHIP_SAY(self, ctx, ship_chart(self)->rescue, distress_signal, &call);
}

/* What has befallen it may befall others, until then: never told to itself. When it ends, they are
 * told so, as of the same hazard. */
static void warn_others(struct ship *self, aldis_ctx *ctx, aldis_ns until_ns)
{
    EmergencyKind kind = self->extra->rare->emergency.kind;
    if (kind != EMERGENCY_HULL_BREACH && kind != EMERGENCY_PIRATES)
        return;
    NEW_MESSAGE(NavigationHazard, hazard);
    hazard.kind = kind == EMERGENCY_PIRATES ? HAZARD_PIRATES : HAZARD_DEBRIS;
    hazard.radius = ship_class(self)->hazard_radius;
    hazard.location = wire_vec(self->motion.position);
    hazard.at_ns = aldis_now(ctx);
    hazard.until_ns = until_ns;
    const struct speaker me = {ship_account(self), self->motion.position};
    (void)nearby_tell(ctx, ship_chart(self), &me, hazard.radius + call_range(self),
                      &(aldis_send_item){.type = &navigation_hazard_type,
                                         .payload = &hazard,
                                         .size = sizeof hazard});
}

/* What it will want of the next station. */
static void suffer(struct ship *self, EmergencyKind kind)
{
    switch (kind) {
    case EMERGENCY_ENGINE_FAILURE:
    case EMERGENCY_HULL_BREACH:
    case EMERGENCY_PIRATES:
        self->flags |= SHIP_DAMAGED;
        break;
    case EMERGENCY_CREW_MEDICAL:
        self->ill = 1;
        break;
    case EMERGENCY_OUT_OF_FUEL:
        break; /* it fills its tank at each */
    }
}

aldis_err ship_alarm(struct ship *self, aldis_ctx *ctx, EmergencyKind kind)
{
    struct ship_rare *rare = ship_rare(self);
    if (!rare)
        return ALDIS_ENOMEM;
    aldis_ns now_ns = aldis_now(ctx);
    ship_lead(self, ctx, true);
    ship_break_off_rescue(self, ctx);
    self->mission = MISSION_OWN;
    ship_enter(self, ctx, SHIP_emergency);
    rare->emergency.kind = kind;
    rare->emergency.since_ns = now_ns;
    rare->emergency.helper = aldis_nobody();
    self->fail_s = 0;
    suffer(self, kind);
    ship_brake(self, now_ns);
    chronicle_emergency(ship_chart(self)->chronicle, ctx, self, kind);
    call_for_help(self, ctx);
    warn_others(self, ctx, now_ns + ship_class(self)->repair_ns);
    return ship_arm(self, ctx, CALL_AGAIN_NS);
}

/* Over: on to where it was going. */
static aldis_err end_emergency(struct ship *self, aldis_ctx *ctx)
{
    struct ship_rare *rare = self->extra->rare;
    NEW_MESSAGE(StandDown, thanks);
    thanks.over = true;
    if (!aldis_id_is_nobody(rare->emergency.helper)) {
        ship_ref helper = {.id = rare->emergency.helper};
        (void)SHIP_SAY(self, ctx, helper, stand_down, &thanks);
    }
    if (!aldis_id_is_nobody(ship_chart(self)->rescue.id))
        (void)SHIP_SAY(self, ctx, ship_chart(self)->rescue, stand_down, &thanks);
    rare->emergency.helper = aldis_nobody();
    warn_others(self, ctx, aldis_now(ctx));
    ship_move(self, aldis_now(ctx));
    return ship_fly_to(self, ctx, self->station);
}

/* Enough to be worth going on with. */
static bool has_fuel(const struct ship *self, aldis_ns now_ns)
{
    return ship_reach(self) > 1.5 * ship_reserve(self, now_ns);
}

aldis_err ship_recover(struct ship *self, aldis_ctx *ctx)
{
    bool fuel = self->extra->rare->emergency.kind == EMERGENCY_OUT_OF_FUEL;
    return fuel && has_fuel(self, aldis_now(ctx)) ? end_emergency(self, ctx) : ALDIS_OK;
}

SHIP_ACTION(due_emergency, ship_due)
{
    (void)msg;
    struct ship_rare *rare = self->extra->rare;
    aldis_ns now_ns = aldis_now(ctx);
    ship_move(self, now_ns);
    ship_tell_place(self, ctx);
    bool fuel = rare->emergency.kind == EMERGENCY_OUT_OF_FUEL;
    if (fuel ? has_fuel(self, now_ns)
             : now_ns - rare->emergency.since_ns >= ship_class(self)->repair_ns)
        return end_emergency(self, ctx);
    bool coming = !aldis_id_is_nobody(rare->emergency.helper);
    if (coming && now_ns > rare->emergency.helper_due_ns + CALL_AGAIN_NS) {
        rare->emergency.helper = aldis_nobody(); /* it ought to have been here long ago */
        coming = false;
    }
    if (!coming)
        call_for_help(self, ctx);
    return ship_arm(self, ctx, CALL_AGAIN_NS);
}

SHIP_ACTION(help_accept, distress_answer)
{
    aldis_id from = aldis_sender(ctx);
    struct ship_rare *rare = self->extra->rare;
    if (aldis_id_is_nobody(from))
        return aldis_fail(ctx, "help from nobody");
    if (msg->arrival_ns < aldis_now(ctx)) { /* it will not come after all */
        if (aldis_id_equal(rare->emergency.helper, from))
            rare->emergency.helper = aldis_nobody();
        return ALDIS_OK;
    }
    if (!aldis_id_is_nobody(rare->emergency.helper) &&
        !aldis_id_equal(rare->emergency.helper, from))
        return help_decline(self, msg, ctx);
    rare->emergency.helper = from;
    rare->emergency.helper_due_ns = msg->arrival_ns;
    return ALDIS_OK;
}

/* One that is not needed, or not any more. */
SHIP_ACTION(help_decline, distress_answer)
{
    aldis_id from = aldis_sender(ctx);
    NEW_MESSAGE(StandDown, answer);
    if (msg->arrival_ns >= aldis_now(ctx) && !aldis_id_is_nobody(from))
        (void)ship_reply(self, ctx, &stand_down_type, &answer, sizeof answer);
    return ALDIS_OK;
}

/* Towed, patched up or protected: whatever it is, it helps, but for an empty tank. */
SHIP_ACTION(aid_take, aid)
{
    if (msg->kind == AID_FUEL || self->extra->rare->emergency.kind == EMERGENCY_OUT_OF_FUEL)
        return ALDIS_OK; /* the fuel comes as a trade */
    return end_emergency(self, ctx);
}

/* It needs none any more: said again to whoever helps it, for the word of that may have been lost,
 * and a tug stays until it comes. */
SHIP_ACTION(aid_late, aid)
{
    (void)msg;
    NEW_MESSAGE(StandDown, thanks);
    thanks.over = true;
    if (!aldis_id_is_nobody(aldis_sender(ctx)))
        (void)ship_reply(self, ctx, &stand_down_type, &thanks, sizeof thanks);
    return ALDIS_OK;
}

SHIP_ACTION(alarm_sound, handle_emergency)
{
    if (msg->kind == EMERGENCY_PIRATES && ship_is_pirate(self))
        return ALDIS_OK;
    if (self->state == SHIP_docking)
        ship_give_up(self, ctx);
    if (self->state == SHIP_flying)
        ship_move(self, aldis_now(ctx));
    else
        ship_cast_off(self, aldis_now(ctx));
    return ship_alarm(self, ctx, msg->kind);
}

/* In a berth it is in safe hands, and is helped there or at its next one. */
SHIP_ACTION(alarm_moored, handle_emergency)
{
    (void)ctx;
    suffer(self, msg->kind);
    return ALDIS_OK;
}

SHIP_ACTION(alarm_refuse, handle_emergency)
{
    (void)msg;
    return ship_refuse(self, ctx, &handle_emergency_type, REFUSAL_STATE);
}

/* ---- Those of others ---- */

/* Near enough, with fuel for both ways, and free to leave: keep in mind who calls. */
static aldis_err hear_call(struct ship *self, const DistressSignal *msg, aldis_ctx *ctx,
                           bool *out_heard)
{
    aldis_id caller = aldis_sender(ctx);
    struct vec place = vec_of(&msg->location);
    double distance = vec_length(vec_sub(place, ship_place(self, aldis_now(ctx))));
    *out_heard = false;
    if (aldis_id_is_nobody(caller) || aldis_id_equal(caller, aldis_self(ctx)) ||
        distance >= ship_class(self)->distress_range || 3 * distance > ship_reach(self) ||
        (self->flags & (SHIP_PAUSED | SHIP_DAMAGED)) || self->ill ||
        account_is_open(&self->account) ||
        (self->state == SHIP_idle && ship_is_grounded(self, aldis_now(ctx))))
        return ALDIS_OK;
    struct ship_rare *rare = ship_rare(self);
    if (!rare)
        return ALDIS_ENOMEM;
    rare->rescue.caller = caller;
    rare->rescue.account = msg->account;
    rare->rescue.place = place;
    rare->rescue.kind = msg->kind;
    rare->rescue.heard_ns = aldis_now(ctx);
    self->flags |= SHIP_CALLED;
    *out_heard = true;
    return ALDIS_OK;
}

/* When it will be there. */
static void tell_caller(const struct ship *self, aldis_ctx *ctx, aldis_ns arrival_ns)
{
    ship_ref caller = {.id = self->extra->rare->rescue.caller};
    NEW_MESSAGE(DistressAnswer, answer);
    answer.arrival_ns = arrival_ns;
    (void)SHIP_SAY(self, ctx, caller, distress_answer, &answer);
}

aldis_err ship_answer_call(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx);
    self->flags &= (uint8_t) ~(SHIP_CALLED | SHIP_VISITS);
    if (self->state == SHIP_flying)
        ship_move(self, now_ns);
    else
        ship_cast_off(self, now_ns);
    self->mission = MISSION_RESCUE;
    ship_enter(self, ctx, SHIP_flying);
    self->aim = self->extra->rare->rescue.place;
    struct thrust thrust = ship_thrust(self, now_ns);
    double eta_ns = motion_eta(&self->motion, self->aim, &thrust) * 1e9;
    tell_caller(self, ctx, now_ns + (aldis_ns)eta_ns);
    return ship_steer(self, ctx);
}

/* Idle: go, unless it has a mind to decide that. */
SHIP_ACTION(distress_go, distress_signal)
{
    bool heard;
    aldis_err err = hear_call(self, msg, ctx, &heard);
    if (err != ALDIS_OK || !heard)
        return err;
    return ship_has_mind(self) ? ship_think_at_rest(self, ctx) : ship_answer_call(self, ctx);
}

/* On the way to it a new call says where it is now. One with a mind hears it under way, too, and
 * thinks about it at its next look. Else it has other things to do: on purpose. */
SHIP_ACTION(distress_pass, distress_signal)
{
    bool heard;
    if (self->state == SHIP_flying && self->mission == MISSION_OWN && ship_has_mind(self))
        return hear_call(self, msg, ctx, &heard);
    if (self->state != SHIP_flying || self->mission != MISSION_RESCUE ||
        !aldis_id_equal(aldis_sender(ctx), self->extra->rare->rescue.caller))
        return ALDIS_OK;
    ship_move(self, aldis_now(ctx));
    self->extra->rare->rescue.place = vec_of(&msg->location);
    return ship_steer(self, ctx);
}

/* An arrival in the past: it will not come. */
void ship_break_off_rescue(const struct ship *self, aldis_ctx *ctx)
{
    if (self->mission == MISSION_RESCUE)
        tell_caller(self, ctx, 0);
}

aldis_err ship_reach_caller(struct ship *self, aldis_ctx *ctx)
{
    static const AidKind aids[] = {[EMERGENCY_ENGINE_FAILURE] = AID_REPAIR,
                                   [EMERGENCY_HULL_BREACH] = AID_TOW,
                                   [EMERGENCY_CREW_MEDICAL] = AID_MEDICAL,
                                   [EMERGENCY_PIRATES] = AID_ESCORT,
                                   [EMERGENCY_OUT_OF_FUEL] = AID_FUEL};
    struct ship_rare *rare = self->extra->rare;
    ship_ref caller = {.id = rare->rescue.caller};
    NEW_MESSAGE(Aid, help);
    help.kind = aids[rare->rescue.kind];
    (void)SHIP_SAY(self, ctx, caller, aid, &help);
    if (rare->rescue.kind == EMERGENCY_OUT_OF_FUEL)
        ship_give_fuel(self, ctx, caller.id, self->account.fuel / 4);
    return ship_rest(self, ctx);
}

/* Not needed, or over: back to what it did. */
SHIP_ACTION(rescue_end, stand_down)
{
    (void)msg;
    if (self->mission != MISSION_RESCUE ||
        !aldis_id_equal(aldis_sender(ctx), self->extra->rare->rescue.caller))
        return ALDIS_OK;
    ship_move(self, aldis_now(ctx));
    self->mission = MISSION_OWN;
    return ship_steer(self, ctx);
}

SHIP_PASS(rescue_late, stand_down)
