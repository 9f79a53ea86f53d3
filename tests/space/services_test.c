// SPDX-License-Identifier: Apache-2.0
/* services_test.c: the sector, the market and the ledger, as a listener hears them. */
#include "protocol.h"
#include "tiny.h"

/* What a listener in the place of a ship has heard; read after the run. */
struct heard {
    uint32_t hazards, updates, changes;
    uint32_t lowest, highest; /* prices */
    bool same_price_told;
    aldis_ns last_hazard_ns, least_gap_ns, most_gap_ns;
    struct navigation_hazard hazard;
};

static struct heard heard;

struct listener {
    uint32_t price;
};

#define LISTENER_PROTOCOL(X, kind) X(kind, navigation_hazard) X(kind, market_update)
ALDIS_PROTOCOL(listener, LISTENER_PROTOCOL);

static aldis_err listener_on_navigation_hazard(struct listener *self,
                                               const struct navigation_hazard *msg, aldis_ctx *ctx)
{
    (void)self;
    aldis_ns gap_ns = aldis_now(ctx) - heard.last_hazard_ns;
    heard.last_hazard_ns = aldis_now(ctx);
    if (heard.hazards == 0 || gap_ns < heard.least_gap_ns)
        heard.least_gap_ns = gap_ns;
    if (gap_ns > heard.most_gap_ns)
        heard.most_gap_ns = gap_ns;
    heard.hazards++;
    heard.hazard = *msg;
    return ALDIS_OK;
}

static aldis_err listener_on_market_update(struct listener *self, const struct market_update *msg,
                                           aldis_ctx *ctx)
{
    (void)ctx;
    heard.updates++;
    for (uint32_t i = 0; i < msg->change_count; i++) {
        uint32_t price = msg->changes[i].price;
        heard.same_price_told = heard.same_price_told || price == self->price;
        if (heard.changes++ == 0 || price < heard.lowest)
            heard.lowest = price;
        if (price > heard.highest)
            heard.highest = price;
        self->price = price;
    }
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(listener, struct listener, LISTENER_PROTOCOL, .on_start = NULL);

struct stage {
    struct scenario *scenario;
    aldis_system *system;
};

static struct stage stage;

static void stage_open(void)
{
    memset(&heard, 0, sizeof heard);
    stage.scenario = tiny_scenario();
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .seed = 5};
    listener_ref listener;
    CHECK_OK(aldis_system_create(&opts, &stage.system));
    CHECK_OK(aldis_spawn(stage.system, listener, &listener, NULL));
}

static void stage_close(aldis_ns until_ns)
{
    CHECK_OK(aldis_system_run(stage.system, until_ns, NULL));
    CHECK_OK(aldis_system_audit(stage.system, NULL));
    aldis_system_destroy(stage.system);
    scenario_destroy(stage.scenario);
}

/* 40 credits, 10 either way, every 10 s for 10 hours: enough to come to both ends. */
TEST(prices_wander_within_their_swing_and_only_changes_are_told)
{
    stage_open();
    struct chart chart = {.scenario = stage.scenario};
    market_ref market;
    CHECK_OK(aldis_spawn(stage.system, market, &market,
                         &(aldis_spawn_opts){.arg = &chart, .arg_size = sizeof chart}));
    stage_close(10 * ALDIS_HOUR);
    CHECK_UINT(heard.lowest, 30);
    CHECK_UINT(heard.highest, 50);
    CHECK(!heard.same_price_told);
    CHECK(heard.updates > 2000 && heard.updates < 3600);
    CHECK_UINT(heard.changes, heard.updates);
}

TEST(hazards_come_by_their_schedule_on_a_way_between_stations)
{
    stage_open();
    struct scenario_hazard storms = {.kind = HAZARD_energy_storm,
                                     .every_ns = 60 * ALDIS_SECOND,
                                     .life_ns = 90 * ALDIS_SECOND,
                                     .radius = 12,
                                     .count = 50};
    stage.scenario->hazards.items = &storms;
    stage.scenario->hazards.count = 1;
    struct chart chart = {.scenario = stage.scenario};
    sector_ref sector;
    CHECK_OK(aldis_spawn(stage.system, sector, &sector,
                         &(aldis_spawn_opts){.arg = &chart, .arg_size = sizeof chart}));
    CHECK_OK(aldis_system_run(stage.system, 10 * ALDIS_HOUR, NULL));
    stage.scenario->hazards.items = NULL; /* not the scenario's to free */
    stage.scenario->hazards.count = 0;
    stage_close(10 * ALDIS_HOUR);
    CHECK_UINT(heard.hazards, 50);
    CHECK(heard.least_gap_ns >= 30 * ALDIS_SECOND && heard.most_gap_ns <= 91 * ALDIS_SECOND);
    CHECK(heard.most_gap_ns > heard.least_gap_ns + 30 * ALDIS_SECOND);
    CHECK_UINT(heard.hazard.kind, HAZARD_energy_storm);
    CHECK(heard.hazard.radius == 12);
    aldis_ns life_ns = heard.hazard.until_ns - heard.last_hazard_ns;
    CHECK(life_ns > 89 * ALDIS_SECOND && life_ns <= 90 * ALDIS_SECOND);
    /* Within the triangle of Alpha, Beta and Gamma. */
    struct vec place = heard.hazard.place;
    CHECK(place.x >= -1e-6 && place.y >= -1e-6 && place.x / 60 + place.y / 90 <= 1 + 1e-6);
}

TEST(the_ledger_counts_and_refuses_what_cannot_be)
{
    stage_open();
    struct ledger_result result;
    struct ledger_arg arg = {.ship_count = 2, .result = &result};
    ledger_ref ledger;
    CHECK_OK(aldis_spawn(stage.system, ledger, &ledger,
                         &(aldis_spawn_opts){.arg = &arg, .arg_size = sizeof arg}));
    CHECK_OK(aldis_send(stage.system, ledger, ship_changed, .from = SHIP_idle, .to = SHIP_docking));
    CHECK_OK(aldis_system_run(stage.system, ALDIS_SECOND, NULL));
    CHECK_OK(aldis_send(stage.system, ledger, ship_changed, .from = SHIP_docking, .to = SHIP_docked,
                        .station = 1, .wait_ns = 7 * ALDIS_SECOND,
                        .estimate_ns = 5 * ALDIS_SECOND));
    CHECK_OK(aldis_send(stage.system, ledger, ship_changed, .from = SHIP_waiting, .to = SHIP_idle));
    CHECK_OK(aldis_signal(stage.system, ledger, ship_refused));
    CHECK_OK(aldis_system_run(stage.system, 2 * ALDIS_SECOND, NULL));
    CHECK_OK(aldis_system_stop(stage.system, ALDIS_SECOND));
    aldis_system_destroy(stage.system);
    scenario_destroy(stage.scenario);
    CHECK_UINT(result.ships[SHIP_idle], 1);
    CHECK_UINT(result.ships[SHIP_docked], 1);
    CHECK_UINT(result.ships[SHIP_waiting], 0);
    CHECK_UINT(result.dockings, 1);
    CHECK_UINT(result.refusals, 1);
    CHECK_UINT(result.stations[1].dockings, 1);
    CHECK_INT(result.stations[1].wait_total_ns, 7 * ALDIS_SECOND);
    CHECK_INT(result.waits.max_ns, 7 * ALDIS_SECOND);
    CHECK_INT(result.wait_errors.max_ns, 2 * ALDIS_SECOND);
}
