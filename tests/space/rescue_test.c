// SPDX-License-Identifier: Apache-2.0
/* rescue_test.c: the tugs of the rescue service: how many there are, what they take with them, and
 * what becomes of a gift whose receiver is gone. The ships are real; the test looks at their pages.
 * Virtual time. */
#include "stage.h"

#include <aldis/fault.h>

/* The service is at Near, with one tug of 10 u/s that goes after 10 s. A ship far from Near has
 * 100 s to wait for it, and as long again goes by until the tug is back. */
static const char tug_text[] =
    "name: tug\n"
    "duration: 10 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "stations:\n"
    "  - {name: Near, body: Sun, radius: 0 u, berths: 1, service: 10 s}\n"
    "  - {name: Far, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 10 s}\n"
    "classes:\n"
    "  - {name: merchant, speed: 20 u/s, acceleration: 4 u/s2, burn: 0.0001, tank: 2,\n"
    "     repair: 5 h, distress_range: 1 u}\n"
    "fleets:\n"
    "  - {name: one, class: merchant, count: 6, route: [Near, Far], departure: 30 d,\n"
    "     rest: 30 d}\n"
    "rescue: {station: Near, tugs: 1, speed: 10 u/s, patience: 10 s, fuel: 10}\n";

static struct ship *page_of(uint32_t number)
{
    return stage_page(number);
}

/* So many ships at rest 1000 u from Near, each on another side. */
static void open_with_tugs(uint32_t ships, uint32_t tugs)
{
    static const struct vec places[] = {{1000, 0, 0},  {-1000, 0, 0}, {0, 1000, 0},
                                        {0, -1000, 0}, {0, 0, 1000},  {0, 0, -1000}};
    struct scenario *scenario = stage_parse(tug_text);
    scenario->rescue.tugs = tugs;
    stage_open(scenario, 1);
    stage_station(0);
    stage_station(1);
    STAGE_SERVICE(rescue, &stage.chart.rescue);
    for (uint32_t i = 0; i < ships; i++)
        stage_ship(i, 0);
    stage_wait(1);
    for (uint32_t i = 0; i < ships; i++)
        page_of(i)->motion.position = places[i];
}

static void open_with(uint32_t ships)
{
    open_with_tugs(ships, 1);
}

static void dry(uint32_t number)
{
    account_burn(&page_of(number)->account, page_of(number)->account.fuel);
    STAGE_ORDER(number, handle_emergency, .kind = EMERGENCY_OUT_OF_FUEL);
}

static void wait_for(uint32_t number, const char *state)
{
    while (strcmp(stage_state(number), state) != 0 && stage_now() < ALDIS_HOUR)
        stage_wait(0.1);
    CHECK_STR(stage_state(number), state);
}

/* The second call has to wait until the only tug is back from the first, and is not forgotten. */
TEST(a_call_waits_for_a_tug_that_is_free)
{
    open_with(2);
    STAGE_ORDER(0, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
    STAGE_ORDER(1, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
    aldis_ns called_ns = stage_now();
    wait_for(0, "flying");
    aldis_ns first_ns = stage_now() - called_ns;
    CHECK(first_ns > 109 * ALDIS_SECOND && first_ns < 112 * ALDIS_SECOND);
    CHECK_STR(stage_state(1), "emergency");
    wait_for(1, "flying");
    aldis_ns second_ns = stage_now() - called_ns; /* there, back, and there */
    CHECK(second_ns > 309 * ALDIS_SECOND && second_ns < 312 * ALDIS_SECOND);
    CHECK_UINT(stage_type("aid").handled, 2);
    stage_close();
}

/* It would give a unit, half of the tank; it has 0.3 of one, and then nothing. */
TEST(no_more_fuel_is_given_than_there_is)
{
    open_with(2);
    stage.books.stations[0].account.fuel += stage.books.rescue.fuel - 300000000;
    stage.books.rescue.fuel = 300000000;
    dry(0);
    wait_for(0, "flying");
    CHECK_INT(stage.books.rescue.fuel, 0);
    int64_t burnt = page_of(0)->account.burnt - 2 * (int64_t)FUEL_NANO;
    CHECK_INT(page_of(0)->account.fuel + burnt, 300000000);
    dry(1);
    stage_wait(600);
    CHECK_STR(stage_state(1), "emergency");
    CHECK_INT(page_of(1)->account.fuel, 0);
    stage_close();
}

static aldis_ns wait_ns(uint32_t number)
{
    return rescue_wait_ns(stage.books.rescue_page, ship_account(page_of(number)), stage_now());
}

/* Whoever has called first gets the next tug, whenever the others call; and at each moment until
 * then it was known by when, at most. */
TEST(tugs_go_to_those_who_have_called_first)
{
    enum { SHIPS = 6 };
    for (uint32_t tugs = 1; tugs <= 3; tugs++) {
        aldis_ns called_ns[SHIPS], latest_ns[SHIPS], helped_ns[SHIPS] = {0};
        open_with_tugs(SHIPS, tugs);
        CHECK_INT(wait_ns(0), 0); /* it has not called */
        for (uint32_t i = 0; i < SHIPS; i++) {
            STAGE_ORDER(i, handle_emergency, .kind = EMERGENCY_ENGINE_FAILURE);
            called_ns[i] = stage_now();
            latest_ns[i] = stage_now() + wait_ns(i);
            stage_wait(7);
        }
        for (uint32_t helped = 0; helped < SHIPS && stage_now() < ALDIS_HOUR;) {
            stage_wait(1);
            for (uint32_t i = 0; i < SHIPS; i++) {
                if (helped_ns[i] > 0)
                    continue;
                CHECK(stage_now() + wait_ns(i) < latest_ns[i] + 2 * ALDIS_SECOND);
                bool is_helped = strcmp(stage_state(i), "emergency") != 0;
                helped_ns[i] = is_helped ? stage_now() : 0;
                helped += is_helped;
            }
        }
        for (uint32_t i = 0; i < SHIPS; i++) {
            CHECK(helped_ns[i] > called_ns[i] && helped_ns[i] < latest_ns[i] + ALDIS_SECOND);
            CHECK(i == 0 || helped_ns[i] > helped_ns[i - 1]);
            aldis_ns rounds = i / tugs; /* before its own: there and back, 200 s */
            CHECK(helped_ns[i] - called_ns[0] < (rounds * 201 + 111 + 7 * i) * ALDIS_SECOND);
        }
        CHECK_INT(wait_ns(0), 0); /* it needs none any more */
        stage_close();
    }
}

/* What it has under way is in its page until it is settled: a ship that ends before it has taken
 * the gift costs nothing, and the service has fuel for the next. */
TEST(a_gift_to_the_dead_comes_back)
{
    open_with(2);
    int64_t stock = stage.books.rescue.fuel;
    dry(0);
    while (!account_is_open(&stage.books.rescue) && stage_now() < ALDIS_HOUR)
        stage_wait(0.001);
    CHECK(account_is_open(&stage.books.rescue)); /* the offer is under way */
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id));
    stage_wait(1);
    CHECK_INT(page_of(0)->account.fuel, 0);
    dry(1);
    wait_for(1, "flying");
    CHECK(!account_is_open(&stage.books.rescue));
    CHECK_INT(stage.books.rescue.fuel, stock - FUEL_NANO); /* half a tank, to the second one */
    CHECK_UINT(stage_type("trade_answer").handled, 1);
    stage_close();
}

/* It had taken the gift, and its answer found nobody that asked any more: what stands in its page
 * counts. */
TEST(a_gift_that_the_dead_have_taken_is_theirs)
{
    static const aldis_fault_rule rule = {
        .kind = ALDIS_FAULT_LOSS, .chance = 1, .type = "trade_answer"};
    open_with(1);
    CHECK_OK(
        aldis_system_inject(stage.system, &(aldis_fault_plan){.rules = &rule, .rule_count = 1}));
    int64_t stock = stage.books.rescue.fuel;
    dry(0);
    wait_for(0, "flying");
    CHECK(account_is_open(&stage.books.rescue));
    CHECK_OK(aldis_kill(stage.system, stage.ships[0].id));
    stage_wait(3 * 60);
    CHECK(!account_is_open(&stage.books.rescue));
    CHECK_INT(stage.books.rescue.fuel, stock - FUEL_NANO);
    stage_close();
}
