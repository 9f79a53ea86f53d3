// SPDX-License-Identifier: Apache-2.0
/* 10_2.c: a crane that confirms a crate when the crate is in the hold, five seconds later; once
 * with a time-out that is too short. Chapter 10, exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { CRATES = 4 };

ALDIS_MESSAGE(crate, uint32_t);
ALDIS_SIGNAL(lift);
ALDIS_SIGNAL(load);

#define CRANE_PROTOCOL(X, kind) X(kind, crate) X(kind, lift)
ALDIS_PROTOCOL(crane, CRANE_PROTOCOL);
#define QUAY_PROTOCOL(X, kind) X(kind, load) X(kind, aldis_delivered)
ALDIS_PROTOCOL(quay, QUAY_PROTOCOL);

struct crane {
    aldis_ack_token tokens[64]; /* of the crates that it still has to lift, oldest first: a ring */
    uint32_t first, waiting, lifted;
};

static aldis_err crane_on_crate(struct crane *self, const uint32_t *number, aldis_ctx *ctx)
{
    (void)number;
    if (self->waiting == 64)
        return ALDIS_EFULL; /* refused: it comes again */
    aldis_timer timer;
    aldis_err err = aldis_ack_later(ctx, &self->tokens[(self->first + self->waiting) % 64]);
    if (err != ALDIS_OK)
        return err;
    self->waiting++;
    return aldis_timer_once(ctx, self->waiting * 5 * ALDIS_SECOND, lift, &timer);
}

static aldis_err crane_on_lift(struct crane *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_ack_token token = self->tokens[self->first];
    self->first = (self->first + 1) % 64;
    self->waiting--;
    self->lifted++;
    return aldis_ack_with(ctx, token, ALDIS_OK);
}
ALDIS_BEHAVIOUR(crane, struct crane, CRANE_PROTOCOL);

struct quay {
    aldis_ns timeout_ns;
    crane_ref crane;
    uint32_t confirmed, attempts;
};

static aldis_err quay_start(void *state, const void *arg, aldis_ctx *ctx)
{
    struct quay *self = state;
    self->timeout_ns = *(const aldis_ns *)arg;
    return aldis_spawn(ctx, crane, &self->crane, NULL);
}

static aldis_err quay_on_load(struct quay *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = ALDIS_OK;
    for (uint32_t i = 1; i <= CRATES && err == ALDIS_OK; i++)
        err = aldis_send_reliable(
            ctx, self->crane, crate, NULL,
            aldis_reliable_with(.timeout_ns = self->timeout_ns, .max_attempts = 11), i);
    return err;
}

static aldis_err quay_on_aldis_delivered(struct quay *self, const aldis_delivered *msg,
                                         aldis_ctx *ctx)
{
    (void)ctx;
    self->attempts += msg->attempts;
    if (++self->confirmed == CRATES)
        printf("time-out %2d s: %d crates confirmed after %" PRIu32 " attempts\n",
               (int)(self->timeout_ns / ALDIS_SECOND), CRATES, self->attempts);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(quay, struct quay, QUAY_PROTOCOL, .on_start = quay_start);

int main(void)
{
    static const aldis_ns timeouts_ns[] = {ALDIS_SECOND, 30 * ALDIS_SECOND};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .seed = 1, .workers = 1};
    aldis_system *system;
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < 2 && err == ALDIS_OK; i++) {
        quay_ref quay;
        err = aldis_spawn(system, quay, &quay, &(aldis_spawn_opts){ALDIS_ARG(&timeouts_ns[i])});
        if (err == ALDIS_OK)
            err = aldis_signal(system, quay, load);
        if (err == ALDIS_OK)
            err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    }
    if (err != ALDIS_OK)
        fprintf(stderr, "10_2: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
