// SPDX-License-Identifier: Apache-2.0
/* 11_2.c: a crane and a belt that must be restarted together, and a lamp that does not care.
 * Chapter 11, exercise 2. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_SIGNAL(lift);
ALDIS_SIGNAL(work);

#define PART_PROTOCOL(X, kind) X(kind, lift)
ALDIS_PROTOCOL(part, PART_PROTOCOL);
#define HARBOUR_PROTOCOL(X, kind) X(kind, work)
ALDIS_PROTOCOL(harbour, HARBOUR_PROTOCOL);

struct part {
    const char *name; /* lost with a failure, and given again by on_start */
};

static aldis_err part_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct part *self = state;
    *self = *(const struct part *)arg;
    printf("%2d s: the %s starts\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name);
    return ALDIS_OK;
}

static aldis_err part_on_lift(struct part *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%2d s: the %s fails\n", (int)(aldis_now(ctx) / ALDIS_SECOND), self->name);
    return aldis_fail(ctx, "torn");
}
ALDIS_BEHAVIOUR(part, struct part, PART_PROTOCOL, .on_start = part_start);

struct harbour {
    part_ref crane;
};

static aldis_err spawn_part(aldis_ctx *ctx, const char *name, aldis_restart_mode mode,
                            part_ref *out_part)
{
    const struct part part = {.name = name};
    return aldis_spawn(ctx, part, out_part,
                       &(aldis_spawn_opts){ALDIS_ARG(&part), .restart = {.mode = mode}});
}

static aldis_err harbour_start(void *state, const void *arg, aldis_ctx *ctx)
{
    part_ref belt, lamp;
    (void)arg;
    aldis_err err =
        spawn_part(ctx, "crane", ALDIS_RESTART_ON_FAILURE, &((struct harbour *)state)->crane);
    if (err == ALDIS_OK)
        err = spawn_part(ctx, "belt", ALDIS_RESTART_ON_FAILURE, &belt);
    if (err == ALDIS_OK)
        err = spawn_part(ctx, "lamp", ALDIS_RESTART_DEFAULT, &lamp); /* none: it is left alone */
    return err;
}

static aldis_err harbour_on_work(struct harbour *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    return aldis_signal(ctx, self->crane, lift);
}
ALDIS_BEHAVIOUR(harbour, struct harbour, HARBOUR_PROTOCOL, .on_start = harbour_start,
                .supervisor = {.strategy = ALDIS_ONE_FOR_ALL, .backoff_ns = 4 * ALDIS_SECOND});

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    harbour_ref harbour;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, harbour, &harbour, NULL) != ALDIS_OK ||
        aldis_signal_after(system, 10 * ALDIS_SECOND, harbour, work) != ALDIS_OK) {
        fprintf(stderr, "11_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
