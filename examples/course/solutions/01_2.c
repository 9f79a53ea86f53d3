// SPDX-License-Identifier: Apache-2.0
/* 01_2.c: a message to a ship that has ended. Chapter 1, exercise 2. */
#include <aldis/aldis.h>
#include <stdio.h>

struct hail {
    char text[32];
};
ALDIS_MESSAGE(hail, struct hail);

#define SHIP_PROTOCOL(X, kind) X(kind, hail)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    int heard;
};

static aldis_err ship_on_hail(struct ship *self, const struct hail *msg, aldis_ctx *ctx)
{
    (void)ctx;
    printf("the ship hears '%s' (%d so far)\n", msg->text, ++self->heard);
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
        fprintf(stderr, "01_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, ship, hail, .text = "welcome to Sol");
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_stop(system, ship.id);
    aldis_system_run(system, ALDIS_FOREVER, NULL);

    aldis_err err = aldis_send(system, ship, hail, .text = "are you there?");
    printf("main: %s: %s\n", aldis_error_name(err), aldis_error_text(err));

    aldis_audit audit;
    aldis_system_audit(system, &audit); /* the refused one is counted, too: as rejected */
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_ESTALE;
}
