// SPDX-License-Identifier: Apache-2.0
/* trader_test.c: how ships trade: what they know of prices, what they buy, and for what they sell
 * it. */
#include "bulletin.h"
#include "stage.h"

/* Three ports on a line. */
static const char text[] =
    "name: traders\n"
    "duration: 2 h\n"
    "units_per_AU: 1000\n"
    "bodies: [{name: Sun}]\n"
    "market: {update: 10 s, commodities: [{name: ore, price: 100, swing: 50}]}\n"
    "stations:\n"
    "  - {name: Mine, body: Sun, radius: 0 u, berths: 20, service: 5 s,\n"
    "     goods: [{commodity: ore, stock: 2000, target: 1000}]}\n"
    "  - {name: Mill, body: Sun, radius: 100 u, period: 100000 d, berths: 20, service: 5 s,\n"
    "     goods: [{commodity: ore, stock: 200, target: 1000}]}\n"
    "  - {name: Fair, body: Sun, radius: 100 u, phase: 90 deg, period: 100000 d, berths: 20,\n"
    "     service: 5 s, goods: [{commodity: ore, stock: 700, target: 1000}]}\n"
    "classes:\n"
    "  - {name: merchant, cargo: 100, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-5,\n"
    "     purse: 100000, crew_share: 0.1}\n"
    "fleets:\n"
    "  - {name: line, class: merchant, count: 1, route: [Mine, Mill], departure: 10 s, rest: 1 s}\n"
    "  - {name: clever, class: merchant, count: 1, route: random, departure: 10 s, rest: 1 s,\n"
    "     mind: trader}\n";

enum { MINE, MILL, FAIR, STATIONS };

static void open_ports(void)
{
    stage_open(stage_parse(text), 1);
    for (uint32_t i = 0; i < STATIONS; i++)
        stage_station(i);
}

static uint32_t stock(uint32_t station)
{
    return account_goods(&stage.books.stations[station].account)[0];
}

/* The ship of the line, on its way to the Mill with ore that has cost so much. */
static struct ship *laden(uint32_t tonnes, uint32_t cents)
{
    open_ports();
    struct ship *page = stage_page(0);
    account_goods(&page->account)[0] = page->account.used = tonnes;
    ship_prices(page)[0] = cents;
    stage.books.start = books_totals(&stage.books);
    return stage_ship(0, MINE);
}

static uint64_t markets(void)
{
    return stage.books.stations[MINE].dockings + stage.books.stations[MILL].dockings;
}

/* ---- The bulletin ---- */

TEST(a_bulletin_is_read_when_its_round_is_over)
{
    struct scenario *scenario = stage_parse(text);
    struct bulletin *bulletin = bulletin_create(scenario);
    aldis_ns update_ns = scenario->market.update_ns, least_ns = scenario->lookahead_ns;
    CHECK_INT(bulletin_price(bulletin, MINE, 0, 0), 5000);
    CHECK_INT(bulletin_price(bulletin, MILL, 0, 0), 14000);
    CHECK_INT(bulletin_funds(bulletin, MILL, 0), 1000000 * CENTS);
    bulletin_tell(bulletin, MINE, 0, 6000, 0);
    bulletin_tell_funds(bulletin, MINE, 12345, 0);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, update_ns + least_ns - 1), 5000);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, update_ns + least_ns), 6000);
    CHECK_INT(bulletin_funds(bulletin, MINE, update_ns + least_ns), 12300);
    bulletin_destroy(bulletin);
    scenario_destroy(scenario);
}

/* Whatever is written less than a lookahead before or after it is read is not seen: it may be in
 * the same window. */
TEST(a_bulletin_is_never_read_in_the_window_in_which_it_is_written)
{
    struct scenario *scenario = stage_parse(text);
    scenario->market.update_ns = 3 * scenario->lookahead_ns; /* rounds are longer than that */
    aldis_ns least_ns = scenario->lookahead_ns, step_ns = least_ns / 7;
    for (aldis_ns read_ns = 0; read_ns < 40 * least_ns; read_ns += step_ns) {
        struct bulletin *bulletin = bulletin_create(scenario);
        for (aldis_ns at_ns = 0; at_ns <= read_ns - least_ns; at_ns += step_ns)
            bulletin_tell(bulletin, MINE, 0, 100 + at_ns / step_ns, at_ns);
        int64_t before = bulletin_price(bulletin, MINE, 0, read_ns);
        CHECK(before > 0);
        for (aldis_ns at_ns = read_ns > least_ns ? read_ns - least_ns + 1 : 0;
             at_ns < read_ns + least_ns; at_ns += step_ns)
            bulletin_tell(bulletin, MINE, 0, 1, at_ns);
        CHECK_INT(bulletin_price(bulletin, MINE, 0, read_ns), before);
        bulletin_destroy(bulletin);
    }
    scenario_destroy(scenario);
}

TEST(a_station_that_publishes_no_more_is_in_the_bulletin_for_one_more_round)
{
    struct scenario *scenario = stage_parse(text);
    struct bulletin *bulletin = bulletin_create(scenario);
    aldis_ns update_ns = scenario->market.update_ns, after_ns = update_ns + ALDIS_SECOND;
    bulletin_tell(bulletin, MINE, 0, 6000, 5 * update_ns);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, 4 * update_ns + after_ns), 0);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, 5 * update_ns + after_ns), 6000);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, 6 * update_ns + after_ns), 6000);
    CHECK_INT(bulletin_price(bulletin, MINE, 0, 7 * update_ns + after_ns), 0);
    bulletin_destroy(bulletin);
    scenario_destroy(scenario);
}

TEST(stations_publish_what_their_stock_makes_of_the_price)
{
    open_ports();
    stage_wait(1);
    account_goods(&stage.books.stations[MINE].account)[0] = 1000;
    stage_wait(20);
    CHECK_INT(bulletin_price(stage.books.bulletin, MINE, 0, stage_now()), 10000);
    account_goods(&stage.books.stations[MINE].account)[0] = 2000;
    stage_close();
}

/* ---- Selling ---- */

TEST(nothing_is_sold_below_what_it_has_cost)
{
    struct ship *page = laden(100, 14100); /* the Mill pays 140 credits less 2 % */
    stage_run(6 * ALDIS_MINUTE);
    CHECK(markets() > 5);
    CHECK(markets() <= SHIP_UNSOLD_MAX);
    CHECK_UINT(account_goods(&page->account)[0], 100);
    CHECK_UINT(stock(MILL), 200);
    CHECK_INT(page->unsold, markets());
    stage_close();
}

TEST(it_sells_until_the_last_tonne_fetches_what_it_has_cost)
{
    /* 137.20 credits with 200 t in stock, 0.05 less with each tonne. */
    struct ship *page = laden(100, 13520);
    stage_run(ALDIS_MINUTE);
    CHECK_UINT(stock(MILL), 240);
    CHECK_UINT(account_goods(&page->account)[0], 60);
    CHECK(page->unsold <= 1);
    stage_close();
}

TEST(who_cannot_pay_for_fuel_sells_at_any_price)
{
    struct ship *page = laden(100, 100000);
    page->account.credits = 200; /* a tank is 10 credits */
    page->account.fuel /= 2;
    stage.books.start = books_totals(&stage.books);
    while (stage_now() < ALDIS_MINUTE && stock(MILL) == 200)
        stage_wait(1);
    stage_wait(1);
    CHECK_UINT(stock(MILL), 300);
    CHECK(page->account.credits > 10000 * CENTS);
    CHECK(page->account.fuel > page->account.shape->tank * 9 / 10);
    stage_close();
}

TEST(who_finds_no_buyer_asks_less_after_a_while)
{
    struct ship *page = laden(100, 14400); /* a sixteenth less is 135 */
    while (markets() <= SHIP_UNSOLD_MAX) {
        CHECK_UINT(ship_prices(page)[0], 14400);
        CHECK_UINT(account_goods(&page->account)[0], 100);
        stage_wait(1);
    }
    stage_run(stage_now() + 2 * ALDIS_MINUTE);
    CHECK(ship_prices(page)[0] <= 13500);
    CHECK(account_goods(&page->account)[0] < 100);
    CHECK(stock(MILL) > 200);
    stage_close();
}

TEST(what_is_bought_has_cost_its_price_on_average)
{
    struct ship *page = laden(10, 6000);
    ship_note_bought(page, 0, 4, 4 * 8000); /* of the ten */
    CHECK_UINT(ship_prices(page)[0], 6800);
    account_goods(&page->account)[0] = 3;
    ship_note_bought(page, 0, 3, 100); /* all of them */
    CHECK_UINT(ship_prices(page)[0], 34);
    account_goods(&page->account)[0] = 10;
    stage_close();
}

/* ---- Buying ---- */

/* The Mine's price is that of the Mill: nothing to be earned. */
TEST(without_a_profit_nothing_is_bought)
{
    open_ports();
    account_goods(&stage.books.stations[MINE].account)[0] = 200;
    stage.books.start = books_totals(&stage.books);
    stage_wait(30);
    struct ship *page = stage_ship(0, MINE);
    stage_run(20 * ALDIS_MINUTE);
    CHECK(markets() > 5);
    CHECK_UINT(account_goods(&page->account)[0], 0);
    CHECK_UINT(stock(MINE), 200);
    stage_close();
}

/* Nor with a profit that the fuel eats up. */
TEST(a_profit_must_pay_for_the_fuel)
{
    for (int dear = 0; dear < 2; dear++) {
        open_ports();
        /* 3 credits a tonne: at most 100 of them, of which a leg of 100 u costs 0.01 or 1000. */
        account_goods(&stage.books.stations[MINE].account)[0] = 340;
        stage.books.start = books_totals(&stage.books);
        stage.scenario->stations.items[MINE].fuel_price = dear ? 1000000 : 10;
        stage_wait(30);
        struct ship *page = stage_ship(0, MINE);
        page->leg = MILL;
        stage_run(20 * ALDIS_MINUTE);
        CHECK(markets() > 5);
        CHECK(dear == (stock(MINE) == 340));
        stage_close();
    }
}

TEST(money_for_fuel_and_a_repair_is_kept)
{
    open_ports();
    struct ship *page = stage_page(0);
    page->account.credits = 2000 * CENTS;
    stage.books.start = books_totals(&stage.books);
    page->leg = MILL;
    stage_ship(0, MILL);
    uint32_t most = 0;
    int64_t least = page->account.credits;
    while (stage_now() < 10 * ALDIS_MINUTE) {
        stage_wait(1);
        uint32_t tonnes = account_goods(&page->account)[0];
        most = tonnes > most ? tonnes : most;
        least = page->account.credits < least ? page->account.credits : least;
    }
    CHECK(most > 5);
    CHECK(least >= 510 * CENTS);
    stage_close();
}

/* ---- A trader's mind ---- */

/* Alone, with nothing made: it serves the Mill until the Fair pays more, then both by turns, and
 * when there is nothing to earn any more it leaves things as they are. */
TEST(a_trader_turns_elsewhere_when_its_profit_has_fallen)
{
    open_ports();
    struct ship *page = stage_ship(1, MINE);
    uint32_t first = 0;
    while (stage_now() < ALDIS_HOUR && stock(FAIR) == 700)
        stage_wait(1);
    first = stock(MILL);
    CHECK(first > 300); /* it could take the Fair's 115 credits when the Mill paid no more */
    CHECK(first <= 800);
    stage_run(6 * ALDIS_HOUR);
    CHECK(page->account.credits > 100000 * CENTS);
    uint32_t stocks[] = {stock(MINE), stock(MILL), stock(FAIR)};
    stage_run(8 * ALDIS_HOUR);
    for (uint32_t i = 0; i < STATIONS; i++) {
        CHECK(stocks[i] > 900);
        CHECK(stocks[i] < 1100);
        CHECK(stock(i) + 5 >= stocks[i]);
        CHECK(stock(i) <= stocks[i] + 5);
    }
    stage_close();
}

/* ---- The crew ---- */

TEST(the_crew_spends_its_share_of_what_was_earned)
{
    struct ship *page = laden(0, 0);
    page->account.credits = 101000 * CENTS;
    account_goods(&stage.books.stations[MINE].account)[0] = 200;
    stage.books.start = books_totals(&stage.books);
    int64_t before =
        stage.books.stations[MILL].account.credits + stage.books.stations[MINE].account.credits;
    stage_run(stage_now() + ALDIS_MINUTE);
    int64_t after =
        stage.books.stations[MILL].account.credits + stage.books.stations[MINE].account.credits;
    CHECK(after - before >= 100 * CENTS); /* a tenth of 1000 credits, and fuel */
    stage_run(stage_now() + 20 * ALDIS_MINUTE);
    CHECK(page->account.credits > 100000 * CENTS);
    CHECK(page->account.credits < 100200 * CENTS);
    stage_close();
}
