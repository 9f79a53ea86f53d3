// SPDX-License-Identifier: Apache-2.0
/* 11_1.c: the crates that tore the rope are sent again, to a stronger crane. Chapter 11,
 * exercise 1. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(lift, int32_t);

#define CRANE_PROTOCOL(X, kind) X(kind, lift)
ALDIS_PROTOCOL(crane, CRANE_PROTOCOL);

struct crane {
    int32_t rope_t;
};

static aldis_err crane_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct crane *)state = *(const struct crane *)arg;
    return ALDIS_OK;
}

static aldis_err crane_on_lift(struct crane *self, const int32_t *tonnes, aldis_ctx *ctx)
{
    if (*tonnes > self->rope_t)
        return aldis_fail(ctx, "the rope is torn");
    printf("the crane with the %d t rope lifts %d t\n", (int)self->rope_t, (int)*tonnes);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(crane, struct crane, CRANE_PROTOCOL, .on_start = crane_start,
                .restart = {.mode = ALDIS_RESTART_ON_FAILURE});

int main(void)
{
    static const int32_t tonnes[] = {10, 99, 20, 98, 30};
    static const struct crane ropes[] = {{.rope_t = 50}, {.rope_t = 200}};
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    crane_ref cranes[2];
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = 0; i < 2 && err == ALDIS_OK; i++)
        err = aldis_spawn(system, crane, &cranes[i], &(aldis_spawn_opts){ALDIS_ARG(&ropes[i])});
    for (int i = 0; i < 5 && err == ALDIS_OK; i++)
        err = aldis_send_copy(system, cranes[0], lift, &tonnes[i]);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);

    aldis_resent resent;
    const aldis_dead_letter_filter filter = {.reason = ALDIS_EHANDLER, .type_name = "lift"};
    if (err == ALDIS_OK)
        err = aldis_dead_letters_resend(system, &filter, cranes[1].id, &resent);
    if (err != ALDIS_OK) {
        fprintf(stderr, "11_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    printf("%" PRIu64 " dead letters are sent again\n", resent.sent);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
