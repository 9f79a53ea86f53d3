// SPDX-License-Identifier: Apache-2.0
/* mm1.c: a queue in virtual time. Customers come at random, one server takes a random time for
 * each: the queue M/M/1, of which theory knows the mean wait. `mm1 SEED` draws other numbers. */
#include <aldis/aldis.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ARRIVALS_PER_S 0.8
#define SERVICES_PER_S 1.0
enum { WARM_UP = 10000, BATCHES = 20, BATCH = 10000 };

struct customer {
    aldis_ns arrived_ns;
};
ALDIS_MESSAGE(customer, struct customer);
ALDIS_SIGNAL(next);

#define SERVER_PROTOCOL(X, kind) X(kind, customer)
ALDIS_PROTOCOL(server, SERVER_PROTOCOL);
#define DOOR_PROTOCOL(X, kind) X(kind, next)
ALDIS_PROTOCOL(door, DOOR_PROTOCOL);

/* A time between two events of a Poisson process. */
static aldis_ns exponential(aldis_ctx *ctx, double per_s)
{
    return (aldis_ns)(-log(1 - aldis_random_unit(ctx)) / per_s * ALDIS_SECOND);
}

struct door {
    server_ref server;
};

static aldis_err door_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct door *self = state;
    self->server = *(const server_ref *)arg;
    door_ref me = {.id = aldis_self(ctx)};
    return aldis_signal(ctx, me, next);
}

/* One comes in, and the next is on the way. It takes the lookahead to walk to the server. */
static aldis_err door_on_next(struct door *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    door_ref me = {.id = aldis_self(ctx)};
    aldis_err err = aldis_signal_after(ctx, exponential(ctx, ARRIVALS_PER_S), me, next);
    if (err != ALDIS_OK)
        return err;
    return aldis_send(ctx, self->server, customer, .arrived_ns = aldis_now(ctx) + ALDIS_MS);
}
ALDIS_BEHAVIOUR(door, struct door, DOOR_PROTOCOL, .on_start = door_start);

struct server {
    uint64_t served;
};

static double wait_s[BATCHES]; /* mean of each batch; written by the server, read after the run */

/* Who finds the server busy waits in its mailbox, where time passes. */
static aldis_err server_on_customer(struct server *self, const struct customer *msg, aldis_ctx *ctx)
{
    if (self->served >= WARM_UP) {
        double waited_s = (double)(aldis_now(ctx) - msg->arrived_ns) / ALDIS_SECOND;
        wait_s[(self->served - WARM_UP) / BATCH] += waited_s / BATCH;
    }
    if (++self->served == WARM_UP + BATCHES * BATCH)
        aldis_halt(ctx);
    return aldis_busy(ctx, exponential(ctx, SERVICES_PER_S));
}
ALDIS_BEHAVIOUR(server, struct server, SERVER_PROTOCOL, .mailbox = {.capacity_msgs = 100000});

/* Waits that follow each other are alike, the means of long batches are nearly independent. */
static void report(void)
{
    const double t_95 = 2.093; /* Student's t for BATCHES - 1 degrees of freedom */
    double mean = 0, variance = 0;
    for (int i = 0; i < BATCHES; i++)
        mean += wait_s[i] / BATCHES;
    for (int i = 0; i < BATCHES; i++)
        variance += (wait_s[i] - mean) * (wait_s[i] - mean) / (BATCHES - 1);
    double half = t_95 * sqrt(variance / BATCHES);
    double rho = ARRIVALS_PER_S / SERVICES_PER_S;
    double theory = rho / (SERVICES_PER_S - ARRIVALS_PER_S);
    printf("mean wait %.3f s, between %.3f and %.3f with 95 %% confidence\n", mean, mean - half,
           mean + half);
    printf("theory: %.3f s, which is %s\n", theory,
           fabs(mean - theory) <= half ? "inside" : "outside");
}

int main(int argc, char **argv)
{
    aldis_system *system;
    server_ref server;
    door_ref door;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL,
                              .seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, server, &server, NULL) != ALDIS_OK ||
        aldis_spawn(system, door, &door, &(aldis_spawn_opts){ALDIS_ARG(&server)}) != ALDIS_OK) {
        fprintf(stderr, "mm1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_err err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    double days = (double)aldis_system_now(system) / ALDIS_HOUR / 24;
    printf("%d customers in %.1f days\n", WARM_UP + BATCHES * BATCH, days);
    report();
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
