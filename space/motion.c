// SPDX-License-Identifier: Apache-2.0
/* motion.c: see motion.h. */
#include "motion.h"

#include <stdbool.h>

/* A turn that this long a thrust can make is made at once; for a larger one the ship brakes. A
 * constant, not the step: long steps must not make ships nimbler. */
#define TURN_SECONDS 1.0

/* Rounding leaves the way to the goal a hair shorter than the way to brake: braking that much
 * harder is right, flying past the goal and back is not. */
#define BRAKE_SLACK 1e-6

/* Straight ahead to rest at `distance`: from speed `start` to `peak`, keep it, brake. */
struct profile {
    double start, peak;
    double rise_s, cruise_s, brake_s;
    double rise, cruise; /* distances */
    double brake_rate;
};

static struct profile plan_profile(double distance, double speed, const struct thrust *thrust)
{
    double a = thrust->acceleration;
    struct profile p = {.start = speed, .peak = speed, .brake_rate = a};
    if (speed * speed / (2 * a) >= distance) {
        p.brake_rate = speed * speed / (2 * distance);
        p.brake_s = 2 * distance / speed;
        return p;
    }
    p.peak = maths_sqrt(a * distance + speed * speed / 2);
    if (p.peak > thrust->speed)
        p.peak = thrust->speed;
    p.rise_s = (p.peak > speed ? p.peak - speed : speed - p.peak) / a;
    p.rise = (speed + p.peak) / 2 * p.rise_s;
    p.brake_s = p.peak / a;
    p.cruise = distance - p.rise - p.peak * p.brake_s / 2;
    if (p.cruise < 0)
        p.cruise = 0;
    p.cruise_s = p.cruise / p.peak;
    return p;
}

/* The way made in the first `seconds` of a profile that takes longer, and the speed then. */
static double follow_profile(const struct profile *p, double seconds, double *out_speed)
{
    if (seconds < p->rise_s) {
        double reached = p->start + (p->peak - p->start) * (seconds / p->rise_s);
        *out_speed = reached;
        return (p->start + reached) / 2 * seconds;
    }
    seconds -= p->rise_s;
    *out_speed = p->peak;
    if (seconds < p->cruise_s)
        return p->rise + p->peak * seconds;
    seconds -= p->cruise_s;
    double left = p->peak - p->brake_rate * seconds;
    *out_speed = left > 0 ? left : 0;
    return p->rise + p->cruise + (p->peak + *out_speed) / 2 * seconds;
}

/* The ship's course seen from its aim. */
struct course {
    double distance, speed;
    double along;       /* the part of the speed that points at the aim */
    struct vec heading; /* to the aim, length 1; zero at the aim */
    bool reachable;     /* without coming to rest first */
};

static struct course look_ahead(const struct motion *motion, struct vec aim,
                                const struct thrust *thrust)
{
    struct vec way = vec_sub(aim, motion->position);
    struct course c = {.distance = vec_length(way), .speed = vec_length(motion->velocity)};
    if (c.distance > 0)
        c.heading = vec_scale(way, 1 / c.distance);
    c.along = vec_dot(motion->velocity, c.heading);
    double aside = vec_length(vec_sub(motion->velocity, vec_scale(c.heading, c.along)));
    double brake_way = c.along * c.along / (2 * thrust->acceleration);
    c.reachable = c.speed == 0 ||
                  (c.distance > 0 && c.along >= 0 && aside <= thrust->acceleration * TURN_SECONDS &&
                   brake_way <= c.distance * (1 + BRAKE_SLACK) + BRAKE_SLACK);
    return c;
}

double motion_eta(const struct motion *motion, struct vec aim, const struct thrust *thrust)
{
    struct motion later = *motion;
    struct course c = look_ahead(&later, aim, thrust);
    double brake_s = 0;
    if (!c.reachable) {
        brake_s = c.speed / thrust->acceleration;
        later.position = vec_add(later.position, vec_scale(later.velocity, brake_s / 2));
        later.velocity = (struct vec){0, 0, 0};
        c = look_ahead(&later, aim, thrust);
    }
    if (c.distance == 0)
        return brake_s;
    struct profile p = plan_profile(c.distance, c.along, thrust);
    return brake_s + p.rise_s + p.cruise_s + p.brake_s;
}

double motion_foresight(const struct thrust *thrust, double seconds)
{
    return 1.25 * thrust->speed * seconds +
           thrust->speed * thrust->speed / (2 * thrust->acceleration);
}

/* Brake straight ahead for at most `seconds`; returns the seconds left over once at rest. */
static double brake(struct motion *motion, double speed, const struct thrust *thrust,
                    double seconds, double *out_way)
{
    double rest_s = speed / thrust->acceleration;
    double used = seconds < rest_s ? seconds : rest_s;
    double kept = 1 - used / rest_s, mean_s = used * (1 + kept) / 2;
    motion->position = vec_add(motion->position, vec_scale(motion->velocity, mean_s));
    motion->velocity = vec_scale(motion->velocity, kept);
    *out_way = speed * mean_s;
    return seconds - used;
}

double motion_fly(struct motion *motion, struct vec aim, const struct thrust *thrust,
                  double seconds, double *out_way)
{
    struct course c = look_ahead(motion, aim, thrust);
    *out_way = 0;
    if (!c.reachable) {
        seconds = brake(motion, c.speed, thrust, seconds, out_way);
        if (seconds <= 0)
            return 0;
        motion->velocity = (struct vec){0, 0, 0};
        c = look_ahead(motion, aim, thrust);
    }
    if (c.distance == 0)
        return seconds;
    struct profile p = plan_profile(c.distance, c.along, thrust);
    double whole = p.rise_s + p.cruise_s + p.brake_s;
    if (seconds >= whole) {
        *motion = (struct motion){.position = aim};
        *out_way += c.distance;
        return seconds - whole;
    }
    double speed, way = follow_profile(&p, seconds, &speed);
    motion->position = vec_add(motion->position, vec_scale(c.heading, way));
    motion->velocity = vec_scale(c.heading, speed);
    *out_way += way;
    return 0;
}

double motion_advance(struct motion *motion, struct vec aim, const struct thrust *thrust,
                      double seconds)
{
    double way;
    return motion_fly(motion, aim, thrust, seconds, &way);
}

/* The distance d follows d' = push x (radius - d), so radius - d shrinks by exp(-push x t): no step
 * is long enough to throw it out of the radius. */
struct vec motion_pushed(struct vec place, struct vec centre, double radius, double push,
                         double seconds)
{
    struct vec way = vec_sub(place, centre);
    double distance = vec_length(way);
    if (distance >= radius)
        return place;
    struct vec heading = {1, 0, 0}; /* in the very centre any way is out */
    if (distance > 0)
        heading = vec_scale(way, 1 / distance);
    double pushed = radius - (radius - distance) * maths_exp(-push * seconds);
    return vec_add(centre, vec_scale(heading, pushed));
}
