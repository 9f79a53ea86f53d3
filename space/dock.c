// SPDX-License-Identifier: Apache-2.0
/* dock.c: see dock.h. */
#include "dock.h"

#include "digest.h"

#include <string.h>

static size_t berth_bytes(const struct scenario_station *station)
{
    return (station->berths + station->large_berths) * sizeof(struct dock_berth);
}

size_t dock_bytes(const struct scenario_station *station)
{
    return berth_bytes(station) + station->queue_limit * sizeof(struct dock_place);
}

void dock_init(struct dock *dock, const struct scenario_station *station, aldis_ns turn_ns,
               void *memory)
{
    char *queue = (char *)memory + berth_bytes(station);
    *dock = (struct dock){.station = station,
                          .berth_count = station->berths + station->large_berths,
                          .berths = memory,
                          .queue = (struct dock_place *)(void *)queue};
    dock->turn = (struct dock_mean){.mean_ns = turn_ns, .count = 1};
    memset(memory, 0, berth_bytes(station));
}

enum change {
    CHANGE_HELD,
    CHANGE_TAKEN,
    CHANGE_SERVED,
    CHANGE_FREE,
    CHANGE_WAITS,
    CHANGE_GONE,
    CHANGE_HOUSED
};

static void note(struct dock *dock, enum change change, uint32_t at, aldis_id ship)
{
    dock->history = digest_mix(dock->history, ship.bits ^ ((uint64_t)at << 3 | change));
}

static bool fits(const struct dock *dock, uint32_t berth, double length_m)
{
    return berth >= dock->station->berths || length_m <= dock->station->berth_length_m;
}

static void measure(struct dock_mean *mean, aldis_ns time_ns)
{
    mean->count += mean->count < DOCK_MEAN_OF;
    mean->mean_ns += (time_ns - mean->mean_ns) / mean->count;
}

/* When a berth in use will be free by the mean of what was measured. */
static aldis_ns expected_ns(const struct dock *dock, const struct dock_berth *berth)
{
    return berth->state == BERTH_HELD ? berth->held_ns + dock->turn.mean_ns
                                      : berth->served_ns + dock->leave.mean_ns;
}

/* One that is overdue takes as much longer as such ones do. */
static aldis_ns free_from(const struct dock *dock, const struct dock_berth *berth, aldis_ns now_ns)
{
    if (berth->state == BERTH_FREE)
        return now_ns;
    aldis_ns free_ns = expected_ns(dock, berth);
    return free_ns < now_ns ? now_ns + dock->late.mean_ns : free_ns;
}

static void measure_turn(struct dock *dock, const struct dock_berth *berth, aldis_ns now_ns)
{
    aldis_ns late_ns = now_ns - expected_ns(dock, berth);
    if (late_ns > 0)
        measure(&dock->late, late_ns);
    if (berth->state == BERTH_LEAVING)
        measure(&dock->leave, now_ns - berth->served_ns);
    measure(&dock->turn, now_ns - berth->held_ns);
}

static bool find_berth(const struct dock *dock, aldis_id ship, uint32_t *out)
{
    for (uint32_t i = 0; i < dock->berth_count; i++) {
        if (dock->berths[i].state != BERTH_FREE && aldis_id_equal(dock->berths[i].ship, ship)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool find_place(const struct dock *dock, aldis_id ship, uint32_t *out)
{
    for (uint32_t i = 0; i < dock->queue_count; i++) {
        if (aldis_id_equal(dock->queue[i].ship, ship)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool find_free(const struct dock *dock, double length_m, uint32_t *out)
{
    for (uint32_t i = 0; i < dock->berth_count; i++) {
        if (dock->berths[i].state == BERTH_FREE && fits(dock, i, length_m)) {
            *out = i;
            return true;
        }
    }
    return false;
}

static struct dock_answer grant(struct dock *dock, uint32_t berth, aldis_id ship, aldis_ns now_ns)
{
    struct dock_berth *b = &dock->berths[berth];
    b->state = BERTH_HELD;
    b->ship = ship;
    b->change++;
    b->held_ns = now_ns;
    note(dock, CHANGE_HELD, berth, ship);
    return (struct dock_answer){
        .verdict = DOCK_GRANTED, .anew = true, .ship = ship, .berth = berth, .change = b->change};
}

static bool is_long(const struct dock *dock, double length_m)
{
    return length_m > dock->station->berth_length_m;
}

/* Shell's sort with the gaps of Ciura (2001). */
static void sort_times(aldis_ns *times, uint32_t count)
{
    static const uint32_t gaps[] = {57, 23, 10, 4, 1};
    for (uint32_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            aldis_ns one_ns = times[i];
            uint32_t at = i;
            for (; at >= gap && times[at - gap] > one_ns; at -= gap)
                times[at] = times[at - gap];
            times[at] = one_ns;
        }
    }
}

/* When all berths take all who wait, and no berth is busy for longer than a turn beyond the first
 * that is free, they are served round the berths in the order in which those become free: so the
 * play need not be played. false: it is not that simple. */
static bool wait_in_turn(const struct dock *dock, uint32_t place, aldis_ns *free_ns,
                         aldis_ns *out_start_ns)
{
    uint32_t count = dock->berth_count;
    sort_times(free_ns, count);
    *out_start_ns = free_ns[place % count] + place / count * dock->turn.mean_ns;
    return free_ns[count - 1] - free_ns[0] <= dock->turn.mean_ns;
}

/* Play the queue up to `place` through: each ship takes, of the berths that it fits into, the one
 * that is free first. */
static aldis_ns estimate_wait(const struct dock *dock, uint32_t place, aldis_ns now_ns)
{
    aldis_ns free_ns[DOCK_BERTHS_MAX] = {0};
    for (uint32_t i = 0; i < dock->berth_count; i++)
        free_ns[i] = free_from(dock, &dock->berths[i], now_ns);
    aldis_ns start_ns = now_ns;
    if (dock->long_count == 0 && wait_in_turn(dock, place, free_ns, &start_ns))
        return start_ns - now_ns;
    for (uint32_t at = 0; at <= place; at++) {
        /* The last berth takes every ship that waits; at equal times the first is the smallest. */
        uint32_t best = dock->berth_count - 1;
        for (uint32_t i = best; i-- > 0;)
            if (fits(dock, i, dock->queue[at].length_m) && free_ns[i] <= free_ns[best])
                best = i;
        start_ns = free_ns[best];
        free_ns[best] += dock->turn.mean_ns;
    }
    return start_ns - now_ns;
}

static struct dock_answer queued(const struct dock *dock, uint32_t place, aldis_ns now_ns)
{
    return (struct dock_answer){.verdict = DOCK_QUEUED,
                                .ship = dock->queue[place].ship,
                                .place = place + 1,
                                .estimated_wait_ns = estimate_wait(dock, place, now_ns)};
}

struct dock_answer dock_ask(struct dock *dock, aldis_id ship, double length_m, aldis_ns now_ns)
{
    uint32_t at;
    if (find_berth(dock, ship, &at))
        return (struct dock_answer){
            .verdict = DOCK_GRANTED, .ship = ship, .berth = at, .change = dock->berths[at].change};
    if (find_place(dock, ship, &at))
        return queued(dock, at, now_ns);
    if (!fits(dock, dock->berth_count - 1, length_m))
        return (struct dock_answer){.verdict = DOCK_TOO_LONG, .ship = ship};
    /* Whoever waits fits into no free berth, since each that became free was offered to them. */
    if (find_free(dock, length_m, &at))
        return grant(dock, at, ship, now_ns);
    if (dock->queue_count >= dock->station->queue_limit)
        return (struct dock_answer){.verdict = DOCK_FULL, .ship = ship};
    dock->queue[dock->queue_count] =
        (struct dock_place){.ship = ship, .length_m = length_m, .asked_ns = now_ns};
    note(dock, CHANGE_WAITS, dock->queue_count, ship);
    dock->long_count += is_long(dock, length_m);
    return queued(dock, dock->queue_count++, now_ns);
}

static void remove_place(struct dock *dock, uint32_t place)
{
    note(dock, CHANGE_GONE, place, dock->queue[place].ship);
    dock->long_count -= is_long(dock, dock->queue[place].length_m);
    dock->queue_count--;
    memmove(&dock->queue[place], &dock->queue[place + 1],
            (dock->queue_count - place) * sizeof dock->queue[0]);
}

bool dock_shed(struct dock *dock, aldis_ns now_ns, aldis_id *out_ship)
{
    aldis_ns most_ns = dock->station->queue_wait_ns;
    if (!most_ns || !dock->queue_count || now_ns - dock->queue[0].asked_ns <= most_ns)
        return false;
    *out_ship = dock->queue[0].ship;
    remove_place(dock, 0);
    return true;
}

static bool has_free(const struct dock *dock)
{
    uint32_t i = 0;
    while (i < dock->berth_count && dock->berths[i].state != BERTH_FREE)
        i++;
    return i < dock->berth_count;
}

bool dock_next(struct dock *dock, aldis_ns now_ns, struct dock_answer *out_answer)
{
    if (!has_free(dock))
        return false; /* the usual end, without a walk through the queue */
    for (uint32_t place = 0; place < dock->queue_count; place++) {
        uint32_t berth;
        if (find_free(dock, dock->queue[place].length_m, &berth)) {
            *out_answer = grant(dock, berth, dock->queue[place].ship, now_ns);
            out_answer->wait_ns = now_ns - dock->queue[place].asked_ns;
            dock->berths[berth].visit = dock->queue[place].visit;
            remove_place(dock, place);
            return true;
        }
    }
    return false;
}

enum dock_arrival dock_arrive(struct dock *dock, aldis_id ship, uint32_t berth, aldis_ns now_ns,
                              aldis_ns service_ns, uint32_t *out_change)
{
    if (berth >= dock->berth_count)
        return DOCK_NOT_HELD;
    struct dock_berth *b = &dock->berths[berth];
    if (b->state == BERTH_FREE || !aldis_id_equal(b->ship, ship))
        return DOCK_NOT_HELD;
    if (b->state != BERTH_HELD)
        return DOCK_THERE_ALREADY;
    b->state = BERTH_TAKEN;
    b->served_ns = now_ns + service_ns;
    b->prolonged = false;
    note(dock, CHANGE_TAKEN, berth, ship);
    *out_change = ++b->change;
    return DOCK_ARRIVED;
}

bool dock_prolong(struct dock *dock, aldis_id ship, aldis_ns more_ns, uint32_t *out_berth,
                  uint32_t *out_change)
{
    uint32_t at;
    if (!find_berth(dock, ship, &at))
        return false;
    struct dock_berth *b = &dock->berths[at];
    if (b->state != BERTH_TAKEN || b->prolonged)
        return false;
    b->prolonged = true;
    b->served_ns += more_ns;
    *out_berth = at;
    *out_change = ++b->change;
    return true;
}

bool dock_has_quarters(const struct dock *dock, aldis_id ship)
{
    uint32_t housed = 0;
    for (uint32_t i = 0; i < dock->berth_count; i++) {
        if (dock->berths[i].housed && aldis_id_equal(dock->berths[i].ship, ship))
            return true;
        housed += dock->berths[i].housed;
    }
    return housed < dock->station->quarters;
}

void dock_house(struct dock *dock, aldis_id ship)
{
    uint32_t at;
    if (!find_berth(dock, ship, &at) || dock->berths[at].state != BERTH_TAKEN ||
        dock->berths[at].housed || !dock_has_quarters(dock, ship))
        return;
    dock->berths[at].housed = true;
    note(dock, CHANGE_HOUSED, at, ship);
}

aldis_ns dock_service_end(const struct dock *dock, aldis_id ship)
{
    uint32_t at;
    bool served = find_berth(dock, ship, &at) && dock->berths[at].state == BERTH_TAKEN;
    return served ? dock->berths[at].served_ns : 0;
}

uint32_t dock_served(struct dock *dock, uint32_t berth, aldis_ns now_ns)
{
    dock->berths[berth].state = BERTH_LEAVING;
    dock->berths[berth].served_ns = now_ns;
    note(dock, CHANGE_SERVED, berth, dock->berths[berth].ship);
    return ++dock->berths[berth].change;
}

aldis_ns dock_due(const struct dock *dock, const struct dock_berth *berth)
{
    aldis_ns permission_ns = dock->station->permission_ns;
    if (berth->state == BERTH_HELD)
        return berth->held_ns + permission_ns;
    return berth->state == BERTH_TAKEN ? berth->served_ns : berth->served_ns + permission_ns;
}

bool dock_leave(struct dock *dock, aldis_id ship, aldis_ns now_ns)
{
    uint32_t at;
    if (find_berth(dock, ship, &at)) {
        measure_turn(dock, &dock->berths[at], now_ns);
        note(dock, CHANGE_FREE, at, ship);
        dock->berths[at].state = BERTH_FREE;
        dock->berths[at].ship = aldis_nobody();
        dock->berths[at].housed = false;
        dock->berths[at].change++;
        return true;
    }
    if (!find_place(dock, ship, &at))
        return false;
    remove_place(dock, at);
    return true;
}

bool dock_has(const struct dock *dock, aldis_id ship)
{
    uint32_t at;
    return find_berth(dock, ship, &at) || find_place(dock, ship, &at);
}

void dock_set_visit(struct dock *dock, aldis_id ship, aldis_ns visit)
{
    uint32_t at;
    if (find_berth(dock, ship, &at))
        dock->berths[at].visit = visit;
    else if (find_place(dock, ship, &at))
        dock->queue[at].visit = visit;
}

aldis_ns dock_visit(const struct dock *dock, aldis_id ship)
{
    uint32_t at;
    if (find_berth(dock, ship, &at))
        return dock->berths[at].visit;
    return find_place(dock, ship, &at) ? dock->queue[at].visit : -1;
}

bool dock_has_berth(const struct dock *dock, aldis_id ship)
{
    uint32_t at;
    return find_berth(dock, ship, &at) && dock->berths[at].state != BERTH_HELD;
}

const struct dock_berth *dock_since(const struct dock *dock, uint32_t berth, uint32_t change)
{
    if (berth >= dock->berth_count || dock->berths[berth].change != change)
        return NULL;
    return &dock->berths[berth];
}
