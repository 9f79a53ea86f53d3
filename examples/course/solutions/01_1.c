// SPDX-License-Identifier: Apache-2.0
/* 01_1.c: two ships; what the first one hears it passes on. Chapter 1, exercise 1. */
#include <aldis/aldis.h>
#include <stdio.h>

struct hail {
    char text[32];
};
ALDIS_MESSAGE(hail, struct hail);

#define SHIP_PROTOCOL(X, kind) X(kind, hail)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    char name[16];
    ship_ref next; /* nobody: this is the last ship */
};

/* The spawner's argument: a copy of it comes to on_start, before the first message. */
static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = *(const struct ship *)arg;
    return ALDIS_OK;
}

static aldis_err ship_on_hail(struct ship *self, const struct hail *msg, aldis_ctx *ctx)
{
    printf("%d ms: %s hears '%s'\n", (int)(aldis_now(ctx) / ALDIS_MS), self->name, msg->text);
    if (aldis_id_is_nobody(self->next.id))
        return ALDIS_OK;
    return aldis_send_copy(ctx, self->next, hail, msg);
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    struct ship boreas = {.name = "Boreas"}, aurora = {.name = "Aurora"};
    aldis_system *system;
    ship_ref first;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &aurora.next, &(aldis_spawn_opts){ALDIS_ARG(&boreas)}) !=
            ALDIS_OK ||
        aldis_spawn(system, ship, &first, &(aldis_spawn_opts){ALDIS_ARG(&aurora)}) != ALDIS_OK) {
        fprintf(stderr, "01_1: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, first, hail, .text = "welcome to Sol");
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
