// SPDX-License-Identifier: Apache-2.0
/* watch.c: see watch.h. Layer: cli. */
#include "watch.h"

#include "interrupt.h"
#include "wall.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ROWS_MAX 100u
#define COLUMNS_MAX 240u
#define EVENTS_SHOWN 6u
#define EVENT_BYTES 240u
#define DRAW_NS (ALDIS_SECOND / 10)
#define PICK_ROWS 3u

/* Simulated seconds in a second; 0: as fast as it goes. */
static const double speeds[] = {1, 10, 60, 600, 0};
#define SPEED_COUNT (sizeof speeds / sizeof speeds[0])

struct watch {
    FILE *events;
    char *text; /* what events has written */
    size_t size;
    char log[EVENTS_SHOWN][EVENT_BYTES]; /* a ring */
    uint64_t logged;
    uint32_t speed; /* of speeds */
    uint32_t pick;  /* a ship, from 1 */
    bool paused, step, ends;
    aldis_ns drawn_ns;                  /* wall */
    aldis_ns from_wall_ns, from_run_ns; /* since the speed was set */
    uint64_t handled;                   /* when it was last drawn */
    double rate;
    uint32_t rows, columns;
    char screen[ROWS_MAX][COLUMNS_MAX + 1];
};

/* ---- The terminal ---- */

static struct termios before;

/* Async-signal-safe: a second signal ends the program while the terminal is taken. */
static void give_back(void)
{
    static const char text[] = "\033[?25h\033[?1049l";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

struct watch *watch_open(void)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1 ||
        tcgetattr(STDIN_FILENO, &before) != 0) {
        free(watch);
        return NULL;
    }
    watch->events = open_memstream(&watch->text, &watch->size);
    if (!watch->events) {
        free(watch);
        return NULL;
    }
    watch->speed = 2;
    watch->pick = 1;
    interrupt_set_cleanup(give_back);
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ISIG stays: the interrupt key interrupts */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", stderr); /* the other screen, no cursor */
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
    fflush(stderr);
    give_back();
    interrupt_set_cleanup(NULL);
    fclose(watch->events);
    free(watch->text);
    free(watch);
}

static void measure(struct watch *watch)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    watch->rows = known ? size.ws_row : 24;
    watch->columns = known ? size.ws_col : 80;
    if (watch->rows > ROWS_MAX)
        watch->rows = ROWS_MAX;
    if (watch->columns > COLUMNS_MAX)
        watch->columns = COLUMNS_MAX;
}

/* ---- What happened ---- */

/* A line of JSON for people: "57.4 s  event:state actor:ship-60 from:flying to:docking". */
static void keep_event(struct watch *watch, const char *line, const char *end)
{
    char *kept = watch->log[watch->logged++ % EVENTS_SHOWN];
    const char *rest = memchr(line, ',', (size_t)(end - line));
    long long at_ns = 0;
    (void)sscanf(line, "{\"at_ns\":%lld", &at_ns);
    size_t used = (size_t)snprintf(kept, EVENT_BYTES, "%.1f s ", (double)at_ns * 1e-9);
    for (const char *from = rest ? rest : line; from < end && used + 1 < EVENT_BYTES; from++)
        if (!strchr("\"{}", *from))
            kept[used++] = *from == ',' ? ' ' : *from;
    kept[used] = '\0';
}

/* Keep the last lines that the run has written, and forget the text. */
static void take_events(struct watch *watch)
{
    if (fflush(watch->events) != 0 || watch->size == 0)
        return;
    const char *line = watch->text, *end;
    while (line < watch->text + watch->size && (end = strchr(line, '\n'))) {
        keep_event(watch, line, end);
        line = end + 1;
    }
    rewind(watch->events);
    watch->text[0] = '\0';
}

/* ---- Drawing ---- */

/* Put text on a row, from its left. */
static void put(struct watch *watch, uint32_t row, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put(struct watch *watch, uint32_t row, const char *format, ...)
{
    if (row >= watch->rows)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(watch->screen[row], sizeof watch->screen[row], format, args);
    va_end(args);
}

struct map {
    uint32_t top, rows, columns;   /* of the screen */
    double left, right, low, high; /* what is shown, u */
};

static void frame(struct map *map, const double at[3], bool first)
{
    map->left = first || at[0] < map->left ? at[0] : map->left;
    map->right = first || at[0] > map->right ? at[0] : map->right;
    map->low = first || at[1] < map->low ? at[1] : map->low;
    map->high = first || at[1] > map->high ? at[1] : map->high;
}

/* Marks outside are not shown; over an equal or a stronger mark neither. */
static void mark(struct watch *watch, const struct map *map, const double at[3], char sign)
{
    static const char order[] = " .#o@"; /* the weakest first */
    double width = map->right - map->left, height = map->high - map->low;
    double x = width > 0 ? (at[0] - map->left) / width : 0.5;
    double y = height > 0 ? (map->high - at[1]) / height : 0.5;
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1))
        return;
    uint32_t column = (uint32_t)(x * (map->columns - 1));
    uint32_t row = map->top + (uint32_t)(y * (map->rows - 1));
    char *place = &watch->screen[row][column];
    if (strchr(order, sign) > strchr(order, *place ? *place : ' '))
        *place = sign;
}

static void draw_map(struct watch *watch, const struct space_progress *now, uint32_t top,
                     uint32_t rows)
{
    struct map map = {.top = top, .rows = rows, .columns = watch->columns};
    struct space_station_view station;
    struct space_ship_view ship;
    for (uint32_t i = 0; i < rows; i++) {
        memset(watch->screen[top + i], ' ', watch->columns);
        watch->screen[top + i][watch->columns] = '\0';
    }
    for (uint32_t i = 1; space_station_look(now, i, &station); i++)
        frame(&map, station.place, i == 1);
    for (uint32_t i = 1; space_ship_look(now, i, &ship); i++)
        if (i != watch->pick)
            mark(watch, &map, ship.place, ship.state == SHIP_emergency ? 'o' : '.');
    for (uint32_t i = 1; space_station_look(now, i, &station); i++)
        mark(watch, &map, station.place, '#');
    if (space_ship_look(now, watch->pick, &ship))
        mark(watch, &map, ship.place, '@');
}

static void draw_pick(struct watch *watch, const struct space_progress *now, uint32_t row)
{
    struct space_ship_view ship;
    char path[160] = "";
    if (!space_ship_look(now, watch->pick, &ship))
        return;
    (void)space_mind_path(now, watch->pick, path, sizeof path);
    put(watch, row, "@ ship-%" PRIu32 " of %s: %s, %s; at %.1f %.1f %.1f, %.2f u/s", watch->pick,
        ship.fleet, ship.state_name, ship.station, ship.place[0], ship.place[1], ship.place[2],
        ship.speed);
    put(watch, row + 1, "  fuel %.1f %%, %.2f credits, %" PRIu32 " t; mind: %s", 100 * ship.fuel,
        ship.credits, ship.cargo_t, path);
}

/* As many as fit, in their order. */
static void draw_stations(struct watch *watch, const struct space_progress *now, uint32_t row)
{
    struct space_station_view station;
    char *line = watch->screen[row];
    size_t used = 0;
    for (uint32_t i = 1; space_station_look(now, i, &station) && used < watch->columns; i++)
        used += (size_t)snprintf(line + used, sizeof watch->screen[row] - used,
                                 "%s# %s %" PRIu32 "/%" PRIu32 " queue %" PRIu32, i > 1 ? "  " : "",
                                 station.name, station.berths_taken, station.berths, station.queue);
}

static void draw_head(struct watch *watch, const struct space_progress *now)
{
    struct space_view view;
    aldis_ns wall = wall_ns();
    if (!space_look(now, &view))
        return;
    double seconds = (double)(wall - watch->drawn_ns) * 1e-9;
    if (watch->drawn_ns > 0 && seconds > 0)
        watch->rate = (double)(view.handled_msgs - watch->handled) / seconds;
    watch->handled = view.handled_msgs;
    watch->drawn_ns = wall;
    char speed[32] = "as fast as it goes";
    if (speeds[watch->speed] > 0)
        snprintf(speed, sizeof speed, "%gx", speeds[watch->speed]);
    put(watch, 0, "time %.1f s of %.1f s  %s  %s", (double)now->now_ns * 1e-9,
        (double)now->until_ns * 1e-9, watch->paused ? "paused" : "running", speed);
    put(watch, 1,
        "idle %" PRIu64 " flying %" PRIu64 " docking %" PRIu64 " docked %" PRIu64
        " trading %" PRIu64 " emergency %" PRIu64 "  %.0f msgs/s, refused %" PRIu64,
        view.ships[SHIP_idle], view.ships[SHIP_flying], view.ships[SHIP_docking],
        view.ships[SHIP_docked], view.ships[SHIP_trading], view.ships[SHIP_emergency], watch->rate,
        view.refused_msgs);
}

static void draw(struct watch *watch, const struct space_progress *now)
{
    measure(watch);
    memset(watch->screen, 0, sizeof watch->screen);
    draw_head(watch, now);
    if (watch->rows > 2)
        draw_stations(watch, now, 2);
    uint32_t below = PICK_ROWS - 1 + EVENTS_SHOWN + 1;
    uint32_t bottom = watch->rows > 3 + below + 2 ? watch->rows - below : 3;
    if (bottom > 3)
        draw_map(watch, now, 3, bottom - 3);
    draw_pick(watch, now, bottom);
    uint64_t first = watch->logged > EVENTS_SHOWN ? watch->logged - EVENTS_SHOWN : 0;
    for (uint64_t i = first; i < watch->logged; i++)
        put(watch, bottom + 2 + (uint32_t)(i - first), "%s", watch->log[i % EVENTS_SHOWN]);
    put(watch, watch->rows - 1, "q quit  p pause  s step  + - speed  n b next, previous ship");
    fputs("\033[H", stderr);
    for (uint32_t row = 0; row < watch->rows; row++) {
        watch->screen[row][watch->columns] = '\0';
        fprintf(stderr, "%s\033[K%s", watch->screen[row], row + 1 < watch->rows ? "\r\n" : "");
    }
    fflush(stderr);
}

/* ---- Keys ---- */

static void set_speed(struct watch *watch, const struct space_progress *now, uint32_t speed)
{
    watch->speed = speed;
    watch->from_wall_ns = wall_ns();
    watch->from_run_ns = now->now_ns;
}

static void press(struct watch *watch, const struct space_progress *now, char key)
{
    struct space_ship_view ship;
    if (key == 'q') {
        watch->ends = true;
    } else if (key == 'p' || key == ' ') {
        watch->paused = !watch->paused;
        set_speed(watch, now, watch->speed);
    } else if (key == 's') {
        watch->paused = watch->step = true;
    } else if (key == '+' && watch->speed + 1 < SPEED_COUNT) {
        set_speed(watch, now, watch->speed + 1);
    } else if (key == '-' && watch->speed > 0) {
        set_speed(watch, now, watch->speed - 1);
    } else if (key == 'n' && space_ship_look(now, watch->pick + 1, &ship)) {
        watch->pick++;
    } else if (key == 'b' && watch->pick > 1) {
        watch->pick--;
    }
}

/* Wait for a key so long at most; true: there was one. Without a terminal any more it ends. */
static bool take_keys(struct watch *watch, const struct space_progress *now, int wait_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char keys[32];
    if (poll(&input, 1, wait_ms) <= 0)
        return false;
    ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
    if (count <= 0)
        watch->ends = count == 0 || errno != EINTR;
    for (ssize_t i = 0; i < count; i++)
        press(watch, now, keys[i]);
    return count > 0;
}

/* Milliseconds until this moment of the run is due; at most a tenth of a second. */
static int due_ms(const struct watch *watch, const struct space_progress *now)
{
    double factor = speeds[watch->speed];
    if (factor <= 0)
        return 0;
    double ahead_s = (double)(now->now_ns - watch->from_run_ns) * 1e-9 / factor -
                     (double)(wall_ns() - watch->from_wall_ns) * 1e-9;
    return ahead_s <= 0 ? 0 : ahead_s > 0.1 ? 100 : (int)(ahead_s * 1000) + 1;
}

bool watch_progress(struct watch *watch, const struct space_progress *now)
{
    take_events(watch);
    if (watch->from_wall_ns == 0)
        set_speed(watch, now, watch->speed);
    watch->step = false;
    if (wall_ns() - watch->drawn_ns >= DRAW_NS || watch->paused)
        draw(watch, now);
    for (;;) {
        int wait_ms = watch->paused ? 100 : due_ms(watch, now);
        if (take_keys(watch, now, wait_ms))
            draw(watch, now);
        if (watch->ends || interrupt_signal() != 0)
            return false;
        if (watch->step || (!watch->paused && due_ms(watch, now) == 0))
            return true;
    }
}
