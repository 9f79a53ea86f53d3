// SPDX-License-Identifier: Apache-2.0
/* screen.c: see screen.h. Layer: cli. */
#include "screen.h"

#include "interrupt.h"

#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

/* A larger terminal is used up to here. */
#define ROWS_MAX 128u
#define COLUMNS_MAX 400u

#define KEY_SUSPEND 0x1a
#define KEY_ESCAPE 0x1b

/* glyph: UTF-8, or "" for the right half of a wide character. */
struct cell {
    char glyph[5];
    uint8_t style;
};

struct picture {
    uint32_t rows, columns;
    struct cell cells[ROWS_MAX][COLUMNS_MAX];
};

/* Of the process, so that a signal's handler finds it. */
static struct termios before;

struct screen {
    locale_t utf8;         /* 0: ASCII only */
    bool coloured, broken; /* broken: all is to be written anew */
    char keys[64];         /* read and not yet taken */
    size_t key_at, key_count;
    FILE *out; /* what is to be written, so that a picture comes in one piece */
    char *text;
    size_t size;
    struct picture now, shown;
};

/* ---- The terminal ---- */

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static bool is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *value = NULL, *terminal = setting("TERM");
    for (size_t i = 0; i < 3 && !value; i++)
        value = setting(names[i]);
    /* The text console of Linux has few glyphs whatever its character set. */
    if (!value || !terminal || strcmp(terminal, "linux") == 0 || strcmp(terminal, "dumb") == 0)
        return false;
    return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8") ||
           strstr(value, "utf-8");
}

/* Nothing of it depends on how standard error is buffered. */
static void write_out(struct screen *screen)
{
    if (fflush(screen->out) == 0)
        (void)fwrite(screen->text, 1, screen->size, stderr);
    fflush(stderr);
    rewind(screen->out);
}

static void take_terminal(struct screen *screen)
{
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* ISIG stays: the interrupt key interrupts */
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] = _POSIX_VDISABLE; /* comes as a key, so that the screen is given back first */
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?1049h\033[?25l", screen->out); /* the other screen, no cursor */
    write_out(screen);
    screen->broken = true;
}

/* Async-signal-safe: a second signal ends the program while the terminal is taken. */
static void give_terminal(void)
{
    static const char text[] = "\033[0m\033[?25h\033[?1049l";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

struct screen *screen_open(void)
{
    const char *terminal = setting("TERM");
    struct screen *screen = calloc(1, sizeof *screen);
    if (!screen)
        return NULL;
    bool has_terminal = isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 &&
                        tcgetattr(STDIN_FILENO, &before) == 0;
    screen->out = has_terminal ? open_memstream(&screen->text, &screen->size) : NULL;
    if (!screen->out) {
        free(screen);
        return NULL;
    }
    if (is_utf8())
        screen->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    screen->coloured = !setting("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
    interrupt_set_cleanup(give_terminal);
    take_terminal(screen);
    return screen;
}

void screen_close(struct screen *screen)
{
    if (!screen)
        return;
    give_terminal();
    interrupt_set_cleanup(NULL);
    if (screen->utf8)
        freelocale(screen->utf8);
    fclose(screen->out);
    free(screen->text);
    free(screen);
}

static void measure(uint32_t *rows, uint32_t *columns)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    *rows = known ? size.ws_row : 24;
    *columns = known ? size.ws_col : 80;
    if (*rows > ROWS_MAX)
        *rows = ROWS_MAX;
    if (*columns > COLUMNS_MAX)
        *columns = COLUMNS_MAX;
}

bool screen_is_resized(const struct screen *screen)
{
    uint32_t rows, columns;
    measure(&rows, &columns);
    return rows != screen->now.rows || columns != screen->now.columns;
}

/* ---- A picture ---- */

void screen_begin(struct screen *screen)
{
    struct picture *now = &screen->now;
    measure(&now->rows, &now->columns);
    if (now->rows != screen->shown.rows || now->columns != screen->shown.columns)
        screen->broken = true;
    for (uint32_t row = 0; row < now->rows; row++)
        for (uint32_t column = 0; column < now->columns; column++)
            now->cells[row][column] = (struct cell){.glyph = " "};
}

uint32_t screen_rows(const struct screen *screen)
{
    return screen->now.rows;
}

uint32_t screen_columns(const struct screen *screen)
{
    return screen->now.columns;
}

bool screen_is_wide(const struct screen *screen)
{
    return screen->utf8 != (locale_t)0;
}

void screen_cell(struct screen *screen, uint32_t row, uint32_t column, enum screen_style style,
                 const char *glyph)
{
    if (row >= screen->now.rows || column >= screen->now.columns)
        return;
    struct cell *cell = &screen->now.cells[row][column];
    snprintf(cell->glyph, sizeof cell->glyph, "%s", glyph);
    cell->style = (uint8_t)style;
}

bool screen_is_blank(const struct screen *screen, uint32_t row, uint32_t column)
{
    return row < screen->now.rows && column < screen->now.columns &&
           strcmp(screen->now.cells[row][column].glyph, " ") == 0;
}

void screen_paint(struct screen *screen, uint32_t row, uint32_t column, uint32_t width,
                  enum screen_style style)
{
    for (uint32_t i = column; row < screen->now.rows && i < screen->now.columns; i++)
        if (i - column < width)
            screen->now.cells[row][i].style = (uint8_t)style;
}

/* The bytes of the character at text, and its columns; *glyph is what is shown of it. */
static size_t next_glyph(const struct screen *screen, const char *text, char glyph[5], int *columns)
{
    mbstate_t state = {0};
    wchar_t wide = 0;
    locale_t outer = screen->utf8 ? uselocale(screen->utf8) : (locale_t)0;
    size_t length = screen->utf8 ? mbrtowc(&wide, text, strlen(text), &state) : 1;
    *columns = screen->utf8 && length <= 4 ? wcwidth(wide) : 1;
    if (outer)
        (void)uselocale(outer);
    bool plain = (unsigned char)text[0] < 0x80 && text[0] >= ' ' && text[0] != 0x7f;
    if (plain) {
        length = 1;
        *columns = 1;
    } else if (!screen->utf8 || length > 4 || *columns < 0) {
        length = 1;
        while (((unsigned char)text[length] & 0xc0) == 0x80) /* the rest of the character */
            length++;
        *columns = 1;
        memcpy(glyph, "?", 2);
        return length;
    }
    memcpy(glyph, text, length);
    glyph[length] = '\0';
    return length;
}

uint32_t screen_text(struct screen *screen, uint32_t row, uint32_t column, uint32_t width,
                     enum screen_style style, const char *format, ...)
{
    char text[4 * COLUMNS_MAX], glyph[5];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint32_t used = 0;
    for (const char *at = text; *at;) {
        int columns;
        at += next_glyph(screen, at, glyph, &columns);
        if (columns == 0)
            continue; /* what combines with a character before it: left out */
        if (used + (uint32_t)columns > width ||
            column + used + (uint32_t)columns > screen->now.columns)
            break;
        screen_cell(screen, row, column + used, style, glyph);
        if (columns == 2)
            screen_cell(screen, row, column + used + 1, style, "");
        used += (uint32_t)columns;
    }
    return used;
}

/* ---- Showing ---- */

static const char *style_codes(const struct screen *screen, uint32_t style)
{
    static const char *const coloured[SCREEN_STYLE_COUNT] = {
        [STYLE_PLAIN] = "0",      [STYLE_DIM] = "0;2",         [STYLE_BOLD] = "0;1",
        [STYLE_TITLE] = "0;1;7",  [STYLE_ALARM] = "0;1;30;43", [STYLE_GREY] = "0;90",
        [STYLE_CYAN] = "0;36",    [STYLE_YELLOW] = "0;33",     [STYLE_GREEN] = "0;32",
        [STYLE_MAGENTA] = "0;35", [STYLE_RED] = "0;1;31",      [STYLE_BLUE] = "0;34",
        [STYLE_DARK_RED] = "0;31"};
    static const char *const plain[SCREEN_STYLE_COUNT] = {
        [STYLE_PLAIN] = "0",     [STYLE_DIM] = "0;2",   [STYLE_BOLD] = "0;1", [STYLE_TITLE] = "0;7",
        [STYLE_ALARM] = "0;1;7", [STYLE_GREY] = "0;2",  [STYLE_CYAN] = "0",   [STYLE_YELLOW] = "0",
        [STYLE_GREEN] = "0",     [STYLE_MAGENTA] = "0", [STYLE_RED] = "0;1",  [STYLE_BLUE] = "0;2",
        [STYLE_DARK_RED] = "0"};
    return screen->coloured ? coloured[style] : plain[style];
}

static bool differs(const struct cell *a, const struct cell *b)
{
    return a->style != b->style || strcmp(a->glyph, b->glyph) != 0;
}

void screen_show(struct screen *screen)
{
    const struct picture *now = &screen->now;
    if (screen->broken)
        fputs("\033[0m\033[2J", screen->out);
    uint32_t style = SCREEN_STYLE_COUNT;
    for (uint32_t row = 0; row < now->rows; row++) {
        uint32_t at = COLUMNS_MAX; /* where the cursor is in this row */
        for (uint32_t column = 0; column < now->columns; column++) {
            const struct cell *cell = &now->cells[row][column];
            if (cell->glyph[0] == '\0' ||
                (!screen->broken && !differs(cell, &screen->shown.cells[row][column])))
                continue;
            if (at != column)
                fprintf(screen->out, "\033[%u;%uH", row + 1, column + 1);
            if (style != cell->style)
                fprintf(screen->out, "\033[%sm", style_codes(screen, cell->style));
            style = cell->style;
            fputs(cell->glyph, screen->out);
            bool wide = column + 1 < now->columns && now->cells[row][column + 1].glyph[0] == '\0';
            at = column + (wide ? 2 : 1);
        }
    }
    fputs("\033[0m", screen->out);
    write_out(screen);
    screen->shown.rows = now->rows;
    screen->shown.columns = now->columns;
    for (uint32_t row = 0; row < now->rows; row++)
        memcpy(screen->shown.cells[row], now->cells[row], now->columns * sizeof(struct cell));
    screen->broken = false;
}

/* ---- Keys ---- */

static void suspend(struct screen *screen)
{
    give_terminal();
    (void)raise(SIGTSTP); /* goes on here when the shell says so */
    take_terminal(screen);
}

/* false: none came. *closed: and none will come. */
static bool fill(struct screen *screen, int wait_ms, bool *closed)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&input, 1, wait_ms) <= 0)
        return false;
    ssize_t count = read(STDIN_FILENO, screen->keys, sizeof screen->keys);
    *closed = count == 0 || (count < 0 && errno != EINTR);
    screen->key_at = 0;
    screen->key_count = count > 0 ? (size_t)count : 0;
    return count > 0;
}

static int next_byte(struct screen *screen, int wait_ms, bool *closed)
{
    if (screen->key_at == screen->key_count && !fill(screen, wait_ms, closed))
        return -1;
    return (unsigned char)screen->keys[screen->key_at++];
}

/* Behind an escape: [A or OA is an arrow, other sequences end with a letter or '~'. */
static int read_escape(struct screen *screen, bool *closed)
{
    enum { SOON_MS = 20 }; /* what the terminal sends for one key comes in one piece */
    int byte = next_byte(screen, SOON_MS, closed);
    if (byte != '[' && byte != 'O')
        return KEY_NONE;
    do {
        byte = next_byte(screen, SOON_MS, closed);
    } while ((byte >= '0' && byte <= '9') || byte == ';');
    switch (byte) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    default:
        return KEY_NONE;
    }
}

int screen_key(struct screen *screen, int wait_ms)
{
    bool closed = false;
    int byte = next_byte(screen, wait_ms, &closed);
    if (byte == KEY_ESCAPE)
        byte = read_escape(screen, &closed);
    if (byte == KEY_SUSPEND) {
        suspend(screen);
        byte = KEY_NONE;
    }
    if (closed)
        return KEY_CLOSED;
    return byte < 0 ? KEY_NONE : byte;
}
