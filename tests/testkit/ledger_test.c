// SPDX-License-Identifier: Apache-2.0
/* ledger_test.c: the explorer's witness sees every bug that is planted in the library's own
 * delivery, and none where there is none. */
#include "harness.h"
#include "planted.h"

#include <aldis/aldis.h>

enum { SENDERS = 2, EACH = 60 };

struct load {
    uint64_t number;
};
ALDIS_MESSAGE(load, struct load);
ALDIS_MESSAGE(mark, struct load);
ALDIS_SIGNAL(open_port);
ALDIS_SIGNAL(go_on);

#define DEPOT_PROTOCOL(X, kind) X(kind, load) X(kind, mark)
#define COURIER_PROTOCOL(X, kind) X(kind, go_on) X(kind, aldis_delivered)
#define PORT_PROTOCOL(X, kind) X(kind, open_port) X(kind, go_on)
ALDIS_PROTOCOL(depot, DEPOT_PROTOCOL);
ALDIS_PROTOCOL(courier, COURIER_PROTOCOL);
ALDIS_PROTOCOL(port, PORT_PROTOCOL);

/* A trial has a process of its own: what a crash must not take from a courier may be static. */
static uint64_t sent[SENDERS];

struct depot {
    struct {
        uint64_t total;
    } kept;
};

static aldis_err depot_on_load(struct depot *self, const struct load *msg, aldis_ctx *ctx)
{
    (void)msg;
    self->kept.total++;
    return aldis_busy(ctx, 40 * ALDIS_MS); /* so that messages wait for it */
}

static aldis_err depot_on_mark(struct depot *self, const struct load *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(depot, struct depot, DEPOT_PROTOCOL, .durable = ALDIS_DURABLE(struct depot, kept),
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

struct courier_arg {
    depot_ref depot;
    uint64_t index;
};
struct courier {
    struct courier_arg at;
    aldis_timer timer;
};

static aldis_err courier_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct courier *self = state;
    self->at = *(const struct courier_arg *)arg;
    aldis_err err = ALDIS_OK;
    if (self->at.index == 0) /* the one is careful, the other is not */
        err = aldis_link_open(ctx, self->at.depot.id, &(aldis_link_opts){.fifo = true});
    return err == ALDIS_OK ? aldis_timer_every(ctx, 100 * ALDIS_MS, go_on, &self->timer) : err;
}

static aldis_err courier_on_go_on(struct courier *self, const aldis_none *msg, aldis_ctx *ctx)
{
    uint64_t *number = &sent[self->at.index];
    aldis_reliable_opts how = {.grade = ALDIS_EFFECT_ONCE,
                               .ordered = self->at.index == 0,
                               .max_attempts = 13,
                               .timeout_ns = 200 * ALDIS_MS,
                               .timeout_max_ns = ALDIS_SECOND};
    (void)msg;
    if (*number == EACH)
        return aldis_timer_cancel(ctx, self->timer);
    (*number)++;
    aldis_err err = aldis_send_reliable(ctx, self->at.depot, load, NULL, &how, .number = *number);
    if (err == ALDIS_OK)
        err = aldis_send(ctx, self->at.depot, mark, .number = *number);
    return err;
}

static aldis_err courier_on_aldis_delivered(struct courier *self, const aldis_delivered *msg,
                                            aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(courier, struct courier, COURIER_PROTOCOL, .on_start = courier_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

/* Time goes on when all is done: what is stuck is to be seen. */
static aldis_err port_on_go_on(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    (void)ctx;
    return ALDIS_OK;
}

static aldis_err port_on_open_port(uint64_t *self, const aldis_none *msg, aldis_ctx *ctx)
{
    struct courier_arg at = {.index = 0};
    aldis_timer timer;
    aldis_err err = aldis_spawn(ctx, depot, &at.depot, NULL);
    (void)self;
    (void)msg;
    if (err == ALDIS_OK)
        err = aldis_timer_every(ctx, ALDIS_MINUTE, go_on, &timer);
    for (; err == ALDIS_OK && at.index < SENDERS; at.index++) {
        courier_ref courier;
        err = aldis_spawn(ctx, courier, &courier,
                          &(aldis_spawn_opts){.arg = &at, .arg_size = sizeof at});
    }
    return err;
}
ALDIS_BEHAVIOUR(port, uint64_t, PORT_PROTOCOL,
                .supervisor = {.intensity = 1000, .period_ns = ALDIS_SECOND});

static uint32_t workers = 1;

static void run_trial(void *arg, aldis_trial *trial)
{
    (void)arg;
    aldis_system *system;
    port_ref port;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                              .workers = workers,
                              .shards = 4,
                              .seed = aldis_trial_seed(trial)};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, port, &port, NULL) != ALDIS_OK ||
        aldis_trial_inject(trial, system) != ALDIS_OK ||
        aldis_signal(system, port, open_port) != ALDIS_OK ||
        aldis_system_run(system, 20 * ALDIS_MINUTE, NULL) != ALDIS_OK ||
        aldis_trial_check(trial, system) != ALDIS_OK)
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "%s", aldis_error_last()->text);
    aldis_system_destroy(system);
}

static aldis_finding explore(enum planted_bug bug, uint64_t seeds, const aldis_fault_plan *plan)
{
    static const aldis_fault_rule rules[] = {
        {.kind = ALDIS_FAULT_LOSS, .chance = 0.2},
        {.kind = ALDIS_FAULT_DUPLICATE, .chance = 0.1, .max_ns = ALDIS_SECOND},
        {.kind = ALDIS_FAULT_DELAY, .chance = 0.3, .max_ns = 300 * ALDIS_MS},
        {.kind = ALDIS_FAULT_CRASH, .chance = 0.02},
    };
    static const aldis_fault_plan usual = {
        .rules = rules, .rule_count = sizeof rules / sizeof rules[0], .heal_ns = 20 * ALDIS_SECOND};
    aldis_finding finding = {.seed = 0};
    aldis_explore_opts opts = {.first_seed = 1,
                               .last_seed = seeds,
                               .plan = plan ? plan : &usual,
                               .shrink_trials = plan ? 1 : 1000};
    planted_bug = bug;
    CHECK_OK(aldis_explore(&opts, run_trial, NULL, &finding));
    planted_bug = PLANTED_NOTHING;
    return finding;
}

/* It is found within 2000 seeds, as one of these violations; and the fewest faults fail again. */
static void find(enum planted_bug bug, unsigned expected)
{
    aldis_finding finding = explore(bug, 2000, NULL);
    CHECK(finding.violation != ALDIS_VIOLATION_NONE);
    if (!(expected & 1u << finding.violation))
        test_fail(__FILE__, __LINE__, "found: %s: %s", aldis_violation_name(finding.violation),
                  finding.text);
    CHECK(finding.is_shrunk);
    aldis_fault_plan least = {.seed = finding.seed,
                              .heal_ns = 20 * ALDIS_SECOND,
                              .faults = finding.faults,
                              .fault_count = finding.fault_count};
    aldis_finding again = explore(bug, finding.seed, &least);
    aldis_finding_fini(&again);
    CHECK_INT(again.violation, finding.violation);
    aldis_finding_fini(&finding);
}

#define LOST (1u << ALDIS_VIOLATION_LOST)
#define DUPLICATE (1u << ALDIS_VIOLATION_DUPLICATE)
#define ORDER (1u << ALDIS_VIOLATION_ORDER)
#define UNEXPECTED (1u << ALDIS_VIOLATION_UNEXPECTED)
#define STUCK (1u << ALDIS_VIOLATION_STUCK)

TEST(a_filter_with_a_window_is_found)
{
    find(PLANTED_FILTER_WINDOW, DUPLICATE);
}

TEST(a_filter_that_forgets_is_found)
{
    find(PLANTED_FILTER_FORGETS, DUPLICATE);
}

TEST(a_receiver_that_takes_gaps_is_found)
{
    find(PLANTED_TAKES_GAPS, ORDER);
}

TEST(a_receiver_that_skips_is_found)
{
    find(PLANTED_SKIPS, LOST);
}

TEST(a_sender_that_gives_up_is_found)
{
    find(PLANTED_GIVES_UP, STUCK);
}

TEST(a_sender_that_tells_nobody_is_found)
{
    find(PLANTED_TELLS_NOBODY, LOST);
}

TEST(a_sender_that_renumbers_is_found)
{
    find(PLANTED_RENUMBERS, UNEXPECTED);
}

TEST(a_link_on_which_messages_overtake_is_found)
{
    find(PLANTED_LINKS_OVERTAKE, ORDER);
}

TEST(an_actor_that_handles_the_second_first_is_found)
{
    find(PLANTED_TURNS_SWAP, ORDER);
}

TEST(nothing_is_found_where_nothing_is_planted)
{
    aldis_finding finding = explore(PLANTED_NOTHING, 200, NULL);
    CHECK_STR(finding.text, "");
    CHECK_INT(finding.violation, ALDIS_VIOLATION_NONE);
    CHECK_UINT(finding.trials, 200);
    aldis_finding_fini(&finding);
}

TEST(the_finding_is_the_same_on_any_number_of_workers)
{
    aldis_finding first = explore(PLANTED_SKIPS, 1, NULL);
    CHECK_INT(first.violation, ALDIS_VIOLATION_LOST);
    for (workers = 2; workers <= 4; workers += 2) {
        aldis_finding other = explore(PLANTED_SKIPS, 1, NULL);
        CHECK_STR(other.text, first.text);
        CHECK_UINT(other.fault_total, first.fault_total);
        CHECK_UINT(other.fault_count, first.fault_count);
        aldis_finding_fini(&other);
    }
    workers = 1;
    aldis_finding_fini(&first);
}
