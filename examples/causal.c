// SPDX-License-Identifier: Apache-2.0
/* causal.c: Ann asks, Bob answers, and Cleo, who is far from Ann, hears both: first without, then
 * with causal order. */
#include <aldis/aldis.h>
#include <stdio.h>

struct line {
    uint32_t question; /* or answer */
    uint32_t ordered;  /* by the group, or by plain messages */
};
ALDIS_MESSAGE(line, struct line);
#define PERSON_PROTOCOL(X, kind) X(kind, line)
ALDIS_PROTOCOL(person, PERSON_PROTOCOL);

enum { ANN, BOB, CLEO };
static const char *const names[] = {"Ann", "Bob", "Cleo"};
static person_ref people[3];

/* Light needs longer from Ann to Cleo than from Ann by Bob to Cleo. */
static aldis_ns distance(void *from, aldis_id to)
{
    bool far = from == &people[ANN] && aldis_id_equal(to, people[CLEO].id);
    return far ? 9 * ALDIS_SECOND : 2 * ALDIS_SECOND;
}

static aldis_err say(aldis_ctx *ctx, int who, const struct line *said)
{
    const aldis_causal_item item = {&line_type, said, sizeof *said, distance, &people[who]};
    if (said->ordered)
        return aldis_causal_publish_raw(ctx, "talk", &item, NULL);
    for (int to = ANN; to <= CLEO; to++) {
        aldis_ns delay = distance(&people[who], people[to].id);
        if (to != who)
            aldis_send_with(ctx, people[to], line, said, &(aldis_send_opts){.delay_ns = delay});
    }
    return ALDIS_OK;
}

static aldis_err person_start(void *state, const void *arg, aldis_ctx *ctx)
{
    *(int *)state = *(const int *)arg;
    return aldis_causal_join(ctx, "talk", NULL);
}

static aldis_err person_on_line(int *who, const struct line *heard, aldis_ctx *ctx)
{
    if (*who == CLEO)
        printf("%2d s: %s hears the %s\n", (int)(aldis_now(ctx) / ALDIS_SECOND), names[*who],
               heard->question ? "question" : "answer");
    if (aldis_id_is_nobody(aldis_sender(ctx))) /* from main: it is for Ann to ask */
        return say(ctx, ANN, heard);
    if (*who == BOB && heard->question)
        return say(ctx, BOB, &(struct line){0, heard->ordered});
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(person, int, PERSON_PROTOCOL, .on_start = person_start);

int main(void)
{
    aldis_system *system;
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .lookahead_ns = ALDIS_SECOND};
    aldis_err err = aldis_system_create(&opts, &system);
    for (int i = ANN; i <= CLEO && err == ALDIS_OK; i++)
        err = aldis_spawn(system, person, &people[i], &(aldis_spawn_opts){ALDIS_ARG(&i)});
    for (uint32_t ordered = 0; ordered < 2 && err == ALDIS_OK; ordered++) {
        aldis_system_run(system, ALDIS_FOREVER, NULL); /* until all is quiet */
        printf(ordered ? "in a causal group:\n" : "by plain messages:\n");
        err = aldis_send(system, people[ANN], line, 1, ordered);
    }
    if (err == ALDIS_OK)
        err = aldis_system_run(system, ALDIS_FOREVER, NULL);
    if (err != ALDIS_OK)
        fprintf(stderr, "causal: %s\n", aldis_error_last()->text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}
