// SPDX-License-Identifier: Apache-2.0
/* lifetime_test.c: systems come and go a thousand times and leave nothing behind; in the child of a
 * fork every call is refused and nothing is touched. */
#include "harness.h"
#include <aldis/aldis.h>

#include <dirent.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct number {
    uint64_t value;
};
ALDIS_MESSAGE(number, struct number);
ALDIS_SIGNAL(later);
#define ECHO_PROTOCOL(X, kind) X(kind, number) X(kind, later)
ALDIS_PROTOCOL(echo, ECHO_PROTOCOL);

static aldis_err echo_on_number(struct number *self, const struct number *msg, aldis_ctx *ctx)
{
    self->value = msg->value;
    if (msg->value == 0)
        return ALDIS_OK;
    aldis_timer timer;
    aldis_timer_once(ctx, ALDIS_HOUR, later, &timer); /* still armed when the system ends */
    return aldis_send(ctx, (echo_ref){.id = aldis_self(ctx)}, number, .value = msg->value - 1);
}

static aldis_err echo_on_later(struct number *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg, (void)ctx;
    return ALDIS_OK;
}

ALDIS_BEHAVIOUR(echo, struct number, ECHO_PROTOCOL);

/* ------------------------------------------------------------------ coming and going */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum {
    CYCLES = 100,
    COUNTS_BYTES = 0
}; /* the sanitizer has its own allocator, and counts itself */
#else
enum { CYCLES = 1000, COUNTS_BYTES = 1 };
#endif

static void live_and_die(aldis_clock clock, uint32_t cycle)
{
    aldis_system *system;
    echo_ref echoes[4];
    aldis_system_opts opts = {.clock = clock, .workers = 2, .shards = 4, .seed = cycle};
    CHECK_OK(aldis_system_create(&opts, &system));
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_OK(aldis_spawn(system, echo, &echoes[i], NULL));
        CHECK_OK(aldis_send(system, echoes[i], number, .value = 3));
    }
    /* Some end with all their mail handled, some in the middle, some after a proper stop. */
    if (cycle % 3 == 0)
        CHECK_OK(aldis_system_run(system, ALDIS_SECOND / 1000, NULL));
    if (cycle % 3 == 1)
        CHECK_OK(aldis_system_stop(system, ALDIS_FOREVER));
    CHECK_OK(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
}

static size_t count_entries(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Address space in pages: memory mapped and never unmapped shows here. */
static size_t count_pages(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK_INT(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages;
}

static void check_cycles(aldis_clock clock)
{
    /* The C library keeps some memory and the stacks of some threads: let it have them first. */
    for (uint32_t i = 0; i < 20; i++)
        live_and_die(clock, i);
    size_t threads = count_entries("/proc/self/task"), files = count_entries("/proc/self/fd");
    size_t bytes = mallinfo2().uordblks, pages = count_pages();
    for (uint32_t i = 0; i < CYCLES; i++)
        live_and_die(clock, i);
    CHECK_UINT(count_entries("/proc/self/task"), threads);
    CHECK_UINT(count_entries("/proc/self/fd"), files);
    if (!COUNTS_BYTES)
        return;
    size_t bytes_now = mallinfo2().uordblks, pages_now = count_pages();
    printf("# %zu bytes before, %zu after; %zu pages before, %zu after\n", bytes, bytes_now, pages,
           pages_now);
    CHECK(bytes_now < bytes + (size_t)CYCLES * 8); /* one pointer a cycle would be too much */
    CHECK(pages_now < pages + (size_t)CYCLES);     /* and so would be one page */
}

TEST(lifetime_a_thousand_live_systems_leave_nothing_behind)
{
    check_cycles(ALDIS_CLOCK_LIVE);
}

TEST(lifetime_a_thousand_virtual_systems_leave_nothing_behind)
{
    check_cycles(ALDIS_CLOCK_VIRTUAL);
}

/* ------------------------------------------------------------------ idleness */

static aldis_err sleeper_on_number(struct number *self, const struct number *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg;
    aldis_timer timer;
    aldis_err err = aldis_timer_once(ctx, ALDIS_HOUR, later, &timer);
    return err == ALDIS_OK ? aldis_timer_cancel(ctx, timer) : err;
}

static aldis_err sleeper_on_later(struct number *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self, (void)msg, (void)ctx;
    return ALDIS_OK;
}

ALDIS_PROTOCOL(sleeper, ECHO_PROTOCOL);
ALDIS_BEHAVIOUR(sleeper, struct number, ECHO_PROTOCOL);

/* These two would take an hour. */
TEST(lifetime_a_drain_that_is_done_keeps_no_system_busy)
{
    aldis_system *system;
    aldis_run_end end;
    echo_ref echo;
    CHECK_OK(aldis_system_create(&(aldis_system_opts){.workers = 2, .shards = 4}, &system));
    CHECK_OK(aldis_spawn(system, echo, &echo, NULL));
    CHECK_OK(aldis_drain(system, echo.id, ALDIS_HOUR));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
    CHECK(aldis_is_closed(system, echo.id));
    CHECK_OK(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
}

TEST(lifetime_a_cancelled_timer_keeps_no_system_busy)
{
    aldis_system *system;
    aldis_run_end end;
    sleeper_ref sleeper;
    CHECK_OK(aldis_system_create(&(aldis_system_opts){.workers = 2, .shards = 4}, &system));
    CHECK_OK(aldis_spawn(system, sleeper, &sleeper, NULL));
    CHECK_OK(aldis_send(system, sleeper, number, .value = 1));
    CHECK_OK(aldis_system_run(system, ALDIS_FOREVER, &end));
    CHECK_INT(end, ALDIS_RUN_IDLE);
    aldis_system_destroy(system);
}

/* ------------------------------------------------------------------ fork */

/* In the child: 0, or the number of the first call that was not refused. */
static int try_everything(aldis_system *system, echo_ref echo)
{
    echo_ref child;
    aldis_stats stats;
    aldis_status status;
    aldis_audit audit;
    if (aldis_send(system, echo, number, .value = 1) != ALDIS_ESTATE)
        return 1;
    if (aldis_spawn(system, echo, &child, NULL) != ALDIS_ESTATE)
        return 2;
    if (aldis_stop(system, echo.id) != ALDIS_ESTATE)
        return 3;
    if (aldis_system_run(system, ALDIS_FOREVER, NULL) != ALDIS_ESTATE)
        return 4;
    if (aldis_system_stop(system, ALDIS_FOREVER) != ALDIS_ESTATE)
        return 5;
    if (aldis_system_stats(system, &stats) != ALDIS_ESTATE)
        return 6;
    if (aldis_system_audit(system, &audit) != ALDIS_ESTATE)
        return 7;
    if (aldis_system_status(system, echo.id, &status) != ALDIS_ESTATE)
        return 8;
    if (aldis_system_on_high_water(system, 0, NULL, NULL) != ALDIS_ESTATE)
        return 9;
    aldis_system_halt(system);
    aldis_system_destroy(system);
    return 0;
}

static void check_fork(aldis_clock clock)
{
    aldis_system *system;
    echo_ref echo;
    aldis_system_opts opts = {.clock = clock, .workers = 2, .shards = 4};
    CHECK_OK(aldis_system_create(&opts, &system));
    CHECK_OK(aldis_spawn(system, echo, &echo, NULL));
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        _exit(try_everything(system, echo));
    int how = 0;
    CHECK_INT(waitpid(pid, &how, 0), pid);
    CHECK(WIFEXITED(how));
    CHECK_INT(WEXITSTATUS(how), 0);
    /* The parent has noticed nothing. */
    CHECK_OK(aldis_send(system, echo, number, .value = 0));
    CHECK_OK(
        aldis_system_run(system, clock == ALDIS_CLOCK_LIVE ? ALDIS_FOREVER : ALDIS_SECOND, NULL));
    aldis_status status;
    CHECK_OK(aldis_system_status(system, echo.id, &status));
    CHECK_UINT(status.handled_msgs, 1);
    CHECK_OK(aldis_system_audit(system, NULL));
    aldis_system_destroy(system);
}

TEST(lifetime_calls_after_fork_are_refused_live)
{
    check_fork(ALDIS_CLOCK_LIVE);
}

TEST(lifetime_calls_after_fork_are_refused_virtual)
{
    check_fork(ALDIS_CLOCK_VIRTUAL);
}

/* A child may have systems of its own. */
TEST(lifetime_the_child_of_a_fork_makes_its_own_system)
{
    aldis_system *system;
    CHECK_OK(aldis_system_create(&(aldis_system_opts){.workers = 2, .shards = 4}, &system));
    fflush(stdout);
#if defined(__SANITIZE_THREAD__)
    aldis_system_destroy(system);
    SKIP("the thread sanitizer allows no threads in the child of a process with threads");
#endif
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        live_and_die(ALDIS_CLOCK_LIVE, 1);
        _exit(0);
    }
    int how = 0;
    CHECK_INT(waitpid(pid, &how, 0), pid);
    CHECK(WIFEXITED(how));
    CHECK_INT(WEXITSTATUS(how), 0);
    aldis_system_destroy(system);
}
