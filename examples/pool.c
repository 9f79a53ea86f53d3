// SPDX-License-Identifier: Apache-2.0
/* pool.c: one address, three smiths behind it; one of them gives up, and its work moves on. */
#include <aldis/aldis.h>
#include <stdio.h>

struct job {
    uint32_t number;
};
ALDIS_MESSAGE(job, struct job);

#define SMITH_PROTOCOL(X, kind) X(kind, job)
ALDIS_PROTOCOL(smith, SMITH_PROTOCOL);
ALDIS_POOL(smithy, SMITH_PROTOCOL); /* a pool accepts what its routees accept */

struct smith {
    char unused;
};

static aldis_err smith_on_job(struct smith *self, const struct job *msg, aldis_ctx *ctx)
{
    (void)self;
    aldis_id me = aldis_self(ctx);
    printf("%2lld ms: job %u is done by smith %llu\n", (long long)(aldis_now(ctx) / ALDIS_MS),
           msg->number, (unsigned long long)(me.bits >> 20 & 0xff));
    if (msg->number == 4) { /* this one has had enough */
        printf("       and that smith leaves\n");
        aldis_stop(ctx, me);
    }
    return aldis_busy(ctx, 5 * ALDIS_MS); /* each job takes 5 ms */
}
ALDIS_BEHAVIOUR(smith, struct smith, SMITH_PROTOCOL);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    aldis_pool_opts pool = {.worker = &smith_behaviour, .size = 3, .route = ALDIS_ROUTE_SMALLEST};
    aldis_system *system;
    smithy_ref smithy;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_pool_spawn(system, smithy, &smithy, &pool) != ALDIS_OK) {
        fprintf(stderr, "pool: %s\n", aldis_error_last()->text);
        return 1;
    }
    for (uint32_t i = 1; i <= 9; i++)
        aldis_send(system, smithy, job, .number = i);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
