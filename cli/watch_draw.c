// SPDX-License-Identifier: Apache-2.0
/* watch_draw.c: what `aldis run --watch` shows, but for the map and the events. See watch_parts.h.
 * Layer: cli.
 *
 * From above: a bar with the time, ships by state (which is the legend of the map, too), rates; the
 * map, with the stations beside it; the picked actor; events; keys. On a small terminal there is
 * less of each, and the map goes last. */
#include "watch_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- Figures ---- */

const char *watch_clock(aldis_ns ns, char text[CLOCK_BYTES])
{
    int64_t s = ns / ALDIS_SECOND, days = s / 86400;
    char day[16] = "";
    if (days > 0)
        snprintf(day, sizeof day, "%d d ", (int)days);
    snprintf(text, CLOCK_BYTES, "%s%d:%02d:%02d", day, (int)(s / 3600 % 24), (int)(s / 60 % 60),
             (int)(s % 60));
    return text;
}

const char *watch_count(double count, char text[CLOCK_BYTES])
{
    static const char units[] = " kMGT";
    uint32_t unit = 0;
    for (; count >= 999.5 && unit < 4; unit++)
        count /= 1000;
    if (unit == 0)
        snprintf(text, CLOCK_BYTES, "%.0f", count);
    else
        snprintf(text, CLOCK_BYTES, count < 99.95 ? "%.1f%c" : "%.0f%c", count, units[unit]);
    return text;
}

enum screen_style watch_state_style(uint32_t state)
{
    static const uint8_t styles[SPACE_SHIP_STATE_COUNT] = {
        [SHIP_idle] = STYLE_GREY,    [SHIP_flying] = STYLE_CYAN,     [SHIP_docking] = STYLE_YELLOW,
        [SHIP_docked] = STYLE_GREEN, [SHIP_trading] = STYLE_MAGENTA, [SHIP_emergency] = STYLE_RED};
    return (enum screen_style)styles[state];
}

/* part: 0 to 1. */
static void draw_gauge(struct screen *screen, uint32_t row, uint32_t column, uint32_t width,
                       double part, enum screen_style style)
{
    bool wide = screen_is_wide(screen);
    uint32_t full = (uint32_t)(part * width + 0.5);
    for (uint32_t i = 0; i < width; i++)
        screen_cell(screen, row, column + i, i < full ? style : STYLE_GREY,
                    i < full ? (wide ? "█" : "#") : (wide ? "·" : "."));
}

/* ---- The head ---- */

static void draw_title(const struct watch *watch, const struct space_progress *now,
                       const struct space_view *view, const char *speed)
{
    struct screen *screen = watch->screen;
    uint32_t columns = screen_columns(screen), used;
    char at[CLOCK_BYTES], until[CLOCK_BYTES];
    for (uint32_t i = 0; i < columns; i++)
        screen_cell(screen, 0, i, STYLE_TITLE, " ");
    used = 1 + screen_text(screen, 0, 1, columns, STYLE_TITLE, "%s of %s  ",
                           watch_clock(now->now_ns, at), watch_clock(now->until_ns, until));
    if (watch->paused)
        used += screen_text(screen, 0, used, columns, STYLE_ALARM, " paused ") + 1;
    used += screen_text(screen, 0, used, columns, STYLE_TITLE, "%s  ", speed);
    if (watch->behind_s > 0.5)
        used +=
            screen_text(screen, 0, used, columns, STYLE_TITLE, "behind %.1f s  ", watch->behind_s);
    uint32_t left = columns > used ? columns - used : 0;
    uint32_t length = (uint32_t)strlen(view->scenario);
    if (left > length + 2)
        screen_text(screen, 0, columns - length - 1, length, STYLE_TITLE, "%s", view->scenario);
    double part = now->until_ns > 0 ? (double)now->now_ns / (double)now->until_ns : 0;
    if (left > length + 24)
        draw_gauge(screen, 0, used, 20, part, STYLE_TITLE);
    for (uint32_t i = used; left > length + 24 && i < used + 20; i++)
        screen_paint(screen, 0, i, 1, STYLE_TITLE);
}

/* Each with its colour on the map. Names are cut, and then left out, where there is no room. */
static void draw_states(const struct watch *watch, const struct space_view *view)
{
#define STATE_NAME(name) #name,
    static const char *const names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    struct screen *screen = watch->screen;
    uint32_t columns = screen_columns(screen), at = 1;
    static const char *const short_names[SPACE_SHIP_STATE_COUNT] = {
        [SHIP_idle] = "idle",  [SHIP_flying] = "fly",  [SHIP_docking] = "dkng",
        [SHIP_docked] = "dkd", [SHIP_trading] = "trd", [SHIP_emergency] = "emg"};
    const char *dot = screen_is_wide(screen) ? "●" : "*";
    for (uint32_t i = 0; i < SPACE_SHIP_STATE_COUNT; i++) {
        char count[CLOCK_BYTES];
        enum screen_style style = watch_state_style(i);
        if (columns >= 56)
            at += screen_text(screen, 1, at, columns - at, style, "%s ",
                              i == SHIP_emergency ? "!" : dot);
        if (columns >= 40)
            at += screen_text(screen, 1, at, columns - at, STYLE_PLAIN, "%s ",
                              columns >= 76 ? names[i] : short_names[i]);
        at += screen_text(screen, 1, at, columns - at, style, "%s ",
                          watch_count((double)view->ships[i], count));
        at += columns >= 90 ? 1u : 0u;
    }
}

/* The last rates, the newest at the right, each as high as a part of the highest. */
static void draw_trend(const struct watch *watch, uint32_t row, uint32_t column, uint32_t width)
{
    static const char *const wide[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {"_", "_", ".", "-", "-", "=", "=", "#"};
    const char *const *bars = screen_is_wide(watch->screen) ? wide : plain;
    uint32_t count = watch->trends < TREND_SIZE ? watch->trends : TREND_SIZE;
    double most = 0;
    count = count < width ? count : width;
    for (uint32_t i = 1; i <= count; i++)
        most = fmax(most, watch->trend[(watch->trends - i) % TREND_SIZE]);
    for (uint32_t i = 0; i < count; i++) {
        double value = watch->trend[(watch->trends - count + i) % TREND_SIZE];
        uint32_t level = most > 0 ? (uint32_t)(value / most * 7.99) : 0;
        screen_cell(watch->screen, row, column + i, STYLE_GREEN, bars[level]);
    }
}

static void draw_rates(const struct watch *watch, const struct space_view *view, uint32_t row)
{
    struct screen *screen = watch->screen;
    uint32_t columns = screen_columns(screen), at = 1;
    char rate[CLOCK_BYTES], all[CLOCK_BYTES], refused[CLOCK_BYTES], docked[CLOCK_BYTES];
    at += screen_text(screen, row, at, columns - at, STYLE_PLAIN, "%6s msgs/s ",
                      watch_count(watch->rate, rate));
    if (columns >= 76) {
        draw_trend(watch, row, at, 24);
        at += 25;
    }
    at += screen_text(screen, row, at, columns - at, STYLE_PLAIN, " %s msgs,",
                      watch_count((double)view->handled_msgs, all));
    at += screen_text(screen, row, at, columns - at,
                      view->refused_msgs > 0 ? STYLE_YELLOW : STYLE_PLAIN, " refused %s",
                      watch_count((double)view->refused_msgs, refused));
    screen_text(screen, row, at, columns - at, STYLE_PLAIN, "  dockings %s",
                watch_count((double)view->dockings, docked));
}

/* ---- Beside the map ---- */

static void draw_heading(struct screen *screen, const struct area *area, uint32_t row,
                         const char *text)
{
    const char *line = screen_is_wide(screen) ? "─" : "-";
    for (uint32_t i = 0; i < area->columns; i++)
        screen_cell(screen, row, area->column + i, STYLE_GREY, line);
    uint32_t room = area->columns > 4 ? area->columns - 4 : 0;
    uint32_t used = screen_text(screen, row, area->column + 2, room, STYLE_BOLD, " %s", text);
    screen_text(screen, row, area->column + 2 + used, 1, STYLE_BOLD, " ");
}

static void draw_station_row(const struct watch *watch, const struct space_station_view *station,
                             struct area area, uint32_t row, bool picked)
{
    struct screen *screen = watch->screen;
    char places[24];
    uint32_t name = area.columns - 16;
    enum screen_style style = station->shut        ? STYLE_RED
                              : station->queue > 0 ? STYLE_YELLOW
                                                   : STYLE_PLAIN;
    screen_text(screen, row, area.column, name, picked ? STYLE_TITLE : STYLE_PLAIN, "%s",
                station->name);
    snprintf(places, sizeof places, "%" PRIu32 "/%" PRIu32, station->berths_taken, station->berths);
    screen_text(screen, row, area.column + name, 8, STYLE_GREEN, "%7s", places);
    if (station->shut)
        screen_text(screen, row, area.column + name + 8, 8, style, "%8s", "closed");
    else
        screen_text(screen, row, area.column + name + 8, 8, style, "%8" PRIu32, station->queue);
}

/* Stations in their order; those that the picked one would leave no room for first are left out. */
static uint32_t draw_stations(const struct watch *watch, const struct space_progress *now,
                              struct area area)
{
    struct space_station_view station;
    uint32_t count = 0, rows = area.rows - 1, name = area.columns - 16;
    struct screen *screen = watch->screen;
    draw_heading(screen, &area, area.row, "stations");
    screen_text(screen, area.row, area.column + name, 16, STYLE_GREY, "%7s%9s", " berths",
                "  queue");
    while (space_station_look(now, count + 1, &station))
        count++;
    if (count > rows)
        rows--; /* for how many there are */
    uint32_t picked = watch->pick == PICK_STATION ? watch->station : 1;
    uint32_t first = picked > rows ? picked - rows + 1 : 1, row = area.row + 1;
    for (uint32_t i = first; row < area.row + 1 + rows && space_station_look(now, i, &station); i++)
        draw_station_row(watch, &station, area, row++,
                         watch->pick == PICK_STATION && i == watch->station);
    if (count > rows)
        screen_text(screen, row++, area.column, area.columns, STYLE_DIM, "%" PRIu32 " in all",
                    count);
    return row - area.row;
}

/* What there is in the sky, as far as there is room. */
static void draw_sky(const struct watch *watch, const struct space_progress *now, struct area area)
{
    static const enum screen_style levels[] = {STYLE_DIM, STYLE_BLUE, STYLE_CYAN, STYLE_MAGENTA};
    struct space_weather_view weather;
    struct space_hazard_view hazard;
    struct screen *screen = watch->screen;
    bool weathers = space_weather_look(now, 1, &weather);
    bool hazards = space_hazard_look(now, 1, &hazard);
    if (area.rows < 3 || !(weathers || hazards))
        return;
    uint32_t row = area.row + 1, end = area.row + area.rows;
    draw_heading(screen, &area, row++, "weather and hazards");
    for (uint32_t i = 1; row < end && space_weather_look(now, i, &weather); i++) {
        uint32_t used = screen_text(screen, row, area.column, area.columns, STYLE_PLAIN,
                                    "~ %s: ", weather.region);
        screen_text(screen, row++, area.column + used, area.columns - used,
                    levels[weather.severity], "%s", weather.level);
    }
    const char *sign = screen_is_wide(screen) ? "░" : "%";
    for (uint32_t i = 1; row < end && space_hazard_look(now, i, &hazard); i++)
        screen_text(screen, row++, area.column, area.columns, STYLE_DARK_RED, "%s %s, %.0f u", sign,
                    hazard.kind, hazard.radius);
}

static void draw_panel(const struct watch *watch, const struct space_progress *now,
                       struct area area)
{
    uint32_t used = draw_stations(watch, now, area);
    draw_sky(watch, now,
             (struct area){area.row + used, area.column, area.rows - used, area.columns});
}

/* ---- The picked actor ---- */

static void draw_mailbox(const struct watch *watch, const struct space_progress *now,
                         struct area area, uint32_t row)
{
    aldis_status status;
    char handled[CLOCK_BYTES];
    bool known = watch->pick == PICK_SHIP ? space_ship_status(now, watch->ship, &status)
                                          : space_station_status(now, watch->station, &status);
    if (!known)
        return;
    uint32_t used = screen_text(watch->screen, row, area.column, area.columns, STYLE_PLAIN,
                                "mailbox %" PRIu32 " of %" PRIu32 ", peak %" PRIu32 ", handled %s",
                                status.depth_msgs, status.capacity_msgs, status.peak_msgs,
                                watch_count((double)status.handled_msgs, handled));
    if (status.oldest_wait_ns > 0 || status.shed_msgs > 0)
        screen_text(watch->screen, row, area.column + used, area.columns - used, STYLE_YELLOW,
                    ", oldest waits %.1f s, shed %" PRIu64, (double)status.oldest_wait_ns * 1e-9,
                    status.shed_msgs);
}

static void draw_ship(const struct watch *watch, const struct space_progress *now, struct area area)
{
    struct screen *screen = watch->screen;
    struct space_ship_view ship;
    char text[200] = "";
    if (!space_ship_look(now, watch->ship, &ship))
        return;
    uint32_t row = area.row, left = area.column, used = 0;
    snprintf(text, sizeof text, "ship-%" PRIu32 ", %s of %s", watch->ship, ship.class, ship.fleet);
    if (area.rows > 2)
        draw_heading(screen, &area, row++, text);
    else
        used = screen_text(screen, row, left, area.columns, STYLE_BOLD, "ship-%" PRIu32 " ",
                           watch->ship);
    used += screen_text(screen, row, left + used, area.columns - used,
                        watch_state_style(ship.state), "%s", ship.state_name);
    if (ship.estimate_ns > 0)
        used += screen_text(screen, row, left + used, area.columns - used, STYLE_YELLOW,
                            ", to wait %.0f s", (double)ship.estimate_ns * 1e-9);
    screen_text(screen, row++, left + used, area.columns - used, STYLE_PLAIN,
                ", %s; at %.1f %.1f %.1f, %.2f u/s", ship.station, ship.place[0], ship.place[1],
                ship.place[2], ship.speed);
    if (row >= area.row + area.rows)
        return;
    used = screen_text(screen, row, left, area.columns, STYLE_PLAIN, "fuel %3.0f %% ",
                       100 * ship.fuel);
    if (area.columns > 60) {
        draw_gauge(screen, row, left + used, 10, ship.fuel,
                   ship.fuel < 0.3 ? STYLE_RED : STYLE_GREEN);
        used += 12;
    }
    screen_text(screen, row++, left + used, area.columns - used, STYLE_PLAIN,
                "hold %" PRIu32 " of %" PRIu32 " t  purse %.2f", ship.cargo_t, ship.hold_t,
                ship.credits);
    if (row < area.row + area.rows && space_mind_path(now, watch->ship, text, sizeof text))
        screen_text(screen, row++, left, area.columns, STYLE_PLAIN, "mind: %s", text);
    if (row < area.row + area.rows)
        draw_mailbox(watch, now, area, row);
}

static void draw_goods(const struct watch *watch, const struct space_progress *now,
                       struct area area, uint32_t row)
{
    struct space_goods_view goods;
    uint32_t used =
        screen_text(watch->screen, row, area.column, area.columns, STYLE_PLAIN, "market");
    for (uint32_t i = 1; space_goods_look(now, watch->station, i, &goods); i++) {
        used += screen_text(watch->screen, row, area.column + used, area.columns - used,
                            STYLE_PLAIN, "  %s %" PRId64 " t at ", goods.name, goods.stock_t);
        used += screen_text(watch->screen, row, area.column + used, area.columns - used,
                            STYLE_MAGENTA, "%.2f", goods.price);
    }
}

static void draw_station(const struct watch *watch, const struct space_progress *now,
                         struct area area)
{
    struct screen *screen = watch->screen;
    struct space_station_view station;
    char docked[CLOCK_BYTES];
    if (!space_station_look(now, watch->station, &station))
        return;
    uint32_t row = area.row, used = 0, end = area.row + area.rows;
    if (area.rows > 2)
        draw_heading(screen, &area, row++, station.name);
    else
        used =
            screen_text(screen, row, area.column, area.columns, STYLE_BOLD, "%s: ", station.name);
    used += screen_text(screen, row, area.column + used, area.columns - used,
                        station.shut ? STYLE_RED : STYLE_GREEN, "%s, ",
                        station.shut ? "closed" : "open");
    screen_text(screen, row++, area.column + used, area.columns - used, STYLE_PLAIN,
                "berths %" PRIu32 " of %" PRIu32 ", queue %" PRIu32 " of %" PRIu32
                ", mean wait %.1f s, dockings %s",
                station.berths_taken, station.berths, station.queue, station.queue_limit,
                station.wait_mean_s, watch_count((double)station.dockings, docked));
    if (row < end)
        screen_text(screen, row++, area.column, area.columns, STYLE_PLAIN,
                    "fuel %.0f  purse %.2f  at %.1f %.1f %.1f", station.fuel, station.credits,
                    station.place[0], station.place[1], station.place[2]);
    if (row < end)
        draw_goods(watch, now, area, row++);
    if (row < end)
        draw_mailbox(watch, now, area, row);
}

/* ---- Keys ---- */

static const char *const helps[] = {
    "p, space  pause, go on        s  a second further",
    "+ -       faster, slower      q  end the run",
    "n b       next, previous ship       digits, Enter  the ship of that number",
    "N B       next, previous station    e  the next ship in an emergency",
    "arrows    move the map        i o  zoom in, out",
    "f         follow the picked   h  the whole map",
    "v         events: all, without states and trades, of the picked",
    "?         this, or not",
};
#define HELP_ROWS ((uint32_t)(sizeof helps / sizeof helps[0]))

static void draw_help(const struct watch *watch)
{
    struct screen *screen = watch->screen;
    uint32_t width = 76, rows = screen_rows(screen), columns = screen_columns(screen);
    uint32_t top = rows > HELP_ROWS + 4 ? (rows - HELP_ROWS) / 2 : 1;
    uint32_t left = columns > width ? (columns - width) / 2 : 0;
    struct area area = {top - 1, left, HELP_ROWS + 2, columns < width ? columns : width};
    for (uint32_t i = 0; i < area.rows && area.row + i + 1 < rows; i++)
        screen_text(screen, area.row + i, left, area.columns, STYLE_PLAIN, "%*s", (int)area.columns,
                    "");
    draw_heading(screen, &area, area.row, "keys");
    for (uint32_t i = 0; i < HELP_ROWS && top + i + 1 < rows; i++)
        screen_text(screen, top + i, left + 1, area.columns - 1, STYLE_PLAIN, "%s", helps[i]);
    if (top + HELP_ROWS + 1 < rows)
        draw_heading(screen, &area, top + HELP_ROWS, "@ picked  # station  % hazard  ~ weather");
}

static void draw_keys(const struct watch *watch)
{
    struct screen *screen = watch->screen;
    uint32_t row = screen_rows(screen) - 1, columns = screen_columns(screen);
    if (watch->typed > 0)
        screen_text(screen, row, 1, columns - 1, STYLE_BOLD, "ship-%" PRIu32 "_  Enter picks it",
                    watch->typed);
    else
        screen_text(screen, row, 1, columns - 1, STYLE_GREY, "%s",
                    columns < 40 ? "q p s + - n b i o ?"
                                 : "q quit  p pause  s step  + - speed  n b ship  N B station  "
                                   "i o zoom  v events  ? all keys");
}

/* ---- All of it ---- */

/* The picked actor and the events. */
static void draw_below(struct watch *watch, const struct space_progress *now, struct area area)
{
    static const char *const filters[] = {"events", "events, without states and trades",
                                          "events of the picked"};
    char picked[64] = "";
    struct space_station_view station;
    struct area actor = area, log = area;
    if (area.rows == 0)
        return;
    if (watch->pick == PICK_SHIP)
        snprintf(picked, sizeof picked, "ship-%" PRIu32, watch->ship);
    else if (space_station_look(now, watch->station, &station))
        snprintf(picked, sizeof picked, "%s", station.name);
    actor.rows = area.rows >= 8 ? 5 : area.rows >= 5 ? 3 : 1;
    if (watch->pick == PICK_SHIP)
        draw_ship(watch, now, actor);
    else
        draw_station(watch, now, actor);
    log.row += actor.rows;
    log.rows -= actor.rows;
    if (log.rows > 1 && area.rows >= 5) {
        draw_heading(watch->screen, &log, log.row++, filters[watch->filter]);
        log.rows--;
    }
    watch_draw_events(watch, picked, log);
}

void watch_draw(struct watch *watch, const struct space_progress *now, const char *speed)
{
    struct screen *screen = watch->screen;
    struct space_view view;
    screen_begin(screen);
    if (!space_look(now, &view))
        return;
    uint32_t rows = screen_rows(screen), columns = screen_columns(screen);
    uint32_t head = rows >= 12 ? 3 : rows >= 5 ? 2 : 1, foot = rows >= 4 ? 1 : 0;
    draw_title(watch, now, &view, speed);
    if (head > 1)
        draw_states(watch, &view);
    if (head > 2)
        draw_rates(watch, &view, 2);
    uint32_t body = rows > head + foot ? rows - head - foot : 0;
    uint32_t panel = columns >= 140 ? 44 : columns >= 100 ? 36 : columns >= 76 ? 30 : 0;
    uint32_t below = body < 5 ? 0 : body < 8 ? 2 : body * 9 / 20;
    bool tall = columns >= 140;
    struct area map = {head, 0, body - below, columns - panel};
    if (panel > 0) {
        map.columns--;
        draw_panel(watch, now, (struct area){head, columns - panel, tall ? body : map.rows, panel});
    }
    watch_draw_map(watch, now, map);
    draw_below(watch, now, (struct area){head + map.rows, 0, below, tall ? map.columns : columns});
    if (foot)
        draw_keys(watch);
    if (watch->helps)
        draw_help(watch);
    screen_show(screen);
}
