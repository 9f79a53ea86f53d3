// SPDX-License-Identifier: Apache-2.0
/* explore_test.c: the explorer finds every planted bug, shrinks it, and finds none where there is
 * none. */
#include "harness.h"
#include "protocol.h"

#include <string.h>

static aldis_finding explore(enum protocol_bug bug, uint64_t seeds)
{
    aldis_finding finding = {.seed = 0};
    aldis_explore_opts opts = {.first_seed = 1,
                               .last_seed = seeds,
                               .plan = protocol_plan(),
                               .timeout_ns = bug == BUG_HANGS ? ALDIS_SECOND / 2 : 0,
                               .shrink_trials = bug == BUG_HANGS ? 4 : 3000};
    CHECK_OK(aldis_explore(&opts, protocol_trial, &bug, &finding));
    return finding;
}

/* One trial more, with the faults of the finding and no others. */
static aldis_finding again(enum protocol_bug bug, const aldis_finding *first, size_t faults)
{
    aldis_finding finding = {.seed = 0};
    aldis_fault_plan plan = {.faults = first->faults, .fault_count = faults};
    aldis_explore_opts opts = {
        .first_seed = first->seed, .last_seed = first->seed, .plan = &plan, .jobs = 1};
    CHECK_OK(aldis_explore(&opts, protocol_trial, &bug, &finding));
    return finding;
}

static void find(enum protocol_bug bug, unsigned expected, int faults_max)
{
    aldis_finding finding = explore(bug, 2000);
    CHECK(finding.violation != ALDIS_VIOLATION_NONE);
    CHECK(expected & 1u << finding.violation);
    CHECK(finding.is_shrunk);
    CHECK(finding.fault_count <= finding.fault_total);
    CHECK(finding.fault_count <= (size_t)faults_max);
    aldis_finding repeated = again(bug, &finding, finding.fault_count);
    CHECK_INT(repeated.violation, finding.violation);
    aldis_finding_fini(&repeated);
    if (finding.fault_count > 0) { /* and none of them can be left out */
        repeated = again(bug, &finding, finding.fault_count - 1);
        CHECK(repeated.violation != finding.violation);
        aldis_finding_fini(&repeated);
    }
    aldis_finding_fini(&finding);
}

#define LOST (1u << ALDIS_VIOLATION_LOST)
#define DUPLICATE (1u << ALDIS_VIOLATION_DUPLICATE)
#define ORDER (1u << ALDIS_VIOLATION_ORDER)

TEST(explore_finds_an_ack_before_the_sync)
{
    find(BUG_ACK_BEFORE_SYNC, LOST, 12);
}

TEST(explore_finds_a_filter_in_memory)
{
    find(BUG_FILTER_IN_MEMORY, LOST | DUPLICATE | ORDER, 12);
}

TEST(explore_finds_a_filter_with_a_window)
{
    find(BUG_FILTER_WINDOW, DUPLICATE, 120);
}

TEST(explore_finds_a_send_before_the_sync)
{
    find(BUG_SEND_BEFORE_SYNC, LOST, 12);
}

TEST(explore_finds_a_receiver_that_takes_gaps)
{
    find(BUG_TAKES_GAPS, LOST, 12);
}

/* Until the end of the run every message of one sender has to be lost. */
TEST(explore_finds_a_sender_that_gives_up)
{
    find(BUG_GIVES_UP, LOST, 300);
}

TEST(explore_finds_what_was_accepted_before_the_sync)
{
    find(BUG_ACCEPT_BEFORE_SYNC, LOST, 12);
}

TEST(explore_finds_new_numbers_after_a_restart)
{
    find(BUG_RENUMBERS, DUPLICATE, 12);
}

TEST(explore_finds_nothing_where_there_is_nothing)
{
    aldis_finding finding = explore(BUG_NONE, 60);
    CHECK_STR(finding.text, "");
    CHECK_INT(finding.violation, ALDIS_VIOLATION_NONE);
    CHECK_UINT(finding.trials, 60);
    aldis_finding_fini(&finding);
}

/* A trial that takes its process with it is a finding with a seed, and shrunk like any other. */
TEST(explore_survives_trials_that_crash)
{
    aldis_finding finding = explore(BUG_CRASHES, 100);
    CHECK_INT(finding.violation, ALDIS_VIOLATION_CRASHED);
    CHECK(strstr(finding.text, "signal") != NULL);
    aldis_finding_fini(&finding);
}

TEST(explore_survives_trials_that_hang)
{
    aldis_finding finding = explore(BUG_HANGS, 2);
    CHECK_INT(finding.violation, ALDIS_VIOLATION_HUNG);
    aldis_finding_fini(&finding);
}

TEST(explore_names_the_lowest_seed_on_any_number_of_jobs)
{
    enum protocol_bug bug = BUG_TAKES_GAPS;
    uint64_t seed = 0;
    for (uint32_t jobs = 1; jobs <= 5; jobs += 2) {
        aldis_finding finding = {.seed = 0};
        aldis_explore_opts opts = {.first_seed = 1,
                                   .last_seed = 100,
                                   .plan = protocol_plan(),
                                   .jobs = jobs,
                                   .shrink_trials = 1};
        CHECK_OK(aldis_explore(&opts, protocol_trial, &bug, &finding));
        if (jobs > 1)
            CHECK_UINT(finding.seed, seed);
        seed = finding.seed;
        aldis_finding_fini(&finding);
    }
}

static bool count_calls(void *arg, uint64_t trials, bool shrinking)
{
    (void)shrinking;
    return ++*(int *)arg < 5 && trials < 1000;
}

TEST(explore_ends_when_it_is_told_to)
{
    enum protocol_bug bug = BUG_NONE;
    int calls = 0;
    aldis_finding finding = {.seed = 0};
    aldis_explore_opts opts = {.last_seed = UINT64_MAX,
                               .plan = protocol_plan(),
                               .on_progress = count_calls,
                               .progress_arg = &calls};
    CHECK_ERR(aldis_explore(&opts, protocol_trial, &bug, &finding), ALDIS_ETIMEDOUT);
    CHECK_INT(calls, 5);
    aldis_finding_fini(&finding);
}

TEST(explore_refuses_wrong_options)
{
    aldis_finding finding;
    enum protocol_bug bug = BUG_NONE;
    const aldis_explore_opts wrong[] = {
        {.first_seed = 2, .last_seed = 1}, {.jobs = 65}, {.timeout_ns = -1}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_ERR(aldis_explore(&wrong[i], protocol_trial, &bug, &finding), ALDIS_EINVAL);
    CHECK_ERR(aldis_explore(NULL, protocol_trial, &bug, &finding), ALDIS_EINVAL);
    CHECK_ERR(aldis_explore(&wrong[0], NULL, &bug, &finding), ALDIS_EINVAL);
    CHECK_ERR(aldis_explore(&wrong[0], protocol_trial, &bug, NULL), ALDIS_EINVAL);
    aldis_finding_fini(NULL);
    CHECK_STR(aldis_violation_name(ALDIS_VIOLATION_STUCK), "stuck");
}
