// SPDX-License-Identifier: Apache-2.0
/* look.c: what one sees of a run between its pieces, when all actors are at rest. See space.h.
 * Layer: space. */
#include "mind_leaves.h"
#include "run.h"
#include "ship.h"

#include <aldis/stats.h>

void run_count_ships(const struct run *run, uint64_t out[SPACE_SHIP_STATE_COUNT])
{
    for (uint32_t i = 0; i < run->books.ship_count; i++)
        out[books_ship(&run->books, i)->state]++;
}

bool space_look(const struct space_progress *progress, struct space_view *out_view)
{
    const struct run *run = progress->run;
    aldis_stats stats;
    *out_view = (struct space_view){.scenario = run->scenario->name};
    if (aldis_system_stats(run->system, &stats) != ALDIS_OK)
        return false;
    const aldis_type_stats *berthed = aldis_stats_type(&stats, "docked");
    out_view->handled_msgs = stats.total.handled;
    out_view->refused_msgs = stats.failed_deliveries;
    out_view->dockings = berthed ? berthed->handled : 0;
    aldis_stats_fini(&stats);
    if (!run->opts->live) /* live, the ships write while we read */
        run_count_ships(run, out_view->ships);
    return true;
}

/* Until help comes to a ship in an emergency. An empty tank ends with fuel only. */
static aldis_ns help_ns(const struct run *run, const struct ship *ship, aldis_ns now_ns)
{
    if (ship->state != SHIP_emergency)
        return 0;
    bool dry = ship->extra->rare->emergency.kind == EMERGENCY_OUT_OF_FUEL;
    if (dry && run->books.rescue.fuel == 0)
        return ALDIS_FOREVER;
    return rescue_wait_ns(run->books.rescue_page, ship_account(ship), now_ns);
}

static aldis_ns held_ns(const struct run *run, const struct ship *ship)
{
    const struct dock *dock = &run->books.stations[ship->station].dock;
    return dock->turn.mean_ns / dock->berth_count * run->books.ship_count;
}

bool space_ship_look(const struct space_progress *progress, uint32_t number,
                     struct space_ship_view *out)
{
    const struct run *run = progress->run;
    if (number == 0 || number > run->books.ship_count || run->opts->live)
        return false;
    const struct ship *ship = books_ship(&run->books, number - 1);
    bool under_way = ship->state == SHIP_flying || ship->state == SHIP_emergency;
    bool waits = ship->state == SHIP_docking && ship->phase != PHASE_APPROACH;
    struct vec at = under_way ? ship->motion.position : ship_place(ship, progress->now_ns);
    if (!(ship->flags & SHIP_STARTED)) /* nothing has run yet */
        at = ship_station_position(ship, progress->now_ns);
    *out = (struct space_ship_view){
        .fleet = ship_fleet(ship)->name,
        .class = ship_class(ship)->name,
        .hold_t = ship_class(ship)->cargo_t,
        .state_name = ship_state_word(ship),
        .station = run->scenario->stations.items[ship->station].name,
        .state = ship->state,
        .place = {at.x, at.y, at.z},
        .speed = vec_length(ship->motion.velocity),
        .fuel = (double)ship->account.fuel / (double)ship->account.shape->tank,
        .credits = (double)ship->account.credits / CENTS,
        .due_ns = ship->due_ns,
        .estimate_ns = waits ? ship->visit.estimate_ns : 0,
        .held_ns = waits && ship->phase == PHASE_HELD ? held_ns(run, ship) : 0,
        .alarm_ns = ship->state == SHIP_emergency ? ship->extra->rare->emergency.since_ns : 0,
        .help_ns = help_ns(run, ship, progress->now_ns)};
    for (uint32_t i = 0; i < run->books.kinds; i++)
        out->cargo_t += account_goods(&ship->account)[i];
    return true;
}

bool space_station_look(const struct space_progress *progress, uint32_t number,
                        struct space_station_view *out)
{
    const struct run *run = progress->run;
    if (number == 0 || number > run->scenario->stations.count || run->opts->live)
        return false;
    const struct scenario_station *station = &run->scenario->stations.items[number - 1];
    const struct station_page *page = &run->books.stations[number - 1];
    struct vec at = scenario_station_position(run->scenario, number - 1, progress->now_ns);
    *out = (struct space_station_view){.name = station->name,
                                       .place = {at.x, at.y, at.z},
                                       .berths = station->berths + station->large_berths,
                                       .berths_taken = page->berths_taken,
                                       .queue = page->queue,
                                       .queue_limit = station->queue_limit,
                                       .dockings = page->dockings,
                                       .fuel = (double)page->account.fuel / FUEL_NANO,
                                       .credits = (double)page->account.credits / CENTS,
                                       .shut = page->shut || page->paused || page->ends};
    if (page->grants > 0)
        out->wait_mean_s = (double)page->wait_total_ns * 1e-9 / (double)page->grants;
    return true;
}

bool space_berth_look(const struct space_progress *progress, uint32_t station, uint32_t berth,
                      struct space_berth_view *out)
{
    static const char *const names[] = {[BERTH_FREE] = "free",
                                        [BERTH_HELD] = "held",
                                        [BERTH_TAKEN] = "taken",
                                        [BERTH_LEAVING] = "leaving"};
    const struct run *run = progress->run;
    if (station == 0 || station > run->scenario->stations.count || run->opts->live)
        return false;
    const struct dock *dock = &run->books.stations[station - 1].dock;
    if (berth == 0 || berth > dock->berth_count)
        return false;
    const struct dock_berth *b = &dock->berths[berth - 1];
    *out = (struct space_berth_view){names[b->state], b->change, dock_due(dock, b)};
    return true;
}

bool space_hazard_look(const struct space_progress *progress, uint32_t number,
                       struct space_hazard_view *out)
{
    static const char *const kinds[] = {"asteroid", "debris", "energy storm", "pirates"};
    const struct run *run = progress->run;
    const NavigationHazard *hazard = NULL;
    uint32_t found = 0;
    for (uint32_t i = 0; !run->opts->live && i < SCENARIO_HAZARDS_LIVE_MAX && found < number; i++) {
        hazard = hazards_at(run->books.hazard_page, i);
        found += hazard != NULL;
    }
    if (number == 0 || found < number)
        return false;
    double age = (double)(progress->now_ns - hazard->at_ns) * 1e-9;
    struct vec at = vec_add(vec_of(&hazard->location), vec_scale(vec_of(&hazard->velocity), age));
    *out = (struct space_hazard_view){
        .kind = kinds[hazard->kind], .place = {at.x, at.y, at.z}, .radius = hazard->radius};
    return true;
}

bool space_weather_look(const struct space_progress *progress, uint32_t number,
                        struct space_weather_view *out)
{
    static const char *const levels[] = {"low", "moderate", "high", "extreme"};
    const struct run *run = progress->run;
    if (run->opts->live || number == 0 || number > run->scenario->weather.count)
        return false;
    const struct scenario_weather *plan = &run->scenario->weather.items[number - 1];
    struct vec at = scenario_body_position(run->scenario, plan->body, progress->now_ns);
    WeatherLevel level = weather_at(run->books.weather_page, number - 1);
    *out = (struct space_weather_view){.region = plan->name,
                                       .level = levels[level],
                                       .severity = (uint32_t)level,
                                       .place = {at.x, at.y, at.z},
                                       .radius = plan->radius};
    return true;
}

bool space_goods_look(const struct space_progress *progress, uint32_t station, uint32_t number,
                      struct space_goods_view *out)
{
    const struct run *run = progress->run;
    const struct scenario *scenario = run->scenario;
    uint32_t found = 0, i = 0;
    if (run->opts->live || station == 0 || station > scenario->stations.count || number == 0)
        return false;
    const struct scenario_goods *goods = scenario->stations.items[station - 1].goods;
    for (; i < scenario->market.commodities.count; i++)
        if (goods[i].target > 0 && ++found == number)
            break;
    if (i == scenario->market.commodities.count)
        return false;
    const struct scenario_commodity *commodity = &scenario->market.commodities.items[i];
    int64_t stock = run->books.stations[station - 1].goods[i];
    *out = (struct space_goods_view){.name = commodity->name,
                                     .stock_t = stock,
                                     .price =
                                         (double)market_price(commodity, &goods[i], stock) / CENTS};
    return true;
}

bool space_ship_status(const struct space_progress *progress, uint32_t number, aldis_status *out)
{
    const struct run *run = progress->run;
    const aldis_id *ids = run->books.ids;
    return !run->opts->live && ids && number > 0 && number <= run->books.ship_count &&
           aldis_system_status(run->system, ids[number - 1], out) == ALDIS_OK;
}

bool space_station_status(const struct space_progress *progress, uint32_t number, aldis_status *out)
{
    const struct run *run = progress->run;
    return !run->opts->live && number > 0 && number <= run->scenario->stations.count &&
           aldis_system_status(run->system, run->stations[number - 1].id, out) == ALDIS_OK;
}

bool space_mind_path(const struct space_progress *progress, uint32_t ship, char *text, size_t size)
{
    const struct run *run = progress->run;
    const struct mind_tree *tree;
    if (ship == 0 || ship > run->books.ship_count || run->opts->live)
        return false;
    const struct mind *mind = ship_mind(books_ship(&run->books, ship - 1), &tree);
    if (mind && mind->running)
        mind_path(tree, mind, text, size);
    else
        snprintf(text, size, "%s", mind ? "nothing" : "no mind");
    return true;
}
