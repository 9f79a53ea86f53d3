// SPDX-License-Identifier: Apache-2.0
/* screen.h: the whole terminal as a grid of cells, and its keys. Layer: cli; one thread.
 *
 *     while (screen_begin(screen)) {
 *         screen_text(screen, 0, 0, 40, STYLE_TITLE, "time %d", time);
 *         screen_show(screen);
 *         int key = screen_key(screen, 100);
 *         ...
 *     }
 *
 * Drawn on standard error, keys from standard input. Only what has changed is written. Beyond ASCII
 * and in colour only where the terminal can: it says so by LC_ALL, LC_CTYPE or LANG, and by TERM;
 * NO_COLOR (no-color.org) leaves bold, dim and reverse. */
#ifndef ALDIS_CLI_SCREEN_H
#define ALDIS_CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

enum screen_style {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_TITLE, /**< a bar */
    STYLE_ALARM, /**< a bar that is to be seen */
    STYLE_GREY,
    STYLE_CYAN,
    STYLE_YELLOW,
    STYLE_GREEN,
    STYLE_MAGENTA,
    STYLE_RED, /**< bold, too */
    STYLE_BLUE,
    STYLE_DARK_RED,
};
#define SCREEN_STYLE_COUNT 13

/** Keys that are no characters. */
enum { KEY_NONE = 0, KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_CLOSED };

struct screen;

/** Take the terminal. NULL: standard input and error are none, or there is no memory. */
struct screen *screen_open(void);

/** Give it back as it was. NULL is ignored. */
void screen_close(struct screen *screen);

/** Begin a new picture, all blank, of the terminal's size of this moment. */
void screen_begin(struct screen *screen);
uint32_t screen_rows(const struct screen *screen);
uint32_t screen_columns(const struct screen *screen);

/** Has the terminal another size than the last picture? */
bool screen_is_resized(const struct screen *screen);

/** May text be more than ASCII? */
bool screen_is_wide(const struct screen *screen);

/** Write at most `width` columns of text. What is beyond the edge is left out; what the terminal
 *  cannot show is '?'. Returns how many columns it took. */
uint32_t screen_text(struct screen *screen, uint32_t row, uint32_t column, uint32_t width,
                     enum screen_style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/** One cell. glyph: one character of one column, in UTF-8 (ASCII, unless screen_is_wide). */
void screen_cell(struct screen *screen, uint32_t row, uint32_t column, enum screen_style style,
                 const char *glyph);

/** Is nothing there? Beyond the edge there is something. */
bool screen_is_blank(const struct screen *screen, uint32_t row, uint32_t column);

/** Another style for cells that have been written. */
void screen_paint(struct screen *screen, uint32_t row, uint32_t column, uint32_t width,
                  enum screen_style style);

/** Write to the terminal what differs from the last picture. */
void screen_show(struct screen *screen);

/** The next key: a character, or one of those above; KEY_NONE: none came within wait_ms.
 *  KEY_CLOSED: the terminal has gone. The key for suspending (^Z) is seen to here. */
int screen_key(struct screen *screen, int wait_ms);

#endif
