// SPDX-License-Identifier: Apache-2.0
/* dead_letters.c: what nobody handled is kept, can be read, and can be sent to somebody else. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

struct parcel {
    char to[16];
};
ALDIS_MESSAGE(parcel, struct parcel);

#define POST_PROTOCOL(X, kind) X(kind, parcel)
ALDIS_PROTOCOL(post, POST_PROTOCOL);

struct post {
    uint32_t delivered;
};

static aldis_err post_on_parcel(struct post *self, const struct parcel *msg, aldis_ctx *ctx)
{
    (void)ctx;
    printf("delivered: %s (number %u)\n", msg->to, ++self->delivered);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(post, struct post, POST_PROTOCOL);

static bool show(void *arg, const aldis_dead_letter *letter)
{
    (void)arg;
    const struct parcel *parcel = letter->payload;
    printf("dead: a %s for %s, because: %s\n", letter->type_name, parcel->to,
           aldis_error_text(letter->reason));
    return true; /* go on */
}

static int fail(void)
{
    fprintf(stderr, "dead_letters: %s\n", aldis_error_last()->text);
    return 1;
}

int main(void)
{
    aldis_system *system;
    post_ref old, new;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, post, &old, NULL) != ALDIS_OK ||
        aldis_spawn(system, post, &new, NULL) != ALDIS_OK)
        return fail();

    /* The old office closes with two parcels on the counter. */
    aldis_pause(system, old.id);
    aldis_send(system, old, parcel, .to = "Ada");
    aldis_send(system, old, parcel, .to = "Grace");
    aldis_system_run(system, ALDIS_SECOND, NULL);
    aldis_stop(system, old.id);
    aldis_system_run(system, 2 * ALDIS_SECOND, NULL);

    aldis_dead_letter_filter parcels = {.type_name = "parcel"};
    aldis_resent resent;
    aldis_dead_letters(system, &parcels, show, NULL, NULL);
    aldis_dead_letters_resend(system, &parcels, new.id, &resent);
    aldis_system_run(system, 3 * ALDIS_SECOND, NULL);

    aldis_dead_letter_counts counts;
    aldis_dead_letters(system, NULL, NULL, NULL, &counts);
    printf("sent again: %" PRIu64 "; kept now: %" PRIu64 "; seen so far: %" PRIu64 "\n",
           resent.sent, counts.kept, counts.seen);
    aldis_system_destroy(system);
    return 0;
}
