// SPDX-License-Identifier: Apache-2.0
/* watch_map.c: the map of `aldis run --watch`, seen from the north. Where the terminal can, a cell
 * has two by four dots (Braille), which are about as high as wide. See watch_parts.h.
 * Layer: cli. */
#include "watch_parts.h"

#include <math.h>
#include <string.h>

#define ROWS_MAX 128u
#define COLUMNS_MAX 400u

/* What lies in a cell. */
struct spot {
    uint8_t dots;  /* of Braille */
    uint8_t state; /* of the ship that is most to be looked at, + 1; 0: no ship */
    uint16_t ships;
};

struct map {
    struct screen *screen;
    struct area area;
    double left, top; /* u: the upper left corner */
    double dot;       /* u */
    struct spot spots[ROWS_MAX][COLUMNS_MAX];
};

/* ---- Where things are ---- */

static void frame_all(const struct space_progress *now, double low[2], double high[2])
{
    struct space_station_view station;
    for (uint32_t i = 1; space_station_look(now, i, &station); i++) {
        for (uint32_t k = 0; k < 2; k++) {
            low[k] = i == 1 || station.place[k] < low[k] ? station.place[k] : low[k];
            high[k] = i == 1 || station.place[k] > high[k] ? station.place[k] : high[k];
        }
    }
}

static bool place_of_pick(const struct watch *watch, const struct space_progress *now,
                          double out[3])
{
    struct space_station_view station;
    struct space_ship_view ship;
    bool found = watch->pick == PICK_SHIP ? space_ship_look(now, watch->ship, &ship)
                                          : space_station_look(now, watch->station, &station);
    if (found)
        memcpy(out, watch->pick == PICK_SHIP ? ship.place : station.place, 3 * sizeof *out);
    return found;
}

/* All stations, with a little room about them; or what the keys have chosen. */
static void set_scale(struct watch *watch, const struct space_progress *now, struct map *map)
{
    double low[2] = {0, 0}, high[2] = {0, 0}, pick[3];
    struct map_view *view = &watch->map;
    frame_all(now, low, high);
    double width = map->area.columns * 2.0, height = map->area.rows * 4.0;
    double across = (high[0] - low[0]) / width, down = (high[1] - low[1]) / height;
    double whole = 1.15 * (across > down ? across : down);
    if (!view->moved) {
        view->zoom = 1;
        for (uint32_t k = 0; k < 2; k++)
            view->centre[k] = (low[k] + high[k]) / 2;
    }
    if (view->follows && place_of_pick(watch, now, pick))
        memcpy(view->centre, pick, sizeof view->centre);
    map->dot = (whole > 0 ? whole : 1) / view->zoom;
    view->step = map->dot * width / 8;
    map->left = view->centre[0] - map->dot * width / 2;
    map->top = view->centre[1] + map->dot * height / 2;
}

/* The dot of a place; false: it is not on the map. */
static bool find_dot(const struct map *map, const double place[3], uint32_t *x, uint32_t *y)
{
    double right = (place[0] - map->left) / map->dot, down = (map->top - place[1]) / map->dot;
    if (!(right >= 0 && right < map->area.columns * 2.0 && down >= 0 &&
          down < map->area.rows * 4.0))
        return false;
    *x = (uint32_t)right;
    *y = (uint32_t)down;
    return true;
}

/* ---- Hazards and weather: discs ---- */

static void draw_disc(const struct map *map, const double place[3], double radius,
                      enum screen_style style, const char *glyph)
{
    uint32_t x, y;
    double cell_x = 2 * map->dot, cell_y = 4 * map->dot;
    for (uint32_t row = 0; row < map->area.rows; row++) {
        double dy = map->top - (row + 0.5) * cell_y - place[1];
        for (uint32_t column = 0; fabs(dy) < radius && column < map->area.columns; column++) {
            double dx = map->left + (column + 0.5) * cell_x - place[0];
            if (dx * dx + dy * dy < radius * radius)
                screen_cell(map->screen, map->area.row + row, map->area.column + column, style,
                            glyph);
        }
    }
    if (find_dot(map, place, &x, &y)) /* however small it is */
        screen_cell(map->screen, map->area.row + y / 4, map->area.column + x / 2, style, glyph);
}

static void draw_discs(const struct map *map, const struct space_progress *now)
{
    static const enum screen_style levels[] = {STYLE_DIM, STYLE_BLUE, STYLE_CYAN, STYLE_MAGENTA};
    bool wide = screen_is_wide(map->screen);
    struct space_weather_view weather;
    struct space_hazard_view hazard;
    for (uint32_t i = 1; space_weather_look(now, i, &weather); i++)
        if (weather.severity > 0)
            draw_disc(map, weather.place, weather.radius, levels[weather.severity], "~");
    for (uint32_t i = 1; space_hazard_look(now, i, &hazard); i++)
        draw_disc(map, hazard.place, hazard.radius, STYLE_DARK_RED, wide ? "░" : "%");
}

/* ---- Ships ---- */

/* Whoever is in trouble first, then who is doing something. */
static uint32_t rank_of(uint32_t state)
{
    static const uint8_t ranks[SPACE_SHIP_STATE_COUNT] = {
        [SHIP_idle] = 0,    [SHIP_docked] = 1,  [SHIP_flying] = 2,
        [SHIP_docking] = 3, [SHIP_trading] = 4, [SHIP_emergency] = 5};
    return ranks[state];
}

static void count_ships(struct map *map, const struct space_progress *now)
{
    static const uint8_t dots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    struct space_ship_view ship;
    uint32_t x, y;
    for (uint32_t i = 1; space_ship_look(now, i, &ship); i++) {
        if (!find_dot(map, ship.place, &x, &y))
            continue;
        struct spot *spot = &map->spots[y / 4][x / 2];
        spot->dots |= dots[y % 4][x % 2];
        if (spot->ships < UINT16_MAX)
            spot->ships++;
        if (spot->state == 0 || rank_of(ship.state) > rank_of(spot->state - 1u))
            spot->state = (uint8_t)(ship.state + 1);
    }
}

static void draw_ships(const struct map *map)
{
    bool wide = screen_is_wide(map->screen);
    for (uint32_t row = 0; row < map->area.rows; row++) {
        for (uint32_t column = 0; column < map->area.columns; column++) {
            const struct spot *spot = &map->spots[row][column];
            if (spot->state == 0)
                continue;
            char glyph[5] = {spot->state - 1 == SHIP_emergency ? '!'
                             : spot->ships == 1                ? '.'
                             : spot->ships < 10                ? ':'
                                                               : '*'};
            if (wide && glyph[0] != '!') { /* U+2800 and the dots */
                glyph[0] = (char)0xe2;
                glyph[1] = (char)(0xa0 | spot->dots >> 6);
                glyph[2] = (char)(0x80 | (spot->dots & 0x3f));
            }
            screen_cell(map->screen, map->area.row + row, map->area.column + column,
                        watch_state_style(spot->state - 1u), glyph);
        }
    }
}

/* ---- Stations, and what is written on the map ---- */

/* Is nothing but hazards and weather there? */
static bool is_free(const struct map *map, uint32_t row, uint32_t column, uint32_t length)
{
    const struct area *area = &map->area;
    uint32_t left = column - area->column; /* wraps round left of it */
    if (row < area->row || row - area->row >= area->rows || left >= area->columns ||
        length > area->columns - left)
        return false;
    for (uint32_t i = left; i < left + length; i++)
        if (map->spots[row - area->row][i].state > 0)
            return false;
    return true;
}

/* A name is written beside, above or below its station, where no ship is in its way. */
static void draw_label(struct map *map, const char *name, uint32_t row, uint32_t column,
                       enum screen_style style)
{
    uint32_t length = (uint32_t)strlen(name) + 2; /* more than its columns, if anything */
    const uint32_t places[][2] = {{row, column + 1},          {row, column - length},
                                  {row - 1, column + 1},      {row + 1, column + 1},
                                  {row - 1, column - length}, {row + 1, column - length}};
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint32_t at = places[i][1];
        if (!is_free(map, places[i][0], at, length))
            continue;
        screen_text(map->screen, places[i][0], at, length, style, " %s ", name);
        for (uint32_t k = 0; k < length; k++) /* taken now */
            map->spots[places[i][0] - map->area.row][at - map->area.column + k].state = 1;
        return;
    }
}

/* So many that they would hide everything else? */
static bool is_crowded(const struct map *map, const struct space_progress *now)
{
    struct space_station_view station;
    uint32_t x, y, count = 0;
    for (uint32_t i = 1; space_station_look(now, i, &station); i++)
        count += find_dot(map, station.place, &x, &y);
    return count * 16 > map->area.rows * map->area.columns;
}

static void draw_station(struct map *map, const struct space_station_view *station, uint32_t row,
                         uint32_t column, bool picked)
{
    enum screen_style style = picked               ? STYLE_TITLE
                              : station->shut      ? STYLE_RED
                              : station->queue > 0 ? STYLE_YELLOW
                                                   : STYLE_BOLD;
    draw_label(map, station->name, row, column, picked ? STYLE_BOLD : STYLE_DIM);
    screen_cell(map->screen, row, column, style, screen_is_wide(map->screen) ? "◆" : "#");
}

static void draw_stations(struct map *map, const struct space_progress *now,
                          const struct watch *watch)
{
    bool crowded = is_crowded(map, now);
    struct space_station_view station;
    uint32_t x, y;
    for (uint32_t i = 1; space_station_look(now, i, &station); i++) {
        if (!find_dot(map, station.place, &x, &y))
            continue;
        uint32_t row = map->area.row + y / 4, column = map->area.column + x / 2;
        bool picked = watch->pick == PICK_STATION && watch->station == i;
        if (picked || !crowded)
            draw_station(map, &station, row, column, picked);
        else if (map->spots[y / 4][x / 2].state == 0)
            screen_cell(map->screen, row, column, STYLE_DIM,
                        screen_is_wide(map->screen) ? "◇" : "#");
    }
}

/* A length of 1, 2 or 5 times a power of ten, a dozen cells at most. */
static void draw_scale(const struct map *map, const struct map_view *view, uint32_t row)
{
    double most = 12 * 2 * map->dot, length = pow(10, floor(log10(most)));
    if (length * 5 <= most)
        length *= 5;
    else if (length * 2 <= most)
        length *= 2;
    bool wide = screen_is_wide(map->screen);
    uint32_t cells = (uint32_t)(length / (2 * map->dot) + 0.5);
    uint32_t column = map->area.column;
    screen_cell(map->screen, row, column, STYLE_GREY, wide ? "├" : "|");
    for (uint32_t i = 1; i + 1 < cells; i++)
        screen_cell(map->screen, row, column + i, STYLE_GREY, wide ? "─" : "-");
    if (cells > 1)
        screen_cell(map->screen, row, column + cells - 1, STYLE_GREY, wide ? "┤" : "|");
    uint32_t used = screen_text(map->screen, row, column + cells, 20, STYLE_GREY, " %g u", length);
    if (view->zoom != 1)
        screen_text(map->screen, row, column + cells + used, 24, STYLE_GREY, "  zoom %g%s",
                    view->zoom, view->follows ? ", follows" : "");
}

void watch_draw_map(struct watch *watch, const struct space_progress *now, struct area area)
{
    static struct map map; /* too large for a stack; one thread */
    double place[3];
    uint32_t x, y;
    if (area.rows == 0 || area.columns == 0 || area.rows > ROWS_MAX || area.columns > COLUMNS_MAX)
        return;
    map.screen = watch->screen;
    map.area = area;
    if (area.rows >= 6 && area.columns >= 30)
        map.area.rows--; /* for the scale */
    for (uint32_t row = 0; row < area.rows; row++)
        memset(map.spots[row], 0, area.columns * sizeof map.spots[row][0]);
    set_scale(watch, now, &map);
    if (map.area.rows < area.rows)
        draw_scale(&map, &watch->map, area.row + area.rows - 1);
    draw_discs(&map, now);
    count_ships(&map, now);
    draw_ships(&map);
    draw_stations(&map, now, watch);
    if (watch->pick == PICK_SHIP && place_of_pick(watch, now, place) &&
        find_dot(&map, place, &x, &y))
        screen_cell(watch->screen, area.row + y / 4, area.column + x / 2, STYLE_TITLE, "@");
}
