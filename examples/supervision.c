// SPDX-License-Identifier: Apache-2.0
/* supervision.c: a worker that fails is begun again; one that always fails is given up. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

struct job {
    uint32_t number;
    uint32_t divisor;
};
ALDIS_MESSAGE(job, struct job);
ALDIS_SIGNAL(give_work);

#define WORKER_PROTOCOL(X, kind) X(kind, job)
ALDIS_PROTOCOL(worker, WORKER_PROTOCOL);
#define BOSS_PROTOCOL(X, kind) X(kind, give_work)
ALDIS_PROTOCOL(boss, BOSS_PROTOCOL);
#define OWNER_PROTOCOL(X, kind) X(kind, aldis_down)
ALDIS_PROTOCOL(owner, OWNER_PROTOCOL);

struct worker {
    uint32_t done; /* lost with a failure */
};

static aldis_err worker_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    printf("%3" PRId64 " ms  worker starts\n", aldis_now(ctx) / ALDIS_MS);
    return ALDIS_OK;
}

static aldis_err worker_on_job(struct worker *self, const struct job *msg, aldis_ctx *ctx)
{
    printf("%3" PRId64 " ms  job %u: ", aldis_now(ctx) / ALDIS_MS, msg->number);
    if (msg->divisor == 0) {
        printf("fails\n");
        return aldis_fail(ctx, "division by zero");
    }
    printf("%u, the worker's number %u\n", 100 / msg->divisor, ++self->done);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(worker, struct worker, WORKER_PROTOCOL, .on_start = worker_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

struct boss {
    worker_ref worker;
};

static aldis_err boss_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    boss_ref me = {.id = aldis_self(ctx)};
    aldis_err err = aldis_spawn(ctx, worker, &((struct boss *)state)->worker, NULL);
    return err == ALDIS_OK ? aldis_signal(ctx, me, give_work) : err;
}

static aldis_err boss_on_give_work(struct boss *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    static const uint32_t divisors[] = {5, 0, 10, 0, 0, 4};
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 0; i < 6 && err == ALDIS_OK; i++)
        err = aldis_send(ctx, self->worker, job, .number = i + 1, .divisor = divisors[i]);
    return err;
}
ALDIS_BEHAVIOUR(boss, struct boss, BOSS_PROTOCOL, .on_start = boss_start,
                .supervisor = {
                    .intensity = 2, .period_ns = ALDIS_SECOND, .backoff_ns = 20 * ALDIS_MS});

struct owner {
    boss_ref boss;
};

static aldis_err owner_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct owner *self = state;
    aldis_monitor_ref monitor;
    (void)arg;
    aldis_err err = aldis_spawn(ctx, boss, &self->boss, NULL);
    return err == ALDIS_OK ? aldis_monitor(ctx, self->boss.id, &monitor) : err;
}

/* Once, when the actor has ended: a restart is no end. */
static aldis_err owner_on_aldis_down(struct owner *self, const aldis_down *msg, aldis_ctx *ctx)
{
    (void)self;
    printf("%3" PRId64 " ms  the %s is gone: %s\n", aldis_now(ctx) / ALDIS_MS, msg->kind,
           aldis_error_text(msg->err));
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(owner, struct owner, OWNER_PROTOCOL, .on_start = owner_start);

int main(void)
{
    aldis_system *system;
    owner_ref owner;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, owner, &owner, NULL) != ALDIS_OK) {
        fprintf(stderr, "supervision: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
