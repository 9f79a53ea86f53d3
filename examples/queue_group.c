// SPDX-License-Identifier: Apache-2.0
/* queue_group.c: workers share out the jobs of a topic; a log beside them hears all of them. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_MESSAGE(job, int);
ALDIS_SIGNAL(begin);

#define WORKER_PROTOCOL(X, kind) X(kind, job)
ALDIS_PROTOCOL(worker, WORKER_PROTOCOL);
#define BOSS_PROTOCOL(X, kind) X(kind, begin)
ALDIS_PROTOCOL(boss, BOSS_PROTOCOL);

enum { JOBS = 12, WORKERS = 3, THE_LOG = WORKERS };
static int done[WORKERS + 1]; /* one worker thread, so plain counts will do */

static aldis_err worker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    int *number = state;
    *number = *(const int *)arg;
    if (*number == THE_LOG)
        return aldis_subscribe(ctx, "jobs.>");
    return aldis_subscribe_with(ctx, "jobs.*", &(aldis_subscribe_opts){.group = "crew"});
}

static aldis_err worker_on_job(int *number, const int *job, aldis_ctx *ctx)
{
    (void)job;
    (void)ctx;
    done[*number]++;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(worker, int, WORKER_PROTOCOL, .on_start = worker_start);

static aldis_err boss_on_begin(char *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)self;
    (void)msg;
    for (int i = 0; i < JOBS; i++) {
        aldis_fanout fanout;
        aldis_err err = aldis_publish(ctx, "jobs.weld", &fanout, job, i);
        if (err != ALDIS_OK)
            return err;
        if (fanout.delivered != 2) /* the log, and one of the crew */
            return aldis_fail(ctx, "not two");
    }
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(boss, char, BOSS_PROTOCOL);

int main(void)
{
    aldis_system *system;
    boss_ref boss;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i <= WORKERS && err == ALDIS_OK; i++) {
        worker_ref worker;
        err = aldis_spawn(system, worker, &worker, &(aldis_spawn_opts){ALDIS_ARG(&i)});
    }
    if (err != ALDIS_OK || aldis_spawn(system, boss, &boss, NULL) != ALDIS_OK) {
        fprintf(stderr, "queue_group: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until all have subscribed */
    aldis_signal(system, boss, begin);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    for (int i = 0; i < WORKERS; i++)
        printf("worker %d: %d jobs\n", i, done[i]);
    printf("the crew together: %d, the log: %d\n", done[0] + done[1] + done[2], done[THE_LOG]);
    aldis_system_destroy(system);
    return 0;
}
