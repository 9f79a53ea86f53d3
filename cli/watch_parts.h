// SPDX-License-Identifier: Apache-2.0
/* watch_parts.h: what the files of `aldis run --watch` share: watch.c has keys and pace,
 * watch_events.c what happened, watch_map.c the map, watch_draw.c all the rest. Layer: cli. */
#ifndef ALDIS_CLI_WATCH_PARTS_H
#define ALDIS_CLI_WATCH_PARTS_H

#include "screen.h"
#include "watch.h"

#define LOG_SIZE 512u
#define TREND_SIZE 64u
#define CLOCK_BYTES 24

/** One line of the event log. */
struct happening {
    aldis_ns at_ns;
    enum screen_style style;
    char actor[64], peer[64]; /* who, and with whom or where; "": nobody */
    char text[96];
};

/** The last ones, a ring. */
struct event_log {
    struct happening items[LOG_SIZE];
    uint64_t count; /* ever */
};

/* Which of them are shown. */
enum event_filter { EVENTS_ALL, EVENTS_NOTABLE, EVENTS_OF_PICK, EVENT_FILTERS };

enum pick_kind { PICK_SHIP, PICK_STATION };

struct map_view {
    bool moved;       /* not the whole any more */
    bool follows;     /* the picked one stays in the middle */
    double centre[2]; /* u */
    double zoom;      /* 1: the whole */
    double step;      /* u: an eighth of the map's width, for the keys that move it */
};

struct watch {
    struct screen *screen;
    FILE *events;
    char *text; /* what events has written */
    size_t size;
    struct event_log all, notable; /* notable: all but states and trades */
    enum event_filter filter;
    uint32_t speed; /* of the speeds that there are */
    enum pick_kind pick;
    uint32_t ship, station; /* from 1 */
    uint32_t typed;         /* a ship's number, so far; 0: none */
    bool paused, step, ends, helps;
    struct map_view map;
    aldis_ns from_wall_ns, from_run_ns; /* since the speed was set */
    aldis_ns drawn_ns, draw_cost_ns;    /* wall */
    double behind_s;
    uint64_t handled; /* when the rate was last taken */
    aldis_ns rated_ns;
    double rate;
    double trend[TREND_SIZE]; /* of the rate, a ring */
    uint32_t trends;          /* ever */
};

/** A part of the screen. */
struct area {
    uint32_t row, column, rows, columns;
};

/** "0:12:34", or "3 d 0:12:34". */
const char *watch_clock(aldis_ns ns, char text[CLOCK_BYTES]);

/** "950", "12.3k", "4.6M". */
const char *watch_count(double count, char text[CLOCK_BYTES]);

/** The colour of a state of a ship. */
enum screen_style watch_state_style(uint32_t state);

/** Keep what the run has written, and forget its text. */
void watch_take_events(struct watch *watch);

/** Draw the newest that fit, the last one below. */
void watch_draw_events(struct watch *watch, const char *picked, struct area area);

void watch_draw_map(struct watch *watch, const struct space_progress *now, struct area area);

/** Draw everything. */
void watch_draw(struct watch *watch, const struct space_progress *now, const char *speed);

#endif
