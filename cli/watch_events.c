// SPDX-License-Identifier: Apache-2.0
/* watch_events.c: the event log of `aldis run --watch`. It reads the JSON lines that a run writes
 * (as for --events). See watch_parts.h. Layer: cli. */
#include "watch_parts.h"

#include <stdlib.h>
#include <string.h>

/* A value of a line, without its quotes; "": there is none. A key cannot stand within a text, since
 * quotes are escaped there. */
static const char *value_of(const char *line, const char *key, char *out, size_t size)
{
    char pattern[32];
    size_t used = 0;
    out[0] = '\0';
    snprintf(pattern, sizeof pattern, ",\"%s\":", key);
    const char *at = strstr(line, pattern);
    if (!at)
        return out;
    at += strlen(pattern);
    bool quoted = *at == '"';
    for (at += quoted; *at && used + 1 < size; at++) {
        if (quoted ? *at == '"' : *at == ',' || *at == '}')
            break;
        if (quoted && *at == '\\' && at[1])
            at++;
        out[used++] = *at;
    }
    out[used] = '\0';
    return out;
}

static double number_of(const char *line, const char *key)
{
    char text[32];
    return strtod(value_of(line, key, text, sizeof text), NULL);
}

static void to_words(char *text)
{
    for (; *text; text++)
        if (*text == '_')
            *text = ' ';
}

static uint32_t state_number(const char *name)
{
#define STATE_NAME(name_) #name_,
    static const char *const names[] = {SPACE_SHIP_STATES(STATE_NAME)};
#undef STATE_NAME
    uint32_t i = 0;
    while (i + 1 < SPACE_SHIP_STATE_COUNT && strcmp(names[i], name) != 0)
        i++;
    return i;
}

/* What the initiator gives is above 0, what it gets below. */
static void tell_trade(struct happening *told, const char *line)
{
    char good[64], result[48];
    double amount = number_of(line, "amount"), credits = number_of(line, "cents") / 100;
    bool fuel = strcmp(value_of(line, "good", good, sizeof good), "fuel") == 0;
    value_of(line, "result", result, sizeof result);
    value_of(line, "with", told->peer, sizeof told->peer);
    told->style = STYLE_MAGENTA;
    if (strcmp(result, "accepted") != 0)
        snprintf(told->text, sizeof told->text, "trade refused: %s", result);
    else if (fuel)
        snprintf(told->text, sizeof told->text, "%s %.3g fuel for %.2f",
                 amount > 0 ? "gives" : "takes", (amount > 0 ? amount : -amount) * 1e-9,
                 credits < 0 ? -credits : credits);
    else
        snprintf(told->text, sizeof told->text, "%s %.0f t of %.40s for %.2f",
                 amount > 0 ? "sells" : "buys", amount > 0 ? amount : -amount, good,
                 credits < 0 ? -credits : credits);
}

static void tell_state(struct happening *told, const char *line, const char *arrow)
{
    char from[24], to[24];
    value_of(line, "from", from, sizeof from);
    value_of(line, "to", to, sizeof to);
    value_of(line, "station", told->peer, sizeof told->peer);
    told->style = watch_state_style(state_number(to));
    snprintf(told->text, sizeof told->text, "%s %s %s", from, arrow, to);
}

/* The rest: what is worth a look whenever it happens. false: it is none of these. */
static bool tell_notable(struct happening *told, const char *line, const char *event)
{
    char what[64];
    told->style = STYLE_YELLOW;
    if (strcmp(event, "refused") == 0) {
        value_of(line, "station", told->peer, sizeof told->peer);
        snprintf(told->text, sizeof told->text, "refused: %s",
                 value_of(line, "reason", what, sizeof what));
    } else if (strcmp(event, "held") == 0 || strcmp(event, "let_in") == 0) {
        value_of(line, "station", told->peer, sizeof told->peer);
        if (event[0] == 'h')
            snprintf(told->text, sizeof told->text, "held back: no credit");
        else
            snprintf(told->text, sizeof told->text, "let in after %.0f s",
                     number_of(line, "waited_ns") * 1e-9);
    } else if (strcmp(event, "emergency") == 0) {
        told->style = STYLE_RED;
        (void)value_of(line, "kind", what, sizeof what);
        to_words(what);
        snprintf(told->text, sizeof told->text, "emergency: %s", what);
    } else if (strcmp(event, "near_miss") == 0) {
        value_of(line, "ship", told->actor, sizeof told->actor);
        value_of(line, "with", told->peer, sizeof told->peer);
        snprintf(told->text, sizeof told->text, "near miss, %.2f u", number_of(line, "distance"));
    } else if (strcmp(event, "hazard") == 0 || strcmp(event, "hazard_over") == 0) {
        told->style = STYLE_DARK_RED;
        (void)value_of(line, "kind", told->actor, sizeof told->actor);
        to_words(told->actor);
        if (event[6] == '\0')
            snprintf(told->text, sizeof told->text, "appears, radius %.0f u",
                     number_of(line, "radius"));
        else
            snprintf(told->text, sizeof told->text, "is over");
    } else if (strcmp(event, "weather") == 0) {
        told->style = STYLE_BLUE;
        (void)value_of(line, "region", told->actor, sizeof told->actor);
        snprintf(told->text, sizeof told->text, "weather: %s",
                 value_of(line, "level", what, sizeof what));
    } else if (strcmp(event, "limited") == 0 && strcmp(told->actor, "memory") == 0) {
        snprintf(told->text, sizeof told->text, "scarce: refused %.0f times",
                 number_of(line, "refused"));
    } else if (strcmp(event, "limited") == 0) {
        snprintf(told->text, sizeof told->text, "%.40s: dropped %.0f, rejected %.0f",
                 value_of(line, "message", what, sizeof what), number_of(line, "dropped"),
                 number_of(line, "rejected"));
    } else {
        return false;
    }
    return true;
}

static void keep(struct event_log *log, const struct happening *told)
{
    log->items[log->count++ % LOG_SIZE] = *told;
}

static void take_line(struct watch *watch, const char *line)
{
    char event[24];
    long long at_ns = 0;
    struct happening told = {.style = STYLE_PLAIN};
    if (sscanf(line, "{\"at_ns\":%lld", &at_ns) != 1)
        return;
    told.at_ns = at_ns;
    value_of(line, "event", event, sizeof event);
    value_of(line, "actor", told.actor, sizeof told.actor);
    bool notable = false;
    if (strcmp(event, "state") == 0)
        tell_state(&told, line, screen_is_wide(watch->screen) ? "→" : "->");
    else if (strcmp(event, "trade_settled") == 0)
        tell_trade(&told, line);
    else if (tell_notable(&told, line, event))
        notable = true;
    else
        return; /* the steps of a trade before it is settled */
    keep(&watch->all, &told);
    if (notable)
        keep(&watch->notable, &told);
}

void watch_take_events(struct watch *watch)
{
    if (fflush(watch->events) != 0 || watch->size == 0)
        return;
    char *line = watch->text, *end;
    while (line < watch->text + watch->size && (end = strchr(line, '\n'))) {
        *end = '\0';
        take_line(watch, line);
        line = end + 1;
    }
    rewind(watch->events);
    watch->text[0] = '\0';
}

/* ---- Drawing ---- */

static bool is_shown(const struct watch *watch, const struct happening *told, const char *picked)
{
    return watch->filter != EVENTS_OF_PICK || strcmp(told->actor, picked) == 0 ||
           strcmp(told->peer, picked) == 0;
}

static void draw_one(struct screen *screen, const struct happening *told, struct area area,
                     uint32_t row)
{
    char at[CLOCK_BYTES];
    uint32_t left = area.columns, column = area.column;
    uint32_t used =
        screen_text(screen, row, column, left, STYLE_GREY, "%s ", watch_clock(told->at_ns, at));
    used += screen_text(screen, row, column + used, left - used, STYLE_PLAIN, "%-9s ", told->actor);
    used += screen_text(screen, row, column + used, left - used, told->style, "%s", told->text);
    if (told->peer[0])
        screen_text(screen, row, column + used, left - used, STYLE_DIM, "  %s", told->peer);
}

void watch_draw_events(struct watch *watch, const char *picked, struct area area)
{
    const struct event_log *log = watch->filter == EVENTS_NOTABLE ? &watch->notable : &watch->all;
    uint64_t kept = log->count < LOG_SIZE ? log->count : LOG_SIZE;
    uint32_t found = 0;
    const struct happening *newest[LOG_SIZE];
    for (uint64_t i = 1; i <= kept && found < area.rows; i++) {
        const struct happening *told = &log->items[(log->count - i) % LOG_SIZE];
        if (is_shown(watch, told, picked))
            newest[found++] = told;
    }
    for (uint32_t i = 0; i < found; i++)
        draw_one(watch->screen, newest[found - 1 - i], area, area.row + i);
    if (found == 0 && area.rows > 0)
        screen_text(watch->screen, area.row, area.column, area.columns, STYLE_DIM, "nothing yet");
}
