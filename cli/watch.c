// SPDX-License-Identifier: Apache-2.0
/* watch.c: keys and pace of `aldis run --watch`. See watch.h and watch_parts.h. Layer: cli. */
#include "watch.h"

#include "interrupt.h"
#include "wall.h"
#include "watch_parts.h"

#include <stdlib.h>

#define DRAW_NS (ALDIS_SECOND / 10)
#define DRAW_SHARE 5 /* drawing takes a fifth of the time at most */
#define TYPED_MAX 100000000u
#define ZOOM_MAX 4096.0

/* Simulated seconds in a second; 0: as fast as it goes. */
static const struct {
    double factor;
    const char *name;
} speeds[] = {{1, "1x"}, {10, "10x"}, {60, "60x"}, {600, "600x"}, {0, "full speed"}};
#define SPEED_COUNT (sizeof speeds / sizeof speeds[0])

struct watch *watch_open(void)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->events = open_memstream(&watch->text, &watch->size);
    watch->screen = watch->events ? screen_open() : NULL;
    watch->speed = 2;
    watch->ship = watch->station = 1;
    if (!watch->screen) {
        watch_close(watch);
        return NULL;
    }
    return watch;
}

FILE *watch_events(struct watch *watch)
{
    return watch->events;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    screen_close(watch->screen);
    if (watch->events)
        fclose(watch->events);
    free(watch->text);
    free(watch);
}

/* ---- Drawing ---- */

static void take_rate(struct watch *watch, const struct space_progress *now, aldis_ns wall)
{
    struct space_view view;
    double seconds = (double)(wall - watch->rated_ns) * 1e-9;
    if (watch->paused || (watch->rated_ns > 0 && seconds < 0.25) || !space_look(now, &view))
        return;
    if (watch->rated_ns > 0) {
        watch->rate = (double)(view.handled_msgs - watch->handled) / seconds;
        watch->trend[watch->trends++ % TREND_SIZE] = watch->rate;
    }
    watch->handled = view.handled_msgs;
    watch->rated_ns = wall;
}

static void draw(struct watch *watch, const struct space_progress *now)
{
    aldis_ns start_ns = wall_ns();
    take_rate(watch, now, start_ns);
    watch_draw(watch, now, speeds[watch->speed].name);
    watch->drawn_ns = wall_ns();
    watch->draw_cost_ns = watch->drawn_ns - start_ns;
}

static bool is_due(const struct watch *watch)
{
    aldis_ns pause_ns = watch->draw_cost_ns * (DRAW_SHARE - 1);
    return wall_ns() - watch->drawn_ns >= (pause_ns > DRAW_NS ? pause_ns : DRAW_NS);
}

/* ---- Keys ---- */

static void set_speed(struct watch *watch, const struct space_progress *now, uint32_t speed)
{
    watch->speed = speed;
    watch->behind_s = 0;
    watch->from_wall_ns = wall_ns();
    watch->from_run_ns = now->now_ns;
}

static void pick_ship(struct watch *watch, const struct space_progress *now, uint32_t number)
{
    struct space_ship_view ship;
    if (!space_ship_look(now, number, &ship))
        return;
    watch->ship = number;
    watch->pick = PICK_SHIP;
}

static void pick_station(struct watch *watch, const struct space_progress *now, uint32_t number)
{
    struct space_station_view station;
    if (!space_station_look(now, number, &station))
        return;
    watch->station = number;
    watch->pick = PICK_STATION;
}

/* The next one after the picked ship, going round. */
static void pick_emergency(struct watch *watch, const struct space_progress *now)
{
    struct space_ship_view ship;
    uint32_t found = 0;
    for (uint32_t i = 1; space_ship_look(now, i, &ship); i++)
        if (ship.state == SHIP_emergency &&
            (found == 0 || (found <= watch->ship && i > watch->ship)))
            found = i;
    if (found > 0)
        pick_ship(watch, now, found);
}

/* false: the key is not for the map. */
static bool press_map(struct map_view *map, int key)
{
    double right = (key == KEY_RIGHT) - (key == KEY_LEFT), up = (key == KEY_UP) - (key == KEY_DOWN);
    if (right != 0 || up != 0) {
        map->centre[0] += right * map->step;
        map->centre[1] += up * map->step;
        map->follows = false;
    } else if (key == 'i' || key == 'o') {
        map->zoom *= key == 'i' ? 2 : 0.5;
        map->zoom = map->zoom > ZOOM_MAX ? ZOOM_MAX : map->zoom < 0.25 ? 0.25 : map->zoom;
    } else if (key == 'f') {
        map->follows = !map->follows;
    } else if (key == 'h') {
        map->follows = map->moved = false;
        return true;
    } else {
        return false;
    }
    map->moved = true;
    return true;
}

static void press_pick(struct watch *watch, const struct space_progress *now, int key)
{
    uint32_t typed = watch->typed;
    watch->typed = 0;
    if (key >= '0' && key <= '9' && typed < TYPED_MAX)
        watch->typed = typed * 10 + (uint32_t)(key - '0');
    else if ((key == '\n' || key == '\r') && typed > 0)
        pick_ship(watch, now, typed);
    else if (key == 0x7f || key == '\b')
        watch->typed = typed / 10;
    else if (key == 'n' || key == 'b')
        pick_ship(watch, now, key == 'n' ? watch->ship + 1 : watch->ship - 1);
    else if (key == 'N' || key == 'B')
        pick_station(watch, now,
                     watch->pick == PICK_SHIP ? watch->station
                     : key == 'N'             ? watch->station + 1
                                              : watch->station - 1);
    else if (key == 'e')
        pick_emergency(watch, now);
}

static void press(struct watch *watch, const struct space_progress *now, int key)
{
    if (key == 'q' || key == KEY_CLOSED) {
        watch->ends = true;
    } else if (key == 'p' || key == ' ') {
        watch->paused = !watch->paused;
        set_speed(watch, now, watch->speed);
    } else if (key == 's') {
        watch->paused = watch->step = true;
    } else if ((key == '+' || key == '=') && watch->speed + 1 < SPEED_COUNT) {
        set_speed(watch, now, watch->speed + 1);
    } else if (key == '-' && watch->speed > 0) {
        set_speed(watch, now, watch->speed - 1);
    } else if (key == 'v') {
        watch->filter = (watch->filter + 1) % EVENT_FILTERS;
    } else if (key == '?') {
        watch->helps = !watch->helps;
    } else if (!press_map(&watch->map, key)) {
        press_pick(watch, now, key);
    }
}

/* ---- Pace ---- */

/* Wall seconds until this moment of the run is due; below 0: it is late. */
static double ahead_s(const struct watch *watch, const struct space_progress *now)
{
    double factor = speeds[watch->speed].factor;
    if (factor <= 0)
        return 0;
    return (double)(now->now_ns - watch->from_run_ns) * 1e-9 / factor -
           (double)(wall_ns() - watch->from_wall_ns) * 1e-9;
}

/* A tenth of a second at most: the terminal may change its size meanwhile. */
static int due_ms(const struct watch *watch, const struct space_progress *now)
{
    double ahead = ahead_s(watch, now);
    return ahead <= 0 ? 0 : ahead > 0.1 ? 100 : (int)(ahead * 1000) + 1;
}

bool watch_progress(struct watch *watch, const struct space_progress *now)
{
    watch_take_events(watch);
    if (watch->from_wall_ns == 0)
        set_speed(watch, now, watch->speed);
    watch->step = false;
    double ahead = ahead_s(watch, now);
    watch->behind_s = ahead < 0 && !watch->paused ? -ahead : 0;
    if (watch->paused || is_due(watch))
        draw(watch, now);
    for (;;) {
        int key = screen_key(watch->screen, watch->paused ? 100 : due_ms(watch, now));
        if (key != KEY_NONE)
            press(watch, now, key);
        if (key != KEY_NONE || screen_is_resized(watch->screen))
            draw(watch, now);
        if (watch->ends || interrupt_signal() != 0)
            return false;
        if (watch->step || (!watch->paused && due_ms(watch, now) == 0))
            return true;
    }
}
