// SPDX-License-Identifier: Apache-2.0
/* ship_hazard.c: the hazards that a ship knows of, and how it gets past them. See ship.h. Layer:
 * space.
 *
 * Round what lies between it and its goal it makes a detour. What lies about the goal itself it
 * cannot go round: there it keeps as much speed against the push as that has, so that it comes in
 * and stays. */
#include "digest.h"
#include "ship.h"

#include <math.h>
#include <stdlib.h>

/* One that knows of a hazard looks as often as this, however long its tick. */
#define HAZARD_LOOK_NS ALDIS_SECOND

static struct vec centre_of(const struct ship_hazard *hazard, aldis_ns now_ns)
{
    double age = (double)(now_ns - hazard->at_ns) * 1e-9;
    return vec_add(hazard->location, vec_scale(hazard->velocity, age));
}

/* ---- Being pushed ---- */

/* In an emergency it has no engine to go back with: where it means to lie is driven off, too. */
void ship_drift(struct ship *self, aldis_ns from_ns, aldis_ns to_ns)
{
    double push = ship_class(self)->push_rate;
    struct vec before = self->motion.position;
    for (uint32_t i = 0; i < self->extra->hazard_count; i++) {
        const struct ship_hazard *hazard = &self->extra->hazards[i];
        aldis_ns end_ns = hazard->until_ns < to_ns ? hazard->until_ns : to_ns;
        if (end_ns <= from_ns)
            continue;
        struct vec centre = centre_of(hazard, from_ns + (end_ns - from_ns) / 2);
        self->motion.position = motion_pushed(self->motion.position, centre, hazard->radius, push,
                                              (double)(end_ns - from_ns) * 1e-9);
    }
    if (self->state == SHIP_emergency)
        self->aim = vec_add(self->aim, vec_sub(self->motion.position, before));
}

bool ship_may_drift(const struct ship *self, aldis_ns from_ns, aldis_ns to_ns)
{
    double seconds = (double)(to_ns - from_ns) * 1e-9, speed = vec_length(self->motion.velocity);
    if (speed < ship_class(self)->speed)
        speed = ship_class(self)->speed;
    for (uint32_t i = 0; i < self->extra->hazard_count; i++) {
        const struct ship_hazard *hazard = &self->extra->hazards[i];
        if (hazard->until_ns <= from_ns)
            continue;
        struct vec way = vec_sub(centre_of(hazard, from_ns), self->motion.position);
        double most = (speed + vec_length(hazard->velocity)) * seconds;
        if (vec_length(way) < hazard->radius + most)
            return true;
    }
    return false;
}

aldis_ns ship_watch_ns(const struct ship *self, aldis_ns now_ns, aldis_ns most_ns)
{
    for (uint32_t i = 0; i < self->extra->hazard_count; i++) {
        aldis_ns left_ns = self->extra->hazards[i].until_ns - now_ns;
        if (left_ns <= 0)
            continue;
        most_ns = most_ns < HAZARD_LOOK_NS ? most_ns : HAZARD_LOOK_NS;
        most_ns = most_ns < left_ns ? most_ns : left_ns;
    }
    return most_ns;
}

struct vec ship_push_at(const struct ship *self, struct vec place, aldis_ns now_ns)
{
    struct vec sum = {0, 0, 0};
    double push = ship_class(self)->push_rate;
    for (uint32_t i = 0; i < self->extra->hazard_count; i++) {
        const struct ship_hazard *hazard = &self->extra->hazards[i];
        if (hazard->until_ns <= now_ns)
            continue;
        struct vec way = vec_sub(place, centre_of(hazard, now_ns));
        double distance = vec_length(way);
        if (distance > 0 && distance < hazard->radius)
            sum = vec_add(sum, vec_scale(way, push * (hazard->radius - distance) / distance));
    }
    return sum;
}

/* ---- Steering ---- */

static struct vec across(struct vec heading)
{
    struct vec pole = {0, 0, 1};
    if (fabs(heading.z) > 0.9)
        pole = (struct vec){1, 0, 0};
    struct vec side = vec_sub(pole, vec_scale(heading, vec_dot(pole, heading)));
    return vec_scale(side, 1 / vec_length(side));
}

/* A point beside the hazard, where the straight way to aim comes too near its centre; false: it
 * does not, or the aim is inside anyway. */
static bool point_beside(struct vec from, struct vec aim, struct vec centre, double radius,
                         struct vec *out)
{
    struct vec way = vec_sub(aim, from), off = vec_sub(centre, from);
    double length = vec_length(way);
    if (length == 0 || vec_length(vec_sub(aim, centre)) <= radius)
        return false;
    struct vec heading = vec_scale(way, 1 / length);
    double along = vec_dot(off, heading);
    if (along <= 0 || along >= length)
        return false;
    struct vec side = vec_sub(vec_add(from, vec_scale(heading, along)), centre);
    double distance = vec_length(side);
    if (distance >= radius)
        return false;
    side = distance > 1e-6 ? vec_scale(side, 1 / distance) : across(heading);
    *out = vec_add(centre, vec_scale(side, radius * HAZARD_BERTH));
    return true;
}

/* To be where the way to brake from the speed of the push ends there: then that is the speed which
 * it has at its aim. */
static struct vec lean(struct vec aim, struct vec push, const struct thrust *thrust)
{
    double speed = vec_length(push);
    return vec_sub(aim, vec_scale(push, speed / (2 * thrust->acceleration)));
}

void ship_avoid(struct ship *self, aldis_ns now_ns, const struct thrust *thrust)
{
    struct vec aim = self->aim;
    double nearest = HUGE_VAL;
    for (uint32_t i = 0; i < self->extra->hazard_count; i++) {
        const struct ship_hazard *hazard = &self->extra->hazards[i];
        if (hazard->until_ns <= now_ns)
            continue;
        struct vec centre = centre_of(hazard, now_ns), beside;
        double distance = vec_length(vec_sub(centre, self->motion.position));
        if (distance < nearest &&
            point_beside(self->motion.position, aim, centre, hazard->radius, &beside)) {
            nearest = distance;
            self->aim = beside;
            self->flags |= SHIP_DETOUR;
        }
    }
    if (!(self->flags & SHIP_DETOUR))
        self->aim = lean(aim, ship_push_at(self, self->motion.position, now_ns), thrust);
}

/* ---- What it is told ---- */

/* How far it is from the edge; those of the past are the farthest. */
static double edge_of(const struct ship *self, const struct ship_hazard *hazard, aldis_ns now_ns)
{
    if (hazard->until_ns <= now_ns)
        return HUGE_VAL;
    struct vec way = vec_sub(centre_of(hazard, now_ns), self->motion.position);
    return vec_length(way) - hazard->radius;
}

/* Where to note it: in place of what was told of it before, else in a free or new place, else in
 * that of the farthest. NULL: it is farther still, or older than what the ship knows, or there is
 * no memory. */
static struct ship_hazard *place_for(struct ship *self, const struct ship_hazard *told,
                                     aldis_ns now_ns)
{
    struct ship_extra *extra = self->extra;
    struct ship_hazard *hazards = extra->hazards, *farthest = NULL;
    for (uint32_t i = 0; i < extra->hazard_count; i++) {
        if (hazards[i].until_ns > 0 && hazards[i].key == told->key)
            return told->at_ns >= hazards[i].at_ns ? &hazards[i] : NULL;
        if (!farthest || edge_of(self, &hazards[i], now_ns) > edge_of(self, farthest, now_ns))
            farthest = &hazards[i];
    }
    if (told->until_ns <= now_ns)
        return NULL; /* of the past, and it was not known */
    bool has_free = farthest && farthest->until_ns <= now_ns;
    if (has_free || extra->hazard_count == SHIP_HAZARDS_MAX)
        return edge_of(self, told, now_ns) < edge_of(self, farthest, now_ns) ? farthest : NULL;
    hazards = realloc(hazards, (extra->hazard_count + 1) * sizeof *hazards);
    if (!hazards)
        return NULL;
    extra->hazards = hazards;
    hazards[extra->hazard_count] = (struct ship_hazard){0};
    return &hazards[extra->hazard_count++];
}

/* Does the ship, now at `from`, have to know of it for the next seconds? Not if it is farther off
 * than the ship can come at its speed, with the way to brake; nor if it lies so far off the way
 * that the ship drifts. In t seconds thrust a takes it a t^2 / 2 off that, and then it may be so
 * fast that it needs as much again to stop. What drives ships is given a quarter of their speed. */
static bool concerns(const struct ship *self, const struct ship_hazard *told, struct vec from,
                     struct vec velocity, double seconds, aldis_ns now_ns)
{
    const struct scenario_class *class = ship_class(self);
    const struct thrust thrust = {.speed = class->speed, .acceleration = class->acceleration};
    struct vec off = vec_sub(centre_of(told, now_ns), from);
    double berth = told->radius * HAZARD_BERTH + vec_length(told->velocity) * seconds;
    if (vec_length(off) > motion_foresight(&thrust, seconds) + berth)
        return false;
    double brake_s = vec_length(velocity) / (2 * thrust.acceleration);
    struct vec way = vec_scale(velocity, seconds + brake_s);
    double square = vec_dot(way, way), part = square > 0 ? vec_dot(off, way) / square : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    double aside = vec_length(vec_sub(off, vec_scale(way, part)));
    return aside <= berth + thrust.acceleration * seconds * seconds + thrust.speed * seconds / 4;
}

/* It is told again before it can meet it. Under way it was at its place at its last look; at rest
 * it may go round with its station, and depart from there. */
static bool can_wait(const struct ship *self, const struct ship_hazard *told, aldis_ns again_ns,
                     aldis_ns now_ns)
{
    static const struct vec still = {0, 0, 0};
    if (again_ns <= now_ns)
        return false;
    struct vec place = self->motion.position;
    double distance = vec_length(vec_sub(centre_of(told, now_ns), place));
    /* A signal takes its time; with twice that it may have gone farther off meanwhile. */
    aldis_ns heard_ns = again_ns + 2 * ship_chart(self)->scenario->lookahead_ns +
                        2 * signals_time(ship_chart(self), distance);
    if (self->state == SHIP_flying || self->state == SHIP_emergency)
        return !concerns(self, told, place, self->motion.velocity,
                         (double)(heard_ns - self->moved_ns) * 1e-9, now_ns);
    double seconds = (double)(heard_ns - now_ns) * 1e-9;
    return !concerns(self, told, place, still, seconds, now_ns) &&
           !concerns(self, told, ship_station_position(self, now_ns), still, seconds, now_ns) &&
           !concerns(self, told, ship_station_position(self, heard_ns), still, seconds, now_ns);
}

/* It is heard of again, or has come out of reach: with one telling in between that may be lost, and
 * as late as this one. */
static aldis_ns known_until(const struct ship *self, const NavigationHazard *msg)
{
    struct vec way = vec_sub(vec_of(&msg->location), self->motion.position);
    aldis_ns signal_ns = signals_time(ship_chart(self), vec_length(way));
    aldis_ns silent_ns = msg->again_ns + (msg->again_ns - msg->at_ns);
    return msg->again_ns > 0 && silent_ns < msg->until_ns - signal_ns ? silent_ns + signal_ns
                                                                      : msg->until_ns;
}

SHIP_ACTION(hazard_note, navigation_hazard)
{
    struct ship_hazard told = {.location = vec_of(&msg->location),
                               .velocity = vec_of(&msg->velocity),
                               .radius = msg->radius,
                               .at_ns = msg->at_ns,
                               .until_ns = known_until(self, msg),
                               .key = digest_mix(aldis_sender(ctx).bits, msg->number)};
    aldis_ns now_ns = aldis_now(ctx);
    bool waits = can_wait(self, &told, msg->again_ns, now_ns);
    if (waits && !self->extra)
        return ALDIS_OK;
    if (!ship_extra(self))
        return ALDIS_ENOMEM;
    if (waits)
        told.until_ns = 0; /* forgotten, if it was known */
    struct ship_hazard *place = place_for(self, &told, now_ns);
    if (!place)
        return ALDIS_OK;
    bool is_news = place->until_ns <= now_ns || place->key != told.key || told.until_ns <= now_ns ||
                   told.radius != place->radius;
    if (is_news && (self->state == SHIP_flying || self->state == SHIP_emergency))
        ship_move(self, now_ns); /* so far by what it knew */
    *place = told;
    return is_news && self->state == SHIP_flying && self->mission != MISSION_FOLLOW
               ? ship_steer(self, ctx)
               : ALDIS_OK;
}
