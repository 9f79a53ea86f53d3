// SPDX-License-Identifier: Apache-2.0
/* swarm.c: ships that move at 60 Hz and tell those around them, in virtual time. Layer: bench.
 *
 * The lookahead is the tick, so each window is one tick: every ship moves, sets its position and
 * signals itself for the next tick; a share of them tell all others within the radius. The cost of
 * a tick is the wall time from the end of one window to the end of the next, so what the place does
 * between two windows counts, too. */
#include "nursery.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

enum {
    WARM_UP = 20, /* ticks that are not measured: memory is new, the cells are not chosen yet */
    TICKS = 300,
    AROUND = 20 /* ships within the radius, if it is the usual one */
};
#define TICK_NS (ALDIS_SECOND / 60)
#define USUAL_RADIUS 500.0 /* metres */
#define SPEED 100.0        /* metres a second */

struct swarm {
    double radius, share;
    double side; /* of the cube in which they fly: none leaves it */
    aldis_place place;
    aldis_ns begin_ns; /* the first tick */
    /* of the thread that runs the system */
    uint64_t windows;
    aldis_ns last_ns, last_cpu_ns;
    aldis_ns tick_ns[TICKS], tick_cpu_ns[TICKS];
};

struct swarm_seen {
    double position[3];
    uint64_t tick;
};
ALDIS_MESSAGE(swarm_near, struct swarm_seen);
ALDIS_SIGNAL(swarm_tick);

#define SWARM_SHIP_PROTOCOL(X, kind) X(kind, swarm_tick) X(kind, swarm_near)
ALDIS_PROTOCOL(swarm_ship, SWARM_SHIP_PROTOCOL);

/* ------------------------------------------------------------------ ships */

struct swarm_ship {
    struct bench *bench;
    double position[3], step[3];
    double turn; /* grows by the share; at 1 it is this ship's turn to tell */
    uint64_t ticks, seen;
};

static double start_turn(uint64_t number)
{
    return fmod((double)number * 0.6180339887498949, 1); /* spread evenly */
}

static void move(struct swarm_ship *self, double side)
{
    for (int d = 0; d < 3; d++) {
        double next = self->position[d] + self->step[d];
        if (next < 0 || next > side) {
            self->step[d] = -self->step[d];
            next = self->position[d];
        }
        self->position[d] = next;
    }
}

static aldis_err swarm_ship_on_swarm_tick(struct swarm_ship *self, const aldis_none *msg,
                                          aldis_ctx *ctx)
{
    const struct swarm *swarm = self->bench->set;
    swarm_ship_ref me = {.id = aldis_self(ctx)};
    (void)msg;
    move(self, swarm->side);
    const double *at = self->position;
    aldis_err err = aldis_place_set(ctx, swarm->place, at[0], at[1], at[2]);
    self->turn += swarm->share;
    if (self->turn >= 1 && err == ALDIS_OK) {
        self->turn -= 1;
        err = aldis_place_tell(ctx, swarm->place, ((aldis_point){at[0], at[1], at[2]}),
                               swarm->radius, NULL, swarm_near, .position = {at[0], at[1], at[2]},
                               .tick = self->ticks);
    }
    self->ticks++;
    if (err == ALDIS_OK)
        err = aldis_signal(ctx, me, swarm_tick);
    return bench_checked(self->bench, ctx, err);
}

static aldis_err swarm_ship_on_swarm_near(struct swarm_ship *self, const struct swarm_seen *msg,
                                          aldis_ctx *ctx)
{
    (void)ctx;
    self->seen += msg->tick <= self->ticks;
    return ALDIS_OK;
}

struct ship_arg {
    struct bench *bench;
    uint64_t number;
};

static aldis_err swarm_ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct swarm_ship *self = state;
    const struct ship_arg *given = arg;
    const struct swarm *swarm = given->bench->set;
    swarm_ship_ref me = {.id = aldis_self(ctx)};
    self->bench = given->bench;
    self->turn = start_turn(given->number);
    double length = 0;
    for (int d = 0; d < 3; d++) {
        self->position[d] = swarm->side * aldis_random_unit(ctx);
        self->step[d] = 2 * aldis_random_unit(ctx) - 1;
        length += self->step[d] * self->step[d];
    }
    for (int d = 0; d < 3; d++)
        self->step[d] *= SPEED / 60 / sqrt(length);
    return bench_checked(self->bench, ctx,
                         aldis_signal_after(ctx, swarm->begin_ns - aldis_now(ctx), me, swarm_tick));
}

ALDIS_BEHAVIOUR(swarm_ship, struct swarm_ship, SWARM_SHIP_PROTOCOL, .on_start = swarm_ship_start,
                .on_undelivered = bench_on_undelivered);

/* ------------------------------------------------------------------ setting up */

static aldis_err spawn_ship(struct bench *bench, uint64_t number, aldis_ctx *ctx)
{
    struct ship_arg given = {bench, number};
    swarm_ship_ref child;
    return aldis_spawn(ctx, swarm_ship, &child,
                       &(aldis_spawn_opts){.arg = &given, .arg_size = sizeof given});
}

/* ------------------------------------------------------------------ the run */

static aldis_err swarm_configure(struct bench *bench, aldis_system_opts *opts)
{
    const struct bench_opts *given = &bench->opts;
    struct swarm *swarm = calloc(1, sizeof *swarm);
    bench->set = swarm;
    if (!swarm)
        return ALDIS_ENOMEM;
    swarm->share = given->share;
    swarm->radius = given->radius > 0 ? given->radius : USUAL_RADIUS;
    /* So many that AROUND of them are within the usual radius, away from the walls. */
    double sphere = 4.0 / 3.0 * 3.14159265358979323846 * pow(USUAL_RADIUS, 3);
    swarm->side = cbrt((double)given->n * sphere / AROUND);
    opts->clock = ALDIS_CLOCK_VIRTUAL;
    opts->seed = given->seed;
    opts->lookahead_ns = TICK_NS;
    return ALDIS_OK;
}

static aldis_ns wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (aldis_ns)t.tv_sec * ALDIS_SECOND + t.tv_nsec;
}

static void note_tick(void *arg, const aldis_window *window)
{
    struct swarm *swarm = arg;
    aldis_ns now_ns = wall_ns(), cpu_ns = bench_cpu_ns();
    (void)window;
    if (swarm->windows >= WARM_UP && swarm->windows < WARM_UP + TICKS) {
        swarm->tick_ns[swarm->windows - WARM_UP] = now_ns - swarm->last_ns;
        swarm->tick_cpu_ns[swarm->windows - WARM_UP] = cpu_ns - swarm->last_cpu_ns;
    }
    swarm->windows++;
    swarm->last_ns = now_ns;
    swarm->last_cpu_ns = cpu_ns;
}

static int compare_ns(const void *a, const void *b)
{
    aldis_ns x = *(const aldis_ns *)a, y = *(const aldis_ns *)b;
    return x < y ? -1 : x > y;
}

/* How often the ships must have told, by the same sums. */
static uint64_t expected_tells(const struct swarm *swarm, uint64_t ships)
{
    uint64_t tells = 0;
    for (uint64_t ship = 0; ship < ships; ship++) {
        double turn = start_turn(ship);
        for (unsigned tick = 0; tick < WARM_UP + TICKS; tick++) {
            turn += swarm->share;
            tells += turn >= 1;
            turn -= turn >= 1;
        }
    }
    return tells;
}

static void add_figures(struct bench *bench, aldis_system *system, uint64_t told)
{
    struct swarm *swarm = bench->set;
    bench->result.run_print = aldis_system_run_print(system);
    bench->result.has_run_print = true;
    qsort(swarm->tick_ns, TICKS, sizeof swarm->tick_ns[0], compare_ns);
    qsort(swarm->tick_cpu_ns, TICKS, sizeof swarm->tick_cpu_ns[0], compare_ns);
    const double ms = 1e-6;
    bench_add_extra(bench, "events", (double)bench->operations);
    bench_add_extra(bench, "tick_ms_p50", (double)swarm->tick_ns[TICKS / 2] * ms);
    bench_add_extra(bench, "tick_ms_p99", (double)swarm->tick_ns[TICKS - TICKS / 100 - 1] * ms);
    bench_add_extra(bench, "tick_ms_max", (double)swarm->tick_ns[TICKS - 1] * ms);
    bench_add_extra(bench, "tick_cpu_ms_p50", (double)swarm->tick_cpu_ns[TICKS / 2] * ms);
    uint64_t tells = expected_tells(swarm, bench->opts.n);
    aldis_place_stats stats;
    aldis_err err = aldis_place_get_stats(system, swarm->place, &stats);
    if (err != ALDIS_OK || stats.queries != tells)
        (void)bench_fault(bench, NULL, "%" PRIu64 " tells, expected %" PRIu64, stats.queries,
                          tells);
    bench_add_extra(bench, "told_by_each", tells ? (double)told / (double)tells : 0);
}

static aldis_err count_events(struct bench *bench, aldis_system *system, uint64_t *out_told)
{
    aldis_stats stats;
    aldis_err err = aldis_system_stats(system, &stats);
    if (err != ALDIS_OK)
        return err;
    const aldis_type_stats *ticks = aldis_stats_type(&stats, "swarm_tick");
    const aldis_type_stats *near = aldis_stats_type(&stats, "swarm_near");
    *out_told = near ? near->sent : 0;
    bench->operations = (ticks ? ticks->handled : 0) + (near ? near->handled : 0);
    aldis_stats_fini(&stats);
    return ALDIS_OK;
}

static aldis_err swarm_run(struct bench *bench, aldis_system *system)
{
    struct swarm *swarm = bench->set;
    uint64_t told = 0;
    aldis_run_end end = ALDIS_RUN_IDLE;
    swarm->begin_ns = (aldis_ns)nursery_windows(bench) * TICK_NS;
    aldis_place_opts opts = {.members_max = (uint32_t)bench->opts.n};
    aldis_err err = aldis_place_open(system, "swarm", &opts, &swarm->place);
    if (err == ALDIS_OK)
        err = nursery_open(bench, system, spawn_ship);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, swarm->begin_ns, &end);
    if (err == ALDIS_OK)
        err = aldis_system_on_window(system, note_tick, swarm);
    if (err != ALDIS_OK || end != ALDIS_RUN_UNTIL)
        return err;
    bench_start(bench);
    err = aldis_system_run(system, swarm->begin_ns + (WARM_UP + TICKS) * TICK_NS, &end);
    bench_end(bench, NULL);
    if (err == ALDIS_OK)
        err = count_events(bench, system, &told);
    if (err == ALDIS_OK)
        add_figures(bench, system, told);
    return err;
}

static void swarm_check(struct bench *bench, const aldis_stats *stats)
{
    const struct swarm *swarm = bench->set;
    const aldis_type_stats *ticks = aldis_stats_type(stats, "swarm_tick");
    const aldis_type_stats *near = aldis_stats_type(stats, "swarm_near");
    uint64_t moves = bench->opts.n * (WARM_UP + TICKS);
    if (!ticks || ticks->handled != moves || ticks->queued != bench->opts.n)
        (void)bench_fault(bench, NULL, "%" PRIu64 " ticks handled, expected %" PRIu64,
                          ticks ? ticks->handled : 0, moves);
    if (near && near->sent != near->handled + near->queued)
        (void)bench_fault(bench, NULL, "%" PRIu64 " told, %" PRIu64 " heard", near->sent,
                          near->handled + near->queued);
    if (swarm->windows != WARM_UP + TICKS)
        (void)bench_fault(bench, NULL, "%" PRIu64 " windows, expected %d", swarm->windows,
                          WARM_UP + TICKS);
}

static void swarm_finish(struct bench *bench)
{
    free(bench->set);
}

const struct bench_workload bench_swarm = {
    .name = "swarm",
    .unit = "events",
    .what_n = "ships",
    .n_default = 10000,
    .n_max = 1000000,
    .takes = BENCH_TAKES_SHARE | BENCH_TAKES_RADIUS | BENCH_TAKES_SEED,
    .configure = swarm_configure,
    .run = swarm_run,
    .check = swarm_check,
    .finish = swarm_finish,
};
