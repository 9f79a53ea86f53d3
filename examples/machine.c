// SPDX-License-Identifier: Apache-2.0
/* machine.c: a door as a state machine: two tables say what it does. */
#include <aldis/aldis.h>
#include <stdio.h>

ALDIS_SIGNAL(push);
ALDIS_SIGNAL(turn_key);
ALDIS_SIGNAL(ring);

#define DOOR_PROTOCOL(X, kind)                                                                     \
    X(kind, push) X(kind, turn_key) X(kind, ring) X(kind, aldis_state_timeout)
ALDIS_PROTOCOL(door, DOOR_PROTOCOL);

// clang-format off
#define DOOR_STATES(S, kind)                                                                       \
    /*      state   within    on entry       on exit        at most */                             \
    S(kind, closed, top,      aldis_nothing, aldis_nothing, 0)                                     \
    S(kind, shut,   closed,   aldis_nothing, aldis_nothing, 0)                                     \
    S(kind, locked, closed,   aldis_nothing, aldis_nothing, 0)                                     \
    S(kind, open,   top,      creak,         bang,          10 * ALDIS_SECOND)
// clang-format on
ALDIS_STATES(door, DOOR_STATES);

struct door {
    aldis_machine machine;
    int rings;
};

static aldis_err creak(struct door *self, aldis_ctx *ctx)
{
    (void)self;
    printf("%3d s: the door opens\n", (int)(aldis_now(ctx) / ALDIS_SECOND));
    return ALDIS_OK;
}

static aldis_err bang(struct door *self, aldis_ctx *ctx)
{
    (void)self;
    printf("%3d s: the door shuts\n", (int)(aldis_now(ctx) / ALDIS_SECOND));
    return ALDIS_OK;
}

static aldis_err chime(struct door *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    printf("%3d s: ring number %d\n", (int)(aldis_now(ctx) / ALDIS_SECOND), ++self->rings);
    return ALDIS_OK;
}

// clang-format off
#define DOOR_TABLE(T, kind)                                                                        \
    /*      in      on                   do            then */                                     \
    T(kind, shut,   push,                aldis_go,     open)                                       \
    T(kind, shut,   turn_key,            aldis_go,     locked)                                     \
    T(kind, locked, push,                aldis_defer,  stay) /* until it is unlocked */            \
    T(kind, locked, turn_key,            aldis_go,     shut)                                       \
    T(kind, closed, ring,                chime,        stay) /* shut or locked */                  \
    T(kind, open,   push,                aldis_ignore, stay)                                       \
    T(kind, open,   turn_key,            aldis_refuse, stay)                                       \
    T(kind, open,   ring,                aldis_ignore, stay)                                       \
    T(kind, open,   aldis_state_timeout, aldis_go,     shut)
// clang-format on

ALDIS_MACHINE(door, struct door, DOOR_PROTOCOL, DOOR_STATES, DOOR_TABLE, shut);

int main(void)
{
    aldis_machine_print(&door_machine, stdout, ALDIS_MACHINE_TEXT);
    aldis_system *system;
    door_ref door;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, door, &door, NULL) != ALDIS_OK) {
        fprintf(stderr, "machine: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_signal(system, door, turn_key);                     /* locked */
    aldis_signal_after(system, 1 * ALDIS_SECOND, door, push); /* deferred */
    aldis_signal_after(system, 2 * ALDIS_SECOND, door, ring);
    aldis_signal_after(system, 5 * ALDIS_SECOND, door, turn_key); /* now the push is handled */
    aldis_signal_after(system, 9 * ALDIS_SECOND, door, ring);     /* nobody hears it */
    aldis_system_run(system, ALDIS_FOREVER, NULL);

    aldis_status status;
    aldis_audit audit;
    aldis_err err = aldis_system_status(system, door.id, &status);
    if (err == ALDIS_OK)
        err = aldis_system_audit(system, &audit);
    if (err == ALDIS_OK)
        printf("in the end it is %s; audit: %s\n", status.state_name, audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
