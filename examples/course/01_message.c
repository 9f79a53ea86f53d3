// SPDX-License-Identifier: Apache-2.0
/* 01_message.c: a ship that hears what is sent to it. Chapter 1 of the course (docs/course/). */
#include <aldis/aldis.h>
#include <stdio.h>
#include <string.h>

/* A message: a struct, and a name. */
struct hail {
    char text[32];
};
ALDIS_MESSAGE(hail, struct hail);

/* What ships understand: the list of their messages. */
#define SHIP_PROTOCOL(X, kind) X(kind, hail)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

/* What a ship knows. Nobody else can see it. */
struct ship {
    int heard;
};

/* What a ship does with a hail. */
static aldis_err ship_on_hail(struct ship *self, const struct hail *msg, aldis_ctx *ctx)
{
    self->heard++;
    printf("%d ms: the ship hears '%s' (%d so far)\n", (int)(aldis_now(ctx) / ALDIS_MS), msg->text,
           self->heard);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    ship_ref ship;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, NULL) != ALDIS_OK) {
        fprintf(stderr, "01_message: %s\n", aldis_error_last()->text);
        return 1;
    }
    struct hail hail = {.text = "welcome to Sol"};
    aldis_send_copy(system, ship, hail, &hail);
    strcpy(hail.text, "go away"); /* too late: the ship has a copy of its own */
    aldis_send(system, ship, hail, .text = "the docks are open");
    puts("main: two hails are sent, and nothing has happened yet");

    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until nothing is left to happen */

    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
