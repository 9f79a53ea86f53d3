// SPDX-License-Identifier: Apache-2.0
/* 09_orders.c: three orders in which messages may be handled: first in first out, by priority, and
 * never before the cause. Chapter 9 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <stdbool.h>
#include <stdio.h>

enum { CHATTER, DISTRESS };
enum { AURORA, BOREAS, CALYPSO, SHIPS };
static const char *const names[SHIPS] = {"Aurora", "Boreas", "Calypso"};

struct line {
    int32_t kind, number;
};
struct news {
    uint32_t all_clear; /* 0: a warning */
    uint32_t causal;
};
ALDIS_MESSAGE(line, struct line);
ALDIS_MESSAGE(approach, uint32_t); /* 1: over a link that keeps the order */
ALDIS_SIGNAL(chat);
ALDIS_MESSAGE(news, struct news);

#define TOWER_PROTOCOL(X, kind) X(kind, line)
ALDIS_PROTOCOL(tower, TOWER_PROTOCOL);
#define PILOT_PROTOCOL(X, kind) X(kind, approach) X(kind, chat)
ALDIS_PROTOCOL(pilot, PILOT_PROTOCOL);
#define SHIP_PROTOCOL(X, kind) X(kind, news)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static int now_s(aldis_ctx *ctx)
{
    return (int)(aldis_now(ctx) / ALDIS_SECOND);
}

/* The tower needs a second for each line. */
static aldis_err tower_on_line(int *heard, const struct line *msg, aldis_ctx *ctx)
{
    ++*heard;
    printf("  %2d s: %s %d\n", now_s(ctx), msg->kind == DISTRESS ? "DISTRESS" : "line",
           (int)msg->number);
    return aldis_busy(ctx, ALDIS_SECOND);
}
ALDIS_BEHAVIOUR(tower, int, TOWER_PROTOCOL);

static aldis_err pilot_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(tower_ref *)state = *(const tower_ref *)arg;
    return ALDIS_OK;
}

/* It comes nearer, so each line has a shorter way than the one before. */
static aldis_err pilot_on_approach(tower_ref *tower, const uint32_t *fifo, aldis_ctx *ctx)
{
    aldis_err err = ALDIS_OK;
    if (*fifo)
        err = aldis_link_open(ctx, tower->id, &(aldis_link_opts){.fifo = true});
    for (int32_t i = 1; i <= 3 && err == ALDIS_OK; i++)
        err = aldis_send_after(ctx, (10 - 3 * i) * ALDIS_SECOND, *tower, line, .number = i);
    return err;
}

static aldis_err pilot_on_chat(tower_ref *tower, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    const struct line distress = {.kind = DISTRESS, .number = 1};
    aldis_err err = ALDIS_OK;
    for (int32_t i = 1; i <= 5 && err == ALDIS_OK; i++)
        err = aldis_send(ctx, *tower, line, .number = i);
    if (err != ALDIS_OK)
        return err;
    return aldis_send_with(
        ctx, *tower, line, &distress,
        &(aldis_send_opts){.delay_ns = 3 * ALDIS_SECOND, .lane = ALDIS_LANE_CRITICAL});
}
ALDIS_BEHAVIOUR(pilot, tower_ref, PILOT_PROTOCOL, .on_start = pilot_start);

static ship_ref ships[SHIPS];

/* Aurora and Calypso are far apart; Boreas is between them. */
static aldis_ns way(void *from, aldis_id to)
{
    bool far = from == &ships[AURORA] && aldis_id_equal(to, ships[CALYPSO].id);
    return far ? 9 * ALDIS_SECOND : 2 * ALDIS_SECOND;
}

static aldis_err tell_all(aldis_ctx *ctx, int me, const struct news *news)
{
    const aldis_causal_item item = {&news_type, news, sizeof *news, way, &ships[me]};
    if (news->causal)
        return aldis_causal_publish_raw(ctx, "traffic", &item, NULL);
    for (int to = 0; to < SHIPS; to++)
        if (to != me)
            aldis_send_with(ctx, ships[to], news, news,
                            &(aldis_send_opts){.delay_ns = way(&ships[me], ships[to].id)});
    return ALDIS_OK;
}

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    *(int *)state = *(const int *)arg;
    return aldis_causal_join(ctx, "traffic", NULL);
}

/* Aurora warns; Boreas drives the pirates off and says so; Calypso hears both. */
static aldis_err ship_on_news(int *me, const struct news *news, aldis_ctx *ctx)
{
    const struct news all_clear = {.all_clear = 1, .causal = news->causal};
    if (*me == AURORA && aldis_id_is_nobody(aldis_sender(ctx)))
        return tell_all(ctx, AURORA, news);
    if (*me == BOREAS && !news->all_clear)
        return tell_all(ctx, BOREAS, &all_clear);
    if (*me == CALYPSO)
        printf("  %2d s: %s hears '%s'\n", now_s(ctx), names[*me],
               news->all_clear ? "the pirates are gone" : "pirates!");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, int, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err three_orders(aldis_system *system, pilot_ref pilot)
{
    aldis_err err = ALDIS_OK;
    for (uint32_t fifo = 0; fifo < 2 && err == ALDIS_OK; fifo++) {
        puts(fifo ? "an approaching ship, over a FIFO link:" : "an approaching ship:");
        aldis_send(system, pilot, approach, fifo);
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    }
    puts("chatter, and a call on the critical lane:");
    aldis_signal(system, pilot, chat);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    for (uint32_t causal = 0; causal < 2 && err == ALDIS_OK; causal++) {
        puts(causal ? "three ships, in a causal group:" : "three ships:");
        aldis_send(system, ships[AURORA], news, .causal = causal);
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    }
    return err;
}

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    tower_ref tower;
    pilot_ref pilot;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, tower, &tower, NULL);
    if (err == ALDIS_OK)
        err = aldis_spawn(system, pilot, &pilot, &(aldis_spawn_opts){ALDIS_ARG(&tower)});
    for (int i = 0; i < SHIPS && err == ALDIS_OK; i++)
        err = aldis_spawn(system, ship, &ships[i], &(aldis_spawn_opts){ALDIS_ARG(&i)});
    if (err == ALDIS_OK)
        err = three_orders(system, pilot);
    if (err != ALDIS_OK) {
        fprintf(stderr, "09_orders: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
