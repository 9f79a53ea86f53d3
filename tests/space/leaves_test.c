// SPDX-License-Identifier: Apache-2.0
/* leaves_test.c: each question that a mind may ask, with both answers, and each choice: a row each.
 * The ship is put into a state, and the leaf that runs then tells what its mind has found. */
#include "mind_leaves.h"
#include "stage.h"

#define PORT "berths: 4, service: 10 s, period: 100000 d"

/* Home makes ore. Nibble is near, and its trade small; Feast uses much ore, Mine makes much food,
 * Kitchen uses more food than anybody uses ore, and Bazaar pays most for ore. */
static const char port_text[] =
    "name: leaves\nduration: 10 h\nunits_per_AU: 1000\nbodies: [{name: Sun}]\n"
    "market: {update: 10 h, commodities: [{name: ore, price: 100, swing: 50},\n"
    "                                     {name: food, price: 100, swing: 50}]}\n"
    "stations:\n"
    "  - {name: Home, body: Sun, radius: 0 u, fuel: 100, credits: 5000, " PORT ", %s\n"
    "     goods: [{commodity: ore, makes: 10}]}\n"
    "  - {name: Nibble, body: Sun, radius: 50 u, " PORT ",\n"
    "     goods: [{commodity: ore, uses: 1}, {commodity: food, makes: 1}]}\n"
    "  - {name: Feast, body: Sun, radius: 300 u, " PORT ", goods: [{commodity: ore, uses: 500}]}\n"
    "  - {name: Mine, body: Sun, radius: 300 u, " PORT ", goods: [{commodity: food, makes: 500}]}\n"
    "  - {name: Kitchen, body: Sun, radius: 60 u, " PORT ",\n"
    "     goods: [{commodity: food, uses: 900}]}\n"
    "  - {name: Bazaar, body: Sun, radius: 400 u, " PORT ",\n"
    "     goods: [{commodity: ore, stock: 100, target: 1000}]}\n"
    "classes: [{name: tug, length: 50 m, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}]\n"
    "fleets: [{name: tugs, class: tug, count: 60, route: [Home, Nibble], departure: 0 s,\n"
    "          rest: 1 s%s}]\n"
    "minds: [{name: m, of: %s, tree: %s}]\n";

enum { HOME, NIBBLE, FEAST, MINE, KITCHEN, BAZAAR };

static void open_port(const char *of, const char *tree)
{
    static char text[4096];
    bool ships = strcmp(of, "ship") == 0;
    snprintf(text, sizeof text, port_text, ships ? "" : "mind: m,", ships ? ", mind: m" : "", of,
             tree);
    struct scenario *scenario = stage_parse(text);
    if (!ships)
        scenario->fleets.items[0].departure_ns = 30 * ALDIS_HOUR;
    stage_open(scenario, 1);
    for (uint32_t i = 0; i < scenario->stations.count; i++)
        stage_station(i);
}

/* ---- What a ship asks ---- */

static bool ship_finds(uint32_t number)
{
    char text[200];
    const struct mind_tree *tree;
    const struct mind *mind = ship_mind(stage_page(number), &tree);
    mind_path(tree, mind, text, sizeof text);
    bool yes = strcmp(text, "selector > sequence > wait") == 0;
    if (!yes)
        CHECK_STR(text, "selector > wait");
    return yes;
}

static void nothing(struct ship *ship)
{
    (void)ship;
}

static void with_goal(struct ship *ship)
{
    ship->order = 2;
}

/* A tonne of a good, from Nibble, which has both. */
static void carry(struct ship *ship, uint32_t good)
{
    struct account *from = &stage.books.stations[NIBBLE].account;
    account_goods(from)[good]--;
    from->used--;
    account_goods(&ship->account)[good]++;
    ship->account.used++;
}

static void with_ore(struct ship *ship)
{
    carry(ship, 0);
}

static void with_food(struct ship *ship)
{
    carry(ship, 1);
}

static void with_half_a_tank(struct ship *ship)
{
    (void)account_burn(&ship->account, ship->account.fuel / 2);
}

static void damaged(struct ship *ship)
{
    ship->flags |= SHIP_DAMAGED;
}

static void ill(struct ship *ship)
{
    ship->ill = 1;
}

/* It heard a call so long before the start, when its mind is asked first. */
static void called(struct ship *ship, aldis_ns ago_ns)
{
    ship->flags |= SHIP_CALLED;
    ship_rare(ship)->rescue.heard_ns = -ago_ns;
}

static void called_lately(struct ship *ship)
{
    called(ship, 59 * ALDIS_SECOND);
}

static void called_long_ago(struct ship *ship)
{
    called(ship, 61 * ALDIS_SECOND);
}

/* A radius of 30 u about a place 100 u off, which moves away at 1 u/s since ten seconds ago: the
 * edge is 80 u away. */
static void near_hazard(struct ship *ship, aldis_ns until_ns)
{
    struct ship_hazard *hazard = calloc(1, sizeof *hazard);
    *hazard = (struct ship_hazard){.location = {100, 0, 0},
                                   .velocity = {1, 0, 0},
                                   .radius = 30,
                                   .at_ns = -10 * ALDIS_SECOND,
                                   .until_ns = until_ns};
    ship_extra(ship)->hazards = hazard;
    ship->extra->hazard_count = 1;
}

static void with_hazard(struct ship *ship)
{
    near_hazard(ship, ALDIS_HOUR);
}

static void with_past_hazard(struct ship *ship)
{
    near_hazard(ship, 0);
}

TEST(each_question_of_a_ship_has_two_answers)
{
    static const struct {
        const char *leaf;
        void (*prepare)(struct ship *);
        bool yes;
    } rows[] = {
        {"has_goal", nothing, false},
        {"has_goal", with_goal, true},
        {"loaded", nothing, false},
        {"loaded", with_food, true},
        {"fuel_below: 0.5", with_half_a_tank, false},
        {"fuel_below: 0.51", with_half_a_tank, true},
        {"fuel_below: 1", nothing, false},
        {"damaged", nothing, false},
        {"damaged", damaged, true},
        {"damaged", ill, true},
        {"docked", nothing, false},
        {"call_heard", nothing, false},
        {"call_heard", called_lately, true},
        {"call_heard", called_long_ago, false},
        {"hazard_near: 1000 u", nothing, false},
        {"hazard_near: 81 u", with_hazard, true},
        {"hazard_near: 79 u", with_hazard, false},
        {"hazard_near: 81 u", with_past_hazard, false},
        {"chance: 0", nothing, false},
        {"chance: 1", nothing, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char tree[200];
        snprintf(tree, sizeof tree, "{selector: [{sequence: [%s, {wait: 1 h}]}, {wait: 1 h}]}",
                 rows[i].leaf);
        open_port("ship", tree);
        rows[i].prepare(stage_page(0));
        stage_ship(0, HOME);
        stage_run(100 * ALDIS_MS);
        if (ship_finds(0) != rows[i].yes)
            printf("# row %zu: %s\n", i, rows[i].leaf);
        CHECK_INT(ship_finds(0), rows[i].yes);
        stage_close();
    }
}

/* A chance of a half is no more and no less: of 60 ships from 15 to 45 have it, which is 30 give
 * or take four standard deviations. One of a quarter is half of that. */
TEST(a_chance_is_as_large_as_it_says)
{
    static const struct {
        const char *tree;
        uint32_t least, most;
    } rows[] = {
        {"{selector: [{sequence: [{chance: 0.5}, {wait: 1 h}]}, {wait: 1 h}]}", 15, 45},
        {"{selector: [{sequence: [{chance: 0.9}, {wait: 1 h}]}, {wait: 1 h}]}", 45, 60},
        {"{selector: [{sequence: [{chance: 0.1}, {wait: 1 h}]}, {wait: 1 h}]}", 0, 15},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t found = 0;
        open_port("ship", rows[i].tree);
        for (uint32_t ship = 0; ship < 60; ship++)
            stage_ship(ship, HOME);
        stage_run(100 * ALDIS_MS);
        for (uint32_t ship = 0; ship < 60; ship++)
            found += ship_finds(ship);
        CHECK(found >= rows[i].least && found <= rows[i].most);
        stage_close();
    }
}

TEST(a_ship_in_a_berth_knows_that_it_is_docked)
{
    open_port("ship", "{sequence: [{choose: route}, dock,\n"
                      "  {selector: [{sequence: [docked, {wait: 1 h}]}, {wait: 1 h}]}]}");
    stage_ship(0, HOME);
    stage_run(2 * ALDIS_MINUTE);
    char text[200];
    const struct mind_tree *tree;
    const struct mind *mind = ship_mind(stage_page(0), &tree);
    CHECK_STR(mind_path(tree, mind, text, sizeof text), "sequence > selector > sequence > wait");
    stage_close();
}

/* ---- Where a ship goes ---- */

TEST(each_choice_is_the_best_of_its_kind)
{
    static const struct {
        const char *word;
        void (*prepare)(struct ship *);
        uint32_t at, chosen;
    } rows[] = {
        {"route", nothing, HOME, NIBBLE},
        {"nearest", nothing, NIBBLE, NIBBLE},
        {"profit", nothing, HOME, BAZAAR},
        {"producer", nothing, HOME, MINE},  /* 500 t an hour at 300 u, against 1 t at 50 u */
        {"consumer", nothing, HOME, FEAST}, /* of ore, which is made here; and not Kitchen */
        {"consumer", with_food, KITCHEN, SHIP_NO_STATION}, /* it uses what nobody else does */
        {"consumer", with_ore, KITCHEN, FEAST},
        {"consumer", with_food, NIBBLE, KITCHEN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char tree[200];
        snprintf(tree, sizeof tree,
                 "{selector: [{sequence: [{choose: %s}, {wait: 1 h}]}, {wait: 1 h}]}",
                 rows[i].word);
        open_port("ship", tree);
        struct ship *ship = stage_page(0);
        rows[i].prepare(ship);
        stage_ship(0, rows[i].at);
        stage_run(100 * ALDIS_MS);
        if (ship->order != rows[i].chosen + 1)
            printf("# row %zu: %s\n", i, rows[i].word);
        CHECK_UINT(ship->order, rows[i].chosen + 1);
        CHECK_INT(ship_finds(0), rows[i].chosen != SHIP_NO_STATION);
        stage_close();
    }
}

/* ---- What a station asks and does ---- */

/* A ship asks for a berth at Home; are its docks closed then? */
static bool closes(uint32_t ship)
{
    stage_ship(ship, HOME);
    stage_wait(0.01);
    CHECK_OK(aldis_send(stage.system, stage.ships[ship], initiate_docking, .station = HOME));
    stage_wait(0.1);
    return stage.books.stations[HOME].shut;
}

static void a_queue(struct station_page *page)
{
    page->queue = 3;
}

static void shut(struct station_page *page)
{
    page->shut = true;
}

static void a_gale(struct station_page *page)
{
    page->weather = WEATHER_HIGH;
    page->weather_until_ns = ALDIS_HOUR;
}

static void a_gale_of_the_past(struct station_page *page)
{
    page->weather = WEATHER_HIGH;
    page->weather_until_ns = 1;
}

static void no_change(struct station_page *page)
{
    (void)page;
}

TEST(each_question_of_a_station_has_two_answers)
{
    static const struct {
        const char *leaf;
        void (*prepare)(struct station_page *);
        bool yes;
    } rows[] = {
        {"queue_above: 2", a_queue, true},
        {"queue_above: 3", a_queue, false},
        {"open", no_change, true},
        {"{invert: open}", shut, true},
        {"open", shut, false},
        {"fuel_below: 100", no_change, false},
        {"fuel_below: 101", no_change, true},
        {"credits_below: 5000", no_change, false},
        {"credits_below: 5001", no_change, true},
        {"weather_from: moderate", a_gale, true},
        {"weather_from: high", a_gale, true},
        {"weather_from: extreme", a_gale, false},
        {"weather_from: low", a_gale_of_the_past, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char tree[200];
        snprintf(tree, sizeof tree, "{selector: [{sequence: [%s, close_docks]}, open_docks]}",
                 rows[i].leaf);
        open_port("station", tree);
        rows[i].prepare(&stage.books.stations[HOME]);
        bool yes = closes(0);
        if (yes != rows[i].yes)
            printf("# row %zu: %s\n", i, rows[i].leaf);
        CHECK_INT(yes, rows[i].yes);
        stage_close();
    }
}

TEST(a_station_waits_before_it_goes_on)
{
    open_port("station", "{sequence: [{wait: 10 s}, close_docks, {wait: 20 s}, open_docks]}");
    CHECK(!closes(0));
    CHECK(!closes(1));
    stage_run(11 * ALDIS_SECOND);
    CHECK(closes(2));
    stage_run(25 * ALDIS_SECOND);
    CHECK(closes(3));
    stage_run(32 * ALDIS_SECOND);
    CHECK(!closes(4));
    stage_close();
}
