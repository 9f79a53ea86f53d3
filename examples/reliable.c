// SPDX-License-Identifier: Apache-2.0
/* reliable.c: the same hundred crates over a link that loses messages, once for each grade of
 * delivery. In virtual time, with a fault plan. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { CRATES = 100 };

struct crate {
    uint32_t number;
};
ALDIS_MESSAGE(crate, struct crate);
ALDIS_SIGNAL(load);

#define STATION_PROTOCOL(X, kind) X(kind, crate)
#define SHIP_PROTOCOL(X, kind) X(kind, load) X(kind, aldis_delivered)
ALDIS_PROTOCOL(station, STATION_PROTOCOL);
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

static int times_stored[CRATES]; /* the station's; read when the run is over */
static int told_arrived, told_failed;

struct station {
    char unused;
};

static aldis_err station_on_crate(struct station *self, const struct crate *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    times_stored[msg->number]++;
    return ALDIS_OK; /* this confirms it; an error would refuse it */
}
ALDIS_BEHAVIOUR(station, struct station, STATION_PROTOCOL);

struct ship {
    station_ref station;
    aldis_reliable_opts how;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct ship *self = state;
    self->how = *(const aldis_reliable_opts *)arg;
    return aldis_spawn(ctx, station, &self->station, NULL);
}

static aldis_err ship_on_load(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; err == ALDIS_OK && i < CRATES; i++)
        err = aldis_send_reliable(ctx, self->station, crate, NULL, &self->how, .number = i);
    return err;
}

static aldis_err ship_on_aldis_delivered(struct ship *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)self;
    (void)ctx;
    if (msg->result == ALDIS_OK)
        told_arrived++;
    else
        told_failed++;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static aldis_err deliver(const char *name, aldis_grade grade)
{
    static const aldis_fault_rule bad_link[] = {{.kind = ALDIS_FAULT_LOSS, .chance = 0.2}};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1};
    aldis_reliable_opts how = {.grade = grade, .max_attempts = 11};
    aldis_system *system;
    ship_ref ship;
    aldis_err err = aldis_system_create(&opts, &system);
    if (err != ALDIS_OK)
        return err;
    err = aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&how)});
    if (err == ALDIS_OK)
        err = aldis_system_inject(system, &(aldis_fault_plan){.rules = bad_link, .rule_count = 1});
    if (err == ALDIS_OK)
        err = aldis_signal(system, ship, load);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);

    int by_times[3] = {0}; /* crates stored never, once, more often */
    for (int i = 0; i < CRATES; i++) {
        by_times[times_stored[i] < 2 ? times_stored[i] : 2]++;
        times_stored[i] = 0;
    }
    printf("%-14s %5d %5d %5d   %7d %6d\n", name, by_times[0], by_times[1], by_times[2],
           told_arrived, told_failed);
    told_arrived = told_failed = 0;
    return err;
}

int main(void)
{
    printf("%-14s %5s %5s %5s   %7s %6s\n", "stored:", "never", "once", "more", "arrived",
           "failed");
    if (deliver("at most once", ALDIS_AT_MOST_ONCE) != ALDIS_OK ||
        deliver("at least once", ALDIS_AT_LEAST_ONCE) != ALDIS_OK ||
        deliver("effect once", ALDIS_EFFECT_ONCE) != ALDIS_OK) {
        fprintf(stderr, "reliable: %s\n", aldis_error_last()->text);
        return 1;
    }
    return 0;
}
