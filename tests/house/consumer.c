// SPDX-License-Identifier: Apache-2.0
/* consumer.c: somebody's program, built outside the tree against what `make install` left. */
#include <aldis/aldis.h>
#include <stdio.h>
#include <string.h>

struct ping {
    unsigned seq;
};
ALDIS_MESSAGE(ping, struct ping);

#define COUNTER_PROTOCOL(X, kind) X(kind, ping)
ALDIS_PROTOCOL(counter, COUNTER_PROTOCOL);

struct counter {
    unsigned sum;
};

static aldis_err counter_on_ping(struct counter *self, const struct ping *msg, aldis_ctx *ctx)
{
    self->sum += msg->seq;
    if (msg->seq == 3)
        printf("sum %u, sent by %s\n", self->sum,
               aldis_id_is_nobody(aldis_sender(ctx)) ? "nobody" : "an actor");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(counter, struct counter, COUNTER_PROTOCOL);

int main(void)
{
    aldis_system *system;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    if (aldis_system_create(&opts, &system) != ALDIS_OK) {
        printf("create: %s\n", aldis_error_last()->text);
        return 1;
    }
    counter_ref counter;
    aldis_err err = aldis_spawn(system, counter, &counter, NULL);
    for (unsigned i = 1; i <= 3 && err == ALDIS_OK; i++)
        err = aldis_send(system, counter, ping, .seq = i);
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err == ALDIS_OK)
        err = aldis_system_audit(system, NULL);
    aldis_system_destroy(system);
    printf("%s\n", err == ALDIS_OK ? "balanced" : aldis_error_name(err));
    return err != ALDIS_OK || strcmp(aldis_version(), ALDIS_VERSION_STRING) != 0;
}
