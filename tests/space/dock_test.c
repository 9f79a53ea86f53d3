// SPDX-License-Identifier: Apache-2.0
/* dock_test.c: berths and queue: everyone is answered, in order, and none starves. */
#include "chance.h"
#include "dock.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static const struct scenario_station four_berths = {.name = "four",
                                                    .berths = 4,
                                                    .berth_length_m = 100,
                                                    .service_ns = 60 * ALDIS_SECOND,
                                                    .approach_ns = 10 * ALDIS_SECOND,
                                                    .permission_ns = 60 * ALDIS_SECOND,
                                                    .queue_limit = 1000};
static struct dock dock;

static void open_dock(const struct scenario_station *station)
{
    static _Alignas(16) char memory[DOCK_BYTES_MAX];
    CHECK(dock_bytes(station) <= sizeof memory);
    memset(memory, 0xa5, sizeof memory);
    dock_init(&dock, station, station->approach_ns + station->service_ns, memory);
}

/* When a berth that is held will be free, on average. */
static aldis_ns free_ns_of(uint32_t berth)
{
    return dock.berths[berth].held_ns + dock.turn.mean_ns;
}

static aldis_id ship(uint32_t number)
{
    return (aldis_id){.bits = 1000 + number};
}

static uint32_t number_of(aldis_id id)
{
    return (uint32_t)(id.bits - 1000);
}

/* Serve whoever has a berth, by the clock, until no one is left; notes when each got permission. */
static void serve_all(aldis_ns *granted_ns, uint32_t *order, uint32_t *out_count)
{
    struct dock_answer answer;
    for (;;) {
        uint32_t next = DOCK_BERTHS_MAX;
        for (uint32_t i = 0; i < dock.berth_count; i++)
            if (dock.berths[i].state != BERTH_FREE &&
                (next == DOCK_BERTHS_MAX || free_ns_of(i) < free_ns_of(next)))
                next = i;
        if (next == DOCK_BERTHS_MAX)
            return;
        aldis_ns now_ns = free_ns_of(next);
        CHECK(dock_leave(&dock, dock.berths[next].ship, now_ns));
        while (dock_next(&dock, now_ns, &answer)) {
            CHECK(answer.anew);
            granted_ns[number_of(answer.ship)] = now_ns;
            order[(*out_count)++] = number_of(answer.ship);
        }
    }
}

TEST(four_berths_and_1000_requests_are_all_answered_in_order)
{
    static aldis_ns granted_ns[1000], estimated_ns[1000];
    static uint32_t order[1000];
    uint32_t count = 0;
    open_dock(&four_berths);
    for (uint32_t i = 0; i < 1000; i++) {
        struct dock_answer answer = dock_ask(&dock, ship(i), 50, 0);
        granted_ns[i] = -1;
        if (i < 4) {
            CHECK_INT(answer.verdict, DOCK_GRANTED);
            CHECK_UINT(answer.berth, i);
            granted_ns[i] = 0;
            order[count++] = i;
        } else {
            CHECK_INT(answer.verdict, DOCK_QUEUED);
            CHECK_UINT(answer.place, i - 3);
            estimated_ns[i] = answer.estimated_wait_ns;
        }
    }
    serve_all(granted_ns, order, &count);
    CHECK_UINT(count, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        CHECK_UINT(order[i], i);
        /* A turn takes its mean here, so each estimate must come true to the nanosecond. */
        CHECK_INT(granted_ns[i], estimated_ns[i]);
        CHECK_INT(granted_ns[i], (aldis_ns)(i / 4) * 70 * ALDIS_SECOND);
    }
}

TEST(a_full_queue_refuses_and_a_long_ship_is_refused)
{
    open_dock(&four_berths);
    for (uint32_t i = 0; i < 1004; i++)
        CHECK(dock_ask(&dock, ship(i), 50, 0).verdict <= DOCK_QUEUED);
    CHECK_INT(dock_ask(&dock, ship(1004), 50, 0).verdict, DOCK_FULL);
    CHECK_INT(dock_ask(&dock, ship(1005), 101, 0).verdict, DOCK_TOO_LONG);
    CHECK_UINT(dock.queue_count, 1000);
}

TEST(asking_again_changes_nothing)
{
    open_dock(&four_berths);
    for (uint32_t i = 0; i < 6; i++)
        dock_ask(&dock, ship(i), 50, 0);
    struct dock_answer held = dock_ask(&dock, ship(2), 50, 5);
    CHECK_INT(held.verdict, DOCK_GRANTED);
    CHECK(!held.anew);
    CHECK_UINT(held.berth, 2);
    struct dock_answer waiting = dock_ask(&dock, ship(5), 50, 5);
    CHECK_INT(waiting.verdict, DOCK_QUEUED);
    CHECK_UINT(waiting.place, 2);
    CHECK_UINT(dock.queue_count, 2);
}

TEST(a_ship_may_give_up_its_place_and_its_permission)
{
    struct dock_answer answer;
    open_dock(&four_berths);
    for (uint32_t i = 0; i < 7; i++)
        dock_ask(&dock, ship(i), 50, 0);
    CHECK(dock_leave(&dock, ship(4), 1));
    CHECK(!dock_leave(&dock, ship(4), 1));
    CHECK(!dock_next(&dock, 1, &answer));
    CHECK(dock_leave(&dock, ship(1), 1));
    CHECK(dock_next(&dock, 1, &answer));
    CHECK_UINT(number_of(answer.ship), 5);
    CHECK_UINT(answer.berth, 1);
    CHECK(!dock_next(&dock, 1, &answer));
}

TEST(only_the_holder_of_a_berth_docks_there)
{
    uint32_t change = 0;
    open_dock(&four_berths);
    struct dock_answer answer = dock_ask(&dock, ship(0), 50, 0);
    CHECK_INT(dock_arrive(&dock, ship(1), 0, 1, 10, &change), DOCK_NOT_HELD);
    CHECK_INT(dock_arrive(&dock, ship(0), 1, 1, 10, &change), DOCK_NOT_HELD);
    CHECK_INT(dock_arrive(&dock, ship(0), 4, 1, 10, &change), DOCK_NOT_HELD);
    CHECK_INT(dock_arrive(&dock, ship(0), UINT32_MAX, 1, 10, &change), DOCK_NOT_HELD);
    CHECK_INT(dock_arrive(&dock, ship(0), 0, 1, 10, &change), DOCK_ARRIVED);
    CHECK(change != answer.change);
    CHECK_INT(dock_arrive(&dock, ship(0), 0, 2, 10, &change), DOCK_THERE_ALREADY);
}

TEST(a_service_is_prolonged_once)
{
    uint32_t berth, change, later;
    open_dock(&four_berths);
    CHECK(!dock_prolong(&dock, ship(0), 7, &berth, &later));
    struct dock_answer answer = dock_ask(&dock, ship(0), 50, 0);
    CHECK(!dock_prolong(&dock, ship(0), 7, &berth, &later)); /* it is not there yet */
    CHECK_INT(dock_arrive(&dock, ship(0), answer.berth, 100, 60, &change), DOCK_ARRIVED);
    CHECK_INT(dock_service_end(&dock, ship(0)), 160);
    CHECK(dock_prolong(&dock, ship(0), 7, &berth, &later));
    CHECK(berth == answer.berth && later != change);
    CHECK(!dock_prolong(&dock, ship(0), 7, &berth, &later)); /* a copy of the request */
    CHECK_INT(dock_service_end(&dock, ship(0)), 167);
    (void)dock_served(&dock, berth, 167);
    CHECK_INT(dock_service_end(&dock, ship(0)), 0);
    CHECK(!dock_prolong(&dock, ship(0), 7, &berth, &later));
}

/* The permission's timer must not end the service, nor the service's throw out the next ship. */
TEST(a_timer_of_an_earlier_state_or_ship_finds_nothing)
{
    uint32_t arrived, served;
    open_dock(&four_berths);
    struct dock_answer first = dock_ask(&dock, ship(0), 50, 0);
    CHECK(dock_since(&dock, 0, first.change) != NULL);
    CHECK_INT(dock_arrive(&dock, ship(0), 0, 1, 10, &arrived), DOCK_ARRIVED);
    CHECK(dock_since(&dock, 0, first.change) == NULL);
    CHECK_INT(dock_since(&dock, 0, arrived)->state, BERTH_TAKEN);
    served = dock_served(&dock, 0, 11);
    CHECK(dock_since(&dock, 0, arrived) == NULL);
    CHECK_INT(dock_since(&dock, 0, served)->state, BERTH_LEAVING);
    CHECK(dock_leave(&dock, ship(0), 12));
    CHECK(dock_since(&dock, 0, served) == NULL);
    struct dock_answer second = dock_ask(&dock, ship(1), 50, 1);
    CHECK_UINT(second.berth, first.berth);
    CHECK(dock_since(&dock, 0, served) == NULL);
    CHECK(dock_since(&dock, 0, second.change) != NULL);
    CHECK(dock_since(&dock, UINT32_MAX, 1) == NULL);
}

TEST(small_ships_take_small_berths_first_and_pass_only_ships_that_do_not_fit)
{
    static const struct scenario_station mixed = {.berths = 1,
                                                  .large_berths = 1,
                                                  .berth_length_m = 100,
                                                  .service_ns = 60,
                                                  .approach_ns = 1,
                                                  .queue_limit = 10};
    struct dock_answer answer;
    open_dock(&mixed);
    CHECK_UINT(dock_ask(&dock, ship(0), 50, 0).berth, 0);
    CHECK_UINT(dock_ask(&dock, ship(1), 50, 0).berth, 1);
    CHECK_INT(dock_ask(&dock, ship(2), 300, 0).verdict, DOCK_QUEUED);
    CHECK_INT(dock_ask(&dock, ship(3), 50, 0).verdict, DOCK_QUEUED);
    CHECK_INT(dock_ask(&dock, ship(4), 50, 0).verdict, DOCK_QUEUED);
    dock_leave(&dock, ship(0), 1); /* the small berth: too short for 2 */
    CHECK(dock_next(&dock, 1, &answer));
    CHECK_UINT(number_of(answer.ship), 3);
    dock_leave(&dock, ship(1), 2); /* the large one: 2 is the first of all */
    CHECK(dock_next(&dock, 2, &answer));
    CHECK_UINT(number_of(answer.ship), 2);
    CHECK_UINT(answer.berth, 1);
}

/* Whatever comes and goes: two ships never hold one berth, ships of one size get theirs in the
 * order in which they asked, and in the end all have been served. */
static void try_rules(uint64_t seed)
{
    struct chance chance = {seed};
    struct scenario_station station = {.berths = 1 + (uint32_t)chance_below(&chance, 4),
                                       .large_berths = 1 + (uint32_t)chance_below(&chance, 2),
                                       .berth_length_m = 100,
                                       .service_ns = 60,
                                       .approach_ns = 1,
                                       .queue_limit = SCENARIO_QUEUE_MAX};
    uint32_t asked = 0, last_small = 0, last_large = 0, granted = 0;
    struct dock_answer answer;
    open_dock(&station);
    for (aldis_ns now_ns = 0; granted < 300; now_ns++) {
        CHECK(now_ns < 10000);
        bool free_one = asked == 300 || chance_below(&chance, 3) == 0;
        bool fresh = false;
        if (free_one) {
            uint32_t berth = (uint32_t)chance_below(&chance, dock.berth_count);
            if (dock.berths[berth].state != BERTH_FREE)
                CHECK(dock_leave(&dock, dock.berths[berth].ship, now_ns));
        } else {
            /* Odd ships are long. */
            asked++;
            answer = dock_ask(&dock, ship(asked), asked % 2 ? 150 : 50, now_ns);
            fresh = answer.verdict == DOCK_GRANTED;
        }
        while (fresh || dock_next(&dock, now_ns, &answer)) {
            fresh = false;
            granted++;
            uint32_t number = number_of(answer.ship);
            uint32_t *last = number % 2 ? &last_large : &last_small;
            CHECK(number > *last);
            CHECK(number % 2 == 0 || answer.berth >= station.berths);
            *last = number;
        }
        for (uint32_t i = 0; i < dock.berth_count; i++)
            for (uint32_t j = 0; j < i; j++)
                CHECK(dock.berths[i].state == BERTH_FREE || dock.berths[j].state == BERTH_FREE ||
                      !aldis_id_equal(dock.berths[i].ship, dock.berths[j].ship));
    }
    CHECK_UINT(dock.queue_count, 0);
}

TEST(the_rules_hold_for_whatever_comes_and_goes)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        try_rules(seed);
}

/* Most of a hundred that ask at once have waited too long before their turn comes: they are shed,
 * the oldest first, and whoever is served has waited less. */
TEST(who_has_waited_too_long_is_shed)
{
    struct scenario_station station = four_berths;
    struct dock_answer answer;
    aldis_id late;
    uint32_t shed = 0, served = 4;
    station.queue_wait_ns = 5 * ALDIS_MINUTE;
    open_dock(&station);
    for (uint32_t i = 0; i < 100; i++)
        (void)dock_ask(&dock, ship(i), 50, 0);
    CHECK(!dock_shed(&dock, station.queue_wait_ns, &late));
    for (aldis_ns now_ns = ALDIS_MINUTE; now_ns <= 10 * ALDIS_MINUTE; now_ns += ALDIS_MINUTE) {
        for (uint32_t i = 0; i < dock.berth_count; i++)
            if (dock.berths[i].state != BERTH_FREE)
                CHECK(dock_leave(&dock, dock.berths[i].ship, now_ns));
        for (; dock_shed(&dock, now_ns, &late); shed++)
            CHECK_UINT(number_of(late), served + shed);
        for (; dock_next(&dock, now_ns, &answer); served++)
            CHECK(answer.wait_ns <= station.queue_wait_ns);
    }
    CHECK_UINT(served, 4 + 5 * 4);
    CHECK_UINT(shed, 100 - served);
    CHECK_UINT(dock.queue_count, 0);
}

/* What a ship at a place is told is what playing the queue through gives: at any state of the
 * berths, whoever waits. */
TEST(estimates_are_those_of_the_queue_played_through)
{
    static struct scenario_station mixed;
    mixed = four_berths;
    mixed.large_berths = 1;
    uint32_t short_only = 0;
    for (uint32_t round = 0; round < 300; round++) {
        struct chance chance = {round + 1};
        bool longs = round % 2 == 0;
        aldis_ns now_ns = 0, free_ns[8];
        open_dock(&mixed);
        for (uint32_t i = 0; i < 40; i++) {
            double length_m = longs && chance_below(&chance, 4) == 0 ? 150 : 50;
            now_ns += (aldis_ns)chance_below(&chance, 12) * ALDIS_SECOND;
            struct dock_answer answer = dock_ask(&dock, ship(i), length_m, now_ns);
            if (answer.verdict != DOCK_QUEUED)
                continue;
            for (uint32_t b = 0; b < 5; b++)
                free_ns[b] = free_ns_of(b) < now_ns ? now_ns + dock.late.mean_ns : free_ns_of(b);
            aldis_ns start_ns = now_ns;
            for (uint32_t p = 0; p < answer.place; p++) {
                uint32_t best = 4;
                for (uint32_t b = 4; b-- > 0;) /* at equal times the smallest */
                    if (dock.queue[p].length_m <= 100 && free_ns[b] <= free_ns[best])
                        best = b;
                start_ns = free_ns[best];
                free_ns[best] += dock.turn.mean_ns;
            }
            CHECK_INT(answer.estimated_wait_ns, start_ns - now_ns);
            short_only += dock.long_count == 0;
            uint32_t left = (uint32_t)chance_below(&chance, 5);
            if (chance_below(&chance, 3) == 0 && dock.berths[left].state != BERTH_FREE) {
                CHECK(dock_leave(&dock, dock.berths[left].ship, now_ns));
                while (dock_next(&dock, now_ns, &answer))
                    continue;
            }
        }
    }
    CHECK(short_only > 1000);
}

/* ---- Turns are measured ---- */

/* One turn of the only berth: so long to it, and so long after its service. */
static aldis_ns take_turn(aldis_ns now_ns, aldis_ns way_ns, aldis_ns service_ns, aldis_ns leave_ns)
{
    uint32_t change;
    struct dock_answer answer = dock_ask(&dock, ship(1), 50, now_ns);
    CHECK_INT(answer.verdict, DOCK_GRANTED);
    now_ns += way_ns;
    CHECK_INT(dock_arrive(&dock, ship(1), answer.berth, now_ns, service_ns, &change), DOCK_ARRIVED);
    CHECK_INT(dock_due(&dock, &dock.berths[answer.berth]), now_ns + service_ns);
    now_ns += service_ns;
    (void)dock_served(&dock, answer.berth, now_ns);
    CHECK_INT(dock_due(&dock, &dock.berths[answer.berth]), now_ns + 60 * ALDIS_SECOND);
    now_ns += leave_ns;
    CHECK(dock_leave(&dock, ship(1), now_ns));
    return now_ns;
}

static aldis_ns told(uint32_t number, aldis_ns now_ns)
{
    struct dock_answer answer = dock_ask(&dock, ship(number), 50, now_ns);
    CHECK_INT(answer.verdict, DOCK_QUEUED);
    return answer.estimated_wait_ns;
}

static struct scenario_station one_berth(void)
{
    struct scenario_station station = four_berths;
    station.berths = 1;
    return station;
}

/* Turns of 12 + 60 + 28 s, where 70 were expected. Each state of the berth is told by what was
 * measured of it. */
TEST(who_waits_is_told_by_the_turns_that_were_measured)
{
    static struct scenario_station station;
    uint32_t change;
    aldis_ns now_ns = 0, s = ALDIS_SECOND;
    station = one_berth();
    open_dock(&station);
    for (uint32_t i = 0; i < 9; i++) /* the guess counts as a tenth, then */
        now_ns = take_turn(now_ns, 12 * s, 60 * s, 28 * s);
    CHECK_INT((dock.turn.mean_ns + ALDIS_US) / s, 97); /* each mean is rounded down */
    CHECK_INT(dock.leave.mean_ns, 28 * s);
    for (uint32_t i = 0; i < 600; i++)
        now_ns = take_turn(now_ns, 12 * s, 60 * s, 28 * s);
    CHECK_INT((dock.turn.mean_ns + s / 10) / s, 100); /* the guess is all but forgotten */
    CHECK_INT(dock_ask(&dock, ship(2), 50, now_ns).verdict, DOCK_GRANTED);
    aldis_ns turn_ns = dock.turn.mean_ns;
    CHECK_INT(told(3, now_ns + 10 * s), turn_ns - 10 * s);
    CHECK_INT(told(4, now_ns + 10 * s), 2 * turn_ns - 10 * s);
    now_ns += 12 * s; /* its service takes longer than usual, which the station knows */
    CHECK_INT(dock_arrive(&dock, ship(2), 0, now_ns, 75 * s, &change), DOCK_ARRIVED);
    CHECK_INT(told(3, now_ns), 75 * s + 28 * s);
    (void)dock_served(&dock, 0, now_ns + 75 * s);
    CHECK_INT(told(3, now_ns + 80 * s), 23 * s);
}

/* One turn was 30 s longer than expected: so is the next one that is overdue, as far as one knows.
 * That a ship held a berth and never came is a turn, too. */
TEST(a_berth_that_is_overdue_is_as_late_as_such_are)
{
    static struct scenario_station station;
    aldis_ns now_ns = 0, s = ALDIS_SECOND;
    station = one_berth();
    open_dock(&station);
    CHECK_INT(dock_ask(&dock, ship(0), 50, 0).verdict, DOCK_GRANTED);
    CHECK_INT(told(1, 80 * s), 0); /* nothing is known yet */
    CHECK(dock_leave(&dock, ship(1), 80 * s));
    CHECK(dock_leave(&dock, ship(0), 100 * s));
    CHECK_INT(dock.late.mean_ns, 30 * s);
    CHECK_INT(dock.turn.mean_ns, 85 * s);
    CHECK_UINT(dock.leave.count, 0);
    now_ns = 1000 * s;
    CHECK_INT(dock_ask(&dock, ship(0), 50, now_ns).verdict, DOCK_GRANTED);
    CHECK_INT(told(1, now_ns + 84 * s), s);
    CHECK_INT(told(1, now_ns + 86 * s), 30 * s);
}

/* What was long ago counts less and less: as much as a 64th is left of it after 266 turns. */
TEST(the_mean_follows_turns_that_change)
{
    static struct scenario_station station;
    aldis_ns now_ns = 0, s = ALDIS_SECOND;
    station = one_berth();
    open_dock(&station);
    for (uint32_t i = 0; i < 1000; i++)
        now_ns = take_turn(now_ns, 10 * s, 60 * s, 30 * s);
    for (uint32_t i = 0; i < 266; i++)
        now_ns = take_turn(now_ns, 10 * s, 60 * s, 94 * s);
    CHECK(dock.turn.mean_ns > 162 * s && dock.turn.mean_ns < 164 * s);
    CHECK_UINT(dock.turn.count, DOCK_MEAN_OF);
}
