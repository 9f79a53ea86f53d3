// SPDX-License-Identifier: Apache-2.0
/* flights.c: see flights.h.
 *
 * Time is judged in steps of a second at most. In each, all legs are put into boxes, sorted from
 * west to east; whose boxes come nearer than the distance are looked at (sweep and prune: Baraff,
 * Dynamic Simulation of Non-Penetrating Rigid Bodies, 1992). A box has room for what thrust can
 * bend a path in its step, so none is missed; of what is left the least distance is searched on the
 * true courses. */
#include "flights.h"

#include <stdlib.h>

#define STEP_NS ALDIS_SECOND
/* Pairs of one step; of more some are left out. */
#define PAIRS_MAX 65536u
/* Legs of all ships at a time: of one ship that turns at every look, those of a few looks. */
#define LEGS_PER_SHIP 16u
#define LEGS_MIN 1024u

/* A part of a flight: from a telling to the next. */
struct leg {
    uint32_t ship;
    bool open;                 /* nothing newer has been told */
    aldis_ns from_ns, told_ns; /* told: when it was last renewed */
    aldis_ns until_ns;
    struct motion motion; /* at from_ns */
    struct vec aim;
    struct thrust thrust; /* speed 0: straight on */
    aldis_ns seen_ns;     /* the last place that was reckoned, and when: -1: none */
    struct vec seen;
};

/* Where a leg is in a step. */
struct box {
    struct vec low, high, from, to;
    aldis_ns from_ns, to_ns;
    double bend; /* u: so far at most it is off the straight way from `from` to `to` */
    uint32_t leg;
    bool port_known, in_port; /* the whole of it */
};

struct pair {
    uint32_t one, other;
    double least;
    aldis_ns least_ns;
    bool named, old; /* old: it was near when this call began */
};

struct pairs {
    size_t count, capacity;
    struct pair *items;
};

struct flights {
    struct leg *legs;
    size_t leg_count, leg_capacity, legs_max;
    uint32_t *open; /* by ship: its open leg, + 1; 0: none */
    uint32_t ships;
    struct box *boxes;
    size_t box_capacity;
    struct pairs near, near_before; /* in this step; in the one before, sorted */
    struct vec *ports;              /* of all stations, in this step */
    aldis_ns ports_ns;              /* -1: not reckoned */
    aldis_ns done_ns;               /* judged up to here */
    uint64_t left_out;
};

struct flights *flights_create(uint32_t ships)
{
    struct flights *flights = calloc(1, sizeof *flights);
    if (!flights)
        return NULL;
    flights->open = calloc(ships > 0 ? ships : 1, sizeof *flights->open);
    flights->ships = ships;
    flights->legs_max = LEGS_MIN + (size_t)LEGS_PER_SHIP * ships;
    if (flights->open)
        return flights;
    free(flights);
    return NULL;
}

void flights_destroy(struct flights *flights)
{
    if (!flights)
        return;
    free(flights->legs);
    free(flights->open);
    free(flights->boxes);
    free(flights->near.items);
    free(flights->near_before.items);
    free(flights->ports);
    free(flights);
}

uint64_t flights_left_out(const struct flights *flights)
{
    return flights->left_out;
}

/* ---- Courses ---- */

static struct motion motion_at(const struct leg *leg, aldis_ns now_ns)
{
    double seconds = (double)(now_ns - leg->from_ns) * 1e-9, way;
    struct motion motion = leg->motion;
    if (leg->thrust.speed > 0)
        motion_fly(&motion, leg->aim, &leg->thrust, seconds, &way);
    else
        motion.position = vec_add(motion.position, vec_scale(motion.velocity, seconds));
    return motion;
}

static struct vec place_at(struct leg *leg, aldis_ns now_ns)
{
    if (leg->seen_ns != now_ns) {
        leg->seen = motion_at(leg, now_ns).position;
        leg->seen_ns = now_ns;
    }
    return leg->seen;
}

static bool is_equal(struct vec a, struct vec b)
{
    return a.x == b.x && a.y == b.y && a.z == b.z;
}

/* What is told again is the same course if it leads on where that leads. */
static bool is_same(const struct leg *leg, const struct ship_course *note)
{
    if (!is_equal(leg->aim, note->aim) || leg->thrust.speed != note->speed ||
        leg->thrust.acceleration != note->acceleration)
        return false;
    struct motion motion = motion_at(leg, note->at_ns);
    return vec_length(vec_sub(motion.position, note->position)) < 1e-6 &&
           vec_length(vec_sub(motion.velocity, note->velocity)) < 1e-6;
}

static struct leg *new_leg(struct flights *flights)
{
    if (flights->leg_count == flights->leg_capacity) {
        size_t capacity = flights->leg_capacity == 0 ? 64 : 2 * flights->leg_capacity;
        capacity = capacity < flights->legs_max ? capacity : flights->legs_max;
        struct leg *legs = flights->leg_count < flights->legs_max
                               ? realloc(flights->legs, capacity * sizeof *legs)
                               : NULL;
        if (!legs) {
            flights->left_out++;
            return NULL;
        }
        flights->legs = legs;
        flights->leg_capacity = capacity;
    }
    return &flights->legs[flights->leg_count++];
}

void flights_note(struct flights *flights, const struct ship_course *note, aldis_ns lasts_ns)
{
    uint32_t *open = &flights->open[note->ship];
    struct leg *leg = *open > 0 ? &flights->legs[*open - 1] : NULL;
    if (leg && note->at_ns < leg->told_ns)
        return;
    if (leg && !note->ends && is_same(leg, note)) {
        leg->told_ns = note->at_ns;
        leg->until_ns = note->at_ns + lasts_ns;
        return;
    }
    if (leg) {
        leg->open = false;
        if (note->at_ns < leg->until_ns)
            leg->until_ns = note->at_ns;
        *open = 0;
    }
    if (note->ends || !(leg = new_leg(flights)))
        return;
    *leg = (struct leg){.ship = note->ship,
                        .open = true,
                        .from_ns = note->at_ns,
                        .told_ns = note->at_ns,
                        .until_ns = note->at_ns + lasts_ns,
                        .motion = {note->position, note->velocity},
                        .aim = note->aim,
                        .thrust = {note->speed, note->acceleration},
                        .seen_ns = -1};
    *open = (uint32_t)flights->leg_count;
}

/* What is over. Legs are few when it was long ago that they were told. */
static void forget(struct flights *flights)
{
    size_t kept = 0;
    for (size_t i = 0; i < flights->leg_count; i++) {
        struct leg *leg = &flights->legs[i];
        bool over = leg->until_ns <= flights->done_ns;
        if (leg->open)
            flights->open[leg->ship] = over ? 0 : (uint32_t)kept + 1;
        if (!over)
            flights->legs[kept++] = *leg;
    }
    flights->leg_count = kept;
}

/* ---- Boxes ---- */

static struct vec lower(struct vec a, struct vec b)
{
    return (struct vec){a.x < b.x ? a.x : b.x, a.y < b.y ? a.y : b.y, a.z < b.z ? a.z : b.z};
}

/* With acceleration a, a path of t seconds is no farther than a t^2 / 8 from the straight one. */
static struct box box_of(struct flights *flights, uint32_t index, aldis_ns from_ns, aldis_ns to_ns,
                         double distance)
{
    struct leg *leg = &flights->legs[index];
    struct box box = {.from_ns = from_ns > leg->from_ns ? from_ns : leg->from_ns,
                      .to_ns = to_ns < leg->until_ns ? to_ns : leg->until_ns,
                      .leg = index};
    double seconds = (double)(box.to_ns - box.from_ns) * 1e-9;
    box.from = place_at(leg, box.from_ns);
    box.to = place_at(leg, box.to_ns);
    box.bend =
        leg->thrust.speed > 0 ? leg->thrust.acceleration * seconds * seconds / 8 + 1e-9 : 1e-9;
    double wide = box.bend + distance / 2;
    struct vec room = {wide, wide, wide};
    box.low = vec_sub(lower(box.from, box.to), room);
    box.high = vec_scale(lower(vec_scale(box.from, -1), vec_scale(box.to, -1)), -1);
    box.high = vec_add(box.high, room);
    return box;
}

static int from_west_to_east(const void *a, const void *b)
{
    const struct box *left = a, *right = b;
    if (left->low.x != right->low.x)
        return left->low.x < right->low.x ? -1 : 1;
    return left->leg < right->leg ? -1 : left->leg > right->leg;
}

static size_t pack(struct flights *flights, aldis_ns from_ns, aldis_ns to_ns, double distance)
{
    if (flights->box_capacity < flights->leg_count) {
        struct box *boxes = realloc(flights->boxes, flights->leg_capacity * sizeof *boxes);
        if (!boxes) {
            flights->left_out += flights->leg_count;
            return 0;
        }
        flights->boxes = boxes;
        flights->box_capacity = flights->leg_capacity;
    }
    size_t count = 0;
    for (uint32_t i = 0; i < flights->leg_count; i++)
        if (flights->legs[i].from_ns < to_ns && flights->legs[i].until_ns > from_ns)
            flights->boxes[count++] = box_of(flights, i, from_ns, to_ns, distance);
    if (count > 1)
        qsort(flights->boxes, count, sizeof *flights->boxes, from_west_to_east);
    return count;
}

/* ---- Ports ---- */

static bool find_ports(struct flights *flights, const struct scenario *scenario, aldis_ns now_ns)
{
    if (flights->ports_ns == now_ns)
        return true;
    if (!flights->ports)
        flights->ports = calloc(scenario->stations.count, sizeof *flights->ports);
    if (!flights->ports)
        return false;
    for (uint32_t i = 0; i < scenario->stations.count; i++)
        flights->ports[i] = scenario_station_position(scenario, i, now_ns);
    flights->ports_ns = now_ns;
    return true;
}

/* Both places are within the zone of one station. */
static bool are_in_port(struct flights *flights, const struct scenario *scenario, struct vec one,
                        struct vec other, aldis_ns now_ns)
{
    double zone = scenario->traffic.zone;
    if (zone == 0 || !find_ports(flights, scenario, now_ns))
        return false;
    for (uint32_t i = 0; i < scenario->stations.count; i++) {
        struct vec way = vec_sub(one, flights->ports[i]), back = vec_sub(other, flights->ports[i]);
        if (vec_dot(way, way) < zone * zone && vec_dot(back, back) < zone * zone)
            return true;
    }
    return false;
}

static bool box_in_port(struct flights *flights, const struct scenario *scenario, struct box *box,
                        aldis_ns now_ns)
{
    if (!box->port_known)
        box->in_port = are_in_port(flights, scenario, box->from, box->to, now_ns);
    box->port_known = true;
    return box->in_port;
}

/* ---- Pairs ---- */

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->one != y->one)
        return x->one < y->one ? -1 : 1;
    if (x->other != y->other)
        return x->other < y->other ? -1 : 1;
    return (x->least > y->least) - (x->least < y->least);
}

static bool is_same_pair(const struct pair *a, const struct pair *b)
{
    return a->one == b->one && a->other == b->other;
}

static void keep(struct flights *flights, struct pair pair)
{
    struct pairs *pairs = &flights->near;
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity == 0 ? 64 : 2 * pairs->capacity;
        struct pair *items =
            capacity <= PAIRS_MAX ? realloc(pairs->items, capacity * sizeof *items) : NULL;
        if (!items) {
            flights->left_out++;
            return;
        }
        pairs->items = items;
        pairs->capacity = capacity;
    }
    pairs->items[pairs->count++] = pair;
}

static double apart(const struct leg *a, const struct leg *b, aldis_ns now_ns)
{
    return vec_length(vec_sub(motion_at(a, now_ns).position, motion_at(b, now_ns).position));
}

/* The least distance on the true courses, to about a millionth of the step: golden section, begun
 * about where the straight ways are nearest. Within a second a distance falls, and then grows. */
static double search(const struct leg *a, const struct leg *b, aldis_ns low_ns, aldis_ns high_ns,
                     aldis_ns *out_ns)
{
    const double part = 0.61803398874989485;
    aldis_ns left_ns = high_ns - (aldis_ns)(part * (double)(high_ns - low_ns));
    aldis_ns right_ns = low_ns + (aldis_ns)(part * (double)(high_ns - low_ns));
    double left = apart(a, b, left_ns), right = apart(a, b, right_ns);
    while (high_ns - low_ns > ALDIS_US) {
        if (left <= right) {
            high_ns = right_ns;
            right_ns = left_ns;
            right = left;
            left_ns = high_ns - (aldis_ns)(part * (double)(high_ns - low_ns));
            left = apart(a, b, left_ns);
        } else {
            low_ns = left_ns;
            left_ns = right_ns;
            left = right;
            right_ns = low_ns + (aldis_ns)(part * (double)(high_ns - low_ns));
            right = apart(a, b, right_ns);
        }
    }
    *out_ns = low_ns + (high_ns - low_ns) / 2;
    return apart(a, b, *out_ns);
}

static struct vec on_the_way(const struct box *box, aldis_ns now_ns)
{
    double whole = (double)(box->to_ns - box->from_ns);
    double part = whole > 0 ? (double)(now_ns - box->from_ns) / whole : 0;
    return vec_add(box->from, vec_scale(vec_sub(box->to, box->from), part));
}

/* Of the straight ways, while both are under way: how near they come. */
static double nearest(const struct box *a, const struct box *b, aldis_ns low_ns, aldis_ns high_ns)
{
    struct vec from = vec_sub(on_the_way(a, low_ns), on_the_way(b, low_ns));
    struct vec to = vec_sub(on_the_way(a, high_ns), on_the_way(b, high_ns));
    struct vec way = vec_sub(to, from);
    double square = vec_dot(way, way), part = square > 0 ? -vec_dot(from, way) / square : 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return vec_length(vec_add(from, vec_scale(way, part)));
}

static void judge_pair(struct flights *flights, const struct scenario *scenario, struct box *a,
                       struct box *b, aldis_ns ports_ns)
{
    const struct leg *one = &flights->legs[a->leg], *other = &flights->legs[b->leg];
    aldis_ns low_ns = a->from_ns > b->from_ns ? a->from_ns : b->from_ns;
    aldis_ns high_ns = a->to_ns < b->to_ns ? a->to_ns : b->to_ns;
    double distance = scenario->traffic.distance;
    if (one->ship == other->ship || low_ns >= high_ns ||
        box_in_port(flights, scenario, a, ports_ns) ||
        box_in_port(flights, scenario, b, ports_ns) ||
        nearest(a, b, low_ns, high_ns) >= distance + a->bend + b->bend)
        return;
    struct pair pair = {.one = one->ship, .other = other->ship};
    if (pair.one > pair.other)
        pair = (struct pair){.one = other->ship, .other = one->ship};
    pair.least = search(one, other, low_ns, high_ns, &pair.least_ns);
    if (pair.least < distance &&
        !are_in_port(flights, scenario, motion_at(one, pair.least_ns).position,
                     motion_at(other, pair.least_ns).position, ports_ns))
        keep(flights, pair);
}

static void sweep(struct flights *flights, const struct scenario *scenario, aldis_ns from_ns,
                  aldis_ns to_ns)
{
    size_t count = pack(flights, from_ns, to_ns, scenario->traffic.distance);
    struct box *boxes = flights->boxes;
    aldis_ns ports_ns = from_ns + (to_ns - from_ns) / 2;
    for (size_t i = 0; i < count; i++) {
        struct box *a = &boxes[i];
        for (size_t j = i + 1; j < count && boxes[j].low.x <= a->high.x; j++) {
            struct box *b = &boxes[j];
            if (a->low.y <= b->high.y && b->low.y <= a->high.y && a->low.z <= b->high.z &&
                b->low.z <= a->high.z)
                judge_pair(flights, scenario, a, b, ports_ns);
        }
    }
}

/* ---- Passes ---- */

struct teller {
    void (*on_near)(void *arg, const struct near_miss *near);
    void *arg;
};

static void name_pair(const struct teller *teller, struct pair *pair)
{
    const struct near_miss near = {pair->one, pair->other, pair->least, pair->least_ns};
    pair->named = true;
    teller->on_near(teller->arg, &near);
}

/* Pairs that were near before are so still, or have parted: then the pass is over. */
static void turn_page(struct flights *flights, const struct teller *teller)
{
    struct pairs *near = &flights->near, *before = &flights->near_before;
    if (near->count > 1)
        qsort(near->items, near->count, sizeof *near->items, compare_pairs);
    size_t kept = 0, old = 0;
    for (size_t i = 0; i < near->count; i++) {
        if (kept > 0 && is_same_pair(&near->items[kept - 1], &near->items[i]))
            continue; /* of another leg, and farther */
        near->items[kept++] = near->items[i];
    }
    near->count = kept;
    for (size_t i = 0; i < kept || old < before->count;) {
        struct pair *now = i < kept ? &near->items[i] : NULL;
        struct pair *then = old < before->count ? &before->items[old] : NULL;
        if (now && then && is_same_pair(now, then)) {
            if (then->least <= now->least)
                *now = *then;
            now->named = then->named;
            now->old = then->old;
            i++;
            old++;
        } else if (!then || (now && (now->one != then->one ? now->one < then->one
                                                           : now->other < then->other))) {
            i++;
        } else {
            if (!then->named)
                name_pair(teller, then);
            old++;
        }
    }
    struct pairs free_one = *before;
    *before = *near;
    *near = free_one;
    near->count = 0;
}

void flights_judge(struct flights *flights, const struct scenario *scenario, aldis_ns until_ns,
                   void (*on_near)(void *arg, const struct near_miss *near), void *arg)
{
    const struct teller teller = {on_near, arg};
    flights->ports_ns = -1;
    while (flights->done_ns < until_ns) {
        aldis_ns from_ns = flights->done_ns;
        aldis_ns to_ns = until_ns - from_ns > STEP_NS ? from_ns + STEP_NS : until_ns;
        sweep(flights, scenario, from_ns, to_ns);
        turn_page(flights, &teller);
        flights->done_ns = to_ns;
    }
    for (size_t i = 0; i < flights->near_before.count; i++) {
        struct pair *pair = &flights->near_before.items[i];
        if (pair->old && !pair->named)
            name_pair(&teller, pair);
        pair->old = true;
    }
    forget(flights);
}
