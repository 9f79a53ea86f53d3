// SPDX-License-Identifier: Apache-2.0
/* back_pressure.c: two offices answer each letter with two: each comes to wait for the other. */
#include <aldis/aldis.h>
#include <stdio.h>

struct letter {
    aldis_id answer_to;
};
ALDIS_MESSAGE(letter, struct letter);

#define OFFICE_PROTOCOL(X, kind) X(kind, letter)
ALDIS_PROTOCOL(office, OFFICE_PROTOCOL);

struct office {
    uint32_t read;
};

static aldis_err office_on_letter(struct office *self, const struct letter *msg, aldis_ctx *ctx)
{
    office_ref other = {.id = msg->answer_to};
    aldis_err err = aldis_busy(ctx, 5 * ALDIS_MS); /* it takes time to read */
    for (int i = 0; i < 2 && self->read < 6 && err == ALDIS_OK; i++)
        err = aldis_send(ctx, other, letter, aldis_self(ctx));
    self->read++;
    return err;
}

static void office_lost(void *state, const aldis_undelivered *notice, aldis_ctx *ctx)
{
    (void)state;
    printf("%3d ms: an office gives up a letter: %s\n", (int)(aldis_now(ctx) / ALDIS_MS),
           aldis_error_text(notice->reason));
}
ALDIS_BEHAVIOUR(office, struct office, OFFICE_PROTOCOL, .on_undelivered = office_lost,
                .mailbox = {.capacity_msgs = 4}); /* policy ALDIS_WAIT: the default */

static void on_cycle(void *arg, const aldis_cycle *cycle)
{
    (void)arg;
    printf("%3d ms: %zu actors wait for each other\n", (int)(cycle->at_ns / ALDIS_MS),
           cycle->count);
    for (size_t i = 0; i < cycle->count; i++) {
        const aldis_cycle_member *m = &cycle->members[i];
        printf("        %s: %u in its mailbox, %u %s kept for the next\n", m->kind,
               (unsigned)m->depth_msgs, (unsigned)m->kept_msgs, m->type_name);
    }
}

int main(void)
{
    aldis_system *system;
    office_ref north, south;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .on_cycle = on_cycle};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, office, &north, NULL) != ALDIS_OK ||
        aldis_spawn(system, office, &south, NULL) != ALDIS_OK) {
        fprintf(stderr, "back_pressure: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, north, letter, south.id);
    aldis_send(system, south, letter, north.id);
    aldis_system_run(system, ALDIS_FOREVER, NULL);

    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
