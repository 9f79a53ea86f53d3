// SPDX-License-Identifier: Apache-2.0
/* signals_test.c: messages take distance / speed, and no less than the lookahead; none overtakes
 * an earlier one; and what a scenario may say of it. */
#include "stage.h"

#include <aldis/window.h>
#include <math.h>

/* Alpha and Gamma stand still 600 u and 900 u from Beta, in a right angle. With signals of 100 u/s
 * Beta is 6 s from one and 9 s from the other, and those are sqrt(117) s from each other. */
#define TEXT(signals, more)                                                                        \
    "name: far\n"                                                                                  \
    "duration: 10 h\n"                                                                             \
    "lookahead: 100 ms\n"                                                                          \
    "units_per_AU: 1000\n"                                                                         \
    "bodies: [{name: Sun}]\n"                                                                      \
    "stations:\n"                                                                                  \
    "  - {name: Alpha, body: Sun, radius: 600 u, phase: 0 deg, period: 100000 d, berths: 4,\n"     \
    "     service: 5 s}\n"                                                                         \
    "  - {name: Beta, body: Sun, radius: 0 u, berths: 4, service: 5 s}\n"                          \
    "  - {name: Gamma, body: Sun, radius: 900 u, phase: 90 deg, period: 100000 d, berths: 4,\n"    \
    "     service: 5 s}\n"                                                                         \
    "classes:\n"                                                                                   \
    "  - {name: tug, speed: 20 u/s, acceleration: 4 u/s2, burn: 1e-6, distress_range: 2000 u,\n"   \
    "     hazard_radius: 1 u}\n"                                                                   \
    "fleets:\n"                                                                                    \
    "  - {name: tugs, class: tug, count: 8, route: [Alpha, Beta], departure: 30 d, rest: 30 d}\n"  \
    "signals: {speed: " signals "}\n" more

#define FAR TEXT("100 u/s", "")

/* ---- What was handled, in a run on one worker ---- */

enum { NOTES_MAX = 4096 };

static struct note {
    aldis_ns at_ns;
    aldis_id receiver, sender;
    uint64_t sequence;
    const char *type_name;
} notes[NOTES_MAX];
static uint32_t note_count;

static void take_note(void *arg, const aldis_handled *handled)
{
    (void)arg;
    bool timer = aldis_id_equal(handled->sender, handled->receiver);
    if (!timer && note_count < NOTES_MAX)
        notes[note_count++] = (struct note){handled->at_ns, handled->receiver, handled->sender,
                                            handled->sequence, handled->type_name};
}

static void open_far(const char *text)
{
    stage_open(stage_parse(text), 1);
    note_count = 0;
    CHECK_OK(aldis_system_on_handled(stage.system, take_note, NULL));
}

static void spawn_stations(void)
{
    for (uint32_t i = 0; i < stage.scenario->stations.count; i++)
        stage_station(i);
}

/* When `to` handled its first message of a type from `from` at or after a time; -1: never. */
static aldis_ns heard(const char *type_name, aldis_id from, aldis_id to, aldis_ns since_ns)
{
    for (uint32_t i = 0; i < note_count; i++)
        if (strcmp(notes[i].type_name, type_name) == 0 && notes[i].at_ns >= since_ns &&
            aldis_id_equal(notes[i].sender, from) && aldis_id_equal(notes[i].receiver, to))
            return notes[i].at_ns;
    return -1;
}

/* The delay that is due for a distance: as the run computes it, to the nanosecond. */
static aldis_ns due(double distance)
{
    aldis_ns delay_ns = (aldis_ns)(distance / stage.scenario->signals.speed * 1e9);
    return delay_ns > 100 * ALDIS_MS ? delay_ns : 100 * ALDIS_MS;
}

static double between(uint32_t one, uint32_t other, aldis_ns at_ns)
{
    struct vec a = scenario_station_position(stage.scenario, one, at_ns);
    struct vec b = scenario_station_position(stage.scenario, other, at_ns);
    return vec_length(vec_sub(a, b));
}

TEST(a_call_is_heard_by_each_when_it_reaches_it)
{
    open_far(TEXT("100 u/s", "rescue: {station: Gamma, tugs: 1}\n"));
    spawn_stations();
    STAGE_SERVICE(rescue, &stage.chart.rescue);
    CHECK(signals_know_stations(&stage.chart));
    for (uint32_t i = 0; i < 3; i++)
        stage_ship(i, i);
    stage_ship(3, 1);
    stage_run(ALDIS_SECOND);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[1], handle_emergency, .kind = EMERGENCY_CREW_MEDICAL));
    stage_run(ALDIS_MINUTE);
    /* The order came from outside; when the ship has called follows from what its neighbour, at the
     * same place, has heard: one lookahead later. */
    aldis_id caller = stage.ships[1].id;
    aldis_ns near_ns = heard("distress_signal", caller, stage.ships[3].id, 0);
    aldis_ns called_ns = near_ns - 100 * ALDIS_MS;
    CHECK(near_ns > 0);
    CHECK_INT(heard("distress_signal", caller, stage.ships[0].id, 0) - called_ns,
              due(between(0, 1, 0)));
    CHECK_INT(heard("distress_signal", caller, stage.ships[2].id, 0) - called_ns,
              due(between(1, 2, 0)));
    aldis_ns rescue_ns = heard("distress_signal", caller, stage.chart.rescue.id, 0) - called_ns;
    CHECK_INT(rescue_ns, due(between(1, 2, called_ns)));
    CHECK_INT(rescue_ns / ALDIS_MS, 9000);
    /* The ship at Alpha has answered from there when it heard of it. */
    CHECK_INT(heard("distress_answer", stage.ships[0].id, caller, 0),
              heard("distress_signal", caller, stage.ships[0].id, 0) + due(between(0, 1, 0)));
    stage_close();
}

/* Each hears at another time, but who calls and warns never hears itself. */
TEST(nobody_hears_its_own_call_after_a_signals_time)
{
    open_far(FAR);
    spawn_stations();
    for (uint32_t i = 0; i < 3; i++)
        stage_ship(i, i);
    stage_run(ALDIS_SECOND);
    CHECK_OK(
        aldis_send(stage.system, stage.ships[1], handle_emergency, .kind = EMERGENCY_HULL_BREACH));
    stage_run(30 * ALDIS_SECOND);
    CHECK_UINT(stage_type("distress_signal").sent, 2);
    CHECK_UINT(stage_type("distress_signal").handled, 2);
    CHECK_UINT(stage_type("navigation_hazard").sent, 2);
    CHECK_UINT(stage_type("navigation_hazard").handled, 2);
    stage_close();
}

TEST(a_ship_at_a_station_is_heard_there_after_the_lookahead)
{
    open_far(FAR);
    spawn_stations();
    CHECK(signals_know_stations(&stage.chart));
    stage_ship(0, 0);
    stage_run(ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], initiate_docking, .station = 0));
    stage_run(ALDIS_MINUTE);
    aldis_id ship = stage.ships[0].id, station = stage.stations[0].id;
    aldis_ns asked_ns = heard("request_docking", ship, station, 0);
    CHECK(asked_ns > 0);
    CHECK_INT(heard("docking_permission", station, ship, 0) - asked_ns, 100 * ALDIS_MS);
    aldis_ns docked_ns = heard("docked", ship, station, asked_ns);
    CHECK_INT(docked_ns - asked_ns, 10 * ALDIS_SECOND + 200 * ALDIS_MS);
    stage_close();
}

/* Who is under way is not where it was at its last look: tick and all, to a hundredth of a unit. */
TEST(a_ship_under_way_speaks_from_where_it_is)
{
    open_far(TEXT("50 u/s", "tick: 30 s\n"));
    spawn_stations();
    CHECK(signals_know_stations(&stage.chart));
    struct ship *ship = stage_ship(0, 1);
    stage_ship(1, 1);
    stage_run(ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[0], set_destination, .station = 0));
    stage_run(2 * ALDIS_SECOND);
    CHECK_INT(ship->state, SHIP_flying);
    aldis_ns left_ns = ship->moved_ns;
    /* 5 s of 4 u/s2, then 20 u/s: 50 u + 7 x 20 u. Asked for a trade of nothing of value. */
    stage_run(left_ns + 12 * ALDIS_SECOND);
    CHECK_OK(aldis_send(stage.system, stage.ships[1], propose_trade, .to = stage.ships[0].id.bits,
                        .to_account = ship_account(ship)));
    stage_run(2 * ALDIS_MINUTE);
    aldis_id one = stage.ships[1].id, other = stage.ships[0].id;
    aldis_ns offered_ns = heard("trade_offer", one, other, 0);
    CHECK(offered_ns > 0);
    aldis_ns answered_ns = heard("trade_answer", other, one, offered_ns);
    double seconds = (double)(offered_ns - left_ns) * 1e-9;
    double way = 50 + (seconds - 5) * 20;
    CHECK(seconds < 30); /* between two looks */
    CHECK(fabs((double)(answered_ns - offered_ns) * 1e-9 * 50 - way) < 0.01);
    stage_close();
}

/* All that a scenario full of traffic, emergencies and pirates sends arrives in the order in which
 * it was sent: the numbers of a sender rise at each receiver. */
static struct {
    aldis_id sender, receiver;
    uint64_t sequence;
} lasts[1 << 16];
static uint64_t out_of_order, messages;

static void check_order(void *arg, const aldis_handled *handled)
{
    (void)arg;
    if (aldis_id_equal(handled->sender, handled->receiver) || aldis_id_is_nobody(handled->sender))
        return;
    uint64_t hash = (handled->sender.bits * UINT64_C(0x9e3779b97f4a7c15)) ^
                    (handled->receiver.bits * UINT64_C(0xbf58476d1ce4e5b9));
    uint32_t i = (uint32_t)(hash >> 40) & 0xffff;
    while (!aldis_id_is_nobody(lasts[i].sender) &&
           !(aldis_id_equal(lasts[i].sender, handled->sender) &&
             aldis_id_equal(lasts[i].receiver, handled->receiver)))
        i = (i + 1) & 0xffff;
    messages++;
    out_of_order += handled->sequence <= lasts[i].sequence;
    lasts[i].sender = handled->sender;
    lasts[i].receiver = handled->receiver;
    lasts[i].sequence = handled->sequence;
}

static void watch_order(void *arg, const struct space_run_facts *facts)
{
    (void)arg;
    CHECK_OK(aldis_system_on_handled(facts->system, check_order, NULL));
}

TEST(no_message_overtakes_an_earlier_one)
{
    static struct scenario_errors errors;
    struct scenario *scenario;
    struct space_report report;
    CHECK_INT(scenario_load(SCENARIOS "/signals.yaml", &scenario, &errors), SCENARIO_OK);
    memset(lasts, 0, sizeof lasts);
    const struct space_run_opts opts = {.workers = 1,
                                        .until_ns = 20 * ALDIS_MINUTE,
                                        .check_balance = true,
                                        .on_begin = watch_order};
    CHECK_OK(space_run(scenario, &opts, &report));
    CHECK_STR(report.balance, "balanced");
    CHECK(messages > 10000);
    CHECK_UINT(out_of_order, 0);
    space_report_fini(&report);
    scenario_destroy(scenario);
}

/* A thousand messages to each of many, from a speaker that jumps about: none arrives before one
 * that was sent earlier, nor before its time, and what has arrived is forgotten. */
struct walker {
    aldis_ns last[8];
    uint32_t steps;
};
static uint64_t differing, walked;
ALDIS_SIGNAL(walk);
#define WALKER_PROTOCOL(X, kind) X(kind, walk)
ALDIS_PROTOCOL(walker, WALKER_PROTOCOL);

static aldis_err walker_on_walk(struct walker *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    walker_ref me = {.id = aldis_self(ctx)};
    for (uint32_t i = 0; i < 8; i++) {
        struct vec here = {(double)aldis_random_below(ctx, 1000), 0, 0};
        const struct speaker speaker = {SPEAKER_HAZARDS(&stage.books), here};
        aldis_ns delay_ns =
            signals_delay_to(&stage.chart, ctx, &speaker, stage.ships[i].id, (struct vec){0, 0, 0});
        aldis_ns at_ns = aldis_now(ctx) + (delay_ns > 0 ? delay_ns : 100 * ALDIS_MS);
        aldis_ns soonest_ns = aldis_now(ctx) + due(here.x);
        aldis_ns wanted_ns = soonest_ns > self->last[i] ? soonest_ns : self->last[i];
        differing += at_ns != wanted_ns;
        self->last[i] = at_ns;
    }
    walked++;
    return ++self->steps < 1000 ? aldis_signal_after(ctx, 700 * ALDIS_MS, me, walk) : ALDIS_OK;
}
ALDIS_BEHAVIOUR(walker, struct walker, WALKER_PROTOCOL);

TEST(what_is_sent_later_arrives_later_from_wherever_it_comes)
{
    open_far(FAR);
    spawn_stations();
    CHECK(signals_know_stations(&stage.chart));
    for (uint32_t i = 0; i < 8; i++)
        stage_ship(i, 1);
    walker_ref walker;
    CHECK_OK(aldis_spawn(stage.system, walker, &walker, NULL));
    CHECK_OK(aldis_signal(stage.system, walker, walk));
    stage_run(ALDIS_HOUR);
    CHECK_UINT(walked, 1000);
    CHECK_UINT(differing, 0);
    stage_close();
}

/* ---- What a scenario may say ---- */

static void check_speed(const char *value, const char *expected)
{
    struct scenario *scenario;
    static struct scenario_errors errors;
    static char text[4096], found[512];
    const char *whole = TEXT("@", "");
    const char *at = strchr(whole, '@');
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - whole), whole, value, at + 1);
    enum scenario_status status = scenario_parse("x.yaml", text, strlen(text), &scenario, &errors);
    CHECK_INT(status, expected ? SCENARIO_BAD : SCENARIO_OK);
    if (expected) {
        snprintf(found, sizeof found, "%u:%u: %s", errors.items[0].line, errors.items[0].column,
                 errors.items[0].text);
        CHECK_STR(found, expected);
    }
    scenario_destroy(scenario);
}

#define ALLOWED                                                                                    \
    "allowed: instant, or, at least twice that of the fastest class, a speed from 40 u/s to "      \
    "1000000000 u/s, as in 20 u/s (unit: u/s)"

TEST(a_signal_speed_that_cannot_be_is_refused_with_its_line)
{
    check_speed("instant", NULL);
    check_speed("40 u/s", NULL);
    check_speed("39.9 u/s", "17:18: signals.speed: found \"39.9 u/s\", " ALLOWED);
    check_speed("-1 u/s", "17:18: signals.speed: found \"-1 u/s\", " ALLOWED);
    check_speed("fast", "17:18: signals.speed: found \"fast\", " ALLOWED);
    check_speed("300", "17:18: signals.speed: found \"300\", " ALLOWED);
    check_speed("[1, 2]", "17:18: signals.speed: found a list, " ALLOWED);
}
