// SPDX-License-Identifier: Apache-2.0
/* defaults_test.c: what docs/scenario.md says of defaults is what the loader does, and what the
 * simulation does by them. */
#include "mind_leaves.h"
#include "stage.h"

#include <math.h>

/* ---- The tables of docs/scenario.md against the loader ---- */

static char page[1 << 18];

static void read_page(void)
{
    FILE *file = fopen(SCENARIO_PAGE, "r");
    CHECK(file != NULL);
    size_t size = fread(page, 1, sizeof page - 1, file);
    page[size] = '\0';
    fclose(file);
    CHECK(size > 10000 && size < sizeof page - 1);
}

/* "none", "needed" and other words are no values. */
static bool is_value(const char *text)
{
    static const char *const words[] = {"none", "needed", "no ",   "1000 t of",
                                        "them", "they",   "those", "nothing"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return false;
    return *text != '\0';
}

/* The keys of a row, with their defaults, as YAML: ", mass: 2000 t". */
static uint32_t keys_of_row(char *row, char *out, size_t size)
{
    char *keys = row + 1, *value = strchr(keys, '|'), *end = strrchr(row, '|');
    if (!value || end == value)
        return 0;
    *end = '\0';
    char *defaults = strrchr(row, '|');
    if (defaults == value)
        return 0;
    *value = '\0';
    uint32_t found = 0;
    for (char *next = defaults + 1; (keys = strchr(keys, '`')); keys++) {
        char *key = ++keys;
        keys = strchr(keys, '`');
        CHECK(keys != NULL && next != NULL);
        *keys = '\0';
        next += strspn(next, " ");
        char *comma = strstr(next, ", ");
        if (comma)
            *comma = '\0';
        for (size_t last = strlen(next); last > 0 && next[last - 1] == ' '; last--)
            next[last - 1] = '\0';
        if (is_value(next)) {
            snprintf(out + strlen(out), size - strlen(out), ", %s: %s", key, next);
            found++;
        }
        next = comma ? comma + 2 : next + strlen(next);
    }
    return found;
}

/* All defaults of the table below a heading. */
static const char *defaults_of(const char *heading, uint32_t least)
{
    static char yaml[4096], table[16384];
    const char *from = strstr(page, heading);
    CHECK(from != NULL);
    from = strstr(from, "\n|---|---|---|\n");
    CHECK(from != NULL);
    from += strlen("\n|---|---|---|\n");
    const char *end = strstr(from, "\n\n");
    snprintf(table, sizeof table, "%.*s", (int)(end - from), from);
    memset(yaml, 0, sizeof yaml);
    uint32_t found = 0;
    char *rest = NULL;
    for (char *row = strtok_r(table, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest))
        found += keys_of_row(row, yaml, sizeof yaml);
    printf("# %s%s\n", heading, yaml);
    if (found < least)
        test_fail(__FILE__, __LINE__, "%s only %u defaults", heading, found);
    return yaml;
}

/* Places of the smallest scenario that has everything. */
enum place { TOP, STATION, CLASS, FLEET, HAZARD, WEATHER, RESCUE, TRAFFIC, PLACES };

static struct scenario *with(enum place place, const char *more)
{
    static char text[16384];
    const char *at[PLACES];
    for (size_t i = 0; i < PLACES; i++)
        at[i] = i == place ? more : "";
    snprintf(text, sizeof text,
             "name: small\nduration: 1 h\nunits_per_AU: 1000\n%s"
             "bodies: [{name: Sun}]\n"
             "stations:\n"
             "  - {name: Alpha, body: Sun, berths: 4, service: 5 s%s}\n"
             "  - {name: Beta, body: Sun, berths: 4, service: 5 s}\n"
             "classes: [{name: tug, speed: 20 u/s, acceleration: 4 u/s2%s}]\n"
             "fleets: [{name: tugs, class: tug, count: 1, route: random%s}]\n"
             "hazards: [{kind: debris, every: 1 h%s}]\n"
             "weather: [{name: belt, body: Sun, radius: 100 u, every: 1 h%s}]\n"
             "rescue: {station: Alpha%s}\n"
             "traffic: {%s}\n",
             at[TOP], at[STATION], at[CLASS], at[FLEET], at[HAZARD], at[WEATHER], at[RESCUE],
             at[TRAFFIC]);
    return stage_parse(text);
}

/* Said or not, it is the same. */
#define CHECK_SAME(place, more, field)                                                             \
    do {                                                                                           \
        struct scenario *said_ = with((place), (more)), *unsaid_ = with((place), "");              \
        CHECK(memcmp(&said_->field, &unsaid_->field, sizeof said_->field) == 0);                   \
        scenario_destroy(said_);                                                                   \
        scenario_destroy(unsaid_);                                                                 \
    } while (0)

TEST(the_tables_of_the_page_say_what_is_taken_without_a_word)
{
    read_page();
    CHECK_SAME(STATION, defaults_of("### A station\n", 16), stations.items[0]);
    CHECK_SAME(CLASS, defaults_of("### A class of ships\n", 14), classes.items[0]);
    CHECK_SAME(FLEET, defaults_of("### A fleet\n", 4), fleets.items[0]);
    CHECK_SAME(HAZARD, defaults_of("### A schedule of hazards\n", 3), hazards.items[0]);
    CHECK_SAME(WEATHER, defaults_of("### Weather\n", 3), weather.items[0]);
}

static const char *lines_of(const char *keys)
{
    static char lines[1024];
    memset(lines, 0, sizeof lines);
    for (const char *from = keys; *from == ',';) {
        const char *end = strstr(from + 1, ", ");
        size_t size = end ? (size_t)(end - from) : strlen(from);
        snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%.*s\n", (int)size - 2,
                 from + 2);
        from += size;
    }
    return lines;
}

TEST(the_defaults_of_the_file_and_of_the_services_are_those_of_the_page)
{
    read_page();
    const char *top = lines_of(defaults_of("## The file\n", 4));
    CHECK_SAME(TOP, top, seed);
    CHECK_SAME(TOP, top, tick_ns);
    CHECK_SAME(TOP, top, lookahead_ns);
    CHECK_SAME(TOP, top, epoch_ns);
    CHECK(strstr(page, "`rescue` has a `station` (needed), a number of `tugs` (4), their `speed` "
                       "(40 u/s), `fuel` to give away\n(1000 units) and its `patience` (30 s)"));
    CHECK_SAME(RESCUE, ", tugs: 4, speed: 40 u/s, fuel: 1000, patience: 30 s", rescue);
    CHECK(strstr(page, "`traffic` has `every` (10 s), how often traffic control looks, the "
                       "`distance` (1 u)"));
    CHECK(strstr(page, "and the `zone` (20 u)"));
    CHECK_SAME(TRAFFIC, "every: 10 s, distance: 1 u, zone: 20 u", traffic);
}

TEST(the_defaults_that_the_rules_name_are_these)
{
    struct scenario *s = with(TOP, "");
    const struct scenario_class *class = &s->classes.items[0];
    CHECK(class->length_m == 150 && class->mass_t == 2000 && class->cargo_t == 500);
    CHECK(class->arrival == 10 && class->tank == 1 && class->burn == 0.01);
    CHECK(class->distress_range == 200 && class->hazard_radius == 100);
    CHECK(class->formation_rate == 0.1 && class->push_rate == 0.05);
    CHECK(class->offer_floor == 1000 && class->peer_offer_floor == 500);
    CHECK(s->weather.items[0].speed_moderate == 0.8 && s->weather.items[0].speed_high == 0.5);
    scenario_destroy(s);
}

/* ---- What the simulation makes of them ---- */

static struct scenario *open_space(const char *more)
{
    static char text[4096];
    snprintf(text, sizeof text,
             "name: open\nduration: 10 h\nunits_per_AU: 1000\n"
             "bodies: [{name: Sun}]\n"
             "stations:\n"
             "  - {name: Alpha, body: Sun, radius: 0 u, berths: 4, service: 5 s}\n"
             "  - {name: Beta, body: Sun, radius: 3000 u, period: 100000 d, berths: 4, service: 5 "
             "s}\n"
             "classes: [{name: tug, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6}]\n"
             "fleets: [{name: tugs, class: tug, count: 2, route: [Alpha, Beta], departure: 30 d,\n"
             "          rest: 30 d}]\n%s",
             more);
    return stage_parse(text);
}

/* The speed that it makes within a minute of an alert that it gets under way, its middle so far
 * ahead of it. */
static double speed_in(WeatherLevel level, double ahead)
{
    stage_open(open_space("weather: [{name: belt, body: Sun, radius: 500 u, every: 1 h}]\n"), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    STAGE_ORDER(0, set_destination, .station = 1);
    stage_wait(20);
    NEW_MESSAGE(WeatherAlert, alert);
    alert.level = level;
    alert.radius = 500;
    alert.centre = wire_vec(ship->motion.position);
    alert.centre.x += ahead;
    alert.until_ns = ALDIS_HOUR;
    CHECK_OK(aldis_send_copy(stage.system, stage.ships[0], weather_alert, &alert));
    stage_wait(8);
    double speed = vec_length(ship->motion.velocity);
    stage_close();
    return speed;
}

/* Nobody departs in high and extreme weather; who is under way goes on. */
TEST(ships_under_way_make_these_parts_of_their_speed)
{
    CHECK(fabs(speed_in(WEATHER_LOW, 0) - 20) < 1e-6);
    CHECK(fabs(speed_in(WEATHER_MODERATE, 0) - 16) < 1e-6);
    CHECK(fabs(speed_in(WEATHER_HIGH, 0) - 10) < 1e-6);
    CHECK(fabs(speed_in(WEATHER_EXTREME, 0) - 10) < 1e-6);
}

TEST(weather_reaches_as_far_as_its_radius)
{
    CHECK(fabs(speed_in(WEATHER_HIGH, 700) - 20) < 1e-6);
    CHECK(fabs(speed_in(WEATHER_HIGH, -290) - 10) < 1e-6);
}

/* The service tells the region's radius, and ships a little farther off, who are not in it. */
TEST(an_alert_tells_the_radius_of_its_region)
{
    stage_open(open_space("weather: [{name: belt, body: Sun, radius: 500 u, every: 1 min}]\n"), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0);
    weather_ref weather;
    STAGE_SERVICE(weather, &weather);
    for (int i = 0; i < 60 && !(ship->extra && ship->extra->rare); i++)
        stage_wait(60);
    CHECK(ship->extra && ship->extra->rare && ship->extra->rare->weather.radius == 500);
    stage_close();
}

/* Each after 0.5 to 1.5 of the mean, all as likely. */
TEST(hazards_come_after_half_to_one_and_a_half_of_their_time)
{
    stage_open(open_space("hazards: [{kind: debris, every: 60 s, life: 3 s, radius: 1 u}]\n"), 1);
    hazards_ref hazards;
    STAGE_SERVICE(hazards, &hazards);
    aldis_ns last_ns = 0, least_ns = ALDIS_HOUR, most_ns = 0, sum_ns = 0;
    uint32_t seen = 0;
    while (seen < 200) {
        stage_wait(1);
        const NavigationHazard *hazard = hazards_at(stage.books.hazard_page, 0);
        if (!hazard || hazard->number == seen)
            continue;
        aldis_ns came_ns = hazard->until_ns - 3 * ALDIS_SECOND, gap_ns = came_ns - last_ns;
        CHECK_UINT(hazard->number, seen + 1);
        seen = hazard->number;
        last_ns = came_ns;
        sum_ns += gap_ns;
        least_ns = gap_ns < least_ns ? gap_ns : least_ns;
        most_ns = gap_ns > most_ns ? gap_ns : most_ns;
    }
    printf("# %u hazards: after %.1f to %.1f s, %.1f s on average\n", seen, (double)least_ns * 1e-9,
           (double)most_ns * 1e-9, (double)sum_ns * 1e-9 / seen);
    CHECK(least_ns >= 30 * ALDIS_SECOND && least_ns < 35 * ALDIS_SECOND);
    CHECK(most_ns <= 90 * ALDIS_SECOND && most_ns > 85 * ALDIS_SECOND);
    CHECK(sum_ns > 55 * ALDIS_SECOND * seen && sum_ns < 65 * ALDIS_SECOND * seen);
    stage_close();
}

/* Not where it will come to rest, 50 u on. */
TEST(an_emergency_is_a_hazard_where_the_ship_is)
{
    stage_open(open_space(""), 1);
    stage_station(0);
    stage_station(1);
    struct ship *ship = stage_ship(0, 0), *other = stage_ship(1, 0);
    stage_run(ALDIS_SECOND);
    STAGE_ORDER(0, set_destination, .station = 1);
    STAGE_ORDER(1, set_destination, .station = 1);
    stage_wait(20);
    struct vec before = ship->motion.position;
    CHECK_OK(
        aldis_send(stage.system, stage.ships[0], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    stage_wait(0.05);
    CHECK_STR(stage_state(0), "emergency");
    CHECK(other->extra != NULL);
    CHECK_UINT(other->extra->hazard_count, 1);
    double ahead = vec_length(vec_sub(ship->aim, ship->motion.position));
    double off = vec_length(vec_sub(other->extra->hazards[0].location, before));
    printf("# %.2f u from where it was a moment before; it comes to rest %.2f u on\n", off, ahead);
    CHECK(ahead > 40);
    CHECK(off < 22); /* a tick's way, at most */
    stage_close();
}

TEST(the_pirates_of_the_house_raid_every_five_minutes_at_most)
{
    const struct mind_plan *plan = mind_plan_find("pirate");
    CHECK(plan != NULL);
    uint32_t raids = 0;
    for (uint32_t i = 1; i < plan->count; i++) {
        const struct mind_step *step = &plan->steps[i];
        if (step->kind != MIND_leaf || strcmp(step->leaf, "raid") != 0)
            continue;
        raids++;
        CHECK(step->value.number == 200);
        CHECK(step[-1].kind == MIND_cooldown && step[-1].depth + 1 == step->depth);
        CHECK_INT(step[-1].value.time_ns, 5 * ALDIS_MINUTE);
    }
    CHECK_UINT(raids, 1);
}
