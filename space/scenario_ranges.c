// SPDX-License-Identifier: Apache-2.0
/* scenario_ranges.c: is a leg of a fleet longer than its class comes? At the start, or later in the
 * run, when the stations have moved. See scenario_parts.h. */
#include "scenario_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Moments of the run at which a pair of stations is looked at, and pairs of a fleet that are. */
#define MOMENTS 512
#define PAIRS_MAX 4096

struct leg {
    uint32_t from, to;
    double length;   /* u; 0: none */
    aldis_ns at_ns;  /* of the run */
    uint32_t unseen; /* pairs that might come farther apart, beyond PAIRS_MAX */
};

/* What the search for a fleet's longest leg knows. */
struct search {
    const struct scenario *scenario;
    double range;
    const struct vec *places; /* of the stations, at the start */
    uint32_t pairs;           /* looked at over time */
    struct leg start, later;
};

static double distance_at(const struct scenario *s, uint32_t from, uint32_t to, aldis_ns now_ns)
{
    return vec_length(vec_sub(scenario_station_position(s, from, now_ns),
                              scenario_station_position(s, to, now_ns)));
}

/* How far a station comes from the middle of its body's orbit, at aphelion, and how fast it is. */
static double reach_of(const struct scenario *s, uint32_t station, double *out_speed)
{
    const struct scenario_station *it = &s->stations.items[station];
    const struct scenario_body *body = &s->bodies.items[it->body];
    *out_speed = circle_speed(&it->circle);
    if (!body->moves)
        return it->circle.radius;
    *out_speed += orbit_speed_max(&body->orbit);
    return it->circle.radius + vec_length(body->orbit.major) * (1 + body->orbit.eccentricity);
}

/* An upper bound of their distance in the run: by the way that they can make in it, and by their
 * orbits. */
static double most_apart(const struct search *search, uint32_t a, uint32_t b, double now)
{
    const struct scenario *s = search->scenario;
    const struct scenario_station *one = &s->stations.items[a], *other = &s->stations.items[b];
    double speed_a, speed_b, reach = reach_of(s, a, &speed_a) + reach_of(s, b, &speed_b);
    struct vec way = vec_sub(s->bodies.items[one->body].at, s->bodies.items[other->body].at);
    double by_orbit = vec_length(way) + reach;
    if (one->body == other->body)
        by_orbit = one->circle.radius + other->circle.radius;
    double by_speed = now + (speed_a + speed_b) * (double)s->duration_ns * 1e-9;
    return by_speed < by_orbit ? by_speed : by_orbit;
}

/* The farthest of the moments, and of the time about it. */
static void look_over_time(struct search *search, uint32_t from, uint32_t to)
{
    const struct scenario *s = search->scenario;
    aldis_ns step_ns = s->duration_ns / MOMENTS, best_ns = 0;
    double best = 0;
    for (uint32_t i = 0; i <= MOMENTS; i++) {
        double distance = distance_at(s, from, to, (aldis_ns)i * step_ns);
        if (distance > best * (1 + 1e-4)) { /* of equal ones the first */
            best = distance;
            best_ns = (aldis_ns)i * step_ns;
        }
    }
    for (step_ns /= 2; step_ns > ALDIS_MS; step_ns /= 2) {
        for (int side = -1; side <= 1; side += 2) {
            aldis_ns at_ns = best_ns + side * step_ns;
            double distance =
                at_ns < 0 || at_ns > s->duration_ns ? 0 : distance_at(s, from, to, at_ns);
            if (distance > best) {
                best = distance;
                best_ns = at_ns;
                break;
            }
        }
    }
    if (best > search->later.length)
        search->later = (struct leg){from, to, best, best_ns, search->later.unseen};
}

static void look_at_pair(struct search *search, uint32_t from, uint32_t to)
{
    double now = vec_length(vec_sub(search->places[from], search->places[to]));
    if (now > search->start.length)
        search->start = (struct leg){.from = from, .to = to, .length = now};
    if (now > search->range || most_apart(search, from, to, now) <= search->range)
        return;
    if (search->pairs == PAIRS_MAX) {
        search->later.unseen++;
        return;
    }
    search->pairs++;
    look_over_time(search, from, to);
}

/* Of a random route every pair of stations with a berth for the class is a leg. */
static void look_at_legs(struct search *search, const struct scenario_fleet *fleet)
{
    const struct scenario *s = search->scenario;
    const struct scenario_route *route = &fleet->route;
    const struct scenario_class *class = &s->classes.items[fleet->class];
    for (uint32_t i = 0; i < route->count; i++)
        look_at_pair(search, route->stations[i], route->stations[(i + 1) % route->count]);
    for (uint32_t i = 0; route->count == 0 && i < s->stations.count; i++) {
        if (!scenario_station_takes(&s->stations.items[i], class))
            continue;
        for (uint32_t j = 0; j < i; j++)
            if (scenario_station_takes(&s->stations.items[j], class))
                look_at_pair(search, i, j);
    }
}

void scenario_warning_begin(const char *path, uint32_t line, FILE *out)
{
    if (line > 0)
        fprintf(out, "%s:%u: warning: ", path, line);
    else
        fprintf(out, "%s: warning: ", path);
}

static void print_time(aldis_ns at_ns, FILE *out)
{
    double seconds = (double)at_ns * 1e-9;
    if (at_ns < 2 * ALDIS_HOUR)
        fprintf(out, "after %.3g min", seconds / 60);
    else if (seconds < 2 * 86400.0)
        fprintf(out, "after %.3g h", seconds / 3600);
    else
        fprintf(out, "after %.4g d", seconds / 86400);
}

static uint32_t warn_of_fleet(const struct search *search, uint32_t number, const char *path,
                              FILE *out)
{
    const struct scenario *s = search->scenario;
    const struct scenario_fleet *fleet = &s->fleets.items[number];
    bool later = search->start.length <= search->range;
    const struct leg *leg = later ? &search->later : &search->start;
    if (leg->length <= search->range)
        return 0;
    scenario_warning_begin(path, fleet->line, out);
    fprintf(out, "fleets[%u] \"%s\": from \"%s\" to \"%s\" it is %.6g u ", number, fleet->name,
            s->stations.items[leg->from].name, s->stations.items[leg->to].name, leg->length);
    if (later)
        print_time(leg->at_ns, out);
    else
        fprintf(out, "at the start");
    fprintf(out, ", and class \"%s\" comes %.6g u far (tank / burn)%s\n",
            s->classes.items[fleet->class].name, search->range,
            s->rescue.tugs > 0 ? ": it calls for fuel on the way"
                               : "; there is no rescue service: a ship that runs dry waits until "
                                 "another one passes");
    return 1;
}

uint32_t scenario_warnings_print(const struct scenario *scenario, const char *path, FILE *out)
{
    uint32_t warnings = 0;
    struct vec *places = calloc(scenario->stations.count, sizeof *places);
    for (uint32_t i = 0; places && i < scenario->stations.count; i++)
        places[i] = scenario_station_position(scenario, i, 0);
    for (uint32_t i = 0; places && i < scenario->fleets.count; i++) {
        uint32_t class = scenario->fleets.items[i].class;
        struct search search = {.scenario = scenario,
                                .range = scenario_class_range(&scenario->classes.items[class]),
                                .places = places};
        look_at_legs(&search, &scenario->fleets.items[i]);
        warnings += warn_of_fleet(&search, i, path, out);
        if (search.later.unseen > 0 && search.start.length <= search.range &&
            search.later.length <= search.range) {
            warnings++;
            scenario_warning_begin(path, scenario->fleets.items[i].line, out);
            fprintf(out,
                    "fleets[%u] \"%s\": %u more legs may become longer than the %.6g u that class "
                    "\"%s\" comes; too many to look at\n",
                    i, scenario->fleets.items[i].name, search.later.unseen, search.range,
                    scenario->classes.items[class].name);
        }
    }
    free(places);
    return warnings + stations_warnings_print(scenario, path, out) +
           limits_warnings_print(scenario, path, out);
}
