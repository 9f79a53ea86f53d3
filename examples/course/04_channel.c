// SPDX-License-Identifier: Apache-2.0
/* 04_channel.c: ground control is no actor: it talks to a ship over two channels. Live. Chapter 4
 * of the course (docs/course/). */
#include <aldis/aldis.h>
#include <stdio.h>

struct order {
    int32_t fly_km;
};
struct report {
    int32_t x_km;
    int32_t lost; /* reports before this one that found the channel full */
};
ALDIS_MESSAGE(order, struct order);
ALDIS_MESSAGE(report, struct report);
ALDIS_CHANNEL(order); /* gives order_tx and order_rx */
ALDIS_CHANNEL(report);
ALDIS_SIGNAL(signed_off);

#define SHIP_PROTOCOL(X, kind) X(kind, order) X(kind, signed_off)
ALDIS_PROTOCOL(ship, SHIP_PROTOCOL);

struct ship {
    report_tx to_ground;
    int32_t x_km, lost;
};

static aldis_err ship_start(void *state, const void *arg, aldis_ctx *ctx)
{
    (void)ctx;
    *(struct ship *)state = (struct ship){.to_ground = *(const report_tx *)arg};
    return ALDIS_OK;
}

/* A handler never waits: what finds the channel full is given up, and told of next time. */
static aldis_err ship_on_order(struct ship *self, const struct order *msg, aldis_ctx *ctx)
{
    (void)ctx;
    self->x_km += msg->fly_km;
    if (aldis_channel_try_send(self->to_ground, report, self->x_km, self->lost) == ALDIS_OK)
        self->lost = 0;
    else
        self->lost++;
    return ALDIS_OK;
}

/* Ground control has dropped its end. */
static aldis_err ship_on_signed_off(struct ship *self, const aldis_none *msg, aldis_ctx *ctx)
{
    (void)msg;
    aldis_tx_drop(self->to_ground.raw);
    return aldis_stop(ctx, aldis_self(ctx));
}
ALDIS_BEHAVIOUR(ship, struct ship, SHIP_PROTOCOL, .on_start = ship_start);

static void listen(report_rx from)
{
    struct report it;
    if (aldis_channel_receive(from, report, &it) == ALDIS_OK) /* waits for one */
        printf("ground: the ship is at %d km; %d reports lost\n", (int)it.x_km, (int)it.lost);
}

static int talk(aldis_system *system, order_tx to, report_rx from)
{
    puts("order, report, order, report:");
    for (int i = 0; i < 2; i++) {
        (void)aldis_channel_send(to, order, .fly_km = 100);
        listen(from);
    }
    puts("six orders, and nobody listens:");
    for (int i = 0; i < 6; i++)
        (void)aldis_channel_send(to, order, .fly_km = 10);
    aldis_system_run(system, ALDIS_FOREVER, NULL); /* until the ship has handled them */
    for (int i = 0; i < 4; i++)
        listen(from);
    (void)aldis_channel_send(to, order, .fly_km = 1);
    listen(from);

    aldis_tx_drop(to.raw); /* the last sender: that closes the channel */
    struct report it;
    aldis_err err = aldis_channel_receive(from, report, &it);
    printf("signed off, and now: %s\n", aldis_error_text(err));
    return err != ALDIS_ENOSENDER;
}

int main(void)
{
    aldis_system *system;
    ship_ref ship;
    order_tx orders_to;
    report_tx reports_to;
    report_rx reports_from;
    aldis_channel_opts opts = {.capacity_msgs = 4};
    if (aldis_system_create(NULL, &system) != ALDIS_OK ||
        aldis_channel_create(report, &reports_to, &reports_from, &opts) != ALDIS_OK ||
        aldis_spawn(system, ship, &ship, &(aldis_spawn_opts){ALDIS_ARG(&reports_to)}) != ALDIS_OK ||
        aldis_channel_to_actor_ended(system, ship, order, signed_off, &orders_to) != ALDIS_OK) {
        fprintf(stderr, "04_channel: %s\n", aldis_error_last()->text);
        return 1;
    }
    int status = talk(system, orders_to, reports_from);
    aldis_rx_drop(reports_from.raw);
    aldis_system_run(system, ALDIS_FOREVER, NULL);
    aldis_audit audit;
    aldis_err err = aldis_system_audit(system, &audit);
    printf("audit: %s\n", audit.text);
    aldis_system_destroy(system);
    return status || err != ALDIS_OK;
}
