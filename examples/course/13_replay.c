// SPDX-License-Identifier: Apache-2.0
/* 13_replay.c: when is a run the same run? Twenty ships fly about by chance, on one thread or on
 * four; then somebody gives orders from outside, and the run is recorded and made again.
 * Chapter 13 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHIPS = 20, PARTS = 3 };
#define FILE_NAME "13_replay.aldis" /* of the recording */

ALDIS_MESSAGE(hail, int64_t);   /* where the sender is, in km */
ALDIS_MESSAGE(fly_to, int64_t); /* an order from outside */
ALDIS_SIGNAL(tick);

#define SHIP_PROTOCOL(X, kind) X(kind, hail) X(kind, fly_to) X(kind, tick)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static ship_ref ships[SHIPS]; /* set before a run, and constant in it */
static bool naive;            /* ships that all count in one global variable: the mistake */
static int64_t counter;

struct ship {
    int64_t x_km;
    aldis_timer ticker;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    return aldis_timer_every(ctx, ALDIS_SECOND, tick, &((struct ship *)state)->ticker);
}

/* A random walk; and now and then it tells some other ship where it is. */
static aldis_err ship_on_tick(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->x_km += (int64_t)aldis_random_below(ctx, 11) - 5;
    if (naive)
        self->x_km += ++counter;
    ship_ref other = ships[aldis_random_below(ctx, SHIPS)];
    return aldis_random_unit(ctx) < 0.3 ? aldis_send(ctx, other, hail, self->x_km) : ALDIS_OK;
}

static aldis_err ship_on_hail(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    (void)ctx;
    self->x_km += *x_km > self->x_km ? 1 : -1; /* ships are curious */
    return ALDIS_OK;
}

static aldis_err ship_on_fly_to(struct ship *self, const int64_t *x_km, aldis_ctx *ctx)
{
    (void)ctx;
    self->x_km = *x_km;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static void must(aldis_err err)
{
    if (err == ALDIS_OK)
        return;
    fprintf(stderr, "13_replay: %s\n", aldis_error_last()->text);
    exit(1);
}

static aldis_system *fleet(uint64_t seed, uint32_t workers)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = seed, .workers = workers};
    aldis_system *system;
    must(aldis_system_create(&opts, &system));
    for (int i = 0; i < SHIPS; i++)
        must(aldis_spawn(system, ship, &ships[i], NULL));
    return system;
}

static uint64_t end(aldis_system *system)
{
    uint64_t print = aldis_system_run_print(system);
    must(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
    return print;
}

static uint64_t fly(uint64_t seed, uint32_t workers)
{
    aldis_system *system = fleet(seed, workers);
    must(aldis_system_run(system, ALDIS_MINUTE, NULL));
    return end(system);
}

static void compare(const char *what, uint64_t print, uint64_t other)
{
    printf("%-41s %s\n", what, print == other ? "the same run" : "another run");
}

/* Orders at moments that nobody has planned: here, after each part of the run. */
static uint64_t fly_by_hand(void)
{
    aldis_system *system = fleet(1, 1);
    aldis_recording *recording;
    must(aldis_recording_create(FILE_NAME, "twenty ships", &recording));
    must(aldis_recording_attach(recording, system));
    aldis_run_end reason = ALDIS_RUN_UNTIL;
    for (int part = 1; part <= PARTS; part++) {
        must(aldis_system_run(system, part * 20 * ALDIS_SECOND, &reason));
        if (part < PARTS)
            must(aldis_send(system, ships[part], fly_to, 1000 * part));
    }
    must(aldis_recording_close(recording, reason, NULL));
    return end(system);
}

struct player {
    aldis_system *system;
    aldis_replay *replay;
};

static void after_window(void *arg, const aldis_window *window)
{
    struct player *player = arg;
    (void)window;
    must(aldis_replay_feed(player->replay, player->system));
}

static uint64_t fly_again(uint32_t workers)
{
    struct player player = {.system = fleet(1, workers)};
    must(aldis_replay_open(FILE_NAME, &player.replay, NULL));
    must(aldis_system_on_window(player.system, after_window, &player));
    for (int part = 1; part <= PARTS; part++) {
        must(aldis_replay_feed(player.replay, player.system));
        must(aldis_system_run(player.system, part * 20 * ALDIS_SECOND, NULL));
    }
    aldis_replay_close(player.replay);
    return end(player.system);
}

int main(void)
{
    uint64_t print = fly(1, 1);
    compare("once more:", print, fly(1, 1));
    compare("on four threads:", print, fly(1, 4));
    compare("with another seed:", print, fly(2, 1));
    uint64_t by_hand = fly_by_hand();
    compare("with orders from outside:", print, by_hand);
    compare("these orders, replayed on four threads:", by_hand, fly_again(4));
    naive = true;
    compare("ships that share a counter, twice:", fly(1, 1), fly(1, 1));
    remove(FILE_NAME);
    return 0;
}
