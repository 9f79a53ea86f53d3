// SPDX-License-Identifier: Apache-2.0
/* explore.c: a search for the run that goes wrong. A till sends each sale to the office and hopes
 * for the best. The explorer runs it with many seeds, each with other messages lost, doubled or
 * late, until a run breaks the promise, and says which faults are enough for that. */
#include <aldis/aldis.h>
#include <stdio.h>

enum { SALES = 20 };

struct sale {
    uint32_t number, cents;
};
ALDIS_MESSAGE(sale, struct sale);
ALDIS_SIGNAL(open_shop);

#define OFFICE_PROTOCOL(X, kind) X(kind, sale)
ALDIS_PROTOCOL(office, OFFICE_PROTOCOL);
#define TILL_PROTOCOL(X, kind) X(kind, open_shop)
ALDIS_PROTOCOL(till, TILL_PROTOCOL);

struct office {
    uint32_t last;
};

static uint32_t booked; /* read when the run is over */

/* It has thought of sales that come twice, and of those that come late. */
static aldis_err office_on_sale(struct office *self, const struct sale *msg, aldis_ctx *ctx)
{
    (void)ctx;
    if (msg->number <= self->last)
        return ALDIS_OK;
    self->last = msg->number;
    booked++;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(office, struct office, OFFICE_PROTOCOL);

struct till {
    office_ref office;
};

static aldis_err till_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    ((struct till *)state)->office = *(const office_ref *)arg;
    return ALDIS_OK;
}

static aldis_err till_on_open_shop(struct till *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    for (uint32_t i = 1; i <= SALES; i++) {
        aldis_err err =
            aldis_send_after(ctx, i * ALDIS_SECOND, self->office, sale, .number = i, .cents = 250);
        if (err != ALDIS_OK)
            return err;
    }
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(till, struct till, TILL_PROTOCOL, .on_start = till_start);

/* One run, in a process of its own. */
static void trial(void *arg, aldis_trial *trial)
{
    (void)arg;
    aldis_system *system;
    office_ref office;
    till_ref till;
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .seed = aldis_trial_seed(trial)};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, office, &office, NULL) != ALDIS_OK ||
        aldis_spawn(system, till, &till, &(aldis_spawn_opts){ALDIS_ARG(&office)}) != ALDIS_OK ||
        aldis_trial_inject(trial, system) != ALDIS_OK) {
        aldis_trial_fail(trial, ALDIS_VIOLATION_UNEXPECTED, "%s", aldis_error_last()->text);
        return;
    }
    aldis_signal(system, till, open_shop);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_trial_check(trial, system);
    if (booked < SALES)
        aldis_trial_fail(trial, ALDIS_VIOLATION_LOST, "%u sales of %d are booked", booked, SALES);
    aldis_system_destroy(system);
}

int main(void)
{
    aldis_finding finding;
    aldis_explore_opts opts = {.first_seed = 1, .last_seed = 1000}; /* with light faults */
    if (aldis_explore(&opts, trial, NULL, &finding) != ALDIS_OK) {
        fprintf(stderr, "explore: %s\n", aldis_error_last()->text);
        return 1;
    }
    printf("seed %llu: %s: %s\n", (unsigned long long)finding.seed,
           aldis_violation_name(finding.violation), finding.text);
    printf("enough for that:\n");
    for (size_t i = 0; i < finding.fault_count; i++)
        printf("  %s of %s from %s to %s\n", aldis_fault_kind_name(finding.faults[i].kind),
               finding.faults[i].type_name, finding.faults[i].actor_kind,
               finding.faults[i].other_kind);
    aldis_finding_fini(&finding);
    return 0;
}
