// SPDX-License-Identifier: Apache-2.0
/* load_shedding.c: a desk that is called twice as often as it can answer stays quick: it sheds. */
#include <aldis/aldis.h>
#include <stdio.h>

#define RUSH_NS (10 * ALDIS_SECOND)
ALDIS_MESSAGE(call, aldis_ns); /* since when the caller is on the line */
ALDIS_SIGNAL(report);
ALDIS_SIGNAL(tick);
#define DESK_PROTOCOL(X, kind) X(kind, call) X(kind, report)
ALDIS_PROTOCOL(desk, DESK_PROTOCOL);
#define TOWN_PROTOCOL(X, kind) X(kind, tick)
ALDIS_PROTOCOL(town, TOWN_PROTOCOL);

struct desk {
    uint32_t answered;
    aldis_ns longest_ns;
};

static aldis_err desk_on_call(struct desk *self, const aldis_ns *since_ns, aldis_ctx *ctx)
{
    aldis_ns waited_ns = aldis_now(ctx) - *since_ns;
    if (waited_ns > self->longest_ns)
        self->longest_ns = waited_ns;
    self->answered++;
    return aldis_busy(ctx, 10 * ALDIS_MS); /* a hundred a second */
}

static aldis_err desk_on_report(struct desk *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    printf("%2d s: answered %u, after %d ms at most\n", (int)(aldis_now(ctx) / ALDIS_SECOND),
           (unsigned)self->answered, (int)(self->longest_ns / ALDIS_MS));
    *self = (struct desk){0};
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(desk, struct desk, DESK_PROTOCOL,
                .mailbox = {.capacity_msgs = 10000,             /* no bound on the time: 100 s */
                            .shed_target_ns = 200 * ALDIS_MS,   /* this is one */
                            .shed_interval_ns = ALDIS_SECOND}); /* a burst may last so long */

struct town {
    desk_ref desk;
    uint32_t lost;
};

/* Every 20 ms: an emergency, and three questions while the rush lasts; later one question. */
static aldis_err town_on_tick(struct town *self, const aldis_none *none, aldis_ctx *ctx)
{
    (void)none;
    bool rush = aldis_now(ctx) < RUSH_NS;
    aldis_ns now_ns = aldis_now(ctx) + ALDIS_MS; /* when it will ring at the desk */
    const aldis_send_opts urgent = {.lane = ALDIS_LANE_HIGH}, other = {.lane = ALDIS_LANE_LOW};
    aldis_err err = rush ? aldis_send_with(ctx, self->desk, call, &now_ns, &urgent) : ALDIS_OK;
    for (int i = 0; i < (rush ? 3 : 1) && err == ALDIS_OK; i++)
        err = aldis_send_with(ctx, self->desk, call, &now_ns, &other);
    return err;
}

static void town_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    struct town *self = state;
    if (self->lost == 0)
        printf("%2d s: first told: %s\n", (int)(aldis_now(ctx) / ALDIS_SECOND),
               aldis_error_text(notice->reason));
    self->lost += notice->count; /* a fallback: a recorded answer, say */
}

static aldis_err town_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct town *self = state;
    aldis_timer timer;
    self->desk = *(const desk_ref *)arg;
    return aldis_timer_every(ctx, 20 * ALDIS_MS, tick, &timer);
}
ALDIS_BEHAVIOUR(town, struct town, TOWN_PROTOCOL, .on_start = town_start,
                .on_undelivered = town_undelivered);

int main(void)
{
    aldis_system *system;
    desk_ref desk;
    town_ref town;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, desk, &desk, NULL) != ALDIS_OK ||
        aldis_spawn(system, town, &town, &(aldis_spawn_opts){ALDIS_ARG(&desk)}) != ALDIS_OK) {
        fprintf(stderr, "load_shedding: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (int second = 2; second <= 12; second += second == 2 ? 8 : 2) {
        aldis_signal_after(system, second * ALDIS_SECOND - aldis_system_now(system), desk, report);
        aldis_system_run(system, second * ALDIS_SECOND + ALDIS_MS, NULL);
    }
    aldis_stats stats;
    aldis_err err = aldis_system_stats(system, &stats);
    if (err == ALDIS_OK) {
        printf("shed: %d of the high lane, %d of the low one\n", (int)stats.shed[ALDIS_LANE_HIGH],
               (int)stats.shed[ALDIS_LANE_LOW]);
        aldis_stats_fini(&stats);
        err = aldis_system_audit(system, NULL);
    }
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
