// SPDX-License-Identifier: Apache-2.0
/* scenario_test.c: what a scenario file may say, and what each wrong one is told. */
#include "harness.h"
#include "proto/space.pb.h"
#include "scenario.h"
#include "space.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The smallest scenario; each test changes one place of it. */
static const char good[] = "name: tiny\n"
                           "duration: 1 h\n"
                           "units_per_AU: 1000\n"
                           "bodies:\n"
                           "  - name: Sun\n"
                           "  - name: Earth\n"
                           "    orbit: {semi_major_axis: 1 AU, eccentricity: 0.0167,\n"
                           "      inclination: 0 deg, ascending_node: 0 deg, perihelion: 103 deg,\n"
                           "      mean_longitude: 100 deg, period: 365 d}\n"
                           "stations:\n"
                           "  - name: Alpha\n"
                           "    body: Earth\n"
                           "    berths: 4\n"
                           "    service: 30 s\n"
                           "  - name: Beta\n"
                           "    body: Sun\n"
                           "    berths: 2\n"
                           "    service: 1 min\n"
                           "classes:\n"
                           "  - name: tug\n"
                           "    speed: 20 u/s\n"
                           "    acceleration: 1 u/s2\n"
                           "fleets:\n"
                           "  - name: tugs\n"
                           "    class: tug\n"
                           "    count: 3\n"
                           "    route: [Alpha, Beta]\n"
                           "hazards:\n"
                           "  - kind: asteroid\n"
                           "    every: 1 min\n"
                           "market:\n"
                           "  update: 10 s\n"
                           "  commodities:\n"
                           "    - {name: water, price: 40, swing: 10}\n";

static char changed[8192];
static struct scenario_errors errors;

/* The good scenario with the first `find` replaced. */
static const char *change(const char *find, const char *replace)
{
    const char *at = strstr(good, find);
    if (!at)
        test_fail(__FILE__, __LINE__, "the good scenario does not hold \"%s\"", find);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - good), good, replace,
             at + strlen(find));
    return changed;
}

/* All errors of a text as they are printed. */
static const char *errors_of(const char *text, size_t size)
{
    static char printed[SCENARIO_ERRORS_MAX * 512];
    struct scenario *scenario;
    enum scenario_status status = scenario_parse("x.yaml", text, size, &scenario, &errors);
    memset(printed, 0, sizeof printed);
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    scenario_errors_print(&errors, out);
    fclose(out);
    CHECK((status == SCENARIO_OK) == (scenario != NULL));
    CHECK((status == SCENARIO_OK) == (errors.count == 0));
    scenario_destroy(scenario);
    return printed;
}

#define EXPECT(text, expected) CHECK_STR(errors_of((text), strlen(text)), expected)
#define EXPECT_CHANGED(find, replace, expected) EXPECT(change(find, replace), expected)

TEST(good_scenario_is_read_as_it_stands)
{
    struct scenario *s;
    CHECK_INT(scenario_parse("x.yaml", good, strlen(good), &s, &errors), SCENARIO_OK);
    CHECK_STR(s->name, "tiny");
    CHECK_INT(s->duration_ns, ALDIS_HOUR);
    CHECK_INT(s->tick_ns, ALDIS_SECOND);
    CHECK_INT(s->lookahead_ns, 100 * ALDIS_MS);
    CHECK_UINT(s->bodies.count, 2);
    CHECK(!s->bodies.items[0].moves && s->bodies.items[1].moves);
    CHECK(s->bodies.items[1].elements.semi_major_axis == 1000);
    CHECK_UINT(s->stations.count, 2);
    CHECK_UINT(s->stations.items[0].body, 1);
    CHECK_UINT(s->stations.items[0].berths, 4);
    CHECK_UINT(s->stations.items[0].queue_limit, 256);
    CHECK_INT(s->stations.items[1].service_ns, ALDIS_MINUTE);
    CHECK(s->classes.items[0].speed == 20 && s->classes.items[0].length_m == 150);
    CHECK_UINT(s->fleets.items[0].route.count, 2);
    CHECK_UINT(s->fleets.items[0].route.stations[1], 1);
    CHECK_UINT(s->ship_count, 3);
    CHECK_UINT(s->hazards.items[0].kind, HAZARD_ASTEROID);
    CHECK_UINT(s->market.commodities.items[0].price, 40);
    scenario_destroy(s);
}

TEST(units_are_converted)
{
    static const struct {
        const char *text;
        aldis_ns ns;
    } times[] = {{"1 h", ALDIS_HOUR},          {"1.5 min", 90 * ALDIS_SECOND},
                 {"10min", 10 * ALDIS_MINUTE}, {"2 d", 48 * ALDIS_HOUR},
                 {"0.1 s", 100 * ALDIS_MS},    {"250 ms", 250 * ALDIS_MS},
                 {"5e6 us", 5 * ALDIS_SECOND}, {"3e9 ns", 3 * ALDIS_SECOND}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "duration: %s", times[i].text);
        const char *text = change("duration: 1 h", line);
        struct scenario *s;
        CHECK_INT(scenario_parse("x.yaml", text, strlen(text), &s, &errors), SCENARIO_OK);
        CHECK_INT(s->duration_ns, times[i].ns);
        scenario_destroy(s);
    }
    const char *text = change("1 AU", "149597870.7 km");
    struct scenario *s;
    CHECK_INT(scenario_parse("x.yaml", text, strlen(text), &s, &errors), SCENARIO_OK);
    double axis = s->bodies.items[1].elements.semi_major_axis;
    scenario_destroy(s);
    CHECK(axis > 1000 - 1e-9 && axis < 1000 + 1e-9);
}

TEST(unknown_key_is_refused_with_the_nearest)
{
    EXPECT_CHANGED("berths:", "berth:",
                   "x.yaml:11:5: stations[0].berths: found nothing, allowed: a whole number from 1 "
                   "to 64\n"
                   "x.yaml:13:5: stations[0]: found unknown key \"berth\", allowed: a key of a "
                   "station (did you mean \"berths\"?)\n");
    EXPECT_CHANGED(
        "count: 3", "count: 3\n    xyzzyplugh: 1",
        "x.yaml:27:5: fleets[0]: found unknown key \"xyzzyplugh\", allowed: name, class, "
        "count, route, departure, rest, formation, formation_size, trades, "
        "mind\n");
    EXPECT_CHANGED("count: 3", "count: 3\n    <<: {rest: 1 s}",
                   "x.yaml:27:5: fleets[0]: found unknown key \"<<\", allowed: name, class, count, "
                   "route, departure, rest, formation, "
                   "formation_size, trades, "
                   "mind\n");
    EXPECT_CHANGED("count: 3", "count: 3\n    [a, b]: 1",
                   "x.yaml:27:5: fleets[0]: found a list, allowed: as a key of a fleet: name, "
                   "class, count, route, departure, rest, "
                   "formation, formation_size, trades, "
                   "mind\n");
}

TEST(wrong_unit_is_refused)
{
    EXPECT_CHANGED("1 h", "1 kg",
                   "x.yaml:2:11: duration: found \"1 kg\", allowed: a time from 1 ms to 3650 d, as "
                   "in 10 min (units: ns, us, ms, s, min, h, d)\n");
    EXPECT_CHANGED("20 u/s", "20",
                   "x.yaml:21:12: classes[0].speed: found \"20\", allowed: a speed from 0.001 u/s "
                   "to 1000000 u/s, as in 20 u/s (unit: u/s)\n");
    EXPECT_CHANGED("1 AU", "1 au",
                   "x.yaml:7:30: bodies[1].orbit.semi_major_axis: found \"1 au\", allowed: a "
                   "distance from 0.001 u to 1000000000 u, as in 250 u (units: u, km, AU)\n");
    EXPECT_CHANGED("365 d", "365 dd",
                   "x.yaml:9:40: bodies[1].orbit.period: found \"365 dd\", allowed: a time from 1 "
                   "min to 100000 d, as in 10 min (units: ns, us, ms, s, min, h, d)\n");
}

TEST(number_that_is_none_is_refused)
{
    static const char *const wrong[] = {"-4",
                                        "4x",
                                        "0x10",
                                        "010",
                                        "+4",
                                        "4.0",
                                        "4e0",
                                        "1_000",
                                        ".nan",
                                        ".inf",
                                        "nan",
                                        "",
                                        "four",
                                        "~",
                                        "65",
                                        "0",
                                        "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64], expected[160];
        snprintf(line, sizeof line, "berths: %s", wrong[i]);
        if (wrong[i][0])
            snprintf(expected, sizeof expected,
                     "x.yaml:13:13: stations[0].berths: found \"%s\", allowed: a whole number from "
                     "1 to 64\n",
                     wrong[i]);
        else
            snprintf(expected, sizeof expected,
                     "x.yaml:13:12: stations[0].berths: found nothing, allowed: a whole number "
                     "from 1 to 64\n");
        EXPECT_CHANGED("berths: 4", line, expected);
    }
    EXPECT_CHANGED("berths: 4", "berths: \"4\"",
                   "x.yaml:13:13: stations[0].berths: found \"4\" in quotes, allowed: a whole "
                   "number from 1 to 64\n");
    EXPECT_CHANGED("berths: 4", "berths: [4]",
                   "x.yaml:13:13: stations[0].berths: found a list, allowed: a whole number from 1 "
                   "to 64\n");
}

TEST(real_number_that_is_none_is_refused)
{
    static const char *const wrong[] = {"nan",   "inf",   "-inf",  ".nan", "1e999", "0x1p3",
                                        "1,5",   ".5",    "5.",    "01",   "+0.1",  "1e",
                                        "0.1.2", "- 0.1", "0.1 u", "1e-",  "--1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64], expected[160];
        snprintf(line, sizeof line, "eccentricity: \n        %s", wrong[i]);
        snprintf(expected, sizeof expected,
                 "x.yaml:8:9: bodies[1].orbit.eccentricity: found \"%s\", allowed: a number from 0 "
                 "to 0.9\n",
                 wrong[i]);
        if (strcmp(wrong[i], "1,5") != 0 && strcmp(wrong[i], "- 0.1") != 0)
            EXPECT_CHANGED("eccentricity: 0.0167", line, expected);
    }
    EXPECT_CHANGED("units_per_AU: 1000", "units_per_AU: 1,5",
                   "x.yaml:3:15: units_per_AU: found \"1,5\", allowed: a number from 0.001 to "
                   "1000000000\n");
}

TEST(seed_is_any_64_bits_and_no_more)
{
    static const char most[] = "name: tiny\nseed: 18446744073709551615";
    const char *text = change("name: tiny", most);
    struct scenario *s;
    CHECK_INT(scenario_parse("x.yaml", text, strlen(text), &s, &errors), SCENARIO_OK);
    uint64_t seed = s->seed;
    scenario_destroy(s);
    CHECK_UINT(seed, UINT64_MAX);
    EXPECT_CHANGED("name: tiny", "name: tiny\nseed: 18446744073709551616",
                   "x.yaml:2:7: seed: found \"18446744073709551616\", allowed: a whole number from "
                   "0 to 18446744073709551615\n");
}

TEST(duplicates_are_refused)
{
    EXPECT_CHANGED("name: Beta", "name: Alpha",
                   "x.yaml:15:11: stations[1].name: found \"Alpha\", allowed: a name that nothing "
                   "else in this list has\n"
                   "x.yaml:27:20: fleets[0].route[1]: found \"Beta\", allowed: the name of a "
                   "station above: Alpha, Alpha\n");
    EXPECT_CHANGED("berths: 4", "berths: 4\n    berths: 5",
                   "x.yaml:14:5: stations[0]: found key \"berths\" again, allowed: once (line 13 "
                   "has it)\n");
}

TEST(missing_references_are_refused)
{
    EXPECT_CHANGED("[Alpha, Beta]", "[Alpha, Betta]",
                   "x.yaml:27:20: fleets[0].route[1]: found \"Betta\", allowed: the name of a "
                   "station above (did you mean \"Beta\"?)\n");
    EXPECT_CHANGED("body: Earth", "body: Zzyzxqq",
                   "x.yaml:12:11: stations[0].body: found \"Zzyzxqq\", allowed: the name of a body "
                   "above: Sun, Earth\n");
    EXPECT_CHANGED("class: tug", "class: [tug]",
                   "x.yaml:25:12: fleets[0].class: found a list, allowed: the name of a class "
                   "above: tug\n");
    EXPECT_CHANGED("[Alpha, Beta]", "somewhere",
                   "x.yaml:27:12: fleets[0].route: found \"somewhere\", allowed: random, or a list "
                   "of 2 to 16 stations\n");
    EXPECT_CHANGED("kind: asteroid", "kind: comet",
                   "x.yaml:29:11: hazards[0].kind: found \"comet\", allowed: one of asteroid, "
                   "debris, energy_storm, pirates\n");
}

TEST(missing_parts_are_named)
{
    EXPECT("name: tiny\n",
           "x.yaml:1:1: bodies: found nothing, allowed: a list of 1 to 4096 entries (or "
           "a galaxy: that makes them)\n"
           "x.yaml:1:1: classes: found nothing, allowed: a list of 1 to 64 entries\n"
           "x.yaml:1:1: duration: found nothing, allowed: a time from 1 ms to 3650 d, as in 10 min "
           "(units: ns, us, ms, s, min, h, d)\n"
           "x.yaml:1:1: fleets: found nothing, allowed: a list of 1 to 256 entries\n"
           "x.yaml:1:1: stations: found nothing, allowed: a list of 2 to 4096 entries (or "
           "a galaxy: that makes them)\n"
           "x.yaml:1:1: units_per_AU: found nothing, allowed: a number from 0.001 to 1000000000\n");
}

TEST(rules_between_keys_hold)
{
    EXPECT_CHANGED("  - name: Sun\n", "",
                   "x.yaml:5:5: bodies[0]: found an orbit, allowed: none: the first body stands in "
                   "the middle\n"
                   "x.yaml:15:11: stations[1].body: found \"Sun\", allowed: the name of a body "
                   "above: Earth\n");
    EXPECT_CHANGED("  - name: Earth\n", "  - name: Rogue\n  - name: Earth\n",
                   "x.yaml:6:5: bodies[1]: found no orbit, allowed: an orbit or a place: only the "
                   "first body has none\n");
    EXPECT_CHANGED("speed: 20 u/s", "speed: 0.05 u/s",
                   "x.yaml:24:5: fleets[0]: found class \"tug\" at 0.05 u/s, allowed: at least "
                   "0.0702184 u/s, twice the speed of station \"Alpha\"\n");
    EXPECT_CHANGED("speed: 20 u/s", "length: 300 m\n    speed: 20 u/s",
                   "x.yaml:25:5: fleets[0]: found class \"tug\" of 300 m, allowed: a length that a "
                   "berth of \"Alpha\" takes\n");
    EXPECT_CHANGED("service: 30 s", "service: 30 s\n    permission: 15 s",
                   "x.yaml:11:5: stations[0]: found a permission shorter than twice the approach, "
                   "allowed: one that a ship can use: permission >= 2 x approach\n");
    EXPECT_CHANGED("[Alpha, Beta]", "[Alpha, Beta, Alpha]",
                   "x.yaml:24:5: fleets[0]: found a station that follows itself on the route, "
                   "allowed: another one next (the route goes round)\n");
    EXPECT_CHANGED("hazards:\n",
                   "hazards:\n  - {kind: debris, every: 2 s, life: 100 s}\n"
                   "  - {kind: asteroid, every: 1 s, life: 78 s}\n",
                   "x.yaml:30:5: hazards[1]: found more hazards at a time than there may be, "
                   "allowed: 256 in all schedules: seldomer, shorter or fewer ones\n");
    EXPECT_CHANGED("swing: 10", "swing: 40",
                   "x.yaml:34:7: market.commodities[0]: found a swing as large as the price, "
                   "allowed: less than it, so that no price is 0\n");
    EXPECT_CHANGED(
        "count: 3",
        "count: 16000000\n    route: random\n  - name: more\n    class: tug\n    count: "
        "16000000",
        "x.yaml:28:5: fleets[1]: found too many ships, allowed: 16000000 in all fleets\n");
}

/* ---- Warnings ---- */

static void expect_warnings(const char *text, uint32_t count, const char *expected)
{
    static char printed[4096];
    struct scenario *scenario;
    CHECK_INT(scenario_parse("x.yaml", text, strlen(text), &scenario, &errors), SCENARIO_OK);
    memset(printed, 0, sizeof printed);
    FILE *out = fmemopen(printed, sizeof printed - 1, "w");
    CHECK_UINT(scenario_warnings_print(scenario, "x.yaml", out), count);
    fclose(out);
    CHECK_STR(printed, expected);
    scenario_destroy(scenario);
}

/* Alpha is 983 u from Beta; a tank of 1 is good for 100 u, one of 20 for 2000 u. */
TEST(a_route_beyond_the_range_of_a_ship_is_warned_of)
{
    expect_warnings(
        good, 1,
        "x.yaml:24: warning: fleets[0] \"tugs\": from \"Alpha\" to \"Beta\" it is "
        "983.324 u at the start, and class \"tug\" comes 100 u far (tank / burn); there is "
        "no rescue service: a ship that runs dry waits until another one passes\n");
    expect_warnings(
        change("hazards:\n", "rescue: {station: Beta}\nhazards:\n"), 1,
        "x.yaml:24: warning: fleets[0] \"tugs\": from \"Alpha\" to \"Beta\" it is "
        "983.324 u at the start, and class \"tug\" comes 100 u far (tank / burn): it calls "
        "for fuel on the way\n");
    expect_warnings(
        change("route: [Alpha, Beta]", "route: random"), 1,
        "x.yaml:24: warning: fleets[0] \"tugs\": from \"Beta\" to \"Alpha\" it is "
        "983.324 u at the start, and class \"tug\" comes 100 u far (tank / burn); there is "
        "no rescue service: a ship that runs dry waits until another one passes\n");
    expect_warnings(change("speed: 20 u/s", "tank: 20\n    speed: 20 u/s"), 0, "");
    expect_warnings(change("speed: 20 u/s", "burn: 0\n    speed: 20 u/s"), 0, "");
}

/* Stations of which neighbours in the list are near, and the farthest are 298 places apart. */
TEST(of_many_stations_each_pair_is_a_leg_of_a_random_route)
{
    static char text[65536];
    size_t size = (size_t)snprintf(text, sizeof text,
                                   "name: many\nduration: 1 h\nunits_per_AU: 1000\n"
                                   "bodies:\n  - {name: Sun}\n");
    for (int i = 0; i < 300; i++) /* out along a line, and back between */
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "  - {name: B%d, at: [%d u, 0 u, 0 u]}\n", i,
                                 10 + (i < 150 ? 2 * i : 2 * (299 - i) + 1));
    size += (size_t)snprintf(text + size, sizeof text - size, "stations:\n");
    for (int i = 0; i < 300; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "  - {name: S%d, body: B%d, radius: 0 u, berths: 1, service: 5 "
                                 "s}\n",
                                 i, i);
    snprintf(text + size, sizeof text - size,
             "classes: [{name: tug, speed: 20 u/s, acceleration: 1 u/s2}]\n"
             "fleets: [{name: tugs, class: tug, count: 1, route: random}]\n");
    expect_warnings(text, 1,
                    "x.yaml:608: warning: fleets[0] \"tugs\": from \"S150\" to \"S0\" it is 299 u "
                    "at the start, and class \"tug\" comes 100 u far (tank / burn); there is no "
                    "rescue service: a ship that runs dry waits until another one passes\n");
}

/* Near each other at the start, on both sides of the sun later; and what never comes so far apart
 * in the run is no leg to warn of. */
TEST(a_route_that_becomes_too_long_is_warned_of)
{
#define TWO_ORBITS(duration)                                                                       \
    "name: two\nduration: " duration "\nunits_per_AU: 1000\n"                                      \
    "bodies:\n"                                                                                    \
    "  - {name: Sun}\n"                                                                            \
    "  - {name: A, orbit: {semi_major_axis: 60 u, eccentricity: 0, inclination: 0 deg,\n"          \
    "     ascending_node: 0 deg, perihelion: 0 deg, mean_longitude: 0 deg, period: 10 d}}\n"       \
    "  - {name: B, orbit: {semi_major_axis: 70 u, eccentricity: 0, inclination: 0 deg,\n"          \
    "     ascending_node: 0 deg, perihelion: 0 deg, mean_longitude: 0 deg, period: 20 d}}\n"       \
    "stations:\n"                                                                                  \
    "  - {name: Alpha, body: A, radius: 0 u, berths: 1, service: 5 s}\n"                           \
    "  - {name: Beta, body: B, radius: 0 u, berths: 1, service: 5 s}\n"                            \
    "classes: [{name: tug, speed: 20 u/s, acceleration: 1 u/s2}]\n"                                \
    "fleets: [{name: tugs, class: tug, count: 1, route: random}]\n"
    expect_warnings(TWO_ORBITS("30 d"), 1,
                    "x.yaml:14: warning: fleets[0] \"tugs\": from \"Beta\" to \"Alpha\" it is 130 "
                    "u after 10 d, and class \"tug\" comes 100 u far (tank / burn); there is no "
                    "rescue service: a ship that runs dry waits until another one passes\n");
    expect_warnings(TWO_ORBITS("3 d"), 0, "");
#undef TWO_ORBITS
}

TEST(shipped_scenarios_have_no_leg_beyond_their_ranges)
{
    static const char *const names[] = {"harbour",   "trade-routes", "distress", "storm",
                                        "rush-hour", "minds",        "signals",  "galaxy"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];
        snprintf(path, sizeof path, SCENARIOS "/%s.yaml", names[i]);
        struct scenario *scenario;
        CHECK_INT(scenario_load_with(path, NULL, 0, &scenario, &errors), SCENARIO_OK);
        char *said = NULL;
        size_t size;
        FILE *out = open_memstream(&said, &size);
        (void)scenario_warnings_print(scenario, "x", out);
        fclose(out);
        if (strstr(said, "comes"))
            test_fail(__FILE__, __LINE__, "%s: %s", names[i], said);
        free(said);
        scenario_destroy(scenario);
    }
}

TEST(what_is_no_scenario_is_refused)
{
    EXPECT("",
           "x.yaml:1:1: found nothing, allowed: a scenario: a mapping that begins with name:\n");
    EXPECT("# only a comment\n\n",
           "x.yaml:1:1: found nothing, allowed: a scenario: a mapping that begins with name:\n");
    EXPECT("---\n", "x.yaml:2:1: found nothing, allowed: a scenario: a mapping that begins with "
                    "name:\n");
    EXPECT("Dear sir, I have the honour\n",
           "x.yaml:1:1: found \"Dear sir, I have the honour\", allowed: a scenario: a mapping that "
           "begins with name:\n");
    EXPECT("- a\n- b\n", "x.yaml:1:1: found a list, allowed: a scenario: a mapping that begins "
                         "with name:\n");
    EXPECT("{\"name\": \"tiny\"", "x.yaml:2:1: not valid YAML: did not find expected ',' or '}' "
                                  "(while parsing a flow mapping that begins at line 1)\n");
    EXPECT("name: a\nname: b: c\n",
           "x.yaml:2:8: not valid YAML: mapping values are not allowed in this context\n");
    EXPECT("name: a\n---\nname: b\n",
           "x.yaml:2:1: found a second document, allowed: one document in a file\n");
}

TEST(tabs_binary_and_bad_utf8_are_refused)
{
    EXPECT("name: a\nstations:\n\t- name: b\n", "x.yaml:3:1: found a tab, allowed: spaces\n");
    EXPECT("\x7f"
           "ELF\x02\x01",
           "x.yaml:1:1: found byte 0x7f, allowed: text in UTF-8 without "
           "control characters\n");
    EXPECT("name: \xc3(", "x.yaml:1:7: found byte 0xc3, allowed: text in UTF-8\n");
    EXPECT("name: \xc0\xaf", "x.yaml:1:7: found byte 0xc0, allowed: text in UTF-8\n");
    EXPECT("name: \xed\xa0\x80", "x.yaml:1:7: found byte 0xed, allowed: text in UTF-8\n");
    EXPECT("\xff\xfen\0", "x.yaml:1:1: found byte 0xff, allowed: text in UTF-8\n");
    EXPECT("name: a\r# old line ends\r",
           "x.yaml:1:8: found byte 0x0d, allowed: text in UTF-8 without control characters\n");
    CHECK_STR(errors_of("name\0: a", 8),
              "x.yaml:1:5: found byte 0x00, allowed: text in UTF-8 without control characters\n");
    EXPECT("%TAG ! tag:x,2000:\n---\nname: a\n",
           "x.yaml:1:1: found a YAML directive, allowed: none\n");
    EXPECT_CHANGED("name: tiny", "name: \"a\\0b\"",
                   "x.yaml:1:7: found a zero byte in a text, "
                   "allowed: none\n");
    EXPECT_CHANGED("name: tiny", "name: \"\\e[2J\"",
                   "x.yaml:1:7: name: found \"\\x1b[2J\" in "
                   "quotes, allowed: a name of 1 to 63 bytes, "
                   "all printable\n");
}

TEST(aliases_anchors_and_tags_are_refused)
{
    EXPECT("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
           "x.yaml:1:4: found an anchor (&), allowed: no anchors and no aliases\n");
    EXPECT("a: *b\n", "x.yaml:1:4: found an alias (*), allowed: no anchors and no aliases\n");
    EXPECT("a: !!int 4\n", "x.yaml:1:4: found a tag (!), allowed: no tags\n");
}

/* size times text, in memory that the caller frees. */
static char *repeat(const char *text, size_t times)
{
    size_t length = strlen(text);
    char *all = malloc(times * length + 1);
    CHECK(all != NULL);
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * length, text, length);
    all[times * length] = '\0';
    return all;
}

static void expect_repeated(const char *text, size_t times, const char *expected)
{
    char *all = repeat(text, times);
    char found[512];
    snprintf(found, sizeof found, "%s", errors_of(all, strlen(all)));
    free(all);
    CHECK_STR(found, expected);
}

TEST(huge_and_deep_texts_are_refused_at_once)
{
    expect_repeated("[", 10000000,
                    "x.yaml:1:33: found a list or mapping 33 levels deep, allowed: "
                    "32 levels\n");
    expect_repeated("- ", 5000000,
                    "x.yaml:1:65: found a list or mapping 33 levels deep, allowed: "
                    "32 levels\n");
    expect_repeated("{a: ", 1000000,
                    "x.yaml:1:129: found a list or mapping 33 levels deep, "
                    "allowed: 32 levels\n");
    expect_repeated("- a\n", 300000,
                    "x.yaml:262144:3: found one value more, allowed: 262144 keys "
                    "and values in all\n");
    expect_repeated("x ", 1000, "x.yaml:1:1: found a text of 1999 bytes, allowed: 1024 bytes\n");
    expect_repeated("# sixteen bytes\n", 1048577,
                    "x.yaml: found more than 16777216 bytes, "
                    "allowed: 16777216 (16 MiB)\n");
}

TEST(many_errors_are_counted_not_listed)
{
    char *all = repeat("wrong: 1\n", 1000);
    const char *text = errors_of(all, strlen(all));
    free(all);
    CHECK_UINT(errors.count, SCENARIO_ERRORS_MAX);
    CHECK(errors.more > 0);
    CHECK(strstr(text, "x.yaml: and ") != NULL);
}

/* Wherever a good scenario is cut off or has one byte changed, the loader returns. */
TEST(every_cut_and_every_changed_byte_is_survived)
{
    static const char bytes[] = {'\0', '\t', '-', ':', '"', '{', '[', '9', '\n', (char)0xc3};
    size_t size = strlen(good);
    for (size_t i = 0; i < size; i++) {
        errors_of(good, i);
        for (size_t j = 0; j < sizeof bytes; j++) {
            memcpy(changed, good, sizeof good);
            changed[i] = bytes[j];
            errors_of(changed, size);
        }
    }
}

static enum scenario_status load(const char *path)
{
    struct scenario *scenario;
    enum scenario_status status = scenario_load(path, &scenario, &errors);
    CHECK((status == SCENARIO_OK) == (scenario != NULL));
    scenario_destroy(scenario);
    return status;
}

TEST(only_a_regular_file_is_read)
{
    char folder[] = "/tmp/scenario_test_XXXXXX", path[64];
    CHECK(mkdtemp(folder) != NULL);
    CHECK_INT(load(folder), SCENARIO_NO_INPUT);
    CHECK_STR(errors.items[0].text, "found a directory, allowed: a regular file");
    snprintf(path, sizeof path, "%s/pipe", folder);
    CHECK_INT(mkfifo(path, 0600), 0);
    CHECK_INT(load(path), SCENARIO_NO_INPUT);
    CHECK_STR(errors.items[0].text, "found a pipe or device, allowed: a regular file");
    unlink(path);
    CHECK_INT(load(path), SCENARIO_NO_INPUT);
    CHECK_STR(errors.items[0].text, "cannot be opened: No such file or directory");
    CHECK_INT(load("/dev/zero"), SCENARIO_NO_INPUT);
    if (geteuid() != 0) { /* the superuser may read anything */
        int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0);
        CHECK(file >= 0);
        close(file);
        CHECK_INT(load(path), SCENARIO_NO_INPUT);
        CHECK_STR(errors.items[0].text, "cannot be opened: Permission denied");
        unlink(path);
    }
    rmdir(folder);
}

TEST(shipped_scenarios_load)
{
    struct scenario *s;
    enum scenario_status status = scenario_load(SCENARIOS "/harbour.yaml", &s, &errors);
    scenario_errors_print(&errors, stdout);
    CHECK_INT(status, SCENARIO_OK);
    uint32_t ships = s->ship_count, stations = s->stations.count, bodies = s->bodies.count;
    scenario_destroy(s);
    CHECK_UINT(ships, 200);
    CHECK(stations >= 3);
    CHECK_UINT(bodies, 9);
}
