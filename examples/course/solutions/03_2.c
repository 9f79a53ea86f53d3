// SPDX-License-Identifier: Apache-2.0
/* 03_2.c: a ferry is a ship that also takes passengers: one protocol within another. Chapter 3,
 * exercise 2. */
#include <aldis/aldis.h>
#include <inttypes.h>
#include <stdio.h>

ALDIS_MESSAGE(hail, int32_t);
ALDIS_MESSAGE(board, int32_t); /* so many passengers */

#define SHIP_PROTOCOL(X, kind) X(kind, hail)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);
#define FERRY_PROTOCOL(X, kind) SHIP_PROTOCOL(X, kind) X(kind, board)
ALDIS_PROTOCOL(ferry, FERRY_PROTOCOL);

static aldis_err ship_on_hail(int32_t *heard, const int32_t *number, aldis_ctx *ctx)
{
    (void)ctx;
    ++*heard;
    printf("the ship hears hail %" PRId32 "\n", *number);
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ship, int32_t, SHIP_PROTOCOL);

struct ferry {
    int32_t passengers;
};

static aldis_err ferry_on_hail(struct ferry *self, const int32_t *number, aldis_ctx *ctx)
{
    (void)ctx;
    printf("the ferry with %" PRId32 " passengers hears hail %" PRId32 "\n", self->passengers,
           *number);
    return ALDIS_OK;
}

static aldis_err ferry_on_board(struct ferry *self, const int32_t *passengers, aldis_ctx *ctx)
{
    if (*passengers < 1)
        return aldis_reject(ctx, ALDIS_EINVAL);
    self->passengers += *passengers;
    return ALDIS_OK;
}
ALDIS_BEHAVIOUR(ferry, struct ferry, FERRY_PROTOCOL);

int main(void)
{
    aldis_system_opts opts = {.clock = ALDIS_CLOCK_VIRTUAL, .workers = 1};
    aldis_system *system;
    ship_ref ship;
    ferry_ref ferry;
    if (aldis_system_create(&opts, &system) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, NULL) != ALDIS_OK ||
        aldis_spawn(system, ferry, &ferry, NULL) != ALDIS_OK) {
        fprintf(stderr, "03_2: %s\n", aldis_error_last()->text);
        return 1;
    }
    aldis_send(system, ferry, board, 12);
    aldis_send(system, ship, hail, 1); /* aldis_send(system, ship, board, 12) does not compile */
    aldis_send_after(system, ALDIS_SECOND, ferry, hail, 2);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_system_destroy(system);
    return 0;
}
