// SPDX-License-Identifier: Apache-2.0
/* 11_errors.c: whose fault is it, who hears of it, and what goes on: a harbour, its crane, and
 * crates that tear the rope. Chapter 11 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROPE_T = 50 };

ALDIS_MESSAGE(lift, int32_t); /* tonnes */
ALDIS_SIGNAL(monday);
ALDIS_SIGNAL(tuesday);

#define CRANE_PROTOCOL(X, kind) X(kind, lift)
ALDIS_PROTOCOL(crane, CRANE_PROTOCOL);
#define HARBOUR_PROTOCOL(X, kind) X(kind, monday) X(kind, tuesday)
ALDIS_PROTOCOL(harbour, HARBOUR_PROTOCOL);
#define OWNER_PROTOCOL(X, kind) X(kind, aldis_down)
ALDIS_PROTOCOL(owner, OWNER_PROTOCOL);

static int now_s(aldis_ctx *ctx)
{
    return (int)(aldis_now(ctx) / ALDIS_SECOND);
}

struct crane {
    int lifted; /* since its start */
};

static aldis_err crane_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    (void)arg;
    printf("%2d s: a crane starts\n", now_s(ctx));
    return ALDIS_OK;
}

static aldis_err crane_on_lift(struct crane *self, const int32_t *tonnes, aldis_ctx *ctx)
{
    if (*tonnes < 1)
        return aldis_reject(ctx, ALDIS_EINVAL); /* the sender's fault: it is told */
    if (*tonnes > ROPE_T) {
        printf("%2d s: %d t: the rope tears\n", now_s(ctx), (int)*tonnes);
        return aldis_fail(ctx, "the rope is torn"); /* its own: it is restarted */
    }
    printf("%2d s: %d t, its number %d\n", now_s(ctx), (int)*tonnes, ++self->lifted);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(crane, struct crane, CRANE_PROTOCOL, .on_start = crane_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE, .poison_tries = 2});

struct harbour {
    crane_ref crane;
};

static aldis_err harbour_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)arg;
    return aldis_spawn(ctx, crane, &((struct harbour *)state)->crane, NULL);
}

static aldis_err send_crates(struct harbour *self, aldis_ctx *ctx, const int32_t *tonnes, int count)
{
    aldis_err err = ALDIS_OK;
    for (int i = 0; i < count && err == ALDIS_OK; i++)
        err = aldis_send_copy(ctx, self->crane, lift, &tonnes[i]);
    return err;
}

static aldis_err harbour_on_monday(struct harbour *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    static const int32_t tonnes[] = {10, -1, 20, 99, 30};
    return send_crates(self, ctx, tonnes, 5);
}

static aldis_err harbour_on_tuesday(struct harbour *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    static const int32_t tonnes[] = {99, 98, 97};
    return send_crates(self, ctx, tonnes, 3);
}

/* A message that was sent, and then refused by its receiver. */
static void harbour_on_undelivered(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)state;
    printf("%2d s: the harbour hears: %s was refused: %s\n", now_s(ctx), notice->type_name,
           aldis_error_text(notice->reason));
}
ALDIS_BEHAVIOUR(harbour, struct harbour, HARBOUR_PROTOCOL, .on_start = harbour_start,
                .on_undelivered = harbour_on_undelivered,
                .supervisor = {
                    .intensity = 3, .period_ns = ALDIS_MINUTE / 2, .backoff_ns = 4 * ALDIS_SECOND});

static aldis_err owner_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)state;
    aldis_monitor_ref monitor;
    return aldis_monitor(ctx, ((const harbour_ref *)arg)->id, &monitor);
}

static aldis_err owner_on_aldis_down(char *unused, const aldis_down *msg, aldis_ctx *ctx)
{
    (void)unused;
    printf("%2d s: the owner hears: the %s has ended: %s\n", now_s(ctx), msg->kind,
           aldis_error_text(msg->err));
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(owner, char, OWNER_PROTOCOL, .on_start = owner_start);

static bool print_letter(void *arg, const aldis_dead_letter *letter)
{
    int32_t tonnes;
    (void)arg;
    memcpy(&tonnes, letter->payload, sizeof tonnes);
    printf("  dead letter: %s of %d t: %s\n", letter->type_name, (int)tonnes,
           aldis_error_text(letter->reason));
    return true;
}

static void two_days(aldis_system *system, harbour_ref harbour)
{
    printf("main: after -5 s: %s\n",
           aldis_error_text(aldis_signal_after(system, -5 * ALDIS_SECOND, harbour, monday)));
    aldis_signal(system, harbour, monday);
    aldis_signal_after(system, ALDIS_MINUTE, harbour, tuesday);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    printf("main: a third day: %s\n", aldis_error_text(aldis_signal(system, harbour, monday)));
    aldis_system_dead_letters(system, NULL, print_letter, NULL, NULL);
}

int main(void)
{
    aldis_system_opts opts = {
        .clock = ALDIS_CLOCK_VIRTUAL, .workers = 1, .lookahead_ns = ALDIS_SECOND};
    aldis_system *system;
    harbour_ref harbour;
    owner_ref owner;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, harbour, &harbour, NULL) != ALDIS_OK ||
        aldis_spawn(system, owner, &owner, &(aldis_spawn_opts){ALDIS_ARG(&harbour)}) != ALDIS_OK) {
        fprintf(stderr, "11_errors: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    two_days(system, harbour);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
