// SPDX-License-Identifier: Apache-2.0
/* turmoil_test.c: reliable messages of every grade, with any options, to receivers that are small,
 * slow, paused, stopped, killed and restarted, under heavy faults. The explorer's witness looks for
 * anything that is delivered twice, out of order, or whose sender is not told exactly once. */
#include "harness.h"
#include <aldis/aldis.h>

enum { COURIERS = 3, DEPOTS = 6, EACH = 80 };

struct load {
    uint64_t number;
};
ALDIS_MESSAGE(load, struct load);
ALDIS_SIGNAL(open_port);
ALDIS_SIGNAL(go_on);

#define DEPOT_PROTOCOL(X, kind) X(kind, load)
#define COURIER_PROTOCOL(X, kind) X(kind, go_on) X(kind, aldis_delivered)
#define PORT_PROTOCOL(X, kind) X(kind, open_port) X(kind, go_on)
ALDIS_PROTOCOL(depot, DEPOT_PROTOCOL);
ALDIS_PROTOCOL(courier, COURIER_PROTOCOL);
ALDIS_PROTOCOL(port, PORT_PROTOCOL);

/* A trial has a process of its own. */
static uint64_t sent[COURIERS];
static depot_ref depots[DEPOTS];

/* ------------------------------------------------------------------ depots */

struct depot {
    struct {
        uint64_t total;
    } kept;
};

/* Any way to end a message. */
static aldis_err depot_on_load(struct depot *self, const struct load *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->kept.total++;
    switch (aldis_random_below(ctx, 12)) {
    case 0:
        return aldis_ack(ctx);
    case 1:
        return aldis_nack(ctx, ALDIS_ERATE);
    case 2:
        (void)aldis_ack(ctx);
        return aldis_fail(ctx, "after its acknowledgement");
    case 3:
        return aldis_fail(ctx, "just so");
    case 4:
        return aldis_stash(ctx);
    case 5:
        return aldis_unstash_all(ctx);
    case 6:
        return aldis_busy(ctx, 70 * ALDIS_MS);
    case 7:
        return aldis_reject(ctx, ALDIS_ERATE);
    default:
        return ALDIS_OK;
    }
}
ALDIS_BEHAVIOUR(depot, struct depot, DEPOT_PROTOCOL, .durable = ALDIS_DURABLE(struct depot, kept));

static const aldis_spawn_opts depot_opts[DEPOTS] = {
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE}},
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE, .discard_mail = true}},
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 3}},
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE},
     .mailbox = {.capacity_msgs = 2, .policy = ALDIS_REJECT}},
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE},
     .mailbox = {.capacity_msgs = 2, .policy = ALDIS_DROP_OLDEST}},
    {.restart = {.mode = ALDIS_RESTART_ON_FAILURE},
     .mailbox = {.capacity_msgs = 2, .policy = ALDIS_WAIT}},
};

/* ------------------------------------------------------------------ couriers */

struct courier {
    uint64_t index;
    aldis_timer timer;
};

static aldis_err courier_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct courier *self = state;
    self->index = *(const uint64_t *)arg;
    return aldis_timer_every(ctx, 50 * ALDIS_MS, go_on, &self->timer);
}

static aldis_err courier_on_go_on(struct courier *self, const aldis_none *msg, aldis_ctx *ctx)
{
    static const aldis_lane lanes[] = {ALDIS_LANE_NORMAL, ALDIS_LANE_HIGH, ALDIS_LANE_LOW};
    uint64_t *number = &sent[self->index];
    aldis_reliable_opts how = {
        .grade = (aldis_grade)aldis_random_below(ctx, 3),
        .ordered = aldis_random_below(ctx, 2),
        .max_attempts = (uint32_t)aldis_random_below(ctx, 6),
        .timeout_ns = (aldis_ns)(1 + aldis_random_below(ctx, 300)) * ALDIS_MS,
        .timeout_max_ns = ALDIS_SECOND,
        .deadline_ns = (aldis_ns)aldis_random_below(ctx, 3) * 250 * ALDIS_MS,
        .uncounted = aldis_random_below(ctx, 2),
        .delay_ns = (aldis_ns)aldis_random_below(ctx, 2) * 30 * ALDIS_MS,
        .lane = aldis_random_below(ctx, 4) ? ALDIS_LANE_NORMAL : lanes[aldis_random_below(ctx, 3)]};
    (void)msg;
    if (self->index == 0) { /* this one keeps nothing of what is over */
        how.grade = ALDIS_AT_LEAST_ONCE;
        how.ordered = false;
        how.uncounted = true;
    }
    if (*number == EACH)
        return aldis_timer_cancel(ctx, self->timer);
    (*number)++;
    /* A refusal leaves nothing behind: the witness would see it. */
    (void)aldis_send_reliable(ctx, depots[aldis_random_below(ctx, DEPOTS)], load, NULL, &how,
                              .number = *number);
    return ALDIS_OK;
}

static aldis_err courier_on_aldis_delivered(struct courier *self, const aldis_delivered *msg,
                                            aldis_ctx *ctx)
{
    (void)msg;
    if (self->index == 2) /* busy, so that its mail waits in its mailbox */
        (void)aldis_busy(ctx, 60 * ALDIS_MS);
    return aldis_random_below(ctx, 30) ? ALDIS_OK : aldis_fail(ctx, "at good news");
}
ALDIS_BEHAVIOUR(courier, struct courier, COURIER_PROTOCOL, .on_start = courier_start);

/* ------------------------------------------------------------------ the port */

static aldis_err port_on_open_port(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    aldis_err err = ALDIS_OK;
    aldis_timer timer;
    (void)self;
    (void)msg;
    for (size_t i = 0; err == ALDIS_OK && i < DEPOTS; i++)
        err = aldis_spawn(ctx, depot, &depots[i], &depot_opts[i]);
    for (uint64_t i = 0; err == ALDIS_OK && i < COURIERS; i++) {
        courier_ref courier;
        aldis_mailbox_opts small = {.capacity_msgs = 1, .policy = ALDIS_DROP_OLDEST};
        err = aldis_spawn(ctx, courier, &courier,
                          &(aldis_spawn_opts){.arg = &i,
                                              .arg_size = sizeof i,
                                              .mailbox = i == 2 ? small : (aldis_mailbox_opts){0},
                                              .restart = {.mode = ALDIS_RESTART_ON_FAILURE,
                                                          .poison_tries = i == 1 ? 3 : 0,
                                                          .discard_mail = i == 0}});
    }
    return err == ALDIS_OK ? aldis_timer_every(ctx, 200 * ALDIS_MS, go_on, &timer) : err;
}

/* Now and then something happens to a depot; after ten seconds nothing any more. */
static aldis_err port_on_go_on(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    aldis_id depot = depots[aldis_random_below(ctx, DEPOTS)].id;
    (void)self;
    (void)msg;
    if (aldis_now(ctx) > 10 * ALDIS_SECOND) {
        for (size_t i = 0; i < DEPOTS; i++)
            (void)aldis_resume(ctx, depots[i].id);
        return ALDIS_OK;
    }
    switch (aldis_random_below(ctx, 40)) {
    case 0:
        (void)aldis_stop(ctx, depot);
        break;
    case 1:
        (void)aldis_kill(ctx, depot);
        break;
    case 2:
        (void)aldis_drain(ctx, depot, ALDIS_SECOND);
        break;
    case 3:
    case 4:
    case 5:
        (void)aldis_pause(ctx, depot);
        break;
    case 6:
    case 7:
    case 8:
        (void)aldis_resume(ctx, depot);
        break;
    default:
        break;
    }
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(port, uint64_t, PORT_PROTOCOL,
                .supervisor = {.intensity = 1000, .period_ns = ALDIS_SECOND});

/* ------------------------------------------------------------------ the search */

static uint32_t workers = 1;

static void run_trial(void *arg, aldis_trial *trial)
{
    aldis_system *system;
    port_ref port;
    aldis_audit audit;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                              .workers = workers,
                              .shards = 4,
                              .seed = aldis_trial_seed(trial)};
    (void)arg;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, port, &port, NULL) != ALDIS_OK ||
        aldis_trial_inject(trial, system) != ALDIS_OK ||
        aldis_signal(system, port, open_port) != ALDIS_OK ||
        aldis_system_run(system, 12 * ALDIS_MINUTE, NULL) != ALDIS_OK ||
        aldis_trial_check(trial, system) != ALDIS_OK)
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "%s", aldis_error_last()->text);
    if (aldis_system_audit(system, &audit) != ALDIS_OK)
        aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "audit: %s", audit.text);
    aldis_system_destroy(system);
}

static void search(uint64_t first, uint64_t last)
{
    aldis_fault_plan plan = *aldis_fault_plan_named("heavy");
    plan.heal_ns = 10 * ALDIS_SECOND;
    aldis_explore_opts opts = {
        .first_seed = first, .last_seed = last, .plan = &plan, .shrink_trials = 300};
    aldis_finding finding = {.seed = 0};
    CHECK_OK(aldis_explore(&opts, run_trial, NULL, &finding));
    if (finding.violation != ALDIS_VIOLATION_NONE)
        test_fail(__FILE__, __LINE__, "seed %llu: %s: %s (%zu faults)",
                  (unsigned long long)finding.seed, aldis_violation_name(finding.violation),
                  finding.text, finding.fault_count);
    CHECK_UINT(finding.trials, last - first + 1);
    aldis_finding_fini(&finding);
}

TEST(every_sender_is_told_exactly_once)
{
    search(1, 100);
}

TEST(every_sender_is_told_exactly_once_on_two_workers)
{
    workers = 2;
    search(101, 140);
    workers = 1;
}
