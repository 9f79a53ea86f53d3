// SPDX-License-Identifier: Apache-2.0
/* ping_pong.c: two actors that answer each other, first under the wall clock, then in virtual time.
 * The behaviour is the same; only the clock is chosen differently. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

enum { ROUNDS = 1000 };

ALDIS_SIGNAL(serve);
struct ball {
    uint32_t hits;
};
ALDIS_MESSAGE(ball, struct ball);

#define PLAYER_PROTOCOL(X, kind) X(kind, serve) X(kind, ball)
ALDIS_PROTOCOL(player, PLAYER_PROTOCOL);

struct player {
    player_ref partner; /* of the one who serves */
};

static aldis_err player_on_serve(struct player *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_err err = aldis_spawn(ctx, player, &self->partner, NULL);
    return err != ALDIS_OK ? err : aldis_send(ctx, self->partner, ball, .hits = 1);
}

static aldis_err player_on_ball(struct player *self, const struct ball *msg, aldis_ctx *ctx)
{
    (void)self;
    if (msg->hits < 2 * ROUNDS)
        return aldis_reply(ctx, ball, .hits = msg->hits + 1);
    printf("  %d rounds", ROUNDS);
    if (aldis_now(ctx) == (2 * ROUNDS) * ALDIS_MS) /* each hit takes the lookahead of 1 ms */
        printf(" in exactly 2 virtual seconds");
    printf("\n");
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(player, struct player, PLAYER_PROTOCOL);

static int play(aldis_clock clock)
{
    aldis_system *system;
    player_ref first;
    aldis_system_opts opts = {.clock = clock, .seed = 1};
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, player, &first, NULL) != ALDIS_OK) {
        fprintf(stderr, "ping_pong: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_signal(system, first, serve);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("  audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return err != ALDIS_OK;
}

int main(void)
{
    puts("live:");
    int failed = play(ALDIS_CLOCK_LIVE);
    puts("virtual:");
    return play(ALDIS_CLOCK_VIRTUAL) || failed;
}
