// SPDX-License-Identifier: Apache-2.0
/* ship_formation.c: ships that fly together. See ship.h. Layer: space.
 *
 * A follower that is idle asks its leader for a place and waits until that departs. Under way the
 * leader tells its followers where it is at each of its looks; each keeps to its slot. Before it
 * docks the leader lets them go, and each docks by itself. */
#include "maths.h"
#include "ship.h"

/* Of a leader that says nothing for so many ticks it is assumed that it leads no more. */
#define LEAD_TICKS_MAX 10

/* ---- Slots ---- */

/* Where the n-th ship (from 1) flies, seen from the leader: one behind the other; round it; or side
 * by side. */
static struct vec slot_offset(FormationKind kind, uint32_t n, double gap)
{
    double angle = MATHS_TAU * n / SCENARIO_FORMATION_MAX;
    double side = n % 2 == 0 ? -1 : 1, row = (n + 1) / 2;
    switch (kind) {
    case FORMATION_CONVOY:
        return (struct vec){-gap * n, 0, 0};
    case FORMATION_DEFENSIVE:
        return (struct vec){gap * maths_cos(angle), gap * maths_sin(angle), 0};
    case FORMATION_EXPLORATION:
        return (struct vec){0, side * row * 2 * gap, 0};
    }
    return (struct vec){0, 0, 0};
}

/* ---- As a leader ---- */

static aldis_err answer_follower(const struct ship *self, aldis_ctx *ctx, bool accepted,
                                 Refusal reason, struct vec offset)
{
    NEW_MESSAGE(FormationAnswer, answer);
    answer.accepted = accepted;
    answer.reason = reason;
    answer.offset = wire_vec(offset);
    (void)ship_reply(self, ctx, &formation_answer_type, &answer, sizeof answer);
    return ALDIS_OK;
}

/* The same asker again gets the same slot. */
SHIP_ACTION(follower_hear, formation_request)
{
    aldis_id from = aldis_sender(ctx);
    if (aldis_id_is_nobody(from))
        return aldis_fail(ctx, "a formation asked for by nobody");
    struct ship_rare *rare = ship_rare(self);
    if (!rare)
        return ALDIS_ENOMEM;
    struct vec way = vec_sub(vec_of(&msg->position), ship_place(self, aldis_now(ctx)));
    if (vec_length(way) >= ship_class(self)->formation_range)
        return answer_follower(self, ctx, false, REFUSAL_TOO_FAR, (struct vec){0, 0, 0});
    aldis_id *slot = &rare->formation.followers[msg->place_in_line - 1];
    if (!aldis_id_is_nobody(*slot) && !aldis_id_equal(*slot, from))
        return answer_follower(self, ctx, false, REFUSAL_NO_ROOM, (struct vec){0, 0, 0});
    *slot = from;
    self->flags |= SHIP_LEADS;
    double gap = 2 * ship_class(self)->arrival;
    aldis_err err = answer_follower(self, ctx, true, REFUSAL_NONE,
                                    slot_offset(msg->kind, msg->place_in_line, gap));
    if (err == ALDIS_OK && self->state == SHIP_flying)
        ship_lead(self, ctx, false);
    return err;
}

SHIP_ACTION(follower_deny, formation_request)
{
    (void)msg;
    if (aldis_id_is_nobody(aldis_sender(ctx)))
        return aldis_fail(ctx, "a formation asked for by nobody");
    return answer_follower(self, ctx, false, REFUSAL_STATE, (struct vec){0, 0, 0});
}

void ship_lead(struct ship *self, aldis_ctx *ctx, bool ends)
{
    if (!(self->flags & SHIP_LEADS))
        return;
    NEW_MESSAGE(FormationLead, lead);
    lead.position = wire_vec(self->motion.position);
    lead.velocity = wire_vec(self->motion.velocity);
    lead.at_ns = aldis_now(ctx);
    lead.station = self->station;
    lead.ends = ends;
    for (uint32_t i = 0; i < SCENARIO_FORMATION_MAX; i++) {
        ship_ref follower = {.id = self->extra->rare->formation.followers[i]};
        if (!aldis_id_is_nobody(follower.id) &&
            SHIP_SAY(self, ctx, follower, formation_lead, &lead) != ALDIS_OK)
            self->extra->rare->formation.followers[i] = aldis_nobody();
        if (ends)
            self->extra->rare->formation.followers[i] = aldis_nobody();
    }
    if (ends)
        self->flags &= (uint8_t)~SHIP_LEADS;
}

/* ---- As a follower ---- */

aldis_id ship_leader(const struct ship *self)
{
    const struct ship_rare *rare = self->extra ? self->extra->rare : NULL;
    return rare ? rare->formation.leader : aldis_nobody();
}

bool ship_join(struct ship *self, aldis_ctx *ctx)
{
    const struct scenario_fleet *fleet = ship_fleet(self);
    bool asked = self->flags & SHIP_JOINING;
    self->flags &= (uint8_t)~SHIP_JOINING;
    if (fleet->formation == 0 || self->place_in_line == 0 || asked || self->order > 0)
        return false;
    NEW_MESSAGE(FormationRequest, request);
    request.kind = (FormationKind)(fleet->formation - 1);
    request.place_in_line = self->place_in_line;
    request.position = wire_vec(ship_place(self, aldis_now(ctx)));
    ship_ref leader = {.id = ship_leader(self)};
    if (SHIP_SAY(self, ctx, leader, formation_request, &request) != ALDIS_OK)
        return false;
    self->flags |= SHIP_JOINING;
    return true;
}

SHIP_ACTION(slot_take, formation_answer)
{
    if (!aldis_id_equal(aldis_sender(ctx), ship_leader(self)) || !(self->flags & SHIP_JOINING))
        return ALDIS_OK;
    if (!msg->accepted)
        return ship_depart(self, ctx); /* alone, then */
    struct ship_rare *rare = ship_rare(self);
    if (!rare)
        return ALDIS_ENOMEM;
    rare->formation.offset = vec_of(&msg->offset);
    return ALDIS_OK;
}

SHIP_PASS(slot_late, formation_answer)

static bool is_lead(const struct ship *self, const FormationLead *msg, aldis_ctx *ctx)
{
    return self->extra && self->extra->rare &&
           aldis_id_equal(aldis_sender(ctx), ship_leader(self)) &&
           msg->station < ship_chart(self)->scenario->stations.count;
}

/* The leader has cast off. */
SHIP_ACTION(lead_start, formation_lead)
{
    if (!is_lead(self, msg, ctx) || !(self->flags & SHIP_JOINING) || msg->ends)
        return ALDIS_OK;
    ship_cast_off(self, aldis_now(ctx));
    self->station = (uint16_t)msg->station;
    ship_enter(self, ctx, SHIP_flying);
    self->mission = MISSION_FOLLOW;
    self->extra->rare->formation.lead = *msg;
    ship_draw_failure(self, ctx);
    return ship_steer(self, ctx);
}

SHIP_ACTION(lead_on, formation_lead)
{
    if (!is_lead(self, msg, ctx) || self->mission != MISSION_FOLLOW)
        return ALDIS_OK;
    ship_move(self, aldis_now(ctx));
    self->station = (uint16_t)msg->station;
    self->extra->rare->formation.lead = *msg;
    if (!msg->ends)
        return ALDIS_OK;
    self->mission = MISSION_OWN;
    return ship_steer(self, ctx);
}

SHIP_PASS(lead_late, formation_lead)

/* In the leader's frame the offset to the slot shrinks by its rate: velocity = rate x offset, which
 * is exact for any step. With the leader's own velocity it keeps its place while that moves; it is
 * no faster than its class. */
void ship_follow(struct ship *self, double seconds, const struct thrust *thrust, double *out_way)
{
    const FormationLead *lead = &self->extra->rare->formation.lead;
    double age = (double)(self->moved_ns - lead->at_ns) * 1e-9;
    double tick_s = (double)ship_chart(self)->scenario->tick_ns * 1e-9;
    if (age > LEAD_TICKS_MAX * tick_s)
        self->mission = MISSION_OWN; /* from here on alone */
    struct vec speed = vec_of(&lead->velocity), start = self->motion.position;
    struct vec slot = vec_add(vec_add(vec_of(&lead->position), self->extra->rare->formation.offset),
                              vec_scale(speed, age));
    struct vec slot_before = vec_sub(slot, vec_scale(speed, seconds));
    double rate = ship_class(self)->formation_rate, kept = maths_exp(-rate * seconds);
    struct vec aim = vec_add(slot, vec_scale(vec_sub(start, slot_before), kept));
    struct vec step = vec_sub(aim, start);
    double way = vec_length(step), most = thrust->speed * seconds, reach = ship_reach(self);
    bool dry = way > reach && most >= reach; /* it comes to rest with the last of its fuel */
    if (most > reach)
        most = reach;
    if (way > most)
        step = vec_scale(step, most / way);
    self->motion.position = vec_add(start, step);
    self->motion.velocity =
        seconds > 0 && !dry ? vec_scale(step, 1 / seconds) : (struct vec){0, 0, 0};
    *out_way = way > most ? most : way;
}
