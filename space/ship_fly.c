// SPDX-License-Identifier: Apache-2.0
/* ship_fly.c: how a ship moves, steers and burns fuel. See ship.h. Layer: space. */
#include "chronicle.h"
#include "course.h"
#include "mind_leaves.h"
#include "nearby.h"
#include "ship.h"

#include <math.h>

/* However near its goal, it looks no oftener: a tick is not shorter, either. */
#define LOOK_NS_MIN ALDIS_MS
/* After bad weather ships leave one by one, within this time. */
#define CLEARANCE_NS ALDIS_MINUTE

/* Of a step in which a hazard may drive it; a longer one has longer pieces. */
#define PIECE_NS (100 * ALDIS_MS)
#define PIECES_MAX 1024

/* ---- Where and how fast ---- */

struct vec ship_station_position(const struct ship *self, aldis_ns now_ns)
{
    return scenario_station_position(ship_chart(self)->scenario, self->station, now_ns);
}

static bool is_in_weather(const struct ship *self, aldis_ns now_ns)
{
    const struct ship_rare *rare = self->extra ? self->extra->rare : NULL;
    if (!rare || rare->weather.until_ns <= now_ns)
        return false;
    struct vec way = vec_sub(self->motion.position, rare->weather.centre);
    return vec_length(way) < rare->weather.radius;
}

bool ship_is_grounded(const struct ship *self, aldis_ns now_ns)
{
    return is_in_weather(self, now_ns) && self->extra->rare->weather.level >= WEATHER_HIGH;
}

static double weather_factor(const struct ship *self, aldis_ns now_ns)
{
    return is_in_weather(self, now_ns) ? self->extra->rare->weather.speed : 1;
}

double ship_reach(const struct ship *self)
{
    double burn = ship_class(self)->burn;
    return burn > 0 ? (double)self->account.fuel / (burn * FUEL_NANO) : HUGE_VAL;
}

/* With little fuel it goes slowly: a quarter of what is left has to be enough to come to rest. */
struct thrust ship_thrust(const struct ship *self, aldis_ns now_ns)
{
    const struct scenario_class *class = ship_class(self);
    struct thrust thrust = {.speed = class->speed * weather_factor(self, now_ns),
                            .acceleration = class->acceleration};
    if (self->account.fuel > self->account.shape->tank / 2)
        return thrust;
    double slow = maths_sqrt(class->acceleration * ship_reach(self) / 2);
    if (slow < thrust.speed)
        thrust.speed = slow > 1e-3 ? slow : 1e-3;
    return thrust;
}

void ship_tell_place(struct ship *self, aldis_ctx *ctx)
{
    bool exact = ship_chart(self)->signals != NULL;
    if (self->untold == 0)
        nearby_moved(ctx, &ship_chart(self)->nearby,
                     exact ? ship_place(self, aldis_now(ctx)) : self->motion.position);
}

/* Without fuel, or in a formation, it goes on as it goes; for how long, nobody knows. */
void ship_tell_course(const struct ship *self, aldis_ctx *ctx, bool ends)
{
    traffic_ref traffic = ship_chart(self)->traffic;
    if (aldis_id_is_nobody(traffic.id))
        return;
    struct thrust thrust = ship_thrust(self, self->moved_ns);
    bool straight = self->account.fuel == 0 || self->mission == MISSION_FOLLOW;
    NEW_MESSAGE(struct ship_course, course);
    course.position = self->motion.position;
    course.velocity = self->motion.velocity;
    course.aim = self->aim;
    course.speed = straight ? 0 : thrust.speed;
    course.acceleration = thrust.acceleration;
    course.at_ns = ends ? aldis_now(ctx) : self->moved_ns;
    course.ship = ship_number(self);
    course.ends = ends;
    (void)aldis_send_with(ctx, traffic, ship_course, &course, NULL); /* it is told again */
}

/* Under way: each few times that its timer is armed, which is for a tick at most. */
static void tell_way(struct ship *self, aldis_ctx *ctx)
{
    self->untold = (self->untold + 1u) % ship_chart(self)->nearby.looks & 3u;
    ship_tell_place(self, ctx);
}

/* ---- Moving ---- */

static void burn(struct ship *self, double way)
{
    double nano = way * ship_class(self)->burn * FUEL_NANO;
    account_burn(&self->account, nano < 9e18 ? (int64_t)(nano + 0.5) : INT64_MAX);
}

static double fly(const struct ship *self, struct motion *motion, const struct thrust *thrust,
                  double seconds)
{
    double way = 0;
    *motion = self->motion;
    motion_fly(motion, self->aim, thrust, seconds, &way);
    return way;
}

static double brake_way(const struct motion *motion, const struct thrust *thrust)
{
    return vec_dot(motion->velocity, motion->velocity) / (2 * thrust->acceleration);
}

/* The tank does not last: under thrust as long as it does, then straight on. */
static void fly_dry(struct ship *self, const struct thrust *thrust, double seconds, double reach)
{
    struct motion motion = self->motion;
    double low = 0, high = seconds, way = 0;
    for (int i = 0; i < 100 && high - low > 1e-9; i++) {
        double middle = (low + high) / 2;
        if (fly(self, &motion, thrust, middle) <= reach)
            low = middle;
        else
            high = middle;
    }
    way = fly(self, &motion, thrust, low);
    self->motion = motion;
    self->motion.position = vec_add(motion.position, vec_scale(motion.velocity, seconds - low));
    burn(self, way);
    /* What rounding has left would be a tank that is not empty and moves nothing. */
    account_burn(&self->account, self->account.fuel);
}

/* As far as the tank lasts: false, and nothing has changed, if it does not. */
static bool fly_all(struct ship *self, const struct thrust *thrust, double seconds)
{
    struct motion motion;
    double way = fly(self, &motion, thrust, seconds);
    if (way > ship_reach(self))
        return false;
    self->motion = motion;
    burn(self, way);
    return true;
}

/* The tank does not last, and nobody looks until then: it brakes while it can still come to rest.
 * So a long step ends as short ones do, and not in free flight. */
static void fly_and_brake(struct ship *self, const struct thrust *thrust, double seconds,
                          aldis_ns now_ns)
{
    struct motion motion;
    double low = 0, high = seconds, reach = ship_reach(self) * (1 - 1e-6); /* for rounding */
    for (int i = 0; i < 100 && high - low > 1e-9; i++) {
        double middle = (low + high) / 2, way = fly(self, &motion, thrust, middle);
        if (way + brake_way(&motion, thrust) <= reach)
            low = middle;
        else
            high = middle;
    }
    (void)fly_all(self, thrust, low);
    ship_brake(self, now_ns);
    if (!fly_all(self, thrust, seconds - low))
        fly_dry(self, thrust, seconds - low, ship_reach(self));
}

static void fly_for(struct ship *self, aldis_ns now_ns, double seconds)
{
    struct thrust thrust = ship_thrust(self, now_ns);
    double way = 0;
    bool follows = self->mission == MISSION_FOLLOW && self->state == SHIP_flying &&
                   !(self->flags & SHIP_PAUSED);
    if (ship_reach(self) <= 0) {
        self->motion.position =
            vec_add(self->motion.position, vec_scale(self->motion.velocity, seconds));
    } else if (follows) {
        ship_follow(self, seconds, &thrust, &way);
        burn(self, way);
    } else if (!fly_all(self, &thrust, seconds)) {
        fly_and_brake(self, &thrust, seconds, now_ns);
    }
}

/* Where a hazard may drive it, thrust and push take turns in pieces so short that it does not
 * matter which comes first: so its looks do not show. */
static void move_on(struct ship *self, aldis_ns from_ns, aldis_ns to_ns)
{
    bool drifts =
        self->extra && self->extra->hazard_count > 0 && ship_may_drift(self, from_ns, to_ns);
    if (!drifts) {
        fly_for(self, to_ns, (double)(to_ns - from_ns) * 1e-9);
        return;
    }
    aldis_ns piece_ns = (to_ns - from_ns) / PIECES_MAX;
    if (piece_ns < PIECE_NS)
        piece_ns = PIECE_NS;
    while (from_ns < to_ns) {
        aldis_ns next_ns = to_ns - from_ns > piece_ns ? from_ns + piece_ns : to_ns;
        self->moved_ns = next_ns;
        fly_for(self, to_ns, (double)(next_ns - from_ns) * 1e-9);
        ship_drift(self, from_ns, next_ns);
        from_ns = next_ns;
    }
}

void ship_move(struct ship *self, aldis_ns now_ns)
{
    aldis_ns from_ns = self->moved_ns;
    self->moved_ns = now_ns;
    if (now_ns > from_ns)
        move_on(self, from_ns, now_ns);
}

void ship_brake(struct ship *self, aldis_ns now_ns)
{
    struct thrust thrust = ship_thrust(self, now_ns);
    double speed = vec_length(self->motion.velocity);
    double seconds = speed / (2 * thrust.acceleration);
    self->aim = vec_add(self->motion.position, vec_scale(self->motion.velocity, seconds));
}

/* ---- Steering ---- */

/* Look again after a tick, or on arrival if that is sooner. */
static aldis_err keep_course(struct ship *self, aldis_ctx *ctx, bool turned)
{
    struct thrust thrust = ship_thrust(self, aldis_now(ctx));
    aldis_ns tick_ns = ship_chart(self)->scenario->tick_ns;
    if (self->extra)
        tick_ns = ship_watch_ns(self, aldis_now(ctx), tick_ns);
    tell_way(self, ctx);
    if (turned || self->untold == 0)
        ship_tell_course(self, ctx, false);
    struct vec way = vec_sub(self->aim, self->motion.position);
    double most = vec_length(self->motion.velocity);
    most = (most > thrust.speed ? most : thrust.speed) * (double)tick_ns * 1e-9;
    if (vec_dot(way, way) > most * most)
        return ship_arm(self, ctx, tick_ns); /* too far, whatever it does: most ships are */
    double eta_ns = motion_eta(&self->motion, self->aim, &thrust) * 1e9;
    /* At rest there is no arrival to wait for. */
    bool soon = eta_ns > 0 && eta_ns < (double)tick_ns;
    if (!soon)
        return ship_arm(self, ctx, tick_ns);
    return ship_arm(self, ctx, eta_ns > LOOK_NS_MIN ? (aldis_ns)eta_ns + 1 : LOOK_NS_MIN);
}

aldis_err ship_steer(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx);
    struct thrust thrust = ship_thrust(self, now_ns);
    if (self->flags & SHIP_PAUSED)
        ship_brake(self, now_ns);
    else if (self->mission == MISSION_RESCUE)
        self->aim = self->extra->rare->rescue.place;
    else if (self->mission == MISSION_OWN)
        self->aim = course_meet(ship_chart(self)->scenario, self->station, &self->motion, &thrust,
                                self->moved_ns);
    self->flags &= (uint8_t)~SHIP_DETOUR;
    if (self->extra && self->mission != MISSION_FOLLOW)
        ship_avoid(self, now_ns, &thrust);
    return keep_course(self, ctx, true);
}

aldis_err ship_fly_to(struct ship *self, aldis_ctx *ctx, uint32_t station)
{
    ship_close_credit(self, ctx);
    self->station = (uint16_t)station;
    self->moved_ns = aldis_now(ctx);
    self->mission = MISSION_OWN;
    self->flags &= (uint8_t)~SHIP_VISITS;
    ship_enter(self, ctx, SHIP_flying);
    ship_drop_extra(self, self->moved_ns);
    ship_draw_failure(self, ctx);
    aldis_err err = ship_steer(self, ctx);
    ship_lead(self, ctx, false);
    return err;
}

bool ship_is_at_station(const struct ship *self)
{
    struct vec then = ship_station_position(self, self->moved_ns);
    return vec_length(vec_sub(self->motion.position, then)) < ship_class(self)->arrival;
}

void ship_cast_off(struct ship *self, aldis_ns now_ns)
{
    if (self->state == SHIP_docked || self->state == SHIP_trading || ship_is_at_station(self))
        self->motion.position = ship_station_position(self, now_ns);
    self->motion.velocity = (struct vec){0, 0, 0};
    self->moved_ns = now_ns;
}

aldis_err ship_depart(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx);
    ship_cast_off(self, now_ns);
    if (ship_is_grounded(self, now_ns)) {
        if (self->state != SHIP_idle)
            ship_enter(self, ctx, SHIP_idle);
        return ship_arm(self, ctx,
                        self->extra->rare->weather.until_ns - now_ns + ALDIS_SECOND +
                            (aldis_ns)aldis_random_below(ctx, CLEARANCE_NS));
    }
    uint32_t station = self->order > 0 ? self->order - UINT32_C(1) : ship_choose_station(self, ctx);
    self->order = 0;
    return ship_fly_to(self, ctx, station);
}

/* ---- Looks at the position ---- */

/* At rest nearer than its arrival. Where a hazard drives it off again and again it will do if it
 * could come to rest there: it makes fast with what is left of its speed over the ground. Where the
 * station is costs more than all the rest of a look; most ships are not at rest. */
static bool has_arrived(struct ship *self, aldis_ns now_ns)
{
    const struct scenario_class *class = ship_class(self);
    struct vec velocity = self->motion.velocity;
    double slow = 0;
    if (self->extra) {
        velocity = vec_add(velocity, ship_push_at(self, self->motion.position, now_ns));
        slow = maths_sqrt(2 * class->acceleration * class->arrival);
    }
    if (vec_length(velocity) > slow || (self->flags & SHIP_DETOUR))
        return false;
    struct vec place = self->mission == MISSION_RESCUE ? self->extra->rare->rescue.place
                                                       : ship_station_position(self, now_ns);
    if (vec_length(vec_sub(place, self->motion.position)) >= class->arrival)
        return false;
    self->motion.velocity = (struct vec){0, 0, 0};
    return true;
}

double ship_reserve(const struct ship *self, aldis_ns now_ns)
{
    struct thrust thrust = ship_thrust(self, now_ns);
    double tick_s = (double)ship_chart(self)->scenario->tick_ns * 1e-9;
    double speed = vec_length(self->motion.velocity) + thrust.acceleration * tick_s;
    if (speed > thrust.speed)
        speed = thrust.speed;
    return speed * speed / (2 * thrust.acceleration) + speed * tick_s;
}

/* What is left is just enough to come to rest. */
static bool runs_dry(const struct ship *self, aldis_ns now_ns)
{
    return self->account.fuel <= self->account.shape->tank / 2 &&
           ship_reach(self) <= ship_reserve(self, now_ns);
}

static aldis_err look(struct ship *self, aldis_ctx *ctx)
{
    aldis_ns now_ns = aldis_now(ctx);
    if (self->flags & SHIP_LEADS)
        ship_lead(self, ctx, false);
    if (self->fail_s > 0 && now_ns >= self->fail_s * ALDIS_SECOND)
        return ship_alarm(self, ctx, (EmergencyKind)aldis_random_below(ctx, EMERGENCY_OUT_OF_FUEL));
    if (self->flags & SHIP_PAUSED)
        return keep_course(self, ctx, false);
    if (self->mission == MISSION_FOLLOW)
        return runs_dry(self, now_ns) ? ship_alarm(self, ctx, EMERGENCY_OUT_OF_FUEL)
                                      : ship_steer(self, ctx);
    aldis_err err;
    if (ship_has_mind(self) && ship_think_under_way(self, ctx, &err))
        return err;
    bool arrived = has_arrived(self, now_ns);
    if (arrived && (self->flags & SHIP_VISITS))
        return ship_rest(self, ctx);
    if (arrived)
        return self->mission == MISSION_RESCUE ? ship_reach_caller(self, ctx)
                                               : ship_ask_for_berth(self, ctx);
    if (runs_dry(self, now_ns))
        return ship_alarm(self, ctx, EMERGENCY_OUT_OF_FUEL);
    /* On its course it need not plan again; in danger, or off it, it does. */
    ship_drop_extra(self, now_ns);
    bool plan = self->extra != NULL || (self->flags & SHIP_DETOUR) ||
                vec_length(self->motion.velocity) == 0;
    return plan ? ship_steer(self, ctx) : keep_course(self, ctx, false);
}

SHIP_ACTION(due_flying, ship_due)
{
    (void)msg;
    ship_move(self, aldis_now(ctx));
    return look(self, ctx);
}

/* Not under way, a ship stays where it is, however long. */
SHIP_PASS(step_still, update_position)

/* dt more seconds on the way: it may arrive in them, and does not fly past. */
SHIP_ACTION(step_on, update_position)
{
    aldis_ns now_ns = aldis_now(ctx);
    ship_move(self, now_ns);
    move_on(self, now_ns, now_ns + (aldis_ns)(msg->dt * 1e9));
    self->moved_ns = now_ns;
    return self->state == SHIP_flying ? look(self, ctx) : ALDIS_OK;
}

/* ---- Orders ---- */

SHIP_ACTION(order_idle, set_destination)
{
    if (!ship_fits(self, msg->station))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    ship_set_goal(self, msg->station);
    return ship_depart(self, ctx);
}

aldis_err ship_turn_to(struct ship *self, aldis_ctx *ctx, uint32_t station)
{
    ship_move(self, aldis_now(ctx));
    ship_break_off_rescue(self, ctx);
    self->station = (uint16_t)station;
    self->mission = MISSION_OWN;
    self->flags &= (uint8_t)~SHIP_VISITS;
    return ship_steer(self, ctx);
}

SHIP_ACTION(order_flying, set_destination)
{
    if (!ship_fits(self, msg->station))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    return ship_turn_to(self, ctx, msg->station);
}

SHIP_ACTION(order_docking, set_destination)
{
    if (!ship_fits(self, msg->station))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    ship_set_goal(self, msg->station);
    ship_give_up(self, ctx);
    return ship_depart(self, ctx);
}

/* The service is not broken off; the order is carried out after it. */
SHIP_ACTION(order_docked, set_destination)
{
    if (!ship_fits(self, msg->station))
        return aldis_fail(ctx, "ordered to a station that cannot take the ship");
    ship_set_goal(self, msg->station);
    return ALDIS_OK;
}

SHIP_ACTION(order_refuse, set_destination)
{
    (void)msg;
    return ship_refuse(self, ctx, &set_destination_type, REFUSAL_STATE);
}

/* ---- Weather ---- */

SHIP_ACTION(weather_note, weather_alert)
{
    const struct scenario *scenario = ship_chart(self)->scenario;
    if (msg->region >= scenario->weather.count)
        return aldis_fail(ctx, "weather of a region that there is not");
    const struct scenario_weather *region = &scenario->weather.items[msg->region];
    struct ship_rare *rare = ship_rare(self);
    if (!rare)
        return ALDIS_ENOMEM;
    if (self->state == SHIP_flying || self->state == SHIP_emergency)
        ship_move(self, aldis_now(ctx)); /* so far at the old speed */
    /* Where regions overlap, the worst counts. */
    bool other = rare->weather.region != msg->region && is_in_weather(self, aldis_now(ctx));
    if (other && rare->weather.level > msg->level)
        return ALDIS_OK;
    double speed[] = {1, region->speed_moderate, region->speed_high, region->speed_high};
    rare->weather.region = msg->region;
    rare->weather.centre = vec_of(&msg->centre);
    rare->weather.radius = msg->radius;
    rare->weather.level = msg->level;
    rare->weather.speed = speed[msg->level];
    rare->weather.until_ns = msg->until_ns;
    return ALDIS_OK;
}
